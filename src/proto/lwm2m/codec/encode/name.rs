//! Paths as names in payloads.

use crate::proto::lwm2m::Path;

/// Longest name: four ids of five digits, each after a slash, and one slash more.
const MAX_BYTES: usize = 25;

/// A name on the stack.
pub(super) struct Name {
    bytes: [u8; MAX_BYTES],
    len: usize,
}

impl Name {
    /// The path from the root, `/` for the root itself.
    pub(super) fn full(path: &Path) -> Self {
        Self::of(path.segments(), "/", "")
    }

    /// `base` as a base name: what follows is put right behind it.
    pub(super) fn base(base: &Path) -> Self {
        let last = if base.is_root() { "" } else { "/" };
        Self::of(base.segments(), "/", last)
    }

    /// What is left of `path` behind [`Name::base`].
    pub(super) fn below(path: &Path, base: &Path) -> Self {
        let rest = path.segments().get(base.len()..).unwrap_or_default();
        Self::of(rest, "", "")
    }

    pub(super) fn as_str(&self) -> &str {
        // Digits and slashes only.
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn of(ids: &[u16], first: &str, last: &str) -> Self {
        let mut name = Self {
            bytes: [0; MAX_BYTES],
            len: 0,
        };
        name.push(first.as_bytes());
        for (index, id) in ids.iter().enumerate() {
            if index > 0 {
                name.push(b"/");
            }
            let (digits, start) = decimal(*id);
            name.push(&digits[start..]);
        }
        name.push(last.as_bytes());
        name
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }
}

/// Appends a number in decimal.
pub(super) fn write_decimal(number: u16, out: &mut Vec<u8>) {
    let (digits, start) = decimal(number);
    out.extend_from_slice(&digits[start..]);
}

/// The digits of a number, from the returned index on.
fn decimal(mut number: u16) -> ([u8; 5], usize) {
    let mut digits = [0; 5];
    let mut start = 5;
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return (digits, start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_name_and_the_rest_make_the_path() {
        let path = Path::resource_instance(65534, 0, 100, 65534);
        assert_eq!(Name::full(&path).as_str(), path.to_string());
        for base in [
            Path::ROOT,
            Path::object(65534),
            Path::resource(65534, 0, 100),
        ] {
            let together = [
                Name::base(&base).as_str(),
                Name::below(&path, &base).as_str(),
            ]
            .concat();
            assert_eq!(together, path.to_string());
        }
        assert_eq!(Name::full(&Path::ROOT).as_str(), "/");
    }
}
