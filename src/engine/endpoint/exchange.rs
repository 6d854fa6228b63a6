//! The request in flight: sent, retransmitted, cut into blocks both ways, answered.

use std::sync::Arc;

use crate::proto::coap::block::{BodyReader, BodyWriter};
use crate::proto::coap::exchange::{Exchange, Matched, TransmissionParams};
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};
use crate::proto::lwm2m::operation::{AnswerError, Operation, RequestContext, RequestParts};
use crate::proto::time::{NEVER, Tick};

use super::commands::Command;
use super::conversation::{Job, Partial, Purpose, Task};
use super::core::{EndpointCore, Inbound, Turn};
use super::journal;
use super::outputs::{Completion, OperationKind, RequestEnd, RequestResult, To};
use super::request::{DeviceOutcome, RequestError};
use super::types::DeviceTypes;
use super::update::UpdateJob;
use super::update::target::Image;

/// Size exponent of the blocks asked for and sent: 1,024 bytes (RFC 7959 §2.2).
pub(super) const LARGEST_BLOCK: u8 = 6;

/// Bytes of a request besides its body, generously.
const OVERHEAD: usize = 96;

/// The body of a request.
#[derive(Debug)]
pub(super) enum Body {
    /// Made for it.
    Own(Vec<u8>),
    /// Shared by many.
    Image(Arc<Image>),
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Image(image) => image.bytes(),
        }
    }
}

/// Size exponent of the largest block that may be sent to a device in one message.
pub(super) fn block_size(allowance: usize) -> u8 {
    let fits = |szx: &u8| (16 << szx) + OVERHEAD <= allowance;
    (0..=LARGEST_BLOCK).rev().find(fits).unwrap_or_default()
}

/// The request in flight.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) exchange: Exchange,
    pub(super) request: Request,
}

/// One operation on its way, over as many exchanges as it has blocks.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) purpose: Purpose,
    pub(super) operation: Operation,
    pub(super) parts: RequestParts,
    pub(super) upload: BodyWriter<Body>,
    pub(super) download: Option<Box<BodyReader>>,
    /// Whether the device has said that it will notify.
    pub(super) observing: bool,
    pub(super) token: u16,
    started: Tick,
}

impl Request {
    /// The task it is for, when it is one of ours.
    pub(super) fn task(&self) -> Option<&Task> {
        match &self.purpose {
            Purpose::Task(task) => Some(task),
            Purpose::Command(_) => None,
        }
    }

    /// The question of an update it is.
    pub(super) fn update_job(&self) -> Option<UpdateJob> {
        match self.task()?.job {
            Job::Update(job) => Some(job),
            _ => None,
        }
    }

    /// The command it is for, when it is somebody's.
    pub(super) fn command(&self) -> Option<&Command> {
        match &self.purpose {
            Purpose::Task(_) => None,
            Purpose::Command(command) => Some(command),
        }
    }
}

impl Flight {
    /// When it wants a timer.
    pub(super) fn deadline(&self) -> Tick {
        let caller = match &self.request.purpose {
            Purpose::Task(_) => NEVER,
            Purpose::Command(command) => command.deadline,
        };
        self.exchange.deadline().min(caller)
    }

    /// Whether the message is the response. A notification that crossed the cancellation of its
    /// observation carries the same token, but it is none.
    pub(super) fn is_answered_by(&self, view: &MessageView<'_>) -> bool {
        match self.exchange.accepts(view) {
            Matched::No => false,
            Matched::Piggybacked => true,
            Matched::Separate => {
                let cancels = matches!(
                    self.request.operation,
                    Operation::CancelObservation { .. }
                        | Operation::CancelObservationComposite { .. }
                );
                !(cancels && view.observe().is_some())
            }
        }
    }
}

impl EndpointCore {
    /// Asks the device; `partial` is what is there of the answer already.
    pub(super) fn ask(
        &mut self,
        purpose: Purpose,
        operation: Operation,
        partial: Option<Partial>,
        turn: &mut Turn<'_>,
    ) {
        let content_format = match &purpose {
            Purpose::Task(_) => None,
            Purpose::Command(command) => command.content_format,
        };
        let (mut parts, upload) = match self.build(&operation, content_format, turn) {
            Ok(built) => built,
            Err(error) => {
                let command = || journal::of_operation(&operation);
                turn.out.log_refused(command, &error);
                return self.conclude(purpose, &operation, Err(error), turn);
            }
        };
        let download = partial.map(|partial| {
            parts.observe = None;
            parts.block2 = Some(partial.next);
            partial.reader
        });
        turn.out.log_request(&operation);
        self.launch(purpose, operation, parts, upload, download, turn);
    }

    /// Sends the first message of a request.
    pub(super) fn launch(
        &mut self,
        purpose: Purpose,
        operation: Operation,
        parts: RequestParts,
        upload: BodyWriter<Body>,
        download: Option<Box<BodyReader>>,
        turn: &mut Turn<'_>,
    ) {
        let token = match &purpose {
            Purpose::Task(Task {
                job: Job::Cancel { token, .. },
                ..
            }) => *token,
            _ => self.free_token(),
        };
        if let Purpose::Command(command) = &purpose {
            let ticket = command.ticket;
            turn.out.completions.push(Completion::Sent { ticket });
        }
        let request = Request {
            purpose,
            operation,
            parts,
            upload,
            download,
            observing: false,
            token,
            started: turn.now.tick,
        };
        self.transmit(request, turn);
    }

    /// The request of an operation for this device, and its body.
    pub(super) fn build(
        &self,
        operation: &Operation,
        content_format: Option<u16>,
        turn: &Turn<'_>,
    ) -> Result<(RequestParts, BodyWriter<Body>), RequestError> {
        let Some(registration) = &self.registration else {
            return Err(RequestError::NotRegistered);
        };
        let types = DeviceTypes::new(turn.plan, turn.models, &registration.links);
        let context = RequestContext {
            version: registration.version,
            content_format,
            types: Some(&types),
            ..RequestContext::registered(&registration.links)
        };
        let mut parts = operation.request(&context)?;
        let body = std::mem::take(&mut parts.body);
        let body = Body::Own(body);
        Ok((parts, BodyWriter::new(body, block_size(turn.allowance))?))
    }

    /// Sends the next message of a request: all of it, or a block.
    pub(super) fn transmit(&mut self, request: Request, turn: &mut Turn<'_>) {
        let mut message = Vec::with_capacity(64);
        let mut writer = MessageWriter::new(
            &mut message,
            MessageType::Confirmable,
            request.parts.code,
            self.mids.next(),
            &turn.keys.token(self.place, request.token),
        );
        request.parts.write_options(&mut writer);
        let block = request.upload.block();
        // While the answer is fetched, only a body that fits one message is said again.
        if request.download.is_none() || block.block1.is_none() {
            if let Some(block1) = block.block1 {
                writer.uint(option::BLOCK1, block1.encode());
            }
            if let Some(size1) = block.size1 {
                writer.uint(option::SIZE1, size1);
            }
            if !block.payload.is_empty() {
                writer.payload(block.payload);
            }
        }
        writer.finish();
        let start = turn.out.arena.len();
        turn.out.arena.extend_from_slice(&message);
        turn.out.send(To::Device, start..start + message.len());
        let transmission = self.transmission(turn);
        let exchange = Exchange::new(message.into(), turn.now.tick, &transmission, turn.rng);
        let conversation = self.conversation.get_or_insert_default();
        conversation.flights.launch(Flight { exchange, request });
    }

    /// A device that sleeps through its cycle is asked once, and the network pages it.
    fn transmission(&mut self, turn: &Turn<'_>) -> TransmissionParams {
        match self.page() {
            Some(cycle) => TransmissionParams {
                ack_timeout_ms: cycle.max(turn.transmission.ack_timeout_ms),
                ack_random_factor_permille: 1_000,
                max_retransmit: 0,
                max_ack_timeout_ms: cycle.max(turn.transmission.max_ack_timeout_ms),
                ..*turn.transmission
            },
            None => *turn.transmission,
        }
    }

    /// A token that no observation has, after 65,536 requests too.
    pub(super) fn free_token(&mut self) -> u16 {
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
        let conversation = self.conversation.as_mut();
        if let Some(request) = conversation.and_then(|c| c.flights.take_answered(view)) {
            turn.out.verified = true;
            acknowledge(view, turn);
            return self.on_answer(request, message, turn);
        }
        if view.kind() == MessageType::Acknowledgement {
            turn.out.tally.unmatched += 1;
            return;
        }
        let parts = turn.keys.token_parts(view.token());
        if let Some(sequence) = parts.map(|parts| parts.sequence)
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

    /// An empty acknowledgement of the request in flight: the response will come separately.
    pub(super) fn on_acknowledgement(&mut self, mid: u16, turn: &mut Turn<'_>) {
        if let Some(conversation) = &mut self.conversation {
            turn.out.verified |= conversation.flights.acknowledge(mid, turn.now.tick);
        }
    }

    /// A reset of the request in flight: the device could not make sense of it.
    pub(super) fn on_reset(&mut self, mid: u16, turn: &mut Turn<'_>) {
        let conversation = self.conversation.as_mut();
        if let Some(request) = conversation.and_then(|c| c.flights.take_reset(mid)) {
            turn.out.verified = true;
            self.end(request, Err(RequestError::Reset), turn);
        }
    }

    /// The time of requests on their way may be over.
    pub(super) fn on_exchange_timer(&mut self, turn: &mut Turn<'_>) {
        while let Some(conversation) = &mut self.conversation {
            let out = &mut *turn.out;
            let over = conversation.flights.on_timer(turn.now.tick, |message| {
                let start = out.arena.len();
                out.arena.extend_from_slice(message);
                out.send(To::Device, start..out.arena.len());
                out.tally.retransmissions += 1;
            });
            let Some(over) = over else { return };
            let acknowledged = over.acknowledged;
            if over.exhausted {
                self.reachable = acknowledged;
            }
            let error = RequestError::Unanswered { acknowledged };
            self.end(over.request, Err(error), turn);
            if !self.reachable
                && self.always_listens()
                && let Some(conversation) = &mut self.conversation
            {
                conversation.retry_later(turn.now.tick);
            }
        }
    }

    /// The request is over: it is counted, and whoever made it is told.
    pub(super) fn end(&mut self, request: Request, outcome: DeviceOutcome, turn: &mut Turn<'_>) {
        self.count_end(&request, &outcome, turn);
        let links = self
            .registration
            .as_ref()
            .map(|registration| &*registration.links);
        turn.out.log_end(&request.operation, &outcome, links);
        let Request {
            mut purpose,
            operation,
            parts,
            download,
            ..
        } = request;
        if let (Purpose::Task(task), Some(reader), Some(next)) =
            (&mut purpose, download, parts.block2)
        {
            task.partial = Some(Partial { reader, next });
        }
        self.conclude(purpose, &operation, outcome, turn);
    }

    /// Counts how a request ended.
    pub(super) fn count_end(
        &self,
        request: &Request,
        outcome: &DeviceOutcome,
        turn: &mut Turn<'_>,
    ) {
        let millis = turn.now.tick.millis_since(request.started);
        turn.out.tally.requests.push(RequestEnd {
            operation: OperationKind::of(&request.operation),
            result: result_of(outcome),
            millis: u32::try_from(millis).unwrap_or(u32::MAX),
        });
    }

    fn conclude(
        &mut self,
        purpose: Purpose,
        operation: &Operation,
        outcome: DeviceOutcome,
        turn: &mut Turn<'_>,
    ) {
        match purpose {
            Purpose::Command(command) => {
                let ticket = command.ticket;
                turn.out
                    .completions
                    .push(Completion::Done { ticket, outcome });
            }
            Purpose::Task(Task {
                job: Job::Update(job),
                ..
            }) => self.update_answered(job, outcome, turn),
            Purpose::Task(task) => {
                if let Err(error) = outcome {
                    self.task_failed(task, operation, error, turn);
                }
            }
        }
    }
}

fn result_of(outcome: &DeviceOutcome) -> RequestResult {
    match outcome {
        Ok(_) => RequestResult::Success,
        Err(RequestError::Answer(AnswerError::Refused { .. })) => RequestResult::Refused,
        Err(RequestError::Reset) => RequestResult::Reset,
        Err(RequestError::Unanswered { .. } | RequestError::NotSent { .. }) => {
            RequestResult::Timeout
        }
        Err(RequestError::Cancelled | RequestError::RegistrationEnded) => RequestResult::Abandoned,
        Err(_) => RequestResult::Unusable,
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
