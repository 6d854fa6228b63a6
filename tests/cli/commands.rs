use std::fs;
use std::path::Path;

use crate::program::{Serving, rookery, run};

fn token(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(rookery(directory)
        .arg("token")
        .args(arguments)
        .args(["--data", "data"]))
}

fn import(directory: &Path, file: &str) -> (i32, String, String) {
    run(rookery(directory).args(["devices", "import", file, "--data", "data"]))
}

/// Makes, uses, lists and revokes a token.
fn token_life(directory: &Path, serving: Option<&Serving>) {
    let (code, made, notice) = token(directory, &["create", "--role", "viewer", "--name", "ci"]);
    assert_eq!(code, 0, "{notice}");
    let secret = made.trim();
    assert!(
        secret.starts_with("rk_") && made.lines().count() == 1,
        "{made}"
    );
    if let Some(serving) = serving {
        assert_eq!(serving.get("/api/v1/server", Some(secret)).0, 200);
    }
    let (_, list, _) = token(directory, &["list"]);
    assert!(!list.contains(secret), "a list never shows a token");
    let line = list.lines().find(|line| line.ends_with(" ci")).unwrap();
    assert!(line.contains("viewer"), "{line}");
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(token(directory, &["revoke", id]).0, 0);
    if let Some(serving) = serving {
        assert_eq!(serving.get("/api/v1/server", Some(secret)).0, 401);
    }
    let (code, _, error) = token(directory, &["revoke", id]);
    assert!(code == 1 && error.contains("there is no token"), "{error}");
}

#[test]
fn tokens_are_managed_without_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    token_life(directory.path(), None);
}

#[test]
fn tokens_are_managed_of_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &[]);
    assert!(
        serving.announced.contains("rookery 0."),
        "{}",
        serving.announced
    );
    token_life(directory.path(), Some(&serving));
}

#[test]
fn a_token_made_before_the_start_is_valid_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_, made, _) = token(directory.path(), &["create", "--role", "admin"]);
    let serving = Serving::start(directory.path(), &[]);
    assert_eq!(serving.get("/api/v1/tokens", Some(made.trim())).0, 200);
    assert_eq!(serving.get("/api/v1/tokens", None).0, 401);
}

#[test]
fn a_role_that_does_not_exist_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, error) = token(directory.path(), &["create", "--role", "root"]);
    assert!(
        code == 2 && error.contains("admin, operator, viewer"),
        "{error}"
    );
}

/// Imports both kinds of files, each with faults.
fn import_files(directory: &Path) {
    let ndjson = "{\"endpoint\":\"a\"}\n\n{\"endpoint\":\"b\",\"profile\":\"water\"}\nnonsense\n{\"endpoint\":\"c\"}\n";
    fs::write(directory.join("d.ndjson"), ndjson).unwrap();
    let (code, output, error) = import(directory, "d.ndjson");
    assert_eq!(
        (code, output.trim()),
        (1, "2 created, 0 replaced, 2 refused"),
        "{error}"
    );
    assert!(
        error.contains("d.ndjson:3: there is no profile \"water\""),
        "{error}"
    );
    assert!(error.contains("d.ndjson:4: "), "{error}");

    let csv = "endpoint,securityConfigClientMode\na,NO_SEC\n\"d,1\",\ne,PSK\nf\n";
    fs::write(directory.join("d.csv"), csv).unwrap();
    let (code, output, error) = import(directory, "d.csv");
    assert_eq!(
        (code, output.trim()),
        (1, "1 created, 1 replaced, 2 refused"),
        "{error}"
    );
    assert!(
        error.contains("d.csv:4: LwM2M client PSK identity must be specified"),
        "{error}"
    );
    assert!(
        error.contains("d.csv:5: 1 fields, but there are 2 columns"),
        "{error}"
    );

    fs::write(directory.join("good.csv"), "endpoint\ng\n").unwrap();
    assert_eq!(import(directory, "good.csv").0, 0);
}

#[test]
fn devices_are_imported_into_the_store_of_a_stopped_server() {
    let directory = tempfile::tempdir().unwrap();
    import_files(directory.path());
    let serving = Serving::start(directory.path(), &["--dev"]);
    let (_, list) = serving.get("/api/v1/devices", None);
    for endpoint in ["\"a\"", "\"c\"", "\"d,1\"", "\"g\""] {
        assert!(list.contains(endpoint), "{endpoint}: {list}");
    }
}

#[test]
fn devices_are_imported_through_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    import_files(directory.path());
    let (_, device) = serving.get("/api/v1/devices/d%2C1", None);
    assert!(device.contains("\"provisioned\":true"), "{device}");
}

#[test]
fn a_large_file_passes_through_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let _serving = Serving::start(directory.path(), &[]);
    let lines: String = (0..20_000)
        .map(|n| format!("{{\"endpoint\":\"dev-{n}\"}}\n"))
        .collect();
    fs::write(directory.path().join("many.ndjson"), lines).unwrap();
    let (code, output, error) = import(directory.path(), "many.ndjson");
    assert_eq!(
        (code, output.trim()),
        (0, "20000 created, 0 replaced, 0 refused"),
        "{error}"
    );
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("d.xml"), "<a/>").unwrap();
    let (code, _, error) = import(directory.path(), "d.xml");
    assert!(
        code == 1 && error.contains(".ndjson, .jsonl and .csv"),
        "{error}"
    );
}
