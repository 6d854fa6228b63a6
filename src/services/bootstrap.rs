//! Bootstrap: what each device is told, by its profile and its credentials, and how its sessions go.
//!
//! The engine asks and tells over one bounded queue, which one task reads in order: so a device that
//! begins anew ends its earlier session, whichever shard has that.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::engine::{Engine, Event, EventKind, Severity};
use super::provisioning::Provisioning;
use super::storage::{self, Change, Store, StoreError, Table};
use crate::engine::EngineHandle;
use crate::engine::bootstrap::configuration::Configuration;
use crate::engine::bootstrap::desk::{Asked, Order, Refusal, Told};
use crate::proto::time::UnixMillis;

mod configure;
mod placement;
mod sessions;

pub use placement::{
    MAX_RULES, MAX_TARGETS, MAX_WEIGHT, Match, Placed, Placement, PlacementFault, Rule, Target,
};
pub use sessions::{MAX_REMEMBERED, SessionView};

use configure::Refused;
use sessions::Sessions;

/// What is told that is looked at together.
const BATCH: usize = 256;

/// How long to wait before the store is tried again, in ms.
const AGAIN_MILLIS: u64 = 1_000;

/// Key of the one record of the placement.
const PLACEMENT: &str = "placement";

/// What the configuration of the server says of bootstrap.
#[derive(Clone, Debug, Default)]
pub struct BootstrapSettings {
    /// Whether devices that are not provisioned are let in.
    pub allow_unknown: bool,
    /// What a host of `0.0.0.0` is told as; empty for `localhost`.
    pub public_host: String,
}

/// Why a placement is not in force.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    /// It cannot be used.
    #[error(transparent)]
    Refused(#[from] PlacementFault),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The bootstrap service.
pub struct Bootstrap {
    engine: Arc<dyn Engine>,
    provisioning: Provisioning,
    store: Arc<dyn Store>,
    settings: BootstrapSettings,
    placement: ArcSwap<Placement>,
    sessions: Mutex<Sessions>,
}

impl Bootstrap {
    /// The service for devices of `provisioning`, with the placement in `store`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(
        engine: Arc<dyn Engine>,
        provisioning: Provisioning,
        store: Arc<dyn Store>,
        settings: BootstrapSettings,
    ) -> Result<Self, StoreError> {
        let (table, key) = (Table::BootstrapPlacement, PLACEMENT);
        let placement = storage::read::<Placement>(&*store, table, key).await?;
        Ok(Self {
            engine,
            provisioning,
            store,
            settings,
            placement: ArcSwap::from_pointee(placement.unwrap_or_default()),
            sessions: Mutex::default(),
        })
    }

    /// Which servers devices are told in place of those of their profiles.
    #[must_use]
    pub fn placement(&self) -> Arc<Placement> {
        self.placement.load_full()
    }

    /// Has devices told other servers from their next bootstrap on.
    ///
    /// # Errors
    /// It cannot be used, or the store failed; then nothing changes.
    pub async fn place(&self, placement: Placement) -> Result<Arc<Placement>, PlacementError> {
        let profiles = self.provisioning.profiles();
        placement.check(|name| profiles.contains(name))?;
        let change = Change::put(Table::BootstrapPlacement, PLACEMENT, &placement)?;
        let placement = Arc::new(placement);
        self.store.write(vec![change]).await?;
        self.placement.store(Arc::clone(&placement));
        Ok(placement)
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
        let mut waiting = Vec::new();
        while told.recv_many(&mut waiting, BATCH).await > 0 {
            while !waiting.is_empty() {
                let next = until_one_asks_again(&waiting);
                let mut found = self.look_up(&waiting[..next]).await;
                for told in waiting.drain(..next) {
                    self.on_told(&engine, told, &mut found).await;
                }
            }
        }
    }

    /// Ends what devices had before the credentials that were generated for them, as soon as they have
    /// registered with these. To be run for as long as the engine runs.
    pub async fn retire_former(self: Arc<Self>) {
        let index = Arc::clone(self.provisioning.credentials());
        loop {
            for (endpoint, identity) in index.next_used().await {
                let retired = self.provisioning.retire_former(&endpoint, identity, now());
                match retired.await {
                    Ok(true) => self.note(&endpoint, false, RETIRED.to_owned()),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(endpoint = &*endpoint, %error, "former credentials hold on");
                        index.used_again((endpoint, identity));
                        tokio::time::sleep(Duration::from_millis(AGAIN_MILLIS)).await;
                    }
                }
            }
        }
    }

    /// What devices that ask are told, in their order. Storing what is generated for them takes time: it
    /// is done for all at once.
    async fn look_up(&self, waiting: &[Told]) -> VecDeque<Result<Configuration, Refused>> {
        let asked = waiting.iter().filter_map(|told| match told {
            Told::Asked(asked) => Some(&**asked),
            _ => None,
        });
        let (provisioning, settings) = (&self.provisioning, &self.settings);
        let placement = &**self.placement.load();
        let found = asked
            .map(|asked| configure::configuration(provisioning, settings, placement, asked, now()));
        join_all(found).await.into()
    }

    async fn on_told(
        &self,
        engine: &EngineHandle,
        told: Told,
        found: &mut VecDeque<Result<Configuration, Refused>>,
    ) {
        match told {
            Told::Asked(asked) => {
                if let Some(found) = found.pop_front() {
                    self.on_asked(engine, *asked, found).await;
                }
            }
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

    async fn on_asked(
        &self,
        engine: &EngineHandle,
        asked: Asked,
        found: Result<Configuration, Refused>,
    ) {
        let ticket = asked.ticket;
        let order = match found {
            Ok(configuration) => {
                let before = self.lock().began(&asked, &configuration, now());
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

const RETIRED: &str =
    "The device has registered with the credentials generated for it; the former ones ended.";

/// How many of these come before one of a device that has asked among them already.
fn until_one_asks_again(waiting: &[Told]) -> usize {
    let mut asking = HashSet::new();
    let again = waiting.iter().position(|told| match told {
        Told::Asked(asked) => !asking.insert(&*asked.endpoint),
        _ => false,
    });
    again.unwrap_or(waiting.len())
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as UnixMillis)
}

#[cfg(test)]
mod tests;
