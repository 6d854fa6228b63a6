//! The shards of one engine on the fake clock, steered to as the kernel does.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use actix::{System, SystemRunner};
use rookery::engine::EngineConfig;
use rookery::engine::command::{Command, Inspect};
use rookery::engine::endpoint::plan::{Destination, Mapping, ProfilePlan};
use rookery::engine::event::Event;
use rookery::engine::handoff::Inlet;
use rookery::engine::metrics::EngineMetrics;
use rookery::engine::shard::{Datagram, Origin, Shard, Shared, Standalone};
use rookery::engine::update::UpdateTarget;
use rookery::engine::view::{AttributesView, RegistrationView, TelemetryView, UpdateView};
use rookery::net::{PeerAddr, steer};
use rookery::proto::lwm2m::Path;
use rookery::proto::time::{Now, Tick};
use tokio::sync::{mpsc, oneshot};

/// Ticks begin here, as in the engine: zero stands for "never".
const FIRST_TICK: u64 = 1_000;
const WALL_AT_START: i64 = 1_795_435_985_890;

/// The server.
pub struct Server {
    members: Vec<Member>,
    shared: Arc<Shared>,
    metrics: EngineMetrics,
    /// Where actors live; without it all endpoints are run at rest.
    system: Option<SystemRunner>,
    /// What the wall clock was set forward or back, in milliseconds.
    pub wall_shift: i64,
}

struct Member {
    shard: Rc<RefCell<Shard>>,
    events: mpsc::Receiver<Vec<Event>>,
    inlet: Inlet,
}

/// A datagram to a device.
pub struct Outgoing {
    pub peer: PeerAddr,
    pub bytes: Vec<u8>,
}

/// What the server shows of one endpoint.
pub struct Shown {
    pub registration: RegistrationView,
    pub telemetry: TelemetryView,
    pub attributes: AttributesView,
}

impl Server {
    /// One whose devices are updated observes how that goes.
    pub fn new(shards: u8, actors: bool, updates: bool, seed: u64) -> Self {
        let config = EngineConfig {
            allow_unknown: true,
            ..EngineConfig::default()
        };
        let group = Standalone::group(config, plan(updates), shards, seed);
        let shared = Arc::clone(&group[0].shared);
        shared.listening.store(true, Relaxed);
        let metrics = group.iter().map(|each| Arc::clone(&each.metrics)).collect();
        let members = group.into_iter().map(|each| {
            let shard = Rc::new(RefCell::new(each.shard));
            if actors {
                shard.borrow_mut().set_host(Rc::downgrade(&shard));
            }
            Member {
                shard,
                events: each.events,
                inlet: each.inlet,
            }
        });
        Self {
            members: members.collect(),
            shared,
            metrics: EngineMetrics::new(metrics),
            system: actors.then(System::new),
            wall_shift: 0,
        }
    }

    /// A datagram arrives at the socket the kernel picks for its sender.
    pub fn receive(&mut self, now: u64, peer: PeerAddr, bytes: &[u8]) -> Vec<Outgoing> {
        let at = steer::shard_of(&peer, self.members.len());
        let datagram = Datagram::plain(bytes, peer);
        self.turn(now, at, |shard| {
            shard.on_datagram(&datagram, Origin::Socket)
        })
    }

    /// Shards that others have handed datagrams over to.
    pub fn handed_over(&self) -> Vec<usize> {
        let waiting = |at: &usize| !self.members[*at].inlet.is_empty();
        (0..self.members.len()).filter(waiting).collect()
    }

    /// A shard takes what others handed over.
    pub fn take_over(&mut self, now: u64, at: usize) -> Vec<Outgoing> {
        let mut batches = Vec::new();
        while let Ok(batch) = self.members[at].inlet.try_recv() {
            batches.push(batch);
        }
        self.turn(now, at, |shard| {
            for handed in batches.into_iter().flatten() {
                shard.on_handoff(handed);
            }
        })
    }

    /// Deadlines of all shards.
    pub fn tick(&mut self, now: u64) -> Vec<Outgoing> {
        let all = 0..self.members.len();
        all.flat_map(|at| self.turn(now, at, |shard| while shard.run_deadlines() {}))
            .collect()
    }

    /// When a shard wants a turn of its own accord.
    pub fn next_wake(&self) -> Option<u64> {
        let wakes = self
            .members
            .iter()
            .filter_map(|member| member.shard.borrow().next_wake());
        wakes
            .min()
            .map(|tick| tick.as_millis().saturating_sub(FIRST_TICK))
    }

    /// Events since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for member in &mut self.members {
            while let Ok(batch) = member.events.try_recv() {
                events.extend(batch);
            }
        }
        events
    }

    /// What the API would show of an endpoint.
    pub fn show(&mut self, now: u64, endpoint: &str) -> Option<Shown> {
        Some(Shown {
            registration: *self.ask(now, endpoint, Inspect::Registration)?,
            telemetry: self.ask(now, endpoint, Inspect::Telemetry)?,
            attributes: self.ask(now, endpoint, Inspect::Attributes)?,
        })
    }

    /// Updates of an endpoint, and how far they are.
    pub fn updates(&mut self, now: u64, endpoint: &str) -> Vec<UpdateView> {
        let views = self.ask(now, endpoint, Inspect::Updates);
        views.unwrap_or_default()
    }

    /// Assigns an update to a device.
    pub fn assign(&self, now: u64, endpoint: &str, target: &Arc<UpdateTarget>) -> Vec<Outgoing> {
        self.shared.updates.assign(endpoint, Arc::clone(target));
        let Some(home) = self.shared.directory.home(endpoint) else {
            return Vec::new();
        };
        let command = Command::LookAtUpdates {
            slot: home.slot,
            endpoint: endpoint.to_owned(),
            withdrawn: None,
        };
        self.turn(now, usize::from(home.shard), |shard| {
            shard.on_command(command);
        })
    }

    /// The sum of all series whose line starts so.
    pub fn metric(&self, line_start: &str) -> f64 {
        let mut text = String::new();
        self.metrics.render(&mut text);
        let lines = text.lines().filter(|line| line.starts_with(line_start));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    fn ask<T>(
        &mut self,
        now: u64,
        endpoint: &str,
        what: impl FnOnce(oneshot::Sender<Option<T>>) -> Inspect,
    ) -> Option<T> {
        let home = self.shared.directory.home(endpoint)?;
        let (reply, mut answer) = oneshot::channel();
        let command = Command::Inspect {
            slot: home.slot,
            endpoint: endpoint.to_owned(),
            what: what(reply),
        };
        self.turn(now, usize::from(home.shard), |shard| {
            shard.on_command(command);
        });
        answer.try_recv().ok().flatten()
    }

    /// One turn of a shard; its actors run to the end within it.
    fn turn(&self, now: u64, at: usize, work: impl FnOnce(&mut Shard)) -> Vec<Outgoing> {
        let shard = &self.members[at].shard;
        let now = Now {
            tick: Tick::from_millis(now + FIRST_TICK),
            wall: WALL_AT_START + now as i64 + self.wall_shift,
        };
        let work = || {
            let mut shard = shard.borrow_mut();
            shard.begin(now);
            work(&mut shard);
        };
        match &self.system {
            None => work(),
            Some(system) => system.block_on(async {
                work();
                while shard.borrow().mailboxes() > 0 {
                    tokio::task::yield_now().await;
                }
            }),
        }
        let mut shard = shard.borrow_mut();
        shard.end();
        let (arena, outbox) = shard.outbox();
        let sent: Vec<_> = outbox
            .iter()
            .map(|out| Outgoing {
                peer: out.peer,
                bytes: arena[out.start as usize..(out.start + out.len) as usize].to_vec(),
            })
            .collect();
        shard.sent(sent.len());
        sent
    }
}

fn plan(updates: bool) -> ProfilePlan {
    let plain = ProfilePlan::built_in_default();
    if !updates {
        return plain;
    }
    let watched = [Path::resource(5, 0, 3), Path::resource(5, 0, 5)];
    let more = watched.iter().map(|path| Mapping {
        path: *path,
        version: None,
        key: path.to_string().into(),
        destination: Destination {
            attribute: false,
            telemetry: true,
        },
        resource_type: None,
    });
    let mappings = plain.mappings().iter().cloned().chain(more).collect();
    let [state, result] = watched;
    ProfilePlan::new(
        "default",
        mappings,
        &[Path::resource(3, 0, 9), state, result],
    )
}
