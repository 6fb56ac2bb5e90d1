//! The client of one endpoint: [`Client`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalogue::Method;
use http::HeaderMap;
use http::header::DATE;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::auth::{Authorisation, Credential, Factor, SessionInfo, Sessions, TfaChallenge};
use crate::call::access::{AclChange, TokenOptions};
use crate::call::cluster::ResourceType;
use crate::call::guest::{Addresses, Consolidation, Power, PowerOptions, Timeframe};
use crate::call::task::TaskQuery;
use crate::call::{self, Call};
use crate::decode::{self, Rows};
use crate::drift::Drift;
use crate::envelope;
use crate::error::{Error, ErrorKind, Phase, Sent};
use crate::reply::{
    AclRow, CertificateInfo, ClusterStatus, Domain, GuestConfig, GuestKind, GuestListRow, GuestStatus,
    HaStatusRow, LogLine, NodeListRow, NodeStatus, PendingRow, Permissions, Resource, RolePrivileges,
    RoleRow, RrdPoint, TaskRow, TaskStatus, Token, TokenInfo, TokenRow, User, Version,
};
use crate::timings::Timings;
use crate::transport::connect::Connector;
use crate::transport::exchange::RawAnswer;
use crate::transport::limit::{Barred, Limits, Permit};
use crate::transport::line::{Line, Prepared, closed};
use crate::transport::{Stats, StatsSnapshot};
use crate::trust::{self, Certificate, SystemStore, TrustPolicy, Verifier};
use crate::upid::Upid;
use crate::verdict;

/// Answers larger than this are decoded off the async threads.
const LARGE: usize = 256 * 1024;

/// One `host:port` of a cluster or stand-alone host, and what makes its certificate good.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Where it is.
    pub address: Address,
    /// What to believe.
    pub trust: TrustPolicy,
}

/// A value as it was answered, and how it was come by.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The value.
    pub value: T,
    /// What in the answer did not have its documented type.
    pub drift: Drift,
    /// From the call's start to its decoded answer, waiting for a free place included.
    pub took: Duration,
    /// The endpoint it came through, `host:port`.
    pub endpoint: String,
    /// The server's clock when it answered.
    pub server_date: Option<Timestamp>,
    /// Size of the body after decompression, in bytes.
    pub bytes: u64,
}

impl<T> Answer<T> {
    /// The same answer with another value made of this one.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: make(self.value),
            drift: self.drift,
            took: self.took,
            endpoint: self.endpoint,
            server_date: self.server_date,
            bytes: self.bytes,
        }
    }
}

/// A client of one endpoint. Clones share everything: session, connections, limits, counters.
#[derive(Debug, Clone)]
pub struct Client {
    line: Arc<Line>,
    sessions: Arc<Sessions>,
    system: SystemStore,
}

impl Client {
    /// A client; nothing is opened or sent until the first call.
    pub fn new(endpoint: Endpoint, credential: Credential, timings: Timings) -> Self {
        Self::with_store(endpoint, credential, timings, SystemStore::new())
    }

    /// [`Client::new`], with a system store that is shared with others.
    pub fn with_store(
        endpoint: Endpoint,
        credential: Credential,
        timings: Timings,
        system: SystemStore,
    ) -> Self {
        let limits = Arc::new(Limits::new(timings.calls_per_node));
        let line = Arc::new(line(endpoint, timings, system.clone(), Arc::default(), limits));
        Self { line, sessions: Arc::new(Sessions::new(credential)), system }
    }

    /// [`Client::with_store`], taking over the session of a client that has signed in to the same cluster: nothing is
    /// presented anew while it is good. Everything else is the new client's own.
    pub fn taking_over(session: &Self, endpoint: Endpoint, timings: Timings, system: SystemStore) -> Self {
        let fresh = Self::with_store(endpoint, session.credential().clone(), timings, system);
        Self { sessions: Arc::clone(&session.sessions), ..fresh }
    }

    /// A client of another endpoint of the same cluster, or of the same one under another trust. It shares the
    /// session (a ticket holds on every node), the limits per node and the counters; connections and TLS sessions
    /// are its own.
    #[must_use]
    pub fn sibling(&self, endpoint: Endpoint) -> Self {
        let timings = self.line.timings().clone();
        let (stats, limits) = (Arc::clone(self.line.stats()), Arc::clone(self.line.limits()));
        let line = Arc::new(line(endpoint, timings, self.system.clone(), stats, limits));
        Self { line, ..self.clone() }
    }

    /// Says which node of the cluster this endpoint is (`local` in `GET /cluster/status`), so that calls about no
    /// node count among those to it.
    pub fn is_node(&self, node: &str) {
        self.line.limits().name(self.endpoint(), node);
    }

    /// The endpoint, `host:port`.
    pub fn endpoint(&self) -> &str {
        self.line.endpoint()
    }

    /// How long it waits, and for what.
    pub fn timings(&self) -> &Timings {
        self.line.timings()
    }

    /// What the client signs in with.
    pub fn credential(&self) -> &Credential {
        self.sessions.credential()
    }

    /// The counters, shared with clones and siblings.
    pub fn stats(&self) -> StatsSnapshot {
        self.line.stats().snapshot()
    }

    /// The chain that the server showed in the last full TLS handshake that was finished, leaf first; empty before the
    /// first one.
    pub fn presented(&self) -> Vec<Certificate> {
        self.line.connector().shown()
    }

    /// Signs in anew, whatever session there is; with an API token, makes a call that needs authorisation.
    ///
    /// # Errors
    /// [`ErrorKind::SecondFactorNeeded`] carries what [`Client::answer_second_factor`] needs.
    pub async fn sign_in(&self) -> Result<SessionInfo, Error> {
        if self.credential().is_token() {
            self.version().await?;
            let username = self.credential().user().to_owned();
            return Ok(SessionInfo { username, clustername: None, cap: None });
        }
        self.sessions.sign_in(&self.line).await
    }

    /// Finishes a sign-in with its second factor.
    pub async fn answer_second_factor(
        &self,
        challenge: &TfaChallenge,
        factor: &Factor,
    ) -> Result<SessionInfo, Error> {
        self.sessions.answer(&self.line, challenge, factor).await
    }

    /// Forgets the session and closes the kept connections. (The API has no call to end a ticket early.)
    pub async fn sign_out(&self) {
        self.sessions.forget().await;
        self.line.close_idle();
    }

    /// From now on nothing leaves any more, by this client, its clones and its siblings: calls that wait for a free
    /// place or for a sign-in end unsent, and so do all that come. What has left already is not called back.
    pub fn close(&self) {
        self.line.limits().close();
    }

    /// Runs a call: authorised if it needs to be, within the limits, its answer unwrapped and decoded.
    ///
    /// A 401 leads to one new sign-in (with a token: one repetition) and one more try. Apart from that, and from a
    /// GET that met a dead kept connection, nothing is sent twice.
    pub async fn run<T: Send + 'static>(&self, call: Call<T>) -> Result<Answer<T>, Error> {
        let began = Instant::now();
        let name = call.name();
        let outcome = self.answered(&call).await;
        let result = match outcome {
            Ok(raw) => self.decoded(call, raw, began).await,
            Err(error) => Err(error),
        };
        match &result {
            Ok(answer) => tracing::debug!(
                endpoint = self.endpoint(),
                call = %name,
                bytes = answer.bytes,
                drift = answer.drift.count(),
                took_ms = u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
                "answered"
            ),
            Err(error) => tracing::debug!(
                endpoint = self.endpoint(),
                call = %name,
                phase = ?error.phase(),
                %error,
                "failed"
            ),
        }
        result.map_err(|error| error.in_call(name))
    }

    /// The good answer to a call, still raw.
    async fn answered<T>(&self, call: &Call<T>) -> Result<RawAnswer, Error> {
        if let Some(what) = &call.invalid {
            let kind = ErrorKind::InvalidRequest { what: what.clone() };
            return Err(Error::new(kind, Phase::Local, self.endpoint()));
        }
        if call.open {
            return self.exchanged(call, None).await;
        }
        let authorisation = self.authorised().await?;
        match self.exchanged(call, Some(&authorisation)).await {
            Err(error) if matches!(error.kind(), ErrorKind::CredentialsRejected { .. }) => {
                // Safe for whatever changes something too: the server looks at ticket, token and CSRF token before
                // it looks for a handler, so of a call that ended in a 401 nothing was done.
                tracing::debug!(endpoint = self.endpoint(), "rejected, trying once more");
                self.sessions.rejected(&authorisation).await;
                let authorisation = self.authorised().await?;
                self.exchanged(call, Some(&authorisation)).await
            }
            outcome => outcome,
        }
    }

    /// What authorises a call. Should that fail, nothing of the call itself has left, whatever the sign-in met.
    async fn authorised(&self) -> Result<Authorisation, Error> {
        self.sessions.authorise(&self.line).await.map_err(|error| error.with_sent(Sent::No))
    }

    /// One request and its verdict, within the limits.
    async fn exchanged<T>(
        &self,
        call: &Call<T>,
        authorisation: Option<&Authorisation>,
    ) -> Result<RawAnswer, Error> {
        let prepared = self.prepared(call, authorisation);
        let permit = self.enter(call.node.as_deref()).await?;
        let answer = self.line.exchange(&prepared).await;
        drop(permit);
        let answer = answer?;
        verdict::judge(&answer, call.node.as_deref(), &self.sessions.scrub())
            .map_err(|kind| Error::new(kind, Phase::Decode, self.endpoint()))?;
        Ok(answer)
    }

    /// Waits for a free place; nothing has left when there is none.
    async fn enter(&self, node: Option<&str>) -> Result<Permit, Error> {
        let patience = self.timings().place;
        let entered = self.line.limits().enter(node, self.endpoint(), patience).await;
        entered.map_err(|barred| {
            let kind = match barred {
                Barred::Full => ErrorKind::NoAnswer { after: patience },
                Barred::Closed => closed(),
            };
            Error::new(kind, Phase::Local, self.endpoint())
        })
    }

    /// The call on the wire: parameters of GET and DELETE in the query, of POST and PUT in the body.
    fn prepared<T>(&self, call: &Call<T>, authorisation: Option<&Authorisation>) -> Prepared {
        let form = call.form();
        let in_body = matches!(call.method, Method::Post | Method::Put);
        let target = match form.as_str() {
            query if !in_body && !query.is_empty() => format!("/api2/json{}?{query}", call.path),
            _ => format!("/api2/json{}", call.path),
        };
        let timings = self.line.timings();
        Prepared {
            method: call.method,
            target,
            headers: authorisation.map(|given| given.headers(call.method)).unwrap_or_default(),
            form: if in_body { form } else { Zeroizing::default() },
            limit: if call.listing { timings.listing_bytes } else { timings.answer_bytes },
        }
    }

    /// The value in a good answer.
    async fn decoded<T: Send + 'static>(
        &self,
        call: Call<T>,
        raw: RawAnswer,
        began: Instant,
    ) -> Result<Answer<T>, Error> {
        let bytes = u64::try_from(raw.body.len()).unwrap_or(u64::MAX);
        let server_date = date(&raw.headers);
        let decode = move || {
            let mut drift = Drift::of(call.name());
            let body = decode::text_of(&raw.body);
            let value = envelope::open(&body).and_then(|open| (call.decode)(&open, &mut drift));
            value.map(|value| (value, drift))
        };
        let decoded = if bytes < LARGE as u64 {
            decode()
        } else {
            tokio::task::spawn_blocking(decode).await.unwrap_or_else(|error| {
                let what = format!("decoding it failed: {error}");
                Err(decode::NotUnderstood { what, place: None })
            })
        };
        let (value, drift) = decoded.map_err(|error| {
            let what = self.sessions.scrub().clean(&error.to_string());
            Error::new(ErrorKind::NotUnderstood { what }, Phase::Decode, self.endpoint())
        })?;
        let endpoint = self.endpoint().to_owned();
        Ok(Answer { value, drift, took: began.elapsed(), endpoint, server_date, bytes })
    }

    /// The cluster's own authority, and the trust in it that may take the place of a pinned certificate.
    ///
    /// Reads `GET /nodes/{node}/certificates/info` through this endpoint, which is trusted already. `None` when the
    /// endpoint's own certificate is not issued by that authority (then the pin is what there is), or when the
    /// answer does not name one. The endpoint's certificate is judged for the dialled host or any of `node_names`.
    pub async fn cluster_trust(
        &self,
        node: &str,
        node_names: &[String],
    ) -> Result<Option<(Certificate, TrustPolicy)>, Error> {
        let answer = self.node_certificates(node).await?;
        let Some(authority) = trust::cluster_authority(&answer.value.rows) else {
            return Ok(None);
        };
        let policy = TrustPolicy::cluster_ca(&authority, node_names.iter().cloned());
        Ok(self.vouched_by(&policy).then_some((authority, policy)))
    }

    /// Would the authorities or the pin of this policy, the system's store left aside, vouch for the certificate that
    /// the endpoint showed last?
    pub fn vouched_by(&self, policy: &TrustPolicy) -> bool {
        let own = TrustPolicy { system: false, ..policy.clone() };
        trust::judge_chain(&self.presented(), self.line.connector().host(), &own, &self.system).is_ok()
    }
}

/// The typed calls; each is [`Client::run`] on the call of the same name in [`crate::call`].
impl Client {
    /// `GET /version`.
    pub async fn version(&self) -> Result<Answer<Version>, Error> {
        self.run(call::access::version()).await
    }

    /// `GET /access/domains`, without authorisation.
    pub async fn domains(&self) -> Result<Answer<Rows<Domain>>, Error> {
        self.run(call::access::domains()).await
    }

    /// `GET /access/permissions`.
    pub async fn permissions(&self) -> Result<Answer<Permissions>, Error> {
        self.run(call::access::permissions()).await
    }

    /// `GET /access/users/{userid}`.
    pub async fn user(&self, userid: &str) -> Result<Answer<User>, Error> {
        self.run(call::access::user(userid)).await
    }

    /// `GET /access/users/{userid}/token`.
    pub async fn tokens(&self, userid: &str) -> Result<Answer<Rows<TokenRow>>, Error> {
        self.run(call::access::tokens(userid)).await
    }

    /// `GET /access/users/{userid}/token/{tokenid}`.
    pub async fn token(&self, userid: &str, tokenid: &str) -> Result<Answer<TokenInfo>, Error> {
        self.run(call::access::token(userid, tokenid)).await
    }

    /// `POST /access/users/{userid}/token/{tokenid}`.
    pub async fn token_create(
        &self,
        userid: &str,
        tokenid: &str,
        options: &TokenOptions,
    ) -> Result<Answer<Token>, Error> {
        self.run(call::access::token_create(userid, tokenid, options)).await
    }

    /// `DELETE /access/users/{userid}/token/{tokenid}`.
    pub async fn token_delete(&self, userid: &str, tokenid: &str) -> Result<Answer<()>, Error> {
        self.run(call::access::token_delete(userid, tokenid)).await
    }

    /// `GET /access/roles`.
    pub async fn roles(&self) -> Result<Answer<Rows<RoleRow>>, Error> {
        self.run(call::access::roles()).await
    }

    /// `GET /access/roles/{roleid}`.
    pub async fn role(&self, roleid: &str) -> Result<Answer<RolePrivileges>, Error> {
        self.run(call::access::role(roleid)).await
    }

    /// `POST /access/roles`.
    pub async fn role_create(&self, roleid: &str, privileges: &[&str]) -> Result<Answer<()>, Error> {
        self.run(call::access::role_create(roleid, privileges)).await
    }

    /// `DELETE /access/roles/{roleid}`.
    pub async fn role_delete(&self, roleid: &str) -> Result<Answer<()>, Error> {
        self.run(call::access::role_delete(roleid)).await
    }

    /// `GET /access/acl`.
    pub async fn acl(&self) -> Result<Answer<Rows<AclRow>>, Error> {
        self.run(call::access::acl()).await
    }

    /// `PUT /access/acl`.
    pub async fn acl_change(&self, change: &AclChange) -> Result<Answer<()>, Error> {
        self.run(call::access::acl_change(change)).await
    }

    /// `GET /cluster/status`.
    pub async fn cluster_status(&self) -> Result<Answer<Rows<ClusterStatus>>, Error> {
        self.run(call::cluster::status()).await
    }

    /// `GET /cluster/resources`.
    pub async fn cluster_resources(
        &self,
        only: Option<ResourceType>,
    ) -> Result<Answer<Rows<Resource>>, Error> {
        self.run(call::cluster::resources(only)).await
    }

    /// `GET /cluster/tasks`.
    pub async fn cluster_tasks(&self) -> Result<Answer<Rows<TaskRow>>, Error> {
        self.run(call::cluster::tasks()).await
    }

    /// `GET /cluster/nextid`.
    pub async fn next_id(&self, wanted: Option<u32>) -> Result<Answer<u32>, Error> {
        self.run(call::cluster::next_id(wanted)).await
    }

    /// `GET /cluster/ha/status/current`.
    pub async fn ha_status(&self) -> Result<Answer<Rows<HaStatusRow>>, Error> {
        self.run(call::cluster::ha_status()).await
    }

    /// `GET /nodes`.
    pub async fn nodes(&self) -> Result<Answer<Rows<NodeListRow>>, Error> {
        self.run(call::node::list()).await
    }

    /// `GET /nodes/{node}/status`.
    pub async fn node_status(&self, node: &str) -> Result<Answer<NodeStatus>, Error> {
        self.run(call::node::status(node)).await
    }

    /// `GET /nodes/{node}/certificates/info`.
    pub async fn node_certificates(&self, node: &str) -> Result<Answer<Rows<CertificateInfo>>, Error> {
        self.run(call::node::certificates(node)).await
    }

    /// `GET /nodes/{node}/{lxc|qemu}`.
    pub async fn guest_list(&self, node: &str, kind: GuestKind) -> Result<Answer<Rows<GuestListRow>>, Error> {
        self.run(call::guest::list(node, kind)).await
    }

    /// `GET …/status/current`.
    pub async fn guest_status(
        &self,
        node: &str,
        kind: GuestKind,
        vmid: u32,
    ) -> Result<Answer<GuestStatus>, Error> {
        self.run(call::guest::status(node, kind, vmid)).await
    }

    /// `GET …/config`, with `current` the live values instead of those that will hold after a restart.
    pub async fn guest_config(
        &self,
        node: &str,
        kind: GuestKind,
        vmid: u32,
        current: bool,
    ) -> Result<Answer<GuestConfig>, Error> {
        self.run(call::guest::config(node, kind, vmid, current)).await
    }

    /// `GET …/pending`.
    pub async fn guest_pending(
        &self,
        node: &str,
        kind: GuestKind,
        vmid: u32,
    ) -> Result<Answer<Rows<PendingRow>>, Error> {
        self.run(call::guest::pending(node, kind, vmid)).await
    }

    /// The addresses of a running guest, from the container or from the guest agent.
    pub async fn guest_addresses(
        &self,
        node: &str,
        kind: GuestKind,
        vmid: u32,
    ) -> Result<Answer<Addresses>, Error> {
        self.run(call::guest::addresses(node, kind, vmid)).await
    }

    /// `POST …/status/{action}`: the task that was begun, not its outcome.
    pub async fn guest_power(
        &self,
        node: &str,
        kind: GuestKind,
        vmid: u32,
        action: Power,
        options: &PowerOptions,
    ) -> Result<Answer<Option<Upid>>, Error> {
        self.run(call::guest::power(node, kind, vmid, action, options)).await
    }

    /// `GET …/rrddata`.
    pub async fn guest_rrd(
        &self,
        node: &str,
        kind: GuestKind,
        vmid: u32,
        timeframe: Timeframe,
        consolidation: Consolidation,
    ) -> Result<Answer<Rows<RrdPoint>>, Error> {
        self.run(call::guest::rrd(node, kind, vmid, timeframe, consolidation)).await
    }

    /// `GET /nodes/{node}/tasks`.
    pub async fn node_tasks(&self, node: &str, query: &TaskQuery) -> Result<Answer<Rows<TaskRow>>, Error> {
        self.run(call::task::list(node, query)).await
    }

    /// `GET /nodes/{node}/tasks/{upid}/status`.
    pub async fn task_status(&self, node: &str, upid: &Upid) -> Result<Answer<TaskStatus>, Error> {
        self.run(call::task::status(node, upid)).await
    }

    /// `GET /nodes/{node}/tasks/{upid}/log`.
    pub async fn task_log(
        &self,
        node: &str,
        upid: &Upid,
        start: u64,
        limit: u64,
    ) -> Result<Answer<Rows<LogLine>>, Error> {
        self.run(call::task::log(node, upid, start, limit)).await
    }

    /// `DELETE /nodes/{node}/tasks/{upid}`.
    pub async fn task_stop(&self, node: &str, upid: &Upid) -> Result<Answer<()>, Error> {
        self.run(call::task::stop(node, upid)).await
    }
}

fn line(
    endpoint: Endpoint,
    timings: Timings,
    system: SystemStore,
    stats: Arc<Stats>,
    limits: Arc<Limits>,
) -> Line {
    let verifier = Verifier::new(Some(endpoint.trust), system);
    let connector = Connector::new(endpoint.address, verifier, timings.clone(), Arc::clone(&stats));
    Line::new(connector, timings, stats, limits)
}

/// The server's clock by the `Date` header.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}
