//! CBOR items in their shortest form (RFC 8949 §4.1), floats no shorter than 32 bits.

use super::FloatWidth;
use super::text::write_objlnk;
use crate::proto::lwm2m::Value;

pub(super) const MAP: u8 = 5;
pub(super) const ARRAY: u8 = 4;
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;

/// Tag 1 as an initial byte: the number behind it is a time in seconds since 1970.
pub(super) const EPOCH_TIME_TAG: u8 = 0xc1;

/// A value in the type LwM2M gives it in CBOR: an object link is text.
pub(super) fn value(value: &Value, floats: FloatWidth, out: &mut Vec<u8>) {
    match value {
        Value::String(text) | Value::Corelnk(text) => self::text(text, out),
        Value::Integer(integer) | Value::Time(integer) => self::integer(*integer, out),
        Value::Unsigned(integer) => head(UNSIGNED, *integer, out),
        Value::Float(number) => float(*number, floats, out),
        Value::Boolean(boolean) => self::boolean(*boolean, out),
        Value::Opaque(content) => bytes(content, out),
        Value::Objlnk(object, instance) => object_link(*object, *instance, out),
    }
}

/// The initial byte of an item and its argument: a number, a length or a count.
pub(super) fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    // Each arm checks that the argument fits the width it is cut to.
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

pub(super) fn integer(integer: i64, out: &mut Vec<u8>) {
    match u64::try_from(integer) {
        Ok(argument) => head(UNSIGNED, argument, out),
        // -1 - n, which is the complement of n's bits.
        Err(_) => head(NEGATIVE, !integer as u64, out),
    }
}

pub(super) fn float(number: f64, width: FloatWidth, out: &mut Vec<u8>) {
    match single(number) {
        Some(single) if width == FloatWidth::Shortest => {
            out.push(0xfa);
            out.extend_from_slice(&single.to_be_bytes());
        }
        _ => {
            out.push(0xfb);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// The number in 32 bits when that loses nothing; NaN counts as one value.
pub(super) fn single(number: f64) -> Option<f32> {
    let single = number as f32;
    (f64::from(single) == number || number.is_nan()).then_some(single)
}

pub(super) fn boolean(boolean: bool, out: &mut Vec<u8>) {
    out.push(0xf4 | u8::from(boolean));
}

pub(super) fn null(out: &mut Vec<u8>) {
    out.push(0xf6);
}

pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    head(TEXT, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    head(BYTES, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// `object:instance` as text of at most 11 bytes, so that its head is one byte.
pub(super) fn object_link(object: u16, instance: u16, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(TEXT << 5);
    write_objlnk(object, instance, out);
    out[start] |= (out.len() - start - 1) as u8;
}
