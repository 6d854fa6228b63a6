//! Real clients over DTLS (docs/interop.md).

mod leshan;
mod libcoap;
mod tools;
