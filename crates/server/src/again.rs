//! What becomes of a request that comes again with its `Idempotency-Key` after Muster was stopped in the middle of it.
//!
//! Most changes are one commit, and that the request has made it is part of that commit. So either nothing was done
//! and it is done now, or it was done and the answer is how things stand.

use api::user::User;
use axum::Json;
use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use model::OperationId;
use serde::Deserialize;

use crate::app::App;
use crate::caller::Caller;
use crate::guard::Here;
use crate::problem::Problem;
use crate::routes::fleet::{self, bulk, operations};

/// What is answered about something that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The operation that it became.
    Operation,
    /// The user, as of now.
    User(StatusCode),
    /// The remote, as of now.
    Remote,
    /// That it was done.
    Nothing,
    /// That it was done, and that its answer cannot be had any more.
    Lost,
}

/// Every action that records that it was done together with what it does; whether that commit is all it does; and what
/// is shown of it afterwards.
const ACTIONS: &[(&str, bool, Shown)] = &[
    ("operations.create", true, Shown::Operation),
    ("users.create", true, Shown::User(StatusCode::CREATED)),
    ("users.grants", true, Shown::User(StatusCode::OK)),
    ("users.remove", true, Shown::Nothing),
    ("users.password", true, Shown::Nothing),
    // Its secret was told to nobody.
    ("tokens.create", true, Shown::Lost),
    ("tokens.end", true, Shown::Nothing),
    ("session.end", true, Shown::Nothing),
    ("session.end_others", true, Shown::Nothing),
    // What they answer was told to nobody.
    ("account.begin_totp", true, Shown::Lost),
    ("account.confirm_totp", true, Shown::Lost),
    ("account.recovery_codes", true, Shown::Lost),
    ("account.end_totp", true, Shown::Nothing),
    ("users.end_totp", true, Shown::Nothing),
    ("remotes.edit", true, Shown::Remote),
    ("remotes.connect", true, Shown::Remote),
    ("remotes.disconnect", true, Shown::Remote),
    ("remotes.trust", true, Shown::Remote),
    ("remotes.add_endpoint", true, Shown::Remote),
    ("remotes.remove_endpoint", true, Shown::Remote),
    // These also make or remove something on the host.
    ("remotes.remove", false, Shown::Lost),
    ("onboarding.finish", false, Shown::Lost),
];

fn of(action: &str) -> Option<(bool, Shown)> {
    ACTIONS.iter().find(|(name, ..)| *name == action).map(|(_, whole, shown)| (*whole, *shown))
}

/// Whether everything that the action does is in one commit, so that without it nothing was done.
pub(crate) fn is_one_commit(action: &str) -> bool {
    of(action).is_some_and(|(whole, _)| whole)
}

/// The answer to a request that was carried out, and whose own answer was lost.
pub(crate) async fn as_it_stands(
    app: &App,
    action: &str,
    operation: Option<OperationId>,
    parts: &mut Parts,
    body: &[u8],
) -> Result<Response, Problem> {
    let lost = || {
        Problem::conflict(
            "already_done",
            "This was done already; its answer was lost when Muster was stopped.",
        )
        .remedy("Look how things stand.")
    };
    let caller = parts.extensions.get::<Caller>().cloned().ok_or_else(Problem::internal)?;
    match of(action).map_or(Shown::Lost, |(_, shown)| shown) {
        Shown::Operation => {
            let operation = operation.ok_or_else(lost)?;
            operations::taken_on(app, &caller, operation).await?.ok_or_else(lost)
        }
        Shown::User(status) => {
            let name = user(parts, body).await.ok_or_else(lost)?;
            let user: User = app.people().user(&name, app.now().wall).ok_or_else(lost)?;
            Ok((status, Json(user)).into_response())
        }
        Shown::Remote => {
            let Some(Here(id)) = parts.extensions.get::<Here>().copied() else { return Err(lost()) };
            Ok(Json(fleet::told(app, &caller, id)?).into_response())
        }
        Shown::Nothing => Ok(StatusCode::NO_CONTENT.into_response()),
        Shown::Lost => Err(lost()),
    }
}

/// The answer to a request that was answered before, where what is kept of it is but what it is told anew from.
pub(crate) async fn many(
    app: &App,
    action: &str,
    kept: &[u8],
    parts: &Parts,
    body: &[u8],
) -> Result<Option<Response>, Problem> {
    if of(action).is_none_or(|(_, shown)| shown != Shown::Operation) {
        return Ok(None);
    }
    let caller = parts.extensions.get::<Caller>().ok_or_else(Problem::internal)?;
    Ok(bulk::told_again(app, caller, kept, body).await)
}

/// The user that a request is about: the path says, or the body.
async fn user(parts: &mut Parts, body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let params = RawPathParams::from_request_parts(parts, &()).await.ok();
    let named = params.iter().flat_map(|params| params.iter()).find(|(name, _)| *name == "user");
    match named {
        Some((_, name)) => Some(name.to_owned()),
        None => serde_json::from_slice::<Named>(body).ok().map(|named| named.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_of_actions_that_there_are() {
        let document: serde_json::Value = serde_json::from_str(&crate::openapi::document()).unwrap();
        let ids: Vec<&str> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        for (action, _, shown) in ACTIONS {
            assert!(ids.contains(action), "{action} is none of {ids:?}");
            assert_eq!(*shown == Shown::Operation, *action == "operations.create");
        }
    }
}
