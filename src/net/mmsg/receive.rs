//! Receiving in batches.

use std::io;
use std::os::fd::AsFd;

use super::Headers;
use super::ancillary::{Ancillary, ControlBuffer, NameBuffer};
use crate::net::addr::{LocalAddr, PeerAddr};
use crate::net::socket::ShardSocket;

/// Buffers for a batch of datagrams, used again for each batch. One serves any number of sockets in turn.
pub struct ReceiveBatch {
    headers: Headers,
    names: Box<[NameBuffer]>,
    controls: Box<[ControlBuffer]>,
    data: Box<[u8]>,
    buffer_size: usize,
    filled: usize,
    last_drops: Option<u32>,
    kernel_drops: u32,
}

/// One received datagram, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The payload, cut off at the buffer size.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub peer: PeerAddr,
    /// Which address of ours it was sent to.
    pub local: Option<LocalAddr>,
    /// Whether the payload was cut off.
    pub truncated: bool,
    /// The payload's length on the wire.
    pub original_len: usize,
}

/// One received datagram whose bytes may be changed.
#[derive(Debug)]
pub struct ReceivedMut<'a> {
    /// The payload, cut off at the buffer size.
    pub bytes: &'a mut [u8],
    /// Who sent it.
    pub peer: PeerAddr,
    /// Which address of ours it was sent to.
    pub local: Option<LocalAddr>,
    /// Whether the payload was cut off.
    pub truncated: bool,
}

impl ReceiveBatch {
    /// Room for `messages` datagrams of up to `buffer_size` bytes. Both must be at least 1.
    ///
    /// # Panics
    /// When one of them is 0.
    #[must_use]
    pub fn new(messages: usize, buffer_size: usize) -> Self {
        assert!(
            messages > 0 && buffer_size > 0,
            "a batch has room for something"
        );
        Self {
            headers: Headers::new(messages),
            names: vec![NameBuffer::EMPTY; messages].into(),
            controls: vec![ControlBuffer::EMPTY; messages].into(),
            data: vec![0; messages * buffer_size].into(),
            buffer_size,
            filled: 0,
            last_drops: None,
            kernel_drops: 0,
        }
    }

    /// Takes what the socket has, without waiting, and forgets the batch before. Returns how many datagrams came.
    ///
    /// # Errors
    /// `WouldBlock` when the socket has nothing; any other error is the socket's.
    pub fn receive(&mut self, socket: &ShardSocket) -> io::Result<usize> {
        self.filled = 0;
        self.last_drops = None;
        let count = self.headers.receive(
            socket.as_fd(),
            &mut self.names,
            &mut self.controls,
            &mut self.data,
            self.buffer_size,
        )?;
        self.filled = count;
        // The counter only grows: the newest datagram of the batch knows it best.
        self.last_drops = self.ancillary(count - 1).drops;
        self.kernel_drops = self.last_drops.unwrap_or(self.kernel_drops);
        Ok(count)
    }

    /// Datagram `index` of the batch.
    ///
    /// # Panics
    /// When the batch has fewer.
    #[must_use]
    pub fn get(&self, index: usize) -> Received<'_> {
        assert!(
            index < self.filled,
            "datagram {index} of a batch of {}",
            self.filled
        );
        let out = self.headers.outcome(index);
        let start = index * self.buffer_size;
        let kept = out.length.min(self.buffer_size);
        Received {
            bytes: &self.data[start..start + kept],
            peer: self.names[index]
                .peer()
                .unwrap_or(PeerAddr::from_octets([0; 16], 0)),
            local: self.ancillary(index).local,
            truncated: out.truncated || out.length > kept,
            original_len: out.length,
        }
    }

    /// Datagram `index` of the batch with bytes that may be changed, to decrypt it where it lies.
    ///
    /// # Panics
    /// When the batch has fewer.
    pub fn get_mut(&mut self, index: usize) -> ReceivedMut<'_> {
        let Received {
            bytes,
            peer,
            local,
            truncated,
            ..
        } = self.get(index);
        let (start, length) = (index * self.buffer_size, bytes.len());
        ReceivedMut {
            bytes: &mut self.data[start..start + length],
            peer,
            local,
            truncated,
        }
    }

    /// All datagrams of the batch.
    pub fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        (0..self.filled).map(|index| self.get(index))
    }

    /// Datagrams that the kernel has dropped because the socket's buffer was full, as last reported (`SO_RXQ_OVFL`,
    /// socket(7)): a running total that wraps, of the socket that reported last.
    #[must_use]
    pub const fn kernel_drops(&self) -> u32 {
        self.kernel_drops
    }

    /// The same as reported with the present batch, for those who serve several sockets with one `ReceiveBatch`.
    /// `None` as long as the socket has dropped nothing.
    #[must_use]
    pub const fn drops_in_batch(&self) -> Option<u32> {
        self.last_drops
    }

    fn ancillary(&self, index: usize) -> Ancillary {
        self.controls[index].read(self.headers.outcome(index).control_length)
    }
}
