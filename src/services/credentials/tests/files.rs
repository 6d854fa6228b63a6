use std::fs;
use std::path::{Path, PathBuf};

use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::symm::Cipher;
use openssl::x509::X509;

use super::super::generate::{Authority, Usage, key};
use super::super::*;
use super::fixture::*;

struct Files {
    directory: tempfile::TempDir,
    authority: Authority,
    key: PKey<Private>,
    certificate: X509,
}

impl Files {
    fn new() -> Self {
        let authority = authority();
        let key = key(Curve::P256).unwrap();
        let certificate = authority
            .issue("server", &key, Usage::Server, VALID)
            .unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            authority,
            key,
            certificate,
        }
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> Option<PathBuf> {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        Some(path)
    }

    fn pkcs12(&self, password: &str) -> Vec<u8> {
        let mut above = Stack::new().unwrap();
        above.push(self.authority.certificate.clone()).unwrap();
        Pkcs12::builder()
            .pkey(&self.key)
            .cert(&self.certificate)
            .ca(above)
            .build2(password)
            .unwrap()
            .to_der()
            .unwrap()
    }

    fn chain_pem(&self) -> Vec<u8> {
        // The wrong way round.
        let above = self.authority.certificate.to_pem().unwrap();
        [above, self.certificate.to_pem().unwrap()].concat()
    }
}

fn keys_of(server_key: Option<PathBuf>, server_certificate: Option<PathBuf>) -> KeySettings {
    KeySettings {
        server_key,
        server_certificate,
        ..KeySettings::default()
    }
}

fn refused(settings: &KeySettings, file: &Path) -> String {
    let error = Keys::load(settings).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
    error
}

#[test]
fn keys_are_read_from_pem_der_and_pkcs12() {
    let files = Files::new();
    let password = files.put("password", "secret\n");
    let pem = files.put("key.pem", files.key.private_key_to_pem_pkcs8().unwrap());
    let der = files.put("key.der", files.key.private_key_to_pkcs8().unwrap());
    let sec1 = files.key.ec_key().unwrap();
    let sec1 = files.put("sec1.pem", sec1.private_key_to_pem().unwrap());
    let aes = Cipher::aes_256_cbc();
    let encrypted = files
        .key
        .private_key_to_pem_pkcs8_passphrase(aes, b"secret");
    let encrypted = files.put("encrypted.pem", encrypted.unwrap());
    let p12 = files.put("keys.p12", files.pkcs12("secret"));
    let chain = files.put("chain.pem", files.chain_pem());
    let leaf = files.put("leaf.der", files.certificate.to_der().unwrap());
    for (key, certificate, length) in [
        (&pem, &chain, 2),
        (&der, &leaf, 1),
        (&sec1, &None, 0),
        (&encrypted, &chain, 2),
        (&p12, &None, 2),
        (&p12, &leaf, 1),
    ] {
        let settings = KeySettings {
            server_key_password: password.clone(),
            ..keys_of(key.clone(), certificate.clone())
        };
        let keys = Keys::load(&settings).unwrap();
        let server = keys.server.unwrap();
        assert!(server.key.public_eq(&files.key));
        assert_eq!(server.chain.len(), length, "{key:?}");
        if let Some(first) = server.chain.first() {
            assert_eq!(der_of(first), der_of(&files.certificate), "the leaf first");
        }
    }
}

fn der_of(certificate: &X509) -> Vec<u8> {
    certificate.to_der().unwrap()
}

#[test]
fn a_trust_store_is_read_from_pem_der_and_pkcs12() {
    let files = Files::new();
    let authority = &files.authority.certificate;
    let password = files.put("password", "secret");
    for (file, count) in [
        (files.put("ca.pem", files.chain_pem()), 2),
        (files.put("ca.der", der_of(authority)), 1),
        (files.put("ca.p12", files.pkcs12("secret")), 2),
    ] {
        let settings = KeySettings {
            trust_store: file,
            trust_store_password: password.clone(),
            ..KeySettings::default()
        };
        let trust = Keys::load(&settings).unwrap().trust.unwrap();
        assert_eq!(trust.certificates().len(), count);
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_is_accepted() {
    let files = Files::new();
    let key = files.put("key.pem", files.key.private_key_to_pem_pkcs8().unwrap());
    let public = files.put("public.pem", files.key.public_key_to_pem().unwrap());
    let p12 = files.put("keys.p12", files.pkcs12("secret"));
    let aes = Cipher::aes_256_cbc();
    let encrypted = files
        .key
        .private_key_to_pem_pkcs8_passphrase(aes, b"secret");
    let encrypted = files.put("encrypted.pem", encrypted.unwrap());
    let weak = files.put(
        "weak.pem",
        key_on(Nid::SECP521R1).private_key_to_pem_pkcs8().unwrap(),
    );
    let rsa = files.put("rsa.pem", rsa_key().private_key_to_pem_pkcs8().unwrap());
    let nonsense = files.put("nonsense", "nonsense");
    let empty = files.put("empty", "");
    let java = files.put("keys.jks", [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]);
    let large = files.put("large", vec![0; (1 << 20) + 1]);
    let foreign = files.put(
        "foreign.pem",
        device_certificate(&files.authority, "x").to_pem().unwrap(),
    );
    let absent = Some(files.directory.path().join("absent"));
    for (key, certificate, of, expected) in [
        (&absent, &None, &absent, "No such file"),
        (&public, &None, &public, "no private key"),
        (&nonsense, &None, &nonsense, "PEM or DER"),
        (&empty, &None, &empty, "no private key"),
        (&java, &None, &java, "Java keystore"),
        (&large, &None, &large, "more than"),
        (&p12, &None, &p12, "needs a password"),
        (&encrypted, &None, &encrypted, "needs a password"),
        (&weak, &None, &weak, "P-256"),
        (&rsa, &None, &rsa, "P-256"),
        (&key, &nonsense, &nonsense, "no certificates"),
        (&key, &foreign, &foreign, "is not that of the key"),
        (&None, &foreign, &foreign, "set dtls.server_key"),
    ] {
        let settings = keys_of(key.clone(), certificate.clone());
        let text = refused(&settings, of.as_ref().unwrap());
        assert!(text.contains(expected), "{text}");
    }
    let wrong = KeySettings {
        server_key_password: files.put("wrong", "wrong"),
        ..keys_of(p12.clone(), None)
    };
    assert!(refused(&wrong, p12.as_ref().unwrap()).contains("is wrong"));
    let nul = KeySettings {
        server_key_password: files.put("nul", "a\0b"),
        ..keys_of(p12, None)
    };
    assert!(refused(&nul, &files.directory.path().join("nul")).contains("one line"));
}

#[test]
fn a_reload_says_what_changed_and_a_bad_file_changes_nothing() {
    let files = Files::new();
    let pem = files.key.private_key_to_pem_pkcs8().unwrap();
    let key_file = files.put("key.pem", &pem);
    let trust_store = files.put("ca.pem", files.authority.certificate.to_pem().unwrap());
    let settings = KeySettings {
        trust_store,
        ..keys_of(key_file, None)
    };
    let keys = Keys::load(&settings).unwrap();
    let credentials = Credentials::new(std::sync::Arc::default(), keys);
    assert_eq!(credentials.reload(&settings).unwrap(), []);
    let other = key(Curve::P384).unwrap();
    files.put("key.pem", other.private_key_to_pem_pkcs8().unwrap());
    files.put("ca.pem", authority().certificate.to_pem().unwrap());
    let changes = credentials.reload(&settings).unwrap();
    assert_eq!(changes, [KeyChange::Server, KeyChange::TrustStore]);
    files.put("key.pem", "nonsense");
    assert!(credentials.reload(&settings).is_err());
    let in_force = credentials.keys();
    assert!(in_force.server.as_ref().unwrap().key.public_eq(&other));
}

#[test]
fn only_public_parts_are_shown() {
    let files = Files::new();
    let settings = keys_of(
        files.put("key.pem", files.key.private_key_to_pem_pkcs8().unwrap()),
        files.put("chain.pem", files.chain_pem()),
    );
    let view = Keys::load(&settings).unwrap().view();
    assert_eq!(view.modes, ["PSK", "RPK", "X509"]);
    assert_eq!(view.public_key, Some(spki(&files.key)));
    let leaf = &view.certificates[0];
    assert_eq!(leaf.subject, "CN=server");
    assert_eq!(leaf.issuer, "CN=authority");
    assert_eq!(leaf.not_after, Some(NOW + 100 * DAY));
    assert_eq!(leaf.der, base64(&files.certificate));
    assert_eq!(Keys::default().view().modes, ["PSK"]);
}
