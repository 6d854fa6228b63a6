use super::super::report::{EnergyReport, Rates, ServerReport};
use super::*;

/// A strategy with packets and bytes up, wake-ups, charges with NB-IoT and LTE-M.
fn report(strategy: Strategy, figures: [f64; 5]) -> StrategyReport {
    let [packets_up, bytes_up, wake_ups, nb_iot, lte_m] = figures;
    let charge = |activity_mc| EnergyReport {
        activity_mc,
        ..EnergyReport::default()
    };
    StrategyReport {
        per_device_hour: Rates {
            packets_up,
            bytes_up,
            ..Rates::default()
        },
        wake_ups,
        energy: [("NB-IoT", charge(nb_iot)), ("LTE-M", charge(lte_m))].into(),
        ..StrategyReport::sample(strategy)
    }
}

fn sampled() -> [StrategyReport; 3] {
    [
        report(Strategy::Single, [100.0, 5_000.0, 20.0, 1_000.0, 300.0]),
        report(Strategy::CompositeAll, [20.0, 4_000.0, 20.0, 900.0, 299.0]),
        report(
            Strategy::CompositeByObject,
            [39.0, 6_000.0, 20.0, 1_010.0, 301.0],
        ),
    ]
}

#[test]
fn savings_and_costs_are_told_against_single() {
    let advice = advise(&Settings::default(), &sampled());
    assert_eq!(advice.baseline, Some("SINGLE"));
    assert_eq!(
        advice.sentences[0],
        "COMPOSITE_ALL saves 80 % of the packets, 20 % of the bytes and 10 % of the charge with NB-IoT here, against \
         SINGLE; no difference in wake-ups and charge with LTE-M."
    );
    assert!(
        advice.sentences[1].starts_with(
            "COMPOSITE_BY_OBJECT saves 61 % of the packets and takes 20 % more bytes here"
        ),
        "{}",
        advice.sentences[1]
    );
    assert_eq!(advice.savings[0].packets, Some(80.0));
    assert_eq!(advice.savings[0].server_cpu, None);
}

#[test]
fn the_least_charge_is_recommended() {
    let advice = advise(&Settings::default(), &sampled());
    assert_eq!(advice.best, Some("COMPOSITE_ALL"));
    assert!(
        advice
            .sentences
            .iter()
            .any(|s| s.starts_with("For this fleet: COMPOSITE_ALL.") && s.contains("900 mC"))
    );
}

#[test]
fn with_the_same_charge_fewer_packets_decide() {
    let strategies = [
        report(Strategy::Single, [100.0, 5_000.0, 20.0, 1_000.0, 300.0]),
        report(
            Strategy::CompositeAll,
            [90.0, 9_000.0, 20.0, 1_010.0, 300.0],
        ),
    ];
    let advice = advise(&Settings::default(), &strategies);
    assert_eq!(advice.best, Some("COMPOSITE_ALL"));
    let told = advice
        .sentences
        .iter()
        .find(|s| s.starts_with("For this fleet"));
    assert!(told.unwrap().ends_with("in 90 packets instead of 100."));
}

#[test]
fn a_strategy_whose_values_never_came_is_not_recommended() {
    let mut strategies = sampled();
    strategies[1].followed_changes = 10;
    let advice = advise(&Settings::default(), &strategies);
    assert_eq!(advice.best, Some("COMPOSITE_BY_OBJECT"));
    let doubt = "COMPOSITE_ALL: none of 10 changes was shown by the server.";
    assert!(advice.sentences.iter().any(|sentence| sentence == doubt));
}

#[test]
fn equal_wake_ups_are_explained_by_the_pattern() {
    let says = |pattern, pmin, words: &str| {
        let settings = Settings {
            pattern,
            pmin,
            ..Settings::default()
        };
        let advice = advise(&settings, &sampled());
        let said = advice.sentences.iter().any(|s| s.contains(words));
        assert!(said, "{words}: {:?}", advice.sentences);
    };
    says(Pattern::Sampled, None, "change together");
    says(Pattern::Independent, None, "try --pmin 600");
    says(Pattern::Independent, Some(5), "period of 5 s");
}

#[test]
fn different_wake_ups_are_told_with_their_ratio() {
    let strategies = [
        report(Strategy::Single, [70.0, 700.0, 7.0, 900.0, 200.0]),
        report(Strategy::CompositeAll, [10.0, 300.0, 1.0, 130.0, 30.0]),
    ];
    let advice = advise(&Settings::default(), &strategies);
    let told =
        "SINGLE wakes a device 7.0 times an hour, COMPOSITE_ALL 1.0 times: 7.0 times as often.";
    assert!(advice.sentences.iter().any(|sentence| sentence == told));
}

#[test]
fn large_costs_are_told_as_factors_and_cpu_when_it_is_known() {
    let cpu = |us| {
        Some(ServerReport {
            cpu_us_per_device_hour: us,
            ..ServerReport::default()
        })
    };
    let mut strategies = [
        report(Strategy::Single, [100.0, 5_000.0, 20.0, 1_000.0, 300.0]),
        report(Strategy::Poll, [400.0, 20_000.0, 12.0, 5_000.0, 900.0]),
    ];
    strategies[0].server = cpu(100.0);
    strategies[1].server = cpu(1_000.0);
    let sentence = &advise(&Settings::default(), &strategies).sentences[0];
    assert!(sentence.contains("4.0 times the packets"), "{sentence}");
    assert!(sentence.contains("10.0 times the server CPU time"));
    assert!(sentence.contains("saves 40 % of the wake-ups"));
}

#[test]
fn nothing_measured_is_no_advice() {
    assert_eq!(advise(&Settings::default(), &[]), Advice::default());
}

#[test]
fn trouble_is_told() {
    let mut strategies = sampled();
    strategies[0].trouble.lost_messages = 3;
    strategies[2].polls_failed = 0;
    let advice = advise(&Settings::default(), &strategies);
    let doubt = "SINGLE: 3 messages were lost on this machine.";
    assert_eq!(advice.sentences.last().unwrap(), doubt);
}
