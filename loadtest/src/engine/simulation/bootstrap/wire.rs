//! Messages of a bootstrap, from the device's side.

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::told::Session;
use crate::client::blocks::{Block, number_bytes, slice};
use crate::client::request::{Answer, Request};
use crate::coap::{Message, Parsed};
use crate::fleet::{Fleet, TOKEN, Template};
use crate::scenario::BootstrapSettings;

/// The longest part of an answer.
const BLOCK: usize = 1_024;

/// The Bootstrap-Request, or Bootstrap-Pack-Request, of a fleet.
pub fn first_request(settings: BootstrapSettings, fleet: &Fleet, block: Option<Block>) -> Template {
    let (method, path) = match settings.pack {
        true => (RequestType::Get, "bspack"),
        false => (RequestType::Post, "bs"),
    };
    let code = MessageClass::Request(method);
    let mut message = Message::new(MessageType::Confirmable, code, 0, &[0; TOKEN])
        .option(CoapOption::UriPath, path);
    match settings.content_format() {
        Some(format) if settings.pack => {
            message = message.option(CoapOption::Accept, number_bytes(format.into()));
        }
        Some(format) => message = message.option(CoapOption::UriQuery, format!("pct={format}")),
        None => {}
    }
    if let Some(block) = block {
        message = message.option(CoapOption::Block2, number_bytes(block.to_number()));
    }
    fleet.request_with_name(message)
}

/// An answer in blocks, where it is one, or the request was one.
pub fn with_blocks(
    request: &Parsed,
    answer: &Answer,
    block1: Option<Block>,
    block2: Option<Block>,
    session: &mut Session,
) -> Message {
    let mut message = piggybacked(request, answer, block1);
    if answer.payload.len() <= BLOCK && block2.is_none() {
        return message.payload(answer.payload.clone());
    }
    let mut block = block2.unwrap_or(Block {
        number: 0,
        more: false,
        size: BLOCK,
    });
    let Some((part, more)) = slice(&answer.payload, block) else {
        return message;
    };
    block.more = more;
    if more && block.number == 0 {
        let path = Request::from_packet(&request.packet).map(|request| request.segments);
        session.long_answer = path.map(|path| (path, answer.clone()));
    }
    message = message.option(CoapOption::Block2, number_bytes(block.to_number()));
    message.payload(part.to_vec())
}

/// An answer without its payload.
pub fn piggybacked(request: &Parsed, answer: &Answer, block1: Option<Block>) -> Message {
    let packet = &request.packet;
    let (mid, token) = (packet.header.message_id, packet.get_token());
    let kind = match packet.header.get_type() {
        MessageType::Confirmable => MessageType::Acknowledgement,
        _ => MessageType::NonConfirmable,
    };
    let mut message = Message::new(kind, MessageClass::Response(answer.code), mid, token);
    if let Some(format) = answer.format {
        message = message.content_format(format);
    }
    if let Some(block) = block1 {
        let more = answer.code == ResponseType::Continue;
        let block = Block { more, ..block };
        message = message.option(CoapOption::Block1, number_bytes(block.to_number()));
    }
    message
}
