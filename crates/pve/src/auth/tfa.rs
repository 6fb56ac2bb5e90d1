//! The second factor: the challenge that stands for "the password is right, but" and the answers to it.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::secret::Secret;

/// A sign-in that waits for its second factor. It authorises nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct TfaChallenge {
    pub(crate) user: String,
    pub(crate) ticket: Secret,
    pub(crate) form: Form,
    kinds: Vec<String>,
}

/// How a challenge is answered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// By a second sign-in that carries the challenge (since 7.0, when asked for).
    New,
    /// By `POST /access/tfa`, to which the half ticket opens the door and to nothing else.
    Old {
        /// The CSRF token that came with it.
        csrf: Secret,
    },
}

/// A second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// A code of an authenticator app.
    Totp(Secret),
    /// One of the recovery keys.
    Recovery(Secret),
    /// A code of a Yubico OTP key.
    Yubico(Secret),
}

impl Factor {
    /// What kind of factor a code is, by its looks: digits are an authenticator's, a long word of the Yubico alphabet
    /// is a key's, everything else a recovery key.
    pub fn by_looks(code: Secret) -> Self {
        let text = code.expose().trim();
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
            Self::Totp(code)
        } else if text.len() == 44 && text.chars().all(|c| "cbdefghijklnrtuv".contains(c)) {
            Self::Yubico(code)
        } else {
            Self::Recovery(code)
        }
    }

    /// The code itself.
    pub(crate) fn code(&self) -> &Secret {
        match self {
            Self::Totp(code) | Self::Recovery(code) | Self::Yubico(code) => code,
        }
    }

    /// The code with its kind in front, as the new form wants it.
    pub(crate) fn tagged(&self) -> Secret {
        let kind = match self {
            Self::Totp(_) => "totp",
            Self::Recovery(_) => "recovery",
            Self::Yubico(_) => "yubico",
        };
        Secret::new(format!("{kind}:{}", self.code().expose().trim()))
    }
}

impl TfaChallenge {
    /// Reads the ticket of a sign-in that says `NeedTFA`.
    pub(crate) fn read(user: &str, ticket: Secret, csrf: Option<Secret>) -> Self {
        let text = ticket.expose();
        let new = text.split_once("!tfa!").filter(|(before, _)| !before.contains('!'));
        let (form, kinds) = match new {
            Some((_, rest)) => (Form::New, offered(rest)),
            None => {
                let kind = if text.contains(":u2f!") { "u2f" } else { "totp" };
                (Form::Old { csrf: csrf.unwrap_or_default() }, vec![kind.to_owned()])
            }
        };
        Self { user: user.to_owned(), ticket, form, kinds }
    }

    /// The user who is signing in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The kinds of factor that would do: `totp`, `recovery`, `webauthn`, `u2f`, `yubico`, or what a later
    /// version may add.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The kinds, as a person reads them.
    pub(crate) fn kinds_text(&self) -> String {
        if self.kinds.is_empty() { "of an unknown kind".to_owned() } else { self.kinds.join(" or ") }
    }
}

/// The kinds in the JSON object that the challenge carries, its colons percent-encoded: those that are neither
/// false nor null nor used up.
fn offered(rest: &str) -> Vec<String> {
    let object = rest.split(':').next().unwrap_or_default();
    let object = percent_decode_str(object).decode_utf8_lossy();
    let Ok(serde_json::Value::Object(kinds)) = serde_json::from_str(&object) else {
        return Vec::new();
    };
    let mut offered: Vec<String> = kinds
        .into_iter()
        .filter(|(_, value)| match value {
            serde_json::Value::Null | serde_json::Value::Bool(false) => false,
            serde_json::Value::Array(keys) => !keys.is_empty(),
            serde_json::Value::String(state) => state != "unavailable",
            _ => true,
        })
        .map(|(kind, _)| kind)
        .collect();
    // What a person most likely has at hand comes first; the order on the wire is random.
    offered.sort_by_key(|kind| (kind != "totp", kind.clone()));
    offered
}

impl fmt::Debug for TfaChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TfaChallenge")
            .field("user", &self.user)
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_by_its_looks() {
        assert!(matches!(Factor::by_looks(Secret::new("123456")), Factor::Totp(_)));
        assert!(matches!(Factor::by_looks(Secret::new("1a2b-3c4d-5e6f-7a8b")), Factor::Recovery(_)));
        assert!(matches!(Factor::by_looks(Secret::new("c".repeat(44))), Factor::Yubico(_)));
    }

    #[test]
    fn the_new_form_names_its_kinds() {
        let ticket = r#"PVE:!tfa!{"recovery"%3A[1,2],"totp"%3Atrue,"u2f"%3Anull,"webauthn"%3A{"a"%3A1}}:6B022530::c2ln"#;
        let challenge = TfaChallenge::read("dave@pve", ticket.into(), None);
        assert!(challenge.form == Form::New);
        assert_eq!(challenge.kinds(), ["totp", "recovery", "webauthn"]);
        let shown = format!("{challenge:?}");
        assert!(!shown.contains("c2ln"), "{shown}");
        let used_up = r#"PVE:!tfa!{"recovery"%3A[],"totp"%3Atrue}:6B022530::c2ln"#;
        assert_eq!(TfaChallenge::read("dave@pve", used_up.into(), None).kinds(), ["totp"]);
        let unreadable = TfaChallenge::read("dave@pve", "PVE:!tfa!nonsense:1::x".into(), None);
        assert_eq!(unreadable.kinds_text(), "of an unknown kind");
    }

    #[test]
    fn the_old_form_is_told_apart() {
        let challenge = TfaChallenge::read("root@pam", "PVE:tfa!root@pam:5F::x".into(), Some("csrf".into()));
        assert!(challenge.form == Form::Old { csrf: "csrf".into() });
        assert_eq!(challenge.kinds(), ["totp"]);
        let u2f = TfaChallenge::read("root@pam", "PVE:u2f!root@pam!abc:5F::x".into(), None);
        assert_eq!(u2f.kinds(), ["u2f"]);
    }
}
