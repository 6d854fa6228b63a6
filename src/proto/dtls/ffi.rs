//! What of OpenSSL the `openssl` crate does not wrap, each behind a safe function.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_void};

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Public};
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl_sys as sys;

const SSL_CTRL_SET_MAX_CERT_LIST: c_int = 51;
const SSL_CTRL_SET_TLSEXT_TICKET_KEYS: c_int = 59;
const CERT_TYPE_X509: u8 = 0;
const CERT_TYPE_RPK: u8 = 2;

/// Larger than any handshake lasts, in microseconds: flights are repeated by the handshake's own
/// timer, on the time it is given.
const NEVER_US: c_uint = 3_600_000_000;

// SAFETY: these are the declarations of OpenSSL 3.2 and later; the types behind `c_void` are
// opaque there as well.
unsafe extern "C" {
    fn DTLSv1_listen(ssl: *mut sys::SSL, peer: *mut c_void) -> c_int;
    fn DTLS_set_timer_cb(
        ssl: *mut sys::SSL,
        cb: Option<extern "C" fn(*mut sys::SSL, c_uint) -> c_uint>,
    );
    fn BIO_ADDR_new() -> *mut c_void;
    fn BIO_ADDR_free(addr: *mut c_void);
    fn SSL_CTX_set1_server_cert_type(ctx: *mut sys::SSL_CTX, val: *const u8, len: usize) -> c_int;
    fn SSL_CTX_set1_client_cert_type(ctx: *mut sys::SSL_CTX, val: *const u8, len: usize) -> c_int;
    fn SSL_SESSION_set1_ticket_appdata(
        session: *mut sys::SSL_SESSION,
        data: *const c_void,
        len: usize,
    ) -> c_int;
    fn SSL_SESSION_get0_ticket_appdata(
        session: *mut sys::SSL_SESSION,
        data: *mut *mut c_void,
        len: *mut usize,
    ) -> c_int;
    fn EVP_PKEY_get_group_name(
        key: *const sys::EVP_PKEY,
        name: *mut c_char,
        size: usize,
        length: *mut usize,
    ) -> c_int;
    fn SSL_get0_peer_rpk(ssl: *const sys::SSL) -> *mut sys::EVP_PKEY;
}

/// Hands the ClientHello that lies in the stream, its cookie verified, to the state machine.
pub(super) fn listen(ssl: &SslRef) -> Result<(), ErrorStack> {
    // SAFETY: the SSL is alive and has a stream; the address object lives across the call and is
    // freed once. A null address is taken care of before.
    let code = unsafe {
        let peer = BIO_ADDR_new();
        if peer.is_null() {
            return Err(ErrorStack::get());
        }
        let code = DTLSv1_listen(ssl.as_ptr(), peer);
        BIO_ADDR_free(peer);
        code
    };
    check(code)
}

/// Keeps OpenSSL from repeating flights on a clock of its own.
pub(super) fn stop_retransmission_timer(ssl: &SslRef) {
    extern "C" fn never(_: *mut sys::SSL, _: c_uint) -> c_uint {
        NEVER_US
    }
    // SAFETY: the SSL is alive, and the callback looks at none of its arguments.
    unsafe { DTLS_set_timer_cb(ssl.as_ptr(), Some(never)) }
}

/// The kinds of credential in both directions (RFC 7250): what the server shows, and that it takes
/// raw public keys before certificates.
pub(super) fn set_certificate_types(
    ctx: &mut SslContextBuilder,
    raw_public_key: bool,
) -> Result<(), ErrorStack> {
    let server = [if raw_public_key {
        CERT_TYPE_RPK
    } else {
        CERT_TYPE_X509
    }];
    let client = [CERT_TYPE_RPK, CERT_TYPE_X509];
    // SAFETY: the context is alive, and the lists are copied by the callee.
    unsafe {
        let server = SSL_CTX_set1_server_cert_type(ctx.as_ptr(), server.as_ptr(), server.len());
        let client = SSL_CTX_set1_client_cert_type(ctx.as_ptr(), client.as_ptr(), client.len());
        check(server).and(check(client))
    }
}

/// The peer's raw public key, when it showed one.
pub(super) fn peer_raw_public_key(ssl: &SslRef) -> Option<PKey<Public>> {
    // SAFETY: the key is borrowed from the live SSL; its count is raised before it is owned here.
    unsafe {
        let key = SSL_get0_peer_rpk(ssl.as_ptr());
        if key.is_null() || sys::EVP_PKEY_up_ref(key) != 1 {
            return None;
        }
        Some(PKey::from_ptr(key))
    }
}

/// OpenSSL's name of the group that a key is of; `None` when it is of none that has a name.
pub(super) fn group_name<T: HasPublic>(key: &PKeyRef<T>) -> Option<CString> {
    let mut name: [c_char; 64] = [0; 64];
    let mut length = 0;
    // SAFETY: the key is alive; the callee writes a C string of at most the given size.
    unsafe {
        let code =
            EVP_PKEY_get_group_name(key.as_ptr(), name.as_mut_ptr(), name.len(), &raw mut length);
        (code == 1).then(|| CStr::from_ptr(name.as_ptr()).to_owned())
    }
}

/// Writes a note on the session that stays with it, in the id cache and in tickets.
pub(super) fn note_on_session(ssl: &SslRef, note: &[u8; 32]) -> Result<(), ErrorStack> {
    let Some(session) = ssl.session() else {
        return Err(ErrorStack::get());
    };
    // SAFETY: the session is alive, and the callee copies the bytes.
    let code = unsafe {
        SSL_SESSION_set1_ticket_appdata(session.as_ptr(), note.as_ptr().cast(), note.len())
    };
    check(code)
}

/// The note on the session, when it has one of that length.
pub(super) fn session_note(ssl: &SslRef) -> Option<[u8; 32]> {
    let session = ssl.session()?;
    let (mut data, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: the session is alive, and its bytes are copied while it is.
    unsafe {
        let code =
            SSL_SESSION_get0_ticket_appdata(session.as_ptr(), &raw mut data, &raw mut length);
        let found = code == 1 && length == 32 && !data.is_null();
        found.then(|| *data.cast::<[u8; 32]>())
    }
}

/// Protects session tickets by this key.
pub(super) fn set_ticket_key(
    ctx: &mut SslContextBuilder,
    key: &[u8; 80],
) -> Result<(), ErrorStack> {
    let mut copy = zeroize::Zeroizing::new(*key);
    let length = copy.len() as c_long;
    // SAFETY: the context is alive; the callee reads `length` bytes and keeps no pointer.
    let code = unsafe {
        sys::SSL_CTX_ctrl(
            ctx.as_ptr(),
            SSL_CTRL_SET_TLSEXT_TICKET_KEYS,
            length,
            copy.as_mut_ptr().cast(),
        )
    };
    check(code as c_int)
}

/// Bounds the bytes of certificates taken from a peer.
pub(super) fn set_max_certificate_bytes(ctx: &mut SslContextBuilder, most: u16) {
    // SAFETY: the context is alive; this control takes a number and no pointer.
    unsafe {
        sys::SSL_CTX_ctrl(
            ctx.as_ptr(),
            SSL_CTRL_SET_MAX_CERT_LIST,
            c_long::from(most),
            std::ptr::null_mut(),
        );
    }
}

fn check(code: c_int) -> Result<(), ErrorStack> {
    if code > 0 {
        Ok(())
    } else {
        Err(ErrorStack::get())
    }
}

/// A client of the tests repeats its flight after 5 ms without an answer: OpenSSL takes the last
/// 15 ms of a timer for over.
#[cfg(test)]
pub(super) fn start_quick_timer(ssl: &SslRef) {
    extern "C" fn quick(_: *mut sys::SSL, _: c_uint) -> c_uint {
        20_000
    }
    // SAFETY: the SSL is alive, and the callback looks at none of its arguments.
    unsafe { DTLS_set_timer_cb(ssl.as_ptr(), Some(quick)) }
}

/// Repeats the flight of a client of the tests if its timer says so; `false`: it gave up.
#[cfg(test)]
pub(super) fn handle_timeout(ssl: &SslRef) -> bool {
    const DTLS_CTRL_HANDLE_TIMEOUT: c_int = 74;
    // SAFETY: the SSL is alive; this control takes no pointer.
    unsafe {
        sys::SSL_ctrl(
            ssl.as_ptr(),
            DTLS_CTRL_HANDLE_TIMEOUT,
            0,
            std::ptr::null_mut(),
        ) >= 0
    }
}

/// A client of the tests wants to make the handshake again.
#[cfg(test)]
pub(super) fn renegotiate(ssl: &SslRef) {
    // SAFETY: test only; this declaration is that of OpenSSL.
    unsafe extern "C" {
        fn SSL_renegotiate(ssl: *mut sys::SSL) -> c_int;
    }
    // SAFETY: the SSL is alive.
    assert_eq!(unsafe { SSL_renegotiate(ssl.as_ptr()) }, 1);
}

/// A client of the tests offers this session again.
#[cfg(test)]
pub(super) fn resume(ssl: &SslRef, session: &openssl::ssl::SslSessionRef) {
    // SAFETY: both are alive; the callee counts its own reference to the session.
    assert_eq!(
        unsafe { sys::SSL_set_session(ssl.as_ptr(), session.as_ptr()) },
        1
    );
}

/// A client of the tests asks for fragments of 256 shifted left by `code` bytes.
#[cfg(test)]
pub(super) fn ask_max_fragment(ssl: &SslRef, code: u8) {
    // SAFETY: test only; this declaration is that of OpenSSL.
    unsafe extern "C" {
        fn SSL_set_tlsext_max_fragment_length(ssl: *mut sys::SSL, mode: u8) -> c_int;
    }
    // SAFETY: the SSL is alive; the rest is a number.
    assert_eq!(
        unsafe { SSL_set_tlsext_max_fragment_length(ssl.as_ptr(), code) },
        1
    );
}
