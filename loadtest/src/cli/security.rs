//! Flags of `loadtest run` that override `[security]`.

use clap::{Args, ValueEnum};

use crate::security::{RebindSettings, SecurityMode, SecuritySettings};

/// How devices secure what they send.
#[derive(Args, Debug)]
pub struct SecurityArgs {
    /// Whether and how devices use DTLS.
    #[arg(long, value_enum, value_name = "MODE")]
    security: Option<ModeName>,
    /// What the keys of devices follow from.
    #[arg(long, value_name = "TEXT")]
    secret: Option<String>,
    /// Whether connection identifiers are offered (RFC 9146).
    #[arg(long, value_name = "BOOL")]
    connection_id: Option<bool>,
    /// Let later handshakes resume sessions.
    #[arg(long)]
    resumption: bool,
    /// Handshakes that are begun in a second, at most; 0 for no limit.
    #[arg(long, value_name = "RATE")]
    handshake_rate: Option<f64>,
    /// Handshakes under way at a time, at most.
    #[arg(long, value_name = "N")]
    max_handshakes: Option<u32>,
    /// All devices get other addresses so many seconds into the time between registration and de-registration.
    #[arg(long, value_name = "SECONDS")]
    rebind_at: Option<f64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    None,
    Psk,
    Rpk,
    X509,
}

impl SecurityArgs {
    /// Changes what is given.
    pub fn apply(&self, settings: &mut SecuritySettings) {
        if let Some(mode) = self.security {
            settings.mode = match mode {
                ModeName::None => SecurityMode::None,
                ModeName::Psk => SecurityMode::Psk,
                ModeName::Rpk => SecurityMode::Rpk,
                ModeName::X509 => SecurityMode::X509,
            };
        }
        if let Some(secret) = &self.secret {
            settings.secret.clone_from(secret);
        }
        super::set(&mut settings.connection_id, self.connection_id);
        settings.resumption |= self.resumption;
        super::set(&mut settings.handshake_rate, self.handshake_rate);
        super::set(&mut settings.max_handshakes, self.max_handshakes);
        if let Some(at) = self.rebind_at {
            settings.rebind = Some(RebindSettings { at, share: 1.0 });
        }
    }
}
