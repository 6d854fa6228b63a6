//! The sockets of all shards, and which datagram goes to which shard.

use std::net::SocketAddr;

use crate::engine::config::EngineConfig;
use crate::net::socket::{BindError, ShardSocket, SocketGroup, SocketOptions};
use crate::net::steer::{self, CID_SHARD_OFFSET, Program, Steering};

use super::StartError;

/// Opens sockets for each shard; one for DTLS only where the server has something to show.
pub(super) fn listen(
    config: &EngineConfig,
    count: usize,
    has_identity: bool,
) -> Result<(Vec<StartSockets>, Listeners), StartError> {
    let shards = count as u32;
    let by_source = Program::by_source(shards);
    let secured = config.coaps.filter(|_| has_identity);
    let bootstrap_secured = config.bootstrap_coaps.filter(|_| has_identity);
    let by_cid = match config.dtls.cid_length {
        Some(1..) => Program::by_connection_id(shards, CID_SHARD_OFFSET),
        _ => Program::by_source(shards),
    };
    let mut sockets: Vec<_> = (0..count).map(|_| StartSockets::default()).collect();
    let mut listeners = Vec::new();
    type Place = fn(&mut StartSockets) -> &mut Option<ShardSocket>;
    let wanted: [(_, _, _, Place); 4] = [
        ("coap", config.coap, &by_source, |sockets| {
            &mut sockets.plain
        }),
        ("coaps", secured, &by_cid, |sockets| &mut sockets.secured),
        (
            "bootstrap_coap",
            config.bootstrap_coap,
            &by_source,
            |sockets| &mut sockets.bootstrap,
        ),
        (
            "bootstrap_coaps",
            bootstrap_secured,
            &by_source,
            |sockets| &mut sockets.bootstrap_secured,
        ),
    ];
    for (name, address, program, place) in wanted {
        let Some(address) = address else {
            continue;
        };
        let group = open(config, address, count, program).map_err(bind_error(name))?;
        listeners.extend(group.first().map(|socket| (name, socket.local_addr())));
        for (shard, socket) in sockets.iter_mut().zip(group) {
            *place(shard) = Some(socket);
        }
    }
    Ok((sockets, listeners))
}

fn bind_error(listener: &'static str) -> impl Fn(BindError) -> StartError {
    move |source| StartError::Bind { listener, source }
}

/// Opens the sockets of one listener.
fn open(
    config: &EngineConfig,
    address: SocketAddr,
    count: usize,
    program: &Program,
) -> Result<Vec<ShardSocket>, BindError> {
    let options = SocketOptions {
        recv_buffer: config.recv_buffer,
        send_buffer: config.send_buffer,
    };
    let sockets = SocketGroup::bind(address, count, &options)?;
    report_buffers(&sockets, &options);
    if let Steering::KernelHash(reason) = steer::attach(&sockets, program) {
        tracing::warn!(%address, %reason, "cannot steer datagrams to shards; the kernel spreads them");
    }
    Ok(sockets)
}

/// The sockets of a shard that has not started.
#[derive(Default)]
pub(super) struct StartSockets {
    pub(super) plain: Option<ShardSocket>,
    pub(super) secured: Option<ShardSocket>,
    pub(super) bootstrap: Option<ShardSocket>,
    pub(super) bootstrap_secured: Option<ShardSocket>,
}

pub(super) type Listeners = Vec<(&'static str, SocketAddr)>;

fn report_buffers(sockets: &[ShardSocket], wanted: &SocketOptions) {
    let Some(socket) = sockets.first() else {
        return;
    };
    let granted = socket.buffers();
    if granted.recv_buffer < wanted.recv_buffer || granted.send_buffer < wanted.send_buffer {
        tracing::warn!(
            receive = granted.recv_buffer,
            send = granted.send_buffer,
            wanted_receive = wanted.recv_buffer,
            wanted_send = wanted.send_buffer,
            "the kernel grants smaller socket buffers; raise net.core.rmem_max and net.core.wmem_max"
        );
    }
}
