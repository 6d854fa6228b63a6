//! The whole configuration in one body, for a Bootstrap-Pack (LwM2M Core 1.2 §6.1.7.7).

use crate::proto::lwm2m::codec::{EncodeError, EncodeOptions, encode};
use crate::proto::lwm2m::{Path, Version};

use super::configuration::Configuration;

/// Version of the devices that ask for a pack.
const VERSION: Version = Version::new(1, 2);

/// The body in `format`. The device has been asked nothing, so instance 0 of Security is left to the
/// bootstrap server.
///
/// # Errors
/// A value that the format cannot carry.
pub fn encode_pack(configuration: &Configuration, format: u16) -> Result<Vec<u8>, EncodeError> {
    let mut records = Vec::new();
    if let Some(account) = &configuration.bootstrap {
        records.extend(account.records(0, None));
    }
    for (at, server) in (0..).zip(&configuration.servers) {
        let account = server.account.records(at + 1, Some(server.short_id));
        records.extend(account);
    }
    for (at, server) in (0..).zip(&configuration.servers) {
        records.extend(server.records(at, Some(VERSION)));
    }
    for object in &configuration.objects {
        records.extend(object.records.iter().cloned());
    }
    let mut body = Vec::new();
    encode(
        format,
        &Path::ROOT,
        &records,
        EncodeOptions::DEFAULT,
        &mut body,
    )?;
    Ok(body)
}
