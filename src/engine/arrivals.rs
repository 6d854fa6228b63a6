//! Who waits for a device to register.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};

/// Waiters by endpoint client name. A Register looks here only while somebody waits.
#[derive(Debug, Default)]
pub struct Arrivals {
    waiting: DashMap<Box<str>, Vec<oneshot::Sender<()>>>,
    /// Endpoints whose every Register is told, and whether one is in the queue already: the queue
    /// holds each of them once at most.
    followed: DashMap<Box<str>, bool>,
    told: OnceLock<mpsc::UnboundedSender<Box<str>>>,
    names: AtomicUsize,
}

impl Arrivals {
    /// Resolves when the endpoint registers next.
    pub fn wait(&self, endpoint: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiting.entry(endpoint.into()).or_default();
        if waiters.is_empty() {
            self.names.fetch_add(1, Relaxed);
        }
        waiters.retain(|waiter| !waiter.is_closed());
        waiters.push(sender);
        receiver
    }

    /// Every Register of the endpoint is told to whoever called [`Self::followed`].
    pub fn follow(&self, endpoint: &str) {
        if self.followed.insert(endpoint.into(), false).is_none() {
            self.names.fetch_add(1, Relaxed);
        }
    }

    /// Takes [`Self::follow`] back.
    pub fn unfollow(&self, endpoint: &str) {
        if self.followed.remove(endpoint).is_some() {
            self.names.fetch_sub(1, Relaxed);
        }
    }

    /// The queue of followed endpoints that registered; `None` when somebody has it already. Each
    /// name that is taken out is to be given to [`Self::taken`].
    pub fn followed(&self) -> Option<mpsc::UnboundedReceiver<Box<str>>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.told.set(sender).ok().map(|()| receiver)
    }

    /// The name has left the queue: a further Register is told again.
    pub fn taken(&self, endpoint: &str) {
        if let Some(mut queued) = self.followed.get_mut(endpoint) {
            *queued = false;
        }
    }

    /// The endpoint has registered.
    pub fn arrived(&self, endpoint: &str) {
        if self.names.load(Relaxed) == 0 {
            return;
        }
        if let Some((_, waiters)) = self.waiting.remove(endpoint) {
            self.names.fetch_sub(1, Relaxed);
            for waiter in waiters {
                // Whoever waited may be gone.
                let _ = waiter.send(());
            }
        }
        self.tell(endpoint);
    }

    /// The endpoint lives under another profile, or another version of it: it is told like a
    /// Register.
    pub fn changed(&self, endpoint: &str) {
        if self.names.load(Relaxed) > 0 {
            self.tell(endpoint);
        }
    }

    fn tell(&self, endpoint: &str) {
        if let Some(mut queued) = self.followed.get_mut(endpoint)
            && let Some(told) = self.told.get()
            && !std::mem::replace(&mut *queued, true)
        {
            // Whoever followed may have stopped.
            let _ = told.send(endpoint.into());
        }
    }

    /// Whether somebody follows the endpoint.
    pub fn is_followed(&self, endpoint: &str) -> bool {
        self.names.load(Relaxed) > 0 && self.followed.contains_key(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_wakes_everybody_who_waits_for_that_endpoint() {
        let arrivals = Arrivals::default();
        let (mut first, mut second) = (arrivals.wait("a"), arrivals.wait("a"));
        let mut other = arrivals.wait("b");
        arrivals.arrived("a");
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(()), Ok(())));
        assert!(other.try_recv().is_err());
        assert_eq!(arrivals.names.load(Relaxed), 1);
        arrivals.arrived("b");
        assert_eq!(other.try_recv(), Ok(()));
        assert_eq!(arrivals.names.load(Relaxed), 0);
    }

    #[test]
    fn a_followed_endpoint_is_told_once_until_it_is_taken() {
        let arrivals = Arrivals::default();
        let mut told = arrivals.followed().unwrap();
        assert!(arrivals.followed().is_none());
        arrivals.follow("a");
        arrivals.follow("a");
        for endpoint in ["a", "b", "a"] {
            arrivals.arrived(endpoint);
        }
        assert_eq!(told.try_recv().as_deref(), Ok("a"));
        assert!(told.try_recv().is_err());
        arrivals.taken("a");
        arrivals.arrived("a");
        assert_eq!(told.try_recv().as_deref(), Ok("a"));
        arrivals.unfollow("a");
        arrivals.arrived("a");
        assert!(told.try_recv().is_err());
        assert_eq!(arrivals.names.load(Relaxed), 0);
    }
}
