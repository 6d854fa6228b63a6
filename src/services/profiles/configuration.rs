//! A transport configuration, read and checked.

use crate::engine::endpoint::profile_parts::PowerSettings;
use crate::proto::lwm2m::model::ObjectModels;

use super::bootstrap::{self, ServerPorts};
use super::bootstrap_objects::BootstrapPlan;
use super::findings::Findings;
use super::json::Node;
use super::members::Members;
use super::observe_attr::{self, ObserveAttr};
use super::power::check_type;
use super::settings::{self, Extensions, UpdateSettings};

/// What the engine is to do with devices of a profile.
#[derive(Clone, Debug, Default)]
pub(super) struct Configuration {
    pub(super) observe_attr: ObserveAttr,
    pub(super) power: PowerSettings,
    pub(super) updates: UpdateSettings,
    pub(super) extensions: Extensions,
    /// What devices are told when they bootstrap.
    pub(super) bootstrap: BootstrapPlan,
}

const MEMBERS: [&str; 6] = [
    "type",
    "observeAttr",
    "bootstrapServerUpdateEnable",
    "bootstrap",
    "clientLwM2mSettings",
    "rookery",
];

/// Reads `node`. What is wrong is left out of the result and told in `findings`.
pub(super) fn read(
    node: &Node,
    models: &ObjectModels,
    ports: ServerPorts,
    findings: &mut Findings,
) -> Configuration {
    let mut configuration = Configuration::default();
    let Some(members) = Members::outermost(node, "", findings) else {
        return configuration;
    };
    check_type(&members, findings);
    if let Some(observe_attr) = members.object("observeAttr", findings) {
        configuration.observe_attr = observe_attr::read(&observe_attr, models, findings);
    }
    configuration.bootstrap.servers = bootstrap::read(&members, ports, findings);
    if let Some(settings) = members.object("clientLwM2mSettings", findings) {
        (configuration.power, configuration.updates) = settings::read(&settings, findings);
    }
    if let Some(ours) = members.object("rookery", findings) {
        configuration.extensions = settings::read_extensions(&ours, findings);
        if let Some(told) = ours.object("bootstrap", findings) {
            configuration.bootstrap.read_objects(&told, findings);
        }
    }
    members.warn_of_unknown(&MEMBERS, findings);
    configuration
}
