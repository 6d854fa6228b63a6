//! Campaigns: a package for many devices, some at a time, the first ones before the others.
//!
//! What is decided when is in [`plan`], which is pure; [`drive`] does it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::devices::{CursorError, Devices, DevicesError};
use super::engine::Engine;
use super::rpc::Clock;
use super::storage::{self, Change, Store, StoreError, Table};
use super::updates::{Outcome, Updates, UpdatesError};

mod drive;
mod plan;
mod record;
mod rules;
mod select;

pub use plan::{Counts, Phase, Standing};
pub use record::{
    CampaignDevice, CampaignDevicePage, CampaignPage, CampaignView, DeviceQuery, NewCampaign,
};
pub use rules::{Rules, Window};
pub use select::Filter;

use plan::{Device, Plan};
use record::{DeviceRecord, Record, device_key, devices_prefix};

/// Most campaigns, those that are over included.
pub const MAX_CAMPAIGNS: usize = 1_000;

/// Most devices of a campaign.
pub const MAX_DEVICES: usize = 1_000_000;

/// Most campaigns or devices on a page.
pub const MAX_PAGE: usize = 1_000;

/// Stored devices read, and written, at once.
const CHUNK: usize = 1_000;

/// Stored devices looked at for one page.
const LOOKED_AT: usize = 20_000;

/// Why something with campaigns did not work.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// There is no such campaign.
    #[error("there is no campaign \"{id}\"")]
    NotFound {
        /// The id.
        id: String,
    },
    /// A member of the body is not as it must be.
    #[error("`{member}` {problem}")]
    Member {
        /// Which.
        member: &'static str,
        /// What is wrong with it and what is accepted.
        problem: String,
    },
    /// The campaign is not in a state in which that is possible.
    #[error("the campaign is {}; {possible}", name(*phase))]
    NotNow {
        /// What it is doing.
        phase: Phase,
        /// What would have to be, in words.
        possible: &'static str,
    },
    /// There are [`MAX_CAMPAIGNS`] already.
    #[error("there are {MAX_CAMPAIGNS} campaigns already: delete one first")]
    TooMany,
    /// The cursor is not one of ours.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// Devices cannot be listed.
    #[error(transparent)]
    Devices(#[from] DevicesError),
    /// The package cannot be used.
    #[error(transparent)]
    Updates(#[from] UpdatesError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a campaign can be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Begin with no further device.
    Pause,
    /// Go on.
    Resume,
    /// End, and take back what runs.
    Cancel,
    /// Give devices that failed or were skipped another turn.
    Retry,
}

/// The campaigns of this server. Dropped, they stand still; what runs goes on in the engine.
pub struct Campaigns {
    inner: Arc<Inner>,
    _alive: watch::Sender<()>,
}

struct Inner {
    engine: Arc<dyn Engine>,
    devices: Arc<Devices>,
    updates: Arc<Updates>,
    store: Arc<dyn Store>,
    clock: Clock,
    known: Mutex<Known>,
    /// Held while campaigns come, go and are told something.
    changing: tokio::sync::Mutex<()>,
    wake: Notify,
}

#[derive(Default)]
struct Known {
    records: BTreeMap<String, Record>,
    /// Those that are not over.
    live: HashMap<String, Live>,
}

/// A campaign that is not over.
struct Live {
    plan: Plan,
    endpoints: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Campaigns {
    /// Reads the campaigns in `store`; those that are not over go on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(
        engine: Arc<dyn Engine>,
        devices: Arc<Devices>,
        updates: Arc<Updates>,
        store: Arc<dyn Store>,
    ) -> Result<Self, StoreError> {
        let inner = Arc::new(Inner {
            engine,
            devices,
            updates,
            store,
            clock: Clock::system(),
            known: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            wake: Notify::new(),
        });
        let news = inner.updates.news();
        inner.read_store().await?;
        let (alive, stopped) = watch::channel(());
        tokio::spawn(drive::run(inner.clone(), news, stopped));
        Ok(Self {
            inner,
            _alive: alive,
        })
    }

    /// Begins a campaign.
    ///
    /// # Errors
    /// It is refused, there are too many, or the store failed.
    pub async fn create(&self, new: NewCampaign) -> Result<CampaignView, CampaignError> {
        let inner = &self.inner;
        let now = inner.clock.now();
        new.check(now)?;
        let package = inner.updates.package(&new.package_id, None)?;
        let endpoints = select::endpoints(&inner.devices, &new).await?;
        let _changing = inner.changing.lock().await;
        if inner.known().records.len() >= MAX_CAMPAIGNS {
            return Err(CampaignError::TooMany);
        }
        let plan = Plan::new(new.rules.clone(), endpoints.len() as u32, now);
        let record = Record::new(new, &package, &plan, now);
        for (at, chunk) in (0..).zip(endpoints.chunks(CHUNK)) {
            let changes = (at * CHUNK as u32..).zip(chunk).map(|(number, endpoint)| {
                let device = DeviceRecord::waiting(endpoint);
                let key = device_key(&record.id, number);
                Change::put(Table::CampaignDevices, key, &device)
            });
            let changes = changes.collect::<Result<Vec<_>, _>>()?;
            inner.store.write(changes).await?;
        }
        // Only now it is there: devices without a campaign are removed at the next start.
        inner.write(&record).await?;
        inner.updates.claim(&record.package_id);
        let view = record.view(plan.counts());
        let mut known = inner.known();
        known
            .live
            .insert(record.id.clone(), Live::new(plan, endpoints));
        known.records.insert(record.id.clone(), record);
        drop(known);
        inner.wake.notify_one();
        Ok(view)
    }

    /// One campaign.
    ///
    /// # Errors
    /// [`CampaignError::NotFound`]
    pub fn get(&self, id: &str) -> Result<CampaignView, CampaignError> {
        let known = self.inner.known();
        let record = known.records.get(id).ok_or_else(|| not_found(id))?;
        Ok(known.view(record))
    }

    /// One page of the campaigns, oldest first.
    ///
    /// # Errors
    /// [`CampaignError::Cursor`]
    pub fn list(&self, limit: usize, cursor: Option<&str>) -> Result<CampaignPage, CampaignError> {
        if cursor.is_some_and(|cursor| uuid::Uuid::try_parse(cursor).is_err()) {
            return Err(CursorError.into());
        }
        let after = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let known = self.inner.known();
        let mut left = known.records.range::<str, _>((after, Bound::Unbounded));
        let page = left.by_ref().take(limit.clamp(1, MAX_PAGE));
        let items: Vec<_> = page.map(|(_, record)| known.view(record)).collect();
        let next = left.next().and_then(|_| items.last());
        Ok(CampaignPage {
            next: next.map(|last| last.id.clone()),
            items,
        })
    }

    /// One page of the devices of a campaign.
    ///
    /// # Errors
    /// There is no such campaign, the cursor is not one of ours, or the store failed.
    pub async fn devices(
        &self,
        id: &str,
        query: &DeviceQuery,
    ) -> Result<CampaignDevicePage, CampaignError> {
        let inner = &self.inner;
        let phase = self.get(id)?.phase;
        let over = matches!(phase, Phase::Completed | Phase::Cancelled);
        let mut after = match query.cursor.as_deref() {
            None => devices_prefix(id),
            Some(cursor) => {
                let number = cursor.parse().map_err(|_| CursorError)?;
                device_key(id, number)
            }
        };
        let (wanted, mut looked_at) = (query.limit.clamp(1, MAX_PAGE), 0);
        let mut items = Vec::new();
        while items.len() < wanted && looked_at < LOOKED_AT {
            let (store, table) = (inner.store.as_ref(), Table::CampaignDevices);
            let page = storage::scan::<DeviceRecord>(store, table, Some(&after), CHUNK).await?;
            let end = page.resume_after.is_none();
            for (key, device) in page.records {
                let Some(number) = record::number_of(id, &key) else {
                    return Ok(CampaignDevicePage { items, next: None });
                };
                after = key;
                looked_at += 1;
                let device = inner.known().show(id, number, device, over);
                if query.standing.is_none_or(|wanted| wanted == device.state) {
                    items.push(device);
                }
                if items.len() == wanted {
                    break;
                }
            }
            if end && items.len() < wanted {
                return Ok(CampaignDevicePage { items, next: None });
            }
        }
        let next = record::number_of(id, &after).map(|number| number.to_string());
        Ok(CampaignDevicePage { items, next })
    }

    /// Tells a campaign something.
    ///
    /// # Errors
    /// There is no such campaign, it is not in a state for that, or the store failed.
    pub async fn order(&self, id: &str, order: Order) -> Result<CampaignView, CampaignError> {
        let _changing = self.inner.changing.lock().await;
        self.get(id)?;
        self.inner.order(id, order).await?;
        self.inner.wake.notify_one();
        self.get(id)
    }

    /// Removes a campaign that is over, and its report.
    ///
    /// # Errors
    /// There is no such campaign, it is not over, or the store failed.
    pub async fn delete(&self, id: &str) -> Result<(), CampaignError> {
        let inner = &self.inner;
        let _changing = inner.changing.lock().await;
        let phase = self.get(id)?.phase;
        if !matches!(phase, Phase::Completed | Phase::Cancelled) {
            let possible = "one that is completed or cancelled can be deleted: cancel it first";
            return Err(CampaignError::NotNow { phase, possible });
        }
        let change = Change::Delete {
            table: Table::Campaigns,
            key: id.to_owned(),
        };
        inner.store.write(vec![change]).await?;
        inner.known().records.remove(id);
        inner.remove_devices(id).await?;
        Ok(())
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, record: &Record) -> Result<(), StoreError> {
        let change = Change::put(Table::Campaigns, record.id.as_str(), record)?;
        self.store.write(vec![change]).await.map(drop)
    }

    async fn read_store(self: &Arc<Self>) -> Result<(), StoreError> {
        let (store, table) = (self.store.as_ref(), Table::Campaigns);
        let page = storage::scan::<Record>(store, table, None, MAX_CAMPAIGNS).await?;
        self.known().records.extend(page.records.iter().cloned());
        self.remove_strays().await?;
        for (id, record) in page.records {
            if record.is_active() {
                self.revive(&id, record).await?;
            }
        }
        Ok(())
    }

    /// Takes up a campaign from the store, and what became of its devices since.
    async fn revive(&self, id: &str, record: Record) -> Result<(), StoreError> {
        let devices = self.read_devices(id).await?;
        let endpoints: Vec<Arc<str>> = devices.iter().map(|d| d.endpoint.clone()).collect();
        let restored = devices.iter().map(|device| Device {
            standing: device.standing,
            attempts: device.attempts,
            began: device.began.unwrap_or_default(),
        });
        let now = self.clock.now();
        let plan = Plan::restored(record.rules.clone(), record.kept, restored, now);
        self.updates.claim(&record.package_id);
        self.known()
            .live
            .insert(id.to_owned(), Live::new(plan, endpoints));
        let running = (0..).zip(&devices);
        for (number, device) in running.filter(|(_, d)| d.standing == Standing::Running) {
            let kind = record.package_type;
            match self.updates.outcome_for(id, &device.endpoint, kind).await? {
                Some(None) => {}
                Some(Some(outcome)) => self.finish(id, number, &outcome).await,
                None => self
                    .with(id, |live| live.plan.begin_again(number))
                    .unwrap_or_default(),
            }
        }
        Ok(())
    }

    async fn read_devices(&self, id: &str) -> Result<Vec<DeviceRecord>, StoreError> {
        let (mut devices, mut after) = (Vec::new(), devices_prefix(id));
        loop {
            let (store, table) = (self.store.as_ref(), Table::CampaignDevices);
            let page = storage::scan::<DeviceRecord>(store, table, Some(&after), CHUNK).await?;
            for (key, device) in page.records {
                // One that could not be read is set aside: its number goes to nobody.
                let Some(number) = record::number_of(id, &key) else {
                    return Ok(devices);
                };
                devices.resize_with(number as usize, DeviceRecord::unreadable);
                devices.push(device);
            }
            match page.resume_after {
                Some(last) => after = last,
                None => return Ok(devices),
            }
        }
    }

    /// Removes devices of campaigns that are not there.
    async fn remove_strays(&self) -> Result<(), StoreError> {
        let mut after: Option<String> = None;
        loop {
            let found = self
                .store
                .range(Table::CampaignDevices, after.as_deref(), 1)?;
            let Some((key, _)) = found.first() else {
                return Ok(());
            };
            let id = key.split('/').next().unwrap_or_default();
            if self.known().records.contains_key(id) {
                after = Some(record::after_devices(id));
            } else {
                self.remove_devices(id).await?;
            }
        }
    }

    async fn remove_devices(&self, id: &str) -> Result<(), StoreError> {
        loop {
            let (table, after) = (Table::CampaignDevices, devices_prefix(id));
            let found = self.store.range(table, Some(&after), CHUNK)?;
            let of_it = found.into_iter().map(|(key, _)| key);
            let of_it = of_it.take_while(|key| key.starts_with(&after));
            let changes: Vec<_> = of_it.map(|key| Change::Delete { table, key }).collect();
            if changes.is_empty() {
                return Ok(());
            }
            self.store.write(changes).await?;
        }
    }

    /// Does something with a campaign that is not over.
    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Live) -> T) -> Option<T> {
        self.known().live.get_mut(id).map(work)
    }
}

impl Known {
    fn view(&self, record: &Record) -> CampaignView {
        let live = self.live.get(&record.id);
        let mut view = record.view(live.map_or(record.counts, |live| live.plan.counts()));
        if let Some(live) = live {
            view.phase = live.plan.kept().phase;
        }
        view
    }

    /// A device as it stands: what is stored, and what only the plan knows.
    fn show(&self, id: &str, number: u32, device: DeviceRecord, over: bool) -> CampaignDevice {
        let live = self.live.get(id);
        let standing = live.and_then(|live| live.plan.standing(number));
        let dropped = over && device.standing == Standing::Waiting;
        let stored = if dropped {
            Standing::Cancelled
        } else {
            device.standing
        };
        device.view(standing.unwrap_or(stored))
    }
}

impl Live {
    fn new(plan: Plan, endpoints: Vec<Arc<str>>) -> Self {
        let numbers = endpoints.iter().cloned().zip(0..).collect();
        Self {
            plan,
            endpoints,
            numbers,
        }
    }
}

fn not_found(id: &str) -> CampaignError {
    CampaignError::NotFound { id: id.to_owned() }
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "running",
        Phase::Paused => "paused",
        Phase::Stopped => "stopped",
        Phase::Completed => "completed",
        Phase::Cancelled => "cancelled",
    }
}
