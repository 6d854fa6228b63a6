//! Writes the shared attributes of one device: one at a time, while the device is registered.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tracing::warn;

use super::keeper::Keeper;
use super::record::{SharedAttribute, Write, WriteState};
use crate::proto::lwm2m::Record;
use crate::proto::time::UnixMillis;
use crate::services::engine::{
    DeviceAnswer, DeviceCommand, DeviceOutcome, DeviceRequest, EngineError, Event, EventKind,
    RequestError, Severity,
};
use crate::services::rpc::{AttributeWrite, DeviceKnowledge, Flight, Progress};
use crate::services::storage::StoreError;

/// Pauses while the engine or the store has too much to do; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long the device has for a request; a sleeping one is waited for longer and longer.
const TIMEOUT_MILLIS: u64 = 30_000;
const LONGEST_WAIT_MILLIS: u64 = 300_000;

/// Requests left unanswered after which a Write has failed, until the device registers anew.
const MAX_ATTEMPTS: u32 = 3;

/// Begins the task of a device, unless there is one: then it looks again.
pub(super) fn begin(keeper: &Arc<Keeper>, endpoint: &str) {
    let Some((endpoint, wake)) = keeper.begin_task(endpoint) else {
        return;
    };
    let mut stopped = keeper.stopped.clone();
    let delivery = Delivery {
        keeper: keeper.clone(),
        endpoint,
        wake,
        pause: FIRST_PAUSE,
        wait_millis: TIMEOUT_MILLIS,
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
    /// How long the device is waited for.
    wait_millis: u64,
}

/// The device as it is registered.
struct Registered {
    id: String,
    since: UnixMillis,
    device: DeviceKnowledge,
}

/// How an attempt to write one attribute ended.
enum Attempt {
    /// There is nothing more to do under this registration.
    Settled(Settled),
    /// Something has changed, or the device slept all the time.
    Again,
    /// The device did not answer.
    Unanswered(String),
    /// The engine or the device's queue is full.
    Busy,
    /// The device is not registered (any more).
    Gone,
}

/// How a Write ended.
enum Settled {
    /// The profile maps no Resource to the name.
    Unmapped,
    Written,
    /// The device had the value.
    Unchanged,
    /// Not sent, for this reason.
    Refused(String),
    /// By the device.
    Failed(String),
    Unanswered(String),
}

impl Delivery {
    async fn run(mut self) {
        loop {
            self.round().await;
            if !self.keeper.goes_on(&self.endpoint) {
                return;
            }
        }
    }

    /// Settles every attribute, or finds that the device is not there.
    async fn round(&mut self) {
        let mut unanswered = 0;
        let mut unmapped = HashSet::new();
        loop {
            let attributes = self.read().await;
            let Some(registered) = self.registered().await else {
                return;
            };
            let left = attributes.into_iter().find(|(key, attribute)| {
                let path = AttributeWrite::path(key, &registered.device);
                !attribute.is_settled(&registered.id, path.as_deref())
                    && !unmapped.contains(&(key.clone(), attribute.ts))
            });
            let Some((key, attribute)) = left else {
                return;
            };
            let settled = match self.attempt(&key, &attribute, &registered).await {
                Attempt::Gone => return,
                Attempt::Busy => {
                    self.pause().await;
                    continue;
                }
                Attempt::Again => continue,
                Attempt::Unanswered(reason) => {
                    unanswered += 1;
                    if unanswered < MAX_ATTEMPTS {
                        continue;
                    }
                    Settled::Unanswered(reason)
                }
                Attempt::Settled(settled) => settled,
            };
            if matches!(settled, Settled::Unmapped) {
                unmapped.insert((key.clone(), attribute.ts));
                if attribute.write.is_none() {
                    continue;
                }
            }
            unanswered = 0;
            (self.pause, self.wait_millis) = (FIRST_PAUSE, TIMEOUT_MILLIS);
            self.settle(&key, &attribute, settled, &registered).await;
        }
    }

    async fn attempt(
        &mut self,
        key: &str,
        attribute: &SharedAttribute,
        registered: &Registered,
    ) -> Attempt {
        let device = &registered.device;
        let write = match AttributeWrite::of(key, &attribute.value, device) {
            Ok(Some(write)) => write,
            Ok(None) => return Attempt::Settled(Settled::Unmapped),
            Err(reason) => return Attempt::Settled(Settled::Refused(reason)),
        };
        let known = match self.known(key, attribute, &write, registered).await {
            Ok(known) => known,
            Err(attempt) => return attempt,
        };
        let command = match write.command(&known, device) {
            Ok(Some(command)) => command,
            Ok(None) => return Attempt::Settled(Settled::Unchanged),
            Err(reason) => return Attempt::Settled(Settled::Refused(reason)),
        };
        match self.ask(key, attribute.ts, command).await {
            Ok(Ok(_)) => Attempt::Settled(Settled::Written),
            Ok(Err(error)) => {
                let reason = error.to_string();
                Attempt::Settled(match error {
                    RequestError::Invalid(_) => Settled::Refused(reason),
                    _ => Settled::Failed(reason),
                })
            }
            Err(attempt) => attempt,
        }
    }

    /// What the device has: as it told since it registered, else as it says now.
    async fn known(
        &mut self,
        key: &str,
        attribute: &SharedAttribute,
        write: &AttributeWrite,
        registered: &Registered,
    ) -> Result<Vec<Record>, Attempt> {
        if let Some(shown) = self.told(key, registered.since).await? {
            return Ok(write.known(&shown, &registered.device));
        }
        let Some(question) = write.question() else {
            return Ok(Vec::new());
        };
        Ok(match self.ask(key, attribute.ts, question).await? {
            Ok(DeviceAnswer::Values { records, .. }) => records,
            // It has none, or does not say: it is told.
            _ => Vec::new(),
        })
    }

    /// The value of a key that the device told after `since`.
    async fn told(
        &self,
        key: &str,
        since: UnixMillis,
    ) -> Result<Option<serde_json::Value>, Attempt> {
        let engine = &self.keeper.engine;
        let attributes = engine.attributes(&self.endpoint).await;
        let attributes = attributes.map_err(Attempt::of_engine)?.unwrap_or_default();
        if let Some(told) = attributes.get(key).filter(|told| told.ts >= since) {
            return Ok(Some(told.value.clone()));
        }
        let telemetry = engine.telemetry(&self.endpoint).await;
        let telemetry = telemetry.map_err(Attempt::of_engine)?.unwrap_or_default();
        let newest = telemetry.get(key).and_then(|values| values.first());
        let told = newest.filter(|told| told.ts >= since);
        Ok(told.map(|told| told.value.clone()))
    }

    /// Asks the device, unless the value of `ts` is replaced before it is asked.
    async fn ask(
        &mut self,
        key: &str,
        ts: UnixMillis,
        command: DeviceCommand,
    ) -> Result<DeviceOutcome, Attempt> {
        let request = DeviceRequest {
            command,
            content_format: None,
            wait_millis: self.wait_millis,
            timeout_millis: TIMEOUT_MILLIS,
        };
        let engine = &self.keeper.engine;
        let pending = engine.request(&self.endpoint, request);
        let pending = pending.map_err(Attempt::of_engine)?.ok_or(Attempt::Gone)?;
        let mut flight = Flight::new(engine.clone(), &self.endpoint, pending);
        let mut sent = false;
        let outcome = loop {
            tokio::select! {
                biased;
                progress = flight.progress() => match progress {
                    Progress::Over(outcome) => break outcome,
                    Progress::Sent => sent = true,
                },
                () = self.wake.notified(), if !sent => {
                    if !self.is_current(key, ts).await {
                        flight.cancel();
                    }
                }
            }
        };
        match outcome {
            // The engine stops or has forgotten the device: the next look says which.
            None => Err(Attempt::Busy),
            Some(Err(RequestError::NotRegistered | RequestError::RegistrationEnded)) => {
                Err(Attempt::Gone)
            }
            Some(Err(RequestError::QueueFull)) => Err(Attempt::Busy),
            Some(Err(RequestError::Cancelled)) => Err(Attempt::Again),
            Some(Err(RequestError::NotSent { .. })) => {
                self.wait_millis = (self.wait_millis * 2).min(LONGEST_WAIT_MILLIS);
                Err(Attempt::Again)
            }
            Some(Err(error @ RequestError::Unanswered { .. })) => {
                Err(Attempt::Unanswered(error.to_string()))
            }
            Some(outcome) => Ok(outcome),
        }
    }

    async fn is_current(&self, key: &str, ts: UnixMillis) -> bool {
        match self.keeper.read(&self.endpoint).await {
            Ok(attributes) => attributes.get(key).is_some_and(|now| now.ts == ts),
            // A store that fails does not take a Write back.
            Err(_) => true,
        }
    }

    /// The registration of the device; `None` when it has none.
    async fn registered(&mut self) -> Option<Registered> {
        loop {
            match self.look().await {
                Ok(registered) => return registered,
                // What waits is written by the server that follows.
                Err(EngineError::Stopped) => return std::future::pending().await,
                Err(EngineError::Busy) => self.pause().await,
            }
        }
    }

    async fn look(&self) -> Result<Option<Registered>, EngineError> {
        let engine = &self.keeper.engine;
        let Some(context) = engine.context(&self.endpoint).await? else {
            return Ok(None);
        };
        let Some(view) = engine.registration(&self.endpoint).await? else {
            return Ok(None);
        };
        Ok(view.id.map(|id| Registered {
            id,
            since: view.registered_at.unwrap_or(UnixMillis::MAX),
            device: DeviceKnowledge {
                context,
                models: self.keeper.models.snapshot(),
            },
        }))
    }

    /// Notes how a Write ended, and tells of it.
    async fn settle(
        &mut self,
        key: &str,
        attribute: &SharedAttribute,
        settled: Settled,
        registered: &Registered,
    ) {
        let ts = self.keeper.clock.now();
        let result = settled.label();
        let said = settled.in_words(key, &attribute.value);
        let (state, reason) = match settled {
            Settled::Unmapped => (None, None),
            Settled::Written | Settled::Unchanged => (Some(WriteState::Written), None),
            Settled::Refused(reason) | Settled::Failed(reason) | Settled::Unanswered(reason) => {
                (Some(WriteState::Failed), Some(reason))
            }
        };
        let write = state.map(|state| Write {
            state,
            reason: reason.clone(),
            ts,
            registration: Some(registered.id.clone()),
            path: AttributeWrite::path(key, &registered.device),
        });
        if !self.note(key, attribute.ts, write).await {
            return;
        }
        if let Some((severity, text)) = said {
            self.keeper.engine.note(&self.endpoint, severity, text);
        }
        metrics::counter!("lwm2m_shared_attribute_writes_total", "result" => result).increment(1);
        if let Some(state) = state {
            self.keeper.engine.publish(Event {
                ts,
                endpoint: self.endpoint.clone(),
                kind: EventKind::SharedAttribute {
                    key: key.into(),
                    state: state.name(),
                    reason,
                },
            });
        }
    }

    /// Notes it, however long the store takes; `false` when there is another value by now.
    async fn note(&mut self, key: &str, ts: UnixMillis, write: Option<Write>) -> bool {
        loop {
            let noted = self.keeper.note(&self.endpoint, key, ts, write.clone());
            match noted.await {
                Ok(noted) => return noted,
                Err(error) => self.store_failed(&error).await,
            }
        }
    }

    async fn read(&mut self) -> super::SharedAttributes {
        loop {
            match self.keeper.read(&self.endpoint).await {
                Ok(attributes) => return attributes,
                Err(error) => self.store_failed(&error).await,
            }
        }
    }

    async fn store_failed(&mut self, error: &StoreError) {
        if matches!(error, StoreError::Closed) {
            return std::future::pending().await;
        }
        let endpoint = &*self.endpoint;
        warn!(%error, endpoint, "shared attributes cannot be read or stored yet");
        self.pause().await;
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Attempt {
    fn of_engine(_: EngineError) -> Self {
        // One that stops is met again at the next look.
        Self::Busy
    }
}

impl Settled {
    /// What the log of the device says, in ThingsBoard's words where it has some. The Write itself is
    /// in the log already.
    fn in_words(&self, key: &str, value: &Value) -> Option<(Severity, String)> {
        Some(match self {
            Self::Written | Self::Failed(_) | Self::Unanswered(_) => return None,
            Self::Unmapped => (
                Severity::Error,
                format!(
                    "error: Failed update resource onAttributesUpdate {key} is not configured in the device profile!."
                ),
            ),
            Self::Unchanged => (
                Severity::Warn,
                format!(
                    "warn: Didn't update the {key} resource - value - {value}. Value is not changed"
                ),
            ),
            Self::Refused(reason) => (
                Severity::Error,
                format!("error: Failed update resource {key} value - {value}. {reason}"),
            ),
        })
    }

    const fn label(&self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::Unanswered(_) => "timeout",
        }
    }
}
