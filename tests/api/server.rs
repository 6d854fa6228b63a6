//! A server under test.

use std::sync::Arc;
use std::time::Duration;

use rookery::api::{self, Api, ListenerView, Options, Peer};
use rookery::ops::health::{Health, Phase};
use rookery::ops::metrics::Exporter;
use rookery::services::attributes::Attributes;
use rookery::services::bootstrap::Bootstrap;
use rookery::services::campaigns::Campaigns;
use rookery::services::credentials::{Credentials, Keys};
use rookery::services::devices::Devices;
use rookery::services::engine::Engine;
use rookery::services::events::EventFeed;
use rookery::services::history::History;
use rookery::services::models::Models;
use rookery::services::packages::Packages;
use rookery::services::profiles::{ProfileSettings, Profiles, ServerPorts};
use rookery::services::provisioning::Provisioning;
use rookery::services::rpc::Rpc;
use rookery::services::storage::Store;
use rookery::services::tokens::{Role, Tokens};
use rookery::services::updates::{Updates, packages_directory};
use rookery::store::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::fake_engine::FakeEngine;

pub const MAX_BODY: usize = 4_096;

/// Largest package.
pub const MAX_PACKAGE: usize = 1 << 20;

pub struct Server {
    /// Has an admin token.
    pub admin: Client,
    pub engine: Arc<FakeEngine>,
    pub store: MemoryStore,
    pub tokens: Arc<Tokens>,
    pub health: Arc<Health>,
    /// The data directory.
    pub data: tempfile::TempDir,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Server {
    /// In production form: without a token nothing is served.
    pub async fn start() -> Self {
        Self::start_with(false, 1_024).await
    }

    /// As `serve --dev`.
    pub async fn start_open() -> Self {
        Self::start_with(true, 1_024).await
    }

    pub async fn start_with(open_on_loopback: bool, event_queue: usize) -> Self {
        let fake = Arc::new(FakeEngine::new(event_queue));
        let engine: Arc<dyn Engine> = fake.clone();
        let memory = MemoryStore::default();
        let store: Arc<dyn Store> = Arc::new(memory.clone());
        let tokens = Arc::new(Tokens::load(store.clone()).await.unwrap());
        let health = Arc::new(Health::default());
        health.enter(Phase::Ready);
        let (stop, stopping) = watch::channel(false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let subscribed = engine.clone();
        let models = Arc::new(Models::load(store.clone()).await.unwrap());
        let settings = ProfileSettings {
            ports: ServerPorts::default(),
            of_unnamed: "default".to_owned(),
        };
        let profiles = Profiles::load(
            store.clone(),
            models.clone(),
            Some(engine.clone()),
            settings,
        )
        .await
        .unwrap();
        let provisioning = Provisioning::new(store.clone(), profiles.clone(), "default");
        let index = provisioning.credentials().clone();
        let credentials = Arc::new(Credentials::new(index, Keys::default()));
        let bootstrap = Bootstrap::new(engine.clone(), provisioning.clone(), false);
        let devices = Arc::new(Devices::new(engine.clone(), provisioning));
        let rpc = Rpc::load(
            engine.clone(),
            devices.clone(),
            models.clone(),
            store.clone(),
        );
        let attributes = Attributes::load(
            engine.clone(),
            devices.clone(),
            models.clone(),
            store.clone(),
        );
        let history = History::start(
            engine.as_ref(),
            devices.clone(),
            profiles.clone(),
            store.clone(),
        );
        let data = tempfile::tempdir().unwrap();
        let directory = packages_directory(data.path());
        let packages = Packages::load(store.clone(), directory, MAX_PACKAGE as u64);
        let packages = Arc::new(packages.await.unwrap());
        let updates = Updates::load(
            engine.clone(),
            devices.clone(),
            profiles.clone(),
            packages.clone(),
            store.clone(),
        );
        let updates = Arc::new(updates.await.unwrap());
        let campaigns = Campaigns::load(
            engine.clone(),
            devices.clone(),
            updates.clone(),
            store.clone(),
        );
        let campaigns = Arc::new(campaigns.await.unwrap());
        updates.start();
        let api = Api {
            packages,
            updates,
            campaigns,
            history,
            bootstrap: Arc::new(bootstrap),
            attributes: Arc::new(attributes.await.unwrap()),
            rpc: Arc::new(rpc.await.unwrap()),
            devices,
            credentials,
            engine,
            models,
            profiles,
            tokens: tokens.clone(),
            events: EventFeed::new(move || subscribed.subscribe(), 2),
            store,
            exporter: Exporter::install().unwrap(),
            health: health.clone(),
            stopping: stopping.clone(),
            options: Options {
                open_on_loopback,
                max_body: MAX_BODY,
                spool: std::env::temp_dir(),
                listeners: vec![ListenerView {
                    name: "http",
                    transport: "tcp",
                    address,
                }],
                allow_unknown: false,
                profile: "default".to_owned(),
            },
        };
        let grace = Duration::from_secs(5);
        let serving = api::serve(listener, Peer::Tcp, api::router(api), stopping, grace);
        let admin = tokens.create(Role::Admin, None).await.unwrap();
        Self {
            admin: Client {
                address,
                token: Some(admin.token),
            },
            engine: fake,
            store: memory,
            tokens,
            health,
            data,
            stop,
            serving: tokio::spawn(serving),
        }
    }

    /// Without a token.
    pub fn anonymous(&self) -> Client {
        Client {
            address: self.admin.address,
            token: None,
        }
    }

    pub async fn with_role(&self, role: Role) -> Client {
        let token = self.tokens.create(role, None).await.unwrap();
        self.admin.with_token(&token.token)
    }

    /// Tells the server to stop and waits until it has.
    pub async fn stop(self) {
        self.stop.send(true).unwrap();
        self.serving.await.unwrap();
    }
}
