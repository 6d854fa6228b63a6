//! The stream under OpenSSL: one record in, any number of datagrams out.

use std::io::{self, ErrorKind, Read, Write};

#[derive(Default)]
pub(in crate::proto::dtls) struct MemoryIo {
    pub(in crate::proto::dtls) incoming: Option<Vec<u8>>,
    pub(in crate::proto::dtls) outgoing: Vec<Vec<u8>>,
}

impl Read for MemoryIo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let record = self.incoming.take().ok_or(ErrorKind::WouldBlock)?;
        let length = record.len().min(buffer.len());
        buffer[..length].copy_from_slice(&record[..length]);
        Ok(length)
    }
}

impl Write for MemoryIo {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.outgoing.push(buffer.to_vec());
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
