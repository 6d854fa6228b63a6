//! Object 5 or 9 of a device: its states and results, and the image that comes in.

use fastrand::Rng;
use openssl::sha::Sha256;

use super::terms::{Resource, Terms};
use super::{Event, Output};
use crate::clock::Micros;
use crate::ota::scenario::PackageKind;

/// The states that matter here, in numbers of both objects.
const IDLE: u8 = 0;
const DOWNLOADING: u8 = 1;
/// The whole image is here and verified: `Downloaded` of object 5, `Delivered` of object 9.
const fn ready(kind: PackageKind) -> u8 {
    match kind {
        PackageKind::Firmware => 2,
        PackageKind::Software => 3,
    }
}
const UPDATING: u8 = 3;
const INSTALLED: u8 = 4;

/// The package of a device.
pub(super) struct Package {
    state: u8,
    result: u8,
    /// The new version runs.
    current: bool,
    active: bool,
    /// It was installed by the restart that the device is in.
    restarted: bool,
    /// Results of the failure that the device meets with every update.
    refuses: Option<u8>,
    /// The power goes in the middle of the installation.
    cut: bool,
    incoming: Option<Box<Incoming>>,
    changed: u8,
}

/// An image that is coming in.
struct Incoming {
    hash: Sha256,
    got: u64,
    began: Micros,
    /// The block that has this byte is spoilt.
    spoilt_at: u64,
    /// The power is cut when this byte is there; beyond the image, in the installation.
    cut_at: u64,
    /// Length of the last block: one that comes again need not be as long as the next.
    last: u16,
}

/// What became of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// The next one is wanted.
    More,
    /// It was the last one.
    Whole,
    /// A block before it is missing.
    Missing,
    /// The power is gone.
    Cut,
    /// The device does not go on, for what its result says.
    Refused,
}

impl Package {
    pub(super) const fn new(refuses: Option<u8>) -> Self {
        Self {
            state: IDLE,
            result: 0,
            current: false,
            active: false,
            restarted: false,
            refuses,
            cut: false,
            incoming: None,
            changed: 0,
        }
    }

    pub(super) const fn state(&self) -> u8 {
        self.state
    }

    pub(super) const fn result(&self) -> u8 {
        self.result
    }

    pub(super) const fn is_current(&self) -> bool {
        self.current
    }

    pub(super) const fn is_active(&self) -> bool {
        self.active
    }

    /// Whether it was the installation that the device has restarted for; once.
    pub(super) const fn has_restarted(&mut self) -> bool {
        let restarted = self.restarted;
        self.restarted = false;
        restarted
    }

    /// Bytes of the image that came so far.
    pub(super) fn got(&self) -> u64 {
        self.incoming.as_ref().map_or(0, |incoming| incoming.got)
    }

    /// Resources that have changed since this was asked.
    pub(super) const fn take_changed(&mut self) -> u8 {
        let changed = self.changed;
        self.changed = 0;
        changed
    }

    /// Takes a block of the image: `offset` says where it belongs, `last` that none follows.
    pub(super) fn take(
        &mut self,
        terms: &Terms,
        (offset, payload, last): (u64, &[u8], bool),
        now: Micros,
        rng: &mut Rng,
        out: &mut Output,
    ) -> Taken {
        if let Some(before) = &self.incoming
            && offset + u64::from(before.last) == before.got
            && payload.len() == usize::from(before.last)
            && !last
        {
            out.events.push(Event::Repeated);
            return Taken::More;
        }
        let end = offset + payload.len() as u64;
        let whole = self.incoming.is_none() && self.state == ready(terms.package);
        if whole && last && offset > 0 && end == terms.digest.size {
            out.events.push(Event::Repeated);
            return Taken::Whole;
        }
        if offset == 0 {
            if self.refuses_at_once() {
                return self.refuse(out);
            }
            self.begin(terms, now, rng);
            out.events.push(Event::Began);
        }
        let Some(incoming) = self.incoming.as_mut().filter(|it| it.got == offset) else {
            if self.incoming.take().is_some() {
                self.set(IDLE, 0);
            }
            return Taken::Missing;
        };
        out.events.push(Event::Block(payload.len() as u16));
        if (offset..end).contains(&incoming.spoilt_at) {
            let mut spoilt = payload.to_vec();
            spoilt[(incoming.spoilt_at - offset) as usize] ^= 1;
            incoming.hash.update(&spoilt);
        } else {
            incoming.hash.update(payload);
        }
        incoming.got = end;
        incoming.last = payload.len() as u16;
        if incoming.cut_at < end {
            out.events.push(Event::Cut);
            return Taken::Cut;
        }
        if !last && self.refuses_midway() && end >= terms.digest.size / 2 {
            return self.refuse(out);
        }
        if last {
            self.verify(terms, now, out)
        } else {
            Taken::More
        }
    }

    fn begin(&mut self, terms: &Terms, now: Micros, rng: &mut Rng) {
        let size = terms.digest.size;
        let spoilt = rng.f64() < terms.corrupt;
        let cut = rng.f64() < terms.power_cuts;
        let anywhere = rng.u64(..size);
        // A ninth of the cuts are after the download.
        let or_later = rng.u64(..size + size.div_ceil(8));
        self.incoming = Some(Box::new(Incoming {
            hash: Sha256::new(),
            got: 0,
            began: now,
            spoilt_at: if spoilt { anywhere } else { u64::MAX },
            cut_at: if cut { or_later } else { u64::MAX },
            last: 0,
        }));
        let result = match terms.package {
            PackageKind::Firmware => 0,
            PackageKind::Software => 1,
        };
        self.set(DOWNLOADING, result);
    }

    fn verify(&mut self, terms: &Terms, now: Micros, out: &mut Output) -> Taken {
        let Some(incoming) = self.incoming.take() else {
            return Taken::Missing;
        };
        let spoilt = incoming.spoilt_at != u64::MAX;
        self.cut = incoming.cut_at != u64::MAX;
        let whole = incoming.got == terms.digest.size;
        let same = whole && incoming.hash.finish() == terms.digest.sha256;
        if !same {
            out.events
                .push(if spoilt { Event::Spoilt } else { Event::Wrong });
            self.set(IDLE, integrity(terms.package));
            return Taken::Whole;
        }
        out.events.push(Event::Verified(now - incoming.began));
        if matches!(self.refuses, Some(5 | 6 | 53 | 54)) {
            return match self.refuse(out) {
                // The server has sent everything: the result tells it the rest.
                Taken::Refused => Taken::Whole,
                other => other,
            };
        }
        let result = match terms.package {
            PackageKind::Firmware => 0,
            PackageKind::Software => 3,
        };
        self.set(ready(terms.package), result);
        Taken::Whole
    }

    /// The order to install. `false` when there is nothing to install.
    pub(super) fn execute(&mut self, kind: PackageKind) -> bool {
        if self.state != ready(kind) || (kind == PackageKind::Firmware && self.result != 0) {
            return false;
        }
        if kind == PackageKind::Firmware {
            self.set(UPDATING, 0);
        }
        true
    }

    /// The installation has come to its end. Whether the device restarts.
    pub(super) fn install(&mut self, kind: PackageKind, out: &mut Output) -> bool {
        if std::mem::take(&mut self.cut) {
            out.events.push(Event::Cut);
            return true;
        }
        match (kind, self.refuses) {
            (_, Some(result @ (8 | 57 | 58))) => {
                out.events.push(Event::Refused(result));
                let state = if kind == PackageKind::Firmware {
                    IDLE
                } else {
                    ready(kind)
                };
                self.set(state, result);
                false
            }
            (PackageKind::Firmware, _) => {
                self.current = true;
                self.restarted = true;
                true
            }
            (PackageKind::Software, _) => {
                self.current = true;
                self.set(INSTALLED, 2);
                self.changed |= Resource::Version.bit() | Resource::DeviceVersion.bit();
                out.events.push(Event::Updated);
                false
            }
        }
    }

    /// Only flash outlives a loss of power: the installed version, and an image that was verified.
    pub(super) fn restart(&mut self, kind: PackageKind) {
        let kept =
            self.state == ready(kind) || (kind == PackageKind::Firmware && self.state == UPDATING);
        self.incoming = None;
        self.changed = 0;
        (self.state, self.result) = match kind {
            PackageKind::Firmware if self.restarted => (IDLE, 1),
            PackageKind::Firmware if kept => (ready(kind), 0),
            PackageKind::Software if kept => (ready(kind), 3),
            PackageKind::Software if self.state == INSTALLED => (INSTALLED, 2),
            _ => (IDLE, 0),
        };
    }

    /// What came so far is forgotten, and the state is the first one.
    pub(super) fn reset(&mut self) {
        self.incoming = None;
        self.active = false;
        self.set(IDLE, 0);
    }

    /// It is active now, or not any more; `false` when nothing is installed.
    pub(super) const fn activate(&mut self, active: bool) -> bool {
        if self.state != INSTALLED {
            return false;
        }
        self.active = active;
        self.changed |= Resource::Further.bit();
        true
    }

    /// A URL is to be fetched: the result when it is not.
    pub(super) fn told_url(&mut self, out: &mut Output) -> bool {
        self.incoming = None;
        if self.refuses_at_once() || matches!(self.refuses, Some(7 | 9 | 56)) {
            self.refuse(out);
            return false;
        }
        self.set(DOWNLOADING, 0);
        true
    }

    /// The image does not come.
    pub(super) fn give_up(&mut self, result: u8, out: &mut Output) {
        self.incoming = None;
        out.events.push(Event::Refused(result));
        self.set(IDLE, result);
    }

    const fn refuses_at_once(&self) -> bool {
        matches!(self.refuses, Some(2 | 7 | 9 | 50 | 56))
    }

    const fn refuses_midway(&self) -> bool {
        matches!(self.refuses, Some(3 | 4 | 51 | 52))
    }

    fn refuse(&mut self, out: &mut Output) -> Taken {
        self.give_up(self.refuses.unwrap_or_default(), out);
        Taken::Refused
    }

    const fn set(&mut self, state: u8, result: u8) {
        if self.state != state {
            self.changed |= Resource::State.bit();
        }
        if self.result != result {
            self.changed |= Resource::Result.bit();
        }
        self.state = state;
        self.result = result;
    }
}

const fn integrity(kind: PackageKind) -> u8 {
    match kind {
        PackageKind::Firmware => 5,
        PackageKind::Software => 53,
    }
}
