//! Answers to devices that no state machine gives: to strangers, to errors and to repetitions.

use crate::engine::endpoint::core::Route;
use crate::engine::endpoint::identity::Place;
use crate::engine::endpoint::reply::Reply;
use crate::engine::metrics::{Interface, Rejection};
use crate::engine::peer::Peer;
use crate::proto::coap::exchange::Answer;
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter};

use super::bodies::body_key;
use super::{Datagram, Shard};

/// Stands in the deduplication ring for a message that waits in a mailbox.
pub(super) const PENDING: Code = Code::from_u8(0xff);

/// Stands there for a message that was answered with an error.
pub(super) const REDO: Code = Code::from_u8(0xfe);

/// Distinguishes messages that share an id though they are not repetitions: a device that restarts
/// may draw an id it used before, and ids are those of an address (RFC 7252 §4.4).
///
/// 32 bits, because many devices number their messages from the same start: at eight, one Register in
/// a hundred from a new address would pass for a repetition of the last ones.
pub(super) fn fingerprint(view: &MessageView<'_>, route: Route, peer: &Peer) -> u32 {
    let mut hasher = Mix(u64::from(view.code().as_u8()) << 8 | route as u64);
    let token = view.token();
    let token = token.iter().fold(token.len() as u64, |word, byte| {
        word << 8 | u64::from(*byte)
    });
    for word in peer.words().into_iter().chain([token]) {
        hasher.add(word);
    }
    (hasher.0 >> 32) as u32
}

/// A multiplicative hash of a few words: the same in every run, so that a simulation repeats.
struct Mix(u64);

impl Mix {
    fn add(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 29;
    }
}

impl Shard {
    /// Answers a request that belongs to no endpoint.
    pub(super) fn reply(
        &mut self,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        reply: &Reply<'_>,
    ) {
        self.next_mid = self.next_mid.wrapping_add(1);
        if let Some(bytes) = reply.write(view, self.next_mid, &mut self.out.arena) {
            self.post(datagram.peer, datagram.local, bytes);
        }
    }

    /// Answers a request with an error and counts it.
    pub(super) fn refuse(
        &mut self,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        interface: Interface,
        reason: Rejection,
        reply: &Reply<'_>,
    ) {
        self.metrics.reject(reason);
        self.metrics.answer(interface, reply.code);
        self.reply(datagram, view, reply);
        if view.block1().is_some() {
            let key = body_key(datagram.peer, view);
            self.bodies.answered(&key, Answer::of(reply.code), 0);
        }
    }

    /// Recognises a message that has been handled already and answers it as the first time
    /// (RFC 7252 §4.5). Where the device is by now does not matter: a copy that was held up at its
    /// old address must not bring it back there.
    pub(super) fn repeated(
        &mut self,
        slot: u32,
        datagram: &Datagram<'_>,
        view: &MessageView<'_>,
        route: Route,
    ) -> bool {
        if view.kind() == MessageType::Acknowledgement {
            return false;
        }
        let Some(entry) = self.endpoints.get(slot) else {
            return false;
        };
        let fingerprint = fingerprint(view, route, &datagram.peer);
        let answer = entry
            .head
            .remembered(route, view.mid(), fingerprint, self.now.tick);
        let Some(answer) = answer.filter(|answer| answer.code != REDO) else {
            return false;
        };
        self.metrics.duplicates.add(1);
        if view.kind() != MessageType::Confirmable || answer.code == PENDING {
            return true;
        }
        if answer.code == Code::EMPTY {
            let ack = MessageType::Acknowledgement;
            let bytes = MessageWriter::empty(&mut self.out.arena, ack, view.mid());
            self.post(datagram.peer, datagram.local, bytes);
            return true;
        }
        let place = Place {
            shard: self.index,
            slot,
            salt: entry.head.salt,
        };
        let id = self.shared.keys.registration_id(place);
        let reply = Reply {
            location: (answer.code == Code::CREATED).then_some(&id),
            block1: view.block1().and_then(Result::ok),
            ..Reply::code(answer.code)
        };
        self.reply(datagram, view, &reply);
        true
    }
}
