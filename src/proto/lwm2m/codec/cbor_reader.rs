//! CBOR items (RFC 8949), with the place of each error.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::data::Type;

use super::scalar::{Number, Scalar};
use super::{DecodeError, Position};

/// Reads CBOR items one after the other.
pub(super) struct CborReader<'b> {
    decoder: Decoder<'b>,
}

impl<'b> CborReader<'b> {
    /// Starts at the first byte, after the tag that only says "this is CBOR" (RFC 8949 §3.4.6).
    pub(super) fn new(payload: &'b [u8]) -> Self {
        let mut decoder = Decoder::new(payload);
        if payload.starts_with(&SELF_DESCRIBED) {
            decoder.set_position(SELF_DESCRIBED.len());
        }
        Self { decoder }
    }

    /// Offset of the next item.
    pub(super) fn offset(&self) -> usize {
        self.decoder.position()
    }

    /// Calls `each` for every element of an array, definite or not.
    pub(super) fn array(
        &mut self,
        expected: &'static str,
        each: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !matches!(self.kind(expected)?, Type::Array | Type::ArrayIndef) {
            return Err(self.unexpected(expected));
        }
        let length = self.read(expected, Decoder::array)?;
        self.repeat(length, expected, each)
    }

    /// Calls `each` for every pair of a map, definite or not; it reads key and value.
    pub(super) fn map(
        &mut self,
        expected: &'static str,
        each: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !matches!(self.kind(expected)?, Type::Map | Type::MapIndef) {
            return Err(self.unexpected(expected));
        }
        let length = self.read(expected, Decoder::map)?;
        self.repeat(length, expected, each)
    }

    /// Reads one item that is a value: number, boolean, text or bytes.
    pub(super) fn scalar(&mut self) -> Result<Scalar<'b>, DecodeError> {
        const EXPECTED: &str = "a number, boolean, text or bytes";
        Ok(match self.kind(EXPECTED)? {
            Type::Bool => Scalar::Boolean(self.boolean(EXPECTED)?),
            Type::String | Type::StringIndef => Scalar::Text(self.text(EXPECTED)?),
            Type::Bytes | Type::BytesIndef => Scalar::Bytes(self.bytes(EXPECTED)?),
            _ => Scalar::Number(self.number(EXPECTED)?),
        })
    }

    /// Reads a number: integer, float of any width, epoch time (tag 1) or decimal fraction (tag 4).
    pub(super) fn number(&mut self, expected: &'static str) -> Result<Number, DecodeError> {
        match self.kind(expected)? {
            Type::F16 => Ok(Number::Float(self.read(expected, Decoder::f16)?.into())),
            Type::F32 => Ok(Number::Float(self.read(expected, Decoder::f32)?.into())),
            Type::F64 => Ok(Number::Float(self.read(expected, Decoder::f64)?)),
            Type::Tag => self.tagged_number(expected),
            _ => self.integer(expected).map(Number::Integer),
        }
    }

    /// Reads an integer.
    pub(super) fn integer(&mut self, expected: &'static str) -> Result<i128, DecodeError> {
        let is_integer = matches!(
            self.kind(expected)?,
            Type::U8
                | Type::U16
                | Type::U32
                | Type::U64
                | Type::I8
                | Type::I16
                | Type::I32
                | Type::I64
                | Type::Int
        );
        if !is_integer {
            return Err(self.unexpected(expected));
        }
        self.read(expected, Decoder::int).map(i128::from)
    }

    /// Reads text, in one piece or several.
    pub(super) fn text(&mut self, expected: &'static str) -> Result<Cow<'b, str>, DecodeError> {
        match self.kind(expected)? {
            Type::String => self.read(expected, Decoder::str).map(Cow::Borrowed),
            Type::StringIndef => self
                .read(expected, |decoder| {
                    decoder.str_iter()?.collect::<Result<String, _>>()
                })
                .map(Cow::Owned),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Reads bytes, in one piece or several.
    pub(super) fn bytes(&mut self, expected: &'static str) -> Result<Cow<'b, [u8]>, DecodeError> {
        match self.kind(expected)? {
            Type::Bytes => self.read(expected, Decoder::bytes).map(Cow::Borrowed),
            Type::BytesIndef => self
                .read(expected, |decoder| {
                    let mut whole = Vec::new();
                    for piece in decoder.bytes_iter()? {
                        whole.extend_from_slice(piece?);
                    }
                    Ok(whole)
                })
                .map(Cow::Owned),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Reads a boolean.
    pub(super) fn boolean(&mut self, expected: &'static str) -> Result<bool, DecodeError> {
        match self.kind(expected)? {
            Type::Bool => self.read(expected, Decoder::bool),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Skips one item with everything in it.
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        self.read("a CBOR item", Decoder::skip)
    }

    /// `true` when the next item is `null`, which is then consumed.
    pub(super) fn take_null(&mut self) -> Result<bool, DecodeError> {
        let is_null = self.kind("a CBOR item")? == Type::Null;
        if is_null {
            self.skip()?;
        }
        Ok(is_null)
    }

    /// Type of the next item.
    pub(super) fn kind(&self, expected: &'static str) -> Result<Type, DecodeError> {
        self.decoder
            .datatype()
            .map_err(|error| self.error(&error, self.offset(), expected))
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.offset() == self.decoder.input().len() {
            return Ok(());
        }
        Err(DecodeError::Malformed {
            at: Position::byte(self.offset()),
            found: "more bytes".into(),
            expected: "the end of the payload",
        })
    }

    /// The error for an item that is not what it should be.
    pub(super) fn unexpected(&self, expected: &'static str) -> DecodeError {
        let found = match self.decoder.datatype() {
            Ok(kind) => kind.to_string(),
            Err(_) => "no CBOR item".to_owned(),
        };
        DecodeError::Malformed {
            at: Position::byte(self.offset()),
            found: found.into(),
            expected,
        }
    }

    fn tagged_number(&mut self, expected: &'static str) -> Result<Number, DecodeError> {
        let offset = self.offset();
        let tag = self.read(expected, Decoder::tag)?.as_u64();
        match tag {
            EPOCH_TIME if self.kind(expected)? != Type::Tag => self.number(expected),
            DECIMAL_FRACTION => self.decimal_fraction(),
            _ => Err(DecodeError::Malformed {
                at: Position::byte(offset),
                found: format!("tag {tag}").into(),
                expected,
            }),
        }
    }

    /// Reads `[exponent, mantissa]` of a decimal fraction (RFC 8949 §3.4.4).
    fn decimal_fraction(&mut self) -> Result<Number, DecodeError> {
        const EXPECTED: &str = "an array of exponent and mantissa, both integers";
        let offset = self.offset();
        let mut parts = [0; 2];
        let mut count = 0;
        self.array(EXPECTED, |reader| {
            let part = reader.integer(EXPECTED)?;
            if let Some(slot) = parts.get_mut(count) {
                *slot = part;
            }
            count += 1;
            Ok(())
        })?;
        let [exponent, mantissa] = parts;
        // Decimal text is the one exact way to a correctly rounded float.
        let value = format!("{mantissa}e{exponent}")
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite());
        match value {
            Some(value) if count == 2 => Ok(Number::Float(value)),
            _ => Err(DecodeError::Malformed {
                at: Position::byte(offset),
                found: "another decimal fraction".into(),
                expected: EXPECTED,
            }),
        }
    }

    /// Calls `each` `length` times, or up to the break when the length is not given.
    fn repeat(
        &mut self,
        length: Option<u64>,
        expected: &'static str,
        mut each: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        match length {
            Some(length) => (0..length).try_for_each(|_| each(self)),
            None => {
                while self.kind(expected)? != Type::Break {
                    each(self)?;
                }
                self.decoder.set_position(self.offset() + 1);
                Ok(())
            }
        }
    }

    fn read<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&mut Decoder<'b>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<T, DecodeError> {
        let offset = self.offset();
        let result = read(&mut self.decoder);
        result.map_err(|error| self.error(&error, offset, expected))
    }

    fn error(
        &self,
        error: &minicbor::decode::Error,
        offset: usize,
        expected: &'static str,
    ) -> DecodeError {
        if error.is_end_of_input() {
            return DecodeError::Truncated {
                at: Position::byte(self.decoder.input().len()),
                expected,
            };
        }
        DecodeError::Malformed {
            at: Position::byte(error.position().unwrap_or(offset)),
            found: "bytes that are not such an item".into(),
            expected,
        }
    }
}

const SELF_DESCRIBED: [u8; 3] = [0xd9, 0xd9, 0xf7];
const EPOCH_TIME: u64 = 1;
const DECIMAL_FRACTION: u64 = 4;
