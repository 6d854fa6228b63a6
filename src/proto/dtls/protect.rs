//! Sealing and opening of records, in the classic form (RFC 6347 §4.1.2) and with connection
//! identifier (RFC 9146 §4, §5).

use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::keys::DirectionKeys;
use super::suite::Bulk;
use super::wire::{self, Header, TLS12_CID};

const EXPLICIT_NONCE: usize = 8;
const BLOCK: usize = 16;

/// Where a record goes: what its header says beside the length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    pub(super) content_type: u8,
    pub(super) epoch: u16,
    pub(super) sequence: u64,
    /// Empty: the classic form.
    pub(super) cid: &'a [u8],
}

/// An authenticated record, decrypted in place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Opened {
    /// The true type.
    pub(super) content_type: u8,
    /// Where in the record the content is.
    pub(super) range: Range<usize>,
}

/// It did not authenticate. What was in the record's place is undefined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rejected;

impl From<ErrorStack> for Rejected {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

/// One cipher context per kind and direction, keyed anew for each record and shared by all
/// sessions of a shard.
pub(super) struct Protector {
    sealers: [CipherCtx; Bulk::COUNT],
    openers: [CipherCtx; Bulk::COUNT],
}

const BULKS: [Bulk; Bulk::COUNT] = [Bulk::Ccm8, Bulk::Ccm, Bulk::Gcm, Bulk::Gcm256, Bulk::Cbc];

impl Protector {
    pub(super) fn new() -> Result<Self, ErrorStack> {
        let [a, b, c, d, e] = BULKS.map(sealer);
        let sealers = [a?, b?, c?, d?, e?];
        let [a, b, c, d, e] = BULKS.map(opener);
        let openers = [a?, b?, c?, d?, e?];
        Ok(Self { sealers, openers })
    }

    /// Appends the protected record to `out`; nothing is appended on error.
    pub(super) fn seal(
        &mut self,
        keys: DirectionKeys,
        to: Envelope,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorStack> {
        let before = out.len();
        let sealed = self.seal_at(keys, to, content, out);
        if sealed.is_err() {
            out.truncate(before);
        }
        sealed
    }

    fn seal_at(
        &mut self,
        keys: DirectionKeys,
        to: Envelope,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorStack> {
        let header_type = if to.cid.is_empty() {
            to.content_type
        } else {
            TLS12_CID
        };
        let counter = wire::counter(to.epoch, to.sequence);
        out.push(header_type);
        out.extend_from_slice(&wire::DTLS12);
        out.extend_from_slice(&counter);
        out.extend_from_slice(to.cid);
        let length_at = out.len();
        out.extend_from_slice(&[0, 0]);
        let start = out.len();
        let aad = |length| AdditionalData::new(header_type, counter, to.cid, length);
        let ctx = &mut self.sealers[keys.bulk as usize];
        if keys.bulk == Bulk::Cbc {
            let mut iv = [0; BLOCK];
            openssl::rand::rand_bytes(&mut iv)?;
            out.extend_from_slice(&iv);
            put_inner(out, to, content);
            let padding = BLOCK - 1 - (out.len() - start) % BLOCK;
            out.resize(out.len() + padding + 1, padding as u8);
            let end = out.len();
            out.resize(end + BLOCK, 0);
            ctx.encrypt_init(None, Some(keys.key), Some(&iv))?;
            ctx.set_padding(false);
            ctx.cipher_update_inplace(&mut out[start + BLOCK..], end - start - BLOCK)?;
            out.truncate(end);
            let mac = encrypt_then_mac(keys.mac_key, &aad(end - start), &out[start..]);
            out.extend_from_slice(&mac);
        } else {
            out.extend_from_slice(&counter);
            put_inner(out, to, content);
            let inner = out.len() - start - EXPLICIT_NONCE;
            let mut tag = [0; 16];
            let tag = &mut tag[..keys.bulk.tag_length()];
            if keys.bulk.is_ccm() {
                ctx.set_tag_length(tag.len())?;
            }
            ctx.encrypt_init(None, Some(keys.key), Some(&nonce(keys.salt, &counter)))?;
            if keys.bulk.is_ccm() {
                ctx.set_data_len(inner)?;
            }
            ctx.cipher_update(aad(inner).as_bytes(), None)?;
            ctx.cipher_update_inplace(&mut out[start + EXPLICIT_NONCE..], inner)?;
            ctx.cipher_final(&mut [])?;
            ctx.tag(tag)?;
            out.extend_from_slice(tag);
        }
        let length = (out.len() - start) as u16;
        out[length_at..start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Authenticates and decrypts `record` in place; `header` was read from it.
    pub(super) fn open(
        &mut self,
        keys: DirectionKeys,
        header: &Header,
        record: &mut [u8],
    ) -> Result<Opened, Rejected> {
        let (head, fragment) = record.split_at_mut(header.fragment_at());
        let fragment = fragment.get_mut(..header.length).ok_or(Rejected)?;
        let counter = wire::counter(header.epoch, header.sequence);
        let cid = &head[11..11 + header.cid_length];
        let aad = |length| AdditionalData::new(header.content_type, counter, cid, length);
        let ctx = &mut self.openers[keys.bulk as usize];
        let tag_length = keys.bulk.tag_length();
        let inner = if keys.bulk == Bulk::Cbc {
            let end = fragment.len().checked_sub(tag_length).ok_or(Rejected)?;
            if end < 2 * BLOCK || end % BLOCK != 0 {
                return Err(Rejected);
            }
            let (sealed, mac) = fragment.split_at(end);
            let expected = encrypt_then_mac(keys.mac_key, &aad(end), sealed);
            if !bool::from(expected.ct_eq(mac)) {
                return Err(Rejected);
            }
            let mut iv = [0; BLOCK];
            iv.copy_from_slice(&fragment[..BLOCK]);
            ctx.decrypt_init(None, Some(keys.key), Some(&iv))?;
            ctx.set_padding(false);
            // The MAC behind it is the room that OpenSSL asks for.
            ctx.cipher_update_inplace(&mut fragment[BLOCK..], end - BLOCK)?;
            // The padding is authenticated, so that looking at it tells nobody anything.
            let padding = usize::from(fragment[end - 1]) + 1;
            let content_end = end.checked_sub(padding).ok_or(Rejected)?;
            if content_end < BLOCK {
                return Err(Rejected);
            }
            BLOCK..content_end
        } else {
            let end = fragment.len().checked_sub(tag_length).ok_or(Rejected)?;
            let length = end.checked_sub(EXPLICIT_NONCE).ok_or(Rejected)?;
            let (sealed, tag) = fragment.split_at_mut(end);
            let (explicit, body) = sealed.split_at_mut(EXPLICIT_NONCE);
            let nonce = nonce(keys.salt, explicit);
            if keys.bulk.is_ccm() {
                ctx.set_tag(tag)?;
                ctx.decrypt_init(None, Some(keys.key), Some(&nonce))?;
                ctx.set_data_len(length)?;
                ctx.cipher_update(aad(length).as_bytes(), None)?;
                ctx.cipher_update_inplace(body, length)?;
            } else {
                ctx.decrypt_init(None, Some(keys.key), Some(&nonce))?;
                ctx.cipher_update(aad(length).as_bytes(), None)?;
                ctx.cipher_update_inplace(body, length)?;
                ctx.set_tag(tag)?;
                ctx.cipher_final(&mut [])?;
            }
            EXPLICIT_NONCE..end
        };
        opened(header, fragment, inner)
    }
}

fn put_inner(out: &mut Vec<u8>, to: Envelope, content: &[u8]) {
    out.extend_from_slice(content);
    if !to.cid.is_empty() {
        out.push(to.content_type);
    }
}

/// With connection identifier the true type stands behind the content, any number of zeros behind
/// that.
fn opened(header: &Header, fragment: &[u8], inner: Range<usize>) -> Result<Opened, Rejected> {
    let at = header.fragment_at();
    let absolute = |range: Range<usize>| range.start + at..range.end + at;
    if header.content_type != TLS12_CID {
        return Ok(Opened {
            content_type: header.content_type,
            range: absolute(inner),
        });
    }
    let bytes = &fragment[inner.clone()];
    let end = bytes.iter().rposition(|&byte| byte != 0).ok_or(Rejected)?;
    Ok(Opened {
        content_type: bytes[end],
        range: absolute(inner.start..inner.start + end),
    })
}

fn sealer(bulk: Bulk) -> Result<CipherCtx, ErrorStack> {
    let mut ctx = CipherCtx::new()?;
    ctx.encrypt_init(Some(cipher(bulk)), None, None)?;
    if bulk != Bulk::Cbc {
        ctx.set_iv_length(12)?;
    }
    Ok(ctx)
}

/// CCM takes a tag to check only in a context that decrypts from its beginning.
fn opener(bulk: Bulk) -> Result<CipherCtx, ErrorStack> {
    let mut ctx = CipherCtx::new()?;
    ctx.decrypt_init(Some(cipher(bulk)), None, None)?;
    if bulk != Bulk::Cbc {
        ctx.set_iv_length(12)?;
    }
    Ok(ctx)
}

fn cipher(bulk: Bulk) -> &'static CipherRef {
    match bulk {
        Bulk::Ccm8 | Bulk::Ccm => Cipher::aes_128_ccm(),
        Bulk::Gcm => Cipher::aes_128_gcm(),
        Bulk::Gcm256 => Cipher::aes_256_gcm(),
        Bulk::Cbc => Cipher::aes_128_cbc(),
    }
}

fn nonce(salt: &[u8], explicit: &[u8]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(salt);
    nonce[4..].copy_from_slice(explicit);
    nonce
}

/// What is authenticated beside the content: RFC 5246 §6.2.3.3 in the classic form, RFC 9146 §5
/// with connection identifier.
pub(super) struct AdditionalData {
    bytes: [u8; 64],
    length: usize,
}

impl AdditionalData {
    pub(super) fn new(header_type: u8, counter: [u8; 8], cid: &[u8], length: usize) -> Self {
        let mut data = Self {
            bytes: [0; 64],
            length: 0,
        };
        if header_type == TLS12_CID {
            data.put(&[0xff; 8]);
            data.put(&[TLS12_CID, cid.len() as u8, TLS12_CID]);
            data.put(&wire::DTLS12);
            data.put(&counter);
            data.put(cid);
        } else {
            data.put(&counter);
            data.put(&[header_type]);
            data.put(&wire::DTLS12);
        }
        data.put(&(length as u16).to_be_bytes());
        data
    }

    fn put(&mut self, part: &[u8]) {
        self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
        self.length += part.len();
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn encrypt_then_mac(key: &[u8], aad: &AdditionalData, sealed: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    Hmac::<Sha256>::new(&block.into())
        .chain_update(aad.as_bytes())
        .chain_update(sealed)
        .finalize()
        .into_bytes()
        .into()
}
