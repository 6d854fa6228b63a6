//! Who may call what. A handler states the role it needs by taking [`Viewer`], [`Operator`],
//! [`Admin`] or [`Probe`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::problem::{Problem, ProblemKind};
use super::serve::Peer;
use super::state::State;
use crate::services::tokens::Role;

/// The caller may read.
pub(super) struct Viewer;

/// The caller may write devices and object definitions, and give commands.
pub(super) struct Operator;

/// The caller may manage tokens.
pub(super) struct Admin;

/// The caller may read, or calls from this machine.
pub(super) struct Probe;

macro_rules! guard {
    ($guard:ident, $role:expr, $from_here:expr) => {
        impl FromRequestParts<Arc<State>> for $guard {
            type Rejection = Problem;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &Arc<State>,
            ) -> Result<Self, Problem> {
                let open = $from_here || state.options.open_on_loopback;
                authorise(parts, state, $role, open).map(|()| $guard)
            }
        }
    };
}

guard!(Viewer, Role::Viewer, false);
guard!(Operator, Role::Operator, false);
guard!(Admin, Role::Admin, false);
guard!(Probe, Role::Viewer, true);

/// `open_from_here`: no token is needed from this machine.
fn authorise(
    parts: &Parts,
    state: &State,
    needed: Role,
    open_from_here: bool,
) -> Result<(), Problem> {
    let peer = parts.extensions.get::<Peer>();
    // Whoever may open the socket file may read the store as well.
    if matches!(peer, Some(Peer::Local)) {
        return Ok(());
    }
    let Some(token) = bearer(&parts.headers)? else {
        let from_here = peer.is_some_and(|peer| is_from_here(peer, &parts.headers));
        return if open_from_here && from_here {
            Ok(())
        } else {
            Err(Problem::new(
                ProblemKind::Unauthorized,
                "send `Authorization: Bearer rk_…`; `rookery token create` makes a token",
            ))
        };
    };
    let role = state.tokens.role_of(token).ok_or_else(|| {
        Problem::new(
            ProblemKind::Unauthorized,
            "the token is not one of this server, or was revoked",
        )
    })?;
    if role < needed {
        let detail = format!(
            "the token has role {}, this needs {}",
            role.name(),
            needed.name()
        );
        return Err(Problem::new(ProblemKind::Forbidden, detail).with("needed", needed.name()));
    }
    Ok(())
}

/// The token of the `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.map(Some).ok_or_else(|| {
        Problem::new(
            ProblemKind::Unauthorized,
            "the Authorization header is not `Bearer rk_…`",
        )
    })
}

/// Whether a request comes from this machine itself: neither through a proxy on this machine, nor
/// from a web page that had its own name resolve to 127.0.0.1 (which its `Host` gives away).
fn is_from_here(peer: &Peer, headers: &HeaderMap) -> bool {
    const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];
    let Peer::Tcp(address) = peer else {
        return true;
    };
    address.ip().to_canonical().is_loopback()
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
        && headers
            .get(header::HOST)
            .is_none_or(|host| host.to_str().is_ok_and(names_this_machine))
}

fn names_this_machine(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = without_port
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(without_port);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_here(peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        is_from_here(&Peer::Tcp(peer.parse().unwrap()), &headers)
    }

    #[test]
    fn a_direct_request_from_loopback_is_from_here() {
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:8080",
            "LOCALHOST",
        ] {
            assert!(from_here("127.0.0.1:1000", &[("host", host)]), "{host}");
        }
        assert!(from_here("[::1]:1000", &[]));
        assert!(from_here("[::ffff:127.0.0.1]:1000", &[]));
    }

    #[test]
    fn what_another_machine_or_web_page_sends_is_not_from_here() {
        assert!(!from_here("192.0.2.1:1000", &[("host", "localhost")]));
        assert!(!from_here(
            "127.0.0.1:1000",
            &[("host", "evil.example:8080")]
        ));
        assert!(!from_here(
            "127.0.0.1:1000",
            &[("host", "127.0.0.1.evil.example")]
        ));
        assert!(!from_here(
            "127.0.0.1:1000",
            &[("x-forwarded-for", "192.0.2.1")]
        ));
        assert!(!from_here(
            "127.0.0.1:1000",
            &[("forwarded", "for=192.0.2.1")]
        ));
    }
}
