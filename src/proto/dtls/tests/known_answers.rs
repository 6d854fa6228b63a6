//! Bytes from elsewhere: published vectors, and OpenSSL's primitives put together by hand.

use openssl::symm::{Cipher, encrypt_aead};

use crate::proto::dtls::Suite;
use crate::proto::dtls::keys::{KeyBlock, Writer, prf};
use crate::proto::dtls::protect::{AdditionalData, Envelope, Protector};
use crate::proto::dtls::replay::ReplayWindow;
use crate::proto::dtls::wire::{self, Header, TLS12_CID};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The test vector for P_SHA256 that the IETF's TLS list settled on.
#[test]
fn the_prf_gives_the_published_bytes() {
    let secret = hex("9bbe436ba940f017b17652849a71db35");
    let seed = hex("a0ba9f936cda311827a6f796ffd5198c");
    let mut out = [0; 100];
    prf(false, &secret, &[b"test label", &seed], &mut out);
    assert_eq!(
        out[..],
        hex(
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a
             6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab
             4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701
             87347b66"
        )[..]
    );
}

#[test]
fn additional_data_is_that_of_rfc_9146_section_5() {
    let data = AdditionalData::new(TLS12_CID, wire::counter(1, 0x0203), &[0xaa, 0xbb], 0x11);
    let expected = hex("ffffffffffffffff 19 02 19 fefd 0001 000000000203 aabb 0011");
    assert_eq!(data.as_bytes(), expected);
    let data = AdditionalData::new(23, wire::counter(1, 5), &[], 0x1234);
    assert_eq!(data.as_bytes(), hex("0001000000000005 17 fefd 1234"));
}

#[test]
fn a_gcm_record_with_identifier_is_what_rfc_9146_describes() {
    let block = KeyBlock::derive(Suite::PskGcm, &[7; 48], &[1; 32], &[2; 32]);
    let keys = block.written_by(Writer::Server);
    let to = Envelope {
        content_type: 23,
        epoch: 1,
        sequence: 9,
        cid: b"id",
    };
    let mut record = Vec::new();
    let mut protector = Protector::new().unwrap();
    protector.seal(keys, to, b"content", &mut record).unwrap();
    let counter = hex("0001000000000009");
    let nonce = [keys.salt, &counter].concat();
    let aad = hex("ffffffffffffffff 19 02 19 fefd 0001000000000009 6964 0008");
    let mut tag = [0; 16];
    let cipher = Cipher::aes_128_gcm();
    let sealed = encrypt_aead(
        cipher,
        keys.key,
        Some(&nonce),
        &aad,
        b"content\x17",
        &mut tag,
    )
    .unwrap();
    let head = hex("19 fefd 0001000000000009 6964 0020");
    assert_eq!(record, [head, counter, sealed, tag.to_vec()].concat());
}

#[test]
fn every_suite_opens_what_it_sealed_and_nothing_else() {
    let mut protector = Protector::new().unwrap();
    for &suite in Suite::ALL {
        let block = KeyBlock::derive(suite, &[7; 48], &[1; 32], &[2; 32]);
        let keys = block.written_by(Writer::Server);
        assert!(!format!("{block:?} {keys:?}").contains("7, 7"));
        for cid in [&[][..], &[9; 8]] {
            for length in [0, 1, 15, 16, 64, 1_100] {
                let to = Envelope {
                    content_type: 23,
                    epoch: 1,
                    sequence: 5,
                    cid,
                };
                let (mut sealed, plain) = (Vec::new(), vec![0xa5; length]);
                protector.seal(keys, to, &plain, &mut sealed).unwrap();
                let header = Header::parse(&sealed, 8).unwrap();
                assert_eq!(header.total(), sealed.len());
                let mut copy = sealed.clone();
                let opened = protector.open(keys, &header, &mut copy).unwrap();
                assert_eq!(opened.content_type, 23);
                assert_eq!(copy[opened.range], plain[..], "{suite:?} {length}");
                let other = block.written_by(Writer::Client);
                assert!(protector.open(other, &header, &mut sealed.clone()).is_err());
                for at in [0, 3, 10, 13, sealed.len() - 1] {
                    let mut broken = sealed.clone();
                    broken[at] ^= 1;
                    let header = Header::parse(&broken, 8);
                    if let Some(header) = header.filter(|it| it.total() == broken.len()) {
                        assert!(protector.open(keys, &header, &mut broken).is_err(), "{at}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_window_takes_each_number_once() {
    let mut window = ReplayWindow::default();
    assert!(window.is_fresh(0) && window.mark(0) && !window.is_fresh(0));
    assert!(window.mark(70));
    assert!(!window.is_fresh(6) && window.is_fresh(7));
    assert!(!window.mark(69) && !window.is_fresh(69));
    assert!(window.is_fresh(68) && window.is_fresh(71));
    let last = wire::MAX_SEQUENCE;
    assert!(window.mark(last) && !window.is_fresh(last));
}
