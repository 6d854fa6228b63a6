//! Block-wise transfer against peers that do anything.

use std::collections::HashMap;

use rookery::proto::coap::block::{
    Assembled, Assembler, AssemblerLimits, BlockValue, BodyReader, BodyWriter, Read, Written,
};
use rookery::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};
use rookery::proto::time::Tick;

/// The first byte chooses whom the rest torments.
pub fn check(data: &[u8]) {
    let Some((role, rest)) = data.split_first() else {
        return;
    };
    let script = Script { bytes: rest };
    match role % 3 {
        0 => assembler(script),
        1 => reader(script),
        _ => writer(script),
    }
}

/// Bodies that come out are the concatenation of what was acknowledged, and the bounds hold.
fn assembler(mut script: Script<'_>) {
    let limits = AssemblerLimits {
        max_transfers: 4,
        max_body_bytes: 3_000,
        max_total_bytes: 5_000,
        max_idle_ms: 1_000,
        preferred_szx: script.byte() % 8,
    };
    let mut assembler = Assembler::new(limits, &mut fastrand::Rng::with_seed(1));
    let mut acknowledged: HashMap<u8, Vec<u8>> = HashMap::new();
    let mut now = 0;
    let mut fill = 0_u8;
    while !script.is_over() {
        let key = script.byte() % 8;
        let (Some(block), size1) = (script.block(), script.size()) else {
            continue;
        };
        let payload = vec![fill; script.length_for(block)];
        fill = fill.wrapping_add(1);
        now += u64::from(script.byte());
        let body = acknowledged.entry(key).or_default();
        // A block 0 begins a new body, unless it is refused for its length.
        if block.num() == 0 && block.allows(payload.len()) {
            body.clear();
        }
        match assembler.feed(key, block, size1, &payload, Tick::from_millis(now)) {
            Assembled::Continue(echoed) => {
                assert_eq!(echoed.num(), block.num());
                assert!(echoed.szx() <= block.szx());
                if block.offset() == body.len() {
                    body.extend_from_slice(&payload);
                }
            }
            Assembled::Complete(complete) => {
                body.extend_from_slice(&payload);
                assert_eq!(complete, *body);
                assert!(complete.len() <= limits.max_body_bytes);
            }
            _ => {}
        }
        assert!(assembler.transfers() <= limits.max_transfers);
        assert!(assembler.bytes() <= limits.max_total_bytes);
    }
    assembler.expire(Tick::from_millis(u64::MAX));
    assert_eq!((assembler.transfers(), assembler.bytes()), (0, 0));
}

/// A reader asks for blocks in order, stays within its limit and ends.
fn reader(mut script: Script<'_>) {
    const LIMIT: usize = 3_000;
    let szx = script.byte() % 8;
    let mut reader = BodyReader::new(szx, LIMIT);
    let mut asked = reader.first();
    let mut received = 0;
    while !script.is_over() {
        // Often the block asked for, or the transfer would rarely go on.
        let block = match script.byte() % 4 {
            0 => script.block(),
            1 => BlockValue::new(asked.num(), false, asked.szx()),
            _ => BlockValue::new(asked.num(), true, asked.szx()),
        };
        let payload = vec![7; block.map_or(9, |block| script.length_for(block))];
        let etag = [script.byte() % 2 + 1];
        let bytes = response(Code::CONTENT, Some(&etag), option::BLOCK2, block, &payload);
        let view = MessageView::parse(&bytes).expect("a response of ours");
        match reader.feed(&view) {
            Ok(Read::Ask(next)) => {
                assert!(next.szx() <= szx && !next.more());
                received = if next.num() == 0 {
                    0
                } else {
                    received + payload.len()
                };
                assert_eq!(next.offset(), received);
                assert!(received <= LIMIT);
                asked = next;
            }
            Ok(Read::Complete(body)) => {
                assert_eq!(body.len(), received + payload.len());
                assert!(body.len() <= LIMIT);
                return;
            }
            Err(_) => return,
        }
    }
}

/// A writer sends every byte of its body once it is acknowledged, and none beyond its end.
fn writer(mut script: Script<'_>) {
    let body: Vec<u8> = (0..usize::from(script.byte()) * 20)
        .map(|at| at as u8)
        .collect();
    let Ok(mut writer) = BodyWriter::new(&body, script.byte() % 8) else {
        return;
    };
    while !script.is_over() {
        let outgoing = writer.block();
        let start = writer.acknowledged();
        assert!(body[start..].starts_with(outgoing.payload));
        match outgoing.block1 {
            Some(block) => {
                assert_eq!(block.offset(), start);
                assert!(block.allows(outgoing.payload.len()));
                assert_eq!(block.more(), start + outgoing.payload.len() < body.len());
            }
            None => assert_eq!(outgoing.payload, body),
        }
        let code = match script.byte() % 5 {
            0 => Code::CHANGED,
            1 => Code::REQUEST_ENTITY_TOO_LARGE,
            2 => Code::REQUEST_ENTITY_INCOMPLETE,
            3 => Code::from_u8(0x40 | script.byte() & 0x3f),
            _ => Code::CONTINUE,
        };
        let echoed = match script.byte() % 4 {
            0 => script.block(),
            1 => None,
            _ => outgoing
                .block1
                .map(|block| block.with_szx_at_most(script.byte() % 8)),
        };
        let bytes = response(code, None, option::BLOCK1, echoed, &[]);
        let view = MessageView::parse(&bytes).expect("a response of ours");
        if writer.on_response(&view) != Ok(Written::Next) {
            return;
        }
        assert!(writer.acknowledged() < body.len());
    }
}

fn response(
    code: Code,
    etag: Option<&[u8]>,
    number: u16,
    block: Option<BlockValue>,
    payload: &[u8],
) -> Vec<u8> {
    let mut buffer = Vec::new();
    let kind = MessageType::Acknowledgement;
    let mut writer = MessageWriter::new(&mut buffer, kind, code, 1, &[]);
    if let Some(etag) = etag {
        writer.option(option::ETAG, etag);
    }
    if let Some(block) = block {
        writer.uint(number, block.encode());
    }
    writer.payload(payload);
    writer.finish();
    buffer
}

/// Decisions taken from the fuzzer's bytes; zeros when they are used up.
struct Script<'a> {
    bytes: &'a [u8],
}

impl Script<'_> {
    fn is_over(&self) -> bool {
        self.bytes.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    /// Mostly a block with a small number, now and then any option value.
    fn block(&mut self) -> Option<BlockValue> {
        let kind = self.byte();
        if kind < 16 {
            let value = [self.byte(), self.byte(), self.byte()];
            return BlockValue::decode(&value[..usize::from(kind % 4)]).ok();
        }
        BlockValue::new(u32::from(self.byte() % 16), kind & 1 == 1, kind >> 1 & 7)
    }

    fn size(&mut self) -> Option<u32> {
        match self.byte() {
            0..=199 => None,
            large @ 200..=219 => Some(u32::from(large) << 24),
            small => Some(u32::from(small) * 10),
        }
    }

    /// Mostly the right length for a block.
    fn length_for(&mut self, block: BlockValue) -> usize {
        match self.byte() {
            0..=15 => usize::from(self.byte()) * 5,
            16..=63 if !block.more() => block.size() / 2,
            _ => block.size(),
        }
    }
}
