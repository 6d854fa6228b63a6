use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use openssl::x509::X509;
use rookery::engine::credentials::Purpose;
use rookery::services::credentials::{Claim, Credentials, KeySettings, Keys, Proof, Verdict};
use rookery::services::models::Models;
use rookery::services::profiles::{ProfileSettings, Profiles, ServerPorts};
use rookery::services::provisioning::{DeviceBody, Provisioning};
use rookery::store::MemoryStore;

use crate::program::{Serving, rookery, run};

const PURPOSE: Purpose = Purpose::Registration;

fn generate(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(rookery(directory)
        .args(["credentials", "generate"])
        .args(arguments))
}

/// Provisions the generated device; what a handshake is then told goes by the trust store of the
/// generated authority.
async fn provisioned(directory: &Path, endpoint: &str) -> Credentials {
    let store = Arc::new(MemoryStore::default());
    let models = Arc::new(Models::load(store.clone()).await.unwrap());
    let settings = ProfileSettings {
        ports: ServerPorts::default(),
        of_unnamed: "default".to_owned(),
    };
    let profiles = Profiles::load(store.clone(), models, None, settings);
    let provisioning = Provisioning::new(store, profiles.await.unwrap(), "default");
    let file = directory.join(format!("{endpoint}_device.json"));
    let body: DeviceBody = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let device = provisioning.check(Some(endpoint), body).unwrap();
    for outcome in provisioning.put(&[device]).await.unwrap() {
        outcome.unwrap();
    }
    let authority = directory.join("ca_certificate.pem");
    let settings = KeySettings {
        trust_store: authority.exists().then_some(authority),
        ..KeySettings::default()
    };
    let keys = Keys::load(&settings).unwrap();
    Credentials::new(provisioning.credentials().clone(), keys)
}

fn now() -> i64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn a_generated_psk_is_accepted_for_its_device() {
    let directory = tempfile::tempdir().unwrap();
    let (code, output, error) = generate(
        directory.path(),
        &["psk", "--endpoint", "dev-1", "--identity", "me"],
    );
    assert_eq!(code, 0, "{error}");
    assert!(
        output.contains("curl -X PUT http://127.0.0.1:8080/api/v1/devices/dev-1 "),
        "{output}"
    );
    let key = fs::read_to_string(directory.path().join("dev-1_psk.hex")).unwrap();
    assert!(!output.contains(&key), "keys are in files alone");
    let credentials = provisioned(directory.path(), "dev-1").await;
    let decision =
        credentials.authorise(Claim::PskIdentity(b"me"), PURPOSE, Proof::Handshake, now());
    let Verdict::Psk(found) = decision.verdict else {
        panic!("{decision:?}");
    };
    assert_eq!(data_encoding::HEXUPPER.encode(found.bytes()), key);
}

#[tokio::test]
async fn a_generated_public_key_is_accepted_for_its_device() {
    let directory = tempfile::tempdir().unwrap();
    for (endpoint, curve) in [("dev-1", "P-256"), ("dev-2", "P-384")] {
        let arguments = ["rpk", "--endpoint", endpoint, "--curve", curve];
        assert_eq!(generate(directory.path(), &arguments).0, 0);
        let credentials = provisioned(directory.path(), endpoint).await;
        let public = directory.path().join(format!("{endpoint}_public.der"));
        let public = fs::read(public).unwrap();
        let claim = Claim::RawPublicKey(&public);
        let decision = credentials.authorise(claim, PURPOSE, Proof::Handshake, now());
        assert_eq!(&*decision.identity.unwrap().endpoint, endpoint);
    }
}

#[tokio::test]
async fn a_generated_certificate_is_accepted_stored_or_by_its_authority() {
    let directory = tempfile::tempdir().unwrap();
    let (code, output, error) = generate(directory.path(), &["x509", "--endpoint", "stored"]);
    assert_eq!(code, 0, "{error}");
    assert!(output.contains("made an authority"), "{output}");
    let trusted = ["x509", "--endpoint", "trusted", "--trusted"];
    let (code, output, _) = generate(directory.path(), &trusted);
    assert!(
        code == 0 && !output.contains("made an authority"),
        "{output}"
    );
    assert!(output.contains("trust_store = "), "{output}");
    for endpoint in ["stored", "trusted"] {
        let credentials = provisioned(directory.path(), endpoint).await;
        let file = directory.path().join(format!("{endpoint}_certificate.pem"));
        let certificate = X509::from_pem(&fs::read(file).unwrap()).unwrap();
        let chain = [certificate.to_der().unwrap().into()];
        let claim = Claim::Certificate(&chain);
        let decision = credentials.authorise(claim, PURPOSE, Proof::Handshake, now());
        assert_eq!(&*decision.identity.unwrap().endpoint, endpoint);
    }
}

#[test]
fn files_are_private_and_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["rpk", "--endpoint", "urn:a/b", "--out", "keys"];
    assert_eq!(generate(directory.path(), &arguments).0, 0);
    let read = || {
        let mut files: Vec<_> = fs::read_dir(directory.path().join("keys"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let content = |file: &std::path::PathBuf| fs::read(file).unwrap();
        (files.iter().map(content).collect::<Vec<_>>(), files)
    };
    let (before, files) = read();
    for file in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let (code, _, error) = generate(directory.path(), &arguments);
    assert_eq!(code, 1);
    assert!(error.contains("exists already; --force"), "{error}");
    assert_eq!(read().0, before);
    let forced = [&arguments[..], &["--force"]].concat();
    assert_eq!(generate(directory.path(), &forced).0, 0);
    assert_ne!(read().0, before);
    let long = "x".repeat(65);
    let (code, _, error) = generate(directory.path(), &["x509", "--endpoint", &long]);
    assert_eq!(code, 1);
    assert!(error.contains("1 to 64 characters"), "{error}");
}

#[test]
fn generated_server_keys_are_served_reloaded_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    let (code, lines, error) = generate(directory.path(), &["server", "--out", "keys"]);
    assert_eq!(code, 0, "{error}");
    let lines = lines.split_once("[dtls]").unwrap().1.to_owned();
    fs::write(directory.path().join("r.toml"), format!("[dtls]{lines}")).unwrap();
    let serving = Serving::start(directory.path(), &["--config", "r.toml", "--dev"]);
    let key = |file: &str| fs::read_to_string(directory.path().join(file)).unwrap();
    let shown = serving.get("/api/v1/server", None).1;
    let public = key("keys/server_public.base64");
    assert!(
        shown.contains(&public) && shown.contains("CN=rookery"),
        "{shown}"
    );
    let again = ["server", "--out", "keys", "--force"];
    assert_eq!(generate(directory.path(), &again).0, 0);
    serving.signal("HUP");
    serving.wait_for_log("DTLS keys and certificates reloaded");
    let shown = serving.get("/api/v1/server", None).1;
    assert!(shown.contains(&key("keys/server_public.base64")), "{shown}");
    fs::write(directory.path().join("keys/server_key.pem"), "nonsense").unwrap();
    serving.signal("HUP");
    serving.wait_for_log("those in force stay");
}

#[test]
fn the_development_form_makes_keys_of_its_own_and_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let public = || {
        let serving = Serving::start(directory.path(), &["--dev"]);
        let shown = serving.get("/api/v1/server", None).1;
        let (_, rest) = shown.split_once("\"publicKey\":\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    assert_eq!(public(), public());
    let key = directory.path().join("data/dtls/server_key.pem");
    let mode = fs::metadata(key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn devices_with_keys_are_imported_once_each() {
    let directory = tempfile::tempdir().unwrap();
    let key = "000102030405060708090a0b0c0d0e0f";
    let csv = format!(
        "endpoint,securityConfigClientMode,identity,key\na,PSK,one,{key}\nb,PSK,one,{key}\nc,PSK,two,{key}\n"
    );
    fs::write(directory.path().join("d.csv"), csv).unwrap();
    let import =
        || run(rookery(directory.path()).args(["devices", "import", "d.csv", "--data", "data"]));
    let (code, output, error) = import();
    assert_eq!(
        (code, output.trim()),
        (1, "2 created, 0 replaced, 1 refused")
    );
    assert!(
        error.contains("d.csv:3: Specified credentials are already registered!"),
        "{error}"
    );
    let _serving = Serving::start(directory.path(), &[]);
    let (_, output, error) = import();
    assert_eq!(output.trim(), "0 created, 2 replaced, 1 refused", "{error}");
}
