//! What a device answered: put together from its blocks, read, and its values taken.

use std::sync::Arc;

use crate::proto::coap::MessageView;
use crate::proto::coap::block::{BodyReader, Read, Written};
use crate::proto::coap::observe::Freshness;
use crate::proto::lwm2m::Record;
use crate::proto::lwm2m::operation::{Answer, AnswerError, DiscoverAnswer, Operation, WriteMode};

use super::conversation::{Job, Purpose, Task};
use super::core::{EndpointCore, Inbound, Turn};
use super::exchange::{LARGEST_BLOCK, Request};
use super::observations::Observed;
use super::request::{DeviceAnswer, DeviceOutcome, RequestError};
use super::telemetry::Intake;
use super::types::DeviceTypes;
use super::update::state::Step;

impl EndpointCore {
    /// A response to the request in flight.
    pub(super) fn on_answer(
        &mut self,
        mut request: Request,
        message: &Inbound<'_>,
        turn: &mut Turn<'_>,
    ) {
        let view = &message.view;
        if request.download.is_none() {
            match request.upload.on_response(view) {
                Ok(Written::Next) => {
                    return match request.update_job() {
                        Some(job) if job.step == Step::Push => {
                            self.block_taken(job, &request.upload, turn);
                        }
                        _ => self.go_on(request, turn),
                    };
                }
                Ok(Written::Done) => {}
                Err(error) => return self.end(request, Err(error.into()), turn),
            }
            if view.code().is_success() {
                self.observed(&mut request, view, turn);
            }
        }
        if !view.code().is_success() || (request.download.is_none() && !has_more(view)) {
            let format = view.content_format();
            return self.answered(request, view, format, message.body, turn);
        }
        let mut reader = request.download.take().unwrap_or_else(|| new_reader(turn));
        match reader.feed(view) {
            Ok(Read::Ask(next)) => {
                request.parts.observe = None;
                request.parts.block2 = Some(next);
                request.download = Some(reader);
                self.go_on(request, turn);
            }
            Ok(Read::Complete(body)) => {
                let format = reader.content_format();
                self.answered(request, view, format, &body, turn);
            }
            Err(error) => self.end(request, Err(error.into()), turn),
        }
    }

    /// Goes on with the next block: its time begins anew, for the caller too.
    fn go_on(&mut self, mut request: Request, turn: &mut Turn<'_>) {
        let cancels = matches!(
            &request.purpose,
            Purpose::Task(Task {
                job: Job::Cancel { .. },
                ..
            })
        );
        // The device knows the observation by its token.
        if !cancels || request.download.is_some() {
            request.token = self.free_token();
        }
        match &mut request.purpose {
            Purpose::Task(task) => task.attempts = 0,
            Purpose::Command(command) => command.begin_wait(turn.now.tick),
        }
        let conversation = self.conversation.get_or_insert_default();
        if conversation.flights.is_outstanding() {
            conversation.flights.resume(request);
        } else {
            self.transmit(request, turn);
        }
    }

    /// The device answered an Observe: with an Observe option it will notify, without it will not.
    fn observed(&mut self, request: &mut Request, view: &MessageView<'_>, turn: &mut Turn<'_>) {
        let observed = match &request.operation {
            Operation::Observe { path, .. } => Observed::Single(*path),
            Operation::ObserveComposite { paths, .. } => {
                Observed::Composite(paths.as_slice().into())
            }
            _ => return,
        };
        let Some(sequence) = view.observe() else {
            let detail = "the device answered the value, but does not observe it";
            let path = observed.paths().first().copied();
            self.problems
                .note(turn.now.wall, "observe_refused", path, detail, turn.out);
            return;
        };
        request.observing = true;
        let mut freshness = Freshness::default();
        freshness.accept(sequence, turn.now.tick);
        let kind = observed.kind() as usize;
        let new = self.observations.insert(observed, request.token, freshness);
        turn.out.tally.observations[kind] += i64::from(new);
    }

    /// The whole answer is there.
    fn answered(
        &mut self,
        request: Request,
        view: &MessageView<'_>,
        format: Option<u16>,
        body: &[u8],
        turn: &mut Turn<'_>,
    ) {
        let outcome = self.read_answer(&request, view, format, body, turn);
        self.end(request, outcome, turn);
    }

    fn read_answer(
        &mut self,
        request: &Request,
        view: &MessageView<'_>,
        format: Option<u16>,
        body: &[u8],
        turn: &mut Turn<'_>,
    ) -> DeviceOutcome {
        let operation = &request.operation;
        Ok(match operation.interpret(view, format, body)? {
            Answer::Content { format, .. } => {
                let records = self.take_answer(request, format, body, turn)?;
                DeviceAnswer::Values {
                    records,
                    format,
                    observing: request.observing,
                }
            }
            Answer::Links => {
                let root = self.registration.as_ref();
                let root = root.and_then(|registration| registration.links.alternate_path());
                let answer = DiscoverAnswer::parse(body, &operation.target(), root);
                DeviceAnswer::Links {
                    text: String::from_utf8_lossy(body).into(),
                    answer: Box::new(answer.map_err(AnswerError::from)?),
                }
            }
            Answer::Changed => {
                self.take_written(operation, turn);
                DeviceAnswer::Changed
            }
            Answer::Created { instance, location } => DeviceAnswer::Created { instance, location },
            Answer::Deleted => DeviceAnswer::Deleted,
        })
    }

    /// Takes the values of an answer, and returns them when somebody asked for them.
    fn take_answer(
        &mut self,
        request: &Request,
        format: u16,
        body: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<Vec<Record>, RequestError> {
        let Some(registration) = &self.registration else {
            return Err(RequestError::NotRegistered);
        };
        let links = Arc::clone(&registration.links);
        let types = DeviceTypes::new(turn.plan, turn.models, &links);
        let mut records = Vec::new();
        let decoded =
            request
                .operation
                .decode(format, body, &types, turn.now.wall, &mut |record| {
                    records.push(record);
                });
        turn.out.note_values(&records);
        let asked = request.operation.asked_paths();
        match &request.purpose {
            Purpose::Command(_) => {
                let intake = Intake::handed_out(&asked);
                self.take_records(records.iter().cloned(), intake, turn);
            }
            Purpose::Task(_) => {
                let intake = match request.update_job() {
                    Some(_) => Intake::handed_out(&asked),
                    None => Intake::of(&asked),
                };
                self.take_records(records.drain(..), intake, turn);
            }
        }
        decoded?;
        Ok(records)
    }

    /// What was written successfully is what the device has now.
    fn take_written(&mut self, operation: &Operation, turn: &mut Turn<'_>) {
        let (Operation::Write { records, .. } | Operation::WriteComposite { records }) = operation
        else {
            return;
        };
        let complete = match operation {
            Operation::Write {
                path,
                mode: WriteMode::Replace,
                ..
            } => std::slice::from_ref(path),
            _ => &[],
        };
        self.take_records(records.iter().cloned(), Intake::handed_out(complete), turn);
    }
}

/// A reader that takes the largest blocks a device offers.
pub(super) fn new_reader(turn: &Turn<'_>) -> Box<BodyReader> {
    Box::new(BodyReader::new(LARGEST_BLOCK, turn.max_body))
}

/// Whether more blocks follow.
pub(super) fn has_more(view: &MessageView<'_>) -> bool {
    view.block2()
        .is_some_and(|block| block.is_ok_and(|block| block.more()))
}
