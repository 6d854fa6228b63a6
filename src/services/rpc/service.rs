//! The command service: asked now and answered (twoway), handed over (oneway), or kept until the
//! device can be asked (persistent).

use std::sync::Arc;

use uuid::Uuid;

use super::ask::{Asked, Asker, Handed};
use super::clock::Clock;
use super::count::{Counted, Ended, Mode};
use super::persistent::{
    MAX_PENDING_PER_DEVICE, MAX_STORED, NewCommand, Persistent, RpcCommand, RpcPage, RpcQuery,
};
use super::{RpcCall, RpcResponse, Timeout, ValueFormat};
use crate::proto::time::UnixMillis;
use crate::services::devices::{CursorError, Devices, DevicesError};
use crate::services::engine::{DeviceOutcome, Engine, EngineError, RequestError};
use crate::services::models::Models;
use crate::services::storage::{Store, StoreError};

/// How long a device has for a command when the caller does not say, in milliseconds.
pub const DEFAULT_TIMEOUT_MILLIS: u64 = 10_000;

/// Shortest time a caller may give a device, in milliseconds.
pub const MIN_TIMEOUT_MILLIS: u64 = 1_000;

/// Longest time a caller may give a device, in milliseconds: an hour.
pub const MAX_TIMEOUT_MILLIS: u64 = 3_600_000;

/// How a command is to be asked and answered.
#[derive(Clone, Copy, Debug)]
pub struct CallOptions {
    /// How long the device has to take the command up and, after that, to answer it, in
    /// milliseconds.
    pub timeout_millis: u64,
    /// How values are shown.
    pub format: ValueFormat,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// There is no such device, or the device service failed.
    #[error(transparent)]
    Device(#[from] DevicesError),
    /// There is no such persistent command.
    #[error("there is no command {id}")]
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// The device did not answer in time.
    #[error("{detail}")]
    Timeout {
        /// What was waited for.
        detail: String,
    },
    /// Too many commands wait for the device in the engine.
    #[error(transparent)]
    QueueFull(RequestError),
    /// Too many persistent commands wait for the device.
    #[error("{MAX_PENDING_PER_DEVICE} persistent commands wait for the device already")]
    DeviceFull,
    /// Too many persistent commands wait.
    #[error("{MAX_STORED} persistent commands wait already")]
    Full,
    /// The time until which the command may be delivered is over already.
    #[error("expirationTime is {expiration}, which is over; now it is {now}")]
    Expired {
        /// As given, milliseconds since 1970.
        expiration: UnixMillis,
        /// Milliseconds since 1970.
        now: UnixMillis,
    },
    /// The cursor is not one of ours.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The engine is busy or stops.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The command service.
pub struct Rpc {
    asker: Arc<Asker>,
    devices: Arc<Devices>,
    persistent: Persistent,
}

impl Rpc {
    /// Commands to `devices` through `engine`. Persistent ones in `store` are delivered from now
    /// on; one that cannot be read is set aside and counted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(
        engine: Arc<dyn Engine>,
        devices: Arc<Devices>,
        models: Arc<Models>,
        store: Arc<dyn Store>,
    ) -> Result<Self, StoreError> {
        Self::load_with_clock(engine, devices, models, store, Clock::system()).await
    }

    async fn load_with_clock(
        engine: Arc<dyn Engine>,
        devices: Arc<Devices>,
        models: Arc<Models>,
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let asker = Arc::new(Asker::new(engine, models));
        Ok(Self {
            persistent: Persistent::load(asker.clone(), store, clock).await?,
            asker,
            devices,
        })
    }

    /// Asks a device and waits for its answer. What is refused before it is sent, and what the
    /// device refuses, is an answer as well.
    ///
    /// # Errors
    /// There is no such device, it did not answer in time, or too much waits.
    pub async fn twoway(
        &self,
        endpoint: &str,
        call: &RpcCall,
        options: CallOptions,
    ) -> Result<RpcResponse, RpcError> {
        let counted = Counted::begin(Mode::Twoway);
        let answer = self.wait_for_answer(endpoint, call, options).await;
        counted.end(match &answer {
            Ok((_, ended)) => *ended,
            Err(error) => Ended::of(error),
        });
        answer.map(|(response, _)| response)
    }

    /// Asks a device without waiting for its answer, which is only counted. `Some` when the command
    /// was answered without asking the device: mostly that it is refused.
    ///
    /// # Errors
    /// There is no such device, or too much waits.
    pub async fn oneway(
        &self,
        endpoint: &str,
        call: &RpcCall,
        options: CallOptions,
    ) -> Result<Option<RpcResponse>, RpcError> {
        let counted = Counted::begin(Mode::Oneway);
        let (asked, outcome) = match self.queue(endpoint, call, options).await {
            Ok(Queued::Waiting(asked)) => {
                tokio::spawn(async move {
                    let answer = answer(asked, options).await;
                    counted.end(answer.map_or_else(|error| Ended::of(&error), |(_, ended)| ended));
                });
                return Ok(None);
            }
            Ok(Queued::Over(asked, outcome)) => (asked, outcome),
            Ok(Queued::Answered(response, ended)) => {
                counted.end(ended);
                return Ok(Some(response));
            }
            Err(error) => {
                counted.end(Ended::of(&error));
                return Err(error);
            }
        };
        let sent = !refused_by_engine(&outcome);
        match respond(&asked, outcome, options.format) {
            Ok((response, ended)) => {
                counted.end(if sent { ended } else { Ended::Refused });
                Ok((!sent).then_some(response))
            }
            Err(error) => {
                counted.end(Ended::of(&error));
                if sent { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Keeps a command until the device can be asked, and its result; returns its id.
    ///
    /// # Errors
    /// There is no such device, the command has expired, too many wait, or the store failed.
    pub async fn submit(&self, endpoint: &str, command: NewCommand) -> Result<Uuid, RpcError> {
        self.devices.require(endpoint).await?;
        let id = self.persistent.submit(endpoint, command).await?;
        // The device may have been removed in between.
        if let Err(error) = self.devices.require(endpoint).await {
            self.persistent.forget(endpoint).await?;
            return Err(error.into());
        }
        Ok(id)
    }

    /// A persistent command.
    ///
    /// # Errors
    /// [`RpcError::NotFound`], or the store failed.
    pub async fn get(&self, id: &str) -> Result<RpcCommand, RpcError> {
        self.persistent.get(id).await
    }

    /// Persistent commands of a device, oldest first.
    ///
    /// # Errors
    /// There is no such device, the cursor is not one of the list, or the store failed.
    pub async fn list(&self, endpoint: &str, query: &RpcQuery) -> Result<RpcPage, RpcError> {
        self.devices.require(endpoint).await?;
        self.persistent.list(endpoint, query).await
    }

    /// Removes a persistent command. One that waits is not delivered any more; whether a device
    /// carries out one that was sent is not known.
    ///
    /// # Errors
    /// [`RpcError::NotFound`], or the store failed.
    pub async fn delete(&self, id: &str) -> Result<(), RpcError> {
        self.persistent.delete(id).await
    }

    /// Removes the persistent commands of a device that is removed.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn forget(&self, endpoint: &str) -> Result<(), RpcError> {
        self.persistent.forget(endpoint).await
    }

    async fn wait_for_answer(
        &self,
        endpoint: &str,
        call: &RpcCall,
        options: CallOptions,
    ) -> Result<(RpcResponse, Ended), RpcError> {
        match self.hand_over(endpoint, call, options).await? {
            Handed::Answered(response, ended) => Ok((response, ended)),
            Handed::Asked(asked) => answer(asked, options).await,
        }
    }

    /// Hands a command over and waits until the device's queue has taken or refused it.
    async fn queue(
        &self,
        endpoint: &str,
        call: &RpcCall,
        options: CallOptions,
    ) -> Result<Queued, RpcError> {
        let mut asked = match self.hand_over(endpoint, call, options).await? {
            Handed::Answered(response, ended) => return Ok(Queued::Answered(response, ended)),
            Handed::Asked(asked) => asked,
        };
        // What is asked of a device is handled in order: with this answer the command before it
        // has been looked at.
        let looked_at = self.asker.engine().context(endpoint).await;
        Ok(match asked.flight.try_done() {
            Some(outcome) => Queued::Over(asked, outcome),
            None if matches!(looked_at, Err(EngineError::Stopped)) => {
                return Err(EngineError::Stopped.into());
            }
            None => Queued::Waiting(asked),
        })
    }

    async fn hand_over(
        &self,
        endpoint: &str,
        call: &RpcCall,
        options: CallOptions,
    ) -> Result<Handed, RpcError> {
        let wait = options.timeout_millis;
        let handed = self.asker.ask(endpoint, call, options, wait).await?;
        if let Handed::Answered(_, Ended::NotRegistered) = &handed {
            self.devices.require(endpoint).await?;
        }
        Ok(handed)
    }
}

/// A command after the device's queue looked at it.
enum Queued {
    /// Answered without asking the device.
    Answered(RpcResponse, Ended),
    /// Over already: refused by the queue, or the device was quick.
    Over(Asked, DeviceOutcome),
    /// On its way.
    Waiting(Asked),
}

async fn answer(mut asked: Asked, options: CallOptions) -> Result<(RpcResponse, Ended), RpcError> {
    let outcome = asked.flight.done().await.ok_or(EngineError::Stopped)?;
    respond(&asked, outcome, options.format)
}

fn respond(
    asked: &Asked,
    outcome: DeviceOutcome,
    format: ValueFormat,
) -> Result<(RpcResponse, Ended), RpcError> {
    if outcome == Err(RequestError::QueueFull) {
        return Err(RpcError::QueueFull(RequestError::QueueFull));
    }
    let refused = refused_by_engine(&outcome);
    match asked.question.respond(outcome, format, &asked.device) {
        Ok(response) => {
            let ended = if refused {
                Ended::Refused
            } else {
                Ended::of_response(&response)
            };
            Ok((response, ended))
        }
        Err(Timeout { detail }) => Err(RpcError::Timeout { detail }),
    }
}

/// Whether the command was refused before it was sent.
fn refused_by_engine(outcome: &DeviceOutcome) -> bool {
    matches!(
        outcome,
        Err(RequestError::NotRegistered
            | RequestError::QueueFull
            | RequestError::Invalid(_)
            | RequestError::Conflict { .. }
            | RequestError::NotObserved)
    )
}

#[cfg(test)]
mod tests;
