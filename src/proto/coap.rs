//! CoAP: messages, exchanges, block-wise transfer, observation, pacing (RFC 7252, 7641, 7959).
//!
//! Everything here works on bytes and on ticks handed in by the caller. The path of an ordinary
//! datagram (parse, deduplication, writing an answer) allocates nothing.

pub mod block;
mod code;
pub mod content_format;
pub mod exchange;
mod message;
mod no_response;
pub mod observe;
pub mod option;
pub mod pacing;

pub use code::Code;
pub use message::{
    FormatError, Header, MessageType, MessageView, MessageWriter, OptionRef, Options,
};
pub use no_response::NoResponse;
