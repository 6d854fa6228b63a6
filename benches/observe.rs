//! What a notified value costs the server, by the way it is observed: one by one, or several in a composite
//! notification. A time is that of one value, from the datagram to the latest values of its endpoint; decoding,
//! freshness, mapping and deduplication are in it, sockets are not.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use minicbor::Encoder;
use rookery::engine::EngineConfig;
use rookery::engine::endpoint::plan::{Destination, Mapping, ProfilePlan};
use rookery::engine::endpoint::profile_parts::{PlannedPath, PlannedStep, ProfileParts};
use rookery::engine::metrics::EngineMetrics;
use rookery::engine::shard::{Datagram, Origin, Shard, Standalone};
use rookery::net::PeerAddr;
use rookery::proto::coap::{Code, MessageType, MessageView, MessageWriter, content_format, option};
use rookery::proto::lwm2m::{Path, ResourceType};
use rookery::proto::time::{Now, Tick};

criterion_group! {
    name = observe;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = notified_value
}
criterion_main!(observe);

/// Resources of a device, by object: ten, as `loadtest observe` has them.
const OBJECTS: [(u16, usize); 3] = [(3303, 4), (3304, 3), (3323, 3)];
const RESOURCES: [u16; 4] = [5700, 5601, 5602, 5603];
/// Devices that notify in turn.
const DEVICES: usize = 256;
/// Datagrams of a turn.
const BATCH: usize = 64;

/// How the resources are observed.
#[derive(Clone, Copy)]
enum Strategy {
    Single,
    CompositeAll,
    CompositeByObject,
}

fn notified_value(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("observe/ns per value");
    for (name, strategy, format) in [
        ("single, text", Strategy::Single, content_format::TEXT),
        (
            "single, SenML JSON",
            Strategy::Single,
            content_format::SENML_JSON,
        ),
        (
            "single, SenML CBOR",
            Strategy::Single,
            content_format::SENML_CBOR,
        ),
        (
            "composite by object, SenML JSON of 3 or 4",
            Strategy::CompositeByObject,
            content_format::SENML_JSON,
        ),
        (
            "composite by object, SenML CBOR of 3 or 4",
            Strategy::CompositeByObject,
            content_format::SENML_CBOR,
        ),
        (
            "composite all, SenML JSON of 10",
            Strategy::CompositeAll,
            content_format::SENML_JSON,
        ),
        (
            "composite all, SenML CBOR of 10",
            Strategy::CompositeAll,
            content_format::SENML_CBOR,
        ),
    ] {
        let mut fleet = Fleet::observed(strategy, format);
        group.bench_function(name, |bench| {
            bench.iter_custom(|values| fleet.notify(values))
        });
        let taken = fleet.values_taken();
        assert_eq!(taken, fleet.values, "{name}: every value has to arrive");
    }
    group.finish();
}

/// Registered and observed devices, at rest.
struct Fleet {
    standalone: Standalone,
    format: u16,
    devices: Vec<Device>,
    /// Values sent in notifications.
    values: u64,
    /// Values taken before the first of them.
    initial: u64,
    sent: u64,
}

struct Device {
    mid: u16,
    sequence: u32,
    /// Token and paths of each observation.
    observations: Vec<(Vec<u8>, Vec<Path>)>,
}

impl Fleet {
    fn observed(strategy: Strategy, format: u16) -> Self {
        let config = EngineConfig {
            allow_unknown: true,
            newcomers_per_second: u32::MAX / 8,
            ..EngineConfig::default()
        };
        let mut standalone = Standalone::new(config, plan(strategy), 1);
        standalone.shard.begin(Now {
            tick: Tick::from_millis(1_000),
            wall: 1_795_435_985_890,
        });
        let mut fleet = Self {
            standalone,
            format,
            devices: Vec::with_capacity(DEVICES),
            values: 0,
            initial: 0,
            sent: 0,
        };
        let expected = observations(strategy);
        for n in 0..DEVICES {
            fleet.register(n, &expected);
        }
        fleet.initial = fleet.telemetry();
        fleet
    }

    /// Registers a device and answers the observes of its profile, which come in the profile's order.
    fn register(&mut self, n: usize, expected: &[Vec<Path>]) {
        let mut device = Device {
            mid: 0,
            sequence: 0,
            observations: Vec::new(),
        };
        receive(&mut self.standalone.shard, peer(n), &register(n));
        loop {
            let (arena, outbox) = self.standalone.shard.outbox();
            let Some(last) = outbox.last() else { break };
            let request = arena[last.start as usize..(last.start + last.len) as usize].to_vec();
            end_turn(&mut self.standalone.shard);
            let view = MessageView::parse(&request).expect("the engine writes CoAP");
            if !view.code().is_request() {
                break;
            }
            let paths = expected[device.observations.len()].clone();
            device
                .observations
                .push((view.token().to_vec(), paths.clone()));
            let kind = MessageType::Acknowledgement;
            let answer = (kind, view.mid(), 0);
            let answer = message(answer, view.token(), self.format, &paths, 0);
            receive(&mut self.standalone.shard, peer(n), &answer);
        }
        assert_eq!(device.observations.len(), expected.len(), "all observed");
        self.devices.push(device);
    }

    /// The time that at least `values` notified values take, as if they had been as many.
    fn notify(&mut self, values: u64) -> Duration {
        let (mut taken, mut done) = (Duration::ZERO, 0);
        while done < values {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH && done < values {
                let (peer, datagram, count) = self.notification();
                done += count;
                batch.push((peer, datagram));
            }
            let shard = &mut self.standalone.shard;
            let began = Instant::now();
            for (peer, datagram) in &batch {
                receive(shard, *peer, datagram);
            }
            end_turn(shard);
            taken += began.elapsed();
        }
        self.values += done;
        taken.mul_f64(values as f64 / done as f64)
    }

    /// The next notification: the devices take turns, and the observations of each.
    fn notification(&mut self) -> (PeerAddr, Vec<u8>, u64) {
        let n = self.sent as usize % DEVICES;
        let round = self.sent as usize / DEVICES;
        self.sent += 1;
        let device = &mut self.devices[n];
        device.mid = device.mid.wrapping_add(1);
        device.sequence += 1;
        let (token, paths) = &device.observations[round % device.observations.len()];
        let head = (MessageType::NonConfirmable, device.mid, device.sequence);
        let bytes = message(head, token, self.format, paths, device.sequence);
        (peer(n), bytes, paths.len() as u64)
    }

    fn values_taken(&self) -> u64 {
        self.telemetry() - self.initial
    }

    fn telemetry(&self) -> u64 {
        let mut text = String::new();
        let metrics = Arc::clone(&self.standalone.metrics);
        EngineMetrics::new(vec![metrics]).render(&mut text);
        let sample = "lwm2m_values_total{kind=\"telemetry\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(sample));
        value
            .and_then(|value| value.parse().ok())
            .expect("a sample of telemetry")
    }
}

/// Ten resources as telemetry.
fn plan(strategy: Strategy) -> ProfilePlan {
    let planned = |path: &Path| PlannedPath {
        path: *path,
        version: None,
    };
    let steps = observations(strategy)
        .into_iter()
        .map(|paths| match strategy {
            Strategy::Single => PlannedStep::Observe(planned(&paths[0])),
            _ => PlannedStep::ObserveComposite(paths.iter().map(planned).collect()),
        });
    let mapping = |path: Path| Mapping {
        path,
        version: None,
        key: path.to_string().into(),
        destination: Destination {
            attribute: false,
            telemetry: true,
        },
        resource_type: Some((ResourceType::Float, false)),
    };
    ProfilePlan::compile(ProfileParts {
        name: "default".into(),
        mappings: objects().concat().into_iter().map(mapping).collect(),
        steps: steps.collect(),
        ..ProfileParts::default()
    })
}

/// What a profile observes, observation by observation.
fn observations(strategy: Strategy) -> Vec<Vec<Path>> {
    match strategy {
        Strategy::Single => objects()
            .concat()
            .into_iter()
            .map(|path| vec![path])
            .collect(),
        Strategy::CompositeAll => vec![objects().concat()],
        Strategy::CompositeByObject => objects(),
    }
}

fn objects() -> Vec<Vec<Path>> {
    let of = |(object, count): (u16, usize)| {
        let resources = RESOURCES[..count].iter();
        resources.map(|id| Path::resource(object, 0, *id)).collect()
    };
    OBJECTS.map(of).into()
}

/// A 2.05 with values: the answer to an Observe, or a notification.
fn message(
    (kind, mid, sequence): (MessageType, u16, u32),
    token: &[u8],
    format: u16,
    paths: &[Path],
    change: u32,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(320);
    let mut writer = MessageWriter::new(&mut bytes, kind, Code::CONTENT, mid, token);
    writer.uint(option::OBSERVE, sequence);
    writer.uint(option::CONTENT_FORMAT, format.into());
    writer.payload(&payload(format, paths, f64::from(change % 400) / 4.0));
    writer.finish();
    bytes
}

fn payload(format: u16, paths: &[Path], value: f64) -> Vec<u8> {
    match format {
        content_format::TEXT => value.to_string().into_bytes(),
        content_format::SENML_JSON => {
            let records: Vec<_> = paths
                .iter()
                .map(|path| format!("{{\"n\":\"{path}\",\"v\":{value}}}"))
                .collect();
            format!("[{}]", records.join(",")).into_bytes()
        }
        _ => {
            let mut encoder = Encoder::new(Vec::new());
            encoder.array(paths.len() as u64).expect("a Vec takes all");
            for path in paths {
                let record = encoder.map(2).and_then(|e| e.u8(0)?.str(&path.to_string()));
                let value = record.and_then(|e| e.u8(2)?.f32(value as f32));
                value.expect("a Vec takes all");
            }
            encoder.into_writer()
        }
    }
}

fn receive(shard: &mut Shard, peer: PeerAddr, bytes: &[u8]) {
    let datagram = Datagram::plain(bytes, peer);
    shard.on_datagram(&datagram, Origin::Socket);
}

fn end_turn(shard: &mut Shard) {
    shard.end();
    let sent = shard.outbox().1.len();
    shard.sent(sent);
}

fn peer(n: usize) -> PeerAddr {
    let ip = Ipv4Addr::from(0x7f01_0000 + (n / 64) as u32);
    PeerAddr::v4(ip, 10_000 + (n % 64) as u16)
}

fn register(n: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    let kind = MessageType::Confirmable;
    let mut writer = MessageWriter::new(&mut bytes, kind, Code::POST, 1, &[1; 4]);
    writer.option(option::URI_PATH, b"rd");
    writer.option(option::URI_QUERY, format!("ep=dev-{n:08}").as_bytes());
    writer.option(option::URI_QUERY, b"lwm2m=1.1");
    writer.option(option::URI_QUERY, b"lt=86400");
    writer.payload(
        b"</>;rt=\"oma.lwm2m\";ct=\"0 110 112\",</1/0>,</3/0>,</3303/0>,</3304/0>,</3323/0>",
    );
    writer.finish();
    bytes
}
