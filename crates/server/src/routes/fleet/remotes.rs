//! `/remotes`: listed, shown, edited, connected, disconnected, removed.

use std::sync::Arc;
use std::time::Duration;

use api::onboarding::SecondFactor;
use api::remote::{Disconnect, MintedFate, Remote, RemoteEdit, RemoteRow, RemoveQuery, Removed};
use api::{ListQuery, Page};
use axum::extract::State;
use fleet::onboard::{self, Undone};
use fleet::{RemoteSnapshot, lists};
use http::StatusCode;
use model::access::Act;
use model::cause::Reach;
use model::link::{EndpointView, Health, LinkState, LinkView};
use model::query::Vocabulary;
use pve::{Factor, Secret};
use store::Write;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{connected, refuse, told, view};
use crate::app::App;
use crate::audit;
use crate::caller::Caller;
use crate::extract::{Json, Query};
use crate::guard::{Gate, Here, guard};
use crate::problem::Problem;
use crate::stream::rows;

/// The least poll interval that may be asked for, and the longest.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(24 * 3600));

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Act::Read, routes!(list)))
        .routes(guard(Act::Read, routes!(show)))
        .routes(guard(Act::Remotes, routes!(edit, remove)))
        .routes(guard(Act::Remotes, routes!(connect)))
        .routes(guard(Act::Remotes, routes!(disconnect)))
        .routes(guard(Gate::on(Act::Read).unaudited(), routes!(try_now)))
        .routes(guard(Act::Remotes, routes!(second_factor)))
}

/// Lists the remotes.
///
/// Each with its link: state, cause, since when, next try, what would mend it; and with how much is on it.
#[utoipa::path(
    get,
    path = "/remotes",
    tag = "remotes",
    params(ListQuery),
    responses((status = 200, description = "A page of remotes.", body = Page<RemoteRow>,
        example = json!({"items": [], "total": 0, "counts": {"link": {"connected": 3}}, "revision": 42}))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<RemoteRow>>, Problem> {
    let request = rows::request(Vocabulary::Remotes, &query)?;
    let snapshot = app.fleet().snapshot();
    let visible = caller.visible();
    let page = lists::remotes(&snapshot, &visible, &request, app.now().wall);
    let row =
        |remote: Arc<RemoteSnapshot>| view::remote_row(&remote, view::twin(&remote, &snapshot, &visible));
    Ok(Json(rows::page(page, |remote| Some(row(remote)))))
}

/// Shows one remote.
///
/// Its link and endpoints, how it is signed in to, and how well each kind of information is known.
#[utoipa::path(
    get,
    path = "/remotes/{remote}",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    responses((status = 200, description = "The remote.", body = Remote)),
)]
async fn show(State(app): State<App>, caller: Caller, Here(id): Here) -> Result<Json<Remote>, Problem> {
    told(&app, &caller, id).map(Json)
}

/// Changes name, poll interval or web address of a remote.
#[utoipa::path(
    patch,
    path = "/remotes/{remote}",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    request_body(content = RemoteEdit, example = json!({"name": "home", "interval_seconds": 30})),
    responses((status = 200, description = "The remote as it is now.", body = Remote)),
)]
async fn edit(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    Json(wanted): Json<RemoteEdit>,
) -> Result<Json<Remote>, Problem> {
    let interval = match wanted.interval_seconds {
        Some(Some(seconds)) => Some(Some(interval(seconds)?)),
        Some(None) => Some(None),
        None => None,
    };
    if let Some(Some(url)) = &wanted.web_url {
        check_web_url(url)?;
    }
    let edit = fleet::RemoteEdit { name: wanted.name, interval, web_url: wanted.web_url };
    app.changing().edit(id, edit, &caller.author()).await?;
    told(&app, &caller, id).map(Json)
}

/// Refuses what is no address of a web interface, and one with a password in it: everybody sees it.
fn check_web_url(url: &str) -> Result<(), Problem> {
    let read: Option<url::Url> = url.parse().ok();
    let odd = url.chars().any(|c| c.is_control() || c.is_whitespace());
    let Some(read) = read.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host() && !odd)
    else {
        return Err(Problem::invalid(
            "The address of the web interface must begin with https:// or http://.",
        ));
    };
    if !read.username().is_empty() || read.password().is_some() {
        return Err(Problem::invalid("The address of the web interface must not hold a user or a password.")
            .remedy("Leave out what stands before the @: whoever may see the remote sees this."));
    }
    Ok(())
}

fn interval(seconds: f64) -> Result<Duration, Problem> {
    let (least, most) = INTERVALS;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|interval| (least..=most).contains(interval))
        .ok_or_else(|| Problem::invalid("The poll interval is between 10 seconds and a day."))
}

/// Removes a remote.
///
/// Its name has to be typed (`confirm`). What Muster made on it to sign in can be removed with it (`minted`): token, line
/// of the access list, role. What could not be removed within some seconds is named with the reason and the command that
/// does it, and the remote is removed all the same. A token with rights of its own may not remove itself: sign in anew
/// first, and say in which onboarding (`signed_in`). Nothing happens to its guests.
#[utoipa::path(
    delete,
    path = "/remotes/{remote}",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home"), RemoveQuery),
    responses(
        (status = 200, description = "It is gone.", body = Removed,
            example = json!({"minted_removed": "root@pam!muster-1a2b3c4d"})),
        (status = 503, description = "It is still there. `removed_in_part`: what Muster made on its host is not.",
            body = api::Problem),
    ),
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    Query(query): Query<RemoveQuery>,
) -> Result<Json<Removed>, Problem> {
    let remote = super::remote(&app, id)?;
    super::ours(&remote)?;
    if query.confirm.trim() != remote.name.as_str() {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not_confirmed",
            "The name that was typed is not that of the remote.",
        )
        .detail(format!("Nothing was removed: to remove {0}, send “confirm={0}”.", remote.name)));
    }
    let open: Vec<_> =
        remote.operations.iter().filter(|one| !one.state.is_final()).map(|one| one.id).collect();
    if !open.is_empty() && !query.even_with_open {
        // Before anything is taken from the host.
        return Err(fleet::RemoveError::OpenOperations(open).into());
    }
    let (minted, wanted) = (remote.minted.clone(), query.minted.unwrap_or_default() == MintedFate::Remove);
    let undone = match (&minted, wanted, &query.signed_in) {
        (Some(minted), true, Some(signed_in)) => {
            let place = app.onboardings().find(signed_in, &caller.principal())?;
            if place.again != Some(id) {
                return Err(Problem::not_found("onboarding").detail("That is no onboarding of this remote."));
            }
            let held = place.take()?;
            let onboarding = held.as_ref().ok_or_else(|| Problem::not_found("onboarding"))?;
            let undone = onboarding.remove_minted(minted).await.map_err(|error| refuse::onboard(&error))?;
            app.onboardings().end_held(&place, held);
            undone
        }
        (Some(minted), true, None) => {
            let timings = app.onboardings().timings(&app);
            match app.fleet().remove_minted(id, &timings).await {
                Ok(undone) => undone.unwrap_or_default(),
                Err(error) => onboard::left_alone(minted, &error.to_string()),
            }
        }
        (Some(minted), false, _) => onboard::left_alone(minted, ""),
        (None, _, _) => Undone::default(),
    };
    let removed = app.changing().remove(id, &caller.author(), query.even_with_open).await;
    removed.map_err(|error| refuse::removal(error, &undone))?;
    Ok(Json(minted.map_or_else(Removed::default, |minted| view::removed(&minted, &undone, wanted))))
}

/// Connects a remote that was disconnected.
///
/// Operations that had not ended are followed again.
#[utoipa::path(
    post,
    path = "/remotes/{remote}/connect",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    responses((status = 200, description = "The remote; its link is being made.", body = Remote)),
)]
async fn connect(State(app): State<App>, caller: Caller, Here(id): Here) -> Result<Json<Remote>, Problem> {
    app.changing().connect(id, &caller.author()).await?;
    told(&app, &caller, id).map(Json)
}

/// Disconnects a remote until somebody connects it again, be it after a restart.
///
/// Its session ends and nothing more is sent to it. While operations on it have not ended, that is asked about:
/// 409 `open_operations` with the list, unless `even_with_open`.
#[utoipa::path(
    post,
    path = "/remotes/{remote}/disconnect",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    request_body(content = Disconnect, example = json!({"even_with_open": false})),
    responses(
        (status = 200, description = "The remote, disconnected.", body = Remote),
        (status = 409, description = "Operations on it have not ended.", body = api::Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn disconnect(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    Json(wanted): Json<Disconnect>,
) -> Result<Json<Remote>, Problem> {
    app.changing().disconnect(id, &caller.author(), wanted.even_with_open).await?;
    told(&app, &caller, id).map(Json)
}

/// Tries the link now instead of when its back-off says.
///
/// Where the credentials were rejected this presents them once more, which may lock the account on the host: that takes
/// the act `remotes`, and is in the audit log.
#[utoipa::path(
    post,
    path = "/remotes/{remote}/try",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    responses(
        (status = 200, description = "The remote; a try is under way.", body = Remote),
        (status = 409, description = "It is disconnected.", body = api::Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn try_now(State(app): State<App>, caller: Caller, Here(id): Here) -> Result<Json<Remote>, Problem> {
    let remote = super::remote(&app, id)?;
    connected(&remote)?;
    if presents_rejected(&remote.link) {
        caller.needs(Act::Remotes, Some(id)).map_err(|problem| {
            let role = Act::Remotes.least();
            problem.detail(format!(
                "Its credentials were rejected: to present them again takes the role {role}."
            ))
        })?;
        presents_again(&app, &caller, &remote).await?;
    }
    app.fleet().try_now(id).await?;
    told(&app, &caller, id).map(Json)
}

/// Whether a try presents what the host, or one of its endpoints, has rejected.
fn presents_rejected(link: &LinkView) -> bool {
    let rejected = |one: &EndpointView| match &one.health {
        Health::Failing { cause, .. } | Health::Stopped { cause, .. } => cause.reach() == Reach::Credential,
        Health::Untried | Health::Good => false,
    };
    matches!(link.state, LinkState::CredentialsRejected { .. }) || link.endpoints.iter().any(rejected)
}

/// Writes down who has rejected credentials presented once more, before they are. A try of any other kind is in no log:
/// it tells the host nothing that the next poll would not.
async fn presents_again(app: &App, caller: &Caller, remote: &RemoteSnapshot) -> Result<(), Problem> {
    let line = audit::Line {
        at: app.now().wall,
        action: "remotes.try_now".to_owned(),
        author: Some(caller.author()),
        from: caller.from.clone(),
        remote: Some(remote.id),
        target: remote.name.to_string(),
        parameters: serde_json::json!({}),
    };
    app.store().write(vec![Write::Audit(line.done(None))]).await?;
    Ok(())
}

/// Answers a sign-in that waits for its second factor.
#[utoipa::path(
    post,
    path = "/remotes/{remote}/second-factor",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    request_body(content = SecondFactor, example = json!({"code": "123456"})),
    responses((status = 200, description = "The remote, signed in to.", body = Remote)),
)]
async fn second_factor(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    Json(answer): Json<SecondFactor>,
) -> Result<Json<Remote>, Problem> {
    connected(&*super::remote(&app, id)?)?;
    let code = Secret::new(answer.code.reveal());
    let factor = match answer.kind.as_deref() {
        Some("totp") => Factor::Totp(code),
        Some("recovery") => Factor::Recovery(code),
        Some("yubico") => Factor::Yubico(code),
        Some(_) => return Err(Problem::invalid("A second factor is of the kind totp, recovery or yubico.")),
        None => Factor::by_looks(code),
    };
    app.fleet().second_factor(id, factor).await.map_err(|why| match why {
        // Nobody was asked: there was nothing to answer.
        Some(why) if why.endpoint.is_none() => {
            Problem::conflict("no_second_factor", "No sign-in waits for a second factor.")
                .remedy("See how the link stands.")
        }
        Some(why) => refuse::failure(&why),
        None => Problem::not_found("remote"),
    })?;
    told(&app, &caller, id).map(Json)
}

#[cfg(test)]
mod tests {
    use model::{Cause, EndpointId};

    use super::*;

    fn link(state: LinkState, health: Health) -> LinkView {
        let endpoint = EndpointId::from("192.0.2.7:8006");
        let one = EndpointView { endpoint, health, last_success: None, in_use: true };
        let since = jiff::Timestamp::UNIX_EPOCH;
        LinkView { state, since, down_since: None, last_success: None, endpoints: vec![one] }
    }

    #[test]
    fn a_try_of_an_endpoint_that_rejects_presents_what_it_rejects() {
        let since = jiff::Timestamp::UNIX_EPOCH;
        let rejected = Cause::CredentialsRejected { reason: "authentication failure".to_owned() };
        let stopped = |cause: Cause| Health::Stopped { cause, since };
        let gone = LinkState::CredentialsRejected { cause: rejected.clone(), next_try: None };
        assert!(presents_rejected(&link(gone, Health::Good)));
        assert!(presents_rejected(&link(LinkState::Connected, stopped(rejected))));
        assert!(!presents_rejected(&link(LinkState::Connected, stopped(Cause::Refused))));
        assert!(!presents_rejected(&link(LinkState::Connected, Health::Good)));
    }
}
