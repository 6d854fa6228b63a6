//! A ring of buckets of slot numbers, stored in blocks of one cache line.

/// Entries in a block.
const ENTRIES: usize = 15;
const NONE: u32 = u32::MAX;
/// Blocks are allocated this many at a time: a growing `Vec` would hold twice the memory while it moves.
const BLOCKS_PER_CHUNK: usize = 1_024;

/// Buckets numbered without end, of which a window from [`Ring::next`] on exists.
#[derive(Debug)]
pub(super) struct Ring {
    buckets: Box<[Bucket]>,
    /// One bit for each bucket that has entries.
    occupied: Box<[u64]>,
    next: u64,
    chunks: Vec<Box<[Block]>>,
    /// First of a chain of unused blocks.
    free: u32,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The block that is being filled; those behind it are full.
    head: u32,
    /// Entries in it.
    filled: u32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Block {
    next: u32,
    entries: [u32; ENTRIES],
}

impl Ring {
    /// `buckets` must be a multiple of 64; `next` is the number of the first.
    pub(super) fn new(buckets: usize, next: u64) -> Self {
        Self {
            buckets: vec![
                Bucket {
                    head: NONE,
                    filled: 0
                };
                buckets
            ]
            .into(),
            occupied: vec![0; buckets / 64].into(),
            next,
            chunks: Vec::new(),
            free: NONE,
        }
    }

    /// Number of the first bucket of the window: those before it are done with.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Puts `slot` in bucket `number`, which must lie in the window.
    pub(super) fn push(&mut self, number: u64, slot: u32) {
        debug_assert!(number >= self.next && number - self.next < self.buckets.len() as u64);
        let index = self.index(number);
        let Bucket {
            mut head,
            mut filled,
        } = self.buckets[index];
        if head == NONE || filled as usize == ENTRIES {
            let block = self.take_block();
            self.block(block).next = head;
            (head, filled) = (block, 0);
        }
        self.block(head).entries[filled as usize] = slot;
        self.buckets[index] = Bucket {
            head,
            filled: filled + 1,
        };
        self.occupied[index / 64] |= 1 << (index % 64);
    }

    /// Takes an entry out of the first bucket that has one, if that is no later than `limit`. The window moves up.
    pub(super) fn pop_due(&mut self, limit: u64) -> Option<(u64, u32)> {
        match self.first() {
            Some(number) if number <= limit => {
                self.next = number;
                Some((number, self.pop(self.index(number))))
            }
            _ => {
                self.next = self.next.max(limit + 1);
                None
            }
        }
    }

    /// Number of the first bucket that has entries.
    pub(super) fn first(&self) -> Option<u64> {
        let start = self.index(self.next);
        let words = self.occupied.len();
        for step in 0..=words {
            let at = (start / 64 + step) % words;
            let mut word = self.occupied[at];
            if step == 0 {
                word &= u64::MAX << (start % 64);
            } else if step == words {
                word &= !(u64::MAX << (start % 64));
            }
            if word != 0 {
                let index = at * 64 + word.trailing_zeros() as usize;
                let distance = (index + self.buckets.len() - start) % self.buckets.len();
                return Some(self.next + distance as u64);
            }
        }
        None
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.buckets)
            + size_of_val(&*self.occupied)
            + self
                .chunks
                .iter()
                .map(|chunk| size_of_val(&**chunk))
                .sum::<usize>()
            + self.chunks.capacity() * size_of::<Box<[Block]>>()
    }

    fn pop(&mut self, index: usize) -> u32 {
        let Bucket { head, filled } = self.buckets[index];
        let block = self.block(head);
        let slot = block.entries[filled as usize - 1];
        let behind = block.next;
        if filled > 1 {
            self.buckets[index].filled = filled - 1;
            return slot;
        }
        self.block(head).next = self.free;
        self.free = head;
        if behind == NONE {
            self.buckets[index] = Bucket {
                head: NONE,
                filled: 0,
            };
            self.occupied[index / 64] &= !(1 << (index % 64));
        } else {
            self.buckets[index] = Bucket {
                head: behind,
                filled: ENTRIES as u32,
            };
        }
        slot
    }

    fn take_block(&mut self) -> u32 {
        if self.free == NONE {
            let base = (self.chunks.len() * BLOCKS_PER_CHUNK) as u32;
            let chain = |n: usize| {
                if n + 1 == BLOCKS_PER_CHUNK {
                    NONE
                } else {
                    base + n as u32 + 1
                }
            };
            self.chunks.push(
                (0..BLOCKS_PER_CHUNK)
                    .map(|n| Block {
                        next: chain(n),
                        entries: [0; ENTRIES],
                    })
                    .collect(),
            );
            self.free = base;
        }
        let block = self.free;
        self.free = self.block(block).next;
        block
    }

    fn block(&mut self, number: u32) -> &mut Block {
        let number = number as usize;
        &mut self.chunks[number / BLOCKS_PER_CHUNK][number % BLOCKS_PER_CHUNK]
    }

    const fn index(&self, number: u64) -> usize {
        (number % self.buckets.len() as u64) as usize
    }
}
