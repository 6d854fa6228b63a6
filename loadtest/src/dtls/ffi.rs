//! The functions of libssl that the `openssl` crate has no safe name for. The only unsafe code of this crate.

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Public};
use openssl::ssl::{SslContextBuilder, SslRef, SslSession};
use openssl_sys as sys;
use std::ffi::{c_char, c_int};

/// `TLSEXT_cert_type_rpk`.
const RAW_PUBLIC_KEY: u8 = 2;

// SAFETY: names and types are those of OpenSSL's ssl.h, 3.2 and later; the library is the one that `openssl-sys` links.
unsafe extern "C" {
    fn SSL_CTX_set1_server_cert_type(ctx: *mut sys::SSL_CTX, val: *const u8, len: usize) -> c_int;
    fn SSL_CTX_set1_client_cert_type(ctx: *mut sys::SSL_CTX, val: *const u8, len: usize) -> c_int;
    fn SSL_CTX_dane_enable(ctx: *mut sys::SSL_CTX) -> c_int;
    fn SSL_dane_enable(ssl: *mut sys::SSL, basedomain: *const c_char) -> c_int;
    fn SSL_add_expected_rpk(ssl: *mut sys::SSL, key: *mut sys::EVP_PKEY) -> c_int;
}

/// Raw public keys for both sides, and nothing else (RFC 7250).
pub fn use_raw_public_keys(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    let types = [RAW_PUBLIC_KEY];
    // SAFETY: the context is alive and not shared yet; the callee copies the list.
    unsafe {
        check(SSL_CTX_set1_server_cert_type(
            ctx.as_ptr(),
            types.as_ptr(),
            types.len(),
        ))?;
        check(SSL_CTX_set1_client_cert_type(
            ctx.as_ptr(),
            types.as_ptr(),
            types.len(),
        ))
    }
}

/// Lets objects of a context expect a certain key: [`expect_raw_public_key`].
pub fn allow_expectations(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    // SAFETY: the context is alive and not shared yet.
    unsafe { check(SSL_CTX_dane_enable(ctx.as_ptr())) }
}

/// Takes the server for authentic only when it has this raw public key.
pub fn expect_raw_public_key(ssl: &mut SslRef, key: &PKeyRef<Public>) -> Result<(), ErrorStack> {
    // SAFETY: both objects are alive; the callee takes a reference of its own to the key.
    unsafe {
        check(SSL_dane_enable(ssl.as_ptr(), std::ptr::null()))?;
        check(SSL_add_expected_rpk(ssl.as_ptr(), key.as_ptr()))
    }
}

/// Offers to resume a session that was written as DER.
pub fn resume(ssl: &mut SslRef, session: &[u8]) -> Result<(), ErrorStack> {
    let session = SslSession::from_der(session)?;
    // SAFETY: the crate asks that the session belongs to the same context. Callers keep sessions by device, and a device
    // has one context for the whole run; the callee takes a reference of its own.
    unsafe { ssl.set_session(&session) }
}

fn check(code: c_int) -> Result<(), ErrorStack> {
    if code > 0 {
        Ok(())
    } else {
        Err(ErrorStack::get())
    }
}
