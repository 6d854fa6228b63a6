//! Updates of firmware and software: what endpoints are assigned, and what devices fetch.

use std::net::SocketAddr;

use crate::engine::endpoint::core::{EndpointCore, Input};
use crate::engine::endpoint::reply::Reply;
use crate::engine::metrics::Fetch;
use crate::engine::peer::Peer;
use crate::engine::update::{Assignment, DownloadToken, UpdateKind};
use crate::proto::coap::block::{BlockValue, slice};
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, content_format, option};

use super::{Datagram, Shard};

/// Size exponent of the blocks that devices which ask for none get: 1,024 bytes.
const PREFERRED_BLOCK: u8 = 6;

impl Shard {
    /// Tells an endpoint what it is assigned now.
    pub(super) fn look_at_updates(
        &mut self,
        slot: u32,
        endpoint: &str,
        withdrawn: Option<UpdateKind>,
    ) {
        if !self.lives_here(slot, endpoint) {
            return;
        }
        if let Some(kind) = withdrawn {
            self.command_endpoint(slot, Input::Withdrawn(kind));
        }
        for assignment in self.assigned(slot, endpoint) {
            self.command_endpoint(slot, Input::Assigned(assignment));
        }
    }

    /// Gives an endpoint that is being run what it is assigned: it registered, or came back after a
    /// restart.
    pub(super) fn offer_updates(&mut self, slot: u32, core: &mut EndpointCore) {
        for assignment in self.assigned(slot, core.name()) {
            self.run(slot, core, Input::Assigned(assignment), None);
        }
    }

    fn assigned(&self, slot: u32, endpoint: &str) -> impl Iterator<Item = Assignment> + use<> {
        let of = self.shared.updates.of(endpoint).unwrap_or_default();
        let origin = of
            .iter()
            .any(Option::is_some)
            .then(|| self.origin(slot))
            .flatten();
        of.into_iter().flatten().map(move |assignment| Assignment {
            origin: origin.clone(),
            ..assignment
        })
    }

    /// Where a device reaches the download resource: where the configuration says, or where it writes to
    /// anyway.
    fn origin(&self, slot: u32) -> Option<Box<str>> {
        let head = &self.endpoints.get(slot)?.head;
        let config = &self.shared.config;
        let (scheme, public, listener) = match head.peer {
            Peer::Plain(_) => ("coap", &config.public_coap, config.coap),
            Peer::Secured(_) => ("coaps", &config.public_coaps, config.coaps),
        };
        if public.is_some() {
            return public.clone();
        }
        let listener = listener?;
        let local = self.locals.address(head.local);
        let ip = local.map_or(listener.ip(), |local| local.ip());
        let reachable = !ip.is_unspecified() && listener.port() != 0;
        reachable.then(|| format!("{scheme}://{}", SocketAddr::new(ip, listener.port())).into())
    }

    /// `GET /tbfw/{token}`: a block of the package that the token stands for (RFC 7959 §2.4).
    ///
    /// A token is known to the device alone that was told it, so the answer may be longer than three
    /// times the question.
    pub(super) fn on_download(
        &mut self,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        token: &[u8],
    ) {
        self.give_back(datagram);
        let token = DownloadToken::parse(token);
        let found = token.and_then(|token| self.shared.updates.download(&token, self.now.wall));
        let Some(download) = found else {
            self.metrics.fetch(Fetch::Unknown);
            let text = "nothing to fetch under this name, or no longer";
            return self.reply(datagram, view, &Reply::refusal(Code::NOT_FOUND, text));
        };
        if view
            .accept()
            .is_some_and(|format| format != content_format::OPAQUE)
        {
            self.metrics.fetch(Fetch::BadRequest);
            let reply = Reply::refusal(Code::NOT_ACCEPTABLE, "offered: content format 42");
            return self.reply(datagram, view, &reply);
        }
        let image = &download.image;
        let asked = view.block2().unwrap_or(Ok(BlockValue::FIRST));
        let part = asked
            .ok()
            .and_then(|asked| slice(image.bytes(), asked, PREFERRED_BLOCK));
        let Some((block, payload)) = part else {
            self.metrics.fetch(Fetch::BadRequest);
            let reply = Reply::refusal(Code::BAD_REQUEST, "there is no such block");
            return self.reply(datagram, view, &reply);
        };
        self.metrics.fetch(Fetch::Block);
        self.metrics.pulled(download.kind, payload.len() as u64);
        download
            .fetched
            .block((block.offset() + payload.len()) as u64);
        let (kind, mid) = match view.kind() {
            MessageType::Confirmable => (MessageType::Acknowledgement, view.mid()),
            _ => {
                self.next_mid = self.next_mid.wrapping_add(1);
                (MessageType::NonConfirmable, self.next_mid)
            }
        };
        let arena = &mut self.out.arena;
        let mut writer = MessageWriter::new(arena, kind, Code::CONTENT, mid, view.token());
        writer.option(option::ETAG, image.etag());
        writer.uint(option::CONTENT_FORMAT, content_format::OPAQUE.into());
        if view.block2().is_some() || block.more() {
            writer.uint(option::BLOCK2, block.encode());
        }
        if let Ok(size) = u32::try_from(image.len()) {
            writer.uint(option::SIZE2, size);
        }
        writer.payload(payload);
        let bytes = writer.finish();
        self.post(datagram.peer, datagram.local, bytes);
    }
}
