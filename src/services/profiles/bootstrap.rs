//! `bootstrap`: the servers that a bootstrapped device is told. The rules and their texts are
//! ThingsBoard's.

use std::collections::HashSet;

use super::certificates;
use super::findings::Findings;
use super::json::Node;
use super::members::{Members, unlike};
use crate::proto::lwm2m::Binding;
use crate::services::credentials::Mode;

/// Most servers of a profile.
const MAX_SERVERS: usize = 100;

/// Ports that devices reach this server at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerPorts {
    /// CoAP.
    pub coap: u16,
    /// CoAP over DTLS.
    pub coaps: u16,
    /// Bootstrap over CoAP.
    pub bootstrap_coap: u16,
    /// Bootstrap over CoAP and DTLS.
    pub bootstrap_coaps: u16,
}

impl Default for ServerPorts {
    /// ThingsBoard's.
    fn default() -> Self {
        Self {
            coap: 5685,
            coaps: 5686,
            bootstrap_coap: 5687,
            bootstrap_coaps: 5688,
        }
    }
}

impl ServerPorts {
    const fn of(self, bootstrap: bool, secure: bool) -> u16 {
        match (bootstrap, secure) {
            (false, false) => self.coap,
            (false, true) => self.coaps,
            (true, false) => self.bootstrap_coap,
            (true, true) => self.bootstrap_coaps,
        }
    }
}

const MODES: [&str; 4] = ["NO_SEC", "PSK", "RPK", "X509"];

const MEMBERS: [&str; 16] = [
    "securityMode",
    "shortServerId",
    "bootstrapServerIs",
    "host",
    "port",
    "securityHost",
    "securityPort",
    "clientHoldOffTime",
    "serverPublicKey",
    "serverCertificate",
    "bootstrapServerAccountTimeout",
    "lifetime",
    "defaultMinPeriod",
    "notifIfDisabled",
    "binding",
    "endpoint",
];

/// A server that a device is told when it bootstraps. Defaults are ThingsBoard's.
#[derive(Clone, Debug, PartialEq)]
pub struct BootstrapServer {
    /// The bootstrap server itself.
    pub is_bootstrap: bool,
    /// Security mode.
    pub mode: Mode,
    /// Short Server ID; `None` of the bootstrap server.
    pub short_id: Option<u16>,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// SubjectPublicKeyInfo or certificate of the server.
    pub server_key: Vec<u8>,
    /// Client Hold Off Time in seconds.
    pub hold_off: u32,
    /// Bootstrap-Server Account Timeout in seconds.
    pub account_timeout: u32,
    /// Lifetime in seconds.
    pub lifetime: u32,
    /// Default Minimum Period in seconds.
    pub min_period: u32,
    /// Notification Storing When Disabled or Offline.
    pub stores_notifications: bool,
    /// Binding.
    pub binding: String,
}

/// Reads `bootstrap` and `bootstrapServerUpdateEnable`; elements with faults are left out.
pub(super) fn read(
    members: &Members<'_>,
    ports: ServerPorts,
    findings: &mut Findings,
) -> Vec<BootstrapServer> {
    let updates = members.boolean("bootstrapServerUpdateEnable", findings);
    let servers = members.array("bootstrap", findings);
    if servers.len() > MAX_SERVERS {
        let count = servers.len();
        findings.refuse(
            "bootstrap",
            format!("has {count} servers; accepted are at most {MAX_SERVERS}"),
        );
    }
    let mut check = Check {
        ports,
        updates: updates.unwrap_or_default(),
        short_ids: HashSet::new(),
        addresses: HashSet::new(),
    };
    let mut read = Vec::new();
    for (member, node) in servers.into_iter().take(MAX_SERVERS) {
        if let Some(server) = Members::outermost(node, &member, findings) {
            read.extend(check.server(&server, findings));
        }
    }
    read
}

struct Check<'a> {
    ports: ServerPorts,
    updates: bool,
    short_ids: HashSet<u32>,
    addresses: HashSet<(&'a str, u32)>,
}

impl<'a> Check<'a> {
    fn server(&mut self, server: &Members<'a>, findings: &mut Findings) -> Option<BootstrapServer> {
        let bootstrap = server.boolean("bootstrapServerIs", findings) == Some(true);
        let called = if bootstrap {
            "Bootstrap Server"
        } else {
            "LwM2M Server"
        };
        let mode = server.choice("securityMode", &MODES, findings);
        if server.get("securityMode").is_none() {
            let modes = MODES.join(", ");
            findings.refuse(
                &server.at("securityMode"),
                format!("is missing; accepted is one of {modes}"),
            );
        }
        if bootstrap && !self.updates {
            findings.refuse_as(
                &server.at("bootstrapServerIs"),
                "Bootstrap config must not include \"Bootstrap Server\". \"Include Bootstrap Server updates\" is false.",
            );
        }
        let short_id = self.short_id(server, bootstrap, called, findings);
        let address = self.address(server, bootstrap, called, mode, findings);
        let server_key = key(server, called, mode, findings);
        let account = account(server, findings);
        server.warn_of_unknown(&MEMBERS, findings);
        let (host, port) = address?;
        let (mode, server_key) = (Mode::ALL.get(mode?).copied()?, server_key?);
        (bootstrap || short_id.is_some()).then_some(BootstrapServer {
            is_bootstrap: bootstrap,
            mode,
            short_id: short_id.filter(|_| !bootstrap),
            host,
            port,
            server_key,
            ..account
        })
    }

    fn short_id(
        &mut self,
        server: &Members<'a>,
        bootstrap: bool,
        called: &str,
        findings: &mut Findings,
    ) -> Option<u16> {
        const NAME: &str = "shortServerId";
        let member = server.at(NAME);
        let id = match server.given(NAME) {
            None => (!bootstrap).then_some(DEFAULT_SHORT_ID),
            Some(Node::Null) => None,
            Some(Node::Number(number)) if number.is_i64() || number.is_u64() => {
                // What is no u32 is in no range either.
                Some(
                    number
                        .as_u64()
                        .and_then(|id| id.try_into().ok())
                        .unwrap_or(u32::MAX),
                )
            }
            Some(other) => {
                findings.refuse(&member, unlike(other, "a whole number from 1 to 65534"));
                return None;
            }
        };
        if bootstrap {
            if id.is_some_and(|id| id != 0) {
                let text = format!("{called} ShortServerId must be null!");
                findings.refuse_as(&member, text);
            }
            return None;
        }
        match id {
            None => {
                let text = format!("{called} ShortServerId must not be null!");
                findings.refuse_as(&member, text);
            }
            Some(1..=65_534) => {
                let id = id.unwrap_or_default();
                if !self.short_ids.insert(id) {
                    findings.refuse_as(
                        &member,
                        format!("{called} \"Short server Id\" value = {id}. {UNIQUE}"),
                    );
                    return None;
                }
                return id.try_into().ok();
            }
            Some(_) => findings.refuse_as(
                &member,
                format!("{called} ShortServerId must be in range [1 - 65534]!"),
            ),
        }
        None
    }

    fn address(
        &mut self,
        server: &Members<'a>,
        bootstrap: bool,
        called: &str,
        mode: Option<usize>,
        findings: &mut Findings,
    ) -> Option<(String, u16)> {
        let host = server.text("host", findings);
        if host.is_some_and(str::is_empty) || server.get("host").is_none() {
            let problem = "is missing; accepted is a host name or an IP address";
            findings.refuse(&server.at("host"), problem);
        }
        let member = server.at("port");
        let port = server.number("port", "a port", 1..=65_535, findings);
        if server.get("port").is_none() {
            findings.refuse(&member, "is missing; accepted is a port from 1 to 65535");
        }
        if let (Some(host), Some(port)) = (host, port)
            && !self.addresses.insert((host, port))
        {
            findings.refuse_as(
                &member,
                format!("{called} \"Host + port\" value = {host}:{port}. {UNIQUE}"),
            );
        }
        let (port, mode) = (port?, mode?);
        let secure = mode != NO_SEC;
        let configured = self.ports.of(bootstrap, secure);
        let usual = ServerPorts::default().of(bootstrap, secure);
        if ![configured, usual].map(u32::from).contains(&port) {
            let mode = MODES[mode];
            findings.refuse_as(
                &member,
                format!(
                    "{called} \"Port\" value = {port}. This value for security {mode} must be {configured}!"
                ),
            );
        }
        let host = host.filter(|host| !host.is_empty())?;
        Some((host.to_owned(), port.try_into().ok()?))
    }
}

/// Index in [`MODES`].
const NO_SEC: usize = 0;

/// The id of an LwM2M server that states none.
const DEFAULT_SHORT_ID: u32 = 123;

const UNIQUE: &str = "This value must be a unique value for all servers!";

/// The public key (RPK) or certificate (X.509) of the server; empty for other modes.
fn key(
    server: &Members<'_>,
    called: &str,
    mode: Option<usize>,
    findings: &mut Findings,
) -> Option<Vec<u8>> {
    const NAME: &str = "serverPublicKey";
    server.text("serverCertificate", findings);
    let key = server.text(NAME, findings).unwrap_or_default();
    let is = |text: &str, what: fn(&[u8]) -> bool| {
        certificates::decode(text).is_some_and(|der| what(&der))
    };
    let problem = match mode.map(|mode| MODES[mode]) {
        Some("RPK") if key.is_empty() => "RPK public key must be specified!",
        Some("RPK") if !is(key, certificates::is_public_key) => {
            "RPK public key must be in standard [RFC7250] and then encoded to Base64 format!"
        }
        Some("X509") if key.is_empty() => "X509 certificate must be specified!",
        Some("X509") if !is(key, certificates::is_certificate) => {
            "X509 certificate must be in DER-encoded X509v3 format and support only EC algorithm and then encoded to Base64 format!"
        }
        Some("RPK" | "X509") => return certificates::decode(key),
        _ => return Some(Vec::new()),
    };
    findings.refuse_as(&server.at(NAME), format!("{called} {problem}"));
    None
}

/// What the device's server account and security account are to hold.
fn account(server: &Members<'_>, findings: &mut Findings) -> BootstrapServer {
    let [hold_off, account_timeout, lifetime, min_period] = [
        ("clientHoldOffTime", 1),
        ("bootstrapServerAccountTimeout", 0),
        ("lifetime", 300),
        ("defaultMinPeriod", 1),
    ]
    .map(|(name, usual)| {
        let seconds = server.number(name, "seconds", 0..=u32::MAX, findings);
        seconds.unwrap_or(usual)
    });
    let stores_notifications = server.boolean("notifIfDisabled", findings).unwrap_or(true);
    let binding = server.text("binding", findings);
    if let Some(binding) = binding
        && binding.parse::<Binding>().is_err()
    {
        findings.refuse(
            &server.at("binding"),
            format!(
                "is {}; accepted are letters of U, M, H, T, S, N and Q, such as U or UQ",
                super::json::quoted(binding)
            ),
        );
    }
    BootstrapServer {
        is_bootstrap: false,
        mode: Mode::NoSec,
        short_id: None,
        host: String::new(),
        port: 0,
        server_key: Vec::new(),
        hold_off,
        account_timeout,
        lifetime,
        min_period,
        stores_notifications,
        binding: binding.unwrap_or("U").to_owned(),
    }
}
