//! How old values are when the server shows them: what happened to the values of a few devices, put together.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::changes::Resources;
use crate::clock::Micros;

/// Devices whose values are followed.
pub const SAMPLE: u32 = 8;

/// A value of a followed device at some time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sighting {
    /// The device's number.
    pub device: u32,
    /// The resource.
    pub resource: u8,
    /// How often it has changed: later values have greater numbers.
    pub count: u32,
    /// When.
    pub at: Micros,
}

/// What followed devices know and tell.
#[derive(Debug)]
pub struct Log {
    step: u32,
    changed: Vec<Sighting>,
    told: Vec<Sighting>,
    last_told: BTreeMap<(u32, u8), u32>,
    resources: u8,
}

/// Percentiles, in the unit of the member they are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Values.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Greatest.
    pub max: f64,
}

/// What came of the changes of followed devices.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Changes.
    pub changes: u64,
    /// Changes whose value, or a later one, the server showed.
    pub seen: u64,
    /// From the first message with the value (or a later one) to the server's showing it, in microseconds.
    pub latency_us: Histogram<u64>,
    /// From the change to the server's showing it, in microseconds.
    pub age_us: Histogram<u64>,
}

impl Log {
    /// For a fleet of so many devices.
    #[must_use]
    pub fn new(clients: u32, resources: u8) -> Self {
        Self {
            step: step(clients),
            changed: Vec::new(),
            told: Vec::new(),
            last_told: BTreeMap::new(),
            resources,
        }
    }

    /// Values of a device change.
    pub fn changed(&mut self, device: u32, resources: Resources, counts: &[u32], at: Micros) {
        if !is_followed(device, self.step) {
            return;
        }
        let changed = self.sightings(device, resources, counts, at);
        self.changed.extend(changed);
    }

    /// A device sends values.
    pub fn told(&mut self, device: u32, resources: Resources, counts: &[u32], at: Micros) {
        if resources == 0 || !is_followed(device, self.step) {
            return;
        }
        for sighting in self.sightings(device, resources, counts, at) {
            let last = self.last_told.entry((device, sighting.resource));
            let last = last.or_default();
            if sighting.count > *last {
                *last = sighting.count;
                self.told.push(sighting);
            }
        }
    }

    /// Compares with what the server showed, in the order of time.
    #[must_use]
    pub fn follow(&self, seen: &[Sighting]) -> Followed {
        let (told, seen) = (by_resource(&self.told), by_resource(seen));
        let mut followed = Followed {
            changes: self.changed.len() as u64,
            seen: 0,
            latency_us: histogram(),
            age_us: histogram(),
        };
        let none = Vec::new();
        for change in &self.changed {
            let key = (change.device, change.resource);
            let first = |of: &BTreeMap<_, Vec<Sighting>>| {
                let of = of.get(&key).unwrap_or(&none);
                of.iter()
                    .find(|sighting| sighting.count >= change.count)
                    .map(|sighting| sighting.at)
            };
            let Some(seen) = first(&seen) else { continue };
            followed.seen += 1;
            let record = |histogram: &mut Histogram<u64>, since: Micros| {
                histogram.saturating_record(seen.saturating_sub(since).max(1));
            };
            record(&mut followed.age_us, change.at);
            if let Some(told) = first(&told) {
                record(&mut followed.latency_us, told);
            }
        }
        followed
    }

    fn sightings(
        &self,
        device: u32,
        resources: Resources,
        counts: &[u32],
        at: Micros,
    ) -> Vec<Sighting> {
        let of = |resource: u8| Sighting {
            device,
            resource,
            count: counts[usize::from(resource)],
            at,
        };
        (0..self.resources)
            .filter(|resource| resources & 1 << resource != 0)
            .map(of)
            .collect()
    }
}

impl Percentiles {
    /// Of a histogram in microseconds, each times `factor`.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>, factor: f64) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 * factor;
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p99: at(0.99),
            max: histogram.max() as f64 * factor,
        }
    }
}

/// The numbers of the followed devices among `clients`, spread evenly.
pub fn followed(clients: u32) -> impl Iterator<Item = u32> {
    let step = step(clients);
    (0..clients).filter(move |&device| is_followed(device, step))
}

/// An empty histogram of microseconds, to a day.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 86_400_000_000, 3)
        .expect("three digits and these bounds are valid")
}

const fn step(clients: u32) -> u32 {
    if clients > SAMPLE {
        clients / SAMPLE
    } else {
        1
    }
}

const fn is_followed(device: u32, step: u32) -> bool {
    device.is_multiple_of(step) && device / step < SAMPLE
}

fn by_resource(sightings: &[Sighting]) -> BTreeMap<(u32, u8), Vec<Sighting>> {
    let mut sorted: BTreeMap<_, Vec<Sighting>> = BTreeMap::new();
    for sighting in sightings {
        let of = sorted.entry((sighting.device, sighting.resource));
        of.or_default().push(*sighting);
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seen(count: u32, at: Micros) -> Sighting {
        Sighting {
            device: 0,
            resource: 1,
            count,
            at,
        }
    }

    #[test]
    fn a_later_value_shows_earlier_changes_too() {
        let mut log = Log::new(1, 2);
        log.changed(0, 0b10, &[0, 1], 1_000);
        log.changed(0, 0b10, &[0, 2], 2_000);
        log.told(0, 0b11, &[0, 2], 3_000);
        log.changed(0, 0b11, &[1, 3], 5_000);
        let followed = log.follow(&[seen(0, 500), seen(2, 3_400), seen(2, 9_000)]);
        assert_eq!((followed.changes, followed.seen), (4, 2));
        let latency = Percentiles::of(&followed.latency_us, 1.0);
        assert_eq!((latency.p50, latency.count), (400.0, 2));
        let age = Percentiles::of(&followed.age_us, 1e-3);
        assert!((1.39..1.41).contains(&age.p50) && (2.39..2.41).contains(&age.max));
    }

    #[test]
    fn a_value_told_again_is_not_told_later() {
        let mut log = Log::new(1, 2);
        log.changed(0, 0b10, &[0, 1], 1_000);
        log.told(0, 0b10, &[0, 1], 1_000);
        log.told(0, 0b10, &[0, 1], 8_000);
        let followed = log.follow(&[seen(1, 1_200)]);
        assert_eq!(followed.latency_us.max(), 200);
    }

    #[test]
    fn a_few_devices_all_over_the_fleet_are_followed() {
        assert_eq!(followed(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(
            followed(2_000).collect::<Vec<_>>(),
            [0, 250, 500, 750, 1_000, 1_250, 1_500, 1_750]
        );
        assert_eq!(followed(1_001).count(), 8);
    }
}
