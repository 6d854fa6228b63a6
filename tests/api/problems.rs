use hyper::Method;
use serde_json::json;

use crate::server::{MAX_BODY, Server};

#[tokio::test]
async fn an_unknown_route_and_an_unknown_method_are_problems() {
    let server = Server::start().await;
    for path in [
        "/",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/devices/a/b",
        "/api/v1/devices/",
    ] {
        server
            .admin
            .get(path)
            .await
            .assert_problem(404, "route-not-found");
    }
    let wrong = server.admin.delete("/api/v1/devices").await;
    wrong.assert_problem(405, "method-not-allowed");
    let allow = wrong.headers["allow"].to_str().unwrap();
    assert!(
        allow.contains("GET") && !allow.contains("DELETE"),
        "{allow}"
    );
    let wrong = server.admin.post("/api/v1/devices/a", json!({})).await;
    wrong.assert_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_with_its_place() {
    let server = Server::start().await;
    let body = "{\n  \"profile\": default\n}".to_owned();
    let reply = server
        .admin
        .send_json(Method::PUT, "/api/v1/devices/a", body)
        .await;
    let problem = reply.assert_problem(400, "invalid-json");
    assert_eq!(
        (&problem["line"], &problem["column"]),
        (&json!(2), &json!(14))
    );
    let empty = server
        .admin
        .send_json(Method::PUT, "/api/v1/devices/a", String::new())
        .await;
    empty.assert_problem(400, "invalid-json");
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused_naming_what_is_accepted() {
    let server = Server::start().await;
    let reply = server
        .admin
        .put("/api/v1/devices/a", json!({"profil": "default"}))
        .await;
    let problem = reply.assert_problem(422, "invalid-body");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`profil`") && detail.contains("`profile`"),
        "{detail}"
    );
    let array = server
        .admin
        .put("/api/v1/devices/a", json!({"profile": 1}))
        .await;
    array.assert_problem(422, "invalid-body");
    let role = server
        .admin
        .post("/api/v1/tokens", json!({"role": "root"}))
        .await;
    let problem = role.assert_problem(422, "invalid-body");
    assert!(problem["detail"].as_str().unwrap().contains("`operator`"));
}

#[tokio::test]
async fn a_body_of_another_media_type_is_refused() {
    let server = Server::start().await;
    for headers in [&[("content-type", "text/plain")][..], &[]] {
        let body = b"{}".to_vec();
        let reply = server
            .admin
            .send(Method::PUT, "/api/v1/devices/a", headers, body)
            .await;
        let problem = reply.assert_problem(415, "unsupported-media-type");
        assert_eq!(problem["accepted"], json!(["application/json"]));
    }
    let headers = [("content-type", "application/json; charset=utf-8")];
    let body = b"{}".to_vec();
    let reply = server
        .admin
        .send(Method::PUT, "/api/v1/devices/a", &headers, body)
        .await;
    assert_eq!(reply.status, 201);
    let json = server.admin.post("/api/v1/devices:import", json!({})).await;
    json.assert_problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_body_too_large_is_refused() {
    let server = Server::start().await;
    let body = json!({"profile": "x".repeat(MAX_BODY)});
    let reply = server.admin.put("/api/v1/devices/a", body).await;
    let problem = reply.assert_problem(413, "body-too-large");
    assert_eq!(problem["limit"], MAX_BODY);
}

#[tokio::test]
async fn a_chunked_body_too_large_is_refused_as_well() {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};
    use hyper::body::{Bytes, Frame};
    let server = Server::start().await;
    let chunk = || Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b' '; 1_000])));
    let body = StreamBody::new(stream::iter((0..10).map(move |_| chunk())));
    let headers = [("content-type", "application/json")];
    let client = &server.admin;
    let response = client
        .open(Method::PUT, "/api/v1/devices/a", &headers, body)
        .await;
    assert_eq!(response.status(), 413);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert!(
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .contains("body-too-large")
    );
}

#[tokio::test]
async fn devices_that_cannot_be_served_are_refused() {
    let server = Server::start().await;
    let client = |mode: &str, endpoint: &str| json!({"credentials": {"client": {"securityConfigClientMode": mode, "endpoint": endpoint}}});
    let cases = [
        (client("PSK", "a"), 422, "invalid-device"),
        (client("NO_SEC", "b"), 422, "endpoint-mismatch"),
        (client("none", "a"), 422, "invalid-device"),
        (json!({"profile": "water"}), 422, "unknown-profile"),
    ];
    for (body, status, name) in cases {
        let reply = server.admin.put("/api/v1/devices/a", body).await;
        reply.assert_problem(status, name);
    }
    let known = server
        .admin
        .put("/api/v1/devices/a", json!({"profile": "water"}))
        .await;
    assert_eq!(known.json()["known"], json!(["default"]));
    assert!(
        !server.engine.is_admitted("a"),
        "what is refused is not let in"
    );
}

#[tokio::test]
async fn query_parameters_are_checked() {
    let server = Server::start().await;
    let cases = [
        ("/api/v1/devices?stat=asleep", "stat"),
        ("/api/v1/devices?state=awake", "state"),
        ("/api/v1/devices?security=PSK", "security"),
        ("/api/v1/devices?limit=0", "limit"),
        ("/api/v1/devices?limit=1001", "limit"),
        ("/api/v1/devices?limit=ten", "limit"),
        ("/api/v1/devices?q=a&q=b", "q"),
        ("/api/v1/devices/a/telemetry?from=yesterday", "from"),
        ("/api/v1/devices/a/telemetry?limit=-1", "limit"),
    ];
    for (path, parameter) in cases {
        let problem = server
            .admin
            .get(path)
            .await
            .assert_problem(400, "invalid-parameter");
        assert_eq!(problem["parameter"], parameter, "{path}");
        assert!(
            problem["detail"].as_str().unwrap().contains(parameter),
            "{path}"
        );
    }
    let reply = server.admin.get("/api/v1/devices?cursor=x").await;
    reply.assert_problem(400, "invalid-cursor");
}
