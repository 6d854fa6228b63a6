//! JSON (RFC 8259) read in place: exact numbers, borrowed strings, the place of each error.
//!
//! Only what SenML and the LwM2M JSON format need: arrays and objects are visited, never built, and
//! nesting beyond what either format has is refused before it costs anything.

use std::borrow::Cow;

use super::scalar::Number;
use super::{DecodeError, Position};

/// Deepest nesting that is skipped inside of unknown fields.
const MAX_DEPTH: usize = 16;

/// Reads JSON values one after the other.
pub(super) struct JsonReader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> JsonReader<'a> {
    /// Starts at the first value, after a byte order mark if there is one.
    pub(super) fn new(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let text = str::from_utf8(payload).map_err(|error| DecodeError::Malformed {
            at: Position::byte(error.valid_up_to()),
            found: "a byte that is not UTF-8".into(),
            expected: "JSON in UTF-8",
        })?;
        let position = if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        let mut reader = Self { text, position };
        reader.skip_blank();
        Ok(reader)
    }

    /// Offset of the next value.
    pub(super) fn offset(&self) -> usize {
        self.position
    }

    /// Goes back, or on, to a value that was passed before.
    pub(super) fn set_offset(&mut self, offset: usize) {
        self.position = offset;
    }

    /// Calls `each` for every element of an array; it reads the element.
    pub(super) fn array(
        &mut self,
        expected: &'static str,
        mut each: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.delimited(b'[', b']', expected, |reader| each(reader))
    }

    /// Calls `each` with the key of every member of an object; it reads the value.
    pub(super) fn object(
        &mut self,
        expected: &'static str,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.delimited(b'{', b'}', expected, |reader| {
            let key = reader.string("a key, a string")?;
            reader.punctuation(b':', "':' after a key")?;
            each(reader, key)
        })
    }

    /// Reads a string.
    pub(super) fn string(&mut self, expected: &'static str) -> Result<Cow<'a, str>, DecodeError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(expected));
        }
        let start = self.position + 1;
        let mut end = start;
        loop {
            match self.text.as_bytes().get(end) {
                None => {
                    let at = Position::byte(self.text.len());
                    return Err(DecodeError::Truncated {
                        at,
                        expected: "the '\"' that ends a string",
                    });
                }
                Some(b'"') => break,
                Some(b'\\') => return self.escaped_string(start, end),
                Some(_) => end += 1,
            }
        }
        self.position = end + 1;
        self.skip_blank();
        Ok(Cow::Borrowed(&self.text[start..end]))
    }

    /// Reads a number: an integer stays exact, anything else is the nearest 64-bit float.
    pub(super) fn number(&mut self, expected: &'static str) -> Result<Number, DecodeError> {
        let rest = &self.text[self.position..];
        let length = number_length(rest.as_bytes()).ok_or_else(|| self.unexpected(expected))?;
        let digits = &rest[..length];
        let number = match digits.parse() {
            Ok(integer) => Some(Number::Integer(integer)),
            Err(_) => digits
                .parse()
                .ok()
                .filter(|float: &f64| float.is_finite())
                .map(Number::Float),
        };
        let number = number.ok_or_else(|| DecodeError::Malformed {
            at: Position::byte(self.position),
            found: "a number too large for 64 bits".into(),
            expected,
        })?;
        self.position += length;
        self.skip_blank();
        Ok(number)
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&mut self, expected: &'static str) -> Result<bool, DecodeError> {
        if self.take_word("true") {
            Ok(true)
        } else if self.take_word("false") {
            Ok(false)
        } else {
            Err(self.unexpected(expected))
        }
    }

    /// `true` when the next value is `null`, which is then consumed.
    pub(super) fn take_null(&mut self) -> bool {
        self.take_word("null")
    }

    /// Skips one value with everything in it.
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        self.skip_nested(MAX_DEPTH)
    }

    /// Makes sure that nothing follows but NUL, with which some devices end their strings.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        let rest = &self.text[self.position..];
        if rest.bytes().all(|byte| byte == 0) {
            Ok(())
        } else {
            Err(self.unexpected("the end of the payload"))
        }
    }

    fn skip_nested(&mut self, depth: usize) -> Result<(), DecodeError> {
        const EXPECTED: &str = "a JSON value";
        let Some(inner) = depth.checked_sub(1) else {
            return Err(DecodeError::Malformed {
                at: Position::byte(self.position),
                found: "deeper nesting".into(),
                expected: "at most 16 levels",
            });
        };
        match self.peek() {
            Some(b'[') => self.array(EXPECTED, |reader| reader.skip_nested(inner)),
            Some(b'{') => self.object(EXPECTED, |reader, _| reader.skip_nested(inner)),
            Some(b'"') => self.string(EXPECTED).map(drop),
            Some(b't' | b'f') => self.boolean(EXPECTED).map(drop),
            Some(b'n') if self.take_null() => Ok(()),
            _ => self.number(EXPECTED).map(drop),
        }
    }

    /// Reads `open`, elements with commas between, and `close`.
    fn delimited(
        &mut self,
        open: u8,
        close: u8,
        expected: &'static str,
        mut each: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.punctuation(open, expected)?;
        if self.peek() == Some(close) {
            return self.punctuation(close, expected);
        }
        loop {
            each(self)?;
            if self.peek() == Some(close) {
                return self.punctuation(close, expected);
            }
            self.punctuation(b',', "',' or the end of the list")?;
        }
    }

    /// Reads a string with escapes from `start`; `escape` is the first of them.
    fn escaped_string(&mut self, start: usize, escape: usize) -> Result<Cow<'a, str>, DecodeError> {
        let mut string = self.text[start..escape].to_owned();
        let mut characters = self.text[escape..].char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.position = escape + index + 1;
                    self.skip_blank();
                    return Ok(Cow::Owned(string));
                }
                '\\' => {
                    let escape = escape + index;
                    let (character, length) = unescape(&self.text[escape..]).ok_or_else(|| {
                        self.malformed(escape, "an escape", "an escape such as \\n or \\u00e9")
                    })?;
                    string.push(character);
                    // An escape is ASCII, one byte a character.
                    characters.nth(length - 2);
                }
                other => string.push(other),
            }
        }
        let at = Position::byte(self.text.len());
        Err(DecodeError::Truncated {
            at,
            expected: "the '\"' that ends a string",
        })
    }

    fn punctuation(&mut self, byte: u8, expected: &'static str) -> Result<(), DecodeError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.position += 1;
        self.skip_blank();
        Ok(())
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.text[self.position..].starts_with(word);
        if found {
            self.position += word.len();
            self.skip_blank();
        }
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.position += 1;
        }
    }

    fn unexpected(&self, expected: &'static str) -> DecodeError {
        match self.text[self.position..].chars().next() {
            None => DecodeError::Truncated {
                at: Position::byte(self.position),
                expected,
            },
            Some(found) => self.malformed(self.position, &format!("{found:?}"), expected),
        }
    }

    fn malformed(&self, offset: usize, found: &str, expected: &'static str) -> DecodeError {
        DecodeError::Malformed {
            at: Position::byte(offset),
            found: found.into(),
            expected,
        }
    }
}

/// Bytes of the number at the beginning of `bytes`.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let integer = match bytes.get(sign)? {
        b'0' => 1,
        _ => digits(sign),
    };
    let mut length = sign + integer;
    if integer == 0 {
        return None;
    }
    if bytes.get(length) == Some(&b'.') {
        let fraction = digits(length + 1);
        if fraction == 0 {
            return None;
        }
        length += 1 + fraction;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent == 0 {
            return None;
        }
        length += 1 + sign + exponent;
    }
    Some(length)
}

/// The character of the escape at the beginning of `text`, and the bytes the escape takes.
fn unescape(text: &str) -> Option<(char, usize)> {
    let simple = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unicode(text),
        _ => return None,
    };
    Some((simple, 2))
}

fn unescape_unicode(text: &str) -> Option<(char, usize)> {
    let unit = code_unit(text)?;
    if let Some(character) = char::from_u32(unit.into()) {
        return Some((character, 6));
    }
    let low = code_unit(text.get(6..)?)?;
    let character = char::decode_utf16([unit, low]).next()?.ok()?;
    Some((character, 12))
}

/// The four hexadecimal digits of `\uXXXX`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests;
