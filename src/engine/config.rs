//! How the engine is set up.

use std::net::SocketAddr;

use crate::proto::coap::exchange::TransmissionParams;
pub use crate::proto::dtls::Limits;

/// Settings of the engine. Durations are in seconds, sizes in bytes.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where plain CoAP is served; `None` where it is not.
    pub coap: Option<SocketAddr>,
    /// Where CoAP over DTLS is served; `None` where it is not.
    pub coaps: Option<SocketAddr>,
    /// Where bootstrap over plain CoAP is served; `None` where it is not.
    pub bootstrap_coap: Option<SocketAddr>,
    /// Where bootstrap over DTLS is served; `None` where it is not.
    pub bootstrap_coaps: Option<SocketAddr>,
    /// Where devices of `coap` fetch packages, such as `coap://lwm2m.example.org:5685`; `None` for the
    /// address they write to.
    pub public_coap: Option<Box<str>>,
    /// The same for devices of `coaps`.
    pub public_coaps: Option<Box<str>>,
    /// How DTLS is served.
    pub dtls: DtlsSettings,
    /// Shards, one thread each, at most 255; 0 for one per core.
    pub shards: usize,
    /// Whether each shard's thread is bound to a core.
    pub pin: bool,
    /// Whether devices that nobody provisioned may register.
    pub allow_unknown: bool,
    /// Endpoints held at most, registered or not. A Register beyond it is refused with 5.03.
    pub max_endpoints: usize,
    /// How long an unprovisioned device is remembered after its registration ended.
    pub forget_after: u32,
    /// Largest body taken from a device by block-wise transfer.
    pub max_body: usize,
    /// Bodies put together at the same time, per shard; the one idle longest gives way.
    pub max_bodies: usize,
    /// Bytes of all bodies a shard puts together.
    pub max_bodies_bytes: usize,
    /// New devices that one address and port may register per second, after a burst of four times as
    /// many.
    pub newcomers_per_second: u32,
    /// Devices per second that are asked something because their profile has changed.
    pub profile_changes_per_second: u32,
    /// Devices, registered or provisioned, up to which the transport log is kept of those whose
    /// profile does not say.
    pub logged_devices: usize,
    /// Receive buffer of each socket.
    pub recv_buffer: usize,
    /// Send buffer of each socket.
    pub send_buffer: usize,
    /// CoAP transmission parameters.
    pub transmission: TransmissionParams,
}

/// How long a session may be silent: 30 days. A device that sleeps for longer makes a new one.
const SESSION_IDLE_MILLIS: u64 = 30 * 86_400_000;

/// Settings of DTLS, the same for all shards.
#[derive(Clone, Debug)]
pub struct DtlsSettings {
    /// Length of connection identifiers, 0 to 16 bytes; `None` for none (RFC 9146).
    pub cid_length: Option<u8>,
    /// This server among those that share an address.
    pub node: u8,
    /// Bounds of each shard.
    pub limits: Limits,
}

impl Default for DtlsSettings {
    fn default() -> Self {
        Self {
            cid_length: Some(8),
            node: 0,
            limits: Limits {
                session_idle_ms: SESSION_IDLE_MILLIS,
                ..Limits::default()
            },
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            coap: Some(SocketAddr::from(([0, 0, 0, 0], 5685))),
            coaps: None,
            bootstrap_coap: None,
            bootstrap_coaps: None,
            public_coap: None,
            public_coaps: None,
            dtls: DtlsSettings::default(),
            shards: 0,
            pin: true,
            allow_unknown: false,
            max_endpoints: 4_000_000,
            forget_after: 86_400,
            max_body: 65_536,
            max_bodies: 1_024,
            max_bodies_bytes: 8 << 20,
            newcomers_per_second: 4_096,
            profile_changes_per_second: 2_000,
            logged_devices: 1_000,
            recv_buffer: 4 << 20,
            send_buffer: 4 << 20,
            transmission: TransmissionParams::default(),
        }
    }
}

impl EngineConfig {
    /// The number of shards in force.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let shards = if self.shards == 0 {
            cores()
        } else {
            self.shards
        };
        shards.clamp(1, MAX_SHARDS)
    }
}

/// Shards at most: their index is one byte of a token.
pub const MAX_SHARDS: usize = 255;
