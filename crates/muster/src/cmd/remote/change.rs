//! Remotes changed: name, connection, and gone.

use std::time::Duration;

use api::remote::{Disconnect, Link, MintedLeft, RemoteEdit, Removed};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{get, name_of, steps};
use crate::cli::Common;
use crate::cli::remote as typed;
use crate::client::problem::{exit_of_code, sentence};
use crate::client::{Client, path, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::trust::Beliefs;
use crate::secrets::Means;
use crate::term::shell;
use crate::term::text::safe;

/// How long a link is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a link may go on saying what it said before.
const GRACE: Duration = Duration::from_secs(2);

/// Between two looks at a link.
const PAUSE: Duration = Duration::from_millis(200);

/// `muster remote edit`.
pub(super) async fn edit(
    client: &Client,
    wanted: &typed::Edit,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let edit = RemoteEdit {
        name: wanted.name.clone(),
        interval_seconds: wanted.interval.map(|i| Some(i.as_secs_f64())),
        web_url: wanted.web_url.clone().map(|url| Some(url).filter(|u| !u.is_empty())),
    };
    let value: Value = client.patch(&path(&["remotes", &wanted.remote]), &edit).await?;
    told(&value, "changed", common, context)
}

/// Says what was done to a remote.
pub(super) fn told(
    value: &Value,
    what: &str,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if common.json() {
        context.print_json(value)?;
    } else {
        let name = name_of(value);
        let about = if name.is_empty() { String::new() } else { format!("{name}: ") };
        context.print(&format!("{}\n", safe(&format!("{about}{what}"))))?;
    }
    Ok(Exit::Done)
}

/// Its link, if it is understood.
pub(super) fn link_of(value: &Value) -> Option<Link> {
    serde_json::from_value(value.get("link")?.clone()).ok()
}

/// The word for its link's state.
fn state(value: &Value) -> &str {
    value.pointer("/link/state").and_then(Value::as_str).unwrap_or_default()
}

/// Says that it is so already.
fn nothing(value: &Value, what: &str, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if common.json() {
        context.print_json(value)?;
    }
    context.note(&safe(&format!("{} {what}. Nothing to do.", name_of(value))));
    Ok(Exit::Done)
}

/// `muster remote rm`.
pub(super) async fn remove(
    client: &Client,
    wanted: &typed::Rm,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let value = get(client, &wanted.named).await?;
    let name = name_of(&value);
    let minted = value.pointer("/credential/minted/id").and_then(Value::as_str).map(str::to_owned);
    let confirmed = match &wanted.yes {
        Some(typed) => typed.clone(),
        None if !context.ask.present() => {
            return Err(Failure::usage(format!("{name} would be removed, and there is nobody to ask."))
                .hint(format!("In a script, say its name once more: --yes {}", shell::word(&name))));
        }
        None => {
            let guests = value.pointer("/counts/guests").and_then(Value::as_u64);
            let guests = guests.map_or_else(|| "its".to_owned(), |n| n.to_string());
            context.ask.tell(&safe(&format!(
                "{name} goes from Muster with all that is known of it ({guests} guests and their history). \
                 Nothing happens to the guests themselves."
            )));
            if let Some(id) = &minted {
                context.ask.tell(&safe(&match wanted.keep_token {
                    true => format!("The token {id}, which Muster made, stays on the host."),
                    false => {
                        format!("What Muster made on the host for it (the token {id}) is removed as well.")
                    }
                }));
            }
            context.ask.line(&format!("Type the name of the remote to remove it ({name})"), None)?
        }
    };
    if confirmed.trim() != name {
        return Err(Failure::usage(format!(
            "“{}” is not its name: {name} was not removed.",
            confirmed.trim()
        )));
    }
    let separate = value.pointer("/credential/minted/role").is_some_and(Value::is_string);
    let by = match (&minted, wanted.keep_token) {
        (Some(token), false) => who_removes(client, &name, token, separate, wanted, context).await?,
        _ => By::Nobody,
    };
    let query = [
        ("confirm", Some(name.clone())),
        ("minted", minted.as_ref().map(|_| if by == By::Nobody { "keep" } else { "remove" }.to_owned())),
        ("even_with_open", Some("true".to_owned()).filter(|_| wanted.even_with_open)),
        ("signed_in", by.onboarding()),
    ];
    let id = value.get("id").map_or_else(|| name.clone(), Value::to_string);
    let outcome = client.delete(&with_query(&path(&["remotes", &id]), &query)).await;
    if let Some(id) = by.onboarding() {
        let _ = client.delete::<Value>(&path(&["onboardings", &id])).await;
    }
    let reply: Value = outcome.map_err(|failure| open_operations(failure, wanted.even_with_open))?;
    let removed: Option<Removed> = serde_json::from_value(reply.clone()).ok();
    if common.json() {
        let mut object = json!({ "id": value.get("id"), "name": name, "removed": true });
        if let (Some(object), Value::Object(reply)) = (object.as_object_mut(), reply) {
            object.extend(reply);
        }
        context.print_json(&object)?;
    } else {
        context.print(&format!("{}: removed\n", safe(&name)))?;
    }
    let Some(removed) = removed else {
        context.note("Whether something of Muster is left on the host, this muster does not understand from the answer.");
        return Ok(Exit::Partial);
    };
    if !common.json() {
        if let Some(id) = &removed.minted_removed {
            context.print(&format!("{}: removed from the host\n", safe(id)))?;
        }
        if let Some(role) = &removed.role_kept {
            context.print(&format!(
                "{}: stays on the host, where something else uses it by now\n",
                safe(role)
            ))?;
        }
    }
    if let (None, Some("token"), Some(token)) = (
        &minted,
        value.pointer("/credential/kind").and_then(Value::as_str),
        value.pointer("/credential/user").and_then(Value::as_str),
    ) {
        context.note(&safe(&format!(
            "The token {token} was not made by Muster: it stays valid on the host until it is removed there."
        )));
    }
    match removed.minted_left {
        Some(left) => {
            still_there(&left, context);
            if !wanted.keep_token && by != By::Nobody && by.onboarding().is_none() {
                context.note(
                    "With --user root@pam --password-file FILE it would have been removed with the remote.",
                );
            }
            Ok(if wanted.keep_token { Exit::Done } else { Exit::Partial })
        }
        None => Ok(Exit::Done),
    }
}

/// Says what of Muster is still on a host, why, and what removes it.
fn still_there(left: &MintedLeft, context: &mut Context<'_>) {
    context.note("Still on the host, made by Muster:");
    for thing in [&left.acl, &left.token, &left.role].into_iter().flatten() {
        let why = thing.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        context.note(&safe(&format!("  {}{why}", thing.what)));
    }
    context.note("To remove it there, as root on any node:");
    for command in &left.commands {
        context.note(&safe(&format!("  {command}")));
    }
    if left.role.is_some() {
        context.note("The role only if nothing else uses it.");
    }
}

/// As whom a token is removed from its host.
#[derive(PartialEq, Eq)]
enum By {
    /// It stays.
    Nobody,
    /// By itself.
    Itself,
    /// As the account that signed in with this onboarding.
    Somebody(String),
}

impl By {
    fn onboarding(&self) -> Option<String> {
        match self {
            Self::Somebody(id) => Some(id.clone()),
            Self::Nobody | Self::Itself => None,
        }
    }
}

/// A token with rights of its own cannot remove itself: somebody signs in for it, or it stays.
async fn who_removes(
    client: &Client,
    name: &str,
    token: &str,
    separate: bool,
    wanted: &typed::Rm,
    context: &mut Context<'_>,
) -> Result<By, Failure> {
    let means = Means::read(&wanted.sign_in)?;
    let given = means.user.is_some() || means.token.is_some();
    if !given && !separate {
        return Ok(By::Itself);
    }
    if !given {
        // Tried all the same, so that what is left is told as it is.
        if !context.ask.present() {
            return Ok(By::Itself);
        }
        context
            .ask
            .tell(&safe(&format!("The token {token} cannot remove itself; somebody has to sign in for it.")));
        if !context.ask.confirm("Sign in now to remove it? Otherwise it stays on the host")? {
            return Ok(By::Itself);
        }
    }
    let beliefs = Beliefs::of(&wanted.sign_in)?;
    steps::signed_in(client, name, &beliefs, &means, context).await.map(By::Somebody)
}

/// Says how to go on when operations stand in the way.
fn open_operations(failure: Failure, even: bool) -> Failure {
    match failure.exit {
        Exit::Failed if !even && failure.sentence.contains("operation") => {
            failure.hint("Wait for them (muster operation ls), or say --even-with-open.")
        }
        _ => failure,
    }
}

/// `muster remote disconnect`.
pub(super) async fn disconnect(
    client: &Client,
    wanted: &typed::Disconnect,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let before = get(client, &wanted.named).await?;
    if state(&before) == "disconnected" {
        return nothing(&before, "is disconnected already", common, context);
    }
    let at = path(&["remotes", &wanted.named.remote, "disconnect"]);
    let ask = |even_with_open| Disconnect { even_with_open };
    let value: Value = match client.post(&at, &ask(wanted.even_with_open)).await {
        Ok(value) => value,
        Err(failure) => {
            let failure = open_operations(failure, wanted.even_with_open);
            let stands = failure.hint.as_deref().is_some_and(|h| h.contains("--even-with-open"));
            if !stands || common.json() || !context.ask.present() {
                return Err(failure);
            }
            context.ask.tell(&safe(&failure.sentence));
            if !context
                .ask
                .confirm("Disconnect all the same? They are followed again once it is connected.")?
            {
                return Err(Failure::new(Exit::Failed, "Nothing was done."));
            }
            client.post(&at, &ask(true)).await?
        }
    };
    told(&value, "disconnected, until \"muster remote connect\"", common, context)
}

/// `muster remote connect`.
pub(super) async fn connect(
    client: &Client,
    wanted: &typed::Connect,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let before = get(client, &wanted.named).await?;
    if link_of(&before).is_some_and(|link| link.state != "disconnected" && link.up) {
        return nothing(&before, "is connected already", common, context);
    }
    let value: Value = client.post(&path(&["remotes", &wanted.named.remote, "connect"]), &json!({})).await?;
    if wanted.no_wait {
        return told(&value, "connecting", common, context);
    }
    let id = value.get("id").map_or_else(|| wanted.named.remote.clone(), Value::to_string);
    let value = wait_for_link(client, &id, value, context).await?;
    stands(&value, common, context)
}

/// `muster remote try`.
pub(super) async fn try_now(
    client: &Client,
    named: &typed::Named,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let value: Value = client.post(&path(&["remotes", &named.remote, "try"]), &json!({})).await?;
    let id = value.get("id").map_or_else(|| named.remote.clone(), Value::to_string);
    let value = wait_for_link(client, &id, value, context).await?;
    stands(&value, common, context)
}

/// Waits until a link stands, or is surely not going to by itself. What it says at first may be from before: the link
/// takes in what was asked of it a moment later than the answer comes.
pub(super) async fn wait_for_link(
    client: &Client,
    id: &str,
    mut value: Value,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let began = Instant::now();
    let first = link_of(&value);
    loop {
        let Some(now) = link_of(&value) else { return Ok(value) };
        let same = first.as_ref().is_some_and(|f| f.state == now.state && f.since == now.since);
        let pending = now.state == "connecting" || (!now.up && same && began.elapsed() < GRACE);
        if !pending || began.elapsed() >= PATIENCE {
            context.clear_progress();
            return Ok(value);
        }
        context.show_progress(&safe(&format!("{}: connecting", name_of(&value))));
        sleep(PAUSE).await;
        value = client.get(&path(&["remotes", id])).await?;
    }
}

/// Says how a link stands; one that does not is a failure with its cause's exit code.
pub(super) fn stands(value: &Value, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let name = name_of(value);
    if common.json() {
        context.print_json(value)?;
    }
    let Some(link) = link_of(value) else {
        let sentence = format!("{name}: how its link stands now is not understood from the answer.");
        return Err(Failure::new(Exit::Failed, sentence)
            .hint("Is the server much newer? \"muster remote show NAME -o json\" shows it as it came."));
    };
    if link.up {
        if !common.json() {
            context.print(&format!("{}: {}\n", safe(&name), safe(&link.state.replace('_', " "))))?;
        }
        return Ok(Exit::Done);
    }
    let exit = link.cause.as_ref().and_then(|c| exit_of_code(&c.code)).unwrap_or(Exit::Unreachable);
    let words = link.cause.as_ref().map_or(&link.sentence, |c| &c.sentence);
    let failure = Failure::new(exit, sentence(words)).about(&name);
    let again = link
        .next_try
        .map(|at| format!(" It is tried again {}.", crate::term::text::until(crate::cmd::now(), at)));
    let remedy = link.cause.as_ref().map(|c| c.remedy.clone()).unwrap_or_default();
    let hint = format!("{remedy}{}", again.unwrap_or_default());
    Err(if hint.trim().is_empty() { failure } else { failure.hint(hint.trim()) })
}
