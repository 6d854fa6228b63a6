#![no_main]

#[path = "../properties/object_model.rs"]
mod object_model;

libfuzzer_sys::fuzz_target!(|data: &[u8]| object_model::check(data));
