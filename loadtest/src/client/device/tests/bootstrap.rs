//! From the bootstrap server to the LwM2M server, and back.

use super::*;
use crate::client::options::BootstrapOptions;

const TLV_SECURITY: &[u8] =
    b"\xC8\x00\x15coap://127.0.0.1:5685\xC1\x01\x00\xC1\x02\x03\xC1\x0A\x7B\xC1\x0B\x01";
const TLV_SERVER: &[u8] = b"\xC1\x00\x7B\xC1\x01\x4D\xC1\x06\x01\xC1\x07U";

fn bootstrapping(first: bool) -> ClientOptions {
    let server = "127.0.0.1:5687".parse().unwrap();
    ClientOptions {
        bootstrap: Some(BootstrapOptions {
            first,
            format: Some(formats::TLV),
            additional_attributes: vec![("x".into(), "y".into())],
            ..BootstrapOptions::new(server, None)
        }),
        ..options()
    }
}

impl Lab {
    /// The device's way to where it wants to go; what it says first there.
    fn travel(&mut self) -> (String, Packet) {
        let account = self.device.next_destination().expect("it goes somewhere");
        self.device.arrived(self.now);
        (account.address, self.next().unwrap())
    }

    fn is_told(&mut self) {
        assert_eq!(
            self.code(put("/0/1").body(formats::TLV, TLV_SECURITY)),
            "2.04"
        );
        assert_eq!(
            self.code(put("/1/0").body(formats::TLV, TLV_SERVER)),
            "2.04"
        );
        assert_eq!(self.code(post("/bs")), "2.04");
    }

    fn own(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.device.next_event()).collect()
    }
}

fn query_of(packet: &Packet) -> Vec<String> {
    let query = packet
        .get_option(CoapOption::UriQuery)
        .into_iter()
        .flatten();
    query
        .map(|part| String::from_utf8(part.clone()).unwrap())
        .collect()
}

#[test]
fn a_device_that_knows_its_bootstrap_server_only_is_told_where_it_belongs_and_registers_there() {
    let mut lab = Lab::new(bootstrapping(true));
    let (address, request) = lab.travel();
    assert_eq!(address, "127.0.0.1:5687");
    assert_eq!(path_of(&request), "bs");
    assert_eq!(query_of(&request), ["ep=lab", "pct=11542", "x=y"]);
    lab.answer(&request, ResponseType::Changed, None);
    let (code, links) = lab.asked(get("/").accept(formats::LINK_FORMAT));
    assert_eq!(code, "2.05");
    assert!(
        links.starts_with("</>;lwm2m=1.1,</0/0>;uri=\"coap://127.0.0.1:5687\",</1>,</3/0>"),
        "{links}"
    );
    lab.is_told();
    let (address, register) = lab.travel();
    assert_eq!(address, "127.0.0.1:5685");
    assert_eq!(path_of(&register), "rd");
    assert!(query_of(&register).contains(&"lt=77".to_owned()));
    lab.answer(&register, ResponseType::Created, Some("r1"));
    assert!(lab.device.registration().registered);
    assert_eq!(lab.device.counters().bootstrapped, 1);
    let told = Event::Bootstrapped(vec!["coap://127.0.0.1:5685".into()]);
    assert!(lab.own().contains(&told));
    // From now on the Security object is nobody's business.
    assert_eq!(lab.code(get("/0/1")), "4.01");
    assert_eq!(
        lab.code(put("/0/1").body(formats::TLV, TLV_SECURITY)),
        "4.01"
    );
}

#[test]
fn an_execute_of_1_x_9_makes_a_registered_device_leave_and_bootstrap() {
    let mut lab = Lab::new(bootstrapping(false));
    assert!(lab.device.registration().registered);
    assert_eq!(lab.code(post("/1/0/9")), "2.04");
    let left = lab.wait(10);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        left[0].header.code,
        MessageClass::Request(RequestType::Delete)
    );
    let (address, request) = lab.travel();
    assert_eq!(
        (address.as_str(), &*path_of(&request)),
        ("127.0.0.1:5687", "bs")
    );
    lab.answer(&request, ResponseType::Changed, None);
    let (_, links) = lab.asked(get("/").accept(formats::LINK_FORMAT));
    assert!(links.contains("</0/1>;ssid=123"), "{links}");
    lab.is_told();
    let (_, register) = lab.travel();
    assert_eq!(path_of(&register), "rd");
}

#[test]
fn without_a_bootstrap_account_the_execute_is_refused() {
    let mut lab = Lab::new(options());
    let refused = lab.asked(post("/1/0/9"));
    assert_eq!(
        refused,
        (
            "4.00".into(),
            "probably no bootstrap server configured".into()
        )
    );
}

#[test]
fn a_device_that_cannot_register_bootstraps_again() {
    let mut lab = Lab::new(bootstrapping(true));
    let (_, request) = lab.travel();
    lab.answer(&request, ResponseType::Changed, None);
    lab.is_told();
    let (_, mut register) = lab.travel();
    for attempt in 1..=5 {
        lab.answer(&register, ResponseType::Forbidden, None);
        assert!(lab.device.next_destination().is_none(), "attempt {attempt}");
        lab.now += 5_000;
        lab.device.tick(lab.now);
        if attempt < 5 {
            register = lab.next().unwrap();
            assert_eq!(path_of(&register), "rd");
        }
    }
    let (address, request) = lab.travel();
    assert_eq!(
        (address.as_str(), &*path_of(&request)),
        ("127.0.0.1:5687", "bs")
    );
}

#[test]
fn a_bootstrap_that_is_refused_or_comes_to_a_halt_is_tried_again() {
    let mut lab = Lab::new(bootstrapping(true));
    let (_, request) = lab.travel();
    lab.answer(&request, ResponseType::BadRequest, None);
    assert!(lab.device.next_destination().is_none());
    lab.now += 5_000;
    lab.device.tick(lab.now);
    let (_, request) = lab.travel();
    lab.answer(&request, ResponseType::Changed, None);
    assert_eq!(lab.code(post("/bs")), "4.06", "nothing was told");
    lab.now += 93_000;
    lab.device.tick(lab.now);
    assert!(
        lab.own()
            .contains(&Event::Failed(crate::client::Own::Bootstrap, None))
    );
    lab.now += 5_000;
    lab.device.tick(lab.now);
    assert_eq!(path_of(&lab.travel().1), "bs");
}

#[test]
fn a_server_that_cannot_be_reached_leads_back_to_the_bootstrap_server() {
    let mut lab = Lab::new(bootstrapping(true));
    let (_, request) = lab.travel();
    lab.answer(&request, ResponseType::Changed, None);
    lab.is_told();
    assert!(lab.device.next_destination().is_some());
    lab.device.lost("no such host".into(), lab.now);
    assert!(lab.own().contains(&Event::Lost("no such host".into())));
    lab.now += 5_000;
    lab.device.tick(lab.now);
    assert_eq!(lab.travel().0, "127.0.0.1:5687");
}

#[test]
fn values_from_the_factory_can_be_stated() {
    let mut options = bootstrapping(true);
    let path = "/0/0/11".parse().unwrap();
    options.bootstrap.as_mut().unwrap().factory_values = vec![(path, "30".into())];
    let mut lab = Lab::new(options);
    assert_eq!(lab.device.value("/0/0/11"), Some(30.into()));
    let (_, request) = lab.travel();
    lab.answer(&request, ResponseType::BadRequest, None);
    lab.now += 29_999;
    lab.device.tick(lab.now);
    assert!(lab.device.next_destination().is_none(), "it holds off");
    lab.now += 1;
    lab.device.tick(lab.now);
    assert!(lab.device.next_destination().is_some());
}
