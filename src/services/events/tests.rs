use std::sync::Arc;

use super::*;
use crate::services::engine::EventKind;

struct Source {
    engine: broadcast::Sender<Arc<Event>>,
    feed: EventFeed,
}

impl Source {
    fn new(queue: usize) -> Self {
        let engine = broadcast::Sender::new(queue);
        let subscribed = engine.clone();
        Self {
            feed: EventFeed::new(move || subscribed.subscribe(), 2),
            engine,
        }
    }

    fn emit(&self, endpoint: &str, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let event = Event {
                ts: i64::from(number),
                endpoint: endpoint.into(),
                kind: EventKind::Deregistered {
                    registration_id: String::new(),
                },
            };
            let _ = self.engine.send(Arc::new(event));
        }
    }
}

/// Reads `count` steps: timestamps of events, negative counts of losses.
async fn read(reader: &mut EventReader, count: usize) -> (Vec<i64>, EventId) {
    let mut seen = Vec::new();
    let mut last = None;
    while seen.len() < count {
        for step in reader.next().await.unwrap() {
            let (id, what) = match step {
                Step::Event(id, event) => (id, event.ts),
                Step::Lost { at, count } => (at, -count.map_or(i64::MAX, |n| n as i64)),
            };
            last = Some(id);
            seen.push(what);
        }
    }
    (seen, last.unwrap())
}

#[tokio::test]
async fn every_reader_gets_every_event_in_order() {
    let source = Source::new(64);
    let mut all = source.feed.read(None, None).unwrap();
    let mut one = source.feed.read(Some("b".into()), None).unwrap();
    source.emit("a", 0..3);
    source.emit("b", 3..5);
    assert_eq!(read(&mut all, 5).await.0, [0, 1, 2, 3, 4]);
    assert_eq!(read(&mut one, 2).await.0, [3, 4]);
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_where_it_was() {
    let source = Source::new(64);
    let mut reader = source.feed.read(None, None).unwrap();
    source.emit("a", 0..2);
    let (_, last) = read(&mut reader, 2).await;
    drop(reader);
    source.emit("a", 2..4);
    let last = last.to_string().parse().unwrap();
    let mut again = source.feed.read(None, Some(last)).unwrap();
    assert_eq!(read(&mut again, 2).await.0, [2, 3]);
}

#[tokio::test]
async fn a_slow_reader_is_told_how_many_it_lost() {
    let source = Source::new(16_384);
    let mut reader = source.feed.read(None, None).unwrap();
    source.emit("a", 0..10_000);
    let kept = CAPACITY as i64;
    while source.feed.shared.ring().newest < 10_000 {
        tokio::task::yield_now().await;
    }
    let (seen, _) = read(&mut reader, CAPACITY + 1).await;
    assert_eq!(seen[0], -(10_000 - kept));
    assert_eq!((seen[1], *seen.last().unwrap()), (10_000 - kept, 9_999));
}

#[tokio::test]
async fn what_the_engines_queue_lost_is_counted_too() {
    let source = Source::new(4);
    let mut reader = source.feed.read(None, None).unwrap();
    source.emit("a", 0..10);
    assert_eq!(read(&mut reader, 5).await.0, [-6, 6, 7, 8, 9]);
}

#[tokio::test]
async fn an_id_of_an_earlier_run_is_answered_with_a_loss_of_unknown_size() {
    let source = Source::new(64);
    let stranger = EventId {
        run: 1,
        sequence: 5,
    };
    let mut reader = source.feed.read(None, Some(stranger)).unwrap();
    source.emit("a", 7..8);
    assert_eq!(read(&mut reader, 2).await.0, [-i64::MAX, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_feed_without_readers_stops_listening_after_a_while() {
    let source = Source::new(64);
    let reader = source.feed.read(None, None).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(source.engine.receiver_count(), 1);
    drop(reader);
    tokio::time::sleep(LINGER * 3).await;
    assert_eq!(source.engine.receiver_count(), 0);
    let mut again = source.feed.read(None, None).unwrap();
    source.emit("a", 0..1);
    assert_eq!(read(&mut again, 1).await.0, [0]);
}

#[tokio::test]
async fn the_number_of_readers_is_bounded() {
    let source = Source::new(64);
    let first = source.feed.read(None, None).unwrap();
    let _second = source.feed.read(None, None).unwrap();
    let refused = source.feed.read(None, None).err();
    assert_eq!(refused, Some(TooManyReaders { limit: 2 }));
    drop(first);
    assert!(source.feed.read(None, None).is_ok());
}

#[tokio::test]
async fn the_feed_ends_with_the_engine() {
    let (engine, events) = broadcast::channel(4);
    let events = Mutex::new(Some(events));
    let feed = EventFeed::new(move || events.lock().unwrap().take().unwrap(), 1);
    let mut reader = feed.read(None, None).unwrap();
    drop::<broadcast::Sender<Arc<Event>>>(engine);
    assert!(reader.next().await.is_none());
}
