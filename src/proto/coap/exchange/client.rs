//! One request we sent, until its response arrives or it is given up.

use super::super::message::{Header, MessageType, MessageView};
use super::params::TransmissionParams;
use crate::proto::time::Tick;

#[cfg(test)]
mod tests;

/// The client's side of one request (RFC 7252 §4.2, §4.3, §5.2).
///
/// It holds the encoded message for retransmission and one deadline. It ends when
/// [`accepts`](Self::accepts) a response, [`on_reset`](Self::on_reset) is `true` or
/// [`on_timer`](Self::on_timer) gives up; the owner then drops it.
#[derive(Clone, Debug)]
pub struct Exchange {
    message: Box<[u8]>,
    deadline: Tick,
    /// The current wait for an acknowledgement.
    wait_ms: u32,
    max_ack_timeout_ms: u32,
    response_timeout_ms: u32,
    max_retransmit: u8,
    retransmissions: u8,
    state: State,
}

/// What the exchange waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// CON: for an acknowledgement or the response.
    Unacknowledged,
    /// CON: for the separate response.
    Acknowledged,
    /// NON: for the response.
    NonConfirmable,
}

/// What to do when an exchange's deadline has passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimerOutcome {
    /// Send [`Exchange::message`] again.
    Retransmit,
    /// Give up.
    TimedOut {
        /// Whether the peer had acknowledged the request, so that only its response is missing.
        acknowledged: bool,
    },
    /// Nothing: the deadline lies ahead.
    Wait,
}

/// Whether a message is the response to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Matched {
    /// It is not.
    No,
    /// It is, and it acknowledges the request as well.
    Piggybacked,
    /// It is, as a message of its own: when that is a CON, the caller acknowledges it.
    Separate,
}

impl Exchange {
    /// A request that the caller sends now. `message` is the whole encoded CON or NON request.
    #[must_use]
    pub fn new(
        message: Box<[u8]>,
        now: Tick,
        params: &TransmissionParams,
        rng: &mut fastrand::Rng,
    ) -> Self {
        debug_assert!(
            MessageView::parse(&message).is_ok_and(|view| view.code().is_request()),
            "not a request"
        );
        let confirmable =
            Header::peek(&message).is_some_and(|header| header.kind == MessageType::Confirmable);
        let (state, wait_ms) = if confirmable {
            (State::Unacknowledged, params.first_wait_ms(rng))
        } else {
            (State::NonConfirmable, params.response_timeout_ms)
        };
        Self {
            message,
            deadline: now.plus_millis(wait_ms.into()),
            wait_ms,
            max_ack_timeout_ms: params.max_ack_timeout_ms,
            response_timeout_ms: params.response_timeout_ms,
            max_retransmit: params.max_retransmit,
            retransmissions: 0,
            state,
        }
    }

    /// The encoded request.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Message id of the request, the same for every transmission.
    #[must_use]
    pub fn mid(&self) -> u16 {
        Header::peek(&self.message).map_or(0, |header| header.mid)
    }

    /// Token of the request.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        let length = self.message.first().map_or(0, |first| first & 0x0f);
        self.message
            .get(4..4 + usize::from(length))
            .unwrap_or_default()
    }

    /// When [`on_timer`](Self::on_timer) has something to do.
    #[must_use]
    pub const fn deadline(&self) -> Tick {
        self.deadline
    }

    /// How often the request was sent again.
    #[must_use]
    pub const fn retransmissions(&self) -> u8 {
        self.retransmissions
    }

    /// Whether the peer has acknowledged the request with an empty message.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.state == State::Acknowledged
    }

    /// To be called at or after the deadline: doubles the wait and asks for a retransmission, up
    /// to MAX_RETRANSMIT times, then gives up (RFC 7252 §4.2).
    pub fn on_timer(&mut self, now: Tick) -> TimerOutcome {
        if now < self.deadline {
            return TimerOutcome::Wait;
        }
        match self.state {
            State::Unacknowledged if self.retransmissions < self.max_retransmit => {
                self.retransmissions += 1;
                self.wait_ms = self.wait_ms.saturating_mul(2).min(self.max_ack_timeout_ms);
                self.deadline = now.plus_millis(self.wait_ms.into());
                TimerOutcome::Retransmit
            }
            State::Unacknowledged | State::NonConfirmable => TimerOutcome::TimedOut {
                acknowledged: false,
            },
            State::Acknowledged => TimerOutcome::TimedOut { acknowledged: true },
        }
    }

    /// An empty ACK arrived: the exchange stops retransmitting and waits for the separate
    /// response (RFC 7252 §5.2.2).
    ///
    /// `false` when the ACK is not for this exchange; it is then ignored.
    pub fn on_ack(&mut self, mid: u16, now: Tick) -> bool {
        if self.state == State::NonConfirmable || mid != self.mid() {
            return false;
        }
        if self.state == State::Unacknowledged {
            self.state = State::Acknowledged;
            self.deadline = now.plus_millis(self.response_timeout_ms.into());
        }
        true
    }

    /// A RST arrived. `true` when it is for this exchange, which is then over: the peer could
    /// not process the request (RFC 7252 §4.2, §4.3).
    #[must_use]
    pub fn on_reset(&self, mid: u16) -> bool {
        mid == self.mid()
    }

    /// Whether a message of the same peer is the response to this request (RFC 7252 §5.3.2).
    ///
    /// A piggybacked response must carry message id and token, a separate one the token. A
    /// separate response may come before the ACK, which is then superfluous.
    #[must_use]
    pub fn accepts(&self, view: &MessageView<'_>) -> Matched {
        if !view.code().is_response() || view.token() != self.token() {
            return Matched::No;
        }
        match view.kind() {
            MessageType::Confirmable | MessageType::NonConfirmable => Matched::Separate,
            MessageType::Acknowledgement
                if self.state != State::NonConfirmable && view.mid() == self.mid() =>
            {
                Matched::Piggybacked
            }
            MessageType::Acknowledgement | MessageType::Reset => Matched::No,
        }
    }
}
