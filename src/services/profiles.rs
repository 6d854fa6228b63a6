//! Device profiles by name. This version knows the built-in one.

pub use crate::engine::ProfileId;

/// Name of the built-in profile.
pub const DEFAULT: &str = "default";

/// Every profile name, in order.
#[must_use]
pub fn names() -> &'static [&'static str] {
    &[DEFAULT]
}

/// Id of the profile called `name`.
#[must_use]
pub fn find(name: &str) -> Option<ProfileId> {
    let position = names().iter().position(|known| *known == name)?;
    ProfileId::try_from(position).ok()
}
