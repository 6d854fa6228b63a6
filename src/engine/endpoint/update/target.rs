//! What a device is to be updated to, and how.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};

use crate::proto::time::UnixMillis;

/// What is updated.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UpdateKind {
    /// The device's firmware, by object 5.
    Firmware,
    /// A software package, by object 9.
    Software,
}

impl UpdateKind {
    /// Both, in the order of their indices.
    pub const ALL: [Self; 2] = [Self::Firmware, Self::Software];

    /// As in metrics, routes and texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Software => "software",
        }
    }

    /// What names of values begin with: `fw` or `sw`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Firmware => "fw",
            Self::Software => "sw",
        }
    }
}

/// The bytes of a package, held once for all devices that get it.
pub struct Image {
    bytes: Box<[u8]>,
    sha256: [u8; 32],
}

impl Image {
    /// An image. Computes its SHA-256, which takes about a second for 300 MB: not to be called on a
    /// thread that must not block.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        let bytes = bytes.into();
        let sha256 = Sha256::digest(&bytes).into();
        Self { bytes, sha256 }
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Entity tag of the image (RFC 7252 §5.10.6): the same for the same bytes.
    #[must_use]
    pub fn etag(&self) -> &[u8] {
        &self.sha256[..8]
    }

    /// SHA-256 in lower-case hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        HEXLOWER.encode(&self.sha256)
    }
}

impl AsRef<[u8]> for Image {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes)", self.bytes.len())
    }
}

/// Where the bytes of a package are.
#[derive(Clone, Debug)]
pub enum Source {
    /// Here.
    Image(Arc<Image>),
    /// At an address of somebody else, which the device is told: at most 255 bytes.
    Url(Box<str>),
}

/// How an image gets to the device. A device that states by `/5/0/9` that it only pulls or only
/// takes pushes gets it its way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Strategy {
    /// Written to `/5/0/0` or `/9/0/2` (ThingsBoard: 1, `OBJ_5_BINARY`, `BINARY`).
    #[default]
    Push,
    /// The device is told where to fetch it, by `/5/0/1` or `/9/0/3` (ThingsBoard: 2,
    /// `OBJ_5_TEMP_URL`, `TEMP_URL`).
    Url,
    /// Written to `/19/0/0` (ThingsBoard: 3, `OBJ_19_BINARY`).
    PushObject19,
}

impl Strategy {
    /// As in the view of an update.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Url => "url",
            Self::PushObject19 => "push_object_19",
        }
    }
}

/// How long a device may take, in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// To download, counted from the last sign of progress.
    pub download: u32,
    /// To install, from the order on.
    pub install: u32,
}

impl Default for Timeouts {
    /// Half an hour without progress of the download, an hour for the installation.
    fn default() -> Self {
        Self {
            download: 1_800,
            install: 3_600,
        }
    }
}

/// What a device is to be updated to. One for all devices that get the same.
#[derive(Clone, Debug)]
pub struct UpdateTarget {
    /// Firmware or software.
    pub kind: UpdateKind,
    /// Id of the package. A package that failed or was installed is not tried again on the same device
    /// until another one, or the same after [`withdrawal`](crate::engine::EngineHandle::withdraw_update), is assigned.
    pub package: Box<str>,
    /// Title.
    pub title: Box<str>,
    /// Version.
    pub version: Box<str>,
    /// Tag.
    pub tag: Option<Box<str>>,
    /// Name of the file, for the information in object 19.
    pub file_name: Option<Box<str>>,
    /// Name of the checksum's algorithm, such as `SHA256`.
    pub checksum_algorithm: Option<Box<str>>,
    /// Checksum in hexadecimal.
    pub checksum: Option<Box<str>>,
    /// Bytes, where known. That of an image is taken from the image.
    pub size: Option<u64>,
    /// Where the bytes are.
    pub source: Source,
    /// How they get to the device.
    pub strategy: Strategy,
    /// Where devices reach the download resource, such as `coap://lwm2m.example.org:5685`; `None` for
    /// the address the device talks to anyway.
    pub base_url: Option<Box<str>>,
    /// Whether object 19 is told title, version, checksum and size before the transfer.
    pub object_19_info: bool,
    /// Severity for `/5/0/11`: 0 critical, 1 mandatory, 2 optional.
    pub severity: Option<u8>,
    /// How long a user may put the installation off, in seconds, for `/5/0/13`.
    pub max_defer: Option<u32>,
    /// Whether software is activated after its installation (and deactivated before it is replaced).
    pub activate: bool,
    /// How long the device may take.
    pub timeouts: Timeouts,
    /// Until when the device may fetch the image from here; `None` for as long as it is assigned.
    pub fetch_until: Option<UnixMillis>,
}

impl UpdateTarget {
    /// An update with everything else as usual.
    #[must_use]
    pub fn new(
        kind: UpdateKind,
        package: &str,
        title: &str,
        version: &str,
        source: Source,
    ) -> Self {
        Self {
            kind,
            package: package.into(),
            title: title.into(),
            version: version.into(),
            tag: None,
            file_name: None,
            checksum_algorithm: None,
            checksum: None,
            size: None,
            source,
            strategy: Strategy::default(),
            base_url: None,
            object_19_info: false,
            severity: None,
            max_defer: None,
            activate: false,
            timeouts: Timeouts::default(),
            fetch_until: None,
        }
    }

    /// Bytes of the package, where known.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        match &self.source {
            Source::Image(image) => Some(image.len() as u64),
            Source::Url(_) => self.size,
        }
    }

    /// The image, if it is here.
    #[must_use]
    pub fn image(&self) -> Option<&Arc<Image>> {
        match &self.source {
            Source::Image(image) => Some(image),
            Source::Url(_) => None,
        }
    }
}

/// Names a package for one device in a download: 128 bits that nobody can guess.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct DownloadToken(pub [u8; 16]);

impl DownloadToken {
    /// As the last segment of a URL.
    #[must_use]
    pub fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// Reads a segment of a URL; `None` when it is no token.
    #[must_use]
    pub fn parse(segment: &[u8]) -> Option<Self> {
        if segment.len() != 22 {
            return None;
        }
        let mut token = [0; 16];
        BASE64URL_NOPAD.decode_mut(segment, &mut token).ok()?;
        Some(Self(token))
    }
}

impl fmt::Debug for DownloadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DownloadToken(redacted)")
    }
}

/// How far a device has got with a download from here. Written where the device asks, which may be
/// another shard than its own.
#[derive(Debug, Default)]
pub struct Fetched {
    reached: AtomicU64,
    blocks: AtomicU64,
}

impl Fetched {
    /// A block that ends at byte `end` was handed out.
    pub fn block(&self, end: u64) {
        self.reached.fetch_max(end, Relaxed);
        self.blocks.fetch_add(1, Relaxed);
    }

    /// Bytes from the start that were handed out.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.reached.load(Relaxed)
    }

    /// Blocks handed out, repetitions counted.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Relaxed)
    }
}

/// A target on its way to one device.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// What to update to.
    pub target: Arc<UpdateTarget>,
    /// Under which name the device may fetch the image.
    pub token: DownloadToken,
    /// What it has fetched.
    pub fetched: Arc<Fetched>,
    /// Where the device reaches the download resource when the target does not say.
    pub origin: Option<Box<str>>,
}

impl Assignment {
    /// What the device is told to fetch; `None` when nobody knows an address for it.
    #[must_use]
    pub fn url(&self) -> Option<Box<str>> {
        if let Source::Url(url) = &self.target.source {
            return Some(url.clone());
        }
        let base = self.target.base_url.as_deref().or(self.origin.as_deref())?;
        let base = base.trim_end_matches('/');
        Some(format!("{base}/tbfw/{}", self.token.text()).into())
    }
}
