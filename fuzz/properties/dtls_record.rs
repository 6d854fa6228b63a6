//! Headers of DTLS records and handshake messages.

use rookery::proto::dtls::cid::{SHARD_OFFSET, TLS12_CID, shard_of_cid, shard_of_datagram};
use rookery::proto::dtls::wire::{Fragment, Header};

/// Whatever the bytes are, and however long connection identifiers: a record and what is in it lie
/// within the bytes, and the shard is that of the identifier.
pub fn check(datagram: &[u8]) {
    for cid_length in 0..=16 {
        let mut rest = datagram;
        while let Some(header) = Header::parse(rest, cid_length) {
            assert!(header.total() <= rest.len());
            assert!(header.sequence < 1 << 48);
            assert_eq!(header.fragment(rest).len(), header.length);
            assert_consistent(header.fragment(rest));
            if header.content_type == TLS12_CID && cid_length > 0 {
                assert_eq!(shard_of_datagram(rest), shard_of_cid(header.cid(rest)));
                assert_eq!(rest.get(SHARD_OFFSET), header.cid(rest).first());
            } else {
                assert!(header.cid(rest).is_empty());
            }
            rest = &rest[header.total()..];
        }
    }
}

fn assert_consistent(content: &[u8]) {
    if let Some(message) = Fragment::parse(content) {
        assert!(message.offset + message.body.len() <= message.length);
        assert!(message.body.len() + 12 <= content.len());
        assert_eq!(message.is_whole(), message.body.len() == message.length);
    }
}
