//! Who may do what: the access control list, evaluated as Proxmox does.

use std::collections::BTreeMap;

use catalogue::{Check, Permission};

use super::Cluster;
use super::facts::{self, Facts, Mask, bit};
use super::failure::Failure;
use super::spec::AclInput;
use super::users::realm_of;

/// To whom a line of the list gives its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    User(String),
    Group(String),
    Token(String),
}

/// One line of the list.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) path: String,
    pub(crate) subject: Subject,
    pub(crate) role: String,
    pub(crate) propagate: bool,
}

impl Line {
    pub(crate) fn from_input(input: &AclInput) -> Self {
        let subject = if let Some(group) = input.subject.strip_prefix('@') {
            Subject::Group(group.to_owned())
        } else if input.subject.contains('!') {
            Subject::Token(input.subject.clone())
        } else {
            Subject::User(input.subject.clone())
        };
        Self { path: normalise(&input.path), subject, role: input.role.clone(), propagate: input.propagate }
    }
}

/// Roles by name, built-in ones included.
#[derive(Debug)]
pub(crate) struct Roles(pub(crate) BTreeMap<String, Role>);

/// A role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Role {
    pub(crate) mask: Mask,
    pub(crate) builtin: bool,
}

impl Roles {
    pub(crate) fn new(facts: &Facts, own: &[(String, Vec<String>)]) -> Self {
        let builtin = facts::builtin_roles(facts).into_iter();
        let mut roles: BTreeMap<String, Role> =
            builtin.map(|(name, mask)| (name.to_owned(), Role { mask, builtin: true })).collect();
        for (name, privileges) in own {
            let mask = privileges.iter().fold(0, |mask, privilege| mask | bit(privilege));
            roles.insert(name.clone(), Role { mask, builtin: false });
        }
        Self(roles)
    }
}

/// Privileges on a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) mask: Mask,
    /// Those that hold below the path too.
    pub(crate) propagated: Mask,
}

/// Who is asking.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// `user@realm`, or `user@realm!token`.
    pub(crate) authid: String,
    /// `user@realm`.
    pub(crate) user: String,
    /// A token with rights of its own only.
    pub(crate) separated: bool,
    groups: Vec<String>,
}

impl Principal {
    /// The one and only root who signed in with a password: no token of root's is that.
    pub(crate) fn is_root(&self) -> bool {
        self.authid == "root@pam"
    }
}

/// `/a//b/` is `/a/b`.
pub(crate) fn normalise(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

impl Cluster {
    pub(crate) fn principal(&self, authid: &str) -> Principal {
        let (user, token) = authid.split_once('!').map_or((authid, None), |(user, name)| (user, Some(name)));
        let record = self.users.by_id.get(user);
        let separated = token.is_some_and(|name| {
            record.and_then(|user| user.tokens.get(name)).is_none_or(|token| token.privsep)
        });
        Principal {
            authid: authid.to_owned(),
            user: user.to_owned(),
            separated,
            groups: record.map(|user| user.groups.clone()).unwrap_or_default(),
        }
    }

    /// What the list alone gives on a path to one subject: the deepest level that names it decides, and a
    /// line for the user outweighs those of its groups on the same level.
    fn granted_by_list(&self, path: &str, matches: &dyn Fn(&Subject) -> Rank) -> Granted {
        let mut current = Granted::default();
        let mut consider = |level: &str, last: bool| {
            let mut best = Rank::None;
            let mut granted = Granted::default();
            let mut none = false;
            for line in self.acl.iter().filter(|line| line.path == level && (last || line.propagate)) {
                let rank = matches(&line.subject);
                if rank == Rank::None || rank < best {
                    continue;
                }
                if rank > best {
                    best = rank;
                    granted = Granted::default();
                    none = false;
                }
                none |= line.role == "NoAccess";
                let mask = self.roles.0.get(&line.role).map_or(0, |role| role.mask);
                granted.mask |= mask;
                if line.propagate {
                    granted.propagated |= mask;
                }
            }
            if best != Rank::None {
                current = if none { Granted::default() } else { granted };
            }
        };
        consider("/", path == "/");
        if path != "/" {
            for (end, _) in path.match_indices('/').skip(1) {
                consider(path.get(..end).unwrap_or_default(), false);
            }
            consider(path, true);
        }
        current
    }

    fn granted_to_user(&self, who: &Principal, path: &str) -> Granted {
        if who.user == "root@pam" {
            let all = facts::all(self.facts);
            return Granted { mask: all, propagated: all };
        }
        let rank = |subject: &Subject| match subject {
            Subject::User(user) if *user == who.user => Rank::Own,
            Subject::Group(group) if who.groups.contains(group) => Rank::Group,
            _ => Rank::None,
        };
        let mut granted = self.granted_by_list(path, &rank);
        if let Some(pool) = self.pool_of(path) {
            let from_pool = self.granted_by_list(&format!("/pool/{pool}"), &rank);
            granted.mask |= from_pool.mask;
            granted.propagated |= from_pool.propagated;
        }
        granted
    }

    fn pool_of(&self, path: &str) -> Option<&str> {
        let vmid = path.strip_prefix("/vms/")?.parse().ok()?;
        self.guests.get(&vmid)?.pool.as_deref()
    }

    /// The privileges of a caller on a path.
    pub(crate) fn granted(&self, who: &Principal, path: &str) -> Granted {
        if self.edits.hides(who, path) {
            return Granted::default();
        }
        let user = self.granted_to_user(who, path);
        if !who.separated {
            return user;
        }
        let own = self.granted_by_list(path, &|subject| match subject {
            Subject::Token(token) if *token == who.authid => Rank::Own,
            _ => Rank::None,
        });
        Granted { mask: own.mask & user.mask, propagated: own.propagated & user.propagated }
    }

    /// Whether a caller has one privilege on a path.
    pub(crate) fn may(&self, who: &Principal, path: &str, privilege: &str) -> bool {
        self.granted(who, path).mask & bit(privilege) != 0
    }

    /// Refuses a caller who lacks one privilege on a path.
    pub(crate) fn require(&self, who: &Principal, path: &str, privilege: &str) -> Result<(), Failure> {
        if self.may(who, path, privilege) {
            Ok(())
        } else {
            Err(Failure::permission(&format!("{path}, {privilege}")))
        }
    }

    /// The check that stands before a handler. `value` finds a parameter, from the path or as sent.
    pub(crate) fn permit(
        &self,
        who: &Principal,
        permission: &Permission,
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), Failure> {
        match permission {
            Permission::World => Ok(()),
            _ if who.is_root() && !self.edits.hides_anything() => Ok(()),
            Permission::Root if who.is_root() => Ok(()),
            Permission::Root => Err(Failure::permission("user != root@pam")),
            Permission::User => Ok(()),
            Permission::Check(check) => self.check(who, check, value),
        }
    }

    fn check(
        &self,
        who: &Principal,
        check: &Check,
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), Failure> {
        match check {
            Check::Perm { path, privileges } => {
                let path = fill(path, value);
                privileges.iter().try_for_each(|privilege| self.require(who, &path, privilege))
            }
            Check::PermAny { path, privileges } => {
                let path = fill(path, value);
                let wanted = privileges.iter().fold(0, |mask, privilege| mask | bit(privilege));
                if self.granted(who, &path).mask & wanted != 0 {
                    Ok(())
                } else {
                    Err(Failure::permission(&format!("{path}, {}", privileges.join("|"))))
                }
            }
            Check::All(checks) => checks.iter().try_for_each(|check| self.check(who, check, value)),
            Check::Any(checks) => {
                let mut words = Err(Failure::permission(""));
                for check in checks {
                    match self.check(who, check, value) {
                        Ok(()) => return Ok(()),
                        // A user id that cannot be read ends the call at once, whatever else would pass.
                        Err(Failure::Words { status: 500, text, errors }) => {
                            words = Err(Failure::Words { status: 500, text, errors });
                            break;
                        }
                        Err(_) => {}
                    }
                }
                words
            }
            Check::Special(words) => self.special(who, words, value),
        }
    }

    fn special(
        &self,
        who: &Principal,
        words: &[String],
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), Failure> {
        let rule: Vec<&str> = words.iter().map(String::as_str).collect();
        match rule.as_slice() {
            ["userid-param", what] => {
                let userid = value("userid").unwrap_or_default();
                if !super::formats::is_userid(&userid) {
                    let text = format!("value '{userid}' does not look like a valid user name");
                    return Err(Failure::server(text));
                }
                if *what == "self" {
                    // A token is not its user: it may not make, change or remove tokens by being one.
                    return if userid == who.authid { Ok(()) } else { Err(Failure::permission("")) };
                }
                self.require(who, &format!("/access/realm/{}", realm_of(&userid)), what)
            }
            ["userid-group", privileges, ..] => {
                let names = privileges.trim_matches(['[', ']']).split(',').map(|name| name.trim_matches('"'));
                let names: Vec<&str> = names.collect();
                let wanted = names.iter().fold(0, |mask, name| mask | bit(name));
                if self.granted(who, "/access/groups").mask & wanted != 0 {
                    return Ok(());
                }
                let userid = value("userid").unwrap_or_default();
                let groups = self.users.by_id.get(&userid).map(|user| user.groups.as_slice());
                let through = groups
                    .unwrap_or_default()
                    .iter()
                    .any(|group| self.granted(who, &format!("/access/groups/{group}")).mask & wanted != 0);
                let text = format!("/access/groups, {}", names.join("|"));
                if through { Ok(()) } else { Err(Failure::permission(&text)) }
            }
            ["perm-modify", path] => {
                let path = normalise(&fill(path, value));
                let also = match path.split('/').nth(1) {
                    Some("vms") => "VM.Allocate",
                    Some("storage") => "Datastore.Allocate",
                    Some("pool") => "Pool.Allocate",
                    _ => "Permissions.Modify",
                };
                let granted = self.granted(who, &path);
                if granted.mask & (bit("Permissions.Modify") | bit(also)) != 0 {
                    Ok(())
                } else {
                    Err(Failure::permission(&format!("{path}, Permissions.Modify")))
                }
            }
            _ => Err(Failure::permission("")),
        }
    }
}

/// How a line concerns a caller; a later one outweighs an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    None,
    Group,
    Own,
}

/// `/vms/{vmid}` with the parameter in its place.
fn fill(template: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut path = template.to_owned();
    while let Some(start) = path.find('{') {
        let Some(length) = path.get(start..).and_then(|rest| rest.find('}')) else { break };
        let name = path.get(start + 1..start + length).unwrap_or_default().to_owned();
        path.replace_range(start..=start + length, &value(&name).unwrap_or_default());
    }
    normalise(&path)
}
