use std::time::Duration;

use serde_json::json;
use tokio::time::advance;

use super::scripted::{Bench, START, read, settle, unanswered};
use crate::services::engine::{RequestError, Waiting};
use crate::services::rpc::{
    FINISHED_KEPT_MILLIS, MAX_FINISHED_PER_DEVICE, MAX_PENDING_PER_DEVICE, NewCommand, Rpc,
    RpcCall, RpcCommand, RpcError, RpcQuery, RpcState, ValueFormat,
};
use crate::services::storage::{Change, Store, Table};

fn new(request: RpcCall) -> NewCommand {
    NewCommand {
        request,
        oneway: false,
        timeout_millis: 10_000,
        format: ValueFormat::Text,
        retries: 2,
        expiration: None,
        additional_info: None,
    }
}

async fn submit(rpc: &Rpc) -> String {
    rpc.submit("a", new(read())).await.unwrap().to_string()
}

async fn shown(rpc: &Rpc, id: &str) -> RpcCommand {
    settle().await;
    rpc.get(id).await.unwrap()
}

async fn state(rpc: &Rpc, id: &str) -> RpcState {
    shown(rpc, id).await.state
}

fn refused(method: &str) -> RpcCall {
    RpcCall {
        method: method.to_owned(),
        params: None,
    }
}

fn asleep() -> RequestError {
    RequestError::NotSent {
        waiting: Waiting::Asleep,
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_waits_for_the_registration_and_keeps_its_result() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let mut command = new(read());
    command.additional_info = Some(json!({"ticket": 7}));
    let id = rpc.submit("a", command).await.unwrap().to_string();
    assert_eq!(state(&rpc, &id).await, RpcState::Queued);
    assert!(bench.nothing_is_asked().await);
    bench.engine.register("a");
    let mut asked = bench.asked().await;
    assert_eq!(state(&rpc, &id).await, RpcState::Queued);
    asked.send();
    assert_eq!(state(&rpc, &id).await, RpcState::Sent);
    asked.answer();
    let shown = shown(&rpc, &id).await;
    assert_eq!(shown.state, RpcState::Successful);
    assert_eq!(shown.response.unwrap()["result"], "CONTENT");
    assert_eq!(shown.additional_info, Some(json!({"ticket": 7})));
}

#[tokio::test(start_paused = true)]
async fn commands_of_a_device_go_one_at_a_time_in_order() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let mut ids = Vec::new();
    for timeout_millis in [1_000, 2_000, 3_000] {
        let command = NewCommand {
            timeout_millis,
            ..new(read())
        };
        ids.push(rpc.submit("a", command).await.unwrap().to_string());
    }
    bench.engine.register("a");
    for (id, timeout) in ids.iter().zip([1_000, 2_000, 3_000]) {
        let mut asked = bench.asked().await;
        assert_eq!(asked.request.timeout_millis, timeout);
        asked.send();
        assert!(bench.nothing_is_asked().await);
        assert_eq!(state(&rpc, id).await, RpcState::Sent);
        asked.answer();
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_waits_does_not_hold_up_another() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    submit(&rpc).await;
    rpc.submit("b", new(read())).await.unwrap();
    bench.engine.register("b");
    assert_eq!(bench.asked().await.endpoint, "b");
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_command_is_sent_again_until_the_retries_are_exhausted() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let id = submit(&rpc).await;
    for _ in 0..2 {
        let mut asked = bench.asked().await;
        asked.send();
        settle().await;
        asked.end(unanswered());
        assert_eq!(state(&rpc, &id).await, RpcState::Timeout);
    }
    bench.asked().await.end(unanswered());
    let shown = shown(&rpc, &id).await;
    assert_eq!((shown.state, shown.timeouts), (RpcState::Failed, 3));
    let text =
        "There was a Timeout and all retry attempts have been exhausted. Retry attempts set: 2";
    assert_eq!(shown.response, Some(json!({ "error": text })));
    assert!(bench.nothing_is_asked().await);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_has_failed_whether_by_the_server_or_the_device() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let by_server = rpc.submit("a", new(refused("Shout"))).await.unwrap();
    let shown_to_caller = shown(&rpc, &by_server.to_string()).await;
    assert_eq!(shown_to_caller.state, RpcState::Failed);
    let response = shown_to_caller.response.unwrap();
    assert_eq!(response["error"], "Unsupported operation type: Shout");
    let by_device = submit(&rpc).await;
    bench.asked().await.end(Err(RequestError::Reset));
    let shown_to_caller = shown(&rpc, &by_device).await;
    assert_eq!(shown_to_caller.state, RpcState::Failed);
    assert!(shown_to_caller.response.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_oneway_command_ends_as_delivered_without_its_response() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let command = NewCommand {
        oneway: true,
        ..new(read())
    };
    let id = rpc.submit("a", command).await.unwrap().to_string();
    bench.asked().await.answer();
    let shown = shown(&rpc, &id).await;
    assert_eq!((shown.state, shown.response), (RpcState::Delivered, None));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_registration_is_no_retry() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let id = submit(&rpc).await;
    let mut asked = bench.asked().await;
    asked.send();
    settle().await;
    bench.engine.deregister("a");
    asked.end(Err(RequestError::RegistrationEnded));
    let waits = shown(&rpc, &id).await;
    assert_eq!((waits.state, waits.timeouts), (RpcState::Queued, 0));
    assert!(bench.nothing_is_asked().await);
    bench.engine.register("a");
    bench.asked().await.answer();
    assert_eq!(state(&rpc, &id).await, RpcState::Successful);
}

#[tokio::test(start_paused = true)]
async fn a_sleeping_device_is_waited_for_ever_longer_and_costs_no_retry() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let id = submit(&rpc).await;
    let mut waits = Vec::new();
    for _ in 0..7 {
        let asked = bench.asked().await;
        assert_eq!(asked.request.timeout_millis, 10_000);
        waits.push(asked.request.wait_millis / 1_000);
        asked.end(Err(asleep()));
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
    let shown = shown(&rpc, &id).await;
    assert_eq!((shown.state, shown.timeouts), (RpcState::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn a_command_expires_while_the_device_is_away_or_asleep_but_not_once_it_is_sent() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let expiring = |seconds: i64| NewCommand {
        expiration: Some(START + seconds * 1_000),
        ..new(read())
    };
    let first = rpc.submit("a", expiring(30)).await.unwrap().to_string();
    let second = rpc.submit("a", expiring(10)).await.unwrap().to_string();
    advance(Duration::from_secs(11)).await;
    assert_eq!(state(&rpc, &second).await, RpcState::Expired);
    assert_eq!(state(&rpc, &first).await, RpcState::Queued);
    advance(Duration::from_secs(20)).await;
    assert_eq!(state(&rpc, &first).await, RpcState::Expired);

    bench.engine.register("a");
    let asleep = rpc.submit("a", expiring(40)).await.unwrap().to_string();
    let asked = bench.asked().await;
    advance(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(*bench.engine.cancelled.lock().unwrap(), [asked.ticket]);
    asked.end(Err(RequestError::Cancelled));
    assert_eq!(state(&rpc, &asleep).await, RpcState::Expired);

    let sent = rpc.submit("a", expiring(50)).await.unwrap().to_string();
    let mut asked = bench.asked().await;
    asked.send();
    settle().await;
    advance(Duration::from_secs(20)).await;
    asked.answer();
    assert_eq!(state(&rpc, &sent).await, RpcState::Successful);
    let late = rpc.submit("a", expiring(50)).await;
    assert!(matches!(late, Err(RpcError::Expired { .. })));
}

#[tokio::test(start_paused = true)]
async fn commands_survive_a_restart_and_one_that_was_sent_is_sent_again() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let (first, second) = (submit(&rpc).await, submit(&rpc).await);
    let mut asked = bench.asked().await;
    asked.send();
    assert_eq!(state(&rpc, &first).await, RpcState::Sent);
    bench.engine.deregister("a");
    drop(rpc);
    settle().await;
    asked.answer();
    let rpc = bench.rpc().await;
    for id in [&first, &second] {
        assert_eq!(state(&rpc, id).await, RpcState::Queued);
    }
    bench.engine.register("a");
    bench.asked().await.answer();
    assert_eq!(state(&rpc, &first).await, RpcState::Successful);
    assert_eq!(state(&rpc, &second).await, RpcState::Queued);
    bench.asked().await.answer();
    assert_eq!(state(&rpc, &second).await, RpcState::Successful);
    let third = submit(&rpc).await;
    let page = rpc
        .list(
            "a",
            &RpcQuery {
                limit: 10,
                ..RpcQuery::default()
            },
        )
        .await
        .unwrap();
    let listed: Vec<_> = page
        .items
        .iter()
        .map(|command| command.id.to_string())
        .collect();
    assert_eq!(listed, [first, second, third]);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_is_set_aside_and_stops_nothing() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let damaged = submit(&rpc).await;
    let good = submit(&rpc).await;
    drop(rpc);
    let change = Change::Put {
        table: Table::Rpc,
        key: damaged.clone(),
        value: b"{\"sequence\":".to_vec(),
    };
    bench.store.write(vec![change]).await.unwrap();
    let rpc = bench.rpc().await;
    assert_eq!(bench.store.info().unwrap().set_aside, 1);
    assert!(matches!(
        rpc.get(&damaged).await,
        Err(RpcError::NotFound { .. })
    ));
    bench.engine.register("a");
    bench.asked().await.answer();
    assert_eq!(state(&rpc, &good).await, RpcState::Successful);
}

#[tokio::test(start_paused = true)]
async fn a_command_removed_is_not_delivered_and_taken_back_when_it_is_on_its_way() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let ids = [submit(&rpc).await, submit(&rpc).await, submit(&rpc).await];
    rpc.delete(&ids[1]).await.unwrap();
    assert!(matches!(
        rpc.delete(&ids[1]).await,
        Err(RpcError::NotFound { .. })
    ));
    assert!(matches!(
        rpc.delete("none").await,
        Err(RpcError::NotFound { .. })
    ));
    bench.engine.register("a");
    let asked = bench.asked().await;
    rpc.delete(&ids[0]).await.unwrap();
    settle().await;
    assert_eq!(*bench.engine.cancelled.lock().unwrap(), [asked.ticket]);
    asked.end(Err(RequestError::Cancelled));
    bench.asked().await.answer();
    assert_eq!(state(&rpc, &ids[2]).await, RpcState::Successful);
    assert!(bench.nothing_is_asked().await);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_removed_loses_its_commands() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let id = submit(&rpc).await;
    rpc.forget("a").await.unwrap();
    assert!(matches!(rpc.get(&id).await, Err(RpcError::NotFound { .. })));
    bench.engine.register("a");
    assert!(bench.nothing_is_asked().await);
    assert_eq!(bench.store.range(Table::Rpc, None, 10).unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_device_is_bounded() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    for _ in 0..MAX_PENDING_PER_DEVICE {
        submit(&rpc).await;
    }
    let one_more = rpc.submit("a", new(read())).await;
    assert!(matches!(one_more, Err(RpcError::DeviceFull)));
    assert!(rpc.submit("b", new(read())).await.is_ok());
    bench.engine.register("a");
    bench.asked().await.answer();
    settle().await;
    assert!(rpc.submit("a", new(read())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn finished_commands_are_kept_for_their_time_and_up_to_their_number() {
    let bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let mut ids = Vec::new();
    for _ in 0..=MAX_FINISHED_PER_DEVICE {
        ids.push(
            rpc.submit("a", new(refused("Shout")))
                .await
                .unwrap()
                .to_string(),
        );
        settle().await;
    }
    assert!(matches!(
        rpc.get(&ids[0]).await,
        Err(RpcError::NotFound { .. })
    ));
    assert_eq!(state(&rpc, &ids[1]).await, RpcState::Failed);
    let kept = Duration::from_millis(FINISHED_KEPT_MILLIS.unsigned_abs());
    tokio::time::sleep(kept - Duration::from_secs(1)).await;
    assert!(rpc.get(&ids[1]).await.is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    settle().await;
    let empty = rpc
        .list(
            "a",
            &RpcQuery {
                limit: 10,
                ..RpcQuery::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(empty.items, []);
    assert_eq!(bench.store.range(Table::Rpc, None, 10).unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn commands_are_listed_by_state_page_by_page() {
    let bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(submit(&rpc).await);
    }
    let mut query = RpcQuery {
        limit: 2,
        ..RpcQuery::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = rpc.list("a", &query).await.unwrap();
        listed.extend(page.items.iter().map(|command| command.id.to_string()));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, ids);
    let sent = RpcQuery {
        state: Some(RpcState::Sent),
        ..query
    };
    assert_eq!(rpc.list("a", &sent).await.unwrap().items, []);
    let cursor = RpcQuery {
        cursor: Some("x".to_owned()),
        ..sent
    };
    assert!(matches!(
        rpc.list("a", &cursor).await,
        Err(RpcError::Cursor(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_tried_again_after_a_pause() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let id = submit(&rpc).await;
    bench.asked().await.end(Err(RequestError::QueueFull));
    assert!(bench.nothing_is_asked().await);
    advance(Duration::from_millis(1_100)).await;
    bench.asked().await.answer();
    assert_eq!(state(&rpc, &id).await, RpcState::Successful);
}
