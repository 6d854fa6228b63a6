//! Firmware and software packages, stored as the demo client stores them (`-tota`): checked against what object 19 told
//! of them, written to a folder, "installed" by a file that says what runs.

use data_encoding::HEXLOWER;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};

use crate::client::device::{Device, Timer};
use crate::client::event::Event;
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::storage::Download;
use crate::client::value::Value;

/// Between a failure and the first state again, in milliseconds.
const RESET_MS: u64 = 100;

/// What is updated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PackageKind {
    /// Object 5.
    Firmware,
    /// Object 9.
    Software,
}

/// What object 19 tells of a package, and what the folder keeps of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageInfo {
    /// Title.
    pub title: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// SHA-256 in hex.
    pub checksum: Option<String>,
    /// Bytes.
    pub data_size: Option<u64>,
    /// Name of the file.
    pub file_name: Option<String>,
}

/// How one object names states and results.
struct Terms {
    prefix: &'static str,
    info: u16,
    state: &'static str,
    result: &'static str,
    name: &'static str,
    version: &'static str,
    /// State and result with the package on its way, and with it here.
    loading: (i64, i64),
    ready: (i64, i64),
    /// Results when the check, and when the folder fails.
    check: i64,
    storage: i64,
    /// What runs when nobody says.
    default: (&'static str, &'static str),
}

impl PackageKind {
    const fn terms(self) -> Terms {
        match self {
            Self::Firmware => Terms {
                prefix: "FW_",
                info: 65_533,
                state: "/5/0/3",
                result: "/5/0/5",
                name: "/5/0/6",
                version: "/5/0/7",
                loading: (1, 0),
                ready: (2, 0),
                check: 5,
                storage: 2,
                default: ("firmware", "1.0.0"),
            },
            Self::Software => Terms {
                prefix: "SW_",
                info: 65_534,
                state: "/9/0/7",
                result: "/9/0/9",
                name: "/9/0/0",
                version: "/9/0/1",
                loading: (1, 1),
                ready: (3, 3),
                check: 53,
                storage: 51,
                default: ("software", "1.0.0"),
            },
        }
    }

    /// The file that says what runs.
    #[must_use]
    pub fn record(self) -> String {
        format!("{}Ota.json", self.terms().prefix)
    }

    /// What the files of packages begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        self.terms().prefix
    }
}

/// Takes a package: state downloading, check, file, state downloaded, all before the Write is answered.
///
/// # Errors
/// 4.00 when the package is not what object 19 told, or cannot be stored.
pub fn take(device: &mut Device, kind: PackageKind, bytes: &[u8], now: u64) -> Result<(), Refusal> {
    let terms = kind.terms();
    enter(device, &terms, terms.loading, now);
    let told = told(device, &terms);
    let sum = HEXLOWER.encode(&sha256(bytes));
    let size = bytes.len() as u64;
    let wrong = match &told {
        Some(PackageInfo {
            checksum: Some(known),
            ..
        }) if !known.eq_ignore_ascii_case(&sum) => Some(format!(
            "failed ChecksumSHA256. Payload: {sum} Original: {known}"
        )),
        Some(PackageInfo {
            data_size: Some(known),
            ..
        }) if *known != size => Some(format!(
            "failed FileSize. Payload: {size} Original: {known}"
        )),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(fail(device, &terms, terms.check, &wrong, now));
    }
    let mut info = told.unwrap_or_default();
    let name = info
        .file_name
        .get_or_insert_with(|| "OtaPackage.bin".into());
    // A name is a name, not a way out of the folder.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let file = format!("{}{name}", terms.prefix);
    info.checksum.get_or_insert(sum);
    info.data_size.get_or_insert(size);
    let stored = match device.options().storage.clone() {
        Some(storage) => storage.put(&file, bytes),
        None => Ok(()),
    };
    if let Err(error) = stored {
        return Err(fail(
            device,
            &terms,
            terms.storage,
            &format!("{file}: {error}"),
            now,
        ));
    }
    device.delivered[kind as usize] = Some(info);
    enter(device, &terms, terms.ready, now);
    Ok(())
}

/// Begins to fetch a package; what comes of it is told to [`fetched`].
pub fn fetch(device: &mut Device, kind: PackageKind, url: &str, now: u64) {
    let terms = kind.terms();
    enter(device, &terms, terms.loading, now);
    let url = url.to_owned();
    device.downloads.push(Download { kind, url });
}

/// A download has ended. A failure is told to people and changes nothing, as with the demo client.
pub fn fetched(device: &mut Device, kind: PackageKind, outcome: Result<Vec<u8>, String>, now: u64) {
    let failure = match outcome {
        Ok(bytes) => take(device, kind, &bytes, now)
            .err()
            .map(|refusal| refusal.text),
        Err(text) => Some(text),
    };
    if let Some(text) = failure {
        device.tell(Event::Package(text));
    }
}

/// The installation is over: what was delivered runs.
pub fn installed(device: &mut Device, kind: PackageKind) {
    let terms = kind.terms();
    let Some(info) = device.delivered[kind as usize].take() else {
        return;
    };
    if let Some(storage) = device.options().storage.clone() {
        let json = serde_json::to_vec(&info).unwrap_or_default();
        if let Err(error) = storage.put(&kind.record(), &json) {
            device.tell(Event::Package(format!("{}: {error}", kind.record())));
        }
    }
    let (title, version) = names(&info, &terms);
    device.put(terms.name, title.into());
    device.put(terms.version, version.into());
}

/// Deletes the stored packages of a kind, not the record of what runs.
pub fn delete(device: &mut Device, kind: PackageKind) {
    let Some(storage) = device.options().storage.clone() else {
        return;
    };
    device.delivered[kind as usize] = None;
    if let Err(error) = storage.remove(kind.prefix(), &kind.record()) {
        device.tell(Event::Package(error.to_string()));
    }
}

/// Title and version that the folder says run: read when the device is switched on.
#[must_use]
pub fn running(
    storage: &dyn crate::client::PackageStorage,
    kind: PackageKind,
) -> Option<(String, String)> {
    let json = storage.get(&kind.record())?;
    let info = serde_json::from_slice(&json).ok()?;
    Some(names(&info, &kind.terms()))
}

fn names(info: &PackageInfo, terms: &Terms) -> (String, String) {
    let (title, version) = terms.default;
    (
        info.title.clone().unwrap_or_else(|| title.into()),
        info.version.clone().unwrap_or_else(|| version.into()),
    )
}

/// What object 19 told of the package that is to come.
fn told(device: &Device, terms: &Terms) -> Option<PackageInfo> {
    let path = Path::new(&[19, terms.info, 0, 0]);
    match device.tree().get(&path)? {
        Value::Opaque(json) => serde_json::from_slice(json).ok(),
        _ => None,
    }
}

fn enter(device: &mut Device, terms: &Terms, (state, result): (i64, i64), now: u64) {
    device.put(terms.state, state.into());
    device.put(terms.result, result.into());
    // Each state is notified, however soon the next one follows.
    device.notify_changes(now);
}

fn fail(device: &mut Device, terms: &Terms, result: i64, text: &str, now: u64) -> Refusal {
    device.put(terms.result, result.into());
    device.notify_changes(now);
    for path in [terms.state, terms.result] {
        device.schedule(now + RESET_MS, Timer::Set(path, Value::Integer(0)));
    }
    Refusal::bad_request(format!("File writing error: {text}"))
}
