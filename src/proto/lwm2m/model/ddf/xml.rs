//! XML as far as object definitions need it: elements, their text, and where they are.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::error::quoted;
use super::{DdfError, MAX_BYTES, Refusal};

/// Deepest nesting; definitions need five levels, markup in a description a few more.
pub(super) const MAX_DEPTH: usize = 32;

/// Most attributes of an element: each is compared with those before it.
pub(super) const MAX_ATTRIBUTES: usize = 32;

/// An element whose start has been read.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) name: &'a str,
    /// The attribute `ID`.
    pub(super) id: Option<String>,
    /// The attribute `ObjectType`.
    pub(super) object_type: Option<String>,
    /// Where it begins, in bytes of the document as it came.
    pub(super) start: usize,
}

/// A document being read.
pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    /// Length of the byte order mark, which the reader does not see.
    skipped: usize,
    /// Elements that are open.
    depth: usize,
    /// What an error is about: an offset in `text`.
    at: usize,
}

/// The document as text.
pub(super) fn text(document: &[u8]) -> Result<&str, DdfError> {
    if document.len() > MAX_BYTES {
        return Err(DdfError {
            line: 1,
            refusal: Refusal::TooLarge,
        });
    }
    str::from_utf8(document).map_err(|error| DdfError {
        line: line(&document[..error.valid_up_to()]),
        refusal: Refusal::NotUtf8,
    })
}

fn line(before: &[u8]) -> usize {
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

impl<'a> Xml<'a> {
    pub(super) fn new(document: &'a str) -> Self {
        let text = document.strip_prefix('\u{feff}').unwrap_or(document);
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = false;
        Self {
            reader,
            text,
            skipped: document.len() - text.len(),
            depth: 0,
            at: 0,
        }
    }

    /// The error that `refusal` is, at the present place.
    pub(super) fn error(&self, refusal: Refusal) -> DdfError {
        DdfError {
            line: line(&self.text.as_bytes()[..self.at.min(self.text.len())]),
            refusal,
        }
    }

    /// Where reading goes on, in bytes of the document as it came.
    pub(super) fn position(&self) -> usize {
        self.skipped + self.offset()
    }

    /// The root element.
    pub(super) fn root(&mut self) -> Result<Element<'a>, Refusal> {
        loop {
            match self.next()? {
                Event::Start(start) => return self.open(&start),
                Event::Decl(declaration) => check_encoding(&declaration)?,
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if is_space(&text) => {}
                Event::Eof => {
                    return Err(Refusal::Root {
                        found: "nothing".into(),
                    });
                }
                _ => {
                    return Err(Refusal::Root {
                        found: "text".into(),
                    });
                }
            }
        }
    }

    /// The next element within `parent`, which is open; `None` behind its end. What is wrong then is
    /// wrong with `parent`.
    pub(super) fn child(&mut self, parent: &Element<'_>) -> Result<Option<Element<'a>>, Refusal> {
        loop {
            match self.next()? {
                Event::Start(start) => {
                    let element = self.open(&start)?;
                    if !element.name.contains(':') {
                        return Ok(Some(element));
                    }
                    self.skip(&element)?;
                }
                Event::End(_) => {
                    self.depth -= 1;
                    self.blame(parent);
                    return Ok(None);
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if is_space(&text) => {}
                Event::Eof => return Err(self.unclosed(parent)),
                _ => {
                    return Err(Refusal::StrayText {
                        parent: quoted(parent.name),
                    });
                }
            }
        }
    }

    /// The text of `element`, which was opened last, without white space around it; goes behind
    /// its end. What is wrong then is wrong with `element`.
    pub(super) fn content(&mut self, element: &Element<'_>) -> Result<String, Refusal> {
        let mut content = String::new();
        loop {
            match self.next()? {
                Event::Text(text) => content.push_str(&text.xml10_content()),
                Event::CData(data) => content.push_str(&data.xml10_content()),
                Event::GeneralRef(reference) => content.push_str(&resolve(&reference)?),
                Event::Comment(_) | Event::PI(_) => {}
                Event::End(_) => {
                    self.depth -= 1;
                    break;
                }
                Event::Start(start) => {
                    let inner = self.open(&start)?;
                    return Err(Refusal::unknown(&inner, element, "text"));
                }
                Event::Eof => return Err(self.unclosed(element)),
                Event::Empty(_) | Event::Decl(_) | Event::DocType(_) => {
                    return Err(Refusal::StrayText {
                        parent: quoted(element.name),
                    });
                }
            }
        }
        self.blame(element);
        let content = content.trim();
        let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        if content.contains(control) {
            return Err(Refusal::Control {
                element: quoted(element.name),
            });
        }
        Ok(content.to_owned())
    }

    /// Goes behind the end of `element`, which was opened last.
    pub(super) fn skip(&mut self, element: &Element<'_>) -> Result<(), Refusal> {
        let outside = self.depth - 1;
        while self.depth > outside {
            match self.next()? {
                Event::Start(start) => {
                    self.open(&start)?;
                }
                Event::End(_) => self.depth -= 1,
                Event::GeneralRef(reference) => {
                    resolve(&reference)?;
                }
                Event::Eof => return Err(self.unclosed(element)),
                _ => {}
            }
        }
        self.blame(element);
        Ok(())
    }

    /// Makes sure that nothing follows the root element.
    pub(super) fn end(&mut self) -> Result<(), Refusal> {
        loop {
            match self.next()? {
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if is_space(&text) => {}
                _ => return Err(Refusal::AfterRoot),
            }
        }
    }

    fn next(&mut self) -> Result<Event<'a>, Refusal> {
        self.at = self.offset();
        match self.reader.read_event() {
            Ok(Event::DocType(_)) => Err(Refusal::DocumentType),
            Ok(event) => Ok(event),
            Err(error) => {
                self.at = usize::try_from(self.reader.error_position()).unwrap_or(self.at);
                Err(not_well_formed(&error))
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'a>) -> Result<Element<'a>, Refusal> {
        let from = self.at;
        if self.depth == MAX_DEPTH {
            return Err(Refusal::TooDeep);
        }
        self.depth += 1;
        let name = start.name();
        let mut element = Element {
            // Out of the document itself: the event gives it for as long as the event lives.
            name: self
                .text
                .get(from + 1..from + 1 + name.0.len())
                .unwrap_or_default(),
            id: None,
            object_type: None,
            start: self.skipped + from,
        };
        debug_assert_eq!(element.name, name.0);
        for (number, attribute) in start.attributes().enumerate() {
            if number == MAX_ATTRIBUTES {
                return Err(Refusal::TooManyAttributes);
            }
            let attribute = attribute.map_err(|error| not_well_formed(&error))?;
            let value = match attribute.key.0 {
                "ID" => &mut element.id,
                "ObjectType" => &mut element.object_type,
                _ => continue,
            };
            let text = attribute.normalized_value(XmlVersion::Implicit1_0);
            *value = Some(text.map_err(|error| not_well_formed(&error))?.into_owned());
        }
        Ok(element)
    }

    /// Makes the place of `element` the present one.
    fn blame(&mut self, element: &Element<'_>) {
        self.at = element.start - self.skipped;
    }

    fn unclosed(&mut self, element: &Element<'_>) -> Refusal {
        self.blame(element);
        Refusal::Unclosed {
            element: quoted(element.name),
        }
    }

    /// Never beyond the document, which fits into memory.
    fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(self.text.len())
    }
}

fn check_encoding(declaration: &quick_xml::events::BytesDecl<'_>) -> Result<(), Refusal> {
    let Some(encoding) = declaration.encoding() else {
        return Ok(());
    };
    let encoding = encoding.map_err(|error| not_well_formed(&error))?;
    if encoding.eq_ignore_ascii_case("utf-8") || encoding.eq_ignore_ascii_case("us-ascii") {
        return Ok(());
    }
    Err(Refusal::Encoding {
        encoding: quoted(&encoding),
    })
}

fn resolve(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Refusal> {
    let character = reference.resolve_char_ref();
    if let Some(character) = character.map_err(|error| not_well_formed(&error))? {
        return Ok(character.to_string().into());
    }
    let known = resolve_predefined_entity(reference);
    known.map(Cow::Borrowed).ok_or_else(|| Refusal::Entity {
        name: quoted(reference),
    })
}

fn is_space(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}

fn not_well_formed(problem: &impl ToString) -> Refusal {
    Refusal::NotWellFormed {
        problem: quoted(&problem.to_string()),
    }
}
