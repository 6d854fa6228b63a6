//! A server that sends every datagram back: the least that any server on these sockets can cost.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rookery::net::steer::{self, Program};
use rookery::net::{
    BindError, OutDatagram, ReceiveBatch, SendBatch, ShardSocket, SocketGroup, SocketOptions,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

/// Datagrams handed over in one call, as the engine's shards do it.
pub const BATCH: usize = 32;
const DATAGRAM: usize = 2_048;

/// After so many ticks with nothing it waits for the next datagram.
const BUSY_TICKS: u32 = 20;
/// How often a waiting loop looks whether it is to stop.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Opens sockets as the engine does: one for each shard, steered by source.
///
/// # Errors
/// As [`SocketGroup::bind`].
pub fn open(listen: SocketAddr, shards: usize) -> Result<Vec<ShardSocket>, BindError> {
    let group = SocketGroup::bind(listen, shards, &SocketOptions::default())?;
    // Without steering the kernel's hash spreads the load just as well here.
    let _ = steer::attach(&group, &Program::by_source(shards as u32));
    Ok(group)
}

/// Echoes what comes in on `socket` until `stop`; `echoed` counts.
///
/// While it is busy it looks once in each `tick`, as the engine's shards do: to wake for every datagram costs several
/// times the datagram. With a `tick` of zero it does just that.
///
/// # Errors
/// When waiting for the socket fails.
pub fn serve(
    socket: &ShardSocket,
    tick: Duration,
    stop: &AtomicBool,
    echoed: &AtomicU64,
) -> io::Result<()> {
    let mut last = Instant::now();
    let (mut inbox, mut outbox) = (ReceiveBatch::new(BATCH, DATAGRAM), SendBatch::new(BATCH));
    let (mut arena, mut datagrams) = (
        Vec::with_capacity(BATCH * DATAGRAM),
        Vec::with_capacity(BATCH),
    );
    while !stop.load(Ordering::Relaxed) {
        match inbox.receive(socket) {
            Ok(_) => last = Instant::now(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if last.elapsed() < tick * BUSY_TICKS {
                    thread::sleep(tick);
                    continue;
                }
                match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&LOOK)) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        }
        arena.clear();
        datagrams.clear();
        for received in inbox.iter() {
            let start = arena.len() as u32;
            arena.extend_from_slice(received.bytes);
            let len = received.bytes.len() as u32;
            datagrams.push(OutDatagram {
                peer: received.peer,
                local: received.local,
                start,
                len,
            });
        }
        // What a full socket does not take is lost, as on any network.
        let report = outbox.send(socket, &arena, &datagrams);
        echoed.fetch_add(report.sent as u64, Ordering::Relaxed);
    }
    Ok(())
}
