//! The echo, and a fleet that takes it for its server.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn a_fleet_can_be_run_against_the_echo_to_measure_the_floor() {
    let mut echo = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["echo", "--listen", "127.0.0.1:0", "--shards", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(echo.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.split(' ').nth(2).unwrap();

    let status = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args([
            "run",
            "--quiet",
            "--answers",
            "echo",
            "--server",
            address,
            "--clients",
            "300",
        ])
        .args([
            "--duration",
            "1",
            "--update-every",
            "0.5",
            "--server-pid",
            &echo.id().to_string(),
        ])
        .args([
            "--threshold",
            "update.ok >= 300",
            "--threshold",
            "update.failed == 0",
        ])
        .args([
            "--threshold",
            "deregister.ok == 300",
            "--threshold",
            "server.rss_bytes > 0",
        ])
        .status()
        .unwrap();
    Command::new("kill")
        .args(["-TERM", &echo.id().to_string()])
        .status()
        .unwrap();
    assert!(echo.wait().unwrap().success(), "it ends when told to");
    assert!(status.success());
}
