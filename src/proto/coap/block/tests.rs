//! Behaviour of block-wise transfer.

mod assembler;
mod conversations;
mod reader;
mod rfc_examples;
mod writer;

use super::*;
use crate::proto::coap::{Code, MessageType, MessageView, MessageWriter, option};

/// `num/more/size` as RFC 7959 §3 writes it.
fn block(num: u32, more: u32, size: usize) -> BlockValue {
    let szx = size.trailing_zeros() as u8 - 4;
    BlockValue::new(num, more == 1, szx).unwrap()
}

/// A body in which every 16 bytes differ.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 16 + at % 16) as u8).collect()
}

/// A response, from its parts.
#[derive(Clone, Copy, Default)]
struct Response<'a> {
    etag: Option<&'a [u8]>,
    observe: Option<u32>,
    content_format: Option<u32>,
    block2: Option<BlockValue>,
    block1: Option<BlockValue>,
    size2: Option<u32>,
    size1: Option<u32>,
    payload: &'a [u8],
}

impl Response<'_> {
    fn encode(&self, code: Code) -> Vec<u8> {
        let mut buffer = Vec::new();
        let ack = MessageType::Acknowledgement;
        let mut writer = MessageWriter::new(&mut buffer, ack, code, 1, &[1]);
        if let Some(etag) = self.etag {
            writer.option(option::ETAG, etag);
        }
        let block = |value: Option<BlockValue>| value.map(BlockValue::encode);
        for (number, value) in [
            (option::OBSERVE, self.observe),
            (option::CONTENT_FORMAT, self.content_format),
            (option::BLOCK2, block(self.block2)),
            (option::BLOCK1, block(self.block1)),
            (option::SIZE2, self.size2),
            (option::SIZE1, self.size1),
        ] {
            if let Some(value) = value {
                writer.uint(number, value);
            }
        }
        writer.payload(self.payload);
        writer.finish();
        buffer
    }
}

fn read(reader: &mut BodyReader, response: Response<'_>) -> Result<Read, ReadError> {
    let bytes = response.encode(Code::CONTENT);
    reader.feed(&MessageView::parse(&bytes).unwrap())
}

fn answer<B: AsRef<[u8]>>(
    writer: &mut BodyWriter<B>,
    code: Code,
    response: Response<'_>,
) -> Result<Written, WriteError> {
    let bytes = response.encode(code);
    writer.on_response(&MessageView::parse(&bytes).unwrap())
}
