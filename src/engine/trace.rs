//! Traces: every message to and from one device, as it goes over the wire, for whoever looks at it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::proto::time::UnixMillis;

use super::handle::EngineError;

/// Traces at once.
pub const MAX_TRACES: usize = 4;

/// Messages a trace may be behind; further ones are left out and counted.
pub const QUEUE: usize = 256;

/// Why a device is not traced.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TraceError {
    /// As many devices are traced as can be.
    #[error("{MAX_TRACES} devices are traced already, which is as many as can be at once")]
    TooMany,
    /// The shard is busy or the engine stops.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A message of a traced device.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedMessage {
    /// When.
    pub ts: UnixMillis,
    /// From the device, or to it.
    pub incoming: bool,
    /// Its address; `None` where it is not known yet.
    pub peer: Option<SocketAddr>,
    /// The datagram.
    pub bytes: Box<[u8]>,
    /// Messages before it that are left out because the trace was read too slowly.
    pub lost: u64,
}

/// The messages of one device from now on. Dropped, the trace ends; it ends as well when the engine
/// forgets the device.
#[derive(Debug)]
pub struct Trace {
    messages: mpsc::Receiver<TracedMessage>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Trace {
    /// A trace of what comes through a channel.
    #[must_use]
    pub fn of(messages: mpsc::Receiver<TracedMessage>) -> Self {
        Self {
            messages,
            _permit: None,
        }
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<TracedMessage> {
        self.messages.recv().await
    }
}

/// Bounds how many traces there are.
#[derive(Debug)]
pub struct Tracing(Arc<Semaphore>);

impl Default for Tracing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_TRACES)))
    }
}

impl Tracing {
    /// A new trace and where its messages are put.
    ///
    /// # Errors
    /// [`TraceError::TooMany`]
    pub fn begin(&self) -> Result<(mpsc::Sender<TracedMessage>, Trace), TraceError> {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        let permit = permit.map_err(|_| TraceError::TooMany)?;
        let (sender, messages) = mpsc::channel(QUEUE);
        let trace = Trace {
            messages,
            _permit: Some(permit),
        };
        Ok((sender, trace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_that_ends_makes_room_for_another() {
        let tracing = Tracing::default();
        let mut open: Vec<_> = (0..MAX_TRACES).map(|_| tracing.begin().unwrap()).collect();
        assert_eq!(tracing.begin().unwrap_err(), TraceError::TooMany);
        open.pop();
        assert!(tracing.begin().is_ok());
    }
}
