//! `muster login`, `logout`, `context`: servers elsewhere. The password is sent once, over a connection that is
//! trusted, and a token is kept in its place.

use api::Secret;
use api::session::Session;
use api::token::{NewToken, TokenRequest};
use pve::address::{Address, Host};
use pve::trust::{Fingerprint, probe};
use serde_json::{Value, json};
use url::Url;

use super::session::{Given, Signed, unkept};
use crate::cli::login::{Context as Typed, ContextCommand, Login, Logout};
use crate::cli::{Output, SignIn};
use crate::client::contexts::{Contexts, Known, LOCAL};
use crate::client::find::{client, host_and_port, is_loopback, server_url};
use crate::client::tls::{Trust, facts};
use crate::client::{Client, Method, Patience, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::trust::{Beliefs, Shown, Whose, judge};
use crate::secrets::Means;
use crate::serve::config::Environment;
use crate::term::shell;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::safe;

/// `muster login`.
pub(super) async fn login(
    wanted: Login,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let url = server_url(&wanted.url)?;
    let mut contexts = Contexts::read(environment)?;
    let name = match &wanted.name {
        Some(name) if !is_name(name) || name == LOCAL => {
            return Err(Failure::usage(format!("“{name}” cannot be the name of a server.")).hint(format!(
                "A name has letters, digits, \".\", \"_\" and \"-\"; {LOCAL} is the one on this machine."
            )));
        }
        Some(name) => name.clone(),
        None => host_and_port(&url)?.0,
    };
    let means = Means::read(&SignIn {
        password_file: wanted.password_file.clone(),
        password_fd: wanted.password_fd,
        otp_file: wanted.otp_file.clone(),
        otp_fd: wanted.otp_fd,
        ..SignIn::default()
    })?;
    let token = token_given(&wanted)?;
    let fingerprint = believe(&url, &wanted, context).await?;
    let trust = fingerprint.map_or(Trust::System, Trust::Leaf);
    let (user, token, minted) = match token {
        Some(token) => {
            let client = client(&url, trust, Some(token.clone()), None, Patience::default())?;
            let session: Session = client.get(&path(&["session"])).await?;
            (session.user, token, None)
        }
        None => {
            let (user, new) = mint(&url, trust, &wanted, &means, context).await?;
            (user, new.secret, Some(new.token.id))
        }
    };
    let known = Known {
        name: name.clone(),
        url: url.to_string().trim_end_matches('/').to_owned(),
        user: Some(user.clone()),
        fingerprint: fingerprint.map(|f| f.to_string()),
        minted,
        token,
    };
    let shown = json!({ "id": name, "name": name, "url": known.url, "user": user, "current": true });
    let (same, former): (Vec<_>, Vec<_>) =
        contexts.named(&name).cloned().into_iter().partition(|former| former.token == known.token);
    // A token that was kept already is still the one that was made for us.
    let known = Known { minted: known.minted.or(same.into_iter().next().and_then(|s| s.minted)), ..known };
    if let Err(failure) = contexts.put(known.clone()) {
        return Err(match &known.minted {
            Some(id) => unkept(failure, id, take_back(&known, id).await),
            None => failure,
        });
    }
    match wanted.output {
        Output::Json => context.print_json(&shown)?,
        Output::Text => {
            context.print(&safe(&format!("Signed in to {url} as {user}; it is called {name} here.")))?;
            context.print("\n")?;
            context.note("Commands go there from now on; \"muster context use local\" brings them back to this machine.");
        }
    }
    match former.into_iter().next() {
        // Nobody knows it any more: it would go on holding unseen.
        Some(former) => {
            // The certificate that was confirmed just now is that server's, too.
            let fingerprint =
                if former.url == known.url { known.fingerprint } else { former.fingerprint.clone() };
            let told = taken_back(&Known { fingerprint, ..former }).await;
            Ok(tell_left("The token that was kept here before", told, context))
        }
        None => Ok(Exit::Done),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':'))
}

/// An API token of the server that the command line names.
fn token_given(wanted: &Login) -> Result<Option<Secret>, Failure> {
    // Read as a password is: any line.
    let options = SignIn {
        password_file: wanted.token_file.clone(),
        password_fd: wanted.token_fd,
        ..SignIn::default()
    };
    let Some(text) = Means::read(&options)?.password else { return Ok(None) };
    let text = text.expose().trim();
    if !text.starts_with("mst_") {
        return Err(Failure::usage("That is no API token of Muster.")
            .hint("One begins with mst_; \"muster token add NAME --file FILE\" makes one."));
    }
    Ok(Some(Secret::from(text)))
}

/// Decides whether the server is to be believed. `None`: by the system's store, or there is no TLS to be believed.
async fn believe(
    url: &Url,
    wanted: &Login,
    context: &mut Context<'_>,
) -> Result<Option<Fingerprint>, Failure> {
    let given: Option<Fingerprint> = match &wanted.fingerprint {
        Some(text) => Some(text.parse().map_err(|e| {
            Failure::usage(format!("“{text}” is {e}."))
                .hint("\"muster serve\" prints the fingerprint of its certificate when it starts.")
        })?),
        None => None,
    };
    if url.scheme() == "http" {
        if !is_loopback(url) && !wanted.insecure_http {
            return Err(Failure::usage(format!(
                "{url} has no TLS: anyone on the way could read the password."
            ))
            .hint("Use https://, or say --insecure-http if you know the whole way."));
        }
        return Ok(None);
    }
    let (host, port) = host_and_port(url)?;
    let host = match host.parse::<std::net::IpAddr>() {
        Ok(ip) => Host::from(ip),
        Err(_) => Host::Name(host),
    };
    let shown = probe(&Address::new(host, port), &context.timings.pve).await.map_err(|e| {
        let mut failure = crate::trouble::failure_of_error(&e);
        let silent = matches!(failure.cause, Some("refused" | "dns"));
        failure.hint = Some(match is_loopback(url) && !silent {
            // On loopback it speaks plain HTTP, whatever it is set to.
            true => {
                let plain = url.as_str().replacen("https://", "http://", 1);
                format!(
                    "On this machine's own addresses a server speaks plain HTTP: muster login {}",
                    shell::word(plain.trim_end_matches('/'))
                )
            }
            false => "Is the server running there, and does it speak TLS on that port?".to_owned(),
        });
        failure
    })?;
    let Some(leaf) = shown.leaf() else {
        return Err(Failure::new(Exit::Certificate, format!("{url} showed no certificate.")));
    };
    let why = match shown.by_system() {
        Ok(()) if given.is_none() => return Ok(None),
        Ok(()) => String::new(),
        Err(why) => why.to_string(),
    };
    let told = Shown {
        name: url.as_str(),
        fingerprint: leaf.fingerprint,
        facts: facts(leaf),
        why: &why,
        known: "here",
        question: "Trust it from now on?",
        whose: Whose::Server,
    };
    let beliefs = Beliefs { fingerprints: given.into_iter().collect(), accept_new: wanted.accept_new };
    judge(&told, &beliefs, context.ask)?;
    Ok(Some(leaf.fingerprint))
}

/// Asks whether Muster answers there, before anybody is asked for a password, and before one is sent.
async fn is_muster(client: &Client, url: &Url) -> Result<(), Failure> {
    let Err(failure) = client.get::<api::setup::SetupState>(&path(&["setup"])).await else { return Ok(()) };
    let bare = url.path().trim_end_matches('/').is_empty();
    Err(match failure.exit {
        Exit::Unreachable | Exit::Certificate => failure,
        // Muster itself answers so where its prefix is another.
        _ if !bare => {
            let mut root = url.clone();
            root.set_path("");
            Failure { sentence: format!("Nothing at {url} is Muster. No password was sent."), ..failure }
                .hint(format!(
                    "Give the URL of the server itself, without what a browser shows behind it: {root}"
                ))
        }
        _ => Failure { sentence: format!("{} No password was sent.", failure.sentence), ..failure },
    })
}

/// Signs in with a password, makes a token, and signs out again.
async fn mint(
    url: &Url,
    trust: Trust,
    wanted: &Login,
    means: &Means,
    context: &mut Context<'_>,
) -> Result<(String, NewToken), Failure> {
    let client = client(url, trust, None, None, Patience::default())?;
    is_muster(&client, url).await?;
    let given = Given::of(means);
    let signed = Signed::open(client, wanted.user.as_deref(), given, context).await?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = match host.trim() {
        "" => "muster command line".to_owned(),
        host => format!("muster on {host}"),
    };
    let request = TokenRequest { name, grants: None, expires: None };
    let made = signed.call(Method::POST, &path(&["tokens"]), &request).await;
    let user = signed.session.user.clone();
    // The session was for this alone.
    signed.close().await;
    Ok((user, made?))
}

/// `muster logout`.
pub(super) async fn logout(
    wanted: &Logout,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut contexts = Contexts::read(environment)?;
    let known = match &wanted.name {
        Some(name) => contexts.expect(name)?.clone(),
        None => contexts
            .current()
            .ok_or_else(|| {
                Failure::usage("Nothing to sign out of: the server in use is the one on this machine.")
                    .hint("\"muster context ls\" lists the servers known here; muster logout NAME")
            })?
            .clone(),
    };
    let told = taken_back(&known).await;
    let was_in_use = contexts.current().is_some_and(|current| current.name == known.name);
    contexts.forget(&known.name)?;
    context.print(&format!("Signed out of {}.\n", safe(&known.name)))?;
    context.note(&match (was_in_use, contexts.current()) {
        (true, _) => "Commands go to the server on this machine from now on.".to_owned(),
        (false, Some(current)) => safe(&format!("Commands go to {} as before.", current.name)),
        (false, None) => "Commands go to the server on this machine as before.".to_owned(),
    });
    Ok(tell_left("Its token", told, context))
}

/// Takes the token of a context back, if it was made for it: its id, and why it is still there, if it is.
async fn taken_back(known: &Known) -> Option<(String, Failure)> {
    let id = known.minted.as_ref()?;
    match take_back(known, id).await {
        // One that is not accepted any more is gone already.
        Err(failure) if failure.exit != Exit::Credentials => Some((id.clone(), failure)),
        _ => None,
    }
}

/// Says what is left of a token, if something is.
fn tell_left(what: &str, left: Option<(String, Failure)>, context: &mut Context<'_>) -> Exit {
    let Some((id, failure)) = left else { return Exit::Done };
    context.note(&safe(&format!("{what} could not be taken back: {}", failure.sentence)));
    context.note(&safe(&format!("Take it back there: muster token rm {}", shell::word(&id))));
    Exit::Partial
}

async fn take_back(known: &Known, id: &str) -> Result<(), Failure> {
    let url = server_url(&known.url)?;
    let trust = known.pinned()?.map_or(Trust::System, Trust::Leaf);
    let client: Client =
        client(&url, trust, Some(known.token.clone()), Some(known.name.clone()), Patience::default())?;
    client.delete::<Value>(&path(&["tokens", id])).await.map(drop)
}

/// `muster context`.
pub(super) fn context(
    wanted: &Typed,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut contexts = Contexts::read(environment)?;
    match &wanted.command {
        ContextCommand::Ls => {
            let current = contexts.current().map(|c| c.name.clone());
            let local = ("local", "the server on this machine", None);
            let known = contexts.all().iter().map(|c| (c.name.as_str(), c.url.as_str(), c.user.as_deref()));
            let rows: Vec<(&str, &str, Option<&str>)> = std::iter::once(local).chain(known).collect();
            let used = |name: &str| current.as_deref().unwrap_or(LOCAL) == name;
            if wanted.output == Output::Json {
                let items: Vec<Value> = rows
                    .iter()
                    .map(|(name, url, user)| {
                        let url = if *name == LOCAL { None } else { Some(url) };
                        json!({ "id": name, "name": name, "url": url, "user": user, "current": used(name) })
                    })
                    .collect();
                context.print_json(&json!({ "total": items.len(), "items": items }))?;
                return Ok(Exit::Done);
            }
            let mut table = Table::new(vec![
                Column::new("", 1),
                Column::new("NAME", 8),
                Column::new("WHERE", 12),
                Column::new("USER", 6),
            ]);
            for (name, url, user) in rows {
                let mark = if used(name) { "*" } else { "" };
                let cells = [mark, name, url, user.unwrap_or_default()];
                table.row(Tone::Plain, cells.iter().map(|c| (Tone::Plain, (*c).to_owned())).collect());
            }
            context.print_table(&table)?;
        }
        ContextCommand::Use(which) => {
            contexts.use_from_now_on(&which.name)?;
            done(wanted, &which.name, "in use from now on", context)?;
        }
        ContextCommand::Rm(which) => {
            let known = contexts.expect(&which.name)?;
            let (minted, url) = (known.minted.clone(), known.url.clone());
            let logout = format!("muster logout {}", shell::word(&which.name));
            if minted.is_some() && context.ask.present() {
                context.ask.tell(&safe(&format!(
                    "The token that was made there goes on holding; \"{logout}\" takes it back."
                )));
                if !context.ask.confirm("Forget the server all the same?")? {
                    return Err(Failure::new(Exit::Failed, "Nothing was done."));
                }
            }
            contexts.forget(&which.name)?;
            done(wanted, &which.name, "forgotten", context)?;
            if let Some(id) = minted {
                context.note(&safe(&format!(
                    "Its token {id} goes on holding. To take it back, sign in there again (muster login {url}), then: \
                     muster token rm {}",
                    shell::word(&id)
                )));
            }
        }
    }
    Ok(Exit::Done)
}

fn done(wanted: &Typed, name: &str, what: &str, context: &mut Context<'_>) -> Result<(), Failure> {
    match wanted.output {
        Output::Json => context.print_json(&json!({ "id": name, "name": name })),
        Output::Text => context.print(&format!("{}: {what}\n", safe(name))),
    }
}
