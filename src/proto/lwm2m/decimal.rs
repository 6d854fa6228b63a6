//! Floating-point numbers as people and devices write them.

use std::fmt;

/// Prints plain digits where they are few, as every device reads them, and an exponent otherwise;
/// reading the text brings back the same number. Infinities and NaN print as words.
pub(super) struct Decimal(pub(super) f64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        if number == 0.0 || PLAIN.contains(&number.abs()) || !number.is_finite() {
            write!(f, "{number}")
        } else {
            write!(f, "{number:e}")
        }
    }
}

const PLAIN: std::ops::Range<f64> = 1e-6..1e17;

/// Reads a finite number in decimal, with an exponent or without; `inf` and `nan`, which Rust would
/// read, are no numbers here.
pub(super) fn parse_decimal(text: &str) -> Option<f64> {
    let numeric = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if !numeric {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
