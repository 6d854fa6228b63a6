//! What is simulated: the fleet, its resources, how their values change.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::strategy::Strategy;
use crate::client::{Path, formats};

/// The fleet and the changes of its values. All durations are of device time, which passes `speed` times as fast as the
/// clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Devices.
    pub clients: u32,
    /// Objects that the resources are spread over.
    pub objects: u8,
    /// Resources of each device that the server wants to know, 1 to [`MAX_RESOURCES`].
    pub resources: u8,
    /// Mean seconds between two changes of a resource.
    pub change_every: f64,
    /// How the changes of a device's resources fall together.
    pub pattern: Pattern,
    /// Minimum period of all resources, in seconds; written by the server with Write-Attributes.
    pub pmin: Option<u32>,
    /// Maximum period, likewise.
    pub pmax: Option<u32>,
    /// Measured seconds.
    pub duration: f64,
    /// Seconds of device time in a second of the clock.
    pub speed: f64,
    /// Seconds between two polls of a resource, for strategies that poll.
    pub poll_every: f64,
    /// What the changes follow from.
    pub seed: u64,
    /// Content format of composite requests and notifications: 110 (SenML JSON) or 112 (SenML CBOR).
    pub composite_format: u16,
    /// Names of endpoints and profiles begin with it.
    pub prefix: String,
    /// Registrations a second of the clock.
    pub register_rate: f64,
    /// How long the network keeps a radio connected after the last packet, in seconds.
    pub inactivity: f64,
    /// How long a device listens after its radio was disconnected, in seconds.
    pub active_time: f64,
}

/// How the changes of a device's resources fall together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// A device measures everything at once; half of the values have changed then.
    Sampled,
    /// Each resource changes at times of its own.
    Independent,
}

/// What cannot be simulated.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{flag} {given} is not accepted; accepted is {accepted}")]
pub struct SettingsError {
    /// The flag.
    pub flag: &'static str,
    /// What was given.
    pub given: String,
    /// What would be accepted.
    pub accepted: String,
}

/// IPSO sensors, each with the resources of [`RESOURCES`].
const OBJECTS: [u16; 8] = [3303, 3304, 3323, 3315, 3316, 3325, 3301, 3300];
/// Sensor Value, Min and Max Measured Value, Min and Max Range Value.
const RESOURCES: [u16; 5] = [5700, 5601, 5602, 5603, 5604];
/// So many still fit into a notification without blocks.
pub const MAX_RESOURCES: u8 = 30;
/// Beyond it, the time that this machine needs for an exchange looks to the radio model like seconds.
const MAX_SPEED: f64 = 3_600.0;

impl Default for Settings {
    fn default() -> Self {
        Self {
            clients: 100,
            objects: 3,
            resources: 10,
            change_every: 600.0,
            pattern: Pattern::Sampled,
            pmin: None,
            pmax: None,
            duration: 3_600.0,
            speed: 60.0,
            poll_every: 300.0,
            seed: 1,
            composite_format: formats::SENML_CBOR,
            prefix: "observe-".into(),
            register_rate: 500.0,
            inactivity: 1.0,
            active_time: 6.0,
        }
    }
}

impl Settings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first that is not accepted.
    pub fn check(&self) -> Result<(), SettingsError> {
        let seconds = "seconds above 0, to 31536000";
        let period = |value: f64| value > 0.0 && value <= 31_536_000.0;
        let per_object = RESOURCES.len() as u8;
        let (least, most) = (self.objects, MAX_RESOURCES.min(self.objects * per_object));
        check(
            "--clients",
            self.clients,
            (1..=1_000_000).contains(&self.clients),
            "1 to 1000000",
        )?;
        let objects = 1..=OBJECTS.len() as u8;
        check(
            "--objects",
            self.objects,
            objects.contains(&self.objects),
            "1 to 8",
        )?;
        check(
            "--resources",
            self.resources,
            (least..=most).contains(&self.resources),
            &format!("{least} to {most} with {} objects", self.objects),
        )?;
        check(
            "--change-every",
            self.change_every,
            period(self.change_every),
            seconds,
        )?;
        check("--duration", self.duration, period(self.duration), seconds)?;
        check(
            "--poll-every",
            self.poll_every,
            period(self.poll_every),
            seconds,
        )?;
        check(
            "--speed",
            self.speed,
            (0.01..=MAX_SPEED).contains(&self.speed),
            "0.01 to 3600",
        )?;
        check(
            "--register-rate",
            self.register_rate,
            self.register_rate > 0.0 && self.register_rate <= 1e6,
            "above 0, to 1000000",
        )?;
        let window = |value: f64| (0.0..=86_400.0).contains(&value);
        check(
            "--inactivity",
            self.inactivity,
            window(self.inactivity),
            "0 to 86400",
        )?;
        check(
            "--active-time",
            self.active_time,
            window(self.active_time),
            "0 to 86400",
        )?;
        if let (Some(pmin), Some(pmax)) = (self.pmin, self.pmax) {
            check("--pmax", pmax, pmax >= pmin, "at least --pmin")?;
        }
        let named = !self.prefix.is_empty()
            && self.prefix.len() <= 64
            && self
                .prefix
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        check(
            "--endpoint-prefix",
            &self.prefix,
            named,
            "1 to 64 of A-Z a-z 0-9 - _ .",
        )
    }

    /// The resources of a device, in the order of the profile: object by object.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let objects = usize::from(self.objects);
        let mut paths: Vec<_> = (0..usize::from(self.resources))
            .map(|n| (n % objects, n / objects))
            .collect();
        paths.sort_unstable();
        let path = |(object, resource): (usize, usize)| {
            Path::new(&[OBJECTS[object], 0, RESOURCES[resource]])
        };
        paths.into_iter().map(path).collect()
    }

    /// The objects with resources.
    #[must_use]
    pub fn object_ids(&self) -> &'static [u16] {
        &OBJECTS[..usize::from(self.objects)]
    }

    /// The name of a resource's values.
    #[must_use]
    pub fn key(path: &Path) -> String {
        let ids: Vec<_> = path.ids().iter().map(u16::to_string).collect();
        format!("r{}", ids.join("_"))
    }

    /// How many observations of a device a strategy makes.
    #[must_use]
    pub fn expected_observations(&self, strategy: Strategy) -> u32 {
        match strategy {
            Strategy::Single => self.resources.into(),
            Strategy::CompositeAll => 1,
            Strategy::CompositeByObject => self.objects.into(),
            Strategy::Poll | Strategy::PollComposite => 0,
        }
    }

    /// The profile's name at the server.
    #[must_use]
    pub fn profile_name(&self, strategy: Strategy) -> String {
        format!("{}{}", self.prefix, strategy.slug())
    }

    /// What the names of a strategy's endpoints begin with.
    #[must_use]
    pub fn endpoint_prefix(&self, strategy: Strategy) -> String {
        format!("{}{}-", self.prefix, strategy.slug())
    }

    /// The profile: ThingsBoard's LwM2M transport configuration.
    #[must_use]
    pub fn profile(&self, strategy: Strategy) -> Value {
        let paths: Vec<_> = self.paths().iter().map(Path::to_string).collect();
        let keys: Map<_, _> = self
            .paths()
            .iter()
            .map(|path| (path.to_string(), Self::key(path).into()))
            .collect();
        let observed = if strategy.polls() { &[][..] } else { &paths };
        let mut attributes = Map::new();
        if let Some(pmin) = self.pmin {
            attributes.insert("pmin".into(), pmin.into());
        }
        if let Some(pmax) = self.pmax {
            attributes.insert("pmax".into(), pmax.into());
        }
        let written = if strategy.polls() || attributes.is_empty() {
            Map::new()
        } else {
            paths
                .iter()
                .map(|path| (path.clone(), attributes.clone().into()))
                .collect()
        };
        json!({
            "type": "LWM2M",
            "observeAttr": {
                "keyName": keys,
                "observe": observed,
                "attribute": [],
                "telemetry": paths,
                "attributeLwm2m": written,
                "observeStrategy": strategy.number().unwrap_or(0),
            },
            "clientLwM2mSettings": { "powerMode": "DRX", "clientOnlyObserveAfterConnect": 1 },
        })
    }
}

fn check(
    flag: &'static str,
    given: impl ToString,
    fine: bool,
    accepted: &str,
) -> Result<(), SettingsError> {
    if fine {
        return Ok(());
    }
    Err(SettingsError {
        flag,
        given: given.to_string(),
        accepted: accepted.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_spread_evenly_over_the_objects() {
        let settings = Settings::default();
        let paths = settings.paths();
        assert_eq!(paths.len(), 10);
        let count = |object| paths.iter().filter(|p| p.object() == Some(object)).count();
        assert_eq!([3303, 3304, 3323].map(count), [4, 3, 3]);
        assert!(paths.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn each_strategy_observes_what_its_profile_says() {
        let settings = Settings {
            pmin: Some(30),
            ..Settings::default()
        };
        for strategy in Strategy::USUAL {
            let profile = settings.profile(strategy);
            let observed = profile["observeAttr"]["observe"].as_array().unwrap();
            assert_eq!(
                observed.len(),
                if strategy.polls() { 0 } else { 10 },
                "{strategy:?}"
            );
            assert_eq!(
                profile["observeAttr"]["telemetry"]
                    .as_array()
                    .unwrap()
                    .len(),
                10
            );
        }
        let by_object = settings.profile(Strategy::CompositeByObject);
        assert_eq!(by_object["observeAttr"]["observeStrategy"], 2);
        assert_eq!(
            by_object["observeAttr"]["attributeLwm2m"]["/3303/0/5700"]["pmin"],
            30
        );
    }

    #[test]
    fn what_cannot_be_simulated_is_refused_with_what_can() {
        let refused = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert_eq!(Settings::default().check(), Ok(()));
        assert_eq!(
            refused(|s| s.resources = 16),
            "--resources 16 is not accepted; accepted is 3 to 15 with 3 objects"
        );
        for (change, flag) in [
            ((|s| s.clients = 0) as fn(&mut Settings), "--clients"),
            (|s| s.objects = 9, "--objects"),
            (|s| s.change_every = 0.0, "--change-every"),
            (|s| s.duration = f64::NAN, "--duration"),
            (|s| s.speed = 1e9, "--speed"),
            (|s| (s.pmin, s.pmax) = (Some(9), Some(8)), "--pmax"),
            (|s| s.prefix = "a/b".into(), "--endpoint-prefix"),
        ] {
            assert!(refused(change).starts_with(flag), "{flag}");
        }
    }
}
