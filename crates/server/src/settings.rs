//! What whoever starts the server decides: [`Settings`]. Every time and bound is here; none is hidden in code.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

/// Everything there is to decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Muster's version, as `GET /api/v1/system` tells it.
    pub version: String,
    /// How people reach Muster: scheme, host and port are the only ones accepted off loopback; the path is a
    /// prefix of every route and cookie. `None`: reached by its listening addresses.
    pub public_url: Option<Url>,
    /// The addresses that are listened on.
    pub listen: Vec<SocketAddr>,
    /// Further names under which it may be reached, without ports.
    pub names: Vec<String>,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether what is listened on speaks TLS; for the links that are made without a public address.
    pub tls: bool,
    /// Whether plain HTTP off loopback was asked for; said in `GET /api/v1/system` for the console to warn.
    pub insecure_http: bool,
    /// Who may read `/metrics`, and what it holds.
    pub metrics: Metrics,
    /// Sessions of people.
    pub sessions: Sessions,
    /// How passwords are hashed.
    pub passwords: Passwords,
    /// How often signing in may be tried.
    pub storms: Storms,
    /// What one caller may take.
    pub limits: Limits,
    /// Live streams.
    pub stream: crate::stream::Timings,
    /// Remotes that are being added.
    pub onboarding: crate::routes::fleet::Bounds,
    /// How long the set-up link works.
    pub setup_life: Duration,
    /// How long a second factor waits for its first code.
    pub factor_life: Duration,
    /// How long things are kept; here to be shown.
    pub retention: store::Retention,
    /// The data directory, where there is one; here to be shown.
    pub data_directory: Option<PathBuf>,
    /// Where files may lie for a moment, such as a backup on its way.
    pub scratch: PathBuf,
}

/// `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// SHA-256 of the token that reads it (`Authorization: Bearer …`), beside API tokens that may see everything.
    pub token_sha256: Option<[u8; 32]>,
    /// Gauges per guest.
    pub guests: bool,
    /// Gauges per node.
    pub nodes: bool,
}

/// Sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// Ends after that long without a request.
    pub idle: Duration,
    /// Ends after that long in any case.
    pub longest: Duration,
    /// How far behind the recorded time of the last request may be; bounds what is written.
    pub touch: Duration,
}

/// argon2id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passwords {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Hashes made at the same time; the others wait.
    pub at_once: usize,
    /// Letters a new password must have.
    pub least: usize,
}

/// Bounds of signing in, as token buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storms {
    /// Failed tries in a row from one address.
    pub per_address: Bucket,
    /// Failed tries in a row for one account, from everywhere.
    pub per_account: Bucket,
    /// Wrong codes of a second factor in a row for one account, whose password was right each time.
    pub per_code: Bucket,
    /// Addresses and accounts that are remembered.
    pub remembered: usize,
}

/// So many at once, then one in each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// At once.
    pub burst: u32,
    /// Then one in each of these.
    pub every: Duration,
}

/// What one caller may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Bytes of a request's head.
    pub head: usize,
    /// For sending the head of a request: from the connection's beginning, or from the head's first byte.
    pub head_time: Duration,
    /// For staying idle between two requests; longer than proxies keep their connections, whose next request would
    /// else run into the close.
    pub idle_time: Duration,
    /// For sending the body of a request.
    pub body_time: Duration,
    /// For the TLS handshake.
    pub handshake_time: Duration,
    /// Connections at the same time.
    pub connections: usize,
    /// Connections at the same time from one address that is neither loopback nor a trusted proxy.
    pub connections_per_address: usize,
    /// A connection whose other end reads nothing for that long is closed.
    pub stall_time: Duration,
    /// Sessions of one user; with one more, that of them ends which was not used for longest.
    pub sessions_per_user: usize,
    /// API tokens of one user.
    pub tokens_per_user: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            public_url: None,
            listen: Vec::new(),
            names: Vec::new(),
            trusted_proxies: Vec::new(),
            tls: false,
            insecure_http: false,
            metrics: Metrics { token_sha256: None, guests: true, nodes: true },
            sessions: Sessions::default(),
            passwords: Passwords::default(),
            storms: Storms::default(),
            limits: Limits::default(),
            stream: crate::stream::Timings::default(),
            onboarding: crate::routes::fleet::Bounds::default(),
            setup_life: HOUR,
            factor_life: 15 * MINUTE,
            retention: store::Retention::default(),
            data_directory: None,
            scratch: std::env::temp_dir(),
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Sessions {
    fn default() -> Self {
        Self { idle: 12 * HOUR, longest: 30 * DAY, touch: 5 * MINUTE }
    }
}

impl Default for Passwords {
    /// What OWASP recommends for argon2id with 19 MiB.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1, at_once: 2, least: 10 }
    }
}

impl Default for Storms {
    /// From one address a person who has forgotten may try ten times. An account is guarded against many
    /// addresses, but wide enough that a stranger does not easily keep its owner out. Codes can be guessed at by
    /// nobody who does not know the password, and of a million three are right: so few tries that it takes decades.
    fn default() -> Self {
        Self {
            per_address: Bucket { burst: 10, every: Duration::from_secs(30) },
            per_account: Bucket { burst: 30, every: Duration::from_secs(10) },
            per_code: Bucket { burst: 10, every: 2 * MINUTE },
            remembered: 10_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            head: 32 * 1024,
            head_time: Duration::from_secs(15),
            idle_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            handshake_time: Duration::from_secs(10),
            connections: 2048,
            connections_per_address: 256,
            stall_time: Duration::from_secs(60),
            sessions_per_user: 100,
            tokens_per_user: 100,
        }
    }
}

impl Settings {
    /// The path prefix of every route and cookie, without a slash at its end; empty when there is none.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.public_url.as_ref().map_or("", |url| url.path().trim_end_matches('/'))
    }

    /// Whether `address` belongs to a proxy whose headers are believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|one| one.contains(address))
    }
}

/// One address, or a network of them: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `address` is in it. An IPv4 address written as IPv6 counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let shift = |width: u8| u32::from(width.saturating_sub(self.bits));
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(one)) => {
                let cut = |ip: u32| ip.checked_shr(shift(32)).unwrap_or(0);
                cut(net.to_bits()) == cut(one.to_bits())
            }
            (IpAddr::V6(net), IpAddr::V6(one)) => {
                let cut = |ip: u128| ip.checked_shr(shift(128)).unwrap_or(0);
                cut(net.to_bits()) == cut(one.to_bits())
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is neither an address nor a network like 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let address = address.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let holds =
            |net: &str, address: &str| net.parse::<Network>().unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
        assert!(holds("192.0.2.7", "::ffff:192.0.2.7"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe80::1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "host"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_prefix_has_no_slash_at_its_end() {
        let with = |url: &str| Settings { public_url: Some(url.parse().unwrap()), ..Settings::default() };
        assert_eq!(with("https://muster.example").prefix(), "");
        assert_eq!(with("https://example/muster/").prefix(), "/muster");
        assert_eq!(Settings::default().prefix(), "");
    }
}
