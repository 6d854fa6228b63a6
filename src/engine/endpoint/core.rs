//! The state machine of one device.
//!
//! One call, [`EndpointCore::handle`]: a message, a timer or a command in, outputs out. It reads no
//! clock and sends nothing, so it runs the same at rest, in an actor and in a test.

use std::sync::Arc;

use crate::proto::coap::exchange::{MidSequence, TransmissionParams};
use crate::proto::coap::{Code, MessageView};
use crate::proto::lwm2m::link::{LinkInterner, ObjectLinks};
use crate::proto::lwm2m::model::ObjectModels;
use crate::proto::lwm2m::registration::UpdateParams;
use crate::proto::time::{NEVER, Now, Tick};

use super::conversation::{Conversation, OwnWork};
use super::identity::{IdentityKey, Place};
use super::journal::{self, Severity};
use super::observations::{ObservationKind, Observations};
use super::outputs::{Happening, Outputs, To};
use super::plan::ProfilePlan;
use super::problems::Problems;
use super::profile_parts::PowerMode;
use super::registration::{RegisterRequest, Registration};
use super::reply::Reply;
use super::request::DeviceRequest;
use super::steps;
use super::update::Updates;
use super::update::target::{Assignment, UpdateKind};
use super::values::LatestValues;

/// State of one device, whether or not it is registered.
#[derive(Debug)]
pub struct EndpointCore {
    pub(super) name: Box<str>,
    pub(super) place: Place,
    pub(super) registration: Option<Registration>,
    pub(super) observations: Observations,
    pub(super) values: LatestValues,
    pub(super) problems: Problems,
    pub(super) conversation: Option<Box<Conversation>>,
    pub(super) updates: Updates,
    pub(super) last_seen: Tick,
    pub(super) mids: MidSequence,
    /// Goes on over registrations: a token holds half of a registration's salt only, and a
    /// notification of an earlier registration must never fit a later one.
    pub(super) next_token: u16,
    /// Cleared when a request times out, set by the next message of the device.
    pub(super) reachable: bool,
    /// Whether a device that sleeps through its cycle has been paged in this one.
    pub(super) paged: bool,
    #[cfg(test)]
    pub(super) fault: bool,
}

/// What the shard lends an endpoint for one call.
pub struct Turn<'a> {
    /// The time of the turn.
    pub now: Now,
    /// Source of jitter.
    pub rng: &'a mut fastrand::Rng,
    /// Where outputs go.
    pub out: &'a mut Outputs,
    /// Profile of the device.
    pub plan: &'a ProfilePlan,
    /// When the device listens.
    pub power: PowerMode,
    /// Object definitions.
    pub models: &'a ObjectModels,
    /// Makes and reads registration ids and tokens.
    pub keys: &'a IdentityKey,
    /// Object lists shared by devices.
    pub links: &'a mut LinkInterner,
    /// CoAP transmission parameters.
    pub transmission: &'a TransmissionParams,
    /// Bytes that may be sent to the device before it answers: little as long as its address may be
    /// forged, and no more than a DTLS record to it holds.
    pub allowance: usize,
    /// Largest body taken from a device, in bytes.
    pub max_body: usize,
}

impl Turn<'_> {
    /// A mapped value arrived: told while somebody listens, and to the history of the profile.
    pub(super) fn value_arrived(&mut self, telemetry: bool, happening: impl FnOnce() -> Happening) {
        if self.out.listening || (telemetry && self.plan.keeps_history()) {
            self.out.happenings.push(happening());
        }
    }

    /// An update went on: told like a value, and its end to whoever follows updates.
    pub(super) fn update_went_on(
        &mut self,
        ended: bool,
        entered: bool,
        happening: impl FnOnce() -> Happening,
    ) {
        if ended && self.out.follows_updates {
            self.out.happenings.push(happening());
        } else {
            self.value_arrived(entered, happening);
        }
    }
}

/// What may happen to an endpoint.
#[derive(Debug)]
pub enum Input<'a> {
    /// A message for it arrived.
    Message(Inbound<'a>),
    /// Its deadline has passed.
    Timer,
    /// Somebody wants something of the device.
    Command {
        /// Names the command in what is put out about it.
        ticket: u64,
        /// What is wanted.
        request: DeviceRequest,
    },
    /// The profile of the device has changed.
    NewPlan {
        /// What it was before.
        old: &'a ProfilePlan,
    },
    /// The credentials that the device registered with do not hold any more.
    Revoked,
    /// A handshake of the device failed.
    Trouble {
        /// What happened, in words.
        detail: String,
    },
    /// The device is to be updated.
    Assigned(Assignment),
    /// It is not to be updated any more.
    Withdrawn(UpdateKind),
    /// It registered, and updates it holds from before a restart were not assigned again.
    Unassigned,
    /// Somebody wants it no more.
    CancelCommand {
        /// The command.
        ticket: u64,
    },
}

/// A message for an endpoint.
#[derive(Debug)]
pub struct Inbound<'a> {
    /// The message.
    pub view: MessageView<'a>,
    /// What it is.
    pub route: Route,
    /// Its payload, or the body put together from its blocks.
    pub body: &'a [u8],
    /// Whether the sender's address is that of the registration.
    pub from_device: bool,
    /// Salt for the registration, if it makes one.
    pub salt: u32,
}

/// What a message is, as far as its way to the endpoint shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `POST /rd`
    Register,
    /// `POST /rd/{id}`
    Update,
    /// `DELETE /rd/{id}`
    Deregister,
    /// `POST /dp`
    Send,
    /// A response or a notification.
    Response,
    /// An empty acknowledgement of a request of ours.
    Acknowledgement,
    /// A reset of a request of ours.
    Reset,
}

/// Whether a device is registered and awake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// Not registered.
    Absent,
    /// Registered, and a request would reach it.
    Awake,
    /// Registered in queue mode and not listening.
    Asleep,
}

impl EndpointCore {
    /// A device that has not registered yet.
    #[must_use]
    pub fn new(name: &str, place: Place, mids: MidSequence) -> Self {
        Self {
            name: name.into(),
            place,
            registration: None,
            observations: Observations::default(),
            values: LatestValues::default(),
            problems: Problems::default(),
            conversation: None,
            updates: Updates::default(),
            last_seen: Tick::ZERO,
            mids,
            next_token: 0,
            reachable: false,
            paged: false,
            #[cfg(test)]
            fault: false,
        }
    }

    /// A fresh state for a device whose state machine panicked: it keeps who the device is, its
    /// registration and its values, and sets up everything else anew.
    #[must_use]
    pub fn rebuilt(mut self, plan: &ProfilePlan) -> Self {
        let mut fresh = Self::new(&self.name, self.place, self.mids);
        fresh.next_token = self.next_token;
        fresh.last_seen = self.last_seen;
        fresh.reachable = self.reachable;
        fresh.registration = self.registration.take();
        fresh.values = std::mem::take(&mut self.values);
        fresh.updates = std::mem::take(&mut self.updates);
        fresh.updates.look_again();
        if let Some(registration) = &fresh.registration {
            let steps = steps::due(plan, &registration.links, |_| true);
            fresh.conversation = Conversation::of_steps(steps);
        }
        fresh
    }

    /// Makes the next message panic.
    #[cfg(test)]
    pub fn inject_fault(&mut self) {
        self.fault = true;
    }

    /// Makes the next token the first one again.
    #[cfg(test)]
    pub fn restart_tokens(&mut self) {
        self.next_token = 0;
    }

    /// Endpoint client name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lives and the salt of its registration.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The sequence its message ids come from.
    #[must_use]
    pub fn mids(&self) -> MidSequence {
        self.mids
    }

    /// Handles one input and starts the next request to the device if one is due.
    pub fn handle(&mut self, input: Input<'_>, turn: &mut Turn<'_>) {
        match input {
            Input::Message(message) => self.on_message(&message, turn),
            Input::Timer => self.on_timer(turn),
            // What follows from it is asked after the input that the endpoint is run for.
            Input::NewPlan { old } => return self.on_new_plan(old, turn),
            Input::Command { ticket, request } => {
                self.fall_asleep(turn);
                self.on_command(ticket, request, turn);
            }
            Input::Assigned(assignment) => self.on_assigned(assignment, turn),
            Input::Withdrawn(kind) => self.on_withdrawn(kind, turn),
            Input::Unassigned => self.on_unassigned(turn),
            Input::CancelCommand { ticket } => self.on_cancel_command(ticket, turn),
            Input::Revoked => self.on_revoked(turn),
            Input::Trouble { detail } => {
                let (now, reason) = (turn.now.wall, "dtls_handshake");
                self.problems.note(now, reason, None, detail, turn.out);
            }
        }
        self.advance_updates(turn);
        self.proceed(turn);
        let flights = self.conversation.as_ref().map(|c| &c.flights);
        turn.out.awaiting = flights.and_then(|flights| flights.awaited_mid());
    }

    /// When the endpoint wants to be called again; [`NEVER`] when only a message can wake it.
    #[must_use]
    pub fn deadline(&self) -> Tick {
        let Some(registration) = &self.registration else {
            return NEVER;
        };
        let exchange = self.conversation.as_ref().map_or(NEVER, |c| c.deadline());
        // Once asleep the change has been reported: only the other deadlines count.
        let sleep = if self.reachable {
            self.asleep_from()
        } else {
            NEVER
        };
        let update = self.updates.deadline();
        registration.expires.min(exchange).min(sleep).min(update)
    }

    /// Whether a conversation is going on: the endpoint is run by an actor while it is.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.conversation
            .as_ref()
            .is_some_and(|c| !c.flights.is_empty() || (self.reachable && !c.is_idle()))
    }

    /// Whether the device is registered and awake.
    #[must_use]
    pub fn presence(&self, now: Tick) -> Presence {
        match &self.registration {
            None => Presence::Absent,
            Some(_) if self.always_listens() => Presence::Awake,
            Some(_) if now >= self.asleep_from() || !self.reachable => Presence::Asleep,
            Some(_) => Presence::Awake,
        }
    }

    /// The objects of the registration; `None` while there is none.
    #[must_use]
    pub fn links(&self) -> Option<&Arc<ObjectLinks>> {
        self.registration
            .as_ref()
            .map(|registration| &registration.links)
    }

    /// Requests in flight to the device and waiting for it.
    #[must_use]
    pub fn pending_requests(&self) -> usize {
        self.conversation
            .as_ref()
            .map_or(0, |conversation| conversation.pending())
    }

    /// How far the device is with what its profile wants.
    #[must_use]
    pub fn own_work(&self) -> OwnWork {
        self.conversation
            .as_ref()
            .map_or(OwnWork::None, |conversation| conversation.own_work())
    }

    /// Reads something of each part of the state that a message touches.
    #[must_use]
    pub fn touch(&self) -> u64 {
        let lifetime = self
            .registration
            .as_ref()
            .map_or(0, |registration| registration.lifetime.unwrap_or(0));
        self.last_seen.as_millis() ^ u64::from(lifetime) ^ u64::from(self.next_token)
    }

    /// Reads something of what lies outside the slot and a notification touches.
    #[must_use]
    pub fn touch_heap(&self) -> u64 {
        self.observations.touch() ^ self.values.touch()
    }

    /// Number of observations.
    #[must_use]
    pub fn observation_count(&self) -> usize {
        self.observations.len()
    }

    /// How many observations there are of each kind.
    #[must_use]
    pub fn observation_counts(&self) -> [i64; ObservationKind::ALL.len()] {
        self.observations.counts()
    }

    /// Whether the device never stops listening.
    pub(super) fn always_listens(&self) -> bool {
        self.registration
            .as_ref()
            .is_none_or(|registration| registration.awake_millis.is_none())
    }

    /// Whether a request may be sent now: the device listens, or it sleeps through a cycle in which
    /// it can be paged once.
    pub(super) fn may_ask(&self) -> bool {
        let can_be_paged = || {
            let registration = self.registration.as_ref();
            !self.paged && registration.is_some_and(|r| r.paging_cycle().is_some())
        };
        self.registration.is_some() && (self.reachable || can_be_paged())
    }

    /// The cycle within which a sleeping device answers, if the request about to be sent is the one
    /// it is paged for.
    pub(super) fn page(&mut self) -> Option<u32> {
        if self.reachable {
            return None;
        }
        let cycle = self.registration.as_ref()?.paging_cycle()?;
        self.paged = true;
        Some(cycle)
    }

    /// When a device that stops listening does so.
    fn asleep_from(&self) -> Tick {
        let awake = self.registration.as_ref().and_then(|r| r.awake_millis);
        awake.map_or(NEVER, |millis| self.last_seen.plus_millis(millis.into()))
    }

    fn on_message(&mut self, message: &Inbound<'_>, turn: &mut Turn<'_>) {
        #[cfg(test)]
        assert!(!self.fault, "injected fault");
        let woke = self.presence(turn.now.tick) == Presence::Asleep;
        if woke && message.from_device {
            turn.out
                .log(Severity::Info, || "info: Client is awake!".to_owned());
        }
        if message.from_device {
            self.heard(turn.now.tick);
        }
        match message.route {
            Route::Register => self.on_register(message, turn),
            Route::Update => self.on_update(message, woke, turn),
            Route::Deregister => self.on_deregister(message, turn),
            Route::Send => self.on_send(message, turn),
            Route::Response => self.on_response(message, turn),
            Route::Acknowledgement => self.on_acknowledgement(message.view.mid(), turn),
            Route::Reset => self.on_reset(message.view.mid(), turn),
        }
    }

    fn on_register(&mut self, message: &Inbound<'_>, turn: &mut Turn<'_>) {
        let request = match RegisterRequest::parse(&message.view, message.body, turn.links) {
            Ok(request) => request,
            Err(refusal) => return self.answer(message, &refusal.reply(), turn),
        };
        self.end_registration(turn.out);
        self.arrived(turn.now.tick, message, turn.out);
        self.place.salt = message.salt;
        let links = Arc::clone(&request.links);
        self.registration = Some(request.into_registration(turn.now, turn.power));
        let id = turn.keys.registration_id(self.place);
        let reply = Reply {
            location: Some(&id),
            ..Reply::code(Code::CREATED)
        };
        self.answer(message, &reply, turn);
        if turn.out.listening || turn.out.follows_updates {
            turn.out.happenings.push(Happening::Registered);
        }
        if let Some(registration) = &self.registration {
            let text = || journal::registered(&self.name, &id.to_string(), registration);
            turn.out.log(Severity::Info, text);
        }
        self.conversation = Conversation::of_steps(steps::due(turn.plan, &links, |_| true));
        self.updates_registered(turn);
        self.report_unannounced(&links, turn);
    }

    fn on_update(&mut self, message: &Inbound<'_>, woke: bool, turn: &mut Turn<'_>) {
        let Some(registration) = &mut self.registration else {
            return self.answer(message, &Reply::no_registration(), turn);
        };
        let checked = UpdateParams::parse(message.view.uri_query())
            .and_then(|params| registration.check(&params).map(|()| params));
        let params = match checked {
            Ok(params) => params,
            Err(error) => {
                let text = error.to_string();
                let reply = Reply::refusal(Code::from_u8(error.coap_code()), &text);
                return self.answer(message, &reply, turn);
            }
        };
        let links = if message.body.is_empty() {
            None
        } else {
            match turn.links.intern(message.body, registration.version) {
                Ok(links) => Some(links),
                Err(error) => {
                    let text = error.to_string();
                    return self.answer(message, &Reply::refusal(Code::BAD_REQUEST, &text), turn);
                }
            }
        };
        turn.out.changed |= registration.update(&params, turn.now.tick, turn.power);
        let before = links
            .as_ref()
            .map(|links| std::mem::replace(&mut registration.links, Arc::clone(links)));
        turn.out.changed |= before
            .as_ref()
            .is_some_and(|before| before.raw() != registration.links.raw());
        self.arrived(turn.now.tick, message, turn.out);
        self.answer(message, &Reply::code(Code::CHANGED), turn);
        turn.out.happened(|| Happening::Updated);
        turn.out
            .log_addressed(|| "Updated registration.".to_owned());
        if let Some(conversation) = &mut self.conversation {
            conversation.unpark();
        }
        if woke || before.is_some() {
            self.catch_up(woke, before.as_deref(), turn);
            self.updates_woken(turn);
        }
    }

    fn on_deregister(&mut self, message: &Inbound<'_>, turn: &mut Turn<'_>) {
        if self.registration.is_none() {
            return self.answer(message, &Reply::no_registration(), turn);
        }
        self.end_registration(turn.out);
        self.answer(message, &Reply::code(Code::DELETED), turn);
        turn.out.happened(|| Happening::Deregistered);
        turn.out
            .log(Severity::Info, || "info: Client unRegistration".to_owned());
    }

    fn on_revoked(&mut self, turn: &mut Turn<'_>) {
        if self.registration.is_none() {
            return;
        }
        self.end_registration(turn.out);
        turn.out.happened(|| Happening::Deregistered);
        turn.out.log(Severity::Info, || {
            "info: Client unRegistration: its credentials have changed".to_owned()
        });
    }

    fn on_timer(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.tick;
        let Some(registration) = &self.registration else {
            return;
        };
        if registration.expires <= now {
            self.end_registration(turn.out);
            turn.out.happened(|| Happening::Expired);
            turn.out.log(Severity::Info, || {
                "info: Client unRegistration: its lifetime is over".to_owned()
            });
            return;
        }
        self.fall_asleep(turn);
        self.on_exchange_timer(turn);
        self.expire_commands(turn);
        self.retry_when_due(now);
        self.updates_due(turn);
    }

    /// Notices that the device listens no more. Its deadline may be due and not have been run yet.
    fn fall_asleep(&mut self, turn: &mut Turn<'_>) {
        if self.reachable && self.asleep_from() <= turn.now.tick {
            self.reachable = false;
            turn.out
                .log(Severity::Info, || "info: Client is sleeping!".to_owned());
        }
    }

    /// The device proved to be at the sender's address.
    fn arrived(&mut self, now: Tick, message: &Inbound<'_>, out: &mut Outputs) {
        self.heard(now);
        out.adopt_sender |= !message.from_device;
    }

    fn heard(&mut self, now: Tick) {
        self.last_seen = now;
        self.reachable = true;
        self.paged = false;
    }

    /// Ends the registration and all that hangs on it: the device forgets its observations too.
    fn end_registration(&mut self, out: &mut Outputs) {
        self.end_commands(out);
        out.changed |= self.registration.is_some();
        self.registration = None;
        self.conversation = None;
        for (total, gone) in out
            .tally
            .observations
            .iter_mut()
            .zip(self.observations.counts())
        {
            *total -= gone;
        }
        self.observations = Observations::default();
    }

    /// Answers a request of the device.
    pub(super) fn answer(&mut self, message: &Inbound<'_>, reply: &Reply<'_>, turn: &mut Turn<'_>) {
        let block1 = message.view.block1().and_then(Result::ok);
        let reply = Reply {
            block1: reply.block1.or(block1),
            ..*reply
        };
        let mid = self.mids.next();
        let arena = &mut turn.out.arena;
        if let Some(bytes) = reply.write(&message.view, mid, arena) {
            turn.out.send(To::Sender, bytes);
        }
        turn.out.answered = Some(reply.code);
    }
}
