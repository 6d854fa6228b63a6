//! The client's side of Block1: sending a request body block by block.

use thiserror::Error;

use super::super::code::Code;
use super::super::message::MessageView;
use super::value::{BlockError, BlockValue, MAX_SZX, block_size};

/// How often a transfer begins again because the server lost blocks.
const MAX_RESTARTS: u8 = 3;

/// Sends the body of one request (RFC 7959 §2.5).
///
/// The caller sends a request with [`block`](Self::block), each with a new token, and hands over
/// the response; on [`Written::Next`] it goes on with the next block, on [`Written::Done`] that
/// response is the result. A body that fits one block is sent without Block1 unless the server
/// refuses it so.
#[derive(Debug)]
pub struct BodyWriter<B> {
    body: B,
    offset: usize,
    szx: u8,
    restarts: u8,
    /// Whether Block1 is used.
    in_blocks: bool,
}

/// What one request of a transfer carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutgoingBlock<'a> {
    /// Block1 option; `None` when the body goes in one piece.
    pub block1: Option<BlockValue>,
    /// Size1 option: the length of the body, with the first block (RFC 7959 §4).
    pub size1: Option<u32>,
    /// Payload.
    pub payload: &'a [u8],
}

/// How the transfer goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// Send [`BodyWriter::block`].
    Next,
    /// The response is the result of the request, good or bad.
    Done,
}

/// Why a transfer cannot go on. The writer is of no use afterwards.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum WriteError {
    /// The Block1 option of the response cannot be decoded.
    #[error("Block1: {0}")]
    Block(#[from] BlockError),
    /// The body needs more blocks than can be numbered.
    #[error("a body of {length} bytes has more blocks of {size} bytes than can be numbered")]
    TooManyBlocks {
        /// Bytes of the body.
        length: usize,
        /// Bytes of a block.
        size: usize,
    },
    /// The response is about another block than the one sent.
    #[error("sent block {sent}, the response is about block {received}")]
    UnexpectedBlock {
        /// Number of the block sent.
        sent: u32,
        /// Number in the response.
        received: u32,
    },
    /// 2.31 to a last block or to a request without Block1.
    #[error("the peer asks for more behind the end of the body")]
    UnexpectedContinue,
    /// A final response without Block1 before the last block.
    #[error("the peer answered {code} before it had the whole body")]
    EndedEarly {
        /// Code of the response.
        code: Code,
    },
}

impl<B: AsRef<[u8]>> BodyWriter<B> {
    /// A transfer of `body` in blocks of size 2^(`szx` + 4) or smaller, `szx` 0 to 6.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooManyBlocks`].
    pub fn new(body: B, szx: u8) -> Result<Self, WriteError> {
        let szx = szx.min(MAX_SZX);
        let in_blocks = body.as_ref().len() > block_size(szx);
        let writer = Self {
            body,
            offset: 0,
            szx,
            restarts: 0,
            in_blocks,
        };
        writer.check_numbers()?;
        Ok(writer)
    }

    /// A transfer that goes on at byte `offset`, up to which the server has acknowledged the body.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooManyBlocks`].
    pub fn resumed(body: B, szx: u8, offset: usize) -> Result<Self, WriteError> {
        let mut writer = Self::new(body, szx)?;
        let fits = offset < writer.length() && offset.is_multiple_of(block_size(writer.szx));
        // What no block starts at begins anew.
        writer.offset = if fits { offset } else { 0 };
        Ok(writer)
    }

    /// Size exponent of the blocks: 0 to 6.
    #[must_use]
    pub const fn size_exponent(&self) -> u8 {
        self.szx
    }

    /// The request to send now.
    #[must_use]
    pub fn block(&self) -> OutgoingBlock<'_> {
        let body = self.body.as_ref();
        let rest = body.get(self.offset..).unwrap_or_default();
        if !self.in_blocks {
            return OutgoingBlock {
                block1: None,
                size1: None,
                payload: rest,
            };
        }
        let payload = rest.get(..block_size(self.szx)).unwrap_or(rest);
        OutgoingBlock {
            block1: self.current(),
            size1: (self.offset == 0)
                .then(|| u32::try_from(body.len()).ok())
                .flatten(),
            payload,
        }
    }

    /// Bytes the server has acknowledged.
    #[must_use]
    pub const fn acknowledged(&self) -> usize {
        self.offset
    }

    /// Bytes of the body.
    #[must_use]
    pub fn length(&self) -> usize {
        self.body.as_ref().len()
    }

    /// Takes the response to the request sent last.
    ///
    /// The server may ask for smaller blocks with any response; they start where the
    /// acknowledged ones end. On 4.08 the transfer begins again, three times at most; on 4.13
    /// it begins again in smaller blocks where the server hints at them, or where the body
    /// went in one piece.
    ///
    /// # Errors
    ///
    /// The response contradicts what was sent; see [`WriteError`].
    pub fn on_response(&mut self, response: &MessageView<'_>) -> Result<Written, WriteError> {
        let echoed = response.block1().transpose()?;
        let code = response.code();
        match code {
            Code::REQUEST_ENTITY_TOO_LARGE => self.on_too_large(echoed, response.size1()),
            Code::REQUEST_ENTITY_INCOMPLETE => self.on_incomplete(),
            _ if code.is_success() => self.on_success(code, echoed),
            _ => Ok(Written::Done),
        }
    }

    fn on_success(
        &mut self,
        code: Code,
        echoed: Option<BlockValue>,
    ) -> Result<Written, WriteError> {
        let asks_for_more = code == Code::CONTINUE;
        let Some(sent) = self.current().filter(|sent| self.in_blocks && sent.more()) else {
            return if asks_for_more {
                Err(WriteError::UnexpectedContinue)
            } else {
                Ok(Written::Done)
            };
        };
        match echoed {
            Some(echoed) if echoed.num() != sent.num() => Err(WriteError::UnexpectedBlock {
                sent: sent.num(),
                received: echoed.num(),
            }),
            // A final code with Block1 comes from a server that deals with each block by itself
            // (RFC 7959 §2.3, "stateless").
            Some(echoed) => self.advance(echoed.szx()),
            None if asks_for_more => self.advance(self.szx),
            None => Err(WriteError::EndedEarly { code }),
        }
    }

    fn on_too_large(
        &mut self,
        hint: Option<BlockValue>,
        size1: Option<u32>,
    ) -> Result<Written, WriteError> {
        let length = self.length();
        if size1.is_some_and(|most| (most as usize) < length) {
            return Ok(Written::Done);
        }
        let smaller = |szx: &u8| *szx < self.szx && block_size(*szx) < length;
        let hinted = hint.map(BlockValue::szx).filter(smaller);
        let chosen = || (0..=self.szx).rfind(|szx| !self.in_blocks && block_size(*szx) < length);
        let Some(szx) = hinted.or_else(chosen) else {
            return Ok(Written::Done);
        };
        self.szx = szx;
        self.in_blocks = true;
        self.offset = 0;
        self.check_numbers()?;
        Ok(Written::Next)
    }

    fn on_incomplete(&mut self) -> Result<Written, WriteError> {
        if !self.in_blocks || self.restarts == MAX_RESTARTS {
            return Ok(Written::Done);
        }
        self.restarts += 1;
        self.offset = 0;
        Ok(Written::Next)
    }

    fn advance(&mut self, szx: u8) -> Result<Written, WriteError> {
        self.offset += block_size(self.szx);
        self.szx = self.szx.min(szx);
        self.check_numbers()?;
        Ok(Written::Next)
    }

    /// The Block1 option of the block at the present offset.
    fn current(&self) -> Option<BlockValue> {
        let more = self.length() > self.offset + block_size(self.szx);
        BlockValue::starting_at(self.offset, more, self.szx)
    }

    /// Makes sure that the last block of the body has a number.
    fn check_numbers(&self) -> Result<(), WriteError> {
        let (length, size) = (self.length(), block_size(self.szx));
        let last = length.saturating_sub(1) / size * size;
        match BlockValue::starting_at(last, false, self.szx) {
            Some(_) => Ok(()),
            None => Err(WriteError::TooManyBlocks { length, size }),
        }
    }
}

impl WriteError {
    /// A stable name for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Block(error) => error.discriminant(),
            Self::TooManyBlocks { .. } => "too_many_blocks",
            Self::UnexpectedBlock { .. } => "unexpected_block",
            Self::UnexpectedContinue => "unexpected_continue",
            Self::EndedEarly { .. } => "ended_early",
        }
    }
}
