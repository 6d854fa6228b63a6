//! Our reader and our built-in definitions against the OMA LwM2M registry.
//!
//! The registry is not part of this repository: `OMA_REGISTRY` names a copy of it, else one is
//! looked for beside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rookery::proto::lwm2m::model::{ObjectModel, read};
use rookery::services::models::builtin;

/// Files that define no Object: line and reason.
const REFUSED: [(&str, &str); 3] = [
    (
        "Common.xml",
        "line 3: ObjectType is \"CommonResources\"; accepted: MODefinition",
    ),
    (
        "DDF.xml",
        "line 2: the document is no object definition: it begins with <DDFList>, expected <LWM2M>",
    ),
    (
        "LWM2M_senml_units.xml",
        "line 2: the document is no object definition: it begins with <units>, expected <LWM2M>",
    ),
];

/// Resources that hold values whose definition leaves the type open.
const WITHOUT_TYPE: [&str; 1] = ["10482_1.0/5"];

/// Object definitions by file name, and the refusals.
struct Registry {
    files: BTreeMap<String, ObjectModel>,
    refused: BTreeMap<String, String>,
}

#[test]
fn every_file_defines_an_object_or_is_refused_with_line_and_reason() {
    let Some(registry) = registry() else { return };
    let refused = registry.refused.iter();
    let refused: Vec<_> = refused.map(|(f, why)| (f.as_str(), why.as_str())).collect();
    assert_eq!(refused, REFUSED);
    assert!(registry.files.len() >= 751, "{}", registry.files.len());
}

#[test]
fn a_definition_has_the_id_and_version_that_its_file_name_and_urn_say() {
    let Some(registry) = registry() else { return };
    for (file, model) in &registry.files {
        let name = file.trim_end_matches(".xml");
        match name.strip_prefix("version_history/") {
            // 3-1_2
            Some(name) => {
                let key = name.replace('_', ".").replace('-', "_");
                assert_eq!(model.key().to_string(), key, "{file}");
            }
            None => assert_eq!(model.id.to_string(), name, "{file}"),
        }
        let mut urn = model.urn.split(':').skip(4);
        assert_eq!(urn.next(), Some(model.id.to_string().as_str()), "{file}");
        let version = urn.next().unwrap_or("1.0");
        assert_eq!(model.version.to_string(), version, "{file}");
    }
}

#[test]
fn resources_that_are_read_or_written_have_a_type() {
    let Some(registry) = registry() else { return };
    let mut without = BTreeSet::new();
    for model in registry.files.values() {
        for resource in model.resources() {
            let operations = resource.operations;
            if (operations.can_read() || operations.can_write()) && resource.resource_type.is_none()
            {
                without.insert(format!("{}/{}", model.key(), resource.id));
            }
        }
    }
    assert_eq!(without.into_iter().collect::<Vec<_>>(), WITHOUT_TYPE);
}

#[test]
fn built_in_definitions_state_the_facts_of_the_registry() {
    let Some(registry) = registry() else { return };
    let by_key: BTreeMap<_, _> = registry.files.values().map(|m| (m.key(), m)).collect();
    for ours in builtin() {
        let theirs = by_key[&ours.key()];
        // Texts are ours, not theirs.
        let object = |model: &ObjectModel| {
            let names = (model.name.clone(), model.urn.clone());
            (names, model.multiple, model.mandatory, model.lwm2m_version)
        };
        assert_eq!(object(ours), object(theirs), "{}", ours.key());
        let resources = |model: &ObjectModel| -> Vec<_> {
            let resources = model.resources().iter();
            resources
                .map(|r| {
                    let names = (r.id, r.name.clone(), r.units.clone());
                    (
                        names,
                        r.operations,
                        r.resource_type,
                        r.multiple,
                        r.mandatory,
                    )
                })
                .collect()
        };
        assert_eq!(resources(ours), resources(theirs), "{}", ours.key());
        assert_ne!(ours.description, theirs.description, "{}", ours.key());
    }
}

#[test]
fn every_version_of_an_object_that_is_built_in_is_built_in() {
    let Some(registry) = registry() else { return };
    let ids: BTreeSet<_> = builtin().iter().map(|model| model.id).collect();
    let ours: BTreeSet<_> = builtin().iter().map(|model| model.key()).collect();
    let theirs = registry.files.values().map(|model| model.key());
    let missing: Vec<_> = theirs
        .filter(|key| ids.contains(&key.id) && !ours.contains(key))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Reads the registry; `None`, and a line that says so, when there is no copy here.
///
/// # Panics
/// Where `CI` is `true` a missing copy is a failure.
fn registry() -> Option<Registry> {
    let folder = std::env::var_os("OMA_REGISTRY").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/oma-registry"),
        PathBuf::from,
    );
    if !folder.join("DDF.xml").is_file() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "there is no copy of the OMA registry");
        // Not by eprintln!, which the test harness keeps to itself when a test passes.
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: a test with the OMA registry: OMA_REGISTRY names no copy of it"
        );
        return None;
    }
    let mut registry = Registry {
        files: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    for within in ["", "version_history/"] {
        for entry in std::fs::read_dir(folder.join(within)).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.extension().is_none_or(|extension| extension != "xml") {
                continue;
            }
            let name = path.file_name().expect("a name").to_string_lossy();
            let file = format!("{within}{name}");
            match read(&std::fs::read(&path).expect("a readable file")) {
                Ok(mut definitions) => {
                    assert_eq!(definitions.len(), 1, "{file}");
                    registry.files.insert(file, definitions.remove(0).model);
                }
                Err(error) => {
                    registry.refused.insert(file, error.to_string());
                }
            }
        }
    }
    Some(registry)
}
