//! Further endpoints of a remote, found from its cluster's membership ([`membership`]), or typed by somebody
//! ([`vouch`]).

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};
use model::{Cause, EndpointId, NodeName};
use pve::address::Address;
use pve::reply::{CertificateInfo, ClusterStatus};
use pve::trust::{self, cluster_authority};
use pve::{Certificate, Client, Error, Fingerprint, SystemStore, TrustPolicy};
use serde::Serialize;

use super::OnboardError;
use super::look::{members, root_certificate};
use super::view::Timings;
use crate::errors;

/// How many nodes are tried at once.
const AT_ONCE: usize = 4;

/// An endpoint that a remote might have as well.
#[derive(Debug, Clone, Serialize)]
pub struct Proposed {
    /// Where it should answer.
    #[serde(serialize_with = "as_text")]
    pub address: Address,
    /// The node it is.
    pub node: NodeName,
    /// The certificate that it shows to browsers and to us, as the cluster tells over an endpoint that is trusted.
    pub certificate: Option<Certificate>,
    /// What would be believed there: the cluster's authority where that issued the certificate, else just this one.
    #[serde(skip)]
    pub trust: Option<TrustPolicy>,
    /// Whether it answers from here, and is what it should be.
    pub verdict: Verdict,
}

fn as_text<S: serde::Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(address)
}

/// How a proposed endpoint answered.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It answers, with the certificate that the cluster told.
    Good,
    /// It answers with another certificate: it may be another machine.
    OtherCertificate {
        /// SHA-256 of what was shown.
        shown: String,
    },
    /// It does not answer from here.
    Silent {
        /// Why.
        cause: Cause,
    },
    /// The cluster could not tell its certificate, so nothing was tried.
    NoPin {
        /// Why.
        cause: Cause,
    },
}

/// The nodes of the cluster that no endpoint in `known` stands for, each with the certificate it should show (read
/// through `client`, which is trusted) and whether it answers from here.
///
/// An endpoint is known by its address, or by the node it is (`known`'s second part), and the node that `client` itself
/// speaks to is always known. A stand-alone host proposes nothing. Nothing but a TLS handshake is sent to what is
/// proposed.
///
/// # Errors
/// The membership cannot be read (`GET /cluster/status` takes `Sys.Audit`).
pub async fn membership(
    client: &Client,
    known: &[(EndpointId, Option<NodeName>)],
    timings: &Timings,
    store: &SystemStore,
) -> Result<Vec<Proposed>, Error> {
    let rows = client.cluster_status().await?.value.rows;
    let nodes = rows.iter().filter_map(|row| match row {
        ClusterStatus::Node(node) => Some([Some(node.name.clone()), node.ip.clone()]),
        _ => None,
    });
    let names: Vec<String> = nodes.flatten().flatten().collect();
    let taken: BTreeSet<&NodeName> = known.iter().filter_map(|(_, node)| node.as_ref()).collect();
    let candidates = candidates(&rows, client.endpoint()).into_iter().filter(|(node, address)| {
        let id = EndpointId::from(address.to_string());
        !taken.contains(node) && !known.iter().any(|(one, _)| *one == id)
    });
    let tried = stream::iter(candidates.map(|(node, address)| {
        let names = &names;
        async move { propose(client, node, address, names, timings, store).await }
    }));
    Ok(tried.buffered(AT_ONCE).collect().await)
}

/// The nodes beside the one at `endpoint`, out of `GET /cluster/status`, each with the address at which its API should
/// answer: what may be proposed. Nothing is asked for here.
pub(crate) fn candidates(rows: &[ClusterStatus], endpoint: &str) -> Vec<(NodeName, Address)> {
    let port = endpoint.parse::<Address>().map_or(pve::address::DEFAULT_PORT, |address| address.port);
    let others = rows.iter().filter_map(|row| match row {
        ClusterStatus::Node(node) if node.local != Some(true) => Some(node),
        _ => None,
    });
    let addressed = others.filter_map(|node| {
        let ip: std::net::IpAddr = node.ip.as_deref()?.parse().ok()?;
        let address: Address = std::net::SocketAddr::new(ip, port).to_string().parse().ok()?;
        (address.to_string() != endpoint).then(|| (NodeName::from(node.name.as_str()), address))
    });
    addressed.collect()
}

async fn propose(
    client: &Client,
    node: NodeName,
    address: Address,
    names: &[String],
    timings: &Timings,
    store: &SystemStore,
) -> Proposed {
    let told = client.node_certificates(node.as_str()).await;
    let rows = match told {
        Ok(answer) => answer.value.rows,
        Err(error) => {
            let verdict = Verdict::NoPin { cause: errors::cause(&error) };
            return Proposed { address, node, certificate: None, trust: None, verdict };
        }
    };
    let Some(certificate) = shown_by(&rows) else {
        let cause = Cause::NotUnderstood { what: "the node names no certificate of its own".to_owned() };
        let verdict = Verdict::NoPin { cause };
        return Proposed { address, node, certificate: None, trust: None, verdict };
    };
    let by_authority = cluster_authority(&rows)
        .filter(|root| root.subject == certificate.issuer)
        .map(|root| TrustPolicy::cluster_ca(&root, names.iter().cloned()));
    let pin = TrustPolicy::leaf(certificate.fingerprint);
    let (verdict, trust) = match trust::probe_with(&address, &timings.pve, store.clone()).await {
        Err(error) => (Verdict::Silent { cause: errors::cause(&error) }, by_authority.unwrap_or(pin)),
        Ok(presented) => {
            let leaf = presented.leaf().map(|leaf| leaf.fingerprint);
            // The subject alone proves nothing: the authority's signature has to be on what is shown.
            let trust = by_authority.filter(|policy| presented.judge(policy).is_ok()).unwrap_or(pin);
            let verdict = if leaf == Some(certificate.fingerprint) {
                Verdict::Good
            } else {
                Verdict::OtherCertificate { shown: leaf.map(|leaf| leaf.to_string()).unwrap_or_default() }
            };
            (verdict, trust)
        }
    };
    Proposed { address, node, certificate: Some(certificate), trust: Some(trust), verdict }
}

/// Whether an address that somebody typed is a node of the cluster that `client` speaks to, and what would be believed
/// there: its certificate has to be one that the cluster itself tells of, over the endpoint that is trusted, or one that
/// the cluster's authority issued. That the system's store vouches for its name is not enough. Nothing but a TLS
/// handshake is sent to the address.
///
/// # Errors
/// It does not answer, is no node of this cluster, or the cluster cannot be asked.
pub async fn vouch(
    client: &Client,
    address: &Address,
    timings: &Timings,
    store: &SystemStore,
) -> Result<Proposed, OnboardError> {
    let presented = trust::probe_with(address, &timings.pve, store.clone())
        .await
        .map_err(OnboardError::failed("looking at the certificate"))?;
    let Some(leaf) = presented.leaf().cloned() else { return Err(OnboardError::Lost) };
    let (_, nodes) = members(client).await.map_err(OnboardError::failed("asking for the members"))?;
    let root = root_certificate(client, &nodes).await?;
    let names: Vec<String> =
        nodes.iter().flat_map(|node| [Some(node.name.clone()), node.ip.clone()]).flatten().collect();
    let authority = TrustPolicy::cluster_ca(&root, names);
    let own = TrustPolicy { system: false, ..authority.clone() };
    let issued = presented.judge(&own).is_ok();
    // Owned names: a closure over borrowed ones keeps this future from being sent to another thread.
    let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    let told = stream::iter(names.into_iter().map(|name| async move {
        let rows = client.node_certificates(&name).await.ok()?.value.rows;
        Some((name, shown_by(&rows)?.fingerprint))
    }));
    let told: Vec<Option<(String, Fingerprint)>> = told.buffered(AT_ONCE).collect().await;
    let node = told.into_iter().flatten().find(|(_, shown)| *shown == leaf.fingerprint).map(|(name, _)| name);
    let named =
        || nodes.iter().map(|node| node.name.as_str()).find(|name| leaf.sans.iter().any(|san| san == name));
    let stranger =
        || OnboardError::Stranger { address: address.to_string(), shown: leaf.fingerprint.to_string() };
    let (node, trust) = match (node, issued) {
        (Some(node), true) => (node, authority),
        (Some(node), false) if presented.by_system().is_ok() => (node, TrustPolicy::system()),
        (Some(node), false) => (node, TrustPolicy::leaf(leaf.fingerprint)),
        (None, true) => (named().ok_or_else(stranger)?.to_owned(), authority),
        // The system's store may vouch for the name, but not for whose host it is: the credential stays here.
        (None, false) => return Err(stranger()),
    };
    let node = NodeName::from(node);
    let address = address.clone();
    Ok(Proposed { address, node, certificate: Some(leaf), trust: Some(trust), verdict: Verdict::Good })
}

/// The certificate that a node's API shows: one that was put there on purpose, else the one of the cluster's authority.
fn shown_by(rows: &[CertificateInfo]) -> Option<Certificate> {
    let named = |name: &str| rows.iter().find(|row| row.filename.as_deref() == Some(name));
    let row = named("pveproxy-ssl.pem").or_else(|| named("pve-ssl.pem"))?;
    Certificate::from_pem(row.pem.as_deref()?).ok()
}
