//! A shard without sockets and without a clock: datagrams in, datagrams out.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::engine::command::{Command, Inspect};
use crate::engine::config::EngineConfig;
use crate::engine::endpoint::plan::ProfilePlan;
use crate::engine::event::Event;
use crate::engine::metrics::ShardMetrics;
use crate::engine::profiles::DEFAULT_PROFILE;
use crate::engine::view::{AttributesView, DeviceState, RegistrationView, TelemetryView};
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};

mod activation;
mod commands;
mod conversation;
mod editing;
mod hostile;
mod observing;
mod plans;
mod profiles;
mod registration;
mod restart;
mod rollout;
mod secure;
mod splitting;
mod supervision;
mod tokens;
mod updates;
mod waiting;

/// One shard and the time it lives in.
struct Bench {
    shard: Shard,
    now: Now,
    shared: Arc<Shared>,
    metrics: Arc<ShardMetrics>,
    events: mpsc::Receiver<Vec<Event>>,
}

/// A datagram the shard sent.
struct Sent {
    peer: PeerAddr,
    bytes: Vec<u8>,
}

impl Sent {
    fn view(&self) -> MessageView<'_> {
        MessageView::parse(&self.bytes).unwrap()
    }

    fn code(&self) -> Code {
        self.view().code()
    }

    fn path(&self) -> String {
        self.view()
            .uri_path()
            .map(|s| format!("/{}", String::from_utf8_lossy(s)))
            .collect()
    }

    fn payload(&self) -> String {
        String::from_utf8_lossy(self.view().payload()).into_owned()
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(EngineConfig {
            allow_unknown: true,
            ..EngineConfig::default()
        })
    }

    fn with(config: EngineConfig) -> Self {
        Self::with_plan(config, ProfilePlan::built_in_default())
    }

    fn with_plan(config: EngineConfig, plan: ProfilePlan) -> Self {
        let Standalone {
            shard,
            shared,
            metrics,
            events,
            ..
        } = Standalone::new(config, plan, 42);
        shared.listening.store(true, Relaxed);
        let now = Now {
            tick: Tick::from_millis(1_000),
            wall: 1_795_435_985_890,
        };
        let mut bench = Self {
            shard,
            now,
            shared,
            metrics,
            events,
        };
        bench.shard.begin(now);
        bench
    }

    /// Lets time pass; returns what was sent meanwhile.
    fn wait(&mut self, millis: u64) -> Vec<Sent> {
        let end = self.now.tick.plus_millis(millis);
        let mut sent = Vec::new();
        while self.now.tick < end {
            let step = 50.min(end.millis_since(self.now.tick));
            self.now.tick = self.now.tick.plus_millis(step);
            self.now.wall += step as i64;
            self.shard.begin(self.now);
            while self.shard.run_deadlines() {}
            sent.extend(self.drain());
        }
        sent
    }

    fn send(&mut self, peer: PeerAddr, bytes: &[u8]) -> Vec<Sent> {
        let datagram = Datagram::plain(bytes, peer);
        self.shard.on_datagram(&datagram, Origin::Socket);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Sent> {
        self.shard.end();
        let (arena, outbox) = self.shard.outbox();
        let sent = outbox.iter().map(|out| Sent {
            peer: out.peer,
            bytes: arena[out.start as usize..(out.start + out.len) as usize].to_vec(),
        });
        let sent: Vec<_> = sent.collect();
        self.shard.sent(sent.len());
        sent
    }

    fn event_names(&mut self) -> Vec<&'static str> {
        let mut names = Vec::new();
        while let Ok(batch) = self.events.try_recv() {
            let names_of = batch.iter().map(|event| event.kind.name());
            // What is logged of it has tests of its own.
            names.extend(names_of.filter(|name| *name != "transportLog"));
        }
        names
    }

    fn ask<T>(
        &mut self,
        endpoint: &str,
        what: impl FnOnce(oneshot::Sender<Option<T>>) -> Inspect,
    ) -> Option<T> {
        let home = self.shared.directory.home(endpoint)?;
        let (reply, mut answer) = oneshot::channel();
        let endpoint = endpoint.to_owned();
        self.shard.on_command(Command::Inspect {
            slot: home.slot,
            endpoint,
            what: what(reply),
        });
        answer.try_recv().unwrap()
    }

    fn registration(&mut self, endpoint: &str) -> RegistrationView {
        *self.ask(endpoint, Inspect::Registration).unwrap()
    }

    fn telemetry(&mut self, endpoint: &str) -> TelemetryView {
        self.ask(endpoint, Inspect::Telemetry).unwrap()
    }

    fn attributes(&mut self, endpoint: &str) -> AttributesView {
        self.ask(endpoint, Inspect::Attributes).unwrap()
    }

    fn metric(&self, line_start: &str) -> f64 {
        let mut text = String::new();
        crate::engine::metrics::EngineMetrics::new(vec![Arc::clone(&self.metrics)])
            .render(&mut text);
        let line = text.lines().find(|line| line.starts_with(line_start));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    }
}

fn peer(port: u16) -> PeerAddr {
    PeerAddr::v4(Ipv4Addr::new(127, 1, 2, 3), port)
}

/// A request of a device.
fn request(code: Code, mid: u16, path: &str, query: &[&str], payload: &[u8]) -> Vec<u8> {
    request_with(
        MessageType::Confirmable,
        code,
        mid,
        path,
        query,
        &[],
        payload,
    )
}

fn request_with(
    kind: MessageType,
    code: Code,
    mid: u16,
    path: &str,
    query: &[&str],
    extra: &[(u16, u32)],
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut options: Vec<(u16, Vec<u8>)> = Vec::new();
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    options.extend(segments.map(|segment| (option::URI_PATH, segment.as_bytes().to_vec())));
    options.extend(
        query
            .iter()
            .map(|query| (option::URI_QUERY, query.as_bytes().to_vec())),
    );
    for (number, value) in extra {
        let value = value.to_be_bytes();
        let significant = value.iter().position(|byte| *byte != 0).unwrap_or(4);
        options.push((*number, value[significant..].to_vec()));
    }
    options.sort_by_key(|(number, _)| *number);
    let mut writer = MessageWriter::new(&mut bytes, kind, code, mid, &[1, 2, 3, 4]);
    for (number, value) in &options {
        writer.option(*number, value);
    }
    if !payload.is_empty() {
        writer.payload(payload);
    }
    writer.finish();
    bytes
}

const LINKS: &[u8] = b"</>;rt=\"oma.lwm2m\";ct=110,</1/0>,</3/0>,</3303>;ver=1.1,</3303/0>";

fn register(mid: u16, endpoint: &str) -> Vec<u8> {
    let endpoint = format!("ep={endpoint}");
    request(
        Code::POST,
        mid,
        "/rd",
        &["lwm2m=1.1", &endpoint, "lt=300"],
        LINKS,
    )
}

/// Registers a device and returns its location and the other datagrams it got.
fn registered(bench: &mut Bench, from: PeerAddr, endpoint: &str) -> (String, Vec<Sent>) {
    let mut sent = bench.send(from, &register(0x100, endpoint));
    let created = sent.remove(0);
    assert_eq!(created.code(), Code::CREATED, "{}", created.payload());
    (location(&created), sent)
}

fn location(created: &Sent) -> String {
    let view = created.view();
    view.all(option::LOCATION_PATH)
        .map(|segment| format!("/{}", String::from_utf8_lossy(segment)))
        .collect()
}

/// A piggybacked response of the device to a request of the shard.
fn response(to: &Sent, code: Code, options: &[(u16, u32)], payload: &[u8]) -> Vec<u8> {
    let view = to.view();
    message(
        MessageType::Acknowledgement,
        code,
        view.mid(),
        view.token(),
        options,
        payload,
    )
}

fn message(
    kind: MessageType,
    code: Code,
    mid: u16,
    token: &[u8],
    options: &[(u16, u32)],
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = MessageWriter::new(&mut bytes, kind, code, mid, token);
    for (number, value) in options {
        writer.uint(*number, *value);
    }
    if !payload.is_empty() {
        writer.payload(payload);
    }
    writer.finish();
    bytes
}

/// Answers the four requests of the default profile as a well-behaved device; returns the token of
/// the observation.
fn initialised(bench: &mut Bench, from: PeerAddr, first: Vec<Sent>) -> Vec<u8> {
    let mut waiting = first;
    let mut observed = Vec::new();
    while let Some(request) = waiting.pop() {
        let (options, payload): (&[(u16, u32)], &[u8]) = match request.path().as_str() {
            "/3/0/9" => {
                observed = request.view().token().to_vec();
                (&[(option::OBSERVE, 0)], b"87")
            }
            "/3/0/0" => (&[], b"Rookery Works"),
            "/3/0/1" => (&[], b"R1"),
            "/3/0/3" => (&[], b"1.0.2"),
            other => panic!("unexpected request {other}"),
        };
        waiting.extend(bench.send(from, &response(&request, Code::CONTENT, options, payload)));
    }
    observed
}
