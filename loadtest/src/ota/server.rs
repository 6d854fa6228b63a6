//! What the server under test is told by its API: profile, devices, package, and the order to update.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::device::{Resource, Terms};
use super::image::Image;
use super::run::OtaError;
use super::scenario::{Assign, OtaScenario, PackageKind, Way};
use crate::fleet::Names;
use crate::observe::{Api, ApiError, Connection, metric_sum};
use crate::security::{Security, open_device};

/// The server under test.
pub struct Server<'a> {
    api: Api,
    scenario: &'a OtaScenario,
    connection: Connection,
    package: Option<String>,
    campaign: Option<String>,
    /// Updates that the server had counted before the order: all that had ended, and those that had failed.
    before: (f64, f64),
}

/// How devices stand at the server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// They have the package.
    pub updated: u32,
    /// They have not, and nothing is tried again.
    pub failed: u32,
}

/// Devices removed at a time.
const REMOVING: usize = 8;
/// Devices of a page.
const PAGE: usize = 1_000;
/// How long a campaign that was cancelled may take to be over.
const CANCEL: Duration = Duration::from_secs(10);
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(100);

impl<'a> Server<'a> {
    /// Connects to the API.
    pub async fn connect(
        scenario: &'a OtaScenario,
        token: Option<String>,
    ) -> Result<Self, OtaError> {
        let api = Api::new(&scenario.api, token)?;
        Ok(Self {
            connection: api.connect().await?,
            api,
            scenario,
            package: None,
            campaign: None,
            before: (0.0, 0.0),
        })
    }

    /// Puts the profile, and the devices that have it.
    pub async fn provision(&mut self, security: Option<&Security>) -> Result<(), OtaError> {
        let profile = self.scenario.profile_name();
        let path = format!("/api/v1/profiles/{profile}");
        let body = self.profile();
        self.connection
            .call(Method::PUT, &path, Some(&body))
            .await?;
        let mut lines = String::new();
        for name in self.names() {
            let device = match security {
                Some(security) => security.device(&name, Some(&profile))?,
                None => open_device(&name, Some(&profile)),
            };
            lines += &format!("{device}\n");
        }
        for name in self.bystanders() {
            lines += &format!("{}\n", open_device(&name, None));
        }
        let (path, format) = ("/api/v1/devices:import", "application/x-ndjson");
        let results = self
            .connection
            .text(Method::POST, path, format, lines)
            .await?;
        let results = results
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let fine = |result: &Value| result["result"] == "created" || result["result"] == "replaced";
        match results.into_iter().find(|result| !fine(result)) {
            Some(result) => Err(OtaError::Import(result.to_string())),
            None => Ok(()),
        }
    }

    fn names(&self) -> impl Iterator<Item = String> + use<> {
        let names = Names::new(&self.scenario.endpoint_prefix, self.scenario.clients);
        (0..self.scenario.clients).map(move |number| names.of(number))
    }

    fn bystanders(&self) -> impl Iterator<Item = String> + use<> {
        let count = self.scenario.bystanders;
        let names = Names::new(&bystander_prefix(self.scenario), count);
        (0..count).map(move |number| names.of(number))
    }

    /// ThingsBoard's LwM2M transport configuration: what a device says of its package is observed.
    fn profile(&self) -> Value {
        let scenario = self.scenario;
        let paths = Resource::ALL.map(|resource| resource.path(scenario.package).to_string());
        let keys: Map<_, _> = paths
            .iter()
            .map(|path| (path.clone(), format!("r{}", path.replace('/', "_")).into()))
            .collect();
        let strategy = match scenario.strategy {
            Way::Push => 1,
            Way::Pull => 2,
            Way::Push19 => 3,
        };
        let (member, resource) = match scenario.package {
            PackageKind::Firmware => ("fwUpdateStrategy", "fwUpdateResource"),
            PackageKind::Software => ("swUpdateStrategy", "swUpdateResource"),
        };
        json!({
            "type": "LWM2M",
            "observeAttr": {
                "keyName": keys, "observe": paths, "attribute": [], "telemetry": paths,
                "attributeLwm2m": {}, "observeStrategy": 0,
            },
            "clientLwM2mSettings": {
                "powerMode": "DRX",
                "clientOnlyObserveAfterConnect": 1,
                "useObject19ForOtaInfo": scenario.object_19_info,
                member: strategy,
                resource: scenario.resource,
            },
        })
    }

    /// Uploads the image.
    pub async fn upload(&mut self, image: Image) -> Result<(), OtaError> {
        let kind = match self.scenario.package {
            PackageKind::Firmware => "FIRMWARE",
            PackageKind::Software => "SOFTWARE",
        };
        let title = Terms::title(self.scenario);
        self.remove_packages(&title).await?;
        let version = Terms::AFTER;
        let path = format!(
            "/api/v1/packages?type={kind}&title={title}&version={version}&fileName=image.bin"
        );
        let body = hyper::body::Bytes::from(image.bytes);
        let format = "application/octet-stream";
        let sent = self.connection.text(Method::POST, &path, format, body);
        let answer: Value = serde_json::from_str(&sent.await?).unwrap_or_default();
        let id = answer["id"].as_str();
        self.package = Some(id.ok_or_else(|| unexpected(&path, &answer))?.to_owned());
        Ok(())
    }

    /// An earlier run may have left its package.
    async fn remove_packages(&mut self, title: &str) -> Result<(), OtaError> {
        let path = format!("/api/v1/packages?q={title}&limit={PAGE}");
        let answer = self.connection.call(Method::GET, &path, None).await?;
        let items = answer["items"].as_array().into_iter().flatten();
        for item in items.filter(|item| item["title"] == title) {
            let id = item["id"].as_str().unwrap_or_default();
            let path = format!("/api/v1/packages/{id}?force=true");
            remove(&mut self.connection, &path).await?;
        }
        Ok(())
    }

    /// Orders the update.
    pub async fn order(&mut self) -> Result<(), OtaError> {
        let scenario = self.scenario;
        let profile = scenario.profile_name();
        let package = self.package.clone().unwrap_or_default();
        if scenario.assign == Assign::Profile {
            self.before = self.ended().await?;
            let path = format!("/api/v1/profiles/{profile}/{}", self.kind());
            let body = json!({ "packageId": package });
            self.connection
                .call(Method::PUT, &path, Some(&body))
                .await?;
            return Ok(());
        }
        let concurrency = match scenario.concurrency {
            0 => scenario.clients,
            some => some,
        };
        let path = "/api/v1/campaigns";
        let body = json!({
            "name": profile, "packageId": package, "profile": profile,
            "rules": { "concurrency": concurrency, "maxFailurePercent": 100 },
        });
        let answer = self
            .connection
            .call(Method::POST, path, Some(&body))
            .await?;
        let id = answer["id"].as_str();
        self.campaign = Some(id.ok_or_else(|| unexpected(path, &answer))?.to_owned());
        Ok(())
    }

    /// How the devices stand, as far as that is known without asking for each of them.
    pub async fn standing(&mut self) -> Result<Standing, OtaError> {
        if self.campaign.is_some() {
            return self.standing_of_campaign().await;
        }
        let (all, failed) = self.ended().await?;
        let (all, failed) = (all - self.before.0, failed - self.before.1);
        // Other updates than ours may be among them.
        if all >= f64::from(self.scenario.clients) {
            return self.exact_standing().await;
        }
        Ok(Standing {
            updated: (all - failed).max(0.0) as u32,
            failed: failed.max(0.0) as u32,
        })
    }

    /// How the devices stand.
    pub async fn exact_standing(&mut self) -> Result<Standing, OtaError> {
        if self.campaign.is_some() {
            return self.standing_of_campaign().await;
        }
        let mut standing = Standing::default();
        let kind = self.kind();
        for name in self.names() {
            let path = format!("/api/v1/devices/{name}/{kind}");
            let answer = self.connection.call(Method::GET, &path, None).await?;
            match answer["state"].as_str() {
                Some("UPDATED") => standing.updated += 1,
                Some("FAILED") => standing.failed += 1,
                _ => {}
            }
        }
        Ok(standing)
    }

    async fn standing_of_campaign(&mut self) -> Result<Standing, OtaError> {
        let path = self.campaign_path().unwrap_or_default();
        let answer = self.connection.call(Method::GET, &path, None).await?;
        let devices = &answer["devices"];
        let number = |name: &str| devices[name].as_u64().unwrap_or(0) as u32;
        Ok(Standing {
            updated: number("updated"),
            failed: number("failed") + number("skipped") + number("cancelled"),
        })
    }

    /// Updates that have ended, as the server counts them: all, and those that failed.
    async fn ended(&mut self) -> Result<(f64, f64), OtaError> {
        let sent = self
            .connection
            .text(Method::GET, "/metrics", "text/plain", "");
        let text = sent.await?;
        let kind = ("kind", self.kind());
        let sum = |labels: &[_]| metric_sum(&text, "lwm2m_ota_updates_total", labels);
        Ok((sum(&[kind]), sum(&[kind, ("result", "failed")])))
    }

    /// How many devices failed for each reason.
    pub async fn reasons(&mut self) -> Result<BTreeMap<String, u32>, OtaError> {
        let mut reasons = BTreeMap::new();
        let mut note = |reason: &Value| {
            let reason = reason.as_str().unwrap_or("no reason is known");
            *reasons.entry(reason.to_owned()).or_default() += 1;
        };
        let Some(campaign) = self.campaign_path() else {
            let kind = self.kind();
            for name in self.names() {
                let path = format!("/api/v1/devices/{name}/{kind}");
                let answer = self.connection.call(Method::GET, &path, None).await?;
                if answer["state"] == "FAILED" {
                    note(&answer["reason"]);
                }
            }
            return Ok(reasons);
        };
        let mut cursor = String::new();
        loop {
            let path = format!("{campaign}/devices?state=failed&limit={PAGE}{cursor}");
            let answer = self.connection.call(Method::GET, &path, None).await?;
            let items = answer["items"].as_array();
            items
                .into_iter()
                .flatten()
                .for_each(|item| note(&item["reason"]));
            match answer["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(reasons),
            }
        }
    }

    /// Removes what was put there. What is not there need not be removed.
    pub async fn clean_up(&mut self) -> Result<(), OtaError> {
        if let Some(path) = self.campaign_path() {
            // It may be over already.
            let cancel = format!("{path}:cancel");
            let _ = self.connection.call(Method::POST, &cancel, None).await;
            self.remove_campaign(&path).await?;
        }
        let names: Vec<_> = self.names().chain(self.bystanders()).collect();
        let mut removing = Vec::new();
        for first in 0..REMOVING.min(names.len()) {
            let mut api = self.api.connect().await?;
            let mine: Vec<_> = names
                .iter()
                .skip(first)
                .step_by(REMOVING)
                .cloned()
                .collect();
            removing.push(tokio::task::spawn_local(async move {
                for name in mine {
                    remove(&mut api, &format!("/api/v1/devices/{name}")).await?;
                }
                Ok::<_, ApiError>(())
            }));
        }
        for removed in removing {
            removed
                .await
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        }
        let profile = self.scenario.profile_name();
        let kind = self.kind();
        let assigned = format!("/api/v1/profiles/{profile}/{kind}");
        remove(&mut self.connection, &assigned).await?;
        let path = format!("/api/v1/profiles/{profile}");
        remove(&mut self.connection, &path).await?;
        if let Some(package) = &self.package {
            let path = format!("/api/v1/packages/{package}?force=true");
            remove(&mut self.connection, &path).await?;
        }
        Ok(())
    }

    /// One that was cancelled is over when what runs was taken back.
    async fn remove_campaign(&mut self, path: &str) -> Result<(), OtaError> {
        let began = Instant::now();
        loop {
            match remove(&mut self.connection, path).await {
                Err(ApiError::Refused { status, .. })
                    if status == StatusCode::CONFLICT && began.elapsed() < CANCEL =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                other => return Ok(other?),
            }
        }
    }

    fn campaign_path(&self) -> Option<String> {
        let id = self.campaign.as_ref()?;
        Some(format!("/api/v1/campaigns/{id}"))
    }

    const fn kind(&self) -> &'static str {
        match self.scenario.package {
            PackageKind::Firmware => "firmware",
            PackageKind::Software => "software",
        }
    }
}

/// What the names of bystanders begin with.
pub fn bystander_prefix(scenario: &OtaScenario) -> String {
    format!("{}by-", scenario.endpoint_prefix)
}

fn unexpected(path: &str, answer: &Value) -> OtaError {
    OtaError::Answer {
        path: path.to_owned(),
        answer: answer.to_string(),
    }
}

async fn remove(api: &mut Connection, path: &str) -> Result<(), ApiError> {
    match api.call(Method::DELETE, path, None).await {
        Err(ApiError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => Ok(()),
        other => other.map(|_| ()),
    }
}
