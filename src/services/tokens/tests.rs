use super::*;
use crate::store::MemoryStore;

async fn tokens(store: &MemoryStore) -> Tokens {
    Tokens::load(Arc::new(store.clone())).await.unwrap()
}

#[tokio::test]
async fn a_token_is_valid_until_revoked_also_after_a_restart() {
    let store = MemoryStore::default();
    let created = tokens(&store)
        .await
        .create(Role::Operator, Some("ci".into()))
        .await
        .unwrap();
    assert!(created.token.starts_with("rk_"));
    assert_eq!(created.token.len(), 3 + 43);

    let restarted = tokens(&store).await;
    assert_eq!(restarted.role_of(&created.token), Some(Role::Operator));
    assert_eq!(restarted.list(), std::slice::from_ref(&created.info));
    restarted.revoke(&created.info.id).await.unwrap();
    assert_eq!(restarted.role_of(&created.token), None);
    assert!(matches!(
        restarted.revoke(&created.info.id).await,
        Err(TokenError::NotFound { .. })
    ));
}

#[tokio::test]
async fn the_token_itself_is_not_stored() {
    let store = MemoryStore::default();
    let created = tokens(&store)
        .await
        .create(Role::Admin, None)
        .await
        .unwrap();
    let stored = store.get(Table::Tokens, &created.info.id).unwrap().unwrap();
    let stored = String::from_utf8(stored).unwrap();
    assert!(!stored.contains(created.token.trim_start_matches(PREFIX)));
}

#[tokio::test]
async fn what_is_no_token_has_no_role() {
    let tokens = tokens(&MemoryStore::default()).await;
    let created = tokens.create(Role::Admin, None).await.unwrap();
    let unprefixed = created.token.trim_start_matches(PREFIX).to_owned();
    for wrong in [
        "",
        "rk_",
        "Bearer",
        &unprefixed,
        &format!("{}x", created.token),
    ] {
        assert_eq!(tokens.role_of(wrong), None, "{wrong}");
    }
}

#[tokio::test]
async fn names_are_bounded() {
    let tokens = tokens(&MemoryStore::default()).await;
    for name in ["a\u{1b}[2J".to_owned(), "x".repeat(101)] {
        let refused = tokens.create(Role::Viewer, Some(name)).await;
        assert!(matches!(refused, Err(TokenError::Name)));
    }
}

#[test]
fn a_role_includes_those_below() {
    assert!(Role::Admin > Role::Operator && Role::Operator > Role::Viewer);
}
