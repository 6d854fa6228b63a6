//! Pages of the commands of a device.

use serde::Serialize;

use super::keeper::Keeper;
use super::record::{RpcCommand, RpcState};
use crate::services::devices::CursorError;
use crate::services::rpc::RpcError;

/// Most commands on a page.
pub const MAX_PAGE: usize = 1_000;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct RpcQuery {
    /// Only commands in this state.
    pub state: Option<RpcState>,
    /// Most commands on the page, 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// A page of the commands of a device.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RpcPage {
    /// Oldest first: in the order in which they are delivered.
    pub items: Vec<RpcCommand>,
    /// Cursor of the next page; `null` at the end.
    pub next: Option<String>,
}

pub(super) async fn page(
    keeper: &Keeper,
    endpoint: &str,
    query: &RpcQuery,
) -> Result<RpcPage, RpcError> {
    let after = match &query.cursor {
        Some(cursor) => cursor
            .parse()
            .ok()
            .filter(|after| *after < u64::MAX)
            .ok_or(CursorError)?,
        None => 0,
    };
    let limit = query.limit.clamp(1, MAX_PAGE);
    let selected = |state| query.state.is_none_or(|wanted| wanted == state);
    let found: Vec<_> = keeper
        .index()
        .commands(endpoint, after)
        .filter(|(_, entry)| selected(entry.state))
        .take(limit + 1)
        .collect();
    let more = found.len() > limit;
    let mut items = Vec::with_capacity(found.len().min(limit));
    for (_, entry) in found.iter().take(limit) {
        // It may have changed or gone since.
        let command = keeper.read(entry.id).await?;
        items.extend(command.filter(|command| selected(command.state)));
    }
    let next = more.then(|| found[limit - 1].0.to_string());
    Ok(RpcPage { items, next })
}
