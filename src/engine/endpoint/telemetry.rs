//! The one path of a value: decoded, mapped by the profile, kept, told.

use std::sync::Arc;

use crate::proto::coap::{Code, content_format};
use crate::proto::lwm2m::codec::{self, DataFormat, DecodeError};
use crate::proto::lwm2m::{Path, Record};

use super::core::{EndpointCore, Inbound, Turn};
use super::observations::Observed;
use super::outputs::{DropReason, Happening};
use super::reply::Reply;
use super::types::DeviceTypes;
use super::update::results::stored_text;
use super::values::Fresh;

/// The values of one message on their way in.
#[derive(Debug, Default)]
pub(super) struct Intake<'a> {
    /// What the message tells completely: Resource Instances it does not hold are gone.
    complete: &'a [Path],
    /// Somebody else gets the values too: one that the profile does not map is not lost.
    handed_out: bool,
    /// Multiple Resources of which a value was taken, by mapping.
    multiple: Vec<u16>,
}

impl<'a> Intake<'a> {
    /// Values of a message that tells `complete` completely.
    pub(super) fn of(complete: &'a [Path]) -> Self {
        Self {
            complete,
            ..Self::default()
        }
    }

    /// The same, when somebody asked for the values.
    pub(super) fn handed_out(complete: &'a [Path]) -> Self {
        Self {
            handed_out: true,
            ..Self::of(complete)
        }
    }

    fn tells_completely(&self, resource: &Path) -> bool {
        self.complete.iter().any(|told| resource.starts_with(told))
    }
}

impl EndpointCore {
    /// Takes the values of a notification. Returns whether it decoded.
    pub(super) fn take_notification(
        &mut self,
        observed: &Observed,
        format: Option<u16>,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(registration) = &self.registration else {
            return false;
        };
        // RFC 7252 §5.5.1 leaves a representation without Content-Format open; LwM2M devices that
        // send none send text for a resource.
        let format = format.unwrap_or(content_format::TEXT);
        let links = Arc::clone(&registration.links);
        let types = DeviceTypes::new(turn.plan, turn.models, &links);
        let (base, asked) = match observed {
            Observed::Single(path) => (*path, &[][..]),
            Observed::Composite(paths) => (Path::ROOT, &paths[..]),
        };
        let mut intake = Intake::of(observed.paths());
        let decoded = codec::decode(
            format,
            &base,
            payload,
            &types,
            turn.now.wall,
            &mut |record| {
                if asked.is_empty() || asked.iter().any(|asked| record.path.starts_with(asked)) {
                    self.take_record(record, &mut intake, turn);
                } else {
                    let detail = "the observation does not cover it";
                    self.discard(DropReason::Unmapped, record.path, detail, turn);
                }
            },
        );
        self.tell_multiple(&intake, turn);
        if let Err(error) = &decoded {
            let path = observed.paths().first().copied();
            self.discard_payload(path, format, error, turn);
        }
        decoded.is_ok()
    }

    /// Takes values that are decoded already.
    pub(super) fn take_records(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        mut intake: Intake<'_>,
        turn: &mut Turn<'_>,
    ) {
        for record in records {
            self.take_record(record, &mut intake, turn);
        }
        self.tell_multiple(&intake, turn);
    }

    /// The device sends values of its own accord: `POST /dp` (LwM2M Core 1.2 §6.4.6).
    pub(super) fn on_send(&mut self, message: &Inbound<'_>, turn: &mut Turn<'_>) {
        let Some(registration) = &self.registration else {
            return self.answer(message, &Reply::nobody_here(), turn);
        };
        let Some(format) = message.view.content_format() else {
            let text = "Send needs a Content-Format, such as 110 or 112";
            return self.answer(message, &Reply::refusal(Code::BAD_REQUEST, text), turn);
        };
        if DataFormat::from_number(format).is_some_and(DataFormat::is_etch) {
            let text = "SenML-ETCH asks, it does not tell; send 110 or 112";
            let reply = Reply::refusal(Code::UNSUPPORTED_CONTENT_FORMAT, text);
            return self.answer(message, &reply, turn);
        }
        let links = Arc::clone(&registration.links);
        let types = DeviceTypes::new(turn.plan, turn.models, &links);
        let mut records = Vec::new();
        let decoded = codec::decode(
            format,
            &Path::ROOT,
            message.body,
            &types,
            turn.now.wall,
            &mut |record| records.push(record),
        );
        if let Err(error) = decoded {
            self.discard_payload(None, format, &error, turn);
            let text = error.to_string();
            return self.answer(message, &Reply::refusal(Code::BAD_REQUEST, &text), turn);
        }
        let foreign = records.iter().find(|record| {
            let object = record.path.object_id();
            object.is_none_or(|id| links.object(id).is_none())
        });
        if let Some(record) = foreign {
            let path = record.path;
            let text = format!("{path} is of no object this device registered");
            turn.out.tally.dropped[DropReason::Unmapped as usize] += records.len() as u64;
            self.problems.note(
                turn.now.wall,
                "not_registered",
                Some(path),
                &*text,
                turn.out,
            );
            return self.answer(message, &Reply::refusal(Code::NOT_FOUND, &text), turn);
        }
        turn.out.tally.sends += 1;
        self.take_records(records, Intake::of(&[]), turn);
        self.answer(message, &Reply::code(Code::CHANGED), turn);
    }

    fn take_record(&mut self, record: Record, intake: &mut Intake<'_>, turn: &mut Turn<'_>) {
        let now = turn.now.wall;
        let Some(value) = record.value else {
            if !intake.handed_out {
                let detail = "the record carries no value";
                self.discard(DropReason::NoValue, record.path, detail, turn);
            }
            return;
        };
        self.update_report(&record.path, &value, turn);
        let value = stored_text(&record.path, &value).unwrap_or(value);
        let Some(registration) = &self.registration else {
            return;
        };
        let plan = turn.plan;
        let Some((index, mapping)) = plan.mapping_of(&record.path, &registration.links) else {
            if !intake.handed_out {
                let detail = "the profile maps no key to this resource";
                self.discard(DropReason::Unmapped, record.path, detail, turn);
            }
            return;
        };
        let instance = record
            .path
            .resource_instance_id()
            .filter(|_| mapping.path.len() == 3);
        if instance.is_some() && !intake.multiple.contains(&index) {
            intake.multiple.push(index);
            if intake.tells_completely(&mapping.path) {
                self.values.forget(index);
            }
        }
        let time = record
            .time
            .unwrap_or_else(|| self.values.time_after(index, instance, now));
        let fresh = Fresh {
            mapping: index,
            instance,
            time,
            value: &value,
        };
        if !self.values.put(fresh, now) {
            return self.discard(DropReason::TooLong, record.path, "longer than 16 MiB", turn);
        }
        let telemetry = mapping.destination.telemetry;
        turn.out.tally.attributes += u64::from(mapping.destination.attribute);
        turn.out.tally.telemetry += u64::from(telemetry);
        if instance.is_none() {
            turn.value_arrived(telemetry, || Happening::Value {
                mapping: index,
                time,
                value,
            });
        }
    }

    /// A multiple Resource is told as a whole, once per message.
    fn tell_multiple(&self, intake: &Intake<'_>, turn: &mut Turn<'_>) {
        for mapping in &intake.multiple {
            let known = turn.plan.mapping(*mapping);
            let telemetry = known.is_some_and(|known| known.destination.telemetry);
            turn.value_arrived(telemetry, || {
                let kept = self.values.iter().filter(|kept| kept.mapping == *mapping);
                let (mut values, mut newest) = (Vec::new(), i64::MIN);
                for kept in kept {
                    newest = newest.max(kept.time);
                    values.extend(kept.instance.map(|id| (id, kept.value)));
                }
                values.sort_unstable_by_key(|(id, _)| *id);
                Happening::Instances {
                    mapping: *mapping,
                    time: newest,
                    values,
                }
            });
        }
    }

    fn discard(&mut self, reason: DropReason, path: Path, detail: &str, turn: &mut Turn<'_>) {
        turn.out.tally.dropped[reason as usize] += 1;
        self.problems.note(
            turn.now.wall,
            reason.discriminant(),
            Some(path),
            detail,
            turn.out,
        );
    }

    /// Counts and notes a payload that does not decode.
    pub(super) fn discard_payload(
        &mut self,
        path: Option<Path>,
        format: u16,
        error: &DecodeError,
        turn: &mut Turn<'_>,
    ) {
        let reason = match error {
            DecodeError::UnsupportedFormat { .. } => DropReason::UnsupportedFormat,
            _ => DropReason::Undecodable,
        };
        turn.out.tally.dropped[reason as usize] += 1;
        let detail = format!("content format {format}: {error}");
        self.problems
            .note(turn.now.wall, reason.discriminant(), path, detail, turn.out);
    }
}
