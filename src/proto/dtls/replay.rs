//! Sliding window over record numbers (RFC 6347 §4.1.2.6).

/// Remembers which of the last 64 record numbers came.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct ReplayWindow {
    /// One above the highest number seen; 0 before any.
    pub(super) next: u64,
    /// Bit `i`: `next - 1 - i` was seen.
    pub(super) seen: u64,
}

impl ReplayWindow {
    /// Whether a record of this number may still be looked at.
    pub(super) const fn is_fresh(&self, sequence: u64) -> bool {
        match self.next.checked_sub(sequence + 1) {
            None => true,
            Some(age) => age < 64 && self.seen >> age & 1 == 0,
        }
    }

    /// Notes a record that is fresh and authenticated. `true`: it is newer than all before it.
    pub(super) const fn mark(&mut self, sequence: u64) -> bool {
        if sequence >= self.next {
            let step = sequence + 1 - self.next;
            self.seen = if step >= 64 { 1 } else { self.seen << step | 1 };
            self.next = sequence + 1;
            return true;
        }
        let age = self.next - 1 - sequence;
        if age < 64 {
            self.seen |= 1 << age;
        }
        false
    }

    /// Refuses everything up to the highest number seen.
    pub(super) const fn shut(&mut self) {
        self.seen = u64::MAX;
    }
}
