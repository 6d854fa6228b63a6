//! The whole program against what comes over the network besides good devices: spoofed, repeated and
//! malformed records, addresses that change, credentials and keys that change, and its own end.

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

mod bootstrap;
mod changes;
mod floods;
mod moves;
mod openssl_client;
mod peer;
mod records;
mod resumption;
mod without_etm;
