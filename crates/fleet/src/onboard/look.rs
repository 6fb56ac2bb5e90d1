//! What is read once signed in: who it is, what is there, and what the account may do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pve::reply::{ClusterStatus, Permissions, RoleRow};
use pve::trust::cluster_authority;
use pve::{Certificate, Client, Error, TrustPolicy};

use super::OnboardError;
use super::rights::{self, Major, Rights};
use super::view::{NodeFound, Offer, RoleFacts, SignedIn};

/// What was read, with what is not for showing.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// For showing.
    pub(super) signed_in: SignedIn,
    /// The trust in the cluster's own authority, where that vouches for the certificate shown.
    pub(super) authority: Option<TrustPolicy>,
    /// What the account holds.
    pub(super) permissions: Permissions,
}

/// Reads everything through a client that is signed in, with a second factor or without.
pub(super) async fn look(client: &Client, factored: bool) -> Result<Seen, OnboardError> {
    let failed = OnboardError::failed("looking at what is there");
    let version = client.version().await.map_err(&failed)?.value;
    let permissions = client.permissions().await.map_err(&failed)?.value;
    let (cluster, nodes) = members(client).await.map_err(&failed)?;
    let root = root_certificate(client, &nodes).await?;
    let names: Vec<String> =
        nodes.iter().flat_map(|node| [Some(node.name.clone()), node.ip.clone()]).flatten().collect();
    let policy = TrustPolicy::cluster_ca(&root, names);
    let authority = client.vouched_by(&policy).then_some(policy);
    let roles = client.roles().await.map_err(&failed)?.value.rows;
    // Whether the account ends is worth telling, and no reason to stop.
    let account_ends =
        client.user(client.credential().user()).await.ok().and_then(|user| ends(user.value.expire));
    let major = Major::nearest(version.major_minor().map_or(9, |(major, _)| major));
    let offers = offers(&Account {
        who: client.credential().authid(),
        by_token: client.credential().is_token(),
        factored,
        permissions: &permissions,
        roles: &roles,
        major,
    });
    let alone = nodes.first().filter(|_| nodes.len() == 1).map(|node| node.name.clone());
    let suggested_name = cluster.clone().or(alone);
    let signed_in = SignedIn {
        who: client.credential().authid().to_owned(),
        by_token: client.credential().is_token(),
        version: version.version,
        major,
        cluster,
        identity: root.fingerprint,
        authority: authority.is_some().then_some(root),
        nodes,
        offers,
        account_ends,
        suggested_name,
    };
    Ok(Seen { signed_in, authority, permissions })
}

/// A moment in Unix seconds; 0 is never.
fn ends(expire: Option<i64>) -> Option<Timestamp> {
    expire.filter(|expire| *expire > 0).and_then(|expire| Timestamp::from_second(expire).ok())
}

/// The cluster's name and its nodes. Whoever may not see the status still sees the nodes' names.
pub(super) async fn members(client: &Client) -> Result<(Option<String>, Vec<NodeFound>), Error> {
    let mut nodes: BTreeMap<String, NodeFound> = BTreeMap::new();
    let mut cluster = None;
    match client.cluster_status().await {
        Ok(answer) => {
            for row in answer.value.rows {
                match row {
                    ClusterStatus::Cluster(row) => cluster = row.name,
                    ClusterStatus::Node(row) => {
                        let found = NodeFound {
                            name: row.name.clone(),
                            ip: row.ip,
                            online: row.online,
                            local: row.local,
                        };
                        nodes.insert(row.name, found);
                    }
                    ClusterStatus::Other(_) => {}
                }
            }
        }
        Err(error) if matches!(error.kind(), pve::ErrorKind::PrivilegeMissing { .. }) => {
            for row in client.nodes().await?.value.rows {
                let online = match row.status.as_deref() {
                    Some("online") => Some(true),
                    Some("offline") => Some(false),
                    _ => None,
                };
                let found = NodeFound { name: row.node.clone(), ip: None, online, local: None };
                nodes.insert(row.node, found);
            }
        }
        Err(error) => return Err(error),
    }
    Ok((cluster, nodes.into_values().collect()))
}

/// The root certificate of the cluster: every node has it, so the first that answers will do, the one that is dialled
/// before the others.
pub(super) async fn root_certificate(
    client: &Client,
    nodes: &[NodeFound],
) -> Result<Certificate, OnboardError> {
    let mut order: Vec<&NodeFound> = nodes.iter().collect();
    order.sort_by_key(|node| (node.local != Some(true), node.online == Some(false)));
    let mut last = None;
    for node in order {
        match client.node_certificates(&node.name).await {
            Ok(answer) => match cluster_authority(&answer.value.rows) {
                Some(root) => return Ok(root),
                None => last = None,
            },
            Err(error)
                if matches!(
                    error.kind(),
                    pve::ErrorKind::NodeDown { .. } | pve::ErrorKind::NodeNoAnswer { .. }
                ) =>
            {
                last = Some(error);
            }
            Err(error) => return Err(OnboardError::failed("reading the root certificate")(error)),
        }
    }
    Err(last.map_or(OnboardError::NoIdentity, OnboardError::failed("reading the root certificate")))
}

/// An account, as far as it decides on what may be made for it.
pub(super) struct Account<'a> {
    pub(super) who: &'a str,
    pub(super) by_token: bool,
    /// The sign-in took a second factor.
    pub(super) factored: bool,
    pub(super) permissions: &'a Permissions,
    pub(super) roles: &'a [RoleRow],
    pub(super) major: Major,
}

/// The role for these rights: one that is there with just these privileges, or the first free name to make it under.
pub(super) fn role_for(rights: Rights, major: Major, roles: &[RoleRow]) -> Option<RoleFacts> {
    let base = rights::role(rights)?;
    let wanted = rights::privileges(rights, major);
    let privileges: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    (1..=super::mint::NAMES).find_map(|n| {
        let name = super::mint::numbered(base, n);
        match roles.iter().find(|role| role.roleid == name) {
            None => Some(RoleFacts { name, privileges: privileges.clone(), made: true }),
            Some(role) => {
                let mut held = role.privs.clone().unwrap_or_default();
                held.sort();
                held.dedup();
                (held == privileges).then(|| RoleFacts { name, privileges: privileges.clone(), made: false })
            }
        }
    })
}

/// What may be kept, and what may not and why.
pub(super) fn offers(account: &Account<'_>) -> Vec<Offer> {
    let note = match (account.by_token, account.factored) {
        (true, _) => None,
        (false, true) => Some(format!(
            "{} has a second factor, which will be asked for at every new sign-in: after each restart, and whenever a \
             session could not be renewed",
            account.who
        )),
        (false, false) => Some("the password itself is kept, sealed".to_owned()),
    };
    let given = Offer { rights: None, role: None, lacking: Vec::new(), refused: None, note };
    Rights::ALL
        .into_iter()
        .map(|rights| {
            let role = role_for(rights, account.major, account.roles);
            let lacking = role.as_ref().map(|role| lacking(account.permissions, role)).unwrap_or_default();
            let refused = refusal(account, rights, role.as_ref(), &lacking);
            let note = Some(rights::purpose(rights).to_owned());
            Offer { rights: Some(rights), role, lacking, refused, note }
        })
        .chain([given])
        .collect()
}

/// The privileges of a role that an account does not hold on `/` and all below.
fn lacking(permissions: &Permissions, role: &RoleFacts) -> Vec<String> {
    let root = permissions.paths.get("/");
    let lacks = |name: &&String| root.and_then(|held| held.get(name.as_str())) != Some(&true);
    role.privileges.iter().filter(lacks).cloned().collect()
}

/// Why a token with these rights cannot be made, in one sentence.
fn refusal(
    account: &Account<'_>,
    rights: Rights,
    role: Option<&RoleFacts>,
    lacking: &[String],
) -> Option<String> {
    let Account { who, permissions, .. } = account;
    if account.by_token && !permissions.holds("/access/groups", "User.Modify") {
        return Some(format!(
            "{who} is an API token, and may not make another one (that takes User.Modify on /access/groups)"
        ));
    }
    if rights == Rights::SameAsUser {
        return None;
    }
    let Some(role) = role else {
        return Some(format!(
            "every name for the role of “{rights}” is taken by a role with other privileges"
        ));
    };
    if !lacking.is_empty() {
        return Some(format!(
            "{who} does not hold {} on / and all below, and a token cannot have more than its user",
            lacking.join(", ")
        ));
    }
    if role.made && !permissions.holds("/access", "Sys.Modify") {
        return Some(format!("{who} may not make the role {} (that takes Sys.Modify on /access)", role.name));
    }
    if !permissions.holds("/", "Permissions.Modify") {
        return Some(format!("{who} may not give a role to a token (that takes Permissions.Modify on /)"));
    }
    None
}
