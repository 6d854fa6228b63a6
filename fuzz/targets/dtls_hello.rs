#![no_main]

#[path = "../properties/dtls_hello.rs"]
mod dtls_hello;

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtls_hello::check(data));
