//! Register, Update, De-register and Send: the device's own requests.

use coap_lite::{CoapOption, MessageClass, Packet, RequestType, ResponseType};
use thiserror::Error;

use super::device::Device;
use super::event::{Event, Own};
use super::exchange::OwnRequest;
use super::formats;
use super::operations::observed;
use super::options::{ClientOptions, Version};
use super::path::Path;
use super::request::Kind;
use super::tree::{Record, announced_objects};

/// The registration of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registration {
    /// Whether the server took the last Register and it has not ended since.
    pub registered: bool,
    /// The path the server gave, without its first slash: `rd/5a`.
    pub location: String,
    /// In seconds.
    pub lifetime: u32,
    /// The object list that the server has.
    pub objects: String,
    /// Whether the device wants to be registered.
    wanted: bool,
    next_register: Option<u64>,
    next_update: Option<u64>,
    update_period: Option<u64>,
}

/// Why a Send was not made.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SendError {
    #[error("not registered")]
    NotRegistered,
    #[error("Send came with LwM2M 1.1")]
    Version,
    #[error("the server muted Send (1/0/23)")]
    Muted,
    #[error(
        "content format {0} is none for Send: it takes SenML JSON (110), SenML CBOR (112) and LwM2M CBOR (11544)"
    )]
    Format(u16),
    #[error("there is nothing to send at {0}")]
    Nothing(String),
}

impl Registration {
    pub(super) fn new(options: &ClientOptions) -> Self {
        let update_period = options
            .update_period
            .map(|period| u64::try_from(period.as_millis()).unwrap_or(u64::MAX / 2));
        Self {
            lifetime: options.lifetime,
            update_period,
            ..Self::default()
        }
    }

    pub(super) fn next_step(&self) -> u64 {
        let steps = [self.next_register, self.next_update];
        steps.into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    fn period(&self) -> u64 {
        let lifetime = u64::from(self.lifetime) * 1_000;
        let usual = if lifetime < 60_000 {
            lifetime / 2
        } else {
            lifetime * 9 / 10
        };
        self.update_period.unwrap_or(usual).max(1)
    }
}

impl Device {
    /// Registers, from scratch if need be.
    pub fn register(&mut self, now: u64) {
        if self.is_bootstrapping() {
            return;
        }
        self.registration.wanted = true;
        self.registration.registered = false;
        self.registration.next_update = None;
        self.registration.next_register = None;
        self.observations.clear();
        if self.own.holds(Own::Register) {
            return;
        }
        let formats = self.announced_formats();
        let objects = announced_objects(&self.tree, self.options.version, &formats);
        let queue_mode = self.options.queue_awake.is_some();
        let mut query = vec![
            format!("lwm2m={}", self.options.version),
            format!("ep={}", self.options.endpoint),
            format!("lt={}", self.registration.lifetime),
        ];
        match (self.options.version, queue_mode) {
            (Version::V1_0, true) => query.push("b=UQ".to_owned()),
            (_, true) => query.push("Q".to_owned()),
            (_, false) => {}
        }
        let more = self.options.additional_attributes.iter();
        query.extend(more.map(|(name, value)| format!("{name}={value}")));
        self.registration.objects.clone_from(&objects);
        self.own.push(OwnRequest {
            own: Own::Register,
            ticket: 0,
            method: RequestType::Post,
            path: vec!["rd".to_owned()],
            query,
            format: Some(formats::LINK_FORMAT),
            payload: objects.into_bytes(),
        });
        self.drive_own_requests(now);
    }

    /// Updates the registration, with what has changed. The ticket tells the outcome; `None` when not registered.
    pub fn update(&mut self, now: u64) -> Option<u64> {
        if !self.registration.registered {
            return None;
        }
        let formats = self.announced_formats();
        let objects = announced_objects(&self.tree, self.options.version, &formats);
        let changed = objects != self.registration.objects;
        let mut query = Vec::new();
        if self.registration.lifetime != self.options.lifetime {
            self.registration.lifetime = self.options.lifetime;
            query.push(format!("lt={}", self.options.lifetime));
        }
        if changed {
            self.registration.objects.clone_from(&objects);
        }
        let request = OwnRequest {
            own: Own::Update,
            ticket: 0,
            method: RequestType::Post,
            path: self.location(),
            query,
            format: changed.then_some(formats::LINK_FORMAT),
            payload: if changed {
                objects.into_bytes()
            } else {
                Vec::new()
            },
        };
        self.registration.next_update = Some(now + self.registration.period());
        let ticket = self.own.push(request);
        self.drive_own_requests(now);
        Some(ticket)
    }

    /// Takes leave. `None` when not registered.
    pub fn deregister(&mut self, now: u64) -> Option<u64> {
        self.registration.wanted = false;
        self.registration.next_register = None;
        self.registration.next_update = None;
        if !self.registration.registered {
            return None;
        }
        let request = OwnRequest {
            own: Own::Deregister,
            ticket: 0,
            method: RequestType::Delete,
            path: self.location(),
            query: Vec::new(),
            format: None,
            payload: Vec::new(),
        };
        let ticket = self.own.push(request);
        self.drive_own_requests(now);
        Some(ticket)
    }

    /// Sends the present values of these paths, with the time.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn send(&mut self, paths: &[Path], format: u16, now: u64) -> Result<u64, SendError> {
        let records = self.timed(paths, now);
        self.send_records(paths, &records, format, now)
    }

    /// Puts the present values of these paths aside; how many.
    pub fn collect(&mut self, paths: &[Path], now: u64) -> usize {
        let records = self.timed(paths, now);
        let number = records.len();
        self.collected.extend(records);
        number
    }

    /// Sends the values that were put aside for these paths, each with its time.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; the values stay put aside then.
    pub fn send_collected(
        &mut self,
        paths: &[Path],
        format: u16,
        now: u64,
    ) -> Result<u64, SendError> {
        let chosen = |record: &Record| {
            paths.is_empty() || paths.iter().any(|path| path.contains(&record.path))
        };
        let records: Vec<Record> = self
            .collected
            .iter()
            .filter(|record| chosen(record))
            .cloned()
            .collect();
        let ticket = self.send_records(paths, &records, format, now)?;
        self.collected.retain(|record| !chosen(record));
        Ok(ticket)
    }

    fn send_records(
        &mut self,
        paths: &[Path],
        records: &[Record],
        format: u16,
        now: u64,
    ) -> Result<u64, SendError> {
        if self.options.version == Version::V1_0 {
            return Err(SendError::Version);
        }
        if !self.registration.registered {
            return Err(SendError::NotRegistered);
        }
        if self.value("/1/0/23") == Some(true.into()) {
            return Err(SendError::Muted);
        }
        let possible = [
            formats::SENML_JSON,
            formats::SENML_CBOR,
            formats::LWM2M_CBOR,
        ];
        if !possible.contains(&format) {
            return Err(SendError::Format(format));
        }
        let names: Vec<String> = paths.iter().map(Path::to_string).collect();
        if records.is_empty() {
            return Err(SendError::Nothing(names.join(" ")));
        }
        let payload = formats::encode(format, &Path::ROOT, records);
        let ticket = self.own.push(OwnRequest {
            own: Own::Send,
            ticket: 0,
            method: RequestType::Post,
            path: vec!["dp".to_owned()],
            query: Vec::new(),
            format: Some(format),
            payload: payload.map_err(|_| SendError::Format(format))?,
        });
        self.drive_own_requests(now);
        Ok(ticket)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit a float"
    )]
    fn timed(&self, paths: &[Path], now: u64) -> Vec<Record> {
        let mut records = observed(&self.tree, paths, true).unwrap_or_default();
        for record in &mut records {
            record.time = Some(now as f64 / 1_000.0);
        }
        records
    }

    /// The lifetime of the next registration.
    pub(super) const fn take_lifetime(&mut self, seconds: u32) {
        self.options.lifetime = seconds;
        self.registration.lifetime = seconds;
    }

    /// Another lifetime, told by an Update.
    pub fn change_lifetime(&mut self, seconds: u32) {
        self.options.lifetime = seconds;
        if self.registration.registered && seconds != self.registration.lifetime {
            self.registration.next_update = Some(0);
        }
    }

    /// Object instances came or went: the next Update, which is at once, tells it.
    pub fn objects_changed(&mut self) {
        if self.registration.registered {
            self.registration.next_update = Some(0);
        }
    }

    /// Forgets the registration without telling the server.
    pub fn forget_registration(&mut self) {
        self.registration.registered = false;
        self.registration.wanted = false;
        self.registration.next_register = None;
        self.registration.next_update = None;
        self.observations.clear();
        self.own.clear();
    }

    /// How often the server asked for something of this kind.
    #[must_use]
    pub fn asked(&self, kind: Kind) -> u64 {
        self.counters
            .requests
            .get(&kind)
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn keep_registered(&mut self, now: u64) {
        if self.registration.next_register.is_some_and(|at| at <= now) {
            self.register(now);
        } else if self.registration.next_update.is_some_and(|at| at <= now) {
            self.update(now);
        }
    }

    pub(super) fn own_request_done(&mut self, request: &OwnRequest, packet: &Packet, now: u64) {
        let taken = matches!(
            packet.header.code,
            MessageClass::Response(ResponseType::Changed)
        );
        self.stage_goes_on(request.own, taken, now);
        match request.own {
            Own::Register => {
                let segments = packet
                    .get_option(CoapOption::LocationPath)
                    .into_iter()
                    .flatten();
                let segments: Vec<String> = segments
                    .map(|s| String::from_utf8_lossy(s).into_owned())
                    .collect();
                self.registration.location = segments.join("/");
                self.registration.registered = true;
                self.registers_failed = 0;
                self.registration.next_update = Some(now + self.registration.period());
                self.counters.registered += 1;
                self.tell(Event::Registered(self.registration.location.clone()));
            }
            Own::Update => {
                self.counters.updated += 1;
                self.tell(Event::Updated);
            }
            Own::Deregister => {
                self.registration.registered = false;
                self.observations.clear();
                self.counters.deregistered += 1;
                self.tell(Event::Deregistered);
            }
            Own::Send => {
                self.counters.sent += 1;
                self.tell(Event::Sent);
            }
            Own::Bootstrap => {}
        }
    }

    pub(super) fn own_request_refused(
        &mut self,
        request: &OwnRequest,
        code: Option<ResponseType>,
        now: u64,
    ) {
        self.tell(Event::Failed(request.own, code));
        let retry = u64::try_from(self.options.register_retry.as_millis()).unwrap_or(u64::MAX / 2);
        match (request.own, code) {
            (Own::Register, Some(ResponseType::PreconditionFailed))
                if self.options.version != Version::V1_0 =>
            {
                let lower = match self.options.version {
                    Version::V1_2 => Version::V1_1,
                    _ => Version::V1_0,
                };
                self.speak(lower);
                self.register(now);
            }
            (Own::Register, _) => {
                self.registers_failed += 1;
                let bootstraps = self.bootstraps_after(self.registers_failed, now);
                let wanted = self.registration.wanted && !bootstraps;
                self.registration.next_register = wanted.then_some(now + retry);
            }
            // The server does not know the registration, or is not there: start anew.
            (Own::Update, _) => {
                if self.registration.wanted {
                    self.register(now);
                }
            }
            (Own::Deregister, _) => {
                self.registration.registered = false;
                self.observations.clear();
            }
            (Own::Send | Own::Bootstrap, _) => {}
        }
        self.stage_goes_on(request.own, false, now);
        self.drive_own_requests(now);
    }

    fn location(&self) -> Vec<String> {
        let segments = self.registration.location.split('/');
        segments
            .filter(|segment| !segment.is_empty())
            .map(str::to_owned)
            .collect()
    }
}
