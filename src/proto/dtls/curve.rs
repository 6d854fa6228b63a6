//! Elliptic curves that the keys of devices and of the server may be on.

use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKeyRef};

use super::ffi;

/// A curve that DTLS with this server can use (RFC 7925 §4.4 wants the first).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
}

impl Curve {
    /// Both names, as error messages state them.
    pub const ACCEPTED: &str = "P-256 (secp256r1) and P-384 (secp384r1)";

    /// OpenSSL's number.
    #[must_use]
    pub const fn nid(self) -> Nid {
        match self {
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
        }
    }

    /// The curve of a key; `None` for another curve or another algorithm.
    #[must_use]
    pub fn of<T: HasPublic>(key: &PKeyRef<T>) -> Option<Self> {
        // Asked by name: to look into the key OpenSSL would copy it into its older form.
        match ffi::group_name(key)?.as_bytes() {
            b"prime256v1" => Some(Self::P256),
            b"secp384r1" => Some(Self::P384),
            _ => None,
        }
    }

    /// Curve and uncompressed point of a SubjectPublicKeyInfo in the usual form (RFC 5480 §2), whose
    /// length is that of the curve. Whether the point lies on the curve is not looked at.
    #[must_use]
    pub fn of_encoded(der: &[u8]) -> Option<(Self, &[u8])> {
        [Self::P256, Self::P384].into_iter().find_map(|curve| {
            let (before, length) = curve.encoding();
            let point = der.strip_prefix(before)?;
            (point.len() == length && point[0] == UNCOMPRESSED).then_some((curve, point))
        })
    }

    /// What of a SubjectPublicKeyInfo comes before the point, and the length of that.
    const fn encoding(self) -> (&'static [u8], usize) {
        match self {
            Self::P256 => (
                b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
                65,
            ),
            Self::P384 => (
                b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
                97,
            ),
        }
    }
}

/// The first byte of a point that is not compressed (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

#[cfg(test)]
mod tests {
    use openssl::bn::BigNumContext;
    use openssl::ec::{EcGroup, EcKey, PointConversionForm};
    use openssl::pkey::PKey;

    use super::*;

    fn key(nid: Nid) -> EcKey<openssl::pkey::Private> {
        EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()
    }

    #[test]
    fn the_curve_of_a_key_is_known_and_its_point_is_found_in_its_encoding() {
        for curve in [Curve::P256, Curve::P384] {
            let pair = key(curve.nid());
            let mut context = BigNumContext::new().unwrap();
            let form = PointConversionForm::UNCOMPRESSED;
            let public = pair.public_key();
            let point = public.to_bytes(pair.group(), form, &mut context).unwrap();
            let pair = PKey::from_ec_key(pair).unwrap();
            assert_eq!(Curve::of(&pair), Some(curve));
            let der = pair.public_key_to_der().unwrap();
            let read = PKey::public_key_from_der(&der).unwrap();
            assert_eq!(Curve::of(&read), Some(curve));
            assert_eq!(Curve::of_encoded(&der), Some((curve, &point[..])));
            assert_eq!(Curve::of_encoded(&der[..der.len() - 1]), None);
        }
    }

    #[test]
    fn other_curves_and_algorithms_are_none_of_ours() {
        for nid in [Nid::SECP224R1, Nid::SECP256K1, Nid::BRAINPOOL_P256R1] {
            let pair = PKey::from_ec_key(key(nid)).unwrap();
            assert_eq!(Curve::of(&pair), None, "{nid:?}");
            assert_eq!(Curve::of_encoded(&pair.public_key_to_der().unwrap()), None);
        }
        assert_eq!(Curve::of(&PKey::generate_ed25519().unwrap()), None);
    }
}
