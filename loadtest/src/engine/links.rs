//! The DTLS sessions of the devices of one thread, and the handshakes that lead to them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::outbox::Sink;
use crate::clock::Micros;
use crate::dtls::{
    Connector, Handshake, HandshakeError, Login, Progress, Protector, Received, Session, records,
};
use crate::security::{self, Security, SecurityError, SecuritySettings};
use crate::stats::Counts;

/// How devices reach their server: by sessions, or as they are.
pub struct Links {
    secure: Option<Secure>,
}

struct Secure {
    /// To the server of the run; `None`: without DTLS.
    known: Option<(Connector, Arc<Security>)>,
    /// To servers that devices were told.
    told: Option<Told>,
    /// Length of the identifiers on records to devices.
    own_cid: usize,
    protector: Protector,
    links: Vec<Link>,
    /// What each device may resume; empty when none may.
    kept: Vec<Option<Box<[u8]>>>,
    /// Devices that want a handshake, in the order of their wishes.
    waiting: VecDeque<u32>,
    under_way: usize,
    at_most: usize,
    /// Time between two starts.
    pause: Micros,
    next_start: Micros,
    content: Vec<u8>,
    datagrams: Vec<Vec<u8>>,
}

struct Told {
    connector: Connector,
    /// By device, once it was told.
    keys: Vec<Option<Box<ToldKey>>>,
}

/// A pre-shared key that a bootstrap server wrote.
pub struct ToldKey {
    pub identity: Box<[u8]>,
    pub key: Box<[u8]>,
}

/// The state of one device's session.
enum Link {
    /// The device has none and needs none.
    Plain,
    Down,
    /// Ended by the device: the server's own close_notify is still to come (RFC 5246 §7.2.1).
    Closed,
    Waiting,
    Handshaking(Box<Handshake>),
    /// In place, so that it does not lie between what handshakes leave behind.
    Up(Session),
}

/// What a datagram, or a step of a handshake, came to.
pub enum Outcome {
    /// Nothing that the device has to know.
    Nothing,
    /// The handshake goes on; there is something to do again at this time.
    Handshaking(Micros),
    /// The session is up.
    Up {
        /// Whether it goes on with an earlier one.
        resumed: bool,
        /// Messages that have come already.
        early: Vec<Vec<u8>>,
    },
    /// The handshake failed.
    Failed(HandshakeError),
    /// The server ended the session.
    Closed,
}

impl Links {
    /// Links of `count` devices, which have `share` of the run's handshakes.
    ///
    /// # Errors
    /// [`SecurityError`], when OpenSSL does not take the settings.
    pub fn new(
        settings: &SecuritySettings,
        security: Option<&Arc<Security>>,
        count: u32,
        share: f64,
    ) -> Result<Self, SecurityError> {
        Self::build(settings, security, None, count, share)
    }

    /// The same for devices that are told other servers, and pre-shared keys for them.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_told_keys(
        settings: &SecuritySettings,
        security: Option<&Arc<Security>>,
        count: u32,
        share: f64,
    ) -> Result<Self, SecurityError> {
        let told = Told {
            connector: security::psk_connector(settings)?,
            keys: (0..count).map(|_| None).collect(),
        };
        Self::build(settings, security, Some(told), count, share)
    }

    fn build(
        settings: &SecuritySettings,
        security: Option<&Arc<Security>>,
        told: Option<Told>,
        count: u32,
        share: f64,
    ) -> Result<Self, SecurityError> {
        if security.is_none() && told.is_none() {
            return Ok(Self { secure: None });
        }
        let known = security.map(|security| {
            let connector = security.connector()?;
            Ok::<_, SecurityError>((connector, Arc::clone(security)))
        });
        let known = known.transpose()?;
        let first = if known.is_some() {
            || Link::Down
        } else {
            || Link::Plain
        };
        let of_all = f64::from(settings.max_handshakes) * share;
        let pause = match settings.handshake_rate * share {
            rate if rate > 0.0 => (1e6 / rate) as Micros,
            _ => 0,
        };
        let kept = if settings.resumption { count } else { 0 };
        Ok(Self {
            secure: Some(Secure {
                known,
                told,
                own_cid: usize::from(settings.client_connection_id),
                protector: Protector::new(),
                links: (0..count).map(|_| first()).collect(),
                kept: vec![None; kept as usize],
                waiting: VecDeque::new(),
                under_way: 0,
                at_most: (of_all as usize).max(1),
                pause,
                next_start: 0,
                content: Vec::new(),
                datagrams: Vec::new(),
            }),
        })
    }

    /// Whether there are sessions at all.
    pub const fn are_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Whether device `index` can send a message now.
    pub fn is_up(&self, index: u32) -> bool {
        let link = self.secure.as_ref().map(|s| &s.links[index as usize]);
        matches!(link, None | Some(Link::Up(_) | Link::Plain))
    }

    /// Device `index` ends its session and goes to another server, with a pre-shared key for it or without security.
    pub fn move_on(&mut self, index: u32, key: Option<Box<ToldKey>>, out: &mut impl Sink) {
        self.close(index, out);
        let Some(secure) = &mut self.secure else {
            return;
        };
        secure.links[index as usize] = match key {
            Some(_) => Link::Down,
            None => Link::Plain,
        };
        if let Some(kept) = secure.kept.get_mut(index as usize) {
            *kept = None;
        }
        if let Some(told) = &mut secure.told {
            told.keys[index as usize] = key;
        }
    }

    /// Whether device `index` has no session and none is being made.
    pub fn is_down(&self, index: u32) -> bool {
        let link = self.secure.as_ref().map(|s| &s.links[index as usize]);
        matches!(link, Some(Link::Down | Link::Closed))
    }

    /// Device `index` wants a session, and is given one as soon as there is room: [`Self::start`].
    pub fn want(&mut self, index: u32) {
        if let Some(secure) = &mut self.secure {
            secure.drop_link(index);
            secure.links[index as usize] = Link::Waiting;
            secure.waiting.push_back(index);
        }
    }

    /// When the next handshake may start, if a device waits for one.
    pub fn next_start(&self) -> Option<Micros> {
        let secure = self.secure.as_ref()?;
        let any = !secure.waiting.is_empty() && secure.under_way < secure.at_most;
        any.then_some(secure.next_start)
    }

    /// Starts a handshake of the device that has waited longest, if it may start now. `id` tells its name and
    /// number.
    pub fn start(
        &mut self,
        now: Micros,
        id: impl FnOnce(u32) -> (String, u32),
        out: &mut impl Sink,
    ) -> Option<(u32, Outcome)> {
        if self.next_start()? > now {
            return None;
        }
        let secure = self.secure.as_mut()?;
        let index = secure.waiting.pop_front()?;
        if !matches!(secure.links[index as usize], Link::Waiting) {
            return Some((index, Outcome::Nothing));
        }
        // After a pause, the rate holds from now on.
        secure.next_start = if secure.next_start + 1_000_000 < now {
            now + secure.pause
        } else {
            secure.next_start + secure.pause
        };
        let (endpoint, number) = id(index);
        let outcome = match secure.begin(index, &endpoint, number, now)? {
            Ok(handshake) => {
                secure.under_way += 1;
                secure.links[index as usize] = Link::Handshaking(Box::new(handshake));
                secure.poll(index, now, out)
            }
            Err(error) => {
                secure.links[index as usize] = Link::Down;
                Outcome::Failed(error)
            }
        };
        Some((index, outcome))
    }

    /// The time-out of a handshake may have come.
    pub fn poll(&mut self, index: u32, now: Micros, out: &mut impl Sink) -> Outcome {
        match &mut self.secure {
            Some(secure) => secure.poll(index, now, out),
            None => Outcome::Nothing,
        }
    }

    /// Takes a datagram; `messages` gets each message in it.
    pub fn receive(
        &mut self,
        index: u32,
        datagram: &[u8],
        now: Micros,
        messages: &mut Vec<Vec<u8>>,
        counts: &mut Counts,
        out: &mut impl Sink,
    ) -> Outcome {
        let Some(secure) = &mut self.secure else {
            return Outcome::Nothing;
        };
        match &mut secure.links[index as usize] {
            Link::Plain => {
                messages.push(datagram.to_vec());
                Outcome::Nothing
            }
            link @ Link::Closed => {
                *link = Link::Down;
                Outcome::Nothing
            }
            Link::Down | Link::Waiting => {
                counts.records_dropped += 1;
                Outcome::Nothing
            }
            Link::Handshaking(handshake) => {
                let before = handshake.records_dropped();
                let (protector, datagrams) = (&mut secure.protector, &mut secure.datagrams);
                let progress = handshake.receive(datagram, now, protector, datagrams);
                counts.records_dropped += u64::from(handshake.records_dropped() - before);
                secure.follow(index, progress, out)
            }
            Link::Up(session) => {
                let (protector, content) = (&mut secure.protector, &mut secure.content);
                let mut outcome = Outcome::Nothing;
                for record in records(datagram, session.own_cid_length()) {
                    match session.receive(&record, protector, content) {
                        Received::Data => messages.push(content.clone()),
                        Received::Closed(_) => outcome = Outcome::Closed,
                        // What cannot be repeated is asked for again.
                        Received::Repeated => {
                            let _ = session.repeat(protector, &mut secure.datagrams);
                        }
                        Received::Nothing => {}
                        Received::Dropped(_) => counts.records_dropped += 1,
                    }
                }
                if matches!(outcome, Outcome::Closed) {
                    counts.sessions_closed += 1;
                    secure.links[index as usize] = Link::Down;
                }
                secure.send(index, out);
                outcome
            }
        }
    }

    /// Puts a message of device `index` in; `write` appends its bytes. Without a session it is lost; false then.
    pub fn put(
        &mut self,
        index: u32,
        out: &mut impl Sink,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let Some(secure) = &mut self.secure else {
            out.put(index, write);
            return true;
        };
        let session = match &mut secure.links[index as usize] {
            Link::Plain => {
                out.put(index, write);
                return true;
            }
            Link::Up(session) => session,
            _ => return false,
        };
        secure.content.clear();
        write(&mut secure.content);
        let (protector, content) = (&mut secure.protector, &secure.content);
        let mut sealed = false;
        out.put(index, |arena| {
            sealed = session.seal(content, protector, arena).is_ok();
        });
        sealed
    }

    /// Lets go of a session without a word.
    pub fn drop_link(&mut self, index: u32) {
        if let Some(secure) = &mut self.secure {
            secure.drop_link(index);
        }
    }

    /// Ends a session.
    pub fn close(&mut self, index: u32, out: &mut impl Sink) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        if let Link::Up(session) = &mut secure.links[index as usize] {
            // A session that cannot say so just ends.
            let protector = &mut secure.protector;
            out.put(index, |arena| drop(session.close(protector, arena)));
            secure.links[index as usize] = Link::Closed;
        } else {
            secure.drop_link(index);
        }
    }

    /// Whether the session of device `index` has an identifier of the server.
    pub fn has_connection_id(&self, index: u32) -> bool {
        match self.secure.as_ref().map(|s| &s.links[index as usize]) {
            Some(Link::Up(session)) => !session.peer_cid().is_empty(),
            _ => false,
        }
    }
}

impl Secure {
    /// Starts a handshake; `None` for a device without credentials.
    fn begin(
        &self,
        index: u32,
        endpoint: &str,
        number: u32,
        now: Micros,
    ) -> Option<Result<Handshake, HandshakeError>> {
        let told = self.told.as_ref();
        let told =
            told.and_then(|told| Some((&told.connector, told.keys[index as usize].as_ref()?)));
        let (connector, login) = match (told, &self.known) {
            (Some((connector, told)), _) => {
                let (identity, key) = (told.identity.to_vec(), told.key.to_vec());
                (connector, Ok(Login::Psk { identity, key }))
            }
            (None, Some((connector, security))) => (connector, security.login(endpoint)),
            (None, None) => return None,
        };
        let number = u64::from(number).to_be_bytes();
        let own = &number[number.len() - self.own_cid..];
        let resume = self.kept.get(index as usize).and_then(Option::as_deref);
        Some(
            login
                .map_err(Into::into)
                .and_then(|login| connector.start(&login, own, resume, now)),
        )
    }

    fn poll(&mut self, index: u32, now: Micros, out: &mut impl Sink) -> Outcome {
        let Link::Handshaking(handshake) = &mut self.links[index as usize] else {
            return Outcome::Nothing;
        };
        let progress = handshake.poll(now, &mut self.protector, &mut self.datagrams);
        self.follow(index, progress, out)
    }

    fn follow(&mut self, index: u32, progress: Progress, out: &mut impl Sink) -> Outcome {
        self.send(index, out);
        match progress {
            Progress::Continue => match &self.links[index as usize] {
                Link::Handshaking(handshake) => Outcome::Handshaking(handshake.next_wake()),
                _ => Outcome::Nothing,
            },
            Progress::Failed(error) => {
                self.drop_link(index);
                if let Some(kept) = self.kept.get_mut(index as usize) {
                    *kept = None;
                }
                Outcome::Failed(error)
            }
            Progress::Done(established) => {
                self.under_way -= 1;
                if let Some(kept) = self.kept.get_mut(index as usize) {
                    *kept = established.resumption;
                }
                self.links[index as usize] = Link::Up(established.session);
                Outcome::Up {
                    resumed: established.resumed,
                    early: established.early,
                }
            }
        }
    }

    fn send(&mut self, index: u32, out: &mut impl Sink) {
        for datagram in self.datagrams.drain(..) {
            out.put(index, |arena| arena.extend_from_slice(&datagram));
        }
    }

    fn drop_link(&mut self, index: u32) {
        if matches!(self.links[index as usize], Link::Plain) {
            return;
        }
        let link = std::mem::replace(&mut self.links[index as usize], Link::Down);
        if matches!(link, Link::Handshaking(_)) {
            self.under_way -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secured_device_takes_at_most_128_bytes_more_than_a_plain_one() {
        let more = size_of::<Link>();
        assert!(more <= 128, "{more} bytes");
    }
}
