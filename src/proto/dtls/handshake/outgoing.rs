//! From OpenSSL to the wire: numbers, forms, and when a flight is sent again.

use openssl::error::ErrorStack;

use crate::proto::dtls::FailReason;
use crate::proto::dtls::endpoint::Output;
use crate::proto::dtls::keys::Writer;
use crate::proto::dtls::protect::{Envelope, Protector};
use crate::proto::dtls::wire::{self, Fragment, Header, ServerHello, extension};
use crate::proto::time::Tick;

use super::{Handshake, REPEAT_MS, Stage};

/// A record of OpenSSL's that could not be translated.
pub(super) struct Untranslatable;

impl From<ErrorStack> for Untranslatable {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

/// What our ServerHello agreed to, and what the peer's hello said of sizes.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) encrypt_then_mac: bool,
    pub(super) max_fragment: Option<u16>,
    pub(super) record_limit: Option<u16>,
}

impl Facts {
    /// Most bytes of plaintext in a record to the peer.
    pub(super) fn max_plaintext(&self) -> u16 {
        let most = wire::MAX_PLAINTEXT as u16;
        let fragment = self.max_fragment.unwrap_or(most);
        most.min(fragment).min(self.record_limit.unwrap_or(most))
    }
}

impl Handshake {
    /// Takes OpenSSL's datagrams and gives protected records their form on the wire.
    pub(super) fn translate_outgoing(
        &mut self,
        protector: &mut Protector,
    ) -> Result<Vec<Vec<u8>>, Untranslatable> {
        let datagrams = std::mem::take(&mut self.stream.get_mut().outgoing);
        datagrams
            .into_iter()
            .map(|datagram| {
                let mut translated = Vec::with_capacity(datagram.len() + 32);
                for (header, record) in wire::records(&datagram, 0) {
                    if header.epoch == 0 {
                        self.note_server_hello(&header, record);
                        translated.extend_from_slice(record);
                    } else {
                        self.translate(&header, record, protector, &mut translated)?;
                    }
                }
                Ok(translated)
            })
            .collect()
    }

    fn translate(
        &mut self,
        header: &Header,
        record: &[u8],
        protector: &mut Protector,
        translated: &mut Vec<u8>,
    ) -> Result<(), Untranslatable> {
        self.next_sequence = self.next_sequence.max(header.sequence + 1);
        let cid = self.peer_cid.as_deref().unwrap_or_default();
        let keys = self.keys.as_ref().ok_or(Untranslatable)?;
        let keys = keys.written_by(Writer::Server);
        // OpenSSL begins GCM's explicit nonce at random; sealed again it is epoch and number, like
        // that of all records after it, and no two can be the same.
        if cid.is_empty() && !keys.bulk.is_gcm() {
            translated.extend_from_slice(record);
            return Ok(());
        }
        let mut copy = record.to_vec();
        let opened = protector
            .open(keys, header, &mut copy)
            .map_err(|_| Untranslatable)?;
        let to = Envelope {
            content_type: opened.content_type,
            epoch: 1,
            sequence: header.sequence,
            cid,
        };
        Ok(protector.seal(keys, to, &copy[opened.range], translated)?)
    }

    /// Only the ServerHello says whether encrypt-then-MAC was agreed.
    fn note_server_hello(&mut self, header: &Header, record: &[u8]) {
        let message = Fragment::parse(header.fragment(record)).filter(|message| {
            header.content_type == wire::HANDSHAKE
                && message.message_type == wire::SERVER_HELLO
                && message.is_whole()
        });
        let Some(hello) = message.and_then(|message| ServerHello::parse(message.body)) else {
            return;
        };
        let found = |number| hello.extensions.get(number);
        self.facts.encrypt_then_mac = found(extension::ENCRYPT_THEN_MAC).is_some();
        if let Some(&[code @ 1..=4]) = found(extension::MAX_FRAGMENT_LENGTH) {
            self.facts.max_fragment = Some(256 << code);
        }
    }

    /// Sends the flight, for the first time or again. Records without protection get new numbers:
    /// the peer takes those that it missed, and number and content are bound by nothing.
    pub(super) fn transmit(&mut self, now: Tick, out: &mut Output) {
        for datagram in &mut self.flight {
            let mut at = 0;
            while let Some(header) = datagram.get(at..).and_then(|rest| Header::parse(rest, 0)) {
                if header.content_type == wire::TLS12_CID || header.epoch != 0 {
                    break;
                }
                let counter = wire::counter(0, self.plain_sequence);
                datagram[at + 3..at + 11].copy_from_slice(&counter);
                self.plain_sequence += 1;
                at += header.total();
            }
            out.send(self.peer, datagram);
        }
        self.sent_at = now;
    }

    /// When something is to be done: repeat the flight or give up.
    pub(in crate::proto::dtls) fn wake(&self) -> Tick {
        if matches!(self.stage, Stage::Running) && !self.flight.is_empty() {
            self.deadline.min(self.sent_at.plus_millis(self.wait_ms))
        } else {
            self.deadline
        }
    }

    /// Why it is over, when its time is.
    pub(in crate::proto::dtls) fn expired(&self, now: Tick) -> Option<FailReason> {
        (self.deadline <= now).then_some(match self.stage {
            Stage::Running if self.unverified > 0 => FailReason::WrongKey,
            Stage::Running => FailReason::Timeout,
            Stage::Key(_) | Stage::Verdict => FailReason::NoVerdict,
        })
    }

    /// Sends the flight again when its timer says so; `true` when it did.
    pub(in crate::proto::dtls) fn retransmit(&mut self, now: Tick, out: &mut Output) -> bool {
        let due = matches!(self.stage, Stage::Running)
            && !self.flight.is_empty()
            && self.sent_at.plus_millis(self.wait_ms) <= now;
        if due {
            self.transmit(now, out);
            self.wait_ms = (self.wait_ms * 2).min(self.retransmit_ms * 16);
        }
        due
    }

    /// The peer repeated its hello: what we answered got lost. `true` when it was sent again.
    pub(in crate::proto::dtls) fn repeat(&mut self, now: Tick, out: &mut Output) -> bool {
        let due = matches!(self.stage, Stage::Running)
            && !self.flight.is_empty()
            && now.millis_since(self.sent_at) >= REPEAT_MS;
        if due {
            self.transmit(now, out);
        }
        due
    }
}
