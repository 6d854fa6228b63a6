//! Recorded conversations of a server with real devices, with our server in the place of the other one: it must ask the
//! same, and make of the recorded answers what they say.

use std::collections::BTreeMap;
use std::thread;

use coap_lite::{CoapOption, Packet};
use serde_json::{Value, json};

use crate::support::datagram::{Datagram, LINK_FORMAT, NOT_FOUND, POST, hex};
use crate::support::engine::Engine;
use crate::support::peer::Peer;

const ENDPOINT: &str = "recorded";
const PROFILE: &str = "quiet";

/// What Anjay's demo announces, with the version and formats the recordings imply.
pub const ANJAY: &str =
    "</1/1>,</2>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</3303/0>,</33605>,</33605/5>";
/// What Wakaama's client announces.
pub const WAKAAMA: &str =
    r#"</>;rt="oma.lwm2m";ct=110,</1>;ver=1.1,</1/0>,</2/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>"#;

/// A registered device whose answers are recordings. Nothing is asked of it but by commands.
pub struct Recorded {
    engine: Engine,
    peer: Peer,
}

/// A request of the server as recorded, and what the device answered.
#[derive(Clone)]
pub struct Exchange {
    /// In hexadecimal digits. Message id and token are the server's business.
    pub request: String,
    pub answer: Recording,
}

/// Recorded bytes in hexadecimal digits; or, where the recording was cut, code, Content-Format and the payload.
#[derive(Clone)]
pub enum Recording {
    Bytes(&'static str),
    Text(u8, u16, &'static str),
}

/// What in a request is compared.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Compare {
    All,
    /// Not the Accept, which the recorded server chose in another way.
    NotAccept,
}

impl Exchange {
    pub fn new(request: impl Into<String>, answer: Recording) -> Self {
        Self {
            request: request.into(),
            answer,
        }
    }
}

impl Recorded {
    pub fn device(lwm2m: &str, links: &str) -> Self {
        let engine = Engine::start();
        engine.put_profile(
            PROFILE,
            &json!({
                "type": "LWM2M",
                "observeAttr": {
                    "keyName": {"/3/0/13": "currentTime", "/3/0/14": "UtfOffset"},
                    "observe": [], "attribute": ["/3/0/14"], "telemetry": ["/3/0/13"],
                    "attributeLwm2m": {},
                },
                "clientLwM2mSettings": {"powerMode": "DRX"},
            }),
        );
        engine.put_device(ENDPOINT, &json!({"profile": PROFILE}));
        engine.post_model(&anjay_test_object());
        let mut peer = Peer::of(&engine);
        let register = Datagram::con(POST, 0x0101)
            .token(b"register")
            .path("rd")
            .option(12, &[LINK_FORMAT])
            .query(&format!("lwm2m={lwm2m}&ep={ENDPOINT}&lt=60"))
            .payload(links.as_bytes());
        peer.register(&register.encode());
        // What the profile maps is read first: this device has it not yet.
        for _ in 0..2 {
            let request = packet(&peer.request());
            let answer = Datagram::ack(NOT_FOUND, request.header.message_id);
            peer.send(&answer.token(request.get_token()).encode());
        }
        Self { engine, peer }
    }

    /// Gives a command, plays the exchanges and returns the result; the tokens of the requests in their order too.
    pub fn command(
        &mut self,
        method: &str,
        params: &Value,
        exchanges: &[Exchange],
        compare: Compare,
    ) -> (Value, Vec<Vec<u8>>) {
        let (engine, peer) = (&self.engine, &mut self.peer);
        thread::scope(|scope| {
            let asked = scope.spawn(|| engine.rpc(ENDPOINT, method, params));
            let tokens = exchanges
                .iter()
                .map(|exchange| play(peer, exchange, compare))
                .collect();
            let result = asked.join().expect("the API answers");
            (result, tokens)
        })
    }

    /// The same with one exchange that is compared completely.
    pub fn asks(
        &mut self,
        method: &str,
        params: &Value,
        request: &str,
        answer: Recording,
    ) -> Value {
        let exchange = Exchange::new(request, answer);
        self.command(method, params, &[exchange], Compare::All).0
    }

    /// Plays a request that the engine makes by itself; returns its token.
    pub fn plays(&mut self, exchange: &Exchange, compare: Compare) -> Vec<u8> {
        play(&mut self.peer, exchange, compare)
    }

    /// Sends a recorded notification with the token of the observation.
    pub fn notifies(&mut self, recorded: &str, token: &[u8]) {
        let mut notification = packet(&hex(recorded));
        notification.set_token(token.to_vec());
        notification.header.message_id = self.peer.next_mid();
        self.peer
            .send(&notification.to_bytes().expect("a CoAP message"));
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn endpoint(&self) -> &'static str {
        ENDPOINT
    }
}

/// Takes a request, compares it and answers as recorded.
fn play(peer: &mut Peer, exchange: &Exchange, compare: Compare) -> Vec<u8> {
    let request = packet(&peer.request());
    let expected = packet(&hex(&exchange.request));
    let (found, wanted) = (shape(&request, compare), shape(&expected, compare));
    assert_eq!(
        found, wanted,
        "the request is another than {}",
        exchange.request
    );

    let mut answer = match exchange.answer {
        Recording::Bytes(bytes) => packet(&hex(bytes)),
        Recording::Text(code, format, text) => {
            let format = format.to_be_bytes();
            let format: Vec<u8> = format.into_iter().skip_while(|byte| *byte == 0).collect();
            let answer = Datagram::ack(code, 0).option(12, &format);
            packet(&answer.payload(text.as_bytes()).encode())
        }
    };
    answer.set_token(request.get_token().to_vec());
    answer.header.message_id = request.header.message_id;
    peer.send(&answer.to_bytes().expect("a CoAP message"));
    request.get_token().to_vec()
}

/// Code, options and payload.
fn shape(packet: &Packet, compare: Compare) -> (u8, BTreeMap<u16, Vec<String>>, String) {
    let accept = u16::from(CoapOption::Accept);
    let options = packet
        .options()
        .filter(|(number, _)| compare == Compare::All || **number != accept)
        .map(|(number, values)| {
            (
                *number,
                values.iter().map(|value| readable(value)).collect(),
            )
        })
        .collect();
    let code = u8::from(packet.header.code);
    (code, options, readable(&packet.payload))
}

/// Text as it is, other bytes escaped.
fn readable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn packet(datagram: &[u8]) -> Packet {
    Packet::from_bytes(datagram).unwrap_or_else(|e| panic!("{datagram:02x?} is no CoAP: {e}"))
}

/// The Resources of Anjay's test object 33605 that the recordings touch.
fn anjay_test_object() -> String {
    let resources: String = [
        (0, "R", "Single", "Time"),
        (2, "E", "Single", ""),
        (3, "RW", "Multiple", "Integer"),
        (10, "RW", "Single", "Opaque"),
        (12, "RW", "Single", "Integer"),
        (13, "RW", "Single", "Boolean"),
        (14, "RW", "Single", "Float"),
        (15, "RW", "Single", "String"),
        (16, "RW", "Single", "Objlnk"),
    ]
    .iter()
    .map(|(id, operations, multiple, data_type)| {
        format!(
            "<Item ID=\"{id}\"><Name>Resource {id}</Name><Operations>{operations}</Operations>\
             <MultipleInstances>{multiple}</MultipleInstances><Mandatory>Optional</Mandatory>\
             <Type>{data_type}</Type><RangeEnumeration/><Units/><Description/></Item>"
        )
    })
    .collect();
    format!(
        "<LWM2M><Object ObjectType=\"MODefinition\"><Name>Recorded</Name><Description1/>\
         <ObjectID>33605</ObjectID><ObjectURN>urn:oma:lwm2m:x:33605</ObjectURN>\
         <LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>1.0</ObjectVersion>\
         <MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>\
         <Resources>{resources}</Resources><Description2/></Object></LWM2M>"
    )
}
