//! The whole load generator against a small scripted server.

mod scripted_server;

use std::process::{Command, Output};

use scripted_server::{Script, ScriptedServer};
use serde_json::Value;

/// Runs `loadtest run` and returns what it printed and its report.
fn run(server: &ScriptedServer, flags: &[&str]) -> (Output, Value) {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["run", "--quiet", "--server", &server.address(), "--report"])
        .arg(&report)
        .args(["--server-pid", &std::process::id().to_string()])
        .args(flags)
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    (output, serde_json::from_str(&text).unwrap_or_default())
}

const SHORT_LIFE: [&str; 10] = [
    "--clients",
    "200",
    "--register-rate",
    "1000",
    "--duration",
    "2.2",
    "--update-every",
    "0.5",
    "--notify-every",
    "0.25",
];

#[test]
fn devices_live_a_whole_life_and_nothing_fails() {
    let server = ScriptedServer::start(Script::default());
    let (output, report) = run(&server, &SHORT_LIFE);
    assert!(output.status.success(), "{output:?}");
    let operations = &report["operations"];
    for (operation, at_least, at_most) in [
        ("register", 200, 200),
        ("update", 600, 1_000),
        ("notify", 1_200, 2_000),
        ("read", 600, 600),
        ("observe", 200, 200),
        ("deregister", 200, 200),
    ] {
        let ok = operations[operation]["ok"].as_u64().unwrap();
        assert!((at_least..=at_most).contains(&ok), "{operation}: {ok}");
        assert_eq!(
            operations[operation]["failed"], 0,
            "{operation}: {report:#}"
        );
        assert_eq!(operations[operation]["sent"], ok, "{operation}");
    }
    let latency = &operations["update"]["latency_us"];
    assert!(latency["p50"].as_u64().unwrap() > 0);
    assert!(
        latency["p50"].as_u64() <= latency["p99"].as_u64()
            && latency["p99"].as_u64() <= latency["max"].as_u64()
    );
    assert_eq!(report["phases"][0]["registered"], 200);
    assert_eq!(report["registered"], 0);
    assert!(report["server"]["rss_bytes"].as_u64().unwrap() > 0);
    for nothing in [
        "retransmissions",
        "malformed",
        "unmatched",
        "foreign",
        "duplicate_requests",
    ] {
        assert_eq!(report[nothing], 0, "{nothing}");
    }

    let seen = server.stop();
    assert_eq!(seen.peers, 200, "each device has an address of its own");
    assert_eq!(seen.endpoints, 200);
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert!(seen.batteries > 10, "values change: {}", seen.batteries);
}

#[test]
fn two_threads_share_the_fleet() {
    let server = ScriptedServer::start(Script::default());
    let (output, report) = run(
        &server,
        &[&SHORT_LIFE[..], &["--threads", "2", "--sockets", "5"]].concat(),
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(report["operations"]["deregister"]["ok"], 200);
    assert_eq!(server.stop().peers, 200);
}

#[test]
fn confirmable_notifications_are_measured_to_their_acknowledgement() {
    let server = ScriptedServer::start(Script::default());
    let (output, report) = run(&server, &[&SHORT_LIFE[..], &["--con-notify"]].concat());
    assert!(output.status.success(), "{output:?}");
    let notify = &report["operations"]["notify"];
    assert!(notify["ok"].as_u64().unwrap() > 1_000, "{report:#}");
    assert_eq!(notify["latency_us"]["count"], notify["sent"]);
    assert_eq!(notify["failed"], 0, "{report:#}");
}

#[test]
fn lost_datagrams_are_sent_again() {
    let server = ScriptedServer::start(Script {
        ignore_first_register: true,
        ..Script::default()
    });
    let (output, report) = run(
        &server,
        &[
            "--clients",
            "20",
            "--duration",
            "0",
            "--update-every",
            "0",
            "--notify-every",
            "0",
        ],
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(report["operations"]["register"]["ok"], 20);
    assert_eq!(report["retransmissions"], 20);
    assert!(
        report["operations"]["register"]["latency_us"]["p50"]
            .as_u64()
            .unwrap()
            >= 2_000_000
    );
    assert_eq!(server.stop().endpoints, 20);
}

#[test]
fn a_repeated_request_gets_the_same_answer_and_counts_once() {
    let server = ScriptedServer::start(Script {
        repeat_requests: true,
        ..Script::default()
    });
    let (output, report) = run(&server, &SHORT_LIFE);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(report["operations"]["read"]["ok"], 600);
    assert_eq!(report["operations"]["observe"]["ok"], 200);
    assert_eq!(report["duplicate_requests"], 800);
    assert_eq!(server.stop().wrong, Vec::<String>::new());
}

#[test]
fn separate_responses_are_acknowledged() {
    let server = ScriptedServer::start(Script {
        separate_responses: true,
        ..Script::default()
    });
    let (output, report) = run(&server, &SHORT_LIFE);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(report["operations"]["register"]["ok"], 200);
    assert_eq!(report["operations"]["update"]["failed"], 0);
    let seen = server.stop();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!(seen.unacknowledged, 0);
}

#[test]
fn a_device_that_is_not_known_any_more_registers_again() {
    let server = ScriptedServer::start(Script {
        forget_at_first_update: true,
        ..Script::default()
    });
    let (_, report) = run(&server, &SHORT_LIFE);
    assert_eq!(report["errors"]["update.4.04"], 200);
    assert_eq!(report["operations"]["register"]["ok"], 400);
    assert_eq!(report["operations"]["deregister"]["ok"], 200);
}

#[test]
fn a_reset_ends_an_observation() {
    let server = ScriptedServer::start(Script {
        reset_notifications: true,
        ..Script::default()
    });
    let (_, report) = run(&server, &SHORT_LIFE);
    assert_eq!(report["errors"]["notify.reset"], 200);
    assert_eq!(report["operations"]["notify"]["sent"], 200);
    server.stop();
}

#[test]
fn a_threshold_that_is_not_met_decides_the_exit_code_and_is_named() {
    let server = ScriptedServer::start(Script::default());
    let flags = [
        "--threshold",
        "register.max < 1us",
        "--threshold",
        "register.failed == 0",
    ];
    let (output, report) = run(&server, &[&SHORT_LIFE[..], &flags].concat());
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("threshold register.max < 1us: FAILED"),
        "{text}"
    );
    assert_eq!(report["thresholds"][0]["passed"], false);
    assert_eq!(report["thresholds"][1]["passed"], true);
}

#[test]
fn a_server_that_is_not_there_is_a_result_and_not_a_crash() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args([
            "run",
            "--server",
            &address,
            "--clients",
            "3",
            "--threshold",
            "register.ok == 3",
            "--quiet",
        ])
        .args(["--duration", "0"])
        .spawn()
        .and_then(|mut child| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            let id = child.id().to_string();
            Command::new("kill").args(["-INT", &id]).status()?;
            child.wait()
        })
        .unwrap();
    assert_eq!(
        output.code(),
        Some(1),
        "interrupted, reported, threshold not met"
    );
}

#[test]
fn bad_command_lines_and_scenarios_exit_with_2_and_advice() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.toml");
    std::fs::write(&file, "[[fleets]]\nclientz = 3\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .arg("run")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("did you mean `clients`?") && text.contains("bad.toml"),
        "{text}"
    );
}
