//! Framing of DTLS 1.2 (RFC 6347 §4, RFC 9146 §4): no cryptography, no state.

mod hello;

pub use hello::{ClientHello, Extensions, HelloHead, psk_identity};
pub(super) use hello::{ServerHello, extension};

pub use super::cid::TLS12_CID;

/// Content types of records.
pub const CHANGE_CIPHER_SPEC: u8 = 20;
/// See [`CHANGE_CIPHER_SPEC`].
pub const ALERT: u8 = 21;
/// See [`CHANGE_CIPHER_SPEC`].
pub const HANDSHAKE: u8 = 22;
/// See [`CHANGE_CIPHER_SPEC`].
pub const APPLICATION_DATA: u8 = 23;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const HELLO_VERIFY_REQUEST: u8 = 3;
pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(super) const FINISHED: u8 = 20;

pub(super) const DTLS12: [u8; 2] = [0xfe, 0xfd];
pub(super) const DTLS10: [u8; 2] = [0xfe, 0xff];

/// Bytes of a record header without connection identifier.
pub const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;
/// Record numbers have 48 bits.
pub(super) const MAX_SEQUENCE: u64 = (1 << 48) - 1;
/// Most bytes of plaintext in a record (RFC 5246 §6.2.1).
pub(super) const MAX_PLAINTEXT: usize = 1 << 14;
/// What protection may add to it (RFC 5246 §6.2.3).
const MAX_EXPANSION: usize = 2048;

/// The header of a record, read from the start of the bytes it lies in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// What the header says it carries; the true type is inside when it is [`TLS12_CID`].
    pub content_type: u8,
    /// Counts changes of keys.
    pub epoch: u16,
    /// Number within the epoch, 48 bits.
    pub sequence: u64,
    /// Bytes of connection identifier.
    pub cid_length: usize,
    /// Bytes after the header.
    pub length: usize,
}

impl Header {
    /// Reads the header of the record that `bytes` begin with. `cid_length` counts only for
    /// records of type [`TLS12_CID`]. `None` when it is no record of DTLS 1.x or not all there.
    #[must_use]
    pub fn parse(bytes: &[u8], cid_length: usize) -> Option<Self> {
        let content_type = *bytes.first()?;
        let cid_length = if content_type == TLS12_CID {
            cid_length
        } else {
            0
        };
        let end = RECORD_HEADER + cid_length;
        let head = bytes.get(..end)?;
        let length = usize::from(u16::from_be_bytes([head[end - 2], head[end - 1]]));
        if head[1] != DTLS12[0] || length > MAX_PLAINTEXT + MAX_EXPANSION {
            return None;
        }
        if bytes.len() < end + length {
            return None;
        }
        let counter = u64::from_be_bytes(head[3..11].try_into().ok()?);
        Some(Self {
            content_type,
            epoch: (counter >> 48) as u16,
            sequence: counter & MAX_SEQUENCE,
            cid_length,
            length,
        })
    }

    /// Where the fragment begins.
    #[must_use]
    pub const fn fragment_at(&self) -> usize {
        RECORD_HEADER + self.cid_length
    }

    /// Bytes of the whole record.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.fragment_at() + self.length
    }

    /// The connection identifier in the `record` this header was read from.
    #[must_use]
    pub fn cid<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        &record[11..11 + self.cid_length]
    }

    /// What the record carries.
    #[must_use]
    pub fn fragment<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        &record[self.fragment_at()..self.total()]
    }
}

/// Epoch and number as they stand in a header.
pub(super) const fn counter(epoch: u16, sequence: u64) -> [u8; 8] {
    ((epoch as u64) << 48 | sequence & MAX_SEQUENCE).to_be_bytes()
}

/// Headers of all records of a datagram with where they begin, up to the first malformed one.
pub(super) fn records(
    datagram: &[u8],
    cid_length: usize,
) -> impl Iterator<Item = (Header, &[u8])> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = Header::parse(datagram.get(at..)?, cid_length)?;
        let record = &datagram[at..at + header.total()];
        at += header.total();
        Some((header, record))
    })
}

/// A handshake message, or a part of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment<'a> {
    /// Kind of message.
    pub message_type: u8,
    /// Bytes of the whole message.
    pub length: usize,
    /// Number of the message.
    pub message_seq: u16,
    /// Where in the message `body` belongs.
    pub offset: usize,
    /// The part.
    pub body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads the first message of a record's content. `None` when it is cut off or leaves the
    /// bounds of its message.
    #[must_use]
    pub fn parse(content: &'a [u8]) -> Option<Self> {
        let head = content.get(..HANDSHAKE_HEADER)?;
        let u24 = |at: usize| {
            usize::from(head[at]) << 16 | usize::from(head[at + 1]) << 8 | usize::from(head[at + 2])
        };
        let (length, offset) = (u24(1), u24(6));
        let body = content.get(HANDSHAKE_HEADER..HANDSHAKE_HEADER + u24(9))?;
        (offset + body.len() <= length).then_some(Self {
            message_type: head[0],
            length,
            message_seq: u16::from_be_bytes([head[4], head[5]]),
            offset,
            body,
        })
    }

    /// Whether it is the whole message.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.offset == 0 && self.body.len() == self.length
    }
}

/// Appends an unprotected record.
pub(super) fn put_plain_record(
    out: &mut Vec<u8>,
    content_type: u8,
    version: [u8; 2],
    sequence: u64,
    fragment: &[u8],
) {
    out.push(content_type);
    out.extend_from_slice(&version);
    out.extend_from_slice(&counter(0, sequence));
    out.extend_from_slice(&(fragment.len() as u16).to_be_bytes());
    out.extend_from_slice(fragment);
}

/// An unprotected record around one whole handshake message.
pub(super) fn handshake_record(
    message_type: u8,
    message_seq: u16,
    sequence: u64,
    version: [u8; 2],
    body: &[u8],
) -> Vec<u8> {
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let mut message = Vec::with_capacity(HANDSHAKE_HEADER + body.len());
    message.push(message_type);
    message.extend_from_slice(length);
    message.extend_from_slice(&message_seq.to_be_bytes());
    message.extend_from_slice(&[0, 0, 0]);
    message.extend_from_slice(length);
    message.extend_from_slice(body);
    let mut out = Vec::with_capacity(RECORD_HEADER + message.len());
    put_plain_record(&mut out, HANDSHAKE, version, sequence, &message);
    out
}

/// A message put together from fragments that come in order; later ones replace what they overlap.
pub(super) struct Assembly {
    length: usize,
    message_seq: u16,
    body: Vec<u8>,
}

impl Assembly {
    /// Begins with a first fragment.
    pub(super) fn begin(first: &Fragment) -> Self {
        Self {
            length: first.length,
            message_seq: first.message_seq,
            body: first.body.to_vec(),
        }
    }

    /// Adds a fragment; `false` when it belongs to another message or leaves a gap.
    pub(super) fn add(&mut self, next: &Fragment) -> bool {
        let fits = next.length == self.length
            && next.message_seq == self.message_seq
            && next.offset <= self.body.len();
        if fits && next.offset + next.body.len() > self.body.len() {
            self.body.truncate(next.offset);
            self.body.extend_from_slice(next.body);
        }
        fits
    }

    /// The message, when it is whole.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (self.body.len() == self.length).then_some(&self.body)
    }

    pub(super) const fn message_seq(&self) -> u16 {
        self.message_seq
    }
}
