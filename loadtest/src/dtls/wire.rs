//! Framing of DTLS 1.2 records (RFC 6347 §4.1, RFC 9146 §4): no cryptography, no state.

pub const CHANGE_CIPHER_SPEC: u8 = 20;
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const APPLICATION_DATA: u8 = 23;
/// A record with a connection identifier; its true type is inside.
pub const TLS12_CID: u8 = 25;

pub const DTLS12: [u8; 2] = [0xfe, 0xfd];

pub const FATAL: u8 = 2;
pub const WARNING: u8 = 1;
pub const CLOSE_NOTIFY: u8 = 0;

/// Type, version, epoch, sequence number and length.
const HEADER: usize = 13;
const SEQUENCE_MASK: u64 = (1 << 48) - 1;

/// The largest sequence number of an epoch.
pub const LAST_SEQUENCE: u64 = SEQUENCE_MASK;

/// One record as it lies in a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    pub content_type: u8,
    pub epoch: u16,
    pub sequence: u64,
    /// Empty but for [`TLS12_CID`].
    pub cid: &'a [u8],
    pub fragment: &'a [u8],
}

/// The records of a datagram, up to the first malformed one. `cid_length` is that of the receiver's identifier.
pub fn records(mut datagram: &[u8], cid_length: usize) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        let (record, rest) = Record::split(datagram, cid_length)?;
        datagram = rest;
        Some(record)
    })
}

impl<'a> Record<'a> {
    fn split(datagram: &'a [u8], cid_length: usize) -> Option<(Self, &'a [u8])> {
        let content_type = *datagram.first()?;
        let cid_length = if content_type == TLS12_CID {
            cid_length
        } else {
            0
        };
        let header = HEADER + cid_length;
        let length = datagram.get(header - 2..header)?;
        let end = header + usize::from(u16::from_be_bytes([length[0], length[1]]));
        if datagram.len() < end || datagram[1] != DTLS12[0] {
            return None;
        }
        let mut counter = [0; 8];
        counter.copy_from_slice(&datagram[3..11]);
        let counter = u64::from_be_bytes(counter);
        let record = Self {
            bytes: &datagram[..end],
            content_type,
            epoch: (counter >> 48) as u16,
            sequence: counter & SEQUENCE_MASK,
            cid: &datagram[11..11 + cid_length],
            fragment: &datagram[header..end],
        };
        Some((record, &datagram[end..]))
    }

    /// Level and description of an unprotected alert.
    pub fn alert(&self) -> Option<(u8, u8)> {
        match self.fragment {
            &[level, description] if self.content_type == ALERT => Some((level, description)),
            _ => None,
        }
    }
}

/// Epoch and sequence number as the header has them.
pub const fn counter(epoch: u16, sequence: u64) -> [u8; 8] {
    ((epoch as u64) << 48 | sequence).to_be_bytes()
}

/// Appends an unprotected record of epoch 0.
pub fn append_plain(content_type: u8, sequence: u64, fragment: &[u8], out: &mut Vec<u8>) {
    out.push(content_type);
    out.extend_from_slice(&DTLS12);
    out.extend_from_slice(&counter(0, sequence));
    out.extend_from_slice(&(fragment.len() as u16).to_be_bytes());
    out.extend_from_slice(fragment);
}
