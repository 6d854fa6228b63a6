//! RpcLwm2mIntegrationReadTest, what is not composite.

use serde_json::json;

use crate::fixture::Session;

/// 13.1 RpcLwm2mIntegrationReadTest testReadAllObjectsInClientById
#[test]
fn read_all_objects_by_id() {
    let session = Session::open("read-objects");
    let objects = session.announced();
    for (object, version, _) in objects.iter().filter(|(object, ..)| *object > 2) {
        let read = session.read(&format!("/{object}_{version}"));
        let expected = format!(
            "LwM2mObject [id={object}, instances={{0=LwM2mObjectInstance [id=0, resources="
        );
        assert!(read.starts_with(&expected), "{read}");
    }
    let ids: Vec<u16> = objects.iter().map(|(object, ..)| *object).collect();
    assert_eq!(ids, [1, 2, 3, 5, 6, 9, 19, 3303]);
}

/// 13.1 RpcLwm2mIntegrationReadTest testReadAllInstancesInClientById
#[test]
fn read_all_instances_by_id() {
    let session = Session::open("read-instances");
    let mut read_instances = 0;
    for (object, version, instances) in session.announced() {
        for instance in instances {
            let read = session.read(&format!("/{object}_{version}/{instance}"));
            let expected = format!("LwM2mObjectInstance [id={instance}, resources={{");
            assert!(read.starts_with(&expected), "{read}");
            read_instances += 1;
        }
    }
    assert_eq!(read_instances, 9);
}

/// 13.1 RpcLwm2mIntegrationReadTest testReadMultipleResourceById
#[test]
fn read_multiple_resource_by_id() {
    let read = Session::open("read-multiple").read("/3_1.2/0/11");
    assert!(
        read.starts_with("LwM2mMultipleResource [id=11, values={"),
        "{read}"
    );
}

/// 13.1 RpcLwm2mIntegrationReadTest testReadSingleResourceById
#[test]
fn read_single_resource_by_id() {
    let read = Session::open("read-single").read("/3_1.2/0/14");
    assert!(
        read.starts_with("LwM2mSingleResource [id=14, value="),
        "{read}"
    );
}

/// 13.1 RpcLwm2mIntegrationReadTest testReadSingleResourceByKey
#[test]
fn read_single_resource_by_key() {
    let session = Session::open("read-key");
    let read = session.content("Read", &json!({"key": "UtfOffset"}));
    assert!(
        read.starts_with("LwM2mSingleResource [id=14, value="),
        "{read}"
    );
    assert_eq!(read, session.read("/3_1.2/0/14"));
}

/// Design 4: an id without a version means the version this device has; ThingsBoard takes it for 1.0 and refuses.
#[test]
fn read_without_a_version_means_the_version_of_the_device() {
    let session = Session::open("read-unversioned");
    assert_eq!(session.read("/3/0/14"), session.read("/3_1.2/0/14"));
}

/// Design 4 with `strictObjectVersions`: an id without a version has the version of the registration, 1.1.
#[test]
fn read_without_a_version_is_strict_where_the_profile_says_so() {
    let session = Session::with("read-strict", crate::fixture::profile::STRICT, |_| {});
    let error = session.error("Read", &json!({"id": "/3/0/14"}), "BAD_REQUEST");
    assert!(
        error.contains("Invalid object version. Required version: 1.2"),
        "{error}"
    );
    session.read("/3_1.2/0/14");
}
