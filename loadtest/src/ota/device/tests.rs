//! The device as its server sees it: messages in, messages out.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

use super::answer::number;
use super::*;
use crate::ota::image::Image;
use crate::ota::scenario::{OtaScenario, PackageKind};

mod faults;

/// A device and the server that talks to it.
struct Lab {
    terms: Terms,
    image: Image,
    device: Device,
    now: Micros,
    mid: u16,
    sent: VecDeque<(Peer, Packet)>,
    events: Vec<Event>,
}

fn lab(change: impl FnOnce(&mut OtaScenario), refuses: Option<u8>) -> Lab {
    let mut scenario = OtaScenario::default();
    change(&mut scenario);
    let image = Image::generated(2_500, 7);
    let server = "127.0.0.1:5685".parse().unwrap();
    let mut lab = Lab {
        terms: Terms::new(&scenario, image.digest, server),
        image,
        device: Device::new(3, refuses, scenario.seed),
        now: 1_000,
        mid: 100,
        sent: VecDeque::new(),
        events: Vec::new(),
    };
    lab.wake();
    lab.accept_register();
    lab
}

impl Lab {
    fn wake(&mut self) {
        let mut out = Output::default();
        self.device.wake(&self.terms, self.now, &mut out);
        self.keep(out);
    }

    /// Lets the time of the next thing come.
    fn wait(&mut self) {
        assert_ne!(self.device.next_wake(), Micros::MAX);
        self.now = self.now.max(self.device.next_wake());
        self.wake();
    }

    fn receive(&mut self, from: Peer, packet: &Packet) {
        let mut out = Output::default();
        let bytes = packet.to_bytes().unwrap();
        self.device
            .receive(&self.terms, from, &bytes, self.now, &mut out);
        self.keep(out);
    }

    fn keep(&mut self, out: Output) {
        self.events.extend(out.events);
        let parsed = |(peer, bytes): (Peer, Vec<u8>)| (peer, Packet::from_bytes(&bytes).unwrap());
        self.sent.extend(out.messages.into_iter().map(parsed));
    }

    fn next(&mut self) -> Packet {
        self.sent.pop_front().expect("a message").1
    }

    fn accept_register(&mut self) {
        let register = self.next();
        assert_eq!(
            register.header.code,
            MessageClass::Request(RequestType::Post)
        );
        let name = register.get_option(CoapOption::UriQuery).unwrap();
        assert!(name.iter().any(|query| query == b"ep=ota-0000003"));
        self.respond(Peer::Server, &register, ResponseType::Created, |packet| {
            packet
        });
    }

    fn respond(
        &mut self,
        from: Peer,
        request: &Packet,
        code: ResponseType,
        with: impl FnOnce(Packet) -> Packet,
    ) {
        let mut response = Packet::new();
        response.header.code = MessageClass::Response(code);
        response.header.set_type(MessageType::Acknowledgement);
        response.header.message_id = request.header.message_id;
        response.set_token(request.get_token().to_vec());
        self.receive(from, &with(response));
    }

    fn acknowledge(&mut self, message: &Packet) {
        let mut empty = Packet::new();
        empty.header.code = MessageClass::Empty;
        empty.header.set_type(MessageType::Acknowledgement);
        empty.header.message_id = message.header.message_id;
        self.receive(Peer::Server, &empty);
    }

    fn request(&mut self, method: RequestType, path: &str, payload: &[u8]) -> Packet {
        self.mid += 1;
        let mut packet = Packet::new();
        packet.header.code = MessageClass::Request(method);
        packet.header.set_type(MessageType::Confirmable);
        packet.header.message_id = self.mid;
        packet.set_token(self.mid.to_be_bytes().to_vec());
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            packet.add_option(CoapOption::UriPath, segment.as_bytes().to_vec());
        }
        packet.payload = payload.to_vec();
        packet
    }

    /// Asks, and takes the answer, which comes first.
    fn ask(&mut self, method: RequestType, path: &str, payload: &[u8]) -> Packet {
        let request = self.request(method, path, payload);
        self.receive(Peer::Server, &request);
        self.next()
    }

    fn read(&mut self, path: &str) -> String {
        String::from_utf8(self.ask(RequestType::Get, path, b"").payload).unwrap()
    }

    fn observe(&mut self, path: &str) {
        let mut request = self.request(RequestType::Get, path, b"");
        request.add_option(CoapOption::Observe, Vec::new());
        self.receive(Peer::Server, &request);
        assert!(self.next().get_option(CoapOption::Observe).is_some());
    }

    fn block(&mut self, at: usize, path: &str) -> Packet {
        let bytes = self.image.bytes.clone();
        let (start, end) = (at * 1_024, bytes.len().min((at + 1) * 1_024));
        let more = end < bytes.len();
        let mut request = self.request(RequestType::Put, path, &bytes[start..end]);
        let option = (at as u32) << 4 | u32::from(more) << 3 | 6;
        request.add_option(CoapOption::Block1, number(option));
        request
    }

    /// Writes the whole image; the codes of the answers.
    fn push(&mut self, path: &str) -> Vec<MessageClass> {
        (0..3)
            .map(|at| {
                let request = self.block(at, path);
                self.receive(Peer::Server, &request);
                self.next().header.code
            })
            .collect()
    }

    fn state_and_result(&mut self) -> (String, String) {
        let (state, result) = match self.terms.package {
            PackageKind::Firmware => ("/5/0/3", "/5/0/5"),
            PackageKind::Software => ("/9/0/7", "/9/0/9"),
        };
        (self.read(state), self.read(result))
    }

    fn is(&mut self, state: &str, result: &str) {
        assert_eq!(self.state_and_result(), (state.into(), result.into()));
    }
}

fn code(code: ResponseType) -> MessageClass {
    MessageClass::Response(code)
}

#[test]
fn pushed_firmware_is_verified_installed_and_reported_after_a_restart() {
    let mut lab = lab(|_| {}, None);
    lab.is("0", "0");
    assert_eq!(lab.read("/3/0/3"), "1.0");
    let codes = lab.push("/5/0/0");
    let (more, done) = (code(ResponseType::Continue), code(ResponseType::Changed));
    assert_eq!(codes, [more, more, done]);
    assert!(lab.events.contains(&Event::Verified(0)));
    lab.is("2", "0");
    assert_eq!(lab.ask(RequestType::Post, "/5/0/2", b"").header.code, done);
    lab.is("3", "0");
    lab.wait();
    assert!(lab.events.ends_with(&[Event::Off]));
    let unheard = lab.request(RequestType::Get, "/5/0/3", b"");
    lab.receive(Peer::Server, &unheard);
    assert!(lab.sent.is_empty(), "it has no power");
    lab.wait();
    lab.accept_register();
    assert!(lab.events.ends_with(&[Event::Registered, Event::Updated]));
    lab.is("0", "1");
    assert_eq!(
        (lab.read("/3/0/3"), lab.read("/5/0/7")),
        ("2.0".into(), "2.0".into())
    );
}

#[test]
fn software_is_delivered_installed_and_activated_without_a_restart() {
    let mut lab = lab(|scenario| scenario.package = PackageKind::Software, None);
    lab.push("/9/0/2");
    lab.is("3", "3");
    assert_eq!(
        lab.ask(RequestType::Post, "/9/0/4", b"").header.code,
        code(ResponseType::Changed)
    );
    lab.wait();
    lab.is("4", "2");
    assert_eq!(lab.read("/9/0/12"), "0");
    lab.ask(RequestType::Post, "/9/0/10", b"");
    assert_eq!(lab.read("/9/0/12"), "1");
    assert!(lab.device.is_updated());
    lab.ask(RequestType::Post, "/9/0/6", b"1");
    lab.is("0", "0");
}

#[test]
fn states_are_notified_one_after_the_other_until_they_are_acknowledged() {
    let mut lab = lab(|_| {}, None);
    lab.observe("/5/0/3");
    lab.observe("/5/0/5");
    let request = lab.block(0, "/5/0/0");
    lab.receive(Peer::Server, &request);
    lab.next();
    let first = lab.next();
    assert_eq!((first.payload.as_slice(), lab.sent.len()), (&b"1"[..], 0));
    // Nobody acknowledges it: it comes again, and nothing else does meanwhile.
    for at in 1..3 {
        let request = lab.block(at, "/5/0/0");
        lab.receive(Peer::Server, &request);
        lab.next();
    }
    assert!(lab.sent.is_empty());
    lab.wait();
    assert_eq!(lab.next().header.message_id, first.header.message_id);
    lab.acknowledge(&first);
    assert_eq!(lab.next().payload, b"2");
}

#[test]
fn firmware_is_fetched_from_the_server_or_from_elsewhere() {
    let elsewhere = Peer::Other("127.0.0.1:5999".parse().unwrap());
    for (url, from) in [
        ("coap://127.0.0.1:5685/tbfw/token", Peer::Server),
        ("coap://127.0.0.1:5999/tbfw/token", elsewhere),
    ] {
        let mut lab = lab(|_| {}, None);
        let answer = lab.ask(RequestType::Put, "/5/0/1", url.as_bytes());
        assert_eq!(answer.header.code, code(ResponseType::Changed));
        for at in 0..3_usize {
            let (to, request) = lab.sent.pop_front().unwrap();
            assert_eq!(to, from);
            let path = request.get_option(CoapOption::UriPath).unwrap();
            assert_eq!(path.iter().collect::<Vec<_>>(), [&b"tbfw"[..], b"token"]);
            let bytes = lab.image.bytes.clone();
            let end = bytes.len().min((at + 1) * 1_024);
            let more = end < bytes.len();
            lab.respond(from, &request, ResponseType::Content, |mut packet| {
                let option = (at as u32) << 4 | u32::from(more) << 3 | 6;
                packet.add_option(CoapOption::Block2, number(option));
                packet.payload = bytes[at * 1_024..end].to_vec();
                packet
            });
        }
        lab.is("2", "0");
    }
}

#[test]
fn a_device_takes_little_memory() {
    assert!(size_of::<Device>() <= 400, "{}", size_of::<Device>());
}
