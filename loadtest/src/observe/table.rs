//! The report for people: a table, and the advice.

use super::radio::RadioModel;
use super::report::{ObserveReport, StrategyReport};

/// A line of the table, for each strategy.
type Line = (&'static str, fn(&StrategyReport) -> Option<f64>);

/// Lines of the table: what, and its figure.
const LINES: [Line; 13] = [
    ("observations per device", |r| {
        Some(r.observations_per_device)
    }),
    ("packets from device", |r| {
        Some(r.per_device_hour.packets_up)
    }),
    ("packets to device", |r| {
        Some(r.per_device_hour.packets_down)
    }),
    ("bytes from device", |r| Some(r.per_device_hour.bytes_up)),
    ("bytes to device", |r| Some(r.per_device_hour.bytes_down)),
    ("wake-ups", |r| Some(r.wake_ups)),
    ("radio connections", |r| Some(r.connections)),
    ("radio on, NB-IoT, s", |r| {
        Some(r.energy.get(RadioModel::NB_IOT.name)?.radio_on_s)
    }),
    ("charge, NB-IoT, mC", |r| {
        Some(r.charge(RadioModel::NB_IOT.name))
    }),
    ("radio on, LTE-M, s", |r| {
        Some(r.energy.get(RadioModel::LTE_M.name)?.radio_on_s)
    }),
    ("charge, LTE-M, mC", |r| {
        Some(r.charge(RadioModel::LTE_M.name))
    }),
    ("server CPU, us", |r| Some(r.server?.cpu_us_per_device_hour)),
    ("server CPU a message, us", |r| {
        Some(r.server?.cpu_us_per_message)
    }),
];

const TIMES: [Line; 8] = [
    ("setup packets", |r| {
        Some(r.setup_per_device.packets_up + r.setup_per_device.packets_down)
    }),
    ("setup bytes", |r| {
        Some(r.setup_per_device.bytes_up + r.setup_per_device.bytes_down)
    }),
    ("register to observed, ms, p50", |r| {
        some(r.ready_ms.count, r.ready_ms.p50)
    }),
    ("register to observed, ms, p99", |r| {
        some(r.ready_ms.count, r.ready_ms.p99)
    }),
    ("message to visible, ms, p50", |r| {
        some(r.latency_ms.count, r.latency_ms.p50)
    }),
    ("message to visible, ms, p99", |r| {
        some(r.latency_ms.count, r.latency_ms.p99)
    }),
    ("change to visible, s, p50", |r| {
        some(r.age_s.count, r.age_s.p50)
    }),
    ("change to visible, s, p99", |r| {
        some(r.age_s.count, r.age_s.p99)
    }),
];

/// Width of the first column, and of the others.
const WIDTHS: (usize, usize) = (31, 21);

/// The whole report as text.
#[must_use]
pub fn observe_table(report: &ObserveReport) -> String {
    let settings = &report.settings;
    let mut lines = vec![
        format!(
            "{} devices against {}, {} resources of {} objects, each changing every {} s ({}), {} s measured at {} \
             times the speed of the clock{}",
            settings.clients,
            report.server_address,
            settings.resources,
            settings.objects,
            settings.change_every,
            serde_json::to_value(settings.pattern)
                .ok()
                .and_then(|pattern| pattern.as_str().map(str::to_owned))
                .unwrap_or_default(),
            settings.duration,
            settings.speed,
            if report.interrupted {
                ", interrupted"
            } else {
                ""
            }
        ),
        String::new(),
    ];
    let strategies = &report.strategies;
    lines.push(row(
        "of a device in an hour",
        strategies.iter().map(|report| report.strategy.to_owned()),
    ));
    push_lines(&LINES, strategies, &mut lines);
    lines.push(String::new());
    push_lines(&TIMES, strategies, &mut lines);
    lines.push(String::new());
    lines.extend(report.advice.sentences.iter().cloned());
    lines.join("\n")
}

fn push_lines(table: &[Line], strategies: &[StrategyReport], lines: &mut Vec<String>) {
    for (what, figure) in table {
        let figures: Vec<_> = strategies.iter().map(figure).collect();
        if figures.iter().any(Option::is_some) {
            lines.push(row(
                what,
                figures
                    .into_iter()
                    .map(|figure| figure.map_or_else(|| "-".into(), number)),
            ));
        }
    }
}

fn row(what: &str, cells: impl Iterator<Item = String>) -> String {
    let (first, other) = WIDTHS;
    cells.fold(format!("{what:<first$}"), |line, cell| {
        format!("{line}{cell:>other$}")
    })
}

/// Three or more digits.
#[must_use]
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn some(count: u64, value: f64) -> Option<f64> {
    (count > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::settings::Settings;
    use crate::observe::strategy::Strategy;

    #[test]
    fn the_table_has_a_column_for_each_strategy_and_no_empty_line() {
        let strategies = Strategy::USUAL.map(StrategyReport::sample).into();
        let address = "127.0.0.1:5685".parse().unwrap();
        let report = ObserveReport::new(&Settings::default(), address, strategies, false);
        let text = observe_table(&report);
        let heads = text.lines().nth(2).unwrap();
        for strategy in Strategy::USUAL {
            assert!(heads.contains(strategy.name()), "{heads}");
        }
        assert!(text.contains("\nwake-ups"));
        assert!(!text.contains("server CPU, us"), "nobody knows the process");
        assert!(!text.contains("message to visible"), "nothing was seen");
        assert!(text.contains("(sampled)"));
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [1234.5, 99.96, 12.34, 1.234, 0.0].map(number),
            ["1234", "100.0", "12.3", "1.23", "0.00"]
        );
    }
}
