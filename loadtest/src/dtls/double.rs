//! A server for tests: OpenSSL in memory, records of RFC 9146 translated for it.

pub mod gateway;

use std::sync::LazyLock;

use openssl::ec::{EcGroup, EcKey};
use openssl::ex_data::Index;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    ErrorCode, ExtensionContext, ShutdownState, Ssl, SslContext, SslMethod, SslOptions,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509NameBuilder};

use super::ffi;
use super::handshake::MemoryIo;
use super::keys::{Bulk, KeyBlock, Writer};
use super::login::{Login, Mode};
use super::protect::{Envelope, Protector};
use super::wire::{self, TLS12_CID, records};
use crate::clock::Micros;

pub const IDENTITY: &[u8] = b"urn:dev:1";
pub const KEY: &[u8] = &[0x5a; 16];
pub const SERVER_CID: [u8; 8] = [0xc1, 1, 2, 3, 4, 5, 6, 7];
/// How long the server waits before it says its last word again.
const RESEND: Micros = 1_500_000;

/// The key of an identity.
pub type KeyOf = fn(&[u8]) -> Vec<u8>;

/// What the server is like.
pub struct ServerOptions {
    pub mode: Mode,
    pub connection_id: bool,
    pub tickets: bool,
    pub suites: &'static str,
    /// The key of a PSK identity, in place of the one that is known.
    pub key_of: Option<KeyOf>,
    /// Whose certificates are taken, in place of the device's own.
    pub authority: Option<X509>,
}

impl ServerOptions {
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            connection_id: false,
            tickets: false,
            suites: "ALL",
            key_of: None,
            authority: None,
        }
    }
}

/// Everything that both sides of a test need to know.
pub struct World {
    pub context: SslContext,
    pub server_key: PKey<Private>,
    pub server_certificate: X509,
    pub login: Login,
}

pub fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A certificate that signs itself.
pub fn certificate(name: &str, key: &PKey<Private>) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    let day = |days| openssl::asn1::Asn1Time::days_from_now(days).unwrap();
    builder.set_not_before(&day(0)).unwrap();
    builder.set_not_after(&day(10)).unwrap();
    builder
        .sign(key, openssl::hash::MessageDigest::sha256())
        .unwrap();
    builder.build()
}

struct Cids {
    own: Vec<u8>,
    peer: Option<Vec<u8>>,
}

static CIDS: LazyLock<Index<Ssl, Cids>> = LazyLock::new(|| Ssl::new_ex_index().unwrap());

impl World {
    pub fn new(options: &ServerOptions) -> Self {
        let (server_key, device_key) = (new_key(), new_key());
        let server_certificate = certificate("server", &server_key);
        let device_certificate = certificate("urn:dev:1", &device_key);
        let mut ctx = SslContext::builder(SslMethod::dtls_server()).unwrap();
        ctx.set_min_proto_version(Some(SslVersion::DTLS1_2))
            .unwrap();
        ctx.set_cipher_list(&format!("{}:@SECLEVEL=0", options.suites))
            .unwrap();
        ctx.set_options(SslOptions::NO_QUERY_MTU | SslOptions::COOKIE_EXCHANGE);
        if !options.tickets {
            ctx.set_options(SslOptions::NO_TICKET);
        }
        ctx.set_session_cache_mode(SslSessionCacheMode::SERVER);
        ctx.set_session_id_context(b"test").unwrap();
        ctx.set_cookie_generate_cb(|_, cookie| {
            cookie[..4].copy_from_slice(b"cake");
            Ok(4)
        });
        ctx.set_cookie_verify_cb(|_, cookie| cookie == b"cake");
        match options.mode {
            Mode::Psk => {
                let key_of = options.key_of;
                ctx.set_psk_server_callback(move |_, identity, out| {
                    let key = match (identity, key_of) {
                        (Some(identity), Some(key_of)) => key_of(identity),
                        (Some(IDENTITY), None) => KEY.to_vec(),
                        _ => return Ok(0),
                    };
                    out[..key.len()].copy_from_slice(&key);
                    Ok(key.len())
                });
            }
            Mode::RawPublicKey => {
                ctx.set_private_key(&server_key).unwrap();
                ffi::use_raw_public_keys(&mut ctx).unwrap();
                let require = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
                ctx.set_verify_callback(require, |_, _| true);
            }
            Mode::Certificate => {
                ctx.set_private_key(&server_key).unwrap();
                ctx.set_certificate(&server_certificate).unwrap();
                let authority = options.authority.as_ref();
                let authority = authority.unwrap_or(&device_certificate).clone();
                ctx.cert_store_mut().add_cert(authority).unwrap();
                ctx.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
            }
        }
        if options.connection_id {
            ctx.add_custom_ext(
                54,
                ExtensionContext::DTLS_ONLY
                    | ExtensionContext::TLS1_2_AND_BELOW_ONLY
                    | ExtensionContext::CLIENT_HELLO
                    | ExtensionContext::TLS1_2_SERVER_HELLO,
                |ssl, _, _| {
                    let own = &ssl.ex_data(*CIDS).unwrap().own;
                    Ok(Some([&[own.len() as u8], own.as_slice()].concat()))
                },
                |ssl, _, value, _| {
                    assert_eq!(usize::from(value[0]), value.len() - 1);
                    ssl.ex_data_mut(*CIDS).unwrap().peer = Some(value[1..].to_vec());
                    Ok(())
                },
            )
            .unwrap();
        }
        let login = match options.mode {
            Mode::Psk => Login::Psk {
                identity: IDENTITY.to_vec(),
                key: KEY.to_vec(),
            },
            Mode::RawPublicKey => Login::RawPublicKey(device_key),
            Mode::Certificate => Login::Certificate {
                certificate: device_certificate,
                issuers: Vec::new(),
                key: device_key,
            },
        };
        Self {
            context: ctx.build(),
            server_key,
            server_certificate,
            login,
        }
    }
}

/// The server's end of one connection.
pub struct Server {
    stream: SslStream<MemoryIo>,
    protector: Protector,
    cid: [u8; 8],
    keys: Option<KeyBlock>,
    pub done: bool,
    last: Vec<Vec<u8>>,
    resend_at: Micros,
    pub out: Vec<Vec<u8>>,
    /// Messages that came.
    pub received: Vec<Vec<u8>>,
    /// Records that came with the server's identifier.
    pub with_cid: u32,
    pub closed: bool,
}

impl Drop for Server {
    /// OpenSSL forgets the session of an object that was not shut down.
    fn drop(&mut self) {
        self.stream
            .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
    }
}

impl Server {
    pub fn new(world: &World) -> Self {
        Self::with_cid(world, SERVER_CID)
    }

    /// A server that wants this identifier on the records to it.
    pub fn with_cid(world: &World, cid: [u8; 8]) -> Self {
        let mut ssl = Ssl::new(&world.context).unwrap();
        ssl.set_accept_state();
        ssl.set_mtu(1_200).unwrap();
        ssl.set_ex_data(
            *CIDS,
            Cids {
                own: cid.to_vec(),
                peer: None,
            },
        );
        Self {
            stream: SslStream::new(ssl, MemoryIo::default()).unwrap(),
            protector: Protector::new(),
            cid,
            keys: None,
            done: false,
            last: Vec::new(),
            resend_at: Micros::MAX,
            out: Vec::new(),
            received: Vec::new(),
            with_cid: 0,
            closed: false,
        }
    }

    pub fn is_resumed(&self) -> bool {
        self.stream.ssl().session_reused()
    }

    pub fn receive(&mut self, datagram: &[u8], now: Micros) {
        for record in records(datagram, SERVER_CID.len()) {
            let mut bytes = record.bytes.to_vec();
            let mut finished_again =
                self.done && record.epoch == 1 && record.content_type == wire::HANDSHAKE;
            if record.content_type == TLS12_CID {
                assert_eq!(record.cid, self.cid);
                self.with_cid += 1;
                let Some(keys) = self.derive_keys() else {
                    continue;
                };
                let keys = keys.written_by(Writer::Client);
                let mut content = Vec::new();
                let opened = self.protector.open(keys, &record, &mut content);
                let Ok(content_type) = opened else {
                    continue;
                };
                finished_again = self.done && content_type == wire::HANDSHAKE;
                let to = Envelope {
                    content_type,
                    sequence: record.sequence,
                    cid: &[],
                };
                bytes.clear();
                self.protector.seal(keys, to, &content, &mut bytes).unwrap();
            } else {
                let negotiated = self.peer_cid().is_some();
                assert!(
                    record.epoch == 0 || !negotiated,
                    "the form without identifier"
                );
            }
            if finished_again {
                self.out.extend(self.last.iter().cloned());
                continue;
            }
            self.stream.get_mut().incoming = Some(bytes);
            self.go_on(now);
        }
    }

    fn go_on(&mut self, now: Micros) {
        if !self.done {
            self.done = self.stream.do_handshake().is_ok();
            self.collect(now);
            if !self.done {
                return;
            }
            self.resend_at = Micros::MAX;
        }
        // OpenSSL may have kept messages that came before the Finished.
        let mut buffer = [0; 2_048];
        loop {
            match self.stream.ssl_read(&mut buffer) {
                Ok(length) => self.received.push(buffer[..length].to_vec()),
                Err(error) => {
                    let ends = error.code() == ErrorCode::ZERO_RETURN;
                    let said = self.stream.get_shutdown().contains(ShutdownState::SENT);
                    self.closed |= ends;
                    if ends && !said {
                        self.close();
                    }
                    return;
                }
            }
        }
    }

    pub fn send(&mut self, message: &[u8]) {
        assert_eq!(self.stream.ssl_write(message).unwrap(), message.len());
        let written = std::mem::take(&mut self.stream.get_mut().outgoing);
        let translated = self.translated(&written);
        self.out.extend(translated);
    }

    pub fn close(&mut self) {
        self.stream.shutdown().unwrap();
        let written = std::mem::take(&mut self.stream.get_mut().outgoing);
        let translated = self.translated(&written);
        self.out.extend(translated);
    }

    pub fn next_wake(&self) -> Micros {
        self.resend_at
    }

    pub fn poll(&mut self, now: Micros) {
        if now >= self.resend_at {
            self.resend_at = now + RESEND;
            self.out.extend(self.last.iter().cloned());
        }
    }

    fn collect(&mut self, now: Micros) {
        let written = std::mem::take(&mut self.stream.get_mut().outgoing);
        if !written.is_empty() {
            self.last = self.translated(&written);
            self.out.extend(self.last.iter().cloned());
            self.resend_at = now + RESEND;
        }
    }

    fn translated(&mut self, written: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let peer = self.peer_cid().unwrap_or_default().to_vec();
        let mut datagrams = Vec::new();
        for datagram in written {
            let mut out = Vec::new();
            for record in records(datagram, 0) {
                if record.epoch == 0 || peer.is_empty() {
                    out.extend_from_slice(record.bytes);
                    continue;
                }
                let keys = self.derive_keys().unwrap();
                let keys = keys.written_by(Writer::Server);
                let mut content = Vec::new();
                let content_type = self.protector.open(keys, &record, &mut content).unwrap();
                let to = Envelope {
                    content_type,
                    sequence: record.sequence,
                    cid: &peer,
                };
                self.protector.seal(keys, to, &content, &mut out).unwrap();
            }
            datagrams.push(out);
        }
        datagrams
    }

    fn peer_cid(&self) -> Option<&[u8]> {
        self.stream.ssl().ex_data(*CIDS)?.peer.as_deref()
    }

    fn derive_keys(&mut self) -> Option<KeyBlock> {
        if self.keys.is_none() {
            let ssl = self.stream.ssl();
            let (mut master, mut client, mut server) = ([0; 48], [0; 32], [0; 32]);
            if ssl.session()?.master_key(&mut master) != master.len() {
                return None;
            }
            ssl.client_random(&mut client);
            ssl.server_random(&mut server);
            let bulk = Bulk::of_suite(ssl.current_cipher()?.protocol_id())?;
            self.keys = KeyBlock::derive(bulk, &master, &client, &server).ok();
        }
        self.keys.clone()
    }
}
