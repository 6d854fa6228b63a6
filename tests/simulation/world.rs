//! Devices, network and server on one clock, and what befalls them.

use std::sync::Arc;

use rookery::engine::update::{Image, Source, Strategy, UpdateKind, UpdateTarget};
use rookery::net::PeerAddr;

use crate::device::{Answers, Device, Habits, Updater, image};
use crate::message::describe;
use crate::network::{Network, Way, Weather};
use crate::server::{Outgoing, Server};
use crate::timeline::{NEVER, Timeline};
use crate::watch::Watch;

/// Trouble lasts this long, in milliseconds; then the network heals.
pub const TROUBLE: u64 = 900_000;

/// Time everybody gets to come to terms afterwards.
const RECOVERY: u64 = 1_500_000;

/// Time for what is still on its way, after the values stopped changing.
const SILENCE: u64 = 120_000;

/// Datagrams that are on their way at once, at most: what a device has in flight is bounded.
const MOST_UNDER_WAY: usize = 64;

/// Bytes of the firmware that devices get.
pub const IMAGE: usize = 6_000;

/// One run: everything in it follows from the seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub shards: u8,
    /// Endpoints in a conversation are run by actors.
    pub actors: bool,
    pub devices: usize,
    pub weather: Weather,
    pub trouble: Trouble,
    /// The devices get new firmware meanwhile, this way.
    pub firmware: Option<Strategy>,
    /// Every datagram is printed.
    pub trace: bool,
}

/// What befalls devices besides the weather: how often each, at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    pub rebinds: usize,
    pub reboots: usize,
    /// Times nothing passes, one way or both.
    pub cuts: usize,
    /// Times the device de-registers and comes back.
    pub leaves: usize,
    /// Times the server's wall clock is set.
    pub clock_jumps: usize,
    /// Some devices leave for good or die.
    pub ends: bool,
}

/// How the life of a device ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    Stays,
    Leaves,
    Dies,
}

#[derive(Debug)]
enum Event {
    AtServer(PeerAddr, usize, Vec<u8>),
    AtDevice(PeerAddr, Vec<u8>),
    HandOver(usize),
    Rebind(usize),
    Reboot(usize, u64),
    Cut(usize, &'static [Way], u64),
    Leave(usize, Option<u64>),
    Die(usize),
    ClockJump(i64),
    Assign(usize),
    Heal,
    CalmDown,
}

/// The whole system.
pub struct World {
    pub now: u64,
    pub devices: Vec<Device>,
    pub fates: Vec<Fate>,
    pub network: Network,
    pub server: Server,
    /// Datagrams each device sent and was sent.
    pub datagrams: Vec<[u64; 2]>,
    /// Rules that hold at any time.
    pub watch: Watch,
    timeline: Timeline<Event>,
    /// What the devices are updated to.
    target: Option<Arc<UpdateTarget>>,
    rng: fastrand::Rng,
    trace: bool,
}

impl World {
    pub fn new(scenario: &Scenario) -> Self {
        let mut rng = fastrand::Rng::with_seed(scenario.seed);
        let network = Network::new(rng.u64(..), scenario.weather.clone(), scenario.devices);
        let updates = scenario.firmware.is_some();
        let server = Server::new(scenario.shards, scenario.actors, updates, rng.u64(..));
        let mut world = Self {
            now: 0,
            devices: Vec::new(),
            fates: Vec::new(),
            network,
            server,
            datagrams: vec![[0; 2]; scenario.devices],
            watch: Watch::default(),
            timeline: Timeline::new(),
            target: scenario.firmware.map(|way| target(way, scenario.seed)),
            rng,
            trace: scenario.trace,
        };
        for index in 0..scenario.devices {
            world.add_device(index, &scenario.trouble);
        }
        for _ in 0..times(&mut world.rng, scenario.trouble.clock_jumps) {
            let at = world.rng.u64(..TROUBLE);
            let by = world.rng.i64(-3_600_000..3_600_000);
            world.timeline.plan(at, Event::ClockJump(by));
        }
        world.timeline.plan(TROUBLE, Event::Heal);
        let calm = TROUBLE + RECOVERY;
        world.timeline.plan(calm, Event::CalmDown);
        world
    }

    /// Lets all of it happen.
    pub fn run(&mut self) {
        let end = Self::length();
        while self.next() <= end {
            self.step();
        }
        // Updates go on for ever: the rules are for a moment between them.
        while !self.is_quiet() && self.next() <= end + SILENCE {
            self.step();
        }
    }

    /// The firmware that devices get.
    pub fn image(&self) -> Option<&[u8]> {
        let image = self.target.as_ref()?.image()?;
        Some(image.bytes())
    }

    /// Whether no datagram is on its way and no device waits for one.
    fn is_quiet(&self) -> bool {
        self.timeline.len() == 0 && !self.devices.iter().any(Device::is_busy)
    }

    /// Milliseconds a run lasts.
    pub fn length() -> u64 {
        TROUBLE + RECOVERY + SILENCE
    }

    fn add_device(&mut self, index: usize, trouble: &Trouble) {
        let rng = &mut self.rng;
        let queue_mode = rng.f64() < 0.3;
        let answers = match rng.u8(..10) {
            0..6 => Answers::Piggybacked,
            6..9 => Answers::SeparateConfirmable,
            _ => Answers::SeparateNonConfirmable,
        };
        let habits = Habits {
            lifetime: rng.u64(60..300),
            update_after: 0.5 + rng.f64() * 0.4,
            notify_every: if queue_mode {
                rng.u64(100_000..250_000)
            } else {
                rng.u64(5_000..60_000)
            },
            confirmable: [0.0, 0.2, 1.0][rng.usize(..3)],
            queue_mode,
            answers,
        };
        let fate = match rng.u8(..8) {
            0 if trouble.ends => Fate::Leaves,
            1 if trouble.ends => Fate::Dies,
            _ => Fate::Stays,
        };
        let name = format!("device-{index}");
        self.say(|| format!("{name} {habits:?} {fate:?}"));
        let (seed, start) = (self.rng.u64(..), self.rng.u64(..30_000));
        let mut device = Device::new(&name, habits, seed, start);
        if self.target.is_some() {
            device.updater = Some(Updater::new(&mut self.rng));
            let at = self.rng.u64(..TROUBLE / 3);
            self.timeline.plan(at, Event::Assign(index));
        }
        self.devices.push(device);
        self.fates.push(fate);
        self.plan_trouble(index, trouble);
    }

    fn plan_trouble(&mut self, index: usize, trouble: &Trouble) {
        let rng = &mut self.rng;
        let mut plans = Vec::new();
        for _ in 0..times(rng, trouble.rebinds) {
            plans.push((rng.u64(..TROUBLE), Event::Rebind(index)));
        }
        for _ in 0..times(rng, trouble.reboots) {
            let pause = rng.u64(500..30_000);
            plans.push((rng.u64(..TROUBLE), Event::Reboot(index, pause)));
        }
        for _ in 0..times(rng, trouble.cuts) {
            let ways: [&[Way]; 3] = [
                &[Way::ToServer],
                &[Way::ToDevice],
                &[Way::ToServer, Way::ToDevice],
            ];
            let at = rng.u64(..TROUBLE);
            let until = (at + rng.u64(5_000..400_000)).min(TROUBLE);
            plans.push((at, Event::Cut(index, ways[rng.usize(..3)], until)));
        }
        for _ in 0..times(rng, trouble.leaves) {
            let pause = rng.u64(1_000..200_000);
            plans.push((rng.u64(..TROUBLE), Event::Leave(index, Some(pause))));
        }
        match self.fates[index] {
            Fate::Stays => {}
            Fate::Leaves => plans.push((TROUBLE + 60_000, Event::Leave(index, None))),
            Fate::Dies => plans.push((rng.u64(..TROUBLE + 200_000), Event::Die(index))),
        }
        for (at, event) in plans {
            self.timeline.plan(at, event);
        }
    }

    fn next(&self) -> u64 {
        let devices = self.devices.iter().map(Device::deadline).min();
        let server = self.server.next_wake().unwrap_or(NEVER);
        // A shard whose deadline lies in the past gets its turn with the next millisecond.
        let server = server.max(self.now + 1);
        self.timeline
            .next()
            .min(server)
            .min(devices.unwrap_or(NEVER))
    }

    fn step(&mut self) {
        self.now = self.next().max(self.now);
        while let Some(event) = self.timeline.due(self.now) {
            self.happen(event);
        }
        for index in 0..self.devices.len() {
            if self.devices[index].deadline() <= self.now {
                let sent = self.devices[index].on_timer(self.now);
                self.sent_by_device(index, sent);
            }
        }
        if self.server.next_wake().is_some_and(|at| at <= self.now) {
            let sent = self.server.tick(self.now);
            self.sent_by_server(sent);
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::AtServer(from, device, bytes) => {
                self.say(|| format!("  {device} at server from {from:?}: {}", describe(&bytes)));
                let name = &self.devices[device].name;
                self.watch.on_arrival(from, name, &bytes);
                let sent = self.server.receive(now, from, &bytes);
                self.sent_by_server(sent);
            }
            Event::AtDevice(to, bytes) => {
                let Some(index) = self.network.device_at(&to) else {
                    return;
                };
                self.say(|| format!("  at {index} to {to:?}: {}", describe(&bytes)));
                let sent = self.devices[index].on_datagram(now, &bytes);
                self.sent_by_device(index, sent);
            }
            Event::HandOver(shard) => {
                let sent = self.server.take_over(now, shard);
                self.sent_by_server(sent);
            }
            Event::Assign(device) => {
                if let Some(target) = &self.target {
                    let name = &self.devices[device].name;
                    let sent = self.server.assign(now, name, target);
                    self.sent_by_server(sent);
                }
            }
            other => {
                self.say(|| format!("{other:?}"));
                self.befall(other);
            }
        }
    }

    fn befall(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Rebind(device) => self.network.rebind(device),
            Event::Reboot(device, pause) => self.devices[device].reboot(now, pause),
            Event::Cut(device, ways, until) => self.network.cut(device, ways, until),
            Event::Leave(device, pause) => self.devices[device].leave(now, pause),
            Event::Die(device) => self.devices[device].die(),
            Event::ClockJump(by) => self.server.wall_shift += by,
            Event::Heal => self.network.set_weather(Weather::fair()),
            Event::CalmDown => self.devices.iter_mut().for_each(Device::calm_down),
            Event::AtServer(..) | Event::AtDevice(..) | Event::HandOver(_) | Event::Assign(_) => {}
        }
    }

    fn sent_by_device(&mut self, index: usize, sent: Vec<Vec<u8>>) {
        let from = self.network.address(index);
        for bytes in sent {
            self.say(|| format!("{index} sends: {}", describe(&bytes)));
            self.datagrams[index][0] += 1;
            for at in self.network.arrivals(self.now, index, Way::ToServer) {
                let event = Event::AtServer(from, index, bytes.clone());
                self.timeline.plan(at, event);
            }
        }
        self.watch_queues();
    }

    fn sent_by_server(&mut self, sent: Vec<Outgoing>) {
        for Outgoing { peer, bytes } in sent {
            self.say(|| format!("server sends to {peer:?}: {}", describe(&bytes)));
            let well = self.now > TROUBLE + RECOVERY;
            self.watch.on_transmission(self.now, well, &bytes);
            // What goes to an address that the NAT has closed is lost.
            let Some(index) = self.network.device_at(&peer) else {
                continue;
            };
            self.datagrams[index][1] += 1;
            for at in self.network.arrivals(self.now, index, Way::ToDevice) {
                self.timeline.plan(at, Event::AtDevice(peer, bytes.clone()));
            }
        }
        for shard in self.server.handed_over() {
            let at = self.now + self.rng.u64(0..5);
            self.timeline.plan(at, Event::HandOver(shard));
        }
        for event in self.server.events() {
            self.watch.on_event(self.now, &event);
        }
        self.watch_queues();
    }

    fn watch_queues(&mut self) {
        if self.timeline.len() > MOST_UNDER_WAY * self.devices.len() + 64 {
            self.watch.broken.push("a storm of datagrams".to_owned());
        }
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>8} {}", self.now, text());
        }
    }
}

/// Fetched from anywhere: the network of the simulation has one server.
fn target(way: Strategy, seed: u64) -> Arc<UpdateTarget> {
    let image = Image::new(image(IMAGE, seed));
    let source = Source::Image(Arc::new(image));
    Arc::new(UpdateTarget {
        strategy: way,
        base_url: Some("coap://192.0.2.1:5685".into()),
        ..UpdateTarget::new(UpdateKind::Firmware, "package", "valve", "new", source)
    })
}

fn times(rng: &mut fastrand::Rng, most: usize) -> usize {
    rng.usize(..=most)
}
