//! Notifications of established observations (RFC 7641 §3.4, RFC 7959 §2.6).

use crate::proto::coap::MessageView;
use crate::proto::coap::block::Read;
use crate::proto::lwm2m::Path;

use super::conversation::{self, Partial};
use super::core::{EndpointCore, Inbound, Turn};
use super::outputs::{DropReason, NotificationResult};

impl EndpointCore {
    /// Takes a notification of the observation whose request had this number.
    pub(super) fn on_notification(
        &mut self,
        sequence: u16,
        message: &Inbound<'_>,
        turn: &mut Turn<'_>,
    ) {
        let view = &message.view;
        let Some(observation) = self.observations.by_token(sequence) else {
            return;
        };
        let path = observation.path;
        let tally = &mut turn.out.tally;
        turn.out.verified = true;
        if !view.code().is_success() {
            tally.notifications[NotificationResult::Error as usize] += 1;
            tally.observations -= i64::from(self.observations.remove(sequence).is_some());
            let detail = format!("the device ended the observation with {}", view.code());
            self.problems.note(
                turn.now.wall,
                "observation_ended",
                Some(path),
                detail,
                turn.out,
            );
            return;
        }
        observation.notifications = observation.notifications.saturating_add(1);
        let fresh = view
            .observe()
            .is_none_or(|seq| observation.freshness.accept(seq, turn.now.tick));
        if !fresh {
            tally.notifications[NotificationResult::Stale as usize] += 1;
            tally.dropped[DropReason::Stale as usize] += 1;
            return;
        }
        if conversation::has_more(view) {
            tally.notifications[NotificationResult::Accepted as usize] += 1;
            return self.fetch_remainder(path, view, turn);
        }
        let taken = self.take_payload(&path, view.content_format(), message.body, turn);
        let result = if taken {
            NotificationResult::Accepted
        } else {
            NotificationResult::Undecodable
        };
        turn.out.tally.notifications[result as usize] += 1;
    }

    /// Fetches the blocks that follow the first one of a notification.
    fn fetch_remainder(&mut self, path: Path, view: &MessageView<'_>, turn: &mut Turn<'_>) {
        let mut reader = conversation::new_reader(turn);
        let next = match reader.feed(view) {
            Ok(Read::Ask(next)) => next,
            Ok(Read::Complete(body)) => {
                self.take_payload(&path, view.content_format(), &body, turn);
                return;
            }
            Err(error) => return self.discard_body(path, &error, turn),
        };
        self.conversation
            .get_or_insert_default()
            .fetch(path, Partial { reader, next });
    }
}
