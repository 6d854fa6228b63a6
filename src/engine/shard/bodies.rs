//! Bodies of requests that come in blocks (RFC 7959 §2.5).

use std::hash::Hasher as _;

use crate::proto::coap::block::{Assembled, Assembler, AssemblerLimits, hash_request};
use crate::proto::coap::{Code, MessageView};

use super::{Datagram, Shard};
use crate::engine::config::EngineConfig;
use crate::engine::endpoint::reply::Reply;
use crate::engine::metrics::{Interface, Rejection};
use crate::engine::peer::Peer;

/// Which transfer a block belongs to: the peer, the resource and the parameters (RFC 7959 §2.5).
/// Not the token: real devices take a new one for each block.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BodyKey {
    peer: Peer,
    request: u64,
}

/// The Block1 reassembly of a shard.
pub fn assembler(config: &EngineConfig, rng: &mut fastrand::Rng) -> Assembler<BodyKey> {
    let limits = AssemblerLimits {
        max_transfers: config.max_bodies,
        max_body_bytes: config.max_body,
        max_total_bytes: config.max_bodies_bytes,
        ..AssemblerLimits::default()
    };
    Assembler::new(limits, rng)
}

impl Shard {
    /// The body of a request: its payload, or what its blocks add up to.
    pub(super) fn whole_body(
        &mut self,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        interface: Interface,
    ) -> Body {
        let block = match view.block1() {
            None => return Body::Whole(None),
            Some(Ok(block)) => block,
            Some(Err(error)) => {
                let text = error.to_string();
                let reply = Reply::refusal(Code::BAD_REQUEST, &text);
                self.refuse(datagram, view, interface, Rejection::Block, &reply);
                return Body::Answered;
            }
        };
        let key = body_key(datagram.peer, view);
        let fed = self
            .bodies
            .feed(key, block, view.size1(), view.payload(), self.now.tick);
        let refusal = |code, text| Reply {
            block1: Some(block),
            ..Reply::refusal(code, text)
        };
        let reply = match fed {
            Assembled::Complete(body) => return Body::Whole(Some(body)),
            Assembled::Continue(block) => {
                let reply = Reply {
                    block1: Some(block),
                    ..Reply::code(Code::CONTINUE)
                };
                self.metrics.answer(interface, Code::CONTINUE);
                self.reply(datagram, view, &reply);
                return Body::Answered;
            }
            Assembled::Repeated(answer) => {
                self.metrics.duplicates.add(1);
                if let Some((answer, _)) = answer {
                    let reply = Reply {
                        block1: Some(block),
                        ..Reply::code(answer.code)
                    };
                    self.reply(datagram, view, &reply);
                }
                return Body::Answered;
            }
            Assembled::TooLarge { limit } => Reply {
                size1: Some(u32::try_from(limit).unwrap_or(u32::MAX)),
                ..refusal(
                    Code::REQUEST_ENTITY_TOO_LARGE,
                    "the body is longer than Size1",
                )
            },
            Assembled::WrongLength => refusal(
                Code::BAD_REQUEST,
                "the payload has not the length its Block1 option says",
            ),
            _ => refusal(
                Code::REQUEST_ENTITY_INCOMPLETE,
                "a block before this one is missing",
            ),
        };
        self.refuse(datagram, view, interface, Rejection::Block, &reply);
        Body::Answered
    }
}

/// The key of the transfer a request is part of.
pub fn body_key(peer: Peer, view: &MessageView<'_>) -> BodyKey {
    let mut hasher = ahash::AHasher::default();
    hash_request(view, &mut hasher);
    BodyKey {
        peer,
        request: hasher.finish(),
    }
}

/// What [`Shard::whole_body`] found.
pub(super) enum Body {
    /// The body: `None` when it is the payload of the message itself.
    Whole(Option<Vec<u8>>),
    /// The message has been answered.
    Answered,
}
