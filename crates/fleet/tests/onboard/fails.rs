//! The ways in that fail before anything is made, each with its own cause; nothing is left on the host.

use fleet::onboard::{Given, Known, OnboardError, Onboarding, Rights, Step};
use model::RemoteId;
use pve::Secret;
use pve_sim::{BlackHoleAt, Fault, ResetAt};

use crate::support::{Bench, begin, minting, password, root, trusted, user};

async fn start_fails(bench: &Bench) -> &'static str {
    Onboarding::start(bench.begin()).await.unwrap_err().code()
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let error = Onboarding::start(begin("nowhere.invalid:8006".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code(), "dns", "{error}");
    assert!(error.to_string().contains("nowhere.invalid:8006"), "{error}");
    assert!(!error.remedy().is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_answer_or_is_something_else() {
    let bench = Bench::single("9.2").await;
    for (fault, code) in [
        (Fault::Refuse, "refused"),
        (Fault::BlackHole { at: BlackHoleAt::Syn }, "connect_timeout"),
        (Fault::BlackHole { at: BlackHoleAt::Tls }, "no_answer"),
        (Fault::Reset { at: ResetAt::Tls }, "answer_cut"),
        (Fault::PlainHttp, "tls_failure"),
    ] {
        let shown = format!("{fault:?}");
        bench.remote.fault(None, fault).await;
        assert_eq!(start_fails(&bench).await, code, "{shown}");
        bench.remote.clear_all().await;
    }
    // The certificate is seen, and then what answers shows what it is, before anything secret was said.
    for (fault, code) in [
        (Fault::NotProxmox, "not_proxmox"),
        (Fault::Redirect { to: "https://elsewhere.example:8006".to_owned() }, "not_proxmox"),
        (Fault::BlackHole { at: BlackHoleAt::Answer }, "no_answer"),
        (Fault::Reset { at: ResetAt::Request }, "answer_cut"),
        (Fault::WrongKey, "untrusted_certificate"),
    ] {
        let shown = format!("{fault:?}");
        let mut onboarding = Onboarding::start(bench.begin()).await.unwrap();
        bench.remote.fault(None, fault).await;
        let fingerprint = onboarding.certificate().fingerprint;
        let error = onboarding.trust(fingerprint).await.unwrap_err();
        assert_eq!(error.code(), code, "{shown}: {error}");
        assert!(matches!(onboarding.step(), Step::Certificate), "{shown}");
        bench.remote.clear_all().await;
        // It can be said again when that is over.
        onboarding.trust(fingerprint).await.unwrap();
    }
    assert_eq!((bench.passwords(), bench.mutations()), (0, 0));
    bench.end().await;
}

#[tokio::test]
async fn nothing_is_said_before_the_certificate_is_trusted() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = Onboarding::start(bench.begin()).await.unwrap();
    assert!(matches!(onboarding.step(), Step::Certificate));
    assert!(onboarding.distrust().is_some() && onboarding.realms().is_empty());
    assert_eq!(onboarding.sign_in(root()).await.unwrap_err().code(), "wrong_step");
    let other = pve::Fingerprint([7; 32]);
    let error = onboarding.trust(other).await.unwrap_err();
    assert!(matches!(error, OnboardError::OtherCertificate { given, .. } if given == other), "{error}");
    assert_eq!(onboarding.finish(minting(Rights::Look)).await.unwrap_err().code(), "wrong_step");
    assert_eq!(onboarding.second_factor(Secret::from("123456")).await.unwrap_err().code(), "wrong_step");
    assert!(bench.remote.journal().is_empty(), "not a request");
    bench.end().await;
}

#[tokio::test]
async fn a_certificate_that_changes_on_the_way_gets_no_password() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.trusted().await;
    bench.remote.fault(None, Fault::ChangeCertificate { same_ca: false }).await;
    let error = onboarding.sign_in(root()).await.unwrap_err();
    assert_eq!(error.code(), "certificate_changed", "{error}");
    assert_eq!(bench.passwords(), 0);
    bench.end().await;
}

#[tokio::test]
async fn a_wrong_password_is_presented_once_and_leaves_nothing() {
    for version in ["7.4", "8.4", "9.2"] {
        let bench = Bench::single(version).await;
        let mut onboarding = bench.trusted().await;
        let error = onboarding.sign_in(password("root@pam", "not-it")).await.unwrap_err();
        assert_eq!(error.code(), "credentials_rejected", "{error}");
        assert_eq!(bench.passwords(), 1, "{version}");
        assert!(matches!(onboarding.step(), Step::SignIn));
        assert_eq!(onboarding.finish(minting(Rights::Look)).await.unwrap_err().code(), "wrong_step");
        assert!(bench.is_clean());
        assert_eq!(bench.mutations(), 0);
        // A person may type it again.
        onboarding.sign_in(root()).await.unwrap();
        assert!(matches!(onboarding.step(), Step::SignedIn(_)));
        assert_eq!(bench.passwords(), 2);
        bench.end().await;
    }
}

#[tokio::test]
async fn a_wrong_token_and_a_text_that_is_none() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.trusted().await;
    let token = |id: &str| Given::Token { id: id.to_owned(), secret: Secret::from("not-it") };
    let error = onboarding.sign_in(token("root@pam!nope")).await.unwrap_err();
    assert_eq!(error.code(), "credentials_rejected", "{error}");
    let asked = bench.remote.journal().len();
    for none in ["root@pam", "root!x", "root@pam!"] {
        assert_eq!(onboarding.sign_in(token(none)).await.unwrap_err().code(), "not_a_token", "{none}");
    }
    assert_eq!(bench.remote.journal().len(), asked, "nothing was sent");
    bench.end().await;
}

#[tokio::test]
async fn a_realm_that_is_not_there_gets_no_password() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.trusted().await;
    for name in ["root", "root@", "root@nowhere", "@pam"] {
        let error = onboarding.sign_in(password(name, "secret-root")).await.unwrap_err();
        assert!(
            matches!(&error, OnboardError::UnknownRealm { realms, .. } if realms == &["pam", "pve"]),
            "{error}"
        );
    }
    assert_eq!(bench.passwords(), 0);
    bench.end().await;
}

#[tokio::test]
async fn rights_that_the_account_cannot_give_are_refused_in_words() {
    for (roles, lacks) in [
        // Looks, and may make nothing.
        (vec![("/", "PVEAuditor")], "VM.PowerMgmt"),
        // Holds everything below, and not on the whole.
        (vec![("/vms", "Administrator")], "Sys.Audit"),
    ] {
        let bench = Bench::with_user("9.2", user("carol@pve", &roles)).await;
        let mut onboarding = bench.signed_in(password("carol@pve", "secret-user")).await;
        let Step::SignedIn(seen) = onboarding.step().clone() else { panic!() };
        let offer = seen.offers.iter().find(|offer| offer.rights == Some(Rights::Operate)).unwrap();
        let why = offer.refused.clone().unwrap();
        assert!(why.contains(lacks) && why.contains("carol@pve"), "{why}");
        let error = onboarding.finish(minting(Rights::Operate)).await.unwrap_err();
        assert_eq!((error.code(), error.to_string()), ("not_offered", why));
        assert_eq!(bench.mutations(), 0, "nothing was even asked for");
        // Another choice may follow.
        let mut done = onboarding.finish(minting(Rights::SameAsUser)).await.unwrap();
        done.saved();
        bench.end().await;
    }
    // May look everywhere, and may not make a role, or not give one.
    let able = ["Sys.Audit", "VM.Audit", "Datastore.Audit", "Pool.Audit", "VM.GuestAgent.Audit"];
    for (more, lacks) in [(vec![], "Sys.Modify"), (vec!["Sys.Modify"], "Permissions.Modify")] {
        let mut topology = pve_sim::Topology::single("9.2");
        let privileges = able.iter().chain(&more).map(|name| (*name).to_owned()).collect();
        topology.remotes[0].roles.insert("Some".to_owned(), privileges);
        topology.remotes[0].users.push(user("carol@pve", &[("/", "Some")]));
        let bench = Bench::new(topology).await;
        let onboarding = bench.signed_in(password("carol@pve", "secret-user")).await;
        let Step::SignedIn(seen) = onboarding.step() else { panic!() };
        let why = seen.offers[0].refused.clone().unwrap();
        assert!(why.contains(lacks), "{why}");
        bench.end().await;
    }
}

#[tokio::test]
async fn what_is_managed_already_is_recognised_by_address_and_by_identity() {
    let bench = Bench::new(pve_sim::Topology::cluster(2, "9.2")).await;
    let first = bench.signed_in(root()).await;
    let Step::SignedIn(seen) = first.step() else { panic!() };
    let home = Known {
        id: RemoteId(3),
        name: "home".to_owned(),
        identity: Some(seen.identity),
        endpoints: vec![bench.address().to_string().into()],
    };
    let before = bench.remote.connections().len();
    let mut again = bench.begin();
    again.known = vec![home.clone()];
    let error = Onboarding::start(again).await.unwrap_err();
    assert!(
        matches!(&error, OnboardError::AlreadyManaged { endpoint: true, id: RemoteId(3), .. }),
        "{error}"
    );
    assert_eq!(bench.remote.connections().len(), before, "nothing was dialled");
    // The same cluster by another address.
    let mut again = begin(crate::support::address(&bench.remote, "pve2"));
    again.known = vec![home];
    let mut onboarding = trusted(again).await.unwrap();
    let error = onboarding.sign_in(root()).await.unwrap_err();
    assert_eq!(error.code(), "already_managed");
    let text = error.to_string();
    assert!(text.contains("home") && text.contains("as an endpoint"), "{text}");
    assert_eq!(onboarding.finish(minting(Rights::Look)).await.unwrap_err().code(), "wrong_step");
    assert!(bench.is_clean());
    bench.end().await;
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_looked_at_again_without_a_new_sign_in() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.trusted().await;
    bench
        .remote
        .fault(None, Fault::MissingField { pointer: "/*/pem".to_owned() }.on("*/certificates/info"))
        .await;
    let error = onboarding.sign_in(root()).await.unwrap_err();
    assert_eq!(error.code(), "no_identity", "{error}");
    assert!(matches!(onboarding.step(), Step::Entered));
    bench.remote.clear_all().await;
    onboarding.look().await.unwrap();
    assert!(matches!(onboarding.step(), Step::SignedIn(_)));
    assert_eq!(bench.passwords(), 1);
    bench.end().await;
}

#[tokio::test]
async fn a_host_that_went_away_after_the_sign_in() {
    let bench = Bench::single("9.2").await;
    let mut onboarding = bench.signed_in(root()).await;
    bench.remote.fault(None, Fault::Refuse).await;
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    assert_eq!(error.code(), "refused", "{error}");
    assert!(error.undone().is_none(), "nothing was made");
    bench.remote.clear_all().await;
    let mut done = onboarding.finish(minting(Rights::Look)).await.unwrap();
    done.saved();
    bench.end().await;
}
