//! The whole way of a datagram, from socket to socket, against a raw echo of the same datagrams on the
//! same sockets: CPU time of the server's thread (user and system) for each, and their ratio.
//!
//! `cargo bench --bench datapath [-- ENDPOINTS]`. One shard, pinned to the first core; the client runs
//! on what is left. On loopback the server pays for the delivery into the client's socket, and the
//! client for the delivery into the server's.

mod client;
mod devices;
mod server;

use std::time::Duration;

use client::{Client, Peers};
use devices::Devices;
use server::{Engine, RawServer, Server};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Datagrams sent before their answers are awaited.
const WINDOW: usize = 512;

fn main() {
    // `cargo test --benches` only wants to know whether it works.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let wanted = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let endpoints: usize = wanted.unwrap_or(if quick { 640 } else { 1_000_000 });
    let datagrams = if quick { 6_400 } else { 1_000_000 };
    // Enough to miss the caches; few enough to be set up before their retransmissions end.
    let talking = endpoints.min(64_000);

    println!(
        "{:32} {:>10} {:>9} {:>9} {:>7}",
        "µs of server CPU", "endpoints", "raw", "rookery", "ratio"
    );
    let devices = Devices::new(endpoints, devices::SILENT);
    let (register, update) = registrations(&devices, datagrams);
    report("Register, 400 B of links", endpoints, &register);
    report("Update, at rest", endpoints, &update);
    let devices = Devices::new(talking, devices::TALKING);
    let active = updates_of_active(&devices, datagrams / 2);
    report("Update, activated", talking, &active);
    let notify = notifications(&devices, datagrams / 2);
    report("NON notification to telemetry", talking, &notify);
}

/// Server CPU for each datagram: of the raw server and of the engine.
struct Compared {
    raw: f64,
    engine: f64,
}

fn report(what: &str, endpoints: usize, found: &Compared) {
    let Compared { raw, engine } = found;
    println!(
        "{what:32} {endpoints:>10} {raw:>9.2} {engine:>9.2} {:>7.2}",
        engine / raw
    );
}

fn registrations(devices: &Devices, datagrams: usize) -> (Compared, Compared) {
    let engine = Engine::start();
    let mut client = Client::new(engine.address(), devices.peers());
    let (cpu, answered) = cpu_of(&engine, || devices.register(&mut client));
    assert_eq!(answered, devices.len(), "every device is registered");
    let register = micros(cpu, answered);
    let (cpu, answered) = cpu_of(&engine, || devices.update(&mut client, datagrams));
    let update = micros(cpu, answered);
    engine.stop();

    let raw = RawServer::start(true);
    let mut client = Client::new(raw.address(), devices.peers());
    let (cpu, answered) = cpu_of(&raw, || devices.register_without_answers(&mut client));
    let raw_register = micros(cpu, answered);
    let (cpu, answered) = cpu_of(&raw, || devices.update(&mut client, datagrams));
    let raw_update = micros(cpu, answered);
    raw.stop();
    (
        Compared {
            raw: raw_register,
            engine: register,
        },
        Compared {
            raw: raw_update,
            engine: update,
        },
    )
}

fn updates_of_active(devices: &Devices, datagrams: usize) -> Compared {
    let engine = Engine::start();
    let mut client = Client::new(engine.address(), devices.peers());
    devices.register(&mut client);
    let (cpu, answered) = cpu_of(&engine, || devices.update(&mut client, datagrams));
    assert_eq!(
        engine.active(),
        devices.len() as i64,
        "all were activated to the end"
    );
    let update = micros(cpu, answered);
    engine.stop();

    let raw = RawServer::start(true);
    let mut client = Client::new(raw.address(), devices.peers());
    let (cpu, answered) = cpu_of(&raw, || devices.update(&mut client, datagrams));
    raw.stop();
    Compared {
        raw: micros(cpu, answered),
        engine: update,
    }
}

fn notifications(devices: &Devices, datagrams: usize) -> Compared {
    let engine = Engine::start();
    let mut client = Client::new(engine.address(), devices.peers());
    devices.initialise(&mut client);
    assert_eq!(
        engine.observations(),
        devices.len() as i64,
        "every device is observed"
    );
    let (cpu, ()) = cpu_of(&engine, || {
        devices.notify(&mut client, datagrams, &|| engine.notifications());
    });
    assert_eq!(
        engine.notifications(),
        datagrams as u64,
        "every notification was taken"
    );
    let notify = micros(cpu, datagrams);
    engine.stop();

    let raw = RawServer::start(false);
    let mut client = Client::new(raw.address(), devices.peers());
    let (cpu, ()) = cpu_of(&raw, || {
        devices.notify(&mut client, datagrams, &|| raw.received());
    });
    raw.stop();
    Compared {
        raw: micros(cpu, datagrams),
        engine: notify,
    }
}

fn cpu_of<T>(server: &impl Server, work: impl FnOnce() -> T) -> (Duration, T) {
    let before = server.cpu();
    let done = work();
    (server.cpu() - before, done)
}

fn micros(cpu: Duration, datagrams: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / datagrams.max(1) as f64
}

/// Devices are peers of the client, numbered from 0.
fn peers(count: usize) -> Peers {
    Peers::new(count)
}
