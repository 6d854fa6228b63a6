//! Object 5 of a device that obeys: it takes a package in blocks or fetches it, checks it, installs it when
//! told to and starts anew. What is in its flash survives a power cut, the rest does not.

use super::*;

/// Resources it can be observed by.
const STATE: &str = "/5/0/3";
const RESULT: &str = "/5/0/5";

const IDLE: u8 = 0;
const DOWNLOADING: u8 = 1;
const DOWNLOADED: u8 = 2;
const UPDATING: u8 = 3;

/// Pause before a block that did not come is asked for again.
const FETCH_PAUSE: u64 = 20_000;

/// The Firmware Update object of one device.
pub struct Updater {
    /// Largest block it takes and asks for: 16 << szx bytes.
    szx: u8,
    /// It takes no block twice, be it in another message: 4.08 instead.
    strict: bool,
    /// A package that was downloaded survives a power cut.
    keeps: bool,
    state: u8,
    result: u8,
    /// What has come of a package.
    body: Vec<u8>,
    /// What has come of the URL.
    url: Vec<u8>,
    /// Path it fetches.
    source: Option<String>,
    fetch_at: u64,
    /// What happens by itself, and when.
    step_at: u64,
    observers: BTreeMap<&'static str, Vec<u8>>,
    /// The package that runs.
    pub installed: Option<Vec<u8>>,
    /// Packages installed.
    pub installs: u32,
    /// Orders to install that it obeyed.
    pub orders: u32,
}

/// `length` bytes, the last four of which let a device see whether it has got all of them.
pub fn image(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bytes: Vec<u8> = (4..length).map(|_| rng.u8(..)).collect();
    let sum = checksum(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(16_777_619);
    bytes.iter().fold(2_166_136_261, step)
}

fn is_whole(bytes: &[u8]) -> bool {
    let split = bytes.split_last_chunk::<4>();
    split.is_some_and(|(body, sum)| checksum(body).to_be_bytes() == *sum)
}

impl Updater {
    pub fn new(rng: &mut fastrand::Rng) -> Self {
        let strict = rng.f64() < 0.3;
        Self {
            // One that takes no block twice begins anew at each that got lost: it has few of them.
            szx: if strict { 6 } else { rng.u8(2..=6) },
            strict,
            keeps: rng.bool(),
            state: IDLE,
            result: 0,
            body: Vec::new(),
            url: Vec::new(),
            source: None,
            fetch_at: NEVER,
            step_at: NEVER,
            observers: BTreeMap::new(),
            installed: None,
            installs: 0,
            orders: 0,
        }
    }

    pub(super) fn deadline(&self) -> u64 {
        self.fetch_at.min(self.step_at)
    }

    fn block(&self, num: usize) -> Vec<u8> {
        encode_block(num, false, self.szx)
    }

    /// Power is gone and comes back.
    pub(super) fn restarted(&mut self) {
        self.observers.clear();
        self.source = None;
        (self.fetch_at, self.step_at) = (NEVER, NEVER);
        match self.state {
            // The boot loader finishes what it began.
            UPDATING => self.install(),
            DOWNLOADED if self.keeps => {}
            _ => {
                self.state = IDLE;
                self.body.clear();
            }
        }
    }

    fn install(&mut self) {
        self.installed = Some(std::mem::take(&mut self.body));
        self.installs += 1;
        (self.state, self.result) = (IDLE, 1);
    }
}

impl Device {
    /// What object 5 does of its own accord.
    pub(super) fn update_steps(&mut self, now: u64, out: &mut Vec<Vec<u8>>) {
        let Some(updater) = &mut self.updater else {
            return;
        };
        if updater.fetch_at <= now {
            updater.fetch_at = NEVER;
            self.queue(Purpose::Fetch);
        }
        let Some(updater) = &mut self.updater else {
            return;
        };
        if updater.step_at > now {
            return;
        }
        updater.step_at = NEVER;
        match updater.state {
            DOWNLOADING if is_whole(&updater.body) => self.set_state(DOWNLOADED, out),
            DOWNLOADING => {
                self.log.complain("a package came that is broken".into());
                self.set_result(5, out);
                self.set_state(IDLE, out);
            }
            UPDATING => {
                let pause = self.rng.u64(500..10_000);
                self.reboot(now, pause);
            }
            _ => {}
        }
    }

    /// A request about object 5.
    pub(super) fn answer_update(
        &mut self,
        now: u64,
        request: &Packet,
        response: &mut Packet,
    ) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let resource = path(request, CoapOption::UriPath);
        let MessageClass::Request(method) = request.header.code else {
            return out;
        };
        let code = match (method, resource.as_str()) {
            (RequestType::Get, "/5/0") => self.read_object(response),
            (RequestType::Get, STATE | RESULT) => self.read_resource(request, &resource, response),
            (RequestType::Put, "/5/0/0") => self.take_block(now, request, response, &mut out),
            (RequestType::Put, "/5/0/1") => self.take_url(now, request, response, &mut out),
            (RequestType::Post, "/5/0/2") => self.obey(now, &mut out),
            _ => {
                self.log.complain(format!("{method:?} {resource}"));
                ResponseType::NotFound
            }
        };
        response.header.code = MessageClass::Response(code);
        out
    }

    fn read_object(&mut self, response: &mut Packet) -> ResponseType {
        let Some(updater) = &self.updater else {
            return ResponseType::NotFound;
        };
        response.add_option(CoapOption::ContentFormat, vec![110]);
        let (state, result) = (updater.state, updater.result);
        response.payload =
            format!(r#"[{{"bn":"/5/0/","n":"3","v":{state}}},{{"n":"5","v":{result}}}]"#)
                .into_bytes();
        ResponseType::Content
    }

    fn read_resource(
        &mut self,
        request: &Packet,
        resource: &str,
        response: &mut Packet,
    ) -> ResponseType {
        let Some(updater) = &mut self.updater else {
            return ResponseType::NotFound;
        };
        let (key, value) = match resource {
            STATE => (STATE, updater.state),
            _ => (RESULT, updater.result),
        };
        if observe(request) == Some(0) {
            let token = request.get_token().to_vec();
            updater.observers.insert(key, token.clone());
            self.memory.sequence += 1;
            response.set_observe_value(self.memory.sequence);
            let mid = response.header.message_id;
            self.memory.notified.push_front((mid, token));
        }
        response.payload = value.to_string().into_bytes();
        ResponseType::Content
    }

    fn take_block(
        &mut self,
        now: u64,
        request: &Packet,
        response: &mut Packet,
        out: &mut Vec<Vec<u8>>,
    ) -> ResponseType {
        let when = now + self.rng.u64(500..3_000);
        let Some(updater) = &mut self.updater else {
            return ResponseType::NotFound;
        };
        let (num, more, szx) = block_of(request, CoapOption::Block1).unwrap_or((0, false, 6));
        let offset = num * (16 << szx);
        let same = |at: usize| updater.body[at..].starts_with(&request.payload);
        let again = !updater.strict && offset < updater.body.len() && same(offset);
        if num == 0 {
            updater.body.clear();
        } else if again {
            updater.body.truncate(offset);
        } else if offset != updater.body.len() {
            return ResponseType::RequestEntityIncomplete;
        }
        // It keeps the whole first block though it wants smaller ones from now on (RFC 7959 §2.3).
        updater.body.extend_from_slice(&request.payload);
        let echoed = encode_block(num, more, szx.min(updater.szx));
        response.add_option(CoapOption::Block1, echoed);
        if !more {
            updater.step_at = when;
        }
        if updater.state != DOWNLOADING {
            self.set_result(0, out);
            self.set_state(DOWNLOADING, out);
        }
        if more {
            ResponseType::Continue
        } else {
            ResponseType::Changed
        }
    }

    fn take_url(
        &mut self,
        now: u64,
        request: &Packet,
        response: &mut Packet,
        out: &mut Vec<Vec<u8>>,
    ) -> ResponseType {
        let Some(updater) = &mut self.updater else {
            return ResponseType::NotFound;
        };
        // It comes in blocks while the server does not know whether the address is a spoof.
        if let Some((num, more, szx)) = block_of(request, CoapOption::Block1) {
            if updater.url.len() < num * (16 << szx) {
                return ResponseType::RequestEntityIncomplete;
            }
            updater.url.truncate(num * (16 << szx));
            updater.url.extend_from_slice(&request.payload);
            response.add_option(CoapOption::Block1, encode_block(num, more, szx));
            if more {
                return ResponseType::Continue;
            }
        } else {
            updater.url.clone_from(&request.payload);
        }
        let url = String::from_utf8_lossy(&updater.url).into_owned();
        let source = url.find("/tbfw/").map(|at| url[at..].to_owned());
        updater.body.clear();
        updater.fetch_at = if source.is_some() { now } else { NEVER };
        updater.source = source;
        let state = if updater.source.is_some() {
            DOWNLOADING
        } else {
            IDLE
        };
        self.set_result(0, out);
        self.set_state(state, out);
        ResponseType::Changed
    }

    fn obey(&mut self, now: u64, out: &mut Vec<Vec<u8>>) -> ResponseType {
        let when = now + self.rng.u64(1_000..5_000);
        match &mut self.updater {
            Some(updater) if updater.state == DOWNLOADED => {
                updater.orders += 1;
                updater.step_at = when;
                self.set_state(UPDATING, out);
                ResponseType::Changed
            }
            _ => ResponseType::MethodNotAllowed,
        }
    }

    /// The request for the next block of what it fetches.
    pub(super) fn fetch(&self, packet: &mut Packet) -> bool {
        let Some((updater, source)) = self
            .updater
            .as_ref()
            .and_then(|updater| Some((updater, updater.source.as_ref()?)))
        else {
            return false;
        };
        packet.header.code = MessageClass::Request(RequestType::Get);
        for segment in source.split('/').skip(1) {
            packet.add_option(CoapOption::UriPath, segment.as_bytes().to_vec());
        }
        let num = updater.body.len() / (16 << updater.szx);
        packet.add_option(CoapOption::Block2, updater.block(num));
        true
    }

    pub(super) fn fetched(&mut self, now: u64, packet: &Packet) {
        let when = now + self.rng.u64(500..3_000);
        let Some(updater) = &mut self.updater else {
            return;
        };
        let block = block_of(packet, CoapOption::Block2);
        let (num, more, szx) = block.unwrap_or((0, false, updater.szx));
        // An answer to what it wanted before it was told something else.
        if updater.source.is_none() || num * (16 << szx) != updater.body.len() {
            return;
        }
        updater.body.extend_from_slice(&packet.payload);
        if more {
            updater.fetch_at = now;
        } else {
            updater.source = None;
            updater.step_at = when;
        }
    }

    /// A block did not come, or the device has something to ask for once it is registered.
    pub(super) fn fetch_again(&mut self, now: u64) {
        if let Some(updater) = &mut self.updater
            && updater.source.is_some()
        {
            updater.fetch_at = now + FETCH_PAUSE;
        }
    }

    /// The server does not know this observation.
    pub(super) fn forget_observer(&mut self, token: &[u8]) {
        if let Some(updater) = &mut self.updater {
            updater.observers.retain(|_, known| known != token);
        }
    }

    fn set_state(&mut self, state: u8, out: &mut Vec<Vec<u8>>) {
        if let Some(updater) = &mut self.updater {
            updater.state = state;
            self.tell_update(STATE, state, out);
        }
    }

    fn set_result(&mut self, result: u8, out: &mut Vec<Vec<u8>>) {
        if let Some(updater) = &mut self.updater
            && std::mem::replace(&mut updater.result, result) != result
        {
            self.tell_update(RESULT, result, out);
        }
    }

    /// Notifies whoever observes it, in a message that may get lost.
    fn tell_update(&mut self, resource: &str, value: u8, out: &mut Vec<Vec<u8>>) {
        let observers = self.updater.as_ref().map(|updater| &updater.observers);
        let Some(token) = observers.and_then(|known| known.get(resource)).cloned() else {
            return;
        };
        let mid = self.next_mid();
        let code = MessageClass::Response(ResponseType::Content);
        let mut packet = message(MessageType::NonConfirmable, code, mid, &token);
        self.memory.sequence += 1;
        packet.set_observe_value(self.memory.sequence);
        packet.payload = value.to_string().into_bytes();
        self.memory.notified.push_front((mid, token));
        self.memory.notified.truncate(64);
        out.push(encode(&packet));
    }
}

/// Number, whether more follow, size exponent (RFC 7959 §2.2).
fn block_of(packet: &Packet, option: CoapOption) -> Option<(usize, bool, u8)> {
    let bytes = packet.get_option(option)?.front()?;
    let value = bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    Some((value >> 4, value & 8 != 0, (value & 7) as u8))
}

fn encode_block(num: usize, more: bool, szx: u8) -> Vec<u8> {
    let value = (num as u32) << 4 | u32::from(more) << 3 | u32::from(szx);
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}
