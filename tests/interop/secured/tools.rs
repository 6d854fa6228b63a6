//! Command-line tools that speak DTLS and know nothing of CoAP: what they send is put together here.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::super::client::is_installed;
use crate::support::datagram::{Datagram, GET, POST};
use crate::support::secured::Secured;

const PATIENCE: Duration = Duration::from_secs(10);
const DEVICE: &str = "tool-1";
/// What GnuTLS offers, before more is said.
const GNUTLS: &str = "NORMAL:-VERS-ALL:+VERS-DTLS1.2";
const REGISTER_MID: u16 = 0x4711;

#[test]
fn openssl_registers_with_a_pre_shared_key_in_every_suite() {
    for suite in [
        "PSK-AES128-CCM8",
        "PSK-AES128-GCM-SHA256",
        "PSK-AES128-CBC-SHA256",
    ] {
        registers("openssl", "psk", |server| {
            let key = server.text(&format!("{DEVICE}_psk.hex"));
            let arguments = ["-psk_identity", DEVICE, "-psk", &key];
            s_client(server, suite, &arguments)
        });
    }
}

#[test]
fn openssl_registers_with_a_certificate_in_every_suite() {
    for suite in [
        "ECDHE-ECDSA-AES128-CCM8",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-SHA256",
    ] {
        registers("openssl", "x509", |server| {
            let file = |name: &str| server.file(name).display().to_string();
            let certificate = file(&format!("{DEVICE}_certificate.pem"));
            let key = file(&format!("{DEVICE}_key.pem"));
            let authority = file("ca_certificate.pem");
            let own = ["-cert", &certificate, "-key", &key];
            let check = ["-CAfile", &authority, "-verify_return_error"];
            s_client(server, suite, &[own.as_slice(), &check].concat())
        });
    }
}

#[test]
fn openssl_registers_with_cbc_alone_and_without_encrypt_then_mac() {
    registers("openssl", "psk", |server| {
        let key = server.text(&format!("{DEVICE}_psk.hex"));
        let arguments = ["-psk_identity", DEVICE, "-psk", &key, "-no_etm"];
        s_client(server, "PSK-AES128-CBC-SHA256", &arguments)
    });
}

#[test]
fn openssl_resumes_its_session_by_ticket() {
    if !is_installed("openssl") {
        return;
    }
    let server = Secured::start();
    server.provision("x509", DEVICE, &[]);
    let file = |name: &str| server.file(name).display().to_string();
    let certificate = file(&format!("{DEVICE}_certificate.pem"));
    let key = file(&format!("{DEVICE}_key.pem"));
    let session = file("session.pem");
    let suite = "ECDHE-ECDSA-AES128-CCM8";
    for (option, result) in [("-sess_out", "ok"), ("-sess_in", "resumed")] {
        let arguments = ["-cert", &certificate, "-key", &key, option, &session];
        let mut peer = Tool::start(s_client(&server, suite, &arguments));
        let ping = Datagram::con(GET, REGISTER_MID).path(".well-known/core");
        assert_eq!(peer.ask(&ping.encode(), REGISTER_MID), 0x45);
        assert_eq!(server.handshakes("x509", result), 1.0, "{result}");
    }
}

#[test]
fn gnutls_registers_with_a_pre_shared_key_in_every_suite() {
    for suite in [
        "AES-128-CCM-8",
        "AES-128-GCM",
        "AES-128-CBC:-MAC-ALL:+SHA256",
    ] {
        registers("gnutls-cli", "psk", |server| {
            let key = server.text(&format!("{DEVICE}_psk.hex"));
            let priority = format!("{GNUTLS}:-KX-ALL:+PSK:-CIPHER-ALL:+{suite}");
            let mut command = gnutls_cli(server, &priority);
            command.args(["--pskusername", DEVICE, "--pskkey", &key]);
            command
        });
    }
}

#[test]
fn gnutls_registers_with_a_certificate() {
    registers("gnutls-cli", "x509", |server| {
        let file = |name: &str| server.file(name);
        let mut command = gnutls_cli(server, GNUTLS);
        command.arg("--x509certfile");
        command.arg(file(&format!("{DEVICE}_certificate.pem")));
        command.arg("--x509keyfile");
        command.arg(file(&format!("{DEVICE}_key.pem")));
        command.arg("--x509cafile").arg(file("ca_certificate.pem"));
        command
    });
}

/// Provisions the device, runs the tool and has it register and update.
fn registers(tool: &str, mode: &str, command: impl FnOnce(&Secured) -> Command) {
    if !is_installed(tool) {
        return;
    }
    let server = Secured::start();
    server.provision(mode, DEVICE, &[]);
    let mut peer = Tool::start(command(&server));
    let register = Datagram::con(POST, REGISTER_MID)
        .path("rd")
        .query(&format!("lwm2m=1.1&lt=300&ep={DEVICE}"))
        .payload(b"</1/0>");
    let answer = peer.ask(&register.encode(), REGISTER_MID);
    assert_eq!(answer, 0x41, "2.01 Created");
    let registration = server.engine.registration(DEVICE);
    assert_eq!(registration["security"], mode.to_uppercase());
    let id = registration["id"].as_str().expect("an id");
    let update = Datagram::con(POST, REGISTER_MID + 1).path("rd").path(id);
    let answer = peer.ask(&update.encode(), REGISTER_MID + 1);
    assert_eq!(answer, 0x44, "2.04 Changed");
    assert_eq!(server.handshakes(mode, "ok"), 1.0);
}

fn s_client(server: &Secured, suite: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-dtls1_2", "-quiet", "-nocommands"])
        .args(["-connect", &server.coaps.to_string()])
        .args(["-cipher", &format!("{suite}:@SECLEVEL=0")])
        .args(arguments);
    command
}

fn gnutls_cli(server: &Secured, priority: &str) -> Command {
    let mut command = Command::new("gnutls-cli");
    command
        .args(["--udp", "--logfile=/dev/null", "--sni-hostname=localhost"])
        .args(["--verify-hostname=localhost", "--priority", priority])
        .args(["--port", &server.coaps.port().to_string()])
        .arg(server.coaps.ip().to_string());
    command
}

/// A tool that sends what it reads and writes what it gets.
struct Tool {
    process: Child,
    input: ChildStdin,
    output: Receiver<u8>,
    seen: Vec<u8>,
}

impl Tool {
    fn start(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the tool starts");
        let input = process.stdin.take().expect("standard input is a pipe");
        let mut stdout: ChildStdout = process.stdout.take().expect("standard output is a pipe");
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut byte = [0; 1];
            while stdout.read_exact(&mut byte).is_ok() && sender.send(byte[0]).is_ok() {}
        });
        Self {
            process,
            input,
            output,
            seen: Vec::new(),
        }
    }

    /// Sends a request and finds its acknowledgement among all that comes; its code.
    fn ask(&mut self, request: &[u8], mid: u16) -> u8 {
        let deadline = Instant::now() + PATIENCE;
        self.input.write_all(request).expect("the tool reads");
        self.input.flush().expect("the tool reads");
        let [high, low] = mid.to_be_bytes();
        loop {
            let mut windows = self.seen.windows(4);
            if let Some(found) = windows.find(|w| w[0] == 0x60 && w[2] == high && w[3] == low) {
                return found[1];
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let byte = self.output.recv_timeout(left);
            let seen = || String::from_utf8_lossy(&self.seen).into_owned();
            self.seen
                .push(byte.unwrap_or_else(|e| panic!("no answer: {e}; {}", seen())));
        }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
