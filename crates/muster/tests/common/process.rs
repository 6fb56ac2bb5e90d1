//! `muster serve` as a process of its own: started, killed, started again; and calls to it over its socket.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use pve_sim::Remote;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// The body of an answer that says yes.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.body
    }
}

/// A data directory, and the server on it while one runs.
pub struct Server {
    base: TempDir,
    more: Vec<String>,
    env: Vec<(String, String)>,
    /// Its files may be forbidden to grow while it runs.
    bounded: bool,
    child: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let from = log.char_indices().rev().nth(6_000).map_or(0, |(at, _)| at);
            eprintln!("the end of the server's log:\n{}", &log[from..]);
        }
    }
}

impl Server {
    /// An empty place for one.
    pub fn nowhere() -> Self {
        Self {
            base: tempfile::tempdir().unwrap(),
            more: Vec::new(),
            env: Vec::new(),
            bounded: false,
            child: None,
        }
    }

    /// A server on an empty data directory, on any port, at the pace of tests.
    pub async fn fresh() -> Self {
        let mut server = Self::nowhere().with(&["--listen", "127.0.0.1:0", "--pace", "test"]);
        server.start().await;
        server
    }

    /// More arguments for every start.
    pub fn with(mut self, more: &[&str]) -> Self {
        self.more.extend(more.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// With a disk that can be filled: [`Server::fill_disk`].
    pub fn bounded(mut self) -> Self {
        self.bounded = true;
        self
    }

    /// A variable for every start.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn base(&self) -> &Path {
        self.base.path()
    }

    pub fn dir(&self) -> PathBuf {
        self.base.path().join("data")
    }

    pub fn dir_text(&self) -> String {
        self.dir().to_str().unwrap().to_owned()
    }

    /// What it said, on both outputs, through all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.base.path().join("log")).unwrap_or_default()
    }

    /// Where it last said that it listens: `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        let log = self.log();
        let said = log.rsplit_once(" listens on http://").unwrap().1;
        said.split_whitespace().next().unwrap().to_owned()
    }

    fn command(&self, log: File) -> Command {
        let mut command = match self.bounded {
            false => Command::new(env!("CARGO_BIN_EXE_muster")),
            true => {
                // The signal that comes with the limit is ignored, as on a full disk there is none; its log goes through
                // a pipe, so that the limit concerns what it keeps alone.
                let mut shell = Command::new("bash");
                let script = "trap '' XFSZ; exec \"$@\" > >(exec cat) 2>&1";
                shell.args(["-c", script, "bash", env!("CARGO_BIN_EXE_muster")]);
                shell
            }
        };
        command.args(["serve", "--data-dir"]).arg(self.dir()).args(&self.more);
        command.env_clear().env("HOME", self.base.path()).env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        command
    }

    /// Starts it, and returns when it answers.
    pub async fn start(&mut self) {
        let before = self.log().len();
        self.spawn();
        let until = Instant::now() + PATIENCE;
        while self.try_call(Method::GET, "/healthz", None, &[]).await.is_none_or(|a| a.status != 200)
            || !self.log()[before..].contains(" listens on ")
        {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it has ended: {ended:?}\n{}", self.log());
            assert!(Instant::now() < until, "it does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts it, and returns at once.
    pub fn spawn(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.base.path().join("log")).unwrap();
        self.child = Some(self.command(log).spawn().unwrap());
    }

    /// Starts what will be refused: its code, and what it said.
    pub async fn refused(&mut self) -> (i32, String) {
        let before = self.log().len();
        self.spawn();
        let mut child = self.child.take().unwrap();
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it runs").unwrap();
        (ended.code().unwrap_or(-1), self.log()[before..].to_owned())
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap(), signal).unwrap();
    }

    /// From now on nothing that it writes to a file gets there, as on a disk without room.
    pub fn fill_disk(&self, full: bool) {
        use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap());
        let maximum = getrlimit(Resource::Fsize).maximum;
        let limit = Rlimit { current: if full { Some(0) } else { maximum }, maximum };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    }

    /// As a power failure would end the process: at once, and without a word.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().await.unwrap();
    }

    /// Asks it to end: its code, and how long it took.
    pub async fn end(&mut self) -> (i32, Duration) {
        let began = Instant::now();
        self.signal(Signal::TERM);
        let mut child = self.child.take().unwrap();
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it does not end").unwrap();
        (ended.code().unwrap_or(-1), began.elapsed())
    }

    /// A call over the socket; `None` when nobody answers, or the answer is cut.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let stream = UnixStream::connect(self.dir().join("muster.sock")).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(&method).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let keyed = headers.iter().any(|(name, _)| *name == api::IDEMPOTENCY_KEY);
        if method != Method::GET && !keyed {
            request = request.header(api::IDEMPOTENCY_KEY, format!("{:032x}", rand::random::<u128>()));
        }
        let bytes = body.map(|body| serde_json::to_vec(body).unwrap());
        if bytes.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(Bytes::from(bytes.unwrap_or_default()))).unwrap();
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.ok()?.ok()?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.ok()?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text })
    }

    #[track_caller]
    pub fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = Answer> + use<'_> {
        let (path, at) = (path.to_owned(), std::panic::Location::caller());
        async move {
            let answer = self.try_call(method, &path, body.as_ref(), &[]).await;
            answer.unwrap_or_else(|| panic!("{path} is not answered ({at})"))
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, &format!("/api/v1{path}"), None).await.ok()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, &format!("/api/v1{path}"), Some(body)).await.ok()
    }

    /// Waits until what is got says what it should.
    pub async fn until(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let value = self.get(path).await;
            if fits(&value) {
                return value;
            }
            assert!(Instant::now() < until, "{path} stays {value:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Adds a simulated host as a person would: certificate, root's password, a token of its own.
    pub async fn onboard(&self, remote: &Remote, name: &str, sign_in: Value, finish: Value) -> Value {
        let address = remote.first_address().to_string();
        let begun = self.post("/onboardings", json!({"address": address})).await;
        let at = format!("/onboardings/{}", begun["id"].as_str().unwrap());
        let fingerprint = remote.leaf_fingerprint(&remote.nodes()[0]).unwrap();
        self.post(&format!("{at}/trust"), json!({"fingerprint": fingerprint})).await;
        self.post(&format!("{at}/sign-in"), sign_in).await;
        let mut body = json!({"name": name});
        body.as_object_mut().unwrap().extend(finish.as_object().unwrap().clone());
        let done = self.post(&format!("{at}/finish"), body).await;
        self.until(&format!("/remotes/{name}"), |remote| remote["link"]["state"] == "connected").await;
        done
    }

    /// Runs another `muster` command on this data directory.
    pub async fn muster(&self, args: &[&str]) -> super::Run {
        let home = self.base.path().to_str().unwrap();
        super::run(args, None, &[("HOME", home), ("MUSTER_DATA_DIR", &self.dir_text())]).await
    }
}
