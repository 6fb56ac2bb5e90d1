//! What the fleet refuses, as problems: each with its own code, and with what would mend it.

use api::problem::Candidate;
use fleet::onboard::{OnboardError, Undone};
use fleet::{
    AddError, DetailError, DisconnectError, EditError, NoSuchRemote, OperateError, OperationError,
    RemoteSnapshot, RemoveError, ResolveError, StopTaskError, TakeBackError,
};
use http::StatusCode;
use model::cause::ServerClass;
use model::{Cause, EndpointId, Failure, LinkState, OperationId, TaskId};

use crate::problem::Problem;

/// What can be done about a store that takes nothing.
const STORE_REMEDY: &str = "Look at the disk of the machine that Muster runs on, and at Muster's log.";

/// The status that goes with a cause: 4xx where who asks can mend it, 5xx where it lies with the remote.
fn status(cause: &Cause) -> StatusCode {
    match cause {
        Cause::CredentialsRejected { .. }
        | Cause::SecondFactorNeeded { .. }
        | Cause::ParametersRejected { .. }
        | Cause::NotSendable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Cause::Disconnected { .. }
        | Cause::UntrustedCertificate { .. }
        | Cause::CertificateChanged { .. }
        | Cause::RunElsewhere { .. }
        | Cause::PrivilegeMissing { .. } => StatusCode::CONFLICT,
        Cause::Unattended { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Cause::ServerError { class, .. } => match class {
            ServerClass::NotFound => StatusCode::NOT_FOUND,
            ServerClass::Locked | ServerClass::NoQuorum | ServerClass::Conflict | ServerClass::Exists => {
                StatusCode::CONFLICT
            }
            ServerClass::Other => StatusCode::BAD_GATEWAY,
        },
        Cause::ConnectTimeout { .. } | Cause::NoAnswer { .. } | Cause::NodeNoAnswer { .. } => {
            StatusCode::GATEWAY_TIMEOUT
        }
        Cause::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        Cause::Dns { .. }
        | Cause::Refused
        | Cause::Unreachable { .. }
        | Cause::TlsFailure { .. }
        | Cause::AnswerCut { .. }
        | Cause::NotHttp { .. }
        | Cause::NotProxmox { .. }
        | Cause::NotUnderstood { .. }
        | Cause::NodeDown { .. }
        | Cause::NotSupported { .. }
        | Cause::TooLarge { .. } => StatusCode::BAD_GATEWAY,
    }
}

/// A cause met on the way to Proxmox VE.
pub(super) fn cause(cause: &Cause, endpoint: Option<&EndpointId>) -> Problem {
    let told = api::Cause::at(cause, endpoint);
    let title = match cause {
        Cause::Disconnected { .. } => "The remote is disconnected.",
        Cause::RunElsewhere { .. } => "Another Muster process looks after this remote.",
        Cause::Unattended { .. } => "No Muster process looks after this remote at present.",
        Cause::Internal { .. } => "A fault inside Muster.",
        _ => "The remote did not do what was asked of it.",
    };
    Problem::new(status(cause), cause.code(), title)
        .detail(told.sentence.clone())
        .remedy(told.remedy.clone())
        .cause(told)
}

/// A call that failed.
pub(super) fn failure(failure: &Failure) -> Problem {
    cause(&failure.cause, failure.endpoint.as_ref())
}

/// An error of the client's own.
pub(super) fn call(error: &pve::Error) -> Problem {
    cause(&fleet::errors::cause(error), Some(&EndpointId::from(error.endpoint())))
}

/// Somebody disconnected the remote: nothing is sent to it.
pub(super) fn disconnected(name: &str, by: &str) -> Problem {
    let why = Cause::Disconnected { by: by.to_owned() };
    cause(&why, None).detail(format!("The remote {name} was disconnected by {by}."))
}

fn not_recorded(error: impl std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_recorded",
        "It was not seen to be recorded, so it was not done.",
    )
    .detail(error.to_string())
    .remedy(STORE_REMEDY)
}

fn open_operations(open: &[OperationId], what: &str, remedy: &str) -> Problem {
    let detail = match open.len() {
        1 => "One operation on it has not ended, and would not be followed any more.".to_owned(),
        n => format!("{n} operations on it have not ended, and would not be followed any more."),
    };
    Problem::conflict("open_operations", what).detail(detail).remedy(remedy).candidates(
        open.iter().map(|id| Candidate {
            id: id.to_string(),
            name: String::new(),
            kind: "operation".to_owned(),
        }),
    )
}

impl From<NoSuchRemote> for Problem {
    fn from(_: NoSuchRemote) -> Self {
        Self::not_found("remote")
    }
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        match &error {
            EditError::NoSuchRemote => Self::not_found("remote"),
            EditError::Name(text) => name(text),
            EditError::Endpoint(text) => {
                Self::conflict("endpoint", "That cannot be done with this endpoint.").detail(sentence(text))
            }
            EditError::Elsewhere(why) => cause(why, None),
            EditError::NotRecorded(_) => not_recorded(error),
        }
    }
}

impl From<AddError> for Problem {
    fn from(error: AddError) -> Self {
        match &error {
            AddError::Name(text) => name(text),
            AddError::Endpoints(text) => Self::invalid(sentence(text)),
            AddError::AlreadyManaged { id, name } => managed(&error.to_string(), *id, name),
            AddError::NotRecorded(_) => not_recorded(error),
        }
    }
}

/// A name that is none, or taken.
fn name(text: &str) -> Problem {
    Problem::conflict("name", "The remote cannot have this name.")
        .detail(sentence(text))
        .remedy("Choose another name.")
}

/// The cluster is managed already.
fn managed(text: &str, id: model::RemoteId, name: &str) -> Problem {
    Problem::conflict("already_managed", "This cluster or host is managed already.")
        .detail(sentence(text))
        .remedy(format!("Add the address as an endpoint of {name}, or give {name} a new credential."))
        .candidates([Candidate { id: id.to_string(), name: name.to_owned(), kind: "remote".to_owned() }])
}

impl From<DisconnectError> for Problem {
    fn from(error: DisconnectError) -> Self {
        match &error {
            DisconnectError::NoSuchRemote => Self::not_found("remote"),
            DisconnectError::OpenOperations(open) => open_operations(
                open,
                "The remote was not disconnected.",
                "Wait for them, or send “even_with_open”: they are followed again once it is connected.",
            ),
            DisconnectError::Elsewhere(why) => cause(why, None),
            DisconnectError::NotRecorded(_) => not_recorded(error),
        }
    }
}

impl From<RemoveError> for Problem {
    fn from(error: RemoveError) -> Self {
        match &error {
            RemoveError::NoSuchRemote => Self::not_found("remote"),
            RemoveError::OpenOperations(open) => open_operations(
                open,
                "The remote was not removed.",
                "Wait for them, or send “even_with_open=true”: what becomes of them is then not known.",
            ),
            RemoveError::Elsewhere(why) => cause(why, None),
            RemoveError::NotRecorded(_) => not_recorded(error),
        }
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Store(error) => error.into(),
            OperationError::Unreadable { .. } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "unreadable",
                "What was kept of this operation cannot be read.",
            )
            .detail(sentence(&error.to_string()))
            .remedy(
                "Look at the host what became of it, then decide it as not sent: that lets its guest go.",
            ),
        }
    }
}

impl From<DetailError> for Problem {
    fn from(error: DetailError) -> Self {
        match &error {
            DetailError::NoSuchRemote => Self::not_found("remote"),
            DetailError::NoSuchGuest(_) => Self::not_found("guest"),
            DetailError::NoSuchNode => Self::not_found("node"),
            DetailError::NoSuchStorage => Self::not_found("storage"),
            DetailError::WhichNode(nodes) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "ambiguous",
                "Several nodes have a storage of that name, each to itself.",
            )
            .detail("Each has its own figures.")
            .remedy("Say which: the storage's name, an @ and the node's name.")
            .candidates(nodes.iter().map(|node| Candidate {
                id: node.to_string(),
                name: node.to_string(),
                kind: "node".to_owned(),
            })),
            DetailError::NotATask(_) => Self::not_found("task"),
            DetailError::Failed(why) => failure(why),
        }
    }
}

impl From<StopTaskError> for Problem {
    fn from(error: StopTaskError) -> Self {
        match &error {
            StopTaskError::NoSuchRemote => Self::not_found("remote"),
            StopTaskError::NotATask(_) => Self::not_found("task"),
            StopTaskError::Failed(why) => failure(why),
        }
    }
}

/// A remote that was not removed, after `undone` of what Muster made on its host was.
pub(super) fn removal(error: RemoveError, undone: &Undone) -> Problem {
    if undone.removed.is_empty() {
        return error.into();
    }
    let gone: Vec<String> = undone.removed.iter().map(ToString::to_string).collect();
    let detail =
        format!("{} Removed on the host already: {}.", sentence(&error.to_string()), gone.join(", "));
    let problem = match &error {
        RemoveError::NotRecorded(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "removed_in_part",
            "The remote is still there; what Muster made on its host is not.",
        ),
        _ => error.into(),
    };
    let remedy = "Remove it once more, or sign in to it anew: Muster cannot sign in with what it has.";
    problem.detail(detail).remedy(remedy)
}

/// A remote of which a new sign-in was saved, and that was not connected then; `done` on its host, line by line.
pub(super) fn saved_not_connected(error: EditError, done: &[String]) -> Problem {
    let lines: String = done.iter().map(|line| format!(" {}", sentence(line))).collect();
    let detail =
        format!("The new sign-in is saved. Connecting it failed: {}{lines}", sentence(&error.to_string()));
    let problem = match &error {
        EditError::NotRecorded(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "saved_not_connected",
            "The new sign-in is saved, but the remote was not connected.",
        ),
        _ => error.into(),
    };
    problem.detail(detail).remedy("Connect it; it need not be signed in to anew.")
}

/// An action that was not taken on. Where the link is why, its cause is told.
pub(super) fn operate(error: &OperateError, remote: &RemoteSnapshot) -> Problem {
    match error {
        OperateError::NoSuchRemote => Problem::not_found("remote"),
        OperateError::NoSuchGuest(_) => Problem::not_found("guest"),
        OperateError::Elsewhere(why) => cause(why, None),
        OperateError::NotRecorded(_) => not_recorded(error),
        OperateError::NamedBefore => named_before(),
        OperateError::Disabled { reason, remedy } => {
            let problem = match &remote.link.state {
                LinkState::Disconnected { by } => disconnected(&remote.name, by),
                state => {
                    let problem = Problem::conflict("disabled", "That cannot be done now.");
                    // By its words: meanwhile the link may be trying again, and `remote` is how it stands now.
                    match state.cause().filter(|cause| cause.sentence() == *reason) {
                        Some(cause) => problem.cause(api::Cause::at(cause, remote.link.in_use())),
                        None => problem,
                    }
                }
            };
            problem.detail(sentence(reason)).remedy(remedy.clone())
        }
    }
}

/// A guest that was named before in the same request.
pub(super) fn named_before() -> Problem {
    Problem::invalid(sentence(&OperateError::NamedBefore.to_string())).remedy("Name each guest once.")
}

/// An operation that was not taken back, and how it stands.
pub(super) fn take_back(error: &TakeBackError, operation: &api::operation::Operation) -> Problem {
    let refused = |code, title: &str| Problem::conflict(code, title).detail(sentence(&error.to_string()));
    match error {
        TakeBackError::NoSuchOperation => Problem::not_found("operation"),
        TakeBackError::Sent => {
            let stands = format!("It was sent already: {}.", operation.sentence);
            let problem = refused("already_sent", "It cannot be taken back.").detail(stands);
            problem.remedy(match &operation.task {
                Some(task) => format!("Ask its task to end: muster task stop {}/{task}", operation.remote),
                None => "Once its task is known, that can be asked to end.".to_owned(),
            })
        }
        TakeBackError::Ended(_) => refused("already_ended", "There is nothing to take back."),
        TakeBackError::Elsewhere(why) => cause(why, None),
        TakeBackError::NotRecorded(_) => not_recorded(error),
    }
}

/// A decision that was not taken in. `candidates`: the tasks among which there is one.
pub(super) fn resolve(error: &ResolveError, candidates: &[TaskId]) -> Problem {
    match error {
        ResolveError::NoSuchOperation => Problem::not_found("operation"),
        ResolveError::NotOpen | ResolveError::RemoteRemoved => {
            Problem::conflict("not_undecided", "There is nothing to decide.")
                .detail(sentence(&error.to_string()))
        }
        ResolveError::NotACandidate(_) => {
            let one = |task: &TaskId| Candidate {
                id: task.to_string(),
                name: String::new(),
                kind: "task".to_owned(),
            };
            Problem::invalid(sentence(&error.to_string())).candidates(candidates.iter().map(one))
        }
        ResolveError::Elsewhere(why) => cause(why, None),
        ResolveError::NotRecorded => not_recorded(error),
    }
}

/// A step of an onboarding that failed.
pub(super) fn onboard(error: &OnboardError) -> Problem {
    let conflict = |title: &str| Problem::conflict(error.code(), title);
    let whole = |problem: Problem| problem.detail(sentence(&error.to_string())).remedy(error.remedy());
    match error {
        OnboardError::Failed { cause: why, endpoint, .. } => {
            let told = api::Cause::at(why, Some(&EndpointId::from(endpoint.as_str())));
            whole(Problem::new(status(why), why.code(), "That did not work.").cause(told))
        }
        OnboardError::Undone { source, .. } => {
            onboard(source).detail(sentence(&error.to_string())).remedy(error.remedy())
        }
        OnboardError::AlreadyManaged { id, name, .. } => whole(managed("", *id, name)),
        OnboardError::UnknownRealm { realms, .. } => whole(
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), "The host has no such realm.")
                .candidates(realms.iter().map(|realm| Candidate {
                    id: realm.clone(),
                    name: realm.clone(),
                    kind: "realm".to_owned(),
                })),
        ),
        OnboardError::NotAToken => {
            whole(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), "That is no API token."))
        }
        OnboardError::OtherCertificate { shown, given } => {
            let cause =
                Cause::CertificateChanged { expected: given.to_string(), presented: shown.to_string() };
            whole(conflict("It shows another certificate.").cause(&cause))
        }
        OnboardError::Lost => whole(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "A fault inside Muster; its log says more.",
        )),
        _ => whole(conflict("That cannot be done.")),
    }
}

/// Begins large and ends with a full stop, as a sentence does.
pub(super) fn sentence(clause: &str) -> String {
    let clause = clause.trim();
    let mut chars = clause.chars();
    let begun: String = match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    };
    if begun.is_empty() || begun.ends_with(['.', '?', '!']) { begun } else { format!("{begun}.") }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use fleet::onboard::Thing;

    use super::*;

    fn gone() -> Undone {
        let token = Thing::Token { id: "root@pam!muster-1".to_owned() };
        Undone { removed: vec![token, Thing::Role { name: "MusterLook".to_owned() }], ..Undone::default() }
    }

    #[test]
    fn a_removal_that_was_done_on_the_host_is_not_called_undone() {
        let failed = || RemoveError::NotRecorded("the disk is full".to_owned());
        let told = removal(failed(), &gone());
        assert_eq!((told.status().as_u16(), told.code()), (503, "removed_in_part"));
        for part in ["the disk is full", "root@pam!muster-1", "MusterLook"] {
            assert!(told.sentence().contains(part), "{told}");
        }
        assert_eq!(removal(failed(), &Undone::default()).code(), "not_recorded", "then nothing was done");
        let open = removal(RemoveError::OpenOperations(vec![OperationId(7)]), &gone());
        assert_eq!(open.code(), "open_operations");
        assert!(open.sentence().contains("root@pam!muster-1"), "{open}");
    }

    #[tokio::test]
    async fn the_cause_is_told_though_the_link_tries_again_meanwhile() {
        let cause =
            Cause::UntrustedCertificate { presented: "AA".to_owned(), why: "not confirmed".to_owned() };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut remote = RemoteSnapshot::bare(model::RemoteId(1), "home".into(), now);
        let refused = OperateError::Disabled { reason: cause.sentence(), remedy: cause.remedy() };
        let told = async |remote: &RemoteSnapshot, refused: &OperateError| {
            let body = operate(refused, remote).into_response().into_body();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()["cause"]["code"].clone()
        };
        for state in [
            LinkState::BackingOff { cause: cause.clone(), next_try: now },
            LinkState::Connecting { last: Some(cause) },
        ] {
            remote.link.state = state;
            assert_eq!(told(&remote, &refused).await, "untrusted_certificate");
            // What the guest itself forbids has nothing to do with it.
            let other =
                OperateError::Disabled { reason: "it is running already".to_owned(), remedy: String::new() };
            assert!(told(&remote, &other).await.is_null());
        }
    }

    #[test]
    fn a_sign_in_that_was_saved_is_not_called_lost() {
        let done = ["removed, as it is not used any more: the token root@pam!muster-1".to_owned()];
        let told = saved_not_connected(EditError::NotRecorded("the disk is full".to_owned()), &done);
        assert_eq!((told.status().as_u16(), told.code()), (503, "saved_not_connected"));
        for part in ["The new sign-in is saved.", "the disk is full", "root@pam!muster-1"] {
            assert!(told.sentence().contains(part), "{told}");
        }
        assert_eq!(saved_not_connected(EditError::NoSuchRemote, &[]).code(), "not_found");
    }
}
