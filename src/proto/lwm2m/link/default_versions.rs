//! Versions of objects that state none.

use crate::proto::lwm2m::{LwM2mVersion, Version};

/// Version of `object` when a registration of version `lwm2m` states none.
///
/// Every LwM2M version brings its own versions of the core objects. The table follows the OMA
/// registry: for each LwM2M version the newest object version whose definition names that version's
/// technical specification (Core-V1_1_1 for 1.1; Core-V1_2 and its correction releases for 1.2),
/// and for OSCORE in 1.2 version 2.0 of 2021, which corrects the types of 1.1. Every other object
/// is 1.0.
pub(super) fn default_version(object: u16, lwm2m: LwM2mVersion) -> Version {
    let table: &[(u16, Version)] = match lwm2m {
        LwM2mVersion::V1_0 => &[],
        LwM2mVersion::V1_1 => &V1_1,
        LwM2mVersion::V1_2 => &V1_2,
    };
    let entry = table.iter().find(|(id, _)| *id == object);
    entry.map_or(Version::V1_0, |(_, version)| *version)
}

/// Core objects of LwM2M 1.1 that are not 1.0.
const V1_1: [(u16, Version); 4] = [
    (0, Version::new(1, 1)),
    (1, Version::new(1, 1)),
    (3, Version::new(1, 1)),
    (4, Version::new(1, 2)),
];

/// Core objects of LwM2M 1.2 that are not 1.0.
const V1_2: [(u16, Version); 7] = [
    (0, Version::new(1, 2)),
    (1, Version::new(1, 2)),
    (2, Version::new(1, 1)),
    (3, Version::new(1, 2)),
    (4, Version::new(1, 3)),
    (5, Version::new(1, 1)),
    (21, Version::new(2, 0)),
];
