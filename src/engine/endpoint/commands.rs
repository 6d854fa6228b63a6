//! Commands of others for the device: they wait here, in order and with a deadline each.

use std::collections::VecDeque;

use crate::proto::lwm2m::Path;
use crate::proto::lwm2m::operation::Operation;
use crate::proto::time::Tick;

use super::conversation::{Job, Purpose, Task};
use super::core::{EndpointCore, Presence, Turn};
use super::exchange::Request;
use super::flights::Flights;
use super::journal::{self, Severity};
use super::observations::Observed;
use super::outputs::{Completion, OperationKind, Outputs};
use super::request::{
    DeviceAnswer, DeviceCommand, DeviceOutcome, DeviceRequest, MAX_QUEUED, RequestError, Waiting,
};

/// A command that waits for its turn or for its answer.
#[derive(Debug)]
pub(super) struct Command {
    /// Names it towards whoever gave it.
    pub(super) ticket: u64,
    pub(super) operation: Operation,
    pub(super) content_format: Option<u16>,
    /// When it is given up.
    pub(super) deadline: Tick,
    timeout_millis: u64,
}

impl Command {
    /// Its time begins anew.
    pub(super) fn begin_wait(&mut self, now: Tick) {
        self.deadline = now.plus_millis(self.timeout_millis);
    }
}

/// A command as an operator sees it.
#[derive(Clone, Debug)]
pub struct QueuedCommand {
    /// What is asked.
    pub operation: OperationKind,
    /// The paths concerned.
    pub paths: Vec<Path>,
    /// What it waits for; `None` for the device's answer.
    pub waiting: Option<Waiting>,
    /// When it is given up.
    pub deadline: Tick,
}

impl EndpointCore {
    /// Takes a command. What needs nothing of the device is answered at once.
    pub(super) fn on_command(&mut self, ticket: u64, request: DeviceRequest, turn: &mut Turn<'_>) {
        let wanted = turn.out.logs(Severity::Error);
        let command = wanted.then(|| request.command.clone());
        match self.accept(ticket, request, turn) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                if let (Some(command), DeviceAnswer::Cancelled { count }) = (&command, &answer) {
                    let text = || journal::cancelled(command, *count);
                    turn.out.log(Severity::Info, text);
                }
                done(ticket, Ok(answer), turn.out);
            }
            Err(error) => {
                if let Some(command) = &command {
                    turn.out
                        .log_refused(|| journal::of_command(command), &error);
                }
                done(ticket, Err(error), turn.out);
            }
        }
    }

    /// `None` when the command waits for the device.
    fn accept(
        &mut self,
        ticket: u64,
        request: DeviceRequest,
        turn: &mut Turn<'_>,
    ) -> Result<Option<DeviceAnswer>, RequestError> {
        if self.registration.is_none() {
            return Err(RequestError::NotRegistered);
        }
        let operation = match request.command {
            DeviceCommand::ReadAllObservations => {
                let all = self.observations.iter().map(|(_, observed)| observed);
                return Ok(Some(DeviceAnswer::Observations(all.collect())));
            }
            DeviceCommand::CancelAllObservations => {
                let all = self.observations.take_all();
                let count = all.len();
                for (token, observed) in all.into_iter().rev() {
                    turn.out.tally.observations[observed.kind() as usize] -= 1;
                    self.tell_cancelled(observed, token);
                }
                return Ok(Some(DeviceAnswer::Cancelled { count }));
            }
            DeviceCommand::Operation(operation) => operation,
        };
        if let Some(observed) = cancelled(&operation) {
            let token = self.observations.token_of(&observed);
            let token = token.ok_or(RequestError::NotObserved)?;
            self.observations.remove(token);
            turn.out.tally.observations[observed.kind() as usize] -= 1;
            self.tell_cancelled(observed, token);
            return Ok(Some(DeviceAnswer::Cancelled { count: 1 }));
        }
        self.check_conflict(&operation)?;
        // What can never be asked is refused now, not when the device wakes up.
        self.build(&operation, request.content_format, turn)?;
        let conversation = self.conversation.get_or_insert_default();
        if conversation.commands.len() >= MAX_QUEUED {
            return Err(RequestError::QueueFull);
        }
        conversation.commands.push_back(Box::new(Command {
            ticket,
            operation,
            content_format: request.content_format,
            deadline: turn.now.tick.plus_millis(request.wait_millis),
            timeout_millis: request.timeout_millis,
        }));
        // Somebody wants to know: a device that did not answer the last time may do so now.
        self.reachable |= self.always_listens();
        Ok(None)
    }

    /// Makes the request of a command. What is observed may have changed while it waited.
    pub(super) fn begin_command(&mut self, command: Box<Command>, turn: &mut Turn<'_>) {
        if let Err(error) = self.check_conflict(&command.operation) {
            return done(command.ticket, Err(error), turn.out);
        }
        let mut command = command;
        command.begin_wait(turn.now.tick);
        let operation = command.operation.clone();
        self.ask(Purpose::Command(command), operation, None, turn);
    }

    /// Takes a command back.
    pub(super) fn on_cancel_command(&mut self, ticket: u64, turn: &mut Turn<'_>) {
        let Some(conversation) = &mut self.conversation else {
            return;
        };
        let waiting = conversation.commands.iter();
        if let Some(at) = waiting
            .into_iter()
            .position(|command| command.ticket == ticket)
        {
            conversation.commands.remove(at);
            return done(ticket, Err(RequestError::Cancelled), turn.out);
        }
        let is_it = |request: &Request| {
            let command = request.command();
            command.is_some_and(|command| command.ticket == ticket)
        };
        if let Some(request) = conversation.flights.take_if(is_it) {
            self.end(request, Err(RequestError::Cancelled), turn);
        }
    }

    /// Gives up commands that were not sent in time.
    pub(super) fn expire_commands(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.tick;
        let waiting = self.waiting(now);
        let Some(conversation) = &mut self.conversation else {
            return;
        };
        let commands = std::mem::take(&mut conversation.commands);
        let (over, left): (VecDeque<_>, _) = commands
            .into_iter()
            .partition(|command| command.deadline <= now);
        conversation.commands = left;
        for command in over {
            let error = RequestError::NotSent { waiting };
            turn.out
                .log_end(&command.operation, &Err(error.clone()), None);
            done(command.ticket, Err(error), turn.out);
        }
    }

    /// Ends all commands: there is no registration any more that they could be carried out under.
    pub(super) fn end_commands(&mut self, out: &mut Outputs) {
        for ticket in self.tickets() {
            done(ticket, Err(RequestError::RegistrationEnded), out);
        }
    }

    /// The commands that wait for their turn or for their answer.
    #[must_use]
    pub fn tickets(&self) -> Vec<u64> {
        let Some(conversation) = &self.conversation else {
            return Vec::new();
        };
        let sent = conversation.flights.requests().filter_map(Request::command);
        let waiting = conversation.commands.iter().map(|command| &**command);
        sent.chain(waiting).map(|command| command.ticket).collect()
    }

    /// The commands as an operator sees them.
    #[must_use]
    pub fn queue(&self, now: Tick) -> Vec<QueuedCommand> {
        let Some(conversation) = &self.conversation else {
            return Vec::new();
        };
        let show = |command: &Command, waiting| QueuedCommand {
            operation: OperationKind::of(&command.operation),
            paths: command.operation.asked_paths(),
            waiting,
            deadline: command.deadline,
        };
        let sent = conversation.flights.requests().filter_map(Request::command);
        let sent = sent.map(|command| show(command, None));
        let waiting = Some(self.waiting(now));
        let queued = conversation.commands.iter();
        let queued = queued.map(|command| show(command, waiting));
        sent.chain(queued).collect()
    }

    /// What a command waits for.
    fn waiting(&self, now: Tick) -> Waiting {
        let flights = self.conversation.as_ref().map(|c| &c.flights);
        match self.presence(now) {
            _ if flights.is_some_and(Flights::is_doubtful) => Waiting::Silent,
            _ if flights.is_some_and(Flights::is_outstanding) => Waiting::Busy,
            Presence::Asleep => Waiting::Asleep,
            _ if !self.reachable => Waiting::Silent,
            _ => Waiting::Busy,
        }
    }

    /// Tells the device that an observation is over; one that sleeps learns it by the reset of its
    /// next notification.
    pub(super) fn tell_cancelled(&mut self, observed: Observed, token: u16) {
        if self.reachable {
            let conversation = self.conversation.get_or_insert_default();
            conversation.push_front(Task::new(Job::Cancel { observed, token }));
        }
    }

    fn check_conflict(&self, operation: &Operation) -> Result<(), RequestError> {
        let wanted = match operation {
            Operation::Observe { path, .. } => Observed::Single(*path),
            Operation::ObserveComposite { paths, .. } => {
                Observed::Composite(paths.as_slice().into())
            }
            _ => return Ok(()),
        };
        match self.observations.conflict(&wanted) {
            Some((requested, existing)) => Err(RequestError::Conflict {
                requested,
                existing,
            }),
            None => Ok(()),
        }
    }
}

fn cancelled(operation: &Operation) -> Option<Observed> {
    match operation {
        Operation::CancelObservation { path } => Some(Observed::Single(*path)),
        Operation::CancelObservationComposite { paths } => {
            Some(Observed::Composite(paths.as_slice().into()))
        }
        _ => None,
    }
}

fn done(ticket: u64, outcome: DeviceOutcome, out: &mut Outputs) {
    out.completions.push(Completion::Done { ticket, outcome });
}
