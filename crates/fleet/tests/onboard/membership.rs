//! Further endpoints, found from the cluster's membership.

use std::net::{IpAddr, SocketAddr};

use fleet::onboard::{Proposed, Rights, Timings, Verdict, membership, vouch};
use model::{EndpointId, NodeName};
use pve::{Client, Endpoint, SystemStore, TrustPolicy};
use pve_sim::{Fault, Sim, SimTimings, Topology};

use crate::support::{Bench, begin, minting, root, store, traces, trusted};

/// A cluster whose nodes answer on the same port of different addresses, as real ones do. `odd` may change it.
async fn cluster(odd: impl Fn(&mut Topology, u16)) -> (Bench, u16) {
    for _ in 0..20 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut topology = Topology::cluster(3, "9.2");
        for (node, last) in topology.remotes[0].nodes.iter_mut().zip(1..) {
            node.listen = Some(SocketAddr::new(IpAddr::from([127, 0, 0, last]), port));
        }
        odd(&mut topology, port);
        if let Ok(sim) = Sim::start(topology, SimTimings::fast()).await {
            return (Bench::of(sim), port);
        }
    }
    panic!("no port was free on three addresses at once")
}

async fn client(bench: &Bench) -> Client {
    let mut onboarding = trusted(begin(bench.address())).await.unwrap();
    onboarding.sign_in(root()).await.unwrap();
    let mut done = onboarding.finish(minting(Rights::Look)).await.unwrap();
    done.saved();
    let (address, trust) = done.spec.endpoints[0].clone();
    Client::with_store(
        Endpoint { address, trust },
        done.spec.credential.clone(),
        pve::Timings::shrunk(),
        store(),
    )
}

async fn proposed(
    client: &Client,
    known: &[(EndpointId, Option<NodeName>)],
    store: &SystemStore,
) -> Vec<Proposed> {
    membership(client, known, &Timings::shrunk(), store).await.unwrap()
}

#[tokio::test]
async fn the_other_nodes_are_proposed_with_what_they_should_show() {
    let (bench, port) = cluster(|_, _| {}).await;
    let client = client(&bench).await;
    let before = traces(&bench.remote);
    let found = proposed(&client, &[], &store()).await;
    let nodes: Vec<&str> = found.iter().map(|one| one.node.as_str()).collect();
    assert_eq!(nodes, ["pve2", "pve3"], "not the one that is dialled");
    let leaf = bench.remote.leaf_fingerprint("pve1").unwrap().parse().unwrap();
    let address = format!("localhost:{port}").parse().unwrap();
    let by_name = client.sibling(Endpoint { address, trust: TrustPolicy::leaf(leaf) });
    let named = proposed(&by_name, &[], &store()).await;
    assert_eq!(named.iter().map(|one| one.node.as_str()).collect::<Vec<_>>(), nodes, "by name neither");
    for (one, last) in found.iter().zip(2..) {
        assert_eq!(one.address.to_string(), format!("127.0.0.{last}:{port}"));
        assert!(matches!(one.verdict, Verdict::Good), "{:?}", one.verdict);
        let told = one.certificate.as_ref().unwrap().fingerprint.to_string();
        assert_eq!(Some(told), bench.remote.leaf_fingerprint(one.node.as_str()));
        // What would be believed there is enough to work with it, and the session is good there too.
        let endpoint = Endpoint { address: one.address.clone(), trust: one.trust.clone().unwrap() };
        assert_eq!(endpoint.trust.ca.len(), 1, "by the cluster's authority");
        client.sibling(endpoint).cluster_resources(None).await.unwrap();
    }
    // What is there already is not proposed, by address or by node.
    let known = [
        (EndpointId::from(format!("127.0.0.2:{port}")), None),
        (EndpointId::from("pve3.example:8006"), Some(NodeName::from("pve3"))),
    ];
    assert!(proposed(&client, &known, &store()).await.is_empty());
    assert_eq!(before, traces(&bench.remote));
    bench.end().await;
}

#[tokio::test]
async fn each_verdict_says_why() {
    // Another machine sits where pve3 should be, and pve2's own certificate is not the authority's.
    let (bench, port) = cluster(|topology, port| {
        let node = &mut topology.remotes[0].nodes[2];
        node.ip = Some(IpAddr::from([127, 0, 0, 4]));
        node.listen = Some(SocketAddr::new(IpAddr::from([127, 0, 0, 3]), port));
    })
    .await;
    let mut other = Topology::single("9.2");
    other.remotes[0].nodes[0].listen = Some(SocketAddr::new(IpAddr::from([127, 0, 0, 4]), port));
    let other = Sim::start(other, SimTimings::fast()).await.unwrap();
    let client = client(&bench).await;
    bench.remote.fault(Some("pve2"), Fault::ChangeCertificate { same_ca: false }).await;
    let found = proposed(&client, &[], &store()).await;
    assert!(matches!(found[0].verdict, Verdict::Good), "{:?}", found[0].verdict);
    let trust = found[0].trust.clone().unwrap();
    assert!(trust.ca.is_empty() && trust.leaf.is_some(), "just that one");
    let shown = other.first().unwrap().leaf_fingerprint("pve1").unwrap();
    match &found[1].verdict {
        Verdict::OtherCertificate { shown: seen } => assert_eq!(*seen, shown),
        verdict => panic!("{verdict:?}"),
    }
    // Nothing was said to it.
    assert!(other.first().unwrap().journal().is_empty());
    other.stop().await;
    let found = proposed(&client, &[], &store()).await;
    match &found[1].verdict {
        Verdict::Silent { cause } => assert_eq!(cause.code(), "refused"),
        verdict => panic!("{verdict:?}"),
    }
    // Its certificate is told by nobody while it is down.
    bench.remote.with_world(|world, _| world.kill_node("pve3"));
    let found = proposed(&client, &[], &store()).await;
    match &found[1].verdict {
        Verdict::NoPin { cause } => assert_eq!(cause.code(), "node_down"),
        verdict => panic!("{verdict:?}"),
    }
    assert!(found[1].trust.is_none());
    bench.end().await;
}

#[tokio::test]
async fn a_host_on_its_own_proposes_nothing() {
    let bench = Bench::single("8.4").await;
    let client = client(&bench).await;
    assert!(proposed(&client, &[], &store()).await.is_empty());
    bench.end().await;
}

#[tokio::test]
async fn an_address_that_is_typed_has_to_be_a_node_of_the_cluster() {
    let bench = Bench::new(Topology::cluster(2, "9.2")).await;
    let other = Bench::single("9.2").await;
    let client = client(&bench).await;
    let second = crate::support::address(&bench.remote, "pve2");
    let good = vouch(&client, &second, &Timings::shrunk(), &store()).await.unwrap();
    assert_eq!(good.node.as_str(), "pve2");
    let trust = good.trust.unwrap();
    assert_eq!((trust.ca.len(), trust.leaf), (1, None));
    client.sibling(Endpoint { address: second.clone(), trust }).version().await.unwrap();
    // A certificate of its own is believed because the cluster tells of it.
    bench.remote.fault(Some("pve2"), Fault::ChangeCertificate { same_ca: false }).await;
    let good = vouch(&client, &second, &Timings::shrunk(), &store()).await.unwrap();
    assert!(good.trust.unwrap().leaf.is_some());
    // Another cluster is told apart without a word to it, also where the system trusts it.
    for store in [store(), SystemStore::of([pve::Certificate::from_pem(&other.remote.ca_pem()).unwrap().der])]
    {
        let error = vouch(&client, &other.address(), &Timings::shrunk(), &store).await.unwrap_err();
        assert_eq!(error.code(), "stranger", "{error}");
    }
    assert!(other.remote.journal().is_empty());
    let gone = other.address();
    other.end().await;
    let error = vouch(&client, &gone, &Timings::shrunk(), &store()).await.unwrap_err();
    assert_eq!(error.code(), "refused", "{error}");
    bench.end().await;
}
