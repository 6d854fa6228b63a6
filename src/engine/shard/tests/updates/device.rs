//! A device with objects 3, 5, 9 and 19.

use std::collections::{HashMap, VecDeque};

use super::super::*;
use crate::proto::coap::block::BlockValue;

/// How the device behaves.
#[derive(Clone, Debug)]
pub struct Manner {
    /// State after a download, and whether it downloads at all.
    pub downloads: bool,
    /// Result of the first downloads; none is a good one.
    pub download_results: VecDeque<u8>,
    /// Results of installations: firmware 1 and software 2 are good.
    pub install_results: VecDeque<u8>,
    /// Whether it installs when told to.
    pub installs: bool,
    /// Code of the answer to the last block or to the URL.
    pub refuses: Option<Code>,
    /// Code of the answer to the order to install.
    pub refuses_install: Option<Code>,
    /// It checks the package once more when it is told to install it for the first time.
    pub checks_again: bool,
    /// Whether it notifies.
    pub notifies: bool,
    /// Whether it answers at all.
    pub answers: bool,
    /// Whether its instances can be read as a whole.
    pub reads_whole: bool,
    /// The result goes back to 0 at once after an installation.
    pub forgets_result: bool,
    /// Firmware Update Delivery Method.
    pub delivery: Option<u8>,
    /// Whether it fetches what it is told the URL of; the test does so otherwise.
    pub fetches: bool,
    /// Largest block it takes.
    pub szx: u8,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            downloads: true,
            download_results: VecDeque::new(),
            install_results: VecDeque::new(),
            installs: true,
            refuses: None,
            refuses_install: None,
            checks_again: false,
            notifies: true,
            answers: true,
            reads_whole: true,
            forgets_result: false,
            delivery: None,
            fetches: true,
            szx: 6,
        }
    }
}

/// One device.
pub struct Device {
    pub manner: Manner,
    pub links: &'static str,
    pub query: Vec<&'static str>,
    /// Values of resources.
    pub values: HashMap<&'static str, String>,
    pub image: Vec<u8>,
    /// What was written where, whole bodies.
    pub written: Vec<(String, Vec<u8>)>,
    /// Arguments of orders, by path.
    pub executed: Vec<(String, String)>,
    observers: HashMap<String, Vec<u8>>,
    sequence: u32,
    mid: u16,
    /// What happens in so many ticks of 100 ms.
    events: Vec<(u32, Event)>,
    outbox: Vec<Vec<u8>>,
    answered: HashMap<u16, Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Event {
    Set(&'static str, String),
    Refetch,
}

const LINKS: &str =
    "</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</1/0>,</3/0>,</5>;ver=1.1,</5/0>,</9/0>,</19/0>";

impl Device {
    pub fn new(manner: Manner) -> Self {
        let mut values = HashMap::new();
        for (path, value) in [
            ("/3/0/3", "1.0"),
            ("/3/0/19", "s1"),
            ("/5/0/3", "0"),
            ("/5/0/5", "0"),
            ("/5/0/6", "old"),
            ("/5/0/7", "1.0"),
            ("/9/0/0", "old"),
            ("/9/0/1", "1.0"),
            ("/9/0/7", "0"),
            ("/9/0/9", "0"),
            ("/9/0/12", "false"),
        ] {
            values.insert(path, value.to_owned());
        }
        Self {
            manner,
            links: LINKS,
            query: vec!["lwm2m=1.1", "ep=ota", "lt=86400"],
            values,
            image: Vec::new(),
            written: Vec::new(),
            executed: Vec::new(),
            observers: HashMap::new(),
            sequence: 1,
            mid: 0x2000,
            events: Vec::new(),
            outbox: Vec::new(),
            answered: HashMap::new(),
        }
    }

    fn next_mid(&mut self) -> u16 {
        self.mid = self.mid.wrapping_add(1);
        self.mid
    }

    pub fn register(&mut self) -> Vec<u8> {
        self.observers.clear();
        let mid = self.next_mid();
        let query = self.query.clone();
        request(Code::POST, mid, "/rd", &query, self.links.as_bytes())
    }

    /// Loses power: what it was doing is gone, states that are not kept are initial again.
    pub fn reboot(&mut self, kept: &[(&'static str, &str)]) -> Vec<u8> {
        self.events.clear();
        self.outbox.clear();
        self.image.clear();
        for path in ["/5/0/3", "/5/0/5", "/9/0/7", "/9/0/9"] {
            self.values.insert(path, "0".to_owned());
        }
        for (path, value) in kept {
            self.values.insert(path, (*value).to_owned());
        }
        self.register()
    }

    /// The server numbers its messages anew.
    pub fn restarted_server(&mut self) {
        self.answered.clear();
    }

    pub fn value(&self, path: &str) -> &str {
        &self.values[path]
    }

    /// A value changes; whoever observes it is told.
    pub fn set(&mut self, path: &'static str, value: &str) {
        self.values.insert(path, value.to_owned());
        if !self.manner.notifies {
            return;
        }
        if let Some(token) = self.observers.get(path).cloned() {
            self.sequence += 1;
            let (mid, sequence) = (self.next_mid(), self.sequence);
            let options = [(option::OBSERVE, sequence), (option::CONTENT_FORMAT, 0)];
            let kind = MessageType::NonConfirmable;
            let bytes = message(kind, Code::CONTENT, mid, &token, &options, value.as_bytes());
            self.outbox.push(bytes);
        }
    }

    /// 100 ms pass. Returns what it sends of its own accord.
    pub fn tick(&mut self) -> Vec<Vec<u8>> {
        let mut due = Vec::new();
        self.events.retain_mut(|(ticks, event)| {
            *ticks = ticks.saturating_sub(1);
            if *ticks == 0 {
                due.push(event.clone());
            }
            *ticks > 0
        });
        for event in due {
            match event {
                Event::Set(path, value) => self.set(path, &value),
                Event::Refetch => self.fetch_next(),
            }
        }
        std::mem::take(&mut self.outbox)
    }

    fn after(&mut self, ticks: u32, path: &'static str, value: &str) {
        self.events
            .push((ticks, Event::Set(path, value.to_owned())));
    }

    /// Takes a message of the server. Returns the answers.
    pub fn take(&mut self, sent: &Sent) -> Vec<Vec<u8>> {
        let view = sent.view();
        if !self.manner.answers {
            return Vec::new();
        }
        if view.code() == Code::CONTENT {
            self.on_block(&view);
            return std::mem::take(&mut self.outbox);
        }
        if !view.code().is_request() {
            return Vec::new();
        }
        if let Some(before) = self.answered.get(&view.mid()) {
            return vec![before.clone()];
        }
        let (code, options, payload) = self.answer(sent);
        let answer = response(sent, code, &options, &payload);
        self.answered.insert(view.mid(), answer.clone());
        let mut all = vec![answer];
        all.append(&mut self.outbox);
        all
    }

    fn answer(&mut self, sent: &Sent) -> (Code, Vec<(u16, u32)>, Vec<u8>) {
        let view = sent.view();
        let path = sent.path();
        match view.code() {
            Code::GET => self.read(&path, view.observe(), view.token()),
            Code::PUT => self.write(&path, &view),
            Code::POST if path == "/19" => {
                self.written.push((path, view.payload().to_vec()));
                (Code::CREATED, Vec::new(), Vec::new())
            }
            Code::POST => (self.execute(&path, view.payload()), Vec::new(), Vec::new()),
            _ => (Code::METHOD_NOT_ALLOWED, Vec::new(), Vec::new()),
        }
    }

    fn read(
        &mut self,
        path: &str,
        observe: Option<u32>,
        token: &[u8],
    ) -> (Code, Vec<(u16, u32)>, Vec<u8>) {
        if path == "/5/0" || path == "/9/0" {
            if !self.manner.reads_whole {
                return (Code::METHOD_NOT_ALLOWED, Vec::new(), Vec::new());
            }
            let mut records = Vec::new();
            for (of, value) in &self.values {
                if let Some(id) = of.strip_prefix(&format!("{path}/")) {
                    let value = match value.parse::<u32>() {
                        Ok(number) => format!("\"v\":{number}"),
                        Err(_) if value == "true" || value == "false" => format!("\"vb\":{value}"),
                        Err(_) => format!("\"vs\":\"{value}\""),
                    };
                    records.push(format!("{{\"n\":\"{path}/{id}\",{value}}}"));
                }
            }
            if let (Some(delivery), "/5/0") = (self.manner.delivery, path) {
                records.push(format!("{{\"n\":\"/5/0/9\",\"v\":{delivery}}}"));
            }
            if path == "/5/0" {
                records.push("{\"n\":\"/5/0/12\",\"v\":1795000000}".to_owned());
            }
            let payload = format!("[{}]", records.join(","));
            let options = vec![(option::CONTENT_FORMAT, 110)];
            return (Code::CONTENT, options, payload.into_bytes());
        }
        let Some(value) = self.values.get(path).cloned() else {
            return (Code::NOT_FOUND, Vec::new(), Vec::new());
        };
        let mut options = vec![(option::CONTENT_FORMAT, 0)];
        if observe == Some(0) {
            self.observers.insert(path.to_owned(), token.to_vec());
            options.insert(0, (option::OBSERVE, self.sequence));
        }
        (Code::CONTENT, options, value.into_bytes())
    }

    fn write(&mut self, path: &str, view: &MessageView<'_>) -> (Code, Vec<(u16, u32)>, Vec<u8>) {
        let mut options = Vec::new();
        let pushed = ["/5/0/0", "/9/0/2", "/19/0/0", "/19/0/0/0"].contains(&path);
        if let Some(Ok(block)) = view.block1() {
            if block.num() == 0 {
                self.image.clear();
            }
            if block.offset() != self.image.len() {
                return (Code::REQUEST_ENTITY_INCOMPLETE, Vec::new(), Vec::new());
            }
            let mut taken = view.payload();
            let smaller = BlockValue::new(0, false, self.manner.szx).unwrap().size();
            if block.size() > smaller {
                taken = &taken[..smaller.min(taken.len())];
            }
            self.image.extend_from_slice(taken);
            let more = block.more() || taken.len() < view.payload().len();
            let echoed = BlockValue::new(block.num(), more, block.szx().min(self.manner.szx));
            options.push((option::BLOCK1, echoed.unwrap().encode()));
            if more {
                self.began(path);
                return (Code::CONTINUE, options, Vec::new());
            }
        } else {
            self.image = view.payload().to_vec();
        }
        let body = std::mem::take(&mut self.image);
        if let Some(code) = self.manner.refuses {
            return (code, options, b"no room for it".to_vec());
        }
        self.written.push((path.to_owned(), body));
        if pushed {
            self.got_it(path.starts_with("/9"), 1);
        } else if ["/5/0/1", "/9/0/3"].contains(&path) && !view.payload().is_empty() {
            self.told_url(path.starts_with("/9"));
        } else if path == "/5/0/1" {
            self.set("/5/0/3", "0");
            self.set("/5/0/5", "0");
        }
        (Code::CHANGED, options, Vec::new())
    }

    fn began(&mut self, path: &str) {
        let state = if path.starts_with("/9") {
            "/9/0/7"
        } else {
            "/5/0/3"
        };
        if self.manner.downloads && self.value(state) == "0" {
            self.set(state, "1");
            if path.starts_with("/9") {
                self.set("/9/0/9", "1");
            }
        }
    }

    /// All bytes are there: they are checked, and what comes of it is told.
    fn got_it(&mut self, software: bool, after: u32) {
        if !self.manner.downloads {
            return;
        }
        let bad = self.manner.download_results.pop_front();
        match (software, bad) {
            (false, None) => {
                self.after(after, "/5/0/3", "1");
                self.after(after + 1, "/5/0/3", "2");
            }
            (false, Some(result)) => {
                self.after(after, "/5/0/3", "1");
                self.after(after + 1, "/5/0/5", &result.to_string());
                self.after(after + 1, "/5/0/3", "0");
                self.after(after + 2, "/5/0/5", "0");
            }
            (true, None) => {
                self.after(after, "/9/0/7", "1");
                self.after(after, "/9/0/9", "1");
                self.after(after + 1, "/9/0/7", "2");
                self.after(after + 2, "/9/0/7", "3");
                self.after(after + 2, "/9/0/9", "3");
            }
            (true, Some(result)) => {
                self.after(after, "/9/0/7", "1");
                self.after(after + 1, "/9/0/9", &result.to_string());
                self.after(after + 1, "/9/0/7", "0");
                self.after(after + 2, "/9/0/9", "0");
            }
        }
    }

    fn told_url(&mut self, software: bool) {
        if software {
            self.set("/9/0/7", "1");
        } else {
            self.set("/5/0/3", "1");
        }
        if self.manner.fetches {
            self.image.clear();
            self.fetch_next();
        } else if self.manner.downloads {
            self.got_it(software, 5);
        }
    }

    /// The segments of the URL that was written last.
    pub fn url_path(&self) -> String {
        let urls = self.written.iter().rev();
        let mut urls = urls.filter(|(path, _)| ["/5/0/1", "/9/0/3"].contains(&&**path));
        let url = String::from_utf8(urls.next().unwrap().1.clone()).unwrap();
        let at = url.find("/tbfw/").expect("a URL of the server");
        url[at..].to_owned()
    }

    fn fetch_next(&mut self) {
        let (mid, path) = (self.next_mid(), self.url_path());
        let num = (self.image.len() / 1_024) as u32;
        let block = BlockValue::new(num, false, 6).unwrap().encode();
        let extra: &[_] = &[(option::BLOCK2, block)];
        let extra = if num == 0 { &[] } else { extra };
        let kind = MessageType::Confirmable;
        let bytes = request_with(kind, Code::GET, mid, &path, &[], extra, b"");
        self.outbox.push(bytes);
        self.events.push((40, Event::Refetch));
    }

    fn on_block(&mut self, view: &MessageView<'_>) {
        let block = view
            .block2()
            .map_or(BlockValue::FIRST, |block| block.unwrap());
        if block.offset() != self.image.len() || view.etag().is_none() {
            return;
        }
        self.events
            .retain(|(_, event)| !matches!(event, Event::Refetch));
        self.image.extend_from_slice(view.payload());
        if block.more() {
            return self.fetch_next();
        }
        let software = self.value("/9/0/7") == "1";
        let body = std::mem::take(&mut self.image);
        self.written.push(("fetched".to_owned(), body));
        self.got_it(software, 1);
    }

    fn execute(&mut self, path: &str, arguments: &[u8]) -> Code {
        let arguments = String::from_utf8_lossy(arguments).into_owned();
        self.executed.push((path.to_owned(), arguments));
        match path {
            "/5/0/2" | "/9/0/4" => {
                if let Some(code) = self.manner.refuses_install {
                    return code;
                }
                if std::mem::take(&mut self.manner.checks_again) {
                    let (state, checking, ready) = match path {
                        "/5/0/2" => ("/5/0/3", "1", "2"),
                        _ => ("/9/0/7", "2", "3"),
                    };
                    self.set(state, checking);
                    self.after(20, state, ready);
                    return Code::METHOD_NOT_ALLOWED;
                }
                let ready = match path {
                    "/5/0/2" => self.value("/5/0/3") == "2",
                    _ => self.value("/9/0/7") == "3",
                };
                if !ready {
                    return Code::METHOD_NOT_ALLOWED;
                }
                if self.manner.installs {
                    self.install(path == "/9/0/4");
                }
            }
            "/5/0/10" => {
                self.set("/5/0/3", "0");
                self.set("/5/0/5", "10");
            }
            "/9/0/6" => {
                self.set("/9/0/7", "0");
                self.set("/9/0/9", "0");
            }
            "/9/0/10" => self.set("/9/0/12", "true"),
            "/9/0/11" => self.set("/9/0/12", "false"),
            _ => return Code::NOT_FOUND,
        }
        Code::CHANGED
    }

    fn install(&mut self, software: bool) {
        let result = self.manner.install_results.pop_front();
        let forgets = self.manner.forgets_result;
        match (software, result) {
            (false, None) => {
                self.after(1, "/5/0/3", "3");
                if !forgets {
                    self.after(2, "/5/0/5", "1");
                }
                self.after(3, "/5/0/3", "0");
                self.after(3, "/5/0/5", "0");
                self.after(3, "/3/0/3", "2.0");
            }
            (false, Some(11)) => self.after(1, "/5/0/5", "11"),
            (false, Some(result)) => {
                self.after(1, "/5/0/3", "3");
                self.after(2, "/5/0/5", &result.to_string());
                self.after(2, "/5/0/3", "0");
            }
            (true, None) => {
                self.after(1, "/9/0/7", "4");
                if !forgets {
                    self.after(2, "/9/0/9", "2");
                }
                self.values.insert("/9/0/0", "thing".to_owned());
                self.values.insert("/9/0/1", "2.0".to_owned());
            }
            (true, Some(result)) => {
                self.after(1, "/9/0/9", &result.to_string());
                self.after(1, "/9/0/7", "3");
            }
        }
    }

    /// Puts an installation off no longer.
    pub fn install_now(&mut self) {
        self.install(false);
    }
}
