use serde_json::json;

use super::*;
use crate::engine::endpoint::profile_parts::PowerKind;
use crate::services::models::Models;
use crate::services::profiles::{ProfileSettings, ServerPorts};
use crate::store::MemoryStore;

mod generated;

/// With the built-in profile alone.
fn provisioning() -> Provisioning {
    let store = Arc::new(MemoryStore::default());
    let settings = ProfileSettings {
        ports: ServerPorts::default(),
        of_unnamed: "default".to_owned(),
    };
    let profiles = async {
        let models = Arc::new(Models::load(store.clone()).await?);
        Profiles::load(store.clone(), models, None, settings).await
    };
    let profiles = futures_util::FutureExt::now_or_never(profiles).expect("memory does not wait");
    Provisioning::new(store.clone(), profiles.unwrap(), "default")
}

fn check(endpoint: Option<&str>, body: Value) -> Result<CheckedDevice, DeviceError> {
    provisioning().check(endpoint, serde_json::from_value(body).unwrap())
}

#[test]
fn thingsboards_credentials_are_stored_unchanged() {
    let credentials = json!({
        "client": {"securityConfigClientMode": "NO_SEC", "endpoint": "dev-1", "extra": 1.5},
        "bootstrap": {
            "bootstrapServer": {
                "securityMode": "PSK",
                "clientPublicKeyOrId": "me",
                "clientSecretKey": "000102030405060708090a0b0c0d0e0f"
            },
            "lwm2mServer": {"securityMode": "NO_SEC"}
        }
    });
    let device = check(Some("dev-1"), json!({"credentials": credentials})).unwrap();
    assert_eq!(device.record.credentials, Some(credentials));
    assert_eq!(device.record.profile, "default");
}

#[test]
fn an_empty_body_is_a_device_without_security() {
    let device = check(Some("dev-1"), json!({})).unwrap();
    assert_eq!(device.endpoint, "dev-1");
    assert_eq!(device.record.credentials, None);
}

#[test]
fn an_import_takes_the_endpoint_from_the_credentials() {
    let body = json!({"credentials": {
        "client": {"securityConfigClientMode": "NO_SEC", "endpoint": "urn:a/b"}
    }});
    assert_eq!(check(None, body).unwrap().endpoint, "urn:a/b");
    assert_eq!(
        check(None, json!({"profile": "default"})).unwrap_err(),
        DeviceError::EndpointMissing
    );
}

#[test]
fn endpoints_that_disagree_are_refused() {
    let body = json!({"credentials": {
        "client": {"securityConfigClientMode": "NO_SEC", "endpoint": "b"}
    }});
    let refused = check(Some("a"), body).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`credentials.client.endpoint` is \"b\", but the device is \"a\""
    );
}

#[test]
fn each_fault_is_named_with_what_is_accepted() {
    let client = |client: Value| json!({"credentials": {"client": client}});
    let cases = [
        (
            client(json!({"securityConfigClientMode": "PSK"})),
            "LwM2M client PSK identity must be specified",
        ),
        (
            client(json!({"securityConfigClientMode": "psk"})),
            "one of NO_SEC, PSK, RPK, X509",
        ),
        (
            client(json!({"securityConfigClientMode": 1})),
            "is a number",
        ),
        (client(json!({})), "is missing"),
        (client(json!("NO_SEC")), "`credentials.client` is a string"),
        (
            json!({"credentials": {}}),
            "LwM2M client credentials must be specified!",
        ),
        (
            json!({"credentials": []}),
            "Invalid credentials body for LwM2M credentials!",
        ),
        (json!({"profile": "water"}), "known are: default"),
        (
            json!({"credentials": {
                "client": {"securityConfigClientMode": "NO_SEC", "endpoint": 7}
            }}),
            "`credentials.client.endpoint` is a number",
        ),
        (
            json!({"credentials": {
                "client": {"securityConfigClientMode": "NO_SEC"}, "bootstrap": true
            }}),
            "`credentials.bootstrap` is a boolean",
        ),
    ];
    for (body, expected) in cases {
        let refused = check(Some("a"), body.clone()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{body}: {refused}");
    }
}

#[test]
fn a_devices_own_power_mode_is_read_and_its_faults_are_named() {
    let own = |configuration: Value| {
        let body = json!({"transportConfiguration": configuration});
        check(Some("a"), body).map(|device| device.power)
    };
    let psm = json!({"type": "LWM2M", "powerMode": "PSM", "psmActivityTimer": 5_000});
    let expected = PowerSettings {
        kind: Some(PowerKind::Psm),
        activity_timer: Some(5_000),
        ..PowerSettings::default()
    };
    assert_eq!(own(psm), Ok(Some(expected)));
    assert_eq!(own(json!({})), Ok(None));
    let refused = own(json!({"edrxCycle": -5})).unwrap_err().to_string();
    assert_eq!(
        refused,
        "`transportConfiguration.edrxCycle` is -5; accepted is a whole number of milliseconds from 0 to 86400000"
    );
}

#[test]
fn impossible_endpoint_names_are_refused() {
    for name in ["", "a\nb", &"x".repeat(256)] {
        let refused = check(Some(name), json!({})).unwrap_err();
        assert!(matches!(refused, DeviceError::Endpoint { .. }), "{name:?}");
    }
    assert!(check(Some(&"x".repeat(255)), json!({})).is_ok());
    assert!(check(Some("Zähler/1 %"), json!({})).is_ok());
}

#[test]
fn secrets_are_left_out_of_what_is_shown() {
    let shown = redacted_credentials(&json!({
        "client": {"securityConfigClientMode": "PSK", "identity": "me", "key": "0102"},
        "bootstrap": {
            "bootstrapServer": {"clientPublicKeyOrId": "id", "clientSecretKey": "03"},
            "write": {"/21/0/0": {"opaque": "04"}},
            "more": [{"privateKey": "x", "Password": "y", "shown": 1}]
        }
    }));
    assert_eq!(
        shown,
        json!({
            "client": {"securityConfigClientMode": "PSK", "identity": "me"},
            "bootstrap": {
                "bootstrapServer": {"clientPublicKeyOrId": "id"},
                "more": [{"shown": 1}]
            }
        })
    );
}
