//! What is told about an update, as it goes on.

use crate::proto::time::{Tick, UnixMillis};

use super::super::core::Turn;
use super::super::journal::Severity;
use super::super::outputs::Happening;
use super::state::Update;
use super::status::UpdateStatus;
use super::target::UpdateKind;

/// What is told about an update.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateNews {
    /// Whether it has come to its status just now.
    pub entered: bool,
    /// Firmware or software.
    pub kind: UpdateKind,
    /// Id of the package.
    pub package: Box<str>,
    /// Title of the package.
    pub title: Box<str>,
    /// Version of the package.
    pub version: Box<str>,
    /// Tag of the package.
    pub tag: Option<Box<str>>,
    /// Where it stands.
    pub status: UpdateStatus,
    /// When it was assigned.
    pub queued_at: UnixMillis,
    /// When it came there.
    pub since: UnixMillis,
    /// Why it did not work.
    pub reason: Option<Box<str>>,
    /// Nothing follows.
    pub ended: bool,
    /// Bytes the device has.
    pub bytes_done: u64,
    /// Bytes of the package.
    pub bytes_total: Option<u64>,
    /// The same in percent.
    pub percent: Option<u8>,
    /// Blocks per second since the transfer began; `None` before.
    pub blocks_per_second: Option<f64>,
    /// When the device last answered or reported something of it, and what.
    pub exchanged: Option<(UnixMillis, Box<str>)>,
    /// What the device runs, as far as it told.
    pub current: (Option<Box<str>>, Option<Box<str>>),
}

impl Update {
    /// Tells how it stands.
    pub fn tell(&self, turn: &mut Turn<'_>) {
        turn.out.changed = true;
        let now = turn.now.tick;
        let happening = || Happening::Update(Box::new(self.news(false, now)));
        turn.update_went_on(self.ended, false, happening);
    }

    /// Tells of a status that was entered.
    pub fn tell_entered(&self, turn: &mut Turn<'_>) {
        turn.out.changed = true;
        let now = turn.now.tick;
        let happening = || Happening::Update(Box::new(self.news(true, now)));
        turn.update_went_on(self.ended, true, happening);
    }

    pub fn news(&self, entered: bool, now: Tick) -> UpdateNews {
        UpdateNews {
            entered,
            kind: self.kind,
            package: self.package.clone(),
            title: self.title.clone(),
            version: self.version.clone(),
            tag: self
                .assignment
                .as_ref()
                .and_then(|it| it.target.tag.clone()),
            status: self.status,
            queued_at: self.queued_at,
            since: self.since,
            reason: self.reason.clone(),
            ended: self.ended,
            bytes_done: self.bytes_done(),
            bytes_total: self.bytes_total(),
            percent: self.percent(),
            blocks_per_second: self.blocks_per_second(now),
            exchanged: self.exchanged.clone(),
            current: self.current(),
        }
    }

    /// Tells how much the device has by now.
    pub fn tell_progress(&self, turn: &mut Turn<'_>) {
        let name = match self.kind {
            UpdateKind::Firmware => "Firmware",
            UpdateKind::Software => "Software",
        };
        let now = turn.now.tick;
        turn.out.log(Severity::Info, || {
            let done = self.bytes_done();
            let of_all = match (self.bytes_total(), self.percent()) {
                (Some(total), Some(percent)) => format!(" of {total} bytes, {percent} %"),
                _ => " bytes".to_owned(),
            };
            let rate = self.blocks_per_second(now);
            let rate = rate.map_or(String::new(), |rate| format!(", {rate:.1} blocks/s"));
            format!("info: {name} download: {done}{of_all}{rate}")
        });
        self.tell(turn);
    }

    /// Share of the bytes that the device has.
    pub fn percent(&self) -> Option<u8> {
        let percent = (self.bytes_done() * 100).checked_div(self.bytes_total()?)?;
        Some(percent.min(100) as u8)
    }

    /// Blocks per second since the transfer began; `None` unless it is going on.
    pub fn blocks_per_second(&self, now: Tick) -> Option<f64> {
        let seconds = now.millis_since(self.begun) as f64 / 1_000.0;
        let downloading = self.status == UpdateStatus::Downloading;
        let running = downloading && self.blocks > 0 && seconds > 0.0;
        running.then(|| f64::from(self.blocks) / seconds)
    }
}
