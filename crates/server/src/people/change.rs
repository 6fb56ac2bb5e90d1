//! What may be changed about people: each change is decided, committed, then seen.

use api::Secret;
use api::session::SessionRow;
use jiff::Timestamp;
use model::access::Grants;
use model::{Now, RemoteId};
use store::{UserRecord, Write};

use super::book::{
    Book, Session, SessionMore, Token, TokenMore, User, UserMore, grant_records, in_order, sha256,
};
use super::factor::{Proof, SECOND_FACTOR, factor_secrets_gone, proved};
use super::setup::hex;
use super::{By, People, random, random_bytes};
use crate::caller::{Caller, Via};
use crate::peer::Whence;
use crate::problem::Problem;

/// A session that was just begun.
#[derive(Debug)]
pub(crate) struct NewSession {
    pub(crate) secret: zeroize::Zeroizing<String>,
    pub(crate) caller: Caller,
    pub(crate) ends: Timestamp,
}

/// Whether a user may be called that.
pub(super) fn name_is_fit(name: &str) -> Result<(), Problem> {
    let fits = !name.is_empty()
        && name.chars().count() <= 64
        && name.chars().all(|c| c.is_alphanumeric() || "-_.@+".contains(c));
    if fits {
        return Ok(());
    }
    Err(Problem::invalid("A user's name has 1 to 64 letters, digits and signs of “-_.@+”."))
}

/// How much of what a browser says of itself is kept.
const AGENT_KEPT: usize = 200;

impl People {
    // --- sessions ---

    /// Signs somebody in with a password, and where a second factor is on with a code of it. A user there is not takes as
    /// long as a wrong password.
    pub(crate) async fn sign_in(
        &self,
        user: &str,
        password: &Secret,
        code: Option<&Secret>,
        agent: Option<&str>,
        whence: &Whence,
        now: Now,
    ) -> Result<NewSession, Problem> {
        let attempt = self.try_once(whence.address, user, now.mono)?;
        let known = self.book().users.get(user).and_then(|user| user.hash.clone());
        let same = self.hasher.check(known.clone(), password).await?;
        let hash = known.filter(|_| same).ok_or_else(wrong_password)?;
        let begun = self.enter(user, hash, code, agent, whence, now).await;
        // That a code is needed is no failure of whoever had not been told, and what is wrong here is nobody's.
        let failed = |problem: &Problem| code.is_some() && !problem.status().is_server_error();
        if !begun.as_ref().is_err_and(failed) {
            attempt.succeeded();
        }
        begun
    }

    /// Begins a session for somebody whose password was right, if the code is.
    async fn enter(
        &self,
        user: &str,
        hash: String,
        code: Option<&Secret>,
        agent: Option<&str>,
        whence: &Whence,
        now: Now,
    ) -> Result<NewSession, Problem> {
        let mut proof = Proof { hash, second: self.second(user, code, now).await? };
        match self.begin(user, &proof, agent, whence, now.wall).await {
            // It was turned on by another process, of which this one has heard only by beginning.
            Err(problem) if problem.code() == SECOND_FACTOR && code.is_some() => {
                proof.second = self.second(user, code, now).await?;
                self.begin(user, &proof, agent, whence, now.wall).await
            }
            begun => begun,
        }
    }

    /// Begins a session for somebody who has proved who they are. It must hold still: comparing takes a while, in
    /// which password or second factor may have been changed, also by another process.
    pub(crate) async fn begin(
        &self,
        user: &str,
        proof: &Proof,
        agent: Option<&str>,
        whence: &Whence,
        now: Timestamp,
    ) -> Result<NewSession, Problem> {
        let _one = self.changes.lock().await;
        let secret = random::<32>()?;
        let hash = sha256(&secret);
        let more = SessionMore {
            from: Some(whence.text()),
            agent: agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(AGENT_KEPT).collect()),
        };
        let session = Session { id: new_id()?, user: user.to_owned(), created: now, seen: now, more };
        let (user, factor, over) = self
            .decide_by(By::One(user), |book| {
                let known = book.users.get(user).cloned();
                let mut user = known
                    .filter(|user| user.hash.as_ref() == Some(&proof.hash))
                    .ok_or_else(wrong_password)?;
                let known = book.factors.get(&user.name);
                let factor = proof.uses(known)?;
                user.more.last_sign_in = Some(now);
                let over = self.over(book, &user.name, now);
                let mut batch: Vec<_> = over.iter().map(|id| Write::SessionGone { id: id.clone() }).collect();
                batch.push(Write::Session(session.record(hash, &self.sessions)));
                // Whatever else another process has changed, this must still be as it was decided by.
                batch.push(match known.zip(factor.as_ref()) {
                    None => Write::FactorAbsent { user: user.name.clone() },
                    Some((known, factor)) => {
                        let store::FactorRecord { step, body, .. } = factor.record(&user.name);
                        Write::FactorUsed { was: known.record(&user.name), step, body }
                    }
                });
                let UserRecord { name, body, .. } = user.record(now);
                batch.push(Write::SignedIn { name, checked: proof.hash.clone(), at: now, body });
                Ok((batch, (user, factor, over)))
            })
            .await?;
        let caller = Caller {
            name: user.name.clone(),
            from: whence.text(),
            via: Via::Session { id: session.id.clone() },
            grants: user.grants.clone(),
        };
        let ends = session.ends(&self.sessions);
        self.turn(|book| {
            book.sessions.retain(|session| session.ends(&self.sessions) > now && !over.contains(&session.id));
            book.sessions.insert(hash, session);
            book.factors.extend(factor.map(|factor| (user.name.clone(), factor)));
            book.users.insert(user.name.clone(), user);
        });
        Ok(NewSession { secret, caller, ends })
    }

    /// The sessions of a user that end when one more begins: those that were not used for longest.
    fn over(&self, book: &Book, user: &str, now: Timestamp) -> Vec<String> {
        let own = book.sessions.values().filter(|one| one.user == user && one.ends(&self.sessions) > now);
        let mut own: Vec<_> = own.map(|one| (one.seen, one.created, &one.id)).collect();
        own.sort_unstable();
        let over = (own.len() + 1).saturating_sub(self.most_sessions);
        own.into_iter().take(over).map(|(_, _, id)| id.clone()).collect()
    }

    /// When the caller's session ends if nothing more is asked.
    pub(crate) fn session_ends(&self, caller: &Caller) -> Option<Timestamp> {
        let Via::Session { id } = &caller.via else { return None };
        let book = self.book();
        book.sessions.called(id).map(|session| session.ends(&self.sessions))
    }

    /// The sessions of a user, or of all.
    pub(crate) fn sessions_of(
        &self,
        user: Option<&str>,
        current: &Caller,
        now: Timestamp,
    ) -> Vec<SessionRow> {
        let book = self.book();
        let mut rows: Vec<_> = book
            .sessions
            .values()
            .filter(|session| user.is_none_or(|user| session.user == user))
            .filter(|session| session.ends(&self.sessions) > now)
            .map(|session| SessionRow {
                id: session.id.clone(),
                name: session.user.clone(),
                from: session.more.from.clone(),
                agent: session.more.agent.clone(),
                created: session.created,
                last_used: Some(session.seen),
                expires: Some(session.ends(&self.sessions)),
                current: current.via == Via::Session { id: session.id.clone() },
            })
            .collect();
        rows.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        rows
    }

    /// Whose session it is.
    pub(crate) fn session_owner(&self, id: &str) -> Option<String> {
        self.book().sessions.called(id).map(|session| session.user.clone())
    }

    /// Whether the caller is an API token that may less than its owner.
    pub(crate) fn is_narrowed(&self, caller: &Caller) -> bool {
        let Via::Token { id, .. } = &caller.via else { return false };
        let book = self.book();
        let known = book.tokens.get(id).and_then(|token| Some((token, book.users.get(&token.user)?)));
        known.is_none_or(|(token, owner)| !token.grants(owner).contain(&owner.grants))
    }

    /// Ends a session.
    pub(crate) async fn end_session(&self, id: &str) -> Result<(), Problem> {
        let _one = self.changes.lock().await;
        self.write(vec![Write::SessionGone { id: id.to_owned() }]).await?;
        self.turn(|book| book.sessions.retain(|session| session.id != id));
        Ok(())
    }

    /// Ends all sessions of a user, except the one that asks if it is one.
    pub(crate) async fn end_others(&self, user: &str, caller: &Caller) -> Result<(), Problem> {
        let stays = caller.session();
        let _one = self.changes.lock().await;
        self.write(vec![sessions_gone(user, stays)]).await?;
        self.turn(|book| book.end_sessions(user, stays));
        Ok(())
    }

    // --- users ---

    /// All users.
    pub(crate) fn users(&self, now: Timestamp) -> Vec<api::user::User> {
        let book = self.book();
        book.users.values().map(|user| shown(&book, user, &self.sessions, now)).collect()
    }

    /// One user.
    pub(crate) fn user(&self, name: &str, now: Timestamp) -> Option<api::user::User> {
        let book = self.book();
        book.users.get(name).map(|user| shown(&book, user, &self.sessions, now))
    }

    /// Adds a user.
    pub(crate) async fn add_user(
        &self,
        name: &str,
        password: &Secret,
        grants: Grants,
        now: Timestamp,
    ) -> Result<(), Problem> {
        name_is_fit(name)?;
        let hash = self.hasher.make(password).await?;
        let _one = self.changes.lock().await;
        let user = User {
            name: name.to_owned(),
            hash: Some(hash),
            created: now,
            grants: in_order(grants),
            more: UserMore { password_set: Some(now), last_sign_in: None },
        };
        self.decide(|book| {
            if book.users.contains_key(name) {
                return Err(Problem::conflict("name_taken", "There is a user of that name already."));
            }
            let mut batch = vec![
                Write::User(user.record(now)),
                Write::Grants { user: user.name.clone(), grants: grant_records(&user.grants) },
            ];
            if user.is_administrator() {
                Self::no_more_setup(&mut batch);
            }
            Ok((batch, ()))
        })
        .await?;
        self.turn(|book| {
            book.users.insert(user.name.clone(), user);
        });
        Ok(())
    }

    /// Removes a user with their sessions and tokens. The last administrator stays.
    pub(crate) async fn remove_user(&self, name: &str) -> Result<(), Problem> {
        let _one = self.changes.lock().await;
        self.decide(|book| {
            governed_without(book, name)?;
            let mut batch = vec![Write::UserGone { name: name.to_owned() }];
            batch.extend(factor_secrets_gone(name));
            Ok((batch, ()))
        })
        .await?;
        self.turn(|book| book.forget(name));
        Ok(())
    }

    /// Sets a user's password; all their sessions end. `old` must be right where it is asked for.
    pub(crate) async fn set_password(
        &self,
        name: &str,
        old: Option<&Secret>,
        new: &Secret,
        whence: &Whence,
        now: Now,
    ) -> Result<(), Problem> {
        let proof = match old {
            Some(old) => Some(self.prove(name, old, whence.address, now).await?),
            None => None,
        };
        let hash = self.hasher.make(new).await?;
        let _one = self.changes.lock().await;
        let user = self
            .decide(|book| {
                let mut user = match &proof {
                    Some(hash) => proved(book, name, hash)?.clone(),
                    None => book.users.get(name).cloned().ok_or_else(|| Problem::not_found("user"))?,
                };
                user.hash = Some(hash.clone());
                user.more.password_set = Some(now.wall);
                let batch = vec![Write::User(user.record(now.wall)), sessions_gone(name, None)];
                Ok((batch, user))
            })
            .await?;
        self.turn(|book| {
            book.end_sessions(name, None);
            book.users.insert(user.name.clone(), user);
        });
        Ok(())
    }

    /// Replaces a user's grants. The last administrator stays one.
    pub(crate) async fn set_grants(&self, name: &str, grants: Grants) -> Result<(), Problem> {
        let grants = in_order(grants);
        let _one = self.changes.lock().await;
        self.decide(|book| {
            if !book.users.contains_key(name) {
                return Err(Problem::not_found("user"));
            }
            if !grants.is_administrator() {
                governed_without(book, name)?;
            }
            Ok((vec![Write::Grants { user: name.to_owned(), grants: grant_records(&grants) }], ()))
        })
        .await?;
        self.turn(|book| {
            if let Some(user) = book.users.get_mut(name) {
                user.grants = grants;
            }
        });
        Ok(())
    }

    /// A remote is gone: what was granted on it alone is, too (the store has seen to its own rows).
    pub fn remote_gone(&self, remote: RemoteId) {
        let gone = model::access::Scope::Remote(remote);
        self.turn(|book| {
            for user in book.users.values_mut() {
                user.grants.0.retain(|grant| grant.scope != gone);
            }
        });
    }

    // --- tokens ---

    /// The tokens of a user, or of all.
    pub(crate) fn tokens_of(&self, user: Option<&str>) -> Vec<api::token::Token> {
        let book = self.book();
        let mut rows: Vec<_> = book
            .tokens
            .values()
            .filter(|token| user.is_none_or(|user| token.user == user))
            .filter_map(|token| Some(shown_token(token, book.users.get(&token.user)?)))
            .collect();
        rows.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        rows
    }

    /// Makes a token for a user. What it may is bounded by what they may, now and later.
    pub(crate) async fn add_token(
        &self,
        user: &str,
        name: &str,
        grants: Option<Grants>,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<api::token::NewToken, Problem> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(Problem::invalid("A token needs a name of 1 to 64 letters."));
        }
        if expires.is_some_and(|expires| expires <= now) {
            return Err(Problem::invalid("The token would have ended already."));
        }
        let _one = self.changes.lock().await;
        let secret = random::<32>()?;
        let token = Token {
            id: new_id()?,
            hash: sha256(&secret),
            user: user.to_owned(),
            name: name.to_owned(),
            created: now,
            expires,
            seen: None,
            more: TokenMore { grants },
        };
        let owner = self
            .decide(|book| {
                let owner = book.users.get(user).cloned().ok_or_else(|| Problem::not_found("user"))?;
                self.may_have_token(book, &owner, token.more.grants.as_ref())?;
                Ok((vec![Write::Token(token.record())], owner))
            })
            .await?;
        let text = zeroize::Zeroizing::new(format!("mst_{}_{}", token.id, secret.as_str()));
        let new =
            api::token::NewToken { token: shown_token(&token, &owner), secret: Secret::from(text.as_str()) };
        self.turn(|book| {
            book.tokens.insert(token.id.clone(), token);
        });
        Ok(new)
    }

    fn may_have_token(&self, book: &Book, owner: &User, grants: Option<&Grants>) -> Result<(), Problem> {
        if grants.is_some_and(|grants| !owner.grants.contain(grants)) {
            return Err(Problem::new(
                http::StatusCode::FORBIDDEN,
                "wider_than_owner",
                "A token cannot be allowed more than its owner is.",
            ));
        }
        if book.tokens.values().filter(|token| token.user == owner.name).count() >= self.most_tokens {
            return Err(Problem::conflict(
                "too_many_tokens",
                format!("A user has at most {} API tokens.", self.most_tokens),
            )
            .remedy(
                "End those that are not needed any more; one that has expired counts until it is ended.",
            ));
        }
        Ok(())
    }

    /// Whose token it is.
    pub(crate) fn token_owner(&self, id: &str) -> Option<String> {
        self.book().tokens.get(id).map(|token| token.user.clone())
    }

    /// Ends a token.
    pub(crate) async fn end_token(&self, id: &str) -> Result<(), Problem> {
        let _one = self.changes.lock().await;
        self.write(vec![Write::TokenGone { id: id.to_owned() }]).await?;
        self.turn(|book| {
            book.tokens.remove(id);
        });
        Ok(())
    }
}

/// The id of a session or a token. Digits and letters: on a command line none may look like an option, and in a token's
/// text it ends at the first `_`.
fn new_id() -> Result<String, Problem> {
    Ok(hex(random_bytes::<9>()?.as_ref()))
}

/// All sessions of a user end but one.
pub(super) fn sessions_gone(user: &str, except: Option<&str>) -> Write {
    Write::SessionsGone { user: user.to_owned(), except: except.map(str::to_owned) }
}

fn governed_without(book: &Book, name: &str) -> Result<(), Problem> {
    let user = book.users.get(name).ok_or_else(|| Problem::not_found("user"))?;
    if user.is_administrator() && !book.governed_without(name) {
        return Err(Problem::conflict(
            "last_administrator",
            "This is the last administrator; somebody has to govern.",
        )
        .remedy("Make another user administrator first."));
    }
    Ok(())
}

fn wrong_password() -> Problem {
    Problem::new(http::StatusCode::UNAUTHORIZED, "wrong_password", "User or password is not right.")
}

fn shown(book: &Book, user: &User, rule: &crate::settings::Sessions, now: Timestamp) -> api::user::User {
    api::user::User {
        id: user.name.clone(),
        name: user.name.clone(),
        grants: user.grants.clone(),
        created: user.created,
        password_set: user.more.password_set,
        last_sign_in: user.more.last_sign_in,
        sessions: book
            .sessions
            .values()
            .filter(|session| session.user == user.name && session.ends(rule) > now)
            .count(),
        tokens: book.tokens.values().filter(|token| token.user == user.name).count(),
        totp: book.factors.contains_key(&user.name),
    }
}

fn shown_token(token: &Token, owner: &User) -> api::token::Token {
    api::token::Token {
        id: token.id.clone(),
        name: token.name.clone(),
        user: token.user.clone(),
        grants: token.grants(owner),
        created: token.created,
        expires: token.expires,
        last_used: token.seen,
    }
}
