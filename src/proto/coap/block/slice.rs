//! The server's side of Block2: cutting a block out of a body.

use super::value::{BlockValue, MAX_SZX};

/// The block of `body` that a request asks for, and the Block2 option to send with it
/// (RFC 7959 §2.4). A request without Block2 asks for block 0 of the preferred size.
///
/// Blocks are no larger than asked for and than `preferred_szx` allows; a smaller block starts
/// at the same byte. `None` when the body has no such block: the answer is 4.00.
#[must_use]
pub fn slice(body: &[u8], requested: BlockValue, preferred_szx: u8) -> Option<(BlockValue, &[u8])> {
    let szx = requested.szx().min(preferred_szx).min(MAX_SZX);
    let start = requested.offset();
    let rest = body.get(start..)?;
    if rest.is_empty() && start > 0 {
        return None;
    }
    let block = BlockValue::starting_at(start, false, szx)?;
    let part = rest.get(..block.size()).unwrap_or(rest);
    let block = BlockValue::starting_at(start, part.len() < rest.len(), szx)?;
    Some((block, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(num: u32, szx: u8) -> BlockValue {
        BlockValue::new(num, false, szx).unwrap()
    }

    #[test]
    fn blocks_cover_the_body_and_the_last_one_says_so() {
        let body: Vec<u8> = (0..150).collect();
        let (block, part) = slice(&body, ask(0, 2), 6).unwrap();
        assert_eq!((block.num(), block.more(), block.size()), (0, true, 64));
        assert_eq!(part, &body[..64]);
        let (block, part) = slice(&body, ask(2, 2), 6).unwrap();
        assert_eq!((block.num(), block.more()), (2, false));
        assert_eq!(part, &body[128..]);
    }

    #[test]
    fn a_server_that_prefers_smaller_blocks_starts_at_the_same_byte() {
        let body = [7; 300];
        let (block, part) = slice(&body, ask(1, 3), 1).unwrap();
        assert_eq!((block.num(), block.more(), block.size()), (4, true, 32));
        assert_eq!(part.len(), 32);
    }

    #[test]
    fn a_body_of_whole_blocks_has_no_empty_block_at_its_end() {
        let body = [7; 128];
        assert!(!slice(&body, ask(1, 2), 6).unwrap().0.more());
        assert_eq!(slice(&body, ask(2, 2), 6), None);
    }

    #[test]
    fn an_empty_body_has_one_empty_block() {
        assert_eq!(slice(&[], ask(0, 6), 6), Some((ask(0, 6), &[][..])));
        assert_eq!(slice(&[], ask(1, 6), 6), None);
    }

    #[test]
    fn numbers_beyond_4095_reach_their_block() {
        let body = vec![7; 5_000 * 16 + 3];
        let (block, part) = slice(&body, ask(5_000, 0), 6).unwrap();
        assert_eq!((block.num(), block.more(), part.len()), (5_000, false, 3));
        assert_eq!(slice(&body, ask(1_048_575, 6), 0), None);
    }
}
