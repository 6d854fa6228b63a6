//! aiocoap over tinydtls.

use super::super::client::{Client, Kind};
use crate::support::secured::Secured;

#[test]
fn aiocoap_registers_and_updates_with_a_pre_shared_key() {
    if !Kind::AiocoapDtls.is_available() {
        return;
    }
    let server = Secured::start();
    server.provision("psk", "aiocoap-1", &[]);
    let key = server.text("aiocoap-1_psk.hex");
    let uri = format!("coaps://{}", server.coaps);
    let options = ["--psk", "aiocoap-1", key.as_str()];
    let mut device = Client::open_at(Kind::AiocoapDtls, &uri, "aiocoap-1", &options);
    let links = device.expect("discovered")["links"].clone();
    assert!(links.as_str().is_some_and(|links| links.contains("</rd>")));
    let id = device.expect("registered")["id"].clone();
    assert_eq!(device.expect("updated")["code"], "2.04");
    let shown = server.engine.registration("aiocoap-1");
    assert_eq!((&shown["id"], &shown["security"]), (&id, &"PSK".into()));
    assert_eq!(server.handshakes("psk", "ok"), 1.0);
}
