//! Answers to Discover.

use super::*;
use crate::proto::lwm2m::Version;

const ANJAY: &str = "</33605/5>,</33605/5/0>,</33605/5/1>,</33605/5/2>,</33605/5/3>;dim=2,</33605/5/4>;dim=0,</33605/5/5>,</33605/5/6>,</33605/5/7>,</33605/5/9>,</33605/5/10>,</33605/5/11>;dim=2,</33605/5/12>;pmin=2;pmax=20;gt=10;lt=2.5;st=0.5,</33605/5/13>,</33605/5/14>,</33605/5/15>,</33605/5/16>,</33605/5/17>,</33605/5/18>,</33605/5/19>,</33605/5/20>,</33605/5/21>,</33605/5/22>;dim=0,</33605/5/23>";

fn answer(body: &str, base: &str) -> DiscoverAnswer {
    DiscoverAnswer::parse(body.as_bytes(), &path(base), None).expect(body)
}

fn link<'a>(answer: &'a DiscoverAnswer, at: &str) -> &'a DiscoveredLink {
    let found = answer.links.iter().find(|link| link.path == path(at));
    found.expect("the link")
}

// V01 to V04, T01 to T04.
#[test]
fn anjay_lists_resources_with_dimensions_and_attributes() {
    let answer = answer(ANJAY, "/33605/5");
    assert_eq!(answer.links.len(), 24);
    assert_eq!(answer.other.len(), 0);
    assert_eq!(link(&answer, "/33605/5/3").dimension, Some(2));
    assert_eq!(link(&answer, "/33605/5/4").dimension, Some(0));
    assert_eq!(
        link(&answer, "/33605/5/12").notification,
        attributes(&["pmin=2", "pmax=20", "gt=10", "lt=2.5", "st=0.5"])
    );
    assert!(link(&answer, "/33605/5/13").notification.is_empty());
}

#[test]
fn an_object_has_a_version_and_quotes_make_no_difference() {
    let answer = answer(
        "</3>;ver=\"1.2\", </3/0>;pmax=\"65\";pmin=5,</3/0/6>;dim=3",
        "/3",
    );
    assert_eq!(link(&answer, "/3").version, Some(Version::new(1, 2)));
    assert_eq!(
        link(&answer, "/3/0").notification,
        attributes(&["pmin=5", "pmax=65"])
    );
}

#[test]
fn the_answers_to_a_bootstrap_discover_are_read() {
    let scripted = answer("lwm2m=\"1.0\",</0>,</0/1>", "/0");
    assert_eq!(scripted.lwm2m, Some(Version::V1_0));
    assert_eq!(scripted.links.len(), 2);
    let anjay = answer(
        "</>;lwm2m=1.1,</0>,</0/1>;ssid=1;uri=\"coap://127.0.0.1:5783\",</1/1>;ssid=1,</10>;ver=1.1",
        "/",
    );
    assert_eq!(anjay.lwm2m, Some(Version::new(1, 1)));
    let security = link(&anjay, "/0/1");
    assert_eq!(security.short_server_id, Some(1));
    assert_eq!(
        security.server_uri.as_deref(),
        Some("coap://127.0.0.1:5783")
    );
    assert_eq!(anjay.other.len(), 0);
}

#[test]
fn an_alternate_path_is_taken_off() {
    let body = b"</lwm2m/3>,</lwm2m/3/0>,</3/1>,</lwm2mx/3>";
    let answer = DiscoverAnswer::parse(body, &path("/3"), Some("/lwm2m")).expect("an answer");
    let found: Vec<_> = answer.links.iter().map(|link| link.path).collect();
    assert_eq!(found, paths(&["/3", "/3/0"]));
    assert_eq!(answer.other, ["</3/1>".into(), "</lwm2mx/3>".into()]);
}

#[test]
fn what_does_not_belong_is_kept_aside() {
    let answer = answer(
        "</3>,</4>,</a>;x=1,text,</3/0>;pmin=soon;foo;dim=-1;uri",
        "/3",
    );
    assert_eq!(answer.links.len(), 2);
    assert_eq!(
        answer.other,
        ["</4>".into(), "</a>;x=1".into(), "text".into()]
    );
    let odd = link(&answer, "/3/0");
    assert!(odd.notification.is_empty());
    assert_eq!(
        odd.other,
        [
            ("pmin".into(), Some("soon".into())),
            ("foo".into(), None),
            ("dim".into(), Some("-1".into())),
            ("uri".into(), None)
        ]
    );
}

#[test]
fn an_answer_that_is_no_list_is_refused_with_the_reason() {
    let parse = |body: &[u8]| DiscoverAnswer::parse(body, &path("/3"), None);
    assert_eq!(parse(b""), Ok(DiscoverAnswer::default()));
    for (body, start) in [
        (
            &b"</3>,</3/0"[..],
            "answer to Discover: object list has no '>'",
        ),
        (b"</3>\xff", "answer to Discover: object list is not UTF-8"),
        (
            &[b','; 65_537],
            "answer to Discover: object list has more bytes",
        ),
        (
            &b"</3>,".repeat(4_097),
            "answer to Discover: object list has more than 4096 links",
        ),
    ] {
        let error = parse(body).expect_err("refused").to_string();
        assert!(error.starts_with(start), "{error}");
    }
}
