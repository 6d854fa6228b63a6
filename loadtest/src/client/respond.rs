//! From a request of the server to the answer on the wire, faults included.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, ResponseType};

use super::blocks::{Block, Progress, number_bytes, slice};
use super::device::Device;
use super::event::Event;
use super::exchange::message_bytes;
use super::formats;
use super::objects;
use super::operations::{Effect, perform};
use super::options::Fault;
use super::refusal::Refusal;
use super::request::{Answer, Kind, Request, number};
use crate::coap::{Message, observe_bytes};

/// A content format that nobody asks for.
const STRANGE_FORMAT: u16 = 65_000;

impl Device {
    pub(super) fn on_request(&mut self, packet: &Packet, datagram: &[u8], now: u64) {
        let mid = packet.header.message_id;
        if let Some(answer) = self.repeated.answer(mid, now) {
            let answer = answer.clone();
            self.counters.repeated += 1;
            answer.into_iter().for_each(|bytes| self.push_out(bytes));
            return;
        }
        let Some(request) = Request::from_packet(packet) else {
            self.counters.not_understood += 1;
            return;
        };
        let kind = request.kind();
        self.counters.last_request.insert(kind, datagram.to_vec());
        let block1 = number(packet, CoapOption::Block1).map(Block::from_number);
        let block2 = number(packet, CoapOption::Block2).map(Block::from_number);
        let answer = match self.put_together(request.clone(), block1, now) {
            Ok(Some(request)) => self.serve(&request, kind, block2, now),
            Ok(None) => Ok(Answer::of(ResponseType::Continue)),
            Err(refusal) => Err(refusal),
        };
        let answer = answer.unwrap_or_else(|refusal| {
            self.counters.refused += 1;
            refusal.into()
        });
        self.tell(Event::Answered {
            code: answer.code,
            payload: answer.payload.clone(),
        });
        let bytes = self.encode_answer(packet, &request, answer, block1, block2, now);
        self.repeated.remember(mid, bytes.clone(), now);
        bytes.into_iter().for_each(|bytes| self.push_out(bytes));
    }

    /// The request with its whole body, or `None` while blocks are missing.
    fn put_together(
        &mut self,
        mut request: Request,
        block: Option<Block>,
        now: u64,
    ) -> Result<Option<Request>, Refusal> {
        let largest = self.options.largest_body;
        if let Some(block) = block {
            match self.incoming.take(&request, block, largest, now)? {
                Progress::Continue => return Ok(None),
                Progress::Whole(body) => request.payload = body,
            }
        }
        Ok(Some(request))
    }

    fn serve(
        &mut self,
        request: &Request,
        kind: Kind,
        block2: Option<Block>,
        now: u64,
    ) -> Result<Answer, Refusal> {
        if block2.is_some_and(|block| block.number > 0)
            && let Some(answer) = self.outgoing.kept(request)
        {
            return Ok(answer);
        }
        *self.counters.requests.entry(kind).or_default() += 1;
        self.tell(Event::Asked {
            method: request.method,
            path: format!("/{}", request.segments.join("/")),
            payload: request.payload.clone(),
        });
        if self.is_bootstrapping() {
            return self.serve_bootstrap(request, now);
        }
        match kind {
            Kind::Observe | Kind::ObserveComposite => return self.observe(request, now),
            Kind::CancelObserve => return self.cancel_observe(request),
            Kind::Write => {
                if let Some(refusal) = objects::refuse_write(&request.path()?) {
                    return Err(refusal);
                }
            }
            _ => {}
        }
        let (answer, effect) = perform(&mut self.tree, &self.abilities, request)?;
        match effect {
            Effect::None => {}
            Effect::Written(records) => {
                self.dirty = true;
                objects::written(self, &records, now)?;
            }
            Effect::Instances => {
                self.dirty = true;
                self.objects_changed();
            }
            Effect::Execute(path, arguments) => objects::execute(self, &path, &arguments, now)?,
        }
        Ok(answer)
    }

    /// The datagram of an answer; `None` when a fault wants none.
    fn encode_answer(
        &mut self,
        packet: &Packet,
        request: &Request,
        mut answer: Answer,
        block1: Option<Block>,
        block2: Option<Block>,
        now: u64,
    ) -> Option<Vec<u8>> {
        let confirmable = packet.header.get_type() == MessageType::Confirmable;
        let mut mid = packet.header.message_id;
        let mut token = request.token.clone();
        let fault = self.options.fault;
        match fault {
            Some(Fault::NeverAnswer) => return None,
            Some(Fault::AcknowledgeOnly) => {
                let empty = MessageClass::Empty;
                return confirmable
                    .then(|| message_bytes(MessageType::Acknowledgement, empty, mid, &[]));
            }
            Some(Fault::NotCoap) => return Some(b"\xFF\xFFthis is no CoAP".to_vec()),
            Some(Fault::Garbage) if !answer.payload.is_empty() => {
                answer.payload = b"\xFE\x00\xFFgarbage\xC1".to_vec();
            }
            Some(Fault::WrongToken) => token = b"wrong".to_vec(),
            Some(Fault::WrongFormat) if answer.format.is_some() => {
                answer.format = Some(STRANGE_FORMAT);
            }
            Some(Fault::TruncatedPayload) => {
                let half = answer.payload.len() / 2;
                answer.payload.truncate(half);
            }
            _ => {}
        }
        let kind = if confirmable {
            MessageType::Acknowledgement
        } else {
            mid = self.take_mid();
            MessageType::NonConfirmable
        };
        let code = MessageClass::Response(answer.code);
        let mut message = Message::new(kind, code, mid, &token);
        if let Some(sequence) = answer.observe {
            message = message.option(CoapOption::Observe, observe_bytes(sequence));
        }
        if let Some(location) = answer.location {
            for id in location.ids() {
                message = message.option(CoapOption::LocationPath, id.to_string());
            }
        }
        if let Some(format) = answer.format {
            message = message.content_format(format);
        }
        if let Some(block) = block1 {
            let more = answer.code == ResponseType::Continue;
            let block = Block { more, ..block };
            message = message.option(CoapOption::Block1, number_bytes(block.to_number()));
        }
        let (message, payload) = self.first_block(message, request, answer, block2, now);
        Some(message.payload(payload).encode())
    }

    /// Adds Block2 where the payload needs it, and keeps the rest.
    pub(super) fn first_block(
        &mut self,
        message: Message,
        request: &Request,
        answer: Answer,
        asked: Option<Block>,
        now: u64,
    ) -> (Message, Vec<u8>) {
        let largest = self.options.block_size;
        if answer.payload.len() <= largest && asked.is_none() {
            return (message, answer.payload);
        }
        let mut block = asked.unwrap_or(Block {
            number: 0,
            more: false,
            size: largest,
        });
        if block.number == 0 {
            block.size = block.size.min(largest);
        }
        let Some((part, more)) = slice(&answer.payload, block) else {
            return (message, Vec::new());
        };
        let part = part.to_vec();
        block.more = more;
        let message = message.option(CoapOption::Block2, number_bytes(block.to_number()));
        if more && block.number == 0 {
            let mut later = answer;
            later.observe = None;
            self.outgoing.keep(request, later, now);
        }
        (message, part)
    }

    /// The content formats that are announced.
    #[must_use]
    pub(super) fn announced_formats(&self) -> Vec<u16> {
        let mut announced = match &self.options.formats {
            Some(formats) => formats.clone(),
            None => formats::announced(self.options.version).to_vec(),
        };
        if self.options.old_formats {
            announced.extend([formats::OLD_TLV, formats::OLD_JSON]);
        }
        announced
    }
}
