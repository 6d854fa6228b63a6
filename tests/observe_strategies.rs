//! `loadtest observe` against the engine as users start it: what the strategies bring about, and what is left behind.

#[path = "support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

use std::fs;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use loadtest::cli::Cli;
use loadtest::observe::{
    ObserveOptions, ObserveReport, Pattern, Settings, Strategy, StrategyReport, run,
};
use serde_json::Value;
use support::engine::Engine;

const CLIENTS: u32 = 20;

fn measure(engine: &Engine, settings: &Settings, strategies: &[Strategy]) -> ObserveReport {
    let options = ObserveOptions {
        server: engine.coap().to_string(),
        api: engine.api(),
        token: None,
        strategies: strategies.to_vec(),
        server_pid: Some(engine.process_id()),
        keep: false,
        quiet: true,
    };
    run(settings, &options, &AtomicBool::new(false)).expect("the benchmark runs")
}

/// Two seconds of the clock for each strategy.
fn short() -> Settings {
    Settings {
        clients: CLIENTS,
        change_every: 20.0,
        poll_every: 10.0,
        duration: 80.0,
        speed: 40.0,
        ..Settings::default()
    }
}

fn of(report: &ObserveReport, strategy: Strategy) -> &StrategyReport {
    let named = |one: &&StrategyReport| one.strategy == strategy.name();
    report
        .strategies
        .iter()
        .find(named)
        .expect("it was measured")
}

#[test]
fn the_same_changes_reach_the_server_by_every_strategy() {
    let engine = Engine::start();
    let all = [
        Strategy::Single,
        Strategy::CompositeAll,
        Strategy::CompositeByObject,
        Strategy::Poll,
        Strategy::PollComposite,
    ];
    let report = measure(&engine, &short(), &all);
    let strategy = |strategy| of(&report, strategy);

    for (one, observations) in all.into_iter().zip([10.0, 1.0, 3.0, 0.0, 0.0]) {
        let outcome = strategy(one);
        let name = outcome.strategy;
        assert!(
            (outcome.observations_per_device - observations).abs() < 1e-9,
            "{name}: {}",
            outcome.observations_per_device
        );
        assert_eq!(
            outcome.changes,
            strategy(Strategy::Single).changes,
            "{name}"
        );
        assert!(outcome.changes > 400, "{name}: {}", outcome.changes);
        assert_eq!(outcome.ready_ms.count, u64::from(CLIENTS), "{name}");
        assert_eq!(outcome.values_dropped, 0, "{name}");
        assert_eq!(outcome.trouble.refused_requests, 0, "{name}");
        assert_eq!(outcome.trouble.lost_messages, 0, "{name}");
        assert!(outcome.server.is_some(), "{name}");
        // What changed after the last poll of a device is not seen any more.
        let least = if one.polls() { 0.6 } else { 1.0 };
        let seen = outcome.followed_seen as f64 / outcome.followed_changes as f64;
        assert!(seen >= least, "{name}: {seen:.2} of the changes seen");
    }

    let single = strategy(Strategy::Single);
    assert_eq!(single.notifications, single.changes, "one for each change");
    assert_eq!(single.values_taken, single.changes);
    let together = strategy(Strategy::CompositeAll);
    assert_eq!(together.values_taken, together.notifications * 10);
    let by_object = strategy(Strategy::CompositeByObject);
    assert!(together.packets() < by_object.packets() && by_object.packets() < single.packets());
    assert!(
        together.latency_ms.p99 < 1_000.0,
        "{:?}",
        together.latency_ms
    );

    let poll = strategy(Strategy::Poll);
    assert_eq!(poll.polls_failed, 0);
    assert!(
        poll.polls >= 8 * 10 * u64::from(CLIENTS) * 9 / 10,
        "{}",
        poll.polls
    );
    assert!(poll.per_device_hour.packets_down > 0.9 * poll.per_device_hour.packets_up);
    assert!(strategy(Strategy::PollComposite).packets() < poll.packets() / 5.0);
    assert!(poll.age_s.p50 > 10.0 * single.age_s.p50, "{:?}", poll.age_s);
    assert_eq!(report.advice.baseline, Some("SINGLE"));

    let devices = engine.get("/api/v1/devices");
    assert_eq!(devices["items"].as_array().unwrap().len(), 0, "{devices}");
    let profiles = engine.get("/api/v1/profiles");
    assert_eq!(profiles["items"].as_array().unwrap().len(), 1, "{profiles}");
}

#[test]
fn a_minimum_period_lets_a_composite_gather_what_single_observations_tell_one_by_one() {
    let engine = Engine::start();
    let settings = Settings {
        pattern: Pattern::Independent,
        change_every: 300.0,
        pmin: Some(240),
        duration: 1_200.0,
        speed: 400.0,
        ..short()
    };
    let strategies = [Strategy::Single, Strategy::CompositeAll];
    let report = measure(&engine, &settings, &strategies);
    let [single, together] = strategies.map(|strategy| of(&report, strategy));
    assert!(
        together.wake_ups < single.wake_ups / 3.0,
        "{:.1} against {:.1}",
        together.wake_ups,
        single.wake_ups
    );
    for technology in ["NB-IoT", "LTE-M"] {
        assert!(together.charge(technology) < single.charge(technology) / 2.0);
    }
    assert_eq!(together.followed_changes, single.followed_changes);
    assert!(
        together.age_s.p50 > 1.0,
        "gathering takes its time: {:?}",
        together.age_s
    );
    assert_eq!(report.advice.best, Some("COMPOSITE_ALL"));
}

#[test]
fn the_command_writes_both_reports_and_leaves_what_it_is_told_to_keep() {
    let engine = Engine::start();
    let directory = tempfile::tempdir().expect("a directory for the reports");
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (json, html) = (path("report.json"), path("report.html"));
    let (server, api) = (engine.coap().to_string(), engine.api());
    let arguments = [
        ["--server", &server],
        ["--api", &api],
        ["--clients", "3"],
        ["--resources", "6"],
        ["--change-every", "20"],
        ["--duration", "40"],
        ["--speed", "40"],
        ["--strategies", "composite-by-object"],
        ["--composite-format", "senml-json"],
        ["--endpoint-prefix", "kept-"],
        ["--report", &json],
        ["--html", &html],
    ];
    let all = ["loadtest", "observe", "--quiet", "--keep"];
    let cli = Cli::try_parse_from(all.into_iter().chain(arguments.concat()));
    assert!(
        cli.expect("the flags are known")
            .execute()
            .expect("it runs")
    );

    let report: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(report["strategies"][0]["strategy"], "COMPOSITE_BY_OBJECT");
    assert_eq!(report["settings"]["resources"], 6);
    assert!(report["strategies"][0]["notifications"].as_u64() > Some(0));
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("<svg") && page.contains("COMPOSITE_BY_OBJECT"));

    let endpoint = "kept-composite-by-object-0000002";
    let registration = engine.registration(endpoint);
    assert_eq!(
        registration["profile"], "kept-composite-by-object",
        "{registration}"
    );
    assert_eq!(registration["observations"].as_array().unwrap().len(), 3);
    let telemetry = engine.telemetry(endpoint);
    assert_eq!(telemetry.as_object().unwrap().len(), 6, "{telemetry}");
}

#[test]
fn devices_that_the_server_refuses_end_the_benchmark_with_its_words() {
    let engine = Engine::start_with(&["serve"], &[]);
    let options = ObserveOptions {
        server: engine.coap().to_string(),
        api: engine.api(),
        token: None,
        strategies: vec![Strategy::Single],
        server_pid: None,
        keep: true,
        quiet: true,
    };
    let refused = run(&short(), &options, &AtomicBool::new(false)).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("PUT /api/v1/profiles/observe-single: "),
        "{text}"
    );
    assert!(text.contains("token"), "{text}");
}
