//! What must be true when the network has healed and everybody has had time.

use rookery::engine::view::DeviceState;

use crate::server::Shown;
use crate::world::{Fate, World};

/// Datagrams a device may send and be sent per change of its value, and per minute besides, all its
/// troubles included.
const DATAGRAMS_PER_CHANGE: u64 = 4;
const DATAGRAMS_PER_MINUTE: u64 = 12;

/// The same per block of a firmware, begun anew after each power cut.
const DATAGRAMS_PER_BLOCK: u64 = 20;

/// The rules that are broken.
pub fn broken(world: &mut World) -> Vec<String> {
    let mut broken = std::mem::take(&mut world.watch.broken);
    let mut living = 0;
    for index in 0..world.devices.len() {
        let name = world.devices[index].name.clone();
        let mut tell = |text: String| broken.push(format!("{name}: {text}"));
        for complaint in &world.devices[index].log.complaints {
            tell(complaint.clone());
        }
        let datagrams = world.datagrams[index].iter().sum::<u64>();
        let changes = World::length() / world.devices[index].habits.notify_every;
        let minutes = World::length() / 60_000;
        let blocks = world.image().map_or(0, |image| image.len() as u64 / 64);
        let most = DATAGRAMS_PER_CHANGE * changes
            + DATAGRAMS_PER_MINUTE * minutes
            + DATAGRAMS_PER_BLOCK * blocks;
        if datagrams > most {
            tell(format!("{datagrams} datagrams, more than {most}"));
        }
        let shown = world.server.show(world.now, &name);
        let Some(shown) = shown else {
            // A device that died early may never have got through.
            if world.fates[index] != Fate::Dies {
                tell("the server does not know it".to_owned());
            }
            continue;
        };
        if world.fates[index] == Fate::Stays {
            living += 1;
            of_a_living_device(world, index, &shown, &mut tell);
            of_an_updated_device(world, index, &mut tell);
        } else {
            of_a_gone_device(&shown, &mut tell);
        }
    }
    of_the_server(world, living, &mut broken);
    broken
}

fn of_a_living_device(world: &World, index: usize, shown: &Shown, tell: &mut impl FnMut(String)) {
    let device = &world.devices[index];
    let view = &shown.registration;
    let state = view.state;
    if !matches!(state, DeviceState::Registered | DeviceState::Asleep) {
        tell(format!("{state:?}, though it stays"));
    }
    let (location, observers) = device.state();
    let known = view.id.as_ref().map(|id| format!("/rd/{id}"));
    if location != known.as_deref() {
        tell(format!(
            "registered as {location:?}, the server has {known:?}"
        ));
    }
    let mut observations: Vec<_> = view
        .observations
        .iter()
        .map(|observation| (observation.path.as_str(), observation.state))
        .collect();
    observations.sort_unstable();
    let mut expected = vec![("/3/0/9", "established")];
    if device.updater.is_some() {
        expected.extend([("/5/0/3", "established"), ("/5/0/5", "established")]);
    }
    if observations != expected || observers != 1 {
        tell(format!(
            "{observers} observers, the server has {observations:?}"
        ));
    }
    let value = shown.telemetry.get("batteryLevel");
    let value = value.and_then(|values| values.first()?.value.as_i64());
    if value != device.log.told {
        tell(format!(
            "told {:?}, the server has {value:?}",
            device.log.told
        ));
    }
    let firmware = device.firmware_version();
    let expected = [
        ("manufacturer", "Simulated Works"),
        ("modelNumber", device.name.as_str()),
        ("firmwareVersion", firmware.as_str()),
    ];
    for (key, expected) in expected {
        let known = shown.attributes.get(key).map(|known| &known.value);
        if known.is_none_or(|known| known != expected) {
            tell(format!("{key} is {expected}, the server has {known:?}"));
        }
    }
    if view.queue_length > 0 || view.active || device.is_busy() {
        tell(format!(
            "not at rest: {} requests wait, active {}, device busy {}",
            view.queue_length,
            view.active,
            device.is_busy()
        ));
    }
}

/// It has the firmware, bit for bit, and installed it once.
fn of_an_updated_device(world: &mut World, index: usize, tell: &mut impl FnMut(String)) {
    let now = world.now;
    let (Some(image), Some(updater)) = (world.image(), &world.devices[index].updater) else {
        return;
    };
    if updater.installed.as_deref() != Some(image) {
        tell("the firmware is not installed, or another one".to_owned());
    }
    if updater.installs != 1 {
        tell(format!(
            "{} installations after {} orders",
            updater.installs, updater.orders
        ));
    }
    let name = world.devices[index].name.clone();
    let updates = world.server.updates(now, &name);
    let ended = matches!(&updates[..], [one] if one.state == "UPDATED" && one.ended);
    if !ended {
        tell(format!("the server has {updates:?}"));
    }
}

fn of_a_gone_device(shown: &Shown, tell: &mut impl FnMut(String)) {
    let view = &shown.registration;
    if view.state != DeviceState::Expired || view.id.is_some() {
        tell(format!("{:?}, though it is gone", view.state));
    }
    if !view.observations.is_empty() || view.queue_length > 0 || view.active {
        tell("something of it is left".to_owned());
    }
}

fn of_the_server(world: &World, living: usize, broken: &mut Vec<String>) {
    let none = [
        "lwm2m_actor_restarts_total",
        "lwm2m_shard_panics_total",
        "lwm2m_event_batches_lost_total",
        "lwm2m_command_queue_depth",
        "lwm2m_coap_rejected_total{reason=\"malformed\"}",
        "lwm2m_coap_rejected_total{reason=\"bad_option\"}",
        "lwm2m_coap_rejected_total{reason=\"bad_request\"}",
        "lwm2m_coap_rejected_total{reason=\"backlog\"}",
        "lwm2m_coap_rejected_total{reason=\"handoff\"}",
        "lwm2m_coap_rejected_total{reason=\"quarantined\"}",
        "lwm2m_values_dropped_total{reason=\"undecodable\"}",
        "lwm2m_values_dropped_total{reason=\"unmapped\"}",
    ];
    let living = living as f64;
    let observed = if world.image().is_some() { 3.0 } else { 1.0 };
    let expected = none.map(|name| (name, 0.0)).into_iter().chain([
        ("lwm2m_registrations{", living),
        ("lwm2m_observations{", living * observed),
    ]);
    for (name, expected) in expected {
        let counted = world.server.metric(name);
        if counted != expected {
            broken.push(format!("{name} is {counted}, not {expected}"));
        }
    }
}
