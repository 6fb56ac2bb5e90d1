//! Making a token for Muster, and proving that it works: [`mint`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use pve::call::access::{AclChange, AclSubject, TokenOptions};
use pve::error::ServerClass;
use pve::reply::Permissions;
use pve::{Client, Credential, Endpoint, Error, ErrorKind, Secret, SystemStore};
use tokio::sync::{Mutex, oneshot, watch};

use super::OnboardError;
use super::look::role_for;
use super::rights::{self, Major, Rights};
use super::undo::{Deeds, Hold, Made, Undone};
use super::view::{MintedToken, RoleFacts, Timings};

/// How many names are tried: the name itself, then with `-2`, `-3`…
pub(super) const NAMES: u32 = 99;

/// The n-th name.
pub(super) fn numbered(base: &str, n: u32) -> String {
    if n <= 1 { base.to_owned() } else { format!("{base}-{n}") }
}

/// What is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) rights: Rights,
    pub(super) major: Major,
    pub(super) token_name: String,
    pub(super) ends: Option<Timestamp>,
    pub(super) at: Timestamp,
    /// What the user held when it was looked at.
    pub(super) held: Permissions,
    /// Where the token will be used, and what will be believed there.
    pub(super) endpoint: Endpoint,
    pub(super) store: SystemStore,
}

/// A token that was made and has proved itself.
#[derive(Debug)]
pub(super) struct Minted {
    pub(super) token: MintedToken,
    pub(super) credential: Credential,
    pub(super) hold: Hold,
}

/// Makes the token.
///
/// The work is a task of its own, so that no request is ever given up half-way: should the caller go away, it stops
/// after the request under way and takes everything back.
pub(super) async fn mint(
    client: Client,
    wanted: Wanted,
    timings: Timings,
    report: watch::Sender<Option<Undone>>,
    turn: Arc<Mutex<()>>,
) -> Result<Minted, OnboardError> {
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        // What an earlier try has made may still be on its way out: neither may be taken for the other's.
        let turn = turn.lock_owned().await;
        let mut work = Work { client, wanted, deeds: Deeds::default(), answer };
        let outcome = work.all().await;
        let Work { client, deeds, answer, .. } = work;
        let hold = if deeds.is_empty() {
            Hold::nothing(report)
        } else {
            Hold::of(deeds, client, timings, report, turn)
        };
        let outcome = match outcome {
            Ok((token, credential)) => Ok(Minted { token, credential, hold }),
            Err(source) => {
                let undone = hold.undo().await;
                Err(if undone == Undone::default() {
                    source
                } else {
                    OnboardError::Undone { source: Box::new(source), undone }
                })
            }
        };
        // When nobody waits for it any more, it is dropped here, and what it holds taken back.
        drop(answer.send(outcome));
    });
    answered.await.unwrap_or(Err(OnboardError::Lost))
}

/// The work under way.
struct Work {
    client: Client,
    wanted: Wanted,
    deeds: Deeds,
    answer: oneshot::Sender<Result<Minted, OnboardError>>,
}

impl Work {
    async fn all(&mut self) -> Result<(MintedToken, Credential), OnboardError> {
        self.wanted_still()?;
        let role = self.role().await?;
        self.wanted_still()?;
        let (id, secret) = self.token().await?;
        self.wanted_still()?;
        if let Some(role) = &role {
            self.give(&id, role).await?;
            self.wanted_still()?;
        }
        let credential = Credential::token(id.clone(), secret);
        self.prove(&id, role.as_ref(), &credential).await?;
        let Wanted { rights, at, ends, .. } = self.wanted;
        Ok((MintedToken { id, rights, role, created: at, ends }, credential))
    }

    /// Ends the work when nobody waits for it any more.
    fn wanted_still(&self) -> Result<(), OnboardError> {
        if self.answer.is_closed() { Err(OnboardError::Lost) } else { Ok(()) }
    }

    /// The role: one that is there and fits, or a new one.
    async fn role(&mut self) -> Result<Option<RoleFacts>, OnboardError> {
        let Wanted { rights, major, .. } = self.wanted;
        let Some(base) = rights::role(rights) else { return Ok(None) };
        let failed = OnboardError::failed("making the role");
        let mut tries = 0;
        loop {
            tries += 1;
            let roles = self.client.roles().await.map_err(&failed)?.value.rows;
            let Some(role) = role_for(rights, major, &roles) else {
                return Err(OnboardError::NoFreeName { name: base.to_owned() });
            };
            if !role.made {
                return Ok(Some(role));
            }
            self.wanted_still()?;
            let privileges = rights::privileges(rights, major);
            self.deeds.role = Some((role.name.clone(), role.privileges.clone(), Made::Asked(Instant::now())));
            match self.client.role_create(&role.name, &privileges).await {
                Ok(_) => {
                    if let Some((_, _, made)) = &mut self.deeds.role {
                        *made = Made::Surely;
                    }
                    return Ok(Some(role));
                }
                Err(error) => {
                    if surely_not_done(&error) {
                        self.deeds.role = None;
                    }
                    // Somebody made one of that name in between: look again.
                    if !(is_taken(&error) && tries < 3) {
                        return Err(failed(error));
                    }
                }
            }
        }
    }

    /// The token, under the first name that is free.
    async fn token(&mut self) -> Result<(String, Secret), OnboardError> {
        let failed = OnboardError::failed("making the token");
        let user = self.client.credential().user().to_owned();
        let rows = self.client.tokens(&user).await.map_err(&failed)?.value;
        let taken: Vec<&str> = rows.rows.iter().map(|row| row.tokenid.as_str()).collect();
        let base = self.wanted.token_name.clone();
        self.wanted_still()?;
        let free = (1..=NAMES).map(|n| numbered(&base, n)).filter(|name| !taken.contains(&name.as_str()));
        for name in free {
            let comment = format!("Muster, {}, {:08x}", self.wanted.at, rand::random::<u32>());
            let options = TokenOptions {
                comment: Some(comment.clone()),
                expire: self.wanted.ends.map(|at| at.as_second()),
                privsep: Some(self.wanted.rights != Rights::SameAsUser),
            };
            self.deeds.token = Some((user.clone(), name.clone(), comment, Made::Asked(Instant::now())));
            match self.client.token_create(&user, &name, &options).await {
                Ok(answer) => {
                    if let Some((.., made)) = &mut self.deeds.token {
                        *made = Made::Surely;
                    }
                    let id = answer.value.full_tokenid.unwrap_or_else(|| format!("{user}!{name}"));
                    let secret = answer.value.value.filter(|secret| !secret.is_empty());
                    let secret = secret.ok_or_else(|| OnboardError::Unproven {
                        token: id.clone(),
                        how: "the answer holds no secret".to_owned(),
                    })?;
                    return Ok((id, secret));
                }
                Err(error) => {
                    if surely_not_done(&error) {
                        self.deeds.token = None;
                    }
                    if !is_taken(&error) {
                        return Err(failed(error));
                    }
                }
            }
            self.wanted_still()?;
        }
        Err(OnboardError::NoFreeName { name: base })
    }

    /// Gives the token its role on `/`, and all below.
    async fn give(&mut self, token: &str, role: &RoleFacts) -> Result<(), OnboardError> {
        self.deeds.acl = Some(role.name.clone());
        let change = AclChange {
            path: "/".to_owned(),
            role: role.name.clone(),
            subject: AclSubject::Token(token.to_owned()),
            propagate: Some(true),
            delete: false,
        };
        let given = self.client.acl_change(&change).await;
        given.map(|_| ()).map_err(OnboardError::failed("giving the token its role"))
    }

    /// A request with the token alone succeeds, and the token may do what was wanted, no less and no more.
    async fn prove(
        &self,
        token: &str,
        role: Option<&RoleFacts>,
        credential: &Credential,
    ) -> Result<(), OnboardError> {
        let failed = OnboardError::failed("trying the new token");
        let Wanted { endpoint, store, held, .. } = &self.wanted;
        let timings = self.client.timings().clone();
        let own = Client::with_store(endpoint.clone(), credential.clone(), timings, store.clone());
        own.version().await.map_err(&failed)?;
        let has = own.permissions().await.map_err(&failed)?.value;
        let differs = match role {
            Some(role) => differs_from_role(&has, role),
            None => differs_from_user(&has, held),
        };
        match differs {
            None => Ok(()),
            Some(how) => Err(OnboardError::Unproven { token: token.to_owned(), how }),
        }
    }
}

/// What the token lacks of its role on `/`, or holds beyond it anywhere.
fn differs_from_role(has: &Permissions, role: &RoleFacts) -> Option<String> {
    let empty = BTreeMap::new();
    let root = has.paths.get("/").unwrap_or(&empty);
    let lacking: Vec<&str> =
        role.privileges.iter().filter(|name| root.get(*name) != Some(&true)).map(String::as_str).collect();
    if !lacking.is_empty() {
        return Some(format!("it lacks {} on /", lacking.join(", ")));
    }
    has.paths.iter().find_map(|(path, held)| {
        let more: Vec<&str> =
            held.keys().filter(|name| !role.privileges.contains(name)).map(String::as_str).collect();
        (!more.is_empty()).then(|| format!("it also holds {} on {path}", more.join(", ")))
    })
}

/// What the token lacks of what its user holds.
fn differs_from_user(has: &Permissions, held: &Permissions) -> Option<String> {
    held.paths.iter().find_map(|(path, privileges)| {
        let lacks = |name: &&String| !has.paths.get(path).is_some_and(|here| here.contains_key(*name));
        let lacking: Vec<&str> = privileges.keys().filter(lacks).map(String::as_str).collect();
        (!lacking.is_empty())
            .then(|| format!("it lacks {} on {path}, which its user holds", lacking.join(", ")))
    })
}

/// Is the name taken? Of tokens that is a 400 about `tokenid`, of roles a 500.
fn is_taken(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Server { class: ServerClass::Exists, .. } => true,
        ErrorKind::Parameters { errors, .. } => {
            errors.get("tokenid").is_some_and(|text| text.to_lowercase().contains("exists"))
        }
        _ => false,
    }
}

/// Whether what was asked for was surely not done: not a byte of it left, or it was refused before it began. After any
/// other failure it is looked for.
fn surely_not_done(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Parameters { .. }
        | ErrorKind::PrivilegeMissing { .. }
        | ErrorKind::NotSupported { .. }
        | ErrorKind::CredentialsRejected { .. }
        | ErrorKind::Server { class: ServerClass::Exists, .. } => true,
        _ => error.request_sent() == pve::Sent::No,
    }
}
