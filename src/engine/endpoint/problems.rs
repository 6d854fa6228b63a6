//! What went wrong with one device lately: a bounded list that an operator can read.

use std::borrow::Cow;

use crate::proto::lwm2m::Path;
use crate::proto::time::UnixMillis;

use super::journal::Severity;
use super::outputs::{Happening, Outputs};

/// How many kinds of problem are kept for a device; the oldest makes room.
pub const MAX_PROBLEMS: usize = 8;

/// One kind of problem of a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Stable name of the reason.
    pub reason: Cow<'static, str>,
    /// The path concerned.
    pub path: Option<Path>,
    /// How often it happened.
    pub count: u32,
    /// When it happened last.
    pub last: UnixMillis,
    /// What happened the last time.
    pub detail: Box<str>,
}

/// The problems of a device. Costs one pointer as long as there are none.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    // A boxed Vec: eight bytes in a million healthy endpoints instead of twenty-four.
    #[allow(clippy::box_collection)]
    list: Option<Box<Vec<Problem>>>,
}

impl Problems {
    /// Notes a problem and tells subscribers.
    pub fn note(
        &mut self,
        now: UnixMillis,
        reason: &'static str,
        path: Option<Path>,
        detail: impl Into<Box<str>>,
        out: &mut Outputs,
    ) {
        let detail = detail.into();
        out.changed = true;
        out.happened(|| Happening::Problem {
            reason,
            path,
            detail: detail.clone(),
        });
        // Requests and observations that ended have entries of their own.
        if !reason.starts_with("request_") && reason != "observation_ended" {
            out.log(Severity::Warn, || match path {
                Some(path) => format!("warn: {path}: {detail}"),
                None => format!("warn: {detail}"),
            });
        }
        let list = self.list.get_or_insert_default();
        if let Some(known) = list
            .iter_mut()
            .find(|p| p.reason == reason && p.path == path)
        {
            known.count = known.count.saturating_add(1);
            known.last = now;
            known.detail = detail;
            return;
        }
        if list.len() == MAX_PROBLEMS
            && let Some(oldest) = (0..list.len()).min_by_key(|&at| list[at].last)
        {
            list.swap_remove(oldest);
        }
        list.push(Problem {
            reason: Cow::Borrowed(reason),
            path,
            count: 1,
            last: now,
            detail,
        });
    }

    /// Forgets the problems with this reason.
    pub fn clear(&mut self, reason: &str) {
        if let Some(list) = &mut self.list {
            list.retain(|problem| problem.reason != reason);
            if list.is_empty() {
                self.list = None;
            }
        }
    }

    /// Takes over problems noted before, at most [`MAX_PROBLEMS`] of them.
    #[must_use]
    pub fn of(problems: Vec<Problem>) -> Self {
        let mut problems = problems;
        problems.truncate(MAX_PROBLEMS);
        Self {
            list: (!problems.is_empty()).then(|| Box::new(problems)),
        }
    }

    /// All problems.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().flat_map(|list| list.iter())
    }
}
