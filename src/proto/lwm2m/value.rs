//! Values of Resources and their types (LwM2M Core, appendix C).

use std::fmt;

use super::Path;
use super::excerpt::excerpt;
use crate::proto::time::UnixMillis;

/// Data type of a Resource.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ResourceType {
    /// UTF-8 text.
    String,
    /// Signed, at most 64 bits.
    Integer,
    /// Unsigned, at most 64 bits (LwM2M 1.1).
    UnsignedInteger,
    /// IEEE 754, 32 or 64 bits.
    Float,
    /// True or false.
    Boolean,
    /// Bytes.
    Opaque,
    /// Seconds since 1970-01-01T00:00:00Z.
    Time,
    /// Reference to an Object Instance.
    Objlnk,
    /// Text in link format (LwM2M 1.1).
    Corelnk,
}

impl ResourceType {
    /// Name as the object definitions write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Integer => "Integer",
            Self::UnsignedInteger => "Unsigned Integer",
            Self::Float => "Float",
            Self::Boolean => "Boolean",
            Self::Opaque => "Opaque",
            Self::Time => "Time",
            Self::Objlnk => "Objlnk",
            Self::Corelnk => "Corelnk",
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value. At most 24 bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// UTF-8 text.
    String(Box<str>),
    /// Signed integer.
    Integer(i64),
    /// Unsigned integer.
    Unsigned(u64),
    /// Floating point; NaN and infinities occur when a device sends them in a binary format.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// Bytes.
    Opaque(Box<[u8]>),
    /// Seconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// Object id and Object Instance id; 65535:65535 is the null link.
    Objlnk(u16, u16),
    /// Text in link format.
    Corelnk(Box<str>),
}

impl Value {
    /// Type of the value.
    #[must_use]
    pub const fn resource_type(&self) -> ResourceType {
        match self {
            Self::String(_) => ResourceType::String,
            Self::Integer(_) => ResourceType::Integer,
            Self::Unsigned(_) => ResourceType::UnsignedInteger,
            Self::Float(_) => ResourceType::Float,
            Self::Boolean(_) => ResourceType::Boolean,
            Self::Opaque(_) => ResourceType::Opaque,
            Self::Time(_) => ResourceType::Time,
            Self::Objlnk(..) => ResourceType::Objlnk,
            Self::Corelnk(_) => ResourceType::Corelnk,
        }
    }
}

/// One value at its path, as it came out of a payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Path of the Resource or Resource Instance; for a record without value it may be any path.
    pub path: Path,
    /// When the device says the value was measured.
    pub time: Option<UnixMillis>,
    /// The value; `None` for a record without one, as in the request of a Read-Composite.
    pub value: Option<Value>,
}

/// Knowledge of object definitions: what decoding needs to give a value its type.
pub trait ResourceTypes {
    /// Type of a Resource and whether it has instances; `None` when its definition is not known.
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)>;
}

/// Reads an object link in text form, `object:instance` (LwM2M Core, appendix C).
///
/// # Errors
/// [`ParseObjlnkError`] when it is not two ids of 16 bits.
pub fn parse_objlnk(text: &str) -> Result<(u16, u16), ParseObjlnkError> {
    let parse = || {
        let (object, instance) = text.split_once(':')?;
        let plain = |id: &str| {
            id.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| id.parse().ok())?
        };
        Some((plain(object)?, plain(instance)?))
    };
    parse().ok_or_else(|| ParseObjlnkError {
        text: excerpt(text),
    })
}

/// A text is not an object link.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{text}\" is not an object link, expected object:instance such as 33606:0")]
pub struct ParseObjlnkError {
    text: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_at_most_24_bytes() {
        assert!(size_of::<Value>() <= 24);
        assert!(size_of::<Option<Value>>() <= 24);
    }

    #[test]
    fn an_object_link_is_two_ids() {
        assert_eq!(parse_objlnk("33606:0"), Ok((33606, 0)));
        assert_eq!(parse_objlnk("65535:65535"), Ok((65535, 65535)));
        for text in ["", ":", "3", "3:", ":0", "+3:0", "3:0:1", "65536:0", "3: 0"] {
            assert!(parse_objlnk(text).is_err(), "{text}");
        }
    }
}
