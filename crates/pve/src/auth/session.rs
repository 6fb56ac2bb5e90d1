//! Sessions: signing in, renewing, and signing in again, one at a time whoever asks ([`Sessions`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use catalogue::Method;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::utf8_percent_encode;
use tokio::sync::Mutex;
use tokio::time::timeout;
use zeroize::{Zeroize, Zeroizing};

use super::tfa::Form;
use super::{Credential, Factor, SessionInfo, TfaChallenge};
use crate::call::{self, Call, ESCAPED};
use crate::decode;
use crate::drift::Drift;
use crate::envelope;
use crate::error::{Error, ErrorKind, Phase, Sent};
use crate::reply::Ticket;
use crate::scrub::Scrub;
use crate::secret::Secret;
use crate::transport::line::{Line, Prepared};
use crate::verdict;

/// The name of the cookie that carries the ticket.
const COOKIE_NAME: &str = "PVEAuthCookie";

/// The header that carries the CSRF token.
const CSRF: HeaderName = HeaderName::from_static("csrfpreventiontoken");

/// Tickets and codes remembered for scrubbing; older ones are past their life.
const REMEMBERED: usize = 12;

/// A session that is open.
#[derive(Debug)]
pub(crate) struct Session {
    ticket: Secret,
    csrf: Option<Secret>,
    info: SessionInfo,
    /// When the request that brought the ticket began: never later than the ticket's own time.
    issued: Instant,
}

/// What a call is authorised by.
#[derive(Debug, Clone)]
pub(crate) enum Authorisation {
    /// A ticket, and its CSRF token for whatever changes something.
    Ticket(Arc<Session>),
    /// An API token.
    Token(HeaderValue),
}

impl Authorisation {
    /// The headers for a call of this method.
    pub(crate) fn headers(&self, method: Method) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            Self::Token(value) => {
                headers.insert(AUTHORIZATION, value.clone());
            }
            Self::Ticket(session) => {
                if let Some(cookie) = cookie(&session.ticket) {
                    headers.insert(COOKIE, cookie);
                }
                let csrf = session.csrf.as_ref().and_then(|csrf| sensitive(&[csrf.expose()]));
                if let (true, Some(csrf)) = (method != Method::Get, csrf) {
                    headers.insert(CSRF, csrf);
                }
            }
        }
        headers
    }
}

/// The ticket as a cookie, percent-encoded: tickets hold `=`, `+`, and challenges even quotes.
fn cookie(ticket: &Secret) -> Option<HeaderValue> {
    let encoded = Zeroizing::new(utf8_percent_encode(ticket.expose(), ESCAPED).to_string());
    sensitive(&[COOKIE_NAME, "=", encoded.as_str()])
}

/// A header value that no log shows, and whose memory is wiped when its last copy is gone.
fn sensitive(parts: &[&str]) -> Option<HeaderValue> {
    let text = Zeroizing::new(parts.concat());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The sessions of one credential, shared by all clients of one remote: a ticket holds on every node.
#[derive(Debug)]
pub(crate) struct Sessions {
    credential: Credential,
    state: Mutex<State>,
    /// Sign-ins ended so far, well or badly. Whoever waited for one sees by it that it need not try again.
    ended: AtomicU64,
    spoken: StdMutex<Vec<Secret>>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Arc<Session>>,
    failure: Option<Error>,
    otp_used: bool,
    renew_after: Option<Instant>,
}

impl Sessions {
    pub(crate) fn new(credential: Credential) -> Self {
        Self { credential, state: Mutex::default(), ended: AtomicU64::new(0), spoken: StdMutex::default() }
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Everything secret that was sent or received for this credential.
    pub(crate) fn scrub(&self) -> Scrub {
        let mut secrets = match &self.credential {
            Credential::Password { password, otp, .. } => {
                let mut secrets = vec![password.clone()];
                secrets.extend(otp.clone());
                secrets
            }
            Credential::Token { secret, .. } => vec![secret.clone()],
        };
        secrets.extend(self.spoken.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        Scrub::new(secrets)
    }

    fn remember(&self, secrets: impl IntoIterator<Item = Secret>) {
        let mut spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            if !spoken.contains(&secret) {
                spoken.push(secret);
            }
        }
        let excess = spoken.len().saturating_sub(REMEMBERED);
        spoken.drain(..excess);
    }

    /// What a call is to be authorised by: the ticket in hand, renewed when it is past half of its life; or a new
    /// sign-in. One at a time; whoever comes meanwhile waits and shares the outcome, a failure only at one endpoint.
    pub(crate) async fn authorise(&self, line: &Line) -> Result<Authorisation, Error> {
        if let Credential::Token { id, secret } = &self.credential {
            return sensitive(&["PVEAPIToken=", id, "=", secret.expose()])
                .map(Authorisation::Token)
                .ok_or_else(|| {
                    let what = "the API token holds characters that cannot be sent".to_owned();
                    Error::new(ErrorKind::InvalidRequest { what }, Phase::Local, line.endpoint())
                });
        }
        let seen = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(session) = self.kept(&mut state, line).await? {
            return Ok(Authorisation::Ticket(session));
        }
        // What another endpoint made of it says nothing about this one.
        if self.ended.load(Ordering::Acquire) != seen
            && let Some(failure) = &state.failure
            && failure.endpoint() == line.endpoint()
        {
            return Err(failure.clone());
        }
        self.enter(&mut state, line).await.map(Authorisation::Ticket)
    }

    /// The session in hand, if it is good: renewed when it is time. While the ticket lives, a renewal that fails for
    /// want of an answer costs no more than its wait; it is tried again after a pause. One for which not even a
    /// connection came about is an error at once: the call would fare no better.
    async fn kept(&self, state: &mut State, line: &Line) -> Result<Option<Arc<Session>>, Error> {
        let Some(session) = state.session.clone() else { return Ok(None) };
        let lifetime = line.timings().ticket_lifetime;
        let now = Instant::now();
        let age = now.saturating_duration_since(session.issued);
        if age < lifetime / 2 {
            return Ok(Some(session));
        }
        if age >= lifetime {
            state.session = None;
            return Ok(None);
        }
        if state.renew_after.is_some_and(|after| now < after) {
            return Ok(Some(session));
        }
        line.stats().renewal();
        let asking = self.ask(line, &session.info.username, &session.ticket, None, Instant::now());
        let wait = line.timings().renewal;
        let outcome = timeout(wait, asking).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::NoAnswer { after: wait }, Phase::Await, line.endpoint()))
        });
        match outcome {
            Ok(Entered::Open(renewed)) => {
                tracing::debug!(endpoint = line.endpoint(), "ticket renewed");
                state.renew_after = None;
                let renewed = Arc::new(renewed);
                state.session = Some(Arc::clone(&renewed));
                Ok(Some(renewed))
            }
            Err(error) if !matches!(error.kind(), ErrorKind::CredentialsRejected { .. }) => {
                tracing::debug!(endpoint = line.endpoint(), %error, "ticket not renewed, still good");
                state.renew_after = Some(Instant::now() + line.timings().renewal_pause);
                if error.request_sent() == Sent::No { Err(error) } else { Ok(Some(session)) }
            }
            // The ticket is not accepted any more: only the password can help.
            _ => {
                state.session = None;
                Ok(None)
            }
        }
    }

    /// This authorisation was answered with a 401. It is forgotten, unless a newer one has taken its place.
    pub(crate) async fn rejected(&self, authorisation: &Authorisation) {
        if let Authorisation::Ticket(rejected) = authorisation {
            let mut state = self.state.lock().await;
            if state.session.as_ref().is_some_and(|session| Arc::ptr_eq(session, rejected)) {
                state.session = None;
            }
        }
    }

    /// Forgets the session.
    pub(crate) async fn forget(&self) {
        let mut state = self.state.lock().await;
        // A one-time code stays used.
        *state = State { otp_used: state.otp_used, ..State::default() };
    }

    /// Signs in anew with the password, whatever session there is.
    pub(crate) async fn sign_in(&self, line: &Line) -> Result<SessionInfo, Error> {
        let mut state = self.state.lock().await;
        self.enter(&mut state, line).await.map(|session| session.info.clone())
    }

    /// Finishes a sign-in with its second factor.
    pub(crate) async fn answer(
        &self,
        line: &Line,
        challenge: &TfaChallenge,
        factor: &Factor,
    ) -> Result<SessionInfo, Error> {
        let mut state = self.state.lock().await;
        let outcome = self.second(line, challenge, factor).await;
        self.settle(&mut state, outcome).map(|session| session.info.clone())
    }

    /// Signs in with the password, and with the one-time code in hand if one is asked for.
    async fn enter(&self, state: &mut State, line: &Line) -> Result<Arc<Session>, Error> {
        let Credential::Password { user, password, otp } = &self.credential else {
            let what = "an API token does not sign in".to_owned();
            return Err(Error::new(ErrorKind::InvalidRequest { what }, Phase::Local, line.endpoint()));
        };
        // That this line is closed says nothing to others who share the session.
        line.open()?;
        line.stats().sign_in();
        let outcome = match self.with_password(line, user, password).await {
            Ok(Entered::Open(session)) => Ok(session),
            Ok(Entered::Challenged(challenge)) => match otp {
                Some(code) if !state.otp_used => {
                    state.otp_used = true;
                    self.second(line, &challenge, &Factor::Totp(code.clone())).await
                }
                _ => {
                    let kind = ErrorKind::SecondFactorNeeded { challenge };
                    Err(Error::new(kind, Phase::Decode, line.endpoint()).in_call("POST /access/ticket"))
                }
            },
            Err(error) => Err(error),
        };
        self.settle(state, outcome)
    }

    /// Notes how a sign-in ended.
    fn settle(&self, state: &mut State, outcome: Result<Session, Error>) -> Result<Arc<Session>, Error> {
        self.ended.fetch_add(1, Ordering::AcqRel);
        state.renew_after = None;
        match outcome {
            Ok(session) => {
                let session = Arc::new(session);
                state.session = Some(Arc::clone(&session));
                state.failure = None;
                Ok(session)
            }
            Err(error) => {
                state.session = None;
                state.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    /// The first step. 7.x has to be asked for the new form of challenges; 6.x does not know the parameter and
    /// refuses it, so there the question is put again without.
    async fn with_password(&self, line: &Line, user: &str, password: &Secret) -> Result<Entered, Error> {
        let began = Instant::now();
        match self.ask(line, user, password, Some(("new-format", "1".into())), began).await {
            Err(error) if refuses_new_format(&error) => {
                tracing::debug!(endpoint = line.endpoint(), "new-format is not known there, asking without");
                self.ask(line, user, password, None, Instant::now()).await
            }
            outcome => outcome,
        }
    }

    /// The second step, in the form the challenge calls for.
    async fn second(&self, line: &Line, challenge: &TfaChallenge, factor: &Factor) -> Result<Session, Error> {
        self.remember([challenge.ticket.clone(), factor.code().clone()]);
        let began = Instant::now();
        let entered = match &challenge.form {
            Form::New => {
                let extra = ("tfa-challenge", challenge.ticket.clone());
                self.ask(line, &challenge.user, &factor.tagged(), Some(extra), began).await?
            }
            Form::Old { csrf } => {
                let call = Call::new(Method::Post, "/access/tfa", &[], call::object::<Ticket>)
                    .with("response", Some(factor.code().expose().trim()));
                let half = Session {
                    ticket: challenge.ticket.clone(),
                    csrf: Some(csrf.clone()),
                    info: SessionInfo { username: challenge.user.clone(), clustername: None, cap: None },
                    issued: began,
                };
                let headers = Authorisation::Ticket(Arc::new(half)).headers(Method::Post);
                let mut reply = self.exchange(line, call, headers).await?;
                // The CSRF token of the first step is the session's.
                reply.csrf.get_or_insert_with(|| csrf.clone());
                self.entered(line, &challenge.user, reply, began)?
            }
        };
        match entered {
            Entered::Open(session) => Ok(session),
            Entered::Challenged(challenge) => {
                let kind = ErrorKind::SecondFactorNeeded { challenge };
                Err(Error::new(kind, Phase::Decode, line.endpoint()).in_call("POST /access/ticket"))
            }
        }
    }

    /// One `POST /access/ticket`.
    async fn ask(
        &self,
        line: &Line,
        user: &str,
        password: &Secret,
        extra: Option<(&'static str, Secret)>,
        began: Instant,
    ) -> Result<Entered, Error> {
        let mut call = Call::new(Method::Post, "/access/ticket", &[], call::object::<Ticket>)
            .with("username", Some(user))
            .with("password", Some(password.expose()));
        if let Some((name, value)) = &extra {
            call = call.with(name, Some(value.expose()));
        }
        let reply = self.exchange(line, call, HeaderMap::new()).await?;
        self.entered(line, user, reply, began)
    }

    async fn exchange(&self, line: &Line, call: Call<Ticket>, headers: HeaderMap) -> Result<Ticket, Error> {
        let name = call.name();
        let prepared = Prepared {
            method: call.method,
            target: format!("/api2/json{}", call.path),
            headers,
            form: call.form(),
            limit: line.timings().answer_bytes,
        };
        let failed = |kind| Error::new(kind, Phase::Decode, line.endpoint()).in_call(&name);
        let answer = line.exchange(&prepared).await.map_err(|error| error.in_call(&name))?;
        verdict::judge(&answer, None, &self.scrub()).map_err(failed)?;
        // Of this reply nothing is ever quoted: it is the one that holds the ticket.
        let unread = |what: &str| failed(ErrorKind::NotUnderstood { what: what.to_owned() });
        let body = decode::text_of(&answer.body);
        let open =
            envelope::open(&body).map_err(|_| unread("the reply to the sign-in is not well-formed"))?;
        let reply = (call.decode)(&open, &mut Drift::of(&name));
        drop(body);
        wipe(answer.body);
        reply.map_err(|_| unread("the reply to the sign-in is no object"))
    }

    /// What a reply to a sign-in amounts to.
    fn entered(&self, line: &Line, user: &str, reply: Ticket, began: Instant) -> Result<Entered, Error> {
        let failed =
            |kind| Err(Error::new(kind, Phase::Decode, line.endpoint()).in_call("POST /access/ticket"));
        let Some(ticket) = reply.ticket.filter(|ticket| !ticket.is_empty()) else {
            return failed(ErrorKind::NotUnderstood {
                what: "the reply to the sign-in has no ticket".to_owned(),
            });
        };
        self.remember([ticket.clone()].into_iter().chain(reply.csrf.clone()));
        // The sister products speak the same dialect; their tickets begin with their own names.
        let sister = [("PBS:", "Backup Server"), ("PMG:", "Mail Gateway"), ("PDM:", "Datacenter Manager")];
        if let Some((_, name)) = sister.iter().find(|(prefix, _)| ticket.expose().starts_with(prefix)) {
            return failed(ErrorKind::NotProxmox { seen: format!("a Proxmox {name}") });
        }
        // A challenge is known by its own form too: it must never be taken for a session.
        let half =
            ["PVE:!tfa!", "PVE:tfa!", "PVE:u2f!"].iter().any(|start| ticket.expose().starts_with(start));
        if reply.need_tfa == Some(true) || half {
            return Ok(Entered::Challenged(TfaChallenge::read(user, ticket, reply.csrf)));
        }
        let info = SessionInfo {
            username: reply.username.unwrap_or_else(|| user.to_owned()),
            clustername: reply.clustername,
            cap: reply.cap,
        };
        Ok(Entered::Open(Session { ticket, csrf: reply.csrf, info, issued: began }))
    }
}

/// Wipes the memory of an answer that holds a ticket, unless somebody else holds it too.
fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
}

/// Where a sign-in stands after one step.
enum Entered {
    Open(Session),
    Challenged(TfaChallenge),
}

/// Is this the 400 of a version that does not know `new-format`?
fn refuses_new_format(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Parameters { errors, text } => {
            errors.contains_key("new-format") || (errors.is_empty() && text.contains("new-format"))
        }
        _ => false,
    }
}
