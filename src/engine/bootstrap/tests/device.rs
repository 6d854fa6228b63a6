//! A device that can be bootstrapped.

use super::*;

/// Its Security and Server objects by resource path, and how it behaves.
pub(super) struct Device {
    pub(super) address: PeerAddr,
    pub(super) values: BTreeMap<Path, Value>,
    /// As `lwm2m=` in its answer to a Discover.
    pub(super) version: &'static str,
    /// Code it answers requests for a path with, instead of doing them.
    pub(super) refuses: Vec<(Code, Path, Code)>,
    /// Requests it was sent: method, path, format.
    pub(super) requests: Vec<(Code, Path, Option<u16>)>,
    pub(super) finished: bool,
    /// It does not tell Short Server IDs.
    pub(super) hides_ids: bool,
    /// What it answers by message id, for repetitions.
    answers: BTreeMap<u16, Vec<u8>>,
    body: Vec<u8>,
    mid: u16,
}

struct Types;

impl ResourceTypes for Types {
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        let kind = match (object, resource) {
            (0, 0) | (1, 7) => ResourceType::String,
            (0, 1) | (1, 6) => ResourceType::Boolean,
            (0, 3..=5) | (21, 0..=2) => ResourceType::Opaque,
            (0, 17) => ResourceType::Objlnk,
            _ => ResourceType::Integer,
        };
        Some((kind, false))
    }
}

impl Device {
    /// One with the account of the bootstrap server in instance 0 of Security.
    pub(super) fn new(port: u16) -> Self {
        let mut device = Self {
            address: address(port),
            values: BTreeMap::new(),
            version: "1.1",
            refuses: Vec::new(),
            requests: Vec::new(),
            finished: false,
            hides_ids: false,
            answers: BTreeMap::new(),
            body: Vec::new(),
            mid: 0x1000,
        };
        device.account(0, None, "coap://bootstrap");
        device
    }

    /// Gives it a Security instance.
    pub(super) fn account(&mut self, instance: u16, short_id: Option<i64>, uri: &str) {
        let at = |resource| Path::resource(0, instance, resource);
        self.values.insert(at(0), Value::String(uri.into()));
        self.values
            .insert(at(1), Value::Boolean(short_id.is_none()));
        if let Some(id) = short_id {
            self.values.insert(at(10), Value::Integer(id));
        }
    }

    /// Gives it a Server instance.
    pub(super) fn server(&mut self, instance: u16, short_id: i64) {
        self.values
            .insert(Path::resource(1, instance, 0), Value::Integer(short_id));
        self.values
            .insert(Path::resource(1, instance, 5), Value::Integer(86_400));
    }

    pub(super) fn request(&mut self, code: Code, path: &str, queries: &[&str]) -> Vec<u8> {
        self.mid += 1;
        let token = self.mid.to_be_bytes();
        let mut bytes = Vec::new();
        let kind = MessageType::Confirmable;
        let mut writer = MessageWriter::new(&mut bytes, kind, code, self.mid, &token);
        writer.option(option::URI_PATH, path.as_bytes());
        for query in queries {
            writer.option(option::URI_QUERY, query.as_bytes());
        }
        writer.finish();
        bytes
    }

    pub(super) fn bootstrap_request(&mut self) -> Vec<u8> {
        self.request(Code::POST, "bs", &["ep=dev"])
    }

    /// What it answers to a message.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let view = MessageView::parse(bytes).unwrap();
        if !view.code().is_request() {
            return Vec::new();
        }
        if let Some(answer) = self.answers.get(&view.mid()) {
            return vec![answer.clone()];
        }
        let (code, format, payload, block1) = self.act(&view);
        let mut answer = Vec::new();
        let kind = MessageType::Acknowledgement;
        let mut writer = MessageWriter::new(&mut answer, kind, code, view.mid(), view.token());
        if let Some(format) = format {
            writer.uint(option::CONTENT_FORMAT, format.into());
        }
        if let Some(block) = block1 {
            writer.uint(option::BLOCK1, block.encode());
        }
        if !payload.is_empty() {
            writer.payload(&payload);
        }
        writer.finish();
        self.answers.insert(view.mid(), answer.clone());
        vec![answer]
    }

    fn act(&mut self, view: &MessageView<'_>) -> (Code, Option<u16>, Vec<u8>, Option<BlockValue>) {
        let plain = |code| (code, None, Vec::new(), None);
        let segments: Vec<_> = view
            .uri_path()
            .map(|s| String::from_utf8_lossy(s))
            .collect();
        if segments == ["bs"] {
            self.requests.push((Code::POST, Path::ROOT, None));
            let refused = self.refused(Code::POST, Path::ROOT);
            return plain(refused.unwrap_or_else(|| self.finish()));
        }
        let path: Path = format!("/{}", segments.join("/")).parse().unwrap();
        let block = view.block1().map(Result::unwrap);
        if let Some(block) = block {
            if block.num() == 0 {
                self.body.clear();
            }
            self.body.extend_from_slice(view.payload());
            if block.more() {
                return (Code::CONTINUE, None, Vec::new(), Some(block));
            }
        } else {
            self.body = view.payload().to_vec();
        }
        self.requests
            .push((view.code(), path, view.content_format()));
        if let Some(code) = self.refused(view.code(), path) {
            return (code, None, Vec::new(), block);
        }
        match view.code() {
            Code::GET if path.is_root() => {
                let links = self.links().into_bytes();
                (
                    Code::CONTENT,
                    Some(content_format::LINK_FORMAT),
                    links,
                    None,
                )
            }
            Code::GET => {
                let records: Vec<_> = self
                    .values
                    .iter()
                    .filter(|(at, _)| at.starts_with(&path))
                    .map(|(at, value)| Record {
                        path: *at,
                        time: None,
                        value: Some(value.clone()),
                    })
                    .collect();
                let format = view.accept().unwrap();
                let mut body = Vec::new();
                crate::proto::lwm2m::codec::encode(
                    format,
                    &path,
                    &records,
                    Default::default(),
                    &mut body,
                )
                .unwrap();
                (Code::CONTENT, Some(format), body, None)
            }
            Code::DELETE => {
                // The account of the bootstrap server stays (LwM2M Core §6.1.7.5).
                let kept = self.bootstrap_instances();
                let keep = |at: &Path| {
                    at.object_id() == Some(0) && at.instance_id().is_some_and(|i| kept.contains(&i))
                };
                self.values
                    .retain(|at, _| !at.starts_with(&path) || keep(at));
                plain(Code::DELETED)
            }
            Code::PUT => {
                self.values.retain(|at, _| !at.starts_with(&path));
                let format = view.content_format().unwrap();
                let body = std::mem::take(&mut self.body);
                let values = &mut self.values;
                decode(format, &path, &body, &Types, 0, &mut |record| {
                    values.insert(record.path, record.value.unwrap());
                })
                .unwrap();
                (Code::CHANGED, None, Vec::new(), block)
            }
            other => panic!("{other:?} {path}"),
        }
    }

    fn refused(&self, code: Code, path: Path) -> Option<Code> {
        let refused = self
            .refuses
            .iter()
            .find(|(c, p, _)| (*c, *p) == (code, path));
        refused.map(|(_, _, answer)| *answer)
    }

    /// It takes a set with one account of a bootstrap server and as many servers as accounts.
    fn finish(&mut self) -> Code {
        let servers = self.values.keys().filter(|at| at.segments().len() == 3);
        let named: Vec<_> = servers
            .filter(|at| at.object_id() == Some(1) && at.resource_id() == Some(0))
            .collect();
        let accounts = self.values.keys();
        let accounts =
            accounts.filter(|at| at.object_id() == Some(0) && at.resource_id() == Some(10));
        if self.bootstrap_instances().len() > 1 || accounts.count() != named.len() {
            return Code::NOT_ACCEPTABLE;
        }
        self.finished = true;
        Code::CHANGED
    }

    fn bootstrap_instances(&self) -> Vec<u16> {
        let flags = self.values.iter().filter(|(at, value)| {
            at.object_id() == Some(0)
                && at.resource_id() == Some(1)
                && **value == Value::Boolean(true)
        });
        flags.filter_map(|(at, _)| at.instance_id()).collect()
    }

    fn links(&self) -> String {
        let mut links = vec![if self.version == "1.0" {
            "lwm2m=\"1.0\"".to_owned()
        } else {
            format!("</>;lwm2m={}", self.version)
        }];
        let mut instances: Vec<_> = self.values.keys().filter_map(Path::parent).collect();
        instances.dedup();
        for path in instances {
            let resource = if path.object_id() == Some(0) { 10 } else { 0 };
            let id = path.child(resource).and_then(|at| self.values.get(&at));
            match id {
                Some(Value::Integer(id)) if !self.hides_ids || path.object_id() == Some(0) => {
                    links.push(format!("<{path}>;ssid={id}"));
                }
                _ => links.push(format!("<{path}>")),
            }
        }
        links.push("</3/0>".to_owned());
        links.join(",")
    }

    pub(super) fn text(&self, path: &str) -> String {
        match self.values.get(&path.parse::<Path>().unwrap()) {
            Some(Value::String(text)) => text.to_string(),
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Boolean(value)) => value.to_string(),
            Some(Value::Opaque(bytes)) => data_encoding::HEXLOWER.encode(bytes),
            other => format!("{other:?}"),
        }
    }

    /// Its requests in short: `GET /`, `PUT /0/1`.
    pub(super) fn asked(&self) -> Vec<String> {
        let words = |(code, path, _): &(Code, Path, Option<u16>)| match *code {
            Code::GET => format!("GET {path}"),
            Code::DELETE => format!("DELETE {path}"),
            Code::PUT => format!("PUT {path}"),
            _ => "POST /bs".to_owned(),
        };
        self.requests.iter().map(words).collect()
    }
}
