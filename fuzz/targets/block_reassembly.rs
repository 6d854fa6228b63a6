#![no_main]

#[path = "../properties/block_reassembly.rs"]
mod block_reassembly;

libfuzzer_sys::fuzz_target!(|data: &[u8]| block_reassembly::check(data));
