//! From an address to a remote that may be saved: enter at [`Onboarding::start`].
//!
//! Certificate, sign-in, second factor, a look at what is there, and at last what to sign in with from now on, in that
//! order. Nothing secret leaves before the certificate is trusted, and nothing counts before an authorised request has
//! succeeded with what will be kept. Whatever was made on the host is taken back unless the remote is saved.
//!
//! An onboarding moves on only when a step is complete: a call of it that fails, or whose future is dropped, leaves it
//! where it was.

mod claims;
mod error;
mod look;
mod membership;
mod mint;
pub mod rights;
mod undo;
mod view;

use std::sync::Arc;

use model::Text;
use pve::address::Address;
use pve::trust::{self, Presented};
use pve::{
    Certificate, Client, Credential, Endpoint, ErrorKind, Factor, Fingerprint, Secret, SystemStore,
    TfaChallenge, TrustPolicy,
};
use tokio::sync::{Mutex, watch};

pub use claims::{Claim, Claims};
pub use error::OnboardError;
pub(crate) use membership::candidates;
pub use membership::{Proposed, Verdict, membership, vouch};
pub use rights::{Major, Rights};
pub use undo::{Leftover, Thing, Undone};
pub use view::{
    Begin, Finish, Finished, Given, Grounds, Keep, Known, MintedToken, NodeFound, Offer, Purpose, Realm,
    RoleFacts, SignedIn, Step, Timings,
};

use crate::RemoteSpec;
use look::Seen;
use mint::Wanted;
use undo::{Deeds, Hold, Made};

/// A remote on its way in.
#[derive(Debug)]
pub struct Onboarding {
    address: Address,
    timings: Timings,
    store: SystemStore,
    known: Vec<Known>,
    purpose: Purpose,
    presented: Presented,
    certificate: Certificate,
    trust: Option<(Grounds, TrustPolicy)>,
    realms: Vec<Realm>,
    step: Step,
    entered: Option<Entered>,
    report: watch::Sender<Option<Undone>>,
    turn: Arc<Mutex<()>>,
}

/// A client whose first factor was accepted.
#[derive(Debug)]
struct Entered {
    client: Client,
    challenge: Option<TfaChallenge>,
    factored: bool,
    seen: Option<Seen>,
}

impl Onboarding {
    /// Dials the address and looks at its certificate; where that is trusted already, reads the realms too.
    ///
    /// # Errors
    /// The address is an endpoint of a remote already, nothing answers there, or what answers is no Proxmox VE.
    pub async fn start(begin: Begin) -> Result<Self, OnboardError> {
        let Begin { address, timings, store, known, purpose } = begin;
        if let Purpose::Add = purpose {
            let id = address.to_string();
            let twin = known.iter().find(|one| one.endpoints.iter().any(|endpoint| endpoint.as_str() == id));
            if let Some(twin) = twin {
                return Err(already(twin, &address, true));
            }
        }
        let presented = trust::probe_with(&address, &timings.pve, store.clone())
            .await
            .map_err(OnboardError::failed("looking at the certificate"))?;
        let Some(certificate) = presented.leaf().cloned() else { return Err(OnboardError::Lost) };
        let trust = match (&purpose, presented.by_system()) {
            (Purpose::Again { trust: Some(policy), .. }, _) if presented.judge(policy).is_ok() => {
                Some((Grounds::Known, policy.clone()))
            }
            (_, Ok(())) => Some((Grounds::System, TrustPolicy::system())),
            _ => None,
        };
        let mut started = Self {
            address,
            timings,
            store,
            known,
            purpose,
            presented,
            certificate,
            trust: None,
            realms: Vec::new(),
            step: Step::Certificate,
            entered: None,
            report: watch::Sender::new(None),
            turn: Arc::default(),
        };
        if let Some((grounds, policy)) = trust {
            started.open(grounds, policy).await?;
        }
        Ok(started)
    }

    /// Where it stands.
    #[must_use]
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// The address that was dialled.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The remote that gets a new credential; `None` while one is being added.
    #[must_use]
    pub fn again(&self) -> Option<&Known> {
        match &self.purpose {
            Purpose::Add => None,
            Purpose::Again { remote, .. } => Some(remote),
        }
    }

    /// The certificate that was shown.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Why the certificate is not trusted by itself; `None` if it is.
    #[must_use]
    pub fn distrust(&self) -> Option<String> {
        self.presented.by_system().err().map(|why| why.to_string())
    }

    /// What the trust in the certificate rests on, once there is any.
    #[must_use]
    pub fn grounds(&self) -> Option<Grounds> {
        self.trust.as_ref().map(|(grounds, _)| *grounds)
    }

    /// The realms one may sign in to; empty before the certificate is trusted.
    #[must_use]
    pub fn realms(&self) -> &[Realm] {
        &self.realms
    }

    /// Tells what became of things that had to be taken back, also after this is dropped; `None` until there was
    /// anything, and while it is under way.
    #[must_use]
    pub fn undone(&self) -> watch::Receiver<Option<Undone>> {
        self.report.subscribe()
    }

    /// A person confirms the certificate shown, by its fingerprint.
    ///
    /// # Errors
    /// It is another certificate, or what answers is no Proxmox VE.
    pub async fn trust(&mut self, fingerprint: Fingerprint) -> Result<&Step, OnboardError> {
        let shown = self.certificate.fingerprint;
        if shown != fingerprint {
            return Err(OnboardError::OtherCertificate { shown, given: fingerprint });
        }
        match self.step {
            Step::Certificate => {
                self.open(Grounds::Confirmed, TrustPolicy::leaf(fingerprint)).await?;
                Ok(&self.step)
            }
            // Said twice.
            Step::SignIn => Ok(&self.step),
            _ => Err(self.wrong(&Step::Certificate)),
        }
    }

    /// Reads the realms over a connection that is trusted: the first words with what answers there.
    async fn open(&mut self, grounds: Grounds, policy: TrustPolicy) -> Result<(), OnboardError> {
        let lobby = self.client(&policy, Credential::password("", ""));
        let rows = lobby.domains().await.map_err(OnboardError::failed("reading the realms"))?.value.rows;
        self.realms = rows
            .into_iter()
            .map(|row| Realm {
                name: row.realm,
                kind: row.kind,
                comment: row.comment,
                default: row.default == Some(true),
            })
            .collect();
        self.trust = Some((grounds, policy));
        self.step = Step::SignIn;
        Ok(())
    }

    fn client(&self, policy: &TrustPolicy, credential: Credential) -> Client {
        let endpoint = Endpoint { address: self.address.clone(), trust: policy.clone() };
        Client::with_store(endpoint, credential, self.timings.pve.clone(), self.store.clone())
    }

    fn wrong(&self, wanted: &Step) -> OnboardError {
        OnboardError::WrongStep { is: self.step.word(), wanted: wanted.word() }
    }

    /// Signs in; what is given is presented once. Where a second factor is due, [`Step::SecondFactor`] says so;
    /// otherwise it goes on to [`Step::SignedIn`].
    ///
    /// # Errors
    /// Rejected, or anything that a call can end with. A sign-in that was accepted and could not look at what is there
    /// stands at [`Step::Entered`]; so does one that must not go on: it is another cluster, or managed already.
    pub async fn sign_in(&mut self, given: Given) -> Result<&Step, OnboardError> {
        let Some((_, policy)) = self.trust.clone() else { return Err(self.wrong(&Step::SignIn)) };
        if matches!(self.step, Step::Finished | Step::Abandoned) {
            return Err(self.wrong(&Step::SignIn));
        }
        let credential = match given {
            Given::Password { user, password } => {
                self.realm_of(&user)?;
                Credential::password(user, password)
            }
            Given::Token { id, secret } => {
                let whole =
                    id.split_once('!').is_some_and(|(user, name)| user.contains('@') && !name.is_empty());
                if !whole {
                    return Err(OnboardError::NotAToken);
                }
                Credential::token(id, secret)
            }
        };
        self.step = Step::SignIn;
        self.entered = None;
        let client = self.client(&policy, credential);
        match client.sign_in().await {
            Ok(_) => {
                self.entered = Some(Entered { client, challenge: None, factored: false, seen: None });
                self.step = Step::Entered;
                self.look().await
            }
            Err(error) => match error.kind() {
                ErrorKind::SecondFactorNeeded { challenge } => {
                    let kinds = challenge.kinds().to_vec();
                    if !kinds.is_empty() && !kinds.iter().any(|kind| typed(kind)) {
                        return Err(OnboardError::FactorUnusable { kinds });
                    }
                    let user = challenge.user().to_owned();
                    let challenge = Some(challenge.clone());
                    self.entered = Some(Entered { client, challenge, factored: true, seen: None });
                    self.step = Step::SecondFactor { user, kinds };
                    Ok(&self.step)
                }
                _ => Err(OnboardError::failed("the sign-in")(error)),
            },
        }
    }

    /// A user whose realm the host does not have is told so before a password leaves.
    fn realm_of(&self, user: &str) -> Result<(), OnboardError> {
        let realms: Vec<String> = self.realms.iter().map(|realm| realm.name.clone()).collect();
        let realm = user.rsplit_once('@').filter(|(name, realm)| !name.is_empty() && !realm.is_empty());
        match realm {
            Some((_, realm)) if realms.is_empty() || realms.iter().any(|one| one == realm) => Ok(()),
            _ => Err(OnboardError::UnknownRealm { user: user.to_owned(), realms }),
        }
    }

    /// Answers the second factor; a wrong code may be followed by another.
    ///
    /// # Errors
    /// Rejected, or as [`Onboarding::sign_in`].
    pub async fn second_factor(&mut self, code: Secret) -> Result<&Step, OnboardError> {
        let wanted = Step::SecondFactor { user: String::new(), kinds: Vec::new() };
        let Some(entered) = &mut self.entered else { return Err(self.wrong(&wanted)) };
        let Some(challenge) = entered.challenge.clone() else { return Err(self.wrong(&wanted)) };
        let answered = entered.client.answer_second_factor(&challenge, &Factor::by_looks(code)).await;
        answered.map_err(OnboardError::failed("the second factor"))?;
        entered.challenge = None;
        self.step = Step::Entered;
        self.look().await
    }

    /// Looks (again) at what is there, once the sign-in was accepted.
    ///
    /// # Errors
    /// Anything that a call can end with; that it is another cluster than it should be, or managed already.
    pub async fn look(&mut self) -> Result<&Step, OnboardError> {
        let (client, factored) = match (&self.step, &self.entered) {
            (Step::Entered | Step::SignedIn(_), Some(entered)) => (entered.client.clone(), entered.factored),
            _ => return Err(self.wrong(&Step::Entered)),
        };
        let seen = look::look(&client, factored).await?;
        let found = seen.signed_in.identity;
        match &self.purpose {
            Purpose::Add => {
                if let Some(twin) = self.known.iter().find(|one| one.identity == Some(found)) {
                    return Err(already(twin, &self.address, false));
                }
            }
            Purpose::Again { remote, .. } => {
                if let Some(expected) = remote.identity.filter(|expected| *expected != found) {
                    let name = remote.name.clone();
                    return Err(OnboardError::OtherCluster { name, expected, found });
                }
            }
        }
        self.step = Step::SignedIn(Box::new(seen.signed_in.clone()));
        if let Some(entered) = &mut self.entered {
            entered.seen = Some(seen);
        }
        Ok(&self.step)
    }

    /// Settles what to sign in with from now on, and proves it.
    ///
    /// Whatever fails after something was made on the host, that is taken back before this returns; should this future
    /// be dropped, in the background ([`Onboarding::undone`] tells). What comes back undoes itself too, unless
    /// [`Finished::saved`] is called. After a failure another choice may be made.
    ///
    /// # Errors
    /// What was asked for cannot be had, is refused by the host, or does not prove itself.
    pub async fn finish(&mut self, finish: Finish) -> Result<Finished, OnboardError> {
        let seen = self.entered.as_ref().and_then(|entered| Some((entered, entered.seen.as_ref()?)));
        let (Step::SignedIn(_), Some((entered, seen)), Some((_, shown))) = (&self.step, seen, &self.trust)
        else {
            let is = self.step.word();
            return Err(OnboardError::WrongStep { is, wanted: "signed_in" });
        };
        let client = entered.client.clone();
        let signed_in = client.clone();
        let trust = match &seen.authority {
            Some(authority) if finish.trust_cluster => authority.clone(),
            _ => shown.clone(),
        };
        let identity = seen.signed_in.identity;
        let (credential, minted, hold, session) = match &finish.keep {
            Keep::Given => {
                client.version().await.map_err(OnboardError::failed("trying what was given"))?;
                (client.credential().clone(), None, Hold::nothing(self.report.clone()), Some(client))
            }
            Keep::Mint { rights, token_name, ends } => {
                let offer = seen.signed_in.offers.iter().find(|offer| offer.rights == Some(*rights));
                if let Some(why) = offer.and_then(|offer| offer.refused.clone()) {
                    return Err(OnboardError::NotOffered { why });
                }
                let wanted = Wanted {
                    rights: *rights,
                    major: seen.signed_in.major,
                    token_name: token_name.clone(),
                    ends: *ends,
                    at: finish.at,
                    held: seen.permissions.clone(),
                    endpoint: Endpoint { address: self.address.clone(), trust: trust.clone() },
                    store: self.store.clone(),
                };
                let made = mint::mint(
                    client,
                    wanted,
                    self.timings.clone(),
                    self.report.clone(),
                    Arc::clone(&self.turn),
                )
                .await?;
                (made.credential, Some(made.token), made.hold, None)
            }
        };
        let mut spec = RemoteSpec::new(finish.name, self.address.clone(), trust, credential);
        spec.identity = Some(Text::from(identity.to_string()));
        spec.rights = minted.as_ref().map(|minted| minted.rights);
        spec.minted.clone_from(&minted);
        spec.session = session;
        let printed = minted.as_ref().map(printed).unwrap_or_default();
        self.step = Step::Finished;
        self.entered = None;
        let timings = self.timings.clone();
        Ok(Finished { spec, identity, minted, printed, hold, client: signed_in, timings })
    }

    /// Removes a token that Muster made earlier, its role too unless something else uses it, with the account that is
    /// signed in.
    ///
    /// # Errors
    /// Nobody is signed in.
    pub async fn remove_minted(&self, minted: &MintedToken) -> Result<Undone, OnboardError> {
        match &self.entered {
            Some(Entered { client, challenge: None, .. }) => {
                Ok(remove_minted(client, minted, &self.timings).await)
            }
            _ => Err(self.wrong(&Step::Entered)),
        }
    }

    /// Gives up: the session is forgotten. Nothing was saved, and nothing is on the host.
    pub fn abandon(&mut self) {
        self.entered = None;
        self.step = Step::Abandoned;
    }
}

/// Removes a token that Muster made, and its role if Muster made that too and nothing else uses it.
///
/// A token with rights of its own may not remove itself: `client` signs in as somebody who may, its user for one. What
/// could not be removed is told with the command that does it.
///
/// It is tried for as long as [`Timings::removal`].
pub async fn remove_minted(client: &Client, minted: &MintedToken, timings: &Timings) -> Undone {
    deeds(minted).undo(client.clone(), timings.clone()).await
}

/// What Muster made for a token, when nothing was tried to remove it: all of it is left, for this reason.
#[must_use]
pub fn left_alone(minted: &MintedToken, why: &str) -> Undone {
    deeds(minted).left_alone(why)
}

/// What Muster made on a host for a token.
fn deeds(minted: &MintedToken) -> Deeds {
    let (user, name) = minted.parts();
    let made = minted.role.as_ref().filter(|role| role.made);
    Deeds {
        role: made.map(|role| (role.name.clone(), role.privileges.clone(), Made::Surely)),
        token: Some((user.to_owned(), name.to_owned(), String::new(), Made::Surely)),
        acl: minted.role.as_ref().map(|role| role.name.clone()),
        old: true,
    }
}

/// What was made on the host, one line each.
fn printed(minted: &MintedToken) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(role) = &minted.role {
        let how = if role.made { "made" } else { "was there already, with just these privileges" };
        lines.push(format!("role {} ({how}): {}", role.name, role.privileges.join(" ")));
    }
    let ends = minted.ends.map(|at| format!(", ends {at}")).unwrap_or_default();
    let kind = match minted.rights {
        Rights::SameAsUser => "with all the rights of its user",
        _ => "with rights of its own only",
    };
    lines.push(format!("token {} ({kind}{ends})", minted.id));
    if let Some(role) = &minted.role {
        lines.push(format!("permission on / and all below: {} has {}", minted.id, role.name));
    }
    lines
}

fn already(twin: &Known, address: &Address, endpoint: bool) -> OnboardError {
    OnboardError::AlreadyManaged {
        id: twin.id,
        name: twin.name.clone(),
        address: address.to_string(),
        endpoint,
    }
}

/// Whether a factor of this kind can be typed.
fn typed(kind: &str) -> bool {
    matches!(kind, "totp" | "recovery" | "yubico")
}
