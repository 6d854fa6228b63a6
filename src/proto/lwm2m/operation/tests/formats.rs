//! Which content format is chosen.

use super::*;

fn content_format(operation: &Operation, context: RequestContext<'_>) -> u16 {
    parts(operation, context)
        .content_format
        .expect("a content format")
}

#[test]
fn a_read_of_several_values_asks_for_the_best_format_announced() {
    for (context, announced, expected) in [
        (V1_0, &[][..], Some(11542)),
        (V1_0, &[11543], Some(11542)),
        (V1_0, &[1542], Some(1542)),
        (V1_0, &[1542, 11542], Some(11542)),
        (V1_1, &[], None),
        (V1_1, &[60, 110, 112], Some(112)),
        (V1_1, &[0, 110, 11542], Some(11542)),
        (V1_1, &[110], Some(110)),
        (V1_1, &[11543], Some(11543)),
        (V1_1, &[0, 42, 60], None),
        (V1_2, &[11544, 11542], Some(11544)),
    ] {
        for at in ["/3", "/3/0"] {
            let context = announcing(context, announced);
            assert_eq!(
                parts(&read(at), context).accept,
                expected,
                "{announced:?} {at}"
            );
            assert_eq!(parts(&observe(at, &[]), context).accept, expected);
        }
    }
}

#[test]
fn a_read_of_one_value_asks_for_a_format_only_where_the_device_knows_no_tlv() {
    for (context, announced, expected) in [
        (V1_0, &[][..], None),
        (V1_0, &[11543], None),
        (V1_1, &[], None),
        (V1_1, &[0, 110, 11542], None),
        (V1_1, &[1542, 112], None),
        (V1_1, &[0, 42, 60], None),
        (V1_1, &[60, 110], Some(110)),
        (V1_1, &[60, 110, 112], Some(112)),
    ] {
        let context = announcing(context, announced);
        for operation in [read("/3/0/9"), observe("/3/0/9", &[])] {
            assert_eq!(parts(&operation, context).accept, expected, "{announced:?}");
        }
    }
}

#[test]
fn a_single_value_goes_as_text_or_bytes_unless_those_are_not_announced() {
    let write = |value: Value| replace("/3/0/14", vec![record("/3/0/14", value)]);
    let text = write(string("a"));
    let bytes = write(Value::Opaque([1].into()));
    let nan = write(Value::Float(f64::NAN));
    for (context, announced, formats) in [
        (V1_0, &[][..], (0, 42, 11542)),
        (V1_0, &[11543], (0, 42, 11542)),
        (V1_1, &[], (0, 42, 11542)),
        (V1_1, &[0, 60, 112], (0, 60, 60)),
        (V1_1, &[60, 110, 112], (60, 60, 60)),
        (V1_1, &[42, 110], (110, 42, 11542)),
        (V1_1, &[0], (0, 0, 11542)),
        (V1_1, &[40], (0, 42, 11542)),
    ] {
        let context = announcing(context, announced);
        let chosen = [&text, &bytes, &nan].map(|operation| content_format(operation, context));
        let (text, bytes, nan) = formats;
        assert_eq!(chosen, [text, bytes, nan], "{announced:?}");
    }
}

#[test]
fn several_values_go_in_the_best_format_announced_else_in_tlv() {
    let instance = update("/3/0", vec![record("/3/0/14", string("a"))]);
    let multiple = replace("/3/0/7", vec![record("/3/0/7/0", Value::Integer(1))]);
    let with_gap = replace("/3/0", vec![record("/3/0/14", string("a")), gap("/3/0/11")]);
    for (context, announced, expected, expected_with_gap) in [
        (V1_0, &[11543][..], 11542, 11542),
        (V1_1, &[], 11542, 11542),
        (V1_1, &[60, 110, 112], 112, 11542),
        (V1_1, &[110], 110, 11542),
        (V1_2, &[110, 11544], 11544, 11544),
        (V1_1, &[0, 60], 11542, 11542),
    ] {
        let context = announcing(context, announced);
        assert_eq!(
            content_format(&instance, context),
            expected,
            "{announced:?}"
        );
        assert_eq!(
            content_format(&multiple, context),
            expected,
            "{announced:?}"
        );
        assert_eq!(
            content_format(&with_gap, context),
            expected_with_gap,
            "{announced:?}"
        );
    }
}

#[test]
fn composite_operations_need_senml_or_lwm2m_cbor() {
    let fetch = Operation::ReadComposite {
        paths: paths(&["/3"]),
    };
    for (context, announced, expected) in [
        (V1_1, &[][..], 112),
        (V1_1, &[110, 112], 112),
        (V1_1, &[0, 110], 110),
        (V1_2, &[11544], 11544),
    ] {
        assert_eq!(
            content_format(&fetch, announcing(context, announced)),
            expected
        );
    }
    assert_eq!(
        refusal(&fetch, announcing(V1_1, &[0, 11542, 11544])).to_string(),
        "Read-Composite needs one of the content formats 110, 112 or, from LwM2M 1.2 on, 11544, the device announced [0, 11542, 11544]"
    );
}

#[test]
fn a_format_that_cannot_be_used_is_refused() {
    let write = replace("/3/0/14", vec![record("/3/0/14", string("a"))]);
    let instance = update("/3/0", vec![record("/3/0/14", string("a"))]);
    let create = |ids| Operation::Create {
        object: 3,
        ids,
        records: vec![record("/3/0/14", string("a"))],
    };
    let fetch = Operation::ReadComposite {
        paths: paths(&["/3"]),
    };
    let patch = Operation::WriteComposite {
        records: vec![gap("/3/0/11/0")],
    };
    for (operation, format, reason) in [
        (&read("/3/0/9"), 40, "unusable_format"),
        (&read("/3/0/9"), 666, "unusable_format"),
        (&read("/3/0/9"), 320, "unusable_format"),
        (&read("/3/0"), 0, "unusable_format"),
        (&write, 322, "unusable_format"),
        (&write, 42, "not_opaque"),
        (&instance, 60, "unusable_format"),
        (&create(InstanceIds::Stated), 0, "unusable_format"),
        (
            &create(InstanceIds::ChosenByDevice),
            112,
            "create_without_id",
        ),
        (&fetch, 11542, "unusable_format"),
        (&patch, 112, "missing_value"),
        (
            &replace("/3/0/7", vec![gap("/3/0/7")]),
            110,
            "missing_value",
        ),
    ] {
        let error = refusal(operation, using(V1_2, format));
        assert_eq!(error.discriminant(), reason, "{operation:?} {format}");
        let text = error.to_string();
        assert!(text.contains(&format.to_string()), "{text}");
    }
    assert_eq!(
        refusal(&read("/3/0"), using(V1_1, 0)).to_string(),
        "content format 0 cannot be used for Read, expected 110, 112, 11542, 11543 or 11544 for several values"
    );
}
