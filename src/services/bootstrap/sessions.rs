//! The latest session of each device, for people.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::engine::bootstrap::desk::{Asked, Refusal, Ticket};
use crate::engine::bootstrap::session::End;
use crate::engine::view::SecurityMode;
use crate::proto::time::UnixMillis;

/// Devices whose latest session is remembered; those that bootstrapped longest ago give way.
pub const MAX_REMEMBERED: usize = 10_000;

/// A bootstrap session.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Endpoint client name.
    #[schema(value_type = String)]
    pub endpoint: Arc<str>,
    /// `running`, or how it ended, such as `finished`, `refused` or `unauthorized`.
    pub state: &'static str,
    /// How the device proved its identity.
    pub security: SecurityMode,
    /// From where it asked.
    pub address: String,
    /// Whether it asked for everything at once.
    pub pack: bool,
    /// When it began, in milliseconds since 1970.
    pub began: UnixMillis,
    /// When it ended.
    pub ended: Option<UnixMillis>,
    /// What happened last, in words.
    pub last: String,
    /// Why it failed.
    pub problem: Option<String>,
    /// Parameters of the request that LwM2M does not define.
    pub additional: BTreeMap<String, String>,
}

#[derive(Default)]
pub(super) struct Sessions {
    of: HashMap<Arc<str>, Remembered>,
    by_age: BTreeMap<u64, Arc<str>>,
    last: u64,
}

struct Remembered {
    number: u64,
    ticket: Ticket,
    view: SessionView,
}

const RUNNING: &str = "running";

impl Sessions {
    /// A session begins; the one before, if it still runs.
    pub(super) fn began(&mut self, asked: &Asked, now: UnixMillis) -> Option<Ticket> {
        let before = self.of.get(&asked.endpoint);
        let running = before.filter(|before| before.view.state == RUNNING);
        let running = running.map(|before| before.ticket);
        self.remember(asked, RUNNING, None, now);
        running.filter(|ticket| *ticket != asked.ticket)
    }

    /// A device was refused. A session of it that runs goes on.
    pub(super) fn refused(
        &mut self,
        asked: &Asked,
        refusal: Refusal,
        why: String,
        now: UnixMillis,
    ) {
        let before = self.of.get(&asked.endpoint);
        if before.is_none_or(|before| before.view.state != RUNNING) {
            self.remember(asked, refusal.discriminant(), Some(why), now);
        }
    }

    pub(super) fn noted(&mut self, endpoint: &Arc<str>, is_error: bool, text: &str) {
        if let Some(known) = self.of.get_mut(endpoint) {
            text.clone_into(&mut known.view.last);
            if is_error {
                known.view.problem = Some(text.to_owned());
            }
        }
    }

    pub(super) fn ended(&mut self, ticket: Ticket, endpoint: &Arc<str>, end: End, now: UnixMillis) {
        if let Some(known) = self.of.get_mut(endpoint)
            && known.ticket == ticket
        {
            known.view.state = end.discriminant();
            known.view.ended = Some(now);
        }
    }

    pub(super) fn newest(&self, endpoint: Option<&str>, limit: usize) -> Vec<SessionView> {
        match endpoint {
            Some(endpoint) => {
                let known = self.of.get(endpoint);
                known.map(|known| known.view.clone()).into_iter().collect()
            }
            None => {
                let newest = self.by_age.values().rev().take(limit);
                let known = newest.filter_map(|endpoint| self.of.get(endpoint));
                known.map(|known| known.view.clone()).collect()
            }
        }
    }

    fn remember(
        &mut self,
        asked: &Asked,
        state: &'static str,
        problem: Option<String>,
        now: UnixMillis,
    ) {
        self.last += 1;
        let number = self.last;
        let additional = asked.additional.iter();
        let view = SessionView {
            endpoint: Arc::clone(&asked.endpoint),
            state,
            security: asked.security,
            address: asked.address.to_string(),
            pack: asked.is_pack,
            began: now,
            ended: (state != RUNNING).then_some(now),
            last: String::new(),
            problem,
            additional: additional
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        };
        let ticket = asked.ticket;
        let remembered = Remembered {
            number,
            ticket,
            view,
        };
        if let Some(before) = self.of.insert(Arc::clone(&asked.endpoint), remembered) {
            self.by_age.remove(&before.number);
        }
        self.by_age.insert(number, Arc::clone(&asked.endpoint));
        if self.of.len() > MAX_REMEMBERED
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.of.remove(&oldest);
        }
    }
}
