//! What is refused before it is sent.

use super::*;

fn text(operation: &Operation, context: RequestContext<'_>) -> String {
    refusal(operation, context).to_string()
}

#[test]
fn an_operation_names_the_paths_it_takes() {
    let discover = |at: &str| Operation::Discover {
        path: path(at),
        depth: None,
    };
    let delete = |at: &str| Operation::Delete { path: path(at) };
    let value = || vec![record("/3/0/14", string("a"))];
    for (operation, expected) in [
        (
            discover("/3/0/6/1"),
            "Discover cannot target Resource Instance /3/0/6/1, expected the path of an object, Object Instance or Resource",
        ),
        (
            read("/"),
            "Read cannot target the root /, expected the path of an object, Object Instance, Resource or Resource Instance",
        ),
        (
            replace("/3", value()),
            "Write cannot target object /3, expected the path of an Object Instance, Resource or Resource Instance",
        ),
        (
            update("/3/0/7/0", value()),
            "Write cannot target Resource Instance /3/0/7/0, expected the path of an Object Instance or a multiple Resource for a partial update",
        ),
        (
            execute("/3/0", ""),
            "Execute cannot target Object Instance /3/0, expected the path of a Resource",
        ),
        // D05.
        (
            delete("/3/0/14"),
            "Delete cannot target Resource /3/0/14, expected the path of an Object Instance or Resource Instance",
        ),
        (
            delete("/3"),
            "Delete cannot target object /3, expected the path of an Object Instance or Resource Instance",
        ),
    ] {
        assert_eq!(text(&operation, V1_2), expected);
    }
}

#[test]
fn what_a_device_is_too_old_for_is_not_sent() {
    let discover = Operation::Discover {
        path: path("/3"),
        depth: Some(1),
    };
    let fetch = Operation::ReadComposite {
        paths: paths(&["/3"]),
    };
    for (operation, context, expected) in [
        (
            read("/3/0/7/0"),
            V1_0,
            "an operation on a Resource Instance needs LwM2M 1.1, the device has 1.0",
        ),
        (
            update("/3/0/7", vec![]),
            V1_0,
            "a partial update of a Resource needs LwM2M 1.1, the device has 1.0",
        ),
        (
            Operation::Delete {
                path: path("/3/0/7/0"),
            },
            V1_1,
            "Delete of a Resource Instance needs LwM2M 1.2, the device has 1.1",
        ),
        (
            discover,
            V1_1,
            "a Discover with depth needs LwM2M 1.2, the device has 1.1",
        ),
        (
            fetch,
            V1_0,
            "a composite operation needs LwM2M 1.1, the device has 1.0",
        ),
        (
            observe("/3/0/9", &["pmin=1"]),
            V1_1,
            "an observation with attributes needs LwM2M 1.2, the device has 1.1",
        ),
    ] {
        assert_eq!(text(&operation, context), expected);
    }
}

#[test]
fn composite_paths_must_not_overlap() {
    let fetch = |texts: &[&str]| Operation::ReadComposite {
        paths: paths(texts),
    };
    assert_eq!(
        text(&fetch(&["/5/0", "/5/0/2"]), V1_1),
        "Invalid path list :  /5/0 and /5/0/2 are overlapped paths"
    );
    for list in [
        &["/5/0/2", "/3", "/5/0"][..],
        &["/3/0/9", "/3/0/9"],
        &["/", "/3"],
        &["/3/0/1", "/3/0/10", "/3/0/1/0"],
    ] {
        assert_eq!(
            refusal(&fetch(list), V1_1).discriminant(),
            "overlapping_paths",
            "{list:?}"
        );
    }
    assert_eq!(
        text(&fetch(&[]), V1_1),
        "Read-Composite needs at least one path"
    );
    let patch = Operation::WriteComposite {
        records: vec![
            record("/3/0/7/0", Value::Integer(1)),
            record("/3/0/7/0", Value::Integer(2)),
        ],
    };
    assert_eq!(refusal(&patch, V1_1).discriminant(), "overlapping_paths");
}

// W11, W12: a payload that cannot be is found before anything is sent.
#[test]
fn values_that_do_not_fit_the_target_are_refused() {
    for (operation, expected) in [
        (
            replace("/3/0/14", vec![]),
            "Write needs at least one value for /3/0/14",
        ),
        (
            update("/3/0", vec![]),
            "Write needs at least one value for /3/0",
        ),
        (
            replace("/3/0/14", vec![record("/3/0/15", string("a"))]),
            "path /3/0/15 is not at or under /3/0/14",
        ),
        (
            update("/3/0/7", vec![record("/3/0/7", Value::Integer(1))]),
            "a partial update of /3/0/7 needs values of its Resource Instances, a single value is replaced",
        ),
        (
            Operation::WriteComposite { records: vec![] },
            "Write-Composite needs at least one value for /",
        ),
        (
            Operation::Create {
                object: 2,
                ids: InstanceIds::Stated,
                records: vec![],
            },
            "Create needs at least one value for /2",
        ),
        (
            Operation::Create {
                object: 2,
                ids: InstanceIds::ChosenByDevice,
                records: vec![
                    record("/2/0/0", Value::Integer(1)),
                    record("/2/1/0", Value::Integer(1)),
                ],
            },
            "the device chooses one instance id, but values are given for /2/0 and /2/1",
        ),
        (
            Operation::Create {
                object: 2,
                ids: InstanceIds::Stated,
                records: vec![record("/3/0/14", string("a"))],
            },
            "path /3/0/14 is not at or under /2",
        ),
    ] {
        assert_eq!(text(&operation, V1_1), expected);
    }
    let empty = replace("/33605/5", vec![]);
    assert_eq!(
        parts(&empty, V1_1).body,
        b"",
        "an instance may lose all that is optional"
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    let discover = |depth| Operation::Discover {
        path: path("/3"),
        depth: Some(depth),
    };
    assert_eq!(
        text(&discover(4), V1_2),
        "depth of Discover is 4, expected 0 to 3"
    );
    let szx = RequestContext {
        szx: Some(7),
        ..V1_1
    };
    assert_eq!(
        text(&read("/3"), szx),
        "block size exponent is 7, expected 0 (16 bytes) to 6 (1024 bytes)"
    );
    let reserved = Operation::Read {
        path: Path::instance(3, u16::MAX),
    };
    assert_eq!(
        text(&reserved, V1_1),
        "path /3/65535 has the reserved id 65535, expected ids from 0 to 65534"
    );
    let long = "/a".repeat(200);
    let context = RequestContext {
        alternate_path: Some(&long),
        ..V1_1
    };
    assert_eq!(
        text(&read("/3"), context),
        "the alternate path of the device has 400 bytes, at most 255 can be sent"
    );
}
