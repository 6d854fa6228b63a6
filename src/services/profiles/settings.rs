//! `clientLwM2mSettings`, and what is ours under `rookery`.

use crate::engine::endpoint::profile_parts::{LogLevel, PowerSettings};
use crate::engine::update::Strategy;

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

/// How devices of a profile are updated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateSettings {
    /// Whether object 19 is told about the package first.
    pub object_19_info: bool,
    /// How firmware gets to the device.
    pub firmware_strategy: Strategy,
    /// How software gets to the device.
    pub software_strategy: Strategy,
    /// Where devices fetch firmware from this server; `None` for the address they talk to anyway.
    pub firmware_resource: Option<String>,
    /// The same for software.
    pub software_resource: Option<String>,
}

const STRATEGIES: [Strategy; 3] = [Strategy::Push, Strategy::Url, Strategy::PushObject19];

/// Checks `clientLwM2mSettings`; the power settings in it, and how devices are updated.
pub(super) fn read(
    members: &Members<'_>,
    findings: &mut Findings,
) -> (PowerSettings, UpdateSettings) {
    let object_19_info = members.boolean("useObject19ForOtaInfo", findings);
    let firmware = "1 (object 5, binary), 2 (object 5, URI) or 3 (object 19, binary): a number";
    let firmware = members.number("fwUpdateStrategy", firmware, 1..=3, findings);
    let software = "1 (object 9, binary) or 2 (object 9, URI): a number";
    let software = members.number("swUpdateStrategy", software, 1..=2, findings);
    let mut resource = |name| {
        let text = members.text(name, findings)?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    let updates = UpdateSettings {
        object_19_info: object_19_info.unwrap_or_default(),
        firmware_strategy: strategy(firmware),
        software_strategy: strategy(software),
        firmware_resource: resource("fwUpdateResource"),
        software_resource: resource("swUpdateResource"),
    };
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
    (power::read(members, findings), updates)
}

/// By ThingsBoard's number, which is checked.
fn strategy(number: Option<u32>) -> Strategy {
    let index = number.map_or(0, |number| number.saturating_sub(1) as usize);
    STRATEGIES.get(index).copied().unwrap_or_default()
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
