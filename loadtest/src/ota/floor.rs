//! The floor: what it costs on this machine to take a datagram of a block's size and to send one.

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::echo;

/// A block of 1,024 bytes with CoAP's header and options.
const DATAGRAM: usize = 1_056;
/// Datagrams under way at a time. So many find room in a socket's usual buffer.
const UNDER_WAY: usize = 64;
/// How often the echo looks for datagrams, as the engine's shards do.
const TICK: Duration = Duration::from_millis(1);
/// When nothing comes back for so long, what was under way is lost.
const PATIENCE: Duration = Duration::from_millis(50);

/// CPU time of an echo for each datagram, in microseconds, measured for so long.
///
/// # Errors
/// When there is no socket to be had.
pub fn measure(length: Duration) -> io::Result<f64> {
    let sockets = echo::open(([127, 0, 0, 1], 0).into(), 1).map_err(io::Error::other)?;
    let client = UdpSocket::bind("127.0.0.1:0")?;
    client.connect(sockets[0].local_addr())?;
    client.set_read_timeout(Some(PATIENCE))?;
    let (stop, echoed) = (AtomicBool::new(false), AtomicU64::new(0));
    let cpu = thread::scope(|scope| {
        let echo = scope.spawn(|| {
            let before = thread_cpu_seconds();
            echo::serve(&sockets[0], TICK, &stop, &echoed)?;
            Ok::<_, io::Error>(thread_cpu_seconds() - before)
        });
        send(&client, length);
        stop.store(true, Ordering::Relaxed);
        echo.join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(cpu * 1e6 / echoed.load(Ordering::Relaxed).max(1) as f64)
}

fn send(client: &UdpSocket, length: Duration) {
    let mut datagram = [0xA5; DATAGRAM];
    let began = Instant::now();
    let mut missing = UNDER_WAY;
    while began.elapsed() < length {
        for _ in 0..missing {
            // What is lost is made up for below.
            let _ = client.send(&datagram);
        }
        missing = match client.recv(&mut datagram) {
            Ok(_) => 1,
            Err(_) => UNDER_WAY,
        };
    }
}

fn thread_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_costs_some_microseconds_a_datagram() {
        let cost = measure(Duration::from_millis(100)).unwrap();
        assert!(cost > 0.0 && cost < 1_000.0, "{cost} us");
    }
}
