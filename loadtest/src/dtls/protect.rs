//! Sealing and opening of records, in the form of RFC 6347 and in that of RFC 9146.

use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

use super::keys::{Bulk, DirectionKeys};
use super::wire::{self, Record, TLS12_CID};

/// The part of the nonce that a record carries; here it is always the record's number.
const EXPLICIT_NONCE: usize = 8;
const NONCE: usize = 12;
const LONGEST_TAG: usize = 16;
/// Before the identifier and the length, in the form of RFC 9146.
const LONGEST_AAD: usize = 8 + 3 + 2 + 8 + 255 + 2;

/// What a record's header says beside its length.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    pub content_type: u8,
    pub sequence: u64,
    /// Empty: the form of RFC 6347. Otherwise the receiver's identifier.
    pub cid: &'a [u8],
}

/// The record is not authentic, or is nothing that could be.
#[derive(Debug)]
pub struct Rejected;

impl From<ErrorStack> for Rejected {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

/// The ciphers, keyed anew for each record and shared by all sessions of a thread.
pub struct Protector {
    sealers: [Option<CipherCtx>; BULKS],
    openers: [Option<CipherCtx>; BULKS],
}

const BULKS: usize = 3;

impl Default for Protector {
    fn default() -> Self {
        Self::new()
    }
}

impl Protector {
    /// Ciphers are set up when they are first needed.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sealers: [const { None }; BULKS],
            openers: [const { None }; BULKS],
        }
    }

    /// Appends the protected record of epoch 1 to `out`; after an error, `out` is as before.
    pub(super) fn seal(
        &mut self,
        keys: DirectionKeys<'_>,
        to: Envelope<'_>,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorStack> {
        let begin = out.len();
        let sealed = self.try_seal(keys, to, content, out);
        if sealed.is_err() {
            out.truncate(begin);
        }
        sealed
    }

    fn try_seal(
        &mut self,
        keys: DirectionKeys<'_>,
        to: Envelope<'_>,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorStack> {
        let counter = wire::counter(1, to.sequence);
        let with_cid = !to.cid.is_empty();
        let body = content.len() + usize::from(with_cid);
        let header_type = if with_cid { TLS12_CID } else { to.content_type };
        let tag_length = keys.bulk.tag_length();
        out.push(header_type);
        out.extend_from_slice(&wire::DTLS12);
        out.extend_from_slice(&counter);
        out.extend_from_slice(to.cid);
        let length = (EXPLICIT_NONCE + body + tag_length) as u16;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&counter);
        let start = out.len();
        out.extend_from_slice(content);
        if with_cid {
            out.push(to.content_type);
        }

        let (aad, aad_length) = additional_data(header_type, counter, to.cid, body);
        let nonce = nonce(keys.salt, &counter);
        let mut tag = [0; LONGEST_TAG];
        let tag = &mut tag[..tag_length];
        let ctx = context(&mut self.sealers, keys.bulk, true)?;
        let is_ccm = keys.bulk != Bulk::Gcm;
        if is_ccm {
            ctx.set_tag_length(tag_length)?;
        }
        ctx.encrypt_init(None, Some(keys.key), Some(&nonce))?;
        if is_ccm {
            ctx.set_data_len(body)?;
        }
        ctx.cipher_update(&aad[..aad_length], None)?;
        ctx.cipher_update_inplace(&mut out[start..], body)?;
        ctx.cipher_final(&mut [])?;
        ctx.tag(tag)?;
        out.extend_from_slice(tag);
        Ok(())
    }

    /// Authenticates and decrypts `record`. Its content replaces what was in `content`; its true type is returned.
    pub(super) fn open(
        &mut self,
        keys: DirectionKeys<'_>,
        record: &Record<'_>,
        content: &mut Vec<u8>,
    ) -> Result<u8, Rejected> {
        content.clear();
        let counter = wire::counter(record.epoch, record.sequence);
        let (explicit, sealed) = record
            .fragment
            .split_at_checked(EXPLICIT_NONCE)
            .ok_or(Rejected)?;
        let body_length = sealed
            .len()
            .checked_sub(keys.bulk.tag_length())
            .ok_or(Rejected)?;
        let (body, tag) = sealed.split_at(body_length);
        let (aad, aad_length) =
            additional_data(record.content_type, counter, record.cid, body_length);
        let nonce = nonce(keys.salt, explicit);
        let ctx = context(&mut self.openers, keys.bulk, false)?;
        content.extend_from_slice(body);
        if keys.bulk == Bulk::Gcm {
            ctx.decrypt_init(None, Some(keys.key), Some(&nonce))?;
            ctx.cipher_update(&aad[..aad_length], None)?;
            ctx.cipher_update_inplace(content, body_length)?;
            ctx.set_tag(tag)?;
            ctx.cipher_final(&mut [])?;
        } else {
            ctx.set_tag(tag)?;
            ctx.decrypt_init(None, Some(keys.key), Some(&nonce))?;
            ctx.set_data_len(body_length)?;
            ctx.cipher_update(&aad[..aad_length], None)?;
            ctx.cipher_update_inplace(content, body_length)?;
        }
        if record.content_type == TLS12_CID {
            inner_type(content)
        } else {
            Ok(record.content_type)
        }
    }
}

/// What is inside a record with an identifier ends with its type and any number of zeros (RFC 9146 §4).
fn inner_type(content: &mut Vec<u8>) -> Result<u8, Rejected> {
    let end = content
        .iter()
        .rposition(|&byte| byte != 0)
        .ok_or(Rejected)?;
    let content_type = content[end];
    content.truncate(end);
    Ok(content_type)
}

fn context(
    contexts: &mut [Option<CipherCtx>; BULKS],
    bulk: Bulk,
    seals: bool,
) -> Result<&mut CipherCtx, ErrorStack> {
    let context = &mut contexts[bulk as usize];
    if let Some(context) = context {
        return Ok(context);
    }
    let cipher: &CipherRef = match bulk {
        Bulk::Ccm8 | Bulk::Ccm => Cipher::aes_128_ccm(),
        Bulk::Gcm => Cipher::aes_128_gcm(),
    };
    let mut new = CipherCtx::new()?;
    // CCM takes a tag to compare only in a context that was made for decryption.
    if seals {
        new.encrypt_init(Some(cipher), None, None)?;
    } else {
        new.decrypt_init(Some(cipher), None, None)?;
    }
    new.set_iv_length(NONCE)?;
    Ok(context.insert(new))
}

fn nonce(salt: &[u8], explicit: &[u8]) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[..salt.len()].copy_from_slice(salt);
    nonce[salt.len()..].copy_from_slice(explicit);
    nonce
}

/// What is authenticated beside the content: RFC 5246 §6.2.3.3, or RFC 9146 §5.
fn additional_data(
    header_type: u8,
    counter: [u8; 8],
    cid: &[u8],
    length: usize,
) -> ([u8; LONGEST_AAD], usize) {
    let mut aad = [0; LONGEST_AAD];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        aad[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    if header_type == TLS12_CID {
        put(&[0xff; 8]);
        put(&[TLS12_CID, cid.len() as u8, TLS12_CID]);
        put(&wire::DTLS12);
        put(&counter);
        put(cid);
    } else {
        put(&counter);
        put(&[header_type]);
        put(&wire::DTLS12);
    }
    put(&(length as u16).to_be_bytes());
    (aad, at)
}

#[cfg(test)]
mod tests {
    use super::super::keys::{KeyBlock, Writer};
    use super::super::wire::{APPLICATION_DATA, records};
    use super::*;

    const SUITES: [[u8; 2]; 6] = [
        [0xC0, 0xA8],
        [0xC0, 0xAE],
        [0xC0, 0xA4],
        [0xC0, 0xAC],
        [0x00, 0xA8],
        [0xC0, 0x2B],
    ];

    fn sealed(
        protector: &mut Protector,
        suite: [u8; 2],
        cid: &[u8],
        content: &[u8],
    ) -> (KeyBlock, Vec<u8>) {
        let bulk = Bulk::of_suite(suite).unwrap();
        let keys = KeyBlock::derive(bulk, &[7; 48], &[1; 32], &[2; 32]).unwrap();
        let to = Envelope {
            content_type: APPLICATION_DATA,
            sequence: 5,
            cid,
        };
        let mut out = Vec::new();
        protector
            .seal(keys.written_by(Writer::Client), to, content, &mut out)
            .unwrap();
        (keys, out)
    }

    #[test]
    fn what_was_sealed_is_opened_in_every_suite_and_form() {
        let mut protector = Protector::new();
        for suite in SUITES {
            for cid in [&[][..], &[9], &[9; 8], &[9; 255]] {
                for length in [0, 1, 15, 16, 64, 1_100] {
                    let content = vec![0xA5; length];
                    let (keys, bytes) = sealed(&mut protector, suite, cid, &content);
                    let record = records(&bytes, cid.len()).next().unwrap();
                    assert_eq!(record.bytes, bytes);
                    let mut opened = Vec::new();
                    let kind = protector
                        .open(keys.written_by(Writer::Client), &record, &mut opened)
                        .unwrap();
                    assert_eq!((kind, opened), (APPLICATION_DATA, content));
                }
            }
        }
    }

    #[test]
    fn a_changed_bit_anywhere_and_the_keys_of_the_other_side_are_refused() {
        let mut protector = Protector::new();
        for suite in SUITES {
            for cid in [&[][..], &[9; 8]] {
                let (keys, bytes) = sealed(&mut protector, suite, cid, b"some content");
                for bit in 0..bytes.len() * 8 {
                    let mut broken = bytes.clone();
                    broken[bit / 8] ^= 1 << (bit % 8);
                    let opened = records(&broken, cid.len()).next().is_some_and(|record| {
                        let keys = keys.written_by(Writer::Client);
                        protector.open(keys, &record, &mut Vec::new()).is_ok()
                    });
                    // The second byte of the version is not looked at by the framing, but authenticated as 254.253.
                    assert!(!opened || bit / 8 == 2, "bit {bit} of {suite:?}");
                }
                let record = records(&bytes, cid.len()).next().unwrap();
                let other = keys.written_by(Writer::Server);
                assert!(protector.open(other, &record, &mut Vec::new()).is_err());
            }
        }
    }

    #[test]
    fn zeros_behind_the_inner_type_are_padding() {
        let mut content = vec![1, 2, 0, APPLICATION_DATA, 0, 0, 0];
        assert_eq!(inner_type(&mut content).unwrap(), APPLICATION_DATA);
        assert_eq!(content, [1, 2, 0]);
        assert!(inner_type(&mut vec![0, 0]).is_err());
    }
}
