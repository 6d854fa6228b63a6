//! What an exchange costs beside its bytes: deduplication, and a request of our own.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rookery::proto::coap::exchange::{
    Answer, DedupRing, Exchange, MidSequence, Token, TransmissionParams,
};
use rookery::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};
use rookery::proto::time::Tick;

criterion_group! {
    name = exchange;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(600));
    targets = deduplication, request
}
criterion_main!(exchange);

fn deduplication(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dedup");
    let answer = Answer::of(Code::CHANGED);
    group.bench_function("ring of 4, new message", |bench| {
        let mut ring = DedupRing::<4>::new();
        let (mut mid, now) = (0_u16, Tick::from_millis(1_000_000));
        bench.iter(|| {
            mid = mid.wrapping_add(1);
            let seen = ring.check(black_box(mid), 0, now);
            (seen, ring.record(mid, now, answer))
        });
    });
    group.bench_function("ring of 4, repeated message", |bench| {
        let mut ring = DedupRing::<4>::new();
        let now = Tick::from_millis(1_000_000);
        for mid in 0..4 {
            ring.record(mid, now, answer);
        }
        bench.iter(|| ring.check(black_box(0), 0, now));
    });
    group.finish();
}

fn request(criterion: &mut Criterion) {
    let params = TransmissionParams::default();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut mids = MidSequence::new(0, 2, 1);
    let mut buffer = Vec::with_capacity(256);
    let mut group = criterion.benchmark_group("request");
    group.bench_function("create", |bench| {
        bench.iter(|| {
            buffer.clear();
            let token = Token::random(&mut rng);
            write_read(&mut buffer, mids.next(), &token);
            Exchange::new(buffer.as_slice().into(), Tick::ZERO, &params, &mut rng)
        });
    });
    group.bench_function("acknowledge and match the response", |bench| {
        let mut message = Vec::new();
        let token = Token::random(&mut rng);
        write_read(&mut message, 77, &token);
        let exchange = Exchange::new(message.into(), Tick::ZERO, &params, &mut rng);
        let mut response = Vec::new();
        let con = MessageType::Confirmable;
        let mut writer = MessageWriter::new(&mut response, con, Code::CONTENT, 9, token.as_bytes());
        writer.payload(b"42");
        writer.finish();
        bench.iter_batched_ref(
            || exchange.clone(),
            |exchange| {
                let acknowledged = exchange.on_ack(black_box(77), Tick::ZERO);
                let view = MessageView::parse(black_box(&response)).expect("well-formed");
                (acknowledged, exchange.accepts(&view))
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn write_read(buffer: &mut Vec<u8>, mid: u16, token: &Token) {
    let con = MessageType::Confirmable;
    let mut writer = MessageWriter::new(buffer, con, Code::GET, mid, token.as_bytes());
    writer
        .option(option::URI_PATH, b"3")
        .option(option::URI_PATH, b"0")
        .option(option::URI_PATH, b"9")
        .uint(option::ACCEPT, 112);
    writer.finish();
}
