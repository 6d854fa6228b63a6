use super::*;

const LWM2M_CBOR: u16 = 11544;

const ANJAY_DEVICE: &str = "bf820300bf0065616e6a6179016b64656d6f2d636c69656e740263312e310366332e31342e3006bf0000ff07bf00197bc1ff08bf000bff09000a000bbf0000ff0d1a6b042d100e662b30313a30300f6d4575726f70652f576172736177106255511160126013601400150016bf006733333630363a30ffffff";

#[test]
fn anjay_answers_with_an_array_for_the_common_ids() {
    assert_eq!(
        values(LWM2M_CBOR, "/3/0", &hex(ANJAY_DEVICE)),
        anjay_device(31681, 1_795_435_792)
    );
    assert_eq!(
        value(LWM2M_CBOR, "/3/0/0", &hex("bf8303000065616e6a6179ff")),
        string("anjay")
    );
    assert_eq!(
        values(LWM2M_CBOR, "/3/0/7", &hex("bf83030007bf00197bc1ffff")),
        [("/3/0/7/0".to_owned(), Value::Integer(31681))]
    );
}

#[test]
fn ids_may_be_nested_one_by_one() {
    assert_eq!(
        value(LWM2M_CBOR, "/33605/5/12", &hex("a1198345a105a10c184d")),
        Value::Integer(77)
    );
}

#[test]
fn a_null_is_a_path_without_value() {
    let records = records(LWM2M_CBOR, "/", &hex("a1 82 03 00 f6"));
    assert_eq!(
        records,
        [Record {
            path: Path::instance(3, 0),
            time: None,
            value: None
        }]
    );
}

#[test]
fn wrong_maps_are_refused_with_the_place() {
    const IDS: &str = "an id from 0 to 65534, or an array of them, at most 4 levels in all";
    for (payload, text) in [
        (
            "80",
            "byte 0: found array, expected a map from ids to values".to_owned(),
        ),
        (
            "a1800a",
            format!("byte 1: found an empty array, expected {IDS}"),
        ),
        (
            "a119ffff0a",
            format!("byte 1: found id 65535 below /, expected {IDS}"),
        ),
        (
            "a1200a",
            format!("byte 1: found id -1 below /, expected {IDS}"),
        ),
        (
            "a1850102030405 0a",
            format!("byte 1: found id 5 below /1/2/3/4, expected {IDS}"),
        ),
        (
            "a1 84 01020304 a1 05 0a",
            format!("byte 7: found id 5 below /1/2/3/4, expected {IDS}"),
        ),
        (
            "a1 61 33 0a",
            format!("byte 1: found string, expected {IDS}"),
        ),
        (
            "a1 82 03 00 01",
            "byte 4: /3/0 has a value, but is not a Resource".to_owned(),
        ),
        (
            "a1 83 03 00 09 f7",
            "byte 5: found undefined, expected a number, boolean, text or bytes".to_owned(),
        ),
    ] {
        assert_eq!(
            refusal(LWM2M_CBOR, "/", &hex(payload)).to_string(),
            text,
            "{payload}"
        );
    }
}
