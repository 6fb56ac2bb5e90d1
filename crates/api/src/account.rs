//! One's own account: `GET /account`, and its second factor.

use jiff::Timestamp;
use model::access::Grants;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Secret;

/// The caller's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Who.
    pub user: String,
    /// What may be seen and done; by an API token what that may.
    pub grants: Grants,
    /// When the account was made.
    pub created: Timestamp,
    /// When the password was last set.
    #[serde(default)]
    pub password_set: Option<Timestamp>,
    /// When this person last signed in.
    #[serde(default)]
    pub last_sign_in: Option<Timestamp>,
    /// The second factor; `null`: the password is enough.
    #[serde(default)]
    pub totp: Option<AccountTotp>,
}

/// A second factor that is on: codes that follow from the time (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountTotp {
    /// Since when.
    pub since: Timestamp,
    /// Recovery codes that were not used yet; `null`: what is kept of them cannot be read, and none works.
    pub recovery_codes_left: Option<usize>,
}

/// That it is really oneself: what decides about the account takes the password once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordProof {
    /// The password that holds now.
    pub password: Secret,
}

/// `POST /account/totp`: a second factor that waits for its first code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpBegun {
    /// What the authenticator has to know, in base32. SHA-1, six digits, 30 seconds.
    pub secret: Secret,
    /// The same as what an authenticator reads off a picture: `otpauth://totp/…`.
    pub uri: Secret,
    /// Until when a code is waited for.
    pub expires: Timestamp,
}

/// `POST /account/totp/confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpCode {
    /// The six digits that the authenticator shows.
    pub code: Secret,
}

/// Recovery codes, told this once: each takes the place of one code of the authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// All that work from now on.
    pub recovery_codes: Vec<Secret>,
}
