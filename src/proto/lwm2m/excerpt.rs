//! Quoting what a peer sent inside an error: short, printable, on one line.

/// Longest excerpt in bytes, so that a diagnostic payload with two of them still fits in 100 bytes.
const MAX_BYTES: usize = 24;

/// The beginning of `text`, at most 24 bytes, with control characters replaced and `..` where it
/// was cut.
pub(super) fn excerpt(text: &str) -> Box<str> {
    let mut out = String::with_capacity(text.len().min(MAX_BYTES));
    for character in text.chars() {
        let shown = if character.is_control() {
            '?'
        } else {
            character
        };
        if out.len() + shown.len_utf8() > MAX_BYTES {
            while out.len() > MAX_BYTES - 2 {
                out.pop();
            }
            out.push_str("..");
            break;
        }
        out.push(shown);
    }
    out.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_quoted_whole() {
        assert_eq!(&*excerpt("lt=abc"), "lt=abc");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_marked() {
        let cut = excerpt(&"ż".repeat(40));
        assert!(cut.len() <= MAX_BYTES);
        assert!(cut.ends_with(".."));
    }

    #[test]
    fn control_characters_cannot_break_a_log_line() {
        assert_eq!(&*excerpt("a\nb\u{7f}"), "a?b?");
    }
}
