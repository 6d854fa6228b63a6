//! Link format, read with every tolerance devices need (RFC 6690 §2).
//!
//! Elements of a list are separated by commas outside of `<>` and quotes. An element is a link when
//! it begins with `<`; everything else is plain text. A `<` after a complete link begins the next
//! one even when the comma is missing.

use super::LinkError;

/// One element of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link<'a> {
    /// Text between `<` and `>` without white space around it; `None` for an element that is no
    /// link.
    pub target: Option<&'a str>,
    /// Offset of the element in the list.
    pub offset: usize,
    /// The element as received, without white space around it.
    pub text: &'a str,
    attributes: &'a str,
}

impl<'a> Link<'a> {
    /// The attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        Attributes {
            rest: self.attributes,
        }
    }
}

/// One attribute of a link: `name` or `name=value`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attribute<'a> {
    /// Name without white space around it.
    pub name: &'a str,
    /// Value without quotes; escapes inside quotes are left as they are.
    pub value: Option<&'a str>,
}

/// Iterates over the elements of a list; empty ones are passed over.
#[derive(Clone, Debug)]
pub struct Links<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Links<'a> {
    /// Reads `text` from its beginning.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// Reads the link whose `<` is at the present position.
    fn link(&mut self) -> Result<Link<'a>, LinkError> {
        let offset = self.position;
        let after = &self.text[offset + 1..];
        let close = match after.find(['>', '<']) {
            Some(close) if after.as_bytes()[close] == b'>' => close,
            _ => return Err(LinkError::Unclosed { offset }),
        };
        let attributes = offset + close + 2;
        self.position = attributes + element_length(&self.text[attributes..]);
        Ok(Link {
            target: Some(after[..close].trim()),
            offset,
            text: self.text[offset..self.position].trim_end(),
            attributes: &self.text[attributes..self.position],
        })
    }

    /// Reads an element that is not a link.
    fn plain_text(&mut self) -> Link<'a> {
        let offset = self.position;
        self.position += element_length(&self.text[offset..]);
        let text = self.text[offset..self.position].trim_end();
        Link {
            target: None,
            offset,
            text,
            attributes: "",
        }
    }
}

impl<'a> Iterator for Links<'a> {
    type Item = Result<Link<'a>, LinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.text[self.position..];
        let start = rest.find(|character: char| character != ',' && !is_blank(character))?;
        self.position += start;
        if rest.as_bytes()[start] != b'<' {
            return Some(Ok(self.plain_text()));
        }
        let link = self.link();
        if link.is_err() {
            self.position = self.text.len();
        }
        Some(link)
    }
}

/// Splits the part of a link behind the `>`.
struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        loop {
            let start = self.rest.find(';')? + 1;
            let attribute = &self.rest[start..];
            let end = attribute_length(attribute);
            self.rest = &attribute[end..];
            let (name, value) = match attribute[..end].split_once('=') {
                Some((name, value)) => (name.trim(), Some(unquoted(value.trim()))),
                None => (attribute[..end].trim(), None),
            };
            if !name.is_empty() {
                return Some(Attribute { name, value });
            }
        }
    }
}

/// The text without the quotes around it, also when one of them is missing.
fn unquoted(value: &str) -> &str {
    let value = value.strip_prefix('"').unwrap_or(value);
    value.strip_suffix('"').unwrap_or(value)
}

/// Bytes up to the comma, or to the `<` of the next link, that ends the element.
fn element_length(text: &str) -> usize {
    scan(text, |byte| matches!(byte, b',' | b'<'))
}

/// Bytes up to the semicolon that ends the attribute.
fn attribute_length(text: &str) -> usize {
    scan(text, |byte| byte == b';')
}

/// Bytes up to the first one outside of quotes that `ends`. A quote that never closes is plain
/// text.
fn scan(text: &str, ends: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut position = 0;
    let mut quotes_close = true;
    while position < bytes.len() {
        match bytes[position] {
            b'"' if quotes_close => match quoted_length(&bytes[position..]) {
                Some(length) => position += length,
                None => {
                    quotes_close = false;
                    position += 1;
                }
            },
            byte if ends(byte) => break,
            _ => position += 1,
        }
    }
    position
}

/// Bytes of the quoted text that begins here, both quotes included; `None` when it never closes.
fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut position = 1;
    loop {
        match bytes.get(position)? {
            b'"' => return Some(position + 1),
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
}

/// White space that may stand between elements; devices also end their lists with a NUL.
fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\0'
}
