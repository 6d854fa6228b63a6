//! Why something with packages did not work.

use std::io;

use super::record::PackageType;
use super::{Algorithm, MAX_PACKAGES, MAX_UPLOADS};
use crate::services::devices::CursorError;
use crate::services::storage::StoreError;

/// Why an operation on packages failed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// There is no such package.
    #[error("there is no package \"{id}\"")]
    NotFound {
        /// The id.
        id: String,
    },
    /// A parameter is not as it must be.
    #[error("`{parameter}` {problem}")]
    Parameter {
        /// Which.
        parameter: &'static str,
        /// What is wrong with it and what is accepted.
        problem: String,
    },
    /// There is a package of the same type, title and version.
    #[error("there is a package of this type, title and version already: {id}")]
    Exists {
        /// Its id.
        id: String,
    },
    /// There are [`MAX_PACKAGES`] already.
    #[error("there are {MAX_PACKAGES} packages already: delete one first")]
    TooMany,
    /// Devices, profiles or campaigns need the package.
    #[error(
        "the package is in use by {users}; with force=true it goes all the same, and updates to it fail"
    )]
    InUse {
        /// By whom, in words.
        users: String,
    },
    /// The package is of the other type.
    #[error("package \"{id}\" is {found}; {wanted} is wanted here")]
    WrongType {
        /// The id.
        id: String,
        /// Of the package.
        found: PackageType,
        /// Accepted here.
        wanted: PackageType,
    },
    /// The image is too large.
    #[error(
        "the image has more than {limit} bytes, the most that is accepted (`max_bytes` under [packages])"
    )]
    TooLarge {
        /// Accepted bytes.
        limit: u64,
    },
    /// There are no bytes and no URL.
    #[error("the body is empty; accepted are the bytes of the image, or `url` and no body")]
    Empty,
    /// The bytes are not those meant.
    #[error("the {} of the image is {computed}, stated was {stated}; nothing was kept", algorithm.name())]
    Checksum {
        /// How it is computed.
        algorithm: Algorithm,
        /// Of the bytes that came.
        computed: String,
        /// By whoever sent them.
        stated: String,
    },
    /// As many uploads run as may.
    #[error("{MAX_UPLOADS} uploads are running already")]
    TooManyUploads,
    /// The bytes are not here but behind the package's URL.
    #[error("the bytes of package \"{id}\" are not on this server")]
    NoBytes {
        /// The id.
        id: String,
    },
    /// The disk is full.
    #[error("there is no space left in the data directory; nothing was kept")]
    NoSpace,
    /// A file cannot be read or written.
    #[error("a file of the packages cannot be used: {0}")]
    Io(io::Error),
    /// The cursor is not one of ours.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<io::Error> for PackageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The last is a limit on the size of files, set for the process.
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}
