//! Sessions with CBC and without encrypt-then-MAC (RFC 5246 §6.2.3.2): OpenSSL goes on protecting
//! their records. To tell a wrong padding from a wrong MAC by nothing, not even by time, is the hard
//! part of it, and OpenSSL does that. Such a session costs about 65 KB, so their number is bounded.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{ErrorCode, ShutdownState, SslStream};

use super::handshake::MemoryIo;
use super::wire::{self, RECORD_HEADER};

/// Counts the sessions of this kind.
#[derive(Default)]
pub(super) struct Permits(Arc<()>);

/// One of them, until it is let go of.
pub(super) struct Permit {
    _counted: Arc<()>,
}

impl Permits {
    pub(super) fn take(&self) -> Permit {
        Permit {
            _counted: Arc::clone(&self.0),
        }
    }

    pub(super) fn taken(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// OpenSSL's part of a session, once the handshake is done.
pub(super) struct Kept {
    stream: SslStream<MemoryIo>,
}

/// What was in a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// Application data: that many bytes behind the record's header.
    Data(usize),
    /// It did not authenticate, or it is nothing to tell of.
    Nothing,
    /// close_notify.
    Closed,
    /// A fatal alert, or what leads to one.
    Fatal,
}

impl Kept {
    pub(super) const fn new(stream: SslStream<MemoryIo>) -> Self {
        Self { stream }
    }

    /// Opens a record in place. What OpenSSL has to say to it is in [`said`](Self::said).
    pub(super) fn open(&mut self, record: &mut [u8]) -> Content {
        self.stream.get_mut().incoming = Some(record.to_vec());
        match self.read(&mut record[RECORD_HEADER..]) {
            // There was no room for anything, and OpenSSL was not asked.
            Ok(0) => Content::Nothing,
            Ok(length) => Content::Data(length),
            Err(ErrorCode::WANT_READ) => Content::Nothing,
            Err(ErrorCode::ZERO_RETURN) => Content::Closed,
            // What is discarded in silence may leave an error behind: only an end lasts.
            Err(_) => match self.read(&mut [0]) {
                Err(ErrorCode::WANT_READ) => Content::Nothing,
                _ => Content::Fatal,
            },
        }
    }

    /// Appends a record; nothing is appended on error.
    pub(super) fn seal(
        &mut self,
        content_type: u8,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorStack> {
        let _ = ErrorStack::get();
        if content_type == wire::APPLICATION_DATA {
            let written = self.stream.ssl_write(content);
            written.map_err(|error| error.ssl_error().cloned().unwrap_or_else(ErrorStack::get))?;
        } else {
            // The one alert of ours: close_notify.
            let _ = self.stream.shutdown();
        }
        for datagram in self.said() {
            out.extend_from_slice(&datagram);
        }
        Ok(())
    }

    /// Takes the datagrams that OpenSSL wants sent.
    pub(super) fn said(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.stream.get_mut().outgoing)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorCode> {
        // An error that somebody else left would be taken for one of this call.
        let _ = ErrorStack::get();
        let read = self.stream.ssl_read(buffer);
        self.stream.get_mut().incoming = None;
        read.map_err(|error| error.code())
    }
}

impl Drop for Kept {
    /// Without it, letting go of the object would forget the session in the id cache.
    fn drop(&mut self) {
        self.stream
            .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
    }
}
