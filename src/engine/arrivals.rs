//! Who waits for a device to register.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use dashmap::DashMap;
use tokio::sync::oneshot;

/// Waiters by endpoint client name. A Register looks here only while somebody waits.
#[derive(Debug, Default)]
pub struct Arrivals {
    waiting: DashMap<Box<str>, Vec<oneshot::Sender<()>>>,
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
}
