//! SenML JSON and SenML CBOR.

use super::*;

const SENML_JSON: u16 = 110;
const SENML_CBOR: u16 = 112;

const ANJAY_DEVICE_JSON: &str = r#"[{"bn":"/3/0","n":"/0","vs":"anjay"},{"n":"/1","vs":"demo-client"},{"n":"/2","vs":"1.1"},{"n":"/3","vs":"3.14.0"},{"n":"/6/0","v":0},{"n":"/7/0","v":31681},{"n":"/8/0","v":11},{"n":"/9","v":0},{"n":"/10","v":0},{"n":"/11/0","v":0},{"n":"/13","v":1795435792},{"n":"/14","vs":"+01:00"},{"n":"/15","vs":"Europe/Warsaw"},{"n":"/16","vs":"UQ"},{"n":"/17","vs":""},{"n":"/18","vs":""},{"n":"/19","vs":""},{"n":"/20","v":0},{"n":"/21","v":0},{"n":"/22/0","vlo":"33606:0"}]"#;
const ANJAY_DEVICE_CBOR: &str = "94a321642f332f3000622f300365616e6a6179a200622f31036b64656d6f2d636c69656e74a200622f320363312e31a200622f330366332e31342e30a200642f362f300200a200642f372f3002197bc1a200642f382f30020ba200622f390200a200632f31300200a200652f31312f300200a200632f3133021a6b042d10a200632f313403662b30313a3030a200632f3135036d4575726f70652f576172736177a200632f313603625551a200632f31370360a200632f31380360a200632f31390360a200632f32300200a200632f32310200a200652f32322f3063766c6f6733333630363a30";
pub(super) const WAKAAMA_DEVICE_JSON: &str = r#"[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"1","vs":"Lightweight M2M Client"},{"n":"2","vs":"345000123"},{"n":"3","vs":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},{"n":"13","v":3162927041},{"n":"14","vs":"+01:00"},{"n":"15","vs":"Europe/Berlin"},{"n":"16","vs":"U"}]"#;
pub(super) const WAKAAMA_DEVICE_CBOR: &str = "91a321652f332f302f00613003744f70656e204d6f62696c6520416c6c69616e6365a200613103764c69676874776569676874204d324d20436c69656e74a20061320369333435303030313233a20061330363312e30a20063362f300201a20063362f310205a20063372f3002190ed8a20063372f3102191388a20063382f3002187da20063382f3102190384a2006139021864a200623130020fa2006431312f300200a200623133021abc866fd7a20062313403662b30313a3030a200623135036d4575726f70652f4265726c696ea200623136036155";

fn json(base: &str, payload: &str) -> Vec<Record> {
    records(SENML_JSON, base, payload.as_bytes())
}

fn json_refusal(payload: &str) -> String {
    refusal(SENML_JSON, "/", payload.as_bytes()).to_string()
}

fn times(payload: &str) -> Vec<Option<UnixMillis>> {
    json("/", payload)
        .into_iter()
        .map(|record| record.time)
        .collect()
}

#[test]
fn anjay_separates_names_with_a_slash_in_front() {
    let expected = anjay_device(31681, 1_795_435_792);
    assert_eq!(
        values(SENML_JSON, "/3/0", ANJAY_DEVICE_JSON.as_bytes()),
        expected
    );
    assert_eq!(
        values(SENML_CBOR, "/3/0", &hex(ANJAY_DEVICE_CBOR)),
        expected
    );
}

#[test]
fn wakaama_separates_names_with_a_slash_behind_the_base() {
    assert_eq!(
        values(SENML_JSON, "/3/0", WAKAAMA_DEVICE_JSON.as_bytes()),
        wakaama_device(3_162_927_041)
    );
    assert_eq!(
        values(SENML_CBOR, "/3/0", &hex(WAKAAMA_DEVICE_CBOR)),
        wakaama_device(3_162_927_063)
    );
}

#[test]
fn a_single_resource_has_a_base_name_only() {
    assert_eq!(
        value(SENML_JSON, "/3/0/0", br#"[{"bn":"/3/0/0","vs":"anjay"}]"#),
        string("anjay")
    );
    assert_eq!(
        value(
            SENML_CBOR,
            "/3/0/0",
            &hex("81a221662f332f302f300365616e6a6179")
        ),
        string("anjay")
    );
    let voltage = values(
        SENML_CBOR,
        "/3/0/7",
        &hex("81a321662f332f302f3700622f3002197bc1"),
    );
    assert_eq!(voltage, [("/3/0/7/0".to_owned(), Value::Integer(31681))]);
}

#[test]
fn an_empty_pack_has_no_values() {
    assert_eq!(json("/33605", "[]"), []);
    assert_eq!(records(SENML_CBOR, "/33605", &hex("80")), []);
    assert_eq!(records(SENML_CBOR, "/33605", &hex("9fff")), []);
}

#[test]
fn an_observed_value_carries_its_time() {
    let observed = records(
        SENML_CBOR,
        "/3/0/14",
        &hex("81a321672f332f302f313422fb41dac10b7478ef0303662b30313a3030"),
    );
    assert_eq!(
        observed,
        [Record {
            path: Path::resource(3, 0, 14),
            time: Some(1_795_435_985_890),
            value: Some(string("+01:00"))
        }]
    );
    let temperature = records(
        SENML_CBOR,
        "/3303/0",
        &hex(
            "86a421672f333330332f3000652f3536303122fb41dac10b757a2f5c02fa40a00000a200652f3536303202fa421c0000a200652f3536303302fa00000000a200652f3536303402fa42280000a200652f3537303002fa41900000a200652f35373031036343656c",
        ),
    );
    assert!(
        temperature
            .iter()
            .all(|record| record.time == Some(1_795_435_989_909))
    );
    assert_eq!(temperature[4].path, Path::resource(3303, 0, 5700));
    assert_eq!(temperature[4].value, Some(Value::Float(18.0)));
    assert_eq!(temperature[5].value, Some(string("Cel")));
}

#[test]
fn a_send_of_anjay_has_one_base_time_for_all_values() {
    let sent = records(
        SENML_CBOR,
        "/",
        &hex(
            "83a421642f332f3000622f3022fb41dac10b7de0d2910365616e6a6179a200632f3133021a6b042df7a200642f372f3002197c05",
        ),
    );
    let paths: Vec<_> = sent.iter().map(|record| record.path.to_string()).collect();
    assert_eq!(paths, ["/3/0/0", "/3/0/13", "/3/0/7/0"]);
    assert!(
        sent.iter()
            .all(|record| record.time == Some(1_795_436_023_513))
    );
    assert_eq!(sent[1].value, Some(Value::Time(1_795_436_023)));
}

#[test]
fn a_send_of_wakaama_has_no_time() {
    let payload =
        hex("82a321652f332f302f00613003744f70656e204d6f62696c6520416c6c69616e6365a2006139021864");
    assert_eq!(
        values(SENML_CBOR, "/", &payload),
        [
            ("/3/0/0".to_owned(), string("Open Mobile Alliance")),
            ("/3/0/9".to_owned(), Value::Integer(100))
        ]
    );
}

#[test]
fn a_composite_answer_spans_objects_without_base_name() {
    let payload = hex(
        "83a200662f332f302f300365616e6a6179a200672f332f302f313403662b30313a3030a200662f312f312f3102183c",
    );
    assert_eq!(
        values(SENML_CBOR, "/", &payload),
        [
            ("/3/0/0".to_owned(), string("anjay")),
            ("/3/0/14".to_owned(), string("+01:00")),
            ("/1/1/1".to_owned(), Value::Integer(60)),
        ]
    );
    let json = r#"[{"n":"/3/0/0","vs":"anjay"},{"n":"/3/0/7/0","v":31822},{"n":"/1/1/6","vb":true},{"n":"/1/1/7","vs":"U"}]"#;
    assert_eq!(
        values(SENML_JSON, "/", json.as_bytes()),
        [
            ("/3/0/0".to_owned(), string("anjay")),
            ("/3/0/7/0".to_owned(), Value::Integer(31822)),
            ("/1/1/6".to_owned(), Value::Boolean(true)),
            ("/1/1/7".to_owned(), string("U")),
        ]
    );
}

#[test]
fn a_composite_request_has_paths_without_values() {
    let expected = [
        Path::resource(3, 0, 0),
        Path::resource(3, 0, 7),
        Path::object(1),
    ];
    let requested = json("/", r#"[{"n":"/3/0/0"},{"n":"/3/0/7"},{"n":"/1"}]"#);
    assert!(
        requested
            .iter()
            .all(|record| record.value.is_none() && record.time.is_none())
    );
    assert_eq!(
        requested
            .iter()
            .map(|record| record.path)
            .collect::<Vec<_>>(),
        expected
    );
    let cbor = records(
        SENML_CBOR,
        "/",
        &hex("83a100662f332f302f30a100672f332f302f3134a100662f312f312f31"),
    );
    assert_eq!(cbor.len(), 3);
}

#[test]
fn bootstrap_packs_change_the_base_name_on_the_way() {
    let payload = hex(
        "8ba321652f302f322f0061300375636f61703a2f2f3132372e302e302e313a35373833a200613104f4a20061320203a20061330840a20061340840a20061350840a200623130021865a321652f312f322f006130021865a200613102184da200613604f4a2006137036155",
    );
    let paths: Vec<_> = records(SENML_CBOR, "/", &payload)
        .iter()
        .map(|record| record.path.to_string())
        .collect();
    assert_eq!(paths[0], "/0/2/0");
    assert_eq!(paths[6], "/0/2/10");
    assert_eq!(paths[7..], ["/1/2/0", "/1/2/1", "/1/2/6", "/1/2/7"]);
}

#[test]
fn opaque_values_are_base64url_and_other_spellings_are_put_up_with() {
    let bytes: Vec<u8> = (0..16).collect();
    for text in ["AAECAwQFBgcICQoLDA0ODw", "AAECAwQFBgcICQoLDA0ODw=="] {
        let payload = format!(r#"[{{"bn":"/33605/5/10","vd":"{text}"}}]"#);
        assert_eq!(
            value(SENML_JSON, "/33605/5/10", payload.as_bytes()),
            opaque(&bytes)
        );
    }
    for text in ["-_8", "+/8="] {
        let payload = format!(r#"[{{"bn":"/33605/5/10","vd":"{text}"}}]"#);
        assert_eq!(
            value(SENML_JSON, "/33605/5/10", payload.as_bytes()),
            opaque(&[0xfb, 0xff])
        );
    }
    assert_eq!(
        refusal(
            SENML_JSON,
            "/33605/5/10",
            br#"[{"bn":"/33605/5/10","vd":"*"}]"#
        )
        .to_string(),
        "record 0, byte 26: found \"*\", expected a data value, base64url in a string"
    );
}

#[test]
fn the_examples_of_rfc_8428_have_names_that_are_no_paths() {
    let single = r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#;
    assert!(
        json_refusal(single).starts_with("record 0, byte 1: name \"urn:dev:ow:10e2073a010"),
        "{}",
        json_refusal(single)
    );
}

#[test]
fn the_fields_of_rfc_8428_mean_what_they_mean_there() {
    // §5.1.2, with paths for names: base time and unit, relative times.
    let payload = r#"[
        {"bn":"/3303/0/","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"5700","u":"V","v":120.1},
        {"n":"5700","t":-5,"v":1.2},
        {"n":"5700","t":-4,"v":1.3},
        {"n":"5700","v":1.7}
    ]"#;
    let records = json("/3303", payload);
    assert_eq!(
        records.iter().map(|record| record.time).collect::<Vec<_>>(),
        [
            Some(1_276_020_076_001),
            Some(1_276_020_071_001),
            Some(1_276_020_072_001),
            Some(1_276_020_076_001)
        ]
    );
    assert_eq!(records[1].value, Some(Value::Float(1.2)));
}

#[test]
fn base_values_are_added() {
    let payload = br#"[{"bn":"/33605/0/","bv":20,"n":"12","v":3},{"n":"14","v":0.5},{"n":"12"},{"n":"15","vs":"x"}]"#;
    assert_eq!(
        values(SENML_JSON, "/33605", payload),
        [
            ("/33605/0/12".to_owned(), Value::Integer(23)),
            ("/33605/0/14".to_owned(), Value::Float(20.5)),
            ("/33605/0/12".to_owned(), Value::Integer(20)),
            ("/33605/0/15".to_owned(), string("x")),
        ]
    );
}

#[test]
fn times_below_2_to_28_are_relative_to_now() {
    assert_eq!(times(r#"[{"n":"/3/0/9","v":1}]"#), [None]);
    assert_eq!(times(r#"[{"n":"/3/0/9","v":1,"t":0}]"#), [Some(NOW)]);
    assert_eq!(
        times(r#"[{"n":"/3/0/9","v":1,"t":-60}]"#),
        [Some(NOW - 60_000)]
    );
    assert_eq!(
        times(r#"[{"n":"/3/0/9","v":1,"t":268435455}]"#),
        [Some(NOW + 268_435_455_000)]
    );
    assert_eq!(
        times(r#"[{"n":"/3/0/9","v":1,"t":268435456}]"#),
        [Some(268_435_456_000)]
    );
    assert_eq!(
        times(r#"[{"bt":1795435985,"n":"/3/0/9","v":1,"t":-0.5}]"#),
        [Some(1_795_435_984_500)]
    );
}

#[test]
fn times_are_rounded_to_the_nearest_millisecond() {
    assert_eq!(
        times(r#"[{"n":"/3/0/9","v":1,"t":1795435985.889588}]"#),
        [Some(1_795_435_985_890)]
    );
    assert_eq!(
        times(r#"[{"n":"/3/0/9","v":1,"t":1795435985.8894}]"#),
        [Some(1_795_435_985_889)]
    );
}

#[test]
fn times_outside_of_the_calendar_are_refused() {
    for time in [
        "253402300800",
        "1e300",
        "-100000000000",
        "99999999999999999999999",
    ] {
        let error = json_refusal(&format!(r#"[{{"n":"/3/0/9","v":1,"t":{time}}}]"#));
        assert_eq!(
            error,
            "record 0, byte 1: time is out of range, expected seconds within the years 0 to 9999"
        );
    }
}

#[test]
fn integers_of_64_bits_survive() {
    assert_eq!(
        value(
            SENML_JSON,
            "/33605/0/17",
            br#"[{"n":"/33605/0/17","v":18446744073709551615}]"#
        ),
        Value::Unsigned(u64::MAX)
    );
    assert_eq!(
        value(
            SENML_JSON,
            "/33605/0/12",
            br#"[{"n":"/33605/0/12","v":-9223372036854775807}]"#
        ),
        Value::Integer(-i64::MAX)
    );
    assert_eq!(
        value(
            SENML_JSON,
            "/33605/0/12",
            br#"[{"n":"/33605/0/12","v":9007199254740993}]"#
        ),
        Value::Integer(9_007_199_254_740_993)
    );
}

#[test]
fn without_definition_values_have_the_type_of_their_field() {
    let payload = br#"[{"bn":"/9999/0/","n":"0","v":1},{"n":"1","v":1.0},{"n":"2","vb":true},{"n":"3","vs":"1"},{"n":"4","vd":"AQ"},{"n":"5","vlo":"3:0"}]"#;
    let records = decode_with(&Unknown, SENML_JSON, "/9999/0", payload).expect("a good payload");
    let values: Vec<_> = records
        .into_iter()
        .filter_map(|record| record.value)
        .collect();
    assert_eq!(
        values,
        [
            Value::Integer(1),
            Value::Float(1.0),
            Value::Boolean(true),
            string("1"),
            opaque(&[1]),
            Value::Objlnk(3, 0)
        ]
    );
}

#[test]
fn maps_and_strings_may_be_of_indefinite_length() {
    let payload = hex("9fbf21 7f 62 2f33 62 2f30 ff 00 62 2f39 02 18 64 ffff");
    assert_eq!(
        values(SENML_CBOR, "/3/0", &payload),
        [("/3/0/9".to_owned(), Value::Integer(100))]
    );
}

#[test]
fn labels_in_text_are_read_in_cbor_too() {
    let payload = hex("81 a2 61 6e 66 2f332f302f39 61 76 18 64");
    assert_eq!(
        values(SENML_CBOR, "/3/0", &payload),
        [("/3/0/9".to_owned(), Value::Integer(100))]
    );
}

#[test]
fn fields_without_meaning_here_are_passed_over() {
    let payload = br#"[{"bn":"/3/0/","bu":"%","n":"9","u":"%","ut":60,"s":7,"x":{"y":[1,{"z":null}]},"v":5}]"#;
    assert_eq!(value(SENML_JSON, "/3/0", payload), Value::Integer(5));
    let cbor =
        hex("81 a4 00 66 2f332f302f39 05 fb3ff8000000000000 18 63 82 01 bf 61 78 80 ff 02 05");
    assert_eq!(value(SENML_CBOR, "/3/0", &cbor), Value::Integer(5));
}

#[test]
fn a_repeated_field_counts_as_it_stands_last() {
    assert_eq!(
        value(SENML_JSON, "/3/0/9", br#"[{"n":"/3/0/9","v":1,"v":2}]"#),
        Value::Integer(2)
    );
}

#[test]
fn wrong_packs_are_refused_with_record_and_place() {
    for (payload, text) in [
        (
            r#"{"n":"/3/0/9","v":1}"#,
            "byte 0: found '{', expected an array of SenML records",
        ),
        (
            r#"[{"n":"/3/0/9","v":1}"#,
            "byte 21: the payload ends, expected ',' or the end of the list",
        ),
        (
            r#"[{"n":"/3/0/9","v":1}]]"#,
            "byte 22: found ']', expected the end of the payload",
        ),
        (
            r#"[{"n":"/3/0/9","v":1},7]"#,
            "record 1, byte 22: found '7', expected a SenML record, an object",
        ),
        (
            r#"[{"n":"/3/0/9","v":"1"}]"#,
            "record 0, byte 19: found '\"', expected a value, a number",
        ),
        (
            r#"[{"n":"/3/0/9","v":1,"vs":"1"}]"#,
            "record 0, byte 26: found a second value, expected one value in a record",
        ),
        (
            r#"[{"n":"/3/0/9","v":1.5}]"#,
            "record 0, byte 1: value of /3/0/9 is a number with a fraction or outside of 64 bits, expected Integer",
        ),
        (
            r#"[{"n":"/3/0/9","vs":"1"}]"#,
            "record 0, byte 1: value of /3/0/9 is text, expected Integer",
        ),
        (
            r#"[{"n":"/3/0","v":1}]"#,
            "record 0, byte 1: /3/0 has a value, but is not a Resource",
        ),
        (
            r#"[{"n":"/3/0/9","v":1,"x_":2}]"#,
            "record 0, byte 26: found the unknown field \"x_\", expected fields of RFC 8428",
        ),
        (
            r#"[{"bver":11,"n":"/3/0/9","v":1}]"#,
            "record 0, byte 1: found SenML version 11, expected SenML version 10 or lower",
        ),
        (
            r#"[{"n":"/3/0/22/0","vlo":"3"}]"#,
            "record 0, byte 1: value of /3/0/22/0 is text that is not object:instance, expected Objlnk",
        ),
    ] {
        assert_eq!(json_refusal(payload), text);
    }
}

#[test]
fn wrong_cbor_packs_are_refused_with_record_and_place() {
    for (payload, text) in [
        (
            "a0",
            "byte 0: found map, expected an array of SenML records",
        ),
        (
            "81",
            "record 0, byte 1: the payload ends, expected a SenML record, a map",
        ),
        (
            "8101",
            "record 0, byte 1: found u8, expected a SenML record, a map",
        ),
        (
            "81a10203",
            "record 0, byte 1: / has a value, but is not a Resource",
        ),
        (
            "81a20061390365",
            "record 0, byte 7: the payload ends, expected a string value, text",
        ),
        (
            "81a2006139026131",
            "record 0, byte 6: found string, expected a value, a number",
        ),
        (
            "81a200613904 01",
            "record 0, byte 6: found u8, expected a boolean value",
        ),
        (
            "81a1f501",
            "record 0, byte 2: found bool, expected a SenML label, an integer or text",
        ),
        (
            "8000",
            "byte 1: found more bytes, expected the end of the payload",
        ),
        (
            "9bffffffffffffffff",
            "record 0, byte 9: the payload ends, expected a SenML record, a map",
        ),
    ] {
        let error = refusal(SENML_CBOR, "/", &hex(payload)).to_string();
        assert_eq!(error, text, "{payload}");
    }
}

#[test]
fn values_outside_of_what_was_asked_for_are_refused() {
    let error = refusal(
        SENML_JSON,
        "/3/0",
        br#"[{"n":"/3/0/9","v":1},{"n":"/4/0/0","v":1}]"#,
    );
    assert_eq!(
        error.to_string(),
        "record 1, byte 22: path /4/0/0 is not at or under /3/0"
    );
    assert_eq!(error.discriminant(), "unexpected_path");
}

#[test]
fn values_before_an_error_have_been_handed_out() {
    let mut seen = Vec::new();
    let result = decode(
        SENML_JSON,
        &Path::ROOT,
        br#"[{"n":"/3/0/9","v":1},{"#,
        &Definitions,
        NOW,
        &mut |record| seen.push(record),
    );
    assert!(result.is_err());
    assert_eq!(seen.len(), 1);
}
