//! From a package and a profile to what the engine updates a device to.

use std::sync::Arc;

use super::record::kind_of;
use crate::services::engine::{Image, Source, UpdateTarget};
use crate::services::packages::{Package, PackageType};
use crate::services::profiles::UpdateSettings;

/// The target of a package under the settings of a profile; `image` unless the bytes are elsewhere.
pub(super) fn target(
    package: &Package,
    settings: &UpdateSettings,
    image: Option<Arc<Image>>,
) -> Option<UpdateTarget> {
    let source = match (image, package.url()) {
        (Some(image), _) => Source::Image(image),
        (None, Some(url)) => Source::Url(url.into()),
        (None, None) => return None,
    };
    let (kind, title, version) = (package.package_type, &package.title, &package.version);
    let mut target = UpdateTarget::new(kind_of(kind), &package.id, title, version, source);
    let boxed = |text: &Option<String>| text.as_deref().map(Into::into);
    target.tag = boxed(&package.tag);
    target.file_name = boxed(&package.file_name);
    target.checksum_algorithm = package.checksum_algorithm.map(|a| a.name().into());
    target.checksum = boxed(&package.checksum);
    target.size = package.size();
    (target.strategy, target.base_url) = match kind {
        PackageType::Firmware => (
            settings.firmware_strategy,
            boxed(&settings.firmware_resource),
        ),
        PackageType::Software => (
            settings.software_strategy,
            boxed(&settings.software_resource),
        ),
    };
    target.object_19_info = settings.object_19_info;
    Some(target)
}
