//! `loadtest credentials`: what a server has to know of a fleet.

use std::process::{Command, Output};

use serde_json::Value;

fn credentials(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .arg("credentials")
        .args(flags)
        .output()
        .unwrap()
}

fn devices(flags: &[&str]) -> Vec<Value> {
    let output = credentials(flags);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_device_of_a_scenario_is_listed_with_its_own_key() {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/dtls-psk.toml");
    let listed = devices(&[scenario, "--clients", "3", "--profile", "meters"]);
    assert_eq!(listed.len(), 3);
    for (number, device) in listed.iter().enumerate() {
        let endpoint = format!("sim-000000{number}");
        let client = &device["credentials"]["client"];
        assert_eq!(device["endpoint"], endpoint);
        assert_eq!(device["profile"], "meters");
        assert_eq!(client["securityConfigClientMode"], "PSK");
        assert_eq!(client["endpoint"], endpoint);
        assert_eq!(client["identity"], endpoint);
        let key = client["key"].as_str().unwrap();
        assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    assert_ne!(
        listed[0]["credentials"]["client"]["key"],
        listed[1]["credentials"]["client"]["key"]
    );
    assert_eq!(
        listed[..2],
        devices(&[scenario, "--clients", "3", "--profile", "meters"])[..2]
    );
}

#[test]
fn public_keys_follow_from_the_secret() {
    let of = |secret| devices(&["--security", "rpk", "--clients", "1", "--secret", secret]);
    let one = of("one");
    let client = &one[0]["credentials"]["client"];
    assert_eq!(client["securityConfigClientMode"], "RPK");
    let key = client["key"].as_str().unwrap();
    assert!(
        key.starts_with("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"),
        "{key}"
    );
    assert_eq!(one, of("one"));
    assert_ne!(one, of("two"));
}

#[test]
fn devices_with_certificates_are_known_by_name_and_authority() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let flags = ["--security", "x509", "--clients", "1", "--authority"];
    let listed = devices(&[&flags[..], &[authority.to_str().unwrap()]].concat());
    let client = &listed[0]["credentials"]["client"];
    assert_eq!(client["securityConfigClientMode"], "X509");
    assert_eq!(client["cert"], "");
    let pem = std::fs::read_to_string(authority).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");

    let output = credentials(&["--security", "psk", "--authority", "/nowhere/ca.pem"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("x509"), "{said}");
}

#[test]
fn plain_devices_are_listed_as_such() {
    let listed = devices(&["--clients", "2"]);
    let mode = &listed[1]["credentials"]["client"]["securityConfigClientMode"];
    assert_eq!(mode, "NO_SEC");
}

#[test]
fn devices_that_bootstrap_are_told_the_key_that_they_are_known_by() {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/bootstrap-psk.toml");
    let listed = devices(&[scenario, "--clients", "1"]);
    let credentials = &listed[0]["credentials"];
    for role in ["bootstrapServer", "lwm2mServer"] {
        let told = &credentials["bootstrap"][role];
        assert_eq!(told["securityMode"], "PSK");
        assert_eq!(told["clientPublicKeyOrId"], "sim-0000000");
        assert_eq!(told["clientSecretKey"], credentials["client"]["key"]);
    }
    let output = self::credentials(&[scenario, "--security", "rpk"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && error.contains("[bootstrap]"),
        "{error}"
    );
}
