//! Where the server is reached: which addresses, plain or TLS, and which Unix sockets.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use super::config::{Config, Environment};
use super::datadir::DataDir;
use super::settings;
use crate::exit::Exit;
use crate::failure::Failure;

/// What is spoken at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// HTTP, on loopback or behind a proxy that is trusted.
    Plain,
    /// HTTP where others can listen in, because somebody said so, or trusts no proxy that comes from there.
    Insecure,
    /// HTTPS.
    Tls,
}

impl Speech {
    /// The scheme of a URL.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Plain | Self::Insecure => "http",
            Self::Tls => "https",
        }
    }
}

/// What is spoken at each address: plain on loopback; elsewhere TLS, unless there is no certificate of one's own and
/// either plain HTTP was asked for in so many words or a trusted proxy is in front.
pub fn speech(config: &Config, address: SocketAddr) -> Speech {
    if address.ip().to_canonical().is_loopback() {
        Speech::Plain
    } else if config.path(&settings::TLS_CERTIFICATE).is_some() {
        Speech::Tls
    } else if config.switch(&settings::INSECURE_HTTP) {
        Speech::Insecure
    } else if config.networks(&settings::TRUSTED_PROXY).is_empty() {
        Speech::Tls
    } else if config.all(&settings::TRUSTED_PROXY).all(stays_on_loopback) {
        // The proxy is on this machine: whoever comes from elsewhere is not the proxy.
        Speech::Insecure
    } else {
        Speech::Plain
    }
}

/// Is all of this network on this machine?
fn stays_on_loopback(network: &str) -> bool {
    let (address, bits) =
        network.split_once('/').map_or((network, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let whole = |least: u8| bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits >= least));
    address.to_canonical().is_loopback() && whole(if address.is_ipv4() { 8 } else { 128 })
}

/// Takes the addresses; nothing is answered there yet. `flag` is how others are given.
///
/// # Errors
/// One of them cannot be had.
pub async fn bind(
    config: &Config,
    setting: &settings::Setting,
    flag: &str,
) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for address in config.addresses(setting) {
        listeners.push(TcpListener::bind(address).await.map_err(|e| taken(address, &e, flag))?);
    }
    Ok(listeners)
}

/// Takes the addresses to see whether they can be had: they are free again when what comes back is dropped. One that is
/// in use is none to complain of when `ours` says that a server of ours may have it.
///
/// # Errors
/// As [`bind`].
pub async fn free(
    config: &Config,
    setting: &settings::Setting,
    flag: &str,
    ours: bool,
) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for address in config.addresses(setting) {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(e) if ours && e.kind() == io::ErrorKind::AddrInUse => {}
            Err(e) => return Err(taken(address, &e, flag)),
        }
    }
    Ok(listeners)
}

/// Why an address cannot be had.
fn taken(address: SocketAddr, e: &io::Error, flag: &str) -> Failure {
    match e.kind() {
        io::ErrorKind::AddrInUse => {
            Failure::new(Exit::Failed, format!("{address} is taken by another program."))
                .hint(format!("Another muster, perhaps? Otherwise give another one with {flag}."))
        }
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::NotAllowed,
            format!("Listening on {address} is not allowed: ports below 1024 are for root."),
        )
        .hint("Choose a port from 1024 on, or give the service CAP_NET_BIND_SERVICE (docs/install.md)."),
        io::ErrorKind::AddrNotAvailable => {
            Failure::new(Exit::Usage, format!("This machine has no address {}.", address.ip()))
                .hint("0.0.0.0 and [::] stand for all of its addresses.")
        }
        _ => Failure::new(Exit::Failed, format!("Listening on {address} is not possible: {e}.")),
    }
}

/// A Unix socket that goes with the server.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Takes the sockets: the one in the data directory, which must be had, and the one at the place that every command
/// line knows, which another server may have.
///
/// # Errors
/// The one in the data directory, or one that was asked for, cannot be made.
pub fn sockets(
    config: &Config,
    environment: &Environment,
    dir: &DataDir,
) -> Result<Vec<(Socket, UnixListener)>, Failure> {
    let mut sockets = Vec::new();
    // The directory is locked: whatever lies there was left by a server that is gone.
    sockets.extend(socket(&dir.socket(), 0o600)?);
    if let Some(path) = config.path(&settings::SOCKET) {
        let path = std::path::absolute(&path).unwrap_or(path);
        match socket(&path, 0o660)? {
            Some(taken) => sockets.push(taken),
            None => {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("Another server listens at {}.", path.display()),
                )
                .hint("Give another path with --socket PATH."));
            }
        }
    } else if let Some((path, mode)) = known_place(environment) {
        match socket(&path, mode) {
            Ok(Some(taken)) => sockets.push(taken),
            Ok(None) => tracing::warn!(
                "another server listens at {}; commands for this one need --data-dir {}",
                path.display(),
                dir.path().display()
            ),
            Err(failure) => tracing::warn!("{}", failure.sentence),
        }
    }
    Ok(sockets)
}

/// Under systemd the unit's own directory, whose mode says who may come; else the person's.
pub fn known_place(environment: &Environment) -> Option<(PathBuf, u32)> {
    let runtime = environment.path("RUNTIME_DIRECTORY").map(|dir| (dir, 0o660));
    let (dir, mode) = runtime.or_else(|| Some((environment.path("XDG_RUNTIME_DIR")?, 0o600)))?;
    Some((dir.join("muster.sock"), mode))
}

/// Listens at a path; `None` when somebody else does.
fn socket(path: &Path, mode: u32) -> Result<Option<(Socket, UnixListener)>, Failure> {
    let shown = path.display();
    let trouble = |e: &io::Error| {
        Failure::new(Exit::Failed, format!("The socket {shown} cannot be made: {e}."))
            .hint("A path of a socket has at most 107 bytes, and its directory must be there.")
    };
    match UnixStream::connect(path) {
        Ok(_) => return Ok(None),
        // So it is with what is no socket at all.
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            if !fs::symlink_metadata(path).map_err(|e| trouble(&e))?.file_type().is_socket() {
                return Err(Failure::usage(format!("{shown} is there, and is no socket.")).hint(
                    "It was left alone. Give the path of a socket, or of nothing, with --socket PATH.",
                ));
            }
            fs::remove_file(path).map_err(|e| trouble(&e))?;
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(|e| trouble(&e))?;
    let socket = Socket { path: path.to_owned() };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|e| trouble(&e))?;
    Ok(Some((socket, listener)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::config::Given;

    fn config(pairs: &[(&str, &str)]) -> Config {
        Config::read(&Given::default(), &Environment::of(pairs.iter().copied())).unwrap()
    }

    #[test]
    fn plain_http_stays_on_loopback_unless_somebody_answers_for_it() {
        let (home, away): (SocketAddr, SocketAddr) =
            ("127.0.0.1:1".parse().unwrap(), "192.0.2.7:1".parse().unwrap());
        let both = |pairs: &[(&str, &str)]| {
            let config = config(pairs);
            (speech(&config, home), speech(&config, away))
        };
        assert_eq!(both(&[]), (Speech::Plain, Speech::Tls));
        assert_eq!(both(&[("MUSTER_INSECURE_HTTP", "1")]), (Speech::Plain, Speech::Insecure));
        assert_eq!(both(&[("MUSTER_TRUSTED_PROXY", "192.0.2.1")]), (Speech::Plain, Speech::Plain));
        for here in ["127.0.0.1", "127.0.0.0/8,::1", "::ffff:127.0.0.1"] {
            let trusted = both(&[("MUSTER_TRUSTED_PROXY", here)]);
            assert_eq!(trusted, (Speech::Plain, Speech::Insecure), "{here}: no proxy comes from elsewhere");
        }
        for there in ["127.0.0.1,192.0.2.1", "0.0.0.0/0", "127.0.0.0/4"] {
            assert_eq!(both(&[("MUSTER_TRUSTED_PROXY", there)]).1, Speech::Plain, "{there}");
        }
        let own = [("MUSTER_TLS_CERTIFICATE", "c"), ("MUSTER_TLS_KEY", "k"), ("MUSTER_INSECURE_HTTP", "1")];
        assert_eq!(both(&own), (Speech::Plain, Speech::Tls));
        assert_eq!(speech(&config(&[]), "[::1]:1".parse().unwrap()), Speech::Plain);
        assert_eq!(speech(&config(&[]), "[::]:1".parse().unwrap()), Speech::Tls);
        assert_eq!(speech(&config(&[]), "0.0.0.0:1".parse().unwrap()), Speech::Tls);
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("muster.sock");
        let (first, listener) = socket(&path, 0o600).unwrap().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(socket(&path, 0o600).unwrap().is_none(), "in use");
        drop(listener);
        std::mem::forget(first);
        assert!(path.exists(), "as after a kill");
        let (second, _listener) = socket(&path, 0o600).unwrap().unwrap();
        drop(second);
        assert!(!path.exists());
        // Connecting to an ordinary file is refused as well.
        let file = base.path().join("notes.txt");
        fs::write(&file, "mine").unwrap();
        let failure = socket(&file, 0o600).unwrap_err();
        assert_eq!((failure.exit, fs::read_to_string(&file).unwrap().as_str()), (Exit::Usage, "mine"));
        let deep = base.path().join("x".repeat(120));
        assert!(socket(&deep, 0o600).unwrap_err().hint.unwrap().contains("107"));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let failure = bind(&config(&[("MUSTER_LISTEN", &address)]), &settings::LISTEN, "--port N")
            .await
            .unwrap_err()
            .to_string();
        assert!(failure.contains(&address) && failure.contains("with --port N."), "{failure}");
        let away = config(&[("MUSTER_LISTEN", "192.0.2.7:1")]);
        assert!(bind(&away, &settings::LISTEN, "--port N").await.is_err());
    }
}
