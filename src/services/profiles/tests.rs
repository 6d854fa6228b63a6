use serde_json::{Value, json};

use super::*;
use crate::store::MemoryStore;

mod compiling;
mod service;
mod validation;

/// Section 1.2 of the description of ThingsBoard's behaviour, word for word.
const FULL_EXAMPLE: &str = include_str!("tests/full_example.json");

/// The profiles of a store, where no engine runs.
async fn load(store: &MemoryStore) -> Arc<Profiles> {
    let store = Arc::new(store.clone());
    let models = Arc::new(Models::load(store.clone()).await.unwrap());
    let settings = ProfileSettings {
        ports: ServerPorts {
            coap: 15_685,
            ..ServerPorts::default()
        },
        of_unnamed: DEFAULT.to_owned(),
    };
    Profiles::load(store, models, None, settings).await.unwrap()
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// Puts a profile `p` into an empty store.
async fn put(configuration: &Value) -> Result<PutProfile, ProfilesError> {
    let profiles = load(&MemoryStore::default()).await;
    profiles.put("p", raw(&configuration.to_string())).await
}

/// What `configuration` is refused for.
async fn faults(configuration: &Value) -> Vec<(String, String)> {
    match put(configuration).await {
        Err(ProfilesError::Invalid(faults)) => faults
            .first
            .into_iter()
            .map(|fault| (fault.member, fault.detail))
            .collect(),
        other => panic!("{configuration}: {other:?}"),
    }
}

/// Asserts that `configuration` is refused for one thing: `member`, with a text that contains `says`.
#[track_caller]
fn assert_one(found: &[(String, String)], member: &str, says: &str) {
    let [(found_member, detail)] = found else {
        panic!("one fault, {member} {says}: {found:?}");
    };
    assert_eq!(found_member, member, "{detail}");
    assert!(detail.contains(says), "{says}: {detail}");
}

fn observe_attr(members: Value) -> Value {
    json!({"type": "LWM2M", "observeAttr": members})
}
