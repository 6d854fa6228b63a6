//! What is wrong with a document.

use super::xml::Element;
use super::{MAX_BYTES, MAX_OBJECTS, ModelKey};

/// Longest quotation from a document, in characters.
const MAX_QUOTED: usize = 100;

/// A document is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {refusal}")]
pub struct DdfError {
    /// Line of the document, from 1.
    pub line: usize,
    /// Why.
    pub refusal: Refusal,
}

/// Why a document is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than are accepted.
    #[error("the document has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The XML declaration names another encoding.
    #[error("the encoding is \"{encoding}\"; accepted: UTF-8")]
    Encoding {
        /// As declared.
        encoding: Box<str>,
    },
    /// Not well-formed.
    #[error("not well-formed XML: {problem}")]
    NotWellFormed {
        /// What the parser says.
        problem: Box<str>,
    },
    /// A document type declaration.
    #[error("a document type declaration (<!DOCTYPE) is not accepted")]
    DocumentType,
    /// A reference to an entity that XML does not define.
    #[error(
        "the entity &{name}; is not known; accepted: &amp; &lt; &gt; &quot; &apos; and numbers"
    )]
    Entity {
        /// Name of the entity.
        name: Box<str>,
    },
    /// Elements within elements within elements.
    #[error("elements are nested more than {} deep", super::xml::MAX_DEPTH)]
    TooDeep,
    /// More attributes than are accepted.
    #[error("an element has more than {} attributes", super::xml::MAX_ATTRIBUTES)]
    TooManyAttributes,
    /// The document ends within an element.
    #[error("<{element}> is not closed")]
    Unclosed {
        /// Name of the element.
        element: Box<str>,
    },
    /// Not a document with object definitions.
    #[error("the document is no object definition: it begins with {found}, expected <LWM2M>")]
    Root {
        /// The root element, or nothing.
        found: Box<str>,
    },
    /// Something after the root element.
    #[error("there is something after </LWM2M>")]
    AfterRoot,
    /// More Objects than are accepted.
    #[error("there are more than {MAX_OBJECTS} Objects")]
    TooManyObjects,
    /// An element that does not belong there.
    #[error("<{element}> does not belong in <{parent}>; accepted: {accepted}")]
    UnknownElement {
        /// Name of the element.
        element: Box<str>,
        /// Where it is.
        parent: Box<str>,
        /// What may be there.
        accepted: &'static str,
    },
    /// Text between elements.
    #[error("there is text between the elements of <{parent}>")]
    StrayText {
        /// Where it is.
        parent: Box<str>,
    },
    /// An element that may be there once is there again.
    #[error("<{element}> is there twice")]
    ElementTwice {
        /// Name of the element.
        element: &'static str,
    },
    /// An element that must be there is absent or empty.
    #[error("<{element}> is missing in <{parent}>, or empty")]
    Missing {
        /// Name of the element.
        element: &'static str,
        /// Where it should be.
        parent: Box<str>,
    },
    /// A value that is not accepted.
    #[error("{name} is \"{found}\"; accepted: {accepted}")]
    Value {
        /// The element or attribute.
        name: &'static str,
        /// Its value.
        found: Box<str>,
        /// What it may be.
        accepted: &'static str,
    },
    /// A control character in a text.
    #[error("there is a control character in <{element}>")]
    Control {
        /// Name of the element.
        element: Box<str>,
    },
    /// An `<Item>` without its id.
    #[error("<Item> has no ID")]
    ItemWithoutId,
    /// A Resource is defined again.
    #[error("Resource {id} is defined twice")]
    ResourceTwice {
        /// Id of the Resource.
        id: u16,
    },
    /// A version of an Object is defined again.
    #[error("Object {key} is defined twice")]
    ObjectTwice {
        /// Id and version.
        key: ModelKey,
    },
}

impl Refusal {
    /// Stable name of the reason.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::Encoding { .. } => "encoding",
            Self::NotWellFormed { .. } => "not_well_formed",
            Self::DocumentType => "document_type",
            Self::Entity { .. } => "entity",
            Self::TooDeep => "too_deep",
            Self::TooManyAttributes => "too_many_attributes",
            Self::Unclosed { .. } => "unclosed",
            Self::Root { .. } => "root",
            Self::AfterRoot => "after_root",
            Self::TooManyObjects => "too_many_objects",
            Self::UnknownElement { .. } => "unknown_element",
            Self::StrayText { .. } => "stray_text",
            Self::ElementTwice { .. } => "element_twice",
            Self::Missing { .. } => "missing",
            Self::Value { .. } => "value",
            Self::Control { .. } => "control",
            Self::ItemWithoutId => "item_without_id",
            Self::ResourceTwice { .. } => "resource_twice",
            Self::ObjectTwice { .. } => "object_twice",
        }
    }

    pub(super) fn root(element: &str) -> Self {
        Self::Root {
            found: format!("<{}>", quoted(element)).into(),
        }
    }

    pub(super) fn unknown(
        element: &Element<'_>,
        parent: &Element<'_>,
        accepted: &'static str,
    ) -> Self {
        Self::UnknownElement {
            element: quoted(element.name),
            parent: quoted(parent.name),
            accepted,
        }
    }

    pub(super) fn missing(element: &'static str, parent: &Element<'_>) -> Self {
        Self::Missing {
            element,
            parent: quoted(parent.name),
        }
    }

    pub(super) fn value(name: &'static str, found: &str, accepted: &'static str) -> Self {
        Self::Value {
            name,
            found: quoted(found),
            accepted,
        }
    }
}

/// The beginning of a text from the document, fit for one line.
pub(super) fn quoted(text: &str) -> Box<str> {
    let mut characters = text.chars();
    let mut quoted: String = characters
        .by_ref()
        .take(MAX_QUOTED)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if characters.next().is_some() {
        quoted.push('…');
    }
    quoted.into()
}
