//! LwM2M CBOR (11544, LwM2M 1.2): nested maps from ids to values.

use std::collections::BTreeMap;
use std::convert::Infallible;

use minicbor::data::Type;
use minicbor::encode::Error as EncodeError;
use minicbor::{Decoder, Encoder};

use super::senml::more;
use super::{FormatError, cbor};
use crate::client::path::Path;
use crate::client::tree::Record;
use crate::client::value::Value;

enum Node<'a> {
    Leaf(&'a Value),
    Map(BTreeMap<u16, Node<'a>>),
}

/// The path that was read becomes the first key, as an array when it has several ids; the rest are maps of indefinite
/// length.
pub fn encode(base: &Path, records: &[Record]) -> Vec<u8> {
    let mut below = Node::Map(BTreeMap::new());
    for record in records {
        let ids = record.path.ids();
        insert(
            &mut below,
            ids.get(base.depth()..).unwrap_or_default(),
            record,
        );
    }
    cbor::encoded(|e| {
        if base.depth() == 0 {
            return put(e, &below);
        }
        e.begin_map()?;
        match base.ids() {
            [id] => drop(e.u16(*id)?),
            ids => {
                e.array(ids.len() as u64)?;
                for id in ids {
                    e.u16(*id)?;
                }
            }
        }
        put(e, &below)?;
        e.end()?;
        Ok(())
    })
}

fn insert<'a>(node: &mut Node<'a>, ids: &[u16], record: &'a Record) {
    match (ids, node) {
        ([], node) => {
            if let Some(value) = &record.value {
                *node = Node::Leaf(value);
            }
        }
        ([id, rest @ ..], Node::Map(children)) => {
            let child = children
                .entry(*id)
                .or_insert_with(|| Node::Map(BTreeMap::new()));
            insert(child, rest, record);
        }
        _ => {}
    }
}

fn put(e: &mut Encoder<Vec<u8>>, node: &Node<'_>) -> Result<(), EncodeError<Infallible>> {
    match node {
        Node::Leaf(value) => cbor::put(e, value),
        Node::Map(children) => {
            e.begin_map()?;
            for (id, child) in children {
                e.u16(*id)?;
                put(e, child)?;
            }
            e.end()?;
            Ok(())
        }
    }
}

pub fn decode(payload: &[u8]) -> Result<Vec<Record>, FormatError> {
    let mut d = Decoder::new(payload);
    let mut records = Vec::new();
    take_map(&mut d, Path::ROOT, &mut records)?;
    if d.position() < payload.len() {
        return Err(FormatError::Malformed("more than one map".to_owned()));
    }
    Ok(records)
}

/// Each level has a key of at least one id, and a path has at most four: so deep is the recursion.
fn take_map(d: &mut Decoder<'_>, base: Path, records: &mut Vec<Record>) -> Result<(), FormatError> {
    let mut left = d.map()?;
    let mut empty = true;
    while more(d, &mut left)? {
        empty = false;
        let mut path = base;
        if matches!(d.datatype()?, Type::Array | Type::ArrayIndef) {
            let mut ids = d.array()?;
            while more(d, &mut ids)? {
                path = below(path, d.u16()?)?;
            }
        } else {
            path = below(path, d.u16()?)?;
        }
        if matches!(d.datatype()?, Type::Map | Type::MapIndef) && path != base {
            take_map(d, path, records)?;
        } else {
            let (value, time) = (cbor::take(d)?, None);
            records.push(Record { path, value, time });
        }
    }
    if empty && base.depth() == 3 {
        let (path, value, time) = (base, None, None);
        records.push(Record { path, value, time });
    }
    Ok(())
}

fn below(path: Path, id: u16) -> Result<Path, FormatError> {
    if path.depth() == 4 || id == u16::MAX {
        return Err(FormatError::Malformed(format!(
            "{path} has no {id} below it"
        )));
    }
    Ok(path.child(id))
}
