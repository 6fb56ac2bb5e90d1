//! Whom the client believes, and that whoever is not believed receives not a byte of a request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Authority, Identity, Reply, Server, VERSION, root, signed_in, token};
use pve::trust::{Distrust, Pinned, probe, probe_with};
use pve::{Client, ErrorKind, Phase, Sent, SystemStore, Timings, TrustPolicy};

const HERE: &[&str] = &["127.0.0.1"];

async fn version_server(identity: &Identity) -> Server {
    Server::start(identity, signed_in(|_| Reply::data(VERSION))).await
}

fn client(server: &Server, trust: TrustPolicy, system: SystemStore) -> Client {
    Client::with_store(server.endpoint(trust), root(), Timings::shrunk(), system)
}

fn nobody() -> SystemStore {
    SystemStore::of(Vec::<Vec<u8>>::new())
}

#[tokio::test]
async fn an_unknown_certificate_is_shown_and_nothing_is_sent() {
    let identity = Identity::self_signed(HERE);
    let server = version_server(&identity).await;
    let client = client(&server, TrustPolicy::system(), nobody());
    let error = client.version().await.unwrap_err();
    let ErrorKind::Untrusted { presented, why } = error.kind() else { panic!("{error}") };
    assert_eq!(**presented, identity.certificate());
    assert!(matches!(why, Distrust::UnknownIssuer { self_issued: true, .. }), "{why}");
    assert_eq!((error.phase(), error.request_sent()), (Phase::Tls, Sent::No));
    assert_eq!(error.attempts().len(), 1);
    assert_eq!(server.bytes(), 0);
    assert!(error.to_string().contains("not trusted"), "{error}");
}

#[tokio::test]
async fn a_pinned_certificate_passes_and_a_changed_one_gets_nothing() {
    let identity = Identity::self_signed(&["elsewhere.example"]);
    let server = version_server(&identity).await;
    let client = client(&server, TrustPolicy::leaf(identity.fingerprint()), nobody());
    client.version().await.unwrap();

    let before = server.bytes();
    let other = Identity::self_signed(HERE);
    server.show(&other);
    client.sign_out().await;
    let error = client.version().await.unwrap_err();
    let ErrorKind::CertificateChanged { pinned, presented } = error.kind() else { panic!("{error}") };
    assert_eq!(*pinned, Pinned::Leaf(identity.fingerprint()));
    assert_eq!(presented.fingerprint, other.fingerprint());
    assert_eq!(error.phase(), Phase::Tls);
    assert_eq!(server.bytes(), before, "a request went out to a changed certificate");
    // Neither a fresh session nor a token changes that.
    let by_token = Client::with_store(
        server.endpoint(TrustPolicy::leaf(identity.fingerprint())),
        token(),
        Timings::shrunk(),
        nobody(),
    );
    assert!(matches!(by_token.version().await.unwrap_err().kind(), ErrorKind::CertificateChanged { .. }));
    assert_eq!(server.bytes(), before);
}

#[tokio::test]
async fn the_pinned_certificate_without_its_key_gets_nothing() {
    let identity = Identity::self_signed(HERE);
    let server = version_server(&identity.without_its_key()).await;
    let client = client(&server, TrustPolicy::leaf(identity.fingerprint()), nobody());
    let error = client.version().await.unwrap_err();
    let ErrorKind::CertificateWithoutKey { presented } = error.kind() else { panic!("{error}") };
    assert_eq!(presented.fingerprint, identity.fingerprint());
    assert_eq!((error.phase(), error.request_sent()), (Phase::Tls, Sent::No));
    assert_eq!(server.bytes(), 0);
    // Looking at it is no different: a certificate that is shown without its key is not offered for confirmation.
    let error = probe(&server.address(), &Timings::shrunk()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CertificateWithoutKey { .. }), "{error}");
}

#[tokio::test]
async fn under_the_clusters_authority_a_renewed_certificate_passes_in_silence() {
    let authority = Authority::new("Proxmox Virtual Environment");
    let server = version_server(&authority.issue(HERE)).await;
    let trust = TrustPolicy::cluster_ca(&authority.certificate, ["pve1".to_owned()]);
    let client = client(&server, trust, nobody());
    client.version().await.unwrap();
    let first = client.presented()[0].fingerprint;

    server.show(&authority.issue(HERE));
    client.sign_out().await;
    client.version().await.unwrap();
    assert_ne!(client.presented()[0].fingerprint, first);

    // A certificate for a known node's name is as good, wherever the node was dialled.
    server.show(&authority.issue(&["pve1", "192.0.2.11"]));
    client.sign_out().await;
    client.version().await.unwrap();
}

#[tokio::test]
async fn the_clusters_authority_vouches_for_nothing_else() {
    let authority = Authority::new("Proxmox Virtual Environment");
    let trust = TrustPolicy::cluster_ca(&authority.certificate, ["pve1".to_owned()]);
    let kind = async |identity: Identity| {
        let server = version_server(&identity).await;
        let error = client(&server, trust.clone(), nobody()).version().await.unwrap_err();
        assert_eq!(server.bytes(), 0);
        assert_eq!(error.request_sent(), Sent::No);
        error.kind().clone()
    };
    let other_node = kind(authority.issue(&["pve2", "192.0.2.12"])).await;
    let ErrorKind::Untrusted { why: Distrust::NameMismatch { dialled, names }, .. } = other_node else {
        panic!("{other_node:?}")
    };
    assert_eq!((dialled.as_str(), names), ("127.0.0.1", vec!["pve2".to_owned(), "192.0.2.12".to_owned()]));

    let expired = kind(authority.issue_valid(HERE, 2010, 2012)).await;
    let ErrorKind::Untrusted { why: Distrust::Expired { since }, .. } = expired else {
        panic!("{expired:?}")
    };
    assert_eq!(since.to_string(), "2012-01-01T00:00:00Z");

    let early = kind(authority.issue_valid(HERE, 2090, 2092)).await;
    assert!(matches!(early, ErrorKind::Untrusted { why: Distrust::NotYetValid { .. }, .. }), "{early:?}");

    // Of the same name, and yet another authority.
    let impostor = kind(Authority::new("Proxmox Virtual Environment").issue(HERE)).await;
    let ErrorKind::CertificateChanged { pinned, .. } = impostor else { panic!("{impostor:?}") };
    assert_eq!(pinned, Pinned::Authority(vec![authority.certificate.fingerprint]));

    let self_signed = kind(Identity::self_signed(HERE)).await;
    assert!(matches!(self_signed, ErrorKind::CertificateChanged { .. }), "{self_signed:?}");
}

#[tokio::test]
async fn what_the_system_trusts_needs_no_pin_but_the_right_name() {
    let public = Authority::new("Public Root");
    let store = SystemStore::of([&public.certificate.der]);
    let server = version_server(&public.issue(HERE)).await;
    client(&server, TrustPolicy::system(), store.clone()).version().await.unwrap();
    // A pin beside it is not in the way.
    let pin = TrustPolicy::leaf(Identity::self_signed(HERE).fingerprint());
    client(&server, pin, store.clone()).version().await.unwrap();

    server.show(&public.issue(&["elsewhere.example"]));
    let client = client(&server, TrustPolicy::system(), store);
    let error = client.version().await.unwrap_err();
    let ErrorKind::Untrusted { why: Distrust::NameMismatch { .. }, .. } = error.kind() else {
        panic!("{error}")
    };
    // Node names widen the trust in the cluster's own authority, never in the system's store.
    let trust = TrustPolicy { node_names: vec!["elsewhere.example".to_owned()], ..TrustPolicy::system() };
    let error = client.sibling(server.endpoint(trust)).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Untrusted { .. }), "{error}");
}

#[tokio::test]
async fn a_probe_shows_the_certificate_and_says_nothing() {
    let public = Authority::new("Public Root");
    let identity = public.issue(HERE);
    let server = version_server(&identity).await;
    let store = SystemStore::of([&public.certificate.der]);
    let presented = probe_with(&server.address(), &Timings::shrunk(), store).await.unwrap();
    assert_eq!(presented.leaf().unwrap(), &identity.certificate());
    assert_eq!(presented.peer, server.addr);
    assert_eq!(presented.by_system(), Ok(()));
    assert!(presented.judge(&TrustPolicy::leaf(identity.fingerprint())).is_ok());

    server.show(&Identity::self_signed(HERE));
    let presented = probe_with(&server.address(), &Timings::shrunk(), nobody()).await.unwrap();
    assert!(matches!(presented.by_system(), Err(Distrust::UnknownIssuer { self_issued: true, .. })));
    let changed = presented.judge(&TrustPolicy::leaf(identity.fingerprint()));
    assert!(matches!(changed, Err(ErrorKind::CertificateChanged { .. })));
    assert_eq!(server.bytes(), 0);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn sessions_of_tls_are_resumed_under_one_trust_only() {
    let identity = Identity::self_signed(HERE);
    // Every answer ends its connection, so that every call opens one.
    let closing = |_: &common::Seen| {
        let mut reply = Reply::data(VERSION);
        reply.after = common::After::Close;
        reply
    };
    let server = Server::start(&identity, signed_in(closing)).await;
    let first = client(&server, TrustPolicy::leaf(identity.fingerprint()), nobody());
    for _ in 0..3 {
        first.version().await.unwrap();
    }
    let resumed = |server: &Server| server.connections().iter().filter(|conn| conn.resumed).count();
    assert!(resumed(&server) >= 2, "{:?}", server.connections());
    assert!(first.stats().resumed >= 2);

    let before = server.connections().len();
    let trust =
        TrustPolicy { node_names: vec!["pve1".to_owned()], ..TrustPolicy::leaf(identity.fingerprint()) };
    first.sibling(server.endpoint(trust)).version().await.unwrap();
    let after = server.connections();
    assert!(after.len() > before);
    assert!(!after[before].resumed, "a session of the former trust was resumed");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = version_server(&Identity::self_signed(HERE)).await;
    let identity = Identity::self_signed(HERE);
    let to = format!("https://{}/api2/json/version", elsewhere.addr);
    let location = to.clone();
    let server = Server::start(
        &identity,
        signed_in(move |_| {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            Reply::raw(head, common::After::Keep)
        }),
    )
    .await;
    for credential in [root(), token()] {
        let trust = TrustPolicy::leaf(identity.fingerprint());
        let client = Client::new(server.endpoint(trust), credential, Timings::shrunk());
        let error = client.version().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Redirected { to: seen } if *seen == to), "{error}");
        assert!(error.to_string().contains("not a Proxmox VE"), "{error}");
    }
    assert!(elsewhere.connections().is_empty(), "somebody followed the redirect");
}

#[tokio::test]
async fn the_clusters_authority_is_read_over_a_trusted_line() {
    let authority = Authority::new("Proxmox Virtual Environment");
    let identity = authority.issue(HERE);
    let pem = serde_json::to_string(&authority.pem).unwrap();
    let listing = format!(r#"[{{"filename":"pve-root-ca.pem","pem":{pem}}},{{"filename":"pve-ssl.pem"}}]"#);
    let server = Server::start(&identity, signed_in(move |_| Reply::data(&listing))).await;
    let pinned = client(&server, TrustPolicy::leaf(identity.fingerprint()), nobody());
    let names = ["pve1".to_owned(), "pve2".to_owned()];
    let (found, trust) = pinned.cluster_trust("pve1", &names).await.unwrap().unwrap();
    assert_eq!(found, authority.certificate);
    assert_eq!(trust.authorities(), [authority.certificate.fingerprint]);
    assert_eq!(trust.node_names, names);

    // Under it the next certificate passes, and it survives being written down.
    let written = serde_json::to_string(&trust).unwrap();
    let trust: TrustPolicy = serde_json::from_str(&written).unwrap();
    server.show(&authority.issue(&["pve2"]));
    pinned.sibling(server.endpoint(trust)).version().await.unwrap_err(); // no version here, but TLS stands
    assert!(server.seen().iter().any(|seen| seen.path() == "/api2/json/version"));
}

#[tokio::test]
async fn an_authority_that_does_not_vouch_for_the_endpoint_is_not_offered() {
    let authority = Authority::new("Proxmox Virtual Environment");
    let own = Identity::self_signed(HERE);
    let pem = serde_json::to_string(&authority.pem).unwrap();
    let listing = format!(r#"[{{"filename":"pve-root-ca.pem","pem":{pem}}}]"#);
    let server = Server::start(&own, signed_in(move |_| Reply::data(&listing))).await;
    let pinned = client(&server, TrustPolicy::leaf(own.fingerprint()), nobody());
    assert!(pinned.cluster_trust("pve1", &[]).await.unwrap().is_none());
}
