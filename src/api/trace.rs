//! The messages of one device as server-sent events, decoded.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::Sse;
use axum::response::sse::{Event as Frame, KeepAlive};
use data_encoding::HEXLOWER;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};

use super::auth::Operator;
use super::extract::EndpointName;
use super::problem::{Problem, ProblemSchema};
use super::state::Shared;
use crate::proto::coap::{MessageView, option};
use crate::services::engine::TracedMessage;

/// A comment is sent when nothing happened for this long, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes of a payload that are shown.
const MAX_PAYLOAD: usize = 1_024;

/// Follow every CoAP message to and from a device that has registered, decoded, until the stream is
/// closed. An event `message` is one message; `lost` with `{"count":n}` says that messages before the
/// next one were left out because the stream was read too slowly. A few devices can be followed at
/// once. Devices at the same address and port as this one are seen, too.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}/trace",
    tag = "devices",
    params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn follow(
    _: Operator,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
) -> Result<Sse<impl Stream<Item = Result<Frame, Infallible>> + use<>>, Problem> {
    let trace = state.devices.trace(&endpoint).await?;
    let reading = (trace, state.stopping.clone());
    let messages = stream::unfold(reading, |(mut trace, mut stopping)| async move {
        let message = tokio::select! {
            message = trace.next() => message?,
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        };
        let frames = frames(&message).map(Ok);
        Some((stream::iter(frames), (trace, stopping)))
    });
    // Sent at once, so that the client knows that it is connected.
    let hello = stream::once(async { Ok(Frame::default().comment("connected")) });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    Ok(Sse::new(hello.chain(messages.flatten())).keep_alive(keep_alive))
}

fn frames(message: &TracedMessage) -> impl Iterator<Item = Frame> + use<> {
    let lost = (message.lost > 0).then(|| frame("lost", &json!({"count": message.lost})));
    let shown = frame("message", &shown(message));
    lost.into_iter().chain([shown])
}

fn frame(name: &str, data: &Value) -> Frame {
    // JSON text has no raw line breaks: it is one `data:` line.
    Frame::default().event(name).data(data.to_string())
}

/// A message as JSON.
fn shown(message: &TracedMessage) -> Value {
    let mut shown = json!({
        "ts": message.ts,
        "direction": if message.incoming { "in" } else { "out" },
        "peer": message.peer.map(|peer| peer.to_string()),
        "length": message.bytes.len(),
    });
    let decoded = match MessageView::parse(&message.bytes) {
        Ok(view) => json!({
            "type": view.kind().name(),
            "code": view.code().to_string(),
            "name": view.code().name(),
            "mid": view.mid(),
            "token": HEXLOWER.encode(view.token()),
            "options": options(&view),
            "payload": payload(view.payload()),
        }),
        Err(error) => json!({
            "error": error.to_string(),
            "payload": payload(&message.bytes),
        }),
    };
    if let (Value::Object(shown), Value::Object(decoded)) = (&mut shown, decoded) {
        shown.extend(decoded);
    }
    shown
}

fn options(view: &MessageView<'_>) -> Vec<Value> {
    view.options()
        .map(|option| {
            let value = option_value(option.number, option.value);
            match option::name(option.number) {
                Some(name) => json!({"number": option.number, "name": name, "value": value}),
                None => json!({"number": option.number, "value": value}),
            }
        })
        .collect()
}

/// Text and numbers as such, all else in hexadecimal.
fn option_value(number: u16, bytes: &[u8]) -> Value {
    let text = || String::from_utf8_lossy(bytes).into_owned().into();
    let hexadecimal = || HEXLOWER.encode(bytes).into();
    match number {
        option::URI_HOST
        | option::LOCATION_PATH
        | option::URI_PATH
        | option::URI_QUERY
        | option::LOCATION_QUERY
        | option::PROXY_URI
        | option::PROXY_SCHEME => text(),
        option::BLOCK1 | option::BLOCK2 if bytes.len() <= 3 => {
            let value = number_of(bytes);
            let (block, more) = (value >> 4, value & 8 != 0);
            json!({"number": block, "more": more, "size": 16 << (value & 7)})
        }
        option::OBSERVE
        | option::URI_PORT
        | option::CONTENT_FORMAT
        | option::MAX_AGE
        | option::HOP_LIMIT
        | option::ACCEPT
        | option::SIZE1
        | option::SIZE2
        | option::NO_RESPONSE
            if bytes.len() <= 4 =>
        {
            number_of(bytes).into()
        }
        _ => hexadecimal(),
    }
}

fn number_of(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Readable text as such, all else in hexadecimal; `null` when there is none.
fn payload(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    let cut = bytes.len() > MAX_PAYLOAD;
    let mut shown = json!({"length": bytes.len(), "cut": cut});
    let readable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(readable) => {
            shown["text"] = text[..text.floor_char_boundary(MAX_PAYLOAD)].into();
        }
        _ => {
            shown["hex"] = HEXLOWER
                .encode(&bytes[..bytes.len().min(MAX_PAYLOAD)])
                .into()
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> Value {
        shown(&TracedMessage {
            ts: 7,
            incoming: true,
            peer: "192.0.2.1:5683".parse().ok(),
            bytes: bytes.into(),
            lost: 0,
        })
    }

    #[test]
    fn a_message_is_shown_with_everything_in_it() {
        // CON GET, token 1a2b, Observe 0, Uri-Path 3 and 0, Accept 110.
        let get = [
            0x42, 0x01, 0x12, 0x34, 0x1a, 0x2b, 0x60, 0x51, b'3', 0x01, b'0', 0x61, 110,
        ];
        assert_eq!(
            message(&get),
            json!({
                "ts": 7, "direction": "in", "peer": "192.0.2.1:5683", "length": 13,
                "type": "CON", "code": "0.01", "name": "GET", "mid": 0x1234, "token": "1a2b",
                "options": [
                    {"number": 6, "name": "Observe", "value": 0},
                    {"number": 11, "name": "Uri-Path", "value": "3"},
                    {"number": 11, "name": "Uri-Path", "value": "0"},
                    {"number": 17, "name": "Accept", "value": 110},
                ],
                "payload": null,
            })
        );
    }

    #[test]
    fn payloads_are_text_where_they_can_be_read_and_bounded() {
        assert_eq!(payload(b"42")["text"], "42");
        assert_eq!(payload(&[0, 1])["hex"], "0001");
        let long = payload(&[b'x'; 5_000]);
        assert_eq!(long["text"].as_str().unwrap().len(), MAX_PAYLOAD);
        assert_eq!(
            (&long["length"], &long["cut"]),
            (&json!(5_000), &json!(true))
        );
    }

    #[test]
    fn what_is_no_message_is_shown_with_the_reason() {
        let shown = message(&[0x40]);
        assert!(shown["error"].is_string(), "{shown}");
        assert_eq!(shown["payload"]["text"], "@");
    }

    #[test]
    fn blocks_are_taken_apart() {
        let value = option_value(option::BLOCK2, &[0x1e]);
        assert_eq!(value, json!({"number": 1, "more": true, "size": 1024}));
    }
}
