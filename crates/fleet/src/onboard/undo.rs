//! Taking back what was made on a host, when something fails after it: [`Deeds`] and their [`Undone`].

use std::fmt;
use std::time::Instant;

use pve::call::access::{AclChange, AclSubject};
use pve::error::ServerClass;
use pve::{Client, Error, ErrorKind};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, watch};

use super::view::Timings;

/// Something that Muster made on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "thing", rename_all = "snake_case")]
pub enum Thing {
    /// A line of the access control list.
    Acl {
        /// The token it gives the role to.
        token: String,
        /// The role.
        role: String,
    },
    /// An API token.
    Token {
        /// `USER@REALM!NAME`.
        id: String,
    },
    /// A role.
    Role {
        /// Its name.
        name: String,
    },
}

impl Thing {
    /// What removes it, in a root shell on any node.
    #[must_use]
    pub fn command(&self) -> String {
        match self {
            Self::Acl { token, role } => {
                format!("pveum acl delete / --tokens {} --roles {}", quoted(token), quoted(role))
            }
            Self::Token { id } => {
                let (user, name) = id.rsplit_once('!').unwrap_or((id, ""));
                format!("pveum user token remove {} {}", quoted(user), quoted(name))
            }
            Self::Role { name } => format!("pveum role delete {}", quoted(name)),
        }
    }
}

/// A word that a shell takes as it stands.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acl { token, role } => write!(f, "the role {role} of {token} on /"),
            Self::Token { id } => write!(f, "the token {id}"),
            Self::Role { name } => write!(f, "the role {name}"),
        }
    }
}

/// Something that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// What.
    #[serde(flatten)]
    pub thing: Thing,
    /// Why not.
    pub why: String,
    /// What removes it, in a root shell on any node.
    pub command: String,
}

/// What became of the things that were made; of what is left, in the order in which it has to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Undone {
    /// What is gone again.
    pub removed: Vec<Thing>,
    /// Roles that stay, because something else uses them by now.
    pub kept: Vec<Thing>,
    /// What may still be there.
    pub left: Vec<Leftover>,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.left.is_empty() {
            return f.write_str("nothing is left of it on the host");
        }
        f.write_str("it may have left on the host: ")?;
        for (i, left) in self.left.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} ({})", left.thing, left.why)?;
        }
        Ok(())
    }
}

/// How sure it is that a thing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It was asked for; the answer has not come, or was lost. Since when.
    Asked(Instant),
    /// The host said so.
    Surely,
}

/// What was made on a host, or may have been. Each is noted before it is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Deeds {
    /// The role, with its privileges.
    pub(super) role: Option<(String, Vec<String>, Made)>,
    /// The token's user and name, the comment by which it is known as ours.
    pub(super) token: Option<(String, String, String, Made)>,
    /// The role that the token was given.
    pub(super) acl: Option<String>,
    /// All of it was made earlier: others may use the role by now.
    pub(super) old: bool,
}

/// How one try to remove a thing went.
enum Try {
    Gone,
    /// It is there for something else as well.
    Stays,
    /// What is there under that name is not ours.
    Foreign,
    /// It was not there; it may still appear.
    NotYet(Instant),
    /// It should be tried again.
    Failed(Error),
    /// It makes no sense to try again.
    Refused(Error),
    /// It may be in use by somebody else, which this account may not see.
    Unseen,
}

/// What an error of looking at or removing a thing comes to.
fn judged(error: Error, made: Made) -> Try {
    match error.kind() {
        ErrorKind::Server { class: ServerClass::NotFound, .. } => match made {
            Made::Surely => Try::Gone,
            Made::Asked(since) => Try::NotYet(since),
        },
        ErrorKind::PrivilegeMissing { .. }
        | ErrorKind::Parameters { .. }
        | ErrorKind::NotSupported { .. } => Try::Refused(error),
        _ => Try::Failed(error),
    }
}

/// A thing that waits to be removed.
struct Pending {
    thing: Thing,
    why: String,
    /// It was refused by itself, and may still go with something else.
    refused: bool,
}

impl Deeds {
    /// Whether there is nothing to take back.
    pub(super) fn is_empty(&self) -> bool {
        self.role.is_none() && self.token.is_none() && self.acl.is_none()
    }

    fn token_id(&self) -> String {
        self.token.as_ref().map(|(user, name, ..)| format!("{user}!{name}")).unwrap_or_default()
    }

    /// Every thing there is, in the order in which it is removed: the line while its token is still there, the token,
    /// the role that the line gave.
    fn things(&self) -> Vec<Thing> {
        let token = self.token_id();
        let acl = self.acl.iter().map(|role| Thing::Acl { token: token.clone(), role: role.clone() });
        let tokens = self.token.iter().map(|_| Thing::Token { id: token.clone() });
        let roles = self.role.iter().map(|(name, ..)| Thing::Role { name: name.clone() });
        acl.chain(tokens).chain(roles).collect()
    }

    /// All of it is left, for this reason.
    pub(super) fn left_alone(&self, why: &str) -> Undone {
        let left = |thing| match &thing {
            Thing::Role { .. } => {
                let why = format!("{why}; whether something else uses it was not looked at");
                leftover(thing, why)
            }
            _ => leftover(thing, why.to_owned()),
        };
        Undone { left: self.things().into_iter().map(left).collect(), ..Undone::default() }
    }

    /// Takes everything back, trying for as long as the timings allow.
    pub(super) async fn undo(self, client: Client, timings: Timings) -> Undone {
        let began = Instant::now();
        let patience = if self.old { timings.removal } else { timings.undo };
        let mut undone = Undone::default();
        let pending = |thing| Pending { thing, why: "it did not answer in time".to_owned(), refused: false };
        let mut pending: Vec<Pending> = self.things().into_iter().map(pending).collect();
        let mut tries = 0;
        let mut hopeless = None;
        while !pending.is_empty() && hopeless.is_none() {
            tries += 1;
            let mut still = Vec::new();
            for mut one in pending {
                if hopeless.is_some() {
                    still.push(one);
                    continue;
                }
                let remaining = patience.saturating_sub(began.elapsed());
                let outcome =
                    tokio::time::timeout(remaining, self.remove(&one.thing, &undone, &client)).await;
                match outcome {
                    Ok(Try::Gone) => undone.removed.push(one.thing),
                    Ok(Try::Stays) => undone.kept.push(one.thing),
                    // It was never made.
                    Ok(Try::Foreign) => {}
                    Ok(Try::NotYet(since)) if since.elapsed() >= timings.settle => {}
                    Ok(Try::NotYet(_)) => still.push(one),
                    Ok(Try::Failed(error)) => {
                        one.why = words(&error);
                        // A credential that is not accepted any more is not presented again and again.
                        if self.old && matches!(error.kind(), ErrorKind::CredentialsRejected { .. }) {
                            hopeless = Some(one.why.clone());
                        }
                        still.push(one);
                    }
                    // A line without its token is worth nothing, and goes with it.
                    Ok(Try::Refused(error)) if matches!(one.thing, Thing::Acl { .. }) => {
                        one.why = words(&error);
                        one.refused = true;
                        still.push(one);
                    }
                    Ok(Try::Refused(error)) => undone.left.push(leftover(one.thing, words(&error))),
                    Ok(Try::Unseen) => {
                        let why = format!(
                            "{} may not see whether something else uses it",
                            client.credential().authid()
                        );
                        undone.left.push(leftover(one.thing, why));
                    }
                    Err(_) => still.push(one),
                }
            }
            pending = still;
            // With a token that stays, its line stays as well; with one that went, it is gone.
            if !pending.iter().any(|one| matches!(one.thing, Thing::Token { .. })) {
                let went = undone.removed.iter().any(|thing| matches!(thing, Thing::Token { .. }));
                for one in pending.extract_if(.., |one| one.refused) {
                    match went {
                        true => undone.removed.push(one.thing),
                        false => undone.left.push(leftover(one.thing, one.why)),
                    }
                }
            }
            let pause = timings.undo_pause.wait(tries, 0.0);
            if began.elapsed() + pause >= patience {
                break;
            }
            if !pending.is_empty() && hopeless.is_none() {
                tokio::time::sleep(pause).await;
            }
        }
        let last = |one: Pending| leftover(one.thing, hopeless.clone().unwrap_or(one.why));
        undone.left.extend(pending.into_iter().map(last));
        let order = self.things();
        undone.left.sort_by_key(|left| order.iter().position(|thing| *thing == left.thing));
        for left in &undone.left {
            tracing::warn!(
                endpoint = client.endpoint(), thing = %left.thing, why = %left.why,
                "could not be removed from the host"
            );
        }
        undone
    }

    /// One try.
    async fn remove(&self, thing: &Thing, undone: &Undone, client: &Client) -> Try {
        match thing {
            Thing::Acl { token, role } => {
                if undone.removed.iter().any(|thing| matches!(thing, Thing::Token { .. })) {
                    return Try::Gone;
                }
                let change = AclChange {
                    path: "/".to_owned(),
                    role: role.clone(),
                    subject: AclSubject::Token(token.clone()),
                    propagate: None,
                    delete: true,
                };
                match client.acl_change(&change).await {
                    Ok(_) => Try::Gone,
                    Err(error) => judged(error, Made::Surely),
                }
            }
            Thing::Token { .. } => {
                let Some((user, name, comment, made)) = &self.token else { return Try::Gone };
                if let Made::Asked(_) = made {
                    match client.token(user, name).await {
                        Ok(found) if found.value.comment.as_deref() != Some(comment) => return Try::Foreign,
                        Ok(_) => {}
                        Err(error) => return judged(error, *made),
                    }
                }
                match client.token_delete(user, name).await {
                    Ok(_) => Try::Gone,
                    Err(error) => judged(error, Made::Surely),
                }
            }
            Thing::Role { name } => {
                let Some((_, privileges, made)) = &self.role else { return Try::Gone };
                self.remove_role(name, privileges, *made, client).await
            }
        }
    }

    async fn remove_role(&self, name: &str, privileges: &[String], made: Made, client: &Client) -> Try {
        match client.role(name).await {
            Ok(found) => {
                let held: Vec<&String> =
                    found.value.privileges.iter().filter(|(_, on)| **on).map(|(name, _)| name).collect();
                // Somebody gave it another meaning meanwhile.
                if held.len() != privileges.len() || !privileges.iter().all(|one| held.contains(&one)) {
                    return Try::Stays;
                }
            }
            Err(error) => return judged(error, made),
        }
        let own = self.token_id();
        // Whoever sees a part of the list only cannot tell that nobody else uses it.
        if self.old {
            match client.permissions().await {
                Ok(held) => {
                    let sees = |name: &str| held.value.holds("/access", name);
                    if !sees("Sys.Audit") && !sees("Permissions.Modify") {
                        return Try::Unseen;
                    }
                }
                Err(error) => return judged(error, Made::Surely),
            }
        }
        match client.acl().await {
            Ok(acl) => {
                let mut lines = acl.value.rows.iter().filter(|row| row.roleid.as_deref() == Some(name));
                if lines.any(|row| row.ugid.as_deref() != Some(own.as_str())) {
                    return Try::Stays;
                }
            }
            Err(error) => return judged(error, Made::Surely),
        }
        match client.role_delete(name).await {
            Ok(_) => Try::Gone,
            Err(error) => judged(error, Made::Surely),
        }
    }
}

/// Why a thing is still there, as such causes are said everywhere.
fn words(error: &Error) -> String {
    crate::errors::cause(error).sentence()
}

fn leftover(thing: Thing, why: String) -> Leftover {
    let command = thing.command();
    Leftover { thing, why, command }
}

/// Holds what was made on a host until it is wanted: dropped before that, it is taken back in the background.
#[derive(Debug)]
pub(super) struct Hold {
    held: Option<Held>,
    report: watch::Sender<Option<Undone>>,
}

#[derive(Debug)]
struct Held {
    deeds: Deeds,
    client: Client,
    timings: Timings,
    runtime: Handle,
    turn: OwnedMutexGuard<()>,
}

impl Hold {
    /// Nothing was made.
    pub(super) fn nothing(report: watch::Sender<Option<Undone>>) -> Self {
        Self { held: None, report }
    }

    /// Holds these, and whose turn it is to make things there. Called inside a runtime.
    pub(super) fn of(
        deeds: Deeds,
        client: Client,
        timings: Timings,
        report: watch::Sender<Option<Undone>>,
        turn: OwnedMutexGuard<()>,
    ) -> Self {
        Self { held: Some(Held { deeds, client, timings, runtime: Handle::current(), turn }), report }
    }

    /// What was made is wanted.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    /// Takes it back now. Should this future be dropped, it goes on in the background.
    pub(super) async fn undo(mut self) -> Undone {
        let mut told = self.report.subscribe();
        if !self.start() {
            return Undone::default();
        }
        let undone = told.wait_for(Option::is_some).await;
        undone.ok().and_then(|undone| undone.clone()).unwrap_or_default()
    }

    /// Begins to take it back, if there is anything.
    fn start(&mut self) -> bool {
        let Some(Held { deeds, client, timings, runtime, turn }) = self.held.take() else { return false };
        let report = self.report.clone();
        report.send_replace(None);
        runtime.spawn(async move {
            let undone = deeds.undo(client, timings).await;
            tracing::info!(
                removed = undone.removed.len(),
                left = undone.left.len(),
                "took back what was made"
            );
            drop(turn);
            report.send_replace(Some(undone));
        });
        true
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.start();
    }
}
