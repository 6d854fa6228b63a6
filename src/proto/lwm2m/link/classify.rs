//! From links to announced objects.

use super::default_versions::default_version;
use super::syntax::{Link, Links};
use super::{AnnouncedObject, LinkError, MAX_BYTES, MAX_LINKS, ObjectLinks, Span};
use crate::proto::lwm2m::{LwM2mVersion, Path, Version};

/// Most content formats kept; there are fewer in use.
const MAX_CONTENT_FORMATS: usize = 64;

/// Sorts the links of `raw` into objects, instances and others.
pub(super) fn classify(raw: &str, lwm2m: LwM2mVersion) -> Result<ObjectLinks, LinkError> {
    if raw.len() > MAX_BYTES {
        return Err(LinkError::TooLong);
    }
    let root = root_link(raw)?;
    let mut announced = Announced::default();
    let mut first_element = None;
    let mut has_link = false;
    for (index, link) in Links::new(raw).enumerate() {
        let link = link?;
        first_element.get_or_insert(link.offset);
        if index == MAX_LINKS {
            return Err(LinkError::TooManyLinks {
                offset: link.offset,
            });
        }
        match link.target {
            Some(target) => {
                has_link = true;
                announced.add(&link, relative(target, root.path));
            }
            None => announced.put_aside(&link),
        }
    }
    match first_element {
        None => return Err(LinkError::Empty),
        Some(offset) if !has_link => return Err(LinkError::NoLink { offset }),
        Some(_) => {}
    }
    let (objects, instances) = announced.objects(lwm2m);
    Ok(ObjectLinks {
        raw: raw.into(),
        lwm2m,
        alternate_path: (!root.path.is_empty()).then(|| format!("/{}", root.path).into()),
        content_formats: root.content_formats.into(),
        objects,
        instances,
        other: announced.other.into(),
    })
}

/// The link that stands for the LwM2M enabler itself.
#[derive(Default)]
struct RootLink<'a> {
    /// Alternate path without slashes around it; empty when the objects live at `/`.
    path: &'a str,
    content_formats: Vec<u16>,
}

/// Finds the first link with `rt="oma.lwm2m"`; without one, `</>` may still state content formats.
fn root_link(raw: &str) -> Result<RootLink<'_>, LinkError> {
    let mut plain_root = None;
    if !raw.contains("oma.lwm2m") && !raw.contains("</>") {
        return Ok(RootLink::default());
    }
    for link in Links::new(raw) {
        let link = link?;
        let Some(path) = link.target.map(|target| target.trim_matches('/')) else {
            continue;
        };
        let is_enabler = link.attributes().any(|attribute| {
            attribute.name == "rt"
                && attribute
                    .value
                    .is_some_and(|types| types.split_ascii_whitespace().any(|rt| rt == "oma.lwm2m"))
        });
        if is_enabler {
            return Ok(RootLink {
                path,
                content_formats: content_formats(&link),
            });
        }
        if path.is_empty() && plain_root.is_none() {
            plain_root = Some(RootLink {
                path,
                content_formats: content_formats(&link),
            });
        }
    }
    Ok(plain_root.unwrap_or_default())
}

/// The numbers of `ct`, each once, in the order stated.
fn content_formats(link: &Link<'_>) -> Vec<u16> {
    let mut formats = Vec::new();
    let stated = link
        .attributes()
        .filter(|attribute| attribute.name == "ct")
        .filter_map(|ct| ct.value);
    for number in stated.flat_map(|list| list.split(|separator: char| !separator.is_ascii_digit()))
    {
        let Ok(format) = number.parse() else { continue };
        if !formats.contains(&format) && formats.len() < MAX_CONTENT_FORMATS {
            formats.push(format);
        }
    }
    formats
}

/// What a target names within the alternate path `root`.
enum Target<'a> {
    /// The enabler itself.
    Root,
    /// A path below it, without slash in front.
    Below(&'a str),
    /// Something else.
    Outside,
}

/// Takes `root` off `target`. A missing slash in front and slashes at the end make no difference.
fn relative<'a>(target: &'a str, root: &str) -> Target<'a> {
    let target = target.trim_matches('/');
    let below = if root.is_empty() {
        Some(target)
    } else {
        match target.strip_prefix(root) {
            Some("") => Some(""),
            Some(rest) => rest.strip_prefix('/'),
            None => None,
        }
    };
    match below {
        Some("") => Target::Root,
        Some(path) => Target::Below(path),
        None => Target::Outside,
    }
}

/// Collects what the links announce.
#[derive(Default)]
struct Announced {
    /// Object and instance, [`NO_INSTANCE`] for a link to the object itself.
    paths: Vec<(u16, u16)>,
    /// Versions stated at an object link or, by some devices, at an instance link.
    versions: Vec<(u16, Version)>,
    other: Vec<Span>,
}

/// The reserved id 65535: no instance has it.
const NO_INSTANCE: u16 = u16::MAX;

impl Announced {
    fn add(&mut self, link: &Link<'_>, target: Target<'_>) {
        let path = match target {
            Target::Root => return,
            Target::Below(path) => path,
            Target::Outside => return self.put_aside(link),
        };
        let Some((object, instance)) = object_or_instance(path) else {
            return self.put_aside(link);
        };
        self.paths.push((object, instance.unwrap_or(NO_INSTANCE)));
        let version = link
            .attributes()
            .find(|attribute| attribute.name == "ver")
            .and_then(|ver| ver.value);
        if let Some(version) = version.and_then(stated_version) {
            self.versions.push((object, version));
        }
    }

    fn put_aside(&mut self, link: &Link<'_>) {
        // `MAX_BYTES` is far below 4 GiB.
        let span = Span {
            start: link.offset as u32,
            end: (link.offset + link.text.len()) as u32,
        };
        self.other.push(span);
    }

    fn objects(&mut self, lwm2m: LwM2mVersion) -> (Box<[AnnouncedObject]>, Box<[u16]>) {
        self.paths.sort_unstable();
        self.paths.dedup();
        self.versions.sort_by_key(|(object, _)| *object);
        let mut objects = Vec::new();
        let mut instances = Vec::with_capacity(self.paths.len());
        for links in self.paths.chunk_by(|a, b| a.0 == b.0) {
            let id = links[0].0;
            let first_instance = instances.len();
            instances.extend(
                links
                    .iter()
                    .map(|(_, instance)| *instance)
                    .filter(|id| *id != NO_INSTANCE),
            );
            let stated = self.stated(id);
            objects.push(AnnouncedObject {
                id,
                version: stated.unwrap_or_else(|| default_version(id, lwm2m)),
                version_stated: stated.is_some(),
                // `MAX_LINKS` is below 65536.
                first_instance: first_instance as u16,
                instance_count: (instances.len() - first_instance) as u16,
            });
        }
        (objects.into(), instances.into())
    }

    /// The first version stated for `object`.
    fn stated(&self, object: u16) -> Option<Version> {
        let first = self.versions.partition_point(|(id, _)| *id < object);
        self.versions
            .get(first)
            .filter(|(id, _)| *id == object)
            .map(|(_, version)| *version)
    }
}

/// Reads `3` or `3/0`. The Security object is never announced to a server.
fn object_or_instance(path: &str) -> Option<(u16, Option<u16>)> {
    let (object, instance) = match path.split_once('/') {
        Some((object, instance)) => (object, Some(instance)),
        None => (path, None),
    };
    let object = id(object).filter(|object| *object != 0)?;
    match instance {
        Some(instance) => Some((object, Some(id(instance)?))),
        None => Some((object, None)),
    }
}

fn id(segment: &str) -> Option<u16> {
    let digits = segment.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| segment.parse().ok())
        .flatten()
        .filter(|id| *id <= Path::MAX_ID)
}

/// Reads `ver`, also with the major version alone.
fn stated_version(text: &str) -> Option<Version> {
    text.parse()
        .or_else(|_| text.parse().map(|major| Version::new(major, 0)))
        .ok()
}
