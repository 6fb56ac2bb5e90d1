//! Which guest a text on the command line means: [`guest`]. Never the first match, always the only one.

use model::id::Vmid;

use crate::failure::Failure;

/// A guest that could be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    /// Its remote's name.
    pub remote: &'a str,
    /// Its number there.
    pub vmid: Vmid,
    /// Its name, if known.
    pub name: Option<&'a str>,
}

/// Most candidates that are listed.
const LISTED: usize = 12;

/// The place among `candidates` of the one guest that `text` means: `remote/vmid`, or a number or name that only
/// one has. `complete` says that every remote's list is known, so that "no such guest" can be said for sure.
///
/// # Errors
/// No such guest, or several, which are listed.
pub(super) fn guest(text: &str, candidates: &[Candidate<'_>], complete: bool) -> Result<usize, Failure> {
    let all = || candidates.iter().enumerate();
    let wanted = text.trim();
    let mut found: Vec<usize> = Vec::new();
    if let Some((remote, vmid)) = wanted.rsplit_once('/') {
        found =
            all().filter(|(_, c)| c.remote == remote && c.vmid.to_string() == vmid).map(|(i, _)| i).collect();
    }
    if found.is_empty() {
        found = all()
            .filter(|(_, c)| c.name == Some(wanted) || c.vmid.to_string() == wanted)
            .map(|(i, _)| i)
            .collect();
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(none(wanted, candidates, complete)),
        several => {
            let listed = several.iter().filter_map(|i| candidates.get(*i)).map(label);
            Err(Failure::usage(format!("“{wanted}” is the number or name of {} guests.", several.len()))
                .detail(shorten(listed.collect()))
                .hint("Say which: REMOTE/VMID."))
        }
    }
}

fn none(wanted: &str, candidates: &[Candidate<'_>], complete: bool) -> Failure {
    if !complete {
        // A remote that did not answer may have it: nobody is told that it does not exist.
        return Failure::usage(format!("No guest “{wanted}” on the remotes that answered."))
            .hint("It may be on one that did not: see above.");
    }
    let needle = wanted.to_lowercase();
    let near: Vec<String> = candidates
        .iter()
        .filter(|c| {
            let vmid = c.vmid.to_string();
            c.name.is_some_and(|n| !needle.is_empty() && n.to_lowercase().contains(&needle))
                || wanted.ends_with(&format!("/{vmid}"))
        })
        .map(label)
        .collect();
    let failure = Failure::usage(format!("There is no guest “{wanted}”, or none that this account may see."));
    if near.is_empty() {
        failure.hint("\"ls\" lists the guests there are.")
    } else {
        failure.detail(shorten(near)).hint("Did you mean one of these?")
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

    #[test]
    fn only_the_only_one() {
        let c = candidates();
        for (text, index) in
            [("lab/101", 0), ("web", 0), ("102", 1), ("mail", 2), ("202", 5), ("a/b", 6), ("site/203", 6)]
        {
            assert_eq!(guest(text, &c, true), Ok(index), "{text}");
        }
    }

    #[test]
    fn several_are_listed() {
        let c = candidates();
        let failure = guest("101", &c, true).unwrap_err();
        assert_eq!(failure.exit.code(), 2);
        assert_eq!(failure.detail, ["lab/101  web", "site/101  mail", "site/201  101"]);
        assert_eq!(guest("db", &c, true).unwrap_err().detail, ["lab/102  db", "site/200  db"]);
    }

    #[test]
    fn none_is_said_only_when_all_answered() {
        let c = candidates();
        let failure = guest("nas", &c, true).unwrap_err();
        assert!(failure.sentence.contains("There is no guest"));
        assert!(guest("nas", &c, false).unwrap_err().sentence.contains("on the remotes that answered"));
        assert_eq!(guest("we", &c, true).unwrap_err().detail, ["lab/101  web"]);
        assert_eq!(guest("home/101", &c, true).unwrap_err().detail, ["lab/101  web", "site/101  mail"]);
    }
}
