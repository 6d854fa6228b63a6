//! Cipher suites: ids, sizes, and which one a hello leads to.

use super::wire::{ClientHello, extension};

/// The suites of this server, most preferred first within each kind (RFC 6655, 7251, 5487, 5289).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Suite {
    /// TLS_PSK_WITH_AES_128_CCM_8, 0xC0A8.
    PskCcm8,
    /// TLS_PSK_WITH_AES_128_CCM, 0xC0A4.
    PskCcm,
    /// TLS_PSK_WITH_AES_128_GCM_SHA256, 0x00A8.
    PskGcm,
    /// TLS_PSK_WITH_AES_256_GCM_SHA384, 0x00A9.
    PskGcm256,
    /// TLS_PSK_WITH_AES_128_CBC_SHA256, 0x00AE.
    PskCbc,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0xC0AE.
    EcdsaCcm8,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CCM, 0xC0AC.
    EcdsaCcm,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0xC02B.
    EcdsaGcm,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, 0xC023.
    EcdsaCbc,
}

/// How records are protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Bulk {
    Ccm8,
    Ccm,
    Gcm,
    Gcm256,
    /// AES-128-CBC with HMAC-SHA256 over the ciphertext (RFC 7366).
    Cbc,
}

impl Suite {
    /// Every suite.
    pub const ALL: &[Self] = &[
        Self::PskCcm8,
        Self::PskCcm,
        Self::PskGcm,
        Self::PskGcm256,
        Self::PskCbc,
        Self::EcdsaCcm8,
        Self::EcdsaCcm,
        Self::EcdsaGcm,
        Self::EcdsaCbc,
    ];

    /// The number at IANA.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::PskCcm8 => 0xc0a8,
            Self::PskCcm => 0xc0a4,
            Self::PskGcm => 0x00a8,
            Self::PskGcm256 => 0x00a9,
            Self::PskCbc => 0x00ae,
            Self::EcdsaCcm8 => 0xc0ae,
            Self::EcdsaCcm => 0xc0ac,
            Self::EcdsaGcm => 0xc02b,
            Self::EcdsaCbc => 0xc023,
        }
    }

    /// The suite of this number.
    #[must_use]
    pub fn of_id(id: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|suite| suite.id() == id)
    }

    /// The name at OpenSSL, which is used in logs as well.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PskCcm8 => "PSK-AES128-CCM8",
            Self::PskCcm => "PSK-AES128-CCM",
            Self::PskGcm => "PSK-AES128-GCM-SHA256",
            Self::PskGcm256 => "PSK-AES256-GCM-SHA384",
            Self::PskCbc => "PSK-AES128-CBC-SHA256",
            Self::EcdsaCcm8 => "ECDHE-ECDSA-AES128-CCM8",
            Self::EcdsaCcm => "ECDHE-ECDSA-AES128-CCM",
            Self::EcdsaGcm => "ECDHE-ECDSA-AES128-GCM-SHA256",
            Self::EcdsaCbc => "ECDHE-ECDSA-AES128-SHA256",
        }
    }

    /// Whether a pre-shared key authenticates both sides.
    #[must_use]
    pub const fn is_psk(self) -> bool {
        matches!(
            self,
            Self::PskCcm8 | Self::PskCcm | Self::PskGcm | Self::PskGcm256 | Self::PskCbc
        )
    }

    pub(super) const fn bulk(self) -> Bulk {
        match self {
            Self::PskCcm8 | Self::EcdsaCcm8 => Bulk::Ccm8,
            Self::PskCcm | Self::EcdsaCcm => Bulk::Ccm,
            Self::PskGcm | Self::EcdsaGcm => Bulk::Gcm,
            Self::PskGcm256 => Bulk::Gcm256,
            Self::PskCbc | Self::EcdsaCbc => Bulk::Cbc,
        }
    }

    pub(super) const fn is_cbc(self) -> bool {
        matches!(self.bulk(), Bulk::Cbc)
    }
}

impl Bulk {
    pub(super) const COUNT: usize = 5;

    pub(super) const fn is_ccm(self) -> bool {
        matches!(self, Self::Ccm8 | Self::Ccm)
    }

    pub(super) const fn is_gcm(self) -> bool {
        matches!(self, Self::Gcm | Self::Gcm256)
    }

    pub(super) const fn key_length(self) -> usize {
        if matches!(self, Self::Gcm256) { 32 } else { 16 }
    }

    /// The part of the nonce that is secret.
    pub(super) const fn salt_length(self) -> usize {
        if matches!(self, Self::Cbc) { 0 } else { 4 }
    }

    pub(super) const fn mac_key_length(self) -> usize {
        if matches!(self, Self::Cbc) { 32 } else { 0 }
    }

    pub(super) const fn tag_length(self) -> usize {
        match self {
            Self::Ccm8 => 8,
            Self::Cbc => 32,
            Self::Ccm | Self::Gcm | Self::Gcm256 => 16,
        }
    }

    pub(super) const fn key_block_length(self) -> usize {
        2 * (self.mac_key_length() + self.key_length() + self.salt_length())
    }
}

/// Which kind of OpenSSL context a hello leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Psk,
    RawPublicKey,
    Certificate,
}

/// What the server can do: kinds for which there are credentials.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offer {
    pub(super) psk: bool,
    pub(super) raw_public_key: bool,
    pub(super) certificate: bool,
}

/// Whether CBC may be agreed to, and how its records are protected then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cbc {
    /// The client has something better.
    Without,
    /// As the record layer does (RFC 7366).
    EncryptThenMac,
    /// The client has nothing else: as OpenSSL does (RFC 5246 §6.2.3.2).
    MacThenEncrypt,
}

/// The kind of handshake for a hello, and what of CBC may be in it; `None` when there is no suite
/// in common. Pre-shared keys come first: a client that offers both may have no certificate.
pub(super) fn choose(hello: &ClientHello, offer: Offer) -> Option<(Kind, Cbc)> {
    let etm = hello.extensions.get(extension::ENCRYPT_THEN_MAC).is_some();
    let ecdsa = if offer.raw_public_key && hello.takes_raw_public_key() {
        Some(Kind::RawPublicKey)
    } else {
        offer.certificate.then_some(Kind::Certificate)
    }
    .filter(|_| hello.takes_our_curves());
    let kind = |suite: Suite| match suite.is_psk() {
        true => offer.psk.then_some(Kind::Psk),
        false => ecdsa,
    };
    let mut last_resort = None;
    for &suite in Suite::ALL.iter().filter(|suite| hello.offers(suite.id())) {
        let Some(kind) = kind(suite) else { continue };
        if etm {
            return Some((kind, Cbc::EncryptThenMac));
        }
        if !suite.is_cbc() {
            return Some((kind, Cbc::Without));
        }
        last_resort = last_resort.or(Some((kind, Cbc::MacThenEncrypt)));
    }
    last_resort
}
