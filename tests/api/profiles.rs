use hyper::Method;
use rookery::services::engine::{PowerKind, PowerSettings, RolloutView};
use rookery::services::tokens::Role;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::server::{MAX_BODY, Server};

const WATER: &str = "{\"type\": \"LWM2M\",\n \"unknown\": 1.50,\n \"observeAttr\": {\n  \
    \"keyName\": {\"/3/0/9\": \"level\", \"/3/0/0\": \"maker\"},\n  \"observe\": [\"/3/0/9\"],\n  \
    \"attribute\": [\"/3/0/0\"], \"telemetry\": [\"/3/0/9\"], \"observeStrategy\": 1}}";

async fn put(client: &Client, name: &str, text: &str) -> Reply {
    let path = format!("/api/v1/profiles/{name}");
    client.send_json(Method::PUT, &path, text.to_owned()).await
}

#[tokio::test]
async fn a_profile_is_created_shown_as_it_came_replaced_and_removed() {
    let server = Server::start().await;
    let created = put(&server.admin, "water", WATER).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let warning = json!({
        "member": "unknown",
        "detail": "`unknown` is not known: it is kept and has no effect"
    });
    let expected = json!({"name": "water", "result": "created", "warnings": [warning]});
    assert_eq!(created.json(), expected);
    let shown = server.admin.get("/api/v1/profiles/water").await;
    assert_eq!(shown.headers["content-type"], "application/json");
    assert_eq!(shown.text(), WATER);
    assert_eq!(server.engine.profile("water").unwrap().mappings.len(), 2);

    let replaced = put(&server.admin, "water", "{}").await;
    assert_eq!(replaced.status, 200);
    let expected = json!({"name": "water", "result": "replaced", "warnings": []});
    assert_eq!(replaced.json(), expected);
    assert!(server.engine.profile("water").unwrap().mappings.is_empty());

    let removed = server.admin.delete("/api/v1/profiles/water").await;
    assert_eq!(removed.status, 204);
    assert!(server.engine.profile("water").is_none());
    for gone in [
        server.admin.get("/api/v1/profiles/water").await,
        server.admin.delete("/api/v1/profiles/water").await,
    ] {
        gone.assert_problem(404, "profile-not-found");
    }
}

#[tokio::test]
async fn operators_write_and_viewers_read() {
    let server = Server::start().await;
    let viewer = server.with_role(Role::Viewer).await;
    let operator = server.with_role(Role::Operator).await;
    put(&viewer, "water", "{}")
        .await
        .assert_problem(403, "forbidden");
    assert_eq!(put(&operator, "water", "{}").await.status, 201);
    assert_eq!(viewer.get("/api/v1/profiles/water").await.status, 200);
    let refused = viewer.delete("/api/v1/profiles/water").await;
    refused.assert_problem(403, "forbidden");
    assert_eq!(operator.delete("/api/v1/profiles/water").await.status, 204);
}

#[tokio::test]
async fn the_list_shows_what_profiles_ask_for_and_how_many_devices_have_them() {
    let server = Server::start().await;
    put(&server.admin, "water%2Fcold", WATER).await;
    let body = json!({"profile": "water/cold"});
    server.admin.put("/api/v1/devices/a", body).await;
    let nobody = json!({
        "running": false, "devices": 0, "done": 0, "asked": 0, "left": 0, "waiting": 0, "failed": 0
    });
    let default = json!({
        "rollout": nobody, "name": "default", "builtIn": true, "observeStrategy": "SINGLE", "observed": 1,
        "attributes": 3, "telemetry": 1, "powerMode": "DRX", "devices": 0
    });
    let water = json!({
        "rollout": nobody, "name": "water/cold", "builtIn": false, "observeStrategy": "COMPOSITE_ALL", "observed": 1,
        "attributes": 1, "telemetry": 1, "powerMode": "DRX", "devices": 1
    });
    let list = async |query: String| {
        let path = format!("/api/v1/profiles?{query}");
        server.admin.get(&path).await.json()
    };
    let all = list(String::new()).await;
    assert_eq!(all, json!({"items": [default, water], "next": null}));
    let first = list("limit=1".to_owned()).await;
    assert_eq!(first["items"], json!([default]));
    let next = first["next"].as_str().unwrap();
    let second = list(format!("limit=1&cursor={next}")).await;
    assert_eq!(second, json!({"items": [water], "next": null}));
    let refused = server.admin.get("/api/v1/profiles?cursor=%25").await;
    refused.assert_problem(400, "invalid-cursor");
}

#[tokio::test]
async fn a_profile_that_devices_have_stays() {
    let server = Server::start().await;
    put(&server.admin, "water", WATER).await;
    for endpoint in ["a", "b"] {
        let path = format!("/api/v1/devices/{endpoint}");
        let reply = server.admin.put(&path, json!({"profile": "water"})).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let problem = server.admin.delete("/api/v1/profiles/water").await;
    let problem = problem.assert_problem(409, "profile-in-use");
    assert_eq!(problem["devices"], 2);
    let expected = "profile \"water\" cannot be removed: 2 provisioned device(s) have it";
    assert_eq!(problem["detail"], expected);

    server.admin.delete("/api/v1/devices/a").await;
    let moved = json!({"profile": "default"});
    server.admin.put("/api/v1/devices/b", moved).await;
    let removed = server.admin.delete("/api/v1/profiles/water").await;
    assert_eq!(removed.status, 204);
}

#[tokio::test]
async fn the_built_in_profile_can_be_replaced_and_comes_back() {
    let server = Server::start().await;
    let path = "/api/v1/profiles/default";
    let built_in = server.admin.get(path).await.text();
    let refused = server.admin.delete(path).await;
    refused.assert_problem(409, "built-in-profile");
    assert_eq!(put(&server.admin, "default", WATER).await.status, 200);
    assert_eq!(server.admin.get(path).await.text(), WATER);
    server.admin.put("/api/v1/devices/a", json!({})).await;
    assert_eq!(server.admin.delete(path).await.status, 204);
    assert_eq!(server.admin.get(path).await.text(), built_in);
}

#[tokio::test]
async fn every_fault_of_a_profile_is_told() {
    let server = Server::start().await;
    let text = json!({
        "observeAttr": {"observe": ["3/0/9"], "observeStrategy": "ALL"},
        "bootstrap": [{"securityMode": "NO_SEC", "host": "h", "port": 5685, "shortServerId": null}]
    });
    let refused = put(&server.admin, "water", &text.to_string()).await;
    let problem = refused.assert_problem(422, "invalid-profile");
    let members: Vec<&Value> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["member"])
        .collect();
    let expected = [
        "observeAttr.observe[0]",
        "observeAttr.observeStrategy",
        "bootstrap[0].shortServerId",
    ];
    assert_eq!(members, expected);
    let last = "LwM2M Server ShortServerId must not be null!";
    assert_eq!(problem["errors"][2]["detail"], last);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.ends_with("(and 2 more)"), "{detail}");
    let shown = server.admin.get("/api/v1/profiles/water").await;
    shown.assert_problem(404, "profile-not-found");
}

#[tokio::test]
async fn bodies_and_names_that_are_none_are_refused() {
    let server = Server::start().await;
    let refused = put(&server.admin, "a", "{").await;
    refused.assert_problem(400, "invalid-json");
    let twice = put(
        &server.admin,
        "a",
        "{\"type\": \"LWM2M\",\n\"type\": \"LWM2M\"}",
    )
    .await;
    let problem = twice.assert_problem(422, "invalid-body");
    assert_eq!(problem["line"], 2);
    let long = format!("{{\"x\": \"{}\"}}", "x".repeat(MAX_BODY));
    let refused = put(&server.admin, "a", &long).await;
    refused.assert_problem(413, "body-too-large");
    let plain = [("content-type", "text/plain")];
    let path = "/api/v1/profiles/a";
    let refused = server
        .admin
        .send(Method::PUT, path, &plain, b"{}".to_vec())
        .await;
    refused.assert_problem(415, "unsupported-media-type");
    for name in ["a%0Ab", "%ff", &"x".repeat(256)] {
        let refused = put(&server.admin, name, "{}").await;
        refused.assert_problem(400, "invalid-profile-name");
    }
}

#[tokio::test]
async fn devices_can_only_have_profiles_there_are() {
    let server = Server::start().await;
    let body = json!({"profile": "water"});
    let refused = server.admin.put("/api/v1/devices/a", body.clone()).await;
    let problem = refused.assert_problem(422, "unknown-profile");
    assert_eq!(problem["known"], json!(["default"]));
    put(&server.admin, "water", WATER).await;
    let reply = server.admin.put("/api/v1/devices/a", body).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.json()["profile"], "water");
}

#[tokio::test]
async fn a_devices_own_power_mode_goes_before_that_of_its_profile() {
    let server = Server::start().await;
    let own = json!({"type": "LWM2M", "powerMode": "PSM", "psmActivityTimer": 20000, "x": 1});
    let body = json!({"transportConfiguration": own});
    let reply = server.admin.put("/api/v1/devices/a", body).await;
    assert_eq!(reply.json()["transportConfiguration"], own);
    let expected = PowerSettings {
        kind: Some(PowerKind::Psm),
        activity_timer: Some(20_000),
        ..PowerSettings::default()
    };
    assert_eq!(server.engine.admission("a").unwrap().power, Some(expected));
    server.admin.put("/api/v1/devices/a", json!({})).await;
    assert_eq!(server.engine.admission("a").unwrap().power, None);

    let wrong = json!({"transportConfiguration": {"powerMode": "SLEEPY"}});
    let refused = server.admin.put("/api/v1/devices/a", wrong).await;
    let problem = refused.assert_problem(422, "invalid-device");
    assert_eq!(problem["member"], "transportConfiguration.powerMode");
    let expected =
        "`transportConfiguration.powerMode` is \"SLEEPY\"; accepted is one of DRX, PSM, E_DRX";
    assert_eq!(problem["detail"], expected);
}

#[tokio::test]
async fn the_progress_of_a_change_is_shown_in_the_list_and_by_itself() {
    let server = Server::start().await;
    put(&server.admin, "water", WATER).await;
    let mut progress = RolloutView::default();
    progress.add(&RolloutView {
        done: 5,
        left: 3,
        waiting: 2,
        ..RolloutView::default()
    });
    let id = server.engine.profile_id("water").unwrap();
    server.engine.show_progress(id, progress);
    let expected = json!({
        "running": true, "devices": 10, "done": 5, "asked": 0, "left": 3, "waiting": 2, "failed": 0
    });
    let shown = server.admin.get("/api/v1/profiles/water/rollout").await;
    assert_eq!(shown.json(), expected);
    let list = server.admin.get("/api/v1/profiles").await.json();
    assert_eq!(list["items"][1]["rollout"], expected);
    assert_eq!(list["items"][0]["rollout"]["devices"], 0);
    let none = server.admin.get("/api/v1/profiles/gas/rollout").await;
    none.assert_problem(404, "profile-not-found");
}
