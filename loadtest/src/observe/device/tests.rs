//! Devices as a server sees them.

use coap_lite::Packet;

use super::*;

struct Bench {
    kind: Kind,
    device: Device,
}

impl Bench {
    /// A registered device with two resources of each of two objects, in real time.
    fn registered() -> Self {
        let settings = Settings {
            objects: 2,
            resources: 4,
            speed: 1.0,
            ..Settings::default()
        };
        let kind = Kind::new(&settings);
        let mut device = Device::new(&kind, 100);
        let register = device.register(&kind, "dev", 0).unwrap();
        let register = Packet::from_bytes(&register).unwrap();
        let created = MessageClass::Response(ResponseType::Created);
        let (mid, token) = (register.header.message_id, register.get_token());
        let created = Message::new(MessageType::Acknowledgement, created, mid, token).encode();
        device.receive(&kind, &created, 0);
        assert_eq!(device.state(), State::Registered);
        Self { kind, device }
    }

    fn ask(&mut self, request: Message) -> (Packet, Outcome) {
        self.ask_at(request, 0)
    }

    fn ask_at(&mut self, request: Message, now: Micros) -> (Packet, Outcome) {
        let mut outcome = self.device.receive(&self.kind, &request.encode(), now);
        let reply = outcome.reply.take().unwrap();
        (Packet::from_bytes(&reply).unwrap(), outcome)
    }

    fn observe(&mut self, path: &str, token: u8) {
        let request = request(RequestType::Get, path, token);
        let (answer, _) = self.ask(request.option(CoapOption::Observe, []));
        assert_eq!(answer.header.get_code(), "2.05");
        assert_eq!(answer.get_observe_value(), Some(Ok(0)));
    }

    fn observe_composite(&mut self, token: u8, names: &str) -> Packet {
        let request = fetch(names, token).option(CoapOption::Observe, []);
        self.ask(request).0
    }

    fn notifications(&mut self, now: Micros) -> Vec<Packet> {
        let (device, kind) = (&mut self.device, &self.kind);
        std::iter::from_fn(|| device.notify(kind, now))
            .map(|(bytes, _)| Packet::from_bytes(&bytes).unwrap())
            .collect()
    }
}

fn request(method: RequestType, path: &str, token: u8) -> Message {
    let code = MessageClass::Request(method);
    let message = Message::new(MessageType::Confirmable, code, 7, &[token]);
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.fold(message, |message, segment| {
        message.option(CoapOption::UriPath, segment)
    })
}

fn fetch(names: &str, token: u8) -> Message {
    let entries: Vec<_> = names
        .split(' ')
        .map(|name| serde_json::json!({ "n": name }))
        .collect();
    request(RequestType::Fetch, "", token)
        .content_format(formats::SENML_JSON)
        .option(CoapOption::Accept, [formats::SENML_JSON as u8])
        .payload(serde_json::to_vec(&entries).unwrap())
}

fn write_attributes(path: &str, query: &[&str]) -> Message {
    let message = request(RequestType::Put, path, 1);
    query.iter().fold(message, |message, query| {
        message.option(CoapOption::UriQuery, *query)
    })
}

const ALL: &str = "/3303/0/5700 /3303/0/5601 /3304/0/5700 /3304/0/5601";
const SECOND: Micros = 1_000_000;

#[test]
fn a_resource_is_read_as_text() {
    let mut bench = Bench::registered();
    bench.device.change(0b11);
    let (answer, outcome) = bench.ask(request(RequestType::Get, "/3303/0/5700", 1));
    assert_eq!(answer.payload, b"20.25");
    assert_eq!(outcome.told, 0b1);
    assert_eq!(answer.get_token(), [1]);
}

#[test]
fn a_composite_holds_every_path_asked_for() {
    let mut bench = Bench::registered();
    let (answer, outcome) = bench.ask(fetch(ALL, 1));
    let records: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 4);
    assert_eq!(outcome.told, 0b1111);
    assert!(bench.device.is_covered(&bench.kind));
    assert!(!bench.device.is_observed(&bench.kind));
}

#[test]
fn each_single_observation_notifies_of_its_own_resource() {
    let mut bench = Bench::registered();
    bench.observe("/3303/0/5700", 1);
    bench.observe("/3303/0/5601", 2);
    bench.observe("/3304/0/5700", 3);
    assert!(!bench.device.is_observed(&bench.kind));
    bench.observe("/3304/0/5601", 4);
    assert!(bench.device.is_observed(&bench.kind));
    assert!(bench.notifications(SECOND).is_empty());
    let values = bench
        .kind
        .paths
        .iter()
        .position(|path| *path == Path::new(&[3304, 0, 5700]));
    bench.device.change(1 | 1 << values.unwrap());
    let sent = bench.notifications(SECOND);
    let tokens: Vec<_> = sent.iter().map(|packet| packet.get_token()[0]).collect();
    assert_eq!(tokens, [1, 3]);
    assert_eq!(sent[0].payload, b"20.25");
    assert_eq!(sent[0].header.get_type(), MessageType::NonConfirmable);
}

#[test]
fn a_composite_observation_notifies_once_with_all_its_values() {
    let mut bench = Bench::registered();
    assert_eq!(bench.observe_composite(1, ALL).header.get_code(), "2.05");
    bench.device.change(0b101);
    let sent = bench.notifications(SECOND);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].get_observe_value(), Some(Ok(1)));
    let records: serde_json::Value = serde_json::from_slice(&sent[0].payload).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 4);
    bench.device.change(0b1);
    assert_eq!(
        bench.notifications(SECOND)[0].get_observe_value(),
        Some(Ok(2))
    );
}

#[test]
fn pmin_gathers_changes_and_pmax_brings_a_notification_without_one() {
    let mut bench = Bench::registered();
    let (answer, _) = bench.ask(write_attributes("/3303/0/5700", &["pmin=10", "pmax=60"]));
    assert_eq!(answer.header.get_code(), "2.04");
    bench.observe("/3303/0/5700", 1);
    bench.device.change(1);
    assert!(bench.notifications(9 * SECOND).is_empty());
    bench.device.change(1);
    assert_eq!(bench.device.next_notification(&bench.kind), 10 * SECOND);
    let sent = bench.notifications(10 * SECOND);
    assert_eq!((sent.len(), sent[0].payload.as_slice()), (1, &b"20.5"[..]));
    assert_eq!(bench.device.next_notification(&bench.kind), 70 * SECOND);
    assert_eq!(bench.notifications(70 * SECOND).len(), 1);
}

#[test]
fn a_composite_waits_for_the_greatest_pmin_and_no_longer_than_the_smallest_pmax() {
    let mut bench = Bench::registered();
    bench.ask(write_attributes("/3303/0", &["pmin=10", "pmax=90"]));
    bench.ask(write_attributes("/3304/0", &["pmin=20", "pmax=60"]));
    bench.observe_composite(1, ALL);
    assert_eq!(bench.device.next_notification(&bench.kind), 60 * SECOND);
    bench.device.change(1);
    assert_eq!(bench.device.next_notification(&bench.kind), 20 * SECOND);
    bench.ask(write_attributes("/3304/0", &["pmin", "pmax"]));
    assert_eq!(bench.device.next_notification(&bench.kind), 10 * SECOND);
}

#[test]
fn an_observation_ends_by_observe_1_and_by_a_reset() {
    let mut bench = Bench::registered();
    bench.observe("/3303/0/5700", 1);
    bench.observe_composite(2, ALL);
    assert_eq!(bench.device.observations(), 2);
    let cancel = request(RequestType::Get, "/3303/0/5700", 1).option(CoapOption::Observe, [1]);
    let (answer, _) = bench.ask(cancel);
    assert_eq!(answer.get_observe_value(), None);
    assert_eq!(bench.device.observations(), 1);
    bench.device.change(1);
    let mid = bench.notifications(SECOND)[0].header.message_id;
    let reset = Message::new(MessageType::Reset, MessageClass::Empty, mid, &[]).encode();
    bench.device.receive(&bench.kind, &reset, SECOND);
    assert_eq!(bench.device.observations(), 0);
}

#[test]
fn what_a_device_does_not_have_is_refused_by_code() {
    let mut bench = Bench::registered();
    for (request, code) in [
        (request(RequestType::Get, "/3/0/9", 1), "4.04"),
        (fetch("/9/9/9", 1), "4.04"),
        (request(RequestType::Post, "/3303/0/5605", 1), "4.05"),
        (
            request(RequestType::Get, "/3303/0/5700", 1).option(CoapOption::Accept, [60]),
            "4.06",
        ),
        (
            request(RequestType::Fetch, "", 1)
                .content_format(formats::SENML_JSON)
                .payload(b"[{".to_vec()),
            "4.15",
        ),
        (write_attributes("/3303/0/5700", &["pmin=x"]), "4.00"),
    ] {
        let (answer, outcome) = bench.ask(request);
        assert_eq!(answer.header.get_code(), code);
        assert!(outcome.refused);
    }
}

#[test]
fn a_register_is_sent_again_four_times_and_then_given_up() {
    let kind = Kind::new(&Settings::default());
    let mut device = Device::new(&kind, 1);
    let first = device.register(&kind, "dev", 0).unwrap();
    let (mut now, mut sent) = (0, 1);
    while let State::Registering { again, .. } = device.state() {
        assert!(device.register(&kind, "dev", now).is_none(), "too early");
        now = again;
        if let Some(register) = device.register(&kind, "dev", now) {
            assert_eq!(register, first);
            sent += 1;
        }
    }
    assert_eq!((sent, device.state()), (5, State::Failed));
}

#[test]
fn every_count_has_a_value_of_its_own_and_is_found_by_it() {
    for count in [0, 1, 2, 399, 100_000] {
        assert_eq!(Kind::count(Kind::value(count)), Some(count));
    }
    assert_eq!(Kind::count(19.75), None);
    assert_eq!(Kind::count(20.1), None);
}

#[test]
fn the_largest_composite_needs_no_blocks() {
    for composite_format in [formats::SENML_CBOR, formats::SENML_JSON] {
        let settings = Settings {
            objects: 8,
            resources: crate::observe::settings::MAX_RESOURCES,
            composite_format,
            ..Settings::default()
        };
        settings.check().unwrap();
        let kind = Kind::new(&settings);
        let mut device = Device::new(&kind, 1);
        (0..1_000).for_each(|_| device.change(u64::MAX));
        let payload = device
            .payload(&kind, composite_format, true, &kind.paths)
            .unwrap();
        assert!(
            payload.len() <= 1_024,
            "{composite_format}: {}",
            payload.len()
        );
    }
}

#[test]
fn device_time_is_as_fast_as_the_settings_say() {
    let settings = Settings {
        speed: 60.0,
        ..Settings::default()
    };
    assert_eq!(Kind::new(&settings).micros(600), 10 * SECOND);
}

#[test]
fn garbage_is_passed_over() {
    let mut bench = Bench::registered();
    for bytes in [&b""[..], b"\xff", b"\x40\x01", b"\x60\x45\x00\x01"] {
        assert!(bench.device.receive(&bench.kind, bytes, 0).reply.is_none());
    }
}
