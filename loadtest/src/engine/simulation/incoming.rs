//! Messages that devices receive.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, ResponseType};

use super::Simulation;
use crate::clock::{Micros, Ticks};
use crate::coap::{Message, Parsed, append};
use crate::device::{Asked, Doing, Identity, answer, repeat};
use crate::engine::calendar::Due;
use crate::engine::outbox::Outbox;
use crate::stats::{Failure, Operation};

impl Simulation {
    /// Device `index` receives a datagram.
    pub fn receive(&mut self, index: u32, bytes: &[u8], now: Micros, out: &mut Outbox) {
        if self.links.are_secure() {
            self.receive_secured(index, bytes, now, out);
        } else {
            self.receive_message(index, bytes, now, out);
        }
    }

    /// Device `index` receives a message.
    pub(super) fn receive_message(
        &mut self,
        index: u32,
        bytes: &[u8],
        now: Micros,
        out: &mut Outbox,
    ) {
        let Some(message) = Parsed::from_bytes(bytes) else {
            self.stats.counts.malformed += 1;
            return;
        };
        let header = &message.packet.header;
        match (header.get_type(), header.code) {
            (_, MessageClass::Request(_)) if self.echoed => {
                self.on_response(index, &message, now, out)
            }
            (MessageType::Confirmable | MessageType::NonConfirmable, MessageClass::Request(_)) => {
                self.on_request(index, &message, now, out);
            }
            (MessageType::Acknowledgement, MessageClass::Empty) => {
                self.on_acknowledgement(index, &message, now, out)
            }
            (MessageType::Reset, MessageClass::Empty) => {
                self.on_reset(index, header.message_id, now, out)
            }
            (MessageType::NonConfirmable, MessageClass::Empty) => {
                self.stats.counts.malformed += 1;
            }
            (_, MessageClass::Response(_) | MessageClass::Reserved(_)) => {
                self.on_response(index, &message, now, out);
            }
            // A ping, or a request in an acknowledgement.
            (MessageType::Confirmable, MessageClass::Empty) => {
                self.send_empty(index, MessageType::Reset, &message.packet, out);
            }
            _ => self.stats.counts.unmatched += 1,
        }
    }

    fn on_request(&mut self, index: u32, request: &Parsed, now: Micros, out: &mut Outbox) {
        if self.devices[index as usize].doing == Doing::Bootstrap {
            return self.on_bootstrap_request(index, request, now, out);
        }
        let lifetime = self.lifetime(index);
        let now_s = (now / 1_000_000) as u16;
        let mid = request.packet.header.message_id;
        let mut name = std::mem::take(&mut self.name);
        let device = &mut self.devices[index as usize];
        let identity = Identity {
            lifetime,
            ..self.fleets[usize::from(device.fleet)].identity(self.first + index, &mut name)
        };
        let given = if let Some(given) = device.seen(mid, now_s) {
            self.stats.counts.duplicates += 1;
            given
        } else {
            let (asked, given) = answer(device, request, &identity);
            device.remember(mid, now_s, given);
            let since = now.saturating_sub(self.clock.begin_of(device.registered_at));
            let first = first_read_bit(given.target().resource_id());
            let is_first = device.first_reads & first == 0;
            device.first_reads |= first;
            let operation = match asked {
                Asked::Read => Some(Operation::Read),
                Asked::Observe => Some(Operation::Observe),
                Asked::Other => None,
            };
            if let Some(operation) = operation {
                self.stats.started(operation, 0);
                if given.code >> 5 == 2 {
                    self.stats.succeeded(operation);
                } else {
                    self.stats.failed(operation, Failure::Code(given.code));
                }
                if is_first {
                    self.stats.measured(operation, since);
                }
            }
            given
        };
        let device = &mut self.devices[index as usize];
        let non_mid = match request.packet.header.get_type() {
            MessageType::NonConfirmable => device.take_mid(),
            _ => 0,
        };
        let message = repeat(&given, request, non_mid, &identity);
        self.links.put(index, out, |arena| append(&message, arena));
        self.name = name;
    }

    /// An empty acknowledgement: of a request, whose response will follow, or of a notification.
    fn on_acknowledgement(&mut self, index: u32, message: &Parsed, now: Micros, out: &mut Outbox) {
        let tick = self.clock.tick(now);
        let device = &mut self.devices[index as usize];
        let awaits = !matches!(device.doing, Doing::Nothing | Doing::Handshake);
        if !awaits || device.exchange.mid != message.packet.header.message_id {
            self.stats.counts.unmatched += 1;
        } else if matches!(device.doing, Doing::Notify(_)) {
            self.answered(index, Operation::Notify, Ok(()), now, out);
        } else {
            device.exchange.acknowledge(tick, &self.timing);
            let deadline = device.exchange.deadline;
            self.calendar.enter(deadline, index, Due::Timeout);
        }
    }

    fn on_reset(&mut self, index: u32, mid: u16, now: Micros, out: &mut Outbox) {
        let device = &mut self.devices[index as usize];
        let awaits = !matches!(device.doing, Doing::Nothing | Doing::Handshake);
        if awaits && device.exchange.mid == mid {
            let tick = self.clock.tick(now);
            self.end(index, Err(Failure::Reset), tick, out);
        } else if device.cancel_by_mid(mid) {
            self.stats.revoked(Operation::Notify, Failure::Reset);
        } else {
            self.stats.counts.unmatched += 1;
        }
    }

    /// A response, piggybacked or separate.
    fn on_response(&mut self, index: u32, message: &Parsed, now: Micros, out: &mut Outbox) {
        let packet = &message.packet;
        let device = &self.devices[index as usize];
        let exchange = &device.exchange;
        let operation = match device.doing {
            Doing::Bootstrap => Some(Operation::Bootstrap),
            Doing::Register => Some(Operation::Register),
            Doing::Update => Some(Operation::Update),
            Doing::Deregister => Some(Operation::Deregister),
            Doing::Nothing | Doing::Handshake | Doing::Notify(_) => None,
        };
        let is_ours = packet.get_token() == exchange.mid.to_be_bytes()
            && (packet.header.get_type() != MessageType::Acknowledgement
                || packet.header.message_id == exchange.mid);
        let Some(operation) = operation.filter(|_| is_ours) else {
            self.stats.counts.unmatched += 1;
            if packet.header.get_type() == MessageType::Confirmable {
                self.send_empty(index, MessageType::Reset, packet, out);
            }
            return;
        };
        if packet.header.get_type() == MessageType::Confirmable && !self.echoed {
            self.send_empty(index, MessageType::Acknowledgement, packet, out);
        }
        if operation == Operation::Bootstrap && !self.echoed {
            return self.on_bootstrap_response(index, message, now, out);
        }
        let outcome = if self.echoed {
            Ok(())
        } else {
            self.judge(index, operation, packet)
        };
        self.answered(index, operation, outcome, now, out);
    }

    /// Whether the response is the one that the operation hopes for.
    fn judge(&mut self, index: u32, operation: Operation, packet: &Packet) -> Result<(), Failure> {
        let expected = match operation {
            Operation::Register => ResponseType::Created,
            Operation::Deregister => ResponseType::Deleted,
            _ => ResponseType::Changed,
        };
        let code = packet.header.code;
        if code != MessageClass::Response(expected) {
            let code = u8::from(code);
            return Err(if code >> 5 == 2 {
                Failure::Unexpected
            } else {
                Failure::Code(code)
            });
        }
        if operation != Operation::Register {
            return Ok(());
        }
        let path = packet
            .get_option(CoapOption::LocationPath)
            .ok_or(Failure::Unexpected)?;
        let kept = self.devices[index as usize].set_location(path.iter().map(Vec::as_slice));
        if kept {
            Ok(())
        } else {
            Err(Failure::Unexpected)
        }
    }

    /// Sends an empty message that names the received one.
    pub(super) fn send_empty(
        &mut self,
        index: u32,
        kind: MessageType,
        received: &Packet,
        out: &mut Outbox,
    ) {
        let message = Message::new(kind, MessageClass::Empty, received.header.message_id, &[]);
        self.links.put(index, out, |arena| append(&message, arena));
    }

    pub(super) fn answered(
        &mut self,
        index: u32,
        operation: Operation,
        outcome: Result<(), Failure>,
        now: Micros,
        out: &mut Outbox,
    ) {
        let intended = self
            .clock
            .begin_of(self.devices[index as usize].exchange.intended);
        self.stats.measured(operation, now.saturating_sub(intended));
        let tick: Ticks = self.clock.tick(now);
        self.end(index, outcome, tick, out);
    }
}

/// A bit for each of the first resources, one for all others: enough to tell the first Read of each.
const fn first_read_bit(resource: Option<u16>) -> u8 {
    match resource {
        Some(resource @ 0..=3) => 1 << resource,
        Some(9) => 1 << 4,
        Some(_) => 1 << 5,
        None => 1 << 6,
    }
}
