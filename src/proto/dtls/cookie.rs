//! Stateless HelloVerifyRequest (RFC 6347 §4.2.1): nothing is kept of a peer before it proved its
//! address.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::proto::time::Tick;

use super::wire::{self, HelloHead};

const LENGTH: usize = 16;

/// Makes and checks cookies. A secret is made for each period out of one that all shards share, so
/// that a cookie is good wherever the next hello arrives; the last period's is good as well.
pub(super) struct Cookies {
    secret: Hmac<Sha256>,
    period_ms: u64,
    /// The MACs of a period and the one before, keyed.
    current: (u64, Hmac<Sha256>, Hmac<Sha256>),
}

impl Cookies {
    pub(super) fn new(secret: &[u8; 32], period_ms: u64) -> Self {
        let secret = mac(&derived(&mac(secret), b"dtls cookie"));
        let current = (0, period_key(&secret, 0), period_key(&secret, 0));
        Self {
            secret,
            period_ms: period_ms.max(1),
            current,
        }
    }

    /// Whether the cookie was given to this address for this hello, in this period or the last.
    pub(super) fn verifies(&mut self, now: Tick, peer: SocketAddr, hello: &HelloHead) -> bool {
        if hello.cookie.len() != LENGTH {
            return false;
        }
        self.rotate(now);
        let (_, current, previous) = &self.current;
        let good = |key| cookie(key, peer, hello).ct_eq(hello.cookie);
        (good(current) | good(previous)).into()
    }

    /// Appends the datagram that asks the peer to repeat its hello with the cookie. It repeats the
    /// hello's record number and says DTLS 1.0, as the RFC wants.
    pub(super) fn put_request(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        hello: &HelloHead,
        sequence: u64,
        out: &mut Vec<u8>,
    ) {
        const BODY: usize = 3 + LENGTH;
        self.rotate(now);
        let mut message = [0; 12 + BODY];
        message[0] = wire::HELLO_VERIFY_REQUEST;
        message[3] = BODY as u8;
        message[11] = BODY as u8;
        message[12..14].copy_from_slice(&wire::DTLS10);
        message[14] = LENGTH as u8;
        message[15..].copy_from_slice(&cookie(&self.current.1, peer, hello));
        wire::put_plain_record(out, wire::HANDSHAKE, wire::DTLS10, sequence, &message);
    }

    fn rotate(&mut self, now: Tick) {
        let period = now.as_millis() / self.period_ms;
        if period != self.current.0 {
            let key = |period| period_key(&self.secret, period);
            self.current = (period, key(period), key(period.wrapping_sub(1)));
        }
    }
}

/// Covers all that stands before the cookie: that much is in the first fragment of a hello, so a
/// hello in fragments can be answered too.
fn cookie(key: &Hmac<Sha256>, peer: SocketAddr, hello: &HelloHead) -> [u8; LENGTH] {
    let mut mac = key.clone();
    match peer.ip() {
        IpAddr::V4(ip) => mac.update(&ip.octets()),
        IpAddr::V6(ip) => mac.update(&ip.octets()),
    }
    mac.update(&peer.port().to_be_bytes());
    mac.update(hello.before_cookie);
    let mut short = [0; LENGTH];
    short.copy_from_slice(&mac.finalize().into_bytes()[..LENGTH]);
    short
}

fn period_key(secret: &Hmac<Sha256>, period: u64) -> Hmac<Sha256> {
    mac(&derived(secret, &period.to_be_bytes()))
}

/// A secret for one purpose.
pub(super) fn derived(secret: &Hmac<Sha256>, purpose: &[u8]) -> [u8; 32] {
    secret
        .clone()
        .chain_update(purpose)
        .finalize()
        .into_bytes()
        .into()
}

/// A key of 32 bytes fits the block of SHA-256 as it is.
pub(super) fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    Hmac::new(&block.into())
}
