//! The report of a benchmark, for machines. Its members are those of `observe-report-schema.json`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use super::advice::{Advice, advise};
use super::events::Seen;
use super::fleet::Counted;
use super::latency::Percentiles;
use super::poll::Polled;
use super::radio::{EDRX_CYCLE, RadioModel, RadioTimes, SOURCES, VOLTAGE};
use super::settings::Settings;
use super::strategy::Strategy;
use super::traffic::{HEADERS, Traffic};

/// The outcome of a benchmark.
#[derive(Debug, Serialize)]
pub struct ObserveReport {
    /// Version of the schema.
    pub schema: u32,
    /// Who was tested.
    pub server_address: String,
    /// What was simulated.
    pub settings: Settings,
    /// What the estimates follow from.
    pub model: ModelReport,
    /// Whether it was ended early, by a signal; the strategy under way then is left out.
    pub interrupted: bool,
    /// By strategy, in the order of the run.
    pub strategies: Vec<StrategyReport>,
    /// What follows from it.
    pub advice: Advice,
}

/// What the estimates follow from.
#[derive(Debug, Serialize)]
pub struct ModelReport {
    /// Bytes of IP and UDP headers, added to each CoAP message.
    pub header_bytes: u64,
    /// Volts that charges are meant at.
    pub voltage: f64,
    /// Seconds between two pages of a device that is polled seldom (eDRX).
    pub edrx_cycle_s: f64,
    /// How long radios stay on.
    pub radio: RadioTimes,
    /// Charges by technology.
    pub technologies: [RadioModel; 2],
    /// Where they come from.
    pub sources: [&'static str; 4],
}

/// The outcome of one strategy.
#[derive(Clone, Debug, Serialize)]
pub struct StrategyReport {
    /// Its name.
    pub strategy: &'static str,
    /// Observations of each device.
    pub observations_per_device: f64,
    /// From a device's first Register until it was observed (polls: read once), in milliseconds of the clock.
    pub ready_ms: Percentiles,
    /// Of each device, until then.
    pub setup_per_device: Rates,
    /// Of each device, in an hour of device time.
    pub per_device_hour: Rates,
    /// Times that a sleeping radio was woken, of each device in an hour.
    pub wake_ups: f64,
    /// Radio connections, those of wake-ups included, likewise.
    pub connections: f64,
    /// By technology.
    pub energy: BTreeMap<&'static str, EnergyReport>,
    /// Values that changed.
    pub changes: u64,
    /// Notifications sent.
    pub notifications: u64,
    /// Commands to read, by the program that polls.
    pub polls: u64,
    /// Those that brought no value.
    pub polls_failed: u64,
    /// Devices whose poll started late.
    pub polls_late: u64,
    /// Values that the server took.
    pub values_taken: u64,
    /// Values that the server discarded.
    pub values_dropped: u64,
    /// The server's CPU time.
    pub server: Option<ServerReport>,
    /// From the message that carries a value to the server's showing it, in milliseconds of the clock.
    pub latency_ms: Percentiles,
    /// From the change of a value to the server's showing it, in seconds of device time.
    pub age_s: Percentiles,
    /// Changes of the followed devices.
    pub followed_changes: u64,
    /// Those that the server showed.
    pub followed_seen: u64,
    /// What went wrong.
    pub trouble: Trouble,
}

/// Packets and bytes, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Packets from the device.
    pub packets_up: f64,
    /// Packets to the device.
    pub packets_down: f64,
    /// Bytes from the device.
    pub bytes_up: f64,
    /// Bytes to the device.
    pub bytes_down: f64,
}

/// An estimate for one technology, of each device in an hour of device time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct EnergyReport {
    /// Seconds that the radio is on.
    pub radio_on_s: f64,
    /// Charge for connections, packets and listening, in mC.
    pub activity_mc: f64,
    /// Charge for the rest of the time, in mC.
    pub floor_mc: f64,
    /// Both, as an average current in uA.
    pub average_ua: f64,
    /// Both, as energy in J.
    pub joules: f64,
}

/// The server's CPU time while measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ServerReport {
    /// All of it, in seconds.
    pub cpu_seconds: f64,
    /// For each device in an hour of device time, in microseconds.
    pub cpu_us_per_device_hour: f64,
    /// For each notification, or answer to a poll, in microseconds.
    pub cpu_us_per_message: f64,
    /// For each value that changed, in microseconds.
    pub cpu_us_per_change: f64,
}

/// What went wrong while measured, or before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Trouble {
    /// Requests of the server that devices refused.
    pub refused_requests: u64,
    /// Messages that the kernel did not take from the devices, or dropped.
    pub lost_messages: u64,
    /// Events that the server could not show.
    pub lost_events: u64,
    /// The latest that a device did something after its time, in milliseconds.
    pub max_lateness_ms: f64,
}

/// What was found out about one strategy.
pub(super) struct Findings {
    pub(super) strategy: Strategy,
    pub(super) counted: Counted,
    pub(super) seen: Seen,
    pub(super) polled: Polled,
    pub(super) values_taken: f64,
    pub(super) values_dropped: f64,
    /// Of the server, in seconds.
    pub(super) cpu_seconds: Option<f64>,
}

impl ObserveReport {
    /// Of strategies that were measured one after the other.
    #[must_use]
    pub fn new(
        settings: &Settings,
        server: SocketAddr,
        strategies: Vec<StrategyReport>,
        interrupted: bool,
    ) -> Self {
        Self {
            schema: 1,
            server_address: server.to_string(),
            settings: settings.clone(),
            model: ModelReport {
                header_bytes: HEADERS,
                voltage: VOLTAGE,
                edrx_cycle_s: EDRX_CYCLE,
                radio: settings.radio_times(),
                technologies: RadioModel::ALL,
                sources: SOURCES,
            },
            interrupted,
            advice: advise(settings, &strategies),
            strategies,
        }
    }
}

impl StrategyReport {
    pub(super) fn new(settings: &Settings, findings: &Findings) -> Self {
        let Findings {
            strategy,
            counted,
            seen,
            polled,
            ..
        } = findings;
        let clients = f64::from(settings.clients);
        let device_hours = clients * settings.duration / 3_600.0;
        let followed = counted.log.follow(&seen.sightings);
        let polled_every = strategy.polls().then_some(settings.poll_every);
        let energy = RadioModel::ALL.iter().map(|model| {
            let seconds = clients * settings.duration;
            let all = model.energy(&counted.activity, &counted.traffic, seconds, polled_every);
            let charge = (all.activity_mc + all.floor_mc) / device_hours;
            let report = EnergyReport {
                radio_on_s: all.radio_on_s / device_hours,
                activity_mc: all.activity_mc / device_hours,
                floor_mc: all.floor_mc / device_hours,
                average_ua: charge / 3_600.0 * 1e3,
                joules: charge / 1e3 * VOLTAGE,
            };
            (model.name, report)
        });
        let messages = if strategy.polls() {
            polled.commands
        } else {
            counted.notifications
        };
        Self {
            strategy: strategy.name(),
            observations_per_device: counted.observations as f64 / clients,
            ready_ms: Percentiles::of(&counted.ready_us, 1e-3),
            setup_per_device: Rates::of(&counted.setup, clients),
            per_device_hour: Rates::of(&counted.traffic, device_hours),
            wake_ups: counted.activity.wake_ups as f64 / device_hours,
            connections: counted.activity.connections as f64 / device_hours,
            energy: energy.collect(),
            changes: counted.changes,
            notifications: counted.notifications,
            polls: polled.commands,
            polls_failed: polled.failed,
            polls_late: polled.late,
            values_taken: findings.values_taken as u64,
            values_dropped: findings.values_dropped as u64,
            server: findings.cpu_seconds.map(|cpu_seconds| ServerReport {
                cpu_seconds,
                cpu_us_per_device_hour: cpu_seconds * 1e6 / device_hours,
                cpu_us_per_message: cpu_seconds * 1e6 / (messages.max(1) as f64),
                cpu_us_per_change: cpu_seconds * 1e6 / (counted.changes.max(1) as f64),
            }),
            latency_ms: Percentiles::of(&followed.latency_us, 1e-3),
            age_s: Percentiles::of(&followed.age_us, settings.speed * 1e-6),
            followed_changes: followed.changes,
            followed_seen: followed.seen,
            trouble: Trouble {
                refused_requests: counted.refused,
                lost_messages: counted.lost,
                lost_events: seen.lost,
                max_lateness_ms: counted.max_lateness_us as f64 / 1e3,
            },
        }
    }

    /// Packets both ways, of each device in an hour.
    #[must_use]
    pub fn packets(&self) -> f64 {
        self.per_device_hour.packets_up + self.per_device_hour.packets_down
    }

    /// Bytes both ways, of each device in an hour.
    #[must_use]
    pub fn bytes(&self) -> f64 {
        self.per_device_hour.bytes_up + self.per_device_hour.bytes_down
    }

    /// Charge of a technology, of each device in an hour, in mC.
    #[must_use]
    pub fn charge(&self, technology: &str) -> f64 {
        let energy = self.energy.get(technology).copied().unwrap_or_default();
        energy.activity_mc + energy.floor_mc
    }

    #[cfg(test)]
    pub(super) fn sample(strategy: Strategy) -> Self {
        let energy = RadioModel::ALL.map(|model| (model.name, EnergyReport::default()));
        Self {
            strategy: strategy.name(),
            observations_per_device: 0.0,
            ready_ms: Percentiles::default(),
            setup_per_device: Rates::default(),
            per_device_hour: Rates::default(),
            wake_ups: 0.0,
            connections: 0.0,
            energy: energy.into(),
            changes: 100,
            notifications: 0,
            polls: 0,
            polls_failed: 0,
            polls_late: 0,
            values_taken: 0,
            values_dropped: 0,
            server: None,
            latency_ms: Percentiles::default(),
            age_s: Percentiles::default(),
            followed_changes: 0,
            followed_seen: 0,
            trouble: Trouble::default(),
        }
    }
}

impl Rates {
    fn of(traffic: &Traffic, per: f64) -> Self {
        Self {
            packets_up: traffic.packets_up as f64 / per,
            packets_down: traffic.packets_down as f64 / per,
            bytes_up: traffic.bytes_up as f64 / per,
            bytes_down: traffic.bytes_down as f64 / per,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::tests::compare;

    #[test]
    fn the_report_has_the_members_of_its_schema() {
        let text = include_str!("../../observe-report-schema.json");
        let schema: Value = serde_json::from_str(text).unwrap();
        let mut strategies: Vec<_> = Strategy::USUAL.map(StrategyReport::sample).into();
        strategies[0].server = Some(ServerReport::default());
        let address = "127.0.0.1:5685".parse().unwrap();
        let report = ObserveReport::new(&Settings::default(), address, strategies, false);
        let report = serde_json::to_value(report).unwrap();
        compare("", &report, &schema, &schema);
    }
}
