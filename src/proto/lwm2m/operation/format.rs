//! Which content format a request uses (LwM2M Core §7.4, "Data Formats").
//!
//! An override of the caller goes first, then what the device announced, then what its version
//! makes every device understand:
//!
//! - What a device of 1.0 announces comes on top of text, Opaque and TLV, which it has anyway
//!   (LwM2M Core 1.0 §6.4): those are used. From 1.1 on, the list is complete.
//! - A Read or Observe of a Resource or Resource Instance has no Accept: the device answers in the
//!   format it does best, all of which are read here, and nobody needs to know whether the Resource
//!   has instances, for which text would be 4.06 (RFC 7252 §5.10.4; seen with Anjay and Wakaama).
//!   Only a device that announces formats without TLV is asked for one of them that takes instances.
//! - For an object or Object Instance, SenML CBOR goes before TLV: it carries times and types.
//!   Devices of 1.1 and later that announce nothing answer in their own format, and are written to
//!   in TLV, which all that were tried understand.
//! - A device that announces nothing the values fit in is written to in a format of 1.0 all the
//!   same, and answers 4.15 if it cannot read it.
//! - Composite operations have SenML, CBOR before JSON, or LwM2M CBOR from 1.2 on. A device that
//!   announces none of these is not asked.

use super::{InstanceIds, Operation, OperationError, RequestContext, WriteMode};
use crate::proto::coap::content_format::{
    CBOR, JSON, LWM2M_CBOR, OLD_JSON, OLD_TLV, OPAQUE, SENML_CBOR, SENML_ETCH_CBOR,
    SENML_ETCH_JSON, SENML_JSON, TEXT, TLV,
};
use crate::proto::lwm2m::codec::DataFormat;
use crate::proto::lwm2m::{LwM2mVersion, Path, Record, Value};

/// Formats for several values, best first.
const SEVERAL: [u16; 7] = [
    SENML_CBOR, LWM2M_CBOR, TLV, OLD_TLV, SENML_JSON, JSON, OLD_JSON,
];

/// Formats for several values with gaps: a multiple Resource without instances, an instance
/// without Resources.
const WITH_GAPS: [u16; 3] = [TLV, OLD_TLV, LWM2M_CBOR];

/// Formats for a value that is bytes, best first.
const BYTES: [u16; 10] = [
    OPAQUE, CBOR, SENML_CBOR, LWM2M_CBOR, TLV, OLD_TLV, SENML_JSON, JSON, OLD_JSON, TEXT,
];

/// Formats for any other single value, best first.
const SINGLE: [u16; 9] = [
    TEXT, CBOR, SENML_CBOR, LWM2M_CBOR, TLV, OLD_TLV, SENML_JSON, JSON, OLD_JSON,
];

/// Formats for a single number that is not finite, best first.
const NOT_FINITE: [u16; 5] = [CBOR, SENML_CBOR, LWM2M_CBOR, TLV, OLD_TLV];

/// Formats of composite operations, best first.
const COMPOSITE: [u16; 3] = [SENML_CBOR, SENML_JSON, LWM2M_CBOR];
const COMPOSITE_NAMES: &str = "110, 112 or, from LwM2M 1.2 on, 11544";

/// The Accept of a Read or Observe of `path`.
pub(super) fn accept(
    operation: &Operation,
    path: &Path,
    context: &RequestContext<'_>,
) -> Result<Option<u16>, OperationError> {
    if let Some(format) = context.content_format {
        return match DataFormat::from_number(format) {
            Some(data_format) if data_format.is_etch() => {
                Err(OperationError::unusable(operation, format, ANSWERS))
            }
            Some(data_format) if data_format.is_single_value() && !path.holds_value() => Err(
                OperationError::unusable(operation, format, ANSWERS_OF_SEVERAL),
            ),
            Some(_) => Ok(Some(format)),
            None => Err(OperationError::unusable(operation, format, ANSWERS)),
        };
    }
    if path.holds_value() {
        let tlv = |format: &u16| matches!(*format, TLV | OLD_TLV);
        let announced = context.content_formats;
        let falls_back = context.version == LwM2mVersion::V1_0
            || announced.is_empty()
            || announced.iter().any(tlv);
        // A device may fall back on TLV though it does not know it (seen with Leshan).
        return Ok(first_announced(&SEVERAL, context).filter(|_| !falls_back));
    }
    if context.version == LwM2mVersion::V1_0 {
        return Ok(Some(tlv(context)));
    }
    Ok(first_announced(&SEVERAL, context))
}

const ANSWERS: &str = "0, 42, 60, 110, 112, 11542, 11543 or 11544";
const ANSWERS_OF_SEVERAL: &str = "110, 112, 11542, 11543 or 11544 for several values";

/// The Content-Format of a Write of `records` to `path`.
pub(super) fn write(
    operation: &Operation,
    path: &Path,
    mode: WriteMode,
    records: &[Record],
    context: &RequestContext<'_>,
) -> Result<u16, OperationError> {
    // A POST of text to a Resource would be an Execute.
    let single = match (mode, records) {
        (WriteMode::Replace, [record]) if record.path == *path => record.value.as_ref(),
        _ => None,
    };
    let gap = records.iter().find(|record| record.value.is_none());
    if let Some(format) = context.content_format {
        let data_format = DataFormat::from_number(format);
        let usable = data_format.is_some_and(|data_format| {
            !data_format.is_etch() && (mode == WriteMode::Replace || !data_format.is_single_value())
        });
        if !usable {
            let accepted = match mode {
                WriteMode::Replace => ANSWERS,
                WriteMode::Update => ANSWERS_OF_SEVERAL,
            };
            return Err(OperationError::unusable(operation, format, accepted));
        }
        return check_gap(operation, gap, format, &WITH_GAPS);
    }
    if gap.is_some() {
        return Ok(first_known(&WITH_GAPS, context).unwrap_or(TLV));
    }
    Ok(match single {
        Some(Value::Opaque(_)) => first_known(&BYTES, context).unwrap_or(OPAQUE),
        Some(Value::Float(number)) if !number.is_finite() => {
            first_known(&NOT_FINITE, context).unwrap_or(TLV)
        }
        Some(_) => first_known(&SINGLE, context).unwrap_or(TEXT),
        None => first_known(&SEVERAL, context).unwrap_or(TLV),
    })
}

/// The Content-Format of a Create.
pub(super) fn create(
    operation: &Operation,
    ids: InstanceIds,
    records: &[Record],
    context: &RequestContext<'_>,
) -> Result<u16, OperationError> {
    let gap = records.iter().find(|record| record.value.is_none());
    match (context.content_format, ids) {
        (Some(format), InstanceIds::ChosenByDevice) => match format {
            TLV | OLD_TLV => Ok(format),
            _ => Err(OperationError::CreateWithoutId { format }),
        },
        // Of all formats only TLV can leave the instance id out.
        (None, InstanceIds::ChosenByDevice) => Ok(tlv(context)),
        (Some(format), InstanceIds::Stated) if SEVERAL.contains(&format) => {
            check_gap(operation, gap, format, &WITH_GAPS)
        }
        (Some(format), InstanceIds::Stated) => Err(OperationError::unusable(
            operation,
            format,
            ANSWERS_OF_SEVERAL,
        )),
        (None, InstanceIds::Stated) => {
            let formats: &[u16] = if gap.is_some() { &WITH_GAPS } else { &SEVERAL };
            Ok(first_known(formats, context).unwrap_or(TLV))
        }
    }
}

/// The format of a composite request that lists paths, and of its answer.
pub(super) fn composite_paths(
    operation: &Operation,
    context: &RequestContext<'_>,
) -> Result<(u16, u16), OperationError> {
    let format = composite(operation, context)?;
    let accept = match format {
        SENML_ETCH_JSON => SENML_JSON,
        SENML_ETCH_CBOR => SENML_CBOR,
        format => format,
    };
    Ok((format, accept))
}

/// The format of a Write-Composite.
pub(super) fn composite_values(
    operation: &Operation,
    records: &[Record],
    context: &RequestContext<'_>,
) -> Result<u16, OperationError> {
    let format = composite(operation, context)?;
    let gap = records.iter().find(|record| record.value.is_none());
    let removing = [SENML_ETCH_JSON, SENML_ETCH_CBOR, LWM2M_CBOR];
    check_gap(operation, gap, format, &removing)
}

fn composite(operation: &Operation, context: &RequestContext<'_>) -> Result<u16, OperationError> {
    if let Some(format) = context.content_format {
        return match format {
            SENML_JSON | SENML_CBOR | SENML_ETCH_JSON | SENML_ETCH_CBOR | LWM2M_CBOR => Ok(format),
            _ => Err(OperationError::unusable(
                operation,
                format,
                "110, 112, 320, 322 or 11544",
            )),
        };
    }
    if context.content_formats.is_empty() {
        return Ok(SENML_CBOR);
    }
    let formats = match context.version {
        LwM2mVersion::V1_2 => &COMPOSITE[..],
        _ => &COMPOSITE[..2],
    };
    first_announced(formats, context).ok_or_else(|| OperationError::NotAnnounced {
        operation: operation.name(),
        needed: COMPOSITE_NAMES,
        announced: context.content_formats.into(),
    })
}

/// Refuses a record without value unless `format` is one that can say so.
fn check_gap(
    operation: &Operation,
    gap: Option<&Record>,
    format: u16,
    with_gaps: &[u16],
) -> Result<u16, OperationError> {
    match gap {
        Some(record) if !with_gaps.contains(&format) => Err(OperationError::MissingValue {
            operation: operation.name(),
            path: record.path,
            format,
        }),
        _ => Ok(format),
    }
}

/// The first format the device is known to have: announced, or part of LwM2M 1.0 for a device that
/// registered with it.
fn first_known(formats: &[u16], context: &RequestContext<'_>) -> Option<u16> {
    if context.version == LwM2mVersion::V1_0 {
        let basic = |format: &&u16| matches!(**format, TEXT | OPAQUE | TLV);
        return match *formats.iter().find(basic)? {
            TLV => Some(tlv(context)),
            format => Some(format),
        };
    }
    first_announced(formats, context)
}

fn first_announced(formats: &[u16], context: &RequestContext<'_>) -> Option<u16> {
    let announced = |format: &&u16| context.content_formats.contains(*format);
    formats.iter().find(announced).copied()
}

/// The number of TLV: the one from before registration for devices that announce only that.
fn tlv(context: &RequestContext<'_>) -> u16 {
    let announced = |format| context.content_formats.contains(&format);
    if announced(OLD_TLV) && !announced(TLV) {
        OLD_TLV
    } else {
        TLV
    }
}
