//! A server that is not there, is elsewhere, or is none.

use serde_json::json;

use crate::common::{self, muster};
use crate::fake::{Asked, Fake, Reply, guest, page};

#[tokio::test(flavor = "multi_thread")]
async fn no_server_says_what_was_tried_and_how_to_start_one() {
    let nowhere = tempfile::tempdir().unwrap();
    let dir = nowhere.path().to_str().unwrap();
    for command in [
        vec!["guest", "ls"],
        vec!["guest", "start", "web"],
        vec!["remote", "ls", "-o", "json"],
        vec!["node", "ls"],
        vec!["storage", "ls"],
        vec!["task", "ls"],
        vec!["operation", "ls"],
        vec!["event", "ls"],
        vec!["user", "ls"],
        vec!["token", "ls"],
    ] {
        let mut line = command.clone();
        line.extend(["--data-dir", dir]);
        let run = muster(&line).await;
        assert_eq!((run.code, run.out.as_str()), (6, ""), "{command:?}: {run:?}");
        for words in ["No server found", "muster.sock: not there", "muster serve", "muster login URL"] {
            assert!(run.err.contains(words), "{command:?}: {words} in {run:?}");
        }
    }
}

/// A server that signs in `alice`, makes a token for her, and knows her by it.
fn people(asked: &Asked) -> Reply {
    let session = |via: &str| {
        json!({
            "user": "alice", "via": via, "grants": [], "csrf": "c-77", "instance": "0badcafe", "version": "1",
        })
    };
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/setup") => {
            Reply::Json(200, json!({ "needed": false, "instance": "0badcafe", "version": "1" }))
        }
        ("POST", "/api/v1/session") if asked.body["password"] == "c4nary-password" => {
            Reply::Json(201, session("session"))
        }
        ("POST", "/api/v1/session") => Reply::Problem(401, json!({ "detail": "wrong name or password" })),
        ("POST", "/api/v1/tokens") => Reply::Json(
            201,
            json!({
                "token": { "id": "4f1c", "name": "muster", "user": "alice", "grants": [], "created": "2026-01-01T00:00:00Z" },
                "secret": "mst_4f1c_c4nary",
            }),
        ),
        ("DELETE", _) => Reply::Json(200, json!(null)),
        ("GET", "/api/v1/guests") if asked.head.contains("Bearer mst_4f1c_c4nary") => {
            Reply::Json(200, page(&[guest((1, "home"), 101, "web", "running")]))
        }
        _ => Reply::Problem(401, json!({ "detail": "not signed in" })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_is_believed_by_the_certificate_that_was_confirmed() {
    let fake = Fake::tls(None, |asked, _| people(asked)).await;
    let held = common::secret("c4nary-password");
    let password = common::path(&held);
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap()), ("MUSTER_LOG", "trace")];
    let go = async |args: &[&str]| common::run(args, None, &env).await;
    let sign_in = ["login", &fake.url, "--name", "work", "--user", "alice", "--password-file", &password];

    let run = go(&sign_in).await;
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.err.contains(&fake.fingerprint) && run.err.contains("Nothing was sent"), "{run:?}");
    let zero = "00:".repeat(31) + "00";
    let run = go(&[&sign_in[..], &["--fingerprint", &zero]].concat()).await;
    assert_eq!(run.code, 8, "{run:?}");
    assert!(fake.asked().is_empty(), "nothing was sent before the certificate was believed");

    let run = go(&[&sign_in[..], &["--fingerprint", &fake.fingerprint]].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = fake.mutations();
    let lines: Vec<String> = sent.iter().map(|m| format!("{} {}", m.method, m.path)).collect();
    assert_eq!(lines, ["POST /api/v1/session", "POST /api/v1/tokens", "DELETE /api/v1/session"]);
    assert!(sent[1].head.to_lowercase().contains("x-muster-csrf: c-77"), "{}", sent[1].head);

    let listed = go(&["guest", "ls"]).await;
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.out.contains("home/101"), "{listed:?}");
    for said in [&run, &listed] {
        assert!(!said.err.contains("c4nary") && !said.out.contains("c4nary"), "no secret is told: {said:?}");
    }

    // Another one sits there now, with a certificate of its own.
    let port: u16 = fake.url.rsplit(':').next().unwrap().parse().unwrap();
    let file = home.path().join(".config/muster/contexts.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let other = Fake::tls(None, |asked, _| people(asked)).await;
    let there: u16 = other.url.rsplit(':').next().unwrap().parse().unwrap();
    std::fs::write(&file, text.replace(&port.to_string(), &there.to_string())).unwrap();
    let run = go(&["guest", "ls"]).await;
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.err.contains("another certificate") && run.err.contains("--name work"), "{run:?}");
    assert!(other.asked().is_empty(), "the token was not sent there");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_goes_to_what_is_no_muster() {
    let fake = Fake::tls(None, |asked, _| match asked.path.as_str() {
        "/api/v1/setup" => Reply::Text(200, "another program"),
        "/ui/api/v1/setup" => Reply::Problem(404, json!({ "detail": "There is no such page." })),
        _ => people(asked),
    })
    .await;
    let held = common::secret("c4nary-password");
    let password = common::path(&held);
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap())];
    let pin = ["--user", "alice", "--password-file", &password, "--fingerprint", &fake.fingerprint];
    let deep = format!("{}/ui/", fake.url);
    for (url, words) in
        [(&fake.url, "is not Muster"), (&deep, "without what a browser shows behind it: https://127.")]
    {
        let run = common::run(&[&["login", url.as_str()][..], &pin].concat(), None, &env).await;
        assert_eq!((run.code == 1 || run.code == 2, run.out.as_str()), (true, ""), "{url}: {run:?}");
        assert!(run.err.contains(words) && run.err.contains("No password was sent"), "{url}: {run:?}");
    }
    assert!(fake.mutations().is_empty(), "{:?}", fake.mutations());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_empty_or_cannot_be_written_is_none() {
    let empty = Fake::start(|_, _| Reply::Text(200, ""));
    let place = tempfile::tempdir().unwrap();
    let good = place.path().join("good.db");
    std::fs::write(&good, "whole").unwrap();
    for line in [vec!["backup", good.to_str().unwrap(), "--force"], vec!["backup", "-"]] {
        let run = empty.muster(&line).await;
        assert_eq!(run.code, 1, "{line:?}: {run:?}");
        assert!(run.err.contains("empty backup"), "{line:?}: {run:?}");
    }
    assert_eq!(std::fs::read_to_string(&good).unwrap(), "whole");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");

    let some = Fake::start(|_, _| Reply::Text(200, "no line end"));
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["backup", "-", "--data-dir"]).arg(some.dir()).stdin(std::process::Stdio::null());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    command.stdout(full).stderr(std::process::Stdio::piped());
    let ended = command.spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot be written"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn help_that_cannot_be_written_was_not_given() {
    for line in [&["--help"][..], &["guest", "ls", "--help"], &["--version"]] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        command
            .args(line)
            .stdin(std::process::Stdio::null())
            .stdout(full)
            .stderr(std::process::Stdio::piped());
        let ended = command.spawn().unwrap().wait_with_output().await.unwrap();
        assert_eq!(ended.status.code(), Some(1), "{line:?}: {ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot be written"), "{line:?}: {ended:?}");
    }
    for (line, code) in [(&["--help"][..], 0), (&["--version"], 0), (&["guest", "--nonsense"], 2), (&[], 2)] {
        let run = muster(line).await;
        assert_eq!(run.code, code, "{line:?}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_this_machine_that_speaks_no_tls_is_proposed_without() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap())];
    let run = common::run(&["login", &format!("https://{address}")], None, &env).await;
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.err.contains(&format!("muster login http://{address}")), "{run:?}");
    // Where nothing answers at all there is nothing to propose.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = common::run(&["login", &format!("https://{free}")], None, &env).await;
    assert!(run.code == 6 && !run.err.contains("http://"), "{run:?}");
}
