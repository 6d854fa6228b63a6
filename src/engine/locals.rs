//! Addresses of ours that devices use, as one-byte numbers: an answer must leave from the address
//! the request came to, and a million endpoints cannot keep twenty bytes each for it.

use crate::net::LocalAddr;

/// The addresses of one shard. The 256th and later ones are left to the kernel's choice.
#[derive(Debug, Default)]
pub struct Locals {
    known: Vec<LocalAddr>,
}

/// Stands for none in particular.
pub const UNSPECIFIED: u8 = u8::MAX;

impl Locals {
    /// The number of an address.
    pub fn number(&mut self, local: Option<LocalAddr>) -> u8 {
        let Some(local) = local else {
            return UNSPECIFIED;
        };
        if let Some(at) = self.known.iter().position(|known| *known == local) {
            return at as u8;
        }
        if self.known.len() == usize::from(UNSPECIFIED) {
            return UNSPECIFIED;
        }
        self.known.push(local);
        (self.known.len() - 1) as u8
    }

    /// The address with this number.
    #[must_use]
    pub fn address(&self, number: u8) -> Option<LocalAddr> {
        self.known.get(usize::from(number)).copied()
    }
}
