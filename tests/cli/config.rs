use std::fs;

use crate::program::{rookery, run};

#[test]
fn check_config_shows_what_holds_and_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rookery.toml");
    fs::write(&file, "[engine]\nshards = 3\n").unwrap();
    let mut check = rookery(directory.path());
    check
        .args(["check-config", "rookery.toml"])
        .env("ROOKERY_LOG__LEVEL", "debug");
    let (code, output, _) = run(&mut check);
    assert_eq!(code, 0);
    let line = |begin: &str| {
        let line = output.lines().find(|line| line.starts_with(begin)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("shards"), "shards = 3 # rookery.toml:2");
    assert_eq!(line("level"), "level = \"debug\" # ROOKERY_LOG__LEVEL");
    assert_eq!(line("http"), "http = \"127.0.0.1:8080\" # default");
}

#[test]
fn faults_are_printed_with_their_places_and_the_exit_code_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rookery.toml");
    fs::write(
        &file,
        "[engine]\nshard = 3\n[listen]\nbootstrap_coap = \"5687\"\n",
    )
    .unwrap();
    for arguments in [
        &["check-config", "rookery.toml"][..],
        &["serve", "--config", "rookery.toml"],
    ] {
        let (code, output, error) = run(rookery(directory.path()).args(arguments));
        assert_eq!((code, output.as_str()), (1, ""));
        assert!(
            error.contains("rookery.toml:2: unknown key engine.shard; did you mean engine.shards?"),
            "{error}"
        );
        assert!(
            error.contains("rookery.toml:4: listen.bootstrap_coap"),
            "{error}"
        );
    }
    let (code, _, error) = run(rookery(directory.path()).args(["check-config", "absent.toml"]));
    assert!(
        code == 1 && error.contains("absent.toml: No such file"),
        "{error}"
    );
    fs::write(&file, "[provisioning]\nprofile = \"water\"\n").unwrap();
    let mut serve = rookery(directory.path());
    serve
        .args(["serve", "--config", "rookery.toml", "--data", "data"])
        .env("ROOKERY_LISTEN__COAP", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__COAPS", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__BOOTSTRAP_COAP", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__BOOTSTRAP_COAPS", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__HTTP", "127.0.0.1:0");
    let (code, _, error) = run(&mut serve);
    assert_eq!(code, 1);
    let says = "rookery.toml:2: provisioning.profile is \"water\", which does not exist; \
                known are: default; `rookery profiles import` makes one";
    assert!(error.contains(says), "{error}");
}
