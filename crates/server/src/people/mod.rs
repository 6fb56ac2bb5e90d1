//! Who there is, who is signed in, and with what they prove it: [`People`].

use http::{HeaderMap, Method};
use model::access::Grants;

use crate::caller::{Caller, Via};
use crate::peer::{Peer, Whence};
use crate::problem::Problem;

/// Users, grants, sessions and tokens.
#[derive(Debug, Default)]
pub struct People {}

impl People {
    /// What a caller may see and do at present; `None` when what they proved themselves with has ended.
    pub(crate) async fn still(&self, caller: &Caller) -> Option<Grants> {
        match caller.via {
            Via::Socket { .. } => Some(caller.grants.clone()),
            Via::Session { .. } | Via::Token { .. } => None,
        }
    }

    /// Who sends a request; `None` when it does not say.
    ///
    /// # Errors
    /// When it says, but that is not believed.
    pub(crate) fn identify(
        &self,
        _method: &Method,
        _headers: &HeaderMap,
        whence: &Whence,
    ) -> Result<Option<Caller>, Problem> {
        match &whence.peer {
            Peer::Unix { uid, name } => Ok(Some(Caller {
                name: name.clone().unwrap_or_else(|| format!("uid {uid}")),
                from: whence.text(),
                via: Via::Socket { uid: *uid },
                grants: Grants::administrator(),
            })),
            Peer::Tcp { .. } => Ok(None),
        }
    }
}
