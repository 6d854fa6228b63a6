//! Every operation in every content format a client knows, asked for as users do: through the API.

use std::fs;

use serde_json::{Value, json};

use super::client::{Client, Kind};
use crate::support::engine::Engine;
use crate::support::wait::eventually;

mod aiocoap;
mod blockwise;
mod composite;
mod libcoap;
mod management;
mod observing;
mod reading;
mod values;
mod writing;

pub const TEXT: u16 = 0;
pub const OPAQUE: u16 = 42;
pub const CBOR: u16 = 60;
pub const SENML_JSON: u16 = 110;
pub const SENML_CBOR: u16 = 112;
pub const OLD_TLV: u16 = 1542;
pub const OLD_JSON: u16 = 1543;
pub const TLV: u16 = 11542;
pub const JSON: u16 = 11543;

/// Formats for one value and no more.
pub const SCALAR_FORMATS: [u16; 2] = [TEXT, CBOR];
/// Formats for any number of values.
pub const NODE_FORMATS: [u16; 4] = [SENML_JSON, SENML_CBOR, TLV, JSON];
/// Formats for composite operations.
pub const COMPOSITE_FORMATS: [u16; 2] = [SENML_JSON, SENML_CBOR];

const PROFILE: &str = "interop";
const VALUE_TYPES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/interop/models/33000_1.0.xml"
);

/// A device that is registered with the engine the tests share.
pub struct Session {
    pub engine: &'static Engine,
    pub device: Client,
    pub endpoint: String,
}

impl Session {
    /// `None` where the client's tools are not installed.
    pub fn open(kind: Kind, endpoint: &str, options: &[&str]) -> Option<Self> {
        if !kind.is_available() {
            return None;
        }
        let engine = Engine::shared(prepare);
        engine.put_device(endpoint, &json!({"profile": PROFILE}));
        let mut device = Client::open(kind, engine.coap(), endpoint, options);
        device.expect("registered");
        Some(Self {
            engine,
            device,
            endpoint: endpoint.to_owned(),
        })
    }

    pub fn rpc(&self, method: &str, params: &Value) -> Value {
        self.engine.rpc(&self.endpoint, method, params)
    }

    /// The value of a command that must succeed with this result.
    pub fn value(&self, method: &str, params: &Value, result: &str) -> String {
        let answer = self.rpc(method, params);
        assert_eq!(answer["result"], result, "{method} {params}: {answer}");
        answer["value"].as_str().unwrap_or_default().to_owned()
    }

    pub fn read(&self, id: &str, format: u16) -> String {
        self.value(
            "Read",
            &json!({"id": id, "contentFormat": format}),
            "CONTENT",
        )
    }

    /// A command that must change something, and does not say more.
    pub fn change(&self, method: &str, params: &Value) {
        assert_eq!(
            self.rpc(method, params),
            json!({"result": "CHANGED"}),
            "{method} {params}"
        );
    }

    /// Nothing that was asked is left waiting; the end of an observation is told in the background.
    pub fn assert_at_rest(&self) {
        eventually(&format!("nothing waits for {}", self.endpoint), || {
            let queued = self.engine.registration(&self.endpoint)["queueLength"].clone();
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

/// Numbers become telemetry; nothing is observed or read until a test asks for it.
fn prepare(engine: &Engine) {
    engine.post_model(&fs::read_to_string(VALUE_TYPES).expect("the definition of object 33000"));
    let keys = json!({
        "/3/0/9": "batteryLevel",
        "/33000_1.0/0/0": "string", "/33000_1.0/0/1": "integer", "/33000_1.0/0/3": "float",
    });
    let mapped: Vec<&String> = keys.as_object().expect("a map").keys().collect();
    engine.put_profile(
        PROFILE,
        &json!({
            "type": "LWM2M",
            "observeAttr": {
                "keyName": keys, "observe": [], "attribute": [], "telemetry": mapped,
                "attributeLwm2m": {}, "observeStrategy": "SINGLE",
            },
            "clientLwM2mSettings": {"powerMode": "DRX"},
        }),
    );
}
