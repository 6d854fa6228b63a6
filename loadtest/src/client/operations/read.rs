//! Read and Read-Composite, and what an observation looks at.

use coap_lite::RequestType;

use super::{Abilities, carries};
use crate::client::formats::{self, decode_paths, encode, is_single_valued};
use crate::client::options::Version;
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::request::{Answer, Request};
use crate::client::tree::{Content, Record, Tree};
use crate::client::value::Value;

/// What is read: paths, and how they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub paths: Vec<Path>,
    pub composite: bool,
    /// The format of the answer, and of the notifications if it is an observation.
    pub format: u16,
}

impl Reading {
    /// What the names in the payload are relative to.
    #[must_use]
    pub fn base(&self) -> Path {
        match self.paths.as_slice() {
            [path] if !self.composite => *path,
            _ => Path::ROOT,
        }
    }

    /// The records as a payload.
    ///
    /// # Errors
    ///
    /// 4.06 when the format cannot carry them (any more).
    pub fn payload(&self, records: &[Record]) -> Result<Vec<u8>, Refusal> {
        encode(self.format, &self.base(), records)
            .map_err(|error| Refusal::not_acceptable(error.to_string()))
    }
}

/// Reads what a GET or FETCH asks for.
///
/// # Errors
///
/// The response in the negative case.
pub fn read(
    tree: &Tree,
    abilities: &Abilities,
    request: &Request,
) -> Result<(Reading, Answer), Refusal> {
    let composite = request.method == RequestType::Fetch;
    let paths = if composite {
        let format = abilities.content_format(request)?;
        decode_paths(format, &request.payload)?
    } else {
        vec![request.path()?]
    };
    let records = observed(tree, &paths, composite)?;
    let base = (!composite).then(|| paths[0]);
    let format = choose_format(abilities, request.accept, base, &records)?;
    let reading = Reading {
        paths,
        composite,
        format,
    };
    let answer = Answer::content(format, reading.payload(&records)?);
    Ok((reading, answer))
}

/// What there is at these paths. In a composite, what is missing or not readable is left out.
///
/// # Errors
///
/// 4.01, 4.04, 4.05 or 4.00 for a single path.
pub fn observed(tree: &Tree, paths: &[Path], composite: bool) -> Result<Vec<Record>, Refusal> {
    if composite {
        return Ok(paths.iter().flat_map(|path| readable(tree, path)).collect());
    }
    let mut records = Vec::new();
    for path in paths {
        records.extend(read_one(tree, path)?);
    }
    Ok(records)
}

fn readable(tree: &Tree, path: &Path) -> Vec<Record> {
    let mut records = tree.values_below(path);
    records.retain(|record| {
        tree.model_of(&record.path)
            .is_some_and(|model| model.readable)
    });
    records
}

fn read_one(tree: &Tree, path: &Path) -> Result<Vec<Record>, Refusal> {
    match path.depth() {
        0 => return Err(Refusal::not_allowed("the root cannot be read")),
        1 => drop(tree.object(path)?),
        2 => drop(tree.instance(path)?),
        _ => {
            let (content, model) = tree.resource(path)?;
            if !model.readable {
                return Err(Refusal::not_allowed(format!("{path} is not readable")));
            }
            match content {
                Content::Single(_) if path.depth() == 4 => {
                    return Err(Refusal::bad_request(format!(
                        "{path} is in a single resource"
                    )));
                }
                Content::Single(None) => {
                    return Err(Refusal::bad_request("value MUST NOT be null"));
                }
                Content::Multiple(values) if path.depth() == 3 && values.is_empty() => {
                    let (path, value, time) = (*path, None, None);
                    return Ok(vec![Record { path, value, time }]);
                }
                _ if path.depth() == 4 && tree.get(path).is_none() => {
                    return Err(Refusal::not_found(format!("{path} not found")));
                }
                _ => {}
            }
        }
    }
    Ok(readable(tree, path))
}

/// The format of an answer: the one asked for, or the usual one among those supported.
///
/// # Errors
///
/// 4.06 when the format asked for is not supported or cannot carry this.
fn choose_format(
    abilities: &Abilities,
    accept: Option<u16>,
    base: Option<Path>,
    records: &[Record],
) -> Result<u16, Refusal> {
    let single: Option<&Value> = match records {
        [
            Record {
                path,
                value: Some(value),
                ..
            },
        ] if base == Some(*path) => Some(value),
        _ => None,
    };
    let fits = |format: u16| match (single, base) {
        (Some(value), _) => carries(format, value),
        (None, Some(_)) => !is_single_valued(format),
        // A composite answer names whole paths, which TLV cannot.
        (None, None) => matches!(
            format,
            formats::SENML_JSON | formats::SENML_CBOR | formats::LWM2M_CBOR
        ),
    };
    let answerable = |format: u16| {
        abilities.supports(format)
            && fits(format)
            && !matches!(format, formats::SENML_ETCH_JSON | formats::SENML_ETCH_CBOR)
    };
    if let Some(format) = accept {
        return if answerable(format) {
            Ok(format)
        } else {
            Err(Refusal::not_acceptable(format!(
                "content format {format} is not available"
            )))
        };
    }
    let preferred: &[u16] = match (single, abilities.version) {
        (Some(Value::Opaque(_)), _) => &[formats::OPAQUE, formats::CBOR],
        (Some(_), _) => &[formats::TEXT, formats::CBOR],
        (None, Version::V1_0) => &[formats::TLV],
        (None, _) => &[],
    };
    let usual = [
        formats::SENML_CBOR,
        formats::TLV,
        formats::SENML_JSON,
        formats::JSON,
        formats::LWM2M_CBOR,
        formats::OLD_TLV,
        formats::OLD_JSON,
    ];
    let mut candidates = preferred.iter().chain(&usual);
    candidates
        .find(|&&format| answerable(format))
        .copied()
        .ok_or_else(|| Refusal::not_acceptable("there is no content format for this"))
}
