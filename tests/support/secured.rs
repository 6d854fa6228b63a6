//! The engine with DTLS, and devices with keys made as the documentation says.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::engine::Engine;

/// A running engine that knows all three kinds of credentials and trusts its own authority.
pub struct Secured {
    pub engine: Engine,
    pub coaps: SocketAddr,
    keys: TempDir,
}

impl Secured {
    /// `rookery serve --dev` with a generated server key and certificate.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these settings as well.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let keys = tempfile::tempdir().expect("a directory for keys");
        let file = |name: &str| keys.path().join(name).display().to_string();
        generate(&keys, &["server", "--name", "localhost"]);
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
        let coaps = free.local_addr().expect("a bound socket has an address");
        drop(free);
        let own = [
            ("ROOKERY_LISTEN__COAPS", coaps.to_string()),
            ("ROOKERY_DTLS__SERVER_KEY", file("server_key.pem")),
            (
                "ROOKERY_DTLS__SERVER_CERTIFICATE",
                file("server_certificate.pem"),
            ),
            ("ROOKERY_DTLS__TRUST_STORE", file("ca_certificate.pem")),
        ];
        let own = own.iter().map(|(key, value)| (*key, value.as_str()));
        let all: Vec<_> = own.chain(settings.iter().copied()).collect();
        let engine = Engine::start_with(&["serve", "--dev"], &all);
        Self {
            engine,
            coaps,
            keys,
        }
    }

    /// Makes the keys of a device and stores it: `psk`, `rpk` or `x509`, and further arguments of
    /// `rookery credentials generate`.
    pub fn provision(&self, mode: &str, endpoint: &str, arguments: &[&str]) {
        let begin = [mode, "--endpoint", endpoint];
        generate(&self.keys, &[&begin, arguments].concat());
        let device = self.text(&format!("{endpoint}_device.json"));
        let device: Value = serde_json::from_str(&device).expect("a device is JSON");
        self.engine.put_device(endpoint, &device);
    }

    /// Makes another key and certificate of the server in place of the ones it has.
    pub fn replace_server_keys(&self) {
        generate(&self.keys, &["server", "--name", "localhost", "--force"]);
    }

    /// Makes keys that the engine knows nothing of, in a directory of their own.
    pub fn foreign(arguments: &[&str]) -> TempDir {
        let keys = tempfile::tempdir().expect("a directory for keys");
        generate(&keys, arguments);
        keys
    }

    /// Where a file of the generated keys is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.keys.path().join(name)
    }

    /// What is in a file of the generated keys.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).expect("a file of keys")
    }

    /// How many handshakes of this mode ended like this.
    pub fn handshakes(&self, mode: &str, result: &str) -> f64 {
        let labels = [format!("mode=\"{mode}\""), format!("result=\"{result}\"")];
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        self.engine.metric("lwm2m_dtls_handshakes_total", &labels)
    }

    /// How many handshakes have begun.
    pub fn handshakes_started(&self) -> f64 {
        self.engine
            .metric("lwm2m_dtls_handshakes_started_total", &[])
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> f64 {
        self.engine.metric("lwm2m_dtls_sessions", &[])
    }

    /// How many records were dropped for this reason.
    pub fn dropped(&self, reason: &str) -> f64 {
        let label = format!("reason=\"{reason}\"");
        let name = "lwm2m_dtls_records_dropped_total";
        self.engine.metric(name, &[&label])
    }
}

fn generate(keys: &TempDir, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_rookery"))
        .args(["credentials", "generate"])
        .args(arguments)
        .arg("--out")
        .arg(keys.path())
        .output()
        .expect("rookery runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
}
