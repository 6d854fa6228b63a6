//! What is counted of campaigns.

use super::{Counts, Known, Phase, name};

const PHASES: [Phase; 5] = [
    Phase::Running,
    Phase::Paused,
    Phase::Stopped,
    Phase::Completed,
    Phase::Cancelled,
];

impl Known {
    /// Sets the gauges: campaigns by state, and how the devices stand of those that are not over.
    pub(super) fn count(&self) {
        let mut campaigns = [0_u32; PHASES.len()];
        let mut devices = [0_u64; 7];
        for record in self.records.values() {
            let live = self.live.get(&record.id);
            let phase = live.map_or(record.kept.phase, |live| live.plan.kept().phase);
            campaigns[phase as usize] += 1;
            let counts = live.map(|live| live.plan.counts()).unwrap_or_default();
            for (sum, (_, count)) in devices.iter_mut().zip(named(counts)) {
                *sum += u64::from(count);
            }
        }
        for (phase, count) in PHASES.into_iter().zip(campaigns) {
            metrics::gauge!("lwm2m_campaigns", "state" => name(phase)).set(count);
        }
        for ((state, _), count) in named(Counts::default()).into_iter().zip(devices) {
            metrics::gauge!("lwm2m_campaign_devices", "state" => state).set(count as f64);
        }
    }
}

const fn named(counts: Counts) -> [(&'static str, u32); 7] {
    [
        ("waiting", counts.waiting),
        ("absent", counts.absent),
        ("running", counts.running),
        ("updated", counts.updated),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("cancelled", counts.cancelled),
    ]
}
