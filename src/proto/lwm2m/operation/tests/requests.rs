//! Requests that Anjay and Wakaama were sent, byte by byte.

use super::*;

// A01, A05, A06, ETS 222, 223, 224.
#[test]
fn a_read_asks_for_the_format_wanted() {
    let device = read("/3/0");
    for (format, mid, token, expected) in [
        (110, 0x888d, "884e37b4", "4401888d884e37b4b1330130616e"),
        (
            112,
            0x888e,
            "72d47d8ebc21ad62",
            "4801888e72d47d8ebc21ad62b13301306170",
        ),
        (11542, 0x888f, "423ccdb9", "4401888f423ccdb9b1330130622d16"),
        (11543, 0x8890, "843c29b3", "44018890843c29b3b1330130622d17"),
        (
            11544,
            0x8891,
            "f4ecb4b0dc351995",
            "48018891f4ecb4b0dc351995b1330130622d18",
        ),
    ] {
        assert_eq!(message(&device, using(V1_1, format), mid, token), expected);
    }
    let opaque = read("/33605/5/10");
    assert_eq!(
        message(&opaque, using(V1_1, 0), 0xcd6a, "1e533080991aaef3"),
        "4801cd6a1e533080991aaef3b53333363035013502313060"
    );
}

// ETS 237.
#[test]
fn a_read_of_a_resource_lets_the_device_choose() {
    assert_eq!(
        message(&read("/3/0/4"), V1_1, 0xcd7d, "3d63fdae"),
        "4401cd7d3d63fdaeb13301300134"
    );
    assert_eq!(
        message(&read("/0/0"), V1_1, 0xcd7e, "159baa51"),
        "4401cd7e159baa51b1300130"
    );
}

#[test]
fn a_read_may_ask_for_small_blocks() {
    let context = RequestContext {
        szx: Some(2),
        ..using(V1_1, 11542)
    };
    assert_eq!(
        message(&read("/3/0"), context, 0xe267, "485bd8afd4d86ad0"),
        "4801e267485bd8afd4d86ad0b1330130622d166102"
    );
    let write = replace("/3/0/14", vec![record("/3/0/14", string("+02:00"))]);
    assert_eq!(parts(&write, context).block2, None);
}

// V01 to V04, ETS 260.
#[test]
fn a_discover_is_a_get_that_accepts_links() {
    let discover = |depth| Operation::Discover {
        path: path("/33605/5"),
        depth,
    };
    assert_eq!(
        message(&discover(None), V1_1, 0xcd81, "62666afd"),
        "4401cd8162666afdb5333336303501356128"
    );
    // ETS 264, 266.
    let parts = parts(&discover(Some(2)), V1_2);
    assert_eq!(parts.queries, ["depth=2".into()]);
    assert_eq!(parts.accept, Some(40));
}

// T01 to T04, ETS 261.
#[test]
fn write_attributes_is_a_put_with_queries_and_no_content_format() {
    let write = |at: &str, queries: &[&str]| Operation::WriteAttributes {
        path: path(at),
        attributes: attributes(queries),
    };
    assert_eq!(
        message(
            &write("/3/0/13", &["pmin=1", "pmax=10"]),
            V1_1,
            0xe4c5,
            "042d3cc1b821d148"
        ),
        "4803e4c5042d3cc1b821d148b133013002313346706d696e3d3107706d61783d3130"
    );
    let all = ["pmin=2", "pmax=20", "gt=10", "lt=2.5", "st=0.5"];
    assert_eq!(
        message(
            &write("/33605/5/12", &all),
            V1_1,
            0xcd7f,
            "a01cebac88ccdec5"
        ),
        "4803cd7fa01cebac88ccdec5b53333363035013502313246706d696e3d3207706d61783d32300567743d3130066c743d322e350673743d302e35"
    );
    let unset = parts(&write("/3", &["pmin", "pmax"]), V1_0);
    assert_eq!(unset.queries, ["pmin".into(), "pmax".into()]);
    assert_eq!((unset.content_format, unset.body.len()), (None, 0));
}

// E06, E07, ETS 241.
#[test]
fn an_execute_is_a_post_with_its_arguments_as_text() {
    assert_eq!(
        message(
            &execute("/33605/5/2", "0='foo',1,2='3'"),
            V1_1,
            0xcd78,
            "1a57b0c0"
        ),
        "4402cd781a57b0c0b533333630350135013210ff303d27666f6f272c312c323d273327"
    );
    assert_eq!(
        message(&execute("/3/0/4", ""), V1_1, 0x81b4, "7fce6b17693b0496"),
        "480281b47fce6b17693b0496b13301300134"
    );
}

// C02, C03.
#[test]
fn a_create_with_instance_id_names_it_in_the_body() {
    let create = Operation::Create {
        object: 33605,
        ids: InstanceIds::Stated,
        records: vec![
            record("/33605/5/12", Value::Integer(123)),
            record("/33605/5/15", string("hello world")),
        ],
    };
    assert_eq!(
        message(&create, V1_1, 0xcd5d, "ede271574a836b16"),
        "4802cd5dede271574a836b16b53333363035122d16ff080511c10c7bc80f0b68656c6c6f20776f726c64"
    );
    let two = Operation::Create {
        object: 2,
        ids: InstanceIds::Stated,
        records: vec![record("/2/0/0", Value::Integer(1)), gap("/2/2")],
    };
    assert_eq!(parts(&two, V1_0).body, b"\x03\x00\xc1\x00\x01\x00\x02");
}

// C01.
#[test]
fn a_create_without_instance_id_has_bare_resources() {
    let create = |records| Operation::Create {
        object: 2,
        ids: InstanceIds::ChosenByDevice,
        records,
    };
    let parts = parts(
        &create(vec![record("/2/0/0", Value::Integer(1))]),
        announcing(V1_1, &[110, 112, 11542]),
    );
    assert_eq!(parts.code, crate::proto::coap::Code::POST);
    assert_eq!(parts.uri_path, ["2".into()]);
    assert_eq!(parts.content_format, Some(11542), "only TLV can say it");
    assert_eq!(parts.body, b"\xc1\x00\x01");
    assert_eq!(super::parts(&create(vec![]), V1_1).body, b"");
}

// D01.
#[test]
fn a_delete_is_a_delete() {
    let delete = |at: &str| Operation::Delete { path: path(at) };
    assert_eq!(
        message(&delete("/33605/5"), V1_1, 1, "01"),
        "4104000101b5333336303501 35".replace(' ', "")
    );
    let instance = parts(&delete("/33605/5/3/7"), V1_2);
    assert_eq!(instance.uri_path.len(), 4);
}

// W01 to W09, W19, ETS 205, 211, 215, 220, 227, 233, 234.
#[test]
fn a_write_of_a_resource_is_a_put_in_the_format_wanted() {
    let integer = |value| {
        replace(
            "/33605/5/12",
            vec![record("/33605/5/12", Value::Integer(value))],
        )
    };
    let float = replace(
        "/33605/5/14",
        vec![record("/33605/5/14", Value::Float(3.5))],
    );
    let text = replace("/33605/5/15", vec![record("/33605/5/15", string("zażółć"))]);
    let bytes: Vec<u8> = (0..16).collect();
    let opaque = replace(
        "/33605/5/10",
        vec![record("/33605/5/10", Value::Opaque(bytes.into()))],
    );
    let double = RequestContext {
        encoding: crate::proto::lwm2m::codec::EncodeOptions {
            floats: crate::proto::lwm2m::codec::FloatWidth::Double,
        },
        ..using(V1_1, 112)
    };
    for (operation, context, mid, token, expected) in [
        (
            &text,
            V1_1,
            0xcd67,
            "a787d8eb",
            "4403cd67a787d8ebb53333363035013502313510ff7a61c5bcc3b3c582c487",
        ),
        (
            &opaque,
            V1_1,
            0xcd68,
            "d379a67e6f5194b4",
            "4803cd68d379a67e6f5194b4b533333630350135023130112aff000102030405060708090a0b0c0d0e0f",
        ),
        (
            &integer(-7),
            using(V1_1, 60),
            0xcd6f,
            "b8935b3270ab929d",
            "4803cd6fb8935b3270ab929db533333630350135023132113cff26",
        ),
        (
            &float,
            double,
            0xcd70,
            "5f3e71ae",
            "4403cd705f3e71aeb5333336303501350231341170ff81a2006b2f33333630352f352f313402fb400c000000000000",
        ),
        (
            &integer(42),
            using(V1_1, 11542),
            0xcd61,
            "c9e73f3c8d5cb86c",
            "4803cd61c9e73f3c8d5cb86cb533333630350135023132122d16ffc10c2a",
        ),
        (
            &integer(5),
            using(V1_1, 11543),
            0xcd72,
            "41a71dda",
            "4403cd7241a71ddab533333630350135023132122d17ff7b22626e223a222f33333630352f352f3132222c2265223a5b7b2276223a357d5d7d",
        ),
        (
            &integer(77),
            using(V1_1, 11544),
            0xcd73,
            "18fa1243f5c9eb09",
            "4803cd7318fa1243f5c9eb09b533333630350135023132122d18ffa1198345a105a10c184d",
        ),
    ] {
        assert_eq!(message(operation, context, mid, token), expected);
    }
    let package_uri = replace(
        "/5/0/1",
        vec![record("/5/0/1", string("coap://127.0.0.1:5783/fw/pkg.bin"))],
    );
    assert_eq!(
        message(&package_uri, V1_1, 0x6eac, "3d2aed85"),
        "44036eac3d2aed85b1350130013110ff636f61703a2f2f3132372e302e302e313a353738332f66772f706b672e62696e"
    );
}

// W11, W16, W17, W18, ETS 228.
#[test]
fn a_write_of_a_multiple_resource_has_all_its_instances() {
    let write = replace(
        "/33605/5/3",
        vec![
            record("/33605/5/3/0", Value::Integer(10)),
            record("/33605/5/3/7", Value::Integer(11)),
        ],
    );
    assert_eq!(
        message(&write, V1_1, 0xcd62, "97f87d424af76650"),
        "4803cd6297f87d424af76650b5333336303501350133122d16ff860341000a41070b"
    );
    let none = parts(&replace("/33605/5/3", vec![gap("/33605/5/3")]), V1_1);
    assert_eq!(
        (none.content_format, &none.body[..]),
        (Some(11542), &b"\x80\x03"[..])
    );
    let one = replace(
        "/33605/5/3/7",
        vec![record("/33605/5/3/7", Value::Integer(11))],
    );
    let one = parts(&one, V1_1);
    assert_eq!((one.content_format, &one.body[..]), (Some(0), &b"11"[..]));
}

// W15, ETS 226.
#[test]
fn a_partial_update_is_a_post() {
    let write = update(
        "/33605/5",
        vec![
            record("/33605/5/15", string("js")),
            record("/33605/5/13", Value::Boolean(false)),
        ],
    );
    assert_eq!(
        message(&write, using(V1_1, 110), 0xcd71, "d98b39d5be6b9035"),
        "4802cd71d98b39d5be6b9035b533333630350135116eff5b7b22626e223a222f33333630352f352f222c226e223a223135222c227673223a226a73227d2c7b226e223a223133222c227662223a66616c73657d5d"
    );
    let instances = update(
        "/19/0/0",
        vec![record("/19/0/0/25", Value::Opaque([0x25, 0xad].into()))],
    );
    let parts = parts(&instances, V1_1);
    assert_eq!(
        parts.content_format,
        Some(11542),
        "text would be an Execute"
    );
    assert_eq!(parts.body, b"\x84\x00\x42\x19\x25\xad");
}

// W13, W14.
#[test]
fn a_replacement_of_an_instance_is_a_put() {
    let security = replace(
        "/0/2",
        vec![
            record("/0/2/0", string("coap://127.0.0.1:5783")),
            record("/0/2/1", Value::Boolean(false)),
            record("/0/2/2", Value::Integer(3)),
            record("/0/2/3", Value::Opaque([].into())),
            record("/0/2/4", Value::Opaque([].into())),
            record("/0/2/5", Value::Opaque([].into())),
            record("/0/2/10", Value::Integer(101)),
        ],
    );
    assert_eq!(
        message(&security, V1_0, 0xf1ca, "7f512146"),
        "4403f1ca7f512146b1300132122d16ffc80015636f61703a2f2f3132372e302e302e313a35373833c10100c10203c003c004c005c10a65"
    );
    let server = replace(
        "/1/1",
        vec![
            record("/1/1/0", Value::Integer(1)),
            record("/1/1/1", Value::Integer(300)),
            record("/1/1/6", Value::Boolean(false)),
            record("/1/1/7", string("U")),
        ],
    );
    assert_eq!(
        message(&server, announcing(V1_1, &[112]), 0x5a80, "805a612f"),
        "44035a80805a612fb13101311170ff84a321652f312f312f0061300201a20061310219012ca200613604f4a2006137036155"
    );
}

// O01 to O04, O12, ETS 301.
#[test]
fn an_observe_is_a_get_with_observe_0() {
    assert_eq!(
        message(&observe("/3/0/13", &[]), V1_1, 0xe4c7, "01020304"),
        "4401e4c7010203046051330130023133"
    );
    assert_eq!(
        message(
            &observe("/3/0/14", &[]),
            using(V1_1, 112),
            0xe4c9,
            "01020305"
        ),
        "4401e4c90102030560513301300231346170"
    );
    assert_eq!(
        message(
            &observe("/3303/0", &[]),
            announcing(V1_1, &[60, 11542, 112]),
            0xe4cb,
            "01020306"
        ),
        "4401e4cb0102030660543333303301306170"
    );
}

// ETS 312.
#[test]
fn an_observe_of_1_2_carries_attributes_and_its_cancellation_does_not() {
    let observation = observe("/3/0/13", &["pmin=1", "pmax=2", "con=1"]);
    assert_eq!(
        message(&observation, V1_2, 0x6eb2, "4f413133"),
        "44016eb24f413133605133013002313346706d696e3d3106706d61783d3205636f6e3d31"
    );
    let cancel = parts(
        &Operation::CancelObservation {
            path: path("/3/0/13"),
        },
        V1_2,
    );
    assert_eq!((cancel.observe, cancel.queries.len()), (Some(1), 0));
}

// O10, O11, ETS 303.
#[test]
fn a_cancellation_is_the_same_get_with_observe_1() {
    let cancel = Operation::CancelObservation {
        path: path("/3/0/13"),
    };
    assert_eq!(
        message(&cancel, V1_1, 0xe4c8, "01020304"),
        "4401e4c801020304610151330130023133"
    );
    assert_eq!(parts(&cancel, using(V1_1, 112)).accept, Some(112));
}

// A08 to A11, ETS 229, 280.
#[test]
fn a_read_composite_is_a_fetch_of_the_root_with_paths() {
    let fetch = |texts: &[&str]| Operation::ReadComposite {
        paths: paths(texts),
    };
    assert_eq!(
        message(
            &fetch(&["/3/0/0", "/3/0/14", "/1/1/1"]),
            V1_1,
            0xe4cd,
            "b661d2c7de1a113d"
        ),
        "4805e4cdb661d2c7de1a113dc1705170ff83a100662f332f302f30a100672f332f302f3134a100662f312f312f31"
    );
    assert_eq!(
        message(
            &fetch(&["/3/0/0", "/3/0/7", "/1"]),
            announcing(V1_1, &[110]),
            0xe4ce,
            "d2160531411d6b60"
        ),
        "4805e4ced2160531411d6b60c16e516eff5b7b226e223a222f332f302f30227d2c7b226e223a222f332f302f37227d2c7b226e223a222f31227d5d"
    );
    // ETS 235.
    assert_eq!(
        parts(&fetch(&["/"]), using(V1_1, 110)).body,
        br#"[{"n":"/"}]"#
    );
    for (format, accept) in [(320, 110), (322, 112), (11544, 11544)] {
        let parts = parts(&fetch(&["/3/0/0"]), using(V1_2, format));
        assert_eq!(
            (parts.content_format, parts.accept),
            (Some(format), Some(accept))
        );
    }
}

// O17 to O25, ETS 304, 305.
#[test]
fn an_observe_composite_is_a_fetch_with_observe() {
    let two = || paths(&["/3/0/14", "/3/0/15"]);
    let observe = |queries: &[&str]| Operation::ObserveComposite {
        paths: two(),
        attributes: attributes(queries),
    };
    let cancel = Operation::CancelObservationComposite { paths: two() };
    assert_eq!(
        message(&observe(&[]), V1_1, 0xe4d0, "ccdd0102"),
        "4405e4d0ccdd01026061705170ff82a100672f332f302f3134a100672f332f302f3135"
    );
    assert_eq!(
        message(&cancel, V1_1, 0xe4d3, "ccdd0102"),
        "4405e4d3ccdd0102610161705170ff82a100672f332f302f3134a100672f332f302f3135"
    );
    // ETS 313.
    assert_eq!(
        parts(&observe(&["pmin=5"]), V1_2).queries,
        ["pmin=5".into()]
    );
    assert_eq!(parts(&cancel, V1_2).queries.len(), 0);
}

// W21, W22, W23, ETS 230.
#[test]
fn a_write_composite_is_an_ipatch_of_the_root() {
    let write = |records| Operation::WriteComposite { records };
    assert_eq!(
        message(
            &write(vec![
                record("/3/0/14", string("+05:00")),
                record("/1/1/1", Value::Integer(90))
            ]),
            V1_1,
            0xe4d1,
            "90113391"
        ),
        "4407e4d190113391c170ff82a200672f332f302f313403662b30353a3030a200662f312f312f3102185a"
    );
    assert_eq!(
        message(
            &write(vec![record("/3/0/0", string("x"))]),
            V1_1,
            0xe4d2,
            "57bb6599"
        ),
        "4407e4d257bb6599c170ff81a200662f332f302f30036178"
    );
    let removing = parts(&write(vec![gap("/33605/5/3/7")]), using(V1_2, 320));
    assert_eq!(removing.body, br#"[{"n":"/33605/5/3/7","v":null}]"#);
}

#[test]
fn an_alternate_path_goes_in_front() {
    let context = RequestContext {
        alternate_path: Some("/my/lwm2m"),
        ..V1_1
    };
    assert_eq!(
        parts(&read("/3/0"), context).uri_path,
        ["my".into(), "lwm2m".into(), "3".into(), "0".into()]
    );
    let fetch = Operation::ReadComposite {
        paths: paths(&["/3"]),
    };
    assert_eq!(
        parts(&fetch, context).uri_path,
        ["my".into(), "lwm2m".into()]
    );
}
