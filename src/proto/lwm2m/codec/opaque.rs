//! Opaque: the bytes of one value.

use std::borrow::Cow;

use super::DecodeError;
use super::output::Output;
use super::scalar::Scalar;

pub(super) fn decode(payload: &[u8], output: &mut Output<'_>) -> Result<(), DecodeError> {
    output.scalar(
        0,
        output.base(),
        None,
        Scalar::Bytes(Cow::Borrowed(payload)),
    )
}
