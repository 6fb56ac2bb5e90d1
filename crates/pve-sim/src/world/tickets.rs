//! Tickets and CSRF tokens: made and checked.
//!
//! The form is Proxmox's (`PVE:user@realm:HEXTIME::SIGNATURE`); the signature is an HMAC stretched to the
//! length of the RSA signature of the real one, so that headers are as long as they really are.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::hmac;

use crate::seam::SimTime;

/// A ticket from the future is taken for good up to this many seconds: clocks of nodes differ.
const MAY_BE_AHEAD: u64 = 300;

/// Signs and checks for one cluster: its tickets hold on every node.
pub(crate) struct Signer {
    seed: u64,
    epoch: u64,
    key: hmac::Key,
}

/// What a valid ticket says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A user who is signed in.
    User(String),
    /// A challenge of the form of 8 and later: the second factors on offer, as JSON.
    Challenge(String),
    /// Half a sign-in of the form of 7 and earlier.
    Half(String),
}

impl Signer {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, epoch: 0, key: key(seed, 0) }
    }

    /// A new key: whatever was signed before is worth nothing.
    pub(crate) fn renew(&mut self) {
        self.epoch += 1;
        self.key = key(self.seed, self.epoch);
    }

    fn signature(&self, plain: &str, aad: &str) -> String {
        let mut bytes = Vec::with_capacity(256);
        for block in 0_u8..4 {
            let tag = hmac::sign(&self.key, format!("{block}|{plain}|{aad}").as_bytes());
            bytes.extend_from_slice(tag.as_ref());
        }
        STANDARD.encode(bytes)
    }

    fn assemble(&self, data: &str, aad: &str, now: SimTime) -> String {
        let plain = format!("PVE:{data}:{:08X}", now.seconds());
        let signature = self.signature(&plain, aad);
        format!("{plain}::{signature}")
    }

    /// The ticket of a user who is signed in.
    pub(crate) fn ticket(&self, user: &str, now: SimTime) -> String {
        self.assemble(user, "", now)
    }

    /// A challenge for the second factor; it is bound to the user, whose name is not in it.
    pub(crate) fn challenge(&self, user: &str, factors: &str, now: SimTime) -> String {
        // The real one escapes nothing but the colons, which divide the ticket's parts.
        self.assemble(&format!("!tfa!{}", factors.replace(':', "%3A")), user, now)
    }

    /// Half a sign-in, in the old form.
    pub(crate) fn half(&self, user: &str, now: SimTime) -> String {
        self.assemble(&format!("tfa!{user}"), "", now)
    }

    /// Reads a ticket of any sort; `aad` is the user for whom a challenge was made.
    pub(crate) fn read(&self, ticket: &str, aad: &str, lifetime: u64, now: SimTime) -> Option<Holder> {
        let (plain, signature) = ticket.rsplit_once("::")?;
        let (data, time) = plain.strip_prefix("PVE:")?.rsplit_once(':')?;
        let is_challenge = data.starts_with("!tfa!");
        if signature != self.signature(plain, if is_challenge { aad } else { "" }) {
            return None;
        }
        if !fresh(time, lifetime, now) {
            return None;
        }
        Some(if let Some(factors) = data.strip_prefix("!tfa!") {
            Holder::Challenge(factors.replace("%3A", ":"))
        } else if let Some(user) = data.strip_prefix("tfa!") {
            Holder::Half(user.to_owned())
        } else {
            Holder::User(data.to_owned())
        })
    }

    /// The token that a user's browser must send with every change.
    pub(crate) fn csrf(&self, user: &str, now: SimTime) -> String {
        self.csrf_at(user, &format!("{:08X}", now.seconds()))
    }

    fn csrf_at(&self, user: &str, time: &str) -> String {
        let tag = hmac::sign(&self.key, format!("csrf|{time}:{user}").as_bytes());
        let digest = tag.as_ref().get(..32).unwrap_or_default();
        format!("{time}:{}", STANDARD_NO_PAD.encode(digest))
    }

    /// Whether it is one of this user's, and not too old. An older one of the same user is as good as the last.
    pub(crate) fn csrf_holds(&self, token: &str, user: &str, lifetime: u64, now: SimTime) -> bool {
        token
            .split_once(':')
            .is_some_and(|(time, _)| fresh(time, lifetime, now) && token == self.csrf_at(user, time))
    }
}

fn key(seed: u64, epoch: u64) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA512, format!("cluster {seed} key {epoch}").as_bytes())
}

fn fresh(time: &str, lifetime: u64, now: SimTime) -> bool {
    let Ok(seconds) = u64::from_str_radix(time, 16) else { return false };
    let signed = SimTime::from_seconds(seconds);
    // The time is cut to whole seconds, so a lifetime under a second needs the rest of one.
    now.since(signed) <= lifetime.saturating_add(999) && signed.since(now) <= MAY_BE_AHEAD * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SimTime = SimTime(1_795_302_529_000);
    const LIFE: u64 = 7_200_000;

    #[test]
    fn a_ticket_is_good_for_its_lifetime_and_no_longer() {
        let signer = Signer::new(7);
        let ticket = signer.ticket("root@pam", NOW);
        let root = Some(Holder::User("root@pam".to_owned()));
        assert_eq!(signer.read(&ticket, "", LIFE, NOW), root);
        assert_eq!(signer.read(&ticket, "", LIFE, NOW.plus(LIFE)), root);
        assert_eq!(signer.read(&ticket, "", LIFE, NOW.plus(LIFE + 2_000)), None);
        assert_eq!(signer.read(&ticket, "", LIFE, SimTime(NOW.0 - 299_000)), root);
        assert_eq!(signer.read(&ticket, "", LIFE, SimTime(NOW.0 - 301_000)), None);
    }

    #[test]
    fn no_ticket_survives_a_new_key_or_a_changed_letter() {
        let mut signer = Signer::new(7);
        let ticket = signer.ticket("root@pam", NOW);
        assert_eq!(signer.read(&ticket.replace("root", "toor"), "", LIFE, NOW), None);
        assert_eq!(Signer::new(8).read(&ticket, "", LIFE, NOW), None);
        signer.renew();
        assert_eq!(signer.read(&ticket, "", LIFE, NOW), None);
    }

    #[test]
    fn a_challenge_is_bound_to_its_user() {
        let signer = Signer::new(7);
        let ticket = signer.challenge("dave@pve", r#"{"totp":true}"#, NOW);
        assert!(ticket.starts_with(r#"PVE:!tfa!{"totp"%3Atrue}:"#), "{ticket}");
        let factors = Some(Holder::Challenge(r#"{"totp":true}"#.to_owned()));
        assert_eq!(signer.read(&ticket, "dave@pve", LIFE, NOW), factors);
        assert_eq!(signer.read(&ticket, "alice@pve", LIFE, NOW), None);
    }

    #[test]
    fn a_csrf_token_is_its_users_and_ages() {
        let signer = Signer::new(7);
        let token = signer.csrf("root@pam", NOW);
        assert!(signer.csrf_holds(&token, "root@pam", LIFE, NOW.plus(60_000)));
        assert!(!signer.csrf_holds(&token, "alice@pve", LIFE, NOW));
        assert!(!signer.csrf_holds(&token, "root@pam", LIFE, NOW.plus(LIFE + 2_000)));
        assert!(!signer.csrf_holds("6B022481:AAAA", "root@pam", LIFE, NOW));
    }
}
