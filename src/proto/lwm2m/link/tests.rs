use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const ANJAY_1_0: &str = "</1/1>,</2>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</9/0>,</9/1>,</10>;ver=\"1.1\",</10/0>,</11>,</16>,</19>,</20/0>,</3303/0>,</3313/0>,</3347/0>,</33605>,</33606/0>,</33607/0>,</33608>,</33609/0>,</33629>";
const WAKAAMA_1_1: &str = "</>;rt=\"oma.lwm2m\";ct=110,</1>;ver=1.1,</1/0>,</2/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</31024>;ver=1.0,</31024/10>,</31024/11>,</31024/12>";

fn links(list: &str) -> ObjectLinks {
    ObjectLinks::parse(list.as_bytes(), LwM2mVersion::V1_1).expect(list)
}

fn refusal(list: &[u8]) -> LinkError {
    ObjectLinks::parse(list, LwM2mVersion::V1_1).expect_err("the list should be refused")
}

/// Object ids with their instances.
fn announced(links: &ObjectLinks) -> Vec<(u16, Vec<u16>)> {
    links
        .objects()
        .iter()
        .map(|object| (object.id, links.instances(object.id).collect()))
        .collect()
}

fn others(links: &ObjectLinks) -> Vec<&str> {
    links.other_links().collect()
}

#[test]
fn anjay_lists_instances_and_empty_objects() {
    let links = ObjectLinks::parse(ANJAY_1_0.as_bytes(), LwM2mVersion::V1_0).expect(ANJAY_1_0);
    assert_eq!(links.objects().len(), 22);
    assert!(links.objects().is_sorted_by_key(|object| object.id));
    assert_eq!(links.instances(9).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(links.instances(2).len(), 0);
    assert!(links.announces(&Path::object(2)));
    assert!(!links.announces(&Path::instance(9, 2)));
    assert_eq!(links.version_of(10), Some(Version::new(1, 1)));
    assert_eq!(links.version_of(3), Some(Version::V1_0));
    assert_eq!(
        (links.alternate_path(), links.content_formats()),
        (None, &[][..])
    );
    assert_eq!(links.raw(), ANJAY_1_0);
    assert_eq!(others(&links), [""; 0]);
}

#[test]
fn wakaama_states_the_root_with_one_content_format() {
    let links = links(WAKAAMA_1_1);
    assert_eq!(links.content_formats(), [110]);
    assert_eq!(links.alternate_path(), None);
    assert_eq!(links.instances(31024).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(
        links
            .object(1)
            .map(|object| (object.version, object.version_stated)),
        Some((Version::new(1, 1), true))
    );
    assert_eq!(
        links
            .object(3)
            .map(|object| (object.version, object.version_stated)),
        Some((Version::new(1, 1), false))
    );
}

#[test]
fn libcoap_lists_instances_in_any_order() {
    assert_eq!(
        announced(&links("</3/0>,</1/0>")),
        [(1, vec![0]), (3, vec![0])]
    );
}

#[test]
fn a_path_is_announced_by_its_instance() {
    let links = links("</3/0>,</2>");
    assert!(links.announces(&Path::ROOT));
    assert!(links.announces(&Path::object(3)));
    assert!(links.announces(&Path::resource_instance(3, 0, 7, 1)));
    assert!(!links.announces(&Path::instance(3, 1)));
    assert!(!links.announces(&Path::object(4)));
}

#[test]
fn versions_are_read_with_and_without_quotes() {
    for list in [
        "</3>;ver=1.2",
        "</3>;ver=\"1.2\"",
        "</3> ; ver = \"1.2\"",
        "</3>;foo;ver=1.2;bar=x",
        "</3>;ver=\"1.2",
        "</3/0>;ver=1.2",
    ] {
        assert_eq!(
            links(list).version_of(3),
            Some(Version::new(1, 2)),
            "{list}"
        );
    }
    assert_eq!(links("</3>;ver=2").version_of(3), Some(Version::new(2, 0)));
}

#[test]
fn an_unreadable_version_counts_as_not_stated() {
    let links = links("</3>;ver=latest,</4>;ver");
    assert_eq!(
        links
            .object(3)
            .map(|object| (object.version, object.version_stated)),
        Some((Version::new(1, 1), false))
    );
    assert_eq!(links.version_of(4), Some(Version::new(1, 2)));
}

#[test]
fn object_and_instance_links_are_merged_in_any_order() {
    let merged = [(3, vec![0, 1])];
    for list in [
        "</3>;ver=1.2,</3/0>,</3/1>",
        "</3/1>,</3>;ver=1.2,</3/0>",
        "</3/0>,</3/1>;ver=1.2,</3/0>,</3>",
    ] {
        let links = links(list);
        assert_eq!(announced(&links), merged, "{list}");
        assert_eq!(links.version_of(3), Some(Version::new(1, 2)), "{list}");
    }
}

#[test]
fn default_versions_follow_the_lwm2m_version() {
    let list = b"</1/0>,</2/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</21/0>,</3303/0>";
    let versions = |lwm2m| {
        let links = ObjectLinks::parse(list, lwm2m).expect("a good list");
        links
            .objects()
            .iter()
            .map(|object| object.version.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        versions(LwM2mVersion::V1_0),
        "1.0 1.0 1.0 1.0 1.0 1.0 1.0 1.0 1.0"
    );
    assert_eq!(
        versions(LwM2mVersion::V1_1),
        "1.1 1.0 1.1 1.2 1.0 1.0 1.0 1.0 1.0"
    );
    assert_eq!(
        versions(LwM2mVersion::V1_2),
        "1.2 1.1 1.2 1.3 1.1 1.0 1.0 2.0 1.0"
    );
}

#[test]
fn objects_may_live_under_an_alternate_path() {
    for list in [
        "</lwm2m>;rt=\"oma.lwm2m\";ct=\"60 110 112\",</lwm2m/3/0>,</3/0>",
        "</lwm2m/3/0>,</lwm2m/>;rt=oma.lwm2m;ct=\"60 110 112\",</3/0>",
        "<lwm2m>;ct=\"60,110,112\";rt=\"core.x oma.lwm2m\",<lwm2m/3/0>,</3/0>",
    ] {
        let links = links(list);
        assert_eq!(links.alternate_path(), Some("/lwm2m"), "{list}");
        assert_eq!(announced(&links), [(3, vec![0])], "{list}");
        assert_eq!(links.content_formats(), [60, 110, 112], "{list}");
        assert_eq!(others(&links), ["</3/0>"], "{list}");
    }
}

#[test]
fn an_alternate_path_is_compared_by_whole_segments() {
    let links = links("</lw>;rt=\"oma.lwm2m\",</lwm2m/3/0>,</lw/4/0>");
    assert_eq!(announced(&links), [(4, vec![0])]);
    assert_eq!(others(&links), ["</lwm2m/3/0>"]);
}

#[test]
fn content_formats_are_read_from_the_root_link_without_resource_type() {
    assert_eq!(
        links("</>;ct=\"60 112\",</3/0>").content_formats(),
        [60, 112]
    );
    assert_eq!(
        links("</>;ct=60 112 60 70000,</3/0>").content_formats(),
        [60, 112]
    );
    assert_eq!(links("</3/0>;ct=60").content_formats(), [0; 0]);
}

#[test]
fn white_space_empty_elements_and_missing_commas_make_no_difference() {
    for list in [
        "</1/0>,</3/0>",
        " </1/0> ,\r\n\t</3/0>\n",
        "</1/0>,</3/0>,",
        ",,</1/0>,,</3/0>,\0",
        "</1/0></3/0>",
        "<1/0>,< /3/0 >",
        "</1/0/>,</3/0/>",
    ] {
        let links = links(list);
        assert_eq!(announced(&links), [(1, vec![0]), (3, vec![0])], "{list:?}");
        assert_eq!(others(&links), [""; 0], "{list:?}");
    }
}

#[test]
fn a_leading_enabler_version_is_kept_aside() {
    let links = links("lwm2m=\"1.0\",</1/0>,</3>");
    assert_eq!(announced(&links), [(1, vec![0]), (3, vec![])]);
    assert_eq!(others(&links), ["lwm2m=\"1.0\""]);
}

#[test]
fn links_that_announce_no_object_are_kept_aside() {
    let aside = [
        "</dev/foo>;if=\"x, y\"",
        "</3/65535>",
        "</65535>",
        "</70000/0>",
        "</3/0/9>",
        "</3/x>",
        "</+3>",
        "</3//0>",
    ];
    let list = format!("</1/0>,{}", aside.join(","));
    let links = links(&list);
    assert_eq!(announced(&links), [(1, vec![0])]);
    assert_eq!(others(&links), aside);
}

#[test]
fn the_security_object_never_counts() {
    let links = links("</0/1>,</0>,</3/0>");
    assert_eq!(announced(&links), [(3, vec![0])]);
    assert!(!links.announces(&Path::object(0)));
    assert_eq!(links.version_of(0), None);
    assert_eq!(others(&links), ["</0/1>", "</0>"]);
}

#[test]
fn a_list_without_objects_is_a_list() {
    assert_eq!(announced(&links("</>;rt=\"oma.lwm2m\"")), []);
    assert!(!links("</dev/foo>").announces(&Path::ROOT));
}

#[test]
fn the_examples_of_rfc_6690_are_kept_aside_whole() {
    let list = "</sensors>;ct=40;title=\"Sensor Index\",</sensors/temp>;rt=\"temperature-c\";if=\"sensor\",<http://www.example.com/sensors/t123>;anchor=\"/sensors/temp\";rel=\"describedby\",</t>;title=\"a \\\"b\\\", c\"";
    let parsed: Vec<_> = Links::new(list)
        .collect::<Result<_, _>>()
        .expect("links of the RFC");
    let targets: Vec<_> = parsed.iter().filter_map(|link| link.target).collect();
    assert_eq!(
        targets,
        [
            "/sensors",
            "/sensors/temp",
            "http://www.example.com/sensors/t123",
            "/t"
        ]
    );
    let attributes: Vec<_> = parsed[0]
        .attributes()
        .map(|attribute| (attribute.name, attribute.value))
        .collect();
    assert_eq!(
        attributes,
        [("ct", Some("40")), ("title", Some("Sensor Index"))]
    );
    assert_eq!(others(&links(list)).len(), 4);
}

#[test]
fn an_empty_list_is_told_from_one_without_links() {
    for list in ["", " ", ",", "\r\n,\0"] {
        assert_eq!(refusal(list.as_bytes()), LinkError::Empty, "{list:?}");
    }
    assert_eq!(refusal(b" hello, world"), LinkError::NoLink { offset: 1 });
    assert_eq!(refusal(b"lwm2m=\"1.0\","), LinkError::NoLink { offset: 0 });
}

#[test]
fn a_cut_list_is_refused_with_the_place() {
    assert_eq!(refusal(b"</1/0>,</3/0"), LinkError::Unclosed { offset: 7 });
    assert_eq!(refusal(b"</1/0,</3/0>"), LinkError::Unclosed { offset: 0 });
    assert_eq!(
        refusal(b"</1/0>,</3\xff>"),
        LinkError::NotUtf8 { offset: 10 }
    );
    assert_eq!(
        LinkError::Unclosed { offset: 7 }.to_string(),
        "object list has no '>' for the '<' at byte 7, expected links such as </3/0>"
    );
}

#[test]
fn the_number_of_links_and_bytes_is_bounded() {
    let many = "</3/0>,".repeat(MAX_LINKS);
    assert_eq!(announced(&links(&many)), [(3, vec![0])]);
    let error = refusal(format!("{many}</4/0>").as_bytes());
    assert_eq!(
        (error, error.coap_code()),
        (LinkError::TooManyLinks { offset: many.len() }, 0x8d)
    );
    assert_eq!(refusal(&vec![b' '; MAX_BYTES + 1]), LinkError::TooLong);
}

#[test]
fn a_list_of_twelve_objects_costs_less_than_a_kilobyte() {
    let links = links(WAKAAMA_1_1);
    let bytes = size_of::<ObjectLinks>()
        + links.raw.len()
        + size_of_val(&*links.objects)
        + size_of_val(&*links.instances)
        + size_of_val(&*links.content_formats)
        + size_of_val(&*links.other);
    assert!(bytes < 512, "{bytes}");
}

fn interner(capacity: usize) -> LinkInterner {
    LinkInterner::new(capacity, [1, 2])
}

#[test]
fn the_same_list_is_kept_once() {
    let mut interner = interner(8);
    let first = interner
        .intern(ANJAY_1_0.as_bytes(), LwM2mVersion::V1_0)
        .expect("a good list");
    let second = interner
        .intern(ANJAY_1_0.as_bytes(), LwM2mVersion::V1_0)
        .expect("a good list");
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(interner.len(), 1);
}

#[test]
fn the_same_text_under_another_version_is_another_list() {
    let mut interner = interner(8);
    let first = interner
        .intern(b"</3/0>", LwM2mVersion::V1_0)
        .expect("a good list");
    let second = interner
        .intern(b"</3/0>", LwM2mVersion::V1_1)
        .expect("a good list");
    assert_ne!(first.version_of(3), second.version_of(3));
}

#[test]
fn lists_nobody_holds_make_room() {
    let mut interner = interner(8);
    let kept = interner
        .intern(b"</3/0>", LwM2mVersion::V1_1)
        .expect("a good list");
    for instance in 0..100 {
        interner
            .intern(format!("</4/{instance}>").as_bytes(), LwM2mVersion::V1_1)
            .expect("a good list");
    }
    assert!(interner.len() <= 8);
    let again = interner
        .intern(b"</3/0>", LwM2mVersion::V1_1)
        .expect("a good list");
    assert!(Arc::ptr_eq(&kept, &again));
}

#[test]
fn when_all_lists_are_held_further_ones_are_handed_out_unshared() {
    let mut interner = interner(4);
    let held: Vec<_> = (0..10)
        .map(|instance| {
            interner
                .intern(format!("</4/{instance}>").as_bytes(), LwM2mVersion::V1_1)
                .expect("a good list")
        })
        .collect();
    assert_eq!(held.len(), 10);
    assert_eq!((interner.len(), interner.unshared()), (4, 6));
}

#[test]
fn a_very_long_list_is_handed_out_unshared() {
    let mut interner = interner(4);
    let list = "</3/0>,".repeat(3000);
    let links = interner
        .intern(list.as_bytes(), LwM2mVersion::V1_1)
        .expect("a good list");
    assert!(links.announces(&Path::instance(3, 0)));
    assert_eq!((interner.len(), interner.unshared()), (0, 1));
}

#[test]
fn a_list_that_is_refused_is_not_kept() {
    let mut interner = interner(4);
    assert_eq!(
        interner.intern(b"</3/0", LwM2mVersion::V1_1),
        Err(LinkError::Unclosed { offset: 0 })
    );
    assert!(interner.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_accepted_or_refused_with_a_short_diagnostic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(error) = ObjectLinks::parse(&bytes, LwM2mVersion::V1_2) {
            prop_assert!(error.to_string().len() <= 100);
        }
    }

    #[test]
    fn text_that_looks_like_links_never_panics_and_nothing_gets_lost(list in "([</>;,= \"\\\\]|ver|ct|rt|oma.lwm2m|[0-9]{1,5}|ż){0,60}") {
        if let Ok(links) = ObjectLinks::parse(list.as_bytes(), LwM2mVersion::V1_2) {
            let listed = Links::new(&list).count();
            let named = links.objects().len() + links.instances.len() + links.other_links().len();
            prop_assert!(named <= listed * 2);
            for object in links.objects() {
                prop_assert!(links.announces(&Path::object(object.id)));
            }
        }
    }

    #[test]
    fn every_listed_instance_is_announced(ids in prop::collection::vec((1..=Path::MAX_ID, 0..=Path::MAX_ID), 1..50)) {
        let list: Vec<_> = ids.iter().map(|(object, instance)| format!("</{object}/{instance}>")).collect();
        let links = links(&list.join(","));
        for (object, instance) in ids {
            prop_assert!(links.announces(&Path::instance(object, instance)));
            prop_assert!(links.instances(object).any(|id| id == instance));
        }
        prop_assert_eq!(links.other_links().len(), 0);
    }
}
