//! Devices that bootstrap through a bad network. Whatever it does, a device never takes part of a
//! configuration for the whole, every device has all of it in the end, and the server keeps nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};
use rookery::engine::EngineConfig;
use rookery::engine::bootstrap::configuration::{Account, Configuration, Server};
use rookery::engine::bootstrap::desk::{Directive, Order, Told};
use rookery::engine::command::Command;
use rookery::engine::endpoint::plan::ProfilePlan;
use rookery::engine::shard::Standalone;
use rookery::net::PeerAddr;
use rookery::proto::time::{Now, Tick};
use tokio::sync::mpsc::Receiver;

use super::message::{encode, message, parse, path};
use super::network::{Network, Way, Weather};
use super::timeline::Timeline;
use super::{Again, disorderly, lossy, stormy};

const DEVICES: usize = 5;
const MINUTE: u64 = 60_000;

/// What a device that has all of it was written.
const WHOLE: [&str; 4] = ["/0/1", "/0/2", "/1/0", "/1/1"];

#[test]
fn devices_bootstrap_through_losses() {
    hold("bootstrap::devices_bootstrap_through_losses", || {
        lossy(Weather::fair())
    });
}

#[test]
fn devices_bootstrap_through_repetitions_and_disorder() {
    hold(
        "bootstrap::devices_bootstrap_through_repetitions_and_disorder",
        || disorderly(Weather::fair()),
    );
}

#[test]
fn devices_bootstrap_through_a_storm() {
    hold("bootstrap::devices_bootstrap_through_a_storm", stormy);
}

fn hold(test: &str, weather: impl Fn() -> Weather) {
    let seeds = match super::variable("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..60 * super::variable("SIMULATION_ROUNDS").unwrap_or(1),
    };
    for seed in seeds {
        let _again = Again { test, seed };
        let mut world = World::new(seed, weather());
        world.run(90 * MINUTE);
        // Sessions whose device has gone its way are given up by now.
        world.network.set_weather(Weather::fair());
        world.run(100 * MINUTE);
        for (number, device) in world.devices.iter().enumerate() {
            assert!(device.has_all, "device {number}");
        }
        world.member.shard.end();
        assert_eq!(world.member.metrics.bootstrap.open.get(), 0);
        assert_eq!(world.sessions_ended, world.sessions_begun, "each once");
    }
}

enum Event {
    ToServer(PeerAddr, Vec<u8>),
    ToDevice(usize, Vec<u8>),
    Wake(usize),
}

struct World {
    member: Standalone,
    told: Receiver<Told>,
    configuration: Arc<Configuration>,
    network: Network,
    devices: Vec<Device>,
    timeline: Timeline<Event>,
    now: u64,
    sessions_begun: usize,
    sessions_ended: usize,
}

impl World {
    fn new(seed: u64, weather: Weather) -> Self {
        let plan = ProfilePlan::built_in_default();
        let mut member = Standalone::new(EngineConfig::default(), plan, seed);
        member.shard.serve_bootstrap(None).expect("plain CoAP");
        let told = member.shared.bootstrap.open().expect("nobody else");
        let server = |short_id: u16| Server {
            account: Account {
                uri: format!("coap://server-{short_id}:5683").into(),
                ..Account::default()
            },
            short_id,
            lifetime: 300,
            binding: "U".into(),
            ..Server::default()
        };
        let configuration = Configuration {
            servers: vec![server(1), server(2)],
            ..Configuration::default()
        };
        let mut timeline = Timeline::new();
        for number in 0..DEVICES {
            timeline.plan(number as u64 * 100, Event::Wake(number));
        }
        Self {
            member,
            told,
            configuration: Arc::new(configuration),
            network: Network::new(seed, weather, DEVICES),
            devices: (0..DEVICES).map(Device::new).collect(),
            timeline,
            now: 0,
            sessions_begun: 0,
            sessions_ended: 0,
        }
    }

    fn run(&mut self, until: u64) {
        loop {
            let wake = self.member.shard.next_wake();
            let wake = wake.map_or(u64::MAX, |tick| tick.as_millis().saturating_sub(1_000));
            let next = self.timeline.next().min(wake.max(self.now + 1));
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
            self.member.shard.begin(Now {
                tick: Tick::from_millis(self.now + 1_000),
                wall: 1_795_435_985_890 + self.now as i64,
            });
            while let Some(event) = self.timeline.due(self.now) {
                self.on_event(event);
            }
            while self.member.shard.run_deadlines() {}
            self.answer_and_send();
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::ToServer(from, bytes) => {
                let server = self.member.shard.bootstrap().expect("served");
                server.on_datagram(&bytes, from, None, false);
            }
            Event::ToDevice(number, bytes) => {
                if let Some(answer) = self.devices[number].take(&bytes) {
                    self.send(number, &answer);
                }
            }
            Event::Wake(number) => {
                if let Some((request, again)) = self.devices[number].wake() {
                    self.send(number, &request);
                    self.timeline.plan(self.now + again, Event::Wake(number));
                }
            }
        }
    }

    fn send(&mut self, device: usize, bytes: &[u8]) {
        let from = self.network.address(device);
        for at in self.network.arrivals(self.now, device, Way::ToServer) {
            let event = Event::ToServer(from, bytes.to_vec());
            self.timeline.plan(at, event);
        }
    }

    fn answer_and_send(&mut self) {
        while let Ok(told) = self.told.try_recv() {
            match told {
                Told::Asked(asked) => {
                    self.sessions_begun += 1;
                    let number = asked.ticket.number;
                    let what = Order::Configure(Arc::clone(&self.configuration));
                    let command = Command::Bootstrap(Directive { number, what });
                    self.member.shard.on_command(command);
                }
                Told::Ended { .. } => self.sessions_ended += 1,
                Told::Note { .. } => {}
            }
        }
        let server = self.member.shard.bootstrap().expect("served");
        let (arena, outbox) = server.outbox();
        let datagram =
            |start: u32, len: u32| arena[start as usize..(start + len) as usize].to_vec();
        let sent: Vec<_> = outbox
            .iter()
            .map(|out| (out.peer, datagram(out.start, out.len)))
            .collect();
        server.sent(sent.len());
        for (peer, bytes) in sent {
            let device = self.network.device_at(&peer).expect("one of ours");
            for at in self.network.arrivals(self.now, device, Way::ToDevice) {
                self.timeline
                    .plan(at, Event::ToDevice(device, bytes.clone()));
            }
        }
    }
}

/// It asks until it is answered, begins anew when nothing comes of it for a while, and takes nothing but
/// the whole.
struct Device {
    number: usize,
    mid: u16,
    /// How often it has sent its request, unanswered.
    tries: u32,
    is_answered: bool,
    written: BTreeSet<String>,
    has_all: bool,
    /// What it answered by message id.
    answers: BTreeMap<u16, Vec<u8>>,
}

impl Device {
    fn new(number: usize) -> Self {
        Self {
            number,
            mid: number as u16 * 1_000,
            tries: 0,
            is_answered: false,
            written: BTreeSet::new(),
            has_all: false,
            answers: BTreeMap::new(),
        }
    }

    /// Its request, and in how many milliseconds it looks again.
    fn wake(&mut self) -> Option<(Vec<u8>, u64)> {
        if self.has_all {
            return None;
        }
        if self.is_answered || self.tries == 5 {
            // What it was told in part is worth nothing.
            self.written.clear();
            self.is_answered = false;
            self.tries = 0;
        }
        if self.tries == 0 {
            self.mid += 1;
        }
        self.tries += 1;
        let code = MessageClass::Request(RequestType::Post);
        let token = self.mid.to_be_bytes();
        let mut request = message(MessageType::Confirmable, code, self.mid, &token);
        request.add_option(CoapOption::UriPath, b"bs".to_vec());
        let endpoint = format!("ep=device-{}", self.number);
        request.add_option(CoapOption::UriQuery, endpoint.into_bytes());
        // Answered, it has the time of a session to hear the rest.
        Some((encode(&request), 2_500 << self.tries))
    }

    fn take(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let packet = parse(bytes);
        let MessageClass::Request(method) = packet.header.code else {
            let is_ours = packet.header.message_id == self.mid;
            self.is_answered |= is_ours && packet.get_token() == self.mid.to_be_bytes();
            return None;
        };
        let mid = packet.header.message_id;
        if let Some(answer) = self.answers.get(&mid) {
            return Some(answer.clone());
        }
        let place = path(&packet, CoapOption::UriPath);
        let mut payload = Vec::new();
        let code = match method {
            RequestType::Get => {
                payload = b"</0/0>".to_vec();
                ResponseType::Content
            }
            RequestType::Put => {
                self.written.insert(place);
                ResponseType::Changed
            }
            RequestType::Delete => ResponseType::Deleted,
            _ if WHOLE.iter().all(|path| self.written.contains(*path)) => {
                self.has_all = true;
                ResponseType::Changed
            }
            _ => ResponseType::NotAcceptable,
        };
        let code = MessageClass::Response(code);
        let kind = MessageType::Acknowledgement;
        let mut answer = message(kind, code, mid, packet.get_token());
        if !payload.is_empty() {
            answer.add_option(CoapOption::ContentFormat, vec![40]);
            answer.payload = payload;
        }
        let answer = encode(&answer);
        self.answers.insert(mid, answer.clone());
        Some(answer)
    }
}
