//! From an endpoint to its record.

use minicbor::Encoder;

use crate::proto::time::{Now, Tick};

use super::super::conversation::StepRef;
use super::super::core::EndpointCore;
use super::super::observations::{Observation, Observed};
use super::super::problems::Problem;
use super::super::registration::Registration;
use super::super::splitting::{CompositeLimits, Part};
use super::record::{Out, Written, write_attributes, write_path};
use super::{FORM, Pending, Whereabouts, wall_of};

pub(super) fn endpoint(
    core: &EndpointCore,
    whereabouts: &Whereabouts,
    now: Now,
    out: &mut Vec<u8>,
) {
    let mut out = Encoder::new(out);
    let Ok(()) = members(core, whereabouts, now, &mut out) else {
        unreachable!("a Vec takes whatever is written")
    };
}

fn members(core: &EndpointCore, at: &Whereabouts, now: Now, out: &mut Out<'_>) -> Written {
    out.array(15)?.u8(FORM)?.str(&core.name)?.u64(at.plan)?;
    let (ip, port) = at.peer;
    out.array(2)?.bytes(&ip)?.u16(port)?;
    match at.local {
        Some((ip, interface)) => out.array(2)?.bytes(&ip)?.u32(interface)?,
        None => out.null()?,
    };
    out.u8(u8::from(at.verified) | u8::from(core.reachable) << 1)?;
    out.u32(core.place.salt)?.u16(core.next_token)?;
    match core.last_seen {
        Tick::ZERO => out.null()?,
        seen => out.i64(wall_of(now, seen))?,
    };
    match &core.registration {
        Some(kept) => registration(kept, out)?,
        None => {
            out.null()?;
        }
    }
    out.array(core.observations.len() as u64)?;
    for (known, observed) in core.observations.iter() {
        observation(known, &observed, now, out)?;
    }
    out.bytes(core.values.packed())?;
    out.array(2)?;
    out.array(core.problems.iter().count() as u64)?;
    for noted in core.problems.iter() {
        problem(noted, out)?;
    }
    let pending = core.conversation.as_ref().map(|c| c.pending_work());
    let pending = pending.unwrap_or_default();
    out.array(pending.len() as u64)?;
    for task in &pending {
        self::pending(task, out)?;
    }
    match at.session {
        Some((shard, mode, id)) => out.array(3)?.u8(shard)?.u8(mode)?.u64(id)?,
        None => out.null()?,
    };
    super::update::write(&core.updates, out)
}

fn registration(kept: &Registration, out: &mut Out<'_>) -> Written {
    let composite = kept.extras.as_deref().map(|extras| extras.composite);
    let composite = composite.filter(|limits| *limits != CompositeLimits::default());
    let members = if composite.is_some() { 9 } else { 8 };
    out.array(members)?;
    out.str(kept.version.as_str())?.i64(kept.since)?;
    match kept.lifetime {
        Some(seconds) => out.u32(seconds)?,
        None => out.null()?,
    };
    match kept.binding {
        Some(binding) => out.str(&binding.to_string())?,
        None => out.null()?,
    };
    out.bool(kept.queue_mode)?;
    let extras = kept.extras.as_deref();
    match extras.and_then(|extras| extras.sms.as_deref()) {
        Some(sms) => out.str(sms)?,
        None => out.null()?,
    };
    let additional = extras.map_or(&[][..], |extras| &extras.additional);
    out.array(additional.len() as u64 * 2)?;
    for (key, value) in additional {
        out.str(key)?.str(value)?;
    }
    out.str(kept.links.raw())?;
    if let Some(CompositeLimits { observe, read }) = composite {
        out.array(2)?;
        for limit in [observe, read] {
            match limit {
                Some(paths) => out.u16(paths)?,
                None => out.null()?,
            };
        }
    }
    Ok(())
}

fn observation(known: &Observation, target: &Observed, now: Now, out: &mut Out<'_>) -> Written {
    out.array(4)?;
    observed(target, out)?;
    out.u16(known.token)?.u32(known.notifications)?;
    match known.freshness.newest() {
        Some((sequence, at)) => {
            out.array(2)?.u32(sequence)?.i64(wall_of(now, at))?;
        }
        None => {
            out.null()?;
        }
    }
    Ok(())
}

/// One path alone, or an array of paths.
fn observed(observed: &Observed, out: &mut Out<'_>) -> Written {
    match observed {
        Observed::Single(single) => {
            out.array(1)?;
            write_path(single, out)
        }
        Observed::Composite(paths) => {
            out.array(2)?.array(paths.len() as u64)?;
            for one in paths {
                write_path(one, out)?;
            }
            out.null()?;
            Ok(())
        }
    }
}

fn problem(noted: &Problem, out: &mut Out<'_>) -> Written {
    out.array(5)?.str(&noted.reason)?;
    match &noted.path {
        Some(about) => write_path(about, out)?,
        None => {
            out.null()?;
        }
    }
    out.u32(noted.count)?.i64(noted.last)?.str(&noted.detail)?;
    Ok(())
}

fn pending(task: &Pending, out: &mut Out<'_>) -> Written {
    match task {
        Pending::Step(at) => {
            out.array(2)?.u8(0)?;
            step(*at, out)
        }
        Pending::Parked(at) => {
            out.array(2)?.u8(1)?;
            step(*at, out)
        }
        Pending::Remainder(target) => {
            out.array(2)?.u8(2)?;
            observed(target, out)
        }
        Pending::Cancel {
            observed: target,
            token,
        } => {
            out.array(3)?.u8(3)?.u16(*token)?;
            observed(target, out)
        }
        Pending::Attributes {
            path: at,
            attributes: taken_back,
        } => {
            out.array(3)?.u8(4)?;
            write_path(at, out)?;
            write_attributes(taken_back, out)
        }
    }
}

fn step(step: StepRef, out: &mut Out<'_>) -> Written {
    out.array(2)?.u16(step.index)?;
    match step.part {
        Some(part) if part == Part::single(part.from) => out.u16(part.from)?,
        Some(part) => out.array(2)?.u16(part.from)?.u16(part.to)?,
        None => out.null()?,
    };
    Ok(())
}
