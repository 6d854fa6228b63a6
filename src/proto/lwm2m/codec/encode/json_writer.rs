//! JSON (RFC 8259) without white space.

use std::io::Write;

use super::error::NotFinite;

/// A string with its quotes.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        out.extend_from_slice(&rest[..at]);
        escape(rest[at], out);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// A floating-point number with the digits that bring back the same number, and with a fraction or
/// exponent, so that a reader without definitions sees its type.
pub(super) fn float(number: f64, out: &mut Vec<u8>) -> Result<(), NotFinite> {
    if !number.is_finite() {
        return Err(NotFinite);
    }
    display(format_args!("{number:?}"), out);
    Ok(())
}

/// Anything that needs no escape.
pub(super) fn display(text: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    out.write_fmt(text).expect("a Vec takes all bytes");
}

const fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        control => display(format_args!("\\u{control:04x}"), out),
    }
}
