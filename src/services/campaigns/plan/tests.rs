use super::super::rules::Window;
use super::*;

const SECOND: UnixMillis = 1_000;
const HOUR: UnixMillis = 3_600 * SECOND;

/// A Monday at midnight, UTC.
const BEGIN: UnixMillis = 1_700_438_400_000;

fn rules() -> Rules {
    Rules::default()
}

fn plan(rules: Rules, devices: u32) -> Plan {
    Plan::new(rules, devices, BEGIN)
}

fn finish(plan: &mut Plan, devices: &[u32], updated: bool) {
    for device in devices {
        assert!(plan.ended(*device, updated).is_some());
    }
}

#[test]
fn never_more_devices_run_than_allowed_and_each_gets_one_turn() {
    let mut plan = plan(
        Rules {
            concurrency: 3,
            ..rules()
        },
        10,
    );
    let mut seen = Vec::new();
    let mut running = plan.next(BEGIN, 100);
    while let Some(device) = running.pop() {
        assert!(plan.counts().running <= 3);
        seen.push(device);
        plan.ended(device, true);
        running.extend(plan.next(BEGIN, 100));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!(plan.kept().phase, Phase::Completed);
    assert_eq!(plan.counts().updated, 10);
    assert_eq!(plan.wake_at(BEGIN), None);
}

#[test]
fn devices_are_begun_with_at_the_rate_and_not_faster() {
    let mut plan = plan(
        Rules {
            per_minute: Some(120),
            concurrency: 1_000,
            ..rules()
        },
        1_000,
    );
    let mut begun = 0;
    let mut now = BEGIN;
    while now < BEGIN + 60 * SECOND {
        begun += plan.next(now, 100).len();
        let wake = plan.wake_at(now).unwrap();
        assert!(wake > now, "it does not spin");
        now = wake;
    }
    assert!((120..=122).contains(&begun), "{begun}");
}

#[test]
fn a_pause_of_the_rate_gives_no_burst_afterwards() {
    let mut plan = plan(
        Rules {
            per_minute: Some(60),
            ..rules()
        },
        100,
    );
    plan.next(BEGIN, 100);
    assert!(plan.pause());
    assert!(plan.next(BEGIN + HOUR, 100).is_empty());
    assert_eq!(
        plan.wake_at(BEGIN + HOUR),
        Some(BEGIN + 24 * HOUR),
        "the running device's time"
    );
    assert!(plan.resume(BEGIN + HOUR));
    assert_eq!(plan.next(BEGIN + HOUR, 100).len(), 1);
}

#[test]
fn the_others_wait_until_the_first_ones_are_through() {
    let mut plan = plan(
        Rules {
            canary_percent: 5,
            ..rules()
        },
        100,
    );
    let first = plan.next(BEGIN, 100);
    assert_eq!(first.len(), 5);
    finish(&mut plan, &first[..4], true);
    assert!(plan.next(BEGIN, 100).is_empty());
    assert!(plan.wake_at(BEGIN).unwrap() > BEGIN + HOUR);
    finish(&mut plan, &first[4..], true);
    assert_eq!(plan.next(BEGIN, 100).len(), 95);
}

#[test]
fn it_stops_when_too_many_of_the_first_ones_fail_and_goes_on_when_told_to() {
    let mut plan = plan(
        Rules {
            canary_percent: 5,
            ..rules()
        },
        100,
    );
    let first = plan.next(BEGIN, 100);
    finish(&mut plan, &first[..1], false);
    finish(&mut plan, &first[1..], true);
    assert_eq!(plan.kept().phase, Phase::Stopped);
    assert!(plan.next(BEGIN, 100).is_empty());
    assert!(plan.resume(BEGIN));
    assert_eq!(plan.next(BEGIN, 100).len(), 95);
}

#[test]
fn an_absent_device_makes_room_for_another_first_one_and_is_next_when_it_comes() {
    let mut plan = plan(
        Rules {
            canary_percent: 2,
            ..rules()
        },
        100,
    );
    assert_eq!(plan.next(BEGIN, 100), [0, 1]);
    plan.absent(0);
    assert_eq!(plan.counts().absent, 1);
    assert_eq!(plan.next(BEGIN, 100), [2]);
    finish(&mut plan, &[1, 2], true);
    plan.arrived(0);
    plan.arrived(50);
    assert_eq!(plan.next(BEGIN, 1), [0]);
    assert_eq!(plan.attempts(0), 1);
}

#[test]
fn it_stops_later_when_ten_have_finished_and_too_many_failed() {
    let mut plan = plan(
        Rules {
            max_failure_percent: 20,
            ..rules()
        },
        100,
    );
    let begun = plan.next(BEGIN, 100);
    finish(&mut plan, &begun[..9], false);
    assert_eq!(plan.kept().phase, Phase::Running, "nine say little");
    finish(&mut plan, &begun[9..10], true);
    assert_eq!(plan.kept().phase, Phase::Stopped);
    assert!(plan.resume(BEGIN));
    finish(&mut plan, &begun[10..20], true);
    assert_eq!(plan.kept().phase, Phase::Running, "those before are judged");
}

#[test]
fn a_failed_device_has_as_many_more_turns_as_the_rules_say() {
    let mut plan = plan(
        Rules {
            retries: 2,
            ..rules()
        },
        1,
    );
    for _ in 0..2 {
        assert_eq!(plan.next(BEGIN, 1), [0]);
        assert_eq!(plan.ended(0, false), Some(Standing::Waiting));
    }
    assert_eq!(plan.next(BEGIN, 1), [0]);
    assert_eq!(plan.ended(0, false), Some(Standing::Failed));
    assert_eq!(plan.ended(0, true), None, "it is over");
    assert_eq!(plan.kept().phase, Phase::Completed);
    assert_eq!(plan.retry(BEGIN), [0]);
    assert_eq!(plan.kept().phase, Phase::Running);
    assert_eq!(plan.next(BEGIN, 1), [0]);
}

#[test]
fn a_device_that_does_not_end_is_given_up_after_its_time() {
    let mut plan = plan(
        Rules {
            device_timeout_minutes: 60,
            ..rules()
        },
        2,
    );
    plan.next(BEGIN, 1);
    plan.next(BEGIN + 60 * SECOND, 1);
    assert_eq!(plan.wake_at(BEGIN + 60 * SECOND), Some(BEGIN + HOUR));
    assert!(plan.overdue(BEGIN + HOUR - 1).is_empty());
    assert_eq!(plan.overdue(BEGIN + HOUR), [0]);
}

#[test]
fn devices_are_begun_with_in_the_window_only_also_past_midnight() {
    let window = |from: &str, to: &str| {
        Some(Window {
            from: from.to_owned(),
            to: to.to_owned(),
        })
    };
    let day = Rules {
        window: window("02:30", "04:00"),
        ..rules()
    };
    let mut plan = plan(day, 100);
    assert!(plan.next(BEGIN, 1).is_empty());
    assert_eq!(plan.wake_at(BEGIN), Some(BEGIN + 150 * 60 * SECOND));
    assert_eq!(plan.next(BEGIN + 3 * HOUR, 1).len(), 1);
    assert!(plan.next(BEGIN + 4 * HOUR, 1).is_empty());

    let night = Rules {
        window: window("22:00", "05:00"),
        ..rules()
    };
    let mut plan = Plan::new(night, 100, BEGIN);
    for (hour, opens) in [
        (0, true),
        (4, true),
        (5, false),
        (21, false),
        (22, true),
        (23, true),
    ] {
        assert_eq!(
            !plan.next(BEGIN + hour * HOUR, 1).is_empty(),
            opens,
            "{hour}"
        );
    }
}

#[test]
fn its_time_over_it_is_complete_once_nothing_runs() {
    let mut plan = plan(
        Rules {
            concurrency: 1,
            not_before: Some(BEGIN + HOUR),
            not_after: Some(BEGIN + 2 * HOUR),
            ..rules()
        },
        3,
    );
    assert!(plan.next(BEGIN, 1).is_empty());
    assert_eq!(plan.wake_at(BEGIN), Some(BEGIN + HOUR));
    assert_eq!(plan.next(BEGIN + HOUR, 9), [0]);
    assert!(!plan.expire(BEGIN + 2 * HOUR), "one is running");
    plan.ended(0, true);
    assert!(plan.next(BEGIN + 2 * HOUR, 9).is_empty());
    assert!(plan.expire(BEGIN + 2 * HOUR));
    assert_eq!((plan.counts().updated, plan.counts().cancelled), (1, 2));
}

#[test]
fn cancelling_names_the_running_devices_and_leaves_none_waiting() {
    let mut plan = plan(
        Rules {
            concurrency: 2,
            ..rules()
        },
        10,
    );
    let mut begun = plan.next(BEGIN, 10);
    let mut cancelled = plan.cancel().unwrap();
    begun.sort_unstable();
    cancelled.sort_unstable();
    assert_eq!(cancelled, begun);
    assert_eq!(plan.counts().cancelled, 10);
    assert!(plan.cancel().is_none() && !plan.resume(BEGIN));
    assert!(plan.next(BEGIN, 10).is_empty());
}

#[test]
fn a_restored_plan_goes_on_where_it_was() {
    let rules = Rules {
        canary_percent: 10,
        concurrency: 5,
        ..rules()
    };
    let mut before = plan(rules.clone(), 20);
    assert_eq!(before.next(BEGIN, 100), [0, 1]);
    before.ended(0, true);
    let devices = (0..20).map(|number| Device {
        standing: before.standing(number).unwrap(),
        attempts: before.attempts(number),
        began: BEGIN,
    });
    let mut after = Plan::restored(rules, before.kept(), devices, BEGIN + HOUR);
    assert_eq!(after.counts(), before.counts());
    assert!(
        after.next(BEGIN + HOUR, 100).is_empty(),
        "the first ones are not through"
    );
    assert_eq!(after.overdue(BEGIN + 24 * HOUR), [1], "its time goes on");
    after.ended(1, true);
    assert_eq!(after.next(BEGIN + HOUR, 100).len(), 5);
}

#[test]
fn a_hundred_thousand_devices_are_planned_in_steps_that_do_not_look_at_all_of_them() {
    let mut plan = plan(
        Rules {
            concurrency: 1_000,
            ..rules()
        },
        100_000,
    );
    let mut steps = 0;
    while plan.is_active() {
        let turns = plan.next(BEGIN, 250);
        assert!(turns.len() <= 250);
        for device in turns {
            plan.ended(device, true);
            plan.wake_at(BEGIN);
            steps += 1;
        }
    }
    assert_eq!(steps, 100_000);
    assert_eq!(plan.counts().updated, 100_000);
}
