//! The transmission of CoAP (RFC 7252, section 4): own requests one at a time, repeated messages of the server.

use std::collections::VecDeque;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

use super::blocks::{Block, number_bytes};
use super::device::Device;
use super::event::Own;
use super::request::number;
use crate::coap::Message;

const ACK_TIMEOUT_MS: u64 = 2_000;
const MAX_RETRANSMIT: u8 = 4;
/// How long the response of an acknowledged request may take: MAX_TRANSMIT_WAIT.
const RESPONSE_WAIT_MS: u64 = 93_000;
/// How long a message id means the same message: EXCHANGE_LIFETIME.
const EXCHANGE_LIFETIME_MS: u64 = 247_000;
/// Messages of the server that are remembered.
const REMEMBERED: usize = 256;
/// Outcomes of own requests that nobody fetched yet.
const OUTCOMES: usize = 64;

/// One of the device's own requests.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnRequest {
    pub own: Own,
    pub ticket: u64,
    pub method: RequestType,
    pub path: Vec<String>,
    pub query: Vec<String>,
    pub format: Option<u16>,
    pub payload: Vec<u8>,
}

/// The one on its way.
#[derive(Debug)]
struct Current {
    request: OwnRequest,
    token: Vec<u8>,
    block: Block,
    last_block: bool,
    flight: Flight,
}

/// A confirmable message on its way.
#[derive(Debug)]
pub struct Flight {
    pub mid: u16,
    bytes: Vec<u8>,
    deadline: u64,
    timeout: u64,
    retransmissions: u8,
    acknowledged: bool,
}

/// Own requests, in order, one at a time (NSTART 1), and confirmable notifications.
#[derive(Debug, Default)]
pub struct OwnRequests {
    queue: VecDeque<OwnRequest>,
    current: Option<Current>,
    notifications: Vec<Flight>,
    outcomes: VecDeque<(u64, Option<ResponseType>)>,
    tickets: u64,
}

/// What is due for a flight.
enum Due {
    Nothing,
    Resend,
    GiveUp,
}

impl Flight {
    pub fn new(mid: u16, bytes: Vec<u8>, now: u64, rng: &mut fastrand::Rng) -> Self {
        let timeout = rng.u64(ACK_TIMEOUT_MS..=ACK_TIMEOUT_MS * 3 / 2);
        Self {
            mid,
            bytes,
            deadline: now + timeout,
            timeout,
            retransmissions: 0,
            acknowledged: false,
        }
    }

    fn due(&mut self, now: u64) -> Due {
        if now < self.deadline {
            Due::Nothing
        } else if self.acknowledged || self.retransmissions == MAX_RETRANSMIT {
            Due::GiveUp
        } else {
            self.retransmissions += 1;
            self.timeout *= 2;
            self.deadline = now + self.timeout;
            Due::Resend
        }
    }
}

impl OwnRequests {
    /// Appends a request; its ticket asks for the outcome later.
    pub fn push(&mut self, mut request: OwnRequest) -> u64 {
        self.tickets += 1;
        request.ticket = self.tickets;
        self.queue.push_back(request);
        self.tickets
    }

    /// Whether one of this kind waits or is on its way.
    #[must_use]
    pub fn holds(&self, own: Own) -> bool {
        let current = self.current.iter().map(|current| &current.request);
        current.chain(&self.queue).any(|request| request.own == own)
    }

    /// The outcome of a request: `Some(None)` when it was not answered.
    pub fn take_outcome(&mut self, ticket: u64) -> Option<Option<ResponseType>> {
        let at = self
            .outcomes
            .iter()
            .position(|(known, _)| *known == ticket)?;
        self.outcomes.remove(at).map(|(_, outcome)| outcome)
    }

    pub(super) fn notify(&mut self, flight: Flight) {
        self.notifications.push(flight);
    }

    pub(super) fn next_step(&self) -> u64 {
        let current = self.current.iter().map(|current| current.flight.deadline);
        let waiting = (self.current.is_none() && !self.queue.is_empty()).then_some(0);
        let notifications = self.notifications.iter().map(|flight| flight.deadline);
        current
            .chain(notifications)
            .chain(waiting)
            .min()
            .unwrap_or(u64::MAX)
    }

    pub(super) fn acknowledged(&mut self, mid: u16, now: u64) {
        self.notifications.retain(|flight| flight.mid != mid);
        if let Some(current) = self.current.as_mut().filter(|c| c.flight.mid == mid) {
            current.flight.acknowledged = true;
            current.flight.deadline = now + RESPONSE_WAIT_MS;
        }
    }

    pub(super) fn is_waiting_for(&self, mid: u16) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.flight.mid == mid)
    }

    /// Forgets what waits and what is on its way, as a restart does.
    pub(super) fn clear(&mut self) {
        let current = self.current.take().map(|current| current.request);
        let waiting: Vec<OwnRequest> = current.into_iter().chain(self.queue.drain(..)).collect();
        waiting
            .iter()
            .for_each(|request| self.done(request.ticket, None));
        self.notifications.clear();
    }

    /// Ends a confirmable notification.
    pub(super) fn drop_notification(&mut self, mid: u16) {
        self.notifications.retain(|flight| flight.mid != mid);
    }

    fn done(&mut self, ticket: u64, outcome: Option<ResponseType>) {
        if self.outcomes.len() == OUTCOMES {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((ticket, outcome));
    }
}

impl Device {
    /// Starts the next own request, sends again what was not acknowledged, gives up.
    pub(super) fn drive_own_requests(&mut self, now: u64) {
        let mut resend = Vec::new();
        let mut lost = Vec::new();
        for flight in &mut self.own.notifications {
            match flight.due(now) {
                Due::Nothing => {}
                Due::Resend => resend.push(flight.bytes.clone()),
                Due::GiveUp => lost.push(flight.mid),
            }
        }
        for mid in lost {
            self.own.drop_notification(mid);
            self.cancel_by_reset(mid);
        }
        resend.into_iter().for_each(|bytes| self.push_out(bytes));
        let due = self
            .own
            .current
            .as_mut()
            .map(|current| current.flight.due(now));
        match due {
            Some(Due::Resend) => {
                let bytes = self.own.current.as_ref().map(|c| c.flight.bytes.clone());
                bytes.into_iter().for_each(|bytes| self.push_out(bytes));
            }
            Some(Due::GiveUp) => self.own_request_failed(None, now),
            Some(Due::Nothing) | None => {}
        }
        if self.own.current.is_none()
            && let Some(request) = self.own.queue.pop_front()
        {
            self.start(request, 0, self.options.block_size, now);
        }
    }

    /// A response came, piggybacked or by itself.
    pub(super) fn on_response(&mut self, packet: &Packet, now: u64) {
        let mid = packet.header.message_id;
        let kind = packet.header.get_type();
        if kind == MessageType::Confirmable {
            let empty = MessageClass::Empty;
            self.push_out(message_bytes(MessageType::Acknowledgement, empty, mid, &[]));
        }
        let MessageClass::Response(code) = packet.header.code else {
            self.counters.not_understood += 1;
            return;
        };
        let piggybacked = kind == MessageType::Acknowledgement;
        let current = self.own.current.take_if(|current| {
            current.token == packet.get_token() && (!piggybacked || current.flight.mid == mid)
        });
        let Some(current) = current else {
            self.counters.not_understood += 1;
            return;
        };
        let answered = number(packet, CoapOption::Block1).map(Block::from_number);
        if code == ResponseType::Continue && !current.last_block {
            let size = answered.map_or(current.block.size, |b| b.size.min(current.block.size));
            let sent = (current.block.number as usize + 1) * current.block.size;
            return self.start(current.request, sent, size, now);
        }
        let ticket = current.request.ticket;
        if code.is_error() {
            self.own.current = Some(current);
            return self.own_request_failed(Some(code), now);
        }
        self.own.done(ticket, Some(code));
        self.own_request_done(&current.request, packet, now);
        self.drive_own_requests(now);
    }

    /// The current own request came to nothing.
    pub(super) fn own_request_failed(&mut self, code: Option<ResponseType>, now: u64) {
        if let Some(current) = self.own.current.take() {
            self.own.done(current.request.ticket, code);
            self.counters.failed += 1;
            self.own_request_refused(&current.request, code, now);
        }
    }

    /// Sends the block of a request that begins at `offset`.
    fn start(&mut self, request: OwnRequest, offset: usize, size: usize, now: u64) {
        let mid = self.take_mid();
        let token = self.rng.u64(..).to_be_bytes().to_vec();
        let whole = request.payload.len() <= size && offset == 0;
        let end = request.payload.len().min(offset + size);
        let block = Block {
            number: u32::try_from(offset / size).unwrap_or(u32::MAX),
            more: end < request.payload.len(),
            size,
        };
        let mut message = Message::new(
            MessageType::Confirmable,
            MessageClass::Request(request.method),
            mid,
            &token,
        );
        for segment in &request.path {
            message = message.option(CoapOption::UriPath, segment.as_str());
        }
        for parameter in &request.query {
            message = message.option(CoapOption::UriQuery, parameter.as_str());
        }
        if let Some(format) = request.format {
            message = message.content_format(format);
        }
        if !whole {
            message = message.option(CoapOption::Block1, number_bytes(block.to_number()));
            if offset == 0 {
                let size1 = u32::try_from(request.payload.len()).unwrap_or(u32::MAX);
                message = message.option(CoapOption::Size1, number_bytes(size1));
            }
        }
        let bytes = message
            .payload(
                request
                    .payload
                    .get(offset..end)
                    .unwrap_or_default()
                    .to_vec(),
            )
            .encode();
        self.stay_awake(now);
        self.push_out(bytes.clone());
        self.own.current = Some(Current {
            flight: Flight::new(mid, bytes, now, &mut self.rng),
            last_block: !block.more,
            request,
            token,
            block,
        });
    }
}

/// Messages that came before, with the datagram each was answered with.
#[derive(Debug, Default)]
pub struct Repeated {
    known: VecDeque<(u64, u16, Option<Vec<u8>>)>,
}

impl Repeated {
    /// What a message id was answered with, if it came before.
    #[must_use]
    pub fn answer(&self, mid: u16, now: u64) -> Option<&Option<Vec<u8>>> {
        let fresh = |at: &u64| at + EXCHANGE_LIFETIME_MS > now;
        let found = self
            .known
            .iter()
            .rev()
            .find(|(at, known, _)| *known == mid && fresh(at));
        found.map(|(_, _, answer)| answer)
    }

    /// Remembers an answer; `None` when there was none.
    pub fn remember(&mut self, mid: u16, answer: Option<Vec<u8>>, now: u64) {
        if self.known.len() == REMEMBERED {
            self.known.pop_front();
        }
        self.known.push_back((now, mid, answer));
    }
}

/// A message without options and payload.
#[must_use]
pub fn message_bytes(kind: MessageType, code: MessageClass, mid: u16, token: &[u8]) -> Vec<u8> {
    Message::new(kind, code, mid, token).encode()
}
