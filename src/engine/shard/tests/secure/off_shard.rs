use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::x509::{X509, X509NameBuilder};

use super::*;
use crate::proto::dtls::ServerIdentity;

fn certificate(key: &PKey<Private>) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "dev-1").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    let day = |days| Asn1Time::days_from_now(days).unwrap();
    builder.set_not_before(&day(0)).unwrap();
    builder.set_not_after(&day(30)).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}

impl World {
    /// From now on the server has a certificate.
    fn show_certificate(&mut self) {
        let key = new_key();
        let contexts = ServerContexts::build(&ServerCredentials {
            certificate: Some(ServerIdentity {
                chain: vec![certificate(&key)],
                key,
            }),
            ..ServerCredentials::default()
        });
        let contexts = Arc::new(contexts.unwrap());
        self.command(|| Command::Show(Arc::clone(&contexts)));
    }
}

fn device(key: &PKey<Private>) -> Device {
    let login = Login::Certificate {
        certificate: certificate(key),
        issuers: Vec::new(),
        key: key.clone(),
    };
    Device::with(login, "10.0.0.1:4000")
}

#[test]
fn certificates_are_verified_on_another_thread_while_the_shard_goes_on() {
    let mut world = World::new(1);
    world.show_certificate();
    let key = new_key();
    world.book.raw_public_key(&key, "dev-1", 1);
    let modes = [("dev-1".to_owned(), SecurityMode::X509)];
    world.book.security.lock().unwrap().extend(modes);
    let mut device = device(&key);
    device.send(&mut world, &register(1, "dev-1"));
    assert!(!device.connection.is_up(), "it waits for the answer");
    let answer = world
        .waiting
        .as_ref()
        .unwrap()
        .answer_next(&*world.book)
        .expect("it is asked");
    let shard = &mut world.members[0].shard;
    shard.on_command(Command::Decided(Box::new(answer)));
    world.settle();
    device.exchange(&mut world);
    assert!(device.connection.is_up());
    assert_eq!(world.registration("dev-1").security, SecurityMode::X509);
}

#[test]
fn when_no_more_can_wait_a_handshake_is_refused_and_counted() {
    let mut world = World::new(1);
    world.show_certificate();
    // Nobody takes them: that is as good as full.
    world.waiting = None;
    let key = new_key();
    world.book.raw_public_key(&key, "dev-1", 1);
    let mut device = device(&key);
    device.send(&mut world, &register(1, "dev-1"));
    assert!(!device.connection.is_up());
    assert_eq!(world.metric("lwm2m_dtls_lookups_refused_total"), 1.0);
    assert_eq!(world.metric("lwm2m_dtls_handshakes_open"), 0.0);
}
