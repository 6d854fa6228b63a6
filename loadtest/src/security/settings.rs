//! `[security]` of a scenario.

use std::path::PathBuf;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;

use crate::dtls::Mode;
use crate::scenario::{ScenarioError, within};

/// How devices secure what they send.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum SecurityMode {
    /// Plain CoAP.
    #[default]
    None,
    /// DTLS with a pre-shared key.
    Psk,
    /// DTLS with raw public keys.
    Rpk,
    /// DTLS with certificates.
    X509,
}

/// `[security]`: all devices of a run alike.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SecuritySettings {
    /// `none`, `psk`, `rpk` or `x509`.
    pub mode: SecurityMode,
    /// PSK identity; `{endpoint}` stands for the endpoint name.
    pub identity: String,
    /// One pre-shared key for all devices, in hex. Without it each has its own, out of `secret`.
    pub key: Option<String>,
    /// What the keys of devices follow from: a pre-shared key is the first half of HMAC-SHA256(secret, endpoint).
    pub secret: String,
    /// File with the server's raw public key (PEM or DER). Without it, any server will do.
    pub server_key: Option<PathBuf>,
    /// File with the server's certificate (PEM or DER). Without it, any server will do.
    pub server_certificate: Option<PathBuf>,
    /// Whether connection identifiers are offered (RFC 9146).
    pub connection_id: bool,
    /// Length of the identifiers that devices want on records to them; 0 to 8 bytes, 0 for none.
    pub client_connection_id: u8,
    /// Whether a later handshake of a device resumes its session.
    pub resumption: bool,
    /// Cipher suites, colons between them; without it, all that there are for the mode.
    pub suites: Option<String>,
    /// Handshakes that are begun in a second, at most; 0 for no limit.
    pub handshake_rate: f64,
    /// Handshakes under way at a time, at most; each takes some 80 KB here.
    pub max_handshakes: u32,
    /// How long a handshake may take, in seconds.
    pub handshake_timeout: f64,
    /// Devices get other source addresses and ports, all at once.
    pub rebind: Option<RebindSettings>,
    /// Devices lose their sessions, all at once, and make new ones.
    pub reconnect: Option<ReconnectSettings>,
}

/// A rebind storm.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RebindSettings {
    /// Seconds into the first `hold` phase.
    pub at: f64,
    /// Share of the devices, up to 1.
    #[serde(default = "all")]
    pub share: f64,
}

/// A reconnect storm.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ReconnectSettings {
    /// Seconds into the first `hold` phase.
    pub at: f64,
    /// Share of the devices, up to 1.
    #[serde(default = "all")]
    pub share: f64,
    /// New sessions a second.
    pub rate: f64,
}

/// The share that stands for every device.
pub(crate) const fn all() -> f64 {
    1.0
}

impl Default for SecuritySettings {
    fn default() -> Self {
        Self {
            mode: SecurityMode::None,
            identity: "{endpoint}".into(),
            key: None,
            secret: "loadtest".into(),
            server_key: None,
            server_certificate: None,
            connection_id: true,
            client_connection_id: 0,
            resumption: false,
            suites: None,
            handshake_rate: 0.0,
            max_handshakes: 1_000,
            handshake_timeout: 60.0,
            rebind: None,
            reconnect: None,
        }
    }
}

impl SecurityMode {
    /// The kind of credentials; `None` without DTLS.
    #[must_use]
    pub const fn credentials(self) -> Option<Mode> {
        match self {
            Self::None => None,
            Self::Psk => Some(Mode::Psk),
            Self::Rpk => Some(Mode::RawPublicKey),
            Self::X509 => Some(Mode::Certificate),
        }
    }
}

impl SecuritySettings {
    /// The one key for all devices, once it has been checked.
    pub(super) fn shared_key(&self) -> Option<Vec<u8>> {
        HEXLOWER_PERMISSIVE
            .decode(self.key.as_ref()?.as_bytes())
            .ok()
    }
}

/// Checks values against their ranges.
pub(crate) fn check(settings: &SecuritySettings) -> Result<(), ScenarioError> {
    let key = settings.key.as_deref();
    let length = settings.shared_key().map_or(0, |key| key.len());
    within(
        "security.key",
        key.map_or("", |_| "not that"),
        key.is_none() || (1..=64).contains(&length),
        "1 to 64 bytes in hex",
    )?;
    within(
        "length of security.identity",
        settings.identity.len(),
        (1..=128).contains(&settings.identity.len()),
        "1 to 128 bytes",
    )?;
    within(
        "length of security.secret",
        settings.secret.len(),
        !settings.secret.is_empty(),
        "at least 1 byte",
    )?;
    within(
        "security.client_connection_id",
        settings.client_connection_id,
        settings.client_connection_id <= 8,
        "0 to 8 bytes",
    )?;
    within(
        "security.handshake_rate",
        settings.handshake_rate,
        settings.handshake_rate == 0.0 || (0.01..=10_000_000.0).contains(&settings.handshake_rate),
        "0, or 0.01 to 10,000,000 a second",
    )?;
    within(
        "security.max_handshakes",
        settings.max_handshakes,
        (1..=100_000).contains(&settings.max_handshakes),
        "1 to 100,000",
    )?;
    within(
        "security.handshake_timeout",
        settings.handshake_timeout,
        (1.0..=90.0).contains(&settings.handshake_timeout),
        "1 to 90 seconds",
    )?;
    if let Some(rebind) = settings.rebind {
        check_storm("security.rebind", rebind.at, rebind.share)?;
    }
    if let Some(reconnect) = settings.reconnect {
        check_storm("security.reconnect", reconnect.at, reconnect.share)?;
        within(
            "security.reconnect",
            "given",
            settings.mode != SecurityMode::None,
            "a mode other than \"none\" with it",
        )?;
    }
    Ok(())
}

fn check_storm(what: &str, at: f64, share: f64) -> Result<(), ScenarioError> {
    within(
        &format!("{what}.at"),
        at,
        (0.0..=4_000_000.0).contains(&at),
        "0 to 4,000,000 seconds",
    )?;
    within(
        &format!("{what}.share"),
        share,
        share > 0.0 && share <= 1.0,
        "above 0, up to 1",
    )
}
