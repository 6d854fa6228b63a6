use std::sync::Arc;

use openssl::nid::Nid;

use super::super::generate::{Authority, Usage, Validity, key, self_signed};
use super::super::*;
use super::fixture::*;

fn without_trust() -> Credentials {
    Credentials::new(Arc::default(), Keys::default())
}

#[test]
fn a_psk_identity_gets_the_key_of_its_device_and_nobody_elses() {
    let credentials = without_trust();
    put(credentials.index(), "a", &psk("me")).unwrap();
    let decision = credentials.authorise(
        Claim::PskIdentity(b"me"),
        Purpose::Registration,
        Proof::Handshake,
        NOW,
    );
    let Verdict::Psk(key) = decision.verdict else {
        panic!("{decision:?}");
    };
    assert_eq!(data_encoding::HEXUPPER.encode(key.bytes()), KEY);
    assert_eq!(&*decision.identity.unwrap().endpoint, "a");
    let long = vec![b'x'; 65_536];
    for wrong in [&b"you"[..], b"", b"me\0", b"me\0evil", b"\xff\xfe", &long] {
        assert_eq!(decide(&credentials, Claim::PskIdentity(wrong)), Err(115));
    }
}

#[test]
fn a_raw_public_key_is_accepted_when_a_device_has_it() {
    let credentials = without_trust();
    for (endpoint, curve) in [("a", Curve::P256), ("b", Curve::P384)] {
        let pair = key(curve).unwrap();
        let der = pair.public_key_to_der().unwrap();
        assert_eq!(decide(&credentials, Claim::RawPublicKey(&der)), Err(46));
        put(credentials.index(), endpoint, &rpk(&spki(&pair))).unwrap();
        let decided = decide(&credentials, Claim::RawPublicKey(&der));
        assert_eq!(decided, Ok(endpoint.to_owned()));
        credentials.index().remove(endpoint);
        assert_eq!(decide(&credentials, Claim::RawPublicKey(&der)), Err(46));
    }
    for weak in [key_on(Nid::SECP224R1), rsa_key()] {
        let der = weak.public_key_to_der().unwrap();
        assert_eq!(decide(&credentials, Claim::RawPublicKey(&der)), Err(43));
    }
    assert_eq!(decide(&credentials, Claim::RawPublicKey(b"0\x82")), Err(42));
}

#[test]
fn a_stored_certificate_is_accepted_while_it_is_valid() {
    let credentials = without_trust();
    let authority = authority();
    let certificate = device_certificate(&authority, "other name");
    let chain = [der(&certificate)];
    let claim = Claim::Certificate(&chain);
    assert_eq!(decide(&credentials, claim), Err(46), "no trust store");
    put(credentials.index(), "a", &x509(&base64(&certificate))).unwrap();
    assert_eq!(decide(&credentials, claim), Ok("a".to_owned()));
    for at in [NOW + 101 * DAY, NOW - 2 * DAY] {
        let decided = decide_at(&credentials, claim, Proof::Handshake, at);
        assert_eq!(decided, Err(45));
    }
    // The same key in a certificate that is not stored.
    let public = certificate
        .public_key()
        .unwrap()
        .public_key_to_der()
        .unwrap();
    assert_eq!(decide(&credentials, Claim::RawPublicKey(&public)), Err(46));
    assert_eq!(decide(&credentials, Claim::Certificate(&[])), Err(42));
    let broken = [Box::from(&b"0\x03abc"[..])];
    assert_eq!(decide(&credentials, Claim::Certificate(&broken)), Err(42));
}

#[test]
fn a_certificate_of_the_trust_store_is_accepted_for_the_endpoint_it_names() {
    let authority = authority();
    let credentials = trusting(vec![authority.certificate.clone()]);
    let certificate = device_certificate(&authority, "a");
    let chain = [der(&certificate)];
    let claim = Claim::Certificate(&chain);
    assert_eq!(decide(&credentials, claim), Err(49), "no such device");
    put(credentials.index(), "a", &psk("a")).unwrap();
    assert_eq!(decide(&credentials, claim), Err(49), "a device with a PSK");
    put(credentials.index(), "a", &x509("")).unwrap();
    assert_eq!(decide(&credentials, claim), Ok("a".to_owned()));
    let late = decide_at(&credentials, claim, Proof::Handshake, NOW + 101 * DAY);
    assert_eq!(late, Err(45));
    let other = device_certificate(&authority, "a");
    put(credentials.index(), "a", &x509(&base64(&other))).unwrap();
    assert_eq!(decide(&credentials, claim), Err(49), "another is stored");
    let mixed_case = [der(&device_certificate(&authority, "A"))];
    put(credentials.index(), "a", &x509("")).unwrap();
    let decided = decide(&credentials, Claim::Certificate(&mixed_case));
    assert_eq!(decided, Err(49), "a common name is compared exactly");
}

#[test]
fn what_the_trust_store_does_not_vouch_for_is_refused() {
    let authority = authority();
    let credentials = trusting(vec![authority.certificate.clone()]);
    put(credentials.index(), "a", &x509("")).unwrap();
    let refused = |certificate: &openssl::x509::X509| {
        decide(&credentials, Claim::Certificate(&[der(certificate)]))
    };
    let foreign = Authority::create("foreign", Curve::P256, VALID).unwrap();
    assert_eq!(refused(&device_certificate(&foreign, "a")), Err(48));
    let pair = key(Curve::P256).unwrap();
    let alone = self_signed("a", &pair, Usage::Client, VALID).unwrap();
    assert_eq!(refused(&alone), Err(48));
    let impostor = Authority::create("authority", Curve::P256, VALID).unwrap();
    let forged = refused(&device_certificate(&impostor, "a"));
    assert!(matches!(forged, Err(42 | 48)), "{forged:?}");
    let of_server = authority.issue("a", &pair, Usage::Server, VALID).unwrap();
    assert_eq!(refused(&of_server), Err(43));
    for weak in [key_on(Nid::SECP224R1), rsa_key()] {
        let weak = authority.issue("a", &weak, Usage::Client, VALID).unwrap();
        assert_eq!(refused(&weak), Err(43));
    }
    let long = vec![der(&device_certificate(&authority, "a")); MAX_CHAIN + 2];
    assert_eq!(decide(&credentials, Claim::Certificate(&long)), Err(42));
}

#[test]
fn a_nul_in_a_common_name_does_not_make_it_another_name() {
    let authority = authority();
    let credentials = trusting(vec![authority.certificate.clone()]);
    put(credentials.index(), "a", &x509("")).unwrap();
    let certificate = device_certificate(&authority, "a\0b");
    let decided = decide(&credentials, Claim::Certificate(&[der(&certificate)]));
    assert_eq!(decided, Err(49));
}

#[test]
fn a_chain_below_the_authority_is_followed_and_its_dates_count() {
    let root = Authority::create_root("root", Curve::P384, VALID).unwrap();
    let short = Validity { now: NOW, days: 10 };
    let middle = root.delegate("middle", Curve::P256, short).unwrap();
    let certificate = device_certificate(&middle, "a");
    let credentials = trusting(vec![root.certificate.clone()]);
    put(credentials.index(), "a", &x509("")).unwrap();
    let chain = [der(&certificate), der(&middle.certificate)];
    let claim = Claim::Certificate(&chain);
    assert_eq!(decide(&credentials, claim), Ok("a".to_owned()));
    let late = decide_at(&credentials, claim, Proof::Handshake, NOW + 11 * DAY);
    assert_eq!(late, Err(45), "the authority in the middle has expired");
    let leaf = [der(&certificate)];
    let leaf = Claim::Certificate(&leaf);
    assert_eq!(decide(&credentials, leaf), Err(48), "the middle is missing");
    let resumed = decide_at(&credentials, leaf, Proof::Resumption, NOW);
    assert_eq!(resumed, Ok("a".to_owned()), "it was verified before");
    // An authority in the middle may be all that is trusted.
    let credentials = trusting(vec![middle.certificate.clone()]);
    put(credentials.index(), "a", &x509("")).unwrap();
    assert_eq!(decide(&credentials, leaf), Ok("a".to_owned()));
    credentials.index().remove("a");
    let resumed = decide_at(&credentials, leaf, Proof::Resumption, NOW);
    assert_eq!(resumed, Err(49), "the device is gone");
}

#[test]
fn a_mode_that_is_off_refuses_and_dates_can_be_left_unchecked() {
    let authority = authority();
    let trust = Some(TrustStore::new(vec![authority.certificate.clone()]).unwrap());
    let keys = Keys {
        modes: Modes {
            psk: false,
            rpk: false,
            x509: true,
        },
        check_dates: false,
        trust,
        server: None,
    };
    let credentials = Credentials::new(Arc::default(), keys);
    put(credentials.index(), "p", &psk("me")).unwrap();
    put(credentials.index(), "a", &x509("")).unwrap();
    assert_eq!(decide(&credentials, Claim::PskIdentity(b"me")), Err(49));
    assert_eq!(decide(&credentials, Claim::RawPublicKey(b"")), Err(49));
    let chain = [der(&device_certificate(&authority, "a"))];
    let claim = Claim::Certificate(&chain);
    let late = decide_at(&credentials, claim, Proof::Handshake, NOW + 500 * DAY);
    assert_eq!(late, Ok("a".to_owned()));
}
