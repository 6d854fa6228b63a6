//! Observations: starting and ending them, and when a change is worth a notification.

use std::collections::VecDeque;

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::attributes::{Attributes, parse_change};
use super::device::Device;
use super::event::Event;
use super::exchange::Flight;
use super::operations::{Reading, observed, read};
use super::options::Version;
use super::path::Path;
use super::refusal::Refusal;
use super::request::{Answer, Request};
use super::tree::{Record, Tree};
use super::value::Value;
use crate::coap::{Message, observe_bytes};

/// Observations of one device; above it a GET is answered without observing (RFC 7641, section 4.1).
const OBSERVATIONS: usize = 256;
/// Notifications of which a Reset is understood.
const REMEMBERED_MIDS: usize = 32;

/// One observation.
pub struct Observation {
    token: Vec<u8>,
    reading: Reading,
    /// The request, by which later blocks of a long notification are fetched.
    request: Request,
    /// From the query of a 1.2 Observe.
    attributes: Attributes,
    sequence: u32,
    /// What the server knows.
    told: Vec<Record>,
    told_at: u64,
    looked_at: u64,
    mids: VecDeque<u16>,
    /// When to look again.
    pub(super) next_look: u64,
}

/// The periods of an observation, in milliseconds.
struct Periods {
    least: u64,
    most: Option<u64>,
    evaluation: u64,
}

impl Device {
    /// Starts an observation.
    ///
    /// # Errors
    ///
    /// What a Read of the same paths would be refused with; 4.00 for attributes in the query that cannot be.
    pub(super) fn observe(&mut self, request: &Request, now: u64) -> Result<Answer, Refusal> {
        let mut attributes = Attributes::default();
        for parameter in &request.query {
            if self.options.version != Version::V1_2 {
                return Err(Refusal::bad_option(
                    "attributes in an Observe came with LwM2M 1.2",
                ));
            }
            attributes.apply(parse_change(parameter, self.options.version)?);
        }
        attributes.check()?;
        if request.method == RequestType::Fetch
            && (!request.segments.is_empty() || self.options.version == Version::V1_0)
        {
            return Err(Refusal::bad_option(
                "a composite operation is addressed to the root",
            ));
        }
        let (reading, mut answer) = read(&self.tree, &self.abilities, request)?;
        self.observations
            .retain(|known| known.token != request.token);
        if self.observations.len() == OBSERVATIONS {
            return Ok(answer);
        }
        let told = observed(&self.tree, &reading.paths, reading.composite)?;
        answer.observe = Some(0);
        self.observations.push(Observation {
            token: request.token.clone(),
            request: Request {
                observe: None,
                ..request.clone()
            },
            reading,
            attributes,
            sequence: 0,
            told,
            told_at: now,
            looked_at: now,
            mids: VecDeque::new(),
            next_look: now,
        });
        self.dirty = true;
        Ok(answer)
    }

    /// Ends an observation by Observe=1: that with the same token, else that of the same paths.
    ///
    /// # Errors
    ///
    /// What a Read of the same paths would be refused with; 4.02 when it repeats attributes.
    pub(super) fn cancel_observe(&mut self, request: &Request) -> Result<Answer, Refusal> {
        if !request.query.is_empty() {
            return Err(Refusal::bad_option("a cancellation takes no attributes"));
        }
        let (reading, answer) = read(&self.tree, &self.abilities, request)?;
        let found = self
            .observations
            .iter()
            .position(|known| known.token == request.token)
            .or_else(|| {
                self.observations.iter().position(|known| {
                    known.reading.composite == reading.composite
                        && known.reading.paths == reading.paths
                })
            });
        if let Some(at) = found {
            self.end_observation(at);
        }
        Ok(answer)
    }

    /// Ends the observation that a notification was sent for; `false` when there is none.
    pub(super) fn cancel_by_reset(&mut self, mid: u16) -> bool {
        self.own.drop_notification(mid);
        let found = self
            .observations
            .iter()
            .position(|known| known.mids.contains(&mid));
        found.into_iter().for_each(|at| self.end_observation(at));
        found.is_some()
    }

    /// The paths of the live observations.
    #[must_use]
    pub fn observed_paths(&self) -> Vec<String> {
        self.observations
            .iter()
            .map(|known| names(&known.reading.paths))
            .collect()
    }

    /// Looks at the observations whose time has come, at all of them after a change.
    pub(super) fn notify_changes(&mut self, now: u64) {
        let dirty = std::mem::take(&mut self.dirty);
        let mut at = 0;
        while at < self.observations.len() {
            if (dirty || self.observations[at].next_look <= now) && !self.look(at, now) {
                self.end_observation(at);
            } else {
                at += 1;
            }
        }
    }

    fn end_observation(&mut self, at: usize) {
        let ended = self.observations.remove(at);
        self.tell(Event::Cancelled {
            paths: names(&ended.reading.paths),
        });
    }

    /// Notifies if it is time; `false` when the observation has ended.
    fn look(&mut self, at: usize, now: u64) -> bool {
        let known = &self.observations[at];
        let reading = &known.reading;
        let attributes = effective(&self.tree, known);
        let periods = self.periods(&attributes);
        let records = match observed(&self.tree, &reading.paths, reading.composite) {
            Ok(records) => records,
            Err(refusal) => {
                self.notify(at, refusal.into(), now);
                return false;
            }
        };
        let evaluates = now >= known.looked_at + periods.evaluation;
        let changed = evaluates && is_significant(&known.told, &records, &attributes);
        let earliest = known.told_at + periods.least;
        let latest = periods.most.map(|most| known.told_at + most);
        let due = changed && now >= earliest || latest.is_some_and(|latest| now >= latest);
        if due {
            match reading.payload(&records) {
                Ok(payload) => {
                    let format = reading.format;
                    self.notify(at, Answer::content(format, payload), now);
                }
                Err(refusal) => {
                    self.notify(at, refusal.into(), now);
                    return false;
                }
            }
        }
        let known = &mut self.observations[at];
        if due {
            known.told = records;
        }
        if evaluates {
            known.looked_at = now;
        }
        let latest = periods.most.map(|most| known.told_at + most);
        let pending = changed && !due;
        let again = [
            pending.then_some(earliest),
            (!evaluates).then_some(known.looked_at + periods.evaluation),
            latest,
        ];
        known.next_look = again.into_iter().flatten().min().unwrap_or(u64::MAX);
        true
    }

    fn notify(&mut self, at: usize, answer: Answer, now: u64) {
        let mid = self.take_mid();
        let every = self.options.confirmable_every;
        let wants_confirmation = self.confirmable_by_attribute(at);
        let known = &mut self.observations[at];
        known.sequence += 1;
        known.told_at = now;
        known.mids.push_back(mid);
        if known.mids.len() > REMEMBERED_MIDS {
            known.mids.pop_front();
        }
        let confirmable = wants_confirmation || (every > 0 && known.sequence.is_multiple_of(every));
        let kind = if confirmable {
            MessageType::Confirmable
        } else {
            MessageType::NonConfirmable
        };
        let code = MessageClass::Response(answer.code);
        let mut message = Message::new(kind, code, mid, &known.token);
        if answer.code == ResponseType::Content {
            message = message.option(CoapOption::Observe, observe_bytes(known.sequence));
        }
        if let Some(format) = answer.format {
            message = message.content_format(format);
        }
        let event = Event::Notified {
            paths: names(&known.reading.paths),
            sequence: known.sequence,
        };
        let request = known.request.clone();
        let (message, payload) = self.first_block(message, &request, answer, None, now);
        let bytes = message.payload(payload).encode();
        self.stay_awake(now);
        self.counters.notifications += 1;
        self.tell(event);
        if confirmable {
            let flight = Flight::new(mid, bytes.clone(), now, &mut self.rng);
            self.own.notify(flight);
        }
        self.push_out(bytes);
    }

    /// The attribute `con`, else the Default Notification Mode of the Server object (LwM2M 1.2).
    fn confirmable_by_attribute(&self, at: usize) -> bool {
        let stated = effective(&self.tree, &self.observations[at]).get("con");
        let by_default = || self.value("/1/0/26").and_then(|mode| mode.as_number());
        stated.or_else(by_default) == Some(1.0)
    }

    fn periods(&self, attributes: &Attributes) -> Periods {
        let server = |path| self.value(path).and_then(|value| value.as_number());
        let millis = |seconds: f64| millis(seconds);
        let least = attributes
            .get("pmin")
            .or_else(|| server("/1/0/2"))
            .unwrap_or(0.0);
        let most = attributes.get("pmax").or_else(|| server("/1/0/3"));
        Periods {
            least: millis(least),
            // One that is not above pmin does not count, nor does 0 (OMA LwM2M Core, "Attributes").
            most: most.filter(|&most| most > 0.0 && most >= least).map(millis),
            evaluation: millis(attributes.get("epmin").unwrap_or(0.0)),
        }
    }
}

/// The attributes in force: of the request, the path, and what it is in.
fn effective(tree: &Tree, known: &Observation) -> Attributes {
    let mut attributes = known.attributes.clone();
    if let [path] = known.reading.paths.as_slice()
        && !known.reading.composite
    {
        for depth in (1..=path.depth()).rev() {
            attributes = attributes.inheriting(tree.attributes.get(&path.ancestor(depth)));
        }
    }
    attributes
}

/// Whether a change is one that the attributes let through.
fn is_significant(before: &[Record], now: &[Record], attributes: &Attributes) -> bool {
    if before == now {
        return false;
    }
    let (
        [
            Record {
                value: Some(old), ..
            },
        ],
        [
            Record {
                value: Some(new), ..
            },
        ],
    ) = (before, now)
    else {
        return true;
    };
    if let (Value::Boolean(_), Value::Boolean(new)) = (old, new) {
        return attributes
            .get("edge")
            .is_none_or(|edge| (edge == 1.0) == *new);
    }
    let (Some(old), Some(new)) = (old.as_number(), new.as_number()) else {
        return true;
    };
    let crosses = |limit: f64| (old <= limit) != (new <= limit);
    let conditions = [
        attributes.get("gt").map(crosses),
        attributes
            .get("lt")
            .map(|limit| (old < limit) != (new < limit)),
        attributes.get("st").map(|step| (new - old).abs() >= step),
    ];
    conditions.iter().all(Option::is_none) || conditions.contains(&Some(true))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "periods are not negative, and a float saturates"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1_000.0).min(1e15) as u64
}

fn names(paths: &[Path]) -> String {
    let names: Vec<String> = paths.iter().map(Path::to_string).collect();
    names.join(", ")
}
