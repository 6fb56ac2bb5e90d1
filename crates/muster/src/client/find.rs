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

/// Finds the server that a command is for.
///
/// # Errors
/// What names it is wrong or not known. Whether it is there is not asked yet.
pub fn find(common: &Common, environment: &Environment, patience: Patience) -> Result<Client, Failure> {
    if let Some(dir) = &common.data_dir {
        return Ok(local(vec![dir.join(SOCKET)], patience));
    }
    if let Some(url) = &common.server {
        return at(url, environment, patience);
    }
    if let Some(name) = &common.context {
        return named(name, environment, patience);
    }
    if let Some(dir) = environment.text("MUSTER_DATA_DIR")? {
        return Ok(local(vec![Path::new(dir).join(SOCKET)], patience));
    }
    if let Some(socket) = environment.path("MUSTER_SOCKET") {
        return Ok(local(vec![socket], patience));
    }
    if let Some(url) = environment.text("MUSTER_SERVER")? {
        return at(url, environment, patience);
    }
    if let Some(name) = environment.text("MUSTER_CONTEXT")? {
        return named(name, environment, patience);
    }
    if let Some(known) = contexts(environment)?.as_ref().and_then(Contexts::current) {
        return to(known, patience);
    }
    Ok(local(sockets(environment), patience))
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
            let fingerprint = match environment.text("MUSTER_FINGERPRINT")? {
                Some(text) => Some(fingerprint(text)?),
                None => known.and_then(|k| k.fingerprint.as_deref()).and_then(|f| f.parse().ok()),
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
    let pinned = known.fingerprint.as_deref().map(fingerprint).transpose()?;
    client(&url, trust(pinned), Some(known.token.clone()), Some(known.name.clone()), patience)
}

fn trust(pinned: Option<Fingerprint>) -> Trust {
    pinned.map_or(Trust::System, Trust::Leaf)
}

fn fingerprint(text: &str) -> Result<Fingerprint, Failure> {
    text.parse().map_err(|e| Failure::usage(format!("“{text}” is {e}.")))
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
