//! The way into the engine for services and the API.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::broadcast;

use super::command::DeviceFilter;
use super::event::Event;
use super::view::{AttributesView, DeviceSummary, RegistrationView, TelemetryView};

/// Index of a device profile.
pub type ProfileId = u16;

/// A place in the list of endpoints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cursor {
    /// Shard index.
    pub shard: u16,
    /// Slot of the shard.
    pub slot: u32,
}

/// Why the engine did not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The command queue of the shard is full.
    #[error("the engine is busy")]
    Busy,
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot bind {address}: {source}")]
    Bind {
        address: SocketAddr,
        source: std::io::Error,
    },
}

/// What the engine is started with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub listen_coap: Option<SocketAddr>,
    pub shards: usize,
    pub allow_unknown: bool,
    pub max_endpoints: usize,
    pub recv_buffer: usize,
    pub send_buffer: usize,
    pub pin: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            listen_coap: None,
            shards: 0,
            allow_unknown: false,
            max_endpoints: 2_000_000,
            recv_buffer: 8 << 20,
            send_buffer: 8 << 20,
            pin: true,
        }
    }
}

/// Counters of the engine.
#[derive(Debug, Default)]
pub struct EngineMetrics;

impl EngineMetrics {
    /// Appends the counters as Prometheus text.
    pub fn render(&self, _out: &mut String) {}
}

/// Handle on a running engine.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    shards: usize,
    listeners: Arc<[(&'static str, SocketAddr)]>,
    admitted: Arc<DashMap<String, ProfileId>>,
    events: broadcast::Sender<Arc<Event>>,
    metrics: Arc<EngineMetrics>,
}

/// A running engine.
#[derive(Debug)]
pub struct RunningEngine {
    handle: EngineHandle,
    _socket: Option<UdpSocket>,
}

/// Starts the engine.
pub fn start(config: EngineConfig) -> Result<RunningEngine, StartError> {
    let socket = config
        .listen_coap
        .map(|address| {
            UdpSocket::bind(address).map_err(|source| StartError::Bind { address, source })
        })
        .transpose()?;
    let listeners = socket
        .iter()
        .filter_map(|socket| Some(("coap", socket.local_addr().ok()?)))
        .collect();
    Ok(RunningEngine {
        handle: EngineHandle {
            shards: config.shards.max(1),
            listeners,
            admitted: Arc::default(),
            events: broadcast::channel(1024).0,
            metrics: Arc::default(),
        },
        _socket: socket,
    })
}

impl RunningEngine {
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    pub async fn shutdown(self, _deadline: Duration) {}
}

impl EngineHandle {
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards
    }

    #[must_use]
    pub fn listeners(&self) -> &[(&'static str, SocketAddr)] {
        &self.listeners
    }

    pub async fn list(
        &self,
        _filter: DeviceFilter,
        _from: Cursor,
        _limit: usize,
    ) -> Result<(Vec<DeviceSummary>, Option<Cursor>), EngineError> {
        Ok((Vec::new(), None))
    }

    pub async fn summary(&self, _endpoint: &str) -> Result<Option<DeviceSummary>, EngineError> {
        Ok(None)
    }

    pub async fn registration(
        &self,
        _endpoint: &str,
    ) -> Result<Option<Box<RegistrationView>>, EngineError> {
        Ok(None)
    }

    pub async fn telemetry(&self, _endpoint: &str) -> Result<Option<TelemetryView>, EngineError> {
        Ok(None)
    }

    pub async fn attributes(&self, _endpoint: &str) -> Result<Option<AttributesView>, EngineError> {
        Ok(None)
    }

    pub async fn remove(&self, _endpoint: &str) -> Result<bool, EngineError> {
        Ok(false)
    }

    #[must_use]
    pub fn holds(&self, _endpoint: &str) -> bool {
        false
    }

    pub fn admit(&self, endpoint: &str, profile: ProfileId) {
        self.admitted.insert(endpoint.to_owned(), profile);
    }

    pub fn withdraw(&self, endpoint: &str) {
        self.admitted.remove(endpoint);
    }

    #[must_use]
    pub fn is_admitted(&self, endpoint: &str) -> bool {
        self.admitted.contains_key(endpoint)
    }

    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    #[must_use]
    pub fn metrics(&self) -> &EngineMetrics {
        &self.metrics
    }
}
