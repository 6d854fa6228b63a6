//! One bootstrap session: Discover, Delete, Write, Finish, one request at a time (LwM2M Core
//! §6.1.7). What a device refuses ends the session, so that a configuration written in part is never
//! finished.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::proto::coap::block::{BodyReader, BodyWriter, Read, WriteError, Written};
use crate::proto::coap::exchange::{Exchange, Matched, TimerOutcome, TransmissionParams};
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, content_format, option};
use crate::proto::lwm2m::codec::{EncodeError, EncodeOptions, decode, encode};
use crate::proto::lwm2m::operation::{DiscoverAnswer, RequestParts};
use crate::proto::lwm2m::{Path, Record, ResourceType, ResourceTypes, Value};
use crate::proto::time::Tick;

use super::configuration::{Configuration, SERVER};
use super::instances::{Present, place};

/// Longest session, in ms: a device behind a slow link with several servers and certificates needs
/// less.
pub const SESSION_MILLIS: u64 = 300_000;

/// Size exponent of the blocks sent and asked for: 512 bytes, which fit a record of DTLS and one
/// packet of narrow networks.
const BLOCK: u8 = 5;

/// Longest answer to a Discover or a Read in bytes.
const MAX_ANSWER: usize = 16_384;

/// A session.
#[derive(Debug)]
pub struct Session {
    number: u32,
    format: u16,
    configuration: Arc<Configuration>,
    present: Option<Present>,
    steps: VecDeque<Step>,
    is_planned: bool,
    flight: Option<Flight>,
    next_mid: u16,
    ends_at: Tick,
}

/// One thing asked of the device.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// What it has.
    Discover,
    /// The Short Server ID of a Server instance.
    Read(Path),
    /// Something is to go.
    Delete(Path),
    /// An Object Instance.
    Write(Path, Vec<Record>),
    /// That was all.
    Finish,
}

/// The request on its way.
#[derive(Debug)]
struct Flight {
    exchange: Exchange,
    request: Request,
}

/// One step, over as many exchanges as it has blocks.
#[derive(Debug)]
struct Request {
    step: Step,
    parts: RequestParts,
    upload: BodyWriter<Vec<u8>>,
    download: Option<BodyReader>,
}

/// What a session is lent.
pub struct Turn<'a> {
    /// The time.
    pub now: Tick,
    /// Chance.
    pub rng: &'a mut fastrand::Rng,
    /// Times of retransmission.
    pub transmission: &'a TransmissionParams,
    /// Where messages are written.
    pub arena: &'a mut Vec<u8>,
    /// What comes of it.
    pub out: &'a mut Outputs,
}

/// What a session hands out.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Messages to the device, in the arena.
    pub messages: Vec<Range<usize>>,
    /// How many of them were sent before.
    pub retransmissions: u64,
    /// What is to be told, in words for people; `true` for what went wrong.
    pub notes: Vec<(bool, String)>,
    /// The session is over.
    pub end: Option<End>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The device has all of it and said so.
    Finished,
    /// The whole configuration went out in a pack.
    Packed,
    /// It takes no such configuration.
    FinishRefused,
    /// It refused a Delete or a Write.
    Refused,
    /// It did not answer.
    Unanswered,
    /// It answered what makes no sense, or could not make sense of a request.
    Unusable,
    /// It took too long.
    TimedOut,
    /// The device has begun another one.
    Superseded,
    /// The configuration cannot be written in the format that the device wants.
    Unwritable,
}

impl End {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 9] = [
        Self::Finished,
        Self::Packed,
        Self::FinishRefused,
        Self::Refused,
        Self::Unanswered,
        Self::Unusable,
        Self::TimedOut,
        Self::Superseded,
        Self::Unwritable,
    ];

    /// Stable name, as in the `result` label.
    #[must_use]
    pub const fn discriminant(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Packed => "packed",
            Self::FinishRefused => "finish_refused",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Unusable => "unusable",
            Self::TimedOut => "timed_out",
            Self::Superseded => "superseded",
            Self::Unwritable => "unwritable",
        }
    }

    /// Whether the device has its configuration.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Finished | Self::Packed)
    }
}

impl Session {
    /// A session that tells a device `configuration` in `format`, and its first request. Its tokens
    /// begin with `number`.
    #[must_use]
    pub fn begin(
        number: u32,
        format: u16,
        configuration: Arc<Configuration>,
        turn: &mut Turn<'_>,
    ) -> Self {
        let mut session = Self {
            number,
            format,
            configuration,
            present: None,
            steps: VecDeque::from([Step::Discover]),
            is_planned: false,
            flight: None,
            next_mid: turn.rng.u16(..),
            ends_at: turn.now.plus_millis(SESSION_MILLIS),
        };
        session.go_on(turn);
        session
    }

    /// When it wants [`on_timer`](Self::on_timer).
    #[must_use]
    pub fn deadline(&self) -> Tick {
        let flight = self
            .flight
            .as_ref()
            .map(|flight| flight.exchange.deadline());
        flight.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    /// Message id of the request in flight.
    #[must_use]
    pub fn awaited_mid(&self) -> Option<u16> {
        Some(self.flight.as_ref()?.exchange.mid())
    }

    /// What is asked of the device now, in words.
    #[must_use]
    pub fn step(&self) -> String {
        let flight = self.flight.as_ref();
        flight.map_or_else(String::new, |flight| name(&flight.request.step))
    }

    /// The time of the request in flight or of the session may be over.
    pub fn on_timer(&mut self, turn: &mut Turn<'_>) {
        if turn.now >= self.ends_at {
            return self.fail(End::TimedOut, "it took longer than 5 minutes", turn);
        }
        let Some(flight) = &mut self.flight else {
            return;
        };
        match flight.exchange.on_timer(turn.now) {
            TimerOutcome::Wait => {}
            TimerOutcome::Retransmit => {
                let start = turn.arena.len();
                turn.arena.extend_from_slice(flight.exchange.message());
                turn.out.messages.push(start..turn.arena.len());
                turn.out.retransmissions += 1;
            }
            TimerOutcome::TimedOut { .. } => {
                self.unanswered(End::Unanswered, "the device does not answer", turn);
            }
        }
    }

    /// An empty acknowledgement: the answer comes later. `false` when it is for no request of this.
    pub fn on_acknowledgement(&mut self, mid: u16, now: Tick) -> bool {
        let flight = self.flight.as_mut();
        flight.is_some_and(|flight| flight.exchange.on_ack(mid, now))
    }

    /// A reset. `false` when it is for no request of this.
    pub fn on_reset(&mut self, mid: u16, turn: &mut Turn<'_>) -> bool {
        let flight = self.flight.as_ref();
        let ours = flight.is_some_and(|flight| flight.exchange.on_reset(mid));
        if ours {
            let cause = "the device reset the exchange";
            self.unanswered(End::Unusable, cause, turn);
        }
        ours
    }

    /// A response. `false` when it is to no request in flight.
    pub fn on_response(&mut self, view: &MessageView<'_>, turn: &mut Turn<'_>) -> bool {
        let accepted = |flight: &mut Flight| flight.exchange.accepts(view) != Matched::No;
        let Some(flight) = self.flight.take_if(accepted) else {
            return false;
        };
        if view.kind() == MessageType::Confirmable {
            let ack = MessageWriter::empty(turn.arena, MessageType::Acknowledgement, view.mid());
            turn.out.messages.push(ack);
        }
        self.on_answer(flight.request, view, turn);
        true
    }

    /// The device has begun anew.
    pub fn supersede(&mut self, turn: &mut Turn<'_>) {
        self.fail(
            End::Superseded,
            "the device has begun another session",
            turn,
        );
    }

    fn on_answer(&mut self, mut request: Request, view: &MessageView<'_>, turn: &mut Turn<'_>) {
        if request.download.is_none() {
            match request.upload.on_response(view) {
                Ok(Written::Next) => return self.transmit(request, turn),
                Ok(Written::Done) => {}
                Err(error) => return self.unusable(&request.step, &error.to_string(), turn),
            }
        }
        let code = view.code();
        if !code.is_success() {
            return self.refused(&request.step, code, turn);
        }
        let asked = matches!(request.step, Step::Discover | Step::Read(_));
        if !asked {
            return self.done(&request.step, code, &[], None, turn);
        }
        let reader = request
            .download
            .get_or_insert_with(|| BodyReader::new(BLOCK, MAX_ANSWER));
        match reader.feed(view) {
            Ok(Read::Ask(next)) => {
                request.parts.block2 = Some(next);
                self.transmit(request, turn);
            }
            Ok(Read::Complete(body)) => {
                let format = reader.content_format();
                self.done(&request.step, code, &body, format, turn);
            }
            Err(error) => self.unusable(&request.step, &error.to_string(), turn),
        }
    }

    /// The device did what it was asked.
    fn done(
        &mut self,
        step: &Step,
        code: Code,
        body: &[u8],
        format: Option<u16>,
        turn: &mut Turn<'_>,
    ) {
        match step {
            Step::Discover => {
                note_success(step, code, turn);
                self.discovered(body, turn);
            }
            Step::Read(path) => {
                note_success(step, code, turn);
                let instance = path.instance_id().unwrap_or_default();
                let id = short_id(path, format, body);
                if let (Some(present), Some(id)) = (&mut self.present, id) {
                    present.name(instance, id);
                }
            }
            Step::Delete(_) | Step::Write(..) => note_success(step, code, turn),
            Step::Finish => {
                let text = "receives success response for bootstrap finish.";
                turn.out.notes.push((false, text.to_owned()));
                turn.out
                    .notes
                    .push((false, "Bootstrap session finished.".to_owned()));
                turn.out.end = Some(End::Finished);
                return;
            }
        }
        self.go_on(turn);
    }

    fn discovered(&mut self, body: &[u8], turn: &mut Turn<'_>) {
        match DiscoverAnswer::parse(body, &Path::ROOT, None) {
            Ok(answer) => {
                let present = Present::of(&answer);
                let unnamed = present.unnamed();
                let reads = unnamed.map(|instance| Step::Read(Path::instance(SERVER, instance)));
                self.steps.extend(reads);
                self.present = Some(present);
            }
            Err(error) => {
                let text = format!("BootstrapDiscoverRequest / has an unusable answer: {error}");
                turn.out.notes.push((false, text));
            }
        }
    }

    /// A device that cannot tell what it has, or does not know a thing that is to go, is no reason to
    /// stop.
    fn refused(&mut self, step: &Step, code: Code, turn: &mut Turn<'_>) {
        if *step == Step::Finish {
            let text =
                format!("error response for request bootstrap finish. Stop the session: {code}");
            turn.out.notes.push((true, text));
            return self.fail(
                End::FinishRefused,
                "the device refuses the configuration",
                turn,
            );
        }
        let text = format!("{} receives error response {code} ", name(step));
        turn.out.notes.push((false, text));
        match step {
            Step::Delete(_) if code == Code::NOT_FOUND => self.go_on(turn),
            Step::Discover | Step::Read(_) => self.go_on(turn),
            _ => {
                let cause = format!("{} was answered {code}", name(step));
                self.fail(End::Refused, &cause, turn);
            }
        }
    }

    /// An answer that is none.
    fn unusable(&mut self, step: &Step, error: &str, turn: &mut Turn<'_>) {
        let text = format!("{} failed because of {error}", name(step));
        turn.out.notes.push((true, text));
        if matches!(step, Step::Discover | Step::Read(_)) {
            return self.go_on(turn);
        }
        self.fail(End::Unusable, error, turn);
    }

    fn unanswered(&mut self, end: End, cause: &str, turn: &mut Turn<'_>) {
        if let Some(flight) = self.flight.take() {
            let step = name(&flight.request.step);
            let text = format!("{step} failed because of {cause}");
            turn.out.notes.push((true, text));
        }
        self.fail(end, cause, turn);
    }

    fn fail(&mut self, end: End, cause: &str, turn: &mut Turn<'_>) {
        self.flight = None;
        self.steps.clear();
        let text = format!("Bootstrap session failed because of {cause}");
        turn.out.notes.push((true, text));
        turn.out.end = Some(end);
    }

    /// Decides on everything from here to Finish.
    fn plan(&mut self) {
        self.is_planned = true;
        let configuration = &self.configuration;
        let placement = place(configuration, self.present.as_ref());
        let version = self.present.as_ref().and_then(|present| present.version);
        self.steps
            .extend(placement.deletes.into_iter().map(Step::Delete));
        if let Some(account) = &configuration.bootstrap {
            let records = account.records(placement.bootstrap, None);
            self.steps.push_back(write(records));
        }
        for (server, (security, instance)) in configuration.servers.iter().zip(placement.servers) {
            let account = server.account.records(security, Some(server.short_id));
            self.steps.push_back(write(account));
            self.steps
                .push_back(write(server.records(instance, version)));
        }
        for object in &configuration.objects {
            self.steps
                .push_back(Step::Write(object.path, object.records.clone()));
        }
        self.steps.push_back(Step::Finish);
    }

    /// Takes the next step.
    fn go_on(&mut self, turn: &mut Turn<'_>) {
        if self.steps.is_empty() && !self.is_planned {
            self.plan();
        }
        let Some(step) = self.steps.pop_front() else {
            return;
        };
        match self.request(&step) {
            Ok((parts, upload)) => {
                let request = Request {
                    step,
                    parts,
                    upload,
                    download: None,
                };
                self.transmit(request, turn);
            }
            Err(error) => {
                let cause = format!("{} cannot be written: {error}", name(&step));
                self.fail(End::Unwritable, &cause, turn);
            }
        }
    }

    /// The request of a step, and its body.
    fn request(&self, step: &Step) -> Result<(RequestParts, BodyWriter<Vec<u8>>), BuildError> {
        let (code, path) = match step {
            Step::Discover => (Code::GET, Path::ROOT),
            Step::Read(path) => (Code::GET, *path),
            Step::Delete(path) => (Code::DELETE, *path),
            Step::Write(path, _) => (Code::PUT, *path),
            Step::Finish => (Code::POST, Path::ROOT),
        };
        let ids = path.segments().iter().map(|id| id.to_string().into());
        let mut parts = RequestParts {
            code,
            uri_path: ids.collect(),
            queries: Vec::new(),
            observe: None,
            content_format: None,
            accept: None,
            block2: None,
            body: Vec::new(),
        };
        let mut body = Vec::new();
        match step {
            Step::Discover => parts.accept = Some(content_format::LINK_FORMAT),
            Step::Read(_) => parts.accept = Some(self.format),
            Step::Delete(_) => {}
            Step::Write(path, records) => {
                parts.content_format = Some(self.format);
                encode(
                    self.format,
                    path,
                    records,
                    EncodeOptions::DEFAULT,
                    &mut body,
                )?;
            }
            Step::Finish => parts.uri_path.push("bs".into()),
        }
        Ok((parts, BodyWriter::new(body, BLOCK)?))
    }

    /// Sends the next message of a request: all of it, or a block.
    fn transmit(&mut self, request: Request, turn: &mut Turn<'_>) {
        let mut token = [0; 8];
        token[..4].copy_from_slice(&self.number.to_be_bytes());
        token[4..].copy_from_slice(&turn.rng.u32(..).to_be_bytes());
        self.next_mid = self.next_mid.wrapping_add(1);
        let mut message = Vec::with_capacity(64);
        let kind = MessageType::Confirmable;
        let mut writer = MessageWriter::new(
            &mut message,
            kind,
            request.parts.code,
            self.next_mid,
            &token,
        );
        request.parts.write_options(&mut writer);
        let block = request.upload.block();
        if let Some(block1) = block.block1 {
            writer.uint(option::BLOCK1, block1.encode());
        }
        if let Some(size1) = block.size1 {
            writer.uint(option::SIZE1, size1);
        }
        if !block.payload.is_empty() {
            writer.payload(block.payload);
        }
        writer.finish();
        let start = turn.arena.len();
        turn.arena.extend_from_slice(&message);
        turn.out.messages.push(start..turn.arena.len());
        let exchange = Exchange::new(message.into(), turn.now, turn.transmission, turn.rng);
        self.flight = Some(Flight { exchange, request });
    }
}

/// Why a request cannot be made.
#[derive(Debug, thiserror::Error)]
enum BuildError {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Blocks(#[from] WriteError),
}

fn write(records: Vec<Record>) -> Step {
    let path = records.first().and_then(|record| record.path.parent());
    Step::Write(path.unwrap_or(Path::ROOT), records)
}

/// A step in ThingsBoard's words.
fn name(step: &Step) -> String {
    match step {
        Step::Discover => "BootstrapDiscoverRequest /".to_owned(),
        Step::Read(path) => format!("BootstrapReadRequest {path}"),
        Step::Delete(path) => format!("BootstrapDeleteRequest {path}"),
        Step::Write(path, _) => format!("BootstrapWriteRequest {path}"),
        Step::Finish => "BootstrapFinishRequest".to_owned(),
    }
}

fn note_success(step: &Step, code: Code, turn: &mut Turn<'_>) {
    let words = name(step);
    let (request, path) = words.split_once(' ').unwrap_or((&words, ""));
    let text = format!("receives success response for:  {request}  {path} {code}");
    turn.out.notes.push((false, text));
}

/// The Short Server ID in what was read of a Server instance.
fn short_id(instance: &Path, format: Option<u16>, body: &[u8]) -> Option<u16> {
    let mut found = None;
    let mut take = |record: Record| {
        if record.path.resource_id() == Some(0) {
            found = match record.value {
                Some(Value::Integer(id)) => id.try_into().ok(),
                Some(Value::Unsigned(id)) => id.try_into().ok(),
                _ => found,
            };
        }
    };
    // What cannot be read tells nothing.
    let _ = decode(format?, instance, body, &ServerTypes, 0, &mut take);
    found.filter(|id| *id != 0 && *id != u16::MAX)
}

/// What is looked at of a Server instance.
struct ServerTypes;

impl ResourceTypes for ServerTypes {
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        (object == SERVER && resource == 0).then_some((ResourceType::Integer, false))
    }
}
