//! Runs endpoints, at rest or through their actors, and carries out what they hand back.

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::engine::endpoint::actor::{self, Delivery, EndpointMessage};
use crate::engine::endpoint::core::{EndpointCore, Inbound, Input, Presence, Route, Turn};
use crate::engine::endpoint::outputs::{Send, To};
use crate::engine::endpoint::slot::{Progress, State};
use crate::engine::metrics::{Direction, Interface, Rejection};
use crate::engine::peer::Peer;
use crate::net::mmsg::OutDatagram;
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::coap::exchange::Answer;
use crate::proto::coap::{Code, Header, MessageType, MessageView};
use crate::proto::time::NEVER;

use super::answers::{PENDING, REDO, fingerprint};
use super::{Datagram, Shard, keep};

/// Messages that may wait in an endpoint's mailbox; more are dropped and counted.
const MAX_BACKLOG: u16 = 32;

/// Who sent the message an endpoint is run for.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// The peer.
    pub peer: Peer,
    /// Its address.
    pub address: PeerAddr,
    /// Which address of ours it wrote to.
    pub local: Option<LocalAddr>,
    /// Bytes it sent.
    pub datagram_len: usize,
    /// Number of the identity proven in its session.
    pub identity: Option<u64>,
}

impl Sender {
    /// The sender of a datagram.
    #[must_use]
    pub fn of(datagram: &Datagram<'_>) -> Self {
        Self {
            peer: datagram.peer,
            address: datagram.address,
            local: datagram.local,
            datagram_len: datagram.bytes.len(),
            identity: datagram.owner.map(|owner| owner.identity),
        }
    }
}

impl Shard {
    /// Takes a message to its endpoint; `body` is its whole body when it came in blocks.
    pub(super) fn deliver(
        &mut self,
        slot: u32,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        route: Route,
        body: Option<Vec<u8>>,
    ) {
        self.trace_delivery(slot, datagram);
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        if entry.head.peer == datagram.peer {
            entry.head.budget.received(datagram.bytes.len());
        }
        match &entry.state {
            State::Vacant => {}
            State::Quarantined(_) => self.metrics.reject(Rejection::Quarantined),
            State::Active(endpoint, _) => {
                if entry.head.backlog >= MAX_BACKLOG {
                    return self.metrics.reject(Rejection::Backlog);
                }
                // What waits in the mailbox must not be queued again by a retransmission.
                if view.kind() != MessageType::Acknowledgement && view.code() != Code::EMPTY {
                    let pending = Answer {
                        code: PENDING,
                        detail: fingerprint(view, route, &datagram.peer),
                    };
                    entry
                        .head
                        .remember(route, view.mid(), self.now.tick, pending);
                }
                endpoint.do_send(EndpointMessage::Deliver(Delivery {
                    bytes: datagram.bytes.into(),
                    peer: datagram.peer,
                    address: datagram.address,
                    local: datagram.local,
                    identity: datagram.owner.map(|owner| owner.identity),
                    route,
                    body,
                }));
                self.mailed(slot);
            }
            State::Rest(_) => {
                let State::Rest(mut core) = std::mem::replace(&mut entry.state, State::Vacant)
                else {
                    return;
                };
                let sender = Sender::of(datagram);
                self.run_message(slot, &mut core, view, sender, route, body.as_deref());
                self.put_back(slot, core);
            }
        }
    }

    /// Runs an endpoint for a message.
    pub fn run_message(
        &mut self,
        slot: u32,
        core: &mut EndpointCore,
        view: &MessageView<'_>,
        sender: Sender,
        route: Route,
        body: Option<&[u8]>,
    ) {
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        let inbound = Inbound {
            view: *view,
            route,
            body: body.unwrap_or(view.payload()),
            from_device: entry.head.peer == sender.peer,
            salt: self.rng.u32(..),
        };
        self.run(slot, core, Input::Message(inbound), Some(sender));
        let answered = self.out.answered.take();
        if answered == Some(Code::CREATED) {
            self.offer_updates(slot, core);
            if core.lacks_assignment() {
                self.run(slot, core, Input::Unassigned, None);
            }
            if let Some(identity) = sender.identity
                && let Some(credentials) = self.shared.credentials.get()
            {
                credentials.registered(core.name(), identity);
            }
        }
        if let Some(interface) = interface_of(route)
            && let Some(code) = answered
        {
            self.metrics.answer(interface, code);
        }
        if view.kind() == MessageType::Acknowledgement {
            // Its message id is ours; remembered, it would only push those of the device out.
            return;
        }
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let (mid, now) = (view.mid(), self.now.tick);
        let detail = fingerprint(view, route, &sender.peer);
        let waited = || entry.head.remembered(route, mid, detail, now).is_some();
        // An error changes nothing, so a repetition may be handled again: that repeats its text too.
        let code = answered.filter(|code| *code == Code::EMPTY || code.is_success());
        if code.is_some() || waited() {
            let answer = Answer {
                code: code.unwrap_or(REDO),
                detail,
            };
            entry.head.remember(route, mid, now, answer);
        }
    }

    /// Runs an endpoint for its deadline.
    pub fn run_timer(&mut self, slot: u32, core: &mut EndpointCore) {
        self.run(slot, core, Input::Timer, None);
        if core.lacks_update() {
            self.offer_updates(slot, core);
        }
    }

    /// One call of the state machine, and what follows from it. A panic costs this endpoint alone.
    pub(super) fn run(
        &mut self,
        slot: u32,
        core: &mut EndpointCore,
        input: Input<'_>,
        sender: Option<Sender>,
    ) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let before = entry.head.in_force;
        let present = self.profiles.plan(entry.head.profile);
        let wanted = (entry.head.profile, present.version());
        let old = Some(before).filter(|before| *before != wanted);
        let old = old.and_then(|before| self.profiles.version(before));
        // A sleeping device is told of all changes together when it wakes up.
        let sleeps = core.presence(self.now.tick) == Presence::Asleep
            && !matches!(input, Input::Message(_))
            && !self.profiles.has_too_many_old();
        let (plan, old) = match old {
            Some(old) if sleeps => (&**old, None),
            old => {
                entry.head.in_force = wanted;
                (&**present, old)
            }
        };
        self.out.log_level = plan.transport_log().unwrap_or(self.log_level);
        let secure = self.secure.as_ref();
        let most = secure.and_then(|secure| secure.largest_message(self.index, &entry.head.peer));
        let mut turn = Turn {
            now: self.now,
            rng: &mut self.rng,
            out: &mut self.out,
            plan,
            power: plan.power_of(self.profiles.power_mode(entry.head.power)),
            models: &self.models,
            keys: &self.shared.keys,
            links: &mut self.links,
            transmission: &self.shared.config.transmission,
            allowance: entry.head.budget.credit().min(most.unwrap_or(usize::MAX)),
            max_body: self.shared.config.max_body,
        };
        let observed = core.observation_counts();
        let updates = core.running_updates();
        let changes = keep::changes(&input);
        let token = core.next_token();
        let replanned = old.is_some();
        // The state is replaced after a panic, so a half-done change in it is never seen.
        let done = catch_unwind(AssertUnwindSafe(|| {
            if let Some(old) = old {
                core.handle(Input::NewPlan { old }, &mut turn);
            }
            core.handle(input, &mut turn);
        }));
        let refusal = |code: Code| code != Code::EMPTY && !code.is_success();
        let refused = self.out.answered.is_some_and(refusal);
        let changed = std::mem::take(&mut self.out.changed);
        let fleeting = std::mem::take(&mut self.out.fleeting);
        let changes = changes && !refused && !fleeting;
        let changed = changed || replanned || changes || core.tokens_ran_on(token);
        if done.is_err() {
            self.metrics.actor_restarts.add(1);
            self.out.forget_call();
            self.out.tally.observations = observed.map(|count| -count);
            let fresh = EndpointCore::new(core.name(), core.place(), core.mids());
            *core = std::mem::replace(core, fresh).rebuilt(plan);
            self.fail_commands(slot);
            self.count_panic(slot);
        }
        self.metrics.updates(updates, core.running_updates());
        if changed || done.is_err() {
            self.mark(slot);
        }
        if replanned {
            // The profile may map a shared attribute now.
            self.shared.arrivals.changed(core.name());
        }
        self.apply(slot, core, sender);
    }

    fn apply(&mut self, slot: u32, core: &EndpointCore, sender: Option<Sender>) {
        self.metrics.fold(&mut self.out.tally);
        self.complete();
        if self.out.adopt_sender
            && let Some(sender) = sender
        {
            self.adopt(slot, sender);
        }
        self.out.adopt_sender = false;
        let mut sends = std::mem::take(&mut self.out.sends);
        for send in sends.drain(..) {
            self.carry_out(slot, send, sender);
        }
        self.out.sends = sends;
        let now = self.now.tick;
        let presence = core.presence(now);
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let head = &mut entry.head;
        if std::mem::take(&mut self.out.verified) {
            head.budget.verify();
        }
        head.awaiting = self.out.awaiting.take();
        let renewed = std::mem::replace(&mut head.salt, core.place().salt) != core.place().salt;
        head.deadline = match presence {
            Presence::Absent => now.plus_millis(u64::from(self.shared.config.forget_after) * 1000),
            _ => core.deadline(),
        };
        let deadline = head.deadline;
        if deadline != NEVER {
            self.wheel.arm(slot, &mut head.held, deadline);
        }
        if renewed && presence != Presence::Absent {
            let peer = head.peer;
            self.endpoints.put_first(slot);
            self.claim(&peer);
            self.shared.arrivals.arrived(core.name());
        }
        self.recount(slot, presence, core.pending_requests());
        self.stand(slot, Some(Progress::of(presence, core.own_work())));
        if !self.out.happenings.is_empty() {
            self.tell(slot, core, sender);
        }
        if !self.out.log.is_empty() {
            self.keep_log(slot, core, sender);
        }
    }

    /// Sends a datagram of an endpoint, unless it would amplify what an unverified peer sent.
    fn carry_out(&mut self, slot: u32, send: Send, sender: Option<Sender>) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let len = send.bytes.len();
        let (peer, local) = match (send.to, sender) {
            (To::Sender, Some(sender)) => {
                if sender.peer == entry.head.peer {
                    entry.head.budget.charge(len);
                }
                (sender.peer, sender.local)
            }
            (To::Device | To::Sender, _) => {
                if !entry.head.budget.try_spend(len) {
                    self.metrics.reject(Rejection::Amplification);
                    return;
                }
                (entry.head.peer, self.locals.address(entry.head.local))
            }
        };
        self.post(peer, local, send.bytes);
    }

    /// Queues bytes of the arena.
    pub(super) fn post(&mut self, peer: Peer, local: Option<LocalAddr>, bytes: Range<usize>) {
        self.trace_departure(peer, bytes.clone());
        if let Some(header) = Header::peek(&self.out.arena[bytes.clone()]) {
            self.metrics
                .message(Direction::Out, header.kind, header.code);
        }
        match peer {
            Peer::Plain(peer) => self.outbox.push(OutDatagram {
                peer,
                local,
                start: bytes.start as u32,
                len: bytes.len() as u32,
            }),
            Peer::Secured(session) => self.post_secured(session, bytes),
        }
    }

    /// The state machine comes back from a call: it stays at rest, or an actor takes it over when a
    /// conversation has begun.
    pub(super) fn put_back(&mut self, slot: u32, core: EndpointCore) {
        let busy = core.busy() && !self.quarantine_is_due(slot);
        let host = self.host.as_ref().filter(|_| busy).cloned();
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        entry.state = match host {
            Some(host) => {
                self.metrics.activations.add(1);
                self.metrics.active.add(1);
                let core = Rc::new(RefCell::new(core));
                State::Active(actor::activate(host, slot, Rc::clone(&core)), core)
            }
            None => State::Rest(core),
        };
        self.quarantine_if_due(slot);
    }

    /// A message has been put into the mailbox of an actor.
    pub(super) fn mailed(&mut self, slot: u32) {
        self.mailboxes += 1;
        if let Some(entry) = self.endpoints.get_mut(slot) {
            entry.head.backlog = entry.head.backlog.saturating_add(1);
        }
    }

    /// An actor has handled a message of its mailbox.
    pub fn taken_from_mailbox(&mut self, slot: u32) {
        self.mailboxes = self.mailboxes.saturating_sub(1);
        if let Some(entry) = self.endpoints.get_mut(slot) {
            entry.head.backlog = entry.head.backlog.saturating_sub(1);
        }
    }

    /// Whether an actor has nothing left to do, or does harm.
    #[must_use]
    pub fn may_rest(&self, slot: u32, core: &EndpointCore) -> bool {
        let idle = self
            .endpoints
            .get(slot)
            .is_none_or(|entry| entry.head.backlog == 0);
        idle && (!core.busy() || self.quarantine_is_due(slot))
    }

    /// An actor gives the state machine back.
    pub fn rest(&mut self, slot: u32) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        if let State::Active(_, core) = std::mem::replace(&mut entry.state, State::Vacant)
            && let Some(core) = Rc::into_inner(core)
        {
            self.metrics.active.add(-1);
            entry.state = State::Rest(core.into_inner());
        }
        self.quarantine_if_due(slot);
    }

    /// An actor ends and takes its endpoint with it, and what is left in its mailbox.
    pub fn retire(&mut self, slot: u32, core: &EndpointCore) {
        let left = self
            .endpoints
            .get(slot)
            .map_or(0, |entry| entry.head.backlog);
        self.mailboxes = self.mailboxes.saturating_sub(usize::from(left));
        self.metrics.active.add(-1);
        self.forget(slot, core);
    }

    pub(super) fn on_deadline(&mut self, slot: u32) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        // The endpoint sets its next deadline when it has been run.
        entry.head.deadline = NEVER;
        match &entry.state {
            State::Vacant => {}
            State::Active(endpoint, _) => {
                endpoint.do_send(EndpointMessage::Timer);
                self.mailed(slot);
            }
            State::Quarantined(_) | State::Rest(_) => {
                let mut core = match std::mem::replace(&mut entry.state, State::Vacant) {
                    State::Rest(core) => core,
                    State::Quarantined(core) => *core,
                    _ => return,
                };
                if entry.head.counted == Presence::Absent
                    && !self.shared.directory.is_admitted(core.name())
                {
                    return self.forget(slot, &core);
                }
                self.run_timer(slot, &mut core);
                self.put_back(slot, core);
            }
        }
    }
}

fn interface_of(route: Route) -> Option<Interface> {
    match route {
        Route::Register => Some(Interface::Register),
        Route::Update => Some(Interface::Update),
        Route::Deregister => Some(Interface::Deregister),
        Route::Send => Some(Interface::Send),
        Route::Response | Route::Acknowledgement | Route::Reset => None,
    }
}
