//! CoAP of a simulated device (RFC 7252, RFC 7641), on coap-lite.

mod exchange;
mod message;

pub use exchange::{Exchange, OnTimeout, Timing};
pub use message::{Message, Parsed, append, kind_of, observe_bytes};
