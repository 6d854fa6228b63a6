//! Updates of firmware and software in a record: what has to be known to go on with them.

use minicbor::Decoder;

use super::super::update::Updates;
use super::super::update::state::{Reached, Reported, Update};
use super::super::update::status::UpdateStatus;
use super::super::update::target::{Strategy, UpdateKind};
use super::SnapshotError;
use super::record::{Out, Read, Written, exactly, list, optional};

const MEMBERS: u64 = 18;

pub(super) fn write(updates: &Updates, out: &mut Out<'_>) -> Written {
    out.array(updates.iter().count() as u64)?;
    for update in updates.iter() {
        one(update, out)?;
    }
    Ok(())
}

fn one(update: &Update, out: &mut Out<'_>) -> Written {
    out.array(MEMBERS)?.u8(update.kind as u8)?;
    out.str(&update.package)?
        .str(&update.title)?
        .str(&update.version)?;
    out.u8(update.status as u8)?.i64(update.since)?;
    text(update.reason.as_deref(), out)?;
    let flags = [
        update.ended,
        update.withdrawn,
        update.unsupported,
        update.uncertain,
        update.was_reset,
        update.deferred,
        update.whole_resource,
        update.singly,
    ];
    let bits = (0..).zip(flags).map(|(at, flag)| u8::from(flag) << at);
    out.u8(bits.sum())?;
    out.u8(update.reached as u8)?.u8(update.seen)?;
    small(update.stale_result, out)?;
    small(update.way.map(|way| way as u8), out)?;
    out.u64(update.sent)?.u8(update.szx)?;
    out.u32(update.attempts)?;
    out.array(3)?
        .u8(update.retries)?
        .u8(update.interruptions)?
        .u8(update.executions)?;
    let device = &update.device;
    out.array(2)?;
    small(device.state, out)?;
    small(device.result, out)?;
    out.array(3)?;
    text(device.name.as_deref(), out)?;
    text(device.version.as_deref(), out)?;
    text(device.device_version.as_deref(), out)
}

fn text(text: Option<&str>, out: &mut Out<'_>) -> Written {
    match text {
        Some(text) => out.str(text)?,
        None => out.null()?,
    };
    Ok(())
}

fn small(number: Option<u8>, out: &mut Out<'_>) -> Written {
    match number {
        Some(number) => out.u8(number)?,
        None => out.null()?,
    };
    Ok(())
}

pub(super) fn read(from: &mut Decoder<'_>) -> Read<Vec<Update>> {
    let all = list(from, update)?;
    let twice = matches!(&all[..], [one, other] if one.kind == other.kind);
    if all.len() > UpdateKind::ALL.len() || twice {
        return Err(SnapshotError::Member("number of updates"));
    }
    Ok(all)
}

fn update(from: &mut Decoder<'_>) -> Read<Update> {
    exactly(from, MEMBERS, "update")?;
    let kind = known(&UpdateKind::ALL, from.u8()?)?;
    let (package, title, version) = (from.str()?, from.str()?, from.str()?);
    let mut update = Update::kept(kind, package, title, version);
    update.status = known(&UpdateStatus::ALL, from.u8()?)?;
    update.since = from.i64()?;
    update.reason = owned(from)?;
    let flags = from.u8()?;
    let flag = |at: u8| flags & 1 << at != 0;
    update.ended = flag(0);
    update.withdrawn = flag(1);
    update.unsupported = flag(2);
    update.uncertain = flag(3);
    update.was_reset = flag(4);
    update.deferred = flag(5);
    update.whole_resource = flag(6);
    update.singly = flag(7);
    let reached = [
        Reached::Nothing,
        Reached::Sending,
        Reached::Sent,
        Reached::Executed,
        Reached::Installed,
    ];
    update.reached = known(&reached, from.u8()?)?;
    update.seen = from.u8()?;
    update.stale_result = optional(from, |from| Ok(from.u8()?))?;
    let ways = [Strategy::Push, Strategy::Url, Strategy::PushObject19];
    update.way = optional(from, |from| known(&ways, from.u8()?))?;
    update.sent = from.u64()?;
    update.szx = from.u8()?.min(6);
    update.attempts = from.u32()?;
    exactly(from, 3, "attempts of an update")?;
    update.retries = from.u8()?;
    update.interruptions = from.u8()?;
    update.executions = from.u8()?;
    exactly(from, 2, "state of an update")?;
    let state = optional(from, |from| Ok(from.u8()?))?;
    let result = optional(from, |from| Ok(from.u8()?))?;
    exactly(from, 3, "names of an update")?;
    update.device = Reported {
        state,
        result,
        name: owned(from)?,
        version: owned(from)?,
        device_version: owned(from)?,
        ..Reported::default()
    };
    if update.ended {
        update.todo = None;
    }
    Ok(update)
}

fn known<T: Copy>(all: &[T], number: u8) -> Read<T> {
    let found = all.get(usize::from(number)).copied();
    found.ok_or(SnapshotError::Member("update"))
}

fn owned(from: &mut Decoder<'_>) -> Read<Option<Box<str>>> {
    optional(from, |from| Ok(from.str()?.into()))
}
