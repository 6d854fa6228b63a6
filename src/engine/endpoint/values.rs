//! Latest values of one endpoint, packed into one allocation.
//!
//! A million devices with four values each would spend more on pointers than on values, so the
//! values lie one behind the other: a header of twelve bytes and the bytes of the value. The value of
//! a Resource Instance begins with the id of the instance; few resources have instances.

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
pub const MAX_VALUE_LEN: usize = 0xff_ffff - INSTANCE;
const TIME_BYTES: usize = 6;
/// How far values that came together are moved apart at most.
const SAME_MOMENT_MILLIS: i64 = 1_000;
/// Set in the type of a Resource Instance's value.
const OF_INSTANCE: u8 = 0x80;
/// Bytes of the id of a Resource Instance.
const INSTANCE: usize = 2;

/// One kept value.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Index of the mapping in the profile.
    pub mapping: u16,
    /// Resource Instance id, for a multiple Resource.
    pub instance: Option<u16>,
    /// When it was measured.
    pub time: UnixMillis,
    /// The value.
    pub value: Value,
}

/// A value to keep.
#[derive(Clone, Copy, Debug)]
pub struct Fresh<'a> {
    /// Index of the mapping in the profile.
    pub mapping: u16,
    /// Resource Instance id, for a multiple Resource.
    pub instance: Option<u16>,
    /// When it was measured.
    pub time: UnixMillis,
    /// The value.
    pub value: &'a Value,
}

impl LatestValues {
    /// Keeps a value unless a later one is known. A single value and values of Resource Instances of
    /// one mapping replace each other.
    ///
    /// A known value from after `now` gives way to any other: a device whose clock ran ahead once
    /// must not block its later values. Returns `false` when the value is longer than
    /// [`MAX_VALUE_LEN`].
    pub fn put(&mut self, fresh: Fresh<'_>, now: UnixMillis) -> bool {
        let mut scratch = [0; 8];
        let (tag, bytes) = encode(fresh.value, &mut scratch);
        if bytes.len() > MAX_VALUE_LEN {
            return false;
        }
        let Fresh {
            mapping,
            instance,
            time,
            ..
        } = fresh;
        let found = self.find(mapping, instance);
        if let Some((at, _)) = found {
            let known = time_of(&self.packed[at..]);
            if time < known && known <= now + SAME_MOMENT_MILLIS {
                return true;
            }
        } else if self.entries().any(|(at, _)| {
            let entry = &self.packed[at..];
            mapping_of(entry) == mapping && instance_of(entry).is_some() != instance.is_some()
        }) {
            self.forget(mapping);
        }
        let prefix = instance.map_or(0, |_| INSTANCE);
        let len = prefix + bytes.len();
        let fill = |entry: &mut [u8]| {
            let tag = if instance.is_some() {
                tag | OF_INSTANCE
            } else {
                tag
            };
            write_header(entry, mapping, tag, time, len);
            if let Some(id) = instance {
                entry[HEADER..HEADER + INSTANCE].copy_from_slice(&id.to_le_bytes());
            }
            entry[HEADER + prefix..].copy_from_slice(bytes);
        };
        match found {
            Some((at, end)) if end - at == HEADER + len => fill(&mut self.packed[at..end]),
            found => {
                let (before, after) = found.unwrap_or((self.packed.len(), self.packed.len()));
                let size = self.packed.len() - (after - before) + HEADER + len;
                let mut packed = Vec::with_capacity(size);
                packed.extend_from_slice(&self.packed[..before]);
                packed.extend_from_slice(&self.packed[after..]);
                let at = packed.len();
                packed.resize(at + HEADER + len, 0);
                fill(&mut packed[at..]);
                self.packed = packed.into_boxed_slice();
            }
        }
        true
    }

    /// The time of a value that comes at `now` and states none: no two values of one mapping and
    /// instance share one, which would make the later one replace the earlier.
    #[must_use]
    pub fn time_after(&self, mapping: u16, instance: Option<u16>, now: UnixMillis) -> UnixMillis {
        let known = self.find(mapping, instance);
        let known = known.map(|(at, _)| time_of(&self.packed[at..]));
        // What lies further ahead was told by a device whose clock is wrong.
        match known {
            Some(known) if (now..now + SAME_MOMENT_MILLIS).contains(&known) => known + 1,
            _ => now,
        }
    }

    /// Forgets all values of a mapping.
    pub fn forget(&mut self, mapping: u16) {
        let kept = self
            .entries()
            .filter(|&(at, _)| mapping_of(&self.packed[at..]) != mapping);
        let kept = kept.flat_map(|(at, end)| self.packed[at..end].iter().copied());
        self.packed = kept.collect();
    }

    /// Gives values the mapping that `place` says for theirs; those without one are forgotten.
    pub fn relocate(&mut self, place: impl Fn(u16) -> Option<u16>) {
        let moved = |at: usize| place(mapping_of(&self.packed[at..]));
        if self
            .entries()
            .all(|(at, _)| moved(at) == Some(mapping_of(&self.packed[at..])))
        {
            return;
        }
        let mut packed = Vec::with_capacity(self.packed.len());
        for (at, end) in self.entries() {
            if let Some(mapping) = moved(at) {
                let start = packed.len();
                packed.extend_from_slice(&self.packed[at..end]);
                packed[start..start + 2].copy_from_slice(&mapping.to_le_bytes());
            }
        }
        self.packed = packed.into();
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// All values as they are kept, for [`from_packed`](Self::from_packed).
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Values as they were kept; `None` when the bytes are no values.
    #[must_use]
    pub fn from_packed(packed: &[u8]) -> Option<Self> {
        let values = Self {
            packed: packed.into(),
        };
        let mut end = 0;
        for (at, next) in values.entries() {
            let entry = packed.get(at..next)?;
            let prefix = if entry[2] & OF_INSTANCE == 0 {
                0
            } else {
                INSTANCE
            };
            decode(entry[2] & !OF_INSTANCE, entry.get(HEADER + prefix..)?)?;
            end = next;
        }
        (end == packed.len()).then_some(values)
    }

    /// Reads something of the values.
    #[must_use]
    pub fn touch(&self) -> u64 {
        u64::from(self.packed.first().copied().unwrap_or_default())
    }

    /// All values, in the order in which they first came.
    pub fn iter(&self) -> impl Iterator<Item = Kept> + '_ {
        self.entries().filter_map(|(at, end)| {
            let entry = &self.packed[at..end];
            let instance = instance_of(entry);
            let value = &entry[HEADER + instance.map_or(0, |_| INSTANCE)..];
            Some(Kept {
                mapping: mapping_of(entry),
                instance,
                time: time_of(entry),
                value: decode(entry[2] & !OF_INSTANCE, value)?,
            })
        })
    }

    fn find(&self, mapping: u16, instance: Option<u16>) -> Option<(usize, usize)> {
        self.entries().find(|&(at, _)| {
            let entry = &self.packed[at..];
            mapping_of(entry) == mapping && instance_of(entry) == instance
        })
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

fn instance_of(entry: &[u8]) -> Option<u16> {
    (entry[2] & OF_INSTANCE != 0).then(|| u16::from_le_bytes([entry[HEADER], entry[HEADER + 1]]))
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

    fn put(values: &mut LatestValues, mapping: u16, time: UnixMillis, value: Value) -> bool {
        put_instance(values, mapping, None, time, value)
    }

    fn put_instance(
        values: &mut LatestValues,
        mapping: u16,
        instance: Option<u16>,
        time: UnixMillis,
        value: Value,
    ) -> bool {
        let fresh = Fresh {
            mapping,
            instance,
            time,
            value: &value,
        };
        values.put(fresh, NOW)
    }

    fn kept(values: &LatestValues) -> BTreeMap<(u16, Option<u16>), (UnixMillis, Value)> {
        let all = values.iter();
        all.map(|kept| ((kept.mapping, kept.instance), (kept.time, kept.value)))
            .collect()
    }

    proptest! {
        #[test]
        fn the_latest_value_of_each_mapping_and_instance_is_kept(
            puts in proptest::collection::vec(
                (0u16..6, 0u16..3, -(1i64 << 46)..NOW, any_value()),
                0..40,
            )
        ) {
            let mut values = LatestValues::default();
            let mut model = BTreeMap::new();
            for (mapping, instance, time, value) in puts {
                // Mappings below 3 are single, the others multiple.
                let instance = (mapping >= 3).then_some(instance);
                prop_assert!(put_instance(&mut values, mapping, instance, time, value.clone()));
                let latest = model.entry((mapping, instance)).or_insert((time, value.clone()));
                if time >= latest.0 {
                    *latest = (time, value);
                }
            }
            prop_assert_eq!(kept(&values), model);
        }
    }

    #[test]
    fn a_single_value_and_instances_of_one_mapping_replace_each_other() {
        let mut values = LatestValues::default();
        put_instance(&mut values, 4, Some(0), NOW, Value::Integer(1));
        put_instance(&mut values, 4, Some(65534), NOW, Value::Integer(2));
        put(&mut values, 5, NOW, Value::Boolean(true));
        assert_eq!(values.iter().count(), 3);
        put(&mut values, 4, NOW, Value::Integer(3));
        assert_eq!(
            kept(&values).into_keys().collect::<Vec<_>>(),
            [(4, None), (5, None)]
        );
        put_instance(&mut values, 4, Some(1), NOW, Value::Integer(4));
        assert_eq!(
            kept(&values).into_keys().collect::<Vec<_>>(),
            [(4, Some(1)), (5, None)]
        );
    }

    #[test]
    fn a_value_from_the_future_does_not_block_later_ones() {
        let mut values = LatestValues::default();
        put(&mut values, 0, NOW + 3_600_000, Value::Integer(1));
        put(&mut values, 0, NOW, Value::Integer(2));
        assert_eq!(kept(&values)[&(0, None)], (NOW, Value::Integer(2)));
    }

    #[test]
    fn four_ordinary_values_take_under_a_hundred_bytes() {
        let mut values = LatestValues::default();
        put(&mut values, 0, NOW, Value::Integer(87));
        put(&mut values, 1, NOW, Value::String("anjay".into()));
        put(&mut values, 2, NOW, Value::String("demo-client".into()));
        put(&mut values, 3, NOW, Value::String("3.14.0".into()));
        assert!(values.packed.len() < 100, "{}", values.packed.len());
    }
}
