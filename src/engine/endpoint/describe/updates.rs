//! Updates of firmware and software as the API and events show them.

use serde_json::{Value as Json, json as object};

use crate::engine::endpoint::core::{EndpointCore, Presence};
use crate::engine::endpoint::update::news::UpdateNews;
use crate::engine::endpoint::update::results::result_text;
use crate::engine::endpoint::update::state::{Reached, Update};
use crate::engine::endpoint::update::target::UpdateKind;
use crate::engine::view::{TimedValue, UpdateView};
use crate::proto::time::NEVER;

use super::Surroundings;

/// Updates and how far they are.
#[must_use]
pub fn updates(core: &EndpointCore, around: &Surroundings<'_>) -> Vec<UpdateView> {
    let all = core.updates.iter();
    all.map(|update| view(update, core, around)).collect()
}

fn view(update: &Update, core: &EndpointCore, around: &Surroundings<'_>) -> UpdateView {
    let (current_title, current_version) = update.current();
    let text = |text: &str| text.to_owned();
    UpdateView {
        kind: update.kind.name(),
        package: text(&update.package),
        title: text(&update.title),
        version: text(&update.version),
        state: update.status.name(),
        queued_at: update.queued_at,
        state_since: update.since,
        ended: update.ended,
        waiting_for: waiting_for(update, core, around).to_owned(),
        reason: update.reason.as_deref().map(text),
        strategy: update.way.map(|way| way.name()),
        bytes_done: update.bytes_done(),
        bytes_total: update.bytes_total(),
        percent: update.percent(),
        blocks_per_second: update.blocks_per_second(around.now.tick),
        attempts: update.attempts,
        deadline: (update.deadline != NEVER).then(|| around.wall(update.deadline)),
        last_exchange_at: update.exchanged.as_ref().map(|(at, _)| *at),
        last_exchange: update.exchanged.as_ref().map(|(_, what)| text(what)),
        device_state: update.device.state.map(|_| update.state_in_words()),
        device_state_since: update.device.changed_at,
        device_result: update.device.result.map(|result| {
            result_text(update.kind, result).map_or_else(|| result.to_string(), text)
        }),
        current_title: current_title.map(Into::into),
        current_version: current_version.map(Into::into),
    }
}

fn waiting_for(update: &Update, core: &EndpointCore, around: &Surroundings<'_>) -> &'static str {
    if update.ended {
        return "nothing: it is over";
    }
    if !update.is_supplied() {
        return "the package: it is not assigned again since the restart";
    }
    match core.presence(around.now.tick) {
        Presence::Absent => return "the device to register",
        Presence::Asleep => return "the device to wake up",
        Presence::Awake if update.unanswered > 0 => return "the device to answer",
        Presence::Awake => {}
    }
    let first = core.updates.get(UpdateKind::Firmware);
    if update.kind == UpdateKind::Software && first.is_some_and(|first| !first.ended) {
        return "the update of the firmware, which comes first";
    }
    match update.reached {
        _ if update.pausing => "the device to carry out what it was told",
        Reached::Nothing => "the device to tell what it has",
        Reached::Sending => "the device to take the package",
        Reached::Sent => "the device to download and check the package",
        Reached::Executed if update.deferred => "the user, who has put the installation off",
        Reached::Executed => "the device to install the package",
        Reached::Installed => "the device to activate the package",
    }
}

/// What is published of an update under ThingsBoard's keys.
#[must_use]
pub fn values(news: &UpdateNews) -> Vec<(String, Json)> {
    let prefix = news.kind.prefix();
    let mut values = vec![
        (format!("{prefix}_state"), object!(news.status.name())),
        (format!("target_{prefix}_title"), object!(&*news.title)),
        (format!("target_{prefix}_version"), object!(&*news.version)),
        (format!("target_{prefix}_ts"), object!(news.queued_at)),
    ];
    let (title, version) = &news.current;
    for (key, value) in [
        (format!("target_{prefix}_tag"), &news.tag),
        (format!("{prefix}_error"), &news.reason),
        (format!("current_{prefix}_title"), title),
        (format!("current_{prefix}_version"), version),
    ] {
        values.extend(value.as_deref().map(|value| (key, object!(value))));
    }
    values
}

/// The same as latest telemetry.
pub(super) fn telemetry(core: &EndpointCore) -> impl Iterator<Item = (String, Vec<TimedValue>)> {
    core.updates.iter().flat_map(|update| {
        let news = update.news(false, NEVER);
        let ts = news.since;
        let timed = move |(key, value)| (key, vec![TimedValue { ts, value }]);
        values(&news).into_iter().map(timed)
    })
}
