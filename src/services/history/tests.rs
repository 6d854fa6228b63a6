use std::sync::Arc;

use serde_json::{json, value::RawValue};

use super::*;
use crate::engine::{EngineConfig, prepare};
use crate::proto::time::UnixMillis;
use crate::services::models::Models;
use crate::services::profiles::{ProfileSettings, ServerPorts};
use crate::services::provisioning::{DeviceBody, Provisioning};
use crate::store::MemoryStore;

const NOW: UnixMillis = 1_800_000_000_000;
const HOUR: UnixMillis = 3_600_000;

fn timed(ts: UnixMillis) -> TimedValue {
    TimedValue {
        ts,
        value: json!(ts),
    }
}

async fn keep(store: &MemoryStore, endpoint: &str, key: &str, times: &[UnixMillis]) {
    let changes = times
        .iter()
        .map(|ts| record::keep(endpoint, key, &timed(*ts)).unwrap());
    store.write(changes.collect()).await.unwrap();
}

fn query(from: Option<UnixMillis>, to: Option<UnixMillis>, limit: usize) -> TelemetryQuery {
    TelemetryQuery {
        keys: Vec::new(),
        from,
        to,
        limit,
    }
}

fn times(store: &MemoryStore, key: &str, query: &TelemetryQuery) -> Vec<UnixMillis> {
    let values = record::read(store, "dev", key, query).unwrap();
    values.into_iter().map(|value| value.ts).collect()
}

#[tokio::test]
async fn values_are_read_newest_first_and_by_time_whatever_the_order_they_came_in() {
    let store = MemoryStore::default();
    keep(&store, "dev", "t", &[30, -5, 10, NOW, 20]).await;
    keep(&store, "dev", "tt", &[25]).await;
    keep(&store, "dev2", "t", &[26]).await;
    assert_eq!(
        times(&store, "t", &query(None, None, 9)),
        [NOW, 30, 20, 10, -5]
    );
    assert_eq!(times(&store, "t", &query(None, None, 2)), [NOW, 30]);
    assert_eq!(
        times(&store, "t", &query(Some(10), Some(30), 9)),
        [30, 20, 10]
    );
    assert_eq!(times(&store, "t", &query(Some(11), Some(29), 9)), [20]);
    assert_eq!(record::keys(&store, "dev").unwrap(), ["t", "tt"]);
    assert_eq!(record::keys(&store, "de").unwrap(), [""; 0]);
}

#[tokio::test]
async fn of_the_latest_only_the_newest_stays() {
    let store = MemoryStore::default();
    for ts in [10, 30, 20] {
        let change = record::keep_latest(&store, "dev", "t", &timed(ts)).unwrap();
        store.write(change.into_iter().collect()).await.unwrap();
    }
    assert_eq!(times(&store, "t", &query(None, None, 9)), [30]);
    assert_eq!(times(&store, "t", &query(None, Some(29), 9)), [0; 0]);
    assert_eq!(record::keys(&store, "dev").unwrap(), ["t"]);
}

#[tokio::test]
async fn more_values_than_one_step_reads_are_read() {
    let store = MemoryStore::default();
    let many: Vec<_> = (0..2_500).collect();
    keep(&store, "dev", "t", &many).await;
    let read = times(&store, "t", &query(None, None, 2_400));
    assert_eq!((read.len(), read[0], read[2_399]), (2_400, 2_499, 100));
}

/// A device of each kind of profile, and one that nobody knows.
async fn world(store: &MemoryStore) -> (Arc<Devices>, Arc<Profiles>) {
    let stored: Arc<dyn Store> = Arc::new(store.clone());
    let prepared = prepare(EngineConfig {
        coap: None,
        shards: 1,
        ..EngineConfig::default()
    });
    let engine: Arc<dyn Engine> = Arc::new(prepared.unwrap().handle().clone());
    let models = Arc::new(Models::load(stored.clone()).await.unwrap());
    let settings = ProfileSettings {
        ports: ServerPorts::default(),
        of_unnamed: "day".to_owned(),
    };
    let profiles = Profiles::load(stored.clone(), models, Some(engine.clone()), settings);
    let profiles = profiles.await.unwrap();
    let provisioning = Provisioning::new(stored, profiles.clone(), "default");
    let devices = Arc::new(Devices::new(engine, provisioning));
    for (name, history) in [
        ("day", json!({"days": 1})),
        ("hours", json!({"hours": 2})),
        ("latest", json!("latest")),
        ("none", json!("none")),
    ] {
        let text = json!({"rookery": {"history": history}}).to_string();
        let configuration = RawValue::from_string(text).unwrap();
        profiles.put(name, configuration).await.unwrap();
        let body: DeviceBody = serde_json::from_value(json!({"profile": name})).unwrap();
        devices.put(name, body).await.unwrap();
    }
    (devices, profiles)
}

#[tokio::test]
async fn what_is_older_than_its_profile_keeps_it_is_removed() {
    let store = MemoryStore::default();
    let (devices, profiles) = world(&store).await;
    let ages = [NOW, NOW - HOUR, NOW - 3 * HOUR, NOW - 25 * HOUR];
    for endpoint in ["day", "hours", "latest", "none", "unknown"] {
        keep(&store, endpoint, "t", &ages).await;
        let latest = record::keep_latest(&store, endpoint, "l", &timed(NOW - 48 * HOUR));
        store
            .write(latest.unwrap().into_iter().collect())
            .await
            .unwrap();
    }
    let clock = Clock::simulated(NOW);
    let mut after = None;
    loop {
        after = sweep::step(&devices, &profiles, &store, &clock, after)
            .await
            .unwrap();
        if after.is_none() {
            break;
        }
    }
    let left = |endpoint: &str| {
        let all = query(None, None, 9);
        let of = |key| record::read(&store, endpoint, key, &all).unwrap().len();
        (of("t"), of("l"))
    };
    assert_eq!(left("day"), (3, 0));
    assert_eq!(left("hours"), (2, 0));
    assert_eq!(left("latest"), (0, 1));
    assert_eq!(left("none"), (0, 0));
    // It would have the profile of devices that name none.
    assert_eq!(left("unknown"), (3, 0));
}
