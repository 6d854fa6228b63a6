//! What the product does with devices and their values.

pub mod attributes;
pub mod bootstrap;
pub mod campaigns;
pub mod credentials;
pub mod devices;
pub mod endpoint_locks;
pub mod engine;
pub mod events;
pub mod history;
pub mod models;
pub mod packages;
pub mod profiles;
pub mod provisioning;
pub mod rpc;
pub mod secured;
pub mod storage;
pub mod tokens;
pub mod updates;
