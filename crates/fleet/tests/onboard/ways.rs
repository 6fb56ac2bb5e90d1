//! The ways in that work.

use fleet::onboard::{Given, Grounds, Keep, Known, OnboardError, Onboarding, Purpose, Rights, Step};
use fleet::{Clock, Fleet};
use model::{Author, RemoteId};
use pve::{Client, Credential, Endpoint, Secret, SystemStore, TrustPolicy};
use pve_sim::topology::TokenSpec;
use pve_sim::{Fault, Topology};

use crate::support::{Bench, PATIENCE, TOKEN, keeping, minting, password, root, store, trusted, user};

const VERSIONS: [&str; 3] = ["7.4", "8.4", "9.2"];

fn privileges(version: &str, rights: Rights) -> Vec<&'static str> {
    let mut all = vec!["Datastore.Audit", "Pool.Audit", "Sys.Audit", "VM.Audit"];
    match (version, rights) {
        ("9.2", _) => all.push("VM.GuestAgent.Audit"),
        (_, Rights::Operate) => all.push("VM.Monitor"),
        _ => {}
    }
    if rights == Rights::Operate {
        all.push("VM.PowerMgmt");
    }
    all
}

#[tokio::test]
async fn a_token_is_made_proved_and_told_of_in_every_version() {
    for version in VERSIONS {
        for rights in [Rights::Look, Rights::Operate] {
            let bench = Bench::single(version).await;
            let mut done = bench.minted(rights).await;
            let minted = done.minted.clone().unwrap();
            let role = minted.role.clone().unwrap();
            assert_eq!(minted.id, format!("root@pam!{TOKEN}"));
            assert_eq!(role.privileges, privileges(version, rights), "{version}");
            assert!(role.made);
            let after = bench.traces();
            assert!(after.tokens.contains(&minted.id));
            assert!(after.roles.contains(&role.name));
            assert!(after.acl.contains(&("/".to_owned(), minted.id.clone(), role.name.clone())));
            let text = done.printed.join("\n");
            assert!(text.contains(&minted.id) && text.contains(&role.name), "{text}");
            assert!(role.privileges.iter().all(|name| text.contains(name)), "{text}");
            done.saved();
            let spec = done.spec.clone();
            assert_eq!((spec.name.as_str(), spec.credential.authid()), ("home", minted.id.as_str()));
            drop(done);
            // The remote that is saved works: as it is, and with no more rights than told.
            let (address, trust) = spec.endpoints[0].clone();
            let client = Client::with_store(
                Endpoint { address, trust },
                spec.credential,
                pve::Timings::shrunk(),
                store(),
            );
            client.cluster_resources(None).await.unwrap();
            let held = client.permissions().await.unwrap().value;
            let held: Vec<&str> = held.paths["/"].keys().map(String::as_str).collect();
            assert_eq!(held, privileges(version, rights), "{version}");
            assert!(bench.traces().tokens.contains(&minted.id), "saved, so it stays");
            bench.end().await;
        }
    }
}

#[tokio::test]
async fn the_same_rights_as_the_users_need_no_role() {
    for version in VERSIONS {
        let bench = Bench::with_user(version, user("carol@pve", &[("/vms/101", "PVEVMUser")])).await;
        let mut onboarding = bench.signed_in(password("carol@pve", "secret-user")).await;
        let Step::SignedIn(seen) = onboarding.step() else { panic!() };
        assert_eq!(seen.cluster, None);
        let names: Vec<&str> = seen.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["pve1"], "who may not see the cluster's status still sees its nodes");
        for offer in &seen.offers {
            let can = matches!(offer.rights, Some(Rights::SameAsUser) | None);
            assert_eq!(offer.refused.is_none(), can, "{offer:?}");
        }
        let mut done = onboarding.finish(minting(Rights::SameAsUser)).await.unwrap();
        done.saved();
        assert_eq!(done.minted.as_ref().unwrap().role, None);
        let after = bench.traces();
        assert!(after.tokens.contains(&format!("carol@pve!{TOKEN}")));
        assert!(!after.roles.iter().any(|role| role.starts_with("Muster")));
        bench.end().await;
    }
}

#[tokio::test]
async fn names_that_are_taken_are_passed_over() {
    let mut topology = Topology::single("9.2");
    let taken =
        |name: &str| TokenSpec { name: name.to_owned(), secret: "s".to_owned(), ..TokenSpec::default() };
    let mut root_user = user("root@pam", &[]);
    root_user.password = "secret-root".to_owned();
    root_user.tokens = vec![taken(TOKEN), taken(&format!("{TOKEN}-2"))];
    topology.remotes[0].users.retain(|one| one.userid != "root@pam");
    topology.remotes[0].users.push(root_user);
    // One that means something else, and one that fits.
    topology.remotes[0].roles.insert("MusterLook".to_owned(), vec!["VM.Audit".to_owned()]);
    let fits = privileges("9.2", Rights::Look).into_iter().rev().map(str::to_owned).collect();
    topology.remotes[0].roles.insert("MusterLook-2".to_owned(), fits);
    let bench = Bench::new(topology).await;
    let mut done = bench.minted(Rights::Look).await;
    let minted = done.minted.clone().unwrap();
    assert_eq!(minted.id, format!("root@pam!{TOKEN}-3"));
    let role = minted.role.unwrap();
    assert_eq!((role.name.as_str(), role.made), ("MusterLook-2", false));
    done.saved();
    // Another rights: the first free name.
    bench.remote.with_world(|world, _| world.set_role("MusterOperate", &["VM.Audit"]));
    let done = bench.minted(Rights::Operate).await;
    let role = done.minted.clone().unwrap().role.unwrap();
    assert_eq!((role.name.as_str(), role.made), ("MusterOperate-2", true));
    let undone = done.undo().await;
    assert!(undone.left.is_empty(), "{undone:?}");
    let after = bench.traces();
    assert!(after.roles.contains("MusterLook-2") && !after.roles.contains("MusterOperate-2"));
    assert!(after.tokens.contains(&format!("root@pam!{TOKEN}-3")), "only its own is taken back");
    bench.end().await;
}

#[tokio::test]
async fn a_token_name_taken_in_between_leads_to_the_next() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    // Somebody takes the name between the look at the list and the request.
    bench
        .remote
        .fault(
            None,
            Fault::ServerError { text: "token already exists".into() }
                .method("POST")
                .on("/access/users/*")
                .times(1),
        )
        .await;
    let mut done = onboarding.finish(minting(Rights::SameAsUser)).await.unwrap();
    assert_eq!(done.minted.as_ref().unwrap().id, format!("root@pam!{TOKEN}-2"));
    done.saved();
    bench.end().await;
}

/// In the host's own words: the list did not tell of the token yet. What somebody else has made there is left alone.
#[tokio::test]
async fn a_token_that_the_list_does_not_tell_of_is_neither_taken_nor_removed() {
    for version in VERSIONS {
        let bench = Bench::single(version).await;
        let mut first = bench.minted(Rights::SameAsUser).await;
        first.saved();
        let taken = first.minted.clone().unwrap().id;
        bench.remote.with_world(|world, _| {
            world.remove_field("/access/users/*/token", &format!("/tokenid={TOKEN}"));
        });
        let mut onboarding = bench.signed_in(root()).await;
        let lost = Fault::LoseAnswer.method("POST").on("/access/users/*").times(1);
        bench.remote.fault(None, lost).await;
        onboarding.finish(minting(Rights::SameAsUser)).await.unwrap_err();
        assert!(bench.traces().tokens.contains(&taken), "{version}: it is not ours");
        let mut done = onboarding.finish(minting(Rights::SameAsUser)).await.unwrap();
        assert_eq!(done.minted.as_ref().unwrap().id, format!("{taken}-2"), "{version}");
        done.saved();
        bench.end().await;
    }
}

#[tokio::test]
async fn a_second_factor_is_answered_and_may_be_mistyped() {
    for version in VERSIONS {
        let mut careful = user("dave@pve", &[("/", "Administrator")]);
        careful.recovery = vec!["1111-2222-3333-4444".to_owned(), "5555-6666-7777-8888".to_owned()];
        let bench = Bench::with_user(version, careful).await;
        let mut onboarding = bench.trusted().await;
        onboarding.sign_in(password("dave@pve", "secret-user")).await.unwrap();
        let Step::SecondFactor { user, kinds } = onboarding.step() else { panic!("{:?}", onboarding.step()) };
        assert_eq!((user.as_str(), kinds.as_slice()), ("dave@pve", ["recovery".to_owned()].as_slice()));
        let wrong = onboarding.second_factor(Secret::from("0000-0000-0000-0000")).await.unwrap_err();
        assert_eq!(wrong.code(), "credentials_rejected");
        assert!(matches!(onboarding.step(), Step::SecondFactor { .. }), "another may be tried");
        let early = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
        assert_eq!(early.code(), "wrong_step");
        onboarding.second_factor(Secret::from("5555-6666-7777-8888")).await.unwrap();
        let Step::SignedIn(seen) = onboarding.step() else { panic!() };
        let kept = seen.offers.iter().find(|offer| offer.rights.is_none()).unwrap();
        assert!(kept.note.as_ref().unwrap().contains("second factor"), "{kept:?}");
        let mut done = onboarding.finish(minting(Rights::Look)).await.unwrap();
        done.saved();
        assert_eq!(bench.passwords(), 1, "{version}: the password was presented once");
        bench.end().await;
    }
}

#[tokio::test]
async fn a_token_that_is_given_is_kept_or_makes_another_where_it_may() {
    let mut owner = user("carol@pve", &[("/", "PVEAuditor")]);
    let token = |name: &str| TokenSpec {
        name: name.to_owned(),
        secret: format!("secret-{name}"),
        ..TokenSpec::default()
    };
    owner.tokens = vec![token("mine")];
    let bench = Bench::with_user("9.2", owner).await;
    let given = Given::Token { id: "carol@pve!mine".to_owned(), secret: Secret::from("secret-mine") };
    let mut onboarding = bench.signed_in(given).await;
    let Step::SignedIn(seen) = onboarding.step().clone() else { panic!() };
    assert!(seen.by_token);
    let refused = seen.offers.iter().filter(|offer| offer.refused.is_some()).count();
    assert_eq!(refused, 3, "a token makes no tokens: {:?}", seen.offers);
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    assert_eq!(error.code(), "not_offered");
    assert!(error.to_string().contains("carol@pve!mine"), "{error}");
    let done = onboarding.finish(keeping(Keep::Given)).await.unwrap();
    assert_eq!(done.spec.credential.authid(), "carol@pve!mine");
    assert!(done.minted.is_none() && done.printed.is_empty());
    drop(done);
    assert!(bench.is_clean());
    assert_eq!((bench.passwords(), bench.mutations()), (0, 0));
    bench.end().await;
}

#[tokio::test]
async fn a_password_is_kept_when_that_is_wanted() {
    let bench = Bench::single("8.4").await;
    let mut onboarding = bench.signed_in(root()).await;
    let done = onboarding.finish(keeping(Keep::Given)).await.unwrap();
    let Credential::Password { user, password, .. } = &done.spec.credential else { panic!() };
    assert_eq!((user.as_str(), password.expose()), ("root@pam", "secret-root"));
    assert!(matches!(onboarding.step(), Step::Finished));
    assert!(bench.is_clean());
    assert_eq!(bench.passwords(), 1);
    bench.end().await;
}

#[tokio::test]
async fn a_session_is_taken_over_so_that_nothing_is_asked_for_twice() {
    let mut careful = user("dave@pve", &[("/", "PVEAuditor")]);
    careful.recovery = vec!["1111-2222-3333-4444".to_owned()];
    let bench = Bench::with_user("9.2", careful).await;
    let mut onboarding = bench.trusted().await;
    onboarding.sign_in(password("dave@pve", "secret-user")).await.unwrap();
    onboarding.second_factor(Secret::from("1111-2222-3333-4444")).await.unwrap();
    let done = onboarding.finish(keeping(Keep::Given)).await.unwrap();
    let fleet = Fleet::new(fleet::Timings::shrunk(), Clock::new(), 7);
    let id = fleet.add(done.spec.clone(), &Author { name: "ada".into(), from: "test".into() }).await.unwrap();
    let mut changed = fleet.changed();
    let up = async {
        while !fleet.remote(id).unwrap().link.state.is_up() {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, up).await.expect("connected");
    assert_eq!(bench.passwords(), 1);
    fleet.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn the_clusters_authority_is_offered_and_proves_itself() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    let mut onboarding = bench.signed_in(root()).await;
    let Step::SignedIn(seen) = onboarding.step().clone() else { panic!() };
    let root_ca = seen.authority.clone().unwrap();
    assert_eq!(seen.identity, root_ca.fingerprint);
    assert_eq!(seen.nodes.len(), 3);
    assert!(seen.cluster.is_some());
    let mut done = onboarding.finish(minting(Rights::Look)).await.unwrap();
    done.saved();
    assert_eq!(done.identity, root_ca.fingerprint);
    let trust = done.spec.endpoints[0].1.clone();
    assert_eq!(trust.authorities(), [root_ca.fingerprint]);
    assert_eq!(trust.leaf, None);
    // It is good for every node, and for a renewed certificate.
    bench.remote.fault(None, Fault::ChangeCertificate { same_ca: true }).await;
    for node in bench.remote.nodes() {
        let endpoint =
            Endpoint { address: crate::support::address(&bench.remote, &node), trust: trust.clone() };
        let client =
            Client::with_store(endpoint, done.spec.credential.clone(), pve::Timings::shrunk(), store());
        client.version().await.unwrap();
    }
    bench.end().await;
}

#[tokio::test]
async fn odd_types_everywhere_change_nothing() {
    for version in VERSIONS {
        let mut topology = Topology::single(version);
        topology.remotes[0].odd_types = true;
        let bench = Bench::new(topology).await;
        let mut done = bench.minted(Rights::Operate).await;
        assert_eq!(done.minted.as_ref().unwrap().id, format!("root@pam!{TOKEN}"));
        // And what is there already is recognised.
        done.saved();
        let done = bench.minted(Rights::Operate).await;
        let minted = done.minted.clone().unwrap();
        assert_eq!((minted.id, minted.role.unwrap().made), (format!("root@pam!{TOKEN}-2"), false));
        assert!(done.undo().await.left.is_empty());
        bench.end().await;
    }
}

#[tokio::test]
async fn a_dead_neighbour_is_no_hindrance() {
    let mut topology = Topology::cluster(3, "9.2");
    topology.remotes[0].users.push(user("carol@pve", &[("/vms", "PVEVMUser")]));
    let bench = Bench::new(topology).await;
    bench.remote.with_world(|world, _| world.kill_node("pve1"));
    for who in [root(), password("carol@pve", "secret-user")] {
        let at = crate::support::begin(crate::support::address(&bench.remote, "pve2"));
        let mut onboarding = trusted(at).await.unwrap();
        onboarding.sign_in(who).await.unwrap();
        let Step::SignedIn(seen) = onboarding.step() else { panic!() };
        assert_eq!(seen.nodes.len(), 3);
        let mut done = onboarding.finish(minting(Rights::SameAsUser)).await.unwrap();
        done.saved();
        assert_eq!(done.spec.endpoints[0].1.ca.len(), 1);
    }
    bench.end().await;
}

#[tokio::test]
async fn the_certificate_alone_is_believed_when_that_is_wanted() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    let shown = onboarding.certificate().fingerprint;
    let mut finish = minting(Rights::Look);
    finish.trust_cluster = false;
    let mut done = onboarding.finish(finish).await.unwrap();
    done.saved();
    let trust = &done.spec.endpoints[0].1;
    assert_eq!((trust.leaf, trust.ca.len()), (Some(shown), 0));
    bench.end().await;
}

#[tokio::test]
async fn nothing_is_confirmed_where_the_system_trusts() {
    let bench = Bench::single("9.2").await;
    let pem = bench.remote.ca_pem();
    let ca = pve::Certificate::from_pem(&pem).unwrap();
    let mut begin = bench.begin();
    begin.store = SystemStore::of([ca.der]);
    let onboarding = Onboarding::start(begin).await.unwrap();
    assert_eq!(onboarding.grounds(), Some(Grounds::System));
    assert!(matches!(onboarding.step(), Step::SignIn));
    let realms: Vec<&str> = onboarding.realms().iter().map(|realm| realm.name.as_str()).collect();
    assert_eq!(realms, ["pam", "pve"]);
    bench.end().await;
}

#[tokio::test]
async fn a_remote_gets_a_new_credential_and_no_other_cluster_does() {
    let bench = Bench::single("9.2").await;
    let other = Bench::single("9.2").await;
    let mut first = bench.minted(Rights::Look).await;
    first.saved();
    let remote = Known {
        id: RemoteId(7),
        name: "home".to_owned(),
        identity: Some(first.identity),
        endpoints: vec![bench.address().to_string().into()],
    };
    let again = |at: &Bench, trust: Option<TrustPolicy>| {
        let mut begin = at.begin();
        begin.known = vec![remote.clone()];
        begin.purpose = Purpose::Again { remote: remote.clone(), trust };
        begin
    };
    // What is believed already needs no second word.
    let trust = first.spec.endpoints[0].1.clone();
    let mut onboarding = Onboarding::start(again(&bench, Some(trust))).await.unwrap();
    assert_eq!(onboarding.grounds(), Some(Grounds::Known));
    onboarding.sign_in(root()).await.unwrap();
    let mut done = onboarding.finish(minting(Rights::Operate)).await.unwrap();
    assert_eq!(done.minted.as_ref().unwrap().id, format!("root@pam!{TOKEN}-2"));
    done.saved();
    // The token of before goes with the account that is signed in.
    let mut onboarding = bench.signed_in(root()).await;
    let undone = onboarding.remove_minted(first.minted.as_ref().unwrap()).await.unwrap();
    assert!(undone.left.is_empty() && undone.kept.is_empty(), "{undone:?}");
    let after = bench.traces();
    assert!(!after.roles.contains("MusterLook") && !after.tokens.contains(&format!("root@pam!{TOKEN}")));
    assert!(after.roles.contains("MusterOperate"));
    onboarding.abandon();
    // Another cluster is refused, whatever it says.
    let mut onboarding = trusted(again(&other, None)).await.unwrap();
    let error = onboarding.sign_in(root()).await.unwrap_err();
    assert!(matches!(&error, OnboardError::OtherCluster { name, .. } if name == "home"), "{error}");
    assert!(matches!(onboarding.step(), Step::Entered));
    assert_eq!(onboarding.finish(minting(Rights::Look)).await.unwrap_err().code(), "wrong_step");
    assert!(other.is_clean());
    bench.end().await;
    other.end().await;
}

#[tokio::test]
async fn a_role_that_others_use_by_now_stays() {
    let bench = Bench::single("9.2").await;
    let mut done = bench.minted(Rights::Look).await;
    done.saved();
    bench.remote.with_world(|world, _| world.grant("/vms", "alice@pve", "MusterLook"));
    let undone = bench.signed_in(root()).await.remove_minted(done.minted.as_ref().unwrap()).await.unwrap();
    assert_eq!((undone.removed.len(), undone.kept.len(), undone.left.len()), (2, 1, 0), "{undone:?}");
    assert!(bench.traces().roles.contains("MusterLook"));
    bench.end().await;
}

/// Who sees a part of the access control list only cannot tell that nobody else uses a role.
#[tokio::test]
async fn a_role_of_which_it_cannot_be_seen_who_uses_it_stays() {
    let mut topology = Topology::single("9.2");
    let able = ["Sys.Modify", "User.Modify"].map(str::to_owned).to_vec();
    topology.remotes[0].roles.insert("Some".to_owned(), able);
    topology.remotes[0].users.push(user("carol@pve", &[("/access", "Some")]));
    let bench = Bench::new(topology).await;
    let mut done = bench.minted(Rights::Look).await;
    done.saved();
    bench.remote.with_world(|world, _| world.grant("/vms", "alice@pve", "MusterLook"));
    let onboarding = bench.signed_in(password("carol@pve", "secret-user")).await;
    let undone = onboarding.remove_minted(done.minted.as_ref().unwrap()).await.unwrap();
    let left = undone.left.iter().find(|left| left.command == "pveum role delete 'MusterLook'").unwrap();
    assert!(left.why.contains("may not see"), "{undone:?}");
    assert!(bench.traces().roles.contains("MusterLook"));
    bench.end().await;
}

#[tokio::test]
async fn who_may_not_remove_is_told_how() {
    let bench = Bench::single("9.2").await;
    let mut done = bench.minted(Rights::Look).await;
    done.saved();
    let minted = done.minted.clone().unwrap();
    // The token itself: it looks, and changes nothing.
    let (address, trust) = done.spec.endpoints[0].clone();
    let own = Client::with_store(
        Endpoint { address, trust },
        done.spec.credential.clone(),
        pve::Timings::shrunk(),
        store(),
    );
    let undone = fleet::onboard::remove_minted(&own, &minted, &fleet::onboard::Timings::shrunk()).await;
    assert!(undone.removed.is_empty(), "{undone:?}");
    let commands: Vec<&str> = undone.left.iter().map(|left| left.command.as_str()).collect();
    assert!(
        commands.contains(&format!("pveum user token remove 'root@pam' '{TOKEN}'").as_str()),
        "{commands:?}"
    );
    assert!(commands.contains(&"pveum role delete 'MusterLook'"), "{commands:?}");
    bench.end().await;
}
