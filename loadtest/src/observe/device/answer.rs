//! How a device of the benchmark answers its server (LwM2M 1.1 core §6.3, §6.4).

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::{Device, Kind, Observation, Outcome, Periods, Resources};
use crate::client::{Path, formats};
use crate::clock::Micros;
use crate::coap::{Message, Parsed, observe_bytes};

/// An answer on its way: code, and for 2.05 what it carries.
struct Answer {
    code: ResponseType,
    observing: bool,
    format: u16,
    payload: Vec<u8>,
    told: Resources,
}

impl Answer {
    const fn of(code: ResponseType) -> Self {
        Self {
            code,
            observing: false,
            format: 0,
            payload: Vec::new(),
            told: 0,
        }
    }
}

impl Device {
    /// Every request is idempotent, so one that comes again is simply met again.
    pub(super) fn answer(&mut self, kind: &Kind, request: &Parsed, now: Micros) -> Outcome {
        let packet = &request.packet;
        let answer = match packet.header.code {
            MessageClass::Request(RequestType::Get) => self.read(kind, request, now),
            MessageClass::Request(RequestType::Fetch) => self.read_composite(kind, request, now),
            MessageClass::Request(RequestType::Put) if packet.payload.is_empty() => {
                self.write_attributes(kind, request)
            }
            _ => Answer::of(ResponseType::MethodNotAllowed),
        };
        let (message_kind, mid) = match packet.header.get_type() {
            MessageType::Confirmable => (MessageType::Acknowledgement, packet.header.message_id),
            _ => (MessageType::NonConfirmable, self.take_mid()),
        };
        let code = MessageClass::Response(answer.code);
        let mut message = Message::new(message_kind, code, mid, packet.get_token());
        if answer.observing {
            message = message.option(CoapOption::Observe, observe_bytes(0));
        }
        if answer.code == ResponseType::Content {
            message = message
                .content_format(answer.format)
                .payload(answer.payload);
        }
        Outcome {
            reply: Some(message.encode()),
            told: answer.told,
            refused: !matches!(answer.code, ResponseType::Content | ResponseType::Changed),
        }
    }

    fn read(&mut self, kind: &Kind, request: &Parsed, now: Micros) -> Answer {
        let Some(path) = path_of(request).filter(|path| kind.covered(&[*path]) != 0) else {
            return Answer::of(ResponseType::NotFound);
        };
        let usual = if path.depth() == 3 {
            formats::TEXT
        } else {
            kind.composite_format
        };
        let format = accepted(request, usual);
        self.content(kind, request, format, false, vec![path], now)
    }

    fn read_composite(&mut self, kind: &Kind, request: &Parsed, now: Micros) -> Answer {
        let payload = &request.packet.payload;
        let format = request
            .uint(CoapOption::ContentFormat)
            .map_or(kind.composite_format, |format| format as u16);
        let Ok(paths) = formats::decode_paths(format, payload) else {
            return Answer::of(ResponseType::UnsupportedContentFormat);
        };
        if kind.covered(&paths) == 0 {
            return Answer::of(ResponseType::NotFound);
        }
        let format = accepted(request, kind.composite_format);
        self.content(kind, request, format, true, paths, now)
    }

    fn content(
        &mut self,
        kind: &Kind,
        request: &Parsed,
        format: u16,
        composite: bool,
        paths: Vec<Path>,
        now: Micros,
    ) -> Answer {
        let spoken = matches!(
            format,
            formats::TEXT | formats::SENML_JSON | formats::SENML_CBOR
        );
        let payload = spoken
            .then(|| self.payload(kind, format, composite, &paths))
            .flatten();
        let Some(payload) = payload else {
            return Answer::of(ResponseType::NotAcceptable);
        };
        let resources = kind.covered(&paths);
        let token = request.packet.get_token();
        let observe = request.uint(CoapOption::Observe);
        if observe.is_some() {
            self.observations
                .retain(|known| known.token != token && known.paths != paths);
        }
        if observe == Some(0) {
            self.observations.push(Observation {
                token: token.to_vec(),
                paths,
                resources,
                format,
                composite,
                sequence: 0,
                told_at: now,
                changed: false,
                last_mid: request.packet.header.message_id,
            });
        }
        self.covered |= resources;
        Answer {
            code: ResponseType::Content,
            observing: observe == Some(0),
            format,
            payload,
            told: resources,
        }
    }

    /// pmin and pmax of every resource at or below the path; other attributes have no effect here.
    fn write_attributes(&mut self, kind: &Kind, request: &Parsed) -> Answer {
        let path = path_of(request);
        let covered = path.map_or(0, |path| kind.covered(&[path]));
        if covered == 0 {
            return Answer::of(ResponseType::NotFound);
        }
        let queries = request.packet.get_option(CoapOption::UriQuery);
        for query in queries.into_iter().flatten() {
            let Ok(query) = std::str::from_utf8(query) else {
                return Answer::of(ResponseType::BadRequest);
            };
            let (name, value) = query.split_once('=').unwrap_or((query, ""));
            let Some(set) = setter(name) else { continue };
            let seconds = if value.is_empty() {
                None
            } else if let Ok(seconds) = value.parse() {
                Some(seconds)
            } else {
                return Answer::of(ResponseType::BadRequest);
            };
            let periods = self.periods.iter_mut().enumerate();
            periods
                .filter(|(resource, _)| covered & 1 << resource != 0)
                .for_each(|(_, periods)| set(periods, seconds));
        }
        Answer::of(ResponseType::Changed)
    }
}

fn setter(name: &str) -> Option<fn(&mut Periods, Option<u32>)> {
    match name {
        "pmin" => Some(|periods, seconds| periods.least = seconds),
        "pmax" => Some(|periods, seconds| periods.most = seconds),
        _ => None,
    }
}

/// What the server accepts, or else the usual format.
fn accepted(request: &Parsed, usual: u16) -> u16 {
    let accept = request.uint(CoapOption::Accept);
    accept.map_or(usual, |format| u16::try_from(format).unwrap_or(u16::MAX))
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
