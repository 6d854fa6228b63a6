//! Devices as the benchmark needs them: what they send and what they answer.

use std::cell::RefCell;
use std::time::Duration;

use rookery::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};

use crate::client::{Client, Peers};
use crate::{WINDOW, peers};

/// 400 bytes of links without Device: the engine has nothing to ask.
pub const SILENT: &str = "</>;rt=\"oma.lwm2m\";ct=\"0 110 112 11542 11543\",</1>;ver=1.1,</1/0>,</4>;ver=1.2,</4/0>,\
    </5>;ver=1.1,</5/0>,</6/0>,</7/0>,</9>;ver=1.1,</9/0>,</9/1>,</10>;ver=1.1,</10/0>,</11/0>,</16/0>,\
    </19>;ver=1.1,</19/0>,</19/1>,</3303>;ver=1.1,</3303/0>,</3303/1>,</3303/2>,</3303/3>,</3304>;ver=1.1,\
    </3304/0>,</3311>;ver=1.1,</3311/0>,</3313>;ver=1.1,</3313/0>,</3347>;ver=1.1,</3347/0>,</33605/0>,</33606/0>";

/// The same with Device: the engine observes and reads.
pub const TALKING: &str =
    "</>;rt=\"oma.lwm2m\";ct=\"0 110 112 11542 11543\",</1>;ver=1.1,</1/0>,</3>;ver=1.1,</3/0>";

/// Registered devices: their locations and the tokens of their observations.
pub struct Devices {
    links: &'static str,
    locations: RefCell<Vec<Box<[u8]>>>,
    tokens: RefCell<Vec<[u8; 8]>>,
    /// A message id used twice within four minutes is a repetition: each device counts its own.
    mids: RefCell<Vec<u16>>,
}

impl Devices {
    pub fn new(count: usize, links: &'static str) -> Self {
        let count = count.next_multiple_of(64);
        Self {
            links,
            locations: RefCell::new(vec![Box::default(); count]),
            tokens: RefCell::new(vec![[0; 8]; count]),
            mids: RefCell::new(vec![0; count]),
        }
    }

    pub fn len(&self) -> usize {
        self.locations.borrow().len()
    }

    pub fn peers(&self) -> Peers {
        peers(self.len())
    }

    /// Registers every device; returns how many were.
    pub fn register(&self, client: &mut Client) -> usize {
        let mut registered = 0;
        for (socket, lot) in client.lots(WINDOW / 2) {
            client.send(socket, &lot, |number, bytes| {
                self.write_register(number, bytes)
            });
            registered += client.receive(socket, lot.len(), |number, bytes| {
                let Ok(view) = MessageView::parse(bytes) else {
                    return false;
                };
                let id = view.all(option::LOCATION_PATH).nth(1);
                if let Some(id) = id {
                    self.locations.borrow_mut()[number] = id.into();
                }
                id.is_some()
            });
        }
        registered
    }

    /// The same datagrams, to a server that answers anything.
    pub fn register_without_answers(&self, client: &mut Client) -> usize {
        let mut answered = 0;
        for (socket, lot) in client.lots(WINDOW / 2) {
            client.send(socket, &lot, |number, bytes| {
                self.write_register(number, bytes)
            });
            answered += client.receive(socket, lot.len(), |_, _| true);
        }
        answered
    }

    /// Sends `count` Updates of random devices; returns how many were answered.
    pub fn update(&self, client: &mut Client, count: usize) -> usize {
        let mut answered = 0;
        for _ in 0..count / WINDOW {
            let (socket, lot) = client.random(WINDOW);
            client.send(socket, &lot, |number, bytes| {
                self.write_update(number, bytes)
            });
            answered += client.receive(socket, lot.len(), |_, bytes| bytes.first() != Some(&0x48));
        }
        answered
    }

    /// Registers every device and answers what the engine asks it.
    pub fn initialise(&self, client: &mut Client) {
        for (socket, lot) in client.lots(WINDOW / 4) {
            client.send(socket, &lot, |number, bytes| {
                self.write_register(number, bytes)
            });
            // The answer to the Register, an Observe and three Reads.
            let mut left = 5 * lot.len();
            while left > 0 {
                let mut requests = Vec::new();
                let heard = client.receive(socket, 1, |number, bytes| {
                    if let Ok(view) = MessageView::parse(bytes)
                        && view.code().is_request()
                    {
                        requests.push((number, self.answer(number, &view)));
                    }
                    true
                });
                assert!(heard > 0, "the engine asks four things of each device");
                left = left.saturating_sub(heard);
                let numbers: Vec<_> = requests.iter().map(|(number, _)| *number).collect();
                let mut answers = requests.iter().map(|(_, answer)| answer);
                client.send(socket, &numbers, |_, bytes| {
                    bytes.extend(answers.next().into_iter().flatten());
                });
            }
        }
    }

    /// Sends `count` notifications of random devices, never more than a window ahead of `taken`.
    pub fn notify(&self, client: &mut Client, count: usize, taken: &dyn Fn() -> u64) {
        let before = taken();
        let (mut sent, mut sequence) = (0, 0);
        while sent < count {
            let (socket, lot) = client.random(WINDOW.min(count - sent));
            client.send(socket, &lot, |number, bytes| {
                sequence += 1;
                self.write_notification(number, sequence, bytes);
            });
            sent += lot.len();
            while taken() - before + (WINDOW as u64) < sent as u64 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        while taken() - before < sent as u64 {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn next_mid(&self, number: usize) -> u16 {
        let mid = &mut self.mids.borrow_mut()[number];
        *mid = mid.wrapping_add(1);
        *mid
    }

    fn write_register(&self, number: usize, bytes: &mut Vec<u8>) {
        let kind = MessageType::Confirmable;
        let mut writer = MessageWriter::new(
            bytes,
            kind,
            Code::POST,
            self.next_mid(number),
            &[1, 2, 3, 4],
        );
        writer.option(option::URI_PATH, b"rd");
        writer.option(option::URI_QUERY, b"lwm2m=1.1");
        writer.option(
            option::URI_QUERY,
            format!("ep=urn:dev:os:{number:08}").as_bytes(),
        );
        writer.option(option::URI_QUERY, b"lt=86400");
        writer.payload(self.links.as_bytes());
        writer.finish();
    }

    fn write_update(&self, number: usize, bytes: &mut Vec<u8>) {
        let kind = MessageType::Confirmable;
        let mut writer =
            MessageWriter::new(bytes, kind, Code::POST, self.next_mid(number), &[1, 2]);
        writer.option(option::URI_PATH, b"rd");
        writer.option(option::URI_PATH, &self.locations.borrow()[number]);
        writer.finish();
    }

    fn write_notification(&self, number: usize, sequence: u32, bytes: &mut Vec<u8>) {
        let token = self.tokens.borrow()[number];
        let kind = MessageType::NonConfirmable;
        let mut writer =
            MessageWriter::new(bytes, kind, Code::CONTENT, self.next_mid(number), &token);
        writer.uint(option::OBSERVE, sequence);
        writer.uint(option::CONTENT_FORMAT, 112);
        // [{bn: "/3/0/9", v: 87}]
        writer.payload(b"\x81\xa2\x21\x66/3/0/9\x02\x18\x57");
        writer.finish();
    }

    fn answer(&self, number: usize, request: &MessageView<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        let kind = MessageType::Acknowledgement;
        let token = request.token();
        let mut writer = MessageWriter::new(&mut bytes, kind, Code::CONTENT, request.mid(), token);
        if request.observe().is_some() {
            self.tokens.borrow_mut()[number] = token.try_into().unwrap_or_default();
            writer.uint(option::OBSERVE, 0);
            writer.payload(b"87");
        } else {
            writer.payload(b"Rookery R1");
        }
        writer.finish();
        bytes
    }
}
