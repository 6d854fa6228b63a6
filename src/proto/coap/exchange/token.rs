//! Tokens for the requests we send.

use std::fmt;

/// A token of 0 to 8 bytes, by value (RFC 7252 §5.3.1).
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Token {
    bytes: [u8; 8],
    length: u8,
}

impl Token {
    /// `None` when there are more than 8 bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut token = Self::default();
        token.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        token.length = bytes.len() as u8;
        Some(token)
    }

    /// Eight random bytes: too many to guess for those who would forge a response, given a
    /// generator they cannot predict.
    #[must_use]
    pub fn random(rng: &mut fastrand::Rng) -> Self {
        Self {
            bytes: rng.u64(..).to_be_bytes(),
            length: 8,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl AsRef<[u8]> for Token {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(")?;
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_its_bytes_and_its_length() {
        assert_eq!(Token::new(&[]).unwrap().as_bytes(), &[] as &[u8]);
        assert_eq!(Token::new(&[1, 2]).unwrap().as_bytes(), &[1, 2]);
        assert_ne!(Token::new(&[0]), Token::new(&[0, 0]));
        assert_eq!(Token::new(&[0; 9]), None);
    }

    #[test]
    fn random_tokens_have_eight_bytes_and_differ() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (first, second) = (Token::random(&mut rng), Token::random(&mut rng));
        assert_eq!(first.as_bytes().len(), 8);
        assert_ne!(first, second);
    }
}
