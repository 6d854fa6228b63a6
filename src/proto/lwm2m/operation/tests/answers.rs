//! What answers mean.

use super::*;
use crate::proto::coap::{Code, MessageView};

fn interpret(operation: &Operation, response: &str) -> Result<Answer, AnswerError> {
    let bytes = HEXLOWER
        .decode(response.as_bytes())
        .expect("hexadecimal digits");
    let view = MessageView::parse(&bytes).expect("a message");
    operation.interpret(&view, view.content_format(), view.payload())
}

fn operations() -> Vec<Operation> {
    let two = || paths(&["/3/0/14", "/3/0/15"]);
    vec![
        read("/3/0"),
        Operation::Discover {
            path: path("/3"),
            depth: None,
        },
        replace("/3/0", vec![]),
        update("/3/0", vec![]),
        Operation::WriteAttributes {
            path: path("/3"),
            attributes: attributes(&["pmin=1"]),
        },
        execute("/3/0/4", ""),
        Operation::Create {
            object: 3,
            ids: InstanceIds::ChosenByDevice,
            records: vec![],
        },
        Operation::Delete { path: path("/3/0") },
        Operation::ReadComposite { paths: two() },
        Operation::WriteComposite { records: vec![] },
        observe("/3/0", &[]),
        Operation::ObserveComposite {
            paths: two(),
            attributes: NotificationAttributes::default(),
        },
        Operation::CancelObservation { path: path("/3") },
        Operation::CancelObservationComposite { paths: two() },
    ]
}

// The codes of C04 to C07, D02 to D05, E01 to E05, A03, A12 to A16, W25 to W27.
#[test]
fn each_operation_has_one_code_of_success() {
    for operation in operations() {
        let name = operation.name();
        let successes: Vec<u8> = (0..=u8::MAX)
            .filter(|code| {
                let message = [0x40, *code, 0, 1];
                MessageView::parse(&message).is_ok_and(|view| {
                    operation
                        .interpret(&view, view.content_format(), b"")
                        .is_ok()
                })
            })
            .collect();
        assert_eq!(successes, [operation.success().as_u8()], "{name}");
        for error in ["4.00", "4.01", "4.04", "4.05", "4.06", "4.15", "5.00"] {
            let (class, detail) = error.split_once('.').expect("a code");
            let code = Code::new(
                class.parse().expect("3 bits"),
                detail.parse().expect("5 bits"),
            );
            let message = [0x40, code.as_u8(), 0, 1];
            let view = MessageView::parse(&message).expect("a message");
            assert_eq!(
                operation.interpret(&view, view.content_format(), b""),
                Err(AnswerError::Refused {
                    code,
                    diagnostic: None
                }),
                "{name}"
            );
        }
    }
}

#[test]
fn a_refusal_says_what_the_device_says() {
    let view_bytes = [0x40, 0x84, 0, 1];
    let view = MessageView::parse(&view_bytes).expect("a message");
    let refused = |body: &[u8]| {
        let result = read("/3/0").interpret(&view, view.content_format(), body);
        result.expect_err("refused").to_string()
    };
    assert_eq!(
        refused(b"object instance /19/2 not found"),
        "the device answered 4.04 NOT_FOUND: object instance /19/2 not found"
    );
    assert_eq!(refused(b"\xff"), "the device answered 4.04 NOT_FOUND");
    assert!(refused("ż".repeat(4_000).as_bytes()).len() < 1_100);
}

// C01, C02.
#[test]
fn a_create_is_answered_with_the_new_instance() {
    let create = Operation::Create {
        object: 33605,
        ids: InstanceIds::ChosenByDevice,
        records: vec![],
    };
    assert_eq!(
        interpret(&create, "6841cd5dede271574a836b168533333630350135"),
        Ok(Answer::Created {
            instance: Some(5),
            location: Some("/33605/5".into())
        })
    );
    let with_location = |segments: &[&str]| {
        let mut bytes = Vec::new();
        let acknowledgement = MessageType::Acknowledgement;
        let mut writer = MessageWriter::new(&mut bytes, acknowledgement, Code::CREATED, 1, b"");
        for segment in segments {
            writer.option(
                crate::proto::coap::option::LOCATION_PATH,
                segment.as_bytes(),
            );
        }
        writer.finish();
        let view = MessageView::parse(&bytes).expect("a message");
        match create.interpret(&view, view.content_format(), b"") {
            Ok(Answer::Created { instance, location }) => (instance, location),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with_location(&[]), (None, None));
    assert_eq!(with_location(&["lwm2m", "33605", "65534"]).0, Some(65534));
    for segments in [
        &["33605"][..],
        &["33605", "65535"],
        &["33605", "x"],
        &["2", "0"],
        &["5"],
    ] {
        let (instance, location) = with_location(segments);
        assert_eq!(instance, None);
        assert_eq!(location, Some(format!("/{}", segments.join("/")).into()));
    }
}

#[test]
fn content_is_taken_in_any_format_that_can_hold_it() {
    // Observe answers of Anjay: Observe 0, text; cancellation: no Observe.
    let observe = observe("/3/0/13", &[]);
    assert_eq!(
        interpret(&observe, "6445e4c7010203046060ff31373935343335393832"),
        Ok(Answer::Content {
            format: 0,
            observing: true
        })
    );
    let cancel = Operation::CancelObservation {
        path: path("/3/0/13"),
    };
    assert_eq!(
        interpret(&cancel, "6445e4c801020304c0ff31373935343335393835"),
        Ok(Answer::Content {
            format: 0,
            observing: false
        })
    );
    // No Content-Format: text for a Resource, TLV above.
    for (at, format) in [("/3/0/9", 0), ("/3/0", 11542), ("/3", 11542)] {
        assert_eq!(
            interpret(&read(at), "60450001"),
            Ok(Answer::Content {
                format,
                observing: false
            })
        );
    }
    // Text for an instance, link format for a value, O12: an unknown format.
    for (at, response, format) in [
        ("/3/0", "60450001c0", 0),
        ("/3/0/9", "60450001c128", 40),
        ("/3/0/9", "60450001c2029a", 666),
    ] {
        assert_eq!(
            interpret(&read(at), response),
            Err(AnswerError::UnexpectedFormat {
                format,
                operation: "Read"
            })
        );
    }
}

#[test]
fn a_discover_is_answered_with_links() {
    let discover = Operation::Discover {
        path: path("/3"),
        depth: None,
    };
    assert_eq!(interpret(&discover, "60450001c128"), Ok(Answer::Links));
    assert_eq!(interpret(&discover, "60450001"), Ok(Answer::Links));
    assert_eq!(
        interpret(&discover, "60450001c2 2d16".replace(' ', "").as_str())
            .expect_err("refused")
            .to_string(),
        "the device answered Discover in content format 11542, which cannot hold it"
    );
}

#[test]
fn another_success_is_no_answer() {
    assert_eq!(
        interpret(&read("/3/0"), "60440001")
            .expect_err("refused")
            .to_string(),
        "the device answered Read with 2.04, expected 2.05"
    );
}

struct Unknown;

impl ResourceTypes for Unknown {
    fn resource_type(&self, _: u16, _: u16) -> Option<(ResourceType, bool)> {
        None
    }
}

fn decode(operation: &Operation, format: u16, body: &[u8]) -> Result<Vec<Path>, AnswerError> {
    let mut read = Vec::new();
    operation.decode(format, body, &Unknown, 0, &mut |record| {
        read.push(record.path)
    })?;
    Ok(read)
}

// A09 to A11, O18 to O21.
#[test]
fn a_composite_answer_has_what_lies_at_or_below_the_paths() {
    let fetch = Operation::ReadComposite {
        paths: paths(&["/3/0/0", "/3/0/7", "/1"]),
    };
    let body = br#"[{"n":"/3/0/0","vs":"anjay"},{"n":"/3/0/7/0","v":31822},{"n":"/1/1/0","v":1}]"#;
    assert_eq!(
        decode(&fetch, 110, body),
        Ok(paths(&["/3/0/0", "/3/0/7/0", "/1/1/0"]))
    );
    // ETS 236, 281: what is missing is left out.
    assert_eq!(decode(&fetch, 110, b"[]"), Ok(vec![]));
    // O30, O31.
    let body = br#"[{"n":"/3/0/0","vs":"anjay"},{"n":"/3/0/1","vs":"x"}]"#;
    assert_eq!(
        decode(&fetch, 110, body),
        Err(AnswerError::UnexpectedPath {
            path: path("/3/0/1")
        })
    );
    let everything = Operation::ReadComposite {
        paths: paths(&["/"]),
    };
    assert_eq!(decode(&everything, 110, body).map(|read| read.len()), Ok(2));
}

#[test]
fn an_answer_that_cannot_be_decoded_says_why() {
    let error = decode(&read("/3/0/9"), 110, b"[{").expect_err("refused");
    assert_eq!(error.discriminant(), "truncated");
    assert_eq!(
        decode(&read("/3/0/9"), 110, br#"[{"n":"/3/0/1","v":1}]"#)
            .expect_err("refused")
            .to_string(),
        "the answer cannot be decoded: record 0, byte 1: path /3/0/1 is not at or under /3/0/9"
    );
}
