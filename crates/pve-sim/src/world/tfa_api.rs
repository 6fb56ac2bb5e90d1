//! Second factors: `/access/tfa` and what is below it.

use serde_json::{Map, Value, json};

use super::Cluster;
use super::failure::{Answer, Failure};
use super::gauges::mix;
use super::guest::uuid;
use super::route::Cx;
use super::users::{Factor, FactorKind, decode_secret, totp_code};

fn row(factor: &Factor) -> Value {
    let mut row = Map::new();
    row.insert("id".into(), factor.id.clone().into());
    row.insert("type".into(), factor.kind.word().into());
    row.insert("created".into(), factor.created.into());
    if let Some(description) = &factor.description {
        row.insert("description".into(), description.clone().into());
    }
    if !factor.enabled {
        row.insert("enable".into(), 0.into());
    }
    Value::Object(row)
}

impl Cluster {
    pub(crate) fn tfa_list(&self, cx: &Cx) -> Answer {
        let all =
            self.may(&cx.who, "/access/groups", "User.Modify") || self.may(&cx.who, "/access", "Sys.Audit");
        let users = self
            .users
            .by_id
            .iter()
            .filter(|(id, user)| !user.factors.is_empty() && (all || **id == cx.who.user));
        let rows = users.map(
            |(id, user)| json!({ "userid": id, "entries": user.factors.iter().map(row).collect::<Vec<_>>() }),
        );
        Ok(Value::Array(rows.collect()).into())
    }

    pub(crate) fn tfa_of(&self, cx: &Cx) -> Answer {
        let user = self.user_of(cx)?;
        Ok(Value::Array(user.factors.iter().map(row).collect()).into())
    }

    pub(crate) fn tfa_get(&self, cx: &Cx) -> Answer {
        let id = cx.args.text("id");
        let factor = self.user_of(cx)?.factors.iter().find(|factor| factor.id == id);
        // The one place where something missing is a 404.
        let missing =
            || Failure::Words { status: 404, text: format!("No such tfa entry '{id}'"), errors: None };
        Ok(row(factor.ok_or_else(missing)?).into())
    }

    /// Whoever changes a second factor says the password again, root excepted.
    fn confirm_password(&self, cx: &Cx) -> Result<(), Failure> {
        if cx.who.is_root() {
            return Ok(());
        }
        let Some(password) = cx.args.get("password") else {
            return Err(Failure::param("password", "password is required to modify user"));
        };
        let own = self.users.by_id.get(&cx.who.user).and_then(|user| user.password.as_deref());
        if own == Some(password) { Ok(()) } else { Err(Failure::sign_in()) }
    }

    pub(crate) fn tfa_add(&mut self, cx: &Cx) -> Answer {
        self.user_of(cx)?;
        self.confirm_password(cx)?;
        self.writable("user")?;
        let created = self.now.seconds();
        let salt = mix(self.seed, self.now.millis());
        let description = cx.args.get("description").map(str::to_owned);
        let userid = cx.args.text("userid").to_owned();
        match cx.args.text("type") {
            "totp" => {
                let uri = cx.args.text("totp");
                let secret = uri
                    .split(['?', '&'])
                    .find_map(|part| part.strip_prefix("secret="))
                    .and_then(decode_secret)
                    .ok_or_else(|| Failure::server("missing 'secret' in otpauth URI"))?;
                let step = created / 30;
                let value = cx.args.text("value");
                let right =
                    (step - 1..=step + 1).any(|step| totp_code(&secret, step).as_deref() == Some(value));
                if !right {
                    return Err(Failure::server("failed to verify TOTP challenge"));
                }
                let id = uuid(salt);
                self.push_factor(&userid, &id, FactorKind::Totp(secret), description, created);
                Ok(json!({ "id": id }).into())
            }
            "recovery" => {
                let codes: Vec<String> = (0..10)
                    .map(|place| {
                        let bits = mix(salt, place);
                        let group = |shift: u32| format!("{:04x}", (bits >> shift) & 0xffff);
                        [group(48), group(32), group(16), group(0)].join("-")
                    })
                    .collect();
                let kept = codes.iter().cloned().map(Some).collect();
                self.push_factor(&userid, "recovery", FactorKind::Recovery(kept), None, created);
                Ok(json!({ "id": "recovery", "recovery": codes }).into())
            }
            other => {
                Err(Failure::server(format!("adding a second factor of type '{other}' is not supported")))
            }
        }
    }

    fn push_factor(
        &mut self,
        userid: &str,
        id: &str,
        kind: FactorKind,
        description: Option<String>,
        created: u64,
    ) {
        if let Some(user) = self.users.by_id.get_mut(userid) {
            user.factors.retain(|factor| factor.id != id);
            user.fields.insert("keys".to_owned(), "x".to_owned());
            user.factors.push(Factor { id: id.to_owned(), kind, description, created, enabled: true });
        }
    }

    pub(crate) fn tfa_update(&mut self, cx: &Cx) -> Answer {
        self.tfa_get(cx)?;
        self.confirm_password(cx)?;
        self.writable("user")?;
        let id = cx.args.text("id");
        let user = self.users.by_id.get_mut(cx.args.text("userid"));
        let factor = user.and_then(|user| user.factors.iter_mut().find(|factor| factor.id == id));
        if let Some(factor) = factor {
            if let Some(enable) = cx.args.flag("enable") {
                factor.enabled = enable;
            }
            if let Some(description) = cx.args.get("description") {
                factor.description = Some(description.to_owned());
            }
        }
        Ok(Value::Null.into())
    }

    pub(crate) fn tfa_delete(&mut self, cx: &Cx) -> Answer {
        self.tfa_get(cx)?;
        self.confirm_password(cx)?;
        self.writable("user")?;
        let id = cx.args.text("id");
        if let Some(user) = self.users.by_id.get_mut(cx.args.text("userid")) {
            user.factors.retain(|factor| factor.id != id);
            if user.factors.is_empty() {
                user.fields.remove("keys");
            }
        }
        Ok(Value::Null.into())
    }
}
