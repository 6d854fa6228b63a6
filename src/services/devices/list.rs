//! The device list: pages through the engine shard by shard, then through the store for the
//! devices the engine does not hold. Each call does a bounded amount of work.

use serde::Serialize;

use super::cursor::Position;
use super::{Devices, DevicesError, never_registered, security};
use crate::services::engine::{Cursor, DeviceFilter, DeviceState, DeviceSummary};
use crate::services::provisioning::DeviceRecord;

/// Most devices on a page.
pub const MAX_PAGE: usize = 1_000;

/// Commands to the engine per page. A filter that matches little then gives a short page instead
/// of a request that walks a million endpoints.
const ENGINE_CALLS: usize = 64;

/// Stored devices looked at per page, and per look.
const STORE_RECORDS: usize = 20_000;
const STORE_CHUNK: usize = 500;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Which devices.
    pub filter: DeviceFilter,
    /// Most devices on the page, 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// A page of the device list.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct DevicePage {
    /// The devices. May be fewer than asked for, even none, although `next` is set.
    pub items: Vec<DeviceSummary>,
    /// Cursor of the next page; `null` at the end.
    pub next: Option<String>,
}

impl Devices {
    /// One page of the list of devices.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the engine or the store failed.
    pub async fn list(&self, query: ListQuery) -> Result<DevicePage, DevicesError> {
        let wanted = query.limit.clamp(1, MAX_PAGE);
        let never_only = query.filter.state == Some(DeviceState::Never);
        let mut position = match query.cursor.as_deref() {
            Some(cursor) => Some(Position::decode(cursor)?),
            None if never_only => Some(Position::Store(None)),
            None => Some(Position::Engine(Cursor::default())),
        };
        let mut items = Vec::new();
        if let Some(Position::Engine(from)) = position {
            position = self
                .list_engine(&query.filter, from, wanted, &mut items)
                .await?;
        }
        if let Some(Position::Store(after)) = &position
            && items.len() < wanted
        {
            let lists_never = query.filter.state.is_none() || never_only;
            position = if lists_never {
                self.list_store(&query.filter, after.clone(), wanted, &mut items)
                    .await?
            } else {
                None
            };
        }
        Ok(DevicePage {
            items,
            next: position.map(|position| position.encode()),
        })
    }

    /// Appends devices the engine holds; returns where the list goes on.
    async fn list_engine(
        &self,
        filter: &DeviceFilter,
        mut from: Cursor,
        wanted: usize,
        items: &mut Vec<DeviceSummary>,
    ) -> Result<Option<Position>, DevicesError> {
        for _ in 0..ENGINE_CALLS {
            let missing = wanted - items.len();
            if missing == 0 {
                break;
            }
            let (found, next) = self.engine.list(filter.clone(), from, missing).await?;
            items.extend(found);
            match next {
                Some(next) => from = next,
                None => return Ok(Some(Position::Store(None))),
            }
        }
        Ok(Some(Position::Engine(from)))
    }

    /// Appends devices that are only provisioned; returns where the list goes on.
    async fn list_store(
        &self,
        filter: &DeviceFilter,
        mut after: Option<String>,
        wanted: usize,
        items: &mut Vec<DeviceSummary>,
    ) -> Result<Option<Position>, DevicesError> {
        for _ in 0..STORE_RECORDS / STORE_CHUNK {
            let page = self
                .provisioning
                .scan(after.as_deref(), STORE_CHUNK)
                .await?;
            for (endpoint, record) in page.records {
                if matches(filter, &endpoint, &record) && !self.engine.holds(&endpoint) {
                    items.push(never_registered(&endpoint, &record));
                    if items.len() == wanted {
                        return Ok(Some(Position::Store(Some(endpoint))));
                    }
                }
            }
            after = page.resume_after;
            if after.is_none() {
                return Ok(None);
            }
            tokio::task::yield_now().await;
        }
        Ok(Some(Position::Store(after)))
    }
}

/// Whether a device that never registered is selected; its state is the caller's business.
fn matches(filter: &DeviceFilter, endpoint: &str, record: &DeviceRecord) -> bool {
    filter
        .profile
        .as_ref()
        .is_none_or(|profile| *profile == record.profile)
        && filter
            .security
            .is_none_or(|wanted| wanted == security(record))
        && filter
            .contains
            .as_ref()
            .is_none_or(|text| endpoint.contains(text.as_str()))
}
