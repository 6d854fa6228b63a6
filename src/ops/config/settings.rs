//! The list of keys: what each means, what it accepts, how it is read and shown.

use std::net::SocketAddr;
use std::path::Path;

use tracing_subscriber::EnvFilter;

use super::given::Given;
use super::{Config, LogFormat};

/// A key of the configuration.
pub(super) struct Setting {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    /// What it means.
    pub(super) doc: &'static str,
    /// What it accepts.
    pub(super) accepts: &'static str,
    /// Whether SIGHUP applies a change.
    pub(super) reloads: bool,
    /// The value as TOML.
    pub(super) get: fn(&Config) -> String,
    /// Takes a value over; `None` when it is not accepted.
    pub(super) set: fn(&mut Config, &Given) -> Option<()>,
}

impl Setting {
    /// `section.key`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// Name in the environment.
    pub(super) fn variable(&self) -> String {
        format!("ROOKERY_{}__{}", self.section, self.key).to_uppercase()
    }
}

/// The key called `section.key`.
pub(super) fn find(section: &str, key: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.section == section && setting.key == key)
}

const ADDRESS: &str =
    "an IP address and port such as \"0.0.0.0:5685\" or \"[::]:5685\", or \"\" for off";

/// Every key, section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "listen",
        key: "coap",
        doc: "UDP address for CoAP without security. \"[::]:5685\" serves IPv4 and IPv6.",
        accepts: ADDRESS,
        reloads: false,
        get: |config| address(config.listen.coap),
        set: |config, given| given.address().map(|value| config.listen.coap = value),
    },
    Setting {
        section: "listen",
        key: "coaps",
        doc: "UDP address for CoAP over DTLS. \"[::]:5686\" serves IPv4 and IPv6. See [dtls].",
        accepts: ADDRESS,
        reloads: false,
        get: |config| address(config.listen.coaps),
        set: |config, given| given.address().map(|value| config.listen.coaps = value),
    },
    Setting {
        section: "listen",
        key: "bootstrap_coap",
        doc: "UDP address for bootstrap over CoAP without security. What devices are told is in their profiles.",
        accepts: ADDRESS,
        reloads: false,
        get: |config| address(config.listen.bootstrap_coap),
        set: |config, given| {
            given
                .address()
                .map(|value| config.listen.bootstrap_coap = value)
        },
    },
    Setting {
        section: "listen",
        key: "bootstrap_coaps",
        doc: "UDP address for bootstrap over DTLS. See [dtls].",
        accepts: ADDRESS,
        reloads: false,
        get: |config| address(config.listen.bootstrap_coaps),
        set: |config, given| {
            given
                .address()
                .map(|value| config.listen.bootstrap_coaps = value)
        },
    },
    Setting {
        section: "listen",
        key: "http",
        doc: "TCP address for HTTP: API, metrics, probes. Without TLS: put a proxy in front before serving other machines.",
        accepts: ADDRESS,
        reloads: false,
        get: |config| address(config.listen.http),
        set: |config, given| given.address().map(|value| config.listen.http = value),
    },
    Setting {
        section: "engine",
        key: "shards",
        doc: "Threads that serve devices. 0 is one per core.",
        accepts: "0 to 255",
        reloads: false,
        get: |config| config.engine.shards.to_string(),
        set: |config, given| {
            given
                .integer(0..=255)
                .map(|value| config.engine.shards = value)
        },
    },
    Setting {
        section: "engine",
        key: "max_endpoints",
        doc: "Most endpoints held in memory. Further ones are answered 5.03.",
        accepts: "1 to 100000000",
        reloads: false,
        get: |config| config.engine.max_endpoints.to_string(),
        set: |config, given| {
            given
                .integer(1..=100_000_000)
                .map(|value| config.engine.max_endpoints = value)
        },
    },
    Setting {
        section: "engine",
        key: "receive_buffer",
        doc: "Receive buffer of each UDP socket in bytes. The kernel grants at most net.core.rmem_max.",
        accepts: "4096 to 1073741824",
        reloads: false,
        get: |config| config.engine.receive_buffer.to_string(),
        set: |config, given| {
            given
                .integer(4_096..=1 << 30)
                .map(|value| config.engine.receive_buffer = value)
        },
    },
    Setting {
        section: "engine",
        key: "send_buffer",
        doc: "Send buffer of each UDP socket in bytes. The kernel grants at most net.core.wmem_max.",
        accepts: "4096 to 1073741824",
        reloads: false,
        get: |config| config.engine.send_buffer.to_string(),
        set: |config, given| {
            given
                .integer(4_096..=1 << 30)
                .map(|value| config.engine.send_buffer = value)
        },
    },
    Setting {
        section: "engine",
        key: "pin",
        doc: "Whether each shard stays on one core.",
        accepts: "true or false",
        reloads: false,
        get: |config| config.engine.pin.to_string(),
        set: |config, given| given.boolean().map(|value| config.engine.pin = value),
    },
    Setting {
        section: "engine",
        key: "profile_changes_per_second",
        doc: "Devices per second that are asked something because their profile has changed.",
        accepts: "1 to 1000000",
        reloads: false,
        get: |config| config.engine.profile_changes_per_second.to_string(),
        set: |config, given| {
            given
                .integer(1..=1_000_000)
                .map(|value| config.engine.profile_changes_per_second = value as u32)
        },
    },
    Setting {
        section: "store",
        key: "path",
        doc: "Data directory. Created with access for its owner only.",
        accepts: "a path",
        reloads: false,
        get: |config| quoted(&config.store.path.to_string_lossy()),
        set: |config, given| {
            given
                .text()
                .filter(|path| !path.is_empty())
                .map(|path| config.store.path = path.into())
        },
    },
    Setting {
        section: "provisioning",
        key: "allow_unknown",
        doc: "Whether endpoints that are not provisioned may register without security.",
        accepts: "true or false",
        reloads: false,
        get: |config| config.provisioning.allow_unknown.to_string(),
        set: |config, given| {
            given
                .boolean()
                .map(|value| config.provisioning.allow_unknown = value)
        },
    },
    Setting {
        section: "provisioning",
        key: "profile",
        doc: "Profile of devices that name none.",
        accepts: "the name of a profile",
        reloads: false,
        get: |config| quoted(&config.provisioning.profile),
        set: |config, given| {
            given
                .text()
                .filter(|name| !name.is_empty())
                .map(|name| config.provisioning.profile = name.to_owned())
        },
    },
    Setting {
        section: "dtls",
        key: "psk",
        doc: "Whether devices with pre-shared keys are served.",
        accepts: "true or false",
        reloads: true,
        get: |config| config.dtls.psk.to_string(),
        set: |config, given| given.boolean().map(|value| config.dtls.psk = value),
    },
    Setting {
        section: "dtls",
        key: "rpk",
        doc: "Whether devices with raw public keys are served. Needs server_key.",
        accepts: "true or false",
        reloads: true,
        get: |config| config.dtls.rpk.to_string(),
        set: |config, given| given.boolean().map(|value| config.dtls.rpk = value),
    },
    Setting {
        section: "dtls",
        key: "x509",
        doc: "Whether devices with certificates are served. Needs server_key and a certificate of it.",
        accepts: "true or false",
        reloads: true,
        get: |config| config.dtls.x509.to_string(),
        set: |config, given| given.boolean().map(|value| config.dtls.x509 = value),
    },
    Setting {
        section: "dtls",
        key: "server_key",
        doc: "Private key of the server, on P-256 or P-384.",
        accepts: "a file in PEM, DER or PKCS#12, or \"\" for none",
        reloads: true,
        get: |config| file(config.dtls.server_key.as_deref()),
        set: |config, given| given.file().map(|value| config.dtls.server_key = value),
    },
    Setting {
        section: "dtls",
        key: "server_certificate",
        doc: "Certificate of the server, and those above it. Not needed where server_key is PKCS#12.",
        accepts: "a file in PEM, DER or PKCS#12, or \"\" for none",
        reloads: true,
        get: |config| file(config.dtls.server_certificate.as_deref()),
        set: |config, given| {
            given
                .file()
                .map(|value| config.dtls.server_certificate = value)
        },
    },
    Setting {
        section: "dtls",
        key: "server_key_password_file",
        doc: "File whose first line is the password of server_key.",
        accepts: "a file, or \"\" for none",
        reloads: true,
        get: |config| file(config.dtls.server_key_password_file.as_deref()),
        set: |config, given| {
            given
                .file()
                .map(|value| config.dtls.server_key_password_file = value)
        },
    },
    Setting {
        section: "dtls",
        key: "trust_store",
        doc: "Certificates of authorities: a device with X.509 and no stored certificate is believed when one of them signed its certificate.",
        accepts: "a file in PEM, DER or PKCS#12, or \"\" for none",
        reloads: true,
        get: |config| file(config.dtls.trust_store.as_deref()),
        set: |config, given| given.file().map(|value| config.dtls.trust_store = value),
    },
    Setting {
        section: "dtls",
        key: "trust_store_password_file",
        doc: "File whose first line is the password of trust_store.",
        accepts: "a file, or \"\" for none",
        reloads: true,
        get: |config| file(config.dtls.trust_store_password_file.as_deref()),
        set: |config, given| {
            given
                .file()
                .map(|value| config.dtls.trust_store_password_file = value)
        },
    },
    Setting {
        section: "dtls",
        key: "check_certificate_dates",
        doc: "Whether certificates of devices must be valid at the time.",
        accepts: "true or false",
        reloads: true,
        get: |config| config.dtls.check_certificate_dates.to_string(),
        set: |config, given| {
            given
                .boolean()
                .map(|value| config.dtls.check_certificate_dates = value)
        },
    },
    Setting {
        section: "dtls",
        key: "cid_length",
        doc: "Length of the server's connection identifiers in bytes (RFC 9146). 0 uses those of devices, and none of its own.",
        accepts: "0 to 16",
        reloads: false,
        get: |config| config.dtls.cid_length.to_string(),
        set: |config, given| {
            given
                .integer(0..=16)
                .map(|value| config.dtls.cid_length = value)
        },
    },
    Setting {
        section: "dtls",
        key: "max_handshakes",
        doc: "Handshakes in flight per shard, about 80 KB each while they last. Further ones are dropped.",
        accepts: "1 to 100000",
        reloads: false,
        get: |config| config.dtls.max_handshakes.to_string(),
        set: |config, given| {
            given
                .integer(1..=100_000)
                .map(|value| config.dtls.max_handshakes = value)
        },
    },
    Setting {
        section: "dtls",
        key: "max_sessions_without_etm",
        doc: "Sessions per shard of devices that have CBC suites alone, without encrypt-then-MAC, about 65 KB each. Further ones are refused.",
        accepts: "0 to 100000",
        reloads: false,
        get: |config| config.dtls.max_sessions_without_etm.to_string(),
        set: |config, given| {
            given
                .integer(0..=100_000)
                .map(|value| config.dtls.max_sessions_without_etm = value)
        },
    },
    Setting {
        section: "dtls",
        key: "session_ids",
        doc: "Sessions with pre-shared keys that devices without session tickets can resume by id, about 1 KB each; of the other modes a fifth as many, 5 to 7 KB each. Devices that offer encrypt-then-MAC have as many of their own.",
        accepts: "0 to 65535",
        reloads: false,
        get: |config| config.dtls.session_ids.to_string(),
        set: |config, given| {
            given
                .integer(0..=65_535)
                .map(|value| config.dtls.session_ids = value)
        },
    },
    Setting {
        section: "dtls",
        key: "handshake_timeout",
        doc: "Longest handshake in milliseconds.",
        accepts: "1000 to 300000",
        reloads: false,
        get: |config| config.dtls.handshake_timeout.to_string(),
        set: |config, given| {
            given
                .integer(1_000..=300_000)
                .map(|value| config.dtls.handshake_timeout = value)
        },
    },
    Setting {
        section: "packages",
        key: "max_bytes",
        doc: "Largest firmware or software image in bytes. One that devices are being sent is held in memory, once.",
        accepts: "1 to 4294967295",
        reloads: false,
        get: |config| config.packages.max_bytes.to_string(),
        set: |config, given| {
            given
                .integer(1..=u32::MAX as usize)
                .map(|value| config.packages.max_bytes = value as u64)
        },
    },
    Setting {
        section: "api",
        key: "max_body",
        doc: "Largest request body, and largest line of an import, in bytes.",
        accepts: "1024 to 16777216",
        reloads: false,
        get: |config| config.api.max_body.to_string(),
        set: |config, given| {
            given
                .integer(1_024..=16 << 20)
                .map(|value| config.api.max_body = value)
        },
    },
    Setting {
        section: "api",
        key: "max_event_streams",
        doc: "Event streams that may be open at once.",
        accepts: "1 to 900",
        reloads: false,
        get: |config| config.api.max_event_streams.to_string(),
        set: |config, given| {
            given
                .integer(1..=900)
                .map(|value| config.api.max_event_streams = value)
        },
    },
    Setting {
        section: "log",
        key: "level",
        doc: "What is logged: a level, optionally followed by levels of parts.",
        accepts: "error, warn, info, debug, trace or off, such as \"info,rookery::store=debug\"",
        reloads: true,
        get: |config| quoted(&config.log.level),
        set: |config, given| {
            given
                .text()
                .filter(|level| !level.is_empty() && EnvFilter::builder().parse(level).is_ok())
                .map(|level| config.log.level = level.to_owned())
        },
    },
    Setting {
        section: "log",
        key: "format",
        doc: "Shape of a log line, on standard error.",
        accepts: "\"text\" or \"json\"",
        reloads: false,
        get: |config| quoted(config.log.format.name()),
        set: |config, given| {
            let formats = [LogFormat::Text, LogFormat::Json];
            let name = given.text()?;
            let format = formats.into_iter().find(|format| format.name() == name)?;
            config.log.format = format;
            Some(())
        },
    },
];

fn address(address: Option<SocketAddr>) -> String {
    quoted(
        &address
            .map(|address| address.to_string())
            .unwrap_or_default(),
    )
}

fn file(path: Option<&Path>) -> String {
    quoted(&path.unwrap_or(Path::new("")).to_string_lossy())
}

/// `text` as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
