//! What is counted of commands.

use std::time::Instant;

use super::{RpcError, RpcResponse};

/// How a command was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Twoway,
    Oneway,
    Persistent,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    /// With a code of class 2.
    Success,
    /// With an error of the device, or an answer that is none.
    Error,
    /// Refused before it was sent.
    Refused,
    /// The device is not registered.
    NotRegistered,
    /// The device did not answer in time.
    Timeout,
    /// The queue of the device or of the engine, or the room for persistent commands, is full.
    Busy,
    /// The engine or the store failed, or the server stops.
    Failed,
    /// The caller went away.
    Abandoned,
    /// Too late for the device.
    Expired,
    /// Removed by the caller, or with the device.
    Deleted,
}

impl Ended {
    const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::NotRegistered => "not_registered",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }

    /// Of a command the device was asked for.
    pub(super) fn of_response(response: &RpcResponse) -> Self {
        if response.is_success() && response.error.is_none() {
            Self::Success
        } else {
            Self::Error
        }
    }

    pub(super) const fn of(error: &RpcError) -> Self {
        match error {
            RpcError::Timeout { .. } => Self::Timeout,
            RpcError::QueueFull(_)
            | RpcError::DeviceFull
            | RpcError::Full
            | RpcError::Engine(crate::services::engine::EngineError::Busy) => Self::Busy,
            RpcError::Device(crate::services::devices::DevicesError::NotFound { .. }) => {
                Self::NotRegistered
            }
            RpcError::Expired { .. } => Self::Expired,
            RpcError::Device(_)
            | RpcError::NotFound { .. }
            | RpcError::Cursor(_)
            | RpcError::Engine(_)
            | RpcError::Store(_) => Self::Failed,
        }
    }
}

/// Counts a command once, also when whoever gave it goes away.
pub(super) struct Counted {
    mode: Mode,
    begun: Instant,
    ended: Ended,
}

impl Counted {
    pub(super) fn begin(mode: Mode) -> Self {
        Self {
            mode,
            begun: Instant::now(),
            ended: Ended::Abandoned,
        }
    }

    pub(super) fn end(mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        count(self.mode, self.ended);
        if self.mode == Mode::Twoway {
            let seconds = self.begun.elapsed().as_secs_f64();
            metrics::histogram!("lwm2m_rpc_duration_seconds").record(seconds);
        }
    }
}

/// Counts a command that ended.
pub(super) fn count(mode: Mode, ended: Ended) {
    let mode = match mode {
        Mode::Twoway => "twoway",
        Mode::Oneway => "oneway",
        Mode::Persistent => "persistent",
    };
    metrics::counter!("lwm2m_rpc_commands_total", "mode" => mode, "result" => ended.label())
        .increment(1);
}
