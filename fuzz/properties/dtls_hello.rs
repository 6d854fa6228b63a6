//! Bodies of ClientHello and ClientKeyExchange.

use rookery::proto::dtls::Suite;
use rookery::proto::dtls::wire::{ClientHello, HelloHead, psk_identity};

/// Whatever the bytes are: what is read lies within them, and a whole hello begins as its first
/// fragment says.
pub fn check(body: &[u8]) {
    if let Some(head) = HelloHead::parse(body) {
        assert!(head.before_cookie.len() + 1 + head.cookie.len() <= body.len());
        assert_eq!(head.random[..], body[2..34]);
    }
    if let Some(hello) = ClientHello::parse(body) {
        assert_eq!(Some(hello.head), HelloHead::parse(body));
        let offered = Suite::ALL.iter().filter(|suite| hello.offers(suite.id()));
        assert!(offered.count() * 2 <= body.len());
        assert!(hello.connection_id().is_none_or(|cid| cid.len() <= 255));
        assert!(hello.record_limit().is_none_or(|limit| limit >= 64));
        let _ = (hello.takes_raw_public_key(), hello.takes_our_curves());
    }
    if let Some(identity) = psk_identity(body) {
        assert_eq!(identity.len() + 2, body.len());
    }
}
