//! The configuration with the options of the command line.

use anyhow::{Context, bail};
use rookery::ops::config::Effective;
use rookery::services::profiles;

use super::arguments::Place;

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
    }
    check_profile(&effective)?;
    Ok(effective)
}

fn check_profile(effective: &Effective) -> anyhow::Result<()> {
    let profile = &effective.config.provisioning.profile;
    if profiles::find(profile).is_none() {
        bail!(
            "{}: provisioning.profile is \"{profile}\", which does not exist; known are: {}",
            effective.origin("provisioning.profile"),
            profiles::names().join(", ")
        );
    }
    Ok(())
}
