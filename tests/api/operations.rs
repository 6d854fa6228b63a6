use rookery::ops::health::Phase;
use rookery::ops::metrics::METRICS;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn readiness_follows_the_life_of_the_process() {
    let server = Server::start().await;
    let client = server.anonymous();
    for (phase, status) in [
        (Phase::Starting, 503),
        (Phase::Ready, 200),
        (Phase::Draining, 503),
    ] {
        server.health.enter(phase);
        let reply = client.get("/readyz").await;
        assert_eq!(
            (reply.status.as_u16(), reply.text()),
            (status, format!("{}\n", phase.name()))
        );
        assert_eq!(client.get("/livez").await.status, 200);
    }
}

#[tokio::test]
async fn the_server_describes_itself() {
    let server = Server::start().await;
    let about = server.admin.get("/api/v1/server").await.json();
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["phase"], "ready");
    assert_eq!(about["shards"], 2);
    assert_eq!(
        about["listeners"],
        json!([
            {"name": "coap", "transport": "udp", "address": "127.0.0.1:5685"},
            {"name": "http", "transport": "tcp", "address": server.admin.address.to_string()},
        ])
    );
    assert_eq!(
        about["provisioning"],
        json!({"allowUnknown": false, "profile": "default"})
    );
}

#[tokio::test]
async fn requests_are_counted_by_route_template() {
    let server = Server::start().await;
    server.admin.get("/api/v1/devices/some-device").await;
    server.admin.get("/nothing/here").await;
    let reply = server.anonymous().get("/metrics").await;
    assert_eq!(
        reply.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = reply.text();
    let counted = |method: &str, route: &str, status: &str| {
        text.lines().any(|line| {
            line.starts_with("lwm2m_api_requests_total{")
                && line.contains(&format!("method=\"{method}\""))
                && line.contains(&format!("route=\"{route}\""))
                && line.contains(&format!("status=\"{status}\""))
        })
    };
    assert!(
        counted("GET", "/api/v1/devices/{endpoint}", "404"),
        "{text}"
    );
    assert!(counted("GET", "unmatched", "404"), "{text}");
    assert!(!text.contains("some-device"), "no label names a device");
}

#[tokio::test]
async fn every_metric_scraped_is_in_the_catalogue() {
    let server = Server::start().await;
    server.admin.get("/api/v1/devices").await;
    let text = server.anonymous().get("/metrics").await.text();
    let mut seen = 0;
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("# TYPE ") else {
            continue;
        };
        let (name, kind) = rest.split_once(' ').unwrap();
        let listed = METRICS.iter().find(|metric| metric.name == name);
        let listed = listed.unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        assert_eq!(kind, listed.kind.name(), "{name}");
        seen += 1;
    }
    assert!(seen > 5, "{text}");
}
