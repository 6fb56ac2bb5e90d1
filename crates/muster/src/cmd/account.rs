//! `muster account`: one's own second factor, sessions and preferences.

use api::account::{Account, PasswordProof, RecoveryCodes, TotpBegun, TotpCode};
use api::preferences::Preferences;
use api::session::{Session, SessionRow};
use serde_json::{Map, Value, json};

use super::list::{maybe, plain, understood};
use super::session::{Given, Signed, needs_user};
use super::sheet::{Facts, Sheet, add, when};
use super::user::{remote_names, spelt, whole};
use crate::cli::account::{
    AccountCommand, PreferencesCommand, Proof, SessionCommand, SessionLs, SessionRm, TotpCommand,
};
use crate::cli::{Common, SignIn};
use crate::client::{Client, Method, path, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::sign_in::TRIES;
use crate::serve::config::Environment;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{ago, moment, safe, until};

/// Carries out `muster account`.
pub(super) async fn run(
    account: crate::cli::account::Account,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = account.common;
    // What is to be read from files is read before anyone is asked for anything.
    let given = match &account.command {
        AccountCommand::Totp(totp) => match &totp.command {
            // The first code is read when there is a secret that it is of.
            TotpCommand::On(proof) => {
                Given::read(&SignIn { otp_file: None, otp_fd: None, ..proof.sign_in() })?
            }
            TotpCommand::Off(proof) => Given::read(&proof.sign_in())?,
        },
        AccountCommand::RecoveryCodes(proof) => Given::read(&proof.sign_in())?,
        _ => Given::default(),
    };
    let client = super::open(&common, environment).await?;
    needs_user(&client, "That is of a user").await?;
    match account.command {
        AccountCommand::Show => show(&client, &common, context).await,
        AccountCommand::Preferences(wanted) => match wanted.command {
            None => preferences(&client, &common, context).await,
            Some(PreferencesCommand::Set(set)) => {
                let value = serde_json::from_str(&set.value).unwrap_or(Value::String(set.value));
                prefer(&client, &set.key, value, &common, context).await
            }
            Some(PreferencesCommand::Unset(unset)) => {
                prefer(&client, &unset.key, Value::Null, &common, context).await
            }
        },
        AccountCommand::Totp(totp) => match totp.command {
            TotpCommand::On(proof) => turn_on(&client, given, &proof, &common, context).await,
            TotpCommand::Off(_) => turn_off(&client, given, &common, context).await,
        },
        AccountCommand::RecoveryCodes(_) => recovery_codes(&client, given, &common, context).await,
        AccountCommand::Session(session) => match session.command {
            SessionCommand::Ls(wanted) => sessions(&client, &wanted, &common, context).await,
            SessionCommand::Rm(wanted) => end_sessions(&client, &wanted, &common, context).await,
        },
    }
}

async fn show(client: &Client, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let value: Value = client.get(&path(&["account"])).await?;
    if common.json() {
        context.print_json(&value)?;
        return Ok(Exit::Done);
    }
    let account: Account = serde_json::from_value(value).map_err(|e| {
        Failure::new(Exit::Failed, format!("The answer of {} is not understood: {e}.", client.name()))
    })?;
    let now = super::now();
    let mut facts = Facts::new();
    add(&mut facts, "may", spelt(&account.grants, &remote_names(client).await));
    add(&mut facts, "since", when(now, account.created));
    add(&mut facts, "password set", account.password_set.map(|at| when(now, at)).unwrap_or_default());
    add(&mut facts, "signed in", account.last_sign_in.map(|at| when(now, at)).unwrap_or_default());
    add(
        &mut facts,
        "second factor",
        match &account.totp {
            None => "off".to_owned(),
            Some(totp) => {
                let left = match totp.recovery_codes_left {
                    Some(left) => format!("{left} recovery codes left"),
                    None => "its recovery codes cannot be read".to_owned(),
                };
                format!("on since {}, {left}", moment(totp.since))
            }
        },
    );
    let mut sheet = Sheet::new(&account.user, context.paper);
    sheet.facts(&facts);
    match account.totp.map(|totp| totp.recovery_codes_left) {
        Some(None) => sheet.warn("No recovery code works. New ones: muster account recovery-codes"),
        Some(Some(left)) if left < 3 => {
            sheet.warn("Few recovery codes are left. New ones: muster account recovery-codes");
        }
        _ => {}
    }
    context.print_lines(&sheet.lines())?;
    Ok(Exit::Done)
}

// === preferences ===

async fn preferences(client: &Client, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let all: Value = client.get(&path(&["preferences"])).await?;
    if common.json() {
        context.print_json(&all)?;
    } else if all.as_object().is_some_and(Map::is_empty) {
        context.note("Nothing was set. \"muster account preferences set theme dark\" sets the theme.");
    } else {
        let mut lines = Vec::new();
        spread(&all, "", &mut lines);
        context.print_lines(&lines)?;
    }
    Ok(Exit::Done)
}

/// Each value in a line, as it may be typed.
fn spread(value: &Value, name: &str, lines: &mut Vec<String>) {
    match value {
        Value::Object(all) if !all.is_empty() => {
            for (key, value) in all {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                spread(value, &name, lines);
            }
        }
        Value::String(text) => lines.push(safe(&format!("{name}  {text}"))),
        other => lines.push(safe(&format!("{name}  {other}"))),
    }
}

/// What a key with dots is a patch of.
fn patch(key: &str, value: Value) -> Result<Value, Failure> {
    if key.split('.').any(str::is_empty) {
        return Err(Failure::usage(format!("“{key}” names no preference."))
            .hint("One is theme, density, lists.NAME.columns, lists.NAME.sort, views, favourites or ui.…"));
    }
    Ok(key.rsplit('.').fold(value, |inner, part| json!({ part: inner })))
}

async fn prefer(
    client: &Client,
    key: &str,
    value: Value,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let gone = value.is_null();
    let all: Value = client.patch(&path(&["preferences"]), &patch(key, value)?).await?;
    if common.json() {
        context.print_json(&all)?;
    } else {
        context.print(&safe(&format!("{key}: {}", if gone { "not set any more" } else { "set" })))?;
        context.print("\n")?;
    }
    Ok(Exit::Done)
}

// === second factor ===

/// A session of who asks.
async fn signed(client: &Client, given: Given, context: &mut Context<'_>) -> Result<Signed, Failure> {
    let session: Session = client.get(&path(&["session"])).await?;
    Signed::open(client.anonymous(), Some(&session.user), given, context).await
}

async fn turn_on(
    client: &Client,
    given: Given,
    proof: &Proof,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let from_file = proof.otp_file.is_some() || proof.otp_fd.is_some();
    if !from_file && !context.ask.present() {
        return Err(Failure::usage("The first code of the authenticator is asked for, and nobody is there.")
            .hint("Run it in a terminal; or give the code with --otp-fd N once the secret was printed."));
    }
    let account: Account = client.get(&path(&["account"])).await?;
    if account.totp.is_some() {
        return Err(Failure::new(Exit::Failed, "There is a second factor already.")
            .hint("Turn it off first: muster account totp off"));
    }
    let signed = signed(client, given, context).await?;
    let done = confirmed(&signed, proof, common, context).await;
    signed.close().await;
    let codes = done?;
    if common.json() {
        let codes: Vec<&str> = codes.recovery_codes.iter().map(|code| code.reveal()).collect();
        context.print_json(&json!({ "totp": true, "recovery_codes": codes }))?;
    } else {
        context.note("The second factor is on. All your other sessions have ended.");
        told(&codes, context)?;
    }
    Ok(Exit::Done)
}

/// Shows the secret, and takes the first code of it.
async fn confirmed(
    signed: &Signed,
    proof: &Proof,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<RecoveryCodes, Failure> {
    let body = PasswordProof { password: signed.password.clone() };
    let begun: TotpBegun = signed.call(Method::POST, &path(&["account", "totp"]), &body).await?;
    if common.json() {
        let line =
            json!({ "secret": begun.secret.reveal(), "uri": begun.uri.reveal(), "expires": begun.expires });
        context.print(&format!("{line}\n"))?;
    } else {
        context.note("Give this secret, or the address below it, to your authenticator:");
        context.print(&format!("{}\n{}\n", begun.secret.reveal(), begun.uri.reveal()))?;
    }
    let at = path(&["account", "totp", "confirm"]);
    if proof.otp_file.is_some() || proof.otp_fd.is_some() {
        let options = SignIn { otp_file: proof.otp_file.clone(), otp_fd: proof.otp_fd, ..SignIn::default() };
        let code = Given::read(&options)?.code.unwrap_or_default();
        return signed.call(Method::POST, &at, &TotpCode { code }).await;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let typed = context.ask.secret("The six digits that it shows now")?;
        let code = typed.as_str().into();
        match signed.call(Method::POST, &at, &TotpCode { code }).await {
            Err(failure) if failure.cause == Some("wrong_code") && tries < TRIES => {
                context.ask.tell("That was not right. The clocks of both must be right, too.");
            }
            done => {
                context.ask.judged();
                return done;
            }
        }
    }
}

async fn turn_off(
    client: &Client,
    given: Given,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let signed = signed(client, given, context).await?;
    let body = PasswordProof { password: signed.password.clone() };
    let done = signed.call::<()>(Method::DELETE, &path(&["account", "totp"]), &body).await;
    signed.close().await;
    done?;
    match common.json() {
        true => context.print_json(&json!({ "totp": false }))?,
        false => context.print("The second factor is off: the password is enough.\n")?,
    }
    Ok(Exit::Done)
}

async fn recovery_codes(
    client: &Client,
    given: Given,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let signed = signed(client, given, context).await?;
    let body = PasswordProof { password: signed.password.clone() };
    let made = signed.call(Method::POST, &path(&["account", "recovery-codes"]), &body).await;
    signed.close().await;
    let codes: RecoveryCodes = made?;
    match common.json() {
        true => {
            let codes: Vec<&str> = codes.recovery_codes.iter().map(|code| code.reveal()).collect();
            context.print_json(&json!({ "recovery_codes": codes }))?;
        }
        false => told(&codes, context)?,
    }
    Ok(Exit::Done)
}

fn told(codes: &RecoveryCodes, context: &mut Context<'_>) -> Result<(), Failure> {
    context.note(
        "Recovery codes: each signs you in once without the authenticator. They are not shown again; keep them \
         elsewhere than it.",
    );
    for code in &codes.recovery_codes {
        context.print(&format!("{}\n", code.reveal()))?;
    }
    Ok(())
}

// === sessions ===

async fn sessions(
    client: &Client,
    wanted: &SessionLs,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let user = match wanted.all {
        true => None,
        false => Some(client.get::<Session>(&path(&["session"])).await?.user),
    };
    let items = whole(client, &with_query(&path(&["sessions"]), &[("user", user)])).await?;
    let (rows, exit) = understood::<SessionRow>(&items, context);
    if common.json() {
        context.print_json(&json!({ "total": items.len(), "items": items }))?;
        return Ok(exit);
    }
    if items.is_empty() {
        context.note("No sessions: nobody is signed in with a browser.");
        return Ok(Exit::Done);
    }
    let now = super::now();
    let mut table = Table::new(vec![
        Column::new("ID", 12),
        Column::new("USER", 6).rank(3),
        Column::new("FROM", 10),
        Column::new("USED", 8),
        Column::new("BEGUN", 8).rank(2),
        Column::new("ENDS", 8).rank(4),
        Column::new("BROWSER", 10).rank(1),
    ]);
    for row in rows {
        table.row(
            if row.current { Tone::Bold } else { Tone::Plain },
            vec![
                plain(row.id.clone()),
                plain(row.name.clone()),
                maybe(row.from.clone()),
                maybe(row.last_used.map(|at| ago(now, at))),
                plain(ago(now, row.created)),
                maybe(row.expires.map(|at| until(now, at))),
                maybe(row.agent.clone()),
            ],
        );
    }
    context.print_table(&table)?;
    Ok(exit)
}

async fn end_sessions(
    client: &Client,
    wanted: &SessionRm,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if wanted.others {
        client.delete::<Value>(&path(&["sessions"])).await?;
        match common.json() {
            true => context.print_json(&json!({ "others": true, "removed": true }))?,
            false => context.print("All your other sessions have ended.\n")?,
        }
        return Ok(Exit::Done);
    }
    let mut ends = Vec::new();
    let mut gone = Vec::new();
    for id in &wanted.ids {
        match client.delete::<Value>(&path(&["sessions", id])).await {
            Ok(_) => {
                ends.push(Exit::Done);
                match common.json() {
                    true => gone.push(json!({ "id": id, "name": null, "removed": true })),
                    false => context.print(&safe(&format!("{id}: ended")).to_string())?,
                }
                if !common.json() {
                    context.print("\n")?;
                }
            }
            Err(failure) => {
                let failure = super::no_such(failure, "session", id)
                    .hint("\"muster account session ls\" lists those there are.");
                ends.push(failure.exit);
                context.complain(&failure);
            }
        }
    }
    if common.json() {
        context.print_json(&json!({ "total": gone.len(), "items": gone }))?;
    }
    Ok(Exit::combined(ends))
}

/// The view of a list that is called so: its query and order.
pub(super) async fn view(
    client: &Client,
    list: &str,
    name: &str,
) -> Result<(String, Option<String>), Failure> {
    needs_user(client, "Saved views are of a user").await?;
    let all: Preferences = client.get(&path(&["preferences"])).await?;
    let (found, others): (Vec<_>, Vec<_>) =
        all.views.into_iter().filter(|view| view.list == list).partition(|view| view.name == name);
    let names = others.iter().map(|view| view.name.clone()).collect::<Vec<_>>().join(", ");
    found.into_iter().next().map(|view| (view.q, view.sort)).ok_or_else(|| {
        let failure = Failure::usage(format!("You have no view of {list} that is called “{name}”."));
        match names.is_empty() {
            true => failure.hint(
                "The web console saves one beside its search, or: muster account preferences set views …",
            ),
            false => failure.hint(format!("There are: {names}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_dots_is_a_patch_and_back() {
        assert_eq!(patch("theme", json!("dark")).unwrap(), json!({"theme": "dark"}));
        let deep = patch("lists.guests.sort", json!("-cpu")).unwrap();
        assert_eq!(deep, json!({"lists": {"guests": {"sort": "-cpu"}}}));
        for wrong in ["", ".", "lists.", "lists..sort"] {
            assert_eq!(patch(wrong, Value::Null).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
        let mut lines = Vec::new();
        spread(&json!({"lists": {"guests": {"columns": ["a"], "sort": "-cpu"}}, "ui": {}}), "", &mut lines);
        assert_eq!(lines, ["lists.guests.columns  [\"a\"]", "lists.guests.sort  -cpu", "ui  {}"]);
    }
}
