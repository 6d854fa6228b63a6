//! `loadtest credentials`.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::security::SecurityArgs;
use crate::fleet::Names;
use crate::scenario::Scenario;
use crate::security::{Security, open_device};

/// Writes the devices of a scenario with their credentials to standard output, a JSON object a line, as
/// `rookery devices import` takes them.
#[derive(Args, Debug)]
pub struct CredentialsArgs {
    /// Scenario file (TOML).
    scenario: Option<PathBuf>,
    /// Number of devices [default: those of the scenario].
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// Endpoint names are this and a number.
    #[arg(long, value_name = "TEXT")]
    endpoint_prefix: Option<String>,
    /// The profile of the devices [default: the server's choice].
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Where to write the certificate that those of X.509 devices come from (PEM).
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    #[command(flatten)]
    security: SecurityArgs,
}

impl CredentialsArgs {
    /// Writes the list.
    ///
    /// # Errors
    /// When the scenario cannot be read, a value is out of its range, or the output cannot be written.
    pub fn execute(&self) -> Result<()> {
        let scenario = self.scenario()?;
        let security = Security::new(&scenario.security)?;
        if let Some(path) = &self.authority {
            let pem = security.as_ref().map(Security::authority_pem).transpose()?;
            let Some(pem) = pem.flatten() else {
                bail!(
                    "--authority: only with security.mode = \"x509\" do certificates come from one"
                );
            };
            fs::write(path, pem).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let written = self.write(&scenario, security.as_ref());
        match written {
            // Nobody reads it any more.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            written => written,
        }
    }

    fn write(&self, scenario: &Scenario, security: Option<&Security>) -> Result<()> {
        let clients = scenario.clients();
        let names = Names::new(&scenario.endpoint_prefix, clients);
        let profile = self.profile.as_deref();
        let mut out = BufWriter::new(io::stdout().lock());
        for number in 0..clients {
            let endpoint = names.of(number);
            let device = match security {
                Some(security) if scenario.bootstrap.is_some() => {
                    security.bootstrapping_device(&endpoint, profile)?
                }
                Some(security) => security.device(&endpoint, profile)?,
                None => open_device(&endpoint, profile),
            };
            writeln!(out, "{device}")?;
        }
        Ok(out.flush()?)
    }

    fn scenario(&self) -> Result<Scenario> {
        let loaded = self.scenario.as_deref().map(Scenario::load).transpose()?;
        let mut scenario = loaded.unwrap_or_default();
        if let Some(prefix) = &self.endpoint_prefix {
            scenario.endpoint_prefix.clone_from(prefix);
        }
        self.security.apply(&mut scenario.security);
        if let Some(clients) = self.clients {
            scenario.set_clients(clients);
        }
        scenario.check()?;
        Ok(scenario)
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(ErrorKind::BrokenPipe)
}
