//! The device as a CoAP server: it answers requests, each message once (RFC 7252 §4.5).

use super::*;

/// What a device needs to answer late, in milliseconds.
const THINKING: std::ops::Range<u64> = 200..4_000;

/// A request that has been processed.
pub(super) struct Answered {
    at: u64,
    reply: Vec<u8>,
}

/// A response to come.
pub(super) struct Separate {
    pub(super) due: u64,
    request: Packet,
}

impl Device {
    pub(super) fn on_request(
        &mut self,
        now: u64,
        request: &Packet,
        bytes: &[u8],
        out: &mut Vec<Vec<u8>>,
    ) {
        let mid = request.header.message_id;
        self.log.arrived(now, mid, request.get_token(), bytes);
        let answered = &mut self.memory.answered;
        answered.retain(|_, known| now - known.at <= EXCHANGE_LIFETIME);
        if let Some(known) = answered.get(&mid) {
            return out.push(known.reply.clone());
        }
        let reply = if self.habits.answers == Answers::Piggybacked {
            let response = self.respond(now, request, MessageType::Acknowledgement, mid, out);
            encode(&response)
        } else {
            let due = now + self.rng.u64(THINKING);
            let last = self.memory.separate.back().map_or(0, |last| last.due);
            self.memory.separate.push_back(Separate {
                due: due.max(last),
                request: request.clone(),
            });
            acknowledgement(mid)
        };
        self.memory.answered.insert(
            mid,
            Answered {
                at: now,
                reply: reply.clone(),
            },
        );
        out.push(reply);
    }

    pub(super) fn answer_separately(&mut self, now: u64, out: &mut Vec<Vec<u8>>) {
        while let Some(separate) = self.memory.separate.pop_front_if(|it| it.due <= now) {
            let mid = self.next_mid();
            if self.habits.answers == Answers::SeparateConfirmable {
                let kind = MessageType::Confirmable;
                let response = self.respond(now, &separate.request, kind, mid, out);
                self.queue(Purpose::Respond(encode(&response)));
            } else {
                let kind = MessageType::NonConfirmable;
                let response = self.respond(now, &separate.request, kind, mid, out);
                out.push(encode(&response));
            }
        }
    }

    /// Processes a request.
    fn respond(
        &mut self,
        now: u64,
        request: &Packet,
        kind: MessageType,
        mid: u16,
        out: &mut Vec<Vec<u8>>,
    ) -> Packet {
        self.log.processed += 1;
        let token = request.get_token();
        let content = MessageClass::Response(ResponseType::Content);
        let mut response = message(kind, content, mid, token);
        let resource = path(request, CoapOption::UriPath);
        if self.updater.is_some() && resource.starts_with("/5/") {
            let told = self.answer_update(now, request, &mut response);
            out.extend(told);
            return response;
        }
        match (resource.as_str(), observe(request)) {
            ("/3/0/0", None) => response.payload = b"Simulated Works".to_vec(),
            ("/3/0/1", None) => response.payload = self.name.clone().into_bytes(),
            ("/3/0/3", None) => response.payload = self.firmware_version().into_bytes(),
            ("/3/0/9", Some(0)) => {
                if !self.memory.observers.iter().any(|known| known == token) {
                    self.memory.observers.push(token.to_vec());
                }
                if kind == MessageType::Confirmable {
                    // The observer may refuse it.
                    self.memory.notified.push_front((mid, token.to_vec()));
                }
                self.tell_value(&mut response);
            }
            (resource, observe) => {
                self.log
                    .complain(format!("asked for {resource}, observe {observe:?}"));
                response.header.code = MessageClass::Response(ResponseType::NotFound);
            }
        }
        response
    }
}
