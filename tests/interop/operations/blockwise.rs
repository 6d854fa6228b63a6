//! Bodies that take many blocks, both ways (RFC 7959).

use std::fmt::Write;

use serde_json::json;

use super::super::client::Kind;
use super::{CBOR, NODE_FORMATS, OPAQUE, Session, TEXT, TLV};

const BYTES: usize = 20_000;
/// A result shows as many characters of an opaque value.
const SHOWN: usize = 1_024;

#[test]
fn large_opaque_values_of_leshan_are_written_and_read_in_every_format() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-blocks", &[]) else {
        return;
    };
    let formats = [TEXT, OPAQUE, CBOR].into_iter().chain(NODE_FORMATS);
    for (seed, format) in (1..).zip(formats) {
        let value = pattern(seed);
        let params = json!({"id": "/33000/0/5", "value": value, "contentFormat": format});
        session.change("WriteReplace", &params);
        let shown = session.read("/33000/0/5", format);
        let expected = format!(
            "LwM2mSingleResource id=5 value={} type=OPAQUE",
            &value[..SHOWN]
        );
        assert_eq!(shown, expected, "format {format}");
        let instance = session.read("/33000/0", TLV);
        let expected = format!("LwM2mSingleResource [id=5, value={BYTES}Bytes, type=OPAQUE]");
        assert!(instance.contains(&expected), "format {format}: {instance}");
    }
    session.assert_at_rest();
}

/// Bytes in which no block equals another, in hexadecimal digits.
fn pattern(seed: u32) -> String {
    let mut state = seed;
    (0..BYTES).fold(String::new(), |mut digits, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [byte, ..] = state.to_be_bytes();
        write!(digits, "{byte:02x}").expect("a String takes everything");
        digits
    })
}
