//! A minimal LwM2M server on coap-lite that follows a script and writes down what was wrong.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

/// How the server behaves.
#[derive(Clone, Default)]
pub struct Script {
    pub ignore_first_register: bool,
    pub repeat_requests: bool,
    pub separate_responses: bool,
    pub forget_at_first_update: bool,
    pub reset_notifications: bool,
}

/// What the server saw.
#[derive(Default)]
#[allow(dead_code, reason = "each test looks at its part")]
pub struct Seen {
    pub peers: usize,
    pub endpoints: usize,
    /// Different battery levels in notifications.
    pub batteries: usize,
    /// Separate responses that nobody acknowledged.
    pub unacknowledged: usize,
    /// Payloads of Sends.
    pub sends: Vec<Vec<u8>>,
    /// Endpoints whose De-register came.
    pub left: usize,
    pub wrong: Vec<String>,
}

pub struct ScriptedServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

struct State {
    script: Script,
    socket: UdpSocket,
    next_mid: u16,
    peers: HashSet<SocketAddr>,
    endpoints: HashMap<String, SocketAddr>,
    refused: HashSet<SocketAddr>,
    updated: HashSet<SocketAddr>,
    /// Requests to devices that wait for their answer, by peer and message id.
    asked: HashMap<(SocketAddr, u16), Asked>,
    observing: HashMap<SocketAddr, (Vec<u8>, u32)>,
    batteries: HashSet<u8>,
    separate: HashSet<(SocketAddr, u16)>,
    sends: Vec<Vec<u8>>,
    left: usize,
    wrong: Vec<String>,
}

struct Asked {
    path: [u16; 3],
    token: Vec<u8>,
    answer: Option<Vec<u8>>,
}

const PATHS: [[u16; 3]; 4] = [[3, 0, 9], [3, 0, 0], [3, 0, 1], [3, 0, 3]];

impl ScriptedServer {
    pub fn start(script: Script) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let (address, stop) = (
            socket.local_addr().unwrap(),
            Arc::new(AtomicBool::new(false)),
        );
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || State::new(script, socket).serve(&stopped));
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

impl State {
    fn new(script: Script, socket: UdpSocket) -> Self {
        Self {
            script,
            socket,
            next_mid: 1,
            peers: HashSet::new(),
            endpoints: HashMap::new(),
            refused: HashSet::new(),
            updated: HashSet::new(),
            asked: HashMap::new(),
            observing: HashMap::new(),
            batteries: HashSet::new(),
            separate: HashSet::new(),
            sends: Vec::new(),
            left: 0,
            wrong: Vec::new(),
        }
    }

    fn serve(mut self, stop: &AtomicBool) -> Seen {
        let mut buffer = [0; 2_048];
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, peer)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            self.peers.insert(peer);
            match Packet::from_bytes(&buffer[..length]) {
                Ok(packet) => self.handle(&packet, &buffer[..length], peer),
                Err(error) => self.wrong.push(format!("not CoAP: {error:?}")),
            }
        }
        Seen {
            peers: self.peers.len(),
            endpoints: self.endpoints.len(),
            batteries: self.batteries.len(),
            unacknowledged: self.separate.len(),
            sends: self.sends,
            left: self.left,
            wrong: self.wrong,
        }
    }

    fn handle(&mut self, packet: &Packet, bytes: &[u8], peer: SocketAddr) {
        let mid = packet.header.message_id;
        match packet.header.code {
            MessageClass::Request(RequestType::Post) => self.on_post(packet, peer),
            MessageClass::Request(RequestType::Delete) => {
                self.left += 1;
                self.respond(packet, peer, ResponseType::Deleted, &[]);
            }
            MessageClass::Empty if packet.header.get_type() == MessageType::Acknowledgement => {
                if !self.separate.remove(&(peer, mid)) {
                    self.wrong
                        .push(format!("{peer} acknowledges {mid}, which was not sent"));
                }
            }
            MessageClass::Response(code)
                if packet.header.get_type() == MessageType::Acknowledgement =>
            {
                if code != ResponseType::Content {
                    self.wrong.push(format!("{peer} answers {code:?}"));
                }
                self.on_answer(packet, bytes, peer);
            }
            MessageClass::Response(ResponseType::Content) => self.on_notification(packet, peer),
            _ => self.wrong.push(format!("{peer} sends {packet:?}")),
        }
    }

    fn on_post(&mut self, packet: &Packet, peer: SocketAddr) {
        let path: Vec<String> = texts(packet, CoapOption::UriPath);
        if path == ["dp"] {
            self.sends.push(packet.payload.clone());
            return self.respond(packet, peer, ResponseType::Changed, &[]);
        }
        if path != ["rd"] {
            let expected = [
                "rd".to_owned(),
                format!("r{}", peer.to_string().replace([':', '.'], "-")),
            ];
            if path != expected {
                self.wrong.push(format!("{peer} updates {path:?}"));
            }
            if self.script.forget_at_first_update && self.updated.insert(peer) {
                return self.respond(packet, peer, ResponseType::NotFound, &[]);
            }
            return self.respond(packet, peer, ResponseType::Changed, &[]);
        }
        if self.script.ignore_first_register && self.refused.insert(peer) {
            return;
        }
        let query = texts(packet, CoapOption::UriQuery);
        let endpoint = query.iter().find_map(|q| q.strip_prefix("ep="));
        let valid = endpoint.is_some()
            && query.iter().any(|q| q.starts_with("lt="))
            && query.iter().any(|q| q == "lwm2m=1.1")
            && packet.payload.starts_with(b"</>;rt=\"oma.lwm2m\"")
            && packet
                .get_first_option(CoapOption::ContentFormat)
                .is_some_and(|f| f == &[40]);
        if !valid {
            self.wrong.push(format!("{peer} registers with {query:?}"));
        }
        let before = self
            .endpoints
            .insert(endpoint.unwrap_or_default().to_owned(), peer);
        if before.is_some_and(|before| before != peer) {
            self.wrong.push(format!("{endpoint:?} has two addresses"));
        }
        let location = [
            "rd".to_owned(),
            format!("r{}", peer.to_string().replace([':', '.'], "-")),
        ];
        self.respond(packet, peer, ResponseType::Created, &location);
        self.observing.remove(&peer);
        for path in PATHS {
            self.ask(peer, path);
        }
    }

    fn respond(
        &mut self,
        request: &Packet,
        peer: SocketAddr,
        code: ResponseType,
        location: &[String],
    ) {
        let mut response = Packet::new();
        response.header.code = MessageClass::Response(code);
        response.header.set_type(MessageType::Acknowledgement);
        response.header.message_id = request.header.message_id;
        response.set_token(request.get_token().to_vec());
        for segment in location {
            response.add_option(CoapOption::LocationPath, segment.clone().into_bytes());
        }
        if self.script.separate_responses {
            self.empty(
                MessageType::Acknowledgement,
                request.header.message_id,
                peer,
            );
            response.header.set_type(MessageType::Confirmable);
            response.header.message_id = self.take_mid();
            self.separate.insert((peer, response.header.message_id));
        }
        self.send(&response, peer);
    }

    fn ask(&mut self, peer: SocketAddr, path: [u16; 3]) {
        let mid = self.take_mid();
        let mut request = Packet::new();
        request.header.code = MessageClass::Request(RequestType::Get);
        request.header.set_type(MessageType::Confirmable);
        request.header.message_id = mid;
        request.set_token(mid.to_le_bytes().to_vec());
        if path == PATHS[0] {
            request.add_option(CoapOption::Observe, Vec::new());
        }
        path.iter()
            .for_each(|id| request.add_option(CoapOption::UriPath, id.to_string().into_bytes()));
        let token = request.get_token().to_vec();
        self.asked.insert(
            (peer, mid),
            Asked {
                path,
                token,
                answer: None,
            },
        );
        self.send(&request, peer);
        if self.script.repeat_requests {
            self.send(&request, peer);
        }
    }

    fn on_answer(&mut self, packet: &Packet, bytes: &[u8], peer: SocketAddr) {
        let Some(asked) = self.asked.get_mut(&(peer, packet.header.message_id)) else {
            return self
                .wrong
                .push(format!("{peer} answers what was not asked"));
        };
        if packet.get_token() != asked.token {
            self.wrong
                .push(format!("{peer} answers with another token"));
        }
        match &asked.answer {
            Some(first) if first == bytes => {}
            Some(_) => self
                .wrong
                .push(format!("{peer} answers a repetition differently")),
            None => asked.answer = Some(bytes.to_vec()),
        }
        let observe = packet.get_first_option(CoapOption::Observe);
        if observe.is_some() != (asked.path == PATHS[0]) {
            self.wrong.push(format!(
                "{peer} has Observe {observe:?} on {:?}",
                asked.path
            ));
        }
        if asked.path == PATHS[0] {
            self.observing.insert(peer, (asked.token.clone(), 0));
        }
    }

    fn on_notification(&mut self, packet: &Packet, peer: SocketAddr) {
        if self.script.reset_notifications {
            return self.empty(MessageType::Reset, packet.header.message_id, peer);
        }
        let sequence = packet
            .get_observe_value()
            .and_then(Result::ok)
            .unwrap_or_default();
        match self.observing.get_mut(&peer) {
            Some((token, last)) if token == packet.get_token() && sequence > *last => {
                *last = sequence
            }
            _ => self
                .wrong
                .push(format!("{peer} notifies with sequence {sequence}")),
        }
        match std::str::from_utf8(&packet.payload)
            .ok()
            .and_then(|text| text.parse().ok())
        {
            Some(level) => drop(self.batteries.insert(level)),
            None => self
                .wrong
                .push(format!("{peer} notifies {:?}", packet.payload)),
        }
        if packet.header.get_type() == MessageType::Confirmable {
            self.empty(MessageType::Acknowledgement, packet.header.message_id, peer);
        }
    }

    fn empty(&self, kind: MessageType, mid: u16, peer: SocketAddr) {
        let mut message = Packet::new();
        message.header.code = MessageClass::Empty;
        message.header.set_type(kind);
        message.header.message_id = mid;
        self.send(&message, peer);
    }

    fn send(&self, packet: &Packet, peer: SocketAddr) {
        self.socket
            .send_to(&packet.to_bytes().unwrap(), peer)
            .unwrap();
    }

    fn take_mid(&mut self) -> u16 {
        self.next_mid = self.next_mid.wrapping_add(1);
        self.next_mid
    }
}

fn texts(packet: &Packet, option: CoapOption) -> Vec<String> {
    let values = packet.get_option(option).into_iter().flatten();
    values
        .map(|value| String::from_utf8(value.clone()).unwrap())
        .collect()
}
