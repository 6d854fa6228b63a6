//! Takes endpoints back from storage, each into the slot it had: the names that devices know lead
//! there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::engine::directory::{Admitted, Home, Standing};
use crate::engine::endpoint::core::{EndpointCore, Presence};
use crate::engine::endpoint::identity::Place;
use crate::engine::endpoint::plan::ProfilePlan;
use crate::engine::endpoint::profile_parts::ProfileParts;
use crate::engine::endpoint::slot::{Head, Progress, Slot, State};
use crate::engine::endpoint::snapshot::Snapshot;
use crate::engine::event::{Event, EventKind};
use crate::engine::peer::{Peer, Session};
use crate::engine::persistence::{Fate, Persistence, Restored, StateError, plan_number};
use crate::engine::profiles::ProfileId;
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::coap::exchange::MidSequence;
use crate::proto::time::{Now, Tick, UnixMillis, Wheel};

use super::Shard;
use super::keep::Keeper;
use super::rollout::Rollout;

/// Records after which the shard shows that it is alive.
const PULSE: u64 = 4_096;

/// How an endpoint comes from the profile it was kept under to the one it has now.
struct Transition {
    /// Profile and version that it lives under at first.
    in_force: (ProfileId, u16),
    /// Where its values belong; `None` where they are.
    places: Option<Vec<Option<u16>>>,
}

/// State of a restart.
struct Restart {
    now: Now,
    served_until: UnixMillis,
    persistence: Persistence,
    transitions: HashMap<(u64, ProfileId), Transition>,
    /// Numbers of the records of profiles in force.
    current: HashMap<ProfileId, u64>,
    /// Endpoints that have something left to ask.
    asking: u64,
    report: Restored,
}

impl Shard {
    /// Takes back what storage has of this shard, and keeps endpoints there from now on. To be called
    /// before the first turn. Returns the numbers of the profiles that its records refer to as well.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn restore(
        &mut self,
        now: Now,
        persistence: Persistence,
    ) -> Result<(Restored, HashSet<u64>), StateError> {
        self.begin(now);
        self.wheel = Wheel::new(now.tick);
        let store = Arc::clone(&persistence.store);
        self.keeper = Some(Keeper::new(persistence.clone()));
        let mut restart = Restart {
            now,
            served_until: persistence.served_until.unwrap_or(now.wall),
            persistence,
            transitions: HashMap::new(),
            current: HashMap::new(),
            asking: 0,
            report: Restored::default(),
        };
        let mut records = 0;
        restart.report.sessions = self.restore_sessions(&store)?;
        let read = store.read(self.index, &mut |slot, record| {
            records += 1;
            if records % PULSE == 0 {
                self.metrics.turns.add(1);
            }
            self.restore_one(slot, record, &mut restart)
        })?;
        restart.report.unreadable += read.unreadable;
        if restart
            .transitions
            .values()
            .any(|transition| !self.is_current(transition.in_force))
        {
            self.rollout = Some(Rollout::new(now.tick));
        }
        self.end();
        let used = restart.transitions.keys().map(|(kept, _)| *kept);
        Ok((restart.report, used.collect()))
    }

    fn is_current(&self, (id, version): (ProfileId, u16)) -> bool {
        self.profiles.plan(id).version() == version
    }

    fn restore_one(&mut self, slot: u32, record: &[u8], restart: &mut Restart) -> Fate {
        let Ok(snapshot) = Snapshot::parse(record) else {
            restart.report.unreadable += 1;
            return Fate::SetAside;
        };
        let admitted = match self.shared.directory.standing(snapshot.name) {
            Standing::New(admitted) => admitted,
            Standing::At(..) => {
                restart.report.duplicates += 1;
                return Fate::Remove;
            }
            Standing::Refused => {
                restart.report.refused += 1;
                return Fate::Remove;
            }
        };
        let limit = self.shared.config.max_endpoints;
        if slot as usize >= limit || self.shared.endpoints.load(Relaxed) >= limit {
            restart.report.full += 1;
            return Fate::Remove;
        }
        let expired =
            snapshot.is_registered() && snapshot.expired(restart.now.wall, restart.served_until);
        let place = Place {
            shard: self.index,
            slot,
            salt: snapshot.salt,
        };
        if expired {
            self.tell_expired(snapshot.name, place);
        }
        let snapshot = if expired {
            snapshot.unregistered()
        } else {
            snapshot
        };
        let name: Box<str> = snapshot.name.into();
        let home = Home {
            shard: self.index,
            slot,
        };
        if self.shared.directory.settle(&name, home) != home {
            restart.report.duplicates += 1;
            return Fate::Remove;
        }
        match self.revive(snapshot, place, admitted, restart) {
            Some((_, core)) if !core.is_worth_keeping() => {
                self.shared.directory.leave(&name);
                restart.report.expired += u64::from(expired);
                Fate::Remove
            }
            Some((head, core)) => {
                let report = &mut restart.report;
                report.expired += u64::from(expired);
                report.registered += u64::from(core.links().is_some());
                report.unregistered += u64::from(core.links().is_none() && !expired);
                self.move_in(slot, head, core, restart);
                if expired {
                    self.mark(slot);
                }
                Fate::Keep
            }
            None => {
                self.shared.directory.leave(&name);
                restart.report.unreadable += 1;
                Fate::SetAside
            }
        }
    }

    /// The endpoint of a record; `None` when the record makes no sense.
    fn revive(
        &mut self,
        snapshot: Snapshot<'_>,
        place: Place,
        admitted: Admitted,
        restart: &mut Restart,
    ) -> Option<(Head, EndpointCore)> {
        let whereabouts = snapshot.whereabouts;
        let now = restart.now;
        let transition = self.transition(whereabouts.plan, admitted.profile, restart);
        let own_power = self.profiles.power_mode(admitted.power);
        let power = self.profiles.plan(admitted.profile).power_of(own_power);
        let mids = MidSequence::new(
            self.rng.u16(..),
            u16::from(self.count),
            u16::from(self.index),
        );
        let restored = EndpointCore::restored(snapshot, place, mids, now, power, &mut self.links);
        let mut core = restored.ok()?;
        if let Some(places) = &transition.places {
            core.relocate_values(|index| places.get(usize::from(index)).copied().flatten());
        }
        let peer = match whereabouts.session {
            Some(kept) => Peer::Secured(Session::from_kept(kept)?),
            None => {
                let (ip, port) = whereabouts.peer;
                Peer::Plain(PeerAddr::from_octets(ip, port))
            }
        };
        let local = whereabouts.local;
        let local = local.map(|(ip, interface)| LocalAddr::from_octets(ip, interface));
        let local = self.locals.number(local);
        let mut head = Head::new(peer, local, admitted.profile);
        head.in_force = transition.in_force;
        head.power = admitted.power;
        head.salt = place.salt;
        head.stored = true;
        if whereabouts.verified {
            head.budget.verify();
        }
        Some((head, core))
    }

    fn move_in(&mut self, slot: u32, mut head: Head, core: EndpointCore, restart: &mut Restart) {
        let tick = restart.now.tick;
        let presence = core.presence(tick);
        let peer = head.peer;
        head.deadline = match presence {
            Presence::Absent => {
                tick.plus_millis(u64::from(self.shared.config.forget_after) * 1_000)
            }
            _ if core.wants_to_ask() => self.turn_to_ask(tick, restart).min(core.deadline()),
            _ => core.deadline(),
        };
        let deadline = head.deadline;
        self.metrics.observe(core.observation_counts());
        self.metrics
            .updates(Default::default(), core.running_updates());
        self.shared.endpoints.fetch_add(1, Relaxed);
        let pending = core.pending_requests();
        let progress = Progress::of(presence, core.own_work());
        self.endpoints.insert_at(
            slot,
            Slot {
                head,
                state: State::Rest(core),
            },
        );
        if let Some(entry) = self.endpoints.get_mut(slot) {
            self.wheel.arm(slot, &mut entry.head.held, deadline);
        }
        if presence != Presence::Absent {
            self.endpoints.put_first(slot);
            self.claim(&peer);
        }
        self.recount(slot, presence, pending);
        self.stand(slot, Some(progress));
    }

    /// When an endpoint goes on with what it had to ask: not all at once, as after a change of a
    /// profile.
    fn turn_to_ask(&self, now: Tick, restart: &mut Restart) -> Tick {
        let per_second = u64::from(self.shared.config.profile_changes_per_second);
        let share = (per_second / u64::from(self.count)).max(1);
        restart.asking += 1;
        now.plus_millis(restart.asking * 1_000 / share)
    }

    fn transition<'a>(
        &mut self,
        kept: u64,
        profile: ProfileId,
        restart: &'a mut Restart,
    ) -> &'a Transition {
        let Restart {
            persistence,
            transitions,
            current,
            ..
        } = restart;
        let number = transitions.len() as u16;
        transitions.entry((kept, profile)).or_insert_with(|| {
            let plan = Arc::clone(self.profiles.plan(profile));
            let current = current
                .entry(profile)
                .or_insert_with(|| plan_number(&plan.to_record()));
            if *current == kept {
                return Transition {
                    in_force: (profile, plan.version()),
                    places: None,
                };
            }
            // A lost profile asked for nothing and mapped nothing, as far as anybody knows.
            let old = persistence.plans.get(&kept).cloned().unwrap_or_else(|| {
                ProfilePlan::compile(ProfileParts {
                    name: plan.name.to_string(),
                    ..ProfileParts::default()
                })
            });
            let places = old.places_in(&plan);
            // Versions in force are counted up from 0.
            let version = u16::MAX - number;
            let old = old.arranged_as(&plan, version);
            self.profiles.remember((profile, version), Arc::new(old));
            Transition {
                in_force: (profile, version),
                places: Some(places),
            }
        })
    }

    fn tell_expired(&mut self, endpoint: &str, place: Place) {
        if self.out.listening {
            self.events.push(Event {
                ts: self.now.wall,
                endpoint: endpoint.into(),
                kind: EventKind::Expired {
                    registration_id: self.shared.keys.registration_id(place).to_string(),
                },
            });
        }
    }
}
