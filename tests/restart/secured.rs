//! A device that speaks DTLS, while the engine is killed and started again, moves, and gets other
//! credentials.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use loadtest::dtls::{Connection, Connector, ConnectorOptions, Login};
use serde_json::json;

use crate::support::datagram::Datagram;
use crate::support::engine::Engine;
use crate::support::peer::location;
use crate::support::wait::until;

const IDENTITY: &str = "psk-1";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const PATIENCE: Duration = Duration::from_secs(20);

struct Device {
    connection: Connection,
    socket: UdpSocket,
    began: Instant,
    mid: u16,
}

impl Device {
    fn new(server: SocketAddr) -> Self {
        let login = Login::Psk {
            identity: IDENTITY.into(),
            key: (0..16).collect(),
        };
        let connector = Connector::new(ConnectorOptions::new(login.mode())).expect("OpenSSL");
        Self {
            connection: Connection::new(connector, login, Vec::new()),
            socket: socket_to(server),
            began: Instant::now(),
            mid: 1,
        }
    }

    /// Sends a request, again each second, until it is answered.
    fn ask(&mut self, request: Datagram) -> Vec<u8> {
        let bytes = request.encode();
        let until = Instant::now() + PATIENCE;
        let mut next = Instant::now();
        let mut answer = None;
        while Instant::now() < until {
            let now = self.began.elapsed().as_micros() as u64;
            if next <= Instant::now() {
                self.connection.send(&bytes, now);
                next += Duration::from_secs(1);
            }
            self.connection.poll(now);
            for datagram in self.connection.transmit() {
                // Nobody may be there just now.
                let _ = self.socket.send(&datagram);
            }
            let mut buffer = [0; 2_048];
            if let Ok(length) = self.socket.recv(&mut buffer) {
                let mut deliver = |message: &[u8]| {
                    if message[0] >> 4 == 6 && message[2..4] == bytes[2..4] {
                        answer = Some(message.to_vec());
                    }
                };
                self.connection
                    .receive(&buffer[..length], now, &mut deliver);
            }
            if let Some(answer) = answer.take() {
                return answer;
            }
        }
        panic!("no answer");
    }

    fn register(&mut self) -> (u8, Option<String>) {
        self.mid += 1;
        let register = Datagram::con(0x02, self.mid)
            .path("rd")
            .query("lwm2m=1.1")
            .query("lt=300")
            .payload(b"</1/0>,</3/0>");
        let answer = self.ask(register);
        (answer[1], location(&answer))
    }

    fn update(&mut self, id: &str) -> u8 {
        self.mid += 1;
        let update = Datagram::con(0x02, self.mid).path("rd").path(id);
        self.ask(update)[1]
    }
}

fn socket_to(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("a local address");
    let patience = Some(Duration::from_millis(20));
    socket.set_read_timeout(patience).expect("a duration");
    socket
}

fn device(identity: &str) -> serde_json::Value {
    json!({"credentials": {"client": {
        "securityConfigClientMode": "PSK", "endpoint": "dev-1", "identity": identity, "key": KEY
    }}})
}

#[test]
fn a_session_goes_on_over_kills_and_moves_and_ends_with_its_credentials() {
    let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let coaps = free.local_addr().expect("bound");
    drop(free);
    let setting = ("ROOKERY_LISTEN__COAPS", coaps.to_string());
    let mut engine = Engine::start_with(&["serve", "--dev"], &[(setting.0, &setting.1)]);
    engine.put_device("dev-1", &device(IDENTITY));
    let mut dev = Device::new(coaps);
    let (code, location) = dev.register();
    let id = location.unwrap_or_else(|| panic!("registered: {code:#x}"));
    assert_eq!(engine.registration("dev-1")["security"], "PSK");

    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(600));
        engine.kill();
        engine.start_again();
        assert_eq!(dev.update(&id), 0x44);
        dev.socket = socket_to(coaps);
        assert_eq!(dev.update(&id), 0x44);
        let address = dev.socket.local_addr().expect("bound").to_string();
        assert_eq!(engine.registration("dev-1")["address"], json!(address));
        let handshakes = engine.metric("lwm2m_dtls_handshakes_started_total", &[]);
        assert_eq!(handshakes, 0.0, "nobody makes a handshake after a restart");
        assert_eq!(engine.metric("lwm2m_dtls_cid_rebinds_total", &[]), 1.0);
    }

    engine.put_device("dev-1", &device("psk-2"));
    until("the session has ended", PATIENCE, || {
        engine.metric("lwm2m_dtls_sessions", &[]) == 0.0
    });
    // The registration ends with it; what the device reported stays.
    engine.await_state("dev-1", "expired");

    engine.put_device("dev-1", &device(IDENTITY));
    dev.connection.forget();
    assert_eq!(dev.register().0, 0x41);
    let file = engine.data().join("dtls-sessions.key");
    std::thread::sleep(Duration::from_millis(600));
    assert!(engine.terminate().success());
    std::fs::remove_file(file).expect("a key file");
    engine.start_again();
    let lost = ["result=\"unreadable\""];
    let lost = engine.metric("lwm2m_dtls_sessions_restored_total", &lost);
    assert_eq!(lost, 1.0);
    assert!(engine.log().contains("DTLS sessions could not be read"));
    let registered = &engine.registration("dev-1")["state"];
    assert_eq!(*registered, "registered", "the registration outlives it");
}
