//! LwM2M: paths, links, registration parameters, values and their formats, operations.

mod binding;
mod decimal;
mod excerpt;
mod path;
mod value;
mod version;

pub mod codec;
pub mod link;
pub mod model;
pub mod operation;
pub mod registration;

pub use binding::{Binding, BindingError};
pub use path::{Path, PathError};
pub use value::{ParseObjlnkError, Record, ResourceType, ResourceTypes, Value, parse_objlnk};
pub use version::{LwM2mVersion, Version, VersionError};
