//! Counters of DTLS. Most are kept by the layer itself and taken over at the end of a turn.

use crate::proto::dtls::{
    CloseReason, Counters, DtlsEndpoint, FailReason, Mode, RecordDrop, SealError,
};

use super::render::Text;
use super::{Counter, DURATION_BOUNDS, Durations, EngineMetrics, Gauge};

const MODES: [Mode; 3] = [Mode::Psk, Mode::RawPublicKey, Mode::Certificate];

/// What a handshake comes to besides a failure, in the order of their indices.
const ENDS: [&str; 3] = ["ok", "resumed", "revoked"];

/// Why something is not sealed, in the order of their indices.
const UNSEALED: [&str; 4] = ["session_over", "too_large", "exhausted", "cipher"];

/// Counters of one shard.
#[derive(Debug, Default)]
pub struct DtlsMetrics {
    ended: [[Counter; ENDS.len()]; MODES.len()],
    failed: [[Counter; FailReason::ALL.len()]; MODES.len()],
    durations: [Durations; MODES.len()],
    records_dropped: [Counter; RecordDrop::ALL.len()],
    sessions_closed: [Counter; CloseReason::ALL.len()],
    unsealed: [Counter; UNSEALED.len()],
    started: Counter,
    without_etm: Counter,
    verify_requests: Counter,
    flights_repeated: Counter,
    opened: Counter,
    sealed: Counter,
    rebound: Counter,
    /// Certificates that were not verified because too many waited.
    pub lookups_refused: Counter,
    /// Sessions.
    pub sessions: Gauge,
    /// Sessions that keep their OpenSSL object.
    pub sessions_kept: Gauge,
    /// Handshakes in flight.
    pub handshakes_open: Gauge,
    /// ClientHellos of which fragments are missing.
    pub partial_hellos: Gauge,
}

impl DtlsMetrics {
    /// A handshake led to a session.
    pub fn completed(&self, mode: Mode, resumed: bool, millis: u64) {
        self.ended[mode as usize][usize::from(resumed)].add(1);
        let millis = u32::try_from(millis).unwrap_or(u32::MAX);
        self.durations[mode as usize].record(millis);
    }

    /// The identity was taken back while the handshake went on.
    pub fn revoked(&self, mode: Mode) {
        self.ended[mode as usize][2].add(1);
    }

    /// A handshake failed.
    pub fn failed(&self, mode: Mode, reason: FailReason) {
        self.failed[mode as usize][reason as usize].add(1);
    }

    /// A message could not be sealed.
    pub fn not_sealed(&self, error: SealError) {
        let at = match error {
            SealError::Gone => 0,
            SealError::TooLarge { .. } => 1,
            SealError::Exhausted => 2,
            SealError::Cipher => 3,
        };
        self.unsealed[at].add(1);
    }
}

/// What one layer has counted and these counters know of. Several layers share the counters of their
/// shard.
#[derive(Debug, Default)]
pub struct DtlsTotals {
    counters: Counters,
    gauges: [i64; 4],
}

impl DtlsTotals {
    /// Takes over what the layer counted since the last time.
    pub fn publish(&mut self, layer: &DtlsEndpoint, metrics: &DtlsMetrics) {
        let (now, before) = (layer.counters(), &self.counters);
        let tables = [
            (
                &metrics.records_dropped[..],
                &now.records_dropped[..],
                &before.records_dropped[..],
            ),
            (
                &metrics.sessions_closed[..],
                &now.sessions_closed[..],
                &before.sessions_closed[..],
            ),
        ];
        for (ours, now, before) in tables {
            for (counter, (now, before)) in ours.iter().zip(now.iter().zip(before)) {
                counter.add(now - before);
            }
        }
        let repeated =
            |counters: &Counters| counters.flights_repeated + counters.last_flights_repeated;
        for (counter, now, before) in [
            (
                &metrics.started,
                now.handshakes_started,
                before.handshakes_started,
            ),
            (
                &metrics.without_etm,
                now.handshakes_without_etm,
                before.handshakes_without_etm,
            ),
            (
                &metrics.verify_requests,
                now.verify_requests,
                before.verify_requests,
            ),
            (&metrics.flights_repeated, repeated(now), repeated(before)),
            (&metrics.opened, now.records_opened, before.records_opened),
            (&metrics.sealed, now.records_sealed, before.records_sealed),
            (&metrics.rebound, now.rebound, before.rebound),
        ] {
            counter.add(now - before);
        }
        self.counters = now.clone();
        let gauges = [
            layer.sessions() as i64,
            layer.kept_sessions() as i64,
            layer.handshakes() as i64,
            layer.partial_hellos() as i64,
        ];
        let ours = [
            &metrics.sessions,
            &metrics.sessions_kept,
            &metrics.handshakes_open,
            &metrics.partial_hellos,
        ];
        for (gauge, (now, before)) in ours.iter().zip(gauges.iter().zip(self.gauges)) {
            gauge.add(now - before);
        }
        self.gauges = gauges;
    }
}

impl EngineMetrics {
    pub(super) fn dtls(&self, out: &mut Text<'_>) {
        out.family("lwm2m_dtls_handshakes_total");
        for (at, mode) in MODES.iter().enumerate() {
            let ended = ENDS.iter().copied().enumerate();
            let ended = ended.map(|(end, name)| (name, self.sum(|m| &m.dtls.ended[at][end])));
            let failed = FailReason::ALL.iter();
            let failed = failed.map(|reason| {
                let n = self.sum(|m| &m.dtls.failed[at][*reason as usize]);
                (reason.discriminant(), n)
            });
            let mode = mode.label();
            for (result, n) in ended.chain(failed) {
                out.nonzero(
                    n,
                    format_args!(
                        "lwm2m_dtls_handshakes_total{{mode=\"{mode}\",result=\"{result}\"}} {n}"
                    ),
                );
            }
        }
        self.handshake_durations(out);
        out.single("lwm2m_dtls_sessions", self.gauge(|m| &m.dtls.sessions));
        let kept = self.gauge(|m| &m.dtls.sessions_kept);
        out.single("lwm2m_dtls_sessions_without_etm", kept);
        let open = self.gauge(|m| &m.dtls.handshakes_open);
        out.single("lwm2m_dtls_handshakes_open", open);
        let partial = self.gauge(|m| &m.dtls.partial_hellos);
        out.single("lwm2m_dtls_partial_hellos", partial);
        for (name, of) in [
            (
                "lwm2m_dtls_handshakes_started_total",
                (|m| &m.started) as fn(&DtlsMetrics) -> &Counter,
            ),
            ("lwm2m_dtls_handshakes_without_etm_total", |m| {
                &m.without_etm
            }),
            ("lwm2m_dtls_verify_requests_total", |m| &m.verify_requests),
            ("lwm2m_dtls_flights_repeated_total", |m| &m.flights_repeated),
            ("lwm2m_dtls_cid_rebinds_total", |m| &m.rebound),
            ("lwm2m_dtls_lookups_refused_total", |m| &m.lookups_refused),
        ] {
            out.single(name, self.sum(|m| of(&m.dtls)));
        }
        out.family("lwm2m_dtls_records_total");
        for (direction, n) in [
            ("in", self.sum(|m| &m.dtls.opened)),
            ("out", self.sum(|m| &m.dtls.sealed)),
        ] {
            out.line(format_args!(
                "lwm2m_dtls_records_total{{direction=\"{direction}\"}} {n}"
            ));
        }
        let dropped = RecordDrop::ALL.iter().map(|reason| {
            let n = self.sum(|m| &m.dtls.records_dropped[*reason as usize]);
            (reason.discriminant(), n)
        });
        by_reason(out, "lwm2m_dtls_records_dropped_total", dropped);
        let closed = CloseReason::ALL.iter().map(|reason| {
            let n = self.sum(|m| &m.dtls.sessions_closed[*reason as usize]);
            (reason.discriminant(), n)
        });
        by_reason(out, "lwm2m_dtls_sessions_closed_total", closed);
        let unsealed = UNSEALED.iter().enumerate();
        let unsealed = unsealed.map(|(at, name)| (*name, self.sum(|m| &m.dtls.unsealed[at])));
        by_reason(out, "lwm2m_dtls_seal_failures_total", unsealed);
    }

    fn handshake_durations(&self, out: &mut Text<'_>) {
        let name = "lwm2m_dtls_handshake_duration_seconds";
        out.family(name);
        for (at, mode) in MODES.iter().enumerate() {
            let mode = mode.label();
            let mut total = 0;
            for bucket in 0..=DURATION_BOUNDS.len() {
                total += self.sum(|m| &m.dtls.durations[at].buckets[bucket]);
                let bound = match DURATION_BOUNDS.get(bucket) {
                    Some(millis) => (f64::from(*millis) / 1000.0).to_string(),
                    None => "+Inf".to_owned(),
                };
                out.line(format_args!(
                    "{name}_bucket{{mode=\"{mode}\",le=\"{bound}\"}} {total}"
                ));
            }
            let sum = self.sum(|m| &m.dtls.durations[at].sum_millis) as f64 / 1000.0;
            out.line(format_args!("{name}_sum{{mode=\"{mode}\"}} {sum}"));
            out.line(format_args!("{name}_count{{mode=\"{mode}\"}} {total}"));
        }
    }
}

fn by_reason<'a>(
    out: &mut Text<'_>,
    name: &'static str,
    counts: impl Iterator<Item = (&'a str, u64)>,
) {
    out.family(name);
    for (reason, n) in counts {
        out.nonzero(n, format_args!("{name}{{reason=\"{reason}\"}} {n}"));
    }
}
