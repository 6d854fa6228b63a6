//! What must hold with every client that can be observed: one function for each rule.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Kind};
use super::nat::Nat;
use crate::support::engine::Engine;
use crate::support::wait::eventually;

/// An engine and one device that has registered with it.
pub struct Pair {
    pub engine: Engine,
    pub device: Client,
    /// Registration id the device was given.
    pub id: String,
}

/// Endpoint client name of the device in every test.
pub const ENDPOINT: &str = "interop-device";

/// `None` where the client's tools are not installed.
pub fn registered(kind: Kind, options: &[&str]) -> Option<Pair> {
    kind.is_available().then(|| {
        let engine = Engine::start();
        let mut device = Client::open(kind, engine.coap(), ENDPOINT, options);
        let id = id_of(&device.expect("registered"));
        Pair { engine, device, id }
    })
}

/// The same, once the device is observed and its value is there.
pub fn observed(kind: Kind, options: &[&str]) -> Option<Pair> {
    let pair = registered(kind, options)?;
    pair.engine
        .await_telemetry(ENDPOINT, "batteryLevel", &json!(100));
    Some(pair)
}

/// Puts the same tests under the name of each client.
macro_rules! holds_for {
    ($kind:expr => $($rule:ident),+ $(,)?) => {
        $(
            #[test]
            fn $rule() {
                $crate::rules::$rule($kind);
            }
        )+
    };
}
pub(crate) use holds_for;

pub fn a_registration_is_shown_with_its_version_lifetime_and_address(kind: Kind) {
    let Some(mut pair) = registered(kind, &["--lifetime", "400"]) else {
        return;
    };
    let state = pair.device.tell("state", "state");
    let shown = pair.engine.registration(ENDPOINT);
    assert_eq!(shown["endpoint"], ENDPOINT);
    assert_eq!(shown["id"], pair.id.as_str());
    assert_eq!(shown["address"], state["address"]);
    assert_eq!(shown["state"], "registered");
    assert_eq!(shown["security"], "NO_SEC");
    assert_eq!(shown["lwm2mVersion"], "1.1");
    assert_eq!(shown["lifetime"], 400);
    assert_eq!(shown["queueMode"], false);
    let registered_at = shown["registeredAt"].as_i64().expect("a time");
    let expires = shown["expires"].as_i64().expect("a time");
    // One is read from the wall clock, the other from the lifetime left: a millisecond is rounding.
    assert!(
        (399_999..410_000).contains(&(expires - registered_at)),
        "{shown}"
    );
}

pub fn a_lwm2m_1_0_registration_is_accepted(kind: Kind) {
    let Some(pair) = observed(kind, &["--lwm2m", "1.0"]) else {
        return;
    };
    assert_eq!(pair.engine.registration(ENDPOINT)["lwm2mVersion"], "1.0");
}

pub fn objects_are_shown_with_their_instances(kind: Kind) {
    let Some(pair) = registered(kind, &[]) else {
        return;
    };
    let objects = &pair.engine.registration(ENDPOINT)["objects"];
    assert_eq!(objects["3"]["instances"], json!([0]));
    assert_eq!(objects["3303"]["instances"], json!([0]));
    assert_eq!(objects["3303"]["version"], "1.0");
    assert_eq!(objects["3303"]["versionStated"], false);
    assert_eq!(
        objects["0"],
        Value::Null,
        "Security is nobody's but the client's"
    );
}

pub fn parameters_that_lwm2m_does_not_define_are_kept(kind: Kind) {
    let Some(pair) = registered(kind, &["--attribute", "imei=351756051523999"]) else {
        return;
    };
    let shown = pair.engine.registration(ENDPOINT);
    assert_eq!(shown["additional"], json!({ "imei": "351756051523999" }));
}

pub fn queue_mode_is_shown(kind: Kind) {
    let Some(pair) = registered(kind, &["--queue"]) else {
        return;
    };
    assert_eq!(pair.engine.registration(ENDPOINT)["queueMode"], true);
}

pub fn a_registered_device_is_read_and_observed(kind: Kind) {
    let Some(mut pair) = registered(kind, &[]) else {
        return;
    };
    let model = format!("{}-device", format!("{kind:?}").to_lowercase());
    let engine = &pair.engine;
    engine.await_telemetry(ENDPOINT, "batteryLevel", &json!(100));
    engine.await_attribute(ENDPOINT, "manufacturer", &json!("Rookery"));
    engine.await_attribute(ENDPOINT, "modelNumber", &json!(model));
    engine.await_attribute(ENDPOINT, "firmwareVersion", &json!("1.0.0"));
    let state = pair.device.tell("state", "state");
    assert_eq!(state["observed"], json!(["/3/0/9"]));
    assert_eq!(
        observation_states(&pair.engine),
        json!([["/3/0/9", "established"]])
    );
}

pub fn notified_values_become_telemetry(kind: Kind) {
    let Some(pair) = observed(kind, &[]) else {
        return;
    };
    notify_three_values(pair);
}

pub fn confirmable_notifications_become_telemetry(kind: Kind) {
    let Some(pair) = observed(kind, &["--notify", "con"]) else {
        return;
    };
    notify_three_values(pair);
}

pub fn notified_values_are_told_as_events(kind: Kind) {
    let Some(mut pair) = observed(kind, &[]) else {
        return;
    };
    let all = pair.engine.events("/api/v1/events");
    let own = pair
        .engine
        .events(&format!("/api/v1/devices/{ENDPOINT}/events"));
    pair.device.tell("set /3/0/9 77", "set");
    for stream in [all, own] {
        let event = stream.expect("batteryLevel 77", |event| {
            event.name == "telemetry" && event.data["key"] == "batteryLevel"
        });
        assert_eq!(event.data["endpoint"], ENDPOINT);
        assert_eq!(event.data["value"], 77);
    }
}

pub fn values_sent_as_senml_json_become_telemetry(kind: Kind) {
    send_becomes_telemetry(kind, "json");
}

pub fn values_sent_as_senml_cbor_become_telemetry(kind: Kind) {
    send_becomes_telemetry(kind, "cbor");
}

pub fn an_update_moves_the_expiry(kind: Kind) {
    let Some(mut pair) = observed(kind, &[]) else {
        return;
    };
    let before = expiry(&pair.engine);
    std::thread::sleep(Duration::from_millis(50));
    pair.device.tell("update", "updated");
    let after = expiry(&pair.engine);
    assert!(after > before, "{after} is not after {before}");
    assert_eq!(
        pair.engine.registration(ENDPOINT)["id"],
        pair.id.as_str(),
        "an Update keeps the registration"
    );
}

pub fn an_update_with_a_lifetime_replaces_it(kind: Kind) {
    let Some(mut pair) = observed(kind, &[]) else {
        return;
    };
    let before = expiry(&pair.engine);
    pair.device.tell("update 900", "updated");
    assert_eq!(pair.engine.registration(ENDPOINT)["lifetime"], 900);
    assert!(expiry(&pair.engine) - before >= 500_000);
}

pub fn an_update_from_a_new_port_moves_the_registration(kind: Kind) {
    let Some(mut pair) = observed(kind, &[]) else {
        return;
    };
    let moved_to = pair.device.tell("rebind", "rebound")["address"].clone();
    pair.device.tell("update", "updated");
    let shown = pair.engine.registration(ENDPOINT);
    assert_eq!(shown["address"], moved_to);
    assert_eq!(shown["id"], pair.id.as_str());
    pair.device.tell("send json /3/0/9", "sent");
}

/// The device does not know: an Update from behind the new binding is all that tells the engine.
pub fn a_device_whose_nat_binding_changed_stays_observed_after_its_update(kind: Kind) {
    if !kind.is_available() {
        return;
    }
    let engine = Engine::start();
    let nat = Nat::before(engine.coap());
    let mut device = Client::open(kind, nat.address(), ENDPOINT, &[]);
    device.expect("registered");
    engine.await_telemetry(ENDPOINT, "batteryLevel", &json!(100));
    assert_eq!(
        engine.registration(ENDPOINT)["address"],
        nat.outside().to_string()
    );

    nat.forget_binding();
    device.tell("update", "updated");
    assert_eq!(
        engine.registration(ENDPOINT)["address"],
        nat.outside().to_string()
    );
    device.tell("set /3/0/9 64", "set");
    engine.await_telemetry(ENDPOINT, "batteryLevel", &json!(64));
}

pub fn a_device_that_registers_again_has_a_new_id_and_one_observation(kind: Kind) {
    let Some(mut pair) = observed(kind, &[]) else {
        return;
    };
    let id = id_of(&pair.device.tell("register", "registered"));
    assert_ne!(id, pair.id);
    assert_eq!(pair.engine.registration(ENDPOINT)["id"], id.as_str());

    pair.device.expect("observed");
    eventually("one established observation", || {
        let states = observation_states(&pair.engine);
        (states == json!([["/3/0/9", "established"]]))
            .then_some(())
            .ok_or(states)
    });
    pair.device.tell("set /3/0/9 12", "set");
    pair.engine
        .await_telemetry(ENDPOINT, "batteryLevel", &json!(12));
    assert_eq!(device_count(&pair.engine), 1);
}

pub fn a_device_that_deregistered_is_shown_as_expired(kind: Kind) {
    let Some(mut pair) = observed(kind, &[]) else {
        return;
    };
    let events = pair.engine.events("/api/v1/events");
    pair.device.tell("deregister", "deregistered");
    events.expect("the end of the registration", |event| {
        event.name == "deregistered" && event.data["endpoint"] == ENDPOINT
    });
    pair.engine.await_state(ENDPOINT, "expired");
    let shown = pair.engine.registration(ENDPOINT);
    assert_eq!(shown["id"], Value::Null);
    assert_eq!(shown["observations"], json!([]));
}

fn notify_three_values(mut pair: Pair) {
    for level in [42, 41, 40] {
        pair.device.tell(&format!("set /3/0/9 {level}"), "set");
        pair.engine
            .await_telemetry(ENDPOINT, "batteryLevel", &json!(level));
    }
}

fn send_becomes_telemetry(kind: Kind, format: &str) {
    let Some(mut pair) = registered(kind, &[]) else {
        return;
    };
    // The value changes before the observation can tell, or after: either way the Send carries it.
    pair.device.tell("set /3/0/9 55", "set");
    let sent = pair
        .device
        .tell(&format!("send {format} /3/0/9 /3303/0/5700"), "sent");
    assert_eq!(sent["code"], "2.04");
    pair.engine
        .await_telemetry(ENDPOINT, "batteryLevel", &json!(55));
}

fn id_of(registered: &Value) -> String {
    registered["id"]
        .as_str()
        .expect("a registration id is a string")
        .to_owned()
}

fn expiry(engine: &Engine) -> i64 {
    engine.registration(ENDPOINT)["expires"]
        .as_i64()
        .expect("a time")
}

/// Path and state of each observation.
fn observation_states(engine: &Engine) -> Value {
    engine.registration(ENDPOINT)["observations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|observation| json!([observation["path"], observation["state"]]))
        .collect()
}

fn device_count(engine: &Engine) -> usize {
    engine.get("/api/v1/devices")["items"]
        .as_array()
        .expect("a list")
        .len()
}
