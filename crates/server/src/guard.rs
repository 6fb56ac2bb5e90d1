//! The one place that decides who may: each route says with [`guard`] what it takes, and the same declaration
//! is enforced, written into the OpenAPI document (`x-muster-needs`) and walked by tests.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode};
use model::RemoteId;
use model::access::Act;
use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Required, ResponseBuilder, Schema, SecurityRequirement,
    extensions::Extensions,
};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::app::App;
use crate::caller::Caller;
use crate::mutation;
use crate::peer::Whence;
use crate::problem::{Outcome, Problem};

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it tells nobody anything.
    Open,
    /// To be signed in; it concerns the caller's own things, or shows only what the caller may see.
    SignedIn,
    /// To be allowed this. Where the path names a `{remote}`, on that one, and it is 404 to whom may not see it.
    /// Where not, on at least one: the handler asks again once it knows which ([`Caller::needs`]).
    On(Act),
    /// To be allowed this on Muster itself.
    Everywhere(Act),
}

/// What becomes of the answer to a request that comes again with the same `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It is kept and given again.
    Kept,
    /// It holds a secret, or is too large to keep: whoever asks again learns that it was done.
    Withheld,
    /// The route does not take the header.
    Never,
}

/// A route's declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    pub(crate) need: Need,
    pub(crate) replay: Replay,
    pub(crate) audited: bool,
    pub(crate) body: Option<usize>,
}

impl Gate {
    /// A route for whoever comes.
    #[must_use]
    pub fn open() -> Self {
        Self::of(Need::Open)
    }

    /// A route for whoever is signed in.
    #[must_use]
    pub fn signed_in() -> Self {
        Self::of(Need::SignedIn)
    }

    /// A route for whom this is allowed, on the path's `{remote}`.
    #[must_use]
    pub fn on(act: Act) -> Self {
        Self::of(Need::On(act))
    }

    /// A route for whom this is allowed on Muster itself.
    #[must_use]
    pub fn everywhere(act: Act) -> Self {
        Self::of(Need::Everywhere(act))
    }

    fn of(need: Need) -> Self {
        Self { need, replay: Replay::Kept, audited: true, body: None }
    }

    /// Its answers hold a secret: they are not kept for a repetition of the request.
    #[must_use]
    pub fn withheld(mut self) -> Self {
        self.replay = Replay::Withheld;
        self
    }

    /// It changes nothing that another could notice (a stream's subscriptions, a sign-in): no `Idempotency-Key`.
    #[must_use]
    pub fn unrepeated(mut self) -> Self {
        self.replay = Replay::Never;
        self
    }

    /// It changes nothing that somebody would want to look up later: no line in the audit log.
    #[must_use]
    pub fn unaudited(mut self) -> Self {
        self.audited = false;
        self
    }

    /// It takes bodies of up to `bytes` instead of what the settings say.
    #[must_use]
    pub fn body(mut self, bytes: usize) -> Self {
        self.body = Some(bytes);
        self
    }
}

impl From<Act> for Gate {
    fn from(act: Act) -> Self {
        Self::on(act)
    }
}

/// The remote that the path names; may be seen by the caller, and the route's act is allowed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here(pub RemoteId);

impl<S: Send + Sync> FromRequestParts<S> for Here {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| Problem::not_found("remote"))
    }
}

/// Whether a method changes nothing.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

// === the declaration ===

/// Puts routes behind a gate: `guard(Act::Power, routes!(start, stop))`.
pub fn guard(gate: impl Into<Gate>, routes: UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    let gate = gate.into();
    let (schemas, mut paths, router) = routes;
    let mut ids = Vec::new();
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations(item) {
            declare(gate, path, &method, operation);
            ids.push((method, operation.operation_id.clone().unwrap_or_default()));
        }
    }
    let ids: Arc<[(Method, String)]> = ids.into();
    let router = router.layer(from_fn(move |request: Request, next: Next| {
        // What answers GET answers HEAD.
        let asked = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let id = ids.iter().find(|(method, _)| method == asked).map(|(_, id)| id.clone());
        admit(gate, id, request, next)
    }));
    (schemas, paths, router)
}

/// The operations of a path, each with its method.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, item.get.as_mut()),
        (Method::PUT, item.put.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

/// Writes the gate into an operation's description.
fn declare(gate: Gate, path: &str, method: &Method, operation: &mut Operation) {
    // Ids are unique over all nouns, and are what the audit log calls an action: `users.create`.
    let noun = operation.tags.iter().flatten().next().filter(|noun| !noun.is_empty());
    if let (Some(noun), Some(id)) = (noun, &mut operation.operation_id)
        && !id.contains('.')
    {
        *id = format!("{noun}.{id}");
    }
    let on_remote = path.contains("{remote}");
    let needs = match gate.need {
        Need::Open => json!({"act": null, "where": "open"}),
        Need::SignedIn => json!({"act": null, "where": "signed_in"}),
        Need::On(act) if on_remote => json!({"act": act, "role": act.least(), "where": "remote"}),
        Need::On(act) => json!({"act": act, "role": act.least(), "where": "somewhere"}),
        Need::Everywhere(act) => json!({"act": act, "role": act.least(), "where": "everywhere"}),
    };
    operation.extensions.get_or_insert_with(Extensions::default).insert("x-muster-needs".to_owned(), needs);
    // A refusal is of the same type everywhere.
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let is_problem = matches!(response.content.get("application/json"),
            Some(RefOr::T(content)) if content.schema == problem_schema());
        if is_problem && let Some(content) = response.content.shift_remove("application/json") {
            response.content.insert(api::PROBLEM_JSON.to_owned(), content);
        }
    }
    let mut problems: Vec<(&str, &str)> = vec![
        ("400", "The request cannot be read."),
        ("429", "Too many requests; `Retry-After` says when."),
        ("5XX", "A fault of Muster, or of a host that was asked: then `cause` says which."),
    ];
    if gate.need == Need::Open {
        operation.security = Some(vec![SecurityRequirement::default()]);
    } else {
        problems.push(("401", "Nobody is signed in."));
    }
    if matches!(gate.need, Need::On(_) | Need::Everywhere(_)) {
        problems.push(("403", "The role does not allow it."));
    }
    if path.contains('{') {
        problems.push(("404", "It is not there, or may not be seen."));
    }
    if !is_safe(method) {
        problems.push(("408", "The body took too long to arrive."));
        problems.push(("409", "It does not go with how things stand; `type` and `detail` say how they do."));
        problems.push(("413", "The body is larger than what is taken."));
        problems.push(("422", "It does not make sense; or its `Idempotency-Key` came with another request."));
        if gate.replay != Replay::Never {
            let key = ParameterBuilder::new()
                .name("Idempotency-Key")
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(match gate.replay {
                    Replay::Kept => {
                        "Any text, new for each thing wanted: sent again, the first answer comes again."
                    }
                    _ => "Any text, new for each thing wanted: sent again, nothing is done again.",
                }))
                .schema(Some(utoipa::schema!(String)))
                .example(Some(json!("6f1b1c1e-60c5-4d27-9c35-52f2b5a4b8c1")))
                .build();
            operation.parameters.get_or_insert_default().push(RefOr::T(key));
        }
    }
    let asks = |name: &str| operation.parameters.iter().flatten().any(|one| named(one, name));
    if asks("q") || asks("subscribe") {
        problems.push(("422", "What is asked for cannot be read; `at` says where."));
    }
    for (status, description) in problems {
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(problem_response(status, description)));
    }
}

fn named(parameter: &RefOr<Parameter>, name: &str) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.name == name)
}

fn problem_schema() -> Option<RefOr<Schema>> {
    Some(Ref::from_schema_name("Problem").into())
}

fn problem_response(status: &str, description: &str) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(problem_schema()).build();
    let mut response = ResponseBuilder::new().description(description).content(api::PROBLEM_JSON, content);
    if status == "429" {
        let header = HeaderBuilder::new()
            .description(Some("Seconds to wait."))
            .schema(Some(utoipa::schema!(u64)))
            .build();
        response = response.header("Retry-After", header);
    }
    response.build()
}

// === the enforcement ===

/// `action` is the operation's id; `None` where the path has none for the method.
async fn admit(gate: Gate, action: Option<String>, request: Request, next: Next) -> Response {
    let Some(app) = request.extensions().get::<App>().cloned() else {
        return Problem::internal().into_response();
    };
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let response = match action {
        // Which methods there are is written in the document; nobody need be somebody to be told. The router adds
        // `Allow`.
        None => Problem::wrong_method().into_response(),
        Some(action) => match decide(&app, gate, request).await {
            Ok(request) if is_safe(&method) => next.run(request).await,
            Ok(request) => mutation::run(&app, gate, &action, request, next).await,
            Err(problem) => problem.into_response(),
        },
    };
    let code = response.extensions().get::<Outcome>().map(|outcome| outcome.code);
    app.counters().answered(&method, route.as_deref().unwrap_or("other"), response.status());
    if let Some(code) = code {
        app.counters().refused(code);
    }
    response
}

/// Finds out who asks and whether they may; leaves [`Caller`] and [`Here`] for the handler.
async fn decide(app: &App, gate: Gate, request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    let whence = parts.extensions.get::<Whence>().cloned().ok_or_else(Problem::internal)?;
    let caller = match app.people().identify(&parts.method, &parts.headers, &whence, app.now().wall) {
        Ok(caller) => caller,
        // Who comes to an open door with a key that no longer fits comes in all the same.
        Err(_) if gate.need == Need::Open => None,
        Err(problem) => return Err(problem),
    };
    if gate.need == Need::Open {
        parts.extensions.extend(caller.map(extension).unwrap_or_default());
        return Ok(Request::from_parts(parts, body));
    }
    let caller = caller.ok_or_else(Problem::unauthorized)?;
    match remote_of(app, &mut parts, &caller).await? {
        Some(Named::Here(remote)) => {
            allow(gate.need, &caller, Some(remote))?;
            parts.extensions.insert(Here(remote));
        }
        // It may be that very request which took it away, asked again.
        Some(Named::Nothing) if !is_safe(&parts.method) && mutation::has_key(gate, &parts.headers) => {
            parts.extensions.insert(Gone);
        }
        Some(Named::Nothing) => return Err(Problem::not_found("remote")),
        None => allow(gate.need, &caller, None)?,
    }
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, body))
}

fn extension(caller: Caller) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    extensions.insert(caller);
    extensions
}

/// What a path's `{remote}` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// A remote that the caller may see.
    Here(RemoteId),
    /// Nothing: no remote is called so, or has that number.
    Nothing,
}

/// Of a request whose remote is not there: it may have been carried out before, but is not carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone;

/// The path's `{remote}`, by number or name; `None` where the path has none.
///
/// # Errors
/// 404 for what may not be seen; 422 for the number of one remote that is the name of another.
async fn remote_of(app: &App, parts: &mut Parts, caller: &Caller) -> Result<Option<Named>, Problem> {
    let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else {
        return Ok(None);
    };
    let Some((_, text)) = params.iter().find(|(name, _)| *name == "remote") else {
        return Ok(None);
    };
    match app.remote_meant(text, &caller.visible()) {
        Ok(id) => Ok(Some(Named::Here(id))),
        Err(absent) if absent.status() == StatusCode::NOT_FOUND && !app.is_any_called(text) => {
            Ok(Some(Named::Nothing))
        }
        Err(problem) => Err(problem),
    }
}

/// The rule itself.
fn allow(need: Need, caller: &Caller, remote: Option<RemoteId>) -> Result<(), Problem> {
    match (need, remote) {
        (Need::Open | Need::SignedIn, _) => Ok(()),
        // Who may see nothing sees an empty list.
        (Need::On(Act::Read), None) => Ok(()),
        (Need::On(act), None) if caller.grants.may_somewhere(act) => Ok(()),
        (Need::On(act), None) => Err(Problem::forbidden(act)),
        (Need::On(act), Some(remote)) => caller.needs(act, Some(remote)),
        (Need::Everywhere(act), _) => caller.needs(act, None),
    }
}
