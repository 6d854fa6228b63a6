//! What must be true at any time, however bad the network is.

use std::collections::{BTreeMap, VecDeque};

use coap_lite::{CoapOption, MessageType};
use rookery::engine::event::{Event, EventKind};
use rookery::net::PeerAddr;

use crate::message::{describe, parse, path};

/// Registers of a device of which the engine recognises copies.
const REMEMBERED: usize = 2;

/// Looks at what arrives at the server, what it sends and what it tells.
#[derive(Default)]
pub struct Watch {
    /// Rules that were broken.
    pub broken: Vec<String>,
    /// The newest value the server told subscribers, by endpoint.
    newest: BTreeMap<String, i64>,
    registers: BTreeMap<String, Registers>,
    /// When each confirmable message of the server was sent.
    transmissions: BTreeMap<Vec<u8>, Vec<u64>>,
}

/// The Registers of one device that arrived, and what came of them.
#[derive(Default)]
struct Registers {
    /// The latest that were no copies of each other. The same message from another address is
    /// another one (RFC 7252 §4.4).
    latest: VecDeque<(PeerAddr, Vec<u8>)>,
    arrived: usize,
    registrations: usize,
}

impl Watch {
    /// A datagram of a device arrived at the server.
    pub fn on_arrival(&mut self, from: PeerAddr, endpoint: &str, bytes: &[u8]) {
        if path(&parse(bytes), CoapOption::UriPath) != "/rd" {
            return;
        }
        let known = self.registers.entry(endpoint.to_owned()).or_default();
        let register = (from, bytes.to_vec());
        if !known.latest.contains(&register) {
            known.arrived += 1;
            known.latest.push_front(register);
            known.latest.truncate(REMEMBERED);
        }
    }

    /// The server told its subscribers something.
    pub fn on_event(&mut self, now: u64, event: &Event) {
        match &event.kind {
            EventKind::Registered { .. } => self.on_registration(now, &event.endpoint),
            EventKind::Telemetry { key, value, .. } if &**key == "batteryLevel" => {
                self.on_value(now, &event.endpoint, value.as_i64().unwrap_or(-1));
            }
            _ => {}
        }
    }

    /// A confirmable message is sent five times at most, each time after twice the wait; once all is
    /// `well` nothing is sent twice, and no observation has to be reset.
    pub fn on_transmission(&mut self, now: u64, well: bool, bytes: &[u8]) {
        let kind = parse(bytes).header.get_type();
        if kind == MessageType::Reset && well {
            self.broken.push(format!("{now}: a Reset"));
        }
        if kind != MessageType::Confirmable {
            return;
        }
        let sent = self.transmissions.entry(bytes.to_vec()).or_default();
        let wait = 2_000 << sent.len().saturating_sub(1);
        let early = sent.last().is_some_and(|last| now - last < wait);
        sent.push(now);
        let most = if well { 1 } else { 5 };
        if early || sent.len() > most {
            let text = format!("sent at {sent:?}: {}", describe(bytes));
            self.broken.push(text);
        }
    }

    /// A Register makes one registration, however many copies of it arrive.
    fn on_registration(&mut self, now: u64, endpoint: &str) {
        let known = self.registers.entry(endpoint.to_owned()).or_default();
        known.registrations += 1;
        if known.registrations > known.arrived {
            let text = format!("{now}: {endpoint} registered again by a copy");
            self.broken.push(text);
        }
    }

    /// A value never gives way to an older one: the devices' values only grow.
    fn on_value(&mut self, now: u64, endpoint: &str, value: i64) {
        let newest = self.newest.entry(endpoint.to_owned()).or_default();
        if value < *newest {
            let text = format!("{now}: {endpoint} has {value} after {newest}");
            self.broken.push(text);
        }
        *newest = value;
    }
}
