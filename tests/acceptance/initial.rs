//! RpcLwm2mIntegrationInitReadCompositeAllTest and RpcLwm2mIntegrationInitReadCompositeByObjectTest.

use loadtest::client::Kind;

use crate::fixture::{Session, profile};
use crate::support::wait::eventually;

/// 13.1 RpcLwm2mIntegrationInitReadCompositeAllTest
#[test]
fn initial_values_are_read_in_one_read_composite() {
    assert_eq!(initial_reads("initial-all", profile::READ_ALL), (0, 1));
}

/// 13.1 RpcLwm2mIntegrationInitReadCompositeByObjectTest
#[test]
fn initial_values_are_read_in_a_read_composite_for_each_object() {
    // Objects 3, 5 and 19.
    assert_eq!(
        initial_reads("initial-by-object", profile::READ_BY_OBJECT),
        (0, 3)
    );
}

/// How many Reads and Read-Composites it took until every value was there.
fn initial_reads(endpoint: &'static str, profile: &str) -> (u64, u64) {
    let session = Session::with(endpoint, profile, |_| {});
    eventually("the initial values are there", || {
        let telemetry = session.engine.telemetry(endpoint);
        let attributes = session.engine.attributes(endpoint)["client"].clone();
        let has_telemetry = [
            "batteryLevel",
            "batteryStatus",
            "firmwareUpdateDeliveryMethod",
            "dataCreationTime",
        ]
        .iter()
        .all(|key| !telemetry[key].is_null());
        let has_attributes = ["pkgname", "pkgversion"]
            .iter()
            .all(|key| !attributes[key].is_null());
        let complete = has_telemetry && has_attributes;
        complete.then_some(()).ok_or((telemetry, attributes))
    });
    let device = &session.device;
    (
        device.requests(Kind::Read),
        device.requests(Kind::ReadComposite),
    )
}
