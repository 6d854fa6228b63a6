//! Operations as CoAP requests (LwM2M Transport §6.4.4 and §6.4.5).

use data_encoding::HEXLOWER_PERMISSIVE;

use super::format;
use super::paths::{check_list, require};
use super::{
    AttributeError, InstanceIds, NotificationAttributes, Operation, OperationError, RequestContext,
    WriteMode,
};
use crate::proto::coap::block::BlockValue;
use crate::proto::coap::{Code, MessageWriter, content_format, option};
use crate::proto::lwm2m::codec::{encode, encode_paths};
use crate::proto::lwm2m::{LwM2mVersion, Path, Record};

/// A request without what the exchange adds: type, message id, token, Block1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestParts {
    /// Method.
    pub code: Code,
    /// Segments of the path, the alternate path first.
    pub uri_path: Vec<Box<str>>,
    /// Query parameters in order.
    pub queries: Vec<Box<str>>,
    /// Observe: 0 to register, 1 to cancel.
    pub observe: Option<u32>,
    /// Content-Format of the body.
    pub content_format: Option<u16>,
    /// Accept.
    pub accept: Option<u16>,
    /// Block2 of the first request, to ask for a block size.
    pub block2: Option<BlockValue>,
    /// Body; larger ones go out in blocks.
    pub body: Vec<u8>,
}

impl RequestParts {
    /// Writes all options, in the order of their numbers. Block1 and Size1 may follow.
    pub fn write_options(&self, writer: &mut MessageWriter<'_>) {
        if let Some(observe) = self.observe {
            writer.uint(option::OBSERVE, observe);
        }
        for segment in &self.uri_path {
            writer.option(option::URI_PATH, segment.as_bytes());
        }
        if let Some(format) = self.content_format {
            writer.uint(option::CONTENT_FORMAT, format.into());
        }
        for query in &self.queries {
            writer.option(option::URI_QUERY, query.as_bytes());
        }
        if let Some(format) = self.accept {
            writer.uint(option::ACCEPT, format.into());
        }
        if let Some(block2) = self.block2 {
            writer.uint(option::BLOCK2, block2.encode());
        }
    }

    /// Writes options and the whole body.
    pub fn write(&self, writer: &mut MessageWriter<'_>) {
        self.write_options(writer);
        writer.payload(&self.body);
    }

    fn new(code: Code, uri_path: Vec<Box<str>>) -> Self {
        Self {
            code,
            uri_path,
            queries: Vec::new(),
            observe: None,
            content_format: None,
            accept: None,
            block2: None,
            body: Vec::new(),
        }
    }
}

const OBSERVE_REGISTER: u32 = 0;
const OBSERVE_CANCEL: u32 = 1;

/// Most bytes of an alternate path.
const MAX_ALTERNATE_PATH: usize = 255;

/// Deepest listing of a Discover: from an object down to Resource Instances.
const MAX_DEPTH: u8 = 3;

impl Operation {
    /// The request that asks the device for this.
    ///
    /// # Errors
    /// Everything about the operation that the specification forbids or this device cannot do, as
    /// far as it can be known before asking.
    pub fn request(&self, context: &RequestContext<'_>) -> Result<RequestParts, OperationError> {
        self.check_paths(context.version)?;
        let uri_path = uri_path(&self.target(), context)?;
        let mut parts = RequestParts::new(self.method(), uri_path);
        match self {
            Self::Read { path } => parts.accept = format::accept(self, path, context)?,
            Self::Discover { depth, .. } => discover(&mut parts, *depth, context)?,
            Self::Write {
                path,
                mode,
                records,
            } => self.write(&mut parts, path, *mode, records, context)?,
            Self::WriteAttributes { path, attributes } => {
                // Without parameters it would be a Write.
                if attributes.is_empty() {
                    return Err(AttributeError::NotSpecified.into());
                }
                attributes.validate(path, context.version, context.types)?;
                parts.queries = attributes.queries();
            }
            Self::Execute { arguments, .. } => {
                if !arguments.is_empty() {
                    parts.content_format = Some(content_format::TEXT);
                    parts.body = arguments.to_string().into_bytes();
                }
            }
            Self::Create {
                object,
                ids,
                records,
            } => self.create(&mut parts, *object, *ids, records, context)?,
            Self::Delete { .. } => {}
            Self::ReadComposite { paths } => self.list(&mut parts, paths, context)?,
            Self::WriteComposite { records } => {
                self.write_composite(&mut parts, records, context)?
            }
            Self::Observe { path, attributes } => {
                parts.observe = Some(OBSERVE_REGISTER);
                parts.accept = format::accept(self, path, context)?;
                parts.queries = observe_queries(attributes, &[*path], context)?;
            }
            Self::ObserveComposite { paths, attributes } => {
                parts.observe = Some(OBSERVE_REGISTER);
                self.list(&mut parts, paths, context)?;
                parts.queries = observe_queries(attributes, paths, context)?;
            }
            // A cancellation repeats everything but the attributes: devices refuse those with 4.02.
            Self::CancelObservation { path } => {
                parts.observe = Some(OBSERVE_CANCEL);
                parts.accept = format::accept(self, path, context)?;
            }
            Self::CancelObservationComposite { paths } => {
                parts.observe = Some(OBSERVE_CANCEL);
                self.list(&mut parts, paths, context)?;
            }
        }
        if let Some(szx) = context.szx {
            let block2 = BlockValue::new(0, false, szx);
            let block2 = block2.ok_or(OperationError::InvalidBlockSize { szx })?;
            parts.block2 = self.is_answered_with_content().then_some(block2);
        }
        Ok(parts)
    }

    const fn method(&self) -> Code {
        match self {
            Self::Read { .. }
            | Self::Discover { .. }
            | Self::Observe { .. }
            | Self::CancelObservation { .. } => Code::GET,
            Self::Write {
                mode: WriteMode::Replace,
                ..
            }
            | Self::WriteAttributes { .. } => Code::PUT,
            Self::Write {
                mode: WriteMode::Update,
                ..
            }
            | Self::Execute { .. }
            | Self::Create { .. } => Code::POST,
            Self::Delete { .. } => Code::DELETE,
            Self::ReadComposite { .. }
            | Self::ObserveComposite { .. }
            | Self::CancelObservationComposite { .. } => Code::FETCH,
            Self::WriteComposite { .. } => Code::IPATCH,
        }
    }

    const fn is_answered_with_content(&self) -> bool {
        matches!(self.method(), Code::GET | Code::FETCH)
    }

    fn write(
        &self,
        parts: &mut RequestParts,
        path: &Path,
        mode: WriteMode,
        records: &[Record],
        context: &RequestContext<'_>,
    ) -> Result<(), OperationError> {
        let replaces_instance = mode == WriteMode::Replace && path.len() == 2;
        if records.is_empty() && !replaces_instance {
            return Err(self.no_values(path));
        }
        if mode == WriteMode::Update && path.holds_value() {
            let single = |record: &Record| record.path == *path && record.value.is_some();
            if records.iter().any(single) {
                return Err(OperationError::UpdateOfSingleValue { path: *path });
            }
        }
        let format = format::write(self, path, mode, records, context)?;
        parts.content_format = Some(format);
        encode(format, path, records, context.encoding, &mut parts.body)?;
        Ok(())
    }

    fn create(
        &self,
        parts: &mut RequestParts,
        object: u16,
        ids: InstanceIds,
        records: &[Record],
        context: &RequestContext<'_>,
    ) -> Result<(), OperationError> {
        let format = format::create(self, ids, records, context)?;
        let base = match ids {
            InstanceIds::Stated if records.is_empty() => {
                return Err(self.no_values(&Path::object(object)));
            }
            InstanceIds::Stated => Path::object(object),
            InstanceIds::ChosenByDevice => placeholder(object, records)?,
        };
        parts.content_format = Some(format);
        encode(format, &base, records, context.encoding, &mut parts.body)?;
        Ok(())
    }

    fn write_composite(
        &self,
        parts: &mut RequestParts,
        records: &[Record],
        context: &RequestContext<'_>,
    ) -> Result<(), OperationError> {
        if records.is_empty() {
            return Err(self.no_values(&Path::ROOT));
        }
        let paths: Vec<_> = records.iter().map(|record| record.path).collect();
        check_list(self.name(), &paths)?;
        let format = format::composite_values(self, records, context)?;
        parts.content_format = Some(format);
        encode(
            format,
            &Path::ROOT,
            records,
            context.encoding,
            &mut parts.body,
        )?;
        Ok(())
    }

    /// Puts the paths of a composite operation in the body.
    fn list(
        &self,
        parts: &mut RequestParts,
        paths: &[Path],
        context: &RequestContext<'_>,
    ) -> Result<(), OperationError> {
        let (format, accept) = format::composite_paths(self, context)?;
        parts.content_format = Some(format);
        parts.accept = Some(accept);
        encode_paths(format, paths, &mut parts.body)?;
        Ok(())
    }

    fn no_values(&self, target: &Path) -> OperationError {
        OperationError::NoValues {
            operation: self.name(),
            target: *target,
        }
    }
}

fn discover(
    parts: &mut RequestParts,
    depth: Option<u8>,
    context: &RequestContext<'_>,
) -> Result<(), OperationError> {
    parts.accept = Some(content_format::LINK_FORMAT);
    let Some(depth) = depth else {
        return Ok(());
    };
    require("a Discover with depth", LwM2mVersion::V1_2, context.version)?;
    if depth > MAX_DEPTH {
        return Err(OperationError::DepthOutOfRange { depth });
    }
    parts.queries.push(format!("depth={depth}").into());
    Ok(())
}

/// Attributes of an observation as query parameters.
fn observe_queries(
    attributes: &NotificationAttributes,
    paths: &[Path],
    context: &RequestContext<'_>,
) -> Result<Vec<Box<str>>, OperationError> {
    if attributes.is_empty() {
        return Ok(Vec::new());
    }
    let what = "an observation with attributes";
    require(what, LwM2mVersion::V1_2, context.version)?;
    for path in paths {
        attributes.validate(path, context.version, context.types)?;
    }
    let queries = attributes.queries();
    match queries.iter().find(|query| !query.contains('=')) {
        Some(name) => Err(AttributeError::UnsetInObservation { name: name.clone() }.into()),
        None => Ok(queries),
    }
}

/// The one instance that values for an instance without id are given for.
fn placeholder(object: u16, records: &[Record]) -> Result<Path, OperationError> {
    let instance =
        |record: &Record| Path::instance(object, record.path.instance_id().unwrap_or_default());
    let path = records.first().map_or(Path::instance(object, 0), instance);
    let other = records.iter().map(instance).find(|other| *other != path);
    match other {
        Some(other) => Err(OperationError::SeveralInstances { path, other }),
        None => Ok(path),
    }
}

fn uri_path(path: &Path, context: &RequestContext<'_>) -> Result<Vec<Box<str>>, OperationError> {
    let alternate = context.alternate_path.unwrap_or_default();
    if alternate.len() > MAX_ALTERNATE_PATH {
        let bytes = alternate.len();
        return Err(OperationError::AlternatePathTooLong { bytes });
    }
    let alternate = alternate.split('/').filter(|segment| !segment.is_empty());
    let ids = path.segments().iter().map(|id| id.to_string().into());
    Ok(alternate.map(percent_decoded).chain(ids).collect())
}

/// A segment of a link as a Uri-Path option carries it (RFC 7252 §6.4). What is no percent-encoding
/// of text stands for itself.
fn percent_decoded(segment: &str) -> Box<str> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, behind @ ..] = rest {
        let pair = behind.get(..2).filter(|_| *first == b'%');
        match pair.and_then(|pair| HEXLOWER_PERMISSIVE.decode(pair).ok()) {
            Some(byte) => {
                decoded.extend(byte);
                rest = &behind[2..];
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(decoded).map_or_else(|_| segment.into(), Into::into)
}
