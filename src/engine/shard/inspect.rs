//! Answers the commands of services and of the API.

use std::sync::Arc;

use super::Shard;
use crate::engine::command::{Command, DeviceFilter, DevicePage, Inspect};
use crate::engine::endpoint::actor::EndpointMessage;
use crate::engine::endpoint::core::EndpointCore;
use crate::engine::endpoint::describe::{self, Surroundings};
use crate::engine::endpoint::plan::ProfilePlan;
use crate::engine::endpoint::slot::{Head, State};
use crate::engine::view::{DeviceContext, DeviceSummary};

/// Slots looked at for one page of a list: a filter that matches nothing must not hold up the shard.
const SLOTS_PER_PAGE: u32 = 8_192;

impl Shard {
    pub(super) fn command(&mut self, command: Command) -> bool {
        match command {
            Command::List {
                filter,
                slot,
                limit,
                reply,
            } => {
                // Whoever asked may be gone; so below.
                let _ = reply.send(self.page(&filter, slot, limit));
            }
            Command::Inspect {
                slot,
                endpoint,
                what,
            } => self.on_inspect(slot, &endpoint, what),
            Command::Request {
                slot,
                endpoint,
                ticket,
                request,
                reply,
            } => self.request(slot, &endpoint, ticket, request, reply),
            Command::CancelRequest {
                slot,
                endpoint,
                ticket,
            } => self.cancel_request(slot, &endpoint, ticket),
            Command::LookAtUpdates {
                slot,
                endpoint,
                withdrawn,
            } => self.look_at_updates(slot, &endpoint, withdrawn),
            Command::Note {
                slot,
                endpoint,
                severity,
                text,
            } => self.note(slot, &endpoint, severity, text),
            Command::Trace {
                slot,
                endpoint,
                messages,
                reply,
            } => {
                let _ = reply.send(self.begin_trace(slot, &endpoint, messages));
            }
            Command::Progress { reply } => {
                let present = |profile| self.profiles.plan(profile).version();
                let _ = reply.send(self.census.progress(present));
            }
            Command::LookAtProfiles => self.take_over_profiles(),
            Command::Decided(answer) => self.hand_decision(*answer),
            Command::Bootstrap(directive) => {
                if let Some(bootstrap) = &mut self.bootstrap {
                    bootstrap.on_directive(directive);
                }
            }
            Command::Revoke {
                endpoint,
                identity,
                ends_registration,
            } => self.revoke(&endpoint, identity, ends_registration),
            Command::RevokeUnknown => self.revoke_unknown(),
            Command::Show(contexts) => self.show(contexts),
            Command::Locate { session, reply } => {
                let _ = reply.send(self.address_of_session(session).map(Into::into));
            }
            Command::Readmit { slot, endpoint } => self.readmit(slot, &endpoint),
            Command::Remove {
                slot,
                endpoint,
                reply,
            } => {
                let Some(entry) = self.endpoints.get_mut(slot) else {
                    let _ = reply.send(false);
                    return true;
                };
                match &entry.state {
                    State::Active(actor, core) if core.borrow().name() == endpoint => {
                        actor.do_send(EndpointMessage::Remove(reply));
                        self.mailed(slot);
                        return true;
                    }
                    State::Rest(core) if core.name() == endpoint => {}
                    State::Quarantined(core) if core.name() == endpoint => {}
                    _ => {
                        let _ = reply.send(false);
                        return true;
                    }
                }
                match std::mem::replace(&mut entry.state, State::Vacant) {
                    State::Rest(core) => self.forget(slot, &core),
                    State::Quarantined(core) => self.forget(slot, &core),
                    State::Active(..) | State::Vacant => {}
                }
                let _ = reply.send(true);
            }
            Command::Drain { reply } => {
                self.mark_transfers();
                self.drained = Some(reply);
                return false;
            }
        }
        true
    }

    fn on_inspect(&mut self, slot: u32, endpoint: &str, what: Inspect) {
        let Some(entry) = self.endpoints.get(slot) else {
            return what.nothing();
        };
        match &entry.state {
            State::Rest(core) if core.name() == endpoint => self.inspect(slot, core, what),
            State::Quarantined(core) if core.name() == endpoint => self.inspect(slot, core, what),
            State::Active(actor, core) if core.borrow().name() == endpoint => {
                actor.do_send(EndpointMessage::Inspect(what));
                self.mailed(slot);
            }
            _ => what.nothing(),
        }
    }

    /// Shows a part of an endpoint.
    pub fn inspect(&self, slot: u32, core: &EndpointCore, what: Inspect) {
        let Some(entry) = self.endpoints.get(slot) else {
            return what.nothing();
        };
        let surroundings = Surroundings {
            now: self.now,
            head: &entry.head,
            address: self.address_of(&entry.head.peer).map(Into::into),
            plan: self.plan_of(&entry.head),
            keys: &self.shared.keys,
            active: matches!(entry.state, State::Active(..)),
            quarantined: matches!(entry.state, State::Quarantined(_)),
        };
        match what {
            Inspect::Summary(reply) => {
                let _ = reply.send(Some(describe::summary(core, &surroundings)));
            }
            Inspect::Registration(reply) => {
                let _ = reply.send(Some(Box::new(describe::registration(core, &surroundings))));
            }
            Inspect::Context(reply) => {
                let context = core.links().map(|links| DeviceContext {
                    links: Arc::clone(links),
                    plan: Arc::clone(surroundings.plan),
                });
                let _ = reply.send(context);
            }
            Inspect::Updates(reply) => {
                let _ = reply.send(Some(describe::updates(core, &surroundings)));
            }
            Inspect::Telemetry(reply) => {
                let _ = reply.send(Some(describe::telemetry(core, surroundings.plan)));
            }
            Inspect::Attributes(reply) => {
                let _ = reply.send(Some(describe::attributes(core, surroundings.plan)));
            }
            Inspect::Log(limit, reply) => {
                let _ = reply.send(Some(self.log_of(slot, limit)));
            }
        }
    }

    /// The profile that the state machine lives under.
    fn plan_of(&self, head: &Head) -> &Arc<ProfilePlan> {
        let in_force = self.profiles.version(head.in_force);
        in_force.unwrap_or_else(|| self.profiles.plan(head.profile))
    }

    fn page(&self, filter: &DeviceFilter, from: u32, limit: usize) -> DevicePage {
        let end = self.endpoints.end();
        let mut page = DevicePage::default();
        let mut slot = from;
        while slot < end && slot - from < SLOTS_PER_PAGE && page.items.len() < limit {
            if let Some(summary) = self.summary(slot)
                && filter.selects(&summary)
            {
                page.items.push(summary);
            }
            slot += 1;
        }
        page.next_slot = (slot < end).then_some(slot);
        page
    }

    fn summary(&self, slot: u32) -> Option<DeviceSummary> {
        let entry = self.endpoints.get(slot)?;
        let surroundings = |active| Surroundings {
            now: self.now,
            head: &entry.head,
            address: None,
            plan: self.plan_of(&entry.head),
            keys: &self.shared.keys,
            active,
            quarantined: false,
        };
        match &entry.state {
            State::Vacant => None,
            State::Rest(core) => Some(describe::summary(core, &surroundings(false))),
            State::Quarantined(core) => Some(describe::summary(core, &surroundings(false))),
            State::Active(_, core) => Some(describe::summary(&core.borrow(), &surroundings(true))),
        }
    }
}
