//! The transport log: what happens with a device in words for people, after ThingsBoard's
//! (thingsboard-behaviour 3.10). Nothing is put into words for a device whose level does not ask for it.

use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::operation::{AnswerError, Operation};
use crate::proto::lwm2m::{Path, Record, Value};

use super::observations::Observed;
use super::outputs::Outputs;
use super::profile_parts::LogLevel;
use super::registration::Registration;
use super::request::{DeviceAnswer, DeviceCommand, DeviceOutcome, RequestError};

/// Longest text in characters; longer ones are cut.
pub const MAX_CHARACTERS: usize = 1_024;

/// Values of an answer that are put into words.
const MAX_VALUES: usize = 16;

/// Longest value that is put into words whole, in bytes.
const MAX_VALUE_BYTES: usize = 64;

/// How grave an entry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// It went as it should.
    Info,
    /// It is worth a look.
    Warn,
    /// It failed.
    Error,
}

impl Severity {
    /// As in texts and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The least level at which it is logged.
    #[must_use]
    pub const fn level(self) -> LogLevel {
        match self {
            Self::Info => LogLevel::Info,
            Self::Warn | Self::Error => LogLevel::Error,
        }
    }
}

/// One entry on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// How grave it is.
    pub severity: Severity,
    /// Registration id and address of the device belong in front of the text.
    pub addressed: bool,
    /// In words.
    pub text: String,
}

impl Outputs {
    /// Whether entries of this severity are wanted.
    #[must_use]
    pub fn logs(&self, severity: Severity) -> bool {
        self.log_level >= severity.level()
    }

    /// Logs something, if it is wanted.
    pub fn log(&mut self, severity: Severity, text: impl FnOnce() -> String) {
        self.log_line(severity, false, text);
    }

    /// The same with registration id and address in front.
    pub fn log_addressed(&mut self, text: impl FnOnce() -> String) {
        self.log_line(Severity::Info, true, text);
    }

    fn log_line(&mut self, severity: Severity, addressed: bool, text: impl FnOnce() -> String) {
        if self.logs(severity) {
            self.log.push(LogLine {
                severity,
                addressed,
                text: text(),
            });
        }
    }

    /// A request is sent.
    pub(super) fn log_request(&mut self, operation: &Operation) {
        self.log_addressed(|| {
            let (class, target) = (class(operation), target(operation, None));
            format!("Sending request: {class} to {target}")
        });
    }

    /// A request is over.
    pub(super) fn log_end(
        &mut self,
        operation: &Operation,
        outcome: &DeviceOutcome,
        links: Option<&ObjectLinks>,
    ) {
        let values = self.answer_values.take();
        let severity = match outcome {
            Ok(_) => Severity::Info,
            Err(_) => Severity::Error,
        };
        self.log(severity, || {
            let (class, target) = (class(operation), target(operation, links));
            match outcome {
                Ok(answer) => {
                    let result = values.unwrap_or_else(|| result(answer));
                    format!("[info]: {class} [{target}] successful. Result: {result}")
                }
                Err(RequestError::Answer(AnswerError::Refused { code, diagnostic })) => {
                    let said = diagnostic.as_deref().unwrap_or_default();
                    format!(
                        "[error]: {class} [{target}] failed to process successful. Result: {} {said}",
                        code.name()
                    )
                }
                Err(error) => {
                    format!("[error]: Request [{class} {target}] processing failed. Reason: {error}")
                }
            }
        });
    }

    /// A command is refused before anything is sent.
    pub(super) fn log_refused(&mut self, command: impl FnOnce() -> String, error: &RequestError) {
        self.log(Severity::Error, || {
            let command = command();
            format!("[error]: Request [{command}] validation failed. Reason: {error}")
        });
    }

    /// Puts the values of an answer into words, for the entry about its request.
    pub(super) fn note_values(&mut self, records: &[Record]) {
        if self.logs(Severity::Info) {
            self.answer_values = Some(values(records));
        }
    }
}

/// The device registered.
pub(super) fn registered(name: &str, id: &str, registration: &Registration) -> String {
    let links = &registration.links;
    let objects: Vec<_> = links
        .objects()
        .iter()
        .map(|object| format!("{}={}", object.id, object.version))
        .collect();
    let binding = registration
        .binding
        .map_or("U".to_owned(), |binding| binding.to_string());
    format!(
        "info: Endpoint [{name}] Client registered with registration id: [{id}] LwM2mVersion: [{}], SupportedObjectIdVer [{{{}}}] QueueMode [{}], BindingMode [{binding}]",
        registration.version.as_str(),
        objects.join(", "),
        registration.queue_mode,
    )
}

/// The device ended an observation.
pub(super) fn observation_ended(observed: &Observed, reason: &str) -> String {
    match observed {
        Observed::Single(path) => format!("error: Single Observation Cancel: {path}: {reason}"),
        Observed::Composite(_) => {
            format!("error: Composite Observation Cancel: {observed}: {reason}")
        }
    }
}

/// Observations were cancelled.
pub(super) fn cancelled(command: &DeviceCommand, count: usize) -> String {
    match command {
        DeviceCommand::Operation(operation) => {
            let target = target(operation, None);
            format!("[info]: Cancel Observe for [{target}] successful. Result: [{count}]")
        }
        _ => format!("[info]: Cancel of all observations was successful. Result: [{count}]"),
    }
}

/// What a command asks, in words.
pub(super) fn of_command(command: &DeviceCommand) -> String {
    match command {
        DeviceCommand::Operation(operation) => of_operation(operation),
        DeviceCommand::CancelAllObservations => "ObserveCancelAll".to_owned(),
        DeviceCommand::ReadAllObservations => "ObserveReadAll".to_owned(),
    }
}

/// What an operation asks, in words.
pub(super) fn of_operation(operation: &Operation) -> String {
    format!("{} {}", class(operation), target(operation, None))
}

/// Name of the request as ThingsBoard's log has it.
fn class(operation: &Operation) -> &'static str {
    match operation {
        Operation::Read { .. } => "ReadRequest",
        Operation::Discover { .. } => "DiscoverRequest",
        Operation::Write { .. } => "WriteRequest",
        Operation::WriteAttributes { .. } => "WriteAttributesRequest",
        Operation::Execute { .. } => "ExecuteRequest",
        Operation::Create { .. } => "CreateRequest",
        Operation::Delete { .. } => "DeleteRequest",
        Operation::ReadComposite { .. } => "ReadCompositeRequest",
        Operation::WriteComposite { .. } => "WriteCompositeRequest",
        Operation::Observe { .. } => "ObserveRequest",
        Operation::ObserveComposite { .. } => "ObserveCompositeRequest",
        Operation::CancelObservation { .. } => "CancelObservationRequest",
        Operation::CancelObservationComposite { .. } => "CancelCompositeObservationRequest",
    }
}

/// What an operation is about; with the versions of the device's objects when `links` are given.
fn target(operation: &Operation, links: Option<&ObjectLinks>) -> String {
    let composite = match operation {
        Operation::WriteComposite { .. }
        | Operation::ReadComposite { .. }
        | Operation::ObserveComposite { .. }
        | Operation::CancelObservationComposite { .. } => operation.asked_paths(),
        _ => return versioned(&operation.target(), links),
    };
    let paths: Vec<_> = composite
        .iter()
        .map(|path| versioned(path, links))
        .collect();
    format!("[{}]", paths.join(", "))
}

fn versioned(path: &Path, links: Option<&ObjectLinks>) -> String {
    let (Some(links), [object, below @ ..]) = (links, path.segments()) else {
        return path.to_string();
    };
    let mut text = format!("/{object}_{}", links.version_or_default(*object));
    for id in below {
        text.push('/');
        text.push_str(&id.to_string());
    }
    text
}

fn result(answer: &DeviceAnswer) -> String {
    match answer {
        DeviceAnswer::Values { records, .. } => values(records),
        DeviceAnswer::Links { text, .. } => text.to_string(),
        DeviceAnswer::Changed => "CHANGED".to_owned(),
        DeviceAnswer::Created { location, .. } => match location {
            Some(location) => format!("CREATED {location}"),
            None => "CREATED".to_owned(),
        },
        DeviceAnswer::Deleted => "DELETED".to_owned(),
        DeviceAnswer::Cancelled { count } => count.to_string(),
        DeviceAnswer::Observations(all) => format!("{} observations", all.len()),
    }
}

fn values(records: &[Record]) -> String {
    let shown = records.iter().take(MAX_VALUES);
    let shown: Vec<_> = shown
        .map(|record| match &record.value {
            Some(value) => format!("{}={}", record.path, in_words(value)),
            None => record.path.to_string(),
        })
        .collect();
    let more = records.len().saturating_sub(MAX_VALUES);
    let rest = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("CONTENT {}{rest}", shown.join(", "))
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Corelnk(text) => {
            let end = text.floor_char_boundary(MAX_VALUE_BYTES);
            let cut = if end < text.len() { ".." } else { "" };
            format!("{}{cut}", &text[..end])
        }
        Value::Integer(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Time(seconds) => format!("{seconds} s since 1970"),
        Value::Objlnk(object, instance) => format!("{object}:{instance}"),
        Value::Opaque(bytes) if bytes.len() <= MAX_VALUE_BYTES / 2 => {
            data_encoding::HEXLOWER.encode(bytes)
        }
        Value::Opaque(bytes) => format!("{} bytes", bytes.len()),
    }
}
