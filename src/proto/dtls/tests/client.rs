//! A client made of OpenSSL. Connection identifiers, which OpenSSL lacks, are translated here.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};

use openssl::asn1::Asn1Time;
use openssl::ex_data::Index;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    ErrorCode, ExtensionContext, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions,
    SslSession, SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509NameBuilder};

use super::world::{DEVICE_KEY, IDENTITY, KEY, World};
use crate::proto::dtls::keys::{KeyBlock, Writer};
use crate::proto::dtls::protect::{Envelope, Protector};
use crate::proto::dtls::wire::{self, Header};
use crate::proto::dtls::{Suite, ffi};

#[derive(Clone)]
pub(super) enum Login {
    Psk(Vec<u8>, Vec<u8>),
    RawPublicKey(PKey<Private>),
    Certificate(Vec<X509>, PKey<Private>),
}

#[derive(Clone)]
pub(super) struct Setup {
    pub(super) login: Login,
    pub(super) suites: String,
    /// `Some`: asks for connection identifiers and has this one itself.
    pub(super) cid: Option<Vec<u8>>,
    pub(super) options: SslOptions,
    pub(super) mtu: u32,
    pub(super) max_fragment_code: u8,
    pub(super) record_limit: Option<u16>,
    pub(super) session: Option<SslSession>,
    pub(super) address: SocketAddr,
    pub(super) quick: bool,
}

impl Setup {
    pub(super) fn psk() -> Self {
        Self::new(
            Login::Psk(IDENTITY.into(), KEY.into()),
            Suite::PskCcm8.name(),
        )
    }

    pub(super) fn new(login: Login, suites: &str) -> Self {
        Self {
            login,
            suites: suites.into(),
            cid: None,
            options: SslOptions::NO_TICKET,
            mtu: 1200,
            max_fragment_code: 0,
            record_limit: None,
            session: None,
            address: SocketAddr::from(([10, 0, 0, 1], 40_000)),
            quick: false,
        }
    }

    pub(super) fn of_suite(suite: Suite) -> Self {
        let login = if suite.is_psk() {
            Login::Psk(IDENTITY.into(), KEY.into())
        } else {
            Login::RawPublicKey(DEVICE_KEY.clone())
        };
        Self::new(login, suite.name())
    }

    /// CBC, and no encrypt-then-MAC.
    pub(super) fn without_etm(suite: Suite) -> Self {
        const NO_ENCRYPT_THEN_MAC: SslOptions = SslOptions::from_bits_retain(1 << 19);
        let mut setup = Self::of_suite(suite);
        setup.options |= NO_ENCRYPT_THEN_MAC;
        setup
    }

    pub(super) fn rpk() -> Self {
        Self::of_suite(Suite::EcdsaCcm8)
    }

    pub(super) fn certificate() -> Self {
        let chain = vec![certificate(&DEVICE_KEY, "device")];
        let login = Login::Certificate(chain, DEVICE_KEY.clone());
        Self::new(login, Suite::EcdsaCcm8.name())
    }

    pub(super) fn cid(mut self, cid: &[u8]) -> Self {
        self.cid = Some(cid.to_vec());
        self
    }

    pub(super) fn at(mut self, last: u8, port: u16) -> Self {
        self.address = SocketAddr::from(([10, 0, 0, last], port));
        self
    }

    pub(super) fn start(self) -> Client {
        Client::new(self)
    }
}

#[derive(Default)]
struct Io {
    incoming: Option<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
}

impl Read for Io {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let record = self.incoming.take().ok_or(ErrorKind::WouldBlock)?;
        buffer[..record.len()].copy_from_slice(&record);
        Ok(record.len())
    }
}

impl Write for Io {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.outgoing.push(buffer.to_vec());
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) struct Client {
    stream: SslStream<Io>,
    pub(super) address: SocketAddr,
    setup: Setup,
    protector: Protector,
    pub(super) connected: bool,
    pub(super) failed: Option<String>,
    /// Alert codes that came in clear.
    pub(super) alerts: Vec<u8>,
    pub(super) received: Vec<Vec<u8>>,
    sessions: Arc<Mutex<Vec<SslSession>>>,
}

static SERVER_CID: LazyLock<Index<Ssl, Vec<u8>>> = LazyLock::new(|| Ssl::new_ex_index().unwrap());

impl Client {
    fn new(setup: Setup) -> Self {
        let sessions = Arc::new(Mutex::new(Vec::new()));
        let mut ctx = SslContext::builder(SslMethod::dtls_client()).unwrap();
        ctx.set_min_proto_version(Some(SslVersion::DTLS1_2))
            .unwrap();
        ctx.set_cipher_list(&format!("{}:@SECLEVEL=0", setup.suites))
            .unwrap();
        ctx.set_options(SslOptions::NO_QUERY_MTU | setup.options);
        ctx.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        let kept = Arc::clone(&sessions);
        ctx.set_new_session_callback(move |_, session| kept.lock().unwrap().push(session));
        extensions(&mut ctx, &setup);
        match &setup.login {
            Login::Psk(identity, key) => {
                let (identity, key) = (identity.clone(), key.clone());
                ctx.set_psk_client_callback(move |_, _, identity_out, key_out| {
                    identity_out[..identity.len()].copy_from_slice(&identity);
                    identity_out[identity.len()] = 0;
                    key_out[..key.len()].copy_from_slice(&key);
                    Ok(key.len())
                });
            }
            Login::RawPublicKey(key) => {
                ctx.set_private_key(key).unwrap();
                ffi::set_certificate_types(&mut ctx, true).unwrap();
                ctx.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
            }
            Login::Certificate(chain, key) => {
                ctx.set_certificate(&chain[0]).unwrap();
                for more in &chain[1..] {
                    ctx.add_extra_chain_cert(more.clone()).unwrap();
                }
                ctx.set_private_key(key).unwrap();
                ctx.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
            }
        }
        let ctx = ctx.build();
        let mut ssl = Ssl::new(&ctx).unwrap();
        ssl.set_connect_state();
        ssl.set_mtu(setup.mtu).unwrap();
        if let Some(session) = &setup.session {
            ffi::resume(&ssl, session);
        }
        if setup.max_fragment_code > 0 {
            ffi::ask_max_fragment(&ssl, setup.max_fragment_code);
        }
        if setup.quick {
            ffi::start_quick_timer(&ssl);
        } else {
            ffi::stop_retransmission_timer(&ssl);
        }
        Self {
            stream: SslStream::new(ssl, Io::default()).unwrap(),
            address: setup.address,
            setup,
            protector: Protector::new().unwrap(),
            connected: false,
            failed: None,
            alerts: Vec::new(),
            received: Vec::new(),
            sessions,
        }
    }

    /// Everything there is to say, to the endpoint and back, until nobody says anything.
    pub(super) fn pump(&mut self, world: &mut World) {
        for _ in 0..20 {
            let datagrams = self.outgoing();
            let quiet = datagrams.is_empty();
            for datagram in datagrams {
                world.deliver(self.address, &datagram);
            }
            let answers = world.take_sent(self.address);
            if quiet && answers.is_empty() {
                return;
            }
            for datagram in answers {
                self.take(&datagram);
            }
        }
    }

    pub(super) fn connect(mut self, world: &mut World) -> Self {
        self.pump(world);
        assert!(self.connected, "{:?} {:?}", self.failed, self.alerts);
        self
    }

    /// Says something, and gives the datagram instead of sending it.
    pub(super) fn say(&mut self, plaintext: &[u8]) -> Vec<u8> {
        self.stream.ssl_write(plaintext).unwrap();
        self.outgoing().remove(0)
    }

    /// Asks for another handshake in the session.
    pub(super) fn renegotiate(&mut self) -> Vec<Vec<u8>> {
        ffi::renegotiate(self.stream.ssl());
        let _ = self.stream.do_handshake();
        self.outgoing()
    }

    pub(super) fn shut_down(&mut self) -> Vec<Vec<u8>> {
        let _ = self.stream.shutdown();
        self.outgoing()
    }

    /// What is to be sent next, as it goes out on the wire.
    pub(super) fn outgoing(&mut self) -> Vec<Vec<u8>> {
        self.step();
        let datagrams = std::mem::take(&mut self.stream.get_mut().outgoing);
        let translate = |datagram: Vec<u8>| {
            let mut out = Vec::new();
            for (header, record) in wire::records(&datagram, 0) {
                self.put_outgoing(&header, record, &mut out);
            }
            out
        };
        datagrams.into_iter().map(translate).collect()
    }

    /// Repeats the flight if its time came.
    pub(super) fn time_out(&mut self) {
        let going_on = ffi::handle_timeout(self.stream.ssl());
        assert!(going_on, "the client gave up: {:?}", self.failed);
    }

    pub(super) fn take(&mut self, datagram: &[u8]) {
        let own_length = self.setup.cid.as_ref().map_or(0, Vec::len);
        for (header, record) in wire::records(datagram, own_length) {
            if header.content_type == wire::ALERT && header.epoch == 0 {
                self.alerts.push(header.fragment(record)[1]);
            }
            let mut classic = record.to_vec();
            if header.content_type == wire::TLS12_CID {
                assert_eq!(header.cid(record), self.setup.cid.as_deref().unwrap());
                let keys = self.keys();
                let keys = keys.written_by(Writer::Server);
                let opened = self.protector.open(keys, &header, &mut classic).unwrap();
                let to = Envelope {
                    content_type: opened.content_type,
                    epoch: header.epoch,
                    sequence: header.sequence,
                    cid: &[],
                };
                let content = classic[opened.range].to_vec();
                classic.clear();
                self.protector
                    .seal(keys, to, &content, &mut classic)
                    .unwrap();
            }
            self.stream.get_mut().incoming = Some(classic);
            self.step();
        }
    }

    fn step(&mut self) {
        if self.failed.is_some() {
            return;
        }
        if !self.connected {
            match self.stream.do_handshake() {
                Ok(()) => self.connected = true,
                Err(error) if error.code() == ErrorCode::WANT_READ => {}
                Err(error) => self.failed = Some(error.to_string()),
            }
        }
        let mut buffer = [0; 16_384];
        while self.connected {
            match self.stream.ssl_read(&mut buffer) {
                Ok(length) => self.received.push(buffer[..length].to_vec()),
                Err(error) => {
                    if error.code() != ErrorCode::WANT_READ {
                        self.failed = Some(format!("{:?}", error.code()));
                    }
                    break;
                }
            }
        }
    }

    fn put_outgoing(&mut self, header: &Header, record: &[u8], out: &mut Vec<u8>) {
        let server_cid = self.server_cid();
        if header.epoch == 0 || server_cid.is_empty() {
            out.extend_from_slice(record);
            return;
        }
        let keys = self.keys();
        let keys = keys.written_by(Writer::Client);
        let mut copy = record.to_vec();
        let opened = self.protector.open(keys, header, &mut copy).unwrap();
        let to = Envelope {
            content_type: opened.content_type,
            epoch: header.epoch,
            sequence: header.sequence,
            cid: &server_cid,
        };
        self.protector
            .seal(keys, to, &copy[opened.range], out)
            .unwrap();
    }

    /// A record of any kind, made with this client's keys.
    pub(super) fn record(
        &mut self,
        content_type: u8,
        epoch: u16,
        sequence: u64,
        content: &[u8],
    ) -> Vec<u8> {
        let cid = self.server_cid();
        let to = Envelope {
            content_type,
            epoch,
            sequence,
            cid: &cid,
        };
        let mut out = Vec::new();
        let keys = self.keys();
        self.protector
            .seal(keys.written_by(Writer::Client), to, content, &mut out)
            .unwrap();
        out
    }

    pub(super) fn server_cid(&self) -> Vec<u8> {
        let found = self.stream.ssl().ex_data(*SERVER_CID);
        found.cloned().unwrap_or_default()
    }

    pub(super) fn keys(&self) -> KeyBlock {
        let ssl = self.stream.ssl();
        let mut master = [0; 48];
        assert_eq!(ssl.session().unwrap().master_key(&mut master), 48);
        let (mut client, mut server) = ([0; 32], [0; 32]);
        ssl.client_random(&mut client);
        ssl.server_random(&mut server);
        let id = ssl.current_cipher().unwrap().protocol_id();
        let suite = Suite::of_id(u16::from_be_bytes(id)).unwrap();
        KeyBlock::derive(suite, &master, &client, &server)
    }

    pub(super) fn resumed(&self) -> bool {
        self.stream.ssl().session_reused()
    }

    /// The session to resume next time.
    pub(super) fn session(&self) -> SslSession {
        let kept = self.sessions.lock().unwrap().last().cloned();
        kept.unwrap_or_else(|| self.stream.ssl().session().unwrap().to_owned())
    }
}

fn extensions(ctx: &mut SslContextBuilder, setup: &Setup) {
    let when = ExtensionContext::DTLS_ONLY
        | ExtensionContext::TLS1_2_AND_BELOW_ONLY
        | ExtensionContext::CLIENT_HELLO
        | ExtensionContext::TLS1_2_SERVER_HELLO;
    if let Some(cid) = setup.cid.clone() {
        ctx.add_custom_ext(
            54,
            when,
            move |_, _, _| Ok(Some([&[cid.len() as u8][..], &cid].concat())),
            |ssl, _, value, _| {
                assert_eq!(usize::from(value[0]) + 1, value.len());
                ssl.set_ex_data(*SERVER_CID, value[1..].to_vec());
                Ok(())
            },
        )
        .unwrap();
    }
    if let Some(limit) = setup.record_limit {
        ctx.add_custom_ext(
            28,
            when,
            move |_, _, _| Ok(Some(limit.to_be_bytes())),
            |_, _, _, _| Ok(()),
        )
        .unwrap();
    }
}

pub(super) fn certificate(key: &PKey<Private>, name: &str) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    let day = |days| Asn1Time::days_from_now(days).unwrap();
    builder.set_not_before(&day(0)).unwrap();
    builder.set_not_after(&day(30)).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}
