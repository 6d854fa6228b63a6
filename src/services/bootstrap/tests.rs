use std::net::SocketAddr;

use serde_json::{Value, json};

use super::configure::{self, Refused};
use super::*;
use crate::engine::bootstrap::configuration::{AccountMode, Configuration};
use crate::engine::bootstrap::desk::Ticket;
use crate::engine::bootstrap::session::End;
use crate::engine::view::SecurityMode;
use crate::services::models::Models;
use crate::services::profiles::{ProfileSettings, Profiles, ServerPorts};
use crate::store::MemoryStore;

mod placement;

const NOW: UnixMillis = 1_700_000_000_000;
const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// Devices of a profile `p` with these servers.
async fn provisioning(servers: Value) -> Provisioning {
    with_profile(json!({"bootstrapServerUpdateEnable": true, "bootstrap": servers})).await
}

async fn with_profile(profile: Value) -> Provisioning {
    let store = Arc::new(MemoryStore::default());
    let settings = ProfileSettings {
        ports: ServerPorts::default(),
        of_unnamed: "p".to_owned(),
    };
    let models = Arc::new(Models::load(store.clone()).await.unwrap());
    let profiles = Profiles::load(store.clone(), models, None, settings)
        .await
        .unwrap();
    let profile = serde_json::value::RawValue::from_string(profile.to_string()).unwrap();
    profiles.put("p", profile).await.unwrap();
    Provisioning::new(store, profiles, "p")
}

async fn device(provisioning: &Provisioning, credentials: Value) {
    let body = json!({"profile": "p", "credentials": credentials});
    let body = serde_json::from_value(body).unwrap();
    let checked = provisioning.check(Some("dev"), body).unwrap();
    for stored in provisioning.put(&[checked]).await.unwrap() {
        stored.unwrap();
    }
}

fn asked(security: SecurityMode, shard: u8, number: u32) -> Asked {
    Asked {
        ticket: Ticket { shard, number },
        endpoint: "dev".into(),
        security,
        address: SocketAddr::from(([192, 0, 2, 1], 1)),
        is_pack: false,
        additional: vec![("site".into(), "7".into())],
    }
}

async fn told_by(
    provisioning: &Provisioning,
    allow_unknown: bool,
    asked: &Asked,
    now: UnixMillis,
) -> Result<Configuration, Refused> {
    let settings = BootstrapSettings {
        allow_unknown,
        ..BootstrapSettings::default()
    };
    let placement = Placement::default();
    configure::configuration(provisioning, &settings, &placement, asked, now).await
}

async fn told(
    servers: Value,
    credentials: Value,
    security: SecurityMode,
) -> Result<Configuration, Refused> {
    let provisioning = provisioning(servers).await;
    device(&provisioning, credentials).await;
    told_by(&provisioning, false, &asked(security, 0, 1), NOW).await
}

fn no_sec_server() -> Value {
    json!({"securityMode": "NO_SEC", "host": "h", "port": 5685, "shortServerId": 5,
           "clientHoldOffTime": 3, "bootstrapServerAccountTimeout": 4, "lifetime": 60,
           "defaultMinPeriod": 2, "notifIfDisabled": false, "binding": "UQ"})
}

fn psk_server() -> Value {
    json!({"securityMode": "PSK", "host": "0.0.0.0", "port": 5686, "shortServerId": 123})
}

/// ThingsBoard's credentials with these modes for device, bootstrap server and LwM2M servers.
fn credentials(client: &str, bootstrap: &str, server: &str) -> Value {
    let part = |mode| match mode {
        "PSK" => {
            json!({"securityMode": "PSK", "clientPublicKeyOrId": "me", "clientSecretKey": KEY})
        }
        mode => json!({"securityMode": mode}),
    };
    let client = match client {
        "PSK" => json!({"securityConfigClientMode": "PSK", "endpoint": "dev", "identity": "me",
                        "key": KEY}),
        mode => json!({"securityConfigClientMode": mode, "endpoint": "dev"}),
    };
    json!({"client": client,
           "bootstrap": {"bootstrapServer": part(bootstrap), "lwm2mServer": part(server)}})
}

#[tokio::test]
async fn every_member_of_the_profile_is_told() {
    let none = credentials("NO_SEC", "NO_SEC", "NO_SEC");
    let told = told(json!([no_sec_server()]), none, SecurityMode::NoSec)
        .await
        .unwrap();
    let server = &told.servers[0];
    assert_eq!(&*server.account.uri, "coap://h:5685");
    assert_eq!(
        (server.account.hold_off, server.account.account_timeout),
        (3, 4)
    );
    assert_eq!(
        (server.short_id, server.lifetime, server.min_period),
        (5, 60, 2)
    );
    assert_eq!(
        (server.stores_notifications, &*server.binding),
        (false, "UQ")
    );
    assert!(told.bootstrap.is_none());
}

#[tokio::test]
async fn keys_come_from_the_part_of_the_role_and_a_wildcard_is_told_as_localhost() {
    let own = json!({"securityMode": "NO_SEC", "host": "::1", "port": 5687,
                     "bootstrapServerIs": true, "shortServerId": null});
    let servers = json!([own, psk_server()]);
    let keys = credentials("PSK", "NO_SEC", "PSK");
    let told = told(servers, keys, SecurityMode::NoSec).await.unwrap();
    let account = &told.servers[0].account;
    assert_eq!(
        (&*account.uri, account.mode),
        ("coaps://localhost:5686", AccountMode::Psk)
    );
    assert_eq!(
        (&*account.identity, account.secret.len()),
        (b"me".as_slice(), 16)
    );
    assert_eq!(&*told.bootstrap.unwrap().uri, "coap://[::1]:5687");
}

#[tokio::test]
async fn b23_a_device_may_bootstrap_without_security_where_its_credentials_say_so() {
    let servers = json!([psk_server()]);
    let open = credentials("PSK", "NO_SEC", "PSK");
    assert!(
        told(servers.clone(), open.clone(), SecurityMode::NoSec)
            .await
            .is_ok()
    );
    assert!(
        told(servers.clone(), open, SecurityMode::Psk).await.is_ok(),
        "proven is better"
    );
    let closed = credentials("PSK", "PSK", "PSK");
    assert!(
        told(servers.clone(), closed.clone(), SecurityMode::Psk)
            .await
            .is_ok()
    );
    let refused = told(servers, closed, SecurityMode::NoSec)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal(), Refusal::Unauthorized);
}

#[tokio::test]
async fn without_bootstrap_credentials_a_device_is_told_those_of_its_client_part() {
    let bare = json!({"client": credentials("PSK", "", "")["client"]});
    let told = told(json!([psk_server()]), bare, SecurityMode::Psk)
        .await
        .unwrap();
    assert_eq!(&*told.servers[0].account.identity, b"me");
}

#[tokio::test]
async fn modes_that_differ_are_refused_in_thingsboards_words() {
    let none = credentials("NO_SEC", "NO_SEC", "NO_SEC");
    let refused = told(json!([psk_server()]), none, SecurityMode::NoSec)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal(), Refusal::NoConfiguration);
    let text = "Different values SecurityMode between of client and profile.";
    assert_eq!(refused.to_string(), text);
}

#[tokio::test]
async fn unknown_devices_are_told_only_where_they_are_let_in() {
    let provisioning = provisioning(json!([no_sec_server()])).await;
    let asked = asked(SecurityMode::NoSec, 0, 1);
    let refused = told_by(&provisioning, false, &asked, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal(), Refusal::Unauthorized);
    let told = told_by(&provisioning, true, &asked, NOW).await.unwrap();
    assert_eq!(told.servers.len(), 1);
}

fn generating(mode: &str, servers: Value) -> Value {
    json!({"bootstrapServerUpdateEnable": true, "bootstrap": servers,
           "rookery": {"bootstrap": {"generate": mode}}})
}

#[tokio::test]
async fn generated_credentials_are_stored_before_they_are_told() {
    let own = json!({"securityMode": "PSK", "host": "h", "port": 5688,
                     "bootstrapServerIs": true, "shortServerId": null});
    let profile = generating("PSK", json!([own, psk_server()]));
    let provisioning = with_profile(profile).await;
    device(&provisioning, credentials("PSK", "PSK", "PSK")).await;
    let mut identities = Vec::new();
    for _ in 0..2 {
        let asked = asked(SecurityMode::Psk, 0, 1);
        let told = told_by(&provisioning, false, &asked, NOW).await.unwrap();
        let account = &told.servers[0].account;
        assert_eq!((account.mode, account.secret.len()), (AccountMode::Psk, 16));
        assert_eq!(&*told.bootstrap.unwrap().identity, b"me", "that is its own");
        let identity = String::from_utf8(account.identity.to_vec()).unwrap();
        let pending = provisioning
            .generated("dev")
            .await
            .unwrap()
            .unwrap()
            .pending;
        assert_eq!(pending.unwrap().identity, identity);
        identities.push(identity);
    }
    assert_ne!(identities[0], identities[1]);
}

#[tokio::test]
async fn nothing_is_generated_for_a_device_that_is_refused() {
    let provisioning = with_profile(generating("PSK", json!([psk_server()]))).await;
    device(&provisioning, credentials("PSK", "PSK", "PSK")).await;
    let plain = asked(SecurityMode::NoSec, 0, 1);
    let refused = told_by(&provisioning, false, &plain, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal(), Refusal::Unauthorized);
    assert!(provisioning.generated("dev").await.unwrap().is_none());
    let mut stranger = asked(SecurityMode::NoSec, 0, 1);
    stranger.endpoint = "stranger".into();
    let refused = told_by(&provisioning, true, &stranger, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal(), Refusal::NoConfiguration);
    let text =
        "no credentials were generated: credentials are generated for provisioned devices only";
    assert_eq!(refused.to_string(), text);
}

#[tokio::test]
async fn generate_takes_the_mode_of_all_lwm2m_servers() {
    let provisioning = provisioning(json!([])).await;
    let cases = [
        (
            generating("PSK", json!([psk_server(), no_sec_server()])),
            "`rookery.bootstrap.generate` is \"PSK\", but h:5685 has \"securityMode\" NO_SEC; accepted is the mode that all LwM2M servers of \"bootstrap\" have",
        ),
        (
            generating("RPK", json!([])),
            "`rookery.bootstrap.generate` is \"RPK\", but \"bootstrap\" has no LwM2M server; accepted is the mode that all of them have",
        ),
        (
            generating("X509", json!([psk_server()])),
            "`rookery.bootstrap.generate` is \"X509\"",
        ),
    ];
    for (profile, expected) in cases {
        let profile = serde_json::value::RawValue::from_string(profile.to_string()).unwrap();
        let refused = provisioning.profiles().put("q", profile).await.unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[test]
fn two_requests_of_one_device_are_never_looked_up_together() {
    let told = |endpoint: &str| {
        let mut asked = asked(SecurityMode::NoSec, 0, 1);
        asked.endpoint = endpoint.into();
        Told::Asked(Box::new(asked))
    };
    let note = Told::Note {
        endpoint: "a".into(),
        is_error: false,
        text: String::new(),
    };
    let waiting = [told("a"), note, told("b"), told("a"), told("c")];
    assert_eq!(until_one_asks_again(&waiting), 3);
    assert_eq!(until_one_asks_again(&waiting[1..]), 4);
}

#[test]
fn a_newer_session_names_the_one_that_still_runs() {
    let mut sessions = Sessions::default();
    let told = Configuration::default();
    let (first, second) = (
        asked(SecurityMode::Psk, 0, 1),
        asked(SecurityMode::Psk, 1, 1),
    );
    assert_eq!(sessions.began(&first, &told, 10), None);
    sessions.refused(&second, Refusal::Unauthorized, "no".to_owned(), 11);
    assert_eq!(sessions.newest(None, 10)[0].state, "running");
    assert_eq!(sessions.began(&second, &told, 12), Some(first.ticket));
    let endpoint = Arc::clone(&first.endpoint);
    sessions.ended(first.ticket, &endpoint, End::Superseded, 13);
    assert_eq!(sessions.newest(None, 10)[0].state, "running");
    sessions.noted(&endpoint, true, "it broke");
    sessions.ended(second.ticket, &endpoint, End::Refused, 14);
    let view = &sessions.newest(Some("dev"), 10)[0];
    assert_eq!((view.state, view.ended), ("refused", Some(14)));
    assert_eq!(view.problem.as_deref(), Some("it broke"));
    assert_eq!(view.additional["site"], "7");
    assert_eq!(sessions.began(&first, &told, 15), None);
    assert_eq!(sessions.newest(None, 10).len(), 1);
}

#[tokio::test]
async fn b14_other_objects_of_the_profile_are_told() {
    let store = Arc::new(MemoryStore::default());
    let settings = ProfileSettings {
        ports: ServerPorts::default(),
        of_unnamed: "p".to_owned(),
    };
    let models = Arc::new(Models::load(store.clone()).await.unwrap());
    let profiles = Profiles::load(store.clone(), models, None, settings)
        .await
        .unwrap();
    let profile = |told: Value| {
        let profile = json!({"bootstrap": [no_sec_server()], "rookery": {"bootstrap": told}});
        serde_json::value::RawValue::from_string(profile.to_string()).unwrap()
    };
    let told = json!({"empty": [2], "write": {"/2/0/0": 3, "/2/0/2/123": 15, "/21/0/0": {"opaque": "01ff"}}});
    profiles.put("p", profile(told)).await.unwrap();
    let plan = profiles.bootstrap("p").unwrap();
    assert_eq!(plan.emptied, [2]);
    let paths: Vec<_> = plan
        .objects
        .iter()
        .map(|object| object.path.to_string())
        .collect();
    assert_eq!(paths, ["/2/0", "/21/0"]);
    assert_eq!(plan.objects[0].records.len(), 2);
    let provisioning = Provisioning::new(store, profiles.clone(), "p");
    let asked = asked(SecurityMode::NoSec, 0, 1);
    let told = told_by(&provisioning, true, &asked, NOW).await.unwrap();
    assert_eq!((told.objects.len(), told.cleared.len()), (2, 1));
    for wrong in [
        json!({"empty": [1]}),
        json!({"write": {"/0/0/0": "coap://other"}}),
        json!({"write": {"/2/0": 1}}),
        json!({"write": {"/2/0/0": null}}),
        json!({"write": {"/2/0/0": {"opaque": "xy"}}}),
        json!({"told": 1}),
    ] {
        assert!(
            profiles.put("p", profile(wrong.clone())).await.is_err(),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn accounts_use_the_oscore_contexts_that_the_profile_names_with_the_keys_of_the_device() {
    let own = json!({"securityMode": "NO_SEC", "host": "h", "port": 5687,
                     "bootstrapServerIs": true, "shortServerId": null});
    let profile = |oscore: Value| {
        json!({"bootstrapServerUpdateEnable": true, "bootstrap": [own, no_sec_server()],
               "rookery": {"bootstrap": {
                   "write": {"/21/0/2": {"opaque": "00"}, "/21/1/2": {"opaque": "01"}},
                   "oscore": oscore}}})
    };
    let provisioning = with_profile(profile(json!({"5": 1, "bootstrap": 0}))).await;
    let mut device_credentials = credentials("NO_SEC", "NO_SEC", "NO_SEC");
    device_credentials["bootstrap"]["write"] = json!({"/21/1/0": {"opaque": "0102"}, "/2/0/0": 3});
    device(&provisioning, device_credentials).await;
    let asked = asked(SecurityMode::NoSec, 0, 1);
    let told = told_by(&provisioning, false, &asked, NOW).await.unwrap();
    assert_eq!(told.servers[0].account.oscore, Some(1));
    assert_eq!(told.bootstrap.unwrap().oscore, Some(0));
    let paths = |object: &crate::engine::bootstrap::configuration::ObjectInstance| {
        let paths = object.records.iter().map(|record| record.path.to_string());
        paths.collect::<Vec<_>>().join(" ")
    };
    let objects: Vec<_> = told.objects.iter().map(paths).collect();
    assert_eq!(
        objects,
        ["/21/0/2", "/21/1/0", "/2/0/0"],
        "its own go first"
    );
    for (wrong, expected) in [
        (json!({"6": 1}), "names no server of `bootstrap`"),
        (
            json!({"5": -1}),
            "an instance of object 21, from 0 to 65534",
        ),
    ] {
        let profile = serde_json::value::RawValue::from_string(profile(wrong).to_string()).unwrap();
        let refused = provisioning.profiles().put("q", profile).await.unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[tokio::test]
async fn objects_of_a_device_are_checked_when_it_is_put() {
    let provisioning = provisioning(json!([])).await;
    let mut wrong = credentials("NO_SEC", "NO_SEC", "NO_SEC");
    wrong["bootstrap"]["write"] = json!({"/0/0/0": "coap://other"});
    let body = serde_json::from_value(json!({"profile": "p", "credentials": wrong})).unwrap();
    let refused = provisioning.check(Some("dev"), body).unwrap_err();
    let text = "`credentials.bootstrap.write[\"/0/0/0\"]` names no Resource of an object from 2 on; accepted is a path such as /2/0/3";
    assert_eq!(refused.to_string(), text);
}
