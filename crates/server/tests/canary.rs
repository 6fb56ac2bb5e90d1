//! No secret that passes through the server is found afterwards where it does not belong: not in the log, the
//! audit, the figures, other answers, nor in the pages of the database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::{Ask, Site, Who, session_of};
use http::Method;
use model::access::{Grant, Role};
use serde_json::json;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const FIRST: &str = "CANARY-first-password";
const SECOND: &str = "CANARY-second-password";
const REMOTE: &str = "CANARY-remote-password";
const TOKEN: &str = "CANARY-remote-token";
const CODE: &str = "CANARY-code";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_stay_where_they_belong() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let site = Site::new().await;
    let router = &site.router;
    site.user("root", [Grant::everywhere(Role::Administrator)]).await;
    let mut secrets: Vec<String> = [FIRST, SECOND, REMOTE, TOKEN, CODE].map(str::to_owned).into();

    // Everything that takes or gives a secret, also wrongly.
    let user = json!({"name": "anna", "password": FIRST, "grants": [{"role": "administrator", "scope": {"kind": "all"}}]});
    let with_key = |ask: Ask, key: &str| ask.header("idempotency-key", key).by(&Who::Socket);
    with_key(Ask::post("/api/v1/users", user.clone()), "a").of(router).await.is(201, "");
    with_key(Ask::post("/api/v1/users", user), "b").of(router).await.is(409, "name_taken");
    let sign_in = Ask::post("/api/v1/session", json!({"user": "anna", "password": FIRST})).of(router).await;
    let anna = session_of(&sign_in);
    let Who::Session { cookie, csrf } = &anna else { panic!() };
    secrets.extend([cookie.split_once('=').unwrap().1.to_owned(), csrf.clone()]);
    Ask::post("/api/v1/session", json!({"user": "anna", "password": REMOTE}))
        .of(router)
        .await
        .is(401, "wrong_password");
    let made = Ask::post("/api/v1/tokens", json!({"name": "ci"})).header("idempotency-key", "t").by(&anna);
    let made = made.of(router).await;
    let token = made.json["secret"].as_str().unwrap();
    // `mst_<id>_<secret>`, where the secret may hold further underscores.
    secrets.push(token.splitn(3, '_').nth(2).unwrap().to_owned());
    secrets.push(token.to_owned());
    assert!(secrets.iter().all(|secret| secret.len() >= 10), "too short to be found only where it is");
    Ask::get("/api/v1/session").by(&Who::Token(token.into())).of(router).await.is(200, "");
    let address = site.fleet.remote(site.here).unwrap().link.endpoints[0].endpoint.to_string();
    let onboarding = Ask::post("/api/v1/onboardings", json!({"address": address, "remote": "home"}))
        .by(&anna)
        .of(router)
        .await;
    {
        let id = onboarding.json["id"].as_str().unwrap_or_else(|| panic!("{onboarding:?}"));
        let step = |what: &str, body| Ask::post(format!("/api/v1/onboardings/{id}/{what}"), body).by(&anna);
        let print = onboarding.json["certificate"]["fingerprint"].clone();
        let trusted = step("trust", json!({"fingerprint": print})).of(router).await;
        assert!(trusted.status.is_success(), "{trusted:?}");
        step("sign-in", json!({"user": "root@pam", "password": REMOTE})).of(router).await;
        step("sign-in", json!({"token": format!("root@pam!x={TOKEN}")})).of(router).await;
        step("second-factor", json!({"code": CODE})).of(router).await;
    }
    let here = format!("/api/v1/remotes/{}", site.here);
    Ask::post(format!("{here}/second-factor"), json!({"code": CODE})).by(&anna).of(router).await;
    // Where no secret is expected, one may be typed all the same.
    Ask::post(format!("{here}/try"), json!({"password": REMOTE, "deep": [{"api_token": TOKEN}]}))
        .by(&anna)
        .of(router)
        .await;
    let change =
        Ask::new(Method::PUT, "/api/v1/users/anna/password").json(&json!({"old": FIRST, "new": SECOND}));
    let change = change.header("idempotency-key", "p").by(&anna).of(router).await;
    change.is(204, "");
    // The change has ended all sessions: one that lives is there when it is looked.
    let sign_in = Ask::post("/api/v1/session", json!({"user": "anna", "password": SECOND})).of(router).await;
    let Who::Session { cookie, csrf } = session_of(&sign_in) else { panic!() };
    secrets.extend([cookie.split_once('=').unwrap().1.to_owned(), csrf]);

    let anna = session_of(&sign_in);
    // A second factor, its first code, and what takes its place.
    let proof = json!({"password": SECOND});
    let own = |path: &str, body| Ask::post(format!("/api/v1/account{path}"), body).by(&anna);
    let begun = own("/totp", proof.clone()).header("idempotency-key", "f").of(router).await.json;
    let told = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    secrets.extend([told(&begun["secret"]), told(&begun["uri"])]);
    let bytes = totp_rs::Secret::Encoded(told(&begun["secret"])).to_bytes().unwrap();
    let phone = totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 1, 30, bytes.clone()).unwrap();
    let code = json!({"code": phone.generate_current().unwrap()});
    own("/totp/confirm", json!({"code": CODE})).of(router).await.is(403, "wrong_code");
    let confirmed = own("/totp/confirm", code).header("idempotency-key", "g").of(router).await;
    confirmed.is(200, "");
    let renewed = own("/recovery-codes", proof).header("idempotency-key", "h").of(router).await;
    for codes in [&confirmed, &renewed] {
        for code in codes.json["recovery_codes"].as_array().unwrap() {
            secrets.extend([told(code), told(code).replace('-', "")]);
        }
    }
    let enter = |code: &str| json!({"user": "anna", "password": SECOND, "code": code});
    let first = told(&renewed.json["recovery_codes"][0]);
    Ask::post("/api/v1/session", enter(CODE)).of(router).await.is(401, "wrong_code");
    Ask::post("/api/v1/session", enter(&first)).of(router).await.is(200, "");

    let mut places = vec![("log".to_owned(), log.0.lock().unwrap().clone())];
    for path in [
        "/api/v1/audit?limit=1000",
        "/metrics",
        "/api/v1/users",
        "/api/v1/tokens",
        "/api/v1/sessions",
        "/api/v1/users/anna",
        "/api/v1/events",
        "/api/v1/system",
    ] {
        let answer = Ask::get(path).by(&Who::Socket).of(router).await;
        assert!(answer.text.len() > 20, "{path}: {answer:?}");
        places.push((path.to_owned(), answer.text.into_bytes()));
    }
    let backup = site.dir.path().join("copy.db");
    site.store.backup(&backup).await.unwrap();
    site.fleet.stop().await;
    site.store.close().await;
    for entry in std::fs::read_dir(site.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    assert!(places.iter().any(|(name, bytes)| name.ends_with("muster.db") && bytes.len() > 10_000));
    assert!(places[0].1.len() > 1000, "nothing was logged: the test sees nothing");
    // Nor as the bytes that it stands for.
    let raw = places.iter().any(|(_, page)| page.windows(bytes.len()).any(|window| window == bytes));
    assert!(!raw, "the secret of the second factor lies open");
    for secret in &secrets {
        assert!(secret.len() > 8, "{secret:?} would be found anywhere");
        for (name, bytes) in &places {
            let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(120)..(at + 20).min(bytes.len())];
                panic!("a secret is in {name}: …{}", String::from_utf8_lossy(around));
            }
        }
    }
}
