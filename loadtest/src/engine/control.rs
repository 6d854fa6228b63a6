//! What the controller tells the workers, and what they tell it.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Micros;
use crate::stats::Counts;

/// What a worker has to do at present.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Only what its devices do by themselves.
    Live,
    /// Its devices register, from `from` on, `rate` a second over all workers.
    Register { from: Micros, rate: f64 },
    /// Its devices de-register, from `from` on, `rate` a second over all workers.
    Deregister { from: Micros, rate: f64 },
    /// A share of its devices get other addresses.
    Rebind { share: f64 },
    /// A share of its devices make new sessions, from `from` on, `rate` a second over all workers.
    Reconnect { from: Micros, rate: f64, share: f64 },
    /// Nothing new: wait for what is under way.
    Wind,
    /// Come home.
    Quit,
}

/// Orders from the controller to all workers.
pub struct Orders {
    number: AtomicU64,
    order: Mutex<Order>,
}

/// How a worker is doing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The number of the order that it follows.
    pub order: u64,
    /// Devices that it has not yet begun to register or de-register.
    pub to_start: u32,
    /// Devices whose Register or De-register is under way.
    pub unsettled: u32,
    /// The 99th percentile of the last full second, in microseconds.
    pub recent_p99_us: u64,
    /// What it has counted.
    pub counts: Counts,
}

impl Orders {
    /// The first order: to live.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            number: AtomicU64::new(1),
            order: Mutex::new(Order::Live),
        }
    }

    /// Gives an order and returns its number.
    pub fn give(&self, order: Order) -> u64 {
        *lock(&self.order) = order;
        self.number.fetch_add(1, Ordering::Release) + 1
    }

    /// The present order, if it is not number `known`.
    #[must_use]
    pub fn newer_than(&self, known: u64) -> Option<(u64, Order)> {
        let number = self.number.load(Ordering::Acquire);
        (number != known).then(|| (number, *lock(&self.order)))
    }
}

/// Locks a mutex whose holders cannot leave a half-made value behind.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
