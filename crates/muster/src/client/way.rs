//! From here to a server: a Unix socket, or TCP with or without TLS: [`Way`].

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls;
use crate::exit::Exit;
use crate::failure::Failure;

/// An open connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The way to a server.
#[derive(Clone)]
pub enum Way {
    /// The first of these sockets that somebody listens on.
    Sockets(Vec<PathBuf>),
    /// A host and port, with TLS if there is a configuration for it.
    Net {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
        /// TLS.
        tls: Option<Arc<ClientConfig>>,
        /// The context's name, for messages.
        context: Option<String>,
    },
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({self})")
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sockets(sockets) => match sockets.as_slice() {
                [one] => write!(f, "the server at {}", one.display()),
                _ => f.write_str("the server on this machine"),
            },
            Self::Net { host, port, tls, .. } => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                match host.contains(':') {
                    true => write!(f, "{scheme}://[{host}]:{port}"),
                    false => write!(f, "{scheme}://{host}:{port}"),
                }
            }
        }
    }
}

impl Way {
    /// What stands in `Host`.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Sockets(_) => "localhost".to_owned(),
            Self::Net { host, port, tls, .. } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let usual = if tls.is_some() { 443 } else { 80 };
                if *port == usual { host } else { format!("{host}:{port}") }
            }
        }
    }

    /// Opens a connection.
    pub(super) async fn open(&self, patience: Duration) -> Result<Box<dyn Io>, Failure> {
        match self {
            Self::Sockets(sockets) => first_socket(sockets, patience).await,
            Self::Net { host, port, tls, context } => {
                let late = |what: &str| {
                    unreachable(
                        &self.to_string(),
                        &format!("{what} took longer than {} s", patience.as_secs()),
                    )
                };
                let dial = timeout(patience, dial(host, *port)).await;
                let stream =
                    dial.map_err(|_| late("connecting"))?.map_err(|e| unreachable(&self.to_string(), &e))?;
                let _ = stream.set_nodelay(true);
                let Some(config) = tls else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Failure::usage(format!("“{host}” is no name for a certificate.")))?;
                let shaken =
                    timeout(patience, TlsConnector::from(config.clone()).connect(name, stream)).await;
                let stream = shaken
                    .map_err(|_| late("the TLS handshake"))?
                    .map_err(|e| tls::failure(&e, &self.to_string(), context.as_deref()))?;
                Ok(Box::new(stream))
            }
        }
    }
}

async fn dial(host: &str, port: u16) -> Result<TcpStream, String> {
    let mut last = None;
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|e| format!("the name {host} does not resolve: {e}"))?;
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = Some(e),
        }
    }
    Err(match last {
        Some(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            "connection refused: nothing listens on that port".to_owned()
        }
        Some(e) => e.to_string(),
        None => format!("the name {host} has no address"),
    })
}

fn unreachable(name: &str, why: &str) -> Failure {
    Failure::new(Exit::Unreachable, format!("Cannot reach {name}: {why}."))
        .hint("Is it running, and is the URL right? \"muster context ls\" lists the servers known here.")
        .cause("unreachable")
}

async fn first_socket(sockets: &[PathBuf], patience: Duration) -> Result<Box<dyn Io>, Failure> {
    let mut tried = Vec::new();
    let mut forbidden = false;
    for path in sockets {
        let why = match timeout(patience, UnixStream::connect(path)).await {
            Ok(Ok(stream)) => return Ok(Box::new(stream)),
            Ok(Err(e)) => match e.kind() {
                io::ErrorKind::NotFound => "not there".to_owned(),
                io::ErrorKind::ConnectionRefused => "there, but no server listens on it".to_owned(),
                io::ErrorKind::PermissionDenied => {
                    forbidden = true;
                    "you may not use it".to_owned()
                }
                _ => e.to_string(),
            },
            Err(_) => "no answer".to_owned(),
        };
        tried.push(format!("{}: {why}", path.display()));
    }
    let failure = if forbidden {
        Failure::new(Exit::NotAllowed, "A server runs here, but you may not use its socket.").hint(
            "Run the command as the user the server runs as, or sign in at the address it listens on: muster login URL",
        )
    } else {
        Failure::new(Exit::Unreachable, "No server found on this machine.").hint(
            "Start one with \"muster serve\", or sign in to one elsewhere with \"muster login URL\".\n\
             To look at a host without any server: muster at ADDRESS ls",
        )
    };
    Err(failure.detail(tried).cause("no_server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_server_says_what_was_tried_and_how_to_start_one() {
        let dir = tempfile::tempdir().unwrap();
        let stale = dir.path().join("stale.sock");
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        let way = Way::Sockets(vec![dir.path().join("none.sock"), stale]);
        let Err(failure) = way.open(Duration::from_secs(5)).await else { panic!("there is no server") };
        assert_eq!(failure.exit, Exit::Unreachable);
        let text = failure.to_string();
        for words in
            ["none.sock: not there", "stale.sock: there, but no server", "muster serve", "muster login"]
        {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn addresses_are_written_as_in_a_browser() {
        let way = |host: &str, port| Way::Net { host: host.to_owned(), port, tls: None, context: None };
        assert_eq!(way("muster.example", 80).host(), "muster.example");
        assert_eq!(way("2001:db8::7", 8088).host(), "[2001:db8::7]:8088");
        assert_eq!(way("2001:db8::7", 8088).to_string(), "http://[2001:db8::7]:8088");
    }
}
