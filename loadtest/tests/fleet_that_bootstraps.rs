//! Fleets whose devices know nothing but a bootstrap server.

mod scripted_bootstrap;
mod scripted_server;

use std::process::Command;

use scripted_bootstrap::{BootstrapServer, Script, steps};
use scripted_server::ScriptedServer;
use serde_json::Value;

fn run(server: &BootstrapServer, flags: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["run", "--quiet", "--bootstrap", "--clients", "50"])
        .args(["--register-rate", "500", "--duration", "1"])
        .args(["--server", &server.address(), "--report"])
        .arg(&report)
        .args(flags)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap()
}

fn assert_ok(report: &Value, operation: &str) {
    let found = &report["operations"][operation];
    assert_eq!(
        (&found["ok"], &found["failed"]),
        (&50.into(), &0.into()),
        "{operation}: {report:#}"
    );
}

#[test]
fn devices_are_told_where_they_belong_and_live_there() {
    let home = ScriptedServer::start(scripted_server::Script::default());
    let server = BootstrapServer::start(Script {
        steps: steps(&format!("coap://{}", home.address()), 3, b"", b""),
        ..Script::default()
    });
    let report = run(&server, &["--update-every", "0.4"]);
    for operation in ["bootstrap", "register", "deregister"] {
        assert_ok(&report, operation);
    }
    assert!(report["operations"]["update"]["ok"].as_u64().unwrap() >= 50);
    for nothing in [
        "retransmissions",
        "malformed",
        "unmatched",
        "foreign",
        "duplicate_requests",
    ] {
        assert_eq!(report[nothing], 0, "{nothing}: {report:#}");
    }
    assert!(
        report["operations"]["bootstrap"]["latency_us"]["p99"]
            .as_u64()
            .unwrap()
            > 0
    );
    let seen = server.stop();
    assert_eq!(seen.requests["ep=sim-0000042"], "");
    assert_eq!((seen.requests.len(), seen.finished["2.04"]), (50, 50));
    assert!(
        seen.links[0].starts_with("</>;lwm2m=1.1,</0/0>;uri="),
        "{}",
        seen.links[0]
    );
    assert!(seen.links[0].contains("</3/0>"), "{}", seen.links[0]);
    let seen = home.stop();
    assert_eq!((seen.endpoints, seen.left), (50, 50));
    assert_eq!(seen.wrong, Vec::<String>::new());
}

#[test]
fn a_finish_that_comes_again_is_answered_again() {
    let home = ScriptedServer::start(scripted_server::Script::default());
    let server = BootstrapServer::start(Script {
        steps: steps(&format!("coap://{}", home.address()), 3, b"", b""),
        repeats: true,
        ..Script::default()
    });
    let report = run(&server, &["--update-every", "0"]);
    assert_ok(&report, "bootstrap");
    assert_ok(&report, "register");
    assert_eq!(report["duplicate_requests"], 50);
    assert_eq!(server.stop().finished["2.04"], 50);
}

#[test]
fn a_busy_server_is_asked_again_later() {
    let home = ScriptedServer::start(scripted_server::Script::default());
    let server = BootstrapServer::start(Script {
        steps: steps(&format!("coap://{}", home.address()), 3, b"", b""),
        is_busy: true,
        ..Script::default()
    });
    let report = run(&server, &["--update-every", "0"]);
    assert_ok(&report, "bootstrap");
    assert_ok(&report, "register");
    assert_eq!(report["bootstraps_put_off"], 50);
    let shortest = &report["operations"]["bootstrap"]["latency_us"]["p50"];
    assert!(shortest.as_u64().unwrap() > 900_000, "{report:#}");
    assert_eq!(server.stop().finished["2.04"], 50);
}

#[test]
fn a_pack_comes_in_blocks() {
    let home = ScriptedServer::start(scripted_server::Script::default());
    let pack = format!(
        r#"[{{"bn":"/0/1/","n":"0","vs":"coap://{}"}},{{"n":"1","vb":false}},{{"n":"2","v":3}},{{"n":"10","v":9}},
        {{"bn":"/1/0/","n":"0","v":9}},{{"n":"1","v":77}}]"#,
        home.address()
    );
    let server = BootstrapServer::start(Script {
        pack: pack.into_bytes(),
        ..Script::default()
    });
    let directory = tempfile::tempdir().unwrap();
    let scenario = directory.path().join("pack.toml");
    let text = "[bootstrap]\npack = true\nformat = \"senml-json\"\n";
    std::fs::write(&scenario, text).unwrap();
    let report = run(
        &server,
        &["--update-every", "0", scenario.to_str().unwrap()],
    );
    assert_ok(&report, "bootstrap");
    assert_ok(&report, "deregister");
    assert_eq!(home.stop().endpoints, 50);
    assert_eq!(server.stop().requests.len(), 50);
}

#[test]
fn why_a_bootstrap_failed_is_in_the_report() {
    for (steps, error) in [
        // An account without keys, an address that cannot be reached, an account without lifetime.
        (
            steps("coaps://127.0.0.1:1", 2, b"", b""),
            "bootstrap.inconsistent",
        ),
        (
            steps("coap://192.0.2.1:5685", 3, b"", b""),
            "bootstrap.unusable_server",
        ),
        (
            [
                &steps("coap://127.0.0.1:1", 3, b"", b"")[..4],
                &steps("", 3, b"", b"")[5..],
            ]
            .concat(),
            "bootstrap.inconsistent",
        ),
    ] {
        let server = BootstrapServer::start(Script {
            steps,
            ..Script::default()
        });
        let report = run(&server, &[]);
        assert_eq!(report["errors"][error], 50, "{report:#}");
        assert_eq!(report["operations"]["register"]["sent"], 0);
        assert_eq!(server.stop().finished["4.06"], 50);
    }
}
