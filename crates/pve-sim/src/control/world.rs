//! Edits of what is behind the sockets, as the control port takes them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::door::Remote;

/// One edit: `{"do": "kill-node", "node": "pve2"}`.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Edit {
    /// Ends every ticket.
    ExpireTickets {},
}

/// Carries one edit out; what it gave, or why it could not be.
pub(super) fn edit(remote: &Remote, body: &[u8]) -> Result<Value, String> {
    let edit: Edit = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match edit {
        Edit::ExpireTickets {} => remote.with_world(|world, now| world.expire_tickets(now)),
    }
    Ok(json!({}))
}
