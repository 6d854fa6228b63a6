//! Credentials that were generated for a device, beside those that it was provisioned with.

use std::sync::Arc;

use super::super::*;
use super::fixture::*;

const PURPOSES: [Purpose; 2] = [Purpose::Registration, Purpose::Bootstrap];

fn made(mode: GeneratedMode) -> (DeviceCredentials, AccountCredentials) {
    let (key, told) = GeneratedKey::make(mode, NOW).unwrap();
    (key.credentials().unwrap(), told)
}

/// Which device a PSK identity is taken for.
fn taken(credentials: &Credentials, identity: &[u8], purpose: Purpose) -> Result<String, u8> {
    let claim = Claim::PskIdentity(identity);
    let decision = credentials.authorise(claim, purpose, Proof::Handshake, NOW);
    match decision.verdict {
        Verdict::Refused(refusal) => Err(refusal.alert()),
        _ => Ok(decision.identity.unwrap().endpoint.to_string()),
    }
}

#[test]
fn pending_credentials_hold_beside_those_of_the_client_part_until_they_are_current() {
    let credentials = Credentials::new(Arc::default(), Keys::default());
    let index = credentials.index();
    put(index, "a", &psk("factory")).unwrap();
    let mut revocations = index.revocations();
    let (first, told) = made(GeneratedMode::Psk);
    let mut keys = GeneratedKeys {
        current: None,
        pending: Some(first.clone()),
    };
    index.hold_generated("a", &keys);
    for purpose in PURPOSES {
        assert_eq!(taken(&credentials, b"factory", purpose), Ok("a".to_owned()));
        assert_eq!(
            taken(&credentials, &told.identity, purpose),
            Ok("a".to_owned())
        );
    }
    assert_eq!(revocations.try_next(), None, "nothing has ended");

    keys.current = keys.pending.take();
    index.hold_generated("a", &keys);
    let purpose = Purpose::Registration;
    assert_eq!(taken(&credentials, b"factory", purpose), Err(115));
    let bootstrap = taken(&credentials, b"factory", Purpose::Bootstrap);
    assert_eq!(bootstrap, Ok("a".to_owned()), "it bootstraps with them");
    assert_eq!(
        taken(&credentials, &told.identity, purpose),
        Ok("a".to_owned())
    );
    let client = index.of_endpoint("a").unwrap().handle();
    let ended = |revoked: Option<Revoked>| match revoked {
        Some(Revoked::One(revoked)) => (revoked.identity, revoked.why),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        ended(revocations.try_next()),
        (Some(client), Why::Retired),
        "its sessions end"
    );
    assert_eq!(revocations.try_next(), None);

    let (second, newer) = made(GeneratedMode::Psk);
    keys.pending = Some(second);
    index.hold_generated("a", &keys);
    for identity in [&told.identity, &newer.identity] {
        assert_eq!(taken(&credentials, identity, purpose), Ok("a".to_owned()));
    }
    keys.current = keys.pending.take();
    index.hold_generated("a", &keys);
    assert_eq!(taken(&credentials, &told.identity, purpose), Err(115));
    assert_eq!(
        taken(&credentials, &newer.identity, purpose),
        Ok("a".to_owned())
    );
    let former = first.handle("a");
    assert_eq!(ended(revocations.try_next()), (Some(former), Why::Retired));
    assert_eq!(revocations.try_next(), None);
}

#[test]
fn a_device_without_security_may_register_with_both_until_it_has_with_the_generated_ones() {
    let index = Arc::new(CredentialsIndex::default());
    let none = serde_json::json!({"client": {"securityConfigClientMode": "NO_SEC"}});
    put(&index, "a", &none).unwrap();
    let (key, _) = made(GeneratedMode::Rpk);
    let modes = |index: &CredentialsIndex| Mode::ALL.map(|mode| index.admits("a", mode));
    assert_eq!(modes(&index), [true, false, false, false]);
    let mut keys = GeneratedKeys {
        current: None,
        pending: Some(key),
    };
    index.hold_generated("a", &keys);
    assert_eq!(modes(&index), [true, false, true, false]);
    keys.current = keys.pending.take();
    index.hold_generated("a", &keys);
    assert_eq!(modes(&index), [false, false, true, false]);
}

#[test]
fn a_generated_raw_public_key_is_that_of_the_private_key_that_is_told() {
    let credentials = Credentials::new(Arc::default(), Keys::default());
    put(credentials.index(), "a", &psk("factory")).unwrap();
    let (key, told) = GeneratedKey::make(GeneratedMode::Rpk, NOW).unwrap();
    let keys = GeneratedKeys {
        current: None,
        pending: Some(key.credentials().unwrap()),
    };
    credentials.index().hold_generated("a", &keys);
    let private = openssl::pkey::PKey::private_key_from_pkcs8(&told.secret).unwrap();
    let der = private.public_key_to_der().unwrap();
    let decided = decide(&credentials, Claim::RawPublicKey(&der));
    assert_eq!(decided, Ok("a".to_owned()));
    assert_eq!(told.identity, der);
    let stored = serde_json::to_string(&key).unwrap();
    assert!(!stored.contains("\"key\""), "it is not kept: {stored}");
}

#[tokio::test]
async fn only_a_register_with_what_is_pending_is_noted_and_only_once() {
    let index = Arc::new(CredentialsIndex::default());
    put(&index, "a", &psk("factory")).unwrap();
    let (current, _) = made(GeneratedMode::Psk);
    let (pending, _) = made(GeneratedMode::Psk);
    let keys = GeneratedKeys {
        current: Some(current.clone()),
        pending: Some(pending.clone()),
    };
    index.hold_generated("a", &keys);
    for identity in [
        index.of_endpoint("a").unwrap().handle(),
        current.handle("a"),
        pending.handle("b"),
        pending.handle("a"),
        pending.handle("a"),
    ] {
        index.used("a", identity);
    }
    let noted = index.next_used().await;
    assert_eq!(noted, [("a".into(), pending.handle("a"))]);
}

#[test]
fn other_credentials_of_the_device_or_its_deletion_end_what_was_generated() {
    for is_deleted in [false, true] {
        let credentials = Credentials::new(Arc::default(), Keys::default());
        let index = credentials.index();
        put(index, "a", &psk("factory")).unwrap();
        let (key, told) = made(GeneratedMode::Psk);
        let keys = GeneratedKeys {
            current: Some(key.clone()),
            pending: None,
        };
        index.hold_generated("a", &keys);
        put(index, "a", &psk("factory")).unwrap();
        let purpose = Purpose::Registration;
        assert!(taken(&credentials, &told.identity, purpose).is_ok());
        let mut revocations = index.revocations();
        let why = if is_deleted {
            index.remove("a");
            Why::Deleted
        } else {
            put(index, "a", &psk("new")).unwrap();
            assert!(taken(&credentials, b"new", purpose).is_ok());
            Why::Changed
        };
        for purpose in PURPOSES {
            assert_eq!(taken(&credentials, &told.identity, purpose), Err(115));
            assert_eq!(taken(&credentials, b"factory", purpose), Err(115));
        }
        let mut ended = Vec::new();
        while let Some(Revoked::One(revoked)) = revocations.try_next() {
            assert_eq!(revoked.why, why);
            ended.push(revoked.identity);
        }
        assert_eq!(ended.len(), 2);
        assert!(ended.contains(&Some(key.handle("a"))));
    }
}
