//! When devices listen: the power mode of a profile, and that of a device which has its own.

use serde_json::{Map, Value};

use crate::engine::endpoint::profile_parts::PowerMode;

use super::findings::{Finding, Findings};
use super::json::Node;
use super::members::{Members, unlike};

/// How long a device in PSM listens where nobody says, in milliseconds.
pub(super) const PSM_ACTIVITY_TIMER: u32 = 10_000;

/// How long a device in eDRX listens where nobody says, in milliseconds.
pub(super) const PAGING_TRANSMISSION_WINDOW: u32 = 10_000;

/// Cycle of a device in eDRX where nobody says, in milliseconds.
pub(super) const EDRX_CYCLE: u32 = 120_000;

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

/// The power mode that `members` state; `None` when they state none. Timers that are absent, `null`
/// or 0 are the server's.
pub(super) fn read(members: &Members<'_>, findings: &mut Findings) -> Option<PowerMode> {
    let mut timer = |name| {
        let what = "a whole number of milliseconds";
        let given = members.number(name, what, 0..=MAX_TIMER, findings);
        given.filter(|timer| *timer != 0)
    };
    let activity_timer = timer("psmActivityTimer").unwrap_or(PSM_ACTIVITY_TIMER);
    let given_cycle = timer("edrxCycle");
    let given_window = timer("pagingTransmissionWindow");
    let mode = members.choice("powerMode", &MODES, findings)?;
    if let (2, Some(cycle), Some(window)) = (mode, given_cycle, given_window)
        && window > cycle
    {
        findings.refuse(
            &members.at("pagingTransmissionWindow"),
            format!("is {window}; accepted is at most `edrxCycle`, which is {cycle}"),
        );
    }
    let cycle = given_cycle.unwrap_or(EDRX_CYCLE);
    let paging_window = given_window.unwrap_or(PAGING_TRANSMISSION_WINDOW.min(cycle));
    Some(match mode {
        1 => PowerMode::Psm { activity_timer },
        2 => PowerMode::Edrx {
            cycle,
            paging_window,
        },
        _ => PowerMode::Drx,
    })
}

/// The power mode that a device's own transport configuration states.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn device_power_mode(
    transport_configuration: &Map<String, Value>,
) -> Result<Option<PowerMode>, Finding> {
    const PLACE: &str = "transportConfiguration";
    let mut findings = Findings::default();
    let node = Node::from(transport_configuration);
    let mut mode = None;
    if let Some(members) = Members::outermost(&node, PLACE, &mut findings) {
        check_type(&members, &mut findings);
        mode = read(&members, &mut findings);
    }
    match findings.errors.first.into_iter().next() {
        None => Ok(mode),
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

    fn mode(configuration: Value) -> Result<Option<PowerMode>, String> {
        let Value::Object(members) = configuration else {
            panic!("an object");
        };
        device_power_mode(&members).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_device_has_a_power_mode_of_its_own_only_where_it_states_one() {
        let drx = json!({"type": "LWM2M", "powerMode": "DRX", "more": [1]});
        assert_eq!(mode(drx), Ok(Some(PowerMode::Drx)));
        assert_eq!(mode(json!({})), Ok(None));
        let none = json!({"powerMode": null, "edrxCycle": 81000, "psmActivityTimer": null});
        assert_eq!(mode(none), Ok(None));
    }

    #[test]
    fn timers_that_are_absent_null_or_zero_are_those_of_the_server() {
        let psm = |timer: Value| mode(json!({"powerMode": "PSM", "psmActivityTimer": timer}));
        let expect = |activity_timer| Ok(Some(PowerMode::Psm { activity_timer }));
        assert_eq!(psm(json!(2_500)), expect(2_500));
        assert_eq!(psm(json!(null)), expect(10_000));
        assert_eq!(psm(json!(0)), expect(10_000));
        let edrx = json!({"powerMode": "E_DRX", "edrxCycle": 81000});
        let expect = PowerMode::Edrx {
            cycle: 81_000,
            paging_window: 10_000,
        };
        assert_eq!(mode(edrx), Ok(Some(expect)));
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
            assert_eq!(mode(configuration), Err(expected.to_owned()));
        }
    }
}
