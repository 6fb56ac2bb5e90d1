//! Users, tokens, roles, the access control list: what is below `/access`, sign-in apart.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Cluster;
use super::acl::{Line, Role, Subject, normalise};
use super::facts::{self, bit};
use super::failure::{Answer, Failure, Out};
use super::gauges::mix;
use super::guest::uuid;
use super::route::Cx;
use super::users::{Token, User, realm_of};

/// A realm: where users come from.
#[derive(Debug, Clone)]
pub(crate) struct Realm {
    name: String,
    kind: String,
    comment: Option<String>,
    default: bool,
}

/// The realms that every installation has.
pub(crate) fn builtin_realms() -> Vec<Realm> {
    let realm = |name: &str, comment: &str| Realm {
        name: name.to_owned(),
        kind: name.to_owned(),
        comment: Some(comment.to_owned()),
        default: false,
    };
    vec![realm("pam", "Linux PAM standard authentication"), realm("pve", "Proxmox VE authentication server")]
}

fn info(token: &Token) -> Map<String, Value> {
    let mut info = Map::new();
    info.insert("expire".into(), token.expire.into());
    info.insert("privsep".into(), u8::from(token.privsep).into());
    if let Some(comment) = &token.comment {
        info.insert("comment".into(), comment.clone().into());
    }
    info
}

impl Cluster {
    /// Refuses a write while there is no quorum, in the words of the file that would be written.
    pub(crate) fn writable(&self, file: &str) -> Result<(), Failure> {
        if self.quorate {
            return Ok(());
        }
        let what = match file {
            "acl" => "ACL update failed: cfs-lock 'file-user_cfg' error: no quorum!",
            "user" => "update user failed: cfs-lock 'file-user_cfg' error: no quorum!",
            "ha" => "cfs-lock 'domain-ha' error: no quorum!",
            "realm" => "add auth server failed: cfs-lock 'file-domains_cfg' error: no quorum!",
            "options" => "cfs-lock 'file-datacenter_cfg' error: no quorum!",
            _ => return Err(Failure::no_quorum()),
        };
        Err(Failure::server(what))
    }

    pub(crate) fn domains(&self) -> Out {
        let rows = self.realms.iter().map(|realm| {
            let mut row = json!({ "realm": realm.name, "type": realm.kind });
            if let Some(row) = row.as_object_mut() {
                if let Some(comment) = &realm.comment {
                    row.insert("comment".into(), comment.clone().into());
                }
                if realm.default {
                    row.insert("default".into(), 1.into());
                }
            }
            row
        });
        Value::Array(rows.collect()).into()
    }

    pub(crate) fn domain_create(&mut self, cx: &Cx) -> Answer {
        self.writable("realm")?;
        let name = cx.args.text("realm");
        if self.realms.iter().any(|realm| realm.name == name) {
            return Err(Failure::server(format!("add auth server failed: domain '{name}' already exists")));
        }
        let default = cx.args.is_set("default");
        if default {
            self.realms.iter_mut().for_each(|realm| realm.default = false);
        }
        self.realms.push(Realm {
            name: name.to_owned(),
            kind: cx.args.text("type").to_owned(),
            comment: cx.args.get("comment").map(str::to_owned),
            default,
        });
        Ok(Value::Null.into())
    }

    pub(crate) fn user_of(&self, cx: &Cx) -> Result<&User, Failure> {
        let userid = cx.args.text("userid");
        self.users.by_id.get(userid).ok_or_else(|| Failure::server(format!("no such user ('{userid}')")))
    }

    fn user_fields(user: &User) -> Map<String, Value> {
        let mut row = Map::new();
        row.insert("enable".into(), u8::from(user.enabled).into());
        row.insert("expire".into(), user.expire.into());
        for (key, value) in &user.fields {
            row.insert(key.clone(), value.clone().into());
        }
        row
    }

    pub(crate) fn user_list(&self, cx: &Cx) -> Answer {
        let wanted = bit("User.Modify") | bit("Sys.Audit");
        let all = self.granted(&cx.who, "/access/groups").mask & wanted != 0
            || self.granted(&cx.who, "/access").mask & wanted != 0;
        let mut rows = Vec::new();
        for (userid, user) in &self.users.by_id {
            let visible = all || *userid == cx.who.user;
            let enabled = cx.args.flag("enabled").is_none_or(|enabled| enabled == user.enabled);
            if !visible || !enabled {
                continue;
            }
            let mut row = Self::user_fields(user);
            row.insert("userid".into(), userid.clone().into());
            let realm = realm_of(userid);
            if let Some(realm) = self.realms.iter().find(|known| known.name == realm) {
                row.insert("realm-type".into(), realm.kind.clone().into());
            }
            if cx.args.is_set("full") {
                row.insert("groups".into(), user.groups.join(",").into());
                let tokens = user.tokens.iter().map(|(name, token)| {
                    let mut info = info(token);
                    info.insert("tokenid".into(), name.clone().into());
                    Value::Object(info)
                });
                // No token at all is null, not an empty list.
                let tokens: Vec<Value> = tokens.collect();
                row.insert("tokens".into(), if tokens.is_empty() { Value::Null } else { tokens.into() });
            }
            rows.push(Value::Object(row));
        }
        Ok(Value::Array(rows).into())
    }

    pub(crate) fn user_get(&self, cx: &Cx) -> Answer {
        let user = self.user_of(cx)?;
        let mut row = Self::user_fields(user);
        row.insert("groups".into(), user.groups.clone().into());
        let tokens: Map<String, Value> =
            user.tokens.iter().map(|(name, token)| (name.clone(), Value::Object(info(token)))).collect();
        row.insert("tokens".into(), if tokens.is_empty() { Value::Null } else { tokens.into() });
        Ok(Value::Object(row).into())
    }

    /// Takes over what was sent about a user; nothing is changed when a group is not there.
    fn apply_user(&mut self, cx: &Cx, what: &str) -> Result<(), Failure> {
        let groups = cx.args.list("groups");
        if let Some(unknown) = groups.iter().find(|group| !self.users.groups.contains_key(*group)) {
            return Err(Failure::server(format!("{what} user failed: no such group '{unknown}'")));
        }
        let user = self.users.by_id.entry(cx.args.text("userid").to_owned()).or_default();
        if let Some(enable) = cx.args.flag("enable") {
            user.enabled = enable;
        }
        if let Some(expire) = cx.args.int("expire") {
            user.expire = expire;
        }
        if cx.args.get("groups").is_some() {
            if !cx.args.is_set("append") {
                user.groups.clear();
            }
            user.groups.extend(groups);
            user.groups.sort();
            user.groups.dedup();
        }
        for key in ["comment", "email", "firstname", "lastname", "keys"] {
            if let Some(value) = cx.args.get(key) {
                if value.is_empty() && key != "email" {
                    user.fields.remove(key);
                } else {
                    user.fields.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn user_create(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let userid = cx.args.text("userid");
        if self.users.by_id.contains_key(userid) {
            return Err(Failure::server(format!("create user failed: user '{userid}' already exists")));
        }
        self.apply_user(cx, "create")?;
        if let Some(user) = self.users.by_id.get_mut(userid) {
            user.enabled = cx.args.flag("enable").unwrap_or(true);
            user.password = cx.args.get("password").map(str::to_owned);
        }
        Ok(Value::Null.into())
    }

    pub(crate) fn user_update(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let userid = cx.args.text("userid");
        if !self.users.by_id.contains_key(userid) {
            return Err(Failure::server(format!("update user failed: no such user ('{userid}')")));
        }
        self.apply_user(cx, "update")?;
        Ok(Value::Null.into())
    }

    /// Deleting who is not there is a success; root@pam is written anew by whoever reads the file.
    pub(crate) fn user_delete(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let userid = cx.args.text("userid");
        if userid != "root@pam" {
            self.users.by_id.remove(userid);
            self.acl.retain(|line| line.subject != Subject::User(userid.to_owned()));
        }
        Ok(Value::Null.into())
    }

    pub(crate) fn change_password(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let user = self
            .users
            .by_id
            .get_mut(cx.args.text("userid"))
            .ok_or_else(|| Failure::server("no such user"))?;
        user.password = cx.args.get("password").map(str::to_owned);
        Ok(Value::Null.into())
    }

    // === tokens ===

    fn token_of(&self, cx: &Cx) -> Result<&Token, Failure> {
        let (userid, name) = (cx.args.text("userid"), cx.args.text("tokenid"));
        self.user_of(cx)?
            .tokens
            .get(name)
            .ok_or_else(|| Failure::server(format!("no such token '{name}' for user '{userid}'")))
    }

    pub(crate) fn token_list(&self, cx: &Cx) -> Answer {
        let rows = self.user_of(cx)?.tokens.iter().map(|(name, token)| {
            let mut row = info(token);
            row.insert("tokenid".into(), name.clone().into());
            Value::Object(row)
        });
        Ok(Value::Array(rows.collect()).into())
    }

    pub(crate) fn token_get(&self, cx: &Cx) -> Answer {
        Ok(Value::Object(info(self.token_of(cx)?)).into())
    }

    fn new_secret(&self, cx: &Cx) -> String {
        let salt = cx.path.bytes().fold(self.now.millis(), |hash, byte| mix(hash, u64::from(byte)));
        uuid(mix(self.seed, salt))
    }

    pub(crate) fn token_create(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let (userid, name) = (cx.args.text("userid"), cx.args.text("tokenid"));
        if self.user_of(cx)?.tokens.contains_key(name) {
            return Err(Failure::param("tokenid", "Token already exists."));
        }
        let secret = self.new_secret(cx);
        let token = Token {
            secret: secret.clone(),
            privsep: cx.args.flag("privsep").unwrap_or(true),
            expire: cx.args.int("expire").unwrap_or(0),
            comment: cx.args.get("comment").map(str::to_owned),
        };
        // What was sent comes back as it was sent; what was not is filled in with its type.
        let mut echoed = Map::new();
        echoed.insert("privsep".into(), cx.args.echo("privsep").unwrap_or_else(|| 1.into()));
        for key in ["comment", "expire"] {
            if let Some(value) = cx.args.echo(key) {
                echoed.insert(key.into(), value);
            }
        }
        if let Some(user) = self.users.by_id.get_mut(userid) {
            user.tokens.insert(name.to_owned(), token);
        }
        Ok(json!({ "full-tokenid": format!("{userid}!{name}"), "value": secret, "info": echoed }).into())
    }

    pub(crate) fn token_update(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        self.token_of(cx)?;
        let fresh = cx.args.is_set("regenerate").then(|| self.new_secret(cx));
        let (userid, name) = (cx.args.text("userid"), cx.args.text("tokenid"));
        let user = self.users.by_id.get_mut(userid);
        let Some(token) = user.and_then(|user| user.tokens.get_mut(name)) else {
            return Err(Failure::server(format!("no such token '{name}' for user '{userid}'")));
        };
        if let Some(privsep) = cx.args.flag("privsep") {
            token.privsep = privsep;
        }
        if let Some(expire) = cx.args.int("expire") {
            token.expire = expire;
        }
        if let Some(comment) = cx.args.get("comment") {
            token.comment = Some(comment.to_owned());
        }
        let mut row = info(token);
        if let Some(secret) = fresh {
            token.secret.clone_from(&secret);
            row.insert("value".into(), secret.into());
            row.insert("full-tokenid".into(), format!("{userid}!{name}").into());
        }
        Ok(Value::Object(row).into())
    }

    pub(crate) fn token_delete(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        self.token_of(cx)?;
        let (userid, name) = (cx.args.text("userid"), cx.args.text("tokenid"));
        if let Some(user) = self.users.by_id.get_mut(userid) {
            user.tokens.remove(name);
        }
        let full = format!("{userid}!{name}");
        self.acl.retain(|line| line.subject != Subject::Token(full.clone()));
        Ok(Value::Null.into())
    }

    // === roles ===

    pub(crate) fn role_list(&self) -> Answer {
        let rows = self.roles.0.iter().map(|(name, role)| {
            let mut row = Map::new();
            row.insert("roleid".into(), name.clone().into());
            let privileges: Vec<&str> = facts::names(role.mask).collect();
            row.insert("privs".into(), privileges.join(",").into());
            // Spelled as text before 9.
            let special: Value = match (role.builtin, self.facts.since(9)) {
                (builtin, true) => u8::from(builtin).into(),
                (true, false) => "1".into(),
                (false, false) => "".into(),
            };
            row.insert("special".into(), special);
            Value::Object(row)
        });
        Ok(Value::Array(rows.collect()).into())
    }

    fn role_of(&self, cx: &Cx) -> Result<Role, Failure> {
        let name = cx.args.text("roleid");
        let role = self.roles.0.get(name).copied();
        role.ok_or_else(|| Failure::server(format!("role '{name}' does not exist")))
    }

    pub(crate) fn role_get(&self, cx: &Cx) -> Answer {
        let row: Map<String, Value> =
            facts::names(self.role_of(cx)?.mask).map(|name| (name.to_owned(), 1.into())).collect();
        Ok(Value::Object(row).into())
    }

    fn mask_sent(cx: &Cx) -> facts::Mask {
        cx.args.list("privs").iter().fold(0, |mask, name| mask | bit(name))
    }

    pub(crate) fn role_create(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let name = cx.args.text("roleid");
        if self.roles.0.contains_key(name) {
            return Err(Failure::server(format!("create role failed: role '{name}' already exists")));
        }
        let role = Role { mask: Self::mask_sent(cx), builtin: false };
        self.roles.0.insert(name.to_owned(), role);
        Ok(Value::Null.into())
    }

    pub(crate) fn role_update(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let mut role = self.role_of(cx)?;
        let name = cx.args.text("roleid");
        if role.builtin {
            return Err(Failure::server(format!("auto-generated role '{name}' cannot be modified")));
        }
        let sent = Self::mask_sent(cx);
        role.mask = if cx.args.is_set("append") { role.mask | sent } else { sent };
        self.roles.0.insert(name.to_owned(), role);
        Ok(Value::Null.into())
    }

    pub(crate) fn role_delete(&mut self, cx: &Cx) -> Answer {
        self.writable("user")?;
        let name = cx.args.text("roleid");
        if self.role_of(cx)?.builtin {
            return Err(Failure::server(format!("auto-generated role '{name}' cannot be deleted")));
        }
        self.roles.0.remove(name);
        self.acl.retain(|line| line.role != name);
        Ok(Value::Null.into())
    }

    // === the list, and what follows from it ===

    pub(crate) fn acl_list(&self, cx: &Cx) -> Answer {
        let wanted = bit("Sys.Audit") | bit("Permissions.Modify");
        let audit = self.granted(&cx.who, "/access").mask & wanted != 0;
        let visible =
            |line: &&Line| audit || self.granted(&cx.who, &line.path).mask & bit("Permissions.Modify") != 0;
        let rows = self.acl.iter().filter(visible).map(|line| {
            let (kind, id) = match &line.subject {
                Subject::User(id) => ("user", id),
                Subject::Group(id) => ("group", id),
                Subject::Token(id) => ("token", id),
            };
            json!({
                "path": line.path, "type": kind, "ugid": id, "roleid": line.role,
                "propagate": u8::from(line.propagate),
            })
        });
        Ok(Value::Array(rows.collect()).into())
    }

    pub(crate) fn acl_update(&mut self, cx: &Cx) -> Answer {
        self.writable("acl")?;
        let fail = |words: String| Err(Failure::server(format!("ACL update failed: {words}")));
        let (users, groups, tokens) = (cx.args.list("users"), cx.args.list("groups"), cx.args.list("tokens"));
        if users.is_empty() && groups.is_empty() && tokens.is_empty() {
            let text = "either 'users', 'groups' or 'tokens' is required";
            return Err(Failure::param("users", text));
        }
        let roles = cx.args.list("roles");
        if let Some(role) = roles.iter().find(|role| !self.roles.0.contains_key(*role)) {
            return fail(format!("role '{role}' does not exist"));
        }
        let mut subjects = Vec::new();
        for group in groups {
            if !self.users.groups.contains_key(&group) {
                return fail(format!("group '{group}' does not exist"));
            }
            subjects.push(Subject::Group(group));
        }
        for user in users {
            if !self.users.by_id.contains_key(&user) {
                return fail(format!("user '{user}' does not exist"));
            }
            subjects.push(Subject::User(user));
        }
        for token in tokens {
            let known = token.split_once('!').is_some_and(|(user, name)| {
                self.users.by_id.get(user).is_some_and(|user| user.tokens.contains_key(name))
            });
            if !known {
                return fail(format!("no such token '{token}'"));
            }
            subjects.push(Subject::Token(token));
        }
        let path = normalise(cx.args.text("path"));
        let propagate = cx.args.flag("propagate").unwrap_or(true);
        for role in &roles {
            for subject in &subjects {
                self.acl.retain(|l| !(l.path == path && l.subject == *subject && l.role == *role));
                if !cx.args.is_set("delete") {
                    let line =
                        Line { path: path.clone(), subject: subject.clone(), role: role.clone(), propagate };
                    self.acl.push(line);
                }
            }
        }
        Ok(Value::Null.into())
    }

    /// `GET /access/permissions`: path → privilege → whether it holds below too. A path on which the caller
    /// has nothing is not there.
    pub(crate) fn permissions(&self, cx: &Cx) -> Answer {
        let who = match cx.args.get("userid").filter(|id| *id != cx.who.authid) {
            None => cx.who.clone(),
            Some(other) => {
                let own_token = other.split_once('!').is_some_and(|(user, _)| user == cx.who.authid);
                if !own_token {
                    self.require(&cx.who, "/access", "Sys.Audit")?;
                }
                self.principal(other)
            }
        };
        let mut paths: BTreeSet<String> = BTreeSet::new();
        if let Some(path) = cx.args.get("path") {
            paths.insert(normalise(path));
        } else {
            for path in ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"] {
                paths.insert(path.to_owned());
            }
            paths.extend(self.acl.iter().map(|line| line.path.clone()));
        }
        let mut data = Map::new();
        for path in paths {
            let granted = self.granted(&who, &path);
            if granted.mask == 0 {
                continue;
            }
            let set: Map<String, Value> = facts::names(granted.mask)
                .map(|name| (name.to_owned(), u8::from(granted.propagated & bit(name) != 0).into()))
                .collect();
            data.insert(path, Value::Object(set));
        }
        Ok(Value::Object(data).into())
    }
}
