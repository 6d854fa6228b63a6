//! Names of content formats, as Leshan and ThingsBoard have them.

use serde_json::Value as Json;

use crate::proto::coap::content_format as number;
use crate::proto::lwm2m::codec::DataFormat;

use super::java;
use super::refusal::{Refusal, quoted};

/// The number of a content format given by name, in any case, or by number.
///
/// # Errors
/// What is no content format for values.
pub(super) fn read(json: &Json) -> Result<u16, Refusal> {
    let found = match json {
        Json::String(text) => named(text).or_else(|| text.parse().ok()),
        json => json.as_u64().and_then(|number| number.try_into().ok()),
    };
    let known = found.filter(|number| DataFormat::from_number(*number).is_some());
    known.ok_or_else(|| Refusal::UnknownFormat {
        found: quoted(&java::json(json)),
        accepted: NAMES.map(|(name, _)| name).join(", "),
    })
}

fn named(text: &str) -> Option<u16> {
    let known = NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
    known.map(|(_, number)| *number)
}

const NAMES: [(&str, u16); 12] = [
    ("TEXT", number::TEXT),
    ("OPAQUE", number::OPAQUE),
    ("CBOR", number::CBOR),
    ("SENML_JSON", number::SENML_JSON),
    ("SENML_CBOR", number::SENML_CBOR),
    ("SENML_ETCH_JSON", number::SENML_ETCH_JSON),
    ("SENML_ETCH_CBOR", number::SENML_ETCH_CBOR),
    ("TLV", number::TLV),
    ("JSON", number::JSON),
    ("LWM2M_CBOR", number::LWM2M_CBOR),
    ("OLD_TLV", number::OLD_TLV),
    ("OLD_JSON", number::OLD_JSON),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_format_has_a_name_and_a_number() {
        for (name, number) in NAMES {
            assert_eq!(read(&json!(name)), Ok(number));
            assert_eq!(read(&json!(number)), Ok(number));
            assert_eq!(read(&json!(number.to_string())), Ok(number));
        }
        assert_eq!(read(&json!("senml_cbor")), Ok(112));
    }

    #[test]
    fn what_is_no_format_for_values_is_refused() {
        for value in [json!("XML"), json!(40), json!(-1), json!(70_000), json!([])] {
            let error = read(&value).expect_err("no format").to_string();
            assert!(error.contains("expected TEXT, OPAQUE, "), "{error}");
        }
    }
}
