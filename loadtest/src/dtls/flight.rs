//! A flight of the handshake, kept as long as it may have to be sent again.

use openssl::error::ErrorStack;

use super::keys::{KeyBlock, Writer};
use super::protect::{Envelope, Protector};
use super::wire;

/// Messages that are sent together, by datagram.
#[derive(Clone, Debug, Default)]
pub struct Flight {
    pub datagrams: Vec<Vec<Part>>,
}

/// A record to be: its number is given when it is sent, since each sending needs another.
#[derive(Clone, Debug)]
pub struct Part {
    pub content_type: u8,
    /// Whether it is of epoch 1.
    pub protected: bool,
    pub content: Vec<u8>,
}

/// The numbers that the next records get.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    pub plain: u64,
    pub protected: u64,
}

impl Flight {
    /// Writes its datagrams. `cid` is what the server wants on protected records.
    pub fn write(
        &self,
        numbers: &mut Numbers,
        keys: Option<&KeyBlock>,
        cid: &[u8],
        protector: &mut Protector,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), ErrorStack> {
        for parts in &self.datagrams {
            let mut datagram = Vec::with_capacity(256);
            for part in parts {
                if !part.protected {
                    wire::append_plain(
                        part.content_type,
                        numbers.plain,
                        &part.content,
                        &mut datagram,
                    );
                    numbers.plain += 1;
                } else if let Some(keys) = keys {
                    let to = Envelope {
                        content_type: part.content_type,
                        sequence: numbers.protected,
                        cid,
                    };
                    let keys = keys.written_by(Writer::Client);
                    protector.seal(keys, to, &part.content, &mut datagram)?;
                    numbers.protected += 1;
                }
            }
            out.push(datagram);
        }
        Ok(())
    }
}
