//! What the figures mean for this fleet, in words.

use serde::Serialize;

use super::radio::RadioModel;
use super::report::StrategyReport;
use super::settings::{Pattern, Settings};
use super::strategy::Strategy;

/// Which strategy suits, and what the others would save or cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Advice {
    /// What the savings are relative to.
    pub baseline: Option<&'static str>,
    /// The strategy that takes the least charge of the devices.
    pub best: Option<&'static str>,
    /// What each strategy saves against the baseline.
    pub savings: Vec<Saving>,
    /// The same for people.
    pub sentences: Vec<String>,
}

/// Percent that a strategy saves; negative when it costs more. `None` when there is nothing to compare.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Saving {
    /// The strategy.
    pub strategy: &'static str,
    /// Of packets, both ways.
    pub packets: Option<f64>,
    /// Of bytes, both ways.
    pub bytes: Option<f64>,
    /// Of wake-ups.
    pub wake_ups: Option<f64>,
    /// Of charge with NB-IoT.
    pub charge_nb_iot: Option<f64>,
    /// Of charge with LTE-M.
    pub charge_lte_m: Option<f64>,
    /// Of the server's CPU time.
    pub server_cpu: Option<f64>,
}

/// Differences below this many percent are none.
const ALIKE: f64 = 2.0;

/// Advice for a fleet whose strategies were measured.
#[must_use]
pub fn advise(settings: &Settings, strategies: &[StrategyReport]) -> Advice {
    let single = |report: &&StrategyReport| report.strategy == Strategy::Single.name();
    let Some(baseline) = strategies.iter().find(single).or(strategies.first()) else {
        return Advice::default();
    };
    let others = strategies
        .iter()
        .filter(|report| report.strategy != baseline.strategy);
    let savings: Vec<_> = others.map(|report| Saving::of(report, baseline)).collect();
    let best = best(strategies);
    let mut sentences: Vec<_> = savings
        .iter()
        .map(|saving| saving.sentence(baseline))
        .collect();
    sentences.extend(best.map(|best| recommendation(best, baseline)));
    sentences.extend(wake_ups(settings, strategies));
    sentences.extend(polling(settings, strategies));
    sentences.extend(doubts(strategies));
    Advice {
        baseline: Some(baseline.strategy),
        best: best.map(|best| best.strategy),
        savings,
        sentences,
    }
}

impl Saving {
    fn of(report: &StrategyReport, baseline: &StrategyReport) -> Self {
        let of = |figure: fn(&StrategyReport) -> f64| percent(figure(report), figure(baseline));
        let cpu = |report: &StrategyReport| report.server.map(|s| s.cpu_us_per_device_hour);
        Self {
            strategy: report.strategy,
            packets: of(StrategyReport::packets),
            bytes: of(StrategyReport::bytes),
            wake_ups: of(|report| report.wake_ups),
            charge_nb_iot: of(|report| report.charge(RadioModel::NB_IOT.name)),
            charge_lte_m: of(|report| report.charge(RadioModel::LTE_M.name)),
            server_cpu: cpu(report)
                .zip(cpu(baseline))
                .and_then(|(one, other)| percent(one, other)),
        }
    }

    fn sentence(&self, baseline: &StrategyReport) -> String {
        let parts = [
            ("packets", self.packets),
            ("bytes", self.bytes),
            ("wake-ups", self.wake_ups),
            ("charge with NB-IoT", self.charge_nb_iot),
            ("charge with LTE-M", self.charge_lte_m),
            ("server CPU time", self.server_cpu),
        ];
        let known = |(what, percent): (&'static str, Option<f64>)| Some((what, percent?));
        let (mut saved, mut costs, mut same) = (Vec::new(), Vec::new(), Vec::new());
        for (what, percent) in parts.into_iter().filter_map(known) {
            if percent >= ALIKE {
                saved.push(format!("{percent:.0} % of the {what}"));
            } else if percent <= -ALIKE {
                costs.push(more(-percent, what));
            } else {
                same.push(what.to_owned());
            }
        }
        let verbs = [("saves", saved), ("takes", costs)];
        let said: Vec<_> = verbs
            .iter()
            .filter(|(_, what)| !what.is_empty())
            .map(|(verb, what)| format!("{verb} {}", listed(what)))
            .collect();
        let alike = if same.is_empty() {
            String::new()
        } else {
            format!("; no difference in {}", listed(&same))
        };
        let (one, other) = (self.strategy, baseline.strategy);
        match (said.is_empty(), same.is_empty()) {
            (true, true) => format!("{one} cannot be compared with {other}: nothing was counted."),
            (true, false) => format!("{one} is as good as {other} here{alike}."),
            _ => format!("{one} {} here, against {other}{alike}.", said.join(" and ")),
        }
    }
}

/// The least charge with NB-IoT; where that is the same, the fewest packets, bytes, observations.
fn best(strategies: &[StrategyReport]) -> Option<&StrategyReport> {
    let figures: [fn(&StrategyReport) -> f64; 4] = [
        |report| report.charge(RadioModel::NB_IOT.name),
        StrategyReport::packets,
        StrategyReport::bytes,
        |report| report.observations_per_device,
    ];
    let mut left: Vec<_> = strategies.iter().filter(|report| brings(report)).collect();
    for figure in figures {
        let least = left.iter().map(|report| figure(report)).reduce(f64::min)?;
        left.retain(|report| figure(report) <= least * (1.0 + ALIKE / 100.0));
    }
    left.first().copied()
}

/// Whether the values came at all.
fn brings(report: &StrategyReport) -> bool {
    report.followed_changes == 0 || report.followed_seen > 0
}

fn recommendation(best: &StrategyReport, baseline: &StrategyReport) -> String {
    let charge = |report: &StrategyReport| {
        let [one, other] = RadioModel::ALL.map(|model| report.charge(model.name));
        format!("{one:.0} mC with NB-IoT, {other:.0} mC with LTE-M")
    };
    let (name, other) = (best.strategy, baseline.strategy);
    if name == other {
        return format!(
            "For this fleet: {name}. A device takes {} an hour, and no other strategy is better.",
            charge(best)
        );
    }
    let nb_iot = |report: &StrategyReport| report.charge(RadioModel::NB_IOT.name);
    let less = percent(nb_iot(best), nb_iot(baseline)).is_some_and(|percent| percent >= ALIKE);
    if less {
        format!(
            "For this fleet: {name}. A device takes {} an hour; with {other} it is {}.",
            charge(best),
            charge(baseline)
        )
    } else {
        format!(
            "For this fleet: {name}. A device takes about the same charge as with {other} ({} an hour), in {:.0} packets \
             instead of {:.0}.",
            charge(best),
            best.packets(),
            baseline.packets()
        )
    }
}

/// Why wake-ups differ, or do not.
fn wake_ups(settings: &Settings, strategies: &[StrategyReport]) -> Option<String> {
    let polled = [Strategy::Poll.name(), Strategy::PollComposite.name()];
    let mut observed: Vec<_> = strategies
        .iter()
        .filter(|report| !polled.contains(&report.strategy))
        .collect();
    observed.sort_by(|one, other| one.wake_ups.total_cmp(&other.wake_ups));
    let (least, most) = (observed.first()?, observed.last()?);
    if observed.len() < 2 || most.wake_ups == 0.0 {
        return None;
    }
    if percent(least.wake_ups, most.wake_ups)? >= ALIKE {
        let times = most.wake_ups / least.wake_ups.max(f64::MIN_POSITIVE);
        return Some(format!(
            "{} wakes a device {:.1} times an hour, {} {:.1} times: {times:.1} times as often.",
            most.strategy, most.wake_ups, least.strategy, least.wake_ups
        ));
    }
    Some(match (settings.pattern, settings.pmin) {
        (Pattern::Sampled, _) => {
            "Wake-ups are the same with every strategy: the values of a device change together, so its notifications \
             share a connection whether they are one or many."
                .to_owned()
        }
        (Pattern::Independent, None) => format!(
            "Wake-ups are the same with every strategy: each value changes at a time of its own and is told at once. A \
             minimum period lets a composite observation gather changes: try --pmin {:.0}.",
            settings.change_every
        ),
        (Pattern::Independent, Some(pmin)) => format!(
            "Wake-ups are the same with every strategy: changes are too far apart for a minimum period of {pmin} s to \
             gather them."
        ),
    })
}

fn polling(settings: &Settings, strategies: &[StrategyReport]) -> Option<String> {
    let poll = strategies
        .iter()
        .find(|report| report.strategy == Strategy::Poll.name())?;
    Some(format!(
        "Who polls every {:.0} s makes devices listen all the time and sees values that are {:.0} s old in the median, \
         {:.0} s at the 99th percentile.",
        settings.poll_every, poll.age_s.p50, poll.age_s.p99
    ))
}

/// What makes a figure doubtful.
fn doubts(strategies: &[StrategyReport]) -> Vec<String> {
    let mut doubts = Vec::new();
    for report in strategies {
        let name = report.strategy;
        let trouble = &report.trouble;
        if !brings(report) {
            doubts.push(format!(
                "{name}: none of {} changes was shown by the server.",
                report.followed_changes
            ));
        }
        for (count, what) in [
            (trouble.refused_requests, "requests were refused by devices"),
            (trouble.lost_messages, "messages were lost on this machine"),
            (
                trouble.lost_events,
                "events were lost: latencies are too good",
            ),
            (report.values_dropped, "values were discarded by the server"),
            (report.polls_failed, "polls brought no value"),
            (
                report.polls_late,
                "devices were polled late: the server or this machine is too busy",
            ),
        ] {
            if count > 0 {
                doubts.push(format!("{name}: {count} {what}."));
            }
        }
        if trouble.max_lateness_ms > 100.0 {
            doubts.push(format!(
                "{name}: the simulated devices could not keep up, the latest change came {:.0} ms late.",
                trouble.max_lateness_ms
            ));
        }
    }
    doubts
}

/// How much less `figure` is than `of`.
fn percent(figure: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| (of - figure) / of * 100.0)
}

/// Beyond a factor of three, percents are hard to read.
fn more(percent: f64, what: &str) -> String {
    if percent < 200.0 {
        format!("{percent:.0} % more {what}")
    } else {
        format!("{:.1} times the {what}", percent / 100.0 + 1.0)
    }
}

fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
