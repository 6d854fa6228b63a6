//! Our message view against coap-lite, an implementation we share nothing with.

use coap_lite::{MessageType as TheirType, Packet};
use rookery::proto::coap::{FormatError, Header, MessageType, MessageView, MessageWriter, option};

/// Whatever the bytes are: neither parser panics, both see the same message, both write it the
/// same way; where only one accepts, the reason is a difference that is known.
pub fn check(data: &[u8]) {
    match (MessageView::parse(data), Packet::from_bytes(data)) {
        (Ok(ours), Ok(theirs)) => {
            assert_same_message(&ours, &theirs);
            assert_same_bytes(&ours, &theirs);
            assert_consistent(&ours);
        }
        (Err(error), Ok(theirs)) => assert_known_difference(error, data, &theirs),
        (Ok(_), Err(error)) => panic!("only ours accepts, theirs says {error}"),
        (Err(_), Err(_)) => {}
    }
}

fn assert_same_message(ours: &MessageView<'_>, theirs: &Packet) {
    let header = &theirs.header;
    assert_eq!(header.get_version(), 1);
    assert_eq!(ours.kind(), our_type(header.get_type()));
    assert_eq!(ours.code().as_u8(), u8::from(header.code));
    assert_eq!(ours.code().to_string(), header.get_code());
    assert_eq!(ours.mid(), header.message_id);
    assert_eq!(ours.token(), theirs.get_token());
    assert_eq!(ours.payload(), theirs.payload);
    let our_options = ours.options().map(|option| (option.number, option.value));
    let their_options = theirs
        .options()
        .flat_map(|(number, values)| values.iter().map(|value| (*number, &value[..])));
    assert!(our_options.eq(their_options), "different options");
}

fn assert_same_bytes(ours: &MessageView<'_>, theirs: &Packet) {
    let mut written = Vec::new();
    let mut writer = MessageWriter::new(
        &mut written,
        ours.kind(),
        ours.code(),
        ours.mid(),
        ours.token(),
    );
    for option in ours.options() {
        writer.option(option.number, option.value);
    }
    writer.payload(ours.payload());
    writer.finish();
    assert_eq!(Ok(&written), theirs.to_bytes_unlimited().as_ref());
}

/// What the typed accessors say follows from the raw options.
fn assert_consistent(view: &MessageView<'_>) {
    assert_eq!(Header::peek(view.as_bytes()), Some(view.header()));
    for option in view.options() {
        let first = view.option(option.number).expect("an option just seen");
        assert_eq!(view.all(option.number).next(), Some(first));
        if let Some(value) = view.uint(option.number) {
            assert!(first.len() <= 4);
            assert_eq!(u64::from(value), big_endian(first));
        }
    }
    for (number, block) in [
        (option::BLOCK1, view.block1()),
        (option::BLOCK2, view.block2()),
    ] {
        if let Some(Ok(block)) = block {
            assert_eq!(view.uint(number), Some(block.encode()));
        }
    }
    let critical = view
        .options()
        .map(|option| option.number)
        .find(|number| option::is_critical(*number));
    assert_eq!(view.unrecognised_critical(&[]), critical);
}

/// coap-lite takes these; RFC 7252 does not.
fn assert_known_difference(error: FormatError, data: &[u8], theirs: &Packet) {
    let (kind, code) = (our_type(theirs.header.get_type()), data[1]);
    match error {
        FormatError::UnsupportedVersion { version } => assert_ne!(version, 1),
        FormatError::EmptyPayload { .. } => {
            assert!(theirs.payload.is_empty() && data.ends_with(&[0xff]));
        }
        FormatError::EmptyWithContent { extra } => {
            assert_eq!((code, extra), (0, data.len() - 4));
        }
        FormatError::ReservedCodeClass { .. } => assert!(matches!(code >> 5, 1 | 6 | 7)),
        FormatError::EmptyNonConfirmable => {
            assert_eq!((kind, code), (MessageType::NonConfirmable, 0));
        }
        FormatError::NonEmptyReset { .. } => {
            assert!(kind == MessageType::Reset && code != 0);
        }
        FormatError::RequestInAcknowledgement { .. } => {
            assert!(kind == MessageType::Acknowledgement && (1..32).contains(&code));
        }
        other => panic!("only theirs accepts, ours says {other}"),
    }
}

fn our_type(theirs: TheirType) -> MessageType {
    match theirs {
        TheirType::Confirmable => MessageType::Confirmable,
        TheirType::NonConfirmable => MessageType::NonConfirmable,
        TheirType::Acknowledgement => MessageType::Acknowledgement,
        TheirType::Reset => MessageType::Reset,
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
