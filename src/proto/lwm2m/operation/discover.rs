//! The answer to a Discover (LwM2M Core §6.3.2), in link format (RFC 6690).

use super::NotificationAttributes;
use crate::proto::lwm2m::link::{LinkError, Links, MAX_BYTES, MAX_LINKS};
use crate::proto::lwm2m::{Path, Version};

/// What a device told about the part of its tree that was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiscoverAnswer {
    /// Links in the order of the answer.
    pub links: Vec<DiscoveredLink>,
    /// LwM2M version, in the answer to a Bootstrap-Discover.
    pub lwm2m: Option<Version>,
    /// Elements that name nothing in the tree, or nothing that was asked for, as received.
    pub other: Vec<Box<str>>,
}

/// One object, Object Instance, Resource or Resource Instance with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscoveredLink {
    /// Its path.
    pub path: Path,
    /// Attributes that govern its notifications, as far as they stand at this level.
    pub notification: NotificationAttributes,
    /// Version of an object (`ver`).
    pub version: Option<Version>,
    /// Number of instances of a multiple Resource (`dim`).
    pub dimension: Option<u16>,
    /// Short Server id of a Security or Server instance (`ssid`).
    pub short_server_id: Option<u16>,
    /// URI of the server a Security instance is for (`uri`).
    pub server_uri: Option<Box<str>>,
    /// Attributes of no known name, or with a value that theirs cannot have.
    pub other: Vec<(Box<str>, Option<Box<str>>)>,
}

impl DiscoverAnswer {
    /// Reads the answer to a Discover of `base` by a device whose objects live under
    /// `alternate_path`.
    ///
    /// Devices are taken as they are, as in the object list of a registration: quotes, white space,
    /// a leading `lwm2m="1.0",`.
    ///
    /// # Errors
    /// When nothing sensible can be read. An empty answer has no links.
    pub fn parse(
        body: &[u8],
        base: &Path,
        alternate_path: Option<&str>,
    ) -> Result<Self, DiscoverError> {
        if body.len() > MAX_BYTES {
            return Err(LinkError::TooLong.into());
        }
        let text = str::from_utf8(body).map_err(|error| LinkError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        let root = alternate_path.unwrap_or_default().trim_matches('/');
        let mut answer = Self::default();
        for (index, link) in Links::new(text).enumerate() {
            let link = link?;
            if index == MAX_LINKS {
                let offset = link.offset;
                return Err(LinkError::TooManyLinks { offset }.into());
            }
            let path = link.target.and_then(|target| path(target, root));
            match (link.target, path) {
                (_, Some(Path::ROOT)) => {
                    let mut attributes = link.attributes();
                    let version = attributes.find(|attribute| attribute.name == "lwm2m");
                    answer.lwm2m = version
                        .and_then(|version| version.value?.parse().ok())
                        .or(answer.lwm2m);
                }
                (_, Some(path)) if path.starts_with(base) => {
                    let mut discovered = DiscoveredLink::new(path);
                    for attribute in link.attributes() {
                        discovered.add(attribute.name, attribute.value);
                    }
                    answer.links.push(discovered);
                }
                (None, _) if leading_version(link.text).is_some() => {
                    answer.lwm2m = leading_version(link.text);
                }
                _ => answer.other.push(link.text.into()),
            }
        }
        Ok(answer)
    }
}

/// Most Resource Instances that `dim` can tell (LwM2M Core §7.3.1).
const MAX_DIMENSION: u16 = 255;

impl DiscoveredLink {
    fn new(path: Path) -> Self {
        Self {
            path,
            notification: NotificationAttributes::default(),
            version: None,
            dimension: None,
            short_server_id: None,
            server_uri: None,
            other: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, value: Option<&str>) {
        let number = || value.and_then(|value| value.parse().ok());
        let known = match name {
            "ver" => {
                self.version = value.and_then(|value| value.parse().ok());
                self.version.is_some()
            }
            "dim" => {
                self.dimension = number().filter(|dimension| *dimension <= MAX_DIMENSION);
                self.dimension.is_some()
            }
            "ssid" => {
                self.short_server_id = number().filter(|id| *id != 0 && *id != u16::MAX);
                self.short_server_id.is_some()
            }
            "uri" => {
                self.server_uri = value.map(Into::into);
                self.server_uri.is_some()
            }
            // What an answer names without value is set to nothing.
            name => value.is_some() && self.notification.set(name, value).is_ok(),
        };
        if !known {
            self.other.push((name.into(), value.map(Into::into)));
        }
    }
}

/// The path of a target below `root`, both without regard to slashes around them.
fn path(target: &str, root: &str) -> Option<Path> {
    let target = target.trim_matches('/');
    let below = match target.strip_prefix(root)? {
        "" => return Some(Path::ROOT),
        rest if root.is_empty() => rest,
        rest => rest.strip_prefix('/')?,
    };
    format!("/{below}").parse().ok()
}

/// The version in `lwm2m="1.0"`, which LwM2M 1.0 puts in front of the links.
fn leading_version(text: &str) -> Option<Version> {
    let version = text.strip_prefix("lwm2m=")?;
    version.trim_matches('"').parse().ok()
}

/// Why the answer to a Discover cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("answer to Discover: {0}")]
pub struct DiscoverError(#[from] LinkError);
