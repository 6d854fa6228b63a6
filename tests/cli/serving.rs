use std::fs;
use std::net::{TcpListener, UdpSocket};

use crate::program::{Serving, rookery, run};

#[test]
fn development_form_needs_no_token_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    let (status, about) = serving.get("/api/v1/server", None);
    assert_eq!(status, 200);
    assert!(about.contains("\"allowUnknown\":true"), "{about}");
    assert!(
        serving.announced.contains("coap://127.0.0.1:"),
        "{}",
        serving.announced
    );
    assert_eq!(serving.get("/readyz", None).0, 200);
}

#[test]
fn production_form_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &[]);
    assert_eq!(serving.get("/api/v1/devices", None).0, 401);
    assert_eq!(serving.get("/metrics", None).0, 200);
}

#[test]
fn sigterm_ends_the_server_in_order() {
    for signal in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let mut serving = Serving::start(directory.path(), &["--dev"]);
        serving.signal(signal);
        assert_eq!(serving.wait(), 0, "{signal}");
        serving.wait_for_log("stopped");
        let mut left: Vec<_> = fs::read_dir(directory.path().join("data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "dtls",
                "dtls-sessions.key",
                "packages",
                "rookery.redb",
                "state"
            ]
        );
    }
}

#[test]
fn sighup_applies_log_levels_and_says_what_takes_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("r.toml");
    fs::write(&file, "[log]\nlevel = \"info\"\n").unwrap();
    let serving = Serving::start(directory.path(), &["--config", "r.toml"]);
    fs::write(
        &file,
        "[log]\nlevel = \"info,rookery=debug\"\n[api]\nmax_body = 2048\n",
    )
    .unwrap();
    serving.signal("HUP");
    serving.wait_for_log("log.level applied");
    serving.wait_for_log("takes a restart");
    serving.wait_for_log("tokens reloaded");
    serving.wait_for_log("object definitions reloaded");
    fs::write(&file, "[log]\nlevl = \"info\"\n").unwrap();
    serving.signal("HUP");
    serving.wait_for_log("did you mean log.level?");
    assert_eq!(
        serving.get("/livez", None).0,
        200,
        "a faulty file stops nothing"
    );
}

#[test]
fn a_port_in_use_is_named_with_what_to_change() {
    let directory = tempfile::tempdir().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let http = tcp.local_addr().unwrap().to_string();
    let coap = udp.local_addr().unwrap().to_string();
    let serve = |variable: &str, address: &str| {
        let mut serve = rookery(directory.path());
        serve
            .arg("serve")
            .env("ROOKERY_LISTEN__COAP", "")
            .env("ROOKERY_LISTEN__COAPS", "")
            .env("ROOKERY_LISTEN__BOOTSTRAP_COAP", "127.0.0.1:0")
            .env("ROOKERY_LISTEN__BOOTSTRAP_COAPS", "")
            .env("ROOKERY_LISTEN__HTTP", "");
        run(serve.env(variable, address))
    };
    for (variable, address) in [
        ("ROOKERY_LISTEN__HTTP", &http),
        ("ROOKERY_LISTEN__COAP", &coap),
    ] {
        let (code, _, error) = serve(variable, address);
        assert_eq!(code, 1);
        assert!(
            error.contains(address.as_str()) && error.contains(variable),
            "{error}"
        );
        assert!(error.contains("in use"), "{error}");
    }
}

#[test]
fn a_data_directory_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let _serving = Serving::start(directory.path(), &[]);
    let mut second = rookery(directory.path());
    second.args(["serve", "--data", "data"]);
    second
        .env("ROOKERY_LISTEN__COAP", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__COAPS", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__BOOTSTRAP_COAP", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__BOOTSTRAP_COAPS", "127.0.0.1:0")
        .env("ROOKERY_LISTEN__HTTP", "127.0.0.1:0");
    let (code, _, error) = run(&mut second);
    assert_eq!(code, 1);
    assert!(
        error.contains("data") && error.contains("in use by another rookery"),
        "{error}"
    );
}
