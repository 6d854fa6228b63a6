//! The engine as its users start it: the binary, in a process of its own.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{self, Answer, EventStream};
use super::wait::{eventually, until};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(20);
const LOG_LINES_SHOWN: usize = 60;

/// A running engine on free ports and an empty data directory; gone when dropped.
pub struct Engine {
    process: Child,
    coap: SocketAddr,
    http: SocketAddr,
    directory: TempDir,
    command: Vec<String>,
    settings: Vec<(String, String)>,
}

impl Engine {
    /// `rookery serve --dev`, ready to serve.
    pub fn start() -> Self {
        Self::start_with(&["serve", "--dev"], &[])
    }

    /// With these arguments and, over those every test needs, these settings.
    pub fn start_with(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the engine");
        let (coap, http) = (free_udp_address(), free_tcp_address());
        let own = [
            ("ROOKERY_LISTEN__COAP", coap.to_string()),
            ("ROOKERY_LISTEN__HTTP", http.to_string()),
            (
                "ROOKERY_STORE__PATH",
                directory.path().join("data").display().to_string(),
            ),
            ("ROOKERY_ENGINE__SHARDS", "2".to_owned()),
        ];
        let given = settings
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()));
        let settings = own.into_iter().chain(given);
        let settings: Vec<_> = settings
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let command: Vec<_> = arguments.iter().map(|&text| text.to_owned()).collect();
        let mut engine = Self {
            process: spawn(directory.path(), &command, &settings),
            coap,
            http,
            directory,
            command,
            settings,
        };
        until("the engine is ready", START, || engine.is_ready());
        engine
    }

    /// Ends it as a power failure does.
    pub fn kill(&mut self) {
        self.process
            .kill()
            .expect("the engine had not ended before");
        self.process.wait().expect("the engine is waited for");
    }

    /// Starts it again after it has ended, where it was and on what it left behind.
    pub fn start_again(&mut self) {
        self.process = spawn(self.directory.path(), &self.command, &self.settings);
        until("the engine is ready again", START, || self.is_ready());
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Lets it make files of at most so many bytes from now on; `None` for any.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let limited = Command::new("prlimit")
            .args(["--pid", &self.process.id().to_string()])
            .arg(format!("--fsize={limit}:unlimited"))
            .status()
            .expect("prlimit runs");
        assert!(limited.success(), "the limit is set");
    }

    /// The answer to `PUT path`.
    pub fn put(&self, path: &str, body: &str) -> Answer {
        http::put(self.http, path, body).expect("the API answers")
    }

    /// What a scrape brings.
    pub fn metrics(&self) -> String {
        http::get(self.http, "/metrics")
            .expect("the engine answers")
            .body
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it has logged since it was first started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).expect("a log")
    }

    /// Where devices reach it.
    pub fn coap(&self) -> SocketAddr {
        self.coap
    }

    /// The JSON answer of `GET path`, which must be 200.
    pub fn get(&self, path: &str) -> Value {
        let answer = http::get(self.http, path).expect("the API answers");
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("the API answers with JSON")
    }

    /// The status of `GET path`.
    pub fn status(&self, path: &str) -> u16 {
        http::get(self.http, path).expect("the API answers").status
    }

    /// The server-sent events under `path`, from now on.
    pub fn events(&self, path: &str) -> EventStream {
        EventStream::open(self.http, path)
    }

    pub fn registration(&self, endpoint: &str) -> Value {
        self.get(&format!("/api/v1/devices/{endpoint}/registration"))
    }

    pub fn telemetry(&self, endpoint: &str) -> Value {
        self.get(&format!("/api/v1/devices/{endpoint}/telemetry"))
    }

    pub fn attributes(&self, endpoint: &str) -> Value {
        self.get(&format!("/api/v1/devices/{endpoint}/attributes"))
    }

    /// Waits until the newest value of a telemetry key is this one.
    pub fn await_telemetry(&self, endpoint: &str, key: &str, expected: &Value) {
        eventually(&format!("{key} of {endpoint} is {expected}"), || {
            let newest = self.telemetry(endpoint)[key][0]["value"].clone();
            (newest == *expected).then_some(()).ok_or(newest)
        });
    }

    /// Waits until a client attribute has this value.
    pub fn await_attribute(&self, endpoint: &str, key: &str, expected: &Value) {
        eventually(&format!("{key} of {endpoint} is {expected}"), || {
            let value = self.attributes(endpoint)["client"][key]["value"].clone();
            (value == *expected).then_some(()).ok_or(value)
        });
    }

    /// Waits until the device is in this state.
    pub fn await_state(&self, endpoint: &str, expected: &str) {
        eventually(&format!("{endpoint} is {expected}"), || {
            let state = self.registration(endpoint)["state"].clone();
            (state == expected).then_some(()).ok_or(state)
        });
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        let signalled = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(signalled.success(), "the engine had ended before");
        let mut ended = None;
        until("the engine has ended", STOP, || {
            ended = self.process.try_wait().expect("the engine is waited for");
            ended.is_some()
        });
        ended.expect("until() returns when it has ended")
    }

    fn is_ready(&mut self) -> bool {
        if let Some(status) = self.process.try_wait().expect("the engine is waited for") {
            panic!("the engine ended at its start with {status}");
        }
        http::get(self.http, "/readyz").is_ok_and(|answer| answer.status == 200)
    }

    fn print_log(&self) {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the engine's log ---");
        for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
            eprintln!("{line}");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_log();
        }
        // It may have ended already: then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(directory: &Path, command: &[String], settings: &[(String, String)]) -> Child {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("log"))
        .expect("a log file");
    // A write beyond a limit on the size of files is to fail, not to end the process.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_rookery"))
        .args(command)
        .current_dir(directory)
        .envs(settings.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log file"))
        .stderr(log)
        .spawn()
        .expect("the engine starts")
}

fn free_udp_address() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
    socket.local_addr().expect("a bound socket has an address")
}

fn free_tcp_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free TCP port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
}
