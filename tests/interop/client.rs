//! A real client, driven by commands and watched by its events (docs/interop.md).

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/run");
/// What `tests/interop/run` ends with when the client's tools are not installed.
const NOT_INSTALLED: i32 = 3;

/// Whose client it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    Leshan,
    Aiocoap,
    AiocoapDtls,
    Libcoap,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Leshan => "leshan",
            Self::Aiocoap => "aiocoap",
            Self::AiocoapDtls => "aiocoap-dtls",
            Self::Libcoap => "libcoap",
        }
    }

    /// Builds or installs the client; `false`, and a line that says so, when its tools are missing here.
    ///
    /// # Panics
    /// Where `CI` is `true` a missing tool is a failure.
    pub fn is_available(self) -> bool {
        static PREPARED: Mutex<Option<HashMap<Kind, bool>>> = Mutex::new(None);
        let mut prepared = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
        *prepared
            .get_or_insert_default()
            .entry(self)
            .or_insert_with(|| self.prepare())
    }

    fn prepare(self) -> bool {
        let output = Command::new(RUN)
            .args(["--prepare", self.name()])
            .output()
            .expect("tests/interop/run runs");
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return true;
        }
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            output.status.code() == Some(NOT_INSTALLED) && !in_ci,
            "{} cannot be prepared: {said}",
            self.name()
        );
        // Not by eprintln!, which the test harness keeps to itself when a test passes.
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: every test with the {} client: {}",
            self.name(),
            said.trim()
        );
        false
    }
}

/// Whether a command is there; where it is not, a line says which tests are skipped.
///
/// # Panics
/// Where `CI` is `true` a missing command is a failure.
pub fn is_installed(command: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", command])
        .status()
        .expect("a shell runs");
    if found.success() {
        return true;
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "{command} is not installed");
    let _ = writeln!(io::stderr(), "SKIPPED: a test with {command}");
    false
}

/// A device that has been switched on.
pub struct Client {
    process: Child,
    commands: ChildStdin,
    events: Receiver<Value>,
    /// Events nobody has waited for yet.
    pending: Vec<Value>,
}

impl Client {
    /// Switches a device on; it registers at once.
    pub fn open(kind: Kind, server: SocketAddr, endpoint: &str, options: &[&str]) -> Self {
        Self::open_at(kind, &format!("coap://{server}"), endpoint, options)
    }

    /// The same with a server that is named by its URI.
    pub fn open_at(kind: Kind, server: &str, endpoint: &str, options: &[&str]) -> Self {
        let mut process = Command::new(RUN)
            .args([kind.name(), server, endpoint])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/interop/run runs");
        let commands = process.stdin.take().expect("standard input is a pipe");
        let output = BufReader::new(process.stdout.take().expect("standard output is a pipe"));
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|e| panic!("an event that is no JSON: {line}: {e}"));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            commands,
            events,
            pending: Vec::new(),
        }
    }

    /// Gives a command and waits for the event that answers it; what happened before is forgotten.
    pub fn tell(&mut self, command: &str, answer: &str) -> Value {
        self.pending.clear();
        while self.events.try_recv().is_ok() {}
        writeln!(self.commands, "{command}").expect("the client takes commands");
        self.expect(answer)
    }

    /// The first event of this name since the last command; others stay for later.
    pub fn expect(&mut self, name: &str) -> Value {
        if let Some(index) = self.pending.iter().position(|event| event["event"] == name) {
            return self.pending.remove(index);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!("the client told no {name}; it told {:?}", self.pending);
            };
            assert_ne!(event["event"], "error", "waiting for {name}: {event}");
            if event["event"] == name {
                return event;
            }
            self.pending.push(event);
        }
    }

    /// What it told, and nobody expected, up to the last event that somebody did.
    pub fn told_before(&self) -> &[Value] {
        &self.pending
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
