//! Which guest a text on the command line means: [`guest`]. Never the first match, always the only one.

use model::id::Vmid;

use crate::failure::Failure;
use crate::term::text::distance;

/// A guest that could be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    /// Its remote's name.
    pub remote: &'a str,
    /// Its number there.
    pub vmid: Vmid,
    /// Its name, if known.
    pub name: Option<&'a str>,
}

/// What is not known of the guests there are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gaps<'a> {
    /// Remotes whose list is not known: they may have anything.
    pub unasked: &'a [String],
    /// Rows of the lists that could not be read, in words: `lab: 3 rows of its list could not be read`.
    pub unreadable: &'a [String],
}

/// The guest that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its place among the candidates.
    pub index: usize,
    /// Remotes that may have another one of that number or name, because they could not be asked.
    pub unsure: Vec<String>,
}

/// Most candidates that are listed.
const LISTED: usize = 12;

/// The one guest that `text` means: `REMOTE/VMID`, `REMOTE/NAME` when only one there has it, or a number or name that
/// only one has at all.
///
/// # Errors
/// No such guest, or several, which are listed.
pub(crate) fn guest(text: &str, candidates: &[Candidate<'_>], gaps: Gaps<'_>) -> Result<Found, Failure> {
    let wanted = text.trim();
    let all = |fits: &dyn Fn(&Candidate<'_>) -> bool| -> Vec<usize> {
        candidates.iter().enumerate().filter(|(_, c)| fits(c)).map(|(i, _)| i).collect()
    };
    let named = |c: &Candidate<'_>| wanted.strip_prefix(c.remote).and_then(|rest| rest.strip_prefix('/'));
    let mut certain = true;
    let mut found = all(&|c| named(c).is_some_and(|rest| rest == c.vmid.to_string()));
    if found.is_empty() {
        found = all(&|c| named(c).is_some_and(|rest| Some(rest) == c.name));
    }
    if found.is_empty() {
        certain = gaps.unasked.is_empty();
        found = all(&|c| c.name == Some(wanted) || c.vmid.to_string() == wanted);
    }
    match found.as_slice() {
        [one] => {
            let unsure = if certain { Vec::new() } else { gaps.unasked.to_vec() };
            Ok(Found { index: *one, unsure })
        }
        [] => Err(none(wanted, candidates, gaps)),
        several => {
            let listed = several.iter().filter_map(|i| candidates.get(*i)).map(label);
            Err(Failure::usage(format!("“{wanted}” is the number or name of {} guests.", several.len()))
                .detail(shorten(listed.collect()))
                .hint("Say which: REMOTE/VMID."))
        }
    }
}

/// What is said when something is to be done to a guest that may not be the only one of its number or name.
pub(crate) fn uncertain(text: &str, meant: &Candidate<'_>, unasked: &[String]) -> Failure {
    let (them, has) = match unasked {
        [one] => (one.clone(), "it may have"),
        several => (several.join(", "), "they may have"),
    };
    Failure::usage(format!(
        "“{text}” is not certain to be one guest: {them} could not be asked, and {has} one too."
    ))
    .detail([label(meant)])
    .hint(format!("Say which: {}/{}. Nothing was sent.", meant.remote, meant.vmid))
}

fn none(wanted: &str, candidates: &[Candidate<'_>], gaps: Gaps<'_>) -> Failure {
    if !gaps.unasked.is_empty() {
        // A remote that did not answer may have it: nobody is told that it does not exist.
        return Failure::usage(format!("No guest “{wanted}” on the remotes that answered."))
            .hint(format!("It may be on {}, which could not be asked.", gaps.unasked.join(" or ")));
    }
    if !gaps.unreadable.is_empty() {
        return Failure::usage(format!("No guest “{wanted}” among those that could be read."))
            .detail(gaps.unreadable.iter().cloned())
            .hint("It may be one of the rows that could not be read: \"ls -o json\" shows them raw.");
    }
    let near = near(wanted, candidates);
    let failure = Failure::usage(format!("There is no guest “{wanted}”, or none that this account may see."));
    if near.is_empty() {
        failure.hint("\"ls\" lists the guests there are.")
    } else {
        failure.detail(shorten(near)).hint("Did you mean one of these?")
    }
}

/// Guests that could have been meant: of the number, or of a name like it; on the remote that was named, if there.
fn near(wanted: &str, candidates: &[Candidate<'_>]) -> Vec<String> {
    let (remote, needle) = match wanted.split_once('/') {
        Some((remote, rest)) => (Some(remote), rest.to_lowercase()),
        None => (None, wanted.to_lowercase()),
    };
    let like = |c: &&Candidate<'_>| {
        let name = c.name.map(str::to_lowercase).unwrap_or_default();
        let word = needle.chars().any(|c| !c.is_ascii_digit());
        let close = word && distance(&needle, &name) <= needle.chars().count() / 3;
        !needle.is_empty() && (c.vmid.to_string() == needle || close || name.contains(&needle))
    };
    let all: Vec<&Candidate<'_>> = candidates.iter().filter(like).collect();
    let there: Vec<&&Candidate<'_>> = all.iter().filter(|c| Some(c.remote) == remote).collect();
    if there.is_empty() {
        all.into_iter().map(label).collect()
    } else {
        there.into_iter().map(|c| label(c)).collect()
    }
}

fn label(candidate: &Candidate<'_>) -> String {
    match candidate.name {
        Some(name) => format!("{}/{}  {name}", candidate.remote, candidate.vmid),
        None => format!("{}/{}", candidate.remote, candidate.vmid),
    }
}

fn shorten(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    if more > 0 {
        lines.truncate(LISTED);
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate<'static>> {
        let c = |remote, vmid, name| Candidate { remote, vmid: Vmid(vmid), name };
        vec![
            c("lab", 101, Some("web")),
            c("lab", 102, Some("db")),
            c("site", 101, Some("mail")),
            c("site", 200, Some("db")),
            c("site", 201, Some("101")),
            c("site", 202, None),
            c("site", 203, Some("a/b")),
        ]
    }

    fn index(text: &str) -> Result<usize, Failure> {
        guest(text, &candidates(), Gaps::default()).map(|found| found.index)
    }

    #[test]
    fn only_the_only_one() {
        for (text, expected) in [
            ("lab/101", 0),
            ("web", 0),
            ("102", 1),
            ("mail", 2),
            ("202", 5),
            ("a/b", 6),
            ("site/203", 6),
            ("site/db", 3),
            ("lab/web", 0),
            ("site/a/b", 6),
            ("site/101", 2),
        ] {
            assert_eq!(index(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn several_are_listed() {
        let failure = index("101").unwrap_err();
        assert_eq!(failure.exit.code(), 2);
        assert_eq!(failure.detail, ["lab/101  web", "site/101  mail", "site/201  101"]);
        assert_eq!(index("db").unwrap_err().detail, ["lab/102  db", "site/200  db"]);
    }

    #[test]
    fn none_is_said_only_when_all_was_read() {
        let c = candidates();
        assert!(index("nas").unwrap_err().sentence.contains("There is no guest"));
        let (cellar, rows) = (["cellar".to_owned()], ["lab: 3 rows could not be read".to_owned()]);
        let failure = guest("nas", &c, Gaps { unasked: &cellar, unreadable: &[] }).unwrap_err();
        assert!(failure.sentence.contains("on the remotes that answered"));
        let failure = guest("nas", &c, Gaps { unasked: &[], unreadable: &rows }).unwrap_err();
        assert!(failure.sentence.contains("that could be read") && failure.detail == rows, "{failure}");
        assert_eq!(index("we").unwrap_err().detail, ["lab/101  web"]);
        assert_eq!(index("lab/wbe").unwrap_err().detail, ["lab/101  web", "lab/102  db"][..1]);
        assert_eq!(index("site/102").unwrap_err().detail, ["lab/102  db"]);
        assert_eq!(
            index("home/101").unwrap_err().detail,
            ["lab/101  web", "site/101  mail", "site/201  101"][..3]
        );
    }

    #[test]
    fn a_bare_word_is_not_certain_while_a_remote_could_not_be_asked() {
        let c = candidates();
        let cellar = ["cellar".to_owned()];
        let gaps = Gaps { unasked: &cellar, unreadable: &[] };
        assert_eq!(guest("mail", &c, gaps).unwrap(), Found { index: 2, unsure: cellar.to_vec() });
        assert_eq!(guest("102", &c, gaps).unwrap().unsure, cellar);
        for whole in ["site/101", "site/mail"] {
            assert_eq!(guest(whole, &c, gaps).unwrap().unsure, Vec::<String>::new(), "{whole}");
        }
        let failure = uncertain("102", &c[1], &cellar);
        assert_eq!(failure.exit.code(), 2);
        assert!(
            failure.to_string().contains("cellar") && failure.to_string().contains("lab/102"),
            "{failure}"
        );
    }
}
