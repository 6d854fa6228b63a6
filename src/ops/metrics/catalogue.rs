//! Every metric the product exports. Dashboards, alerts and the renderers are checked against it.

/// Kind of a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricType {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

impl MetricType {
    /// Name of the type in the Prometheus text format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a metric means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MetricDoc {
    /// Name, without the suffixes of a histogram's series.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricType,
    /// Names of its labels; each takes values of a closed set.
    pub labels: &'static [&'static str],
    /// The text after `# HELP`.
    pub help: &'static str,
}

use MetricType::{Counter, Gauge, Histogram};

const fn metric(
    name: &'static str,
    kind: MetricType,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricDoc {
    MetricDoc {
        name,
        kind,
        labels,
        help,
    }
}

/// Every metric, in the order of a device's way in: registration, CoAP, values, shards, then what
/// is around them.
#[rustfmt::skip]
pub const METRICS: &[MetricDoc] = &[
    // Rendered by the engine.
    metric("lwm2m_registrations", Gauge, &["security", "state"], "Registrations the engine holds."),
    metric("lwm2m_endpoints", Gauge, &[], "Endpoints held, registered or not."),
    metric("lwm2m_register_requests_total", Counter, &["operation", "code"], "Requests of the registration interface and Sends, by response code."),
    metric("lwm2m_coap_messages_total", Counter, &["direction", "type", "class"], "CoAP messages by direction, type and code class."),
    metric("lwm2m_coap_retransmissions_total", Counter, &[], "Confirmable messages sent again."),
    metric("lwm2m_coap_duplicates_total", Counter, &[], "Messages received again and answered as before."),
    metric("lwm2m_coap_rejected_total", Counter, &["reason"], "Datagrams and messages not processed, by reason."),
    metric("lwm2m_dtls_handshakes_total", Counter, &["mode", "result"], "DTLS handshakes that ended, by mode of credentials and what came of them."),
    metric("lwm2m_dtls_handshake_duration_seconds", Histogram, &["mode"], "Time from a device's saying who it is until its session stands."),
    metric("lwm2m_dtls_handshakes_started_total", Counter, &[], "DTLS handshakes begun, after the address was proven by a cookie."),
    metric("lwm2m_dtls_handshakes_open", Gauge, &[], "DTLS handshakes in flight."),
    metric("lwm2m_dtls_partial_hellos", Gauge, &[], "ClientHellos in fragments of which some are missing."),
    metric("lwm2m_dtls_verify_requests_total", Counter, &[], "Cookies sent: each answers a ClientHello from an address that is not proven."),
    metric("lwm2m_dtls_flights_repeated_total", Counter, &[], "Flights of handshakes sent again."),
    metric("lwm2m_dtls_lookups_refused_total", Counter, &[], "Handshakes refused because too many certificates waited to be verified."),
    metric("lwm2m_dtls_sessions", Gauge, &[], "DTLS sessions."),
    metric("lwm2m_dtls_sessions_without_etm", Gauge, &[], "DTLS sessions with CBC and without encrypt-then-MAC: each keeps its OpenSSL object."),
    metric("lwm2m_dtls_handshakes_without_etm_total", Counter, &[], "DTLS handshakes completed with CBC and without encrypt-then-MAC."),
    metric("lwm2m_dtls_sessions_closed_total", Counter, &["reason"], "DTLS sessions that ended, by reason."),
    metric("lwm2m_dtls_cid_rebinds_total", Counter, &[], "Sessions whose device went on from another address by its connection identifier."),
    metric("lwm2m_dtls_records_total", Counter, &["direction"], "DTLS records opened and sealed."),
    metric("lwm2m_dtls_records_dropped_total", Counter, &["reason"], "DTLS records, or rests of datagrams, discarded in silence, by reason."),
    metric("lwm2m_dtls_seal_failures_total", Counter, &["reason"], "Messages to devices that could not be protected and were not sent, by reason."),
    metric("lwm2m_requests_total", Counter, &["operation", "result"], "Requests to devices that ended, by result."),
    metric("lwm2m_request_duration_seconds", Histogram, &["operation"], "Time from a request to a device until its response or failure."),
    metric("lwm2m_observations", Gauge, &["strategy"], "Observations in place."),
    metric("lwm2m_notifications_total", Counter, &["strategy", "result"], "Notifications received, by what became of them."),
    metric("lwm2m_values_total", Counter, &["kind"], "Values taken over as telemetry or attributes."),
    metric("lwm2m_values_dropped_total", Counter, &["reason"], "Values discarded, by reason."),
    metric("lwm2m_ota_sessions", Gauge, &["kind", "state"], "Updates of firmware and software that have not ended, by their state."),
    metric("lwm2m_ota_updates_total", Counter, &["kind", "result"], "Updates that ended, by result."),
    metric("lwm2m_ota_restarts_total", Counter, &["kind"], "Updates begun again after a failure or because the device forgot what it had."),
    metric("lwm2m_ota_bytes_total", Counter, &["kind", "direction"], "Bytes of packages that devices took (push) or fetched (pull)."),
    metric("lwm2m_ota_fetches_total", Counter, &["result"], "Requests for the download of packages, by what became of them."),
    metric("lwm2m_unannounced_resources_total", Counter, &[], "Mapped resources that a registering device did not announce."),
    metric("lwm2m_command_queue_depth", Gauge, &[], "Requests in flight to devices and waiting for them."),
    metric("lwm2m_active_endpoints", Gauge, &[], "Endpoints in a conversation, run by an actor."),
    metric("lwm2m_actor_activations_total", Counter, &[], "Endpoints given to an actor."),
    metric("lwm2m_profile_rollout_slots", Gauge, &[], "Places of endpoints that a change of a profile has not reached yet."),
    metric("lwm2m_state_records_total", Counter, &[], "Records of endpoints handed to the store."),
    metric("lwm2m_state_deferred_total", Counter, &[], "Times a shard held changes of endpoints back because the store took no more."),
    metric("lwm2m_state_waiting", Gauge, &[], "Endpoints with changes that the store was not handed yet."),
    metric("lwm2m_block_bodies", Gauge, &[], "Bodies being put together from blocks, or completed a short time ago."),
    metric("lwm2m_handoffs_total", Counter, &[], "Datagrams passed on to the shard that owns the endpoint."),
    metric("lwm2m_event_batches_lost_total", Counter, &[], "Batches of events that found the way to the event feed full."),
    metric("lwm2m_history_values_lost_total", Counter, &[], "Telemetry values for a history that found the way to it full."),
    metric("lwm2m_transport_log_entries_total", Counter, &[], "Entries written to the transport logs of devices."),
    metric("lwm2m_transport_log_bytes", Gauge, &[], "Memory that the transport logs of devices take."),
    metric("lwm2m_shard_panics_total", Counter, &[], "Datagrams and turns lost to a panic outside an endpoint."),
    metric("lwm2m_bootstrap_sessions_total", Counter, &["result"], "Bootstrap sessions that ended and requests that were refused, by result."),
    metric("lwm2m_bootstrap_sessions", Gauge, &[], "Devices that are being bootstrapped."),
    metric("lwm2m_bootstrap_untold_total", Counter, &[], "Requests, notes and ends of bootstrap sessions that found the way to the service full."),
    metric("lwm2m_udp_send_errors_total", Counter, &[], "Datagrams the kernel refused to send."),
    metric("lwm2m_udp_receive_drops_total", Counter, &[], "Datagrams the kernel dropped because the receive buffer was full."),
    metric("lwm2m_shard_busy_seconds_total", Counter, &["shard"], "Time a shard spent working."),
    metric("lwm2m_shard_backlog", Gauge, &["shard"], "Messages handed to a shard and not yet processed."),
    metric("lwm2m_actor_restarts_total", Counter, &[], "Endpoints rebuilt after a panic in their handler."),
    // Rendered by the recorder.
    metric("lwm2m_rpc_commands_total", Counter, &["mode", "result"], "Commands of callers that ended, by result."),
    metric("lwm2m_rpc_duration_seconds", Histogram, &[], "Time until the answer to a twoway command, or until it failed."),
    metric("lwm2m_rpc_pending", Gauge, &[], "Persistent commands that wait for their device."),
    metric("lwm2m_shared_attribute_writes_total", Counter, &["result"], "Shared attributes settled with their device, by result."),
    metric("lwm2m_shared_attributes_pending", Gauge, &[], "Shared attributes that wait for their device."),
    metric("lwm2m_history_values_total", Counter, &["result"], "Telemetry values for a history, by what became of them."),
    metric("lwm2m_history_removed_total", Counter, &[], "Kept telemetry values removed because of their age or their profile."),
    metric("lwm2m_events_lost_total", Counter, &[], "Events that readers of the event feed did not get because they were too slow."),
    metric("lwm2m_event_streams", Gauge, &[], "Open event streams."),
    metric("lwm2m_api_requests_total", Counter, &["method", "route", "status"], "API requests by route template and status."),
    metric("lwm2m_api_request_duration_seconds", Histogram, &["route"], "Time until the head of an API response."),
    metric("lwm2m_api_connections", Gauge, &[], "Open API connections."),
    metric("lwm2m_api_panics_total", Counter, &[], "API requests whose handler panicked."),
    metric("lwm2m_store_commit_seconds", Histogram, &[], "Time of a group commit of the store."),
    metric("lwm2m_state_commit_seconds", Histogram, &[], "Time of a group commit of the state of endpoints."),
    metric("lwm2m_state_bytes_total", Counter, &[], "Bytes of records of endpoints committed."),
    metric("lwm2m_state_failures_total", Counter, &[], "Group commits of the state of endpoints that failed and are tried again."),
    metric("lwm2m_state_failing", Gauge, &[], "1 while the state of endpoints cannot be stored, else 0."),
    metric("lwm2m_state_restored_total", Counter, &["result"], "Records of endpoints met at the start, by what became of them."),
    metric("lwm2m_dtls_sessions_restored_total", Counter, &["result"], "Records of DTLS sessions met at the start, by what became of them."),
    metric("lwm2m_store_refused_total", Counter, &[], "Changes refused because too many were waiting for the store."),
    metric("lwm2m_store_failures_total", Counter, &[], "Group commits that failed."),
    metric("lwm2m_credentials_revocations_lost_total", Counter, &[], "Revoked identities that a slow reader missed; it then asks about every session."),
    metric("lwm2m_store_set_aside_total", Counter, &["table"], "Stored records set aside because they could not be read."),
    metric("lwm2m_memory_bytes", Gauge, &["kind"], "Memory: allocated, active and resident as the allocator sees it, rss as the kernel does."),
    metric("lwm2m_build_info", Gauge, &["version"], "Constant 1, labelled with the version."),
    metric("process_start_time_seconds", Gauge, &[], "Start of the process, seconds since the Unix epoch."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let mut seen = BTreeSet::new();
        for metric in METRICS {
            let name = metric.name;
            assert!(seen.insert(name), "{name} is listed twice");
            assert!(
                name.starts_with("lwm2m_") || name.starts_with("process_"),
                "{name}"
            );
            assert_eq!(metric.kind == Counter, name.ends_with("_total"), "{name}");
            if metric.kind == Histogram {
                assert!(name.ends_with("_seconds"), "{name}");
            }
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn no_label_can_name_a_device() {
        let forbidden = ["endpoint", "address", "token", "path", "registration", "id"];
        for metric in METRICS {
            for label in metric.labels {
                assert!(!forbidden.contains(label), "{}{{{label}}}", metric.name);
            }
        }
    }
}
