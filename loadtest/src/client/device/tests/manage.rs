//! Operations of device management, one rule a test.

use super::*;
use crate::client::formats::{
    CBOR, JSON, LINK_FORMAT, LWM2M_CBOR, OPAQUE, SENML_CBOR, SENML_ETCH_JSON, SENML_JSON, TEXT, TLV,
};

fn links(lab: &mut Lab, path: &str) -> Vec<String> {
    let (code, text) = lab.asked(get(path).accept(LINK_FORMAT));
    assert_eq!(code, "2.05", "{path}");
    text.split(',').map(str::to_owned).collect()
}

fn bad(text: &str) -> (String, String) {
    ("4.00".to_owned(), text.to_owned())
}

#[test]
fn a_single_resource_is_read_in_every_format() {
    let mut lab = Lab::new(v1_2());
    let cases: [(u16, &[u8]); 7] = [
        (TEXT, b"Model 500"),
        (CBOR, b"\x69Model 500"),
        (SENML_JSON, br#"[{"bn":"/3/0/1","vs":"Model 500"}]"#),
        (SENML_CBOR, b"\x81\xa2\x21\x66/3/0/1\x03\x69Model 500"),
        (TLV, b"\xc8\x01\x09Model 500"),
        (JSON, br#"{"bn":"/3/0/1","e":[{"sv":"Model 500"}]}"#),
        (LWM2M_CBOR, b"\xbf\x83\x03\x00\x01\x69Model 500\xff"),
    ];
    for (format, payload) in cases {
        let answer = lab.ask(get("/3/0/1").accept(format));
        assert_eq!(code_of(&answer), "2.05", "{format}");
        assert_eq!(
            number_of(&answer, CoapOption::ContentFormat),
            Some(format.into())
        );
        assert_eq!(answer.payload, payload, "{format}");
    }
}

#[test]
fn without_accept_the_usual_format_among_those_supported_is_taken() {
    let format = |lab: &mut Lab, path| number_of(&lab.ask(get(path)), CoapOption::ContentFormat);
    let mut lab = Lab::new(options());
    assert_eq!(format(&mut lab, "/3/0/1"), Some(TEXT.into()));
    assert_eq!(format(&mut lab, "/3/0"), Some(SENML_CBOR.into()));
    let mut old = Lab::new(ClientOptions {
        version: Version::V1_0,
        ..options()
    });
    assert_eq!(format(&mut old, "/3/0"), Some(TLV.into()));
    let mut few = Lab::new(ClientOptions {
        formats: Some(vec![CBOR, SENML_JSON]),
        ..options()
    });
    assert_eq!(format(&mut few, "/3/0/1"), Some(CBOR.into()));
    assert_eq!(format(&mut few, "/3/0"), Some(SENML_JSON.into()));
}

#[test]
fn a_format_that_is_not_announced_is_neither_answered_nor_taken() {
    let mut lab = Lab::new(ClientOptions {
        formats: Some(vec![CBOR, SENML_JSON, SENML_CBOR]),
        ..options()
    });
    assert_eq!(lab.code(get("/3/0").accept(TLV)), "4.06");
    assert_eq!(lab.code(get("/3/0").accept(CBOR)), "4.06");
    assert_eq!(lab.code(put("/3/0/14").text("+01")), "4.15");
    assert_eq!(lab.code(put("/19/0/0/0").body(OPAQUE, b"ab")), "4.15");
    assert_eq!(lab.code(put("/3/0/14").body(CBOR, b"\x63+01")), "2.04");
    assert_eq!(lab.device.value("/3/0/14"), Some("+01".into()));
}

#[test]
fn what_cannot_be_read_is_refused_for_its_reason() {
    let mut lab = Lab::new(thingsboard());
    for (path, code) in [
        ("/0", "4.01"),
        ("/0/0/1", "4.01"),
        ("/50", "4.04"),
        ("/2/0", "4.04"),
        ("/3/1", "4.04"),
        ("/3/0/99", "4.04"),
        ("/3/0/6/9", "4.04"),
        ("/3/0/9/0", "4.00"),
        ("/5/0/0", "4.05"),
        ("/3/0/4", "4.05"),
        ("/", "4.05"),
        ("/rd/x", "4.04"),
    ] {
        assert_eq!(lab.code(get(path)), code, "{path}");
    }
    assert_eq!(lab.asked(get("/19/0/3")), bad("value MUST NOT be null"));
    assert_eq!(lab.code(get("/2").accept(SENML_JSON)), "2.05");
}

#[test]
fn discover_lists_what_is_below_with_dimensions() {
    let mut lab = Lab::new(thingsboard());
    let object = links(&mut lab, "/3");
    assert_eq!(object[..2], ["</3>;ver=1.2", "</3/0>"]);
    for link in [
        "</3/0/6>;dim=3",
        "</3/0/7>;dim=3",
        "</3/0/8>;dim=3",
        "</3/0/11>;dim=1",
        "</3/0/4>",
    ] {
        assert!(object.iter().any(|l| l == link), "{link} in {object:?}");
    }
    assert!(!object.iter().any(|link| link == "</3/0/6/0>"));
    assert_eq!(links(&mut lab, "/3/0/9"), ["</3/0/9>"]);
    assert_eq!(
        links(&mut lab, "/3/0/6"),
        ["</3/0/6>;dim=3", "</3/0/6/0>", "</3/0/6/1>", "</3/0/6/2>"]
    );
    assert_eq!(lab.code(get("/2/0").accept(LINK_FORMAT)), "4.04");
    assert_eq!(lab.code(get("/2/0/2").accept(LINK_FORMAT)), "4.04");
    assert_eq!(lab.code(get("/3/0/6/1").accept(LINK_FORMAT)), "4.00");
}

#[test]
fn discover_takes_a_depth_in_1_2() {
    let mut lab = Lab::new(v1_2());
    assert_eq!(links(&mut lab, "/3?depth=0"), ["</3>"]);
    assert_eq!(
        links(&mut lab, "/19?depth=1"),
        ["</19>", "</19/0>", "</19/1>"]
    );
    assert!(
        links(&mut lab, "/3?depth=3")
            .iter()
            .any(|link| link == "</3/0/6/2>")
    );
    assert_eq!(lab.code(get("/3?depth=9").accept(LINK_FORMAT)), "4.00");
    let mut older = Lab::new(options());
    assert_eq!(older.code(get("/3?depth=1").accept(LINK_FORMAT)), "4.00");
}

#[test]
fn attributes_are_attached_shown_and_removed() {
    let mut lab = Lab::new(thingsboard());
    assert_eq!(lab.code(put("/3/0/6?pmax=100&pmin=10")), "2.04");
    assert_eq!(lab.code(put("/3/0?pmax=65&pmin=5")), "2.04");
    assert_eq!(lab.code(put("/3/0/7?gt=50&lt=42.2&st=0.5")), "2.04");
    let object = links(&mut lab, "/3");
    for link in [
        "</3/0>;pmax=65;pmin=5",
        "</3/0/6>;pmax=100;pmin=10;dim=3",
        "</3/0/7>;gt=50;lt=42.2;st=0.5;dim=3",
    ] {
        assert!(object.iter().any(|l| l == link), "{link} in {object:?}");
    }
    assert_eq!(lab.code(put("/3/0/6?pmin&pmax=20")), "2.04");
    assert_eq!(links(&mut lab, "/3/0/6")[0], "</3/0/6>;pmax=20;dim=3");
    for refused in [
        "pmin=30", "ver=1.3", "pmin=-1", "pmin=1.5", "st=-1", "pmin=", "con=1",
    ] {
        assert_eq!(
            lab.code(put(&format!("/3/0/6?{refused}"))),
            "4.00",
            "{refused}"
        );
    }
    assert_eq!(lab.code(put("/3/0/99?pmin=1")), "4.04");
    let mut newer = Lab::new(v1_2());
    assert_eq!(
        newer.code(put("/3/0/9?edge=1&con=1&hqmax=7&epmin=1&epmax=9")),
        "2.04"
    );
    let link = "</3/0/9>;edge=1;con=1;hqmax=7;epmin=1;epmax=9";
    assert_eq!(links(&mut newer, "/3/0/9"), [link]);
}

#[test]
fn a_value_is_written_in_every_format() {
    let mut lab = Lab::new(v1_2());
    let cases: [(u16, &[u8], &str); 7] = [
        (TEXT, b"+00", "+00"),
        (CBOR, b"\x63+01", "+01"),
        (SENML_JSON, br#"[{"n":"/3/0/14","vs":"+02"}]"#, "+02"),
        (SENML_CBOR, b"\x81\xa2\x00\x67/3/0/14\x03\x63+03", "+03"),
        (TLV, b"\xc3\x0e+04", "+04"),
        (JSON, br#"{"bn":"/3/0/14","e":[{"sv":"+05"}]}"#, "+05"),
        (LWM2M_CBOR, b"\xa1\x03\xa1\x00\xa1\x0e\x63+06", "+06"),
    ];
    for (format, payload, value) in cases {
        assert_eq!(
            lab.code(put("/3/0/14").body(format, payload)),
            "2.04",
            "{format}"
        );
        assert_eq!(lab.device.value("/3/0/14"), Some(value.into()), "{format}");
    }
}

#[test]
fn a_refused_write_changes_nothing() {
    let mut lab = Lab::new(thingsboard());
    assert_eq!(lab.code(put("/3/0/9").text("90")), "4.05");
    assert_eq!(lab.code(put("/3/0/13").text("1")), "4.04");
    assert_eq!(lab.code(put("/3").body(TLV, b"")), "4.05");
    assert_eq!(lab.code(put("/1/0/1").text("soon")), "4.00");
    assert_eq!(lab.code(put("/1/0/1").body(TLV, b"\xc4\x01\x00")), "4.00");
    let payload = br#"[{"bn":"/3/0/","n":"14","vs":"+09"},{"n":"0","vs":"x"}]"#;
    assert_eq!(lab.code(post("/3/0").body(SENML_JSON, payload)), "4.05");
    assert_eq!(
        lab.code(ask(RequestType::IPatch, "/").body(SENML_JSON, payload)),
        "4.05"
    );
    assert_eq!(lab.device.value("/3/0/14"), Some("+00".into()));
}

#[test]
fn an_instance_is_updated_or_replaced() {
    let mut lab = Lab::new(options());
    let payload = br#"[{"bn":"/3/0/","n":"14","vs":"+5"},{"n":"15","vs":"Kiyv/Europe"}]"#;
    assert_eq!(lab.code(post("/3/0").body(SENML_JSON, payload)), "2.04");
    assert_eq!(lab.device.value("/3/0/15"), Some("Kiyv/Europe".into()));
    // Data is mandatory, the priority optional.
    assert_eq!(lab.code(put("/19/0").body(TLV, b"\xc1\x01\x02")), "4.00");
    assert_eq!(lab.device.value("/19/0/1"), Some(0.into()));
    assert_eq!(
        lab.code(put("/19/0").body(TLV, b"\x83\x00\x41\x03\xaa")),
        "2.04"
    );
    assert_eq!(
        lab.device.value("/19/0/0/3"),
        Some(Value::Opaque(vec![0xAA]))
    );
    assert_eq!(lab.device.value("/19/0/0/0"), None);
    assert_eq!(lab.device.value("/19/0/1"), None);
}

#[test]
fn resource_instances_are_replaced_added_and_removed() {
    let mut lab = Lab::new(v1_2());
    let bytes = |lab: &Lab, path: &str| match lab.device.value(path) {
        Some(Value::Opaque(bytes)) => Some(bytes.len()),
        _ => None,
    };
    assert_eq!(lab.code(post("/19/0/0").body(TLV, b"\x42\x19ab")), "2.04");
    assert_eq!(
        (bytes(&lab, "/19/0/0/0"), bytes(&lab, "/19/0/0/25")),
        (Some(1), Some(2))
    );
    assert_eq!(lab.code(put("/19/0/0/0").body(OPAQUE, b"abcd")), "2.04");
    assert_eq!(bytes(&lab, "/19/0/0/0"), Some(4));
    assert_eq!(lab.code(delete("/19/0/0/25")), "2.02");
    assert_eq!(lab.code(delete("/19/0/0/25")), "4.04");
    let removal = br#"[{"n":"/19/0/0/0","v":null},{"n":"/19/1/0/2","vd":"AAEC"}]"#;
    assert_eq!(
        lab.code(ask(RequestType::IPatch, "/").body(SENML_ETCH_JSON, removal)),
        "2.04"
    );
    assert_eq!(
        (bytes(&lab, "/19/0/0/0"), bytes(&lab, "/19/1/0/2")),
        (None, Some(3))
    );
    assert_eq!(
        lab.code(put("/19/0/0").body(TLV, b"\x82\x00\x40\x07")),
        "2.04"
    );
    assert_eq!(bytes(&lab, "/19/0/0/7"), Some(0));
    assert_eq!(lab.code(put("/3/0/14/0").text("+00")), "4.00");
    assert_eq!(Lab::new(options()).code(delete("/19/0/0/0")), "4.00");
}

#[test]
fn a_composite_write_names_the_instance_that_is_missing() {
    let mut lab = Lab::new(thingsboard());
    let payload = br#"[{"n":"/19/2/0/2","vd":"AA"},{"n":"/3/0/14","vs":"+04"}]"#;
    let answer = lab.asked(ask(RequestType::IPatch, "/").body(SENML_JSON, payload));
    assert_eq!(answer, bad("object instance /19/2 not found"));
    assert_eq!(lab.device.value("/3/0/14"), Some("+00".into()));
    assert_eq!(
        lab.code(ask(RequestType::IPatch, "/3").body(SENML_JSON, payload)),
        "4.02"
    );
}

#[test]
fn a_composite_read_leaves_out_what_is_not_there_or_not_readable() {
    let mut lab = Lab::new(thingsboard());
    let paths = br#"[{"n":"/3/0/1"},{"n":"/5/0/2"},{"n":"/1/0/2"},{"n":"/50"},{"n":"/3/0/11"}]"#;
    let fetch = ask(RequestType::Fetch, "/")
        .body(SENML_JSON, paths)
        .accept(SENML_JSON);
    let (code, text) = lab.asked(fetch);
    assert_eq!(code, "2.05");
    assert_eq!(
        text,
        r#"[{"n":"/3/0/1","vs":"Model 500"},{"n":"/3/0/11/0","v":0}]"#
    );
    let fetch = ask(RequestType::Fetch, "/").body(SENML_CBOR, b"\x81\xa1\x00\x63/50");
    let answer = lab.ask(fetch.accept(SENML_CBOR));
    assert_eq!(answer.payload, b"\x80");
    let unnamed = ask(RequestType::Fetch, "/")
        .body(TLV, b"")
        .accept(SENML_CBOR);
    assert_eq!(lab.code(unnamed), "4.15");
}

#[test]
fn execute_takes_arguments_or_says_what_is_wrong_with_them() {
    let mut lab = Lab::new(thingsboard());
    for (path, arguments) in [
        ("/5/0/2", ""),
        ("/9/0/4", ""),
        ("/3/0/4", "5"),
        ("/1/0/8", ""),
        ("/3/0/5", "2='60'"),
        (
            "/3/0/5",
            "2,0='https://thingsboard.io/docs/reference/lwm2m-api/'",
        ),
        ("/3/0/5", "0,1,2,3,4,5,6,7,8,9"),
    ] {
        assert_eq!(
            lab.code(post(path).text(arguments)),
            "2.04",
            "{path} {arguments}"
        );
    }
    let invalid = "Unable to parse Arguments ['60'] : Invalid digit ['] (an integer between 0 and 9 is expected)";
    assert_eq!(lab.asked(post("/3/0/5").text("'60'")), bad(invalid));
    let (code, text) = lab.asked(post("/3/0/5").text("0,1,2,3,4,5,6,7,8,9,60"));
    assert_eq!(code, "4.00");
    assert!(
        text.ends_with("[,] separator expected at index 21 after [0,1,2,3,4,5,6,7,8,9,6]"),
        "{text}"
    );
    assert_eq!(
        lab.asked(post("/1/0/9")),
        bad("probably no bootstrap server configured")
    );
    assert_eq!(lab.code(post("/5/0/3")), "4.05");
    assert_eq!(lab.code(post("/3/0/14")), "4.05");
    assert_eq!(lab.code(post("/3/0/99")), "4.04");
}

#[test]
fn an_instance_is_created_under_the_id_that_is_asked_for() {
    let mut lab = Lab::new(thingsboard());
    let twelve = b"\x08\x0c\x09\x84\x00\x42\x00\x00\xac\xc1\x01\x01";
    let answer = lab.ask(post("/19").body(TLV, twelve));
    assert_eq!(code_of(&answer), "2.01");
    assert!(texts(&answer, CoapOption::LocationPath).is_empty());
    assert_eq!(
        lab.device.value("/19/12/0/0"),
        Some(Value::Opaque(vec![0, 0xAC]))
    );
    assert_eq!(
        lab.asked(post("/19").body(TLV, b"\x04\x00\x82\x00\x40\x00")),
        bad("instance 0 already exists")
    );
    let senml = br#"[{"bn":"/19/65533/","n":"0/0","vd":"e30"}]"#;
    assert_eq!(lab.code(post("/19").body(SENML_JSON, senml)), "2.01");
    assert_eq!(
        lab.device.value("/19/65533/0/0"),
        Some(Value::Opaque(b"{}".to_vec()))
    );
}

#[test]
fn an_instance_without_an_id_gets_the_first_free_one_and_its_location() {
    let mut lab = Lab::new(thingsboard());
    let answer = lab.ask(post("/19").body(TLV, b"\x83\x00\x41\x00\xaa"));
    assert_eq!(code_of(&answer), "2.01");
    assert_eq!(texts(&answer, CoapOption::LocationPath), ["19", "2"]);
}

#[test]
fn what_cannot_be_created_or_deleted_is_refused() {
    let mut lab = Lab::new(thingsboard());
    assert_eq!(lab.code(post("/3").body(TLV, b"\x00\x01")), "4.00");
    assert_eq!(lab.code(post("/50").body(TLV, b"\x00\x01")), "4.04");
    assert_eq!(lab.code(post("/0").body(TLV, b"\x00\x01")), "4.01");
    assert_eq!(
        lab.code(post("/19").body(TLV, b"\x03\x07\xc1\x01\x01")),
        "4.00",
        "no data"
    );
    for (path, code) in [
        ("/3303/12", "2.02"),
        ("/3303/12", "4.04"),
        ("/19/12", "4.04"),
        ("/19", "4.00"),
        ("/3/7", "4.05"),
        ("/3/0/14", "4.00"),
        ("/0/0", "4.01"),
    ] {
        assert_eq!(lab.code(delete(path)), code, "{path}");
    }
}

#[test]
fn truncated_and_malformed_payloads_of_each_format_are_refused() {
    let mut lab = Lab::new(v1_2());
    let cases: [(u16, &[u8]); 9] = [
        (TEXT, b"\xff"),
        (CBOR, b"\x63+0"),
        (CBOR, b"\x63+00\x00"),
        (SENML_JSON, br#"[{"n":"/3/0/14","vs":"+0"#),
        (SENML_CBOR, b"\x81\xa2\x00\x67/3/0/14\x03\x63+"),
        (SENML_JSON, br#"[{"n":"/3/0/15","vs":"+0"}]"#),
        (TLV, b"\xc3\x0e+0"),
        (JSON, br#"{"bn":"/3/0/14","e":[{"n":"x"}]}"#),
        (LWM2M_CBOR, b"\xbf\x83\x03\x00\x0e\x63+00"),
    ];
    for (format, payload) in cases {
        assert_eq!(
            lab.code(put("/3/0/14").body(format, payload)),
            "4.00",
            "{format}"
        );
    }
    assert_eq!(lab.device.value("/3/0/14"), Some("+00".into()));
    assert_eq!(lab.code(put("/3/0/14").body(9_999, b"x")), "4.15");
}
