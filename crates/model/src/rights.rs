//! What a token that Muster makes for itself on a remote may do there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The rights of a minted token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// See everything, change nothing.
    Look,
    /// See everything, and switch guests on and off.
    Operate,
    /// Whatever the account may that it was made with: the token is not separated from it.
    SameAsUser,
}

impl Rights {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Look, Self::Operate, Self::SameAsUser];

    /// The word for it, in JSON and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Operate => "operate",
            Self::SameAsUser => "same_as_user",
        }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text.replace('-', "_"));
        found.ok_or_else(|| format!("no rights are called {text:?}: look, operate or same-as-user"))
    }
}
