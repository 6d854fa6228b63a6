//! ThingsBoard's cases of a registered device that is told to bootstrap anew, by what its profile has then:
//! it de-registers, bootstraps, and registers again.

use serde_json::{Value, json};

use super::super::rules::ENDPOINT;
use super::bootstrapped;

#[test]
fn triggered_with_lwm2m_only() {
    triggered(|ours, _| vec![ours], 99);
}

#[test]
fn triggered_with_bootstrap_only() {
    triggered(|_, own| vec![own], 77);
}

#[test]
fn triggered_with_none() {
    triggered(|_, _| Vec::new(), 77);
}

#[test]
fn triggered_with_three_sections() {
    let other = |host: &str, id: u16| {
        json!({"securityMode": "NO_SEC", "host": host, "port": 5685, "shortServerId": id,
               "lifetime": 600})
    };
    triggered(
        |ours, own| vec![ours, own, other("192.0.2.1", 200), other("192.0.2.2", 300)],
        99,
    );
}

/// `sections` makes the list of the LwM2M server, whose lifetime is another one than before, and the
/// bootstrap server.
fn triggered(sections: impl FnOnce(Value, Value) -> Vec<Value>, lifetime: i64) {
    let Some((engine, mut device)) = bootstrapped(true) else {
        return;
    };
    let profile = engine.get("/api/v1/profiles/told");
    let before = &profile["bootstrap"];
    let mut ours = before[0].clone();
    ours["lifetime"] = json!(99);
    let list = sections(ours, before[1].clone());
    let profile = json!({"bootstrapServerUpdateEnable": true, "bootstrap": list});
    engine.put_profile("told", &profile);
    let call = json!({"id": "/1_1.1/0/9"});
    let answer = engine.rpc(ENDPOINT, "Execute", &call);
    assert_eq!(answer, json!({"result": "CHANGED"}));
    device.expect("deregistered");
    device.expect("bootstrapped");
    device.expect("registered");
    assert_eq!(engine.registration(ENDPOINT)["lifetime"], lifetime);
}
