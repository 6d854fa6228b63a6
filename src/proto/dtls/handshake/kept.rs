//! Handshakes without encrypt-then-MAC: OpenSSL opens protected records itself.

use crate::proto::dtls::RecordDrop;
use crate::proto::dtls::endpoint::Output;
use crate::proto::dtls::protect::Protector;
use crate::proto::dtls::wire::{self, Header};
use crate::proto::time::Tick;

use super::{Handshake, MAX_HELD, Progress, Stage};

impl Handshake {
    /// Takes a protected record. One that OpenSSL has no use for yet is kept.
    pub(super) fn feed_kept(
        &mut self,
        now: Tick,
        header: &Header,
        record: &[u8],
        protector: &mut Protector,
        out: &mut Output,
    ) -> Progress {
        let running = self.cipher_changed && matches!(self.stage, Stage::Running);
        match header.content_type {
            wire::HANDSHAKE | wire::ALERT if running => {
                let progress = self.give(now, record.to_vec(), protector, out);
                // OpenSSL says nothing of what did not authenticate.
                if matches!(progress, Progress::Continue) {
                    self.note_unverified(now);
                }
                progress
            }
            wire::HANDSHAKE | wire::ALERT | wire::APPLICATION_DATA => {
                if self.undeciphered.len() == MAX_HELD {
                    return Progress::Dropped(RecordDrop::Early);
                }
                self.undeciphered.push(record.to_vec());
                Progress::Continue
            }
            _ => Progress::Dropped(RecordDrop::ContentType),
        }
    }

    /// The peer changed to the new keys, which led to `progress`: what waited for it comes next.
    pub(super) fn feed_held(
        &mut self,
        now: Tick,
        mut progress: Progress,
        protector: &mut Protector,
        out: &mut Output,
    ) -> Progress {
        self.cipher_changed = true;
        for record in std::mem::take(&mut self.undeciphered) {
            let going_on = matches!(progress, Progress::Continue | Progress::Dropped(_));
            match Header::parse(&record, 0) {
                Some(header) if going_on => {
                    progress = self.feed_kept(now, &header, &record, protector, out);
                }
                _ => self.undeciphered.push(record),
            }
        }
        progress
    }
}
