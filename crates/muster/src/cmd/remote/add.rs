//! Adding a remote, and signing in to one anew: certificate, credential, second factor, rights, in that order, as the
//! server asks for them. Whatever fails, the server is told to forget it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::onboarding::{
    Confirm, Finish, Finished, Keep, Known, Onboarding, OnboardingRequest, SignedIn, Step,
};
use api::remote::RemoteFigures;
use model::rights::Rights;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::steps::{Stop, answer, believe, second_factor, sign_in, step};
use super::trust::join;
use super::view::UNREAD;
use super::{change, get, name_of};
use crate::at::limit::Limit;
use crate::cli::remote::{Add, Keep as Typed, KeepRights, Reauth};
use crate::cli::{Common, SignIn as Options};
use crate::client::{Client, path};
use crate::cmd::list::counted;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::sign_in::{CODE_REJECTED, TRIES, code};
use crate::open::trust::Beliefs;
use crate::secrets::Means;
use crate::term::shell;
use crate::term::text::safe;

/// How long the first inventory is waited for.
const FIRST_LOOK: Duration = Duration::from_secs(15);

/// Without `--timeout` each step has its own bound, and all of them together none that anybody meets.
const UNBOUND: Duration = Duration::from_secs(365 * 24 * 3600);

/// What the command line gave.
struct Given {
    beliefs: Beliefs,
    means: Means,
    keep: Typed,
    name: Option<String>,
    connect: bool,
}

/// Does the command line say enough for a script?
///
/// # Errors
/// A script that does not say what shall be kept, or how to sign in.
pub(super) fn check(keep: &Typed, options: &Options, context: &Context<'_>) -> Result<(), Failure> {
    let token = options.token_file.is_some() || options.token_fd.is_some();
    let chosen = keep.rights.is_some() || keep.keep_password;
    if token && chosen {
        return Err(Failure::usage(
            "A token that is given is kept as it is: --rights and --keep-password do not fit.",
        )
        .hint("Leave them out, or sign in with --user to have a token made."));
    }
    if !token && !chosen && !context.ask.present() {
        return Err(Failure::usage("Nothing says what shall be kept to sign in with.").hint(
            "Say --rights look, operate or same-as-user to have a token made, or --keep-password.\n\
             With --token-file FILE the token itself is kept.",
        ));
    }
    Ok(())
}

/// Is it only the second factor that is given?
pub(super) fn only_factor(wanted: &Reauth) -> bool {
    let options = &wanted.sign_in;
    (options.otp_file.is_some() || options.otp_fd.is_some())
        && options.user.is_none()
        && options.password_file.is_none()
        && options.password_fd.is_none()
}

/// `muster remote add`.
pub(super) async fn add(
    client: &Client,
    wanted: Add,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let given = Given {
        beliefs: Beliefs::of(&wanted.sign_in)?,
        means: Means::read(&wanted.sign_in)?,
        keep: wanted.keep,
        name: wanted.name,
        connect: !wanted.disconnected,
    };
    let request = OnboardingRequest { address: wanted.address, remote: None };
    let limit = Limit::new(wanted.sign_in.timeout, UNBOUND);
    let finished = match go(client, &request, &given, &limit, context).await? {
        Outcome::Finished(finished) => finished,
        Outcome::Joined(value) => {
            return match common.json() {
                true => context.print_json(&value).map(|()| Exit::Done),
                false => change::stands(&value, common, context),
            };
        }
    };
    let id = finished.remote.row.id.to_string();
    let value = if given.connect {
        first_look(client, &id, &limit, context).await?
    } else {
        client.get(&path(&["remotes", &id])).await?
    };
    tell(&finished, value, "added", common, context)
}

/// `muster remote reauth`.
pub(super) async fn reauth(
    client: &Client,
    wanted: Reauth,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let value = get(client, &wanted.named).await?;
    let (name, id) = (name_of(&value), value.get("id").map_or_else(String::new, Value::to_string));
    let means = Means::read(&wanted.sign_in)?;
    let waits = value.pointer("/link/cause/code").and_then(Value::as_str) == Some("second_factor_needed");
    let typed_nothing = wanted.sign_in.user.is_none() && means.token.is_none() && means.password.is_none();
    if only_factor(&wanted)
        || (waits && typed_nothing && wanted.keep.rights.is_none() && context.ask.present())
    {
        return answer_factor(client, &value, &means, common, context).await;
    }
    let given =
        Given { beliefs: Beliefs::of(&wanted.sign_in)?, means, keep: wanted.keep, name: None, connect: true };
    let request = OnboardingRequest { address: String::new(), remote: Some(name) };
    let limit = Limit::new(wanted.sign_in.timeout, UNBOUND);
    let Outcome::Finished(finished) = go(client, &request, &given, &limit, context).await? else {
        return Ok(Exit::Done);
    };
    let value = first_look(client, &id, &limit, context).await?;
    tell(&finished, value, "signed in anew", common, context)
}

/// Answers the second factor that a link waits for.
async fn answer_factor(
    client: &Client,
    value: &Value,
    means: &Means,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let (name, id) = (name_of(value), value.get("id").map_or_else(String::new, Value::to_string));
    let user = value.pointer("/credential/user").and_then(Value::as_str).unwrap_or("its user").to_owned();
    let kinds: Vec<String> = value
        .pointer("/link/cause/facts/kinds")
        .and_then(|k| serde_json::from_value(k.clone()).ok())
        .unwrap_or_default();
    let mut tries = 0;
    loop {
        tries += 1;
        let (text, typed) = code(&name, &user, &kinds, means, context.ask)?;
        let body = second_factor(text);
        match client.post::<Value>(&path(&["remotes", &id, "second-factor"]), &body).await {
            Ok(fresh) => {
                context.ask.judged();
                let fresh = change::wait_for_link(client, &id, fresh, context).await?;
                return change::stands(&fresh, common, context);
            }
            Err(failure) if failure.exit == Exit::Credentials && typed && tries < TRIES => {
                context.ask.tell(CODE_REJECTED);
            }
            Err(failure) => {
                context.ask.judged();
                return Err(failure);
            }
        }
    }
}

/// How adding ended.
enum Outcome {
    /// A remote is there that was not, or is signed in to anew.
    Finished(Box<Finished>),
    /// It was there already; the address is one more way to it.
    Joined(Value),
}

/// From the address to the remote. On any failure the server forgets what was begun. When the time is over after the
/// last step was sent, that step goes on, and nobody can tell what comes of it.
async fn go(
    client: &Client,
    request: &OnboardingRequest,
    given: &Given,
    limit: &Limit,
    context: &mut Context<'_>,
) -> Result<Outcome, Failure> {
    let begun = limit.bound(step(client, &path(&["onboardings"]), request)).await?;
    let state: Onboarding = begun.map_err(|stop| match stop {
        Stop::Failed(failure) => failure,
        Stop::Managed(known) => Failure::usage(format!(
            "{} is already managed as {}. Nothing was changed.",
            request.address, known.name
        ))
        .hint(format!("To sign in to it anew: muster remote reauth {}", shell::word(known.name.as_str()))),
    })?;
    let id = state.id.clone();
    let sent = AtomicBool::new(false);
    let outcome = {
        let mut ask = limit.patient(context.ask);
        let mut context = Context {
            timings: context.timings.clone(),
            ask: &mut ask,
            out: context.out,
            err: context.err,
            paper: context.paper,
            progress: context.progress,
        };
        limit.bound(steps(client, state, given, &sent, &mut context)).await
    };
    context.ask.judged();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(late) if sent.load(Ordering::Relaxed) => {
            let sentence = format!("{} What was sent last may still be carried out.", late.sentence);
            return Err(Failure::new(Exit::OutcomeUnknown, sentence)
                .hint("Look what came of it before it is repeated: muster remote ls"));
        }
        Err(late) => Err(Failure { sentence: format!("{} Nothing was changed.", late.sentence), ..late }),
    };
    if !matches!(outcome, Ok(Outcome::Finished(_))) {
        let _ = client.delete::<Value>(&path(&["onboardings", &id])).await;
    }
    outcome
}

async fn steps(
    client: &Client,
    mut state: Onboarding,
    given: &Given,
    sent: &AtomicBool,
    context: &mut Context<'_>,
) -> Result<Outcome, Failure> {
    let id = state.id.clone();
    let at = |step: &str| path(&["onboardings", &id, step]);
    loop {
        // Who signs in anew finds the remote itself.
        let itself = |known: &&Known| state.remote.as_ref().is_none_or(|r| r.id != known.id);
        if let Some(known) = state.managed_as.as_ref().filter(itself) {
            return managed(client, known, &state, sent, context).await;
        }
        let next = match state.step {
            Step::Trust => {
                let fingerprint = believe(&state, &given.beliefs, context)?;
                step(client, &at("trust"), &Confirm { fingerprint }).await
            }
            Step::SignIn => sign_in(client, &at("sign-in"), &state, &given.means, context).await,
            Step::SecondFactor => answer(client, &at("second-factor"), &state, &given.means, context).await,
            Step::Finish => {
                context.ask.judged();
                let finish = finish(&state, given, context)?;
                sent.store(true, Ordering::Relaxed);
                match step(client, &at("finish"), &finish).await {
                    Ok(finished) => return Ok(Outcome::Finished(Box::new(finished))),
                    Err(stop) => {
                        sent.store(false, Ordering::Relaxed);
                        Err(stop)
                    }
                }
            }
        };
        state = match next {
            Ok(state) => state,
            Err(Stop::Managed(known)) => return managed(client, &known, &state, sent, context).await,
            Err(Stop::Failed(failure)) => return Err(failure),
        };
    }
}

/// The same cluster or host is there under a name already: its address may be one more way to it.
async fn managed(
    client: &Client,
    known: &Known,
    state: &Onboarding,
    sent: &AtomicBool,
    context: &mut Context<'_>,
) -> Result<Outcome, Failure> {
    let (name, endpoint) = (known.name.as_str(), state.endpoint.as_str());
    let there = Failure::usage(format!("{endpoint} is already managed as {name}. Nothing was changed."))
        .hint(format!(
            "To reach {name} by this address as well: muster remote endpoint add {} {endpoint}",
            shell::word(name)
        ));
    if state.remote.is_some() || !context.ask.present() {
        return Err(there);
    }
    context.ask.judged();
    context.ask.tell(&safe(&format!("{endpoint} is already managed as {name}.")));
    if !context.ask.confirm("Add this address to it as a further endpoint?")? {
        return Err(there);
    }
    // The person has seen this certificate already, or the system vouches for it.
    let fingerprint = state.certificate.as_ref().map(|c| c.fingerprint.clone());
    sent.store(true, Ordering::Relaxed);
    join(client, &known.id.to_string(), endpoint, fingerprint, context).await.map(Outcome::Joined)
}

/// What shall be kept, and what the remote is called.
fn finish(state: &Onboarding, given: &Given, context: &mut Context<'_>) -> Result<Finish, Failure> {
    let empty = SignedIn {
        user: "".into(),
        with_token: given.means.token.is_some(),
        version: None,
        cluster: None,
        nodes: Vec::new(),
        identity: None,
        suggested_name: None,
        offers: Vec::new(),
    };
    let signed_in = state.signed_in.as_ref().unwrap_or(&empty);
    if context.ask.present() {
        let version = signed_in.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
        let what = match (&signed_in.cluster, signed_in.nodes.len()) {
            (Some(cluster), n) => format!("cluster {cluster} of {n} nodes"),
            (None, _) => "a stand-alone host".to_owned(),
        };
        context.ask.tell(&safe(&format!("Signed in as {}: Proxmox VE{version}, {what}.", signed_in.user)));
    }
    let (keep, rights) = match (given.keep.rights, given.keep.keep_password) {
        _ if signed_in.with_token => (Keep::Token, None),
        (Some(rights), _) => (Keep::Token, Some(rights_of(rights))),
        (None, true) => (Keep::Password, None),
        (None, false) => choose(signed_in, context)?,
    };
    let name = match &given.name {
        Some(name) => Some(name.clone()),
        None if state.remote.is_some() || !context.ask.present() => None,
        None => Some(context.ask.line("What shall it be called", signed_in.suggested_name.as_deref())?)
            .filter(|name| !name.is_empty()),
    };
    Ok(Finish { name, keep, rights, connect: given.connect })
}

fn rights_of(rights: KeepRights) -> Rights {
    match rights {
        KeepRights::Look => Rights::Look,
        KeepRights::Operate => Rights::Operate,
        KeepRights::SameAsUser => Rights::SameAsUser,
    }
}

/// Asks in words what shall be kept.
fn choose(signed_in: &SignedIn, context: &mut Context<'_>) -> Result<(Keep, Option<Rights>), Failure> {
    let user = safe(&signed_in.user);
    let word = |rights: Rights| rights.as_str().replace('_', "-");
    context.ask.tell("");
    context.ask.tell("What shall Muster sign in with from now on?");
    for rights in Rights::ALL {
        let offer = signed_in.offers.iter().find(|o| o.rights == rights);
        let sentence = match (offer, rights) {
            (Some(offer), _) => offer.sentence.clone(),
            (None, Rights::Look) => "a token that sees everything and changes nothing".to_owned(),
            (None, Rights::Operate) => {
                "a token that also starts, stops and otherwise switches guests".to_owned()
            }
            (None, Rights::SameAsUser) => format!("a token that may do whatever {user} may"),
        };
        context.ask.tell(&safe(&format!("  {:13} {sentence}", word(rights))));
        if let Some(offer) = offer.filter(|o| !o.privileges.is_empty()) {
            context.ask.tell(&safe(&format!("  {:13} privileges: {}", "", offer.privileges.join(" "))));
        }
        if let Some(offer) = offer.filter(|o| !o.lacking.is_empty()) {
            context.ask.tell(&safe(&format!("  {:13} {user} itself lacks: {}", "", offer.lacking.join(" "))));
        }
    }
    context.ask.tell(&format!("  {:13} no token: the password itself, sealed on the server", "password"));
    loop {
        let answer = context.ask.line("look, operate, same-as-user or password", Some("operate"))?;
        match answer.trim().to_lowercase().as_str() {
            "password" => return Ok((Keep::Password, None)),
            other => match other.parse::<Rights>() {
                Ok(rights) => return Ok((Keep::Token, Some(rights))),
                Err(_) => context.ask.tell("Please type one of the four words."),
            },
        }
    }
}

/// Waits for the first inventory, as long as one waits for such a thing.
async fn first_look(
    client: &Client,
    id: &str,
    limit: &Limit,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let end = Instant::now() + limit.left_of_given().map_or(FIRST_LOOK, |left| left.min(FIRST_LOOK));
    loop {
        let value: Value = client.get(&path(&["remotes", id])).await?;
        let flag = |pointer: &str| value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false);
        let nodes = value.pointer("/counts/nodes").and_then(Value::as_u64).unwrap_or(0);
        if (flag("/link/up") && nodes > 0) || flag("/link/needs_person") || Instant::now() >= end {
            context.clear_progress();
            return Ok(value);
        }
        context.show_progress(&safe(&format!("{}: taking the first inventory", name_of(&value))));
        sleep(Duration::from_millis(200)).await;
    }
}

/// Says what is there now, and what was made on the host.
fn tell(
    finished: &Finished,
    value: Value,
    what: &str,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if common.json() {
        let mut object = value;
        if let Some(map) = object.as_object_mut() {
            map.insert("minted".to_owned(), serde_json::to_value(&finished.minted).unwrap_or_default());
            map.insert("done".to_owned(), json!(finished.done));
        }
        context.print_json(&object)?;
        return Ok(Exit::Done);
    }
    let name = name_of(&value);
    let counts = value.get("counts").cloned().and_then(|c| serde_json::from_value::<RemoteFigures>(c).ok());
    let state = value.pointer("/link/state").and_then(Value::as_str).unwrap_or("unknown").replace('_', " ");
    let up = value.pointer("/link/up").and_then(Value::as_bool).unwrap_or(false);
    let seen = match counts.and_then(|counts| counts.nodes.zip(counts.guests)) {
        _ if !up => String::new(),
        Some((nodes, guests)) => format!(", {}, {}", counted(nodes, "node"), counted(guests, "guest")),
        None => format!(", {UNREAD}"),
    };
    for line in &finished.done {
        context.print(&format!("{}\n", safe(line)))?;
    }
    if let (Some(minted), true) = (&finished.minted, finished.done.is_empty()) {
        context.print(&format!("Made on the host: the token {}\n", safe(&minted.id)))?;
        if let Some(role) = &minted.role {
            context.print(&format!(
                "with the role {}: {}\n",
                safe(role),
                safe(&minted.privileges.join(" "))
            ))?;
        }
    }
    context.print(&format!("{} was {what}: {}{}\n", safe(&name), safe(&state), safe(&seen)))?;
    context.note(&safe(&format!("Look at it: muster guest ls {}", shell::term("remote", &name))));
    Ok(Exit::Done)
}
