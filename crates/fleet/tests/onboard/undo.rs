//! What fails after something was made on the host: nothing of it stays, or what does is told.

use std::time::Duration;

use fleet::onboard::{Leftover, Rights, Step, Thing};
use pve_sim::{BlackHoleAt, Fault, FaultSpec, ResetAt};

use crate::support::{Bench, TOKEN, eventually, minting, password, root, told, user};

/// The steps of making a token, in their order: method and path.
const STEPS: [(&str, &str); 5] = [
    ("POST", "/access/roles"),
    ("POST", "/access/users/*/token/*"),
    ("PUT", "/access/acl"),
    ("GET", "/version"),
    ("GET", "/access/permissions"),
];

fn faults() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::LoseAnswer, "no_answer"),
        (Fault::Reset { at: ResetAt::Answer }, "answer_cut"),
        (Fault::Reset { at: ResetAt::Request }, "answer_cut"),
        (Fault::BlackHole { at: BlackHoleAt::Answer }, "no_answer"),
        (
            Fault::Forbidden { text: "Permission check failed (/, Permissions.Modify)".to_owned() },
            "privilege_missing",
        ),
        (
            Fault::ServerError { text: "cfs-lock 'file-user_cfg' error: no quorum!".to_owned() },
            "server_error",
        ),
        (Fault::Unauthorized, "credentials_rejected"),
    ]
}

/// One kind of trouble at each step, on a host of its own.
async fn fails_everywhere(fault: Fault, code: &str) {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    for (method, path) in STEPS {
        let at = format!("{fault:?} at {method} {path}");
        bench.remote.fault(None, fault.clone().method(method).on(path)).await;
        let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
        assert_eq!(error.code(), code, "{at}: {error}");
        if let Some(undone) = error.undone() {
            assert!(undone.left.is_empty(), "{at}: {undone:?}");
        }
        assert!(bench.is_clean(), "{at}: {:?}", bench.traces());
        bench.remote.clear_all().await;
    }
    // And when it is over, it works.
    let mut done = onboarding.finish(minting(Rights::Look)).await.unwrap();
    done.saved();
    assert_eq!(done.minted.as_ref().unwrap().id, format!("root@pam!{TOKEN}"));
    bench.end().await;
}

#[tokio::test]
async fn whatever_fails_at_whichever_step_leaves_nothing() {
    let all = faults().into_iter().map(|(fault, code)| fails_everywhere(fault, code));
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn older_versions_clean_up_as_well() {
    for version in ["7.4", "8.4"] {
        let bench = Bench::single(version).await;
        let mut onboarding = bench.signed_in(root()).await;
        for (method, path) in STEPS {
            for fault in [Fault::Reset { at: ResetAt::Answer }, Fault::Forbidden { text: "no".to_owned() }] {
                bench.remote.fault(None, fault.method(method).on(path)).await;
                onboarding.finish(minting(Rights::Operate)).await.unwrap_err();
                assert!(bench.is_clean(), "{version} {method} {path}: {:?}", bench.traces());
                bench.remote.clear_all().await;
            }
        }
        bench.end().await;
    }
}

#[tokio::test]
async fn cleaning_up_outlasts_trouble_of_its_own() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    let trouble: [FaultSpec; 4] = [
        Fault::LoseAnswer.method("DELETE").on("/access/users/*").times(1),
        Fault::ServerError { text: "cfs-lock 'file-user_cfg' error: no quorum!".to_owned() }
            .method("DELETE")
            .on("/access/roles/*")
            .times(2),
        Fault::Reset { at: ResetAt::Request }.method("GET").on("/access/acl").times(2),
        Fault::Forbidden { text: "no".to_owned() }.method("GET").on("/access/permissions").times(1),
    ];
    for fault in trouble {
        bench.remote.fault(None, fault).await;
    }
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    assert_eq!(error.code(), "privilege_missing");
    let undone = error.undone().unwrap();
    assert_eq!((undone.removed.len(), undone.left.len()), (3, 0), "{undone:?}");
    assert!(bench.is_clean());
    bench.end().await;
}

#[tokio::test]
async fn quorum_lost_in_between_is_waited_for_and_told_when_it_does_not_come_back() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    // Lost from the beginning: nothing is made.
    bench.remote.with_world(|world, _| world.set_quorum(false));
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    assert_eq!(error.code(), "server_error");
    assert!(bench.is_clean());
    bench.remote.with_world(|world, _| world.set_quorum(true));
    // Lost when the token is there already, and for good.
    bench.remote.fault(None, Fault::Delay { ms: 400 }.method("GET").on("/version")).await;
    let lose = async {
        eventually("the line", || {
            !bench.is_clean() && bench.traces().acl.iter().any(|line| line.2 == "MusterLook")
        })
        .await;
        bench.remote.with_world(|world, _| world.set_quorum(false));
        bench.remote.fault(None, Fault::Forbidden { text: "no".to_owned() }.on("/access/permissions")).await;
    };
    let (finished, ()) = tokio::join!(onboarding.finish(minting(Rights::Look)), lose);
    let error = finished.unwrap_err();
    let left: Vec<&Thing> = error.undone().unwrap().left.iter().map(|left| &left.thing).collect();
    assert_eq!(left.len(), 3, "{error}");
    assert!(left.contains(&&Thing::Token { id: format!("root@pam!{TOKEN}") }), "{left:?}");
    let text = error.to_string();
    assert!(text.contains("no quorum") && text.contains(TOKEN), "{text}");
    assert!(
        error.remedy().contains(&format!("pveum user token remove 'root@pam' '{TOKEN}'")),
        "{}",
        error.remedy()
    );
    assert!(!bench.is_clean());
    bench.end().await;
}

#[tokio::test]
async fn rights_taken_away_in_between_are_told_with_what_stays() {
    let bench = Bench::with_user("9.2", user("carol@pve", &[("/", "Administrator")])).await;
    let mut onboarding = bench.signed_in(password("carol@pve", "secret-user")).await;
    // Before anything is made.
    bench.remote.with_world(|world, _| world.revoke("/", "carol@pve"));
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    assert_eq!(error.code(), "privilege_missing", "{error}");
    bench.remote.with_world(|world, _| world.grant("/", "carol@pve", "Administrator"));
    assert!(bench.is_clean());
    // Before the line: her own token she may remove, the role she may not any more.
    bench.remote.fault(None, Fault::Delay { ms: 400 }.method("POST").on("/access/users/*")).await;
    let take = async {
        eventually("the role", || bench.traces().roles.contains("MusterLook")).await;
        bench.remote.with_world(|world, _| world.revoke("/", "carol@pve"));
    };
    let (finished, ()) = tokio::join!(onboarding.finish(minting(Rights::Look)), take);
    let error = finished.unwrap_err();
    let undone = error.undone().unwrap();
    let things: Vec<&Thing> = undone.left.iter().map(|Leftover { thing, .. }| thing).collect();
    assert_eq!(things, [&Thing::Role { name: "MusterLook".to_owned() }], "{undone:?}");
    assert!(bench.traces().tokens.iter().all(|id| !id.contains(TOKEN)));
    bench.end().await;
}

#[tokio::test]
async fn a_token_that_may_do_less_or_more_than_wanted_is_not_kept() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    // Less: a role below takes it away at the root.
    bench
        .remote
        .fault(None, Fault::MissingField { pointer: "/~1/VM.Audit".to_owned() }.on("/access/permissions"))
        .await;
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    assert_eq!(error.code(), "unproven", "{error}");
    assert!(error.to_string().contains("VM.Audit"), "{error}");
    assert!(bench.is_clean());
    bench.remote.clear_all().await;
    // More: a line that an earlier token of that name has left behind.
    bench
        .remote
        .with_world(|world, _| world.grant("/vms/101", &format!("root@pam!{TOKEN}"), "Administrator"));
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    assert_eq!(error.code(), "unproven", "{error}");
    assert!(error.to_string().contains("/vms/101"), "{error}");
    assert!(!bench.traces().tokens.iter().any(|id| id.contains(TOKEN)));
    bench.end().await;
}

#[tokio::test]
async fn an_answer_without_a_secret_makes_no_remote() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    bench
        .remote
        .fault(None, Fault::MissingField { pointer: "/value".to_owned() }.on("/access/users/*/token/*"))
        .await;
    let error = onboarding.finish(minting(Rights::SameAsUser)).await.unwrap_err();
    assert_eq!(error.code(), "unproven", "{error}");
    assert!(bench.is_clean());
    bench.end().await;
}

#[tokio::test]
async fn given_up_at_each_step_it_is_taken_back_in_the_background() {
    let bench = Bench::single("9.2").await;
    for (method, path) in STEPS {
        let mut onboarding = bench.signed_in(root()).await;
        bench.remote.clear_journal();
        bench.remote.fault(None, Fault::Delay { ms: 150 }.method(method).on(path)).await;
        let undone = onboarding.undone();
        let begun = || {
            bench.remote.journal().iter().any(|one| {
                one.method == method && one.api_path().starts_with(path.split('*').next().unwrap_or_default())
            })
        };
        tokio::select! {
            ended = onboarding.finish(minting(Rights::Look)) => panic!("{method} {path}: {ended:?}"),
            () = async {
                while !begun() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            } => {}
        }
        drop(onboarding);
        let undone = told(undone).await;
        assert!(undone.left.is_empty(), "{method} {path}: {undone:?}");
        assert!(bench.is_clean(), "{method} {path}: {:?}", bench.traces());
        bench.remote.clear_all().await;
    }
    bench.end().await;
}

#[tokio::test]
async fn given_up_at_any_moment_nothing_stays() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    bench.remote.fault(None, Fault::Delay { ms: 15 }).await;
    for moment in 0..24 {
        if !matches!(onboarding.step(), Step::SignedIn(_)) {
            onboarding = bench.signed_in(root()).await;
        }
        let finish = onboarding.finish(minting(Rights::Operate));
        // Either it ends in time and is dropped then, or it is dropped on the way.
        drop(tokio::time::timeout(Duration::from_millis(moment * 8), finish).await);
    }
    drop(onboarding);
    bench.becomes_clean().await;
    // Nothing comes after it, either.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(bench.is_clean(), "{:?}", bench.traces());
    bench.end().await;
}

#[tokio::test]
async fn the_next_try_waits_until_the_last_one_is_taken_back() {
    let bench = Bench::single("9.2").await;
    bench.remote.fault(None, Fault::Delay { ms: 100 }.method("DELETE").on("*")).await;
    let mut onboarding = bench.signed_in(root()).await;
    for _ in 0..3 {
        let asked = || bench.traces().tokens.iter().any(|id| id.contains(TOKEN));
        tokio::select! {
            ended = onboarding.finish(minting(Rights::Look)) => drop(ended),
            () = async { while !asked() { tokio::time::sleep(Duration::from_millis(2)).await } } => {}
        }
    }
    let mut done = onboarding.finish(minting(Rights::Look)).await.unwrap();
    done.saved();
    let minted = done.minted.clone().unwrap();
    assert_eq!(minted.id, format!("root@pam!{TOKEN}"), "the names are free again");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = bench.traces();
    assert!(
        after.roles.contains("MusterLook") && after.acl.iter().any(|line| line.1 == minted.id),
        "{after:?}"
    );
    bench.end().await;
}

#[tokio::test]
async fn a_remote_that_is_not_saved_takes_its_token_with_it() {
    let bench = Bench::single("8.4").await;
    let done = bench.minted(Rights::Operate).await;
    assert!(!bench.is_clean());
    drop(done);
    bench.becomes_clean().await;
    let done = bench.minted(Rights::SameAsUser).await;
    let undone = done.undo().await;
    assert_eq!(undone.removed, [Thing::Token { id: format!("root@pam!{TOKEN}") }]);
    assert!(bench.is_clean());
    bench.end().await;
}
