//! Message exchanges: retransmission, matching, deduplication, message ids and tokens
//! (RFC 7252 §4 and §5.3).

mod client;
mod dedup;
mod mid;
mod params;
mod token;

pub use client::{Exchange, Matched, TimerOutcome};
pub use dedup::{Answer, DedupRing};
pub use mid::MidSequence;
pub use params::{EXCHANGE_LIFETIME_S, TransmissionParams};
pub use token::Token;
