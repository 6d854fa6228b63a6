//! Values of a device that say how its update goes, however they came: observed, read, sent.

use super::super::core::{EndpointCore, Turn};
use super::super::journal::Severity;
use super::results::{is_failure, number, result_in_words};
use super::state::{Reached, Step, Update};
use super::status::UpdateStatus;
use super::target::UpdateKind;
use crate::proto::lwm2m::{Path, Value};

/// What a resource tells about an update.
#[derive(Clone, Copy, Debug)]
enum Told {
    State,
    Result,
    Name,
    Version,
    DeviceVersion,
    Delivery,
    Active,
}

/// The resources that are watched (ThingsBoard's list, and the activation state).
fn told_by(path: &Path) -> Option<(UpdateKind, Told)> {
    use UpdateKind::{Firmware, Software};
    Some(match path.segments() {
        [5, 0, 3] => (Firmware, Told::State),
        [5, 0, 5] => (Firmware, Told::Result),
        [5, 0, 6] => (Firmware, Told::Name),
        [5, 0, 7] => (Firmware, Told::Version),
        [5, 0, 9] => (Firmware, Told::Delivery),
        [3, 0, 3] => (Firmware, Told::DeviceVersion),
        [9, 0, 7] => (Software, Told::State),
        [9, 0, 9] => (Software, Told::Result),
        [9, 0, 0] => (Software, Told::Name),
        [9, 0, 1] => (Software, Told::Version),
        [9, 0, 12] => (Software, Told::Active),
        [3, 0, 19] => (Software, Told::DeviceVersion),
        _ => return None,
    })
}

impl EndpointCore {
    /// A value of the device arrived.
    pub(in super::super) fn update_report(
        &mut self,
        path: &Path,
        value: &Value,
        turn: &mut Turn<'_>,
    ) {
        if self.updates.is_empty() {
            return;
        }
        let Some((kind, told)) = told_by(path) else {
            return;
        };
        let Some(update) = self.updates.get_mut(kind) else {
            return;
        };
        let text = || match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        match told {
            Told::State => {
                if let Some(state) = number(value) {
                    update.note_exchange(format!("it reported state {state}"), turn);
                    update.on_state(state, turn);
                }
            }
            Told::Result => {
                if let Some(result) = number(value) {
                    update.note_exchange(format!("it reported result {result}"), turn);
                    update.on_result(result, turn);
                }
            }
            Told::Name => update.learn(|device| &mut device.name, text(), turn),
            Told::Version => update.learn(|device| &mut device.version, text(), turn),
            Told::DeviceVersion => update.learn(|device| &mut device.device_version, text(), turn),
            Told::Delivery => update.device.delivery = number(value).or(update.device.delivery),
            Told::Active => {
                update.device.active = match value {
                    Value::Boolean(active) => Some(*active),
                    _ => number(value).map(|number| number != 0),
                };
                if update.reached == Reached::Installed && update.device.active == Some(true) {
                    update.installed(turn);
                }
            }
        }
    }
}

impl Update {
    fn learn(
        &mut self,
        of: impl Fn(&mut super::state::Reported) -> &mut Option<Box<str>>,
        text: Option<Box<str>>,
        turn: &mut Turn<'_>,
    ) {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return;
        };
        let before = self.current();
        *of(&mut self.device) = Some(text);
        if before != self.current() {
            self.tell(turn);
        }
    }

    fn on_state(&mut self, state: u8, turn: &mut Turn<'_>) {
        let before = self.device.state.replace(state);
        if self.ended || self.pausing {
            return;
        }
        if self.reached == Reached::Nothing {
            // What it was waited for may be over.
            if before != Some(state) && self.asked.is_none() {
                self.todo.get_or_insert(Step::ReadObject);
            }
            return;
        }
        self.seen |= 1 << state.min(7);
        match self.kind {
            UpdateKind::Firmware => self.on_firmware_state(state, turn),
            UpdateKind::Software => self.on_software_state(state, turn),
        }
    }

    fn on_firmware_state(&mut self, state: u8, turn: &mut Turn<'_>) {
        match (state, self.reached) {
            (1, Reached::Sending | Reached::Sent) => {
                self.advance_to(UpdateStatus::Downloading, turn);
                self.renew(turn);
            }
            (2, Reached::Sent) => self.downloaded(turn),
            (3, Reached::Sent | Reached::Executed) => {
                // It installs what it has got without being told.
                self.reached = Reached::Executed;
                self.uncertain = false;
                if self.todo == Some(Step::Execute) {
                    self.todo = None;
                }
                if self.status != UpdateStatus::Updating {
                    self.renew(turn);
                }
                self.enter(UpdateStatus::Updating, turn);
            }
            _ => self.doubt(state),
        }
    }

    fn on_software_state(&mut self, state: u8, turn: &mut Turn<'_>) {
        match (state, self.reached) {
            (1 | 2, Reached::Sending | Reached::Sent) => {
                self.advance_to(UpdateStatus::Downloading, turn);
                self.renew(turn);
            }
            (3, Reached::Sent) => self.downloaded(turn),
            // What comes of it the result says.
            (4, Reached::Executed) => self.uncertain = false,
            _ => self.doubt(state),
        }
    }

    /// Back at the start: whether that is good or bad the result says as well.
    fn doubt(&mut self, state: u8) {
        let been_further = self.seen & !1 != 0 || self.reached >= Reached::Executed;
        if state == 0 && been_further && self.todo.is_none() {
            self.todo = Some(Step::ReadObject);
        }
    }

    fn on_result(&mut self, result: u8, turn: &mut Turn<'_>) {
        let before = self.device.result.replace(result);
        if self.stale_result == Some(result) {
            return;
        }
        self.stale_result = None;
        if self.ended || self.pausing || self.reached == Reached::Nothing {
            return;
        }
        if before != Some(result) {
            let kind = self.kind;
            turn.out.log(Severity::Info, || {
                let name = match kind {
                    UpdateKind::Firmware => "Firmware",
                    UpdateKind::Software => "Software",
                };
                format!("{name} Update Result: {}", result_in_words(kind, result))
            });
        }
        if is_failure(self.kind, result) {
            return self.failed_with(result, turn);
        }
        match (self.kind, result, self.reached) {
            (UpdateKind::Firmware, 1, Reached::Sent | Reached::Executed) => self.succeed(turn),
            (UpdateKind::Firmware, 11, Reached::Executed) => {
                self.uncertain = false;
                if !std::mem::replace(&mut self.deferred, true) {
                    self.renew(turn);
                }
            }
            (UpdateKind::Software, 1, Reached::Sending | Reached::Sent) => {
                self.advance_to(UpdateStatus::Downloading, turn);
            }
            (UpdateKind::Software, 2, Reached::Sent | Reached::Executed) => self.installed(turn),
            (UpdateKind::Software, 3, Reached::Sending | Reached::Sent | Reached::Executed) => {
                self.advance_to(UpdateStatus::Verified, turn);
            }
            (_, 0, Reached::Executed) => self.doubt(self.device.state.unwrap_or(0)),
            _ => {}
        }
    }
}
