//! Events for subscribers, out of what endpoints report.

use std::sync::Arc;

use crate::engine::endpoint::core::EndpointCore;
use crate::engine::endpoint::describe;
use crate::engine::endpoint::outputs::Happening;
use crate::engine::endpoint::plan::ProfilePlan;
use crate::engine::endpoint::update::news::UpdateNews;
use crate::engine::event::{Event, EventKind};
use crate::engine::history::Measured;
use crate::engine::update::{Milestone, Passed};
use crate::proto::lwm2m::Value;
use crate::proto::time::UnixMillis;

use super::{Sender, Shard};

impl Shard {
    /// Tells subscribers, and whoever keeps a history, what happened.
    pub(super) fn tell(&mut self, slot: u32, core: &EndpointCore, sender: Option<Sender>) {
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        let plan = self.profiles.plan(entry.head.profile);
        let registration_id = || self.shared.keys.registration_id(core.place()).to_string();
        let address = self.address_text(&entry.head.peer, sender);
        let address = || address.clone();
        let endpoint: Arc<str> = core.name().into();
        let listening = self.out.listening;
        let follows_updates = self.out.follows_updates;
        let keeps_history = plan.keeps_history() && self.shared.history.is_open();
        for happening in self.out.happenings.drain(..) {
            if keeps_history {
                self.measured.extend(measured(plan, &endpoint, &happening));
            }
            if let Happening::Update(news) = &happening
                && keeps_history
                && news.entered
            {
                self.measured.extend(measured_update(plan, &endpoint, news));
            }
            if follows_updates {
                let what = passed(&happening);
                self.milestones.extend(what.map(|what| Milestone {
                    endpoint: Arc::clone(&endpoint),
                    what,
                }));
            }
            if !listening {
                continue;
            }
            let mut send = |kind| {
                let ts = self.now.wall;
                self.events.push(Event {
                    ts,
                    endpoint: Arc::clone(&endpoint),
                    kind,
                });
            };
            match happening {
                Happening::Registered => send(EventKind::Registered {
                    registration_id: registration_id(),
                    address: address(),
                }),
                Happening::Updated => send(EventKind::Updated {
                    registration_id: registration_id(),
                    address: address(),
                }),
                Happening::Deregistered => {
                    send(EventKind::Deregistered {
                        registration_id: registration_id(),
                    });
                }
                Happening::Expired => send(EventKind::Expired {
                    registration_id: registration_id(),
                }),
                Happening::Update(news) => tell_update(&news, &mut send),
                Happening::Problem {
                    reason,
                    path,
                    detail,
                } => send(EventKind::Problem {
                    reason,
                    path: path.map(|path| path.to_string()),
                    detail: detail.into(),
                }),
                Happening::Value {
                    mapping,
                    time,
                    value,
                } => tell_value(plan, mapping, time, describe::json(&value), &mut send),
                Happening::Instances {
                    mapping,
                    time,
                    values,
                } => tell_value(plan, mapping, time, instances(&values), &mut send),
            }
        }
    }
}

/// What the service of updates is told of it.
fn passed(happening: &Happening) -> Option<Passed> {
    match happening {
        Happening::Registered => Some(Passed::Registered),
        Happening::Update(news) if news.ended => Some(Passed::Ended {
            kind: news.kind,
            package: news.package.clone(),
            status: news.status,
            reason: news.reason.clone(),
        }),
        _ => None,
    }
}

/// The telemetry value for a history, if it is one.
fn measured(plan: &ProfilePlan, endpoint: &Arc<str>, happening: &Happening) -> Option<Measured> {
    let (mapping, ts) = match happening {
        Happening::Value { mapping, time, .. } | Happening::Instances { mapping, time, .. } => {
            (*mapping, *time)
        }
        _ => return None,
    };
    let mapping = plan.mapping(mapping)?;
    mapping.destination.telemetry.then(|| Measured {
        endpoint: Arc::clone(endpoint),
        profile: Arc::clone(&plan.name),
        key: Arc::clone(&mapping.key),
        ts,
        value: match happening {
            Happening::Instances { values, .. } => instances(values),
            Happening::Value { value, .. } => describe::json(value),
            _ => serde_json::Value::Null,
        },
    })
}

/// What is published of an update, for a history.
fn measured_update(
    plan: &ProfilePlan,
    endpoint: &Arc<str>,
    news: &UpdateNews,
) -> impl Iterator<Item = Measured> {
    let values = describe::updates::values(news).into_iter();
    values.map(|(key, value)| Measured {
        endpoint: Arc::clone(endpoint),
        profile: Arc::clone(&plan.name),
        key: key.into(),
        ts: news.since,
        value,
    })
}

/// An update went on: told by itself, and under the keys that it is published under.
fn tell_update(news: &UpdateNews, send: &mut impl FnMut(EventKind)) {
    send(EventKind::Update {
        kind: news.kind.name(),
        package: (*news.package).into(),
        title: (*news.title).into(),
        version: (*news.version).into(),
        state: news.status.name(),
        reason: news.reason.as_deref().map(str::to_owned),
        ended: news.ended,
        bytes_done: news.bytes_done,
        bytes_total: news.bytes_total,
        percent: news.percent,
        blocks_per_second: news.blocks_per_second,
        last_exchange_at: news.exchanged.as_ref().map(|(at, _)| *at),
        last_exchange: news.exchanged.as_ref().map(|(_, what)| what.to_string()),
    });
    if news.entered {
        for (key, value) in describe::updates::values(news) {
            send(EventKind::Telemetry {
                key: key.into(),
                value,
                measured: news.since,
            });
        }
    }
}

fn instances(values: &[(u16, Value)]) -> serde_json::Value {
    describe::instances(values.iter().map(|(id, value)| (*id, value)))
}

/// A value is told as what the profile makes of it.
fn tell_value(
    plan: &ProfilePlan,
    mapping: u16,
    measured: UnixMillis,
    value: serde_json::Value,
    send: &mut impl FnMut(EventKind),
) {
    let Some(mapping) = plan.mapping(mapping) else {
        return;
    };
    let key = || Arc::clone(&mapping.key);
    if mapping.destination.telemetry {
        send(EventKind::Telemetry {
            key: key(),
            value: value.clone(),
            measured,
        });
    }
    if mapping.destination.attribute {
        send(EventKind::Attribute {
            key: key(),
            value,
            measured,
        });
    }
}
