//! Responses of the server role, written into the turn's arena.

use std::ops::Range;

use crate::proto::coap::block::BlockValue;
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};

use super::identity::RegistrationId;

/// A response to a request of a device.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Response code.
    pub code: Code,
    /// `Location-Path: rd/{id}` of a new registration.
    pub location: Option<&'a RegistrationId>,
    /// Content-Format of the payload; diagnostic payloads have none (RFC 7252 §5.5.2).
    pub content_format: Option<u16>,
    /// Seconds after which a refused request may be tried again (RFC 7252 §5.9.3.4).
    pub max_age: Option<u32>,
    /// Acknowledged block of the request.
    pub block1: Option<BlockValue>,
    /// Which block the payload is of a larger one.
    pub block2: Option<BlockValue>,
    /// Largest body that would be taken (RFC 7959 §2.9.3).
    pub size1: Option<u32>,
    /// Representation or diagnostic payload.
    pub payload: &'a [u8],
}

impl<'a> Reply<'a> {
    /// A response that is its code.
    #[must_use]
    pub fn code(code: Code) -> Self {
        Self {
            code,
            location: None,
            content_format: None,
            max_age: None,
            block1: None,
            block2: None,
            size1: None,
            payload: &[],
        }
    }

    /// A refusal that says why.
    #[must_use]
    pub fn refusal(code: Code, diagnostic: &'a str) -> Self {
        Self {
            payload: diagnostic.as_bytes(),
            ..Self::code(code)
        }
    }

    /// 4.04 to an Update or a De-register of a registration that is not there.
    #[must_use]
    pub fn no_registration() -> Self {
        Self::refusal(Code::NOT_FOUND, "no such registration")
    }

    /// 4.00 to a Send of nobody who is registered.
    #[must_use]
    pub fn nobody_here() -> Self {
        let text = "no device is registered at this address";
        Self::refusal(Code::BAD_REQUEST, text)
    }

    /// Writes the response to `request`.
    ///
    /// A confirmable request is answered in its acknowledgement, another one by a non-confirmable
    /// message with `mid` (RFC 7252 §5.2.1, §5.2.3). The No-Response option is honoured (RFC 7967):
    /// `None` when nothing is to be sent. A payload is cut so that the answer stays below three times
    /// the request: a spoofed request must not be amplified.
    pub fn write(
        &self,
        request: &MessageView<'_>,
        mid: u16,
        arena: &mut Vec<u8>,
    ) -> Option<Range<usize>> {
        let confirmable = request.kind() == MessageType::Confirmable;
        if request.no_response().suppresses(self.code) {
            return confirmable
                .then(|| MessageWriter::empty(arena, MessageType::Acknowledgement, request.mid()));
        }
        let (kind, mid) = if confirmable {
            (MessageType::Acknowledgement, request.mid())
        } else {
            (MessageType::NonConfirmable, mid)
        };
        let mut writer = MessageWriter::new(arena, kind, self.code, mid, request.token());
        if let Some(id) = self.location {
            writer.option(option::LOCATION_PATH, b"rd");
            writer.option(option::LOCATION_PATH, id.as_bytes());
        }
        if let Some(format) = self.content_format {
            writer.uint(option::CONTENT_FORMAT, u32::from(format));
        }
        if let Some(seconds) = self.max_age {
            writer.uint(option::MAX_AGE, seconds);
        }
        if let Some(block) = self.block2 {
            writer.uint(option::BLOCK2, block.encode());
        }
        if let Some(block) = self.block1 {
            writer.uint(option::BLOCK1, block.encode());
        }
        if let Some(size) = self.size1 {
            writer.uint(option::SIZE1, size);
        }
        let room = (3 * request.as_bytes().len()).saturating_sub(writer.len() + 1);
        let payload = self.payload_within(room);
        if !payload.is_empty() {
            writer.payload(payload);
        }
        Some(writer.finish())
    }

    /// The payload, or as much of a diagnostic text as fits.
    fn payload_within(&self, room: usize) -> &'a [u8] {
        if self.payload.len() <= room {
            return self.payload;
        }
        if self.content_format.is_some() {
            return &[];
        }
        let mut end = room;
        while end > 0 && self.payload[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        &self.payload[..end]
    }
}
