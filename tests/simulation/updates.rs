//! Firmware on its way to devices on a bad network, pushed and fetched, with power cuts at any point.

use rookery::engine::update::Strategy;

use crate::network::Weather;
use crate::world::{Scenario, Trouble};
use crate::{ALL_TROUBLES, bursty, disorderly, hold, lossy, scenario, storm};

fn updated(test: &str, seeds: u64, of: impl Fn(u64) -> Scenario) {
    hold(&format!("updates::{test}"), seeds, |seed| Scenario {
        firmware: Some([Strategy::Push, Strategy::Url][(seed % 2) as usize]),
        ..of(seed)
    });
}

#[test]
fn firmware_arrives_on_a_fair_network() {
    updated("firmware_arrives_on_a_fair_network", 20, scenario);
}

#[test]
fn losses_do_not_keep_firmware_from_arriving() {
    updated("losses_do_not_keep_firmware_from_arriving", 120, |seed| {
        Scenario {
            weather: lossy(Weather::fair()),
            ..scenario(seed)
        }
    });
}

#[test]
fn bursts_of_losses_and_cut_links_do_not_keep_firmware_from_arriving() {
    updated(
        "bursts_of_losses_and_cut_links_do_not_keep_firmware_from_arriving",
        80,
        |seed| Scenario {
            weather: bursty(Weather::fair()),
            trouble: Trouble {
                cuts: 3,
                ..Trouble::default()
            },
            ..scenario(seed)
        },
    );
}

#[test]
fn blocks_that_are_repeated_and_late_do_no_harm() {
    updated("blocks_that_are_repeated_and_late_do_no_harm", 80, |seed| {
        Scenario {
            weather: disorderly(Weather::fair()),
            ..scenario(seed)
        }
    });
}

#[test]
fn power_cuts_at_any_point_do_not_keep_firmware_from_arriving() {
    updated(
        "power_cuts_at_any_point_do_not_keep_firmware_from_arriving",
        160,
        |seed| Scenario {
            trouble: Trouble {
                reboots: 4,
                leaves: 1,
                rebinds: 1,
                ..Trouble::default()
            },
            ..scenario(seed)
        },
    );
}

#[test]
fn firmware_arrives_through_a_storm_over_shards_and_actors() {
    updated(
        "firmware_arrives_through_a_storm_over_shards_and_actors",
        200,
        |seed| Scenario {
            shards: 1 + (seed % 3) as u8,
            actors: seed % 5 == 0,
            trouble: ALL_TROUBLES,
            ..storm(seed)
        },
    );
}
