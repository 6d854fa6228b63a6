//! Parameters of Register and Update, from the Uri-Query options (LwM2M Core §6.2, Core 1.0 §5.3).
//!
//! Values are raw UTF-8: a Uri-Query option is not percent-encoded (RFC 7252 §6.4).
//! A parameter may be repeated with the same value; with another value it is refused, because no
//! choice between the two would be right.

mod query;

use query::{Query, QueryReader};

use super::binding::BindingError;
use super::excerpt::excerpt;
use super::{Binding, LwM2mVersion};

/// Lifetime in seconds of a registration that states none (LwM2M Core, Server object, Resource 1).
pub const DEFAULT_LIFETIME: u32 = 86_400;

/// Longest endpoint client name in bytes.
pub const MAX_ENDPOINT_BYTES: usize = 255;

/// Most parameters without a meaning in LwM2M that one request may carry.
pub const MAX_ADDITIONAL: usize = 32;

/// Parameters of a Register request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RegisterParams<'a> {
    /// Endpoint client name (`ep`); absent when it follows from the security identity (LwM2M 1.1).
    pub endpoint: Option<&'a str>,
    /// Lifetime in seconds as stated (`lt`); see [`lifetime_in_force`].
    pub lifetime: Option<u32>,
    /// LwM2M version (`lwm2m`); see [`RegisterParams::version_in_force`].
    pub version: Option<LwM2mVersion>,
    /// Binding as stated (`b`), not checked against the version: devices that mix them up must get
    /// in.
    pub binding: Option<Binding>,
    /// Queue mode, by the parameter `Q` or by the binding (`UQ`).
    pub queue_mode: bool,
    /// SMS number (`sms`).
    pub sms: Option<&'a str>,
    /// Profile id (`pid`, LwM2M 1.2).
    pub profile_id: Option<&'a str>,
    /// Parameters LwM2M does not define, name and value; of a repeated name the last one counts.
    pub additional: Vec<(&'a str, &'a str)>,
}

impl<'a> RegisterParams<'a> {
    /// Reads the Uri-Query options of a Register.
    ///
    /// # Errors
    /// The first reason to refuse; an unsupported version (4.12) goes before everything else, so
    /// that a device of a later version is told to fall back rather than that its parameters are
    /// wrong.
    pub fn parse(queries: impl Iterator<Item = &'a [u8]>) -> Result<Self, RegistrationError> {
        let mut raw = RawRegister::default();
        let read = raw.read(queries);
        let version = raw.version.map(parse_version).transpose()?;
        read?;
        let binding = raw.binding.map(str::parse::<Binding>).transpose()?;
        Ok(Self {
            endpoint: raw.endpoint.map(check_endpoint).transpose()?,
            lifetime: raw.lifetime.map(parse_lifetime).transpose()?,
            version,
            binding,
            queue_mode: raw.queue_mode || binding.is_some_and(Binding::queue_mode),
            sms: raw.sms,
            profile_id: raw.profile_id,
            additional: raw.additional,
        })
    }

    /// The version the registration runs under: as stated, else 1.0 (LwM2M 1.0 §5.3.1).
    #[must_use]
    pub fn version_in_force(&self) -> LwM2mVersion {
        self.version.unwrap_or_default()
    }

    /// Seconds the registration is valid, `None` for ever; see [`lifetime_in_force`].
    #[must_use]
    pub fn lifetime_in_force(&self) -> Option<u32> {
        lifetime_in_force(self.lifetime, self.version_in_force())
    }
}

/// Parameters of an Update request; what is absent stays as it was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UpdateParams<'a> {
    /// New lifetime in seconds (`lt`); see [`lifetime_in_force`].
    pub lifetime: Option<u32>,
    /// New binding (`b`); to be checked with [`UpdateParams::check`].
    pub binding: Option<Binding>,
    /// Queue mode is asked for, by the parameter `Q` or by the binding (`UQ`).
    pub queue_mode: bool,
    /// New SMS number (`sms`).
    pub sms: Option<&'a str>,
    /// Parameters LwM2M does not define, name and value.
    pub additional: Vec<(&'a str, &'a str)>,
}

impl<'a> UpdateParams<'a> {
    /// Reads the Uri-Query options of an Update. `ep`, `lwm2m` and `pid` have no meaning there: the
    /// location names the registration. They are passed over.
    ///
    /// # Errors
    /// The first reason to refuse.
    pub fn parse(queries: impl Iterator<Item = &'a [u8]>) -> Result<Self, RegistrationError> {
        let mut raw = RawRegister::default();
        raw.read(queries)?;
        let binding = raw.binding.map(str::parse::<Binding>).transpose()?;
        Ok(Self {
            lifetime: raw.lifetime.map(parse_lifetime).transpose()?,
            binding,
            queue_mode: raw.queue_mode || binding.is_some_and(Binding::queue_mode),
            sms: raw.sms,
            additional: raw.additional,
        })
    }

    /// Whether the Update suits a registration made under `version`.
    ///
    /// # Errors
    /// [`RegistrationError::Binding`] when the version has no such binding.
    pub fn check(&self, version: LwM2mVersion) -> Result<(), RegistrationError> {
        self.binding
            .map_or(Ok(()), |binding| Ok(binding.check(version)?))
    }
}

/// Seconds a registration is valid when `stated` is its `lt`, `None` for ever.
///
/// Absent means 86,400. Zero means for ever in LwM2M 1.2 (Server object 1.2, Resource 1) and counts
/// as absent before.
#[must_use]
pub fn lifetime_in_force(stated: Option<u32>, version: LwM2mVersion) -> Option<u32> {
    match stated {
        Some(0) if version >= LwM2mVersion::V1_2 => None,
        None | Some(0) => Some(DEFAULT_LIFETIME),
        stated => stated,
    }
}

/// The parameters as texts.
#[derive(Default)]
struct RawRegister<'a> {
    endpoint: Option<&'a str>,
    lifetime: Option<&'a str>,
    version: Option<&'a str>,
    binding: Option<&'a str>,
    queue_mode: bool,
    sms: Option<&'a str>,
    profile_id: Option<&'a str>,
    additional: Vec<(&'a str, &'a str)>,
}

impl<'a> RawRegister<'a> {
    /// Reads all queries, also those behind an error, and returns the first error.
    fn read(&mut self, queries: impl Iterator<Item = &'a [u8]>) -> Result<(), RegistrationError> {
        let mut first_error = Ok(());
        for query in QueryReader::new(queries) {
            let taken = query.and_then(|query| self.take(query));
            first_error = first_error.and(taken);
        }
        first_error
    }

    fn take(&mut self, query: Query<'a>) -> Result<(), RegistrationError> {
        match query.name {
            "ep" => query.fill("ep", &mut self.endpoint),
            "lt" => query.fill("lt", &mut self.lifetime),
            "lwm2m" => query.fill("lwm2m", &mut self.version),
            "b" => query.fill("b", &mut self.binding),
            "sms" => query.fill("sms", &mut self.sms),
            "pid" => query.fill("pid", &mut self.profile_id),
            "Q" => match query.value {
                None | Some("") => {
                    self.queue_mode = true;
                    Ok(())
                }
                Some(value) => Err(RegistrationError::QueueModeValue {
                    value: excerpt(value),
                }),
            },
            name => self.add(name, query.value.unwrap_or_default()),
        }
    }

    fn add(&mut self, name: &'a str, value: &'a str) -> Result<(), RegistrationError> {
        if let Some(known) = self.additional.iter_mut().find(|(known, _)| *known == name) {
            known.1 = value;
        } else if self.additional.len() < MAX_ADDITIONAL {
            self.additional.push((name, value));
        } else {
            return Err(RegistrationError::TooManyParameters);
        }
        Ok(())
    }
}

fn parse_version(text: &str) -> Result<LwM2mVersion, RegistrationError> {
    text.parse()
        .map_err(|_| RegistrationError::UnsupportedVersion {
            value: excerpt(text),
        })
}

fn check_endpoint(name: &str) -> Result<&str, RegistrationError> {
    if name.len() > MAX_ENDPOINT_BYTES {
        return Err(RegistrationError::EndpointTooLong { bytes: name.len() });
    }
    if name.chars().any(char::is_control) {
        return Err(RegistrationError::EndpointControlCharacter {
            value: excerpt(name),
        });
    }
    Ok(name)
}

fn parse_lifetime(text: &str) -> Result<u32, RegistrationError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| RegistrationError::Lifetime {
            value: excerpt(text),
        })
}

/// Why a Register or Update is refused. `Display` is the diagnostic payload, at most 100 bytes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RegistrationError {
    /// `lwm2m` is a version this engine does not speak.
    #[error("lwm2m={value} is not supported, expected 1.0, 1.1 or 1.2")]
    UnsupportedVersion {
        /// The beginning of the value.
        value: Box<str>,
    },
    /// A query option is not UTF-8.
    #[error("query parameter {position} is not UTF-8")]
    NotUtf8 {
        /// Which option, counted from 1.
        position: usize,
    },
    /// A parameter that needs a value has none.
    #[error("parameter {name} has no value, expected {name}=...")]
    MissingValue {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter stands twice with different values.
    #[error("parameter {name} is repeated with another value: {value}")]
    Repeated {
        /// The parameter.
        name: &'static str,
        /// The beginning of the later value.
        value: Box<str>,
    },
    /// `lt` is not a number of seconds.
    #[error("lt={value} is not a lifetime, expected seconds from 0 to 4294967295")]
    Lifetime {
        /// The beginning of the value.
        value: Box<str>,
    },
    /// `b` is no binding, or none of the version.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// `Q` has a value.
    #[error("Q={value}: Q takes no value, expected Q alone or no Q")]
    QueueModeValue {
        /// The beginning of the value.
        value: Box<str>,
    },
    /// The endpoint client name is too long.
    #[error("ep has {bytes} bytes, at most {MAX_ENDPOINT_BYTES} are accepted")]
    EndpointTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The endpoint client name holds control characters.
    #[error("ep={value} holds a control character, expected printable UTF-8")]
    EndpointControlCharacter {
        /// The beginning of the name.
        value: Box<str>,
    },
    /// Too many parameters that LwM2M does not define.
    #[error("more than {MAX_ADDITIONAL} parameters unknown to LwM2M")]
    TooManyParameters,
}

impl RegistrationError {
    /// CoAP response code: 0x8c (4.12) for an unsupported version, else 0x80 (4.00).
    #[must_use]
    pub const fn coap_code(&self) -> u8 {
        match self {
            Self::UnsupportedVersion { .. } => 0x8c,
            _ => 0x80,
        }
    }

    /// Stable name of the reason, for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::NotUtf8 { .. } => "query_not_utf8",
            Self::MissingValue { .. } => "missing_value",
            Self::Repeated { .. } => "repeated_parameter",
            Self::Lifetime { .. } => "invalid_lifetime",
            Self::Binding(_) => "invalid_binding",
            Self::QueueModeValue { .. } => "invalid_queue_mode",
            Self::EndpointTooLong { .. } => "endpoint_too_long",
            Self::EndpointControlCharacter { .. } => "endpoint_control_character",
            Self::TooManyParameters => "too_many_parameters",
        }
    }
}

#[cfg(test)]
mod tests;
