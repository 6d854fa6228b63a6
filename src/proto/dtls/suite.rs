//! Cipher suites: ids, sizes, and which one a hello leads to.

/// The suites of this server, most preferred first within each kind.
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
    /// TLS_PSK_WITH_AES_128_CBC_SHA256, 0x00AE, with encrypt-then-MAC only.
    PskCbc,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0xC0AE.
    EcdsaCcm8,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CCM, 0xC0AC.
    EcdsaCcm,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0xC02B.
    EcdsaGcm,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, 0xC023, with encrypt-then-MAC only.
    EcdsaCbc,
}
