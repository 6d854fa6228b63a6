//! Object definitions as OMA publishes them: XML after the schemas `LWM2M.xsd` (1.0) and
//! `LWM2M-v1_1.xsd` (1.1), which definitions of LwM2M 1.2 use as well.
//!
//! Taken as they are: files with or without byte order mark, XML declaration, comments and CDATA;
//! elements in any order; `ObjectVersion` and `LWM2MVersion` absent or empty (then 1.0); no type;
//! elements of other namespaces (skipped). Refused: document type declarations, hence entities of
//! one's own, and whatever the schemas do not know: a misspelt `ObjectVersion` must not make a
//! definition of version 1.0.

mod error;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub use error::{DdfError, Refusal};
use xml::{Element, Xml};

use super::{ModelKey, ObjectModel, Operations, ResourceModel};
use crate::proto::lwm2m::{LwM2mVersion, Path, ResourceType, Version};

/// Largest document in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// Most Objects in one document.
pub const MAX_OBJECTS: usize = 1_000;

/// One `<Object>` of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Definition {
    /// What it defines.
    pub model: ObjectModel,
    /// The element, as a range of bytes of the document.
    pub source: Range<usize>,
}

/// Reads the definitions in a document, one at least.
///
/// Memory is bounded by the size of the document.
///
/// # Errors
/// The first thing wrong with the document, and its line.
pub fn read(document: &[u8]) -> Result<Vec<Definition>, DdfError> {
    let text = xml::text(document)?;
    let mut xml = Xml::new(text);
    read_document(&mut xml).map_err(|refusal| xml.error(refusal))
}

fn read_document(xml: &mut Xml<'_>) -> Result<Vec<Definition>, Refusal> {
    let root = xml.root()?;
    if root.name != "LWM2M" {
        return Err(Refusal::root(root.name));
    }
    let mut definitions: Vec<Definition> = Vec::new();
    let mut keys = BTreeSet::new();
    while let Some(element) = xml.child(&root)? {
        if element.name != "Object" {
            return Err(Refusal::unknown(&element, &root, "Object"));
        }
        let definition = read_object(xml, &element)?;
        let key = definition.model.key();
        if !keys.insert(key) {
            return Err(Refusal::ObjectTwice { key });
        }
        if definitions.len() == MAX_OBJECTS {
            return Err(Refusal::TooManyObjects);
        }
        definitions.push(definition);
    }
    if definitions.is_empty() {
        return Err(Refusal::missing("Object", &root));
    }
    xml.end()?;
    Ok(definitions)
}

fn read_object(xml: &mut Xml<'_>, object: &Element<'_>) -> Result<Definition, Refusal> {
    if let Some(kind) = &object.object_type
        && kind != "MODefinition"
    {
        return Err(Refusal::value("ObjectType", kind, "MODefinition"));
    }
    let mut name = Slot::new("Name");
    let mut description = Slot::new("Description1");
    let mut id = Slot::new("ObjectID");
    let mut urn = Slot::new("ObjectURN");
    let mut lwm2m_version = Slot::new("LWM2MVersion");
    let mut version = Slot::new("ObjectVersion");
    let mut multiple = Slot::new("MultipleInstances");
    let mut mandatory = Slot::new("Mandatory");
    let mut resources = Slot::new("Resources");
    let mut description2 = Slot::new("Description2");
    while let Some(element) = xml.child(object)? {
        match element.name {
            "Name" => name.fill(one_line(&xml.content(&element)?))?,
            "Description1" => description.fill(xml.content(&element)?)?,
            "ObjectID" => id.fill(parse_id("ObjectID", &xml.content(&element)?)?)?,
            "ObjectURN" => urn.fill(xml.content(&element)?)?,
            "LWM2MVersion" => lwm2m_version.fill(parse_lwm2m(&xml.content(&element)?)?)?,
            "ObjectVersion" => version.fill(parse_version(&xml.content(&element)?)?)?,
            "MultipleInstances" => multiple.fill(parse_multiple(&xml.content(&element)?)?)?,
            "Mandatory" => mandatory.fill(parse_mandatory(&xml.content(&element)?)?)?,
            "Resources" => resources.fill(read_resources(xml, &element)?)?,
            "Description2" => description2.fill(xml.skip(&element)?)?,
            _ => return Err(Refusal::unknown(&element, object, OBJECT_ELEMENTS)),
        }
    }
    Ok(Definition {
        model: ObjectModel {
            id: id.require(object)?,
            version: version.or(Version::V1_0),
            name: name.require_text(object)?,
            description: description.text(),
            multiple: multiple.require(object)?,
            mandatory: mandatory.require(object)?,
            lwm2m_version: lwm2m_version.or(LwM2mVersion::V1_0),
            urn: urn.text().unwrap_or_default(),
            resources: resources.require(object)?,
        },
        source: object.start..xml.position(),
    })
}

const OBJECT_ELEMENTS: &str = "Name, Description1, ObjectID, ObjectURN, LWM2MVersion, \
     ObjectVersion, MultipleInstances, Mandatory, Resources, Description2";

fn read_resources(
    xml: &mut Xml<'_>,
    parent: &Element<'_>,
) -> Result<Box<[ResourceModel]>, Refusal> {
    let mut resources = BTreeMap::new();
    while let Some(element) = xml.child(parent)? {
        if element.name != "Item" {
            return Err(Refusal::unknown(&element, parent, "Item"));
        }
        let resource = read_resource(xml, &element)?;
        let id = resource.id;
        if resources.insert(id, resource).is_some() {
            return Err(Refusal::ResourceTwice { id });
        }
    }
    if resources.is_empty() {
        return Err(Refusal::missing("Item", parent));
    }
    Ok(resources.into_values().collect())
}

fn read_resource(xml: &mut Xml<'_>, item: &Element<'_>) -> Result<ResourceModel, Refusal> {
    let id = item.id.as_deref().ok_or(Refusal::ItemWithoutId)?;
    let id = parse_id("Item ID", id)?;
    let mut name = Slot::new("Name");
    let mut operations = Slot::new("Operations");
    let mut multiple = Slot::new("MultipleInstances");
    let mut mandatory = Slot::new("Mandatory");
    let mut resource_type = Slot::new("Type");
    let mut range = Slot::new("RangeEnumeration");
    let mut units = Slot::new("Units");
    let mut description = Slot::new("Description");
    while let Some(element) = xml.child(item)? {
        match element.name {
            "Name" => name.fill(one_line(&xml.content(&element)?))?,
            "Operations" => operations.fill(parse_operations(&xml.content(&element)?)?)?,
            "MultipleInstances" => multiple.fill(parse_multiple(&xml.content(&element)?)?)?,
            "Mandatory" => mandatory.fill(parse_mandatory(&xml.content(&element)?)?)?,
            "Type" => resource_type.fill(parse_type(&xml.content(&element)?)?)?,
            "RangeEnumeration" => range.fill(xml.content(&element)?)?,
            "Units" => units.fill(xml.content(&element)?)?,
            "Description" => description.fill(xml.skip(&element)?)?,
            _ => return Err(Refusal::unknown(&element, item, ITEM_ELEMENTS)),
        }
    }
    Ok(ResourceModel {
        id,
        operations: operations.require(item)?,
        multiple: multiple.require(item)?,
        mandatory: mandatory.require(item)?,
        resource_type: resource_type.or(None),
        name: name.require_text(item)?,
        range: range.text(),
        units: units.text(),
    })
}

const ITEM_ELEMENTS: &str = "Name, Operations, MultipleInstances, Mandatory, Type, \
     RangeEnumeration, Units, Description";

/// What an element that may be there once contained.
struct Slot<T> {
    element: &'static str,
    content: Option<T>,
}

impl<T> Slot<T> {
    const fn new(element: &'static str) -> Self {
        Self {
            element,
            content: None,
        }
    }

    fn fill(&mut self, content: T) -> Result<(), Refusal> {
        match self.content.replace(content) {
            None => Ok(()),
            Some(_) => Err(Refusal::ElementTwice {
                element: self.element,
            }),
        }
    }

    fn or(self, default: T) -> T {
        self.content.unwrap_or(default)
    }

    fn require(self, parent: &Element<'_>) -> Result<T, Refusal> {
        self.content
            .ok_or_else(|| Refusal::missing(self.element, parent))
    }
}

impl Slot<String> {
    /// The text, unless it is empty.
    fn text(self) -> Option<Box<str>> {
        let text = self.content.filter(|text| !text.is_empty());
        text.map(String::into_boxed_str)
    }

    fn require_text(self, parent: &Element<'_>) -> Result<Box<str>, Refusal> {
        let element = self.element;
        self.text().ok_or_else(|| Refusal::missing(element, parent))
    }
}

/// Runs of white space become one space.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parse_id(element: &'static str, text: &str) -> Result<u16, Refusal> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = digits.then(|| text.parse().ok()).flatten();
    id.filter(|id| *id <= Path::MAX_ID)
        .ok_or_else(|| Refusal::value(element, text, "0 to 65534"))
}

fn parse_version(text: &str) -> Result<Version, Refusal> {
    if text.is_empty() {
        return Ok(Version::V1_0);
    }
    text.parse()
        .map_err(|_| Refusal::value("ObjectVersion", text, "major.minor, such as 1.2"))
}

fn parse_lwm2m(text: &str) -> Result<LwM2mVersion, Refusal> {
    if text.is_empty() {
        return Ok(LwM2mVersion::V1_0);
    }
    text.parse()
        .map_err(|_| Refusal::value("LWM2MVersion", text, "1.0, 1.1, 1.2"))
}

fn parse_multiple(text: &str) -> Result<bool, Refusal> {
    match text {
        "Multiple" => Ok(true),
        "Single" => Ok(false),
        _ => Err(Refusal::value(
            "MultipleInstances",
            text,
            "Multiple, Single",
        )),
    }
}

fn parse_mandatory(text: &str) -> Result<bool, Refusal> {
    match text {
        "Mandatory" => Ok(true),
        "Optional" => Ok(false),
        _ => Err(Refusal::value("Mandatory", text, "Mandatory, Optional")),
    }
}

fn parse_operations(text: &str) -> Result<Operations, Refusal> {
    const ALL: [Operations; 5] = [
        Operations::None,
        Operations::Read,
        Operations::Write,
        Operations::ReadWrite,
        Operations::Execute,
    ];
    let operations = ALL.into_iter().find(|known| known.as_str() == text);
    operations.ok_or_else(|| Refusal::value("Operations", text, "R, W, RW, E or nothing"))
}

fn parse_type(text: &str) -> Result<Option<ResourceType>, Refusal> {
    const ALL: [ResourceType; 9] = [
        ResourceType::String,
        ResourceType::Integer,
        ResourceType::UnsignedInteger,
        ResourceType::Float,
        ResourceType::Boolean,
        ResourceType::Opaque,
        ResourceType::Time,
        ResourceType::Objlnk,
        ResourceType::Corelnk,
    ];
    if text.is_empty() {
        return Ok(None);
    }
    let found = ALL.into_iter().find(|known| known.name() == text);
    found.map(Some).ok_or_else(|| {
        let accepted = "String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk, \
                        Corelnk or nothing";
        Refusal::value("Type", text, accepted)
    })
}

#[cfg(test)]
mod tests;
