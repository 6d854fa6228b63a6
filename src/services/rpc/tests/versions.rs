//! Object versions: thingsboard-behaviour 4, design 4.

use super::*;

#[test]
fn an_id_without_a_version_means_the_version_of_the_device() {
    let device = thingsboards_device();
    for line in [
        r#"Read {"id":"/3/0/9"}"#,
        r#"Read {"id":"/3_1.2/0/9"}"#,
        r#"Read {"id":"3/0/9"}"#,
        r#"Observe {"id":"/3/0/9/"}"#,
        r#"ReadComposite {"ids":["/3/0/9","/1_1.1","/50/0"]}"#,
        r#"ObserveCancel {"id":"/50/0/1"}"#,
        r#"Execute {"id":"/1_9.9/0/8"}"#,
        r#"Execute {"id":"/1/0/9"}"#,
    ] {
        operation(&device, line);
    }
}

#[test]
fn a_version_that_is_not_the_devices_is_refused() {
    let device = thingsboards_device();
    let wrong = "Specified resource id /3_1.0/0/9 is not valid version! Must be version: 1.2. \
                 Invalid object version. Required version: 1.2";
    for line in [
        r#"Read {"id":"/3_1.0/0/9"}"#,
        r#"Observe {"id":"/3_1.0/0/9"}"#,
        r#"Discover {"id":"/3_1.0/0/9"}"#,
        r#"WriteReplace {"id":"/3_1.0/0/9","value":1}"#,
        r#"WriteComposite {"nodes":{"/3_1.0/0/9":1}}"#,
        r#"ReadComposite {"ids":["/3_1.0/0/9"]}"#,
        r#"ObserveComposite {"ids":["/5/0/7","/3_1.0/0/9"]}"#,
        r#"ObserveCancel {"id":"/3_1.0/0/9"}"#,
        r#"WriteAttributes {"id":"/3_1.0/0/9","attributes":{"pmin":1}}"#,
    ] {
        bad_request(&device, line, wrong);
    }
    bad_request(
        &device,
        r#"Read {"key":"ofAnotherVersion"}"#,
        "ofAnotherVersion is not configured in the device profile!",
    );
}

#[test]
fn a_strict_profile_reads_an_id_without_version_as_documented() {
    let device = device_of(LINKS, LwM2mVersion::V1_1, true);
    bad_request(
        &device,
        r#"Read {"id":"/3/0/9"}"#,
        "Specified resource id /3_1.1/0/9 is not valid version! Must be version: 1.2. \
         Invalid object version. Required version: 1.2",
    );
    for line in [
        r#"Read {"id":"/3_1.2/0/9"}"#,
        r#"Read {"id":"/1/0/1"}"#,
        r#"Read {"id":"/9/0/1"}"#,
        r#"Read {"key":"batteryLevel"}"#,
        r#"Execute {"id":"/1/0/8"}"#,
    ] {
        operation(&device, line);
    }
}

#[test]
fn an_object_that_is_not_announced_is_refused() {
    let device = thingsboards_device();
    for (id, object) in [
        ("/50/0/1", 50),
        ("/50_1.0", 50),
        ("/0/0", 0),
        ("/0_1.1/0/1", 0),
    ] {
        bad_request(
            &device,
            &format!(r#"Read {{"id":"{id}"}}"#),
            &format!(
                "Specified object id {object} absent in the list supported objects of the client or is security object!"
            ),
        );
    }
    bad_request(
        &device,
        r#"Read {"id":"/"}"#,
        "Specified object id is null!",
    );
}
