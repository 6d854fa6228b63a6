//! Waiting for what happens in other processes.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(25);

/// Looks until it succeeds; fails with what was seen last.
pub fn eventually<T, E: Debug>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() >= deadline => {
                panic!("not after {PATIENCE:?}: {what}; last seen: {seen:?}")
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Looks until it holds.
pub fn until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "not after {patience:?}: {what}");
        thread::sleep(PAUSE);
    }
}
