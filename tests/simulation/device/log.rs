//! What a device did and saw, for the rules.

use std::collections::BTreeMap;

use super::EXCHANGE_LIFETIME;

/// Survives reboots, unlike everything a real device knows.
#[derive(Default)]
pub struct Log {
    /// The value it told last, whether or not it arrived.
    pub told: Option<i64>,
    /// How often it started.
    pub starts: u64,
    /// Registers it began, retransmissions not counted.
    pub registers: u64,
    /// Updates it began.
    pub updates: u64,
    /// Requests it processed.
    pub processed: u64,
    /// What the server must not do.
    pub complaints: Vec<String>,
    /// Requests by message id: when the first copy came, and its bytes.
    by_mid: BTreeMap<u16, (u64, Vec<u8>)>,
    /// Message ids by token.
    by_token: BTreeMap<Vec<u8>, u16>,
}

impl Log {
    /// Notes something the server must not do.
    pub fn complain(&mut self, what: String) {
        self.complaints.push(what);
    }

    /// A request arrived, for the first time or again: within the lifetime of an exchange a message
    /// id stands for one message, and a token for one request.
    pub fn arrived(&mut self, now: u64, mid: u16, token: &[u8], bytes: &[u8]) {
        let known = self.by_mid.get(&mid);
        let (first, same) = known.map_or((now, true), |(at, known)| (*at, known == bytes));
        let over = now - first > EXCHANGE_LIFETIME;
        if !same && !over {
            self.complain(format!("message id {mid} was used for two messages"));
        }
        let first = if same && !over { first } else { now };
        self.by_mid.insert(mid, (first, bytes.to_vec()));
        let known = *self.by_token.entry(token.to_vec()).or_insert(mid);
        if known != mid {
            self.complain(format!("one token for the messages {known} and {mid}"));
        }
    }
}
