//! One handshake: OpenSSL runs it on memory, and its records are translated between OpenSSL and
//! the wire.
//!
//! OpenSSL never sees a record with connection identifier, an alert without protection, or, before
//! the end, application data. As soon as it holds a master secret the keys are derived here; protected
//! records are then opened, and sealed again in the other form where one differs. With CBC and without
//! encrypt-then-MAC it is OpenSSL that opens and seals.

mod identity;
mod kept;
pub(super) mod negotiation;
mod outgoing;
mod stream;

use std::net::SocketAddr;

use openssl::ssl::{ErrorCode, ShutdownState, Ssl, SslContextRef, SslStream};

use crate::proto::time::Tick;

use self::negotiation::{Answers, OwnCid};
use self::outgoing::Facts;
pub(super) use self::stream::MemoryIo;
use super::alert;
use super::endpoint::Output;
use super::ffi;
use super::kept::Kept;
use super::keys::{KeyBlock, Writer};
use super::protect::{Envelope, Protector};
use super::replay::ReplayWindow;
use super::suite::Kind;
use super::wire::{self, Assembly, ClientHello, Fragment, Header, TLS12_CID};
use super::{Claim, FailReason, Limits, Mode, RecordDrop, SessionId, Suite};

/// Longest connection identifier of a peer.
pub(super) const MAX_PEER_CID: usize = 32;
/// Records kept while they are ahead of their time.
const MAX_HELD: usize = 4;
/// A flight is not sent again within this time because its hello was repeated.
const REPEAT_MS: u64 = 500;

pub(super) struct Handshake {
    stream: SslStream<MemoryIo>,
    pub(super) id: SessionId,
    pub(super) peer: SocketAddr,
    pub(super) client_random: [u8; 32],
    kind: Kind,
    stage: Stage,
    /// The verdict was good.
    approved: bool,
    /// OpenSSL is through.
    finished: bool,
    claim: Option<Claim>,
    keys: Option<KeyBlock>,
    facts: Facts,
    /// Without encrypt-then-MAC: the session keeps the OpenSSL object.
    keeps: bool,
    /// The peer said that it changes to the new keys.
    cipher_changed: bool,
    own_cid: Option<OwnCid>,
    peer_cid: Option<Vec<u8>>,
    window: ReplayWindow,
    identity: Option<Assembly>,
    /// Protected records that came before the keys, or before OpenSSL has a use for them.
    undeciphered: Vec<Vec<u8>>,
    /// Application data that came before the end.
    overtaken: Vec<Box<[u8]>>,
    /// Protected records the keys did not fit.
    unverified: u32,
    /// The datagrams last sent, or about to be.
    flight: Vec<Vec<u8>>,
    plain_sequence: u64,
    next_sequence: u64,
    deadline: Tick,
    sent_at: Tick,
    wait_ms: u64,
    wrong_key_ms: u64,
    retransmit_ms: u64,
}

enum Stage {
    Running,
    /// The ClientKeyExchange, and what came after it, wait for the key.
    Key(Vec<Vec<u8>>),
    /// The flight with our Finished waits for the verdict.
    Verdict,
}

/// What a step led to.
#[derive(Debug)]
pub(super) enum Progress {
    Continue,
    /// Silently discarded.
    Dropped(RecordDrop),
    Lookup {
        claim: Claim,
        resumed: bool,
    },
    Done,
    Failed(FailReason),
}

/// What a session is made of.
pub(super) struct Takeover {
    pub(super) keys: KeyBlock,
    pub(super) window: ReplayWindow,
    pub(super) next_sequence: u64,
    pub(super) peer_cid: Vec<u8>,
    /// Records of the peer carry our connection identifier.
    pub(super) with_cid: bool,
    pub(super) claim: Claim,
    pub(super) resumed: bool,
    pub(super) max_plaintext: u16,
    /// Our last flight while the peer may miss it.
    pub(super) last_flight: Vec<Vec<u8>>,
    pub(super) overtaken: Vec<Box<[u8]>>,
    /// OpenSSL, where it goes on protecting the records.
    pub(super) kept: Option<Kept>,
    /// Records for it that came before the end.
    pub(super) held: Vec<Vec<u8>>,
}

/// A hello that proved its address, and what was decided about it.
pub(super) struct Start<'a> {
    pub(super) id: SessionId,
    pub(super) peer: SocketAddr,
    pub(super) kind: Kind,
    pub(super) own_cid: Option<OwnCid>,
    /// Without encrypt-then-MAC: the session will keep the OpenSSL object.
    pub(super) keeps: bool,
    pub(super) hello: &'a ClientHello<'a>,
    /// The whole hello in one record.
    pub(super) record: &'a [u8],
    pub(super) sequence: u64,
}

impl Handshake {
    pub(super) fn start(
        now: Tick,
        ctx: &SslContextRef,
        start: &Start,
        limits: &Limits,
    ) -> Option<Self> {
        let peer_cid = start
            .hello
            .connection_id()
            .filter(|cid| start.own_cid.is_some() && cid.len() <= MAX_PEER_CID)
            .map(<[u8]>::to_vec);
        let own_cid = start.own_cid.filter(|_| peer_cid.is_some());
        let mut ssl = Ssl::new(ctx).ok()?;
        let answers = Answers {
            cid: own_cid,
            ..Answers::default()
        };
        if !negotiation::set_answers(&mut ssl, answers) {
            return None;
        }
        ssl.set_accept_state();
        ssl.set_mtu(limits.mtu).ok()?;
        ffi::stop_retransmission_timer(&ssl);
        let io = MemoryIo {
            incoming: Some(start.record.to_vec()),
            outgoing: Vec::new(),
        };
        let stream = SslStream::new(ssl, io).ok()?;
        ffi::listen(stream.ssl()).ok()?;
        Some(Self {
            stream,
            id: start.id,
            peer: start.peer,
            client_random: *start.hello.head.random,
            kind: start.kind,
            stage: Stage::Running,
            approved: false,
            finished: false,
            claim: None,
            keys: None,
            facts: Facts {
                record_limit: start.hello.record_limit(),
                ..Facts::default()
            },
            keeps: start.keeps,
            cipher_changed: false,
            own_cid,
            peer_cid,
            window: ReplayWindow::default(),
            identity: None,
            undeciphered: Vec::new(),
            overtaken: Vec::new(),
            unverified: 0,
            flight: Vec::new(),
            // The peer may have seen lower numbers in HelloVerifyRequests.
            plain_sequence: start.sequence.max(1),
            next_sequence: 0,
            deadline: now.plus_millis(limits.handshake_ms),
            sent_at: now,
            wait_ms: limits.retransmit_ms,
            wrong_key_ms: limits.wrong_key_ms,
            retransmit_ms: limits.retransmit_ms,
        })
    }

    pub(super) const fn mode(&self) -> Mode {
        match (&self.claim, self.kind) {
            (Some(claim), _) => claim.mode(),
            (None, Kind::Psk) => Mode::Psk,
            (None, Kind::RawPublicKey) => Mode::RawPublicKey,
            (None, Kind::Certificate) => Mode::Certificate,
        }
    }

    pub(super) const fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// Takes one record off the wire.
    pub(super) fn feed(
        &mut self,
        now: Tick,
        header: &Header,
        record: &[u8],
        protector: &mut Protector,
        out: &mut Output,
    ) -> Progress {
        match (header.epoch, header.content_type) {
            // Anybody could have sent it, and OpenSSL would end the handshake.
            (0, wire::ALERT) => Progress::Dropped(RecordDrop::PlainAlert),
            (0, wire::HANDSHAKE | wire::CHANGE_CIPHER_SPEC) => {
                self.feed_plain(now, header, record, protector, out)
            }
            (0, _) => Progress::Dropped(RecordDrop::ContentType),
            (1, _) => self.feed_protected(now, header, record, protector, out),
            _ => Progress::Dropped(RecordDrop::Epoch),
        }
    }

    fn feed_plain(
        &mut self,
        now: Tick,
        header: &Header,
        record: &[u8],
        protector: &mut Protector,
        out: &mut Output,
    ) -> Progress {
        match &mut self.stage {
            Stage::Verdict => return Progress::Dropped(RecordDrop::Repeated),
            Stage::Key(parked) => {
                let again = header.content_type != wire::CHANGE_CIPHER_SPEC
                    || parked
                        .iter()
                        .any(|record| record[0] == wire::CHANGE_CIPHER_SPEC);
                if again {
                    return Progress::Dropped(RecordDrop::Repeated);
                }
                parked.push(record.to_vec());
                return Progress::Continue;
            }
            Stage::Running => {}
        }
        let key_exchange = Fragment::parse(header.fragment(record)).filter(|message| {
            self.kind == Kind::Psk
                && !self.approved
                && header.content_type == wire::HANDSHAKE
                && message.message_type == wire::CLIENT_KEY_EXCHANGE
        });
        match key_exchange {
            Some(message) => self.park_key_exchange(header, record, &message, out),
            None => self.give(now, record.to_vec(), protector, out),
        }
    }

    fn feed_protected(
        &mut self,
        now: Tick,
        header: &Header,
        record: &[u8],
        protector: &mut Protector,
        out: &mut Output,
    ) -> Progress {
        let with_cid = header.content_type == TLS12_CID;
        if with_cid != self.expects_cid() {
            return Progress::Dropped(RecordDrop::Form);
        }
        if self.keeps {
            return self.feed_kept(now, header, record, protector, out);
        }
        let Some(keys) = &self.keys else {
            if self.undeciphered.len() == MAX_HELD {
                return Progress::Dropped(RecordDrop::Early);
            }
            self.undeciphered.push(record.to_vec());
            return Progress::Continue;
        };
        if !self.window.is_fresh(header.sequence) {
            return Progress::Dropped(RecordDrop::Replay);
        }
        let keys = keys.written_by(Writer::Client);
        let mut copy = record.to_vec();
        let Ok(opened) = protector.open(keys, header, &mut copy) else {
            self.note_unverified(now);
            return Progress::Dropped(RecordDrop::Authentication);
        };
        let content = &copy[opened.range];
        match opened.content_type {
            wire::APPLICATION_DATA if self.overtaken.len() < MAX_HELD => {
                self.window.mark(header.sequence);
                self.overtaken.push(content.into());
                Progress::Continue
            }
            wire::APPLICATION_DATA => Progress::Dropped(RecordDrop::Early),
            wire::ALERT if content.first() == Some(&alert::FATAL) => {
                Progress::Failed(FailReason::Protocol)
            }
            wire::HANDSHAKE if matches!(self.stage, Stage::Verdict) => {
                Progress::Dropped(RecordDrop::Repeated)
            }
            wire::HANDSHAKE => {
                self.window.mark(header.sequence);
                let mut classic = Vec::with_capacity(record.len());
                if !with_cid {
                    classic.extend_from_slice(record);
                } else {
                    let to = Envelope {
                        content_type: opened.content_type,
                        epoch: 1,
                        sequence: header.sequence,
                        cid: &[],
                    };
                    if protector.seal(keys, to, content, &mut classic).is_err() {
                        return Progress::Failed(FailReason::Internal);
                    }
                }
                self.give(now, classic, protector, out)
            }
            _ => Progress::Dropped(RecordDrop::ContentType),
        }
    }

    /// A protected record did not fit the keys: most likely the peer has others.
    fn note_unverified(&mut self, now: Tick) {
        self.unverified += 1;
        let soon = now.plus_millis(self.wrong_key_ms);
        self.deadline = self.deadline.min(soon);
    }

    /// Gives OpenSSL one record in its own form, then those that waited for keys.
    fn give(
        &mut self,
        now: Tick,
        record: Vec<u8>,
        protector: &mut Protector,
        out: &mut Output,
    ) -> Progress {
        let changes_cipher = record.first() == Some(&wire::CHANGE_CIPHER_SPEC);
        self.stream.get_mut().incoming = Some(record);
        let mut progress = self.step(now, protector, out);
        if self.keeps {
            return if changes_cipher && self.keys.is_some() {
                self.feed_held(now, progress, protector, out)
            } else {
                progress
            };
        }
        while matches!(progress, Progress::Continue | Progress::Dropped(_))
            && self.keys.is_some()
            && !self.undeciphered.is_empty()
        {
            let held = self.undeciphered.remove(0);
            if let Some(header) = Header::parse(&held, self.own_cid_length()) {
                progress = self.feed_protected(now, &header, &held, protector, out);
            }
        }
        progress
    }

    /// Lets OpenSSL go on, and sends what it wants sent.
    pub(super) fn step(
        &mut self,
        now: Tick,
        protector: &mut Protector,
        out: &mut Output,
    ) -> Progress {
        let result = self.stream.do_handshake();
        self.derive_keys();
        let Ok(produced) = self.translate_outgoing(protector) else {
            return Progress::Failed(FailReason::Internal);
        };
        let produced_any = !produced.is_empty();
        if produced_any {
            self.flight = produced;
            self.wait_ms = self.retransmit_ms;
        }
        match result {
            Ok(()) => {
                self.finished = true;
                if self.approved {
                    if produced_any {
                        self.transmit(now, out);
                    } else {
                        self.flight.clear();
                    }
                    return Progress::Done;
                }
                self.ask(false, out)
            }
            Err(error) if error.code() == ErrorCode::WANT_READ => {
                if !self.approved && self.stream.ssl().session_reused() {
                    return self.ask(true, out);
                }
                if produced_any {
                    self.transmit(now, out);
                }
                Progress::Continue
            }
            Err(_) => {
                if produced_any {
                    self.transmit(now, out);
                }
                Progress::Failed(FailReason::Protocol)
            }
        }
    }

    fn derive_keys(&mut self) {
        let ssl = self.stream.ssl();
        let (None, Some(session), Some(cipher)) = (&self.keys, ssl.session(), ssl.current_cipher())
        else {
            return;
        };
        let mut master = zeroize::Zeroizing::new([0; 48]);
        if session.master_key(&mut *master) != master.len() {
            return;
        }
        let (mut client, mut server) = ([0; 32], [0; 32]);
        ssl.client_random(&mut client);
        ssl.server_random(&mut server);
        self.keys = Suite::of_id(u16::from_be_bytes(cipher.protocol_id()))
            .map(|suite| KeyBlock::derive(suite, &master, &client, &server));
    }

    fn own_cid_length(&self) -> usize {
        self.own_cid.map_or(0, |cid| usize::from(cid.length))
    }

    /// Whether the peer's protected records carry a connection identifier of ours.
    fn expects_cid(&self) -> bool {
        self.own_cid_length() > 0
    }

    /// What the session is made of; `None` when OpenSSL agreed to what records are not protected
    /// by here. Call when done.
    pub(super) fn take_over(mut self) -> Option<Takeover> {
        let with_cid = self.expects_cid();
        let resumed = self.stream.ssl().session_reused();
        let kept = if self.keeps {
            Some(Kept::new(self.stream))
        } else {
            // Without it, letting go of the object would forget the session in the id cache.
            self.stream
                .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
            None
        };
        let keys = self.keys?;
        if keys.suite.is_cbc() && !self.facts.encrypt_then_mac && kept.is_none() {
            return None;
        }
        Some(Takeover {
            keys,
            window: self.window,
            next_sequence: self.next_sequence,
            peer_cid: self.peer_cid.unwrap_or_default(),
            with_cid,
            claim: self.claim?,
            resumed,
            max_plaintext: self.facts.max_plaintext(),
            // In a resumed handshake the peer speaks last.
            last_flight: if resumed { Vec::new() } else { self.flight },
            overtaken: self.overtaken,
            held: if kept.is_some() {
                self.undeciphered
            } else {
                Vec::new()
            },
            kept,
        })
    }
}
