use super::*;

const TLV: u16 = 11542;

pub(super) const ANJAY_DEVICE: &str = "c500616e6a6179c8010b64656d6f2d636c69656e74c302312e31c603332e31342e308306410000840742007bc1830841000bc10900c10a00830b410000c40d6b042d10c60e2b30313a3030c80f0d4575726f70652f576172736177c2105551c011c012c013c11400c115008616440083460000";
pub(super) const WAKAAMA_DEVICE: &str = "c800144f70656e204d6f62696c6520416c6c69616e6365c801164c69676874776569676874204d324d20436c69656e74c80209333435303030313233c303312e30860641000141010588070842000ed842011388870841007d42010384c10964c10a0f830b410000c80d0800000000bc866fc1c60e2b30313a3030c80f0d4575726f70652f4265726c696ec11055";

#[test]
fn anjay_answers_an_instance_with_resources() {
    assert_eq!(
        values(TLV, "/3/0", &hex(ANJAY_DEVICE)),
        anjay_device(31681, 1_795_435_792)
    );
}

#[test]
fn wakaama_answers_an_instance_with_wide_lengths_and_times() {
    assert_eq!(
        values(TLV, "/3/0", &hex(WAKAAMA_DEVICE)),
        wakaama_device(3_162_927_041)
    );
}

#[test]
fn a_resource_is_answered_with_its_entry() {
    assert_eq!(
        value(TLV, "/3/0/0", &hex("c500616e6a6179")),
        string("anjay")
    );
    assert_eq!(
        values(TLV, "/3/0/7", &hex("840742007bc1")),
        [("/3/0/7/0".to_owned(), Value::Integer(31681))]
    );
    assert_eq!(
        values(TLV, "/3/0/7/0", &hex("840742007bc1")),
        [("/3/0/7/0".to_owned(), Value::Integer(31681))]
    );
}

#[test]
fn anjay_answers_its_test_object_with_every_type() {
    let payload = hex(
        "c4006b042de8c10100860341000a41070b8004c005c10600c20703e8c00a880b0c44000000000a44070000000bc10c2ac10d01c40e3fc00000c80f0b68656c6c6f20776f726c64c41000030000c11101c41240100000c11307c114008016",
    );
    let values = values(TLV, "/33605/5", &payload);
    let of = |path: &str| {
        values
            .iter()
            .find(|(known, _)| known == path)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(of("/33605/5/0"), Some(Value::Time(1_795_436_008)));
    assert_eq!(of("/33605/5/3/0"), Some(Value::Integer(10)));
    assert_eq!(of("/33605/5/3/7"), Some(Value::Integer(11)));
    assert_eq!(of("/33605/5/10"), Some(opaque(b"")));
    assert_eq!(of("/33605/5/12"), Some(Value::Integer(42)));
    assert_eq!(of("/33605/5/13"), Some(Value::Boolean(true)));
    assert_eq!(of("/33605/5/14"), Some(Value::Float(1.5)));
    assert_eq!(of("/33605/5/15"), Some(string("hello world")));
    assert_eq!(of("/33605/5/16"), Some(Value::Objlnk(3, 0)));
    assert_eq!(of("/33605/5/17"), Some(Value::Unsigned(1)));
    assert_eq!(of("/33605/5/18"), Some(Value::Float(2.25)));
    assert_eq!(of("/33605/5/11/7"), Some(opaque(&[0, 0, 0, 11])));
    assert!(
        !values
            .iter()
            .any(|(path, _)| path.starts_with("/33605/5/4") || path.starts_with("/33605/5/22"))
    );
}

#[test]
fn an_object_is_answered_with_its_instances() {
    // The Object Instance Anjay creates at /33605/5.
    let created = values(
        TLV,
        "/33605",
        &hex("080511c10c7bc80f0b68656c6c6f20776f726c64"),
    );
    assert_eq!(
        created,
        [
            ("/33605/5/12".to_owned(), Value::Integer(123)),
            ("/33605/5/15".to_owned(), string("hello world"))
        ]
    );
    // The Server instance of a bootstrap.
    let server = values(TLV, "/1", &hex("08020dc10065c2010037c10600c10755"));
    assert_eq!(
        server,
        [
            ("/1/2/0".to_owned(), Value::Integer(101)),
            ("/1/2/1".to_owned(), Value::Integer(55)),
            ("/1/2/6".to_owned(), Value::Boolean(false)),
            ("/1/2/7".to_owned(), string("U")),
        ]
    );
}

#[test]
fn an_instance_may_be_wrapped_or_not() {
    let wrapped = values(TLV, "/3/0", &hex("080003c10964"));
    assert_eq!(wrapped, [("/3/0/9".to_owned(), Value::Integer(100))]);
    let bare = values(TLV, "/3", &hex("c10964"));
    assert_eq!(bare, wrapped);
    assert_eq!(values(TLV, "/3/0/9", &hex("080003c10964")), wrapped);
}

#[test]
fn resource_instances_may_stand_alone() {
    let expected = [
        ("/3/0/7/0".to_owned(), Value::Integer(3800)),
        ("/3/0/7/1".to_owned(), Value::Integer(5000)),
    ];
    assert_eq!(values(TLV, "/3/0/7", &hex("42000ed842011388")), expected);
    assert_eq!(
        value(TLV, "/3/0/7/1", &hex("42011388")),
        Value::Integer(5000)
    );
}

// The examples of LwM2M Core 1.0 §6.4.3.
#[test]
fn the_device_object_of_the_specification_is_read() {
    let payload = hex(
        "080079c800144f70656e204d6f62696c6520416c6c69616e6365c801164c69676874776569676874204d324d20436c69656e74c80209333435303030313233c303312e30860641000141010588070842000ed842011388870841007d42010384c10964c10a0f830b410000c40d5182428fc60e2b30323a3030c11055",
    );
    let mut expected = wakaama_device(0x5182_428f);
    expected.retain(|(path, _)| path != "/3/0/15");
    for (path, value) in &mut expected {
        if path == "/3/0/14" {
            *value = string("+02:00");
        }
    }
    assert_eq!(values(TLV, "/3", &payload), expected);
    assert_eq!(values(TLV, "/3/0", &payload[3..]), expected);
}

#[test]
fn the_access_control_object_of_the_specification_is_read() {
    let payload =
        hex("08000ec10001c101008302417f07c1037f080212c10003c101008702417f0761013601c1037f");
    let expected = [
        ("/2/0/0", 1),
        ("/2/0/1", 0),
        ("/2/0/2/127", 7),
        ("/2/0/3", 127),
        ("/2/2/0", 3),
        ("/2/2/1", 0),
        ("/2/2/2/127", 7),
        ("/2/2/2/310", 1),
        ("/2/2/3", 127),
    ];
    assert_eq!(
        values(TLV, "/2", &payload),
        expected.map(|(path, integer)| (path.to_owned(), Value::Integer(integer)))
    );
}

#[test]
fn the_object_links_of_the_specification_are_read() {
    let payload =
        hex("88000c44000042000044010042 0001c8010d38363133383030373535353030c40212345678");
    assert_eq!(
        values(TLV, "/65/0", &payload),
        [
            ("/65/0/0/0".to_owned(), Value::Objlnk(66, 0)),
            ("/65/0/0/1".to_owned(), Value::Objlnk(66, 1)),
            ("/65/0/1".to_owned(), string("8613800755500")),
            ("/65/0/2".to_owned(), Value::Integer(0x1234_5678)),
        ]
    );
}

#[test]
fn integers_have_one_two_four_or_eight_bytes() {
    for (payload, expected) in [
        ("c10cff", -1),
        ("c20cffff", -1),
        ("c40c80000000", i64::from(i32::MIN)),
        ("c80c088000000000000000", i64::MIN),
    ] {
        assert_eq!(
            value(TLV, "/33605/5/12", &hex(payload)),
            Value::Integer(expected),
            "{payload}"
        );
    }
    assert_eq!(
        value(TLV, "/33605/5/17", &hex("c811 08 ffffffffffffffff")),
        Value::Unsigned(u64::MAX)
    );
    for payload in [
        "c00c",
        "c30c010203",
        "c50c0102030405",
        "c80c09010203040506070809",
    ] {
        let error = refusal(TLV, "/33605/5/12", &hex(payload)).to_string();
        assert!(
            error.ends_with("for /33605/5/12, expected an Integer of 1, 2, 4 or 8 bytes"),
            "{error}"
        );
    }
}

#[test]
fn other_types_have_their_lengths_too() {
    for (payload, text) in [
        (
            "c10d02",
            "byte 0: found 1 bytes for /33605/5/13, expected a Boolean, one byte 0 or 1",
        ),
        (
            "c20e0102",
            "byte 0: found 2 bytes for /33605/5/14, expected a Float of 4 or 8 bytes",
        ),
        (
            "c2100102",
            "byte 0: found 2 bytes for /33605/5/16, expected an Objlnk of 4 bytes",
        ),
        (
            "c10fff",
            "byte 0: found 1 bytes for /33605/5/15, expected text in UTF-8",
        ),
    ] {
        assert_eq!(refusal(TLV, "/33605/5", &hex(payload)).to_string(), text);
    }
    assert_eq!(
        value(TLV, "/33605/5/14", &hex("c80e084002000000000000")),
        Value::Float(2.25)
    );
}

#[test]
fn ids_and_lengths_come_in_every_width() {
    for header in [
        "c3 0f",
        "c8 0f 03",
        "d0 0f 0003",
        "d8 0f 000003",
        "e3 000f",
        "e8 000f 03",
        "f0 000f 0003",
        "f8 000f 000003",
    ] {
        let payload = [hex(header), b"abc".to_vec()].concat();
        assert_eq!(
            value(TLV, "/33605/5/15", &payload),
            string("abc"),
            "{header}"
        );
    }
    assert_eq!(
        value(TLV, "/33605/5/3856", &hex("e1 0f10 07")),
        opaque(&[7])
    );
}

#[test]
fn values_of_unknown_type_stay_bytes() {
    let records =
        decode_with(&Unknown, TLV, "/3/0", &hex("c10964c500616e6a6179")).expect("a good payload");
    let values: Vec<_> = records
        .into_iter()
        .filter_map(|record| record.value)
        .collect();
    assert_eq!(values, [opaque(&[100]), opaque(b"anjay")]);
}

#[test]
fn an_empty_payload_has_no_values() {
    assert_eq!(values(TLV, "/3", b""), []);
    assert_eq!(values(TLV, "/3/0/7", &hex("8007")), []);
}

#[test]
fn a_cut_payload_is_refused_with_the_place() {
    for (payload, text) in [
        (
            "c1",
            "byte 1: the payload ends, expected the id of a TLV entry",
        ),
        (
            "c8",
            "byte 1: the payload ends, expected the id of a TLV entry",
        ),
        (
            "c809",
            "byte 2: the payload ends, expected the length of a TLV entry",
        ),
        (
            "c10964c209",
            "byte 5: the payload ends, expected the value of a TLV entry",
        ),
        (
            "d809ffff64",
            "byte 5: the payload ends, expected the value of a TLV entry",
        ),
        (
            "840742007b",
            "byte 5: the payload ends, expected the value of a TLV entry",
        ),
        (
            "830742007b",
            "byte 5: the payload ends, expected the value of a TLV entry",
        ),
    ] {
        assert_eq!(
            refusal(TLV, "/3/0", &hex(payload)).to_string(),
            text,
            "{payload}"
        );
    }
}

#[test]
fn entries_in_the_wrong_place_are_refused() {
    for (base, payload, text) in [
        (
            "/3/0",
            "8303c10964",
            "byte 2: found a Resource entry, expected a Resource Instance entry inside of a multiple Resource",
        ),
        (
            "/3",
            "0803410001",
            "byte 5: the payload ends, expected the value of a TLV entry",
        ),
        (
            "/3",
            "0300410001",
            "byte 2: found a Resource Instance entry, expected a Resource entry inside of an Object Instance",
        ),
        (
            "/3",
            "02000000",
            "byte 2: found an Object Instance entry, expected a Resource entry inside of an Object Instance",
        ),
        (
            "/3/0",
            "410001",
            "byte 0: found a Resource Instance entry, expected Object Instance or Resource entries",
        ),
        (
            "/",
            "c10964",
            "byte 0: found TLV, expected a format with full paths for a request without path",
        ),
        (
            "/3/0",
            "e1ffff64",
            "byte 0: found id 65535, expected an id from 0 to 65534",
        ),
    ] {
        assert_eq!(
            refusal(TLV, base, &hex(payload)).to_string(),
            text,
            "{payload}"
        );
    }
}

#[test]
fn values_outside_of_what_was_asked_for_are_refused() {
    assert_eq!(
        refusal(TLV, "/3/0/9", &hex("c10a64")).to_string(),
        "byte 0: path /3/0/10 is not at or under /3/0/9"
    );
    assert_eq!(
        refusal(TLV, "/3/0", &hex("080103c10964")).to_string(),
        "byte 3: path /3/1/9 is not at or under /3/0"
    );
}
