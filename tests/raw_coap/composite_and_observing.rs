//! Composite operations and observations as recorded (client-behaviour.md: "Read-Composite", "Write-Composite",
//! "Observe-Composite", "Write-Attributes, Observe, NON notifications, Cancel", "Observe with Accept 112").

use serde_json::json;

use super::replay::Recording::{Bytes, Text};
use super::replay::{ANJAY, Compare, Exchange, Recorded};

#[test]
fn anjay_is_read_composite_as_recorded_in_senml_cbor() {
    let mut device = Recorded::device("1.1", ANJAY);
    let request = "4805e4cdb661d2c7de1a113dc1705170ff83a100662f332f302f30a100672f332f302f3134a100662f312f312f31";
    let answer = Bytes(
        "6845e4cdb661d2c7de1a113dc170ff83a200662f332f302f300365616e6a6179a200672f332f302f313403662b30313a3030a200662f312f312f3102183c",
    );
    let params = json!({"ids": ["/3/0/0", "/3/0/14", "/1/1/1"]});
    assert_eq!(
        device.asks("ReadComposite", &params, request, answer),
        json!({"result": "CONTENT", "value":
            "{/3/0/0=LwM2mSingleResource [id=0, value=anjay, type=STRING], \
              /3/0/14=LwM2mSingleResource [id=14, value=+01:00, type=STRING], \
              /1/1/1=LwM2mSingleResource [id=1, value=60, type=INTEGER]}"})
    );
}

#[test]
fn anjay_is_read_composite_as_recorded_in_senml_json() {
    let mut device = Recorded::device("1.1", ANJAY);
    let request = "4805e4ced2160531411d6b60c16e516eff5b7b226e223a222f332f302f30227d2c7b226e223a222f332f302f37227d2c7b226e223a222f31227d5d";
    let answer = Text(
        0x45,
        110,
        r#"[{"n":"/3/0/0","vs":"anjay"},{"n":"/3/0/7/0","v":31822},{"n":"/1/1/0","v":1},{"n":"/1/1/1","v":60},{"n":"/1/1/6","vb":true},{"n":"/1/1/7","vs":"U"},{"n":"/1/1/14","v":0},{"n":"/1/1/16","vb":true},{"n":"/1/1/17","v":5},{"n":"/1/1/18","v":60},{"n":"/1/1/19","v":86400},{"n":"/1/1/20","v":1},{"n":"/1/1/23","vb":false}]"#,
    );
    let params = json!({"ids": ["/3/0/0", "/3/0/7", "/1"], "contentFormat": 110});
    let result = device.asks("ReadComposite", &params, request, answer);
    let value = result["value"].as_str().unwrap_or_default();
    for expected in [
        "/3/0/0=LwM2mSingleResource [id=0, value=anjay, type=STRING]",
        "/3/0/7=LwM2mMultipleResource [id=7, values={0=LwM2mResourceInstance [id=0, value=31822, type=INTEGER]}, type=INTEGER]",
        "/1=LwM2mObject [id=1, instances={1=LwM2mObjectInstance [id=1, resources={0=LwM2mSingleResource [id=0, value=1, type=INTEGER]",
        "6=LwM2mSingleResource [id=6, value=true, type=BOOLEAN]",
    ] {
        assert!(value.contains(expected), "{expected}: {result}");
    }
}

#[test]
fn anjay_is_written_composite_as_recorded() {
    let mut device = Recorded::device("1.1", ANJAY);
    let params = json!({"nodes": {"/3/0/14": "+05:00", "/1/1/1": 90}});
    let request =
        "4407e4d190113391c170ff82a200662f312f312f3102185aa200672f332f302f313403662b30353a3030";
    // The two values were recorded the other way round; of this answer the recording has the head only.
    let answer = Bytes("60440000");
    assert_eq!(
        device.asks("WriteComposite", &params, request, answer),
        json!({"result": "CHANGED"})
    );
    let params = json!({"nodes": {"/3/0/0": "x"}});
    let request = "4407e4d257bb6599c170ff81a200662f332f302f30036178";
    let answer = Bytes("6485e4d257bb6599");
    assert_eq!(
        device.asks("WriteComposite", &params, request, answer),
        json!({"result": "METHOD_NOT_ALLOWED"})
    );
}

/// The cancellation goes out with the token of the observation.
#[test]
fn anjay_is_observed_composite_as_recorded_until_that_is_cancelled() {
    let mut device = Recorded::device("1.1", ANJAY);
    let ids = json!({"ids": ["/3/0/14", "/3/0/15"]});
    let observe = Exchange::new(
        "4405e4d0ccdd01026061705170ff82a100672f332f302f3134a100672f332f302f3135",
        Bytes(
            "6445e4d0ccdd0102606170ff82a421642f332f3000632f313422fb41dac10b78d5cee403662b30313a3030a200632f3135036d4575726f70652f576172736177",
        ),
    );
    let (result, tokens) = device.command("ObserveComposite", &ids, &[observe], Compare::All);
    assert_eq!(
        result["value"],
        "{/3/0/14=LwM2mSingleResource [id=14, value=+01:00, type=STRING], \
          /3/0/15=LwM2mSingleResource [id=15, value=Europe/Warsaw, type=STRING]}"
    );
    device.notifies("544500b9ccdd010261016170ff82a421642f332f3000632f313422fb41dac10b78dc532e03662b30353a3030a200632f3135036d4575726f70652f576172736177", &tokens[0]);
    device
        .engine()
        .await_attribute(device.endpoint(), "UtfOffset", &json!("+05:00"));

    let cancel = Exchange::new(
        "4405e4d3ccdd0102610161705170ff82a100672f332f302f3134a100672f332f302f3135",
        Bytes(
            "6445e4d3ccdd0102c170ff82a321642f332f3000632f313403662b30353a3030a200632f3135036d4575726f70652f576172736177",
        ),
    );
    let (result, _) = device.command("ObserveCompositeCancel", &ids, &[], Compare::All);
    assert_eq!(result, json!({"result": "CONTENT", "value": "1"}));
    assert_eq!(device.plays(&cancel, Compare::All), tokens[0]);
}

#[test]
fn anjay_is_observed_as_recorded_until_that_is_cancelled() {
    let mut device = Recorded::device("1.1", ANJAY);
    let attributes = json!({"id": "/3/0/13", "attributes": {"pmin": 1, "pmax": 10}});
    let request = "4803e4c5042d3cc1b821d148b133013002313346706d696e3d3107706d61783d3130";
    let changed = Bytes("60440000");
    assert_eq!(
        device.asks("WriteAttributes", &attributes, request, changed),
        json!({"result": "CHANGED"})
    );

    let id = json!({"id": "/3/0/13"});
    let observe = Exchange::new(
        "4401e4c7010203046051330130023133",
        Bytes("6445e4c7010203046060ff31373935343335393832"),
    );
    let (result, tokens) = device.command("Observe", &id, &[observe], Compare::All);
    assert_eq!(
        result["value"],
        "LwM2mSingleResource [id=13, value=Mon Nov 23 12:13:02 UTC 2026, type=TIME]"
    );
    for (notification, time) in [
        (
            "54451b4301020304610160ff31373935343335393833",
            1_795_435_983_i64,
        ),
        (
            "54451b4401020304610260ff31373935343335393834",
            1_795_435_984,
        ),
    ] {
        device.notifies(notification, &tokens[0]);
        let expected = json!(time * 1_000);
        device
            .engine()
            .await_telemetry(device.endpoint(), "currentTime", &expected);
    }

    let (result, _) = device.command("ObserveCancel", &id, &[], Compare::All);
    assert_eq!(result, json!({"result": "CONTENT", "value": "1"}));
    let cancel = Exchange::new(
        "4401e4c801020304610151330130023133",
        Bytes("6445e4c801020304c0ff31373935343335393835"),
    );
    assert_eq!(device.plays(&cancel, Compare::All), tokens[0]);
}

/// Values of an observation carry a base time from the first answer on.
#[test]
fn anjay_is_observed_as_recorded_in_senml_cbor() {
    let mut device = Recorded::device("1.1", ANJAY);
    let params = json!({"id": "/3/0/14", "contentFormat": 112});
    let observe = Exchange::new(
        "4401e4c90102030560513301300231346170",
        Bytes("6445e4c901020305606170ff81a321672f332f302f313422fb41dac10b7478ef0303662b30313a3030"),
    );
    let (result, tokens) = device.command("Observe", &params, &[observe], Compare::All);
    assert_eq!(
        result["value"],
        "LwM2mSingleResource [id=14, value=+01:00, type=STRING]"
    );
    device.notifies(
        "54451b460102030561016170ff81a321672f332f302f313422fb41dac10b7540082c03662b30333a3030",
        &tokens[0],
    );
    device
        .engine()
        .await_attribute(device.endpoint(), "UtfOffset", &json!("+03:00"));
    // 1795435989.0004988 seconds, the base time of the notification.
    let shown = device.engine().attributes(device.endpoint());
    assert_eq!(
        shown["client"]["UtfOffset"]["ts"], 1_795_435_989_000_i64,
        "{shown}"
    );

    let params = json!({"id": "/3303/0", "contentFormat": 112});
    let request = "4401e4cb0102030660543333303301306170";
    let answer = Bytes(
        "6445e4cb01020306606170ff86a421672f333330332f3000652f3536303122fb41dac10b757a2f5c02fa40a00000a200652f3536303202fa421c0000a200652f3536303302fa00000000a200652f3536303402fa42280000a200652f3537303002fa41900000a200652f35373031036343656c",
    );
    let result = device.asks("Observe", &params, request, answer);
    let value = result["value"].as_str().unwrap_or_default();
    for expected in [
        "5700=LwM2mSingleResource [id=5700, value=18.0, type=FLOAT]",
        "5701=LwM2mSingleResource [id=5701, value=Cel, type=STRING]",
    ] {
        assert!(value.contains(expected), "{result}");
    }
}
