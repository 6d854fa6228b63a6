//! Block-wise transfer (RFC 7959): bodies that come in blocks, answers that leave in blocks.

use std::collections::VecDeque;

use super::refusal::Refusal;
use super::request::{Answer, Request};

/// Bodies that come in at the same time.
const BODIES: usize = 8;
/// Answers that are kept for the blocks still to be fetched.
const ANSWERS: usize = 16;
/// How long a body or an answer waits for the next block, in milliseconds: EXCHANGE_LIFETIME.
const PATIENCE_MS: u64 = 247_000;

/// A block option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block {
    pub number: u32,
    pub more: bool,
    /// In bytes, 16 to 1024.
    pub size: usize,
}

/// What a request is recognized by across its blocks: never the token.
type Key = (String, Vec<String>, Vec<String>, Option<u16>, Option<u16>);

struct Body {
    key: Key,
    bytes: Vec<u8>,
    at: u64,
}

/// Bodies of which blocks are missing.
#[derive(Default)]
pub struct Incoming {
    bodies: VecDeque<Body>,
}

/// Answers of which blocks are still to be fetched.
#[derive(Default)]
pub struct Outgoing {
    answers: VecDeque<(Key, Answer, u64)>,
}

/// What a block completed.
#[derive(Debug, Eq, PartialEq)]
pub enum Progress {
    /// The next one is wanted.
    Continue,
    /// The body is whole.
    Whole(Vec<u8>),
}

impl Block {
    /// The option's number taken apart. The reserved size 7 counts as 1024.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        let exponent = number & 7;
        Self {
            number: number >> 4,
            more: number & 8 != 0,
            size: if exponent > 6 { 1_024 } else { 16 << exponent },
        }
    }

    /// The option's number.
    #[must_use]
    pub const fn to_number(self) -> u32 {
        let exponent = (self.size / 16).trailing_zeros();
        self.number << 4 | (self.more as u32) << 3 | exponent
    }

    const fn offset(self) -> usize {
        self.number as usize * self.size
    }
}

impl Incoming {
    /// Takes a block.
    ///
    /// # Errors
    ///
    /// 4.08 when a block before it is missing, 4.13 when the body is longer than `largest`.
    pub fn take(
        &mut self,
        request: &Request,
        block: Block,
        largest: usize,
        now: u64,
    ) -> Result<Progress, Refusal> {
        let key = key(request);
        self.bodies.retain(|body| body.at + PATIENCE_MS > now);
        if block.number == 0 {
            self.bodies.retain(|body| body.key != key);
            if self.bodies.len() == BODIES {
                self.bodies.pop_front();
            }
            let (bytes, at) = (Vec::new(), now);
            self.bodies.push_back(Body {
                key: key.clone(),
                bytes,
                at,
            });
        }
        let Some(at) = self.bodies.iter().position(|body| body.key == key) else {
            return Err(Refusal::incomplete(
                "the blocks before this one are missing",
            ));
        };
        let body = &mut self.bodies[at];
        let whole_block = !block.more || request.payload.len() == block.size;
        if block.offset() != body.bytes.len() || !whole_block {
            self.bodies.remove(at);
            return Err(Refusal::incomplete("a block is missing or not filled"));
        }
        if body.bytes.len() + request.payload.len() > largest {
            self.bodies.remove(at);
            return Err(Refusal::too_large(format!("more than {largest} bytes")));
        }
        body.bytes.extend_from_slice(&request.payload);
        body.at = now;
        if block.more {
            return Ok(Progress::Continue);
        }
        let body = self.bodies.remove(at).map(|body| body.bytes);
        Ok(Progress::Whole(body.unwrap_or_default()))
    }
}

impl Outgoing {
    /// Keeps an answer whose first block is sent.
    pub fn keep(&mut self, request: &Request, answer: Answer, now: u64) {
        let key = key(request);
        self.answers
            .retain(|(known, _, at)| *known != key && at + PATIENCE_MS > now);
        if self.answers.len() == ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back((key, answer, now));
    }

    /// The answer that a request for a later block belongs to.
    #[must_use]
    pub fn kept(&self, request: &Request) -> Option<Answer> {
        let key = key(request);
        let kept = self.answers.iter().find(|(known, _, _)| *known == key);
        kept.map(|(_, answer, _)| answer.clone())
    }
}

/// The part of a payload that a block stands for, and whether there is more.
#[must_use]
pub fn slice(payload: &[u8], block: Block) -> Option<(&[u8], bool)> {
    let start = block.offset();
    if start >= payload.len() && start > 0 {
        return None;
    }
    let end = payload.len().min(start + block.size);
    Some((&payload[start..end], end < payload.len()))
}

/// An option's number without leading zeros.
#[must_use]
pub fn number_bytes(number: u32) -> Vec<u8> {
    let zeros = number.leading_zeros() as usize / 8;
    number.to_be_bytes()[zeros..].to_vec()
}

fn key(request: &Request) -> Key {
    (
        format!("{:?}", request.method),
        request.segments.clone(),
        request.query.clone(),
        request.accept,
        request.content_format,
    )
}
