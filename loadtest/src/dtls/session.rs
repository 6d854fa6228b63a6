//! An established session: all that is left of a handshake, without allocations as long as the identifiers are short.

use std::fmt;

use openssl::error::ErrorStack;
use thiserror::Error;

use super::cid::Cid;
use super::flight::{Flight, Numbers};
use super::keys::{KeyBlock, Writer};
use super::protect::{Envelope, Protector};
use super::replay::ReplayWindow;
use super::wire::{self, LAST_SEQUENCE, Record, TLS12_CID};

/// A session.
pub struct Session {
    keys: KeyBlock,
    window: ReplayWindow,
    next_sequence: u64,
    /// What the server puts on its records.
    own: Cid,
    /// What the server wants on ours.
    peer: Cid,
    /// What the server may not have got yet.
    last_flight: Option<Box<LastFlight>>,
}

/// Our last flight and the number that its next unprotected record gets.
pub(super) struct LastFlight {
    pub(super) flight: Flight,
    pub(super) next_plain: u64,
}

/// What a record was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received {
    /// Application data; it is in the buffer.
    Data,
    /// The server has ended the session, with this alert (0: close_notify).
    Closed(u8),
    /// The server has said its last word of the handshake again: it has not got ours. [`Session::repeat`] sends it.
    Repeated,
    /// Something that asks for nothing.
    Nothing,
    /// Not for this session.
    Dropped(Dropped),
}

/// Why a record was dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// Of another epoch, of the other form, or with another identifier.
    Foreign,
    /// Not authentic.
    NotAuthentic,
    /// It came before, or is too old to tell.
    Replayed,
}

/// Why nothing can be sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// All numbers were used.
    #[error("the session has used all its record numbers")]
    Exhausted,
    /// OpenSSL's cipher failed.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
}

impl Session {
    pub(super) fn new(
        keys: KeyBlock,
        window: ReplayWindow,
        next_sequence: u64,
        own: Cid,
        peer: Cid,
        last_flight: Option<LastFlight>,
    ) -> Self {
        Self {
            keys,
            window,
            next_sequence,
            own,
            peer,
            last_flight: last_flight.map(Box::new),
        }
    }

    /// The length of the identifier on the server's records; [`super::records`] needs it.
    #[must_use]
    pub fn own_cid_length(&self) -> usize {
        self.own.bytes().len()
    }

    /// The identifier that the server wants on the records to it; empty when there is none.
    #[must_use]
    pub fn peer_cid(&self) -> &[u8] {
        self.peer.bytes()
    }

    /// Appends application data as a protected record.
    ///
    /// # Errors
    /// [`SealError`]; `out` is as before then.
    pub fn seal(
        &mut self,
        content: &[u8],
        protector: &mut Protector,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        self.seal_as(wire::APPLICATION_DATA, content, protector, out)
    }

    /// Appends a close_notify alert. The session should not be used after that.
    ///
    /// # Errors
    /// [`SealError`]; `out` is as before then.
    pub fn close(&mut self, protector: &mut Protector, out: &mut Vec<u8>) -> Result<(), SealError> {
        let alert = [wire::WARNING, wire::CLOSE_NOTIFY];
        self.seal_as(wire::ALERT, &alert, protector, out)
    }

    fn seal_as(
        &mut self,
        content_type: u8,
        content: &[u8],
        protector: &mut Protector,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        if self.next_sequence > LAST_SEQUENCE {
            return Err(SealError::Exhausted);
        }
        let to = Envelope {
            content_type,
            sequence: self.next_sequence,
            cid: self.peer.bytes(),
        };
        self.next_sequence += 1;
        protector.seal(self.keys.written_by(Writer::Client), to, content, out)?;
        Ok(())
    }

    /// Takes a record; application data replaces what was in `content`.
    pub fn receive(
        &mut self,
        record: &Record<'_>,
        protector: &mut Protector,
        content: &mut Vec<u8>,
    ) -> Received {
        let with_cid = record.content_type == TLS12_CID;
        if record.epoch != 1 || with_cid == self.own.is_empty() || record.cid != self.own.bytes() {
            return Received::Dropped(Dropped::Foreign);
        }
        let is_fresh = self.window.is_fresh(record.sequence);
        // A server may say its last word again as it was.
        if !is_fresh && self.last_flight.is_none() {
            return Received::Dropped(Dropped::Replayed);
        }
        let keys = self.keys.written_by(Writer::Server);
        let Ok(content_type) = protector.open(keys, record, content) else {
            return Received::Dropped(Dropped::NotAuthentic);
        };
        if content_type == wire::HANDSHAKE && self.last_flight.is_some() {
            self.window.mark(record.sequence);
            return Received::Repeated;
        }
        if !is_fresh {
            return Received::Dropped(Dropped::Replayed);
        }
        self.window.mark(record.sequence);
        match content_type {
            wire::APPLICATION_DATA => {
                self.last_flight = None;
                Received::Data
            }
            wire::ALERT => match content.as_slice() {
                &[level, description]
                    if level == wire::FATAL || description == wire::CLOSE_NOTIFY =>
                {
                    Received::Closed(description)
                }
                _ => Received::Nothing,
            },
            _ => Received::Nothing,
        }
    }

    /// Sends the last flight once more.
    ///
    /// # Errors
    /// When OpenSSL's cipher fails.
    pub fn repeat(
        &mut self,
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), SealError> {
        let Some(last) = &mut self.last_flight else {
            return Ok(());
        };
        let mut numbers = Numbers {
            plain: last.next_plain,
            protected: self.next_sequence,
        };
        let (keys, cid) = (Some(&self.keys), self.peer.bytes());
        last.flight.write(&mut numbers, keys, cid, protector, out)?;
        last.next_plain = numbers.plain;
        self.next_sequence = numbers.protected;
        Ok(())
    }
}

impl fmt::Debug for Session {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("bulk", &self.keys.bulk)
            .field("next_sequence", &self.next_sequence)
            .field("own", &self.own)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
