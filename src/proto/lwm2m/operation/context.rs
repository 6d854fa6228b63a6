//! What building a request needs to know about the device.

use crate::proto::lwm2m::codec::EncodeOptions;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::{LwM2mVersion, ResourceTypes};

/// The device a request is for, and what the caller wants for this one request.
#[derive(Clone, Copy)]
pub struct RequestContext<'a> {
    /// LwM2M version of the registration.
    pub version: LwM2mVersion,
    /// Path the objects live under, when not at `/`.
    pub alternate_path: Option<&'a str>,
    /// Content formats the device announced (`ct` of its root link); empty when it announced none.
    pub content_formats: &'a [u16],
    /// Content format to use instead of the one that would be chosen: for values that are sent
    /// (Content-Format), that are asked for (Accept), and for both in Read-Composite. Operations
    /// that carry neither pay no attention to it.
    pub content_format: Option<u16>,
    /// Block size to ask for, as SZX 0 to 6 (16 to 1024 bytes): early negotiation of answers with
    /// content (RFC 7959 §2.4). `None` lets the device choose.
    pub szx: Option<u8>,
    /// Object definitions, to refuse attributes that a Resource of its type cannot have.
    pub types: Option<&'a dyn ResourceTypes>,
    /// Choices the content formats leave open.
    pub encoding: EncodeOptions,
}

impl<'a> RequestContext<'a> {
    /// A device of which no more than its version is known.
    #[must_use]
    pub const fn new(version: LwM2mVersion) -> Self {
        Self {
            version,
            alternate_path: None,
            content_formats: &[],
            content_format: None,
            szx: None,
            types: None,
            encoding: EncodeOptions::DEFAULT,
        }
    }

    /// A device as it registered.
    #[must_use]
    pub fn registered(links: &'a ObjectLinks) -> Self {
        Self {
            alternate_path: links.alternate_path(),
            content_formats: links.content_formats(),
            ..Self::new(links.lwm2m())
        }
    }
}
