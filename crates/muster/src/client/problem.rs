//! What a server says when it refuses, as one sentence, a hint and an exit code.

use api::Problem;

use super::http::Answer;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::{safe, width};
use crate::trouble::exit_of;

/// Most things that could have been meant that are listed.
const LISTED: usize = 12;

/// A refusal as what is printed. `query` is the text that a place in the problem points into.
pub fn failure_of(answer: &Answer, name: &str, query: Option<&str>) -> Failure {
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) if answer.is_json() => failure(&problem, query),
        _ => other(answer, name),
    }
}

/// A problem as what is printed.
pub fn failure(problem: &Problem, query: Option<&str>) -> Failure {
    let words = if problem.detail.trim().is_empty() { &problem.title } else { &problem.detail };
    let mut failure = Failure::new(exit(problem), sentence(words));
    if problem.code() == "wrong_code" {
        failure = failure.cause("wrong_code");
    }
    // A place that lies outside of the text is one in another text.
    if let (Some(span), Some(query)) = (problem.at, query)
        && query.is_char_boundary(span.start)
        && query.is_char_boundary(span.end)
        && problem.code() == "query"
    {
        failure = failure.detail(mark(query, span.start, span.end));
    }
    let more = problem.candidates.len().saturating_sub(LISTED);
    let listed = problem.candidates.iter().take(LISTED).map(|c| match c.name.is_empty() || c.name == c.id {
        true => c.id.clone(),
        false => format!("{}  {}", c.id, c.name),
    });
    failure = failure.detail(listed);
    if more > 0 {
        failure = failure.detail([format!("and {more} more")]);
    }
    let remedy = problem.remedy.clone().or_else(|| problem.cause.as_ref().map(|c| c.remedy.clone()));
    match remedy.filter(|r| !r.trim().is_empty()).or_else(|| usual_remedy(problem)) {
        // What is wrong with a query is said in clauses, for whoever shows them beside the place.
        Some(remedy) if problem.at.is_some() => failure.hint(sentence(&remedy)),
        Some(remedy) => failure.hint(remedy),
        None => failure,
    }
}

/// What is to be done about a refusal that does not say so itself.
fn usual_remedy(problem: &Problem) -> Option<String> {
    let hint = match problem.status {
        401 => "Sign in: muster login URL. On the server's own machine no sign-in is needed.",
        403 => "Someone with the role for it has to do it, or to give it to you: muster user role NAME ROLE",
        429 => "Wait a moment.",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Words that begin large and end with a full stop.
pub fn sentence(words: &str) -> String {
    let words = words.trim().trim_end_matches('.');
    if words.ends_with(['?', '!', '…']) {
        return words.to_owned();
    }
    let mut chars = words.chars();
    match chars.next() {
        // A name that something begins with is left as it is spelt.
        Some(first) if first.is_lowercase() && words.split_whitespace().count() > 1 && !named(words) => {
            format!("{}{}.", first.to_uppercase(), chars.as_str())
        }
        Some(_) => format!("{words}."),
        None => "Refused, without a word why.".to_owned(),
    }
}

/// Does it begin with what looks like a name: `home: …`, `lab/101 …`, `pve.example …`?
fn named(words: &str) -> bool {
    let first = words.split_whitespace().next().unwrap_or_default();
    first.contains([':', '/', '.', '-', '_', '@']) || first.chars().any(|c| c.is_ascii_digit())
}

/// The exit code of a problem: its cause's where there is one, else its status's.
fn exit(problem: &Problem) -> Exit {
    if let Some(cause) = &problem.cause {
        if let Some(facts) = &cause.facts {
            return exit_of(facts);
        }
        if let Some(exit) = exit_of_code(&cause.code) {
            return exit;
        }
    }
    match problem.code() {
        "disconnected" => return Exit::Unreachable,
        "factor_unusable" | "second_factor" => return Exit::SecondFactor,
        // That of one's own, from who is signed in already.
        "wrong_password" | "wrong_code" => return Exit::Credentials,
        // What was given cannot be had: another name, another address.
        "already_managed" | "name" | "name_taken" | "endpoint" => return Exit::Usage,
        _ => {}
    }
    match problem.status {
        400 | 404 | 405 | 410 | 413 | 415 | 421 | 422 => Exit::Usage,
        401 => Exit::Credentials,
        403 => Exit::NotAllowed,
        502..=504 => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

/// The exit code of a cause that came without its facts: from a server that knows more causes than we do.
pub fn exit_of_code(code: &str) -> Option<Exit> {
    Some(match code {
        "dns" | "refused" | "unreachable" | "connect_timeout" | "tls_failure" | "no_answer"
        | "answer_cut" | "disconnected" | "node_down" | "node_no_answer" => Exit::Unreachable,
        "untrusted_certificate" | "certificate_changed" => Exit::Certificate,
        "not_http" | "not_proxmox" => Exit::NotProxmox,
        "credentials_rejected" => Exit::Credentials,
        "second_factor_needed" => Exit::SecondFactor,
        "privilege_missing" => Exit::NotAllowed,
        _ => return None,
    })
}

/// The text of a query with the place that is wrong marked below it.
pub fn mark(query: &str, start: usize, end: usize) -> [String; 2] {
    let whole = safe(query);
    let before = safe(query.get(..start.min(query.len())).unwrap_or(query));
    let wrong = safe(query.get(start..end.min(query.len())).unwrap_or_default());
    [whole, format!("{}{}", " ".repeat(width(&before)), "^".repeat(width(&wrong).max(1)))]
}

/// The text that a place in a problem can point into: the query.
pub fn query_of(path: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    value_of(query, "q")
}

/// A parameter's value, decoded.
fn value_of(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Something that is no Muster answered.
pub fn not_muster(name: &str, what: &str) -> Failure {
    Failure::new(Exit::Failed, format!("What answers at {name} is not Muster: it sent {what}."))
        .hint("Check the URL. The address of a Proxmox VE host goes to \"muster remote add\".")
}

fn other(answer: &Answer, name: &str) -> Failure {
    match answer.status {
        300..=399 => {
            let to = answer.header("location").map(|to| format!(" to {to}")).unwrap_or_default();
            Failure::new(
                Exit::Failed,
                format!("{name} wants us to go elsewhere{to} (status {}); that is not followed.", answer.status),
            )
            .hint("If that is the server, give its URL: muster login URL. A Proxmox VE goes to \"muster remote add\".")
        }
        502..=504 => Failure::new(
            Exit::Unreachable,
            format!("A proxy at {name} answers that it cannot reach the server (status {}).", answer.status),
        ),
        status => not_muster(name, &format!("status {status} and {}", answer.content_type())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::problem::{Candidate, Span};

    fn problem(status: u16, detail: &str) -> Problem {
        Problem { kind: "urn:muster:x".to_owned(), status, detail: detail.to_owned(), ..Problem::default() }
    }

    #[test]
    fn each_refusal_has_its_code() {
        for (status, code) in
            [(400, 2), (401, 4), (403, 5), (404, 2), (409, 1), (422, 2), (429, 1), (500, 1), (503, 6)]
        {
            assert_eq!(failure(&problem(status, "no"), None).exit.code(), code, "{status}");
        }
        let cause = api::Cause::from(&model::Cause::SecondFactorNeeded { kinds: Vec::new() });
        let with = Problem { cause: Some(cause), ..problem(422, "a second factor is needed") };
        assert_eq!(failure(&with, None).exit.code(), 9);
        let coded = |code: &str| Problem { kind: format!("urn:muster:{code}"), ..problem(409, "no") };
        assert_eq!(failure(&coded("disconnected"), None).exit.code(), 6);
        for taken in ["name", "name_taken", "already_managed", "endpoint"] {
            assert_eq!(failure(&coded(taken), None).exit.code(), 2, "{taken}");
        }
    }

    #[test]
    fn the_place_in_a_query_is_marked() {
        let query = "type:ct größe>5 status:running";
        let start = query.find("größe").unwrap();
        let wrong = Problem {
            kind: "urn:muster:query".to_owned(),
            at: Some(Span { start, end: start + "größe".len() }),
            remedy: Some("did you mean mem? There are name, mem".to_owned()),
            ..problem(422, "guests have no \"größe\"")
        };
        let failure = failure(&wrong, Some(query));
        assert_eq!(failure.detail, [query.to_owned(), format!("{}^^^^^", " ".repeat(8))]);
        assert_eq!(failure.sentence, "Guests have no \"größe\".");
        assert_eq!(failure.hint.unwrap(), "Did you mean mem? There are name, mem.");
    }

    #[test]
    fn candidates_are_listed_and_sentences_whole() {
        let candidate = |id: &str, name: &str| Candidate {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: "guest".to_owned(),
        };
        let several = Problem {
            candidates: vec![candidate("1/101", "web"), candidate("2/101", "mail")],
            ..problem(400, "which?")
        };
        assert_eq!(failure(&several, None).detail, ["1/101  web", "2/101  mail"]);
        assert_eq!(sentence("there is no such remote"), "There is no such remote.");
        assert_eq!(sentence("pve.example does not resolve."), "pve.example does not resolve.");
    }
}
