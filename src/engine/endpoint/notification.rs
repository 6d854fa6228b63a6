//! Notifications of established observations (RFC 7641 §3.4, RFC 7959 §2.6).

use crate::proto::coap::MessageView;
use crate::proto::coap::block::Read;

use super::answer::{has_more, new_reader};
use super::conversation::Partial;
use super::core::{EndpointCore, Inbound, Turn};

use super::journal::{self, Severity};
use super::observations::Observed;
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
        let Some(observed) = self.observations.observed(sequence) else {
            return;
        };
        let kind = observed.kind() as usize;
        let tally = &mut turn.out.tally;
        turn.out.verified = true;
        if !view.code().is_success() {
            tally.notifications[kind][NotificationResult::Error as usize] += 1;
            tally.observations[kind] -= i64::from(self.observations.remove(sequence).is_some());
            let detail = format!("the device ended the observation with {}", view.code());
            let path = observed.paths().first().copied();
            let text = || journal::observation_ended(&observed, &detail);
            turn.out.log(Severity::Error, text);
            self.problems
                .note(turn.now.wall, "observation_ended", path, detail, turn.out);
            return;
        }
        let Some(observation) = self.observations.by_token(sequence) else {
            return;
        };
        observation.notifications = observation.notifications.saturating_add(1);
        let fresh = view
            .observe()
            .is_none_or(|seq| observation.freshness.accept(seq, turn.now.tick));
        if !fresh {
            tally.notifications[kind][NotificationResult::Stale as usize] += 1;
            tally.dropped[DropReason::Stale as usize] += 1;
            return;
        }
        if has_more(view) {
            tally.notifications[kind][NotificationResult::Accepted as usize] += 1;
            return self.fetch_remainder(observed, view, turn);
        }
        let taken = self.take_notification(&observed, view.content_format(), message.body, turn);
        let result = if taken {
            NotificationResult::Accepted
        } else {
            NotificationResult::Undecodable
        };
        turn.out.tally.notifications[kind][result as usize] += 1;
    }

    /// Fetches the blocks that follow the first one of a notification.
    fn fetch_remainder(&mut self, observed: Observed, view: &MessageView<'_>, turn: &mut Turn<'_>) {
        let mut reader = new_reader(turn);
        let path = observed.paths().first().copied();
        match reader.feed(view) {
            Ok(Read::Ask(next)) => {
                let conversation = self.conversation.get_or_insert_default();
                conversation.fetch(observed, Partial { reader, next });
            }
            Ok(Read::Complete(body)) => {
                self.take_notification(&observed, view.content_format(), &body, turn);
            }
            Err(error) => {
                turn.out.tally.dropped[DropReason::Undecodable as usize] += 1;
                let (reason, detail) = (error.discriminant(), error.to_string());
                self.problems
                    .note(turn.now.wall, reason, path, detail, turn.out);
            }
        }
    }
}
