//! What an answer means for the operation that asked.

use super::{DiscoverError, Operation};
use crate::proto::coap::{Code, MessageView, content_format, option};
use crate::proto::lwm2m::codec::{self, DataFormat, DecodeError};
use crate::proto::lwm2m::{Path, Record, ResourceTypes};
use crate::proto::time::UnixMillis;

/// A good answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// 2.05 with values, for [`Operation::decode`].
    Content {
        /// Content format of the body.
        format: u16,
        /// The device will send notifications.
        observing: bool,
    },
    /// 2.05 with links, for [`DiscoverAnswer::parse`](super::DiscoverAnswer::parse).
    Links,
    /// 2.04.
    Changed,
    /// 2.01.
    Created {
        /// Id of the new instance, when the device tells one that can be read.
        instance: Option<u16>,
        /// What it tells, with slashes: the Location-Path.
        location: Option<Box<str>>,
    },
    /// 2.02.
    Deleted,
}

impl Operation {
    /// The code of a good answer; every other one is an error.
    #[must_use]
    pub const fn success(&self) -> Code {
        match self {
            Self::Write { .. }
            | Self::WriteAttributes { .. }
            | Self::Execute { .. }
            | Self::WriteComposite { .. } => Code::CHANGED,
            Self::Create { .. } => Code::CREATED,
            Self::Delete { .. } => Code::DELETED,
            Self::Read { .. }
            | Self::Discover { .. }
            | Self::ReadComposite { .. }
            | Self::Observe { .. }
            | Self::ObserveComposite { .. }
            | Self::CancelObservation { .. }
            | Self::CancelObservationComposite { .. } => Code::CONTENT,
        }
    }

    /// Interprets a response. `body` is its payload and `format` its content format, or those of the
    /// first block and all of them when it came in blocks.
    ///
    /// Another content format than asked for is fine as long as it can be read. Without one, a
    /// single value is text and several are TLV, as devices of LwM2M 1.0 leave it out.
    ///
    /// # Errors
    /// An error code, or an answer that is none to this operation.
    pub fn interpret(
        &self,
        response: &MessageView<'_>,
        format: Option<u16>,
        body: &[u8],
    ) -> Result<Answer, AnswerError> {
        let code = response.code();
        if code != self.success() {
            return Err(if code.is_success() || !code.is_response() {
                AnswerError::UnexpectedCode {
                    code,
                    operation: self.name(),
                    expected: self.success(),
                }
            } else {
                AnswerError::Refused {
                    code,
                    diagnostic: diagnostic(body),
                }
            });
        }
        match self {
            Self::Discover { .. } => links(format),
            Self::Create { object, .. } => Ok(created(*object, response)),
            Self::Delete { .. } => Ok(Answer::Deleted),
            _ if self.success() == Code::CHANGED => Ok(Answer::Changed),
            _ => self.content(response, format),
        }
    }

    /// Decodes the values of an answer, or of a notification of an observation.
    ///
    /// # Errors
    /// A body that cannot be decoded, or a value of something that was not asked for. Other values
    /// may have been handed out by then.
    pub fn decode(
        &self,
        format: u16,
        body: &[u8],
        types: &dyn ResourceTypes,
        now: UnixMillis,
        sink: &mut dyn FnMut(Record),
    ) -> Result<(), AnswerError> {
        let asked = self.composite_paths();
        let mut unexpected = None;
        codec::decode(format, &self.target(), body, types, now, &mut |record| {
            let path = record.path;
            if asked.is_empty() || asked.iter().any(|asked| path.starts_with(asked)) {
                sink(record);
            } else {
                unexpected.get_or_insert(path);
            }
        })?;
        match unexpected {
            Some(path) => Err(AnswerError::UnexpectedPath { path }),
            None => Ok(()),
        }
    }

    fn content(
        &self,
        response: &MessageView<'_>,
        format: Option<u16>,
    ) -> Result<Answer, AnswerError> {
        let target = self.target();
        let format = format.unwrap_or_else(|| {
            if target.holds_value() {
                content_format::TEXT
            } else {
                content_format::TLV
            }
        });
        let readable = DataFormat::from_number(format)
            .is_some_and(|format| target.holds_value() || !format.is_single_value());
        if !readable {
            return Err(AnswerError::UnexpectedFormat {
                format,
                operation: self.name(),
            });
        }
        Ok(Answer::Content {
            format,
            observing: response.observe().is_some(),
        })
    }
}

fn links(format: Option<u16>) -> Result<Answer, AnswerError> {
    match format {
        None | Some(content_format::LINK_FORMAT) => Ok(Answer::Links),
        Some(format) => Err(AnswerError::UnexpectedFormat {
            format,
            operation: "Discover",
        }),
    }
}

/// Reads `/object/instance` of the Location-Path, behind the alternate path if there is one.
fn created(object: u16, response: &MessageView<'_>) -> Answer {
    let mut location = String::new();
    for segment in response.all(option::LOCATION_PATH) {
        location.push('/');
        location.push_str(&String::from_utf8_lossy(segment));
    }
    let mut from_the_end = location.rsplit('/');
    let instance: Option<u16> = from_the_end.next().and_then(|id| id.parse().ok());
    let is_of_object = from_the_end.next().and_then(|id| id.parse().ok()) == Some(object);
    Answer::Created {
        instance: instance.filter(|id| is_of_object && *id <= Path::MAX_ID),
        location: (!location.is_empty()).then(|| location.into()),
    }
}

/// Most bytes of a diagnostic payload that are kept.
const MAX_DIAGNOSTIC: usize = 1024;

/// The diagnostic payload of an error (RFC 7252 §5.5.2), when it is text.
fn diagnostic(body: &[u8]) -> Option<Box<str>> {
    let text = str::from_utf8(body).ok()?.trim_end_matches('\0');
    let end = text.floor_char_boundary(MAX_DIAGNOSTIC);
    (!text.is_empty()).then(|| text[..end].into())
}

/// Why an operation did not succeed, although the device answered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// The device refused, with a code of 4.00 and above.
    #[error("the device answered {code} {}{}{}", code.name(), if diagnostic.is_some() { ": " } else { "" }, diagnostic.as_deref().unwrap_or_default())]
    Refused {
        /// The code.
        code: Code,
        /// What the device says about it.
        diagnostic: Option<Box<str>>,
    },
    /// A code that is no answer to the operation.
    #[error("the device answered {operation} with {code}, expected {expected}")]
    UnexpectedCode {
        /// The code.
        code: Code,
        /// Name of the operation.
        operation: &'static str,
        /// The code of success.
        expected: Code,
    },
    /// A content format in which the answer cannot be.
    #[error("the device answered {operation} in content format {format}, which cannot hold it")]
    UnexpectedFormat {
        /// The content format.
        format: u16,
        /// Name of the operation.
        operation: &'static str,
    },
    /// A value that was not asked for.
    #[error("the device answered with {path}, which was not asked for")]
    UnexpectedPath {
        /// Path of the value.
        path: Path,
    },
    /// The body cannot be decoded.
    #[error("the answer cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// The links cannot be read.
    #[error(transparent)]
    Links(#[from] DiscoverError),
}

impl AnswerError {
    /// Stable name of the reason, for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::UnexpectedCode { .. } => "unexpected_code",
            Self::UnexpectedFormat { .. } => "unexpected_format",
            Self::UnexpectedPath { .. } => "unexpected_path",
            Self::Decode(error) => error.discriminant(),
            Self::Links(_) => "links",
        }
    }
}
