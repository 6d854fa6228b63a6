//! Connections: accepted up to a limit, served as HTTP/1.1, ended in order when the server stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower_service::Service;
use tracing::debug;

/// Connections at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1_024;

/// Time for the head of a request, from the end of the one before.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// The socket file in the data directory, which only its owner can open.
    Local,
    /// This address.
    Tcp(SocketAddr),
}

/// Serves `router` on `listener` until `stopping` becomes `true`; then lets running requests end,
/// for at most `grace`.
pub async fn serve<L: Listener>(
    mut listener: L,
    peer_of: impl Fn(L::Addr) -> Peer + Send,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    grace: Duration,
) {
    let limit = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&mut listener, &limit) => accepted,
            () = told_to_stop(&mut stopping) => break,
            Some(_) = connections.join_next() => continue,
        };
        let Some((io, address, permit)) = accepted else {
            break;
        };
        let peer = peer_of(address);
        let connection = serve_connection(io, peer, router.clone(), stopping.clone());
        connections.spawn(async move {
            metrics::gauge!("lwm2m_api_connections").increment(1.0);
            connection.await;
            metrics::gauge!("lwm2m_api_connections").decrement(1.0);
            drop(permit);
        });
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all_ended).await.is_err() {
        debug!(open = connections.len(), "connections are cut");
    }
}

async fn accept<L: Listener>(
    listener: &mut L,
    limit: &Arc<Semaphore>,
) -> Option<(L::Io, L::Addr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = limit.clone().acquire_owned().await.ok()?;
    let (io, address) = listener.accept().await;
    Some((io, address, permit))
}

async fn serve_connection(
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        // A router is always ready to be called.
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = told_to_stop(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        debug!(?peer, %error, "a connection ended with an error");
    }
}

/// Waits until told to stop, also by the end of whoever would tell.
async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
