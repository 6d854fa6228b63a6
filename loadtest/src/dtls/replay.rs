//! The window of record numbers that have been seen (RFC 6347 §4.1.2.6).

/// A sliding window of 64 records.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayWindow {
    /// One above the highest number seen; 0 when none was.
    next: u64,
    /// Bit `i`: `next - 1 - i` was seen.
    seen: u64,
}

impl ReplayWindow {
    /// Whether a record with this number was not seen yet and is not too old to tell.
    pub const fn is_fresh(&self, sequence: u64) -> bool {
        if sequence >= self.next {
            return true;
        }
        let age = self.next - 1 - sequence;
        age < 64 && self.seen >> age & 1 == 0
    }

    /// Notes a number, once its record has proven authentic.
    pub const fn mark(&mut self, sequence: u64) {
        if sequence >= self.next {
            let step = sequence - self.next + 1;
            self.seen = if step >= 64 { 1 } else { self.seen << step | 1 };
            self.next = sequence + 1;
        } else if self.next - 1 - sequence < 64 {
            self.seen |= 1 << (self.next - 1 - sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use fastrand::Rng;

    use super::*;

    #[test]
    fn each_number_is_fresh_once_and_never_when_older_than_64() {
        let mut window = ReplayWindow::default();
        let (mut seen, mut highest) = (HashSet::new(), 0);
        let mut rng = Rng::with_seed(5);
        for _ in 0..20_000 {
            let number = (highest + rng.u64(0..90)).saturating_sub(70);
            let expected = !seen.contains(&number) && (seen.is_empty() || number + 64 > highest);
            assert_eq!(window.is_fresh(number), expected, "{number} of {highest}");
            if expected {
                window.mark(number);
                seen.insert(number);
                highest = highest.max(number);
            }
        }
    }
}
