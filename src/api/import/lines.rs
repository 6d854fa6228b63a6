//! Cuts a stream of bytes into lines of bounded length.

use std::collections::VecDeque;

/// A line.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its bytes; `None` when it is longer than allowed.
    pub(super) content: Option<Vec<u8>>,
}

/// Collects chunks and gives lines that are not blank.
pub(super) struct Lines {
    max: usize,
    ready: VecDeque<Line>,
    partial: Vec<u8>,
    too_long: bool,
    count: u64,
}

impl Lines {
    /// Lines of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            ready: VecDeque::new(),
            partial: Vec::new(),
            too_long: false,
            count: 0,
        }
    }

    /// Lines that were complete so far, blank ones included.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    /// The next complete line.
    pub(super) fn next(&mut self) -> Option<Line> {
        self.ready.pop_front()
    }

    /// The last line, when it has no line break.
    pub(super) fn finish(&mut self) -> Option<Line> {
        self.end_line();
        self.next()
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.partial.len() + bytes.len() > self.max {
            self.too_long = true;
            self.partial = Vec::new();
        } else if !self.too_long {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        self.count += 1;
        let number = self.count;
        let content = std::mem::take(&mut self.partial);
        if std::mem::take(&mut self.too_long) {
            self.ready.push_back(Line {
                number,
                content: None,
            });
        } else if !content.trim_ascii().is_empty() {
            self.ready.push_back(Line {
                number,
                content: Some(content),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(max: usize, chunks: &[&[u8]]) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(max);
        let mut all = Vec::new();
        for chunk in chunks {
            lines.push(chunk);
            while let Some(line) = lines.next() {
                all.push(line);
            }
        }
        all.extend(lines.finish());
        all.into_iter()
            .map(|line| {
                (
                    line.number,
                    line.content.map(|c| String::from_utf8(c).unwrap()),
                )
            })
            .collect()
    }

    #[test]
    fn blank_lines_count_but_are_not_given() {
        let lines = cut(10, &[b"a\n\n \r\nb", b"c\n"]);
        assert_eq!(lines, [(1, Some("a".into())), (4, Some("bc".into()))]);
    }

    #[test]
    fn a_line_too_long_is_reported_and_the_next_is_read() {
        let lines = cut(4, &[b"123", b"45", b"6\nab\n", b"123456789"]);
        assert_eq!(lines, [(1, None), (2, Some("ab".into())), (3, None)]);
    }

    proptest! {
        #[test]
        fn where_chunks_end_does_not_matter(text in "[a-c\n]{0,60}", at in 0_usize..60) {
            let at = at.min(text.len());
            let (head, tail) = text.as_bytes().split_at(at);
            prop_assert_eq!(cut(5, &[text.as_bytes()]), cut(5, &[head, tail]));
        }
    }
}
