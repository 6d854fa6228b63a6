//! `rookery serve`: starts everything in order, waits for signals, stops everything in order.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rookery::api::{self, Api, ListenerView, Options, Peer};
use rookery::engine::config::{DtlsSettings, Limits};
use rookery::engine::{self, EngineConfig, PreparedEngine, StartError};
use rookery::ops::config::{Config, Effective};
use rookery::ops::health::{Health, Phase};
use rookery::ops::logging;
use rookery::ops::metrics::Exporter;
use rookery::services::attributes::Attributes;
use rookery::services::bootstrap::Bootstrap;
use rookery::services::campaigns::Campaigns;
use rookery::services::credentials::{Credentials, Keys};
use rookery::services::devices::Devices;
use rookery::services::engine::{Engine, StateStore};
use rookery::services::events::EventFeed;
use rookery::services::history::History;
use rookery::services::models::Models;
use rookery::services::packages::Packages;
use rookery::services::profiles::Profiles;
use rookery::services::provisioning::Provisioning;
use rookery::services::rpc::Rpc;
use rookery::services::secured::{self, Resumption, ServerContexts};
use rookery::services::storage::Store;
use rookery::services::tokens::Tokens;
use rookery::services::updates::{Updates, packages_directory};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::arguments::Place;
use super::configuration;
use super::data_directory::{open_state, open_store, socket_file};
use super::listeners;
use super::server_keys;

mod announce;
mod signals;

use signals::{Reload, Signals};

/// Threads of the API. The engine has its own.
const API_THREADS: usize = 2;

/// Time for the engine to send what it has to send.
const ENGINE_GRACE: Duration = Duration::from_secs(5);

/// Time for running API requests.
const API_GRACE: Duration = Duration::from_secs(5);

/// Serves until told to stop.
pub(super) fn serve(dev: bool, place: &Place) -> anyhow::Result<ExitCode> {
    let effective = configuration::load(place, dev)?;
    let levels = logging::install(&effective.config.log)?;
    let reload = Reload::new(effective.clone(), levels, place.clone(), dev);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(API_THREADS)
        .thread_name("api")
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(run(effective, reload, dev))?;
    // Ends tasks that nobody waits for: imports cut off, the upkeep of metrics.
    runtime.shutdown_timeout(Duration::from_secs(1));
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn run(effective: Effective, mut reload: Reload, dev: bool) -> anyhow::Result<()> {
    let config = &effective.config;
    let mut signals = Signals::install()?;
    let health = Arc::new(Health::default());
    let exporter = Exporter::install()?;

    // What fails most often is tried first.
    let http = match config.listen.http {
        Some(address) => Some(listeners::http(address, &effective).await?),
        None => None,
    };
    let store: Arc<dyn Store> = Arc::new(open_store(&config.store.path)?);
    let (made_key, _) = server_keys::server_key_files(&config.store.path);
    if dev && config.dtls.server_key == Some(made_key) {
        server_keys::ensure(&config.store.path)?;
    }
    let keys = Keys::load(&configuration::key_settings(config)).context("[dtls]")?;
    let tokens = Arc::new(Tokens::load(store.clone()).await?);
    let models = Arc::new(Models::load(store.clone()).await?);
    let state = open_state(&config.store.path)?;
    let resumption = Resumption {
        secret: state.ticket_secret().clone(),
        session_ids: u16::try_from(config.dtls.session_ids).unwrap_or(u16::MAX),
    };
    let state: Arc<dyn StateStore> = Arc::new(state);
    let speaks_dtls = config.listen.coaps.or(config.listen.bootstrap_coaps);
    let contexts = match speaks_dtls {
        Some(_) => server_contexts(&keys, &resumption)?,
        None => None,
    };
    let prepared = prepare_engine(&effective, state, contexts)?;
    let handle = prepared.handle().clone();
    let engine: Arc<dyn Engine> = Arc::new(handle.clone());
    let unknown = handle.clone();
    let exporter = exporter.with_source(move |out| handle.metrics().render(out));
    tokio::spawn(exporter.clone().upkeep());

    let informed = engine.clone();
    models
        .follow(move |models| informed.use_models(models))
        .await;
    let settings = configuration::profile_settings(config);
    let profiles = Profiles::load(
        store.clone(),
        models.clone(),
        Some(engine.clone()),
        settings,
    )
    .await?;
    configuration::check_profile(&effective, &profiles)?;
    let of_unnamed = config.provisioning.profile.as_str();
    if let Some(profile) = profiles.id(of_unnamed) {
        unknown.use_for_unknown(profile);
    }
    let provisioning = Provisioning::new(store.clone(), profiles.clone(), of_unnamed);
    let index = provisioning.credentials().clone();
    let revocations = index.revocations();
    let credentials = Arc::new(Credentials::new(index, keys));
    prepared.identify_by(credentials.clone());
    tokio::spawn(secured::end_revoked(revocations, unknown.clone()));
    let bootstrap = Bootstrap::new(
        engine.clone(),
        provisioning.clone(),
        config.provisioning.allow_unknown,
    );
    let bootstrap = Arc::new(bootstrap);
    tokio::spawn(bootstrap.clone().serve(unknown.clone()));
    let devices = Arc::new(Devices::new(engine.clone(), provisioning));
    // Devices are let in only now: before, each of them would be unknown.
    let provisioned = devices.restore().await?;
    let directory = packages_directory(&config.store.path);
    let packages = Packages::load(store.clone(), directory, config.packages.max_bytes)
        .await
        .context("cannot use the packages in the data directory")?;
    let packages = Arc::new(packages);
    // Updates that were under way are known when the devices come back.
    let updates = Updates::load(
        engine.clone(),
        devices.clone(),
        profiles.clone(),
        packages.clone(),
        store.clone(),
    );
    let updates = Arc::new(updates.await?);
    let began = Instant::now();
    let running = prepared.run().context("cannot start the engine")?;
    announce::restored(&running.restored(), began.elapsed());

    let campaigns = Campaigns::load(
        engine.clone(),
        devices.clone(),
        updates.clone(),
        store.clone(),
    );
    let campaigns = Arc::new(campaigns.await?);
    updates.start();
    let rpc = Rpc::load(
        engine.clone(),
        devices.clone(),
        models.clone(),
        store.clone(),
    );
    let rpc = Arc::new(rpc.await?);
    let attributes = Attributes::load(
        engine.clone(),
        devices.clone(),
        models.clone(),
        store.clone(),
    );
    let attributes = Arc::new(attributes.await?);
    let history = History::start(
        engine.as_ref(),
        devices.clone(),
        profiles.clone(),
        store.clone(),
    );
    let (stop, stopping) = watch::channel(false);
    let subscribed = engine.clone();
    let api = Api {
        engine: engine.clone(),
        devices,
        credentials: credentials.clone(),
        models: models.clone(),
        profiles,
        rpc,
        attributes,
        packages,
        updates,
        campaigns,
        history,
        bootstrap,
        tokens: tokens.clone(),
        events: EventFeed::new(move || subscribed.subscribe(), config.api.max_event_streams),
        store,
        exporter,
        health: health.clone(),
        stopping: stopping.clone(),
        options: options(config, http.as_ref(), dev)?,
    };
    let http_address = http.as_ref().map(TcpListener::local_addr).transpose()?;
    let mut serving = JoinSet::new();
    let router = api::router(api);
    let socket = socket_file(&config.store.path);
    if let Some(listener) = listeners::local(&socket) {
        let router = router.clone();
        serving.spawn(api::serve(
            listener,
            |_| Peer::Local,
            router,
            stopping.clone(),
            API_GRACE,
        ));
    }
    if let Some(listener) = http {
        serving.spawn(api::serve(listener, Peer::Tcp, router, stopping, API_GRACE));
    }
    health.enter(Phase::Ready);
    announce::started(
        &announce::Started {
            engine: engine.as_ref(),
            http: http_address,
            config,
            provisioned,
            tokens: tokens.list().len(),
        },
        dev,
    );

    while let signals::Told::Reload = signals.next().await {
        reload
            .run(&tokens, &models, &credentials, &resumption, &unknown)
            .await;
    }

    // Whoever sends traffic is told first, devices are served to the end, then the API ends; the
    // store is closed with its last user.
    info!("stopping");
    health.enter(Phase::Draining);
    running.shutdown(ENGINE_GRACE).await;
    stop.send_replace(true);
    while serving.join_next().await.is_some() {}
    let _ = std::fs::remove_file(&socket);
    Ok(())
}

fn prepare_engine(
    effective: &Effective,
    state: Arc<dyn StateStore>,
    contexts: Option<Arc<ServerContexts>>,
) -> anyhow::Result<PreparedEngine> {
    let config = &effective.config;
    let settings = EngineConfig {
        coap: config.listen.coap,
        coaps: config.listen.coaps,
        bootstrap_coap: config.listen.bootstrap_coap,
        bootstrap_coaps: config.listen.bootstrap_coaps,
        dtls: dtls_settings(config),
        shards: config.engine.shards,
        allow_unknown: config.provisioning.allow_unknown,
        max_endpoints: config.engine.max_endpoints,
        recv_buffer: config.engine.receive_buffer,
        send_buffer: config.engine.send_buffer,
        pin: config.engine.pin,
        profile_changes_per_second: config.engine.profile_changes_per_second,
        ..EngineConfig::default()
    };
    let prepared = engine::prepare_kept(settings, state, contexts);
    let listen = [
        ("coap", config.listen.coap),
        ("coaps", config.listen.coaps),
        ("bootstrap_coap", config.listen.bootstrap_coap),
        ("bootstrap_coaps", config.listen.bootstrap_coaps),
    ];
    let failed = match &prepared {
        Err(StartError::Bind { listener, .. }) => *listener,
        _ => "",
    };
    let tried = listen.iter().find(|(name, _)| *name == failed);
    match tried.and_then(|(name, address)| Some((name, (*address)?))) {
        Some((name, address)) => {
            prepared.with_context(|| listeners::cannot_listen(name, "udp", address, effective))
        }
        None => prepared.context("cannot start the engine"),
    }
}

fn dtls_settings(config: &Config) -> DtlsSettings {
    let dtls = &config.dtls;
    let usual = DtlsSettings::default();
    DtlsSettings {
        cid_length: u8::try_from(dtls.cid_length).ok(),
        limits: Limits {
            handshakes: dtls.max_handshakes,
            kept_sessions: dtls.max_sessions_without_etm,
            handshake_ms: dtls.handshake_timeout as u64,
            ..usual.limits
        },
        ..usual
    }
}

/// What the server shows over DTLS; nothing, with a warning, when no mode can be served.
fn server_contexts(
    keys: &Keys,
    resumption: &Resumption,
) -> anyhow::Result<Option<Arc<ServerContexts>>> {
    let contexts = secured::contexts(keys, resumption).context("[dtls]")?;
    if contexts.is_none() {
        warn!(
            "listen.coaps or listen.bootstrap_coaps is set, but no security mode can be served: dtls.psk is off, and dtls.rpk \
             and dtls.x509 need dtls.server_key; nobody is served over DTLS"
        );
    }
    Ok(contexts.map(Arc::new))
}

fn options(config: &Config, http: Option<&TcpListener>, dev: bool) -> anyhow::Result<Options> {
    let mut listeners = Vec::new();
    if let Some(http) = http {
        listeners.push(ListenerView {
            name: "http",
            transport: "tcp",
            address: http.local_addr()?,
        });
    }
    Ok(Options {
        open_on_loopback: dev,
        max_body: config.api.max_body,
        spool: config.store.path.clone(),
        listeners,
        allow_unknown: config.provisioning.allow_unknown,
        profile: config.provisioning.profile.clone(),
    })
}
