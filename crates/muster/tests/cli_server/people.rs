//! People, tokens, signing in from elsewhere; and that no secret is said.

use crate::common::process::Server;
use crate::common::{self, Host, PASSWORD, TOKEN_SECRET, path, secret};
use crate::support::only_json;

#[tokio::test(flavor = "multi_thread")]
async fn people_and_tokens() {
    let server = Server::fresh().await;
    let link = std::fs::read_to_string(server.dir().join("setup-link")).unwrap();
    let url = link.trim().split("/setup").next().unwrap().to_owned();
    let held = secret("correct horse battery staple");
    let password = path(&held);
    let add = ["user", "add", "alice", "--role", "administrator", "--password-file", &password];
    let run = server.muster(&add).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["user", "add", "bob", "--role", "viewer", "--password-file", &password]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let users = only_json(&server.muster(&["user", "ls", "-o", "json"]).await);
    assert_eq!(users["total"], 2, "{users}");
    let run = server.muster(&["user", "role", "bob", "operator"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["user", "ls"]).await;
    assert!(run.out.contains("operator") && run.out.contains("administrator"), "{run:?}");
    let run = server.muster(&["user", "passwd", "bob", "--password-file", &password]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["user", "add", "eve", "--role", "viewer"]).await;
    assert_eq!(run.code, 2, "nobody to ask for a password: {run:?}");
    let run = server.muster(&["user", "add", "bob", "--role", "viewer", "--password-file", &password]).await;
    assert_eq!(run.code, 2, "the name is taken: {run:?}");
    let short = secret("x");
    let run =
        server.muster(&["user", "add", "eve", "--role", "viewer", "--password-file", &path(&short)]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("The password has 1 letter; it takes at least"), "{run:?}");
    std::fs::set_permissions(short.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let run =
        server.muster(&["user", "add", "eve", "--role", "viewer", "--password-file", &path(&short)]).await;
    assert!(run.code == 1 && run.err.contains("chmod 600"), "{run:?}");
    let run = server.muster(&["user", "rm", "bob", "--yes", "bob"]).await;
    assert_eq!(run.code, 0, "{run:?}");

    // Elsewhere: over HTTP on this machine.
    let run = server.muster(&["token", "add", "nightly"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains(&format!("muster login {url}\n")), "the address it really has: {url} {run:?}");
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap())];
    let elsewhere = async |args: &[&str]| common::run(args, None, &env).await;
    let wrong = secret("wrong");
    let wrong = path(&wrong);
    let run = elsewhere(&["login", &url, "--user", "alice", "--password-file", &wrong]).await;
    assert_eq!(run.code, 4, "{run:?}");
    assert!(!home.path().join(".config/muster/contexts.toml").exists(), "nothing is kept");
    let run =
        elsewhere(&["login", &url, "--name", "work", "--user", "alice", "--password-file", &password]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let kept = home.path().join(".config/muster/contexts.toml");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).unwrap().permissions()) & 0o777;
    assert_eq!(mode, 0o600);
    let text = std::fs::read_to_string(&kept).unwrap();
    assert!(
        text.contains("mst_") && !text.contains("correct horse"),
        "the token is kept, the password is not"
    );

    let run = elsewhere(&["user", "ls", "-o", "json"]).await;
    assert_eq!(only_json(&run)["total"], 1, "{run:?}");
    let run = elsewhere(&["context", "ls"]).await;
    assert!(run.out.contains("work") && run.out.contains(&url), "{run:?}");
    let file = home.path().join("token.txt");
    let file_text = file.to_str().unwrap();
    let run = elsewhere(&[
        "token",
        "add",
        "nightly",
        "--expires",
        "90d",
        "--file",
        file_text,
        "--password-file",
        &password,
    ])
    .await;
    assert_eq!(run.code, 0, "{run:?}");
    let secret_text = std::fs::read_to_string(&file).unwrap();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777;
    assert_eq!(mode, 0o600);
    assert!(secret_text.starts_with("mst_") && !run.out.contains(secret_text.trim()), "{run:?}");
    let run =
        elsewhere(&["token", "add", "nightly", "--file", file_text, "--password-file", &password]).await;
    assert_eq!(run.code, 2, "a file that is there is not written over: {run:?}");
    let tokens = only_json(&elsewhere(&["token", "ls", "-o", "json"]).await);
    assert_eq!(tokens["total"], 2, "{tokens}");
    let nightly = tokens["items"].as_array().unwrap().iter().find(|t| t["name"] == "nightly").unwrap();
    let id = nightly["id"].as_str().unwrap().to_owned();

    // A script, with nothing but the token.
    let bare = tempfile::tempdir().unwrap();
    let script = [
        ("HOME", bare.path().to_str().unwrap()),
        ("MUSTER_SERVER", url.as_str()),
        ("MUSTER_TOKEN_FILE", file_text),
    ];
    let run = common::run(&["user", "ls", "-o", "json"], None, &script).await;
    assert_eq!(only_json(&run)["total"], 1, "{run:?}");
    let run = elsewhere(&["token", "rm", &id]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = common::run(&["user", "ls"], None, &script).await;
    assert_eq!(run.code, 4, "{run:?}");

    let run =
        elsewhere(&["login", &url, "--name", "spare", "--user", "alice", "--password-file", &password]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = elsewhere(&["context", "rm", "spare"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.err.contains(&format!("muster login {url}")) && run.err.contains("muster token rm "),
        "{run:?}"
    );
    let run = elsewhere(&["context", "use", "work"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = elsewhere(&["logout"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!std::fs::read_to_string(&kept).unwrap().contains("mst_"));
    let tokens = server.get("/tokens").await;
    let kept = tokens.to_string().matches("muster on").count();
    assert_eq!(
        kept, 1,
        "the token of the login was taken back, that of what was only forgotten not: {tokens}"
    );
    let run = elsewhere(&["context", "use", "work"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    let run =
        elsewhere(&["login", "http://192.0.2.7:8088", "--user", "alice", "--password-file", &password]).await;
    assert_eq!(run.code, 2, "no password without TLS: {run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_or_no_muster_is_said() {
    let host = Host::start("9.2").await;
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token.txt");
    std::fs::write(&token, "mst_1_0123456789abcdef").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let url = format!("https://{}", host.address);
    let zero = "00:".repeat(31) + "00";
    for (pin, code, words) in [
        (Some(zero.as_str()), 8, "another certificate"),
        (None, 8, "not trusted"),
        (Some(host.fingerprint.as_str()), 1, "is not Muster"),
    ] {
        host.remote.clear_journal();
        let mut env = vec![
            ("HOME", home.path().to_str().unwrap()),
            ("MUSTER_TOKEN_FILE", token.to_str().unwrap()),
            ("MUSTER_SERVER", url.as_str()),
        ];
        env.extend(pin.map(|pin| ("MUSTER_FINGERPRINT", pin)));
        let run = common::run(&["guest", "ls"], None, &env).await;
        assert_eq!(run.code, code, "{pin:?}: {run:?}");
        assert!(run.err.contains(words), "{pin:?}: {run:?}");
        assert!(code == 1 || host.remote.journal().is_empty(), "nothing was sent");
    }
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let env = [
        ("HOME", home.path().to_str().unwrap()),
        ("MUSTER_TOKEN_FILE", token.to_str().unwrap()),
        ("MUSTER_SERVER", url.as_str()),
    ];
    let run = common::run(&["guest", "ls"], None, &env).await;
    assert!(run.code == 1 && run.err.contains("chmod 600"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_the_command_line_says_at_trace() {
    let (server, host) = (Server::fresh().await, Host::start("9.2").await);
    let (password, token) = (path(&host.password), path(&host.token));
    let dir = server.dir_text();
    let env = [("MUSTER_LOG", "trace"), ("MUSTER_DATA_DIR", dir.as_str())];
    let pin = ["--fingerprint", host.fingerprint.as_str()];
    let held = secret("c4nary-user-password-77");
    let user = path(&held);
    let mut said = String::new();
    for line in [
        vec!["remote", "add", &host.address, "--name", "a", "--token-file", &token, pin[0], pin[1]],
        vec![
            "remote",
            "reauth",
            "a",
            "--user",
            "root@pam",
            "--password-file",
            &password,
            "--rights",
            "operate",
            pin[0],
            pin[1],
        ],
        vec!["user", "add", "alice", "--role", "viewer", "--password-file", &user],
        vec!["remote", "show", "a", "-o", "json"],
        vec!["event", "ls", "-o", "json"],
    ] {
        let run = common::run(&line, None, &env).await;
        assert_eq!(run.code, 0, "{line:?}: {run:?}");
        said.push_str(&format!("{}{}", run.out, run.err));
    }
    for hidden in [PASSWORD, TOKEN_SECRET, "c4nary-user-password-77"] {
        assert!(!said.contains(hidden), "{hidden}");
    }
    assert!(said.len() > 1_000);
}
