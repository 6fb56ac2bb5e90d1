//! Who may what: every route of the API, by every kind of caller, as the routes themselves declare it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::{Ask, Site, THERE, Who};
use http::{Method, StatusCode};
use model::RemoteId;
use model::access::{Act, Grant, Grants, Role};
use proptest::prelude::*;
use server::openapi::{Declared, declared};

/// A path with its parameters filled in.
fn filled(declared: &Declared, remote: &str) -> String {
    let filled = declared.path.replace("{remote}", remote).replace("{vmid}", "101").replace("{node}", "pve1");
    let mut path = String::new();
    let mut rest = filled.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push_str("nothing-of-this-name");
        rest = after.split_once('}').unwrap().1;
    }
    path + rest
}

/// A request that is understood as little as can be: who may passes the gate, and nothing is changed by it.
fn ask(declared: &Declared, path: String, who: &Who) -> Ask {
    let ask = Ask::new(declared.method.clone(), path).by(who);
    if declared.method == Method::GET { ask } else { ask.json(&serde_json::json!("no such thing")) }
}

fn act(declared: &Declared) -> Option<Act> {
    declared.needs["act"].as_str().map(|act| act.parse().unwrap())
}

/// What the declaration promises: 401, 403, 404, or (`None`) that the gate lets it pass.
fn promised(declared: &Declared, grants: &Grants, remote: RemoteId) -> Option<StatusCode> {
    let place = declared.needs["where"].as_str().unwrap();
    let names_remote = declared.path.contains("{remote}");
    if place != "open" && names_remote && !grants.sees(remote) {
        return Some(StatusCode::NOT_FOUND);
    }
    let allowed = match (place, act(declared)) {
        ("open" | "signed_in", _) => true,
        ("remote", Some(act)) => grants.may(act, Some(remote)),
        ("somewhere", Some(Act::Read)) => true,
        ("somewhere", Some(act)) => grants.may_somewhere(act),
        ("everywhere", Some(act)) => grants.may(act, None),
        other => panic!("{}: {other:?}", declared.id),
    };
    (!allowed).then_some(StatusCode::FORBIDDEN)
}

/// What would disturb the site for those who come after.
fn spared(declared: &Declared) -> bool {
    let heavy = ["system.backup", "system.rotate_key"];
    let changing = declared.method != Method::GET && declared.path.contains("/remotes/{remote}");
    heavy.contains(&declared.id.as_str()) || changing || declared.path.ends_with("/stream")
}

#[test]
fn every_route_says_what_it_takes() {
    let all = declared();
    assert!(all.len() > 20, "{} operations", all.len());
    for one in &all {
        assert!(one.needs["where"].is_string(), "{} {} has no gate", one.method, one.path);
        let open =
            ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/setup", "/api/v1/session"];
        assert_eq!(
            one.needs["where"] == "open",
            open.contains(&one.path.as_str())
                && !(one.path.ends_with("/session") && one.method != Method::POST),
            "{} {}",
            one.method,
            one.path
        );
    }
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other.id != one.id), "{} is there twice", one.id);
        assert!(one.id.contains('.'), "{} has no noun", one.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_passes_who_does_not_say_who_they_are() {
    let (_dir, app) = common::bare(common::settings()).await;
    let router = app.router();
    for one in declared().iter().filter(|one| one.needs["where"] != "open") {
        for who in [Who::Nobody, Who::Token("mst_abc_def".into()), Who::Token("nonsense".into())] {
            let answer = ask(one, filled(one, "1"), &who).of(&router).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{} {}: {answer:?}", one.method, one.path);
        }
    }
}

/// Roles × scopes × routes, drawn at random; the expectation comes from the declaration and the table of roles.
#[test]
fn routes_keep_what_they_declare_for_any_grants() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let site = runtime.block_on(Site::new());
    let (here, there) = (site.here, site.there);
    let who = runtime.block_on(site.user("somebody", []));
    runtime.block_on(site.user("governor", [Grant::everywhere(Role::Administrator)]));
    let all = declared();
    let grants = prop::collection::vec((0..4usize, 0..3usize), 0..3).prop_map(move |drawn| {
        let grant = |(role, place): (usize, usize)| match place {
            0 => Grant::everywhere(Role::ALL[role]),
            1 => Grant::on(Role::ALL[role], here),
            _ => Grant::on(Role::ALL[role], there),
        };
        drawn.into_iter().map(grant).collect::<Grants>()
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&grants, |grants| {
        runtime.block_on(async {
            let body = serde_json::json!({"grants": grants});
            let set = Ask::new(Method::PUT, "/api/v1/users/somebody/grants").json(&body).by(&Who::Socket);
            assert_eq!(set.of(&site.router).await.status, StatusCode::OK);
            for one in &all {
                for (id, name) in [(here, "home"), (there, THERE)] {
                    let promised = promised(one, &grants, id);
                    if promised.is_none() && spared(one) {
                        continue;
                    }
                    for called in [id.to_string(), name.to_owned()] {
                        let answer = ask(one, filled(one, &called), &who).of(&site.router).await;
                        let what = format!("{} {} as {grants:?}: {answer:?}", one.method, one.path);
                        match promised {
                            Some(StatusCode::NOT_FOUND) => {
                                let nowhere = ask(one, filled(one, "nowhere"), &who).of(&site.router).await;
                                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{what}");
                                assert_eq!(answer.text, nowhere.text, "unseen differs from absent: {what}");
                            }
                            Some(status) => {
                                assert_eq!((answer.status, answer.code()), (status, "not_allowed"), "{what}");
                            }
                            None => {
                                let by_gate = matches!(answer.code(), "not_allowed" | "not_signed_in");
                                // What is open may ask for more itself (`/metrics`).
                                assert!(!by_gate || one.needs["where"] == "open", "{what}");
                            }
                        }
                        if !one.path.contains("{remote}") {
                            break;
                        }
                    }
                }
            }
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_seen_is_not_listed_counted_or_found() {
    let site = Site::new().await;
    let here = site.user("anna", [Grant::on(Role::Administrator, site.here)]).await;
    let nowhere = site.user("nobody", []).await;
    let all = site.user("root", [Grant::everywhere(Role::Administrator)]).await;
    let lists: Vec<Declared> = declared()
        .into_iter()
        .filter(|one| one.method == Method::GET && !one.path.contains('{') && one.needs["where"] != "open")
        .filter(|one| !one.path.ends_with("/stream"))
        .collect();
    let mut told_to_root = 0;
    for one in &lists {
        for query in ["".to_owned(), format!("?q={THERE}"), format!("?q=remote:{THERE}")] {
            let path = format!("{}{query}", one.path);
            let full = Ask::get(path.as_str()).by(&all).of(&site.router).await;
            told_to_root += usize::from(full.text.contains(THERE));
            for who in [&here, &nowhere] {
                let answer = Ask::get(path.as_str()).by(who).of(&site.router).await;
                // An error may repeat what was searched for; rows and counts may not know of it.
                let shown = match answer.status.is_success() {
                    true => answer.text.clone(),
                    false => answer.text.replace(&query, "").replace(THERE, ""),
                };
                assert!(!shown.contains(THERE), "{path}: {answer:?}");
                if answer.status.is_success()
                    && !query.is_empty()
                    && full.json["total"] != serde_json::Value::Null
                    && answer.json["counts"].is_object()
                    && full.text.contains(THERE)
                {
                    assert_eq!(answer.json["total"], 0, "{path}: {answer:?}");
                }
                if answer.status.is_success() && answer.json["counts"]["remotes"].is_object() {
                    let most = usize::from(who == &here);
                    let counted = answer.json["counts"]["remotes"]["total"].as_u64().unwrap();
                    assert!(counted <= most as u64, "{path}: {answer:?}");
                }
            }
        }
    }
    if lists.iter().any(|one| one.path == "/api/v1/guests") {
        assert!(told_to_root > 3, "the test looks at nothing: {told_to_root}");
    }
}
