//! Transmission parameters and the times derived from them (RFC 7252 §4.8).

/// EXCHANGE_LIFETIME with the default parameters, in seconds: how long a peer must not use a
/// message id again, and so how long a received one is remembered (RFC 7252 §4.8.2, §4.4).
pub const EXCHANGE_LIFETIME_S: u32 = 247;

/// MAX_LATENCY: the longest a datagram is expected to travel (RFC 7252 §4.8.2).
const MAX_LATENCY_MS: u64 = 100_000;

/// How requests are retransmitted and when they are given up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TransmissionParams {
    /// ACK_TIMEOUT: the shortest first wait for an acknowledgement, in milliseconds.
    pub ack_timeout_ms: u32,
    /// ACK_RANDOM_FACTOR in thousandths; the first wait is drawn between ACK_TIMEOUT and
    /// ACK_TIMEOUT times this. Values below 1,000 count as 1,000.
    pub ack_random_factor_permille: u32,
    /// MAX_RETRANSMIT: retransmissions after the first transmission.
    pub max_retransmit: u8,
    /// The longest single wait, in milliseconds, at which doubling stops. Not part of the RFC:
    /// it keeps the wait useful where MAX_RETRANSMIT is set high.
    pub max_ack_timeout_ms: u32,
    /// How long to wait for the response of a request that was acknowledged, or that was sent
    /// as NON, in milliseconds.
    pub response_timeout_ms: u32,
}

impl Default for TransmissionParams {
    /// The values of RFC 7252 §4.8, and a response within 250 s.
    fn default() -> Self {
        Self {
            ack_timeout_ms: 2_000,
            ack_random_factor_permille: 1_500,
            max_retransmit: 4,
            max_ack_timeout_ms: 60_000,
            response_timeout_ms: 250_000,
        }
    }
}

impl TransmissionParams {
    /// MAX_TRANSMIT_SPAN in milliseconds: from the first transmission of a CON to its last.
    #[must_use]
    pub fn max_transmit_span_ms(&self) -> u64 {
        self.longest_waits().take(self.max_retransmit.into()).sum()
    }

    /// MAX_TRANSMIT_WAIT in milliseconds: from the first transmission of a CON to giving up.
    #[must_use]
    pub fn max_transmit_wait_ms(&self) -> u64 {
        self.longest_waits()
            .take(usize::from(self.max_retransmit) + 1)
            .sum()
    }

    /// EXCHANGE_LIFETIME in milliseconds: how long the message id of a CON stays in use.
    #[must_use]
    pub fn exchange_lifetime_ms(&self) -> u64 {
        // PROCESSING_DELAY is set to ACK_TIMEOUT (§4.8.2).
        self.max_transmit_span_ms() + 2 * MAX_LATENCY_MS + u64::from(self.ack_timeout_ms)
    }

    /// NON_LIFETIME in milliseconds: how long the message id of a NON stays in use.
    #[must_use]
    pub fn non_lifetime_ms(&self) -> u64 {
        self.max_transmit_span_ms() + MAX_LATENCY_MS
    }

    /// The first wait: random, so that peers that failed together do not come back together.
    pub(super) fn first_wait_ms(&self, rng: &mut fastrand::Rng) -> u32 {
        let longest = self.longest_first_wait_ms();
        let shortest = self.ack_timeout_ms.min(longest);
        rng.u32(shortest..=longest)
    }

    fn longest_first_wait_ms(&self) -> u32 {
        let factor = u64::from(self.ack_random_factor_permille.max(1_000));
        let longest = u64::from(self.ack_timeout_ms) * factor / 1_000;
        u32::try_from(longest)
            .unwrap_or(u32::MAX)
            .min(self.max_ack_timeout_ms)
    }

    /// The waits of an unanswered CON when the random factor turns out largest.
    fn longest_waits(&self) -> impl Iterator<Item = u64> {
        let cap = u64::from(self.max_ack_timeout_ms);
        let first = u64::from(self.longest_first_wait_ms());
        std::iter::successors(Some(first), move |wait| Some((wait * 2).min(cap)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_parameters_give_the_times_of_the_rfc() {
        let params = TransmissionParams::default();
        assert_eq!(params.max_transmit_span_ms(), 45_000);
        assert_eq!(params.max_transmit_wait_ms(), 93_000);
        assert_eq!(params.exchange_lifetime_ms(), 247_000);
        assert_eq!(params.non_lifetime_ms(), 145_000);
        assert_eq!(
            params.exchange_lifetime_ms(),
            u64::from(EXCHANGE_LIFETIME_S) * 1_000
        );
    }

    #[test]
    fn the_cap_bounds_many_retransmissions() {
        let params = TransmissionParams {
            max_retransmit: 10,
            ..TransmissionParams::default()
        };
        // 3 + 6 + 12 + 24 + 48 + 6 x 60 seconds.
        assert_eq!(params.max_transmit_wait_ms(), 453_000);
    }

    #[test]
    fn the_first_wait_lies_between_timeout_and_timeout_times_factor() {
        let params = TransmissionParams::default();
        let mut rng = fastrand::Rng::with_seed(7);
        let waits: Vec<u32> = (0..2_000).map(|_| params.first_wait_ms(&mut rng)).collect();
        assert!(waits.iter().all(|wait| (2_000..=3_000).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 2_050));
        assert!(waits.iter().any(|wait| *wait > 2_950));
    }

    #[test]
    fn nonsense_parameters_do_not_panic() {
        let params = TransmissionParams {
            ack_timeout_ms: u32::MAX,
            ack_random_factor_permille: u32::MAX,
            max_retransmit: u8::MAX,
            max_ack_timeout_ms: 0,
            response_timeout_ms: 0,
        };
        let mut rng = fastrand::Rng::with_seed(7);
        assert_eq!(params.first_wait_ms(&mut rng), 0);
        assert_eq!(params.max_transmit_wait_ms(), 0);
    }
}
