//! A device whose DTLS is OpenSSL's, with no connection identifier: what it offers can be chosen.

use std::io::{self, Read, Write};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use data_encoding::HEXUPPER_PERMISSIVE;
use openssl::ssl::{
    ErrorCode, ExtensionContext, ShutdownState, Ssl, SslContext, SslMethod, SslOptions, SslSession,
    SslSessionCacheMode, SslStream, SslVersion,
};
use rookery::proto::coap::MessageView;

use crate::peer::{CHANGED, CREATED, socket_to};
use crate::support::datagram::{BLOCK1, CONTENT, Datagram, GET, NOT_FOUND, POST, PUT};
use crate::support::peer::location;
use crate::support::secured::Secured;

const PATIENCE: Duration = Duration::from_secs(5);
const CONTINUE: u8 = 0x5f;
const RECORD_SIZE_LIMIT: u16 = 28;
/// What OpenSSL calls it; its crate has no name for it.
pub const NO_ENCRYPT_THEN_MAC: SslOptions = SslOptions::from_bits_retain(1 << 19);

/// What a device offers.
#[derive(Clone)]
pub struct Offer {
    pub suite: &'static str,
    pub options: SslOptions,
    /// Largest record that it takes (RFC 8449).
    pub record_limit: Option<u16>,
    /// To be resumed.
    pub session: Option<SslSession>,
}

impl Offer {
    pub fn of(suite: &'static str, options: SslOptions) -> Self {
        Self {
            suite,
            options,
            record_limit: None,
            session: None,
        }
    }
}

pub struct Device {
    stream: SslStream<Wire>,
    mid: u16,
    sessions: Arc<Mutex<Vec<SslSession>>>,
    /// Bytes of the largest message that came.
    pub largest: usize,
    /// Payloads of Writes.
    pub written: Vec<u8>,
}

struct Wire(UdpSocket);

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.send(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Device {
    /// Makes the handshake with the pre-shared key that was generated for this endpoint.
    pub fn connect(server: &Secured, endpoint: &str, offer: &Offer) -> Result<Self, String> {
        let key = server.text(&format!("{endpoint}_psk.hex"));
        let key = HEXUPPER_PERMISSIVE.decode(key.as_bytes());
        let (key, identity) = (key.expect("hexadecimal digits"), endpoint.to_owned());
        let sessions = Arc::new(Mutex::new(Vec::new()));
        let mut ctx = SslContext::builder(SslMethod::dtls_client()).expect("OpenSSL");
        ctx.set_min_proto_version(Some(SslVersion::DTLS1_2))
            .expect("DTLS 1.2");
        ctx.set_cipher_list(&format!("{}:@SECLEVEL=0", offer.suite))
            .expect("a suite");
        ctx.set_options(SslOptions::NO_QUERY_MTU | offer.options);
        ctx.set_psk_client_callback(move |_, _, identity_out, key_out| {
            identity_out[..identity.len()].copy_from_slice(identity.as_bytes());
            identity_out[identity.len()] = 0;
            key_out[..key.len()].copy_from_slice(&key);
            Ok(key.len())
        });
        ctx.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        let kept = Arc::clone(&sessions);
        ctx.set_new_session_callback(move |_, session| {
            kept.lock().expect("nobody panicked").push(session);
        });
        if let Some(limit) = offer.record_limit {
            let when = ExtensionContext::DTLS_ONLY
                | ExtensionContext::TLS1_2_AND_BELOW_ONLY
                | ExtensionContext::CLIENT_HELLO
                | ExtensionContext::TLS1_2_SERVER_HELLO;
            ctx.add_custom_ext(
                RECORD_SIZE_LIMIT,
                when,
                move |_, _, _| Ok(Some(limit.to_be_bytes())),
                |_, _, _, _| Ok(()),
            )
            .expect("an extension");
        }
        let mut ssl = Ssl::new(&ctx.build()).expect("OpenSSL");
        ssl.set_mtu(1_200).expect("an MTU");
        if let Some(session) = &offer.session {
            // SAFETY: the context that made the session has the same version and is of a client, too.
            unsafe { ssl.set_session(session) }.expect("a session");
        }
        let socket = socket_to(server.coaps);
        socket.set_read_timeout(Some(PATIENCE)).expect("a duration");
        let stream = ssl
            .connect(Wire(socket))
            .map_err(|error| error.to_string())?;
        let short = Some(Duration::from_millis(20));
        stream
            .get_ref()
            .0
            .set_read_timeout(short)
            .expect("a duration");
        Ok(Self {
            stream,
            mid: 1,
            sessions,
            largest: 0,
            written: Vec::new(),
        })
    }

    pub fn is_resumed(&self) -> bool {
        self.stream.ssl().session_reused()
    }

    /// The session to resume.
    pub fn session(&self) -> SslSession {
        let kept = self.sessions.lock().expect("nobody panicked").pop();
        let current = || self.stream.ssl().session().map(ToOwned::to_owned);
        kept.or_else(current).expect("there is a session")
    }

    pub fn suite(&self) -> &'static str {
        let cipher = self.stream.ssl().current_cipher();
        cipher.map_or("", |cipher| cipher.name())
    }

    pub fn register(&mut self) -> String {
        let register = self.request().path("rd").query("lwm2m=1.1&lt=300");
        let answer = self.ask(register.payload(b"</1/0>,</3/0>"));
        let answer = answer.expect("an answer");
        assert_eq!(answer[1], CREATED);
        location(&answer).expect("a registration id")
    }

    /// The code of the answer to an Update, if one comes.
    pub fn update(&mut self, id: &str) -> Option<u8> {
        let update = self.request().path("rd").path(id);
        self.ask(update).map(|answer| answer[1])
    }

    /// close_notify; whether the server said so as well.
    pub fn close(mut self) -> bool {
        let _ = self.stream.shutdown();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.stream.ssl_read(&mut [0; 2_048]) {
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => return true,
                _ => {}
            }
        }
        false
    }

    fn request(&mut self) -> Datagram {
        self.mid += 1;
        Datagram::con(POST, self.mid)
    }

    fn ask(&mut self, request: Datagram) -> Option<Vec<u8>> {
        let bytes = request.encode();
        self.stream.ssl_write(&bytes).ok()?;
        let mut answer = None;
        self.serve(|message| {
            if message[0] >> 4 == 6 && message[2..4] == bytes[2..4] {
                answer = Some(message.to_vec());
            }
            answer.is_some()
        });
        answer
    }

    /// Answers what the engine asks until `enough` says so of a message, or nothing comes for long:
    /// 2.05 to a Read, what there is to say to a Write, 4.04 to the rest.
    pub fn serve(&mut self, mut enough: impl FnMut(&[u8]) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 2_048];
        while Instant::now() < until {
            let Ok(length) = self.stream.ssl_read(&mut buffer) else {
                if enough(&[0; 4]) {
                    return;
                }
                continue;
            };
            let message = buffer[..length].to_vec();
            self.largest = self.largest.max(length);
            if matches!(message[1], 1..=7) {
                let answer = self.answer(&message).encode();
                self.stream.ssl_write(&answer).expect("sent");
            }
            if enough(&message) {
                return;
            }
        }
    }

    fn answer(&mut self, message: &[u8]) -> Datagram {
        let view = MessageView::parse(message).expect("well-formed");
        let observes = view.observe().is_some();
        let answer = |code| Datagram::ack(code, view.mid()).token(view.token());
        match message[1] {
            GET if !observes => answer(CONTENT).payload(b"value"),
            PUT => {
                self.written.extend_from_slice(view.payload());
                match view.block1().and_then(Result::ok) {
                    None => answer(CHANGED),
                    Some(block) => {
                        let code = if block.more() { CONTINUE } else { CHANGED };
                        let echo = block.encode().to_be_bytes();
                        answer(code).option(BLOCK1, &echo[4 - minimal(block.encode())..])
                    }
                }
            }
            _ => answer(NOT_FOUND),
        }
    }
}

impl Drop for Device {
    /// Without it, letting go of the object would spoil the session for the next one.
    fn drop(&mut self) {
        self.stream
            .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
    }
}

/// Bytes of a number as an option value (RFC 7252 §3.2).
const fn minimal(number: u32) -> usize {
    (4 - number.leading_zeros() / 8) as usize
}
