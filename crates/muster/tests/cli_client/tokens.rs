//! Tokens that were made for this command line: kept, taken back, or named.

use serde_json::json;

use crate::common;
use crate::fake::{Asked, Fake, Reply};

/// A server that signs in `alice` and makes one token after the other; `t1` it does not take back.
fn minting() -> impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static {
    let made = std::sync::atomic::AtomicUsize::new(0);
    move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/api/v1/tokens") => {
            let id = format!("t{}", made.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            Reply::Json(
                201,
                json!({
                    "token": { "id": id, "name": "muster", "user": "alice", "grants": [], "created": "2026-01-01T00:00:00Z" },
                    "secret": format!("mst_{id}_c4nary"),
                }),
            )
        }
        ("DELETE", "/api/v1/tokens/t1") => Reply::Problem(500, json!({ "detail": "a fault of Muster" })),
        ("GET", "/api/v1/setup") => {
            Reply::Json(200, json!({ "needed": false, "instance": "0badcafe", "version": "1" }))
        }
        ("GET", "/api/v1/session") | ("POST", "/api/v1/session") => Reply::Json(
            200,
            json!({ "user": "alice", "via": "token", "grants": [], "csrf": "c", "instance": "0badcafe", "version": "1" }),
        ),
        _ => Reply::Json(200, json!(null)),
    }
}

/// Tokens that were taken back, and by whom.
fn taken_back(fake: &Fake) -> Vec<(String, String)> {
    let token =
        |head: &str| head.split("Bearer mst_").nth(1).and_then(|t| t.split('_').next()).unwrap().to_owned();
    let sent = fake.mutations().into_iter().filter(|m| m.method == "DELETE" && m.path.contains("/tokens/"));
    sent.map(|m| (m.path.rsplit('/').next().unwrap().to_owned(), token(&m.head))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_anew_takes_the_former_token_back() {
    let fake = Fake::tls(None, minting()).await;
    let held = common::secret("c4nary-password");
    let password = common::path(&held);
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap())];
    let mut sign_in = vec!["login", &fake.url, "--name", "work", "--fingerprint", &fake.fingerprint];
    let by_token = sign_in.clone();
    sign_in.extend(["--user", "alice", "--password-file", &password]);
    let go = async |args: &[&str]| common::run(args, None, &env).await;
    assert_eq!(go(&sign_in).await.code, 0);
    assert!(taken_back(&fake).is_empty());
    let run = go(&sign_in).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(taken_back(&fake), [("t0".to_owned(), "t0".to_owned())]);
    // This server does not take t1 back: its id is said, so that somebody can.
    let run = go(&sign_in).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("Signed in") && run.err.contains("muster token rm t1"), "{run:?}");
    // The same token once more: it is not taken back from under itself.
    let kept = common::secret("mst_t2_c4nary");
    let run = go(&[&by_token[..], &["--token-file", &common::path(&kept)]].concat()).await;
    assert_eq!((run.code, taken_back(&fake).len()), (0, 2), "{run:?}");
    let text = std::fs::read_to_string(home.path().join(".config/muster/contexts.toml")).unwrap();
    assert!(
        text.contains("mst_t2_c4nary") && text.contains("minted = \"t2\""),
        "it is still ours to take back"
    );
}

/// A disk that is full: the token that was made is taken back, or named.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_kept_is_taken_back() {
    let fake = Fake::tls(None, minting()).await;
    let held = common::secret("c4nary-password");
    let password = common::path(&held);
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = other.path().join("token.txt");
    let full = async |home: &std::path::Path, line: &str| {
        // Nothing can be written into a file: the limit is 0.
        let script = format!("trap '' XFSZ; ulimit -f 0; exec \"$MUSTER\" {line}");
        let out = tokio::process::Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .envs([("MUSTER", env!("CARGO_BIN_EXE_muster")), ("HOME", home.to_str().unwrap())])
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    let sign_in = format!(
        "login {} --name work --fingerprint {} --user alice --password-file {password}",
        fake.url, fake.fingerprint
    );
    let (code, err) = full(home.path(), &sign_in).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("contexts.toml cannot be written") && err.contains("was taken back"), "{err}");
    assert_eq!(taken_back(&fake), [("t0".to_owned(), "t0".to_owned())]);
    let (code, err) = full(home.path(), &sign_in).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("muster token rm t1"), "it is named: {err}");

    let env = [("HOME", home.path().to_str().unwrap())];
    let words: Vec<&str> = sign_in.split(' ').collect();
    assert_eq!(common::run(&words, None, &env).await.code, 0);
    let add = format!("token add nightly --password-file {password}");
    let (code, err) = full(home.path(), &format!("{add} --file {}", file.display())).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("token.txt cannot be written") && err.contains("was taken back"), "{err}");
    assert!(!file.exists(), "an empty file is no token");
    let (code, err) = full(home.path(), &format!("{add} > /dev/full")).await;
    assert_eq!(code, Some(1), "a secret that nobody saw is of no use: {err}");
    let gone: Vec<String> = taken_back(&fake).into_iter().map(|(id, _)| id).collect();
    assert_eq!(gone, ["t0", "t1", "t3", "t4"], "{err}");
    assert!(!err.contains("c4nary"), "{err}");
}

/// What pins a certificate is not dropped because it is damaged.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pin_is_told_and_nothing_is_sent() {
    let fake = Fake::tls(None, minting()).await;
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".config/muster");
    std::fs::create_dir_all(&config).unwrap();
    let file = config.join("contexts.toml");
    let text = format!(
        "current = \"work\"\n[[context]]\nname = \"work\"\nurl = \"{}\"\nfingerprint = \"AA:BB\"\nminted = \"t0\"\n\
         token = \"mst_t0_c4nary\"\n",
        fake.url
    );
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let env = [("HOME", home.path().to_str().unwrap())];
    let run = common::run(&["logout"], None, &env).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("damaged") && run.err.contains("muster token rm t0"), "{run:?}");
    assert!(fake.asked().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_makes_a_token_without_a_password_is_not_called_not_signed_in() {
    let fake = Fake::tls(None, minting()).await;
    let held = common::secret("c4nary-password");
    let password = common::path(&held);
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap())];
    let go = async |args: &[&str]| common::run(args, None, &env).await;
    let sign_in = [
        "login",
        &fake.url,
        "--name",
        "work",
        "--fingerprint",
        &fake.fingerprint,
        "--user",
        "alice",
        "--password-file",
        &password,
    ];
    assert_eq!(go(&sign_in).await.code, 0);
    let run = go(&["token", "add", "script"]).await;
    assert_eq!(run.code, 4, "{run:?}");
    assert!(
        run.err.contains("takes the password of alice") && run.err.contains("--password-file"),
        "{run:?}"
    );
    assert!(!run.err.contains("Not signed in"), "{run:?}");
    let run = go(&["token", "add", "script", "--expires", "0d"]).await;
    assert!(run.code == 2 && !run.err.contains("time-out"), "{run:?}");
    let run = go(&["logout"]).await;
    assert!(run.code == 0 && run.err.contains("server on this machine from now on"), "{run:?}");
}
