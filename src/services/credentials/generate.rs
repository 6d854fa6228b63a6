//! Makes keys and certificates: for devices, for the server, and an authority of one's own.

use data_encoding::{BASE64, HEXUPPER};
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::device::Mode;
use super::material::Curve;
use crate::proto::time::UnixMillis;

/// Longest common name of a certificate in characters (RFC 5280 appendix A.1, ub-common-name).
pub const MAX_COMMON_NAME: usize = 64;

/// Clocks of devices may be behind.
const DAY: UnixMillis = 86_400_000;

/// Why a key or certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// No common name.
    #[error(
        "\"{name}\" cannot be the common name of a certificate; accepted are 1 to {MAX_COMMON_NAME} characters"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// No length of a pre-shared key.
    #[error("a key of {bytes} bytes is not accepted; accepted are 16, 32 and 64")]
    KeyLength {
        /// The length.
        bytes: usize,
    },
    /// OpenSSL failed.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
}

impl GenerateError {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Name { .. } => "name",
            Self::KeyLength { .. } => "key_length",
            Self::OpenSsl(_) => "openssl",
        }
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Usage {
    /// A device.
    Client,
    /// This server.
    Server,
}

/// How long a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// When it is made; it is valid from a day before.
    pub now: UnixMillis,
    /// Days from then on.
    pub days: u32,
}

/// A new pre-shared key in hexadecimal digits.
///
/// # Errors
/// See [`GenerateError`].
pub fn psk(bytes: usize) -> Result<Zeroizing<String>, GenerateError> {
    if ![16, 32, 64].contains(&bytes) {
        return Err(GenerateError::KeyLength { bytes });
    }
    let mut key = Zeroizing::new(vec![0; bytes]);
    openssl::rand::rand_bytes(&mut key)?;
    Ok(Zeroizing::new(HEXUPPER.encode(&key)))
}

/// A new private key.
///
/// # Errors
/// OpenSSL failed.
pub fn key(curve: Curve) -> Result<PKey<Private>, GenerateError> {
    let group = EcGroup::from_curve_name(curve.nid())?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

/// An authority of one's own.
pub struct Authority {
    /// Its key.
    pub key: PKey<Private>,
    /// Its certificate.
    pub certificate: X509,
}

impl Authority {
    /// A new one that signs certificates of devices.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn create(name: &str, curve: Curve, validity: Validity) -> Result<Self, GenerateError> {
        Self::make(name, curve, validity, None, 0)
    }

    /// A new one that may have one other below it.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn create_root(
        name: &str,
        curve: Curve,
        validity: Validity,
    ) -> Result<Self, GenerateError> {
        Self::make(name, curve, validity, None, 1)
    }

    /// Another one below this one.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn delegate(
        &self,
        name: &str,
        curve: Curve,
        validity: Validity,
    ) -> Result<Self, GenerateError> {
        Self::make(name, curve, validity, Some(self), 0)
    }

    fn make(
        name: &str,
        curve: Curve,
        validity: Validity,
        above: Option<&Self>,
        below: u32,
    ) -> Result<Self, GenerateError> {
        let key = key(curve)?;
        let subject = common_name(name)?;
        let issuer = match above {
            Some(above) => above.subject()?,
            None => subject.to_owned()?,
        };
        let mut builder = begin(&subject, &issuer, &key, validity)?;
        let constraints = BasicConstraints::new()
            .critical()
            .ca()
            .pathlen(below)
            .build()?;
        builder.append_extension(constraints)?;
        let mut usage = KeyUsage::new();
        usage.critical().key_cert_sign().crl_sign();
        builder.append_extension(usage.build()?)?;
        let signer = above.map_or(&key, |above| &above.key);
        let certificate = finish(builder, above.map(|above| &above.certificate), signer)?;
        Ok(Self { key, certificate })
    }

    /// A certificate of `key` under this authority.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn issue(
        &self,
        name: &str,
        key: &PKey<Private>,
        usage: Usage,
        validity: Validity,
    ) -> Result<X509, GenerateError> {
        let subject = common_name(name)?;
        let mut builder = begin(&subject, &self.subject()?, key, validity)?;
        end_entity(&mut builder, usage)?;
        finish(builder, Some(&self.certificate), &self.key)
    }

    fn subject(&self) -> Result<X509Name, ErrorStack> {
        self.certificate.subject_name().to_owned()
    }
}

/// A certificate of `key` under no authority.
///
/// # Errors
/// See [`GenerateError`].
pub fn self_signed(
    name: &str,
    key: &PKey<Private>,
    usage: Usage,
    validity: Validity,
) -> Result<X509, GenerateError> {
    let subject = common_name(name)?;
    let mut builder = begin(&subject, &subject, key, validity)?;
    end_entity(&mut builder, usage)?;
    finish(builder, None, key)
}

/// What a device is given, and the server is told of it.
pub enum Given<'a> {
    /// Identity and key in hexadecimal digits.
    Psk {
        /// Identity.
        identity: &'a str,
        /// Key.
        key: &'a str,
    },
    /// Its key pair.
    Rpk(&'a PKey<Private>),
    /// Its key and certificate; `pinned` when the server is to know this certificate and no other.
    X509 {
        /// Private key.
        key: &'a PKey<Private>,
        /// Certificate.
        certificate: &'a X509,
        /// Whether the server stores the certificate.
        pinned: bool,
    },
}

/// The body of `PUT /devices/{endpoint}` for a device, as ThingsBoard's LwM2M credentials.
///
/// # Errors
/// OpenSSL failed.
pub fn device(endpoint: &str, given: &Given<'_>) -> Result<Value, GenerateError> {
    let (mode, mut client, id, secret) = match given {
        Given::Psk { identity, key } => (
            Mode::Psk,
            json!({"identity": identity, "key": key}),
            (*identity).to_owned(),
            (*key).to_owned(),
        ),
        Given::Rpk(key) => {
            let public = BASE64.encode(&key.public_key_to_der()?);
            (
                Mode::Rpk,
                json!({"key": public}),
                public.clone(),
                BASE64.encode(&key.private_key_to_pkcs8()?),
            )
        }
        Given::X509 {
            key,
            certificate,
            pinned,
        } => {
            let certificate = BASE64.encode(&certificate.to_der()?);
            let stored = if *pinned { certificate.as_str() } else { "" };
            (
                Mode::X509,
                json!({"cert": stored}),
                certificate.clone(),
                BASE64.encode(&key.private_key_to_pkcs8()?),
            )
        }
    };
    client["securityConfigClientMode"] = json!(mode.name());
    client["endpoint"] = json!(endpoint);
    let server =
        json!({"securityMode": mode.name(), "clientPublicKeyOrId": id, "clientSecretKey": secret});
    Ok(json!({
        "credentials": {
            "client": client,
            "bootstrap": {"bootstrapServer": server, "lwm2mServer": server}
        }
    }))
}

fn common_name(name: &str) -> Result<X509Name, GenerateError> {
    if name.is_empty() || name.chars().count() > MAX_COMMON_NAME {
        let name = name.to_owned();
        return Err(GenerateError::Name { name });
    }
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

fn begin(
    subject: &X509Name,
    issuer: &X509Name,
    key: &PKey<Private>,
    validity: Validity,
) -> Result<X509Builder, GenerateError> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial = Asn1Integer::from_bn(&serial)?;
    let Validity { now, days } = validity;
    let time = |millis: UnixMillis| Asn1Time::from_unix(millis.div_euclid(1_000));
    let not_before = time(now - DAY)?;
    let not_after = time(now + i64::from(days) * DAY)?;
    let mut builder = X509Builder::new()?;
    // X.509v3, counted from 0.
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    Ok(builder)
}

fn end_entity(builder: &mut X509Builder, usage: Usage) -> Result<(), GenerateError> {
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    let mut extended = ExtendedKeyUsage::new();
    match usage {
        Usage::Client => extended.client_auth(),
        Usage::Server => extended.server_auth(),
    };
    builder.append_extension(extended.build()?)?;
    Ok(())
}

fn finish(
    mut builder: X509Builder,
    issuer: Option<&X509>,
    signer: &PKey<Private>,
) -> Result<X509, GenerateError> {
    let subject_key = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(subject_key)?;
    if let Some(issuer) = issuer {
        let authority = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&builder.x509v3_context(Some(issuer), None))?;
        builder.append_extension(authority)?;
    }
    let digest = match Curve::of(signer) {
        Some(Curve::P384) => MessageDigest::sha384(),
        _ => MessageDigest::sha256(),
    };
    builder.sign(signer, digest)?;
    Ok(builder.build())
}
