//! A device on a UDP socket, in a thread.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Scope};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use coap_lite::ResponseType;
use thiserror::Error;

use super::bootstrap::Account;
use super::device::Device;
use super::event::{Counters, Event, dotted};
use super::link::Link;
use super::objects;
use super::options::{ClientOptions, Fault};
use super::path::{Path, PathError};
use super::register::{Registration, SendError};
use super::request::Kind;
use super::storage;
use super::value::Value;

/// Longest sleep of the thread: so late may a timer be.
const NAP: Duration = Duration::from_millis(10);
/// How long a caller waits for the outcome of the device's own request: more than its retransmissions take.
const OUTCOME_WAIT: Duration = Duration::from_secs(100);
/// How long [`Client::stop`] waits for the de-registration.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// A simulated device at work. Dropping it stops it without a de-registration.
pub struct Client {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    device: Mutex<Device>,
    /// Signalled whenever something may have changed.
    changed: Condvar,
    link: Link,
    ends: AtomicBool,
    clock: Clock,
}

/// Milliseconds since 1970, never going back.
struct Clock {
    started: Instant,
    at_start: u64,
}

/// Why something that the device was told to do did not come about.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ClientError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("not registered")]
    NotRegistered,
    #[error("the server answered {}", dotted(*.0))]
    Refused(ResponseType),
    #[error("the server did not answer")]
    NoAnswer,
}

impl Client {
    /// Starts a device; it registers at once.
    ///
    /// # Errors
    ///
    /// When the local address cannot be bound or the server's not be reached by it.
    pub fn start(options: ClientOptions) -> io::Result<Self> {
        Self::start_watched(options, |_| {})
    }

    /// Starts a device whose doings are told to `watch`, from the device's thread.
    ///
    /// # Errors
    ///
    /// When the local address cannot be bound or the server's not be reached by it, or OpenSSL does not take the
    /// credentials.
    pub fn start_watched(
        options: ClientOptions,
        mut watch: impl FnMut(&Event) + Send + 'static,
    ) -> io::Result<Self> {
        let link = Link::open(&options)?;
        let clock = Clock::start();
        let shared = Arc::new(Shared {
            device: Mutex::new(Device::new(options, clock.now())),
            changed: Condvar::new(),
            ends: AtomicBool::new(false),
            link,
            clock,
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("simulated device".to_owned())
            .spawn(move || {
                thread::scope(|scope| of_thread.run(scope, &mut watch));
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The address the device sends from.
    ///
    /// # Errors
    ///
    /// When the system does not tell it.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.shared.link.local_address()
    }

    /// Goes on from another port, as behind a NAT gateway that has forgotten its mapping; the new address.
    ///
    /// # Errors
    ///
    /// When there is no other port to be had.
    pub fn rebind(&self) -> io::Result<SocketAddr> {
        self.shared.link.rebind()
    }

    /// Lets go of the DTLS session without a word, as after a loss of power: the next message brings a handshake. `false`
    /// when there is no DTLS.
    pub fn forget_session(&self) -> bool {
        self.shared.link.forget()
    }

    /// The registration as it stands.
    #[must_use]
    pub fn registration(&self) -> Registration {
        self.shared.device().registration().clone()
    }

    /// Waits until the device is registered; `false` when it is not in time.
    #[must_use]
    pub fn wait_registered(&self, at_most: Duration) -> bool {
        self.wait_until(at_most, |device| device.registration().registered)
    }

    /// Waits until something holds for the device; `false` when it does not in time. The condition is tried after each
    /// datagram and timer.
    pub fn wait_until(&self, at_most: Duration, holds: impl Fn(&Device) -> bool) -> bool {
        let device = self.shared.device();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(device, at_most, |device| !holds(device));
        let (_device, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// Looks at the device.
    pub fn with<T>(&self, look: impl FnOnce(&mut Device) -> T) -> T {
        self.shared.act(|device, _| look(device))
    }

    /// Sets a value of an existing object instance as the device itself does, read-only resources included; observations
    /// are notified. `false` when there is no such place or the value is of another type.
    pub fn set(&self, path: &str, value: impl Into<Value>) -> bool {
        let value = value.into();
        self.shared.act(|device, now| {
            let set = device.put(path, value);
            device.tick(now);
            set
        })
    }

    /// The value at a path of a single resource or resource instance.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        self.shared.device().value(path)
    }

    /// Sends the present values of these paths and waits for the server's answer.
    ///
    /// # Errors
    ///
    /// When a path is none, there is nothing to send or the server refuses it.
    pub fn send(&self, paths: &[impl AsRef<str>], format: u16) -> Result<(), ClientError> {
        let paths = parsed(paths)?;
        let ticket = self
            .shared
            .act(|device, now| device.send(&paths, format, now))?;
        self.outcome(Some(ticket))
    }

    /// Puts the present values of these paths aside; how many there are.
    ///
    /// # Errors
    ///
    /// When a path is none.
    pub fn collect(&self, paths: &[impl AsRef<str>]) -> Result<usize, ClientError> {
        let paths = parsed(paths)?;
        Ok(self.shared.act(|device, now| device.collect(&paths, now)))
    }

    /// Sends what was put aside for these paths (all, when none is given), in one message, each value with its time, and
    /// waits for the server's answer.
    ///
    /// # Errors
    ///
    /// When a path is none, nothing was put aside or the server refuses it.
    pub fn send_collected(
        &self,
        paths: &[impl AsRef<str>],
        format: u16,
    ) -> Result<(), ClientError> {
        let paths = parsed(paths)?;
        let ticket = self
            .shared
            .act(|device, now| device.send_collected(&paths, format, now))?;
        self.outcome(Some(ticket))
    }

    /// Updates the registration and waits for the server's answer.
    ///
    /// # Errors
    ///
    /// When the device is not registered or the server refuses it (the device registers anew then).
    pub fn update(&self) -> Result<(), ClientError> {
        let ticket = self.shared.act(Device::update);
        self.outcome(ticket)
    }

    /// Leaves the server and bootstraps; `false` when the device knows no bootstrap server.
    pub fn bootstrap(&self) -> bool {
        self.shared.act(Device::bootstrap)
    }

    /// Registers anew, whatever the state, as after a loss of power.
    pub fn restart(&self) {
        self.shared.act(|device, now| {
            device.forget_registration();
            device.register(now);
        });
    }

    /// What an Execute of 3/0/4 does.
    pub fn reboot(&self) {
        self.shared.act(objects::reboot);
    }

    /// Moves the location by degrees of latitude and longitude.
    pub fn move_by(&self, latitude: f64, longitude: f64) {
        self.shared.act(|device, now| {
            objects::move_by(device, latitude, longitude, now);
            device.tick(now);
        });
    }

    /// Misbehaves from now on, or behaves again.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.shared.device().set_fault(fault);
    }

    /// How many requests of a kind were carried out.
    #[must_use]
    pub fn requests(&self, kind: Kind) -> u64 {
        self.shared.device().asked(kind)
    }

    /// The last request of a kind, as it came.
    #[must_use]
    pub fn last_request(&self, kind: Kind) -> Option<Vec<u8>> {
        self.shared
            .device()
            .counters()
            .last_request
            .get(&kind)
            .cloned()
    }

    /// Every counter.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.device().counters().clone()
    }

    /// The paths of each live observation.
    #[must_use]
    pub fn observations(&self) -> Vec<String> {
        self.shared.device().observed_paths()
    }

    /// Stops the device, with a de-registration if wished; `false` when the server did not take that.
    pub fn stop(mut self, deregister: bool) -> bool {
        let mut taken = true;
        if deregister {
            let ticket = self.shared.act(Device::deregister);
            if let Some(ticket) = ticket {
                taken = matches!(self.answer_to(ticket, STOP_WAIT), Some(Some(code)) if !code.is_error());
            }
        }
        self.end();
        taken
    }

    fn outcome(&self, ticket: Option<u64>) -> Result<(), ClientError> {
        let ticket = ticket.ok_or(ClientError::NotRegistered)?;
        match self.answer_to(ticket, OUTCOME_WAIT) {
            Some(Some(code)) if code.is_error() => Err(ClientError::Refused(code)),
            Some(Some(_)) => Ok(()),
            Some(None) | None => Err(ClientError::NoAnswer),
        }
    }

    fn answer_to(&self, ticket: u64, at_most: Duration) -> Option<Option<ResponseType>> {
        let mut outcome = None;
        let device = self.shared.device();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(device, at_most, |device| {
                outcome = device.own.take_outcome(ticket);
                outcome.is_none()
            });
        drop(waited);
        outcome
    }

    fn end(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the device and sends what follows from it.
    fn act<T>(&self, act: impl FnOnce(&mut Device, u64) -> T) -> T {
        let mut device = self.device();
        let result = act(&mut device, self.clock.now());
        self.flush(&mut device);
        drop(device);
        self.changed.notify_all();
        result
    }

    fn run<'a>(&'a self, scope: &'a Scope<'a, '_>, watch: &mut dyn FnMut(&Event)) {
        let mut buffer = vec![0; 65_536];
        while !self.ends.load(Ordering::Relaxed) {
            let mut device = self.device();
            let now = self.clock.now();
            if device.next_wake() <= now {
                device.tick(now);
                self.flush(&mut device);
                self.changed.notify_all();
            }
            // What is to be said to the server that it leaves was flushed.
            if let Some(account) = device.next_destination() {
                self.follow(&mut device, &account, now);
            }
            for event in self.link.poll(now) {
                device.tell(Event::Session(event));
            }
            let events: Vec<Event> = std::iter::from_fn(|| device.next_event()).collect();
            let due = Duration::from_millis(device.next_wake().saturating_sub(now));
            let download = device.take_download();
            let largest = device.options().largest_body;
            drop(device);
            if let Some(download) = download {
                // What comes in meanwhile is answered meanwhile.
                scope.spawn(move || {
                    let outcome = storage::download(&download.url, largest, &self.ends);
                    self.act(|device, now| device.fetched(download.kind, outcome, now));
                });
            }
            events.iter().for_each(&mut *watch);
            if events
                .iter()
                .any(|event| matches!(event, Event::Failed(_, None)))
            {
                // The session may have gone deaf: the server may have forgotten it, or the address changed.
                self.link.forget();
            }
            let nap = due.clamp(Duration::from_millis(1), NAP);
            let mut messages = Vec::new();
            let deliver = |message: &[u8]| messages.push(message.to_vec());
            let now = || self.clock.now();
            if self.link.receive(&mut buffer, nap, now, deliver) {
                let mut device = self.device();
                for message in messages {
                    device.receive(&message, self.clock.now());
                }
                self.flush(&mut device);
                drop(device);
                self.changed.notify_all();
            }
        }
        self.link.close();
        let events: Vec<Event> = {
            let mut device = self.device();
            std::iter::from_fn(|| device.next_event()).collect()
        };
        events.iter().for_each(watch);
    }

    fn follow(&self, device: &mut Device, account: &Account, now: u64) {
        let options = device.options();
        let of_bootstrap = options.bootstrap.as_ref().and_then(|b| b.security.as_ref());
        let usual = options.security.as_ref().or(of_bootstrap);
        match self.link.redirect(account, usual) {
            Ok(()) => device.arrived(now),
            Err(reason) => device.lost(reason, now),
        }
        self.flush(device);
        self.changed.notify_all();
    }

    fn flush(&self, device: &mut Device) {
        let messages = std::iter::from_fn(|| device.transmit());
        self.link.send(messages, self.clock.now());
    }
}

impl Clock {
    fn start() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            at_start: u64::try_from(since.as_millis()).unwrap_or_default(),
        }
    }

    fn now(&self) -> u64 {
        let gone = u64::try_from(self.started.elapsed().as_millis()).unwrap_or_default();
        self.at_start + gone
    }
}

fn parsed(paths: &[impl AsRef<str>]) -> Result<Vec<Path>, PathError> {
    paths.iter().map(|path| path.as_ref().parse()).collect()
}
