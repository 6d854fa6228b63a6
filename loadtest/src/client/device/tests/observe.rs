//! Observations and their conditions.

use super::*;
use crate::client::formats::{SENML_CBOR, SENML_JSON};

fn observed(lab: &mut Lab, path: &str) -> Packet {
    let answer = lab.ask(get(path).observe(0));
    assert_eq!(code_of(&answer), "2.05", "{path}");
    assert_eq!(number_of(&answer, CoapOption::Observe), Some(0), "{path}");
    answer
}

/// Sets a value; the payload of the notification that follows, if one does.
fn change(lab: &mut Lab, path: &str, value: impl Into<Value>) -> Option<String> {
    lab.set(path, value);
    let notification = lab.next()?;
    assert!(lab.next().is_none(), "one change, one notification");
    Some(String::from_utf8_lossy(&notification.payload).into_owned())
}

#[test]
fn each_change_is_notified_with_a_higher_sequence() {
    let mut lab = Lab::new(options());
    observed(&mut lab, "/3/0/9");
    for (value, sequence) in [(101, 1), (102, 2), (103, 3)] {
        lab.set("/3/0/9", value);
        let notification = lab.next().unwrap();
        assert_eq!(notification.header.get_type(), MessageType::NonConfirmable);
        assert_eq!(notification.get_token(), b"tk");
        assert_eq!(
            number_of(&notification, CoapOption::Observe),
            Some(sequence)
        );
        assert_eq!(notification.payload, value.to_string().into_bytes());
    }
    lab.set("/3/0/9", 103);
    assert!(lab.next().is_none());
}

#[test]
fn values_change_at_their_frequency_and_are_notified() {
    let mut lab = Lab::new(ClientOptions {
        time_frequency: std::time::Duration::from_secs(1),
        ..thingsboard()
    });
    observed(&mut lab, "/3/0");
    let seen = lab.wait(10_000);
    assert!(seen.len() >= 9, "{}", seen.len());
}

#[test]
fn observe_1_and_a_reset_end_an_observation() {
    let mut lab = Lab::new(options());
    observed(&mut lab, "/3/0/9");
    let answer = lab.ask(get("/3/0/9").observe(1));
    assert_eq!(
        (
            code_of(&answer).as_str(),
            number_of(&answer, CoapOption::Observe)
        ),
        ("2.05", None)
    );
    assert_eq!(change(&mut lab, "/3/0/9", 101), None);

    observed(&mut lab, "/3/0/9");
    lab.set("/3/0/9", 102);
    let notification = lab.next().unwrap();
    lab.reset(&notification);
    assert_eq!(change(&mut lab, "/3/0/9", 103), None);
    assert!(lab.device.observed_paths().is_empty());
}

#[test]
fn what_cannot_be_observed_is_refused_as_a_read_would_be() {
    let mut lab = Lab::new(thingsboard());
    for (path, code) in [
        ("/2/0", "4.04"),
        ("/5/0/0", "4.05"),
        ("/5/0/2", "4.05"),
        ("/19/0/3", "4.00"),
    ] {
        assert_eq!(lab.code(get(path).observe(0)), code, "{path}");
    }
    assert_eq!(
        lab.asked(get("/19/0/3").observe(0)).1,
        "value MUST NOT be null"
    );
    assert!(lab.device.observed_paths().is_empty());
}

#[test]
fn pmin_delays_and_pmax_repeats() {
    let mut lab = Lab::new(options());
    assert_eq!(lab.code(put("/3/0/9?pmin=10&pmax=60")), "2.04");
    observed(&mut lab, "/3/0/9");
    assert_eq!(change(&mut lab, "/3/0/9", 101), None);
    assert_eq!(change(&mut lab, "/3/0/9", 102), None);
    assert!(lab.wait(9_000).is_empty());
    let seen = lab.wait(1_100);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].payload, b"102");
    assert!(lab.wait(59_000).is_empty());
    let seen = lab.wait(1_500);
    assert_eq!(seen.len(), 1, "pmax is over");
    assert_eq!(seen[0].payload, b"102");
}

#[test]
fn conditions_let_only_their_changes_through() {
    let mut lab = Lab::new(options());
    lab.set("/3/0/9", 50);
    assert_eq!(lab.code(put("/3/0/9?gt=60&lt=20&st=15")), "2.04");
    observed(&mut lab, "/3/0/9");
    for (value, notified) in [
        (55, false),
        (61, true), // above gt
        (70, false),
        (59, true),  // below gt again
        (45, false), // 14 is less than the step
        (44, true),  // the step
        (19, true),  // below lt
    ] {
        assert_eq!(
            change(&mut lab, "/3/0/9", value).is_some(),
            notified,
            "{value}"
        );
    }
}

#[test]
fn attributes_are_inherited_from_the_instance() {
    let mut lab = Lab::new(options());
    assert_eq!(lab.code(put("/3/0?pmin=5")), "2.04");
    observed(&mut lab, "/3/0/9");
    assert_eq!(change(&mut lab, "/3/0/9", 101), None);
    assert_eq!(lab.wait(5_001).len(), 1);
}

#[test]
fn a_1_2_observe_carries_attributes_and_an_older_one_may_not() {
    let mut lab = Lab::new(v1_2());
    observed(&mut lab, "/3/0/9?pmin=1&pmax=2&con=1");
    assert_eq!(change(&mut lab, "/3/0/9", 101), None);
    let seen = lab.wait(1_100);
    assert_eq!(seen[0].header.get_type(), MessageType::Confirmable);
    assert_eq!(
        lab.code(get("/3/0/9?pmin=1&pmax=2&con=1").observe(1)),
        "4.02"
    );
    assert_eq!(
        Lab::new(options()).code(get("/3/0/9?pmin=1").observe(0)),
        "4.02"
    );
}

#[test]
fn edge_tells_rising_from_falling() {
    let mut lab = Lab::new(v1_2());
    assert_eq!(lab.code(put("/1/0/6?edge=0")), "2.04");
    observed(&mut lab, "/1/0/6");
    assert_eq!(change(&mut lab, "/1/0/6", false).as_deref(), Some("0"));
    assert_eq!(change(&mut lab, "/1/0/6", true), None);
}

#[test]
fn a_composite_is_one_notification_of_all_its_paths() {
    let mut lab = Lab::new(thingsboard());
    let paths = br#"[{"n":"/3/0/14"},{"n":"/3/0/15"},{"n":"/5/0/2"}]"#;
    let fetch = ask(RequestType::Fetch, "/")
        .body(SENML_JSON, paths)
        .accept(SENML_JSON);
    let answer = lab.ask(fetch.observe(0).token(b"c"));
    assert_eq!(number_of(&answer, CoapOption::Observe), Some(0));
    assert_eq!(change(&mut lab, "/3/0/1", "Model 501"), None);
    let payload = br#"[{"n":"/3/0/14","vs":"+02"},{"n":"/3/0/15","vs":"Europe/Kyiv"}]"#;
    assert_eq!(
        lab.code(ask(RequestType::IPatch, "/").body(SENML_JSON, payload)),
        "2.04"
    );
    let notification = lab.next().unwrap();
    assert_eq!(notification.get_token(), b"c");
    assert_eq!(notification.payload, payload);
    assert!(lab.next().is_none());
    let cancel = ask(RequestType::Fetch, "/")
        .body(SENML_JSON, paths)
        .accept(SENML_JSON);
    assert_eq!(lab.code(cancel.observe(1).token(b"c")), "2.05");
    assert_eq!(change(&mut lab, "/3/0/14", "+03"), None);
}

#[test]
fn what_is_deleted_is_notified_with_4_04_and_no_longer_observed() {
    let mut lab = Lab::new(options());
    assert_eq!(lab.code(put("/3303/12?pmin=1")), "2.04");
    observed(&mut lab, "/3303/12/5700");
    assert_eq!(lab.code(delete("/3303/12")), "2.02");
    let notification = lab.next().unwrap();
    assert_eq!(
        (code_of(&notification).as_str(), notification.get_token()),
        ("4.04", &b"tk"[..])
    );
    assert!(lab.device.observed_paths().is_empty());
    assert!(lab.device.tree().attributes.is_empty());
}

#[test]
fn now_and_then_a_notification_is_confirmable_and_repeated_until_acknowledged() {
    let mut lab = Lab::new(ClientOptions {
        confirmable_every: 2,
        ..options()
    });
    observed(&mut lab, "/3/0/9");
    lab.set("/3/0/9", 101);
    assert_eq!(
        lab.next().unwrap().header.get_type(),
        MessageType::NonConfirmable
    );
    lab.set("/3/0/9", 102);
    let first = lab.next().unwrap();
    assert_eq!(first.header.get_type(), MessageType::Confirmable);
    let again = lab.wait(3_100);
    assert_eq!(again[0].header.message_id, first.header.message_id);
    // Never acknowledged, the observation ends.
    lab.wait(100_000);
    assert!(lab.device.observed_paths().is_empty());
}

#[test]
fn the_format_of_the_observe_is_that_of_its_notifications() {
    let mut lab = Lab::new(options());
    let answer = lab.ask(get("/3/0/14").observe(0).accept(SENML_CBOR));
    assert_eq!(answer.payload, b"\x81\xa2\x21\x67/3/0/14\x03\x63+00");
    lab.set("/3/0/14", "+03");
    let notification = lab.next().unwrap();
    assert_eq!(notification.payload, b"\x81\xa2\x21\x67/3/0/14\x03\x63+03");
    assert_eq!(
        number_of(&notification, CoapOption::ContentFormat),
        Some(112)
    );
}
