//! A profile as a record: endpoints that lived under it are brought from it to the present one after
//! a restart. Types of resources are left out, they follow from the object definitions.

use std::sync::Arc;

use minicbor::{Decoder, Encoder};

use crate::proto::lwm2m::{Path, Version};

use super::super::profile_parts::{PlannedPath, PlannedStep, PowerMode, ProfileParts};
use super::super::snapshot::record::{self, Out, Read, Written};
use super::super::snapshot::{self, SnapshotError};
use super::{Destination, Mapping, ProfilePlan};

impl ProfilePlan {
    /// The record of the profile. Profiles that ask the same and map the same alike have the same.
    #[must_use]
    pub fn to_record(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Encoder::new(&mut bytes);
        let Ok(()) = self.write(&mut out) else {
            unreachable!("a Vec takes whatever is written")
        };
        bytes
    }

    /// The profile of a record.
    ///
    /// # Errors
    /// The record is damaged, or of a later version.
    pub fn from_record(record: &[u8]) -> Result<Self, SnapshotError> {
        let mut from = Decoder::new(record);
        record::exactly(&mut from, 6, "profile")?;
        let form = from.u8()?;
        if form > snapshot::FORM {
            return Err(SnapshotError::Form(form));
        }
        Ok(Self::compile(ProfileParts {
            name: from.str()?.to_owned(),
            strict_object_versions: from.bool()?,
            power: read_power(&mut from)?.into(),
            mappings: record::list(&mut from, read_mapping)?,
            steps: record::list(&mut from, read_step)?,
            // What endpoints lived under before a restart: only what it asked for matters now.
            ..ProfileParts::default()
        }))
    }

    /// Where values kept under this profile belong under another, by index of the mapping.
    #[must_use]
    pub fn places_in(&self, new: &Self) -> Vec<Option<u16>> {
        let relocation = super::super::replan::Relocation::new(self, new);
        (0..self.mappings.len())
            .map(|index| relocation.place(index as u16))
            .collect()
    }

    /// The same with the mappings of `new`, for endpoints whose values are where `new` has them, as
    /// `version` of the profile.
    #[must_use]
    pub fn arranged_as(self, new: &Self, version: u16) -> Self {
        Self {
            name: Arc::clone(&new.name),
            mappings: new.mappings.clone(),
            version,
            ..self
        }
    }

    fn write(&self, out: &mut Out<'_>) -> Written {
        out.array(6)?.u8(snapshot::FORM)?.str(&self.name)?;
        out.bool(self.strict_object_versions)?;
        match self.power() {
            PowerMode::Drx => out.array(0)?,
            PowerMode::Psm { activity_timer } => out.array(1)?.u32(activity_timer)?,
            PowerMode::Edrx {
                cycle,
                paging_window,
            } => out.array(2)?.u32(cycle)?.u32(paging_window)?,
        };
        out.array(self.mappings.len() as u64)?;
        for mapping in &self.mappings {
            write_mapping(mapping, out)?;
        }
        out.array(self.steps.len() as u64)?;
        for step in &self.steps {
            write_step(step, out)?;
        }
        Ok(())
    }
}

fn read_power(from: &mut Decoder<'_>) -> Read<PowerMode> {
    Ok(match record::array(from)? {
        0 => PowerMode::Drx,
        1 => PowerMode::Psm {
            activity_timer: from.u32()?,
        },
        2 => PowerMode::Edrx {
            cycle: from.u32()?,
            paging_window: from.u32()?,
        },
        _ => return Err(SnapshotError::Member("power mode")),
    })
}

/// Ids as they are: the place of a mapping that went is held by ids that no device has.
fn write_mapping(mapping: &Mapping, out: &mut Out<'_>) -> Written {
    let Destination {
        attribute,
        telemetry,
    } = mapping.destination;
    out.array(4)?;
    let ids = mapping.path.segments();
    out.array(ids.len() as u64)?;
    for id in ids {
        out.u16(*id)?;
    }
    version(mapping.version, out)?;
    out.str(&mapping.key)?;
    out.u8(u8::from(attribute) | u8::from(telemetry) << 1)?;
    Ok(())
}

fn read_mapping(from: &mut Decoder<'_>) -> Read<Mapping> {
    record::exactly(from, 4, "mapping")?;
    let ids = record::list(from, |from| Ok(from.u16()?))?;
    let path = match ids[..] {
        [object] => Path::object(object),
        [object, instance] => Path::instance(object, instance),
        [object, instance, resource] => Path::resource(object, instance, resource),
        [object, instance, resource, id] => Path::resource_instance(object, instance, resource, id),
        _ => return Err(SnapshotError::Member("path of a mapping")),
    };
    let version = record::optional(from, read_version)?;
    let key = from.str()?.into();
    let destination = from.u8()?;
    Ok(Mapping {
        path,
        version,
        key,
        destination: Destination {
            attribute: destination & 1 != 0,
            telemetry: destination & 2 != 0,
        },
        resource_type: None,
    })
}

fn write_step(step: &PlannedStep, out: &mut Out<'_>) -> Written {
    match step {
        PlannedStep::WriteAttributes(at, attributes) => {
            out.array(3)?.u8(0)?;
            planned(at, out)?;
            record::write_attributes(attributes, out)
        }
        PlannedStep::Observe(at) => {
            out.array(2)?.u8(1)?;
            planned(at, out)
        }
        PlannedStep::Read(at) => {
            out.array(2)?.u8(2)?;
            planned(at, out)
        }
        PlannedStep::ObserveComposite(paths) => {
            out.array(2)?.u8(3)?;
            all_planned(paths, out)
        }
        PlannedStep::ReadComposite(paths) => {
            out.array(2)?.u8(4)?;
            all_planned(paths, out)
        }
    }
}

fn read_step(from: &mut Decoder<'_>) -> Read<PlannedStep> {
    let members = record::array(from)?;
    Ok(match (from.u8()?, members) {
        (0, 3) => PlannedStep::WriteAttributes(read_planned(from)?, record::attributes(from)?),
        (1, 2) => PlannedStep::Observe(read_planned(from)?),
        (2, 2) => PlannedStep::Read(read_planned(from)?),
        (3, 2) => PlannedStep::ObserveComposite(record::list(from, read_planned)?.into()),
        (4, 2) => PlannedStep::ReadComposite(record::list(from, read_planned)?.into()),
        _ => return Err(SnapshotError::Member("step of a profile")),
    })
}

fn all_planned(paths: &[PlannedPath], out: &mut Out<'_>) -> Written {
    out.array(paths.len() as u64)?;
    paths.iter().try_for_each(|path| planned(path, out))
}

fn planned(path: &PlannedPath, out: &mut Out<'_>) -> Written {
    out.array(2)?;
    record::write_path(&path.path, out)?;
    version(path.version, out)
}

fn read_planned(from: &mut Decoder<'_>) -> Read<PlannedPath> {
    record::exactly(from, 2, "path of a step")?;
    Ok(PlannedPath {
        path: record::path(from)?,
        version: record::optional(from, read_version)?,
    })
}

fn version(version: Option<Version>, out: &mut Out<'_>) -> Written {
    match version {
        Some(Version { major, minor }) => out.u16(u16::from_be_bytes([major, minor]))?,
        None => out.null()?,
    };
    Ok(())
}

fn read_version(from: &mut Decoder<'_>) -> Read<Version> {
    let [major, minor] = from.u16()?.to_be_bytes();
    Ok(Version { major, minor })
}
