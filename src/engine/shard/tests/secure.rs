//! Devices that speak DTLS, with a client that shares no code with the layer.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Mutex;

use loadtest::dtls::{Connection, Connector, ConnectorOptions, Login};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use zeroize::Zeroizing;

use super::restart::Memory;
use super::*;
use crate::engine::credentials::{Credentials, Decision, Owner, Purpose, Waiting};
use crate::engine::metrics::EngineMetrics;
use crate::engine::persistence::{Persistence, Restored};
use crate::engine::view::SecurityMode;
use crate::net::steer;
use crate::proto::dtls::{
    AlertDescription, Claim, ServerContexts, ServerCredentials, Verdict, cid,
};
use crate::proto::time::UnixMillis;

mod off_shard;
mod other_shard;
mod register;
mod restart;
mod revoke;
mod sessions;

const KEY: &[u8] = b"0123456789abcdef";

/// The credentials of devices, by what they claim.
#[derive(Debug, Default)]
struct Book {
    psk: Mutex<HashMap<String, Owner>>,
    keys: Mutex<HashMap<Vec<u8>, Owner>>,
    security: Mutex<HashMap<String, SecurityMode>>,
    /// Who registered, with which identity.
    registered: Mutex<Vec<(String, u64)>>,
}

impl Book {
    fn psk(&self, identity: &str, endpoint: &str, number: u64) {
        let owner = Owner {
            identity: number,
            endpoint: endpoint.into(),
        };
        self.psk.lock().unwrap().insert(identity.to_owned(), owner);
        let mut security = self.security.lock().unwrap();
        security.insert(endpoint.to_owned(), SecurityMode::Psk);
    }

    fn raw_public_key(&self, key: &PKey<Private>, endpoint: &str, number: u64) {
        let owner = Owner {
            identity: number,
            endpoint: endpoint.into(),
        };
        let der = key.public_key_to_der().unwrap();
        self.keys.lock().unwrap().insert(der, owner);
        let mut security = self.security.lock().unwrap();
        security.insert(endpoint.to_owned(), SecurityMode::Rpk);
    }

    fn forget(&self, identity: &str) {
        self.psk.lock().unwrap().remove(identity);
    }
}

impl Credentials for Book {
    fn decide(&self, claim: &Claim, _: Purpose, _: bool, _: UnixMillis) -> Decision {
        let (owner, verdict) = match claim {
            Claim::PskIdentity(identity) => {
                let identity = String::from_utf8_lossy(identity).into_owned();
                let owner = self.psk.lock().unwrap().get(&identity).cloned();
                (owner, Verdict::Psk(Zeroizing::new(KEY.to_vec())))
            }
            Claim::RawPublicKey(der) => {
                let owner = self.keys.lock().unwrap().get(&**der).cloned();
                (owner, Verdict::Accepted)
            }
            Claim::Certificate(chain) => {
                let certificate = openssl::x509::X509::from_der(&chain[0]).unwrap();
                let key = certificate.public_key().unwrap().public_key_to_der();
                let owner = self.keys.lock().unwrap().get(&key.unwrap()).cloned();
                (owner, Verdict::Accepted)
            }
        };
        match owner {
            None => Decision::refused(AlertDescription::UnknownPskIdentity),
            owner => Decision { verdict, owner },
        }
    }

    fn admits(&self, endpoint: &str, security: SecurityMode) -> bool {
        let known = self.security.lock().unwrap();
        let wanted = known.get(endpoint).copied();
        wanted.unwrap_or(SecurityMode::NoSec) == security
    }

    fn holds(&self, owner: &Owner, _: Purpose) -> bool {
        let psk = self.psk.lock().unwrap();
        let keys = self.keys.lock().unwrap();
        psk.values().chain(keys.values()).any(|held| held == owner)
    }

    fn registered(&self, endpoint: &str, identity: u64) {
        let mut registered = self.registered.lock().unwrap();
        registered.push((endpoint.to_owned(), identity));
    }
}

/// Shards, their time and the network around them.
struct World {
    members: Vec<Standalone>,
    waiting: Option<Waiting>,
    now: Now,
    book: Arc<Book>,
    /// What was sent, by whom it is for.
    sent: BTreeMap<SocketAddr, Vec<Vec<u8>>>,
}

impl World {
    fn new(shards: u8) -> Self {
        Self::with(shards, Arc::new(Book::default()))
    }

    fn with(shards: u8, book: Arc<Book>) -> Self {
        let contexts = ServerContexts::build(&ServerCredentials {
            psk: true,
            raw_public_key: Some(new_key()),
            certificate: None,
            ..ServerCredentials::default()
        });
        let config = EngineConfig {
            allow_unknown: true,
            ..EngineConfig::default()
        };
        let contexts = Arc::new(contexts.unwrap());
        let known = Arc::clone(&book) as Arc<dyn Credentials>;
        let plan = ProfilePlan::built_in_default();
        let (members, waiting) =
            Standalone::secured(config, plan, shards, 42, known, &contexts).unwrap();
        let now = Now {
            tick: Tick::from_millis(1_000_000),
            wall: 1_795_435_985_890,
        };
        let mut world = Self {
            members,
            waiting: Some(waiting),
            now,
            book,
            sent: BTreeMap::new(),
        };
        for member in &mut world.members {
            member.shared.listening.store(true, Relaxed);
            member.shard.begin(now);
        }
        world
    }

    /// One shard on what is stored.
    fn restored(memory: &Arc<Memory>, book: &Arc<Book>) -> (Self, Restored) {
        let mut world = Self::with(1, Arc::clone(book));
        let persistence = Persistence {
            store: Arc::clone(memory) as Arc<dyn crate::engine::persistence::StateStore>,
            plans: Arc::new(HashMap::new()),
            served_until: Some(world.now.wall),
        };
        let now = world.now;
        let (restored, _) = world.members[0].shard.restore(now, persistence).unwrap();
        (world, restored)
    }

    /// The kernel's choice of a shard.
    fn steered(&self, from: SocketAddr, datagram: &[u8]) -> usize {
        match cid::shard_of_datagram(datagram) {
            Some(shard) => usize::from(shard) % self.members.len(),
            None => steer::shard_of(&from.into(), self.members.len()),
        }
    }

    fn deliver(&mut self, from: SocketAddr, datagram: &[u8]) {
        let shard = self.steered(from, datagram);
        self.deliver_to(shard, from, datagram);
    }

    fn deliver_to(&mut self, shard: usize, from: SocketAddr, datagram: &[u8]) {
        let received = ReceivedMut {
            bytes: &mut datagram.to_vec(),
            peer: from.into(),
            local: None,
            truncated: false,
        };
        self.members[shard]
            .shard
            .on_record(received, Origin::Socket);
        self.settle();
    }

    fn plain(&mut self, from: SocketAddr, bytes: &[u8]) -> Vec<Vec<u8>> {
        let shard = steer::shard_of(&from.into(), self.members.len());
        let datagram = Datagram::plain(bytes, from.into());
        let shard = &mut self.members[shard].shard;
        shard.on_datagram(&datagram, Origin::Socket);
        self.settle();
        self.sent.remove(&from).unwrap_or_default()
    }

    /// Lets shards hand over until none has anything for another.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for member in &mut self.members {
                member.shard.end();
                let shard = &mut member.shard;
                for secured in [false, true] {
                    let (arena, outbox) = if secured {
                        shard.secure_outbox()
                    } else {
                        shard.outbox()
                    };
                    for out in outbox {
                        let bytes = &arena[out.start as usize..(out.start + out.len) as usize];
                        let to = self.sent.entry(out.peer.into()).or_default();
                        to.push(bytes.to_vec());
                    }
                    let count = outbox.len();
                    if secured {
                        shard.secure_sent(count);
                    } else {
                        shard.sent(count);
                    }
                }
            }
            for member in &mut self.members {
                while let Ok(batch) = member.inlet.try_recv() {
                    quiet = false;
                    for handed in batch {
                        member.shard.on_handoff(handed);
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        let end = self.now.tick.plus_millis(millis);
        while self.now.tick < end {
            let step = 50.min(end.millis_since(self.now.tick));
            self.now.tick = self.now.tick.plus_millis(step);
            self.now.wall += step as i64;
            for member in &mut self.members {
                member.shard.begin(self.now);
                while member.shard.run_deadlines() {}
            }
            self.settle();
        }
    }

    fn command(&mut self, command: impl Fn() -> Command) {
        for member in &mut self.members {
            member.shard.on_command(command());
        }
        self.settle();
    }

    fn home(&self, endpoint: &str) -> Option<crate::engine::directory::Home> {
        self.members[0].shared.directory.home(endpoint)
    }

    fn registration(&mut self, endpoint: &str) -> RegistrationView {
        let home = self.home(endpoint).expect("it is known");
        let (reply, mut answer) = oneshot::channel();
        let command = Command::Inspect {
            slot: home.slot,
            endpoint: endpoint.to_owned(),
            what: Inspect::Registration(reply),
        };
        let shard = usize::from(home.shard);
        self.members[shard].shard.on_command(command);
        *answer.try_recv().unwrap().unwrap()
    }

    fn metric(&self, line_start: &str) -> f64 {
        let mut text = String::new();
        let shards = self.members.iter();
        let shards = shards.map(|member| Arc::clone(&member.metrics));
        EngineMetrics::new(shards.collect()).render(&mut text);
        let line = text.lines().find(|line| line.starts_with(line_start));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    }
}

/// A device with a DTLS client.
struct Device {
    connection: Connection,
    address: SocketAddr,
    /// Messages that came, oldest first.
    inbox: Vec<Vec<u8>>,
    mid: u16,
}

impl Device {
    fn psk(identity: &str, address: &str) -> Self {
        let login = Login::Psk {
            identity: identity.into(),
            key: KEY.into(),
        };
        Self::with(login, address)
    }

    fn with(login: Login, address: &str) -> Self {
        let connector = Connector::new(ConnectorOptions::new(login.mode())).unwrap();
        Self {
            connection: Connection::new(connector, login, Vec::new()),
            address: address.parse().unwrap(),
            inbox: Vec::new(),
            mid: 0x100,
        }
    }

    fn send(&mut self, world: &mut World, message: &[u8]) {
        let now = world.now.tick.as_millis() * 1_000;
        self.connection.send(message, now);
        self.exchange(world);
    }

    /// Everything there is to say, both ways, until nobody says anything.
    fn exchange(&mut self, world: &mut World) {
        let now = world.now.tick.as_millis() * 1_000;
        loop {
            let datagrams: Vec<_> = self.connection.transmit().collect();
            for datagram in &datagrams {
                world.deliver(self.address, datagram);
            }
            let answers = world.sent.remove(&self.address).unwrap_or_default();
            if datagrams.is_empty() && answers.is_empty() {
                return;
            }
            for answer in answers {
                let inbox = &mut self.inbox;
                let mut deliver = |message: &[u8]| inbox.push(message.to_vec());
                self.connection.receive(&answer, now, &mut deliver);
            }
        }
    }

    /// Sends a request and returns the response.
    fn ask(&mut self, world: &mut World, code: Code, path: &str, query: &[&str]) -> Message {
        self.ask_with(world, code, path, query, b"")
    }

    fn ask_with(
        &mut self,
        world: &mut World,
        code: Code,
        path: &str,
        query: &[&str],
        payload: &[u8],
    ) -> Message {
        self.mid += 1;
        let mid = self.mid;
        self.send(world, &request(code, mid, path, query, payload));
        let is_answer = |bytes: &Vec<u8>| {
            let view = MessageView::parse(bytes).unwrap();
            view.mid() == mid && view.kind() == MessageType::Acknowledgement
        };
        let at = self.inbox.iter().position(is_answer).expect("an answer");
        Message(self.inbox.remove(at))
    }

    fn register(&mut self, world: &mut World, query: &[&str]) -> Message {
        let query = [&["lwm2m=1.1", "lt=300"], query].concat();
        self.ask_with(world, Code::POST, "/rd", &query, LINKS)
    }

    /// Registers and answers what the server asks; returns the location.
    fn registered(&mut self, world: &mut World, endpoint: &str) -> String {
        let created = self.register(world, &[&format!("ep={endpoint}")]);
        assert_eq!(created.code(), Code::CREATED, "{}", created.text());
        self.comply(world);
        created.location()
    }

    fn update(&mut self, world: &mut World, location: &str) -> Code {
        self.ask(world, Code::POST, location, &[]).code()
    }

    /// Answers requests of the server until there are none. Returns the token of the observation.
    fn comply(&mut self, world: &mut World) -> Vec<u8> {
        let mut observed = Vec::new();
        while let Some(bytes) = self.inbox.pop() {
            let sent = Sent {
                peer: self.address.into(),
                bytes,
            };
            if !sent.code().is_request() {
                continue;
            }
            let observes = sent.view().observe() == Some(0);
            if observes {
                observed = sent.view().token().to_vec();
            }
            let options: &[_] = if observes {
                &[(option::OBSERVE, 1)]
            } else {
                &[]
            };
            self.send(world, &response(&sent, Code::CONTENT, options, b"50"));
        }
        observed
    }
}

struct Message(Vec<u8>);

impl Message {
    fn code(&self) -> Code {
        MessageView::parse(&self.0).unwrap().code()
    }

    fn text(&self) -> String {
        let view = MessageView::parse(&self.0).unwrap();
        String::from_utf8_lossy(view.payload()).into_owned()
    }

    fn location(&self) -> String {
        let view = MessageView::parse(&self.0).unwrap();
        let segments = view.all(option::LOCATION_PATH);
        segments
            .map(|segment| format!("/{}", String::from_utf8_lossy(segment)))
            .collect()
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}
