//! Signing in, asking for what the command line did not give: [`sign_in`].

use pve::Client;
use pve::auth::{Credential, Factor, TfaChallenge};
use pve::error::{Error, ErrorKind};
use pve::secret::Secret;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::Means;
use crate::term::ask::{Ask, NoAnswer};
use crate::term::text::safe;
use crate::trouble::failure_of_error;

/// How often a typed password or code may be wrong. Proxmox VE waits 3 s after each, and so does the person.
pub const TRIES: u32 = 3;

/// Told before a code is asked for again.
pub const CODE_REJECTED: &str = "That code was rejected. A code works once, and for half a minute.";

/// The code that was given, and could not be typed again, is wrong.
pub fn code_rejected() -> Failure {
    Failure::new(Exit::Credentials, "The code of the second factor was rejected; the password was right.")
        .hint("A code works once, and for half a minute: give a fresh one. The host's clock must be right, too.")
        .cause("credentials_rejected")
}

/// Makes a client for a credential; the endpoint and its trust are settled.
pub type Connect<'a> = &'a (dyn Fn(Credential) -> Client + Sync);

/// A credential whose first factor was accepted, the client that presented it, and what it still wants.
#[derive(Debug)]
pub struct Accepted {
    /// What was presented.
    pub credential: Credential,
    /// The client that presented it; signed in unless there is a challenge.
    pub client: Client,
    /// The second factor that is asked for.
    pub challenge: Option<TfaChallenge>,
}

/// Signs in at `name`, second factor and all. `lobby` is a client without a session, for the list of realms.
///
/// # Errors
/// Rejected, a second factor that cannot be asked for, no credential and nobody to ask, or anything that a call can
/// end with.
pub async fn sign_in(
    name: &str,
    lobby: &Client,
    connect: Connect<'_>,
    means: &Means,
    ask: &mut dyn Ask,
) -> Result<(Credential, Client), Failure> {
    let Accepted { credential, client, challenge } = first_factor(name, lobby, connect, means, ask).await?;
    if let Some(challenge) = challenge {
        second_factor(name, &client, &challenge, means, ask).await?;
    }
    Ok((credential, client))
}

/// Presents token or password, once; a typed password that is rejected may be typed again.
///
/// # Errors
/// As [`sign_in`], but that a second factor is wanted is none.
pub async fn first_factor(
    name: &str,
    lobby: &Client,
    connect: Connect<'_>,
    means: &Means,
    ask: &mut dyn Ask,
) -> Result<Accepted, Failure> {
    if let Some(token) = &means.token {
        let client = connect(token.clone());
        client.sign_in().await.map_err(|e| rejected(&e, name, true))?;
        return Ok(Accepted { credential: token.clone(), client, challenge: None });
    }
    let user = user(name, lobby, means, ask).await?;
    let mut tries = 0;
    loop {
        tries += 1;
        let (password, typed) = password(name, &user, means, ask)?;
        let credential = Credential::password(&user, password);
        let client = connect(credential.clone());
        match client.sign_in().await {
            Ok(_) => return Ok(Accepted { credential, client, challenge: None }),
            Err(error) => match error.kind() {
                ErrorKind::SecondFactorNeeded { challenge } => {
                    return Ok(Accepted { credential, client, challenge: Some(challenge.clone()) });
                }
                ErrorKind::CredentialsRejected { .. } if typed && tries < TRIES => {
                    ask.tell("That was rejected: a wrong password, or the account is disabled or expired.");
                }
                _ => return Err(rejected(&error, name, false)),
            },
        }
    }
}

fn not_signed_in(name: &str) -> Failure {
    Failure::new(Exit::Credentials, format!("Not signed in at {name}: no credential was given.")).hint(
        "Give --token-file FILE, or --user USER@REALM with --password-file FILE; or run it in a terminal to be asked.",
    )
}

/// The user with realm: given, or asked for with the realms there are. A realm that the host does not have is said
/// before any password is asked for.
async fn user(name: &str, lobby: &Client, means: &Means, ask: &mut dyn Ask) -> Result<String, Failure> {
    if means.user.is_none() && !ask.present() {
        return Err(not_signed_in(name));
    }
    let answer = lobby.domains().await;
    let given = means.user.as_deref();
    let realms = match (answer, given.filter(|user| has_realm(user))) {
        (Ok(answer), _) => answer.value.rows,
        // The list is a help, no condition: the sign-in will tell.
        (Err(_), Some(user)) => return Ok(user.to_owned()),
        (Err(e), None) => return Err(failure_of_error(&e)),
    };
    let names: Vec<&str> = realms.iter().map(|r| r.realm.as_str()).collect();
    if let Some(user) = given {
        return known(user, &names).map(|()| user.to_owned()).map_err(|e| realm_failure(name, &e, &names));
    }
    let default = realms.iter().find(|r| r.default == Some(true)).map_or("pam", |r| r.realm.as_str());
    let described: Vec<String> = realms
        .iter()
        .map(|r| match &r.comment {
            Some(comment) => format!("{} ({})", safe(&r.realm), safe(comment)),
            None => safe(&r.realm),
        })
        .collect();
    if !described.is_empty() {
        ask.tell(&format!("Realms of {}: {}", safe(name), described.join(", ")));
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let typed = match ask.line("User", Some("root@pam")) {
            Err(NoAnswer::NoTerminal) => return Err(not_signed_in(name)),
            answer => answer?,
        };
        let whole = has_realm(&typed);
        let user = if whole { typed } else { format!("{typed}@{default}") };
        match known(&user, &names) {
            Ok(()) => {
                if !whole {
                    ask.tell(&format!("Signing in as {}.", safe(&user)));
                }
                return Ok(user);
            }
            Err(wrong) if tries < TRIES => ask.tell(&safe(&format!("{wrong}."))),
            Err(wrong) => return Err(realm_failure(name, &wrong, &names)),
        }
    }
}

/// Is the user's realm one of these? All are, when the host tells none.
fn known(user: &str, realms: &[&str]) -> Result<(), String> {
    match user.rsplit_once('@').filter(|_| has_realm(user)) {
        None => Err(format!("“{user}” has no realm")),
        Some((_, realm)) if realms.is_empty() || realms.contains(&realm) => Ok(()),
        Some((_, realm)) => Err(format!("there is no realm “{realm}” there")),
    }
}

fn realm_failure(name: &str, wrong: &str, realms: &[&str]) -> Failure {
    let failure = Failure::usage(format!("Cannot sign in at {name}: {wrong}. No password was sent."));
    match realms {
        [] => failure.hint("A user has a name and a realm, as in root@pam."),
        realms => failure.hint(format!("Its realms are {}: --user NAME@REALM.", realms.join(", "))),
    }
}

fn has_realm(user: &str) -> bool {
    user.rsplit_once('@').is_some_and(|(name, realm)| !name.is_empty() && !realm.is_empty())
}

/// The password, and whether it was typed just now.
fn password(name: &str, user: &str, means: &Means, ask: &mut dyn Ask) -> Result<(Secret, bool), Failure> {
    if let Some(password) = &means.password {
        return Ok((password.clone(), false));
    }
    match ask.secret(&format!("Password of {user} at {name}")) {
        Ok(text) if text.is_empty() => Err(Failure::new(Exit::Credentials, "No password was typed.")),
        Ok(text) => Ok((Secret::new(text.as_str()), true)),
        Err(NoAnswer::NoTerminal) => Err(not_signed_in(name)),
        Err(other) => Err(other.into()),
    }
}

/// The code that answers a second factor of these kinds: the given one, or one that is asked for. With it, whether
/// another could be asked for if this one is rejected.
///
/// # Errors
/// It cannot be asked for, or none of the kinds works without a browser.
pub fn code(
    name: &str,
    user: &str,
    kinds: &[String],
    means: &Means,
    ask: &mut dyn Ask,
) -> Result<(Secret, bool), Failure> {
    let spelt = kinds.join(" or ");
    let usable = |kind: &String| matches!(kind.as_str(), "totp" | "recovery" | "yubico");
    if !kinds.is_empty() && !kinds.iter().any(usable) {
        return Err(Failure::new(
            Exit::SecondFactor,
            format!("{name} wants a second factor ({spelt}) that only works in a browser."),
        )
        .hint("Add a TOTP or recovery key to the account, or use an API token: --token-file FILE."));
    }
    if let Some(code) = &means.otp {
        return Ok((code.clone(), false));
    }
    match ask.secret(&format!("Second factor of {user} at {name} ({spelt})")) {
        Ok(code) => Ok((Secret::new(code.trim()), true)),
        Err(NoAnswer::NoTerminal) => Err(Failure::new(
            Exit::SecondFactor,
            format!("A second factor ({spelt}) is needed to sign in at {name}, and there is nobody to ask."),
        )
        .hint("Give it with --otp-file FILE or --otp-fd N, or use an API token: --token-file FILE.")),
        Err(other) => Err(other.into()),
    }
}

async fn second_factor(
    name: &str,
    client: &Client,
    challenge: &TfaChallenge,
    means: &Means,
    ask: &mut dyn Ask,
) -> Result<(), Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (code, again) = code(name, challenge.user(), challenge.kinds(), means, ask)?;
        match client.answer_second_factor(challenge, &factor(code)).await {
            Ok(_) => return Ok(()),
            Err(e) if again && tries < TRIES && matches!(e.kind(), ErrorKind::CredentialsRejected { .. }) => {
                ask.tell(CODE_REJECTED);
            }
            Err(e) if matches!(e.kind(), ErrorKind::CredentialsRejected { .. }) => {
                return Err(code_rejected().about(name));
            }
            Err(e) => return Err(rejected(&e, name, false)),
        }
    }
}

/// What kind of factor a code is, by its looks.
pub fn factor(code: Secret) -> Factor {
    Factor::by_looks(code)
}

/// A failed sign-in, with a hint that fits what was presented.
fn rejected(error: &Error, name: &str, token: bool) -> Failure {
    let failure = failure_of_error(error);
    if !matches!(error.kind(), ErrorKind::CredentialsRejected { .. }) {
        return failure;
    }
    failure.hint(if token {
        format!("On {name}, look under Datacenter → Permissions → API Tokens: is the token there, not expired, and spelt like that?")
    } else {
        "Proxmox VE has one answer for a wrong password, a wrong code, and a disabled or expired account.".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_realm_or_not() {
        assert!(has_realm("root@pam"));
        assert!(has_realm("a@b.example@ldap"));
        assert!(!has_realm("root") && !has_realm("root@") && !has_realm("@pam"));
    }
}
