//! The actor of an endpoint in a conversation: it holds the state machine and gives it back when
//! nothing is left to do.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use actix::{Actor, ActorContext, Addr, Context, Handler, Message};

use crate::engine::command::Inspect;
use crate::engine::peer::Peer;
use crate::engine::shard::{Sender, Shard};
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::coap::MessageView;
use tokio::sync::oneshot;

use super::core::{EndpointCore, Input, Route};

/// An endpoint run by an actor.
pub struct EndpointActor {
    shard: Weak<RefCell<Shard>>,
    slot: u32,
    core: Option<SharedCore>,
}

/// Where an active endpoint's messages go.
pub type EndpointAddress = Addr<EndpointActor>;

/// The state machine of an active endpoint. The actor alone changes it; the shard keeps a reference
/// to list the endpoint and to take the state back.
pub type SharedCore = Rc<RefCell<EndpointCore>>;

/// What an endpoint's actor is sent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum EndpointMessage {
    /// A message of the device.
    Deliver(Delivery),
    /// Its deadline has passed.
    Timer,
    /// Somebody wants something of the device, or wants it no more.
    Command(Input<'static>),
    /// Somebody wants to look at it.
    Inspect(Inspect),
    /// It is to be forgotten.
    Remove(oneshot::Sender<bool>),
}

/// A message of the device, on its way through the mailbox.
#[derive(Debug)]
pub struct Delivery {
    /// The datagram.
    pub bytes: Box<[u8]>,
    /// Who sent it.
    pub peer: Peer,
    /// From where.
    pub address: PeerAddr,
    /// Which address of ours it came to.
    pub local: Option<LocalAddr>,
    /// Number of the identity proven in its session.
    pub identity: Option<u64>,
    /// What it is.
    pub route: Route,
    /// The whole body when it came in blocks.
    pub body: Option<Vec<u8>>,
}

/// Starts an actor that takes the endpoint over.
#[must_use]
pub fn activate(shard: Weak<RefCell<Shard>>, slot: u32, core: SharedCore) -> EndpointAddress {
    EndpointActor {
        shard,
        slot,
        core: Some(core),
    }
    .start()
}

impl Actor for EndpointActor {
    type Context = Context<Self>;
}

impl Handler<EndpointMessage> for EndpointActor {
    type Result = ();

    fn handle(&mut self, message: EndpointMessage, context: &mut Self::Context) {
        let Some(shard) = self.shard.upgrade() else {
            return context.stop();
        };
        let Some(shared) = self.core.take() else {
            return;
        };
        let mut shard = shard.borrow_mut();
        shard.taken_from_mailbox(self.slot);
        let mut core = shared.borrow_mut();
        match message {
            EndpointMessage::Deliver(delivery) => {
                if let Ok(view) = MessageView::parse(&delivery.bytes) {
                    let sender = Sender {
                        peer: delivery.peer,
                        address: delivery.address,
                        local: delivery.local,
                        datagram_len: delivery.bytes.len(),
                        identity: delivery.identity,
                    };
                    let body = delivery.body.as_deref();
                    shard.run_message(self.slot, &mut core, &view, sender, delivery.route, body);
                }
            }
            EndpointMessage::Timer => shard.run_timer(self.slot, &mut core),
            EndpointMessage::Command(command) => {
                shard.run_command(self.slot, &mut core, command);
            }
            EndpointMessage::Inspect(what) => shard.inspect(self.slot, &core, what),
            EndpointMessage::Remove(reply) => {
                shard.retire(self.slot, &core);
                // Whoever asked may be gone.
                let _ = reply.send(true);
                return context.stop();
            }
        }
        let done = shard.may_rest(self.slot, &core);
        drop(core);
        if done {
            drop(shared);
            shard.rest(self.slot);
            context.stop();
        } else {
            self.core = Some(shared);
        }
    }
}
