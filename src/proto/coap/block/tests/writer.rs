use super::*;

fn echo(value: BlockValue) -> Response<'static> {
    Response {
        block1: Some(value),
        ..Response::default()
    }
}

#[test]
fn a_small_body_goes_in_one_piece_without_block1() {
    let body = body(64);
    let mut writer = BodyWriter::new(&body, 2).unwrap();
    assert_eq!(
        writer.block(),
        OutgoingBlock {
            block1: None,
            size1: None,
            payload: &body
        }
    );
    assert_eq!(
        answer(&mut writer, Code::CHANGED, Response::default()),
        Ok(Written::Done)
    );
}

#[test]
fn the_first_block_announces_the_size_of_the_body() {
    let body = body(100);
    let mut writer = BodyWriter::new(&body, 2).unwrap();
    assert_eq!(
        writer.block(),
        OutgoingBlock {
            block1: Some(block(0, 1, 64)),
            size1: Some(100),
            payload: &body[..64]
        }
    );
    answer(&mut writer, Code::CONTINUE, echo(block(0, 1, 64))).unwrap();
    assert_eq!(
        writer.block(),
        OutgoingBlock {
            block1: Some(block(1, 0, 64)),
            size1: None,
            payload: &body[64..]
        }
    );
    assert_eq!((writer.acknowledged(), writer.length()), (64, 100));
}

#[test]
fn an_error_is_the_result() {
    let body = body(100);
    let mut writer = BodyWriter::new(&body, 2).unwrap();
    assert_eq!(
        answer(&mut writer, Code::NOT_FOUND, Response::default()),
        Ok(Written::Done)
    );
}

#[test]
fn too_large_with_a_smaller_size_begins_again_with_it() {
    let body = body(300);
    let mut writer = BodyWriter::new(&body, 4).unwrap();
    let too_large = Code::REQUEST_ENTITY_TOO_LARGE;
    assert_eq!(
        answer(&mut writer, too_large, echo(block(0, 1, 64))),
        Ok(Written::Next)
    );
    assert_eq!(writer.block().block1, Some(block(0, 1, 64)));
    answer(&mut writer, Code::CONTINUE, echo(block(0, 1, 64))).unwrap();
    assert_eq!(
        answer(&mut writer, too_large, echo(block(1, 1, 32))),
        Ok(Written::Next)
    );
    assert_eq!(writer.block().block1, Some(block(0, 1, 32)));
    assert_eq!(writer.block().payload, &body[..32]);
}

#[test]
fn too_large_without_a_way_out_is_the_result() {
    let body = body(300);
    let too_large = Code::REQUEST_ENTITY_TOO_LARGE;
    let mut writer = BodyWriter::new(&body, 4).unwrap();
    assert_eq!(
        answer(&mut writer, too_large, Response::default()),
        Ok(Written::Done)
    );
    assert_eq!(
        answer(&mut writer, too_large, echo(block(0, 1, 256))),
        Ok(Written::Done)
    );
    let limited = Response {
        size1: Some(200),
        ..echo(block(0, 1, 64))
    };
    assert_eq!(answer(&mut writer, too_large, limited), Ok(Written::Done));
}

#[test]
fn too_large_in_one_piece_is_tried_again_in_blocks() {
    let too_large = Code::REQUEST_ENTITY_TOO_LARGE;
    let body = body(300);
    let mut writer = BodyWriter::new(&body, 6).unwrap();
    assert_eq!(writer.block().block1, None);
    assert_eq!(
        answer(&mut writer, too_large, Response::default()),
        Ok(Written::Next)
    );
    assert_eq!(writer.block().block1, Some(block(0, 1, 256)));
    let mut writer = BodyWriter::new(&body, 6).unwrap();
    assert_eq!(
        answer(&mut writer, too_large, echo(block(0, 0, 128))),
        Ok(Written::Next)
    );
    assert_eq!(writer.block().block1, Some(block(0, 1, 128)));
    // A hint at blocks that the body fits into is of no help.
    let mut writer = BodyWriter::new(&body[..100], 6).unwrap();
    assert_eq!(
        answer(&mut writer, too_large, echo(block(0, 0, 128))),
        Ok(Written::Next)
    );
    assert_eq!(writer.block().block1, Some(block(0, 1, 64)));
    for length in [0, 16] {
        let mut writer = BodyWriter::new(&body[..length], 6).unwrap();
        assert_eq!(
            answer(&mut writer, too_large, echo(block(0, 0, 16))),
            Ok(Written::Done)
        );
    }
}

#[test]
fn incomplete_begins_again_three_times_at_most() {
    let body = body(100);
    let mut writer = BodyWriter::new(&body, 2).unwrap();
    let incomplete = Code::REQUEST_ENTITY_INCOMPLETE;
    for attempt in 0..4 {
        answer(&mut writer, Code::CONTINUE, echo(block(0, 1, 64))).unwrap();
        let step = answer(&mut writer, incomplete, echo(block(1, 0, 64))).unwrap();
        if attempt < 3 {
            assert_eq!(step, Written::Next);
            assert_eq!(writer.block().block1, Some(block(0, 1, 64)));
        } else {
            assert_eq!(step, Written::Done);
        }
    }
}

#[test]
fn a_larger_size_in_the_response_changes_nothing() {
    let body = body(100);
    let mut writer = BodyWriter::new(&body, 1).unwrap();
    answer(&mut writer, Code::CONTINUE, echo(block(0, 1, 1_024))).unwrap();
    assert_eq!(writer.block().block1, Some(block(1, 1, 32)));
}

#[test]
fn responses_that_contradict_the_request_are_errors() {
    let body = body(100);
    let new = || BodyWriter::new(&body, 2).unwrap();
    assert_eq!(
        answer(&mut new(), Code::CONTINUE, echo(block(1, 1, 64))),
        Err(WriteError::UnexpectedBlock {
            sent: 0,
            received: 1
        })
    );
    assert_eq!(
        answer(&mut new(), Code::CHANGED, Response::default()),
        Err(WriteError::EndedEarly {
            code: Code::CHANGED
        })
    );
    let mut writer = new();
    answer(&mut writer, Code::CONTINUE, echo(block(0, 1, 64))).unwrap();
    assert_eq!(
        answer(&mut writer, Code::CONTINUE, echo(block(1, 0, 64))),
        Err(WriteError::UnexpectedContinue)
    );
    let mut writer = BodyWriter::new(&body[..10], 2).unwrap();
    assert_eq!(
        answer(&mut writer, Code::CONTINUE, Response::default()),
        Err(WriteError::UnexpectedContinue)
    );
}

#[test]
fn a_body_that_cannot_be_numbered_is_refused_before_or_when_it_shows() {
    let body = vec![0; (16 << 20) + 1];
    assert_eq!(
        BodyWriter::new(&body, 0).unwrap_err(),
        WriteError::TooManyBlocks {
            length: body.len(),
            size: 16
        }
    );
    let mut writer = BodyWriter::new(&body, 1).unwrap();
    assert_eq!(
        answer(&mut writer, Code::CONTINUE, echo(block(0, 1, 16))),
        Err(WriteError::TooManyBlocks {
            length: body.len(),
            size: 16
        })
    );
    assert!(BodyWriter::new(&body[..16 << 20], 0).is_ok());
}
