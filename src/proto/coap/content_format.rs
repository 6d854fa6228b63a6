//! Content-Format numbers (registry "CoAP Content-Formats") that LwM2M uses.

/// `text/plain;charset=utf-8`.
pub const TEXT: u16 = 0;
/// `application/link-format` (RFC 6690).
pub const LINK_FORMAT: u16 = 40;
/// `application/octet-stream`.
pub const OPAQUE: u16 = 42;
/// `application/cbor` (RFC 8949).
pub const CBOR: u16 = 60;
/// `application/senml+json` (RFC 8428).
pub const SENML_JSON: u16 = 110;
/// `application/senml+cbor` (RFC 8428).
pub const SENML_CBOR: u16 = 112;
/// `application/senml-etch+json` (RFC 8790).
pub const SENML_ETCH_JSON: u16 = 320;
/// `application/senml-etch+cbor` (RFC 8790).
pub const SENML_ETCH_CBOR: u16 = 322;
/// `application/vnd.oma.lwm2m+tlv`.
pub const TLV: u16 = 11542;
/// `application/vnd.oma.lwm2m+json`.
pub const JSON: u16 = 11543;
/// `application/vnd.oma.lwm2m+cbor`.
pub const LWM2M_CBOR: u16 = 11544;
/// The number of [`TLV`] before it was registered; some clients still send it.
pub const OLD_TLV: u16 = 1542;
/// The number of [`JSON`] before it was registered; some clients still send it.
pub const OLD_JSON: u16 = 1543;
