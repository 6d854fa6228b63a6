use serde_json::json;

use super::*;
use crate::store::MemoryStore;

fn provisioning() -> Provisioning {
    Provisioning::new(Arc::new(MemoryStore::default()), profiles::DEFAULT)
}

fn check(endpoint: Option<&str>, body: Value) -> Result<CheckedDevice, DeviceError> {
    provisioning().check(endpoint, serde_json::from_value(body).unwrap())
}

#[test]
fn thingsboards_credentials_are_stored_unchanged() {
    let credentials = json!({
        "client": {"securityConfigClientMode": "NO_SEC", "endpoint": "dev-1", "extra": 1.5},
        "bootstrap": {
            "bootstrapServer": {"securityMode": "PSK", "clientSecretKey": "00ff"},
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
            "needs DTLS",
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
            "`credentials.client` is missing",
        ),
        (json!({"credentials": []}), "`credentials` is an array"),
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
