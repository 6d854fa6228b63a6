//! The state of an update as it is published.

/// ThingsBoard's `OtaPackageUpdateStatus`: the value of `fw_state` and `sw_state`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UpdateStatus {
    /// Assigned; the device was not asked anything yet.
    #[default]
    Queued,
    /// The device is being asked and prepared.
    Initiated,
    /// The device says that it downloads.
    Downloading,
    /// The device has the package.
    Downloaded,
    /// Software: the device has checked the package.
    Verified,
    /// The device installs.
    Updating,
    /// The device has what it should have.
    Updated,
    /// It did not work; there is a reason in words.
    Failed,
}

impl UpdateStatus {
    /// All, in the order of their indices.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Initiated,
        Self::Downloading,
        Self::Downloaded,
        Self::Verified,
        Self::Updating,
        Self::Updated,
        Self::Failed,
    ];

    /// As ThingsBoard has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Initiated => "INITIATED",
            Self::Downloading => "DOWNLOADING",
            Self::Downloaded => "DOWNLOADED",
            Self::Verified => "VERIFIED",
            Self::Updating => "UPDATING",
            Self::Updated => "UPDATED",
            Self::Failed => "FAILED",
        }
    }

    /// As in the `state` label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Downloading => "downloading",
            Self::Downloaded => "downloaded",
            Self::Verified => "verified",
            Self::Updating => "updating",
            Self::Updated => "updated",
            Self::Failed => "failed",
        }
    }
}
