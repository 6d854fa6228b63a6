//! Killed again and again at random points under load. `ROOKERY_KILLS` says how often (10), and
//! `ROOKERY_SEED` where the random points begin (1).

use std::time::{Duration, Instant};

use crate::device::{CHANGED, Device};
use crate::support::engine::Engine;

const DEVICES: usize = 12;

/// How old a change may be and not be stored yet: the commit interval, and a commit under way that it
/// had to wait for.
const UNCOMMITTED: Duration = Duration::from_millis(100 + 500);

/// A device and when what it did was acknowledged.
struct Witness {
    device: Device,
    registered: Instant,
    observed: Instant,
    values: Vec<(Instant, u32)>,
}

#[test]
fn no_acknowledged_write_is_lost_and_no_observation_doubled() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (kills, seed) = (number("ROOKERY_KILLS", 10), number("ROOKERY_SEED", 1));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut engine = Engine::start();
    let mut fleet: Vec<_> = (0..DEVICES)
        .map(|n| Witness::new(Device::new(&engine, &format!("dev-{n}"))))
        .collect();
    for kill in 0..kills {
        let until = Instant::now() + Duration::from_millis(rng.u64(100..1_500));
        while Instant::now() < until {
            rng.choice(fleet.iter_mut()).expect("devices").act(&mut rng);
        }
        engine.kill();
        let killed = Instant::now();
        engine.start_again();
        for witness in &mut fleet {
            witness.testify(&engine, killed, &format!("seed {seed}, kill {kill}"));
        }
    }
}

impl Witness {
    fn new(mut device: Device) -> Self {
        device.register("");
        device.await_observation();
        Self {
            device,
            registered: Instant::now(),
            observed: Instant::now(),
            values: Vec::new(),
        }
    }

    /// Something that a device does: mostly notifications.
    fn act(&mut self, rng: &mut fastrand::Rng) {
        match rng.u8(..100) {
            0..2 => self.register(),
            2..20 => assert_eq!(self.device.update(""), CHANGED),
            _ => {
                assert!(self.device.notify(), "{} is heard", self.device.name);
                self.values.push((Instant::now(), self.device.battery));
            }
        }
    }

    fn register(&mut self) {
        self.device.register("");
        self.registered = Instant::now();
        self.device.await_observation();
        self.observed = Instant::now();
    }

    /// After the restart everything is there that was acknowledged long enough before the kill.
    fn testify(&mut self, engine: &Engine, killed: Instant, context: &str) {
        let name = self.device.name.clone();
        let context = format!("{context}, {name}");
        let committed = |at: Instant| at + UNCOMMITTED < killed;
        let due = self.values.iter().rev().find(|(at, _)| committed(*at));
        if let Some((_, due)) = due {
            let kept = engine.telemetry(&name);
            let kept = kept["batteryLevel"][0]["value"].as_u64();
            assert!(
                kept >= Some((*due).into()),
                "{context}: {kept:?} instead of {due}"
            );
        }
        self.values.clear();
        if self.device.update("") != CHANGED {
            assert!(
                !committed(self.registered),
                "{context}: the registration is lost"
            );
            return self.register();
        }
        let asked = self.device.observes;
        self.device.serve(Duration::from_millis(30));
        if committed(self.observed) {
            assert_eq!(self.device.observes, asked, "{context}: observed again");
        }
        let resets = self.device.resets;
        // An observation that was not stored is told off by a Reset, the one made instead stays.
        self.device.notify();
        if committed(self.observed) {
            assert_eq!(
                self.device.resets, resets,
                "{context}: the token is unknown"
            );
        }
        self.device.await_observation();
        assert_eq!(self.device.observers.len(), 1, "{context}: observed twice");
        let known = &engine.registration(&name)["observations"];
        assert_eq!(
            known.as_array().map(Vec::len),
            Some(1),
            "{context}: {known}"
        );
        self.observed = Instant::now();
    }
}
