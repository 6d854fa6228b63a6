//! The server's event streams of the followed devices: when it shows which value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::api::{Api, ApiError};
use super::device::Kind;
use super::latency::Sighting;
use super::settings::Settings;
use crate::clock::Clock;

/// Streams that are being read.
pub struct Watching {
    seen: Rc<RefCell<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

/// What came by them.
#[derive(Debug, Default)]
pub struct Seen {
    /// Values, in the order of their arrival.
    pub sightings: Vec<Sighting>,
    /// Events that the server says it could not send.
    pub lost: u64,
}

impl Watching {
    /// Reads the streams of these devices, by number and name. Has to run in a `LocalSet`.
    ///
    /// # Errors
    /// When a stream cannot be opened.
    pub async fn start(
        api: &Api,
        settings: &Settings,
        devices: Vec<(u32, String)>,
        clock: Clock,
    ) -> Result<Self, ApiError> {
        let seen = Rc::<RefCell<Seen>>::default();
        let keys: HashMap<String, u8> = (0..)
            .zip(settings.paths())
            .map(|(resource, path)| (Settings::key(&path), resource))
            .collect();
        let keys = Rc::new(keys);
        let mut tasks = Vec::new();
        for (device, name) in devices {
            let mut connection = api.connect().await?;
            let path = format!("/api/v1/devices/{name}/events");
            let response = connection
                .send(Method::GET, &path, "application/json", String::new())
                .await?;
            let (seen, keys) = (Rc::clone(&seen), Rc::clone(&keys));
            tasks.push(tokio::task::spawn_local(async move {
                read(response.into_body(), |event| {
                    note(&mut seen.borrow_mut(), &keys, device, event, clock);
                })
                .await;
                drop(connection);
            }));
        }
        Ok(Self { seen, tasks })
    }

    /// Stops reading.
    #[must_use]
    pub fn stop(self) -> Seen {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.seen.take()
    }
}

/// Reads a stream of server-sent events to its end.
async fn read(mut body: Incoming, mut take: impl FnMut(&Value)) {
    let mut lines = Lines::default();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(bytes) = frame.data_ref() {
            lines.feed(bytes, &mut take);
        }
    }
}

fn note(seen: &mut Seen, keys: &HashMap<String, u8>, device: u32, event: &Value, clock: Clock) {
    if event["type"] == "telemetry" {
        let resource = event["key"].as_str().and_then(|key| keys.get(key));
        let count = event["value"].as_f64().and_then(Kind::count);
        if let (Some(&resource), Some(count)) = (resource, count) {
            seen.sightings.push(Sighting {
                device,
                resource,
                count,
                at: clock.now(),
            });
        }
    } else if let Some(lost) = event["count"].as_u64() {
        seen.lost += lost;
    }
}

/// Puts lines together from what arrives, and takes the data out of them.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], take: &mut impl FnMut(&Value)) {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else {
            return;
        };
        let rest = self.rest.split_off(end + 1);
        for line in std::mem::replace(&mut self.rest, rest).split(|&byte| byte == b'\n') {
            if let Some(data) = line.strip_prefix(b"data: ")
                && let Ok(event) = serde_json::from_slice(data)
            {
                take(&event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_put_together_from_pieces() {
        let text =
            b": connected\n\nid: 1\nevent: telemetry\ndata: {\"a\":1}\n\ndata: {\"a\":2}\n\n";
        for length in [1, 7, text.len()] {
            let (mut lines, mut taken) = (Lines::default(), Vec::new());
            for piece in text.chunks(length) {
                lines.feed(piece, &mut |event| taken.push(event.clone()));
            }
            assert_eq!(taken, [json!({"a": 1}), json!({"a": 2})]);
        }
    }

    #[test]
    fn values_of_known_keys_are_noted_and_losses_counted() {
        let keys = HashMap::from([("r3303_0_5700".to_owned(), 4)]);
        let (mut seen, clock) = (Seen::default(), Clock::start(1_000));
        for event in [
            json!({"type": "telemetry", "key": "r3303_0_5700", "value": 20.75}),
            json!({"type": "telemetry", "key": "other", "value": 20.75}),
            json!({"type": "updated"}),
            json!({"count": 3}),
        ] {
            note(&mut seen, &keys, 9, &event, clock);
        }
        assert_eq!(seen.sightings.len(), 1);
        let sighting = seen.sightings[0];
        assert_eq!(
            (sighting.device, sighting.resource, sighting.count),
            (9, 4, 3)
        );
        assert_eq!(seen.lost, 3);
    }
}
