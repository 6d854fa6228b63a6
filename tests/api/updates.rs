use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rookery::services::engine::{
    DeviceState, Milestone, Passed, Source, Strategy, UpdateKind, UpdateStatus,
};
use serde_json::{Value, json};

use crate::packages::uploaded;
use crate::server::Server;

const FIRMWARE: &str = "type=FIRMWARE&title=valve&version=2.0";
const SOFTWARE: &str = "type=SOFTWARE&title=app&version=1.0";

/// Waits until `holds`.
pub async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come true");
}

pub fn assigned(server: &Server) -> Vec<(String, String)> {
    let assigned = server.engine.assigned_updates.lock().unwrap();
    let pairs = assigned
        .iter()
        .map(|(endpoint, target)| (endpoint.clone(), target.package.to_string()));
    pairs.collect()
}

/// Tells that a device registered.
pub fn registered(server: &Server, endpoint: &str) {
    server.engine.register(endpoint, DeviceState::Registered);
    tell(server, endpoint, Passed::Registered);
}

/// Tells that an update is over.
pub fn ended(server: &Server, endpoint: &str, package: &str, reason: Option<&str>) {
    let status = match reason {
        Some(_) => UpdateStatus::Failed,
        None => UpdateStatus::Updated,
    };
    let mut updates = server.engine.updates.lock().unwrap();
    let update = updates.get_mut(&(endpoint.to_owned(), "firmware"));
    let update = update.expect("the update is under way");
    (update.state, update.ended) = (status.name(), true);
    update.reason = reason.map(str::to_owned);
    drop(updates);
    let what = Passed::Ended {
        kind: UpdateKind::Firmware,
        package: package.into(),
        status,
        reason: reason.map(Into::into),
    };
    tell(server, endpoint, what);
}

fn tell(server: &Server, endpoint: &str, what: Passed) {
    let endpoint = endpoint.into();
    let told = &server.engine.milestones;
    told.try_send(vec![Milestone { endpoint, what }]).unwrap();
}

async fn state(server: &Server, path: &str) -> Value {
    server.admin.get(path).await.json()["state"].clone()
}

async fn becomes(server: &Server, path: &str, wanted: &str) {
    for _ in 0..1_000 {
        if state(server, path).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!(
        "{path} does not become {wanted}: {}",
        server.admin.get(path).await.text()
    );
}

#[tokio::test]
async fn a_registered_device_is_handed_its_package_at_once_and_how_it_ended_is_kept() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    server.engine.register("a", DeviceState::Registered);
    let package = uploaded(&server.admin, FIRMWARE).await;
    let path = "/api/v1/devices/a/firmware";
    server
        .admin
        .get(path)
        .await
        .assert_problem(404, "nothing-assigned");
    let put = server.admin.put(path, json!({"packageId": package})).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let shown = put.json();
    assert_eq!(shown["packageId"], package);
    assert_eq!(
        (&shown["title"], &shown["version"]),
        (&json!("valve"), &json!("2.0"))
    );
    assert_eq!(
        (&shown["state"], &shown["assignedBy"]),
        (&json!("INITIATED"), &json!("device"))
    );
    let progress = [&shown["bytes"], &shown["bytesTotal"], &shown["percent"]];
    assert_eq!(progress, [&json!(2), &json!(5), &json!(40)]);
    assert_eq!(shown["blocksPerSecond"], 1.5);
    assert_eq!(shown["lastExchange"], "2.31 to block 1");
    {
        let assigned = server.engine.assigned_updates.lock().unwrap();
        let (endpoint, target) = &assigned[0];
        assert_eq!(
            (endpoint.as_str(), target.kind),
            ("a", UpdateKind::Firmware)
        );
        assert_eq!((&*target.title, &*target.version), ("valve", "2.0"));
        assert_eq!(target.checksum_algorithm.as_deref(), Some("SHA256"));
        assert_eq!(target.strategy, Strategy::Push);
        assert!(matches!(&target.source, Source::Image(image) if image.bytes() == b"image"));
    }
    ended(&server, "a", &package, Some("not enough flash"));
    becomes(&server, path, "FAILED").await;
    assert_eq!(
        server.admin.get(path).await.json()["reason"],
        "not enough flash"
    );
    let withdrawn = server.engine.withdrawn_updates.lock().unwrap().clone();
    assert_eq!(withdrawn, [("a".to_owned(), UpdateKind::Firmware)]);

    registered(&server, "a");
    server.admin.put(path, json!({"packageId": package})).await;
    assert_eq!(
        assigned(&server).len(),
        2,
        "a Register does not begin anew, an assignment does"
    );
    // The end of the attempt before is told once more.
    let again = Passed::Ended {
        kind: UpdateKind::Firmware,
        package: package.as_str().into(),
        status: UpdateStatus::Failed,
        reason: None,
    };
    tell(&server, "a", again);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(state(&server, path).await, "INITIATED");
    ended(&server, "a", &package, None);
    becomes(&server, path, "UPDATED").await;
}

#[tokio::test]
async fn a_device_that_is_not_there_is_handed_its_package_when_it_registers() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    let package = uploaded(&server.admin, FIRMWARE).await;
    server
        .admin
        .put("/api/v1/devices/a/firmware", json!({"packageId": package}))
        .await;
    assert_eq!(assigned(&server), []);
    eventually(|| server.engine.follows_updates.load(Relaxed)).await;
    registered(&server, "a");
    eventually(|| !assigned(&server).is_empty()).await;
    assert_eq!(assigned(&server), [("a".to_owned(), package)]);
}

#[tokio::test]
async fn the_package_of_a_device_beats_that_of_its_profile() {
    let server = Server::start().await;
    for endpoint in ["a", "b"] {
        server
            .admin
            .put(&format!("/api/v1/devices/{endpoint}"), json!({}))
            .await;
        server.engine.register(endpoint, DeviceState::Registered);
    }
    let old = uploaded(&server.admin, FIRMWARE).await;
    let new = uploaded(&server.admin, "type=FIRMWARE&title=valve&version=3.0").await;
    server
        .admin
        .put("/api/v1/devices/a/firmware", json!({"packageId": new}))
        .await;
    let of_profile = "/api/v1/profiles/default/firmware";
    let put = server
        .admin
        .put(of_profile, json!({"packageId": old}))
        .await;
    assert_eq!(
        (put.status.as_u16(), &put.json()["packageId"]),
        (200, &json!(old))
    );
    eventually(|| assigned(&server).len() == 2).await;
    assert_eq!(
        assigned(&server),
        [("a".to_owned(), new.clone()), ("b".to_owned(), old.clone())]
    );
    let shown = server.admin.get("/api/v1/devices/b/firmware").await.json();
    assert_eq!(
        (&shown["packageId"], &shown["assignedBy"]),
        (&json!(old), &json!("profile"))
    );

    // Taken back, the profile's counts again.
    assert_eq!(
        server
            .admin
            .delete("/api/v1/devices/a/firmware")
            .await
            .status,
        204
    );
    assert_eq!(assigned(&server).last(), Some(&("a".to_owned(), old)));
    let twice = server.admin.delete("/api/v1/devices/a/firmware").await;
    twice.assert_problem(404, "nothing-assigned");
    assert_eq!(server.admin.delete(of_profile).await.status, 204);
    server
        .admin
        .get(of_profile)
        .await
        .assert_problem(404, "nothing-assigned");
    server
        .admin
        .delete(of_profile)
        .await
        .assert_problem(404, "nothing-assigned");
    eventually(|| server.engine.withdrawn_updates.lock().unwrap().len() == 3).await;
}

#[tokio::test]
async fn firmware_and_software_go_their_own_ways() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    server.engine.register("a", DeviceState::Registered);
    let software = uploaded(&server.admin, SOFTWARE).await;
    for path in [
        "/api/v1/devices/a/software",
        "/api/v1/profiles/default/software",
    ] {
        let put = server.admin.put(path, json!({"packageId": software})).await;
        assert_eq!(put.status, 200, "{}", put.text());
    }
    for path in [
        "/api/v1/devices/a/firmware",
        "/api/v1/profiles/default/firmware",
    ] {
        let refused = server.admin.put(path, json!({"packageId": software})).await;
        let problem = refused.assert_problem(422, "unknown-package");
        assert_eq!(problem["member"], "packageId");
        let refused = server.admin.put(path, json!({"packageId": "x"})).await;
        refused.assert_problem(422, "unknown-package");
        let refused = server.admin.put(path, json!({"package": "x"})).await;
        refused.assert_problem(422, "invalid-body");
        server
            .admin
            .get(path)
            .await
            .assert_problem(404, "nothing-assigned");
    }
    for kind in ["firmware", "software"] {
        let path = format!("/api/v1/devices/nobody/{kind}");
        let body = json!({"packageId": software});
        server
            .admin
            .get(&path)
            .await
            .assert_problem(404, "device-not-found");
        server
            .admin
            .delete(&path)
            .await
            .assert_problem(404, "device-not-found");
        let path = format!("/api/v1/profiles/nothing/{kind}");
        server
            .admin
            .get(&path)
            .await
            .assert_problem(404, "profile-not-found");
        server
            .admin
            .delete(&path)
            .await
            .assert_problem(404, "profile-not-found");
        if kind == "software" {
            let put = server.admin.put(&path, body).await;
            put.assert_problem(404, "profile-not-found");
        }
    }
}

#[tokio::test]
async fn a_package_in_use_is_deleted_by_force_only_and_its_updates_fail_saying_so() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    server.engine.register("a", DeviceState::Registered);
    let package = uploaded(&server.admin, FIRMWARE).await;
    let path = "/api/v1/devices/a/firmware";
    server.admin.put(path, json!({"packageId": package})).await;
    let of_package = format!("/api/v1/packages/{package}");
    let refused = server.admin.delete(&of_package).await;
    let problem = refused.assert_problem(409, "package-in-use");
    assert!(
        problem["detail"].as_str().unwrap().contains("1 devices"),
        "{problem}"
    );
    let refused = server
        .admin
        .delete(&format!("{of_package}?force=yes"))
        .await;
    refused.assert_problem(400, "invalid-parameter");
    let forced = server
        .admin
        .delete(&format!("{of_package}?force=true"))
        .await;
    assert_eq!(forced.status, 204);
    let shown = server.admin.get(path).await.json();
    assert_eq!(
        (&shown["state"], &shown["reason"]),
        (&json!("FAILED"), &json!("the package was deleted"))
    );
}

#[tokio::test]
async fn the_strategy_is_that_of_the_profile() {
    let server = Server::start().await;
    let settings = json!({
        "fwUpdateStrategy": 2, "fwUpdateResource": "coap://fw.example:5685",
        "useObject19ForOtaInfo": true,
    });
    let profile = json!({"observeAttr": {"observe": [], "attribute": [], "telemetry": [], "keyName": {}},
        "bootstrap": [], "clientLwM2mSettings": settings});
    let put = server.admin.put("/api/v1/profiles/pulling", profile).await;
    assert_eq!(put.status, 201, "{}", put.text());
    server
        .admin
        .put("/api/v1/devices/a", json!({"profile": "pulling"}))
        .await;
    server.engine.register("a", DeviceState::Registered);
    let package = uploaded(&server.admin, FIRMWARE).await;
    server
        .admin
        .put("/api/v1/devices/a/firmware", json!({"packageId": package}))
        .await;
    let assigned = server.engine.assigned_updates.lock().unwrap();
    let target = &assigned[0].1;
    assert_eq!(target.strategy, Strategy::Url);
    assert_eq!(target.base_url.as_deref(), Some("coap://fw.example:5685"));
    assert!(target.object_19_info);
}

#[tokio::test]
async fn engines_tell_of_registers_and_ends_only_while_something_is_open() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    server.engine.register("a", DeviceState::Registered);
    assert!(!server.engine.follows_updates.load(Relaxed));
    let package = uploaded(&server.admin, FIRMWARE).await;
    let path = "/api/v1/devices/a/firmware";
    server.admin.put(path, json!({"packageId": package})).await;
    eventually(|| server.engine.follows_updates.load(Relaxed)).await;
    assert_eq!(server.engine.events.receiver_count(), 0);
    ended(&server, "a", &package, None);
    eventually(|| !server.engine.follows_updates.load(Relaxed)).await;
    becomes(&server, path, "UPDATED").await;
}

#[tokio::test]
async fn how_a_package_is_to_be_installed_is_handed_over_with_it() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    server.engine.register("a", DeviceState::Registered);
    let query = format!("{FIRMWARE}&severity=MANDATORY&maxDeferSeconds=600");
    let package = uploaded(&server.admin, &query).await;
    let software = uploaded(&server.admin, &format!("{SOFTWARE}&activate=true")).await;
    for (kind, package) in [("firmware", package), ("software", software)] {
        let path = format!("/api/v1/devices/a/{kind}");
        server.admin.put(&path, json!({"packageId": package})).await;
    }
    eventually(|| assigned(&server).len() == 2).await;
    let targets = server.engine.assigned_updates.lock().unwrap();
    let firmware = &targets[0].1;
    assert_eq!(
        (firmware.severity, firmware.max_defer),
        (Some(1), Some(600))
    );
    assert!(!firmware.activate && targets[1].1.activate);
}
