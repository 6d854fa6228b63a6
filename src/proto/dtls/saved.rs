//! A session as bytes, to be kept over a restart.
//!
//! Version 1, numbers in network order: version 1, shard 1, slot 4, generation 4, identity 8,
//! suite 2, with connection identifier 1, largest plaintext 2, peer 19, next number read 8, next
//! number written 8, length of the peer's connection identifier 1 and its bytes, the key block.

use crate::proto::time::Tick;

use super::address::Address;
use super::handshake::MAX_PEER_CID;
use super::replay::ReplayWindow;
use super::session::{Facts, Session};
use super::wire::{MAX_PLAINTEXT, MAX_SEQUENCE};
use super::{Fingerprint, SessionId, Suite};

const VERSION: u8 = 1;
/// Numbers left out at restore: more than could be sealed between saving and stopping.
const WRITE_GAP: u64 = 1 << 20;

/// What a saved session says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SavedSession {
    /// The shard it belongs to: its connection identifier leads there.
    pub shard: u8,
    /// The id it had and will have.
    pub session: SessionId,
    /// Whose it is.
    pub identity: Fingerprint,
}

/// Why bytes are not restored as a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// Not what [`save`](super::DtlsEndpoint::save) wrote.
    #[error("not a saved DTLS session of version 1")]
    Malformed,
    /// Saved by another shard.
    #[error("the session belongs to shard {0}")]
    OtherShard(u8),
    /// The slot is beyond the limit or in use.
    #[error("the session's slot {0} is not free")]
    SlotTaken(u32),
    /// Too few record numbers are left.
    #[error("the session's record numbers are used up")]
    Exhausted,
}

impl SavedSession {
    /// Reads what can be said without restoring.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Malformed`], [`RestoreError::Exhausted`].
    pub fn parse(saved: &[u8]) -> Result<Self, RestoreError> {
        read(saved, None, Tick::ZERO).map(|(saved, _)| saved)
    }
}

pub(super) fn write(shard: u8, slot: u32, session: &Session, out: &mut Vec<u8>) {
    out.extend_from_slice(&[VERSION, shard]);
    out.extend_from_slice(&slot.to_be_bytes());
    out.extend_from_slice(&session.generation.to_be_bytes());
    out.extend_from_slice(&session.identity.0.to_be_bytes());
    out.extend_from_slice(&session.suite.id().to_be_bytes());
    out.push(u8::from(session.with_cid));
    out.extend_from_slice(&session.max_plaintext.to_be_bytes());
    out.extend_from_slice(session.peer.as_bytes());
    out.extend_from_slice(&session.window.next.to_be_bytes());
    out.extend_from_slice(&session.next_sequence.to_be_bytes());
    out.push(session.peer_cid().len() as u8);
    out.extend_from_slice(session.peer_cid());
    out.extend_from_slice(session.key_block());
}

/// Whether a session has to be saved anew, since half of the numbers left out at restore are used.
pub(super) const fn is_due(session: &Session) -> bool {
    session.next_sequence.is_multiple_of(WRITE_GAP / 2)
}

/// Reads a session; `next_read` is the next number it was to read when that was noted last.
pub(super) fn read(
    saved: &[u8],
    next_read: Option<u64>,
    now: Tick,
) -> Result<(SavedSession, Session), RestoreError> {
    let mut rest = Rest(saved);
    let malformed = RestoreError::Malformed;
    let mut fields = || {
        let version = rest.array::<1>()?[0];
        let [shard] = rest.array()?;
        let slot = u32::from_be_bytes(rest.array()?);
        let generation = u32::from_be_bytes(rest.array()?);
        let identity = Fingerprint(u64::from_be_bytes(rest.array()?));
        let suite = Suite::of_id(u16::from_be_bytes(rest.array()?))?;
        let with_cid = match rest.array()? {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        let max_plaintext = u16::from_be_bytes(rest.array()?);
        let peer = Address::from_bytes(rest.array()?)?;
        let next = u64::from_be_bytes(rest.array()?);
        let mut window = ReplayWindow {
            next: next.max(next_read.unwrap_or_default()),
            seen: 0,
        };
        // What was on its way when we stopped is lost; nothing can be replayed.
        window.shut();
        let next_sequence = u64::from_be_bytes(rest.array()?);
        let [cid_length] = rest.array()?;
        let peer_cid = rest.take(usize::from(cid_length))?;
        let keys = rest.take(suite.bulk().key_block_length())?;
        let good = version == VERSION
            && rest.0.is_empty()
            && (64..=MAX_PLAINTEXT).contains(&usize::from(max_plaintext))
            && window.next <= MAX_SEQUENCE + 1
            && next_sequence <= MAX_SEQUENCE + 1
            && peer_cid.len() <= MAX_PEER_CID;
        let facts = Facts {
            suite,
            keys,
            window,
            next_sequence,
            peer_cid,
            with_cid,
            identity,
            max_plaintext,
            peer,
            generation,
        };
        good.then_some((shard, slot, facts))
    };
    let (shard, slot, mut facts) = fields().ok_or(malformed)?;
    facts.next_sequence += WRITE_GAP;
    if facts.next_sequence > MAX_SEQUENCE {
        return Err(RestoreError::Exhausted);
    }
    let head = SavedSession {
        shard,
        session: SessionId {
            slot,
            generation: facts.generation,
        },
        identity: facts.identity,
    };
    Ok((head, Session::new(now, &facts)))
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}
