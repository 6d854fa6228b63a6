use data_encoding::BASE64;
use openssl::nid::Nid;
use serde_json::{Value, json};

use super::super::generate::{Usage, key, self_signed};
use super::super::*;
use super::fixture::*;

fn refused(credentials: Value) -> String {
    DeviceCredentials::read(Some(&credentials))
        .unwrap_err()
        .to_string()
}

fn client_with(mode: &str, members: Value) -> Value {
    let mut client = json!({"securityConfigClientMode": mode, "endpoint": "a"});
    for (name, value) in members.as_object().unwrap() {
        client[name] = value.clone();
    }
    json!({ "client": client })
}

#[test]
fn each_rule_of_thingsboard_answers_in_its_words() {
    let none = json!({"securityConfigClientMode": "NO_SEC"});
    let rsa = spki(&rsa_key());
    let certificate_text = "LwM2M client X509 certificate must be in DER-encoded X509v3 format and support only EC algorithm and then encoded to Base64 format!";
    let key_text = "LwM2M client RPK key must be in standard [RFC7250] and support only EC algorithm and then encoded to Base64 format!";
    let cases = [
        (json!(""), "LwM2M credentials must be specified!"),
        (json!(7), "Invalid credentials body for LwM2M credentials!"),
        (
            json!({"bootstrap": {}}),
            "LwM2M client credentials must be specified!",
        ),
        (
            json!({"client": none, "bootstrap": null}),
            "LwM2M bootstrap credentials must be specified!",
        ),
        (
            json!({"client": none, "bootstrap": {}}),
            "LwM2M bootstrap server credentials must be specified!",
        ),
        (
            json!({"client": none, "bootstrap": {"bootstrapServer": {"securityMode": "NO_SEC"}}}),
            "LwM2M lwm2m server credentials must be specified!",
        ),
        (
            client_with("NO_SEC", json!({"endpoint": " "})),
            "LwM2M client endpoint must be specified!",
        ),
        (
            client_with("PSK", json!({"key": KEY})),
            "LwM2M client PSK identity must be specified and must be an utf8 string!",
        ),
        (
            client_with("PSK", json!({"identity": "NO_SEC", "key": KEY})),
            "The PSK ID of the LwM2M client must not be 'NO_SEC'!",
        ),
        (
            client_with("PSK", json!({"identity": "i"})),
            "LwM2M client PSK key must be specified!",
        ),
        (
            client_with("PSK", json!({"identity": "i", "key": "xy"})),
            "LwM2M client PSK key must be random sequence in hex encoding!",
        ),
        (
            client_with(
                "PSK",
                json!({"identity": "i", "key": format!("-{}", &KEY[1..])}),
            ),
            "LwM2M client PSK key must be random sequence in hex encoding!",
        ),
        (
            client_with("PSK", json!({"identity": "i", "key": "0".repeat(36)})),
            "LwM2M client PSK key length = 36. Key must be HexDec format: 32, 64, 128 characters!",
        ),
        (
            client_with("PSK", json!({"identity": "i", "key": "0".repeat(96)})),
            "LwM2M client PSK key length = 96. Key must be HexDec format: 32, 64, 128 characters!",
        ),
        (
            client_with("RPK", json!({})),
            "LwM2M client RPK key must be specified!",
        ),
        (client_with("RPK", json!({"key": KEY})), key_text),
        (client_with("RPK", json!({"key": rsa})), key_text),
        (
            client_with("X509", json!({"cert": "MIIB"})),
            certificate_text,
        ),
    ];
    for (credentials, text) in cases {
        assert_eq!(refused(credentials.clone()), text, "{credentials}");
    }
}

#[test]
fn each_rule_of_the_bootstrap_parts_answers_in_thingsboards_words() {
    let key = key(Curve::P256).unwrap();
    let public = spki(&key);
    let secret = BASE64.encode(&key.private_key_to_pkcs8().unwrap());
    let certificate = base64(&self_signed("a", &key, Usage::Client, VALID).unwrap());
    let secret_text = "must be in PKCS#8 format (DER encoding, standard [RFC5958]) and then encoded to Base64 format!";
    let cases: [(&str, Value, Value, String); 15] = [
        ("PSK", json!(""), json!(KEY), "PSK public key or id must be specified and must be an utf8 string!".into()),
        ("PSK", json!("NO_SEC"), json!(KEY), "PSK public key or id must not be 'NO_SEC'!".into()),
        ("PSK", json!("i"), json!(""), "PSK key must be specified!".into()),
        ("PSK", json!("i"), json!("g0"), "PSK key must be random sequence in hex encoding!".into()),
        ("PSK", json!("i"), json!("00"), "PSK key length = 2. Key must be HexDec format: 32, 64, 128 characters!".into()),
        ("RPK", json!(null), json!(secret), "RPK public key or id must be specified!".into()),
        ("RPK", json!(KEY), json!(secret), "RPK public key or id must be in standard [RFC7250 ] and then encoded to Base64 format!".into()),
        ("RPK", json!(public), json!(""), "RPK secret key must be specified!".into()),
        ("RPK", json!(public), json!(public), format!("RPK secret key {secret_text}")),
        ("RPK", json!(public), json!(KEY), format!("RPK secret key {secret_text}")),
        ("X509", json!(" "), json!(secret), "X509 public key or id must be specified!".into()),
        ("X509", json!(public), json!(secret), "X509 public key or id must be in DER-encoded X509v3 format  and support only EC algorithm and then encoded to Base64 format!".into()),
        ("X509", json!(certificate), json!(null), "X509 secret key must be specified!".into()),
        ("X509", json!(certificate), json!("AAAA"), format!("X509 secret key {secret_text}")),
        ("X509", json!(certificate), json!("?"), format!("X509 secret key {secret_text}")),
    ];
    for (mode, id, secret, text) in cases {
        let faulty =
            json!({"securityMode": mode, "clientPublicKeyOrId": id, "clientSecretKey": secret});
        let sound = json!({"securityMode": "NO_SEC"});
        let client = json!({"securityConfigClientMode": "NO_SEC"});
        let with = |bootstrap: &Value, lwm2m: &Value| {
            refused(json!({
                "client": client,
                "bootstrap": {"bootstrapServer": bootstrap, "lwm2mServer": lwm2m}
            }))
        };
        assert_eq!(
            with(&faulty, &sound),
            format!("Bootstrap server client {text}")
        );
        assert_eq!(with(&sound, &faulty), format!("LwM2M server client {text}"));
    }
}

#[test]
fn what_devices_and_libraries_cannot_carry_is_refused_with_what_is_accepted() {
    for identity in ["a\0b".to_owned(), "x".repeat(129), "y".repeat(65_536)] {
        let text = refused(psk(&identity));
        assert!(text.contains("accepted are 1 to 128 bytes"), "{text}");
    }
    assert!(DeviceCredentials::read(Some(&psk(&"x".repeat(128)))).is_ok());
    for curve in [Nid::SECP521R1, Nid::SECP256K1, Nid::SECP224R1] {
        let key = key_on(curve);
        let text = refused(rpk(&spki(&key)));
        assert!(text.contains("accepted are P-256"), "{text}");
        let certificate = self_signed("a", &key, Usage::Client, VALID).unwrap();
        let text = refused(x509(&base64(&certificate)));
        assert!(text.contains("accepted are P-256"), "{text}");
    }
    let mut trailing = key(Curve::P256).unwrap().public_key_to_der().unwrap();
    trailing.push(0);
    assert!(refused(rpk(&BASE64.encode(&trailing))).contains("RFC7250"));
}

#[test]
fn armour_and_line_breaks_are_passed_over() {
    let key = key(Curve::P384).unwrap();
    let pem = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
    let read = |key: &str| DeviceCredentials::read(Some(&rpk(key))).unwrap();
    assert!(read(&pem) == read(&spki(&key)));
}

#[test]
fn debug_shows_no_key() {
    let read = DeviceCredentials::read(Some(&psk("me"))).unwrap();
    assert_eq!(format!("{read:?}"), "DeviceCredentials(PSK)");
    let credentials = Credentials::new(std::sync::Arc::default(), Keys::default());
    put(credentials.index(), "a", &psk("me")).unwrap();
    let claim = Claim::PskIdentity(b"me");
    let shown = format!(
        "{:?}",
        credentials.authorise(claim, Purpose::Bootstrap, Proof::Handshake, NOW)
    );
    assert!(
        shown.contains("PskKey") && !shown.contains("[1, 2"),
        "{shown}"
    );
    assert!(!format!("{credentials:?}").contains("[1, 2"));
}
