//! Events as server-sent events (WHATWG HTML, section 9.2).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event as Frame, KeepAlive};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::json;
use tokio::sync::watch;

use super::auth::Viewer;
use super::extract::EndpointName;
use super::problem::{Problem, ProblemSchema};
use super::state::{Shared, State};
use crate::services::events::{EventReader, Step};

/// A comment is sent when nothing happened for this long, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// Counts a stream as open for as long as it lives.
struct OpenStream;

/// Follow the events of all devices. `event:` is the type, `id:` may be sent back as
/// `Last-Event-ID` to go on after it. An event `lost` with `{"count":n}` says how many events this
/// stream did not get; `null` when that is not known.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "go on after this event")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 503, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn all(
    _: Viewer,
    Extract(state): Shared,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Frame, Infallible>>>, Problem> {
    follow(&state, None, &headers)
}

/// Follow the events of one device. The `count` of a `lost` event is an upper bound here.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}/events",
    tag = "events",
    params(
        ("endpoint" = String, Path, description = "endpoint client name, percent-encoded"),
        ("Last-Event-ID" = Option<String>, Header, description = "go on after this event"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn of_device(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Frame, Infallible>>>, Problem> {
    state.devices.require(&endpoint).await?;
    follow(&state, Some(endpoint), &headers)
}

fn follow(
    state: &Arc<State>,
    endpoint: Option<String>,
    headers: &HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Frame, Infallible>> + use<>>, Problem> {
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let reader = state.events.read(endpoint, last)?;
    let reading = (reader, state.stopping.clone(), OpenStream::new());
    let steps = stream::unfold(reading, |(mut reader, mut stopping, open)| async move {
        let steps = next(&mut reader, &mut stopping).await?;
        let frames = steps.iter().map(frame).map(Ok).collect::<Vec<_>>();
        Some((stream::iter(frames), (reader, stopping, open)))
    });
    // Sent at once, so that the client knows that it is connected.
    let hello = stream::once(async { Ok(Frame::default().retry(RETRY).comment("connected")) });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    Ok(Sse::new(hello.chain(steps.flatten())).keep_alive(keep_alive))
}

async fn next(reader: &mut EventReader, stopping: &mut watch::Receiver<bool>) -> Option<Vec<Step>> {
    tokio::select! {
        steps = reader.next() => steps,
        _ = stopping.wait_for(|stopping| *stopping) => None,
    }
}

fn frame(step: &Step) -> Frame {
    let (id, name, data) = match step {
        Step::Event(id, event) => (id, event.kind.name(), serde_json::to_string(event.as_ref())),
        Step::Lost { at, count } => (at, "lost", serde_json::to_string(&json!({"count": count}))),
    };
    // JSON text has no raw line breaks: it is one `data:` line.
    let data = data.unwrap_or_else(|error| json!({"error": error.to_string()}).to_string());
    Frame::default().id(id.to_string()).event(name).data(data)
}

impl OpenStream {
    fn new() -> Self {
        metrics::gauge!("lwm2m_event_streams").increment(1.0);
        Self
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        metrics::gauge!("lwm2m_event_streams").decrement(1.0);
    }
}
