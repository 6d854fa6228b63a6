//! From a record to what it says. Nothing of a record is believed: one bit may have turned.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::data::Type;

use super::{
    FORM, KeptObservation, KeptRegistration, Pending, Snapshot, SnapshotError, Whereabouts,
};

use super::super::conversation::StepRef;
use super::super::observations::Observed;
use super::super::problems::{MAX_PROBLEMS, Problem};
use super::super::splitting::{CompositeLimits, Part};
use super::super::values::LatestValues;
use super::record::{Read, array, attributes, exactly, list, optional, path};

pub(super) fn endpoint(record: &[u8]) -> Read<Snapshot<'_>> {
    let mut from = Decoder::new(record);
    let members = array(&mut from)?;
    let form = from.u8()?;
    if form > FORM {
        return Err(SnapshotError::Form(form));
    }
    if members < 13 + u64::from(form.saturating_sub(1)) {
        return Err(SnapshotError::Member("number of members"));
    }
    let name = from.str()?;
    let plan = from.u64()?;
    exactly(&mut from, 2, "address")?;
    let peer = (ip(&mut from)?, from.u16()?);
    let local = optional(&mut from, |from| {
        exactly(from, 2, "local address")?;
        Ok((ip(from)?, from.u32()?))
    })?;
    let flags = from.u8()?;
    let salt = from.u32()?;
    let next_token = from.u16()?;
    let last_seen = optional(&mut from, |from| Ok(from.i64()?))?;
    let registration = optional(&mut from, registration)?;
    let observations = list(&mut from, observation)?;
    let values = LatestValues::from_packed(from.bytes()?).ok_or(SnapshotError::Member("values"))?;
    exactly(&mut from, 2, "problems and work")?;
    let problems = list(&mut from, problem)?;
    if problems.len() > MAX_PROBLEMS {
        return Err(SnapshotError::Member("number of problems"));
    }
    let pending = list(&mut from, pending)?;
    let session = match form {
        0 | 1 => None,
        _ => optional(&mut from, |from| {
            exactly(from, 3, "session")?;
            Ok((from.u8()?, from.u8()?, from.u64()?))
        })?,
    };
    let updates = match form {
        0..=2 => Vec::new(),
        _ => super::update::read(&mut from)?,
    };
    Ok(Snapshot {
        name,
        whereabouts: Whereabouts {
            plan,
            peer,
            session,
            local,
            verified: flags & 1 != 0,
        },
        salt,
        next_token,
        last_seen,
        reachable: flags & 2 != 0,
        registration,
        observations,
        values,
        problems,
        pending,
        updates,
    })
}

fn registration<'a>(from: &mut Decoder<'a>) -> Read<KeptRegistration<'a>> {
    let members = array(from)?;
    if !(8..=9).contains(&members) {
        return Err(SnapshotError::Member("registration"));
    }
    let version = from.str()?.parse();
    Ok(KeptRegistration {
        version: version.map_err(|_| SnapshotError::Member("LwM2M version"))?,
        since: from.i64()?,
        lifetime: optional(from, |from| Ok(from.u32()?))?,
        binding: optional(from, |from| {
            let binding = from.str()?.parse();
            binding.map_err(|_| SnapshotError::Member("binding"))
        })?,
        queue_mode: from.bool()?,
        sms: optional(from, |from| Ok(from.str()?))?,
        additional: {
            let texts = list(from, |from| Ok(from.str()?))?;
            let (pairs, left) = texts.as_chunks();
            if !left.is_empty() {
                return Err(SnapshotError::Member("additional parameters"));
            }
            pairs.iter().map(|[key, value]| (*key, *value)).collect()
        },
        links: from.str()?,
        composite: match members {
            9 => limits(from)?,
            _ => CompositeLimits::default(),
        },
    })
}

fn observation(from: &mut Decoder<'_>) -> Read<KeptObservation> {
    exactly(from, 4, "observation")?;
    Ok(KeptObservation {
        observed: observed(from)?,
        token: from.u16()?,
        notifications: from.u32()?,
        newest: optional(from, |from| {
            exactly(from, 2, "newest notification")?;
            Ok((from.u32()?, from.i64()?))
        })?,
    })
}

fn observed(from: &mut Decoder<'_>) -> Read<Observed> {
    match array(from)? {
        1 => Ok(Observed::Single(path(from)?)),
        2 => {
            let paths = list(from, path)?;
            from.null()?;
            Ok(Observed::Composite(paths.into()))
        }
        _ => Err(SnapshotError::Member("what is observed")),
    }
}

fn problem(from: &mut Decoder<'_>) -> Read<Problem> {
    exactly(from, 5, "problem")?;
    Ok(Problem {
        reason: Cow::Owned(from.str()?.to_owned()),
        path: optional(from, path)?,
        count: from.u32()?,
        last: from.i64()?,
        detail: from.str()?.into(),
    })
}

fn pending(from: &mut Decoder<'_>) -> Read<Pending> {
    let members = array(from)?;
    Ok(match (from.u8()?, members) {
        (0, 2) => Pending::Step(step(from)?),
        (1, 2) => Pending::Parked(step(from)?),
        (2, 2) => Pending::Remainder(observed(from)?),
        (3, 3) => Pending::Cancel {
            token: from.u16()?,
            observed: observed(from)?,
        },
        (4, 3) => Pending::Attributes {
            path: path(from)?,
            attributes: attributes(from)?,
        },
        _ => return Err(SnapshotError::Member("work left")),
    })
}

fn step(from: &mut Decoder<'_>) -> Read<StepRef> {
    exactly(from, 2, "step")?;
    Ok(StepRef {
        index: from.u16()?,
        part: optional(from, part)?,
    })
}

/// One path by its place, or from one place to another.
fn part(from: &mut Decoder<'_>) -> Read<Part> {
    if from.datatype()? != Type::Array {
        return Ok(Part::single(from.u16()?));
    }
    exactly(from, 2, "part of a step")?;
    Ok(Part {
        from: from.u16()?,
        to: from.u16()?,
    })
}

fn limits(from: &mut Decoder<'_>) -> Read<CompositeLimits> {
    exactly(from, 2, "limits of composite requests")?;
    let mut limit = || optional(from, |from| Ok(from.u16()?));
    Ok(CompositeLimits {
        observe: limit()?,
        read: limit()?,
    })
}

fn ip(from: &mut Decoder<'_>) -> Read<[u8; 16]> {
    let bytes = from.bytes()?.try_into();
    bytes.map_err(|_| SnapshotError::Member("IP address"))
}
