//! Keys that follow from a secret and a device's name, so that a million of them need no file.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509, X509Name, X509NameBuilder, X509Ref};

/// The name of the authority that device certificates come from.
const AUTHORITY: &str = "loadtest authority";
/// Certificates are valid from 2020 to 2049: the same whenever they are made.
const NOT_BEFORE: i64 = 1_577_836_800;
const NOT_AFTER: i64 = 2_493_072_000;
const PRE_SHARED_KEY: usize = 16;

/// Derives keys.
pub struct Derivation {
    secret: PKey<Private>,
    group: EcGroup,
}

impl Derivation {
    pub fn new(secret: &str) -> Result<Self, ErrorStack> {
        Ok(Self {
            secret: PKey::hmac(secret.as_bytes())?,
            group: EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?,
        })
    }

    /// The first half of HMAC-SHA256(secret, endpoint).
    pub fn pre_shared_key(&self, endpoint: &str) -> Result<Vec<u8>, ErrorStack> {
        let mut key = self.hmac(&[endpoint.as_bytes()])?;
        key.truncate(PRE_SHARED_KEY);
        Ok(key)
    }

    /// A device's key on P-256.
    pub fn device_key(&self, endpoint: &str) -> Result<PKey<Private>, ErrorStack> {
        self.ec_key(&[b"device key ", endpoint.as_bytes()])
    }

    /// The certificate and the key that device certificates are signed with.
    pub fn authority(&self) -> Result<(X509, PKey<Private>), ErrorStack> {
        let key = self.ec_key(&[b"authority"])?;
        let certificate = self.certificate(AUTHORITY, &key, None)?;
        Ok((certificate, key))
    }

    /// A certificate for `name`, signed by the issuer, or by itself as an authority.
    pub fn certificate(
        &self,
        name: &str,
        key: &PKey<Private>,
        issuer: Option<(&X509Ref, &PKey<Private>)>,
    ) -> Result<X509, ErrorStack> {
        let subject = common_name(name)?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        let mut serial = self.hmac(&[b"serial ", name.as_bytes()])?;
        serial.truncate(16);
        serial[0] = serial[0] & 0x7f | 1;
        let serial = Asn1Integer::from_bn(BigNum::from_slice(&serial)?.as_ref())?;
        builder.set_serial_number(&serial)?;
        builder.set_not_before(Asn1Time::from_unix(NOT_BEFORE)?.as_ref())?;
        builder.set_not_after(Asn1Time::from_unix(NOT_AFTER)?.as_ref())?;
        builder.set_subject_name(&subject)?;
        builder.set_pubkey(key)?;
        let signer = match issuer {
            Some((issuer, signer)) => {
                builder.set_issuer_name(issuer.subject_name())?;
                signer
            }
            None => {
                builder.set_issuer_name(&subject)?;
                builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
                key
            }
        };
        builder.sign(signer, MessageDigest::sha256())?;
        Ok(builder.build())
    }

    fn ec_key(&self, name: &[&[u8]]) -> Result<PKey<Private>, ErrorStack> {
        let mut context = BigNumContext::new()?;
        let (mut order, mut scalar) = (BigNum::new()?, BigNum::new()?);
        self.group.order(&mut order, &mut context)?;
        order.sub_word(1)?;
        scalar.nnmod(
            BigNum::from_slice(&self.hmac(name)?)?.as_ref(),
            &order,
            &mut context,
        )?;
        scalar.add_word(1)?;
        let mut public = EcPoint::new(&self.group)?;
        public.mul_generator2(&self.group, &scalar, &mut context)?;
        let key = EcKey::from_private_components(&self.group, &scalar, &public)?;
        PKey::from_ec_key(key)
    }

    fn hmac(&self, parts: &[&[u8]]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.secret)?;
        parts.iter().try_for_each(|part| signer.update(part))?;
        signer.sign_to_vec()
    }
}

fn common_name(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}
