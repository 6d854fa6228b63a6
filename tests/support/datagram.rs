//! CoAP messages as bytes, put together by hand so that a test can say every one of them.

use data_encoding::HEXLOWER;

pub const GET: u8 = 0x01;
pub const POST: u8 = 0x02;
pub const PUT: u8 = 0x03;
pub const DELETE: u8 = 0x04;
pub const CONTENT: u8 = 0x45;
pub const NOT_FOUND: u8 = 0x84;

pub const OBSERVE: u16 = 6;
pub const URI_PATH: u16 = 11;
pub const CONTENT_FORMAT: u16 = 12;
pub const URI_QUERY: u16 = 15;
pub const BLOCK1: u16 = 27;
pub const PROXY_URI: u16 = 35;

pub const LINK_FORMAT: u8 = 40;
pub const SENML_JSON: u8 = 110;

/// Bytes as a capture shows them.
pub fn hex(text: &str) -> Vec<u8> {
    HEXLOWER
        .decode(text.as_bytes())
        .expect("an even number of lower-case hexadecimal digits")
}

/// One message being put together.
#[derive(Clone)]
pub struct Datagram {
    kind: u8,
    code: u8,
    mid: u16,
    token: Vec<u8>,
    options: Vec<(u16, Vec<u8>)>,
    payload: Vec<u8>,
}

impl Datagram {
    pub fn con(code: u8, mid: u16) -> Self {
        Self::new(0, code, mid)
    }

    pub fn non(code: u8, mid: u16) -> Self {
        Self::new(1, code, mid)
    }

    pub fn ack(code: u8, mid: u16) -> Self {
        Self::new(2, code, mid)
    }

    fn new(kind: u8, code: u8, mid: u16) -> Self {
        Self {
            kind,
            code,
            mid,
            token: Vec::new(),
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    pub fn token(mut self, token: &[u8]) -> Self {
        self.token = token.to_vec();
        self
    }

    /// Segments between slashes.
    pub fn path(mut self, path: &str) -> Self {
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            self = self.option(URI_PATH, segment.as_bytes());
        }
        self
    }

    /// Parameters between ampersands.
    pub fn query(mut self, query: &str) -> Self {
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            self = self.option(URI_QUERY, parameter.as_bytes());
        }
        self
    }

    pub fn option(mut self, number: u16, value: &[u8]) -> Self {
        self.options.push((number, value.to_vec()));
        self
    }

    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// RFC 7252 §3.
    pub fn encode(mut self) -> Vec<u8> {
        let token_length = u8::try_from(self.token.len()).expect("a token of at most 8 bytes");
        let mut bytes = vec![0x40 | self.kind << 4 | token_length, self.code];
        bytes.extend(self.mid.to_be_bytes());
        bytes.extend(&self.token);
        self.options.sort_by_key(|(number, _)| *number);
        let mut last = 0;
        for (number, value) in &self.options {
            let (delta, delta_more) = nibble(number - last);
            let (length, length_more) =
                nibble(u16::try_from(value.len()).expect("a short option value"));
            bytes.push(delta << 4 | length);
            bytes.extend(delta_more);
            bytes.extend(length_more);
            bytes.extend(value);
            last = *number;
        }
        if !self.payload.is_empty() {
            bytes.push(0xff);
            bytes.extend(&self.payload);
        }
        bytes
    }
}

/// An option delta or length and what follows it.
fn nibble(value: u16) -> (u8, Vec<u8>) {
    match value {
        0..13 => (value.to_le_bytes()[0], Vec::new()),
        13..269 => (13, vec![(value - 13).to_le_bytes()[0]]),
        _ => (14, (value - 269).to_be_bytes().to_vec()),
    }
}
