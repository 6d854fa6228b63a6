//! The device over DTLS.

use std::sync::mpsc;
use std::time::Duration;

use crate::client::{Client, ClientOptions, ClientSecurity, Event};
use crate::dtls::double::gateway::Gateway;
use crate::dtls::double::{IDENTITY, KEY, ServerOptions};
use crate::dtls::{ConnectionEvent, Login, Mode};

const SOON: Duration = Duration::from_secs(5);

fn options(gateway: &Gateway, key: &[u8]) -> ClientOptions {
    let login = Login::Psk {
        identity: IDENTITY.to_vec(),
        key: key.to_vec(),
    };
    let mut options = ClientOptions::new(gateway.address().parse().unwrap(), "device");
    options.security = Some(ClientSecurity {
        connection_id: Some(4),
        ..ClientSecurity::new(login)
    });
    options
}

fn gateway() -> Gateway {
    Gateway::start(&ServerOptions {
        connection_id: true,
        ..ServerOptions::new(Mode::Psk)
    })
}

#[test]
fn a_device_registers_over_dtls_moves_with_its_session_and_resumes_it() {
    let gateway = gateway();
    let (sender, events) = mpsc::channel();
    let watch = move |event: &Event| drop(sender.send(event.clone()));
    let client = Client::start_watched(options(&gateway, KEY), watch).unwrap();
    assert!(client.wait_registered(SOON));
    let before = client.local_address().unwrap();
    assert_ne!(client.rebind().unwrap(), before);
    client.update().unwrap();
    assert!(client.forget_session());
    client.update().unwrap();
    assert!(client.stop(true));
    let sessions: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Session(ConnectionEvent::Established {
                resumed,
                connection_id,
                ..
            }) => Some((resumed, connection_id)),
            _ => None,
        })
        .collect();
    assert_eq!(sessions, [(false, Some(8)), (true, Some(8))]);
    let seen = gateway.stop();
    assert_eq!((seen.handshakes, seen.moved), (2, 1));
}

#[test]
fn a_device_without_the_right_identity_is_told_why() {
    let gateway = gateway();
    let mut options = options(&gateway, KEY);
    let security = options.security.as_mut().unwrap();
    security.login = Login::Psk {
        identity: b"stranger".to_vec(),
        key: KEY.to_vec(),
    };
    let (sender, events) = mpsc::channel();
    let watch = move |event: &Event| drop(sender.send(event.to_string()));
    let client = Client::start_watched(options, watch).unwrap();
    let told = events.recv_timeout(SOON).unwrap();
    assert!(told.contains("unknown identity"), "{told}");
    client.stop(false);
}

#[test]
fn a_suite_without_record_protection_is_refused_at_the_start() {
    let gateway = gateway();
    let mut options = options(&gateway, KEY);
    options.security.as_mut().unwrap().suites = Some("PSK-AES128-CBC-SHA256".into());
    let error = Client::start(options).err().unwrap().to_string();
    assert!(error.contains("PSK-AES128-CCM8"), "{error}");
}
