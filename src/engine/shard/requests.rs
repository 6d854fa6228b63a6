//! Commands for devices: handed to their endpoints, and what became of them handed back.

use hashbrown::HashMap;

use crate::engine::command::RequestReply;
use crate::engine::endpoint::actor::EndpointMessage;
use crate::engine::endpoint::core::{EndpointCore, Input};
use crate::engine::endpoint::outputs::Completion;
use crate::engine::endpoint::request::{DeviceOutcome, DeviceRequest, RequestError};
use crate::engine::endpoint::slot::State;

use super::Shard;

/// Who waits for commands, by ticket.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: HashMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    slot: u32,
    reply: RequestReply,
}

impl Requests {
    fn sent(&mut self, ticket: u64) {
        let waiter = self.waiting.get_mut(&ticket);
        if let Some(sent) = waiter.and_then(|waiter| waiter.reply.sent.take()) {
            // Whoever asked may be gone; so below.
            let _ = sent.send(());
        }
    }

    fn done(&mut self, ticket: u64, outcome: DeviceOutcome) {
        if let Some(waiter) = self.waiting.remove(&ticket) {
            let _ = waiter.reply.done.send(outcome);
        }
    }

    /// Ends every command of an endpoint.
    fn end_all_of(&mut self, slot: u32, error: &RequestError) {
        for (_, waiter) in self.waiting.extract_if(|_, waiter| waiter.slot == slot) {
            let _ = waiter.reply.done.send(Err(error.clone()));
        }
    }
}

impl Shard {
    /// Hands a command to its endpoint.
    pub(super) fn request(
        &mut self,
        slot: u32,
        endpoint: &str,
        ticket: u64,
        request: DeviceRequest,
        reply: RequestReply,
    ) {
        if !self.lives_here(slot, endpoint) {
            let _ = reply.done.send(Err(RequestError::NotRegistered));
            return;
        }
        let waiter = Waiter { slot, reply };
        self.requests.waiting.insert(ticket, waiter);
        self.command_endpoint(slot, Input::Command { ticket, request });
    }

    /// Tells an endpoint that a command is wanted no more.
    pub(super) fn cancel_request(&mut self, slot: u32, endpoint: &str, ticket: u64) {
        if self.lives_here(slot, endpoint) {
            self.command_endpoint(slot, Input::CancelCommand { ticket });
        }
    }

    /// Runs an endpoint for a command.
    pub fn run_command(&mut self, slot: u32, core: &mut EndpointCore, command: Input<'static>) {
        self.run(slot, core, command, None);
    }

    /// Tells those who wait how their commands went.
    pub(super) fn complete(&mut self) {
        for completion in self.out.completions.drain(..) {
            match completion {
                Completion::Sent { ticket } => self.requests.sent(ticket),
                Completion::Done { ticket, outcome } => self.requests.done(ticket, outcome),
            }
        }
    }

    /// The endpoint failed: so did its commands, whose state is lost.
    pub(super) fn fail_commands(&mut self, slot: u32) {
        self.requests.end_all_of(slot, &RequestError::Failed);
    }

    /// The endpoint is forgotten, and what was asked of it.
    pub(super) fn drop_commands(&mut self, core: &EndpointCore) {
        for ticket in core.tickets() {
            let outcome = Err(RequestError::RegistrationEnded);
            self.requests.done(ticket, outcome);
        }
    }

    pub(super) fn lives_here(&self, slot: u32, endpoint: &str) -> bool {
        let entry = self.endpoints.get(slot);
        entry.is_some_and(|entry| match &entry.state {
            State::Vacant => false,
            State::Rest(core) => core.name() == endpoint,
            State::Quarantined(core) => core.name() == endpoint,
            State::Active(_, core) => core.borrow().name() == endpoint,
        })
    }

    pub(super) fn command_endpoint(&mut self, slot: u32, command: Input<'static>) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        match &entry.state {
            State::Vacant => {}
            State::Quarantined(_) => self.fail_commands(slot),
            State::Active(actor, _) => {
                actor.do_send(EndpointMessage::Command(command));
                self.mailed(slot);
            }
            State::Rest(_) => {
                let State::Rest(mut core) = std::mem::replace(&mut entry.state, State::Vacant)
                else {
                    return;
                };
                self.run_command(slot, &mut core, command);
                self.put_back(slot, core);
            }
        }
    }
}
