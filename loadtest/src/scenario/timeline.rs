//! The phases of a run with the storms of `[security]` in their places.

use super::{Phase, Scenario};

impl Scenario {
    /// The phases in order. A storm cuts the first `hold` phase in two; one that comes later than that phase lasts is
    /// at its end.
    #[must_use]
    pub fn timeline(&self) -> Vec<Phase> {
        let mut storms = Vec::new();
        if let Some(rebind) = self.security.rebind {
            storms.push((
                rebind.at,
                Phase::Rebind {
                    share: rebind.share,
                },
            ));
        }
        if let Some(reconnect) = self.security.reconnect {
            storms.push((
                reconnect.at,
                Phase::Reconnect {
                    rate: reconnect.rate,
                    share: reconnect.share,
                },
            ));
        }
        storms.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let mut phases = Vec::new();
        for &phase in &self.phases {
            let Phase::Hold { duration } = phase else {
                phases.push(phase);
                continue;
            };
            let mut gone = 0.0;
            for (at, storm) in storms.drain(..) {
                let at = at.min(duration);
                phases.push(Phase::Hold {
                    duration: at - gone,
                });
                phases.push(storm);
                gone = at;
            }
            phases.push(Phase::Hold {
                duration: duration - gone,
            });
        }
        phases
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{RebindSettings, ReconnectSettings};

    #[test]
    fn storms_come_in_the_first_hold_phase_in_the_order_of_their_times() {
        let hold = |duration| Phase::Hold { duration };
        let mut scenario = Scenario {
            phases: vec![hold(10.0), hold(3.0)],
            ..Scenario::default()
        };
        assert_eq!(scenario.timeline(), scenario.phases);
        scenario.security.rebind = Some(RebindSettings {
            at: 99.0,
            share: 0.5,
        });
        scenario.security.reconnect = Some(ReconnectSettings {
            at: 4.0,
            share: 1.0,
            rate: 7.0,
        });
        let reconnect = Phase::Reconnect {
            rate: 7.0,
            share: 1.0,
        };
        let rebind = Phase::Rebind { share: 0.5 };
        assert_eq!(
            scenario.timeline(),
            [
                hold(4.0),
                reconnect,
                hold(6.0),
                rebind,
                hold(0.0),
                hold(3.0)
            ]
        );
    }
}
