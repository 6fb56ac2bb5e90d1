//! The steps of signing in at a remote, as the server asks for them: certificate, credential, second factor.

use api::Secret;
use api::onboarding::{Confirm, Known, Onboarding, OnboardingRequest, SecondFactor, SignIn, Step};
use model::RemoteId;
use pve::auth::{Credential, Factor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::trust::facts;
use crate::client::problem::failure;
use crate::client::{Client, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::sign_in::{CODE_REJECTED, TRIES, code, code_rejected, factor};
use crate::open::trust::{Beliefs, Shown, Whose, judge};
use crate::secrets::Means;
use crate::term::ask::NoAnswer;
use crate::term::text::safe;

/// Signs in at a remote that is there, and leaves it at that: the id of the onboarding in which somebody has.
pub(super) async fn signed_in(
    client: &Client,
    name: &str,
    beliefs: &Beliefs,
    means: &Means,
    context: &mut Context<'_>,
) -> Result<String, Failure> {
    let request = OnboardingRequest { address: String::new(), remote: Some(name.to_owned()) };
    let mut state: Onboarding = client.post(&path(&["onboardings"]), &request).await?;
    let id = state.id.clone();
    let at = |step: &str| path(&["onboardings", &id, step]);
    let outcome = loop {
        let next = match state.step {
            Step::Trust => match believe(&state, beliefs, context) {
                Ok(fingerprint) => step(client, &at("trust"), &Confirm { fingerprint }).await,
                Err(failure) => Err(failure.into()),
            },
            Step::SignIn => sign_in(client, &at("sign-in"), &state, means, context).await,
            Step::SecondFactor => answer(client, &at("second-factor"), &state, means, context).await,
            Step::Finish => break Ok(()),
        };
        state = match next {
            Ok(state) => state,
            Err(Stop::Failed(failure)) => break Err(failure),
            Err(Stop::Managed(known)) => {
                break Err(Failure::usage(format!("What answers there is {}, not {name}.", known.name)));
            }
        };
    };
    context.ask.judged();
    if let Err(failure) = outcome {
        let _ = client.delete::<Value>(&path(&["onboardings", &id])).await;
        return Err(failure);
    }
    Ok(id)
}

/// Why a step did not come about.
pub(super) enum Stop {
    /// The cluster or host is there under a name already.
    Managed(Known),
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Takes one step.
pub(super) async fn step<T: DeserializeOwned>(
    client: &Client,
    at: &str,
    body: &impl Serialize,
) -> Result<T, Stop> {
    let problem = match client.try_post(at, body).await? {
        Ok(reply) => return Ok(reply),
        Err(problem) => problem,
    };
    let there = problem.candidates.first().filter(|_| problem.code() == "already_managed");
    let known =
        there.and_then(|c| Some(Known { id: RemoteId(c.id.parse().ok()?), name: c.name.as_str().into() }));
    Err(match known {
        Some(known) => Stop::Managed(known),
        None => Stop::Failed(failure(&problem, None)),
    })
}

/// Decides whether the certificate is to be believed.
pub(super) fn believe(
    state: &Onboarding,
    beliefs: &Beliefs,
    context: &mut Context<'_>,
) -> Result<String, Failure> {
    let name = &state.endpoint;
    let Some(shown) = &state.certificate else {
        return Err(Failure::new(Exit::Certificate, format!("{name} showed no certificate.")));
    };
    let fingerprint = shown.fingerprint.parse().map_err(|e| {
        Failure::new(Exit::Failed, format!("The server tells a fingerprint of {name} that is {e}."))
    })?;
    let told = Shown {
        name,
        fingerprint,
        facts: facts(shown),
        why: state.untrusted_why.as_deref().unwrap_or("nobody known vouches for it"),
        known: "to Muster",
        question: "Trust it?",
        whose: Whose::Host,
    };
    judge(&told, beliefs, context.ask)?;
    Ok(shown.fingerprint.clone())
}

fn not_signed_in(name: &str) -> Failure {
    Failure::new(Exit::Credentials, format!("Not signed in at {name}: no credential was given.")).hint(
        "Give --token-file FILE, or --user USER@REALM with --password-file FILE; or run it in a terminal to be asked.",
    )
}

/// Presents token or password; a typed password that is rejected may be typed again.
pub(super) async fn sign_in(
    client: &Client,
    at: &str,
    state: &Onboarding,
    means: &Means,
    context: &mut Context<'_>,
) -> Result<Onboarding, Stop> {
    if let Some(Credential::Token { id, secret }) = &means.token {
        let token = Secret::from(format!("{id}={}", secret.expose()));
        return step(client, at, &SignIn::Token { token }).await;
    }
    let name = &state.endpoint;
    let user = user(state, means, context)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let (password, typed) = match &means.password {
            Some(password) => (Secret::from(password.expose()), false),
            None => match context.ask.secret(&safe(&format!("Password of {user} at {name}"))) {
                Ok(text) if text.is_empty() => {
                    return Err(Failure::new(Exit::Credentials, "No password was typed.").into());
                }
                Ok(text) => (Secret::from(text.as_str()), true),
                Err(NoAnswer::NoTerminal) => return Err(not_signed_in(name).into()),
                Err(other) => return Err(Failure::from(other).into()),
            },
        };
        match step(client, at, &SignIn::Password { user: user.clone(), password }).await {
            Err(Stop::Failed(failure)) if failure.exit == Exit::Credentials && typed && tries < TRIES => {
                context
                    .ask
                    .tell("That was rejected: a wrong password, or the account is disabled or expired.");
            }
            outcome => return outcome,
        }
    }
}

/// The user with realm: given, or asked for with the realms there are.
fn user(state: &Onboarding, means: &Means, context: &mut Context<'_>) -> Result<String, Failure> {
    let realms: Vec<&str> = state.realms.iter().map(|r| r.name.as_str()).collect();
    let default = state.realms.iter().find(|r| r.default).map_or("pam", |r| r.name.as_str());
    let realm = |user: &str| user.rsplit_once('@').map(|(_, realm)| realm.to_owned());
    let known = |user: &str| match realm(user) {
        None => Err(format!("“{user}” has no realm")),
        Some(realm) if realms.is_empty() || realms.contains(&realm.as_str()) => Ok(()),
        Some(realm) => Err(format!("there is no realm “{realm}” there")),
    };
    let wrong = |why: String| {
        let failure =
            Failure::usage(format!("Cannot sign in at {}: {why}. No password was sent.", state.endpoint));
        match realms.is_empty() {
            true => failure.hint("A user has a name and a realm, as in root@pam."),
            false => failure.hint(format!("Its realms are {}: --user NAME@REALM.", realms.join(", "))),
        }
    };
    if let Some(user) = &means.user {
        return known(user).map(|()| user.clone()).map_err(wrong);
    }
    if !context.ask.present() {
        return Err(not_signed_in(&state.endpoint));
    }
    let described: Vec<String> = state
        .realms
        .iter()
        .map(|r| match &r.comment {
            Some(comment) => format!("{} ({comment})", r.name),
            None => r.name.clone(),
        })
        .collect();
    if !described.is_empty() {
        context.ask.tell(&safe(&format!("Realms of {}: {}", state.endpoint, described.join(", "))));
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let typed = context.ask.line("User", Some("root@pam"))?;
        let user = if typed.contains('@') { typed } else { format!("{typed}@{default}") };
        match known(&user) {
            Ok(()) => return Ok(user),
            Err(why) if tries < TRIES => context.ask.tell(&safe(&format!("{why}."))),
            Err(why) => return Err(wrong(why)),
        }
    }
}

/// A code as the server takes it.
pub(super) fn second_factor(code: pve::Secret) -> SecondFactor {
    let (text, kind) = match factor(code) {
        Factor::Recovery(code) => (code, "recovery"),
        Factor::Yubico(code) => (code, "yubico"),
        Factor::Totp(code) => (code, "totp"),
    };
    SecondFactor { code: Secret::from(text.expose()), kind: Some(kind.to_owned()) }
}

pub(super) async fn answer(
    client: &Client,
    at: &str,
    state: &Onboarding,
    means: &Means,
    context: &mut Context<'_>,
) -> Result<Onboarding, Stop> {
    let user = means.user.clone().unwrap_or_else(|| "the account".to_owned());
    let mut tries = 0;
    loop {
        tries += 1;
        let (text, typed) = code(&state.endpoint, &user, &state.factors, means, context.ask)?;
        match step(client, at, &second_factor(text)).await {
            Err(Stop::Failed(failure)) if failure.exit == Exit::Credentials && typed && tries < TRIES => {
                context.ask.tell(CODE_REJECTED);
            }
            Err(Stop::Failed(failure)) if failure.exit == Exit::Credentials => {
                return Err(code_rejected().about(&state.endpoint).into());
            }
            outcome => return outcome,
        }
    }
}
