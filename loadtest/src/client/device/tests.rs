//! The device as a server sees it: datagrams in, datagrams out.

mod bootstrap;
mod manage;
mod observe;
mod register;
mod stored;
mod transfer;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

use super::*;
use crate::client::blocks::number_bytes;
use crate::client::options::Fixture;

/// When the device is switched on.
const START: u64 = 1_700_000_000_000;

/// A device, and the server that talks to it.
struct Lab {
    device: Device,
    now: u64,
    mid: u16,
}

/// A request to be sent.
struct Ask {
    packet: Packet,
}

fn options() -> ClientOptions {
    ClientOptions {
        seed: Some(1),
        time_frequency: std::time::Duration::from_secs(3_600),
        confirmable_every: 0,
        ..ClientOptions::new("127.0.0.1:5683".parse().unwrap(), "lab")
    }
}

fn thingsboard() -> ClientOptions {
    ClientOptions {
        fixture: Fixture::Thingsboard13,
        ..options()
    }
}

fn v1_2() -> ClientOptions {
    ClientOptions {
        version: Version::V1_2,
        ..options()
    }
}

fn ask(method: RequestType, path: &str) -> Ask {
    let mut packet = Packet::new();
    packet.header.code = MessageClass::Request(method);
    packet.header.set_type(MessageType::Confirmable);
    packet.set_token(b"tk".to_vec());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        packet.add_option(CoapOption::UriPath, segment.as_bytes().to_vec());
    }
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        packet.add_option(CoapOption::UriQuery, parameter.as_bytes().to_vec());
    }
    Ask { packet }
}

fn get(path: &str) -> Ask {
    ask(RequestType::Get, path)
}

fn put(path: &str) -> Ask {
    ask(RequestType::Put, path)
}

fn post(path: &str) -> Ask {
    ask(RequestType::Post, path)
}

fn delete(path: &str) -> Ask {
    ask(RequestType::Delete, path)
}

impl Ask {
    fn number(mut self, option: CoapOption, number: u32) -> Self {
        self.packet.add_option(option, number_bytes(number));
        self
    }

    fn accept(self, format: u16) -> Self {
        self.number(CoapOption::Accept, u32::from(format))
    }

    fn observe(self, value: u32) -> Self {
        self.number(CoapOption::Observe, value)
    }

    fn body(self, format: u16, payload: &[u8]) -> Self {
        let mut ask = self.number(CoapOption::ContentFormat, u32::from(format));
        ask.packet.payload = payload.to_vec();
        ask
    }

    fn text(self, payload: &str) -> Self {
        self.body(formats::TEXT, payload.as_bytes())
    }

    fn token(mut self, token: &[u8]) -> Self {
        self.packet.set_token(token.to_vec());
        self
    }
}

impl Lab {
    fn new(options: ClientOptions) -> Self {
        let mut lab = Self {
            device: Device::new(options, START),
            now: START,
            mid: 100,
        };
        lab.accept_all();
        lab
    }

    /// Lets time go by, and answers what the device asks meanwhile.
    fn wait(&mut self, millis: u64) -> Vec<Packet> {
        let end = self.now + millis;
        let mut seen = Vec::new();
        while self.device.next_wake() <= end {
            self.now = self.device.next_wake().max(self.now);
            seen.extend(self.accept_all());
            self.now += 1;
        }
        self.now = end;
        seen.extend(self.accept_all());
        seen
    }

    /// Ticks, and takes every own request of the device.
    fn accept_all(&mut self) -> Vec<Packet> {
        self.device.tick(self.now);
        let mut seen = Vec::new();
        while let Some(packet) = self.next() {
            if let MessageClass::Request(method) = packet.header.code {
                let (code, location) = match (method, &*path_of(&packet)) {
                    (RequestType::Post, "rd") => (ResponseType::Created, Some("r1")),
                    (RequestType::Delete, _) => (ResponseType::Deleted, None),
                    _ => (ResponseType::Changed, None),
                };
                self.answer(&packet, code, location);
            }
            seen.push(packet);
        }
        seen
    }

    fn answer(&mut self, request: &Packet, code: ResponseType, location: Option<&str>) {
        let mut response = Packet::new();
        response.header.code = MessageClass::Response(code);
        response.header.set_type(MessageType::Acknowledgement);
        response.header.message_id = request.header.message_id;
        response.set_token(request.get_token().to_vec());
        for segment in location.iter().flat_map(|last| ["rd", last]) {
            response.add_option(CoapOption::LocationPath, segment.as_bytes().to_vec());
        }
        self.device.receive(&response.to_bytes().unwrap(), self.now);
    }

    fn next(&mut self) -> Option<Packet> {
        let bytes = self.device.transmit()?;
        Some(Packet::from_bytes(&bytes).unwrap())
    }

    /// Sends a request and takes its answer.
    fn ask(&mut self, ask: Ask) -> Packet {
        let bytes = self.bytes_of(ask);
        self.device.receive(&bytes, self.now);
        self.next().unwrap()
    }

    fn bytes_of(&mut self, mut ask: Ask) -> Vec<u8> {
        self.mid += 1;
        ask.packet.header.message_id = self.mid;
        ask.packet.to_bytes().unwrap()
    }

    /// The code of the answer, and its payload as text.
    fn asked(&mut self, ask: Ask) -> (String, String) {
        let answer = self.ask(ask);
        (
            code_of(&answer),
            String::from_utf8_lossy(&answer.payload).into_owned(),
        )
    }

    fn code(&mut self, ask: Ask) -> String {
        self.asked(ask).0
    }

    fn set(&mut self, path: &str, value: impl Into<Value>) {
        assert!(self.device.put(path, value.into()), "{path}");
        self.device.tick(self.now);
    }

    fn reset(&mut self, notification: &Packet) {
        let mut reset = Packet::new();
        reset.header.code = MessageClass::Empty;
        reset.header.set_type(MessageType::Reset);
        reset.header.message_id = notification.header.message_id;
        self.device.receive(&reset.to_bytes().unwrap(), self.now);
    }
}

fn code_of(packet: &Packet) -> String {
    match packet.header.code {
        MessageClass::Response(code) => crate::client::dotted(code),
        other => format!("{other:?}"),
    }
}

fn path_of(packet: &Packet) -> String {
    texts(packet, CoapOption::UriPath).join("/")
}

fn texts(packet: &Packet, option: CoapOption) -> Vec<String> {
    let values = packet.get_option(option).into_iter().flatten();
    values
        .map(|value| String::from_utf8(value.clone()).unwrap())
        .collect()
}

fn number_of(packet: &Packet, option: CoapOption) -> Option<u32> {
    crate::client::request::number(packet, option)
}
