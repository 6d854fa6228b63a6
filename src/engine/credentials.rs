//! Who may speak for which endpoint: what the engine asks, and the thread that is asked what takes
//! long.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::mpsc;

use crate::proto::dtls::{AlertDescription, Claim, Fingerprint, HandshakeId, Mode, Verdict};
use crate::proto::time::UnixMillis;

use super::command::Command;
use super::view::SecurityMode;

/// Handshakes whose certificates wait to be verified; further ones are refused with
/// `internal_error`. About a second's worth.
pub const LOOKUPS: usize = 4_096;

/// Knows the credentials of devices. Asked by shards: answers come from memory.
pub trait Credentials: fmt::Debug + Send + Sync + 'static {
    /// Whether a claim is good at a time, and whose it is; `resumed` when it was proven in an earlier
    /// handshake, so that only whether it still holds is asked. Of certificates it is asked on a thread of
    /// its own; of the others by shards.
    fn decide(&self, claim: &Claim, resumed: bool, now: UnixMillis) -> Decision;

    /// Whether an endpoint may register with this security mode. One that is not known may with none.
    fn admits(&self, endpoint: &str, security: SecurityMode) -> bool;

    /// Whether an identity that was proven still holds.
    fn holds(&self, owner: &Owner) -> bool;
}

/// The answer to a claim.
#[derive(Debug)]
pub struct Decision {
    /// What the handshake is told.
    pub verdict: Verdict,
    /// Whose identity it is, unless refused.
    pub owner: Option<Owner>,
}

impl Decision {
    /// A refusal.
    #[must_use]
    pub const fn refused(alert: AlertDescription) -> Self {
        Self {
            verdict: Verdict::Refused(alert),
            owner: None,
        }
    }
}

/// An identity and the one endpoint that it may speak for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// Names the identity with its key: other credentials have another number, the same ones have the
    /// same after a restart.
    pub identity: u64,
    /// Endpoint client name.
    pub endpoint: Arc<str>,
}

/// A certificate to be verified.
#[derive(Debug)]
pub struct Lookup {
    /// Whose handshake it is.
    pub shard: u8,
    /// It is one with the bootstrap server.
    pub is_bootstrap: bool,
    /// The handshake that waits.
    pub handshake: HandshakeId,
    /// Who the peer says it is.
    pub claim: Claim,
    /// It was proven in an earlier handshake.
    pub resumed: bool,
    /// When it is asked.
    pub now: UnixMillis,
}

/// An answer on its way back to its shard.
#[derive(Debug)]
pub struct Answer {
    /// The handshake is one with the bootstrap server.
    pub is_bootstrap: bool,
    /// The handshake that waits.
    pub handshake: HandshakeId,
    /// What it claimed.
    pub claim: Fingerprint,
    /// How.
    pub mode: Mode,
    /// What was found.
    pub decision: Decision,
}

/// The way to the thread that verifies certificates.
#[derive(Clone, Debug)]
pub struct Lookups(SyncSender<Lookup>);

/// What that thread takes from.
#[derive(Debug)]
pub struct Waiting(Receiver<Lookup>);

impl Lookups {
    /// The queue.
    #[must_use]
    pub fn queue() -> (Self, Waiting) {
        let (sender, receiver) = sync_channel(LOOKUPS);
        (Self(sender), Waiting(receiver))
    }

    /// Has a claim decided; `false` when too many wait already.
    #[must_use]
    pub fn ask(&self, lookup: Lookup) -> bool {
        self.0.try_send(lookup).is_ok()
    }
}

impl Waiting {
    /// Answers what waits, until no shard is left that could ask.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn serve(
        self,
        credentials: Arc<dyn Credentials>,
        shards: Vec<mpsc::Sender<Command>>,
    ) -> io::Result<()> {
        let serve = move || {
            while let Ok(lookup) = self.0.recv() {
                let shard = usize::from(lookup.shard);
                let answer = lookup.decide(&*credentials);
                // A shard that is gone has no use for it.
                if let Some(shard) = shards.get(shard) {
                    let _ = shard.blocking_send(Command::Decided(Box::new(answer)));
                }
            }
        };
        let thread = std::thread::Builder::new().name("credentials".to_owned());
        thread.spawn(serve).map(drop)
    }

    /// Answers the next one that waits; `None` when none does.
    pub fn answer_next(&self, credentials: &dyn Credentials) -> Option<Answer> {
        let lookup = self.0.try_recv().ok()?;
        Some(lookup.decide(credentials))
    }
}

impl Lookup {
    fn decide(&self, credentials: &dyn Credentials) -> Answer {
        Answer {
            is_bootstrap: self.is_bootstrap,
            handshake: self.handshake,
            claim: self.claim.fingerprint(),
            mode: self.claim.mode(),
            decision: credentials.decide(&self.claim, self.resumed, self.now),
        }
    }
}
