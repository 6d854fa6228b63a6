//! Message ids for the messages we send.

/// Yields message ids that all have the same remainder, so that an empty ACK or RST, which
/// carries nothing but a message id, tells who sent the message it answers (RFC 7252 §4.4).
///
/// With stride *s* there are about 65,536 / *s* ids before one comes again; a peer must not see
/// the same id twice within EXCHANGE_LIFETIME.
#[derive(Clone, Copy, Debug)]
pub struct MidSequence {
    next: u16,
    stride: u16,
    offset: u16,
}

impl MidSequence {
    /// Ids `i` with `i % stride == offset`, beginning with the first at or after `first`, which
    /// the caller draws at random. A stride of 0 counts as 1; `offset` is taken modulo `stride`.
    #[must_use]
    pub const fn new(first: u16, stride: u16, offset: u16) -> Self {
        let stride = if stride == 0 { 1 } else { stride };
        let offset = offset % stride;
        let remainder = first % stride;
        let ahead = if remainder <= offset {
            offset - remainder
        } else {
            stride - remainder + offset
        };
        let next = match first.checked_add(ahead) {
            Some(next) => next,
            None => offset,
        };
        Self {
            next,
            stride,
            offset,
        }
    }

    /// The next id. Never ends: after the largest comes the smallest.
    pub const fn next(&mut self) -> u16 {
        let mid = self.next;
        // Not a wrapping addition: 65,536 need not be a multiple of the stride.
        self.next = match mid.checked_add(self.stride) {
            Some(next) => next,
            None => self.offset,
        };
        mid
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_id_names_its_sender_even_across_the_wrap() {
        for (stride, offset) in [(1, 0), (2, 1), (3, 2), (16, 5), (7, 0)] {
            let mut mids = MidSequence::new(65_000, stride, offset);
            for _ in 0..70_000 {
                assert_eq!(mids.next() % stride, offset);
            }
        }
    }

    #[test]
    fn no_id_repeats_before_the_sequence_is_exhausted() {
        let mut mids = MidSequence::new(12_345, 3, 1);
        let seen: HashSet<u16> = (0..21_845).map(|_| mids.next()).collect();
        assert_eq!(seen.len(), 21_845);
        assert_eq!(mids.next(), 12_346);
    }

    #[test]
    fn odd_arguments_are_bent_into_range() {
        let mut mids = MidSequence::new(9, 0, 40);
        assert_eq!((mids.next(), mids.next()), (9, 10));
        let mut mids = MidSequence::new(u16::MAX, 40_000, 39_999);
        assert_eq!((mids.next(), mids.next()), (39_999, 39_999));
    }

    #[test]
    fn it_is_small_enough_to_live_in_every_endpoint() {
        assert_eq!(size_of::<MidSequence>(), 6);
    }
}
