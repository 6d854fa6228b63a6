use std::sync::Arc;

use data_encoding::BASE64;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use serde_json::{Value, json};

use super::super::generate::{Authority, Usage, Validity, key};
use super::super::*;

/// 2023-11-14T22:13:20Z
pub const NOW: UnixMillis = 1_700_000_000_000;
pub const DAY: UnixMillis = 86_400_000;
pub const VALID: Validity = Validity {
    now: NOW,
    days: 100,
};
pub const KEY: &str = "01020304050607080A0B0C0D0F010203";

pub fn authority() -> Authority {
    Authority::create("authority", Curve::P256, VALID).unwrap()
}

pub fn device_certificate(authority: &Authority, endpoint: &str) -> X509 {
    let key = key(Curve::P256).unwrap();
    authority
        .issue(endpoint, &key, Usage::Client, VALID)
        .unwrap()
}

pub fn key_on(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub fn rsa_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap()
}

pub fn spki(key: &PKey<Private>) -> String {
    BASE64.encode(&key.public_key_to_der().unwrap())
}

pub fn der(certificate: &X509) -> Box<[u8]> {
    certificate.to_der().unwrap().into()
}

pub fn base64(certificate: &X509) -> String {
    BASE64.encode(&der(certificate))
}

pub fn psk(identity: &str) -> Value {
    json!({"client": {"securityConfigClientMode": "PSK", "identity": identity, "key": KEY}})
}

pub fn rpk(key: &str) -> Value {
    json!({"client": {"securityConfigClientMode": "RPK", "key": key}})
}

pub fn x509(cert: &str) -> Value {
    json!({"client": {"securityConfigClientMode": "X509", "cert": cert}})
}

pub fn put(
    index: &Arc<CredentialsIndex>,
    endpoint: &str,
    credentials: &Value,
) -> Result<(), CredentialsError> {
    let credentials = DeviceCredentials::read(Some(credentials))?;
    index.reserve(endpoint, &credentials)?.commit();
    Ok(())
}

/// Credentials with a trust store of `trusted`.
pub fn trusting(trusted: Vec<X509>) -> Credentials {
    let trust = Some(TrustStore::new(trusted).unwrap());
    let keys = Keys {
        trust,
        ..Keys::default()
    };
    Credentials::new(Arc::default(), keys)
}

/// The endpoint, or the alert.
pub fn decide(credentials: &Credentials, claim: Claim<'_>) -> Result<String, u8> {
    decide_at(credentials, claim, Proof::Handshake, NOW)
}

pub fn decide_at(
    credentials: &Credentials,
    claim: Claim<'_>,
    proof: Proof,
    now: UnixMillis,
) -> Result<String, u8> {
    let decision = credentials.authorise(claim, Purpose::Registration, proof, now);
    match decision.verdict {
        Verdict::Refused(refusal) => {
            assert_eq!(decision.identity, None);
            Err(refusal.alert())
        }
        Verdict::Psk(_) | Verdict::Accepted => {
            let bound = decision.identity.unwrap();
            let purpose = Purpose::Registration;
            let (identity, endpoint) = (bound.identity, &bound.endpoint);
            assert!(credentials.index().binds(identity, endpoint, purpose));
            Ok(bound.endpoint.to_string())
        }
    }
}
