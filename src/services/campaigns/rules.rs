//! How a campaign proceeds.

use serde::{Deserialize, Serialize};

use super::CampaignError;
use crate::proto::time::UnixMillis;

const MINUTE: UnixMillis = 60_000;
const DAY: UnixMillis = 24 * 60 * MINUTE;

/// How a campaign proceeds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rules {
    /// Devices begun with in a minute, 1 to 1000000; as many as `concurrency` allows when absent.
    pub per_minute: Option<u32>,
    /// Devices that are updated at the same time, 1 to 1000000.
    pub concurrency: u32,
    /// Share of the devices that are updated first, in percent, 0 to 100. The others wait until these
    /// are through.
    pub canary_percent: u8,
    /// Share of failed devices among the finished ones, in percent, above which the campaign stops:
    /// among the first ones when they are through, later as soon as 10 have finished.
    pub max_failure_percent: u8,
    /// Times of the day at which devices are begun with.
    pub window: Option<Window>,
    /// Not before, milliseconds since 1970.
    pub not_before: Option<UnixMillis>,
    /// Not after, milliseconds since 1970: devices that had no turn until then have none.
    pub not_after: Option<UnixMillis>,
    /// How often a device that failed has another turn, 0 to 10.
    pub retries: u8,
    /// Minutes a device has from its turn on, 1 to 43200 (30 days); then it has failed.
    pub device_timeout_minutes: u32,
}

/// Times of the day, UTC. May go past midnight.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// `HH:MM`, included.
    pub from: String,
    /// `HH:MM`, not included.
    pub to: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            per_minute: None,
            concurrency: 100,
            canary_percent: 0,
            max_failure_percent: 10,
            window: None,
            not_before: None,
            not_after: None,
            retries: 0,
            device_timeout_minutes: 24 * 60,
        }
    }
}

impl Rules {
    /// Refuses what cannot be done.
    pub(super) fn check(&self, now: UnixMillis) -> Result<(), CampaignError> {
        let within = |member, value: u32, least, most| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let problem = format!("is {value}; accepted is {least} to {most}");
            Err(CampaignError::Member { member, problem })
        };
        within("perMinute", self.per_minute.unwrap_or(1), 1, 1_000_000)?;
        within("concurrency", self.concurrency, 1, 1_000_000)?;
        within("canaryPercent", self.canary_percent.into(), 0, 100)?;
        within("maxFailurePercent", self.max_failure_percent.into(), 0, 100)?;
        within("retries", self.retries.into(), 0, 10)?;
        within(
            "deviceTimeoutMinutes",
            self.device_timeout_minutes,
            1,
            43_200,
        )?;
        if let Some(window) = &self.window
            && window.minutes().is_none()
        {
            let (from, to) = (&window.from, &window.to);
            let problem = format!(
                "is from \"{from}\" to \"{to}\"; accepted are two different times such as 22:00 and 05:00, UTC"
            );
            let member = "window";
            return Err(CampaignError::Member { member, problem });
        }
        let begin = self.not_before.unwrap_or(now).max(now);
        if self.not_after.is_some_and(|end| end <= begin) {
            let problem = "is over before it begins; accepted is a time after notBefore and now";
            return Err(CampaignError::Member {
                member: "notAfter",
                problem: problem.to_owned(),
            });
        }
        Ok(())
    }

    /// How many of `devices` are updated first; none when there are no others.
    pub(super) fn canary_of(&self, devices: u32) -> u32 {
        let share = u64::from(devices) * u64::from(self.canary_percent);
        let first = share.div_ceil(100) as u32;
        if first == devices { 0 } else { first }
    }

    /// Devices that may be begun with at the same moment, by the rate: those of a second.
    pub(super) fn burst(&self) -> f64 {
        match self.per_minute {
            None => f64::from(u32::MAX),
            Some(rate) => (f64::from(rate) / 60.0).max(1.0),
        }
    }

    /// When, from `now` on, devices may be begun with; `None` when no more.
    pub(super) fn opens(&self, now: UnixMillis) -> Option<UnixMillis> {
        let mut opens = now.max(self.not_before.unwrap_or(now));
        if let Some((from, to)) = self.window.as_ref().and_then(Window::minutes) {
            let of_day = opens.rem_euclid(DAY);
            let inside = if from < to {
                (from..to).contains(&of_day)
            } else {
                of_day >= from || of_day < to
            };
            if !inside {
                opens += (from - of_day).rem_euclid(DAY);
            }
        }
        self.not_after
            .is_none_or(|end| opens < end)
            .then_some(opens)
    }

    pub(super) fn device_timeout_millis(&self) -> UnixMillis {
        UnixMillis::from(self.device_timeout_minutes) * MINUTE
    }
}

impl Window {
    /// Begin and end as milliseconds of the day.
    fn minutes(&self) -> Option<(UnixMillis, UnixMillis)> {
        let minutes = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            if !digits(hours) || !digits(minutes) {
                return None;
            }
            let (hours, minutes): (UnixMillis, UnixMillis) =
                (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * MINUTE)
        };
        let (from, to) = (minutes(&self.from)?, minutes(&self.to)?);
        (from != to).then_some((from, to))
    }
}
