//! Every noun listed and shown, wrong words, names completed, what is shown on request.

use crate::common::process::Server;
use crate::common::{self, Host, path, secret};
use crate::support::{add, home, only_json};

/// Whether the console's build was there when the binary was built.
const CONSOLE: bool = !env!("MUSTER_CONSOLE").eq_ignore_ascii_case("none");

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
        (vec!["overview"], "What there is"),
        (vec!["overview"], "running"),
        (vec!["remote", "ls"], "connected"),
        (vec!["remote", "show", "home"], host.address.as_str()),
        (vec!["remote", "coverage", "home"], "resources"),
        (vec!["remote", "endpoint", "ls", "home"], host.address.as_str()),
        (vec!["guest", "ls"], "home/101"),
        (vec!["guest", "ls", "status:running", "-vmid:101"], "home/102"),
        (vec!["guest", "show", "home/101"], "Configuration"),
        (vec!["guest", "events", "102"], "102"),
        (vec!["node", "ls"], "home/pve1"),
        (vec!["guest", "chart", "home/101"], "memory used"),
        (vec!["guest", "chart", "101", "--span", "year"], "the last year"),
        (vec!["guest", "open", "101"], "/#v1:0:=lxc%2F101:4:::::::"),
        (vec!["node", "show", "pve1"], "online"),
        (vec!["node", "show", "pve1"], "AMD EPYC"),
        (vec!["node", "chart", "pve1", "--span", "day"], "load"),
        (vec!["node", "open", "pve1"], "=node%2Fpve1"),
        (vec!["remote", "open", "home"], "https://127.0.0.1:"),
        (vec!["storage", "show", "local"], "iso"),
        (vec!["storage", "chart", "local@pve1"], "used"),
        (vec!["storage", "open", "home/local@pve1"], "=storage%2Fpve1%2Flocal"),
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
        (vec!["operation", "show", &operation], "muster guest start home/102"),
        (vec!["guest", "stop", "102", "--show-as"], "/api2/json/nodes/pve1/lxc/102/status/stop"),
        (vec!["guest", "stop", "101", "102", "--dry-run"], "POSSIBLE"),
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
    let said = include_str!("../../../../docs/cli.md");
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

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_and_the_settings_say_how_to_go_on() {
    let server = Server::fresh().await;
    for at in ["/", "/setup"] {
        let page =
            server.try_call(http::Method::GET, at, None, &[("accept", "text/html,*/*")]).await.unwrap();
        assert_eq!(page.status, 200, "{page:?}");
        if CONSOLE {
            assert!(page.text.contains("<base href=\"/\""), "{at}: {page:?}");
            assert!(!page.text.contains("__NONCE__") && !page.text.contains("__BASE__"), "{at}: {page:?}");
            continue;
        }
        for words in ["make console", "muster user add NAME --role administrator", "/api/v1/setup"] {
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
    let told = page.text.contains("muster login") && !page.text.contains("user add");
    assert!(told || CONSOLE, "{page:?}");

    // What a server started here would do is not what the one that runs does, and it says so.
    let shown = server.muster(&["config", "show"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    for words in ["is started here now", "A server runs on ", "reached at http://127.0.0.1:"] {
        assert!(shown.err.contains(words), "{words} in {shown:?}");
    }
    assert!(!shown.out.contains('$'), "no name of a variable stands for a value: {shown:?}");
    let checked =
        server.muster(&["config", "check", "--session-idle", "40d", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.out.contains("sessions.idle (40 d) comes to nothing"), "{checked:?}");
}
