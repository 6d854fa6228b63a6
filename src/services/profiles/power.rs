//! When devices listen: what a profile says of it, and what a device says which has settings of its
//! own.

use serde_json::{Map, Value};

use crate::engine::endpoint::profile_parts::{PowerKind, PowerSettings};

use super::findings::{Finding, Findings};
use super::json::Node;
use super::members::{Members, unlike};

/// Longest timer in milliseconds: a day. The longest of 3GPP TS 24.008 are below three hours.
pub(super) const MAX_TIMER: u32 = 86_400_000;

/// Members that are read here.
pub(super) const MEMBERS: [&str; 4] = [
    "powerMode",
    "psmActivityTimer",
    "edrxCycle",
    "pagingTransmissionWindow",
];

const MODES: [&str; 3] = ["DRX", "PSM", "E_DRX"];

/// What `members` say. Timers that are absent, `null` or 0 are not said.
pub(super) fn read(members: &Members<'_>, findings: &mut Findings) -> PowerSettings {
    let mut timer = |name| {
        let what = "a whole number of milliseconds";
        let given = members.number(name, what, 0..=MAX_TIMER, findings);
        given.filter(|timer| *timer != 0)
    };
    let settings = PowerSettings {
        activity_timer: timer("psmActivityTimer"),
        cycle: timer("edrxCycle"),
        paging_window: timer("pagingTransmissionWindow"),
        kind: None,
    };
    let kind = members.choice("powerMode", &MODES, findings);
    let kind = kind.map(|kind| [PowerKind::Drx, PowerKind::Psm, PowerKind::Edrx][kind]);
    if let (Some(PowerKind::Edrx), Some(cycle), Some(window)) =
        (kind, settings.cycle, settings.paging_window)
        && window > cycle
    {
        findings.refuse(
            &members.at("pagingTransmissionWindow"),
            format!("is {window}; accepted is at most `edrxCycle`, which is {cycle}"),
        );
    }
    PowerSettings { kind, ..settings }
}

/// What a device's own transport configuration says of when it listens; `None` when nothing.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn device_power(
    transport_configuration: &Map<String, Value>,
) -> Result<Option<PowerSettings>, Finding> {
    const PLACE: &str = "transportConfiguration";
    let mut findings = Findings::default();
    let node = Node::from(transport_configuration);
    let mut settings = PowerSettings::default();
    if let Some(members) = Members::outermost(&node, PLACE, &mut findings) {
        check_type(&members, &mut findings);
        settings = read(&members, &mut findings);
    }
    match findings.errors.first.into_iter().next() {
        None => Ok(Some(settings).filter(|settings| *settings != PowerSettings::default())),
        Some(fault) => Err(fault),
    }
}

/// `type` says `LWM2M` or nothing.
pub(super) fn check_type(members: &Members<'_>, findings: &mut Findings) {
    if let Some(node) = members.get("type")
        && *node != Node::String("LWM2M".to_owned())
    {
        findings.refuse(&members.at("type"), unlike(node, "\"LWM2M\""));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::endpoint::profile_parts::PowerMode;

    fn own(configuration: Value) -> Result<Option<PowerSettings>, String> {
        let Value::Object(members) = configuration else {
            panic!("an object");
        };
        device_power(&members).map_err(|fault| fault.to_string())
    }

    fn mode(own_settings: Value, profile: PowerSettings) -> PowerMode {
        let own = own(own_settings).unwrap();
        own.unwrap_or_default().or(profile).mode()
    }

    #[test]
    fn a_device_has_settings_of_its_own_only_where_it_states_some() {
        let drx = json!({"type": "LWM2M", "powerMode": "DRX", "more": [1]});
        assert_eq!(own(drx), Ok(Some(PowerMode::Drx.into())));
        assert_eq!(own(json!({})), Ok(None));
        let none = json!({"powerMode": null, "edrxCycle": 0, "psmActivityTimer": null});
        assert_eq!(own(none), Ok(None));
    }

    #[test]
    fn what_a_device_leaves_out_comes_from_its_profile() {
        let profile = PowerSettings {
            kind: Some(PowerKind::Edrx),
            activity_timer: Some(2_500),
            cycle: Some(81_000),
            paging_window: Some(5_000),
        };
        let psm = PowerMode::Psm {
            activity_timer: 2_500,
        };
        assert_eq!(mode(json!({"powerMode": "PSM"}), profile), psm);
        let edrx = |cycle, paging_window| PowerMode::Edrx {
            cycle,
            paging_window,
        };
        let window = json!({"powerMode": "E_DRX", "pagingTransmissionWindow": 9_000});
        assert_eq!(mode(window, profile), edrx(81_000, 9_000));
        assert_eq!(
            mode(json!({"edrxCycle": 4_000}), profile),
            edrx(4_000, 4_000)
        );
        assert_eq!(mode(json!({"powerMode": "DRX"}), profile), PowerMode::Drx);
    }

    #[test]
    fn timers_that_neither_states_are_those_of_the_server() {
        let psm = |timer: Value| {
            let own = json!({"powerMode": "PSM", "psmActivityTimer": timer});
            mode(own, PowerSettings::default())
        };
        let expect = |activity_timer| PowerMode::Psm { activity_timer };
        assert_eq!(psm(json!(2_500)), expect(2_500));
        assert_eq!(psm(json!(null)), expect(10_000));
        assert_eq!(psm(json!(0)), expect(10_000));
        let edrx = json!({"powerMode": "E_DRX", "edrxCycle": 81000});
        let expect = PowerMode::Edrx {
            cycle: 81_000,
            paging_window: 10_000,
        };
        assert_eq!(mode(edrx, PowerSettings::default()), expect);
    }

    #[test]
    fn each_fault_is_named_with_what_is_accepted() {
        let cases = [
            (
                json!({"powerMode": "EDRX"}),
                "`transportConfiguration.powerMode` is \"EDRX\"; accepted is one of DRX, PSM, E_DRX",
            ),
            (
                json!({"powerMode": 1}),
                "`transportConfiguration.powerMode` is 1; accepted is one of DRX, PSM, E_DRX",
            ),
            (
                json!({"psmActivityTimer": -1}),
                "`transportConfiguration.psmActivityTimer` is -1; accepted is a whole number of milliseconds from 0 to 86400000",
            ),
            (
                json!({"edrxCycle": 86_400_001}),
                "`transportConfiguration.edrxCycle` is 86400001; accepted is a whole number of milliseconds from 0 to 86400000",
            ),
            (
                json!({"pagingTransmissionWindow": "10"}),
                "`transportConfiguration.pagingTransmissionWindow` is \"10\"; accepted is a whole number of milliseconds from 0 to 86400000",
            ),
            (
                json!({"powerMode": "E_DRX", "edrxCycle": 5_000, "pagingTransmissionWindow": 5_001}),
                "`transportConfiguration.pagingTransmissionWindow` is 5001; accepted is at most `edrxCycle`, which is 5000",
            ),
            (
                json!({"type": "MQTT"}),
                "`transportConfiguration.type` is \"MQTT\"; accepted is \"LWM2M\"",
            ),
        ];
        for (configuration, expected) in cases {
            assert_eq!(own(configuration), Err(expected.to_owned()));
        }
    }
}
