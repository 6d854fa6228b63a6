//! What it costs to bring an Update to its endpoint: at rest, activated, and to an actix actor that
//! each endpoint would have all its life. CPU time and memory, at three fleet sizes.
//!
//! `cargo bench --bench dispatch [-- SIZE... rest|four|notification|activated|resident]`

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;

use actix::{Actor, Addr, Context, Handler, Message, System};
use rookery::engine::EngineConfig;
use rookery::engine::endpoint::plan::ProfilePlan;
use rookery::engine::shard::{Datagram, Origin, Shard, Standalone};
use rookery::net::PeerAddr;
use rookery::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};
use rookery::proto::time::{Now, Tick};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const UPDATES: usize = 1_000_000;
/// Datagrams a shard receives by one call.
const BATCH: usize = 64;

fn main() {
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![1_000, 100_000, 1_000_000]
    } else {
        sizes
    };
    let only = std::env::args()
        .skip(1)
        .find(|arg| CASES.iter().any(|(name, _)| name == arg));
    if let (Some(only), &[size]) = (&only, sizes.as_slice()) {
        for (_, case) in CASES.iter().filter(|(name, _)| name == only) {
            case(size);
        }
        return;
    }
    println!(
        "{:>10} {:22} {:>12} {:>16}",
        "endpoints", "dispatch", "ns/message", "bytes/endpoint"
    );
    // Each case in a process of its own: memory that one gave back would be the next one's gift.
    let this = std::env::current_exe().expect("the path of this program");
    for size in sizes {
        for (name, _) in CASES {
            if only.as_ref().is_none_or(|only| only == name) {
                let case = std::process::Command::new(&this)
                    .args([&size.to_string(), name])
                    .status();
                assert!(case.expect("the case starts").success(), "{name} at {size}");
            }
        }
    }
}

type Case = (&'static str, fn(usize));

const CASES: [Case; 5] = [
    ("rest", at_rest),
    ("four", four_observations),
    ("notification", notified),
    ("activated", activated),
    ("resident", resident),
];

fn report(size: usize, what: &str, nanos: u64, bytes: usize) {
    let per_update = nanos as f64 / UPDATES as f64;
    println!(
        "{size:>10} {what:22} {per_update:>12.0} {:>16}",
        bytes / size
    );
}

/// The shard lends the endpoint its thread.
fn at_rest(size: usize) {
    in_place(Fleet::new(size), "at rest", Fleet::updates);
}

/// The same with four observations of each endpoint: what a device with an ordinary profile weighs.
fn four_observations(size: usize) {
    let default = ProfilePlan::built_in_default();
    let paths: Vec<_> = default
        .mappings()
        .iter()
        .map(|mapping| mapping.path)
        .collect();
    let mappings = (0..).map_while(|index| default.mapping(index).cloned());
    let plan = ProfilePlan::new("four", mappings.collect(), &paths);
    in_place(
        Fleet::with(size, plan),
        "at rest, four observed",
        Fleet::updates,
    );
}

/// The same for notifications: decoded, mapped, kept.
fn notified(size: usize) {
    in_place(
        Fleet::new(size),
        "at rest, notification",
        Fleet::notifications,
    );
}

/// Datagrams and who sent them.
type Messages = Vec<(PeerAddr, Vec<u8>)>;

fn in_place(mut fleet: Fleet, what: &str, messages: fn(&Fleet) -> Messages) {
    let before = rss();
    fleet.initialise();
    let bytes = rss() - before;
    let messages = messages(&fleet);
    let cpu = cpu_nanos();
    for batch in messages.chunks(BATCH) {
        let datagrams = batch.iter().map(|(_, bytes)| bytes.as_slice());
        fleet.shard.warm(datagrams);
        for (peer, bytes) in batch {
            fleet.receive(*peer, bytes);
        }
        fleet.end_turn();
    }
    report(fleet.size, what, cpu_nanos() - cpu, bytes);
}

/// Each endpoint is in a conversation, so an actor holds it and its mailbox gets the datagrams.
fn activated(size: usize) {
    System::new().block_on(async {
        let before = rss();
        let mut fleet = Fleet::new(size);
        let spare = Fleet::new(0).shard;
        let shard = Rc::new(RefCell::new(std::mem::replace(&mut fleet.shard, spare)));
        shard.borrow_mut().set_host(Rc::downgrade(&shard));
        fleet.register(&mut shard.borrow_mut());
        let bytes = rss() - before;
        let updates = fleet.updates();
        let cpu = cpu_nanos();
        for (n, (peer, update)) in updates.iter().enumerate() {
            let datagram = Datagram::plain(update, *peer);
            shard.borrow_mut().on_datagram(&datagram, Origin::Socket);
            if n % BATCH == BATCH - 1 {
                while shard.borrow().mailboxes() > 0 {
                    tokio::task::yield_now().await;
                }
                end_turn(&mut shard.borrow_mut());
            }
        }
        report(size, "activated", cpu_nanos() - cpu, bytes);
    });
}

/// The least an actix actor for each endpoint can cost: a state of 256 bytes, the same parsing and
/// answering, a table from registration id to address.
fn resident(size: usize) {
    struct Endpoint {
        state: [u64; 32],
        outbox: Rc<RefCell<Vec<u8>>>,
    }
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Deliver(Box<[u8]>);
    impl Actor for Endpoint {
        type Context = Context<Self>;
    }
    impl Handler<Deliver> for Endpoint {
        type Result = ();
        fn handle(&mut self, Deliver(bytes): Deliver, _: &mut Self::Context) {
            let Ok(view) = MessageView::parse(&bytes) else {
                return;
            };
            self.state[0] += 1;
            let kind = MessageType::Acknowledgement;
            let mut outbox = self.outbox.borrow_mut();
            MessageWriter::new(&mut outbox, kind, Code::CHANGED, view.mid(), view.token()).finish();
        }
    }
    System::new().block_on(async {
        let before = rss();
        let mut fleet = Fleet::new(size);
        fleet.initialise();
        let updates = fleet.updates();
        drop(fleet);
        let outbox = Rc::new(RefCell::new(Vec::new()));
        let before = before.max(rss());
        let endpoints: Vec<Addr<Endpoint>> = (0..size)
            .map(|_| {
                Endpoint {
                    state: [0; 32],
                    outbox: Rc::clone(&outbox),
                }
                .start()
            })
            .collect();
        tokio::task::yield_now().await;
        let bytes = rss().saturating_sub(before);
        let mut rng = fastrand::Rng::with_seed(7);
        let cpu = cpu_nanos();
        for (n, (_, update)) in updates.iter().enumerate() {
            endpoints[rng.usize(..size)].do_send(Deliver(update.as_slice().into()));
            if n % BATCH == BATCH - 1 {
                tokio::task::yield_now().await;
                outbox.borrow_mut().clear();
            }
        }
        report(size, "resident actix actor", cpu_nanos() - cpu, bytes);
    });
}

/// Registered devices and the shard they are registered at.
struct Fleet {
    shard: Shard,
    locations: Vec<String>,
    tokens: Vec<Vec<u8>>,
    size: usize,
}

impl Fleet {
    fn new(size: usize) -> Self {
        Self::with(size, ProfilePlan::built_in_default())
    }

    fn with(size: usize, plan: ProfilePlan) -> Self {
        let config = EngineConfig {
            logged_devices: 0,
            allow_unknown: true,
            newcomers_per_second: u32::MAX / 8,
            ..EngineConfig::default()
        };
        let Standalone { mut shard, .. } = Standalone::new(config, plan, 1);
        shard.begin(Now {
            tick: Tick::from_millis(1_000),
            wall: 1_795_435_985_890,
        });
        Self {
            shard,
            locations: Vec::with_capacity(size),
            tokens: Vec::with_capacity(size),
            size,
        }
    }

    /// Registers all devices and answers what the engine asks them.
    fn initialise(&mut self) {
        for n in 0..self.size {
            self.receive(peer(n), &register(n));
            loop {
                let (arena, outbox) = self.shard.outbox();
                let Some(last) = outbox.last() else { break };
                let sent = arena[last.start as usize..(last.start + last.len) as usize].to_vec();
                if let Some(location) = location(arena, outbox.first()) {
                    self.locations.push(location);
                }
                self.end_turn();
                let Some(answer) = answer(&sent, &mut self.tokens) else {
                    break;
                };
                self.receive(peer(n), &answer);
            }
        }
    }

    /// Registers all devices and answers nothing: each stays in its conversation.
    fn register(&mut self, shard: &mut Shard) {
        for n in 0..self.size {
            let bytes = register(n);
            let datagram = Datagram::plain(&bytes, peer(n));
            shard.on_datagram(&datagram, Origin::Socket);
            let (arena, outbox) = shard.outbox();
            self.locations.extend(location(arena, outbox.first()));
            end_turn(shard);
        }
    }

    /// Updates of random devices.
    fn updates(&self) -> Messages {
        let mut rng = fastrand::Rng::with_seed(7);
        let update = |n: usize| {
            let device = rng.usize(..self.size);
            let mut bytes = Vec::with_capacity(32);
            let kind = MessageType::Confirmable;
            let mut writer =
                MessageWriter::new(&mut bytes, kind, Code::POST, n as u16, &[n as u8; 4]);
            for segment in self.locations[device].split('/').skip(1) {
                writer.option(option::URI_PATH, segment.as_bytes());
            }
            writer.finish();
            (peer(device), bytes)
        };
        (0..UPDATES).map(update).collect()
    }

    /// Notifications of random devices, each with the next number of the whole fleet.
    fn notifications(&self) -> Messages {
        let mut rng = fastrand::Rng::with_seed(7);
        let notification = |n: usize| {
            let device = rng.usize(..self.size);
            let mut bytes = Vec::with_capacity(40);
            let (kind, token) = (MessageType::NonConfirmable, &self.tokens[device]);
            let mut writer = MessageWriter::new(&mut bytes, kind, Code::CONTENT, n as u16, token);
            writer.uint(option::OBSERVE, n as u32 + 1);
            writer.uint(option::CONTENT_FORMAT, 112);
            // [{bn: "/3/0/9", v: 87}]
            writer.payload(b"\x81\xa2\x21\x66/3/0/9\x02\x18\x57");
            writer.finish();
            (peer(device), bytes)
        };
        (0..UPDATES).map(notification).collect()
    }

    fn receive(&mut self, peer: PeerAddr, bytes: &[u8]) {
        let datagram = Datagram::plain(bytes, peer);
        self.shard.on_datagram(&datagram, Origin::Socket);
    }

    fn end_turn(&mut self) {
        end_turn(&mut self.shard);
    }
}

fn end_turn(shard: &mut Shard) {
    shard.end();
    let sent = shard.outbox().1.len();
    shard.sent(sent);
}

fn peer(n: usize) -> PeerAddr {
    let ip = Ipv4Addr::from(0x7f01_0000 + (n / 64) as u32);
    PeerAddr::v4(ip, 10_000 + (n % 64) as u16)
}

fn register(n: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let kind = MessageType::Confirmable;
    let mut writer = MessageWriter::new(&mut bytes, kind, Code::POST, n as u16, &[1; 4]);
    writer.option(option::URI_PATH, b"rd");
    writer.option(
        option::URI_QUERY,
        format!("ep=urn:dev:os:{n:08}").as_bytes(),
    );
    writer.option(option::URI_QUERY, b"lwm2m=1.1");
    writer.option(option::URI_QUERY, b"lt=86400");
    writer.payload(
        b"</>;rt=\"oma.lwm2m\";ct=\"110 112 11542\",</1/0>,</2>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,\
          </9/0>,</19/0>,</3303>;ver=1.1,</3303/0>,</3304/0>",
    );
    writer.finish();
    bytes
}

fn location(arena: &[u8], created: Option<&rookery::net::mmsg::OutDatagram>) -> Option<String> {
    let created = created?;
    let bytes = &arena[created.start as usize..(created.start + created.len) as usize];
    let view = MessageView::parse(bytes).ok()?;
    let mut location = String::new();
    for segment in view.all(option::LOCATION_PATH) {
        location.push('/');
        location.push_str(std::str::from_utf8(segment).ok()?);
    }
    (!location.is_empty()).then_some(location)
}

/// The device's answer to a request of the engine.
fn answer(request: &[u8], tokens: &mut Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let view = MessageView::parse(request).ok()?;
    if !view.code().is_request() {
        return None;
    }
    let mut bytes = Vec::with_capacity(32);
    let kind = MessageType::Acknowledgement;
    let mut writer = MessageWriter::new(&mut bytes, kind, Code::CONTENT, view.mid(), view.token());
    if view.observe().is_some() {
        tokens.push(view.token().to_vec());
        writer.uint(option::OBSERVE, 0);
        writer.payload(b"87");
    } else {
        writer.payload(b"Rookery R1");
    }
    writer.finish();
    Some(bytes)
}

/// CPU time of this thread in nanoseconds.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    stat.split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .expect("nanoseconds")
}

/// Resident memory of the process in bytes.
fn rss() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("resident pages");
    pages * 4_096
}
