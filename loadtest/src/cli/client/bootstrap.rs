//! The demo client's bootstrap flags.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Args;

use super::{pair, resolved};
use crate::client::{BootstrapOptions, ClientSecurity, Path};

/// A bootstrap server.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Bootstrap")]
pub struct ClientBootstrapArgs {
    /// Start with a bootstrap: -u is the bootstrap server, and the credentials are for it.
    #[arg(short = 'b', long, conflicts_with_all = ["lwm2m_and_bootstrap", "bootstrap_url"])]
    bootstrap: bool,
    /// Register at -u, and know the bootstrap server at -u_b too (-lw_b).
    #[arg(long, requires = "bootstrap_url")]
    lwm2m_and_bootstrap: bool,
    /// The bootstrap server of -lw_b (-u_b), in the forms of -u.
    #[arg(long, value_name = "URL", requires = "lwm2m_and_bootstrap")]
    bootstrap_url: Option<String>,
    /// More query parameters of the Bootstrap-Request, NAME=VALUE,NAME=VALUE (-bsaa).
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = pair)]
    bootstrap_attributes: Vec<(String, String)>,
    /// Values that the device has from the factory, PATH=VALUE,PATH=VALUE (-fb), such as /0/0/11=5.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = value)]
    factory_bootstrap: Vec<(Path, String)>,
    /// The content format that the device prefers for what it is told (pct), such as 112.
    #[arg(long, value_name = "FORMAT")]
    bootstrap_format: Option<u16>,
}

impl ClientBootstrapArgs {
    /// What the device knows of its bootstrap server; `None` when it knows none. `server` is what -u says.
    ///
    /// # Errors
    ///
    /// When -u_b names no address, or flags are given that mean nothing without a bootstrap server.
    pub fn options(
        &self,
        server: SocketAddr,
        security: Option<&ClientSecurity>,
    ) -> Result<Option<BootstrapOptions>> {
        let server = match &self.bootstrap_url {
            Some(url) => resolved(url, security.is_some()).context("-u_b")?,
            None if self.bootstrap => server,
            None => {
                let more = !self.bootstrap_attributes.is_empty()
                    || !self.factory_bootstrap.is_empty()
                    || self.bootstrap_format.is_some();
                anyhow::ensure!(
                    !more,
                    "-bsaa, -fb and --bootstrap-format are about a bootstrap server: give -b, or -lw_b and -u_b"
                );
                return Ok(None);
            }
        };
        Ok(Some(BootstrapOptions {
            first: self.bootstrap,
            format: self.bootstrap_format,
            additional_attributes: self.bootstrap_attributes.clone(),
            factory_values: self.factory_bootstrap.clone(),
            ..BootstrapOptions::new(server, security.cloned())
        }))
    }
}

fn value(text: &str) -> Result<(Path, String), String> {
    let (path, value) = text.split_once('=').ok_or("not PATH=VALUE")?;
    let path = path.parse().map_err(|error| format!("{error}"))?;
    Ok((path, value.to_owned()))
}
