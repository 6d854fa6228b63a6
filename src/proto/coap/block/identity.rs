//! Which requests are blocks of one body.

use std::hash::{Hash, Hasher};

use super::super::message::MessageView;
use super::super::option;

/// Feeds `hasher` with what all requests that carry blocks of the same body have in common, apart
/// from the peer: the method and the options that form the cache key, Request-Tag among them
/// (RFC 7959 §2.5, RFC 9175 §3.3).
///
/// Token and message id take no part: clients change them from block to block.
pub fn hash_request(view: &MessageView<'_>, hasher: &mut impl Hasher) {
    view.code().hash(hasher);
    for option in view.options() {
        if names_a_block(option.number) || option::is_no_cache_key(option.number) {
            continue;
        }
        option.number.hash(hasher);
        option.value.hash(hasher);
    }
}

const fn names_a_block(number: u16) -> bool {
    matches!(
        number,
        option::BLOCK1 | option::BLOCK2 | option::Q_BLOCK1 | option::Q_BLOCK2
    )
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::super::super::code::Code;
    use super::super::super::message::{MessageType, MessageWriter};
    use super::*;

    fn identity(code: Code, mid: u16, token: &[u8], options: &[(u16, &[u8])]) -> u64 {
        let mut buffer = Vec::new();
        let mut writer =
            MessageWriter::new(&mut buffer, MessageType::Confirmable, code, mid, token);
        for (number, value) in options {
            writer.option(*number, value);
        }
        writer.finish();
        let mut hasher = DefaultHasher::new();
        hash_request(&MessageView::parse(&buffer).unwrap(), &mut hasher);
        hasher.finish()
    }

    #[test]
    fn blocks_of_one_body_agree_whatever_their_token_number_and_size() {
        let path = (option::URI_PATH, &b"rd"[..]);
        let first = identity(
            Code::POST,
            1,
            &[1],
            &[path, (option::BLOCK1, &[0x0a]), (option::SIZE1, &[200])],
        );
        let second = identity(Code::POST, 2, &[2], &[path, (option::BLOCK1, &[0x12])]);
        assert_eq!(first, second);
    }

    #[test]
    fn another_method_path_query_or_request_tag_is_another_body() {
        let path = (option::URI_PATH, &b"rd"[..]);
        let query = (option::URI_QUERY, &b"ep=a"[..]);
        let base = identity(Code::POST, 1, &[], &[path, query]);
        let others = [
            identity(Code::PUT, 1, &[], &[path, query]),
            identity(Code::POST, 1, &[], &[(option::URI_PATH, b"dp"), query]),
            identity(Code::POST, 1, &[], &[path, (option::URI_QUERY, b"ep=b")]),
            identity(
                Code::POST,
                1,
                &[],
                &[path, query, (option::REQUEST_TAG, &[1])],
            ),
            identity(
                Code::POST,
                1,
                &[],
                &[(option::URI_PATH, b"r"), (option::URI_PATH, b"d"), query],
            ),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
