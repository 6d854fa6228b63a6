//! The same over DTLS, with a client that shares no code with the layer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use loadtest::dtls::{Connection, Connector, ConnectorOptions, Login};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Name};
use zeroize::Zeroizing;

use super::*;
use crate::engine::credentials::{Credentials, Decision, Lookups, Owner, Purpose, Waiting};
use crate::engine::view::SecurityMode;
use crate::net::mmsg::ReceivedMut;
use crate::proto::dtls::{
    AlertDescription, Claim, ServerContexts, ServerCredentials, ServerIdentity, Verdict,
};
use crate::proto::time::UnixMillis;

const KEY: &[u8] = b"0123456789abcdef";

/// Everybody is `dev`, but for the PSK identity `nobody`.
#[derive(Debug, Default)]
struct Everybody {
    revoked: AtomicBool,
}

impl Credentials for Everybody {
    fn decide(&self, claim: &Claim, _: Purpose, _: bool, _: UnixMillis) -> Decision {
        let verdict = match claim {
            Claim::PskIdentity(identity) if **identity == *b"nobody" => {
                return Decision::refused(AlertDescription::UnknownPskIdentity);
            }
            Claim::PskIdentity(_) => Verdict::Psk(Zeroizing::new(KEY.to_vec())),
            Claim::RawPublicKey(_) | Claim::Certificate(_) => Verdict::Accepted,
        };
        let owner = Owner {
            identity: 1,
            endpoint: "dev".into(),
        };
        Decision {
            verdict,
            owner: Some(owner),
        }
    }

    fn admits(&self, _: &str, _: SecurityMode) -> bool {
        true
    }

    fn holds(&self, _: &Owner, _: Purpose) -> bool {
        !self.revoked.load(Relaxed)
    }

    fn registered(&self, _: &str, _: u64) {}
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(key: &PKey<Private>) -> X509 {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "dev").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    let day = |days| openssl::asn1::Asn1Time::days_from_now(days).unwrap();
    builder.set_not_before(&day(0)).unwrap();
    builder.set_not_after(&day(9)).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
        .sign(key, openssl::hash::MessageDigest::sha256())
        .unwrap();
    builder.build()
}

struct Secured {
    world: World,
    everybody: Arc<Everybody>,
    waiting: Waiting,
    connection: Connection,
    address: SocketAddr,
    inbox: Vec<Vec<u8>>,
}

impl Secured {
    fn new(login: Login) -> Self {
        let mut world = World::new(one_server());
        let everybody = Arc::<Everybody>::default();
        let (lookups, waiting) = Lookups::queue();
        let server = new_key();
        let contexts = ServerContexts::build(&ServerCredentials {
            psk: true,
            raw_public_key: Some(server.clone()),
            certificate: Some(ServerIdentity {
                chain: vec![certificate(&server)],
                key: server,
            }),
            ..ServerCredentials::default()
        });
        let _ = world.member.shared.credentials.set(everybody.clone());
        let dtls = ([7; 32], Arc::new(contexts.unwrap()), lookups);
        world.member.shard.serve_bootstrap(Some(dtls)).unwrap();
        world.member.shard.begin(world.now);
        let connector = Connector::new(ConnectorOptions::new(login.mode())).unwrap();
        Self {
            world,
            everybody,
            waiting,
            connection: Connection::new(connector, login, Vec::new()),
            address: "10.0.0.1:4000".parse().unwrap(),
            inbox: Vec::new(),
        }
    }

    /// Sends a message; what comes back once nobody has anything to say.
    fn send(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let now = self.world.now.tick.as_millis() * 1_000;
        self.connection.send(message, now);
        loop {
            let datagrams: Vec<_> = self.connection.transmit().collect();
            for datagram in &datagrams {
                let received = ReceivedMut {
                    bytes: &mut datagram.clone(),
                    peer: self.address.into(),
                    local: None,
                    truncated: false,
                };
                self.world
                    .member
                    .shard
                    .bootstrap()
                    .unwrap()
                    .on_record(received);
            }
            while let Some(answer) = self.waiting.answer_next(&*self.everybody) {
                let command = Command::Decided(Box::new(answer));
                self.world.member.shard.on_command(command);
            }
            assert!(
                self.world.settle().is_empty(),
                "nothing goes out in the clear"
            );
            let server = self.world.member.shard.bootstrap().unwrap();
            let (arena, outbox) = server.secure_outbox();
            let records: Vec<_> = outbox
                .iter()
                .map(|out| arena[out.start as usize..(out.start + out.len) as usize].to_vec())
                .collect();
            let count = records.len();
            server.secure_sent(count);
            if datagrams.is_empty() && records.is_empty() {
                return std::mem::take(&mut self.inbox);
            }
            for record in records {
                let inbox = &mut self.inbox;
                let mut deliver = |message: &[u8]| inbox.push(message.to_vec());
                self.connection.receive(&record, now, &mut deliver);
            }
        }
    }

    fn bootstrap(&mut self, device: &mut Device, queries: &[&str]) {
        let request = device.request(Code::POST, "bs", queries);
        let mut waiting = self.send(&request);
        while let Some(message) = waiting.pop() {
            for answer in device.take(&message) {
                waiting.extend(self.send(&answer));
            }
        }
    }
}

#[test]
fn b15_to_b20_devices_bootstrap_with_psk_rpk_and_certificates_with_ep_or_without() {
    let logins: [(fn() -> Login, SecurityMode); 3] = [
        (
            || Login::Psk {
                identity: b"me".to_vec(),
                key: KEY.to_vec(),
            },
            SecurityMode::Psk,
        ),
        (|| Login::RawPublicKey(new_key()), SecurityMode::Rpk),
        (
            || {
                let key = new_key();
                Login::Certificate {
                    certificate: certificate(&key),
                    issuers: Vec::new(),
                    key,
                }
            },
            SecurityMode::X509,
        ),
    ];
    for (login, security) in logins {
        for queries in [&["ep=dev"][..], &[]] {
            let mut secured = Secured::new(login());
            let mut device = Device::new(1);
            secured.bootstrap(&mut device, queries);
            let world = &mut secured.world;
            assert_eq!(world.ends(), [End::Finished], "{security:?} {queries:?}");
            assert!(device.finished);
            assert_eq!(
                (&*world.asked[0].endpoint, world.asked[0].security),
                ("dev", security)
            );
            assert_eq!(world.open(), 0);
            assert_eq!(world.member.metrics.dtls.sessions.get(), 1);
        }
    }
}

#[test]
fn the_endpoint_of_another_device_is_refused() {
    let mut secured = Secured::new(Login::Psk {
        identity: b"me".to_vec(),
        key: KEY.to_vec(),
    });
    let mut device = Device::new(1);
    let request = device.request(Code::POST, "bs", &["ep=other"]);
    let sent = secured.send(&request);
    let view = MessageView::parse(&sent[0]).unwrap();
    assert_eq!(
        (view.code(), view.payload()),
        (Code::BAD_REQUEST, b"Unauthorized".as_slice())
    );
    assert!(secured.world.asked.is_empty());
}

#[test]
fn b17_a_device_with_a_wrong_key_or_identity_is_told_nothing() {
    for (identity, key) in [("me", b"fedcba9876543210"), ("nobody", b"0123456789abcdef")] {
        let mut secured = Secured::new(Login::Psk {
            identity: identity.as_bytes().to_vec(),
            key: key.to_vec(),
        });
        let mut device = Device::new(1);
        secured.bootstrap(&mut device, &["ep=dev"]);
        assert!(secured.world.asked.is_empty());
        assert!(device.requests.is_empty());
    }
}

#[test]
fn plain_coap_beside_it_goes_on() {
    let mut secured = Secured::new(Login::RawPublicKey(new_key()));
    let mut device = Device::new(1);
    let request = device.bootstrap_request();
    secured.world.talk(&mut device, request);
    assert_eq!(secured.world.ends(), [End::Finished]);
    assert_eq!(secured.world.asked[0].security, SecurityMode::NoSec);
}

#[test]
fn a_session_whose_credentials_are_taken_back_ends_with_its_next_message() {
    let mut secured = Secured::new(Login::Psk {
        identity: b"me".to_vec(),
        key: KEY.to_vec(),
    });
    let mut device = Device::new(1);
    let request = device.request(Code::POST, "bs", &["ep=dev"]);
    let sent = secured.send(&request);
    assert_eq!(secured.world.asked.len(), 1);
    secured.everybody.revoked.store(true, Relaxed);
    let answers: Vec<_> = sent.iter().flat_map(|bytes| device.take(bytes)).collect();
    for answer in answers {
        assert!(secured.send(&answer).is_empty());
    }
    assert!(!secured.connection.is_up());
    assert!(!device.finished);
}
