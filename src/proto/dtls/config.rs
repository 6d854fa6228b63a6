//! What an endpoint is told when it begins.

use std::fmt;

use super::cid::MAX_LENGTH;

/// Settings of a shard's [`DtlsEndpoint`](super::DtlsEndpoint).
#[derive(Clone)]
pub struct DtlsConfig {
    /// This shard; the first byte of its connection identifiers.
    pub shard: u8,
    /// This server among those that share an address; in connection identifiers of 5 bytes and more.
    pub node: u8,
    /// Length of our connection identifiers, 0 to 16 bytes. `None`: the extension is not answered.
    /// 0: the peer's identifier is used, none of ours. Below 4 bytes only the first slots get one.
    pub cid_length: Option<u8>,
    /// Random, the same for all shards, at best kept over a restart: cookies, generations and
    /// table seeds are derived from it.
    pub secret: [u8; 32],
    /// Bounds.
    pub limits: Limits,
}

impl DtlsConfig {
    /// Identifiers of 8 bytes and default limits.
    #[must_use]
    pub fn new(shard: u8, secret: [u8; 32]) -> Self {
        Self {
            shard,
            node: 0,
            cid_length: Some(8),
            secret,
            limits: Limits::default(),
        }
    }

    pub(super) fn cid_length_in_range(&self) -> bool {
        self.cid_length
            .is_none_or(|length| usize::from(length) <= MAX_LENGTH)
    }
}

impl fmt::Debug for DtlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsConfig")
            .field("shard", &self.shard)
            .field("node", &self.node)
            .field("cid_length", &self.cid_length)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Bounds of one shard. What is beyond them is dropped and counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sessions, those of handshakes in flight included; at most 2^24. Default 2^21.
    pub sessions: u32,
    /// Handshakes in flight, about 80 KB each while they last. Default 2,000.
    pub handshakes: usize,
    /// Sessions with CBC and without encrypt-then-MAC: each keeps its OpenSSL object, about 65 KB. 0:
    /// such clients are refused. Default 500.
    pub kept_sessions: usize,
    /// Handshakes begun per second. Default 10,000.
    pub handshakes_per_second: u32,
    /// Handshakes begun per second from one IP address. Default 1,000, for devices behind one NAT.
    pub handshakes_per_ip: u32,
    /// Partly received ClientHellos with a good cookie, one per address. Default 1,024.
    pub partial_hellos: usize,
    /// Size of a ClientHello in fragments, in bytes. Default 4,096.
    pub hello_size: usize,
    /// How long a partial ClientHello is kept, in ms. Default 10,000.
    pub partial_hello_ms: u64,
    /// How long a handshake may take from its verified hello, in ms. Default 60,000.
    pub handshake_ms: u64,
    /// How much longer it may take after records came that the keys do not fit, in ms. Default 3,000.
    pub wrong_key_ms: u64,
    /// First wait before a flight is repeated, in ms; doubles up to 16 times as much. Default 1,000.
    pub retransmit_ms: u64,
    /// How long a session may be silent, in ms, to a second; 0: for ever. Default 0.
    pub session_idle_ms: u64,
    /// How long a cookie secret is used, in ms; its cookies are good as long again. Default 60,000.
    pub cookie_ms: u64,
    /// Largest datagram sent in a handshake, in bytes, 256 to 16,384. Default 1,200.
    pub mtu: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 1 << 21,
            handshakes: 2_000,
            kept_sessions: 500,
            handshakes_per_second: 10_000,
            handshakes_per_ip: 1_000,
            partial_hellos: 1_024,
            hello_size: 4_096,
            partial_hello_ms: 10_000,
            handshake_ms: 60_000,
            wrong_key_ms: 3_000,
            retransmit_ms: 1_000,
            session_idle_ms: 0,
            cookie_ms: 60_000,
            mtu: 1_200,
        }
    }
}
