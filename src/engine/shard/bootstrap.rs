//! The bootstrap server that shares the thread of this shard. It has sockets and sessions of its own
//! and nothing to do with the endpoints here.

use std::sync::Arc;

use crate::engine::bootstrap::server::{BootstrapServer, DtlsParts};
use crate::engine::credentials::{Answer, Lookups};
use crate::proto::dtls::{ServerContexts, SetupError};
use crate::proto::time::Tick;

use super::Shard;

impl Shard {
    /// Serves bootstrap as well; over DTLS too with `dtls`: a secret, what the server shows and where
    /// certificates are verified. To be called before the first turn.
    ///
    /// # Errors
    /// A setting of DTLS is out of range, or OpenSSL lacks a cipher.
    pub fn serve_bootstrap(
        &mut self,
        dtls: Option<([u8; 32], Arc<ServerContexts>, Lookups)>,
    ) -> Result<(), SetupError> {
        let limits = &self.shared.config.dtls.limits;
        let dtls = dtls.map(|(secret, contexts, lookups)| DtlsParts {
            secret,
            limits: limits.clone(),
            contexts,
            lookups,
        });
        let seed = self.rng.u64(..);
        let (shared, metrics) = (Arc::clone(&self.shared), Arc::clone(&self.metrics));
        let server = BootstrapServer::new(self.index, shared, metrics, seed, dtls)?;
        self.bootstrap = Some(Box::new(server));
        Ok(())
    }

    /// The bootstrap server, where one is served.
    pub fn bootstrap(&mut self) -> Option<&mut BootstrapServer> {
        self.bootstrap.as_deref_mut()
    }

    /// What was found out about a handshake, for the layer that asked.
    pub(super) fn hand_decision(&mut self, answer: Answer) {
        if !answer.is_bootstrap {
            return self.on_decided(answer);
        }
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.on_decided(answer);
        }
    }

    pub(super) fn next_bootstrap_wake(&self) -> Option<Tick> {
        self.bootstrap
            .as_ref()
            .and_then(|server| server.next_wake())
    }
}
