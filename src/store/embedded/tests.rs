use std::os::unix::fs::PermissionsExt;

use serde::{Deserialize, Serialize};

use super::*;
use crate::services::storage::{read, scan};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Record {
    number: u32,
}

fn put(key: &str, number: u32) -> Change {
    Change::put(Table::Devices, key, &Record { number }).unwrap()
}

async fn number(store: &EmbeddedStore, key: &str) -> Option<u32> {
    let record: Option<Record> = read(store, Table::Devices, key).await.unwrap();
    record.map(|record| record.number)
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    {
        let store = EmbeddedStore::open(&path).unwrap();
        assert_eq!(store.write(vec![put("a", 1)]).await.unwrap(), [false]);
        assert_eq!(store.write(vec![put("a", 2)]).await.unwrap(), [true]);
    }
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(number(&store, "a").await, Some(2));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "only the owner may look inside");
}

#[tokio::test]
async fn concurrent_changes_are_all_made() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let writes = (0..200).map(|n| store.write(vec![put(&format!("d{n:03}"), n)]));
    for outcome in futures_util::future::join_all(writes).await {
        assert_eq!(outcome.unwrap(), [false]);
    }
    assert_eq!(store.info().unwrap().devices, 200);
}

#[tokio::test]
async fn a_scan_goes_on_where_it_ended() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let changes = (0..5).map(|n| put(&format!("d{n}"), n)).collect();
    store.write(changes).await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = scan::<Record>(&store, Table::Devices, after.as_deref(), 2)
            .await
            .unwrap();
        seen.extend(page.records.into_iter().map(|(key, _)| key));
        after = page.resume_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["d0", "d1", "d2", "d3", "d4"]);
}

#[tokio::test]
async fn an_unreadable_record_is_set_aside_and_the_others_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let damaged = Change::Put {
        table: Table::Devices,
        key: "b".to_owned(),
        value: b"{\"number\":".to_vec(),
    };
    store
        .write(vec![put("a", 1), damaged, put("c", 3)])
        .await
        .unwrap();

    let page = scan::<Record>(&store, Table::Devices, None, 10).await;
    let keys: Vec<String> = page
        .unwrap()
        .records
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, ["a", "c"]);
    let info = store.info().unwrap();
    assert_eq!((info.devices, info.set_aside), (2, 1));
}

#[tokio::test]
async fn a_second_process_is_told_that_the_store_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let _open = EmbeddedStore::open(directory.path()).unwrap();
    let second = EmbeddedStore::open(directory.path()).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }), "{second}");
}

#[test]
fn a_store_of_a_later_version_is_refused_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(FILE_NAME);
    {
        let database = Database::create(&file).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(META)
            .unwrap()
            .insert("format", FORMAT + 1)
            .unwrap();
        transaction.commit().unwrap();
    }
    for _ in 0..2 {
        let refused = EmbeddedStore::open(directory.path()).unwrap_err();
        assert!(
            matches!(refused, OpenError::Format { found, .. } if found == FORMAT + 1),
            "{refused}"
        );
    }
}

#[test]
fn a_file_that_is_no_store_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILE_NAME), vec![7; 8192]).unwrap();
    let refused = EmbeddedStore::open(directory.path()).unwrap_err();
    assert!(refused.to_string().contains(FILE_NAME), "{refused}");
}
