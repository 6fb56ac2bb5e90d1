//! Remotes: each way in, what fails, what is changed.

use pve_sim::Fault;

use crate::common::process::Server;
use crate::common::{self, Host, PASSWORD, TOKEN_SECRET, path, secret};
use crate::support::{add, home, only_json};

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
