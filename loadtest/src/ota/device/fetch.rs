//! A download: `GET` block by block (RFC 7959 §2.4) from where the server says.

use std::net::{IpAddr, SocketAddr};

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::answer::{block, number};
use super::flight::Doing;
use super::package::Taken;
use super::terms::Terms;
use super::{AGAIN, Device, Output, Peer};
use crate::clock::Micros;
use crate::coap::{Message, Parsed};
use crate::ota::scenario::PackageKind;

/// A download under way.
#[derive(Debug, PartialEq)]
pub(super) struct Fetch {
    from: Peer,
    path: Vec<String>,
    query: Vec<String>,
    /// Which image it is; another one would be begun with anew.
    etag: Option<Vec<u8>>,
    /// Size exponent of the blocks.
    exponent: u32,
    /// When the next block is asked for.
    at: Micros,
    /// Requests for the present block that nobody answered, retransmissions not counted.
    unanswered: u8,
}

/// Why a URL cannot be fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum UrlError {
    Invalid,
    Protocol,
}

/// A block is asked for so often, with all retransmissions each time, before the connection counts as lost.
const ATTEMPTS: u8 = 4;
/// 1,024 bytes.
const LARGEST: u32 = 6;

impl Fetch {
    pub(super) const fn next_at(&self) -> Micros {
        self.at
    }

    /// What a URL means to a device of the fleet.
    pub(super) fn of(url: &str, terms: &Terms, now: Micros) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Invalid)?;
        let secure = match scheme {
            "coap" => false,
            "coaps" => true,
            _ => return Err(UrlError::Protocol),
        };
        let (authority, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let port = if secure { 5_684 } else { 5_683 };
        let bare = authority.trim_start_matches('[').trim_end_matches(']');
        let address = authority
            .parse::<SocketAddr>()
            .or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)))
            .map_err(|_| UrlError::Invalid)?;
        let from = match (secure, terms.secure, address == terms.server) {
            (false, false, true) | (true, true, true) => Peer::Server,
            (false, ..) => Peer::Other(address),
            // A session with somebody else takes credentials that nobody gave it.
            (true, ..) => return Err(UrlError::Protocol),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parts = |text: &str, at| -> Vec<String> {
            let parts = text.split(at).filter(|part: &&str| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        Ok(Self {
            from,
            path: parts(path, '/'),
            query: parts(query, '&'),
            etag: None,
            exponent: LARGEST,
            at: now,
            unanswered: 0,
        })
    }
}

impl Device {
    /// A URL was written; an empty one resets the state.
    pub(super) fn told_url(&mut self, terms: &Terms, url: &str, now: Micros, out: &mut Output) {
        self.fetch = None;
        self.flight.take_if(|flight| flight.doing == Doing::Fetch);
        if url.is_empty() {
            return self.package.reset();
        }
        let firmware = terms.package == PackageKind::Firmware;
        match Fetch::of(url, terms, now) {
            Ok(fetch) if self.package.told_url(out) => self.fetch = Some(Box::new(fetch)),
            Ok(_) => {}
            Err(UrlError::Protocol) if firmware => self.package.give_up(9, out),
            Err(_) => self.package.give_up(if firmware { 7 } else { 56 }, out),
        }
    }

    /// Asks for the next block.
    pub(super) fn ask_block(&mut self, now: Micros, out: &mut Output) {
        let mid = self.take_mid();
        let got = self.package.got();
        let Some(fetch) = &mut self.fetch else {
            return;
        };
        fetch.at = Micros::MAX;
        let code = MessageClass::Request(RequestType::Get);
        let mut message = Message::new(MessageType::Confirmable, code, mid, &mid.to_be_bytes());
        for segment in &fetch.path {
            message = message.option(CoapOption::UriPath, segment.as_str());
        }
        for part in &fetch.query {
            message = message.option(CoapOption::UriQuery, part.as_str());
        }
        let block = ((got >> (fetch.exponent + 4)) as u32) << 4 | fetch.exponent;
        let message = message.option(CoapOption::Block2, number(block));
        let peer = fetch.from;
        self.launch(Doing::Fetch, peer, mid, message.encode(), now, out);
    }

    /// A block has come, or a refusal.
    pub(super) fn on_block(
        &mut self,
        terms: &Terms,
        message: &Parsed,
        code: ResponseType,
        now: Micros,
        out: &mut Output,
    ) {
        let Some(fetch) = &mut self.fetch else {
            return;
        };
        if code != ResponseType::Content {
            let firmware = terms.package == PackageKind::Firmware;
            return self.end_fetch(Some(if firmware { 7 } else { 56 }), out);
        }
        fetch.unanswered = 0;
        let etag = message.packet.get_first_option(CoapOption::ETag).cloned();
        let same = fetch
            .etag
            .as_ref()
            .is_none_or(|known| Some(known) == etag.as_ref());
        fetch.etag = etag;
        let option = message.uint(CoapOption::Block2);
        let (offset, more, exponent) = option.map_or((0, false, LARGEST), block);
        fetch.exponent = fetch.exponent.min(exponent);
        if !same && offset > 0 {
            // Another image than that whose blocks are here.
            self.package.reset();
            self.package.told_url(out);
            fetch.at = now;
            return;
        }
        fetch.at = now + terms.flash;
        let part = (offset, message.packet.payload.as_slice(), !more);
        let taken = self.package.take(terms, part, now, &mut self.rng, out);
        match taken {
            Taken::More => {}
            Taken::Whole | Taken::Refused => self.end_fetch(None, out),
            Taken::Missing => {
                let lost = if terms.package == PackageKind::Firmware {
                    4
                } else {
                    52
                };
                self.end_fetch(Some(lost), out);
            }
            Taken::Cut => self.lose_power(terms, now, out),
        }
        self.untold |= self.package.take_changed();
    }

    /// Nobody answers for a block. A network comes back: the device goes on where it was, for a while.
    pub(super) fn fetch_unanswered(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        let Some(fetch) = &mut self.fetch else {
            return;
        };
        fetch.unanswered += 1;
        if fetch.unanswered < ATTEMPTS {
            fetch.at = now + AGAIN;
            return;
        }
        let lost = if terms.package == PackageKind::Firmware {
            4
        } else {
            52
        };
        self.end_fetch(Some(lost), out);
    }

    fn end_fetch(&mut self, result: Option<u8>, out: &mut Output) {
        self.fetch = None;
        if let Some(result) = result {
            self.package.give_up(result, out);
        }
        self.untold |= self.package.take_changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ota::image::Image;
    use crate::ota::scenario::OtaScenario;

    #[test]
    fn a_url_leads_to_the_server_itself_or_to_somebody_else_without_dtls() {
        let digest = Image::new(vec![1]).digest;
        let server = "127.0.0.1:5685".parse().unwrap();
        let mut terms = Terms::new(&OtaScenario::default(), digest, server);
        let from = |terms: &Terms, url| Fetch::of(url, terms, 0).map(|fetch| fetch.from);
        let other = |text: &str| Ok(Peer::Other(text.parse().unwrap()));
        assert_eq!(
            from(&terms, "coap://127.0.0.1:5685/tbfw/x"),
            Ok(Peer::Server)
        );
        assert_eq!(
            from(&terms, "coap://127.0.0.1:5999/x"),
            other("127.0.0.1:5999")
        );
        assert_eq!(from(&terms, "coap://[::1]/x"), other("[::1]:5683"));
        assert_eq!(
            from(&terms, "coaps://127.0.0.1:5685/x"),
            Err(UrlError::Protocol)
        );
        assert_eq!(from(&terms, "http://127.0.0.1/x"), Err(UrlError::Protocol));
        assert_eq!(from(&terms, "coap://somewhere/x"), Err(UrlError::Invalid));
        assert_eq!(from(&terms, "nonsense"), Err(UrlError::Invalid));
        terms.secure = true;
        assert_eq!(from(&terms, "coaps://127.0.0.1:5685/x"), Ok(Peer::Server));
        assert_eq!(
            from(&terms, "coap://127.0.0.1:5685/x"),
            other("127.0.0.1:5685")
        );
    }

    #[test]
    fn path_and_query_of_a_url_are_those_of_the_request() {
        let digest = Image::new(vec![1]).digest;
        let server = "127.0.0.1:5685".parse().unwrap();
        let terms = Terms::new(&OtaScenario::default(), digest, server);
        let fetch = Fetch::of("coap://127.0.0.1:5685/a/b?c=1&d", &terms, 0).unwrap();
        assert_eq!(fetch.path, ["a", "b"]);
        assert_eq!(fetch.query, ["c=1", "d"]);
    }
}
