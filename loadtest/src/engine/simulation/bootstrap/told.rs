//! What devices are told, while they are and afterwards.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use coap_lite::{RequestType, ResponseType};

use super::wire::first_request;
use crate::client::blocks::{Block, Incoming, Progress};
use crate::client::bootstrap::{
    Account, Done, Mode, abilities, blank_tree, perform, server_accounts,
};
use crate::client::formats::LINK_FORMAT;
use crate::client::operations::Abilities;
use crate::client::refusal::Refusal;
use crate::client::request::{Answer, Request};
use crate::client::tree::Tree;
use crate::clock::Micros;
use crate::engine::links::ToldKey;
use crate::engine::outbox::Outbox;
use crate::fleet::{Fleet, Template};
use crate::scenario::BootstrapSettings;

/// The bootstrap of the devices of one thread.
pub struct Bootstrap {
    pub(super) settings: BootstrapSettings,
    /// The bootstrap server.
    server: SocketAddr,
    /// Its URI, as devices have it from the factory.
    uri: String,
    pub(super) abilities: Abilities,
    /// By device, what it was told.
    pub(super) told: Vec<Option<Told>>,
    /// Devices that are being told.
    pub(super) sessions: HashMap<u32, Box<Session>>,
    /// By fleet.
    pub(super) requests: Vec<Template>,
    /// Links of what devices have besides the objects of their accounts, by fleet.
    links: Vec<String>,
    /// Registers by fleet and lifetime.
    registers: HashMap<(u8, u32), Template>,
    /// Numbers of servers in the outbox, by what devices were told; `None` for one that cannot be reached.
    servers: HashMap<String, Option<u8>>,
    resolve: fn(&str, SocketAddr) -> Option<SocketAddr>,
}

/// All that a device keeps besides the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub lifetime: u32,
    /// Message id of the Bootstrap-Finish, which may come again.
    pub finish: u16,
}

/// What a device has been told so far.
pub(super) struct Session {
    pub tree: Tree,
    pub incoming: Incoming,
    /// An answer that is longer than a block.
    pub long_answer: Option<(Vec<String>, Answer)>,
    /// The latest request, and what it was answered.
    pub answered: Option<(u16, Vec<u8>)>,
    pub pack: Vec<u8>,
    pub next_block: Option<Block>,
    /// Whether the server has asked to be left alone for a while.
    pub put_off: bool,
}

/// A server's number in the outbox, and the key for it.
pub(super) type Way = (u8, Option<Box<ToldKey>>);

/// Registers that are kept ready.
const REGISTERS: usize = 256;
/// Bodies of the server that are longer are refused.
pub(super) const LARGEST_BODY: usize = 64 << 10;
impl Bootstrap {
    /// For `count` devices that know `server` as their bootstrap server. `resolve` finds the address of a server that
    /// they are told.
    #[must_use]
    pub fn new(
        settings: BootstrapSettings,
        server: SocketAddr,
        fleets: &Arc<[Fleet]>,
        count: u32,
        resolve: fn(&str, SocketAddr) -> Option<SocketAddr>,
    ) -> Self {
        let requests = fleets
            .iter()
            .map(|fleet| first_request(settings, fleet, None));
        Self {
            settings,
            server,
            uri: format!("coap://{server}"),
            abilities: abilities(settings.version()),
            told: vec![None; count as usize],
            sessions: HashMap::new(),
            requests: requests.collect(),
            links: fleets.iter().map(Fleet::links_of_others).collect(),
            registers: HashMap::new(),
            servers: HashMap::new(),
            resolve,
        }
    }

    /// Whether device `index` was told where it belongs.
    pub fn has_told(&self, index: u32) -> bool {
        self.told[index as usize].is_some()
    }

    /// The lifetime that it was told.
    pub fn lifetime(&self, index: u32) -> Option<u32> {
        self.told[index as usize].map(|told| told.lifetime)
    }

    /// The Register of a device that was told.
    pub fn register(&mut self, index: u32, fleet_number: u8, fleet: &Fleet) -> Option<&Template> {
        let lifetime = self.lifetime(index)?;
        if self.registers.len() == REGISTERS {
            self.registers.clear();
        }
        let version = self.settings.version().to_string();
        let make = || fleet.register_with(lifetime, &version);
        let key = (fleet_number, lifetime);
        Some(self.registers.entry(key).or_insert_with(make))
    }

    pub(super) fn session(&mut self, index: u32) -> &mut Session {
        let uri = &self.uri;
        self.sessions.entry(index).or_insert_with(|| {
            Box::new(Session {
                tree: blank_tree(uri),
                incoming: Incoming::default(),
                long_answer: None,
                answered: None,
                pack: Vec::new(),
                next_block: None,
                put_off: false,
            })
        })
    }

    /// The way to the first server that a device was told, and the lifetime there.
    pub(super) fn first_way(&mut self, index: u32, out: &mut Outbox) -> Option<(Way, u32)> {
        let accounts = server_accounts(&self.session(index).tree).ok()?;
        let account = accounts.first()?;
        Some((self.way_to(account, out)?, account.lifetime))
    }

    /// The server of an account that a device of a fleet can go to, and the key for it.
    fn way_to(&mut self, account: &Account, out: &mut Outbox) -> Option<Way> {
        let key = match account.mode {
            Mode::NoSecurity => None,
            Mode::PreSharedKey => Some(Box::new(ToldKey {
                identity: account.identity.as_slice().into(),
                key: account.secret.as_slice().into(),
            })),
            Mode::RawPublicKey | Mode::Certificate => return None,
        };
        let (resolve, first) = (self.resolve, self.server);
        let server = match self.servers.get(&account.address) {
            Some(known) => *known,
            None => {
                let address = resolve(&account.address, first);
                let found = address.and_then(|address| out.server(address.into()));
                self.servers.insert(account.address.clone(), found);
                found
            }
        };
        Some((server?, key))
    }

    /// What a device answers, with what follows from it.
    pub(super) fn answer(
        &mut self,
        index: u32,
        fleet: u8,
        request: Request,
    ) -> Result<(Answer, Done), Refusal> {
        let abilities = self.abilities.clone();
        let links = self.links.get(usize::from(fleet)).cloned();
        let session = self.session(index);
        let path = request.path().ok();
        let object = path.and_then(|path| path.object());
        // What is of no account is taken and forgotten.
        match (request.method, object) {
            (RequestType::Put, Some(2..)) => {
                return Ok((Answer::of(ResponseType::Changed), Done::Continues));
            }
            (RequestType::Delete, Some(2..)) => {
                return Ok((Answer::of(ResponseType::Deleted), Done::Continues));
            }
            _ => {}
        }
        let (mut answer, done) = perform(&mut session.tree, &abilities, &request)?;
        let is_root = path.is_some_and(|path| path.depth() == 0);
        if let Some(links) = links.filter(|links| is_root && !links.is_empty())
            && answer.format == Some(LINK_FORMAT)
        {
            answer.payload.push(b',');
            answer.payload.extend_from_slice(links.as_bytes());
        }
        Ok((answer, done))
    }

    /// The request with its whole body; `None` while blocks are missing.
    pub(super) fn put_together(
        &mut self,
        index: u32,
        mut request: Request,
        block: Option<Block>,
        now: Micros,
    ) -> Result<Option<Request>, Refusal> {
        if let Some(block) = block {
            let incoming = &mut self.session(index).incoming;
            match incoming.take(&request, block, LARGEST_BODY, now / 1_000)? {
                Progress::Continue => return Ok(None),
                Progress::Whole(body) => request.payload = body,
            }
        }
        Ok(Some(request))
    }
}
