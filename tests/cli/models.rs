use std::fs;
use std::path::Path;

use crate::program::{Serving, rookery, run};

const VALVE: &str = "<LWM2M>\n<Object><Name>Valve</Name><ObjectID>33000</ObjectID>\
    <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>\
    <Resources><Item ID=\"1\"><Name>Open</Name><Operations>RW</Operations>\
    <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>\
    <Type>Boolean</Type></Item></Resources></Object>\n</LWM2M>";

fn import(directory: &Path, path: &str) -> (i32, String, String) {
    run(rookery(directory).args(["models", "import", path, "--data", "data"]))
}

/// Imports a directory with a good, a faulty and an unrelated file, and a file.
fn import_files(directory: &Path) {
    let folder = directory.join("models/more");
    fs::create_dir_all(&folder).unwrap();
    fs::write(directory.join("models/valve.xml"), VALVE).unwrap();
    fs::write(directory.join("models/index.XML"), "<DDFList/>").unwrap();
    fs::write(directory.join("models/notes.txt"), "no definition").unwrap();
    fs::write(
        folder.join("pump.xml"),
        VALVE.replace("33000", "33001").replace("Valve", "Pump"),
    )
    .unwrap();
    fs::write(folder.join("bad.xml"), VALVE.replace("Boolean", "Bool")).unwrap();

    let (code, output, error) = import(directory, "models");
    let lines: Vec<_> = output.lines().collect();
    let expected = [
        "models/more/pump.xml: 33001_1.0 Pump created",
        "models/valve.xml: 33000_1.0 Valve created",
        "2 definitions created, 0 replaced; 2 files refused",
    ];
    assert_eq!((code, lines), (1, expected.to_vec()), "{error}");
    let refusals: Vec<_> = error.lines().collect();
    assert_eq!(refusals.len(), 2, "{error}");
    assert!(
        refusals[0].starts_with("models/index.XML: line 1: "),
        "{error}"
    );
    assert!(
        refusals[1].starts_with("models/more/bad.xml: line 2: Type is \"Bool\"; accepted: "),
        "{error}"
    );

    let (code, output, error) = import(directory, "models/valve.xml");
    assert_eq!(code, 0, "{error}");
    assert!(
        output.ends_with("0 definitions created, 1 replaced; 0 files refused\n"),
        "{output}"
    );
}

#[test]
fn definitions_are_imported_into_the_store_of_a_stopped_server() {
    let directory = tempfile::tempdir().unwrap();
    import_files(directory.path());
    let serving = Serving::start(directory.path(), &["--dev"]);
    let (status, shown) = serving.get("/api/v1/models/33001_1.0", None);
    assert_eq!(status, 200);
    assert!(shown.contains("\"source\":\"uploaded\""), "{shown}");
}

#[test]
fn definitions_are_imported_through_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    import_files(directory.path());
    let (status, shown) = serving.get("/api/v1/models/33000_1.0", None);
    assert_eq!(status, 200);
    assert!(shown.contains("\"name\":\"Valve\""), "{shown}");
}

#[test]
fn a_path_without_definitions_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    for (path, says) in [
        ("empty", "empty: there is no .xml file in it"),
        ("missing", "missing: "),
    ] {
        let (code, _, error) = import(directory.path(), path);
        assert!(code == 1 && error.contains(says), "{error}");
    }
}
