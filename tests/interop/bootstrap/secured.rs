//! Leshan over Scandium bootstraps, registers with what it was told, and bootstraps anew on demand.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::super::client::{Client, Kind};
use crate::support::engine::Engine;
use crate::support::secured::Secured;
use crate::support::wait::until;

const DEVICE: &str = "leshan-1";

#[test]
fn b15_leshan_bootstraps_with_a_pre_shared_key_and_registers() {
    bootstraps_and_registers("psk");
}

#[test]
fn b18_leshan_bootstraps_with_a_raw_public_key_and_registers() {
    bootstraps_and_registers("rpk");
}

#[test]
fn b20_leshan_bootstraps_with_a_certificate_and_registers() {
    bootstraps_and_registers("x509");
}

#[test]
fn b23_leshan_bootstraps_in_the_clear_and_registers_with_a_pre_shared_key() {
    is_given_keys("psk");
}

#[test]
fn b24_leshan_bootstraps_in_the_clear_and_registers_with_a_raw_public_key() {
    is_given_keys("rpk");
}

#[test]
fn b17_a_wrong_pre_shared_key_bootstraps_nothing() {
    let Some(server) = BootstrapServer::start() else {
        return;
    };
    server.provision("psk", "psk");
    let wrong = "00".repeat(16);
    let options = ["--bootstrap", "--psk", DEVICE, &wrong];
    let _device = Client::open_at(Kind::Leshan, &server.coaps(), DEVICE, &options);
    until("the handshake has failed", Duration::from_secs(60), || {
        server.secured.handshakes("psk", "wrong_key") >= 1.0
    });
    assert!(server.finished() < 0.5);
    assert_eq!(server.registration_status(), 404);
}

/// With accounts of both servers, then once more by `Execute` of `/1/x/9`, after which the credentials
/// that it was told have to do for both.
fn bootstraps_and_registers(mode: &str) {
    let Some(server) = BootstrapServer::start() else {
        return;
    };
    server.provision(mode, mode);
    let mut options = vec!["--bootstrap".to_owned()];
    options.extend(server.factory_credentials(mode));
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let mut device = Client::open_at(Kind::Leshan, &server.coaps(), DEVICE, &options);
    device.expect("bootstrapped");
    device.expect("registered");
    let shown = server.engine().registration(DEVICE);
    assert_eq!(shown["security"], mode.to_uppercase());
    assert_eq!(shown["lifetime"], 88);
    assert_eq!(server.session()["security"], mode.to_uppercase());
    let call = json!({"id": "/1/0/9"});
    let answer = server.engine().rpc(DEVICE, "Execute", &call);
    assert_eq!(answer, json!({"result": "CHANGED"}));
    device.expect("bootstrapped");
    device.expect("registered");
    until("both are counted", Duration::from_secs(10), || {
        server.finished() > 1.5
    });
    assert_eq!(
        server.engine().registration(DEVICE)["security"],
        mode.to_uppercase()
    );
}

fn is_given_keys(mode: &str) {
    let Some(server) = BootstrapServer::start() else {
        return;
    };
    server.provision(mode, "no_sec");
    let uri = format!("coap://{}", server.plain);
    let mut device = Client::open_at(Kind::Leshan, &uri, DEVICE, &["--bootstrap"]);
    device.expect("bootstrapped");
    device.expect("registered");
    assert_eq!(server.session()["security"], "NO_SEC");
    let shown = server.engine().registration(DEVICE);
    assert_eq!(shown["security"], mode.to_uppercase());
}

/// An engine that serves bootstrap over UDP and DTLS.
struct BootstrapServer {
    secured: Secured,
    plain: SocketAddr,
    secure: SocketAddr,
}

impl BootstrapServer {
    /// `None` where there is no Leshan.
    fn start() -> Option<Self> {
        Kind::Leshan.is_available().then(|| {
            let free = || UdpSocket::bind("127.0.0.1:0").expect("a socket");
            let sockets = [free(), free()];
            let [plain, secure] = sockets.map(|socket| socket.local_addr().expect("bound"));
            let secured = Secured::start_with(&[
                ("ROOKERY_LISTEN__BOOTSTRAP_COAP", &plain.to_string()),
                ("ROOKERY_LISTEN__BOOTSTRAP_COAPS", &secure.to_string()),
            ]);
            Self {
                secured,
                plain,
                secure,
            }
        })
    }

    fn engine(&self) -> &Engine {
        &self.secured.engine
    }

    fn coaps(&self) -> String {
        format!("coaps://localhost:{}", self.secure.port())
    }

    fn finished(&self) -> f64 {
        let labels = ["result=\"finished\""];
        self.engine()
            .metric("lwm2m_bootstrap_sessions_total", &labels)
    }

    fn session(&self) -> Value {
        self.engine().get("/api/v1/bootstrap/sessions")["items"][0].clone()
    }

    fn registration_status(&self) -> u16 {
        let path = format!("/api/v1/devices/{DEVICE}/registration");
        self.engine().status(&path)
    }

    /// A device with keys of `mode` for its LwM2M server, and a profile that has it come to the bootstrap
    /// server with `own`.
    fn provision(&self, mode: &str, own: &str) {
        self.secured.provision(mode, DEVICE, &[]);
        let name = |mode: &str| mode.to_uppercase();
        let shown = match mode {
            "rpk" => self.base64("server_public.der"),
            "x509" => self.base64("server_certificate.der"),
            _ => String::new(),
        };
        let server = |mode: &str, port: u16| {
            json!({"securityMode": name(mode), "host": "localhost", "port": port,
                   "serverPublicKey": shown, "lifetime": 88})
        };
        let (coaps, secure) = (self.secured.coaps.port(), self.secure.port());
        let mut servers = vec![server(mode, coaps)];
        if own != "no_sec" {
            let mut account = server(own, secure);
            account["bootstrapServerIs"] = json!(true);
            account["shortServerId"] = Value::Null;
            servers.push(account);
        }
        let profile = json!({"bootstrapServerUpdateEnable": true, "bootstrap": servers});
        self.engine().put_profile("told", &profile);
        let part = |mode: &str| match mode {
            "psk" => json!({"securityMode": "PSK", "clientPublicKeyOrId": DEVICE,
                            "clientSecretKey": self.secured.text(&format!("{DEVICE}_psk.hex"))}),
            "rpk" => json!({"securityMode": "RPK",
                            "clientPublicKeyOrId": self.own("public.der"),
                            "clientSecretKey": self.own("key.der")}),
            "x509" => json!({"securityMode": "X509",
                             "clientPublicKeyOrId": self.own("certificate.der"),
                             "clientSecretKey": self.own("key.der")}),
            _ => json!({"securityMode": "NO_SEC"}),
        };
        let device = self.secured.text(&format!("{DEVICE}_device.json"));
        let mut device: Value = serde_json::from_str(&device).expect("a device is JSON");
        device["profile"] = json!("told");
        device["credentials"]["bootstrap"] =
            json!({"bootstrapServer": part(own), "lwm2mServer": part(mode)});
        self.engine().put_device(DEVICE, &device);
    }

    /// The options that give a device what it leaves its factory with.
    fn factory_credentials(&self, mode: &str) -> Vec<String> {
        let file = |name: &str| self.secured.file(name).display().to_string();
        let own = |name: &str| file(&format!("{DEVICE}_{name}"));
        match mode {
            "psk" => {
                let key = self.secured.text(&format!("{DEVICE}_psk.hex"));
                vec!["--psk".into(), DEVICE.into(), key]
            }
            "rpk" => vec![
                "--rpk".into(),
                own("key.der"),
                own("public.der"),
                file("server_public.der"),
            ],
            _ => vec![
                "--x509".into(),
                own("certificate.der"),
                own("key.der"),
                file("server_certificate.der"),
            ],
        }
    }

    fn own(&self, name: &str) -> String {
        self.base64(&format!("{DEVICE}_{name}"))
    }

    fn base64(&self, name: &str) -> String {
        BASE64.encode(&fs::read(self.secured.file(name)).expect("a file of keys"))
    }
}
