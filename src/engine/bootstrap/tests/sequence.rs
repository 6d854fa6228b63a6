//! What devices are told, and in which order.

use super::*;

fn bootstrapped(configuration: Configuration, device: &mut Device) -> World {
    let mut world = World::new(configuration);
    let request = device.bootstrap_request();
    world.talk(device, request);
    assert_eq!(world.ends(), [End::Finished], "{:?}", world.notes);
    assert!(device.finished);
    assert_eq!(world.open(), 0);
    world
}

#[test]
fn b01_lwm2m_only_a_device_is_told_its_server_and_finishes() {
    let mut device = Device::new(1);
    let world = bootstrapped(one_server(), &mut device);
    assert_eq!(
        device.asked(),
        ["GET /", "PUT /0/1", "PUT /1/0", "POST /bs"]
    );
    assert_eq!(
        device.text("/0/0/0"),
        "coap://bootstrap",
        "its account stays"
    );
    assert_eq!(
        world.notes,
        [
            "info: receives success response for:  BootstrapDiscoverRequest  / 2.05",
            "info: receives success response for:  BootstrapWriteRequest  /0/1 2.04",
            "info: receives success response for:  BootstrapWriteRequest  /1/0 2.04",
            "info: receives success response for bootstrap finish.",
            "info: Bootstrap session finished.",
        ]
    );
}

#[test]
fn every_field_of_the_profile_reaches_the_device() {
    let mut device = Device::new(1);
    let mut configuration = one_server();
    configuration.servers[0].account = Account {
        mode: AccountMode::Psk,
        identity: b"me".as_slice().into(),
        secret: vec![0xab; 16].into(),
        ..no_sec("coaps://localhost:5686")
    };
    bootstrapped(configuration, &mut device);
    let expected = [
        ("/0/1/0", "coaps://localhost:5686"),
        ("/0/1/1", "false"),
        ("/0/1/2", "0"),
        ("/0/1/3", "6d65"),
        ("/0/1/5", "abababababababababababababababab"),
        ("/0/1/10", "123"),
        ("/0/1/11", "7"),
        ("/0/1/12", "90"),
        ("/1/0/0", "123"),
        ("/1/0/1", "300"),
        ("/1/0/2", "1"),
        ("/1/0/6", "true"),
        ("/1/0/7", "U"),
    ];
    for (path, value) in expected {
        assert_eq!(device.text(path), value, "{path}");
    }
}

#[test]
fn both_the_account_of_the_bootstrap_server_is_written_in_its_place() {
    let mut device = Device::new(1);
    let configuration = Configuration {
        bootstrap: Some(bootstrap_account()),
        ..one_server()
    };
    bootstrapped(configuration, &mut device);
    let asked = ["GET /", "PUT /0/0", "PUT /0/1", "PUT /1/0", "POST /bs"];
    assert_eq!(device.asked(), asked);
    assert_eq!(device.text("/0/0/0"), "coap://localhost:5687");
    assert_eq!(device.text("/0/0/1"), "true");
}

#[test]
fn bootstrap_only_writes_nothing_but_that_account() {
    let mut device = Device::new(1);
    let configuration = Configuration {
        bootstrap: Some(bootstrap_account()),
        ..Configuration::default()
    };
    bootstrapped(configuration, &mut device);
    assert_eq!(device.asked(), ["GET /", "PUT /0/0", "POST /bs"]);
}

#[test]
fn none_of_the_servers_leaves_the_device_as_it_is() {
    let mut device = Device::new(1);
    device.account(1, Some(123), "coap://there");
    device.server(0, 123);
    bootstrapped(Configuration::default(), &mut device);
    assert_eq!(device.asked(), ["GET /", "POST /bs"]);
    assert_eq!(device.text("/0/1/0"), "coap://there");
}

#[test]
fn three_sections_get_instances_of_their_own() {
    let mut device = Device::new(1);
    let configuration = Configuration {
        servers: vec![
            server(1, "coap://a:1"),
            server(2, "coap://b:2"),
            server(3, "coap://c:3"),
        ],
        ..Configuration::default()
    };
    bootstrapped(configuration, &mut device);
    for (instance, id) in [(1, "1"), (2, "2"), (3, "3")] {
        assert_eq!(device.text(&format!("/0/{instance}/10")), id);
        assert_eq!(device.text(&format!("/1/{}/0", instance - 1)), id);
    }
}

#[test]
fn b11_a_short_server_id_keeps_its_instances_and_new_ones_go_above() {
    let mut device = Device::new(1);
    device.account(5, Some(123), "coap://old");
    device.server(3, 123);
    device.account(7, Some(9), "coap://other");
    device.server(1, 9);
    let configuration = Configuration {
        servers: vec![server(123, "coap://new"), server(77, "coap://more")],
        ..Configuration::default()
    };
    bootstrapped(configuration, &mut device);
    assert_eq!(
        device.asked(),
        [
            "GET /",
            "DELETE /0/5",
            "DELETE /1/3",
            "PUT /0/5",
            "PUT /1/3",
            "PUT /0/8",
            "PUT /1/4",
            "POST /bs"
        ]
    );
    assert_eq!(device.text("/0/5/0"), "coap://new");
    assert_eq!(device.text("/0/7/0"), "coap://other", "other accounts stay");
    assert_eq!(
        device.text("/1/3/5"),
        "None",
        "what was there before is gone"
    );
}

#[test]
fn b07_server_instances_without_short_server_id_are_read() {
    let mut device = Device::new(1);
    device.hides_ids = true;
    device.account(1, Some(123), "coap://old");
    device.server(4, 123);
    bootstrapped(one_server(), &mut device);
    let asked = [
        "GET /",
        "GET /1/4",
        "DELETE /0/1",
        "DELETE /1/4",
        "PUT /0/1",
        "PUT /1/4",
        "POST /bs",
    ];
    assert_eq!(device.asked(), asked);
}

#[test]
fn b03_b04_values_are_written_in_the_format_that_the_device_prefers() {
    let formats = [
        (None, content_format::TLV),
        (Some("pct=11542"), content_format::TLV),
        (Some("pct=112"), content_format::SENML_CBOR),
        (Some("pct=110"), content_format::SENML_JSON),
        (Some("pct=11544"), content_format::LWM2M_CBOR),
        (Some("pct=11543"), content_format::JSON),
    ];
    for (preferred, format) in formats {
        let mut device = Device::new(1);
        let mut world = World::new(one_server());
        let queries: Vec<_> = ["ep=dev"].into_iter().chain(preferred).collect();
        let request = device.request(Code::POST, "bs", &queries);
        world.talk(&mut device, request);
        assert_eq!(world.ends(), [End::Finished], "{preferred:?}");
        let writes = device
            .requests
            .iter()
            .filter(|(code, ..)| *code == Code::PUT);
        let written: Vec<_> = writes.filter_map(|(.., format)| *format).collect();
        assert_eq!(written, [format, format]);
        assert_eq!(device.text("/0/1/0"), "coap://localhost:5685");
    }
}

#[test]
fn b06_further_parameters_of_the_request_are_told() {
    let mut device = Device::new(1);
    let mut world = World::new(one_server());
    let request = device.request(Code::POST, "bs", &["ep=dev", "site=7", "pct=112"]);
    world.talk(&mut device, request);
    assert_eq!(*world.asked[0].additional, [("site".into(), "7".into())]);
    assert_eq!(&*world.asked[0].endpoint, "dev");
}

#[test]
fn b12_b14_other_objects_are_emptied_and_written() {
    let mut device = Device::new(1);
    let owner = Path::resource(2, 0, 3);
    device
        .values
        .insert(Path::resource(2, 4, 3), Value::Integer(1));
    let configuration = Configuration {
        cleared: vec![2],
        objects: vec![ObjectInstance {
            path: Path::instance(2, 0),
            records: vec![Record {
                path: owner,
                time: None,
                value: Some(Value::Integer(123)),
            }],
        }],
        ..one_server()
    };
    bootstrapped(configuration, &mut device);
    let asked = [
        "GET /",
        "DELETE /2",
        "PUT /0/1",
        "PUT /1/0",
        "PUT /2/0",
        "POST /bs",
    ];
    assert_eq!(device.asked(), asked);
    assert_eq!(device.values.get(&owner), Some(&Value::Integer(123)));
}

#[test]
fn b13_a_device_that_cannot_tell_what_it_has_is_emptied() {
    for code in [
        Code::METHOD_NOT_ALLOWED,
        Code::NOT_FOUND,
        Code::NOT_IMPLEMENTED,
    ] {
        let mut device = Device::new(1);
        device.refuses.push((Code::GET, Path::ROOT, code));
        device.account(3, Some(9), "coap://old");
        device.server(0, 9);
        bootstrapped(one_server(), &mut device);
        let asked = [
            "GET /",
            "DELETE /0",
            "DELETE /1",
            "PUT /0/1",
            "PUT /1/0",
            "POST /bs",
        ];
        assert_eq!(device.asked(), asked);
        assert_eq!(device.text("/0/0/0"), "coap://bootstrap");
    }
}

#[test]
fn lwm2m_1_0_gets_the_binding_as_it_is_written() {
    let mut device = Device::new(1);
    device.version = "1.0";
    bootstrapped(one_server(), &mut device);
    assert_eq!(device.text("/1/0/7"), "UQ");
}

#[test]
fn certificates_go_out_in_blocks() {
    let mut device = Device::new(1);
    let mut configuration = one_server();
    let account = &mut configuration.servers[0].account;
    account.identity = vec![7; 1_500].into();
    account.server_key = vec![8; 1_300].into();
    bootstrapped(configuration, &mut device);
    assert_eq!(device.text("/0/1/3").len(), 3_000);
    assert_eq!(device.text("/0/1/4").len(), 2_600);
}

#[test]
fn requests_of_real_clients_are_understood() {
    // wakaama with SenML JSON, Anjay with SenML CBOR, Anjay as a 1.0 client.
    let requests = [
        "440264d0d064702fb262734965703d77616b2d6273077063743d313130",
        "4802da82a2ae855a2da7eaffb262734b65703d616e6a61792d6273077063743d313132",
        "480258581a6bebf492c51bdbb262734d0165703d616e6a61792d6273312e30",
    ];
    for (request, endpoint) in requests
        .into_iter()
        .zip(["wak-bs", "anjay-bs", "anjay-bs1.0"])
    {
        let bytes = data_encoding::HEXLOWER.decode(request.as_bytes()).unwrap();
        let mut device = Device::new(1);
        let mut world = World::new(one_server());
        world.talk(&mut device, bytes);
        assert_eq!(&*world.asked[0].endpoint, endpoint);
        assert_eq!(world.ends(), [End::Finished]);
    }
}

/// B25 to B28: the context is written, and the account that is protected with it says where it is.
#[test]
fn b25_to_b28_accounts_are_linked_to_their_oscore_contexts() {
    let context = |instance, id: &[u8]| ObjectInstance {
        path: Path::instance(21, instance),
        records: vec![Record {
            path: Path::resource(21, instance, 1),
            time: None,
            value: Some(Value::Opaque(id.into())),
        }],
    };
    for format in ["pct=11542", "pct=112", "pct=110", "pct=11544"] {
        let mut configuration = Configuration {
            bootstrap: Some(bootstrap_account()),
            objects: vec![context(0, b"bs"), context(3, b"server")],
            ..one_server()
        };
        configuration.servers[0].account.oscore = Some(3);
        if let Some(account) = &mut configuration.bootstrap {
            account.oscore = Some(0);
        }
        let mut device = Device::new(1);
        let mut world = World::new(configuration);
        let request = device.request(Code::POST, "bs", &["ep=dev", format]);
        world.talk(&mut device, request);
        assert_eq!(world.ends(), [End::Finished], "{format}: {:?}", world.notes);
        let link = |path: &str| device.values.get(&path.parse::<Path>().unwrap()).cloned();
        assert_eq!(link("/0/0/17"), Some(Value::Objlnk(21, 0)), "{format}");
        assert_eq!(link("/0/1/17"), Some(Value::Objlnk(21, 3)), "{format}");
        assert_eq!(device.text("/21/3/1"), "736572766572");
    }
}

#[test]
fn an_account_without_oscore_has_no_link() {
    let mut device = Device::new(1);
    bootstrapped(one_server(), &mut device);
    assert_eq!(device.text("/0/1/17"), "None");
}
