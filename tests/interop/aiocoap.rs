//! The Python CoAP library aiocoap, scripted as a device that answers on the socket it registers from.

use super::client::Kind;
use super::rules::holds_for;

holds_for! { Kind::Aiocoap =>
    a_registration_is_shown_with_its_version_lifetime_and_address,
    a_lwm2m_1_0_registration_is_accepted,
    objects_are_shown_with_their_instances,
    parameters_that_lwm2m_does_not_define_are_kept,
    queue_mode_is_shown,
    a_registered_device_is_read_and_observed,
    notified_values_become_telemetry,
    confirmable_notifications_become_telemetry,
    notified_values_are_told_as_events,
    values_sent_as_senml_json_become_telemetry,
    values_sent_as_senml_cbor_become_telemetry,
    an_update_moves_the_expiry,
    an_update_with_a_lifetime_replaces_it,
    an_update_from_a_new_port_moves_the_registration,
    a_device_whose_nat_binding_changed_stays_observed_after_its_update,
    a_device_that_registers_again_has_a_new_id_and_one_observation,
    a_device_that_deregistered_is_shown_as_expired,
}
