//! Batches of datagrams: recvmmsg(2), sendmmsg(2), and the control data that goes with each datagram.
//!
//! Addresses and control data are read and written as plain bytes; `unsafe` is the three system calls and nothing else.

mod ancillary;
mod receive;
mod send;

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

pub use receive::{ReceiveBatch, Received, ReceivedMut};
pub use send::{OutDatagram, SendBatch, SendReport};

use ancillary::{ControlBuffer, NameBuffer};

/// setsockopt(2) for the integer options that have no safe wrapper.
pub(super) fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: setsockopt(2) reads `optlen` bytes at `optval`; both describe `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The headers of a batch, with one `iovec` for each message. They hold pointers only while a system call runs.
struct Headers {
    messages: Box<[libc::mmsghdr]>,
    vectors: Box<[libc::iovec]>,
}

// SAFETY: the pointers in the headers are written anew before each system call and never followed outside of it
// (`receive` and `send` below), so another thread finds nothing in them that belongs to the first.
unsafe impl Send for Headers {}

/// What the kernel wrote into the header of one received datagram.
#[derive(Clone, Copy)]
struct HeaderOut {
    length: usize,
    control_length: usize,
    truncated: bool,
}

impl Headers {
    fn new(messages: usize) -> Self {
        Self {
            messages: (0..messages).map(|_| empty_header()).collect(),
            vectors: (0..messages)
                .map(|_| libc::iovec {
                    iov_base: std::ptr::null_mut(),
                    iov_len: 0,
                })
                .collect(),
        }
    }

    /// recvmmsg(2) without waiting: fills `names`, `controls` and `data` (one part of `part` bytes for each message).
    ///
    /// Returns how many messages came in; at least one, or an error.
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        names: &mut [NameBuffer],
        controls: &mut [ControlBuffer],
        data: &mut [u8],
        part: usize,
    ) -> io::Result<usize> {
        let parts = data.chunks_exact_mut(part);
        let buffers = names.iter_mut().zip(controls.iter_mut()).zip(parts);
        let headers = self.messages.iter_mut().zip(self.vectors.iter_mut());
        let mut count = 0;
        for ((header, vector), ((name, control), part)) in headers.zip(buffers) {
            *vector = libc::iovec {
                iov_base: part.as_mut_ptr().cast(),
                iov_len: part.len(),
            };
            let header = &mut header.msg_hdr;
            header.msg_name = name.bytes.as_mut_ptr().cast();
            header.msg_namelen = name.bytes.len() as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = control.bytes.as_mut_ptr().cast();
            header.msg_controllen = control.bytes.len() as _;
            header.msg_flags = 0;
            count += 1;
        }
        loop {
            // SAFETY: recvmmsg(2) writes to at most `vlen` headers at `msgvec`; `count` of them were filled in above.
            // Each points at one name, one control buffer and, through its own `iovec`, one part of `data`, with their
            // true lengths; all are exclusively borrowed until this function returns, and the kernel writes no more
            // than these lengths: with MSG_TRUNC it reports, but does not write, what is beyond (recv(2)). A null
            // timeout is allowed.
            let result = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.messages.as_mut_ptr(),
                    count,
                    (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as _,
                    std::ptr::null_mut(),
                )
            };
            if let Ok(received) = usize::try_from(result) {
                return Ok(received);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    fn outcome(&self, index: usize) -> HeaderOut {
        let message = &self.messages[index];
        HeaderOut {
            length: message.msg_len as usize,
            control_length: message.msg_hdr.msg_controllen,
            truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        }
    }

    /// sendmmsg(2) without waiting: one datagram for each of `parts`, which are ranges of `arena`.
    ///
    /// Returns how many went out; at least one, or an error, which is that of the first.
    fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        names: &[NameBuffer],
        controls: &[ControlBuffer],
        arena: &[u8],
        parts: &[Range<usize>],
    ) -> io::Result<usize> {
        let buffers = names.iter().zip(controls).zip(parts);
        let headers = self.messages.iter_mut().zip(self.vectors.iter_mut());
        let mut count = 0;
        for ((header, vector), ((name, control), part)) in headers.zip(buffers) {
            let payload = &arena[part.clone()];
            *vector = libc::iovec {
                iov_base: payload.as_ptr().cast_mut().cast(),
                iov_len: payload.len(),
            };
            let header = &mut header.msg_hdr;
            header.msg_name = name.bytes.as_ptr().cast_mut().cast();
            header.msg_namelen = name.length as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = control.bytes.as_ptr().cast_mut().cast();
            header.msg_controllen = control.length as _;
            header.msg_flags = 0;
            count += 1;
        }
        loop {
            // SAFETY: sendmmsg(2) reads `vlen` headers at `msgvec` and writes their `msg_len`; `count` of them were
            // filled in above. It only reads the name, control data and payload that each points at, with their true
            // lengths (`length` never exceeds `bytes`, see `ancillary`); all are borrowed until this function returns.
            let result = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.messages.as_mut_ptr(),
                    count,
                    (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
                )
            };
            if let Ok(sent) = usize::try_from(result) {
                return Ok(sent);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is a C structure of integers and pointers, for all of which zero is a valid value.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests;
