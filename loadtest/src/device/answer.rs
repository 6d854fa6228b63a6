//! How a device answers its server (LwM2M 1.1 core §6.3, §6.4).

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::encode::{self, LINK_FORMAT, TEXT, TLV};
pub use super::resources::Identity;
use super::resources::{exists, is_executable, read};
use super::target::Target;
use super::{Device, Observation};
use crate::coap::{Message, Parsed, observe_bytes};

/// What a device answered, compactly: the answer's bytes follow from it and the request's id and token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The response code; 0 for none.
    pub code: u8,
    observing: bool,
    format: u16,
    sequence: u32,
    target: Target,
}

/// What the server asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// A Read, or a Discover.
    Read,
    /// An Observe.
    Observe,
    /// Something else.
    Other,
}

impl Answer {
    /// No answer.
    pub const NONE: Self = Self {
        code: 0,
        observing: false,
        format: 0,
        sequence: 0,
        target: Target::ROOT,
    };

    /// What was asked about.
    #[must_use]
    pub const fn target(&self) -> Target {
        self.target
    }
}

/// Decides the answer to a request, and starts or ends observations as it asks.
pub fn answer(device: &mut Device, request: &Parsed, identity: &Identity<'_>) -> (Asked, Answer) {
    let packet = &request.packet;
    let path = packet.get_option(CoapOption::UriPath);
    let target = Target::from_segments(path.into_iter().flatten().map(Vec::as_slice));
    let of_code = |code: ResponseType| Answer {
        code: MessageClass::Response(code).into(),
        target: target.unwrap_or(Target::ROOT),
        sequence: device.sequence,
        ..Answer::NONE
    };
    if has_unknown_critical_option(request) {
        return (Asked::Other, of_code(ResponseType::BadOption));
    }
    let target = target.filter(|&target| exists(target));
    match packet.header.code {
        MessageClass::Request(RequestType::Get) => {
            let observe = request.uint(CoapOption::Observe);
            let asked = if observe == Some(0) {
                Asked::Observe
            } else {
                Asked::Read
            };
            let Some(target) = target else {
                return (asked, of_code(ResponseType::NotFound));
            };
            let format = match request.uint(CoapOption::Accept) {
                Some(format) => format as u16,
                None if target.resource_id().is_some() => TEXT,
                None => TLV,
            };
            if is_executable(target) {
                return (asked, of_code(ResponseType::MethodNotAllowed));
            }
            let content = Answer {
                format,
                ..of_code(ResponseType::Content)
            };
            if payload(&content, identity).is_none() {
                return (asked, of_code(ResponseType::NotAcceptable));
            }
            let observing = match observe {
                Some(0) => device.observe(packet.get_token(), target, format),
                Some(1) => {
                    device.cancel_by_token_or_target(packet.get_token(), target);
                    false
                }
                _ => false,
            };
            (
                asked,
                Answer {
                    observing,
                    ..content
                },
            )
        }
        MessageClass::Request(RequestType::Post) if target.is_some_and(is_executable) => {
            (Asked::Other, of_code(ResponseType::Changed))
        }
        // Write-Attributes: accepted, and without effect on a device that notifies by the clock.
        MessageClass::Request(RequestType::Put)
            if target.is_some() && packet.payload.is_empty() =>
        {
            (Asked::Other, of_code(ResponseType::Changed))
        }
        MessageClass::Request(RequestType::Fetch | RequestType::IPatch) => {
            (Asked::Other, of_code(ResponseType::MethodNotAllowed))
        }
        _ if target.is_none() => (Asked::Other, of_code(ResponseType::NotFound)),
        _ => (Asked::Other, of_code(ResponseType::MethodNotAllowed)),
    }
}

/// The message for an answer, piggybacked on the acknowledgement of a confirmable request. The same for the same
/// arguments, so that a repeated request gets the same answer.
#[must_use]
pub fn repeat(answer: &Answer, request: &Parsed, non_mid: u16, identity: &Identity<'_>) -> Message {
    let packet = &request.packet;
    let (kind, mid) = match packet.header.get_type() {
        MessageType::Confirmable => (MessageType::Acknowledgement, packet.header.message_id),
        _ => (MessageType::NonConfirmable, non_mid),
    };
    let message = Message::new(
        kind,
        MessageClass::from(answer.code),
        mid,
        packet.get_token(),
    );
    with_content(message, answer, identity)
}

/// A notification of `observation` with the device's present values.
#[must_use]
pub fn observe_notification(
    observation: &Observation,
    kind: MessageType,
    mid: u16,
    sequence: u32,
    identity: &Identity<'_>,
) -> Message {
    let content = MessageClass::Response(ResponseType::Content);
    let answer = Answer {
        code: content.into(),
        observing: true,
        format: observation.format,
        sequence,
        target: observation.target,
    };
    with_content(
        Message::new(kind, content, mid, observation.token()),
        &answer,
        identity,
    )
}

fn with_content(mut message: Message, answer: &Answer, identity: &Identity<'_>) -> Message {
    if answer.code != u8::from(MessageClass::Response(ResponseType::Content)) {
        return message;
    }
    if answer.observing {
        message = message.option(CoapOption::Observe, observe_bytes(answer.sequence));
    }
    let payload = payload(answer, identity).unwrap_or_default();
    message.content_format(answer.format).payload(payload)
}

fn payload(answer: &Answer, identity: &Identity<'_>) -> Option<Vec<u8>> {
    let values = read(answer.target, identity, answer.sequence);
    if answer.format == LINK_FORMAT {
        return Some(encode::links(answer.target, &values));
    }
    encode::encode(answer.format, answer.target, &values)
}

/// RFC 7252 §5.4.1: odd numbers are critical.
fn has_unknown_critical_option(request: &Parsed) -> bool {
    const KNOWN: [CoapOption; 6] = [
        CoapOption::UriHost,
        CoapOption::UriPort,
        CoapOption::UriPath,
        CoapOption::UriQuery,
        CoapOption::Accept,
        CoapOption::Block2,
    ];
    request.packet.options().any(|(&number, _)| {
        number % 2 == 1 && !KNOWN.iter().any(|&known| u16::from(known) == number)
    })
}

#[cfg(test)]
mod tests;
