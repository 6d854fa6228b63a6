//! What services ask of persistent state: tables of records under text keys, changed atomically.
//!
//! Records are JSON. A record that cannot be read is set aside and counted, so that one damaged
//! record never stops the others ([`read`], [`scan`]).

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

/// Persistent state. Implemented by `store::EmbeddedStore` and `store::MemoryStore`.
pub trait Store: Send + Sync + 'static {
    /// One record.
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn get(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` records in key order, beginning after `after`.
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn range(
        &self,
        table: Table,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Applies all changes or none. They are durable when the future resolves; it says for each
    /// change whether the key held a record before.
    fn write(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<Vec<bool>, StoreError>>;

    /// What this store is and how much it holds.
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn info(&self) -> Result<StoreInfo, StoreError>;
}

/// A table of records.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Table {
    /// API tokens by id.
    Tokens,
    /// Provisioned devices by endpoint client name.
    Devices,
    /// Uploaded object definitions by object id and version.
    Models,
    /// Device profiles by name.
    Profiles,
    /// Persistent commands to devices by id.
    Rpc,
    /// Shared attributes of a device by endpoint client name.
    SharedAttributes,
    /// Telemetry values by endpoint client name, key and age.
    History,
    /// Update packages by id.
    Packages,
    /// Assigned packages and how their updates stand, by endpoint client name.
    DeviceUpdates,
    /// Assigned packages by name of the profile.
    ProfileUpdates,
    /// Campaigns by id.
    Campaigns,
    /// Devices of campaigns by id of the campaign and place in it.
    CampaignDevices,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 12] = [
        Self::Tokens,
        Self::Devices,
        Self::Models,
        Self::Profiles,
        Self::Rpc,
        Self::SharedAttributes,
        Self::History,
        Self::Packages,
        Self::DeviceUpdates,
        Self::ProfileUpdates,
        Self::Campaigns,
        Self::CampaignDevices,
    ];

    /// Name of the table, as stored and as the metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Devices => "devices",
            Self::Models => "models",
            Self::Profiles => "profiles",
            Self::Rpc => "rpc",
            Self::SharedAttributes => "shared_attributes",
            Self::History => "history",
            Self::Packages => "packages",
            Self::DeviceUpdates => "device_updates",
            Self::ProfileUpdates => "profile_updates",
            Self::Campaigns => "campaigns",
            Self::CampaignDevices => "campaign_devices",
        }
    }
}

/// One change of one record.
#[derive(Clone, Debug)]
pub enum Change {
    /// Creates or replaces a record.
    Put {
        /// Where.
        table: Table,
        /// Key of the record.
        key: String,
        /// The record.
        value: Vec<u8>,
    },
    /// Removes a record.
    Delete {
        /// Where.
        table: Table,
        /// Key of the record.
        key: String,
    },
    /// Moves a record that cannot be read out of the way, keeping its bytes.
    SetAside {
        /// Where.
        table: Table,
        /// Key of the record.
        key: String,
    },
}

impl Change {
    /// Puts `record` as JSON.
    ///
    /// # Errors
    /// When `record` cannot be expressed in JSON.
    pub fn put(
        table: Table,
        key: impl Into<String>,
        record: &impl Serialize,
    ) -> Result<Self, StoreError> {
        Ok(Self::Put {
            table,
            key: key.into(),
            value: serde_json::to_vec(record).map_err(|error| StoreError::Failed {
                detail: format!("a record of {} cannot be encoded: {error}", table.name()),
            })?,
        })
    }
}

/// What a store is and how much it holds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreInfo {
    /// `embedded` or `memory`.
    pub kind: &'static str,
    /// Version of the stored format.
    pub format: u32,
    /// Size of the file in bytes; 0 for `memory`.
    pub bytes: u64,
    /// Provisioned devices.
    pub devices: u64,
    /// Records set aside because they could not be read.
    pub set_aside: u64,
}

/// Why the store did not do what it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue of the writer is full: nothing was changed, trying again later may help.
    #[error("too many changes are waiting to be written")]
    Busy,
    /// The store is being closed: nothing was changed.
    #[error("the store is closed")]
    Closed,
    /// The storage failed; nothing was changed.
    #[error("the storage failed: {detail}")]
    Failed {
        /// What failed, in words.
        detail: String,
    },
}

impl StoreError {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Closed => "closed",
            Self::Failed { .. } => "failed",
        }
    }
}

/// Reads one record. One that cannot be decoded is set aside and counts as absent.
///
/// # Errors
/// When the storage cannot be read.
pub async fn read<T: DeserializeOwned>(
    store: &dyn Store,
    table: Table,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.get(table, key)? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(record) => Ok(Some(record)),
        Err(error) => {
            set_aside(store, table, key, &error).await;
            Ok(None)
        }
    }
}

/// Records read by [`scan`].
#[derive(Debug)]
pub struct Scanned<T> {
    /// The readable ones, in key order.
    pub records: Vec<(String, T)>,
    /// Key after which to go on, `None` at the end of the table.
    pub resume_after: Option<String>,
}

/// Reads at most `limit` records in key order, beginning after `after`. Those that cannot be
/// decoded are set aside and left out.
///
/// # Errors
/// When the storage cannot be read.
pub async fn scan<T: DeserializeOwned>(
    store: &dyn Store,
    table: Table,
    after: Option<&str>,
    limit: usize,
) -> Result<Scanned<T>, StoreError> {
    let found = store.range(table, after, limit)?;
    let resume_after = if found.len() < limit {
        None
    } else {
        found.last().map(|(key, _)| key.clone())
    };
    let mut records = Vec::with_capacity(found.len());
    for (key, bytes) in found {
        match serde_json::from_slice(&bytes) {
            Ok(record) => records.push((key, record)),
            Err(error) => set_aside(store, table, &key, &error).await,
        }
    }
    Ok(Scanned {
        records,
        resume_after,
    })
}

/// A failure to set a record aside is logged only: the record is met again at the next read.
async fn set_aside(store: &dyn Store, table: Table, key: &str, error: &serde_json::Error) {
    warn!(table = table.name(), key, %error, "a stored record cannot be read and is set aside");
    metrics::counter!("lwm2m_store_set_aside_total", "table" => table.name()).increment(1);
    let change = Change::SetAside {
        table,
        key: key.to_owned(),
    };
    if let Err(error) = store.write(vec![change]).await {
        warn!(table = table.name(), key, %error, "the record cannot be set aside");
    }
}
