//! What a test or the control handle changes from outside: guests, rows hidden from a user, fields with
//! another value, odd types everywhere.

use serde_json::{Map, Value};

use super::acl::Principal;
use super::gauges::mix;
use super::spec::GuestInput;
use super::{Cluster, Guest, SpecError};
use crate::seam::{Body, Data, Oddity, Reply};

/// One field of the answers on some paths, with another value.
#[derive(Debug)]
struct Override {
    path: String,
    pointer: String,
    /// `None` takes the field away.
    value: Option<Value>,
}

/// All edits that stay.
#[derive(Debug)]
pub(crate) struct Edits {
    hidden: Vec<(String, String)>,
    overrides: Vec<Override>,
    oddity: Oddity,
    seed: u64,
}

impl Edits {
    pub(crate) fn new(oddity: Oddity, seed: u64) -> Self {
        Self { hidden: Vec::new(), overrides: Vec::new(), oddity, seed }
    }

    pub(crate) fn hides_anything(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Whether a path of the permission system is hidden from a caller.
    pub(crate) fn hides(&self, who: &Principal, path: &str) -> bool {
        self.hidden.iter().any(|(user, hidden)| {
            (*user == who.user || *user == who.authid)
                && path
                    .strip_prefix(hidden.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Bends an answer.
    pub(crate) fn apply(&self, path: &str, mut reply: Reply) -> Reply {
        let overrides: Vec<&Override> = self.overrides.iter().filter(|edit| glob(&edit.path, path)).collect();
        if overrides.is_empty() && self.oddity == Oddity::None {
            return reply;
        }
        if let Body::Envelope(envelope) = &mut reply.body {
            let mut value = match std::mem::take(&mut envelope.data) {
                Data::Value(value) => value,
                Data::Raw(text) => serde_json::from_str(&text).unwrap_or_default(),
            };
            if self.oddity == Oddity::Odd && !path.starts_with("/access/ticket") {
                bend(&mut value, self.seed, "");
            }
            for edit in overrides {
                let parts: Vec<&str> = edit.pointer.split('/').skip(1).collect();
                put(&mut value, &parts, edit.value.as_ref());
            }
            envelope.data = Data::Value(value);
        }
        reply
    }
}

/// A pattern in which `*` stands for any run of characters.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter_map(|start| rest.get(start..)).any(|rest| glob(tail, rest))
        }),
    }
}

/// Sets or removes what a JSON pointer points at; `*` in it stands for every row or key, `id=lxc~1101` for the rows whose
/// `id` is that.
fn put(value: &mut Value, parts: &[&str], new: Option<&Value>) {
    let Some((first, rest)) = parts.split_first() else {
        *value = new.cloned().unwrap_or_default();
        return;
    };
    let first = first.replace("~1", "/").replace("~0", "~");
    match value {
        Value::Array(rows) if first == "*" => rows.iter_mut().for_each(|row| put(row, rest, new)),
        Value::Array(rows) if first.contains('=') => {
            let (key, wanted) = first.split_once('=').unwrap_or_default();
            let fits = |row: &Value| row.get(key).and_then(Value::as_str) == Some(wanted);
            match (rest, new) {
                ([], None) => rows.retain(|row| !fits(row)),
                _ => rows.iter_mut().filter(|row| fits(row)).for_each(|row| put(row, rest, new)),
            }
        }
        Value::Array(rows) => {
            if let Some(row) = first.parse::<usize>().ok().and_then(|place| rows.get_mut(place)) {
                put(row, rest, new);
            }
        }
        Value::Object(fields) if first == "*" => fields.values_mut().for_each(|field| put(field, rest, new)),
        Value::Object(fields) if rest.is_empty() => match new {
            Some(new) => {
                fields.insert(first, new.clone());
            }
            None => {
                fields.remove(&first);
            }
        },
        Value::Object(fields) => {
            if let Some(field) = fields.get_mut(&first) {
                put(field, rest, new);
            } else if let Some(new) = new {
                let mut made = Value::Object(Map::new());
                put(&mut made, rest, Some(new));
                fields.insert(first, made);
            }
        }
        _ => {}
    }
}

/// Keys that are truths, which some versions and plug-ins write otherwise.
const TRUTHS: [&str; 18] = [
    "template",
    "shared",
    "active",
    "enabled",
    "online",
    "local",
    "quorate",
    "onboot",
    "unprivileged",
    "protection",
    "managed",
    "numa",
    "agent",
    "propagate",
    "privsep",
    "enable",
    "running",
    "vmstate",
];

/// Whole numbers that some versions write as text.
const NUMBERS: [&str; 12] = [
    "vmid", "pid", "disk", "maxdisk", "maxmem", "mem", "uptime", "cpus", "maxcpu", "netin", "netout",
    "nodeid",
];

/// Gives the types a twist that depends on the place, so that it is the same at every call.
fn bend(value: &mut Value, seed: u64, key: &str) {
    let choice = key.bytes().fold(seed, |hash, byte| mix(hash, u64::from(byte)));
    match value {
        Value::Array(rows) => {
            for (place, row) in (0_u64..).zip(rows.iter_mut()) {
                bend(row, mix(seed, place % 3), "");
            }
        }
        Value::Object(fields) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            for key in keys {
                if key == "ha" {
                    // Seen in the field: a list where an object is due.
                    let managed = fields.get("ha").cloned().unwrap_or_default();
                    fields.insert(key, Value::Array(vec![managed]));
                } else if let Some(field) = fields.get_mut(&key) {
                    bend(field, seed, &key);
                }
            }
        }
        Value::Number(number) if TRUTHS.contains(&key) => {
            let truth = number.as_u64() == Some(1);
            *value = match (choice % 4, truth) {
                (0, _) => Value::Bool(truth),
                (1, true) => "1".into(),
                (1, false) => "".into(),
                (2, _) => Value::from(u8::from(truth).to_string()),
                _ => u8::from(truth).into(),
            };
        }
        Value::Number(number) if NUMBERS.contains(&key) && choice.is_multiple_of(2) => {
            *value = number.to_string().into();
        }
        Value::Number(number) if key == "cpu" || key.starts_with("pressure") => {
            if let Some(float) = number.as_f64().filter(|_| choice.is_multiple_of(2)) {
                *value = format!("{float:e}").into();
            }
        }
        _ => {}
    }
}

impl Cluster {
    /// A guest, to be changed at once and without a task.
    pub fn guest_mut(&mut self, vmid: u32) -> Option<&mut Guest> {
        self.touch();
        self.guests.get_mut(&vmid)
    }

    /// A guest.
    #[must_use]
    pub fn guest(&self, vmid: u32) -> Option<&Guest> {
        self.guests.get(&vmid)
    }

    /// The name of the node where a guest is.
    #[must_use]
    pub fn node_of(&self, vmid: u32) -> Option<&str> {
        self.guests.get(&vmid).map(|guest| self.node_name(guest.node))
    }

    /// The numbers of all guests.
    #[must_use]
    pub fn vmids(&self) -> Vec<u32> {
        self.guests.keys().copied().collect()
    }

    /// Puts a guest where there was none.
    ///
    /// # Errors
    /// When its node is not there or its number is taken.
    pub fn add_guest(&mut self, input: &GuestInput) -> Result<(), SpecError> {
        self.touch();
        self.insert_guest(input)
    }

    /// Takes a guest away, as if somebody had destroyed it.
    pub fn remove_guest(&mut self, vmid: u32) -> bool {
        self.touch();
        self.ha.forget(vmid);
        self.guests.remove(&vmid).is_some()
    }

    /// Puts a guest onto another node, as if somebody had migrated it.
    pub fn move_guest(&mut self, vmid: u32, node: &str) -> bool {
        self.touch();
        let Some(place) = self.node_place(node) else { return false };
        self.guests.get_mut(&vmid).is_some_and(|guest| {
            guest.node = place;
            true
        })
    }

    /// From now on a user (or token) has no privilege on a path of the permission system and below: `/vms/100`.
    pub fn hide_from(&mut self, user: &str, path: &str) {
        self.touch();
        self.edits.hidden.push((user.to_owned(), super::acl::normalise(path)));
    }

    /// Takes back every [`hide_from`](Self::hide_from).
    pub fn hide_nothing(&mut self) {
        self.touch();
        self.edits.hidden.clear();
    }

    /// From now on a field of every answer on these paths has this value.
    ///
    /// `path` is what follows `/api2/json`, with `*` for any run of characters; `pointer` is a JSON pointer
    /// into `data`, with `*` for every row: `override_field("/nodes/*/lxc/101/status/current", "/ha/managed",
    /// json!(""))`.
    pub fn override_field(&mut self, path: &str, pointer: &str, value: Value) {
        self.set_override(path, pointer, Some(value));
    }

    /// From now on a field is missing from every answer on these paths.
    pub fn remove_field(&mut self, path: &str, pointer: &str) {
        self.set_override(path, pointer, None);
    }

    fn set_override(&mut self, path: &str, pointer: &str, value: Option<Value>) {
        self.edits.overrides.retain(|edit| !(edit.path == path && edit.pointer == pointer));
        let (path, pointer) = (path.to_owned(), pointer.to_owned());
        self.edits.overrides.push(Override { path, pointer, value });
    }

    /// Takes back every override.
    pub fn clear_overrides(&mut self) {
        self.edits.overrides.clear();
    }

    /// How odd the types are from now on.
    pub fn set_oddity(&mut self, oddity: Oddity) {
        self.edits.oddity = oddity;
    }

    /// Gives somebody a role on a path. `subject` is a user, a token, or `@group`.
    pub fn grant(&mut self, path: &str, subject: &str, role: &str) {
        self.touch();
        let (path, subject, role) = (path.to_owned(), subject.to_owned(), role.to_owned());
        self.acl.push(super::Line::from_input(&super::spec::AclInput {
            path,
            subject,
            role,
            propagate: true,
        }));
    }

    /// Takes every role on a path from somebody.
    pub fn revoke(&mut self, path: &str, subject: &str) {
        self.touch();
        let input = super::spec::AclInput {
            path: path.to_owned(),
            subject: subject.to_owned(),
            ..Default::default()
        };
        let line = super::Line::from_input(&input);
        self.acl.retain(|known| known.path != line.path || known.subject != line.subject);
    }

    /// Whether there is a user of that name.
    #[must_use]
    pub fn has_user(&self, userid: &str) -> bool {
        self.users.by_id.contains_key(userid)
    }

    /// Whether there is a role of that name.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.0.contains_key(role)
    }

    /// The names of all roles, built-in ones included.
    #[must_use]
    pub fn role_names(&self) -> Vec<String> {
        self.roles.0.keys().cloned().collect()
    }

    /// Makes a role, or gives one other privileges.
    pub fn set_role(&mut self, role: &str, privileges: &[&str]) {
        self.touch();
        let mask = privileges.iter().fold(0, |mask, name| mask | super::facts::bit(name));
        self.roles.0.insert(role.to_owned(), super::acl::Role { mask, builtin: false });
    }

    /// The API tokens of all users, `user@realm!name`.
    #[must_use]
    pub fn token_ids(&self) -> Vec<String> {
        let users = self.users.by_id.iter();
        users
            .flat_map(|(user, facts)| facts.tokens.keys().map(move |name| format!("{user}!{name}")))
            .collect()
    }

    /// The access control list: path, who (groups with `@` in front), role.
    #[must_use]
    pub fn acl_lines(&self) -> Vec<(String, String, String)> {
        let lines = self.acl.iter().map(|line| {
            let who = match &line.subject {
                super::acl::Subject::Group(group) => format!("@{group}"),
                super::acl::Subject::User(id) | super::acl::Subject::Token(id) => id.clone(),
            };
            (line.path.clone(), who, line.role.clone())
        });
        lines.collect()
    }

    /// Sets the password of a user, or that it cannot sign in at all.
    pub fn set_user(&mut self, userid: &str, password: Option<&str>, enabled: bool) {
        self.touch();
        if let Some(user) = self.users.by_id.get_mut(userid) {
            if let Some(password) = password {
                user.password = Some(password.to_owned());
            }
            user.enabled = enabled;
        }
    }

    /// Gives a user a second factor, from the next sign-in on; the secret is base32.
    pub fn set_totp(&mut self, userid: &str, secret: &str) {
        self.touch();
        let created = self.now.seconds();
        let Some(secret) = super::users::decode_secret(secret) else { return };
        if let Some(user) = self.users.by_id.get_mut(userid) {
            user.factors.push(super::users::Factor {
                id: "later".to_owned(),
                kind: super::users::FactorKind::Totp(secret),
                description: None,
                created,
                enabled: true,
            });
            user.fields.insert("keys".to_owned(), "x".to_owned());
        }
    }

    /// Takes every second factor from a user.
    pub fn clear_factors(&mut self, userid: &str) {
        self.touch();
        if let Some(user) = self.users.by_id.get_mut(userid) {
            user.factors.clear();
            user.fields.remove("keys");
        }
    }

    /// Makes a group without members.
    pub fn add_group(&mut self, group: &str) {
        self.users.groups.entry(group.to_owned()).or_default();
    }

    /// Makes a pool without members.
    pub fn add_pool(&mut self, pool: &str) {
        self.touch();
        self.pools.push(pool.to_owned());
        self.pools.sort();
        self.pools.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("/version", "/version", true),
            ("/version", "/versions", false),
            ("/nodes/*/status", "/nodes/pve1/status", true),
            ("/nodes/*/status", "/nodes/pve1/status/x", false),
            ("/nodes/*", "/nodes/pve1/status", true),
            ("*", "/anything", true),
            ("/nodes/*/lxc/*/status/current", "/nodes/pve1/lxc/101/status/current", true),
            ("/nodes/*/lxc/*/status/current", "/nodes/pve1/qemu/101/status/current", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn pointers_reach_every_row_and_what_is_not_there_yet() {
        let mut value = json!([{"ha": {"managed": 0}}, {"name": "x"}]);
        put(&mut value, &["*", "ha", "managed"], Some(&json!("")));
        assert_eq!(value, json!([{"ha": {"managed": ""}}, {"name": "x", "ha": {"managed": ""}}]));
        put(&mut value, &["1", "ha"], None);
        assert_eq!(value, json!([{"ha": {"managed": ""}}, {"name": "x"}]));
    }

    #[test]
    fn odd_types_are_the_same_at_every_call() {
        let plain = json!([{"template": 0, "vmid": 101, "cpu": 0.25, "ha": {"managed": 1}}]);
        let (mut one, mut two) = (plain.clone(), plain.clone());
        bend(&mut one, 7, "");
        bend(&mut two, 7, "");
        assert_eq!(one, two);
        assert_ne!(one, plain);
        assert!(one[0]["ha"].is_array());
    }
}
