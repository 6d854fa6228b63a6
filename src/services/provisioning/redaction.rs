//! Credentials without their secrets.

use serde_json::Value;

/// `credentials` without the members that hold key material: `key`, `write` with its values by path,
/// and whatever is named after a secret, a password or a private key. They are left out rather than masked, so that a body
/// taken from an answer never stores a mask as a key.
#[must_use]
pub fn redacted_credentials(credentials: &Value) -> Value {
    match credentials {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(name, _)| !is_secret(name))
                .map(|(name, value)| (name.clone(), redacted_credentials(value)))
                .collect(),
        ),
        Value::Array(values) => Value::Array(values.iter().map(redacted_credentials).collect()),
        other => other.clone(),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "key"
        || name == "write"
        || ["secret", "password", "private"]
            .iter()
            .any(|part| name.contains(part))
}
