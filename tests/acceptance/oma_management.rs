//! OMA's interoperability cases for the interface "Device Management & Service Enablement" (leshan-and-specs 3.3), as
//! far as their titles are sure.

use serde_json::{Value, json};

use crate::fixture::Session;

const TEXT: u16 = 0;
const CBOR: u16 = 60;
const SENML_JSON: u16 = 110;
const SENML_CBOR: u16 = 112;
const TLV: u16 = 11542;
const JSON: u16 = 11543;

/// LightweightM2M-1.0-int-201, LightweightM2M-1.1-int-201: Querying basic information in Plain Text format
#[test]
fn int_201_query_in_plain_text() {
    query_resources("int-201", TEXT);
}

/// LightweightM2M-1.0-int-203, LightweightM2M-1.1-int-203: Querying basic information in TLV format
#[test]
fn int_203_query_in_tlv() {
    query_instance("int-203", TLV);
}

/// LightweightM2M-1.0-int-204, LightweightM2M-1.1-int-204: Querying basic information in JSON format
#[test]
fn int_204_query_in_json() {
    query_instance("int-204", JSON);
}

/// LightweightM2M-1.0-int-205, LightweightM2M-1.1-int-205: Setting basic information in Plain Text format
#[test]
fn int_205_set_in_plain_text() {
    set_resources("int-205", TEXT);
}

/// LightweightM2M-1.1-int-211: Querying basic information in CBOR format
#[test]
fn int_211_query_in_cbor() {
    query_resources("int-211", CBOR);
}

/// LightweightM2M-1.1-int-212: Setting basic information in CBOR format
#[test]
fn int_212_set_in_cbor() {
    set_resources("int-212", CBOR);
}

/// LightweightM2M-1.0-int-215, LightweightM2M-1.1-int-215: Setting basic information in TLV format
#[test]
fn int_215_set_in_tlv() {
    set_instance("int-215", TLV);
}

/// LightweightM2M-1.0-int-220, LightweightM2M-1.1-int-220: Setting basic information in JSON format
#[test]
fn int_220_set_in_json() {
    set_instance("int-220", JSON);
}

/// LightweightM2M-1.1-int-221: Attempt to perform operations on Security. The server asks nothing of the kind.
#[test]
fn int_221_operations_on_security() {
    let session = Session::settled("int-221");
    let asked_before = session.requests();
    let error = "Specified object id 0 absent in the list supported objects of the client or is security object!";
    for (method, params) in [
        ("Read", json!({"id": "/0_1.1/0"})),
        (
            "WriteReplace",
            json!({"id": "/0_1.1/0/0", "value": "coap://elsewhere"}),
        ),
        ("Discover", json!({"id": "/0_1.1"})),
        ("Execute", json!({"id": "/0_1.1/0/0"})),
        ("Observe", json!({"id": "/0_1.1/0/0"})),
        ("Delete", json!({"id": "/0_1.1/0"})),
        (
            "WriteAttributes",
            json!({"id": "/0_1.1/0", "attributes": {"pmin": 1}}),
        ),
    ] {
        session.refused(method, &params, "BAD_REQUEST", error);
    }
    assert_eq!(session.requests(), asked_before);
}

/// LightweightM2M-1.1-int-222: Read on Object
#[test]
fn int_222_read_an_object() {
    let read = Session::open("int-222").read("/1_1.1");
    assert!(
        read.starts_with("LwM2mObject [id=1, instances={0=LwM2mObjectInstance [id=0, resources={0=LwM2mSingleResource [id=0, value=123, type=INTEGER]"),
        "{read}"
    );
}

/// LightweightM2M-1.1-int-223: Read on Object Instance
#[test]
fn int_223_read_an_object_instance() {
    let read = Session::open("int-223").read("/1_1.1/0");
    assert!(
        read.contains("1=LwM2mSingleResource [id=1, value=300, type=INTEGER]"),
        "{read}"
    );
}

/// LightweightM2M-1.1-int-224: Read on Resource
#[test]
fn int_224_read_a_resource() {
    let read = Session::open("int-224").read("/3_1.2/0/0");
    assert_eq!(
        read,
        "LwM2mSingleResource [id=0, value=Thingsboard Demo Lwm2mDevice, type=STRING]"
    );
}

/// LightweightM2M-1.1-int-225: Read on Resource Instance
#[test]
fn int_225_read_a_resource_instance() {
    let read = Session::open("int-225").read("/3_1.2/0/11/0");
    assert_eq!(read, "LwM2mResourceInstance [id=0, value=0, type=INTEGER]");
}

/// LightweightM2M-1.1-int-226: Write (Partial Update) on Object Instance
#[test]
fn int_226_update_an_object_instance() {
    let session = Session::open("int-226");
    let params = json!({"id": "/1_1.1/0", "value": {"1": 150, "6": true}});
    session.change("WriteUpdate", &params);
    let read = session.read("/1_1.1/0");
    assert!(read.contains("[id=1, value=150, type=INTEGER]"), "{read}");
    assert!(read.contains("[id=6, value=true, type=BOOLEAN]"), "{read}");
    assert!(read.contains("[id=0, value=123, type=INTEGER]"), "{read}");
}

/// LightweightM2M-1.1-int-227: Write (replace) on Resource
#[test]
fn int_227_replace_a_resource() {
    let session = Session::open("int-227");
    session.change("WriteReplace", &json!({"id": "/1_1.1/0/1", "value": 160}));
    assert_eq!(
        session.read("/1_1.1/0/1"),
        "LwM2mSingleResource [id=1, value=160, type=INTEGER]"
    );
}

/// LightweightM2M-1.1-int-228: Write on Resource Instance
#[test]
fn int_228_write_a_resource_instance() {
    let session = Session::open("int-228");
    session.change(
        "WriteReplace",
        &json!({"id": "/19_1.1/0/0/0", "value": "0102"}),
    );
    let read = session.read("/19_1.1/0/0/0");
    assert_eq!(
        read,
        "LwM2mResourceInstance [id=0, value=2Bytes, type=OPAQUE]"
    );
}

/// LightweightM2M-1.1-int-229: Read-Composite Operation
#[test]
fn int_229_read_composite() {
    let session = Session::open("int-229");
    for format in [SENML_JSON, SENML_CBOR] {
        let ids = json!(["/3_1.2/0/0", "/3_1.2/0/11/0", "/1_1.1"]);
        let params = json!({"ids": ids, "contentFormat": format});
        let read = session.content("ReadComposite", &params);
        for path in [
            "/3/0/0=LwM2mSingleResource",
            "/3/0/11/0=LwM2mResourceInstance",
            "/1=LwM2mObject",
        ] {
            assert!(read.contains(path), "{read}");
        }
    }
}

/// LightweightM2M-1.1-int-230, LightweightM2M-1.1-int-257: Write-Composite Operation
#[test]
fn int_230_write_composite() {
    let session = Session::open("int-230");
    for (format, offset) in [(SENML_JSON, "+01"), (SENML_CBOR, "+02")] {
        let nodes = json!({"/3_1.2/0/14": offset, "/1_1.1/0/6": true, "/19_1.1/0/0/0": "beef"});
        session.change(
            "WriteComposite",
            &json!({"nodes": nodes, "contentFormat": format}),
        );
        let read = session.read("/3_1.2/0/14");
        assert!(read.contains(&format!("value={offset},")), "{read}");
    }
}

/// LightweightM2M-1.1-int-231: Querying basic information in SenML JSON format
#[test]
fn int_231_query_in_senml_json() {
    query_instance("int-231", SENML_JSON);
}

/// LightweightM2M-1.1-int-232: Querying basic information in SenML CBOR format
#[test]
fn int_232_query_in_senml_cbor() {
    query_instance("int-232", SENML_CBOR);
}

/// LightweightM2M-1.1-int-233: Setting basic information in SenML CBOR format
#[test]
fn int_233_set_in_senml_cbor() {
    set_instance("int-233", SENML_CBOR);
}

/// LightweightM2M-1.1-int-234: Setting basic information in SenML JSON format
#[test]
fn int_234_set_in_senml_json() {
    set_instance("int-234", SENML_JSON);
}

/// LightweightM2M-1.1-int-235: Read-Composite Operation on root path
#[test]
fn int_235_read_composite_on_the_root() {
    let session = Session::open("int-235");
    let read = session.content("ReadComposite", &json!({"ids": ["/"]}));
    for part in [
        "Thingsboard Demo Lwm2mDevice",
        "Model 500",
        "firmware",
        "software",
    ] {
        assert!(read.contains(part), "{part}: {read}");
    }
}

/// LightweightM2M-1.1-int-236, LightweightM2M-1.1-int-281: Read-Composite Operation - Partial Presence
#[test]
fn int_236_read_composite_of_what_is_partly_there() {
    let session = Session::open("int-236");
    let ids = json!({"ids": ["/1_1.1/0/1", "/3_1.2/0/11/9", "/3303_1.1/5/5700", "/3_1.2/0/1"]});
    let read = session.content("ReadComposite", &ids);
    for expected in [
        "/1/0/1=LwM2mSingleResource",
        "/3/0/11/9=null",
        "/3303/5/5700=null",
        "/3/0/1=LwM2mSingleResource",
    ] {
        assert!(read.contains(expected), "{read}");
    }
}

/// LightweightM2M-1.1-int-237: Read on Object without specifying Content-Type. The server decodes whatever format the
/// device chooses, whichever it knows.
#[test]
fn int_237_read_without_a_format() {
    for (endpoint, format) in [
        ("int-237-tlv", TLV),
        ("int-237-senml-json", SENML_JSON),
        ("int-237-senml-cbor", SENML_CBOR),
        ("int-237-json", JSON),
        ("int-237-lwm2m-cbor", 11544),
    ] {
        let session = Session::with(endpoint, crate::fixture::profile::RPC, |options| {
            options.formats = Some(vec![format]);
            options.version = loadtest::client::Version::V1_2;
        });
        let read = session.read("/3/0");
        assert!(
            read.contains("[id=1, value=Model 500, type=STRING]"),
            "{read}"
        );
    }
}

/// LightweightM2M-1.0-int-241, LightweightM2M-1.1-int-241: Executable Resource: Rebooting the device
#[test]
fn int_241_reboot() {
    let session = Session::open("int-241");
    session.change("Execute", &json!({"id": "/3_1.2/0/4"}));
    let again = session
        .device
        .wait_until(std::time::Duration::from_secs(10), |device| {
            device.counters().registered == 2
        });
    assert!(again, "it registers again");
}

/// LightweightM2M-1.1-int-256: Write Operation Failure
#[test]
fn int_256_write_fails() {
    let session = Session::open("int-256");
    let before = session.read("/3_1.2/0/0");
    let params = json!({"id": "/3_1.2/0/0", "value": "Other"});
    let answer = session.rpc("WriteReplace", &params);
    assert_eq!(answer["result"], "METHOD_NOT_ALLOWED", "{answer}");
    assert_eq!(session.read("/3_1.2/0/0"), before);
}

/// LightweightM2M-1.0-int-260, LightweightM2M-1.1-int-260: Discover Command
#[test]
fn int_260_discover() {
    let session = Session::open("int-260");
    let found = session.content("Discover", &json!({"id": "/3_1.2"}));
    for link in ["</3/0/0>", "</3/0/4>", "</3/0/11>;dim=1", "</3/0/16>"] {
        assert!(found.contains(link), "{link}: {found}");
    }
    let params = json!({"id": "/3_1.2/0/11", "attributes": {"pmin": 10, "pmax": 200}});
    session.change("WriteAttributes", &params);
    let found = session.content("Discover", &json!({"id": "/3_1.2/0/11"}));
    for attribute in ["pmin=10", "pmax=200"] {
        assert!(found.contains(attribute), "{found}");
    }
}

/// LightweightM2M-1.1-int-261: Write-Attribute Operation on a multiple resource
#[test]
fn int_261_write_attributes_on_several_resources() {
    let session = Session::open("int-261");
    for (id, attributes) in [
        ("/3_1.2/0/7", json!({"pmin": 10, "pmax": 200})),
        ("/3_1.2/0/9", json!({"gt": 80, "lt": 20, "st": 5})),
        ("/3_1.2/0/7/1", json!({"pmin": 30})),
    ] {
        session.change(
            "WriteAttributes",
            &json!({"id": id, "attributes": attributes}),
        );
    }
    let found = session.content("Discover", &json!({"id": "/3_1.2/0"}));
    for attribute in ["pmin=10", "pmax=200", "gt=80", "lt=20", "st=5"] {
        assert!(found.contains(attribute), "{found}");
    }
    let found = session.content("Discover", &json!({"id": "/3_1.2/0/7"}));
    assert!(found.contains("</3/0/7/1>;pmin=30"), "{found}");
}

/// LightweightM2M-1.1-int-280: Successful Read-Composite Operation
#[test]
fn int_280_read_composite_succeeds() {
    let session = Session::open("int-280");
    let ids = json!({"ids": ["/1_1.1/0/1", "/3_1.2/0/0"]});
    let read = session.content("ReadComposite", &ids);
    assert_eq!(
        read,
        "{/1/0/1=LwM2mSingleResource [id=1, value=300, type=INTEGER], \
         /3/0/0=LwM2mSingleResource [id=0, value=Thingsboard Demo Lwm2mDevice, type=STRING]}"
    );
}

fn query_resources(endpoint: &'static str, format: u16) {
    let session = Session::open(endpoint);
    for (id, expected) in [
        (
            "/3_1.2/0/0",
            "[id=0, value=Thingsboard Demo Lwm2mDevice, type=STRING]",
        ),
        ("/3_1.2/0/1", "[id=1, value=Model 500, type=STRING]"),
        ("/1_1.1/0/1", "[id=1, value=300, type=INTEGER]"),
        ("/1_1.1/0/6", "[id=6, value="),
    ] {
        let params = json!({"id": id, "contentFormat": format});
        let read = session.content("Read", &params);
        assert!(
            read.starts_with(&format!("LwM2mSingleResource {expected}")),
            "{read}"
        );
    }
}

fn query_instance(endpoint: &'static str, format: u16) {
    let session = Session::open(endpoint);
    let params = json!({"id": "/3_1.2/0", "contentFormat": format});
    let read = session.content("Read", &params);
    for expected in [
        "0=LwM2mSingleResource [id=0, value=Thingsboard Demo Lwm2mDevice, type=STRING]",
        "1=LwM2mSingleResource [id=1, value=Model 500, type=STRING]",
        "11=LwM2mMultipleResource [id=11, values={0=LwM2mResourceInstance [id=0, value=0, type=INTEGER]}, type=INTEGER]",
    ] {
        assert!(read.contains(expected), "{read}");
    }
    query_resources_of(&session, format);
}

fn query_resources_of(session: &Session, format: u16) {
    let params = json!({"id": "/3_1.2/0/1", "contentFormat": format});
    let read = session.content("Read", &params);
    assert_eq!(
        read,
        "LwM2mSingleResource [id=1, value=Model 500, type=STRING]"
    );
}

fn set_resources(endpoint: &'static str, format: u16) {
    set_resources_of(&Session::open(endpoint), format);
}

fn set_resources_of(session: &Session, format: u16) {
    for (id, value, shown) in [
        ("/3_1.2/0/14", json!("+07"), "value=+07, type=STRING"),
        ("/1_1.1/0/1", json!(170), "value=170, type=INTEGER"),
        ("/1_1.1/0/6", json!(true), "value=true, type=BOOLEAN"),
        ("/1_1.1/0/6", json!(false), "value=false, type=BOOLEAN"),
    ] {
        let params = json!({"id": id, "value": value, "contentFormat": format});
        session.change("WriteReplace", &params);
        let read = session.read(id);
        assert!(read.contains(shown), "{read}");
    }
}

fn set_instance(endpoint: &'static str, format: u16) {
    let session = Session::open(endpoint);
    let value: Value = json!({"1": 180, "6": true});
    let params = json!({"id": "/1_1.1/0", "value": value, "contentFormat": format});
    session.change("WriteUpdate", &params);
    let read = session.read("/1_1.1/0");
    assert!(read.contains("[id=1, value=180, type=INTEGER]"), "{read}");
    assert!(read.contains("[id=6, value=true, type=BOOLEAN]"), "{read}");
    set_resources_of(&session, format);
}
