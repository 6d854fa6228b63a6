//! Devices that bootstrap: what the bootstrap server does to them, and what of it they keep.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::Simulation;
use crate::client::blocks::{Block, Incoming, Progress, number_bytes, slice};
use crate::client::bootstrap::{
    Account, Done, Mode, abilities, blank_tree, perform, server_accounts, unpack,
};
use crate::client::formats::LINK_FORMAT;
use crate::client::operations::Abilities;
use crate::client::refusal::Refusal;
use crate::client::request::{Answer, Request};
use crate::client::tree::Tree;
use crate::clock::{Micros, Ticks};
use crate::coap::{Exchange, Message, Parsed, append};
use crate::device::State;
use crate::engine::calendar::Due;
use crate::engine::links::ToldKey;
use crate::engine::outbox::Outbox;
use crate::fleet::{Fleet, Template};
use crate::scenario::BootstrapSettings;
use crate::stats::{Failure, Operation};

/// The bootstrap of the devices of one thread.
pub struct Bootstrap {
    settings: BootstrapSettings,
    /// The bootstrap server.
    server: SocketAddr,
    /// Its URI, as devices have it from the factory.
    uri: String,
    abilities: Abilities,
    /// By device, what it was told.
    told: Vec<Option<Told>>,
    /// Devices that are being told.
    sessions: HashMap<u32, Box<Session>>,
    /// By fleet.
    requests: Vec<Template>,
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
struct Told {
    lifetime: u32,
    /// Message id of the Bootstrap-Finish, which may come again.
    finish: u16,
}

/// What a device has been told so far.
struct Session {
    tree: Tree,
    incoming: Incoming,
    /// An answer that is longer than a block.
    long_answer: Option<(Vec<String>, Answer)>,
    /// The latest request, and what it was answered.
    answered: Option<(u16, Vec<u8>)>,
    pack: Vec<u8>,
    next_block: Option<Block>,
    /// Whether the server has asked to be left alone for a while.
    put_off: bool,
}

/// A server's number in the outbox, and the key for it.
type Way = (u8, Option<Box<ToldKey>>);

/// Registers that are kept ready.
const REGISTERS: usize = 256;
/// Bodies of the server that are longer are refused.
const LARGEST_BODY: usize = 64 << 10;
const BLOCK: usize = 1_024;
/// Code 5.03.
const UNAVAILABLE: MessageClass = MessageClass::Response(ResponseType::ServiceUnavailable);
/// Seconds that a device waits after 5.03: what Max-Age says (60 by default, RFC 7252 §5.9.3.4), at most this.
const LONGEST_WAIT_S: u32 = 60;

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

    fn session(&mut self, index: u32) -> &mut Session {
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
    fn first_way(&mut self, index: u32, out: &mut Outbox) -> Option<(Way, u32)> {
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
    fn answer(
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
    fn put_together(
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

impl Simulation {
    /// A datagram of the bootstrap server after the device has left it: the Bootstrap-Finish may come again, since its
    /// answer was lost. In a session that was ended it cannot be read any more.
    pub fn receive_from_before(&mut self, index: u32, bytes: &[u8], out: &mut Outbox) {
        let told = self.bootstrap.as_ref().and_then(|b| b.told[index as usize]);
        let (Some(told), Some(message)) = (told, Parsed::from_bytes(bytes)) else {
            return;
        };
        let header = &message.packet.header;
        let is_finish = header.code == MessageClass::Request(RequestType::Post)
            && header.get_type() == MessageType::Confirmable
            && header.message_id == told.finish;
        if is_finish {
            self.stats.counts.duplicates += 1;
            let answer = Answer::of(ResponseType::Changed);
            let message = piggybacked(&message, &answer, None);
            out.put_to_first(index, |arena| append(&message, arena));
        }
    }

    /// A request of the bootstrap server.
    pub(super) fn on_bootstrap_request(
        &mut self,
        index: u32,
        request: &Parsed,
        now: Micros,
        out: &mut Outbox,
    ) {
        let device = &mut self.devices[index as usize];
        let fleet = device.fleet;
        device.exchange.postpone(self.clock.tick(now), &self.timing);
        let deadline = device.exchange.deadline;
        self.calendar.enter(deadline, index, Due::Timeout);
        let Some(bootstrap) = &mut self.bootstrap else {
            return;
        };
        let mid = request.packet.header.message_id;
        let session = bootstrap.session(index);
        if let Some((_, bytes)) = session.answered.as_ref().filter(|(known, _)| *known == mid) {
            self.stats.counts.duplicates += 1;
            self.links
                .put(index, out, |arena| arena.extend_from_slice(bytes));
            return;
        }
        let Some(asked) = Request::from_packet(&request.packet) else {
            return;
        };
        let block = |option| request.uint(option).map(Block::from_number);
        let (block1, block2) = (block(CoapOption::Block1), block(CoapOption::Block2));
        let kept = session.long_answer.as_ref();
        let kept = kept
            .filter(|(path, _)| *path == asked.segments && block2.is_some_and(|b| b.number > 0));
        let mut done = Done::Continues;
        let mut failure = None;
        let answer = match kept {
            Some((_, answer)) => answer.clone(),
            None => {
                let is_finish = asked.segments == ["bs"];
                let whole = bootstrap.put_together(index, asked, block1, now);
                let outcome = whole.and_then(|whole| match whole {
                    None => Ok((Answer::of(ResponseType::Continue), Done::Continues)),
                    Some(whole) => bootstrap.answer(index, fleet, whole),
                });
                match outcome {
                    Ok((answer, result)) => {
                        done = result;
                        answer
                    }
                    Err(refusal) => {
                        failure = is_finish.then_some(Failure::Inconsistent);
                        refusal.into()
                    }
                }
            }
        };
        let mut way = None;
        let mut answer = answer;
        if done == Done::Finished {
            way = bootstrap.first_way(index, out);
            if way.is_none() {
                failure = Some(Failure::Unusable);
                answer = Refusal::not_acceptable("the server cannot be used").into();
            }
        }
        let message = with_blocks(request, &answer, block1, block2, bootstrap.session(index));
        let bytes = message.encode();
        self.links
            .put(index, out, |arena| arena.extend_from_slice(&bytes));
        bootstrap.session(index).answered = Some((mid, bytes));
        if let Some((way, lifetime)) = way {
            bootstrap.told[index as usize] = Some(Told {
                lifetime,
                finish: mid,
            });
            self.go(index, way, out);
            self.answered(index, Operation::Bootstrap, Ok(()), now, out);
        } else if let Some(failure) = failure {
            self.answered(index, Operation::Bootstrap, Err(failure), now, out);
        }
    }

    /// The answer to the Bootstrap-Request, or a part of a pack.
    pub(super) fn on_bootstrap_response(
        &mut self,
        index: u32,
        response: &Parsed,
        now: Micros,
        out: &mut Outbox,
    ) {
        let Some(bootstrap) = &mut self.bootstrap else {
            return;
        };
        let code = response.packet.header.code;
        let outcome = match code {
            UNAVAILABLE => {
                let wait = response.uint(CoapOption::MaxAge).unwrap_or(LONGEST_WAIT_S);
                return self.put_bootstrap_off(index, wait, now);
            }
            MessageClass::Response(ResponseType::Changed) if !bootstrap.settings.pack => {
                let device = &mut self.devices[index as usize];
                device.exchange.postpone(self.clock.tick(now), &self.timing);
                let deadline = device.exchange.deadline;
                return self.calendar.enter(deadline, index, Due::Timeout);
            }
            MessageClass::Response(ResponseType::Content) if bootstrap.settings.pack => {
                let session = bootstrap.session(index);
                let block = response.uint(CoapOption::Block2).map(Block::from_number);
                session.pack.extend_from_slice(&response.packet.payload);
                if let Some(block) = block.filter(|block| block.more) {
                    session.next_block = Some(Block {
                        number: block.number + 1,
                        more: false,
                        ..block
                    });
                    if session.pack.len() <= LARGEST_BODY {
                        return self.ask_again(index, now, out);
                    }
                }
                self.take_pack(index, response, out)
            }
            _ if u8::from(code) >> 5 == 2 => Err(Failure::Unexpected),
            _ => Err(Failure::Code(code.into())),
        };
        self.answered(index, Operation::Bootstrap, outcome, now, out);
    }

    pub(super) fn write_bootstrap_request(&mut self, index: u32, mid: u16, out: &mut Outbox) {
        let device = &self.devices[index as usize];
        let number = self.first + index;
        let fleet = &self.fleets[usize::from(device.fleet)];
        let Some(bootstrap) = &self.bootstrap else {
            return;
        };
        let block = bootstrap.sessions.get(&index).and_then(|s| s.next_block);
        let later = block.map(|block| first_request(bootstrap.settings, fleet, Some(block)));
        let request = later
            .as_ref()
            .unwrap_or(&bootstrap.requests[usize::from(device.fleet)]);
        self.links
            .put(index, out, |arena| fleet.write(request, number, mid, arena));
    }

    /// The bootstrap of device `index` is over.
    pub(super) fn bootstrap_ended(
        &mut self,
        index: u32,
        outcome: Result<(), Failure>,
        tick: Ticks,
        out: &mut Outbox,
    ) {
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.sessions.remove(&index);
        }
        let device = &mut self.devices[index as usize];
        if outcome.is_ok() {
            device.queued.register = true;
            device.queued_since = tick;
        } else {
            device.state = State::Gone;
            self.unsettled -= 1;
            self.links.close(index, out);
        }
    }

    fn go(&mut self, index: u32, (server, key): Way, out: &mut Outbox) {
        self.links.move_on(index, key, out);
        out.go(index, server);
    }

    /// The time-out of device `index` has come; whether it was one that the server had asked for.
    pub(super) fn bootstraps_again(&mut self, index: u32, now: Micros, out: &mut Outbox) -> bool {
        let bootstrap = self.bootstrap.as_mut();
        let session = bootstrap.and_then(|bootstrap| bootstrap.sessions.get_mut(&index));
        let put_off = session.is_some_and(|session| std::mem::take(&mut session.put_off));
        if put_off {
            self.ask_again(index, now, out);
        }
        put_off
    }

    /// The server is too busy: the device asks again after `wait` seconds and up to a quarter more.
    fn put_bootstrap_off(&mut self, index: u32, wait: u32, now: Micros) {
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.session(index).put_off = true;
        }
        self.stats.counts.put_off += 1;
        let millis = u64::from(wait.clamp(1, LONGEST_WAIT_S)) * 1_000;
        let millis = millis + self.rng.u64(..=millis / 4);
        let deadline = self.clock.tick(now) + self.clock.ticks_in_millis(millis);
        self.devices[index as usize].exchange.deadline = deadline;
        self.calendar.enter(deadline, index, Due::Timeout);
    }

    /// Makes the Bootstrap-Request, or that for the next block of a pack, as a new one.
    fn ask_again(&mut self, index: u32, now: Micros, out: &mut Outbox) {
        let tick = self.clock.tick(now);
        let device = &mut self.devices[index as usize];
        let intended = device.exchange.intended;
        let mid = device.take_mid();
        device.exchange = Exchange::start(mid, intended, tick, &self.timing, &mut self.rng);
        self.calendar
            .enter(device.exchange.deadline, index, Due::Timeout);
        self.write_current(index, out);
    }

    fn take_pack(
        &mut self,
        index: u32,
        response: &Parsed,
        out: &mut Outbox,
    ) -> Result<(), Failure> {
        let bootstrap = self.bootstrap.as_mut().ok_or(Failure::Unexpected)?;
        let abilities = bootstrap.abilities.clone();
        let session = bootstrap.session(index);
        let format = response.uint(CoapOption::ContentFormat);
        let pack = Answer::content(
            format.map_or(0, |format| format as u16),
            std::mem::take(&mut session.pack),
        );
        unpack(&mut session.tree, &abilities, &pack).map_err(|_| Failure::Inconsistent)?;
        let (way, lifetime) = bootstrap.first_way(index, out).ok_or(Failure::Unusable)?;
        bootstrap.told[index as usize] = Some(Told {
            lifetime,
            finish: response.packet.header.message_id,
        });
        self.go(index, way, out);
        Ok(())
    }
}

/// The Bootstrap-Request, or Bootstrap-Pack-Request, of a fleet.
fn first_request(settings: BootstrapSettings, fleet: &Fleet, block: Option<Block>) -> Template {
    let (method, path) = match settings.pack {
        true => (RequestType::Get, "bspack"),
        false => (RequestType::Post, "bs"),
    };
    let code = MessageClass::Request(method);
    let mut message = Message::new(MessageType::Confirmable, code, 0, &[0; crate::fleet::TOKEN])
        .option(CoapOption::UriPath, path);
    match settings.content_format() {
        Some(format) if settings.pack => {
            message = message.option(CoapOption::Accept, number_bytes(format.into()));
        }
        Some(format) => message = message.option(CoapOption::UriQuery, format!("pct={format}")),
        None => {}
    }
    if let Some(block) = block {
        message = message.option(CoapOption::Block2, number_bytes(block.to_number()));
    }
    fleet.request_with_name(message)
}

/// An answer in blocks, where it is one, or the request was one.
fn with_blocks(
    request: &Parsed,
    answer: &Answer,
    block1: Option<Block>,
    block2: Option<Block>,
    session: &mut Session,
) -> Message {
    let mut message = piggybacked(request, answer, block1);
    if answer.payload.len() <= BLOCK && block2.is_none() {
        return message.payload(answer.payload.clone());
    }
    let mut block = block2.unwrap_or(Block {
        number: 0,
        more: false,
        size: BLOCK,
    });
    let Some((part, more)) = slice(&answer.payload, block) else {
        return message;
    };
    block.more = more;
    if more && block.number == 0 {
        let path = Request::from_packet(&request.packet).map(|request| request.segments);
        session.long_answer = path.map(|path| (path, answer.clone()));
    }
    message = message.option(CoapOption::Block2, number_bytes(block.to_number()));
    message.payload(part.to_vec())
}

/// An answer without its payload.
fn piggybacked(request: &Parsed, answer: &Answer, block1: Option<Block>) -> Message {
    let packet = &request.packet;
    let (mid, token) = (packet.header.message_id, packet.get_token());
    let kind = match packet.header.get_type() {
        MessageType::Confirmable => MessageType::Acknowledgement,
        _ => MessageType::NonConfirmable,
    };
    let mut message = Message::new(kind, MessageClass::Response(answer.code), mid, token);
    if let Some(format) = answer.format {
        message = message.content_format(format);
    }
    if let Some(block) = block1 {
        let more = answer.code == ResponseType::Continue;
        let block = Block { more, ..block };
        message = message.option(CoapOption::Block1, number_bytes(block.to_number()));
    }
    message
}
