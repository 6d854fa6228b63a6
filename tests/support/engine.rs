//! The engine as its users start it: the binary, in a process of its own.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
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
            ("ROOKERY_LISTEN__COAPS", String::new()),
            ("ROOKERY_LISTEN__BOOTSTRAP_COAP", String::new()),
            ("ROOKERY_LISTEN__BOOTSTRAP_COAPS", String::new()),
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

    /// One that the tests of a binary share; it ends with the binary, whichever way that ends.
    pub fn shared(prepare: impl FnOnce(&Self)) -> &'static Self {
        static SHARED: OnceLock<Engine> = OnceLock::new();
        SHARED.get_or_init(|| {
            let engine = Self::start();
            engine.end_with_this_process();
            prepare(&engine);
            engine
        })
    }

    /// What is static is never dropped: a companion that sees this process end does what `drop` does.
    fn end_with_this_process(&self) {
        let companion = Command::new("sh")
            .args(["-c", "cat; kill -KILL \"$1\"; rm -rf \"$2\"", "sh"])
            .arg(self.process.id().to_string())
            .arg(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell starts");
        // Its standard input stays open as long as this process lives.
        std::mem::forget(companion);
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

    /// Where its API is.
    pub fn api(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
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

    /// What a request with a JSON body brings.
    pub fn send(&self, method: &str, path: &str, body: http::Body<'_>) -> Answer {
        http::send(self.http, method, path, Some(body)).expect("the API answers")
    }

    /// The same with a JSON document as body.
    pub fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.send(method, path, ("application/json", body.as_bytes()))
    }

    /// Stores a device profile.
    pub fn put_profile(&self, name: &str, profile: &Value) {
        let answer = self.send_json("PUT", &format!("/api/v1/profiles/{name}"), profile);
        assert!(answer.is_success(), "profile {name}: {}", answer.body);
    }

    /// Stores a device, so that it is known before it registers.
    pub fn put_device(&self, endpoint: &str, device: &Value) {
        let answer = self.send_json("PUT", &format!("/api/v1/devices/{endpoint}"), device);
        assert!(answer.is_success(), "device {endpoint}: {}", answer.body);
    }

    /// Uploads an object definition in OMA's XML.
    pub fn post_model(&self, xml: &str) {
        let body = ("application/xml", xml.as_bytes());
        let answer = http::send(self.http, "POST", "/api/v1/models", Some(body));
        let answer = answer.expect("the API answers");
        assert!(answer.is_success(), "{}", answer.body);
    }

    /// The answer to a command, which the API must give with 200; a `query` begins with `?`.
    pub fn rpc_with(&self, endpoint: &str, query: &str, method: &str, params: &Value) -> Value {
        let answer = self.rpc_answer(endpoint, query, method, params);
        assert_eq!(answer.status, 200, "{method} {params}: {}", answer.body);
        answer.json()
    }

    /// The answer to a command, as ThingsBoard words it.
    pub fn rpc(&self, endpoint: &str, method: &str, params: &Value) -> Value {
        self.rpc_with(endpoint, "", method, params)
    }

    /// The answer to a command, whatever its status.
    pub fn rpc_answer(&self, endpoint: &str, query: &str, method: &str, params: &Value) -> Answer {
        let path = format!("/api/v1/devices/{endpoint}/rpc{query}");
        let command = json!({"method": method, "params": params});
        self.send_json("POST", &path, &command)
    }

    /// Sum of the samples of a metric whose labels contain these.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let page = http::get(self.http, "/metrics").expect("the metrics").body;
        let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        samples
            .filter(|(series, _)| {
                let metric = series.split('{').next().unwrap_or_default();
                metric == name && labels.iter().all(|label| series.contains(label))
            })
            .map(|(_, value)| value.parse::<f64>().expect("a sample is a number"))
            .sum()
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

    /// Shows the newest lines of its log, for a test that fails.
    pub fn print_log(&self) {
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
