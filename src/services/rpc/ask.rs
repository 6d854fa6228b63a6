//! Puts a command to a device.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::CallOptions;
use super::call::{DeviceKnowledge, Prepared, Question, RpcCall, RpcResponse, prepare};
use super::count::Ended;
use super::refusal::quoted;
use crate::services::engine::{
    DeviceOutcome, DeviceRequest, Engine, EngineError, PendingRequest, Severity,
};
use crate::services::models::Models;

/// Puts commands to devices.
pub(super) struct Asker {
    engine: Arc<dyn Engine>,
    models: Arc<Models>,
}

/// What became of a command.
pub(super) enum Handed {
    /// Answered without asking the device.
    Answered(RpcResponse, Ended),
    /// The engine has it.
    Asked(Asked),
}

/// A command the engine has.
pub(super) struct Asked {
    pub(super) question: Question,
    /// The device as it was when the command was translated.
    pub(super) device: DeviceKnowledge,
    pub(super) flight: Flight,
}

/// A request to a device. Dropped before it is over, it is taken back: nobody waits for it.
pub(in crate::services) struct Flight {
    engine: Arc<dyn Engine>,
    endpoint: String,
    ticket: u64,
    sent: oneshot::Receiver<()>,
    /// Whether `sent` has resolved: it must not be asked again.
    sent_known: bool,
    done: oneshot::Receiver<DeviceOutcome>,
    over: bool,
}

/// What happens to a request.
pub(in crate::services) enum Progress {
    /// It is sent to the device for the first time.
    Sent,
    /// It is over; `None` when the engine stops or forgets the device.
    Over(Option<DeviceOutcome>),
}

impl Asker {
    pub(super) fn new(engine: Arc<dyn Engine>, models: Arc<Models>) -> Self {
        Self { engine, models }
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// Translates a command and hands it to the engine, where it may wait for `wait_millis`.
    pub(super) async fn ask(
        &self,
        endpoint: &str,
        call: &RpcCall,
        options: CallOptions,
        wait_millis: u64,
    ) -> Result<Handed, EngineError> {
        let Some(context) = self.engine.context(endpoint).await? else {
            return Ok(not_registered());
        };
        let device = DeviceKnowledge {
            context,
            models: self.models.snapshot(),
        };
        let question = match prepare(call, &device) {
            Ok(Prepared::Ask(question)) => question,
            Ok(Prepared::Answered(answered)) => {
                let response = answered.respond(options.format);
                let ended = Ended::of_response(&response);
                return Ok(Handed::Answered(response, ended));
            }
            Err(response) => {
                let text = refused(call, &response);
                self.engine.note(endpoint, Severity::Error, text);
                return Ok(Handed::Answered(response, Ended::Refused));
            }
        };
        let request = DeviceRequest {
            command: question.command.clone(),
            content_format: question.content_format,
            wait_millis,
            timeout_millis: options.timeout_millis,
        };
        Ok(match self.engine.request(endpoint, request)? {
            Some(pending) => Handed::Asked(Asked {
                flight: Flight::new(self.engine.clone(), endpoint, pending),
                question,
                device,
            }),
            None => not_registered(),
        })
    }
}

impl Flight {
    pub(in crate::services) fn new(
        engine: Arc<dyn Engine>,
        endpoint: &str,
        pending: PendingRequest,
    ) -> Self {
        Self {
            engine,
            endpoint: endpoint.to_owned(),
            ticket: pending.ticket,
            sent: pending.sent,
            done: pending.done,
            sent_known: false,
            over: false,
        }
    }

    /// What happens next: that it is sent, when it is, then how it ended. Nothing is lost when the
    /// wait is given up before it resolves.
    pub(in crate::services) async fn progress(&mut self) -> Progress {
        loop {
            tokio::select! {
                biased;
                outcome = &mut self.done => {
                    self.over = true;
                    return Progress::Over(outcome.ok());
                }
                sent = &mut self.sent, if !self.sent_known => {
                    self.sent_known = true;
                    if sent.is_ok() {
                        return Progress::Sent;
                    }
                }
            }
        }
    }

    /// How it ended; `None` when the engine stops or forgets the device.
    pub(in crate::services) async fn done(&mut self) -> Option<DeviceOutcome> {
        let outcome = (&mut self.done).await.ok();
        self.over = true;
        outcome
    }

    /// How it ended, if it has.
    pub(in crate::services) fn try_done(&mut self) -> Option<DeviceOutcome> {
        let outcome = self.done.try_recv().ok()?;
        self.over = true;
        Some(outcome)
    }

    /// Takes the request back; it ends soon.
    pub(in crate::services) fn cancel(&self) {
        // An engine too busy for this lets the request run into its timeout.
        let _ = self.engine.cancel_request(&self.endpoint, self.ticket);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.over {
            self.cancel();
        }
    }
}

/// ThingsBoard's text in the log of a device.
fn refused(call: &RpcCall, response: &RpcResponse) -> String {
    let params = call.params.as_ref();
    let params = params.map_or(String::new(), |params| quoted(&params.to_string()));
    let method = quoted(&call.method);
    let reason = response.error.as_deref().unwrap_or_default();
    format!("[error]: Request [{method} {params}] validation failed. Reason: {reason}")
}

fn not_registered() -> Handed {
    let response = RpcResponse::internal("Registration is empty");
    Handed::Answered(response, Ended::NotRegistered)
}
