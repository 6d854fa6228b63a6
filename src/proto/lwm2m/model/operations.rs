//! What may be done with a Resource.

use std::fmt;

/// Operations of a server on a Resource, beside Discover and Write-Attributes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operations {
    /// None: only bootstrap writes it.
    None,
    /// Read and observe.
    Read,
    /// Write.
    Write,
    /// Read, observe and write.
    ReadWrite,
    /// Execute.
    Execute,
}

impl Operations {
    /// Whether it can be read and observed.
    #[must_use]
    pub const fn can_read(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether it can be written.
    #[must_use]
    pub const fn can_write(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }

    /// Whether it can be executed.
    #[must_use]
    pub const fn can_execute(self) -> bool {
        matches!(self, Self::Execute)
    }

    /// `R`, `W`, `RW`, `E`, or nothing, as object definitions write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Read => "R",
            Self::Write => "W",
            Self::ReadWrite => "RW",
            Self::Execute => "E",
        }
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
