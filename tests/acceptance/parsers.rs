//! 13.5: ThingsBoard's tests of parsers, where our parsers live; and its rule for the times of values.

use coap_lite::ResponseType;
use rookery::proto::lwm2m::operation::{DiscoverAnswer, NotificationAttributes, Setting};
use rookery::proto::lwm2m::{LwM2mVersion, Path, link::ObjectLinks};
use serde_json::json;

use crate::fixture::{engine, profile};
use crate::truncated::{registered, send};

/// 13.5 DefaultLwM2mAttributeParserTest, valid single attributes with a value
#[test]
fn notification_attributes_with_a_value_are_read() {
    for parameter in [
        "pmin=0", "pmin=60", "pmax=60", "epmin=30", "epmax=45", "st=60", "st=60.55", "gt=60",
        "gt=60.55", "gt=-3.5", "lt=60", "lt=0.1", "lt=-60",
    ] {
        let attributes = NotificationAttributes::parse([parameter]);
        let attributes = attributes.unwrap_or_else(|e| panic!("{parameter}: {e}"));
        assert_eq!(*attributes.queries(), [parameter.into()]);
    }
}

/// 13.5 DefaultLwM2mAttributeParserTest and LwM2mAttributesTest: which attributes may be without value
#[test]
fn notification_attributes_without_a_value_are_read() {
    for parameter in ["pmin", "pmax", "gt", "lt", "st", "epmin", "epmax"] {
        let attributes = NotificationAttributes::parse([parameter]);
        let attributes = attributes.unwrap_or_else(|e| panic!("{parameter}: {e}"));
        assert!(attributes.unsets());
        assert_eq!(*attributes.queries(), [parameter.into()]);
    }
}

/// 13.5 DefaultLwM2mAttributeParserTest, rejected: empty, negative, fractional and wrong values
#[test]
fn notification_attributes_with_a_wrong_value_are_refused() {
    for parameter in [
        "pmin=",
        "pmax=",
        "epmin=",
        "epmax=",
        "gt=",
        "lt=",
        "st=",
        "pmin=-1",
        "pmax=-60",
        "epmin=-5",
        "epmax=-5",
        "st=-1.5",
        "pmin=1.5",
        "pmax=60.0",
        "epmin=0.1",
        "epmax=7.2",
        "pmin=soon",
        "gt=high",
        "lt=low",
        "st=some",
        "gt=1,5",
        "lt=0x10",
        "gt=NaN",
    ] {
        let error = NotificationAttributes::parse([parameter]).expect_err(parameter);
        let (name, _) = parameter.split_once('=').expect("a parameter with a value");
        assert!(error.to_string().contains(name), "{parameter}: {error}");
    }
}

/// 13.5 DefaultLwM2mAttributeParserTest, stray `&`: an empty parameter is none
#[test]
fn an_empty_parameter_is_no_attribute() {
    for query in ["&", "pmin=1&", "&pmin=1", "pmin=1&&pmax=2"] {
        assert!(
            NotificationAttributes::parse(query.split('&')).is_err(),
            "{query}"
        );
    }
}

/// 13.5 DefaultLwM2mAttributeParserTest: `pmin&pmax=60&gt=2`
#[test]
fn attributes_with_and_without_values_go_together() {
    let attributes = NotificationAttributes::parse("pmin&pmax=60&gt=2".split('&')).expect("valid");
    assert_eq!(attributes.pmin, Some(Setting::Unset));
    assert_eq!(attributes.pmax, Some(Setting::Value(60)));
    assert_eq!(attributes.gt, Some(Setting::Value(2.0)));
    assert_eq!(attributes.lt, None);
}

/// 13.5 LwM2mAttributesTest: attributes of the PROPERTIES class are nobody's to write
#[test]
fn properties_are_no_notification_attributes() {
    for parameter in [
        "dim=3",
        "ssid=1",
        "uri=coap://a",
        "ver=1.1",
        "lwm2m=1.1",
        "dim",
        "ver",
    ] {
        assert!(
            NotificationAttributes::parse([parameter]).is_err(),
            "{parameter}"
        );
    }
}

/// 13.5 DefaultLwM2mLinkParserTest: `dim` is 0 to 255, `ssid` 1 to 65534. A wrong one is kept as it came and counts as
/// none; it does not cost the link (issue #1229 of Leshan: devices must not be locked out by their links).
#[test]
fn dimensions_and_short_server_ids_out_of_range_are_none() {
    for (attribute, dimension, short_server_id) in [
        ("dim=0", Some(0), None),
        ("dim=255", Some(255), None),
        ("dim=256", None, None),
        ("dim=-1", None, None),
        ("dim=1.5", None, None),
        ("dim", None, None),
        ("ssid=1", None, Some(1)),
        ("ssid=65534", None, Some(65534)),
        ("ssid=0", None, None),
        ("ssid=65535", None, None),
        ("ssid=x", None, None),
    ] {
        let link = format!("</3/0/6>;{attribute}");
        let answer = DiscoverAnswer::parse(link.as_bytes(), &path("/3/0/6"), None).expect("a link");
        let found = &answer.links[0];
        assert_eq!(found.dimension, dimension, "{link}");
        assert_eq!(found.short_server_id, short_server_id, "{link}");
    }
}

/// 13.5 DefaultLwM2mLinkParserTest: `pmin` without value is refused in links; it is kept as it came and counts as none.
#[test]
fn an_attribute_without_value_is_none_in_a_link() {
    let answer =
        DiscoverAnswer::parse(b"</3/0/9>;pmin;pmax=60", &path("/3/0/9"), None).expect("a link");
    let found = &answer.links[0];
    assert_eq!(found.notification.pmin, None);
    assert_eq!(found.notification.pmax, Some(Setting::Value(60)));
    assert_eq!(*found.other, [("pmin".into(), None)]);
}

/// 13.5 `common/transport/lwm2m/src/test`: a registration without links; it is refused where it arrives
/// (`tests/raw_coap`), and nothing is made of it.
#[test]
fn an_object_list_without_objects_announces_nothing() {
    for list in ["</>;rt=\"oma.lwm2m\"", ""] {
        if let Ok(links) = ObjectLinks::parse(list.as_bytes(), LwM2mVersion::V1_1) {
            assert!(links.objects().is_empty(), "{list}");
        }
    }
}

/// 13.5 DeviceProfileEdgeTest: the JSON of a profile is given back as it was taken
#[test]
fn a_profile_is_given_back_unchanged() {
    let engine = engine();
    let body = json!({
        "type": "LWM2M",
        "observeAttr": {
            "keyName": {"/3_1.2/0/9": "batteryLevel"},
            "observe": ["/3_1.2/0/9"],
            "attribute": [],
            "telemetry": ["/3_1.2/0/9"],
            "attributeLwm2m": {"/3_1.2/0/9": {"pmin": 10, "pmax": 60, "gt": 80.0, "lt": 20.0, "st": 5.0}},
            "initAttrTelAsObsStrategy": false,
            "observeStrategy": "SINGLE"
        },
        "bootstrapServerUpdateEnable": false,
        "bootstrap": [],
        "clientLwM2mSettings": {
            "useObject19ForOtaInfo": false, "clientOnlyObserveAfterConnect": 1,
            "fwUpdateStrategy": 1, "swUpdateStrategy": 1,
            "fwUpdateResource": null, "swUpdateResource": null,
            "powerMode": "DRX", "edrxCycle": null, "pagingTransmissionWindow": null,
            "psmActivityTimer": null, "defaultObjectIDVer": "1.0"
        }
    });
    engine.put_profile("round-trip", &body);
    let shown = engine.get("/api/v1/profiles/round-trip");
    for (member, value) in body.as_object().expect("a map") {
        assert_eq!(shown[member], *value, "{member}");
    }
}

/// 13.5 LwM2mTransportServerHelperTest: the times of a device's values increase, or one value would take the place of
/// another that came within the same millisecond
#[test]
fn values_of_a_key_never_share_a_time() {
    let engine = engine();
    engine.put_device("times", &json!({"profile": profile::TEMPERATURE}));
    let mut peer = registered("times");
    let events = engine.events("/api/v1/devices/times/events");
    for value in 1..=20 {
        let payload = format!(r#"[{{"n":"/3/0/9","v":{value}}}]"#);
        assert_eq!(
            send(&mut peer, 110, payload.as_bytes()),
            ResponseType::Changed
        );
    }
    let mut last = i64::MIN;
    for value in 1..=20 {
        let event = events.expect("a value", |event| event.data["value"] == json!(value));
        let time = event.data["measured"].as_i64().expect("a time");
        assert!(time > last, "{time} after {last}");
        last = time;
    }
}

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}
