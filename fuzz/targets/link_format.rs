#![no_main]

#[path = "../properties/link_format.rs"]
mod link_format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| link_format::check(data));
