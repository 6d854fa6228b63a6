//! Requests to the device: one at a time (NSTART 1), in order, until nothing is left to ask.

use std::borrow::Cow;
use std::collections::VecDeque;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::proto::coap::block::{BlockValue, BodyReader, Read, ReadError};
use crate::proto::coap::exchange::{Exchange, Matched, TimerOutcome};
use crate::proto::coap::observe::Freshness;
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};
use crate::proto::lwm2m::Path;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::time::{NEVER, Tick};

use super::core::{EndpointCore, Inbound, Turn};
use super::observations::Observation;
use super::outputs::{DropReason, Operation, RequestResult, To};
use super::plan::{ProfilePlan, Step};

/// Timeouts after which a request gives way to others until the device updates: a device that never
/// answers one request must not be kept from answering the rest.
const MAX_ATTEMPTS: u8 = 3;

/// Size exponent of the blocks asked for: 1,024 bytes (RFC 7959 §2.2).
const LARGEST_BLOCK: u8 = 6;

/// What is being asked and what is left to ask.
#[derive(Debug, Default)]
pub struct Conversation {
    flight: Option<Flight>,
    todo: VecDeque<Task>,
    /// Steps that were not answered in [`MAX_ATTEMPTS`]: each Update gives them one more.
    parked: Vec<Step>,
}

/// One request to make.
#[derive(Debug)]
struct Task {
    ask: Ask,
    attempts: u8,
}

#[derive(Debug)]
enum Ask {
    /// A step of the profile.
    Step(Step),
    /// The rest of a representation of which a notification carried the first block
    /// (RFC 7959 §2.4).
    Remainder { path: Path, partial: Partial },
}

/// A body of which the first blocks are there.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) reader: Box<BodyReader>,
    pub(super) next: BlockValue,
}

/// The request in flight.
#[derive(Debug)]
struct Flight {
    exchange: Exchange,
    task: Task,
    token: u16,
    started: Tick,
    partial: Option<Partial>,
}

impl Conversation {
    /// A conversation about the steps of a profile that concern announced paths and that `wanted`
    /// selects; `None` when there is none.
    pub fn of_steps(
        plan: &ProfilePlan,
        links: &ObjectLinks,
        wanted: impl Fn(&Step) -> bool,
    ) -> Option<Box<Self>> {
        let due = |step: &&Step| links.announces(&step.path()) && wanted(step);
        let todo: VecDeque<_> = plan
            .steps()
            .iter()
            .filter(due)
            .map(|step| Task {
                ask: Ask::Step(*step),
                attempts: 0,
            })
            .collect();
        (!todo.is_empty()).then(|| {
            Box::new(Self {
                todo,
                ..Self::default()
            })
        })
    }

    /// Takes over the steps of another conversation that are not waiting already.
    pub fn join(&mut self, other: Self) {
        for task in other.todo {
            let waiting = |known: &Task| {
                matches!((&known.ask, &task.ask),
                (Ask::Step(known), Ask::Step(new)) if known == new)
            };
            let in_flight = self
                .flight
                .as_ref()
                .is_some_and(|flight| waiting(&flight.task));
            if !in_flight && !self.todo.iter().any(waiting) {
                self.todo.push_back(task);
            }
        }
    }

    /// Gives parked steps another attempt, after all others.
    pub fn unpark(&mut self) {
        let attempts = MAX_ATTEMPTS - 1;
        self.todo.extend(self.parked.drain(..).map(|step| Task {
            ask: Ask::Step(step),
            attempts,
        }));
    }

    /// Whether there is nothing to do before the device updates.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.flight.is_none() && self.todo.is_empty()
    }

    /// Fetches the rest of a body next. A newer one of the same path makes an older one worthless.
    pub(super) fn fetch(&mut self, path: Path, partial: Partial) {
        self.todo.retain(
            |task| !matches!(&task.ask, Ask::Remainder { path: waiting, .. } if *waiting == path),
        );
        let ask = Ask::Remainder { path, partial };
        self.todo.push_front(Task { ask, attempts: 0 });
    }

    /// When the request in flight wants a timer.
    #[must_use]
    pub fn deadline(&self) -> Tick {
        self.flight
            .as_ref()
            .map_or(NEVER, |flight| flight.exchange.deadline())
    }

    /// Message id of the request in flight.
    #[must_use]
    pub fn awaited_mid(&self) -> Option<u16> {
        self.flight.as_ref().map(|flight| flight.exchange.mid())
    }

    /// Requests in flight and waiting.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.todo.len() + usize::from(self.flight.is_some()) + self.parked.len()
    }

    /// Paths that are to be observed.
    pub fn pending_observations(&self) -> impl Iterator<Item = Path> {
        let in_flight = self.flight.iter().map(|flight| &flight.task);
        let steps = in_flight.chain(&self.todo).filter_map(|task| task.step());
        steps
            .chain(self.parked.iter().copied())
            .filter_map(|step| match step {
                Step::Observe(path) => Some(path),
                Step::Read(_) => None,
            })
    }
}

impl Task {
    fn step(&self) -> Option<Step> {
        match self.ask {
            Ask::Step(step) => Some(step),
            Ask::Remainder { .. } => None,
        }
    }
}

impl Ask {
    fn path(&self) -> Path {
        match self {
            Self::Step(step) => step.path(),
            Self::Remainder { path, .. } => *path,
        }
    }

    fn operation(&self) -> Operation {
        match self {
            Self::Step(Step::Observe(_)) => Operation::Observe,
            Self::Step(Step::Read(_)) | Self::Remainder { .. } => Operation::Read,
        }
    }
}

impl EndpointCore {
    /// Starts the next request, if the device can be reached and none is in flight.
    pub(super) fn proceed(&mut self, turn: &mut Turn<'_>) {
        let Some(conversation) = &mut self.conversation else {
            return;
        };
        if !self.reachable || conversation.flight.is_some() {
            return;
        }
        match conversation.todo.pop_front() {
            Some(Task {
                ask: Ask::Remainder { path, partial },
                attempts,
            }) => {
                let task = Task {
                    ask: Ask::Step(Step::Read(path)),
                    attempts,
                };
                self.ask(task, Some(partial), turn);
            }
            Some(task) => self.ask(task, None, turn),
            None if conversation.parked.is_empty() => self.conversation = None,
            None => {}
        }
    }

    /// Sends the request of a task; `partial` is what is there of its answer already.
    fn ask(&mut self, task: Task, partial: Option<Partial>, turn: &mut Turn<'_>) {
        let token = self.free_token();
        let Some(registration) = &self.registration else {
            return;
        };
        let mut message = Vec::with_capacity(48);
        let mut writer = MessageWriter::new(
            &mut message,
            MessageType::Confirmable,
            Code::GET,
            self.mids.next(),
            &turn.keys.token(self.place, token),
        );
        if matches!(task.ask, Ask::Step(Step::Observe(_))) && partial.is_none() {
            writer.uint(option::OBSERVE, 0);
        }
        let root = registration.links.alternate_path().unwrap_or("/");
        for segment in root.split('/').filter(|segment| !segment.is_empty()) {
            writer.option(option::URI_PATH, &percent_decoded(segment));
        }
        for segment in task.ask.path().segments() {
            writer.option(option::URI_PATH, decimal(*segment, &mut [0; 5]));
        }
        if let Some(partial) = &partial {
            writer.uint(option::BLOCK2, partial.next.encode());
        }
        writer.finish();
        let start = turn.out.arena.len();
        turn.out.arena.extend_from_slice(&message);
        turn.out.send(To::Device, start..start + message.len());
        let exchange = Exchange::new(message.into(), turn.now.tick, turn.transmission, turn.rng);
        let flight = Flight {
            exchange,
            task,
            token,
            started: turn.now.tick,
            partial,
        };
        if let Some(conversation) = &mut self.conversation {
            conversation.flight = Some(flight);
        }
    }

    /// A token that no observation has, after 65,536 requests too.
    fn free_token(&mut self) -> u16 {
        let from = self.next_token;
        let mut tokens = (0..=u16::MAX).map(|n| from.wrapping_add(n));
        let free = tokens.find(|token| self.observations.by_token(*token).is_none());
        let token = free.unwrap_or(from);
        self.next_token = token.wrapping_add(1);
        token
    }

    /// A response or a notification of the device.
    pub(super) fn on_response(&mut self, message: &Inbound<'_>, turn: &mut Turn<'_>) {
        let view = &message.view;
        let flight = self.conversation.as_mut().and_then(|conversation| {
            let matches = |flight: &mut Flight| flight.exchange.accepts(view) != Matched::No;
            conversation.flight.take_if(matches)
        });
        if let Some(flight) = flight {
            turn.out.verified = true;
            acknowledge(view, turn);
            return self.on_answer(flight, message, turn);
        }
        if view.kind() == MessageType::Acknowledgement {
            turn.out.tally.unmatched += 1;
            return;
        }
        let sequence = turn
            .keys
            .token_parts(view.token())
            .map(|parts| parts.sequence);
        if let Some(sequence) = sequence
            && self.observations.by_token(sequence).is_some()
        {
            acknowledge(view, turn);
            return self.on_notification(sequence, message, turn);
        }
        turn.out.tally.unmatched += 1;
        // Nobody waits for it: a reset also ends an observation that only the device remembers.
        let reset = MessageWriter::empty(&mut turn.out.arena, MessageType::Reset, view.mid());
        turn.out.send(To::Sender, reset);
    }

    fn on_answer(&mut self, mut flight: Flight, message: &Inbound<'_>, turn: &mut Turn<'_>) {
        let view = &message.view;
        if !view.code().is_success() {
            self.on_refusal(&flight, view, turn);
            return self.ended(&flight, RequestResult::Refused, turn);
        }
        if matches!(flight.task.ask, Ask::Step(Step::Observe(_))) && flight.partial.is_none() {
            self.observed(&flight, view, turn);
        }
        let path = flight.task.ask.path();
        let mut reader = match flight.partial.take() {
            Some(partial) => partial.reader,
            None if has_more(view) => new_reader(turn),
            None => {
                self.take_payload(&path, view.content_format(), message.body, turn);
                return self.ended(&flight, RequestResult::Success, turn);
            }
        };
        match reader.feed(view) {
            Ok(Read::Ask(next)) => self.continue_body(flight, Partial { reader, next }, turn),
            Ok(Read::Complete(body)) => {
                self.take_payload(&path, reader.content_format(), &body, turn);
                self.ended(&flight, RequestResult::Success, turn);
            }
            Err(error) => {
                self.discard_body(path, &error, turn);
                self.ended(&flight, RequestResult::Refused, turn);
            }
        }
    }

    /// Asks for the next block with a request of its own: its deadline is per block, not per body.
    fn continue_body(&mut self, flight: Flight, partial: Partial, turn: &mut Turn<'_>) {
        let task = Task {
            attempts: 0,
            ..flight.task
        };
        self.ask(task, Some(partial), turn);
        if let Some(next) = self.conversation.as_mut().and_then(|c| c.flight.as_mut()) {
            next.started = flight.started;
        }
    }

    pub(super) fn discard_body(&mut self, path: Path, error: &ReadError, turn: &mut Turn<'_>) {
        let reason = error.discriminant();
        turn.out.tally.dropped[DropReason::Undecodable as usize] += 1;
        self.problems.note(
            turn.now.wall,
            reason,
            Some(path),
            error.to_string(),
            turn.out,
        );
    }

    /// The device answered an Observe: with an Observe option it will notify, without it will not.
    fn observed(&mut self, flight: &Flight, view: &MessageView<'_>, turn: &mut Turn<'_>) {
        let path = flight.task.ask.path();
        let Some(sequence) = view.observe() else {
            let detail = "the device answered the value, but does not observe it";
            self.problems.note(
                turn.now.wall,
                "observe_refused",
                Some(path),
                detail,
                turn.out,
            );
            return;
        };
        let mut freshness = Freshness::default();
        freshness.accept(sequence, turn.now.tick);
        let observation = Observation {
            path,
            token: flight.token,
            notifications: 0,
            freshness,
        };
        turn.out.tally.observations += i64::from(self.observations.insert(observation));
    }

    fn on_refusal(&mut self, flight: &Flight, view: &MessageView<'_>, turn: &mut Turn<'_>) {
        let ask = &flight.task.ask;
        let code = view.code();
        let detail = format!("{} answered {code} {}", ask.operation().name(), code.name());
        let path = Some(ask.path());
        self.problems
            .note(turn.now.wall, "request_refused", path, detail, turn.out);
    }

    /// An empty acknowledgement of the request in flight: the response will come separately.
    pub(super) fn on_acknowledgement(&mut self, mid: u16, turn: &mut Turn<'_>) {
        let flight = self.conversation.as_mut().and_then(|c| c.flight.as_mut());
        if let Some(flight) = flight
            && flight.exchange.on_ack(mid, turn.now.tick)
        {
            turn.out.verified = true;
        }
    }

    /// A reset of the request in flight: the device could not make sense of it.
    pub(super) fn on_reset(&mut self, mid: u16, turn: &mut Turn<'_>) {
        let flight = self.conversation.as_mut().and_then(|conversation| {
            conversation
                .flight
                .take_if(|flight| flight.exchange.on_reset(mid))
        });
        let Some(flight) = flight else { return };
        turn.out.verified = true;
        let path = Some(flight.task.ask.path());
        let detail = "the device answered the request with a Reset";
        self.problems
            .note(turn.now.wall, "request_reset", path, detail, turn.out);
        self.ended(&flight, RequestResult::Reset, turn);
    }

    pub(super) fn on_exchange_timer(&mut self, turn: &mut Turn<'_>) {
        let Some(conversation) = &mut self.conversation else {
            return;
        };
        let Some(flight) = &mut conversation.flight else {
            return;
        };
        match flight.exchange.on_timer(turn.now.tick) {
            TimerOutcome::Wait => {}
            TimerOutcome::Retransmit => {
                let start = turn.out.arena.len();
                turn.out.arena.extend_from_slice(flight.exchange.message());
                turn.out.send(To::Device, start..turn.out.arena.len());
                turn.out.tally.retransmissions += 1;
            }
            TimerOutcome::TimedOut { acknowledged } => {
                if let Some(flight) = conversation.flight.take() {
                    self.on_timeout(flight, acknowledged, turn);
                }
            }
        }
    }

    /// No answer in time: it is asked again a few times, at once when the device acknowledged and else
    /// after its next message; then it waits for the device's next Update.
    fn on_timeout(&mut self, flight: Flight, acknowledged: bool, turn: &mut Turn<'_>) {
        self.ended(&flight, RequestResult::Timeout, turn);
        self.reachable = acknowledged;
        let Flight { task, partial, .. } = flight;
        let path = task.ask.path();
        let attempts = task.attempts + 1;
        let what = if acknowledged {
            "acknowledged, but not answered"
        } else {
            "not answered"
        };
        let next = match (attempts < MAX_ATTEMPTS, acknowledged) {
            (true, true) => "tried again",
            (true, false) => "tried again when the device speaks",
            (false, _) => "tried again when the device updates",
        };
        let detail = format!("{} {what} in time; {next}", task.ask.operation().name());
        self.problems.note(
            turn.now.wall,
            "request_timeout",
            Some(path),
            detail,
            turn.out,
        );
        let Some(conversation) = &mut self.conversation else {
            return;
        };
        if attempts < MAX_ATTEMPTS {
            // A body is fetched from where it stopped, an Observe is made anew.
            let ask = match (partial, task.ask) {
                (Some(partial), Ask::Step(Step::Read(_))) => Ask::Remainder { path, partial },
                (_, ask) => ask,
            };
            conversation.todo.push_front(Task { ask, attempts });
        } else if let Ask::Step(step) = task.ask
            && turn.plan.steps().contains(&step)
        {
            conversation.parked.push(step);
        }
    }

    fn ended(&self, flight: &Flight, result: RequestResult, turn: &mut Turn<'_>) {
        let operation = flight.task.ask.operation();
        let millis = turn.now.tick.millis_since(flight.started);
        let tally = &mut turn.out.tally;
        tally.requests[operation as usize][result as usize] += 1;
        tally
            .durations
            .push((operation, u32::try_from(millis).unwrap_or(u32::MAX)));
    }
}

/// Acknowledges a confirmable response or notification (RFC 7252 §4.2).
fn acknowledge(view: &MessageView<'_>, turn: &mut Turn<'_>) {
    if view.kind() == MessageType::Confirmable {
        let ack = MessageWriter::empty(
            &mut turn.out.arena,
            MessageType::Acknowledgement,
            view.mid(),
        );
        turn.out.send(To::Sender, ack);
    }
    turn.out.answered = Some(Code::EMPTY);
}

/// A reader that takes the largest blocks a device offers.
pub(super) fn new_reader(turn: &Turn<'_>) -> Box<BodyReader> {
    Box::new(BodyReader::new(LARGEST_BLOCK, turn.max_body))
}

pub(super) fn has_more(view: &MessageView<'_>) -> bool {
    view.block2()
        .is_some_and(|block| block.is_ok_and(|block| block.more()))
}

/// A segment of a link as a Uri-Path option carries it (RFC 7252 §6.4). What is no percent-encoding
/// stands for itself.
fn percent_decoded(segment: &str) -> Cow<'_, [u8]> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment.as_bytes());
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, behind @ ..] = rest {
        let pair = behind.get(..2).filter(|_| *first == b'%');
        match pair.and_then(|pair| HEXLOWER_PERMISSIVE.decode(pair).ok()) {
            Some(byte) => {
                decoded.extend(byte);
                rest = &behind[2..];
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    Cow::Owned(decoded)
}

fn decimal(number: u16, digits: &mut [u8; 5]) -> &[u8] {
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &digits[at..];
        }
    }
}
