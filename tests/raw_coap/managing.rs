//! Create, Write, Execute, Write-Attributes and Discover as recorded (client-behaviour.md: "Create with TLV, Write TLV",
//! "Other writes", "Execute with arguments, Write-Attributes, Discover, errors", "Firmware push").

use data_encoding::HEXLOWER;
use serde_json::json;

use super::replay::Recording::{Bytes, Text};
use super::replay::{ANJAY, Compare, Exchange, Recorded};
use crate::support::datagram::{BLOCK1, CONTENT_FORMAT, Datagram, PUT, hex};

const SIZE1: u16 = 60;
const CHANGED: &str = "60440000";

#[test]
fn anjay_creates_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    let params = json!({
        "id": "/33605/5", "value": {"12": 123, "15": "hello world"}, "contentFormat": 11542
    });
    let request =
        "4802cd5dede271574a836b16b53333363035122d16ff080511c10c7bc80f0b68656c6c6f20776f726c64";
    let answer = Bytes("6841cd5dede271574a836b168533333630350135");
    assert_eq!(
        device.asks("Create", &params, request, answer),
        json!({"result": "CREATED", "value": "location=/33605/5"})
    );
}

#[test]
fn anjay_is_written_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    for (method, params, request) in [
        (
            "WriteReplace",
            json!({"id": "/33605/5/12", "value": 42, "contentFormat": 11542}),
            "4803cd61c9e73f3c8d5cb86cb533333630350135023132122d16ffc10c2a",
        ),
        (
            "WriteReplace",
            json!({"id": "/33605/5/3", "value": {"0": 10, "7": 11}, "contentFormat": 11542}),
            "4803cd6297f87d424af76650b5333336303501350133122d16ff860341000a41070b",
        ),
        (
            "WriteReplace",
            json!({"id": "/33605/5/15", "value": "zażółć", "contentFormat": 0}),
            "4403cd67a787d8ebb53333363035013502313510ff7a61c5bcc3b3c582c487",
        ),
        (
            "WriteReplace",
            json!({"id": "/33605/5/10", "value": "000102030405060708090a0b0c0d0e0f", "contentFormat": 42}),
            "4803cd68d379a67e6f5194b4b533333630350135023130112aff000102030405060708090a0b0c0d0e0f",
        ),
        (
            "WriteReplace",
            json!({"id": "/33605/5/12", "value": -7, "contentFormat": 60}),
            "4803cd6fb8935b3270ab929db533333630350135023132113cff26",
        ),
        // Recorded with its two values the other way round; members of a JSON object have no order.
        (
            "WriteUpdate",
            json!({"id": "/33605/5", "value": {"15": "js", "13": false}, "contentFormat": 110}),
            "4802cd71d98b39d5be6b9035b533333630350135116eff5b7b22626e223a222f33333630352f352f222c226e223a223133222c227662223a66616c73657d2c7b226e223a223135222c227673223a226a73227d5d",
        ),
    ] {
        let result = device.asks(method, &params, request, Bytes(CHANGED));
        assert_eq!(result, json!({"result": "CHANGED"}), "{params}");
    }
}

#[test]
fn a_format_that_anjay_does_not_take_is_unsupported() {
    let mut device = Recorded::device("1.1", ANJAY);
    let params = json!({"id": "/33605/5/12", "value": 5, "contentFormat": 11543});
    let request = "4403cd7241a71ddab533333630350135023132122d17ff7b22626e223a222f33333630352f352f3132222c2265223a5b7b2276223a357d5d7d";
    assert_eq!(
        device.asks("WriteReplace", &params, request, Bytes("648fcd7241a71dda")),
        json!({"result": "UNSUPPORTED_CONTENT_FORMAT"})
    );
}

#[test]
fn anjay_is_read_back_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    let params = json!({"id": "/33605/5", "contentFormat": 11542});
    let request = "4401cd63ee11b73fb533333630350135622d16";
    let result = device.asks("Read", &params, request, Bytes("6445cd63ee11b73fc22d16ffc4006b042de8c10100860341000a41070b8004c005c10600c20703e8c00a880b0c44000000000a44070000000bc10c2ac10d01c40e3fc00000c80f0b68656c6c6f20776f726c64c41000030000c11101c41240100000c11307c114008016"));
    let value = result["value"].as_str().unwrap_or_default();
    for expected in [
        "3=LwM2mMultipleResource [id=3, values={0=LwM2mResourceInstance [id=0, value=10, type=INTEGER], 7=LwM2mResourceInstance [id=7, value=11, type=INTEGER]}, type=INTEGER]",
        "10=LwM2mSingleResource [id=10, value=0Bytes, type=OPAQUE]",
        "12=LwM2mSingleResource [id=12, value=42, type=INTEGER]",
        "13=LwM2mSingleResource [id=13, value=true, type=BOOLEAN]",
        "14=LwM2mSingleResource [id=14, value=1.5, type=FLOAT]",
        "15=LwM2mSingleResource [id=15, value=hello world, type=STRING]",
        "16=LwM2mSingleResource [id=16, value=/3/0, type=OBJLNK]",
    ] {
        assert!(value.contains(expected), "{expected}: {result}");
    }
}

/// Bytes are padded base64 in text and unpadded base64url in SenML JSON.
#[test]
fn bytes_of_anjay_are_read_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    let expected = json!({
        "result": "CONTENT",
        "value": "LwM2mSingleResource id=10 value=000102030405060708090a0b0c0d0e0f type=OPAQUE"
    });
    for (format, request, answer) in [
        (
            0,
            "4801cd6a1e533080991aaef3b53333363035013502313060",
            Bytes("6845cd6a1e533080991aaef3c0ff41414543417751464267634943516f4c4441304f44773d3d"),
        ),
        (
            110,
            "4401cd6d9a413859b533333630350135023130616e",
            Bytes(
                "6445cd6d9a413859c16eff5b7b22626e223a222f33333630352f352f3130222c227664223a2241414543417751464267634943516f4c4441304f4477227d5d",
            ),
        ),
    ] {
        let params = json!({"id": "/33605/5/10", "contentFormat": format});
        assert_eq!(device.asks("Read", &params, request, answer), expected);
    }
}

#[test]
fn anjay_executes_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    let params = json!({"id": "/33605/5/2", "value": "0='foo',1,2='3'"});
    let request = "4402cd781a57b0c0b533333630350135013210ff303d27666f6f272c312c323d273327";
    let result = device.asks("Execute", &params, request, Bytes(CHANGED));
    assert_eq!(result, json!({"result": "CHANGED"}));
}

#[test]
fn attributes_are_written_to_anjay_and_discovered_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    let attributes = json!({"pmin": 2, "pmax": 20, "gt": 10, "lt": 2.5, "st": 0.5});
    let params = json!({"id": "/33605/5/12", "attributes": attributes});
    let request = "4803cd7fa01cebac88ccdec5b53333363035013502313246706d696e3d3207706d61783d32300567743d3130066c743d322e350673743d302e35";
    let result = device.asks("WriteAttributes", &params, request, Bytes(CHANGED));
    assert_eq!(result, json!({"result": "CHANGED"}));

    let links = r#"</33605/5>,</33605/5/0>,</33605/5/1>,</33605/5/2>,</33605/5/3>;dim=2,</33605/5/4>;dim=0,</33605/5/5>,</33605/5/6>,</33605/5/7>,</33605/5/9>,</33605/5/10>,</33605/5/11>;dim=2,</33605/5/12>;pmin=2;pmax=20;gt=10;lt=2.5;st=0.5,</33605/5/13>,</33605/5/14>,</33605/5/15>,</33605/5/16>,</33605/5/17>,</33605/5/18>,</33605/5/19>,</33605/5/20>,</33605/5/21>,</33605/5/22>;dim=0,</33605/5/23>"#;
    let request = "4401cd8162666afdb5333336303501356128";
    let params = json!({"id": "/33605/5"});
    let result = device.asks("Discover", &params, request, Text(0x45, 40, links));
    assert_eq!(result, json!({"result": "CONTENT", "value": links}));
}

/// Three blocks of 1024 bytes, announced with Size1.
#[test]
fn firmware_is_pushed_to_anjay_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    let package: Vec<u8> = [&b"ANJAY_FW"[..], &[b'x'; 3_042]].concat();
    let block = |number: u8, more: u8, bytes: &[u8]| {
        let mut request = Datagram::con(PUT, 0x6ea3)
            .token(&hex("92c2cd4bd572381a"))
            .path("/5/0/0")
            .option(CONTENT_FORMAT, &[42])
            .option(BLOCK1, &[number << 4 | more << 3 | 6]);
        if number == 0 {
            request = request.option(SIZE1, &[0x0b, 0xea]);
        }
        HEXLOWER.encode(&request.payload(bytes).encode())
    };
    let exchanges = [
        Exchange::new(
            block(0, 1, &package[..1_024]),
            Bytes("685f6ea392c2cd4bd572381ad10e0e"),
        ),
        Exchange::new(
            block(1, 1, &package[1_024..2_048]),
            Bytes("685f6ea492c2cd4bd572381ad10e1e"),
        ),
        Exchange::new(
            block(2, 0, &package[2_048..]),
            Bytes("68446ea592c2cd4bd572381ad10e26"),
        ),
    ];
    let params = json!({
        "id": "/5/0/0", "value": HEXLOWER.encode(&package), "contentFormat": 42
    });
    let (result, _) = device.command("WriteReplace", &params, &exchanges, Compare::All);
    assert_eq!(result, json!({"result": "CHANGED"}));
}
