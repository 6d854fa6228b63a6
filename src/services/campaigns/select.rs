//! The devices of a new campaign.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;

use super::record::NewCampaign;
use super::{CampaignError, MAX_DEVICES};
use crate::services::devices::{Devices, ListQuery, MAX_PAGE};
use crate::services::engine::{DeviceFilter, DeviceState};
use crate::services::provisioning::check_endpoint;

/// Devices as the device list shows them.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only devices in this state.
    pub state: Option<DeviceState>,
    /// Only devices of this profile.
    pub profile: Option<String>,
    /// Only endpoints that contain this text.
    pub q: Option<String>,
}

/// The endpoints that are meant, each once.
pub(super) async fn endpoints(
    devices: &Devices,
    new: &NewCampaign,
) -> Result<Vec<Arc<str>>, CampaignError> {
    let filter = match (&new.devices, &new.profile, &new.filter) {
        (Some(named), ..) => return by_name(named),
        (None, profile, None) => Filter {
            profile: profile.clone(),
            ..Filter::default()
        },
        (None, _, Some(filter)) => filter.clone(),
    };
    let mut query = ListQuery {
        filter: DeviceFilter {
            state: filter.state,
            profile: filter.profile,
            security: None,
            contains: filter.q,
        },
        limit: MAX_PAGE,
        cursor: None,
    };
    // A device that registers for the first time meanwhile is in both parts of the list.
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    loop {
        let page = devices.list(query.clone()).await?;
        for device in page.items {
            let endpoint: Arc<str> = device.endpoint.into();
            if seen.insert(endpoint.clone()) {
                found.push(endpoint);
            }
        }
        if found.len() > MAX_DEVICES {
            return Err(refused(
                "filter",
                format!("selects more than {MAX_DEVICES} devices"),
            ));
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    if found.is_empty() {
        let problem = "selects no device; accepted is a filter that selects one";
        return Err(refused("filter", problem.to_owned()));
    }
    Ok(found)
}

fn by_name(named: &[String]) -> Result<Vec<Arc<str>>, CampaignError> {
    if named.is_empty() || named.len() > MAX_DEVICES {
        let problem = format!(
            "names {} devices; accepted are 1 to {MAX_DEVICES}",
            named.len()
        );
        return Err(refused("devices", problem));
    }
    let mut seen = HashSet::new();
    for endpoint in named {
        check_endpoint(endpoint).map_err(|error| refused("devices", format!("has {error}")))?;
        if !seen.insert(endpoint.as_str()) {
            return Err(refused("devices", format!("names \"{endpoint}\" twice")));
        }
    }
    Ok(named
        .iter()
        .map(|endpoint| endpoint.as_str().into())
        .collect())
}

fn refused(member: &'static str, problem: String) -> CampaignError {
    CampaignError::Member { member, problem }
}
