//! Exit codes and words: what went wrong is told apart, and standard output holds results alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use common::{Host, PASSWORD, muster, path, run, secret};
use pve_sim::Fault;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn six_troubles_get_six_answers() {
    let host = Host::start("9.2").await;
    let wrong = secret("not-the-password");
    let sign_in = |args: &[&str]| args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
    let (address, fingerprint, token) = (host.address.clone(), host.fingerprint.clone(), path(&host.token));

    let mut answers = Vec::new();
    let mut ask = async |name: &'static str, code: i32, words: &str, args: Vec<String>| {
        let mut line = vec!["at".to_owned()];
        line.extend(args);
        line.push("ls".to_owned());
        let refs: Vec<&str> = line.iter().map(String::as_str).collect();
        let run = muster(&refs).await;
        assert_eq!(run.code, code, "{name}: {run:?}");
        assert!(run.err.contains(words), "{name}: {words:?} in {run:?}");
        assert!(run.err.contains("hint: "), "{name}: {run:?}");
        assert_eq!(run.out, "", "{name}");
        if code != 6 {
            assert!(!run.err.contains("unreachable"), "{name}: {run:?}");
        }
        let first = run.err.lines().next().unwrap().replace(&address, "HOST");
        answers.push((name, run.code, first));
    };

    let user = |password: &str, user: &str| {
        sign_in(&[&host.address, "--user", user, "--password-file", password, "--fingerprint", &fingerprint])
    };
    ask("wrong password", 4, "rejected", user(&path(&wrong), "root@pam")).await;
    ask("second factor", 9, "second factor", user(&path(&host.password), "tfa@pve")).await;
    ask("unknown certificate", 8, &host.fingerprint, sign_in(&[&host.address, "--token-file", &token])).await;
    let by_token = |address: &str| sign_in(&[address, "--token-file", &token, "--accept-new"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().to_string();
    drop(closed);
    ask("closed port", 6, "connection refused", by_token(&port)).await;

    let plain = Host::start("9.2").await;
    plain.remote.fault(None, Fault::PlainHttp).await;
    ask("plain HTTP", 6, "plain HTTP", by_token(&plain.address)).await;

    let other = Host::start("9.2").await;
    other.remote.fault(None, Fault::NotProxmox).await;
    ask("no Proxmox VE", 10, "not a Proxmox VE", by_token(&other.address)).await;

    for (i, (name, _, said)) in answers.iter().enumerate() {
        println!("{name:20} {said}");
        for (other, _, also) in &answers[..i] {
            assert_ne!(said, also, "{name} and {other} share a message");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_needed_and_given_on_every_version() {
    for version in ["7.4", "8.4", "9.2"] {
        let host = Host::start(version).await;
        let run = host.at_as("tfa@pve", &["ls"]).await;
        assert_eq!(run.code, 9, "{version}: {run:?}");
        assert!(run.err.contains("--otp-file"), "{version}: {run:?}");

        let code = path(&secret("1a2b-3c4d-5e6f-7a8b"));
        let held = secret("1a2b-3c4d-5e6f-7a8b");
        let run = host.at_as("tfa@pve", &["--otp-file", &path(&held), "ls"]).await;
        assert_eq!(run.code, 0, "{version}: {run:?} {code}");
        assert!(run.out.contains("pve1"), "{version}: {run:?}");

        let wrong = secret("000000");
        let run = host.at_as("tfa@pve", &["--otp-file", &path(&wrong), "ls"]).await;
        assert_eq!(run.code, 4, "{version}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_signed_in_is_said_before_anything_is_sent() {
    let host = Host::start("9.2").await;
    let run = muster(&["at", &host.address, "--fingerprint", &host.fingerprint, "ls"]).await;
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.err.contains("no credential was given"), "{run:?}");

    host.remote.clear_journal();
    let other = "00:".repeat(31) + "00";
    let run =
        muster(&["at", &host.address, "--token-file", &path(&host.token), "--fingerprint", &other, "ls"])
            .await;
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.err.contains("another certificate"), "{run:?}");
    assert!(host.remote.journal().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_from_standard_input_too() {
    let host = Host::start("8.4").await;
    let args = [
        "at",
        &host.address,
        "--fingerprint",
        &host.fingerprint,
        "--user",
        "root@pam",
        "--password-file",
        "-",
        "ls",
    ];
    let got = run(&args, Some(&format!("{PASSWORD}\n")), &[]).await;
    assert_eq!(got.code, 0, "{got:?}");
    let args =
        ["at", &host.address, "--fingerprint", &host.fingerprint, "--token-fd", "0", "ls", "-o", "json"];
    let got = run(&args, Some(&format!("root@pam!ops={}", common::TOKEN_SECRET)), &[]).await;
    assert_eq!(got.code, 0, "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_wrongly_is_a_usage_error() {
    let host = Host::start("9.2").await;
    for (args, words) in [
        (vec!["at", "user@host", "ls"], "user name"),
        (vec!["at", "a=pve1", "a=pve2", "ls"], "called a"),
        (vec!["at", "pve1", "--fingerprint", "AA:BB", "ls"], "SHA-256"),
        (vec!["at", "pve1", "--token-file", "nowhere/at/all", "ls"], "nowhere/at/all"),
        (vec!["at", "pve1", "watch", "-o", "json"], "live table"),
        (vec!["at", "pve1", "watch"], "terminal"),
        (vec!["demo", "--watch"], "terminal"),
        (vec!["doctor", ""], "empty"),
    ] {
        let run = muster(&args).await;
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        assert!(format!("{}{}", run.err, run.out).contains(words), "{args:?}: {words:?} in {run:?}");
    }
    for (guest, words) in [("999", "no guest “999”"), ("pve9/101", "no guest"), ("nas", "no guest")] {
        let run = host.at(&["show", guest]).await;
        assert_eq!(run.code, 2, "{guest}: {run:?}");
        assert!(run.err.contains(words), "{guest}: {run:?}");
        assert_eq!(run.out, "");
    }
    let run = host.at(&["log", "nonsense"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    let run = host.at(&["reset", "101"]).await;
    assert_ne!(run.code, 0, "containers have no reset button: {run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_remotes_are_done_in_part_when_one_is_not_there() {
    let (one, two) = (Host::start("9.2").await, Host::start("7.4").await);
    let token = path(&one.token);
    let (a, b) = (format!("one={}", one.address), format!("two={}", two.address));
    let common =
        ["--token-file", &token, "--fingerprint", &one.fingerprint, "--fingerprint", &two.fingerprint];
    let both = |more: &[&str]| {
        let mut args = vec!["at".to_owned(), a.clone(), b.clone()];
        args.extend(common.iter().chain(more).map(|t| (*t).to_owned()));
        args
    };
    let go = async |args: Vec<String>| {
        let refs: Vec<&str> = args.iter().map(String::as_str).collect();
        muster(&refs).await
    };
    let run = go(both(&["ls", "-o", "json"])).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["total"], 8);

    // The same number on both: never the first match.
    let run = go(both(&["show", "101"])).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("one/101") && run.err.contains("two/101"), "{run:?}");
    let run = go(both(&["show", "two/101", "-o", "json"])).await;
    assert_eq!(run.json()["id"], "two/101");

    two.remote.fault(None, Fault::Refuse).await;
    let run = go(both(&["ls", "-o", "json"])).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(run.json()["total"], 4);
    assert!(run.err.contains("two: ") && run.err.contains("connection refused"), "{run:?}");
    let run = go(both(&["show", "nothing"])).await;
    assert_eq!(run.code, 2);
    assert!(run.err.contains("on the remotes that answered"), "{run:?}");
    one.remote.fault(None, Fault::Refuse).await;
    let run = go(both(&["ls", "-o", "json"])).await;
    assert_eq!((run.code, run.out.as_str()), (6, ""), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_items_and_total_with_ids_and_names() {
    let host = Host::start("9.2").await;
    let list = host.at(&["ls", "-o", "json"]).await;
    assert_eq!((list.code, list.err.as_str()), (0, ""), "{list:?}");
    let list = list.json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(list["total"], items.len());
    assert_eq!(items.len(), 4);
    for item in items {
        assert!(item["id"].as_str().unwrap().contains('/') && item["name"].is_string(), "{item}");
        assert_eq!(item["freshness"], "live");
        assert!(item["observed_at"].is_string() && item["through"].is_string(), "{item}");
    }
    assert_eq!(list["remotes"][0]["link"]["state"], "connected");

    let one = host.at(&["show", "101", "-o", "json"]).await.json();
    assert!(one["id"].as_str().unwrap().ends_with("/101"));
    assert!(one["config"]["seen"]["value"].is_object() || one["config"]["seen"]["value"].is_array(), "{one}");

    let started = host.at(&["start", "102", "-o", "json"]).await;
    assert_eq!(started.code, 0, "{started:?}");
    let operation = started.json();
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(operation["action"], "start");
    assert!(operation["id"].is_string() && operation["name"].is_string());
    assert!(operation["task"].as_str().unwrap().starts_with("UPID:pve1:"));

    let tasks = host.at(&["tasks", "-o", "json"]).await.json();
    let task = &tasks["items"][0];
    assert_eq!(task["outcome"], "ok", "{task}");
    let upid = task["id"].as_str().unwrap();
    let log = host.at(&["log", upid, "-o", "json"]).await.json();
    assert!(log["items"].as_array().unwrap().iter().all(|l| l["text"].is_string()), "{log}");
    let log = host.at(&["log", upid]).await;
    assert!(log.code == 0 && log.out.contains("TASK OK"), "{log:?}");
    let none: Value = host.at(&["ls", "no such guest", "-o", "json"]).await.json();
    assert_eq!(none["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_end_as_their_tasks_do() {
    let host = Host::start("9.2").await;
    let run = host.at(&["stop", "101"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.starts_with("stop container ") && run.out.ends_with(": done\n"), "{run:?}");

    host.remote.with_world(|world, _| world.fail_next_task("vzstart", "no space left on device"));
    let run = host.at(&["start", "101"]).await;
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
    assert!(run.err.contains("the task failed: no space left on device"), "{run:?}");
    assert!(run.err.contains("TASK ERROR"), "the end of the log: {run:?}");

    host.remote.with_world(|world, _| world.warn_next_task("vzstart", 1));
    let run = host.at(&["start", "101"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("1 warning"), "{run:?}");

    let run = host.at_as("look@pve", &["stop", "101"]).await;
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.err.contains("VM.PowerMgmt") && run.err.contains("/vms/101"), "{run:?}");

    // Nobody tells a user without rights that there are no guests.
    let run = host.at_as("nobody@pve", &["ls"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("none that this account may see"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_unknown_not_failed() {
    let host = Host::start("9.2").await;
    host.remote.with_world(|world, _| world.hang_next_task("vzshutdown"));
    let run = host.at(&["shutdown", "101", "--timeout", "2"]).await;
    assert_eq!(run.code, 7, "{run:?}");
    assert!(run.err.contains("--timeout has passed") && run.err.contains("UPID:pve1:"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_followed_ends_as_its_task_does() {
    let host = Host::start("9.2").await;
    let task = async |kind: &str| {
        let tasks = host.at(&["tasks", "-o", "json"]).await.json();
        let task = tasks["items"].as_array().unwrap().iter().find(|t| t["type"] == kind).unwrap().clone();
        task["id"].as_str().unwrap().to_owned()
    };
    host.remote.with_world(|world, _| world.fail_next_task("vzstart", "no space left on device"));
    assert_eq!(host.at(&["start", "102"]).await.code, 1);
    let failed = task("vzstart").await;
    let run = host.at(&["log", &failed, "--follow"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("The task failed: no space left"), "{run:?}");
    let run = host.at(&["log", &failed]).await;
    assert_eq!(run.code, 0, "the log was read, and no more was asked for: {run:?}");

    host.remote.with_world(|world, _| world.hang_next_task("vzshutdown"));
    assert_eq!(host.at(&["shutdown", "101", "--timeout", "2"]).await.code, 7);
    let hanging = task("vzshutdown").await;
    let began = std::time::Instant::now();
    let run = host.at(&["log", &hanging, "--follow", "--timeout", "2"]).await;
    assert_eq!(run.code, 7, "{run:?}");
    assert!(run.err.contains("--timeout has passed; the task goes on"), "{run:?}");
    assert!(began.elapsed().as_secs() < 20, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_drive_no_terminal() {
    let host = Host::start("9.2").await;
    let names = [
        (101, "\u{1b}[2J\u{1b}[31mred\u{7}"),
        (102, "line\nbreak\u{202e}drow"),
        (100, "<script>alert(1)</script>&\"'"),
        (103, "../../etc/passwd 🦀👩‍👩‍👧‍👦"),
    ];
    let long = "n".repeat(200);
    host.remote.with_world(|world, _| {
        for (vmid, name) in names {
            world.guest_mut(vmid).unwrap().set_name(name);
        }
    });
    for args in
        [vec!["ls"], vec!["show", "101"], vec!["show", "102"], vec!["stop", "101"], vec!["show", "drow"]]
    {
        let run = host.at(&args).await;
        for stream in [&run.out, &run.err] {
            let bad = stream
                .chars()
                .find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
            assert_eq!(bad, None, "{args:?}: {run:?}");
        }
    }
    // Nor do the words of a task, in the answer, in the list and in its log.
    host.remote.with_world(|world, _| world.fail_next_task("vzstart", "no \u{1b}[31mbread\u{202e}"));
    let failed = host.at(&["start", "102"]).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    let tasks = host.at(&["tasks", "-o", "json"]).await.json();
    let upid =
        tasks["items"].as_array().unwrap().iter().find(|t| t["type"] == "vzstart").unwrap()["id"].clone();
    for run in [failed, host.at(&["tasks"]).await, host.at(&["log", upid.as_str().unwrap()]).await] {
        assert!((run.out.clone() + &run.err).contains("␛[31mbread"), "{run:?}");
        assert!(!(run.out + &run.err).contains(['\u{1b}', '\u{202e}']));
    }
    let run = host.at(&["ls"]).await;
    assert!(run.out.contains("␛[2J␛[31mred␇"), "{run:?}");
    assert!(run.out.contains("line␊break<U+202E>drow"), "{run:?}");
    assert!(run.out.contains("<script>alert(1)</script>&\"'"), "{run:?}");
    assert_eq!(run.out.lines().count(), 5, "one line each: {run:?}");
    // In JSON they stand as they are.
    let list = host.at(&["ls", "-o", "json"]).await.json();
    let found: Vec<&str> =
        list["items"].as_array().unwrap().iter().filter_map(|i| i["name"].as_str()).collect();
    assert!(names.iter().all(|(_, name)| found.contains(name)), "{found:?}");

    host.remote.with_world(|world, _| world.guest_mut(101).unwrap().set_name(&long));
    // The listing is what a status daemon last gathered.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let run = host.at(&["ls"]).await;
        if run.out.contains(&long) {
            break;
        }
        assert!(std::time::Instant::now() < end, "nothing is cut in a pipe: {run:?}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_types_and_unreadable_rows_cost_nothing_else() {
    let host = Host::start("9.2").await;
    let pointer = |p: &str, value: Value| Fault::WrongType { pointer: p.to_owned(), value };
    host.remote.fault(None, pointer("/0/vmid", serde_json::json!("none")).on("/cluster/resources")).await;
    let run = host.at(&["ls", "-o", "json"]).await;
    assert_eq!(run.code, 3, "a list with a row that could not be read is not complete: {run:?}");
    let list = run.json();
    let (items, unreadable) =
        (list["items"].as_array().unwrap(), list["remotes"][0]["unreadable"].as_array().unwrap());
    let drift = list["remotes"][0]["drift"].as_array().unwrap();
    assert!(items.len() >= 3, "{list}");
    assert_eq!(unreadable.len() + drift.len(), 1, "the one odd row is told: {list}");
    assert!(!run.err.contains("unreachable"));

    let run = host.at(&["ls"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("1 guest could not be read (see -o json)"), "{run:?}");
    let run = host.at(&["show", "100"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("among those that could be read"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_number_is_not_acted_on_while_a_remote_is_not_asked() {
    let host = Host::start("9.2").await;
    let (token, place) = (path(&host.token), format!("attic={}", host.address));
    let both =
        ["at", &place, "cellar=127.0.0.1:1", "--token-file", &token, "--fingerprint", &host.fingerprint];
    let go = async |more: &[&str]| muster(&[&both[..], more].concat()).await;

    let run = go(&["reboot", "101"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("cellar could not be asked") && run.err.contains("attic/101"), "{run:?}");
    assert!(!host.remote.journal().iter().any(|e| e.path.contains("/status/reboot")), "nothing was sent");
    let run = go(&["show", "101"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("not certain"), "{run:?}");
    let run = go(&["start", "attic/102"]).await;
    assert_eq!(run.code, 0, "{run:?}");

    let run = go(&["ls", "-o", "json"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    let remotes = run.json()["remotes"].clone();
    assert_eq!(remotes[1]["name"], "cellar", "{remotes}");
    assert_eq!(remotes[1]["link"]["cause"], "refused", "{remotes}");
    assert_eq!(remotes[1]["error"]["exit_code"], 6, "{remotes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fulfilled_already_is_no_failure() {
    let host = Host::start("9.2").await;
    let run = host.at(&["start", "101"]).await;
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    assert!(run.err.contains("it is running already. Nothing to do."), "{run:?}");
    let run = host.at(&["start", "101", "-o", "json"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["state"], "nothing_to_do", "{run:?}");
    assert!(!host.remote.journal().iter().any(|e| e.path.contains("/status/start")), "nothing was sent");

    let run = host.at(&["reset", "101", "-o", "json"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(run.json()["state"], "refused", "{run:?}");
    assert!(run.json()["reason"].as_str().unwrap().contains("containers"), "{run:?}");
    let run = host.at(&["shutdown", "102"]).await;
    assert_eq!(run.code, 0, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_out_is_for_all_of_it() {
    let host = Host::start("9.2").await;
    host.remote.fault(None, Fault::Delay { ms: 60_000 }).await;
    let began = std::time::Instant::now();
    let run = host.at(&["--timeout", "2", "ls"]).await;
    assert_eq!(run.code, 6, "{run:?}");
    assert!(began.elapsed().as_secs() < 20, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_are_no_command_realm_name_or_task_are_named() {
    let host = Host::start("9.2").await;
    for (args, words) in [
        (vec!["at", "pve1", "frob"], "“frob” is neither a command nor"),
        (vec!["at", "pve1", "shwo", "101"], "Did you mean show?"),
        (vec!["at", "pve1"], "a command is missing"),
        (vec!["at", "my lab=pve1", "ls"], "letters, digits"),
        (vec!["at", "lab=pve1,", "ls"], "comma"),
        (vec!["doctor", "pve1,pve2"], "one address"),
    ] {
        let run = muster(&args).await;
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        assert!(format!("{}{}", run.err, run.out).contains(words), "{args:?}: {words:?} in {run:?}");
    }
    for user in ["root", "root@nowhere"] {
        let run = host.at_as(user, &["ls"]).await;
        assert_eq!(run.code, 2, "{user}: {run:?}");
        assert!(run.err.contains("pam") && run.err.contains("realm"), "{user}: {run:?}");
        assert!(!host.remote.journal().iter().any(|e| e.path.contains("/access/ticket")), "{user}: not sent");
    }
    let run = host.at(&["log", "UPID:pve1:0000C530:001C9BEC:6677F3B0:vzstart:101:root@pam:"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("no such task") || run.err.contains("There is no task"), "{run:?}");
    let run =
        muster(&["doctor", &format!("home={}", host.address), "--fingerprint", &host.fingerprint]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let folded = run.out.lines().filter(|l| l.starts_with("not tried")).count();
    assert!(folded <= 2, "{run:?}");
}
