//! Between shards and services: what a device is to be told is asked for, what happens is told.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use crate::engine::view::SecurityMode;

use super::configuration::Configuration;
use super::session::End;

/// What waits for services at most. A device whose request finds it full is answered 5.03.
pub const QUEUE: usize = 4_096;

/// What a shard has to say.
#[derive(Debug)]
pub enum Told {
    /// A device wants its configuration; to be answered.
    Asked(Box<Asked>),
    /// Something happened in a session.
    Note {
        /// Endpoint client name.
        endpoint: Arc<str>,
        /// It went wrong.
        is_error: bool,
        /// In words.
        text: String,
    },
    /// A session is over.
    Ended {
        /// Which.
        ticket: Ticket,
        /// Endpoint client name.
        endpoint: Arc<str>,
        /// How.
        end: End,
    },
}

/// Names a session for all shards.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ticket {
    /// Its shard.
    pub shard: u8,
    /// Its number there.
    pub number: u32,
}

/// A request of a device.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What to answer with.
    pub ticket: Ticket,
    /// Endpoint client name: the one of its identity, or what plain CoAP claims.
    pub endpoint: Arc<str>,
    /// How it proved that.
    pub security: SecurityMode,
    /// From where it asks.
    pub address: SocketAddr,
    /// It wants everything in one answer.
    pub is_pack: bool,
    /// Parameters of the query that LwM2M does not define.
    pub additional: Vec<(Box<str>, Box<str>)>,
}

/// What services have to say to a shard.
#[derive(Debug)]
pub struct Directive {
    /// Number of the session.
    pub number: u32,
    /// What about it.
    pub what: Order,
}

/// What a session is to do.
#[derive(Debug)]
pub enum Order {
    /// Tell the device this.
    Configure(Arc<Configuration>),
    /// Refuse it.
    Refuse(Refusal),
    /// End: the device has begun another one.
    Supersede,
}

/// Why a device is told nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The request cannot be read.
    BadRequest,
    /// It is not who it says, or did not prove it the way it has to.
    Unauthorized,
    /// There is nothing to tell it.
    NoConfiguration,
    /// There is no room, or nobody answers.
    Busy,
}

impl Refusal {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 4] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::NoConfiguration,
        Self::Busy,
    ];

    /// Stable name, as in the `result` label.
    #[must_use]
    pub const fn discriminant(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::NoConfiguration => "no_configuration",
            Self::Busy => "busy",
        }
    }
}

/// The way from the shards to services.
#[derive(Debug, Default)]
pub struct Desk {
    told: OnceLock<mpsc::Sender<Told>>,
}

impl Desk {
    /// The other end; `None` when somebody has it already.
    pub fn open(&self) -> Option<mpsc::Receiver<Told>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.told.set(sender).ok().map(|()| receiver)
    }

    /// Tells services; `false` when too much waits there, or nobody listens.
    #[must_use]
    pub fn tell(&self, told: Told) -> bool {
        let desk = self.told.get();
        desk.is_some_and(|desk| desk.try_send(told).is_ok())
    }
}
