//! An engine that serves bootstrap, and what its device leaves the factory with.

use std::fs;
use std::net::{SocketAddr, UdpSocket};

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::super::client::Kind;
use crate::support::engine::Engine;
use crate::support::secured::Secured;

pub const DEVICE: &str = "leshan-1";

/// An engine that serves bootstrap over UDP and DTLS.
pub struct BootstrapServer {
    pub secured: Secured,
    pub plain: SocketAddr,
    pub secure: SocketAddr,
}

impl BootstrapServer {
    /// `None` where there is no Leshan.
    pub fn start() -> Option<Self> {
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

    pub fn engine(&self) -> &Engine {
        &self.secured.engine
    }

    pub fn coaps(&self) -> String {
        format!("coaps://localhost:{}", self.secure.port())
    }

    pub fn finished(&self) -> f64 {
        let labels = ["result=\"finished\""];
        self.engine()
            .metric("lwm2m_bootstrap_sessions_total", &labels)
    }

    pub fn session(&self) -> Value {
        self.engine().get("/api/v1/bootstrap/sessions")["items"][0].clone()
    }

    pub fn registration_status(&self) -> u16 {
        let path = format!("/api/v1/devices/{DEVICE}/registration");
        self.engine().status(&path)
    }

    /// A device with keys of `mode` for its LwM2M server, and a profile that has it come to the bootstrap
    /// server with `own`, and these extensions.
    pub fn provision(&self, mode: &str, own: &str, extensions: &Value) {
        self.provision_with(mode, own, extensions, &[]);
    }

    /// The same with further arguments of `rookery credentials generate`.
    pub fn provision_with(&self, mode: &str, own: &str, extensions: &Value, arguments: &[&str]) {
        self.secured.provision(mode, DEVICE, arguments);
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
        let profile = json!({"bootstrapServerUpdateEnable": true, "bootstrap": servers,
                             "rookery": extensions});
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
    pub fn factory_credentials(&self, mode: &str) -> Vec<String> {
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
