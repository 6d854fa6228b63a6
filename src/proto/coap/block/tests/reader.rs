use super::*;

const ETAG: &[u8] = &[0x11, 0x22, 0x33, 0x44];

fn part(value: BlockValue, body: &[u8]) -> Response<'_> {
    let rest = &body[value.offset()..];
    Response {
        block2: Some(value),
        payload: rest.get(..value.size()).unwrap_or(rest),
        ..Response::default()
    }
}

#[test]
fn a_response_without_block2_is_the_whole_body() {
    let mut reader = BodyReader::new(6, 100);
    let response = Response {
        content_format: Some(112),
        payload: b"hello",
        ..Response::default()
    };
    assert_eq!(
        read(&mut reader, response),
        Ok(Read::Complete(b"hello".to_vec()))
    );
    assert_eq!(reader.content_format(), Some(112));
}

#[test]
fn the_first_block_decides_the_content_format() {
    let body = body(32);
    let mut reader = BodyReader::new(6, 100);
    let first = Response {
        content_format: Some(11_542),
        ..part(block(0, 1, 16), &body)
    };
    read(&mut reader, first).unwrap();
    read(&mut reader, part(block(1, 0, 16), &body)).unwrap();
    assert_eq!(reader.content_format(), Some(11_542));
}

#[test]
fn a_peer_may_send_smaller_blocks_at_any_time() {
    let body = body(200);
    let mut reader = BodyReader::new(6, 1_024);
    assert_eq!(
        read(&mut reader, part(block(0, 1, 64), &body)),
        Ok(Read::Ask(block(1, 0, 64)))
    );
    // Asked for 1/64, it answers with the block of 32 that starts at the same byte.
    assert_eq!(
        read(&mut reader, part(block(2, 1, 32), &body)),
        Ok(Read::Ask(block(3, 0, 32)))
    );
}

#[test]
fn another_block_than_the_one_asked_for_is_an_error() {
    let body = body(200);
    let mut reader = BodyReader::new(6, 1_024);
    read(&mut reader, part(block(0, 1, 64), &body)).unwrap();
    assert_eq!(
        read(&mut reader, part(block(2, 1, 64), &body)),
        Err(ReadError::UnexpectedBlock {
            expected: 64,
            received: 128
        })
    );
    let mut reader = BodyReader::new(6, 1_024);
    assert_eq!(
        read(&mut reader, part(block(1, 1, 64), &body)),
        Err(ReadError::UnexpectedBlock {
            expected: 0,
            received: 64
        })
    );
}

#[test]
fn a_later_response_without_block2_is_an_error() {
    let body = body(200);
    let mut reader = BodyReader::new(6, 1_024);
    read(&mut reader, part(block(0, 1, 64), &body)).unwrap();
    assert_eq!(
        read(&mut reader, Response::default()),
        Err(ReadError::BlockMissing { offset: 64 })
    );
}

#[test]
fn a_block_of_another_length_than_its_size_is_an_error() {
    let mut reader = BodyReader::new(6, 1_024);
    let response = Response {
        block2: Some(block(0, 1, 64)),
        payload: &[0; 63],
        ..Response::default()
    };
    assert_eq!(
        read(&mut reader, response),
        Err(ReadError::WrongLength {
            offset: 0,
            length: 63,
            size: 64
        })
    );
}

#[test]
fn a_changed_etag_begins_again_three_times_at_most() {
    let body = body(32);
    let mut reader = BodyReader::new(6, 100);
    for version in 0..4_u8 {
        let first = Response {
            etag: Some(&[version]),
            ..part(block(0, 1, 16), &body)
        };
        assert_eq!(read(&mut reader, first), Ok(Read::Ask(block(1, 0, 16))));
        let second = Response {
            etag: Some(&[version + 1]),
            ..part(block(1, 0, 16), &body)
        };
        let expected = if version < 3 {
            Ok(Read::Ask(block(0, 0, 16)))
        } else {
            Err(ReadError::KeepsChanging)
        };
        assert_eq!(read(&mut reader, second), expected);
    }
}

#[test]
fn after_a_restart_the_new_body_is_complete() {
    let (old, new) = (body(32), vec![9; 30]);
    let mut reader = BodyReader::new(6, 100);
    let tagged = |etag, value, body| Response {
        etag: Some(etag),
        ..part(value, body)
    };
    read(&mut reader, tagged(&[1], block(0, 1, 16), &old)).unwrap();
    read(&mut reader, tagged(&[2], block(1, 0, 16), &new)).unwrap();
    read(&mut reader, tagged(&[2], block(0, 1, 16), &new)).unwrap();
    assert_eq!(
        read(&mut reader, tagged(&[2], block(1, 0, 16), &new)),
        Ok(Read::Complete(new))
    );
}

#[test]
fn a_block_without_etag_does_not_contradict_one_with() {
    let body = body(32);
    let mut reader = BodyReader::new(6, 100);
    let first = Response {
        etag: Some(ETAG),
        ..part(block(0, 1, 16), &body)
    };
    read(&mut reader, first).unwrap();
    assert_eq!(
        read(&mut reader, part(block(1, 0, 16), &body)),
        Ok(Read::Complete(body))
    );
}

#[test]
fn a_body_over_the_limit_is_an_error_as_soon_as_it_shows() {
    let too_large = Err(ReadError::TooLarge { limit: 100 });
    let body = body(200);
    let announced = Response {
        size2: Some(101),
        ..part(block(0, 1, 16), &body)
    };
    assert_eq!(read(&mut BodyReader::new(6, 100), announced), too_large);
    let whole = Response {
        payload: &body[..101],
        ..Response::default()
    };
    assert_eq!(read(&mut BodyReader::new(6, 100), whole), too_large);
    let mut reader = BodyReader::new(6, 100);
    read(&mut reader, part(block(0, 1, 64), &body)).unwrap();
    assert_eq!(read(&mut reader, part(block(1, 1, 64), &body)), too_large);
}

#[test]
fn an_error_code_and_a_bad_option_end_the_transfer() {
    let refused = Response::default().encode(Code::NOT_FOUND);
    assert_eq!(
        BodyReader::new(6, 100).feed(&MessageView::parse(&refused).unwrap()),
        Err(ReadError::Refused {
            code: Code::NOT_FOUND
        })
    );
    let mut reserved = Vec::new();
    let ack = MessageType::Acknowledgement;
    let mut writer = MessageWriter::new(&mut reserved, ack, Code::CONTENT, 1, &[]);
    writer.option(option::BLOCK2, &[0x0f]);
    writer.finish();
    assert_eq!(
        BodyReader::new(6, 100).feed(&MessageView::parse(&reserved).unwrap()),
        Err(ReadError::Block(BlockError::ReservedSize))
    );
}

#[test]
fn numbers_beyond_4095_are_asked_for() {
    let body = body(5_000 * 16);
    let mut reader = BodyReader::new(0, 100_000);
    let mut asked = reader.first();
    loop {
        let (sent, payload) = slice(&body, asked, 6).unwrap();
        let response = Response {
            block2: Some(sent),
            payload,
            ..Response::default()
        };
        match read(&mut reader, response).unwrap() {
            Read::Ask(next) => asked = next,
            Read::Complete(read) => {
                assert_eq!(asked.num(), 4_999);
                assert_eq!(read, body);
                break;
            }
        }
    }
}
