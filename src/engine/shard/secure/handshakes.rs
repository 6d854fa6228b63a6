//! What handshakes ask, and what comes of them.

use std::net::SocketAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::engine::credentials::{Answer, Decision, Lookup, Owner, Purpose};
use crate::engine::endpoint::core::Input;
use crate::engine::handoff::HandedOff;
use crate::proto::dtls::{
    AlertDescription, Claim, Established, FailReason, Fingerprint, HandshakeId, Mode, Verdict,
};
use crate::proto::time::Tick;

use super::sessions::{Changed, Known};
use super::{Shard, Whence};

/// How long what was found out about a claim is of use, in ms: longer than a handshake may take.
const USEFUL_MILLIS: u64 = 120_000;

/// Who peers in handshakes claim to be and what was found out about it. What stays of handshakes
/// that ended is cleared away by and by.
#[derive(Debug)]
pub(super) struct Claims {
    known: HashMap<Fingerprint, Claimed>,
    /// Claims above which those of no use are cleared away.
    limit: usize,
}

#[derive(Debug)]
struct Claimed {
    since: Tick,
    owner: Option<Owner>,
}

impl Claims {
    pub(super) fn new(handshakes: usize) -> Self {
        Self {
            known: HashMap::new(),
            limit: handshakes.max(1),
        }
    }

    fn begin(&mut self, claim: Fingerprint, now: Tick) {
        if self.known.len() >= self.limit {
            self.known
                .retain(|_, claimed| now.millis_since(claimed.since) < USEFUL_MILLIS);
            self.limit = self.limit.max(self.known.len() * 2);
        }
        let claimed = Claimed {
            since: now,
            owner: None,
        };
        self.known.insert(claim, claimed);
    }

    fn found(&mut self, claim: Fingerprint, owner: Option<Owner>) {
        if let Some(claimed) = self.known.get_mut(&claim) {
            claimed.owner = owner;
        }
    }

    fn get(&self, claim: Fingerprint) -> Option<(&Owner, Tick)> {
        let claimed = self.known.get(&claim)?;
        Some((claimed.owner.as_ref()?, claimed.since))
    }
}

impl Shard {
    /// Finds out about a peer: at once from memory, of certificates on another thread.
    pub(super) fn look_up_claim(&mut self, handshake: HandshakeId, claim: Claim, resumed: bool) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        let (fingerprint, mode) = (claim.fingerprint(), claim.mode());
        secure.claims.begin(fingerprint, self.now.tick);
        let now = self.now.wall;
        let decision = if mode != Mode::Certificate {
            let credentials = self.shared.credentials.get();
            credentials
                .map(|credentials| credentials.decide(&claim, Purpose::Registration, resumed, now))
        } else if secure.lookups.ask(Lookup {
            shard: self.index,
            purpose: Purpose::Registration,
            handshake,
            claim,
            resumed,
            now,
        }) {
            return;
        } else {
            self.metrics.dtls.lookups_refused.add(1);
            None
        };
        let refused = || Decision::refused(AlertDescription::InternalError);
        self.answer_lookup(Answer {
            purpose: Purpose::Registration,
            handshake,
            claim: fingerprint,
            mode,
            decision: decision.unwrap_or_else(refused),
        });
    }

    /// The answer of another thread.
    pub(in crate::engine::shard) fn on_decided(&mut self, answer: Answer) {
        self.answer_lookup(answer);
        self.follow_up(&[], None);
    }

    fn answer_lookup(&mut self, answer: Answer) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        let Decision { verdict, owner } = answer.decision;
        if let Verdict::Refused(alert) = &verdict {
            tracing::debug!(mode = answer.mode.label(), ?alert, "a device is not let in");
        }
        secure.claims.found(answer.claim, owner);
        // The handshake may be over by now.
        secure
            .endpoint
            .answer(self.now.tick, answer.handshake, verdict, &mut secure.output);
    }

    pub(super) fn on_established(&mut self, new: &Established, whence: Option<Whence>) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        let credentials = self.shared.credentials.get();
        let (mode, session) = (new.claim.mode(), new.session);
        let holds = |(owner, since): (&Owner, Tick)| {
            let holds = credentials
                .is_some_and(|credentials| credentials.holds(owner, Purpose::Registration));
            holds.then(|| (owner.clone(), since))
        };
        let found = secure.claims.get(new.claim.fingerprint());
        let Some((owner, since)) = found.and_then(holds) else {
            // Its credentials were taken back while it was proving that it has them.
            self.metrics.dtls.revoked(mode);
            secure.endpoint.close(session, &mut secure.output);
            return;
        };
        let millis = self.now.tick.millis_since(since);
        self.metrics.dtls.completed(mode, new.resumed, millis);
        let local = whence.and_then(|whence| whence.local);
        let known = Known {
            owner,
            mode,
            local: self.locals.number(local),
        };
        let name = known.name(self.index, session);
        let endpoint = Arc::clone(&known.owner.endpoint);
        secure.sessions.insert(session, known);
        self.mark_session(session, Changed::Session);
        self.bind(&endpoint, name, new.peer.into(), local);
    }

    pub(super) fn on_handshake_failed(
        &mut self,
        peer: SocketAddr,
        mode: Mode,
        claim: Option<&Claim>,
        reason: FailReason,
    ) {
        self.metrics.dtls.failed(mode, reason);
        let cause = reason.discriminant();
        tracing::debug!(%peer, mode = mode.label(), cause, "a DTLS handshake failed");
        let Some(secure) = &self.secure else {
            return;
        };
        let Some((owner, _)) = claim.and_then(|claim| secure.claims.get(claim.fingerprint()))
        else {
            return;
        };
        let endpoint = Arc::clone(&owner.endpoint);
        let detail = format!("a DTLS handshake from {peer} failed: {}", words(reason));
        let Some(home) = self.shared.directory.home(&endpoint) else {
            return;
        };
        if home.shard == self.index {
            return self.note_trouble(home.slot, &endpoint, detail);
        }
        let slot = home.slot;
        let handed = HandedOff::Trouble {
            slot,
            endpoint,
            detail,
        };
        self.hand_over(home.shard, handed);
    }

    /// Notes a failed handshake where an operator looks for it.
    pub(in crate::engine::shard) fn note_trouble(
        &mut self,
        slot: u32,
        endpoint: &str,
        detail: String,
    ) {
        if self.lives_here(slot, endpoint) {
            self.command_endpoint(slot, Input::Trouble { detail });
        }
    }
}

const fn words(reason: FailReason) -> &'static str {
    match reason {
        FailReason::WrongKey => "the device has another key than it is provisioned with",
        FailReason::Timeout => "the device did not go on with it",
        FailReason::Refused => "the identity is refused",
        FailReason::NoVerdict => "the identity could not be looked up in time",
        FailReason::Protocol => "the device sent what the protocol does not allow",
        FailReason::NoCommonSuite => "no cipher suite in common",
        FailReason::CbcWithoutEtm => {
            "only CBC suites, without encrypt-then-MAC, and there are enough of those"
        }
        FailReason::WeakKey => "its key is on another curve than P-256 and P-384",
        FailReason::MalformedIdentity => "a PSK identity that is none",
        FailReason::Superseded => "the device began another one",
        FailReason::Internal => "an internal error",
    }
}
