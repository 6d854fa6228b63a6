//! The server's side of Block1: putting request bodies together.

use std::hash::Hash;

use super::super::exchange::Answer;
use super::lru::LruMap;
use super::value::{BlockValue, MAX_SZX};
use crate::proto::time::Tick;

/// What an [`Assembler`] may hold at most.
#[derive(Clone, Copy, Debug)]
pub struct AssemblerLimits {
    /// Transfers known at a time, at least 1: those under way and those completed a short time
    /// ago.
    pub max_transfers: usize,
    /// Bytes of one body.
    pub max_body_bytes: usize,
    /// Bytes of all bodies under way together; never less than `max_body_bytes`.
    pub max_total_bytes: usize,
    /// Milliseconds without a block after which a transfer is forgotten.
    pub max_idle_ms: u64,
    /// Size exponent of the largest block that clients are asked to send, 0 to 6.
    pub preferred_szx: u8,
}

impl Default for AssemblerLimits {
    /// 1,024 transfers, 64 KiB each, 8 MiB together, 93 s between blocks, blocks of 1,024 bytes.
    fn default() -> Self {
        Self {
            max_transfers: 1_024,
            max_body_bytes: 64 * 1_024,
            max_total_bytes: 8 * 1_024 * 1_024,
            max_idle_ms: 93_000,
            preferred_szx: MAX_SZX,
        }
    }
}

/// Puts request bodies together from their blocks, within bounds.
///
/// `K` tells transfers apart: the peer and [`hash_request`](super::hash_request) of the request.
/// A new block 0 replaces what is there for its key. When a bound on number or total bytes is
/// reached, the transfers that have waited longest for a block give way; their clients get 4.08
/// and begin again.
#[derive(Debug)]
pub struct Assembler<K> {
    limits: AssemblerLimits,
    transfers: LruMap<K, Transfer>,
    /// Capacities of all bodies under way.
    bytes: usize,
    counters: AssemblerCounters,
}

/// What to do with a block.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Assembled {
    /// Answer 2.31 with this Block1 option; its size may be smaller than the client's, which asks
    /// for smaller blocks from now on.
    Continue(BlockValue),
    /// The body is complete: process it and answer with the request's Block1 option. To have a
    /// repeated last block answered alike, tell [`Assembler::answered`].
    Complete(Vec<u8>),
    /// The last block came again: answer as before. `None` while that answer is not known yet:
    /// then the repetition needs none.
    Repeated(Option<(Answer, u64)>),
    /// Answer 4.08: blocks before this one are missing (RFC 7959 §2.9.2).
    Incomplete,
    /// Answer 4.13 with this limit as Size1 (RFC 7959 §2.9.3).
    TooLarge {
        /// The most bytes a body may have.
        limit: usize,
    },
    /// Answer 4.00: a block that is not the last has fewer or more bytes than its size says, or
    /// the last has more (RFC 7959 §2.2).
    WrongLength,
}

/// How often transfers ended without becoming a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AssemblerCounters {
    /// No block came for too long.
    pub expired: u64,
    /// Gave way to others at a bound.
    pub evicted: u64,
    /// The client began again.
    pub superseded: u64,
}

#[derive(Debug)]
struct Transfer {
    last_block_at: Tick,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    Receiving(Vec<u8>),
    Completed {
        last: BlockValue,
        answer: Option<(Answer, u64)>,
    },
}

impl<K: Clone + Eq + Hash> Assembler<K> {
    /// An assembler without transfers. `rng` seeds its hash.
    #[must_use]
    pub fn new(limits: AssemblerLimits, rng: &mut fastrand::Rng) -> Self {
        Self {
            limits: AssemblerLimits {
                max_transfers: limits.max_transfers.max(1),
                max_total_bytes: limits.max_total_bytes.max(limits.max_body_bytes),
                preferred_szx: limits.preferred_szx.min(MAX_SZX),
                ..limits
            },
            transfers: LruMap::new(rng),
            bytes: 0,
            counters: AssemblerCounters::default(),
        }
    }

    /// Takes one block: the Block1 option, the Size1 option if any, and the payload of a request.
    ///
    /// A block that was received before is acknowledged again and changes nothing. Clients may
    /// change the block size on the way, as long as each block starts where the one before ended.
    pub fn feed(
        &mut self,
        key: K,
        block: BlockValue,
        size1: Option<u32>,
        payload: &[u8],
        now: Tick,
    ) -> Assembled {
        self.expire(now);
        if !block.allows(payload.len()) {
            return Assembled::WrongLength;
        }
        let limit = self.limits.max_body_bytes;
        let announced = size1.map_or(0, |size| size as usize);
        if announced.max(block.offset() + payload.len()) > limit {
            self.forget(&key);
            return Assembled::TooLarge { limit };
        }
        if block.num() > 0 {
            return self.go_on(key, block, announced, payload, now);
        }
        if self.forget(&key) {
            self.counters.superseded += 1;
        }
        if !block.more() {
            return Assembled::Complete(payload.to_vec());
        }
        self.begin(key, block, announced, payload, now)
    }

    /// Stores the answer to the body completed last under this key, with whatever 64 bits the
    /// owner needs to write it again.
    pub fn answered(&mut self, key: &K, answer: Answer, extra: u64) {
        if let Some(Transfer {
            progress: Progress::Completed { answer: stored, .. },
            ..
        }) = self.transfers.get_mut(key)
        {
            *stored = Some((answer, extra));
        }
    }

    /// Forgets transfers that have been idle for too long. [`feed`](Self::feed) does so as well;
    /// calling it when nothing arrives gives their memory back.
    pub fn expire(&mut self, now: Tick) {
        while let Some((_, transfer)) = self.transfers.oldest()
            && now.millis_since(transfer.last_block_at) > self.limits.max_idle_ms
        {
            if self.drop_oldest() {
                self.counters.expired += 1;
            }
        }
    }

    /// Transfers known at present.
    #[must_use]
    pub fn transfers(&self) -> usize {
        self.transfers.len()
    }

    /// Bytes allocated for bodies under way.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How often transfers ended without becoming a request.
    #[must_use]
    pub const fn counters(&self) -> AssemblerCounters {
        self.counters
    }

    fn begin(
        &mut self,
        key: K,
        block: BlockValue,
        announced: usize,
        payload: &[u8],
        now: Tick,
    ) -> Assembled {
        while self.transfers.len() >= self.limits.max_transfers {
            self.evict();
        }
        let transfer = Transfer {
            last_block_at: now,
            progress: Progress::Receiving(Vec::new()),
        };
        self.transfers.insert(key.clone(), transfer);
        self.append(&key, announced, payload);
        self.acknowledge(block)
    }

    fn go_on(
        &mut self,
        key: K,
        block: BlockValue,
        announced: usize,
        payload: &[u8],
        now: Tick,
    ) -> Assembled {
        let Some(transfer) = self.transfers.get_mut(&key) else {
            return Assembled::Incomplete;
        };
        let body = match &transfer.progress {
            Progress::Receiving(body) => body,
            Progress::Completed { last, answer } if *last == block => {
                return Assembled::Repeated(*answer);
            }
            Progress::Completed { last, .. } if block.more() && block.offset() < last.offset() => {
                return self.acknowledge(block);
            }
            Progress::Completed { .. } => return Assembled::Incomplete,
        };
        let received = body.len();
        if block.more() && block.offset() + payload.len() <= received {
            return self.acknowledge(block);
        }
        if block.offset() != received {
            return Assembled::Incomplete;
        }
        transfer.last_block_at = now;
        self.transfers.touch(&key);
        self.append(&key, announced, payload);
        if block.more() {
            self.acknowledge(block)
        } else {
            self.complete(&key, block)
        }
    }

    fn complete(&mut self, key: &K, last: BlockValue) -> Assembled {
        let completed = Progress::Completed { last, answer: None };
        let Some(transfer) = self.transfers.get_mut(key) else {
            return Assembled::Incomplete;
        };
        match std::mem::replace(&mut transfer.progress, completed) {
            Progress::Receiving(body) => {
                self.bytes -= body.capacity();
                Assembled::Complete(body)
            }
            Progress::Completed { answer, .. } => Assembled::Repeated(answer),
        }
    }

    fn acknowledge(&self, block: BlockValue) -> Assembled {
        Assembled::Continue(block.with_szx_at_most(self.limits.preferred_szx))
    }

    /// Appends to the body of `key`, the youngest transfer, and makes room for it first.
    fn append(&mut self, key: &K, announced: usize, payload: &[u8]) {
        let Some(body) = self.transfers.get(key).and_then(Transfer::body) else {
            return;
        };
        let (old, length) = (body.capacity(), body.len());
        let new = grown_capacity(old, length + payload.len(), announced, &self.limits);
        // The youngest is never evicted here: alone it is within the bound.
        while self.bytes - old + new > self.limits.max_total_bytes && self.transfers.len() > 1 {
            self.evict();
        }
        if let Some(body) = self.transfers.get_mut(key).and_then(Transfer::body_mut) {
            body.reserve_exact(new - length);
            body.extend_from_slice(payload);
            self.bytes = self.bytes - old + body.capacity();
        }
    }

    fn evict(&mut self) {
        if self.drop_oldest() {
            self.counters.evicted += 1;
        }
    }

    /// Drops the transfer that has waited longest; `true` when it was under way.
    fn drop_oldest(&mut self) -> bool {
        let oldest = self.transfers.pop_oldest();
        self.release(oldest)
    }

    /// Drops the transfer of `key`; `true` when it was under way.
    fn forget(&mut self, key: &K) -> bool {
        let removed = self.transfers.remove(key);
        self.release(removed)
    }

    fn release(&mut self, transfer: Option<Transfer>) -> bool {
        let body = transfer.as_ref().and_then(Transfer::body);
        self.bytes -= body.map_or(0, Vec::capacity);
        body.is_some()
    }
}

impl Assembled {
    /// A stable name for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Continue(_) => "continue",
            Self::Complete(_) => "complete",
            Self::Repeated(_) => "repeated",
            Self::Incomplete => "incomplete",
            Self::TooLarge { .. } => "too_large",
            Self::WrongLength => "wrong_length",
        }
    }
}

impl Transfer {
    const fn body(&self) -> Option<&Vec<u8>> {
        match &self.progress {
            Progress::Receiving(body) => Some(body),
            Progress::Completed { .. } => None,
        }
    }

    const fn body_mut(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.progress {
            Progress::Receiving(body) => Some(body),
            Progress::Completed { .. } => None,
        }
    }
}

/// The capacity for a body of `needed` bytes: doubled as it grows, up to the announced size. An
/// announcement alone reserves nothing.
fn grown_capacity(
    capacity: usize,
    needed: usize,
    announced: usize,
    limits: &AssemblerLimits,
) -> usize {
    if needed <= capacity {
        return capacity;
    }
    let most = if announced >= needed {
        announced
    } else {
        limits.max_body_bytes
    };
    needed.max(capacity.saturating_mul(2).min(most))
}
