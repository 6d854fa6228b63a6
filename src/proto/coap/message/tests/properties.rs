//! What holds for all messages and for all bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use crate::proto::coap::Code;

/// A message as its parts.
#[derive(Clone, Debug)]
struct Parts {
    kind: MessageType,
    code: Code,
    mid: u16,
    token: Vec<u8>,
    options: Vec<(u16, Vec<u8>)>,
    payload: Vec<u8>,
}

impl Parts {
    fn write(&self, buffer: &mut Vec<u8>) -> std::ops::Range<usize> {
        let mut writer = MessageWriter::new(buffer, self.kind, self.code, self.mid, &self.token);
        for (number, value) in &self.options {
            writer.option(*number, value);
        }
        writer.payload(&self.payload);
        writer.finish()
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let request = (
        prop_oneof![
            Just(MessageType::Confirmable),
            Just(MessageType::NonConfirmable)
        ],
        1..=0x1f_u8,
    );
    let response = (
        prop_oneof![
            Just(MessageType::Confirmable),
            Just(MessageType::NonConfirmable),
            Just(MessageType::Acknowledgement)
        ],
        0x40..=0xbf_u8,
    );
    let number = prop_oneof![0..=300_u16, any::<u16>()];
    let value = prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 260..280)];
    (
        prop_oneof![request, response],
        any::<u16>(),
        vec(any::<u8>(), 0..=8),
        vec((number, value), 0..12),
        vec(any::<u8>(), 0..40),
    )
        .prop_map(|((kind, code), mid, token, mut options, payload)| {
            options.sort_by_key(|(number, _)| *number);
            Parts {
                kind,
                code: Code::from_u8(code),
                mid,
                token,
                options,
                payload,
            }
        })
}

/// Bytes that often get past the header.
fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
    (0x40..=0x7f_u8, any::<u8>(), vec(any::<u8>(), 0..80))
        .prop_map(|(first, code, rest)| [vec![first, code], rest].concat())
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(parts in parts(), in_front in vec(any::<u8>(), 0..8)) {
        let mut buffer = in_front.clone();
        let range = parts.write(&mut buffer);
        prop_assert_eq!(&buffer[..in_front.len()], &in_front[..]);
        let view = MessageView::parse(&buffer[range]).unwrap();
        prop_assert_eq!(view.kind(), parts.kind);
        prop_assert_eq!(view.code(), parts.code);
        prop_assert_eq!(view.mid(), parts.mid);
        prop_assert_eq!(view.token(), &parts.token[..]);
        prop_assert_eq!(view.payload(), &parts.payload[..]);
        let options: Vec<_> = view
            .options()
            .map(|option| (option.number, option.value.to_vec()))
            .collect();
        prop_assert_eq!(options, parts.options);
    }

    #[test]
    fn a_part_of_a_message_never_reads_beyond_itself(parts in parts(), cut in 0..1_000_usize) {
        let mut buffer = Vec::new();
        parts.write(&mut buffer);
        buffer.truncate(cut);
        let _ = MessageView::parse(&buffer).map(touch);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = MessageView::parse(&bytes).map(touch);
        let _ = Header::peek(&bytes);
    }

    #[test]
    fn what_is_read_can_be_written_and_read_again(bytes in nearly_a_message()) {
        if let Ok(view) = MessageView::parse(&bytes) {
            touch(view);
            let parts = Parts {
                kind: view.kind(),
                code: view.code(),
                mid: view.mid(),
                token: view.token().to_vec(),
                options: view
                    .options()
                    .map(|option| (option.number, option.value.to_vec()))
                    .collect(),
                payload: view.payload().to_vec(),
            };
            let mut again = Vec::new();
            parts.write(&mut again);
            // Extended forms need not be minimal on arrival, so the copy may be shorter.
            prop_assert!(again.len() <= bytes.len());
            let copy = MessageView::parse(&again).unwrap();
            prop_assert!(copy.options().eq(view.options()));
            prop_assert_eq!(copy.payload(), view.payload());
        }
    }
}

/// Calls everything a view offers.
fn touch(view: MessageView<'_>) {
    let _ = (view.header(), view.token(), view.payload());
    let _ = (view.observe(), view.accept(), view.content_format());
    let _ = (view.block1(), view.block2(), view.size1(), view.size2());
    let _ = (view.etag(), view.no_response());
    let _ = (view.uri_path().count(), view.uri_query().count());
    let _ = view.unrecognised_critical(&[11, 15, 17]);
}
