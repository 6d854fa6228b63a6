use std::time::{Duration, Instant};

use super::*;
use crate::services::engine::SessionChange;

fn batch(shard: u8, records: &[(u32, Option<&[u8]>)]) -> StateBatch {
    let mut batch = StateBatch {
        shard,
        ..StateBatch::default()
    };
    for (slot, record) in records {
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(record.unwrap_or_default());
        let range = start..batch.bytes.len();
        batch.records.push((*slot, record.map(|_| range)));
    }
    batch
}

fn records(state: &EmbeddedState, shard: u8) -> Vec<(u32, Vec<u8>)> {
    let mut found = Vec::new();
    let read = state.read(shard, &mut |slot, record| {
        found.push((slot, record.to_vec()));
        Fate::Keep
    });
    assert_eq!(read.expect("readable"), Read::default());
    found
}

/// Opens it again after what was submitted is written.
fn reopened(state: EmbeddedState, directory: &Path) -> EmbeddedState {
    drop(state);
    EmbeddedState::open(directory).expect("it opens again")
}

#[test]
fn records_are_there_again_by_shard_and_slot_under_the_same_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    let begun = state.begin(2).expect("it begins");
    assert_eq!(begun.served_until, None);
    let mut first = batch(0, &[(0, Some(b"a")), (7, Some(b"b")), (9, Some(b"c"))]);
    first.plans.push((5, b"plan".to_vec()));
    state.submit(first).expect("room");
    state.submit(batch(0, &[(7, None)])).expect("room");
    state.submit(batch(1, &[(7, Some(b"d"))])).expect("room");
    let state = reopened(state, directory.path());
    let again = state.begin(2).expect("it begins");
    assert_eq!(again.secret, begun.secret);
    assert!(again.served_until.is_some());
    assert_eq!(again.plans, [(5, b"plan".to_vec())]);
    assert_eq!(again.left_behind, 0);
    assert_eq!(records(&state, 0), [(0, b"a".to_vec()), (9, b"c".to_vec())]);
    assert_eq!(records(&state, 1), [(7, b"d".to_vec())]);
    state.keep_plans(&[].into()).expect("written");
    assert_eq!(state.begin(2).expect("it begins").plans, []);
}

#[test]
fn records_of_shards_that_went_are_removed_and_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    for shard in 0..3 {
        let both = batch(shard, &[(1, Some(b"a")), (2, Some(b"b"))]);
        state.submit(both).expect("room");
    }
    let state = reopened(state, directory.path());
    assert_eq!(state.begin(1).expect("it begins").left_behind, 4);
    assert_eq!(records(&state, 0).len(), 2);
    assert_eq!(records(&state, 2), []);
}

#[test]
fn a_record_nobody_can_read_is_set_aside_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    let changes = batch(
        0,
        &[(1, Some(b"good")), (2, Some(b"bad")), (3, Some(b"gone"))],
    );
    state.submit(changes).expect("room");
    let state = reopened(state, directory.path());
    state
        .read(0, &mut |_, record| match record {
            b"good" => Fate::Keep,
            b"bad" => Fate::SetAside,
            _ => Fate::Remove,
        })
        .expect("readable");
    assert_eq!(records(&state, 0), [(1, b"good".to_vec())]);
    let counts = state.check(|record| record != b"good").expect("readable");
    assert_eq!(
        (counts.endpoints, counts.unreadable, counts.set_aside),
        (0, 1, 1)
    );
}

#[test]
fn a_block_the_disk_has_damaged_costs_its_own_records_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    let record = [0xa5; 500];
    for first in (0..2_000).step_by(100) {
        let slots: Vec<_> = (first..first + 100)
            .map(|slot| (slot, Some(&record[..])))
            .collect();
        state.submit(batch(0, &slots)).expect("room");
    }
    let state = reopened(state, directory.path());
    state.tables.get().expect("open").flush();
    drop(state);
    damage_a_table(&directory.path().join(DIRECTORY));
    let state = EmbeddedState::open(directory.path()).expect("it opens all the same");
    let mut found = 0;
    let read = state.read(0, &mut |_, _| {
        found += 1;
        Fate::Keep
    });
    let unreadable = read.expect("it is read").unreadable;
    assert!(unreadable > 0, "the damage is met");
    assert!(
        found > 1_800 && found + unreadable == 2_000,
        "{found} of 2,000, {unreadable}"
    );
    assert_eq!(records(&state, 0).len() as u64, found, "it is met once");
}

/// Turns bits in the middle of the largest file.
fn damage_a_table(directory: &Path) {
    fn files(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    files(directory, &mut found);
    found.retain(|path| path.components().any(|part| part.as_os_str() == "tables"));
    let size = |path: &PathBuf| path.metadata().map_or(0, |file| file.len());
    let table = found.into_iter().max_by_key(size).expect("a table");
    let mut bytes = std::fs::read(&table).expect("readable");
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 8] {
        *byte ^= 0x55;
    }
    std::fs::write(&table, bytes).expect("writable");
}

#[test]
fn a_store_of_a_later_version_is_refused_and_one_in_use_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    let second = EmbeddedState::open(directory.path());
    assert!(
        matches!(second, Err(OpenStateError::InUse { .. })),
        "{second:?}"
    );
    let later = ("meta".to_owned(), b"format".to_vec(), vec![0, 0, 0, 9]);
    assert_eq!(state.put_all(&[later]).expect("written"), None);
    drop(state);
    let refused = EmbeddedState::open(directory.path()).expect_err("it is newer");
    assert!(refused.to_string().contains("format 9"), "{refused}");
}

#[test]
fn what_there_is_no_room_for_comes_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    let record = vec![1; 1 << 20];
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut slot = 0;
    let returned = loop {
        assert!(Instant::now() < deadline, "the queue has no bound");
        slot += 1;
        if let Err(returned) = state.submit(batch(0, &[(slot, Some(&record))])) {
            break returned;
        }
    };
    assert_eq!(returned.records, [(slot, Some(0..record.len()))]);
    let state = reopened(state, directory.path());
    assert_eq!(
        records(&state, 0).len() as u32,
        slot - 1,
        "all that was taken is there"
    );
}

#[test]
fn a_store_of_an_earlier_version_is_read_and_is_one_of_this_version_then() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    state.submit(batch(0, &[(1, Some(b"a"))])).expect("room");
    let mut state = state;
    for format in 1..FORMAT {
        let format = format.to_be_bytes().to_vec();
        let earlier = ("meta".to_owned(), b"format".to_vec(), format);
        assert_eq!(state.put_all(&[earlier]).expect("written"), None);
        state = reopened(state, directory.path());
        assert_eq!(records(&state, 0), [(1, b"a".to_vec())]);
        let format = state.tables.get().expect("open").format();
        assert_eq!(format.expect("readable"), FORMAT);
    }
}

fn session_batch(session: Option<&[u8]>, number: Option<u64>) -> StateBatch {
    let mut changes = StateBatch::default();
    if let Some(session) = session {
        changes.bytes.extend_from_slice(session);
        let record = SessionChange::Record(0..session.len());
        changes.sessions.push((7, record));
    }
    let number = number.map(SessionChange::Number);
    changes.sessions.extend(number.map(|number| (7, number)));
    changes
}

#[test]
fn the_number_of_a_session_is_there_again_and_goes_with_the_session() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut state = EmbeddedState::open(directory.path()).expect("a new store");
    let found = |state: &EmbeddedState| {
        let mut found = Vec::new();
        let read = state.read_sessions(0, &mut |_, record, number| {
            found.push((record.to_vec(), number));
            Some(record.to_vec())
        });
        assert_eq!(read.expect("readable").unreadable, 0);
        found
    };
    let kept = |number| vec![(b"keys".to_vec(), number)];
    for (changes, expected) in [
        (vec![session_batch(Some(b"keys"), None)], None),
        (vec![session_batch(None, Some(5))], Some(5)),
        (vec![], None),
        (
            vec![session_batch(None, Some(6)), session_batch(None, Some(9))],
            Some(9),
        ),
        (
            vec![
                session_batch(None, Some(12)),
                session_batch(Some(b"keys"), None),
            ],
            None,
        ),
        (
            vec![
                session_batch(Some(b"keys"), None),
                session_batch(None, Some(14)),
            ],
            Some(14),
        ),
    ] {
        for batch in changes {
            state.submit(batch).expect("room");
        }
        state = reopened(state, directory.path());
        assert_eq!(found(&state), kept(expected));
    }
}

#[test]
fn numbers_count_whether_they_are_in_the_log_or_in_the_table() {
    let directory = tempfile::tempdir().expect("a directory");
    let sealer = Arc::new(Sealer::open(directory.path()).expect("a key"));
    let tables = Tables::open(directory.path(), sealer).expect("new tables");
    let mut log = NumberLog::open(directory.path()).expect("a new log");
    let commit = |log: &mut NumberLog, record: Option<&[u8]>, number| {
        let batch = session_batch(record, number);
        tables.commit(&[batch], log, 0).expect("a disk that works");
    };
    let number = |log: &mut NumberLog| {
        assert_eq!(tables.settle(log).expect("a disk that works"), 0);
        let mut found = None;
        let read = tables.read_sessions(0..=SLOT_MASK, |_, record, number| {
            found = number;
            Some(record.to_vec())
        });
        assert_eq!(read.expect("readable"), 0);
        found
    };
    commit(&mut log, Some(b"keys"), None);
    log.set_long(1);
    // Each goes to the table at once.
    commit(&mut log, None, Some(5));
    commit(&mut log, None, Some(7));
    assert_eq!(number(&mut log), Some(7));
    log.set_long(u64::MAX);
    commit(&mut log, None, Some(8));
    log.set_long(1);
    commit(&mut log, None, Some(9));
    log.set_long(u64::MAX);
    commit(&mut log, None, Some(10));
    assert_eq!(number(&mut log), Some(10));
    commit(&mut log, None, Some(11));
    log.set_long(1);
    commit(&mut log, Some(b"other keys"), None);
    assert_eq!(number(&mut log), None, "of the session before");
}

#[test]
fn sessions_are_given_up_when_their_numbers_are_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    for batch in [
        session_batch(Some(b"keys"), None),
        session_batch(None, Some(5)),
    ] {
        state.submit(batch).expect("room");
    }
    drop(state);
    let log = directory.path().join(DIRECTORY).join("dtls-numbers.log");
    std::fs::remove_file(log).expect("a log");
    let state = EmbeddedState::open(directory.path()).expect("it opens without the log");
    assert_eq!(sessions(&state, Some(b"keys")), (vec![], 1), "and counted");
    state
        .submit(session_batch(Some(b"keys"), None))
        .expect("room");
    let state = reopened(state, directory.path());
    assert_eq!(sessions(&state, None).0.len(), 1, "later ones are kept");
}

fn sessions(state: &EmbeddedState, renewed: Option<&[u8]>) -> (Vec<(u32, Vec<u8>)>, u64) {
    let mut found = Vec::new();
    let read = state.read_sessions(0, &mut |slot, record, _| {
        found.push((slot, record.to_vec()));
        renewed.map(<[u8]>::to_vec)
    });
    (found, read.expect("readable").unreadable)
}

#[test]
fn sessions_are_there_again_as_they_were_renewed_and_never_in_clear() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = EmbeddedState::open(directory.path()).expect("a new store");
    let mut changes = batch(0, &[(7, Some(b"an endpoint"))]);
    let start = changes.bytes.len();
    changes.bytes.extend_from_slice(b"secret keys");
    let range = start..changes.bytes.len();
    let changed = [(7, SessionChange::Record(range)), (8, SessionChange::Over)];
    changes.sessions.extend(changed);
    state.submit(changes).expect("room");
    let state = reopened(state, directory.path());
    let kept = vec![(7, b"secret keys".to_vec())];
    assert_eq!(sessions(&state, Some(b"renewed keys")), (kept, 0));
    let renewed = vec![(7, b"renewed keys".to_vec())];
    assert_eq!(sessions(&state, Some(b"renewed keys")), (renewed, 0));
    drop(state);
    let files = std::fs::read_dir(directory.path().join(DIRECTORY)).expect("a directory");
    let journals = files.map(|file| file.expect("an entry").path());
    for file in journals.filter(|path| path.is_file()) {
        let bytes = std::fs::read(file).expect("readable");
        assert!(!bytes.windows(4).any(|part| part == b"keys"));
    }
    std::fs::remove_file(directory.path().join(sealed::KEY_FILE)).expect("a key");
    let state = EmbeddedState::open(directory.path()).expect("it opens without its key");
    assert_eq!(sessions(&state, None), (vec![], 1));
    assert_eq!(sessions(&state, None), (vec![], 0), "they are dropped");
}
