//! The fleet over HTTP: remotes and how they are added, guests, nodes, storages, tasks, operations, history.
//!
//! Handlers only translate: into a call of [`fleet::Fleet`] or of its lists, and what comes of it into what
//! `api` declares ([`view`]), or into a [`Problem`] ([`refuse`]).

pub(crate) mod bulk;
mod charts;
mod desk;
mod events;
mod guests;
mod nodes;
mod onboardings;
mod open;
pub(crate) mod operations;
mod overview;
mod query;
mod refuse;
mod remotes;
mod storages;
mod tasks;
mod trust;
pub(crate) mod view;

use std::sync::Arc;

use api::remote::Remote;
use fleet::RemoteSnapshot;
use model::RemoteId;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::smaller::smaller;

pub use desk::{Bounds, Desk};

/// All routes about the fleet.
pub(crate) fn routes() -> OpenApiRouter<App> {
    let read = OpenApiRouter::new()
        .merge(remotes::routes())
        .merge(trust::routes())
        .merge(guests::routes())
        .merge(nodes::routes())
        .merge(storages::routes())
        .merge(charts::routes())
        .merge(tasks::routes())
        .merge(operations::routes())
        .merge(events::routes())
        .merge(overview::routes())
        .merge(query::routes());
    smaller(read).merge(onboardings::routes())
}

/// A remote as it stands. It may have been removed since the request was let in.
fn remote(app: &App, id: RemoteId) -> Result<Arc<RemoteSnapshot>, Problem> {
    app.fleet().remote(id).ok_or_else(|| Problem::not_found("remote"))
}

/// A remote in full, as the caller may see it.
pub(crate) fn told(app: &App, caller: &Caller, id: RemoteId) -> Result<Remote, Problem> {
    let remote = remote(app, id)?;
    let twin = view::twin(&remote, &app.fleet().snapshot(), &caller.visible());
    Ok(view::remote(&remote, twin))
}

/// Refuses what this process cannot do, since another looks after the remote.
fn ours(remote: &RemoteSnapshot) -> Result<(), Problem> {
    remote.elsewhere.as_ref().map_or(Ok(()), |why| Err(refuse::cause(why, None)))
}

/// Refuses what would send something to a remote that somebody disconnected, or that another process looks after.
fn connected(remote: &RemoteSnapshot) -> Result<(), Problem> {
    ours(remote)?;
    match &remote.link.state {
        model::LinkState::Disconnected { by } => Err(refuse::disconnected(&remote.name, by)),
        _ => Ok(()),
    }
}

/// How many rows of a history are given: what was asked for, within bounds.
fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(api::list::DEFAULT_LIMIT).clamp(1, api::list::MAX_LIMIT)
}
