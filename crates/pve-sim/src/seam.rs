//! The seam between the two stories of this crate: the door turns bytes into a [`Call`], the world
//! turns a [`Call`] into a [`Reply`], the door turns a [`Reply`] into bytes.
//!
//! Nothing here knows of sockets, and nothing here reads a clock.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

/// A moment of the simulated world: whole milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(pub u64);

impl SimTime {
    /// A moment given in whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, as Proxmox VE writes its times.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This moment, `millis` milliseconds later.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment so many milliseconds later, or earlier if negative.
    #[must_use]
    pub const fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add_signed(millis))
    }
}

/// The methods that Proxmox VE's API knows. The door answers any other itself (501).
pub use catalogue::Method;

/// The form of the answer, by the word after `/api2/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `/api2/json`: the envelope with the real status.
    Json,
    /// `/api2/extjs`: the envelope with `success`, always 200.
    ExtJs,
    /// Any other form (html, text, htmljs, jsonp, png…), which the door renders as it sees fit.
    Other,
}

/// One call as the API server sees it, after HTTP.
#[derive(Clone)]
pub struct Call {
    /// The node whose socket took it.
    pub node: String,
    /// What is to be done.
    pub method: Method,
    /// What stands after `/api2/FORMAT`, still percent-encoded, without query: `/nodes/pve1/lxc`.
    pub path: String,
    /// Query and body, merged.
    pub params: Params,
    /// Who asks.
    pub auth: Auth,
    /// The form of the answer that was asked for.
    pub format: Format,
    /// Where the caller is.
    pub peer: IpAddr,
    /// A body that could not be read as parameters. The real server finds out only after it has looked at
    /// the ticket: so the world answers this in place of the handler, once the caller is authenticated.
    pub bad_body: Option<BadBody>,
}

/// Why the body gave no parameters, in the server's words (JSON syntax, a foreign content type…).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBody {
    /// 400, 500, 501 or 506.
    pub status: u16,
    /// The words.
    pub text: String,
    /// Whether the words come as a plain body, without envelope.
    pub plain: bool,
}

/// The parameters of a call, in the order in which they came.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, ParamValue)>);

impl Params {
    /// No parameter.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. A form parameter given twice is kept twice: the real server makes one list of them.
    pub fn push(&mut self, name: impl Into<String>, value: ParamValue) {
        self.0.push((name.into(), value));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ParamValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The first one of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ParamValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, ParamValue)> for Params {
    fn from_iter<T: IntoIterator<Item = (String, ParamValue)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// A parameter as it was sent: what is text in a form has a type in JSON, and some replies echo it.
#[derive(Clone, PartialEq)]
pub enum ParamValue {
    /// From the query or a form body.
    Form(String),
    /// From a JSON body.
    Json(Value),
    /// From the query or a form body, a name without `=`: known, but undefined.
    Bare,
}

/// The proof that a call carries.
#[derive(Clone)]
pub enum Auth {
    /// Neither cookie nor token.
    None,
    /// The cookie `PVEAuthCookie`, percent-decoded, and the header `CSRFPreventionToken`.
    Ticket {
        /// The ticket.
        ticket: String,
        /// The header's value, if it was sent.
        csrf: Option<String>,
    },
    /// The header `Authorization` as sent, when no cookie was: `PVEAPIToken=USER@REALM!NAME=SECRET`. Any other
    /// scheme (Basic, Bearer…) comes here too: the world decides what it is worth.
    Token {
        /// The header's value.
        header: String,
    },
}

// Tickets, tokens and passwords must not reach a log by way of `{:?}`.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Ticket { csrf: Some(_), .. } => "Ticket(•••, csrf)",
            Self::Ticket { csrf: None, .. } => "Ticket(•••)",
            Self::Token { .. } => "Token(•••)",
        })
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("node", &self.node)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("params", &self.params)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// What the world answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The true status, before a format such as `extjs` turns it into 200.
    pub status: u16,
    /// The reason phrase: one line.
    pub reason: String,
    /// The body before it is written down.
    pub body: Body,
    /// How long the real server would let the caller wait.
    pub delay: Option<Delay>,
}

/// The body of a [`Reply`].
#[derive(Debug, Clone)]
pub enum Body {
    /// None at all: no Content-Type, no Content-Length (401 of a ticket, 595, 596).
    None,
    /// The envelope.
    Envelope(Envelope),
    /// Words without envelope and without Content-Type (errors raised before the formatter).
    Plain(String),
}

/// `{"data": …, "message": …, "errors": …, "total": …, "changes": …}`; absent keys are left out.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// The answer itself; null for an error.
    pub data: Data,
    /// Always given for an error and ending in a newline where the real one does. Servers as old as 7.4 do
    /// not write it: the door leaves it out for them.
    pub message: Option<String>,
    /// Parameter → what is wrong with it.
    pub errors: Option<Map<String, Value>>,
    /// The length of the whole list of which this is a page.
    pub total: Option<u64>,
    /// The pending changes of a network configuration, as a diff.
    pub changes: Option<String>,
}

/// The value of `data`.
#[derive(Debug, Clone)]
pub enum Data {
    /// A value yet to be written.
    Value(Value),
    /// JSON text already written: to be copied as it is.
    Raw(Arc<str>),
}

impl Default for Data {
    fn default() -> Self {
        Self::Value(Value::Null)
    }
}

/// Why an answer is late. How late is in the door's timings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delay {
    /// Every 401: 3 s.
    Unauthorized,
    /// 595 `No route to host`: about 3 s.
    NoRoute,
    /// 596 `Connection timed out`: 30 s.
    ProxyTimeout,
}

/// The intervals of the world. The defaults are the true ones. All in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorldTimings {
    /// How long a ticket is good: 2 h.
    pub ticket_lifetime: u64,
    /// How often the status daemon tells `/cluster/resources` what is: 10 s.
    pub statd_interval: u64,
    /// After how long the rows of a silent node lose their names: 5 min.
    pub node_forgotten_after: u64,
    /// How long a start takes: 2 s.
    pub start_task: u64,
    /// How long a shutdown takes: 4 s.
    pub shutdown_task: u64,
    /// How long any other task takes: 1 s.
    pub other_task: u64,
    /// How long a task waits for another one of the same guest: 10 s.
    pub lock_timeout: u64,
    /// How long the HA manager takes from the wish to the deed: 10 s.
    pub ha_delay: u64,
}

impl Default for WorldTimings {
    fn default() -> Self {
        Self {
            ticket_lifetime: 2 * 3600 * 1000,
            statd_interval: 10_000,
            node_forgotten_after: 300_000,
            start_task: 2_000,
            shutdown_task: 4_000,
            other_task: 1_000,
            lock_timeout: 10_000,
            ha_delay: 10_000,
        }
    }
}

impl WorldTimings {
    /// Shrunk, for tests: tasks in tens of milliseconds.
    #[must_use]
    pub const fn fast() -> Self {
        Self {
            ticket_lifetime: 2 * 3600 * 1000,
            statd_interval: 50,
            node_forgotten_after: 1_500,
            start_task: 40,
            shutdown_task: 60,
            other_task: 30,
            lock_timeout: 1_000,
            ha_delay: 120,
        }
    }
}

/// A certificate as `GET /nodes/{node}/certificates/info` shows it. The door makes the certificates and
/// tells the world of them with `Cluster::set_certificates`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateFacts {
    /// `pve-root-ca.pem`, `pve-ssl.pem` or `pveproxy-ssl.pem`.
    pub filename: String,
    /// SHA-256, `AA:BB:…`.
    pub fingerprint: String,
    /// `/CN=…/O=…`
    pub subject: String,
    /// `/CN=…/O=…`
    pub issuer: String,
    /// Seconds since the epoch.
    pub not_before: u64,
    /// Seconds since the epoch.
    pub not_after: u64,
    /// The certificate itself.
    pub pem: String,
    /// Names and addresses.
    pub san: Vec<String>,
    /// `id-ecPublicKey` or `rsaEncryption`.
    pub public_key_type: String,
    /// 256, 2048, 4096…
    pub public_key_bits: u64,
}

/// How the types of the answers are bent, for a host that sends odd ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Oddity {
    /// As Proxmox VE sends them.
    #[default]
    None,
    /// Booleans as "1", true or "", integers as text, floats in exponent form, `ha` as a list… differing from
    /// place to place, the same at every call.
    Odd,
}
