//! What DTLS costs the server: a record in and out, a handshake, an idle session.
//!
//! Only the time within the endpoint counts; beside it is the client of the load generator.

use std::alloc::System;
use std::hint::black_box;
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
        let login = if suite.is_psk() {
            psk()
        } else {
            certified(&own)
        };
        let mut client = Client::new(login, suite);
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
    for (name, login, suite) in [
        ("pre-shared key", psk(), Suite::PskCcm8),
        ("raw public keys", raw(&own), Suite::EcdsaCcm8),
        (
            "certificates, both sides",
            certified(&own),
            Suite::EcdsaCcm8,
        ),
    ] {
        let mut server = Server::new(&own);
        group.bench_function(name, |bench| {
            bench.iter_custom(|count| {
                (0..count)
                    .map(|_| server.establish(&mut Client::new(login.clone(), suite)).1)
                    .sum()
            });
        });
    }
    group.finish();
}

/// Restores one session many times, each in a slot and at an address of its own.
fn idle_sessions(_: &mut Criterion) {
    const SLOT: std::ops::Range<usize> = 2..6;
    const PORT: std::ops::Range<usize> = 40..42;
    const IP: std::ops::Range<usize> = 24..28;
    let own = own_identity();
    let mut server = Server::new(&own);
    let (session, _) = server.establish(&mut Client::new(psk(), Suite::PskCcm8));
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
    fn establish(&mut self, client: &mut Client) -> (SessionId, Duration) {
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
                // The message it wanted a session for.
                drop(client.outgoing());
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

struct Client(Connection);

impl Client {
    /// One that is about to say hello.
    fn new(login: Login, suite: Suite) -> Self {
        let options = ConnectorOptions {
            connection_id: false,
            resumption: false,
            suites: Some(suite.name().to_owned()),
            ..ConnectorOptions::new(login.mode())
        };
        let connector = Connector::new(options).expect("a connector");
        let mut connection = Connection::new(connector, login, Vec::new());
        connection.send(b"", 0);
        Self(connection)
    }

    fn outgoing(&mut self) -> Vec<Vec<u8>> {
        self.0.transmit().collect()
    }

    fn take(&mut self, datagram: &[u8]) {
        self.0.receive(datagram, 0, &mut |_| {});
    }

    fn say(&mut self, plaintext: &[u8]) -> Vec<u8> {
        self.0.send(plaintext, 0);
        self.outgoing().remove(0)
    }
}

fn psk() -> Login {
    Login::Psk {
        identity: b"device".to_vec(),
        key: KEY.to_vec(),
    }
}

fn raw(own: &ServerIdentity) -> Login {
    Login::RawPublicKey(own.key.clone())
}

fn certified(own: &ServerIdentity) -> Login {
    Login::Certificate {
        certificate: own.chain[0].clone(),
        issuers: Vec::new(),
        key: own.key.clone(),
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
