//! A whole simulated LwM2M device, for tests and for people: objects, every operation and format, observations, Send.
//!
//! [`Client`] runs one on a UDP socket of its own, in a thread of its own; [`Device`] is the same without input and
//! output. It shares no code with the server, nor, but for what bootstrap servers do to it, with the fleets of
//! `loadtest run`, which know a dozen resources and cost little.
//!
//! ```no_run
//! use std::time::Duration;
//! use loadtest::client::{Client, ClientOptions, Kind, formats};
//!
//! let options = ClientOptions::thingsboard("127.0.0.1:5685".parse()?, "device-1");
//! let client = Client::start(options)?;
//! assert!(client.wait_registered(Duration::from_secs(5)));
//! client.set("/3/0/9", 44);
//! client.send(&["/3/0/9"], formats::SENML_CBOR)?;
//! assert_eq!(client.requests(Kind::Read), 0);
//! client.stop(true);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
pub(crate) mod blocks;
pub(crate) mod bootstrap;

pub mod console;
mod device;
mod event;
mod exchange;
pub mod formats;
mod link;
mod local;
mod objects;
mod observe;
pub(crate) mod operations;
mod options;
mod path;
pub(crate) mod refusal;
mod register;
pub(crate) mod request;
mod respond;
mod runtime;
mod storage;
pub(crate) mod tree;
mod value;

pub use bootstrap::{Account, AccountError};
pub use device::{Device, Timer};
pub use event::{Counters, Event, Own, dotted};
pub use operations::parse_arguments;
pub use options::{
    BootstrapOptions, ClientOptions, ClientSecurity, Fault, Fixture, PackageMode, Version,
};
pub use path::{Path, PathError};
pub use register::{Registration, SendError};
pub use request::Kind;
pub use runtime::{Client, ClientError};
pub use storage::{Folder, PackageStorage};
pub use tree::{ModelError, ObjectModel, Record, ResourceModel, Tree, object_models};
pub use value::{Type, Value};
