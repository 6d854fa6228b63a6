//! Sessions in storage: each that changed is handed over with the endpoints that did, and is there
//! again after a restart. The storage encrypts them.

use std::sync::Arc;

use crate::engine::credentials::{Owner, Purpose};
use crate::engine::locals::UNSPECIFIED;
use crate::engine::peer::Session;
use crate::engine::persistence::{
    RestoredSessions, SessionChange, StateBatch, StateError, StateStore,
};
use crate::proto::dtls::SessionId;

use super::Shard;
use super::sessions::{Changed, Known};

/// Version of the form that this build reads and writes: form, mode, identity (8), length of the
/// endpoint name (2), the name, what the DTLS layer saves.
const FORM: u8 = 1;

impl Shard {
    /// What storage has of a session is out of date.
    pub(super) fn mark_session(&mut self, session: SessionId, changed: Changed) {
        if let (Some(secure), Some(keeper)) = (&mut self.secure, &mut self.keeper)
            && let Some(slot) = secure.sessions.mark(session, changed)
        {
            keeper.mark_session(slot);
        }
    }

    /// Appends what is to be stored of the session in a slot.
    pub(in crate::engine::shard) fn store_session(&mut self, slot: u32, batch: &mut StateBatch) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        // A session's keys are encrypted and written once, its number with every message that came.
        if secure.sessions.store_number(slot)
            && let Some((session, _)) = secure.sessions.at(slot)
            && let Some(number) = secure.endpoint.next_read(session)
        {
            let change = SessionChange::Number(number);
            return batch.sessions.push((slot, change));
        }
        let start = batch.bytes.len();
        let is_kept = secure.sessions.at(slot).is_some_and(|(session, known)| {
            write(known, &mut batch.bytes);
            secure.endpoint.save(session, &mut batch.bytes)
        });
        if !is_kept {
            batch.bytes.truncate(start);
        }
        let had_record = secure.sessions.store(slot, is_kept);
        if is_kept {
            let record = SessionChange::Record(start..batch.bytes.len());
            batch.sessions.push((slot, record));
        } else if had_record {
            batch.sessions.push((slot, SessionChange::Over));
        }
    }

    /// Takes back what storage has of this shard's sessions, those whose identity still holds.
    pub(in crate::engine::shard) fn restore_sessions(
        &mut self,
        store: &Arc<dyn StateStore>,
    ) -> Result<RestoredSessions, StateError> {
        let mut report = RestoredSessions::default();
        if self.secure.is_none() {
            return Ok(report);
        }
        let read = store.read_sessions(self.index, &mut |slot, record, number| {
            self.restore_session(slot, record, number, &mut report)
        })?;
        report.unreadable += read.unreadable;
        Ok(report)
    }

    /// Brings one session back and gives its new record: the numbers left out at its restoration are
    /// left out for good.
    fn restore_session(
        &mut self,
        slot: u32,
        record: &[u8],
        number: Option<u64>,
        report: &mut RestoredSessions,
    ) -> Option<Vec<u8>> {
        let secure = self.secure.as_mut()?;
        let Some((known, saved)) = read(record) else {
            report.unreadable += 1;
            return None;
        };
        let credentials = self.shared.credentials.get();
        if !credentials
            .is_some_and(|credentials| credentials.holds(&known.owner, Purpose::Registration))
        {
            report.revoked += 1;
            return None;
        }
        match secure.endpoint.restore(self.now.tick, saved, number) {
            Ok((session, _)) => {
                let mut renewed = Vec::with_capacity(record.len());
                write(&known, &mut renewed);
                secure.endpoint.save(session, &mut renewed);
                secure.sessions.insert(session, known);
                secure.sessions.store(slot, true);
                report.restored += 1;
                Some(renewed)
            }
            Err(_) => {
                report.unreadable += 1;
                None
            }
        }
    }
}

fn write(known: &Known, out: &mut Vec<u8>) {
    let Known { owner, mode, .. } = known;
    out.extend_from_slice(&[FORM, *mode as u8]);
    out.extend_from_slice(&owner.identity.to_be_bytes());
    let length = u16::try_from(owner.endpoint.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&owner.endpoint.as_bytes()[..usize::from(length)]);
}

fn read(record: &[u8]) -> Option<(Known, &[u8])> {
    let ([form, mode], rest) = record.split_first_chunk()?;
    let (identity, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (name, saved) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let session = Session::from_kept((0, *mode, 0))?;
    let known = Known {
        owner: Owner {
            identity: u64::from_be_bytes(*identity),
            endpoint: std::str::from_utf8(name).ok()?.into(),
        },
        mode: session.mode(),
        local: UNSPECIFIED,
    };
    (*form == FORM).then_some((known, saved))
}
