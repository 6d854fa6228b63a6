use std::sync::Arc;

use super::super::generate::{Usage, key, self_signed};
use super::super::*;
use super::fixture::*;

fn index() -> Arc<CredentialsIndex> {
    Arc::default()
}

fn taken(outcome: Result<(), CredentialsError>) -> String {
    let error = outcome.unwrap_err();
    assert!(matches!(error, CredentialsError::Taken { .. }), "{error}");
    error.to_string()
}

#[test]
fn an_identity_key_or_certificate_is_of_one_device() {
    let index = index();
    let pair = key(Curve::P256).unwrap();
    let certificate = self_signed("c", &pair, Usage::Client, VALID).unwrap();
    put(&index, "a", &psk("me")).unwrap();
    put(&index, "b", &rpk(&spki(&pair))).unwrap();
    let text = taken(put(&index, "x", &psk("me")));
    assert!(text.starts_with("Specified credentials are already registered!"));
    taken(put(&index, "x", &rpk(&spki(&pair))));
    // The key of a certificate counts as well, across the modes.
    taken(put(&index, "x", &x509(&base64(&certificate))));
    put(&index, "b", &x509(&base64(&certificate))).unwrap();
    taken(put(&index, "x", &rpk(&spki(&pair))));
    assert_eq!(index.mode_of("x"), None);
    put(&index, "a", &psk("me")).unwrap();
}

#[test]
fn a_claim_is_free_once_its_device_has_another_or_is_gone() {
    let index = index();
    put(&index, "a", &psk("one")).unwrap();
    put(&index, "a", &psk("two")).unwrap();
    put(&index, "b", &psk("one")).unwrap();
    assert!(index.of_psk_identity("two").is_some());
    index.remove("a");
    assert!(index.of_psk_identity("two").is_none());
    put(&index, "b", &psk("two")).unwrap();
    assert!(index.of_psk_identity("one").is_none());
}

#[test]
fn what_is_being_stored_is_taken_until_it_is_stored_or_given_up() {
    let index = index();
    let credentials = DeviceCredentials::read(Some(&psk("me"))).unwrap();
    let reservation = index.reserve("a", &credentials).unwrap();
    taken(put(&index, "b", &psk("me")));
    let again = index.reserve("a", &credentials).unwrap();
    drop(again);
    taken(put(&index, "b", &psk("me")));
    assert!(index.of_psk_identity("me").is_none(), "not stored yet");
    drop(reservation);
    put(&index, "b", &psk("me")).unwrap();
}

#[test]
fn a_change_or_a_deletion_is_told_and_seen_at_once() {
    let index = index();
    let mut revocations = index.revocations();
    put(&index, "a", &psk("me")).unwrap();
    put(&index, "a", &psk("me")).unwrap();
    assert_eq!(revocations.try_next(), None, "nothing was revoked");
    let first = index.of_endpoint("a").unwrap().handle();
    assert!(
        index.binds(first, "a", Purpose::Registration)
            && !index.binds(first, "b", Purpose::Registration)
    );

    let mut other_key = psk("me");
    other_key["client"]["key"] = serde_json::json!("00".repeat(16));
    put(&index, "a", &other_key).unwrap();
    assert!(
        !index.binds(first, "a", Purpose::Registration),
        "the same identity with another key"
    );
    let one = |endpoint: &str, identity, why| match revocations.try_next() {
        Some(Revoked::One(revoked)) => {
            assert_eq!(
                (&*revoked.endpoint, revoked.identity, revoked.why),
                (endpoint, identity, why)
            );
            revoked.wire
        }
        other => panic!("{other:?}"),
    };
    let mut one = one;
    let wire = one("a", Some(first), Why::Changed);
    assert!(wire.is_some());
    let second = index.of_endpoint("a").unwrap().handle();
    index.remove("a");
    assert_eq!(one("a", Some(second), Why::Deleted), wire, "one identity");
    assert_eq!(index.mode_of("a"), None);

    put(
        &index,
        "b",
        &serde_json::json!({"client": {"securityConfigClientMode": "NO_SEC"}}),
    )
    .unwrap();
    assert_eq!(index.mode_of("b"), Some(Mode::NoSec));
    put(&index, "b", &psk("b")).unwrap();
    assert_eq!(one("b", None, Why::Changed), None);
    assert_eq!(index.mode_of("b"), Some(Mode::Psk));
}

#[test]
fn a_handle_is_the_same_after_a_restart() {
    let (before, after) = (
        Arc::new(CredentialsIndex::keyed((1, 2))),
        Arc::new(CredentialsIndex::keyed((3, 4))),
    );
    put(&before, "a", &psk("me")).unwrap();
    put(&after, "a", &psk("me")).unwrap();
    let handle = before.of_endpoint("a").unwrap().handle();
    assert!(after.binds(handle, "a", Purpose::Registration));
}

#[test]
fn a_slow_reader_is_told_how_much_it_missed() {
    let index = index();
    let mut revocations = index.revocations();
    let changes = REVOCATIONS + 10;
    put(&index, "a", &psk("first")).unwrap();
    for number in 0..changes {
        put(&index, "a", &psk(&format!("id-{number}"))).unwrap();
    }
    assert_eq!(revocations.try_next(), Some(Revoked::Missed(10)));
    assert!(matches!(revocations.try_next(), Some(Revoked::One(_))));
}

#[test]
fn many_devices_are_found_each_by_its_own() {
    let index = index();
    for number in 0..20_000 {
        put(
            &index,
            &format!("dev-{number}"),
            &psk(&format!("id-{number}")),
        )
        .unwrap();
    }
    assert_eq!(index.len(), 20_000);
    for number in (0..20_000).step_by(97) {
        let held = index.of_psk_identity(&format!("id-{number}")).unwrap();
        assert_eq!(**held.endpoint(), *format!("dev-{number}"));
    }
}
