//! What a server asks and what the device answers, without CoAP's transmission around it.

use coap_lite::{CoapOption, MessageClass, Packet, RequestType, ResponseType};

use super::path::Path;
use super::refusal::Refusal;

/// A request of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: RequestType,
    /// The segments of the Uri-Path.
    pub segments: Vec<String>,
    pub query: Vec<String>,
    pub accept: Option<u16>,
    pub content_format: Option<u16>,
    pub observe: Option<u32>,
    pub token: Vec<u8>,
    pub payload: Vec<u8>,
}

/// A response to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub code: ResponseType,
    pub format: Option<u16>,
    pub payload: Vec<u8>,
    /// Where a Create put the instance, when the device chose.
    pub location: Option<Path>,
    /// Sequence number of an observation that this starts.
    pub observe: Option<u32>,
}

/// The kinds of request that a device counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Read,
    Discover,
    Write,
    WriteAttributes,
    Execute,
    Create,
    Delete,
    Observe,
    CancelObserve,
    ReadComposite,
    WriteComposite,
    ObserveComposite,
    Other,
}

impl Request {
    /// The request in a packet; `None` when it is none.
    #[must_use]
    pub fn from_packet(packet: &Packet) -> Option<Self> {
        let MessageClass::Request(method) = packet.header.code else {
            return None;
        };
        Some(Self {
            method,
            segments: texts(packet, CoapOption::UriPath),
            query: texts(packet, CoapOption::UriQuery),
            accept: number(packet, CoapOption::Accept).map(format),
            content_format: number(packet, CoapOption::ContentFormat).map(format),
            observe: number(packet, CoapOption::Observe),
            token: packet.get_token().to_vec(),
            payload: packet.payload.clone(),
        })
    }

    /// The path in the object tree.
    ///
    /// # Errors
    ///
    /// 4.04 when the segments are no such path.
    pub fn path(&self) -> Result<Path, Refusal> {
        let text = self.segments.join("/");
        text.parse()
            .map_err(|_| Refusal::not_found(format!("/{text} not found")))
    }

    /// What kind of request it is, judged by its looks.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let depth = self.segments.len();
        match (self.method, self.observe) {
            (RequestType::Get | RequestType::Fetch, Some(1)) => Kind::CancelObserve,
            (RequestType::Get, Some(_)) => Kind::Observe,
            (RequestType::Fetch, Some(_)) => Kind::ObserveComposite,
            (RequestType::Get, None) if self.accept == Some(super::formats::LINK_FORMAT) => {
                Kind::Discover
            }
            (RequestType::Get, None) => Kind::Read,
            (RequestType::Fetch, None) => Kind::ReadComposite,
            (RequestType::IPatch, _) => Kind::WriteComposite,
            (RequestType::Put, _) if self.is_write_attributes() => Kind::WriteAttributes,
            (RequestType::Put, _) => Kind::Write,
            (RequestType::Post, _) if depth == 1 => Kind::Create,
            (RequestType::Post, _) if depth == 3 && !self.has_structure() => Kind::Execute,
            (RequestType::Post, _) if depth > 1 => Kind::Write,
            (RequestType::Delete, _) => Kind::Delete,
            _ => Kind::Other,
        }
    }

    /// A PUT without a payload and with a query.
    #[must_use]
    pub fn is_write_attributes(&self) -> bool {
        self.content_format.is_none() && self.payload.is_empty() && !self.query.is_empty()
    }

    /// Whether the payload is in a format that carries paths: a POST to a resource is an Execute without it.
    #[must_use]
    pub fn has_structure(&self) -> bool {
        let format = self.content_format.unwrap_or_default();
        !super::formats::is_single_valued(format)
    }
}

impl Answer {
    /// An answer that is its code.
    #[must_use]
    pub const fn of(code: ResponseType) -> Self {
        Self {
            code,
            format: None,
            payload: Vec::new(),
            location: None,
            observe: None,
        }
    }

    /// 2.05 with a payload.
    #[must_use]
    pub fn content(format: u16, payload: Vec<u8>) -> Self {
        Self {
            format: Some(format),
            payload,
            ..Self::of(ResponseType::Content)
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self {
            payload: refusal.text.into_bytes(),
            ..Self::of(refusal.code)
        }
    }
}

/// An unsigned option; one longer than four bytes counts as absent.
#[must_use]
pub fn number(packet: &Packet, option: CoapOption) -> Option<u32> {
    let value = packet.get_first_option(option)?;
    (value.len() <= 4).then(|| {
        value
            .iter()
            .fold(0, |all, &byte| all << 8 | u32::from(byte))
    })
}

/// A number that is no content format becomes one that nobody supports.
fn format(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn texts(packet: &Packet, option: CoapOption) -> Vec<String> {
    let values = packet.get_option(option).into_iter().flatten();
    values
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}
