//! Logs on standard error, with levels that can be changed while running.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::config::{Log, LogFormat};

/// Changes the levels of the running process.
#[derive(Clone, Debug)]
pub struct LogLevels(reload::Handle<EnvFilter, Registry>);

/// Why logging is not as it was asked to be.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The levels cannot be read.
    #[error("log levels: {0}")]
    Levels(#[from] ParseError),
    /// Logging was set up before.
    #[error("logging is set up already: {0}")]
    Installed(#[from] TryInitError),
    /// Logging has been torn down.
    #[error("log levels cannot be changed: {0}")]
    Reload(#[from] reload::Error),
}

/// Sets up the logs of the process.
///
/// # Errors
/// The levels cannot be read, or logging was set up before.
pub fn install(log: &Log) -> Result<LogLevels, LogError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => registry.with(lines).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    Ok(LogLevels(handle))
}

/// The storage library tells of each of its files at `info`: that is shown only to who asks for it.
fn filter(levels: &str) -> Result<EnvFilter, ParseError> {
    let filter = EnvFilter::builder().parse(levels)?;
    let quiet = filter.max_level_hint() >= Some(LevelFilter::INFO);
    ["fjall", "lsm_tree"]
        .into_iter()
        .filter(|library| quiet && !levels.contains(library))
        .try_fold(filter, |filter, library| {
            Ok(filter.add_directive(format!("{library}=warn").parse()?))
        })
}

impl LogLevels {
    /// Replaces the levels.
    ///
    /// # Errors
    /// The levels cannot be read.
    pub fn set(&self, levels: &str) -> Result<(), LogError> {
        self.0.reload(filter(levels)?)?;
        Ok(())
    }
}
