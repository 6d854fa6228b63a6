//! Devices that bootstrap: the exchange with the bootstrap server, and the way to the server that they are told.

mod told;
mod wire;

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::Simulation;
use crate::client::blocks::Block;
use crate::client::bootstrap::{Done, unpack};
use crate::client::refusal::Refusal;
use crate::client::request::{Answer, Request};
use crate::clock::{Micros, Ticks};
use crate::coap::{Exchange, Parsed, append};
use crate::device::State;
use crate::engine::calendar::Due;
use crate::engine::outbox::Outbox;
use crate::stats::{Failure, Operation};
use told::{LARGEST_BODY, Told, Way};
use wire::{first_request, piggybacked, with_blocks};

pub use told::Bootstrap;

/// Code 5.03.
const UNAVAILABLE: MessageClass = MessageClass::Response(ResponseType::ServiceUnavailable);
/// Seconds that a device waits after 5.03: what Max-Age says (60 by default, RFC 7252 §5.9.3.4), at most this.
const LONGEST_WAIT_S: u32 = 60;

impl Simulation {
    /// A datagram of the bootstrap server after the device has left it: the Bootstrap-Finish may come again, since its
    /// answer was lost. In a session that was ended it cannot be read any more.
    pub fn receive_from_before(&mut self, index: u32, bytes: &[u8], out: &mut Outbox) {
        let told = self.bootstrap.as_ref().and_then(|b| b.told[index as usize]);
        let (Some(told), Some(message)) = (told, Parsed::from_bytes(bytes)) else {
            return;
        };
        let header = &message.packet.header;
        let is_finish = header.code == MessageClass::Request(RequestType::Post)
            && header.get_type() == MessageType::Confirmable
            && header.message_id == told.finish;
        if is_finish {
            self.stats.counts.duplicates += 1;
            let answer = Answer::of(ResponseType::Changed);
            let message = piggybacked(&message, &answer, None);
            out.put_to_first(index, |arena| append(&message, arena));
        }
    }

    /// A request of the bootstrap server.
    pub(super) fn on_bootstrap_request(
        &mut self,
        index: u32,
        request: &Parsed,
        now: Micros,
        out: &mut Outbox,
    ) {
        let device = &mut self.devices[index as usize];
        let fleet = device.fleet;
        device.exchange.postpone(self.clock.tick(now), &self.timing);
        let deadline = device.exchange.deadline;
        self.calendar.enter(deadline, index, Due::Timeout);
        let Some(bootstrap) = &mut self.bootstrap else {
            return;
        };
        let mid = request.packet.header.message_id;
        let session = bootstrap.session(index);
        if let Some((_, bytes)) = session.answered.as_ref().filter(|(known, _)| *known == mid) {
            self.stats.counts.duplicates += 1;
            self.links
                .put(index, out, |arena| arena.extend_from_slice(bytes));
            return;
        }
        let Some(asked) = Request::from_packet(&request.packet) else {
            return;
        };
        let block = |option| request.uint(option).map(Block::from_number);
        let (block1, block2) = (block(CoapOption::Block1), block(CoapOption::Block2));
        let kept = session.long_answer.as_ref();
        let kept = kept
            .filter(|(path, _)| *path == asked.segments && block2.is_some_and(|b| b.number > 0));
        let mut done = Done::Continues;
        let mut failure = None;
        let answer = match kept {
            Some((_, answer)) => answer.clone(),
            None => {
                let is_finish = asked.segments == ["bs"];
                let whole = bootstrap.put_together(index, asked, block1, now);
                let outcome = whole.and_then(|whole| match whole {
                    None => Ok((Answer::of(ResponseType::Continue), Done::Continues)),
                    Some(whole) => bootstrap.answer(index, fleet, whole),
                });
                match outcome {
                    Ok((answer, result)) => {
                        done = result;
                        answer
                    }
                    Err(refusal) => {
                        failure = is_finish.then_some(Failure::Inconsistent);
                        refusal.into()
                    }
                }
            }
        };
        let mut way = None;
        let mut answer = answer;
        if done == Done::Finished {
            way = bootstrap.first_way(index, out);
            if way.is_none() {
                failure = Some(Failure::Unusable);
                answer = Refusal::not_acceptable("the server cannot be used").into();
            }
        }
        let message = with_blocks(request, &answer, block1, block2, bootstrap.session(index));
        let bytes = message.encode();
        self.links
            .put(index, out, |arena| arena.extend_from_slice(&bytes));
        bootstrap.session(index).answered = Some((mid, bytes));
        if let Some((way, lifetime)) = way {
            bootstrap.told[index as usize] = Some(Told {
                lifetime,
                finish: mid,
            });
            self.go(index, way, out);
            self.answered(index, Operation::Bootstrap, Ok(()), now, out);
        } else if let Some(failure) = failure {
            self.answered(index, Operation::Bootstrap, Err(failure), now, out);
        }
    }

    /// The answer to the Bootstrap-Request, or a part of a pack.
    pub(super) fn on_bootstrap_response(
        &mut self,
        index: u32,
        response: &Parsed,
        now: Micros,
        out: &mut Outbox,
    ) {
        let Some(bootstrap) = &mut self.bootstrap else {
            return;
        };
        let code = response.packet.header.code;
        let outcome = match code {
            UNAVAILABLE => {
                let wait = response.uint(CoapOption::MaxAge).unwrap_or(LONGEST_WAIT_S);
                return self.put_bootstrap_off(index, wait, now);
            }
            MessageClass::Response(ResponseType::Changed) if !bootstrap.settings.pack => {
                let device = &mut self.devices[index as usize];
                device.exchange.postpone(self.clock.tick(now), &self.timing);
                let deadline = device.exchange.deadline;
                return self.calendar.enter(deadline, index, Due::Timeout);
            }
            MessageClass::Response(ResponseType::Content) if bootstrap.settings.pack => {
                let session = bootstrap.session(index);
                let block = response.uint(CoapOption::Block2).map(Block::from_number);
                session.pack.extend_from_slice(&response.packet.payload);
                if let Some(block) = block.filter(|block| block.more) {
                    session.next_block = Some(Block {
                        number: block.number + 1,
                        more: false,
                        ..block
                    });
                    if session.pack.len() <= LARGEST_BODY {
                        return self.ask_again(index, now, out);
                    }
                }
                self.take_pack(index, response, out)
            }
            _ if u8::from(code) >> 5 == 2 => Err(Failure::Unexpected),
            _ => Err(Failure::Code(code.into())),
        };
        self.answered(index, Operation::Bootstrap, outcome, now, out);
    }

    pub(super) fn write_bootstrap_request(&mut self, index: u32, mid: u16, out: &mut Outbox) {
        let device = &self.devices[index as usize];
        let number = self.first + index;
        let fleet = &self.fleets[usize::from(device.fleet)];
        let Some(bootstrap) = &self.bootstrap else {
            return;
        };
        let block = bootstrap.sessions.get(&index).and_then(|s| s.next_block);
        let later = block.map(|block| first_request(bootstrap.settings, fleet, Some(block)));
        let request = later
            .as_ref()
            .unwrap_or(&bootstrap.requests[usize::from(device.fleet)]);
        self.links
            .put(index, out, |arena| fleet.write(request, number, mid, arena));
    }

    /// The bootstrap of device `index` is over.
    pub(super) fn bootstrap_ended(
        &mut self,
        index: u32,
        outcome: Result<(), Failure>,
        tick: Ticks,
        out: &mut Outbox,
    ) {
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.sessions.remove(&index);
        }
        let device = &mut self.devices[index as usize];
        if outcome.is_ok() {
            device.queued.register = true;
            device.queued_since = tick;
        } else {
            device.state = State::Gone;
            self.unsettled -= 1;
            self.links.close(index, out);
        }
    }

    fn go(&mut self, index: u32, (server, key): Way, out: &mut Outbox) {
        self.links.move_on(index, key, out);
        out.go(index, server);
    }

    /// The time-out of device `index` has come; whether it was one that the server had asked for.
    pub(super) fn bootstraps_again(&mut self, index: u32, now: Micros, out: &mut Outbox) -> bool {
        let bootstrap = self.bootstrap.as_mut();
        let session = bootstrap.and_then(|bootstrap| bootstrap.sessions.get_mut(&index));
        let put_off = session.is_some_and(|session| std::mem::take(&mut session.put_off));
        if put_off {
            self.ask_again(index, now, out);
        }
        put_off
    }

    /// The server is too busy: the device asks again after `wait` seconds and up to a quarter more.
    fn put_bootstrap_off(&mut self, index: u32, wait: u32, now: Micros) {
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.session(index).put_off = true;
        }
        self.stats.counts.put_off += 1;
        let millis = u64::from(wait.clamp(1, LONGEST_WAIT_S)) * 1_000;
        let millis = millis + self.rng.u64(..=millis / 4);
        let deadline = self.clock.tick(now) + self.clock.ticks_in_millis(millis);
        self.devices[index as usize].exchange.deadline = deadline;
        self.calendar.enter(deadline, index, Due::Timeout);
    }

    /// Makes the Bootstrap-Request, or that for the next block of a pack, as a new one.
    fn ask_again(&mut self, index: u32, now: Micros, out: &mut Outbox) {
        let tick = self.clock.tick(now);
        let device = &mut self.devices[index as usize];
        let intended = device.exchange.intended;
        let mid = device.take_mid();
        device.exchange = Exchange::start(mid, intended, tick, &self.timing, &mut self.rng);
        self.calendar
            .enter(device.exchange.deadline, index, Due::Timeout);
        self.write_current(index, out);
    }

    fn take_pack(
        &mut self,
        index: u32,
        response: &Parsed,
        out: &mut Outbox,
    ) -> Result<(), Failure> {
        let bootstrap = self.bootstrap.as_mut().ok_or(Failure::Unexpected)?;
        let abilities = bootstrap.abilities.clone();
        let session = bootstrap.session(index);
        let format = response.uint(CoapOption::ContentFormat);
        let pack = Answer::content(
            format.map_or(0, |format| format as u16),
            std::mem::take(&mut session.pack),
        );
        unpack(&mut session.tree, &abilities, &pack).map_err(|_| Failure::Inconsistent)?;
        let (way, lifetime) = bootstrap.first_way(index, out).ok_or(Failure::Unusable)?;
        bootstrap.told[index as usize] = Some(Told {
            lifetime,
            finish: response.packet.header.message_id,
        });
        self.go(index, way, out);
        Ok(())
    }
}
