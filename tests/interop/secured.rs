//! Real clients over DTLS (docs/interop.md).

mod aiocoap;
mod leshan;
mod libcoap;
mod tools;
