//! Bootstrap: what each device is told, by its profile and its credentials, and how its sessions go.
//!
//! The engine asks and tells over one bounded queue, which one task reads in order: so a device that
//! begins anew ends its earlier session, whichever shard has that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::engine::{Engine, Event, EventKind, Severity};
use super::provisioning::Provisioning;
use crate::engine::EngineHandle;
use crate::engine::bootstrap::desk::{Asked, Order, Refusal, Told};
use crate::proto::time::UnixMillis;

mod configure;
mod sessions;

pub use sessions::{MAX_REMEMBERED, SessionView};

use sessions::Sessions;

/// The bootstrap service.
pub struct Bootstrap {
    engine: Arc<dyn Engine>,
    provisioning: Provisioning,
    /// Whether devices that are not provisioned are let in.
    allow_unknown: bool,
    sessions: Mutex<Sessions>,
}

impl Bootstrap {
    /// The service for devices of `provisioning`.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, provisioning: Provisioning, allow_unknown: bool) -> Self {
        Self {
            engine,
            provisioning,
            allow_unknown,
            sessions: Mutex::default(),
        }
    }

    /// Answers devices of an engine until it stops. The first service of an engine does.
    pub async fn serve(self: Arc<Self>, engine: EngineHandle) {
        if let Some(told) = engine.bootstraps() {
            self.follow(engine, told).await;
        }
    }

    /// Latest session of each device, newest first; `None` for all devices.
    #[must_use]
    pub fn sessions(&self, endpoint: Option<&str>, limit: usize) -> Vec<SessionView> {
        self.lock().newest(endpoint, limit)
    }

    async fn follow(&self, engine: EngineHandle, mut told: mpsc::Receiver<Told>) {
        while let Some(told) = told.recv().await {
            match told {
                Told::Asked(asked) => self.on_asked(&engine, *asked).await,
                Told::Note {
                    endpoint,
                    is_error,
                    text,
                } => {
                    self.lock().noted(&endpoint, is_error, &text);
                    self.note(&endpoint, is_error, text);
                }
                Told::Ended {
                    ticket,
                    endpoint,
                    end,
                } => self.lock().ended(ticket, &endpoint, end, now()),
            }
        }
    }

    async fn on_asked(&self, engine: &EngineHandle, asked: Asked) {
        let ticket = asked.ticket;
        let order =
            match configure::configuration(&self.provisioning, self.allow_unknown, &asked).await {
                Ok(configuration) => {
                    let before = self.lock().began(&asked, now());
                    if let Some(before) = before {
                        engine.direct(before, Order::Supersede).await;
                    }
                    let text = format!("Bootstrap session started... {}", asked.address);
                    self.note(&asked.endpoint, false, text);
                    Order::Configure(Arc::new(configuration))
                }
                Err(refused) => {
                    let (refusal, text) = (refused.refusal(), refused.to_string());
                    tracing::debug!(endpoint = &*asked.endpoint, text, "a bootstrap is refused");
                    // Whoever claims a name over plain CoAP is not to fill the log of its owner.
                    if refusal != Refusal::Unauthorized {
                        self.note(&asked.endpoint, true, text.clone());
                    }
                    self.lock().refused(&asked, refusal, text, now());
                    Order::Refuse(refusal)
                }
            };
        engine.direct(ticket, order).await;
    }

    /// Adds to the transport log of a device; one that has never registered has none, and only
    /// listeners are told.
    fn note(&self, endpoint: &Arc<str>, is_error: bool, text: String) {
        let severity = if is_error {
            Severity::Error
        } else {
            Severity::Info
        };
        if self.engine.holds(endpoint) {
            return self.engine.note(endpoint, severity, text);
        }
        self.engine.publish(Event {
            ts: now(),
            endpoint: Arc::clone(endpoint),
            kind: EventKind::TransportLog {
                level: severity.name(),
                text: text.into(),
            },
        });
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as UnixMillis)
}

#[cfg(test)]
mod tests;
