//! The example file and the documentation say what the code does.
//!
//! `UPDATE_GENERATED=1 cargo test --test config` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use rookery::ops::config::{Config, Effective, example, reference_table};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GENERATED").is_some()
}

#[test]
fn the_example_file_is_what_the_code_documents() {
    let path = file("rookery.example.toml");
    if updating() {
        fs::write(&path, example()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), example());
    let effective = Effective::load(Some(&path), std::iter::empty()).unwrap();
    assert_eq!(effective.config, Config::default());
}

#[test]
fn the_documentation_has_the_table_of_keys() {
    let path = file("docs/configuration.md");
    let text = fs::read_to_string(&path).unwrap();
    let begin = "<!-- keys: begin -->\n";
    let end = "<!-- keys: end -->";
    let (before, rest) = text.split_once(begin).unwrap();
    let (table, after) = rest.split_once(end).unwrap();
    if updating() {
        let text = format!("{before}{begin}{}{end}{after}", reference_table());
        return fs::write(&path, text).unwrap();
    }
    assert_eq!(table, reference_table());
}
