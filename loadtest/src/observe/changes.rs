//! When which values of a device change: it follows from the seed and the device's number, and from nothing else.

use fastrand::Rng;

use super::settings::{Pattern, Settings};

/// Microseconds of device time since the measurement began.
pub type DeviceTime = u64;

/// Resources of a device, one bit each.
pub type Resources = u64;

/// Values that change at the same time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    /// When.
    pub at: DeviceTime,
    /// Which.
    pub resources: Resources,
}

/// The changes of one device, in order, without end.
#[derive(Debug)]
pub struct Changes {
    rng: Rng,
    pattern: Pattern,
    /// Mean microseconds between two changes of a resource.
    period: f64,
    resources: u8,
    /// With [`Pattern::Sampled`] the next sample, else the next change of each resource.
    next: Vec<f64>,
}

/// How many of the values have changed from one sample to the next.
const SHARE: f64 = 0.5;

impl Changes {
    /// Of the device with this number.
    #[must_use]
    pub fn new(settings: &Settings, device: u32) -> Self {
        let mut rng = Rng::with_seed(settings.seed);
        rng = Rng::with_seed(rng.u64(..) ^ u64::from(device).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let period = settings.change_every * 1e6;
        let next = match settings.pattern {
            Pattern::Sampled => vec![rng.f64() * period * SHARE],
            Pattern::Independent => (0..settings.resources)
                .map(|_| waiting(&mut rng, period))
                .collect(),
        };
        Self {
            rng,
            pattern: settings.pattern,
            period,
            resources: settings.resources,
            next,
        }
    }

    /// Samples without any change are left out.
    fn sample(&mut self) -> Change {
        loop {
            let at = self.next[0];
            self.next[0] += self.period * SHARE;
            let resources = (0..self.resources)
                .filter(|_| self.rng.f64() < SHARE)
                .fold(0, |all, resource| all | 1 << resource);
            if resources != 0 {
                return Change {
                    at: at as DeviceTime,
                    resources,
                };
            }
        }
    }

    fn single(&mut self) -> Option<Change> {
        let (resource, at) = self
            .next
            .iter()
            .copied()
            .enumerate()
            .min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        self.next[resource] += waiting(&mut self.rng, self.period);
        Some(Change {
            at: at as DeviceTime,
            resources: 1 << resource,
        })
    }
}

impl Iterator for Changes {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        match self.pattern {
            Pattern::Sampled => Some(self.sample()),
            Pattern::Independent => self.single(),
        }
    }
}

/// Exponentially distributed, so that changes come at any time with the same probability.
fn waiting(rng: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(pattern: Pattern, seed: u64, device: u32) -> Vec<Change> {
        let settings = Settings {
            pattern,
            seed,
            ..Settings::default()
        };
        Changes::new(&settings, device)
            .take_while(|change| change.at < 600_000_000_000)
            .collect()
    }

    #[test]
    fn the_same_seed_brings_the_same_changes_and_another_brings_others() {
        for pattern in [Pattern::Sampled, Pattern::Independent] {
            assert_eq!(within(pattern, 7, 3), within(pattern, 7, 3));
            assert_ne!(within(pattern, 7, 3), within(pattern, 8, 3));
            assert_ne!(within(pattern, 7, 3), within(pattern, 7, 4));
        }
    }

    #[test]
    fn each_resource_changes_as_often_in_both_patterns() {
        for pattern in [Pattern::Sampled, Pattern::Independent] {
            let changes = within(pattern, 1, 0);
            assert!(changes.windows(2).all(|two| two[0].at <= two[1].at));
            // 1000 periods of 600 s, ten resources.
            for resource in 0..10 {
                let count = changes
                    .iter()
                    .filter(|change| change.resources & 1 << resource != 0)
                    .count();
                assert!((850..1_150).contains(&count), "{pattern:?}: {count}");
            }
        }
    }

    #[test]
    fn sampled_values_change_together_and_independent_ones_do_not() {
        let mean = |pattern| {
            let changes = within(pattern, 1, 0);
            let all: u32 = changes.iter().map(|c| c.resources.count_ones()).sum();
            f64::from(all) / changes.len() as f64
        };
        assert!((4.5..5.5).contains(&mean(Pattern::Sampled)));
        assert!((mean(Pattern::Independent) - 1.0).abs() < 1e-9);
    }
}
