//! An established session: what stays once OpenSSL is let go.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::proto::time::Tick;

use super::address::Address;
use super::handshake::Takeover;
use super::kept::{Kept, Permit};
use super::keys::{DirectionKeys, LONGEST, Writer};
use super::replay::ReplayWindow;
use super::wire::MAX_SEQUENCE;
use super::{Fingerprint, Suite};

/// Keys of both directions for AES-128 in CCM and GCM fit in here.
pub(super) const SHORT_KEYS: usize = 40;
/// Connection identifiers of peers up to this length fit in here.
pub(super) const SHORT_CID: usize = 8;

/// 120 bytes in its slot, and nothing besides for the suites that LwM2M asks for, once the peer
/// has sent something.
pub(super) struct Session {
    pub(super) window: ReplayWindow,
    /// Number of the next record to seal.
    pub(super) next_sequence: u64,
    pub(super) identity: Fingerprint,
    /// What few sessions have.
    extra: Option<Box<Extra>>,
    pub(super) generation: u32,
    /// Seconds of the tick at which the peer last sent something good.
    pub(super) heard_at: u32,
    pub(super) max_plaintext: u16,
    keys: [u8; SHORT_KEYS],
    short_cid: [u8; SHORT_CID],
    cid_length: u8,
    pub(super) peer: Address,
    pub(super) suite: Suite,
    /// The peer's records carry a connection identifier of ours.
    pub(super) with_cid: bool,
}

#[derive(Default)]
struct Extra {
    keys: Option<Zeroizing<[u8; LONGEST]>>,
    cid: Option<Box<[u8]>>,
    last_flight: Option<Box<[Box<[u8]>]>>,
    kept: Option<(Box<Kept>, Permit)>,
}

/// Everything of a session but its keys, to build it from.
pub(super) struct Facts<'a> {
    pub(super) suite: Suite,
    pub(super) keys: &'a [u8],
    pub(super) window: ReplayWindow,
    pub(super) next_sequence: u64,
    pub(super) peer_cid: &'a [u8],
    pub(super) with_cid: bool,
    pub(super) identity: Fingerprint,
    pub(super) max_plaintext: u16,
    pub(super) peer: Address,
    pub(super) generation: u32,
}

impl Session {
    /// `facts.keys` has the length that the suite asks for, or none where OpenSSL is kept.
    pub(super) fn new(now: Tick, facts: &Facts) -> Self {
        let mut session = Self {
            window: facts.window,
            next_sequence: facts.next_sequence,
            identity: facts.identity,
            extra: None,
            generation: facts.generation,
            heard_at: seconds(now),
            max_plaintext: facts.max_plaintext,
            keys: [0; SHORT_KEYS],
            short_cid: [0; SHORT_CID],
            cid_length: facts.peer_cid.len() as u8,
            peer: facts.peer,
            suite: facts.suite,
            with_cid: facts.with_cid,
        };
        if facts.keys.len() <= SHORT_KEYS {
            session.keys[..facts.keys.len()].copy_from_slice(facts.keys);
        } else {
            let mut long = Zeroizing::new([0; LONGEST]);
            long[..facts.keys.len()].copy_from_slice(facts.keys);
            session.extra().keys = Some(long);
        }
        if facts.peer_cid.len() <= SHORT_CID {
            session.short_cid[..facts.peer_cid.len()].copy_from_slice(facts.peer_cid);
        } else {
            session.extra().cid = Some(facts.peer_cid.into());
        }
        session
    }

    /// What a handshake ended in.
    pub(super) fn taken_over(now: Tick, peer: Address, generation: u32, from: &Takeover) -> Self {
        let mut session = Self::new(
            now,
            &Facts {
                suite: from.keys.suite,
                keys: if from.kept.is_none() {
                    from.keys.as_bytes()
                } else {
                    &[]
                },
                window: from.window,
                next_sequence: from.next_sequence,
                peer_cid: &from.peer_cid,
                with_cid: from.with_cid,
                identity: from.claim.fingerprint(),
                max_plaintext: from.max_plaintext,
                peer,
                generation,
            },
        );
        if !from.last_flight.is_empty() {
            let flight = from.last_flight.iter().map(|bytes| bytes[..].into());
            session.extra().last_flight = Some(flight.collect());
        }
        session
    }

    /// OpenSSL protects the records from now on.
    pub(super) fn keep(&mut self, kept: Kept, permit: Permit) {
        self.extra().kept = Some((Box::new(kept), permit));
    }

    /// OpenSSL, where it protects the records. Of such a session there are no keys here.
    pub(super) fn kept(&mut self) -> Option<&mut Kept> {
        let (kept, _) = self.extra.as_mut()?.kept.as_mut()?;
        Some(kept)
    }

    pub(super) fn is_kept(&self) -> bool {
        self.extra
            .as_ref()
            .is_some_and(|extra| extra.kept.is_some())
    }

    pub(super) fn key_block(&self) -> &[u8] {
        let length = self.suite.bulk().key_block_length();
        match self.extra.as_ref().and_then(|extra| extra.keys.as_ref()) {
            Some(long) => &long[..length],
            None => &self.keys[..length.min(SHORT_KEYS)],
        }
    }

    pub(super) fn keys(&self, writer: Writer) -> DirectionKeys<'_> {
        DirectionKeys::of(self.suite.bulk(), self.key_block(), writer)
    }

    /// What stands in our records; empty: they have the classic form.
    pub(super) fn peer_cid(&self) -> &[u8] {
        match self.extra.as_ref().and_then(|extra| extra.cid.as_ref()) {
            Some(long) => long,
            None => &self.short_cid[..usize::from(self.cid_length).min(SHORT_CID)],
        }
    }

    /// The number for a record to seal; `None` when all are used up.
    pub(super) fn take_sequence(&mut self) -> Option<u64> {
        let sequence = self.next_sequence;
        self.next_sequence += u64::from(sequence <= MAX_SEQUENCE);
        (sequence <= MAX_SEQUENCE).then_some(sequence)
    }

    /// Most bytes of plaintext per record. With connection identifier the type takes one of them.
    pub(super) fn largest_plaintext(&self) -> usize {
        usize::from(self.max_plaintext) - usize::from(self.cid_length > 0)
    }

    /// Datagrams of our last flight, while the peer may miss them.
    pub(super) fn last_flight(&self) -> &[Box<[u8]>] {
        self.extra
            .as_ref()
            .and_then(|extra| extra.last_flight.as_deref())
            .unwrap_or_default()
    }

    /// The peer has our last flight, or had long enough to ask for it.
    pub(super) fn forget_last_flight(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.last_flight = None;
            if extra.keys.is_none() && extra.cid.is_none() && extra.kept.is_none() {
                self.extra = None;
            }
        }
    }

    pub(super) fn heard(&mut self, now: Tick) {
        self.heard_at = seconds(now);
    }

    /// Milliseconds since the peer was heard, to a second.
    pub(super) fn silent_for(&self, now: Tick) -> u64 {
        u64::from(seconds(now).saturating_sub(self.heard_at)) * 1_000
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer.socket())
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

fn seconds(now: Tick) -> u32 {
    u32::try_from(now.as_millis() / 1_000).unwrap_or(u32::MAX)
}
