//! What is encoded is decoded again as it was, in every format and type.

use proptest::prelude::*;

use super::*;

/// The type of a Resource is told by the last digit of its id.
struct ByDigit;

const TYPES: [ResourceType; 9] = [
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

impl ResourceTypes for ByDigit {
    fn resource_type(&self, _: u16, resource: u16) -> Option<(ResourceType, bool)> {
        Some((*TYPES.get(usize::from(resource % 10))?, false))
    }
}

fn value_of(resource_type: ResourceType) -> BoxedStrategy<Value> {
    match resource_type {
        ResourceType::String => any::<String>()
            .prop_map(|text| Value::String(text.into()))
            .boxed(),
        ResourceType::Corelnk => any::<String>()
            .prop_map(|text| Value::Corelnk(text.into()))
            .boxed(),
        ResourceType::Integer => extremes(i64::MIN, i64::MAX)
            .prop_map(Value::Integer)
            .boxed(),
        ResourceType::Time => extremes(i64::MIN, i64::MAX).prop_map(Value::Time).boxed(),
        ResourceType::UnsignedInteger => {
            prop_oneof![Just(0), Just(u64::MAX), 0..1000u64, any::<u64>()]
                .prop_map(Value::Unsigned)
                .boxed()
        }
        ResourceType::Float => prop_oneof![
            any::<f64>().prop_filter("finite", |float| float.is_finite()),
            any::<f32>()
                .prop_filter("finite", |float| float.is_finite())
                .prop_map(f64::from),
            (-1000..1000i32).prop_map(f64::from),
        ]
        .prop_map(Value::Float)
        .boxed(),
        ResourceType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        ResourceType::Opaque => prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|bytes| Value::Opaque(bytes.into()))
            .boxed(),
        ResourceType::Objlnk => any::<(u16, u16)>()
            .prop_map(|(object, instance)| Value::Objlnk(object, instance))
            .boxed(),
    }
}

fn extremes(min: i64, max: i64) -> impl Strategy<Value = i64> {
    prop_oneof![Just(min), Just(max), -1000..1000i64, any::<i64>()]
}

/// An id of a Resource whose type is known, and a value of that type.
fn resource() -> impl Strategy<Value = (u16, Value)> {
    (0..500u16, 0..TYPES.len()).prop_flat_map(|(tens, digit)| {
        let id = tens * 10 + digit as u16;
        value_of(TYPES[digit]).prop_map(move |value| (id, value))
    })
}

/// Values of one object, none at or below the path of another, in no order.
fn object() -> impl Strategy<Value = Vec<Record>> {
    let one = (0..3u16, resource(), prop::option::of(0..=Path::MAX_ID)).prop_map(
        |(instance, (resource, value), resource_instance)| {
            let path = Path::resource(33605, instance, resource);
            let path = resource_instance.map_or(Some(path), |id| path.child(id));
            Record {
                path: path.expect("at most four ids"),
                time: None,
                value: Some(value),
            }
        },
    );
    prop::collection::vec(one, 0..20).prop_map(|records| {
        let mut kept: Vec<Record> = Vec::new();
        for record in records {
            let apart = |other: &Record| {
                !record.path.starts_with(&other.path) && !other.path.starts_with(&record.path)
            };
            if kept.iter().all(apart) {
                kept.push(record);
            }
        }
        kept
    })
}

fn options() -> impl Strategy<Value = EncodeOptions> {
    prop_oneof![Just(FloatWidth::Shortest), Just(FloatWidth::Double)]
        .prop_map(|floats| EncodeOptions { floats })
}

fn there_and_back(
    format: u16,
    base: &Path,
    records: &[Record],
    options: EncodeOptions,
) -> Result<Vec<Record>, TestCaseError> {
    let mut payload = Vec::new();
    encode(format, base, records, options, &mut payload)
        .map_err(|error| TestCaseError::fail(format!("{format}: {error}")))?;
    let mut back = Vec::new();
    decode(format, base, &payload, &ByDigit, NOW, &mut |record| {
        back.push(record)
    })
    .map_err(|error| TestCaseError::fail(format!("{format}: {error}")))?;
    Ok(back)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn one_value_survives_every_format((id, value) in resource(), options in options()) {
        let path = Path::resource(33605, 5, id);
        let record = Record { path, time: None, value: Some(value) };
        let is_opaque = matches!(record.value, Some(Value::Opaque(_)));
        for format in [0, 42, 60, 110, 112, 320, 322, 1542, 1543, 11542, 11543, 11544] {
            if format == 42 && !is_opaque {
                continue;
            }
            let back = there_and_back(format, &path, std::slice::from_ref(&record), options)?;
            prop_assert_eq!(&back[..], std::slice::from_ref(&record), "format {}", format);
        }
    }

    #[test]
    fn an_object_survives_every_format(records in object(), options in options()) {
        let base = Path::object(33605);
        let mut sorted = records.clone();
        sorted.sort_by_key(|record| record.path);
        for format in [110, 112, 320, 322, 11543] {
            prop_assert_eq!(&there_and_back(format, &base, &records, options)?, &records, "format {}", format);
            prop_assert_eq!(&there_and_back(format, &Path::ROOT, &records, options)?, &records, "format {}", format);
        }
        for format in [11542, 11544] {
            prop_assert_eq!(&there_and_back(format, &base, &records, options)?, &sorted, "format {}", format);
        }
    }

    #[test]
    fn an_instance_survives_every_format(mut records in object(), options in options()) {
        records.retain(|record| record.path.instance_id() == Some(0));
        records.sort_by_key(|record| record.path);
        for format in [110, 112, 11542, 11543, 11544] {
            let back = there_and_back(format, &Path::instance(33605, 0), &records, options)?;
            prop_assert_eq!(&back, &records, "format {}", format);
        }
    }

    #[test]
    fn times_survive_the_formats_that_have_them(
        mut records in object(),
        times in prop::collection::vec(268_435_456_000..253_402_300_800_000i64, 1..3),
    ) {
        for (record, time) in records.iter_mut().zip(times.iter().cycle()) {
            record.time = Some(*time);
        }
        for format in [110, 112, 11543] {
            let back = there_and_back(format, &Path::object(33605), &records, EncodeOptions::default())?;
            prop_assert_eq!(&back, &records, "format {}", format);
        }
    }

    #[test]
    fn a_list_of_paths_survives_the_formats_that_have_them(ids in prop::collection::vec(prop::collection::vec(0..=Path::MAX_ID, 1..=4), 0..20)) {
        let paths: Vec<Path> = ids
            .iter()
            .map(|ids| ids.iter().fold(Path::ROOT, |path, id| path.child(*id).expect("at most four ids")))
            .collect();
        for format in [110, 112, 320, 322] {
            let mut payload = Vec::new();
            prop_assert_eq!(encode_paths(format, &paths, &mut payload), Ok(()));
            let mut back = Vec::new();
            let decoded = decode(format, &Path::ROOT, &payload, &ByDigit, NOW, &mut |record| back.push(record.path));
            prop_assert_eq!(decoded, Ok(()));
            prop_assert_eq!(&back, &paths, "format {}", format);
        }
    }
}
