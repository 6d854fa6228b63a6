//! Delivers the commands of one device: in order, one at a time, while the device is registered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tracing::warn;
use uuid::Uuid;

use super::keeper::Keeper;
use super::record::{RpcCommand, RpcState};
use crate::services::engine::{DeviceOutcome, EngineError, RequestError, Waiting};
use crate::services::rpc::ask::{Asked, Handed, Progress};
use crate::services::rpc::call::Timeout;
use crate::services::rpc::count::Ended;
use crate::services::rpc::{CallOptions, RpcResponse};
use crate::services::storage::StoreError;

/// Pauses while the engine or the store has too much to do; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A sleeping device is waited for with ever longer requests, at most this long.
const LONGEST_WAIT_MILLIS: u64 = 300_000;

/// Begins the task of a device, unless there is one: then it is woken.
pub(super) fn begin(keeper: &Arc<Keeper>, endpoint: &str) {
    let Some((endpoint, wake)) = keeper.index().begin_delivering(endpoint) else {
        return;
    };
    let mut stopped = keeper.stopped.clone();
    let delivery = Delivery {
        keeper: keeper.clone(),
        endpoint,
        wake,
        pause: FIRST_PAUSE,
        wait_millis: 0,
    };
    tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = stopped.changed() => {}
            () = delivery.run() => {}
        }
    });
}

/// The task of one device.
struct Delivery {
    keeper: Arc<Keeper>,
    endpoint: Arc<str>,
    wake: Arc<Notify>,
    pause: Duration,
    /// How long the sleeping device was waited for the last time.
    wait_millis: u64,
}

/// How one attempt to deliver ended.
enum Attempt {
    /// With something to be noted.
    Over(Report),
    /// The device is not registered (any more).
    Gone,
    /// The device slept all the time.
    Asleep,
    /// The command was taken back, or the registration was made anew.
    Again,
    /// The engine or the device's queue is full.
    Busy,
}

/// What is to be noted of a command.
enum Report {
    Timeout,
    Response(RpcResponse),
}

impl Delivery {
    async fn run(mut self) {
        loop {
            // Before the look at the registration: a Register in between is not missed.
            let arrival = self.keeper.asker.engine().arrival(&self.endpoint);
            self.expire(None).await;
            let Some(next) = self.keeper.index().next(&self.endpoint) else {
                return;
            };
            let attempt = match self.read(next.id).await {
                Some(command) => self.attempt(&command).await,
                None => Attempt::Again,
            };
            match attempt {
                Attempt::Over(report) => {
                    (self.pause, self.wait_millis) = (FIRST_PAUSE, 0);
                    self.note(next.id, report).await;
                }
                Attempt::Again => {}
                Attempt::Asleep => self.wait_millis = self.wait_millis.saturating_mul(2),
                Attempt::Busy => self.pause().await,
                Attempt::Gone => {
                    self.wait_millis = 0;
                    self.requeue(next.id).await;
                    let expiration = self.keeper.index().next_expiration(&self.endpoint, None);
                    tokio::select! {
                        // When the engine is gone there is nothing left to wait for but the end.
                        Ok(()) = arrival => {}
                        () = self.wake.notified() => {}
                        () = self.keeper.clock.sleep_until(expiration) => {}
                    }
                }
            }
        }
    }

    async fn attempt(&mut self, command: &RpcCommand) -> Attempt {
        self.wait_millis = self
            .wait_millis
            .clamp(command.timeout, LONGEST_WAIT_MILLIS.max(command.timeout));
        let asker = &self.keeper.asker;
        let options = CallOptions {
            timeout_millis: command.timeout,
            format: command.format,
        };
        let (endpoint, request) = (&self.endpoint, &command.request);
        let handed = asker
            .ask(endpoint, request, options, self.wait_millis)
            .await;
        let mut asked = match handed {
            Ok(Handed::Asked(asked)) => asked,
            Ok(Handed::Answered(_, Ended::NotRegistered)) => return Attempt::Gone,
            Ok(Handed::Answered(response, _)) => {
                return Attempt::Over(Report::Response(response));
            }
            Err(EngineError::Busy) => return Attempt::Busy,
            // The command stays as it is and is delivered by the server that follows.
            Err(EngineError::Stopped) => return std::future::pending().await,
        };
        match self.follow(command.id, &mut asked).await {
            // The engine stops or has forgotten the device: the next look says which.
            None => Attempt::Busy,
            Some(Err(RequestError::NotRegistered | RequestError::QueueFull)) => Attempt::Busy,
            Some(Err(RequestError::RegistrationEnded | RequestError::Cancelled)) => Attempt::Again,
            Some(Err(RequestError::NotSent {
                waiting: Waiting::Asleep,
            })) => Attempt::Asleep,
            Some(outcome) => Attempt::Over(
                match asked
                    .question
                    .respond(outcome, command.format, &asked.device)
                {
                    Ok(response) => Report::Response(response),
                    Err(Timeout { .. }) => Report::Timeout,
                },
            ),
        }
    }

    /// Follows a request to its end.
    async fn follow(&self, id: Uuid, asked: &mut Asked) -> Option<DeviceOutcome> {
        let (mut sent, mut expired) = (false, false);
        loop {
            // A request that was sent is waited for, whatever the time.
            let except = (sent || expired).then_some(id);
            let expiration = self.keeper.index().next_expiration(&self.endpoint, except);
            tokio::select! {
                biased;
                progress = asked.flight.progress() => match progress {
                    Progress::Over(outcome) => return outcome,
                    Progress::Sent => {
                        sent = true;
                        self.change(id, |command| command.state = RpcState::Sent).await;
                    }
                },
                () = self.wake.notified() => {
                    if self.keeper.index().state(id).is_none() {
                        asked.flight.cancel();
                    }
                }
                () = self.keeper.clock.sleep_until(expiration) => {
                    let due = self.keeper.index().due(&self.endpoint, self.keeper.clock.now());
                    if !sent && due.contains(&id) {
                        expired = true;
                        asked.flight.cancel();
                    }
                    self.expire(Some(id)).await;
                }
            }
        }
    }

    async fn note(&self, id: Uuid, report: Report) {
        self.change(id, |command| match &report {
            Report::Timeout => {
                command.timeouts += 1;
                command.state = if command.timeouts > command.retries {
                    command.response = Some(exhausted(command.retries));
                    RpcState::Failed
                } else {
                    RpcState::Timeout
                };
            }
            Report::Response(response) => {
                let success = Ended::of_response(response) == Ended::Success;
                command.state = match (success, command.oneway) {
                    (true, true) => RpcState::Delivered,
                    (true, false) => RpcState::Successful,
                    (false, _) => RpcState::Failed,
                };
                if command.state != RpcState::Delivered {
                    command.response = serde_json::to_value(response).ok();
                }
            }
        })
        .await;
    }

    /// A command that was sent under a registration that is over waits again.
    async fn requeue(&self, id: Uuid) {
        let state = self.keeper.index().state(id);
        if state == Some(RpcState::Sent) {
            self.change(id, |command| command.state = RpcState::Queued)
                .await;
        }
    }

    /// Ends the commands whose time is over, `except` this one.
    async fn expire(&self, except: Option<Uuid>) {
        let now = self.keeper.clock.now();
        let due = self.keeper.index().due(&self.endpoint, now);
        for id in due.into_iter().filter(|id| Some(*id) != except) {
            self.change(id, |command| command.state = RpcState::Expired)
                .await;
        }
    }

    /// Changes a command, however long the store takes.
    async fn change(&self, id: Uuid, alter: impl Fn(&mut RpcCommand)) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.keeper.change(id, &alter).await {
                Ok(_) => return,
                Err(StoreError::Closed) => return std::future::pending().await,
                Err(error) => warn!(%error, %id, "the state of a command cannot be stored yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn read(&mut self, id: Uuid) -> Option<RpcCommand> {
        match self.keeper.read(id).await {
            Ok(command) => command,
            Err(error) => {
                warn!(%error, %id, "a command cannot be read yet");
                self.pause().await;
                None
            }
        }
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// ThingsBoard's text.
fn exhausted(retries: u32) -> Value {
    let error = format!(
        "There was a Timeout and all retry attempts have been exhausted. Retry attempts set: {retries}"
    );
    json!({ "error": error })
}
