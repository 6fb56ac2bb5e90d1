//! What is not known now, and must not look like none: figures of what is out of reach, and queries about it.

use std::collections::BTreeSet;

use api::list::MAX_LIMIT;
use api::node::Node;
use api::remote::{RemoteFigures, RemoteRow};
use model::NodeState;
use model::query::{Key, Query, Vocabulary};
use serde_json::Value;

use super::list::{counted, read};
use crate::client::Client;
use crate::failure::Failure;

/// States by which one asks for what is not known.
const UNKNOWN: [&str; 6] = ["unknown", "out_of_reach", "node_down", "missing", "not_visible", "deleted"];

/// How many guests run on a node, where anybody can know.
pub(super) fn running(node: &Node) -> Option<usize> {
    let known = node.row.freshness.is_live() && node.row.node.state == NodeState::Online;
    Some(node.guests_running).filter(|n| known || *n > 0)
}

/// How many nodes of a remote are online, where anybody can know. `up`: its link.
pub(super) fn online(figures: &RemoteFigures, up: bool) -> Option<usize> {
    figures.nodes_online.filter(|n| up || *n > 0)
}

/// How many guests of a remote run, where anything is known of any. `up`: its link.
pub(super) fn running_there(figures: &RemoteFigures, up: bool) -> Option<usize> {
    let none_known = figures.guests.is_some_and(|all| all > 0) && figures.guests_unknown == figures.guests;
    figures.guests_running.filter(|n| *n > 0 || (up && !none_known))
}

/// Puts `null` where a row says 0 of what nobody knows now; rows of anything else stay as they are.
pub(super) fn as_null(row: &mut Value) {
    if row.get("guests_running").is_some()
        && let Ok(node) = serde_json::from_value::<Node>(row.clone())
        && running(&node).is_none()
        && let Some(figure) = row.get_mut("guests_running")
    {
        *figure = Value::Null;
    }
    if row.pointer("/counts/nodes_online").is_some()
        && let Ok(remote) = serde_json::from_value::<RemoteRow>(row.clone())
        && let Some(counts) = row.get_mut("counts")
    {
        let figures = [
            ("nodes_online", online(&remote.counts, remote.link.up)),
            ("guests_running", running_there(&remote.counts, remote.link.up)),
        ];
        for (name, known) in figures {
            if let (None, Some(figure)) = (known, counts.get_mut(name)) {
                *figure = Value::Null;
            }
        }
    }
}

/// The terms of a query as it is written out.
fn terms(query: &Query) -> Vec<String> {
    let (mut terms, mut term) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for c in query.to_string().chars() {
        match c {
            ' ' if !quoted => terms.push(std::mem::take(&mut term)),
            _ => {
                quoted ^= c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                term.push(c);
            }
        }
    }
    terms.push(term);
    terms.retain(|term| !term.is_empty());
    terms
}

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
    let of_state = |term: &String| Query::parse(term, about).is_ok_and(|one| one.asks_about(Key::Status));
    let mut rest = terms(&query);
    rest.retain(|term| !of_state(term));
    rest.push("status:unknown".to_owned());
    Some(rest.join(" "))
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

    #[test]
    fn figures_that_nobody_knows_are_none() {
        let figures = |nodes_online, guests_running, guests_unknown| RemoteFigures {
            nodes: Some(1),
            nodes_online: Some(nodes_online),
            guests: Some(3),
            guests_running: Some(guests_running),
            guests_unknown: Some(guests_unknown),
            ..RemoteFigures::default()
        };
        let down = figures(0, 0, 3);
        assert_eq!((online(&down, false), running_there(&down, false)), (None, None));
        assert_eq!((online(&down, true), running_there(&down, true)), (Some(0), None), "all nodes are down");
        let off = figures(1, 0, 0);
        assert_eq!((online(&off, true), running_there(&off, true)), (Some(1), Some(0)));
    }
}
