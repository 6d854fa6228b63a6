//! The device's own requests.

use std::time::Duration;

use super::*;
use crate::client::formats::{LWM2M_CBOR, SENML_CBOR, SENML_JSON, TLV};
use crate::client::register::SendError;

/// A device that nobody has answered yet, and its Register.
fn first_register(options: ClientOptions) -> (Lab, Packet) {
    let mut lab = Lab {
        device: Device::new(options, START),
        now: START,
        mid: 100,
    };
    lab.device.tick(START);
    let register = lab.next().unwrap();
    (lab, register)
}

fn paths(texts: &[&str]) -> Vec<Path> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Lets the device send, takes it, and gives the payload as text.
fn sent(lab: &mut Lab) -> Packet {
    let seen = lab.accept_all();
    seen.into_iter()
        .find(|packet| path_of(packet) == "dp")
        .unwrap()
}

#[test]
fn a_register_announces_formats_versions_and_instances() {
    let (_, register) = first_register(thingsboard());
    assert_eq!(
        texts(&register, CoapOption::UriQuery),
        ["lwm2m=1.1", "ep=lab", "lt=300"]
    );
    assert_eq!(number_of(&register, CoapOption::ContentFormat), Some(40));
    assert_eq!(
        String::from_utf8(register.payload).unwrap(),
        "</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542 11543\",</1/0>,</2>,</3>;ver=1.2,</3/0>,</5>;ver=1.2,</5/0>,\
         </6/0>,</9>;ver=1.1,</9/0>,</19>;ver=1.1,</19/0>,</19/1>,</3303>;ver=1.1,</3303/0>,</3303/12>"
    );
}

#[test]
fn versions_and_formats_are_announced_as_chosen() {
    let (_, register) = first_register(ClientOptions {
        object_versions: [(3, "1.0".to_owned()), (3303, "1.0".to_owned())].into(),
        formats: Some(vec![60, 110, 112]),
        ..options()
    });
    let text = String::from_utf8(register.payload).unwrap();
    assert!(
        text.starts_with("</>;rt=\"oma.lwm2m\";ct=\"60 110 112\","),
        "{text}"
    );
    assert!(text.contains("</3>;ver=1.0,</3/0>"), "{text}");
    assert!(
        text.contains(",</3303/0>") && !text.contains("</3303>"),
        "{text}"
    );
}

#[test]
fn queue_mode_is_said_in_the_way_of_the_version() {
    let queue = |version| ClientOptions {
        version,
        queue_awake: Some(Duration::from_secs(5)),
        ..options()
    };
    let query = |options| texts(&first_register(options).1, CoapOption::UriQuery);
    assert_eq!(query(queue(Version::V1_0))[3], "b=UQ");
    assert_eq!(query(queue(Version::V1_1))[3], "Q");
}

#[test]
fn a_device_in_queue_mode_sleeps_until_it_has_something_to_say() {
    let mut lab = Lab::new(ClientOptions {
        queue_awake: Some(Duration::from_secs(5)),
        update_period: Some(Duration::from_secs(60)),
        ..options()
    });
    assert_eq!(lab.code(get("/3/0/1")), "2.05");
    lab.wait(5_500);
    let bytes = lab.bytes_of(get("/3/0/1"));
    lab.device.receive(&bytes, lab.now);
    assert!(lab.next().is_none());
    assert_eq!(lab.device.counters().dropped, 1);
    let seen = lab.wait(60_000);
    assert_eq!(path_of(&seen[0]), "rd/r1");
    let awake = lab.wait(0);
    assert!(awake.is_empty());
    lab.device.schedule(lab.now, Timer::Update);
    lab.accept_all();
    assert_eq!(lab.code(get("/3/0/1")), "2.05");
}

#[test]
fn an_unanswered_register_is_repeated_then_tried_anew() {
    let (mut lab, register) = first_register(options());
    let mut again = Vec::new();
    while lab.now < START + 110_000 {
        lab.now += 100;
        lab.device.tick(lab.now);
        again.extend(lab.next());
    }
    let same = again
        .iter()
        .filter(|p| p.header.message_id == register.header.message_id);
    assert_eq!(same.count(), 4);
    assert!(
        again
            .iter()
            .any(|p| p.header.message_id != register.header.message_id)
    );
    assert_eq!(lab.device.counters().failed, 1);
}

#[test]
fn after_4_12_the_next_lower_version_is_tried() {
    let (mut lab, register) = first_register(v1_2());
    lab.answer(&register, ResponseType::PreconditionFailed, None);
    let lower = lab.next().unwrap();
    assert_eq!(texts(&lower, CoapOption::UriQuery)[0], "lwm2m=1.1");
}

#[test]
fn updates_come_in_their_period_and_a_forgotten_device_registers_anew() {
    let mut lab = Lab::new(ClientOptions {
        update_period: Some(Duration::from_secs(5)),
        ..options()
    });
    assert!(lab.device.registration().registered);
    assert_eq!(lab.device.registration().location, "rd/r1");
    let seen = lab.wait(15_500);
    assert_eq!(seen.len(), 3);
    assert!(
        seen.iter()
            .all(|packet| path_of(packet) == "rd/r1" && packet.payload.is_empty())
    );
    lab.now += 5_000;
    lab.device.tick(lab.now);
    let update = lab.next().unwrap();
    lab.answer(&update, ResponseType::NotFound, None);
    assert_eq!(path_of(&lab.next().unwrap()), "rd");
}

#[test]
fn a_written_lifetime_and_a_created_instance_are_told_by_an_update() {
    let mut lab = Lab::new(options());
    assert_eq!(lab.code(put("/1/0/1").text("120")), "2.04");
    let seen = lab.accept_all();
    assert_eq!(texts(&seen[0], CoapOption::UriQuery), ["lt=120"]);
    assert!(seen[0].payload.is_empty());
    assert_eq!(
        lab.code(post("/19").body(TLV, b"\x83\x00\x41\x00\xaa")),
        "2.01"
    );
    let seen = lab.accept_all();
    assert!(String::from_utf8_lossy(&seen[0].payload).contains("</19/2>"));
    assert_eq!(number_of(&seen[0], CoapOption::ContentFormat), Some(40));
}

#[test]
fn the_update_trigger_updates_and_a_reboot_comes_back() {
    let mut lab = Lab::new(options());
    assert_eq!(lab.code(post("/1/0/8")), "2.04");
    assert_eq!(path_of(&lab.accept_all()[0]), "rd/r1");
    assert_eq!(lab.code(post("/3/0/4").text("5")), "2.04");
    assert!(lab.wait(400).is_empty());
    let seen = lab.wait(700);
    let methods: Vec<_> = seen.iter().map(|packet| packet.header.code).collect();
    let expected = [RequestType::Delete, RequestType::Post].map(MessageClass::Request);
    assert_eq!(methods, expected);
}

#[test]
fn disable_takes_leave_for_its_time() {
    let mut lab = Lab::new(options());
    lab.set("/1/0/5", 20);
    assert_eq!(lab.code(post("/1/0/4")), "2.04");
    assert_eq!(lab.accept_all().len(), 1);
    assert!(!lab.device.registration().registered);
    assert!(lab.wait(19_000).is_empty());
    assert_eq!(path_of(&lab.wait(1_500)[0]), "rd");
}

#[test]
fn send_carries_the_present_values_with_the_time() {
    let mut lab = Lab::new(options());
    let wanted = paths(&["/3/0/1", "/3303/12/5700"]);
    lab.device.send(&wanted, SENML_JSON, lab.now).unwrap();
    let packet = sent(&mut lab);
    assert_eq!(number_of(&packet, CoapOption::ContentFormat), Some(110));
    assert_eq!(
        String::from_utf8(packet.payload).unwrap(),
        r#"[{"bt":1700000000.0,"n":"/3/0/1","vs":"Model 500"},{"n":"/3303/12/5700","v":20.0}]"#
    );
    lab.device.send(&wanted[..1], LWM2M_CBOR, lab.now).unwrap();
    assert_eq!(
        sent(&mut lab).payload,
        b"\xbf\x03\xbf\x00\xbf\x01\x69Model 500\xff\xff\xff"
    );
    assert_eq!(lab.device.counters().sent, 2);
}

#[test]
fn collected_values_keep_their_own_times() {
    let mut lab = Lab::new(options());
    let wanted = paths(&["/3303/12/5700"]);
    lab.set("/3303/12/5700", 25.05);
    assert_eq!(lab.device.collect(&wanted, lab.now), 1);
    lab.wait(3_000);
    lab.set("/3303/12/5700", 35.12);
    lab.device.collect(&wanted, lab.now);
    lab.device
        .send_collected(&wanted, SENML_JSON, lab.now)
        .unwrap();
    assert_eq!(
        String::from_utf8(sent(&mut lab).payload).unwrap(),
        r#"[{"bt":1700000000.0,"n":"/3303/12/5700","v":25.05},{"n":"/3303/12/5700","t":3.0,"v":35.12}]"#
    );
    let nothing = lab.device.send_collected(&wanted, SENML_CBOR, lab.now);
    assert_eq!(nothing, Err(SendError::Nothing("/3303/12/5700".to_owned())));
}

#[test]
fn send_is_refused_where_it_must_be() {
    let mut lab = Lab::new(options());
    let wanted = paths(&["/3/0/9"]);
    assert_eq!(
        lab.device.send(&wanted, TLV, START),
        Err(SendError::Format(TLV))
    );
    lab.set("/1/0/23", true);
    assert_eq!(
        lab.device.send(&wanted, SENML_CBOR, START),
        Err(SendError::Muted)
    );
    let mut old = Lab::new(ClientOptions {
        version: Version::V1_0,
        ..options()
    });
    assert_eq!(
        old.device.send(&wanted, SENML_CBOR, START),
        Err(SendError::Version)
    );
    let (mut early, _) = first_register(options());
    assert_eq!(
        early.device.send(&wanted, SENML_CBOR, START),
        Err(SendError::NotRegistered)
    );
}

#[test]
fn simulated_packages_go_through_their_states() {
    let mut lab = Lab::new(ClientOptions {
        packages: crate::client::PackageMode::Simulated,
        ..options()
    });
    let number = |lab: &Lab, path: &str| lab.device.value(path).unwrap().as_integer().unwrap();
    let (code, text) = lab.asked(post("/5/0/2"));
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("4.00", "Firmware was updated failed. Sate: [0] result: [0]")
    );
    assert_eq!(
        lab.code(put("/5/0/0").body(formats::OPAQUE, b"firmware")),
        "2.04"
    );
    lab.wait(150);
    assert_eq!(number(&lab, "/5/0/3"), 1);
    lab.wait(100);
    assert_eq!(number(&lab, "/5/0/3"), 2);
    assert_eq!(lab.code(post("/5/0/2")), "2.04");
    lab.wait(150);
    assert_eq!(number(&lab, "/5/0/3"), 3);
    lab.wait(100);
    assert_eq!(number(&lab, "/5/0/5"), 1);
    lab.wait(100);
    assert_eq!((number(&lab, "/5/0/3"), number(&lab, "/5/0/5")), (0, 0));

    assert_eq!(lab.code(put("/9/0/3").text("coap://host/package")), "2.04");
    lab.wait(350);
    assert_eq!((number(&lab, "/9/0/7"), number(&lab, "/9/0/9")), (3, 3));
    assert_eq!(lab.code(post("/9/0/4")), "2.04");
    lab.wait(250);
    assert_eq!((number(&lab, "/9/0/7"), number(&lab, "/9/0/9")), (4, 2));
    lab.wait(100);
    assert_eq!((number(&lab, "/9/0/7"), number(&lab, "/9/0/9")), (0, 0));
}
