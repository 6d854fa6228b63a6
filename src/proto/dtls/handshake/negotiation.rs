//! What OpenSSL asks for during a handshake: extensions it lacks, and the pre-shared key.

use std::sync::{LazyLock, OnceLock};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{ExtensionContext, Ssl, SslContextBuilder, SslRef};
use zeroize::Zeroizing;

use crate::proto::dtls::cid::MAX_LENGTH;
use crate::proto::dtls::wire::extension::{CONNECTION_ID, RECORD_SIZE_LIMIT};

/// What a handshake wants OpenSSL to answer.
#[derive(Default)]
pub(in crate::proto::dtls) struct Answers {
    /// Our connection identifier; `None`: the extension is not answered.
    pub(in crate::proto::dtls) cid: Option<OwnCid>,
    /// The key of the peer's identity, once it was looked up.
    pub(in crate::proto::dtls) key: OnceLock<Zeroizing<Vec<u8>>>,
}

/// A connection identifier of ours, 0 to 16 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proto::dtls) struct OwnCid {
    pub(in crate::proto::dtls) bytes: [u8; MAX_LENGTH],
    pub(in crate::proto::dtls) length: u8,
}

impl OwnCid {
    pub(in crate::proto::dtls) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// `None` only when OpenSSL is out of memory at the very first handshake.
static ANSWERS: LazyLock<Option<Index<Ssl, Answers>>> = LazyLock::new(|| Ssl::new_ex_index().ok());

pub(in crate::proto::dtls) fn set_answers(ssl: &mut Ssl, answers: Answers) -> bool {
    ANSWERS
        .map(|index| ssl.set_ex_data(index, answers))
        .is_some()
}

pub(in crate::proto::dtls) fn answers(ssl: &SslRef) -> Option<&Answers> {
    ssl.ex_data((*ANSWERS)?)
}

/// Adds the extensions to a server's context. OpenSSL asks for an answer only when the client sent
/// the extension; what it sent was read from the hello before.
pub(in crate::proto::dtls) fn install(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    const LARGEST_RECORD: u16 = 1 << 14;
    let when = ExtensionContext::DTLS_ONLY
        | ExtensionContext::TLS1_2_AND_BELOW_ONLY
        | ExtensionContext::CLIENT_HELLO
        | ExtensionContext::TLS1_2_SERVER_HELLO;
    ctx.add_custom_ext(
        CONNECTION_ID,
        when,
        |ssl, _, _| {
            Ok(answers(ssl).and_then(|answers| answers.cid).map(|cid| {
                let mut value = vec![cid.length];
                value.extend_from_slice(cid.as_bytes());
                value
            }))
        },
        |_, _, _, _| Ok(()),
    )?;
    ctx.add_custom_ext(
        RECORD_SIZE_LIMIT,
        when,
        |_, _, _| Ok(Some(LARGEST_RECORD.to_be_bytes())),
        |_, _, _, _| Ok(()),
    )
}

/// Gives OpenSSL the key that was looked up; no key is an unknown identity to it.
pub(in crate::proto::dtls) fn answer_with_key(ctx: &mut SslContextBuilder) {
    ctx.set_psk_server_callback(|ssl, _, out| {
        let key = answers(ssl).and_then(|answers| answers.key.get());
        Ok(key
            .and_then(|key| {
                out.get_mut(..key.len())?.copy_from_slice(key);
                Some(key.len())
            })
            .unwrap_or(0))
    });
}
