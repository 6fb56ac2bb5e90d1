//! Adding a remote as a conversation, and taking one away.

use std::time::Duration;

use muster::term::ask::{Ask, NoAnswer, Scripted};
use serde_json::json;
use zeroize::Zeroizing;

use crate::common::{path, secret};
use crate::fake::{Asked, Fake, Reply, page, remote, unlisted};
use crate::support::answering;

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_goes_only_by_its_name() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(
            200,
            json!({
                "id": 7, "name": "home", "credential": { "kind": "token", "user": "root@pam!muster-1", "minted": { "id": "root@pam!muster-1" } },
            }),
        ),
        _ => Reply::Json(200, json!({ "minted_removed": "root@pam!muster-1" })),
    });
    for (args, words) in [
        (vec!["remote", "rm", "home"], "--yes home"),
        (vec!["remote", "rm", "7", "--yes", "7"], "not its name"),
        (vec!["remote", "rm", "home", "--yes", "hom"], "not its name"),
    ] {
        let run = fake.muster(&args).await;
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        assert!(run.err.contains(words), "{args:?}: {run:?}");
    }
    assert!(fake.mutations().is_empty());
    let run = fake.muster(&["remote", "rm", "home", "--yes", "home"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = fake.mutations();
    assert_eq!(
        (sent[0].path.as_str(), sent[0].query.as_str()),
        ("/api/v1/remotes/7", "confirm=home&minted=remove")
    );
    let run = fake.muster(&["remote", "rm", "home", "--yes", "home", "--keep-token", "-o", "json"]).await;
    assert_eq!(run.json()["name"], "home");
    assert_eq!(fake.mutations()[1].query, "confirm=home&minted=keep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_somebody_gave_is_said_to_stay_valid() {
    for (kind, told) in [("token", true), ("password", false)] {
        let fake = Fake::start(move |asked, _| match asked.method.as_str() {
            "GET" => Reply::Json(
                200,
                json!({ "id": 7, "name": "home", "credential": { "kind": kind, "user": "root@pam!mine", "minted": null } }),
            ),
            _ => Reply::Json(200, json!({})),
        });
        let run = fake.muster(&["remote", "rm", "home", "--yes", "home"]).await;
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.err.contains("root@pam!mine was not made by Muster: it stays valid"), told, "{run:?}");
    }
}

/// Line, token and role: what is still on the host, why, and what removes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_remote_leaves_on_its_host_is_said() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(
            200,
            json!({
                "id": 7, "name": "home",
                "credential": {
                    "kind": "token", "user": "root@pam!muster-1", "rights": "look",
                    "minted": { "id": "root@pam!muster-1", "role": "MusterLook" },
                },
            }),
        ),
        _ => Reply::Json(
            200,
            json!({ "minted_left": {
                "id": "root@pam!muster-1",
                "why": "privilege missing: Permissions.Modify on /",
                "acl": { "what": "the role MusterLook of root@pam!muster-1 on /", "why": "not allowed", "command": "remove 1" },
                "token": { "what": "the token root@pam!muster-1", "why": "not allowed either", "command": "remove 2" },
                "role": { "what": "the role MusterLook", "why": "nor this", "command": "remove 3" },
                "commands": ["remove 1", "remove 2", "remove 3"],
            } }),
        ),
    });
    let run = fake.muster(&["remote", "rm", "home", "--yes", "home"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(fake.mutations()[0].query, "confirm=home&minted=remove", "it is tried");
    for words in ["on / (not allowed)", "the token root@pam!muster-1 (not allowed either)", "(nor this)"] {
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    let at = |n: u8| run.err.find(&format!("  remove {n}\n")).unwrap_or_else(|| panic!("{}", run.err));
    assert!(at(1) < at(2) && at(2) < at(3), "{}", run.err);
}

/// The fingerprint of the certificate that is shown.
const SHOWN: &str =
    "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99";

/// Onboarding as the server plays it, for an account with a second factor.
fn onboarding(asked: &Asked) -> Reply {
    let state = |step: &str| {
        json!({
            "id": "o1", "name": "https://pve.example:8006", "step": step, "endpoint": "pve.example:8006",
            "certificate": { "fingerprint": SHOWN, "subject": "CN=pve", "issuer": "CN=ca" },
            "trusted": step != "trust", "untrusted_why": "nobody vouches for it",
            "realms": [{ "name": "pam", "default": true }, { "name": "pve" }], "factors": ["totp", "recovery"],
            "signed_in": if step == "finish" { json!({
                "user": "root@pam", "with_token": false, "nodes": ["pve1"], "version": "9.2.1", "suggested_name": "pve1",
                "offers": [{ "rights": "look", "sentence": "sees everything, changes nothing", "privileges": ["VM.Audit"] }],
            }) } else { json!(null) },
            "expires": "2099-01-01T00:00:00Z",
        })
    };
    let path = asked.path.strip_prefix("/api/v1/").unwrap_or_default();
    match (asked.method.as_str(), path) {
        ("POST", "onboardings") => Reply::Json(201, state("trust")),
        ("POST", "onboardings/o1/trust") => Reply::Json(200, state("sign_in")),
        ("POST", "onboardings/o1/sign-in") if asked.body["password"] == "right" => {
            Reply::Json(200, state("second_factor"))
        }
        ("POST", "onboardings/o1/sign-in") => Reply::Problem(
            401,
            json!({
                "type": "urn:muster:credentials_rejected", "detail": "the credentials were rejected",
                "cause": { "code": "credentials_rejected", "sentence": "rejected", "remedy": "Check them.", "needs_person": true },
            }),
        ),
        ("POST", "onboardings/o1/second-factor") => Reply::Json(200, state("finish")),
        ("POST", "onboardings/o1/finish") => Reply::Json(
            201,
            json!({
                "remote": remote(7, "cellar", true), "minted": { "id": "root@pam!muster-1" },
                "done": ["made the role MusterLook: VM.Audit", "made the token root@pam!muster-1"],
            }),
        ),
        ("GET", "remotes/7") => Reply::Json(200, remote(7, "cellar", true)),
        ("DELETE", _) => Reply::Json(200, json!(null)),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adding_a_remote_is_a_conversation() {
    let fake = Fake::start(|asked, _| onboarding(asked));
    let answers = ["yes", "root", "wrong", "right", "123456", "everything", "look", "cellar"];
    let mut ask = Scripted::answering(answers);
    let (code, out, err) = answering(&fake, &["remote", "add", "pve.example"], &mut ask).await;
    assert_eq!(code, 0, "{out}{err}");
    for words in [
        "made the role MusterLook: VM.Audit",
        "made the token root@pam!muster-1",
        "cellar was added: connected",
    ] {
        assert!(out.contains(words), "{words} in {out}");
    }
    let heard = ask.heard.join("\n");
    let order = [
        "SHA-256  AA:BB",
        "Trust it?",
        "Realms of pve.example:8006: pam, pve",
        "User",
        "Password of root@pam",
        "That was rejected",
        "Password of root@pam",
        "Second factor",
        "Signed in as root@pam: Proxmox VE 9.2.1",
        "sees everything, changes nothing",
        "VM.Audit",
        "look, operate, same-as-user or password",
        "Please type one of the four words",
        "What shall it be called",
    ];
    let mut rest = heard.as_str();
    for words in order {
        let at = rest.find(words).unwrap_or_else(|| panic!("{words:?} comes not in its turn: {heard}"));
        rest = &rest[at + words.len()..];
    }
    let sent = fake.mutations();
    assert_eq!(sent[1].body, json!({ "fingerprint": SHOWN }));
    assert_eq!(sent[3].body, json!({ "user": "root@pam", "password": "right" }));
    assert_eq!(sent[4].body, json!({ "code": "123456", "kind": "totp" }));
    assert_eq!(sent[5].body, json!({ "name": "cellar", "keep": "token", "rights": "look", "connect": true }));
    assert!(!format!("{out}{err}{heard}").contains("right\n"), "no answer is repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_to_the_certificate_sends_nothing_and_leaves_nothing() {
    let fake = Fake::start(|asked, _| onboarding(asked));
    let mut ask = Scripted::answering(["no"]);
    let (code, _, err) = answering(&fake, &["remote", "add", "pve.example"], &mut ask).await;
    assert_eq!(code, 8, "{err}");
    let sent: Vec<String> = fake.mutations().iter().map(|m| format!("{} {}", m.method, m.path)).collect();
    assert_eq!(sent, ["POST /api/v1/onboardings", "DELETE /api/v1/onboardings/o1"]);
    // The third wrong password is the last, and what was begun is forgotten.
    let mut ask = Scripted::answering(["yes", "root@pam", "a", "b", "c"]);
    let (code, _, err) = answering(&fake, &["remote", "add", "pve.example"], &mut ask).await;
    assert_eq!(code, 4, "{err}");
    assert_eq!(fake.mutations().last().unwrap().method, "DELETE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_does_not_stand_ends_with_its_cause() {
    let fake = Fake::start(|_, _| Reply::Json(200, remote(7, "cellar", false)));
    let run = fake.muster(&["remote", "connect", "cellar"]).await;
    assert_eq!((run.code, run.out.as_str()), (6, ""), "{run:?}");
    assert!(run.err.contains("cellar: ") && run.err.contains("refused (192.0.2.7:8006)"), "{run:?}");
    assert!(run.err.contains("hint: Is it on?"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_managed_already_gets_one_more_address() {
    let fake = Fake::start(|asked, _| {
        let state = |step: &str| {
            json!({
                "id": "o1", "name": "https://192.0.2.8:8006", "step": step, "endpoint": "192.0.2.8:8006",
                "certificate": { "fingerprint": SHOWN, "subject": "CN=pve", "issuer": "CN=ca" }, "trusted": step != "trust",
                    "expires": "2099-01-01T00:00:00Z",
            })
        };
        match (asked.method.as_str(), asked.path.strip_prefix("/api/v1/").unwrap_or_default()) {
            ("POST", "onboardings") => Reply::Json(201, state("trust")),
            ("POST", "onboardings/o1/trust") => Reply::Json(200, state("sign_in")),
            ("POST", "onboardings/o1/sign-in") => Reply::Problem(
                409,
                json!({
                    "type": "urn:muster:already_managed", "detail": "Already managed as cellar.",
                    "candidates": [{ "id": "7", "name": "cellar", "type": "remote" }],
                }),
            ),
            ("POST", "remotes/7/endpoints") => Reply::Json(200, remote(7, "cellar", true)),
            _ => Reply::Json(200, json!(null)),
        }
    });
    let line = ["remote", "add", "192.0.2.8", "--rights", "look"];
    let mut ask = Scripted::answering(["yes", "root@pam", "secret", "no"]);
    let (code, _, err) = answering(&fake, &line, &mut ask).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("already managed as cellar"), "{err}");
    assert!(err.contains("muster remote endpoint add cellar 192.0.2.8:8006"), "{err}");
    let mut ask = Scripted::answering(["yes", "root@pam", "secret", "yes"]);
    let (code, out, err) = answering(&fake, &line, &mut ask).await;
    assert_eq!((code, out.as_str()), (0, "cellar: connected\n"), "{err}");
    let sent = fake.mutations();
    let joined = sent.iter().find(|m| m.path.ends_with("/endpoints")).unwrap();
    assert_eq!(joined.body, json!({ "address": "192.0.2.8:8006", "fingerprint": SHOWN }));
    assert_eq!(sent.last().unwrap().method, "DELETE", "what was begun is forgotten");
}

/// Somebody who takes a while to type a password.
struct Slow(Scripted);

impl Ask for Slow {
    fn present(&self) -> bool {
        self.0.present()
    }
    fn tell(&mut self, line: &str) {
        self.0.tell(line);
    }
    fn line(&mut self, question: &str, default: Option<&str>) -> Result<String, NoAnswer> {
        self.0.line(question, default)
    }
    fn secret(&mut self, question: &str) -> Result<Zeroizing<String>, NoAnswer> {
        std::thread::sleep(Duration::from_millis(1_500));
        self.0.secret(question)
    }
}

/// `--timeout` before the last step: nothing was changed, and what was begun is forgotten. After it: nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_says_whether_something_may_have_been_changed() {
    let (password, code) = (secret("right"), secret("123456"));
    let (password, code) = (path(&password), path(&code));
    for (slow, exit, words) in [("sign-in", 6, "Nothing was changed"), ("finish", 7, "muster remote ls")] {
        let fake = Fake::start(move |asked, _| {
            if asked.path.ends_with(slow) {
                std::thread::sleep(Duration::from_secs(3));
            }
            onboarding(asked)
        });
        let mut line = vec!["remote", "add", "pve.example", "--fingerprint", SHOWN, "--user", "root@pam"];
        line.extend([
            "--password-file",
            &password,
            "--otp-file",
            &code,
            "--rights",
            "look",
            "--timeout",
            "1",
        ]);
        let run = fake.muster(&line).await;
        assert_eq!(run.code, exit, "{slow}: {run:?}");
        assert!(run.err.contains("--timeout has passed") && run.err.contains(words), "{slow}: {run:?}");
        let forgotten = fake.mutations().iter().any(|m| m.method == "DELETE");
        assert_eq!(forgotten, exit == 6, "{slow}: {:?}", fake.mutations());
    }
    let fake = Fake::start(|asked, _| onboarding(asked));
    let mut ask = Slow(Scripted::answering(["yes", "root", "right", "123456", "look", "cellar"]));
    let line = ["remote", "add", "pve.example", "--timeout", "1"];
    let (code, out, err) = answering(&fake, &line, &mut ask).await;
    assert_eq!(code, 0, "what a person takes to type does not count: {out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_listed_has_no_figures_not_even_none() {
    let fake = Fake::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/remotes") => Reply::Json(200, page(&[unlisted(7, "cellar", true)])),
        ("GET", _) => Reply::Json(200, unlisted(7, "cellar", true)),
        ("POST", "/api/v1/onboardings/o1/finish") => {
            Reply::Json(201, json!({ "remote": unlisted(7, "cellar", true), "minted": null, "done": [] }))
        }
        _ => onboarding(asked),
    });
    let run = fake.muster(&["remote", "ls"]).await;
    assert!(run.code == 0 && run.out.contains("cellar"), "{run:?}");
    let cells: Vec<&str> = run.out.lines().nth(1).unwrap().split_whitespace().collect();
    assert!(!cells.contains(&"0"), "{run:?}");
    let run = fake.muster(&["remote", "show", "cellar"]).await;
    assert!(run.out.contains("first inventory not read yet"), "{run:?}");
    assert!(!run.out.contains("0 online of 0") && !run.out.contains("0 running of 0"), "{run:?}");
    let mut ask = Scripted::answering(["yes", "root", "right", "123456", "look", "cellar"]);
    let line = ["remote", "add", "pve.example", "--timeout", "2"];
    let (code, out, err) = answering(&fake, &line, &mut ask).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("cellar was added: connected, first inventory not read yet"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_understood_is_not_called_connected() {
    let fake = Fake::start(|asked, _| match asked.path.ends_with("/proposed") {
        true => Reply::Problem(409, json!({ "detail": "the link is down" })),
        false => {
            Reply::Json(200, json!({ "id": 7, "name": "cellar", "link": { "odd": true, "endpoints": [] } }))
        }
    });
    let run = fake.muster(&["remote", "connect", "cellar"]).await;
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
    assert!(run.err.contains("not understood"), "{run:?}");
    let run = fake.muster(&["remote", "endpoint", "ls", "cellar"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    let run = fake.muster(&["remote", "endpoint", "ls", "cellar", "-o", "json"]).await;
    let why = &run.json()["proposed_error"];
    assert_eq!((run.code, &why["text"]), (3, &json!("The link is down.")), "{run:?}");
    assert!(run.err.contains("The link is down."), "{run:?}");
    let fake = Fake::start(|asked, _| match asked.path.ends_with("/proposed") {
        true => Reply::Json(200, json!([{ "odd": true }])),
        false => Reply::Json(200, remote(7, "cellar", true)),
    });
    let run = fake.muster(&["remote", "endpoint", "ls", "cellar"]).await;
    assert_eq!(run.code, 1, "of what is proposed nothing was understood: {run:?}");
}
