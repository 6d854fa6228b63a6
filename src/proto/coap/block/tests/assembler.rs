use super::*;
use crate::proto::coap::exchange::Answer;
use crate::proto::time::Tick;

fn with_limits(change: impl FnOnce(&mut AssemblerLimits)) -> Assembler<u32> {
    let mut limits = AssemblerLimits {
        max_transfers: 4,
        max_body_bytes: 256,
        max_total_bytes: 512,
        max_idle_ms: 10_000,
        preferred_szx: 6,
    };
    change(&mut limits);
    Assembler::new(limits, &mut fastrand::Rng::with_seed(1))
}

fn small() -> Assembler<u32> {
    with_limits(|_| {})
}

fn feed(assembler: &mut Assembler<u32>, key: u32, value: BlockValue, body: &[u8]) -> Assembled {
    feed_at(assembler, key, value, body, 0)
}

fn feed_at(
    assembler: &mut Assembler<u32>,
    key: u32,
    value: BlockValue,
    body: &[u8],
    millis: u64,
) -> Assembled {
    let rest = &body[value.offset()..];
    let payload = rest.get(..value.size()).unwrap_or(rest);
    assembler.feed(key, value, None, payload, Tick::from_millis(millis))
}

#[test]
fn a_body_of_one_block_is_complete_at_once_and_leaves_no_state() {
    let mut assembler = small();
    let body = body(10);
    assert_eq!(
        feed(&mut assembler, 1, block(0, 0, 16), &body),
        Assembled::Complete(body)
    );
    assert_eq!(assembler.transfers(), 0);
}

#[test]
fn interleaved_transfers_do_not_mix() {
    let mut assembler = small();
    let bodies = [body(40), body(41)];
    for num in 0..2 {
        for (key, body) in [(1, &bodies[0]), (2, &bodies[1])] {
            let value = block(num, 1, 16);
            assert_eq!(
                feed(&mut assembler, key, value, body),
                Assembled::Continue(value)
            );
        }
    }
    for (key, body) in [(2, &bodies[1]), (1, &bodies[0])] {
        assert_eq!(
            feed(&mut assembler, key, block(2, 0, 16), body),
            Assembled::Complete(body.clone())
        );
    }
    assert_eq!(assembler.bytes(), 0);
}

#[test]
fn a_block_without_those_before_it_is_incomplete() {
    let mut assembler = small();
    let body = body(64);
    assert_eq!(
        feed(&mut assembler, 1, block(1, 1, 16), &body),
        Assembled::Incomplete
    );
    feed(&mut assembler, 1, block(0, 1, 16), &body);
    assert_eq!(
        feed(&mut assembler, 1, block(2, 1, 16), &body),
        Assembled::Incomplete
    );
    // The missing block mends it.
    feed(&mut assembler, 1, block(1, 1, 16), &body);
    feed(&mut assembler, 1, block(2, 1, 16), &body);
    assert_eq!(
        feed(&mut assembler, 1, block(3, 0, 16), &body),
        Assembled::Complete(body)
    );
}

#[test]
fn a_repeated_block_is_acknowledged_again_and_changes_nothing() {
    let mut assembler = small();
    let body = body(40);
    for num in [0, 1, 1, 1] {
        let value = block(num, 1, 16);
        assert_eq!(
            feed(&mut assembler, 1, value, &body),
            Assembled::Continue(value)
        );
    }
    assert_eq!(
        feed(&mut assembler, 1, block(2, 0, 16), &body),
        Assembled::Complete(body)
    );
}

#[test]
fn block_0_begins_again() {
    let mut assembler = small();
    let (old, new) = (body(64), body(40).into_iter().rev().collect::<Vec<u8>>());
    feed(&mut assembler, 1, block(0, 1, 16), &old);
    feed(&mut assembler, 1, block(1, 1, 16), &old);
    feed(&mut assembler, 1, block(0, 1, 16), &new);
    assert_eq!(assembler.transfers(), 1);
    assert_eq!(assembler.counters().superseded, 1);
    feed(&mut assembler, 1, block(1, 1, 16), &new);
    assert_eq!(
        feed(&mut assembler, 1, block(2, 0, 16), &new),
        Assembled::Complete(new)
    );
}

#[test]
fn a_repeated_last_block_gets_the_same_answer_and_no_second_body() {
    let mut assembler = small();
    let body = body(32);
    feed(&mut assembler, 1, block(0, 1, 16), &body);
    let last = block(1, 0, 16);
    assert_eq!(
        feed(&mut assembler, 1, last, &body),
        Assembled::Complete(body.clone())
    );
    assert_eq!(assembler.bytes(), 0);
    assert_eq!(
        feed(&mut assembler, 1, last, &body),
        Assembled::Repeated(None)
    );
    let answer = Answer::of(Code::CREATED);
    assembler.answered(&1, answer, 77);
    assert_eq!(
        feed(&mut assembler, 1, last, &body),
        Assembled::Repeated(Some((answer, 77)))
    );
    // Another last block than the one received is not a repetition.
    assert_eq!(
        assembler.feed(1, block(2, 0, 16), None, b"x", Tick::ZERO),
        Assembled::Incomplete
    );
    assert_eq!(
        feed_at(&mut assembler, 1, last, &body, 10_001),
        Assembled::Incomplete
    );
}

#[test]
fn an_earlier_block_that_comes_late_after_completion_is_acknowledged() {
    let mut assembler = small();
    let body = body(48);
    feed(&mut assembler, 1, block(0, 1, 16), &body);
    feed(&mut assembler, 1, block(1, 1, 16), &body);
    feed(&mut assembler, 1, block(2, 0, 16), &body);
    assert_eq!(
        feed(&mut assembler, 1, block(1, 1, 16), &body),
        Assembled::Continue(block(1, 1, 16))
    );
}

#[test]
fn the_server_asks_for_smaller_blocks_and_takes_them_where_the_large_one_ended() {
    let mut assembler = with_limits(|limits| limits.preferred_szx = 0);
    let body = body(80);
    assert_eq!(
        feed(&mut assembler, 1, block(0, 1, 64), &body),
        Assembled::Continue(block(0, 1, 16))
    );
    assert_eq!(
        feed(&mut assembler, 1, block(4, 0, 16), &body),
        Assembled::Complete(body)
    );
}

#[test]
fn a_payload_that_contradicts_its_block_is_refused_and_harms_nothing() {
    let mut assembler = small();
    let body = body(32);
    feed(&mut assembler, 1, block(0, 1, 16), &body);
    for (value, payload) in [
        (block(1, 1, 16), &body[..15]),
        (block(1, 1, 16), &body[..17]),
        (block(1, 1, 16), &[]),
        (block(1, 0, 16), &body[..17]),
        (block(0, 1, 16), &body[..15]),
    ] {
        assert_eq!(
            assembler.feed(1, value, None, payload, Tick::ZERO),
            Assembled::WrongLength
        );
    }
    assert_eq!(
        feed(&mut assembler, 1, block(1, 0, 16), &body),
        Assembled::Complete(body)
    );
}

#[test]
fn a_body_over_the_limit_is_refused_as_soon_as_it_shows() {
    let too_large = Assembled::TooLarge { limit: 256 };
    let mut assembler = small();
    // By its Size1.
    let first = body(64);
    assert_eq!(
        assembler.feed(1, block(0, 1, 64), Some(257), &first, Tick::ZERO),
        too_large
    );
    // By the position of a block, even without state.
    assert_eq!(
        assembler.feed(1, block(1_048_575, 0, 1_024), None, &[], Tick::ZERO),
        too_large
    );
    // By growing.
    let body = body(320);
    for num in 0..4 {
        feed(&mut assembler, 1, block(num, 1, 64), &body);
    }
    assert_eq!(feed(&mut assembler, 1, block(4, 0, 64), &body), too_large);
    assert_eq!((assembler.transfers(), assembler.bytes()), (0, 0));
}

#[test]
fn a_body_of_exactly_the_limit_is_taken() {
    let mut assembler = small();
    let body = body(256);
    for num in 0..3 {
        feed(&mut assembler, 1, block(num, 1, 64), &body);
    }
    assert_eq!(
        feed(&mut assembler, 1, block(3, 0, 64), &body),
        Assembled::Complete(body)
    );
}

#[test]
fn an_announced_size_reserves_nothing() {
    let mut assembler = with_limits(|limits| limits.max_body_bytes = 1 << 30);
    let first = body(16);
    assembler.feed(1, block(0, 1, 16), Some(1 << 30), &first, Tick::ZERO);
    assert!(assembler.bytes() <= 64, "{}", assembler.bytes());
}

#[test]
fn over_the_number_of_transfers_the_longest_waiting_one_gives_way() {
    let mut assembler = small();
    let body = body(48);
    for key in 0..4 {
        feed(&mut assembler, key, block(0, 1, 16), &body);
    }
    feed(&mut assembler, 0, block(1, 1, 16), &body);
    feed(&mut assembler, 9, block(0, 1, 16), &body);
    assert_eq!(assembler.transfers(), 4);
    assert_eq!(assembler.counters().evicted, 1);
    assert_eq!(
        feed(&mut assembler, 1, block(1, 1, 16), &body),
        Assembled::Incomplete
    );
    assert_eq!(
        feed(&mut assembler, 0, block(2, 0, 16), &body),
        Assembled::Complete(body)
    );
}

#[test]
fn over_the_total_of_bytes_the_longest_waiting_one_gives_way() {
    let mut assembler = with_limits(|limits| limits.max_transfers = 100);
    let body = body(256);
    for key in 0..50 {
        for num in 0..3 {
            feed(&mut assembler, key, block(num, 1, 64), &body);
            assert!(assembler.bytes() <= 512, "{}", assembler.bytes());
        }
    }
    assert!(assembler.counters().evicted >= 47);
    assert_eq!(
        feed(&mut assembler, 49, block(3, 0, 64), &body),
        Assembled::Complete(body)
    );
}

#[test]
fn an_idle_transfer_expires_and_gives_its_memory_back() {
    let mut assembler = small();
    let body = body(48);
    feed_at(&mut assembler, 1, block(0, 1, 16), &body, 0);
    feed_at(&mut assembler, 2, block(0, 1, 16), &body, 6_000);
    assembler.expire(Tick::from_millis(10_000));
    assert_eq!(assembler.transfers(), 2);
    assembler.expire(Tick::from_millis(10_001));
    assert_eq!(assembler.transfers(), 1);
    assert_eq!(assembler.counters().expired, 1);
    assert_eq!(
        feed_at(&mut assembler, 1, block(1, 1, 16), &body, 10_001),
        Assembled::Incomplete
    );
    assembler.expire(Tick::from_millis(60_000));
    assert_eq!((assembler.transfers(), assembler.bytes()), (0, 0));
}

#[test]
fn blocks_beyond_number_4095_are_put_together() {
    let mut assembler = with_limits(|limits| {
        limits.max_body_bytes = 100_000;
        limits.max_total_bytes = 200_000;
    });
    let body = body(5_000 * 16);
    for num in 0..4_999 {
        let value = block(num, 1, 16);
        assert_eq!(
            feed(&mut assembler, 1, value, &body),
            Assembled::Continue(value)
        );
    }
    assert_eq!(
        feed(&mut assembler, 1, block(4_999, 0, 16), &body),
        Assembled::Complete(body)
    );
}
