//! What is known of a package.

use serde::{Deserialize, Serialize};

use super::{Algorithm, PackageError};
use crate::proto::time::UnixMillis;

/// Longest title, version, tag and file name in characters.
const MAX_CHARS: usize = 255;

/// Longest URL in bytes: what a Resource with a URI takes (LwM2M Core 1.2, Object 5, Resource 1).
const MAX_URL_BYTES: usize = 255;

const SCHEMES: [&str; 6] = [
    "coap://",
    "coaps://",
    "http://",
    "https://",
    "coap+tcp://",
    "coaps+tcp://",
];

/// What a package updates.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum PackageType {
    /// The firmware, by object 5.
    Firmware,
    /// A piece of software, by object 9.
    Software,
}

impl PackageType {
    /// Both names.
    pub const NAMES: [&'static str; 2] = ["FIRMWARE", "SOFTWARE"];

    /// ThingsBoard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firmware => "FIRMWARE",
            Self::Software => "SOFTWARE",
        }
    }
}

impl std::fmt::Display for PackageType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the bytes are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// On this server.
    Stored {
        /// SHA-256 of the bytes, hexadecimal.
        sha256: String,
        /// How many there are.
        size: u64,
    },
    /// Where devices fetch them.
    Elsewhere {
        /// What is written to the device.
        url: String,
    },
}

/// A package.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// Names it.
    pub id: String,
    /// What it updates.
    #[serde(rename = "type")]
    pub package_type: PackageType,
    /// Name of the firmware or software.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What a device reports as its version once it has it, where that is not title and version.
    pub tag: Option<String>,
    /// Name of the file, as devices with object 19 are told.
    pub file_name: Option<String>,
    /// Where the bytes are.
    #[serde(flatten)]
    pub content: Content,
    /// How the checksum is computed; absent when the bytes are elsewhere and none was stated.
    pub checksum_algorithm: Option<Algorithm>,
    /// Checksum, hexadecimal, as ThingsBoard writes it.
    pub checksum: Option<String>,
    /// When it came, milliseconds since 1970.
    pub created_at: UnixMillis,
}

impl Package {
    /// SHA-256 of the bytes, when they are on this server.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        match &self.content {
            Content::Stored { sha256, .. } => Some(sha256),
            Content::Elsewhere { .. } => None,
        }
    }

    /// How many bytes there are, when they are on this server.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match &self.content {
            Content::Stored { size, .. } => Some(*size),
            Content::Elsewhere { .. } => None,
        }
    }

    /// Where devices fetch it, when that is elsewhere.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match &self.content {
            Content::Stored { .. } => None,
            Content::Elsewhere { url } => Some(url),
        }
    }
}

/// What is said of a package when it comes.
#[derive(Clone, Debug)]
pub struct NewPackage {
    /// What it updates.
    pub package_type: PackageType,
    /// Name of the firmware or software.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What a device reports as its version once it has it.
    pub tag: Option<String>,
    /// Name of the file.
    pub file_name: Option<String>,
    /// How the checksum is computed.
    pub checksum_algorithm: Algorithm,
    /// What the checksum must be; computed when absent.
    pub checksum: Option<String>,
}

impl NewPackage {
    /// Refuses what cannot be kept or sent to a device.
    pub(super) fn check(&self) -> Result<(), PackageError> {
        check_text("title", Some(&self.title))?;
        check_text("version", Some(&self.version))?;
        check_text("tag", self.tag.as_deref())?;
        check_text("fileName", self.file_name.as_deref())?;
        let Some(checksum) = &self.checksum else {
            return Ok(());
        };
        let digits = self.checksum_algorithm.digits();
        if checksum.len() != digits || !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let name = self.checksum_algorithm.name();
            return Err(PackageError::Parameter {
                parameter: "checksum",
                problem: format!(
                    "is \"{checksum}\"; accepted for {name} are {digits} hexadecimal digits"
                ),
            });
        }
        Ok(())
    }

    /// Whether it has the type, title and version of `other`.
    pub(super) fn is_named_like(&self, other: &Package) -> bool {
        self.package_type == other.package_type
            && self.title == other.title
            && self.version == other.version
    }
}

fn check_text(parameter: &'static str, text: Option<&str>) -> Result<(), PackageError> {
    let Some(text) = text else {
        return Ok(());
    };
    let printable = !text.chars().any(char::is_control);
    if printable && (1..=MAX_CHARS).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(PackageError::Parameter {
        parameter,
        problem: format!("must have 1 to {MAX_CHARS} characters and no control characters"),
    })
}

/// Refuses what is not the URL of a package.
pub(super) fn check_url(url: &str) -> Result<(), PackageError> {
    let known = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
    let named = known.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let plain = !url.chars().any(|c| c.is_control() || c.is_whitespace());
    if named && plain && url.len() <= MAX_URL_BYTES {
        return Ok(());
    }
    Err(PackageError::Parameter {
        parameter: "url",
        problem: format!(
            "is \"{url}\"; accepted are up to {MAX_URL_BYTES} bytes that begin with {} and a host",
            SCHEMES.join(", ")
        ),
    })
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct PackageQuery {
    /// Only packages of this type.
    pub package_type: Option<PackageType>,
    /// Only packages whose title contains this text.
    pub title_contains: Option<String>,
    /// Most packages on the page, 1 to [`MAX_PAGE`](super::MAX_PAGE).
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

impl PackageQuery {
    pub(super) fn selects(&self, package: &Package) -> bool {
        self.package_type
            .is_none_or(|wanted| wanted == package.package_type)
            && self
                .title_contains
                .as_ref()
                .is_none_or(|text| package.title.contains(text.as_str()))
    }
}

/// A page of packages.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PackagePage {
    /// The packages.
    pub items: Vec<Package>,
    /// Cursor of the next page, `null` at the end.
    pub next: Option<String>,
}
