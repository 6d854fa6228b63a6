//! What formats cannot carry.

use super::*;

#[test]
fn a_single_value_format_says_why_it_does_not_fit() {
    let instances = [
        record("/3/0/7/0", Value::Integer(3800)),
        record("/3/0/7/1", Value::Integer(5000)),
    ];
    assert_eq!(
        encode_refusal(0, "/3/0/7", &instances).to_string(),
        "content format 0 holds a single value, but 2 are given for /3/0/7"
    );
    assert_eq!(
        encode_refusal(60, "/3/0/7", &instances[..1]).to_string(),
        "content format 60 holds the value of /3/0/7 itself, but the value is of /3/0/7/0"
    );
    assert_eq!(
        encode_refusal(42, "/3/0/9", &[record("/3/0/9", Value::Integer(1))]).to_string(),
        "content format 42 holds bytes, but the value of /3/0/9 is Integer"
    );
    assert_eq!(
        encode_refusal(0, "/3/0/9", &[]).discriminant(),
        "not_one_value"
    );
}

#[test]
fn values_that_cannot_be_there_are_refused_in_every_format() {
    for format in [0, 42, 60, 110, 112, 320, 322, 11542, 11543, 11544] {
        for (base, path, expected) in [
            ("/3/0", "/3/1/9", "path /3/1/9 is not at or under /3/0"),
            ("/3/0", "/3/0", "/3/0 has a value, but is not a Resource"),
        ] {
            let error = encode_refusal(format, base, &[record(path, Value::Integer(1))]);
            assert_eq!(error.to_string(), expected);
        }
        let reserved = Record {
            path: Path::resource(3, 0, u16::MAX),
            time: None,
            value: Some(Value::Integer(1)),
        };
        assert_eq!(
            encode_refusal(format, "/3/0", &[reserved]).to_string(),
            "path /3/0/65535 has the reserved id 65535, expected ids from 0 to 65534"
        );
    }
    assert_eq!(
        encode_refusal(40, "/3/0", &[]).discriminant(),
        "unsupported_format"
    );
}

#[test]
fn formats_that_nest_refuse_a_path_given_twice_or_below_another() {
    let twice = [
        record("/3/0/9", Value::Integer(1)),
        record("/3/0/9", Value::Integer(2)),
    ];
    let below = [
        record("/3/0/7/0", Value::Integer(1)),
        record("/3/0/7", Value::Integer(2)),
    ];
    let above = [empty("/3"), empty("/3/0/9")];
    for format in [11542, 11544] {
        for records in [&twice[..], &below, &above] {
            assert_eq!(
                encode_refusal(format, "/3", records).discriminant(),
                "overlap",
                "{format} {records:?}"
            );
        }
    }
    assert_eq!(
        encode_refusal(11542, "/3/0", &below).to_string(),
        "/3/0/7 and /3/0/7/0 exclude each other: a path is given once, and nothing below it"
    );
    assert_eq!(
        encode_refusal(11542, "/", &twice).discriminant(),
        "needs_object"
    );
    assert_eq!(
        encode_refusal(11544, "/", &[empty("/"), empty("/3")]).discriminant(),
        "no_key_for_root"
    );
}
