//! The two servers: one that does nothing with a datagram, and the engine.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use rookery::engine::{self, EngineConfig, EngineHandle, RunningEngine};
use rookery::net::{OutDatagram, ReceiveBatch, SendBatch, SocketGroup, SocketOptions};

const BATCH: usize = 64;
const BUFFER: usize = 2_048;

/// Something whose CPU time can be read.
pub trait Server {
    /// CPU time of the thread that serves, so far.
    fn cpu(&self) -> Duration;
}

/// Receives in batches and sends each datagram back, or does nothing with it.
pub struct RawServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    thread: JoinHandle<()>,
    thread_id: u64,
}

impl RawServer {
    pub fn start(echo: bool) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = SocketGroup::bind(any, 1, &SocketOptions::default())
            .expect("a port")
            .remove(0);
        let address = socket.local_addr();
        let stop = Arc::new(AtomicBool::new(false));
        let received = Arc::new(AtomicU64::new(0));
        let (told, count) = (Arc::clone(&stop), Arc::clone(&received));
        let (id, ids) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            if let Some(core) =
                core_affinity::get_core_ids().and_then(|cores| cores.first().copied())
            {
                core_affinity::set_for_current(core);
            }
            id.send(this_thread()).expect("the starter waits");
            let mut inbox = ReceiveBatch::new(BATCH, BUFFER);
            let mut outbox = SendBatch::new(BATCH);
            let (mut arena, mut datagrams) = (Vec::new(), Vec::new());
            while !told.load(Relaxed) {
                let Ok(batch) = inbox.receive(&socket) else {
                    // As the engine does while it is busy.
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                count.fetch_add(batch as u64, Relaxed);
                if !echo {
                    continue;
                }
                arena.clear();
                datagrams.clear();
                for datagram in inbox.iter() {
                    let start = arena.len() as u32;
                    arena.extend_from_slice(datagram.bytes);
                    let len = datagram.bytes.len() as u32;
                    let (peer, local) = (datagram.peer, datagram.local);
                    datagrams.push(OutDatagram {
                        peer,
                        local,
                        start,
                        len,
                    });
                }
                outbox.send(&socket, &arena, &datagrams);
            }
        });
        let thread_id = ids.recv().expect("the thread starts");
        Self {
            address,
            stop,
            received,
            thread,
            thread_id,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    pub fn stop(self) {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the raw server does not panic");
    }
}

impl Server for RawServer {
    fn cpu(&self) -> Duration {
        cpu_of_thread(&self.thread_id.to_string())
    }
}

/// The engine with one shard.
pub struct Engine {
    running: RunningEngine,
    handle: EngineHandle,
    threads: Vec<String>,
}

impl Engine {
    pub fn start() -> Self {
        let before = threads();
        let config = EngineConfig {
            logged_devices: 0,
            coap: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            shards: 1,
            allow_unknown: true,
            ..EngineConfig::default()
        };
        let prepared = engine::prepare(config).expect("the engine can start");
        let handle = prepared.handle().clone();
        let running = prepared.run().expect("the engine starts");
        let threads = threads()
            .into_iter()
            .filter(|id| !before.contains(id))
            .collect();
        Self {
            running,
            handle,
            threads,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.handle.listeners()[0].1
    }

    pub fn active(&self) -> i64 {
        self.handle
            .metrics()
            .shards()
            .iter()
            .map(|shard| shard.active.get())
            .sum()
    }

    pub fn observations(&self) -> i64 {
        self.handle
            .metrics()
            .shards()
            .iter()
            .map(|shard| shard.observing())
            .sum()
    }

    pub fn notifications(&self) -> u64 {
        let mut text = String::new();
        self.handle.metrics().render(&mut text);
        let start = "lwm2m_notifications_total{strategy=\"single\",result=\"accepted\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(start));
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    pub fn stop(self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let drained = runtime
            .expect("a runtime")
            .block_on(self.running.shutdown(Duration::from_secs(5)));
        assert!(drained, "the engine drains");
    }
}

impl Server for Engine {
    /// All threads of the engine: the shard and the supervisor.
    fn cpu(&self) -> Duration {
        self.threads.iter().map(|id| cpu_of_thread(id)).sum()
    }
}

fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the threads of the process");
    tasks
        .flatten()
        .map(|task| task.file_name().to_string_lossy().into_owned())
        .collect()
}

fn this_thread() -> u64 {
    let link = std::fs::read_link("/proc/thread-self").expect("this thread");
    link.file_name()
        .and_then(|id| id.to_string_lossy().parse().ok())
        .expect("a number")
}

/// The first number of schedstat: nanoseconds on a processor.
fn cpu_of_thread(id: &str) -> Duration {
    let text =
        std::fs::read_to_string(format!("/proc/self/task/{id}/schedstat")).unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
