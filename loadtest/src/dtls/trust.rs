//! Which server a device takes for the right one.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::ssl::{SslContextBuilder, SslVerifyMode};
use openssl::x509::store::X509StoreBuilderRef;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Ref, X509StoreContextRef};

/// What a server has to show. With a pre-shared key it has shown enough by knowing it.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Nothing: any server will do.
    Anyone,
    /// This raw public key.
    PublicKey(PKey<Public>),
    /// A certificate, by the certificate usage of LwM2M Core 1.2 (/0/x/15).
    Certificate {
        /// What `certificate` is: 0, an authority the server's certificate has to come from; 1, the server's own,
        /// valid by `anchors` as well; 2, the trust anchor; 3, the server's own.
        usage: u8,
        certificate: X509,
        /// Authorities, for the usages 0 and 1.
        anchors: Vec<X509>,
    },
}

impl Trust {
    /// Sets a context up for it. A raw public key is set for each object instead.
    pub(super) fn prepare(&self, ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        match self {
            Self::Anyone => ctx.set_verify(SslVerifyMode::NONE),
            Self::PublicKey(_) => ctx.set_verify(SslVerifyMode::PEER),
            Self::Certificate {
                usage,
                certificate,
                anchors,
            } => {
                let (usage, expected) = (*usage, certificate.clone());
                let store = ctx.cert_store_mut();
                if usage == 2 {
                    trust(store, certificate)?;
                }
                if usage < 2 {
                    anchors.iter().try_for_each(|anchor| trust(store, anchor))?;
                }
                ctx.set_verify_callback(SslVerifyMode::PEER, move |valid, chain| {
                    is_accepted(usage, &expected, valid, chain)
                });
            }
        }
        Ok(())
    }
}

fn trust(store: &mut X509StoreBuilderRef, certificate: &X509) -> Result<(), ErrorStack> {
    store.add_cert(certificate.clone())?;
    // An anchor need not be a root.
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)
}

/// The outcome for one certificate of the chain; the server's own is at depth 0 and comes last.
fn is_accepted(usage: u8, expected: &X509Ref, valid: bool, chain: &X509StoreContextRef) -> bool {
    let own = chain.error_depth() == 0;
    let is_expected = |certificate: &X509Ref| same(certificate, expected);
    match usage {
        0 => {
            let from = || {
                chain
                    .chain()
                    .is_some_and(|all| all.iter().skip(1).any(is_expected))
            };
            valid && (!own || from())
        }
        1 => valid && (!own || chain.current_cert().is_some_and(is_expected)),
        2 => valid,
        _ => !own || chain.current_cert().is_some_and(is_expected),
    }
}

fn same(one: &X509Ref, other: &X509Ref) -> bool {
    matches!((one.to_der(), other.to_der()), (Ok(one), Ok(other)) if one == other)
}
