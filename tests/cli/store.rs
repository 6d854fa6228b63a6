//! `rookery store`: the data directory of a server that does not run.

use std::fs;
use std::path::Path;

use crate::program::{Serving, rookery, run};

const PROFILE: &str = r#"{"observeAttr":{"observe":[],"attribute":["/3/0/0"],"telemetry":[],"keyName":{"/3/0/0":"maker"},"attributeLvm2m":{}}}"#;

#[test]
fn check_counts_the_records_of_every_table() {
    let directory = filled_directory();
    let (code, out, error) = store(directory.path(), &["check"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.starts_with("TABLE "), "{out}");
    assert_eq!(counts(&out, "profiles"), Some((1, 0)), "{out}");
    assert_eq!(counts(&out, "endpoints"), Some((0, 0)), "{out}");
}

#[test]
fn an_export_fills_another_data_directory_with_the_same() {
    let directory = filled_directory();
    let here = directory.path();
    let (code, _, error) = store(here, &["export", "all.ndjson"]);
    assert_eq!(code, 0, "{error}");
    let exported = fs::read_to_string(here.join("all.ndjson")).unwrap();
    assert!(exported.starts_with("{\"rookeryExport\":1,"), "{exported}");

    let (code, _, error) = run(rookery(here)
        .args(["store", "import", "all.ndjson"])
        .args(["--data", "other"]));
    assert_eq!(code, 0, "{error}");
    let (code, again, error) = run(rookery(here).args(["store", "export", "-", "--data", "other"]));
    assert_eq!(code, 0, "{error}");
    assert_eq!(
        again, exported,
        "nothing but a server at work changes anything"
    );
}

#[test]
fn an_export_never_overwrites_a_file_and_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = filled_directory();
    let here = directory.path();
    assert_eq!(store(here, &["export", "all.ndjson"]).0, 0);
    let mode = fs::metadata(here.join("all.ndjson"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let (code, _, error) = store(here, &["export", "all.ndjson"]);
    assert_eq!(code, 1);
    assert!(error.contains("cannot create all.ndjson"), "{error}");
}

#[test]
fn an_import_wants_an_empty_data_directory() {
    let directory = filled_directory();
    let here = directory.path();
    assert_eq!(store(here, &["export", "all.ndjson"]).0, 0);
    let (code, _, error) = store(here, &["import", "all.ndjson"]);
    assert_eq!(code, 1);
    assert!(error.contains("is not empty: it has profiles"), "{error}");
}

#[test]
fn a_faulty_import_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let header = format!(
        "{{\"rookeryExport\":1,\"storeFormat\":{},\"stateFormat\":{}}}",
        rookery::store::FORMAT,
        rookery::store::STATE_FORMAT
    );
    for (text, expected) in [
        ("", "line 1"),
        ("{}", "it is no export of rookery store"),
        (
            &format!("{header}\n{{\"table\":\"nothing\",\"key\":\"a\",\"value\":{{}}}}"),
            "there is no table",
        ),
        (&format!("{header}\nnonsense"), "line 2"),
        (&header.replace(":1,", ":99,"), "later version"),
    ] {
        fs::write(directory.path().join("faulty"), text).unwrap();
        let (code, _, error) = store(directory.path(), &["import", "faulty"]);
        assert_eq!(code, 1, "{text}");
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_directory_that_is_not_there_is_named_and_not_made() {
    let directory = tempfile::tempdir().unwrap();
    for command in [&["check"][..], &["export", "-"]] {
        let (code, out, error) = store(directory.path(), command);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(error.contains("there is no data directory data"), "{error}");
        assert!(!directory.path().join("data").exists());
    }
}

#[test]
fn the_store_of_a_running_server_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let _serving = Serving::start(directory.path(), &["--dev"]);
    let (code, _, error) = store(directory.path(), &["check"]);
    assert_eq!(code, 1);
    assert!(error.contains("stop the server first"), "{error}");
}

#[test]
fn a_data_directory_from_before_the_state_of_devices_was_kept_is_served() {
    let directory = filled_directory();
    fs::remove_dir_all(directory.path().join("data/state")).unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    let (status, profile) = serving.get("/api/v1/profiles/kept", None);
    assert_eq!(status, 200, "{profile}");
}

/// A data directory with one profile, of a server that ended.
fn filled_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("profile.json"), PROFILE).unwrap();
    let (code, _, error) = run(rookery(directory.path())
        .args(["profiles", "import", "profile.json", "--name", "kept"])
        .args(["--data", "data"]));
    assert_eq!(code, 0, "{error}");
    let mut serving = Serving::start(directory.path(), &["--dev"]);
    serving.signal("TERM");
    assert_eq!(serving.wait(), 0);
    directory
}

fn store(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(rookery(directory)
        .arg("store")
        .args(arguments)
        .args(["--data", "data"]))
}

/// Records and unreadable ones in the row of a table.
fn counts(out: &str, table: &str) -> Option<(u64, u64)> {
    let row = out
        .lines()
        .find(|line| line.split_whitespace().next() == Some(table))?;
    let mut numbers = row.split_whitespace().skip(1).map(|text| text.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
