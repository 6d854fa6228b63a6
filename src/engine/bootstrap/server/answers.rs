//! Requests of devices, and what they are answered.

use super::*;
use crate::proto::coap::exchange::EXCHANGE_LIFETIME_S;

/// Requests that are remembered; the oldest give way.
const MAX_RECENT: usize = 8_192;

/// Longest answer that is remembered, in bytes.
const MAX_REMEMBERED: usize = 256;

/// Requests of a short time ago, so that a repetition is answered as before (RFC 7252 §4.5).
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: HashMap<Asking, Option<Box<[u8]>>>,
    order: VecDeque<(Tick, Asking)>,
}

/// Tells a request from others: message ids of devices that begin anew may repeat, tokens hardly.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Asking {
    peer: Peer,
    mid: u16,
    token: [u8; 8],
}

impl Asking {
    pub(super) fn of(peer: Peer, view: &MessageView<'_>) -> Self {
        let mut token = [0; 8];
        let length = view.token().len().min(8);
        token[..length].copy_from_slice(&view.token()[..length]);
        let mid = view.mid();
        Self { peer, mid, token }
    }
}

impl Recent {
    fn begin(&mut self, asking: Asking, now: Tick) {
        if self.order.len() >= MAX_RECENT
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(asking, None);
        self.order.push_back((now, asking));
    }

    fn answered(&mut self, asking: &Asking, answer: &[u8]) {
        if let Some(known) = self.known.get_mut(asking)
            && answer.len() <= MAX_REMEMBERED
        {
            *known = Some(answer.into());
        }
    }

    pub(super) fn expire(&mut self, now: Tick) {
        while let Some((at, asking)) = self.order.front()
            && now.millis_since(*at) > u64::from(EXCHANGE_LIFETIME_S) * 1_000
        {
            self.known.remove(asking);
            self.order.pop_front();
        }
    }
}

/// A request that has passed for one of a device's.
struct Wanted {
    endpoint: Arc<str>,
    format: u16,
    additional: Vec<(Box<str>, Box<str>)>,
}

impl BootstrapServer {
    pub(super) fn on_request(
        &mut self,
        view: &MessageView<'_>,
        from: Caller,
        owner: Option<&Arc<str>>,
    ) {
        if let Some(number) = view.unrecognised_critical(&KNOWN_CRITICAL) {
            self.metrics.reject(Rejection::BadOption);
            let text =
                format!("critical option {number} is unknown, repeated or of a wrong length");
            return self.reply(view, from, &Reply::refusal(Code::BAD_OPTION, &text));
        }
        let mut path = view.uri_path();
        match (view.code(), [path.next(), path.next()]) {
            (Code::POST, [Some(b"bs"), None]) => self.on_wanted(view, from, owner, false),
            (Code::GET, [Some(b"bspack"), None]) => {
                if !self.serve_pack(view, from) {
                    self.on_wanted(view, from, owner, true);
                }
            }
            (_, [Some(b"bs" | b"bspack"), None]) => {
                self.metrics.reject(Rejection::MethodNotAllowed);
                let text = "accepted: POST /bs, GET /bspack";
                self.reply(view, from, &Reply::refusal(Code::METHOD_NOT_ALLOWED, text));
            }
            _ => {
                self.metrics.reject(Rejection::NotFound);
                let text = "no such resource; there are /bs and /bspack";
                self.reply(view, from, &Reply::refusal(Code::NOT_FOUND, text));
            }
        }
    }

    /// A device wants its configuration.
    fn on_wanted(
        &mut self,
        view: &MessageView<'_>,
        from: Caller,
        owner: Option<&Arc<str>>,
        is_pack: bool,
    ) {
        let asking = Asking::of(from.peer, view);
        match self.recent.known.get(&asking) {
            // Its answer is on the way.
            Some(None) => return self.metrics.duplicates.add(1),
            Some(Some(answer)) => {
                self.metrics.duplicates.add(1);
                let start = self.arena.len();
                self.arena.extend_from_slice(answer);
                let bytes = start..self.arena.len();
                return self.post(from, bytes);
            }
            None => {}
        }
        self.recent.begin(asking, self.now.tick);
        let wanted = match read(view, owner, is_pack) {
            Ok(wanted) => wanted,
            Err((refusal, code, text)) => {
                self.metrics.reject(match refusal {
                    Refusal::Unauthorized => Rejection::Forbidden,
                    _ => Rejection::BadRequest,
                });
                self.metrics.bootstrap.refused(refusal);
                return self.reply(view, from, &Reply::refusal(code, &text));
            }
        };
        if self.table.len() >= MAX_SESSIONS {
            self.metrics.reject(Rejection::Full);
            return self.refuse(view, from, Refusal::Busy);
        }
        if !self.newcomers.admit(&from.address, self.now.tick) {
            self.metrics.reject(Rejection::RegisterRate);
            return self.refuse(view, from, Refusal::Busy);
        }
        let state = State::Waiting {
            request: view.as_bytes().into(),
            is_pack,
            format: wanted.format,
        };
        let endpoint = wanted.endpoint;
        let wakes = self.now.tick.plus_millis(ASK_MILLIS);
        let number = self.table.insert(Arc::clone(&endpoint), from, state, wakes);
        let asked = Asked {
            ticket: self.ticket(number),
            endpoint,
            security: from.peer.security(),
            address: SocketAddr::from(from.address),
            is_pack,
            additional: wanted.additional,
        };
        if !self.shared.bootstrap.tell(Told::Asked(Box::new(asked))) {
            self.metrics.bootstrap.untold.add(1);
            self.table.remove(number);
            self.refuse(view, from, Refusal::Busy);
        }
    }

    /// Answers with another block of a pack that is being fetched; `false` when there is none.
    fn serve_pack(&mut self, view: &MessageView<'_>, from: Caller) -> bool {
        let number = self.table.at_peer(&from.peer).find_map(|(number, entry)| {
            matches!(entry.state, State::Pack { .. }).then_some(number)
        });
        let goes_on = view
            .block2()
            .is_some_and(|block| block.is_ok_and(|block| block.num() > 0));
        match number {
            Some(number) if goes_on => self.send_pack(number, view, from),
            Some(number) => {
                self.over(number, End::Superseded);
                return false;
            }
            None => return false,
        }
        true
    }

    /// Answers with the pack, or the block of it that is asked for. To a peer that may not be where it
    /// says, blocks are so small that nothing is amplified.
    pub(super) fn send_pack(&mut self, number: u32, view: &MessageView<'_>, from: Caller) {
        let Some(entry) = self.table.get_mut(number) else {
            return;
        };
        let State::Pack { body, format } = &entry.state else {
            return;
        };
        let szx = match from.peer {
            Peer::Secured(_) => LARGEST_BLOCK,
            Peer::Plain(_) => {
                let room = (3 * view.as_bytes().len()).saturating_sub(OVERHEAD);
                let fits = |szx: &u8| 16 << szx <= room;
                (0..=LARGEST_BLOCK).rev().find(fits).unwrap_or_default()
            }
        };
        let asked = view.block2().and_then(Result::ok);
        let first = BlockValue::FIRST.with_szx_at_most(szx);
        let wanted = asked.unwrap_or(first);
        let whole = asked.is_none() && body.len() <= first.size();
        let part = if whole {
            Some((None, body.as_slice()))
        } else {
            slice(body, wanted, szx).map(|(block, payload)| (Some(block), payload))
        };
        let mut is_last = false;
        let mut message = Vec::new();
        let reply = match part {
            Some((block2, payload)) => {
                is_last = block2.is_none_or(|block| !block.more());
                Reply {
                    content_format: Some(*format),
                    block2,
                    payload,
                    ..Reply::code(Code::CONTENT)
                }
            }
            None => Reply::refusal(Code::BAD_REQUEST, "there is no such block"),
        };
        self.next_mid = self.next_mid.wrapping_add(1);
        reply.write(view, self.next_mid, &mut message);
        self.send(view, from, &message);
        if is_last {
            self.over(number, End::Packed);
        }
    }

    pub(super) fn refuse(&mut self, view: &MessageView<'_>, from: Caller, refusal: Refusal) {
        self.metrics.bootstrap.refused(refusal);
        let reply = match refusal {
            Refusal::BadRequest => Reply::code(Code::BAD_REQUEST),
            Refusal::Unauthorized => Reply::refusal(Code::BAD_REQUEST, "Unauthorized"),
            Refusal::NoConfiguration => Reply::refusal(Code::BAD_REQUEST, "no bootstrap config"),
            Refusal::Busy => Reply {
                max_age: Some(30),
                ..Reply::refusal(Code::SERVICE_UNAVAILABLE, "the server is busy")
            },
        };
        self.reply(view, from, &reply);
    }

    pub(super) fn reply(&mut self, view: &MessageView<'_>, from: Caller, reply: &Reply<'_>) {
        self.next_mid = self.next_mid.wrapping_add(1);
        let mut message = Vec::new();
        if reply.write(view, self.next_mid, &mut message).is_some() {
            self.send(view, from, &message);
        }
    }

    /// Sends an answer and remembers it for a repetition of the request.
    fn send(&mut self, view: &MessageView<'_>, from: Caller, message: &[u8]) {
        self.recent.answered(&Asking::of(from.peer, view), message);
        let start = self.arena.len();
        self.arena.extend_from_slice(message);
        self.post(from, start..self.arena.len());
    }
}

/// Size exponent of the largest block sent: 512 bytes.
const LARGEST_BLOCK: u8 = 5;

/// Bytes of an answer besides its payload.
const OVERHEAD: usize = 24;

/// Reads a request; otherwise why not, the code, and words for the device.
fn read(
    view: &MessageView<'_>,
    owner: Option<&Arc<str>>,
    is_pack: bool,
) -> Result<Wanted, (Refusal, Code, String)> {
    let params = BootstrapParams::parse(view.uri_query())
        .map_err(|error| (Refusal::BadRequest, error.code(), error.to_string()))?;
    let unauthorized = || {
        (
            Refusal::Unauthorized,
            Code::BAD_REQUEST,
            "Unauthorized".to_owned(),
        )
    };
    let endpoint = match (params.endpoint, owner) {
        (Some(stated), Some(owner)) if *stated != **owner => return Err(unauthorized()),
        (_, Some(owner)) => Arc::clone(owner),
        (Some(stated), None) => stated.into(),
        (None, None) => {
            let text = "ep is missing and plain CoAP proves no identity".to_owned();
            return Err((Refusal::BadRequest, Code::BAD_REQUEST, text));
        }
    };
    let format = if is_pack {
        let wanted = view.accept().or(params.preferred);
        let format = wanted.unwrap_or(content_format::SENML_CBOR);
        if !PACK_FORMATS.contains(&format) {
            let text = "offered: content formats 112, 110 and 11544".to_owned();
            return Err((Refusal::BadRequest, Code::NOT_ACCEPTABLE, text));
        }
        format
    } else {
        params.preferred.unwrap_or(content_format::TLV)
    };
    let additional = params.additional.iter();
    Ok(Wanted {
        endpoint,
        format,
        additional: additional
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
    })
}
