//! Live names for the completion of command lines. Quick, and silent when there is no server.

use clap_complete::CompletionCandidate;

/// Names of remotes.
pub fn remotes() -> Vec<CompletionCandidate> {
    Vec::new()
}

/// Guests, `REMOTE/VMID`.
pub fn guests() -> Vec<CompletionCandidate> {
    Vec::new()
}

/// Nodes, `REMOTE/NODE`.
pub fn nodes() -> Vec<CompletionCandidate> {
    Vec::new()
}

/// Storages, `REMOTE/STORAGE`.
pub fn storages() -> Vec<CompletionCandidate> {
    Vec::new()
}

/// Users of Muster.
pub fn users() -> Vec<CompletionCandidate> {
    Vec::new()
}

/// Servers that this command line knows.
pub fn contexts() -> Vec<CompletionCandidate> {
    Vec::new()
}

/// Roles of Muster.
pub fn roles() -> Vec<CompletionCandidate> {
    ["viewer", "operator", "provisioner", "administrator"].map(CompletionCandidate::new).into()
}
