use std::fs;
use std::path::Path;

use crate::program::{Serving, rookery, run};

/// A device profile as ThingsBoard exports it.
const EXPORT: &str = r#"{
  "id": {"entityType": "DEVICE_PROFILE", "id": "0f5d"}, "name": "Wasser Zähler/1",
  "type": "DEFAULT", "transportType": "LWM2M", "provisionType": "DISABLED",
  "profileData": {
    "configuration": {"type": "DEFAULT"},
    "transportConfiguration": {"type": "LWM2M", "observeAttr": {
      "keyName": {"/3_1.2/0/9": "level"}, "observe": ["/3_1.2/0/9"], "telemetry": ["/3_1.2/0/9"]
    }},
    "alarms": null
  }
}"#;

const CONFIGURATION: &str = r#"{"type": "LWM2M", "observeAttr": {
      "keyName": {"/3_1.2/0/9": "level"}, "observe": ["/3_1.2/0/9"], "telemetry": ["/3_1.2/0/9"]
    }}"#;

fn import(directory: &Path, content: &str, arguments: &[&str]) -> (i32, String, String) {
    fs::write(directory.join("p.json"), content).unwrap();
    let mut command = rookery(directory);
    command.args(["profiles", "import", "p.json", "--data", "data"]);
    run(command.args(arguments))
}

fn import_all(directory: &Path) {
    let (code, output, error) = import(directory, EXPORT, &[]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(output, "p.json: profile Wasser Zähler/1 created\n");
    let (code, output, _) = import(directory, EXPORT, &["--name", "water"]);
    assert_eq!(
        (code, output.as_str()),
        (0, "p.json: profile water created\n")
    );
    let (code, output, error) = import(directory, "{\"x\": 1}", &["--name", "water"]);
    assert_eq!(
        (code, output.as_str()),
        (0, "p.json: profile water replaced\n")
    );
    assert_eq!(
        error,
        "p.json: warning: `x` is not known: it is kept and has no effect\n"
    );

    let faulty = EXPORT
        .replace("\"observe\": [\"/3_1.2/0/9\"]", "\"observe\": [\"3\", 4]")
        .replace("Wasser Zähler/1", "faulty");
    let (code, output, error) = import(directory, &faulty, &[]);
    assert_eq!((code, output.as_str()), (1, ""));
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(
        lines[0].starts_with("p.json: `observeAttr.observe[0]` is no path"),
        "{error}"
    );
    assert!(
        lines[1].starts_with("p.json: `observeAttr.observe[1]` is 4"),
        "{error}"
    );
}

fn assert_imported(serving: &Serving) {
    let (status, shown) = serving.get("/api/v1/profiles/Wasser%20Z%C3%A4hler%2F1", None);
    assert_eq!(status, 200);
    assert!(shown.ends_with(CONFIGURATION), "{shown}");
    let (status, _) = serving.get("/api/v1/profiles/faulty", None);
    assert_eq!(status, 404);
}

#[test]
fn profiles_are_imported_into_the_store_of_a_stopped_server() {
    let directory = tempfile::tempdir().unwrap();
    import_all(directory.path());
    assert_imported(&Serving::start(directory.path(), &["--dev"]));
}

#[test]
fn profiles_are_imported_through_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    import_all(directory.path());
    assert_imported(&serving);
}

#[test]
fn a_transport_configuration_alone_needs_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, error) = import(directory.path(), CONFIGURATION, &[]);
    assert_eq!(code, 1);
    assert!(error.contains("give it with --name"), "{error}");
    let (code, output, _) = import(directory.path(), CONFIGURATION, &["--name", "water"]);
    assert_eq!(
        (code, output.as_str()),
        (0, "p.json: profile water created\n")
    );
}

#[test]
fn a_file_that_holds_no_profile_is_refused_with_what_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let mqtt = EXPORT.replace("\"LWM2M\", \"provision", "\"MQTT\", \"provision");
    let cases = [
        (
            "[]",
            "neither a device profile of ThingsBoard nor a transport configuration",
        ),
        ("{", "neither a device profile"),
        (
            &mqtt,
            "`transportType` of the device profile is \"MQTT\"; accepted is \"LWM2M\"",
        ),
        (
            r#"{"name": "x", "profileData": {}}"#,
            "`profileData.transportConfiguration` is missing",
        ),
    ];
    for (content, says) in cases {
        let (code, _, error) = import(directory.path(), content, &[]);
        assert!(code == 1 && error.contains(says), "{says}: {error}");
    }
}

#[test]
fn devices_of_an_imported_profile_and_unknown_ones_are_served_under_it() {
    let directory = tempfile::tempdir().unwrap();
    import(directory.path(), CONFIGURATION, &["--name", "water"]);
    fs::write(
        directory.path().join("d.ndjson"),
        "{\"endpoint\":\"a\",\"profile\":\"water\"}\n{\"endpoint\":\"b\"}\n",
    )
    .unwrap();
    let settings = "[provisioning]\nprofile = \"water\"\n";
    fs::write(directory.path().join("rookery.toml"), settings).unwrap();
    let mut devices = rookery(directory.path());
    devices.args([
        "devices",
        "import",
        "d.ndjson",
        "--data",
        "data",
        "--config",
        "rookery.toml",
    ]);
    let (code, _, error) = run(&mut devices);
    assert_eq!(code, 0, "{error}");
    let serving = Serving::start(directory.path(), &["--dev", "--config", "rookery.toml"]);
    let (_, list) = serving.get("/api/v1/profiles", None);
    assert!(
        list.contains("\"name\":\"water\"") && list.contains("\"devices\":2"),
        "{list}"
    );
}
