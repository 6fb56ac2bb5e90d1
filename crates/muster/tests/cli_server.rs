//! The command line against a real server that looks after simulated hosts: every noun, every way in, every code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use common::process::Server;
use common::{Host, PASSWORD, Run, TOKEN_SECRET, path, secret};
use pve_sim::Fault;
use serde_json::Value;

/// `muster remote add HOST --name NAME …`.
async fn add(server: &Server, host: &Host, name: &str, more: &[&str]) -> Run {
    let mut line = vec!["remote", "add", &host.address, "--name", name, "--fingerprint", &host.fingerprint];
    line.extend(more);
    server.muster(&line).await
}

/// A server with one remote, `home`, signed in with a token.
async fn home(version: &str) -> (Server, Host) {
    let (server, host) = (Server::fresh().await, Host::start(version).await);
    let token = path(&host.token);
    let run = add(&server, &host, "home", &["--token-file", &token]).await;
    assert_eq!(run.code, 0, "{run:?}");
    server.until("/guests", |page| page["total"] == 4).await;
    (server, host)
}

/// Standard output is one JSON value and nothing else.
fn only_json(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{run:?}");
    let value = run.json();
    if let Some(items) = value.get("items") {
        assert!(value["total"].as_u64().is_some(), "{value}");
        for item in items.as_array().unwrap() {
            assert!(item.get("id").is_some() && item.get("name").is_some(), "{item}");
        }
    }
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn every_noun_is_listed_and_shown() {
    let (server, host) = home("9.2").await;
    server.until("/storages", |page| page["total"].as_u64() > Some(0)).await;
    let started = server.muster(&["guest", "start", "102"]).await;
    assert_eq!(started.code, 0, "{started:?}");
    assert!(started.out.contains("(home/102): done"), "{started:?}");
    server.until("/tasks", |page| page["total"].as_u64() > Some(0)).await;

    let tasks = only_json(&server.muster(&["task", "ls", "-o", "json"]).await);
    let upid = tasks["items"][0]["upid"].as_str().unwrap().to_owned();
    let operations = only_json(&server.muster(&["operation", "ls", "-o", "json"]).await);
    let operation = operations["items"][0]["id"].as_str().unwrap().to_owned();
    let end = operation[operation.len() - 6..].to_owned();
    let begins = upid.split(':').skip(1).take(2).collect::<Vec<_>>().join(":");
    let storages = only_json(&server.muster(&["storage", "ls", "-o", "json"]).await);
    let storage = storages["items"][0]["name"].as_str().unwrap().to_owned();
    let there = format!("home/{upid}");
    for (line, words) in [
        (vec!["remote", "ls"], "connected"),
        (vec!["remote", "show", "home"], host.address.as_str()),
        (vec!["remote", "coverage", "home"], "resources"),
        (vec!["remote", "endpoint", "ls", "home"], host.address.as_str()),
        (vec!["guest", "ls"], "home/101"),
        (vec!["guest", "ls", "status:running", "-vmid:101"], "home/102"),
        (vec!["guest", "show", "home/101"], "Configuration"),
        (vec!["guest", "events", "102"], "102"),
        (vec!["node", "ls"], "home/pve1"),
        (vec!["node", "show", "pve1"], "online"),
        (vec!["storage", "ls"], "home/"),
        (vec!["storage", "show", &storage], "home/"),
        (vec!["task", "ls"], "vzstart 102"),
        (vec!["task", "show", &upid], "UPID:pve1"),
        (vec!["task", "show", &begins], upid.as_str()),
        (vec!["task", "log", &format!("home/{begins}")], ""),
        (vec!["operation", "show", &end], operation.as_str()),
        (vec!["guest", "ls", "home/101"], "home/101"),
        (vec!["guest", "ls", "home/101", "type:ct"], "home/101"),
        (vec!["task", "log", &there], ""),
        (vec!["task", "follow", &there], ""),
        (vec!["operation", "ls"], "start"),
        (vec!["operation", "show", &operation], "What happened"),
        (vec!["operation", "follow", &operation], "done"),
        (vec!["event", "ls"], "home"),
        (vec!["event", "ls", "--remote", "home", "--since", "1h"], "home"),
        (vec!["event", "ls", "--guest", "102"], "102"),
    ] {
        let run = server.muster(&line).await;
        assert_eq!(run.code, 0, "{line:?}: {run:?}");
        assert!(run.out.contains(words), "{line:?}: {words:?} in {run:?}");
        assert!(!run.out.contains('\u{1b}'), "{line:?}: a pipe gets no escape");
        let mut line = line;
        line.extend(["-o", "json"]);
        let run = server.muster(&line).await;
        assert_eq!(run.code, 0, "{line:?}: {run:?}");
        match line[..2] {
            // Lines of a log have numbers.
            ["task", "log"] => assert!(run.json()["items"][0]["n"] == 1, "{run:?}"),
            [_, "follow"] => {}
            _ => drop(only_json(&run)),
        }
    }
    let run = server.muster(&["remote", "drift", "home"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["guest", "ls", "status:running", "-vmid:102"]).await;
    assert!(!run.out.contains("home/102"), "{run:?}");
    let run = server.muster(&["remote", "privileges", "--pve", "9"]).await;
    assert!(run.out.contains("pveum role add MusterOperate"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_wrong_is_a_usage_error() {
    let (server, _host) = home("8.4").await;
    for (line, words) in [
        (vec!["guest", "show", "999"], "no guest “999”"),
        (vec!["guest", "start", "nas9"], "no guest"),
        (vec!["remote", "show", "nowhere"], "nowhere"),
        (vec!["node", "show", "pve9"], "muster node ls"),
        (vec!["storage", "show", "none"], "muster storage ls"),
        (vec!["task", "log", "nonsense"], "is no task"),
        (vec!["operation", "show", "00000000-0000-7000-8000-000000000000"], "hint"),
        (vec!["user", "rm", "nobody", "--yes", "nobody"], "nobody"),
        (vec!["user", "add", "a", "--role", "boss"], "no role is called"),
    ] {
        let run = server.muster(&line).await;
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{line:?}: {run:?}");
        assert!(run.err.to_lowercase().contains(&words.to_lowercase()), "{line:?}: {words:?} in {run:?}");
    }
    let run = server.muster(&["guest", "ls", "type:ct", "stat:running"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("\n  type:ct stat:running\n          ^^^^"), "{}", run.err);
    // What the documents show is what is said.
    let said = include_str!("../../../docs/cli.md");
    for line in run.err.lines().filter(|line| !line.trim().is_empty()) {
        assert!(said.contains(line), "docs/cli.md does not say: {line}");
    }
    for (line, words) in [
        (vec!["guest", "ls", "--sort", "foo"], "There are name, remote, link, type"),
        (vec!["guest", "ls", "--sort", "cpu,,name"], "A key is missing"),
        (vec!["guest", "ls", "status:runnning"], "Did you mean running?"),
        (vec!["guest", "ls", "fresh:old"], "is nothing that fresh can be"),
        (vec!["event", "ls", "--kind", "nonsense"], "There are guest_appeared, guest_state"),
        (vec!["event", "ls", "--kind", "guest_stat"], "Did you mean guest_state?"),
        (vec!["event", "ls", "--remote", "nope"], "no remote “nope”"),
        (vec!["operation", "ls", "status:succeded"], "Did you mean succeeded?"),
    ] {
        let run = server.muster(&line).await;
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{line:?}: {run:?}");
        assert!(run.err.contains(words), "{line:?}: {words:?} in {run:?}");
    }
    for noun in ["guest", "node", "storage", "task", "operation"] {
        let run = server.muster(&[noun, "ls", "remote:nope"]).await;
        assert_eq!(run.code, 0, "{noun}: {run:?}");
        assert!(run.err.contains("No remote is called “nope”; there are home."), "{noun}: {run:?}");
    }
    let run = server.muster(&["guest", "ls", "remote:home", "name:nobody"]).await;
    assert!(!run.err.contains("is called"), "{run:?}");

    let run = server.muster(&["guest", "reset", "101"]).await;
    assert_eq!(run.code, 1, "containers have no reset button: {run:?}");
    let run = server.muster(&["guest", "suspend", "101", "--to-disk"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("containers cannot be suspended to disk"), "{run:?}");
    let run = server.muster(&["guest", "start", "101"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("Nothing to do"), "{run:?}");
    let run = server.muster(&["guest", "start", "101", "-o", "json"]).await;
    assert_eq!(run.json()["state"], "nothing_to_do", "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_signing_in_adds_a_remote() {
    let server = Server::fresh().await;
    let held = secret("1a2b-3c4d-5e6f-7a8b");
    let factor = path(&held);
    for (name, version, user, more, kind, made) in [
        ("looks", "9.2", Some("root@pam"), vec!["--rights", "look"], "token", Some("MusterLook")),
        ("operates", "8.4", Some("root@pam"), vec!["--rights", "operate"], "token", Some("MusterOperate")),
        (
            "same",
            "9.2",
            Some("root@pam"),
            vec!["--rights", "same-as-user"],
            "token",
            Some("root@pam!muster-"),
        ),
        ("keeps", "7.4", Some("root@pam"), vec!["--keep-password"], "password", None),
        ("factor", "9.2", Some("tfa@pve"), vec!["--keep-password", "--otp-file", &factor], "password", None),
        ("given", "8.4", None, vec![], "token", None),
    ] {
        let host = Host::start(version).await;
        let (password, token) = (path(&host.password), path(&host.token));
        let mut line = match user {
            Some(user) => vec!["--user", user, "--password-file", &password],
            None => vec!["--token-file", &token],
        };
        line.extend(more);
        let run = add(&server, &host, name, &line).await;
        assert_eq!(run.code, 0, "{name}: {run:?}");
        assert!(run.out.contains(&format!("{name} was added")), "{name}: {run:?}");
        if let Some(made) = made {
            assert!(run.out.contains(made), "{name}: what was made is printed: {run:?}");
        }
        for hidden in [PASSWORD, TOKEN_SECRET, "1a2b-3c4d"] {
            assert!(!format!("{run:?}").contains(hidden), "{name}: {run:?}");
        }
        let shown = only_json(&server.muster(&["remote", "show", name, "-o", "json"]).await);
        assert_eq!(shown["credential"]["kind"], kind, "{name}: {shown}");
        assert_eq!(shown["credential"]["minted"].is_object(), made.is_some(), "{name}: {shown}");

        // What a token of few rights cannot take back itself is named, with what does it on the host.
        let separate = matches!(name, "looks" | "operates");
        if name == "looks" {
            let run = server.muster(&["remote", "rm", name, "--yes", name]).await;
            assert_eq!(run.code, 3, "{name}: {run:?}");
            for command in
                ["pveum acl delete / ", "pveum user token remove 'root@pam' 'muster-", "pveum role delete "]
            {
                assert!(run.err.contains(command), "{name}: {command}: {run:?}");
            }
            assert!(run.err.contains("With --user root@pam"), "{name}: {run:?}");
            continue;
        }
        let mut line = vec!["remote", "rm", name, "--yes", name];
        if separate {
            line.extend(["--user", "root@pam", "--password-file", &password]);
        }
        let run = server.muster(&line).await;
        assert_eq!(run.code, 0, "{name}: {run:?}");
        assert_eq!(run.out.contains("removed from the host"), made.is_some(), "{name}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_leaves_nothing_behind() {
    let (server, host) = (Server::fresh().await, Host::start("9.2").await);
    let (wrong, right, token) = (secret("not-the-password"), path(&host.password), path(&host.token));
    let wrong = path(&wrong);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap().to_string();
    drop(closed);
    let other = Host::start("9.2").await;
    other.remote.fault(None, Fault::NotProxmox).await;
    let zero = "00:".repeat(31) + "00";
    let address = host.address.as_str();
    let pin = ["--fingerprint", host.fingerprint.as_str()];
    let look = ["--rights", "look"];
    for (name, code, words, address, more) in [
        (
            "no rights",
            2,
            "--rights look",
            address,
            vec!["--user", "root@pam", "--password-file", &right, pin[0], pin[1]],
        ),
        (
            "wrong password",
            4,
            "rejected",
            address,
            vec!["--user", "root@pam", "--password-file", &wrong, pin[0], pin[1], look[0], look[1]],
        ),
        ("unknown certificate", 8, host.fingerprint.as_str(), address, vec!["--token-file", &token]),
        (
            "another certificate",
            8,
            "another certificate",
            address,
            vec!["--token-file", &token, "--fingerprint", &zero],
        ),
        (
            "second factor",
            9,
            "second factor",
            address,
            vec!["--user", "tfa@pve", "--password-file", &right, pin[0], pin[1], look[0], look[1]],
        ),
        (
            "no realm",
            2,
            "no realm",
            address,
            vec!["--user", "root@ldap", "--password-file", &right, pin[0], pin[1], look[0], look[1]],
        ),
        ("nobody there", 6, "refused", nobody.as_str(), vec!["--token-file", &token, "--accept-new"]),
        (
            "no Proxmox VE",
            10,
            "not Proxmox VE",
            other.address.as_str(),
            vec!["--token-file", &token, "--accept-new"],
        ),
        (
            "token and rights",
            2,
            "kept as it is",
            address,
            vec!["--token-file", &token, pin[0], pin[1], look[0], look[1]],
        ),
    ] {
        let mut line = vec!["remote", "add", address];
        line.extend(more);
        let run = server.muster(&line).await;
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{name}: {run:?}");
        assert!(run.err.to_lowercase().contains(&words.to_lowercase()), "{name}: {words:?} in {run:?}");
        assert!(run.err.contains("hint: "), "{name}: {run:?}");
    }
    let remotes = only_json(&server.muster(&["remote", "ls", "-o", "json"]).await);
    assert_eq!(remotes["total"], 0, "{remotes}");

    let run = add(&server, &host, "home", &["--token-file", &token]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = add(&server, &host, "again", &["--token-file", &token]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("already managed as home"), "{run:?}");
    assert!(run.err.contains("muster remote reauth home"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_is_changed_left_alone_and_taken_up_again() {
    let (server, host) = home("9.2").await;
    let run = server.muster(&["remote", "edit", "home", "--name", "cellar", "--interval", "30s"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["remote", "connect", "cellar"]).await;
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    assert!(run.err.contains("cellar is connected already. Nothing to do."), "{run:?}");
    let run = server.muster(&["remote", "disconnect", "cellar"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["remote", "disconnect", "cellar"]).await;
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    assert!(run.err.contains("cellar is disconnected already. Nothing to do."), "{run:?}");
    let shown = server.muster(&["guest", "show", "101"]).await;
    assert!(
        !shown.out.contains("disconnected: disconnected") && !shown.out.contains("not read now"),
        "{shown:?}"
    );
    assert_eq!(
        shown.out.matches("disconnected by").count(),
        2,
        "the link, and all of the actions: {shown:?}"
    );
    let listed = server.muster(&["remote", "ls"]).await;
    assert!(listed.out.contains("disconnected"), "{listed:?}");
    let run = server.muster(&["guest", "ls"]).await;
    assert!(run.out.contains("cellar/101"), "what was known stays: {run:?}");
    host.remote.clear_journal();
    let run = server.muster(&["guest", "start", "102"]).await;
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.err.contains("the remote was disconnected by"), "{run:?}");
    assert!(run.err.contains("hint: To connect it: muster remote connect cellar"), "{run:?}");
    assert!(host.remote.journal().is_empty(), "nothing was sent");
    let run = server.muster(&["remote", "try", "cellar"]).await;
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.err.starts_with("muster: The remote cellar was disconnected by "), "{run:?}");
    assert!(run.err.contains("hint: To connect it: muster remote connect cellar"), "{run:?}");
    let run = server.muster(&["remote", "connect", "cellar"]).await;
    assert_eq!((run.code, run.out.as_str()), (0, "cellar: connected\n"), "{run:?}");
    let run = server.muster(&["remote", "try", "cellar"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["remote", "trust", "cellar"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("Nothing to do"), "{run:?}");

    let token = path(&host.token);
    let run = server
        .muster(&["remote", "reauth", "cellar", "--token-file", &token, "--fingerprint", &host.fingerprint])
        .await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("cellar was signed in anew"), "{run:?}");
    let run = server.muster(&["remote", "rm", "cellar", "--yes", "cellar", "-o", "json"]).await;
    assert_eq!(only_json(&run)["removed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_is_trusted_by_its_fingerprint() {
    let (server, host) = home("9.2").await;
    host.remote.fault(None, Fault::ChangeCertificate { same_ca: false }).await;
    server
        .until("/remotes/home", |r| r["link"]["state"] == "certificate_changed" || r["link"]["up"] == false)
        .await;
    let _ = server.muster(&["remote", "try", "home"]).await;
    server.until("/remotes/home", |r| r["link"]["state"] == "certificate_changed").await;
    let run = server.muster(&["remote", "trust", "home"]).await;
    assert_eq!(run.code, 8, "{run:?}");
    let now = host.remote.leaf_fingerprint(&host.remote.nodes()[0]).unwrap();
    assert!(run.err.contains(&now), "{run:?}");
    let run = server.muster(&["remote", "trust", "home", "--fingerprint", &host.fingerprint]).await;
    assert_eq!(run.code, 8, "the old one is not what it shows: {run:?}");
    let run = server.muster(&["remote", "trust", "home", "--fingerprint", &now]).await;
    assert_eq!(run.code, 0, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_are_switched_and_tasks_stopped() {
    let (server, _host) = home("9.2").await;
    for (action, guest, state) in [
        ("shutdown", "101", "stopped"),
        ("start", "101", "running"),
        ("reboot", "101", "running"),
        ("stop", "101", "stopped"),
    ] {
        let run = server.muster(&["guest", action, guest, "-o", "json"]).await;
        assert_eq!(run.code, 0, "{action}: {run:?}");
        assert_eq!(run.json()["state"], "succeeded", "{action}: {run:?}");
        assert!(run.json()["author"]["name"].is_string(), "{run:?}");
        let at = "/guests?q=vmid:101";
        server.until(at, |page| page["items"][0]["state"] == state).await;
    }
    let run = server.muster(&["guest", "start", "--query", "vmid:101,102", "--yes", "-o", "json"]).await;
    assert!(run.code == 0, "{run:?}");
    assert_eq!(run.json()["total"], 2, "{run:?}");
}

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
async fn names_are_completed_live() {
    let (server, _host) = home("9.2").await;
    let dir = server.dir_text();
    let complete = async |words: &[&str], dir: &str| {
        let mut args = vec!["--", "muster"];
        args.extend(words);
        let index = words.len().to_string();
        let env = [
            ("COMPLETE", "bash"),
            ("_CLAP_COMPLETE_INDEX", index.as_str()),
            ("_CLAP_IFS", "\n"),
            ("MUSTER_DATA_DIR", dir),
        ];
        let run = common::run(&args, None, &env).await;
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
        run.out
    };
    let found = complete(&["remote", "show", ""], &dir).await;
    assert!(found.lines().any(|l| l == "home"), "{found}");
    let found = complete(&["guest", "start", "home/"], &dir).await;
    assert!(found.contains("home/101") && found.contains("home/102"), "{found}");
    let found = complete(&["node", "show", "ho"], &dir).await;
    assert!(found.contains("home/pve1"), "{found}");
    let found = complete(&["gue"], &dir).await;
    assert!(found.contains("guest"), "{found}");
    let found = complete(&["event", "ls", "--kind", "guest_st"], &dir).await;
    assert!(found.contains("guest_state"), "{found}");
    // Each shell has its own way of asking.
    let asked = async |shell: &str, words: &[&str], env: &[(&str, &str)]| {
        let mut args = vec!["--", "muster"];
        args.extend(words);
        let mut all = vec![("COMPLETE", shell), ("MUSTER_DATA_DIR", dir.as_str())];
        all.extend(env);
        let run = common::run(&args, None, &all).await;
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{shell}: {run:?}");
        run.out
    };
    let zsh =
        asked("zsh", &["guest", "start", "home/"], &[("_CLAP_COMPLETE_INDEX", "3"), ("_CLAP_IFS", "\n")])
            .await;
    assert!(zsh.lines().any(|line| line.starts_with("home/101")), "{zsh}");
    let fish = asked("fish", &["guest", "start", "home/"], &[]).await;
    assert!(fish.lines().any(|line| line.starts_with("home/101")), "{fish}");
    let nowhere = tempfile::tempdir().unwrap();
    let found = complete(&["remote", "show", ""], nowhere.path().to_str().unwrap()).await;
    assert!(!found.contains("home"), "{found}");
    for shell in ["bash", "zsh", "fish"] {
        let run = common::muster(&["completion", shell]).await;
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.out.contains("muster") && run.out.contains("COMPLETE"), "{run:?}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_and_answered_is_shown_on_request() {
    let (server, _host) = home("9.2").await;
    let dir = server.dir_text();
    let env = [("MUSTER_LOG", "debug"), ("MUSTER_DATA_DIR", dir.as_str())];
    let run = common::run(&["guest", "ls", "--limit", "1"], None, &env).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("GET /api/v1/guests?limit=1") && run.err.contains("muster.sock"), "{run:?}");
    assert!(run.err.contains("answered GET /api/v1/guests") && run.err.contains(": 200 after "), "{run:?}");
    let run = common::run(&["guest", "ls", "stat:on"], None, &env).await;
    assert!(run.err.contains("refused: query: "), "{run:?}");
    let run = common::run(&["guest", "start", "101"], None, &env).await;
    assert!(run.err.contains("POST /api/v1/operations, with "), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_blank_is_quoted_wherever_it_is_to_be_typed() {
    let (server, host) = (Server::fresh().await, Host::start("9.2").await);
    let token = path(&host.token);
    let run = add(&server, &host, "at tic", &["--token-file", &token]).await;
    assert_eq!(run.code, 0, "{run:?}");
    server.until("/guests", |page| page["total"] == 4).await;
    let hint = run.err.lines().find_map(|line| line.strip_prefix("Look at it: muster ")).unwrap().to_owned();
    // As a shell reads it.
    let line = format!("{} {hint}", env!("CARGO_BIN_EXE_muster"));
    let out = tokio::process::Command::new("sh")
        .args(["-c", &line])
        .env("MUSTER_DATA_DIR", server.dir())
        .output()
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("at tic/101"), "{line}: {out:?}");
    let run = add(&server, &host, "again", &["--token-file", &token]).await;
    assert!(run.err.contains("muster remote reauth 'at tic'"), "{run:?}");
    let run = server.muster(&["remote", "rm", "at tic"]).await;
    assert!(run.err.contains("--yes 'at tic'"), "{run:?}");
    let run = server.muster(&["remote", "edit", "at tic", "--name", "a/b"]).await;
    assert_eq!(run.code, 2, "a name that cannot be: {run:?}");
}

/// `muster task follow …` as a process, with its lines.
fn following(
    server: &Server,
    task: &str,
    more: &[&str],
) -> (tokio::process::Child, tokio::io::Lines<impl tokio::io::AsyncBufRead>) {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["task", "follow", task, "--data-dir", &server.dir_text()])
        .args(more)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let out = tokio::io::BufReader::new(child.stdout.take().unwrap());
    (child, tokio::io::AsyncBufReadExt::lines(out))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_line_by_line_while_the_task_runs() {
    let (server, host) = home("9.2").await;
    host.remote.with_world(|world, _| world.hang_next_task("vzshutdown"));
    let run = server.muster(&["guest", "shutdown", "101", "--no-wait"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let page = server.until("/tasks?q=status:running", |page| page["total"] == 1).await;
    let upid = page["items"][0]["upid"].as_str().unwrap().to_owned();
    let running = async || {
        let shown = server.muster(&["task", "show", &upid, "-o", "json"]).await;
        assert_eq!(shown.json()["outcome"], "running", "{shown:?}");
    };
    let (mut child, mut lines) = following(&server, &upid, &[]);
    let mut next = async || {
        let line = tokio::time::timeout(std::time::Duration::from_secs(30), lines.next_line()).await;
        line.expect("no line comes").unwrap()
    };
    for words in ["asking the guest to shut down", "waiting for it"] {
        // The log is looked at while it is still empty, too: what Proxmox VE says of that is no line of it.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        host.remote.with_world(|world, _| world.log_line("vzshutdown", words));
        assert_eq!(next().await.as_deref(), Some(words));
        running().await;
    }
    let run = server.muster(&["task", "stop", &upid, "--yes"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(next().await.as_deref(), Some("TASK ERROR: interrupted by signal"));
    assert_eq!(next().await, None);
    assert_eq!(child.wait().await.unwrap().code(), Some(1), "it ends as the task did");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_and_the_settings_say_how_to_go_on() {
    let server = Server::fresh().await;
    for at in ["/", "/setup"] {
        let page =
            server.try_call(http::Method::GET, at, None, &[("accept", "text/html,*/*")]).await.unwrap();
        assert_eq!(page.status, 200, "{page:?}");
        for words in ["<h1>Muster</h1>", "muster user add NAME --role administrator", "/api/v1/setup"] {
            assert!(page.text.contains(words), "{at}: {words} in {page:?}");
        }
        let plain = server.try_call(http::Method::GET, at, None, &[]).await.unwrap();
        assert_eq!(plain.status, 404, "{plain:?}");
        assert!(plain.body["remedy"].as_str().unwrap().contains("muster user add NAME"), "{plain:?}");
    }
    // The way that the first start names works as it is printed.
    let log = server.log();
    let line =
        log.lines().find_map(|line| line.strip_prefix("or on this machine: muster ")).expect("the way");
    let password = secret("correct horse battery staple");
    let line = line.replace("NAME", "anna");
    let mut words: Vec<&str> = line.split(' ').collect();
    let password = path(&password);
    words.extend(["--password-file", &password]);
    let bare = tempfile::tempdir().unwrap();
    let run = common::run(&words, None, &[("HOME", bare.path().to_str().unwrap())]).await;
    assert_eq!((run.code, run.out.as_str()), (0, "anna: added\n"), "{words:?}: {run:?}");
    let page = server.try_call(http::Method::GET, "/", None, &[("accept", "text/html")]).await.unwrap();
    assert!(page.text.contains("muster login") && !page.text.contains("user add"), "{page:?}");

    // What a server started here would do is not what the one that runs does, and it says so.
    let shown = server.muster(&["config", "show"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    for words in ["is started here now", "A server runs on ", "reached at http://127.0.0.1:"] {
        assert!(shown.err.contains(words), "{words} in {shown:?}");
    }
    assert!(!shown.out.contains('$'), "no name of a variable stands for a value: {shown:?}");
    let checked = server.muster(&["config", "check", "--session-idle", "40d"]).await;
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.out.contains("sessions.idle (40 d) comes to nothing"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_suspended_to_disk_and_taken_up_again() {
    let (server, host) = home("9.2").await;
    let vms = server.get("/guests?q=type:vm").await;
    let vmid = vms["items"][0]["vmid"].to_string();
    let run = server.muster(&["guest", "start", &vmid]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["guest", "suspend", &vmid, "--to-disk"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = host
        .remote
        .journal()
        .iter()
        .any(|e| e.path.ends_with("/status/suspend") && format!("{e:?}").contains("todisk"));
    assert!(sent, "suspended to disk, not only to memory");
    let shown = server.muster(&["guest", "show", &vmid]).await;
    assert!(shown.out.contains("suspend --to-disk"), "{shown:?}");
    let run = server.muster(&["guest", "resume", &vmid]).await;
    assert_eq!(run.code, 0, "{run:?}");
    server.until(&format!("/guests?q=vmid:{vmid}"), |page| page["items"][0]["state"] == "running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_watched_tells_of_a_change_at_once() {
    let (server, _host) = home("9.2").await;
    let dir = server.dir_text();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["remote", "ls", "--watch", "-o", "json", "--data-dir", &dir])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let mut until = async |state: &str| {
        let seen = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it goes on");
                let list: Value = serde_json::from_str(&line).unwrap();
                if list["items"][0]["link"]["state"] == state {
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), seen).await.expect(state);
    };
    until("connected").await;
    assert_eq!(server.muster(&["remote", "disconnect", "home"]).await.code, 0);
    until("disconnected").await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_waits_for_its_second_factor_gets_it() {
    let mut topology = common::host("9.2");
    let codes = ["1a2b-3c4d-5e6f-7a8b", "0f1e-2d3c-4b5a-6978"];
    let user = topology.remotes[0].users.iter_mut().find(|u| u.userid == "tfa@pve").unwrap();
    user.recovery = codes.map(str::to_owned).to_vec();
    let (server, host) = (Server::fresh().await, Host::of(topology).await);
    let (first, second, wrong) = (secret(codes[0]), secret(codes[1]), secret("9999-9999-9999-9999"));
    let (first, second, wrong, password) = (path(&first), path(&second), path(&wrong), path(&host.password));
    let line = ["--user", "tfa@pve", "--password-file", &password, "--otp-file", &first, "--keep-password"];
    let run = add(&server, &host, "home", &line).await;
    assert_eq!(run.code, 0, "{run:?}");
    host.remote.fault(None, Fault::ExpireTickets).await;
    server.until("/remotes/home", |r| r["link"]["cause"]["code"] == "second_factor_needed").await;
    let run = server.muster(&["remote", "reauth", "home", "--otp-file", &wrong]).await;
    assert_eq!(run.code, 4, "{run:?}");
    let run = server.muster(&["remote", "reauth", "home", "--otp-file", &second]).await;
    assert_eq!((run.code, run.out.as_str()), (0, "home: connected\n"), "{run:?}");
}
