//! Sending in batches.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use super::Headers;
use super::ancillary::{ControlBuffer, NameBuffer};
use crate::net::addr::{LocalAddr, PeerAddr};
use crate::net::socket::ShardSocket;

/// Headers for a batch of datagrams, used again for each batch.
pub struct SendBatch {
    headers: Headers,
    names: Box<[NameBuffer]>,
    controls: Box<[ControlBuffer]>,
    parts: Box<[Range<usize>]>,
}

/// One datagram to send: a part of the caller's arena, and where to.
#[derive(Clone, Copy, Debug)]
pub struct OutDatagram {
    /// Who gets it.
    pub peer: PeerAddr,
    /// Which address of ours it leaves from; `None` leaves that to the routing table.
    pub local: Option<LocalAddr>,
    /// Where it begins in the arena.
    pub start: u32,
    /// Its length in bytes.
    pub len: u32,
}

/// What became of the messages of one [`SendBatch::send`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SendReport {
    /// How many were handed to the network.
    pub sent: usize,
    /// The socket's buffer was full: `messages[report.handled()..]` wait for another call.
    pub would_block: bool,
    failed: usize,
    /// Errors by number; the last place also counts those that find no place.
    errors: [(i32, u32); ERRORS],
}

const ERRORS: usize = 4;

impl SendBatch {
    /// Hands up to `messages` (at least 1) datagrams to the kernel at a time.
    ///
    /// # Panics
    /// When `messages` is 0.
    #[must_use]
    pub fn new(messages: usize) -> Self {
        assert!(messages > 0, "a batch has room for something");
        Self {
            headers: Headers::new(messages),
            names: vec![NameBuffer::EMPTY; messages].into(),
            controls: vec![ControlBuffer::EMPTY; messages].into(),
            parts: vec![0..0; messages].into(),
        }
    }

    /// Sends `messages` in order, without waiting. A message that fails is counted and the next one is tried.
    pub fn send(
        &mut self,
        socket: &ShardSocket,
        arena: &[u8],
        messages: &[OutDatagram],
    ) -> SendReport {
        let mut report = SendReport::default();
        while report.handled() < messages.len() && !report.would_block {
            let (filled, unusable) =
                self.fill(socket.is_v6(), arena, &messages[report.handled()..]);
            flush(filled, &mut report, |from| {
                let (names, controls) = (&self.names[from..filled], &self.controls[from..filled]);
                self.headers.send(
                    socket.as_fd(),
                    names,
                    controls,
                    arena,
                    &self.parts[from..filled],
                )
            });
            if let Some(errno) = unusable
                && !report.would_block
            {
                report.failure(errno);
            }
        }
        report
    }

    /// Fills the batch from the front of `messages`: how many, and what is wrong with the one behind them, if that is
    /// why the batch ends.
    fn fill(&mut self, v6: bool, arena: &[u8], messages: &[OutDatagram]) -> (usize, Option<i32>) {
        let places = self
            .names
            .iter_mut()
            .zip(&mut self.controls)
            .zip(&mut self.parts);
        let mut filled = 0;
        for (message, ((name, control), part)) in messages.iter().zip(places) {
            *part = message.start as usize..message.start as usize + message.len as usize;
            if part.end > arena.len() {
                return (filled, Some(libc::EFAULT));
            }
            let local = message.local.as_ref();
            if !name.set_peer(&message.peer, local, v6) || !control.set_local(local, v6) {
                return (filled, Some(libc::EAFNOSUPPORT));
            }
            filled += 1;
        }
        (filled, None)
    }
}

/// Hands places `0..filled` of a batch to `transmit`, which sends from the given place on and says how many it did.
fn flush(
    filled: usize,
    report: &mut SendReport,
    mut transmit: impl FnMut(usize) -> io::Result<usize>,
) {
    let mut from = 0;
    while from < filled {
        match transmit(from) {
            Ok(sent) => {
                report.sent += sent;
                from += sent;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                report.would_block = true;
                return;
            }
            Err(error) => {
                report.failure(error.raw_os_error().unwrap_or(0));
                from += 1;
            }
        }
    }
}

impl SendReport {
    /// How many of the messages, from the first, are done with: sent or failed.
    #[must_use]
    pub const fn handled(&self) -> usize {
        self.sent + self.failed
    }

    /// How many failed: they are lost, as if the network had dropped them.
    #[must_use]
    pub const fn failed(&self) -> usize {
        self.failed
    }

    /// The failures by error number (errno(3)) and how often each came. More than four kinds in one call share the
    /// last entry.
    pub fn failures(&self) -> impl Iterator<Item = (io::Error, u32)> {
        let present = self.errors.iter().filter(|(_, count)| *count > 0);
        present.map(|&(errno, count)| (io::Error::from_raw_os_error(errno), count))
    }

    fn failure(&mut self, errno: i32) {
        self.failed += 1;
        let place = self
            .errors
            .iter()
            .position(|&(known, count)| count == 0 || known == errno);
        let (known, count) = &mut self.errors[place.unwrap_or(ERRORS - 1)];
        *known = errno;
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loopback never fills a send buffer (the receiver pays), so the kernel's answers are scripted.
    fn flush_with(filled: usize, answers: &[Result<usize, i32>]) -> (SendReport, Vec<usize>) {
        let (mut report, mut asked, mut answers) =
            (SendReport::default(), Vec::new(), answers.iter());
        flush(filled, &mut report, |from| {
            asked.push(from);
            answers
                .next()
                .unwrap()
                .map_err(io::Error::from_raw_os_error)
        });
        assert!(answers.next().is_none(), "stopped too early");
        (report, asked)
    }

    #[test]
    fn a_full_socket_stops_the_batch_where_it_stands() {
        let (report, asked) = flush_with(8, &[Ok(3), Err(libc::EAGAIN)]);
        assert_eq!(
            (report.sent, report.handled(), report.would_block),
            (3, 3, true)
        );
        assert_eq!(asked, [0, 3]);
    }

    #[test]
    fn a_failed_message_is_passed_over() {
        let (report, asked) = flush_with(
            8,
            &[Ok(3), Err(libc::EPERM), Ok(2), Err(libc::EPERM), Ok(1)],
        );
        assert_eq!(
            (report.sent, report.failed(), report.would_block),
            (6, 2, false)
        );
        assert_eq!(asked, [0, 3, 4, 6, 7]);
        let failures: Vec<_> = report
            .failures()
            .map(|(error, count)| (error.raw_os_error(), count))
            .collect();
        assert_eq!(failures, [(Some(libc::EPERM), 2)]);
    }

    #[test]
    fn failures_of_many_kinds_are_all_counted() {
        let answers: Vec<_> = (1..=7).map(Err).collect();
        let (report, _) = flush_with(7, &answers);
        assert_eq!(report.failed(), 7);
        assert_eq!(report.failures().map(|(_, count)| count).sum::<u32>(), 7);
    }
}
