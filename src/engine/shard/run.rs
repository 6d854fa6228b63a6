//! The loop of a shard: receive, handle, send; and how it waits in between.

use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Context};
use futures_util::FutureExt as _;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::net::mmsg::{OutDatagram, ReceiveBatch, SendBatch};
use crate::net::socket::ShardSocket;
use crate::proto::time::{Now, Tick};

use super::{Datagram, Origin, Shard};
use crate::engine::command::Command;
use crate::engine::handoff::Inlet;
use crate::engine::metrics::{ShardMetrics, Socket};

/// Datagrams received by one call.
const BATCH: usize = 64;

/// Calls per turn: others than the socket get their chance after 256 datagrams.
const BATCHES_PER_TURN: usize = 4;

/// Receive buffer of one datagram. Longer ones are refused; block-wise transfer is for those.
const BUFFER: usize = 2_048;

/// Batches from other shards, and commands, per turn.
const HANDOFFS_PER_TURN: usize = 16;
const COMMANDS_PER_TURN: usize = 64;

/// Times actors are given the thread before the turn's datagrams are sent.
const YIELDS_PER_TURN: usize = 8;

/// How often a busy shard looks at its socket. A wake by the kernel costs as much as three packets.
const POLL: Duration = Duration::from_millis(1);

/// How often a shard that ends asks storage to take more.
const DRAIN: Duration = Duration::from_millis(5);

/// Longest sleep, so that a watcher can tell an idle shard from a hung one.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A shard as an actor: it owns the state and keeps the loop going.
pub struct ShardActor {
    parts: Option<Parts>,
}

/// What the loop works with.
pub struct Parts {
    /// The state.
    pub shard: Rc<RefCell<Shard>>,
    /// Its sockets.
    pub sockets: Sockets,
    /// Datagrams from other shards.
    pub inlet: Inlet,
    /// Commands.
    pub commands: mpsc::Receiver<Command>,
    /// Its counters.
    pub metrics: Arc<ShardMetrics>,
    /// The clock of all shards.
    pub clock: Clock,
}

/// The sockets of a shard, as far as anything is served.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// Plain CoAP.
    pub plain: Option<Rc<ShardSocket>>,
    /// CoAP over DTLS.
    pub secured: Option<Rc<ShardSocket>>,
    /// Bootstrap over plain CoAP.
    pub bootstrap: Option<Rc<ShardSocket>>,
    /// Bootstrap over DTLS.
    pub bootstrap_secured: Option<Rc<ShardSocket>>,
}

impl ShardActor {
    /// A shard that starts to work when the actor starts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        parts
            .shard
            .borrow_mut()
            .set_host(Rc::downgrade(&parts.shard));
        Self { parts: Some(parts) }
    }
}

impl Actor for ShardActor {
    type Context = Context<Self>;

    fn started(&mut self, _context: &mut Self::Context) {
        if let Some(parts) = self.parts.take() {
            actix_rt::spawn(keep_running(parts));
        }
    }
}

/// Runs the loop until the shard is drained. A panic in it costs the datagrams of one turn.
async fn keep_running(mut parts: Parts) {
    while AssertUnwindSafe(run(&mut parts))
        .catch_unwind()
        .await
        .is_err()
    {
        parts.metrics.shard_panics.add(1);
    }
}

async fn run(parts: &mut Parts) {
    let mut io = Io {
        receive: ReceiveBatch::new(BATCH, BUFFER),
        send: SendBatch::new(BATCH),
        sockets: parts.sockets.clone(),
    };
    let mut pace = Pace::new(Instant::now());
    let mut readiness = None;
    let mut command = None;
    let mut handed = None;
    'turns: loop {
        let began = Instant::now();
        let mut more = false;
        let received;
        {
            let mut shard = parts.shard.borrow_mut();
            shard.begin(parts.clock.now());
            let all = io.receive_all(&mut shard, &parts.metrics);
            more |= all.is_cut_off;
            received = all.datagrams;
            for _ in 0..HANDOFFS_PER_TURN {
                let Some(batch) = handed.take().or_else(|| parts.inlet.try_recv().ok()) else {
                    break;
                };
                for handed in batch {
                    shard.on_handoff(handed);
                }
            }
            for _ in 0..COMMANDS_PER_TURN {
                let Some(next) = command.take().or_else(|| parts.commands.try_recv().ok()) else {
                    break;
                };
                if !shard.on_command(next) {
                    shard.end();
                    io.flush(&mut shard, &parts.metrics);
                    break 'turns;
                }
            }
            more |= shard.run_deadlines();
        }
        for _ in 0..YIELDS_PER_TURN {
            if parts.shard.borrow().mailboxes() == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut wake = HEARTBEAT;
        {
            let mut shard = parts.shard.borrow_mut();
            shard.end();
            more |= !io.flush(&mut shard, &parts.metrics);
            more |= shard.mailboxes() > 0;
            if let Some(at) = shard.next_wake() {
                let millis = at.millis_since(parts.clock.now().tick);
                wake = wake.min(Duration::from_millis(millis));
            }
        }
        let now = Instant::now();
        parts
            .metrics
            .busy_micros
            .add((now - began).as_micros() as u64);
        pace.observe(received, now);
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        // A socket that is being polled must not be in epoll, or every datagram wakes the thread.
        if pace.polling {
            readiness = None;
            wake = wake.min(POLL);
        } else if readiness.is_none() {
            readiness = Watch::of(&io.sockets).ok();
            // What came in before the registration is not reported by it.
            if readiness.is_some() {
                continue;
            }
            wake = wake.min(POLL);
        }
        tokio::select! {
            biased;
            Some(next) = parts.commands.recv() => command = Some(next),
            Some(batch) = parts.inlet.recv() => handed = Some(batch),
            () = readable(readiness.as_ref().and_then(|watch| watch.0[0].as_ref())) => {}
            () = readable(readiness.as_ref().and_then(|watch| watch.0[1].as_ref())) => {}
            () = readable(readiness.as_ref().and_then(|watch| watch.0[2].as_ref())) => {}
            () = readable(readiness.as_ref().and_then(|watch| watch.0[3].as_ref())) => {}
            () = tokio::time::sleep(wake) => {}
        }
    }
    while !parts.shard.borrow_mut().drain() {
        tokio::time::sleep(DRAIN).await;
    }
}

/// The sockets of a shard in epoll, until it is dropped.
struct Watch([Option<UdpSocket>; 4]);

impl Watch {
    fn of(sockets: &Sockets) -> io::Result<Self> {
        let watched = |socket: &Option<Rc<ShardSocket>>| socket.as_deref().map(watch).transpose();
        Ok(Self([
            watched(&sockets.plain)?,
            watched(&sockets.secured)?,
            watched(&sockets.bootstrap)?,
            watched(&sockets.bootstrap_secured)?,
        ]))
    }
}

fn watch(socket: &ShardSocket) -> io::Result<UdpSocket> {
    UdpSocket::from_std(socket.as_fd().try_clone_to_owned()?.into())
}

/// Waits until the socket has something, forever when it is not watched.
async fn readable(watched: Option<&UdpSocket>) {
    let Some(watched) = watched else {
        return std::future::pending().await;
    };
    if watched.readable().await.is_ok() {
        // The turn reads until the socket is empty: whatever comes after that is a new edge.
        let emptied = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let _ = watched.try_io(Interest::READABLE, emptied);
    }
}

/// The sockets and their batches.
struct Io {
    receive: ReceiveBatch,
    send: SendBatch,
    sockets: Sockets,
}

/// What one turn received.
#[derive(Clone, Copy, Default)]
struct ReceivedAll {
    datagrams: usize,
    /// There may be more: the budget of the turn was used up.
    is_cut_off: bool,
}

impl Io {
    /// Handles what the sockets have, up to the budget of a turn for each.
    fn receive_all(&mut self, shard: &mut Shard, metrics: &ShardMetrics) -> ReceivedAll {
        let mut all = ReceivedAll::default();
        let Sockets {
            plain,
            secured,
            bootstrap,
            bootstrap_secured,
        } = self.sockets.clone();
        if let Some(socket) = plain {
            self.receive_from(&socket, Socket::Plain, metrics, &mut all, |batch, at| {
                if at == 0 {
                    shard.warm(batch.iter().map(|datagram| datagram.bytes));
                }
                let datagram = batch.get(at);
                let datagram = Datagram {
                    local: datagram.local,
                    truncated: datagram.truncated,
                    ..Datagram::plain(datagram.bytes, datagram.peer)
                };
                shard.on_datagram(&datagram, Origin::Socket);
            });
        }
        if let Some(socket) = secured {
            self.receive_from(&socket, Socket::Secured, metrics, &mut all, |batch, at| {
                shard.on_record(batch.get_mut(at), Origin::Socket);
            });
        }
        if let Some(socket) = bootstrap {
            self.receive_from(
                &socket,
                Socket::Bootstrap,
                metrics,
                &mut all,
                |batch, at| {
                    if let Some(server) = shard.bootstrap() {
                        let datagram = batch.get(at);
                        let (peer, local) = (datagram.peer, datagram.local);
                        server.on_datagram(datagram.bytes, peer, local, datagram.truncated);
                    }
                },
            );
        }
        if let Some(socket) = bootstrap_secured {
            let name = Socket::BootstrapSecured;
            self.receive_from(&socket, name, metrics, &mut all, |batch, at| {
                if let Some(server) = shard.bootstrap() {
                    server.on_record(batch.get_mut(at));
                }
            });
        }
        all
    }

    /// Hands the datagrams of a socket to `take`: the batch, and which one of it. A panic costs the
    /// one datagram.
    fn receive_from(
        &mut self,
        socket: &ShardSocket,
        name: Socket,
        metrics: &ShardMetrics,
        all: &mut ReceivedAll,
        mut take: impl FnMut(&mut ReceiveBatch, usize),
    ) {
        for batch in 1..=BATCHES_PER_TURN {
            // An error of an earlier send (a closed port at the peer) surfaces here; it is not ours.
            let Ok(received) = self.receive.receive(socket) else {
                return;
            };
            for at in 0..received {
                let handled = catch_unwind(AssertUnwindSafe(|| take(&mut self.receive, at)));
                if handled.is_err() {
                    metrics.shard_panics.add(1);
                }
            }
            all.datagrams += received;
            if let Some(drops) = self.receive.drops_in_batch() {
                metrics.kernel_dropped(name, drops);
            }
            if received < BATCH {
                return;
            }
            all.is_cut_off |= batch == BATCHES_PER_TURN;
        }
    }

    /// Sends the outboxes. Returns whether all of them went.
    fn flush(&mut self, shard: &mut Shard, metrics: &ShardMetrics) -> bool {
        let (arena, outbox) = shard.outbox();
        let (sent, plain) = send_all(&mut self.send, &self.sockets.plain, arena, outbox, metrics);
        shard.sent(sent);
        let (arena, outbox) = shard.secure_outbox();
        let (sent, secured) = send_all(
            &mut self.send,
            &self.sockets.secured,
            arena,
            outbox,
            metrics,
        );
        shard.secure_sent(sent);
        let Some(server) = shard.bootstrap() else {
            return plain && secured;
        };
        let (arena, outbox) = server.outbox();
        let socket = &self.sockets.bootstrap;
        let (sent, bootstrap) = send_all(&mut self.send, socket, arena, outbox, metrics);
        server.sent(sent);
        let (arena, outbox) = server.secure_outbox();
        let socket = &self.sockets.bootstrap_secured;
        let (sent, sealed) = send_all(&mut self.send, socket, arena, outbox, metrics);
        server.secure_sent(sent);
        plain && secured && bootstrap && sealed
    }
}

/// Sends an outbox. Returns how many of it are done with and whether that is all; without a socket
/// they are.
fn send_all(
    batch: &mut SendBatch,
    socket: &Option<Rc<ShardSocket>>,
    arena: &[u8],
    outbox: &[OutDatagram],
    metrics: &ShardMetrics,
) -> (usize, bool) {
    let Some(socket) = socket.as_deref().filter(|_| !outbox.is_empty()) else {
        return (outbox.len(), true);
    };
    let report = batch.send(socket, arena, outbox);
    metrics.send_errors.add(report.failed() as u64);
    (report.handled(), !report.would_block)
}

/// Whether datagrams come often enough to be polled for.
struct Pace {
    /// Datagrams per millisecond, averaged over the last ones.
    rate: f64,
    at: Instant,
    polling: bool,
}

/// A wake costs about 10 µs, an idle poll 19 µs: above two datagrams per millisecond polling is
/// cheaper, below one it is not. In between nothing changes.
const POLL_ABOVE: f64 = 2.0;
const WATCH_BELOW: f64 = 1.0;
const MEMORY_MILLIS: f64 = 20.0;

impl Pace {
    fn new(now: Instant) -> Self {
        Self {
            rate: 0.0,
            at: now,
            polling: false,
        }
    }

    fn observe(&mut self, received: usize, now: Instant) {
        let millis = (now - self.at).as_secs_f64() * 1000.0;
        self.at = now;
        self.rate = self.rate * (-millis / MEMORY_MILLIS).exp() + received as f64 / MEMORY_MILLIS;
        self.polling = match self.polling {
            true => self.rate >= WATCH_BELOW,
            false => self.rate > POLL_ABOVE,
        };
    }
}

/// Reads both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

/// Ticks begin a year after zero, which stands for "never": restored endpoints were seen before this
/// process began.
const FIRST_TICK_MILLIS: u64 = 365 * 86_400_000;

impl Clock {
    /// A clock whose ticks begin now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        let millis = self.start.elapsed().as_millis() as u64 + FIRST_TICK_MILLIS;
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Now {
            tick: Tick::from_millis(millis),
            wall: wall.map_or(0, |since| since.as_millis() as i64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_socket_is_polled_and_a_quiet_one_watched() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut at = start;
        for _ in 0..50 {
            at += Duration::from_millis(10);
            pace.observe(5, at);
        }
        assert!(
            !pace.polling,
            "500 datagrams a second are not worth polling"
        );
        for _ in 0..50 {
            at += Duration::from_millis(1);
            pace.observe(20, at);
        }
        assert!(pace.polling, "20,000 a second are");
        for _ in 0..100 {
            at += Duration::from_millis(1);
            pace.observe(0, at);
        }
        assert!(!pace.polling, "silence ends it");
    }
}
