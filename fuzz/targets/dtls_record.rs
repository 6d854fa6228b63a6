#![no_main]

#[path = "../properties/dtls_record.rs"]
mod dtls_record;

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtls_record::check(data));
