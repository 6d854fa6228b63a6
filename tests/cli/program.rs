//! Runs the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub fn rookery(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rookery"));
    command.current_dir(directory);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROOKERY_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end: exit code, standard output, standard error.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A server on free ports, with its data in `data` below `directory`.
pub struct Serving {
    child: Child,
    pub http: SocketAddr,
    pub announced: String,
    log: PathBuf,
}

impl Serving {
    pub fn start(directory: &Path, arguments: &[&str]) -> Self {
        let log = directory.join("log");
        let mut child = rookery(directory)
            .args(["serve", "--data", "data"])
            .args(arguments)
            .env("ROOKERY_LISTEN__COAP", "127.0.0.1:0")
            .env("ROOKERY_LISTEN__COAPS", "127.0.0.1:0")
            .env("ROOKERY_LISTEN__BOOTSTRAP_COAP", "127.0.0.1:0")
            .env("ROOKERY_LISTEN__BOOTSTRAP_COAPS", "127.0.0.1:0")
            .env("ROOKERY_LISTEN__HTTP", "127.0.0.1:0")
            .env("ROOKERY_ENGINE__SHARDS", "1")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut announced = String::new();
        let mut http = None;
        let mut output = BufReader::new(child.stdout.take().unwrap());
        while http.is_none() {
            let mut line = String::new();
            let read = output.read_line(&mut line).unwrap();
            let log = || std::fs::read_to_string(&log).unwrap();
            assert!(read > 0, "the server ended: {announced}{}", log());
            if let Some((_, address)) = line.split_once("http  http://") {
                http = Some(address.trim().parse().unwrap());
            }
            announced.push_str(&line);
        }
        // Its further lines must not fill the pipe.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Self {
            child,
            http: http.unwrap(),
            announced,
            log,
        }
    }

    /// Status of a GET.
    pub fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        let token = token.map_or(String::new(), |t| format!("authorization: Bearer {t}\r\n"));
        let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits until the log contains `text`.
    pub fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        loop {
            let log = std::fs::read_to_string(&self.log).unwrap();
            if log.contains(text) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "no {text:?} in:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end: exit code.
    pub fn wait(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
