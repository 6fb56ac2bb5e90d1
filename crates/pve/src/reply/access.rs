//! Version, realms, sign-in and permissions.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::decode::{Cx, Decode, Elements, FieldFact, Kind, Members, Reply, Unfit, reply};
use crate::secret::Secret;

reply! {
    /// `GET /version` and `GET /nodes/{node}/version`.
    pub struct Version {
        /// The full version of pve-manager, such as `9.2.11` or `7.4-16`.
        pub version: Option<String> = "version",
        /// Major and minor release, such as `9.2`.
        pub release: Option<String> = "release",
        /// The commit it was built from.
        pub repoid: Option<String> = "repoid",
        /// The cluster's default console viewer, where one is set.
        pub console: Option<String> = "console" since (7, 0),
    }

    /// One row of `GET /access/domains`: a realm one may sign in to.
    pub struct Domain {
        /// The realm's name, the part of a user behind the `@`.
        pub realm: String = "realm",
        /// `pam`, `pve`, `ldap`, `ad`, `openid`…
        pub kind: Option<String> = "type",
        /// What the administrator wrote about it.
        pub comment: Option<String> = "comment",
        /// Whether it is offered first.
        pub default: Option<bool> = "default",
        /// The second factor the realm itself asks for, if any.
        pub tfa: Option<String> = "tfa",
    }

    /// `POST /access/ticket`. With a second factor due, `ticket` is only the challenge.
    pub struct Ticket {
        /// The session ticket, or the challenge for a second factor.
        pub ticket: Option<Secret> = "ticket",
        /// What every call but GET has to carry beside the ticket.
        pub csrf: Option<Secret> = "CSRFPreventionToken",
        /// `user@realm`, as Proxmox spells it.
        pub username: Option<String> = "username",
        /// The name of the cluster; absent on a stand-alone host.
        pub clustername: Option<String> = "clustername",
        /// Whether a second factor is due.
        pub need_tfa: Option<bool> = "NeedTFA",
        /// What the web interface may offer: area, then privilege.
        pub cap: Option<Value> = "cap",
    }

    /// `POST /access/users/{userid}/token/{tokenid}`: a new API token. Its secret is told here and never again.
    pub struct Token {
        /// `user@realm!name`.
        pub full_tokenid: Option<String> = "full-tokenid",
        /// What was set for the token.
        pub info: Option<Value> = "info",
        /// The token's secret.
        pub value: Option<Secret> = "value",
    }

    /// One row of `GET /access/users/{userid}/token`: an API token, without its secret.
    pub struct TokenRow {
        /// Its name, the part of its id behind the `!`.
        pub tokenid: String = "tokenid",
        /// What was written about it.
        pub comment: Option<String> = "comment",
        /// When it ends, in Unix seconds; 0: never.
        pub expire: Option<i64> = "expire",
        /// Whether it has rights of its own only, cut with its user's; if not, it has its user's.
        pub privsep: Option<bool> = "privsep",
    }

    /// `GET` and `PUT /access/users/{userid}/token/{tokenid}`.
    pub struct TokenInfo {
        /// What was written about it.
        pub comment: Option<String> = "comment",
        /// When it ends, in Unix seconds; 0: never.
        pub expire: Option<i64> = "expire",
        /// Whether it has rights of its own only, cut with its user's.
        pub privsep: Option<bool> = "privsep",
        /// `user@realm!name`; comes with a new secret only.
        pub full_tokenid: Option<String> = "full-tokenid",
        /// The new secret, when one was asked for.
        pub value: Option<Secret> = "value",
    }

    /// `GET /access/users/{userid}`.
    pub struct User {
        /// Whether it may sign in.
        pub enable: Option<bool> = "enable",
        /// When the account ends, in Unix seconds; 0: never.
        pub expire: Option<i64> = "expire",
        /// The groups it is in.
        pub groups: Option<Vec<String>> = "groups",
        /// Its tokens by name; null where there is none.
        pub tokens: Option<Value> = "tokens",
        /// What was written about it.
        pub comment: Option<String> = "comment",
        /// Its mail address.
        pub email: Option<String> = "email",
        /// First name.
        pub firstname: Option<String> = "firstname",
        /// Last name.
        pub lastname: Option<String> = "lastname",
    }

    /// One row of `GET /access/roles`.
    pub struct RoleRow {
        /// Its name.
        pub roleid: String = "roleid",
        /// Its privileges.
        pub privs: Option<Vec<String>> = "privs",
        /// Whether it came with Proxmox VE and cannot be changed.
        pub special: Option<bool> = "special",
    }

    /// One row of `GET /access/acl`: a line of the access control list.
    pub struct AclRow {
        /// The object, and what is below it if it is propagated.
        pub path: String = "path",
        /// `user`, `group` or `token`.
        pub kind: Option<String> = "type",
        /// Who: a user, a group, or a token's full id.
        pub ugid: Option<String> = "ugid",
        /// The role given.
        pub roleid: Option<String> = "roleid",
        /// Whether it holds below the path too.
        pub propagate: Option<bool> = "propagate",
    }
}

/// `GET /access/roles/{roleid}`: the privileges of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RolePrivileges {
    /// By name; one that stands here is in the role, unless `false`.
    pub privileges: BTreeMap<String, bool>,
}

impl Reply for RolePrivileges {
    const NAME: &'static str = "RolePrivileges";
    const FIELDS: &'static [FieldFact] = &[];

    fn from_members(members: Members<'_>, cx: &mut Cx<'_>) -> Result<Self, String> {
        let read = members
            .filter_map(|(name, raw)| Some((name.into_owned(), cx.any_key(Kind::Bool, raw, bool::decode)?)));
        Ok(Self { privileges: read.collect() })
    }
}

impl Version {
    /// Major and minor release as numbers.
    pub fn major_minor(&self) -> Option<(u16, u16)> {
        let text = self.release.as_deref().or(self.version.as_deref())?;
        let mut parts = text.split(['.', '-', '~']).map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }
}

/// `GET /access/permissions`: what the signed-in user or token may do, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Permissions {
    /// Path, then privilege, then whether it also holds below that path. A privilege that stands here is
    /// granted, even with `false`.
    pub paths: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Permissions {
    /// Whether `privilege` is held on `path`: granted there, or on a path above it and propagated.
    ///
    /// The nearest path that is listed decides, as in Proxmox, where a listed path names everything that holds
    /// on it. A path on which nothing is held is not listed at all, so a role that takes rights away below a
    /// granted path cannot be seen here: Proxmox's own answer to a call is the last word.
    pub fn holds(&self, path: &str, privilege: &str) -> bool {
        if let Some(here) = self.paths.get(path) {
            return here.contains_key(privilege);
        }
        let mut above = path.trim_end_matches('/');
        while let Some((parent, _)) = above.rsplit_once('/') {
            let name = if parent.is_empty() { "/" } else { parent };
            if let Some(there) = self.paths.get(name) {
                return there.get(privilege) == Some(&true);
            }
            above = parent;
        }
        false
    }
}

impl Reply for Permissions {
    const NAME: &'static str = "Permissions";
    const FIELDS: &'static [FieldFact] = &[];

    fn from_members(members: Members<'_>, cx: &mut Cx<'_>) -> Result<Self, String> {
        let mut paths = BTreeMap::new();
        for (path, raw) in members {
            let privileges = cx.any_key(Kind::Privileges, raw, |raw, cx| {
                let members = match Members::of(raw) {
                    Some(members) => members,
                    // An empty hash may come out of Perl as an empty list.
                    None if Elements::of(raw).is_some_and(|mut e| e.next().is_none()) => {
                        return Ok(BTreeMap::new());
                    }
                    None => return Err(Unfit::default()),
                };
                Ok(members
                    .filter_map(|(name, raw)| {
                        Some((name.into_owned(), cx.any_key(Kind::Bool, raw, bool::decode)?))
                    })
                    .collect())
            });
            if let Some(privileges) = privileges {
                paths.insert(path.into_owned(), privileges);
            }
        }
        Ok(Self { paths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use crate::drift::Drift;

    fn permissions(json: &str) -> (Permissions, Drift) {
        let mut drift = Drift::default();
        (decode::object(decode::check(json.as_bytes()).unwrap(), &mut drift).unwrap(), drift)
    }

    #[test]
    fn a_privilege_holds_where_it_is_listed_and_below_where_it_propagates() {
        let (held, drift) = permissions(
            r#"{"/":{"Sys.Audit":1,"Sys.Modify":0},"/vms":{"VM.Audit":1},"/vms/100":{"VM.Console":0}}"#,
        );
        assert!(drift.is_empty());
        for (path, privilege, expected) in [
            ("/", "Sys.Audit", true),
            ("/", "Sys.Modify", true),
            ("/nodes/pve1", "Sys.Audit", true),
            ("/nodes/pve1", "Sys.Modify", false),
            ("/vms/101", "VM.Audit", true),
            ("/vms/101", "Sys.Audit", false),
            ("/vms/100", "VM.Console", true),
            ("/vms/100", "VM.Audit", false),
        ] {
            assert_eq!(held.holds(path, privilege), expected, "{path} {privilege}");
        }
        assert!(!permissions("{}").0.holds("/", "Sys.Audit"));
    }

    #[test]
    fn one_odd_path_or_privilege_spoils_nothing_else() {
        let (held, drift) = permissions(r#"{"/a":7,"/b":[],"/c":{"X":1,"Y":"maybe"}}"#);
        assert_eq!(held.paths.keys().collect::<Vec<_>>(), ["/b", "/c"]);
        assert!(held.holds("/c", "X") && !held.holds("/c", "Y"));
        let fields: Vec<_> = drift.records.iter().map(|r| r.field.as_str()).collect();
        assert_eq!(fields, ["*", "*.*"]);
    }

    #[test]
    fn the_release_is_read_from_either_field() {
        let version = |json: &str| {
            let mut drift = Drift::default();
            let version: Version =
                decode::object(decode::check(json.as_bytes()).unwrap(), &mut drift).unwrap();
            version.major_minor()
        };
        assert_eq!(version(r#"{"release":"9.2","version":"9.2.11"}"#), Some((9, 2)));
        assert_eq!(version(r#"{"version":"7.4-16"}"#), Some((7, 4)));
        assert_eq!(version(r#"{"version":"beta"}"#), None);
        assert_eq!(version("{}"), None);
    }
}
