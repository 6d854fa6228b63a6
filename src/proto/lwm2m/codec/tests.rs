//! Decoders and encoders on payloads of real clients (Anjay, Wakaama) and of the specifications.

mod cbor;
mod encode;
mod lwm2m_cbor;
mod oma_json;
mod properties;
mod round_trip;
mod senml;
mod single_value;
mod tlv;

use data_encoding::HEXLOWER_PERMISSIVE;

use super::*;
use crate::proto::lwm2m::{ResourceType, Value};

/// 2026-11-23T17:06:40Z, close to when the payloads were recorded.
const NOW: UnixMillis = 1_795_453_600_000;

/// The definitions of Device, of Server and of Anjay's test object, as far as the payloads need
/// them.
struct Definitions;

impl ResourceTypes for Definitions {
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        use ResourceType as Type;
        Some(match (object, resource) {
            (3, 0..=3 | 14..=19) => (Type::String, false),
            (3, 6 | 7 | 8 | 11) => (Type::Integer, true),
            (3, 9 | 10 | 20 | 21) => (Type::Integer, false),
            (3, 13) => (Type::Time, false),
            (3, 22) => (Type::Objlnk, true),
            (1, 0 | 1) | (2, 0 | 1 | 3) | (65, 2) => (Type::Integer, false),
            (2, 2) => (Type::Integer, true),
            (65, 0) => (Type::Objlnk, true),
            (65, 1) => (Type::String, false),
            (1, 6) => (Type::Boolean, false),
            (1, 7) => (Type::String, false),
            (3303, 5700) => (Type::Float, false),
            (33605, 0) => (Type::Time, false),
            (33605, 1 | 12) => (Type::Integer, false),
            (33605, 3) => (Type::Integer, true),
            (33605, 10) => (Type::Opaque, false),
            (33605, 13) => (Type::Boolean, false),
            (33605, 14 | 18) => (Type::Float, false),
            (33605, 15) => (Type::String, false),
            (33605, 16) => (Type::Objlnk, false),
            (33605, 17) => (Type::UnsignedInteger, false),
            (33605, 19) => (Type::Corelnk, false),
            _ => return None,
        })
    }
}

/// No definition at all.
struct Unknown;

impl ResourceTypes for Unknown {
    fn resource_type(&self, _: u16, _: u16) -> Option<(ResourceType, bool)> {
        None
    }
}

fn decode_with(
    types: &dyn ResourceTypes,
    format: u16,
    base: &str,
    payload: &[u8],
) -> Result<Vec<Record>, DecodeError> {
    let mut records = Vec::new();
    let base = base.parse().expect("a path");
    decode(format, &base, payload, types, NOW, &mut |record| {
        records.push(record)
    })?;
    Ok(records)
}

/// All records of a payload, with [`Definitions`].
fn records(format: u16, base: &str, payload: &[u8]) -> Vec<Record> {
    decode_with(&Definitions, format, base, payload).unwrap_or_else(|error| panic!("{error}"))
}

/// Path and value of all records of a payload, none of which has a time.
fn values(format: u16, base: &str, payload: &[u8]) -> Vec<(String, Value)> {
    let records = records(format, base, payload);
    records
        .into_iter()
        .map(|record| {
            assert_eq!(record.time, None);
            (record.path.to_string(), record.value.expect("a value"))
        })
        .collect()
}

/// The only value of a payload.
fn value(format: u16, base: &str, payload: &[u8]) -> Value {
    let mut values = values(format, base, payload);
    assert_eq!(values.len(), 1);
    values.remove(0).1
}

fn refusal(format: u16, base: &str, payload: &[u8]) -> DecodeError {
    decode_with(&Definitions, format, base, payload).expect_err("the payload should be refused")
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    HEXLOWER_PERMISSIVE
        .decode(&digits)
        .expect("hexadecimal digits")
}

fn string(text: &str) -> Value {
    Value::String(text.into())
}

fn opaque(bytes: &[u8]) -> Value {
    Value::Opaque(bytes.into())
}

/// What Anjay answers to a Read of `/3/0`; battery voltage and time differ between answers.
fn anjay_device(voltage: i64, time: i64) -> Vec<(String, Value)> {
    let values = [
        ("/3/0/0", string("anjay")),
        ("/3/0/1", string("demo-client")),
        ("/3/0/2", string("1.1")),
        ("/3/0/3", string("3.14.0")),
        ("/3/0/6/0", Value::Integer(0)),
        ("/3/0/7/0", Value::Integer(voltage)),
        ("/3/0/8/0", Value::Integer(11)),
        ("/3/0/9", Value::Integer(0)),
        ("/3/0/10", Value::Integer(0)),
        ("/3/0/11/0", Value::Integer(0)),
        ("/3/0/13", Value::Time(time)),
        ("/3/0/14", string("+01:00")),
        ("/3/0/15", string("Europe/Warsaw")),
        ("/3/0/16", string("UQ")),
        ("/3/0/17", string("")),
        ("/3/0/18", string("")),
        ("/3/0/19", string("")),
        ("/3/0/20", Value::Integer(0)),
        ("/3/0/21", Value::Integer(0)),
        ("/3/0/22/0", Value::Objlnk(33606, 0)),
    ];
    values.map(|(path, value)| (path.to_owned(), value)).into()
}

/// What Wakaama answers to a Read of `/3/0`.
fn wakaama_device(time: i64) -> Vec<(String, Value)> {
    let values = [
        ("/3/0/0", string("Open Mobile Alliance")),
        ("/3/0/1", string("Lightweight M2M Client")),
        ("/3/0/2", string("345000123")),
        ("/3/0/3", string("1.0")),
        ("/3/0/6/0", Value::Integer(1)),
        ("/3/0/6/1", Value::Integer(5)),
        ("/3/0/7/0", Value::Integer(3800)),
        ("/3/0/7/1", Value::Integer(5000)),
        ("/3/0/8/0", Value::Integer(125)),
        ("/3/0/8/1", Value::Integer(900)),
        ("/3/0/9", Value::Integer(100)),
        ("/3/0/10", Value::Integer(15)),
        ("/3/0/11/0", Value::Integer(0)),
        ("/3/0/13", Value::Time(time)),
        ("/3/0/14", string("+01:00")),
        ("/3/0/15", string("Europe/Berlin")),
        ("/3/0/16", string("U")),
    ];
    values.map(|(path, value)| (path.to_owned(), value)).into()
}

#[test]
fn an_unknown_format_is_refused_with_those_accepted() {
    let error = refusal(40, "/3/0", b"</3/0>");
    assert_eq!(
        error.to_string(),
        "content format 40 is not supported, expected 0, 42, 60, 110, 112, 320, 322, 11542, 11543 or 11544"
    );
    assert_eq!(error.discriminant(), "unsupported_format");
}

#[test]
fn the_numbers_from_before_registration_mean_the_same_formats() {
    assert_eq!(
        DataFormat::from_number(1542),
        DataFormat::from_number(11542)
    );
    assert_eq!(
        DataFormat::from_number(1543),
        DataFormat::from_number(11543)
    );
}

#[test]
fn a_single_value_needs_a_resource() {
    for format in [0, 42, 60] {
        assert_eq!(
            refusal(format, "/3/0", b"\x01"),
            DecodeError::NotAResource {
                format,
                base: Path::instance(3, 0)
            }
        );
    }
}
