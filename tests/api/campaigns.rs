use rookery::services::engine::DeviceState;
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;

use crate::packages::uploaded;
use crate::server::Server;
use crate::updates::{assigned, ended, eventually, registered};

const FIRMWARE: &str = "type=FIRMWARE&title=valve&version=2.0";
const CAMPAIGNS: &str = "/api/v1/campaigns";

async fn server_with(devices: &[&str]) -> (Server, String) {
    let server = Server::start().await;
    for endpoint in devices {
        server
            .admin
            .put(&format!("/api/v1/devices/{endpoint}"), json!({}))
            .await;
        server.engine.register(endpoint, DeviceState::Registered);
    }
    let package = uploaded(&server.admin, FIRMWARE).await;
    (server, package)
}

async fn create(server: &Server, body: Value) -> String {
    let created = server.admin.post(CAMPAIGNS, body).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let path = created.json()["id"].as_str().unwrap().to_owned();
    format!("{CAMPAIGNS}/{path}")
}

async fn becomes(server: &Server, path: &str, wanted: &str) -> Value {
    for _ in 0..1_000 {
        let shown = server.admin.get(path).await.json();
        if shown["state"] == wanted {
            return shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!(
        "{path} does not become {wanted}: {}",
        server.admin.get(path).await.text()
    );
}

async fn order(server: &Server, path: &str, order: &str) -> crate::client::Reply {
    server
        .admin
        .post(&format!("{path}:{order}"), json!({}))
        .await
}

#[tokio::test]
async fn a_campaign_updates_some_devices_at_a_time_until_all_have_the_package() {
    let (server, package) = server_with(&["a", "b", "c"]).await;
    let body = json!({"name": "valves", "packageId": package, "profile": "default", "rules": {"concurrency": 2}});
    let path = create(&server, body).await;
    eventually(|| assigned(&server).len() == 2).await;
    let shown = server.admin.get(&path).await.json();
    assert_eq!(
        (&shown["name"], &shown["state"]),
        (&json!("valves"), &json!("running"))
    );
    assert_eq!(
        (&shown["type"], &shown["title"]),
        (&json!("FIRMWARE"), &json!("valve"))
    );
    let counts = &shown["devices"];
    assert_eq!(
        (&counts["running"], &counts["waiting"]),
        (&json!(2), &json!(1)),
        "{shown}"
    );
    let in_use = server
        .admin
        .delete(&format!("/api/v1/packages/{package}"))
        .await;
    in_use.assert_problem(409, "package-in-use");

    for number in 0..3 {
        eventually(|| assigned(&server).len() > number).await;
        let (endpoint, _) = assigned(&server)[number].clone();
        let of_device = server
            .admin
            .get(&format!("/api/v1/devices/{endpoint}/firmware"))
            .await;
        assert_eq!(of_device.json()["assignedBy"], "campaign");
        ended(
            &server,
            &endpoint,
            &package,
            (number == 1).then_some("no flash"),
        );
    }
    let shown = becomes(&server, &path, "completed").await;
    let counts = &shown["devices"];
    assert_eq!(
        (&counts["updated"], &counts["failed"]),
        (&json!(2), &json!(1)),
        "{shown}"
    );
    let failed = server
        .admin
        .get(&format!("{path}/devices?state=failed"))
        .await
        .json();
    assert_eq!(failed["items"][0]["reason"], "no flash", "{failed}");
    assert_eq!(failed["items"].as_array().unwrap().len(), 1);
    let first = server
        .admin
        .get(&format!("{path}/devices?limit=2"))
        .await
        .json();
    let next = first["next"].as_str().unwrap();
    let second = server
        .admin
        .get(&format!("{path}/devices?limit=2&cursor={next}"))
        .await
        .json();
    assert_eq!(second["items"].as_array().unwrap().len(), 1, "{second}");

    // The one that failed has another turn.
    let again = order(&server, &path, "retry").await;
    assert_eq!(again.status, 200, "{}", again.text());
    eventually(|| assigned(&server).len() == 4).await;
    let (endpoint, _) = assigned(&server)[3].clone();
    ended(&server, &endpoint, &package, None);
    let shown = becomes(&server, &path, "completed").await;
    assert_eq!(shown["devices"]["updated"], 3);
    assert_eq!(server.admin.delete(&path).await.status, 204);
    server
        .admin
        .get(&path)
        .await
        .assert_problem(404, "campaign-not-found");
}

#[tokio::test]
async fn a_device_that_is_not_there_does_not_hold_the_others_up() {
    let (server, package) = server_with(&["b"]).await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    let body = json!({"packageId": package, "devices": ["a", "b"], "rules": {"concurrency": 1}});
    let path = create(&server, body).await;
    eventually(|| !assigned(&server).is_empty()).await;
    assert_eq!(assigned(&server)[0].0, "b");
    ended(&server, "b", &package, None);
    eventually(|| server.engine.follows_updates.load(Relaxed)).await;
    let devices = server
        .admin
        .get(&format!("{path}/devices?state=absent"))
        .await
        .json();
    assert_eq!(devices["items"][0]["endpoint"], "a", "{devices}");
    registered(&server, "a");
    eventually(|| assigned(&server).len() == 2).await;
    ended(&server, "a", &package, None);
    becomes(&server, &path, "completed").await;
}

#[tokio::test]
async fn a_campaign_is_paused_resumed_and_cancelled() {
    let (server, package) = server_with(&["a", "b"]).await;
    let body = json!({"packageId": package, "filter": {"q": ""}, "rules": {"concurrency": 1}});
    let path = create(&server, body).await;
    eventually(|| assigned(&server).len() == 1).await;
    order(&server, &path, "resume")
        .await
        .assert_problem(409, "campaign-state");
    assert_eq!(
        order(&server, &path, "pause").await.json()["state"],
        "paused"
    );
    order(&server, &path, "pause")
        .await
        .assert_problem(409, "campaign-state");
    assert_eq!(
        order(&server, &path, "resume").await.json()["state"],
        "running"
    );
    server
        .admin
        .delete(&path)
        .await
        .assert_problem(409, "campaign-state");
    let cancelled = order(&server, &path, "cancel").await.json();
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(cancelled["devices"]["cancelled"], 2, "{cancelled}");
    assert_eq!(server.engine.withdrawn_updates.lock().unwrap().len(), 1);
    order(&server, &path, "cancel")
        .await
        .assert_problem(409, "campaign-state");
    let devices = server
        .admin
        .get(&format!("{path}/devices?state=cancelled"))
        .await
        .json();
    assert_eq!(devices["items"].as_array().unwrap().len(), 2, "{devices}");
}

#[tokio::test]
async fn of_two_campaigns_for_a_device_the_second_skips_it_saying_why() {
    let (server, package) = server_with(&["a"]).await;
    let body = json!({"packageId": package, "devices": ["a"]});
    let first = create(&server, body.clone()).await;
    eventually(|| assigned(&server).len() == 1).await;
    let second = create(&server, body).await;
    let shown = becomes(&server, &second, "completed").await;
    assert_eq!(shown["devices"]["skipped"], 1);
    let devices = server.admin.get(&format!("{second}/devices")).await.json();
    let reason = devices["items"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains(first.rsplit('/').next().unwrap()),
        "{reason}"
    );
    // A person's decision beats a campaign's.
    let body = json!({"packageId": package});
    server.admin.put("/api/v1/devices/a/firmware", body).await;
    let shown = becomes(&server, &first, "completed").await;
    assert_eq!(shown["devices"]["failed"], 1);
}

#[tokio::test]
async fn a_campaign_that_cannot_be_is_refused_naming_the_member() {
    let (server, package) = server_with(&["a"]).await;
    let with = |member: &str, value: Value| {
        let mut body = json!({"packageId": package, "devices": ["a"]});
        body[member] = value;
        body
    };
    for (body, member) in [
        (with("devices", json!([])), "devices"),
        (with("devices", json!(["a", "a"])), "devices"),
        (with("devices", json!([""])), "devices"),
        (with("profile", json!("default")), "devices"),
        (
            json!({"packageId": package, "filter": {"q": "nobody"}}),
            "filter",
        ),
        (with("name", json!("x".repeat(101))), "name"),
        (with("rules", json!({"concurrency": 0})), "concurrency"),
        (
            with("rules", json!({"canaryPercent": 101})),
            "canaryPercent",
        ),
        (
            with("rules", json!({"window": {"from": "9:00", "to": "10:00"}})),
            "window",
        ),
        (with("rules", json!({"notAfter": 1})), "notAfter"),
    ] {
        let refused = server.admin.post(CAMPAIGNS, body).await;
        let problem = refused.assert_problem(422, "invalid-campaign");
        assert_eq!(problem["member"], member, "{problem}");
    }
    let refused = server
        .admin
        .post(CAMPAIGNS, with("packageId", json!("x")))
        .await;
    refused.assert_problem(422, "unknown-package");
    let refused = server.admin.post(CAMPAIGNS, with("speed", json!(1))).await;
    refused.assert_problem(422, "invalid-body");
    for path in [format!("{CAMPAIGNS}/x"), format!("{CAMPAIGNS}/x/devices")] {
        server
            .admin
            .get(&path)
            .await
            .assert_problem(404, "campaign-not-found");
    }
    let path = format!("{CAMPAIGNS}/x");
    server
        .admin
        .delete(&path)
        .await
        .assert_problem(404, "campaign-not-found");
    for told in ["pause", "resume", "cancel", "retry"] {
        order(&server, &path, told)
            .await
            .assert_problem(404, "campaign-not-found");
    }
    order(&server, &path, "stop")
        .await
        .assert_problem(404, "route-not-found");
    let list = server
        .admin
        .get(&format!("{CAMPAIGNS}?limit=1"))
        .await
        .json();
    assert_eq!(list, json!({"items": [], "next": null}));
    let refused = server.admin.get(&format!("{CAMPAIGNS}?cursor=x")).await;
    refused.assert_problem(400, "invalid-cursor");
    let refused = server.admin.get(&format!("{CAMPAIGNS}?limit=0")).await;
    refused.assert_problem(400, "invalid-parameter");
}

#[tokio::test]
async fn a_package_that_is_deleted_in_the_middle_fails_the_devices_that_lack_it_saying_so() {
    let (server, package) = server_with(&["a", "b", "c"]).await;
    let rules = json!({"concurrency": 1, "maxFailurePercent": 100});
    let body =
        json!({"name": "valves", "packageId": package, "profile": "default", "rules": rules});
    let path = create(&server, body).await;
    eventually(|| assigned(&server).len() == 1).await;
    let of_package = format!("/api/v1/packages/{package}");
    let refused = server.admin.delete(&of_package).await;
    let problem = refused.assert_problem(409, "package-in-use");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("1 campaigns"), "{detail}");
    let forced = format!("{of_package}?force=true");
    assert_eq!(server.admin.delete(&forced).await.status, 204);
    let shown = becomes(&server, &path, "completed").await;
    assert_eq!(shown["devices"]["failed"], 3, "{shown}");
    let failed = format!("{path}/devices?state=failed");
    let failed = server.admin.get(&failed).await.json();
    let mut reasons = failed["items"].as_array().unwrap().iter();
    let of_package = |device: &Value| {
        let reason = device["reason"].as_str().unwrap();
        reason.contains("deleted") || reason.contains("no package")
    };
    assert!(reasons.all(of_package), "{failed}");
}
