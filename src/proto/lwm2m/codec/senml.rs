//! SenML: what base fields and fields of a record mean, in either notation (RFC 8428 §4).

use std::borrow::Cow;

use super::name::NameBuilder;
use super::output::Output;
use super::scalar::{Number, Scalar};
use super::{DecodeError, Position};
use crate::proto::time::UnixMillis;

/// A field of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Label {
    BaseVersion,
    BaseName,
    BaseTime,
    BaseValue,
    Name,
    Time,
    Value,
    StringValue,
    BooleanValue,
    DataValue,
    /// `vlo` of LwM2M, an object link.
    ObjectLinkValue,
    /// Known or not, without a meaning in LwM2M: units, sums, update time.
    Ignored,
    /// Ends with `_`: a reader that does not know it must refuse the record (RFC 8428 §4.4).
    MustUnderstand,
}

impl Label {
    /// The field with this name, as SenML JSON writes it.
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "bver" => Self::BaseVersion,
            "bn" => Self::BaseName,
            "bt" => Self::BaseTime,
            "bv" => Self::BaseValue,
            "n" => Self::Name,
            "t" => Self::Time,
            "v" => Self::Value,
            "vs" => Self::StringValue,
            "vb" => Self::BooleanValue,
            "vd" => Self::DataValue,
            "vlo" => Self::ObjectLinkValue,
            name if name.ends_with('_') => Self::MustUnderstand,
            _ => Self::Ignored,
        }
    }

    /// The field with this number, as SenML CBOR writes it (RFC 8428 §6).
    pub(super) fn from_number(number: i128) -> Self {
        match number {
            -1 => Self::BaseVersion,
            -2 => Self::BaseName,
            -3 => Self::BaseTime,
            -5 => Self::BaseValue,
            0 => Self::Name,
            2 => Self::Value,
            3 => Self::StringValue,
            4 => Self::BooleanValue,
            6 => Self::Time,
            8 => Self::DataValue,
            _ => Self::Ignored,
        }
    }
}

/// The fields of one record. A field that is repeated counts as it stands last.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) base_version: Option<Number>,
    pub(super) base_name: Option<Cow<'a, str>>,
    pub(super) base_time: Option<Number>,
    pub(super) base_value: Option<Number>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) time: Option<Number>,
    value: Option<(Label, Option<Scalar<'a>>)>,
}

impl<'a> Fields<'a> {
    /// Takes a value; a record has at most one (RFC 8428 §4.2).
    pub(super) fn set_value(
        &mut self,
        label: Label,
        scalar: Scalar<'a>,
        offset: usize,
    ) -> Result<(), DecodeError> {
        self.set(label, Some(scalar), offset)
    }

    /// Takes the value `null`, which removes what is there (RFC 8790 §3.2).
    pub(super) fn set_null(&mut self, offset: usize) -> Result<(), DecodeError> {
        self.set(Label::Value, None, offset)
    }

    fn set(
        &mut self,
        label: Label,
        scalar: Option<Scalar<'a>>,
        offset: usize,
    ) -> Result<(), DecodeError> {
        if self
            .value
            .as_ref()
            .is_some_and(|(earlier, _)| *earlier != label)
        {
            return Err(DecodeError::Malformed {
                at: Position::byte(offset),
                found: "a second value".into(),
                expected: "one value in a record",
            });
        }
        self.value = Some((label, scalar));
        Ok(())
    }
}

/// Base fields in force and the way from fields to values.
pub(super) struct Pack {
    now: UnixMillis,
    names: NameBuilder,
    base_time: Option<Number>,
    base_value: Option<Number>,
}

impl Pack {
    pub(super) fn new(now: UnixMillis) -> Self {
        Self {
            now,
            names: NameBuilder::default(),
            base_time: None,
            base_value: None,
        }
    }

    /// Takes one record that began at `offset`.
    pub(super) fn record(
        &mut self,
        fields: Fields<'_>,
        offset: usize,
        output: &mut Output<'_>,
    ) -> Result<(), DecodeError> {
        check_version(fields.base_version, offset)?;
        if let Some(base_name) = &fields.base_name {
            self.names.set_base(base_name, offset)?;
        }
        self.base_time = fields.base_time.or(self.base_time);
        self.base_value = fields.base_value.or(self.base_value);

        let is_named = fields.name.is_some() || fields.base_name.is_some();
        let value = match fields.value {
            Some((Label::Value, Some(Scalar::Number(number)))) => Some(Scalar::Number(
                self.base_value.map_or(number, |base| base.plus(number)),
            )),
            Some((_, value)) => value,
            // An absent value counts as zero beside a base value.
            None if is_named => self.base_value.map(Scalar::Number),
            None => None,
        };
        if value.is_none() && !is_named {
            return Ok(());
        }
        let path = self.names.path(
            fields.name.as_deref().unwrap_or_default(),
            &output.base(),
            offset,
        )?;
        let time = match (self.base_time, fields.time) {
            (None, None) => None,
            (Some(time), None) | (None, Some(time)) => Some(time),
            (Some(base), Some(time)) => Some(base.plus(time)),
        };
        let time = time
            .map(|time| unix_millis(time, self.now, offset))
            .transpose()?;
        match value {
            Some(value) => output.scalar(offset, path, time, value),
            None => output.without_value(offset, path, time),
        }
    }
}

/// Seconds below which a time is relative to now (RFC 8428 §4.5.3).
const FIRST_ABSOLUTE_SECOND: f64 = (1u32 << 28) as f64;

/// A SenML time in milliseconds since 1970, rounded to the nearest millisecond.
///
/// # Errors
/// [`DecodeError::TimeOutOfRange`] outside of the years 0 to 9999.
pub(super) fn unix_millis(
    seconds: Number,
    now: UnixMillis,
    offset: usize,
) -> Result<UnixMillis, DecodeError> {
    let millis = match seconds {
        Number::Integer(seconds) => i64::try_from(seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(1000)),
        Number::Float(seconds) => {
            let millis = (seconds * 1000.0).round();
            (millis.abs() < i64::MAX as f64).then_some(millis as i64)
        }
    };
    let is_relative = seconds.as_f64() < FIRST_ABSOLUTE_SECOND;
    let absolute = millis.and_then(|millis| {
        if is_relative {
            millis.checked_add(now)
        } else {
            Some(millis)
        }
    });
    absolute
        .filter(|absolute| CALENDAR_MILLIS.contains(absolute))
        .ok_or(DecodeError::TimeOutOfRange {
            at: Position::byte(offset),
        })
}

/// The years 0 to 9999.
const CALENDAR_MILLIS: std::ops::RangeInclusive<UnixMillis> =
    -62_167_219_200_000..=253_402_300_799_999;

/// Version 10 is the one of RFC 8428; a higher one must be refused (§4.4).
fn check_version(version: Option<Number>, offset: usize) -> Result<(), DecodeError> {
    match version {
        Some(version) if version.as_f64() > 10.0 => Err(DecodeError::Malformed {
            at: Position::byte(offset),
            found: format!("SenML version {}", version.as_f64()).into(),
            expected: "SenML version 10 or lower",
        }),
        _ => Ok(()),
    }
}
