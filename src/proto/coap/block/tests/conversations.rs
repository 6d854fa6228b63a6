//! Both roles against each other, for bodies and block sizes of all kinds.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::proto::time::Tick;

proptest! {
    #[test]
    fn a_body_sent_by_the_writer_arrives_at_the_assembler(
        body in vec(any::<u8>(), 0..3_000),
        client_szx in 0..=6_u8,
        server_szx in 0..=6_u8,
    ) {
        let limits = AssemblerLimits { preferred_szx: server_szx, ..AssemblerLimits::default() };
        let mut assembler = Assembler::new(limits, &mut fastrand::Rng::with_seed(1));
        let mut writer = BodyWriter::new(&body, client_szx).unwrap();
        let arrived = loop {
            let outgoing = writer.block();
            let Some(sent) = outgoing.block1 else {
                break outgoing.payload.to_vec();
            };
            match assembler.feed((), sent, outgoing.size1, outgoing.payload, Tick::ZERO) {
                Assembled::Continue(echoed) => {
                    let response = Response { block1: Some(echoed), ..Response::default() };
                    prop_assert_eq!(answer(&mut writer, Code::CONTINUE, response), Ok(Written::Next));
                }
                Assembled::Complete(arrived) => {
                    let response = Response { block1: Some(sent), ..Response::default() };
                    prop_assert_eq!(answer(&mut writer, Code::CHANGED, response), Ok(Written::Done));
                    break arrived;
                }
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
        };
        prop_assert_eq!(arrived, body);
        prop_assert_eq!(assembler.bytes(), 0);
    }

    #[test]
    fn a_body_served_in_slices_arrives_at_the_reader(
        body in vec(any::<u8>(), 0..3_000),
        client_szx in 0..=6_u8,
        // The server may change its mind with every block.
        server_szx in vec(0..=6_u8, 1..8),
        early in any::<bool>(),
    ) {
        let mut reader = BodyReader::new(client_szx, body.len());
        let mut asked = if early { reader.first() } else { BlockValue::FIRST };
        for szx in server_szx.iter().cycle() {
            let (sent, payload) = slice(&body, asked, *szx).unwrap();
            let response = Response { block2: Some(sent), payload, ..Response::default() };
            match read(&mut reader, response).unwrap() {
                Read::Ask(next) => {
                    prop_assert!(next.szx() <= client_szx);
                    asked = next;
                }
                Read::Complete(arrived) => {
                    prop_assert_eq!(&arrived, &body);
                    break;
                }
            }
        }
    }

    #[test]
    fn whatever_is_fed_the_assembler_stays_within_its_bounds(
        blocks in vec((0..6_u8, 0..8_u32, any::<bool>(), 0..=6_u8, 0..1_100_usize), 0..200),
    ) {
        let limits = AssemblerLimits {
            max_transfers: 3,
            max_body_bytes: 2_000,
            max_total_bytes: 3_000,
            max_idle_ms: 20,
            preferred_szx: 6,
        };
        let mut assembler = Assembler::new(limits, &mut fastrand::Rng::with_seed(1));
        let payload = [7; 1_100];
        for (at, (key, num, more, szx, length)) in blocks.into_iter().enumerate() {
            let block = BlockValue::new(num, more, szx).unwrap();
            // Most blocks have the right length, or nothing would ever grow.
            let length = if length < 900 { block.size() } else { length };
            let now = Tick::from_millis(at as u64);
            if let Assembled::Complete(body) =
                assembler.feed(key, block, None, &payload[..length], now)
            {
                prop_assert!(body.len() <= limits.max_body_bytes);
            }
            prop_assert!(assembler.transfers() <= limits.max_transfers);
            prop_assert!(assembler.bytes() <= limits.max_total_bytes);
        }
    }
}
