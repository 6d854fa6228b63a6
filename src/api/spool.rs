//! A pipe without a limit on what it holds: kept in an unnamed file.
//!
//! Many HTTP clients read the response only after they have sent the whole request. The results of
//! an import of a million lines must neither block its reading nor fill memory until then.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::watch;

/// Bytes read at once.
const CHUNK: u64 = 64 << 10;

/// Appends. Dropping it ends the pipe.
pub(super) struct SpoolWriter {
    file: Arc<File>,
    written: watch::Sender<u64>,
}

/// What [`SpoolWriter`] appended, from the beginning.
pub(super) struct SpoolReader {
    file: Arc<File>,
    written: watch::Receiver<u64>,
    read: u64,
}

/// A pipe whose content is kept in `directory`.
pub(super) fn spool(directory: &Path) -> io::Result<(SpoolWriter, SpoolReader)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!("import-{}-{number}.tmp", std::process::id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    // The file lives as long as it is open, also if the process is killed.
    fs::remove_file(&path)?;
    let file = Arc::new(file);
    let written = watch::Sender::new(0);
    let reader = SpoolReader {
        file: file.clone(),
        written: written.subscribe(),
        read: 0,
    };
    Ok((SpoolWriter { file, written }, reader))
}

impl SpoolWriter {
    /// Appends `bytes`.
    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let end = *self.written.borrow();
        self.file.write_all_at(bytes, end)?;
        self.written.send_replace(end + bytes.len() as u64);
        Ok(())
    }

    /// Whether somebody still reads.
    pub(super) fn is_read(&self) -> bool {
        !self.written.is_closed()
    }
}

impl SpoolReader {
    /// As a stream that ends when the writer is gone and everything was read.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold(self, |mut reader| async move {
            let chunk = reader.next().await.transpose()?;
            Some((chunk, reader))
        })
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let read = self.read;
        let written = match self.written.wait_for(|written| *written > read).await {
            Ok(written) => *written,
            Err(_writer_gone) => return Ok(None),
        };
        let mut chunk = vec![0; (written - read).min(CHUNK) as usize];
        self.file.read_exact_at(&mut chunk, read)?;
        self.read += chunk.len() as u64;
        Ok(Some(chunk.into()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn everything_written_is_read_in_order_and_the_end_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, reader) = spool(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let reading = tokio::spawn(async move {
            let chunks: Vec<_> = reader.into_stream().collect().await;
            chunks
                .into_iter()
                .flat_map(|chunk| chunk.unwrap().to_vec())
                .collect::<Vec<u8>>()
        });
        let mut expected = Vec::new();
        for round in 0..40_u8 {
            let part = vec![round; 10_000];
            writer.append(&part).unwrap();
            expected.extend(part);
            tokio::task::yield_now().await;
        }
        drop(writer);
        assert_eq!(reading.await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_writer_knows_that_nobody_reads() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, reader) = spool(directory.path()).unwrap();
        assert!(writer.is_read());
        drop(reader);
        assert!(!writer.is_read());
    }
}
