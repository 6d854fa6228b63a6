//! The parameters of a call.

use serde_json::{Map, Value as Json};

use super::RpcCall;
use super::content_format;
use super::java;
use super::method::Method;
use super::refusal::{Refusal, quoted};

/// Members of `params`; one that is `null` is as good as absent.
pub(super) struct Params {
    members: Map<String, Json>,
}

impl Params {
    /// Reads the parameters of a call of `method`.
    ///
    /// # Errors
    /// Parameters that are no object, or a member that the method does not have.
    pub(super) fn read(call: &RpcCall, method: Method) -> Result<Self, Refusal> {
        let members = match &call.params {
            None | Some(Json::Null) => Map::new(),
            Some(Json::Object(members)) => members.clone(),
            Some(Json::String(text)) if text.trim().is_empty() => Map::new(),
            Some(Json::String(text)) => match serde_json::from_str(text) {
                Ok(Json::Object(members)) => members,
                Ok(Json::Null) => Map::new(),
                Ok(other) => return Err(not_an_object(&other)),
                Err(error) => {
                    let problem = error.to_string();
                    return Err(Refusal::ParamsNotJson { problem });
                }
            },
            Some(other) => return Err(not_an_object(other)),
        };
        let accepted = method.members();
        match members
            .keys()
            .find(|name| !accepted.contains(&name.as_str()))
        {
            Some(name) => Err(Refusal::UnknownMember {
                member: quoted(name),
                method: method.name(),
                accepted: match accepted {
                    [] => "no parameters".into(),
                    accepted => accepted.join(", "),
                },
            }),
            None => Ok(Self { members }),
        }
    }

    /// The member of this name, unless it is `null`.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A member that is text; empty text is as good as none.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(other) => Err(member_type(name, other, "text")),
        }
    }

    /// A member that is a list of texts; an empty list is as good as none.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Refusal> {
        let items = match self.get(name) {
            None => return Ok(None),
            Some(Json::Array(items)) => items,
            Some(other) => return Err(member_type(name, other, "a list of texts")),
        };
        let texts: Result<Vec<_>, _> = items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                let name = || format!("{name}[{at}]");
                item.as_str()
                    .ok_or_else(|| member_type(&name(), item, "text"))
            })
            .collect();
        Ok(Some(texts?).filter(|texts| !texts.is_empty()))
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Result<Option<&Map<String, Json>>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Object(members)) => Ok(Some(members)),
            Some(other) => Err(member_type(name, other, "an object")),
        }
    }

    /// How many levels a Discover shall list.
    pub(super) fn depth(&self) -> Result<Option<u8>, Refusal> {
        let Some(json) = self.get("depth") else {
            return Ok(None);
        };
        let depth = json.as_u64().and_then(|depth| depth.try_into().ok());
        let depth = depth.ok_or_else(|| member_type("depth", json, "a number from 0 to 3"))?;
        Ok(Some(depth))
    }

    /// The content format the caller wants.
    pub(super) fn content_format(&self) -> Result<Option<u16>, Refusal> {
        self.get("contentFormat")
            .map(content_format::read)
            .transpose()
    }
}

fn member_type(member: &str, found: &Json, expected: &'static str) -> Refusal {
    Refusal::MemberType {
        member: member.into(),
        found: quoted(&java::json(found)),
        expected,
    }
}

fn not_an_object(found: &Json) -> Refusal {
    let found = match found {
        Json::Array(_) => "a list",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Null | Json::Object(_) => "nothing",
    };
    Refusal::ParamsNotAnObject { found }
}
