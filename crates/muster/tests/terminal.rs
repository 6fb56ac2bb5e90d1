//! Questions on a real terminal: the certificate first, then who one is, secrets without echo.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::process::Server;
use common::{Host, PASSWORD};
use pve_sim::Fault;

/// `muster` on a pseudo-terminal, by way of util-linux' `script`.
struct Typed {
    child: Child,
    chunks: Receiver<Vec<u8>>,
    seen: String,
    /// Up to here it was looked at.
    read: usize,
}

impl Drop for Typed {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that is through has ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Typed {
    fn start(args: &[&str]) -> Option<Self> {
        Self::start_in(None, args)
    }

    /// The same, with another home.
    fn start_in(home: Option<&std::path::Path>, args: &[&str]) -> Option<Self> {
        let there = Command::new("script")
            .arg("--version")
            .output()
            .is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("util-linux"));
        if !there {
            assert!(
                std::env::var("CI").is_ok_and(|v| v != "true") || std::env::var("CI").is_err(),
                "CI=true: `script` of util-linux is missing"
            );
            println!("skipped: `script` of util-linux is missing, which makes the pseudo-terminal");
            return None;
        }
        // A pseudo-terminal begins without a size.
        let home = home.map(|home| format!("export HOME='{}'; ", home.display())).unwrap_or_default();
        let mut line = format!("{home}stty cols 120 rows 36; exec {}", env!("CARGO_BIN_EXE_muster"));
        for arg in args {
            line.push_str(&format!(" '{arg}'"));
        }
        let mut child = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--echo", "never", "--command", &line, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let (sender, chunks) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n) = out.read(&mut chunk) {
                if n == 0 || sender.send(chunk[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Some(Self { child, chunks, seen: String::new(), read: 0 })
    }

    /// Waits until `text` was written, after what was waited for before.
    fn expect(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            match self.chunks.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(chunk) => self.seen.push_str(&String::from_utf8_lossy(&chunk)),
                Err(_) => panic!("no {text:?} in {:?}", &self.seen[self.seen.len().saturating_sub(2000)..]),
            }
        }
    }

    fn type_in(&mut self, text: &str) {
        // The question is on the screen; the echo goes off right after it.
        std::thread::sleep(Duration::from_millis(200));
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn end(mut self) -> (i32, String) {
        let end = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end: {}", self.seen);
            std::thread::sleep(Duration::from_millis(20));
        };
        while let Ok(chunk) = self.chunks.recv_timeout(Duration::from_millis(200)) {
            self.seen.push_str(&String::from_utf8_lossy(&chunk));
        }
        (status.code().unwrap_or(-1), std::mem::take(&mut self.seen))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_asked_for_before_the_password() {
    let host = Host::start("9.2").await;
    // Long enough to type on while the password is judged.
    host.remote.fault(None, Fault::Delay { ms: 1_000 }.on("/access/ticket")).await;
    let address = host.address.clone();
    let fingerprint = host.fingerprint.clone();
    let remote = host.remote.clone();
    tokio::task::spawn_blocking(move || {
        let Some(mut typed) = Typed::start(&["at", &address, "ls"]) else { return };
        typed.expect(&fingerprint);
        typed.expect("(yes/no)");
        assert!(remote.journal().is_empty(), "nothing is sent before the answer");
        typed.type_in("perhaps\n");
        typed.expect("yes or no");
        typed.expect("(yes/no)");
        typed.type_in("yes\n");
        typed.expect("Realms of");
        typed.expect("User [root@pam]");
        typed.type_in("\n");
        typed.expect("Password of root@pam");
        typed.type_in("a wrong one\n");
        typed.type_in("typed-ahead");
        typed.expect("rejected");
        typed.expect("Password of root@pam");
        typed.type_in(&format!("{PASSWORD}\n"));
        typed.expect("running");
        let (code, seen) = typed.end();
        assert_eq!(code, 0, "{seen}");
        assert!(!seen.contains("typed-ahead"), "nothing is echoed before the answer is judged: {seen}");
        assert!(!seen.contains(PASSWORD) && !seen.contains("a wrong one"), "typed without echo: {seen}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_means_that_nothing_is_sent() {
    let host = Host::start("9.2").await;
    let address = host.address.clone();
    let remote = host.remote.clone();
    tokio::task::spawn_blocking(move || {
        let Some(mut typed) = Typed::start(&["at", &address, "ls"]) else { return };
        typed.expect("(yes/no)");
        typed.type_in("no\n");
        typed.expect("--fingerprint");
        let (code, seen) = typed.end();
        assert_eq!(code, 8, "{seen}");
        assert!(remote.journal().is_empty());
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for() {
    let host = Host::start("8.4").await;
    let (address, fingerprint) = (host.address.clone(), host.fingerprint.clone());
    tokio::task::spawn_blocking(move || {
        let Some(mut typed) =
            Typed::start(&["at", &address, "--fingerprint", &fingerprint, "--user", "tfa@pve", "ls"])
        else {
            return;
        };
        typed.expect("Password of tfa@pve");
        typed.type_in(&format!("{PASSWORD}\n"));
        typed.expect("Second factor of tfa@pve");
        typed.type_in("000000\n");
        typed.expect("rejected");
        typed.expect("Second factor of tfa@pve");
        typed.type_in("1a2b-3c4d-5e6f-7a8b\n");
        typed.expect("running");
        let (code, seen) = typed.end();
        assert_eq!(code, 0, "{seen}");
        assert!(!seen.contains("000000") && !seen.contains("1a2b-3c4d"), "{seen}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_of_ones_own_is_turned_on_and_asked_for() {
    let server = Server::fresh().await;
    let held = common::secret(PASSWORD);
    let add = ["user", "add", "alice", "--role", "viewer", "--password-file", &common::path(&held)];
    assert_eq!(server.muster(&add).await.code, 0);
    let url = format!("http://{}", server.address());
    tokio::task::spawn_blocking(move || {
        let home = tempfile::tempdir().unwrap();
        let sign_in = ["login", &url, "--name", "work", "--user", "alice"];
        let typed = |args: &[&str]| Typed::start_in(Some(home.path()), args);
        let Some(mut first) = typed(&sign_in) else { return };
        first.expect("Password of alice");
        first.type_in(&format!("{PASSWORD}\n"));
        first.expect("Signed in");
        assert_eq!(first.end().0, 0);

        let mut on = typed(&["account", "totp", "on"]).unwrap();
        on.expect("Password of alice");
        on.type_in(&format!("{PASSWORD}\n"));
        on.expect("otpauth://totp/Muster:alice");
        on.expect("secret=");
        on.expect("&");
        let secret = on.seen[..on.read - 1].rsplit('=').next().unwrap().to_owned();
        let bytes = totp_rs::Secret::Encoded(secret).to_bytes().unwrap();
        let phone = totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 1, 30, bytes).unwrap();
        on.expect("six digits");
        on.type_in("nonsense\n");
        on.expect("That was not right");
        let code = phone.generate_current().unwrap();
        on.type_in(&format!("{code}\n"));
        on.expect("Recovery codes");
        let (exit, seen) = on.end();
        assert_eq!(exit, 0, "{seen}");
        assert!(!seen.contains(&code) && !seen.contains("nonsense"), "{seen}");
        let recovery = seen.trim_end().lines().last().unwrap().trim().to_owned();

        let mut again = typed(&sign_in).unwrap();
        again.expect("Password of alice");
        again.type_in(&format!("{PASSWORD}\n"));
        again.expect("Code of the second factor of alice");
        again.type_in(&format!("{code}\n"));
        again.expect("rejected");
        again.expect("Code of the second factor of alice");
        again.type_in(&format!("{recovery}\n"));
        again.expect("Signed in");
        let (exit, seen) = again.end();
        assert_eq!(exit, 0, "{seen}");
        assert!(!seen.contains(&recovery), "{seen}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_table_takes_keys_and_gives_the_terminal_back() {
    let host = Host::start("9.2").await;
    let (address, fingerprint, token) =
        (host.address.clone(), host.fingerprint.clone(), common::path(&host.token));
    let remote = host.remote.clone();
    tokio::task::spawn_blocking(move || {
        let Some(mut typed) =
            Typed::start(&["at", &address, "--fingerprint", &fingerprint, "--token-file", &token, "watch"])
        else {
            return;
        };
        typed.expect("Guests 4");
        typed.type_in("j");
        typed.type_in("x");
        typed.expect("Are you sure?");
        assert!(
            !remote.journal().iter().any(|e| e.path.contains("/status/stop")),
            "a key alone stops nothing"
        );
        typed.type_in("y");
        typed.expect("done");
        assert!(remote.journal().iter().any(|e| e.path.contains("/101/status/stop")));
        typed.type_in("q");
        let (code, seen) = typed.end();
        assert_eq!(code, 0, "{seen}");
        assert!(
            seen.trim_end().ends_with("\u{1b}[?25h") || seen.contains("\u{1b}[?1049l"),
            "the screen is given back: {seen:?}"
        );
    })
    .await
    .unwrap();
}
