//! From a datagram to the endpoint it is for.

use crate::proto::coap::block::slice;
use crate::proto::coap::{
    Code, Header, MessageType, MessageView, MessageWriter, content_format, option,
};
use crate::proto::lwm2m::registration::RegisterParams;

use super::bodies::Body;
use super::{Datagram, Shard};
use crate::engine::directory::{Admitted, Home, Standing};
use crate::engine::endpoint::core::{Presence, Route};
use crate::engine::endpoint::registration::RegisterRequest;
use crate::engine::endpoint::reply::Reply;
use crate::engine::handoff::HandedOff;
use crate::engine::metrics::{Direction, Interface, Rejection};

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A socket of this shard.
    Socket,
    /// Another shard, which took this one for the right place: it goes no further.
    Shard,
}

/// Critical options the server role understands; Proxy-Uri and Proxy-Scheme to refuse them properly.
const KNOWN_CRITICAL: [u16; 9] = [
    option::URI_HOST,
    option::URI_PORT,
    option::URI_PATH,
    option::URI_QUERY,
    option::ACCEPT,
    option::BLOCK1,
    option::BLOCK2,
    option::PROXY_URI,
    option::PROXY_SCHEME,
];

/// Critical options the client role understands in responses.
const KNOWN_CRITICAL_IN_RESPONSES: [u16; 2] = [option::BLOCK1, option::BLOCK2];

/// Endpoints of one address among which the one that waits for an empty acknowledgement is looked
/// for, those that registered last first. The response names its endpoint by token anyway.
const SEARCHED_AT_ADDRESS: usize = 256;

/// What `GET /.well-known/core` answers (RFC 6690, LwM2M Core 1.2 §6.4).
const WELL_KNOWN_CORE: &[u8] = b"</rd>;rt=\"core.rd\",</dp>";

impl Shard {
    /// Takes one datagram to the end of its way.
    pub fn on_datagram(&mut self, datagram: &Datagram<'_>, origin: Origin) {
        self.trace_arrival(datagram);
        if datagram.truncated {
            return self.refuse_oversized(datagram);
        }
        let view = match MessageView::parse(datagram.bytes) {
            Ok(view) => view,
            Err(_) => return self.refuse_malformed(datagram),
        };
        let code = view.code();
        if origin == Origin::Socket {
            self.metrics.message(Direction::In, view.kind(), code);
        }
        if code == Code::EMPTY {
            self.on_empty(datagram, &view, origin);
        } else if code.is_request() {
            match view.kind() {
                MessageType::Confirmable | MessageType::NonConfirmable => {
                    self.on_request(datagram, &view, origin);
                }
                // A request never comes in an acknowledgement or a reset (RFC 7252 §4.2, table 1).
                _ => self.metrics.reject(Rejection::Malformed),
            }
        } else {
            self.on_response(datagram, &view, origin);
        }
    }

    fn on_empty(&mut self, datagram: &Datagram<'_>, view: &MessageView<'_>, origin: Origin) {
        let route = match view.kind() {
            // CoAP ping (RFC 7252 §4.3).
            MessageType::Confirmable => return self.reset(datagram, view.mid()),
            MessageType::NonConfirmable => return self.metrics.reject(Rejection::Malformed),
            MessageType::Acknowledgement => Route::Acknowledgement,
            MessageType::Reset => Route::Reset,
        };
        let awaiting =
            |head: &crate::engine::endpoint::slot::Head| head.awaiting == Some(view.mid());
        let waiting = self
            .endpoints
            .at_address(&datagram.peer)
            .take(SEARCHED_AT_ADDRESS)
            .find(|(_, head)| awaiting(head));
        if let Some((slot, _)) = waiting {
            return self.deliver(slot, datagram, view, route, None);
        }
        // Message ids are dealt out so that the id says which shard sent the request.
        let shard = (view.mid() % u16::from(self.count)) as u8;
        if shard == self.index || origin == Origin::Shard {
            return self.metrics.reject(Rejection::Unmatched);
        }
        self.hand_off(shard, datagram);
    }

    fn on_response(&mut self, datagram: &Datagram<'_>, view: &MessageView<'_>, origin: Origin) {
        let known = &KNOWN_CRITICAL_IN_RESPONSES;
        if view.unrecognised_critical(known).is_some() {
            // To be rejected, not to be taken for what it would be without it (RFC 7252 §5.4.1).
            self.metrics.reject(Rejection::BadOption);
            if view.kind() == MessageType::Confirmable {
                self.reset(datagram, view.mid());
            }
            return;
        }
        let Some(parts) = self.shared.keys.token_parts(view.token()) else {
            return self.unmatched(datagram, view);
        };
        if parts.shard != self.index {
            if parts.shard < self.count && origin == Origin::Socket {
                return self.hand_off(parts.shard, datagram);
            }
            return self.unmatched(datagram, view);
        }
        let head = self.endpoints.get(parts.slot).map(|slot| &slot.head);
        match head {
            Some(head) if head.salt as u16 == parts.salt => {
                let known = match datagram.owner {
                    Some(_) => self.may_speak(parts.slot, datagram),
                    None => head.peer == datagram.peer,
                };
                if !known {
                    // A plain CoAP device that moved must update first; a Reset would end the
                    // observation of one that is about to.
                    return self.metrics.reject(Rejection::ForeignAddress);
                }
                if !self.repeated(parts.slot, datagram, view, Route::Response) {
                    self.deliver(parts.slot, datagram, view, Route::Response, None);
                }
            }
            _ => self.unmatched(datagram, view),
        }
    }

    fn on_request(&mut self, datagram: &Datagram<'_>, view: &MessageView<'_>, origin: Origin) {
        if let Some(number) = view.unrecognised_critical(&KNOWN_CRITICAL) {
            self.metrics.reject(Rejection::BadOption);
            if view.kind() == MessageType::Confirmable {
                let text =
                    format!("critical option {number} is unknown, repeated or of a wrong length");
                self.reply(datagram, view, &Reply::refusal(Code::BAD_OPTION, &text));
            }
            return;
        }
        let proxy = [option::PROXY_URI, option::PROXY_SCHEME];
        if proxy.iter().any(|number| view.option(*number).is_some()) {
            self.metrics.reject(Rejection::NotFound);
            let reply = Reply::refusal(Code::PROXYING_NOT_SUPPORTED, "this is no proxy");
            return self.reply(datagram, view, &reply);
        }
        let mut path = view.uri_path();
        let segments = [path.next(), path.next(), path.next()];
        match (view.code(), segments) {
            (Code::POST, [Some(b"rd"), None, None]) => self.on_register(datagram, view, origin),
            (Code::POST, [Some(b"rd"), Some(id), None]) => {
                self.on_location(datagram, view, origin, id, Route::Update);
            }
            (Code::DELETE, [Some(b"rd"), Some(id), None]) => {
                self.on_location(datagram, view, origin, id, Route::Deregister);
            }
            (Code::POST, [Some(b"dp"), None, None]) => self.on_send(datagram, view, origin),
            (Code::GET, [Some(b".well-known"), Some(b"core"), None]) => {
                self.on_discovery(datagram, view);
            }
            (Code::GET, [Some(b"tbfw" | b"tbsw"), Some(token), None]) => {
                self.on_download(datagram, view, token);
            }
            (_, [Some(b"rd" | b"dp"), None, None])
            | (_, [Some(b"rd"), Some(_), None])
            | (_, [Some(b".well-known"), Some(b"core"), None]) => {
                self.metrics.reject(Rejection::MethodNotAllowed);
                let text =
                    "accepted: POST /rd, POST and DELETE /rd/{id}, POST /dp, GET /.well-known/core";
                self.reply(
                    datagram,
                    view,
                    &Reply::refusal(Code::METHOD_NOT_ALLOWED, text),
                );
            }
            _ => {
                self.metrics.reject(Rejection::NotFound);
                let text = "no such resource; there are /rd, /dp and /.well-known/core";
                self.reply(datagram, view, &Reply::refusal(Code::NOT_FOUND, text));
            }
        }
    }

    fn on_discovery(&mut self, datagram: &Datagram<'_>, view: &MessageView<'_>) {
        let whole = (None, WELL_KNOWN_CORE);
        let part = match view.block2() {
            None => Some(whole),
            Some(block) => block
                .ok()
                .and_then(|block| slice(WELL_KNOWN_CORE, block, block.szx()))
                .map(|(block, payload)| (Some(block), payload)),
        };
        let reply = match (view.accept(), part) {
            (None | Some(content_format::LINK_FORMAT), Some((block2, payload))) => Reply {
                content_format: Some(content_format::LINK_FORMAT),
                block2,
                payload,
                ..Reply::code(Code::CONTENT)
            },
            (None | Some(content_format::LINK_FORMAT), None) => {
                Reply::refusal(Code::BAD_REQUEST, "there is no such block")
            }
            _ => Reply::refusal(Code::NOT_ACCEPTABLE, "offered: content format 40"),
        };
        self.reply(datagram, view, &reply);
    }

    fn on_register(&mut self, datagram: &Datagram<'_>, view: &MessageView<'_>, origin: Origin) {
        let params = match RegisterParams::parse(view.uri_query()) {
            Ok(params) => params,
            Err(error) => {
                let text = error.to_string();
                let code = Code::from_u8(error.coap_code());
                return self.refuse(
                    datagram,
                    view,
                    Interface::Register,
                    Rejection::BadRequest,
                    &Reply::refusal(code, &text),
                );
            }
        };
        let endpoint = match self.who_registers(params.endpoint, datagram) {
            Ok(endpoint) => endpoint,
            Err(text) => {
                let reply = Reply::refusal(Code::FORBIDDEN, text);
                return self.refuse(
                    datagram,
                    view,
                    Interface::Register,
                    Rejection::Forbidden,
                    &reply,
                );
            }
        };
        let (home, admitted) = match self.shared.directory.standing(endpoint) {
            Standing::Refused => {
                let reply = Reply::refusal(Code::FORBIDDEN, "this endpoint is not known here");
                return self.refuse(
                    datagram,
                    view,
                    Interface::Register,
                    Rejection::Forbidden,
                    &reply,
                );
            }
            Standing::At(home, admitted) => (Some(home), admitted),
            Standing::New(admitted) => (None, admitted),
        };
        if let Some(home) = home {
            if home.shard != self.index {
                return self.hand_off_once(home.shard, datagram, origin);
            }
            if self.repeated(home.slot, datagram, view, Route::Register) {
                return;
            }
        }
        let body = match self.whole_body(datagram, view, Interface::Register) {
            Body::Whole(body) => body,
            Body::Answered => return,
        };
        let slot = match home {
            Some(home) => home.slot,
            None => {
                let bytes = body.as_deref().unwrap_or(view.payload());
                match self.new_endpoint(datagram, view, endpoint, admitted, bytes) {
                    Some(home) if home.shard == self.index => home.slot,
                    Some(home) => return self.hand_off_once(home.shard, datagram, origin),
                    None => return,
                }
            }
        };
        self.admit(slot, admitted);
        self.deliver(slot, datagram, view, Route::Register, body);
    }

    /// The endpoint that registers: the one it states, or else the one its identity belongs to
    /// (LwM2M Core 1.2 §6.2.1). Why none, in words.
    fn who_registers<'a>(
        &self,
        stated: Option<&'a str>,
        datagram: &Datagram<'a>,
    ) -> Result<&'a str, &'static str> {
        let endpoint = match (stated, datagram.owner) {
            (Some(stated), Some(owner)) if *stated != **owner => {
                return Err("ep is not the endpoint that the identity belongs to");
            }
            (Some(stated), _) => stated,
            (None, Some(owner)) => owner,
            (None, None) => return Err("ep is missing and plain CoAP proves no identity"),
        };
        if self.admits(endpoint, &datagram.peer) {
            Ok(endpoint)
        } else {
            Err("this endpoint has to register with another security mode")
        }
    }

    /// Makes room for an endpoint whose Register is in order; answers the device when it cannot.
    fn new_endpoint(
        &mut self,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        endpoint: &str,
        admitted: Admitted,
        body: &[u8],
    ) -> Option<Home> {
        if let Err(refusal) = RegisterRequest::parse(view, body, &mut self.links) {
            self.refuse(
                datagram,
                view,
                Interface::Register,
                Rejection::BadRequest,
                &refusal.reply(),
            );
            return None;
        }
        let busy = |text| Reply {
            max_age: Some(30),
            ..Reply::refusal(Code::SERVICE_UNAVAILABLE, text)
        };
        if !self.newcomers.admit(&datagram.address, self.now.tick) {
            let reply = busy("too many new devices from this address");
            self.refuse(
                datagram,
                view,
                Interface::Register,
                Rejection::RegisterRate,
                &reply,
            );
            return None;
        }
        let Some(home) = self.settle(datagram, endpoint, admitted) else {
            let reply = busy("the server holds as many devices as it may");
            self.refuse(datagram, view, Interface::Register, Rejection::Full, &reply);
            return None;
        };
        Some(home)
    }

    /// An Update or a De-register: the registration id in the path leads to the endpoint.
    fn on_location(
        &mut self,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        origin: Origin,
        id: &[u8],
        route: Route,
    ) {
        let interface = if route == Route::Update {
            Interface::Update
        } else {
            Interface::Deregister
        };
        let unknown = Reply::no_registration();
        let Some(place) = self.shared.keys.place_of(id) else {
            return self.refuse(datagram, view, interface, Rejection::NotFound, &unknown);
        };
        if place.shard != self.index && place.shard < self.count && origin == Origin::Socket {
            return self.hand_off(place.shard, datagram);
        }
        let fits = place.shard == self.index
            && self
                .endpoints
                .get(place.slot)
                .is_some_and(|slot| slot.head.salt == place.salt && slot.is_taken());
        if !fits {
            return self.refuse(datagram, view, interface, Rejection::NotFound, &unknown);
        }
        if !self.may_speak(place.slot, datagram) {
            let text = "the registration is of another identity";
            let reply = Reply::refusal(Code::FORBIDDEN, text);
            return self.refuse(datagram, view, interface, Rejection::Forbidden, &reply);
        }
        if self.repeated(place.slot, datagram, view, route) {
            return;
        }
        let body = match self.whole_body(datagram, view, interface) {
            Body::Whole(body) => body,
            Body::Answered => return,
        };
        self.deliver(place.slot, datagram, view, route, body);
    }

    /// A Send names no registration: the identity of its session leads to the endpoint, or the
    /// address, of several there to the one that registered last.
    fn on_send(&mut self, datagram: &Datagram<'_>, view: &MessageView<'_>, origin: Origin) {
        let directory = &self.shared.directory;
        let home = datagram.owner.and_then(|owner| directory.home(owner));
        let shard = match datagram.owner {
            Some(_) => home.map(|home| home.shard),
            None => directory.stray_home(&datagram.address),
        };
        if origin == Origin::Socket
            && let Some(shard) = shard
            && shard != self.index
        {
            return self.hand_off(shard, datagram);
        }
        let slot = match datagram.owner {
            Some(_) => home.map(|home| home.slot).filter(|slot| {
                let entry = self.endpoints.get(*slot);
                entry.is_some_and(|entry| entry.head.counted != Presence::Absent)
            }),
            None => {
                let mut there = self.endpoints.at_address(&datagram.peer);
                there.next().map(|(slot, _)| slot)
            }
        };
        let slot = slot.filter(|slot| self.may_speak(*slot, datagram));
        let Some(slot) = slot else {
            let reply = Reply::nobody_here();
            return self.refuse(datagram, view, Interface::Send, Rejection::NotFound, &reply);
        };
        if self.repeated(slot, datagram, view, Route::Send) {
            return;
        }
        match self.whole_body(datagram, view, Interface::Send) {
            Body::Whole(body) => self.deliver(slot, datagram, view, Route::Send, body),
            Body::Answered => {}
        }
    }

    fn hand_off_once(&mut self, shard: u8, datagram: &Datagram<'_>, origin: Origin) {
        match origin {
            Origin::Socket => self.hand_off(shard, datagram),
            Origin::Shard => self.metrics.reject(Rejection::Handoff),
        }
    }

    fn hand_off(&mut self, shard: u8, datagram: &Datagram<'_>) {
        let handed = HandedOff::Message {
            bytes: datagram.bytes.into(),
            peer: datagram.peer,
            address: datagram.address,
            owner: datagram.owner.cloned(),
            local: datagram.local,
        };
        self.hand_over(shard, handed);
    }

    /// Hands something to another shard; it is lost when there is no room.
    pub(super) fn hand_over(&mut self, shard: u8, handed: HandedOff) {
        if !self.handoffs.push(shard, handed) {
            self.metrics.reject(Rejection::Handoff);
        }
    }

    /// A message that is no CoAP: a confirmable one is reset, others are dropped (RFC 7252 §4.2, §4.3).
    fn refuse_malformed(&mut self, datagram: &Datagram<'_>) {
        self.metrics.reject(Rejection::Malformed);
        if let Some(header) = Header::peek(datagram.bytes)
            && header.kind == MessageType::Confirmable
        {
            self.reset(datagram, header.mid);
        }
    }

    /// A datagram longer than the buffer: the options are there, the payload is not whole.
    fn refuse_oversized(&mut self, datagram: &Datagram<'_>) {
        self.metrics.reject(Rejection::TooLarge);
        match MessageView::parse(datagram.bytes) {
            Ok(view) if view.code().is_request() && view.kind() == MessageType::Confirmable => {
                let limit = u32::try_from(self.shared.config.max_body).unwrap_or(u32::MAX);
                let code = Code::REQUEST_ENTITY_TOO_LARGE;
                let reply = Reply {
                    size1: Some(limit),
                    ..Reply::refusal(code, "use Block1")
                };
                self.reply(datagram, &view, &reply);
            }
            _ => self.refuse_malformed(datagram),
        }
    }

    /// A response nobody waits for.
    fn unmatched(&mut self, datagram: &Datagram<'_>, view: &MessageView<'_>) {
        self.metrics.reject(Rejection::Unmatched);
        if view.kind() != MessageType::Acknowledgement {
            self.reset(datagram, view.mid());
        }
    }

    fn reset(&mut self, datagram: &Datagram<'_>, mid: u16) {
        let bytes = MessageWriter::empty(&mut self.out.arena, MessageType::Reset, mid);
        self.post(datagram.peer, datagram.local, bytes);
    }
}
