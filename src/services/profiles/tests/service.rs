use super::*;

fn names(page: &ProfilePage) -> Vec<&str> {
    page.items.iter().map(|item| item.name.as_str()).collect()
}

#[tokio::test]
async fn what_is_put_comes_back_as_it_was_also_after_a_restart() {
    let store = MemoryStore::default();
    let text = "{ \"type\":\"LWM2M\",\n\t\"zeta\": 1.50, \"alpha\": {\"x\": [ ]},\n \"observeAttr\": {\"observe\": null} }";
    let profiles = load(&store).await;
    let put = profiles.put("water", raw(text)).await.unwrap();
    assert_eq!(put.result, PutResult::Created);
    assert_eq!(profiles.get("water").await.unwrap(), text);
    let again = load(&store).await;
    assert_eq!(again.get("water").await.unwrap(), text);
    let put = again.put("water", raw(FULL_EXAMPLE.trim())).await.unwrap();
    assert_eq!(put.result, PutResult::Replaced);
    assert_eq!(put.warnings, []);
    assert_eq!(again.get("water").await.unwrap(), FULL_EXAMPLE.trim());
}

#[tokio::test]
async fn the_default_profile_can_be_replaced_and_comes_back_when_removed() {
    let store = MemoryStore::default();
    let profiles = load(&store).await;
    let built_in = profiles.get(DEFAULT).await.unwrap();
    assert!(
        built_in.contains("\"/3/0/9\": \"batteryLevel\""),
        "{built_in}"
    );
    let refused = profiles.delete(DEFAULT).await.unwrap_err();
    assert!(
        matches!(refused, ProfilesError::BuiltIn { .. }),
        "{refused}"
    );

    let put = profiles.put(DEFAULT, raw("{}")).await.unwrap();
    assert_eq!(put.result, PutResult::Replaced);
    let again = load(&store).await;
    assert_eq!(again.get(DEFAULT).await.unwrap(), "{}");
    assert!(again.entries()[DEFAULT].parts.mappings.is_empty());
    again.delete(DEFAULT).await.unwrap();
    assert_eq!(again.get(DEFAULT).await.unwrap(), built_in);
    assert_eq!(again.entries()[DEFAULT].parts.mappings.len(), 4);
    assert_eq!(load(&store).await.get(DEFAULT).await.unwrap(), built_in);
}

#[tokio::test]
async fn pages_cover_the_list_in_order_without_repeats() {
    let profiles = load(&MemoryStore::default()).await;
    for name in ["b", "a b/c", "ż"] {
        profiles.put(name, raw("{}")).await.unwrap();
    }
    let mut listed = Vec::new();
    let mut cursor = None;
    loop {
        let page = profiles
            .list(&ProfileQuery { limit: 3, cursor })
            .await
            .unwrap();
        listed.extend(names(&page).into_iter().map(str::to_owned));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, ["a b/c", "b", "default", "ż"]);
    let all = profiles
        .list(&ProfileQuery {
            limit: 4,
            cursor: None,
        })
        .await
        .unwrap();
    assert_eq!(all.next, None);
    let wrong = ProfileQuery {
        limit: 1,
        cursor: Some("%".to_owned()),
    };
    assert!(matches!(
        profiles.list(&wrong).await,
        Err(ProfilesError::Cursor(_))
    ));
}

#[tokio::test]
async fn names_sizes_and_numbers_are_bounded() {
    let profiles = load(&MemoryStore::default()).await;
    for name in ["", "a\nb", &"x".repeat(256)] {
        let refused = profiles.put(name, raw("{}")).await.unwrap_err();
        assert!(matches!(refused, ProfilesError::Name { .. }), "{name:?}");
    }
    let long = format!("{{\"x\": \"{}\"}}", "x".repeat(MAX_BYTES));
    let refused = profiles.put("p", raw(&long)).await.unwrap_err();
    assert!(
        refused.to_string().contains("accepted are at most 1048576"),
        "{refused}"
    );

    for number in 1..MAX_PROFILES {
        profiles
            .put(&format!("p{number:05}"), raw("{}"))
            .await
            .unwrap();
    }
    let refused = profiles.put("one more", raw("{}")).await.unwrap_err();
    assert!(matches!(refused, ProfilesError::TooMany), "{refused}");
    assert_eq!(
        profiles.put("p00001", raw("{}")).await.unwrap().result,
        PutResult::Replaced
    );
    let known = profiles.known();
    assert_eq!((known.first.len(), known.more), (20, MAX_PROFILES - 20));
    assert!(
        known.to_string().ends_with("p00019 and 9980 more"),
        "{known}"
    );
}

#[tokio::test]
async fn a_stored_profile_that_would_be_refused_today_is_in_force_without_what_is_wrong() {
    let store = MemoryStore::default();
    let configuration = r#"{"observeAttr": {
        "keyName": {"/3/0/9": "a", "nonsense": "b"}, "telemetry": ["/3/0/9"]
    }}"#;
    let record = StoredProfile {
        configuration: raw(configuration),
    };
    let change = Change::put(Table::Profiles, "old", &record).unwrap();
    let damaged = Change::Put {
        table: Table::Profiles,
        key: "damaged".to_owned(),
        value: b"{".to_vec(),
    };
    store.write(vec![change, damaged]).await.unwrap();
    let profiles = load(&store).await;
    assert_eq!(profiles.entries()["old"].parts.mappings.len(), 1);
    assert_eq!(profiles.get("old").await.unwrap(), configuration);
    assert!(!profiles.contains("damaged"));
    assert_eq!(store.info().unwrap().set_aside, 1);
}

#[tokio::test]
async fn the_example_of_the_documentation_is_accepted_without_a_warning() {
    let page = include_str!("../../../../docs/profiles.md");
    let (_, example) = page.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let profiles = load(&MemoryStore::default()).await;
    let put = profiles.put("p", raw(example.trim())).await.unwrap();
    assert_eq!(put.warnings, []);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let profiles = load(&MemoryStore::default()).await;
    let shown = profiles.get("x").await.unwrap_err();
    let removed = profiles.delete("x").await.unwrap_err();
    for error in [shown, removed] {
        assert!(matches!(error, ProfilesError::NotFound { .. }), "{error}");
    }
}
