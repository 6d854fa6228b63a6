//! Sockets of the API, with errors that say what to change.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use rookery::ops::config::Effective;
use tokio::net::{TcpListener, UnixListener};
use tracing::warn;

/// Binds the HTTP listener.
pub(super) async fn http(
    address: SocketAddr,
    effective: &Effective,
) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| cannot_listen("http", "tcp", address, effective))
}

/// What to say when a listener cannot be bound.
pub(super) fn cannot_listen(
    key: &str,
    transport: &str,
    address: SocketAddr,
    effective: &Effective,
) -> String {
    format!(
        "cannot listen on {address}/{transport} ({key} under [listen], from {}); choose another \
         address there or with ROOKERY_LISTEN__{}, or stop what holds it",
        effective.origin(&format!("listen.{key}")),
        key.to_uppercase()
    )
}

/// Binds the socket file for those who own the data directory. The store is open: whatever is
/// there was left by a server that is gone. Without it the server serves all the same.
pub(super) fn local(file: &Path) -> Option<UnixListener> {
    let _ = fs::remove_file(file);
    let bound = UnixListener::bind(file).and_then(|listener| {
        fs::set_permissions(file, Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    match bound {
        Ok(listener) => Some(listener),
        Err(error) => {
            warn!(
                file = %file.display(), %error,
                "commands such as `rookery token` cannot reach this server"
            );
            None
        }
    }
}
