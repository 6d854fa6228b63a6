//! The registration of one endpoint: what the device said of itself.

use std::sync::Arc;

use crate::proto::coap::{Code, MessageView};
use crate::proto::lwm2m::link::{LinkInterner, ObjectLinks};
use crate::proto::lwm2m::registration::{RegisterParams, UpdateParams};
use crate::proto::lwm2m::{Binding, LwM2mVersion};
use crate::proto::time::{NEVER, Now, Tick, UnixMillis};

use super::reply::Reply;

/// Lifetime of a registration that states none: 86,400 s (LwM2M Core 1.2 §6.2.1).
pub const DEFAULT_LIFETIME: u32 = 86_400;

/// How long a device in queue mode listens after a message: `MAX_TRANSMIT_WAIT` (RFC 7252 §4.8.2).
pub const AWAKE_MILLIS: u64 = 93_000;

/// A registration.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Announced objects.
    pub links: Arc<ObjectLinks>,
    /// When it was made.
    pub since: UnixMillis,
    /// When it ends unless updated; [`NEVER`] when it does not.
    pub expires: Tick,
    /// Lifetime in seconds, 0 when infinite.
    pub lifetime: u32,
    /// LwM2M version.
    pub version: LwM2mVersion,
    /// Transport binding, if stated.
    pub binding: Option<Binding>,
    /// Queue mode.
    pub queue_mode: bool,
    /// What few devices state.
    pub extras: Option<Box<Extras>>,
}

/// Parameters of a registration that few devices state.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// MSISDN for the SMS binding.
    pub sms: Option<Box<str>>,
    /// Parameters that LwM2M does not define, in order.
    pub additional: Vec<(Box<str>, Box<str>)>,
}

impl Registration {
    /// Sets the lifetime and starts it anew. Zero means infinite in LwM2M 1.2 and the default before.
    pub fn set_lifetime(&mut self, seconds: u32, now: Tick) {
        self.lifetime = match (seconds, self.version) {
            (0, LwM2mVersion::V1_0 | LwM2mVersion::V1_1) => DEFAULT_LIFETIME,
            (seconds, _) => seconds,
        };
        self.refresh(now);
    }

    /// Takes over what an Update states and starts the lifetime anew.
    pub fn update(&mut self, params: &UpdateParams<'_>, now: Tick) {
        if let Some(binding) = params.binding {
            self.binding = Some(binding);
        }
        if let Some(sms) = params.sms {
            self.extras.get_or_insert_default().sms = Some(sms.into());
        }
        for &(key, value) in &params.additional {
            let additional = &mut self.extras.get_or_insert_default().additional;
            match additional.iter_mut().find(|(known, _)| **known == *key) {
                Some(known) => known.1 = value.into(),
                None => additional.push((key.into(), value.into())),
            }
        }
        match params.lifetime {
            Some(seconds) => self.set_lifetime(seconds, now),
            None => self.refresh(now),
        }
    }

    /// Starts the lifetime anew.
    pub fn refresh(&mut self, now: Tick) {
        self.expires = match self.lifetime {
            0 => NEVER,
            seconds => now.plus_millis(u64::from(seconds) * 1000),
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
        let version = params.version.unwrap_or(LwM2mVersion::V1_0);
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
    pub fn into_registration(self, now: Now) -> Registration {
        let params = &self.params;
        let additional: Vec<_> = params
            .additional
            .iter()
            .map(|&(key, value)| (key.into(), value.into()))
            .collect();
        let extras = (params.sms.is_some() || !additional.is_empty()).then(|| {
            Box::new(Extras {
                sms: params.sms.map(Into::into),
                additional,
            })
        });
        let mut registration = Registration {
            since: now.wall,
            expires: NEVER,
            lifetime: 0,
            version: self.version,
            binding: params.binding,
            queue_mode: params.queue_mode,
            extras,
            links: self.links,
        };
        registration.set_lifetime(params.lifetime.unwrap_or(DEFAULT_LIFETIME), now.tick);
        registration
    }
}
