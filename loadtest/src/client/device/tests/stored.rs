//! Packages that are checked and stored, as the demo client's flag `-tota` has it.

use std::sync::Arc;

use openssl::sha::sha256;
use tempfile::TempDir;

use super::*;
use crate::client::formats::{OPAQUE, TEXT};
use crate::client::objects::PackageKind;
use crate::client::options::PackageMode;
use crate::client::storage::{Download, Folder, PackageStorage};

fn stored() -> (Lab, Folder, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let folder = Folder(directory.path().join("ota"));
    (started(&folder), folder, directory)
}

fn started(folder: &Folder) -> Lab {
    Lab::new(ClientOptions {
        packages: PackageMode::Stored,
        storage: Some(Arc::new(folder.clone())),
        ..options()
    })
}

fn info(lab: &mut Lab, instance: u16, checksum: &str, title: &str) {
    let json = serde_json::json!({
        "title": title, "version": "2.0", "checksum": checksum, "dataSize": 5, "fileName": "new.bin",
    });
    let value = data_encoding::BASE64.encode(json.to_string().as_bytes());
    let body = serde_json::json!([{"bn": format!("/19/{instance}/0/0"), "vd": value}]);
    let body = body.to_string().replace('=', "");
    let code = lab.code(post("/19").body(formats::SENML_JSON, body.as_bytes()));
    assert_eq!(code, "2.01");
}

fn firmware(lab: &Lab) -> (Option<Value>, Option<Value>) {
    (lab.device.value("/5/0/3"), lab.device.value("/5/0/5"))
}

fn states(state: i64, result: i64) -> (Option<Value>, Option<Value>) {
    (Some(state.into()), Some(result.into()))
}

#[test]
fn firmware_is_checked_stored_and_runs_after_the_next_start() {
    let (mut lab, folder, _directory) = stored();
    lab.ask(get("/5/0/3").observe(0));
    let checksum = data_encoding::HEXLOWER.encode(&sha256(b"image"));
    info(&mut lab, 65_533, &checksum, "valve");
    lab.accept_all();
    let bytes = lab.bytes_of(put("/5/0/0").body(OPAQUE, b"image"));
    lab.device.receive(&bytes, lab.now);
    // Both states are notified, and only then is the Write answered.
    let seen: Vec<_> = std::iter::from_fn(|| lab.next()).collect();
    let payloads: Vec<_> = seen.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(payloads, [&b"1"[..], b"2", b""]);
    assert_eq!(code_of(&seen[2]), "2.04");
    assert_eq!(folder.get("FW_new.bin").unwrap(), b"image");
    assert_eq!(lab.code(post("/5/0/2")), "2.04");
    lab.wait(1_000);
    assert_eq!(firmware(&lab), states(0, 0));
    assert_eq!(lab.device.value("/5/0/7"), Some("2.0".into()));
    assert_eq!(lab.device.value("/3/0/3"), Some("1.0.0".into()));
    let lab = started(&folder);
    assert_eq!(lab.device.value("/3/0/3"), Some("2.0".into()));
    assert_eq!(lab.device.value("/5/0/6"), Some("valve".into()));
}

#[test]
fn firmware_that_is_not_what_object_19_told_is_refused_and_the_state_comes_back() {
    let (mut lab, folder, _directory) = stored();
    info(&mut lab, 65_533, "00", "valve");
    lab.accept_all();
    let (code, text) = lab.asked(put("/5/0/0").body(OPAQUE, b"image"));
    assert_eq!(code, "4.00");
    assert!(
        text.starts_with("File writing error: failed ChecksumSHA256. Payload: "),
        "{text}"
    );
    assert!(text.ends_with("Original: 00"), "{text}");
    assert_eq!(firmware(&lab), states(1, 5));
    assert_eq!(folder.get("FW_new.bin"), None);
    lab.wait(200);
    assert_eq!(firmware(&lab), states(0, 0));
}

#[test]
fn without_object_19_the_package_has_the_usual_name_and_the_default_version() {
    let (mut lab, folder, _directory) = stored();
    assert_eq!(lab.code(put("/5/0/0").body(OPAQUE, b"image")), "2.04");
    assert_eq!(folder.get("FW_OtaPackage.bin").unwrap(), b"image");
    lab.code(post("/5/0/2"));
    lab.wait(1_000);
    assert_eq!(lab.device.value("/5/0/6"), Some("firmware".into()));
    assert!(folder.get("FW_Ota.json").is_some());
}

#[test]
fn a_name_from_the_server_does_not_lead_out_of_the_folder() {
    let (mut lab, folder, directory) = stored();
    let json = br#"{"fileName":"../../out.bin"}"#;
    let value = data_encoding::BASE64URL_NOPAD.encode(json);
    let body = format!(r#"[{{"bn":"/19/65533/0/0","vd":"{value}"}}]"#);
    lab.code(post("/19").body(formats::SENML_JSON, body.as_bytes()));
    lab.accept_all();
    lab.code(put("/5/0/0").body(OPAQUE, b"image"));
    assert_eq!(folder.get("FW_out.bin").unwrap(), b"image");
    assert!(!directory.path().join("out.bin").exists());
}

#[test]
fn software_is_delivered_installed_and_deleted() {
    let (mut lab, folder, _directory) = stored();
    assert_eq!(lab.code(put("/9/0/2").body(OPAQUE, b"app")), "2.04");
    let state = |lab: &Lab| (lab.device.value("/9/0/7"), lab.device.value("/9/0/9"));
    assert_eq!(state(&lab), states(3, 3));
    assert_eq!(lab.code(post("/9/0/6")), "2.04");
    assert_eq!(folder.get("SW_OtaPackage.bin"), None);
    assert_eq!(state(&lab), states(3, 3));
}

#[test]
fn a_url_is_fetched_and_its_bytes_are_taken_like_a_package() {
    let (mut lab, folder, _directory) = stored();
    let url = "coap://127.0.0.1:1/tbfw/x";
    assert_eq!(lab.code(put("/5/0/1").body(TEXT, url.as_bytes())), "2.04");
    assert_eq!(firmware(&lab), states(1, 0));
    let kind = PackageKind::Firmware;
    let wanted = Download {
        kind,
        url: url.into(),
    };
    assert_eq!(lab.device.take_download(), Some(wanted));
    lab.device.fetched(kind, Err("no answer".into()), lab.now);
    assert_eq!(
        firmware(&lab),
        states(1, 0),
        "a failure is told to people only"
    );
    lab.device.fetched(kind, Ok(b"image".to_vec()), lab.now);
    assert_eq!(firmware(&lab), states(2, 0));
    assert!(folder.get("FW_OtaPackage.bin").is_some());
}
