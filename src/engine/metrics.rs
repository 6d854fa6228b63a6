//! Hot counters: one block per shard, written by its shard alone, folded when somebody scrapes.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::proto::coap::{Code, MessageType};

use super::endpoint::observations::ObservationKind;
use super::endpoint::outputs::{
    DropReason, NotificationResult, OperationKind, RequestResult, Tally,
};
use super::view::SecurityMode;

use super::endpoint::update::status::UpdateStatus;
use super::endpoint::update::target::UpdateKind;

mod bootstrap;
mod dtls;
mod render;

pub use bootstrap::BootstrapMetrics;
pub use dtls::{DtlsMetrics, DtlsTotals};
pub use render::EngineMetrics;

/// A counter with one writer: no locked instruction, and a reader sees a recent value.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning shard may call this.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes over a count that is kept elsewhere. Only the owning shard may call this.
    #[inline]
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A gauge with one writer.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds `n`. Only the owning shard may call this.
    #[inline]
    pub fn add(&self, n: i64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Sets the value.
    #[inline]
    pub fn set(&self, n: i64) {
        self.0.store(n, Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Why a datagram or a request was turned away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rejection {
    /// Not a CoAP message (RFC 7252 §3, §4.2).
    Malformed,
    /// Longer than a receive buffer.
    TooLarge,
    /// An unknown critical option.
    BadOption,
    /// No such resource, or no such registration.
    NotFound,
    /// The resource does not take this method.
    MethodNotAllowed,
    /// The parameters or the body of a registration request cannot be used.
    BadRequest,
    /// The device is not known and unknown devices are not admitted.
    Forbidden,
    /// A block does not fit the ones before it, or too many bodies are on their way.
    Block,
    /// A response nobody waits for.
    Unmatched,
    /// A valid token from an address that is not the device's.
    ForeignAddress,
    /// More new devices from one address than it may bring per second.
    RegisterRate,
    /// The shard holds as many endpoints as it may.
    Full,
    /// The endpoint's mailbox is full.
    Backlog,
    /// The queue to the shard that owns the endpoint is full.
    Handoff,
    /// The endpoint is quarantined after repeated panics.
    Quarantined,
    /// Not sent: the peer is not verified and has had three times what it sent.
    Amplification,
}

impl Rejection {
    /// All rejections, in the order of their indices.
    pub const ALL: [Self; 16] = [
        Self::Malformed,
        Self::TooLarge,
        Self::BadOption,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BadRequest,
        Self::Forbidden,
        Self::Block,
        Self::Unmatched,
        Self::ForeignAddress,
        Self::RegisterRate,
        Self::Full,
        Self::Backlog,
        Self::Handoff,
        Self::Quarantined,
        Self::Amplification,
    ];

    /// Stable name, as in the `reason` label.
    #[must_use]
    pub fn discriminant(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::BadOption => "bad_option",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::Block => "block",
            Self::Unmatched => "unmatched",
            Self::ForeignAddress => "foreign_address",
            Self::RegisterRate => "register_rate",
            Self::Full => "full",
            Self::Backlog => "backlog",
            Self::Handoff => "handoff",
            Self::Quarantined => "quarantined",
            Self::Amplification => "amplification",
        }
    }
}

/// Operations of the registration and information reporting interfaces that devices start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interface {
    /// Register.
    Register,
    /// Update.
    Update,
    /// De-register.
    Deregister,
    /// Send.
    Send,
}

impl Interface {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 4] = [Self::Register, Self::Update, Self::Deregister, Self::Send];

    /// Stable name, as in the `operation` label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Update => "update",
            Self::Deregister => "deregister",
            Self::Send => "send",
        }
    }
}

/// What became of a request for the download of a package.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fetch {
    /// A block was handed out.
    Block,
    /// There is no such package, or not for this device, or no longer.
    Unknown,
    /// No such block, or another format asked for.
    BadRequest,
}

impl Fetch {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 3] = [Self::Block, Self::Unknown, Self::BadRequest];

    /// Stable name, as in the `result` label.
    #[must_use]
    pub fn discriminant(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Unknown => "unknown",
            Self::BadRequest => "bad_request",
        }
    }
}

/// Direction of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From a device.
    In,
    /// To a device.
    Out,
}

/// The sockets of a shard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Socket {
    /// Plain CoAP.
    Plain,
    /// DTLS.
    Secured,
    /// Plain CoAP of the bootstrap server.
    Bootstrap,
    /// DTLS of the bootstrap server.
    BootstrapSecured,
}

/// Response codes the registration interface gives, in the order of their indices.
pub const ANSWERS: [Code; 13] = [
    Code::CREATED,
    Code::DELETED,
    Code::CHANGED,
    Code::CONTINUE,
    Code::BAD_REQUEST,
    Code::BAD_OPTION,
    Code::FORBIDDEN,
    Code::NOT_FOUND,
    Code::METHOD_NOT_ALLOWED,
    Code::REQUEST_ENTITY_INCOMPLETE,
    Code::PRECONDITION_FAILED,
    Code::REQUEST_ENTITY_TOO_LARGE,
    Code::SERVICE_UNAVAILABLE,
];

/// Upper bounds of the request duration buckets, in milliseconds.
pub const DURATION_BOUNDS: [u32; 12] =
    [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 2_500, 10_000, 100_000];

/// Code classes 0 to 5.
const CLASSES: usize = 6;
const TYPES: usize = 4;

/// A fixed-bucket histogram of durations.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [Counter; DURATION_BOUNDS.len() + 1],
    sum_millis: Counter,
}

impl Durations {
    fn record(&self, millis: u32) {
        let at = DURATION_BOUNDS.partition_point(|bound| *bound < millis);
        self.buckets[at].add(1);
        self.sum_millis.add(u64::from(millis));
    }
}

/// Counters of one shard. Aligned so that two shards never write to one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ShardMetrics {
    messages: [[[Counter; CLASSES]; TYPES]; 2],
    rejected: [Counter; Rejection::ALL.len()],
    answers: [[Counter; ANSWERS.len()]; Interface::ALL.len()],
    requests: [[Counter; RequestResult::ALL.len()]; OperationKind::ALL.len()],
    durations: [Durations; OperationKind::ALL.len()],
    notifications: [[Counter; NotificationResult::ALL.len()]; ObservationKind::ALL.len()],
    dropped: [Counter; DropReason::ALL.len()],
    attributes: Counter,
    telemetry: Counter,
    not_announced: Counter,
    updates: [[Gauge; UpdateStatus::ALL.len()]; 2],
    update_ends: [[Counter; 2]; 2],
    update_again: [Counter; 2],
    pushed: [Counter; 2],
    pulled: [Counter; 2],
    fetches: [Counter; Fetch::ALL.len()],
    /// Messages sent again.
    pub retransmissions: Counter,
    /// Messages received again.
    pub duplicates: Counter,
    /// Endpoint state machines that panicked.
    pub actor_restarts: Counter,
    /// Turns of the shard that panicked outside an endpoint.
    pub shard_panics: Counter,
    /// Endpoints given to an actor.
    pub activations: Counter,
    /// Datagrams passed to the shard that owns the endpoint.
    pub handoffs: Counter,
    /// Event batches that found the bus full.
    pub events_lost: Counter,
    /// Values for a history that found the way full.
    pub history_lost: Counter,
    /// Entries of transport logs.
    pub log_entries: Counter,
    /// Datagrams the kernel dropped because the buffer of the socket was full, by [`Socket`].
    pub kernel_drops: [Counter; 4],
    /// DTLS.
    pub dtls: DtlsMetrics,
    /// The bootstrap server.
    pub bootstrap: BootstrapMetrics,
    /// Datagrams the kernel refused to send.
    pub send_errors: Counter,
    /// Microseconds the shard was not asleep.
    pub busy_micros: Counter,
    /// Turns taken; stands still when the shard hangs.
    pub turns: Counter,
    /// Work waiting for the shard at the end of its last turn.
    pub backlog: Gauge,
    registered: [Gauge; SecurityMode::ALL.len()],
    asleep: [Gauge; SecurityMode::ALL.len()],
    /// Endpoints held, registered or not.
    pub endpoints: Gauge,
    /// Endpoints run by an actor now.
    pub active: Gauge,
    /// Requests in flight to devices and waiting for them.
    pub queued: Gauge,
    /// Observations.
    observations: [Gauge; ObservationKind::ALL.len()],
    /// Bodies being put together from blocks.
    pub bodies: Gauge,
    /// Records of endpoints handed to storage.
    pub state_records: Counter,
    /// Times storage took no more and changes were held back.
    pub state_deferred: Counter,
    /// Endpoints whose changes storage does not have yet.
    pub state_waiting: Gauge,
    /// Bytes that transport logs take.
    pub log_bytes: Gauge,
    /// Slots that a change of a profile has not reached yet.
    pub rollout: Gauge,
}

impl ShardMetrics {
    /// Counts a CoAP message.
    #[inline]
    pub fn message(&self, direction: Direction, kind: MessageType, code: Code) {
        let class = usize::from(code.class()).min(CLASSES - 1);
        self.messages[direction as usize][kind as usize][class].add(1);
    }

    /// Devices registered and awake, by security mode.
    #[must_use]
    pub fn registered(&self, security: SecurityMode) -> &Gauge {
        &self.registered[security as usize]
    }

    /// Devices registered and asleep, by security mode.
    #[must_use]
    pub fn asleep(&self, security: SecurityMode) -> &Gauge {
        &self.asleep[security as usize]
    }

    /// Counts something turned away.
    #[inline]
    pub fn reject(&self, reason: Rejection) {
        self.rejected[reason as usize].add(1);
    }

    /// Counts a request for the download of a package.
    pub fn fetch(&self, result: Fetch) {
        self.fetches[result as usize].add(1);
    }

    /// Counts bytes of a package that a device fetched.
    pub fn pulled(&self, kind: UpdateKind, bytes: u64) {
        self.pulled[kind as usize].add(bytes);
    }

    /// The updates of an endpoint have come from these states to those.
    pub fn updates(&self, before: [Option<UpdateStatus>; 2], after: [Option<UpdateStatus>; 2]) {
        if before == after {
            return;
        }
        for (gauges, (before, after)) in self.updates.iter().zip(before.into_iter().zip(after)) {
            for (status, step) in [(before, -1), (after, 1)] {
                if let Some(status) = status {
                    gauges[status as usize].add(step);
                }
            }
        }
    }

    /// Takes over the running total, which wraps, of what the kernel dropped at a socket.
    pub fn kernel_dropped(&self, socket: Socket, total: u32) {
        let drops = &self.kernel_drops[socket as usize];
        // What was counted so far is the total before, but for its overflows.
        let new = total.wrapping_sub(drops.get() as u32) as i32;
        if let Ok(new) = u64::try_from(new) {
            drops.add(new);
        }
    }

    /// Counts an answer to a request of a device.
    #[inline]
    pub fn answer(&self, interface: Interface, code: Code) {
        if let Some(at) = ANSWERS.iter().position(|known| *known == code) {
            self.answers[interface as usize][at].add(1);
        }
    }

    /// Folds what endpoints counted and empties it.
    pub fn fold(&self, tally: &mut Tally) {
        for (counter, n) in self.dropped.iter().zip(&mut tally.dropped) {
            take(counter, n);
        }
        for (row, counts) in self.notifications.iter().zip(&mut tally.notifications) {
            for (counter, n) in row.iter().zip(counts) {
                take(counter, n);
            }
        }
        for end in tally.requests.drain(..) {
            self.requests[end.operation as usize][end.result as usize].add(1);
            self.durations[end.operation as usize].record(end.millis);
        }
        take(&self.attributes, &mut tally.attributes);
        take(&self.telemetry, &mut tally.telemetry);
        take(&self.not_announced, &mut tally.not_announced);
        let unmatched = &self.rejected[Rejection::Unmatched as usize];
        take(unmatched, &mut tally.unmatched);
        take(&self.retransmissions, &mut tally.retransmissions);
        self.observe(std::mem::take(&mut tally.observations));
        for kind in 0..2 {
            for (counter, n) in self.update_ends[kind]
                .iter()
                .zip(&mut tally.updates.ends[kind])
            {
                take(counter, n);
            }
            take(&self.update_again[kind], &mut tally.updates.again[kind]);
            take(&self.pushed[kind], &mut tally.updates.pushed[kind]);
        }
    }

    /// Observations in place.
    #[must_use]
    pub fn observing(&self) -> i64 {
        self.observations.iter().map(Gauge::get).sum()
    }

    /// Observations begun or, below zero, ended.
    pub fn observe(&self, change: [i64; ObservationKind::ALL.len()]) {
        for (gauge, change) in self.observations.iter().zip(change) {
            if change != 0 {
                gauge.add(change);
            }
        }
    }
}

#[inline]
fn take(counter: &Counter, n: &mut u64) {
    if *n > 0 {
        counter.add(std::mem::take(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_running_total_of_drops_is_counted_once_and_past_its_overflow() {
        let metrics = ShardMetrics::default();
        let counted = |total| {
            metrics.kernel_dropped(Socket::Secured, total);
            metrics.kernel_drops[1].get()
        };
        assert_eq!(counted(5), 5);
        assert_eq!(counted(5), 5);
        assert_eq!(counted(1 << 31), 1 << 31);
        assert_eq!(counted((1 << 31) - 1), 1 << 31, "an older report");
        assert_eq!(counted(u32::MAX), u64::from(u32::MAX));
        assert_eq!(counted(2), (1 << 32) + 2);
    }
}
