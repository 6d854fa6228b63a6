//! Object models out of OMA DDF XML.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;
use thiserror::Error;

use super::model::{ObjectModel, ResourceModel};
use crate::client::value::Type;

/// Why a file is no object model.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error("not XML: {0}")]
    Xml(#[from] quick_xml::Error),
    #[error("no <Object> in it")]
    NoObject,
    #[error("object {object}: <{element}> is `{text}`, which is not {accepted}")]
    Element {
        object: String,
        element: &'static str,
        text: String,
        accepted: &'static str,
    },
}

/// The texts of an element's children; of `Item` elements also the attribute `ID`.
type Fields = BTreeMap<String, String>;

/// The object models of a DDF file, mostly one.
///
/// # Errors
///
/// When the text is not XML, or an object lacks an id, or a resource has an unknown type.
pub fn object_models(text: &str) -> Result<Vec<ObjectModel>, ModelError> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut models, mut stack) = (Vec::new(), Vec::<String>::new());
    let (mut object, mut items, mut item) = (Fields::new(), Vec::new(), Fields::new());
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                match name.as_str() {
                    "Object" => (object, items) = (Fields::new(), Vec::new()),
                    "Item" => {
                        let id = start
                            .attributes()
                            .flatten()
                            .find(|a| a.key.as_ref() == "ID");
                        let id = id.map(|a| a.value.into_owned());
                        item = Fields::from([("ID".to_owned(), id.unwrap_or_default())]);
                    }
                    _ => {}
                }
                stack.push(name);
            }
            Event::Text(content) => {
                let content = content.trim().to_owned();
                if let [.., parent, name] = stack.as_slice() {
                    let fields = match parent.as_str() {
                        "Object" => &mut object,
                        "Item" => &mut item,
                        _ => continue,
                    };
                    fields.entry(name.clone()).or_default().push_str(&content);
                }
            }
            Event::End(_) => match stack.pop().as_deref() {
                Some("Item") => items.push(std::mem::take(&mut item)),
                Some("Object") => models.push(model(&object, &items)?),
                _ => {}
            },
            Event::Eof if models.is_empty() => return Err(ModelError::NoObject),
            Event::Eof => return Ok(models),
            _ => {}
        }
    }
}

fn model(object: &Fields, items: &[Fields]) -> Result<ObjectModel, ModelError> {
    let named = text(object, "ObjectID");
    let resources = items.iter().map(|item| {
        let resource = resource(item, named)?;
        Ok((resource.id, resource))
    });
    let version = text(object, "ObjectVersion");
    Ok(ObjectModel {
        id: number(object, "ObjectID", named)?,
        name: text(object, "Name").to_owned(),
        version: if version.is_empty() { "1.0" } else { version }.to_owned(),
        multiple: text(object, "MultipleInstances") == "Multiple",
        resources: resources.collect::<Result<_, ModelError>>()?,
    })
}

fn resource(item: &Fields, object: &str) -> Result<ResourceModel, ModelError> {
    let operations = text(item, "Operations");
    let executable = operations.contains('E');
    let type_name = text(item, "Type");
    let value = Type::named(type_name).ok_or_else(|| ModelError::Element {
        object: object.to_owned(),
        element: "Type",
        text: type_name.to_owned(),
        accepted: "a data type of LwM2M",
    })?;
    Ok(ResourceModel {
        id: number(item, "ID", object)?,
        name: text(item, "Name").to_owned(),
        value: if executable { Type::None } else { value },
        multiple: text(item, "MultipleInstances") == "Multiple",
        mandatory: text(item, "Mandatory") == "Mandatory",
        readable: operations.contains('R'),
        writable: operations.contains('W'),
        executable,
    })
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

fn number(fields: &Fields, element: &'static str, object: &str) -> Result<u16, ModelError> {
    let text = text(fields, element);
    let number = text.parse().ok().filter(|&id: &u16| id != u16::MAX);
    number.ok_or_else(|| ModelError::Element {
        object: object.to_owned(),
        element,
        text: text.to_owned(),
        accepted: "a number from 0 to 65534",
    })
}
