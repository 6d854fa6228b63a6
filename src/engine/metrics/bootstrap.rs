//! Counters of the bootstrap server.

use crate::engine::bootstrap::desk::Refusal;
use crate::engine::bootstrap::session::End;

use super::render::Text;
use super::{Counter, EngineMetrics, Gauge};

/// Counters of one shard.
#[derive(Debug, Default)]
pub struct BootstrapMetrics {
    ended: [Counter; End::ALL.len()],
    refused: [Counter; Refusal::ALL.len()],
    /// Sessions.
    pub open: Gauge,
    /// Messages to services that found the way full.
    pub untold: Counter,
}

impl BootstrapMetrics {
    /// A session ended.
    pub fn ended(&self, end: End) {
        self.ended[end as usize].add(1);
    }

    /// A device was told nothing.
    pub fn refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].add(1);
    }
}

impl EngineMetrics {
    pub(super) fn bootstrap(&self, out: &mut Text<'_>) {
        out.family("lwm2m_bootstrap_sessions_total");
        let ended = End::ALL.iter().map(|end| {
            let n = self.sum(|m| &m.bootstrap.ended[*end as usize]);
            (end.discriminant(), n)
        });
        let refused = Refusal::ALL.iter().map(|refusal| {
            let n = self.sum(|m| &m.bootstrap.refused[*refusal as usize]);
            (refusal.discriminant(), n)
        });
        for (result, n) in ended.chain(refused) {
            out.line(format_args!(
                "lwm2m_bootstrap_sessions_total{{result=\"{result}\"}} {n}"
            ));
        }
        out.single(
            "lwm2m_bootstrap_sessions",
            self.gauge(|m| &m.bootstrap.open),
        );
        let untold = self.sum(|m| &m.bootstrap.untold);
        out.single("lwm2m_bootstrap_untold_total", untold);
    }
}
