//! Bootstrap of recorded clients in bytes: wakaama with SenML JSON, Anjay with SenML CBOR and as a 1.0
//! client, Bootstrap-Pack and the way back from it.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use coap_lite::{CoapOption, Packet};
use serde_json::{Value, json};

use crate::support::datagram::{CONTENT, CONTENT_FORMAT, Datagram, LINK_FORMAT, hex};
use crate::support::engine::Engine;
use crate::support::peer::Peer;
use crate::support::wait::until;

const CHANGED: u8 = 0x44;
const DELETED: u8 = 0x42;

const WAKAAMA: &str = "440264d0d064702fb262734965703d77616b2d6273077063743d313130";
const ANJAY: &str = "4802da82a2ae855a2da7eaffb262734b65703d616e6a61792d6273077063743d313132";
const ANJAY_1_0: &str = "480258581a6bebf492c51bdbb262734d0165703d616e6a61792d6273312e30";

/// What the device has is what wakaama told in the recording.
#[test]
fn the_recorded_wakaama_is_told_in_senml_json() {
    let discover = concat!(
        "</>;lwm2m=1.1,</0/0>,</0/1>;ssid=1;uri=\"coap://127.0.0.1:5783\",</1>;ver=1.1,",
        "</1/1>;ssid=1,</2/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</31024>;ver=1.0,</31024/10>"
    );
    let (server, writes) = bootstrapped(WAKAAMA, "wak-bs", discover);
    let expected = ["PUT /0/2 110", "PUT /1/2 110", "POST /bs"];
    assert_eq!(names(&writes), expected, "its other account stays");
    let security: Value = serde_json::from_slice(&writes[0].payload).expect("JSON");
    assert!(
        security.to_string().contains("\"coap://127.0.0.1:5685\""),
        "{security}"
    );
    server.has_finished("wak-bs");
}

#[test]
fn the_recorded_anjay_is_told_in_senml_cbor() {
    let discover = concat!(
        "</>;lwm2m=1.1,</0>,</0/1>;ssid=123;uri=\"coap://127.0.0.1:5783\",</1>,</1/1>;ssid=123,</2>,",
        "</3>,</3/0>,</4>,</4/0>,</9/1>,</10>;ver=1.1,</10/0>,</11>,</33605>"
    );
    let (server, asked) = bootstrapped(ANJAY, "anjay-bs", discover);
    let expected = [
        "DELETE /0/1",
        "DELETE /1/1",
        "PUT /0/1 112",
        "PUT /1/1 112",
        "POST /bs",
    ];
    assert_eq!(
        names(&asked),
        expected,
        "the instances of its server are kept"
    );
    server.has_finished("anjay-bs");
}

#[test]
fn the_recorded_anjay_of_lwm2m_1_0_is_told_in_tlv() {
    let discover = "lwm2m=\"1.0\",</0>,</0/1>";
    let (server, asked) = bootstrapped(ANJAY_1_0, "anjay-bs1.0", discover);
    let expected = ["PUT /0/2 11542", "PUT /1/0 11542", "POST /bs"];
    assert_eq!(names(&asked), expected);
    server.has_finished("anjay-bs1.0");
}

#[test]
fn a_pack_is_fetched_whole_and_one_that_cannot_be_had_leads_back_to_bs() {
    let server = Server::start("anjay-bspack");
    let mut device = Peer::at(server.address);
    let pack = "480136985b9e189e4c3ac642b662737061636b4d0265703d616e6a61792d62737061636b2170";
    let answer = device.exchange(&hex(pack));
    let packet = Packet::from_bytes(&answer).expect("CoAP");
    assert_eq!(answer[1], CONTENT);
    assert_eq!(packet.get_token(), hex("5b9e189e4c3ac642"));
    let block = packet.get_first_option(CoapOption::Block2).expect("blocks");
    assert_eq!(
        block[0] & 8,
        8,
        "there is more than three times the request"
    );
    // In a format that no pack is offered in.
    let tlv = Datagram::con(1, 0x0002)
        .token(b"t")
        .path("bspack")
        .query("ep=anjay-bspack")
        .option(17, &[0x2d, 0x16])
        .encode();
    assert_eq!(device.exchange(&tlv)[1], 0x86, "4.06");
    let request = Datagram::con(2, 0x0003)
        .token(b"u")
        .path("bs")
        .query("ep=anjay-bspack")
        .query("pct=112")
        .encode();
    assert_eq!(device.exchange(&request)[1], CHANGED);
    let asked = answer_all(&mut device, "</0/0>");
    assert_eq!(names(&asked).last().map(String::as_str), Some("POST /bs"));
    server.has_finished("anjay-bspack");
}

/// Nothing of a session outlives the server: the device is not answered any more, and begins again.
#[test]
fn a_restart_of_the_server_in_mid_session_costs_the_session_and_nothing_else() {
    let mut server = Server::start("wak-bs");
    let mut device = Peer::at(server.address);
    assert_eq!(device.exchange(&hex(WAKAAMA))[1], CHANGED);
    let discover = device.request();
    server.engine.kill();
    server.engine.start_again();
    device.expect_silence(&answer(&discover, "</0/0>"));
    // A device that gives up does not repeat its message.
    let mut again = hex(WAKAAMA);
    again[3] += 1;
    assert_eq!(device.exchange(&again)[1], CHANGED);
    let asked = answer_all(&mut device, "</0/0>");
    assert_eq!(names(&asked), ["PUT /0/1 110", "PUT /1/0 110", "POST /bs"]);
    server.has_finished("wak-bs");
}

struct Server {
    engine: Engine,
    address: SocketAddr,
}

impl Server {
    /// One that tells `endpoint` an LwM2M server of Short Server ID 123.
    fn start(endpoint: &str) -> Self {
        let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = free.local_addr().expect("bound");
        drop(free);
        let setting = ("ROOKERY_LISTEN__BOOTSTRAP_COAP", &*address.to_string());
        let engine = Engine::start_with(&["serve", "--dev"], &[setting]);
        let server = json!({"securityMode": "NO_SEC", "host": "127.0.0.1", "port": 5685,
                            "shortServerId": 123});
        engine.put_profile("told", &json!({"bootstrap": [server]}));
        engine.put_device(endpoint, &json!({"profile": "told"}));
        Self { engine, address }
    }

    fn has_finished(&self, endpoint: &str) {
        let path = format!("/api/v1/bootstrap/sessions?endpoint={endpoint}");
        until("the session has finished", Duration::from_secs(5), || {
            self.engine.get(&path)["items"][0]["state"] == "finished"
        });
    }
}

/// What a recorded device is asked after its Discover.
fn bootstrapped(request: &str, endpoint: &str, discover: &str) -> (Server, Vec<Asked>) {
    let server = Server::start(endpoint);
    let mut device = Peer::at(server.address);
    let request = hex(request);
    let answer = device.exchange(&request);
    let token = usize::from(request[0] & 15);
    let mut expected = request[..4 + token].to_vec();
    (expected[0], expected[1]) = (0x60 | request[0] & 15, CHANGED);
    assert_eq!(answer, expected, "2.04, and nothing else");
    let asked = answer_all(&mut device, discover);
    (server, asked)
}

struct Asked {
    name: String,
    payload: Vec<u8>,
}

fn names(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(|asked| asked.name.clone()).collect()
}

/// Does what it is asked, up to Finish.
fn answer_all(device: &mut Peer, discover: &str) -> Vec<Asked> {
    let mut all = Vec::new();
    loop {
        let request = device.request();
        device.send(&answer(&request, discover));
        let packet = Packet::from_bytes(&request).expect("CoAP");
        let options = packet.get_option(CoapOption::UriPath);
        let path: Vec<_> = options
            .into_iter()
            .flatten()
            .map(|segment| String::from_utf8_lossy(segment).into_owned())
            .collect();
        let format = packet.get_first_option(CoapOption::ContentFormat);
        let format = format.map_or(String::new(), |bytes| {
            let number = bytes
                .iter()
                .fold(0, |all, byte| all << 8 | u32::from(*byte));
            format!(" {number}")
        });
        let method = ["GET", "POST", "PUT", "DELETE"][usize::from(request[1]) - 1];
        if method == "GET" {
            continue;
        }
        let name = format!("{method} /{}{format}", path.join("/"));
        let is_last = name == "POST /bs";
        let payload = packet.payload;
        all.push(Asked { name, payload });
        if is_last {
            return all;
        }
    }
}

/// What a device that does as it is told answers.
fn answer(request: &[u8], discover: &str) -> Vec<u8> {
    let packet = Packet::from_bytes(request).expect("CoAP");
    let mid = packet.header.message_id;
    let code = [CONTENT, CHANGED, CHANGED, DELETED][usize::from(request[1]) - 1];
    let answer = Datagram::ack(code, mid).token(packet.get_token());
    if code == CONTENT {
        let answer = answer.option(CONTENT_FORMAT, &[LINK_FORMAT]);
        return answer.payload(discover.as_bytes()).encode();
    }
    answer.encode()
}
