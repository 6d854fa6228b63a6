//! Latest values of one endpoint, packed into one allocation.
//!
//! A million devices with four values each would spend more on pointers than on values, so the
//! values lie one behind the other: a header of twelve bytes and the bytes of the value.

use crate::proto::lwm2m::Value;
use crate::proto::time::UnixMillis;

/// The latest value of each mapped resource of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct LatestValues {
    packed: Box<[u8]>,
}

/// mapping 2, type 1, time 6, length of the value 3
const HEADER: usize = 12;
/// Values longer than this are refused: 24 bits of length.
pub const MAX_VALUE_LEN: usize = 0xff_ffff;
const TIME_BYTES: usize = 6;

impl LatestValues {
    /// Keeps the value of `mapping` measured at `time` unless a later one is known.
    ///
    /// A known value from after `now` gives way to any other: a device whose clock ran ahead once
    /// must not block its later values. Returns `false` when the value is longer than
    /// [`MAX_VALUE_LEN`].
    pub fn put(&mut self, mapping: u16, time: UnixMillis, now: UnixMillis, value: &Value) -> bool {
        let mut scratch = [0; 8];
        let (tag, bytes) = encode(value, &mut scratch);
        if bytes.len() > MAX_VALUE_LEN {
            return false;
        }
        let found = self.find(mapping);
        if let Some((at, _)) = found {
            let known = time_of(&self.packed[at..]);
            if time < known && known <= now {
                return true;
            }
        }
        match found {
            Some((at, end)) if end - at == HEADER + bytes.len() => {
                let entry = &mut self.packed[at..end];
                write_header(entry, mapping, tag, time, bytes.len());
                entry[HEADER..].copy_from_slice(bytes);
            }
            found => {
                let (before, after) = found.unwrap_or((self.packed.len(), self.packed.len()));
                let size = self.packed.len() - (after - before) + HEADER + bytes.len();
                let mut packed = Vec::with_capacity(size);
                packed.extend_from_slice(&self.packed[..before]);
                packed.extend_from_slice(&self.packed[after..]);
                let at = packed.len();
                packed.resize(at + HEADER, 0);
                write_header(&mut packed[at..], mapping, tag, time, bytes.len());
                packed.extend_from_slice(bytes);
                self.packed = packed.into_boxed_slice();
            }
        }
        true
    }

    /// Reads something of the values.
    #[must_use]
    pub fn touch(&self) -> u64 {
        u64::from(self.packed.first().copied().unwrap_or_default())
    }

    /// All values: mapping, time, value.
    pub fn iter(&self) -> impl Iterator<Item = (u16, UnixMillis, Value)> + '_ {
        self.entries().filter_map(|(at, end)| {
            let entry = &self.packed[at..end];
            let value = decode(entry[2], &entry[HEADER..])?;
            Some((mapping_of(entry), time_of(entry), value))
        })
    }

    fn find(&self, mapping: u16) -> Option<(usize, usize)> {
        self.entries()
            .find(|&(at, _)| mapping_of(&self.packed[at..]) == mapping)
    }

    fn entries(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let entry = self.packed.get(at..at + HEADER)?;
            let len =
                usize::from(entry[9]) | usize::from(entry[10]) << 8 | usize::from(entry[11]) << 16;
            let start = at;
            at += HEADER + len;
            Some((start, at))
        })
    }
}

fn write_header(entry: &mut [u8], mapping: u16, tag: u8, time: UnixMillis, len: usize) {
    entry[..2].copy_from_slice(&mapping.to_le_bytes());
    entry[2] = tag;
    // 48 bits, signed: up to the year 6429 either way.
    entry[3..3 + TIME_BYTES].copy_from_slice(&time.to_le_bytes()[..TIME_BYTES]);
    entry[9..12].copy_from_slice(&(len as u32).to_le_bytes()[..3]);
}

fn mapping_of(entry: &[u8]) -> u16 {
    u16::from_le_bytes([entry[0], entry[1]])
}

fn time_of(entry: &[u8]) -> UnixMillis {
    let mut bytes = [0; 8];
    bytes[..TIME_BYTES].copy_from_slice(&entry[3..3 + TIME_BYTES]);
    (i64::from_le_bytes(bytes) << 16) >> 16
}

fn encode<'a>(value: &'a Value, scratch: &'a mut [u8; 8]) -> (u8, &'a [u8]) {
    let mut word = |bytes: [u8; 8]| {
        *scratch = bytes;
    };
    let tag = match value {
        Value::String(text) => return (0, text.as_bytes()),
        Value::Opaque(bytes) => return (1, bytes),
        Value::Corelnk(text) => return (2, text.as_bytes()),
        Value::Integer(n) => {
            word(n.to_le_bytes());
            3
        }
        Value::Unsigned(n) => {
            word(n.to_le_bytes());
            4
        }
        Value::Float(x) => {
            word(x.to_le_bytes());
            5
        }
        Value::Time(t) => {
            word(t.to_le_bytes());
            6
        }
        Value::Boolean(b) => {
            scratch[0] = u8::from(*b);
            return (7, &scratch[..1]);
        }
        Value::Objlnk(object, instance) => {
            scratch[..2].copy_from_slice(&object.to_le_bytes());
            scratch[2..4].copy_from_slice(&instance.to_le_bytes());
            return (8, &scratch[..4]);
        }
    };
    (tag, &scratch[..])
}

fn decode(tag: u8, bytes: &[u8]) -> Option<Value> {
    let word = || bytes.try_into().ok();
    let text = || std::str::from_utf8(bytes).ok().map(Box::from);
    Some(match tag {
        0 => Value::String(text()?),
        1 => Value::Opaque(bytes.into()),
        2 => Value::Corelnk(text()?),
        3 => Value::Integer(i64::from_le_bytes(word()?)),
        4 => Value::Unsigned(u64::from_le_bytes(word()?)),
        5 => Value::Float(f64::from_le_bytes(word()?)),
        6 => Value::Time(i64::from_le_bytes(word()?)),
        7 => Value::Boolean(*bytes.first()? != 0),
        8 => {
            let bytes: [u8; 4] = bytes.try_into().ok()?;
            Value::Objlnk(
                u16::from_le_bytes([bytes[0], bytes[1]]),
                u16::from_le_bytes([bytes[2], bytes[3]]),
            )
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMillis = 1_795_435_985_890;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            ".{0,40}".prop_map(|text| Value::String(text.into())),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(|b| Value::Opaque(b.into())),
            ".{0,40}".prop_map(|text| Value::Corelnk(text.into())),
            any::<i64>().prop_map(Value::Integer),
            any::<u64>().prop_map(Value::Unsigned),
            (-1e300..1e300f64).prop_map(Value::Float),
            any::<i64>().prop_map(Value::Time),
            any::<bool>().prop_map(Value::Boolean),
            any::<(u16, u16)>().prop_map(|(o, i)| Value::Objlnk(o, i)),
        ]
    }

    proptest! {
        #[test]
        fn the_latest_value_of_each_mapping_is_kept(
            puts in proptest::collection::vec((0u16..6, -(1i64 << 46)..(1i64 << 46), any_value()), 0..40)
        ) {
            let mut values = LatestValues::default();
            let mut model = BTreeMap::new();
            for (mapping, time, value) in puts {
                prop_assert!(values.put(mapping, time, i64::MAX, &value));
                let latest = model.entry(mapping).or_insert((time, value.clone()));
                if time >= latest.0 {
                    *latest = (time, value);
                }
            }
            let kept: BTreeMap<_, _> = values.iter().map(|(m, t, v)| (m, (t, v))).collect();
            prop_assert_eq!(kept, model);
        }
    }

    #[test]
    fn a_value_from_the_future_does_not_block_later_ones() {
        let mut values = LatestValues::default();
        values.put(0, NOW + 3_600_000, NOW, &Value::Integer(1));
        values.put(0, NOW, NOW, &Value::Integer(2));
        assert_eq!(values.iter().next(), Some((0, NOW, Value::Integer(2))));
    }

    #[test]
    fn four_ordinary_values_take_under_a_hundred_bytes() {
        let mut values = LatestValues::default();
        values.put(0, NOW, NOW, &Value::Integer(87));
        values.put(1, NOW, NOW, &Value::String("anjay".into()));
        values.put(2, NOW, NOW, &Value::String("demo-client".into()));
        values.put(3, NOW, NOW, &Value::String("3.14.0".into()));
        assert!(values.packed.len() < 100, "{}", values.packed.len());
    }
}
