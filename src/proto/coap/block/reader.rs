//! The client's side of Block2: fetching a response body block by block.

use thiserror::Error;

use super::super::code::Code;
use super::super::exchange::Token;
use super::super::message::MessageView;
use super::value::{BlockError, BlockValue, MAX_SZX};

/// How often a body may change under the reader before it gives up.
const MAX_RESTARTS: u8 = 3;

/// Collects the body of one response (RFC 7959 §2.4).
///
/// The first response goes in as it came, be it the answer to a GET, FETCH or POST or a
/// notification. As long as [`feed`](Self::feed) says [`Read::Ask`], the caller sends the same
/// request again with that Block2 option, without Observe, with a new token, and feeds the
/// response.
#[derive(Debug)]
pub struct BodyReader {
    body: Vec<u8>,
    /// ETags have up to 8 bytes, as tokens do.
    etag: Option<Token>,
    content_format: Option<u16>,
    szx: u8,
    restarts: u8,
    limit: usize,
}

/// How the transfer goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Read {
    /// Ask for this block.
    Ask(BlockValue),
    /// This is the body.
    Complete(Vec<u8>),
}

/// Why a response body cannot be fetched. The reader is of no use afterwards.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ReadError {
    /// The peer answered a block request with an error.
    #[error("the peer answered {code} to a request for a block")]
    Refused {
        /// Code of the response.
        code: Code,
    },
    /// The Block2 option cannot be decoded.
    #[error("Block2: {0}")]
    Block(#[from] BlockError),
    /// A response to a request for a block other than the first has no Block2 option.
    #[error("the response to a request for the block at byte {offset} has no Block2 option")]
    BlockMissing {
        /// Start of the block asked for.
        offset: usize,
    },
    /// Another block than the one asked for.
    #[error("asked for the block at byte {expected}, got the one at byte {received}")]
    UnexpectedBlock {
        /// Start of the block asked for.
        expected: usize,
        /// Start of the block received.
        received: usize,
    },
    /// The payload does not have the length that the Block2 option says.
    #[error("block at byte {offset} has {length} bytes of payload, its size is {size}")]
    WrongLength {
        /// Start of the block.
        offset: usize,
        /// Bytes of payload.
        length: usize,
        /// Bytes of a full block.
        size: usize,
    },
    /// The body is larger than the reader takes.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The most bytes the reader takes.
        limit: usize,
    },
    /// The body changed again and again while it was fetched.
    #[error("the body changed {MAX_RESTARTS} times while it was fetched")]
    KeepsChanging,
}

impl BodyReader {
    /// A reader of bodies of at most `limit` bytes that asks for blocks of size 2^(`szx` + 4) or
    /// smaller, `szx` 0 to 6.
    #[must_use]
    pub fn new(szx: u8, limit: usize) -> Self {
        Self {
            body: Vec::new(),
            etag: None,
            content_format: None,
            szx: szx.min(MAX_SZX),
            restarts: 0,
            limit,
        }
    }

    /// The Block2 option for the first request, if the peer is to know from the start which block
    /// size is wanted (early negotiation, RFC 7959 §2.4). It may be left out.
    #[must_use]
    pub const fn first(&self) -> BlockValue {
        BlockValue::FIRST.with_szx_at_most(self.szx)
    }

    /// Format of the body, from its first block.
    #[must_use]
    pub const fn content_format(&self) -> Option<u16> {
        self.content_format
    }

    /// Takes the next response.
    ///
    /// A response without Block2 is the whole body. A peer may choose smaller blocks at any time.
    /// When the ETag shows that the body changed since the first block, the reader begins again,
    /// three times at most.
    ///
    /// # Errors
    ///
    /// The transfer cannot go on; see [`ReadError`].
    pub fn feed(&mut self, response: &MessageView<'_>) -> Result<Read, ReadError> {
        let code = response.code();
        if !code.is_success() {
            return Err(ReadError::Refused { code });
        }
        let expected = self.body.len();
        let Some(block) = response.block2().transpose()? else {
            return self.take_whole(response, expected);
        };
        let etag = response.etag().and_then(Token::new);
        if expected == 0 {
            self.etag = etag;
            self.content_format = response.content_format();
        } else if etag.is_some() && self.etag.is_some() && etag != self.etag {
            return self.restart();
        }
        self.take_block(block, response.payload())?;
        let announced = response.size2().map_or(0, |size| size as usize);
        if self.body.len().max(announced) > self.limit {
            return Err(self.too_large());
        }
        if !block.more() {
            return Ok(Read::Complete(std::mem::take(&mut self.body)));
        }
        self.szx = self.szx.min(block.szx());
        BlockValue::starting_at(self.body.len(), false, self.szx)
            .map(Read::Ask)
            .ok_or_else(|| self.too_large())
    }

    fn take_whole(
        &mut self,
        response: &MessageView<'_>,
        expected: usize,
    ) -> Result<Read, ReadError> {
        if expected > 0 {
            return Err(ReadError::BlockMissing { offset: expected });
        }
        if response.payload().len() > self.limit {
            return Err(self.too_large());
        }
        self.content_format = response.content_format();
        Ok(Read::Complete(response.payload().to_vec()))
    }

    fn take_block(&mut self, block: BlockValue, payload: &[u8]) -> Result<(), ReadError> {
        let offset = block.offset();
        if offset != self.body.len() {
            return Err(ReadError::UnexpectedBlock {
                expected: self.body.len(),
                received: offset,
            });
        }
        if !block.allows(payload.len()) {
            return Err(ReadError::WrongLength {
                offset,
                length: payload.len(),
                size: block.size(),
            });
        }
        self.body.extend_from_slice(payload);
        Ok(())
    }

    fn restart(&mut self) -> Result<Read, ReadError> {
        if self.restarts == MAX_RESTARTS {
            return Err(ReadError::KeepsChanging);
        }
        self.restarts += 1;
        self.body.clear();
        Ok(Read::Ask(self.first()))
    }

    const fn too_large(&self) -> ReadError {
        ReadError::TooLarge { limit: self.limit }
    }
}

impl ReadError {
    /// A stable name for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Block(error) => error.discriminant(),
            Self::BlockMissing { .. } => "block_missing",
            Self::UnexpectedBlock { .. } => "unexpected_block",
            Self::WrongLength { .. } => "wrong_length",
            Self::TooLarge { .. } => "too_large",
            Self::KeepsChanging => "keeps_changing",
        }
    }
}
