//! What a run does: fleets, phases, thresholds. From a TOML file, from flags, or both.

mod bootstrap;
mod timeline;
mod unknown_key;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::fleet::MAX_OBJECTS;
use crate::security::{self, SecurityMode, SecuritySettings};
use unknown_key::nearest_hint;

pub use bootstrap::BootstrapSettings;
pub use unknown_key::nearest;

/// A run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// `host:port` of the server.
    pub server: Option<String>,
    /// What all that is random follows from.
    pub seed: u64,
    /// Endpoint names are this and a number.
    pub endpoint_prefix: String,
    /// Threads of the generator, each with its share of the devices.
    pub threads: u8,
    /// Sockets, when the server is on loopback; elsewhere each device has one.
    pub sockets: u16,
    /// Length of a tick in microseconds: everything is scheduled at a multiple of it. 100 to 100,000.
    pub tick_us: u32,
    /// How long to wait for what is under way at the end, in seconds.
    pub grace: f64,
    /// Conditions on the report, such as `update.p99 < 5ms`.
    pub thresholds: Vec<String>,
    /// How devices secure what they send.
    pub security: SecuritySettings,
    /// Devices bootstrap at the server, and register where they are told.
    pub bootstrap: Option<BootstrapSettings>,
    /// The devices.
    pub fleets: Vec<FleetSettings>,
    /// What happens, one after the other.
    pub phases: Vec<Phase>,
}

/// Like devices.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FleetSettings {
    /// A name for messages.
    pub name: String,
    /// How many.
    pub clients: u32,
    /// Lifetime of their registrations, in seconds.
    pub lifetime: u32,
    /// Seconds between a device's registration updates; 0 for none.
    pub update_every: f64,
    /// Seconds between the notifications of each observation; 0 for none.
    pub notify_every: f64,
    /// Whether notifications are confirmable.
    pub confirm_notifications: bool,
    /// How many objects a device announces.
    pub objects: u8,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Phase {
    /// All devices register, `rate` a second; ends when each has its answer.
    Register { rate: f64 },
    /// Registered devices live for `duration` seconds: they update, notify, answer.
    Hold { duration: f64 },
    /// A share of the devices get other source addresses and ports, all at once.
    Rebind {
        #[serde(default = "security::all")]
        share: f64,
    },
    /// A share of the devices lose their DTLS sessions and make new ones, `rate` a second; ends when each has one.
    Reconnect {
        rate: f64,
        #[serde(default = "security::all")]
        share: f64,
    },
    /// All devices de-register, `rate` a second; ends when each has its answer.
    Deregister { rate: f64 },
}

/// Why a scenario cannot be run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// No such file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Not what a scenario looks like.
    #[error("{}: {message}", path.display())]
    Parse { path: PathBuf, message: String },
    /// A value out of its range.
    #[error("{what} is {value}, accepted is {accepted}")]
    OutOfRange {
        what: String,
        value: String,
        accepted: &'static str,
    },
}

impl Default for Scenario {
    /// A hundred devices that live for ten seconds.
    fn default() -> Self {
        Self {
            server: None,
            seed: 1,
            endpoint_prefix: "sim-".into(),
            threads: 1,
            sockets: 64,
            tick_us: 1_000,
            grace: 5.0,
            thresholds: Vec::new(),
            security: SecuritySettings::default(),
            bootstrap: None,
            fleets: vec![FleetSettings::default()],
            phases: vec![
                Phase::Register { rate: 1_000.0 },
                Phase::Hold { duration: 10.0 },
                Phase::Deregister { rate: 1_000.0 },
            ],
        }
    }
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            name: "devices".into(),
            clients: 100,
            lifetime: 300,
            update_every: 30.0,
            notify_every: 10.0,
            confirm_notifications: false,
            objects: 12,
        }
    }
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ScenarioError`] says what is wrong and where; for an unknown key it names the nearest known one.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        read_toml(path)
    }

    /// How many devices there are.
    #[must_use]
    pub fn clients(&self) -> u32 {
        self.fleets.iter().map(|fleet| fleet.clients).sum()
    }

    /// Makes it `clients` devices, spread over the fleets as they are now.
    pub fn set_clients(&mut self, clients: u32) {
        let before = u64::from(self.clients()).max(1);
        let mut left = clients;
        for fleet in &mut self.fleets {
            fleet.clients = (u64::from(fleet.clients) * u64::from(clients) / before) as u32;
            left -= fleet.clients;
        }
        if let Some(first) = self.fleets.first_mut() {
            first.clients += left;
        }
    }

    /// Checks all values against their ranges.
    ///
    /// # Errors
    /// [`ScenarioError::OutOfRange`] for the first that is outside.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let clients: u64 = self
            .fleets
            .iter()
            .map(|fleet| u64::from(fleet.clients))
            .sum();
        within(
            "clients",
            clients,
            (1..=15_000_000).contains(&clients),
            "1 to 15,000,000",
        )?;
        within(
            "fleets",
            self.fleets.len(),
            (1..=200).contains(&self.fleets.len()),
            "1 to 200",
        )?;
        within(
            "phases",
            self.phases.len(),
            !self.phases.is_empty(),
            "at least one",
        )?;
        within(
            "threads",
            self.threads,
            (1..=64).contains(&self.threads),
            "1 to 64",
        )?;
        within(
            "sockets",
            self.sockets,
            (1..=1_024).contains(&self.sockets),
            "1 to 1,024",
        )?;
        within(
            "tick_us",
            self.tick_us,
            (100..=100_000).contains(&self.tick_us),
            "100 to 100,000",
        )?;
        within(
            "grace",
            self.grace,
            (0.0..=3_600.0).contains(&self.grace),
            "0 to 3,600 seconds",
        )?;
        let prefix = self.endpoint_prefix.len();
        within(
            "length of endpoint_prefix",
            prefix,
            prefix <= 200,
            "up to 200 bytes",
        )?;
        security::check(&self.security)?;
        self.fleets.iter().try_for_each(FleetSettings::check)?;
        self.phases.iter().try_for_each(Phase::check)?;
        let is_told = matches!(self.security.mode, SecurityMode::None | SecurityMode::Psk);
        within(
            "security.mode",
            "\"rpk\" or \"x509\"",
            self.bootstrap.is_none() || is_told,
            "\"none\" or \"psk\" with [bootstrap]",
        )?;
        let reconnects = |phase: &Phase| matches!(phase, Phase::Reconnect { .. });
        within(
            "phase \"reconnect\"",
            "without sessions",
            self.security.mode != SecurityMode::None || !self.phases.iter().any(reconnects),
            "a security.mode other than \"none\" with it",
        )
    }
}

impl FleetSettings {
    fn check(&self) -> Result<(), ScenarioError> {
        let of = |what: &str| format!("{what} of fleet {:?}", self.name);
        let seconds = |value: f64| value == 0.0 || (0.001..=200_000.0).contains(&value);
        within(
            &of("lifetime"),
            self.lifetime,
            self.lifetime > 0,
            "at least 1 second",
        )?;
        within(
            &of("update_every"),
            self.update_every,
            seconds(self.update_every),
            "0, or 0.001 to 200,000 seconds",
        )?;
        within(
            &of("notify_every"),
            self.notify_every,
            seconds(self.notify_every),
            "0, or 0.001 to 200,000 seconds",
        )?;
        within(
            &of("objects"),
            self.objects,
            (1..=MAX_OBJECTS).contains(&self.objects),
            "1 to 24",
        )
    }
}

impl Phase {
    /// Its name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::Hold { .. } => "hold",
            Self::Rebind { .. } => "rebind",
            Self::Reconnect { .. } => "reconnect",
            Self::Deregister { .. } => "deregister",
        }
    }

    fn check(&self) -> Result<(), ScenarioError> {
        match *self {
            Self::Rebind { share } => check_share("rebind", share),
            Self::Register { rate } | Self::Deregister { rate } | Self::Reconnect { rate, .. } => {
                if let Self::Reconnect { share, .. } = *self {
                    check_share("reconnect", share)?;
                }
                let what = format!("rate of phase {:?}", self.name());
                within(
                    &what,
                    rate,
                    (0.01..=10_000_000.0).contains(&rate),
                    "0.01 to 10,000,000 a second",
                )
            }
            Self::Hold { duration } => within(
                "duration of phase \"hold\"",
                duration,
                (0.0..=4_000_000.0).contains(&duration),
                "0 to 4,000,000 seconds",
            ),
        }
    }
}

fn check_share(phase: &str, share: f64) -> Result<(), ScenarioError> {
    let what = format!("share of phase {phase:?}");
    within(
        &what,
        share,
        share > 0.0 && share <= 1.0,
        "above 0, up to 1",
    )
}

/// Reads a scenario of whatever kind from a file.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ScenarioError> {
    let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|message| ScenarioError::Parse {
        path: path.to_owned(),
        message,
    })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| match nearest_hint(error.message()) {
        Some(hint) => format!("{error}{hint}"),
        None => error.to_string(),
    })
}

pub(crate) fn within(
    what: &str,
    value: impl ToString,
    is: bool,
    accepted: &'static str,
) -> Result<(), ScenarioError> {
    if is {
        return Ok(());
    }
    Err(ScenarioError::OutOfRange {
        what: what.to_owned(),
        value: value.to_string(),
        accepted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_only_what_differs_from_the_defaults() {
        let scenario = parse::<Scenario>(
            "seed = 9\n[[fleets]]\nclients = 5\n[[phases]]\nkind = \"hold\"\nduration = 2\n",
        )
        .unwrap();
        assert_eq!(scenario.seed, 9);
        assert_eq!(
            scenario.fleets,
            [FleetSettings {
                clients: 5,
                ..FleetSettings::default()
            }]
        );
        assert_eq!(scenario.phases, [Phase::Hold { duration: 2.0 }]);
        scenario.check().unwrap();
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        for (text, known, line) in [
            ("sede = 1", "seed", "line 1"),
            ("\n[[fleets]]\nupdate-every = 3", "update_every", "line 3"),
            ("[security]\nmode = \"pskk\"", "psk", "line 2"),
            (
                "[security]\nconnection-id = true",
                "connection_id",
                "line 2",
            ),
            (
                "[security]\nrebind = { at = 1, shares = 0.5 }",
                "share",
                "line 2",
            ),
            (
                "[bootstrap]\nformat = \"senml_json\"",
                "senml-json",
                "line 2",
            ),
            (
                "[[phases]]\nkind = \"holt\"\nduration = 1",
                "hold",
                "line 2",
            ),
        ] {
            let error = parse::<Scenario>(text).unwrap_err();
            assert!(
                error.contains(&format!("did you mean `{known}`?")),
                "{error}"
            );
            assert!(error.contains(line), "{error}");
        }
    }

    #[test]
    fn the_shipped_scenarios_are_valid() {
        for name in [
            "smoke",
            "million",
            "dtls-psk",
            "dtls-rebind",
            "handshake-storm",
            "bootstrap",
            "bootstrap-psk",
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
            let scenario = Scenario::load(&path).unwrap();
            scenario.check().unwrap();
            scenario
                .thresholds
                .iter()
                .for_each(|text| drop(crate::threshold::Threshold::parse(text).unwrap()));
        }
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        let refused = |change: fn(&mut Scenario)| {
            let mut scenario = Scenario::default();
            change(&mut scenario);
            scenario.check().unwrap_err().to_string()
        };
        assert!(refused(|s| s.fleets[0].clients = 0).starts_with("clients is 0"));
        assert!(refused(|s| s.tick_us = 5).contains("100 to 100,000"));
        assert!(
            refused(|s| s.fleets[0].update_every = -1.0)
                .contains("update_every of fleet \"devices\" is -1")
        );
        assert!(
            refused(|s| s.phases = vec![Phase::Hold { duration: f64::NAN }]).contains("duration")
        );
        assert!(
            refused(|s| s.phases[0] = Phase::Register { rate: 0.0 })
                .contains("rate of phase \"register\"")
        );
        assert!(
            refused(|s| s.phases[0] = Phase::Rebind { share: 1.5 })
                .contains("share of phase \"rebind\" is 1.5")
        );
        assert!(
            refused(|s| s.phases[0] = Phase::Reconnect {
                rate: 1.0,
                share: 1.0
            })
            .contains("security.mode")
        );
        assert!(refused(|s| s.security.key = Some("0x12".into())).contains("1 to 64 bytes in hex"));
        assert!(refused(|s| s.security.max_handshakes = 0).contains("max_handshakes is 0"));
        assert!(refused(|s| s.security.handshake_timeout = 100.0).contains("1 to 90 seconds"));
    }

    #[test]
    fn another_number_of_clients_keeps_the_proportions() {
        let fleet = |clients| FleetSettings {
            clients,
            ..FleetSettings::default()
        };
        let mut scenario = Scenario {
            fleets: vec![fleet(30), fleet(10)],
            ..Scenario::default()
        };
        scenario.set_clients(1_001);
        assert_eq!(
            scenario
                .fleets
                .iter()
                .map(|f| f.clients)
                .collect::<Vec<_>>(),
            [751, 250]
        );
    }
}
