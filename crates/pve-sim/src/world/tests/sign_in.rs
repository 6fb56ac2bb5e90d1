use serde_json::json;

use super::super::users::{decode_secret, totp_code};
use super::*;

fn code(world: &World, ahead: u64) -> String {
    let secret = decode_secret("JBSWY3DPEHPK3PXP").unwrap();
    totp_code(&secret, world.now.seconds() / 30 + ahead).unwrap()
}

fn ticket_of(world: &World) -> (String, String) {
    let Auth::Ticket { ticket, csrf } = &world.auth else { panic!("no ticket") };
    (ticket.clone(), csrf.clone().unwrap())
}

#[test]
fn one_text_for_every_cause_of_a_refused_sign_in() {
    let mut world = World::new("9.2");
    world.auth = Auth::None;
    for (user, password) in [
        ("root@pam", "wrong"),
        ("nobody@pve", "secret-root"),
        ("root@nope", "secret-root"),
        ("root@PAM", "secret-root"),
        ("", "x"),
        ("bob@pve", "secret-bob"),
    ] {
        let got = world.post("/access/ticket", &[("username", user), ("password", password)]);
        assert_eq!((got.status, got.reason.as_str()), (401, "authentication failure"), "{user}");
        assert!(!got.bare, "a refused sign-in has a body");
        assert_eq!(got.message.as_deref(), Some("authentication failure\n"));
    }
    let got =
        world.post("/access/ticket", &[("username", "root"), ("realm", "pam"), ("password", "secret-root")]);
    assert_eq!(got.status, 200);
}

#[test]
fn the_clusters_name_comes_only_from_a_cluster() {
    let sign_in = |world: &mut World| {
        world.auth = Auth::None;
        world.post("/access/ticket", &[("username", "root@pam"), ("password", "secret-root")]).data
    };
    let alone = sign_in(&mut World::new("9.2"));
    assert!(alone.get("clustername").is_none());
    assert_eq!(alone["username"], "root@pam");
    assert_eq!(alone["cap"]["vms"]["VM.PowerMgmt"], 1);
    assert_eq!(sign_in(&mut World::cluster("9.2"))["clustername"], "refclu");
}

#[test]
fn bodiless_refusals_are_told_apart_by_their_reason() {
    let mut world = World::new("9.2");
    let (ticket, _) = ticket_of(&world);
    let mut refused = |auth: Auth, method| {
        world.auth = auth;
        let got = world.send(method, "/version", &[]);
        assert!(got.status == 401 && got.bare, "{got:?}");
        got.reason
    };
    assert_eq!(refused(Auth::None, Method::Get), "No ticket");
    let bearer = Auth::Token { header: "Bearer root@pam!admin=s-admin".to_owned() };
    assert_eq!(refused(bearer, Method::Get), "No ticket");
    let bad = Auth::Ticket { ticket: "PVE:root@pam:00000000::AAAA".to_owned(), csrf: None };
    assert_eq!(refused(bad, Method::Get), "Authentication failed!");
    let no_csrf = Auth::Ticket { ticket: ticket.clone(), csrf: None };
    assert_eq!(refused(no_csrf, Method::Post), "Permission denied - invalid csrf token");
    let bad_csrf = Auth::Ticket { ticket, csrf: Some("6B022481:AAAA".to_owned()) };
    assert_eq!(refused(bad_csrf, Method::Delete), "Permission denied - invalid csrf token");
}

#[test]
fn an_unknown_path_is_401_without_a_ticket_and_501_with_one() {
    let mut world = World::new("9.2");
    let got = world.get("/nope");
    assert_eq!((got.status, got.reason.as_str()), (501, "Method 'GET /nope' not implemented"));
    let got = world.delete("/version");
    assert_eq!(got.reason, "Method 'DELETE /version' not implemented");
    world.auth = Auth::None;
    assert_eq!(world.get("/nope").status, 401);
    assert_eq!(world.get("/access/domains").status, 200, "the realm list is for everybody");
}

#[test]
fn a_ticket_is_a_password_until_it_ends() {
    let mut world = World::new("9.2");
    world.sign_in("alice@pve", "secret-alice");
    let (ticket, _) = ticket_of(&world);
    world.pass(7_000_000);
    world.sign_in("alice@pve", &ticket);
    let (renewed, _) = ticket_of(&world);
    assert_ne!(ticket, renewed);
    world.pass(300_000);
    assert_eq!(world.get("/version").status, 200);
    world.auth = Auth::Ticket { ticket: ticket.clone(), csrf: None };
    assert_eq!(world.get("/version").reason, "Authentication failed!", "the first one is over");
    world.auth = Auth::None;
    let got = world.post("/access/ticket", &[("username", "root@pam"), ("password", &renewed)]);
    assert_eq!(got.status, 401, "nobody else's password");
}

#[test]
fn all_tickets_end_with_a_new_key() {
    let mut world = World::new("9.2");
    let now = world.now;
    world.cluster.expire_tickets(now);
    assert_eq!(world.get("/version").reason, "Authentication failed!");
    world.sign_in("root@pam", "secret-root");
    assert_eq!(world.get("/version").status, 200);
}

#[test]
fn the_second_factor_since_8_is_a_challenge() {
    let mut world = World::new("9.2");
    world.auth = Auth::None;
    let first = world.post("/access/ticket", &[("username", "dave@pve"), ("password", "secret-dave")]);
    assert_eq!(first.status, 200);
    assert_eq!(first.data["NeedTFA"], 1);
    assert!(first.data.get("cap").is_none());
    let challenge = first.data["ticket"].as_str().unwrap().to_owned();
    assert!(challenge.starts_with("PVE:!tfa!{"), "{challenge}");

    world.auth = Auth::Ticket { ticket: challenge.clone(), csrf: None };
    assert_eq!(world.get("/version").reason, "Authentication failed!", "it opens nothing");
    world.auth = Auth::None;
    let answer = |world: &mut World, password: &str| {
        world
            .post(
                "/access/ticket",
                &[("username", "dave@pve"), ("tfa-challenge", &challenge), ("password", password)],
            )
            .status
    };
    assert_eq!(answer(&mut world, "totp:000000"), 401);
    let right = format!("totp:{}", code(&world, 0));
    assert_eq!(answer(&mut world, &right), 200);
    assert_eq!(answer(&mut world, &right), 401, "a code is good once");
    let otp = code(&world, 1);
    let got =
        world.post("/access/ticket", &[("username", "dave@pve"), ("password", "secret-dave"), ("otp", &otp)]);
    assert_eq!(got.status, 401, "the old way is gone");
}

#[test]
fn the_second_factor_of_7_has_two_forms() {
    let mut world = World::new("7.4");
    world.auth = Auth::None;
    let sign = [("username", "dave@pve"), ("password", "secret-dave")];
    let mut newer = sign.to_vec();
    newer.push(("new-format", "1"));
    let got = world.post("/access/ticket", &newer);
    assert!(got.data["ticket"].as_str().unwrap().starts_with("PVE:!tfa!"), "{got:?}");

    let got = world.post("/access/ticket", &sign);
    assert_eq!(got.data["NeedTFA"], 1);
    let half = got.data["ticket"].as_str().unwrap().to_owned();
    assert!(half.starts_with("PVE:tfa!dave@pve:"), "{half}");
    let csrf = got.data["CSRFPreventionToken"].as_str().map(str::to_owned);
    world.auth = Auth::Ticket { ticket: half, csrf: csrf.clone() };
    assert_eq!(world.get("/version").status, 401, "half a sign-in opens nothing");
    assert_eq!(world.post("/access/tfa", &[("response", "000000")]).status, 401);
    let right = code(&world, 0);
    let got = world.post("/access/tfa", &[("response", &right)]);
    assert_eq!(got.status, 200, "{got:?}");
    world.auth = Auth::Ticket { ticket: got.data["ticket"].as_str().unwrap().to_owned(), csrf };
    assert_eq!(world.get("/version").status, 200);

    world.auth = Auth::None;
    let otp = code(&world, 1);
    let mut with_otp = sign.to_vec();
    with_otp.push(("otp", &otp));
    let got = world.post("/access/ticket", &with_otp);
    assert!(got.status == 200 && got.data.get("NeedTFA").is_none(), "{got:?}");
}

#[test]
fn tokens_need_no_csrf_and_may_not_do_everything() {
    let mut world = World::new("9.2");
    world.token("root@pam!admin=s-admin");
    assert_eq!(world.get("/version").status, 200);
    assert_eq!(world.put("/cluster/options", &[("console", "html5")]).status, 200);
    let got = world.put("/access/password", &[("userid", "alice@pve"), ("password", "another-one")]);
    assert_eq!(got.status, 403);
    assert_eq!(
        got.reason,
        "Permission check failed (URI '/access/password' not available with API token, need proper ticket."
    );
    let got = world.post("/access/ticket", &[("username", "root@pam"), ("password", "secret-root")]);
    assert_eq!(got.status, 403);
    for bad in
        ["root@pam!admin=wrong", "root@pam!nope=s", "foo", "root@pam!admin:s-admin", "alice@pve!old=s-old"]
    {
        world.token(bad);
        let got = world.get("/version");
        assert_eq!((got.status, got.reason.as_str()), (401, "Authentication failed!"), "{bad}");
    }
}

#[test]
fn a_disabled_user_is_out_at_once() {
    let mut world = World::new("9.2");
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(world.get("/version").status, 200);
    world.cluster.set_user("alice@pve", None, false);
    assert_eq!(world.get("/version").status, 401);
    world.token("alice@pve!full=s-full");
    assert_eq!(world.get("/version").status, 401);
}

#[test]
fn permissions_can_be_asked_for_by_ticket() {
    let mut world = World::new("9.2");
    world.sign_in("alice@pve", "secret-alice");
    let (ticket, _) = ticket_of(&world);
    world.auth = Auth::None;
    let mut ask = |privs: &str| {
        world.post(
            "/access/ticket",
            &[("username", "alice@pve"), ("password", &ticket), ("path", "/vms/100"), ("privs", privs)],
        )
    };
    let got = ask("VM.Audit");
    assert_eq!(got.status, 200);
    assert!(got.data.get("ticket").is_none());
    assert_eq!(ask("VM.PowerMgmt").status, 401);
}

#[test]
fn second_factors_are_added_with_the_password_and_listed_by_user() {
    let mut world = World::new("9.2");
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(world.get("/access/tfa/alice@pve").data, json!([]));
    let got = world.post("/access/tfa/alice@pve", &[("type", "recovery")]);
    assert_eq!((got.status, got.errors), (400, vec!["password".to_owned()]));
    let got = world.post("/access/tfa/alice@pve", &[("type", "recovery"), ("password", "secret-alice")]);
    assert_eq!(got.data["recovery"].as_array().unwrap().len(), 10);
    assert_eq!(world.get("/access/tfa").data[0]["userid"], "alice@pve");
    let got = world.get("/access/tfa/alice@pve/x");
    assert_eq!((got.status, got.reason.as_str()), (404, "No such tfa entry 'x'"));
}
