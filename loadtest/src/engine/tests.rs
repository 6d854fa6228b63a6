//! Fleets over DTLS against a small LwM2M server behind the test double.

#[path = "../../tests/scripted_bootstrap/mod.rs"]
mod scripted_bootstrap;

use std::sync::atomic::AtomicBool;

use serde_json::Value;

use super::{RunOptions, run};
use scripted_bootstrap::{BootstrapServer, Script, steps};

use crate::dtls::double::gateway::{Gateway, Seen};
use crate::dtls::double::{IDENTITY, KEY, ServerOptions};
use crate::report::Report;
use crate::scenario::{BootstrapSettings, Phase, Scenario};
use crate::security::{
    RebindSettings, ReconnectSettings, Security, SecurityMode, SecuritySettings, certificate,
};

fn scenario(clients: u32, mode: SecurityMode) -> Scenario {
    let mut scenario = Scenario {
        phases: vec![
            Phase::Register { rate: 400.0 },
            Phase::Hold { duration: 1.2 },
            Phase::Deregister { rate: 400.0 },
        ],
        grace: 2.0,
        security: SecuritySettings {
            mode,
            ..SecuritySettings::default()
        },
        ..Scenario::default()
    };
    scenario.fleets[0].clients = clients;
    scenario.fleets[0].update_every = 0.5;
    scenario.fleets[0].notify_every = 0.0;
    scenario
}

fn options(scenario: &Scenario) -> ServerOptions {
    let mode = scenario.security.mode.credentials().unwrap();
    let security = Security::new(&scenario.security).unwrap().unwrap();
    ServerOptions {
        connection_id: true,
        tickets: true,
        key_of: Some(|identity| {
            let settings = SecuritySettings {
                mode: SecurityMode::Psk,
                ..SecuritySettings::default()
            };
            let security = Security::new(&settings).unwrap().unwrap();
            let endpoint = std::str::from_utf8(identity).unwrap();
            match security.login(endpoint).unwrap() {
                crate::dtls::Login::Psk { key, .. } => key,
                _ => unreachable!("the mode is psk"),
            }
        }),
        authority: security
            .authority_pem()
            .unwrap()
            .map(|pem| certificate(&pem).unwrap()),
        ..ServerOptions::new(mode)
    }
}

fn outcome(mut scenario: Scenario, options: &ServerOptions) -> (Value, Seen) {
    let gateway = Gateway::start(options);
    scenario.server = Some(gateway.address());
    scenario.check().unwrap();
    let quiet = RunOptions {
        quiet: true,
        ..RunOptions::default()
    };
    let record = run(&scenario, &quiet, &AtomicBool::new(false)).unwrap();
    let report = serde_json::to_value(Report::new(&record)).unwrap();
    (report, gateway.stop())
}

fn assert_ok(report: &Value, operation: &str, ok: u64) {
    let found = &report["operations"][operation];
    assert_eq!(
        (&found["ok"], &found["failed"]),
        (&ok.into(), &0.into()),
        "{operation}: {report:#}"
    );
}

#[test]
fn devices_live_a_whole_life_over_dtls_with_every_kind_of_credentials() {
    for mode in [SecurityMode::Psk, SecurityMode::Rpk, SecurityMode::X509] {
        let scenario = scenario(60, mode);
        let options = options(&scenario);
        let (report, seen) = outcome(scenario, &options);
        for operation in ["handshake", "register", "deregister"] {
            assert_ok(&report, operation, 60);
        }
        assert!(report["operations"]["update"]["ok"].as_u64().unwrap() >= 60);
        assert_eq!(report["operations"]["update"]["failed"], 0);
        assert!(
            report["operations"]["handshake"]["latency_us"]["p50"]
                .as_u64()
                .unwrap()
                > 0
        );
        let sessions = &report["sessions"];
        assert_eq!(sessions["handshakes"], 60);
        assert_eq!(sessions["with_connection_id"], 60);
        assert_eq!(sessions["records_dropped"], 0, "{report:#}");
        assert_eq!(report["registered"], 0);
        assert_eq!((seen.handshakes, seen.endpoints), (60, 60), "{mode:?}");
        assert_eq!(seen.closed, 60, "each says good-bye");
        assert_eq!(seen.reads, 60, "requests of the server are answered");
    }
}

#[test]
fn with_identifiers_a_rebind_storm_costs_no_handshake_and_nothing_fails() {
    let mut scenario = scenario(50, SecurityMode::Psk);
    scenario.security.client_connection_id = 3;
    scenario.security.rebind = Some(RebindSettings {
        at: 0.3,
        share: 0.5,
    });
    let options = options(&scenario);
    let (report, seen) = outcome(scenario, &options);
    assert_ok(&report, "handshake", 50);
    assert_ok(&report, "deregister", 50);
    assert_eq!(report["operations"]["update"]["failed"], 0);
    assert_eq!(report["sessions"]["rebinds"], 25);
    assert_eq!(seen.moved, 25, "{report:#}");
    assert_eq!(report["phases"][2]["name"], "rebind");
}

#[test]
fn without_identifiers_rebound_devices_go_deaf_until_they_give_up() {
    let mut scenario = scenario(10, SecurityMode::Psk);
    scenario.security.connection_id = false;
    scenario.security.rebind = Some(RebindSettings {
        at: 0.0,
        share: 1.0,
    });
    scenario.phases.pop();
    scenario.grace = 0.0;
    let options = options(&scenario);
    let (report, seen) = outcome(scenario, &options);
    assert_eq!(report["sessions"]["with_connection_id"], 0);
    assert_eq!(report["operations"]["update"]["ok"], 0, "{report:#}");
    assert_eq!(seen.moved, 0);
    assert!(seen.dropped > 0);
}

#[test]
fn a_reconnect_storm_makes_new_sessions_which_may_be_resumed() {
    for resumption in [false, true] {
        let mut scenario = scenario(40, SecurityMode::Psk);
        scenario.security.resumption = resumption;
        scenario.security.max_handshakes = 7;
        scenario.security.reconnect = Some(ReconnectSettings {
            at: 0.2,
            share: 0.5,
            rate: 1_000.0,
        });
        let options = options(&scenario);
        let (report, seen) = outcome(scenario, &options);
        assert_ok(&report, "handshake", 60);
        assert_ok(&report, "register", 40);
        assert_ok(&report, "deregister", 40);
        let resumed = if resumption { 20 } else { 0 };
        assert_eq!(report["sessions"]["resumed"], resumed, "{report:#}");
        assert_eq!(seen.handshakes, 60);
        assert!(seen.most_at_once <= 7, "{}", seen.most_at_once);
        assert_eq!(report["phases"][2]["ok"]["handshake"], 20, "{report:#}");
    }
}

#[test]
fn handshakes_begin_no_faster_than_they_may() {
    let mut scenario = scenario(30, SecurityMode::Psk);
    scenario.phases = vec![Phase::Register { rate: 10_000.0 }];
    scenario.security.handshake_rate = 50.0;
    let options = options(&scenario);
    let (report, _) = outcome(scenario, &options);
    assert_ok(&report, "register", 30);
    let seconds = report["phases"][0]["seconds"].as_f64().unwrap();
    assert!((0.5..3.0).contains(&seconds), "{seconds} s");
    let longest = report["operations"]["handshake"]["latency_us"]["max"]
        .as_u64()
        .unwrap();
    assert!(longest > 500_000, "the wait counts: {longest} us");
}

#[test]
fn strangers_are_told_apart_in_the_report() {
    let mut scenario = scenario(5, SecurityMode::Psk);
    scenario.security.handshake_timeout = 1.0;
    scenario.phases.truncate(1);
    let known = ServerOptions {
        key_of: None,
        ..options(&scenario)
    };
    let (report, _) = outcome(scenario.clone(), &known);
    assert_eq!(report["errors"]["handshake.alert_115"], 5, "{report:#}");
    assert_eq!(report["registered"], 0);

    scenario.security.secret = "another".into();
    let options = options(&scenario);
    let (report, _) = outcome(scenario, &options);
    assert_eq!(report["errors"]["handshake.timed_out"], 5, "{report:#}");
}

#[test]
fn a_session_that_the_server_ends_is_made_anew_when_it_is_needed() {
    let scenario = scenario(10, SecurityMode::Psk);
    let options = options(&scenario);
    let gateway = Gateway::start(&options);
    gateway.close_after_register();
    let mut scenario = scenario;
    scenario.server = Some(gateway.address());
    let quiet = RunOptions {
        quiet: true,
        ..RunOptions::default()
    };
    let record = run(&scenario, &quiet, &AtomicBool::new(false)).unwrap();
    let report = serde_json::to_value(Report::new(&record)).unwrap();
    assert_eq!(report["sessions"]["closed"], 10, "{report:#}");
    assert_ok(&report, "handshake", 20);
    assert_ok(&report, "deregister", 10);
    assert_eq!(report["operations"]["update"]["failed"], 0);
    assert_eq!(gateway.stop().handshakes, 20);
}

#[test]
fn devices_that_are_told_a_key_make_sessions_with_it() {
    let gateway = Gateway::start(&ServerOptions {
        connection_id: true,
        ..ServerOptions::new(crate::dtls::Mode::Psk)
    });
    let uri = format!("coaps://{}", gateway.address());
    let bootstrap = BootstrapServer::start(Script {
        steps: steps(&uri, 0, IDENTITY, KEY),
        ..Script::default()
    });
    let mut scenario = scenario(40, SecurityMode::None);
    scenario.bootstrap = Some(BootstrapSettings::default());
    scenario.server = Some(bootstrap.address());
    let quiet = RunOptions {
        quiet: true,
        ..RunOptions::default()
    };
    let record = run(&scenario, &quiet, &AtomicBool::new(false)).unwrap();
    let report = serde_json::to_value(Report::new(&record)).unwrap();
    for operation in ["bootstrap", "handshake", "register", "deregister"] {
        assert_ok(&report, operation, 40);
    }
    assert_eq!(report["operations"]["update"]["failed"], 0);
    assert_eq!(bootstrap.stop().finished["2.04"], 40);
    let seen = gateway.stop();
    assert_eq!((seen.handshakes, seen.endpoints, seen.closed), (40, 40, 40));
}
