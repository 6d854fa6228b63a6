//! libcoap's command-line clients, built on OpenSSL and on GnuTLS.

use std::process::Command;

use super::super::client::is_installed;
use crate::support::secured::Secured;

const DEVICE: &str = "libcoap-1";

#[test]
fn libcoap_on_openssl_registers_with_a_pre_shared_key() {
    with_a_pre_shared_key("coap-client-openssl");
}

#[test]
fn libcoap_on_gnutls_registers_with_a_pre_shared_key() {
    with_a_pre_shared_key("coap-client-gnutls");
}

#[test]
fn libcoap_on_openssl_registers_with_a_certificate() {
    with_a_certificate("coap-client-openssl");
}

#[test]
fn libcoap_on_gnutls_registers_with_a_certificate() {
    with_a_certificate("coap-client-gnutls");
}

fn with_a_pre_shared_key(client: &str) {
    if !is_installed(client) {
        return;
    }
    let server = Secured::start();
    // The client takes the bytes of its argument for the key.
    let key = "0123456789abcdef";
    let device = serde_json::json!({"credentials": {"client": {
        "securityConfigClientMode": "PSK", "endpoint": DEVICE, "identity": "libcoap",
        "key": data_encoding::HEXLOWER.encode(key.as_bytes()),
    }}});
    server.engine.put_device(DEVICE, &device);
    discovers_and_registers(&server, client, "psk", &["-u", "libcoap", "-k", key]);
}

fn with_a_certificate(client: &str) {
    if !is_installed(client) {
        return;
    }
    let server = Secured::start();
    server.provision("x509", DEVICE, &["--trusted"]);
    let file = |name: &str| server.file(name).display().to_string();
    let certificate = file(&format!("{DEVICE}_certificate.pem"));
    let key = file(&format!("{DEVICE}_key.pem"));
    let authority = file("ca_certificate.pem");
    let arguments = ["-c", &certificate, "-j", &key, "-R", &authority];
    discovers_and_registers(&server, client, "x509", &arguments);
}

fn discovers_and_registers(server: &Secured, client: &str, mode: &str, credentials: &[&str]) {
    let ask = |arguments: &[&str], path: &str| {
        let output = Command::new(client)
            .args(["-v", "6", "-B", "5"])
            .args(credentials)
            .args(arguments)
            .arg(format!("coaps://localhost:{}/{path}", server.coaps.port()))
            .output()
            .expect("the client runs");
        let [out, err] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        out + &err
    };
    let links = ask(&["-m", "get"], ".well-known/core");
    assert!(links.contains("</rd>"), "{links}");
    let register = ["-m", "post", "-t", "40", "-e", "%3C/1/0%3E,%3C/3/0%3E"];
    let path = format!("rd?ep={DEVICE}&lt=300&lwm2m=1.1");
    let said = ask(&register, &path);
    assert_eq!(server.handshakes(mode, "ok"), 2.0, "{said}");
    let registration = server.engine.registration(DEVICE);
    assert_eq!(registration["security"], mode.to_uppercase(), "{said}");
    // Each ends its session with an alert.
    crate::support::wait::eventually("no session is left", || {
        let sessions = server.sessions();
        (sessions == 0.0).then_some(()).ok_or(sessions)
    });
}
