//! One's own account: second factor, sessions, how things are shown.

use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::common::process::Server;
use crate::common::{self, Run, path, secret};
use crate::support::{home, only_json};

const PASSWORD: &str = "correct horse battery staple";

/// Somebody who has signed in to a server from elsewhere.
struct Elsewhere {
    home: tempfile::TempDir,
    url: String,
    held: tempfile::NamedTempFile,
}

impl Elsewhere {
    async fn of(server: &Server, user: &str) -> Self {
        let held = secret(PASSWORD);
        let add = ["user", "add", user, "--role", "administrator", "--password-file", &path(&held)];
        let run = server.muster(&add).await;
        assert_eq!(run.code, 0, "{run:?}");
        let one =
            Self { home: tempfile::tempdir().unwrap(), url: format!("http://{}", server.address()), held };
        let run = one.login(user, &[]).await;
        assert_eq!(run.code, 0, "{run:?}");
        one
    }

    fn env(&self) -> [(&str, &str); 1] {
        [("HOME", self.home.path().to_str().unwrap())]
    }

    async fn muster(&self, args: &[&str]) -> Run {
        common::run(args, None, &self.env()).await
    }

    async fn login(&self, user: &str, more: &[&str]) -> Run {
        let password = path(&self.held);
        let line = ["login", &self.url, "--name", "work", "--user", user, "--password-file", &password];
        self.muster(&[&line[..], more].concat()).await
    }
}

/// The time step that it is.
fn step() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30
}

/// What an authenticator shows in a step.
fn code(secret: &str, step: u64) -> String {
    let bytes = totp_rs::Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 1, 30, bytes).unwrap().generate(step * 30)
}

/// Turns a second factor on, as a program does that has an authenticator; its secret, the step that was used, and the
/// recovery codes.
async fn turn_on(one: &Elsewhere) -> (String, u64, Vec<String>) {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["account", "totp", "on", "--password-file", &path(&one.held), "--otp-fd", "0", "-o", "json"])
        .envs(one.env())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).await.unwrap();
    let Ok(begun) = serde_json::from_str::<Value>(&line) else {
        panic!("{line} {:?}", child.wait_with_output().await);
    };
    let secret = begun["secret"].as_str().unwrap().to_owned();
    assert!(begun["uri"].as_str().unwrap().contains(&secret), "{begun}");
    let mut stdin = child.stdin.take().unwrap();
    let used = step();
    stdin.write_all(format!("{}\n", code(&secret, used)).as_bytes()).await.unwrap();
    drop(stdin);
    let mut rest = String::new();
    out.read_to_string(&mut rest).await.unwrap();
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let done: Value = serde_json::from_str(&rest).unwrap();
    let codes = done["recovery_codes"].as_array().unwrap();
    (secret, used, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_wherever_a_password_is() {
    let server = Server::fresh().await;
    let run = server.muster(&["account", "show"]).await;
    assert!(
        run.code == 2 && run.err.contains("muster login http://"),
        "over the socket one is nobody: {run:?}"
    );
    let one = Elsewhere::of(&server, "alice").await;
    let shown = only_json(&one.muster(&["account", "show", "-o", "json"]).await);
    assert_eq!((&shown["user"], &shown["totp"]), (&json!("alice"), &json!(null)));
    let run = one.muster(&["account", "totp", "on", "--password-file", &path(&one.held)]).await;
    assert!(run.code == 2 && run.err.contains("nobody is there"), "{run:?}");

    let (phone, used, codes) = turn_on(&one).await;
    assert_eq!(codes.len(), 10);
    let run = one.muster(&["account", "show"]).await;
    assert!(run.code == 0 && run.out.contains("10 recovery codes left"), "the token goes on: {run:?}");
    let users = only_json(&server.muster(&["user", "ls", "-o", "json"]).await);
    assert_eq!(users["items"][0]["totp"], true);
    let run =
        one.muster(&["account", "totp", "on", "--password-file", &path(&one.held), "--otp-fd", "0"]).await;
    assert!(run.code == 1 && run.err.contains("muster account totp off"), "{run:?}");

    // Each thing that takes the password takes a code now.
    let run = one.login("alice", &[]).await;
    assert!(run.code == 9 && run.err.contains("--otp-file"), "{run:?}");
    let wrong = secret("000000");
    let wrong = path(&wrong);
    let run = one.login("alice", &["--otp-file", &wrong]).await;
    assert!(run.code == 4 && run.err.contains("the password was right"), "{run:?}");
    let fresh = secret(&code(&phone, used + 1));
    let run = one.login("alice", &["--otp-file", &path(&fresh)]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = one.login("alice", &["--otp-file", &path(&fresh)]).await;
    assert_eq!(run.code, 4, "a code works once: {run:?}");
    let run = one.muster(&["token", "add", "ci", "--password-file", &path(&one.held)]).await;
    assert_eq!(run.code, 9, "{run:?}");
    let (spare, another) = (secret(&codes[0]), secret(&codes[2]));
    let proof = |otp: &str| {
        vec!["--password-file".to_owned(), path(&one.held), "--otp-file".to_owned(), otp.to_owned()]
    };
    let with = async |words: &[&str], otp: &str| {
        let proof = proof(otp);
        let line: Vec<&str> = words.iter().copied().chain(proof.iter().map(String::as_str)).collect();
        one.muster(&line).await
    };
    let run = with(&["token", "add", "ci"], &path(&spare)).await;
    assert!(run.code == 0 && run.out.starts_with("mst_"), "{run:?}");
    let renewed = with(&["account", "recovery-codes", "-o", "json"], &path(&another)).await.json();
    assert_eq!(renewed["recovery_codes"].as_array().unwrap().len(), 10);
    let run = one.login("alice", &["--otp-file", &path(&secret(&codes[1]))]).await;
    assert_eq!(run.code, 4, "those before work no more: {run:?}");
    let fresh = renewed["recovery_codes"][0].as_str().unwrap();
    let run = with(&["account", "totp", "off"], &path(&secret(fresh))).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(one.login("alice", &[]).await.code, 0);

    // Whoever has lost it is helped by who governs.
    let run = server.muster(&["user", "totp-off", "alice"]).await;
    assert!(run.code == 1 && run.err.contains("no second factor"), "{run:?}");
    turn_on(&one).await;
    assert_eq!(one.login("alice", &[]).await.code, 9);
    let run = one.muster(&["user", "totp-off", "alice"]).await;
    assert!(run.code == 2 && run.err.contains("in a terminal"), "{run:?}");
    let run = server.muster(&["user", "totp-off", "alice"]).await;
    assert!(run.code == 0 && run.out.contains("password alone"), "{run:?}");
    assert_eq!(one.login("alice", &[]).await.code, 0);
    let run = server.muster(&["user", "totp-off", "nobody"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(!server.log().contains(&phone), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended() {
    let server = Server::fresh().await;
    let one = Elsewhere::of(&server, "alice").await;
    let other = Elsewhere::of(&server, "bob").await;
    let run = one.muster(&["account", "session", "ls"]).await;
    assert!(run.code == 0 && run.out.is_empty() && run.err.contains("No sessions"), "{run:?}");
    let enter = async |user: &str| {
        let body = json!({"user": user, "password": PASSWORD}).to_string();
        let (head, _) = post(&server.address(), "/api/v1/session", &body).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    };
    for user in ["alice", "alice", "alice", "bob"] {
        enter(user).await;
    }
    let listed = async |one: &Elsewhere, more: &[&str]| {
        let line = [&["account", "session", "ls", "-o", "json"], more].concat();
        only_json(&one.muster(&line).await)
    };
    let own = listed(&one, &[]).await;
    assert_eq!((&own["total"], &listed(&one, &["--all"]).await["total"]), (&json!(3), &json!(4)));
    let id = own["items"][0]["id"].as_str().unwrap();
    let run = one.muster(&["account", "session", "rm", id, "nothing-like-it"]).await;
    assert!(run.code == 3 && run.out.contains(&format!("{id}: ended")), "{run:?}");
    assert!(run.err.contains("no session “nothing-like-it”"), "{run:?}");
    assert_eq!(listed(&one, &[]).await["total"], 2);
    let run = one.muster(&["account", "session", "rm", "--others"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        (listed(&one, &[]).await["total"].clone(), listed(&other, &[]).await["total"].clone()),
        (json!(0), json!(1))
    );
    for wrong in [&["account", "session", "rm"][..], &["account", "session", "rm", "x", "--others"]] {
        assert_eq!(one.muster(wrong).await.code, 2);
    }
}

/// A request as a browser makes it; the answer's head and body.
async fn post(at: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_are_kept_and_saved_views_used() {
    let (server, _host) = home("9.2").await;
    let one = Elsewhere::of(&server, "alice").await;
    let run = one.muster(&["account", "preferences"]).await;
    assert!(run.code == 0 && run.err.contains("Nothing was set"), "{run:?}");
    let set = async |key: &str, value: &str| one.muster(&["account", "preferences", "set", key, value]).await;
    for (key, value) in [
        ("theme", "dark"),
        ("lists.guests.columns", "[\"name\",\"cpu\"]"),
        ("lists.guests.sort", "-cpu"),
        (
            "views",
            "[{\"name\":\"on\",\"list\":\"guests\",\"q\":\"status:running\",\"sort\":\"-vmid\"},\
                    {\"name\":\"mine\",\"list\":\"nodes\",\"q\":\"\"}]",
        ),
    ] {
        let run = set(key, value).await;
        assert_eq!((run.code, run.out), (0, format!("{key}: set\n")), "{}", run.err);
    }
    let run = set("theme", "pink").await;
    assert!(run.code == 2 && run.err.contains("pink"), "{run:?}");
    let run = set("colour", "red").await;
    assert!(run.code == 2 && run.err.contains("no field “colour”"), "{run:?}");
    let run = one.muster(&["account", "preferences", "unset", "lists.guests.sort"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = one.muster(&["account", "preferences"]).await;
    assert!(
        run.out.contains("theme  dark\n") && run.out.contains("lists.guests.columns  [\"name\",\"cpu\"]\n")
    );
    let all = one.muster(&["account", "preferences", "-o", "json"]).await.json();
    assert_eq!(all["lists"], json!({"guests": {"columns": ["name", "cpu"]}}));

    // A view is a query and an order; what is said beside it counts, too.
    let rows = async |args: &[&str]| {
        let run = one.muster(&[&["guest", "ls", "-o", "json"], args].concat()).await;
        let rows = run.json()["items"].as_array().unwrap().clone();
        rows.iter().map(|row| row["vmid"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let running = rows(&["status:running", "--sort", "-vmid"]).await;
    assert!(running.len() > 1 && running.is_sorted_by(|a, b| a > b), "{running:?}");
    assert_eq!(rows(&["--view", "on"]).await, running);
    let ascending: Vec<u64> = running.iter().rev().copied().collect();
    assert_eq!(rows(&["--view", "on", "--sort", "vmid"]).await, ascending);
    assert_eq!(rows(&["--view", "on", &format!("vmid:{}", running[0])]).await, [running[0]]);
    assert_eq!(only_json(&one.muster(&["node", "ls", "--view", "mine", "-o", "json"]).await)["total"], 1);
    let run = one.muster(&["guest", "ls", "--view", "mine"]).await;
    assert!(run.code == 2 && run.err.contains("There are: on"), "of another list: {run:?}");
    let run = server.muster(&["guest", "ls", "--view", "on"]).await;
    assert!(run.code == 2 && run.err.contains("muster login"), "{run:?}");
}
