//! The next numbers that DTLS sessions read. They change with every message, too often to be sorted
//! into a tree each time: every commit appends them to a log, and when that is long the last ones go
//! to the table of numbers.
//!
//! The log is written before the commit it belongs to, which says how far the log counts. Should the
//! process end in between, a session keeps the higher number and is never open to a replay.
//!
//! A block is its sequence (8 bytes), the count of its entries (4), the entries and a CRC-32 of all
//! that; an entry is the key of the session (4) and the number (8), all ones when the session ended
//! or began: numbers before it are none of the one that has the key then. Network order.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

const FILE: &str = "dtls-numbers.log";

/// Bytes from which on the log is emptied into the table: over a million messages.
const LONG: u64 = 16 << 20;

const HEAD: usize = 12;
const ENTRY: usize = 12;
const CHECKSUM: usize = 4;

/// Stands for a session that began or ended.
const NEW: u64 = u64::MAX;

/// The log, and the block that is put together.
#[derive(Debug)]
pub(super) struct NumberLog {
    file: File,
    /// Bytes of whole blocks.
    length: u64,
    /// Of the last block.
    sequence: u64,
    block: Vec<u8>,
    long: u64,
}

/// What a log says of one session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Outcome {
    /// What the table has is of another session.
    pub anew: bool,
    pub number: Option<u64>,
}

/// All that a log says.
#[derive(Debug)]
pub(super) struct Contents {
    /// By key.
    pub outcomes: Vec<(u32, Outcome)>,
    /// Of the last block that can be read; 0 when there is none.
    pub sequence: u64,
}

impl NumberLog {
    /// Opens the log in a directory. What is in it has to be taken over and cleared before anything
    /// is appended.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(FILE))?;
        Ok(Self {
            length: file.metadata()?.len(),
            file,
            sequence: 0,
            block: Vec::new(),
            long: LONG,
        })
    }

    /// Begins a block.
    pub(super) fn begin(&mut self) {
        self.block.clear();
        self.block.resize(HEAD, 0);
    }

    /// A session reads this number next.
    pub(super) fn note(&mut self, key: u32, number: u64) {
        self.block.extend_from_slice(&key.to_be_bytes());
        self.block.extend_from_slice(&number.to_be_bytes());
    }

    /// A session began or ended.
    pub(super) fn note_new(&mut self, key: u32) {
        self.note(key, NEW);
    }

    /// Appends the block, so that it is on the disk. Returns its sequence; `None` when it is empty.
    pub(super) fn append(&mut self) -> io::Result<Option<u64>> {
        let entries = self.block.len().saturating_sub(HEAD) / ENTRY;
        if entries == 0 {
            return Ok(None);
        }
        let sequence = self.sequence + 1;
        let count = u32::try_from(entries).unwrap_or(u32::MAX);
        self.block[..8].copy_from_slice(&sequence.to_be_bytes());
        self.block[8..HEAD].copy_from_slice(&count.to_be_bytes());
        let checksum = crc32fast::hash(&self.block);
        self.block.extend_from_slice(&checksum.to_be_bytes());
        self.file.write_all_at(&self.block, self.length)?;
        self.file.sync_data()?;
        self.length += self.block.len() as u64;
        self.sequence = sequence;
        Ok(Some(sequence))
    }

    pub(super) fn is_long(&self) -> bool {
        self.length >= self.long
    }

    /// Reads the log. Blocks up to `committed` count in full; those of later ones, whose commit did
    /// not happen, can only make numbers higher.
    pub(super) fn read(&self, committed: u64) -> io::Result<Contents> {
        let mut bytes = vec![0; usize::try_from(self.length).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, 0)?;
        let mut entries = Vec::new();
        let mut last = 0;
        let mut rest = &bytes[..];
        // What follows a block that was not written to its end is older, or nothing.
        while let Some((sequence, block, behind)) = next_block(rest)
            && sequence > last
        {
            for entry in block.as_chunks::<ENTRY>().0 {
                let [a, b, c, d, number @ ..] = *entry;
                let number = u64::from_be_bytes(number);
                if number != NEW || sequence <= committed {
                    entries.push((u32::from_be_bytes([a, b, c, d]), number));
                }
            }
            (last, rest) = (sequence, behind);
        }
        // Stable: the entries of a session stay in their order.
        entries.sort_by_key(|(key, _)| *key);
        let of_sessions = entries.chunk_by(|(a, _), (b, _)| a == b);
        let outcomes = of_sessions.map(|of| (of[0].0, outcome(of)));
        Ok(Contents {
            outcomes: outcomes.collect(),
            sequence: last,
        })
    }

    /// Empties it; blocks after `sequence` follow.
    pub(super) fn clear(&mut self, sequence: u64) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.sync_data()?;
        self.length = 0;
        self.sequence = self.sequence.max(sequence);
        Ok(())
    }

    /// Takes for long what has so many bytes.
    #[cfg(test)]
    pub(super) fn set_long(&mut self, bytes: u64) {
        self.long = bytes;
    }
}

fn outcome(entries: &[(u32, u64)]) -> Outcome {
    let mut outcome = Outcome {
        anew: false,
        number: None,
    };
    for (_, number) in entries {
        if *number == NEW {
            outcome = Outcome {
                anew: true,
                number: None,
            };
        } else {
            outcome.number = outcome.number.max(Some(*number));
        }
    }
    outcome
}

/// The first block: its sequence, its entries, and what is behind it.
fn next_block(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (sequence, rest) = bytes.split_first_chunk()?;
    let (count, _) = rest.split_first_chunk()?;
    let entries = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    let length = entries.checked_mul(ENTRY)?.checked_add(HEAD)?;
    let (block, rest) = bytes.split_at_checked(length)?;
    let (checksum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
    let whole = crc32fast::hash(block) == u32::from_be_bytes(*checksum);
    whole.then(|| (u64::from_be_bytes(*sequence), &block[HEAD..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Outcome = Outcome {
        anew: false,
        number: None,
    };

    fn log(directory: &tempfile::TempDir) -> NumberLog {
        NumberLog::open(directory.path()).unwrap()
    }

    /// Appends blocks of entries; `None` is a session that began or ended.
    fn append(log: &mut NumberLog, blocks: &[&[(u32, Option<u64>)]]) {
        for block in blocks {
            log.begin();
            for (key, number) in *block {
                match number {
                    Some(number) => log.note(*key, *number),
                    None => log.note_new(*key),
                }
            }
            assert!(log.append().unwrap().is_some());
        }
    }

    #[test]
    fn the_highest_number_of_a_session_counts_and_none_of_the_one_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = log(&directory);
        append(
            &mut log,
            &[
                &[(7, Some(3)), (9, Some(1))],
                &[(7, Some(8)), (9, None), (5, None), (5, Some(2))],
                &[(7, Some(6)), (5, Some(4))],
            ],
        );
        let contents = log.read(3).unwrap();
        assert_eq!(contents.sequence, 3);
        let anew = |number| Outcome { anew: true, number };
        let number = Some(8);
        let expected = [
            (5, anew(Some(4))),
            (7, Outcome { number, ..EMPTY }),
            (9, anew(None)),
        ];
        assert_eq!(contents.outcomes, expected);
    }

    #[test]
    fn a_session_whose_successor_was_not_committed_keeps_its_higher_number() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = log(&directory);
        append(&mut log, &[&[(7, Some(500))], &[(7, None), (7, Some(3))]]);
        let number = Some(500);
        assert_eq!(
            log.read(1).unwrap().outcomes,
            [(7, Outcome { number, ..EMPTY })]
        );
    }

    #[test]
    fn a_block_that_was_not_written_to_its_end_ends_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = log(&directory);
        append(&mut first, &[&[(7, Some(3))], &[(7, Some(4))]]);
        let length = first.length;
        for cut in 1..length / 2 {
            first.file.set_len(length - cut).unwrap();
            let contents = log(&directory).read(2).unwrap();
            assert_eq!(contents.sequence, 1, "{cut}");
            assert_eq!(contents.outcomes[0].1.number, Some(3));
            first.file.set_len(length).unwrap();
        }
        first.file.write_all_at(&[0xff], length - 1).unwrap();
        assert_eq!(log(&directory).read(2).unwrap().sequence, 1);
    }

    #[test]
    fn a_log_that_was_emptied_goes_on_counting() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = log(&directory);
        append(&mut log, &[&[(7, Some(3))]]);
        log.set_long(1);
        assert!(log.is_long());
        log.clear(5).unwrap();
        assert!(!log.is_long());
        append(&mut log, &[&[(7, Some(4))]]);
        assert_eq!(log.read(0).unwrap().sequence, 6);
        log.begin();
        assert_eq!(log.append().unwrap(), None, "nothing to append");
    }
}
