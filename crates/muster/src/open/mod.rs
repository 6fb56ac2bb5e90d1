//! From an address to a remote that is signed in: certificate, credential, second factor, in that order.
//!
//! Nothing secret leaves before the certificate is trusted: because the system's store says so, because its
//! fingerprint was given, or because a person said yes.

pub mod sign_in;
pub mod target;
pub mod trust;
