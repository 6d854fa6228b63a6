//! The device and the device profiles of ThingsBoard's tests.

use std::fs;
use std::time::Duration;

use loadtest::client::{Client, ClientOptions};
use serde_json::{Map, Value, json};

use crate::support::engine::Engine;
use crate::support::http::EventStream;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(10);
/// How often the values of a device change: ThingsBoard's tests wait for seconds, ours do not.
const TICK: Duration = Duration::from_millis(100);

/// How many paths [`profile::RPC`] maps: each is read after the Register.
pub const KEYS_OF_RPC: u64 = 5;

/// The device profiles of the tests.
pub mod profile {
    /// Five keys, nothing observed.
    pub const RPC: &str = "rpc";
    /// The same, "with 4 observes".
    pub const OBSERVED: &str = "rpc-observed";
    /// The four observes for a device whose Device object is 1.0, 1.1.
    pub const OBSERVED_DEVICE_1_0: &str = "rpc-observed-1.0";
    pub const OBSERVED_DEVICE_1_1: &str = "rpc-observed-1.1";
    /// Initial reads in one Read-Composite, or in one for each object.
    pub const READ_ALL: &str = "read-all";
    pub const READ_BY_OBJECT: &str = "read-by-object";
    /// The temperature of instance 12 is telemetry.
    pub const TEMPERATURE: &str = "temperature";
    /// An id without version means LwM2M's own version of the object.
    pub const STRICT: &str = "rpc-strict";
}

/// A registered device of ThingsBoard's tests.
pub struct Session {
    pub engine: &'static Engine,
    pub endpoint: &'static str,
    pub device: Client,
}

impl Session {
    /// With nothing observed.
    pub fn open(endpoint: &'static str) -> Self {
        Self::with(endpoint, profile::RPC, |_| {})
    }

    /// With the four observes established.
    pub fn observed(endpoint: &'static str) -> Self {
        let session = Self::with(endpoint, profile::OBSERVED, |_| {});
        session.await_observations(4);
        session
    }

    /// With a profile, and a device that differs.
    pub fn with(
        endpoint: &'static str,
        profile: &str,
        change: impl FnOnce(&mut ClientOptions),
    ) -> Self {
        let engine = engine();
        engine.put_device(endpoint, &json!({"profile": profile}));
        Self {
            engine,
            endpoint,
            device: start_device(engine, endpoint, change),
        }
    }

    /// The device ends without a word, and another one starts in its place.
    pub fn restart(&mut self, change: impl FnOnce(&mut ClientOptions)) {
        self.device = start_device(self.engine, self.endpoint, change);
    }

    /// The same once what the profile maps has been read: from here on the device is asked what a test asks.
    pub fn settled(endpoint: &'static str) -> Self {
        let session = Self::open(endpoint);
        session.await_requests(KEYS_OF_RPC);
        session
    }

    /// Waits until the device has been asked so often.
    pub fn await_requests(&self, count: u64) {
        let asked = |device: &loadtest::client::Device| {
            device.counters().requests.values().sum::<u64>() >= count
        };
        let in_time = self.device.wait_until(PATIENCE, asked);
        assert!(in_time, "{} is asked {count} times", self.endpoint);
    }

    /// How often the device has been asked.
    pub fn requests(&self) -> u64 {
        self.device.counters().requests.values().sum()
    }

    pub fn rpc(&self, method: &str, params: &Value) -> Value {
        self.engine.rpc(self.endpoint, method, params)
    }

    /// A command about one id.
    pub fn on(&self, method: &str, id: &str) -> Value {
        self.rpc(method, &json!({"id": id}))
    }

    /// The value of a command that must succeed with `CONTENT`.
    pub fn content(&self, method: &str, params: &Value) -> String {
        let answer = self.rpc(method, params);
        assert_eq!(answer["result"], "CONTENT", "{method} {params}: {answer}");
        text(&answer["value"]).to_owned()
    }

    pub fn read(&self, id: &str) -> String {
        self.content("Read", &json!({"id": id}))
    }

    /// A command that must end with `CHANGED`, and nothing more.
    pub fn change(&self, method: &str, params: &Value) {
        let answer = self.rpc(method, params);
        assert_eq!(answer, json!({"result": "CHANGED"}), "{method} {params}");
    }

    /// A command that must be refused with these words.
    pub fn refused(&self, method: &str, params: &Value, result: &str, error: &str) {
        let answer = self.rpc(method, params);
        let expected = json!({"result": result, "error": error});
        assert_eq!(answer, expected, "{method} {params}");
    }

    /// The error of a command that must end with this result.
    pub fn error(&self, method: &str, params: &Value, result: &str) -> String {
        let answer = self.rpc(method, params);
        assert_eq!(answer["result"], result, "{method} {params}: {answer}");
        assert!(answer["value"].is_null(), "{method} {params}: {answer}");
        answer["error"].as_str().unwrap_or_default().to_owned()
    }

    /// What `ObserveReadAll` lists.
    pub fn observations(&self) -> Vec<String> {
        let listed = self.content("ObserveReadAll", &Value::Null);
        serde_json::from_str(&listed).unwrap_or_else(|e| panic!("{e}: {listed}"))
    }

    pub fn await_observations(&self, count: usize) {
        eventually(
            &format!("{} has {count} observations", self.endpoint),
            || {
                let observed = self.observations();
                (observed.len() == count).then_some(()).ok_or(observed)
            },
        );
    }

    pub fn cancel_all(&self) -> String {
        self.content("ObserveCancelAll", &Value::Null)
    }

    /// The values of the device, from now on.
    pub fn events(&self) -> EventStream {
        let path = format!("/api/v1/devices/{}/events", self.endpoint);
        self.engine.events(&path)
    }

    /// Object ids and instances of the registration, Security left out.
    pub fn announced(&self) -> Vec<(u16, String, Vec<u16>)> {
        let objects = self.engine.registration(self.endpoint)["objects"].clone();
        let objects: Map<String, Value> = serde_json::from_value(objects).expect("a map");
        let mut announced: Vec<_> = objects
            .into_iter()
            .map(|(id, object)| {
                let instances = serde_json::from_value(object["instances"].clone());
                (
                    id.parse().expect("an object id"),
                    text(&object["version"]).to_owned(),
                    instances.expect("instance ids"),
                )
            })
            .collect();
        announced.sort();
        announced
    }

    /// Nothing that was asked is left waiting.
    pub fn assert_at_rest(&self) {
        eventually(&format!("nothing waits for {}", self.endpoint), || {
            let queued = self.engine.registration(self.endpoint)["queueLength"].clone();
            (queued == 0).then_some(()).ok_or(queued)
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.engine.print_log();
        }
    }
}

/// Waits for so many values of a key.
pub fn expect_values(events: &EventStream, key: &str, count: usize) {
    for n in 1..=count {
        events.expect(&format!("value {n} of {key}"), |event| {
            event.name == "telemetry" && event.data["key"] == key
        });
    }
}

pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

fn start_device(
    engine: &Engine,
    endpoint: &str,
    change: impl FnOnce(&mut ClientOptions),
) -> Client {
    let mut options = ClientOptions::thingsboard(engine.coap(), endpoint);
    options.time_frequency = TICK;
    change(&mut options);
    let device = Client::start(options).expect("a device starts");
    assert!(device.wait_registered(PATIENCE), "{endpoint} registers");
    device
}

/// The engine the tests share, with the profiles and the object models of ThingsBoard's tests.
pub fn engine() -> &'static Engine {
    Engine::shared(|engine| {
        for object in [9, 19] {
            engine.post_model(&model_1_1(object));
        }
        for (name, body) in profiles() {
            engine.put_profile(name, &body);
        }
    })
}

/// ThingsBoard's tests have these objects in version 1.1, with the Resources of 1.0.
fn model_1_1(object: u16) -> String {
    let manifest = env!("CARGO_MANIFEST_DIR");
    let file = format!("{manifest}/models/{object}_1.0.xml");
    let xml = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
    let version = "<ObjectVersion>1.0<";
    assert!(xml.contains(version), "{file}");
    xml.replace(version, "<ObjectVersion>1.1<")
}

fn profiles() -> Vec<(&'static str, Value)> {
    let observed = ["/3_1.2/0/9", "/19_1.1/0/0", "/19_1.1/1/0", "/19_1.1/0/2"];
    let none: [&str; 0] = [];
    let of_device = |version: &str| {
        let battery = format!("/3_{version}/0/9");
        let offset = format!("/3_{version}/0/14");
        rpc_profile(
            &battery,
            &offset,
            &[&battery, observed[1], observed[2], observed[3]],
        )
    };
    let mut strict = rpc_profile("/3_1.2/0/9", "/3_1.2/0/14", &none);
    strict["rookery"] = json!({"strictObjectVersions": true});
    vec![
        (
            profile::RPC,
            rpc_profile("/3_1.2/0/9", "/3_1.2/0/14", &none),
        ),
        (profile::OBSERVED, of_device("1.2")),
        (profile::OBSERVED_DEVICE_1_0, of_device("1.0")),
        (profile::OBSERVED_DEVICE_1_1, of_device("1.1")),
        (profile::READ_ALL, initial_read_profile(1)),
        (profile::READ_BY_OBJECT, initial_read_profile(2)),
        (
            profile::TEMPERATURE,
            profile_body(&json!({
                "keyName": {"/3303_1.1/12/5700": "temperature", "/3_1.2/0/9": "batteryLevel"},
                "observe": [], "attribute": [],
                "telemetry": ["/3303_1.1/12/5700", "/3_1.2/0/9"],
                "attributeLwm2m": {},
            })),
        ),
        (profile::STRICT, strict),
    ]
}

fn rpc_profile(battery: &str, offset: &str, observe: &[&str]) -> Value {
    profile_body(&json!({
        "keyName": {
            battery: "batteryLevel", offset: "UtfOffset",
            "/19_1.1/0/0": "dataRead", "/19_1.1/1/0": "dataWrite", "/19_1.1/0/2": "dataCreationTime",
        },
        "observe": observe,
        "attribute": [offset],
        "telemetry": [battery, "/19_1.1/0/0", "/19_1.1/1/0", "/19_1.1/0/2"],
        "attributeLwm2m": {},
        "observeStrategy": 0,
    }))
}

fn initial_read_profile(strategy: u8) -> Value {
    let telemetry = ["/3_1.2/0/9", "/3_1.2/0/20", "/5_1.2/0/9", "/19_1.1/0/2"];
    let attributes = ["/5_1.2/0/6", "/5_1.2/0/7"];
    profile_body(&json!({
        "keyName": {
            "/3_1.2/0/9": "batteryLevel", "/3_1.2/0/20": "batteryStatus",
            "/5_1.2/0/6": "pkgname", "/5_1.2/0/7": "pkgversion",
            "/5_1.2/0/9": "firmwareUpdateDeliveryMethod", "/19_1.1/0/2": "dataCreationTime",
        },
        "observe": [], "attribute": attributes, "telemetry": telemetry, "attributeLwm2m": {},
        "initAttrTelAsObsStrategy": true,
        "observeStrategy": strategy,
    }))
}

fn profile_body(observe_attr: &Value) -> Value {
    json!({
        "type": "LWM2M",
        "observeAttr": observe_attr,
        "bootstrapServerUpdateEnable": false,
        "bootstrap": [],
        "clientLwM2mSettings": {"powerMode": "DRX", "fwUpdateStrategy": 1, "swUpdateStrategy": 1},
    })
}
