//! Fleets whose devices know nothing but a bootstrap server.

mod scripted_server;

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};
use scripted_server::{Script, ScriptedServer};
use serde_json::Value;

/// What devices are told: method, path, payload in TLV.
type Step = (RequestType, &'static str, Vec<u8>);

/// A bootstrap server that takes every device through the same steps.
struct BootstrapServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Endpoint names with the rest of the query.
    requests: HashMap<String, String>,
    /// Answers to the last step, by code.
    finished: HashMap<String, u32>,
    /// Answers to the Discover.
    links: Vec<String>,
}

struct Progress {
    step: usize,
    repeated: bool,
}

impl BootstrapServer {
    /// `repeats`: each last step is sent twice, as if its answer had been lost.
    fn start(steps: Vec<Step>, repeats: bool) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Some(Duration::from_millis(20));
        socket.set_read_timeout(patience).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(&socket, &steps, repeats, &stopped));
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn serve(socket: &UdpSocket, steps: &[Step], repeats: bool, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut devices: HashMap<SocketAddr, Progress> = HashMap::new();
    let mut buffer = [0; 2_048];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let packet = Packet::from_bytes(&buffer[..length]).unwrap();
        let send = |packet: Packet| drop(socket.send_to(&packet.to_bytes().unwrap(), peer));
        if let MessageClass::Request(_) = packet.header.code {
            let query: Vec<_> = packet
                .get_option(CoapOption::UriQuery)
                .unwrap()
                .iter()
                .collect();
            let query: Vec<_> = query
                .into_iter()
                .map(|q| String::from_utf8_lossy(q))
                .collect();
            let (name, rest) = query.split_last().unwrap();
            seen.requests
                .insert(name.clone().into_owned(), rest.join("&"));
            let mut answer = message(MessageType::Acknowledgement, packet.header.message_id);
            answer.set_token(packet.get_token().to_vec());
            answer.header.code = MessageClass::Response(ResponseType::Changed);
            send(answer);
            devices.insert(
                peer,
                Progress {
                    step: 0,
                    repeated: false,
                },
            );
            send(request(&steps[0], 0));
            continue;
        }
        let device = devices.get_mut(&peer).unwrap();
        assert_eq!(usize::from(packet.header.message_id), device.step + 1);
        if packet.payload.starts_with(b"</>") {
            seen.links
                .push(String::from_utf8_lossy(&packet.payload).into_owned());
        }
        if device.step + 1 < steps.len() {
            device.step += 1;
        } else if repeats && !device.repeated {
            device.repeated = true;
        } else {
            *seen.finished.entry(packet.header.get_code()).or_default() += 1;
            continue;
        }
        send(request(&steps[device.step], device.step));
    }
    seen
}

fn request((method, path, payload): &Step, number: usize) -> Packet {
    let mut packet = message(MessageType::Confirmable, number as u16 + 1);
    packet.header.code = MessageClass::Request(*method);
    packet.set_token(vec![7; 8]);
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        packet.add_option(CoapOption::UriPath, segment.into());
    }
    match method {
        RequestType::Get => packet.add_option(CoapOption::Accept, vec![40]),
        RequestType::Put => packet.add_option(CoapOption::ContentFormat, vec![0x2D, 0x16]),
        _ => {}
    }
    packet.payload.clone_from(payload);
    packet
}

fn message(kind: MessageType, mid: u16) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(kind);
    packet.header.message_id = mid;
    packet
}

fn tlv(values: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, value) in values {
        out.extend([0xC8, *id, value.len() as u8]);
        out.extend_from_slice(value);
    }
    out
}

/// Discover, an object that is none of bootstrap's, an account, the end.
fn steps(uri: &str, mode: u8) -> Vec<Step> {
    let security = [(0, uri.as_bytes()), (1, &[0]), (2, &[mode]), (10, &[123])];
    vec![
        (RequestType::Get, "/", Vec::new()),
        (RequestType::Delete, "/2", Vec::new()),
        (RequestType::Put, "/2/0", tlv(&[(0, &[3])])),
        (RequestType::Put, "/0/1", tlv(&security)),
        (RequestType::Put, "/1/0", tlv(&[(0, &[123]), (1, &[77])])),
        (RequestType::Post, "/bs", Vec::new()),
    ]
}

fn run(server: &BootstrapServer, flags: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["run", "--quiet", "--bootstrap", "--clients", "50"])
        .args(["--register-rate", "500", "--duration", "1"])
        .args(["--server", &server.address.to_string(), "--report"])
        .arg(&report)
        .args(flags)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap()
}

fn assert_ok(report: &Value, operation: &str) {
    let found = &report["operations"][operation];
    assert_eq!(
        (&found["ok"], &found["failed"]),
        (&50.into(), &0.into()),
        "{operation}: {report:#}"
    );
}

#[test]
fn devices_are_told_where_they_belong_and_live_there() {
    let home = ScriptedServer::start(Script::default());
    let server = BootstrapServer::start(steps(&format!("coap://{}", home.address()), 3), false);
    let report = run(&server, &["--update-every", "0.4"]);
    for operation in ["bootstrap", "register", "deregister"] {
        assert_ok(&report, operation);
    }
    assert!(report["operations"]["update"]["ok"].as_u64().unwrap() >= 50);
    for nothing in [
        "retransmissions",
        "malformed",
        "unmatched",
        "foreign",
        "duplicate_requests",
    ] {
        assert_eq!(report[nothing], 0, "{nothing}: {report:#}");
    }
    assert!(
        report["operations"]["bootstrap"]["latency_us"]["p99"]
            .as_u64()
            .unwrap()
            > 0
    );
    let seen = server.stop();
    assert_eq!(seen.requests["ep=sim-0000042"], "");
    assert_eq!((seen.requests.len(), seen.finished["2.04"]), (50, 50));
    assert!(
        seen.links[0].starts_with("</>;lwm2m=1.1,</0/0>;uri="),
        "{}",
        seen.links[0]
    );
    assert!(seen.links[0].ends_with("</3312/0>") || seen.links[0].contains("</3/0>"));
    let seen = home.stop();
    assert_eq!((seen.endpoints, seen.left), (50, 50));
    assert_eq!(seen.wrong, Vec::<String>::new());
}

#[test]
fn a_finish_that_comes_again_is_answered_again() {
    let home = ScriptedServer::start(Script::default());
    let server = BootstrapServer::start(steps(&format!("coap://{}", home.address()), 3), true);
    let report = run(&server, &["--update-every", "0"]);
    assert_ok(&report, "bootstrap");
    assert_ok(&report, "register");
    assert_eq!(report["duplicate_requests"], 50);
    assert_eq!(server.stop().finished["2.04"], 50);
}

#[test]
fn why_a_bootstrap_failed_is_in_the_report() {
    for (steps, error) in [
        // A certificate that no device of a fleet has, an address that cannot be reached, and half an account.
        (steps("coaps://127.0.0.1:1", 2), "bootstrap.inconsistent"),
        (
            steps("coap://192.0.2.1:5685", 3),
            "bootstrap.unusable_server",
        ),
        (
            [&steps("coap://127.0.0.1:1", 3)[..4], &steps("", 3)[5..]].concat(),
            "bootstrap.inconsistent",
        ),
    ] {
        let server = BootstrapServer::start(steps, false);
        let report = run(&server, &[]);
        assert_eq!(report["errors"][error], 50, "{report:#}");
        assert_eq!(report["operations"]["register"]["sent"], 0);
        assert_eq!(server.stop().finished["4.06"], 50);
    }
}
