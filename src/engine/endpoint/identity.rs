//! Names that carry the way to an endpoint: registration ids and CoAP tokens.
//!
//! Both hold shard, slot and a salt, so that finding the endpoint of an Update, a response or a
//! notification costs no table. They leave the process permuted under a secret key: an outsider can
//! neither guess a valid one nor read the fleet's size from one (RFC 7252 §5.3.1 asks for tokens that
//! are hard to guess on unsecured transports).

use data_encoding::BASE64URL_NOPAD;

/// Slots a shard can address: 24 bits.
pub const MAX_SLOTS: u32 = 1 << 24;

/// Length of a registration id in characters.
pub const REGISTRATION_ID_LEN: usize = 11;

/// Where an endpoint lives and which of its registrations is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Index of the shard.
    pub shard: u8,
    /// Index of the slot in the shard, below [`MAX_SLOTS`].
    pub slot: u32,
    /// Drawn anew at every Register, so that names of an earlier registration do not fit any more.
    pub salt: u32,
}

/// What a token of ours says: the endpoint and which of its requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenParts {
    /// Index of the shard.
    pub shard: u8,
    /// Index of the slot in the shard.
    pub slot: u32,
    /// Low half of the registration's salt.
    pub salt: u16,
    /// Number of the request within the registration.
    pub sequence: u16,
}

/// The secret permutation.
#[derive(Clone)]
pub struct IdentityKey {
    registration: [u32; ROUNDS],
    token: [u32; ROUNDS],
}

const ROUNDS: usize = 4;

impl IdentityKey {
    /// A key from 32 random bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let word = |at: usize| {
            u32::from_le_bytes([secret[at], secret[at + 1], secret[at + 2], secret[at + 3]])
        };
        Self {
            registration: [word(0), word(4), word(8), word(12)],
            token: [word(16), word(20), word(24), word(28)],
        }
    }

    /// The last segment of the location `/rd/{id}`.
    #[must_use]
    pub fn registration_id(&self, place: Place) -> RegistrationId {
        let plain =
            u64::from(place.shard) << 56 | u64::from(place.slot) << 32 | u64::from(place.salt);
        let mut text = [0; REGISTRATION_ID_LEN];
        BASE64URL_NOPAD.encode_mut(&permute(plain, &self.registration).to_be_bytes(), &mut text);
        RegistrationId(text)
    }

    /// Reads a registration id; `None` when it cannot be one of ours.
    #[must_use]
    pub fn place_of(&self, id: &[u8]) -> Option<Place> {
        if id.len() != REGISTRATION_ID_LEN {
            return None;
        }
        let mut bytes = [0; 8];
        BASE64URL_NOPAD.decode_mut(id, &mut bytes).ok()?;
        let plain = restore(u64::from_be_bytes(bytes), &self.registration);
        Some(Place {
            shard: (plain >> 56) as u8,
            slot: (plain >> 32) as u32 & (MAX_SLOTS - 1),
            salt: plain as u32,
        })
    }

    /// The token of request number `sequence` of the registration at `place`.
    #[must_use]
    pub fn token(&self, place: Place, sequence: u16) -> [u8; 8] {
        let plain = u64::from(place.shard) << 56
            | u64::from(place.slot) << 32
            | u64::from(place.salt as u16) << 16
            | u64::from(sequence);
        permute(plain, &self.token).to_be_bytes()
    }

    /// Reads a token; `None` when its length is not that of ours.
    #[must_use]
    pub fn token_parts(&self, token: &[u8]) -> Option<TokenParts> {
        let plain = restore(u64::from_be_bytes(token.try_into().ok()?), &self.token);
        Some(TokenParts {
            shard: (plain >> 56) as u8,
            slot: (plain >> 32) as u32 & (MAX_SLOTS - 1),
            salt: (plain >> 16) as u16,
            sequence: plain as u16,
        })
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey(redacted)")
    }
}

/// A registration id as text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegistrationId([u8; REGISTRATION_ID_LEN]);

impl RegistrationId {
    /// Its characters, all of them from the base64url alphabet.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// A Feistel network over two halves: a bijection of 64-bit words, a few nanoseconds each way.
fn permute(plain: u64, keys: &[u32; ROUNDS]) -> u64 {
    let (mut left, mut right) = ((plain >> 32) as u32, plain as u32);
    for key in keys {
        (left, right) = (right, left ^ mix(right, *key));
    }
    u64::from(left) << 32 | u64::from(right)
}

fn restore(permuted: u64, keys: &[u32; ROUNDS]) -> u64 {
    let (mut left, mut right) = ((permuted >> 32) as u32, permuted as u32);
    for key in keys.iter().rev() {
        (left, right) = (right ^ mix(left, *key), left);
    }
    u64::from(left) << 32 | u64::from(right)
}

/// Finaliser of a 64-bit multiplicative hash, keyed.
fn mix(half: u32, key: u32) -> u32 {
    let mut x = u64::from(half ^ key) | u64::from(key) << 32;
    x ^= x >> 31;
    x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> IdentityKey {
        IdentityKey::new(*b"0123456789abcdefghijklmnopqrstuv")
    }

    proptest! {
        #[test]
        fn a_registration_id_leads_back_to_its_place(shard: u8, slot in 0..MAX_SLOTS, salt: u32) {
            let place = Place { shard, slot, salt };
            let id = key().registration_id(place);
            prop_assert_eq!(key().place_of(id.as_bytes()), Some(place));
        }

        #[test]
        fn a_token_leads_back_to_its_request(shard: u8, slot in 0..MAX_SLOTS, salt: u32, sequence: u16) {
            let token = key().token(Place { shard, slot, salt }, sequence);
            let parts = TokenParts { shard, slot, salt: salt as u16, sequence };
            prop_assert_eq!(key().token_parts(&token), Some(parts));
        }

        #[test]
        fn any_text_is_read_without_panic(id in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = key().place_of(&id);
            let _ = key().token_parts(&id);
        }
    }

    #[test]
    fn neighbouring_slots_get_unrelated_names() {
        let id = |slot| {
            key().token(
                Place {
                    shard: 0,
                    slot,
                    salt: 7,
                },
                0,
            )
        };
        let differing = (0..8).filter(|&at| id(1)[at] != id(2)[at]).count();
        assert!(differing >= 5, "{:x?} {:x?}", id(1), id(2));
    }

    #[test]
    fn ids_of_another_key_lead_elsewhere() {
        let place = Place {
            shard: 1,
            slot: 2,
            salt: 3,
        };
        let other = IdentityKey::new([9; 32]);
        let id = key().registration_id(place);
        assert_ne!(other.place_of(id.as_bytes()), Some(place));
    }
}
