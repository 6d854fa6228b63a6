//! Updates of firmware and software: what endpoints are assigned, and what devices fetch.

use crate::engine::endpoint::core::Input;

use super::Shard;

impl Shard {
    /// Tells an endpoint what it is assigned now.
    pub(super) fn look_at_updates(&mut self, slot: u32, endpoint: &str) {
        if self.lives_here(slot, endpoint) {
            let assigned = self.shared.updates.of(endpoint).unwrap_or_default();
            self.command_endpoint(slot, Input::Updates(assigned));
        }
    }
}
