//! Times of values.

use super::*;

#[test]
fn one_time_for_all_goes_to_the_front() {
    let measured = [
        timed("/3/0/9", 1_795_435_985_890, Value::Integer(95)),
        timed("/3/0/13", 1_795_435_985_890, Value::Time(1)),
    ];
    assert_eq!(
        encoded_text(110, "/3/0", &measured),
        r#"[{"bn":"/3/0/","bt":1795435985.89,"n":"9","v":95},{"n":"13","v":1}]"#
    );
    let expected = [
        &hex("82a421652f332f302f22fb41dac10b7478f5c300613902185f")[..],
        &hex("a2006231330201"),
    ]
    .concat();
    assert_eq!(encoded(112, "/3/0", &measured), expected);
    assert_eq!(
        encoded_text(11543, "/3/0", &measured),
        r#"{"bn":"/3/0/","bt":1795435985.89,"e":[{"n":"9","v":95},{"n":"13","v":1}]}"#
    );
    for format in [110, 112, 11543] {
        let payload = encoded(format, "/3/0", &measured);
        assert_eq!(records(format, "/3/0", &payload), measured);
    }
}

#[test]
fn different_times_go_with_their_values() {
    let measured = [
        timed("/3/0/9", 1_795_435_985_000, Value::Integer(95)),
        record("/3/0/9", Value::Integer(94)),
        timed("/3/0/9", 1_795_435_985_007, Value::Integer(93)),
    ];
    assert_eq!(
        encoded_text(110, "/3/0/9", &measured),
        r#"[{"n":"/3/0/9","t":1795435985,"v":95},{"n":"/3/0/9","v":94},{"n":"/3/0/9","t":1795435985.007,"v":93}]"#
    );
    for format in [110, 112, 11543] {
        let payload = encoded(format, "/3/0/9", &measured);
        assert_eq!(records(format, "/3/0/9", &payload), measured);
    }
}

#[test]
fn a_time_that_would_be_read_otherwise_is_refused() {
    for time in [-1, 0, 268_435_455_999, 253_402_300_800_000] {
        assert_eq!(
            encode_refusal(110, "/3/0/9", &[timed("/3/0/9", time, Value::Integer(1))]),
            EncodeError::TimeOutOfRange {
                path: Path::resource(3, 0, 9)
            }
        );
    }
    for format in [0, 42, 60, 11542, 11544] {
        assert_eq!(
            encode_refusal(
                format,
                "/3/0/9",
                &[timed("/3/0/9", 1_795_435_985_000, Value::Integer(1))]
            ),
            EncodeError::NoTimes {
                format,
                path: Path::resource(3, 0, 9)
            }
        );
    }
}

#[test]
fn a_time_by_itself_in_cbor_is_tagged_as_one() {
    let time = [record("/3/0/13", Value::Time(1_363_896_240))];
    // RFC 8949, appendix A: 1(1363896240).
    assert_eq!(encoded(60, "/3/0/13", &time), hex("c11a514b67b0"));
    assert_eq!(records(60, "/3/0/13", &hex("c11a514b67b0")), time);
}
