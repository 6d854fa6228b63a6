use std::path::Path;

use super::reader::Reader;
use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Effective, ConfigError> {
    let mut reader = Reader::default();
    reader.read_file(Path::new("r.toml"), text);
    let environment = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    reader.read_environment(environment);
    reader.finish()
}

fn refused(text: &str) -> String {
    read(text, &[]).unwrap_err().to_string()
}

#[test]
fn nothing_given_is_the_defaults() {
    assert_eq!(read("", &[]).unwrap().config, Config::default());
}

#[test]
fn the_example_is_the_defaults() {
    assert_eq!(read(&example(), &[]).unwrap().config, Config::default());
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = "[engine]\nshards = 2\npin = false\n[listen]\nhttp = \"\"\n";
    let effective = read(
        file,
        &[
            ("ROOKERY_ENGINE__SHARDS", "3"),
            ("ROOKERY_LISTEN__COAP", "[::1]:7"),
            ("ROOKERY_TOKEN", "rk_x"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    let config = &effective.config;
    assert_eq!((config.engine.shards, config.engine.pin), (3, false));
    assert_eq!(config.listen.coap, Some("[::1]:7".parse().unwrap()));
    assert_eq!(config.listen.http, None);
    assert_eq!(effective.origin("engine.pin").to_string(), "r.toml:3");
    assert_eq!(
        effective.origin("engine.shards").to_string(),
        "ROOKERY_ENGINE__SHARDS"
    );
    assert_eq!(effective.origin("log.level"), &Origin::Default);
}

#[test]
fn an_unknown_key_is_refused_naming_the_nearest() {
    assert_eq!(
        refused("[engine]\n\nshard = 2\n"),
        "r.toml:3: unknown key engine.shard; did you mean engine.shards?"
    );
    assert_eq!(
        refused("[listen]\nshards = 2\n"),
        "r.toml:2: unknown key listen.shards; did you mean engine.shards?"
    );
    assert!(
        refused("[lisen]\n")
            .starts_with("r.toml:1: unknown section [lisen]; did you mean [listen]?")
    );
    assert_eq!(
        refused("shards = 2\n"),
        "r.toml:1: unknown key shards outside of a section; did you mean engine.shards?"
    );
    assert!(refused("listen = 1\n").contains("write [listen]"));
    let variable = read("", &[("ROOKERY_LOG__LEVLE", "info")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        variable,
        "ROOKERY_LOG__LEVLE: unknown key log.levle; did you mean ROOKERY_LOG__LEVEL?"
    );
}

#[test]
fn a_value_not_accepted_is_refused_naming_what_is() {
    let cases = [
        (
            "[listen]\ncoap = \"localhost:5685\"",
            "listen.coap is \"localhost:5685\"; accepted: an IP address and port",
        ),
        (
            "[listen]\ncoap = 5685",
            "listen.coap is 5685; accepted: an IP address and port",
        ),
        (
            "[engine]\nshards = 256",
            "engine.shards is 256; accepted: 0 to 255",
        ),
        (
            "[engine]\nshards = -1",
            "engine.shards is -1; accepted: 0 to 255",
        ),
        (
            "[engine]\nshards = \"2\"",
            "engine.shards is \"2\"; accepted",
        ),
        (
            "[engine]\nshards = 1.5",
            "engine.shards is a number with a fraction",
        ),
        (
            "[engine]\nshards = 99999999999999999999",
            "engine.shards is an integer beyond 64 bits",
        ),
        (
            "[engine]\npin = \"yes\"",
            "engine.pin is \"yes\"; accepted: true or false",
        ),
        (
            "[log]\nlevel = \"loud=very\"",
            "log.level is \"loud=very\"; accepted: error, warn",
        ),
        (
            "[log]\nformat = \"xml\"",
            "log.format is \"xml\"; accepted: \"text\" or \"json\"",
        ),
        (
            "[store]\npath = \"\"",
            "store.path is \"\"; accepted: a path",
        ),
        ("[engine]\nshards = ", "r.toml:2: "),
        (
            "[engine]\nshards = 1\nshards = 2",
            "r.toml:3: duplicate key",
        ),
    ];
    for (text, expected) in cases {
        let refused = refused(text);
        assert!(refused.contains(expected), "{text}: {refused}");
        assert!(refused.starts_with("r.toml:"), "{refused}");
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let error = read(
        "[engine]\nshards = 256\nspeed = 1\n",
        &[("ROOKERY_ENGINE__PIN", "maybe")],
    )
    .unwrap_err();
    assert_eq!(error.faults.len(), 3, "{error}");
}

#[test]
fn what_is_shown_can_be_read_back() {
    let file = "[store]\npath = 'C:\\x \"y\"'\n[log]\nlevel = \"debug\"\n[listen]\ncoap = \"\"\n";
    let effective = read(file, &[]).unwrap();
    let shown = effective.render();
    assert!(shown.contains("# r.toml:4"), "{shown}");
    assert_eq!(read(&shown, &[]).unwrap().config, effective.config);
}

#[test]
fn changes_say_what_can_be_reloaded() {
    let before = read("", &[]).unwrap();
    let after = read("[log]\nlevel = \"debug\"\n[engine]\nshards = 2\n", &[]).unwrap();
    let changes = before.changes(&after);
    let changes: Vec<_> = changes
        .iter()
        .map(|c| (c.key.as_str(), c.reloads))
        .collect();
    assert_eq!(changes, [("engine.shards", false), ("log.level", true)]);
    assert_eq!(before.changes(&before), []);
}
