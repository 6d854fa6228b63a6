//! CBOR: one data item for one value (LwM2M 1.1).

use super::DecodeError;
use super::cbor_reader::CborReader;
use super::output::Output;

pub(super) fn decode(payload: &[u8], output: &mut Output<'_>) -> Result<(), DecodeError> {
    let mut reader = CborReader::new(payload);
    let scalar = reader.scalar()?;
    reader.end()?;
    output.scalar(0, output.base(), None, scalar)
}
