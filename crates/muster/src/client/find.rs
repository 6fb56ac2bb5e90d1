//! Where the server is: [`find`]. The command line is stronger than the environment, which is stronger than the
//! context in use; without any of them, the sockets of this machine are tried.

use std::path::{Path, PathBuf};

use api::Secret;
use pve::trust::Fingerprint;
use url::Url;
use zeroize::Zeroizing;

use super::contexts::{Contexts, Known, LOCAL};
use super::tls::{self, Trust};
use super::{Client, Patience, Way};
use crate::cli::Common;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::guard;
use crate::serve::config::Environment;
use crate::serve::datadir::default_place;

/// The socket's name in a data or run-time directory.
const SOCKET: &str = "muster.sock";

/// What says where the server is.
enum Said {
    /// A data directory, in which its socket is.
    Directory(PathBuf),
    /// A socket.
    Socket(PathBuf),
    /// A URL.
    Url(String),
    /// The name of a context.
    Context(String),
    /// The context in use.
    Current(Box<Known>),
    /// Nothing: it is on this machine.
    Nothing,
}

fn said(common: &Common, environment: &Environment) -> Result<Said, Failure> {
    if let Some(dir) = &common.data_dir {
        return Ok(Said::Directory(dir.clone()));
    }
    if let Some(url) = &common.server {
        return Ok(Said::Url(url.clone()));
    }
    if let Some(name) = &common.context {
        return Ok(Said::Context(name.clone()));
    }
    if let Some(dir) = environment.text("MUSTER_DATA_DIR")? {
        return Ok(Said::Directory(dir.into()));
    }
    // As a server takes it: one that is relative is below the present directory.
    if let Some(socket) = environment.text("MUSTER_SOCKET")? {
        return Ok(Said::Socket(socket.into()));
    }
    if let Some(url) = environment.text("MUSTER_SERVER")? {
        return Ok(Said::Url(url.to_owned()));
    }
    if let Some(name) = environment.text("MUSTER_CONTEXT")? {
        return Ok(Said::Context(name.to_owned()));
    }
    let contexts = contexts(environment)?;
    Ok(match contexts.as_ref().and_then(Contexts::current) {
        Some(known) => Said::Current(Box::new(known.clone())),
        None => Said::Nothing,
    })
}

/// Finds the server that a command is for.
///
/// # Errors
/// What names it is wrong or not known. Whether it is there is not asked yet.
pub fn find(common: &Common, environment: &Environment, patience: Patience) -> Result<Client, Failure> {
    match said(common, environment)? {
        Said::Directory(dir) => Ok(local(vec![dir.join(SOCKET)], patience)),
        Said::Socket(socket) => Ok(local(vec![socket], patience)),
        Said::Url(url) => at(&url, environment, patience),
        Said::Context(name) => named(&name, environment, patience),
        Said::Current(known) => to(&known, patience),
        Said::Nothing => Ok(local(sockets(environment), patience)),
    }
}

/// Was no server named, but at most its data directory? Then what that holds may be meant when none runs.
///
/// # Errors
/// As [`find`].
pub fn is_by_directory(common: &Common, environment: &Environment) -> Result<bool, Failure> {
    Ok(matches!(said(common, environment)?, Said::Directory(_) | Said::Nothing))
}

/// The servers that were signed in to. Without a home directory there are none, and that is fine.
fn contexts(environment: &Environment) -> Result<Option<Contexts>, Failure> {
    Contexts::place(environment).map(|_| Contexts::read(environment)).transpose()
}

/// The sockets of this machine, in the order in which they are tried.
pub fn sockets(environment: &Environment) -> Vec<PathBuf> {
    let mut sockets: Vec<PathBuf> = Vec::new();
    let places = [
        environment.path("XDG_RUNTIME_DIR").map(|dir| dir.join(SOCKET)),
        Some(Path::new("/run/muster").join(SOCKET)),
        // A server that was started without any settings and without a run-time directory.
        default_place(environment).map(|dir| dir.join(SOCKET)),
    ];
    for place in places.into_iter().flatten() {
        if !sockets.contains(&place) {
            sockets.push(place);
        }
    }
    sockets
}

fn local(sockets: Vec<PathBuf>, patience: Patience) -> Client {
    Client::new(Way::Sockets(sockets), "", None, patience)
}

fn named(name: &str, environment: &Environment, patience: Patience) -> Result<Client, Failure> {
    let contexts = Contexts::read(environment)?;
    match contexts.named(name) {
        None if name == LOCAL => Ok(local(sockets(environment), patience)),
        _ => to(contexts.expect(name)?, patience),
    }
}

/// The server at a URL: a known one, or one that a token from a file is good for.
fn at(text: &str, environment: &Environment, patience: Patience) -> Result<Client, Failure> {
    let token = token_of(environment)?;
    let contexts = contexts(environment)?;
    let known = contexts.as_ref().and_then(|c| c.at(text));
    match (known, token) {
        (Some(known), None) => to(known, patience),
        (known, Some(token)) => {
            let url = server_url(text)?;
            // Where somebody signed in without TLS, the way was answered for.
            if url.scheme() == "http" && !is_loopback(&url) && known.is_none() {
                return Err(Failure::usage(format!(
                    "{url} has no TLS: anyone on the way could read the token. It was not sent."
                ))
                .hint(format!(
                    "Use https://, or, if you know the whole way, sign in there once: \
                     muster login {text} --token-file FILE --insecure-http"
                )));
            }
            let fingerprint = match environment.text("MUSTER_FINGERPRINT")? {
                Some(text) => Some(
                    text.parse()
                        .map_err(|e| Failure::usage(format!("“{text}” (MUSTER_FINGERPRINT) is {e}.")))?,
                ),
                None => known.map(Known::pinned).transpose()?.flatten(),
            };
            client(&url, trust(fingerprint), Some(token), None, patience)
        }
        (None, None) => {
            server_url(text)?;
            Err(Failure::new(Exit::Credentials, format!("Not signed in at {text}.")).hint(format!(
                "muster login {text}\nIn a script: MUSTER_TOKEN_FILE=FILE with an API token of that server."
            )))
        }
    }
}

/// The API token that `MUSTER_TOKEN_FILE` names.
fn token_of(environment: &Environment) -> Result<Option<Secret>, Failure> {
    let Some(path) = environment.text("MUSTER_TOKEN_FILE")?.map(PathBuf::from) else { return Ok(None) };
    let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|e| {
        Failure::usage(format!("The token in {} (MUSTER_TOKEN_FILE) cannot be read: {e}.", path.display()))
    })?;
    guard(&path)?;
    Ok(Some(text.trim().into()))
}

fn to(known: &Known, patience: Patience) -> Result<Client, Failure> {
    let url = server_url(&known.url)?;
    client(&url, trust(known.pinned()?), Some(known.token.clone()), Some(known.name.clone()), patience)
}

fn trust(pinned: Option<Fingerprint>) -> Trust {
    pinned.map_or(Trust::System, Trust::Leaf)
}

/// A client for a URL.
///
/// # Errors
/// It has no host or no port.
pub fn client(
    url: &Url,
    trust: Trust,
    token: Option<Secret>,
    context: Option<String>,
    patience: Patience,
) -> Result<Client, Failure> {
    let (host, port) = host_and_port(url)?;
    let tls = if url.scheme() == "https" { Some(tls::config(trust)?) } else { None };
    Ok(Client::new(Way::Net { host, port, tls, context }, url.path(), token, patience))
}

/// A server's URL, as somebody writes it.
///
/// # Errors
/// It is none, or none of a server.
pub fn server_url(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::usage(format!("“{text}” is not the URL of a server: {why}."))
            .hint("Write it as in the browser: https://muster.example")
    };
    let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&full).map_err(|e| wrong(&e.to_string()))?;
    match url.scheme() {
        "https" | "http" => {}
        other => return Err(wrong(&format!("it begins with {other}:"))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it has a user name in it"));
    }
    host_and_port(&url).map_err(|_| wrong("it has no host"))?;
    Ok(url)
}

/// Is that this machine?
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Host and port of a URL.
///
/// # Errors
/// It has none.
pub fn host_and_port(url: &Url) -> Result<(String, u16), Failure> {
    let host = match url.host() {
        Some(url::Host::Domain(name)) => name.to_owned(),
        Some(url::Host::Ipv4(ip)) => ip.to_string(),
        Some(url::Host::Ipv6(ip)) => ip.to_string(),
        None => return Err(Failure::usage(format!("{url} has no host."))),
    };
    Ok((host, url.port_or_known_default().unwrap_or(443)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_tried_in_their_order() {
        let environment = Environment::of([("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/srv/a")]);
        let found: Vec<String> = sockets(&environment).iter().map(|p| p.display().to_string()).collect();
        assert_eq!(
            found,
            ["/run/user/7/muster.sock", "/run/muster/muster.sock", "/srv/a/.local/share/muster/muster.sock"]
        );
    }

    #[test]
    fn the_command_line_is_stronger_than_the_environment() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([
            ("HOME", home.path().to_str().unwrap()),
            ("MUSTER_SOCKET", "/tmp/elsewhere.sock"),
            ("MUSTER_SERVER", "https://muster.example"),
        ]);
        let name = |common: &Common| find(common, &environment, Patience::default()).map(|c| c.name());
        assert_eq!(name(&Common::default()).unwrap(), "the server at /tmp/elsewhere.sock");
        let dir = Common { data_dir: Some("/data".into()), ..Common::default() };
        assert_eq!(name(&dir).unwrap(), "the server at /data/muster.sock");
        let unknown = Common { server: Some("https://other.example".to_owned()), ..Common::default() };
        let failure = name(&unknown).unwrap_err();
        assert_eq!(failure.exit, Exit::Credentials);
        assert!(failure.hint.unwrap().contains("muster login https://other.example"));
        let local = Common { context: Some(LOCAL.to_owned()), ..Common::default() };
        assert!(name(&local).unwrap().contains("this machine"));
    }

    #[test]
    fn what_names_a_server_is_told_from_what_names_a_directory() {
        let home = tempfile::tempdir().unwrap();
        let by = |pairs: &[(&str, &str)], common: &Common| {
            let pairs = [("HOME", home.path().to_str().unwrap())].into_iter().chain(pairs.iter().copied());
            is_by_directory(common, &Environment::of(pairs)).unwrap()
        };
        let nothing = Common::default();
        assert!(by(&[], &nothing) && by(&[("MUSTER_DATA_DIR", "/d")], &nothing));
        for named in ["MUSTER_SOCKET", "MUSTER_SERVER", "MUSTER_CONTEXT"] {
            assert!(!by(&[(named, "x")], &nothing), "{named}");
            let dir = Common { data_dir: Some("/data".into()), ..Common::default() };
            assert!(by(&[(named, "x")], &dir), "--data-dir is stronger than {named}");
        }
        let environment = Environment::of([("MUSTER_SOCKET", "run/muster.sock")]);
        let client = find(&nothing, &environment, Patience::default()).unwrap();
        assert_eq!(client.name(), "the server at run/muster.sock", "also one below the present directory");

        let mut contexts =
            Contexts::read(&Environment::of([("HOME", home.path().to_str().unwrap())])).unwrap();
        contexts.put(known("https://muster.example", None)).unwrap();
        assert!(!by(&[], &nothing), "the context in use names one");
    }

    fn known(url: &str, fingerprint: Option<&str>) -> Known {
        Known {
            name: "work".to_owned(),
            url: url.to_owned(),
            user: None,
            fingerprint: fingerprint.map(str::to_owned),
            minted: None,
            token: "mst_1_canary".into(),
        }
    }

    #[test]
    fn a_token_goes_nowhere_without_tls_and_a_damaged_pin_is_no_pin() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let token = home.path().join("token");
        std::fs::write(&token, "mst_1_canary\n").unwrap();
        std::fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).unwrap();
        let environment = Environment::of([
            ("HOME", home.path().to_str().unwrap()),
            ("MUSTER_TOKEN_FILE", token.to_str().unwrap()),
        ]);
        let at = |url: &str| at(url, &environment, Patience::default()).map(|client| client.name());
        let failure = at("http://192.0.2.7:8088").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.hint.unwrap().contains("--insecure-http"));
        assert!(at("http://127.0.0.1:8088").is_ok() && at("https://192.0.2.7").is_ok());
        // Where somebody has signed in so, that was asked and answered.
        let mut contexts = Contexts::read(&environment).unwrap();
        contexts.put(known("http://192.0.2.7:8088", None)).unwrap();
        assert!(at("http://192.0.2.7:8088").is_ok());

        contexts.put(known("https://muster.example", Some("AB:CD"))).unwrap();
        for failure in [
            at("https://muster.example"),
            to(contexts.current().unwrap(), Patience::default()).map(|c| c.name()),
        ] {
            let failure = failure.unwrap_err();
            assert_eq!(failure.exit, Exit::Certificate);
            assert!(failure.hint.unwrap().contains("--name work"), "{}", failure.sentence);
        }
    }

    #[test]
    fn a_url_is_one_of_a_server() {
        for (text, url) in [
            ("muster.example", "https://muster.example/"),
            ("https://muster.example/prefix/", "https://muster.example/prefix/"),
            ("http://127.0.0.1:8088", "http://127.0.0.1:8088/"),
        ] {
            assert_eq!(server_url(text).unwrap().as_str(), url);
        }
        for text in ["", "ftp://muster.example", "https://user@muster.example", "https://"] {
            assert!(server_url(text).is_err(), "{text}");
        }
        assert!(is_loopback(&server_url("http://[::1]:8088").unwrap()));
        assert!(!is_loopback(&server_url("http://192.0.2.7").unwrap()));
    }
}
