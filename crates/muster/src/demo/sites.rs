//! How the simulated sites come into the demo: each is onboarded as a person would do it, and each in another way.

use fleet::onboard::{self, Begin, Finish, Finished, Given, Keep, Known, Onboarding, Purpose, Step};
use fleet::{Clock, Fleet};
use futures_util::future::try_join_all;
use model::Author;
use model::rights::Rights;
use pve::address::Address;
use pve::{Secret, SystemStore};
use pve_sim::topology::{RemoteSpec as Site, UserSpec};
use pve_sim::{Remote, Sim, Topology};

use super::trouble;
use crate::failure::Failure;
use crate::term::text::pad_right;

/// Whom every site knows.
const ROOT: &str = "root@pam";

/// The sites as whoever wants to sign in to one has to know them: where each node listens, and root's password.
pub(super) fn told(sim: &Sim, topology: &Topology) -> String {
    let mut lines = String::new();
    for remote in sim.remotes() {
        let addresses = remote.nodes().into_iter().filter_map(|node| remote.address(&node));
        let addresses: Vec<String> = addresses.map(|address| address.to_string()).collect();
        let site = topology.remotes.iter().find(|site| site.name == remote.name());
        let root = site.and_then(|site| site.users.iter().find(|user| user.userid == ROOT));
        let password = root.map_or("", |root| root.password.as_str());
        let name = pad_right(remote.name(), 8);
        lines.push_str(&format!("  {name}  {ROOT}  {password}  {}\n", addresses.join(" ")));
    }
    format!("Its sites, for \"remote add\", \"at\" and \"doctor\":\n{lines}")
}

/// What is kept of a site's sign-in.
enum Way {
    /// A token of those rights, made with root's password.
    Minted(Rights),
    /// A token that was there.
    Pasted,
    /// The password of a user with a second factor.
    Password(&'static str),
}

/// One of each.
fn way(site: &str) -> Way {
    match site {
        "attic" => Way::Minted(Rights::Look),
        "cellar" => Way::Password("carol@pve"),
        "field" => Way::Pasted,
        "oddball" => Way::Minted(Rights::SameAsUser),
        _ => Way::Minted(Rights::Operate),
    }
}

/// Adds the sites that the fleet does not have, and signs in anew to those it has: the simulator forgets the tokens
/// that were made on it.
///
/// # Errors
/// A site cannot be onboarded.
pub(super) async fn add(
    fleet: &Fleet,
    clock: &Clock,
    sim: &Sim,
    topology: &Topology,
    token_name: &str,
) -> Result<(), Failure> {
    let store = SystemStore::new();
    let each = sim.remotes().into_iter().filter_map(|remote| {
        let site = topology.remotes.iter().find(|site| site.name == remote.name())?;
        Some(enter(fleet, clock, remote, site, token_name, store.clone()))
    });
    let author = Author { name: "demo".to_owned(), from: "demo".to_owned() };
    // Signed in to all at once, added in their order.
    for mut entered in try_join_all(each).await?.into_iter().flatten() {
        let spec = entered.finished.spec.clone();
        match entered.known {
            Some(known) => {
                fleet.credential(known.id, spec.credential, &author).await.map_err(|e| trouble(&e))?;
            }
            None => {
                let trust = spec.endpoints.first().map(|(_, trust)| trust.clone());
                let others = entered.others.into_iter().filter_map(|address| Some((address, trust.clone()?)));
                let spec = others.fold(spec, |spec, (address, trust)| spec.endpoint(address, trust));
                fleet.add(spec, &author).await.map_err(|e| trouble(&e))?;
            }
        }
        entered.finished.saved();
    }
    Ok(())
}

/// A site that was signed in to.
struct Entered {
    known: Option<Known>,
    finished: Finished,
    /// Its nodes beside the one that was dialled.
    others: Vec<Address>,
}

async fn enter(
    fleet: &Fleet,
    clock: &Clock,
    remote: Remote,
    site: &Site,
    token_name: &str,
    store: SystemStore,
) -> Result<Option<Entered>, Failure> {
    let mut addresses: Vec<Address> = remote
        .nodes()
        .into_iter()
        .filter_map(|node| remote.address(&node))
        .map(|address| Address::new(address.ip().into(), address.port()))
        .collect();
    if addresses.is_empty() {
        return Ok(None);
    }
    let address = addresses.remove(0);
    let snapshot = fleet.snapshot();
    let known = snapshot.remote_named(&site.name).map(|there| Known::of(there));
    let purpose = match &known {
        Some(known) => Purpose::Again { remote: known.clone(), trust: None },
        None => Purpose::Add,
    };
    let begin = Begin {
        address,
        timings: onboard::Timings::default(),
        store,
        known: snapshot.remotes.iter().map(|one| Known::of(one)).collect(),
        purpose,
    };
    let mut onboarding = Onboarding::start(begin).await.map_err(|e| trouble(&e))?;
    let shown = onboarding.certificate().fingerprint;
    onboarding.trust(shown).await.map_err(|e| trouble(&e))?;

    let way = way(&site.name);
    let user = |id: &str| site.users.iter().find(|user| user.userid == id);
    let (who, keep) = match &way {
        Way::Minted(rights) => {
            (ROOT, Keep::Mint { rights: *rights, token_name: token_name.to_owned(), ends: None })
        }
        Way::Pasted => (ROOT, Keep::Given),
        Way::Password(id) => (*id, Keep::Given),
    };
    let Some(user) = user(who) else { return Ok(None) };
    onboarding.sign_in(given(&way, user)).await.map_err(|e| trouble(&e))?;
    if let (Step::SecondFactor { .. }, Some(secret)) = (onboarding.step(), &user.totp_secret) {
        let code = totp(secret, clock).ok_or_else(|| trouble(&"its second factor is none"))?;
        onboarding.second_factor(code).await.map_err(|e| trouble(&e))?;
    }
    let finish = Finish { name: site.name.clone(), keep, trust_cluster: true, at: clock.now().wall };
    let finished = onboarding.finish(finish).await.map_err(|e| trouble(&e))?;
    Ok(Some(Entered { known, finished, others: addresses }))
}

fn given(way: &Way, user: &UserSpec) -> Given {
    if let (Way::Pasted, Some(token)) = (way, user.tokens.first()) {
        let id = format!("{}!{}", user.userid, token.name);
        return Given::Token { id, secret: Secret::new(token.secret.clone()) };
    }
    Given::Password { user: user.userid.clone(), password: Secret::new(user.password.clone()) }
}

/// The code that an authenticator would show now.
fn totp(secret: &str, clock: &Clock) -> Option<Secret> {
    let secret = totp_rs::Secret::Encoded(secret.to_owned()).to_bytes().ok()?;
    let totp = totp_rs::TOTP::new_unchecked(totp_rs::Algorithm::SHA1, 6, 1, 30, secret);
    let now = u64::try_from(clock.now().wall.as_second()).ok()?;
    Some(Secret::new(totp.generate(now)))
}
