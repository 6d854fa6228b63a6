//! Firmware and software over the air with other people's CoAP: Leshan's client takes packages in blocks,
//! or fetches them with Californium; libcoap fetches what it was told.

use std::fs;
use std::process::Command;

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::{Client, Kind, is_installed};
use super::rules::ENDPOINT;
use crate::support::engine::Engine;
use crate::support::secured::Secured;
use crate::support::updates::{
    PROFILE, WATCHED, assign, await_state, image, profile, put_profile, states_until, upload,
};

const FIRMWARE: &str = "type=FIRMWARE&title=valve&version=2.0";
const SOFTWARE: &str = "type=SOFTWARE&title=app&version=2.0";
const IMAGE: usize = 100_000;

/// A Leshan client that is updated, and its engine.
fn pair(settings: &Value, options: &[&str]) -> Option<(Engine, Client)> {
    Kind::Leshan.is_available().then(|| {
        let engine = Engine::start();
        let device = open(&engine, settings, options);
        (engine, device)
    })
}

fn open(engine: &Engine, settings: &Value, options: &[&str]) -> Client {
    put_profile(engine, settings);
    engine.put_device(ENDPOINT, &json!({"profile": PROFILE}));
    let mut device = Client::open(Kind::Leshan, engine.coap(), ENDPOINT, options);
    device.expect("registered");
    device
}

fn path(kind: &str) -> String {
    format!("/api/v1/devices/{ENDPOINT}/{kind}")
}

/// Has the device get a package; `how` it got it, and the states that were told meanwhile.
fn update(engine: &Engine, device: &mut Client, query: &str, how: &str) -> Vec<String> {
    let (kind, key) = if query.contains("FIRMWARE") {
        ("firmware", "fw_state")
    } else {
        ("software", "sw_state")
    };
    let image = image(IMAGE);
    let package = upload(engine, query, &image);
    let events = engine.events(&format!("/api/v1/devices/{ENDPOINT}/events"));
    assign(engine, &path(kind), &package);
    let got = device.expect(how);
    assert_eq!(got["bytes"], IMAGE);
    assert_eq!(got["sha256"], digest(&image));
    device.expect("installed");
    let states = states_until(&events, key, "UPDATED");
    let shown = await_state(engine, &path(kind), "UPDATED");
    assert_eq!(shown["percent"], 100, "{shown}");
    states
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn leshan_is_pushed_its_firmware_and_installs_it() {
    let Some((engine, mut device)) = pair(&json!({"fwUpdateStrategy": 1}), &["--updates"]) else {
        return;
    };
    let states = update(&engine, &mut device, FIRMWARE, "pushed");
    let expected = [
        "QUEUED",
        "INITIATED",
        "DOWNLOADING",
        "DOWNLOADED",
        "UPDATING",
        "UPDATED",
    ];
    assert_eq!(states, expected);
}

#[test]
fn leshan_is_told_about_its_firmware_in_object_19_before_it_comes() {
    let settings = json!({"fwUpdateStrategy": 1, "useObject19ForOtaInfo": true});
    let Some((engine, mut device)) = pair(&settings, &["--updates"]) else {
        return;
    };
    let image = image(IMAGE);
    let package = upload(&engine, FIRMWARE, &image);
    assign(&engine, &path("firmware"), &package);
    device.expect("pushed");
    let told = device.told_before().iter();
    let mut information = told.filter(|event| event["path"] == "/19/65533/0");
    let written = information.next().expect("information before the image");
    assert_eq!(written["event"], "written");
    let bytes = BASE64.decode(written["value"]["0"].as_str().unwrap().as_bytes());
    let written: Value = serde_json::from_slice(&bytes.unwrap()).unwrap();
    assert_eq!(written["title"], "valve");
    assert_eq!(written["version"], "2.0");
    assert_eq!(written["dataSize"], IMAGE);
    assert_eq!(written["checksum"], digest(&image));
    await_state(&engine, &path("firmware"), "UPDATED");
}

#[test]
fn leshan_fetches_its_firmware_and_installs_it() {
    let Some((engine, mut device)) = pair(&json!({"fwUpdateStrategy": 2}), &["--updates"]) else {
        return;
    };
    // 2: it takes both ways, so that the profile says which.
    device.tell("set /5/0/9 2", "set");
    engine.await_telemetry(ENDPOINT, "r_5_0_9", &json!(2));
    let states = update(&engine, &mut device, FIRMWARE, "fetched");
    let expected = [
        "QUEUED",
        "INITIATED",
        "DOWNLOADING",
        "DOWNLOADED",
        "UPDATING",
        "UPDATED",
    ];
    assert_eq!(states, expected);
}

#[test]
fn leshan_is_pushed_its_software_and_installs_it() {
    let Some((engine, mut device)) = pair(&json!({"swUpdateStrategy": 1}), &["--updates"]) else {
        return;
    };
    let states = update(&engine, &mut device, SOFTWARE, "pushed");
    for state in [
        "QUEUED",
        "INITIATED",
        "DOWNLOADING",
        "DOWNLOADED",
        "VERIFIED",
        "UPDATED",
    ] {
        assert!(states.iter().any(|told| told == state), "{states:?}");
    }
}

#[test]
fn leshan_fetches_its_software_and_installs_it() {
    let Some((engine, mut device)) = pair(&json!({"swUpdateStrategy": 2}), &["--updates"]) else {
        return;
    };
    update(&engine, &mut device, SOFTWARE, "fetched");
}

#[test]
fn leshan_of_lwm2m_1_0_is_pushed_its_firmware() {
    let options = ["--updates", "--lwm2m", "1.0"];
    let Some((engine, mut device)) = pair(&json!({"fwUpdateStrategy": 1}), &options) else {
        return;
    };
    update(&engine, &mut device, FIRMWARE, "pushed");
}

/// It has lost all blocks, its observations and its address.
#[test]
fn leshan_that_starts_anew_in_the_middle_of_a_push_gets_its_firmware_all_the_same() {
    let Some((engine, mut device)) = pair(&json!({"fwUpdateStrategy": 1}), &["--updates"]) else {
        return;
    };
    let image = image(900_000);
    let package = upload(&engine, FIRMWARE, &image);
    assign(&engine, &path("firmware"), &package);
    await_state(&engine, &path("firmware"), "DOWNLOADING");
    device.tell("register", "registered");
    let got = device.expect("pushed");
    assert_eq!(got["sha256"], digest(&image));
    await_state(&engine, &path("firmware"), "UPDATED");
}

#[test]
fn leshan_fetches_its_firmware_in_its_dtls_session() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Secured::start();
    server.provision("psk", ENDPOINT, &[]);
    let profile = profile(&WATCHED, &json!({"fwUpdateStrategy": 2}));
    server.engine.put_profile("default", &profile);
    let key = server.text(&format!("{ENDPOINT}_psk.hex"));
    let uri = format!("coaps://localhost:{}", server.coaps.port());
    let options = ["--psk", ENDPOINT, &key, "--updates"];
    let mut device = Client::open_at(Kind::Leshan, &uri, ENDPOINT, &options);
    device.expect("registered");
    device.tell("set /5/0/9 0", "set");
    server
        .engine
        .await_telemetry(ENDPOINT, "r_5_0_9", &json!(0));
    update(&server.engine, &mut device, FIRMWARE, "fetched");
    assert_eq!(server.handshakes("psk", "ok"), 1.0);
}

#[test]
fn a_device_is_told_the_public_address_where_one_is_configured() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let public = ("ROOKERY_PACKAGES__COAP_URL", "coap://outside.example:7000");
    let engine = Engine::start_with(&["serve", "--dev"], &[public]);
    let mut device = open(&engine, &json!({"fwUpdateStrategy": 2}), &[]);
    device.tell("set /5/0/9 0", "set");
    engine.await_telemetry(ENDPOINT, "r_5_0_9", &json!(0));
    let package = upload(&engine, FIRMWARE, b"image");
    assign(&engine, &path("firmware"), &package);
    let written = device.expect("written");
    let url = written["value"].as_str().expect("a URL");
    assert!(
        url.starts_with("coap://outside.example:7000/tbfw/"),
        "{url}"
    );
}

/// The URL is one that Leshan was told: it does nothing with it.
#[test]
fn libcoap_fetches_what_the_url_names_in_blocks_of_any_size() {
    if !is_installed("coap-client-notls") {
        return;
    }
    let Some((engine, mut device)) = pair(&json!({"fwUpdateStrategy": 2}), &[]) else {
        return;
    };
    device.tell("set /5/0/9 0", "set");
    engine.await_telemetry(ENDPOINT, "r_5_0_9", &json!(0));
    let image = image(IMAGE);
    let package = upload(&engine, FIRMWARE, &image);
    assign(&engine, &path("firmware"), &package);
    let written = device.expect("written");
    assert_eq!(written["path"], "/5/0/1");
    let url = written["value"].as_str().expect("a URL").to_owned();
    let expected = format!("coap://{}/tbfw/", engine.coap());
    assert!(url.starts_with(&expected), "{url}");

    let directory = tempfile::tempdir().expect("a directory");
    for size in ["16", "64", "256", "1024"] {
        let file = directory.path().join(size);
        let fetched = Command::new("coap-client-notls")
            .args(["-m", "get", "-B", "60", "-b", size, "-o"])
            .arg(&file)
            .arg(&url)
            .output()
            .expect("coap-client runs");
        let said = String::from_utf8_lossy(&fetched.stderr);
        let got = fs::read(&file).unwrap_or_else(|error| panic!("{size}: {error}; {said}"));
        assert!(got == image, "{size}: {} bytes; {said}", got.len());
    }
    let shown = engine.get(&path("firmware"));
    assert_eq!(shown["bytes"], IMAGE, "{shown}");

    // Taken back, it names nothing.
    let answer = engine.send("DELETE", &path("firmware"), ("application/json", b""));
    assert!(answer.is_success(), "{}", answer.body);
    let refused = Command::new("coap-client-notls")
        .args(["-m", "get", "-B", "5", &url])
        .output()
        .expect("coap-client runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("4.04"), "{said}");
}
