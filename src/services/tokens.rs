//! API tokens: who may do what. A token is 256 random bits; only its SHA-256 is stored.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use super::storage::{self, Change, Store, StoreError, Table};
use crate::proto::time::UnixMillis;

/// What every token begins with, so that scanners for leaked secrets recognise it.
pub const PREFIX: &str = "rk_";

/// Most tokens that may exist: each request is compared with all of them.
pub const MAX_TOKENS: usize = 1_000;

/// Longest name of a token in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// What the bearer of a token may do. Each role includes those before it.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Writes devices and object definitions.
    Operator,
    /// Manages tokens.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Name of the role.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A token without the token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// Identifies the token in lists and for revoking it.
    pub id: String,
    /// What it is for, in words.
    pub name: Option<String>,
    /// What its bearer may do.
    pub role: Role,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// A token just made: the only time the token itself is shown.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct NewToken {
    /// What is known about it from now on.
    #[serde(flatten)]
    pub info: TokenInfo,
    /// The token.
    pub token: String,
}

/// Why a token was not made or not revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no token with this id.
    #[error("there is no token with id \"{id}\"")]
    NotFound {
        /// The id.
        id: String,
    },
    /// There are [`MAX_TOKENS`] already.
    #[error("there are {MAX_TOKENS} tokens already: revoke one first")]
    TooMany,
    /// The name is too long or has control characters.
    #[error(
        "the name of a token must have at most {MAX_NAME_CHARS} characters and no control characters"
    )]
    Name,
    /// The system's random generator failed.
    #[error("no random bits: {0}")]
    Random(#[from] getrandom::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenRecord {
    #[serde(flatten)]
    info: TokenInfo,
    /// SHA-256 of the token, hexadecimal.
    sha256: String,
}

struct Known {
    info: TokenInfo,
    sha256: [u8; 32],
}

/// The tokens of this server.
pub struct Tokens {
    store: Arc<dyn Store>,
    known: ArcSwap<Vec<Known>>,
    changing: Mutex<()>,
}

impl Tokens {
    /// Reads the tokens in `store`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let tokens = Self {
            store,
            known: ArcSwap::default(),
            changing: Mutex::default(),
        };
        tokens.reload().await?;
        Ok(tokens)
    }

    /// Reads the tokens again; returns how many there are.
    ///
    /// # Errors
    /// When the store cannot be read; the tokens known so far stay valid then.
    pub async fn reload(&self) -> Result<usize, StoreError> {
        let _changing = self.changing.lock().await;
        self.read_all().await
    }

    /// The role of the bearer of `token`; `None` when it is not a token of this server.
    #[must_use]
    pub fn role_of(&self, token: &str) -> Option<Role> {
        if !token.starts_with(PREFIX) {
            return None;
        }
        let presented = digest(token);
        let mut role = None;
        // Looks at all of them: the time taken says nothing about where a match was.
        for known in self.known.load().iter() {
            if bool::from(known.sha256.ct_eq(&presented)) {
                role = Some(known.info.role);
            }
        }
        role
    }

    /// Every token, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<TokenInfo> {
        let mut tokens: Vec<_> = self.known.load().iter().map(|k| k.info.clone()).collect();
        tokens.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        tokens
    }

    /// Makes a token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn create(&self, role: Role, name: Option<String>) -> Result<NewToken, TokenError> {
        if name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(TokenError::Name);
        }
        let _changing = self.changing.lock().await;
        if self.known.load().len() >= MAX_TOKENS {
            return Err(TokenError::TooMany);
        }
        let token = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&random::<32>()?));
        let info = TokenInfo {
            id: HEXLOWER.encode(&random::<6>()?),
            name,
            role,
            created_at: now(),
        };
        let record = TokenRecord {
            info: info.clone(),
            sha256: HEXLOWER.encode(&digest(&token)),
        };
        let change = Change::put(Table::Tokens, info.id.as_str(), &record)?;
        self.store.write(vec![change]).await?;
        self.read_all().await?;
        Ok(NewToken { info, token })
    }

    /// Revokes a token, at once.
    ///
    /// # Errors
    /// There is no such token, or the store failed.
    pub async fn revoke(&self, id: &str) -> Result<(), TokenError> {
        let _changing = self.changing.lock().await;
        let change = Change::Delete {
            table: Table::Tokens,
            key: id.to_owned(),
        };
        let existed = self.store.write(vec![change]).await?;
        self.read_all().await?;
        if existed.contains(&true) {
            Ok(())
        } else {
            Err(TokenError::NotFound { id: id.to_owned() })
        }
    }

    async fn read_all(&self) -> Result<usize, StoreError> {
        let records: Vec<(String, TokenRecord)> =
            storage::scan(self.store.as_ref(), Table::Tokens, None, MAX_TOKENS)
                .await?
                .records;
        let known: Vec<Known> = records
            .into_iter()
            .filter_map(|(id, record)| {
                let sha256 = HEXLOWER.decode(record.sha256.as_bytes()).ok();
                let sha256 = sha256.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                if sha256.is_none() {
                    tracing::warn!(id, "a stored token has no readable hash: it is not valid");
                }
                Some(Known {
                    info: record.info,
                    sha256: sha256?,
                })
            })
            .collect();
        let count = known.len();
        self.known.store(Arc::new(known));
        Ok(count)
    }
}

fn is_name(name: &str) -> bool {
    name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as UnixMillis)
}

#[cfg(test)]
mod tests;
