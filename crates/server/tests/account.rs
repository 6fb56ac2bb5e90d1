//! What people have of their own: a second factor, sessions, and how they like things to be shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use common::{Answer, Ask, Authenticator, PASSWORD, Who, bare, session_of, settings, sign_in, token};
use http::Method;
use model::access::{Grant, Grants, Role};
use serde_json::{Value, json};
use server::settings::{Bucket, Storms};
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

    /// Writes what somebody prefers behind the server's back, as another version would.
    async fn written(app: &App, user: &str, body: &Value) {
        let born = app.store().user(user).await.unwrap().unwrap().created;
        let number = app.store().preferences(user, born).await.unwrap().map_or(0, |kept| kept.number);
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let record = store::PreferencesRecord { user: user.to_owned(), born, number: number + 1, body };
        app.store().write(vec![store::Write::Preferences(record)]).await.unwrap();
    }

    async fn kept(app: &App, user: &str) -> Value {
        let born = app.store().user(user).await.unwrap().unwrap().created;
        serde_json::from_str(&app.store().preferences(user, born).await.unwrap().unwrap().body).unwrap()
    }

    #[tokio::test]
    async fn that_a_newer_version_has_written_stay_there() {
        let (_dir, app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let newer =
            json!({"theme": "dark", "sound": "off", "lists": {"guests": {"sort": "name", "width": 7}}});
        written(&app, "anna", &newer).await;
        assert_eq!(
            get(&router, &anna).await.json,
            json!({"theme": "dark", "lists": {"guests": {"sort": "name"}}})
        );
        let answer =
            change(&router, &anna, &json!({"theme": "light", "lists": {"guests": {"sort": "-cpu"}}})).await;
        answer.is(200, "");
        let wanted =
            json!({"theme": "light", "sound": "off", "lists": {"guests": {"sort": "-cpu", "width": 7}}});
        assert_eq!(kept(&app, "anna").await, wanted);
        // Nobody can set what this version does not know.
        change(&router, &anna, &json!({"sound": "on"})).await.is(422, "invalid");
        assert_eq!(kept(&app, "anna").await, wanted);
    }

    #[tokio::test]
    async fn that_cannot_be_read_are_not_written_over() {
        let (_dir, app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let odd = json!({"theme": "dark", "views": {"a": 1}, "lists": {"guests": {"sort": 7}}});
        written(&app, "anna", &odd).await;
        assert_eq!(get(&router, &anna).await.json, json!({"theme": "dark"}), "what can be read is told");
        for patch in
            [json!({"theme": "light"}), json!({"lists": {"guests": {"sort": "name"}}, "views": null})]
        {
            let answer = change(&router, &anna, &patch).await;
            answer.is(409, "preferences_unreadable");
            assert!(answer.json["detail"].as_str().unwrap().contains("lists"), "{answer:?}");
        }
        assert_eq!(kept(&app, "anna").await, odd);
        // Taken away on purpose, and all goes on.
        change(&router, &anna, &json!({"lists": null, "views": []})).await.is(200, "");
        change(&router, &anna, &json!({"theme": "light"})).await.is(200, "");
        assert_eq!(get(&router, &anna).await.json, json!({"theme": "light"}));

        written(&app, "anna", &json!("not even this")).await;
        assert_eq!(get(&router, &anna).await.json, json!({}));
        change(&router, &anna, &json!({"theme": "light"})).await.is(409, "preferences_unreadable");
        let nothing: serde_json::Map<_, _> =
            api::preferences::KEYS.map(|key| (key.to_owned(), Value::Null)).into_iter().collect();
        change(&router, &anna, &Value::Object(nothing)).await.is(200, "");
        change(&router, &anna, &json!({"theme": "light"})).await.is(200, "");
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

fn entering(user: &str, code: Option<&str>) -> Ask {
    Ask::post("/api/v1/session", json!({"user": user, "password": PASSWORD, "code": code}))
}

fn proof() -> Value {
    json!({"password": PASSWORD})
}

fn own(method: Method, path: &str, body: &Value, who: &Who) -> Ask {
    Ask::new(method, format!("/api/v1/account{path}")).json(body).by(who)
}

/// Turns the second factor of somebody on; the authenticator, the step that was used, and the recovery codes.
async fn turn_on(router: &Router, who: &Who) -> (Authenticator, u64, Vec<String>) {
    let begun = own(Method::POST, "/totp", &proof(), who).of(router).await;
    begun.is(200, "");
    let phone = Authenticator::of(begun.json["secret"].as_str().unwrap());
    // The earliest that is still accepted, so that two more are left to be used now.
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 30;
    if second >= 27 {
        tokio::time::sleep(Duration::from_secs(30 - second)).await;
    }
    let used = Authenticator::step() - 1;
    let code = json!({"code": phone.code(used)});
    let answer = own(Method::POST, "/totp/confirm", &code, who).of(router).await;
    answer.is(200, "");
    let codes = answer.json["recovery_codes"].as_array().unwrap();
    (phone, used, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

mod second_factor {
    use super::*;

    #[tokio::test]
    async fn is_asked_for_once_it_is_on_and_each_code_works_once() {
        let wide = Bucket { burst: 100, every: Duration::from_secs(600) };
        let storms = Storms { per_code: wide, per_address: wide, ..Storms::default() };
        let (_dir, app, router) = with_anna(Settings { storms, ..settings() }).await;
        let (anna, other) =
            (sign_in(&router, "anna", PASSWORD).await, sign_in(&router, "anna", PASSWORD).await);
        let program = token(&router, "anna").await;
        let account = async |who: &Who| Ask::get("/api/v1/account").by(who).of(&router).await.json;
        assert_eq!(account(&anna).await["totp"], Value::Null);
        assert_eq!(account(&anna).await["user"], "anna");
        let alive = async |who: &Who| Ask::get("/api/v1/session").by(who).of(&router).await.status.as_u16();

        // Begun is not on.
        own(Method::POST, "/totp", &json!({"password": "x"}), &anna)
            .of(&router)
            .await
            .is(403, "wrong_password");
        let begun = own(Method::POST, "/totp", &proof(), &anna).of(&router).await;
        let uri = begun.json["uri"].as_str().unwrap().to_owned();
        assert!(uri.starts_with("otpauth://totp/Muster:anna?secret="), "{uri}");
        assert!(
            uri.contains(begun.json["secret"].as_str().unwrap()) && uri.contains("issuer=Muster"),
            "{uri}"
        );
        assert!(begun.json["expires"].is_string());
        entering("anna", None).of(&router).await.is(200, "");
        let older = Authenticator::of(begun.json["secret"].as_str().unwrap());
        own(Method::POST, "/totp/confirm", &json!({"code": older.wrong()}), &anna)
            .of(&router)
            .await
            .is(403, "wrong_code");
        assert_eq!(account(&anna).await["totp"], Value::Null);

        // On: other sessions end, tokens do not.
        let (phone, used, codes) = turn_on(&router, &anna).await;
        assert_ne!(phone.secret, older.secret, "the one begun last counts");
        assert_eq!((alive(&anna).await, alive(&other).await, alive(&program).await), (200, 401, 200));
        assert_eq!(account(&program).await["totp"]["recovery_codes_left"], 10);
        let users = Ask::get("/api/v1/users").by(&anna).of(&router).await.json;
        assert_eq!((&users["items"][0]["totp"], &users["items"][1]["totp"]), (&json!(true), &json!(false)));
        own(Method::POST, "/totp", &proof(), &anna).of(&router).await.is(409, "second_factor_on");
        own(Method::POST, "/totp/confirm", &json!({"code": phone.code(used)}), &anna)
            .of(&router)
            .await
            .is(409, "no_second_factor");

        // What is refused is refused for what it is, and the password comes first.
        entering("anna", None).of(&router).await.is(401, "second_factor");
        entering("anna", Some(&phone.wrong())).of(&router).await.is(401, "wrong_code");
        entering("anna", Some("")).of(&router).await.is(401, "wrong_code");
        let wrong = json!({"user": "anna", "password": "x", "code": phone.code(used + 1)});
        Ask::post("/api/v1/session", wrong).of(&router).await.is(401, "wrong_password");
        entering("anna", Some(&phone.code(used))).of(&router).await.is(401, "wrong_code");
        let code = phone.code(used + 1);
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        entering("anna", Some(&spaced)).of(&router).await.is(200, "");
        entering("anna", Some(&code)).of(&router).await.is(401, "wrong_code");
        entering("ben", Some("123456")).of(&router).await.is(200, "");

        // A recovery code takes the place of one code.
        let answer = entering("anna", Some(&codes[3].to_uppercase())).of(&router).await;
        answer.is(200, "");
        let anna = session_of(&answer);
        entering("anna", Some(&codes[3])).of(&router).await.is(401, "wrong_code");
        assert_eq!(account(&anna).await["totp"]["recovery_codes_left"], 9);
        let renewed = own(Method::POST, "/recovery-codes", &proof(), &anna).of(&router).await;
        let renewed = renewed.json["recovery_codes"][0].as_str().unwrap().to_owned();
        entering("anna", Some(&codes[4])).of(&router).await.is(401, "wrong_code");
        entering("anna", Some(&renewed)).of(&router).await.is(200, "");

        // After a restart it is as it was.
        let router = App::new(app.fleet().clone(), app.store().clone(), settings(), fleet::Clock::new());
        let router = router.await.unwrap().router();
        entering("anna", None).of(&router).await.is(401, "second_factor");
        entering("anna", Some(&code)).of(&router).await.is(401, "wrong_code");
        entering("anna", Some(&renewed)).of(&router).await.is(401, "wrong_code");
        let anna = session_of(&entering("anna", Some(&phone.code(used + 2))).of(&router).await);

        // Off again.
        own(Method::DELETE, "/totp", &json!({"password": "x"}), &anna)
            .of(&router)
            .await
            .is(403, "wrong_password");
        own(Method::DELETE, "/totp", &proof(), &anna).of(&router).await.is(204, "");
        for (method, path) in [(Method::DELETE, "/totp"), (Method::POST, "/recovery-codes")] {
            own(method, path, &proof(), &anna).of(&router).await.is(409, "no_second_factor");
        }
        entering("anna", None).of(&router).await.is(200, "");
        let kept = async |purpose| app.store().secret(&store::SecretId::new(purpose, "anna")).await.unwrap();
        assert_eq!((kept("totp").await, kept("totp-pending").await), (None, None));
    }

    #[tokio::test]
    async fn is_a_persons_own_and_an_administrator_helps_out() {
        let (_dir, app, router) = with_anna(settings()).await;
        let (anna, ben) = (sign_in(&router, "anna", PASSWORD).await, sign_in(&router, "ben", PASSWORD).await);
        let governing = token(&router, "anna").await;
        let routes = [
            (Method::POST, "/totp", proof()),
            (Method::POST, "/totp/confirm", json!({"code": "123456"})),
            (Method::DELETE, "/totp", proof()),
            (Method::POST, "/recovery-codes", proof()),
        ];
        for (method, path, body) in &routes {
            own(method.clone(), path, body, &governing).of(&router).await.is(403, "person_only");
            own(method.clone(), path, body, &Who::Socket).of(&router).await.is(409, "no_user");
        }
        Ask::get("/api/v1/account").by(&Who::Socket).of(&router).await.is(409, "no_user");
        let take = |name: &str, who: &Who| {
            Ask::new(Method::DELETE, format!("/api/v1/users/{name}/totp")).by(who).of(&router)
        };
        take("ben", &anna).await.is(409, "no_second_factor");
        take("nobody", &anna).await.is(404, "not_found");
        let (_, _, codes) = turn_on(&router, &ben).await;
        turn_on(&router, &anna).await;
        take("ben", &ben).await.is(403, "not_allowed");
        take("ben", &governing).await.is(403, "person_only");
        take("anna", &anna).await.is(422, "invalid");
        entering("ben", None).of(&router).await.is(401, "second_factor");
        take("ben", &anna).await.is(204, "");
        entering("ben", None).of(&router).await.is(200, "");
        // Who is called the same later begins without it, and without its codes.
        turn_on(&router, &ben).await;
        Ask::new(Method::DELETE, "/api/v1/users/ben").by(&anna).of(&router).await.is(204, "");
        app.add_user("ben", &PASSWORD.into(), Grants::default()).await.unwrap();
        let ben = session_of(&entering("ben", None).of(&router).await);
        own(Method::POST, "/recovery-codes", &proof(), &ben).of(&router).await.is(409, "no_second_factor");
        assert_eq!(app.store().factors().await.unwrap().len(), 1);
        assert_eq!(codes.len(), 10);
    }

    #[tokio::test]
    async fn guesses_at_codes_are_held_up_and_a_missing_one_is_no_guess() {
        let per_code = Bucket { burst: 3, every: Duration::from_secs(600) };
        let per_address = Bucket { burst: 6, every: Duration::from_secs(600) };
        let storms = Storms { per_code, per_address, ..Storms::default() };
        let (_dir, app, router) = with_anna(Settings { storms, ..settings() }).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let (phone, used, codes) = turn_on(&router, &anna).await;
        for _ in 0..10 {
            entering("anna", None).of(&router).await.is(401, "second_factor");
        }
        for _ in 0..2 {
            entering("anna", Some(&phone.wrong())).of(&router).await.is(401, "wrong_code");
        }
        entering("anna", Some(&phone.code(used + 1))).of(&router).await.is(200, "");
        entering("anna", Some("abcd-efgh-ijkl-mnop")).of(&router).await.is(401, "wrong_code");
        let held = entering("anna", Some(&codes[0])).of(&router).await;
        held.is(429, "too_many_tries");
        assert!(held.headers.contains_key("retry-after"));
        // From wherever the guesses come, and nobody else is held up.
        entering("anna", Some(&codes[0])).from("198.51.100.7:1").of(&router).await.is(429, "too_many_tries");
        sign_in(&router, "ben", PASSWORD).await;
        assert_eq!(app.store().factors().await.unwrap().len(), 1);
    }

    /// The same database under a server that is started anew.
    async fn started_again(app: &App) -> Router {
        let again = App::new(app.fleet().clone(), app.store().clone(), settings(), fleet::Clock::new());
        again.await.unwrap().router()
    }

    #[tokio::test]
    async fn whose_secret_is_missing_is_said_and_costs_no_guess() {
        let per_code = Bucket { burst: 3, every: Duration::from_secs(600) };
        let per_address = Bucket { burst: 8, every: Duration::from_secs(600) };
        let storms = Storms { per_code, per_address, ..Storms::default() };
        let (_dir, app, router) = with_anna(Settings { storms, ..settings() }).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let (phone, used, codes) = turn_on(&router, &anna).await;
        let id = store::SecretId::new("totp", "anna");
        app.store().write(vec![store::Write::SecretGone { id }]).await.unwrap();
        for _ in 0..10 {
            let answer = entering("anna", Some(&phone.code(used + 1))).of(&router).await;
            answer.is(500, "second_factor_unreadable");
            assert!(answer.json["remedy"].as_str().unwrap().contains("recovery code"), "{answer:?}");
        }
        entering("anna", Some(&codes[0])).of(&router).await.is(200, "");
    }

    #[tokio::test]
    async fn of_which_the_recovery_codes_cannot_be_read_keeps_what_there_is() {
        let (_dir, app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let (phone, used, codes) = turn_on(&router, &anna).await;
        let record = app.store().factor("anna").await.unwrap().unwrap();
        let bodies = ["{\"recovery\":{\"form\":2}}", "no json"];
        for (body, step) in bodies.into_iter().zip(1..) {
            let odd = store::FactorRecord {
                body: body.to_owned(),
                step: i64::try_from(used).unwrap(),
                ..record.clone()
            };
            app.store().write(vec![store::Write::Factor(odd.clone())]).await.unwrap();
            let router = started_again(&app).await;
            entering("anna", Some(&codes[0])).of(&router).await.is(500, "second_factor_unreadable");
            let anna = session_of(&entering("anna", Some(&phone.code(used + step))).of(&router).await);
            let account = Ask::get("/api/v1/account").by(&anna).of(&router).await.json;
            assert_eq!(
                account["totp"].get("recovery_codes_left"),
                Some(&Value::Null),
                "unknown, not none: {account}"
            );
            assert_eq!(app.store().factor("anna").await.unwrap().unwrap().body, body, "as it was");
        }
        // New ones take their place on purpose; what else there is stays.
        let newer = store::FactorRecord { body: "{\"recovery\":7,\"note\":1}".to_owned(), ..record };
        app.store().write(vec![store::Write::Factor(newer)]).await.unwrap();
        let router = started_again(&app).await;
        let anna = session_of(&entering("anna", Some(&phone.code(used + 2))).of(&router).await);
        let renewed = own(Method::POST, "/recovery-codes", &proof(), &anna).of(&router).await;
        let code = renewed.json["recovery_codes"][0].as_str().unwrap().to_owned();
        entering("anna", Some(&code)).of(&router).await.is(200, "");
        let body = app.store().factor("anna").await.unwrap().unwrap().body;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["note"], body["recovery"].as_array().unwrap().len()), (&json!(1), 9));
    }

    #[tokio::test]
    async fn that_was_never_confirmed_leaves_nothing_sealed() {
        let id = || store::SecretId::new("totp-pending", "anna");
        let sealed = async |app: &App| app.store().secret(&id()).await.unwrap().is_some();
        for by_sweep in [true, false] {
            let life = Settings { factor_life: Duration::from_millis(400), ..settings() };
            let (_dir, app, router) = with_anna(life).await;
            let anna = sign_in(&router, "anna", PASSWORD).await;
            own(Method::POST, "/totp", &proof(), &anna).of(&router).await.is(200, "");
            app.people().sweep().await.unwrap();
            assert!(sealed(&app).await, "it may still be confirmed");
            tokio::time::sleep(Duration::from_millis(450)).await;
            if by_sweep {
                app.people().sweep().await.unwrap();
            } else {
                let code = json!({"code": "123456"});
                own(Method::POST, "/totp/confirm", &code, &anna)
                    .of(&router)
                    .await
                    .is(409, "no_second_factor");
            }
            assert!(!sealed(&app).await);
        }
    }

    #[tokio::test]
    async fn waits_to_be_confirmed_for_its_time() {
        let (_dir, _app, router) = with_anna(Settings { factor_life: Duration::ZERO, ..settings() }).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let begun = own(Method::POST, "/totp", &proof(), &anna).of(&router).await;
        let phone = Authenticator::of(begun.json["secret"].as_str().unwrap());
        let code = json!({"code": phone.code(Authenticator::step())});
        own(Method::POST, "/totp/confirm", &code, &anna).of(&router).await.is(409, "no_second_factor");
        entering("anna", None).of(&router).await.is(200, "");
    }

    #[tokio::test]
    async fn is_told_once_and_written_down_with_nothing_in_it() {
        let (dir, app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let with_key = |ask: Ask, key: &str| ask.header("idempotency-key", key);
        let begin = || with_key(own(Method::POST, "/totp", &proof(), &anna), "begin");
        let begun = begin().of(&router).await;
        begin().of(&router).await.is(409, "already_done");
        let phone = Authenticator::of(begun.json["secret"].as_str().unwrap());
        let code = phone.code(Authenticator::step());
        let confirm =
            || with_key(own(Method::POST, "/totp/confirm", &json!({"code": code}), &anna), "confirm");
        let confirmed = confirm().of(&router).await;
        confirmed.is(200, "");
        confirm().of(&router).await.is(409, "already_done");
        entering("anna", Some(&phone.wrong())).of(&router).await.is(401, "wrong_code");
        let actions: Vec<String> = app
            .store()
            .audit(None, 99)
            .await
            .unwrap()
            .into_iter()
            .map(|line| format!("{} {}", line.record.action, line.record.body))
            .collect();
        let found = |what: &str| actions.iter().filter(|action| action.starts_with(what)).count();
        assert_eq!((found("account.begin_totp"), found("account.confirm_totp")), (1, 1), "{actions:#?}");
        assert!(actions.iter().any(|line| line.contains("wrong_code")), "{actions:#?}");
        // Nothing of it lies open anywhere.
        let mut secrets = vec![begun.json["secret"].as_str().unwrap().to_owned(), code];
        let codes = confirmed.json["recovery_codes"].as_array().unwrap();
        secrets.extend(codes.iter().map(|code| code.as_str().unwrap().to_owned()));
        secrets.extend(codes.iter().map(|code| code.as_str().unwrap().replace('-', "")));
        app.store().close().await;
        let mut pages = actions.join("\n").into_bytes();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            pages.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
        }
        assert!(pages.len() > 10_000);
        for secret in secrets.iter().filter(|secret| secret.len() > 6) {
            assert!(!pages.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
    }
}

mod sessions {
    use super::*;

    #[tokio::test]
    async fn all_others_of_ones_own_end_at_once() {
        let (_dir, app, router) = with_anna(settings()).await;
        let alive = async |who: &Who| Ask::get("/api/v1/session").by(who).of(&router).await.status.as_u16();
        let enter = async |name: &str| sign_in(&router, name, PASSWORD).await;
        let (here, there, ben) = (enter("anna").await, enter("anna").await, enter("ben").await);
        let listed = async |path: &str, who: &Who| {
            let page = Ask::get(format!("/api/v1/sessions{path}")).by(who).of(&router).await.json;
            page["total"].as_u64().unwrap()
        };
        assert_eq!((listed("", &here).await, listed("", &ben).await), (3, 1));
        assert_eq!((listed("?user=anna", &here).await, listed("?user=anna", &ben).await), (2, 0));
        Ask::get("/api/v1/sessions?whose=anna").by(&here).of(&router).await.is(400, "malformed");
        let end = |who: &Who| Ask::new(Method::DELETE, "/api/v1/sessions").by(who).of(&router);
        end(&Who::Socket).await.is(409, "no_user");
        end(&here).await.is(204, "");
        assert_eq!((alive(&here).await, alive(&there).await, alive(&ben).await), (200, 401, 200));
        end(&here).await.is(204, "");
        assert_eq!(alive(&here).await, 200);
        let program = token(&router, "anna").await;
        end(&program).await.is(204, "");
        assert_eq!((alive(&here).await, alive(&program).await, alive(&ben).await), (401, 200, 200));
        assert_eq!(app.store().sessions("anna").await.unwrap(), []);
        assert_eq!(app.store().sessions("ben").await.unwrap().len(), 1);
    }

    /// A dashboard's token ends nobody's session, and changes nobody's columns.
    #[tokio::test]
    async fn are_left_alone_by_tokens_that_may_less_than_their_owner() {
        let (_dir, app, router) = with_anna(settings()).await;
        let anna = sign_in(&router, "anna", PASSWORD).await;
        let made = |grants: Value| {
            let body = json!({"name": "wall", "grants": grants});
            Ask::post("/api/v1/tokens", body).by(&anna).of(&router)
        };
        let id = Ask::get("/api/v1/sessions").by(&anna).of(&router).await.json["items"][0]["id"].clone();
        let id = id.as_str().unwrap().to_owned();
        let asked = async |who: &Who| {
            let change = Ask::new(Method::PATCH, "/api/v1/preferences").json(&json!({"theme": "dark"}));
            let mut all = vec![change.by(who).of(&router).await];
            for path in [format!("/api/v1/sessions/{id}"), "/api/v1/sessions".to_owned()] {
                all.push(Ask::new(Method::DELETE, path).by(who).of(&router).await);
            }
            all
        };
        let narrow = made(json!([Grant::everywhere(Role::Viewer)])).await;
        let narrow = Who::Token(narrow.json["secret"].as_str().unwrap().to_owned());
        for answer in asked(&narrow).await {
            answer.is(403, "narrowed_token");
        }
        Ask::get("/api/v1/preferences").by(&narrow).of(&router).await.is(200, "");
        assert_eq!(app.store().sessions("anna").await.unwrap().len(), 1);
        // One that may all that its owner may is as good as they.
        let wide = made(json!([Grant::everywhere(Role::Administrator)])).await;
        let wide = Who::Token(wide.json["secret"].as_str().unwrap().to_owned());
        for answer in asked(&wide).await {
            assert!(answer.status.is_success(), "{answer:?}");
        }
    }
}
