//! Transport logs of the devices of a shard: bounded per device and in all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::endpoint::core::EndpointCore;
use crate::engine::endpoint::journal::{LogLine, MAX_CHARACTERS, Severity};
use crate::engine::endpoint::profile_parts::LogLevel;
use crate::engine::event::{Event, EventKind};
use crate::engine::view::LogEntry;
use crate::proto::time::UnixMillis;

use super::{Sender, Shard};

/// Entries kept of a device; the oldest give way.
pub const MAX_ENTRIES: usize = 100;

/// Bytes that the logs of all shards may take; the oldest entries give way.
pub const MAX_BYTES: usize = 16 << 20;

/// What an entry takes besides its text.
const ENTRY: usize = 96;

/// Places in the order of all entries that may be of entries gone, besides as many as there are.
const SLACK: usize = 1_024;

/// The logs of one shard.
#[derive(Debug, Default)]
pub(super) struct Logs {
    of: HashMap<u32, VecDeque<Kept>>,
    /// Slot and number of every entry, oldest first; some of entries that are gone.
    order: VecDeque<(u32, u64)>,
    entries: usize,
    bytes: usize,
    last_number: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    entry: LogEntry,
}

impl Logs {
    /// Keeps an entry; no two of a device have the same time, which is returned.
    fn keep(
        &mut self,
        slot: u32,
        now: UnixMillis,
        severity: Severity,
        text: Arc<str>,
        most_bytes: usize,
    ) -> UnixMillis {
        let log = self.of.entry(slot).or_default();
        let last = log.back().map(|kept| kept.entry.ts);
        let ts = last.map_or(now, |last| now.max(last.saturating_add(1)));
        self.last_number += 1;
        let number = self.last_number;
        self.bytes += size(&text);
        self.entries += 1;
        let level = severity.name();
        let entry = LogEntry { ts, level, text };
        log.push_back(Kept { number, entry });
        if log.len() > MAX_ENTRIES {
            self.drop_oldest(slot);
        }
        self.order.push_back((slot, number));
        while self.bytes > most_bytes
            && let Some((slot, number)) = self.order.pop_front()
        {
            if self.is_there(slot, number) {
                self.drop_oldest(slot);
            }
        }
        if self.order.len() > 2 * self.entries + SLACK {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(slot, number)| self.is_there(*slot, *number));
            self.order = order;
        }
        ts
    }

    /// Entries of a device, newest first.
    fn newest(&self, slot: u32, limit: usize) -> Vec<LogEntry> {
        let log = self.of.get(&slot).into_iter().flatten();
        log.rev()
            .take(limit)
            .map(|kept| kept.entry.clone())
            .collect()
    }

    /// Forgets the log of a device.
    pub(super) fn forget(&mut self, slot: u32) {
        for kept in self.of.remove(&slot).into_iter().flatten() {
            self.entries -= 1;
            self.bytes -= size(&kept.entry.text);
        }
    }

    /// Bytes that the entries take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_there(&self, slot: u32, number: u64) -> bool {
        let oldest = self.of.get(&slot).and_then(VecDeque::front);
        oldest.is_some_and(|oldest| oldest.number <= number)
    }

    fn drop_oldest(&mut self, slot: u32) {
        let Some(log) = self.of.get_mut(&slot) else {
            return;
        };
        if let Some(kept) = log.pop_front() {
            self.entries -= 1;
            self.bytes -= size(&kept.entry.text);
        }
        if log.is_empty() {
            self.of.remove(&slot);
        }
    }
}

impl Shard {
    /// How much is logged of devices whose profile does not say.
    pub(super) fn usual_log_level(&self) -> LogLevel {
        let registered = self
            .shared
            .endpoints
            .load(std::sync::atomic::Ordering::Relaxed);
        let known = registered.max(self.shared.directory.provisioned());
        if known <= self.shared.config.logged_devices {
            LogLevel::Info
        } else {
            LogLevel::Off
        }
    }

    /// Keeps what an endpoint had to say.
    pub(super) fn keep_log(&mut self, slot: u32, core: &EndpointCore, sender: Option<Sender>) {
        let mut lines = std::mem::take(&mut self.out.log);
        for line in lines.drain(..) {
            self.log(slot, core, line, sender);
        }
        self.out.log = lines;
    }

    /// Keeps what services have to say about an endpoint, if its profile wants it.
    pub(super) fn note(&mut self, slot: u32, endpoint: &str, severity: Severity, text: String) {
        if !self.lives_here(slot, endpoint) {
            return;
        }
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        let plan = self.profiles.plan(entry.head.profile);
        let level = plan.transport_log().unwrap_or(self.log_level);
        if level >= severity.level() {
            let text = cut(&text);
            self.put(slot, endpoint.into(), severity, text);
        }
    }

    /// The log of an endpoint, newest first.
    pub(super) fn log_of(&self, slot: u32, limit: usize) -> Vec<LogEntry> {
        self.logs.newest(slot, limit)
    }

    fn log(&mut self, slot: u32, core: &EndpointCore, line: LogLine, sender: Option<Sender>) {
        let LogLine {
            severity,
            addressed,
            text,
        } = line;
        let text = match self.endpoints.get(slot) {
            Some(entry) if addressed => {
                let id = self.shared.keys.registration_id(core.place());
                let address = self.address_text(&entry.head.peer, sender);
                cut(&format!("[{id}][{address}] {text}"))
            }
            _ => cut(&text),
        };
        self.put(slot, core.name().into(), severity, text);
    }

    fn put(&mut self, slot: u32, endpoint: Arc<str>, severity: Severity, text: Arc<str>) {
        let most = MAX_BYTES / usize::from(self.count.max(1));
        let now = self.now.wall;
        let ts = self.logs.keep(slot, now, severity, text.clone(), most);
        self.metrics.log_entries.add(1);
        self.metrics.log_bytes.set(self.logs.bytes() as i64);
        if self.out.listening {
            self.events.push(Event {
                ts,
                endpoint,
                kind: EventKind::TransportLog {
                    level: severity.name(),
                    text,
                },
            });
        }
    }
}

/// As ThingsBoard does: without angle brackets, and not too long.
fn cut(text: &str) -> Arc<str> {
    let kept = text.chars().filter(|c| !matches!(c, '<' | '>'));
    let text: String = kept.take(MAX_CHARACTERS).collect();
    text.into()
}

fn size(text: &str) -> usize {
    text.len() + ENTRY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(logs: &mut Logs, slot: u32, text: &str) -> UnixMillis {
        logs.keep(slot, 1_000, Severity::Info, text.into(), MAX_BYTES)
    }

    fn texts(logs: &Logs, slot: u32) -> Vec<String> {
        let newest = logs.newest(slot, usize::MAX);
        newest.into_iter().map(|e| e.text.to_string()).collect()
    }

    #[test]
    fn entries_of_one_moment_have_times_of_their_own() {
        let mut logs = Logs::default();
        assert_eq!(keep(&mut logs, 1, "a"), 1_000);
        assert_eq!(keep(&mut logs, 1, "b"), 1_001);
        assert_eq!(keep(&mut logs, 2, "c"), 1_000);
        assert_eq!(texts(&logs, 1), ["b", "a"]);
        assert_eq!(logs.newest(1, 1).len(), 1);
    }

    #[test]
    fn a_device_keeps_a_hundred_entries() {
        let mut logs = Logs::default();
        for n in 0..5_000 {
            keep(&mut logs, 1, &n.to_string());
        }
        assert_eq!(texts(&logs, 1).len(), MAX_ENTRIES);
        assert_eq!(texts(&logs, 1)[0], "4999");
        assert!(logs.order.len() <= 2 * MAX_ENTRIES + SLACK + 1);
        logs.forget(1);
        assert_eq!((logs.entries, logs.bytes), (0, 0));
    }

    #[test]
    fn the_oldest_entries_of_all_devices_give_way() {
        let mut logs = Logs::default();
        let most = 10 * size("0");
        for n in 0..10 {
            let text = n.to_string();
            logs.keep(n, 1_000, Severity::Info, text.as_str().into(), most);
        }
        logs.forget(3);
        logs.keep(0, 1_000, Severity::Info, "x".into(), most);
        logs.keep(0, 1_000, Severity::Info, "y".into(), most);
        assert_eq!(texts(&logs, 0), ["y", "x"]);
        assert_eq!(texts(&logs, 1), ["1"]);
        logs.keep(9, 1_000, Severity::Info, "z".into(), most);
        assert_eq!(texts(&logs, 1), [""; 0]);
        assert!(logs.bytes <= most);
    }

    #[test]
    fn texts_lose_angle_brackets_and_what_is_too_long() {
        assert_eq!(&*cut("a<b>c"), "abc");
        assert_eq!(cut(&"ä".repeat(2_000)).chars().count(), MAX_CHARACTERS);
    }
}
