use std::fs;
use std::path::Path;

use crate::program::{Serving, rookery, run};

fn packages(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(rookery(directory)
        .arg("packages")
        .args(arguments)
        .args(["--data", "data"]))
}

#[test]
fn packages_are_uploaded_listed_and_deleted_through_the_running_server() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("valve.bin"), vec![7; 600_000]).unwrap();
    let _serving = Serving::start(directory.path(), &[]);
    let upload = [
        "upload",
        "valve.bin",
        "--title",
        "valve",
        "--version",
        "2.0",
    ];
    let (code, id, error) = packages(directory.path(), &upload);
    assert_eq!(code, 0, "{error}");
    assert!(
        error.starts_with("FIRMWARE valve 2.0: 600000 bytes, SHA256 "),
        "{error}"
    );
    let id = id.trim();

    let elsewhere = [
        "upload",
        "--type",
        "software",
        "--title",
        "app",
        "--version",
        "1",
        "--url",
        "coap://images.example/app",
    ];
    let (code, _, error) = packages(directory.path(), &elsewhere);
    assert_eq!(code, 0, "{error}");
    let (_, list, _) = packages(directory.path(), &["list"]);
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines[0], format!("{id}\tFIRMWARE\tvalve\t2.0\t600000"));
    assert!(
        lines[1].ends_with("\tSOFTWARE\tapp\t1\tcoap://images.example/app"),
        "{list}"
    );

    let (code, _, error) = packages(directory.path(), &upload);
    assert_ne!(code, 0);
    assert!(error.contains(id), "it names the one there is: {error}");
    assert_eq!(packages(directory.path(), &["delete", id]).0, 0);
    assert_ne!(packages(directory.path(), &["delete", id]).0, 0);
}

#[test]
fn without_a_server_they_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, error) = packages(directory.path(), &["list"]);
    assert_ne!(code, 0);
    assert!(error.contains("rookery serve"), "{error}");
}
