//! The object list of a Register or Update (LwM2M Core §6.2.1), in link format (RFC 6690).

mod classify;
mod default_versions;
mod interner;
mod syntax;

use std::ops::Range;

pub use interner::LinkInterner;
pub use syntax::{Attribute, Link, Links};

use super::{LwM2mVersion, Path, Version};

/// Most elements one list may have, links or not.
pub const MAX_LINKS: usize = 4096;

/// Longest object list in bytes.
pub const MAX_BYTES: usize = 1 << 16;

/// One object a device announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AnnouncedObject {
    /// Object id, never 0: the Security object is not for servers.
    pub id: u16,
    /// Version: as stated, else the default for the LwM2M version of the registration.
    pub version: Version,
    /// Whether the device stated the version.
    pub version_stated: bool,
    /// Its part of [`ObjectLinks::instances`].
    first_instance: u16,
    instance_count: u16,
}

/// The object list of one registration, parsed once and shared by all devices that sent the same.
///
/// Real devices are taken as they are: `ver` and `ct` with or without quotes, white space, empty
/// elements, missing commas, a leading `lwm2m="1.0",`, object and instance links in any order and
/// more than once. Links that name no object or Object Instance are kept aside in
/// [`ObjectLinks::other_links`].
#[derive(Debug, Eq, PartialEq)]
pub struct ObjectLinks {
    raw: Box<str>,
    lwm2m: LwM2mVersion,
    alternate_path: Option<Box<str>>,
    content_formats: Box<[u16]>,
    objects: Box<[AnnouncedObject]>,
    instances: Box<[u16]>,
    other: Box<[Span]>,
}

impl ObjectLinks {
    /// Reads an object list that came with a registration of version `lwm2m`.
    ///
    /// # Errors
    /// Only when nothing sensible can be read; see [`LinkError`].
    pub fn parse(payload: &[u8], lwm2m: LwM2mVersion) -> Result<Self, LinkError> {
        let raw = str::from_utf8(payload).map_err(|error| LinkError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        classify::classify(raw, lwm2m)
    }

    /// Where the objects live when not at `/`: the link with `rt="oma.lwm2m"`, without slash at the
    /// end.
    #[must_use]
    pub fn alternate_path(&self) -> Option<&str> {
        self.alternate_path.as_deref()
    }

    /// Numbers of the content formats the device says it supports (`ct` of the root link), as
    /// stated.
    #[must_use]
    pub fn content_formats(&self) -> &[u16] {
        &self.content_formats
    }

    /// The objects by ascending id.
    #[must_use]
    pub fn objects(&self) -> &[AnnouncedObject] {
        &self.objects
    }

    /// Ascending ids of the announced instances of `object`.
    pub fn instances(&self, object: u16) -> impl ExactSizeIterator<Item = u16> + '_ {
        self.instances_of(object).iter().copied()
    }

    /// Whether the device announced the object, or the Object Instance, that `path` is or lies in.
    ///
    /// A device that lists an object without any instance may just be terse: the whole object
    /// counts as announced.
    #[must_use]
    pub fn announces(&self, path: &Path) -> bool {
        match (path.object_id(), path.instance_id()) {
            (None, _) => !self.objects.is_empty(),
            (Some(object), None) => self.object(object).is_some(),
            (Some(object), Some(instance)) => {
                let instances = self.instances_of(object);
                let terse = instances.is_empty() && self.object(object).is_some();
                terse || instances.binary_search(&instance).is_ok()
            }
        }
    }

    /// Version of an announced object.
    #[must_use]
    pub fn version_of(&self, object: u16) -> Option<Version> {
        self.object(object).map(|announced| announced.version)
    }

    /// Version of an object: as announced, else the default for the LwM2M version of the
    /// registration.
    #[must_use]
    pub fn version_or_default(&self, object: u16) -> Version {
        self.version_of(object)
            .unwrap_or_else(|| default_versions::default_version(object, self.lwm2m))
    }

    /// The announced object with this id.
    #[must_use]
    pub fn object(&self, object: u16) -> Option<&AnnouncedObject> {
        let index = self
            .objects
            .binary_search_by_key(&object, |announced| announced.id)
            .ok()?;
        Some(&self.objects[index])
    }

    /// LwM2M version of the registration, on which default versions depend.
    #[must_use]
    pub fn lwm2m(&self) -> LwM2mVersion {
        self.lwm2m
    }

    /// The list as received.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Elements of the list that announce no object for this server, as received: links outside the
    /// alternate path, with other than numeric segments, with the reserved id 65535, to Resources
    /// or to the Security object, and text that is no link.
    pub fn other_links(&self) -> impl ExactSizeIterator<Item = &str> {
        self.other.iter().map(|span| &self.raw[span.range()])
    }

    fn instances_of(&self, object: u16) -> &[u16] {
        self.object(object).map_or(&[], |announced| {
            let first = usize::from(announced.first_instance);
            &self.instances[first..first + usize::from(announced.instance_count)]
        })
    }
}

/// A part of [`ObjectLinks::raw`], in half the memory of a `Range<usize>`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Why an object list is refused. `Display` is the diagnostic payload, at most 100 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// Nothing but white space and commas: a Register must have an object list (LwM2M Core §6.2.1).
    #[error("object list is empty, expected links such as </1/0>,</3/0>")]
    Empty,
    /// The text is not UTF-8.
    #[error("object list is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// A `<` without its `>`.
    #[error("object list has no '>' for the '<' at byte {offset}, expected links such as </3/0>")]
    Unclosed {
        /// Offset of the `<`.
        offset: usize,
    },
    /// There is text, but not one link in it.
    #[error(
        "object list holds no link, expected links such as </1/0>,</3/0>; found text at byte {offset}"
    )]
    NoLink {
        /// Offset of the text.
        offset: usize,
    },
    /// More links than are accepted.
    #[error("object list has more than {MAX_LINKS} links, the first too many is at byte {offset}")]
    TooManyLinks {
        /// Offset of the first link too many.
        offset: usize,
    },
    /// More bytes than are accepted.
    #[error("object list has more bytes than are accepted ({MAX_BYTES})")]
    TooLong,
}

impl LinkError {
    /// CoAP response code: 0x80 (4.00), or 0x8d (4.13) for a list that is too large.
    #[must_use]
    pub const fn coap_code(&self) -> u8 {
        match self {
            Self::TooManyLinks { .. } | Self::TooLong => 0x8d,
            _ => 0x80,
        }
    }

    /// Stable name of the reason, for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Empty => "links_empty",
            Self::NotUtf8 { .. } => "links_not_utf8",
            Self::Unclosed { .. } => "link_unclosed",
            Self::NoLink { .. } => "no_link",
            Self::TooManyLinks { .. } => "too_many_links",
            Self::TooLong => "links_too_long",
        }
    }
}

#[cfg(test)]
mod tests;
