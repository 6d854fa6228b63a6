//! `GET /tbfw/{token}`.

use super::*;
use crate::proto::coap::block::BlockValue;

fn offered() -> (Bench, String) {
    let bench = Bench::new();
    bench.shared.updates.assign(NAME, Arc::new(firmware()));
    let [firmware, _] = bench.shared.updates.of(NAME).unwrap();
    let path = format!("/tbfw/{}", firmware.unwrap().token.text());
    (bench, path)
}

fn get(bench: &mut Bench, mid: u16, path: &str, extra: &[(u16, u32)]) -> Sent {
    let kind = MessageType::Confirmable;
    let bytes = request_with(kind, Code::GET, mid, path, &[], extra, b"");
    let mut sent = bench.send(peer(9_999), &bytes);
    assert_eq!(sent.len(), 1);
    sent.remove(0)
}

fn block2(num: u32, szx: u8) -> (u16, u32) {
    let block = BlockValue::new(num, false, szx).unwrap();
    (option::BLOCK2, block.encode())
}

#[test]
fn a_device_gets_blocks_with_size_and_entity_tag_from_any_address() {
    let (mut bench, path) = offered();
    let first = get(&mut bench, 1, &path, &[]);
    let view = first.view();
    assert_eq!(view.code(), Code::CONTENT);
    assert_eq!(view.content_format(), Some(42));
    assert_eq!(view.size2(), Some(IMAGE as u32));
    assert_eq!(view.etag().map(<[u8]>::len), Some(8));
    assert_eq!(view.payload(), &image().bytes()[..1_024]);
    // ETag, Content-Format, Block2, Size2 as real devices get them.
    let block = view.block2().unwrap().unwrap();
    assert_eq!((block.num(), block.more(), block.size()), (0, true, 1_024));
    let mut whole = view.payload().to_vec();
    for num in 1..3 {
        let next = get(&mut bench, 1 + num as u16, &path, &[block2(num, 6)]);
        assert_eq!(next.view().etag(), first.view().etag());
        whole.extend_from_slice(next.view().payload());
    }
    assert_eq!(whole, image().bytes());
    assert_eq!(
        bench.metric(r#"lwm2m_ota_fetches_total{result="block"}"#),
        3.0
    );
}

#[test]
fn a_device_that_wants_small_blocks_says_so_at_once() {
    let (mut bench, path) = offered();
    let first = get(&mut bench, 1, &path, &[block2(0, 2)]);
    assert_eq!(first.view().payload().len(), 64);
    let last = get(&mut bench, 2, &path, &[block2(47, 2)]);
    let block = last.view().block2().unwrap().unwrap();
    assert!(!block.more());
    assert_eq!(last.view().payload(), &image().bytes()[47 * 64..]);
    let behind = get(&mut bench, 3, &path, &[block2(48, 2)]);
    assert_eq!(behind.code(), Code::BAD_REQUEST);
}

#[test]
fn names_that_nobody_was_told_lead_nowhere() {
    let (mut bench, path) = offered();
    let mut other = path.clone().into_bytes();
    let at = other.len() - 3;
    other[at] = if other[at] == b'A' { b'B' } else { b'A' };
    let other = String::from_utf8(other).unwrap();
    for path in [
        &*other,
        "/tbfw/x",
        "/tbfw/00000000-0000-0000-0000-000000000000",
    ] {
        let answer = get(&mut bench, 1, path, &[]);
        assert_eq!(answer.code(), Code::NOT_FOUND, "{path}");
    }
    assert_eq!(
        bench.metric(r#"lwm2m_ota_fetches_total{result="unknown"}"#),
        3.0
    );
    bench.shared.updates.withdraw(NAME, UpdateKind::Firmware);
    assert_eq!(get(&mut bench, 2, &path, &[]).code(), Code::NOT_FOUND);
}

#[test]
fn another_format_is_not_offered() {
    let (mut bench, path) = offered();
    let answer = get(&mut bench, 1, &path, &[(option::ACCEPT, 0)]);
    assert_eq!(answer.code(), Code::NOT_ACCEPTABLE);
}

#[test]
fn any_shard_serves_a_download_and_hundreds_at_once() {
    let config = EngineConfig {
        allow_unknown: true,
        ..EngineConfig::default()
    };
    let plan = ProfilePlan::built_in_default();
    let mut group = Standalone::group(config, plan, 2, 7);
    let shared = Arc::clone(&group[0].shared);
    let one = Arc::new(firmware());
    let mut paths = Vec::new();
    for device in 0..300 {
        let name = format!("dev-{device}");
        shared.updates.assign(&name, Arc::clone(&one));
        let [firmware, _] = shared.updates.of(&name).unwrap();
        paths.push(format!("/tbfw/{}", firmware.unwrap().token.text()));
    }
    assert!(
        Arc::strong_count(one.image().unwrap()) > 300,
        "one image for all"
    );
    let now = Now {
        tick: Tick::from_millis(1_000),
        wall: 1_795_435_985_890,
    };
    for num in 0..3 {
        for (at, path) in paths.iter().enumerate() {
            let shard = &mut group[at % 2].shard;
            shard.begin(now);
            let extra = [block2(num, 6)];
            let kind = MessageType::Confirmable;
            let bytes = request_with(kind, Code::GET, num as u16, path, &[], &extra, b"");
            let datagram = Datagram::plain(&bytes, peer(at as u16));
            shard.on_datagram(&datagram, Origin::Socket);
            shard.end();
            let (arena, outbox) = shard.outbox();
            let sent = &arena[outbox[0].start as usize..][..outbox[0].len as usize];
            let offset = num as usize * 1_024;
            let end = IMAGE.min(offset + 1_024);
            let payload = MessageView::parse(sent).unwrap().payload().to_vec();
            assert_eq!(payload, image().bytes()[offset..end]);
            let count = outbox.len();
            shard.sent(count);
        }
    }
}
