//! The server as a process: its first start, its end, and everything it refuses to start with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use common::process::Server;
use http::Method;
use rustix::process::Signal;
use serde_json::json;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What differs, in words.
#[track_caller]
fn assert_unchanged(dir: &Path, before: &[(String, Vec<u8>)]) {
    let after = everything(dir);
    let sizes = |files: &[(String, Vec<u8>)]| -> Vec<(String, usize)> {
        files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect()
    };
    assert_eq!(sizes(&after), sizes(before));
    assert!(after == before, "bytes have changed");
}

/// Every file with its bytes, so that a refusal can be seen to have changed none.
fn everything(dir: &Path) -> Vec<(String, Vec<u8>)> {
    names(dir)
        .into_iter()
        // The lock says who took it last.
        .filter(|name| name != "lock")
        .map(|name| (name.clone(), fs::read(dir.join(&name)).unwrap_or_default()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_needs_nothing_and_leaves_nothing_open() {
    let mut server = Server::fresh().await;
    let dir = server.dir();
    assert_eq!(mode(&dir), 0o700);
    for private in ["key", "muster.db", "muster.sock", "setup-link"] {
        assert_eq!(mode(&dir.join(private)), 0o600, "{private}");
    }
    let link = fs::read_to_string(dir.join("setup-link")).unwrap();
    let (url, secret) = link.trim().split_once('#').expect("the secret stands behind the #");
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/setup"), "{url}");
    assert!(!server.log().contains(secret), "printed only to a terminal");

    // It works once.
    let admin = |secret: &str| json!({"secret": secret, "user": "ada", "password": "correct horse battery"});
    let wrong = server.call(Method::POST, "/api/v1/setup", Some(admin("nonsense"))).await;
    assert!((400..500).contains(&wrong.status), "{wrong:?}");
    server.post("/setup", admin(secret)).await;
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while dir.join("setup-link").exists() {
        assert!(std::time::Instant::now() < until, "the link has done its work, and is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = server.call(Method::POST, "/api/v1/setup", Some(admin(secret))).await;
    assert!((400..500).contains(&again.status), "{again:?}");
    assert_eq!(server.get("/setup").await["needed"], false);

    let (code, took) = server.end().await;
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!dir.join("muster.sock").exists());
    server.start().await;
    assert!(!dir.join("setup-link").exists(), "it has done its work");
    assert_eq!(server.get("/setup").await["needed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_setup_link_ends_the_one_before() {
    let server = Server::fresh().await;
    let first = fs::read_to_string(server.dir().join("setup-link")).unwrap();
    let run = server.muster(&["config", "setup-link"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let admin = |link: &str| {
        let secret = link.trim().split_once('#').unwrap().1;
        json!({"secret": secret, "user": "ada", "password": "correct horse battery"})
    };
    let old = server.call(Method::POST, "/api/v1/setup", Some(admin(&first))).await;
    assert!((400..500).contains(&old.status), "{old:?}");
    server.post("/setup", admin(&run.out)).await;
    let run = server.muster(&["config", "setup-link"]).await;
    assert_ne!(run.code, 0, "there is an administrator: {run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_directory_is_refused() {
    let server = Server::fresh().await;
    let dir = server.dir_text();
    let line = ["serve", "--data-dir", &dir, "--listen", "127.0.0.1:0"];
    let second = tokio::time::timeout(Duration::from_secs(60), server.muster(&line));
    let run = second.await.expect("it serves");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("in use by another Muster"), "{run:?}");
    assert!(run.err.contains(&format!("process {}", server.pid())), "{run:?}");
    assert_eq!(server.get("/setup").await["needed"], true, "the first one is not disturbed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_leaves_nothing_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut server = Server::nowhere().with(&["--listen", &address]);
    let (code, said) = server.refused().await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    assert!(!server.dir().exists(), "{:?}", names(&server.dir()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_refused_leaves_no_key_behind() {
    let mut server = Server::nowhere().with(&["--listen", "0.0.0.0:0"]);
    fs::create_dir(server.dir()).unwrap();
    fs::set_permissions(server.dir(), fs::Permissions::from_mode(0o700)).unwrap();
    // The certificate is looked for when the key is there already.
    fs::write(server.dir().join("tls.crt"), "nothing of the kind").unwrap();
    let (code, said) = server.refused().await;
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("tls.crt"), "{said}");
    assert!(!server.dir().join("key").exists(), "{:?}", names(&server.dir()));
    fs::remove_file(server.dir().join("tls.crt")).unwrap();
    server.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_wrong_missing_or_open_are_refused_and_nothing_is_changed() {
    let mut server = Server::fresh().await;
    server.end().await;
    let (dir, key) = (server.dir(), server.dir().join("key"));
    let right = fs::read(&key).unwrap();

    fs::write(&key, format!("{}\n", "0f".repeat(32))).unwrap();
    let before = everything(&dir);
    let (code, said) = server.refused().await;
    assert_eq!(code, 1);
    assert!(said.contains("does not fit this database"), "{said}");
    assert_unchanged(&dir, &before);

    fs::remove_file(&key).unwrap();
    let (code, said) = server.refused().await;
    assert_eq!(code, 1);
    assert!(said.contains("sealing key") && said.contains("missing"), "{said}");
    assert!(!key.exists(), "never a new key in silence");

    fs::write(&key, &right).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = server.refused().await;
    assert_eq!(code, 2, "a service manager need not try again");
    assert!(said.contains("chmod 600"), "{said}");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, said) = server.refused().await;
    assert_eq!(code, 1);
    assert!(said.contains("chmod 700"), "{said}");

    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    server.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_of_ours_is_refused_and_nothing_is_changed() {
    let mut server = Server::fresh().await;
    server.end().await;
    let dir = server.dir();
    let database = dir.join("muster.db");
    let whole = fs::read(&database).unwrap();

    // A file that is none, and one whose pages were written over.
    let mut damaged = whole.clone();
    let middle = 4096..damaged.len().min(4096 * 4);
    damaged[middle].fill(0xA5);
    for bytes in [b"not a database at all, but long enough to be looked at".to_vec(), damaged] {
        fs::write(&database, &bytes).unwrap();
        let before = everything(&dir);
        let (code, said) = server.refused().await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("damaged"), "{said}");
        assert!(said.contains("hint: muster restore"), "{said}");
        assert_unchanged(&dir, &before);
    }

    // One that a later version has written: the schema's number stands behind its name.
    let mut newer = whole.clone();
    let at = newer.windows(7).position(|w| w.starts_with(b"schema") && w[6].is_ascii_digit()).unwrap();
    newer[at + 6] = b'9';
    fs::write(&database, &newer).unwrap();
    let before = everything(&dir);
    let (code, said) = server.refused().await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("written by a newer Muster"), "{said}");
    assert_unchanged(&dir, &before);

    fs::write(&database, &whole).unwrap();
    server.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_wrong_are_all_named() {
    let mut server = Server::nowhere();
    let file = server.base().join("config.toml");
    fs::write(&file, "listn = \"127.0.0.1:1\"\n[retention]\nevents = \"soon\"\n").unwrap();
    server = server.with(&["--config", file.to_str().unwrap()]);
    let (code, said) = server.refused().await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("did you mean listen?") && said.contains("soon"), "{said}");
    assert!(!server.dir().exists());
    let run = server
        .muster(&["config", "check", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"])
        .await;
    assert_eq!(run.code, 2, "{run:?}");

    fs::write(&file, "[retention]\nevents = \"9d\"\n").unwrap();
    let args =
        ["config", "show", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:7", "-o", "json"];
    let shown = server.muster(&args).await.json();
    let value = |key: &str| {
        let items = shown["items"].as_array().unwrap();
        items.iter().find(|item| item["id"] == key).cloned().unwrap_or_else(|| panic!("{key}: {shown:#}"))
    };
    assert_eq!(value("retention.events")["value"], "9d");
    assert_eq!(value("retention.events")["from"], "file");
    assert_eq!(value("listen")["source"], "--listen");
    assert_eq!(value("data-dir")["source"], "MUSTER_DATA_DIR");
    assert_eq!(value("sessions.idle")["from"], "default");
    assert_eq!(value("sessions.idle")["value"], "12h");
    let run = server
        .muster(&["config", "check", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"])
        .await;
    assert_eq!(run.code, 0, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_settings_refuses_what_a_server_refuses() {
    let mut server = Server::fresh().await;
    server.end().await;
    let base = server.base().to_owned();
    let write = |name: &str, text: &str, mode: u32| {
        let path = base.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let made = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (one, other) = (made("one"), made("other"));
    let chain = write("chain.pem", &one.cert.pem(), 0o644);
    let right = write("right.pem", &one.signing_key.serialize_pem(), 0o600);
    let open = write("open.pem", &one.signing_key.serialize_pem(), 0o644);
    let wrong = write("wrong.pem", &other.signing_key.serialize_pem(), 0o600);
    let key = fs::read_to_string(server.dir().join("key")).unwrap();
    let open_key = write("open-key", &key, 0o644);
    let garbage = write("garbage", "nothing of the kind", 0o600);
    let empty = write("empty", "\n", 0o600);
    let open_token = write("open-token", "c4nary", 0o644);
    let database = write("config.toml", "database = \"postgres://a:c4nary@127.0.0.1:1/b\"\n", 0o644);
    let dir = server.dir_text();
    let tls = |key| vec!["--listen", "0.0.0.0:0", "--tls-certificate", chain.as_str(), "--tls-key", key];
    for (args, words) in [
        (tls(wrong.as_str()), "not that of the certificate"),
        (tls(open.as_str()), "others may read it"),
        (tls(garbage.as_str()), "holds no private key"),
        (vec!["--key-file", open_key.as_str()], "chmod 600"),
        (vec!["--key-file", garbage.as_str()], "is no sealing key"),
        (vec!["--key-file", "/nowhere/key"], "/nowhere/key"),
        (vec!["--metrics-token-file", empty.as_str()], "is empty"),
        (vec!["--metrics-token-file", open_token.as_str()], "others may read it"),
        (vec!["--config", database.as_str()], "others may read it"),
    ] {
        // Without a port of its own the refusal might be another.
        let listen = if args.contains(&"--listen") { vec![] } else { vec!["--listen", "127.0.0.1:0"] };
        for command in [vec!["config", "check"], vec!["serve"]] {
            let line = [&command[..], &["--data-dir", &dir], &args[..], &listen[..]].concat();
            let run = server.muster(&line).await;
            // A database with a key that is missing is no matter of settings.
            let code = if words == "/nowhere/key" { 1 } else { 2 };
            assert_eq!(run.code, code, "{line:?}: {run:?}");
            assert!(run.err.contains(words) && !run.err.contains("c4nary"), "{line:?}: {run:?}");
        }
    }
    let run = server.muster(&[&["config", "check"], &tls(right.as_str())[..]].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    let nowhere = base.join("nowhere").to_str().unwrap().to_owned();
    let run = server.muster(&["config", "check", "--data-dir", &nowhere, "--listen", "127.0.0.1:0"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    // An address is refused that another program has; the server of this very directory has its own by right.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    for flag in ["--listen", "--metrics-listen"] {
        let mut line = vec!["config", "check", "--data-dir", nowhere.as_str(), flag, address.as_str()];
        if flag != "--listen" {
            line.extend(["--listen", "127.0.0.1:0"]);
        }
        let run = server.muster(&line).await;
        assert_eq!(run.code, 1, "{flag}: {run:?}");
        assert!(run.err.contains(&format!("{address} is taken")), "{flag}: {run:?}");
    }
    server.start().await;
    let own = server.address();
    let run = server.muster(&["config", "check", "--data-dir", &dir, "--listen", &own]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("A server runs there now"), "{run:?}");
    let run = server.muster(&["config", "check", "--data-dir", &nowhere, "--listen", &own]).await;
    assert_eq!(run.code, 1, "another one may not: {run:?}");
    server.end().await;
    assert!(!base.join("nowhere").exists(), "a check makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_as_the_servers_own_settings_say() {
    let mut server = Server::nowhere()
        .with(&["--listen", "127.0.0.1:0", "--log-level", "info", "--log-format", "json"])
        .env("MUSTER_LOG", "debug");
    server.start().await;
    server.end().await;
    let log = server.log();
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    assert!(lines.iter().any(|line| line["fields"]["message"] == "serving"), "{log}");
    assert!(!log.contains("DEBUG"), "the flag is stronger than the variable: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_for_a_database_is_ended_by_a_signal() {
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://muster@{}/muster", hole.local_addr().unwrap());
    let mut server = Server::nowhere().with(&["--listen", "127.0.0.1:0"]).env("MUSTER_DATABASE", &url);
    server.spawn();
    let asked = tokio::time::timeout(Duration::from_secs(30), hole.accept()).await;
    let _silent = asked.expect("the database is not asked").unwrap();
    let (code, took) = server.end().await;
    assert_eq!(code, 0, "{}", server.log());
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(server.log().contains("ended before it served"), "{}", server.log());
    assert!(!server.dir().exists(), "{:?}", names(&server.dir()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_its_database_is_warned_of() {
    let words = "has a sealing key but no database: this server begins empty.";
    let mut server = Server::fresh().await;
    let first = server.log();
    assert!(!first.contains("begins empty"), "a first start has made its key: {first}");
    assert!(first.contains(&format!("--role administrator --data-dir {}", server.dir_text())), "{first}");
    server.end().await;
    for file in ["muster.db", "muster.db-wal", "muster.db-shm"] {
        let _ = fs::remove_file(server.dir().join(file));
    }
    server.start().await;
    let log = server.log();
    assert!(log.contains(&format!("WARNING: {} {words}", server.dir_text())), "{log}");
    assert_eq!(log.matches(words).count(), 2, "announced, and in the log: {log}");
    assert!(log.contains("muster restore FILE --data-dir "), "{log}");

    // A key that is kept elsewhere says nothing about what was in the directory.
    let key = server.dir().join("key").to_str().unwrap().to_owned();
    let mut other = Server::nowhere().with(&["--listen", "127.0.0.1:0", "--key-file", &key]);
    other.start().await;
    assert!(!other.log().contains("begins empty"), "{}", other.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_backed_up_as_it_is_unless_another_was_named() {
    let mut server = Server::fresh().await;
    server.end().await;
    let (base, dir) = (server.base().to_owned(), server.dir());
    fs::rename(dir.join("key"), base.join("key-apart")).unwrap();
    let before = everything(&dir);
    let file = base.join("stopped.db");
    let file_text = file.to_str().unwrap();
    let said = format!("from {}, whose server does not run", dir.display());
    let run = server.muster(&["backup", file_text]).await;
    assert_eq!(run.code, 0, "without its key: {run:?}");
    assert!(run.out.contains(&said), "{run:?}");
    assert_unchanged(&dir, &before);
    fs::remove_file(&file).unwrap();

    // The usual directory of this machine, which nobody has named.
    std::os::unix::fs::symlink(&dir, base.join("muster")).unwrap();
    let token = base.join("token");
    fs::write(&token, "mst_1_0123").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let (home, token) = (base.to_str().unwrap().to_owned(), token.to_str().unwrap().to_owned());
    let usual = [("HOME", home.as_str()), ("XDG_DATA_HOME", &home), ("XDG_RUNTIME_DIR", &home)];
    let none = base.join("none.sock").to_str().unwrap().to_owned();
    let named = [
        vec![("MUSTER_SERVER", "http://127.0.0.1:1"), ("MUSTER_TOKEN_FILE", &token)],
        vec![("MUSTER_SOCKET", &none)],
        vec![("MUSTER_CONTEXT", "local")],
    ];
    for more in named {
        let run = common::run(&["backup", file_text], None, &[&usual[..], &more[..]].concat()).await;
        assert_eq!(run.code, 6, "{more:?}: {run:?}");
        assert!(!file.exists(), "another server was meant: {more:?}");
    }
    let contexts = base.join(".config/muster/contexts.toml");
    fs::create_dir_all(contexts.parent().unwrap()).unwrap();
    let text = "current = \"work\"\n[[context]]\nname = \"work\"\nurl = \"http://127.0.0.1:1\"\ntoken = \"mst_1_0\"\n";
    fs::write(&contexts, text).unwrap();
    fs::set_permissions(&contexts, fs::Permissions::from_mode(0o600)).unwrap();
    let run = common::run(&["backup", file_text], None, &usual).await;
    assert_eq!(run.code, 6, "the context in use names one: {run:?}");
    fs::remove_file(&contexts).unwrap();
    let run = common::run(&["backup", file_text], None, &usual).await;
    assert_eq!(run.code, 0, "{run:?}");

    // What may not be looked into is said, and not taken for a server that is not there.
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let run = server.muster(&["backup", file_text, "--force"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("chmod 700"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_it_speaks_tls_and_a_new_certificate_is_taken_up() {
    let mut server = Server::nowhere().with(&["--listen", "0.0.0.0:0", "--pace", "test"]);
    server.start().await;
    let log = server.log();
    assert!(log.contains("listens on https://0.0.0.0:"), "{log}");
    let fingerprint = log.lines().find_map(|line| line.split_once("SHA-256 ")).expect("it is printed").1;
    let fingerprint = fingerprint.split(' ').next().unwrap().to_owned();
    assert_eq!(mode(&server.dir().join("tls.key")), 0o600);
    let port: u16 =
        log.split_once("https://0.0.0.0:").unwrap().1.split('\n').next().unwrap().parse().unwrap();
    let shown = async || {
        let address = pve::address::Address::new(std::net::IpAddr::from([127, 0, 0, 1]).into(), port);
        let timings = pve::Timings::shrunk();
        let presented =
            pve::trust::probe_with(&address, &timings, pve::SystemStore::of::<&[u8]>([])).await.unwrap();
        presented.leaf().unwrap().fingerprint.to_string()
    };
    assert_eq!(shown().await, fingerprint);

    // Another one in its place, and SIGHUP: those who come next see it.
    let other = Server::nowhere().with(&["--listen", "0.0.0.0:0"]);
    let mut other = other;
    other.start().await;
    for file in ["tls.key", "tls.crt"] {
        fs::copy(other.dir().join(file), server.dir().join(file)).unwrap();
    }
    other.end().await;
    server.signal(Signal::HUP);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while shown().await == fingerprint {
        assert!(std::time::Instant::now() < until, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.end().await;
    let mut plain = Server::nowhere().with(&["--listen", "0.0.0.0:0", "--insecure-http"]);
    plain.start().await;
    assert!(plain.log().contains("WARNING: 0.0.0.0:"), "{}", plain.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_replaced_while_running_and_what_was_sealed_opens() {
    let mut server = Server::fresh().await;
    let before = fs::read(server.dir().join("key")).unwrap();
    let run = server.muster(&["config", "rotate-key"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let after = fs::read_to_string(server.dir().join("key")).unwrap();
    assert_ne!(before, after.as_bytes());
    assert_eq!(after.lines().filter(|line| !line.starts_with('#')).count(), 1, "the old one is gone");
    server.kill().await;
    server.start().await;
    server.end().await;
    fs::write(server.dir().join("key"), before).unwrap();
    let (code, said) = server.refused().await;
    assert_eq!(code, 1);
    assert!(said.contains("does not fit"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_and_comes_back() {
    let mut server = Server::fresh().await;
    let link = fs::read_to_string(server.dir().join("setup-link")).unwrap();
    let secret = link.trim().split_once('#').unwrap().1;
    server
        .post("/setup", json!({"secret": secret, "user": "ada", "password": "correct horse battery"}))
        .await;
    let instance = server.get("/setup").await["instance"].clone();
    let file = server.base().join("backup.db");
    let file_text = file.to_str().unwrap().to_owned();
    let run = server.muster(&["backup", &file_text]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(mode(&file), 0o600);
    let run = server.muster(&["backup", &file_text]).await;
    assert_eq!(run.code, 2, "never over another one: {run:?}");
    // Nor over what is no file: a device, a pipe, a directory. Of a link the file is written that it leads to.
    let pipe = server.base().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let [to_pipe, to_file] = ["to-pipe", "to-file"].map(|name| server.base().join(name));
    std::os::unix::fs::symlink(&pipe, &to_pipe).unwrap();
    std::os::unix::fs::symlink(&file, &to_file).unwrap();
    // No device of this machine is tried: what is wrong here would cost it.
    for odd in [pipe.as_path(), &to_pipe, &server.dir().join("muster.sock"), server.base()] {
        let before = fs::symlink_metadata(odd).unwrap().file_type();
        for force in [&["--force"][..], &[]] {
            let run = server.muster(&[&["backup", odd.to_str().unwrap()], force].concat()).await;
            assert_eq!(run.code, 2, "{odd:?}: {run:?}");
            assert!(run.err.contains("is no ordinary file"), "{odd:?}: {run:?}");
        }
        assert_eq!(fs::symlink_metadata(odd).unwrap().file_type(), before, "{odd:?}");
    }
    let run = server.muster(&["backup", to_file.to_str().unwrap(), "--force"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(fs::symlink_metadata(&to_file).unwrap().is_symlink() && file.is_file());

    // The server runs: its directory is not touched.
    let run = server.muster(&["restore", &file_text, "--data-dir", &server.dir_text(), "--replace"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("in use"), "{run:?}");
    server.end().await;
    let run = server.muster(&["restore", &file_text, "--data-dir", &server.dir_text()]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("--replace"), "{run:?}");

    // Of a server that is stopped, and with what is there replaced.
    let again = server.base().join("again.db");
    let run = server.muster(&["backup", again.to_str().unwrap()]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["restore", &file_text, "--data-dir", &server.dir_text(), "--replace"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("fits"), "{run:?}");
    assert!(server.dir().join("muster.db.replaced-1").exists(), "{:?}", names(&server.dir()));
    server.start().await;
    assert_eq!(server.get("/setup").await["instance"], instance);
    assert_eq!(server.get("/setup").await["needed"], false, "ada is there");
    server.end().await;

    // Into an empty directory, without the key and then with it.
    let new = server.base().join("new");
    let new_text = new.to_str().unwrap().to_owned();
    let run = server.muster(&["restore", &file_text, "--data-dir", &new_text]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("not there yet"), "{run:?}");
    let run = server.muster(&["serve", "--data-dir", &new_text, "--listen", "127.0.0.1:0"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("missing"), "{run:?}");

    // What is no backup changes nothing.
    fs::write(&file, "nothing of the kind, but long enough").unwrap();
    let third = server.base().join("third");
    let run = server.muster(&["restore", &file_text, "--data-dir", third.to_str().unwrap()]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains(&format!("{file_text} is no backup of Muster")), "{run:?}");
    assert!(!third.exists());

    // Nor does a key that does not fit; what was there before stays, and nothing else.
    let deep = server.base().join("deep/er");
    let wrong = server.base().join("wrong");
    fs::write(&wrong, "0f".repeat(32)).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let [deep_text, wrong_text, again_text] = [&deep, &wrong, &again].map(|path| path.to_str().unwrap());
    let run =
        server.muster(&["restore", again_text, "--data-dir", deep_text, "--key-file", wrong_text]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("does not fit this backup"), "{run:?}");
    assert!(run.err.contains("empty database"), "{run:?}");
    assert!(!server.base().join("deep").exists());
    // Where there is a database it stays, and nobody is told of an empty one.
    let here = server.dir_text();
    let run = server
        .muster(&["restore", again_text, "--data-dir", &here, "--key-file", wrong_text, "--replace"])
        .await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!run.err.contains("empty") && run.err.contains("is as it was"), "{run:?}");
    fs::create_dir_all(&deep).unwrap();
    fs::set_permissions(&deep, fs::Permissions::from_mode(0o700)).unwrap();
    // What lies there and is none is said, not taken for one that is still to come.
    fs::write(deep.join("key"), "nothing of the kind").unwrap();
    fs::set_permissions(deep.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let run = server.muster(&["restore", again_text, "--data-dir", deep_text]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("is no sealing key"), "{run:?}");
    assert_eq!(names(&deep), ["key"]);
    fs::copy(&wrong, deep.join("key")).unwrap();
    let run = server.muster(&["restore", again_text, "--data-dir", deep_text]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(names(&deep), ["key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_and_its_directories_are_used() {
    let base = tempfile::tempdir().unwrap();
    let [state, runtime, credentials] = ["state", "run", "credentials"].map(|name| base.path().join(name));
    for dir in [&state, &runtime, &credentials] {
        fs::create_dir(dir).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::write(credentials.join("muster-key"), "ab".repeat(32)).unwrap();
    let notify = base.path().join("notify");
    let manager = tokio::net::UnixDatagram::bind(&notify).unwrap();
    let heard = async || {
        let mut bytes = [0; 500];
        let told = tokio::time::timeout(Duration::from_secs(30), manager.recv(&mut bytes));
        let n = told.await.expect("nothing is told").unwrap();
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    };
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("STATE_DIRECTORY", &state)
        .env("RUNTIME_DIRECTORY", &runtime)
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .env("NOTIFY_SOCKET", &notify)
        .env("WATCHDOG_USEC", "2000000")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    assert!(heard().await.starts_with("READY=1\nSTATUS=serving http://127.0.0.1:"));
    assert_eq!(mode(&runtime.join("muster.sock")), 0o660);
    assert!(state.join("muster.db").exists());
    assert!(!state.join("key").exists(), "the key stays where the service manager keeps it");
    let socket = runtime.join("muster.sock").to_str().unwrap().to_owned();
    let run = common::run(&["remote", "ls", "-o", "json"], None, &[("MUSTER_SOCKET", &socket)]).await;
    assert_eq!(run.code, 0, "the command line finds it: {run:?}");
    assert_eq!(heard().await, "WATCHDOG=1");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    while heard().await != "STOPPING=1" {}
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}
