//! The configuration with the options of the command line.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use rookery::ops::config::{Config, Effective};
use rookery::services::credentials::{KeySettings, Modes};
use rookery::services::profiles::{ProfileSettings, Profiles, ServerPorts};

use super::arguments::Place;
use super::server_keys::server_key_files;

/// Loads the configuration; the command line wins over everything.
pub(super) fn load(place: &Place, dev: bool) -> anyhow::Result<Effective> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut effective = Effective::load(place.config.as_deref(), environment)
        .context("the configuration is not accepted")?;
    if let Some(directory) = &place.data {
        effective.config.store.path.clone_from(directory);
        effective.note_command_line("store.path", "--data");
    }
    if dev {
        effective.config.provisioning.allow_unknown = true;
        effective.note_command_line("provisioning.allow_unknown", "--dev");
        if effective.config.dtls.server_key.is_none() {
            let (key, certificate) = server_key_files(&effective.config.store.path);
            effective.config.dtls.server_key = Some(key);
            effective.config.dtls.server_certificate = Some(certificate);
            effective.note_command_line("dtls.server_key", "--dev");
            effective.note_command_line("dtls.server_certificate", "--dev");
        }
    }
    Ok(effective)
}

/// What the profiles depend on.
pub(super) fn profile_settings(config: &Config) -> ProfileSettings {
    let usual = ServerPorts::default();
    let port = |listener: Option<SocketAddr>, usual| {
        let port = listener.map(|address| address.port());
        port.filter(|port| *port != 0).unwrap_or(usual)
    };
    ProfileSettings {
        ports: ServerPorts {
            coap: port(config.listen.coap, usual.coap),
            coaps: port(config.listen.coaps, usual.coaps),
            bootstrap_coap: port(config.listen.bootstrap_coap, usual.bootstrap_coap),
            bootstrap_coaps: port(config.listen.bootstrap_coaps, usual.bootstrap_coaps),
        },
        of_unnamed: config.provisioning.profile.clone(),
    }
}

/// Where the keys of the server are.
pub(super) fn key_settings(config: &Config) -> KeySettings {
    let dtls = &config.dtls;
    KeySettings {
        modes: Modes {
            psk: dtls.psk,
            rpk: dtls.rpk,
            x509: dtls.x509,
        },
        check_dates: dtls.check_certificate_dates,
        server_key: dtls.server_key.clone(),
        server_certificate: dtls.server_certificate.clone(),
        server_key_password: dtls.server_key_password_file.clone(),
        trust_store: dtls.trust_store.clone(),
        trust_store_password: dtls.trust_store_password_file.clone(),
    }
}

/// Fails when the profile of devices that name none does not exist.
pub(super) fn check_profile(effective: &Effective, profiles: &Profiles) -> anyhow::Result<()> {
    let profile = &effective.config.provisioning.profile;
    if !profiles.contains(profile) {
        bail!(
            "{}: provisioning.profile is \"{profile}\", which does not exist; known are: {}; \
             `rookery profiles import` makes one",
            effective.origin("provisioning.profile"),
            profiles.known()
        );
    }
    Ok(())
}
