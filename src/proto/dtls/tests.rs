//! The layer against a client made of OpenSSL, on memory.

mod bad_input;
mod client;
mod connection_ids;
mod credentials;
mod kept;
mod known_answers;
mod loss;
mod persistence;
mod properties;
mod suites;
mod traps;
mod world;
