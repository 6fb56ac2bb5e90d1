//! Proxmox VE releases, and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A release of Proxmox VE by its first two numbers, such as 8.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl Release {
    /// The last release of the 6 series.
    pub const V6_4: Self = Self { major: 6, minor: 4 };
    /// The last release of the 7 series.
    pub const V7_4: Self = Self { major: 7, minor: 4 };
    /// The last release of the 8 series.
    pub const V8_4: Self = Self { major: 8, minor: 4 };
    /// The newest release whose facts are known.
    pub const V9_2: Self = Self { major: 9, minor: 2 };

    /// The releases whose facts are in the catalogue, oldest first.
    pub const KNOWN: [Self; 4] = [Self::V6_4, Self::V7_4, Self::V8_4, Self::V9_2];

    /// The known release whose facts fit this one best: the one of the same major number, else the newest
    /// that is older, else the oldest.
    ///
    /// Only the last release of each series is known, so an 8.1 is answered with the facts of 8.4.
    #[must_use]
    pub fn nearest(self) -> Self {
        let mut best = Self::V6_4;
        for known in Self::KNOWN {
            if known.major <= self.major {
                best = known;
            }
        }
        best
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that does not start with a release number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseError {
    text: String,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not a Proxmox VE release; write one such as 8, 8.4 or 9.2.11", self.text)
    }
}

impl std::error::Error for ReleaseError {}

impl FromStr for Release {
    type Err = ReleaseError;

    /// Reads "9", "9.2", "9.2.11" and "7.4-16"; what follows the second number is passed over.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ReleaseError { text: text.to_owned() };
        let mut numbers = text.trim().split(['.', '-', '~', '/']);
        let major = numbers.next().unwrap_or("").parse().map_err(|_| error())?;
        let minor = match numbers.next() {
            Some(minor) => minor.parse().map_err(|_| error())?,
            None => 0,
        };
        Ok(Self { major, minor })
    }
}

/// A set of the [known](Release::KNOWN) releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Releases(u8);

impl Releases {
    /// Every known release.
    pub const ALL: Self = Self(0b1111);
    /// No release.
    pub const NONE: Self = Self(0);

    /// Whether the set holds the release, or the one [nearest](Release::nearest) to it.
    #[must_use]
    pub fn contains(self, release: Release) -> bool {
        self.0 & Self::bit(release) != 0
    }

    /// This set with the release in it.
    #[must_use]
    pub fn with(self, release: Release) -> Self {
        Self(self.0 | Self::bit(release))
    }

    /// The releases of the set, oldest first.
    pub fn iter(self) -> impl Iterator<Item = Release> {
        Release::KNOWN.into_iter().filter(move |release| self.contains(*release))
    }

    fn bit(release: Release) -> u8 {
        let nearest = release.nearest();
        Release::KNOWN
            .iter()
            .zip([1, 2, 4, 8])
            .find(|(known, _)| **known == nearest)
            .map_or(0, |(_, bit)| bit)
    }

    pub(crate) fn all() -> Self {
        Self::ALL
    }

    pub(crate) fn is_all(&self) -> bool {
        *self == Self::ALL
    }
}

/// Written as the major numbers in a row: "789".
impl Serialize for Releases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.iter().map(|release| release.major.to_string()).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Releases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut set = Self::NONE;
        for digit in text.chars() {
            let known =
                Release::KNOWN.into_iter().find(|known| digit.to_digit(10) == Some(known.major.into()));
            set =
                set.with(known.ok_or_else(|| serde::de::Error::custom(format!("unknown release {digit}")))?);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling_of_a_version() {
        for (text, major, minor) in [
            ("9", 9, 0),
            ("9.2", 9, 2),
            ("9.2.11", 9, 2),
            ("7.4-16", 7, 4),
            (" 8.4 ", 8, 4),
            ("8.0~rc1", 8, 0),
        ] {
            assert_eq!(text.parse(), Ok(Release { major, minor }), "{text}");
        }
        for text in ["", "nine", "9.x", "v9"] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_release_is_answered_by_its_own_series() {
        for (asked, known) in [
            ((5, 4), Release::V6_4),
            ((7, 0), Release::V7_4),
            ((8, 1), Release::V8_4),
            ((10, 0), Release::V9_2),
        ] {
            assert_eq!(Release { major: asked.0, minor: asked.1 }.nearest(), known);
        }
    }

    #[test]
    fn a_set_of_releases_survives_being_written() {
        let set = Releases::NONE.with(Release::V7_4).with(Release::V9_2);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, "\"79\"");
        assert_eq!(serde_json::from_str::<Releases>(&text).unwrap(), set);
        assert!(serde_json::from_str::<Releases>("\"5\"").is_err());
    }
}
