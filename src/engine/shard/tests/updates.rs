//! Updates of firmware and software, from the assignment to the end, with a device that has objects
//! 5, 9 and 19 and obeys or does not.

use super::plans::{mapping, planned};
use super::restart::{Memory, start};
use super::*;
use crate::engine::endpoint::profile_parts::{PlannedStep, ProfileParts};
use crate::engine::event::EventKind;
use crate::engine::update::{Image, Source, Strategy, UpdateKind, UpdateTarget};
use crate::engine::view::UpdateView;

mod cancelled;
mod device;
mod download;
mod firmware;
mod followed;
mod lossy;
mod power;
mod results;
mod software;
mod transfer;

use device::{Device, Manner};

const NAME: &str = "ota";
const IMAGE: usize = 3_050;

/// A shard, a device and what has been published about its updates.
struct Lab {
    bench: Bench,
    memory: Arc<Memory>,
    profile: ProfileParts,
    device: Device,
    /// Values of `fw_state` and `sw_state` in order.
    states: Vec<String>,
    /// Percent of the bytes in order, as told in events.
    progress: Vec<Option<u8>>,
    /// Entries of the transport log.
    log: Vec<String>,
    /// What the server asked, in order: method and path.
    asked: Vec<String>,
    /// Loss of messages each way, in percent, and its dice.
    loss: u8,
    dice: fastrand::Rng,
    /// The device falls silent when this state is published.
    cut_at: &'static str,
}

fn image() -> Arc<Image> {
    let bytes: Vec<u8> = (0..IMAGE).map(|at| (at % 251) as u8).collect();
    Arc::new(Image::new(bytes))
}

fn target(kind: UpdateKind) -> UpdateTarget {
    UpdateTarget::new(kind, "package-1", "thing", "2.0", Source::Image(image()))
}

fn firmware() -> UpdateTarget {
    target(UpdateKind::Firmware)
}

fn software() -> UpdateTarget {
    target(UpdateKind::Software)
}

/// A profile that maps these resources and observes some of them.
fn profile(mapped: &[&str], observed: &[&str]) -> ProfileParts {
    let read = mapped.iter().filter(|path| !observed.contains(path));
    let observes = observed
        .iter()
        .map(|path| PlannedStep::Observe(planned(path)));
    let reads = read.map(|path| PlannedStep::Read(planned(path)));
    ProfileParts {
        name: "default".to_owned(),
        mappings: mapped.iter().map(|path| mapping(path, path)).collect(),
        steps: observes.chain(reads).collect(),
        ..ProfileParts::default()
    }
}

fn usual_profile() -> ProfileParts {
    let observed = ["/5/0/3", "/5/0/5", "/9/0/7", "/9/0/9"];
    profile(&[&observed[..], &["/3/0/3", "/5/0/7"]].concat(), &observed)
}

impl Lab {
    fn new(device: Device) -> Self {
        Self::with_profile(device, usual_profile())
    }

    fn with_profile(device: Device, profile: ProfileParts) -> Self {
        let memory = Arc::default();
        let (bench, _) = start(&memory, profile.clone(), 0);
        Self {
            bench,
            memory,
            profile,
            device,
            states: Vec::new(),
            progress: Vec::new(),
            log: Vec::new(),
            asked: Vec::new(),
            loss: 0,
            dice: fastrand::Rng::with_seed(1),
            cut_at: "",
        }
    }

    fn register(&mut self) {
        let bytes = self.device.register();
        let sent = self.bench.send(peer(5_000), &bytes);
        self.take(sent);
    }

    fn assign(&mut self, target: UpdateTarget) {
        self.bench.shared.updates.assign(NAME, Arc::new(target));
        self.look(None);
    }

    fn withdraw(&mut self, kind: UpdateKind) {
        self.bench.shared.updates.withdraw(NAME, kind);
        self.look(Some(kind));
    }

    fn look(&mut self, withdrawn: Option<UpdateKind>) {
        let Some(home) = self.bench.shared.directory.home(NAME) else {
            return;
        };
        let endpoint = NAME.to_owned();
        self.bench.shard.on_command(Command::LookAtUpdates {
            slot: home.slot,
            endpoint,
            withdrawn,
        });
        let sent = self.bench.drain();
        self.take(sent);
    }

    /// Registers a device that is assigned a target, and lets it all happen.
    fn run(&mut self, target: UpdateTarget, seconds: u64) {
        self.assign(target);
        self.register();
        self.wait(seconds);
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.tick();
        }
    }

    fn tick(&mut self) {
        let sent = self.bench.wait(100);
        self.take(sent);
        for bytes in self.device.tick() {
            if self.device.manner.answers {
                self.deliver(&bytes);
            }
        }
    }

    fn wait_until(&mut self, what: impl Fn(&Self) -> bool) {
        for _ in 0..200_000 {
            if what(self) {
                return;
            }
            self.tick();
        }
        panic!("never; {:?}; asked {}", self.states, self.asked.len());
    }

    /// Registers a device that is assigned a target, and falls silent at a state.
    fn run_until(&mut self, target: UpdateTarget, state: &'static str) {
        self.cut_at = state;
        self.assign(target);
        self.register();
        self.wait_until(|lab| !lab.device.manner.answers);
        self.cut_at = "";
        self.device.manner.answers = true;
    }

    /// Something of the device goes to the server.
    fn deliver(&mut self, bytes: &[u8]) {
        if self.lost() {
            return;
        }
        let sent = self.bench.send(peer(5_000), bytes);
        self.take(sent);
    }

    fn lost(&mut self) -> bool {
        self.loss > 0 && self.dice.u8(..100) < self.loss
    }

    /// What the server sent goes to the device, and its answers back.
    fn take(&mut self, sent: Vec<Sent>) {
        let mut waiting = std::collections::VecDeque::from(sent);
        self.note_events();
        while let Some(message) = waiting.pop_front() {
            if message.view().code().is_request() {
                self.asked
                    .push(format!("{} {}", message.code(), message.path()));
            }
            if self.lost() {
                continue;
            }
            for answer in self.device.take(&message) {
                if !self.lost() {
                    waiting.extend(self.bench.send(peer(5_000), &answer));
                    self.note_events();
                }
            }
        }
    }

    fn note_events(&mut self) {
        while let Ok(batch) = self.bench.events.try_recv() {
            for event in batch {
                match event.kind {
                    EventKind::Telemetry { key, value, .. } if key.ends_with("w_state") => {
                        self.states.push(value.as_str().unwrap().to_owned());
                        self.device.manner.answers &= value != self.cut_at;
                    }
                    EventKind::Update { percent, .. } => self.progress.push(percent),
                    EventKind::TransportLog { text, .. } => self.log.push(text.to_string()),
                    _ => {}
                }
            }
        }
    }

    fn update(&mut self) -> UpdateView {
        let mut all = self.bench.ask(NAME, Inspect::Updates).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn reason(&mut self) -> String {
        self.update().reason.unwrap_or_default()
    }

    fn count(&self, request: &str) -> usize {
        self.asked.iter().filter(|asked| *asked == request).count()
    }

    /// The server ends and starts again with what it kept, and is told what is assigned.
    fn restart_server(&mut self, assigned: Option<UpdateTarget>) {
        self.bench.wait(200);
        let (bench, restored) = start(&self.memory, self.profile.clone(), 0);
        assert_eq!(restored.registered, 1);
        self.bench = bench;
        self.device.restarted_server();
        if let Some(target) = assigned {
            self.assign(target);
        }
    }
}
