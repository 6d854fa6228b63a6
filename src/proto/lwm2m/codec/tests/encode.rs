//! Encoders: requests as they were sent to real clients, and what formats refuse.

mod notation;
mod refusals;
mod requests;
mod times;

use super::*;

fn record(path: &str, value: Value) -> Record {
    Record {
        path: path.parse().expect("a path"),
        time: None,
        value: Some(value),
    }
}

fn empty(path: &str) -> Record {
    Record {
        path: path.parse().expect("a path"),
        time: None,
        value: None,
    }
}

fn timed(path: &str, time: UnixMillis, value: Value) -> Record {
    Record {
        time: Some(time),
        ..record(path, value)
    }
}

fn encoded_with(options: EncodeOptions, format: u16, base: &str, records: &[Record]) -> Vec<u8> {
    let base = base.parse().expect("a path");
    let mut out = b"before".to_vec();
    encode(format, &base, records, options, &mut out).unwrap_or_else(|error| panic!("{error}"));
    out.split_off(6)
}

fn encoded(format: u16, base: &str, records: &[Record]) -> Vec<u8> {
    encoded_with(EncodeOptions::default(), format, base, records)
}

fn encoded_text(format: u16, base: &str, records: &[Record]) -> String {
    String::from_utf8(encoded(format, base, records)).expect("UTF-8")
}

fn encode_refusal(format: u16, base: &str, records: &[Record]) -> EncodeError {
    let base = base.parse().expect("a path");
    let mut out = b"before".to_vec();
    let error = encode(format, &base, records, EncodeOptions::default(), &mut out)
        .expect_err("the records should be refused");
    assert_eq!(out, b"before", "what was there before stays as it was");
    error
}

const DOUBLE: EncodeOptions = EncodeOptions {
    floats: FloatWidth::Double,
};
