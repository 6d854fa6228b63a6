//! Values as self-describing formats carry them, and their conversion to LwM2M types.

use std::borrow::Cow;

use crate::proto::lwm2m::{ResourceType, Value, parse_objlnk};

/// A number as it stood in the payload: integers stay exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// Within 65 bits when it came from CBOR, within 128 when from JSON.
    Integer(i128),
    Float(f64),
}

impl Number {
    /// The sum, exact for integers.
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Self::Integer(a.saturating_add(b)),
            (a, b) => Self::Float(a.as_f64() + b.as_f64()),
        }
    }

    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }

    /// The integer this is, `5.0` included.
    fn as_integer(self) -> Option<i128> {
        match self {
            Self::Integer(integer) => Some(integer),
            Self::Float(float) => {
                (float.fract() == 0.0 && float.abs() < TWO_POW_64).then_some(float as i128)
            }
        }
    }
}

/// 2^64: floats below convert to `i128` exactly.
const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

/// One value with the type the notation gives it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Number(Number),
    Boolean(bool),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// Marked as an object link, in text form.
    ObjectLink(Cow<'a, str>),
}

impl Scalar<'_> {
    /// The value in type `expected`, or in the notation's own type when none is known.
    ///
    /// Conversions that lose nothing are made: `5.0` is an Integer, any number a Float, 0 and 1 a
    /// Boolean, `3:0` an Objlnk. A Time with a fraction is cut to the second before.
    ///
    /// # Errors
    /// What the payload holds instead.
    pub(super) fn into_value(self, expected: Option<ResourceType>) -> Result<Value, &'static str> {
        use ResourceType as Type;
        let found = self.description();
        match (expected, self) {
            (None, scalar) => scalar.into_own_type(),
            (Some(Type::Integer), Self::Number(number)) => exact(number).map(Value::Integer),
            (Some(Type::UnsignedInteger), Self::Number(number)) => {
                exact(number).map(Value::Unsigned)
            }
            (Some(Type::Float), Self::Number(number)) => Ok(Value::Float(number.as_f64())),
            (Some(Type::Time), Self::Number(Number::Float(seconds))) => {
                exact(Number::Float(seconds.floor())).map(Value::Time)
            }
            (Some(Type::Time), Self::Number(number)) => exact(number).map(Value::Time),
            (Some(Type::Boolean), Self::Boolean(boolean)) => Ok(Value::Boolean(boolean)),
            (Some(Type::Boolean), Self::Number(number)) => match number.as_integer() {
                Some(0) => Ok(Value::Boolean(false)),
                Some(1) => Ok(Value::Boolean(true)),
                _ => Err(found),
            },
            (Some(Type::String), Self::Text(text)) => Ok(Value::String(text.into())),
            (Some(Type::Corelnk), Self::Text(text)) => Ok(Value::Corelnk(text.into())),
            (Some(Type::Opaque), Self::Bytes(bytes)) => Ok(Value::Opaque(bytes.into())),
            (Some(Type::Objlnk), Self::ObjectLink(text) | Self::Text(text)) => object_link(&text),
            (Some(_), _) => Err(found),
        }
    }

    fn into_own_type(self) -> Result<Value, &'static str> {
        Ok(match self {
            Self::Number(Number::Float(float)) => Value::Float(float),
            Self::Number(Number::Integer(integer)) => {
                if let Ok(signed) = i64::try_from(integer) {
                    Value::Integer(signed)
                } else if let Ok(unsigned) = u64::try_from(integer) {
                    Value::Unsigned(unsigned)
                } else {
                    Value::Float(integer as f64)
                }
            }
            Self::Boolean(boolean) => Value::Boolean(boolean),
            Self::Text(text) => Value::String(text.into()),
            Self::Bytes(bytes) => Value::Opaque(bytes.into()),
            Self::ObjectLink(text) => return object_link(&text),
        })
    }

    fn description(&self) -> &'static str {
        match self {
            Self::Number(Number::Integer(_)) => "an integer",
            Self::Number(Number::Float(_)) => "a floating-point number",
            Self::Boolean(_) => "a boolean",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::ObjectLink(_) => "an object link",
        }
    }
}

fn exact<T: TryFrom<i128>>(number: Number) -> Result<T, &'static str> {
    let integer = number
        .as_integer()
        .ok_or("a number with a fraction or outside of 64 bits")?;
    T::try_from(integer).map_err(|_| "an integer outside of the type's 64 bits")
}

fn object_link(text: &str) -> Result<Value, &'static str> {
    let (object, instance) = parse_objlnk(text).map_err(|_| "text that is not object:instance")?;
    Ok(Value::Objlnk(object, instance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(integer: i128) -> Scalar<'static> {
        Scalar::Number(Number::Integer(integer))
    }

    fn float(float: f64) -> Scalar<'static> {
        Scalar::Number(Number::Float(float))
    }

    #[test]
    fn integers_keep_all_64_bits() {
        let largest = i128::from(u64::MAX);
        assert_eq!(
            integer(largest).into_value(Some(ResourceType::UnsignedInteger)),
            Ok(Value::Unsigned(u64::MAX))
        );
        assert_eq!(
            integer(largest).into_value(None),
            Ok(Value::Unsigned(u64::MAX))
        );
        let smallest = i128::from(i64::MIN);
        assert_eq!(
            integer(smallest).into_value(Some(ResourceType::Integer)),
            Ok(Value::Integer(i64::MIN))
        );
        assert!(
            integer(largest)
                .into_value(Some(ResourceType::Integer))
                .is_err()
        );
        assert!(
            integer(-1)
                .into_value(Some(ResourceType::UnsignedInteger))
                .is_err()
        );
    }

    #[test]
    fn a_whole_float_is_an_integer_and_a_fraction_is_not() {
        assert_eq!(
            float(5.0).into_value(Some(ResourceType::Integer)),
            Ok(Value::Integer(5))
        );
        for number in [5.5, f64::NAN, f64::INFINITY, 9.3e18] {
            assert!(
                float(number)
                    .into_value(Some(ResourceType::Integer))
                    .is_err(),
                "{number}"
            );
        }
    }

    #[test]
    fn a_time_with_a_fraction_is_cut_to_the_second_before() {
        assert_eq!(
            float(1.9).into_value(Some(ResourceType::Time)),
            Ok(Value::Time(1))
        );
        assert_eq!(
            float(-0.5).into_value(Some(ResourceType::Time)),
            Ok(Value::Time(-1))
        );
    }

    #[test]
    fn only_zero_and_one_are_booleans_among_the_numbers() {
        assert_eq!(
            integer(1).into_value(Some(ResourceType::Boolean)),
            Ok(Value::Boolean(true))
        );
        assert_eq!(
            integer(2).into_value(Some(ResourceType::Boolean)),
            Err("an integer")
        );
    }

    #[test]
    fn text_is_not_a_number() {
        assert_eq!(
            Scalar::Text("5".into()).into_value(Some(ResourceType::Integer)),
            Err("text")
        );
    }
}
