//! Server CPU for each datagram that comes in and is answered, over loopback.
//!
//! `cargo bench --bench datapath`. The raw echo is the floor: the same sockets and batches, and nothing done with the
//! datagrams. CPU time is that of the server's threads (user and system, from the scheduler), not elapsed time; on
//! loopback it includes the delivery into the client's socket, while that into the server's is on the client's bill.

mod raw {
    //! The raw echo, and a client that keeps a window of datagrams under way.

    use std::io;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use rookery::net::{
        LocalAddr, OutDatagram, ReceiveBatch, SendBatch, ShardSocket, SocketGroup, SocketOptions,
    };

    /// What a measurement found.
    pub struct Outcome {
        pub answered: u64,
        pub lost: u64,
        pub server_cpu: Duration,
        pub elapsed: Duration,
    }

    const DATAGRAM: usize = 2_048;
    const SOCKETS: u32 = 64;
    /// Nothing came for so long: the rest of the window is lost.
    const PATIENCE: Duration = Duration::from_millis(200);

    /// Echoes on `socket`, `batch` datagrams at a time, until `stop`. Returns the CPU time that took.
    pub fn echo(socket: &ShardSocket, batch: usize, stop: &AtomicBool) -> Duration {
        let (mut inbox, mut outbox) = (ReceiveBatch::new(batch, DATAGRAM), SendBatch::new(batch));
        let (mut arena, mut datagrams) = (Vec::new(), Vec::new());
        let before = thread_cpu();
        while !stop.load(Ordering::Relaxed) {
            if inbox.receive(socket).is_err() {
                thread::sleep(Duration::from_micros(50));
                continue;
            }
            arena.clear();
            datagrams.clear();
            for received in inbox.iter() {
                let start = arena.len() as u32;
                arena.extend_from_slice(received.bytes);
                datagrams.push(OutDatagram {
                    peer: received.peer,
                    local: received.local,
                    start,
                    len: received.bytes.len() as u32,
                });
            }
            outbox.send(socket, &arena, &datagrams);
        }
        thread_cpu() - before
    }

    /// Sends `count` datagrams `payload` from `peers` peers in turn and waits for their answers, `window` at a time.
    pub fn drive(
        server: SocketAddr,
        payload: &[u8],
        peers: u32,
        count: u64,
        window: u64,
    ) -> (u64, u64) {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let sockets: Vec<ShardSocket> = (0..SOCKETS.min(peers))
            .flat_map(|_| {
                SocketGroup::bind(any, 1, &SocketOptions::default()).expect("a port is free")
            })
            .collect();
        let per_socket = peers / sockets.len() as u32;
        let (mut inbox, mut outbox) = (ReceiveBatch::new(64, DATAGRAM), SendBatch::new(64));
        let (mut sent, mut answered, mut next) = (0, 0, 0);
        while sent < count {
            let socket = &sockets[next % sockets.len()];
            next += 1;
            let burst = window.min(count - sent);
            let datagrams: Vec<_> = (0..burst)
                .map(|n| {
                    let peer = 0x7F01_0000 + (sent + n) as u32 % per_socket;
                    OutDatagram {
                        peer: server.into(),
                        local: Some(LocalAddr::v4(Ipv4Addr::from_bits(peer))),
                        start: 0,
                        len: payload.len() as u32,
                    }
                })
                .collect();
            outbox.send(socket, payload, &datagrams);
            sent += burst;
            let (mut missing, mut last) = (burst, Instant::now());
            while missing > 0 && last.elapsed() < PATIENCE {
                match inbox.receive(socket) {
                    Ok(received) => {
                        missing = missing.saturating_sub(received as u64);
                        answered += received as u64;
                        last = Instant::now();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        (sent, answered)
    }

    /// The echo of one shard, with batches of `batch`.
    pub fn measure(payload: &[u8], batch: usize, peers: u32, count: u64) -> Outcome {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let group = SocketGroup::bind(any, 1, &SocketOptions::default()).expect("a port is free");
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let server = scope.spawn(|| echo(&group[0], batch, &stop));
            let start = Instant::now();
            let (sent, answered) = drive(group[0].local_addr(), payload, peers, count, 512);
            let elapsed = start.elapsed();
            stop.store(true, Ordering::Relaxed);
            let server_cpu = server.join().expect("the echo does not panic");
            Outcome {
                answered,
                lost: sent - answered,
                server_cpu,
                elapsed,
            }
        })
    }

    /// CPU time of this thread: the first number of schedstat is nanoseconds on a processor.
    fn thread_cpu() -> Duration {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanos = text
            .split(' ')
            .next()
            .and_then(|first| first.parse().ok())
            .unwrap_or_default();
        Duration::from_nanos(nanos)
    }
}

/// A registration update: confirmable POST to `/rd/` and an eight-byte id, with a two-byte token.
const UPDATE: &[u8] = b"\x42\x02\x12\x34\xab\xcd\xb2rd\x081234abcd";

fn main() {
    // `cargo test --benches` only wants to know whether it works.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let count = if quick { 2_000 } else { 400_000 };
    let notification = [b'x'; 59];
    println!("raw echo, one shard: server CPU for each datagram and its answer");
    for (name, payload) in [("update", UPDATE), ("notification", &notification)] {
        for (batch, peers) in [
            (1, 1_000_000),
            (8, 1_000_000),
            (32, 1_000),
            (32, 1_000_000),
            (64, 1_000_000),
        ] {
            let outcome = raw::measure(payload, batch, peers, count);
            println!(
                "  {name:<12} {:>2} bytes, batches of {batch:>2}, {peers:>9} peers: {:.2} us, {:.0} /s, {} lost",
                payload.len(),
                outcome.server_cpu.as_secs_f64() * 1e6 / outcome.answered.max(1) as f64,
                outcome.answered as f64 / outcome.elapsed.as_secs_f64(),
                outcome.lost
            );
        }
    }
}
