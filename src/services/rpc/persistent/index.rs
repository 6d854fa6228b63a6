//! Which persistent commands there are: what has to be known without reading the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

use super::record::{RpcState, Stored};
use super::{MAX_FINISHED_PER_DEVICE, MAX_PENDING_PER_DEVICE, MAX_STORED};
use crate::proto::time::UnixMillis;

/// Every command, by device and by id.
#[derive(Default)]
pub(super) struct Index {
    devices: HashMap<Arc<str>, Device>,
    ids: HashMap<Uuid, (Arc<str>, u64)>,
    /// Finished commands by the time they ended.
    finished: BTreeSet<(UnixMillis, Uuid)>,
    pending: usize,
    last_sequence: u64,
}

#[derive(Default)]
struct Device {
    /// By sequence number: the order of delivery.
    commands: BTreeMap<u64, Entry>,
    /// Wakes the task that delivers, and is there while the task is.
    delivering: Option<Arc<Notify>>,
}

/// What is known of one command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: Uuid,
    pub(super) state: RpcState,
    expires: UnixMillis,
    changed: UnixMillis,
}

/// Which bound a new command would pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Full {
    Device,
    Everything,
}

impl Index {
    /// A sequence number for a new command.
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.last_sequence += 1;
        self.last_sequence
    }

    /// Whether a command of this device finds room; the finished command that has to go for it.
    pub(super) fn make_room(&self, endpoint: &str) -> Result<Option<Uuid>, Full> {
        let device = self.devices.get(endpoint);
        let waiting = device.map_or(0, |device| device.pending().count());
        if waiting >= MAX_PENDING_PER_DEVICE {
            return Err(Full::Device);
        }
        if self.ids.len() < MAX_STORED {
            return Ok(None);
        }
        let oldest = self.finished.first().map(|(_, id)| *id);
        oldest.map(Some).ok_or(Full::Everything)
    }

    /// Adds a command or notes its new state.
    pub(super) fn put(&mut self, stored: &Stored) {
        let command = &stored.command;
        self.remove(command.id);
        let entry = Entry {
            id: command.id,
            state: command.state,
            expires: command.expiration_time,
            changed: command.changed_time,
        };
        if entry.state.is_pending() {
            self.pending += 1;
        } else {
            self.finished.insert((entry.changed, entry.id));
        }
        let endpoint: Arc<str> = match self.devices.get_key_value(command.endpoint.as_str()) {
            Some((endpoint, _)) => endpoint.clone(),
            None => command.endpoint.as_str().into(),
        };
        self.ids
            .insert(entry.id, (endpoint.clone(), stored.sequence));
        let device = self.devices.entry(endpoint).or_default();
        device.commands.insert(stored.sequence, entry);
        self.last_sequence = self.last_sequence.max(stored.sequence);
    }

    /// Takes a command out; its state when there was one.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<RpcState> {
        let (endpoint, sequence) = self.ids.remove(&id)?;
        let device = self.devices.get_mut(&endpoint)?;
        let entry = device.commands.remove(&sequence)?;
        if device.commands.is_empty() && device.delivering.is_none() {
            self.devices.remove(&endpoint);
        }
        if entry.state.is_pending() {
            self.pending -= 1;
        } else {
            self.finished.remove(&(entry.changed, id));
        }
        Some(entry.state)
    }

    /// The device of a command.
    pub(super) fn endpoint_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.ids.get(&id).map(|(endpoint, _)| endpoint.clone())
    }

    /// Commands of a device after this sequence number, in order.
    pub(super) fn commands(
        &self,
        endpoint: &str,
        after: u64,
    ) -> impl Iterator<Item = (u64, Entry)> + '_ {
        let device = self.devices.get(endpoint);
        let commands = device.map(|device| device.commands.range(after + 1..));
        commands
            .into_iter()
            .flatten()
            .map(|(sequence, entry)| (*sequence, *entry))
    }

    /// The finished commands of a device that have to go when one more finishes.
    pub(super) fn too_many_finished(&self, endpoint: &str) -> Vec<Uuid> {
        let finished: Vec<_> = self
            .commands(endpoint, 0)
            .filter(|(_, entry)| !entry.state.is_pending())
            .map(|(_, entry)| entry.id)
            .collect();
        let surplus = (finished.len() + 1).saturating_sub(MAX_FINISHED_PER_DEVICE);
        finished.into_iter().take(surplus).collect()
    }

    /// The first command of a device that waits. `None` ends the task that delivers: it is noted
    /// here, so that the next command begins another.
    pub(super) fn next(&mut self, endpoint: &str) -> Option<Entry> {
        let device = self.devices.get_mut(endpoint)?;
        let next = device.pending().next().copied();
        if next.is_none() {
            device.delivering = None;
            if device.commands.is_empty() {
                self.devices.remove(endpoint);
            }
        }
        next
    }

    /// What wakes the new task that is to deliver to a device; `None` when there is one, which is
    /// woken.
    pub(super) fn begin_delivering(&mut self, endpoint: &str) -> Option<(Arc<str>, Arc<Notify>)> {
        let endpoint = self.devices.get_key_value(endpoint)?.0.clone();
        let device = self.devices.get_mut(&endpoint)?;
        if let Some(wake) = &device.delivering {
            wake.notify_one();
            return None;
        }
        let wake = Arc::new(Notify::new());
        device.delivering = Some(wake.clone());
        Some((endpoint, wake))
    }

    /// Wakes the task that delivers to a device.
    pub(super) fn wake(&self, endpoint: &str) {
        let device = self.devices.get(endpoint);
        if let Some(wake) = device.and_then(|device| device.delivering.as_ref()) {
            wake.notify_one();
        }
    }

    /// Commands of a device whose time is over.
    pub(super) fn due(&self, endpoint: &str, now: UnixMillis) -> Vec<Uuid> {
        let device = self.devices.get(endpoint);
        let pending = device.into_iter().flat_map(Device::pending);
        pending
            .filter(|entry| entry.expires <= now)
            .map(|entry| entry.id)
            .collect()
    }

    /// When the next command of a device expires, `except` this one.
    pub(super) fn next_expiration(
        &self,
        endpoint: &str,
        except: Option<Uuid>,
    ) -> Option<UnixMillis> {
        let device = self.devices.get(endpoint)?;
        let others = device.pending().filter(|entry| Some(entry.id) != except);
        others.map(|entry| entry.expires).min()
    }

    /// Where a command stands; `None` when it is gone.
    pub(super) fn state(&self, id: Uuid) -> Option<RpcState> {
        let (endpoint, sequence) = self.ids.get(&id)?;
        let device = self.devices.get(endpoint)?;
        device.commands.get(sequence).map(|entry| entry.state)
    }

    /// Devices with commands that wait.
    pub(super) fn waiting_devices(&self) -> Vec<Arc<str>> {
        let waiting = self
            .devices
            .iter()
            .filter(|(_, device)| device.pending().next().is_some());
        waiting.map(|(endpoint, _)| endpoint.clone()).collect()
    }

    /// The finished command that ended first, and when.
    pub(super) fn oldest_finished(&self) -> Option<(UnixMillis, Uuid)> {
        self.finished.first().copied()
    }

    /// Commands that wait.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }
}

impl Device {
    fn pending(&self) -> impl Iterator<Item = &Entry> {
        self.commands
            .values()
            .filter(|entry| entry.state.is_pending())
    }
}
