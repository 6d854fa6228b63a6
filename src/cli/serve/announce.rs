//! What a person who started the server reads first.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rookery::ops::config::Config;
use rookery::services::engine::{Engine, Restored};
use tracing::{info, warn};

/// What was started.
pub(super) struct Started<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) http: Option<SocketAddr>,
    pub(super) config: &'a Config,
    pub(super) provisioned: usize,
    pub(super) tokens: usize,
}

/// Prints one line for each listener, then what to do next.
pub(super) fn started(started: &Started<'_>, dev: bool) {
    let mut lines = listeners(started);
    if dev {
        lines.extend(next_steps(started));
    } else if started.tokens == 0 {
        let data = started.config.store.path.display();
        lines.push(format!(
            "no API token yet: rookery token create --role admin --data {data}"
        ));
    }
    // Nobody may be reading: that is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
}

/// Says what became of the devices that were kept, once for the log and once for the metrics.
pub(super) fn restored(restored: &Restored, took: Duration) {
    for (result, count) in restored.by_result() {
        metrics::counter!("lwm2m_state_restored_total", "result" => result).absolute(count);
    }
    let Restored {
        registered,
        unregistered,
        expired,
        refused,
        duplicates,
        full,
        unreadable,
        left_behind,
        sessions,
    } = *restored;
    for (result, count) in sessions.by_result() {
        metrics::counter!("lwm2m_dtls_sessions_restored_total", "result" => result).absolute(count);
    }
    info!(
        registered,
        unregistered,
        expired,
        refused,
        dtls_sessions = sessions.restored,
        millis = took.as_millis(),
        "devices are as they were"
    );
    if unreadable > 0 {
        warn!(
            unreadable,
            "records of devices could not be read and were set aside: those devices register again"
        );
    }
    if sessions.unreadable > 0 {
        warn!(
            unreadable = sessions.unreadable,
            "DTLS sessions could not be read, most likely because their key file is not the one they \
             were kept under: those devices make new ones"
        );
    }
    if left_behind > 0 {
        warn!(
            left_behind,
            "engine.shards is smaller than before: devices of the shards that went register again"
        );
    }
    if full + duplicates > 0 {
        warn!(
            full,
            duplicates, "devices were left out: beyond engine.max_endpoints, or kept twice"
        );
    }
}

fn listeners(started: &Started<'_>) -> Vec<String> {
    let mut lines = vec![format!(
        "rookery {} (shards: {}, provisioned devices: {}, data: {})",
        env!("CARGO_PKG_VERSION"),
        started.engine.shards(),
        started.provisioned,
        started.config.store.path.display()
    )];
    for (name, address) in started.engine.listeners() {
        let scheme = name.strip_prefix("bootstrap_").unwrap_or(name);
        let name = name.replace('_', " ");
        lines.push(format!("  {name:<5} {scheme}://{address}"));
    }
    if let Some(address) = started.http {
        lines.push(format!("  http  http://{address}"));
    }
    lines
}

fn next_steps(started: &Started<'_>) -> Vec<String> {
    let mut lines = vec![
        "development form: any endpoint may register, the API needs no token from this machine"
            .to_owned(),
    ];
    if let Some((_, coap)) = started.engine.listeners().first() {
        lines.push(format!("  devices register at coap://{}", reachable(*coap)));
    }
    if let Some(http) = started.http.map(reachable) {
        lines.push(format!("  curl http://{http}/api/v1/devices"));
        lines.push(format!("  curl -N http://{http}/api/v1/events"));
        lines.push(format!("  curl http://{http}/metrics"));
    }
    lines
}

/// An address to connect to, where the one bound is a wildcard.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}
