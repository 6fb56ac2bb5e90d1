//! What people have of their own: how they like things to be shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use axum::Router;
use common::{Answer, Ask, PASSWORD, Who, bare, settings, sign_in, token};
use http::Method;
use model::access::{Grant, Grants, Role};
use serde_json::{Value, json};
use server::{App, Settings};

async fn with_anna(settings: Settings) -> (tempfile::TempDir, App, Router) {
    let (dir, app) = bare(settings).await;
    app.add_user("anna", &PASSWORD.into(), Grants::administrator()).await.unwrap();
    let viewer = [Grant::everywhere(Role::Viewer)].into_iter().collect();
    app.add_user("ben", &PASSWORD.into(), viewer).await.unwrap();
    let router = app.router();
    (dir, app, router)
}

mod preferences {
    use super::*;

    async fn get(router: &Router, who: &Who) -> Answer {
        Ask::get("/api/v1/preferences").by(who).of(router).await
    }

    async fn change(router: &Router, who: &Who, patch: &Value) -> Answer {
        Ask::new(Method::PATCH, "/api/v1/preferences").json(patch).by(who).of(router).await
    }

    #[tokio::test]
    async fn are_ones_own_and_changed_bit_by_bit() {
        let (_dir, app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let program = token(&router, "anna").await;
        assert_eq!(get(&router, &anna).await.json, json!({}));
        let view = json!({"name": "busy", "list": "guests", "q": "cpu>80%", "sort": "-cpu"});
        let first = json!({"theme": "dark", "lists": {"guests": {"columns": ["name"], "sort": "name"},
            "nodes": {"sort": "-cpu"}}, "views": [view], "ui": {"tree": {"open": ["7"]}}});
        let answer = change(&router, &anna, &first).await;
        answer.is(200, "");
        assert_eq!(answer.json, first);
        let second = json!({"theme": null, "density": "compact", "lists": {"guests": {"sort": null},
            "nodes": null}, "ui": {"tree": {"wide": true}}, "favourites": ["guest:7/101"]});
        let wanted = json!({"density": "compact", "lists": {"guests": {"columns": ["name"]}}, "views": [view],
            "ui": {"tree": {"open": ["7"], "wide": true}}, "favourites": ["guest:7/101"]});
        assert_eq!(change(&router, &program, &second).await.json, wanted, "a token's are its owner's");
        assert_eq!(get(&router, &anna).await.json, wanted);
        assert_eq!(get(&router, &sign_in(&router, "ben", PASSWORD).await).await.json, json!({}));
        for answer in [get(&router, &Who::Socket).await, change(&router, &Who::Socket, &json!({})).await] {
            answer.is(409, "no_user");
        }
        // Nobody wants to look up later who liked which columns.
        let lines = app.store().audit(None, 99).await.unwrap();
        assert!(lines.iter().all(|line| !line.record.action.starts_with("preferences")));
        // Who comes later under the same name begins anew.
        let remove = Ask::new(Method::DELETE, "/api/v1/users/ben").by(&anna);
        let ben = sign_in(&router, "ben", PASSWORD).await;
        change(&router, &ben, &first).await.is(200, "");
        remove.of(&router).await.is(204, "");
        app.add_user("ben", &PASSWORD.into(), Grants::default()).await.unwrap();
        assert_eq!(get(&router, &sign_in(&router, "ben", PASSWORD).await).await.json, json!({}));
    }

    #[tokio::test]
    async fn take_nothing_that_means_nothing_and_have_a_bound() {
        let (_dir, _app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let kept = json!({"theme": "light"});
        change(&router, &anna, &kept).await.is(200, "");
        let mut deep = json!(1);
        for _ in 0..9 {
            deep = json!({"x": deep});
        }
        let view = |name: &str| json!({"name": name, "list": "guests", "q": ""});
        for (patch, says) in [
            (json!({"colour": "red"}), "There is no field “colour” here."),
            (json!({"lists": {"guests": {"colour": "red"}}}), "lists.guests.colour"),
            (json!({"views": [{"name": "x", "list": "guests", "q": "", "secret": 1}]}), "views.0.secret"),
            (json!({"theme": "pink"}), "pink"),
            (json!({"lists": {"Guests!": {}}}), "cannot be the name of a list"),
            (json!({"views": [view("a"), view("b"), view("a")]}), "Two views of guests are called a."),
            (json!({"views": [view(" ")]}), "needs a name"),
            (json!({"lists": {"guests": {"columns": vec!["name"; 101]}}}), "at most 100 columns"),
            (json!({"favourites": [""]}), "A favourite"),
            (json!({"ui": {"x": deep}}), "deep"),
            (json!({"ui": {"x": "y".repeat(66_000)}}), "bytes of preferences"),
        ] {
            let answer = change(&router, &anna, &patch).await;
            answer.is(422, "invalid");
            let detail = answer.json["detail"].as_str().unwrap();
            assert!(detail.contains(says), "{detail} / {says}");
        }
        change(&router, &anna, &json!(["theme"])).await.is(422, "invalid");
        let huge = json!({"ui": {"x": "y".repeat(200_000)}});
        change(&router, &anna, &huge).await.is(413, "too_large");
        assert_eq!(get(&router, &anna).await.json, kept, "a refusal changes nothing");
        // A view of another list may be called the same.
        let other = json!({"name": "a", "list": "nodes", "q": ""});
        change(&router, &anna, &json!({"views": [view("a"), other]})).await.is(200, "");
    }

    #[tokio::test]
    async fn changed_in_two_windows_at_once_lose_nothing() {
        let (_dir, _app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let names: Vec<String> = (0..6).map(|n| format!("list{n}")).collect();
        let patch = |name: &String| json!({"lists": {name: {"sort": "name"}}});
        let changes = names.iter().map(|name| {
            let (router, anna, patch) = (router.clone(), anna.clone(), patch(name));
            tokio::spawn(async move { change(&router, &anna, &patch).await })
        });
        for done in changes.collect::<Vec<_>>() {
            done.await.unwrap().is(200, "");
        }
        let all = get(&router, &anna).await.json;
        let lists: Vec<&String> = all["lists"].as_object().unwrap().keys().collect();
        assert_eq!(lists, names.iter().collect::<Vec<_>>());
    }
}
