//! Content formats a simulated device answers in.

use super::resources::Value;
use super::target::Target;

pub(super) const TEXT: u16 = 0;
pub(super) const LINK_FORMAT: u16 = 40;
pub(super) const SENML_JSON: u16 = 110;
pub(super) const SENML_CBOR: u16 = 112;
pub(super) const TLV: u16 = 11_542;

/// Encodes what was read at `target`. `None` when the format cannot hold it or is not spoken.
pub(super) fn encode(format: u16, target: Target, values: &[(Target, Value)]) -> Option<Vec<u8>> {
    match format {
        TEXT => text(target, values),
        TLV => Some(tlv(target, values)),
        SENML_JSON => Some(senml_json(values)),
        SENML_CBOR => Some(senml_cbor(values)),
        _ => None,
    }
}

/// The link format of Discover (RFC 6690): paths only.
pub(super) fn links(target: Target, values: &[(Target, Value)]) -> Vec<u8> {
    let first = (target.resource_id().is_none()).then(|| format!("<{target}>"));
    let links = first
        .into_iter()
        .chain(values.iter().map(|(path, _)| format!("<{path}>")));
    links.collect::<Vec<_>>().join(",").into_bytes()
}

fn text(target: Target, values: &[(Target, Value)]) -> Option<Vec<u8>> {
    target.resource_id()?;
    match values {
        [(_, Value::Integer(n))] => Some(n.to_string().into_bytes()),
        [(_, Value::Boolean(b))] => Some(vec![b'0' + u8::from(*b)]),
        [(_, Value::Text(text))] => Some(text.clone().into_bytes()),
        _ => None,
    }
}

/// OMA TLV (LwM2M 1.1 core §7.4.3). A Read of an object holds its instances, else resources only.
fn tlv(target: Target, values: &[(Target, Value)]) -> Vec<u8> {
    let mut resources = Vec::new();
    for (path, value) in values {
        let id = path.resource_id().unwrap_or_default();
        match value {
            Value::Integers(instances) => {
                let mut inner = Vec::new();
                instances
                    .iter()
                    .for_each(|&(id, n)| push_tlv(&mut inner, 0b01, id, &integer(n)));
                push_tlv(&mut resources, 0b10, id, &inner);
            }
            Value::Integer(n) => push_tlv(&mut resources, 0b11, id, &integer(*n)),
            Value::Boolean(b) => push_tlv(&mut resources, 0b11, id, &[u8::from(*b)]),
            Value::Text(text) => push_tlv(&mut resources, 0b11, id, text.as_bytes()),
        }
    }
    if target.instance().is_some() {
        return resources;
    }
    let mut instance = Vec::new();
    push_tlv(&mut instance, 0b00, 0, &resources);
    instance
}

fn push_tlv(to: &mut Vec<u8>, kind: u8, id: u16, value: &[u8]) {
    let wide_id = u8::from(id > 0xFF) << 5;
    let length = value.len() as u32;
    let length_type = match length {
        0..8 => length as u8,
        8..0x100 => 1 << 3,
        0x100..0x1_0000 => 2 << 3,
        _ => 3 << 3,
    };
    to.push(kind << 6 | wide_id | length_type);
    to.extend_from_slice(&id.to_be_bytes()[usize::from(wide_id == 0)..]);
    let length_bytes = usize::from(length_type >> 3 & 0b11);
    to.extend_from_slice(&length.to_be_bytes()[4 - length_bytes..]);
    to.extend_from_slice(value);
}

/// In 1, 2, 4 or 8 bytes.
fn integer(n: i64) -> Vec<u8> {
    if let Ok(n) = i8::try_from(n) {
        n.to_be_bytes().into()
    } else if let Ok(n) = i16::try_from(n) {
        n.to_be_bytes().into()
    } else if let Ok(n) = i32::try_from(n) {
        n.to_be_bytes().into()
    } else {
        n.to_be_bytes().into()
    }
}

/// SenML JSON (RFC 8428 §5), each record with its whole path.
fn senml_json(values: &[(Target, Value)]) -> Vec<u8> {
    let records = flatten(values)
        .into_iter()
        .map(|(path, value)| match value {
            Flat::Integer(n) => serde_json::json!({ "n": path, "v": n }),
            Flat::Boolean(b) => serde_json::json!({ "n": path, "vb": b }),
            Flat::Text(text) => serde_json::json!({ "n": path, "vs": text }),
        });
    serde_json::Value::Array(records.collect())
        .to_string()
        .into_bytes()
}

/// SenML CBOR (RFC 8428 §6): name is label 0, value 2, string 3, boolean 4.
fn senml_cbor(values: &[(Target, Value)]) -> Vec<u8> {
    let records = flatten(values);
    let mut to = Vec::with_capacity(16 * records.len());
    cbor_head(&mut to, 4, records.len() as u64);
    for (path, value) in records {
        cbor_head(&mut to, 5, 2);
        cbor_head(&mut to, 0, 0);
        cbor_text(&mut to, &path);
        match value {
            Flat::Integer(n) => {
                cbor_head(&mut to, 0, 2);
                if n >= 0 {
                    cbor_head(&mut to, 0, n as u64)
                } else {
                    cbor_head(&mut to, 1, !n as u64)
                }
            }
            Flat::Boolean(b) => {
                cbor_head(&mut to, 0, 4);
                to.push(0xF4 + u8::from(b));
            }
            Flat::Text(text) => {
                cbor_head(&mut to, 0, 3);
                cbor_text(&mut to, text);
            }
        }
    }
    to
}

fn cbor_text(to: &mut Vec<u8>, text: &str) {
    cbor_head(to, 3, text.len() as u64);
    to.extend_from_slice(text.as_bytes());
}

/// Major type and argument (RFC 8949 §3).
fn cbor_head(to: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..24 => to.push(major | argument as u8),
        24..0x100 => to.extend_from_slice(&[major | 24, argument as u8]),
        0x100..0x1_0000 => {
            to.push(major | 25);
            to.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            to.push(major | 26);
            to.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            to.push(major | 27);
            to.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

enum Flat<'a> {
    Integer(i64),
    Boolean(bool),
    Text(&'a str),
}

/// One record for each resource instance.
fn flatten(values: &[(Target, Value)]) -> Vec<(String, Flat<'_>)> {
    let mut records = Vec::with_capacity(values.len());
    for (path, value) in values {
        match value {
            Value::Integer(n) => records.push((path.to_string(), Flat::Integer(*n))),
            Value::Boolean(b) => records.push((path.to_string(), Flat::Boolean(*b))),
            Value::Text(text) => records.push((path.to_string(), Flat::Text(text))),
            Value::Integers(instances) => {
                records.extend(
                    instances
                        .iter()
                        .map(|(id, n)| (format!("{path}/{id}"), Flat::Integer(*n))),
                );
            }
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::resources::{Identity, read};

    const IDENTITY: Identity<'static> = Identity {
        endpoint: "sim-0000042",
        number: 42,
        lifetime: 300,
    };

    fn encoded(format: u16, target: Target) -> Option<Vec<u8>> {
        encode(format, target, &read(target, &IDENTITY, 0))
    }

    #[test]
    fn a_single_resource_in_each_format() {
        let battery = Target::resource(3, 0, 9);
        assert_eq!(encoded(TEXT, battery).unwrap(), b"42");
        assert_eq!(encoded(TLV, battery).unwrap(), [0xC1, 9, 42]);
        assert_eq!(
            encoded(SENML_JSON, battery).unwrap(),
            br#"[{"n":"/3/0/9","v":42}]"#
        );
        assert_eq!(
            encoded(SENML_CBOR, battery).unwrap(),
            b"\x81\xa2\x00\x66/3/0/9\x02\x18\x2a"
        );
        assert_eq!(encoded(60, battery), None);
    }

    #[test]
    fn longer_strings_in_tlv_have_a_length_byte() {
        let model = Target::resource(3, 0, 1);
        assert_eq!(
            encoded(TLV, model).unwrap(),
            b"\xc8\x01\x10Simulated device"
        );
    }

    #[test]
    fn an_object_in_tlv_holds_its_instance_and_a_multiple_resource_its_instances() {
        let object = Target::from_segments(std::iter::once(&b"3"[..])).unwrap();
        let bytes = encoded(TLV, object).unwrap();
        assert_eq!(bytes[..3], [0x08, 0, bytes.len() as u8 - 3]);
        assert!(
            bytes.windows(5).any(|part| part == [0x83, 11, 0x41, 0, 0]),
            "{bytes:02x?}"
        );
    }

    #[test]
    fn text_holds_no_object_and_no_multiple_resource() {
        let instance = Target::from_segments([&b"3"[..], b"0"].into_iter()).unwrap();
        assert_eq!(encoded(TEXT, instance), None);
        assert_eq!(encoded(TEXT, Target::resource(3, 0, 11)), None);
    }

    #[test]
    fn integers_take_the_shortest_of_the_four_lengths() {
        for (n, length) in [(0, 1), (-128, 1), (128, 2), (-32_769, 4), (1 << 40, 8)] {
            assert_eq!(integer(n).len(), length, "{n}");
        }
    }
}
