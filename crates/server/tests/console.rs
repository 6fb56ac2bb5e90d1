//! The console over real HTTP: what its page may do, which form of a file is sent, and what is none of its files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;
use common::settings;
use model::access::Grants;
use serde_json::Value;
use server::listen::Doors;
use server::{App, Console, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const PAGE: &str = "<!doctype html><base href=\"__BASE__\"><meta property=\"csp-nonce\" nonce=\"__NONCE__\"><script \
                    type=\"module\" src=\"./assets/index-4mXk1a2b.js\"></script>";
const SCRIPT: &str = "/assets/index-4mXk1a2b.js";

/// Stands for a build: what is packed says so, to be told apart.
fn files() -> Vec<(String, Bytes)> {
    [
        ("index.html", PAGE),
        ("index.html.br", "packed, with its placeholders"),
        ("assets/index-4mXk1a2b.js", "plain script"),
        ("assets/index-4mXk1a2b.js.gz", "gzip script"),
        ("assets/index-4mXk1a2b.js.br", "brotli script"),
        ("assets/inter-Dx4kXJAl.woff2", "font"),
        ("muster.svg", "<svg/>"),
        ("muster.svg.gz", "gzip svg"),
    ]
    .map(|(path, text)| (path.to_owned(), Bytes::from_static(text.as_bytes())))
    .into()
}

/// A server that listens; `console`: with these files.
struct Open {
    address: SocketAddr,
    _dir: tempfile::TempDir,
    app: App,
    _stop: watch::Sender<bool>,
}

impl Open {
    async fn with(settings: Settings, console: Option<Console>) -> Self {
        Self::at(settings, console, false).await
    }

    async fn at(settings: Settings, console: Option<Console>, figures_alone: bool) -> Self {
        let (dir, app) = common::bare(settings).await;
        let app = app.console(console);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let doors = Doors::new(&app, stopped);
        if figures_alone {
            tokio::spawn(doors.metrics(listener, None));
        } else {
            tokio::spawn(doors.tcp(listener, None));
        }
        Self { address, _dir: dir, app, _stop: stop }
    }

    async fn usual() -> Self {
        Self::with(settings(), Console::new(files())).await
    }

    async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Got {
        self.ask("GET", target, headers).await
    }

    /// Sends the target as it is: a client would tidy it up.
    async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Got {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HashMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            assert!(headers.insert(name.to_owned(), value.to_owned()).is_none(), "twice: {line}");
        }
        Got { status, headers, body: body.to_owned() }
    }
}

#[derive(Debug)]
struct Got {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["type"], format!("urn:muster:{code}"), "{self:?}");
    }

    /// The page, with the number in it.
    #[track_caller]
    fn is_page(&self, base: &str) -> String {
        assert_eq!((self.status, self.header("content-type")), (200, "text/html; charset=utf-8"), "{self:?}");
        let nonce = self.body.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(self.body, PAGE.replace("__BASE__", base).replace("__NONCE__", nonce));
        assert_eq!(self.header("cache-control"), "no-store");
        nonce.to_owned()
    }
}

const OTHERS: &str = "manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
const SELF: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; font-src 'self'; \
                    img-src 'self'; style-src 'self'";

#[tokio::test]
async fn every_page_has_a_policy_with_a_number_of_its_own() {
    let open = Open::usual().await;
    let mut seen = Vec::new();
    for target in [
        "/",
        "/",
        "/setup",
        "/index.html",
        "/guests/home/101?tab=tasks",
        "/remotes/pve.example",
        "/apiary",
        "//x",
    ] {
        let page = open.get(target, &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]).await;
        let nonce = page.is_page("/");
        assert_eq!(
            page.header("content-security-policy"),
            format!("{SELF} 'nonce-{nonce}'; {OTHERS}"),
            "{target}"
        );
        assert_eq!(nonce.len(), 24, "128 bits: {nonce}");
        assert!(!seen.contains(&nonce), "{nonce} again");
        seen.push(nonce);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), value, "{target}");
        }
        assert_eq!(page.header("etag"), "", "{target}");
    }
    open.get("/", &[]).await.is_page("/");
    open.get("/", &[("accept-encoding", "br")]).await.is_page("/");
    // A worker is bound by the policy that its script came with: it has to speak with the server.
    let script = open.get(SCRIPT, &[]).await;
    assert_eq!(script.header("content-security-policy"), format!("{SELF}; {OTHERS}"));
}

#[tokio::test]
async fn the_path_of_the_public_url_is_before_everything() {
    let public =
        Settings { public_url: Some("https://muster.example/fleet/".parse().unwrap()), ..settings() };
    let open = Open::with(public, Console::new(files())).await;
    for target in ["/fleet", "/fleet/", "/fleet/guests", "/guests"] {
        open.get(target, &[]).await.is_page("/fleet/");
    }
    assert_eq!(open.get(&format!("/fleet{SCRIPT}"), &[]).await.body, "plain script");
    open.get("/fleet/api/v1/nothing", &[]).await.is_problem(404, "not_found");
    open.get("/fleet/assets/gone.js", &[]).await.is_problem(404, "not_found");
    let link = open.app.setup_link().await.unwrap().unwrap();
    let (page, _) = link.url.reveal().split_once('#').unwrap();
    assert_eq!(page, "https://muster.example/fleet/setup");

    // A path may hold what has a meaning in a page.
    let odd = Settings { public_url: Some("https://muster.example/a&b'".parse().unwrap()), ..settings() };
    Open::with(odd, Console::new(files())).await.get("/", &[]).await.is_page("/a&amp;b'/");
}

#[tokio::test]
async fn a_file_is_sent_in_the_form_asked_for() {
    let open = Open::usual().await;
    for (accepted, body, coding) in [
        (None, "plain script", ""),
        (Some("gzip, deflate, br, zstd"), "brotli script", "br"),
        (Some("gzip"), "gzip script", "gzip"),
        (Some("br;q=0.2, gzip;q=0.7"), "gzip script", "gzip"),
        (Some("br;q=0, gzip;q=0"), "plain script", ""),
        (Some("identity"), "plain script", ""),
        (Some("identity;q=0, gzip"), "gzip script", "gzip"),
    ] {
        let headers: Vec<_> = accepted.map(|accepted| ("accept-encoding", accepted)).into_iter().collect();
        let got = open.get(SCRIPT, &headers).await;
        let about = (got.status, got.body.as_str(), got.header("content-encoding"), got.header("vary"));
        assert_eq!(about, (200, body, coding, "accept-encoding"), "{accepted:?}");
        assert_eq!(got.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(got.header("cache-control"), "public, max-age=31536000, immutable");
    }
    let none = open.get(SCRIPT, &[("accept-encoding", "identity;q=0")]).await;
    none.is_problem(406, "not_acceptable");
    // What is not packed is sent as it is, and to everybody the same.
    let font = open.get("/assets/inter-Dx4kXJAl.woff2", &[("accept-encoding", "br")]).await;
    let about = (font.body.as_str(), font.header("content-encoding"), font.header("vary"));
    assert_eq!((about, font.header("content-type")), (("font", "", ""), "font/woff2"));
    // A name that says nothing of the content is asked about each time.
    assert_eq!(open.get("/muster.svg", &[]).await.header("cache-control"), "no-cache");
    // Whoever wants a file may say so.
    assert_eq!(open.get("/muster.svg", &[("accept", "image/*")]).await.status, 200);
}

#[tokio::test]
async fn what_a_browser_has_already_is_not_sent_again() {
    let open = Open::usual().await;
    let mut tags = Vec::new();
    for accepted in ["identity", "gzip", "br"] {
        let first = open.get(SCRIPT, &[("accept-encoding", accepted)]).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && !tags.contains(&tag), "{tag} is no tag of its own");
        let again = open.get(SCRIPT, &[("accept-encoding", accepted), ("if-none-match", &tag)]).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{again:?}");
        for kept in ["etag", "cache-control", "vary"] {
            assert_eq!(again.header(kept), first.header(kept), "{kept}");
        }
        tags.push(tag);
    }
    let other = open.get(SCRIPT, &[("accept-encoding", "br"), ("if-none-match", &tags[0])]).await;
    assert_eq!((other.status, other.body.as_str()), (200, "brotli script"));

    let mut changed = files();
    changed[2].1 = Bytes::from_static(b"another script");
    let other = Open::with(settings(), Console::new(changed)).await;
    let got = other.get(SCRIPT, &[("if-none-match", &tags[0])]).await;
    assert_eq!((got.status, got.body.as_str()), (200, "another script"));
}

#[tokio::test]
async fn head_tells_what_get_would() {
    let open = Open::usual().await;
    for target in ["/", "/guests", SCRIPT, "/muster.svg", "/assets/gone.js", "/api/v1/nothing"] {
        let headers = [("accept-encoding", "gzip")];
        let (head, get) = (open.ask("HEAD", target, &headers).await, open.get(target, &headers).await);
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{target}");
        for name in ["content-type", "content-length", "content-encoding", "etag", "cache-control", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {target}");
        }
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{target}");
    }
    let posted = open.ask("POST", "/", &[]).await;
    posted.is_problem(405, "wrong_method");
    assert_eq!(posted.header("allow"), "GET,HEAD");
    open.ask("DELETE", SCRIPT, &[]).await.is_problem(405, "wrong_method");
    open.ask("POST", "/guests", &[]).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn what_is_not_there_is_not_a_page() {
    let open = Open::usual().await;
    for target in [
        "/assets/gone-4mXk1a2b.js",
        "/assets/",
        "/assets",
        "/favicon.ico",
        "/robots.txt",
        "/index.html.br",
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v2/guests",
        // Nobody gets out of it, nor anything under a second name.
        "/assets/../index.html",
        "/assets/../../Cargo.toml",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/..%2f..%2fCargo.toml",
        "/assets//etc/passwd",
        "/assets/index-4mXk1a2b%2ejs",
        "/assets/index-4mXk1a2b.js.br/",
    ] {
        let got = open.get(target, &[("accept", "text/html,*/*")]).await;
        got.is_problem(404, "not_found");
        assert!(got.header("content-security-policy").starts_with("default-src 'none'; frame"), "{target}");
    }
    // These lead nowhere but to the page, which says that there is none.
    for target in ["/../../etc/passwd", "/..%2f..%2fetc%2fpasswd/x", "/%2e%2e/x"] {
        open.get(target, &[]).await.is_page("/");
    }
    // Whoever wants JSON has gone astray.
    open.get("/apii/v1/guests", &[("accept", "application/json")]).await.is_problem(404, "not_found");
    open.get("/apii/v1/guests", &[("accept", "application/json, text/html;q=0.1")]).await.is_page("/");
}

#[tokio::test]
async fn what_is_packed_is_sent_under_its_own_name_only() {
    let open = Open::usual().await;
    for packed in [".gz", ".br"] {
        open.get(&format!("{SCRIPT}{packed}"), &[]).await.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_address_of_the_figures_has_no_console() {
    let open = Open::at(settings(), Console::new(files()), true).await;
    assert_eq!(open.get("/healthz", &[]).await.status, 200);
    for target in ["/", "/setup", SCRIPT, "/muster.svg"] {
        open.get(target, &[]).await.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn without_a_console_it_is_said_how_to_build_one() {
    let open = Open::with(settings(), None).await;
    let html = [("accept", "text/html,*/*")];
    for target in ["/", "/setup", "/guests/home/101"] {
        let got = open.get(target, &html).await;
        assert_eq!((got.status, got.header("content-type")), (200, "text/html; charset=utf-8"), "{got:?}");
        for words in ["make console", "Node 20.19", "make demo", "muster user add NAME", "/api/v1/setup"] {
            assert!(got.body.contains(words), "{target}: {words} in {got:?}");
        }
        assert!(
            got.header("content-security-policy").starts_with("default-src 'none'; "),
            "no script is in it"
        );
        open.get(target, &[]).await.is_problem(404, "not_found");
    }
    open.get(SCRIPT, &html).await.is_problem(404, "not_found");
    open.get("/api/v1/nothing", &html).await.is_problem(404, "not_found");
    open.app.add_user("anna", &common::PASSWORD.into(), Grants::administrator()).await.unwrap();
    let got = open.get("/", &html).await;
    assert!(got.body.contains("muster login") && !got.body.contains("user add"), "{got:?}");
    let plain = open.get("/", &[("accept", "application/json")]).await;
    plain.is_problem(404, "not_found");
    assert!(plain.body.contains("make console"), "{plain:?}");
}
