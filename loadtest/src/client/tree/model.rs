//! What an object may have: its resources, their types and operations.

use std::collections::BTreeMap;

use crate::client::value::Type;

/// An object's model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectModel {
    pub id: u16,
    pub name: String,
    /// Such as `1.1`.
    pub version: String,
    /// Whether there may be several instances.
    pub multiple: bool,
    /// By id.
    pub resources: BTreeMap<u16, ResourceModel>,
}

/// A resource's model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResourceModel {
    pub id: u16,
    pub name: String,
    pub value: Type,
    /// Whether there may be several resource instances.
    pub multiple: bool,
    pub mandatory: bool,
    pub readable: bool,
    pub writable: bool,
    pub executable: bool,
}
