use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000;
const DAY: u64 = 86_400 * SECOND;
const YEAR: u64 = 365 * DAY;

/// What an owner of a wheel keeps: a deadline and the wheel's note for each slot.
struct Slab(Vec<Option<(Tick, WheelSlot)>>);

impl Deadlines for Slab {
    fn get(&mut self, slot: u32) -> Option<(Tick, &mut WheelSlot)> {
        self.0[slot as usize]
            .as_mut()
            .map(|(deadline, held)| (*deadline, held))
    }
}

struct Fixture {
    wheel: Wheel,
    slab: Slab,
    now: u64,
}

impl Fixture {
    fn new(slots: usize, now: u64) -> Self {
        Self {
            wheel: Wheel::new(Tick::from_millis(now)),
            slab: Slab(vec![None; slots]),
            now,
        }
    }

    fn arm_in(&mut self, slot: u32, millis: u64) -> u64 {
        let deadline = Tick::from_millis(self.now).plus_millis(millis);
        let entry = self.slab.0[slot as usize].get_or_insert((NEVER, WheelSlot::default()));
        entry.0 = deadline;
        self.wheel.arm(slot, &mut entry.1, deadline);
        deadline.as_millis()
    }

    /// Fired slots wait for nothing afterwards.
    fn advance_to(&mut self, now: u64, budget: usize) -> (Vec<u32>, bool) {
        self.now = now;
        let mut fired = Vec::new();
        let more = self
            .wheel
            .advance(Tick::from_millis(now), budget, &mut self.slab, &mut fired);
        for &slot in &fired {
            self.slab.0[slot as usize].as_mut().unwrap().0 = NEVER;
        }
        (fired, more)
    }
}

#[test]
fn a_deadline_fires_within_one_granule_and_never_early() {
    for deadline in [
        1,
        63,
        64,
        65,
        16_383,
        16_384,
        16_385,
        300 * SECOND,
        5_000 * SECOND,
        DAY,
        3 * YEAR,
    ] {
        let mut f = Fixture::new(1, 12_345);
        let at = f.arm_in(0, deadline);
        let mut looks = 0;
        loop {
            let wake = f.wheel.next_wake().unwrap().as_millis();
            assert!(wake > f.now, "{deadline}: a wake-up in the past");
            let (fired, _) = f.advance_to(wake, 100);
            looks += 1;
            if fired == [0] {
                break;
            }
        }
        assert!(
            (at..at + 64).contains(&f.now),
            "{deadline}: fired {} after",
            f.now - at
        );
        assert!(
            looks <= 3 + deadline / (69 * 60 * SECOND),
            "{deadline}: {looks} looks"
        );
        assert_eq!(f.wheel.next_wake(), None);
    }
}

#[test]
fn a_deadline_already_past_fires_with_the_next_granule() {
    let mut f = Fixture::new(1, 1_000);
    f.slab.0[0] = Some((Tick::from_millis(10), WheelSlot::default()));
    f.wheel.arm(
        0,
        &mut f.slab.0[0].as_mut().unwrap().1,
        Tick::from_millis(10),
    );
    assert_eq!(f.advance_to(1_064, 10).0, [0]);
}

#[test]
fn never_is_not_queued() {
    let mut f = Fixture::new(1, 0);
    f.arm_in(0, u64::MAX);
    assert_eq!(f.wheel.next_wake(), None);
}

#[test]
fn moving_a_deadline_later_makes_no_entry() {
    let mut f = Fixture::new(1, 0);
    f.arm_in(0, 300 * SECOND);
    let bytes = f.wheel.memory_bytes();
    for second in 0..290 {
        f.now = second * SECOND;
        f.arm_in(0, 300 * SECOND);
    }
    assert_eq!(f.wheel.memory_bytes(), bytes);
    assert!(f.advance_to(588 * SECOND, 10).0.is_empty());
    assert_eq!(f.advance_to(590 * SECOND, 10).0, [0]);
}

#[test]
fn going_back_and_forth_between_near_and_far_deadlines_leaves_nothing_behind() {
    let mut f = Fixture::new(1, 0);
    let mut bytes = 0;
    for exchange in 0..200_000 {
        f.arm_in(0, 3_600 * SECOND);
        f.arm_in(0, 2_500);
        f.arm_in(0, 3_600 * SECOND);
        f.advance_to(f.now + 50, 10);
        if exchange == 1_000 {
            bytes = f.wheel.memory_bytes();
        }
    }
    assert_eq!(f.wheel.memory_bytes(), bytes);
}

#[test]
fn near_deadlines_that_fire_leave_nothing_behind() {
    let mut f = Fixture::new(1, 0);
    let mut bytes = 0;
    for exchange in 0..100_000 {
        f.arm_in(0, 3_600 * SECOND);
        f.arm_in(0, 50);
        assert_eq!(f.advance_to(f.now + 128, 10).0, [0]);
        if exchange == 1_000 {
            bytes = f.wheel.memory_bytes();
        }
    }
    assert_eq!(f.wheel.memory_bytes(), bytes);
}

#[test]
fn the_budget_spreads_a_burst_over_calls() {
    let mut f = Fixture::new(1_000, 0);
    (0..1_000).for_each(|slot| _ = f.arm_in(slot, 5_000));
    let mut all = BTreeSet::new();
    let mut calls = 0;
    loop {
        let (fired, more) = f.advance_to(5_064, 100);
        assert!(fired.len() <= 100);
        all.extend(fired);
        calls += 1;
        if !more {
            break;
        }
    }
    assert_eq!(all.len(), 1_000);
    assert!((10..=14).contains(&calls), "{calls} calls");
}

#[test]
fn a_burst_of_near_deadlines_does_not_hold_up_the_far_ones() {
    let mut f = Fixture::new(10_000, 0);
    f.arm_in(9_999, 100 * SECOND);
    f.advance_to(99 * SECOND, 10);
    (0..9_000).for_each(|slot| _ = f.arm_in(slot, 10));
    let rounds = (0..9_000 / 100).position(|_| f.advance_to(120 * SECOND, 100).0.contains(&9_999));
    assert!(rounds.is_some_and(|rounds| rounds < 3), "{rounds:?}");
}

#[test]
fn an_entry_takes_less_than_nine_bytes() {
    const ENTRIES: u32 = 1_000_000;
    let mut f = Fixture::new(ENTRIES as usize, 0);
    for slot in 0..ENTRIES {
        f.arm_in(slot, 60 * SECOND + u64::from(slot % 300) * SECOND);
    }
    let bytes = f.wheel.memory_bytes() as f64 / f64::from(ENTRIES);
    assert!(bytes < 9.0, "{bytes} bytes");
}

#[test]
fn a_slot_costs_its_owner_eight_bytes() {
    assert_eq!(size_of::<WheelSlot>(), 8);
}

#[derive(Clone, Debug)]
enum Step {
    Arm { slot: u32, millis: u64 },
    Vacate { slot: u32 },
    NewTenant { slot: u32, millis: u64 },
    Advance { millis: u64, budget: usize },
}

fn delays() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..200_u64,
        0..20 * SECOND,
        0..600 * SECOND,
        0..2 * DAY,
        Just(16_384),
        Just(4_096 * 1_024),
        0..9 * YEAR,
        Just(u64::MAX)
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..24_u32, delays()).prop_map(|(slot, millis)| Step::Arm { slot, millis }),
        1 => (0..24_u32).prop_map(|slot| Step::Vacate { slot }),
        1 => (0..24_u32, delays()).prop_map(|(slot, millis)| Step::NewTenant { slot, millis }),
        4 => (delays().prop_map(|d| d.min(YEAR)), 1..60_usize)
            .prop_map(|(millis, budget)| Step::Advance { millis, budget }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn it_fires_what_a_sorted_map_of_deadlines_would(
        start in prop_oneof![0..10_000_u64, Just(u64::from(u32::MAX) * 64 - 5_000), Just(u64::from(u32::MAX) * 1_024)],
        steps in proptest::collection::vec(steps(), 1..120),
    ) {
        let mut f = Fixture::new(24, start);
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Arm { slot, millis } => drop(model.insert(slot, f.arm_in(slot, millis))),
                Step::Vacate { slot } => {
                    f.slab.0[slot as usize] = None;
                    model.remove(&slot);
                }
                Step::NewTenant { slot, millis } => {
                    f.slab.0[slot as usize] = None;
                    model.insert(slot, f.arm_in(slot, millis));
                }
                Step::Advance { millis, budget } => {
                    let now = f.now + millis;
                    loop {
                        let (fired, more) = f.advance_to(now, budget);
                        for slot in fired {
                            let deadline = model.remove(&slot);
                            prop_assert!(deadline.is_some_and(|d| d <= now), "{slot}: {deadline:?} at {now}");
                        }
                        if !more {
                            break;
                        }
                    }
                    let late = model.iter().find(|(_, deadline)| deadline.saturating_add(64) <= now);
                    prop_assert_eq!(late, None, "not fired at {}", now);
                    let first = model.values().min().copied().unwrap_or(u64::MAX);
                    if first != u64::MAX {
                        let wake = f.wheel.next_wake().map(Tick::as_millis);
                        prop_assert!(wake.is_some_and(|wake| wake < first.saturating_add(64)), "{wake:?} for {first}");
                    }
                }
            }
        }
    }
}
