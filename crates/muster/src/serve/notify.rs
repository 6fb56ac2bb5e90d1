//! What the service manager is told (`sd_notify`): ready, reloading, stopping, alive. Without one, nothing.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use super::config::Environment;

/// The way to the service manager, when there is one.
#[derive(Debug, Clone, Default)]
pub struct Notify {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// Finds it by `NOTIFY_SOCKET` and `WATCHDOG_USEC`. One that cannot be reached is as good as none: the server's
    /// work does not depend on it.
    pub fn of(environment: &Environment) -> Self {
        let Ok(Some(name)) = environment.text("NOTIFY_SOCKET") else { return Self::default() };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name.as_bytes()),
            None => SocketAddr::from_pathname(OsStr::from_bytes(name.as_bytes())),
        };
        let connected = address.and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let watchdog = environment.text("WATCHDOG_USEC").ok().flatten();
        let meant = environment.text("WATCHDOG_PID").ok().flatten();
        let watchdog = watchdog
            .filter(|_| meant.is_none_or(|pid| pid == std::process::id().to_string()))
            .and_then(|text| text.parse().ok())
            .map(Duration::from_micros);
        match connected {
            Ok(socket) => Self { socket: Some(Arc::new(socket)), watchdog },
            Err(e) => {
                tracing::warn!("the service manager cannot be reached at NOTIFY_SOCKET: {e}");
                Self::default()
            }
        }
    }

    /// How often the service manager wants to hear of us: twice within its patience.
    pub fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|patience| (patience / 2).max(Duration::from_millis(100)))
    }

    fn say(&self, text: &str) {
        if let Some(socket) = &self.socket {
            // Lost words do no harm: the service manager has its own patience.
            let _ = socket.send(text.as_bytes());
        }
    }

    /// The server answers.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The configuration is read again; [`Notify::ready`] says when that is done.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The server ends.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// The server is alive.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_hears_what_happens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let environment =
            Environment::of([("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "3000000")]);
        let notify = Notify::of(&environment);
        assert_eq!(notify.heartbeat(), Some(Duration::from_millis(1500)));
        let heard = || {
            let mut bytes = [0; 200];
            let n = manager.recv(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..n]).into_owned()
        };
        notify.ready("listening on\n127.0.0.1:8088");
        assert_eq!(heard(), "READY=1\nSTATUS=listening on 127.0.0.1:8088");
        notify.reloading();
        assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        notify.alive();
        assert_eq!(heard(), "WATCHDOG=1");
        notify.stopping();
        assert_eq!(heard(), "STOPPING=1");
    }

    #[test]
    fn without_a_manager_nothing_is_said() {
        Notify::of(&Environment::default()).ready("x");
        Notify::of(&Environment::of([("NOTIFY_SOCKET", "/nowhere/notify")])).ready("x");
        let other = Environment::of([("NOTIFY_SOCKET", "@x"), ("WATCHDOG_USEC", "1"), ("WATCHDOG_PID", "0")]);
        assert_eq!(Notify::of(&other).heartbeat(), None);
    }
}
