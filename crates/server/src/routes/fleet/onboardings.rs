//! `/onboardings`: a remote is added, or signed in to anew, step by step. Only who governs all remotes makes Muster
//! dial an address of their choice.

use std::sync::Arc;

use api::onboarding::{
    Confirm, Finish, Finished, Keep, Known, Onboarding as Told, OnboardingRequest, Realm, RightsOffer,
    SecondFactor, SignIn, SignedIn, Step as ToldStep,
};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::onboard::{self, Begin, Given, Grounds, Onboarding, Purpose, Step};
use http::{HeaderValue, StatusCode, header};
use model::access::Act;
use model::{Author, EndpointId, RemoteId, Text};
use pve::Secret;
use pve::address::Address;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::desk::{Held, Place};
use super::{refuse, view};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path};
use crate::guard::{Gate, guard};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    let step = || Gate::on(Act::Remotes).unaudited().unrepeated();
    OpenApiRouter::new()
        .routes(guard(Gate::on(Act::Remotes).unrepeated(), routes!(begin)))
        .routes(guard(step(), routes!(show, end)))
        .routes(guard(step(), routes!(trust)))
        .routes(guard(step(), routes!(sign_in)))
        .routes(guard(step(), routes!(second_factor)))
        .routes(guard(Act::Remotes, routes!(finish)))
}

/// Begins to add a remote, or to sign in to one anew.
///
/// Dials the address and shows its certificate; nothing else is sent before that is trusted. The onboarding ends by
/// itself after a quarter of an hour, and leaves nothing behind.
#[utoipa::path(
    post,
    path = "/onboardings",
    tag = "onboarding",
    request_body(content = OnboardingRequest, example = json!({"address": "pve.example"})),
    responses(
        (status = 201, description = "It has begun; `step` says what has to be done next.", body = Told,
            headers(("Location" = String, description = "Where it is."))),
        (status = 404, description = "There is no such remote, or it may not be seen.", body = api::Problem),
    ),
)]
async fn begin(
    State(app): State<App>,
    caller: Caller,
    Json(wanted): Json<OnboardingRequest>,
) -> Result<Response, Problem> {
    let desk = app.onboardings();
    let bounds = &app.settings().onboarding;
    desk.room(bounds, &caller.principal())?;
    let snapshot = app.fleet().snapshot();
    let (purpose, address, again) = match wanted.remote.as_deref() {
        None => {
            caller.needs(Act::Remotes, None)?;
            (Purpose::Add, read(&wanted.address)?, None)
        }
        Some(text) => {
            let id = app.remote_meant(text, &caller.visible())?;
            caller.needs(Act::Remotes, Some(id))?;
            let remote = super::remote(&app, id)?;
            super::ours(&remote)?;
            let endpoints = &remote.link.endpoints;
            let address = if wanted.address.trim().is_empty() {
                let endpoint = remote.link.in_use().or_else(|| endpoints.first().map(|one| &one.endpoint));
                read(endpoint.map(EndpointId::as_str).unwrap_or_default())?
            } else {
                read(&wanted.address)?
            };
            let named = address.to_string();
            if !endpoints.iter().any(|one| one.endpoint.as_str() == named) {
                caller.needs(Act::Remotes, None)?;
            }
            let spec = app.fleet().spec(id).await?;
            let trust = spec.endpoints.into_iter().find(|(one, _)| *one == address).map(|(_, trust)| trust);
            (Purpose::Again { remote: onboard::Known::of(&remote), trust }, address, Some(id))
        }
    };
    let onboarding = Onboarding::start(Begin {
        address,
        timings: desk.timings(&app),
        store: app.fleet().system_store().clone(),
        known: snapshot.remotes.iter().map(|remote| onboard::Known::of(remote)).collect(),
        purpose,
    })
    .await
    .map_err(|error| refuse::onboard(&error))?;
    let place = desk.keep(onboarding, caller.principal(), again, app.now().wall, bounds);
    let told = place.take()?.as_ref().map(|onboarding| tell(&app, &place, onboarding));
    let mut response = (StatusCode::CREATED, Json(told.ok_or_else(Problem::internal)?)).into_response();
    if let Ok(at) = HeaderValue::from_str(&format!("{}/onboardings/{}", api::BASE, place.id)) {
        response.headers_mut().insert(header::LOCATION, at);
    }
    Ok(response)
}

fn read(address: &str) -> Result<Address, Problem> {
    address.parse().map_err(|error: pve::address::AddressError| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "address", "That is no address.")
            .detail(refuse::sentence(&error.to_string()))
    })
}

/// The caller's onboarding, in hand for one step.
fn in_hand(app: &App, caller: &Caller, id: &str) -> Result<(Arc<Place>, Held), Problem> {
    let place = app.onboardings().find(id, &caller.principal())?;
    // A role may have been taken away since it began.
    caller.needs(Act::Remotes, place.again)?;
    let held = place.take()?;
    Ok((place, held))
}

/// Shows where adding a remote has got to.
#[utoipa::path(
    get,
    path = "/onboardings/{id}",
    tag = "onboarding",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "It.", body = Told,
        example = json!({"id": "5f0c…", "name": "https://pve.example:8006", "step": "sign_in",
            "endpoint": "pve.example:8006", "trusted": true,
            "realms": [{"name": "pam", "type": "pam", "default": true}], "expires": "2026-11-22T05:15:00Z"}))),
)]
async fn show(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Json<Told>, Problem> {
    let (place, held) = in_hand(&app, &caller, &id)?;
    let onboarding = held.as_ref().ok_or_else(|| Problem::not_found("onboarding"))?;
    Ok(Json(tell(&app, &place, onboarding)))
}

/// Gives up. Nothing was saved, and nothing is left on the host.
#[utoipa::path(
    delete,
    path = "/onboardings/{id}",
    tag = "onboarding",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 204, description = "It has ended.")),
)]
async fn end(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let place = app.onboardings().find(&id, &caller.principal())?;
    app.onboardings().end(&place).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Confirms the certificate that was shown.
///
/// By its fingerprint. Then the host is asked for its realms.
#[utoipa::path(
    post,
    path = "/onboardings/{id}/trust",
    tag = "onboarding",
    params(("id" = String, Path, description = "Its id.")),
    request_body(content = Confirm, example = json!({"fingerprint":
        "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"})),
    responses((status = 200, description = "Where it stands now.", body = Told)),
)]
async fn trust(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(wanted): Json<Confirm>,
) -> Result<Json<Told>, Problem> {
    let fingerprint = wanted
        .fingerprint
        .parse()
        .map_err(|_| Problem::invalid("A fingerprint is a SHA-256, as in AA:BB:…, of 32 bytes."))?;
    let (place, mut held) = in_hand(&app, &caller, &id)?;
    let onboarding = held.as_mut().ok_or_else(|| Problem::not_found("onboarding"))?;
    onboarding.trust(fingerprint).await.map_err(|error| refuse::onboard(&error))?;
    Ok(Json(tell(&app, &place, onboarding)))
}

/// Signs in, with a user's password or an API token.
///
/// What is given is presented once, and kept nowhere.
#[utoipa::path(
    post,
    path = "/onboardings/{id}/sign-in",
    tag = "onboarding",
    params(("id" = String, Path, description = "Its id.")),
    request_body(content = SignIn, example = json!({"user": "root@pam", "password": "…"})),
    responses((status = 200, description = "Signed in, or `second_factor` is the next step.", body = Told)),
)]
async fn sign_in(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(wanted): Json<SignIn>,
) -> Result<Json<Told>, Problem> {
    let given = match &wanted {
        SignIn::Password { user, password } => {
            Given::Password { user: user.clone(), password: Secret::new(password.reveal()) }
        }
        SignIn::Token { token } => {
            let text = token.reveal().trim();
            let text = text.strip_prefix("PVEAPIToken=").unwrap_or(text);
            let (id, secret) = text.split_once('=').ok_or_else(|| {
                Problem::invalid("An API token is given as USER@REALM!NAME=SECRET. Nothing was sent.")
            })?;
            Given::Token { id: id.to_owned(), secret: Secret::new(secret) }
        }
    };
    let (place, mut held) = in_hand(&app, &caller, &id)?;
    let onboarding = held.as_mut().ok_or_else(|| Problem::not_found("onboarding"))?;
    onboarding.sign_in(given).await.map_err(|error| refuse::onboard(&error))?;
    Ok(Json(tell(&app, &place, onboarding)))
}

/// Answers the second factor.
#[utoipa::path(
    post,
    path = "/onboardings/{id}/second-factor",
    tag = "onboarding",
    params(("id" = String, Path, description = "Its id.")),
    request_body(content = SecondFactor, example = json!({"code": "123456"})),
    responses((status = 200, description = "Signed in.", body = Told)),
)]
async fn second_factor(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(answer): Json<SecondFactor>,
) -> Result<Json<Told>, Problem> {
    let (place, mut held) = in_hand(&app, &caller, &id)?;
    let onboarding = held.as_mut().ok_or_else(|| Problem::not_found("onboarding"))?;
    let code = Secret::new(answer.code.reveal());
    onboarding.second_factor(code).await.map_err(|error| refuse::onboard(&error))?;
    Ok(Json(tell(&app, &place, onboarding)))
}

/// Settles what is kept, and saves the remote.
///
/// A token that is made for it proves itself before anything is saved; should something fail after it was made, it
/// is taken back. Nothing is saved unless an authorised request has succeeded with what is kept.
#[utoipa::path(
    post,
    path = "/onboardings/{id}/finish",
    tag = "onboarding",
    params(("id" = String, Path, description = "Its id.")),
    request_body(content = Finish, example = json!({"name": "home", "keep": "token", "rights": "operate"})),
    responses((status = 200, description = "The remote is there.", body = Finished)),
)]
async fn finish(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(wanted): Json<Finish>,
) -> Result<Json<Finished>, Problem> {
    let (place, held) = in_hand(&app, &caller, &id)?;
    settle(&app, &place, held, wanted, &caller).await.map(Json)
}

/// Runs to its end whether or not somebody still waits for the answer, as every mutation does: between the saving of a
/// remote and the word that its token stays there must be no way out.
async fn settle(
    app: &App,
    place: &Place,
    mut held: Held,
    wanted: Finish,
    caller: &Caller,
) -> Result<Finished, Problem> {
    let onboarding = held.as_mut().ok_or_else(|| Problem::not_found("onboarding"))?;
    let Step::SignedIn(signed_in) = onboarding.step() else {
        return Err(Problem::conflict("wrong_step", "Nobody has signed in yet."));
    };
    // From here until it is saved nobody else makes anything on this cluster: of two at once, one hears of the other.
    let identity = signed_in.identity.to_string();
    let _claim = app.fleet().claim(&identity).await;
    if let (None, Some((id, name))) = (place.again, app.fleet().managed_as(&identity)) {
        return Err(fleet::AddError::AlreadyManaged { id, name }.into());
    }
    let name = match (place.again, wanted.name.as_deref().map(str::trim).filter(|name| !name.is_empty())) {
        (Some(id), _) => super::remote(app, id)?.name.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => suggested(signed_in).unwrap_or_else(|| onboarding.address().host.to_string()),
    };
    if place.again.is_none() {
        // Said before a token is made on the host.
        fleet::check_name(&name).map_err(fleet::AddError::Name)?;
        if app.fleet().snapshot().remote_named(&name).is_some() {
            return Err(fleet::AddError::Name(format!("a remote is already called {name}")).into());
        }
    }
    let keep = match wanted.keep {
        Keep::Password => onboard::Keep::Given,
        Keep::Token if signed_in.by_token => onboard::Keep::Given,
        Keep::Token => onboard::Keep::Mint {
            rights: wanted.rights.ok_or_else(|| {
                Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "rights",
                    "It was not said what the token may do.",
                )
                .detail("Say which “rights” the token that is made gets: look, operate or same_as_user.")
            })?,
            token_name: match app.fleet().store() {
                Some(store) => format!("muster-{}", store.instance()),
                None => "muster".to_owned(),
            },
            ends: None,
        },
    };
    let (at, author) = (app.now().wall, caller.author());
    let confirmed = onboarding.grounds() == Some(Grounds::Confirmed);
    let address = onboarding.address().clone();
    let wish = onboard::Finish { name, keep, trust_cluster: true, at };
    let mut finished = onboarding.finish(wish).await.map_err(|error| refuse::onboard(&error))?;
    let mut done = finished.printed.clone();
    let mut older = None;
    let saved = match place.again {
        None => {
            let mut spec = finished.spec.clone();
            if !wanted.connect {
                spec.disconnected = Some((author.name.clone(), at));
            }
            app.changing().add(spec, &author).await.map_err(Problem::from)
        }
        Some(id) => {
            let anew = Anew { id, confirmed, address };
            again(app, anew, &mut finished, &author).await.map(|before| {
                older = before;
                id
            })
        }
    };
    let id = match saved {
        Ok(id) => id,
        Err(problem) => {
            let undone = finished.undo().await;
            let text = problem.sentence().to_owned();
            app.onboardings().end_held(place, held);
            return Err(if undone.left.is_empty() {
                problem
            } else {
                problem.detail(format!("{text} {undone}."))
            });
        }
    };
    finished.saved();
    app.onboardings().end_held(place, held);
    let connected = match place.again {
        Some(_) if wanted.connect => app.fleet().connect(id, &author).await,
        _ => Ok(()),
    };
    if let Some(older) = older {
        done.extend(gone(&finished.remove_older(&older).await));
    }
    // Told last: what was saved is saved, and what is on the host has been put in order.
    connected.map_err(|error| refuse::saved_not_connected(error, &done))?;
    Ok(Finished {
        remote: super::told(app, caller, id)?,
        minted: finished.minted.as_ref().map(view::minted),
        done,
    })
}

/// A remote that was signed in to anew.
struct Anew {
    id: RemoteId,
    /// A person confirmed its certificate.
    confirmed: bool,
    address: Address,
}

/// Takes over what was signed in with for a remote that is there already. The answer is the token that Muster made for it
/// before, when that is not used any more.
async fn again(
    app: &App,
    anew: Anew,
    finished: &mut onboard::Finished,
    author: &Author,
) -> Result<Option<onboard::MintedToken>, Problem> {
    let id = anew.id;
    let before = super::remote(app, id)?;
    let older = before.minted.clone();
    if let Some(same) = older.as_ref().filter(|older| older.id == finished.spec.credential.authid()) {
        // Its token was pasted anew: it is still the one that Muster made.
        finished.spec.rights = Some(same.rights);
        finished.spec.minted = Some(same.clone());
    }
    let spec = &finished.spec;
    let endpoint = EndpointId::from(anew.address.to_string());
    let known = before.link.endpoints.iter().any(|one| one.endpoint == endpoint);
    if anew.confirmed
        && known
        && let Some((_, trust)) = spec.endpoints.first()
    {
        app.fleet().trust(id, endpoint, trust.clone(), author).await?;
    }
    // Of what is changed here, that Muster signs in anew is what was asked for.
    app.changing()
        .reauthenticate(id, spec.credential.clone(), spec.rights, spec.minted.clone(), author)
        .await?;
    Ok(older.filter(|older| older.id != spec.credential.authid()))
}

/// What became of what was made for a remote earlier, one line each.
fn gone(undone: &onboard::Undone) -> Vec<String> {
    let removed = undone.removed.iter().map(|thing| format!("removed, as it is not used any more: {thing}"));
    let left = undone.left.iter().map(|left| {
        format!("not used any more, but still there: {} ({}): {}", left.thing, left.why, left.command)
    });
    removed.chain(left).collect()
}

/// Where an onboarding stands.
fn tell(app: &App, place: &Place, onboarding: &Onboarding) -> Told {
    let (step, factors, signed_in) = match onboarding.step() {
        Step::Certificate => (ToldStep::Trust, Vec::new(), None),
        Step::SignIn | Step::Entered | Step::Finished | Step::Abandoned => {
            (ToldStep::SignIn, Vec::new(), None)
        }
        Step::SecondFactor { kinds, .. } => (ToldStep::SecondFactor, kinds.clone(), None),
        Step::SignedIn(facts) => (ToldStep::Finish, Vec::new(), Some(told_signed_in(facts))),
    };
    let known = |id: RemoteId| {
        let name = app.fleet().remote(id).map(|remote| remote.name.clone())?;
        Some(Known { id, name })
    };
    Told {
        id: place.id.clone(),
        name: format!("https://{}", onboarding.address()),
        step,
        endpoint: onboarding.address().to_string(),
        remote: place.again.and_then(known),
        certificate: Some(view::certificate(onboarding.certificate())),
        trusted: onboarding.grounds().is_some(),
        untrusted_why: onboarding.distrust().filter(|_| onboarding.grounds().is_none()),
        realms: onboarding.realms().iter().map(realm).collect(),
        managed_as: None,
        factors,
        signed_in,
        expires: place.expires,
    }
}

fn realm(realm: &onboard::Realm) -> Realm {
    Realm {
        name: realm.name.clone(),
        kind: realm.kind.clone(),
        comment: realm.comment.clone(),
        default: realm.default,
        second_factor: None,
    }
}

/// What it may be called, by its own name.
fn suggested(facts: &onboard::SignedIn) -> Option<String> {
    facts.suggested_name.clone().filter(|name| fleet::check_name(name).is_ok())
}

fn told_signed_in(facts: &onboard::SignedIn) -> SignedIn {
    let offer = |offer: &onboard::Offer| {
        let rights = offer.rights?;
        Some(RightsOffer {
            rights,
            sentence: match (&offer.refused, &offer.note) {
                (Some(why), _) => refuse::sentence(why),
                // Where there is nothing to add, the note is the purpose itself.
                (None, Some(note)) if note != onboard::rights::purpose(rights) => {
                    format!("{}. {}", onboard::rights::purpose(rights), refuse::sentence(note))
                }
                (None, _) => onboard::rights::purpose(rights).to_owned(),
            },
            privileges: offer.role.as_ref().map(|role| role.privileges.clone()).unwrap_or_default(),
            lacking: offer.lacking.clone(),
            refused: offer.refused.is_some(),
        })
    };
    SignedIn {
        user: Text::from(facts.who.as_str()),
        with_token: facts.by_token,
        version: facts.version.as_deref().map(Text::from),
        cluster: facts.cluster.as_deref().map(Text::from),
        nodes: facts.nodes.iter().map(|node| node.name.as_str().into()).collect(),
        identity: Some(Text::from(facts.identity.to_string())),
        suggested_name: suggested(facts),
        offers: facts.offers.iter().filter_map(offer).collect(),
    }
}
