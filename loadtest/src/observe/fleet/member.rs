//! A device of a fleet, with what is counted of it.

use std::iter::Peekable;

use crate::clock::Micros;
use crate::observe::changes::Changes;
use crate::observe::device::{Device, Kind};
use crate::observe::radio::Radio;
use crate::observe::settings::Settings;
use crate::observe::strategy::Strategy;

/// A device and its schedule.
pub(super) struct Member {
    pub(super) device: Device,
    pub(super) changes: Peekable<Changes>,
    pub(super) radio: Radio,
    /// When its first Register was sent.
    pub(super) registers_since: Option<Micros>,
    /// Whether it is observed as its profile says, or has given up.
    pub(super) ready: bool,
    /// When its next turn is; the largest number for none.
    pub(super) entered: Micros,
    observed: bool,
}

impl Member {
    pub(super) fn new(
        settings: &Settings,
        strategy: Strategy,
        kind: &Kind,
        number: u32,
        first_mid: u16,
    ) -> Self {
        Self {
            device: Device::new(kind, first_mid),
            changes: Changes::new(settings, number).peekable(),
            radio: Radio::default(),
            registers_since: None,
            ready: false,
            entered: Micros::MAX,
            observed: !strategy.polls(),
        }
    }

    /// Whether the server has done what the profile asks for.
    pub(super) fn is_ready(&self, kind: &Kind) -> bool {
        if self.observed {
            self.device.is_observed(kind)
        } else {
            self.device.is_covered(kind)
        }
    }
}
