use hyper::Method;
use rookery::services::tokens::Role;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// Every route with the least role that may call it.
const ROUTES: &[(&str, &str, Option<Role>)] = &[
    ("GET", "/api/v1/devices", Some(Role::Viewer)),
    ("POST", "/api/v1/devices:import", Some(Role::Operator)),
    ("GET", "/api/v1/devices/{endpoint}", Some(Role::Viewer)),
    ("PUT", "/api/v1/devices/{endpoint}", Some(Role::Operator)),
    ("DELETE", "/api/v1/devices/{endpoint}", Some(Role::Operator)),
    (
        "GET",
        "/api/v1/devices/{endpoint}/registration",
        Some(Role::Viewer),
    ),
    (
        "GET",
        "/api/v1/devices/{endpoint}/telemetry",
        Some(Role::Viewer),
    ),
    (
        "GET",
        "/api/v1/devices/{endpoint}/attributes",
        Some(Role::Viewer),
    ),
    (
        "PUT",
        "/api/v1/devices/{endpoint}/attributes/shared",
        Some(Role::Operator),
    ),
    (
        "DELETE",
        "/api/v1/devices/{endpoint}/attributes/shared",
        Some(Role::Operator),
    ),
    ("GET", "/api/v1/devices/{endpoint}/log", Some(Role::Viewer)),
    (
        "GET",
        "/api/v1/devices/{endpoint}/trace",
        Some(Role::Operator),
    ),
    (
        "GET",
        "/api/v1/devices/{endpoint}/events",
        Some(Role::Viewer),
    ),
    ("GET", "/api/v1/devices/{endpoint}/rpc", Some(Role::Viewer)),
    (
        "POST",
        "/api/v1/devices/{endpoint}/rpc",
        Some(Role::Operator),
    ),
    ("GET", "/api/v1/rpc/{id}", Some(Role::Viewer)),
    ("DELETE", "/api/v1/rpc/{id}", Some(Role::Operator)),
    ("GET", "/api/v1/events", Some(Role::Viewer)),
    ("GET", "/api/v1/bootstrap/sessions", Some(Role::Viewer)),
    ("GET", "/api/v1/models", Some(Role::Viewer)),
    ("POST", "/api/v1/models", Some(Role::Operator)),
    ("GET", "/api/v1/models/{key}", Some(Role::Viewer)),
    ("DELETE", "/api/v1/models/{key}", Some(Role::Operator)),
    ("GET", "/api/v1/packages", Some(Role::Viewer)),
    ("POST", "/api/v1/packages", Some(Role::Operator)),
    ("GET", "/api/v1/packages/{id}", Some(Role::Viewer)),
    ("DELETE", "/api/v1/packages/{id}", Some(Role::Operator)),
    (
        "GET",
        "/api/v1/devices/{endpoint}/firmware",
        Some(Role::Viewer),
    ),
    (
        "PUT",
        "/api/v1/devices/{endpoint}/firmware",
        Some(Role::Operator),
    ),
    (
        "DELETE",
        "/api/v1/devices/{endpoint}/firmware",
        Some(Role::Operator),
    ),
    (
        "GET",
        "/api/v1/devices/{endpoint}/software",
        Some(Role::Viewer),
    ),
    (
        "PUT",
        "/api/v1/devices/{endpoint}/software",
        Some(Role::Operator),
    ),
    (
        "DELETE",
        "/api/v1/devices/{endpoint}/software",
        Some(Role::Operator),
    ),
    (
        "GET",
        "/api/v1/profiles/{name}/firmware",
        Some(Role::Viewer),
    ),
    (
        "PUT",
        "/api/v1/profiles/{name}/firmware",
        Some(Role::Operator),
    ),
    (
        "DELETE",
        "/api/v1/profiles/{name}/firmware",
        Some(Role::Operator),
    ),
    (
        "GET",
        "/api/v1/profiles/{name}/software",
        Some(Role::Viewer),
    ),
    (
        "PUT",
        "/api/v1/profiles/{name}/software",
        Some(Role::Operator),
    ),
    (
        "DELETE",
        "/api/v1/profiles/{name}/software",
        Some(Role::Operator),
    ),
    ("GET", "/api/v1/campaigns", Some(Role::Viewer)),
    ("POST", "/api/v1/campaigns", Some(Role::Operator)),
    ("GET", "/api/v1/campaigns/{id}", Some(Role::Viewer)),
    ("GET", "/api/v1/campaigns/{id}/devices", Some(Role::Viewer)),
    (
        "POST",
        "/api/v1/campaigns/{id}:{order}",
        Some(Role::Operator),
    ),
    ("DELETE", "/api/v1/campaigns/{id}", Some(Role::Operator)),
    ("GET", "/api/v1/profiles", Some(Role::Viewer)),
    ("GET", "/api/v1/profiles/{name}", Some(Role::Viewer)),
    ("GET", "/api/v1/profiles/{name}/rollout", Some(Role::Viewer)),
    ("PUT", "/api/v1/profiles/{name}", Some(Role::Operator)),
    ("DELETE", "/api/v1/profiles/{name}", Some(Role::Operator)),
    ("GET", "/api/v1/tokens", Some(Role::Admin)),
    ("POST", "/api/v1/tokens", Some(Role::Admin)),
    ("DELETE", "/api/v1/tokens/{id}", Some(Role::Admin)),
    ("GET", "/api/v1/server", Some(Role::Viewer)),
    ("GET", "/api/v1/openapi.json", Some(Role::Viewer)),
    ("GET", "/livez", None),
    ("GET", "/readyz", None),
    ("GET", "/metrics", None),
];

/// Status of a call; event streams are not read.
async fn status(client: &Client, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let path = path.replace("{endpoint}", "dev").replace("{id}", "none");
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let body = http_body_util::Empty::new();
    client
        .open(method, &path, headers, body)
        .await
        .status()
        .as_u16()
}

#[tokio::test]
async fn the_openapi_document_lists_exactly_the_routes_there_are() {
    let server = Server::start().await;
    let document = server.admin.get("/api/v1/openapi.json").await.json();
    let mut documented = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(
                operation["summary"].is_string(),
                "{method} {path} has no summary"
            );
            documented.push((method.to_uppercase(), path.clone()));
        }
    }
    documented.sort();
    let mut expected: Vec<_> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    expected.sort();
    assert_eq!(documented, expected);
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
}

#[tokio::test]
async fn without_a_token_nothing_but_the_probes_is_served_even_on_loopback() {
    let server = Server::start().await;
    for (method, path, role) in ROUTES {
        let status = status(&server.anonymous(), method, path, &[]).await;
        let expected = if role.is_some() { 401 } else { 200 };
        assert_eq!(status, expected, "{method} {path}");
    }
    let refused = server.anonymous().get("/api/v1/devices").await;
    refused.assert_problem(401, "unauthorized");
    assert_eq!(
        refused.headers["www-authenticate"],
        "Bearer realm=\"rookery\""
    );
}

#[tokio::test]
async fn each_role_may_call_what_it_is_for_and_no_more() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/dev", json!({})).await;
    for role in Role::ALL {
        let client = server.with_role(role).await;
        for (method, path, needed) in ROUTES {
            // The event streams of the bounded number would stay open.
            if path.ends_with("/events") {
                continue;
            }
            let status = status(&client, method, path, &[]).await;
            let may = needed.is_none_or(|needed| role >= needed);
            assert_eq!(status != 403, may, "{role:?} {method} {path}: {status}");
            assert_ne!(status, 401, "{role:?} {method} {path}");
        }
    }
    let viewer = server.with_role(Role::Viewer).await;
    let refused = viewer.delete("/api/v1/devices/dev").await;
    let problem = refused.assert_problem(403, "forbidden");
    assert_eq!(problem["needed"], "operator");
}

#[tokio::test]
async fn probes_and_metrics_need_a_token_from_elsewhere() {
    let server = Server::start().await;
    let proxied = [("x-forwarded-for", "192.0.2.1")];
    let viewer = server.with_role(Role::Viewer).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(
            status(&server.anonymous(), "GET", path, &proxied).await,
            401,
            "{path}"
        );
        assert_eq!(status(&viewer, "GET", path, &proxied).await, 200, "{path}");
    }
}

#[tokio::test]
async fn in_development_form_loopback_needs_no_token() {
    let server = Server::start_open().await;
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/api/v1/devices").await.status, 200);
    assert_eq!(
        anonymous.put("/api/v1/devices/a", json!({})).await.status,
        201
    );
    assert_eq!(anonymous.get("/api/v1/tokens").await.status, 200);
    for headers in [
        ("x-forwarded-for", "192.0.2.1"),
        ("host", "rebound.example:8080"),
    ] {
        let status = status(&anonymous, "GET", "/api/v1/devices", &[headers]).await;
        assert_eq!(status, 401, "{headers:?}");
    }
    let wrong = server
        .admin
        .with_token("rk_wrong")
        .get("/api/v1/devices")
        .await;
    wrong.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn what_is_no_bearer_token_is_refused() {
    let server = Server::start().await;
    for value in [
        "Basic cms6",
        "rk_abc",
        "Bearer",
        "Bearer ",
        "Bearer rk_unknown",
    ] {
        let headers = [("authorization", value)];
        let status = status(&server.anonymous(), "GET", "/api/v1/devices", &headers).await;
        assert_eq!(status, 401, "{value}");
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_works_until_revoked() {
    let server = Server::start().await;
    let request = json!({"role": "viewer", "name": "grafana"});
    let created = server.admin.post("/api/v1/tokens", request).await;
    assert_eq!(created.status, 201);
    let created = created.json();
    let token = created["token"].as_str().unwrap();
    let viewer = server.admin.with_token(token);
    assert_eq!(viewer.get("/api/v1/server").await.status, 200);

    let list = server.admin.get("/api/v1/tokens").await;
    assert!(
        !list.text().contains(&token[3..]),
        "a list never shows a token"
    );
    let items = list.json()["items"].as_array().unwrap().clone();
    let mut expected = created.clone();
    expected.as_object_mut().unwrap().remove("token");
    assert!(items.contains(&expected), "{items:?}");
    assert_eq!(list.json()["next"], Value::Null);

    let path = format!("/api/v1/tokens/{}", created["id"].as_str().unwrap());
    assert_eq!(server.admin.delete(&path).await.status, 204);
    viewer
        .get("/api/v1/server")
        .await
        .assert_problem(401, "unauthorized");
    server
        .admin
        .delete(&path)
        .await
        .assert_problem(404, "token-not-found");
    let long = json!({"role": "viewer", "name": "x".repeat(101)});
    server
        .admin
        .post("/api/v1/tokens", long)
        .await
        .assert_problem(422, "invalid-body");
}
