//! Payloads of devices, in every content format.

use rookery::proto::lwm2m::codec::{EncodeError, EncodeOptions, decode, encode};
use rookery::proto::lwm2m::{Path, Record, ResourceType, ResourceTypes, Value};

/// The first byte of `input` chooses format and path, the rest is the payload: it is decoded or
/// refused, every record lies at or below the path asked for, memory is bounded by the payload, and
/// what was decoded survives being encoded.
pub fn check(input: &[u8]) {
    let [selector, payload @ ..] = input else {
        return;
    };
    let format = FORMATS[usize::from(*selector) % FORMATS.len()];
    let base = BASES[usize::from(*selector) / FORMATS.len() % BASES.len()];
    let mut records = Vec::new();
    let result = decode(format, &base, payload, &Types, NOW, &mut |record| {
        assert!(record.path.starts_with(&base));
        records.push(record);
    });
    let held: usize = records.iter().map(owned).sum();
    assert!(held <= payload.len());
    assert!(records.len() <= payload.len() / 2 + 1);
    match result {
        Ok(()) => assert_survives_encoding(&base, &records),
        Err(error) => {
            assert!(!error.discriminant().is_empty());
            assert!(error.to_string().len() < 400);
        }
    }
}

/// SenML CBOR carries everything but times that would be read as relative to now.
fn assert_survives_encoding(base: &Path, records: &[Record]) {
    let mut payload = Vec::new();
    match encode(112, base, records, EncodeOptions::DEFAULT, &mut payload) {
        Ok(()) => {}
        Err(EncodeError::TimeOutOfRange { .. }) => return,
        Err(error) => panic!("{error}"),
    }
    let mut back = Vec::new();
    decode(112, base, &payload, &Types, NOW, &mut |record| {
        back.push(record)
    })
    .expect("what was encoded is decoded");
    // As text, so that NaN equals itself.
    assert_eq!(format!("{back:?}"), format!("{records:?}"));
}

fn owned(record: &Record) -> usize {
    match &record.value {
        Some(Value::String(text) | Value::Corelnk(text)) => text.len(),
        Some(Value::Opaque(bytes)) => bytes.len(),
        _ => 0,
    }
}

const FORMATS: [u16; 10] = [0, 42, 60, 110, 112, 320, 322, 11542, 11543, 11544];

const NOW: i64 = 1_795_453_600_000;

const BASES: [Path; 5] = [
    Path::ROOT,
    Path::object(3),
    Path::instance(3, 0),
    Path::resource(3, 0, 9),
    Path::resource_instance(3, 0, 7, 1),
];

/// A type for most Resources, chosen by the id.
struct Types;

impl ResourceTypes for Types {
    fn resource_type(&self, _: u16, resource: u16) -> Option<(ResourceType, bool)> {
        let types = [
            ResourceType::String,
            ResourceType::Integer,
            ResourceType::UnsignedInteger,
            ResourceType::Float,
            ResourceType::Boolean,
            ResourceType::Opaque,
            ResourceType::Time,
            ResourceType::Objlnk,
            ResourceType::Corelnk,
        ];
        types
            .get(usize::from(resource % 11))
            .map(|resource_type| (*resource_type, false))
    }
}
