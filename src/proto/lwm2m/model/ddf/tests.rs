use super::*;

const OBJECT: &str = "\
<Object ObjectType=\"MODefinition\">
  <Name>Thing</Name>
  <Description1>A thing.</Description1>
  <ObjectID>3999</ObjectID>
  <ObjectURN>urn:oma:lwm2m:ext:3999:1.1</ObjectURN>
  <LWM2MVersion>1.1</LWM2MVersion>
  <ObjectVersion>1.1</ObjectVersion>
  <MultipleInstances>Multiple</MultipleInstances>
  <Mandatory>Optional</Mandatory>
  <Resources>
    <Item ID=\"5700\">
      <Name>Value</Name>
      <Operations>R</Operations>
      <MultipleInstances>Single</MultipleInstances>
      <Mandatory>Mandatory</Mandatory>
      <Type>Float</Type>
      <RangeEnumeration>0..100</RangeEnumeration>
      <Units>Cel</Units>
      <Description>The value.</Description>
    </Item>
    <Item ID=\"1\">
      <Name>Reset</Name>
      <Operations>E</Operations>
      <MultipleInstances>Multiple</MultipleInstances>
      <Mandatory>Optional</Mandatory>
      <Type></Type>
      <RangeEnumeration></RangeEnumeration>
      <Units></Units>
      <Description></Description>
    </Item>
  </Resources>
  <Description2></Description2>
</Object>";

fn document(object: &str) -> String {
    format!("<LWM2M>\n{object}\n</LWM2M>")
}

fn one(document: impl AsRef<[u8]>) -> ObjectModel {
    let mut definitions = read(document.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(definitions.len(), 1);
    definitions.remove(0).model
}

/// The definition of `OBJECT` with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> Result<ObjectModel, DdfError> {
    assert!(OBJECT.contains(from), "{from}");
    let document = document(&OBJECT.replacen(from, to, 1));
    read(document.as_bytes()).map(|mut definitions| definitions.remove(0).model)
}

/// Line of the document and the words of the refusal.
#[track_caller]
fn assert_refused(document: impl AsRef<[u8]>, line: usize, says: &str) -> Refusal {
    let error = read(document.as_ref()).unwrap_err();
    assert_eq!(error.line, line, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    error.refusal
}

#[test]
fn a_definition_is_read_with_everything_in_it() {
    let model = one(document(OBJECT));
    let expected = ObjectModel {
        id: 3999,
        version: Version::new(1, 1),
        name: "Thing".into(),
        description: Some("A thing.".into()),
        multiple: true,
        mandatory: false,
        lwm2m_version: LwM2mVersion::V1_1,
        urn: "urn:oma:lwm2m:ext:3999:1.1".into(),
        resources: Box::new([
            ResourceModel {
                id: 1,
                operations: Operations::Execute,
                multiple: true,
                mandatory: false,
                resource_type: None,
                name: "Reset".into(),
                range: None,
                units: None,
            },
            ResourceModel {
                id: 5700,
                operations: Operations::Read,
                multiple: false,
                mandatory: true,
                resource_type: Some(ResourceType::Float),
                name: "Value".into(),
                range: Some("0..100".into()),
                units: Some("Cel".into()),
            },
        ]),
    };
    assert_eq!(model, expected);
    assert_eq!(model.resource(5700), Some(&expected.resources[1]));
    assert_eq!(model.resource(2), None);
}

#[test]
fn files_are_taken_with_and_without_what_may_precede_the_root() {
    let declaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n";
    let comment = "<!-- licence, with <tags> & \"text\" -->\n";
    let plain = document(OBJECT);
    let expected = one(&plain);
    for before in [
        String::new(),
        "\u{feff}".to_owned(),
        declaration.to_owned(),
        comment.to_owned(),
        format!("\u{feff}{declaration}{comment}"),
        format!("\u{feff}{comment}"),
        "\n  \n".to_owned(),
        "<?xml-stylesheet href=\"a.css\"?>".to_owned(),
    ] {
        assert_eq!(
            one(format!("{before}{plain}\n{comment}")),
            expected,
            "{before}"
        );
    }
    assert_eq!(one(plain.replace('\n', "\r\n")), expected);
}

#[test]
fn versions_that_are_absent_or_empty_are_1_0() {
    for to in ["", "<ObjectVersion></ObjectVersion>", "<ObjectVersion/>"] {
        let model = changed("<ObjectVersion>1.1</ObjectVersion>", to).unwrap();
        assert_eq!(model.key().to_string(), "3999_1.0", "{to}");
    }
    for to in ["", "<LWM2MVersion> </LWM2MVersion>", "<LWM2MVersion/>"] {
        let model = changed("<LWM2MVersion>1.1</LWM2MVersion>", to).unwrap();
        assert_eq!(model.lwm2m_version, LwM2mVersion::V1_0, "{to}");
    }
}

#[test]
fn text_may_be_escaped_or_in_cdata_and_is_trimmed() {
    let model = changed(
        "<Name>Thing</Name>",
        "<Name>\n  A &amp; <![CDATA[<B>]]> &#x2d; &#67;<!-- no -->\r\n  D \n</Name>",
    )
    .unwrap();
    assert_eq!(&*model.name, "A & <B> - C D");
    let model = changed("A thing.", "<![CDATA[\r\nOne.\r\nTwo & three.]]>").unwrap();
    assert_eq!(model.description.as_deref(), Some("One.\nTwo & three."));
}

#[test]
fn elements_may_come_in_any_order_and_those_of_other_namespaces_are_skipped() {
    let moved = OBJECT.replace("  <Description2></Description2>\n", "").replace(
        "  <ObjectID>",
        "  <Description2>More <b>of</b> it &lt;</Description2>\n  <v:note><x/>text</v:note>\n  <ObjectID>",
    );
    assert_eq!(one(document(&moved)), one(document(OBJECT)));
}

#[test]
fn what_a_definition_can_do_without_may_be_absent() {
    for absent in [
        "<Description1>A thing.</Description1>",
        " ObjectType=\"MODefinition\"",
        "<RangeEnumeration>0..100</RangeEnumeration>",
        "<Units>Cel</Units>",
        "<Type></Type>",
        "<Description>The value.</Description>",
        "<Description2></Description2>",
        "<ObjectURN>urn:oma:lwm2m:ext:3999:1.1</ObjectURN>",
    ] {
        assert!(changed(absent, "").is_ok(), "{absent}");
    }
}

#[test]
fn every_type_and_every_operation_is_known() {
    let types = [
        ("String", Some(ResourceType::String)),
        ("Integer", Some(ResourceType::Integer)),
        ("Unsigned Integer", Some(ResourceType::UnsignedInteger)),
        ("Float", Some(ResourceType::Float)),
        ("Boolean", Some(ResourceType::Boolean)),
        ("Opaque", Some(ResourceType::Opaque)),
        ("Time", Some(ResourceType::Time)),
        ("Objlnk", Some(ResourceType::Objlnk)),
        ("Corelnk", Some(ResourceType::Corelnk)),
        ("", None),
    ];
    for (name, expected) in types {
        let model = changed("<Type>Float</Type>", &format!("<Type>{name}</Type>")).unwrap();
        assert_eq!(model.resource(5700).unwrap().resource_type, expected);
    }
    let operations = [
        ("", Operations::None),
        ("R", Operations::Read),
        ("W", Operations::Write),
        ("RW", Operations::ReadWrite),
        ("E", Operations::Execute),
    ];
    for (name, expected) in operations {
        let to = format!("<Operations>{name}</Operations>");
        let model = changed("<Operations>R</Operations>", &to).unwrap();
        assert_eq!(model.resource(5700).unwrap().operations, expected);
    }
}

#[test]
fn a_document_may_define_several_objects() {
    let second = OBJECT.replace("<ObjectVersion>1.1<", "<ObjectVersion>2.0<");
    let text = format!("\u{feff}{}", document(&format!("{OBJECT}\n{second}")));
    let definitions = read(text.as_bytes()).unwrap();
    let keys = definitions.iter().map(|d| d.model.key().to_string());
    assert_eq!(keys.collect::<Vec<_>>(), ["3999_1.1", "3999_2.0"]);
    assert_eq!(&text[definitions[0].source.clone()], OBJECT);
    assert_eq!(text[definitions[1].source.clone()], second);

    let lines = OBJECT.lines().count();
    let twice = document(&format!("{OBJECT}\n{OBJECT}"));
    let refusal = assert_refused(twice, 2 + lines, "3999_1.1 is defined twice");
    assert_eq!(refusal.discriminant(), "object_twice");
}

#[test]
fn a_value_that_is_not_accepted_is_named_with_its_line_and_what_is_accepted() {
    let cases = [
        (
            "<ObjectID>3999<",
            "<ObjectID>65535<",
            5,
            "ObjectID is \"65535\"; accepted: 0 to 65534",
        ),
        ("<ObjectID>3999<", "<ObjectID>+1<", 5, "ObjectID is \"+1\""),
        ("<ObjectID>3999<", "<ObjectID><", 5, "ObjectID is \"\""),
        (
            "<LWM2MVersion>1.1",
            "<LWM2MVersion>1.3",
            7,
            "accepted: 1.0, 1.1, 1.2",
        ),
        ("<ObjectVersion>1.1", "<ObjectVersion>1", 8, "major.minor"),
        (">Multiple<", ">Many<", 9, "accepted: Multiple, Single"),
        (
            ">Optional<",
            ">optional<",
            10,
            "accepted: Mandatory, Optional",
        ),
        ("ID=\"5700\"", "ID=\"x\"", 12, "Item ID is \"x\""),
        (
            ">R<",
            ">RWE<",
            14,
            "Operations is \"RWE\"; accepted: R, W, RW, E or nothing",
        ),
        (">Float<", ">Double<", 17, "accepted: String, Integer"),
        (
            "MODefinition",
            "CommonResources",
            2,
            "ObjectType is \"CommonResources\"",
        ),
    ];
    for (from, to, line, says) in cases {
        let error = changed(from, to).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.refusal.discriminant(), "value");
    }
}

#[test]
fn what_is_absent_twice_or_unknown_is_named() {
    let cases = [
        ("<Name>Thing</Name>", "", 2, "<Name> is missing in <Object>"),
        (
            "<Name>Thing</Name>",
            "<Name> </Name>",
            2,
            "<Name> is missing",
        ),
        ("<ObjectID>3999</ObjectID>", "", 2, "<ObjectID> is missing"),
        ("<Name>Value</Name>", "", 12, "<Name> is missing in <Item>"),
        (
            "<Operations>R</Operations>",
            "",
            12,
            "<Operations> is missing",
        ),
        (" ID=\"5700\"", "", 12, "<Item> has no ID"),
        ("ID=\"5700\"", "ID=\"1\"", 22, "Resource 1 is defined twice"),
        (
            "<Units>Cel</Units>",
            "<Units/><Units/>",
            19,
            "<Units> is there twice",
        ),
        (
            "<ObjectVersion>1.1</ObjectVersion>",
            "<ObjectVersoin/>",
            8,
            "<ObjectVersoin> does not belong in <Object>; accepted: Name, ",
        ),
        (
            "<Units>Cel</Units>",
            "<Unit>Cel</Unit>",
            19,
            "<Unit> does not belong in <Item>",
        ),
        (
            "<Units>Cel</Units>",
            "<Units><b>Cel</b></Units>",
            19,
            "<b> does not belong in <Units>",
        ),
        (
            "<Units>Cel</Units>",
            "Cel",
            18,
            "text between the elements of <Item>",
        ),
        (
            "<Units>Cel</Units>",
            "<Units>&#1;</Units>",
            19,
            "control character in <Units>",
        ),
        (
            "<Item ID=\"1\">",
            "<Itme>",
            22,
            "<Itme> does not belong in <Resources>; accepted: Item",
        ),
    ];
    for (from, to, line, says) in cases {
        let error = changed(from, to).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.line, line, "{error}");
    }
    let start = OBJECT.find("    <Item").unwrap();
    let end = OBJECT.find("  </Resources>").unwrap();
    let empty = document(&format!("{}{}", &OBJECT[..start], &OBJECT[end..]));
    assert_refused(empty, 11, "<Item> is missing in <Resources>");
}

#[test]
fn a_document_that_is_no_definition_is_refused() {
    assert_refused("", 1, "begins with nothing");
    assert_refused("hello", 1, "begins with text");
    assert_refused("<!-- nothing -->\n", 2, "begins with nothing");
    assert_refused("\n<DDFList><Item/></DDFList>", 2, "begins with <DDFList>");
    assert_refused("<LWM2M/>", 1, "<Object> is missing in <LWM2M>");
    assert_refused(
        "<LWM2M>\n<Item/></LWM2M>",
        2,
        "<Item> does not belong in <LWM2M>",
    );
    let after = format!("{}\n<more/>", document(OBJECT));
    assert_refused(&after, after.lines().count(), "something after </LWM2M>");
}

#[test]
fn a_document_that_is_not_well_formed_is_refused_with_the_line() {
    let text = document(OBJECT);
    let refusal = assert_refused(
        text.replace("</Units>\n      <Description>T", "</Unit>\n <Description>T"),
        19,
        "not well-formed",
    );
    assert_eq!(refusal.discriminant(), "not_well_formed");
    let cut = &text[..text.find("<Units>Cel").unwrap()];
    assert_refused(cut, 12, "<Item> is not closed");
    assert_refused(&text[..text.len() - 9], 1, "<LWM2M> is not closed");
    assert_refused(
        text.replace("ID=\"1\"", "ID=\"1\" ID=\"2\""),
        22,
        "not well-formed",
    );
    assert_refused(text.replace("ID=\"1\"", "ID=1"), 22, "not well-formed");
    assert_refused(text.replace("Cel", "a & b"), 19, "not well-formed");
    assert_refused("<LWM2M><Object", 1, "not well-formed");
    assert_refused(b"<LWM2M>\n\xff</LWM2M>", 2, "not UTF-8");
    let latin = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><LWM2M/>";
    assert_refused(latin, 1, "the encoding is \"ISO-8859-1\"; accepted: UTF-8");
}

#[test]
fn document_types_and_entities_of_ones_own_are_refused() {
    let bomb = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE LWM2M [<!ENTITY a \"aaaa\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]>\n{}",
        document(OBJECT)
    );
    assert_refused(bomb, 2, "document type declaration");
    let entity = document(&OBJECT.replace("Cel", "&unit;"));
    assert_refused(
        entity,
        19,
        "the entity &unit; is not known; accepted: &amp;",
    );
    let entity = document(&OBJECT.replace("The value.", "&unit;"));
    assert_refused(entity, 20, "the entity &unit; is not known");
}

#[test]
fn nesting_attributes_objects_and_bytes_are_bounded() {
    let deep = format!("<Description2>{}", "<b>".repeat(100_000));
    let refusal = changed("<Description2></Description2>", &deep)
        .unwrap_err()
        .refusal;
    assert_eq!(refusal, Refusal::TooDeep);

    let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
    let refusal = changed("<Units>", &format!("<Units{attributes}>"))
        .unwrap_err()
        .refusal;
    assert_eq!(refusal, Refusal::TooManyAttributes);

    let objects: String = (0..=MAX_OBJECTS)
        .map(|id| OBJECT.replace("<ObjectID>3999<", &format!("<ObjectID>{id}<")))
        .collect();
    let refusal = read(document(&objects).as_bytes()).unwrap_err().refusal;
    assert_eq!(refusal, Refusal::TooManyObjects);

    let refusal = read(&vec![b' '; MAX_BYTES + 1]).unwrap_err().refusal;
    assert_eq!(refusal, Refusal::TooLarge);
}

#[test]
fn a_refusal_quotes_the_document_in_bounds_and_on_one_line() {
    let long = format!("<Type>{}\n\u{7f}</Type>", "x".repeat(1 << 20));
    let error = changed("<Type>Float</Type>", &long)
        .unwrap_err()
        .to_string();
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
    let long = format!("<{0}></{0}>", "y".repeat(1 << 20));
    let error = read(long.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 400, "{error}");
    let long = format!("<LWM2M><{0}></LWM2M>", "z".repeat(1 << 20));
    let error = read(long.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 400, "{error}");
}
