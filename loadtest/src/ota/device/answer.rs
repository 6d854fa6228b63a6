//! How a device answers its server (LwM2M 1.1 core §6.3).

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::package::Taken;
use super::terms::{Resource, Terms};
use super::{Device, Observation, Output, Peer};
use crate::client::{Path, formats};
use crate::clock::Micros;
use crate::coap::{Message, Parsed, observe_bytes};
use crate::ota::scenario::PackageKind;

/// An answer already given.
pub(super) struct Answered {
    mid: u16,
    bytes: Box<[u8]>,
}

/// An answer that waits for the flash.
pub(super) struct Postponed {
    pub(super) due: Micros,
    /// Of the request.
    request: u16,
    /// Of the answer: a separate one has its own.
    pub(super) mid: u16,
    pub(super) bytes: Vec<u8>,
    separate: bool,
    ready: bool,
}

/// Answers that are remembered: the server has one request under way, and a few may be late.
const REMEMBERED: usize = 4;

struct Answer {
    code: ResponseType,
    block: Option<u32>,
    observing: bool,
    content: Option<(u16, Vec<u8>)>,
    /// It takes the flash its time.
    flash: bool,
}

impl Answer {
    const fn of(code: ResponseType) -> Self {
        Self {
            code,
            block: None,
            observing: false,
            content: None,
            flash: false,
        }
    }
}

/// A Block1 or Block2 option (RFC 7959 §2.2): offset, whether more follows, and the option's exponent.
pub(super) const fn block(option: u32) -> (u64, bool, u32) {
    let exponent = if option & 7 > 6 { 6 } else { option & 7 };
    let offset = (option as u64 >> 4) << (exponent + 4);
    (offset, option & 8 != 0, exponent)
}

impl Device {
    pub(super) fn on_request(
        &mut self,
        terms: &Terms,
        request: &Parsed,
        now: Micros,
        out: &mut Output,
    ) {
        let packet = &request.packet;
        let mid = packet.header.message_id;
        if let Some(known) = self.answered.iter().find(|known| known.mid == mid) {
            return out.messages.push((Peer::Server, known.bytes.to_vec()));
        }
        // What is waited for comes; one that was acknowledged is so again by what is remembered.
        if self
            .postponed
            .as_ref()
            .is_some_and(|one| one.request == mid)
        {
            return;
        }
        let Some(answer) = self.answer(terms, request, now, out) else {
            return;
        };
        let confirmable = packet.header.get_type() == MessageType::Confirmable;
        let late = answer.flash && terms.flash > 0;
        let separate = late && terms.separate && confirmable;
        let (kind, own) = match (confirmable, separate) {
            (true, false) => (MessageType::Acknowledgement, mid),
            (true, true) => (MessageType::Confirmable, self.take_mid()),
            (false, _) => (MessageType::NonConfirmable, self.take_mid()),
        };
        let bytes = encode(kind, own, packet.get_token(), answer);
        if !late {
            return self.reply(mid, bytes, out);
        }
        if separate {
            let (kind, empty) = (MessageType::Acknowledgement, MessageClass::Empty);
            self.reply(mid, Message::new(kind, empty, mid, &[]).encode(), out);
        }
        self.postponed = Some(Box::new(Postponed {
            due: now + terms.flash,
            request: mid,
            mid: own,
            bytes,
            separate,
            ready: false,
        }));
    }

    /// The flash may have done its work.
    pub(super) fn tell_postponed(&mut self, now: Micros, out: &mut Output) {
        let Some(postponed) = self.postponed.take_if(|postponed| postponed.due <= now) else {
            return;
        };
        if postponed.separate {
            self.postponed = Some(Box::new(Postponed {
                due: Micros::MAX,
                ready: true,
                ..*postponed
            }));
        } else {
            self.reply(postponed.request, postponed.bytes, out);
        }
    }

    /// The separate answer that is ready to be sent.
    pub(super) fn take_separate(&mut self) -> Option<Postponed> {
        let ready = self.postponed.take_if(|postponed| postponed.ready);
        ready.map(|postponed| *postponed)
    }

    fn reply(&mut self, mid: u16, bytes: Vec<u8>, out: &mut Output) {
        if self.answered.len() == REMEMBERED {
            self.answered.pop_front();
        }
        let kept = bytes.clone().into();
        self.answered.push_back(Answered { mid, bytes: kept });
        out.messages.push((Peer::Server, bytes));
    }

    /// `None` when the power is gone before there is an answer.
    fn answer(
        &mut self,
        terms: &Terms,
        request: &Parsed,
        now: Micros,
        out: &mut Output,
    ) -> Option<Answer> {
        let packet = &request.packet;
        let Some(path) = path_of(request) else {
            return Some(Answer::of(ResponseType::NotFound));
        };
        let MessageClass::Request(method) = packet.header.code else {
            return None;
        };
        let answer = match method {
            RequestType::Get => self.read(terms, request, path),
            RequestType::Put if packet.payload.is_empty() && has_query(request) => {
                Answer::of(ResponseType::Changed)
            }
            RequestType::Put => return self.write(terms, request, path, now, out),
            RequestType::Post if path.ids() == [19] => Answer::of(ResponseType::Created),
            RequestType::Post => self.execute(terms, path, now),
            _ => Answer::of(ResponseType::MethodNotAllowed),
        };
        self.untold |= self.package.take_changed();
        Some(answer)
    }

    fn read(&mut self, terms: &Terms, request: &Parsed, path: Path) -> Answer {
        let records = terms.records(&path, &self.package);
        if records.is_empty() {
            return Answer::of(ResponseType::NotFound);
        }
        let usual = if path.depth() == 3 {
            formats::TEXT
        } else {
            formats::SENML_CBOR
        };
        let accept = request.uint(CoapOption::Accept);
        let format = accept.map_or(usual, |accept| u16::try_from(accept).unwrap_or(u16::MAX));
        let Ok(payload) = formats::encode(format, &path, &records) else {
            return Answer::of(ResponseType::NotAcceptable);
        };
        let all = Resource::ALL.into_iter();
        let resource = all
            .filter(|_| path.depth() == 3)
            .find(|resource| resource.path(terms.package) == path);
        let observe = request.uint(CoapOption::Observe);
        if let (Some(_), Some(resource)) = (observe, resource) {
            self.observations.retain(|known| known.resource != resource);
        }
        let mut observing = false;
        if let (Some(0), Some(resource)) = (observe, resource) {
            observing = true;
            self.observations.push(Observation {
                token: request.packet.get_token().to_vec(),
                resource,
                sequence: 0,
                last_mid: request.packet.header.message_id,
            });
        }
        Answer {
            observing,
            content: Some((format, payload)),
            ..Answer::of(ResponseType::Content)
        }
    }

    fn write(
        &mut self,
        terms: &Terms,
        request: &Parsed,
        path: Path,
        now: Micros,
        out: &mut Output,
    ) -> Option<Answer> {
        let answer = match (terms.package, path.ids()) {
            (PackageKind::Firmware, [5, 0, 0] | [19, 0, 0] | [19, 0, 0, 0])
            | (PackageKind::Software, [9, 0, 2]) => {
                return self.write_package(terms, request, now, out);
            }
            (PackageKind::Firmware, [5, 0, 1]) | (PackageKind::Software, [9, 0, 3]) => {
                let format = request.uint(CoapOption::ContentFormat).unwrap_or(0);
                let text = std::str::from_utf8(&request.packet.payload);
                match text {
                    Ok(url) if format == u32::from(formats::TEXT) => {
                        self.told_url(terms, url, now, out);
                        Answer::of(ResponseType::Changed)
                    }
                    _ => Answer::of(ResponseType::UnsupportedContentFormat),
                }
            }
            // What object 19 is told of a package is taken.
            (_, [19, ..]) => Answer::of(ResponseType::Changed),
            _ => Answer::of(ResponseType::NotFound),
        };
        self.untold |= self.package.take_changed();
        Some(answer)
    }

    fn write_package(
        &mut self,
        terms: &Terms,
        request: &Parsed,
        now: Micros,
        out: &mut Output,
    ) -> Option<Answer> {
        let payload = &request.packet.payload;
        let option = request.uint(CoapOption::Block1);
        let (offset, more, _) = option.map_or((0, false, 6), block);
        if option.is_none() && (payload.is_empty() || **payload == [0]) {
            self.package.reset();
            self.untold |= self.package.take_changed();
            return Some(Answer::of(ResponseType::Changed));
        }
        let part = (offset, payload.as_slice(), !more);
        let taken = self.package.take(terms, part, now, &mut self.rng, out);
        self.untold |= self.package.take_changed();
        let (code, more) = match taken {
            Taken::More => (ResponseType::Continue, true),
            Taken::Whole => (ResponseType::Changed, false),
            Taken::Missing => (ResponseType::RequestEntityIncomplete, more),
            Taken::Refused if matches!(self.package.result(), 2 | 50) => {
                (ResponseType::RequestEntityTooLarge, more)
            }
            Taken::Refused => (ResponseType::BadRequest, more),
            Taken::Cut => {
                self.lose_power(terms, now, out);
                return None;
            }
        };
        let with_more = |option: u32| option & !8 | u32::from(more) << 3;
        Some(Answer {
            block: option.map(with_more),
            flash: matches!(taken, Taken::More | Taken::Whole),
            ..Answer::of(code)
        })
    }

    fn execute(&mut self, terms: &Terms, path: Path, now: Micros) -> Answer {
        let done = match (terms.package, path.ids()) {
            (kind @ PackageKind::Firmware, [5, 0, 2])
            | (kind @ PackageKind::Software, [9, 0, 4]) => {
                // Ordered once more, it is under way already.
                let begins = self.installed_at == Micros::MAX && self.package.execute(kind);
                if begins {
                    self.installed_at = now + terms.install;
                }
                begins
            }
            (PackageKind::Software, [9, 0, 6]) => {
                self.package.reset();
                true
            }
            (PackageKind::Software, [9, 0, 10]) => self.package.activate(true),
            (PackageKind::Software, [9, 0, 11]) => self.package.activate(false),
            (_, [1, 0, 8]) => true,
            _ => return Answer::of(ResponseType::NotFound),
        };
        Answer::of(if done {
            ResponseType::Changed
        } else {
            ResponseType::MethodNotAllowed
        })
    }
}

fn encode(kind: MessageType, mid: u16, token: &[u8], answer: Answer) -> Vec<u8> {
    let mut message = Message::new(kind, MessageClass::Response(answer.code), mid, token);
    if answer.observing {
        message = message.option(CoapOption::Observe, observe_bytes(0));
    }
    if let Some(option) = answer.block {
        message = message.option(CoapOption::Block1, number(option));
    }
    if let Some((format, payload)) = answer.content {
        message = message.content_format(format).payload(payload);
    }
    message.encode()
}

/// An option's number without leading zeros.
pub(super) fn number(value: u32) -> Vec<u8> {
    let zeros = value.leading_zeros() as usize / 8;
    value.to_be_bytes()[zeros..].to_vec()
}

fn has_query(request: &Parsed) -> bool {
    request.packet.get_option(CoapOption::UriQuery).is_some()
}

fn path_of(request: &Parsed) -> Option<Path> {
    let segments = request.packet.get_option(CoapOption::UriPath);
    let ids = segments
        .into_iter()
        .flatten()
        .map(|segment| std::str::from_utf8(segment).ok()?.parse().ok());
    let ids: Vec<u16> = ids.collect::<Option<_>>()?;
    (ids.len() <= 4).then(|| Path::new(&ids))
}
