//! The `bootstrap` list: ThingsBoard's rules, in its words.

use super::*;

const EC_KEY: &str = include_str!("ec_key.txt");
const EC_CERTIFICATE: &str = include_str!("ec_certificate.txt");
const RSA_KEY: &str = include_str!("rsa_key.txt");
const RSA_CERTIFICATE: &str = include_str!("rsa_certificate.txt");

/// A list with these servers, each given by what it has instead of the usual.
fn list(updates: bool, servers: &[Value]) -> Value {
    let servers = servers.iter().map(|given| {
        let mut server = json!({
            "securityMode": "NO_SEC", "shortServerId": 123, "bootstrapServerIs": false,
            "host": "0.0.0.0", "port": 5685, "clientHoldOffTime": 1, "serverPublicKey": "",
            "serverCertificate": "", "bootstrapServerAccountTimeout": 0, "lifetime": 300,
            "defaultMinPeriod": 1, "notifIfDisabled": true, "binding": "U"
        });
        let members = server.as_object_mut().unwrap();
        for (name, value) in given.as_object().unwrap() {
            members.insert(name.clone(), value.clone());
        }
        server
    });
    let servers: Vec<_> = servers.collect();
    json!({"bootstrapServerUpdateEnable": updates, "bootstrap": servers})
}

/// `text` word for word.
async fn assert_text(configuration: Value, member: &str, text: &str) {
    let found = faults(&configuration).await;
    assert_eq!(found, [(member.to_owned(), text.to_owned())]);
}

async fn assert_fine(configuration: Value) {
    let put = put(&configuration).await.unwrap();
    assert_eq!(put.warnings, []);
}

#[tokio::test]
async fn servers_of_both_kinds_are_accepted() {
    let bootstrap = json!({"bootstrapServerIs": true, "shortServerId": null, "port": 5687});
    assert_fine(list(true, &[json!({}), bootstrap])).await;
    let zero = json!({"bootstrapServerIs": true, "shortServerId": 0, "port": 5687});
    assert_fine(list(true, &[zero])).await;
    for binding in ["U", "M", "H", "T", "S", "N", "UQ", "UQS", "TQ", "TQS", "SQ"] {
        assert_fine(list(false, &[json!({"binding": binding})])).await;
    }
}

#[tokio::test]
async fn a_bootstrap_server_needs_its_updates_to_be_included() {
    let bootstrap = json!({"bootstrapServerIs": true, "shortServerId": null, "port": 5687});
    assert_text(
        list(false, &[bootstrap]),
        "bootstrap[0].bootstrapServerIs",
        "Bootstrap config must not include \"Bootstrap Server\". \"Include Bootstrap Server updates\" is false.",
    )
    .await;
}

#[tokio::test]
async fn short_server_ids_follow_the_rules() {
    let bootstrap = json!({"bootstrapServerIs": true, "shortServerId": 111, "port": 5687});
    assert_text(
        list(true, &[bootstrap]),
        "bootstrap[0].shortServerId",
        "Bootstrap Server ShortServerId must be null!",
    )
    .await;
    let id = |id: Value| list(false, &[json!({"shortServerId": id})]);
    let member = "bootstrap[0].shortServerId";
    assert_text(
        id(json!(null)),
        member,
        "LwM2M Server ShortServerId must not be null!",
    )
    .await;
    for wrong in [json!(0), json!(65_535), json!(-1), json!(1u64 << 40)] {
        let text = "LwM2M Server ShortServerId must be in range [1 - 65534]!";
        assert_text(id(wrong), member, text).await;
    }
    assert_fine(id(json!(1))).await;
    assert_fine(id(json!(65_534))).await;
    assert_text(
        list(false, &[json!({}), json!({"host": "other"})]),
        "bootstrap[1].shortServerId",
        "LwM2M Server \"Short server Id\" value = 123. This value must be a unique value for all servers!",
    )
    .await;
}

#[tokio::test]
async fn addresses_are_unique_and_ports_are_those_of_the_server() {
    assert_text(
        list(false, &[json!({}), json!({"shortServerId": 124})]),
        "bootstrap[1].port",
        "LwM2M Server \"Host + port\" value = 0.0.0.0:5685. This value must be a unique value for all servers!",
    )
    .await;
    let port = |members: Value| list(true, &[members]);
    let member = "bootstrap[0].port";
    let text = |server: &str, port: u16, mode: &str, must: u16| {
        format!("{server} \"Port\" value = {port}. This value for security {mode} must be {must}!")
    };
    // The tests' server listens on another port than ThingsBoard's.
    let expected = text("LwM2M Server", 5686, "NO_SEC", 15_685);
    assert_text(port(json!({"port": 5686})), member, &expected).await;
    assert_fine(port(json!({"port": 15_685}))).await;
    let expected = text("LwM2M Server", 5685, "PSK", 5686);
    assert_text(port(json!({"securityMode": "PSK"})), member, &expected).await;
    let bootstrap = json!({"bootstrapServerIs": true, "shortServerId": null});
    let expected = text("Bootstrap Server", 5685, "NO_SEC", 5687);
    assert_text(port(bootstrap), member, &expected).await;
    let secure = json!({"bootstrapServerIs": true, "shortServerId": null, "securityMode": "PSK", "port": 5687});
    let expected = text("Bootstrap Server", 5687, "PSK", 5688);
    assert_text(port(secure), member, &expected).await;
}

#[tokio::test]
async fn public_keys_and_certificates_are_what_they_say() {
    let key = |mode: &str, key: &str| {
        list(
            false,
            &[json!({"securityMode": mode, "port": 5686, "serverPublicKey": key})],
        )
    };
    let member = "bootstrap[0].serverPublicKey";
    assert_fine(key("RPK", EC_KEY)).await;
    assert_fine(key("X509", EC_CERTIFICATE)).await;
    assert_text(
        key("RPK", ""),
        member,
        "LwM2M Server RPK public key must be specified!",
    )
    .await;
    assert_text(
        key("X509", ""),
        member,
        "LwM2M Server X509 certificate must be specified!",
    )
    .await;
    for wrong in ["nonsense", "AAAA", RSA_KEY, EC_CERTIFICATE] {
        let text = "LwM2M Server RPK public key must be in standard [RFC7250] and then encoded to Base64 format!";
        assert_text(key("RPK", wrong), member, text).await;
    }
    for wrong in ["nonsense", "AAAA", RSA_CERTIFICATE, EC_KEY] {
        let text = "LwM2M Server X509 certificate must be in DER-encoded X509v3 format and support only EC algorithm and then encoded to Base64 format!";
        assert_text(key("X509", wrong), member, text).await;
    }
}

#[tokio::test]
async fn other_members_are_what_a_server_account_can_hold() {
    let cases = [
        (
            json!({"securityMode": "TLS"}),
            "securityMode",
            "accepted is one of NO_SEC, PSK, RPK, X509",
        ),
        (json!({"securityMode": null}), "securityMode", "is missing"),
        (
            json!({"bootstrapServerIs": 0}),
            "bootstrapServerIs",
            "accepted is true or false",
        ),
        (
            json!({"shortServerId": "123"}),
            "shortServerId",
            "accepted is a whole number",
        ),
        (json!({"host": ""}), "host", "is missing"),
        (json!({"port": null}), "port", "is missing"),
        (
            json!({"port": 65_536}),
            "port",
            "accepted is a port from 1 to 65535",
        ),
        (
            json!({"lifetime": -1}),
            "lifetime",
            "accepted is seconds from 0",
        ),
        (
            json!({"clientHoldOffTime": "1"}),
            "clientHoldOffTime",
            "accepted is seconds from 0",
        ),
        (
            json!({"notifIfDisabled": "yes"}),
            "notifIfDisabled",
            "accepted is true or false",
        ),
        (
            json!({"binding": "UX"}),
            "binding",
            "accepted are letters of U, M, H, T, S, N and Q",
        ),
        (
            json!({"serverPublicKey": 1}),
            "serverPublicKey",
            "accepted is a string",
        ),
    ];
    for (members, name, says) in cases {
        let found = faults(&list(false, &[members])).await;
        assert_one(&found, &format!("bootstrap[0].{name}"), says);
    }
    assert_refused(
        json!({"bootstrap": [1]}),
        "bootstrap[0]",
        "is 1; accepted is an object",
    )
    .await;
}
