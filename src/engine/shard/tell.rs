//! Events for subscribers, out of what endpoints report.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::engine::endpoint::core::EndpointCore;
use crate::engine::endpoint::describe;
use crate::engine::endpoint::outputs::Happening;
use crate::engine::event::{Event, EventKind};

use super::Shard;

impl Shard {
    /// Tells subscribers what happened.
    pub(super) fn tell(&mut self, slot: u32, core: &EndpointCore) {
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        let plan = self.profiles.plan(entry.head.profile);
        let registration_id = || self.shared.keys.registration_id(core.place()).to_string();
        let address = || SocketAddr::from(entry.head.peer).to_string();
        let endpoint: Arc<str> = core.name().into();
        for happening in self.out.happenings.drain(..) {
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
                } => {
                    let Some(mapping) = plan.mapping(mapping) else {
                        continue;
                    };
                    let value = describe::json(&value);
                    let key = || Arc::clone(&mapping.key);
                    if mapping.destination.telemetry {
                        let value = value.clone();
                        send(EventKind::Telemetry {
                            key: key(),
                            value,
                            measured: time,
                        });
                    }
                    if mapping.destination.attribute {
                        send(EventKind::Attribute {
                            key: key(),
                            value,
                            measured: time,
                        });
                    }
                }
            }
        }
    }
}
