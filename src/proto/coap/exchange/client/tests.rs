use super::*;
use crate::proto::coap::{Code, MessageWriter};

const MID: u16 = 0x7d34;
const TOKEN: &[u8] = &[0x20];

fn message(kind: MessageType, code: Code, mid: u16, token: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    MessageWriter::new(&mut buffer, kind, code, mid, token).finish();
    buffer
}

fn request(kind: MessageType) -> Exchange {
    with_params(kind, &TransmissionParams::default(), 1)
}

fn with_params(kind: MessageType, params: &TransmissionParams, seed: u64) -> Exchange {
    let bytes = message(kind, Code::GET, MID, TOKEN).into_boxed_slice();
    let mut rng = fastrand::Rng::with_seed(seed);
    Exchange::new(bytes, Tick::ZERO, params, &mut rng)
}

fn matches(exchange: &Exchange, kind: MessageType, code: Code, mid: u16, token: &[u8]) -> Matched {
    let bytes = message(kind, code, mid, token);
    exchange.accepts(&MessageView::parse(&bytes).unwrap())
}

/// The times at which the request is sent again, and the outcome at the end.
fn run_out(exchange: &mut Exchange) -> (Vec<u64>, u64, TimerOutcome) {
    let mut sent = Vec::new();
    loop {
        let now = exchange.deadline();
        match exchange.on_timer(now) {
            TimerOutcome::Retransmit => sent.push(now.as_millis()),
            end => return (sent, now.as_millis(), end),
        }
    }
}

#[test]
fn an_unanswered_con_is_sent_again_after_doubling_waits_and_then_given_up() {
    let params = TransmissionParams {
        ack_random_factor_permille: 1_000,
        ..TransmissionParams::default()
    };
    let mut exchange = with_params(MessageType::Confirmable, &params, 1);
    let (sent, end, outcome) = run_out(&mut exchange);
    assert_eq!(sent, [2_000, 6_000, 14_000, 30_000]);
    assert_eq!(end, 62_000);
    assert_eq!(
        outcome,
        TimerOutcome::TimedOut {
            acknowledged: false
        }
    );
    assert_eq!(exchange.retransmissions(), 4);
}

#[test]
fn the_random_factor_stretches_the_schedule_within_its_bounds() {
    let mut firsts = Vec::new();
    for seed in 0..500 {
        let mut exchange = with_params(
            MessageType::Confirmable,
            &TransmissionParams::default(),
            seed,
        );
        let (sent, end, _) = run_out(&mut exchange);
        let first = sent[0];
        assert!((2_000..=3_000).contains(&first));
        assert_eq!(sent, [first, 3 * first, 7 * first, 15 * first]);
        assert_eq!(end, 31 * first);
        assert!(end <= TransmissionParams::default().max_transmit_wait_ms());
        firsts.push(first);
    }
    firsts.sort_unstable();
    firsts.dedup();
    assert!(firsts.len() > 200, "the waits are not spread");
}

#[test]
fn waits_stop_doubling_at_the_cap() {
    let params = TransmissionParams {
        ack_random_factor_permille: 1_000,
        max_retransmit: 6,
        max_ack_timeout_ms: 5_000,
        ..TransmissionParams::default()
    };
    let (sent, end, _) = run_out(&mut with_params(MessageType::Confirmable, &params, 1));
    assert_eq!(sent, [2_000, 6_000, 11_000, 16_000, 21_000, 26_000]);
    assert_eq!(end, 31_000);
}

#[test]
fn the_timer_does_nothing_before_the_deadline() {
    let mut exchange = request(MessageType::Confirmable);
    assert_eq!(
        exchange.on_timer(Tick::from_millis(1_999)),
        TimerOutcome::Wait
    );
    assert_eq!(exchange.retransmissions(), 0);
}

#[test]
fn the_message_and_its_id_stay_the_same_for_every_transmission() {
    let mut exchange = request(MessageType::Confirmable);
    let before = exchange.message().to_vec();
    run_out(&mut exchange);
    assert_eq!(exchange.message(), before);
    assert_eq!(exchange.mid(), MID);
    assert_eq!(exchange.token(), TOKEN);
}

#[test]
fn an_empty_ack_ends_retransmission_and_starts_the_wait_for_the_response() {
    let mut exchange = request(MessageType::Confirmable);
    assert!(exchange.on_ack(MID, Tick::from_millis(500)));
    assert!(exchange.is_acknowledged());
    assert_eq!(exchange.deadline(), Tick::from_millis(250_500));
    assert!(exchange.on_ack(MID, Tick::from_millis(9_000)));
    assert_eq!(exchange.deadline(), Tick::from_millis(250_500));
    assert_eq!(
        matches(&exchange, MessageType::Confirmable, Code::CONTENT, 9, TOKEN),
        Matched::Separate
    );
    assert_eq!(
        exchange.on_timer(Tick::from_millis(250_500)),
        TimerOutcome::TimedOut { acknowledged: true }
    );
}

#[test]
fn a_stray_ack_or_reset_changes_nothing() {
    let mut exchange = request(MessageType::Confirmable);
    let deadline = exchange.deadline();
    assert!(!exchange.on_ack(MID + 1, Tick::from_millis(500)));
    assert!(!exchange.on_reset(MID + 1));
    assert_eq!(exchange.deadline(), deadline);
    assert!(!exchange.is_acknowledged());
}

#[test]
fn a_reset_ends_the_exchange_of_a_con_and_of_a_non() {
    assert!(request(MessageType::Confirmable).on_reset(MID));
    assert!(request(MessageType::NonConfirmable).on_reset(MID));
}

#[test]
fn a_piggybacked_response_needs_both_message_id_and_token() {
    let exchange = request(MessageType::Confirmable);
    let ack = MessageType::Acknowledgement;
    let by = |mid, token| matches(&exchange, ack, Code::CONTENT, mid, token);
    assert_eq!(by(MID, TOKEN), Matched::Piggybacked);
    assert_eq!(by(MID + 1, TOKEN), Matched::No);
    assert_eq!(by(MID, &[0x21]), Matched::No);
    assert_eq!(by(MID, &[]), Matched::No);
    assert_eq!(by(MID, &[0x20, 0]), Matched::No);
}

#[test]
fn a_separate_response_may_overtake_the_ack_and_needs_the_token_only() {
    let exchange = request(MessageType::Confirmable);
    for kind in [MessageType::Confirmable, MessageType::NonConfirmable] {
        assert_eq!(
            matches(&exchange, kind, Code::CONTENT, 0xad7b, TOKEN),
            Matched::Separate
        );
        assert_eq!(
            matches(&exchange, kind, Code::CONTENT, MID, &[0x21]),
            Matched::No
        );
    }
}

#[test]
fn a_request_with_the_same_message_id_and_token_is_no_response() {
    // Clients that derive both from the clock can use ours at the same time.
    let exchange = request(MessageType::Confirmable);
    assert_eq!(
        matches(&exchange, MessageType::Confirmable, Code::POST, MID, TOKEN),
        Matched::No
    );
}

#[test]
fn a_non_request_waits_for_the_response_and_is_never_sent_again() {
    let mut exchange = request(MessageType::NonConfirmable);
    assert_eq!(exchange.deadline(), Tick::from_millis(250_000));
    assert!(!exchange.on_ack(MID, Tick::ZERO));
    assert_eq!(
        matches(
            &exchange,
            MessageType::Acknowledgement,
            Code::CONTENT,
            MID,
            TOKEN
        ),
        Matched::No
    );
    assert_eq!(
        exchange.on_timer(exchange.deadline()),
        TimerOutcome::TimedOut {
            acknowledged: false
        }
    );
    assert_eq!(exchange.retransmissions(), 0);
}

#[test]
fn an_empty_token_matches_an_empty_token() {
    let bytes = message(MessageType::Confirmable, Code::GET, MID, &[]);
    let mut rng = fastrand::Rng::with_seed(1);
    let exchange = Exchange::new(
        bytes.into_boxed_slice(),
        Tick::ZERO,
        &TransmissionParams::default(),
        &mut rng,
    );
    let ack = MessageType::Acknowledgement;
    assert_eq!(
        matches(&exchange, ack, Code::CONTENT, MID, &[]),
        Matched::Piggybacked
    );
    assert_eq!(
        matches(&exchange, ack, Code::CONTENT, MID, TOKEN),
        Matched::No
    );
}

#[test]
fn an_exchange_costs_48_bytes_and_its_message() {
    assert!(size_of::<Exchange>() <= 48);
}
