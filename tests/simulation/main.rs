//! The whole system on a fake clock: simulated devices, a network that loses, repeats and reorders,
//! and the shards of an engine. Everything follows from a seed, so a failure can be run again:
//! `SIMULATION_SEED=… cargo test --test simulation NAME -- --nocapture` prints each datagram of it.
//! `SIMULATION_ROUNDS=50` tries that many times the seeds.

mod bootstrap;
mod device;
mod message;
mod network;
mod rules;
mod server;
mod timeline;
mod updates;
mod watch;
mod world;

use network::{Bursts, Weather};
use world::{Scenario, Trouble, World};

/// Runs a scenario under many seeds.
fn hold(test: &str, seeds: u64, scenario: impl Fn(u64) -> Scenario) {
    let (seeds, trace) = match variable("SIMULATION_SEED") {
        Some(seed) => (seed..seed + 1, true),
        None => (0..seeds * variable("SIMULATION_ROUNDS").unwrap_or(1), false),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let again = Again { test, seed };
        let mut world = World::new(&Scenario {
            trace,
            ..scenario(seed)
        });
        world.run();
        let broken = rules::broken(&mut world);
        if !broken.is_empty() {
            failed.push(format!("{}\n  {}", again.how(), broken.join("\n  ")));
        }
    }
    let count = failed.len();
    assert!(count == 0, "{count} seeds\n{}", failed.join("\n"));
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is a number, not {value}")))
}

/// Says how to run a seed again, also when the run panics.
struct Again<'a> {
    test: &'a str,
    seed: u64,
}

impl Again<'_> {
    fn how(&self) -> String {
        let Self { test, seed } = self;
        format!("SIMULATION_SEED={seed} cargo test --test simulation {test} -- --exact --nocapture")
    }
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("panicked in {}", self.how());
        }
    }
}

fn scenario(seed: u64) -> Scenario {
    Scenario {
        seed,
        shards: 1,
        actors: false,
        devices: 5,
        weather: Weather::fair(),
        trouble: Trouble::default(),
        firmware: None,
        trace: false,
    }
}

fn lossy(weather: Weather) -> Weather {
    Weather {
        loss: 0.25,
        ..weather
    }
}

fn bursty(weather: Weather) -> Weather {
    Weather {
        bursts: Some(Bursts {
            worsens: 0.05,
            improves: 0.15,
            loss: 0.9,
        }),
        ..weather
    }
}

fn disorderly(weather: Weather) -> Weather {
    Weather {
        duplicated: 0.25,
        delay: 10..3_000,
        held_up: 0.1,
        holdup: 1_000..40_000,
        ..weather
    }
}

/// All at once.
fn stormy() -> Weather {
    let weather = bursty(disorderly(Weather::fair()));
    Weather {
        loss: 0.1,
        ..weather
    }
}

const ALL_TROUBLES: Trouble = Trouble {
    rebinds: 3,
    reboots: 2,
    cuts: 2,
    leaves: 1,
    clock_jumps: 2,
    ends: true,
};

fn storm(seed: u64) -> Scenario {
    Scenario {
        weather: stormy(),
        trouble: ALL_TROUBLES,
        ..scenario(seed)
    }
}

#[test]
fn all_is_well_on_a_fair_network() {
    hold("all_is_well_on_a_fair_network", 20, scenario);
}

#[test]
fn losses_are_made_up_for() {
    hold("losses_are_made_up_for", 180, |seed| Scenario {
        weather: lossy(Weather::fair()),
        ..scenario(seed)
    });
}

#[test]
fn bursts_of_losses_and_cut_links_are_made_up_for() {
    hold(
        "bursts_of_losses_and_cut_links_are_made_up_for",
        180,
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
fn repetitions_and_disorder_do_no_harm() {
    hold("repetitions_and_disorder_do_no_harm", 180, |seed| {
        Scenario {
            weather: disorderly(Weather::fair()),
            ..scenario(seed)
        }
    });
}

#[test]
fn devices_that_reboot_and_leave_are_known_as_they_are() {
    hold(
        "devices_that_reboot_and_leave_are_known_as_they_are",
        180,
        |seed| Scenario {
            trouble: Trouble {
                reboots: 3,
                leaves: 2,
                ends: true,
                ..Trouble::default()
            },
            ..scenario(seed)
        },
    );
}

#[test]
fn devices_whose_address_changes_are_found_again() {
    hold(
        "devices_whose_address_changes_are_found_again",
        180,
        |seed| Scenario {
            trouble: Trouble {
                rebinds: 4,
                ..Trouble::default()
            },
            ..scenario(seed)
        },
    );
}

#[test]
fn everything_at_once_is_survived() {
    hold("everything_at_once_is_survived", 900, storm);
}

#[test]
fn shards_hand_over_to_each_other_in_a_storm() {
    hold("shards_hand_over_to_each_other_in_a_storm", 900, |seed| {
        Scenario {
            shards: 2 + (seed % 2) as u8,
            ..storm(seed)
        }
    });
}

#[test]
fn actors_behave_as_endpoints_at_rest_in_a_storm() {
    hold(
        "actors_behave_as_endpoints_at_rest_in_a_storm",
        450,
        |seed| Scenario {
            shards: 1 + (seed % 3) as u8,
            actors: true,
            ..storm(seed)
        },
    );
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    let run = |shards, actors| {
        let mut world = World::new(&Scenario {
            shards,
            actors,
            ..storm(7)
        });
        world.run();
        (world.datagrams, world.network.lost, world.now)
    };
    for (shards, actors) in [(1, false), (3, false), (2, true)] {
        assert_eq!(run(shards, actors), run(shards, actors));
    }
}

/// Rules that hold because nothing happens would prove nothing.
#[test]
fn a_storm_brings_about_what_it_is_to_be_survived() {
    let mut counts = [
        ("lwm2m_coap_retransmissions_total", 0.0),
        ("lwm2m_coap_duplicates_total", 0.0),
        ("lwm2m_coap_rejected_total{reason=\"unmatched\"}", 0.0),
        ("lwm2m_coap_rejected_total{reason=\"not_found\"}", 0.0),
        ("lwm2m_coap_rejected_total{reason=\"foreign_address\"}", 0.0),
        (
            "lwm2m_requests_total{operation=\"observe\",result=\"timeout\"}",
            0.0,
        ),
        (
            "lwm2m_notifications_total{strategy=\"single\",result=\"stale\"}",
            0.0,
        ),
        ("lwm2m_handoffs_total", 0.0),
    ];
    for seed in 0..20 {
        let mut world = World::new(&Scenario {
            shards: 2,
            ..storm(seed)
        });
        world.run();
        for (name, count) in &mut counts {
            *count += world.server.metric(name);
        }
    }
    for (name, count) in counts {
        assert!(count >= 3.0, "{name} is {count}");
    }
}
