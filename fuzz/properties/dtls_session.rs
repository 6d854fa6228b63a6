//! Saved DTLS sessions.

use rookery::proto::dtls::{RestoreError, SavedSession, SessionId};

/// Whatever the bytes are: they are a session, all of them, or refused.
pub fn check(saved: &[u8]) {
    match SavedSession::parse(saved) {
        Ok(session) => {
            let id = session.session.as_u64();
            assert_eq!(SessionId::from_u64(id), session.session);
            assert_eq!(session.shard, saved[1]);
            let longer = [saved, &[0]].concat();
            let refused = Err(RestoreError::Malformed);
            assert_eq!(SavedSession::parse(&longer), refused);
        }
        Err(error) => {
            assert!(matches!(
                error,
                RestoreError::Malformed | RestoreError::Exhausted
            ));
        }
    }
}
