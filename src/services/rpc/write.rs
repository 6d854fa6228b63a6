//! The calls that carry values: WriteReplace, WriteUpdate, WriteComposite, Create, Execute.

use serde_json::{Map, Value as Json};

use crate::proto::lwm2m::Path;
use crate::proto::lwm2m::operation::{ExecuteArguments, InstanceIds, Operation, WriteMode};

use super::device::{Device, is_trigger};
use super::id::VersionedId;
use super::java;
use super::params::Params;
use super::records::{Records, Scalar, child};
use super::refusal::{Refusal, quoted};

/// WriteReplace: a Resource or Resource Instance gets the given value and no others.
pub(super) fn replace(device: Device<'_>, params: &Params) -> Result<Operation, Refusal> {
    let id = device.target(params)?;
    let mut records = Records::new(device);
    if !id.path.holds_value() {
        return Err(Refusal::ReplaceTarget { id });
    }
    let value = params.get("value").ok_or(Refusal::NullValue)?;
    if id.path.len() == 3 {
        records.resource(id, value, Scalar::IsInstanceZero)?;
    } else {
        device.resource_model(&id)?;
        records.resource_instance(id.path, value)?;
    }
    Ok(Operation::Write {
        path: id.path,
        mode: WriteMode::Replace,
        records: records.into_sorted(),
    })
}

/// WriteUpdate: some Resources of an instance, or some instances of a Resource.
pub(super) fn update(device: Device<'_>, params: &Params) -> Result<Operation, Refusal> {
    let id = device.target(params)?;
    let path = id.path;
    if !matches!(path.len(), 2 | 3) {
        return Err(Refusal::UpdateTarget { id });
    }
    let is_single = device
        .resource_model(&id)
        .map_err(|unknown| update_refusal(id, &unknown))?
        .is_some_and(|model| path.len() == 3 && !model.multiple);
    if is_single {
        let detail = String::new();
        return Err(Refusal::Update { id, detail });
    }
    let value = params.get("value").ok_or(Refusal::NullValue)?;
    let mut records = Records::new(device);
    let added = match value {
        Json::Object(values) if values.is_empty() => return Err(Refusal::NotAMap),
        Json::Object(values) if path.len() == 2 => records.instance(id, values),
        _ if path.len() == 2 => return Err(Refusal::NotAMap),
        _ => records.resource(id, value, Scalar::IsRefused),
    };
    added.map_err(|refusal| match refusal {
        Refusal::UnknownResource { .. } | Refusal::NotInstances { .. } => {
            update_refusal(id, &refusal)
        }
        other => other,
    })?;
    Ok(Operation::Write {
        path,
        mode: WriteMode::Update,
        records: records.into_sorted(),
    })
}

/// ThingsBoard puts the same words in front of some refusals.
fn update_refusal(id: VersionedId, refusal: &Refusal) -> Refusal {
    let detail = format!(" {refusal}");
    Refusal::Update { id, detail }
}

/// WriteComposite: values by path or key.
///
/// `null` for a Resource Instance removes it, in content formats that can say so (LwM2M 1.2).
pub(super) fn composite(device: Device<'_>, params: &Params) -> Result<Operation, Refusal> {
    let nodes = match params.get("nodes") {
        Some(Json::Object(nodes)) if !nodes.is_empty() => nodes,
        other => return Err(invalid_nodes(other.unwrap_or(&Json::Null))),
    };
    let mut records = Records::new(device);
    for (name, value) in nodes {
        let id = node_id(device, name)?;
        match (id.path.len(), value) {
            (2, Json::Object(resources)) if !resources.is_empty() => {
                records.instance(id, resources)?;
            }
            (3, Json::Object(instances)) if instances.is_empty() => {
                return Err(invalid_nodes(&Json::Object(nodes.clone())));
            }
            (3, value) => records.resource(id, value, Scalar::IsRefused)?,
            (4, Json::Null) => records.without_value(id.path),
            (4, value) => {
                device.resource_model(&id)?;
                records.resource_instance(id.path, value)?;
            }
            _ => return Err(invalid_nodes(&Json::Object(nodes.clone()))),
        }
    }
    let records = records.into_sorted();
    Ok(Operation::WriteComposite { records })
}

/// Names that begin with a slash are ids, all others keys.
fn node_id(device: Device<'_>, name: &str) -> Result<VersionedId, Refusal> {
    let id = if name.starts_with('/') {
        VersionedId::parse(name)?
    } else {
        device.key(name).or_else(|unknown| {
            let id = VersionedId::parse(name);
            id.map_err(|_| unknown)
        })?
    };
    device.checked(id)
}

fn invalid_nodes(nodes: &Json) -> Refusal {
    let nodes = quoted(&java::json(nodes));
    Refusal::InvalidNodes { nodes }
}

/// Create: one instance, with or without an id, or several with ids.
pub(super) fn create(device: Device<'_>, params: &Params) -> Result<Operation, Refusal> {
    let id = device.target(params)?;
    let object = id.path.object_id().ok_or(Refusal::NoObject)?;
    if device
        .object_model(&id.path)
        .is_some_and(|model| !model.multiple)
    {
        return Err(Refusal::SingleInstanceObject { id });
    }
    let several = params.object("nodes")?;
    let one = params.object("value")?;
    let mut records = Records::new(device);
    let ids = match (id.path.len(), several, one) {
        (1, Some(nodes), None) => {
            for (key, value) in nodes {
                let path = child(&id.path, key)?;
                let Json::Object(resources) = value else {
                    let found = quoted(&java::json(value));
                    return Err(Refusal::NotAnInstance { path, found });
                };
                new_instance(&mut records, id.with_path(path), Some(resources))?;
            }
            InstanceIds::Stated
        }
        (1, None, values) => {
            let placeholder = Path::instance(object, 0);
            if let Some(resources) = values {
                records.instance(id.with_path(placeholder), resources)?;
            }
            InstanceIds::ChosenByDevice
        }
        (2, None, values) => {
            new_instance(&mut records, id, values)?;
            InstanceIds::Stated
        }
        (1 | 2, Some(_), _) => return Err(Refusal::ValueAndNodes { id }),
        _ => return Err(Refusal::CreateTarget { id }),
    };
    Ok(Operation::Create {
        object,
        ids,
        records: records.into_sorted(),
    })
}

fn new_instance(
    records: &mut Records<'_>,
    id: VersionedId,
    resources: Option<&Map<String, Json>>,
) -> Result<(), Refusal> {
    match resources {
        Some(resources) if !resources.is_empty() => records.instance(id, resources),
        _ => {
            records.without_value(id.path);
            Ok(())
        }
    }
}

/// Execute, with arguments or without.
///
/// What has no definition is executed: the device knows whether it can be.
pub(super) fn execute(device: Device<'_>, params: &Params) -> Result<Operation, Refusal> {
    let id = device.target(params)?;
    let path = id.path;
    if path.len() != 3 {
        return Err(Refusal::NotExecutable { id });
    }
    if !is_trigger(&path) {
        let model = device.resource_model(&id).map_err(|_| {
            let version = device.links().version_or_default(path.segments()[0]);
            Refusal::NoResourceModel {
                id,
                object: path.segments()[0],
                version,
            }
        })?;
        if model.is_some_and(|model| !model.operations.can_execute()) {
            return Err(Refusal::NotExecutable { id });
        }
    }
    let arguments = match params.get("value") {
        None => ExecuteArguments::NONE,
        Some(value @ (Json::Object(_) | Json::Array(_))) => {
            let class = java::class(value);
            return Err(Refusal::ArgumentType { class });
        }
        Some(value) => java::json(value).parse()?,
    };
    Ok(Operation::Execute { path, arguments })
}
