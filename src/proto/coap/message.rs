//! The CoAP message: borrowed view, writer, header, format errors (RFC 7252 §3).

mod error;
mod header;
mod options;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use error::FormatError;
pub use header::{Header, MessageType};
pub use options::{OptionRef, Options};
pub use view::MessageView;
pub(super) use view::decode_uint;
pub use writer::MessageWriter;
