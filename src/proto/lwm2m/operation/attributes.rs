//! Attributes that govern notifications (LwM2M Core §5.1.2, "\<NOTIFICATION\> Class Attributes").

use std::fmt::{self, Write};

use crate::proto::lwm2m::decimal::{Decimal, parse_decimal};
use crate::proto::lwm2m::excerpt::excerpt;
use crate::proto::lwm2m::{LwM2mVersion, Path, ResourceType, ResourceTypes};

/// Attributes to write, to observe under, or found by a Discover. `None` is one that is not
/// mentioned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NotificationAttributes {
    /// Minimum Period: seconds between two notifications at least.
    pub pmin: Option<Setting<u32>>,
    /// Maximum Period: seconds between two notifications at most; 0 is none.
    pub pmax: Option<Setting<u32>>,
    /// Greater Than: notify when the value crosses this from either side.
    pub gt: Option<Setting<f64>>,
    /// Less Than: notify when the value crosses this from either side.
    pub lt: Option<Setting<f64>>,
    /// Step: notify when the value has changed by as much since the last notification.
    pub st: Option<Setting<f64>>,
    /// Minimum Evaluation Period in seconds (LwM2M 1.1).
    pub epmin: Option<Setting<u32>>,
    /// Maximum Evaluation Period in seconds (LwM2M 1.1).
    pub epmax: Option<Setting<u32>>,
    /// Edge: notify when a Boolean changes this way (LwM2M 1.2).
    pub edge: Option<Setting<Edge>>,
    /// Confirmable Notification (LwM2M 1.2).
    pub con: Option<Setting<bool>>,
    /// Maximum Historical Queue: values kept while they cannot be sent (LwM2M 1.2).
    pub hqmax: Option<Setting<u32>>,
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Setting<T> {
    /// It gets this value.
    Value(T),
    /// It goes: the name without a value.
    Unset,
}

impl<T: Copy> Setting<T> {
    /// The value, unless the attribute is to go.
    #[must_use]
    pub const fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unset => None,
        }
    }
}

/// Which change of a Boolean is worth a notification.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Edge {
    /// From true to false: 0.
    Falling,
    /// From false to true: 1.
    Rising,
}

impl NotificationAttributes {
    /// Reads query parameters such as `pmin=10`, or `pmin` to remove it.
    ///
    /// # Errors
    /// See [`NotificationAttributes::set`].
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, AttributeError> {
        let mut attributes = Self::default();
        for parameter in parameters {
            match parameter.split_once('=') {
                Some((name, value)) => attributes.set(name, Some(value))?,
                None => attributes.set(parameter, None)?,
            }
        }
        Ok(attributes)
    }

    /// Sets the attribute `name` to what `value` spells, or to be removed.
    ///
    /// # Errors
    /// A name that is no notification attribute or was set before, or a value that is not one of it.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), AttributeError> {
        match name {
            "pmin" => put(&mut self.pmin, "pmin", value, seconds, SECONDS),
            "pmax" => put(&mut self.pmax, "pmax", value, seconds, SECONDS),
            "gt" => put(&mut self.gt, "gt", value, parse_decimal, NUMBER),
            "lt" => put(&mut self.lt, "lt", value, parse_decimal, NUMBER),
            "st" => put(&mut self.st, "st", value, step, STEP),
            "epmin" => put(&mut self.epmin, "epmin", value, seconds, SECONDS),
            "epmax" => put(&mut self.epmax, "epmax", value, seconds, SECONDS),
            "edge" => put(&mut self.edge, "edge", value, edge, EDGE),
            "con" => put(&mut self.con, "con", value, flag, FLAG),
            "hqmax" => put(&mut self.hqmax, "hqmax", value, seconds, COUNT),
            "dim" | "ssid" | "uri" | "ver" | "lwm2m" => {
                Err(AttributeError::Property { name: name.into() })
            }
            _ => Err(AttributeError::Unknown {
                name: excerpt(name),
            }),
        }
    }

    /// `true` when no attribute is mentioned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `true` when an attribute is to be removed.
    #[must_use]
    pub fn unsets(&self) -> bool {
        self.parameters().any(|(_, value)| value.is_none())
    }

    /// The attributes as query parameters, always in the same order.
    #[must_use]
    pub fn queries(&self) -> Vec<Box<str>> {
        self.parameters()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={value}").into(),
                None => name.into(),
            })
            .collect()
    }

    /// Checks that the attributes fit together, and fit `path` and the LwM2M version of the device.
    ///
    /// `types` tells whether a Resource is a number or a Boolean, as far as its definition is known.
    /// Attributes the device has from before or from the levels above are not looked at: it answers
    /// 4.00 when a combination with those is impossible.
    ///
    /// # Errors
    /// What does not fit, and what would.
    pub fn validate(
        &self,
        path: &Path,
        version: LwM2mVersion,
        types: Option<&dyn ResourceTypes>,
    ) -> Result<(), AttributeError> {
        self.check_version(version)?;
        self.check_target(path, types)?;
        self.check_combination()
    }

    fn check_version(&self, version: LwM2mVersion) -> Result<(), AttributeError> {
        for (name, _) in self.parameters() {
            let required = match name {
                "epmin" | "epmax" => LwM2mVersion::V1_1,
                "edge" | "con" | "hqmax" => LwM2mVersion::V1_2,
                _ => LwM2mVersion::V1_0,
            };
            if version < required {
                return Err(AttributeError::RequiresVersion {
                    name,
                    required,
                    version,
                });
            }
        }
        Ok(())
    }

    fn check_target(
        &self,
        path: &Path,
        types: Option<&dyn ResourceTypes>,
    ) -> Result<(), AttributeError> {
        let known = || {
            let (resource_type, _) =
                types?.resource_type(path.object_id()?, path.resource_id()?)?;
            Some(resource_type)
        };
        let known: Option<ResourceType> = known();
        for (name, value) in self.parameters() {
            let (fits, expected) = match name {
                "gt" | "lt" | "st" => (known.is_none_or(is_numeric), "a number"),
                "edge" => (
                    known.is_none_or(|known| known == ResourceType::Boolean),
                    "a Boolean",
                ),
                _ => continue,
            };
            if value.is_none() {
                continue;
            }
            if !path.holds_value() {
                return Err(AttributeError::NotAResource { name, path: *path });
            }
            if let (false, Some(found)) = (fits, known) {
                return Err(AttributeError::WrongType {
                    name,
                    path: *path,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }

    fn check_combination(&self) -> Result<(), AttributeError> {
        let impossible = |rule| Err(AttributeError::Impossible { rule });
        let given = |setting: Option<Setting<u32>>| setting.and_then(Setting::value);
        if let (Some(pmin), Some(pmax)) = (given(self.pmin), given(self.pmax))
            && pmax != 0
            && pmin > pmax
        {
            return impossible("pmin must not be greater than pmax");
        }
        if let (Some(epmin), Some(epmax)) = (given(self.epmin), given(self.epmax))
            && epmin > epmax
        {
            return impossible("epmin must not be greater than epmax");
        }
        let given = |setting: Option<Setting<f64>>| setting.and_then(Setting::value);
        if let (Some(lt), Some(gt)) = (given(self.lt), given(self.gt)) {
            if lt >= gt {
                return impossible("lt must be less than gt");
            }
            if given(self.st).is_some_and(|st| lt + 2.0 * st >= gt) {
                return impossible("lt + 2 * st must be less than gt");
            }
        }
        Ok(())
    }

    /// Names and spelled values of the attributes that are mentioned.
    fn parameters(&self) -> impl Iterator<Item = (&'static str, Option<Spelled>)> {
        use Spelled::{Digit, Number, Seconds};
        let digit = |digit: bool| Digit(digit.into());
        [
            ("pmin", spell(self.pmin, Seconds)),
            ("pmax", spell(self.pmax, Seconds)),
            ("gt", spell(self.gt, Number)),
            ("lt", spell(self.lt, Number)),
            ("st", spell(self.st, Number)),
            ("epmin", spell(self.epmin, Seconds)),
            ("epmax", spell(self.epmax, Seconds)),
            ("edge", spell(self.edge, |edge| digit(edge == Edge::Rising))),
            ("con", spell(self.con, digit)),
            ("hqmax", spell(self.hqmax, Seconds)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl fmt::Display for NotificationAttributes {
    /// As links have them: `;pmin=10;pmax=60`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queries()
            .iter()
            .try_for_each(|query| write!(f, ";{query}"))
    }
}

/// A value on its way to text.
#[derive(Clone, Copy)]
enum Spelled {
    Seconds(u32),
    Number(f64),
    Digit(u8),
}

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}"),
            Self::Number(number) => write!(f, "{}", Decimal(*number)),
            Self::Digit(digit) => f.write_char((b'0' + digit).into()),
        }
    }
}

fn spell<T: Copy>(
    setting: Option<Setting<T>>,
    spelled: impl FnOnce(T) -> Spelled,
) -> Option<Option<Spelled>> {
    setting.map(|setting| setting.value().map(spelled))
}

fn put<T>(
    slot: &mut Option<Setting<T>>,
    name: &'static str,
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
    expected: &'static str,
) -> Result<(), AttributeError> {
    if slot.is_some() {
        return Err(AttributeError::Repeated { name });
    }
    let setting = match value {
        None => Setting::Unset,
        Some(text) => Setting::Value(parse(text).ok_or_else(|| AttributeError::InvalidValue {
            name,
            value: excerpt(text),
            expected,
        })?),
    };
    *slot = Some(setting);
    Ok(())
}

const SECONDS: &str = "seconds from 0 to 4294967295";
const COUNT: &str = "a number of values from 0 to 4294967295";
const NUMBER: &str = "a decimal number";
const STEP: &str = "a decimal number that is not negative";
const EDGE: &str = "0 (falling) or 1 (rising)";
const FLAG: &str = "0 or 1";

fn seconds(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn step(text: &str) -> Option<f64> {
    parse_decimal(text).filter(|step| *step >= 0.0)
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

fn edge(text: &str) -> Option<Edge> {
    flag(text).map(|rising| if rising { Edge::Rising } else { Edge::Falling })
}

const fn is_numeric(resource_type: ResourceType) -> bool {
    matches!(
        resource_type,
        ResourceType::Integer
            | ResourceType::UnsignedInteger
            | ResourceType::Float
            | ResourceType::Time
    )
}

/// Why attributes cannot be written or observed under.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AttributeError {
    /// Nothing to write.
    #[error("Attributes to write are not specified!")]
    NotSpecified,
    /// An attribute that describes, and cannot be written.
    #[error(
        "Attribute {name} is of class PROPERTIES but only NOTIFICATION attribute can be used in WRITE ATTRIBUTE request."
    )]
    Property {
        /// The attribute.
        name: Box<str>,
    },
    /// No attribute of LwM2M.
    #[error(
        "\"{name}\" is not an attribute, expected pmin, pmax, gt, lt, st, epmin, epmax, edge, con or hqmax"
    )]
    Unknown {
        /// The beginning of the name.
        name: Box<str>,
    },
    /// An attribute is given twice.
    #[error("attribute {name} is given twice")]
    Repeated {
        /// The attribute.
        name: &'static str,
    },
    /// A value that the attribute cannot have.
    #[error("attribute {name} is \"{value}\", expected {expected}")]
    InvalidValue {
        /// The attribute.
        name: &'static str,
        /// The beginning of the value.
        value: Box<str>,
        /// What it could be.
        expected: &'static str,
    },
    /// An attribute the device is too old for.
    #[error("attribute {name} needs LwM2M {required}, the device has {version}")]
    RequiresVersion {
        /// The attribute.
        name: &'static str,
        /// The version that has it.
        required: LwM2mVersion,
        /// The version of the device.
        version: LwM2mVersion,
    },
    /// An attribute of a value, for something that has several.
    #[error("attribute {name} needs the path of a Resource or Resource Instance, not {path}")]
    NotAResource {
        /// The attribute.
        name: &'static str,
        /// The path.
        path: Path,
    },
    /// An attribute that Resources of this type do not have.
    #[error("attribute {name} needs {expected}, but {path} is {found}")]
    WrongType {
        /// The attribute.
        name: &'static str,
        /// The path.
        path: Path,
        /// Its type.
        found: ResourceType,
        /// The type it should have.
        expected: &'static str,
    },
    /// Attributes that exclude each other.
    #[error("attributes do not fit together: {rule}")]
    Impossible {
        /// The rule they break.
        rule: &'static str,
    },
    /// An observation cannot remove attributes.
    #[error("attributes of an observation need values, {name} has none")]
    UnsetInObservation {
        /// The attribute.
        name: Box<str>,
    },
}
