//! What a query leaves open: of what is out of reach nobody knows whether it fits.

use std::collections::BTreeSet;

use api::list::MAX_LIMIT;
use model::query::{Key, Query, Vocabulary};
use serde_json::Value;

use super::list::{counted, read};
use crate::client::Client;
use crate::failure::Failure;

/// States by which one asks for what is not known.
const UNKNOWN: [&str; 6] = ["unknown", "out_of_reach", "node_down", "missing", "not_visible", "deleted"];

/// The query for what may fit a query about the state, and of which the state is not known. `None`: it does not ask
/// about the state, or asks for the unknown itself.
fn of_the_unknown(query: &str, about: Vocabulary) -> Option<String> {
    if !matches!(about, Vocabulary::Guests | Vocabulary::Nodes) {
        return None;
    }
    let query = Query::parse(query, about).ok()?;
    if !query.asks_about(Key::Status) || UNKNOWN.iter().any(|word| query.asks_for(Key::Status, word)) {
        return None;
    }
    let rest = query.without(Key::Status).to_string();
    Some(format!("{rest} status:unknown").trim_start().to_owned())
}

/// What a query leaves open: rows of which the state is not known now neither fit it nor do not. `None`: nothing.
///
/// # Errors
/// It cannot be asked for.
pub(super) async fn left_open(
    client: &Client,
    path: &str,
    query: Option<&str>,
    about: Vocabulary,
) -> Result<Option<String>, Failure> {
    let Some(query) = query.and_then(|query| of_the_unknown(query, about)) else { return Ok(None) };
    let got = read(client, path, Some(&query), None, Some(MAX_LIMIT)).await?;
    if got.total == 0 || got.items.is_empty() {
        return Ok(None);
    }
    let names: BTreeSet<&str> =
        got.items.iter().filter_map(|row| row.get("remote").and_then(Value::as_str)).collect();
    let all_stale = got.items.iter().all(|row| row.get("freshness").is_some_and(|word| word != "live"));
    Ok(Some(sentence(
        got.total,
        if about == Vocabulary::Nodes { "node" } else { "guest" },
        // Of the rest nobody has looked where it is.
        if got.total > got.items.len() { Vec::new() } else { names.into_iter().collect() },
        all_stale,
    )))
}

fn sentence(total: usize, noun: &str, names: Vec<&str>, out_of_reach: bool) -> String {
    let of = match names.as_slice() {
        [] => String::new(),
        [one] => format!(" of {one}"),
        [first @ .., last] if names.len() <= 4 => format!(" of {} and {last}", first.join(", ")),
        [one, two, three, rest @ ..] => format!(" of {one}, {two}, {three} and {} others", rest.len()),
        _ => String::new(),
    };
    let (are, they) = if total == 1 { ("is", "it fits") } else { ("are", "they fit") };
    let how = if out_of_reach { "out of reach" } else { "of unknown state" };
    format!("{}{of} {are} {how}: whether {they} is not known.", counted(total, noun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_about_the_state_leaves_open_what_is_unknown() {
        let guests = |text| of_the_unknown(text, Vocabulary::Guests);
        assert_eq!(guests("status:running remote:x").as_deref(), Some("remote:x status:unknown"));
        assert_eq!(guests("-status:running").as_deref(), Some("status:unknown"));
        assert_eq!(
            guests("name:\"two words\" status~run \"a \\\" b\"").as_deref(),
            Some("name:\"two words\" \"a \\\" b\" status:unknown")
        );
        for text in ["remote:x", "web", "status:unknown", "status:running,out_of_reach", "status:(", ""] {
            assert_eq!(guests(text), None, "{text}");
        }
        assert_eq!(of_the_unknown("status:running", Vocabulary::Tasks), None);
        assert_eq!(of_the_unknown("status:online", Vocabulary::Nodes).as_deref(), Some("status:unknown"));
    }

    #[test]
    fn it_is_said_in_one_sentence() {
        let said = |n, names: &[&str]| sentence(n, "guest", names.to_vec(), true);
        assert_eq!(said(1, &["x"]), "1 guest of x is out of reach: whether it fits is not known.");
        assert_eq!(
            said(3, &["x", "y"]),
            "3 guests of x and y are out of reach: whether they fit is not known."
        );
        assert!(said(9, &["a", "b", "c", "d", "e"]).starts_with("9 guests of a, b, c and 2 others are"));
        assert!(said(2_000, &[]).starts_with("2000 guests are"));
    }
}
