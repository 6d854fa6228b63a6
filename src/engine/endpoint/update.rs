//! Updates of firmware (object 5) and software (object 9): the state machine of one device.

pub mod status;
pub mod target;

use super::core::{EndpointCore, Turn};
use target::Assignment;

/// The updates of one device. Costs one pointer as long as there are none.
#[derive(Debug, Default)]
pub struct Updates {
    assigned: Option<Box<[Option<Assignment>; 2]>>,
}

impl EndpointCore {
    /// Takes over what the device is assigned.
    pub(super) fn on_updates(&mut self, assigned: [Option<Assignment>; 2], _turn: &mut Turn<'_>) {
        self.updates.assigned = Some(Box::new(assigned));
    }
}
