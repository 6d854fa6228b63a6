//! Bootstrap-Pack (LwM2M Core 1.2 §6.1.7.7).

use super::*;

fn pack_request(device: &mut Device, accept: u16, block: Option<BlockValue>) -> Vec<u8> {
    let mut bytes = device.request(Code::GET, "bspack", &["ep=dev"]);
    let view = MessageView::parse(&bytes).unwrap();
    let (mid, token) = (view.mid(), view.token().to_vec());
    bytes.clear();
    let kind = MessageType::Confirmable;
    let mut writer = MessageWriter::new(&mut bytes, kind, Code::GET, mid, &token);
    writer.option(option::URI_PATH, b"bspack");
    writer.option(option::URI_QUERY, b"ep=dev");
    writer.uint(option::ACCEPT, accept.into());
    if let Some(block) = block {
        writer.uint(option::BLOCK2, block.encode());
    }
    writer.finish();
    bytes
}

/// Fetches a pack block by block.
fn fetch(world: &mut World, device: &mut Device, accept: u16) -> (Vec<u8>, usize) {
    let mut body = Vec::new();
    let mut next = None;
    for blocks in 1.. {
        let request = pack_request(device, accept, next);
        let sent = world.deliver(device.address, &request);
        assert!(sent[0].1.len() <= 3 * request.len(), "nothing is amplified");
        let view = MessageView::parse(&sent[0].1).unwrap();
        assert_eq!(view.code(), Code::CONTENT);
        assert_eq!(view.content_format(), Some(accept));
        body.extend_from_slice(view.payload());
        match view.block2().map(Result::unwrap) {
            Some(block) if block.more() => {
                next = BlockValue::new(block.num() + 1, false, block.szx());
            }
            _ => return (body, blocks),
        }
    }
    unreachable!()
}

struct Untyped;

impl ResourceTypes for Untyped {
    fn resource_type(&self, _: u16, _: u16) -> Option<(ResourceType, bool)> {
        None
    }
}

#[test]
fn a_pack_is_the_whole_configuration_in_small_blocks() {
    let formats = [
        content_format::SENML_CBOR,
        content_format::SENML_JSON,
        content_format::LWM2M_CBOR,
    ];
    for format in formats {
        let mut world = World::new(one_server());
        let mut device = Device::new(1);
        let (body, blocks) = fetch(&mut world, &mut device, format);
        assert!(blocks > 1);
        let mut paths = BTreeMap::new();
        decode(format, &Path::ROOT, &body, &Untyped, 0, &mut |record| {
            paths.insert(record.path, record.value);
        })
        .unwrap();
        assert!(paths.contains_key(&Path::resource(0, 1, 0)), "{paths:?}");
        assert!(paths.contains_key(&Path::resource(1, 0, 7)));
        assert_eq!(world.ends(), [End::Packed]);
        assert!(world.asked[0].is_pack);
        assert_eq!(world.open(), 0);
    }
}

#[test]
fn a_format_that_holds_no_pack_is_refused_and_the_device_falls_back() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let request = pack_request(&mut device, content_format::TLV, None);
    let sent = world.deliver(device.address, &request);
    let view = MessageView::parse(&sent[0].1).unwrap();
    assert_eq!(view.code(), Code::NOT_ACCEPTABLE);
    let request = device.bootstrap_request();
    world.talk(&mut device, request);
    assert_eq!(world.ends(), [End::Finished]);
}

#[test]
fn a_pack_that_is_not_fetched_to_its_end_is_dropped() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let request = pack_request(&mut device, content_format::SENML_CBOR, None);
    world.deliver(device.address, &request);
    assert_eq!(world.open(), 1);
    world.pass(60_000);
    assert_eq!(world.ends(), [End::TimedOut]);
    assert_eq!(world.open(), 0);
}

#[test]
fn the_pack_request_of_a_real_client_is_understood() {
    let request = "480136985b9e189e4c3ac642b662737061636b4d0265703d616e6a61792d62737061636b2170";
    let bytes = data_encoding::HEXLOWER.decode(request.as_bytes()).unwrap();
    let mut world = World::new(one_server());
    let sent = world.deliver(address(1), &bytes);
    let view = MessageView::parse(&sent[0].1).unwrap();
    assert_eq!(
        (view.code(), view.content_format()),
        (Code::CONTENT, Some(112))
    );
    assert_eq!(&*world.asked[0].endpoint, "anjay-bspack");
}
