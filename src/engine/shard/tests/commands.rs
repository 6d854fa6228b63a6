//! Commands for devices: their order, their time, their answers.

use super::*;
use crate::engine::command::RequestReply;
use crate::engine::endpoint::request::{
    DeviceAnswer, DeviceCommand, DeviceOutcome, DeviceRequest, MAX_QUEUED, RequestError, Waiting,
};
use crate::proto::coap::block::BlockValue;
use crate::proto::lwm2m::model;
use crate::proto::lwm2m::operation::{AnswerError, Operation, WriteMode};
use crate::proto::lwm2m::{Path, Record, Value};

const TIMEOUT: u64 = 10_000;
pub(super) const TEXT: &[(u16, u32)] = &[(option::CONTENT_FORMAT, 0)];

/// A command on its way.
pub(super) struct Asked {
    ticket: u64,
    sent: oneshot::Receiver<()>,
    done: oneshot::Receiver<DeviceOutcome>,
}

impl Asked {
    pub(super) fn outcome(&mut self) -> Option<DeviceOutcome> {
        self.done.try_recv().ok()
    }

    fn was_sent(&mut self) -> bool {
        self.sent.try_recv().is_ok()
    }

    #[track_caller]
    pub(super) fn error(&mut self) -> RequestError {
        self.outcome().expect("it is over").expect_err("an error")
    }

    #[track_caller]
    pub(super) fn answer(&mut self) -> DeviceAnswer {
        self.outcome().expect("it is over").expect("an answer")
    }

    #[track_caller]
    pub(super) fn values(&mut self) -> Vec<(String, Value)> {
        let DeviceAnswer::Values { records, .. } = self.answer() else {
            panic!("no values");
        };
        let value = |record: Record| Some((record.path.to_string(), record.value?));
        records.into_iter().filter_map(value).collect()
    }
}

impl Bench {
    pub(super) fn ask_device(
        &mut self,
        endpoint: &str,
        request: DeviceRequest,
    ) -> (Asked, Vec<Sent>) {
        let slot = self.shared.directory.home(endpoint).unwrap().slot;
        let ticket = u64::from(self.shard.rng.u32(..));
        let (sent, on_sent) = oneshot::channel();
        let (done, on_done) = oneshot::channel();
        self.shard.on_command(Command::Request {
            slot,
            endpoint: endpoint.to_owned(),
            ticket,
            request,
            reply: RequestReply {
                sent: Some(sent),
                done,
            },
        });
        let asked = Asked {
            ticket,
            sent: on_sent,
            done: on_done,
        };
        (asked, self.drain())
    }

    pub(super) fn operate(&mut self, operation: Operation) -> (Asked, Vec<Sent>) {
        self.operate_for(operation, TIMEOUT)
    }

    pub(super) fn operate_for(
        &mut self,
        operation: Operation,
        timeout_millis: u64,
    ) -> (Asked, Vec<Sent>) {
        let command = DeviceRequest {
            wait_millis: timeout_millis,
            timeout_millis,
            ..command(DeviceCommand::Operation(operation))
        };
        self.ask_device("dev-1", command)
    }

    fn take_back(&mut self, ticket: u64) -> Vec<Sent> {
        let slot = self.shared.directory.home("dev-1").unwrap().slot;
        self.shard.on_command(Command::CancelRequest {
            slot,
            endpoint: "dev-1".to_owned(),
            ticket,
        });
        self.drain()
    }

    pub(super) fn answer(
        &mut self,
        to: &Sent,
        code: Code,
        options: &[(u16, u32)],
        body: &[u8],
    ) -> Vec<Sent> {
        self.send(peer(1), &response(to, code, options, body))
    }
}

pub(super) fn command(command: DeviceCommand) -> DeviceRequest {
    DeviceRequest {
        command,
        content_format: None,
        wait_millis: TIMEOUT,
        timeout_millis: TIMEOUT,
    }
}

pub(super) fn path(text: &str) -> Path {
    text.parse().unwrap()
}

pub(super) fn read(text: &str) -> Operation {
    Operation::Read { path: path(text) }
}

/// A registered device that has answered everything its profile asks.
pub(super) fn at_rest() -> Bench {
    settled(&register(0x100, "dev-1"))
}

fn settled(register: &[u8]) -> Bench {
    let mut bench = Bench::new();
    let mut sent = bench.send(peer(1), register);
    assert_eq!(sent.remove(0).code(), Code::CREATED);
    initialised(&mut bench, peer(1), sent);
    bench
}

/// The same in queue mode.
pub(super) fn sleeper() -> Bench {
    let query = ["lwm2m=1.1", "ep=dev-1", "lt=86400", "Q"];
    settled(&request(Code::POST, 0x100, "/rd", &query, LINKS))
}

fn update(bench: &mut Bench, mid: u16) -> Vec<Sent> {
    let id = bench.registration("dev-1").id.unwrap();
    let mut sent = bench.send(
        peer(1),
        &request(Code::POST, mid, &format!("/rd/{id}"), &[], b""),
    );
    assert_eq!(sent.remove(0).code(), Code::CHANGED);
    sent
}

#[test]
fn a_read_returns_typed_values_and_the_mapped_one_becomes_telemetry() {
    let mut bench = at_rest();
    let xml = include_bytes!("../../../../models/3_1.1.xml");
    let definitions = model::read(xml)
        .unwrap()
        .into_iter()
        .map(|read| Arc::new(read.model));
    bench.shared.models.store(Arc::new(definitions.collect()));
    bench.shard.begin(bench.now);
    let (mut asked, sent) = bench.operate(read("/3/0"));
    assert!(asked.was_sent());
    assert_eq!(
        (sent[0].code(), sent[0].path()),
        (Code::GET, "/3/0".to_owned())
    );
    let dropped = bench.metric("lwm2m_values_dropped_total{reason=\"unmapped\"}");
    // Resources 9 and 10 in TLV, and 6 with two instances.
    let tlv = [0xc1, 9, 42, 0xc1, 10, 15, 0x86, 6, 0x41, 0, 1, 0x41, 1, 5];
    bench.answer(
        &sent[0],
        Code::CONTENT,
        &[(option::CONTENT_FORMAT, 11542)],
        &tlv,
    );
    assert_eq!(
        asked.values(),
        [
            ("/3/0/9".to_owned(), Value::Integer(42)),
            ("/3/0/10".to_owned(), Value::Integer(15)),
            ("/3/0/6/0".to_owned(), Value::Integer(1)),
            ("/3/0/6/1".to_owned(), Value::Integer(5)),
        ]
    );
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 42);
    assert_eq!(
        bench.metric("lwm2m_values_dropped_total{reason=\"unmapped\"}"),
        dropped,
        "what the caller gets is not lost"
    );
    assert_eq!(bench.registration("dev-1").queue_length, 0);
}

#[test]
fn commands_go_out_one_at_a_time_in_order() {
    let mut bench = at_rest();
    let (mut first, mut sent) = bench.operate(read("/3/0/1"));
    let (mut second, none) = bench.operate(read("/3/0/2"));
    assert!(none.is_empty() && !second.was_sent());
    let view = bench.registration("dev-1");
    let waiting: Vec<_> = view
        .commands
        .iter()
        .map(|c| (c.operation, c.waiting_for))
        .collect();
    assert_eq!(
        waiting,
        [
            ("read", "the answer of the device"),
            ("read", "other requests come first")
        ]
    );
    sent = bench.answer(&sent[0], Code::CONTENT, TEXT, b"R1");
    assert_eq!(first.values().len(), 1);
    assert_eq!(sent[0].path(), "/3/0/2");
    assert!(second.was_sent());
    bench.answer(&sent[0], Code::NOT_FOUND, &[], b"no serial number");
    let RequestError::Answer(AnswerError::Refused { code, diagnostic }) = second.error() else {
        panic!("refused");
    };
    assert_eq!(
        (code, diagnostic.as_deref()),
        (Code::NOT_FOUND, Some("no serial number"))
    );
}

#[test]
fn commands_and_the_steps_of_the_profile_take_turns() {
    let mut bench = Bench::new();
    let (_, mut sent) = registered(&mut bench, peer(1), "dev-1");
    let _asked: Vec<_> = ["/1/0/1", "/1/0/2"]
        .map(|path| bench.operate(read(path)).0)
        .into();
    let mut asked = Vec::new();
    while let Some(request) = sent.pop() {
        asked.push(request.path());
        sent = bench.answer(&request, Code::CONTENT, TEXT, b"1");
    }
    assert_eq!(
        asked,
        ["/3/0/9", "/1/0/1", "/3/0/0", "/1/0/2", "/3/0/1", "/3/0/3"]
    );
}

#[test]
fn a_sleeping_device_is_asked_when_it_wakes_up() {
    let mut bench = sleeper();
    bench.wait(94_000);
    let (mut asked, sent) = bench.operate(read("/3/0/1"));
    assert!(sent.is_empty());
    assert_eq!(
        bench.registration("dev-1").commands[0].waiting_for,
        "the device is asleep"
    );
    bench.wait(TIMEOUT - 1_000);
    let sent = update(&mut bench, 7);
    let command = sent
        .iter()
        .find(|sent| sent.path() == "/3/0/1")
        .expect("asked");
    bench.answer(command, Code::CONTENT, TEXT, b"R1");
    assert_eq!(
        asked.values(),
        [("/3/0/1".to_owned(), Value::String("R1".into()))]
    );
}

#[test]
fn a_command_for_a_device_that_does_not_wake_up_in_time_says_so() {
    let mut bench = sleeper();
    bench.wait(94_000);
    let (mut asked, _) = bench.operate(read("/3/0/1"));
    assert!(bench.wait(TIMEOUT + 1_000).is_empty());
    let waiting = Waiting::Asleep;
    assert_eq!(asked.error(), RequestError::NotSent { waiting });
    assert!(!asked.was_sent());
    assert!(
        update(&mut bench, 7)
            .iter()
            .all(|sent| sent.path() != "/3/0/1")
    );
}

#[test]
fn a_device_that_never_answers_costs_the_caller_its_time_and_no_more() {
    let mut bench = at_rest();
    let (mut asked, sent) = bench.operate(read("/3/0/1"));
    bench.wait(TIMEOUT + 1_000);
    assert_eq!(
        asked.error(),
        RequestError::Unanswered {
            acknowledged: false
        }
    );
    let late = bench.answer(&sent[0], Code::CONTENT, TEXT, b"late");
    assert!(late.is_empty(), "a late acknowledgement is ignored");
    let (mut again, sent) = bench.operate(read("/3/0/1"));
    bench.answer(&sent[0], Code::CONTENT, TEXT, b"R1");
    assert_eq!(again.values().len(), 1);
}

#[test]
fn a_device_that_does_not_sleep_is_tried_again_by_the_next_command() {
    let mut bench = at_rest();
    let (mut asked, _) = bench.operate_for(read("/3/0/1"), 300_000);
    bench.wait(100_000);
    assert_eq!(
        asked.error(),
        RequestError::Unanswered {
            acknowledged: false
        }
    );
    let (_asked, sent) = bench.operate(read("/3/0/2"));
    assert_eq!(sent[0].path(), "/3/0/2");
}

#[test]
fn the_queue_of_a_device_is_bounded() {
    let mut bench = at_rest();
    let mut asked: Vec<_> = (0..=MAX_QUEUED)
        .map(|_| bench.operate(read("/3/0/1")).0)
        .collect();
    assert!(
        asked.iter_mut().all(|asked| asked.outcome().is_none()),
        "one is in flight"
    );
    assert_eq!(
        bench.operate(read("/3/0/1")).0.error(),
        RequestError::QueueFull
    );
    bench.wait(TIMEOUT + 1_000);
    assert!(asked.iter_mut().all(|asked| asked.outcome().is_some()));
    assert_eq!(bench.registration("dev-1").queue_length, 0);
}

#[test]
fn a_new_registration_ends_the_commands_of_the_old_one() {
    let mut bench = at_rest();
    let (mut in_flight, _) = bench.operate(read("/3/0/1"));
    let (mut waiting, _) = bench.operate(read("/3/0/2"));
    bench.send(peer(1), &register(0x200, "dev-1"));
    assert_eq!(in_flight.error(), RequestError::RegistrationEnded);
    assert_eq!(waiting.error(), RequestError::RegistrationEnded);
    let id = bench.registration("dev-1").id.unwrap();
    bench.send(
        peer(1),
        &request(Code::DELETE, 9, &format!("/rd/{id}"), &[], b""),
    );
    assert_eq!(
        bench.operate(read("/3/0/1")).0.error(),
        RequestError::NotRegistered
    );
}

#[test]
fn a_device_that_is_removed_takes_its_commands_with_it() {
    let mut bench = at_rest();
    let (mut asked, _) = bench.operate(read("/3/0/1"));
    let slot = bench.shared.directory.home("dev-1").unwrap().slot;
    let (reply, mut removed) = oneshot::channel();
    bench.shard.on_command(Command::Remove {
        slot,
        endpoint: "dev-1".to_owned(),
        reply,
    });
    assert!(removed.try_recv().unwrap());
    assert_eq!(asked.error(), RequestError::RegistrationEnded);
}

#[test]
fn a_command_can_be_taken_back_before_and_after_it_is_sent() {
    let mut bench = at_rest();
    let (mut in_flight, _) = bench.operate(read("/3/0/1"));
    let (mut waiting, _) = bench.operate(read("/3/0/2"));
    let (_third, _) = bench.operate(read("/3/0/3"));
    assert!(bench.take_back(waiting.ticket).is_empty());
    assert_eq!(waiting.error(), RequestError::Cancelled);
    let next = bench.take_back(in_flight.ticket);
    assert_eq!(in_flight.error(), RequestError::Cancelled);
    assert_eq!(next[0].path(), "/3/0/3", "the next one has its turn");
}

#[test]
fn what_the_device_can_never_be_asked_is_refused_at_once_though_it_sleeps() {
    let mut bench = sleeper();
    bench.wait(94_000);
    let overlapping = Operation::ReadComposite {
        paths: vec![path("/5/0"), path("/5/0/2")],
    };
    let (mut asked, _) = bench.operate(overlapping);
    assert!(matches!(asked.error(), RequestError::Invalid(_)));
}

#[test]
fn a_large_value_is_written_in_blocks_and_each_block_has_its_own_time() {
    let mut bench = at_rest();
    let bytes: Box<[u8]> = (0..2_500u32).map(|n| n as u8).collect();
    let record = Record {
        path: path("/19/0/0/0"),
        time: None,
        value: Some(Value::Opaque(bytes.clone())),
    };
    let (mut asked, mut sent) = bench.ask_device(
        "dev-1",
        DeviceRequest {
            content_format: Some(42),
            ..command(DeviceCommand::Operation(Operation::Write {
                path: path("/19/0/0/0"),
                mode: WriteMode::Replace,
                records: vec![record],
            }))
        },
    );
    let mut received = Vec::new();
    for number in 0..3 {
        let view = sent[0].view();
        let block = view.block1().unwrap().unwrap();
        assert_eq!((block.num(), block.more()), (number, number < 2));
        assert_eq!(view.size1(), (number == 0).then_some(2_500));
        received.extend_from_slice(view.payload());
        // Longer in all than one command may take.
        bench.wait(1_500);
        let code = if block.more() {
            Code::CONTINUE
        } else {
            Code::CHANGED
        };
        let options = [(option::BLOCK1, block.encode())];
        let next = bench.answer(&sent[0], code, &options, b"");
        bench.wait(TIMEOUT - 3_000);
        if number < 2 {
            assert!(asked.outcome().is_none());
            sent = next;
        }
    }
    assert_eq!(received, *bytes);
    assert_eq!(asked.answer(), DeviceAnswer::Changed);
}

#[test]
fn a_large_answer_is_fetched_in_blocks() {
    let mut bench = at_rest();
    let (mut asked, mut sent) = bench.operate(read("/3/0/1"));
    let text = "0123456789abcdef".repeat(3);
    for number in 0..3u32 {
        let block = BlockValue::new(number, number < 2, 0).unwrap();
        if number > 0 {
            let wanted = sent[0].view().block2().unwrap().unwrap();
            assert_eq!((wanted.num(), wanted.szx()), (number, 0));
        }
        let at = number as usize * 16;
        let options = [
            (option::CONTENT_FORMAT, 0),
            (option::BLOCK2, block.encode()),
        ];
        sent = bench.answer(
            &sent[0],
            Code::CONTENT,
            &options,
            &text.as_bytes()[at..at + 16],
        );
    }
    assert_eq!(
        asked.values(),
        [("/3/0/1".to_owned(), Value::String(text.into()))]
    );
}

#[test]
fn nonsense_for_an_answer_is_an_error_and_the_device_goes_on() {
    let mut bench = at_rest();
    type Nonsense<'a> = (Code, &'a [(u16, u32)], &'a [u8]);
    let cases: [Nonsense<'_>; 6] = [
        (Code::CREATED, &[], b""),
        (Code::CONTENT, &[(option::CONTENT_FORMAT, 40)], b"</3>"),
        (
            Code::CONTENT,
            &[(option::CONTENT_FORMAT, 11542)],
            &[0xc8, 9, 200],
        ),
        (
            Code::CONTENT,
            &[(option::CONTENT_FORMAT, 112)],
            &[0x81, 0xa1],
        ),
        (
            Code::CONTENT,
            &[(option::CONTENT_FORMAT, 110)],
            b"[{\"n\":\"/3/0/",
        ),
        (
            Code::CONTENT,
            &[(option::CONTENT_FORMAT, 110)],
            b"[{\"n\":\"/5/0/3\",\"v\":1}]",
        ),
    ];
    for (code, options, body) in cases {
        let (mut asked, sent) = bench.operate(read("/3/0/9"));
        bench.answer(&sent[0], code, options, body);
        let error = asked.error();
        assert!(matches!(error, RequestError::Answer(_)), "{error}");
    }
    let (mut asked, sent) = bench.operate(read("/3/0/9"));
    let foreign = message(
        MessageType::Acknowledgement,
        Code::CONTENT,
        sent[0].view().mid(),
        b"notours!",
        TEXT,
        b"1",
    );
    bench.send(peer(1), &foreign);
    assert!(asked.outcome().is_none(), "another token is no answer");
    bench.answer(&sent[0], Code::CONTENT, TEXT, b"33");
    assert_eq!(asked.values(), [("/3/0/9".to_owned(), Value::Integer(33))]);
    let (mut asked, sent) = bench.operate(read("/3/0/9"));
    let reset = message(
        MessageType::Reset,
        Code::EMPTY,
        sent[0].view().mid(),
        b"",
        &[],
        b"",
    );
    bench.send(peer(1), &reset);
    assert_eq!(asked.error(), RequestError::Reset);
    assert_eq!(bench.registration("dev-1").queue_length, 0);
}

#[test]
fn a_value_that_was_written_is_the_value_of_the_device() {
    let mut bench = at_rest();
    let write = |text: &str| Operation::Write {
        path: path("/3/0/1"),
        mode: WriteMode::Replace,
        records: vec![Record {
            path: path("/3/0/1"),
            time: None,
            value: Some(Value::String(text.into())),
        }],
    };
    let (mut asked, sent) = bench.operate(write("R2"));
    bench.answer(&sent[0], Code::METHOD_NOT_ALLOWED, &[], b"");
    asked.error();
    assert_eq!(bench.attributes("dev-1")["modelNumber"].value, "R1");
    let (mut asked, sent) = bench.operate(write("R2"));
    bench.answer(&sent[0], Code::CHANGED, &[], b"");
    assert_eq!(asked.answer(), DeviceAnswer::Changed);
    assert_eq!(bench.attributes("dev-1")["modelNumber"].value, "R2");
}

#[test]
fn a_panic_fails_the_commands_of_that_device() {
    let mut bench = at_rest();
    let (mut asked, sent) = bench.operate(read("/3/0/1"));
    let slot = bench.shared.directory.home("dev-1").unwrap().slot;
    if let crate::engine::endpoint::slot::State::Rest(core) =
        &mut bench.shard.endpoints.get_mut(slot).unwrap().state
    {
        core.inject_fault();
    }
    bench.answer(&sent[0], Code::CONTENT, TEXT, b"R1");
    assert_eq!(asked.error(), RequestError::Failed);
}
