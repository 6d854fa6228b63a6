//! The No-Response option: which answers a client does not want (RFC 7967).

use super::code::Code;

/// The value of a No-Response option (RFC 7967 §2): one bit per class of unwanted responses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NoResponse(u8);

impl NoResponse {
    /// Interest in every response, as without the option.
    pub const NONE: Self = Self(0);

    /// From the option's value.
    #[must_use]
    pub const fn from_u8(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether a response with this code must not be sent.
    ///
    /// A CON request is acknowledged with an empty message all the same (RFC 7967 §2.1).
    #[must_use]
    pub const fn suppresses(self, response: Code) -> bool {
        response.is_response() && self.0 >> (response.class() - 1) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_suppresses_one_class() {
        let no_success = NoResponse::from_u8(2);
        assert!(no_success.suppresses(Code::CHANGED));
        assert!(!no_success.suppresses(Code::BAD_REQUEST));
        let errors_only = NoResponse::from_u8(26);
        assert!(errors_only.suppresses(Code::CONTENT));
        assert!(errors_only.suppresses(Code::NOT_FOUND));
        assert!(errors_only.suppresses(Code::SERVICE_UNAVAILABLE));
        assert!(!NoResponse::NONE.suppresses(Code::CHANGED));
        assert!(!NoResponse::from_u8(0xff).suppresses(Code::EMPTY));
    }
}
