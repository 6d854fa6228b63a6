//! Signals: SIGTERM and SIGINT stop, SIGHUP reloads what can be reloaded.

use std::sync::Arc;

use anyhow::Context;
use rookery::engine::EngineHandle;
use rookery::ops::config::{Dtls, Effective};
use rookery::ops::logging::LogLevels;
use rookery::services::credentials::{Credentials, Keys};
use rookery::services::models::Models;
use rookery::services::secured::{self, Resumption};
use rookery::services::tokens::Tokens;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::cli::arguments::Place;
use crate::cli::configuration;

/// What a signal asks for.
pub(super) enum Told {
    Reload,
    Stop,
}

pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn install() -> anyhow::Result<Self> {
        let install = |kind| signal(kind).context("cannot wait for signals");
        Ok(Self {
            hangup: install(SignalKind::hangup())?,
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

/// Reads the configuration again and applies what can be applied.
pub(super) struct Reload {
    running: Effective,
    levels: LogLevels,
    place: Place,
    dev: bool,
}

impl Reload {
    pub(super) fn new(running: Effective, levels: LogLevels, place: Place, dev: bool) -> Self {
        Self {
            running,
            levels,
            place,
            dev,
        }
    }

    pub(super) async fn run(
        &mut self,
        tokens: &Tokens,
        models: &Models,
        credentials: &Credentials,
        resumption: &Resumption,
        engine: &EngineHandle,
    ) {
        match configuration::load(&self.place, self.dev) {
            Ok(newer) => {
                self.reload_keys(&newer, credentials, resumption, engine)
                    .await;
                self.apply(newer);
            }
            Err(error) => {
                let error = format!("{error:#}");
                error!(
                    error,
                    "the configuration was not reloaded, the running one stays"
                );
            }
        }
        match tokens.reload().await {
            Ok(count) => info!(count, "tokens reloaded"),
            Err(error) => error!(%error, "tokens were not reloaded"),
        }
        match models.reload().await {
            Ok(count) => info!(count, "object definitions reloaded"),
            Err(error) => error!(%error, "object definitions were not reloaded"),
        }
    }

    /// The files are read again also when the configuration names the same ones.
    async fn reload_keys(
        &mut self,
        newer: &Effective,
        credentials: &Credentials,
        resumption: &Resumption,
        engine: &EngineHandle,
    ) {
        match credentials.reload(&configuration::key_settings(&newer.config)) {
            Ok(changes) => {
                let changed: Vec<_> = changes.iter().map(|change| change.discriminant()).collect();
                info!(?changed, "DTLS keys and certificates reloaded");
                if secured::is_shown(&changes) {
                    show(&credentials.keys(), resumption, engine).await;
                }
                let running = &mut self.running.config.dtls;
                *running = Dtls {
                    cid_length: running.cid_length,
                    max_handshakes: running.max_handshakes,
                    max_sessions_without_etm: running.max_sessions_without_etm,
                    session_ids: running.session_ids,
                    handshake_timeout: running.handshake_timeout,
                    ..newer.config.dtls.clone()
                };
            }
            Err(error) => error!(
                %error,
                "DTLS keys and certificates were not reloaded, those in force stay"
            ),
        }
    }

    fn apply(&mut self, newer: Effective) {
        for change in self.running.changes(&newer) {
            let (key, value) = (change.key, change.value);
            if !change.reloads {
                warn!(key, value, "changed, but takes a restart");
            }
        }
        let level = newer.config.log.level;
        if level != self.running.config.log.level {
            match self.levels.set(&level) {
                Ok(()) => {
                    info!(level, "log.level applied");
                    self.running.config.log.level = level;
                }
                Err(error) => error!(%error, "log.level was not applied"),
            }
        }
        info!("configuration reloaded");
    }
}

/// Shows other keys in handshakes from now on.
async fn show(keys: &Keys, resumption: &Resumption, engine: &EngineHandle) {
    match secured::contexts(keys, resumption) {
        Ok(Some(contexts)) => engine.show(Arc::new(contexts)).await,
        Ok(None) => warn!("no security mode can be served: handshakes go on with the keys before"),
        Err(error) => {
            error!(%error, "the keys cannot be shown, handshakes go on with those before")
        }
    }
}
