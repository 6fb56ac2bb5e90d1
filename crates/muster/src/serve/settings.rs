//! Everything about the server that can be set, declared once: [`ALL`]. The flags of `muster serve`, the variables of
//! the environment, the keys of the file, `muster config show` and the tables in `docs/configuration.md` follow it.

use std::time::Duration;

use crate::term::text::distance;

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the file; a dot stands for a table: `tls.key` is `key` in `[tls]`.
    pub key: &'static str,
    /// Its flag, without the dashes. Secrets have none: arguments are seen by every process of the machine.
    pub flag: Option<&'static str>,
    /// Its variable in the environment.
    pub variable: &'static str,
    /// Can it stand in the file?
    pub in_file: bool,
    /// What it holds.
    pub kind: Kind,
    /// What is used when it is not set, as `config show` and the documents say it; in the kind's own words where
    /// [`Setting::fixed`] says so.
    pub default: &'static str,
    /// Is `default` a value (else it says in words how the value is found)?
    pub fixed: bool,
    /// What it is for, one line.
    pub help: &'static str,
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file or directory.
    Path,
    /// Addresses to listen on: `IP:PORT`, several separated by commas.
    Listen,
    /// IP addresses and networks: `192.0.2.7, 2001:db8::/32`.
    Networks,
    /// Host names.
    Names,
    /// An `http` or `https` URL.
    Url,
    /// `true` or `false`.
    Switch,
    /// A length of time: `30s`, `5m`, `12h`, `180d`.
    Span,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Which messages are logged: a level, or directives such as `info,fleet=debug`.
    Filter,
    /// A URL that may hold a password, or a key: never shown as it is.
    Secret,
}

const fn setting(
    key: &'static str,
    flag: &'static str,
    variable: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { key, flag: Some(flag), variable, in_file: true, kind, default, fixed: true, help }
}

impl Setting {
    const fn found(self) -> Self {
        Self { fixed: false, ..self }
    }

    const fn never_a_flag(self) -> Self {
        Self { flag: None, ..self }
    }

    const fn never_in_the_file(self) -> Self {
        Self { in_file: false, ..self }
    }
}

/// Where everything is kept.
pub const DATA_DIR: Setting = setting(
    "data-dir",
    "data-dir",
    "MUSTER_DATA_DIR",
    Kind::Path,
    "$STATE_DIRECTORY, or $XDG_DATA_HOME/muster",
    "Directory for the database, the key, the certificate and the socket; made with mode 0700",
)
.found();
/// A PostgreSQL database instead of the embedded one.
pub const DATABASE: Setting = setting(
    "database",
    "",
    "MUSTER_DATABASE",
    Kind::Secret,
    "muster.db in the data directory",
    "PostgreSQL instead of the embedded database: postgres://user:password@host/name",
)
.found()
.never_a_flag();
/// The file with the sealing key.
pub const KEY_FILE: Setting = setting(
    "key-file",
    "key-file",
    "MUSTER_KEY_FILE",
    Kind::Path,
    "$CREDENTIALS_DIRECTORY/muster-key, or key in the data directory",
    "File with the key that seals stored secrets; made at first start only in the data directory",
)
.found();
/// The sealing key itself.
pub const KEY: Setting = setting(
    "key",
    "",
    "MUSTER_KEY",
    Kind::Secret,
    "from the key file",
    "The key that seals stored secrets, itself: 64 hexadecimal digits, or 32 bytes in base64",
)
.found()
.never_a_flag()
.never_in_the_file();
/// Where to listen.
pub const LISTEN: Setting = setting(
    "listen",
    "listen",
    "MUSTER_LISTEN",
    Kind::Listen,
    "127.0.0.1:8088",
    "Addresses to listen on. Loopback is plain HTTP; any other is TLS",
);
/// A further Unix socket.
pub const SOCKET: Setting = setting(
    "socket",
    "socket",
    "MUSTER_SOCKET",
    Kind::Path,
    "$RUNTIME_DIRECTORY/muster.sock, or $XDG_RUNTIME_DIR/muster.sock",
    "Unix socket for the command line on this machine, beside the one in the data directory",
)
.found();
/// How clients reach the server.
pub const PUBLIC_URL: Setting = setting(
    "public-url",
    "public-url",
    "MUSTER_PUBLIC_URL",
    Kind::Url,
    "from the address listened on",
    "URL under which browsers reach the server: scheme, accepted host and origin, path prefix",
)
.found();
/// What else it is called.
pub const NAMES: Setting = setting(
    "names",
    "name",
    "MUSTER_NAMES",
    Kind::Names,
    "",
    "Further host names under which the server may be reached, beside this machine's own",
);
/// Proxies that are believed.
pub const TRUSTED_PROXY: Setting = setting(
    "trusted-proxy",
    "trusted-proxy",
    "MUSTER_TRUSTED_PROXY",
    Kind::Networks,
    "",
    "Reverse proxies whose X-Forwarded headers are believed; with it, plain HTTP may leave loopback",
);
/// Plain HTTP where others can listen.
pub const INSECURE_HTTP: Setting = setting(
    "insecure-http",
    "insecure-http",
    "MUSTER_INSECURE_HTTP",
    Kind::Switch,
    "false",
    "Speak plain HTTP off loopback: passwords and sessions can be read on the way",
);
/// The certificate to show.
pub const TLS_CERTIFICATE: Setting = setting(
    "tls.certificate",
    "tls-certificate",
    "MUSTER_TLS_CERTIFICATE",
    Kind::Path,
    "one made at first start",
    "Certificate chain (PEM) to show off loopback; read again on SIGHUP and when it changes",
)
.found();
/// Its key.
pub const TLS_KEY: Setting = setting(
    "tls.key",
    "tls-key",
    "MUSTER_TLS_KEY",
    Kind::Path,
    "one made at first start",
    "Private key (PEM) of the certificate",
)
.found();
/// Where `/metrics` is served without a sign-in.
pub const METRICS_LISTEN: Setting = setting(
    "metrics.listen",
    "metrics-listen",
    "MUSTER_METRICS_LISTEN",
    Kind::Listen,
    "",
    "Address that serves /metrics without sign-in, in plain HTTP; without it /metrics needs a token",
);
/// Who else may read `/metrics`.
pub const METRICS_TOKEN_FILE: Setting = setting(
    "metrics.token-file",
    "metrics-token-file",
    "MUSTER_METRICS_TOKEN_FILE",
    Kind::Path,
    "",
    "File with a token that may read /metrics and nothing else (Authorization: Bearer …)",
);
/// Gauges per guest.
pub const METRICS_GUESTS: Setting = setting(
    "metrics.guests",
    "metrics-guests",
    "MUSTER_METRICS_GUESTS",
    Kind::Switch,
    "true",
    "Gauges for each guest and node in /metrics, with their names as labels",
);
/// What is logged.
pub const LOG_LEVEL: Setting = setting(
    "log.level",
    "log-level",
    "MUSTER_LOG",
    Kind::Filter,
    "info",
    "What to log: error, warn, info, debug, trace, or directives such as info,fleet=debug",
);
/// How it is logged.
pub const LOG_FORMAT: Setting = setting(
    "log.format",
    "log-format",
    "MUSTER_LOG_FORMAT",
    Kind::Choice(&["text", "json"]),
    "text",
    "How to log, to standard error: text for people, json for programs",
);
/// Sessions end unused.
pub const SESSION_IDLE: Setting = setting(
    "sessions.idle",
    "session-idle",
    "MUSTER_SESSION_IDLE",
    Kind::Span,
    "12h",
    "A session that is not used for this long ends",
);
/// Sessions end anyway.
pub const SESSION_LONGEST: Setting = setting(
    "sessions.longest",
    "session-longest",
    "MUSTER_SESSION_LONGEST",
    Kind::Span,
    "30d",
    "A session ends this long after sign-in, used or not",
);
/// How long events are kept.
pub const KEEP_EVENTS: Setting = setting(
    "retention.events",
    "keep-events",
    "MUSTER_KEEP_EVENTS",
    Kind::Span,
    "180d",
    "How long events and the former lives of guests are kept",
);
/// How long operations are kept.
pub const KEEP_OPERATIONS: Setting = setting(
    "retention.operations",
    "keep-operations",
    "MUSTER_KEEP_OPERATIONS",
    Kind::Span,
    "90d",
    "How long finished operations and their logs are kept",
);
/// How long samples of drift are kept.
pub const KEEP_DRIFT: Setting = setting(
    "retention.drift",
    "keep-drift",
    "MUSTER_KEEP_DRIFT",
    Kind::Span,
    "30d",
    "How long samples of replies that did not fit their documented types are kept",
);
/// How long the audit log is kept once it was exported.
pub const KEEP_AUDIT: Setting = setting(
    "retention.audit",
    "keep-audit",
    "MUSTER_KEEP_AUDIT",
    Kind::Span,
    "365d",
    "How long rows of the audit log are kept that were exported; others are never deleted",
);
/// Hundredths of all times, for tests against a simulator.
pub const PACE: Setting = setting(
    "pace",
    "pace",
    "MUSTER_PACE",
    Kind::Choice(&["real", "test"]),
    "real",
    "How fast time passes: \"test\" polls and waits in hundredths of the time, against pve-sim; never for real hosts",
);

/// All of them, in the order in which they are shown.
pub const ALL: &[&Setting] = &[
    &DATA_DIR,
    &DATABASE,
    &KEY_FILE,
    &KEY,
    &LISTEN,
    &SOCKET,
    &PUBLIC_URL,
    &NAMES,
    &TRUSTED_PROXY,
    &INSECURE_HTTP,
    &TLS_CERTIFICATE,
    &TLS_KEY,
    &METRICS_LISTEN,
    &METRICS_TOKEN_FILE,
    &METRICS_GUESTS,
    &LOG_LEVEL,
    &LOG_FORMAT,
    &SESSION_IDLE,
    &SESSION_LONGEST,
    &KEEP_EVENTS,
    &KEEP_OPERATIONS,
    &KEEP_DRIFT,
    &KEEP_AUDIT,
    &PACE,
];

/// The setting with this key in the file.
pub fn by_key(key: &str) -> Option<&'static Setting> {
    ALL.iter().copied().find(|setting| setting.key == key && setting.in_file)
}

/// The key that is most like this one, when one is like it at all.
pub fn nearest(key: &str) -> Option<&'static str> {
    let known = ALL.iter().filter(|setting| setting.in_file).map(|setting| setting.key);
    let spelled = key.replace('_', "-").to_ascii_lowercase();
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .map(|known| {
            // A key in another table than it should be, and one cut short, are as near as a slip of the finger.
            let (right, typed) = (last(known), last(&spelled));
            let part =
                if typed.len() >= 3 && right.starts_with(&typed) { 1 } else { distance(&right, &typed) };
            (distance(known, &spelled).min(part + 1), known)
        })
        .min()
        .filter(|(far, known)| *far <= (known.len() / 3).clamp(1, 3))
        .map(|(_, known)| known)
}

impl Kind {
    /// May several values be given, separated by commas?
    pub fn is_list(self) -> bool {
        matches!(self, Self::Listen | Self::Networks | Self::Names)
    }

    /// What stands for the value in a usage line.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Path => "PATH",
            Self::Listen => "IP:PORT",
            Self::Networks => "NETWORK",
            Self::Names => "NAME",
            Self::Url => "URL",
            Self::Switch => "BOOL",
            Self::Span => "TIME",
            Self::Choice(_) => "WORD",
            Self::Filter => "LEVEL",
            Self::Secret => "SECRET",
        }
    }

    /// Is this a value of the kind?
    ///
    /// # Errors
    /// What is wrong with it and what would be right, to follow the setting's name and a colon.
    pub fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Path if value.is_empty() => Err("a path is missing".to_owned()),
            Self::Path | Self::Secret => Ok(()),
            Self::Listen => value.parse::<std::net::SocketAddr>().map(drop).map_err(|_| {
                format!("{value:?} is no address to listen on; IP:PORT is, as 127.0.0.1:8088 or [::]:8443")
            }),
            Self::Networks => value.parse::<server::settings::Network>().map(drop),
            Self::Names => parse_name(value),
            Self::Url => parse_url(value),
            Self::Switch => parse_switch(value).map(drop),
            Self::Span => parse_span(value).map(drop),
            Self::Choice(words) if words.contains(&value) => Ok(()),
            Self::Choice(words) => Err(format!("{value:?} is none of {}", words.join(", "))),
            Self::Filter => tracing_subscriber::EnvFilter::try_new(value)
                .map(drop)
                .map_err(|e| format!("{value:?} says nothing about what to log: {e}")),
        }
    }
}

/// `true`, `false`, and what else people write.
///
/// # Errors
/// It is none of these.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// `30s`, `5m`, `12h`, `180d`.
///
/// # Errors
/// No number with one of these units, or nothing at all.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time; 30s, 5m, 12h or 180d is");
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let scale = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    // A century: enough for anyone, and far from what a clock cannot add.
    match number.saturating_mul(scale).min(100 * 366 * 86_400) {
        0 => Err("a length of time of nothing makes no sense here".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

fn parse_name(text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !text.is_empty() && text.chars().all(plain) {
        Ok(())
    } else {
        Err(format!("{text:?} is no host name (without scheme and port, as muster.example)"))
    }
}

fn parse_url(text: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("{text:?} is no URL to reach the server at: {why}"));
    match url::Url::parse(text) {
        Err(e) => wrong(&e.to_string()),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            wrong("it must begin with http:// or https://")
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => wrong("it names no host"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            wrong("it must not hold a sign-in")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => wrong("it must end with its path"),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_declared_once_and_its_default_is_one_of_its_kind() {
        let mut seen = std::collections::BTreeSet::new();
        for setting in ALL {
            assert!(seen.insert(setting.key), "{} twice", setting.key);
            assert!(seen.insert(setting.variable), "{} twice", setting.variable);
            assert!(setting.variable.starts_with("MUSTER_"), "{}", setting.key);
            assert!(setting.flag.is_none_or(|flag| !flag.is_empty()), "{}", setting.key);
            assert!(setting.kind != Kind::Secret || setting.flag.is_none(), "{} in an argument", setting.key);
            if setting.fixed && !setting.default.is_empty() {
                setting.kind.check(setting.default).unwrap();
            }
        }
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_key() {
        for (typed, meant) in [
            ("listn", "listen"),
            ("public_url", "public-url"),
            ("tls.certficate", "tls.certificate"),
            ("certificate", "tls.certificate"),
            ("retention.event", "retention.events"),
            ("metrics.Listen", "metrics.listen"),
            ("tls.cert", "tls.certificate"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(nearest("quite-another-thing"), None);
        assert_eq!(nearest("MUSTER"), None);
    }

    #[test]
    fn values_of_each_kind() {
        let good = [
            (Kind::Listen, "[::]:8443"),
            (Kind::Networks, "192.0.2.0/24"),
            (Kind::Networks, "::1"),
            (Kind::Url, "https://muster.example/console"),
            (Kind::Switch, "on"),
            (Kind::Span, "90d"),
            (Kind::Filter, "info,fleet=debug"),
            (Kind::Path, "/tmp"),
        ];
        for (kind, value) in good {
            assert_eq!(kind.check(value), Ok(()), "{value}");
        }
        let bad = [
            (Kind::Listen, "localhost"),
            (Kind::Listen, "127.0.0.1"),
            (Kind::Networks, "192.0.2.0/33"),
            (Kind::Networks, "proxy"),
            (Kind::Names, "https://muster.example"),
            (Kind::Url, "muster.example"),
            (Kind::Url, "ftp://muster.example"),
            (Kind::Url, "https://a:b@muster.example"),
            (Kind::Url, "https://muster.example/?q"),
            (Kind::Switch, "perhaps"),
            (Kind::Span, "12"),
            (Kind::Span, "0s"),
            (Kind::Span, "-3h"),
            (Kind::Filter, "fleet=loud"),
            (Kind::Path, ""),
            (Kind::Choice(&["a", "b"]), "c"),
        ];
        for (kind, value) in bad {
            assert!(kind.check(value).is_err(), "{value}");
        }
    }
}
