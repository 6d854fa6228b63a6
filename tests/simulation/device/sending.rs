//! Confirmable messages of the device, one at a time, sent again with back-off (RFC 7252 §4.2).

use super::*;

const ACK_TIMEOUT: u64 = 2_000;
const MAX_RETRANSMIT: u32 = 4;

/// Why the device sends a confirmable message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    Register,
    Update,
    Deregister,
    /// Tells the observer with this token the value.
    Notify(Vec<u8>),
    /// A separate response.
    Respond(Vec<u8>),
    /// The next block of what it fetches.
    Fetch,
}

/// A message that waits for its acknowledgement.
pub(super) struct InFlight {
    purpose: Purpose,
    mid: u16,
    /// Token its acknowledgement carries: none when that is empty.
    token: Vec<u8>,
    bytes: Vec<u8>,
    wait: u64,
    pub(super) deadline: u64,
    sent_again: u32,
}

impl InFlight {
    /// Whether the message is a response, so that its acknowledgement is empty.
    fn is_response(&self) -> bool {
        matches!(self.purpose, Purpose::Notify(_) | Purpose::Respond(_))
    }
}

impl Device {
    /// Puts a message in line. Of one kind there is one: a value that waits gives way to a newer one.
    pub(super) fn queue(&mut self, purpose: Purpose) {
        let waiting = &mut self.memory.waiting;
        if !waiting.contains(&purpose) {
            waiting.push_back(purpose);
        }
    }

    /// A new registration takes the place of whatever was going on.
    pub(super) fn register(&mut self) {
        let memory = &mut self.memory;
        memory.location = None;
        memory.observers.clear();
        memory.waiting.clear();
        memory.update_at = NEVER;
        self.queue(Purpose::Register);
    }

    pub(super) fn transmit_next(&mut self, now: u64, out: &mut Vec<Vec<u8>>) {
        while self.memory.in_flight.is_none() {
            let Some(purpose) = self.memory.waiting.pop_front() else {
                return;
            };
            let Some((mid, token, bytes)) = self.write(&purpose) else {
                continue;
            };
            let wait = self.rng.u64(ACK_TIMEOUT..=ACK_TIMEOUT * 3 / 2);
            out.push(bytes.clone());
            self.memory.in_flight = Some(InFlight {
                purpose,
                mid,
                token,
                bytes,
                wait,
                deadline: now + wait,
                sent_again: 0,
            });
        }
    }

    pub(super) fn retransmit(&mut self, now: u64, out: &mut Vec<Vec<u8>>) {
        let Some(it) = &mut self.memory.in_flight else {
            return;
        };
        if now < it.deadline {
            return;
        }
        if it.sent_again < MAX_RETRANSMIT {
            it.sent_again += 1;
            it.wait *= 2;
            it.deadline = now + it.wait;
            out.push(it.bytes.clone());
        } else if let Some(it) = self.memory.in_flight.take() {
            self.given_up(now, it.purpose);
        }
    }

    pub(super) fn on_acknowledgement(&mut self, now: u64, packet: &Packet) {
        // What the device sent before it rebooted may have had the same message id.
        let fits = |it: &mut InFlight| {
            let bare = packet.header.code == MessageClass::Empty;
            let token = packet.get_token();
            it.mid == packet.header.message_id && bare == it.is_response() && token == it.token
        };
        let Some(it) = self.memory.in_flight.take_if(fits) else {
            return;
        };
        let ok = match it.purpose {
            Purpose::Notify(_) | Purpose::Respond(_) => return,
            Purpose::Register => ResponseType::Created,
            Purpose::Update => ResponseType::Changed,
            Purpose::Deregister => ResponseType::Deleted,
            Purpose::Fetch => ResponseType::Content,
        };
        let answer = packet.header.code;
        let unknown = MessageClass::Response(ResponseType::NotFound);
        match it.purpose {
            _ if answer == MessageClass::Response(ok) => self.succeeded(now, &it.purpose, packet),
            // The server knows no such registration.
            Purpose::Update if answer == unknown => self.register(),
            Purpose::Deregister if answer == unknown => self.left(),
            purpose => self
                .log
                .complain(format!("{purpose:?} was answered {answer}")),
        }
    }

    /// The server does not know the observation a notification was for.
    pub(super) fn on_reset(&mut self, mid: u16) {
        let memory = &mut self.memory;
        memory
            .in_flight
            .take_if(|it| it.mid == mid && it.is_response());
        let notified = memory.notified.iter().find(|(known, _)| *known == mid);
        if let Some((_, token)) = notified.cloned() {
            self.forget_observer(&token);
            let memory = &mut self.memory;
            memory.observers.retain(|observer| *observer != token);
            memory
                .waiting
                .retain(|it| *it != Purpose::Notify(token.clone()));
        }
    }

    fn succeeded(&mut self, now: u64, purpose: &Purpose, packet: &Packet) {
        let memory = &mut self.memory;
        match purpose {
            Purpose::Register => {
                let location = path(packet, CoapOption::LocationPath);
                if !location.starts_with("/rd/") {
                    return self.log.complain(format!("registered at {location}"));
                }
                memory.location = Some(location);
                memory.failures = 0;
            }
            Purpose::Deregister => return self.left(),
            Purpose::Fetch => return self.fetched(now, packet),
            _ => {}
        }
        if *purpose == Purpose::Register {
            self.fetch_again(now);
        }
        let memory = &mut self.memory;
        let lifetime = self.habits.lifetime as f64 * 1_000.0;
        memory.update_at = now + (lifetime * self.habits.update_after) as u64;
    }

    /// The registration is over; the device waits for its return or switches itself off.
    fn left(&mut self) {
        self.memory.location = None;
        if self.memory.gone_for_good {
            self.die();
        }
    }

    /// No acknowledgement in time.
    fn given_up(&mut self, now: u64, purpose: Purpose) {
        match purpose {
            // A device in the field waits longer each time.
            Purpose::Register => {
                self.memory.failures += 1;
                let pause = 5_000 << self.memory.failures.min(4);
                self.memory.register_at = now + self.rng.u64(pause / 2..pause);
            }
            // The server cannot be reached: the observer is removed (RFC 7641 §4.5), the device
            // registers anew.
            Purpose::Update | Purpose::Notify(_) => self.register(),
            Purpose::Deregister => self.left(),
            Purpose::Respond(_) => {}
            Purpose::Fetch => self.fetch_again(now),
        }
    }

    /// The message for a purpose; `None` when it has become pointless.
    fn write(&mut self, purpose: &Purpose) -> Option<(u16, Vec<u8>, Vec<u8>)> {
        if let Purpose::Notify(token) = purpose {
            if !self.memory.observers.contains(token) {
                return None;
            }
            let bytes = self.notification(MessageType::Confirmable, token);
            return Some((self.memory.next_mid, Vec::new(), bytes));
        }
        if let Purpose::Respond(bytes) = purpose {
            let packet = parse(bytes);
            return Some((packet.header.message_id, Vec::new(), bytes.clone()));
        }
        let mid = self.next_mid();
        let token = self.rng.u32(..).to_be_bytes().to_vec();
        let method = match purpose {
            Purpose::Deregister => RequestType::Delete,
            _ => RequestType::Post,
        };
        let code = MessageClass::Request(method);
        let mut packet = message(MessageType::Confirmable, code, mid, &token);
        if *purpose == Purpose::Fetch {
            if !self.fetch(&mut packet) {
                return None;
            }
        } else if *purpose == Purpose::Register {
            self.log.registers += 1;
            packet.add_option(CoapOption::UriPath, b"rd".to_vec());
            self.describe(&mut packet);
        } else {
            self.log.updates += u64::from(*purpose == Purpose::Update);
            let location = self.memory.location.as_ref()?;
            for segment in location.split('/').skip(1) {
                packet.add_option(CoapOption::UriPath, segment.as_bytes().to_vec());
            }
        }
        Some((mid, token, encode(&packet)))
    }

    /// The parameters and objects of a Register.
    fn describe(&self, packet: &mut Packet) {
        packet.add_option(CoapOption::ContentFormat, vec![40]);
        let mut queries = vec![
            "lwm2m=1.1".to_owned(),
            format!("ep={}", self.name),
            format!("lt={}", self.habits.lifetime),
        ];
        if self.habits.queue_mode {
            queries.push("Q".to_owned());
        }
        for query in queries {
            packet.add_option(CoapOption::UriQuery, query.into_bytes());
        }
        packet.payload = if self.updater.is_some() {
            b"</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</1/0>,</3/0>,</5/0>".to_vec()
        } else {
            b"</1/0>,</3/0>".to_vec()
        };
    }
}
