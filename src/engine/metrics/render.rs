//! The counters of all shards in Prometheus text format.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use crate::engine::endpoint::observations::ObservationKind;
use crate::engine::endpoint::outputs::{
    DropReason, NotificationResult, OperationKind, RequestResult,
};
use crate::engine::endpoint::update::status::UpdateStatus;
use crate::engine::endpoint::update::target::UpdateKind;
use crate::engine::view::SecurityMode;
use crate::ops::metrics::write_header;
use crate::proto::coap::MessageType;

use super::{
    ANSWERS, CLASSES, Counter, DURATION_BOUNDS, Direction, Fetch, Gauge, Interface, Rejection,
    ShardMetrics,
};

/// The metrics of the engine.
#[derive(Clone, Debug)]
pub struct EngineMetrics {
    shards: Arc<[Arc<ShardMetrics>]>,
}

impl EngineMetrics {
    /// Metrics folded from these shards.
    #[must_use]
    pub fn new(shards: Vec<Arc<ShardMetrics>>) -> Self {
        Self {
            shards: shards.into(),
        }
    }

    /// Places of endpoints that a change of a profile has not reached yet.
    #[must_use]
    pub fn rollout(&self) -> u64 {
        self.gauge(|m| &m.rollout).max(0) as u64
    }

    /// The blocks of the shards, by index.
    #[must_use]
    pub fn shards(&self) -> &[Arc<ShardMetrics>] {
        &self.shards
    }

    /// Appends all series. Reads counters only: no shard is asked, none waits.
    pub fn render(&self, text: &mut String) {
        let mut out = Text(text);
        self.registrations(&mut out);
        self.traffic(&mut out);
        self.dtls(&mut out);
        self.bootstrap(&mut out);
        self.values(&mut out);
        self.updates(&mut out);
        self.shard_state(&mut out);
    }

    fn registrations(&self, out: &mut Text<'_>) {
        out.family("lwm2m_registrations");
        type Of = fn(&ShardMetrics, SecurityMode) -> &Gauge;
        let states: [(_, Of); 2] = [
            ("registered", ShardMetrics::registered),
            ("asleep", ShardMetrics::asleep),
        ];
        for mode in SecurityMode::ALL {
            for (state, of) in states {
                let (n, security) = (self.gauge(|m| of(m, mode)), mode.name());
                out.line(format_args!(
                    "lwm2m_registrations{{security=\"{security}\",state=\"{state}\"}} {n}"
                ));
            }
        }
        out.single("lwm2m_endpoints", self.gauge(|m| &m.endpoints));
        out.family("lwm2m_register_requests_total");
        for interface in Interface::ALL {
            for (at, code) in ANSWERS.iter().enumerate() {
                let n = self.sum(|m| &m.answers[interface as usize][at]);
                let operation = interface.name();
                out.nonzero(n, format_args!("lwm2m_register_requests_total{{operation=\"{operation}\",code=\"{code}\"}} {n}"));
            }
        }
    }

    fn traffic(&self, out: &mut Text<'_>) {
        out.family("lwm2m_coap_messages_total");
        for (direction, name) in [(Direction::In, "in"), (Direction::Out, "out")] {
            for kind in [
                MessageType::Confirmable,
                MessageType::NonConfirmable,
                MessageType::Acknowledgement,
                MessageType::Reset,
            ] {
                for class in 0..CLASSES {
                    let n = self.sum(|m| &m.messages[direction as usize][kind as usize][class]);
                    let kind = kind.name();
                    out.nonzero(n, format_args!("lwm2m_coap_messages_total{{direction=\"{name}\",type=\"{kind}\",class=\"{class}\"}} {n}"));
                }
            }
        }
        out.single(
            "lwm2m_coap_retransmissions_total",
            self.sum(|m| &m.retransmissions),
        );
        out.single("lwm2m_coap_duplicates_total", self.sum(|m| &m.duplicates));
        out.family("lwm2m_coap_rejected_total");
        for reason in Rejection::ALL {
            let n = self.sum(|m| &m.rejected[reason as usize]);
            let reason = reason.discriminant();
            out.line(format_args!(
                "lwm2m_coap_rejected_total{{reason=\"{reason}\"}} {n}"
            ));
        }
        out.family("lwm2m_requests_total");
        for operation in OperationKind::ALL {
            for result in RequestResult::ALL {
                let n = self.sum(|m| &m.requests[operation as usize][result as usize]);
                let (operation, result) = (operation.name(), result.discriminant());
                out.line(format_args!(
                    "lwm2m_requests_total{{operation=\"{operation}\",result=\"{result}\"}} {n}"
                ));
            }
        }
        self.durations(out);
        out.single("lwm2m_command_queue_depth", self.gauge(|m| &m.queued));
    }

    fn durations(&self, out: &mut Text<'_>) {
        out.family("lwm2m_request_duration_seconds");
        for operation in OperationKind::ALL {
            let of =
                |m: &ShardMetrics, at: usize| m.durations[operation as usize].buckets[at].get();
            let operation_name = operation.name();
            let mut count = 0;
            for at in 0..=DURATION_BOUNDS.len() {
                count += self.shards.iter().map(|m| of(m, at)).sum::<u64>();
                let bound = DURATION_BOUNDS
                    .get(at)
                    .map(|millis| f64::from(*millis) / 1000.0);
                let bound = bound.map_or("+Inf".to_owned(), |bound| bound.to_string());
                out.line(format_args!("lwm2m_request_duration_seconds_bucket{{operation=\"{operation_name}\",le=\"{bound}\"}} {count}"));
            }
            let sum = self.sum(|m| &m.durations[operation as usize].sum_millis) as f64 / 1000.0;
            out.line(format_args!(
                "lwm2m_request_duration_seconds_sum{{operation=\"{operation_name}\"}} {sum}"
            ));
            out.line(format_args!(
                "lwm2m_request_duration_seconds_count{{operation=\"{operation_name}\"}} {count}"
            ));
        }
    }

    fn values(&self, out: &mut Text<'_>) {
        out.family("lwm2m_observations");
        for kind in ObservationKind::ALL {
            let n = self.gauge(|m| &m.observations[kind as usize]);
            let strategy = kind.discriminant();
            out.line(format_args!(
                "lwm2m_observations{{strategy=\"{strategy}\"}} {n}"
            ));
        }
        out.family("lwm2m_notifications_total");
        for kind in ObservationKind::ALL {
            for result in NotificationResult::ALL {
                let n = self.sum(|m| &m.notifications[kind as usize][result as usize]);
                let (strategy, result) = (kind.discriminant(), result.discriminant());
                out.line(format_args!(
                    "lwm2m_notifications_total{{strategy=\"{strategy}\",result=\"{result}\"}} {n}"
                ));
            }
        }
        out.family("lwm2m_values_total");
        for (kind, n) in [
            ("attribute", self.sum(|m| &m.attributes)),
            ("telemetry", self.sum(|m| &m.telemetry)),
        ] {
            out.line(format_args!("lwm2m_values_total{{kind=\"{kind}\"}} {n}"));
        }
        out.family("lwm2m_values_dropped_total");
        for reason in DropReason::ALL {
            let n = self.sum(|m| &m.dropped[reason as usize]);
            let reason = reason.discriminant();
            out.line(format_args!(
                "lwm2m_values_dropped_total{{reason=\"{reason}\"}} {n}"
            ));
        }
        out.single(
            "lwm2m_unannounced_resources_total",
            self.sum(|m| &m.not_announced),
        );
    }

    fn updates(&self, out: &mut Text<'_>) {
        let kinds = || UpdateKind::ALL.into_iter().map(|kind| (kind, kind.name()));
        out.family("lwm2m_ota_sessions");
        for (kind, name) in kinds() {
            // Those that ended are none.
            for status in &UpdateStatus::ALL[..UpdateStatus::Updated as usize] {
                let n = self.gauge(|m| &m.updates[kind as usize][*status as usize]);
                let state = status.label();
                out.line(format_args!(
                    "lwm2m_ota_sessions{{kind=\"{name}\",state=\"{state}\"}} {n}"
                ));
            }
        }
        out.family("lwm2m_ota_updates_total");
        for (kind, name) in kinds() {
            for (at, result) in ["updated", "failed"].into_iter().enumerate() {
                let n = self.sum(|m| &m.update_ends[kind as usize][at]);
                out.line(format_args!(
                    "lwm2m_ota_updates_total{{kind=\"{name}\",result=\"{result}\"}} {n}"
                ));
            }
        }
        out.family("lwm2m_ota_restarts_total");
        for (kind, name) in kinds() {
            let n = self.sum(|m| &m.update_again[kind as usize]);
            out.line(format_args!(
                "lwm2m_ota_restarts_total{{kind=\"{name}\"}} {n}"
            ));
        }
        out.family("lwm2m_ota_bytes_total");
        for (kind, name) in kinds() {
            for (direction, n) in [
                ("push", self.sum(|m| &m.pushed[kind as usize])),
                ("pull", self.sum(|m| &m.pulled[kind as usize])),
            ] {
                out.line(format_args!(
                    "lwm2m_ota_bytes_total{{kind=\"{name}\",direction=\"{direction}\"}} {n}"
                ));
            }
        }
        out.family("lwm2m_ota_fetches_total");
        for fetch in Fetch::ALL {
            let n = self.sum(|m| &m.fetches[fetch as usize]);
            let result = fetch.discriminant();
            out.line(format_args!(
                "lwm2m_ota_fetches_total{{result=\"{result}\"}} {n}"
            ));
        }
    }

    fn shard_state(&self, out: &mut Text<'_>) {
        let depth = self.gauge(|m| &m.active);
        out.single("lwm2m_active_endpoints", depth);
        out.single(
            "lwm2m_actor_activations_total",
            self.sum(|m| &m.activations),
        );
        out.single(
            "lwm2m_actor_restarts_total",
            self.sum(|m| &m.actor_restarts),
        );
        out.single("lwm2m_shard_panics_total", self.sum(|m| &m.shard_panics));
        out.single("lwm2m_handoffs_total", self.sum(|m| &m.handoffs));
        out.single(
            "lwm2m_event_batches_lost_total",
            self.sum(|m| &m.events_lost),
        );
        out.single(
            "lwm2m_history_values_lost_total",
            self.sum(|m| &m.history_lost),
        );
        out.single(
            "lwm2m_udp_receive_drops_total",
            (0..4)
                .map(|at| self.sum(|m| &m.kernel_drops[at]))
                .sum::<u64>(),
        );
        out.single("lwm2m_udp_send_errors_total", self.sum(|m| &m.send_errors));
        out.single("lwm2m_profile_rollout_slots", self.gauge(|m| &m.rollout));
        out.single("lwm2m_state_records_total", self.sum(|m| &m.state_records));
        out.single(
            "lwm2m_state_deferred_total",
            self.sum(|m| &m.state_deferred),
        );
        out.single("lwm2m_state_waiting", self.gauge(|m| &m.state_waiting));
        out.single(
            "lwm2m_transport_log_entries_total",
            self.sum(|m| &m.log_entries),
        );
        out.single("lwm2m_transport_log_bytes", self.gauge(|m| &m.log_bytes));
        out.single("lwm2m_block_bodies", self.gauge(|m| &m.bodies));
        out.family("lwm2m_shard_busy_seconds_total");
        for (shard, metrics) in self.shards.iter().enumerate() {
            let seconds = metrics.busy_micros.get() as f64 / 1e6;
            out.line(format_args!(
                "lwm2m_shard_busy_seconds_total{{shard=\"{shard}\"}} {seconds}"
            ));
        }
        out.family("lwm2m_shard_backlog");
        for (shard, metrics) in self.shards.iter().enumerate() {
            let n = metrics.backlog.get();
            out.line(format_args!("lwm2m_shard_backlog{{shard=\"{shard}\"}} {n}"));
        }
    }

    pub(super) fn sum(&self, of: impl Fn(&ShardMetrics) -> &Counter) -> u64 {
        self.shards.iter().map(|metrics| of(metrics).get()).sum()
    }

    pub(super) fn gauge(&self, of: impl Fn(&ShardMetrics) -> &Gauge) -> i64 {
        self.shards.iter().map(|metrics| of(metrics).get()).sum()
    }
}

pub(super) struct Text<'a>(&'a mut String);

impl Text<'_> {
    pub(super) fn family(&mut self, name: &str) {
        write_header(self.0, name);
    }

    pub(super) fn single(&mut self, name: &str, n: impl Display) {
        self.family(name);
        self.line(format_args!("{name} {n}"));
    }

    pub(super) fn nonzero(&mut self, n: u64, line: std::fmt::Arguments<'_>) {
        if n > 0 {
            self.line(line);
        }
    }

    pub(super) fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }
}
