//! Method and response codes (RFC 7252 §12.1, RFC 7959, RFC 8132, RFC 8516).

use std::fmt;

/// The code of a message: three bits of class, five bits of detail (RFC 7252 §3).
///
/// Every byte is a `Code`; what a class means is told by [`is_empty`](Self::is_empty),
/// [`is_request`](Self::is_request), [`is_response`](Self::is_response) and
/// [`is_reserved`](Self::is_reserved), exactly one of which holds.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Code(u8);

/// Declares the named codes and their names in one place.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $class:literal . $detail:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self::new($class, $detail);)*

            /// The name the LwM2M world prints for this code (`CONTENT`, `BAD_REQUEST`), or
            /// `UNKNOWN` for a code without one.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    _ => "UNKNOWN",
                }
            }
        }
    };
}

codes! {
    /// 0.00: an empty message (RFC 7252 §4.1).
    EMPTY = 0 . 0;
    /// 0.01 (RFC 7252 §5.8.1).
    GET = 0 . 1;
    /// 0.02 (RFC 7252 §5.8.2).
    POST = 0 . 2;
    /// 0.03 (RFC 7252 §5.8.3).
    PUT = 0 . 3;
    /// 0.04 (RFC 7252 §5.8.4).
    DELETE = 0 . 4;
    /// 0.05 (RFC 8132 §2).
    FETCH = 0 . 5;
    /// 0.06 (RFC 8132 §3).
    PATCH = 0 . 6;
    /// 0.07 (RFC 8132 §3).
    IPATCH = 0 . 7;
    /// 2.01.
    CREATED = 2 . 1;
    /// 2.02.
    DELETED = 2 . 2;
    /// 2.03.
    VALID = 2 . 3;
    /// 2.04.
    CHANGED = 2 . 4;
    /// 2.05.
    CONTENT = 2 . 5;
    /// 2.31: the next block is welcome (RFC 7959 §2.9.1).
    CONTINUE = 2 . 31;
    /// 4.00.
    BAD_REQUEST = 4 . 0;
    /// 4.01.
    UNAUTHORIZED = 4 . 1;
    /// 4.02.
    BAD_OPTION = 4 . 2;
    /// 4.03.
    FORBIDDEN = 4 . 3;
    /// 4.04.
    NOT_FOUND = 4 . 4;
    /// 4.05.
    METHOD_NOT_ALLOWED = 4 . 5;
    /// 4.06.
    NOT_ACCEPTABLE = 4 . 6;
    /// 4.08: blocks are missing (RFC 7959 §2.9.2).
    REQUEST_ENTITY_INCOMPLETE = 4 . 8;
    /// 4.09 (RFC 8132 §3.4).
    CONFLICT = 4 . 9;
    /// 4.12.
    PRECONDITION_FAILED = 4 . 12;
    /// 4.13 (RFC 7252 §5.9.2.9, RFC 7959 §2.9.3).
    REQUEST_ENTITY_TOO_LARGE = 4 . 13;
    /// 4.15.
    UNSUPPORTED_CONTENT_FORMAT = 4 . 15;
    /// 4.22 (RFC 8132 §3.4).
    UNPROCESSABLE_ENTITY = 4 . 22;
    /// 4.29 (RFC 8516).
    TOO_MANY_REQUESTS = 4 . 29;
    /// 5.00.
    INTERNAL_SERVER_ERROR = 5 . 0;
    /// 5.01.
    NOT_IMPLEMENTED = 5 . 1;
    /// 5.02.
    BAD_GATEWAY = 5 . 2;
    /// 5.03.
    SERVICE_UNAVAILABLE = 5 . 3;
    /// 5.04.
    GATEWAY_TIMEOUT = 5 . 4;
    /// 5.05.
    PROXYING_NOT_SUPPORTED = 5 . 5;
}

impl Code {
    /// The code `class.detail`; of each only the bits the wire has are used (three and five).
    #[must_use]
    pub const fn new(class: u8, detail: u8) -> Self {
        Self((class & 0x07) << 5 | (detail & 0x1f))
    }

    /// The code with this wire byte.
    #[must_use]
    pub const fn from_u8(byte: u8) -> Self {
        Self(byte)
    }

    /// The wire byte.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// The class, 0 to 7.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.0 >> 5
    }

    /// The detail, 0 to 31.
    #[must_use]
    pub const fn detail(self) -> u8 {
        self.0 & 0x1f
    }

    /// `true` for 0.00.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// `true` for 0.01 to 0.31, assigned or not.
    #[must_use]
    pub const fn is_request(self) -> bool {
        self.class() == 0 && self.0 != 0
    }

    /// `true` for 2.00 to 5.31, assigned or not.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self.class(), 2..=5)
    }

    /// `true` for 2.00 to 2.31.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }

    /// `true` for the classes a datagram must not use: 1, 6 and 7 (RFC 7252 §4.2).
    #[must_use]
    pub const fn is_reserved(self) -> bool {
        matches!(self.class(), 1 | 6 | 7)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_three_bits_of_class_and_five_of_detail() {
        assert_eq!(Code::CONTENT.as_u8(), 0x45);
        assert_eq!(Code::CONTINUE.as_u8(), 0x5f);
        assert_eq!(Code::REQUEST_ENTITY_TOO_LARGE.as_u8(), 0x8d);
        assert_eq!(Code::from_u8(0x84), Code::NOT_FOUND);
    }

    #[test]
    fn a_code_prints_as_dotted_number_and_as_name() {
        assert_eq!(Code::CONTENT.to_string(), "2.05");
        assert_eq!(Code::PROXYING_NOT_SUPPORTED.to_string(), "5.05");
        assert_eq!(Code::CONTENT.name(), "CONTENT");
        assert_eq!(Code::BAD_REQUEST.name(), "BAD_REQUEST");
        assert_eq!(Code::new(2, 30).name(), "UNKNOWN");
    }

    #[test]
    fn every_byte_has_exactly_one_role() {
        for byte in 0..=u8::MAX {
            let code = Code::from_u8(byte);
            let roles = [
                code.is_empty(),
                code.is_request(),
                code.is_response(),
                code.is_reserved(),
            ];
            assert_eq!(roles.iter().filter(|held| **held).count(), 1, "{code}");
        }
    }
}
