//! Who there is: users, their tokens, their second factors, their groups.

use std::collections::BTreeMap;

use totp_rs::{Algorithm, Secret, TOTP};

use super::spec::{ClusterSpec, UserInput};
use crate::seam::SimTime;

/// A user and everything that belongs to it.
#[derive(Default)]
pub(crate) struct User {
    pub(crate) password: Option<String>,
    pub(crate) enabled: bool,
    /// Seconds since the epoch; 0 for never.
    pub(crate) expire: u64,
    pub(crate) groups: Vec<String>,
    /// `comment`, `email`, `firstname`, `lastname`, `keys`.
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) factors: Vec<Factor>,
    /// The last TOTP step that was used: a code is good once.
    pub(crate) last_step: u64,
}

/// An API token.
#[derive(Default)]
pub(crate) struct Token {
    pub(crate) secret: String,
    pub(crate) privsep: bool,
    pub(crate) expire: u64,
    pub(crate) comment: Option<String>,
}

/// A second factor.
pub(crate) struct Factor {
    pub(crate) id: String,
    pub(crate) kind: FactorKind,
    pub(crate) description: Option<String>,
    pub(crate) created: u64,
    pub(crate) enabled: bool,
}

/// What a second factor is made of.
pub(crate) enum FactorKind {
    /// The secret, decoded.
    Totp(Vec<u8>),
    /// The codes; a used one is gone.
    Recovery(Vec<Option<String>>),
}

impl FactorKind {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Totp(_) => "totp",
            Self::Recovery(_) => "recovery",
        }
    }
}

impl User {
    fn from_input(input: &UserInput, now: SimTime) -> Self {
        let mut factors = Vec::new();
        if let Some(secret) = input.totp_secret.as_deref().and_then(decode_secret) {
            factors.push(Factor {
                id: format!("{:08x}-0000-4000-8000-000000000001", fold(&input.userid)),
                kind: FactorKind::Totp(secret),
                description: Some("phone".to_owned()),
                created: now.seconds(),
                enabled: true,
            });
        }
        if !input.recovery.is_empty() {
            factors.push(Factor {
                id: "recovery".to_owned(),
                kind: FactorKind::Recovery(input.recovery.iter().cloned().map(Some).collect()),
                description: None,
                created: now.seconds(),
                enabled: true,
            });
        }
        let mut fields = BTreeMap::new();
        if !factors.is_empty() {
            // Says that there are keys, not which.
            fields.insert("keys".to_owned(), "x".to_owned());
        }
        let tokens = input.tokens.iter().map(|token| {
            let made = Token {
                secret: token.secret.clone(),
                privsep: token.privsep,
                expire: token.expire,
                comment: None,
            };
            (token.name.clone(), made)
        });
        Self {
            password: (!input.password.is_empty()).then(|| input.password.clone()),
            enabled: !input.disabled,
            expire: input.expire,
            groups: input.groups.clone(),
            tokens: tokens.collect(),
            factors,
            fields,
            ..Self::default()
        }
    }

    /// Whether it may act at all.
    pub(crate) fn is_active(&self, now: SimTime) -> bool {
        self.enabled && (self.expire == 0 || self.expire > now.seconds())
    }

    /// Whether a second factor is asked for.
    pub(crate) fn needs_second_factor(&self) -> bool {
        self.factors.iter().any(|factor| factor.enabled)
    }

    /// The factors on offer, as the challenge of a sign-in lists them.
    pub(crate) fn offer(&self) -> String {
        let mut parts = Vec::new();
        for factor in self.factors.iter().filter(|factor| factor.enabled) {
            parts.push(match &factor.kind {
                FactorKind::Recovery(codes) => {
                    let left = codes.iter().enumerate().filter(|(_, code)| code.is_some());
                    let left: Vec<String> = left.map(|(place, _)| place.to_string()).collect();
                    format!("\"recovery\":[{}]", left.join(","))
                }
                FactorKind::Totp(_) => "\"totp\":true".to_owned(),
            });
        }
        parts.sort();
        parts.dedup();
        format!("{{{}}}", parts.join(","))
    }

    /// Checks `totp:123456` or `recovery:…`; what was right once is used up.
    pub(crate) fn answer(&mut self, answer: &str, now: SimTime) -> bool {
        match answer.split_once(':') {
            Some(("totp", code)) => self.totp(code, now),
            Some(("recovery", code)) => self.recovery(code),
            _ => false,
        }
    }

    /// Checks a code of the moment, or of one step before or after.
    pub(crate) fn totp(&mut self, code: &str, now: SimTime) -> bool {
        let step = now.seconds() / STEP;
        let secrets =
            self.factors.iter().filter(|factor| factor.enabled).filter_map(|factor| match &factor.kind {
                FactorKind::Totp(secret) => Some(secret),
                FactorKind::Recovery(_) => None,
            });
        let used = secrets
            .filter_map(|secret| {
                (step.saturating_sub(1)..=step + 1)
                    .find(|step| totp_code(secret, *step).as_deref() == Some(code))
            })
            .find(|step| *step > self.last_step);
        if let Some(step) = used {
            self.last_step = step;
        }
        used.is_some()
    }

    fn recovery(&mut self, code: &str) -> bool {
        for factor in &mut self.factors {
            if let FactorKind::Recovery(codes) = &mut factor.kind
                && let Some(place) = codes.iter_mut().find(|left| left.as_deref() == Some(code))
            {
                *place = None;
                return true;
            }
        }
        false
    }
}

/// How long a TOTP code holds, in seconds.
const STEP: u64 = 30;

/// The code of a step.
pub(crate) fn totp_code(secret: &[u8], step: u64) -> Option<String> {
    // `new_unchecked`: the secrets of tests are shorter than the 128 bits that the checked one asks for.
    let totp = TOTP::new_unchecked(Algorithm::SHA1, 6, 0, STEP, secret.to_vec());
    Some(totp.generate(step.checked_mul(STEP)?))
}

/// Reads a base32 secret.
pub(crate) fn decode_secret(text: &str) -> Option<Vec<u8>> {
    Secret::Encoded(text.trim_end_matches('=').to_ascii_uppercase()).to_bytes().ok()
}

fn fold(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// All users of a cluster, and the groups.
#[derive(Default)]
pub(crate) struct Users {
    pub(crate) by_id: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, String>,
}

impl Users {
    pub(crate) fn from_spec(spec: &ClusterSpec, now: SimTime) -> Self {
        let mut users = Self::default();
        users.by_id.insert("root@pam".to_owned(), User { enabled: true, ..User::default() });
        for input in &spec.users {
            users.by_id.insert(input.userid.clone(), User::from_input(input, now));
            for group in &input.groups {
                users.groups.entry(group.clone()).or_default();
            }
        }
        users
    }
}

/// `name@realm` in two.
pub(crate) fn realm_of(userid: &str) -> &str {
    userid.rsplit_once('@').map_or("", |(_, realm)| realm)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SimTime = SimTime(1_795_302_529_000);

    fn dave() -> User {
        User::from_input(
            &UserInput {
                userid: "dave@pve".to_owned(),
                password: "x".to_owned(),
                totp_secret: Some("JBSWY3DPEHPK3PXP".to_owned()),
                recovery: vec!["1111-2222-3333-4444".to_owned(), "5555-6666-7777-8888".to_owned()],
                ..UserInput::default()
            },
            NOW,
        )
    }

    #[test]
    fn a_code_is_good_once_and_only_near_its_time() {
        let mut user = dave();
        let secret = decode_secret("JBSWY3DPEHPK3PXP").unwrap();
        let step = NOW.seconds() / STEP;
        let code = totp_code(&secret, step).unwrap();
        assert!(user.answer(&format!("totp:{code}"), NOW));
        assert!(!user.answer(&format!("totp:{code}"), NOW), "used twice");
        let next = totp_code(&secret, step + 1).unwrap();
        assert!(user.answer(&format!("totp:{next}"), NOW));
        let far = totp_code(&secret, step + 9).unwrap();
        assert!(!user.answer(&format!("totp:{far}"), NOW));
    }

    #[test]
    fn a_recovery_code_is_struck_off_the_offer() {
        let mut user = dave();
        assert_eq!(user.offer(), r#"{"recovery":[0,1],"totp":true}"#);
        assert!(user.answer("recovery:1111-2222-3333-4444", NOW));
        assert!(!user.answer("recovery:1111-2222-3333-4444", NOW));
        assert_eq!(user.offer(), r#"{"recovery":[1],"totp":true}"#);
    }
}
