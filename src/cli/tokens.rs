//! `rookery token`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use hyper::Method;
use rookery::services::tokens::{Role, TokenInfo, Tokens};
use serde_json::json;

use super::arguments::{Place, TokenCommand};
use super::data_directory::{Owner, owner};
use super::server_api::percent_encoded;

const PATH: &str = "/api/v1/tokens";

pub(super) async fn run(command: TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Create { role, name, place } => create(role.into(), name, &place).await?,
        TokenCommand::List { place } => list(&place).await?,
        TokenCommand::Revoke { id, place } => revoke(&id, &place).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the token alone on standard output, so that a script can take it.
async fn create(role: Role, name: Option<String>, place: &Place) -> anyhow::Result<()> {
    let (id, token) = match owner(place).await? {
        Owner::Server(api) => {
            let request = json!({"role": role, "name": name});
            let created = api.call(Method::POST, PATH, Some(request)).await?;
            let member = |name: &str| created[name].as_str().map(str::to_owned);
            member("id")
                .zip(member("token"))
                .context("the server's answer has no token")?
        }
        Owner::Nobody { store, .. } => {
            let created = Tokens::load(store).await?.create(role, name).await?;
            (created.info.id, created.token)
        }
    };
    eprintln!(
        "token {id} with role {}; it is not shown again:",
        role.name()
    );
    println!("{token}");
    Ok(())
}

async fn list(place: &Place) -> anyhow::Result<()> {
    let tokens: Vec<TokenInfo> = match owner(place).await? {
        Owner::Server(api) => {
            let mut list = api.call(Method::GET, PATH, None).await?;
            serde_json::from_value(list["items"].take())
                .context("the server's answer is no list")?
        }
        Owner::Nobody { store, .. } => Tokens::load(store).await?.list(),
    };
    println!("{:<14} {:<9} {:<20} NAME", "ID", "ROLE", "CREATED");
    for token in tokens {
        let name = token.name.unwrap_or_default();
        let created = utc(token.created_at);
        println!(
            "{:<14} {:<9} {created:<20} {name}",
            token.id,
            token.role.name()
        );
    }
    Ok(())
}

async fn revoke(id: &str, place: &Place) -> anyhow::Result<()> {
    match owner(place).await? {
        Owner::Server(api) => {
            let id = percent_encoded(id);
            api.call(Method::DELETE, &format!("{PATH}/{id}"), None)
                .await?;
        }
        Owner::Nobody { store, .. } => {
            let store: Arc<dyn rookery::services::storage::Store> = store;
            Tokens::load(store).await?.revoke(id).await?;
        }
    }
    eprintln!("token {id} is revoked");
    Ok(())
}

/// `2026-11-24T15:03:00Z` (civil calendar from days, proleptic Gregorian).
fn utc(millis: i64) -> String {
    let seconds = millis.div_euclid(1_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_700_000_000_999, "2023-11-14T22:13:20Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(utc(millis), text);
        }
    }
}
