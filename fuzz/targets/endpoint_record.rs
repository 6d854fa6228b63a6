#![no_main]

#[path = "../properties/endpoint_record.rs"]
mod endpoint_record;

libfuzzer_sys::fuzz_target!(|data: &[u8]| endpoint_record::check(data));
