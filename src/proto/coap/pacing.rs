//! Limits on what is sent to peers whose address is not verified.

/// How many times the bytes received from an unverified peer may be sent to it.
const FACTOR: u32 = 3;
/// The credit of a verified peer.
const UNLIMITED: u32 = u32::MAX;

/// Bytes that may be sent to a peer whose address may be forged, so that the engine is of little
/// use for flooding a third party (RFC 9175 §2.4, RFC 7252 §11.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AmplificationBudget {
    credit: u32,
}

impl AmplificationBudget {
    /// Nothing received, nothing may be sent.
    #[must_use]
    pub const fn new() -> Self {
        Self { credit: 0 }
    }

    /// A datagram of this many bytes arrived from the peer.
    pub fn received(&mut self, bytes: usize) {
        if self.credit != UNLIMITED {
            let earned = u32::try_from(bytes)
                .unwrap_or(u32::MAX)
                .saturating_mul(FACTOR);
            self.credit = self.credit.saturating_add(earned).min(UNLIMITED - 1);
        }
    }

    /// Spends the credit for a datagram of this many bytes; `false`, and nothing is spent, when
    /// there is not enough.
    #[must_use]
    pub fn try_spend(&mut self, bytes: usize) -> bool {
        if self.credit == UNLIMITED {
            return true;
        }
        let left = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| self.credit.checked_sub(bytes));
        if let Some(left) = left {
            self.credit = left;
        }
        left.is_some()
    }

    /// A datagram of this many bytes is sent in any case, being an answer that is bounded on its own:
    /// what it costs is not there for others.
    pub fn charge(&mut self, bytes: usize) {
        if self.credit != UNLIMITED {
            let spent = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.credit = self.credit.saturating_sub(spent);
        }
    }

    /// The peer has shown that it receives at its address; the limit is lifted for good.
    pub const fn verify(&mut self) {
        self.credit = UNLIMITED;
    }

    /// Bytes that may be sent now.
    #[must_use]
    pub const fn credit(&self) -> usize {
        self.credit as usize
    }

    /// Whether the limit is lifted.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.credit == UNLIMITED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_times_the_bytes_received_may_be_sent() {
        let mut budget = AmplificationBudget::new();
        assert!(!budget.try_spend(1));
        budget.received(20);
        assert!(budget.try_spend(40));
        assert!(!budget.try_spend(21));
        assert!(budget.try_spend(20));
        assert!(!budget.try_spend(1));
    }

    #[test]
    fn a_verified_peer_has_no_limit() {
        let mut budget = AmplificationBudget::new();
        budget.verify();
        assert!(budget.is_verified());
        budget.received(1);
        assert!(budget.try_spend(usize::MAX));
        assert!(budget.is_verified());
    }

    #[test]
    fn an_answer_takes_from_what_else_may_be_sent() {
        let mut budget = AmplificationBudget::new();
        budget.received(20);
        budget.charge(50);
        assert!(!budget.try_spend(11));
        budget.charge(50);
        assert!(!budget.try_spend(1));
        budget.verify();
        budget.charge(usize::MAX);
        assert!(budget.is_verified());
    }

    #[test]
    fn receiving_never_lifts_the_limit() {
        let mut budget = AmplificationBudget::new();
        budget.received(usize::MAX);
        budget.received(usize::MAX);
        assert!(!budget.is_verified());
        assert!(!budget.try_spend(usize::MAX));
    }

    #[test]
    fn a_budget_costs_four_bytes() {
        assert_eq!(size_of::<AmplificationBudget>(), 4);
    }
}
