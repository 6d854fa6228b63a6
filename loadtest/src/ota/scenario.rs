//! What a run of `loadtest ota` does: from a TOML file, from flags, or both.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::scenario::{ScenarioError, read_toml, within};
use crate::security::{self, SecuritySettings};

/// A run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtaScenario {
    /// Where devices reach the server, `host:port`.
    pub server: String,
    /// Where its API is, such as `http://127.0.0.1:8080`.
    pub api: String,
    /// What all that is random follows from.
    pub seed: u64,
    /// Devices that are updated.
    pub clients: u32,
    /// Names of endpoints and of the profile begin with it.
    pub endpoint_prefix: String,
    /// Registrations a second.
    pub register_rate: f64,
    /// What is updated: object 5 or object 9.
    pub package: PackageKind,
    /// How the image gets to devices.
    pub strategy: Way,
    /// Where devices fetch the image, such as `coap://127.0.0.1:5685`; the address they talk to without it.
    pub resource: Option<String>,
    /// Length of the image that is made up, in bytes, when there is no `image`.
    pub image_bytes: u64,
    /// File with the image.
    pub image: Option<PathBuf>,
    /// Whether object 19 is told checksum and size first.
    pub object_19_info: bool,
    /// What orders the update: a campaign, or the package of the profile.
    pub assign: Assign,
    /// Devices that a campaign updates at the same time; 0 for all.
    pub concurrency: u32,
    /// Share of the datagrams that are lost, of each direction.
    pub loss: f64,
    /// Time that each datagram takes, in milliseconds, of each direction.
    pub delay_ms: f64,
    /// Time that the flash takes for a block, in milliseconds.
    pub flash_ms: f64,
    /// Whether a device that writes its flash acknowledges a block first and answers by a message of its own.
    pub separate: bool,
    /// Time that the installation takes, in seconds.
    pub install: f64,
    /// Time without power, of a reboot or after a cut, in seconds.
    pub off: f64,
    /// Probability that the power is cut in a download, or in the installation after it.
    pub power_cuts: f64,
    /// Probability that the flash of a device spoils a bit of a download.
    pub corrupt: f64,
    /// Devices that refuse.
    pub refusals: Vec<Refusals>,
    /// How long to wait for the end, in seconds.
    pub timeout: f64,
    /// Other devices, which update their registrations meanwhile.
    pub bystanders: u32,
    /// Seconds between the Updates of one of them.
    pub bystander_update_every: f64,
    /// Seconds that they are measured for before anything is transferred.
    pub baseline: f64,
    /// Conditions on the report, such as `devices.failed == 0`.
    pub thresholds: Vec<String>,
    /// How devices secure what they send.
    #[serde(skip_serializing)]
    pub security: SecuritySettings,
}

/// What is updated.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// Firmware, by object 5.
    Firmware,
    /// Software, by object 9.
    Software,
}

/// How an image gets to devices.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The server writes it to object 5 or 9.
    Push,
    /// The device is told a URL and fetches it.
    Pull,
    /// The server writes it to object 19; firmware only.
    Push19,
}

/// What orders the update.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Assign {
    /// A campaign.
    Campaign,
    /// The package of the profile.
    Profile,
}

/// Devices that refuse every update with a result.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Refusals {
    /// Share of the devices.
    pub share: f64,
    /// What they report by `/5/0/5` or `/9/0/9`.
    pub result: u8,
}

/// Results that a device can refuse with.
const FIRMWARE_RESULTS: [u8; 8] = [2, 3, 4, 5, 6, 7, 8, 9];
const SOFTWARE_RESULTS: [u8; 8] = [50, 51, 52, 53, 54, 56, 57, 58];

impl Default for OtaScenario {
    fn default() -> Self {
        Self {
            server: "127.0.0.1:5685".into(),
            api: "http://127.0.0.1:8080".into(),
            seed: 1,
            clients: 100,
            endpoint_prefix: "ota-".into(),
            register_rate: 500.0,
            package: PackageKind::Firmware,
            strategy: Way::Push,
            resource: None,
            image_bytes: 1 << 20,
            image: None,
            object_19_info: false,
            assign: Assign::Campaign,
            concurrency: 0,
            loss: 0.0,
            delay_ms: 0.0,
            flash_ms: 0.0,
            separate: false,
            install: 0.5,
            off: 0.5,
            power_cuts: 0.0,
            corrupt: 0.0,
            refusals: Vec::new(),
            timeout: 1_800.0,
            bystanders: 0,
            bystander_update_every: 5.0,
            baseline: 5.0,
            thresholds: Vec::new(),
            security: SecuritySettings::default(),
        }
    }
}

impl OtaScenario {
    /// Lengths of images: a block has a number of 20 bits (RFC 7959 §2.2).
    pub const SIZES: RangeInclusive<u64> = 1..=1 << 30;

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or has a member that is none.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        read_toml(path)
    }

    /// Checks all values against their ranges.
    ///
    /// # Errors
    /// [`ScenarioError::OutOfRange`] for the first that is outside.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let numbers = [
            ("clients", self.clients, 1..=1_000_000),
            ("concurrency", self.concurrency, 0..=1_000_000),
            ("bystanders", self.bystanders, 0..=1_000_000),
        ];
        for (what, value, accepted) in numbers {
            within(what, value, accepted.contains(&value), "up to 1000000")?;
        }
        let size = self.image_bytes;
        let fits = self.image.is_some() || Self::SIZES.contains(&size);
        within("image_bytes", size, fits, "1 to 1073741824")?;
        let shares = [
            ("loss", self.loss),
            ("power_cuts", self.power_cuts),
            ("corrupt", self.corrupt),
        ];
        for (what, value) in shares {
            within(what, value, (0.0..1.0).contains(&value), "0 to below 1")?;
        }
        let times = [
            ("delay_ms", self.delay_ms),
            ("flash_ms", self.flash_ms),
            ("install", self.install),
            ("off", self.off),
            ("baseline", self.baseline),
        ];
        for (what, value) in times {
            within(what, value, (0.0..=86_400.0).contains(&value), "0 to 86400")?;
        }
        for (what, value) in [
            ("timeout", self.timeout),
            ("register_rate", self.register_rate),
            ("bystander_update_every", self.bystander_update_every),
        ] {
            let is = value > 0.0 && value <= 1e6;
            within(what, value, is, "above 0, to 1000000")?;
        }
        let way = self.strategy != Way::Push19 || self.package == PackageKind::Firmware;
        let accepted = "push or pull with package = \"software\"";
        within("strategy", "push19", way, accepted)?;
        let (results, accepted) = match self.package {
            PackageKind::Firmware => (FIRMWARE_RESULTS, "2 to 9 for firmware"),
            PackageKind::Software => (SOFTWARE_RESULTS, "50 to 54 and 56 to 58 for software"),
        };
        for refusal in &self.refusals {
            let known = results.contains(&refusal.result);
            within("refusals.result", refusal.result, known, accepted)?;
            let share = (0.0..=1.0).contains(&refusal.share);
            within("refusals.share", refusal.share, share, "0 to 1")?;
        }
        let all: f64 = self.refusals.iter().map(|refusal| refusal.share).sum();
        let accepted = "at most 1 in all";
        within("refusals.share", all, all <= 1.0 + 1e-9, accepted)?;
        let prefix = &self.endpoint_prefix;
        let letters = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let named = (1..=64).contains(&prefix.len()) && prefix.bytes().all(letters);
        let accepted = "1 to 64 of A-Z a-z 0-9 - _ .";
        within("endpoint_prefix", prefix, named, accepted)?;
        let storms = self.security.rebind.is_some() || self.security.reconnect.is_some();
        let accepted = "none here: storms are for loadtest run";
        within(
            "security.rebind or security.reconnect",
            "given",
            !storms,
            accepted,
        )?;
        security::check(&self.security)
    }

    /// With what device `number` refuses every update, if it does. The refusing ones are spread over the fleet.
    #[must_use]
    pub fn refusal_of(&self, number: u32) -> Option<u8> {
        // Multiples of the golden section fall evenly into shares.
        let place = (f64::from(number) * 0.618_033_988_749_895).fract();
        let mut end = 0.0;
        self.refusals.iter().find_map(|refusal| {
            end += refusal.share;
            (place < end).then_some(refusal.result)
        })
    }

    /// Devices that refuse.
    #[must_use]
    pub fn refusing(&self) -> u32 {
        let all = 0..self.clients;
        all.filter(|number| self.refusal_of(*number).is_some())
            .count() as u32
    }

    /// The profile's name.
    #[must_use]
    pub fn profile_name(&self) -> String {
        format!("{}profile", self.endpoint_prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusing_devices_are_their_share_of_any_part_of_the_fleet() {
        let scenario = OtaScenario {
            clients: 1_000,
            refusals: vec![
                Refusals {
                    share: 0.1,
                    result: 2,
                },
                Refusals {
                    share: 0.2,
                    result: 8,
                },
            ],
            ..OtaScenario::default()
        };
        scenario.check().unwrap();
        assert!((295..=305).contains(&scenario.refusing()));
        let of_result = |result, range: std::ops::Range<u32>| {
            let of = range.filter(|number| scenario.refusal_of(*number) == Some(result));
            of.count()
        };
        assert!((95..=105).contains(&of_result(2, 0..1_000)));
        assert!((18..=22).contains(&of_result(8, 500..600)));
    }

    #[test]
    fn what_cannot_be_simulated_is_refused_with_what_can() {
        let refused = |change: fn(&mut OtaScenario)| {
            let mut scenario = OtaScenario::default();
            change(&mut scenario);
            scenario.check().unwrap_err().to_string()
        };
        assert!(OtaScenario::default().check().is_ok());
        for (change, text) in [
            (
                (|s| s.loss = 1.0) as fn(&mut OtaScenario),
                "loss is 1, accepted is 0 to below 1",
            ),
            (|s| s.clients = 0, "clients is 0"),
            (|s| s.image_bytes = 0, "image_bytes is 0"),
            (|s| s.install = f64::NAN, "install is NaN"),
            (
                |s| (s.package, s.strategy) = (PackageKind::Software, Way::Push19),
                "strategy is push19, accepted is push or pull",
            ),
            (
                |s| {
                    s.refusals = vec![Refusals {
                        share: 0.1,
                        result: 1,
                    }]
                },
                "refusals.result is 1, accepted is 2 to 9",
            ),
            (|s| s.endpoint_prefix = "a/b".into(), "endpoint_prefix"),
        ] {
            let refused = refused(change);
            assert!(refused.starts_with(text), "{refused}");
        }
    }

    #[test]
    fn the_scenarios_that_are_shipped_are_accepted() {
        for name in ["ota-push", "ota-pull", "ota-faults"] {
            let path = format!("{}/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            let scenario = OtaScenario::load(Path::new(&path)).unwrap();
            scenario.check().unwrap();
            let sample = serde_json::to_value(super::super::OtaReport::sample()).unwrap();
            for threshold in &scenario.thresholds {
                crate::threshold::Threshold::parse_for(threshold, &sample).unwrap();
            }
        }
    }
}
