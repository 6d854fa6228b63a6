//! The engine's DTLS layer against the load generator's DTLS client, which shares no code with it: in memory, over a
//! network that loses and repeats datagrams as its seed says.

use std::net::SocketAddr;
use std::sync::Arc;

use data_encoding::{BASE64, HEXUPPER};
use fastrand::Rng;
use loadtest::dtls::{Connection, ConnectionEvent};
use loadtest::security::{Security, SecurityMode, SecuritySettings};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameBuilder};
use rookery::proto::dtls::{
    AlertDescription, Claim, DtlsConfig, DtlsEndpoint, Event, Output, ServerContexts,
    ServerCredentials, ServerIdentity, SessionId, TicketKey, Verdict,
};
use rookery::proto::time::Tick;
use zeroize::Zeroizing;

const DEVICE: &str = "cross-1";
const MODES: [SecurityMode; 3] = [SecurityMode::Psk, SecurityMode::Rpk, SecurityMode::X509];

struct Line {
    client: Connection,
    server: DtlsEndpoint,
    out: Output,
    settings: SecuritySettings,
    address: SocketAddr,
    now_us: u64,
    loss: f64,
    rng: Rng,
    to_client: Vec<Vec<u8>>,
    session: Option<SessionId>,
    established: u32,
    resumed: u32,
    cid: bool,
    rebound: u32,
    closed: u32,
    at_server: Vec<Vec<u8>>,
    at_client: Vec<Vec<u8>>,
    events: Vec<ConnectionEvent>,
}

fn settings(mode: SecurityMode) -> SecuritySettings {
    SecuritySettings {
        mode,
        ..SecuritySettings::default()
    }
}

fn contexts() -> Arc<ServerContexts> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let credentials = ServerCredentials {
        psk: true,
        raw_public_key: Some(key.clone()),
        certificate: Some(ServerIdentity {
            chain: vec![certificate(&key)],
            key,
        }),
        ticket_key: Some(TicketKey(Zeroizing::new([5; 80]))),
        session_ids: 0,
    };
    Arc::new(ServerContexts::build(&credentials).unwrap())
}

fn certificate(key: &PKey<Private>) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "server").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    let day = |days| openssl::asn1::Asn1Time::days_from_now(days).unwrap();
    builder.set_not_before(&day(0)).unwrap();
    builder.set_not_after(&day(10)).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}

impl Line {
    fn new(settings: SecuritySettings, own_cid: &[u8], loss: f64, seed: u64) -> Self {
        let security = Security::new(&settings).unwrap().unwrap();
        let login = security.login(DEVICE).unwrap();
        let connector = security.connector().unwrap();
        let config = DtlsConfig::new(3, [7; 32]);
        Self {
            client: Connection::new(connector, login, own_cid.to_vec()),
            server: DtlsEndpoint::new(config, contexts()).unwrap(),
            out: Output::default(),
            settings,
            address: SocketAddr::from(([10, 0, 0, 1], 4_000)),
            now_us: 1_000_000_000,
            loss,
            rng: Rng::with_seed(seed),
            to_client: Vec::new(),
            session: None,
            established: 0,
            resumed: 0,
            cid: false,
            rebound: 0,
            closed: 0,
            at_server: Vec::new(),
            at_client: Vec::new(),
            events: Vec::new(),
        }
    }

    fn now(&self) -> Tick {
        Tick::from_millis(self.now_us / 1_000)
    }

    /// Sends and lets time pass until the server has the message.
    fn tell_server(&mut self, message: &[u8]) {
        self.client.send(message, self.now_us);
        let end = self.now_us + 400_000_000;
        while !self.at_server.iter().any(|got| got == message) {
            if !self.exchange() {
                self.pass();
                // CoAP would send it again as well.
                if self.client.is_up() {
                    self.client.send(message, self.now_us);
                }
            }
            assert!(self.now_us < end, "{:?}", self.events);
        }
        while self.exchange() {}
    }

    fn tell_device(&mut self, message: &[u8]) {
        let mut bytes = Vec::new();
        let session = self.session.unwrap();
        let to = self.server.seal(session, message, &mut bytes).unwrap();
        assert_eq!(to, self.address);
        self.to_client.push(bytes);
        while self.exchange() {}
        assert_eq!(self.at_client.last().unwrap(), message);
    }

    fn pass(&mut self) {
        let server = self
            .server
            .next_wake()
            .map_or(u64::MAX, |tick| tick.as_millis() * 1_000);
        let client = self.client.next_wake().unwrap_or(u64::MAX);
        let next = server.min(client).min(self.now_us + 1_000_000);
        self.now_us = next.max(self.now_us + 1_000);
        self.client.poll(self.now_us);
        let now = self.now();
        self.server.poll(now, &mut self.out);
        self.digest(&[]);
    }

    fn exchange(&mut self) -> bool {
        let to_server: Vec<_> = self.client.transmit().collect();
        let to_client = std::mem::take(&mut self.to_client);
        let any = !to_server.is_empty() || !to_client.is_empty();
        for datagram in to_server {
            for _ in 0..self.copies() {
                let mut datagram = datagram.clone();
                let now = self.now();
                self.server
                    .receive(now, self.address, &mut datagram, &mut self.out);
                self.digest(&datagram);
            }
        }
        for datagram in to_client {
            for _ in 0..self.copies() {
                let at_client = &mut self.at_client;
                let mut deliver = |message: &[u8]| at_client.push(message.to_vec());
                self.client.receive(&datagram, self.now_us, &mut deliver);
            }
        }
        self.events
            .extend(std::iter::from_fn(|| self.client.next_event()));
        any
    }

    fn copies(&mut self) -> u32 {
        if self.rng.f64() < self.loss {
            return 0;
        }
        1 + u32::from(self.rng.f64() < self.loss / 4.0)
    }

    fn digest(&mut self, datagram: &[u8]) {
        let mut lookups = Vec::new();
        for event in self.out.events.drain(..) {
            match event {
                Event::Lookup {
                    handshake, claim, ..
                } => lookups.push((handshake, claim)),
                Event::Established(established) => {
                    self.session = Some(established.session);
                    self.established += 1;
                    self.resumed += u32::from(established.resumed);
                    self.cid = established.cid;
                }
                Event::Received { range, .. } => self.at_server.push(datagram[range].to_vec()),
                Event::Overtaken { plaintext, .. } => self.at_server.push(plaintext.into_vec()),
                Event::Rebound { .. } => self.rebound += 1,
                Event::Closed { .. } => self.closed += 1,
                Event::HandshakeFailed { .. } => {}
            }
        }
        for (_, range) in self.out.datagrams.drain(..) {
            self.to_client.push(self.out.bytes[range].to_vec());
        }
        self.out.clear();
        for (handshake, claim) in lookups {
            let verdict = self.verdict(&claim);
            let now = self.now();
            assert!(self.server.answer(now, handshake, verdict, &mut self.out));
            self.digest(&[]);
        }
    }

    /// Whether a claim is the one that `loadtest credentials` would list.
    fn verdict(&self, claim: &Claim) -> Verdict {
        let security = Security::new(&settings(self.settings.mode))
            .unwrap()
            .unwrap();
        let listed = security.device(DEVICE, None).unwrap();
        let client = &listed["credentials"]["client"];
        let good = match claim {
            Claim::PskIdentity(identity) => {
                if client["identity"].as_str().unwrap().as_bytes() == &**identity {
                    let key = client["key"].as_str().unwrap();
                    let key = HEXUPPER.decode(key.as_bytes()).unwrap();
                    return Verdict::Psk(Zeroizing::new(key));
                }
                return Verdict::Refused(AlertDescription::UnknownPskIdentity);
            }
            Claim::RawPublicKey(key) => client["key"] == BASE64.encode(key),
            Claim::Certificate(chain) => {
                let leaf = X509::from_der(&chain[0]).unwrap();
                let authority = security.authority_pem().unwrap().unwrap();
                let authority = X509::from_pem(&authority).unwrap();
                let names: Vec<_> = leaf.subject_name().entries().collect();
                names[0].data().as_slice() == DEVICE.as_bytes()
                    && leaf.verify(&authority.public_key().unwrap()).unwrap()
            }
        };
        assert!(good, "{claim:?}");
        Verdict::Accepted
    }
}

#[test]
fn every_kind_of_credentials_and_suite_connects_and_talks_both_ways() {
    for mode in MODES {
        let suites: &[&str] = match mode {
            SecurityMode::Psk => &["PSK-AES128-CCM8", "PSK-AES128-GCM-SHA256"],
            _ => &[
                "ECDHE-ECDSA-AES128-CCM8",
                "ECDHE-ECDSA-AES128-CCM",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
            ],
        };
        for &suite in suites {
            for (connection_id, own) in [
                (false, &[][..]),
                (true, &[]),
                (true, &[7; 4]),
                (true, &[9; 20]),
            ] {
                let mut settings = settings(mode);
                settings.suites = Some(suite.into());
                settings.connection_id = connection_id;
                let mut line = Line::new(settings, own, 0.0, 1);
                line.tell_server(b"ping");
                line.tell_device(b"pong");
                assert_eq!(line.cid, connection_id, "{mode:?} {suite}");
                assert_eq!((line.established, line.resumed), (1, 0));
            }
        }
    }
}

#[test]
fn handshakes_come_through_losses_and_repetitions() {
    for mode in MODES {
        for seed in 0..40 {
            let mut settings = settings(mode);
            settings.connection_id = seed % 2 == 0;
            let own = &[7; 4][..if seed % 4 == 0 { 4 } else { 0 }];
            let mut line = Line::new(settings, own, 0.2, seed);
            line.tell_server(b"first");
            line.loss = 0.0;
            line.tell_server(b"ping");
            line.tell_device(b"pong");
        }
    }
}

#[test]
fn sessions_move_with_their_identifier_and_are_resumed_by_ticket() {
    for mode in MODES {
        for loss in [0.0, 0.2] {
            let mut settings = settings(mode);
            settings.resumption = true;
            let mut line = Line::new(settings, &[7; 3], loss, 5);
            line.tell_server(b"one");
            line.address.set_port(4_001);
            line.tell_server(b"two");
            assert_eq!(line.rebound, 1);
            line.client.forget();
            line.tell_server(b"three");
            line.loss = 0.0;
            line.tell_server(b"four");
            line.tell_device(b"pong");
            assert!(line.resumed >= 1, "{mode:?} {loss} {:?}", line.events);
        }
    }
}

#[test]
fn a_new_handshake_at_a_live_address_replaces_the_session_without_identifier() {
    let mut settings = settings(SecurityMode::Psk);
    settings.connection_id = false;
    let mut line = Line::new(settings, &[], 0.0, 5);
    line.tell_server(b"one");
    let first = line.session;
    line.client.forget();
    line.tell_server(b"two");
    line.tell_device(b"pong");
    assert_ne!(line.session, first);
    assert_eq!(line.closed, 1);
}

#[test]
fn both_sides_can_end_a_session() {
    let mut line = Line::new(settings(SecurityMode::Psk), &[], 0.0, 5);
    line.tell_server(b"one");
    assert!(line.server.close(line.session.unwrap(), &mut line.out));
    line.digest(&[]);
    while line.exchange() {}
    assert!(!line.client.is_up());
    line.tell_server(b"two");
    line.client.close();
    while line.exchange() {}
    assert_eq!(line.closed, 2);
}

#[test]
fn strangers_and_wrong_keys_are_turned_away() {
    let mut other = settings(SecurityMode::Psk);
    other.identity = "stranger".into();
    let mut wrong = settings(SecurityMode::Psk);
    wrong.secret = "another".into();
    for (settings, expected) in [(other, "unknown identity"), (wrong, "not done in time")] {
        let mut line = Line::new(settings, &[], 0.0, 5);
        line.client.send(b"hello", line.now_us);
        while line.events.is_empty() {
            if !line.exchange() {
                line.pass();
            }
        }
        let ConnectionEvent::Failed(reason) = &line.events[0] else {
            panic!("{:?}", line.events);
        };
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(line.established, 0);
    }
}
