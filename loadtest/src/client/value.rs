//! Resource values and their types.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};

/// The value of a single resource or of a resource instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
    Opaque(Vec<u8>),
    /// Seconds since 1970.
    Time(i64),
    ObjectLink(u16, u16),
    CoreLink(String),
}

/// The data type of a resource (OMA LwM2M Core, appendix C).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Type {
    Text,
    Integer,
    Unsigned,
    Float,
    Boolean,
    Opaque,
    Time,
    ObjectLink,
    CoreLink,
    /// An executable resource has no value.
    None,
}

impl Type {
    /// The type with this name in an object model (OMA DDF).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "string" => Self::Text,
            "integer" => Self::Integer,
            "unsigned integer" => Self::Unsigned,
            "float" => Self::Float,
            "boolean" => Self::Boolean,
            "opaque" => Self::Opaque,
            "time" => Self::Time,
            "objlnk" => Self::ObjectLink,
            "corelnk" => Self::CoreLink,
            "" | "none" => Self::None,
            _ => return None,
        })
    }

    /// What a resource of this type has before anybody set it.
    #[must_use]
    pub fn initial(self) -> Option<Value> {
        Some(match self {
            Self::Text => Value::Text(String::new()),
            Self::Integer => Value::Integer(0),
            Self::Unsigned => Value::Unsigned(0),
            Self::Float => Value::Float(0.0),
            Self::Boolean => Value::Boolean(false),
            Self::Opaque => Value::Opaque(Vec::new()),
            Self::Time => Value::Time(0),
            Self::ObjectLink => Value::ObjectLink(u16::MAX, u16::MAX),
            Self::CoreLink => Value::CoreLink(String::new()),
            Self::None => return None,
        })
    }

    /// The value a person's text means: hexadecimal for opaque, `1`/`0`/`true`/`false`, `object:instance`.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Opaque => Value::Opaque(HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?),
            Self::Boolean if text == "true" => Value::Boolean(true),
            Self::Boolean if text == "false" => Value::Boolean(false),
            _ => self.from_plain_text(text)?,
        })
    }

    /// The value that a text/plain payload means (OMA LwM2M Core, table C-1).
    #[must_use]
    pub fn from_plain_text(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Text => Value::Text(text.to_owned()),
            Self::Integer => Value::Integer(text.parse().ok()?),
            Self::Unsigned => Value::Unsigned(text.parse().ok()?),
            Self::Float => Value::Float(text.parse().ok()?),
            Self::Boolean => Value::Boolean(match text {
                "0" => false,
                "1" => true,
                _ => return None,
            }),
            Self::Opaque => Value::Opaque(BASE64.decode(text.as_bytes()).ok()?),
            Self::Time => Value::Time(text.parse().ok()?),
            Self::ObjectLink => object_link(text)?,
            Self::CoreLink => Value::CoreLink(text.to_owned()),
            Self::None => return None,
        })
    }
}

impl Value {
    /// The same value as `to`, if it can be that: a format such as CBOR does not tell an Integer from a Time.
    #[must_use]
    pub fn into_type(self, to: Type) -> Option<Self> {
        Some(match (to, self) {
            (Type::Text, Self::Text(text) | Self::CoreLink(text)) => Self::Text(text),
            (Type::CoreLink, Self::Text(text) | Self::CoreLink(text)) => Self::CoreLink(text),
            (Type::Boolean, Self::Boolean(value)) => Self::Boolean(value),
            (Type::Opaque, Self::Opaque(bytes)) => Self::Opaque(bytes),
            (Type::ObjectLink, Self::ObjectLink(object, instance)) => {
                Self::ObjectLink(object, instance)
            }
            (Type::ObjectLink, Self::Text(text)) => object_link(&text)?,
            (Type::Integer, number) => Self::Integer(number.as_integer()?),
            (Type::Time, number) => Self::Time(number.as_integer()?),
            (Type::Unsigned, Self::Unsigned(value)) => Self::Unsigned(value),
            (Type::Unsigned, number) => Self::Unsigned(u64::try_from(number.as_integer()?).ok()?),
            (Type::Float, number) => Self::Float(number.as_number()?),
            _ => return None,
        })
    }

    /// A whole number that fits 64 bits.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Self::Integer(value) | Self::Time(value) => Some(value),
            Self::Unsigned(value) => i64::try_from(value).ok(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked to be whole and in range"
            )]
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 9.2e18 => {
                Some(value as i64)
            }
            _ => None,
        }
    }

    /// A number, with a fraction if need be.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a float is what is asked for")]
    pub fn as_number(&self) -> Option<f64> {
        match *self {
            Self::Integer(value) | Self::Time(value) => Some(value as f64),
            Self::Unsigned(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            _ => None,
        }
    }

    /// As a text/plain payload (OMA LwM2M Core, table C-1).
    #[must_use]
    pub fn to_plain_text(&self) -> String {
        match self {
            Self::Text(text) | Self::CoreLink(text) => text.clone(),
            Self::Integer(value) | Self::Time(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Boolean(value) => u8::from(*value).to_string(),
            Self::Opaque(bytes) => BASE64.encode(bytes),
            Self::ObjectLink(object, instance) => format!("{object}:{instance}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque(bytes) => f.write_str(&HEXLOWER_PERMISSIVE.encode(bytes)),
            Self::Boolean(value) => value.fmt(f),
            _ => f.write_str(&self.to_plain_text()),
        }
    }
}

/// An object link's text, `object:instance`.
#[must_use]
pub fn object_link(text: &str) -> Option<Value> {
    let (object, instance) = text.split_once(':')?;
    Some(Value::ObjectLink(
        object.parse().ok()?,
        instance.parse().ok()?,
    ))
}

macro_rules! from {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from! { &str => Text, String => Text, i64 => Integer, i32 => Integer, u64 => Unsigned, f64 => Float, bool => Boolean, Vec<u8> => Opaque, &[u8] => Opaque }
