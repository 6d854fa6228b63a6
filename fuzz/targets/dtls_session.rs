#![no_main]

#[path = "../properties/dtls_session.rs"]
mod dtls_session;

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtls_session::check(data));
