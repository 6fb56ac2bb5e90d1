//! Who may do what, where: roles, acts, scopes. One table, [`TABLE`]; every question is answered from it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::id::RemoteId;

/// What a person is to Muster. Each role may all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Role {
    /// Looks.
    Viewer,
    /// Also works what is there: power, tasks, consoles, backups.
    Operator,
    /// Also makes and changes guests.
    Provisioner,
    /// Also destroys, and governs remotes, people and nodes.
    Administrator,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Provisioner, Self::Administrator];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Provisioner => "provisioner",
            Self::Administrator => "administrator",
        }
    }

    /// Whether this role includes `act`.
    #[must_use]
    pub fn may(self, act: Act) -> bool {
        self >= act.least()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| {
            format!("no role is called {text:?}; there are viewer, operator, provisioner, administrator")
        })
    }
}

/// What can be allowed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Act {
    /// See a remote and what is on it.
    Read,
    /// Start, shut down, stop, reboot, suspend, resume.
    Power,
    /// End a running task.
    TaskStop,
    /// Open a console.
    Console,
    /// Make a backup now.
    BackupNow,
    /// Make a snapshot.
    SnapshotCreate,
    /// See the sealed credentials of a service.
    Reveal,
    /// Make a guest.
    Create,
    /// Copy a guest.
    Clone,
    /// Change a guest's configuration.
    Configure,
    /// Move a guest to another node.
    Migrate,
    /// Put a guest back to a snapshot.
    Rollback,
    /// Run a blueprint.
    Deploy,
    /// Destroy a guest.
    Delete,
    /// Restore a backup over a guest.
    RestoreOver,
    /// Add, change, connect, disconnect, remove remotes.
    Remotes,
    /// Accept a certificate.
    Trust,
    /// People, tokens of others, the audit log, Muster itself.
    Users,
    /// Change a node.
    NodeChange,
    /// Any writing call of the Proxmox API.
    RawWrite,
}

/// Roles × acts: the least role that may do each act.
pub const TABLE: [(Act, Role); 20] = [
    (Act::Read, Role::Viewer),
    (Act::Power, Role::Operator),
    (Act::TaskStop, Role::Operator),
    (Act::Console, Role::Operator),
    (Act::BackupNow, Role::Operator),
    (Act::SnapshotCreate, Role::Operator),
    (Act::Reveal, Role::Operator),
    (Act::Create, Role::Provisioner),
    (Act::Clone, Role::Provisioner),
    (Act::Configure, Role::Provisioner),
    (Act::Migrate, Role::Provisioner),
    (Act::Rollback, Role::Provisioner),
    (Act::Deploy, Role::Provisioner),
    (Act::Delete, Role::Administrator),
    (Act::RestoreOver, Role::Administrator),
    (Act::Remotes, Role::Administrator),
    (Act::Trust, Role::Administrator),
    (Act::Users, Role::Administrator),
    (Act::NodeChange, Role::Administrator),
    (Act::RawWrite, Role::Administrator),
];

impl Act {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Power => "power",
            Self::TaskStop => "task_stop",
            Self::Console => "console",
            Self::BackupNow => "backup_now",
            Self::SnapshotCreate => "snapshot_create",
            Self::Reveal => "reveal",
            Self::Create => "create",
            Self::Clone => "clone",
            Self::Configure => "configure",
            Self::Migrate => "migrate",
            Self::Rollback => "rollback",
            Self::Deploy => "deploy",
            Self::Delete => "delete",
            Self::RestoreOver => "restore_over",
            Self::Remotes => "remotes",
            Self::Trust => "trust",
            Self::Users => "users",
            Self::NodeChange => "node_change",
            Self::RawWrite => "raw_write",
        }
    }

    /// The least role that may do it. What the table does not name is for administrators only.
    #[must_use]
    pub fn least(self) -> Role {
        TABLE.iter().find(|(act, _)| *act == self).map_or(Role::Administrator, |(_, role)| *role)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Act {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TABLE
            .iter()
            .map(|(act, _)| *act)
            .find(|act| act.as_str() == text)
            .ok_or_else(|| format!("no act is called {text:?}"))
    }
}

/// Where a grant holds. In JSON `{"kind":"all"}` or `{"kind":"remote","value":7}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Everywhere, and on Muster itself.
    All,
    /// On one remote and all that is on it.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    Remote(RemoteId),
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(tag = "kind", content = "value", rename_all = "snake_case")]
        enum Written {
            All,
            Remote(u64),
        }
        Ok(match Written::deserialize(from)? {
            Written::All => Self::All,
            Written::Remote(id) => Self::Remote(RemoteId(id)),
        })
    }
}

impl Scope {
    /// Its kind, as rows keep it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Remote(_) => "remote",
        }
    }

    /// What it names within its kind, as rows keep it; empty for `all`.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Remote(id) => id.to_string(),
        }
    }

    /// From a row's kind and value.
    ///
    /// # Errors
    /// When this version knows no such kind, or the value is not of it. Such a grant must allow nothing.
    pub fn from_row(kind: &str, value: &str) -> Result<Self, String> {
        match kind {
            "all" => Ok(Self::All),
            "remote" => value
                .parse()
                .map(|id| Self::Remote(RemoteId(id)))
                .map_err(|_| format!("{value:?} is not the number of a remote")),
            other => Err(format!("no scope is called {other:?}; there are all and remote")),
        }
    }

    /// Whether it takes in `remote`; with `None`, whether it takes in Muster itself.
    #[must_use]
    pub fn covers(&self, remote: Option<RemoteId>) -> bool {
        match self {
            Self::All => true,
            Self::Remote(id) => remote == Some(*id),
        }
    }

    /// Whether it takes in all that `other` does.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        *self == Self::All || self == other
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everywhere"),
            Self::Remote(id) => write!(f, "on remote {id}"),
        }
    }
}

/// A role, somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Grant {
    /// Which role.
    pub role: Role,
    /// Where.
    pub scope: Scope,
}

impl Grant {
    /// The role everywhere.
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self { role, scope: Scope::All }
    }

    /// The role on one remote.
    #[must_use]
    pub fn on(role: Role, remote: RemoteId) -> Self {
        Self { role, scope: Scope::Remote(remote) }
    }

    /// Whether it allows all that `other` does.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.role >= other.role && self.scope.contains(&other.scope)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.scope)
    }
}

/// Everything somebody was granted. Empty: nothing may be seen or done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Grants(pub Vec<Grant>);

/// The remotes somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visible {
    /// All there are and will be.
    All,
    /// These.
    Remotes(BTreeSet<RemoteId>),
}

impl Visible {
    /// Whether `remote` is among them.
    #[must_use]
    pub fn sees(&self, remote: RemoteId) -> bool {
        match self {
            Self::All => true,
            Self::Remotes(these) => these.contains(&remote),
        }
    }
}

impl Grants {
    /// Administrator everywhere.
    #[must_use]
    pub fn administrator() -> Self {
        Self(vec![Grant::everywhere(Role::Administrator)])
    }

    /// Whether `act` is allowed on `remote`; with `None`, on Muster itself, which takes a grant everywhere.
    #[must_use]
    pub fn may(&self, act: Act, remote: Option<RemoteId>) -> bool {
        self.0.iter().any(|grant| grant.role.may(act) && grant.scope.covers(remote))
    }

    /// Whether `act` is allowed anywhere at all.
    #[must_use]
    pub fn may_somewhere(&self, act: Act) -> bool {
        self.0.iter().any(|grant| grant.role.may(act))
    }

    /// Whether `remote` may be seen.
    #[must_use]
    pub fn sees(&self, remote: RemoteId) -> bool {
        self.may(Act::Read, Some(remote))
    }

    /// The remotes that may be seen.
    #[must_use]
    pub fn visible(&self) -> Visible {
        if self.may(Act::Read, None) {
            return Visible::All;
        }
        Visible::Remotes(
            self.0
                .iter()
                .filter(|grant| grant.role.may(Act::Read))
                .filter_map(|grant| match grant.scope {
                    Scope::All => None,
                    Scope::Remote(id) => Some(id),
                })
                .collect(),
        )
    }

    /// Whether these are an administrator's everywhere.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.may(Act::Users, None)
    }

    /// Whether every one of `others` is contained in one of these.
    #[must_use]
    pub fn contain(&self, others: &Self) -> bool {
        others.0.iter().all(|other| self.0.iter().any(|grant| grant.contains(other)))
    }

    /// What both allow: of each pair the lesser role in the narrower place. A token acts with its own grants,
    /// cut down to what its user may at the time.
    #[must_use]
    pub fn within(&self, limit: &Self) -> Self {
        let mut both = BTreeSet::new();
        for one in &self.0 {
            for other in &limit.0 {
                let scope = match (one.scope, other.scope) {
                    (a, b) if a.contains(&b) => b,
                    (a, b) if b.contains(&a) => a,
                    _ => continue,
                };
                both.insert(Grant { role: one.role.min(other.role), scope });
            }
        }
        let all: Vec<Grant> = both.into_iter().collect();
        // What another one contains says nothing more.
        let needless = |at: usize, grant: &Grant| {
            all.iter().enumerate().any(|(n, other)| n != at && other.contains(grant) && other != grant)
        };
        Self(all.iter().enumerate().filter(|(at, grant)| !needless(*at, grant)).map(|(_, g)| *g).collect())
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: RemoteId = RemoteId(1);
    const THERE: RemoteId = RemoteId(2);

    fn any_grants() -> impl Strategy<Value = Grants> {
        let scope = prop_oneof![Just(Scope::All), Just(Scope::Remote(HERE)), Just(Scope::Remote(THERE))];
        let grant = (0..4usize, scope).prop_map(|(role, scope)| Grant { role: Role::ALL[role], scope });
        prop::collection::vec(grant, 0..4).prop_map(Grants)
    }

    #[test]
    fn the_table_names_each_act_once_and_words_lead_back() {
        for (at, (act, role)) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|(other, _)| other != act), "{act} is there twice");
            assert_eq!(act.as_str().parse::<Act>().as_ref(), Ok(act));
            assert_eq!(act.least(), *role);
            assert_eq!(serde_json::to_value(act).unwrap(), act.as_str());
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn each_role_may_what_the_contract_says() {
        let count = |role: Role| TABLE.iter().filter(|(act, _)| role.may(*act)).count();
        assert_eq!(Role::ALL.map(count), [1, 7, 13, 20]);
        assert!(Role::Operator.may(Act::Reveal) && !Role::Operator.may(Act::Create));
        assert!(Role::Provisioner.may(Act::Rollback) && !Role::Provisioner.may(Act::Delete));
    }

    #[test]
    fn a_grant_on_a_remote_reaches_neither_another_nor_muster_itself() {
        let grants = Grants(vec![Grant::on(Role::Administrator, HERE)]);
        for (act, _) in TABLE {
            assert!(grants.may(act, Some(HERE)));
            assert!(!grants.may(act, Some(THERE)) && !grants.may(act, None));
        }
        assert!(!grants.is_administrator());
        assert_eq!(grants.visible(), Visible::Remotes([HERE].into()));
        assert_eq!(Grants::default().visible(), Visible::Remotes(BTreeSet::new()));
        assert_eq!(Grants::administrator().visible(), Visible::All);
    }

    #[test]
    fn json_and_rows_lead_back() {
        for scope in [Scope::All, Scope::Remote(HERE)] {
            assert_eq!(Scope::from_row(scope.kind(), &scope.value()), Ok(scope));
        }
        assert!(Scope::from_row("pool", "web").is_err() && Scope::from_row("remote", "x").is_err());
        let grants = Grants(vec![Grant::on(Role::Operator, THERE), Grant::everywhere(Role::Viewer)]);
        let json = serde_json::to_string(&grants).unwrap();
        assert_eq!(
            json,
            r#"[{"role":"operator","scope":{"kind":"remote","value":2}},{"role":"viewer","scope":{"kind":"all"}}]"#
        );
        assert_eq!(serde_json::from_str::<Grants>(&json).unwrap(), grants);
    }

    proptest! {
        #[test]
        fn within_allows_exactly_what_both_allow(token in any_grants(), user in any_grants()) {
            let both = token.within(&user);
            prop_assert!(user.contain(&both) && token.contain(&both));
            for (act, _) in TABLE {
                for place in [None, Some(HERE), Some(THERE)] {
                    let expected = token.may(act, place) && user.may(act, place);
                    prop_assert_eq!(both.may(act, place), expected, "{} {:?}", act, place);
                }
            }
        }

        #[test]
        fn who_may_anything_somewhere_sees_it(grants in any_grants()) {
            for (act, _) in TABLE {
                for place in [HERE, THERE] {
                    prop_assert!(!grants.may(act, Some(place)) || grants.visible().sees(place));
                }
            }
        }
    }
}
