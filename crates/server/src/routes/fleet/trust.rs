//! What a remote's endpoints are and what is believed of them: certificates shown and accepted, endpoints proposed,
//! added, removed. A certificate is looked at with a TLS handshake; nothing else is sent on the way.

use api::Page;
use api::remote::{CertificatePair, NewEndpoint, Proposed, Remote, Trust};
use axum::extract::State;
use fleet::onboard::{self, OnboardError};
use fleet::{DetailError, RemoteSnapshot};
use http::StatusCode;
use model::access::Act;
use model::{Cause, EndpointId, RemoteId};
use pve::address::Address;
use pve::trust::{Presented, probe_with};
use pve::{Fingerprint, TrustPolicy};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{connected, refuse, told, view};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path};
use crate::guard::{Here, guard};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Act::Trust, routes!(certificate)))
        .routes(guard(Act::Trust, routes!(trust)))
        .routes(guard(Act::Remotes, routes!(proposed)))
        .routes(guard(Act::Remotes, routes!(add_endpoint)))
        .routes(guard(Act::Remotes, routes!(remove_endpoint)))
}

/// An endpoint of a remote, with what is believed of it.
async fn endpoint(app: &App, id: RemoteId, named: &str) -> Result<(Address, TrustPolicy), Problem> {
    let spec = app.fleet().spec(id).await?;
    let wanted: Option<Address> = named.parse().ok();
    let found = spec.endpoints.into_iter().find(|(address, _)| Some(address) == wanted.as_ref());
    found.ok_or_else(|| Problem::not_found("endpoint"))
}

async fn look(app: &App, address: &Address) -> Result<Presented, Problem> {
    let fleet = app.fleet();
    probe_with(address, &fleet.timings().pve, fleet.system_store().clone())
        .await
        .map_err(|error| refuse::call(&error))
}

/// Shows an endpoint's certificate beside the one that is trusted.
///
/// The certificate is read now, in a TLS handshake; nothing else is sent.
#[utoipa::path(
    get,
    path = "/remotes/{remote}/endpoints/{endpoint}/certificate",
    tag = "remotes",
    params(
        ("remote" = String, Path, description = "Its id or name.", example = "home"),
        ("endpoint" = String, Path, description = "`host:port`.", example = "192.0.2.7:8006"),
    ),
    responses(
        (status = 200, description = "Both.", body = CertificatePair),
        (status = 409, description = "The remote is disconnected.", body = api::Problem),
    ),
)]
async fn certificate(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
) -> Result<Json<CertificatePair>, Problem> {
    let Path((_, named)) = path;
    connected(&*super::remote(&app, id)?)?;
    let (address, policy) = endpoint(&app, id, &named).await?;
    let shown = look(&app, &address).await?;
    Ok(Json(pair(&address, &policy, &shown)?))
}

fn pair(address: &Address, policy: &TrustPolicy, shown: &Presented) -> Result<CertificatePair, Problem> {
    let id = EndpointId::from(address.to_string());
    let leaf = shown.leaf().ok_or_else(Problem::internal)?;
    let verdict = shown.judge(policy).map_err(|kind| {
        let error = pve::Error::new(kind, pve::Phase::Tls, address.to_string());
        api::Cause::at(&fleet::errors::cause(&error), Some(&id))
    });
    let authorities = || policy.authorities().iter().map(ToString::to_string).collect::<Vec<_>>();
    let (word, trusted) = match (&policy.leaf, policy.ca.is_empty()) {
        (Some(leaf), _) => ("leaf", Some(leaf.to_string())),
        (None, false) => ("ca", Some(authorities().join(" "))),
        (None, true) => ("system", None),
    };
    Ok(CertificatePair {
        endpoint: id,
        policy: Some(word.to_owned()),
        trusted,
        presented: view::certificate(leaf),
        is_trusted: verdict.is_ok(),
        cause: verdict.err(),
    })
}

fn fingerprint(text: &str) -> Result<Fingerprint, Problem> {
    text.parse().map_err(|_| Problem::invalid("A fingerprint is a SHA-256, as in AA:BB:…, of 32 bytes."))
}

/// Accepts the certificate that an endpoint shows now.
///
/// By its fingerprint, as the person saw it: should the endpoint show another one meanwhile, nothing is accepted.
#[utoipa::path(
    post,
    path = "/remotes/{remote}/trust",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    request_body(content = Trust, example = json!({"endpoint": "192.0.2.7:8006",
        "fingerprint": "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"})),
    responses((status = 200, description = "The remote; the endpoint is tried again.", body = Remote)),
)]
async fn trust(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    Json(wanted): Json<Trust>,
) -> Result<Json<Remote>, Problem> {
    connected(&*super::remote(&app, id)?)?;
    let given = fingerprint(&wanted.fingerprint)?;
    let (address, policy) = endpoint(&app, id, wanted.endpoint.as_str()).await?;
    let shown = look(&app, &address).await?;
    confirmed(&shown, given)?;
    if shown.judge(&policy).is_err() {
        let accepted = TrustPolicy { system: policy.system, ..TrustPolicy::leaf(given) };
        let endpoint = EndpointId::from(address.to_string());
        app.changing().trust(id, endpoint, accepted, &caller.author()).await?;
    }
    told(&app, &caller, id).map(Json)
}

/// Whether what is shown is what a person confirmed.
fn confirmed(shown: &Presented, given: Fingerprint) -> Result<(), Problem> {
    let leaf = shown.leaf().ok_or_else(Problem::internal)?.fingerprint;
    if leaf == given {
        return Ok(());
    }
    Err(refuse::onboard(&OnboardError::OtherCertificate { shown: leaf, given }))
}

/// Lists further endpoints that the cluster's own membership names.
///
/// Each with whether it answers from here, with the certificate that the cluster tells of.
#[utoipa::path(
    get,
    path = "/remotes/{remote}/proposed",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    responses(
        (status = 200, description = "The endpoints.", body = Page<Proposed>,
            example = json!({"items": [], "total": 0})),
        (status = 409, description = "The remote is disconnected.", body = api::Problem),
    ),
)]
async fn proposed(State(app): State<App>, Here(id): Here) -> Result<Json<Page<Proposed>>, Problem> {
    let timings = app.onboardings().timings(&app);
    let found = app.fleet().proposed_endpoints(id, &timings).await?;
    Ok(Json(Page::whole(found.iter().map(view::proposed).collect())))
}

/// Adds an endpoint to a remote.
///
/// It has to be a node of the same cluster, which tells so itself, over an endpoint that is trusted already. Where
/// it does not (its certificate is not one that the cluster tells of, or the cluster cannot be asked), 409 shows the
/// certificate; a person who has compared it sends its `fingerprint`.
#[utoipa::path(
    post,
    path = "/remotes/{remote}/endpoints",
    tag = "remotes",
    params(("remote" = String, Path, description = "Its id or name.", example = "home")),
    request_body(content = NewEndpoint, example = json!({"address": "192.0.2.8"})),
    responses((status = 200, description = "The remote with its endpoints.", body = Remote)),
)]
async fn add_endpoint(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    Json(wanted): Json<NewEndpoint>,
) -> Result<Json<Remote>, Problem> {
    // Whoever governs one remote only does not choose what Muster dials.
    caller.needs(Act::Remotes, None)?;
    let remote = super::remote(&app, id)?;
    connected(&remote)?;
    let address: Address =
        wanted.address.parse().map_err(|error| Problem::invalid(refuse::sentence(&format!("{error}"))))?;
    if known(&remote, &address) {
        return Err(Problem::conflict("endpoint", "It is an endpoint of this remote already."));
    }
    let given = wanted.fingerprint.as_deref().map(fingerprint).transpose()?;
    let policy = match (vouched(&app, id, &address).await, given) {
        (Ok(policy), _) => policy,
        // A person vouches for what the cluster does not.
        (Err(Doubt::NotVouched { .. } | Doubt::NobodyToAsk(_)), Some(given)) => {
            confirmed(&look(&app, &address).await?, given)?;
            TrustPolicy { system: false, ..TrustPolicy::leaf(given) }
        }
        (Err(Doubt::NotVouched { shown, why }), None) => return Err(to_confirm(&address, shown, why)),
        (Err(Doubt::NobodyToAsk(why)), None) => {
            let shown = look(&app, &address).await?;
            let shown = shown.leaf().ok_or_else(Problem::internal)?.fingerprint.to_string();
            return Err(to_confirm(&address, shown, format!("the cluster cannot be asked about it: {why}")));
        }
        (Err(Doubt::Other(problem)), _) => return Err(problem),
    };
    app.changing().add_endpoint(id, address, policy, &caller.author()).await?;
    told(&app, &caller, id).map(Json)
}

fn known(remote: &RemoteSnapshot, address: &Address) -> bool {
    let id = address.to_string();
    remote.link.endpoints.iter().any(|one| one.endpoint.as_str() == id)
}

/// Why an address is not simply taken.
enum Doubt {
    /// Its certificate is not one that the cluster tells of.
    NotVouched { shown: String, why: String },
    /// The link is not up.
    NobodyToAsk(String),
    /// Anything else.
    Other(Problem),
}

/// What would be believed of an address, if the cluster vouches for it.
async fn vouched(app: &App, id: RemoteId, address: &Address) -> Result<TrustPolicy, Doubt> {
    let client = app.fleet().client(id).map_err(|error| match error {
        DetailError::Failed(why) => Doubt::NobodyToAsk(why.to_string()),
        other => Doubt::Other(other.into()),
    })?;
    let timings = app.onboardings().timings(app);
    match onboard::vouch(&client, address, &timings, app.fleet().system_store()).await {
        Ok(found) => found.trust.ok_or_else(|| Doubt::Other(Problem::internal())),
        Err(OnboardError::Stranger { shown, .. }) => {
            Err(Doubt::NotVouched { shown, why: "it is not one that the cluster tells of".to_owned() })
        }
        Err(error) => Err(Doubt::Other(refuse::onboard(&error))),
    }
}

/// Shows a certificate that only a person can vouch for.
fn to_confirm(address: &Address, presented: String, why: String) -> Problem {
    let cause = Cause::UntrustedCertificate { presented, why };
    let told = api::Cause::at(&cause, Some(&EndpointId::from(address.to_string())));
    Problem::new(StatusCode::CONFLICT, cause.code(), "Its certificate has to be confirmed.")
        .detail(refuse::sentence(&told.sentence))
        .remedy("If it surely is a node of this cluster, compare the fingerprint on it and send it along.")
        .cause(told)
}

/// Removes an endpoint from a remote.
///
/// The last one stays: remove the remote instead.
#[utoipa::path(
    delete,
    path = "/remotes/{remote}/endpoints/{endpoint}",
    tag = "remotes",
    params(
        ("remote" = String, Path, description = "Its id or name.", example = "home"),
        ("endpoint" = String, Path, description = "`host:port`.", example = "192.0.2.7:8006"),
    ),
    responses((status = 200, description = "The remote with its endpoints.", body = Remote)),
)]
async fn remove_endpoint(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    path: Path<(String, String)>,
) -> Result<Json<Remote>, Problem> {
    let Path((_, named)) = path;
    let (address, _) = endpoint(&app, id, &named).await?;
    let endpoint = EndpointId::from(address.to_string());
    app.changing().remove_endpoint(id, &endpoint, &caller.author()).await?;
    told(&app, &caller, id).map(Json)
}
