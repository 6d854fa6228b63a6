//! Placement: which server a device is told, so that a fleet is spread over several.
//!
//! Rules are looked at in order; the first that fits a device and one of its LwM2M servers chooses among
//! its targets, by a weighted rendezvous hash of the endpoint: a device is told the same at each
//! bootstrap, and a target that comes or goes moves no device but its own.

use std::collections::HashSet;
use std::hash::Hasher as _;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::services::profiles::{BootstrapServer, is_certificate, is_public_key};

/// Most rules.
pub const MAX_RULES: usize = 100;

/// Most targets of a rule.
pub const MAX_TARGETS: usize = 100;

/// Largest weight.
pub const MAX_WEIGHT: u32 = 1_000;

/// Longest text in bytes.
const MAX_TEXT: usize = 255;

/// Which servers devices are told in place of those of their profile.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Placement {
    /// Looked at in this order. None: every device is told what its profile says.
    pub rules: Vec<Rule>,
}

/// Devices, and where they go.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PlacementRule)]
pub struct Rule {
    /// Which devices; all when absent.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// Where they go.
    pub targets: Vec<Target>,
}

/// A device has to fit every member that is there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PlacementMatch)]
pub struct Match {
    /// Name of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Label of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What its endpoint client name begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_prefix: Option<String>,
    /// Which LwM2M server of the profile is placed; the first when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65_534)]
    pub short_server_id: Option<u16>,
}

/// A server.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PlacementTarget)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port; that of the profile when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65_535)]
    pub port: Option<u16>,
    /// Its share of the devices, relative to the other targets; 0 for no device any more.
    #[serde(default = "usual_weight")]
    #[schema(minimum = 0, maximum = 1_000)]
    pub weight: u32,
    /// Its public key (RPK) or certificate (X.509), DER in Base64; that of the profile when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_public_key: Option<String>,
}

const fn usual_weight() -> u32 {
    1
}

/// Why a placement is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{member}` {problem}")]
pub struct PlacementFault {
    /// Path of the member, such as `rules[0].targets[1].host`.
    pub member: String,
    problem: String,
}

/// What is known of a device.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Endpoint client name.
    pub endpoint: &'a str,
    /// Name of its profile.
    pub profile: &'a str,
    /// Its label.
    pub label: Option<&'a str>,
}

impl Placement {
    /// Whether it can be used; `is_profile` knows profiles.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, is_profile: impl Fn(&str) -> bool) -> Result<(), PlacementFault> {
        let fault = |member: String, problem: String| Err(PlacementFault { member, problem });
        if self.rules.len() > MAX_RULES {
            let count = self.rules.len();
            let problem = format!("has {count} rules; accepted are at most {MAX_RULES}");
            return fault("rules".to_owned(), problem);
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let at = format!("rules[{index}]");
            rule.matching.check(&format!("{at}.match"), &is_profile)?;
            let member = format!("{at}.targets");
            let count = rule.targets.len();
            if count == 0 || count > MAX_TARGETS {
                let problem = format!("has {count} targets; accepted are 1 to {MAX_TARGETS}");
                return fault(member, problem);
            }
            if rule.targets.iter().all(|target| target.weight == 0) {
                let problem = "has no target with a weight above 0; accepted is at least one";
                return fault(member, problem.to_owned());
            }
            let mut addresses = HashSet::new();
            for (index, target) in rule.targets.iter().enumerate() {
                let at = format!("{member}[{index}]");
                target.check(&at)?;
                if !addresses.insert((&target.host, target.port)) {
                    let problem = "is in the list twice; accepted is each host and port once";
                    return fault(at, problem.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Where a device finds one of the LwM2M servers of its profile, if a rule says so.
    #[must_use]
    pub fn target(
        &self,
        device: Placed<'_>,
        server: &BootstrapServer,
        is_first: bool,
    ) -> Option<&Target> {
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| rule.matching.fits(device, server, is_first))?;
        let shares = rule.targets.iter().filter(|target| target.weight > 0);
        shares.max_by(|a, b| {
            a.score(device.endpoint)
                .total_cmp(&b.score(device.endpoint))
        })
    }
}

impl Match {
    fn fits(&self, device: Placed<'_>, server: &BootstrapServer, is_first: bool) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        let prefix = self.endpoint_prefix.as_deref().unwrap_or_default();
        is(&self.profile, Some(device.profile))
            && is(&self.label, device.label)
            && device.endpoint.starts_with(prefix)
            && match self.short_server_id {
                Some(id) => server.short_id == Some(id),
                None => is_first,
            }
    }

    fn check(&self, at: &str, is_profile: impl Fn(&str) -> bool) -> Result<(), PlacementFault> {
        let texts = [
            ("profile", &self.profile),
            ("label", &self.label),
            ("endpointPrefix", &self.endpoint_prefix),
        ];
        for (name, text) in texts {
            let Some(text) = text else { continue };
            if text.is_empty() || text.len() > MAX_TEXT {
                let bytes = text.len();
                return Err(PlacementFault {
                    member: format!("{at}.{name}"),
                    problem: format!("has {bytes} bytes; accepted are 1 to {MAX_TEXT}"),
                });
            }
        }
        if let Some(profile) = self.profile.as_deref().filter(|name| !is_profile(name)) {
            return Err(PlacementFault {
                member: format!("{at}.profile"),
                problem: format!("is \"{profile}\"; accepted is the name of a profile"),
            });
        }
        if let Some(id @ (0 | u16::MAX)) = self.short_server_id {
            return Err(PlacementFault {
                member: format!("{at}.shortServerId"),
                problem: format!("is {id}; accepted is a whole number from 1 to 65534"),
            });
        }
        Ok(())
    }
}

impl Target {
    /// The key in its DER.
    #[must_use]
    pub fn key(&self) -> Option<Vec<u8>> {
        let text = self.server_public_key.as_deref()?;
        let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        BASE64.decode(compact.as_bytes()).ok()
    }

    fn check(&self, at: &str) -> Result<(), PlacementFault> {
        let fault = |name: &str, problem: String| {
            let member = format!("{at}.{name}");
            Err(PlacementFault { member, problem })
        };
        let odd = |c: char| c.is_control() || c.is_whitespace() || "/?#@".contains(c);
        if self.host.is_empty() || self.host.len() > MAX_TEXT || self.host.contains(odd) {
            let shown: String = self.host.chars().take(40).collect();
            let problem = format!("is \"{shown}\"; accepted is a host name or an IP address");
            return fault("host", problem);
        }
        if self.port == Some(0) {
            return fault(
                "port",
                "is 0; accepted is a port from 1 to 65535".to_owned(),
            );
        }
        if self.weight > MAX_WEIGHT {
            let problem = format!(
                "is {}; accepted is a whole number from 0 to {MAX_WEIGHT}",
                self.weight
            );
            return fault("weight", problem);
        }
        let readable = |der: Vec<u8>| is_public_key(&der) || is_certificate(&der);
        if self.server_public_key.is_some() && !self.key().is_some_and(readable) {
            let problem = "is neither; accepted is a SubjectPublicKeyInfo (RFC 7250) or an X.509v3 certificate of an elliptic-curve key, DER in Base64";
            return fault("serverPublicKey", problem.to_owned());
        }
        Ok(())
    }

    /// The highest has the device: so each has its share (weighted rendezvous hashing).
    fn score(&self, endpoint: &str) -> f64 {
        // The same on every server and for ever: devices would move otherwise.
        let mut hasher = SipHasher13::new();
        for part in [self.host.as_bytes(), endpoint.as_bytes()] {
            hasher.write(part);
            hasher.write_u8(0xff);
        }
        hasher.write_u16(self.port.unwrap_or_default());
        let fraction = ((hasher.finish() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        f64::from(self.weight) / -fraction.ln()
    }
}
