//! What a device is told, and how the objects Security (0) and Server (1) say it (LwM2M Core,
//! appendix E.1 and E.2).

use std::fmt;

use zeroize::Zeroizing;

use crate::proto::lwm2m::{Path, Record, Value, Version};

/// Object id of LwM2M Security.
pub const SECURITY: u16 = 0;

/// Object id of LwM2M Server.
pub const SERVER: u16 = 1;

/// Object id of OSCORE.
pub const OSCORE: u16 = 21;

/// Everything one device is told.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// LwM2M servers, each with a Short Server ID of its own.
    pub servers: Vec<Server>,
    /// The bootstrap server's own account; `None` leaves the one that the device has.
    pub bootstrap: Option<Account>,
    /// Instances of other objects, such as Access Control (2) and OSCORE (21).
    pub objects: Vec<ObjectInstance>,
    /// Objects that are emptied before anything is written.
    pub cleared: Vec<u16>,
}

/// How a device reaches a server and how both prove who they are.
#[derive(Clone, Default)]
pub struct Account {
    /// `coap://host:port` or `coaps://host:port`.
    pub uri: Box<str>,
    /// Security mode.
    pub mode: AccountMode,
    /// PSK identity, SubjectPublicKeyInfo or certificate of the device.
    pub identity: Box<[u8]>,
    /// Pre-shared key, or private key in PKCS#8.
    pub secret: Zeroizing<Vec<u8>>,
    /// SubjectPublicKeyInfo or certificate of the server.
    pub server_key: Box<[u8]>,
    /// Instance of the object OSCORE (21) that holds the security context.
    pub oscore: Option<u16>,
    /// Seconds a device waits before it bootstraps of its own accord.
    pub hold_off: u32,
    /// Seconds after which a device drops the account of the bootstrap server; 0 for never.
    pub account_timeout: u32,
}

/// Without keys.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({}, {:?})", self.uri, self.mode)
    }
}

/// Values of the Resource Security Mode (0/x/2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AccountMode {
    /// Pre-shared key.
    Psk = 0,
    /// Raw public key.
    Rpk = 1,
    /// Certificate.
    X509 = 2,
    /// No security.
    #[default]
    NoSec = 3,
}

/// An LwM2M server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// How it is reached.
    pub account: Account,
    /// Its Short Server ID, 1 to 65534.
    pub short_id: u16,
    /// Lifetime of the registration in seconds.
    pub lifetime: u32,
    /// Default Minimum Period in seconds.
    pub min_period: u32,
    /// Whether notifications are stored while the server cannot be reached.
    pub stores_notifications: bool,
    /// Binding, such as `U` or `UQ`.
    pub binding: Box<str>,
}

/// One further Object Instance.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectInstance {
    /// Object and instance.
    pub path: Path,
    /// Its values, below that.
    pub records: Vec<Record>,
}

impl Account {
    /// The Security instance; `short_id` is that of an LwM2M server.
    #[must_use]
    pub fn records(&self, instance: u16, short_id: Option<u16>) -> Vec<Record> {
        let opaque = |bytes: &[u8]| Value::Opaque(bytes.into());
        let mut values = vec![
            (0, Value::String(self.uri.clone())),
            (1, Value::Boolean(short_id.is_none())),
            (2, Value::Integer(self.mode as i64)),
            (3, opaque(&self.identity)),
            (4, opaque(&self.server_key)),
            (5, opaque(&self.secret)),
        ];
        values.extend(short_id.map(|id| (10, Value::Integer(id.into()))));
        values.push((11, Value::Integer(self.hold_off.into())));
        values.push((12, Value::Integer(self.account_timeout.into())));
        let context = self.oscore.map(|instance| Value::Objlnk(OSCORE, instance));
        values.extend(context.map(|context| (17, context)));
        records(SECURITY, instance, values)
    }
}

impl Server {
    /// The Server instance for a device of this LwM2M version, as far as it is known.
    #[must_use]
    pub fn records(&self, instance: u16, version: Option<Version>) -> Vec<Record> {
        let values = vec![
            (0, Value::Integer(self.short_id.into())),
            (1, Value::Integer(self.lifetime.into())),
            (2, Value::Integer(self.min_period.into())),
            (6, Value::Boolean(self.stores_notifications)),
            (7, Value::String(self.binding_for(version))),
        ];
        records(SERVER, instance, values)
    }

    /// From LwM2M 1.1 on queue mode is the device's own affair, and `UQ` is no binding
    /// (LwM2M Core 1.1 §6.2.1.2).
    fn binding_for(&self, version: Option<Version>) -> Box<str> {
        if version.is_none_or(|version| version < Version::new(1, 1)) {
            return self.binding.clone();
        }
        let kept: String = self.binding.chars().filter(|c| *c != 'Q').collect();
        if kept.is_empty() {
            "U".into()
        } else {
            kept.into()
        }
    }
}

fn records(object: u16, instance: u16, values: Vec<(u16, Value)>) -> Vec<Record> {
    let record = |(resource, value)| Record {
        path: Path::resource(object, instance, resource),
        time: None,
        value: Some(value),
    };
    values.into_iter().map(record).collect()
}
