//! What all devices of a fleet have in common: the image, and how good flash, power and installation are.

use std::net::SocketAddr;

use super::package::Package;
use crate::client::{Path, Record, Value};
use crate::clock::Micros;
use crate::fleet::Names;
use crate::ota::image::Digest;
use crate::ota::scenario::{OtaScenario, PackageKind};

/// What all devices of a fleet have in common.
pub struct Terms {
    /// What is updated.
    pub package: PackageKind,
    /// What the image has to be.
    pub digest: Digest,
    /// Where the server is.
    pub server: SocketAddr,
    /// Whether devices talk to it over DTLS.
    pub secure: bool,
    /// Time that the flash takes for a block.
    pub flash: Micros,
    /// Whether a block is acknowledged before it is in the flash.
    pub separate: bool,
    /// Time that the installation takes.
    pub install: Micros,
    /// Time without power.
    pub off: Micros,
    /// Probability that the power is cut in an update.
    pub power_cuts: f64,
    /// Probability that the flash spoils a download.
    pub corrupt: f64,
    title: String,
    names: Names,
    links: String,
}

/// What a device reports of its package.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resource {
    /// `/5/0/3` or `/9/0/7`.
    State,
    /// `/5/0/5` or `/9/0/9`.
    Result,
    /// `/5/0/6` or `/9/0/0`.
    Name,
    /// `/5/0/7` or `/9/0/1`.
    Version,
    /// `/5/0/9`, how firmware gets here, or `/9/0/12`, whether software is active.
    Further,
    /// `/3/0/3` or `/3/0/19`.
    DeviceVersion,
}

impl Terms {
    /// Version that devices have before.
    pub const BEFORE: &str = "1.0";
    /// Version of the package.
    pub const AFTER: &str = "2.0";

    /// The terms of a scenario.
    #[must_use]
    pub fn new(scenario: &OtaScenario, digest: Digest, server: SocketAddr) -> Self {
        let micros = |seconds: f64| (seconds * 1e6) as Micros;
        let object = match scenario.package {
            PackageKind::Firmware => "</5/0>",
            PackageKind::Software => "</9/0>",
        };
        let ct = "ct=\"0 42 110 112 11542\"";
        Self {
            package: scenario.package,
            digest,
            server,
            secure: scenario.security.mode.credentials().is_some(),
            flash: micros(scenario.flash_ms / 1e3),
            separate: scenario.separate,
            install: micros(scenario.install),
            off: micros(scenario.off),
            power_cuts: scenario.power_cuts,
            corrupt: scenario.corrupt,
            title: Self::title(scenario),
            names: Names::new(&scenario.endpoint_prefix, scenario.clients),
            links: format!("</>;rt=\"oma.lwm2m\";{ct},</1/0>,</3/0>,{object},</19/0>,</19/1>"),
        }
    }

    /// Title of the package.
    #[must_use]
    pub fn title(scenario: &OtaScenario) -> String {
        format!("{}image", scenario.endpoint_prefix)
    }

    /// The name of device `number`.
    #[must_use]
    pub fn name(&self, number: u32) -> String {
        self.names.of(number)
    }

    pub(super) const fn links(&self) -> &[u8] {
        self.links.as_bytes()
    }

    /// The values at and below a path.
    pub(super) fn records(&self, path: &Path, package: &Package) -> Vec<Record> {
        let all = Resource::ALL.into_iter();
        let known = all.map(|resource| (resource.path(self.package), resource));
        known
            .filter(|(known, _)| path.contains(known))
            .map(|(known, resource)| Record::new(known, self.value(resource, package)))
            .collect()
    }

    pub(super) fn value(&self, resource: Resource, package: &Package) -> Value {
        let version = if package.is_current() {
            Self::AFTER
        } else {
            Self::BEFORE
        };
        match (resource, self.package) {
            (Resource::State, _) => i64::from(package.state()).into(),
            (Resource::Result, _) => i64::from(package.result()).into(),
            (Resource::Name, _) => self.title.as_str().into(),
            (Resource::Version | Resource::DeviceVersion, _) => version.into(),
            // Both, so that the profile decides.
            (Resource::Further, PackageKind::Firmware) => 2.into(),
            (Resource::Further, PackageKind::Software) => package.is_active().into(),
        }
    }
}

impl Resource {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::State,
        Self::Result,
        Self::Name,
        Self::Version,
        Self::Further,
        Self::DeviceVersion,
    ];

    /// Where it is.
    #[must_use]
    pub fn path(self, package: PackageKind) -> Path {
        let (firmware, software): ([u16; 3], [u16; 3]) = match self {
            Self::State => ([5, 0, 3], [9, 0, 7]),
            Self::Result => ([5, 0, 5], [9, 0, 9]),
            Self::Name => ([5, 0, 6], [9, 0, 0]),
            Self::Version => ([5, 0, 7], [9, 0, 1]),
            Self::Further => ([5, 0, 9], [9, 0, 12]),
            Self::DeviceVersion => ([3, 0, 3], [3, 0, 19]),
        };
        Path::new(match package {
            PackageKind::Firmware => &firmware,
            PackageKind::Software => &software,
        })
    }

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The first one whose bit is set.
    pub(super) fn of_bit(bits: u8) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|resource| bits & resource.bit() != 0)
            .unwrap_or(Self::State)
    }
}
