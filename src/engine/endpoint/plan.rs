//! A device profile compiled for the endpoints that use it; shared by all of them.

use std::sync::Arc;

use crate::proto::lwm2m::{Path, ResourceType, ResourceTypes, Version};

use super::profile_parts::{PlannedStep, ProfileParts};

/// What becomes of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination {
    /// Kept as a client attribute.
    pub attribute: bool,
    /// Kept as telemetry.
    pub telemetry: bool,
}

/// One resource the profile maps to a key.
#[derive(Clone, Debug)]
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

/// What to ask a device for after it registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Observe the path.
    Observe(Path),
    /// Read the path once.
    Read(Path),
}

impl Step {
    /// The path asked for.
    #[must_use]
    pub fn path(&self) -> Path {
        match self {
            Self::Observe(path) | Self::Read(path) => *path,
        }
    }
}

/// A compiled device profile.
#[derive(Clone, Debug)]
pub struct ProfilePlan {
    /// Name of the profile.
    pub name: Arc<str>,
    mappings: Box<[Mapping]>,
    steps: Box<[Step]>,
}

impl ProfilePlan {
    /// A plan. Observes come before reads (design 4); steps keep their order otherwise.
    ///
    /// Mappings beyond 65,536 are cut off: an endpoint refers to them by 16-bit index.
    #[must_use]
    pub fn new(name: &str, mut mappings: Vec<Mapping>, observe: &[Path]) -> Self {
        mappings.truncate(1 << 16);
        let observed = |path: &Path| observe.iter().any(|observed| path.starts_with(observed));
        let reads = mappings
            .iter()
            .map(|m| m.path)
            .filter(|path| !observed(path));
        let steps = observe
            .iter()
            .copied()
            .map(Step::Observe)
            .chain(reads.map(Step::Read))
            .collect();
        Self {
            name: name.into(),
            mappings: mappings.into(),
            steps,
        }
    }

    /// A profile ready for use.
    #[must_use]
    pub fn compile(parts: ProfileParts) -> Self {
        let steps = parts.steps.iter().flat_map(|step| match step {
            PlannedStep::WriteAttributes(..) => Vec::new(),
            PlannedStep::Observe(planned) => vec![Step::Observe(planned.path)],
            PlannedStep::ObserveComposite(planned) => {
                planned.iter().map(|p| Step::Observe(p.path)).collect()
            }
            PlannedStep::Read(planned) => vec![Step::Read(planned.path)],
            PlannedStep::ReadComposite(planned) => {
                planned.iter().map(|p| Step::Read(p.path)).collect()
            }
        });
        Self {
            name: parts.name.into(),
            steps: steps.collect(),
            mappings: parts.mappings.into(),
        }
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

    /// The mapping of a resource and its index.
    #[must_use]
    pub fn mapping_of(&self, path: &Path) -> Option<(u16, &Mapping)> {
        let at = self
            .mappings
            .iter()
            .position(|mapping| path.starts_with(&mapping.path))?;
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

    /// What to ask a device for after it registered.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
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
