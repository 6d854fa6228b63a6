//! Reads as recorded (client-behaviour.md: "Read /3/0 with each Accept", "Read /3/0/0", "Read multi-instance resource
//! /3/0/7", "Read, wakaama").

use serde_json::{Value, json};

use super::replay::Recording::{Bytes, Text};
use super::replay::{ANJAY, Compare, Exchange, Recorded, Recording, WAKAAMA};

/// Content format, the recorded request, the recorded answer.
type Read = (u16, &'static str, Recording);

#[test]
fn anjay_is_read_as_recorded_an_instance_in_each_format() {
    let reads: [Read; 5] = [
        (
            110,
            "4401888d884e37b4b1330130616e",
            Text(
                0x45,
                110,
                r#"[{"bn":"/3/0","n":"/0","vs":"anjay"},{"n":"/1","vs":"demo-client"},{"n":"/2","vs":"1.1"},{"n":"/3","vs":"3.14.0"},{"n":"/6/0","v":0},{"n":"/7/0","v":31681},{"n":"/8/0","v":11},{"n":"/9","v":0},{"n":"/10","v":0},{"n":"/11/0","v":0},{"n":"/13","v":1795435792},{"n":"/14","vs":"+01:00"},{"n":"/15","vs":"Europe/Warsaw"},{"n":"/16","vs":"UQ"},{"n":"/17","vs":""},{"n":"/18","vs":""},{"n":"/19","vs":""},{"n":"/20","v":0},{"n":"/21","v":0},{"n":"/22/0","vlo":"33606:0"}]"#,
            ),
        ),
        (
            112,
            "4801888e72d47d8ebc21ad62b13301306170",
            Bytes(
                "6845888e72d47d8ebc21ad62c170ff94a321642f332f3000622f300365616e6a6179a200622f31036b64656d6f2d636c69656e74a200622f320363312e31a200622f330366332e31342e30a200642f362f300200a200642f372f3002197bc1a200642f382f30020ba200622f390200a200632f31300200a200652f31312f300200a200632f3133021a6b042d10a200632f313403662b30313a3030a200632f3135036d4575726f70652f576172736177a200632f313603625551a200632f31370360a200632f31380360a200632f31390360a200632f32300200a200632f32310200a200652f32322f3063766c6f6733333630363a30",
            ),
        ),
        (
            11542,
            "4401888f423ccdb9b1330130622d16",
            Bytes(
                "6445888f423ccdb9c22d16ffc500616e6a6179c8010b64656d6f2d636c69656e74c302312e31c603332e31342e308306410000840742007bc1830841000bc10900c10a00830b410000c40d6b042d10c60e2b30313a3030c80f0d4575726f70652f576172736177c2105551c011c012c013c11400c115008616440083460000",
            ),
        ),
        (
            11543,
            "44018890843c29b3b1330130622d17",
            Text(
                0x45,
                11543,
                r#"{"bn":"/3/0","e":[{"n":"/0","sv":"anjay"},{"n":"/1","sv":"demo-client"},{"n":"/2","sv":"1.1"},{"n":"/3","sv":"3.14.0"},{"n":"/6/0","v":0},{"n":"/7/0","v":31681},{"n":"/8/0","v":11},{"n":"/9","v":0},{"n":"/10","v":0},{"n":"/11/0","v":0},{"n":"/13","v":1795435792},{"n":"/14","sv":"+01:00"},{"n":"/15","sv":"Europe/Warsaw"},{"n":"/16","sv":"UQ"},{"n":"/17","sv":""},{"n":"/18","sv":""},{"n":"/19","sv":""},{"n":"/20","v":0},{"n":"/21","v":0},{"n":"/22/0","ov":"33606:0"}]}"#,
            ),
        ),
        (
            11544,
            "48018891f4ecb4b0dc351995b1330130622d18",
            Bytes(
                "68458891f4ecb4b0dc351995c22d18ffbf820300bf0065616e6a6179016b64656d6f2d636c69656e740263312e310366332e31342e3006bf0000ff07bf00197bc1ff08bf000bff09000a000bbf0000ff0d1a6b042d100e662b30313a30300f6d4575726f70652f576172736177106255511160126013601400150016bf006733333630363a30ffffff",
            ),
        ),
    ];
    let mut device = Recorded::device("1.1", ANJAY);
    for (format, request, answer) in reads {
        let params = json!({"id": "/3/0", "contentFormat": format});
        let result = device.asks("Read", &params, request, answer);
        for expected in [
            "0=LwM2mSingleResource [id=0, value=anjay, type=STRING]",
            "3=LwM2mSingleResource [id=3, value=3.14.0, type=STRING]",
            "7=LwM2mMultipleResource [id=7, values={0=LwM2mResourceInstance [id=0, value=31681, type=INTEGER]}, type=INTEGER]",
            "13=LwM2mSingleResource [id=13, value=Mon Nov 23 12:09:52 UTC 2026, type=TIME]",
            "17=LwM2mSingleResource [id=17, value=, type=STRING]",
            "22=LwM2mMultipleResource [id=22, values={0=LwM2mResourceInstance [id=0, value=/33606/0, type=OBJLNK]}, type=OBJLNK]",
        ] {
            assert_contains(&result, expected, format);
        }
    }
}

#[test]
fn anjay_is_read_as_recorded_a_resource_in_each_format() {
    let reads: [Read; 6] = [
        (
            0,
            "48018894af1423001456679bb13301300130",
            Bytes("68458894af1423001456679bc0ff616e6a6179"),
        ),
        (
            60,
            "440188962af7cca9b13301300130613c",
            Bytes("644588962af7cca9c13cff65616e6a6179"),
        ),
        (
            110,
            "4801889744266c5e1bac7ff9b13301300130616e",
            Bytes(
                "6845889744266c5e1bac7ff9c16eff5b7b22626e223a222f332f302f30222c227673223a22616e6a6179227d5d",
            ),
        ),
        (
            112,
            "44018898e57dbaeeb133013001306170",
            Bytes("64458898e57dbaeec170ff81a221662f332f302f300365616e6a6179"),
        ),
        (
            11542,
            "480188998ce76c823bfcfb62b13301300130622d16",
            Bytes("684588998ce76c823bfcfb62c22d16ffc500616e6a6179"),
        ),
        (
            11544,
            "4401889bd89ef6adb13301300130622d18",
            Bytes("6445889bd89ef6adc22d18ffbf8303000065616e6a6179ff"),
        ),
    ];
    let mut device = Recorded::device("1.1", ANJAY);
    let expected = json!({
        "result": "CONTENT", "value": "LwM2mSingleResource [id=0, value=anjay, type=STRING]"
    });
    for (format, request, answer) in reads {
        // Text was what the device chose by itself: nothing says what the engine would have asked for.
        let params = match format {
            0 => json!({"id": "/3/0/0"}),
            format => json!({"id": "/3/0/0", "contentFormat": format}),
        };
        let result = device.asks("Read", &params, request, answer);
        assert_eq!(result, expected, "format {format}");
    }
}

#[test]
fn anjay_is_read_as_recorded_a_multiple_resource_in_each_format() {
    let reads: [Read; 4] = [
        (
            112,
            "480188a0ce5f2e68582f4168b133013001376170",
            Bytes("684588a0ce5f2e68582f4168c170ff81a321662f332f302f3700622f3002197bc1"),
        ),
        (
            11542,
            "440188a17884bd09b13301300137622d16",
            Bytes("644588a17884bd09c22d16ff840742007bc1"),
        ),
        (
            11543,
            "480188a2a5b45cd3db75cc68b13301300137622d17",
            Bytes(
                "684588a2a5b45cd3db75cc68c22d17ff7b22626e223a222f332f302f37222c2265223a5b7b226e223a222f30222c2276223a33313638317d5d7d",
            ),
        ),
        (
            11544,
            "440188a3e07584c8b13301300137622d18",
            Bytes("644588a3e07584c8c22d18ffbf83030007bf00197bc1ffff"),
        ),
    ];
    let mut device = Recorded::device("1.1", ANJAY);
    let expected = json!({
        "result": "CONTENT",
        "value": "LwM2mMultipleResource [id=7, values={0=LwM2mResourceInstance [id=0, value=31681, type=INTEGER]}, type=INTEGER]"
    });
    for (format, request, answer) in reads {
        let params = json!({"id": "/3/0/7", "contentFormat": format});
        let result = device.asks("Read", &params, request, answer);
        assert_eq!(result, expected, "format {format}");
    }
}

/// 0, 42 and 60 are 4.06 for several values; here the device says so of a format it could have had.
#[test]
fn a_format_that_anjay_does_not_have_is_not_acceptable() {
    let mut device = Recorded::device("1.1", ANJAY);
    let params = json!({"id": "/3/0", "contentFormat": 112});
    let request = "4801888e72d47d8ebc21ad62b13301306170";
    let result = device.asks("Read", &params, request, Bytes("68868888cec60a3e09c12fd0"));
    assert_eq!(result, json!({"result": "NOT_ACCEPTABLE"}));
}

/// Wakaama's server asks without Accept and takes what comes; ours reads it whatever it asked for.
#[test]
fn wakaama_is_read_as_recorded_in_each_format() {
    let reads = [
        Exchange::new(
            "4401458ddc4c26ebb1330130",
            Bytes(
                "6445458ddc4c26ebc22d16ffc800144f70656e204d6f62696c6520416c6c69616e6365c801164c69676874776569676874204d324d20436c69656e74c80209333435303030313233c303312e30860641000141010588070842000ed842011388870841007d42010384c10964c10a0f830b410000c80d0800000000bc866fc1c60e2b30313a3030c80f0d4575726f70652f4265726c696ec11055",
            ),
        ),
        Exchange::new(
            "480145917e9ca2d622d119beb1330130616e",
            Text(
                0x45,
                110,
                r#"[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"1","vs":"Lightweight M2M Client"},{"n":"2","vs":"345000123"},{"n":"3","vs":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},{"n":"13","v":3162927041},{"n":"14","vs":"+01:00"},{"n":"15","vs":"Europe/Berlin"},{"n":"16","vs":"U"}]"#,
            ),
        ),
        Exchange::new(
            "440145c979509a10b13301306170",
            Bytes(
                "644545c979509a10c170ff91a321652f332f302f00613003744f70656e204d6f62696c6520416c6c69616e6365a200613103764c69676874776569676874204d324d20436c69656e74a20061320369333435303030313233a20061330363312e30a20063362f300201a20063362f310205a20063372f3002190ed8a20063372f3102191388a20063382f3002187da20063382f3102190384a2006139021864a200623130020fa2006431312f300200a200623133021abc866fd7a20062313403662b30313a3030a200623135036d4575726f70652f4265726c696ea200623136036155",
            ),
        ),
    ];
    let mut device = Recorded::device("1.1", WAKAAMA);
    for exchange in reads {
        let params = json!({"id": "/3/0"});
        let (result, _) = device.command("Read", &params, &[exchange], Compare::NotAccept);
        for expected in [
            "0=LwM2mSingleResource [id=0, value=Open Mobile Alliance, type=STRING]",
            "6=LwM2mMultipleResource [id=6, values={0=LwM2mResourceInstance [id=0, value=1, type=INTEGER], 1=LwM2mResourceInstance [id=1, value=5, type=INTEGER]}, type=INTEGER]",
            "9=LwM2mSingleResource [id=9, value=100, type=INTEGER]",
            "15=LwM2mSingleResource [id=15, value=Europe/Berlin, type=STRING]",
        ] {
            assert_contains(&result, expected, 0);
        }
    }
}

#[test]
fn wakaama_is_read_as_recorded_a_multiple_resource_in_json() {
    let mut device = Recorded::device("1.0", WAKAAMA);
    let request = "4801461878b5d4d1184551b9b13301300137622d17";
    let answer = Bytes(
        "6845461878b5d4d1184551b9c22d17ff7b22626e223a222f332f302f372f222c2265223a5b7b226e223a2230222c2276223a333830307d2c7b226e223a2231222c2276223a353030307d5d7d",
    );
    let params = json!({"id": "/3/0/7", "contentFormat": 11543});
    let result = device.asks("Read", &params, request, answer);
    assert_eq!(
        result["value"],
        "LwM2mMultipleResource [id=7, values={0=LwM2mResourceInstance [id=0, value=3800, type=INTEGER], 1=LwM2mResourceInstance [id=1, value=5000, type=INTEGER]}, type=INTEGER]"
    );
}

#[test]
fn anjay_refuses_as_recorded_to_be_read() {
    let mut device = Recorded::device("1.1", ANJAY);
    let request = "4401cd7d3d63fdaeb13301300134";
    let result = device.asks(
        "Read",
        &json!({"id": "/3/0/4"}),
        request,
        Bytes("6485cd7d3d63fdae"),
    );
    assert_eq!(result, json!({"result": "METHOD_NOT_ALLOWED"}));
}

/// Block2, negotiated by the device: it begins with blocks of 64 bytes.
#[test]
fn anjay_is_read_as_recorded_in_blocks() {
    let mut device = Recorded::device("1.1", ANJAY);
    let blocks = [
        // The recorded server asked for small blocks at once; ours takes the size the device chooses.
        Exchange::new(
            "4401888f423ccdb9b1330130622d16",
            Bytes(
                "6845e267485bd8afd4d86ad0c22d16b10affc500616e6a6179c8010b64656d6f2d636c69656e74c502736d616c6cc603332e31342e308306410000840742007db0830841000ac10900c10a00830b410000c4",
            ),
        ),
        Exchange::new(
            "4401e2683bacba45b1330130622d166112",
            Bytes(
                "6445e2683bacba45c22d16b112ff0d6b042eb7c60e2b30313a3030c80f0d4575726f70652f576172736177c2105551c011c012c013c11400c115008616440083460000",
            ),
        ),
    ];
    let params = json!({"id": "/3/0", "contentFormat": 11542});
    let (result, _) = device.command("Read", &params, &blocks, Compare::All);
    for expected in [
        "2=LwM2mSingleResource [id=2, value=small, type=STRING]",
        "15=LwM2mSingleResource [id=15, value=Europe/Warsaw, type=STRING]",
        "22=LwM2mMultipleResource [id=22, values={0=LwM2mResourceInstance [id=0, value=/33606/0, type=OBJLNK]}, type=OBJLNK]",
    ] {
        assert_contains(&result, expected, 11542);
    }
}

fn assert_contains(result: &Value, expected: &str, format: u16) {
    assert_eq!(result["result"], "CONTENT", "format {format}: {result}");
    let value = result["value"].as_str().expect("a text");
    assert!(
        value.contains(expected),
        "format {format}, {expected}: {value}"
    );
}
