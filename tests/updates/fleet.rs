//! Campaigns.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{await_state, device, engine, upload};
use crate::support::engine::Engine;
use crate::support::wait::until;

const FIRMWARE: &str = "type=FIRMWARE&title=fw&version=2.0";

fn begin(engine: &Engine, body: &Value) -> String {
    let answer = engine.send_json("POST", "/api/v1/campaigns", body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    format!("/api/v1/campaigns/{id}")
}

#[test]
fn a_campaign_updates_the_first_devices_and_then_the_others() {
    let engine = engine();
    let _fleet: Vec<_> = (0..8)
        .map(|n| device(&engine, &format!("fleet-{n}")))
        .collect();
    let package = upload(&engine, FIRMWARE, &[3; 10_000]);
    let rules = json!({"canaryPercent": 20, "concurrency": 3, "perMinute": 6_000});
    let body = json!({"packageId": package, "profile": "updates", "rules": rules});
    let path = begin(&engine, &body);
    let shown = await_state(&engine, &path, "completed");
    assert_eq!(shown["devices"]["updated"], 8, "{shown}");
    let counted = |name, state| engine.metric(name, &[state]);
    until(
        "the campaign is counted as completed",
        Duration::from_secs(10),
        || counted("lwm2m_campaigns", "state=\"completed\"") == 1.0,
    );
    assert_eq!(counted("lwm2m_campaigns", "state=\"running\""), 0.0);
    assert_eq!(counted("lwm2m_campaign_devices", ""), 0.0);
    let updated = ["kind=\"firmware\"", "result=\"updated\""];
    assert_eq!(engine.metric("lwm2m_ota_updates_total", &updated), 8.0);
    let shown = engine.get("/api/v1/devices/fleet-3/firmware");
    assert_eq!(shown["assignedBy"], "campaign", "{shown}");
}

#[test]
fn a_campaign_goes_on_after_the_engine_was_killed() {
    let mut engine = engine();
    let _there = device(&engine, "there");
    engine.put_device("missing", &json!({"profile": "updates"}));
    let package = upload(&engine, FIRMWARE, &[4; 2_000]);
    let path = begin(
        &engine,
        &json!({"packageId": package, "devices": ["there", "missing"]}),
    );
    await_state(&engine, "/api/v1/devices/there/firmware", "UPDATED");
    engine.kill();
    engine.start_again();
    await_state(&engine, &path, "running");
    until(
        "what was updated is counted",
        Duration::from_secs(20),
        || engine.get(&path)["devices"]["updated"] == 1,
    );
    let _missing = device(&engine, "missing");
    let shown = await_state(&engine, &path, "completed");
    assert_eq!(shown["devices"]["updated"], 2, "{shown}");
}
