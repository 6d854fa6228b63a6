//! The ways a server can come by a device's values.

use clap::ValueEnum;

/// A way to come by values. The first three are a profile's `observeStrategy`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Strategy {
    /// An Observe for each resource.
    Single,
    /// One Observe-Composite for all resources.
    CompositeAll,
    /// An Observe-Composite for each object.
    CompositeByObject,
    /// Nothing is observed: each resource is read time and again.
    Poll,
    /// Nothing is observed: all resources are read together time and again, by Read-Composite.
    PollComposite,
}

impl Strategy {
    /// What is compared when nobody chose.
    pub const USUAL: [Self; 4] = [
        Self::Single,
        Self::CompositeAll,
        Self::CompositeByObject,
        Self::Poll,
    ];

    /// The name in reports; for the first three, that of `observeStrategy` in a profile.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "SINGLE",
            Self::CompositeAll => "COMPOSITE_ALL",
            Self::CompositeByObject => "COMPOSITE_BY_OBJECT",
            Self::Poll => "POLL",
            Self::PollComposite => "POLL_COMPOSITE",
        }
    }

    /// The name in names of profiles and endpoints.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::CompositeAll => "composite-all",
            Self::CompositeByObject => "composite-by-object",
            Self::Poll => "poll",
            Self::PollComposite => "poll-composite",
        }
    }

    /// `observeStrategy` in the profile; `None` when nothing is observed.
    #[must_use]
    pub const fn number(self) -> Option<u8> {
        match self {
            Self::Single => Some(0),
            Self::CompositeAll => Some(1),
            Self::CompositeByObject => Some(2),
            Self::Poll | Self::PollComposite => None,
        }
    }

    /// Whether the server asks instead of observing.
    #[must_use]
    pub const fn polls(self) -> bool {
        self.number().is_none()
    }
}
