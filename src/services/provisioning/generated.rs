//! Credentials that are generated for devices: stored before a device is told them, and in the place of
//! the former ones once it has registered with them.

use super::{CHUNK, Provisioning};
use crate::proto::time::UnixMillis;
use crate::services::credentials::generate::GenerateError;
use crate::services::credentials::{
    AccountCredentials, CredentialsError, GeneratedKey, GeneratedMode, GeneratedRecord,
    IdentityHandle,
};
use crate::services::storage::{self, Change, StoreError, Table};

/// Why nothing was generated; what the device has holds on.
#[derive(Debug, thiserror::Error)]
pub enum NotGenerated {
    /// The device is not provisioned: nobody would know the credentials as its own.
    #[error("credentials are generated for provisioned devices only")]
    NotProvisioned,
    /// No key could be made.
    #[error(transparent)]
    Failed(#[from] GenerateError),
    /// What was made cannot be read.
    #[error(transparent)]
    Unreadable(#[from] CredentialsError),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Provisioning {
    /// Makes credentials for a device and stores them beside those it has; both hold when this returns.
    /// What was pending before ends.
    ///
    /// # Errors
    /// See [`NotGenerated`].
    pub async fn generate(
        &self,
        endpoint: &str,
        mode: GeneratedMode,
        now: UnixMillis,
    ) -> Result<AccountCredentials, NotGenerated> {
        let _guard = self.locks.lock([endpoint].into_iter()).await;
        if self.credentials.mode_of(endpoint).is_none() {
            return Err(NotGenerated::NotProvisioned);
        }
        let (key, told) = GeneratedKey::make(mode, now)?;
        let record = GeneratedRecord {
            pending: Some(key),
            ..self.stored(endpoint).await?.unwrap_or_default()
        };
        self.put_generated(endpoint, &record).await?;
        Ok(told)
    }

    /// A device has registered with `identity`: when that is pending, what the device had before ends.
    /// `true` when it was.
    ///
    /// # Errors
    /// See [`NotGenerated`].
    pub async fn retire_former(
        &self,
        endpoint: &str,
        identity: IdentityHandle,
        now: UnixMillis,
    ) -> Result<bool, NotGenerated> {
        let _guard = self.locks.lock([endpoint].into_iter()).await;
        let Some(record) = self.stored(endpoint).await? else {
            return Ok(false);
        };
        let Some(mut key) = record.pending else {
            return Ok(false);
        };
        if key.credentials()?.handle(endpoint) != identity {
            return Ok(false);
        }
        key.registered = Some(now);
        let record = GeneratedRecord {
            current: Some(key),
            pending: None,
        };
        self.put_generated(endpoint, &record).await?;
        Ok(true)
    }

    /// What was generated for a device, without secrets.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn generated(&self, endpoint: &str) -> Result<Option<GeneratedRecord>, StoreError> {
        if !self.credentials.has_generated(endpoint) {
            return Ok(None);
        }
        let record = self.stored(endpoint).await?;
        Ok(record.map(GeneratedRecord::without_secrets))
    }

    /// Remembers what was generated for devices that are remembered.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember_generated(&self) -> Result<(), StoreError> {
        let (store, table) = (self.store.as_ref(), Table::GeneratedCredentials);
        let mut after = None;
        loop {
            let page =
                storage::scan::<GeneratedRecord>(store, table, after.as_deref(), CHUNK).await?;
            for (endpoint, record) in &page.records {
                match record.keys() {
                    Ok(keys) => self.credentials.hold_generated(endpoint, &keys),
                    Err(fault) => {
                        tracing::warn!(endpoint, %fault, "generated credentials are not used");
                    }
                }
            }
            after = page.resume_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn stored(&self, endpoint: &str) -> Result<Option<GeneratedRecord>, StoreError> {
        storage::read(self.store.as_ref(), Table::GeneratedCredentials, endpoint).await
    }

    async fn put_generated(
        &self,
        endpoint: &str,
        record: &GeneratedRecord,
    ) -> Result<(), NotGenerated> {
        let keys = record.keys()?;
        let change = Change::put(Table::GeneratedCredentials, endpoint, record)?;
        self.store.write(vec![change]).await?;
        self.credentials.hold_generated(endpoint, &keys);
        Ok(())
    }
}
