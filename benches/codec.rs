//! Reading and writing CoAP messages: the borrowed view and the writer, with coap-lite beside
//! them on the same bytes. Reading and writing values: a Device object in every content format, with
//! the allocations of each beside the time.

use std::alloc::System;
use std::hint::black_box;
use std::time::Duration;

use coap_lite::Packet;
use criterion::{Criterion, criterion_group, criterion_main};
use rookery::proto::coap::{Code, MessageType, MessageView, MessageWriter, content_format, option};
use rookery::proto::lwm2m::codec::{EncodeOptions, decode, encode};
use rookery::proto::lwm2m::{Path, Record, ResourceType, ResourceTypes, Value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

criterion_group! {
    name = codec;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(600));
    targets = read_and_write, answer, device
}
criterion_main!(codec);

fn read_and_write(criterion: &mut Criterion) {
    for (name, message) in [
        ("update", update()),
        ("notification", notification()),
        ("register", register()),
    ] {
        let mut group = criterion.benchmark_group(format!("codec/{name}"));
        group.throughput(criterion::Throughput::Bytes(message.len() as u64));
        group.bench_function("view", |bench| {
            bench.iter(|| MessageView::parse(black_box(&message)));
        });
        group.bench_function("view and all options", |bench| {
            bench.iter(|| {
                let view = MessageView::parse(black_box(&message)).expect("well-formed");
                view.options()
                    .map(|option| usize::from(option.number) + option.value.len())
                    .sum::<usize>()
            });
        });
        group.bench_function("view and what a request needs", |bench| {
            bench.iter(|| {
                let view = MessageView::parse(black_box(&message)).expect("well-formed");
                let unknown = view.unrecognised_critical(KNOWN);
                let path = view.uri_path().map(<[u8]>::len).sum::<usize>();
                (unknown, path, view.content_format(), view.block1())
            });
        });
        group.bench_function("writer", |bench| {
            let view = MessageView::parse(&message).expect("well-formed");
            let mut buffer = Vec::with_capacity(2_048);
            bench.iter(|| {
                buffer.clear();
                copy(black_box(&view), &mut buffer)
            });
        });
        group.bench_function("coap-lite from_bytes", |bench| {
            bench.iter(|| Packet::from_bytes(black_box(&message)));
        });
        group.bench_function("coap-lite to_bytes", |bench| {
            let packet = Packet::from_bytes(&message).expect("well-formed");
            bench.iter(|| black_box(&packet).to_bytes());
        });
        group.finish();
    }
}

/// The answer to an Update, which the hot path writes for every request.
fn answer(criterion: &mut Criterion) {
    let update = update();
    let mut buffer = Vec::with_capacity(2_048);
    criterion.bench_function("codec/2.04 acknowledgement", |bench| {
        bench.iter(|| {
            buffer.clear();
            let view = MessageView::parse(black_box(&update)).expect("well-formed");
            let ack = MessageType::Acknowledgement;
            MessageWriter::new(&mut buffer, ack, Code::CHANGED, view.mid(), view.token()).finish()
        });
    });
}

/// A Device object of 17 values; the throughput is values per second.
fn device(criterion: &mut Criterion) {
    let base = Path::instance(3, 0);
    let records = device_records();
    for (name, format) in [
        ("SenML CBOR", content_format::SENML_CBOR),
        ("SenML JSON", content_format::SENML_JSON),
        ("TLV", content_format::TLV),
        ("JSON", content_format::JSON),
        ("LwM2M CBOR", content_format::LWM2M_CBOR),
    ] {
        let mut payload = Vec::with_capacity(2_048);
        let options = EncodeOptions::DEFAULT;
        encode(format, &base, &records, options, &mut payload).expect("values that fit");
        let mut buffer = Vec::with_capacity(2_048);
        let encoding = allocations(|| {
            encode(format, &base, &records, options, &mut buffer).expect("values that fit");
        });
        let decoding = allocations(|| {
            let mut count = |record| drop(black_box(record));
            decode(format, &base, &payload, &Device, 0, &mut count).expect("a good payload");
        });
        println!(
            "codec/device in {name}: {} values, {encoding} allocations to encode, \
             {decoding} to decode ({} of them strings)",
            records.len(),
            records.iter().filter(|record| is_text(record)).count()
        );
        let mut group = criterion.benchmark_group(format!("codec/device in {name}"));
        group.throughput(criterion::Throughput::Elements(records.len() as u64));
        group.bench_function("encode", |bench| {
            let mut buffer = Vec::with_capacity(2_048);
            bench.iter(|| {
                buffer.clear();
                encode(format, &base, black_box(&records), options, &mut buffer)
            });
        });
        group.bench_function("decode", |bench| {
            bench.iter(|| {
                let mut count = 0;
                decode(
                    format,
                    &base,
                    black_box(&payload),
                    &Device,
                    0,
                    &mut |record| {
                        black_box(record);
                        count += 1;
                    },
                )
                .expect("a good payload");
                assert_eq!(count, records.len());
            });
        });
        group.finish();
    }
}

/// How often memory is allocated meanwhile.
fn allocations(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    region.change().allocations
}

fn is_text(record: &Record) -> bool {
    matches!(record.value, Some(Value::String(_)))
}

/// What Wakaama's device has.
fn device_records() -> Vec<Record> {
    let string = |text: &str| Value::String(text.into());
    let mut records = Vec::new();
    let mut resource = |id, value| {
        records.push(Record {
            path: Path::resource(3, 0, id),
            time: None,
            value: Some(value),
        });
    };
    resource(0, string("Open Mobile Alliance"));
    resource(1, string("Lightweight M2M Client"));
    resource(2, string("345000123"));
    resource(3, string("1.0"));
    resource(9, Value::Integer(100));
    resource(10, Value::Integer(15));
    resource(13, Value::Time(3_162_927_041));
    resource(14, string("+01:00"));
    resource(15, string("Europe/Berlin"));
    resource(16, string("U"));
    for (id, instance, integer) in [
        (6, 0, 1),
        (6, 1, 5),
        (7, 0, 3800),
        (7, 1, 5000),
        (8, 0, 125),
        (8, 1, 900),
        (11, 0, 0),
    ] {
        records.push(Record {
            path: Path::resource_instance(3, 0, id, instance),
            time: None,
            value: Some(Value::Integer(integer)),
        });
    }
    records.sort_by_key(|record| record.path);
    assert_eq!(records.len(), 17);
    records
}

/// The definition of the Device object, as far as it is used.
struct Device;

impl ResourceTypes for Device {
    fn resource_type(&self, _: u16, resource: u16) -> Option<(ResourceType, bool)> {
        Some(match resource {
            6..=8 | 11 => (ResourceType::Integer, true),
            9 | 10 => (ResourceType::Integer, false),
            13 => (ResourceType::Time, false),
            _ => (ResourceType::String, false),
        })
    }
}

const KNOWN: &[u16] = &[
    option::URI_HOST,
    option::URI_PORT,
    option::URI_PATH,
    option::URI_QUERY,
    option::ACCEPT,
    option::BLOCK2,
    option::BLOCK1,
];

fn copy(view: &MessageView<'_>, buffer: &mut Vec<u8>) -> std::ops::Range<usize> {
    let mut writer = MessageWriter::new(buffer, view.kind(), view.code(), view.mid(), view.token());
    for option in view.options() {
        writer.option(option.number, option.value);
    }
    writer.payload(view.payload());
    writer.finish()
}

/// A registration Update: 27 bytes.
fn update() -> Vec<u8> {
    let mut buffer = Vec::new();
    let con = MessageType::Confirmable;
    let mut writer = MessageWriter::new(&mut buffer, con, Code::POST, 0x343f, &[7; 8]);
    writer
        .option(option::URI_PATH, b"rd")
        .option(option::URI_PATH, b"3606f2a81b9");
    writer.finish();
    assert_eq!(buffer.len(), 27);
    buffer
}

/// A NON notification with Observe, Content-Format and a SenML CBOR payload: 59 bytes.
fn notification() -> Vec<u8> {
    let mut buffer = Vec::new();
    let non = MessageType::NonConfirmable;
    let mut writer = MessageWriter::new(&mut buffer, non, Code::CONTENT, 0x1b43, &[7; 8]);
    writer
        .uint(option::OBSERVE, 70_000)
        .uint(option::CONTENT_FORMAT, content_format::SENML_CBOR.into())
        .payload(&[0x55; 40]);
    writer.finish();
    assert_eq!(buffer.len(), 59);
    buffer
}

/// A Register with 400 bytes of links.
fn register() -> Vec<u8> {
    let links: Vec<u8> = b"</3303/0>,".repeat(40);
    let mut buffer = Vec::new();
    let con = MessageType::Confirmable;
    let mut writer = MessageWriter::new(&mut buffer, con, Code::POST, 0xdad8, &[7; 8]);
    writer
        .option(option::URI_PATH, b"rd")
        .uint(option::CONTENT_FORMAT, content_format::LINK_FORMAT.into())
        .option(option::URI_QUERY, b"lwm2m=1.1")
        .option(option::URI_QUERY, b"ep=urn:imei:490154203237518")
        .option(option::URI_QUERY, b"lt=86400")
        .payload(&links);
    writer.finish();
    buffer
}
