//! What a run counts.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;

use crate::clock::Micros;

/// What devices do, and what the server does to them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Operation {
    /// DTLS handshake: from the wish for a session to its end.
    Handshake,
    /// Bootstrap: from the intended start of the Bootstrap-Request to the answer to the server's Bootstrap-Finish.
    Bootstrap,
    /// Register: from its intended start to the answer.
    Register,
    /// Registration update: from its intended start to the answer.
    Update,
    /// Notification: from its intended start to the acknowledgement, when confirmable; else counted only.
    Notify,
    /// A Read that the server made: from the end of the registration to the arrival of each resource's first.
    Read,
    /// An Observe that the server made: from the end of the registration to its arrival.
    Observe,
    /// De-register: from its intended start to the answer.
    Deregister,
}

/// Why an operation failed, or what else went wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Failure {
    /// Four retransmissions, and nobody acknowledged.
    NotAcknowledged,
    /// Acknowledged, but no response came.
    NoResponse,
    /// The server answered with a Reset.
    Reset,
    /// An answer with this error code.
    Code(u8),
    /// An answer that the operation does not allow, such as 2.01 without a Location-Path.
    Unexpected,
    /// The run ended before an answer came.
    Unfinished,
    /// The server ended the session while the answer was awaited.
    SessionClosed,
    /// The handshake took too long.
    HandshakeTimedOut,
    /// The server ended the handshake with this alert.
    Alert(u8),
    /// The handshake failed on this side: the server is not the right one, or does not suit.
    HandshakeRefused,
    /// A bootstrap server has finished, and what it wrote makes no accounts.
    Inconsistent,
    /// A device was told a server that it cannot go to, by its security mode or its address.
    Unusable,
}

/// The figures of one operation.
#[derive(Clone, Debug)]
pub struct OperationStats {
    /// First transmissions; for what the server does, requests that came in.
    pub sent: u64,
    /// Ended well.
    pub ok: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Microseconds.
    pub latency: Histogram<u64>,
}

/// Everything one thread counts.
#[derive(Clone, Debug)]
pub struct Stats {
    latencies: [Histogram<u64>; Operation::ALL.len()],
    failures: BTreeMap<(Operation, Failure), u64>,
    /// Latencies since the last progress line.
    recent: Histogram<u64>,
    /// The plain counters.
    pub counts: Counts,
}

/// Plain counters, cheap to copy at any time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// By [`Operation`], first transmissions.
    pub sent: [u64; Operation::ALL.len()],
    /// By [`Operation`], ended well.
    pub ok: [u64; Operation::ALL.len()],
    /// By [`Operation`], ended otherwise.
    pub failed: [u64; Operation::ALL.len()],
    /// Messages that devices sent again.
    pub retransmissions: u64,
    /// Requests of the server that came more than once.
    pub duplicates: u64,
    /// Datagrams that are not CoAP.
    pub malformed: u64,
    /// Well-formed messages that belong to nothing.
    pub unmatched: u64,
    /// Datagrams from elsewhere, or for no device.
    pub foreign: u64,
    /// Datagrams that the kernel refused to send.
    pub send_failures: u64,
    /// Datagrams that the kernel dropped because this process did not read fast enough.
    pub receive_drops: u64,
    /// Operations that started later than they should because the generator was busy.
    pub late_starts: u64,
    /// The latest of all starts, in microseconds.
    pub max_lateness_us: u64,
    /// Devices that have an operation under way.
    pub in_flight: u64,
    /// Devices that are registered.
    pub registered: u64,
    /// Handshakes that went on with an earlier session.
    pub resumed: u64,
    /// Handshakes that agreed on an identifier for the server's side.
    pub with_connection_id: u64,
    /// Sessions that the server ended.
    pub sessions_closed: u64,
    /// DTLS records that were for no session, not authentic, or came again.
    pub records_dropped: u64,
    /// Devices that got another address.
    pub rebinds: u64,
    /// Datagrams that came to an address that a device had before.
    pub to_old_address: u64,
    /// Bootstraps that a busy server asked to try again later.
    pub put_off: u64,
}

/// A start that comes this long after its intended time is late.
pub const LATE_AFTER_US: u64 = 10_000;

/// The longest latency that is told apart: beyond the 93 s of MAX_TRANSMIT_WAIT.
const LONGEST_US: u64 = 200_000_000;

impl Operation {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::Handshake,
        Self::Bootstrap,
        Self::Register,
        Self::Update,
        Self::Notify,
        Self::Read,
        Self::Observe,
        Self::Deregister,
    ];

    /// The name in reports and thresholds.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Bootstrap => "bootstrap",
            Self::Register => "register",
            Self::Update => "update",
            Self::Notify => "notify",
            Self::Read => "read",
            Self::Observe => "observe",
            Self::Deregister => "deregister",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAcknowledged => f.write_str("not_acknowledged"),
            Self::NoResponse => f.write_str("no_response"),
            Self::Reset => f.write_str("reset"),
            Self::Code(code) => write!(f, "{}.{:02}", code >> 5, code & 0x1F),
            Self::Unexpected => f.write_str("unexpected_answer"),
            Self::Unfinished => f.write_str("unfinished"),
            Self::SessionClosed => f.write_str("session_closed"),
            Self::HandshakeTimedOut => f.write_str("timed_out"),
            Self::Alert(description) => write!(f, "alert_{description}"),
            Self::HandshakeRefused => f.write_str("refused"),
            Self::Inconsistent => f.write_str("inconsistent"),
            Self::Unusable => f.write_str("unusable_server"),
        }
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            latencies: Operation::ALL.map(|_| histogram()),
            failures: BTreeMap::new(),
            recent: histogram(),
            counts: Counts::default(),
        }
    }
}

impl Stats {
    /// An operation starts, `late` microseconds after it should have.
    pub fn started(&mut self, operation: Operation, late: Micros) {
        self.counts.sent[operation as usize] += 1;
        if late > LATE_AFTER_US {
            self.counts.late_starts += 1;
        }
        self.counts.max_lateness_us = self.counts.max_lateness_us.max(late);
    }

    /// An operation ended well.
    pub const fn succeeded(&mut self, operation: Operation) {
        self.counts.ok[operation as usize] += 1;
    }

    /// An operation took `latency`.
    pub fn measured(&mut self, operation: Operation, latency: Micros) {
        self.latencies[operation as usize].saturating_record(latency.max(1));
        if !matches!(operation, Operation::Read | Operation::Observe) {
            self.recent.saturating_record(latency.max(1));
        }
    }

    /// An operation failed.
    pub fn failed(&mut self, operation: Operation, failure: Failure) {
        self.counts.failed[operation as usize] += 1;
        *self.failures.entry((operation, failure)).or_default() += 1;
    }

    /// An operation that had ended well turned out not to have.
    pub fn revoked(&mut self, operation: Operation, failure: Failure) {
        let ok = &mut self.counts.ok[operation as usize];
        *ok = ok.saturating_sub(1);
        self.failed(operation, failure);
    }

    /// The 99th percentile since the last call, in microseconds; 0 when nothing ended.
    pub fn take_recent_p99(&mut self) -> u64 {
        let p99 = if self.recent.is_empty() {
            0
        } else {
            self.recent.value_at_quantile(0.99)
        };
        self.recent.reset();
        p99
    }

    /// One operation's figures.
    #[must_use]
    pub fn operation(&self, operation: Operation) -> OperationStats {
        let index = operation as usize;
        OperationStats {
            sent: self.counts.sent[index],
            ok: self.counts.ok[index],
            failed: self.counts.failed[index],
            latency: self.latencies[index].clone(),
        }
    }

    /// Failures by operation and kind.
    pub fn failures(&self) -> impl Iterator<Item = (Operation, Failure, u64)> {
        self.failures
            .iter()
            .map(|(&(operation, failure), &count)| (operation, failure, count))
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.latencies.iter_mut().zip(&other.latencies) {
            *mine += theirs;
        }
        for (&kind, count) in &other.failures {
            *self.failures.entry(kind).or_default() += count;
        }
        self.counts.add(&other.counts);
    }
}

impl Counts {
    /// Adds what another thread counted.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.sent, &other.sent),
            (&mut self.ok, &other.ok),
            (&mut self.failed, &other.failed),
        ] {
            mine.iter_mut()
                .zip(theirs)
                .for_each(|(mine, theirs)| *mine += theirs);
        }
        self.retransmissions += other.retransmissions;
        self.duplicates += other.duplicates;
        self.malformed += other.malformed;
        self.unmatched += other.unmatched;
        self.foreign += other.foreign;
        self.send_failures += other.send_failures;
        self.receive_drops += other.receive_drops;
        self.late_starts += other.late_starts;
        self.max_lateness_us = self.max_lateness_us.max(other.max_lateness_us);
        self.in_flight += other.in_flight;
        self.registered += other.registered;
        self.resumed += other.resumed;
        self.with_connection_id += other.with_connection_id;
        self.sessions_closed += other.sessions_closed;
        self.records_dropped += other.records_dropped;
        self.rebinds += other.rebinds;
        self.to_old_address += other.to_old_address;
        self.put_off += other.put_off;
    }

    /// Operations that ended, in whatever way.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ok.iter().chain(&self.failed).sum()
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("three digits and these bounds are valid")
}
