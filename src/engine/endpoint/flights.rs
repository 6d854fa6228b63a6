//! The requests a device has been sent and not answered.
//!
//! One at a time is outstanding (NSTART 1). One that the device has acknowledged is not any more
//! (RFC 7252 §4.7): it may be set aside, so that a slow answer does not keep others waiting.

use std::collections::VecDeque;

use crate::proto::coap::MessageView;
use crate::proto::coap::exchange::TimerOutcome;
use crate::proto::time::{NEVER, Tick};

use super::exchange::{Flight, Request};

/// Acknowledged requests that are waited for beside the outstanding one.
const MAX_ASIDE: usize = 4;

/// Requests on their way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    outstanding: Option<Box<Flight>>,
    /// Acknowledged.
    aside: Vec<Flight>,
    /// Answered by a block while another request was outstanding: the next block is to be asked for.
    resumed: VecDeque<Request>,
}

/// What became of a request at its deadline.
pub(super) struct Overdue {
    pub(super) request: Request,
    /// Whether the device had acknowledged it.
    pub(super) acknowledged: bool,
    /// Whether it was given up by the protocol, and not by an impatient caller.
    pub(super) exhausted: bool,
}

impl Flights {
    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        usize::from(self.outstanding.is_some()) + self.aside.len() + self.resumed.len()
    }

    /// Whether a request may be sent. One that the device has acknowledged gives way.
    pub(super) fn makes_way(&mut self) -> bool {
        let acknowledged = |flight: &mut Box<Flight>| flight.exchange.is_acknowledged();
        if self.aside.len() < MAX_ASIDE {
            let flight = self.outstanding.take_if(acknowledged);
            self.aside.extend(flight.map(|flight| *flight));
        }
        self.outstanding.is_none()
    }

    /// A request has been sent.
    pub(super) fn launch(&mut self, flight: Flight) {
        self.outstanding = Some(Box::new(flight));
    }

    /// Whether a request is outstanding.
    pub(super) fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Whether the outstanding request has been sent again: the device may not be there.
    pub(super) fn is_doubtful(&self) -> bool {
        let outstanding = self.outstanding.as_ref();
        outstanding.is_some_and(|flight| flight.exchange.retransmissions() > 0)
    }

    /// Asks for the next block of a request when nothing is outstanding any more.
    pub(super) fn resume(&mut self, request: Request) {
        self.resumed.push_back(request);
    }

    /// Whether the next block of a request is to be asked for.
    pub(super) fn is_resuming(&self) -> bool {
        !self.resumed.is_empty()
    }

    /// A request whose next block is to be asked for.
    pub(super) fn next_resumed(&mut self) -> Option<Request> {
        self.resumed.pop_front()
    }

    /// The request that a message answers.
    pub(super) fn take_answered(&mut self, view: &MessageView<'_>) -> Option<Request> {
        self.take_flight(|flight| flight.is_answered_by(view))
    }

    /// The request that a reset is for.
    pub(super) fn take_reset(&mut self, mid: u16) -> Option<Request> {
        self.take_flight(|flight| flight.exchange.on_reset(mid))
    }

    /// An acknowledgement arrived; `false` when it is for none of the requests.
    pub(super) fn acknowledge(&mut self, mid: u16, now: Tick) -> bool {
        let outstanding = self.outstanding.as_mut();
        outstanding.is_some_and(|flight| flight.exchange.on_ack(mid, now))
    }

    /// Takes a request out.
    pub(super) fn take_if(&mut self, wanted: impl Fn(&Request) -> bool) -> Option<Request> {
        let at = self.resumed.iter().position(&wanted);
        let resumed = at.and_then(|at| self.resumed.remove(at));
        resumed.or_else(|| self.take_flight(|flight| wanted(&flight.request)))
    }

    /// All requests, the outstanding one first.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        let flights = self
            .outstanding
            .iter()
            .map(|flight| &**flight)
            .chain(&self.aside);
        flights.map(|flight| &flight.request).chain(&self.resumed)
    }

    /// When one of them wants a timer.
    pub(super) fn deadline(&self) -> Tick {
        let flights = self
            .outstanding
            .iter()
            .map(|flight| &**flight)
            .chain(&self.aside);
        flights
            .map(|flight| flight.deadline())
            .fold(NEVER, Tick::min)
    }

    /// Message id of the outstanding request.
    pub(super) fn awaited_mid(&self) -> Option<u16> {
        self.outstanding
            .as_ref()
            .map(|flight| flight.exchange.mid())
    }

    /// Deadlines may have passed: hands out what is to be sent again, and a request that is over.
    pub(super) fn on_timer(
        &mut self,
        now: Tick,
        mut send_again: impl FnMut(&[u8]),
    ) -> Option<Overdue> {
        let mut over = |flight: &mut Flight| match flight.exchange.on_timer(now) {
            TimerOutcome::TimedOut { acknowledged } => Some((acknowledged, true)),
            outcome => {
                if outcome == TimerOutcome::Retransmit {
                    send_again(flight.exchange.message());
                }
                let impatient = flight.deadline() <= now;
                impatient.then(|| (flight.exchange.is_acknowledged(), false))
            }
        };
        let mut found = None;
        let flight = self.take_flight_mut(|flight| {
            found = over(flight);
            found.is_some()
        })?;
        let (acknowledged, exhausted) = found?;
        Some(Overdue {
            request: flight.request,
            acknowledged,
            exhausted,
        })
    }

    fn take_flight(&mut self, wanted: impl Fn(&Flight) -> bool) -> Option<Request> {
        let flight = self.take_flight_mut(|flight| wanted(flight))?;
        Some(flight.request)
    }

    fn take_flight_mut(&mut self, mut wanted: impl FnMut(&mut Flight) -> bool) -> Option<Flight> {
        if let Some(flight) = self.outstanding.take_if(|flight| wanted(flight)) {
            return Some(*flight);
        }
        let at = self.aside.iter_mut().position(wanted)?;
        Some(self.aside.remove(at))
    }
}
