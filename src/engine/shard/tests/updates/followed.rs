//! What is told to the service of updates, and what it costs everybody else.

use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::engine::update::{Passed, UpdateStatus};

fn unheard() -> Lab {
    let lab = Lab::new(Device::new(Manner::default()));
    lab.bench.shared.listening.store(false, Relaxed);
    lab
}

#[test]
fn registers_and_ends_of_updates_are_told_and_nothing_else() {
    let mut lab = unheard();
    let mut told = lab.bench.shared.milestones.open().unwrap();
    lab.bench.shared.milestones.want(true);
    // Shards look at it at the beginning of a turn.
    lab.tick();
    lab.run(firmware(), 20);
    assert_eq!(lab.update().state, "UPDATED");
    let mut all = Vec::new();
    while let Ok(batch) = told.try_recv() {
        assert!(batch.iter().all(|told| &*told.endpoint == NAME));
        all.extend(batch.into_iter().map(|told| told.what));
    }
    let ended = Passed::Ended {
        kind: UpdateKind::Firmware,
        package: "package-1".into(),
        status: UpdateStatus::Updated,
        reason: None,
    };
    assert_eq!(all[0], Passed::Registered, "{all:?}");
    assert!(
        all.len() >= 2 && all[1..].iter().all(|told| *told == ended),
        "{all:?}"
    );
    assert!(
        lab.states.is_empty() && lab.progress.is_empty(),
        "no event is made"
    );
}

#[test]
fn nothing_is_told_while_nobody_wants_it() {
    let mut lab = unheard();
    let mut told = lab.bench.shared.milestones.open().unwrap();
    // Shards look at it at the beginning of a turn.
    lab.tick();
    lab.run(firmware(), 20);
    assert_eq!(lab.update().state, "UPDATED");
    assert!(told.try_recv().is_err());
    assert!(
        lab.states.is_empty() && lab.progress.is_empty(),
        "no event is made"
    );
}
