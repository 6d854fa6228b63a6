use super::*;
use crate::engine::credentials::Purpose;
use crate::services::credentials::{AccountCredentials, Credential, GeneratedMode, IdentityHandle};

const NOW: i64 = 1_700_000_000_000;

/// Devices in a store, as a server finds them that starts on it.
async fn started(store: &Arc<MemoryStore>) -> Provisioning {
    let settings = ProfileSettings {
        ports: ServerPorts::default(),
        of_unnamed: "default".to_owned(),
    };
    let models = Arc::new(Models::load(store.clone()).await.unwrap());
    let profiles = Profiles::load(store.clone(), models, None, settings).await;
    let provisioning = Provisioning::new(store.clone(), profiles.unwrap(), "default");
    provisioning.remember_all().await.unwrap();
    provisioning
}

async fn put(provisioning: &Provisioning, identity: &str) {
    let client = json!({"securityConfigClientMode": "PSK", "identity": identity,
                        "key": "000102030405060708090a0b0c0d0e0f"});
    let body = json!({"credentials": {"client": client}});
    let checked = provisioning.check(Some("a"), serde_json::from_value(body).unwrap());
    let outcomes = provisioning.put(&[checked.unwrap()]).await.unwrap();
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
}

async fn generate(provisioning: &Provisioning) -> AccountCredentials {
    let made = provisioning.generate("a", GeneratedMode::Psk, NOW);
    made.await.unwrap()
}

fn held(provisioning: &Provisioning, identity: &[u8]) -> Option<Arc<Credential>> {
    let identity = std::str::from_utf8(identity).unwrap();
    provisioning.credentials().of_psk_identity(identity)
}

fn registers(provisioning: &Provisioning, identity: &[u8]) -> bool {
    held(provisioning, identity).is_some_and(|held| {
        let index = provisioning.credentials();
        index.binds(held.handle(), "a", Purpose::Registration)
    })
}

async fn used(provisioning: &Provisioning, told: &AccountCredentials) -> bool {
    let identity: IdentityHandle = held(provisioning, &told.identity).unwrap().handle();
    let retired = provisioning.retire_former("a", identity, NOW + 5);
    retired.await.unwrap()
}

#[tokio::test]
async fn a_restart_between_telling_and_registering_keeps_both() {
    let store = Arc::new(MemoryStore::default());
    let before = started(&store).await;
    put(&before, "factory").await;
    let first = generate(&before).await;
    drop(before);

    let provisioning = started(&store).await;
    assert!(registers(&provisioning, b"factory"));
    assert!(registers(&provisioning, &first.identity));
    assert!(used(&provisioning, &first).await);
    let second = generate(&provisioning).await;
    drop(provisioning);

    let provisioning = started(&store).await;
    assert!(!registers(&provisioning, b"factory"), "it has ended");
    assert!(registers(&provisioning, &first.identity));
    assert!(registers(&provisioning, &second.identity));
    assert!(used(&provisioning, &second).await);
    assert!(!registers(&provisioning, &first.identity));
}

#[tokio::test]
async fn what_is_pending_is_replaced_by_the_next_and_what_is_current_stays() {
    let provisioning = started(&Arc::default()).await;
    put(&provisioning, "factory").await;
    let current = generate(&provisioning).await;
    assert!(used(&provisioning, &current).await);
    let lost = generate(&provisioning).await;
    let told = generate(&provisioning).await;
    assert!(!registers(&provisioning, &lost.identity));
    for told in [&current, &told] {
        assert!(registers(&provisioning, &told.identity));
    }
    let again = used(&provisioning, &current).await;
    assert!(!again, "it is pending no more: a late note retires nothing");
    let shown = provisioning.generated("a").await.unwrap().unwrap();
    let shown = serde_json::to_value(shown).unwrap();
    let identity = |told: &AccountCredentials| String::from_utf8(told.identity.clone()).unwrap();
    let expected = json!({
        "current": {"mode": "PSK", "identity": identity(&current), "made": NOW,
                    "registered": NOW + 5},
        "pending": {"mode": "PSK", "identity": identity(&told), "made": NOW}
    });
    assert_eq!(shown, expected, "and no key");
}

#[tokio::test]
async fn other_credentials_and_deletion_forget_what_was_generated_for_good() {
    let store = Arc::new(MemoryStore::default());
    let provisioning = started(&store).await;
    for delete in [false, true] {
        put(&provisioning, "factory").await;
        let told = generate(&provisioning).await;
        put(&provisioning, "factory").await;
        assert!(registers(&provisioning, &told.identity), "nothing changed");
        if delete {
            assert!(provisioning.delete("a").await.unwrap());
        } else {
            put(&provisioning, "other").await;
        }
        for provisioning in [&provisioning, &started(&store).await] {
            assert!(!registers(provisioning, &told.identity));
            assert!(provisioning.generated("a").await.unwrap().is_none());
        }
    }
    let made = provisioning.generate("a", GeneratedMode::Psk, NOW).await;
    assert!(matches!(made, Err(NotGenerated::NotProvisioned)));
}
