//! Who may what: every route of the API, by callers with any grants. What is expected stands here as a table of its
//! own and follows from the roles' table alone: what the routes declare is held against it, and so is what they do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Answer, Ask, PASSWORD, Site, THERE, Who, cases};
use http::{Method, StatusCode};
use model::RemoteId;
use model::access::{Act, Grant, Grants, Role, Scope, TABLE};
use proptest::prelude::*;
use serde_json::{Value, json};
use server::openapi::{Declared, declared};

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Takes {
    /// Nothing.
    Nothing,
    /// To see everything, or a key of its own; else 401, since a key is what it asks for.
    Figures,
    /// To be signed in.
    SignIn,
    /// The act, on the remote in the path.
    Here(Act),
    /// The act, on the remote of the thing that is asked for; on any at all to get that far.
    There(Act),
    /// Nothing more than to be signed in: it shows what may be seen.
    Seen,
    /// The act, on any remote.
    Anywhere(Act),
    /// The act, on Muster itself.
    Muster(Act),
}

use Takes::{Anywhere, Figures, Here, Muster, Nothing, Seen, SignIn, There};

/// Every route there is.
const ROUTES: &[(&str, &str, Takes)] = &[
    ("GET", "/healthz", Nothing),
    ("GET", "/readyz", Nothing),
    ("GET", "/metrics", Figures),
    ("GET", "/api/v1/openapi.json", Nothing),
    ("GET", "/api/v1/setup", Nothing),
    ("POST", "/api/v1/setup", Nothing),
    ("POST", "/api/v1/setup/link", Muster(Act::Users)),
    ("POST", "/api/v1/session", Nothing),
    ("GET", "/api/v1/session", SignIn),
    ("DELETE", "/api/v1/session", SignIn),
    ("GET", "/api/v1/sessions", SignIn),
    ("DELETE", "/api/v1/sessions/{id}", SignIn),
    ("DELETE", "/api/v1/sessions", SignIn),
    ("GET", "/api/v1/account", SignIn),
    ("POST", "/api/v1/account/totp", SignIn),
    ("DELETE", "/api/v1/account/totp", SignIn),
    ("POST", "/api/v1/account/totp/confirm", SignIn),
    ("POST", "/api/v1/account/recovery-codes", SignIn),
    ("GET", "/api/v1/tokens", SignIn),
    ("POST", "/api/v1/tokens", SignIn),
    ("DELETE", "/api/v1/tokens/{id}", SignIn),
    ("GET", "/api/v1/preferences", SignIn),
    ("PATCH", "/api/v1/preferences", SignIn),
    ("GET", "/api/v1/users", Muster(Act::Users)),
    ("POST", "/api/v1/users", Muster(Act::Users)),
    ("GET", "/api/v1/users/{user}", Muster(Act::Users)),
    ("DELETE", "/api/v1/users/{user}", Muster(Act::Users)),
    ("PUT", "/api/v1/users/{user}/password", SignIn),
    ("PUT", "/api/v1/users/{user}/grants", Muster(Act::Users)),
    ("DELETE", "/api/v1/users/{user}/totp", Muster(Act::Users)),
    ("GET", "/api/v1/audit", Muster(Act::Users)),
    ("GET", "/api/v1/audit/export", Muster(Act::Users)),
    ("GET", "/api/v1/audit/verify", Muster(Act::Users)),
    ("POST", "/api/v1/audit/exported", Muster(Act::Users)),
    ("GET", "/api/v1/system", Muster(Act::Users)),
    ("GET", "/api/v1/licences", SignIn),
    ("POST", "/api/v1/system/backup", Muster(Act::Users)),
    ("POST", "/api/v1/system/rotate-key", Muster(Act::Users)),
    ("GET", "/api/v1/remotes", Seen),
    ("GET", "/api/v1/remotes/{remote}", Here(Act::Read)),
    ("PATCH", "/api/v1/remotes/{remote}", Here(Act::Remotes)),
    ("DELETE", "/api/v1/remotes/{remote}", Here(Act::Remotes)),
    ("POST", "/api/v1/remotes/{remote}/connect", Here(Act::Remotes)),
    ("POST", "/api/v1/remotes/{remote}/disconnect", Here(Act::Remotes)),
    // Where the credentials were rejected it takes `Act::Remotes`: see the test of that.
    ("POST", "/api/v1/remotes/{remote}/try", Here(Act::Read)),
    ("POST", "/api/v1/remotes/{remote}/second-factor", Here(Act::Remotes)),
    ("GET", "/api/v1/remotes/{remote}/endpoints/{endpoint}/certificate", Here(Act::Trust)),
    ("POST", "/api/v1/remotes/{remote}/trust", Here(Act::Trust)),
    ("GET", "/api/v1/remotes/{remote}/proposed", Here(Act::Remotes)),
    ("POST", "/api/v1/remotes/{remote}/endpoints", Here(Act::Remotes)),
    ("DELETE", "/api/v1/remotes/{remote}/endpoints/{endpoint}", Here(Act::Remotes)),
    ("POST", "/api/v1/onboardings", There(Act::Remotes)),
    ("GET", "/api/v1/onboardings/{id}", Anywhere(Act::Remotes)),
    ("DELETE", "/api/v1/onboardings/{id}", Anywhere(Act::Remotes)),
    ("POST", "/api/v1/onboardings/{id}/trust", Anywhere(Act::Remotes)),
    ("POST", "/api/v1/onboardings/{id}/sign-in", Anywhere(Act::Remotes)),
    ("POST", "/api/v1/onboardings/{id}/second-factor", Anywhere(Act::Remotes)),
    ("POST", "/api/v1/onboardings/{id}/finish", Anywhere(Act::Remotes)),
    ("GET", "/api/v1/guests", Seen),
    ("GET", "/api/v1/guests/{remote}/{vmid}", Here(Act::Read)),
    ("GET", "/api/v1/guests/{remote}/{vmid}/chart", Here(Act::Read)),
    ("GET", "/api/v1/guests/{remote}/{vmid}/events", Here(Act::Read)),
    ("GET", "/api/v1/guests/{remote}/{vmid}/tasks", Here(Act::Read)),
    ("GET", "/api/v1/guests/{remote}/{vmid}/past", Here(Act::Read)),
    ("GET", "/api/v1/nodes", Seen),
    ("GET", "/api/v1/nodes/{remote}/{node}", Here(Act::Read)),
    ("GET", "/api/v1/nodes/{remote}/{node}/chart", Here(Act::Read)),
    ("GET", "/api/v1/storages", Seen),
    ("GET", "/api/v1/storages/{remote}/{storage}", Here(Act::Read)),
    ("GET", "/api/v1/storages/{remote}/{storage}/chart", Here(Act::Read)),
    ("GET", "/api/v1/tasks", Seen),
    ("GET", "/api/v1/tasks/{remote}/{upid}", Here(Act::Read)),
    ("DELETE", "/api/v1/tasks/{remote}/{upid}", Here(Act::TaskStop)),
    ("GET", "/api/v1/tasks/{remote}/{upid}/log", Here(Act::Read)),
    ("GET", "/api/v1/operations", Seen),
    ("POST", "/api/v1/operations", There(Act::Power)),
    ("POST", "/api/v1/operations/plan", Anywhere(Act::Power)),
    ("GET", "/api/v1/operations/{id}", There(Act::Read)),
    ("POST", "/api/v1/operations/{id}/cancel", There(Act::Power)),
    ("POST", "/api/v1/operations/{id}/resolve", There(Act::Power)),
    ("GET", "/api/v1/events", Seen),
    ("GET", "/api/v1/overview", Seen),
    ("GET", "/api/v1/query/{list}", Seen),
    ("GET", "/api/v1/query/{list}/complete", Seen),
    ("GET", "/api/v1/stream", SignIn),
    ("PUT", "/api/v1/stream/{id}/subscriptions", SignIn),
];

/// What somebody was granted, as the roles' table has it and nothing else.
#[derive(Debug, Clone)]
struct Rights(Vec<(Role, Option<RemoteId>)>);

impl Rights {
    fn of(grants: &Grants) -> Self {
        let place = |scope: &Scope| match scope {
            Scope::All => None,
            Scope::Remote(id) => Some(*id),
        };
        Self(grants.0.iter().map(|grant| (grant.role, place(&grant.scope))).collect())
    }

    /// Where the act is allowed: everywhere (`None`), and on these remotes.
    fn places(&self, act: Act) -> BTreeSet<Option<RemoteId>> {
        let rank = |role: Role| {
            [Role::Viewer, Role::Operator, Role::Provisioner, Role::Administrator]
                .iter()
                .position(|one| *one == role)
                .unwrap()
        };
        let least = TABLE.iter().find(|(one, _)| *one == act).unwrap().1;
        self.0.iter().filter(|(role, _)| rank(*role) >= rank(least)).map(|(_, place)| *place).collect()
    }

    fn on(&self, act: Act, remote: RemoteId) -> bool {
        let places = self.places(act);
        places.contains(&None) || places.contains(&Some(remote))
    }
}

/// A caller's rights: those of a user, or what a token of theirs has of them.
struct Judge {
    user: Rights,
    token: Option<Rights>,
}

impl Judge {
    fn all(&self) -> impl Iterator<Item = &Rights> {
        [&self.user].into_iter().chain(&self.token)
    }

    fn on(&self, act: Act, remote: RemoteId) -> bool {
        self.all().all(|one| one.on(act, remote))
    }

    fn on_muster(&self, act: Act) -> bool {
        self.all().all(|one| one.places(act).contains(&None))
    }

    fn anywhere(&self, act: Act, remotes: &[RemoteId]) -> bool {
        self.on_muster(act) || remotes.iter().any(|id| self.on(act, *id))
    }

    /// What has to come of it.
    fn expects(&self, takes: Takes, remote: RemoteId, remotes: &[RemoteId]) -> Expected {
        let (seen, unseen) = (self.on(Act::Read, remote), Expected::NotThere);
        let if_allowed = |allowed: bool| if allowed { Expected::Passes } else { Expected::NotAllowed };
        match takes {
            Nothing | SignIn | Seen => Expected::Passes,
            Figures if self.on_muster(Act::Read) => Expected::Passes,
            Figures => Expected::NoKey,
            Muster(act) => if_allowed(self.on_muster(act)),
            Anywhere(act) => if_allowed(self.anywhere(act, remotes)),
            Here(_) if !seen => unseen,
            Here(act) => if_allowed(self.on(act, remote)),
            There(act) if act != Act::Read && !self.anywhere(act, remotes) => Expected::NotAllowed,
            There(_) if !seen => unseen,
            There(act) => if_allowed(self.on(act, remote)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Passes,
    NotAllowed,
    NotThere,
    NoKey,
}

/// Things of one remote that can be asked for.
#[derive(Debug, Clone)]
struct Things {
    id: RemoteId,
    name: String,
    vmids: Vec<u32>,
    nodes: Vec<String>,
    storages: Vec<String>,
    endpoint: String,
    operation: String,
    upid: String,
}

async fn things(site: &Site) -> Vec<Things> {
    let operated = site.operated().await;
    let of = |(id, operation, upid): (RemoteId, String, String)| {
        let remote = site.fleet.remote(id).unwrap();
        Things {
            id,
            name: remote.name.to_string(),
            vmids: remote.guests.iter().map(|row| row.guest.vmid.0).collect(),
            nodes: remote.nodes.iter().map(|row| row.node.name.to_string()).collect(),
            storages: remote.storages.iter().map(|row| row.storage.storage.to_string()).collect(),
            endpoint: remote.link.endpoints[0].endpoint.to_string(),
            operation,
            upid,
        }
    };
    operated.into_iter().map(of).collect()
}

/// One request of the many that can be made of a route.
#[derive(Debug, Clone)]
struct Draw {
    route: usize,
    remote: usize,
    by_name: bool,
    /// Which thing of that remote; beyond the last: one that is not there.
    thing: usize,
}

/// Where a request goes, and what is in it.
fn request(draw: &Draw, things: &Things, remote: &str, operation: &str) -> Ask {
    let (method, path, takes) = ROUTES[draw.route];
    fn pick(all: &[String], at: usize) -> String {
        all.get(at % (all.len() + 1)).cloned().unwrap_or_else(|| "nothing-of-this-name".to_owned())
    }
    let vmids: Vec<String> = things.vmids.iter().map(u32::to_string).collect();
    let vmid = vmids.get(draw.thing % (vmids.len() + 1)).cloned().unwrap_or_else(|| "99999".into());
    let id = if path.starts_with("/api/v1/operations") { operation } else { "nothing-of-this-name" };
    let path = path
        .replace("{remote}", remote)
        .replace("{vmid}", &vmid)
        .replace("{node}", &pick(&things.nodes, draw.thing))
        .replace("{storage}", &pick(&things.storages, draw.thing))
        .replace("{endpoint}", &if method == "GET" { things.endpoint.clone() } else { "192.0.2.1:1".into() })
        .replace("{upid}", &things.upid)
        .replace("{user}", "nobody-of-this-name")
        .replace("{list}", "guests")
        .replace("{id}", id);
    let ask = Ask::new(method.parse().unwrap(), path);
    if method == "GET" {
        return ask;
    }
    // As much of a body as the decision takes, and not enough for anything to be done.
    let body = match (takes, ask.path.as_str()) {
        (There(Act::Power), "/api/v1/operations") => {
            json!({"remote": remote, "vmid": 99999, "action": "start"})
        }
        (There(Act::Power), _) => json!({"as": "not_sent"}),
        (There(Act::Remotes), _) => json!({"remote": remote}),
        _ => json!("no such thing"),
    };
    ask.json(&body)
}

fn same(a: &Answer, b: &Answer) -> bool {
    (a.status, &a.text, &a.headers) == (b.status, &b.text, &b.headers)
}

fn grants(remotes: [RemoteId; 3]) -> impl Strategy<Value = Grants> {
    let grant = (0..4usize, 0..4usize).prop_map(move |(role, place)| match place {
        0 => Grant::everywhere(Role::ALL[role]),
        n => Grant::on(Role::ALL[role], remotes[n - 1]),
    });
    prop::collection::vec(grant, 0..4).prop_map(Grants)
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let one = (0..ROUTES.len(), 0..3usize, any::<bool>(), 0..8usize)
        .prop_map(|(route, remote, by_name, thing)| Draw { route, remote, by_name, thing });
    prop::collection::vec(one, 24)
}

/// Things of a site, and somebody whose rights are changed as a test likes.
struct Scene {
    runtime: tokio::runtime::Runtime,
    site: Site,
    session: Who,
    all: Vec<Things>,
}

impl Scene {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (site, session, all) = runtime.block_on(async {
            let site = Site::new().await;
            site.user("governor", [Grant::everywhere(Role::Administrator)]).await;
            site.user("somebody", []).await;
            let session = common::sign_in(&site.router, "somebody", PASSWORD).await;
            let all = things(&site).await;
            (site, session, all)
        });
        Self { runtime, site, session, all }
    }

    fn remotes(&self) -> [RemoteId; 3] {
        self.site.remotes().map(|(id, _)| id)
    }

    async fn grant(&self, grants: &Grants) {
        let body = json!({"grants": grants});
        let set = Ask::new(Method::PUT, "/api/v1/users/somebody/grants").json(&body).by(&Who::Socket);
        assert_eq!(set.of(&self.site.router).await.status, StatusCode::OK);
    }

    /// A caller of these rights; cut down by a token's where there is one.
    async fn caller(&self, user: &Grants, token: Option<&Grants>) -> (Who, Judge) {
        let who = match token {
            None => self.session.clone(),
            Some(token) => {
                // Made while its owner may everything: what the owner loses, the token loses.
                self.grant(&Grants::administrator()).await;
                let body = json!({"name": "test", "grants": token});
                let made = Ask::post("/api/v1/tokens", body).by(&self.session).of(&self.site.router).await;
                assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
                Who::Token(made.json["secret"].as_str().unwrap().to_owned())
            }
        };
        self.grant(user).await;
        (who, Judge { user: Rights::of(user), token: token.map(Rights::of) })
    }

    async fn end(&self, who: &Who) {
        if let Who::Token(token) = who {
            let path = format!("/api/v1/tokens/{}", token.split('_').nth(1).unwrap());
            Ask::new(Method::DELETE, path).by(&Who::Socket).of(&self.site.router).await.is(204, "");
        }
    }

    async fn check(&self, draw: &Draw, who: &Who, judge: &Judge) {
        let router = &self.site.router;
        let remotes = self.remotes();
        let things = &self.all[draw.remote];
        let called = if draw.by_name { things.name.clone() } else { things.id.to_string() };
        let (method, path, takes) = ROUTES[draw.route];
        // One's own session and those of others go on.
        if matches!((method, path), ("DELETE", "/api/v1/session" | "/api/v1/sessions")) {
            return;
        }
        let answer = request(draw, things, &called, &things.operation).by(who).of(router).await;
        let what = format!("{method} {path} ({draw:?}) by {:?}, {:?}: {answer:?}", judge.user, judge.token);
        match judge.expects(takes, things.id, &remotes) {
            Expected::NotAllowed => {
                assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "not_allowed"), "{what}");
                // Nor does that tell whether it is there.
                if matches!(takes, There(_)) {
                    let nowhere = request(draw, things, "nowhere", "1").by(who).of(router).await;
                    assert!(judge.on(Act::Read, things.id) || same(&answer, &nowhere), "{what}\n{nowhere:?}");
                }
            }
            Expected::NoKey => {
                let stranger = request(draw, things, &called, "1").of(router).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                assert!(same(&answer, &stranger), "{what}");
            }
            Expected::NotThere => {
                let nowhere = request(draw, things, "nowhere", "1").by(who).of(router).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{what}");
                assert!(same(&answer, &nowhere), "unseen differs from absent: {what}\n{nowhere:?}");
            }
            Expected::Passes => {
                assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                if takes == Nothing {
                    return;
                }
                assert!(!matches!(answer.code(), "not_allowed" | "not_signed_in" | "csrf"), "{what}");
                if answer.status == StatusCode::NOT_FOUND {
                    let missing = answer.json["title"].as_str().unwrap();
                    let own = matches!(takes, SignIn | Anywhere(_) | Muster(_));
                    assert!(own || !missing.contains("remote"), "{what}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(24, 8))]

    /// Any roles in any places, by a session or a token that has less than its owner, at any route about any thing.
    #[test]
    fn routes_keep_what_the_roles_promise(
        user in grants(scene().remotes()),
        token in prop::option::of(grants(scene().remotes())),
        draws in draws(),
    ) {
        let scene = scene();
        scene.runtime.block_on(async {
            let (who, judge) = scene.caller(&user, token.as_ref()).await;
            for draw in &draws {
                scene.check(draw, &who, &judge).await;
            }
            scene.end(&who).await;
        });
    }
}

/// The scene of the property: made once.
fn scene() -> &'static Scene {
    static SCENE: std::sync::OnceLock<Scene> = std::sync::OnceLock::new();
    SCENE.get_or_init(Scene::new)
}

/// Not left to chance: each role alone, in each place, and on another remote than the one that may be seen, at every
/// route.
#[test]
fn every_route_takes_what_the_table_says_for_each_role_alone() {
    let scene = Scene::new();
    let (here, there) = (scene.site.here, scene.site.there);
    scene.runtime.block_on(async {
        for role in Role::ALL {
            let beside = vec![Grant::on(Role::Viewer, here), Grant::on(role, there)];
            for grants in [vec![Grant::everywhere(role)], vec![Grant::on(role, here)], beside] {
                let (who, judge) = scene.caller(&Grants(grants), None).await;
                // Also about another remote than the one that was granted.
                for (route, remote) in (0..ROUTES.len()).flat_map(|route| [(route, 0), (route, 1)]) {
                    let draw = Draw { route, remote, by_name: true, thing: 0 };
                    scene.check(&draw, &who, &judge).await;
                }
            }
        }
    });
}

#[test]
fn every_route_declares_what_the_table_says() {
    let all = declared();
    let mut table = ROUTES.to_vec();
    for one in &all {
        let method = one.method.as_str();
        let at = table.iter().position(|(a, b, _)| (*a, *b) == (method, one.path.as_str()));
        let (_, _, takes) =
            table.remove(at.unwrap_or_else(|| panic!("{method} {} is not in the table", one.path)));
        let act = one.needs["act"].as_str().map(|act| act.parse::<Act>().unwrap());
        let declared = (one.needs["where"].as_str().unwrap(), act);
        let expected = match takes {
            Nothing | Figures => ("open", None),
            SignIn => ("signed_in", None),
            Here(act) => ("remote", Some(act)),
            There(act) | Anywhere(act) => ("somewhere", Some(act)),
            Seen => ("somewhere", Some(Act::Read)),
            Muster(act) => ("everywhere", Some(act)),
        };
        assert_eq!(declared, expected, "{method} {}", one.path);
        assert!(one.id.contains('.'), "{} has no noun", one.id);
    }
    assert!(table.is_empty(), "these are in the table alone: {table:?}");
    let ids: BTreeSet<&str> = all.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), all.len(), "an id is there twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_passes_who_does_not_say_who_they_are() {
    let (_dir, app) = common::bare(common::settings()).await;
    let router = app.router();
    let filled = |one: &Declared| {
        let mut path = String::new();
        let mut rest = one.path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            path.push_str(before);
            path.push('1');
            rest = after.split_once('}').unwrap().1;
        }
        path + rest
    };
    for one in declared().iter().filter(|one| one.needs["where"] != "open") {
        for who in [Who::Nobody, Who::Token("mst_abc_def".into()), Who::Token("nonsense".into())] {
            let ask = Ask::new(one.method.clone(), filled(one)).json(&json!("no such thing")).by(&who);
            let answer = ask.of(&router).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{} {}: {answer:?}", one.method, one.path);
        }
    }
}

/// What an administrator of one remote may do there is done, and nobody with less does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_governs_one_remote_changes_that_one_alone() {
    let site = Site::new().await;
    let kim = site.user("kim", [Grant::on(Role::Administrator, site.here)]).await;
    let pia = site
        .user("pia", [Grant::on(Role::Provisioner, site.here), Grant::on(Role::Administrator, site.there)])
        .await;
    let endpoint = site.fleet.remote(site.here).unwrap().link.endpoints[0].endpoint.to_string();
    let shown = Ask::get(format!("/api/v1/remotes/home/endpoints/{endpoint}/certificate")).by(&kim);
    let shown = shown.of(&site.router).await;
    shown.is(200, "");
    let print = shown.json["presented"]["fingerprint"].clone();
    let steps: [(Method, &str, Value, u16, &str); 8] = [
        (Method::PATCH, "", json!({"interval_seconds": 30}), 200, ""),
        (Method::POST, "/trust", json!({"endpoint": endpoint, "fingerprint": print}), 200, ""),
        (Method::POST, "/disconnect", json!({}), 200, ""),
        (Method::POST, "/second-factor", json!({"code": "123456"}), 409, "disconnected"),
        (Method::POST, "/connect", json!({}), 200, ""),
        (Method::POST, "/try", json!({}), 200, ""),
        // The only one there is.
        (Method::DELETE, "/endpoints/it", json!({}), 409, "endpoint"),
        (Method::DELETE, "?confirm=home", json!({}), 200, ""),
    ];
    for (method, step, body, status, code) in steps {
        let path = format!("/api/v1/remotes/home{}", step.replace("/it", &format!("/{endpoint}")));
        let ask = |who: &Who| Ask::new(method.clone(), path.as_str()).json(&body).by(who);
        let before = Ask::get("/api/v1/remotes/home").by(&kim).of(&site.router).await;
        if step != "/try" {
            ask(&pia).of(&site.router).await.is(403, "not_allowed");
            let after = Ask::get("/api/v1/remotes/home").by(&kim).of(&site.router).await;
            let kept = |answer: &Answer| {
                (answer.json["interval_seconds"].clone(), answer.json["link"]["state"] == "disconnected")
            };
            assert_eq!(kept(&before), kept(&after), "{step}");
        }
        let elsewhere = Ask::new(method.clone(), path.replace("home", THERE)).json(&body).by(&kim);
        elsewhere.of(&site.router).await.is(404, "not_found");
        ask(&kim).of(&site.router).await.is(status, code);
    }
    assert!(site.fleet.remote(site.here).is_none(), "it is removed");
    assert!(site.fleet.remote(site.there).is_some());
    // Further addresses are dialled for who governs everything alone.
    let far = Ask::post(format!("/api/v1/remotes/{THERE}/endpoints"), json!({"address": "192.0.2.9"}));
    far.by(&pia).of(&site.router).await.is(403, "not_allowed");
}

/// A try presents what the host has rejected once more, and hosts lock accounts for that: not for everybody who looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_credentials_are_presented_again_for_who_looks_after_the_remote_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = common::open(&dir).await;
    let clock = fleet::Clock::new();
    let mut timings = fleet::Timings::shrunk();
    // By itself it is not tried again while this test runs.
    timings.link.password_retry = Duration::from_secs(3600);
    let fleet = fleet::Fleet::open(timings, clock, 7, store.clone()).await.unwrap();
    let sim =
        pve_sim::Sim::start(pve_sim::Topology::single("9.2"), pve_sim::SimTimings::fast()).await.unwrap();
    let host = sim.first().unwrap();
    let id = common::manage(&fleet, &sim, "home").await;
    let app = server::App::new(fleet.clone(), store.clone(), common::settings(), clock).await.unwrap();
    let router = app.router();
    let until = async |state: &str| {
        let begun = std::time::Instant::now();
        while fleet.remote(id).unwrap().link.state.word() != state {
            assert!(begun.elapsed() < Duration::from_secs(40), "never: {state}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let sign_ins = || host.journal().iter().filter(|one| one.api_path() == "/access/ticket").count();
    let lines = async || {
        let all = store.audit(None, 100).await.unwrap();
        all.into_iter().filter(|row| row.record.action == "remotes.try_now").collect::<Vec<_>>()
    };
    let mut callers = Vec::new();
    for role in Role::ALL {
        let name = format!("the-{role}");
        let grants: Grants = [Grant::on(role, id)].into_iter().collect();
        app.add_user(&name, &PASSWORD.into(), grants).await.unwrap();
        callers.push((role, common::token(&router, &name).await));
    }
    let attempt =
        async |who: &Who| Ask::post("/api/v1/remotes/home/try", json!({})).by(who).of(&router).await;

    until("connected").await;
    for (_, who) in &callers {
        attempt(who).await.is(200, "");
    }
    assert_eq!(lines().await.len(), 0);

    host.fault(None, pve_sim::Fault::Unauthorized).await;
    until("credentials_rejected").await;
    let before = sign_ins();
    for (role, who) in &callers {
        let answer = attempt(who).await;
        if *role == Role::Administrator {
            answer.is(200, "");
        } else {
            answer.is(403, "not_allowed");
            assert!(answer.text.contains("rejected"), "{answer:?}");
            assert_eq!(fleet.remote(id).unwrap().link.state.word(), "credentials_rejected");
            assert_eq!((sign_ins(), lines().await.len()), (before, 0), "{role}");
        }
    }
    let begun = std::time::Instant::now();
    while sign_ins() == before {
        assert!(begun.elapsed() < Duration::from_secs(40), "nothing was presented");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lines = lines().await;
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].record.who.as_str(), lines[0].record.remote),
        ("the-administrator (token test)", Some(id))
    );
    fleet.stop().await;
    sim.stop().await;
}
