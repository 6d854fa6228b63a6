//! The operations of a bootstrap server, on a tree.

use coap_lite::{RequestType, ResponseType};

use super::*;
use crate::client::tree::Record;

const URI: &str = "coap://127.0.0.1:5687";

fn request(method: RequestType, path: &str, body: Option<(u16, Vec<u8>)>) -> Request {
    let (content_format, payload) = body.map_or((None, Vec::new()), |(f, p)| (Some(f), p));
    Request {
        method,
        segments: path
            .split('/')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect(),
        query: Vec::new(),
        accept: None,
        content_format,
        observe: None,
        token: Vec::new(),
        payload,
    }
}

fn records(values: Vec<(&str, Value)>) -> Vec<Record> {
    let records = values.into_iter();
    records
        .map(|(path, value)| Record::new(path.parse().unwrap(), value))
        .collect()
}

fn security(instance: u16, short_id: i64) -> Vec<Record> {
    let at = |resource| Path::new(&[SECURITY, instance, resource]);
    vec![
        Record::new(at(0), "coaps://[::1]:5686".into()),
        Record::new(at(1), false.into()),
        Record::new(at(2), 0.into()),
        Record::new(at(3), b"me".as_slice().into()),
        Record::new(at(4), b"".as_slice().into()),
        Record::new(at(5), b"\x01\x02".as_slice().into()),
        Record::new(at(10), short_id.into()),
        Record::new(at(11), 7.into()),
    ]
}

fn server(instance: u16, short_id: i64) -> Vec<Record> {
    let at = |resource| Path::new(&[SERVER, instance, resource]);
    vec![
        Record::new(at(0), short_id.into()),
        Record::new(at(1), 77.into()),
        Record::new(at(6), true.into()),
        Record::new(at(7), "U".into()),
    ]
}

/// What a request is answered, as a code in the form of 2.04.
fn code(tree: &mut Tree, version: Version, request: &Request) -> String {
    let answer: Answer = match perform(tree, &abilities(version), request) {
        Ok((answer, _)) => answer,
        Err(refusal) => refusal.into(),
    };
    crate::client::dotted(answer.code)
}

fn write(tree: &mut Tree, format: u16, path: &str, records: &[Record]) -> String {
    let payload = encode(format, &path.parse().unwrap(), records).unwrap();
    let request = request(RequestType::Put, path, Some((format, payload)));
    code(tree, Version::V1_2, &request)
}

fn finish(tree: &mut Tree) -> String {
    code(tree, Version::V1_1, &request(RequestType::Post, "bs", None))
}

fn links(tree: &mut Tree, version: Version, path: &str) -> String {
    let mut discover = request(RequestType::Get, path, None);
    discover.accept = Some(formats::LINK_FORMAT);
    let (answer, _) = perform(tree, &abilities(version), &discover).unwrap();
    String::from_utf8(answer.payload).unwrap()
}

#[test]
fn a_configuration_in_any_format_makes_an_account() {
    for format in [
        formats::TLV,
        formats::JSON,
        formats::SENML_JSON,
        formats::SENML_CBOR,
        formats::LWM2M_CBOR,
    ] {
        let mut tree = blank_tree(URI);
        assert_eq!(
            write(&mut tree, format, "/0/1", &security(1, 123)),
            "2.04",
            "{format}"
        );
        assert_eq!(
            write(&mut tree, format, "/1/0", &server(0, 123)),
            "2.04",
            "{format}"
        );
        assert_eq!(finish(&mut tree), "2.04", "{format}");
        let accounts = server_accounts(&tree).unwrap();
        let account = Account {
            mode: Mode::PreSharedKey,
            address: "[::1]:5686".into(),
            identity: b"me".to_vec(),
            server_key: Vec::new(),
            secret: vec![1, 2],
            usage: 3,
            short_id: 123,
            lifetime: 77,
            hold_off: 7,
        };
        assert_eq!(accounts, [account], "{format}");
    }
}

#[test]
fn a_pack_is_the_same_in_one_body() {
    let mut tree = blank_tree(URI);
    let all = [security(3, 9), server(5, 9)].concat();
    let payload = encode(formats::SENML_CBOR, &Path::ROOT, &all).unwrap();
    let pack = Answer::content(formats::SENML_CBOR, payload);
    unpack(&mut tree, &abilities(Version::V1_2), &pack).unwrap();
    assert_eq!(server_accounts(&tree).unwrap()[0].short_id, 9);
    let half = encode(formats::SENML_CBOR, &Path::ROOT, &security(3, 9)).unwrap();
    let half = Answer::content(formats::SENML_CBOR, half);
    let refusal = unpack(&mut blank_tree(URI), &abilities(Version::V1_2), &half).unwrap_err();
    assert_eq!(refusal.code, ResponseType::NotAcceptable);
}

#[test]
fn discover_shows_versions_instances_and_whose_they_are() {
    let mut tree = blank_tree(URI);
    assert_eq!(
        links(&mut tree, Version::V1_1, "/"),
        "</>;lwm2m=1.1,</0/0>;uri=\"coap://127.0.0.1:5687\",</1>"
    );
    write(&mut tree, formats::TLV, "/0/1", &security(1, 123));
    write(&mut tree, formats::TLV, "/1/0", &server(0, 123));
    assert_eq!(
        links(&mut tree, Version::V1_1, "/"),
        "</>;lwm2m=1.1,</0/0>;uri=\"coap://127.0.0.1:5687\",\
         </0/1>;ssid=123;uri=\"coaps://[::1]:5686\",</1/0>;ssid=123"
    );
    assert_eq!(
        links(&mut tree, Version::V1_1, "/1"),
        "</>;lwm2m=1.1,</1/0>;ssid=123"
    );
    let old = links(&mut tree, Version::V1_0, "/0");
    assert!(old.starts_with("</>;lwm2m=\"1.0\",</0>;ver="), "{old}");
}

#[test]
fn deletes_leave_the_bootstrap_account() {
    let mut tree = blank_tree(URI);
    write(&mut tree, formats::TLV, "/0/1", &security(1, 123));
    write(&mut tree, formats::TLV, "/1/0", &server(0, 123));
    let mut delete = |path| {
        code(
            &mut tree,
            Version::V1_1,
            &request(RequestType::Delete, path, None),
        )
    };
    assert_eq!(delete("/0/0"), "4.00");
    assert_eq!(delete("/0/9"), "4.04");
    assert_eq!(delete("/0/1/5"), "4.00");
    assert_eq!(delete("/0"), "2.02");
    assert_eq!(delete("/"), "2.02");
    assert_eq!(delete("/1/0"), "4.04");
    assert!(bootstrap_account(&tree).is_some());
    assert_eq!(tree.objects[&SECURITY].instances.len(), 1);
}

#[test]
fn a_finish_is_refused_while_the_accounts_are_not_consistent() {
    let mut tree = blank_tree(URI);
    assert_eq!(finish(&mut tree), "4.06");
    assert_eq!(server_accounts(&tree), Err(AccountError::None));
    write(&mut tree, formats::TLV, "/0/1", &security(1, 123));
    assert_eq!(server_accounts(&tree), Err(AccountError::Server(1)));
    write(&mut tree, formats::TLV, "/1/4", &server(4, 124));
    assert_eq!(finish(&mut tree), "4.06");
    write(&mut tree, formats::TLV, "/1/5", &server(5, 123));
    assert_eq!(server_accounts(&tree), Err(AccountError::Security(4)));
    code(
        &mut tree,
        Version::V1_1,
        &request(RequestType::Delete, "/1/4", None),
    );
    assert_eq!(finish(&mut tree), "2.04");
    for (value, error) in [
        (("/0/1/0", Value::from("coap://h:1")), AccountError::Uri(1)),
        (("/0/1/5", Value::Opaque(Vec::new())), AccountError::Keys(1)),
        (("/0/1/2", Value::from(9)), AccountError::Mode(1, 9)),
    ] {
        let mut tree = tree.clone();
        assert_eq!(
            write(
                &mut tree,
                formats::SENML_CBOR,
                value.0,
                &records(vec![value])
            ),
            "2.04"
        );
        assert_eq!(server_accounts(&tree), Err(error));
    }
}

#[test]
fn reads_are_of_the_server_object_only_and_writes_of_what_is_there() {
    let mut tree = blank_tree(URI);
    write(&mut tree, formats::TLV, "/1/0", &server(0, 123));
    let read = request(RequestType::Get, "/1", None);
    assert_eq!(code(&mut tree, Version::V1_1, &read), "2.05");
    assert_eq!(code(&mut tree, Version::V1_0, &read), "4.05");
    let security = request(RequestType::Get, "/0/0", None);
    assert_eq!(code(&mut tree, Version::V1_1, &security), "4.05");
    let body = |format, bytes: &[u8]| Some((format, bytes.to_vec()));
    for (path, body, expected) in [
        ("/77/0", body(formats::TLV, b""), "4.04"),
        ("/0/0/99", body(formats::TEXT, b"1"), "4.04"),
        ("/1/0", body(formats::TEXT, b"1"), "4.15"),
        ("/1/0", body(60_000, b"1"), "4.15"),
        ("/1/0", body(formats::TLV, b"\xC8"), "4.00"),
        ("/1/0/1", body(formats::TEXT, b"later"), "4.00"),
        ("/1/0/1", body(formats::TEXT, b"5"), "2.04"),
    ] {
        let write = request(RequestType::Put, path, body);
        assert_eq!(code(&mut tree, Version::V1_1, &write), expected, "{path}");
    }
    let lifetime = tree.get(&Path::new(&[SERVER, 0, 1]));
    assert_eq!(lifetime, Some(&Value::Integer(5)));
}

#[test]
fn a_write_of_an_instance_replaces_it() {
    let mut tree = blank_tree(URI);
    write(&mut tree, formats::TLV, "/0/1", &security(1, 123));
    write(&mut tree, formats::TLV, "/0/1", &security(1, 123)[..3]);
    assert_eq!(tree.get(&Path::new(&[SECURITY, 1, 10])), None);
    // A resource that the device does not know is passed over.
    let mut strange = b"\xC1\x01\x05\xC1\xF0\x01".to_vec();
    strange.extend(b"\xC1\x00\x07");
    let unknown = request(RequestType::Put, "/1/2", Some((formats::TLV, strange)));
    assert_eq!(code(&mut tree, Version::V1_1, &unknown), "2.04");
    assert_eq!(
        tree.get(&Path::new(&[SERVER, 2, 0])),
        Some(&Value::Integer(7))
    );
}

#[test]
fn keys_of_every_kind_go_into_an_account_and_come_out_of_it() {
    use openssl::pkey::PKey;

    use crate::client::ClientSecurity;
    use crate::dtls::{Login, Trust, double};

    let key = double::new_key();
    let certificate = double::certificate("device", &key);
    let public = key.public_key_to_der().unwrap();
    let trust = Trust::PublicKey(PKey::public_key_from_der(&public).unwrap());
    for (login, trust) in [
        (Login::RawPublicKey(key.clone()), trust),
        (
            Login::Certificate {
                certificate: certificate.clone(),
                issuers: Vec::new(),
                key: key.clone(),
            },
            Trust::Certificate {
                usage: 3,
                certificate,
                anchors: Vec::new(),
            },
        ),
    ] {
        let mut security = ClientSecurity::new(login.clone());
        security.trust = trust.clone();
        let mut tree = blank_tree(URI);
        let values = factory_values("coaps://h:1", Some(&security)).unwrap();
        for (resource, value) in values {
            assert!(tree.set(&Path::new(&[SECURITY, 0, resource]), value));
        }
        let account = bootstrap_account(&tree).unwrap();
        let read = super::login(&account, None).unwrap().unwrap();
        assert_eq!(read.login.mode(), login.mode());
        match (read.login, read.trust, trust) {
            (Login::RawPublicKey(own), Trust::PublicKey(server), Trust::PublicKey(told)) => {
                assert!(own.public_eq(&key) && server.public_eq(&told));
            }
            (
                Login::Certificate { key: own, .. },
                Trust::Certificate { certificate, .. },
                Trust::Certificate {
                    certificate: told, ..
                },
            ) => {
                assert!(own.public_eq(&key));
                assert_eq!(certificate.to_der().unwrap(), told.to_der().unwrap());
            }
            _ => panic!("another kind of trust"),
        }
    }
}
