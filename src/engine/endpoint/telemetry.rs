//! The one path of a value: decoded, mapped by the profile, kept, told.

use crate::proto::coap::{Code, content_format};
use crate::proto::lwm2m::codec::{self, DecodeError};
use crate::proto::lwm2m::{Path, Record};

use super::core::{EndpointCore, Inbound, Turn};
use super::outputs::{DropReason, Happening};
use super::reply::Reply;

impl EndpointCore {
    /// Takes the values of a payload that answers for `path`. Returns whether it decoded.
    pub(super) fn take_payload(
        &mut self,
        path: &Path,
        format: Option<u16>,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> bool {
        // RFC 7252 §5.5.1 leaves a representation without Content-Format open; LwM2M devices that
        // send none send text for a resource.
        let format = format.unwrap_or(content_format::TEXT);
        let (plan, now) = (turn.plan, turn.now.wall);
        let decoded = codec::decode(format, path, payload, plan, now, &mut |record| {
            self.take_record(record, turn);
        });
        if let Err(error) = &decoded {
            self.discard_payload(Some(*path), format, error, turn);
        }
        decoded.is_ok()
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
        let mut records = Vec::new();
        let decoded = codec::decode(
            format,
            &Path::ROOT,
            message.body,
            turn.plan,
            turn.now.wall,
            &mut |record| records.push(record),
        );
        if let Err(error) = decoded {
            self.discard_payload(None, format, &error, turn);
            let text = error.to_string();
            return self.answer(message, &Reply::refusal(Code::BAD_REQUEST, &text), turn);
        }
        let foreign = records.iter().find(|record| {
            record
                .path
                .object_id()
                .is_none_or(|id| registration.links.object(id).is_none())
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
        for record in records {
            self.take_record(record, turn);
        }
        self.answer(message, &Reply::code(Code::CHANGED), turn);
    }

    fn take_record(&mut self, record: Record, turn: &mut Turn<'_>) {
        let now = turn.now.wall;
        let Some(value) = record.value else {
            return self.discard(
                DropReason::NoValue,
                record.path,
                "the record carries no value",
                turn,
            );
        };
        let Some((index, mapping)) = turn.plan.mapping_of(&record.path) else {
            let detail = "the profile maps no key to this resource";
            return self.discard(DropReason::Unmapped, record.path, detail, turn);
        };
        let time = record.time.unwrap_or(now);
        if !self.values.put(index, time, now, &value) {
            return self.discard(DropReason::TooLong, record.path, "longer than 16 MiB", turn);
        }
        turn.out.tally.attributes += u64::from(mapping.destination.attribute);
        turn.out.tally.telemetry += u64::from(mapping.destination.telemetry);
        turn.out.happened(|| Happening::Value {
            mapping: index,
            time,
            value,
        });
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

    fn discard_payload(
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
