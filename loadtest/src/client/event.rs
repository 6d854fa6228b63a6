//! What a device tells of its doings, and what it counts.

use std::collections::BTreeMap;
use std::fmt;

use coap_lite::{MessageClass, RequestType, ResponseType};

use super::request::Kind;
use crate::dtls::ConnectionEvent;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server took the Register; the location it gave.
    Registered(String),
    /// It refused one of the device's own requests, or did not answer (`None`).
    Failed(Own, Option<ResponseType>),
    Updated,
    Deregistered,
    /// A Send was taken.
    Sent,
    /// The server asked something.
    Asked {
        method: RequestType,
        path: String,
        payload: Vec<u8>,
    },
    /// And was answered.
    Answered {
        code: ResponseType,
        payload: Vec<u8>,
    },
    /// An observation was notified.
    Notified {
        paths: String,
        sequence: u32,
    },
    /// An observation ended.
    Cancelled {
        paths: String,
    },
    /// A datagram in queue mode came while the device slept.
    Slept,
    /// The bootstrap server has said all, and the device takes it; the servers of its accounts.
    Bootstrapped(Vec<String>),
    /// A server that the device was told cannot be reached, and why.
    Lost(String),
    /// Something happened to the DTLS session.
    Session(ConnectionEvent),
    /// A package was not stored, or not fetched.
    Package(String),
}

/// The device's own requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Own {
    Register,
    Update,
    Deregister,
    Send,
    Bootstrap,
}

/// Counters of a device since it was started.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Requests that were carried out, by kind; repeated messages count once.
    pub requests: BTreeMap<Kind, u64>,
    /// The last request of each kind, as it came (blocks put together: the last block).
    pub last_request: BTreeMap<Kind, Vec<u8>>,
    /// Answers that were errors.
    pub refused: u64,
    /// Registers, Updates, De-registers and Sends that the server took.
    pub registered: u64,
    pub updated: u64,
    pub deregistered: u64,
    pub sent: u64,
    /// Bootstraps that were finished.
    pub bootstrapped: u64,
    /// Own requests that were refused or not answered.
    pub failed: u64,
    pub notifications: u64,
    /// Messages that came again and got the same answer.
    pub repeated: u64,
    /// Datagrams lost to [`Fault`](super::Fault) or to sleep.
    pub dropped: u64,
    /// Datagrams that were no CoAP, or no answer to anything.
    pub not_understood: u64,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(location) => write!(f, "registered at {location}"),
            Self::Failed(own, Some(code)) => write!(f, "{own:?} was refused: {}", dotted(*code)),
            Self::Failed(own, None) => write!(f, "{own:?} was not answered"),
            Self::Updated => f.write_str("registration updated"),
            Self::Deregistered => f.write_str("de-registered"),
            Self::Sent => f.write_str("Send was taken"),
            Self::Asked {
                method,
                path,
                payload,
            } => {
                write!(f, "{method:?} {path} {}", readable(payload))
            }
            Self::Answered { code, payload } => {
                write!(f, "  answered {} {}", dotted(*code), readable(payload))
            }
            Self::Notified { paths, sequence } => {
                write!(f, "notified {paths} (Observe {sequence})")
            }
            Self::Cancelled { paths } => write!(f, "observation of {paths} ended"),
            Self::Package(text) => write!(f, "package: {text}"),
            Self::Bootstrapped(servers) => {
                write!(f, "bootstrapped: belongs to {}", servers.join(", "))
            }
            Self::Lost(reason) => write!(f, "the next server cannot be reached: {reason}"),
            Self::Slept => f.write_str("asleep: a datagram was missed"),
            Self::Session(ConnectionEvent::Established {
                suite,
                resumed,
                connection_id,
            }) => {
                let how = if *resumed { "resumed" } else { "established" };
                write!(f, "session {how} with {suite}")?;
                match connection_id {
                    Some(length) => write!(f, ", connection id of {length} bytes"),
                    None => Ok(()),
                }
            }
            Self::Session(ConnectionEvent::Failed(reason)) => write!(f, "no session: {reason}"),
            Self::Session(ConnectionEvent::Closed(alert)) => {
                write!(f, "the server ended the session (alert {alert})")
            }
        }
    }
}

/// A response code as people write it: 2.05.
#[must_use]
pub fn dotted(code: ResponseType) -> String {
    let byte = u8::from(MessageClass::Response(code));
    format!("{}.{:02}", byte >> 5, byte & 0x1F)
}

/// Text as text, anything else as its length.
fn readable(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if text.chars().all(|c| !c.is_control()) => text.chars().take(200).collect(),
        _ => format!("({} bytes)", payload.len()),
    }
}
