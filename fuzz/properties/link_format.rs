//! Object lists of registrations.

use rookery::proto::lwm2m::link::ObjectLinks;
use rookery::proto::lwm2m::{LwM2mVersion, Path};

/// Whatever the bytes are: the list is read, and what is read is consistent, or it is refused with
/// a reason that fits a diagnostic payload.
pub fn check(payload: &[u8]) {
    for lwm2m in [LwM2mVersion::V1_0, LwM2mVersion::V1_1, LwM2mVersion::V1_2] {
        match ObjectLinks::parse(payload, lwm2m) {
            Ok(links) => assert_consistent(&links, payload),
            Err(error) => assert!(error.to_string().len() <= 100),
        }
    }
}

fn assert_consistent(links: &ObjectLinks, payload: &[u8]) {
    assert_eq!(links.raw().as_bytes(), payload);
    assert!(links.objects().is_sorted_by(|a, b| a.id < b.id));
    for object in links.objects() {
        assert!(object.id != 0 && object.id <= Path::MAX_ID);
        assert_eq!(links.version_of(object.id), Some(object.version));
        for instance in links.instances(object.id) {
            assert!(links.announces(&Path::instance(object.id, instance)));
        }
    }
    assert!(links.other_links().all(|other| links.raw().contains(other)));
}
