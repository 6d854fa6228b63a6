//! `bootstrap`: the servers that a bootstrapped device is told. The rules and their texts are
//! ThingsBoard's.

use std::collections::HashSet;

use super::certificates;
use super::findings::Findings;
use super::json::Node;
use super::members::{Members, unlike};
use crate::proto::lwm2m::Binding;

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

/// Checks `bootstrap` and `bootstrapServerUpdateEnable`.
pub(super) fn check(members: &Members<'_>, ports: ServerPorts, findings: &mut Findings) {
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
    for (member, node) in servers.into_iter().take(MAX_SERVERS) {
        if let Some(server) = Members::outermost(node, &member, findings) {
            check.server(&server, findings);
        }
    }
}

struct Check<'a> {
    ports: ServerPorts,
    updates: bool,
    short_ids: HashSet<u32>,
    addresses: HashSet<(&'a str, u32)>,
}

impl<'a> Check<'a> {
    fn server(&mut self, server: &Members<'a>, findings: &mut Findings) {
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
        self.short_id(server, bootstrap, called, findings);
        self.address(server, bootstrap, called, mode, findings);
        check_key(server, called, mode, findings);
        check_account(server, findings);
        server.warn_of_unknown(&MEMBERS, findings);
    }

    fn short_id(
        &mut self,
        server: &Members<'a>,
        bootstrap: bool,
        called: &str,
        findings: &mut Findings,
    ) {
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
                return findings.refuse(&member, unlike(other, "a whole number from 1 to 65534"));
            }
        };
        if bootstrap {
            if id.is_some_and(|id| id != 0) {
                let text = format!("{called} ShortServerId must be null!");
                findings.refuse_as(&member, text);
            }
            return;
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
                }
            }
            Some(_) => findings.refuse_as(
                &member,
                format!("{called} ShortServerId must be in range [1 - 65534]!"),
            ),
        }
    }

    fn address(
        &mut self,
        server: &Members<'a>,
        bootstrap: bool,
        called: &str,
        mode: Option<usize>,
        findings: &mut Findings,
    ) {
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
        let (Some(port), Some(mode)) = (port, mode) else {
            return;
        };
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
    }
}

/// Index in [`MODES`].
const NO_SEC: usize = 0;

/// The id of an LwM2M server that states none.
const DEFAULT_SHORT_ID: u32 = 123;

const UNIQUE: &str = "This value must be a unique value for all servers!";

/// The public key (RPK) or certificate (X.509) of the server.
fn check_key(server: &Members<'_>, called: &str, mode: Option<usize>, findings: &mut Findings) {
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
        _ => return,
    };
    findings.refuse_as(&server.at(NAME), format!("{called} {problem}"));
}

/// What the device's server account and security account are to hold.
fn check_account(server: &Members<'_>, findings: &mut Findings) {
    for name in [
        "clientHoldOffTime",
        "bootstrapServerAccountTimeout",
        "lifetime",
        "defaultMinPeriod",
    ] {
        server.number(name, "seconds", 0..=u32::MAX, findings);
    }
    server.boolean("notifIfDisabled", findings);
    if let Some(binding) = server.text("binding", findings)
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
}
