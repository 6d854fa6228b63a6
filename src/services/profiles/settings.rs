//! `clientLwM2mSettings`, and what is ours under `rookery`.

use crate::engine::endpoint::profile_parts::{LogLevel, PowerMode};

use super::findings::Findings;
use super::history::{self, History};
use super::members::Members;
use super::power;

const MEMBERS: [&str; 7] = [
    "useObject19ForOtaInfo",
    "fwUpdateStrategy",
    "swUpdateStrategy",
    "fwUpdateResource",
    "swUpdateResource",
    "clientOnlyObserveAfterConnect",
    "defaultObjectIDVer",
];

/// Checks `clientLwM2mSettings`; the power mode in it.
pub(super) fn read(members: &Members<'_>, findings: &mut Findings) -> PowerMode {
    members.boolean("useObject19ForOtaInfo", findings);
    let firmware = "1 (object 5, binary), 2 (object 5, URI) or 3 (object 19, binary): a number";
    members.number("fwUpdateStrategy", firmware, 1..=3, findings);
    let software = "1 (object 9, binary) or 2 (object 9, URI): a number";
    members.number("swUpdateStrategy", software, 1..=2, findings);
    for name in ["fwUpdateResource", "swUpdateResource"] {
        members.text(name, findings);
    }
    let number = "a whole number";
    members.number(
        "clientOnlyObserveAfterConnect",
        number,
        0..=u32::MAX,
        findings,
    );
    members.choice("defaultObjectIDVer", &["1.0", "1.1", "1.2"], findings);
    let known: Vec<_> = MEMBERS.iter().chain(&power::MEMBERS).copied().collect();
    members.warn_of_unknown(&known, findings);
    power::read(members, findings).unwrap_or_default()
}

/// Our own settings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extensions {
    pub(super) strict_object_versions: bool,
    pub(super) history: History,
    pub(super) transport_log: Option<LogLevel>,
}

/// Reads our own settings. None of ours is unknown to us.
pub(super) fn read_extensions(members: &Members<'_>, findings: &mut Findings) -> Extensions {
    members.refuse_unknown(
        &[
            "strictObjectVersions",
            "history",
            "transportLog",
            "bootstrap",
        ],
        findings,
    );
    Extensions {
        strict_object_versions: members
            .boolean("strictObjectVersions", findings)
            .unwrap_or_default(),
        history: history::read(members, findings),
        transport_log: members
            .choice("transportLog", &["off", "error", "info"], findings)
            .map(|level| [LogLevel::Off, LogLevel::Error, LogLevel::Info][level]),
    }
}
