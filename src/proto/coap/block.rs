//! Block-wise transfer, both ways and both roles (RFC 7959).
//!
//! | body in a | we are the server | we are the client |
//! |---|---|---|
//! | request (Block1) | [`Assembler`] | [`BodyWriter`] |
//! | response (Block2) | [`slice()`] | [`BodyReader`] |

mod assembler;
mod identity;
mod lru;
mod reader;
mod slice;
mod value;
mod writer;

#[cfg(test)]
mod tests;

pub use assembler::{Assembled, Assembler, AssemblerCounters, AssemblerLimits};
pub use identity::hash_request;
pub use reader::{BodyReader, Read, ReadError};
pub use slice::slice;
pub use value::{BlockError, BlockValue};
pub use writer::{BodyWriter, OutgoingBlock, WriteError, Written};
