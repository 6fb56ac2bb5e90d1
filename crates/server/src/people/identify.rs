//! Who sends a request.

use base64::Engine as _;
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use model::access::Grants;
use sha2::{Digest, Sha256};
use store::Write;
use subtle::ConstantTimeEq;

use super::People;
use super::book::{after, sha256};
use crate::caller::{Caller, Via};
use crate::guard::is_safe;
use crate::peer::{Peer, Whence};
use crate::problem::Problem;

impl People {
    /// Who sends a request; `None` when it does not say.
    ///
    /// # Errors
    /// When it says, but that is not believed.
    pub(crate) fn identify(
        &self,
        method: &Method,
        headers: &HeaderMap,
        whence: &Whence,
        now: Timestamp,
    ) -> Result<Option<Caller>, Problem> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            return self.by_token(value, whence, now).map(Some);
        }
        if let Peer::Unix { uid, name } = &whence.peer {
            return Ok(Some(Caller {
                name: name.clone().unwrap_or_else(|| "unknown".to_owned()),
                from: whence.text(),
                via: Via::Socket { uid: *uid },
                grants: Grants::administrator(),
            }));
        }
        match cookie(headers, &self.cookie) {
            Some(secret) => self.by_session(secret, method, headers, whence, now).map(Some),
            None => Ok(None),
        }
    }

    fn by_session(
        &self,
        secret: &str,
        method: &Method,
        headers: &HeaderMap,
        whence: &Whence,
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let ended = || {
            Problem::new(http::StatusCode::UNAUTHORIZED, "session_ended", "The session has ended.")
                .remedy("Sign in again.")
        };
        let hash = sha256(secret);
        let (caller, touch) = {
            let book = self.book();
            let session = book.sessions.get(&hash).ok_or_else(ended)?;
            if session.ends(&self.sessions) <= now {
                return Err(ended());
            }
            let user = book.users.get(&session.user).ok_or_else(ended)?;
            let caller = Caller {
                name: user.name.clone(),
                from: whence.text(),
                via: Via::Session { id: session.id.clone() },
                grants: user.grants.clone(),
            };
            (caller, after(session.seen, self.sessions.touch) <= now)
        };
        if !is_safe(method) {
            let sent = headers.get(api::CSRF_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
            if !bool::from(csrf(secret).as_bytes().ct_eq(sent)) {
                return Err(Problem::new(
                    http::StatusCode::FORBIDDEN,
                    "csrf",
                    "The request does not carry the session's token.",
                )
                .remedy(format!(
                    "Send what `GET {}/session` says as “{}”.",
                    api::BASE,
                    api::CSRF_HEADER
                )));
            }
        }
        if touch {
            self.turn(|book| {
                if let Some(session) = book.sessions.get_mut(&hash) {
                    session.seen = now;
                }
            });
            if let Via::Session { id } = &caller.via {
                self.note(Write::SessionSeen { id: id.clone(), at: now });
            }
        }
        Ok(caller)
    }

    fn by_token(&self, value: &HeaderValue, whence: &Whence, now: Timestamp) -> Result<Caller, Problem> {
        let refused = || {
            Problem::new(http::StatusCode::UNAUTHORIZED, "token_refused", "The API token is not accepted.")
                .remedy("It was removed, has ended, or was not copied whole.")
        };
        let (id, secret) = value.to_str().ok().and_then(bearer).and_then(token_parts).ok_or_else(refused)?;
        let (caller, touch) = {
            let book = self.book();
            let token = book.tokens.get(id);
            // Compared in any case: whether the id exists does not show in the time it takes.
            let known = token.map_or([0; 32], |token| token.hash);
            let same = bool::from(known.ct_eq(&sha256(secret)));
            let token = token.filter(|token| same && !token.has_ended(now)).ok_or_else(refused)?;
            let user = book.users.get(&token.user).ok_or_else(refused)?;
            let caller = Caller {
                name: user.name.clone(),
                from: whence.text(),
                via: Via::Token { id: token.id.clone(), label: token.name.clone() },
                grants: token.grants(user),
            };
            (caller, token.seen.is_none_or(|seen| after(seen, self.sessions.touch) <= now))
        };
        if touch {
            self.turn(|book| {
                if let Some(token) = book.tokens.get_mut(id) {
                    token.seen = Some(now);
                }
            });
            self.note(Write::TokenSeen { id: id.to_owned(), at: now });
        }
        Ok(caller)
    }

    /// Writes down something that may be lost.
    fn note(&self, write: Write) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.write(vec![write]).await {
                tracing::debug!(%error, "the time of a last use was not recorded");
            }
        });
    }

    /// The session's secret that a request carries.
    pub(crate) fn cookie_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, &self.cookie)
    }

    /// What a session's cookie is called here. It names the installation: two on one host do not disturb each other.
    pub(crate) fn cookie_name(&self) -> &str {
        &self.cookie
    }
}

/// What every changing request of a session carries. It follows from the secret in the cookie, which no script
/// can read.
pub(crate) fn csrf(secret: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"csrf\0");
    digest.update(secret.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.finalize())
}

/// A bearer token out of an `Authorization` header.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn token_parts(token: &str) -> Option<(&str, &str)> {
    token.strip_prefix("mst_")?.split_once('_')
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}
