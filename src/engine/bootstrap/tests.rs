//! The bootstrap server of a shard against a device that does what LwM2M says, on a fake clock. Named
//! after Leshan's scenarios (B01 to B28) and ThingsBoard's where they are the same.
//!
//! | scenario | where |
//! |---|---|
//! | B01 bootstrap, then register | `sequence` b01; with Leshan `tests/interop/bootstrap` |
//! | B02 without `ep` | `failures` b02 |
//! | B03, B04 format of `pct`; B05 format without | `sequence` b03_b04 |
//! | B06 further parameters | `sequence` b06 |
//! | B07, B09 Discover, Server instances without `ssid` | `sequence` b07; recorded ones `tests/raw_coap/bootstrap` |
//! | B08 again after `Execute` of 1/x/9 | `tests/interop/bootstrap` |
//! | B10 two bootstrap accounts | `failures` b10 |
//! | B11 free instance ids | `sequence` b11 |
//! | B12, B13, B14 deletes, access control | `sequence` b12_b14, b13 |
//! | B15 to B20 PSK, RPK, X.509, with `ep` and without | `secured`; with Leshan `tests/interop/bootstrap/secured` |
//! | B21, B22 a server name in the handshake | not looked at: there is one certificate |
//! | B23, B24 told keys in the clear | `services::bootstrap`; `tests/interop/bootstrap/secured` |
//! | B25 to B28 OSCORE for each of the accounts | `sequence` b25_to_b28 |
//! | ThingsBoard BOTH, LWM2M_ONLY, BOOTSTRAP_ONLY, NONE, three sections | `sequence`; triggered with Leshan `tests/interop/bootstrap/sections` |
//! | ThingsBoard PSK, RPK, X509 with and without trust, BOTH | `tests/interop/bootstrap/secured` |
//! | ThingsBoard keys that are refused | `services::credentials` |

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::Receiver;

use super::configuration::{Account, AccountMode, Configuration, ObjectInstance, Server};
use super::desk::{Asked, Directive, Order, Refusal, Ticket, Told};
use super::session::End;
use crate::engine::EngineConfig;
use crate::engine::command::Command;
use crate::engine::endpoint::plan::ProfilePlan;
use crate::engine::shard::Standalone;
use crate::net::PeerAddr;
use crate::proto::coap::block::BlockValue;
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, content_format, option};
use crate::proto::lwm2m::codec::decode;
use crate::proto::lwm2m::{Path, Record, ResourceType, ResourceTypes, Value};
use crate::proto::time::{Now, Tick};

mod device;
mod failures;
mod network;
mod packs;
mod secured;
mod sequence;

use device::Device;

/// A shard that serves bootstrap, and services in the test's hands.
struct World {
    member: Standalone,
    told: Receiver<Told>,
    now: Now,
    configuration: Arc<Configuration>,
    /// What services were told, in words.
    notes: Vec<String>,
    asked: Vec<Asked>,
    ended: Vec<(Ticket, End)>,
    /// What a request is refused with instead.
    refusal: Option<Refusal>,
}

impl World {
    fn new(configuration: Configuration) -> Self {
        Self::seeded(configuration, 1)
    }

    fn seeded(configuration: Configuration, seed: u64) -> Self {
        let config = EngineConfig::default();
        let mut member = Standalone::new(config, ProfilePlan::built_in_default(), seed);
        member.shard.serve_bootstrap(None).unwrap();
        let told = member.shared.bootstrap.open().unwrap();
        let now = Now {
            tick: Tick::from_millis(1_000_000),
            wall: 1_795_435_985_890,
        };
        member.shard.begin(now);
        Self {
            member,
            told,
            now,
            configuration: Arc::new(configuration),
            notes: Vec::new(),
            asked: Vec::new(),
            ended: Vec::new(),
            refusal: None,
        }
    }

    /// Delivers a datagram; what comes back, for everybody.
    fn deliver(&mut self, from: PeerAddr, bytes: &[u8]) -> Vec<(PeerAddr, Vec<u8>)> {
        let server = self.member.shard.bootstrap().unwrap();
        server.on_datagram(bytes, from, None, false);
        self.settle()
    }

    /// Lets services answer, and takes what is sent.
    fn settle(&mut self) -> Vec<(PeerAddr, Vec<u8>)> {
        while let Ok(told) = self.told.try_recv() {
            match told {
                Told::Asked(asked) => {
                    let number = asked.ticket.number;
                    let configuration = Arc::clone(&self.configuration);
                    let what = match self.refusal {
                        Some(refusal) => Order::Refuse(refusal),
                        None => Order::Configure(configuration),
                    };
                    let command = Command::Bootstrap(Directive { number, what });
                    self.member.shard.on_command(command);
                    self.asked.push(*asked);
                }
                Told::Note { is_error, text, .. } => {
                    let level = if is_error { "error" } else { "info" };
                    self.notes.push(format!("{level}: {text}"));
                }
                Told::Ended { ticket, end, .. } => self.ended.push((ticket, end)),
            }
        }
        self.take()
    }

    fn take(&mut self) -> Vec<(PeerAddr, Vec<u8>)> {
        let server = self.member.shard.bootstrap().unwrap();
        let (arena, outbox) = server.outbox();
        let sent: Vec<_> = outbox
            .iter()
            .map(|datagram| {
                let start = datagram.start as usize;
                (
                    datagram.peer,
                    arena[start..start + datagram.len as usize].to_vec(),
                )
            })
            .collect();
        let count = sent.len();
        server.sent(count);
        sent
    }

    /// Lets time pass.
    fn pass(&mut self, millis: u64) -> Vec<(PeerAddr, Vec<u8>)> {
        self.now.tick = self.now.tick.plus_millis(millis);
        self.now.wall += millis as i64;
        self.member.shard.begin(self.now);
        self.member.shard.run_deadlines();
        self.settle()
    }

    /// Lets a device and the server talk until neither has anything to say.
    fn talk(&mut self, device: &mut Device, first: Vec<u8>) {
        let mut waiting = self.deliver(device.address, &first);
        while !waiting.is_empty() {
            let mut next = Vec::new();
            for (to, bytes) in waiting {
                assert_eq!(to, device.address);
                for answer in device.take(&bytes) {
                    next.extend(self.deliver(device.address, &answer));
                }
            }
            waiting = next;
        }
    }

    fn ends(&self) -> Vec<End> {
        self.ended.iter().map(|(_, end)| *end).collect()
    }

    fn open(&mut self) -> i64 {
        self.member.shard.end();
        self.member.metrics.bootstrap.open.get()
    }
}

fn address(port: u16) -> PeerAddr {
    std::net::SocketAddr::from(([192, 0, 2, 1], port)).into()
}

fn no_sec(uri: &str) -> Account {
    Account {
        uri: uri.into(),
        hold_off: 7,
        account_timeout: 90,
        ..Account::default()
    }
}

fn server(short_id: u16, uri: &str) -> Server {
    Server {
        account: no_sec(uri),
        short_id,
        lifetime: 300,
        min_period: 1,
        stores_notifications: true,
        binding: "UQ".into(),
    }
}

/// One LwM2M server.
fn one_server() -> Configuration {
    Configuration {
        servers: vec![server(123, "coap://localhost:5685")],
        ..Configuration::default()
    }
}

fn bootstrap_account() -> Account {
    no_sec("coap://localhost:5687")
}
