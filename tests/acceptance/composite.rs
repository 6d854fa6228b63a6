//! RpcLwm2mIntegrationReadTest, composite; RpcLwm2mIntegrationWriteTest, composite.

use serde_json::json;

use crate::fixture::Session;

/// 13.1 RpcLwm2mIntegrationReadTest testReadCompositeSingleResourceByIds…IsObject…
#[test]
fn read_composite_of_an_object_a_single_and_a_multiple_resource() {
    let session = Session::open("read-composite-object");
    let ids = json!({"ids": ["/19_1.1", "/3_1.2/0/1", "/3_1.2/0/11"]});
    let read = session.content("ReadComposite", &ids);
    for expected in [
        "/19=LwM2mObject [id=19, instances={",
        "/3/0/1=LwM2mSingleResource [id=1, value=Model 500, type=STRING]",
        "/3/0/11=LwM2mMultipleResource [id=11, values={",
    ] {
        assert!(read.contains(expected), "{read}");
    }
}

/// 13.1 RpcLwm2mIntegrationReadTest testReadCompositeSingleResourceByIds…IsObjectInstance…
#[test]
fn read_composite_of_an_instance_and_of_a_resource_without_value() {
    let session = Session::open("read-composite-instance");
    let ids = json!({"ids": ["/1_1.1/0/1", "/1_1.1/0/2", "/3_1.2/0"]});
    let read = session.content("ReadComposite", &ids);
    for expected in [
        "/1/0/1=LwM2mSingleResource [id=1, value=",
        "/1/0/2=null",
        "/3/0=LwM2mObjectInstance [id=0, resources={",
    ] {
        assert!(read.contains(expected), "{read}");
    }
}

/// 13.1 RpcLwm2mIntegrationReadTest testReadCompositeSingleResourceByKeys
#[test]
fn read_composite_by_keys() {
    let session = Session::open("read-composite-keys");
    let keys = json!({"keys": ["batteryLevel", "UtfOffset", "dataRead", "dataWrite"]});
    let read = session.content("ReadComposite", &keys);
    for expected in [
        "/3/0/9=LwM2mSingleResource [id=9, value=",
        "/3/0/14=LwM2mSingleResource [id=14, value=",
        "/19/0/0=LwM2mMultipleResource [id=0, values={0=LwM2mResourceInstance [id=0, value=1Bytes, type=OPAQUE]",
        "/19/1/0=LwM2mMultipleResource [id=0, values={0=LwM2mResourceInstance [id=0, value=1Bytes, type=OPAQUE]",
    ] {
        assert!(read.contains(expected), "{read}");
    }
}

/// 13.1 RpcLwm2mIntegrationReadTest testReadCompositeSingleResourceByKeys…IsNotConfigured
#[test]
fn read_composite_by_an_unknown_key() {
    let keys = json!({"keys": ["batteryLevel", "UtfOffset", "dataDescription"]});
    Session::open("read-composite-unknown").refused(
        "ReadComposite",
        &keys,
        "BAD_REQUEST",
        "dataDescription is not configured in the device profile!",
    );
}

/// Design 4: composite paths keep the caller's order.
#[test]
fn composite_values_come_in_the_order_they_were_asked_for() {
    let session = Session::open("read-composite-order");
    let ids = json!({"ids": ["/5_1.2/0/7", "/3_1.2/0/1", "/5_1.2/0/3", "/1_1.1/0/1"]});
    let read = session.content("ReadComposite", &ids);
    let position = |path: &str| read.find(path).unwrap_or_else(|| panic!("{path}: {read}"));
    let order = ["/5/0/7=", "/3/0/1=", "/5/0/3=", "/1/0/1="].map(position);
    assert!(order.is_sorted(), "{read}");
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteComposite…WithMultiResourceInstanceByIdKey
#[test]
fn write_composite_of_instances_a_key_and_a_path() {
    let session = Session::open("write-composite");
    let nodes = json!({
        "/19_1.1/1/0": {"0": "00ad45675600", "25": "25ad45675600cdef"},
        "UtfOffset": "+04",
        "/3_1.2/0/15": "Kiyv/Europe",
    });
    session.change("WriteComposite", &json!({"nodes": nodes}));
    assert_eq!(
        session.read("/19_1.1/1/0"),
        "LwM2mMultipleResource id=0 values={ id=0 value=00ad45675600,  id=25 value=25ad45675600cdef} type=OPAQUE"
    );
    assert_eq!(
        session.read("/3_1.2/0/14"),
        "LwM2mSingleResource [id=14, value=+04, type=STRING]"
    );
    assert_eq!(
        session.read("/3_1.2/0/15"),
        "LwM2mSingleResource [id=15, value=Kiyv/Europe, type=STRING]"
    );
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteComposite…OpaqueValueInputHexString
#[test]
fn write_composite_of_hexadecimal_resource_instances() {
    let session = Session::open("write-composite-hex");
    let nodes = json!({"/19_1.1/0/0": {"0": "01234567", "15": "0123456789abcdef"}});
    session.change("WriteComposite", &json!({"nodes": nodes}));
    assert_eq!(
        session.read("/19_1.1/0/0/15"),
        "LwM2mResourceInstance [id=15, value=8Bytes, type=OPAQUE]"
    );
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteComposite…CreateResourceInstanceUpdateSingleResource
#[test]
fn write_composite_creates_a_resource_instance() {
    let session = Session::open("write-composite-create");
    let nodes = json!({
        "/19_1.1/1/0/2": "00ad45675600", "UtfOffset": "+05", "/3_1.2/0/15": "Kiyv/Europe",
    });
    session.change("WriteComposite", &json!({"nodes": nodes}));
    assert_eq!(
        session.read("/19_1.1/1/0/2"),
        "LwM2mResourceInstance [id=2, value=6Bytes, type=OPAQUE]"
    );
    assert_eq!(
        session.read("/19_1.1/1/0/0"),
        "LwM2mResourceInstance [id=0, value=1Bytes, type=OPAQUE]"
    );
}

/// 13.1 RpcLwm2mIntegrationWriteTest testWriteComposite…CreateObjectInstanceUpdateSingleResource
#[test]
fn write_composite_creates_no_object_instance() {
    let session = Session::open("write-composite-instance");
    let before = session.read("/3_1.2/0/14");
    let nodes = json!({
        "/19_1.1/2/0/2": "00ad45675600", "UtfOffset": "+06", "/3_1.2/0/15": "Kiyv/Europe",
    });
    session.refused(
        "WriteComposite",
        &json!({"nodes": nodes}),
        "BAD_REQUEST",
        "object instance /19/2 not found",
    );
    assert_eq!(session.read("/3_1.2/0/14"), before, "all or nothing");
}
