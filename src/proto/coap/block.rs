//! Block-wise transfer (RFC 7959).

mod value;

pub use value::{BlockError, BlockValue};
