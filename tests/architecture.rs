//! The dependency rules of ARCHITECTURE.md, read from the source text.

use std::fs;
use std::path::{Path, PathBuf};

/// Which of our own modules the files below a path may name. The longest matching path counts.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("proto", &["proto"]),
    ("net", &["net"]),
    ("engine", &["engine", "net", "ops", "proto"]),
    // The state machine of a device: input and time in, outputs out.
    ("engine/endpoint/core.rs", &["proto"]),
    ("engine/endpoint/answer.rs", &["proto"]),
    ("engine/endpoint/commands.rs", &["proto"]),
    ("engine/endpoint/conversation.rs", &["proto"]),
    ("engine/endpoint/exchange.rs", &["proto"]),
    ("engine/endpoint/flights.rs", &["proto"]),
    ("engine/endpoint/steps.rs", &["proto"]),
    ("engine/endpoint/types.rs", &["proto"]),
    ("engine/endpoint/journal.rs", &["proto"]),
    ("engine/endpoint/notification.rs", &["proto"]),
    ("engine/endpoint/telemetry.rs", &["proto"]),
    ("engine/endpoint/observations.rs", &["proto"]),
    ("engine/endpoint/outputs.rs", &["proto"]),
    ("engine/endpoint/plan.rs", &["proto"]),
    ("engine/endpoint/problems.rs", &["proto"]),
    ("engine/endpoint/plan/", &["proto"]),
    ("engine/endpoint/registration.rs", &["proto"]),
    ("engine/endpoint/profile_parts.rs", &["proto"]),
    ("engine/endpoint/replan.rs", &["proto"]),
    ("engine/endpoint/snapshot", &["proto"]),
    ("engine/endpoint/splitting.rs", &["proto"]),
    ("engine/endpoint/reply.rs", &["proto"]),
    ("engine/endpoint/request.rs", &["proto"]),
    ("engine/endpoint/update", &["proto"]),
    ("engine/endpoint/values.rs", &["proto"]),
    // A bootstrap session, likewise.
    ("engine/bootstrap/configuration.rs", &["proto"]),
    ("engine/bootstrap/instances.rs", &["proto"]),
    ("engine/bootstrap/pack.rs", &["proto"]),
    ("engine/bootstrap/request.rs", &["proto"]),
    ("engine/bootstrap/session.rs", &["proto"]),
    ("services", &["engine", "proto", "services"]),
    ("store", &["services", "store"]),
    ("api", &["api", "ops", "proto", "services"]),
    ("ops", &["engine", "ops"]),
    ("lib.rs", &[]),
    (
        "main.rs",
        &["api", "cli", "engine", "ops", "services", "store"],
    ),
    ("cli", &["api", "cli", "engine", "ops", "services", "store"]),
];

/// Words of other crates and of std that may appear only below certain paths.
const ONLY_IN: &[(&str, &[&str])] = &[
    (
        "actix",
        &[
            "engine/endpoint/actor.rs",
            "engine/shard/run.rs",
            "engine/supervisor.rs",
        ],
    ),
    (
        "tokio",
        &[
            "api", "cli", "engine", "main.rs", "ops", "services", "store",
        ],
    ),
    ("axum", &["api"]),
    ("quick_xml", &["proto/lwm2m/model/ddf"]),
    ("redb", &["store"]),
    ("fjall", &["ops/logging.rs", "store"]),
    ("socket2", &["net"]),
    ("libc", &["net", "ops"]),
    (
        "openssl_sys",
        &["proto/dtls/ffi.rs", "services/credentials/trust.rs"],
    ),
    (
        "Instant::now",
        &[
            "api",
            "cli",
            "engine/shard/run.rs",
            "main.rs",
            "ops",
            "services",
            "store",
        ],
    ),
    (
        "SystemTime",
        &[
            "api",
            "cli",
            "engine/shard/run.rs",
            "main.rs",
            "ops",
            "services",
            "store",
        ],
    ),
    (
        "dashmap",
        &[
            "engine/arrivals.rs",
            "engine/directory.rs",
            "engine/update/downloads.rs",
            "services",
        ],
    ),
];

/// Files that may contain unsafe code, of the engine and of the load generator.
const UNSAFE: &[&str] = &["net/mmsg.rs", "net/steer.rs", "proto/dtls/ffi.rs"];
const UNSAFE_IN_LOADTEST: &[&str] = &["dtls/ffi.rs"];

#[test]
fn modules_name_only_the_modules_they_may() {
    let mut broken = Vec::new();
    for (path, text) in production_sources() {
        let rule = MAY_NAME
            .iter()
            .filter(|(prefix, _)| path.starts_with(prefix))
            .max_by_key(|(prefix, _)| prefix.len());
        let (_, allowed) = rule.unwrap_or_else(|| panic!("no rule for {path}: add one"));
        for named in modules_named(&text) {
            if !allowed.contains(&named.as_str()) {
                broken.push(format!(
                    "src/{path} names `{named}`; it may name {allowed:?}"
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn foreign_crates_and_clocks_stay_where_they_belong() {
    let mut broken = Vec::new();
    for (path, text) in production_sources() {
        for (word, allowed) in ONLY_IN {
            let used = text.lines().any(|line| names(line, word));
            if used && !allowed.iter().any(|prefix| path.starts_with(prefix)) {
                broken.push(format!("src/{path} uses {word}; only {allowed:?} may"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_files_and_says_why_it_is_sound() {
    let mut broken = Vec::new();
    let engine = all_sources()
        .into_iter()
        .map(|(path, text)| ("src", UNSAFE, path, text));
    let loadtest = sources_in("loadtest/src").into_iter();
    let loadtest = loadtest.map(|(path, text)| ("loadtest/src", UNSAFE_IN_LOADTEST, path, text));
    for (folder, allowed, path, text) in engine.chain(loadtest) {
        let lines: Vec<_> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if !names(line, "unsafe") {
                continue;
            }
            if !allowed.contains(&path.as_str()) {
                broken.push(format!(
                    "{folder}/{path}:{} is unsafe outside {allowed:?}",
                    at + 1
                ));
            }
            let argued = lines[at.saturating_sub(12)..at]
                .iter()
                .any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            if !argued {
                broken.push(format!("{folder}/{path}:{} has no SAFETY argument", at + 1));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_load_generator_shares_no_protocol_code_with_the_engine() {
    let broken: Vec<_> = sources_in("loadtest/src")
        .into_iter()
        .filter(|(_, text)| {
            text.lines()
                .map(code)
                .any(|line| line.contains("rookery::proto"))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(broken.is_empty(), "{broken:?} name rookery::proto");
}

#[test]
fn files_are_about_one_thing() {
    let mut broken = Vec::new();
    for (path, text) in all_sources() {
        let lines = text.lines().count();
        if lines > 600 {
            broken.push(format!("src/{path} has {lines} lines: split it"));
        }
        if path.ends_with("mod.rs") {
            broken.push(format!(
                "src/{path}: use the name of the folder instead of mod.rs"
            ));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let missing: Vec<_> = rooms(&root().join("src"))
        .into_iter()
        .filter(|folder| !map.contains(&format!("{folder}/")))
        .collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md does not mention {missing:?}"
    );
}

/// Names after `crate::` in code, comments left out.
fn modules_named(text: &str) -> Vec<String> {
    let mut named = Vec::new();
    for line in text.lines().map(code) {
        for rest in line.split("crate::").skip(1) {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            if end > 0 {
                named.push(rest[..end].to_owned());
            }
        }
    }
    named.sort();
    named.dedup();
    named
}

/// Whether a line of code contains the word as a word.
fn names(line: &str, word: &str) -> bool {
    let line = code(line);
    let part_of_a_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric());
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !part_of_a_word(before) && !part_of_a_word(after)
    })
}

fn code(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        ""
    } else {
        line
    }
}

/// Files of `src` without tests, up to their `mod tests`.
fn production_sources() -> Vec<(String, String)> {
    all_sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("tests.rs") && !path.contains("/tests/"))
        .map(|(path, text)| {
            let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
            (path, text[..end].to_owned())
        })
        .collect()
}

fn all_sources() -> Vec<(String, String)> {
    sources_in("src")
}

fn sources_in(folder: &str) -> Vec<(String, String)> {
    let src = root().join(folder);
    let mut files = Vec::new();
    let mut waiting = vec![src.clone()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("readable folder") {
            let path = entry.expect("readable entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(&src)
                    .expect("below src")
                    .display()
                    .to_string();
                files.push((name, fs::read_to_string(&path).expect("readable file")));
            }
        }
    }
    assert!(files.len() > 50, "the sources were found");
    files.sort();
    files
}

/// Names of the folders in `folder` and in those: the rooms a newcomer looks for.
fn rooms(folder: &Path) -> Vec<String> {
    let subfolders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("readable folder");
        entries
            .map(|entry| entry.expect("readable entry").path())
            .filter(|path| path.is_dir())
            .collect()
    };
    let name = |path: &PathBuf| {
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    let outer = subfolders(folder);
    let inner = outer.iter().flat_map(|path| subfolders(path));
    inner
        .chain(outer.iter().cloned())
        .map(|path| name(&path))
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
