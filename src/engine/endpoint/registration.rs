//! The registration of one endpoint: what the device said of itself.

use std::sync::Arc;

use crate::proto::coap::{Code, MessageView};
use crate::proto::lwm2m::link::{LinkInterner, ObjectLinks};
use crate::proto::lwm2m::registration::{
    MAX_ADDITIONAL, RegisterParams, RegistrationError, UpdateParams, lifetime_in_force,
};
use crate::proto::lwm2m::{Binding, LwM2mVersion};
use crate::proto::time::{NEVER, Now, Tick, UnixMillis};

use super::profile_parts::PowerMode;
use super::reply::Reply;
use super::splitting::CompositeLimits;

/// How long a device in queue mode listens after a message: `MAX_TRANSMIT_WAIT` (RFC 7252 §4.8.2).
pub const AWAKE_MILLIS: u32 = 93_000;

/// A registration.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Announced objects.
    pub links: Arc<ObjectLinks>,
    /// When it was made.
    pub since: UnixMillis,
    /// When it ends unless updated; [`NEVER`] when it does not.
    pub expires: Tick,
    /// Lifetime in seconds; `None` when infinite.
    pub lifetime: Option<u32>,
    /// LwM2M version.
    pub version: LwM2mVersion,
    /// Transport binding, if stated.
    pub binding: Option<Binding>,
    /// Queue mode.
    pub queue_mode: bool,
    /// How long the device listens after each message of its own; `None` for always.
    pub awake_millis: Option<u32>,
    /// What few devices state.
    pub extras: Option<Box<Extras>>,
}

/// Parameters of a registration that few devices state.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Cycle in milliseconds within which the device can be paged once while it does not listen.
    pub paging_cycle: Option<u32>,
    /// What the device takes of composite requests.
    pub composite: CompositeLimits,
    /// MSISDN for the SMS binding.
    pub sms: Option<Box<str>>,
    /// Parameters that LwM2M does not define, in order.
    pub additional: Vec<(Box<str>, Box<str>)>,
}

impl Registration {
    /// Whether an Update may be taken over.
    ///
    /// # Errors
    /// The version has no such binding, or the registration would have more than [`MAX_ADDITIONAL`]
    /// parameters unknown to LwM2M.
    pub fn check(&self, params: &UpdateParams<'_>) -> Result<(), RegistrationError> {
        params.check(self.version)?;
        let known = self.extras.iter().flat_map(|extras| &extras.additional);
        let new = params.additional.iter().filter(|(key, _)| {
            let mut known = known.clone();
            known.all(|(other, _)| **other != **key)
        });
        if known.clone().count() + new.count() > MAX_ADDITIONAL {
            return Err(RegistrationError::TooManyParameters);
        }
        Ok(())
    }

    /// Takes over what an Update states and starts the lifetime anew. Returns whether it stated
    /// anything new.
    pub fn update(&mut self, params: &UpdateParams<'_>, now: Tick, power: PowerMode) -> bool {
        let before = (self.binding, self.queue_mode, self.lifetime);
        let mut new = false;
        if let Some(binding) = params.binding {
            self.binding = Some(binding);
            // In LwM2M 1.0 the binding says whether there is a queue; later versions say it at
            // Register alone.
            if self.version == LwM2mVersion::V1_0 {
                self.queue_mode = binding.queue_mode();
            }
        }
        self.listen(power);
        if let Some(sms) = params.sms {
            let known = &mut self.extras.get_or_insert_default().sms;
            new |= known.as_deref() != Some(sms);
            *known = Some(sms.into());
        }
        for &(key, value) in &params.additional {
            let additional = &mut self.extras.get_or_insert_default().additional;
            match additional.iter_mut().find(|(known, _)| **known == *key) {
                Some(known) if *known.1 == *value => {}
                Some(known) => {
                    known.1 = value.into();
                    new = true;
                }
                None => {
                    additional.push((key.into(), value.into()));
                    new = true;
                }
            }
        }
        if params.lifetime.is_some() {
            self.lifetime = lifetime_in_force(params.lifetime, self.version);
        }
        self.refresh(now);
        new || before != (self.binding, self.queue_mode, self.lifetime)
    }

    /// The cycle within which a sleeping device can be paged, in milliseconds.
    #[must_use]
    pub fn paging_cycle(&self) -> Option<u32> {
        self.extras.as_ref().and_then(|extras| extras.paging_cycle)
    }

    /// Settles when the device listens. A power mode says more than queue mode does.
    pub fn listen(&mut self, power: PowerMode) {
        let (awake_millis, cycle) = match power {
            PowerMode::Drx => (self.queue_mode.then_some(AWAKE_MILLIS), None),
            PowerMode::Psm { activity_timer } => (Some(activity_timer), None),
            PowerMode::Edrx {
                cycle,
                paging_window,
            } => (Some(paging_window), Some(cycle)),
        };
        self.awake_millis = awake_millis;
        if self.paging_cycle() != cycle {
            self.extras.get_or_insert_default().paging_cycle = cycle;
        }
    }

    /// Starts the lifetime anew.
    pub fn refresh(&mut self, now: Tick) {
        self.expires = match self.lifetime {
            None => NEVER,
            Some(seconds) => now.plus_millis(u64::from(seconds) * 1000),
        };
    }
}

/// A Register request that is well-formed.
#[derive(Debug)]
pub struct RegisterRequest<'a> {
    /// Its parameters.
    pub params: RegisterParams<'a>,
    /// LwM2M version; 1.0 where the device states none.
    pub version: LwM2mVersion,
    /// Announced objects.
    pub links: Arc<ObjectLinks>,
}

/// A request that is refused, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Response code.
    pub code: Code,
    /// Diagnostic payload.
    pub diagnostic: String,
}

impl Refusal {
    /// The response.
    #[must_use]
    pub fn reply(&self) -> Reply<'_> {
        Reply::refusal(self.code, &self.diagnostic)
    }
}

impl<'a> RegisterRequest<'a> {
    /// Reads a Register; `body` is its payload, or the body put together from its blocks.
    ///
    /// # Errors
    /// A parameter or the object list cannot be used: the response to give.
    pub fn parse(
        view: &MessageView<'a>,
        body: &[u8],
        links: &mut LinkInterner,
    ) -> Result<Self, Refusal> {
        let params = RegisterParams::parse(view.uri_query()).map_err(|error| Refusal {
            code: Code::from_u8(error.coap_code()),
            diagnostic: error.to_string(),
        })?;
        let version = params.version_in_force();
        let links = links.intern(body, version).map_err(|error| Refusal {
            code: Code::BAD_REQUEST,
            diagnostic: error.to_string(),
        })?;
        Ok(Self {
            params,
            version,
            links,
        })
    }

    /// The registration it makes.
    #[must_use]
    pub fn into_registration(self, now: Now, power: PowerMode) -> Registration {
        let params = &self.params;
        let additional: Vec<_> = params
            .additional
            .iter()
            .map(|&(key, value)| (key.into(), value.into()))
            .collect();
        let extras = (params.sms.is_some() || !additional.is_empty()).then(|| {
            Box::new(Extras {
                paging_cycle: None,
                composite: CompositeLimits::default(),
                sms: params.sms.map(Into::into),
                additional,
            })
        });
        let mut registration = Registration {
            since: now.wall,
            expires: NEVER,
            lifetime: params.lifetime_in_force(),
            version: self.version,
            binding: params.binding,
            queue_mode: params.queue_mode,
            awake_millis: None,
            extras,
            links: self.links,
        };
        registration.listen(power);
        registration.refresh(now.tick);
        registration
    }
}
