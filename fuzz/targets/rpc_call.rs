#![no_main]

#[path = "../properties/rpc_call.rs"]
mod rpc_call;

libfuzzer_sys::fuzz_target!(|data: &[u8]| rpc_call::check(data));
