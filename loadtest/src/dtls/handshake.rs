//! One handshake: OpenSSL runs it on memory I/O, this translates between its records and those of the wire.
//!
//! OpenSSL sees records of epoch 1 in the form of RFC 6347 only; what has a connection identifier is opened and sealed
//! again. Numbers and repetitions of what is sent are ours: OpenSSL's own timer would read a clock.

use std::io::{self, ErrorKind, Read, Write};

use openssl::error::ErrorStack;
use openssl::ssl::{ErrorCode, ShutdownState, Ssl, SslStream};
use thiserror::Error;

use super::cid::Cid;
use super::connector::attached;
use super::flight::{Flight, Numbers, Part};
use super::keys::{Bulk, KeyBlock, Writer};
use super::protect::{Envelope, Protector};
use super::replay::ReplayWindow;
use super::session::{LastFlight, Session};
use super::wire::{self, Record, TLS12_CID, records};
use crate::clock::Micros;

/// The first flight's time-out; it doubles with each repetition (RFC 6347 §4.2.4.1).
const FIRST_TIMEOUT: Micros = 1_000_000;
const LONGEST_TIMEOUT: Micros = 60_000_000;
/// Records that are kept because they came too early.
const MAX_HELD: usize = 4;

/// A handshake under way.
pub struct Handshake {
    stream: SslStream<MemoryIo>,
    /// What the server was told to put on its records.
    own: Cid,
    deadline: Micros,
    resend_at: Micros,
    timeout: Micros,
    flight: Flight,
    numbers: Numbers,
    keys: Option<KeyBlock>,
    window: ReplayWindow,
    /// Protected records that came before there were keys.
    undeciphered: Vec<Vec<u8>>,
    /// Application data that came before the Finished.
    early: Vec<Vec<u8>>,
    records_dropped: u32,
    content: Vec<u8>,
}

/// Where a handshake stands.
#[derive(Debug)]
pub enum Progress {
    /// It goes on.
    Continue,
    /// It is done.
    Done(Box<Established>),
    /// It has failed.
    Failed(HandshakeError),
}

/// The outcome of a handshake.
#[derive(Debug)]
pub struct Established {
    /// The session.
    pub session: Session,
    /// What a later handshake may resume, as DER.
    pub resumption: Option<Box<[u8]>>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The suite's name.
    pub suite: &'static str,
    /// Application data that came already.
    pub early: Vec<Vec<u8>>,
}

/// Why a handshake failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// OpenSSL has no room for what belongs to a handshake.
    #[error("OpenSSL has no index for extra data")]
    NoRoom,
    /// The pre-shared key or its identity.
    #[error(
        "a pre-shared key of 1 to 512 bytes and an identity of up to 256 bytes, none of them 0, are accepted"
    )]
    UnusableKey,
    /// The device's identifier.
    #[error("a connection identifier has at most 255 bytes")]
    LongConnectionId,
    /// A function of OpenSSL failed.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// OpenSSL ended it.
    #[error("refused here: {0}")]
    Refused(String),
    /// The server ended it.
    #[error("the server refused with alert {0}{known}", known = alert_name(*.0))]
    Alert(u8),
    /// It took too long. With a pre-shared key, a wrong one looks like this.
    #[error("not done in time")]
    TimedOut,
    /// The suite has no record protection here.
    #[error("suite {0} is not for this record layer")]
    Suite(&'static str),
}

impl HandshakeError {
    /// The kind, for counting.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Alert(_) => "alert",
            _ => "refused",
        }
    }
}

impl Handshake {
    /// Makes OpenSSL write its hello; [`Self::poll`] sends it.
    pub(super) fn begin(
        ssl: Ssl,
        own: Cid,
        now: Micros,
        at_most: Micros,
    ) -> Result<Self, HandshakeError> {
        let stream = SslStream::new(ssl, MemoryIo::default())?;
        Ok(Self {
            stream,
            own,
            deadline: now.saturating_add(at_most),
            resend_at: now,
            timeout: FIRST_TIMEOUT / 2,
            flight: Flight::default(),
            numbers: Numbers::default(),
            keys: None,
            window: ReplayWindow::default(),
            undeciphered: Vec::new(),
            early: Vec::new(),
            records_dropped: 0,
            content: Vec::new(),
        })
    }

    /// When [`Self::poll`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Micros {
        self.resend_at.min(self.deadline)
    }

    /// Records that were for nothing: of another form, or not authentic.
    #[must_use]
    pub const fn records_dropped(&self) -> u32 {
        self.records_dropped
    }

    /// Sends what is due: the first flight, or once more the last one.
    pub fn poll(
        &mut self,
        now: Micros,
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Progress {
        if now >= self.deadline {
            return Progress::Failed(HandshakeError::TimedOut);
        }
        if now < self.resend_at {
            return Progress::Continue;
        }
        if self.flight.datagrams.is_empty() {
            return self.step(None, now, protector, out);
        }
        self.timeout = (self.timeout * 2).min(LONGEST_TIMEOUT);
        self.resend_at = now + self.timeout;
        match self.send(protector, out) {
            Ok(()) => Progress::Continue,
            Err(error) => Progress::Failed(error.into()),
        }
    }

    /// Takes a datagram of the server.
    pub fn receive(
        &mut self,
        datagram: &[u8],
        now: Micros,
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Progress {
        let own_length = self.own.bytes().len();
        for record in records(datagram, own_length) {
            let mut progress = self.on_record(&record, now, protector, out);
            while matches!(progress, Progress::Continue)
                && !self.undeciphered.is_empty()
                && self.derive_keys()
            {
                let held = self.undeciphered.remove(0);
                for record in records(&held, own_length) {
                    progress = self.on_record(&record, now, protector, out);
                }
            }
            match progress {
                Progress::Continue => {}
                // The records behind it belong to the session.
                Progress::Done(mut established) => {
                    let rest = record.bytes.as_ptr() as usize - datagram.as_ptr() as usize
                        + record.bytes.len();
                    for record in records(&datagram[rest..], own_length) {
                        let mut content = Vec::new();
                        let received =
                            established
                                .session
                                .receive(&record, protector, &mut content);
                        if matches!(received, super::Received::Data) {
                            established.early.push(content);
                        }
                    }
                    return Progress::Done(established);
                }
                failed @ Progress::Failed(_) => return failed,
            }
        }
        Progress::Continue
    }

    fn on_record(
        &mut self,
        record: &Record<'_>,
        now: Micros,
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Progress {
        match (record.epoch, record.content_type) {
            (0, wire::HANDSHAKE | wire::CHANGE_CIPHER_SPEC) => {
                self.step(Some(record.bytes.to_vec()), now, protector, out)
            }
            (0, wire::ALERT) => match record.alert() {
                Some((wire::FATAL, description)) => {
                    Progress::Failed(HandshakeError::Alert(description))
                }
                _ => Progress::Continue,
            },
            (1, _) => self.on_protected(record, now, protector, out),
            _ => self.drop_record(),
        }
    }

    fn on_protected(
        &mut self,
        record: &Record<'_>,
        now: Micros,
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Progress {
        if !self.derive_keys() {
            if self.undeciphered.len() < MAX_HELD {
                self.undeciphered.push(record.bytes.to_vec());
                return Progress::Continue;
            }
            return self.drop_record();
        }
        let with_cid = !self.own.is_empty() && attached_cid(&self.stream).is_some();
        let of_our_form = (record.content_type == TLS12_CID) == with_cid
            && (!with_cid || record.cid == self.own.bytes());
        let Some(keys) = self.keys.as_ref().filter(|_| of_our_form) else {
            return self.drop_record();
        };
        let keys = keys.written_by(Writer::Server);
        let mut content = std::mem::take(&mut self.content);
        let opened = protector.open(keys, record, &mut content);
        let progress = match opened {
            Err(_) => self.drop_record(),
            Ok(_) if !self.window.is_fresh(record.sequence) => self.drop_record(),
            Ok(wire::APPLICATION_DATA) if self.early.len() < MAX_HELD => {
                self.window.mark(record.sequence);
                self.early.push(content.clone());
                Progress::Continue
            }
            Ok(wire::ALERT) if content.first() == Some(&wire::FATAL) => {
                let description = content.get(1).copied().unwrap_or_default();
                Progress::Failed(HandshakeError::Alert(description))
            }
            Ok(content_type @ wire::HANDSHAKE) => {
                self.window.mark(record.sequence);
                let mut bytes = Vec::new();
                let to = Envelope {
                    content_type,
                    sequence: record.sequence,
                    cid: &[],
                };
                match protector.seal(keys, to, &content, &mut bytes) {
                    Ok(()) => self.step(Some(bytes), now, protector, out),
                    Err(error) => Progress::Failed(error.into()),
                }
            }
            Ok(_) => self.drop_record(),
        };
        self.content = content;
        progress
    }

    fn drop_record(&mut self) -> Progress {
        self.records_dropped += 1;
        Progress::Continue
    }

    /// Lets OpenSSL go on, with one record or none.
    fn step(
        &mut self,
        record: Option<Vec<u8>>,
        now: Micros,
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Progress {
        self.stream.get_mut().incoming = record;
        let result = self.stream.do_handshake();
        let wrote = match self.collect(protector) {
            Ok(wrote) => wrote,
            Err(error) => return Progress::Failed(error),
        };
        if wrote {
            self.timeout = FIRST_TIMEOUT;
            self.resend_at = now + self.timeout;
            if let Err(error) = self.send(protector, out) {
                return Progress::Failed(error.into());
            }
        }
        match result {
            Ok(()) => self.finish(wrote),
            Err(error) if error.code() == ErrorCode::WANT_READ => Progress::Continue,
            Err(error) => Progress::Failed(HandshakeError::Refused(error.to_string())),
        }
    }

    /// Takes what OpenSSL wrote as the flight to be sent; whether it wrote anything.
    fn collect(&mut self, protector: &mut Protector) -> Result<bool, HandshakeError> {
        let written = std::mem::take(&mut self.stream.get_mut().outgoing);
        let mut flight = Flight::default();
        for datagram in &written {
            let mut parts = Vec::new();
            for record in records(datagram, 0) {
                let protected = record.epoch == 1;
                if protected && !self.derive_keys() {
                    let cipher = self.stream.ssl().current_cipher();
                    let name = cipher.map_or("(none)", |cipher| cipher.name());
                    return Err(HandshakeError::Suite(name));
                }
                let mut part = Part {
                    content_type: record.content_type,
                    protected,
                    content: record.fragment.to_vec(),
                };
                if let Some(keys) = self.keys.as_ref().filter(|_| protected) {
                    let keys = keys.written_by(Writer::Client);
                    let mut content = Vec::new();
                    part.content_type = protector
                        .open(keys, &record, &mut content)
                        .map_err(|_| HandshakeError::Refused("its own record".into()))?;
                    part.content = content;
                }
                parts.push(part);
            }
            flight.datagrams.push(parts);
        }
        let wrote = !flight.datagrams.is_empty();
        if wrote {
            self.flight = flight;
        }
        Ok(wrote)
    }

    fn send(
        &mut self,
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), ErrorStack> {
        let cid = attached_cid(&self.stream).cloned().unwrap_or(Cid::EMPTY);
        let (numbers, keys) = (&mut self.numbers, self.keys.as_ref());
        self.flight
            .write(numbers, keys, cid.bytes(), protector, out)
    }

    /// Whether there are keys. OpenSSL has its master secret from the last message before epoch 1 on, and that of a
    /// session that is offered even before the server has agreed to it.
    fn derive_keys(&mut self) -> bool {
        if self.keys.is_some() {
            return true;
        }
        let ssl = self.stream.ssl();
        let (Some(session), Some(cipher)) = (ssl.session(), ssl.current_cipher()) else {
            return false;
        };
        let (mut master, mut client, mut server) = ([0; 48], [0; 32], [0; 32]);
        if session.master_key(&mut master) != master.len() {
            return false;
        }
        ssl.client_random(&mut client);
        ssl.server_random(&mut server);
        if server == [0; 32] {
            return false;
        }
        self.keys = Bulk::of_suite(cipher.protocol_id())
            .and_then(|bulk| KeyBlock::derive(bulk, &master, &client, &server).ok());
        self.keys.is_some()
    }

    /// Takes everything over. `spoke_last`: the server may still miss our last flight, as after a resumption.
    fn finish(&mut self, spoke_last: bool) -> Progress {
        let peer = attached_cid(&self.stream).cloned();
        let ssl = self.stream.ssl();
        let suite = ssl.current_cipher().map_or("", |cipher| cipher.name());
        let resumed = ssl.session_reused();
        let resumption = ssl
            .session()
            .filter(|_| attached(ssl).is_some_and(|attached| attached.resumption))
            .and_then(|session| session.to_der().ok());
        self.stream
            .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
        let Some(keys) = self.keys.take() else {
            return Progress::Failed(HandshakeError::Suite(suite));
        };
        let last_flight = spoke_last.then(|| LastFlight {
            flight: std::mem::take(&mut self.flight),
            next_plain: self.numbers.plain,
        });
        // Without an agreement on identifiers nobody uses any.
        let own = match &peer {
            Some(_) => self.own.clone(),
            None => Cid::EMPTY,
        };
        let session = Session::new(
            keys,
            self.window,
            self.numbers.protected,
            own,
            peer.unwrap_or(Cid::EMPTY),
            last_flight,
        );
        Progress::Done(Box::new(Established {
            session,
            resumption: resumption.map(Vec::into_boxed_slice),
            resumed,
            suite,
            early: std::mem::take(&mut self.early),
        }))
    }
}

fn attached_cid(stream: &SslStream<MemoryIo>) -> Option<&Cid> {
    attached(stream.ssl())?.negotiated.as_ref()
}

/// The names of alerts that servers answer wrong credentials with (RFC 5246 §7.2, RFC 4279 §2).
const fn alert_name(description: u8) -> &'static str {
    match description {
        20 => " (bad record MAC)",
        40 => " (handshake failure)",
        42 => " (bad certificate)",
        43 => " (unsupported certificate)",
        45 => " (certificate expired)",
        46 => " (certificate unknown)",
        47 => " (illegal parameter)",
        48 => " (unknown authority)",
        49 => " (access denied)",
        51 => " (decrypt error)",
        80 => " (internal error)",
        115 => " (unknown identity)",
        _ => "",
    }
}

/// What OpenSSL reads from and writes to: one record in, any number of datagrams out.
#[derive(Debug, Default)]
pub(super) struct MemoryIo {
    pub(super) incoming: Option<Vec<u8>>,
    pub(super) outgoing: Vec<Vec<u8>>,
}

impl Read for MemoryIo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let record = self.incoming.take().ok_or(ErrorKind::WouldBlock)?;
        let length = record.len().min(buffer.len());
        buffer[..length].copy_from_slice(&record[..length]);
        Ok(length)
    }
}

impl Write for MemoryIo {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
