//! Where a device list goes on: opaque to callers.

use data_encoding::BASE64URL_NOPAD;

use crate::services::engine::Cursor;

/// A place in the list: first what the engine holds, then what is only provisioned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Position {
    /// In the engine, from this slot on.
    Engine(Cursor),
    /// In the store, after this endpoint name; from the beginning when `None`.
    Store(Option<String>),
}

/// The text is not a cursor of a device list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the cursor is not one of this list; pass the `next` of the page before, unchanged")]
pub struct CursorError;

impl Position {
    pub(super) fn encode(&self) -> String {
        let text = match self {
            Self::Engine(cursor) => format!("e{}:{}", cursor.shard, cursor.slot),
            Self::Store(None) => "b".to_owned(),
            Self::Store(Some(endpoint)) => format!("s{endpoint}"),
        };
        BASE64URL_NOPAD.encode(text.as_bytes())
    }

    pub(super) fn decode(text: &str) -> Result<Self, CursorError> {
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| CursorError)?;
        let text = String::from_utf8(bytes).map_err(|_| CursorError)?;
        if text == "b" {
            return Ok(Self::Store(None));
        }
        if let Some(endpoint) = text.strip_prefix('s') {
            return Ok(Self::Store(Some(endpoint.to_owned())));
        }
        let (shard, slot) = text
            .strip_prefix('e')
            .and_then(|place| place.split_once(':'))
            .ok_or(CursorError)?;
        Ok(Self::Engine(Cursor {
            shard: shard.parse().map_err(|_| CursorError)?,
            slot: slot.parse().map_err(|_| CursorError)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_way_to_the_caller_and_back() {
        let positions = [
            Position::Engine(Cursor {
                shard: 3,
                slot: 70_000,
            }),
            Position::Store(None),
            Position::Store(Some("Zähler:1".to_owned())),
            Position::Store(Some("b".to_owned())),
        ];
        for position in positions {
            assert_eq!(Position::decode(&position.encode()), Ok(position));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "x", "!!", "ZTE", "ZTE6eA", "ZTk5OTk5OjE", "_w"] {
            assert_eq!(Position::decode(text), Err(CursorError), "{text}");
        }
    }
}
