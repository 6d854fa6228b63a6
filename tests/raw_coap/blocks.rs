//! Requests in Block1 (RFC 7959).

use serde_json::json;

use crate::support::datagram::{
    BLOCK1, CONTENT_FORMAT, Datagram, LINK_FORMAT, POST, SENML_JSON, hex,
};
use crate::support::engine::Engine;
use crate::support::peer::{Peer, location};

const ANJAY_LINKS: &[u8] = b"</1/1>,</2>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</9/0>,</9/1>,</10>;ver=1.1,</10/0>,</11>,</16>,</19>,</20/0>,</3303/0>,</3313/0>,</3347/0>,</33605>,</33606/0>,</33607/0>,</33608>,</33609/0>,</33629>";

/// Anjay takes a new token for every block.
#[test]
fn a_register_in_blocks_with_a_new_token_each_is_created() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let blocks: Vec<&[u8]> = ANJAY_LINKS.chunks(64).collect();
    let tokens = [
        "43387112637d092e",
        "0102030405060708",
        "1112131415161718",
        "e351aed647c4a0c4",
    ];
    let mut answer = Vec::new();
    for (number, (block, token)) in (0_u8..).zip(blocks.iter().zip(tokens)) {
        let more = usize::from(number) + 1 < blocks.len();
        let value = number << 4 | u8::from(more) << 3 | 2;
        let request = Datagram::con(POST, 0xf098 + u16::from(number))
            .token(&hex(token))
            .path("rd")
            .option(CONTENT_FORMAT, &[LINK_FORMAT])
            .query("lwm2m=1.1&ep=anjay-small&lt=60")
            .option(BLOCK1, &[value])
            .payload(block)
            .encode();
        answer = peer.exchange(&request);
        if more {
            let expected = format!(
                "685f{:04x}{token}d10e{value:02x}",
                0xf098 + u16::from(number)
            );
            assert_eq!(answer, hex(&expected));
        }
    }
    assert_eq!(blocks.len(), 4);
    assert_eq!(answer[..12], hex("6841f09be351aed647c4a0c4"));
    assert_eq!(answer[answer.len() - 3..], hex("d10632"));
    let id = location(&answer).expect("a location");
    let shown = engine.registration("anjay-small");
    assert_eq!(shown["id"], id.as_str());
    assert_eq!(shown["objects"]["33609"]["instances"], json!([0]));
}

/// Wakaama keeps its token.
#[test]
fn a_recorded_register_of_wakaama_in_blocks_is_created() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let first = hex(
        "4402555656553831b272641128396c776d326d3d312e310a65703d77616b2d626c6b03623d55056c743d3630c10aff3c2f3e3b72743d226f6d612e6c776d326d223b63743d3131302c3c2f313e3b7665723d312e312c3c2f312f303e2c3c2f322f303e2c3c2f332f303e2c3c2f342f",
    );
    let second = hex(
        "4402555756553831b272641128396c776d326d3d312e310a65703d77616b2d626c6b03623d55056c743d3630c11aff303e2c3c2f352f303e2c3c2f362f303e2c3c2f372f303e2c3c2f33313032343e3b7665723d312e302c3c2f33313032342f31303e2c3c2f33313032342f31313e",
    );
    let last = hex(
        "4402555856553831b272641128396c776d326d3d312e310a65703d77616b2d626c6b03623d55056c743d3630c122ff2c3c2f33313032342f31323e",
    );
    assert_eq!(peer.exchange(&first), hex("645f555656553831d10e0a"));
    assert_eq!(peer.exchange(&second), hex("645f555756553831d10e1a"));
    let answer = peer.exchange(&last);
    assert_eq!(answer[..8], hex("6441555856553831"));
    assert_eq!(answer[answer.len() - 3..], hex("d10622"));
    assert_eq!(
        engine.registration("wak-blk")["objects"]["31024"]["instances"],
        json!([10, 11, 12])
    );
}

#[test]
fn a_block_out_of_order_makes_the_request_incomplete() {
    let engine = Engine::start();
    let third = Datagram::con(POST, 7)
        .token(b"t")
        .path("rd")
        .query("lwm2m=1.1&ep=device&lt=60")
        .option(BLOCK1, &[0x2a])
        .payload(&[b'x'; 64])
        .encode();
    assert_eq!(Peer::of(&engine).exchange(&third)[..5], hex("6188000774"));
}

#[test]
fn a_send_in_blocks_becomes_telemetry() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let register = Datagram::con(POST, 1)
        .path("rd")
        .query("lwm2m=1.1&ep=device&lt=60")
        .payload(b"</3/0>");
    peer.register(&register.encode());
    let pack = br#"[{"bn":"/3/0/","n":"0","vs":"a manufacturer"},{"n":"9","v":23}]"#;
    let (first, last) = pack.split_at(32);
    assert_eq!(last.len(), 31);
    let block = |mid: u16, value: u8, payload: &[u8]| {
        Datagram::con(POST, mid)
            .path("dp")
            .option(CONTENT_FORMAT, &[SENML_JSON])
            .option(BLOCK1, &[value])
            .payload(payload)
            .encode()
    };
    assert_eq!(peer.exchange(&block(2, 0x09, first)), hex("605f0002d10e09"));
    assert_eq!(peer.exchange(&block(3, 0x11, last)), hex("60440003d10e11"));
    engine.await_telemetry("device", "batteryLevel", &json!(23));
    engine.await_attribute("device", "manufacturer", &json!("a manufacturer"));
}
