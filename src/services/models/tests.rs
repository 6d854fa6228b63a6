use super::*;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::model::DeviceModels;
use crate::proto::lwm2m::{LwM2mVersion, ResourceType, Version};
use crate::store::MemoryStore;

/// An `<Object>` with one Resource of the type String.
fn object(id: u16, version: &str, name: &str) -> String {
    format!(
        "<Object><Name>{name}</Name><ObjectID>{id}</ObjectID><ObjectVersion>{version}</ObjectVersion>\
         <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>\
         <Resources><Item ID=\"9\"><Name>Text</Name><Operations>R</Operations>\
         <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>\
         <Type>String</Type></Item></Resources></Object>"
    )
}

fn document(objects: &[String]) -> Vec<u8> {
    format!("\u{feff}<LWM2M>\n{}</LWM2M>", objects.join("\n")).into_bytes()
}

fn key(text: &str) -> ModelKey {
    text.parse().unwrap()
}

async fn load(store: &MemoryStore) -> Models {
    Models::load(Arc::new(store.clone())).await.unwrap()
}

async fn upload(models: &Models, objects: &[String]) -> Vec<(String, UploadResult)> {
    let uploaded = models.upload(&document(objects)).await.unwrap();
    uploaded.into_iter().map(|u| (u.key, u.result)).collect()
}

fn name(models: &Models, text: &str) -> Option<String> {
    let models = models.snapshot();
    models.exact(key(text)).map(|model| model.name.to_string())
}

#[tokio::test]
async fn default_versions_of_core_objects_are_built_in() {
    let models = load(&MemoryStore::default()).await.snapshot();
    for lwm2m in [LwM2mVersion::V1_0, LwM2mVersion::V1_1, LwM2mVersion::V1_2] {
        let objects = [
            1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 19, 23, 24, 25, 26,
        ];
        let links: Vec<_> = objects.iter().map(|id| format!("</{id}>")).collect();
        let links = ObjectLinks::parse(links.join(",").as_bytes(), lwm2m).unwrap();
        for announced in links.objects() {
            let model = models.get(announced.id, announced.version).unwrap();
            assert_eq!(model.version, announced.version, "{}", announced.id);
        }
        // Written by bootstrap only, hence not announced.
        for object in [0, 21] {
            let version = links.version_or_default(object);
            assert!(
                models.exact(ModelKey::new(object, version)).is_some(),
                "{object}"
            );
        }
        let device = DeviceModels::new(&models, &links);
        let level = device.resource(3, 9).unwrap();
        assert_eq!(
            (&*level.name, level.resource_type),
            ("Battery Level", Some(ResourceType::Integer))
        );
    }
}

#[tokio::test]
async fn an_uploaded_definition_takes_the_place_of_the_built_in_one_until_it_is_deleted() {
    let models = load(&MemoryStore::default()).await;
    let before = models.snapshot();
    let uploaded = upload(
        &models,
        &[object(3, "1.0", "Ours"), object(3, "7.1", "New")],
    )
    .await;
    assert_eq!(
        uploaded,
        [
            ("3_1.0".to_owned(), UploadResult::Created),
            ("3_7.1".to_owned(), UploadResult::Created)
        ]
    );
    assert_eq!(name(&models, "3_1.0").as_deref(), Some("Ours"));
    assert_eq!(name(&models, "3_1.1").as_deref(), Some("Device"));
    assert_eq!(models.snapshot().len(), before.len() + 1);
    assert_eq!(
        before.get(3, Version::V1_0).unwrap().name.as_ref(),
        "Device",
        "a snapshot does not change"
    );
    let shown = models.get(key("3_1.0")).unwrap().summary;
    assert!(shown.source == ModelSource::Uploaded && shown.overrides_built_in);
    let shown = models.get(key("3_7.1")).unwrap().summary;
    assert!(shown.source == ModelSource::Uploaded && !shown.overrides_built_in);

    let again = upload(&models, &[object(3, "1.0", "Ours again")]).await;
    assert_eq!(again, [("3_1.0".to_owned(), UploadResult::Replaced)]);

    models.delete(key("3_1.0")).await.unwrap();
    assert_eq!(name(&models, "3_1.0").as_deref(), Some("Device"));
    models.delete(key("3_7.1")).await.unwrap();
    assert_eq!(name(&models, "3_7.1"), None);
}

#[tokio::test]
async fn what_is_built_in_or_does_not_exist_cannot_be_deleted() {
    let models = load(&MemoryStore::default()).await;
    let refused = models.delete(key("3_1.0")).await.unwrap_err();
    assert!(matches!(refused, ModelsError::BuiltIn { .. }), "{refused}");
    let refused = models.delete(key("3_9.9")).await.unwrap_err();
    assert!(matches!(refused, ModelsError::NotFound { .. }), "{refused}");
    let refused = models.get(key("3_9.9")).unwrap_err();
    assert!(matches!(refused, ModelsError::NotFound { .. }), "{refused}");
}

#[tokio::test]
async fn uploaded_definitions_survive_a_restart() {
    let store = MemoryStore::default();
    let text = "<Ours & <![CDATA[<x>]]>".replace("<Ours & ", "Ours &amp; ");
    upload(
        &load(&store).await,
        &[object(3, "1.0", &text), object(33_000, "1.0", "Mine")],
    )
    .await;
    let models = load(&store).await;
    assert_eq!(name(&models, "3_1.0").as_deref(), Some("Ours & <x>"));
    assert_eq!(name(&models, "33000_1.0").as_deref(), Some("Mine"));
}

#[tokio::test]
async fn a_document_with_a_fault_changes_nothing() {
    let store = MemoryStore::default();
    let models = load(&store).await;
    let faulty = object(33_001, "1.0", "").replace("<Name></Name>", "");
    let refused = models
        .upload(&document(&[object(33_000, "1.0", "Mine"), faulty]))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "line 3: <Name> is missing in <Object>, or empty"
    );
    assert_eq!(name(&models, "33000_1.0"), None);
    assert!(store.range(Table::Models, None, 10).unwrap().is_empty());
}

#[tokio::test]
async fn a_stored_definition_that_cannot_be_read_is_set_aside_and_the_others_are_in_force() {
    let store = MemoryStore::default();
    upload(&load(&store).await, &[object(33_000, "1.0", "Mine")]).await;
    let damaged = |key: &str, value: &[u8]| Change::Put {
        table: Table::Models,
        key: key.to_owned(),
        value: value.to_vec(),
    };
    let changes = vec![
        damaged("1_1.0", b"{\"xml\":\"<LWM2M><Object>\"}"),
        damaged("2_1.0", b"\xff"),
        damaged("9_1.0", b"{\"xml\":\"<LWM2M/>\"}"),
    ];
    store.write(changes).await.unwrap();
    let models = load(&store).await;
    assert_eq!(models.snapshot().len(), builtin().len() + 1);
    assert_eq!(store.info().unwrap().set_aside, 3);
    assert_eq!(store.range(Table::Models, None, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn many_stored_definitions_are_read_in_chunks() {
    let store = MemoryStore::default();
    let objects: Vec<_> = (0..2 * CHUNK as u16)
        .map(|n| object(40_000 + n, "1.0", "X"))
        .collect();
    upload(&load(&store).await, &objects).await;
    let models = load(&store).await;
    assert_eq!(models.snapshot().len(), builtin().len() + objects.len());
}

#[tokio::test]
async fn the_number_of_uploaded_definitions_is_bounded() {
    let store = MemoryStore::default();
    let models = load(&store).await;
    for round in 0..MAX_UPLOADED / 1_000 {
        let ids = (0..1_000).map(|n| 40_000 + (1_000 * round + n) as u16);
        let objects: Vec<_> = ids.map(|id| object(id, "1.0", "X")).collect();
        upload(&models, &objects).await;
    }
    let refused = models
        .upload(&document(&[object(39_999, "1.0", "X")]))
        .await;
    assert!(matches!(refused, Err(ModelsError::TooMany)));
    assert_eq!(name(&models, "39999_1.0"), None);
    let replaced = upload(&models, &[object(40_000, "1.0", "Y")]).await;
    assert_eq!(replaced[0].1, UploadResult::Replaced);
}

#[tokio::test]
async fn pages_cover_the_list_in_order_without_repeats() {
    let models = load(&MemoryStore::default()).await;
    upload(
        &models,
        &[object(3, "1.10", "X"), object(33_000, "1.0", "Y")],
    )
    .await;
    let all = models.snapshot();
    let expected: Vec<_> = all
        .after(None)
        .iter()
        .map(|m| m.key().to_string())
        .collect();
    for limit in [1, 7, all.len(), MAX_PAGE] {
        let mut query = ModelQuery {
            limit,
            ..ModelQuery::default()
        };
        let mut keys = Vec::new();
        loop {
            let page = models.list(&query).unwrap();
            assert!(page.items.len() <= limit);
            keys.extend(page.items.into_iter().map(|item| item.key));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(keys, expected, "limit {limit}");
    }
    let query = ModelQuery {
        id: Some(3),
        limit: 3,
        cursor: None,
    };
    let page = models.list(&query).unwrap();
    let keys: Vec<_> = page.items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["3_1.0", "3_1.1", "3_1.2"]);
    let page = models
        .list(&ModelQuery {
            cursor: page.next,
            ..query
        })
        .unwrap();
    assert_eq!((page.items[0].key.as_str(), page.next), ("3_1.10", None));
    let wrong = ModelQuery {
        cursor: Some("x".to_owned()),
        ..ModelQuery::default()
    };
    assert!(matches!(models.list(&wrong), Err(ModelsError::Cursor(_))));
}

#[tokio::test]
async fn whoever_follows_is_told_the_definitions_now_and_after_every_change() {
    let store = MemoryStore::default();
    let models = load(&store).await;
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let listener = told.clone();
    let tell = move |snapshot: Arc<ObjectModels>| {
        let versions = snapshot.versions(33_000).len();
        listener.lock().unwrap().push(versions);
    };
    models.follow(tell).await;
    let valve = [object(33_000, "1.0", "Valve")];
    upload(&models, &valve).await;
    models.delete(key("33000_1.0")).await.unwrap();
    upload(&load(&store).await, &valve).await;
    models.reload().await.unwrap();
    assert_eq!(*told.lock().unwrap(), [0, 1, 0, 1]);
    assert!(models.upload(b"<LWM2M/>").await.is_err());
    assert_eq!(told.lock().unwrap().len(), 4, "nothing changed");
}
