//! `muster user`: who may sign in to Muster, and what each may do.

use api::Secret;
use api::session::Session;
use api::user::{GrantsChange, NewUser, PasswordChange, User};
use jiff::Timestamp;
use model::RemoteId;
use model::access::{Grant, Grants, Role, Scope};
use serde_json::{Value, json};

use super::list::{maybe, plain, read, rows_of, understood};
use super::session::{Given, Signed};
use crate::cli::user::{Password, UserCommand};
use crate::cli::{Common, SignIn};
use crate::client::{Client, Method, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::Means;
use crate::serve::config::Environment;
use crate::term::shell;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{ago, safe};

/// Carries out `muster user`.
pub(super) async fn run(
    user: crate::cli::user::User,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = user.common;
    // What is to be read from files is read before anyone is asked for anything.
    let given = match &user.command {
        UserCommand::Add(add) => given(&add.password)?,
        UserCommand::Passwd(passwd) => given(&passwd.password)?,
        _ => None,
    };
    let client = super::open(&common, environment).await?;
    match user.command {
        UserCommand::Ls => ls(&client, &common, context).await,
        UserCommand::Add(add) => {
            let grants = grants(&client, &add.roles).await?;
            let password = password(&add.name, given, context)?;
            let body = NewUser { name: add.name.clone(), password, grants };
            let reply: Value = client.post(&path(&["users"]), &body).await?;
            told(&reply, &add.name, "added", &common, context)
        }
        UserCommand::Passwd(passwd) => {
            let new = password(&passwd.name, given, context)?;
            change(&client, &passwd.name, new, context)
                .await
                .map_err(|f| super::no_such(f, "user", &passwd.name))?;
            let said = json!({ "id": passwd.name, "name": passwd.name });
            told(&said, &passwd.name, "has a new password; its sessions have ended", &common, context)
        }
        UserCommand::TotpOff(wanted) => {
            take_factor(&client, &wanted.name, context)
                .await
                .map_err(|f| super::no_such(f, "user", &wanted.name))?;
            let said = json!({ "id": wanted.name, "name": wanted.name, "totp": false });
            told(&said, &wanted.name, "signs in with the password alone", &common, context)
        }
        UserCommand::Role(role) => {
            let grants = grants(&client, &role.roles).await?;
            let at = path(&["users", &role.name, "grants"]);
            let reply: Value = client
                .put(&at, &GrantsChange { grants })
                .await
                .map_err(|f| super::no_such(f, "user", &role.name))?;
            told(&reply, &role.name, &format!("is now {}", role.roles.join(", ")), &common, context)
        }
        UserCommand::Rm(rm) => {
            let name = rm.name.trim().to_owned();
            let confirmed = match rm.yes {
                Some(typed) => typed,
                None if !context.ask.present() => {
                    return Err(Failure::usage(format!(
                        "{name} would be removed, and there is nobody to ask."
                    ))
                    .hint(format!("In a script, say the name once more: --yes {}", shell::word(&name))));
                }
                None => {
                    context.ask.line(&format!("Type the name of the user to remove it ({name})"), None)?
                }
            };
            if confirmed.trim() != name {
                return Err(Failure::usage(format!(
                    "“{}” is not the name: {name} was not removed.",
                    confirmed.trim()
                )));
            }
            let at = path(&["users", &name]);
            client.delete::<Value>(&at).await.map_err(|f| super::no_such(f, "user", &name))?;
            told(&json!({ "id": name, "name": name, "removed": true }), &name, "removed", &common, context)
        }
    }
}

/// Sets a password. Elsewhere than on the server's own machine that takes one's own password, too.
async fn change(client: &Client, name: &str, new: Secret, context: &mut Context<'_>) -> Result<(), Failure> {
    let at = path(&["users", name, "password"]);
    if client.is_local() {
        return client.put(&at, &PasswordChange { old: None, new }).await;
    }
    let session: Session = client.get(&path(&["session"])).await?;
    if !context.ask.present() {
        return Err(Failure::usage("A password is changed in a terminal, or over the socket of the server.")
            .hint(format!(
                "On the server's machine: muster user passwd {} --password-file FILE",
                shell::word(name)
            )));
    }
    context.ask.tell(&safe(&format!("Your own password, {}, is needed for this.", session.user)));
    let signed = Signed::open(client.anonymous(), Some(&session.user), Given::default(), context).await?;
    let old = Some(signed.password.clone()).filter(|_| session.user == name);
    let set = signed.call::<()>(Method::PUT, &at, &PasswordChange { old, new }).await;
    signed.close().await;
    set
}

/// Turns a second factor off. Elsewhere than on the server's own machine that takes one's own password.
async fn take_factor(client: &Client, name: &str, context: &mut Context<'_>) -> Result<(), Failure> {
    let at = path(&["users", name, "totp"]);
    if client.is_local() {
        return client.delete(&at).await;
    }
    let session: Session = client.get(&path(&["session"])).await?;
    if !context.ask.present() {
        let words = "That is done in a terminal, or over the socket of the server.";
        let hint = format!("On the server's machine: muster user totp-off {}", shell::word(name));
        return Err(Failure::usage(words).hint(hint));
    }
    context.ask.tell(&safe(&format!("Your own password, {}, is needed for this.", session.user)));
    let signed = Signed::open(client.anonymous(), Some(&session.user), Given::default(), context).await?;
    let done = signed.call::<()>(Method::DELETE, &at, &Value::Null).await;
    signed.close().await;
    done
}

fn told(
    reply: &Value,
    name: &str,
    what: &str,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if common.json() {
        match reply {
            Value::Null => context.print_json(&json!({ "id": name, "name": name }))?,
            reply => context.print_json(reply)?,
        }
    } else {
        context.print(&safe(&format!("{name}: {what}")))?;
        context.print("\n")?;
    }
    Ok(Exit::Done)
}

/// The password that a file or descriptor holds.
fn given(from: &Password) -> Result<Option<Secret>, Failure> {
    let options = SignIn {
        password_file: from.password_file.clone(),
        password_fd: from.password_fd,
        ..SignIn::default()
    };
    Ok(Means::read(&options)?.password.map(|p| Secret::from(p.expose())))
}

/// A new password: given, or typed twice.
fn password(name: &str, given: Option<Secret>, context: &mut Context<'_>) -> Result<Secret, Failure> {
    if let Some(password) = given {
        return Ok(password);
    }
    if !context.ask.present() {
        return Err(Failure::usage(format!("There is no password for {name}, and nobody to ask."))
            .hint("Give it with --password-file FILE or --password-fd N."));
    }
    loop {
        let first = context.ask.secret(&safe(&format!("New password of {name}")))?;
        let again = context.ask.secret("Once more")?;
        context.ask.judged();
        match (first == again, first.is_empty()) {
            (true, false) => return Ok(Secret::from(first.as_str())),
            (true, true) => context.ask.tell("A password has at least one character."),
            (false, _) => context.ask.tell("The two are not alike."),
        }
    }
}

/// `operator`, `viewer@home`: what may be done, where.
pub(super) async fn grants(client: &Client, texts: &[String]) -> Result<Grants, Failure> {
    let mut grants = Vec::with_capacity(texts.len());
    for text in texts {
        let (role, place) = match text.split_once('@') {
            Some((role, place)) => (role, Some(place)),
            None => (text.as_str(), None),
        };
        let role: Role = role.parse().map_err(|e| Failure::usage(format!("{e}.")))?;
        let scope = match place {
            None => Scope::All,
            Some(place) => {
                let at = path(&["remotes", place]);
                let remote: Value = client.get(&at).await.map_err(|f| super::no_such(f, "remote", place))?;
                let id = remote.get("id").and_then(Value::as_u64);
                Scope::Remote(RemoteId(id.ok_or_else(|| {
                    Failure::new(Exit::Failed, format!("The number of the remote {place} is not told."))
                })?))
            }
        };
        grants.push(Grant { role, scope });
    }
    Ok(Grants(grants))
}

/// What may be done, as it is typed.
pub(super) fn spelt(grants: &Grants, names: &[(u64, String)]) -> String {
    let one = |grant: &Grant| match grant.scope {
        Scope::All => grant.role.to_string(),
        Scope::Remote(id) => {
            let name = names.iter().find(|(number, _)| *number == id.0).map(|(_, name)| name.clone());
            format!("{}@{}", grant.role, name.unwrap_or_else(|| id.to_string()))
        }
    };
    // What holds everywhere first, then by remote: the same text however it was kept.
    let mut spelt: Vec<(bool, String)> =
        grants.0.iter().map(|grant| (grant.scope != Scope::All, one(grant))).collect();
    spelt.sort();
    match spelt.as_slice() {
        [] => "nothing".to_owned(),
        spelt => spelt.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(", "),
    }
}

/// Numbers and names of the remotes, for scopes.
pub(super) async fn remote_names(client: &Client) -> Vec<(u64, String)> {
    let got = read(client, &path(&["remotes"]), None, None, None).await;
    let rows = got.map(|g| g.items).unwrap_or_default();
    let pair = |row: &Value| Some((row.get("id")?.as_u64()?, row.get("name")?.as_str()?.to_owned()));
    rows.iter().filter_map(pair).collect()
}

/// A list that is not asked for in pages.
pub(super) async fn whole(client: &Client, at: &str) -> Result<Vec<Value>, Failure> {
    match client.get::<Value>(at).await? {
        Value::Array(rows) => Ok(rows),
        mut page => rows_of(&mut page, "items", client),
    }
}

async fn ls(client: &Client, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let items = whole(client, &path(&["users"])).await?;
    let (users, exit) = understood::<User>(&items, context);
    if common.json() {
        context.print_json(&json!({ "total": items.len(), "items": items }))?;
        return Ok(exit);
    }
    if items.is_empty() {
        context.note("No users yet. \"muster user add NAME --role administrator\" makes the first.");
        return Ok(Exit::Done);
    }
    let names = remote_names(client).await;
    let now: Timestamp = super::now();
    let mut table = Table::new(vec![
        Column::new("USER", 8),
        Column::new("MAY", 10),
        Column::new("SIGNED IN", 9).rank(1),
        Column::new("SESSIONS", 8).right().rank(3),
        Column::new("TOKENS", 6).right().rank(2),
        Column::new("TOTP", 4).rank(5),
        Column::new("SINCE", 8).rank(4),
    ]);
    for user in users {
        table.row(
            Tone::Plain,
            vec![
                plain(user.name.clone()),
                plain(spelt(&user.grants, &names)),
                maybe(Some(user.last_sign_in.map_or_else(|| "never".to_owned(), |at| ago(now, at)))),
                plain(user.sessions.to_string()),
                plain(user.tokens.to_string()),
                plain(if user.totp { "on" } else { "off" }),
                plain(ago(now, user.created)),
            ],
        );
    }
    context.print_table(&table)?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_in_one_order() {
        let grant = |role, scope| Grant { role, scope };
        let viewer = grant(Role::Viewer, Scope::All);
        let there = grant(Role::Operator, Scope::Remote(RemoteId(7)));
        let names = [(7, "rack".to_owned())];
        for grants in [vec![viewer, there], vec![there, viewer]] {
            assert_eq!(spelt(&Grants(grants), &names), "viewer, operator@rack");
        }
        assert_eq!(spelt(&Grants(Vec::new()), &names), "nothing");
    }
}
