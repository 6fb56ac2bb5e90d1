//! Opens every remote of a command line: [`all`]. What cannot be opened is kept with its reason.

use fleet::RemoteSpec;
use futures_util::future::join_all;
use pve::address::Address;
use pve::trust::{self, Presented};
use pve::{Client, Credential, Endpoint, Error, Secret, Timings, TrustPolicy};

use super::limit::Limit;
use crate::failure::Failure;
use crate::open::sign_in::{Accepted, code, first_factor};
use crate::open::target::Target;
use crate::open::trust::{Beliefs, decide};
use crate::secrets::Means;
use crate::term::ask::Ask;
use crate::trouble::failure_of_error;

/// A remote, or why it could not be opened.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The remote.
    pub target: Target,
    /// What came of it.
    pub opened: Result<Opened, Failure>,
}

/// A remote whose credential was accepted.
#[derive(Debug)]
pub(super) struct Opened {
    /// What the fleet needs to know of it.
    pub spec: RemoteSpec,
    /// The second factor that its sign-in still wants.
    pub factor: Option<Wanted>,
}

/// A second factor that is wanted. A code is good once, so it is the fleet's own sign-in that uses it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Of whom.
    pub user: String,
    /// Kinds that would do.
    pub kinds: Vec<String>,
    /// The code, as given or typed.
    pub code: Secret,
    /// Was it typed, so that another may be?
    pub typed: bool,
}

/// Opens the targets: looks at all certificates at once, then asks what is to be asked, one after the other.
pub(super) async fn all(
    targets: Vec<Target>,
    beliefs: &Beliefs,
    means: &Means,
    ask: &mut dyn Ask,
    timings: &Timings,
    limit: &Limit,
) -> Vec<Outcome> {
    let looks =
        join_all(targets.iter().map(|target| limit.bound_half(first_to_answer(target, timings)))).await;
    let mut outcomes = Vec::with_capacity(targets.len());
    for (target, look) in targets.into_iter().zip(looks) {
        let opened = match look {
            Ok(Ok((address, presented))) => limit
                .bound(one(&target, &address, &presented, beliefs, means, ask, timings))
                .await
                .and_then(|opened| opened),
            Ok(Err(error)) => Err(failure_of_error(&error)),
            Err(late) => Err(late),
        };
        ask.judged();
        outcomes.push(Outcome { target, opened });
    }
    outcomes
}

/// A remote that did not answer, to be added all the same where it can come up by itself: its credential is known, and
/// so is what to trust.
pub(super) fn later(target: &Target, beliefs: &Beliefs, means: &Means) -> Option<RemoteSpec> {
    let credential = match (&means.token, &means.user, &means.password) {
        (Some(token), _, _) => token.clone(),
        (None, Some(user), Some(password)) if user.contains('@') => {
            Credential::password(user, password.clone())
        }
        _ => return None,
    };
    let trust = match beliefs.fingerprints.as_slice() {
        [] => TrustPolicy::system(),
        [one] => TrustPolicy::leaf(*one),
        // Which of them is whose is not known before one is shown.
        _ => return None,
    };
    let mut endpoints = target.endpoints.iter();
    let spec = RemoteSpec::new(target.name.clone(), endpoints.next()?.clone(), trust.clone(), credential);
    Some(endpoints.fold(spec, |spec, address| spec.endpoint(address.clone(), trust.clone())))
}

/// The first endpoint of a remote that shows a certificate; if none does, the error of the first.
async fn first_to_answer(target: &Target, timings: &Timings) -> Result<(Address, Presented), Error> {
    let mut first = None;
    for address in &target.endpoints {
        match trust::probe(address, timings).await {
            Ok(presented) => return Ok((address.clone(), presented)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| {
        let kind = pve::ErrorKind::InvalidRequest { what: "the remote has no endpoint".to_owned() };
        Error::new(kind, pve::Phase::Local, target.name.clone())
    }))
}

async fn one(
    target: &Target,
    address: &Address,
    presented: &Presented,
    beliefs: &Beliefs,
    means: &Means,
    ask: &mut dyn Ask,
    timings: &Timings,
) -> Result<Opened, Failure> {
    let shown_as = match address.to_string() {
        address if target.name == address || address.starts_with(&format!("{}:", target.name)) => {
            target.name.clone()
        }
        address => format!("{} ({address})", target.name),
    };
    let (mut policy, _) = decide(&shown_as, presented, beliefs, ask)?;
    let endpoint = Endpoint { address: address.clone(), trust: policy.clone() };
    let connect = |credential: Credential| Client::new(endpoint.clone(), credential, timings.clone());
    let lobby = connect(Credential::password("", ""));
    let Accepted { credential, client, challenge } =
        first_factor(&target.name, &lobby, &connect, means, ask).await?;
    let (mut authority, mut factor, mut session) = (None, None, None);
    match challenge {
        Some(challenge) => {
            let (user, kinds) = (challenge.user().to_owned(), challenge.kinds().to_vec());
            let (code, typed) = code(&target.name, &user, &kinds, means, ask)?;
            factor = Some(Wanted { user, kinds, code, typed });
        }
        // The cluster's own authority vouches for its other nodes, and for a certificate renewed meanwhile.
        None => {
            authority = cluster_authority(&client).await;
            session = Some(client);
        }
    }
    if let Some(authority) = &authority {
        policy.ca.clone_from(&authority.ca);
        policy.node_names.clone_from(&authority.node_names);
    }
    let mut spec = RemoteSpec::new(target.name.clone(), address.clone(), policy, credential);
    spec.session = session;
    for other in target.endpoints.iter().filter(|a| *a != address) {
        if let Some(policy) = further(other, authority.as_ref(), beliefs, ask, timings).await {
            spec = spec.endpoint(other.clone(), policy);
        } else {
            ask.tell(&format!("{}: {other} is left out, its certificate is not trusted.", target.name));
        }
    }
    Ok(Opened { spec, factor })
}

/// The cluster's authority as read over the connection that is trusted already. None where it cannot be read: the
/// certificate that was confirmed is enough.
async fn cluster_authority(client: &Client) -> Option<TrustPolicy> {
    let nodes = client.nodes().await.ok()?.value.rows;
    let names: Vec<String> = nodes.iter().map(|n| n.node.clone()).collect();
    let node = nodes.iter().find(|n| n.status.as_deref() == Some("online")).or(nodes.first())?;
    let (_, policy) = client.cluster_trust(&node.node, &names).await.ok()??;
    Some(policy)
}

/// The trust in a further endpoint: by the cluster's authority, else as for the first one. An endpoint that does
/// not answer now is judged by the authority when it does.
async fn further(
    address: &Address,
    authority: Option<&TrustPolicy>,
    beliefs: &Beliefs,
    ask: &mut dyn Ask,
    timings: &Timings,
) -> Option<TrustPolicy> {
    let fallback = || authority.cloned().unwrap_or_else(TrustPolicy::system);
    match trust::probe(address, timings).await {
        Ok(presented) => match authority {
            Some(policy) if presented.judge(policy).is_ok() => Some(policy.clone()),
            _ => decide(&address.to_string(), &presented, beliefs, ask).ok().map(|(policy, _)| policy),
        },
        Err(_) => Some(fallback()),
    }
}
