//! The message flows of RFC 7959 §3.

use super::*;
use crate::proto::time::Tick;

/// The server's part of a GET: the requested block in blocks of at most `size`.
fn serve(
    reader: &mut BodyReader,
    body: &[u8],
    asked: BlockValue,
    size: usize,
) -> (BlockValue, Read) {
    let szx = size.trailing_zeros() as u8 - 4;
    let (sent, payload) = slice(body, asked, szx).unwrap();
    let response = Response {
        block2: Some(sent),
        payload,
        ..Response::default()
    };
    (sent, read(reader, response).unwrap())
}

#[test]
fn figure_2_simple_block_wise_get() {
    let body = body(300);
    let mut reader = BodyReader::new(3, 1_024);
    // The first request carries no Block2.
    let (sent, step) = serve(&mut reader, &body, BlockValue::FIRST, 128);
    assert_eq!(sent, block(0, 1, 128));
    assert_eq!(step, Read::Ask(block(1, 0, 128)));
    let (sent, step) = serve(&mut reader, &body, block(1, 0, 128), 128);
    assert_eq!(sent, block(1, 1, 128));
    assert_eq!(step, Read::Ask(block(2, 0, 128)));
    let (sent, step) = serve(&mut reader, &body, block(2, 0, 128), 128);
    assert_eq!(sent, block(2, 0, 128));
    assert_eq!(step, Read::Complete(body));
}

#[test]
fn figure_3_get_with_early_negotiation() {
    let body = body(370);
    let mut reader = BodyReader::new(2, 1_024);
    assert_eq!(reader.first(), block(0, 0, 64));
    let mut asked = reader.first();
    for num in 0..5 {
        let (sent, step) = serve(&mut reader, &body, asked, 1_024);
        assert_eq!(sent, block(num, 1, 64));
        assert_eq!(step, Read::Ask(block(num + 1, 0, 64)));
        asked = block(num + 1, 0, 64);
    }
    let (sent, step) = serve(&mut reader, &body, asked, 1_024);
    assert_eq!(sent, block(5, 0, 64));
    assert_eq!(step, Read::Complete(body));
}

#[test]
fn figure_4_get_with_late_negotiation() {
    let body = body(370);
    let mut reader = BodyReader::new(2, 1_024);
    let (sent, step) = serve(&mut reader, &body, BlockValue::FIRST, 128);
    assert_eq!(sent, block(0, 1, 128));
    assert_eq!(step, Read::Ask(block(2, 0, 64)));
    for num in 2..5 {
        let (sent, step) = serve(&mut reader, &body, block(num, 0, 64), 128);
        assert_eq!(sent, block(num, 1, 64));
        assert_eq!(step, Read::Ask(block(num + 1, 0, 64)));
    }
    let (sent, step) = serve(&mut reader, &body, block(5, 0, 64), 128);
    assert_eq!(sent, block(5, 0, 64));
    assert_eq!(step, Read::Complete(body));
}

fn assembler(preferred_size: usize) -> Assembler<u8> {
    let limits = AssemblerLimits {
        preferred_szx: preferred_size.trailing_zeros() as u8 - 4,
        ..AssemblerLimits::default()
    };
    Assembler::new(limits, &mut fastrand::Rng::with_seed(1))
}

/// One request of a PUT and its response: the block sent and the block answered.
fn put<B: AsRef<[u8]>>(
    writer: &mut BodyWriter<B>,
    assembler: &mut Assembler<u8>,
) -> (BlockValue, BlockValue, Option<Vec<u8>>) {
    let outgoing = writer.block();
    let sent = outgoing.block1.unwrap();
    let assembled = assembler.feed(1, sent, outgoing.size1, outgoing.payload, Tick::ZERO);
    let (code, answered, body) = match assembled {
        Assembled::Continue(answered) => (Code::CONTINUE, answered, None),
        Assembled::Complete(body) => (Code::CHANGED, sent, Some(body)),
        other => panic!("{other:?}"),
    };
    let response = Response {
        block1: Some(answered),
        ..Response::default()
    };
    let step = answer(writer, code, response).unwrap();
    assert_eq!(step == Written::Done, body.is_some());
    (sent, answered, body)
}

#[test]
fn figure_7_simple_atomic_put() {
    let body = body(300);
    let mut writer = BodyWriter::new(&body, 3).unwrap();
    let mut server = assembler(1_024);
    for num in 0..2 {
        let expected = block(num, 1, 128);
        assert_eq!(put(&mut writer, &mut server), (expected, expected, None));
    }
    let last = block(2, 0, 128);
    assert_eq!(
        put(&mut writer, &mut server),
        (last, last, Some(body.clone()))
    );
}

#[test]
fn figure_8_simple_stateless_put() {
    let body = body(300);
    let mut writer = BodyWriter::new(&body, 3).unwrap();
    for num in 0..3 {
        let sent = writer.block().block1.unwrap();
        assert_eq!(sent, block(num, u32::from(num < 2), 128));
        let response = Response {
            block1: Some(block(num, 0, 128)),
            ..Response::default()
        };
        let step = answer(&mut writer, Code::CHANGED, response).unwrap();
        assert_eq!(step == Written::Done, num == 2);
    }
}

#[test]
fn figure_9_atomic_put_with_negotiation() {
    let body = body(220);
    let mut writer = BodyWriter::new(&body, 3).unwrap();
    let mut server = assembler(32);
    assert_eq!(
        put(&mut writer, &mut server),
        (block(0, 1, 128), block(0, 1, 32), None)
    );
    for num in 4..6 {
        let expected = block(num, 1, 32);
        assert_eq!(put(&mut writer, &mut server), (expected, expected, None));
    }
    let last = block(6, 0, 32);
    assert_eq!(
        put(&mut writer, &mut server),
        (last, last, Some(body.clone()))
    );
}

#[test]
fn figure_10_post_with_block_wise_response() {
    let (question, reply) = (body(300), body(400));
    let mut writer = BodyWriter::new(&question, 3).unwrap();
    let mut server = assembler(1_024);
    put(&mut writer, &mut server);
    put(&mut writer, &mut server);
    // The response to the last block carries the first block of its own body.
    let sent = writer.block().block1.unwrap();
    assert_eq!(sent, block(2, 0, 128));
    let (first, payload) = slice(&reply, BlockValue::FIRST, 3).unwrap();
    assert_eq!(first, block(0, 1, 128));
    let response = Response {
        block1: Some(sent),
        block2: Some(first),
        payload,
        ..Response::default()
    };
    assert_eq!(
        answer(&mut writer, Code::CHANGED, response),
        Ok(Written::Done)
    );
    let mut reader = BodyReader::new(6, 1_024);
    assert_eq!(read(&mut reader, response), Ok(Read::Ask(block(1, 0, 128))));
    for num in 1..3 {
        let (sent, step) = serve(&mut reader, &reply, block(num, 0, 128), 128);
        assert_eq!(sent, block(num, 1, 128));
        assert_eq!(step, Read::Ask(block(num + 1, 0, 128)));
    }
    let (sent, step) = serve(&mut reader, &reply, block(3, 0, 128), 128);
    assert_eq!(sent, block(3, 0, 128));
    assert_eq!(step, Read::Complete(reply));
}

#[test]
fn figure_11_post_with_early_negotiation_of_the_response() {
    let reply = body(250);
    // The last request block carries Block2 2:0/0/64 beside its Block1.
    let mut reader = BodyReader::new(2, 1_024);
    let mut asked = reader.first();
    for num in 0..3 {
        let (sent, step) = serve(&mut reader, &reply, asked, 1_024);
        assert_eq!(sent, block(num, 1, 64));
        asked = block(num + 1, 0, 64);
        assert_eq!(step, Read::Ask(asked));
    }
    let (sent, step) = serve(&mut reader, &reply, asked, 1_024);
    assert_eq!(sent, block(3, 0, 64));
    assert_eq!(step, Read::Complete(reply));
}

#[test]
fn figure_12_notification_whose_body_is_fetched() {
    let body = body(300);
    let mut reader = BodyReader::new(6, 1_024);
    let notification = Response {
        observe: Some(62_354),
        block2: Some(block(0, 1, 128)),
        payload: &body[..128],
        ..Response::default()
    };
    assert_eq!(
        read(&mut reader, notification),
        Ok(Read::Ask(block(1, 0, 128)))
    );
    let (_, step) = serve(&mut reader, &body, block(1, 0, 128), 128);
    assert_eq!(step, Read::Ask(block(2, 0, 128)));
    let (sent, step) = serve(&mut reader, &body, block(2, 0, 128), 128);
    assert_eq!(sent, block(2, 0, 128));
    assert_eq!(step, Read::Complete(body));
}

#[test]
fn figure_13_notification_with_early_negotiation() {
    let body = body(300);
    let mut reader = BodyReader::new(2, 1_024);
    assert_eq!(reader.first(), block(0, 0, 64));
    // The server keeps to the size of the registration, and so do the fetches that follow.
    let notification = Response {
        observe: Some(62_354),
        block2: Some(block(0, 1, 64)),
        payload: &body[..64],
        ..Response::default()
    };
    let mut step = read(&mut reader, notification).unwrap();
    for num in 1..5 {
        assert_eq!(step, Read::Ask(block(num, 0, 64)));
        step = serve(&mut reader, &body, block(num, 0, 64), 1_024).1;
    }
    assert_eq!(step, Read::Complete(body));
}
