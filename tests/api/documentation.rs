//! `docs/api.md` says what the code does.
//!
//! `UPDATE_GENERATED=1 cargo test --test api documentation` writes the table of problems anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rookery::api::{ProblemKind, document};
use serde_json::Value;

const BEGIN: &str = "<!-- problems: begin -->\n";
const END: &str = "<!-- problems: end -->";

fn table() -> String {
    let mut table = String::from("| type | status | title |\n|---|---|---|\n");
    for kind in ProblemKind::ALL {
        let (name, status, title) = (kind.name(), kind.status().as_u16(), kind.title());
        writeln!(table, "| `{name}` | {status} | {title} |").unwrap();
    }
    table
}

#[test]
fn every_problem_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    }
    assert_eq!(found, table());
}

#[test]
fn every_route_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let text = fs::read_to_string(path).unwrap();
    let document: Value = serde_json::from_str(document()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let row = format!("| `{} {path}` |", method.to_uppercase());
            assert!(text.contains(&row), "{row}");
        }
    }
}
