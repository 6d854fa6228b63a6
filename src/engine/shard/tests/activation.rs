//! Endpoints run by their actors behave as those run at rest.

use std::cell::RefCell;
use std::rc::Rc;

use actix::System;

use super::*;
use crate::engine::endpoint::slot::State;

/// A shard whose endpoints are run by actors while they are in a conversation.
struct Hosted {
    shard: Rc<RefCell<Shard>>,
    bench: Bench,
}

impl Hosted {
    fn new() -> Self {
        let mut bench = Bench::new();
        let spare = Bench::new().shard;
        let shard = Rc::new(RefCell::new(std::mem::replace(&mut bench.shard, spare)));
        shard.borrow_mut().set_host(Rc::downgrade(&shard));
        Self { shard, bench }
    }

    /// Takes a datagram in and lets the actors run.
    async fn send(&mut self, from: PeerAddr, bytes: &[u8]) -> Vec<Sent> {
        let datagram = Datagram::plain(bytes, from);
        self.shard
            .borrow_mut()
            .on_datagram(&datagram, Origin::Socket);
        self.settle().await
    }

    async fn settle(&mut self) -> Vec<Sent> {
        while self.shard.borrow().mailboxes() > 0 {
            tokio::task::yield_now().await;
        }
        // The shard moves into the bench for a moment, so that both kinds of test read outputs alike.
        std::mem::swap(&mut *self.shard.borrow_mut(), &mut self.bench.shard);
        let sent = self.bench.drain();
        std::mem::swap(&mut *self.shard.borrow_mut(), &mut self.bench.shard);
        sent
    }

    fn is_active(&self, endpoint: &str) -> bool {
        let slot = self.bench.shared.directory.home(endpoint).unwrap().slot;
        matches!(
            self.shard.borrow().endpoints.get(slot).unwrap().state,
            State::Active(..)
        )
    }

    async fn inspect<T>(
        &mut self,
        endpoint: &str,
        what: impl FnOnce(oneshot::Sender<Option<T>>) -> Inspect,
    ) -> T {
        let slot = self.bench.shared.directory.home(endpoint).unwrap().slot;
        let (reply, answer) = oneshot::channel();
        let endpoint = endpoint.to_owned();
        let command = Command::Inspect {
            slot,
            endpoint,
            what: what(reply),
        };
        self.shard.borrow_mut().on_command(command);
        answer.await.unwrap().unwrap()
    }
}

fn hosted<F: std::future::Future<Output = ()>>(test: impl FnOnce(Hosted) -> F) {
    System::new().block_on(async { test(Hosted::new()).await });
}

#[test]
fn a_conversation_is_held_by_an_actor_and_the_endpoint_rests_afterwards() {
    hosted(|mut hosted| async move {
        let mut sent = hosted.send(peer(1), &register(1, "dev-1")).await;
        assert_eq!(sent.remove(0).code(), Code::CREATED);
        for expected in ["/3/0/9", "/3/0/0", "/3/0/1", "/3/0/3"] {
            assert!(hosted.is_active("dev-1"));
            assert_eq!(sent[0].path(), expected);
            let options: &[(u16, u32)] = if expected == "/3/0/9" {
                &[(option::OBSERVE, 0)]
            } else {
                &[]
            };
            sent = hosted
                .send(peer(1), &response(&sent[0], Code::CONTENT, options, b"7"))
                .await;
        }
        assert!(!hosted.is_active("dev-1"));
        let telemetry = hosted.inspect("dev-1", Inspect::Telemetry).await;
        assert_eq!(telemetry["batteryLevel"][0].value, 7);
        assert_eq!(hosted.bench.metric("lwm2m_active_endpoints"), 0.0);
    });
}

#[test]
fn an_active_endpoint_answers_updates_and_inspection() {
    hosted(|mut hosted| async move {
        let sent = hosted.send(peer(1), &register(1, "dev-1")).await;
        let location = location(&sent[0]);
        let update = request(Code::POST, 2, &location, &[], &[]);
        let first = hosted.send(peer(1), &update).await;
        assert_eq!(first[0].code(), Code::CHANGED);
        assert_eq!(hosted.send(peer(1), &update).await[0].bytes, first[0].bytes);
        let view = hosted.inspect("dev-1", Inspect::Registration).await;
        assert!(view.active);
        assert_eq!(view.observations[0].state, "pending");
    });
}

#[test]
fn a_repetition_that_overtakes_the_mailbox_is_not_handled_twice() {
    hosted(|mut hosted| async move {
        let sent = hosted.send(peer(1), &register(1, "dev-1")).await;
        let update = request(Code::POST, 2, &location(&sent[0]), &[], &[]);
        let datagram = Datagram::plain(&update, peer(1));
        hosted
            .shard
            .borrow_mut()
            .on_datagram(&datagram, Origin::Socket);
        hosted
            .shard
            .borrow_mut()
            .on_datagram(&datagram, Origin::Socket);
        let sent = hosted.settle().await;
        assert_eq!(sent.len(), 1);
        assert_eq!(hosted.bench.metric("lwm2m_coap_duplicates_total"), 1.0);
    });
}

#[test]
fn a_flooded_endpoint_loses_its_own_messages_and_nobody_elses() {
    hosted(|mut hosted| async move {
        let sent = hosted.send(peer(1), &register(1, "flooded")).await;
        let flooded = location(&sent[0]);
        let sent = hosted.send(peer(2), &register(1, "other")).await;
        let other = location(&sent[0]);
        for mid in 0..100 {
            let update = request(Code::POST, 1_000 + mid, &flooded, &[], &[]);
            let datagram = Datagram::plain(&update, peer(1));
            hosted
                .shard
                .borrow_mut()
                .on_datagram(&datagram, Origin::Socket);
        }
        let sent = hosted
            .send(peer(2), &request(Code::POST, 2, &other, &[], &[]))
            .await;
        assert!(
            sent.iter()
                .any(|sent| sent.peer == peer(2) && sent.code() == Code::CHANGED)
        );
        assert!(
            hosted
                .bench
                .metric("lwm2m_coap_rejected_total{reason=\"backlog\"}")
                > 0.0
        );
    });
}

#[test]
fn an_active_endpoint_can_be_removed() {
    hosted(|mut hosted| async move {
        hosted.send(peer(1), &register(1, "dev-1")).await;
        let slot = hosted.bench.shared.directory.home("dev-1").unwrap().slot;
        let (reply, answer) = oneshot::channel();
        let endpoint = "dev-1".to_owned();
        hosted.shard.borrow_mut().on_command(Command::Remove {
            slot,
            endpoint,
            reply,
        });
        assert!(answer.await.unwrap());
        assert!(hosted.bench.shared.directory.home("dev-1").is_none());
        assert_eq!(hosted.shard.borrow().endpoints.len(), 0);
        assert_eq!(hosted.bench.metric("lwm2m_active_endpoints"), 0.0);
    });
}

#[test]
fn what_is_left_in_the_mailbox_of_a_removed_endpoint_keeps_nobody_busy() {
    hosted(|mut hosted| async move {
        let sent = hosted.send(peer(1), &register(1, "dev-1")).await;
        let update = request(Code::POST, 2, &location(&sent[0]), &[], &[]);
        let slot = hosted.bench.shared.directory.home("dev-1").unwrap().slot;
        let (reply, answer) = oneshot::channel();
        let endpoint = "dev-1".to_owned();
        hosted.shard.borrow_mut().on_command(Command::Remove {
            slot,
            endpoint,
            reply,
        });
        // Waits behind the removal.
        let datagram = Datagram::plain(&update, peer(1));
        hosted
            .shard
            .borrow_mut()
            .on_datagram(&datagram, Origin::Socket);
        assert!(answer.await.unwrap());
        assert_eq!(hosted.shard.borrow().mailboxes(), 0);
    });
}

#[test]
fn an_endpoint_that_panics_again_and_again_in_its_actor_is_quarantined_too() {
    hosted(|mut hosted| async move {
        let sent = hosted.send(peer(1), &register(1, "bad")).await;
        let location = location(&sent[0]);
        let slot = hosted.bench.shared.directory.home("bad").unwrap().slot;
        for mid in 2..5 {
            match &hosted.shard.borrow().endpoints.get(slot).unwrap().state {
                State::Active(_, core) => core.borrow_mut().inject_fault(),
                _ => panic!("the endpoint is active"),
            }
            let update = request(Code::POST, mid, &location, &[], &[]);
            hosted.send(peer(1), &update).await;
        }
        let view = hosted.inspect("bad", Inspect::Registration).await;
        assert!(view.state_reason.contains("quarantined"));
        assert_eq!(hosted.bench.metric("lwm2m_active_endpoints"), 0.0);
    });
}
