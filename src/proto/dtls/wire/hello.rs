//! ClientHello, ServerHello and ClientKeyExchange, borrowed.

/// Extension numbers this server looks at.
pub(in crate::proto::dtls) mod extension {
    pub(in crate::proto::dtls) const MAX_FRAGMENT_LENGTH: u16 = 1;
    pub(in crate::proto::dtls) const SUPPORTED_GROUPS: u16 = 10;
    pub(in crate::proto::dtls) const SERVER_CERTIFICATE_TYPE: u16 = 20;
    pub(in crate::proto::dtls) const ENCRYPT_THEN_MAC: u16 = 22;
    pub(in crate::proto::dtls) const RECORD_SIZE_LIMIT: u16 = 28;
    pub(in crate::proto::dtls) const CONNECTION_ID: u16 = 54;
}

/// What the first fragment of a ClientHello carries in any case: all up to the cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HelloHead<'a> {
    /// Everything before the cookie: version, random and session id.
    pub before_cookie: &'a [u8],
    /// The client's random.
    pub random: &'a [u8; 32],
    /// Empty in a first hello.
    pub cookie: &'a [u8],
}

impl<'a> HelloHead<'a> {
    /// Reads the beginning of the body of a ClientHello.
    #[must_use]
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let random = body.get(2..34)?.try_into().ok()?;
        let cookie_at = 35 + usize::from(*body.get(34)?);
        let cookie_length = usize::from(*body.get(cookie_at)?);
        Some(Self {
            before_cookie: &body[..cookie_at],
            random,
            cookie: body.get(cookie_at + 1..cookie_at + 1 + cookie_length)?,
        })
    }
}

/// A whole ClientHello (RFC 6347 §4.3.2).
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// Up to the cookie.
    pub head: HelloHead<'a>,
    suites: &'a [u8],
    /// The extensions, well-formed.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of a ClientHello. `None` when a length does not fit.
    #[must_use]
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let head = HelloHead::parse(body)?;
        let rest = body.get(head.before_cookie.len() + 1 + head.cookie.len()..)?;
        let (suites, rest) = vector16(rest)?;
        let (compression, rest) = vector8(rest)?;
        if suites.len() % 2 != 0 || suites.is_empty() || compression.is_empty() {
            return None;
        }
        Some(Self {
            head,
            suites,
            extensions: Extensions::parse(rest)?,
        })
    }

    /// Whether the client offers this suite.
    #[must_use]
    pub fn offers(&self, suite: u16) -> bool {
        let wanted = suite.to_be_bytes();
        self.suites.chunks_exact(2).any(|id| id == wanted)
    }

    /// The client's connection identifier; empty when it takes ours without having one.
    #[must_use]
    pub fn connection_id(&self) -> Option<&'a [u8]> {
        let value = self.extensions.get(extension::CONNECTION_ID)?;
        let (&length, cid) = value.split_first()?;
        (usize::from(length) == cid.len()).then_some(cid)
    }

    /// Bytes of plaintext per record that the client takes (RFC 8449, RFC 6066 §4).
    #[must_use]
    pub fn record_limit(&self) -> Option<u16> {
        let limit = self.extensions.get(extension::RECORD_SIZE_LIMIT)?;
        let limit = u16::from_be_bytes(limit.try_into().ok()?);
        (limit >= 64).then_some(limit)
    }

    /// Whether the client takes a raw public key of the server (RFC 7250).
    #[must_use]
    pub fn takes_raw_public_key(&self) -> bool {
        const RAW_PUBLIC_KEY: u8 = 2;
        self.extensions
            .get(extension::SERVER_CERTIFICATE_TYPE)
            .and_then(|list| vector8(list))
            .is_some_and(|(types, _)| types.contains(&RAW_PUBLIC_KEY))
    }

    /// Whether the client can do ECDHE on a curve of ours: P-256 (23) or P-384 (24).
    #[must_use]
    pub fn takes_our_curves(&self) -> bool {
        let Some(list) = self.extensions.get(extension::SUPPORTED_GROUPS) else {
            return true;
        };
        vector16(list).is_some_and(|(groups, _)| {
            groups
                .chunks_exact(2)
                .any(|id| id == [0, 23] || id == [0, 24])
        })
    }
}

/// What this server looks at in its own ServerHello.
pub(in crate::proto::dtls) struct ServerHello<'a> {
    pub(in crate::proto::dtls) extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    pub(in crate::proto::dtls) fn parse(body: &'a [u8]) -> Option<Self> {
        let session_length = usize::from(*body.get(34)?);
        let extensions = Extensions::parse(body.get(35 + session_length + 3..)?)?;
        Some(Self { extensions })
    }
}

/// A list of extensions whose lengths fit.
#[derive(Clone, Copy, Debug)]
pub struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Reads the list with its length in front; no bytes are an empty list.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self(bytes));
        }
        let (list, after) = vector16(bytes)?;
        let mut rest = list;
        while !rest.is_empty() {
            rest = vector16(rest.get(2..)?)?.1;
        }
        after.is_empty().then_some(Self(list))
    }

    /// The value of the first extension with this number.
    #[must_use]
    pub fn get(&self, number: u16) -> Option<&'a [u8]> {
        let mut rest = self.0;
        while let Some(kind) = rest.get(..2) {
            let (value, after) = vector16(&rest[2..])?;
            if kind == number.to_be_bytes() {
                return Some(value);
            }
            rest = after;
        }
        None
    }
}

/// The identity in the body of a ClientKeyExchange of a PSK suite (RFC 4279 §2).
#[must_use]
pub fn psk_identity(body: &[u8]) -> Option<&[u8]> {
    let (identity, rest) = vector16(body)?;
    rest.is_empty().then_some(identity)
}

fn vector8(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(length))
}

fn vector16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
