//! What an edit of a profile costs: so many registered devices are asked two things more, and
//! meanwhile devices of another profile send Updates, whose latency is told.
//!
//! `cargo bench --bench profile_edit -- [devices] [changes per second] [shards]`. Each device has an
//! address of its own in 127.0.0.0/8 and answers at once; devices and server share the process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rookery::engine::endpoint::profile_parts::{PlannedPath, PlannedStep, ProfileParts};
use rookery::engine::view::RolloutView;
use rookery::engine::{Admission, EngineConfig, EngineHandle, prepare};
use rookery::net::{
    LocalAddr, OutDatagram, PeerAddr, ReceiveBatch, SendBatch, ShardSocket, SocketGroup,
    SocketOptions,
};
use rookery::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};

/// Devices that register at the same time.
const WINDOW: u32 = 256;
/// Devices of the other profile, and the pause between two of their Updates.
const OTHERS: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(1);
/// Nothing came for so long: what is missing is lost.
const PATIENCE: Duration = Duration::from_secs(2);

const LINKS: &[u8] =
    b"</>;rt=\"oma.lwm2m\";ct=\"0 110 112\",</1>;ver=1.1,</1/0>,</3>;ver=1.1,</3/0>";

fn main() {
    // Cargo passes `--bench`.
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .filter(|text| text != "--bench")
        .map(|text| text.parse().expect("a number"))
        .collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (devices, per_second) = (number(0, 20_000), number(1, 20_000));
    let config = EngineConfig {
        coap: Some((Ipv4Addr::LOCALHOST, 0).into()),
        shards: number(2, 2) as usize,
        allow_unknown: true,
        logged_devices: 0,
        profile_changes_per_second: per_second,
        newcomers_per_second: 1 << 24,
        ..EngineConfig::default()
    };
    let prepared = prepare(config).expect("the engine is prepared");
    let engine = prepared.handle().clone();
    engine
        .put_profile(profile("default", &[]))
        .expect("a profile");
    let other = engine
        .put_profile(profile("other", &[]))
        .expect("a profile");
    for number in 0..OTHERS {
        let admission = Admission {
            profile: other,
            power: None,
        };
        engine.admit(&name(devices + number), admission);
    }
    let running = prepared.run().expect("the engine runs");
    let server = engine.listeners()[0].1;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let progress = || runtime.block_on(progress(&engine));

    let began = Instant::now();
    let mut fleet = Devices::new(server, 0x7f01_0000);
    fleet.register(0..devices);
    let mut others = Devices::new(server, 0x7f80_0000);
    let locations = others.register(devices..devices + OTHERS);
    println!("{devices} devices registered in {:.1?}", began.elapsed());
    let (memory, quiet) = (status("VmRSS:"), Updates::start(others, locations.clone()));
    std::thread::sleep(Duration::from_secs(2));
    let (others, quiet) = quiet.stop();
    println!("Updates of {OTHERS} other devices while nothing happens: {quiet}");

    let stop = Arc::new(AtomicBool::new(false));
    let answering = answer_all(fleet, Arc::clone(&stop));
    let updates = Updates::start(others, locations);
    let began = Instant::now();
    let changed = profile("default", &[9, 0]);
    engine.put_profile(changed).expect("the edit");
    let mut told = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let now = progress();
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!("{now:?}");
        }
        if now.done + now.failed >= u64::from(devices) {
            println!("{} devices done, {} failed", now.done, now.failed);
            break;
        }
    }
    let took = began.elapsed();
    let (_, busy) = updates.stop();
    stop.store(true, Relaxed);
    let asked = answering.join().expect("the devices answer");
    println!(
        "changed in {took:.2?}, {:.0} devices a second, {asked} requests answered",
        f64::from(devices) / took.as_secs_f64()
    );
    println!("Updates of {OTHERS} other devices meanwhile: {busy}");
    println!(
        "memory {} MiB before the edit, {} MiB at the peak, devices included",
        memory >> 10,
        status("VmHWM:") >> 10
    );
    let drained = runtime.block_on(running.shutdown(Duration::from_secs(10)));
    assert!(drained, "the engine drains");
}

async fn progress(engine: &EngineHandle) -> RolloutView {
    let all = engine.progress().await.expect("the engine tells");
    all.get(&0).copied().unwrap_or_default()
}

/// Observes the first of these resources of Device and reads the others.
fn profile(name: &str, resources: &[u16]) -> ProfileParts {
    let planned = |resource: &u16| PlannedPath {
        path: rookery::proto::lwm2m::Path::resource(3, 0, *resource),
        version: None,
    };
    let observed = resources.iter().take(1).map(planned);
    let read = resources.iter().skip(1).map(planned);
    let steps = observed.map(PlannedStep::Observe);
    ProfileParts {
        name: name.to_owned(),
        steps: steps.chain(read.map(PlannedStep::Read)).collect(),
        ..ProfileParts::default()
    }
}

fn name(number: u32) -> String {
    format!("urn:dev:os:{number:08}")
}

/// Devices behind one socket, each at an address of its own.
struct Devices {
    server: PeerAddr,
    socket: ShardSocket,
    inbox: ReceiveBatch,
    outbox: SendBatch,
    first: u32,
    arena: Vec<u8>,
    datagrams: Vec<OutDatagram>,
}

impl Devices {
    fn new(server: SocketAddr, first: u32) -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let sockets = SocketGroup::bind(any, 1, &SocketOptions::default());
        Self {
            server: server.into(),
            socket: sockets.expect("a port is free").remove(0),
            inbox: ReceiveBatch::new(64, 2_048),
            outbox: SendBatch::new(64),
            first,
            arena: Vec::new(),
            datagrams: Vec::new(),
        }
    }

    /// Queues a datagram of the device at an address.
    fn write(&mut self, local: LocalAddr, message: impl FnOnce(&mut Vec<u8>)) {
        let start = self.arena.len();
        message(&mut self.arena);
        self.datagrams.push(OutDatagram {
            peer: self.server,
            local: Some(local),
            start: start as u32,
            len: (self.arena.len() - start) as u32,
        });
    }

    fn send(&mut self) {
        let mut rest = &self.datagrams[..];
        while !rest.is_empty() {
            let sent = self.outbox.send(&self.socket, &self.arena, rest).sent;
            rest = &rest[sent..];
        }
        self.arena.clear();
        self.datagrams.clear();
    }

    /// Registers these devices; returns their locations.
    fn register(&mut self, numbers: std::ops::Range<u32>) -> Vec<Box<[u8]>> {
        let mut locations = vec![Box::default(); numbers.len()];
        let mut next = numbers.start;
        while next < numbers.end {
            let end = (next + WINDOW).min(numbers.end);
            for number in next..end {
                let local = self.address(number - numbers.start);
                self.write(local, |bytes| write_register(number, bytes));
            }
            self.send();
            let (mut missing, mut last) = (end - next, Instant::now());
            while missing > 0 {
                assert!(
                    last.elapsed() < PATIENCE,
                    "{missing} Registers are unanswered"
                );
                if self.inbox.receive(&self.socket).is_err() {
                    std::thread::yield_now();
                    continue;
                }
                last = Instant::now();
                for datagram in self.inbox.iter() {
                    let Ok(view) = MessageView::parse(datagram.bytes) else {
                        continue;
                    };
                    let id = view.all(option::LOCATION_PATH).nth(1);
                    let address = datagram.local.and_then(|local| local.as_v4());
                    if let Some((id, address)) = id.zip(address) {
                        let at = u32::from(address) - self.first;
                        locations[at as usize] = id.into();
                        missing -= 1;
                    }
                }
            }
            next = end;
        }
        locations
    }

    fn address(&self, at: u32) -> LocalAddr {
        LocalAddr::v4(Ipv4Addr::from_bits(self.first + at))
    }
}

/// Answers every request until it is to stop; returns how many there were.
fn answer_all(mut devices: Devices, stop: Arc<AtomicBool>) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut asked = 0;
        while !stop.load(Relaxed) {
            if devices.inbox.receive(&devices.socket).is_err() {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
            let inbox = std::mem::replace(&mut devices.inbox, ReceiveBatch::new(1, 64));
            for datagram in inbox.iter() {
                let view = MessageView::parse(datagram.bytes).ok();
                let view = view.filter(|view| view.code().is_request());
                if let Some((view, local)) = view.zip(datagram.local) {
                    asked += 1;
                    devices.write(local, |bytes| write_answer(&view, bytes));
                }
            }
            devices.inbox = inbox;
            devices.send();
        }
        asked
    })
}

/// Devices that send one Update after the other, and how long each took.
struct Updates {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Devices, Latencies)>,
}

impl Updates {
    fn start(mut devices: Devices, locations: Vec<Box<[u8]>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut latencies = Latencies::default();
            let mut mid = 10_000_u16;
            for at in (0..locations.len()).cycle() {
                if told.load(Relaxed) {
                    break;
                }
                mid = mid.wrapping_add(1);
                let local = devices.address(at as u32);
                devices.write(local, |bytes| write_update(mid, &locations[at], bytes));
                let began = Instant::now();
                devices.send();
                loop {
                    if devices.inbox.receive(&devices.socket).is_ok() {
                        let mut answers = devices.inbox.iter();
                        if answers.any(|answer| answers_update(answer.bytes, mid)) {
                            latencies.0.push(began.elapsed());
                            break;
                        }
                    }
                    if began.elapsed() > PATIENCE {
                        latencies.0.push(PATIENCE);
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(20));
                }
                std::thread::sleep(PAUSE);
            }
            (devices, latencies)
        });
        Self { stop, thread }
    }

    fn stop(self) -> (Devices, Latencies) {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the other devices send")
    }
}

#[derive(Default)]
struct Latencies(Vec<Duration>);

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |share: f64| {
            let index = (sorted.len() as f64 * share) as usize;
            sorted
                .get(index.min(sorted.len().saturating_sub(1)))
                .copied()
        };
        let (middle, late) = (at(0.5).unwrap_or_default(), at(0.99).unwrap_or_default());
        let latest = sorted.last().copied().unwrap_or_default();
        let count = sorted.len();
        write!(
            f,
            "{count}, p50 {middle:.1?}, p99 {late:.1?}, longest {latest:.1?}"
        )
    }
}

fn answers_update(bytes: &[u8], mid: u16) -> bool {
    MessageView::parse(bytes).is_ok_and(|view| view.mid() == mid && view.code() == Code::CHANGED)
}

fn write_register(number: u32, bytes: &mut Vec<u8>) {
    let kind = MessageType::Confirmable;
    let mut writer = MessageWriter::new(bytes, kind, Code::POST, 1, &[1, 2, 3, 4]);
    writer.option(option::URI_PATH, b"rd");
    writer.option(option::URI_QUERY, b"lwm2m=1.1");
    writer.option(option::URI_QUERY, format!("ep={}", name(number)).as_bytes());
    writer.option(option::URI_QUERY, b"lt=86400");
    writer.payload(LINKS);
    writer.finish();
}

fn write_update(mid: u16, location: &[u8], bytes: &mut Vec<u8>) {
    let kind = MessageType::Confirmable;
    let mut writer = MessageWriter::new(bytes, kind, Code::POST, mid, &[1, 2]);
    writer.option(option::URI_PATH, b"rd");
    writer.option(option::URI_PATH, location);
    writer.finish();
}

fn write_answer(request: &MessageView<'_>, bytes: &mut Vec<u8>) {
    let kind = MessageType::Acknowledgement;
    let (mid, token) = (request.mid(), request.token());
    let mut writer = MessageWriter::new(bytes, kind, Code::CONTENT, mid, token);
    if request.observe() == Some(0) {
        writer.uint(option::OBSERVE, 1);
    }
    writer.uint(option::CONTENT_FORMAT, 0);
    writer.payload(b"87");
    writer.finish();
}

/// A line of the status of this process, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}
