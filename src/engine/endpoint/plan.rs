//! A device profile compiled for the endpoints that use it; shared by all of them.

use std::sync::Arc;

use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::{Path, ResourceType, ResourceTypes, Version};

mod kept;

use super::profile_parts::{
    LogLevel, PlannedPath, PlannedStep, PowerMode, PowerSettings, ProfileParts,
};

/// What becomes of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination {
    /// Kept as a client attribute.
    pub attribute: bool,
    /// Kept as telemetry.
    pub telemetry: bool,
}

/// One resource the profile maps to a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// Resource.
    pub path: Path,
    /// Object version it is for; `None` for every version.
    pub version: Option<Version>,
    /// Name under which its value is published.
    pub key: Arc<str>,
    /// What becomes of the value.
    pub destination: Destination,
    /// Data type and whether it has instances, where every version of the object says the same; a
    /// device's own object models are asked otherwise.
    pub resource_type: Option<(ResourceType, bool)>,
}

/// A compiled device profile.
#[derive(Clone, Debug)]
pub struct ProfilePlan {
    /// Name of the profile.
    pub name: Arc<str>,
    mappings: Box<[Mapping]>,
    steps: Box<[PlannedStep]>,
    power: PowerSettings,
    strict_object_versions: bool,
    keeps_history: bool,
    transport_log: Option<LogLevel>,
    version: u16,
}

impl ProfilePlan {
    /// A profile ready for use.
    ///
    /// Mappings and steps beyond 65,536 are cut off: an endpoint refers to them by 16-bit index.
    #[must_use]
    pub fn compile(parts: ProfileParts) -> Self {
        let ProfileParts {
            name,
            mut mappings,
            mut steps,
            power,
            strict_object_versions,
            keeps_history,
            transport_log,
        } = parts;
        mappings.truncate(1 << 16);
        steps.truncate(1 << 16);
        Self {
            name: name.into(),
            mappings: mappings.into(),
            steps: steps.into(),
            power,
            strict_object_versions,
            keeps_history,
            transport_log,
            version: 0,
        }
    }

    /// The same as a later version of the profile.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        Self {
            version: before.version.wrapping_add(1),
            ..self
        }
    }

    /// Counts the changes of the profile since the engine started.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// A profile that observes some paths one by one and reads what else it maps. Observes come
    /// before reads (design 4).
    #[must_use]
    pub fn new(name: &str, mappings: Vec<Mapping>, observe: &[Path]) -> Self {
        let observed = |path: &Path| observe.iter().any(|observed| path.starts_with(observed));
        let of_any_version = |path| PlannedPath {
            path,
            version: None,
        };
        let reads = mappings.iter().map(|m| m.path);
        let reads = reads.filter(|path| !observed(path)).map(of_any_version);
        let observes = observe.iter().copied().map(of_any_version);
        let steps = observes.map(PlannedStep::Observe);
        Self::compile(ProfileParts {
            name: name.to_owned(),
            steps: steps.chain(reads.map(PlannedStep::Read)).collect(),
            mappings,
            ..ProfileParts::default()
        })
    }

    /// The profile a device gets when nobody chose another: battery level as telemetry, observed;
    /// manufacturer, model number and firmware version as attributes, read.
    #[must_use]
    pub fn built_in_default() -> Self {
        let mapping = |resource, key: &str, telemetry: bool, resource_type| Mapping {
            path: Path::resource(3, 0, resource),
            version: None,
            key: key.into(),
            destination: Destination {
                attribute: !telemetry,
                telemetry,
            },
            resource_type: Some((resource_type, false)),
        };
        Self::new(
            "default",
            vec![
                mapping(9, "batteryLevel", true, ResourceType::Integer),
                mapping(0, "manufacturer", false, ResourceType::String),
                mapping(1, "modelNumber", false, ResourceType::String),
                mapping(3, "firmwareVersion", false, ResourceType::String),
            ],
            &[Path::resource(3, 0, 9)],
        )
    }

    /// The mapping of a value of a device that registered with `links`, and its index.
    #[must_use]
    pub fn mapping_of(&self, path: &Path, links: &ObjectLinks) -> Option<(u16, &Mapping)> {
        let at = self.mappings.iter().position(|mapping| {
            path.starts_with(&mapping.path)
                && self.means_version(links, &mapping.path, mapping.version)
        })?;
        Some((at as u16, &self.mappings[at]))
    }

    /// The mapping with this index.
    #[must_use]
    pub fn mapping(&self, index: u16) -> Option<&Mapping> {
        self.mappings.get(usize::from(index))
    }

    /// All mappings.
    #[must_use]
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// What to ask a device for after it registered, in order.
    #[must_use]
    pub fn steps(&self) -> &[PlannedStep] {
        &self.steps
    }

    /// When the devices listen, unless a device says otherwise.
    #[must_use]
    pub fn power(&self) -> PowerMode {
        self.power.mode()
    }

    /// When a device listens that says this of itself; the profile says the rest.
    #[must_use]
    pub fn power_of(&self, own: Option<PowerSettings>) -> PowerMode {
        own.unwrap_or_default().or(self.power).mode()
    }

    /// Whether the version that a path of the profile stands for is the one the device has.
    pub(super) fn means_version(
        &self,
        links: &ObjectLinks,
        path: &Path,
        version: Option<Version>,
    ) -> bool {
        // A strict profile takes a path without version as documented: the version that is called
        // like the LwM2M version of the registration.
        let strict = || self.strict_object_versions.then(|| links.lwm2m().into());
        let meant: Option<Version> = version.or_else(strict);
        meant.is_none_or(|version| {
            path.object_id()
                .is_some_and(|object| links.version_or_default(object) == version)
        })
    }

    /// Whether an id without version means the version that follows from the LwM2M version.
    #[must_use]
    pub fn strict_object_versions(&self) -> bool {
        self.strict_object_versions
    }

    /// Whether telemetry values are handed over for a history of them.
    #[must_use]
    pub fn keeps_history(&self) -> bool {
        self.keeps_history
    }

    /// How much of a conversation is logged; `None` leaves it to the size of the fleet.
    #[must_use]
    pub fn transport_log(&self) -> Option<LogLevel> {
        self.transport_log
    }
}

impl ResourceTypes for ProfilePlan {
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        self.mappings
            .iter()
            .find(|m| m.path.object_id() == Some(object) && m.path.resource_id() == Some(resource))
            .and_then(|m| m.resource_type)
    }
}
