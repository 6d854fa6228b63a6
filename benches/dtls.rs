//! What DTLS costs the server: a record in and out, a handshake, an idle session.
//!
//! Only the time within the endpoint counts. The client beside it is OpenSSL on memory, and with raw
//! public keys that of the load generator.

use std::alloc::System;
use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use loadtest::dtls::{Connection, Connector, ConnectorOptions, Login};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509NameBuilder};
use rookery::proto::dtls::{
    Claim, DtlsConfig, DtlsEndpoint, Event, Output, ServerContexts, ServerCredentials,
    ServerIdentity, SessionId, Suite, Verdict,
};
use rookery::proto::time::Tick;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use zeroize::Zeroizing;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PEER: ([u8; 4], u16) = ([10, 0, 0, 1], 5_684);
const KEY: &[u8] = b"0123456789abcdef";
const IDLE_SESSIONS: u32 = 200_000;

criterion_group! {
    name = dtls;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900));
    targets = records, handshakes, idle_sessions
}
criterion_main!(dtls);

fn records(criterion: &mut Criterion) {
    let own = own_identity();
    let mut group = criterion.benchmark_group("record in and out, 64 B");
    for &suite in Suite::ALL {
        let mut server = Server::new(&own);
        let mut client = Client::new(&own, suite);
        let (session, _) = server.establish(&mut client);
        group.bench_function(suite.name(), |bench| {
            bench.iter_custom(|count| {
                let mut records: Vec<_> = (0..count).map(|_| client.say(&[7; 64])).collect();
                let mut sealed = Vec::with_capacity(256);
                let begun = Instant::now();
                for record in &mut records {
                    server.out.clear();
                    let peer = SocketAddr::from(PEER);
                    let out = &mut server.out;
                    server.endpoint.receive(Tick::ZERO, peer, record, out);
                    sealed.clear();
                    let to = server.endpoint.seal(session, &[7; 64], &mut sealed);
                    black_box(to).expect("a live session");
                }
                begun.elapsed()
            });
        });
    }
    group.finish();
}

fn handshakes(criterion: &mut Criterion) {
    let own = own_identity();
    let mut group = criterion.benchmark_group("handshake, server side");
    for suite in [Suite::PskCcm8, Suite::EcdsaCcm8] {
        let mut server = Server::new(&own);
        group.bench_function(suite.name(), |bench| {
            bench.iter_custom(|count| {
                (0..count)
                    .map(|_| server.establish(&mut Client::new(&own, suite)).1)
                    .sum()
            });
        });
    }
    let mut server = Server::new(&own);
    group.bench_function("ECDHE-ECDSA-AES128-CCM8, raw public keys", |bench| {
        bench.iter_custom(|count| {
            (0..count)
                .map(|_| server.establish(&mut RawKeyClient::new(&own)).1)
                .sum()
        });
    });
    group.finish();
}

/// Restores one session many times, each in a slot and at an address of its own.
fn idle_sessions(_: &mut Criterion) {
    const SLOT: std::ops::Range<usize> = 2..6;
    const PORT: std::ops::Range<usize> = 40..42;
    const IP: std::ops::Range<usize> = 24..28;
    let own = own_identity();
    let mut server = Server::new(&own);
    let (session, _) = server.establish(&mut Client::new(&own, Suite::PskCcm8));
    let mut saved = Vec::new();
    assert!(server.endpoint.save(session, &mut saved));
    let mut server = Server::new(&own);
    let region = Region::new(ALLOCATOR);
    for slot in 0..IDLE_SESSIONS {
        saved[SLOT].copy_from_slice(&slot.to_be_bytes());
        saved[IP].copy_from_slice(&slot.to_be_bytes());
        saved[PORT].copy_from_slice(&[0, 1]);
        let restored = server.endpoint.restore(Tick::ZERO, &saved, None);
        restored.expect("a session restored from what was saved");
    }
    let change = region.change();
    let bytes = change.bytes_allocated as isize - change.bytes_deallocated as isize
        + change.bytes_reallocated;
    println!(
        "idle session without connection identifier, of {IDLE_SESSIONS}: {} B",
        bytes / IDLE_SESSIONS as isize
    );
}

struct Server {
    endpoint: DtlsEndpoint,
    out: Output,
}

impl Server {
    fn new(own: &ServerIdentity) -> Self {
        let credentials = ServerCredentials {
            psk: true,
            raw_public_key: Some(own.key.clone()),
            certificate: Some(own.clone()),
            ..ServerCredentials::default()
        };
        let contexts = ServerContexts::build(&credentials).expect("contexts");
        let mut config = DtlsConfig::new(0, [1; 32]);
        config.limits.handshakes_per_second = u32::MAX;
        config.limits.handshakes_per_ip = u32::MAX;
        Self {
            endpoint: DtlsEndpoint::new(config, Arc::new(contexts)).expect("an endpoint"),
            out: Output::default(),
        }
    }

    /// A whole handshake; gives the session and the time spent in the endpoint.
    fn establish(&mut self, client: &mut impl Peer) -> (SessionId, Duration) {
        let mut spent = Duration::ZERO;
        for _ in 0..8 {
            let mut datagrams = client.outgoing();
            let begun = Instant::now();
            self.out.clear();
            for datagram in &mut datagrams {
                let peer = SocketAddr::from(PEER);
                self.endpoint
                    .receive(Tick::ZERO, peer, datagram, &mut self.out);
            }
            let session = self.settle();
            spent += begun.elapsed();
            for (_, range) in &self.out.datagrams {
                client.take(&self.out.bytes[range.clone()]);
            }
            if let Some(session) = session {
                return (session, spent);
            }
        }
        panic!("no handshake");
    }

    fn settle(&mut self) -> Option<SessionId> {
        let mut session = None;
        for event in std::mem::take(&mut self.out.events) {
            match event {
                Event::Lookup {
                    handshake, claim, ..
                } => {
                    let verdict = match claim {
                        Claim::PskIdentity(_) => Verdict::Psk(Zeroizing::new(KEY.to_vec())),
                        Claim::RawPublicKey(_) | Claim::Certificate(_) => Verdict::Accepted,
                    };
                    let out = &mut self.out;
                    self.endpoint.answer(Tick::ZERO, handshake, verdict, out);
                    session = session.or(self.settle());
                }
                Event::Established(established) => session = Some(established.session),
                _ => {}
            }
        }
        session
    }
}

/// The other side of a handshake.
trait Peer {
    /// What it has to say.
    fn outgoing(&mut self) -> Vec<Vec<u8>>;

    fn take(&mut self, datagram: &[u8]);
}

#[derive(Default)]
struct Io {
    incoming: Option<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
}

impl Read for Io {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.take().ok_or(ErrorKind::WouldBlock)?;
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
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

struct Client(SslStream<Io>);

impl Client {
    fn new(own: &ServerIdentity, suite: Suite) -> Self {
        let mut ctx = SslContext::builder(SslMethod::dtls_client()).expect("a context");
        ctx.set_min_proto_version(Some(SslVersion::DTLS1_2))
            .expect("DTLS 1.2");
        ctx.set_cipher_list(&format!("{}:@SECLEVEL=0", suite.name()))
            .expect("a suite");
        ctx.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET);
        if suite.is_psk() {
            ctx.set_psk_client_callback(|_, _, identity, key| {
                identity[..7].copy_from_slice(b"device\0");
                key[..KEY.len()].copy_from_slice(KEY);
                Ok(KEY.len())
            });
        } else {
            ctx.set_certificate(&own.chain[0]).expect("a certificate");
            ctx.set_private_key(&own.key).expect("its key");
            ctx.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        }
        let mut ssl = Ssl::new(&ctx.build()).expect("a connection");
        ssl.set_connect_state();
        ssl.set_mtu(1_200).expect("an MTU");
        Self(SslStream::new(ssl, Io::default()).expect("a stream"))
    }

    fn say(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let _ = self.0.ssl_write(plaintext).expect("a session");
        self.0.get_mut().outgoing.remove(0)
    }
}

impl Peer for Client {
    fn outgoing(&mut self) -> Vec<Vec<u8>> {
        let _ = self.0.do_handshake();
        std::mem::take(&mut self.0.get_mut().outgoing)
    }

    fn take(&mut self, datagram: &[u8]) {
        self.0.get_mut().incoming = Some(datagram.to_vec());
        let _ = self.0.do_handshake();
    }
}

struct RawKeyClient(Connection);

impl RawKeyClient {
    /// One that is about to say hello.
    fn new(own: &ServerIdentity) -> Self {
        let login = Login::RawPublicKey(own.key.clone());
        let options = ConnectorOptions {
            connection_id: false,
            resumption: false,
            suites: Some(Suite::EcdsaCcm8.name().to_owned()),
            ..ConnectorOptions::new(login.mode())
        };
        let connector = Connector::new(options).expect("a connector");
        let mut connection = Connection::new(connector, login, Vec::new());
        connection.send(b"", 0);
        Self(connection)
    }
}

impl Peer for RawKeyClient {
    fn outgoing(&mut self) -> Vec<Vec<u8>> {
        self.0.transmit().collect()
    }

    fn take(&mut self, datagram: &[u8]) {
        self.0.receive(datagram, 0, &mut |_| {});
    }
}

fn own_identity() -> ServerIdentity {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("P-256");
    let key = EcKey::generate(&group).expect("a key");
    let key = PKey::from_ec_key(key).expect("a key");
    let chain = vec![certificate(&key).expect("a certificate")];
    ServerIdentity { chain, key }
}

fn certificate(key: &PKey<Private>) -> Result<X509, openssl::error::ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "bench")?;
    let name = name.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    builder.set_not_after(Asn1Time::days_from_now(1)?.as_ref())?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}
