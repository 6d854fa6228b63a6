//! Who the peer says it is, and what the verdict on it does.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::proto::dtls::endpoint::Output;
use crate::proto::dtls::protect::Protector;
use crate::proto::dtls::suite::Kind;
use crate::proto::dtls::wire::{self, Assembly, Fragment, Header};
use crate::proto::dtls::{
    AlertDescription, Claim, Curve, FailReason, RecordDrop, Verdict, alert, ffi,
};
use crate::proto::time::Tick;

use super::{Handshake, Progress, Stage, negotiation};

/// Longest PSK identity taken (RFC 4279 §5.3 asks for 128 bytes to be supported).
const MAX_IDENTITY: usize = 128;
/// Longest pre-shared key OpenSSL is given.
const MAX_KEY: usize = 256;

/// What a session remembers of the pre-shared key that it was made with.
fn key_note(key: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(b"psk of a session")
        .chain_update(key)
        .finalize()
        .into()
}

impl Handshake {
    /// The identity is in clear: the key is looked up before OpenSSL asks for it.
    pub(super) fn park_key_exchange(
        &mut self,
        header: &Header,
        record: &[u8],
        message: &Fragment,
        out: &mut Output,
    ) -> Progress {
        if message.length > MAX_IDENTITY + 2 {
            return self.refuse(
                FailReason::MalformedIdentity,
                AlertDescription::UnknownPskIdentity,
                out,
            );
        }
        let record = if message.is_whole() {
            record.to_vec()
        } else {
            let assembly = match &mut self.identity {
                Some(assembly) if message.offset > 0 => assembly,
                empty => empty.insert(Assembly::begin(message)),
            };
            if !assembly.add(message) {
                return Progress::Dropped(RecordDrop::Early);
            }
            let Some(body) = assembly.whole() else {
                return Progress::Continue;
            };
            wire::handshake_record(
                wire::CLIENT_KEY_EXCHANGE,
                assembly.message_seq(),
                header.sequence,
                wire::DTLS12,
                body,
            )
        };
        let message = record.get(wire::RECORD_HEADER..).and_then(Fragment::parse);
        let Some(identity) = message.and_then(|message| wire::psk_identity(message.body)) else {
            return self.refuse(FailReason::Protocol, AlertDescription::DecodeError, out);
        };
        let claim = Claim::PskIdentity(identity.into());
        self.claim = Some(claim.clone());
        // OpenSSL would cut it there, and remember another identity in a ticket.
        if identity.contains(&0) {
            return self.refuse(
                FailReason::MalformedIdentity,
                AlertDescription::UnknownPskIdentity,
                out,
            );
        }
        self.identity = None;
        self.stage = Stage::Key(vec![record]);
        Progress::Lookup {
            claim,
            resumed: false,
        }
    }

    /// Takes the verdict; `None` when none is waited for.
    pub(in crate::proto::dtls) fn answer(
        &mut self,
        now: Tick,
        verdict: Verdict,
        protector: &mut Protector,
        out: &mut Output,
    ) -> Option<Progress> {
        match (std::mem::replace(&mut self.stage, Stage::Running), verdict) {
            (Stage::Running, _) => None,
            (_, Verdict::Refused(why)) => Some(self.refuse(FailReason::Refused, why, out)),
            (Stage::Key(parked), Verdict::Psk(key)) if (1..=MAX_KEY).contains(&key.len()) => {
                if ffi::note_on_session(self.stream.ssl(), &key_note(&key)).is_err() {
                    let why = AlertDescription::InternalError;
                    return Some(self.refuse(FailReason::Internal, why, out));
                }
                if let Some(answers) = negotiation::answers(self.stream.ssl()) {
                    let _ = answers.key.set(key);
                }
                self.approved = true;
                let mut progress = Progress::Continue;
                for record in parked {
                    progress = self.give(now, record, protector, out);
                    if !matches!(progress, Progress::Continue) {
                        break;
                    }
                }
                Some(progress)
            }
            (Stage::Key(_), _) => {
                Some(self.refuse(FailReason::Internal, AlertDescription::InternalError, out))
            }
            (Stage::Verdict, Verdict::Psk(key))
                if !ffi::session_note(self.stream.ssl())
                    .is_some_and(|note| note.ct_eq(&key_note(&key)).into()) =>
            {
                // The session that is resumed was made with another key of this identity.
                Some(self.refuse(FailReason::Refused, AlertDescription::HandshakeFailure, out))
            }
            (Stage::Verdict, _) => {
                self.approved = true;
                self.transmit(now, out);
                Some(if self.finished {
                    Progress::Done
                } else {
                    Progress::Continue
                })
            }
        }
    }

    /// Hands out who the peer is, and keeps our Finished back until the verdict.
    pub(super) fn ask(&mut self, resumed: bool, out: &mut Output) -> Progress {
        match self.shown() {
            Ok(claim) => {
                self.claim = Some(claim.clone());
                self.stage = Stage::Verdict;
                Progress::Lookup { claim, resumed }
            }
            Err(reason) => self.refuse(reason, AlertDescription::UnsupportedCertificate, out),
        }
    }

    /// Who the peer is by what it showed, now or in the session that is resumed.
    fn shown(&self) -> Result<Claim, FailReason> {
        let ssl = self.stream.ssl();
        if self.kind == Kind::Psk {
            let identity = ssl.psk_identity().ok_or(FailReason::Internal)?;
            return Ok(Claim::PskIdentity(identity.into()));
        }
        if let Some(key) = ffi::peer_raw_public_key(ssl) {
            if Curve::of(&key).is_none() {
                return Err(FailReason::WeakKey);
            }
            let der = key.public_key_to_der().map_err(|_| FailReason::Internal)?;
            return Ok(Claim::RawPublicKey(der.into()));
        }
        let leaf = ssl.peer_certificate().ok_or(FailReason::Internal)?;
        let curve = leaf.public_key().ok().and_then(|key| Curve::of(&key));
        if curve.is_none() {
            return Err(FailReason::WeakKey);
        }
        let mut chain = vec![leaf.to_der().map_err(|_| FailReason::Internal)?];
        for certificate in ssl.peer_cert_chain().into_iter().flatten() {
            let der = certificate.to_der().map_err(|_| FailReason::Internal)?;
            if der != chain[0] {
                chain.push(der);
            }
        }
        Ok(Claim::Certificate(
            chain.into_iter().map(Vec::into_boxed_slice).collect(),
        ))
    }

    /// Ends it with an alert.
    fn refuse(&mut self, reason: FailReason, why: AlertDescription, out: &mut Output) -> Progress {
        let mut record = Vec::new();
        let content = [alert::FATAL, why.code()];
        let sequence = self.plain_sequence;
        wire::put_plain_record(&mut record, wire::ALERT, wire::DTLS12, sequence, &content);
        self.plain_sequence += 1;
        out.send(self.peer, &record);
        Progress::Failed(reason)
    }
}
