//! Endpoints that are kept, and come back in another process: maybe later, maybe under another
//! profile.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use super::plans::{asked, content, mapping, planned};
use super::*;
use crate::engine::endpoint::profile_parts::{PlannedStep, ProfileParts};
use crate::engine::persistence::{
    Begun, Fate, Persistence, Read, Renew, Restored, SessionChange, StateBatch, StateError,
    StateStore,
};
use crate::proto::time::UnixMillis;

/// A store in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    records: Mutex<BTreeMap<u32, Vec<u8>>>,
    pub(super) sessions: Mutex<BTreeMap<u32, Vec<u8>>>,
    pub(super) numbers: Mutex<BTreeMap<u32, u64>>,
    plans: Mutex<HashMap<u64, Vec<u8>>>,
    /// Slots written, in order.
    written: Mutex<Vec<u32>>,
    full: std::sync::atomic::AtomicBool,
}

impl StateStore for Memory {
    fn begin(&self, _: u8) -> Result<Begun, StateError> {
        unreachable!("the supervisor asks, not the shard")
    }

    fn read(&self, _: u8, take: &mut dyn FnMut(u32, &[u8]) -> Fate) -> Result<Read, StateError> {
        let mut records = self.records.lock().unwrap();
        records.retain(|slot, record| take(*slot, record) == Fate::Keep);
        Ok(Read::default())
    }

    fn read_sessions(&self, _: u8, take: Renew<'_>) -> Result<Read, StateError> {
        let mut sessions = self.sessions.lock().unwrap();
        let mut numbers = self.numbers.lock().unwrap();
        sessions.retain(
            |slot, record| match take(*slot, record, numbers.remove(slot)) {
                Some(renewed) => {
                    *record = renewed;
                    true
                }
                None => false,
            },
        );
        Ok(Read::default())
    }

    fn keep_plans(&self, _: &HashSet<u64>) -> Result<(), StateError> {
        Ok(())
    }

    fn submit(&self, batch: StateBatch) -> Result<(), StateBatch> {
        if self.full.load(Relaxed) {
            return Err(batch);
        }
        self.plans.lock().unwrap().extend(batch.plans);
        let mut sessions = self.sessions.lock().unwrap();
        let mut numbers = self.numbers.lock().unwrap();
        for (slot, change) in batch.sessions {
            if let SessionChange::Number(number) = change {
                numbers.insert(slot, number);
                continue;
            }
            numbers.remove(&slot);
            match change {
                SessionChange::Record(range) => sessions.insert(slot, batch.bytes[range].to_vec()),
                _ => sessions.remove(&slot),
            };
        }
        let mut records = self.records.lock().unwrap();
        for (slot, range) in batch.records {
            self.written.lock().unwrap().push(slot);
            match range {
                Some(range) => records.insert(slot, batch.bytes[range].to_vec()),
                None => records.remove(&slot),
            };
        }
        Ok(())
    }
}

impl Memory {
    pub(super) fn writes(&self) -> usize {
        std::mem::take(&mut *self.written.lock().unwrap()).len()
    }
}

fn profile(mappings: &[(&str, &str)], steps: Vec<PlannedStep>) -> ProfileParts {
    ProfileParts {
        name: "default".to_owned(),
        mappings: mappings
            .iter()
            .map(|(path, key)| mapping(path, key))
            .collect(),
        steps,
        ..ProfileParts::default()
    }
}

fn observe(path: &str) -> PlannedStep {
    PlannedStep::Observe(planned(path))
}

/// A shard on what is stored, `later` milliseconds after the former one served last.
pub(super) fn start(
    memory: &Arc<Memory>,
    parts: ProfileParts,
    later: UnixMillis,
) -> (Bench, Restored) {
    let mut bench = super::plans::bench(parts);
    let served_until = bench.now.wall;
    bench.now.wall += later;
    bench.now.tick = Tick::from_millis(1_000_000_000);
    // Not held any more when the restored shard hands its first changes over.
    let plans: HashMap<_, _> = {
        let plans = memory.plans.lock().unwrap();
        let read = |record: &Vec<u8>| ProfilePlan::from_record(record).expect("a profile");
        let plans = plans.iter();
        plans
            .map(|(number, record)| (*number, read(record)))
            .collect()
    };
    let persistence = Persistence {
        store: Arc::clone(memory) as Arc<dyn StateStore>,
        plans: Arc::new(plans),
        served_until: Some(served_until),
    };
    let (restored, _) = bench.shard.restore(bench.now, persistence).unwrap();
    (bench, restored)
}

/// Says what the value of an observed or read resource is.
fn comply(request: &Sent) -> (Code, Vec<(u16, u32)>, Vec<u8>) {
    content(b"50", 0, request.view().observe() == Some(0))
}

/// A device that has answered everything and is stored.
fn stored(memory: &Arc<Memory>, parts: ProfileParts) -> (Bench, String) {
    let (mut bench, _) = start(memory, parts, 0);
    let (location, sent) = registered(&mut bench, peer(1), "dev-1");
    asked(&mut bench, sent, comply);
    bench.wait(200);
    (bench, location)
}

fn battery() -> ProfileParts {
    profile(&[("/3/0/9", "battery")], vec![observe("/3/0/9")])
}

fn update(bench: &mut Bench, mid: u16, location: &str, query: &[&str]) -> Code {
    let update = request(Code::POST, mid, location, query, b"");
    bench.send(peer(1), &update).remove(0).code()
}

#[test]
fn a_keep_alive_is_not_written_and_what_changes_something_once_per_interval() {
    let memory = Arc::default();
    let (mut bench, location) = stored(&memory, battery());
    assert!(memory.writes() > 0);
    assert_eq!(update(&mut bench, 1, &location, &[]), Code::CHANGED);
    assert_eq!(update(&mut bench, 2, &location, &["lt=300"]), Code::CHANGED);
    bench.wait(300);
    assert_eq!(memory.writes(), 0, "it moved a deadline alone");
    for mid in 3..9 {
        let lifetime = format!("lt={}", 300 + mid);
        assert_eq!(
            update(&mut bench, mid, &location, &[&lifetime]),
            Code::CHANGED
        );
    }
    bench.wait(300);
    assert_eq!(memory.writes(), 1);
    assert_eq!(bench.metric("lwm2m_state_waiting"), 0.0);
}

#[test]
fn what_the_store_does_not_take_is_handed_over_when_it_does() {
    let memory = Arc::default();
    let (mut bench, location) = stored(&memory, battery());
    memory.full.store(true, Relaxed);
    assert_eq!(update(&mut bench, 1, &location, &["lt=111"]), Code::CHANGED);
    bench.wait(300);
    assert_eq!(update(&mut bench, 2, &location, &["lt=222"]), Code::CHANGED);
    bench.wait(300);
    assert!(bench.metric("lwm2m_state_deferred_total") > 1.0);
    assert!(bench.metric("lwm2m_state_waiting") >= 1.0);
    memory.full.store(false, Relaxed);
    bench.wait(300);
    assert_eq!(bench.metric("lwm2m_state_waiting"), 0.0);
    let (mut again, _) = start(&memory, battery(), 0);
    assert_eq!(again.registration("dev-1").lifetime, Some(222));
}

#[test]
fn an_endpoint_lives_on_where_it_was() {
    let memory = Arc::default();
    let (mut before, location) = stored(&memory, battery());
    let view = before.registration("dev-1");
    let (mut bench, restored) = start(&memory, battery(), 5_000);
    assert_eq!(restored.registered, 1);
    assert!(bench.wait(1_000).is_empty(), "nothing is asked of it");
    let after = bench.registration("dev-1");
    assert_eq!(after.id, view.id);
    assert_eq!(after.registered_at, view.registered_at);
    assert_eq!(after.last_seen, view.last_seen);
    assert_eq!(
        after.expires,
        Some(bench.now.wall - 1_000 + 300_000),
        "the lifetime begins anew"
    );
    let values = |bench: &mut Bench| serde_json::to_value(bench.telemetry("dev-1")).unwrap();
    assert_eq!(values(&mut bench), values(&mut before));
    assert_eq!(update(&mut bench, 7, &location, &[]), Code::CHANGED);
    assert_eq!(
        bench.metric("lwm2m_registrations{security=\"NO_SEC\",state=\"registered\"}"),
        1.0
    );
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 1.0);
}

#[test]
fn a_profile_edited_meanwhile_costs_the_difference_and_values_keep_their_keys() {
    let memory = Arc::default();
    let old = profile(
        &[("/3/0/9", "battery"), ("/3/0/13", "clock")],
        vec![observe("/3/0/9"), observe("/3/0/13")],
    );
    stored(&memory, old);
    let new = profile(
        &[
            ("/3303/0/5700", "temperature"),
            ("/3/0/13", "clock"),
            ("/3/0/9", "battery"),
        ],
        vec![observe("/3303/0/5700"), observe("/3/0/13")],
    );
    let (mut bench, _) = start(&memory, new.clone(), 1_000);
    let telemetry = bench.telemetry("dev-1");
    let keys: Vec<_> = telemetry.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["battery", "clock"],
        "before the change has reached it"
    );
    let sent = bench.wait(2_000);
    let asked = asked(&mut bench, sent, comply);
    assert_eq!(
        asked,
        [
            (Code::GET, "/3/0/9".to_owned(), Some(1)),
            (Code::GET, "/3303/0/5700".to_owned(), Some(0)),
        ]
    );
    assert_eq!(bench.telemetry("dev-1").len(), 3);
    bench.wait(300);
    let (mut again, _) = start(&memory, new, 1_000);
    assert!(again.wait(2_000).is_empty(), "the change is done");
    assert_eq!(again.telemetry("dev-1").len(), 3);
}

#[test]
fn a_change_the_restart_interrupted_is_finished() {
    let memory = Arc::default();
    let (mut bench, _) = stored(&memory, battery());
    let new = profile(&[("/3/0/13", "clock")], vec![observe("/3/0/13")]);
    bench.shared.profiles.put(vec![new.clone()]).unwrap();
    bench.shard.on_command(Command::LookAtProfiles);
    // The device is asked, and answers to nobody.
    assert_eq!(bench.wait(300).len(), 1);
    let (mut bench, _) = start(&memory, new, 1_000);
    let sent = bench.wait(2_000);
    let asked = asked(&mut bench, sent, comply);
    let (cancel, observe) = (("/3/0/9", Some(1)), ("/3/0/13", Some(0)));
    let asked: Vec<_> = asked
        .iter()
        .map(|(_, path, mode)| (path.as_str(), *mode))
        .collect();
    assert_eq!(asked, [cancel, observe]);
}

#[test]
fn a_lifetime_that_ran_out_while_nobody_served_has_ended() {
    let memory = Arc::default();
    let (_, location) = stored(&memory, battery());
    let (mut bench, restored) = start(&memory, battery(), 301_000);
    assert_eq!((restored.registered, restored.expired), (0, 1));
    assert_eq!(update(&mut bench, 7, &location, &[]), Code::NOT_FOUND);
    assert_eq!(bench.event_names(), ["expired"]);
    assert_eq!(bench.telemetry("dev-1").len(), 1, "its values stay");
}

#[test]
fn an_endpoint_that_is_removed_is_not_there_again_and_its_slot_serves_another() {
    let memory: Arc<Memory> = Arc::default();
    let (mut bench, _) = stored(&memory, battery());
    let (reply, mut removed) = oneshot::channel();
    bench.shard.on_command(Command::Remove {
        slot: 0,
        endpoint: "dev-1".to_owned(),
        reply,
    });
    assert_eq!(removed.try_recv(), Ok(true));
    bench.wait(300);
    assert!(memory.records.lock().unwrap().is_empty());
    registered(&mut bench, peer(2), "dev-2");
    bench.wait(300);
    let (again, restored) = start(&memory, battery(), 0);
    assert_eq!(restored.registered, 1);
    assert_eq!(
        again.shared.directory.home("dev-2").map(|home| home.slot),
        Some(0)
    );
}

#[test]
fn a_record_that_cannot_be_read_costs_its_endpoint_alone() {
    let memory: Arc<Memory> = Arc::default();
    let (mut bench, _) = stored(&memory, battery());
    registered(&mut bench, peer(2), "dev-2");
    bench.wait(300);
    memory
        .records
        .lock()
        .unwrap()
        .get_mut(&0)
        .unwrap()
        .truncate(20);
    let (bench, restored) = start(&memory, battery(), 0);
    assert_eq!((restored.registered, restored.unreadable), (1, 1));
    assert!(bench.shared.directory.home("dev-1").is_none());
    assert!(bench.shared.directory.home("dev-2").is_some());
}

#[test]
fn a_profile_whose_record_is_lost_is_set_up_anew() {
    let memory: Arc<Memory> = Arc::default();
    stored(&memory, battery());
    memory.plans.lock().unwrap().clear();
    let new = profile(&[("/3/0/13", "clock")], vec![observe("/3/0/13")]);
    let (mut bench, restored) = start(&memory, new, 0);
    assert_eq!(restored.registered, 1);
    let sent = bench.wait(2_000);
    let asked = asked(&mut bench, sent, comply);
    assert_eq!(asked, [(Code::GET, "/3/0/13".to_owned(), Some(0))]);
}

#[test]
fn everything_is_handed_over_before_the_shard_ends() {
    let memory = Arc::default();
    let (mut bench, location) = stored(&memory, battery());
    assert_eq!(update(&mut bench, 1, &location, &["lt=999"]), Code::CHANGED);
    memory.full.store(true, Relaxed);
    let (reply, mut drained) = oneshot::channel();
    assert!(!bench.shard.on_command(Command::Drain { reply }));
    assert!(!bench.shard.drain(), "the store takes nothing");
    assert!(drained.try_recv().is_err());
    memory.full.store(false, Relaxed);
    assert!(bench.shard.drain());
    assert_eq!(drained.try_recv(), Ok(()));
    let (mut again, _) = start(&memory, battery(), 0);
    assert_eq!(again.registration("dev-1").lifetime, Some(999));
}
