//! How a device refuses a request.

use coap_lite::ResponseType;

/// An error response: its code, and a diagnostic text as the payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: ResponseType,
    pub text: String,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident => $code:ident),*) => {
        impl Refusal {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(text: impl Into<String>) -> Self {
                Self { code: ResponseType::$code, text: text.into() }
            })*
        }
    };
}

refusals! {
    /// 4.00
    bad_request => BadRequest,
    /// 4.01
    unauthorized => Unauthorized,
    /// 4.02
    bad_option => BadOption,
    /// 4.04
    not_found => NotFound,
    /// 4.05
    not_allowed => MethodNotAllowed,
    /// 4.06
    not_acceptable => NotAcceptable,
    /// 4.08
    incomplete => RequestEntityIncomplete,
    /// 4.13
    too_large => RequestEntityTooLarge,
    /// 4.15
    unsupported_format => UnsupportedContentFormat
}
