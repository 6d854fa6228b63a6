//! One device's connection to its server: a handshake when there is something to send, and another one when the
//! session has ended.

use std::collections::VecDeque;

use super::connector::Connector;
use super::handshake::{Established, Handshake, HandshakeError, Progress};
use super::login::Login;
use super::protect::Protector;
use super::session::{Received, Session};
use super::wire::records;
use crate::clock::Micros;

/// Messages that wait for the end of a handshake; the oldest gives way.
const MAX_WAITING: usize = 32;
/// Events that nobody fetched.
const MAX_EVENTS: usize = 64;

/// A connection. Datagrams and microseconds in, datagrams out.
pub struct Connection {
    connector: Connector,
    login: Login,
    /// What the server is told to put on its records.
    cid: Vec<u8>,
    state: State,
    resumption: Option<Box<[u8]>>,
    protector: Protector,
    waiting: VecDeque<Vec<u8>>,
    outbox: Vec<Vec<u8>>,
    events: VecDeque<ConnectionEvent>,
    content: Vec<u8>,
}

enum State {
    Down,
    Handshaking(Box<Handshake>),
    Up(Box<Session>),
}

/// Something that happened to a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionEvent {
    /// A handshake was done.
    Established {
        suite: &'static str,
        resumed: bool,
        /// Length of the identifier that the server wants; `None` when it wants none.
        connection_id: Option<usize>,
    },
    /// A handshake failed, and why.
    Failed(String),
    /// The server ended the session with this alert (0: close_notify).
    Closed(u8),
}

impl Connection {
    /// A connection that is down until there is something to send. `cid` is what the server is told to put on its
    /// records (empty: nothing).
    #[must_use]
    pub fn new(connector: Connector, login: Login, cid: Vec<u8>) -> Self {
        Self {
            connector,
            login,
            cid,
            state: State::Down,
            resumption: None,
            protector: Protector::new(),
            waiting: VecDeque::new(),
            outbox: Vec::new(),
            events: VecDeque::new(),
            content: Vec::new(),
        }
    }

    /// Sends a message, after a handshake when there is no session.
    pub fn send(&mut self, message: &[u8], now: Micros) {
        match &mut self.state {
            State::Up(session) => {
                let mut datagram = Vec::with_capacity(message.len() + 64);
                match session.seal(message, &mut self.protector, &mut datagram) {
                    Ok(()) => self.outbox.push(datagram),
                    Err(error) => {
                        self.state = State::Down;
                        self.tell(ConnectionEvent::Failed(error.to_string()));
                    }
                }
            }
            State::Handshaking(_) => self.wait(message),
            State::Down => {
                self.wait(message);
                self.begin(now);
            }
        }
    }

    /// Takes a datagram of the server; `deliver` gets the messages in it.
    pub fn receive(&mut self, datagram: &[u8], now: Micros, deliver: &mut dyn FnMut(&[u8])) {
        match &mut self.state {
            State::Down => {}
            State::Handshaking(handshake) => {
                let protector = &mut self.protector;
                let progress = handshake.receive(datagram, now, protector, &mut self.outbox);
                self.follow(progress, now, deliver);
            }
            State::Up(session) => {
                let mut closed = None;
                for record in records(datagram, session.own_cid_length()) {
                    match session.receive(&record, &mut self.protector, &mut self.content) {
                        Received::Data => deliver(&self.content),
                        Received::Closed(alert) => closed = Some(alert),
                        // What cannot be repeated is asked for again.
                        Received::Repeated => {
                            let _ = session.repeat(&mut self.protector, &mut self.outbox);
                        }
                        Received::Nothing | Received::Dropped(_) => {}
                    }
                }
                if let Some(alert) = closed {
                    self.state = State::Down;
                    self.tell(ConnectionEvent::Closed(alert));
                }
            }
        }
    }

    /// Does what is due by `now`.
    pub fn poll(&mut self, now: Micros) {
        if let State::Handshaking(handshake) = &mut self.state
            && handshake.next_wake() <= now
        {
            let progress = handshake.poll(now, &mut self.protector, &mut self.outbox);
            self.follow(progress, now, &mut |_| {});
        }
    }

    /// When [`Self::poll`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Micros> {
        match &self.state {
            State::Handshaking(handshake) => Some(handshake.next_wake()),
            State::Down | State::Up(_) => None,
        }
    }

    /// Whether there is a session.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// The length of the identifier on the server's records; 0 when there is none.
    #[cfg(test)]
    pub(super) fn session_cid_length(&self) -> usize {
        match &self.state {
            State::Up(session) => session.own_cid_length(),
            State::Down | State::Handshaking(_) => 0,
        }
    }

    /// Lets go of the session without a word, as after a loss of power: the next message brings a handshake.
    pub fn forget(&mut self) {
        self.state = State::Down;
    }

    /// Ends the session.
    pub fn close(&mut self) {
        if let State::Up(session) = &mut self.state {
            let mut datagram = Vec::new();
            if session.close(&mut self.protector, &mut datagram).is_ok() {
                self.outbox.push(datagram);
            }
        }
        self.state = State::Down;
    }

    /// Datagrams to be sent.
    pub fn transmit(&mut self) -> impl Iterator<Item = Vec<u8>> {
        self.outbox.drain(..)
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<ConnectionEvent> {
        self.events.pop_front()
    }

    fn begin(&mut self, now: Micros) {
        let resume = self.resumption.as_deref();
        match self.connector.start(&self.login, &self.cid, resume, now) {
            Ok(handshake) => {
                self.state = State::Handshaking(Box::new(handshake));
                self.poll(now);
            }
            Err(error) => self.failed(&error),
        }
    }

    fn follow(&mut self, progress: Progress, now: Micros, deliver: &mut dyn FnMut(&[u8])) {
        match progress {
            Progress::Continue => {}
            Progress::Failed(error) => self.failed(&error),
            Progress::Done(established) => {
                let Established {
                    session,
                    resumption,
                    resumed,
                    suite,
                    early,
                } = *established;
                let cid = session.peer_cid().len();
                self.tell(ConnectionEvent::Established {
                    suite,
                    resumed,
                    connection_id: (cid > 0).then_some(cid),
                });
                self.state = State::Up(Box::new(session));
                self.resumption = resumption;
                for message in std::mem::take(&mut self.waiting) {
                    self.send(&message, now);
                }
                early.iter().for_each(|message| deliver(message));
            }
        }
    }

    /// Whoever sent the waiting messages sends them again, and that is the next try.
    fn failed(&mut self, error: &HandshakeError) {
        self.state = State::Down;
        self.waiting.clear();
        self.resumption = None;
        self.tell(ConnectionEvent::Failed(error.to_string()));
    }

    fn wait(&mut self, message: &[u8]) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message.to_vec());
    }

    fn tell(&mut self, event: ConnectionEvent) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
