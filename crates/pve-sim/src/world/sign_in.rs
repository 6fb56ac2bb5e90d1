//! Sign-in: who is asking, by ticket or token, and the call that gives tickets out.

use catalogue::Method;
use serde_json::{Map, Value, json};

use super::Cluster;
use super::acl::Principal;
use super::facts;
use super::failure::{Answer, Failure};
use super::formats::is_userid;
use super::route::Cx;
use super::tickets::Holder;
use crate::seam::{Auth, Call};

/// Bodiless 401s, by their reason phrase: all that tells them apart.
const NO_TICKET: Failure = Failure::unauthorized("No ticket");
const FAILED: Failure = Failure::unauthorized("Authentication failed!");
const BAD_CSRF: Failure = Failure::unauthorized("Permission denied - invalid csrf token");

/// The API sections that `cap` speaks of, each with the path it stands for and its privileges' beginnings.
const CAPABILITIES: [(&str, &str, &[&str]); 7] = [
    ("vms", "/vms", &["VM.", "Permissions.Modify"]),
    ("storage", "/storage", &["Datastore.", "Permissions.Modify"]),
    ("access", "/access", &["User.Modify", "Group.Allocate", "Permissions.Modify"]),
    ("nodes", "/nodes", &["Sys.", "Permissions.Modify"]),
    ("dc", "/", &["Sys.Audit", "Sys.Modify", "SDN."]),
    ("sdn", "/sdn", &["SDN.", "Permissions.Modify"]),
    ("mapping", "/mapping", &["Mapping.", "Permissions.Modify"]),
];

impl Cluster {
    /// Who is asking. `half` is the one call that half a sign-in may make.
    pub(crate) fn authenticate(&self, call: &Call, half: bool) -> Result<Principal, Failure> {
        match &call.auth {
            Auth::None => Err(NO_TICKET),
            Auth::Token { header } => self.by_token(header),
            Auth::Ticket { ticket, csrf } => {
                let lifetime = self.timings.ticket_lifetime;
                let user = match self.signer.read(ticket, "", lifetime, self.now) {
                    Some(Holder::User(user)) => user,
                    Some(Holder::Half(user)) if half => user,
                    _ => return Err(FAILED),
                };
                if !self.users.by_id.get(&user).is_some_and(|known| known.is_active(self.now)) {
                    return Err(FAILED);
                }
                if call.method != Method::Get {
                    let token = csrf.as_deref().unwrap_or_default();
                    if !self.signer.csrf_holds(token, &user, lifetime, self.now) {
                        return Err(BAD_CSRF);
                    }
                }
                Ok(self.principal(&user))
            }
        }
    }

    /// `PVEAPIToken=USER@REALM!NAME=SECRET`; another scheme is as good as nothing.
    fn by_token(&self, header: &str) -> Result<Principal, Failure> {
        let Some(rest) = header.strip_prefix("PVEAPIToken=") else { return Err(NO_TICKET) };
        let (authid, secret) = rest.split_once('=').ok_or(FAILED)?;
        let (userid, name) = authid.split_once('!').ok_or(FAILED)?;
        let user = self.users.by_id.get(userid).filter(|user| user.is_active(self.now)).ok_or(FAILED)?;
        let token = user.tokens.get(name).ok_or(FAILED)?;
        if token.secret != secret || (token.expire != 0 && token.expire <= self.now.seconds()) {
            return Err(FAILED);
        }
        Ok(self.principal(authid))
    }

    /// `POST /access/ticket`.
    pub(crate) fn sign_in(&mut self, cx: &Cx) -> Answer {
        let mut username = cx.args.text("username").to_owned();
        if let Some(realm) = cx.args.get("realm").filter(|_| !username.contains('@')) {
            username = format!("{username}@{realm}");
        }
        if !is_userid(&username) || !self.is_active(&username) {
            return Err(Failure::sign_in());
        }
        let password = cx.args.text("password");
        if let Some(challenge) = cx.args.get("tfa-challenge") {
            return self.answer_challenge(&username, password, challenge);
        }
        let lifetime = self.timings.ticket_lifetime;
        match self.signer.read(password, "", lifetime, self.now) {
            // A good ticket is a password; root's is one for everybody.
            Some(Holder::User(holder)) if holder == username || holder == "root@pam" => {
                if let (Some(path), Some(privileges)) = (cx.args.get("path"), cx.args.get("privs")) {
                    return self.verify_path(&username, path, privileges);
                }
                return Ok(self.full_ticket(&username).into());
            }
            Some(_) => return Err(Failure::sign_in()),
            None => {}
        }
        let user = self.users.by_id.get_mut(&username).ok_or_else(Failure::sign_in)?;
        if user.password.is_none() || user.password.as_deref() != Some(password) {
            return Err(Failure::sign_in());
        }
        if !user.needs_second_factor() {
            return Ok(self.full_ticket(&username).into());
        }
        let now = self.now;
        // The form before 8: the code beside the password, or half a ticket that `POST /access/tfa` completes.
        let old_form = !self.facts.since(8) && !cx.args.is_set("new-format");
        if let Some(code) = cx.args.get("otp") {
            if old_form && user.totp(code, now) {
                return Ok(self.full_ticket(&username).into());
            }
            return Err(Failure::sign_in());
        }
        let ticket = if old_form {
            self.signer.half(&username, now)
        } else {
            let offer = user.offer();
            self.signer.challenge(&username, &offer, now)
        };
        Ok(json!({
            "ticket": ticket, "CSRFPreventionToken": self.signer.csrf(&username, now),
            "username": username, "NeedTFA": 1,
        })
        .into())
    }

    fn is_active(&self, userid: &str) -> bool {
        self.users.by_id.get(userid).is_some_and(|user| user.is_active(self.now))
    }

    fn answer_challenge(&mut self, username: &str, answer: &str, challenge: &str) -> Answer {
        let lifetime = self.timings.ticket_lifetime;
        let held = self.signer.read(challenge, username, lifetime, self.now);
        if !matches!(held, Some(Holder::Challenge(_))) {
            return Err(Failure::sign_in());
        }
        let now = self.now;
        let right = self.users.by_id.get_mut(username).is_some_and(|user| user.answer(answer, now));
        if right { Ok(self.full_ticket(username).into()) } else { Err(Failure::sign_in()) }
    }

    /// `POST /access/tfa` of 7 and before: the code that completes half a sign-in.
    pub(crate) fn finish_half(&mut self, cx: &Cx) -> Answer {
        let Auth::Ticket { ticket, .. } = &cx.auth else { return Err(Failure::sign_in()) };
        let held = self.signer.read(ticket, "", self.timings.ticket_lifetime, self.now);
        let Some(Holder::Half(username)) = held else { return Err(Failure::sign_in()) };
        let now = self.now;
        let code = cx.args.text("response");
        let code = code.strip_prefix("totp:").unwrap_or(code);
        if !self.users.by_id.get_mut(&username).is_some_and(|user| user.totp(code, now)) {
            return Err(Failure::sign_in());
        }
        let cap = self.capabilities(&self.principal(&username));
        Ok(json!({ "ticket": self.signer.ticket(&username, now), "cap": cap }).into())
    }

    /// A permission looked at by way of a ticket: no new ticket comes of it.
    fn verify_path(&self, username: &str, path: &str, privileges: &str) -> Answer {
        let who = self.principal(username);
        let granted = self.granted(&who, &super::acl::normalise(path)).mask;
        let wanted =
            super::verify::split_list(privileges).iter().fold(0, |mask, name| mask | facts::bit(name));
        if wanted == 0 || granted & wanted == 0 {
            return Err(Failure::sign_in());
        }
        let mut data = Map::new();
        data.insert("username".into(), username.into());
        data.insert("cap".into(), self.capabilities(&who));
        self.name_cluster(&mut data, &who);
        Ok(Value::Object(data).into())
    }

    fn full_ticket(&self, username: &str) -> Value {
        let who = self.principal(username);
        let mut data = Map::new();
        data.insert("ticket".into(), self.signer.ticket(username, self.now).into());
        data.insert("CSRFPreventionToken".into(), self.signer.csrf(username, self.now).into());
        data.insert("username".into(), username.into());
        data.insert("cap".into(), self.capabilities(&who));
        self.name_cluster(&mut data, &who);
        Value::Object(data)
    }

    /// The cluster's name comes to whoever may look at `/`, and only from a cluster.
    fn name_cluster(&self, data: &mut Map<String, Value>, who: &Principal) {
        if let Some(name) = self.cluster_name.as_ref().filter(|_| self.may(who, "/", "Sys.Audit")) {
            data.insert("clustername".into(), name.clone().into());
        }
    }

    /// What the web interface shows and hides: the privileges that the user has anywhere in a section.
    fn capabilities(&self, who: &Principal) -> Value {
        let mut cap = Map::new();
        for (section, path, prefixes) in CAPABILITIES {
            if section == "mapping" && !self.facts.since(8) {
                continue;
            }
            let mut mask = self.granted(who, path).mask;
            for line in &self.acl {
                if path != "/" && line.path.starts_with(path) {
                    mask |= self.granted(who, &line.path).mask;
                }
            }
            let named =
                facts::names(mask).filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
            let set: Map<String, Value> = named.map(|name| (name.to_owned(), 1.into())).collect();
            cap.insert(section.to_owned(), Value::Object(set));
        }
        Value::Object(cap)
    }
}
