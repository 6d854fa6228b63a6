//! RpcLwm2mIntegrationWriteTest, what is not composite, and RpcLwm2mIntegrationWriteCborTest.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::fixture::{Session, profile};

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteReplaceValueSingleResourceById
#[test]
fn write_replace_single_resource_by_id() {
    let session = Session::open("write-single");
    session.change(
        "WriteReplace",
        &json!({"id": "/3_1.2/0/14", "value": "+12"}),
    );
    assert_eq!(
        session.read("/3_1.2/0/14"),
        "LwM2mSingleResource [id=14, value=+12, type=STRING]"
    );
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteReplaceValueSingleResourceByKey
#[test]
fn write_replace_single_resource_by_key() {
    let session = Session::open("write-key");
    session.change("WriteReplace", &json!({"key": "UtfOffset", "value": "+09"}));
    assert_eq!(
        session.read("/3_1.2/0/14"),
        "LwM2mSingleResource [id=14, value=+09, type=STRING]"
    );
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteReplace…MultipleResource…ValueJsonNodeToBase64
#[test]
fn create_with_json_in_base64() {
    let session = Session::open("write-base64");
    let document = json!({"title": "firmware", "version": "1.0.1", "size": 7}).to_string();
    let value = json!({"0": {"0": BASE64.encode(document.as_bytes())}});
    let created = session.rpc("Create", &json!({"id": "/19_1.1/65533/", "value": value}));
    assert_eq!(created["result"], "CREATED", "{created}");
    let read = session.read("/19_1.1");
    let instance = read
        .split("65533=LwM2mObjectInstance [id=65533, resources={")
        .nth(1)
        .unwrap_or_else(|| panic!("no instance 65533 in {read}"));
    let expected = format!(
        "0=LwM2mMultipleResource [id=0, values={{0=LwM2mResourceInstance [id=0, value={}Bytes, type=OPAQUE]}}",
        document.len()
    );
    assert!(instance.starts_with(&expected), "{read}");
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteReplace…MultipleResource…must_One
#[test]
fn write_replace_a_resource_instance_with_values_of_each_json_type() {
    let session = Session::open("write-opaque-instance");
    for (value, bytes) in [
        (json!("QUJDREVGRw"), 7),
        (json!("ABCDEFG"), 5),
        (json!("01ABCDEF"), 4),
        (json!(1_234_566), 4),
        (json!(i32::MAX), 4),
        (json!(i32::MIN), 4),
        (json!(4_406_483_977_i64), 8),
        (json!(i64::MAX), 8),
        (json!(i64::MIN), 8),
        (json!(8.02), 4),
        (json!(3.402_823_466_385_288_6e38), 4),
        (json!(1.401_298_464_324_817e-45), 4),
        (json!(1_022.590_6), 4),
        (json!(f64::MAX), 8),
        (json!(5e-324), 8),
    ] {
        let params = json!({"id": "/19_1.1/0/0/0", "value": value});
        session.change("WriteReplace", &params);
        assert_eq!(
            session.read("/19_1.1/0/0/0"),
            format!("LwM2mResourceInstance [id=0, value={bytes}Bytes, type=OPAQUE]"),
            "{value}"
        );
    }
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteReplace…Multi_Instance_Resource_must_in_Json_format
#[test]
fn write_replace_a_multiple_resource() {
    let session = Session::open("write-multiple");
    write_instances(
        &session,
        &json!({"0": "1525ad45675600cdef", "15": i32::MAX}),
    );
    assert_eq!(bytes_of(&session, 0), 9);
    assert_eq!(bytes_of(&session, 15), 4);
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteReplace…Error_InputFormatData…
#[test]
fn an_odd_number_of_hexadecimal_digits_is_base64() {
    let session = Session::open("write-odd-hex");
    write_instances(&session, &json!({"0": "01234567890"}));
    assert_ne!(bytes_of(&session, 0), 5);
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteReplace…SingleResourceR_ById
#[test]
fn write_replace_a_read_only_resource() {
    let params = json!({"id": "/3_1.2/0/9", "value": 90});
    let answer = Session::open("write-read-only").rpc("WriteReplace", &params);
    assert_eq!(answer["result"], "METHOD_NOT_ALLOWED", "{answer}");
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteUpdateValueSingleResourceById
#[test]
fn write_update_resources_of_an_instance() {
    let session = Session::open("write-update");
    let value = json!({"14": "+5", "15": "Kiyv/Europe"});
    session.change("WriteUpdate", &json!({"id": "/3_1.2/0", "value": value}));
    for (id, value) in [(14, "+5"), (15, "Kiyv/Europe")] {
        assert_eq!(
            session.read(&format!("/3_1.2/0/{id}")),
            format!("LwM2mSingleResource [id={id}, value={value}, type=STRING]")
        );
    }
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteUpdateValueMultipleResourceById
#[test]
fn write_update_a_multiple_resource_of_an_instance() {
    let session = Session::open("write-update-multiple");
    let value = json!({"0": {"0": "00ad45675600", "25": "25ad45675600cdef"}});
    session.change("WriteUpdate", &json!({"id": "/19_1.1/0", "value": value}));
    assert_eq!(bytes_of(&session, 0), 6);
    assert_eq!(bytes_of(&session, 25), 8);
}

/// 13.1 RpcLwm2mIntegrationWriteCborTest: the client has neither TLV nor opaque nor text.
#[test]
fn write_to_a_client_that_knows_only_cbor_and_senml() {
    let only = |options: &mut loadtest::client::ClientOptions| {
        options.formats = Some(vec![60, 110, 112]);
    };
    let session = Session::with("write-cbor", profile::RPC, only);
    write_instances(&session, &json!({"0": "01234567890CABFF"}));
    assert_eq!(bytes_of(&session, 0), 8);
    write_instances(&session, &json!({"0": "01234567890"}));
    assert_ne!(bytes_of(&session, 0), 5);
}

/// Design 4: every value type is carried, 64-bit integers included; ThingsBoard stops at 32 bits and takes -1 for
/// 4294967295.
#[test]
fn integers_of_64_bits_are_written() {
    let session = Session::open("write-64-bit");
    for value in [-1, 4_294_967_295, i64::from(i16::MIN)] {
        let params = json!({"id": "/19_1.1/0/5", "value": value});
        session.change("WriteReplace", &params);
        assert_eq!(
            session.read("/19_1.1/0/5"),
            format!("LwM2mSingleResource [id=5, value={value}, type=INTEGER]")
        );
    }
}

/// 5.8: times are milliseconds, whether alone or in a map.
#[test]
fn times_are_written_as_milliseconds() {
    let session = Session::open("write-time");
    let expected = "LwM2mSingleResource [id=2, value=Thu Jul 01 13:39:49 UTC 2021, type=TIME]";
    session
        .device
        .set("/19/1/2", loadtest::client::Value::Time(0));
    let params = json!({"id": "/19_1.1/1/2", "value": 1_625_146_789_000_i64});
    session.change("WriteReplace", &params);
    session.change(
        "WriteReplace",
        &json!({"id": "/19_1.1/1/0/0", "value": "0000"}),
    );
    assert_eq!(session.read("/19_1.1/1/2"), expected);
}

fn write_instances(session: &Session, value: &Value) {
    session.change(
        "WriteReplace",
        &json!({"id": "/19_1.1/0/0", "value": value}),
    );
}

/// Length of an instance of 19/0/0.
fn bytes_of(session: &Session, instance: u16) -> usize {
    let read = session.read(&format!("/19_1.1/0/0/{instance}"));
    let rest = read.strip_prefix(&format!("LwM2mResourceInstance [id={instance}, value="));
    let length = rest.and_then(|rest| rest.strip_suffix("Bytes, type=OPAQUE]"));
    let length = length.unwrap_or_else(|| panic!("no opaque resource instance: {read}"));
    length.parse().expect("a number")
}
