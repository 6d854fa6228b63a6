//! A command as a person types it: `Read {"id":"/3/0/9"}`, or short `Read /3/0/9`.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

/// The `params` in `text`, which is what follows the method: an object in JSON, or paths or a key
/// and, for what writes, the value. `None` when there is nothing.
pub(super) fn params(method: &str, text: &str) -> anyhow::Result<Option<Value>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with('{') {
        let params: Map<String, Value> = serde_json::from_str(text)
            .with_context(|| format!("the parameters are not a JSON object: {text}"))?;
        return Ok(Some(params.into()));
    }
    if text.starts_with(['[', '"']) {
        bail!("the parameters are {text}; accepted are {{\"id\":\"/3/0/9\"}}, /3/0/9 or a key");
    }
    if method.contains("Composite") {
        let ids: Vec<_> = text.split_whitespace().collect();
        let name = if ids.iter().all(|id| id.starts_with('/')) {
            "ids"
        } else {
            "keys"
        };
        return Ok(Some(json!({ name: ids })));
    }
    let (target, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let name = if target.starts_with('/') { "id" } else { "key" };
    let mut params = Map::from_iter([(name.to_owned(), target.into())]);
    let rest = rest.trim();
    if !rest.is_empty() {
        // What is no JSON is text: +02 or Europe/Berlin.
        let value = serde_json::from_str(rest).unwrap_or_else(|_| rest.into());
        params.insert("value".to_owned(), value);
    }
    Ok(Some(params.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_as_it_is_and_short_forms_become_json() {
        let cases = [
            ("Read", r#"{"id":"/3/0/9"}"#, json!({"id": "/3/0/9"})),
            ("Read", "/3/0/9", json!({"id": "/3/0/9"})),
            ("Read", "batteryLevel", json!({"key": "batteryLevel"})),
            (
                "WriteReplace",
                "/3/0/14 +02",
                json!({"id": "/3/0/14", "value": "+02"}),
            ),
            (
                "WriteReplace",
                "/1/0/1  600",
                json!({"id": "/1/0/1", "value": 600}),
            ),
            (
                "ReadComposite",
                "/3/0/9 /1/0/1",
                json!({"ids": ["/3/0/9", "/1/0/1"]}),
            ),
            ("ReadComposite", "a b", json!({"keys": ["a", "b"]})),
        ];
        for (method, text, expected) in cases {
            assert_eq!(params(method, text).unwrap(), Some(expected), "{text}");
        }
        assert_eq!(params("DiscoverAll", "  ").unwrap(), None);
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["{\"id\"", "[\"/3/0/9\"]", "\"/3/0/9\""] {
            assert!(params("Read", text).is_err(), "{text}");
        }
    }
}
