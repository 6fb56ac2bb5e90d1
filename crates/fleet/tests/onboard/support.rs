//! A simulated host, and an onboarding of it.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::onboard::{
    Begin, Finish, Finished, Given, Keep, OnboardError, Onboarding, Purpose, Rights, Step, Timings, Undone,
};
use jiff::Timestamp;
use pve::address::Address;
use pve::{Secret, SystemStore};
use pve_sim::topology::{AclSpec, UserSpec};
use pve_sim::{Remote, Sim, SimTimings, Topology};

/// Generous: the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const TOKEN: &str = "muster-1a2b3c4d";

pub(crate) struct Bench {
    pub(crate) sim: Sim,
    pub(crate) remote: Remote,
    /// What was on the host before.
    before: Traces,
}

/// What an onboarding can leave on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) tokens: BTreeSet<String>,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) acl: BTreeSet<(String, String, String)>,
}

pub(crate) fn address(remote: &Remote, node: &str) -> Address {
    remote.address(node).unwrap().to_string().parse().unwrap()
}

/// A machine without a certificate store.
pub(crate) fn store() -> SystemStore {
    SystemStore::of::<Vec<u8>>([])
}

pub(crate) fn begin(address: Address) -> Begin {
    Begin { address, timings: Timings::shrunk(), store: store(), known: Vec::new(), purpose: Purpose::Add }
}

pub(crate) fn root() -> Given {
    password("root@pam", "secret-root")
}

pub(crate) fn password(user: &str, password: &str) -> Given {
    Given::Password { user: user.to_owned(), password: Secret::from(password) }
}

pub(crate) fn minting(rights: Rights) -> Finish {
    keeping(Keep::Mint { rights, token_name: TOKEN.to_owned(), ends: None })
}

pub(crate) fn keeping(keep: Keep) -> Finish {
    Finish { name: "home".to_owned(), keep, trust_cluster: true, at: Timestamp::now() }
}

/// A user of the simulated host.
pub(crate) fn user(userid: &str, roles: &[(&str, &str)]) -> UserSpec {
    UserSpec {
        userid: userid.to_owned(),
        password: "secret-user".to_owned(),
        acl: roles.iter().map(|(path, role)| AclSpec::new(path, role)).collect(),
        ..UserSpec::default()
    }
}

impl Bench {
    pub(crate) async fn new(topology: Topology) -> Self {
        Self::of(Sim::start(topology, SimTimings::fast()).await.unwrap())
    }

    pub(crate) fn of(sim: Sim) -> Self {
        let remote = sim.first().unwrap();
        let before = traces(&remote);
        Self { sim, remote, before }
    }

    pub(crate) async fn single(version: &str) -> Self {
        Self::new(Topology::single(version)).await
    }

    /// A host with this user beside its usual ones.
    pub(crate) async fn with_user(version: &str, user: UserSpec) -> Self {
        let mut topology = Topology::single(version);
        topology.remotes[0].users.push(user);
        Self::new(topology).await
    }

    pub(crate) fn address(&self) -> Address {
        address(&self.remote, &self.remote.nodes()[0])
    }

    pub(crate) fn begin(&self) -> Begin {
        begin(self.address())
    }

    /// Up to the sign-in: the certificate is confirmed.
    pub(crate) async fn trusted(&self) -> Onboarding {
        trusted(self.begin()).await.unwrap()
    }

    pub(crate) async fn signed_in(&self, given: Given) -> Onboarding {
        let mut onboarding = self.trusted().await;
        onboarding.sign_in(given).await.unwrap();
        assert!(matches!(onboarding.step(), Step::SignedIn(_)), "{:?}", onboarding.step());
        onboarding
    }

    /// Everything, to the end, by root.
    pub(crate) async fn minted(&self, rights: Rights) -> Finished {
        self.signed_in(root()).await.finish(minting(rights)).await.unwrap()
    }

    pub(crate) fn traces(&self) -> Traces {
        traces(&self.remote)
    }

    /// Nothing is on the host that was not there before.
    pub(crate) fn is_clean(&self) -> bool {
        self.traces() == self.before
    }

    pub(crate) async fn becomes_clean(&self) {
        eventually("the host is clean", || self.is_clean()).await;
    }

    /// How often a password was presented.
    pub(crate) fn passwords(&self) -> usize {
        let all = self.remote.journal();
        let first = |one: &&pve_sim::Exchange| {
            one.method == "POST" && one.api_path() == "/access/ticket" && one.param("tfa-challenge").is_none()
        };
        all.iter().filter(first).count()
    }

    /// How often something was asked to change, sign-ins apart.
    pub(crate) fn mutations(&self) -> usize {
        let all = self.remote.journal();
        all.iter().filter(|one| one.method != "GET" && one.api_path() != "/access/ticket").count()
    }

    pub(crate) async fn end(self) {
        self.sim.stop().await;
    }
}

pub(crate) async fn trusted(begin: Begin) -> Result<Onboarding, OnboardError> {
    let mut onboarding = Onboarding::start(begin).await?;
    let shown = onboarding.certificate().fingerprint;
    onboarding.trust(shown).await?;
    Ok(onboarding)
}

pub(crate) fn traces(remote: &Remote) -> Traces {
    remote.with_world(|world, _| Traces {
        tokens: world.token_ids().into_iter().collect(),
        roles: world.role_names().into_iter().collect(),
        acl: world.acl_lines().into_iter().collect(),
    })
}

pub(crate) async fn eventually(what: &str, fits: impl Fn() -> bool) {
    let wait = async {
        while !fits() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never came: {what}");
}

/// What a watch of things taken back tells at last.
pub(crate) async fn told(mut undone: tokio::sync::watch::Receiver<Option<Undone>>) -> Undone {
    let told = tokio::time::timeout(PATIENCE, undone.wait_for(Option::is_some)).await;
    told.expect("told in time").unwrap().clone().unwrap()
}
