//! Values on the command line that are more than text.

use std::time::Duration;

/// `30`, `30s`, `5m`, `1h`, `2d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        0 => Err("nothing is no time: give at least 1s".to_owned()),
        // A year: enough for anyone, and far from what a clock cannot add.
        seconds => Ok(Duration::from_secs(seconds.min(31_536_000))),
    }
}

/// How long something holds: up to a hundred years, and never shorter than was said.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        0 => {
            Err("what ends at once is of no use: give at least 1s, or leave --expires out for no end"
                .to_owned())
        }
        seconds if seconds > 36_500 * 86_400 => {
            Err("that is more than a hundred years: leave --expires out for no end".to_owned())
        }
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || "give seconds, or a number with s, m, h or d: 30, 90s, 5m, 2d".to_owned();
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    match unit.trim() {
        "s" => Ok(number),
        "m" | "min" => Ok(number.saturating_mul(60)),
        "h" => Ok(number.saturating_mul(3_600)),
        "d" => Ok(number.saturating_mul(86_400)),
        _ => Err(wrong()),
    }
}

/// A user name that can stand unquoted in a shell command.
pub(super) fn account(text: &str) -> Result<String, String> {
    let plain = |part: &str, more: &[char]| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    match text.rsplit_once('@') {
        Some((name, realm)) if plain(name, &['.', '_', '-', '@']) && plain(realm, &['.', '_', '-']) => {
            Ok(text.to_owned())
        }
        _ => Err("a user has a name and a realm, as in muster@pve".to_owned()),
    }
}

/// A token name as Proxmox VE takes it.
pub(super) fn token_name(text: &str) -> Result<String, String> {
    let mut chars = text.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && text.len() >= 2
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if plain {
        Ok(text.to_owned())
    } else {
        Err("a token name starts with a letter and has letters, digits, . _ -".to_owned())
    }
}
