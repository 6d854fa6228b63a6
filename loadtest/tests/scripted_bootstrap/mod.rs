//! A bootstrap server on coap-lite that takes every device through the same steps.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

/// What devices are told: method, path, payload in TLV.
pub type Step = (RequestType, &'static str, Vec<u8>);

/// How the server behaves.
#[derive(Clone, Default)]
pub struct Script {
    pub steps: Vec<Step>,
    /// Each last step is sent twice, as if its answer had been lost.
    pub repeats: bool,
    /// The first request of each device is answered 5.03, with a Max-Age of one second.
    pub is_busy: bool,
    /// What a Bootstrap-Pack-Request is answered, in blocks of 64 bytes of SenML JSON.
    pub pack: Vec<u8>,
}

pub struct BootstrapServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

/// What the server saw.
#[derive(Default)]
#[allow(dead_code, reason = "each test looks at its part")]
pub struct Seen {
    /// Endpoint names with the rest of the query.
    pub requests: HashMap<String, String>,
    /// Answers to the last step, by code.
    pub finished: HashMap<String, u32>,
    /// Answers to the Discover.
    pub links: Vec<String>,
}

struct Progress {
    step: usize,
    repeated: bool,
}

impl BootstrapServer {
    pub fn start(script: Script) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Some(Duration::from_millis(20));
        socket.set_read_timeout(patience).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(&socket, &script, &stopped));
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn serve(socket: &UdpSocket, script: &Script, stop: &AtomicBool) -> Seen {
    let steps = &script.steps;
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
            let query = packet.get_option(CoapOption::UriQuery).unwrap().iter();
            let query: Vec<_> = query.map(|q| String::from_utf8_lossy(q)).collect();
            let (name, rest) = query.split_last().unwrap();
            let known = seen.requests.insert(name.to_string(), rest.join("&"));
            let mut answer = message(MessageType::Acknowledgement, packet.header.message_id);
            answer.set_token(packet.get_token().to_vec());
            if script.is_busy && known.is_none() {
                answer.header.code = MessageClass::Response(ResponseType::ServiceUnavailable);
                answer.add_option(CoapOption::MaxAge, vec![1]);
                send(answer);
                continue;
            }
            if packet.header.code == MessageClass::Request(RequestType::Get) {
                send(with_block(answer, &packet, &script.pack));
                continue;
            }
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
        } else if script.repeats && !device.repeated {
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

/// The block of a pack that a request is about.
fn with_block(mut answer: Packet, request: &Packet, pack: &[u8]) -> Packet {
    let asked = request.get_first_option(CoapOption::Block2);
    let number = asked.and_then(|block| block.first()).map_or(0, |b| b >> 4);
    let start = usize::from(number) * 64;
    let end = pack.len().min(start + 64);
    let more = u8::from(end < pack.len());
    answer.header.code = MessageClass::Response(ResponseType::Content);
    answer.add_option(CoapOption::ContentFormat, vec![110]);
    answer.add_option(CoapOption::Block2, vec![number << 4 | more << 3 | 2]);
    answer.payload = pack[start..end].to_vec();
    answer
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

/// Discover, an object that is none of bootstrap's, an account with an identity and a key, the end.
pub fn steps(uri: &str, mode: u8, identity: &[u8], key: &[u8]) -> Vec<Step> {
    let security = [
        (0, uri.as_bytes()),
        (1, &[0]),
        (2, &[mode]),
        (3, identity),
        (5, key),
        (10, &[123]),
    ];
    vec![
        (RequestType::Get, "/", Vec::new()),
        (RequestType::Delete, "/2", Vec::new()),
        (RequestType::Put, "/2/0", tlv(&[(0, &[3])])),
        (RequestType::Put, "/0/1", tlv(&security)),
        (RequestType::Put, "/1/0", tlv(&[(0, &[123]), (1, &[77])])),
        (RequestType::Post, "/bs", Vec::new()),
    ]
}
