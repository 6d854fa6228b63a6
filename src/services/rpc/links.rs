//! Links: of a registration, and of the answer to a Discover.

use serde_json::{Map, Value as Json, json};

use crate::proto::lwm2m::Path;
use crate::proto::lwm2m::link::{Attribute, Link, Links, ObjectLinks};

use super::RpcResponse;
use super::call::Answered;

/// The answer to DiscoverAll: what the device announced, by path. As text it is a list of links in
/// JSON; as JSON see [`described`].
pub(super) fn of_registration(links: &ObjectLinks) -> Answered {
    let root = links.alternate_path();
    let mut list: Vec<_> = Links::new(links.raw()).filter_map(Result::ok).collect();
    list.sort_by_cached_key(|link| {
        let path = path(link, root);
        // What is no path comes last, in the order received.
        (path.is_none(), path)
    });
    let texts: Vec<Json> = list.iter().map(|link| link.text.into()).collect();
    Answered {
        text: RpcResponse::content(Json::Array(texts).to_string().into()),
        json: RpcResponse::content(described(list, root)),
    }
}

/// The answer to a Discover as text: the links as the device wrote them, without white space and
/// empty elements between them.
pub(super) fn as_text(answer: &str) -> String {
    let links: Result<Vec<_>, _> = Links::new(answer)
        .map(|link| link.map(|l| l.text))
        .collect();
    links.map_or_else(|_| answer.into(), |links| links.join(","))
}

/// The answer to a Discover as JSON; see [`described`].
pub(super) fn as_json(answer: &str, links: &ObjectLinks) -> Json {
    let answer = Links::new(answer).filter_map(Result::ok);
    described(answer, links.alternate_path())
}

/// Links as JSON: `[{"path":"/3/0/7","attributes":{"dim":3,"pmin":10,"ver":"1.2"}}]`.
///
/// Attributes that are numbers by definition are numbers, all others text, `null` those without
/// value. The path of a device whose objects live elsewhere is without the alternate path; what is
/// no link is left out.
fn described<'a>(links: impl IntoIterator<Item = Link<'a>>, root: Option<&str>) -> Json {
    let links = links.into_iter().filter_map(|link| {
        let target = link.target?;
        let path = path(&link, root).map_or_else(|| target.to_owned(), |path| path.to_string());
        let attributes: Map<_, _> = link
            .attributes()
            .map(|attribute| (attribute.name.to_owned(), value(&attribute)))
            .collect();
        Some(json!({"path": path, "attributes": attributes}))
    });
    Json::Array(links.collect())
}

fn value(attribute: &Attribute<'_>) -> Json {
    let Some(text) = attribute.value else {
        return Json::Null;
    };
    let number = NUMBERS.contains(&attribute.name).then(|| {
        let integer = text.parse::<u64>().map(Json::from);
        integer
            .or_else(|_| text.parse::<f64>().map(Json::from))
            .ok()
    });
    match number.flatten() {
        Some(number) if !number.is_null() => number,
        _ => text.into(),
    }
}

/// Attributes whose values are numbers (LwM2M Core §5.1.2).
const NUMBERS: [&str; 12] = [
    "dim", "ssid", "pmin", "pmax", "gt", "lt", "st", "epmin", "epmax", "edge", "con", "hqmax",
];

/// The path a link names below `root`.
fn path(link: &Link<'_>, root: Option<&str>) -> Option<Path> {
    let target = link.target?.trim_matches('/');
    let root = root.unwrap_or_default().trim_matches('/');
    let below = target.strip_prefix(root)?;
    match below.strip_prefix('/') {
        Some(below) => format!("/{below}").parse().ok(),
        None if below.is_empty() => Some(Path::ROOT),
        None if root.is_empty() => format!("/{below}").parse().ok(),
        None => None,
    }
}
